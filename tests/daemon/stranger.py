"""Clients and peers that are not forebay's own and keep no rule that they are not made to keep: raw
packets of the local protocol (client/protocol/local_protocol.h, client/protocol/ring.h) and raw
frames of the nodes' (hw/net/wire.h), for tests of what a daemon does with them."""

import ctypes
import ctypes.util
import mmap
import os
import socket
import struct
import time

LOCAL_VERSION, WIRE_VERSION = 2, 2
HELLO, OPEN, CLOSE, STAT, LIST, STATUS, CREATE, COMMIT, REMOVE = range(1, 10)
PENDING, EXPLAIN, EXPLAIN_KEY, LOOK, CHANGE, LIST_PLAIN, DRAIN = range(10, 17)
GET, GET_KEY, PUT, WRITE, MATCH, RELEASE, PIN, UNPIN, FORGET = range(1, 10)
OK, BUSY, ABSENT, TIMEOUT, IO, CORRUPT, GONE, THROTTLED, INVALID, FULL, CONFLICT, DENIED = \
    range(12)
RING_BYTES, RING_ENTRIES, REQUESTS_AT, REPLIES_AT = 65536, 256, 192, 192 + 256 * 64
REQUEST_TAIL, REPLY_HEAD, REPLY_TAIL = 0, 8, 128

REQUEST = struct.Struct("<IIQQQIIII")
REPLY = struct.Struct("<IIQIIIIQQQQIIQ")
RING_REQUEST = struct.Struct("<IIQQQQQQII")
RING_REPLY = struct.Struct("<QIIIIQQQQQ")
WIRE_HEADER = struct.Struct("<IBBHIIQQQ")
MESSAGE = struct.Struct("<BBBBIQQQIIQQQQIIIIQQ")
WIRE_MAGIC, WIRE_HELLO, WIRE_MESSAGE, WIRE_PULL, WIRE_SUMMARY = 0x79616265, 1, 2, 3, 6
MASK = (1 << 64) - 1
MESSAGE_FIELDS = ("kind", "status", "flags", "hops", "target", "ask_id", "lend_id", "digest",
                  "key_count", "tenant", "high", "low", "object", "offset", "size", "region",
                  "peer", "source", "span_offset", "span_size")

_xxhash = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
_xxhash.XXH3_64bits_withSeed.restype = ctypes.c_uint64
_xxhash.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]


def xxh3(content, seed=0):
    return _xxhash.XXH3_64bits_withSeed(content, len(content), seed)


def mix(word):
    """fb_mix of core/key.h."""
    word ^= word >> 30
    word = word * 0xbf58476d1ce4e5b9 & MASK
    word ^= word >> 27
    word = word * 0x94d049bb133111eb & MASK
    return word ^ word >> 31


def block_key(name, version, index):
    """What hw/origin/object.h says that a block of a file is known by."""
    handle = mix(xxh3(name) ^ mix(version)) & ~1
    return mix(xxh3(name) ^ mix(index)), handle


def connect(path):
    """A connection to a daemon's socket that says nothing."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(20)
    client.connect(path)
    return client


class Client:
    """A greeted client with its ring mapped."""

    def __init__(self, path, token=b""):
        self.socket = connect(path)
        self.send(HELLO, name=token)
        packet, self.files, _, _ = socket.recv_fds(self.socket, 200, 8)
        if not packet:
            raise ConnectionError("the daemon refused the client")
        reply = REPLY.unpack(packet)
        self.status = reply[3]
        if self.status != OK:
            return
        self.arena_size = reply[13]
        self.memory = mmap.mmap(self.files[0], reply[9], mmap.MAP_SHARED, mmap.PROT_READ)
        self.ring = mmap.mmap(self.files[1], RING_BYTES + self.arena_size)
        self.doorbell = self.files[2]
        self.tail = self.head = 0

    def send(self, kind, object=0, index=0, level=0, name=b"", cursor=b"",
             version=LOCAL_VERSION):
        self.socket.send(REQUEST.pack(version, kind, 1, object, index, level, len(name),
                                      len(cursor), 0) + name + cursor)

    def reply(self):
        packet = self.socket.recv(1 << 17)
        if not packet:
            raise ConnectionError("the daemon ended the session")
        fields = REPLY.unpack(packet[:REPLY.size])
        return {"status": fields[3], "object": fields[7], "version": fields[8],
                "size": fields[9], "page": packet[REPLY.size:]}

    def call(self, kind, **fields):
        self.send(kind, **fields)
        return self.reply()

    def word(self, at, value=None):
        if value is not None:
            self.ring[at:at + 4] = struct.pack("<I", value & 0xffffffff)
        return struct.unpack("<I", self.ring[at:at + 4])[0]

    def ask(self, kind, tenant=0, object=0, index=0, key=(0, 0), offset=0, size=0, level=0):
        """Writes a request to the ring and rings."""
        at = REQUESTS_AT + self.tail % RING_ENTRIES * 64
        self.ring[at:at + 64] = RING_REQUEST.pack(kind, tenant, self.tail, object, index, *key,
                                                  offset, size, level)
        self.tail += 1
        self.word(REQUEST_TAIL, self.tail)
        os.write(self.doorbell, struct.pack("<Q", 1))

    def answer(self, patience_s=20):
        end = time.monotonic() + patience_s
        while self.word(REPLY_TAIL) == self.head:
            if time.monotonic() > end:
                raise TimeoutError("no reply in the ring")
            time.sleep(0.0005)
        at = REPLIES_AT + self.head % RING_ENTRIES * 64
        fields = RING_REPLY.unpack(self.ring[at:at + 64])
        self.head = (self.head + 1) & 0xffffffff
        self.word(REPLY_HEAD, self.head)
        return {"status": fields[1], "lease": fields[5], "offset": fields[6], "size": fields[7]}

    def answers(self):
        """What is there, without waiting."""
        found = []
        while self.word(REPLY_TAIL) != self.head:
            found.append(self.answer())
        return found

    def asked(self, kind, **fields):
        self.ask(kind, **fields)
        return self.answer()

    def put_arena(self, content, offset=0):
        self.ring[RING_BYTES + offset:RING_BYTES + offset + len(content)] = content

    def close(self):
        self.socket.close()
        for file in self.files:
            os.close(file)


def frame(kind, source, payload=b"", id=0, value=0, version=WIRE_VERSION):
    header = WIRE_HEADER.pack(WIRE_MAGIC, version, kind, 0, source, len(payload), id, value,
                              0)
    checksum = xxh3(payload, xxh3(header + bytes(8)))
    return header + struct.pack("<Q", checksum) + payload


def hello(source, target, cluster=b"test", block_size=256 << 10, speaks=0):
    return frame(WIRE_HELLO, source,
                 struct.pack("<QQII", xxh3(cluster), block_size, target, 0), value=speaks)


def summary(source, *values):
    """What a member of a release says of itself that has so many fields."""
    return frame(WIRE_SUMMARY, source, struct.pack("<%dQ" % len(values), *values), version=3)


def message(source, kind, **fields):
    values = dict.fromkeys(MESSAGE_FIELDS, 0)
    values.update(kind=kind, source=source, peer=source, object=(1 << 64) - 1, target=0xffffffff)
    values.update(fields)
    return frame(WIRE_MESSAGE, source, MESSAGE.pack(*(values[name] for name in MESSAGE_FIELDS)))
