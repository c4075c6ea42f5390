#!/usr/bin/env python3
"""Hostile clients, slow strangers, bad records: nobody ends a daemon, freezes it or takes all of
anything, and others go on being served meanwhile. All on this machine's loopback.

usage: hw_doors_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import fcntl
import os
import random
import select
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

import hw_test
import stranger
from hw_test import Case, Daemon, free_ports
from processes import stand_still
from stranger import Client

TOKEN = b"a token of the test, long enough"
GUESTS_MAX = 32
NAME_MAX, CURSOR_MAX = 1024, 8000
PATIENCE_S = 5  # of doors, for those who have not proved who they are


class Served(Case):
    """A daemon that reads are tried at."""

    def serve(self, *assignments, config=None, name="daemon"):
        self.content = self.object("data", 700001)
        return Daemon(self, config or self.config, *assignments, name=name)

    def client(self, daemon):
        client = Client(daemon.socket)
        self.addCleanup(client.close)
        return client

    def guest(self, daemon):
        guest = stranger.connect(daemon.socket)
        self.addCleanup(guest.close)
        return guest

    def reads(self, daemon, name="data"):
        """It serves a client of its own, soon."""
        begun = time.monotonic()
        ended = daemon.forebay("get", name)
        self.assertEqual((ended.returncode, ended.stderr), (0, b""))
        self.assertEqual(ended.stdout, self.content)
        self.assertLess(time.monotonic() - begun, 10)


class Clients(Served):
    def test_doorbell_in_a_hostile_hand_stops_nobody(self):
        daemon = self.serve("client.spin=0 s")
        client = self.client(daemon)
        fcntl.fcntl(client.doorbell, fcntl.F_SETFL, 0)  # whoever reads it now waits
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            os.write(client.doorbell, struct.pack("<Q", 1))
            try:  # between what wakes the daemon and what it does then
                os.preadv(client.doorbell, [bytearray(8)], -1, os.RWF_NOWAIT)
            except OSError:
                pass
            self.assertEqual(client.word(stranger.REPLY_TAIL), 0)
        self.reads(daemon)
        self.assertEqual(client.call(stranger.STAT, name=b"data")["status"], stranger.OK)

    def test_doorbell_that_never_waits_ends_its_own_session(self):
        daemon = self.serve()
        client = self.client(daemon)
        os.write(client.doorbell, struct.pack("<Q", 1))
        fcntl.fcntl(client.doorbell, fcntl.F_SETFL, os.O_NONBLOCK)
        for _ in range(1000):
            os.write(client.doorbell, struct.pack("<Q", 1))
        self.reads(daemon)

    def test_each_client_has_a_doorbell_of_its_own(self):
        daemon = self.serve()
        one, other = self.client(daemon), self.client(daemon)
        fcntl.fcntl(one.doorbell, fcntl.F_SETFL, os.O_NONBLOCK)
        self.assertEqual(fcntl.fcntl(other.doorbell, fcntl.F_GETFL) & os.O_NONBLOCK, 0)

    def test_descriptors_that_wait_to_be_closed_stop_nobody(self):
        daemon = self.serve()
        for connection in (self.guest(daemon), self.client(daemon).socket):
            sender, receiver = lingering_pair()
            stand_still(daemon.process)  # so that its close is the last one
            socket.send_fds(connection, [bytes(48)], [sender.fileno()])
            sender.close()
            daemon.process.send_signal(signal.SIGCONT)
            self.reads(daemon)
            receiver.close()
        daemon.says("sends descriptors")

    def test_guests_that_do_not_greet_keep_nobody_out(self):
        with open(self.path("token"), "wb") as file:
            file.write(TOKEN)
        daemon = self.serve("client.token=" + self.path("token"))
        guests = [self.guest(daemon) for _ in range(3 * GUESTS_MAX)]
        os.environ["FOREBAY_TOKEN_FILE"] = self.path("token")
        self.addCleanup(os.environ.pop, "FOREBAY_TOKEN_FILE")
        self.reads(daemon)
        self.assertEqual(int(daemon.status()["clients"]), 1)  # a guest is none
        wrong = self.guest(daemon)
        wrong.send(stranger.REQUEST.pack(2, stranger.HELLO, 1, 0, 0, 0, len(TOKEN), 0, 0) +
                   bytes(len(TOKEN)))
        self.assertEqual(stranger.REPLY.unpack(wrong.recv(100))[3], stranger.DENIED)
        self.assertEqual(wrong.recv(100), b"")
        begun = time.monotonic()
        self.assertEqual(guests[-1].recv(100), b"")  # not for ever
        self.assertLess(time.monotonic() - begun, PATIENCE_S + 5)

    def test_text_of_any_length_is_answered_and_the_session_goes_on(self):
        """A request that is well formed and asks for what cannot be is refused by name."""
        daemon = self.serve()
        client = self.client(daemon)
        named = (stranger.OPEN, stranger.STAT, stranger.LIST, stranger.CREATE, stranger.REMOVE,
                 stranger.PENDING, stranger.LOOK, stranger.CHANGE, stranger.LIST_PLAIN)
        odd = [(NAME_MAX + 1, 0), (0, CURSOR_MAX + 1), (NAME_MAX + 1, CURSOR_MAX),
               (60000, 0), (0, 60000), (60000, 60000)]  # the last are longer than any packet
        for kind in range(stranger.OPEN, stranger.LIST_PLAIN + 3):
            for name, cursor in odd if kind != stranger.CLOSE else ():
                reply = client.call(kind, name=b"x" * name, cursor=b"x" * cursor)
                self.assertEqual(reply["status"], stranger.INVALID, (kind, name, cursor))
            if kind in named and kind != stranger.CHANGE:
                status = client.call(kind, name=b"x" * NAME_MAX)["status"]
                self.assertNotEqual(status, stranger.INVALID, kind)  # a name may be so long
        client.send(stranger.CLOSE, name=b"x" * (NAME_MAX + 1))  # has no reply
        self.assertEqual(client.call(stranger.STAT, name=b"data")["status"], stranger.OK)
        self.reads(daemon)

    def test_client_for_whom_there_is_no_room_hears_busy(self):
        daemon = self.serve()
        clients = [self.client(daemon)]
        while clients[-1].status == stranger.OK:
            clients.append(self.client(daemon))
        self.assertEqual(clients[-1].status, stranger.BUSY)
        self.assertLess(len(clients), 128)
        ended = daemon.forebay("get", "data")  # another process: it is let in
        self.assertEqual(ended.stdout, self.content)


class Shares(Served):
    """One client, or four, can't take all of anything, nor touch what is another's."""

    BLOCK = 256 << 10

    def test_kv_block_is_never_a_files(self):
        daemon = self.serve()
        client = self.client(daemon)
        version = client.call(stranger.STAT, name=b"data")["version"]
        for index in range(2):
            key = stranger.block_key(b"data", version, index)
            size = min(self.BLOCK, len(self.content) - index * self.BLOCK)
            client.put_arena(bytes(size))
            self.assertEqual(client.asked(stranger.PUT, key=key, size=size)["status"],
                             stranger.OK)
        self.reads(daemon)
        for key, size in ((stranger.block_key(b"data", version, 0), self.BLOCK), ((1, 2), 100)):
            answer = client.asked(stranger.GET_KEY, key=key, size=size)
            self.assertNotEqual(client.memory[answer["offset"]:answer["offset"] + size],
                                self.content[:size])

    def test_client_writes_and_commits_only_what_it_has_created(self):
        daemon = self.serve()
        one, other = self.client(daemon), self.client(daemon)
        handle = one.call(stranger.CREATE, name=b"new")["object"]
        content = random.Random(3).randbytes(2 * self.BLOCK + 5)
        for at in (2, 0, 1):
            part = content[at * self.BLOCK:(at + 1) * self.BLOCK]
            fields = {"object": handle, "index": at, "size": len(part)}
            self.assertEqual(other.asked(stranger.WRITE, **fields)["status"], stranger.INVALID)
            if at == 1:  # a block is missing still
                self.refuses_commit(one, handle, len(content))
            one.put_arena(part)
            self.assertEqual(one.asked(stranger.WRITE, **fields)["status"], stranger.OK)
        for size in (12 << 40, len(content) + 1, len(content) - 1, self.BLOCK - 1,
                     3 * self.BLOCK, (1 << 64) - 1):
            self.refuses_commit(one, handle, size)
        self.refuses_commit(other, handle, len(content))
        self.refuses_commit(other, 12345, 0)
        daemon.wait_until(lambda: one.call(stranger.COMMIT, object=handle, index=len(content))
                          ["status"] == stranger.OK)  # BUSY until the origin has all
        self.assertEqual(daemon.forebay("get", "new").stdout, content)
        for fields in ({"index": 1 << 62}, {"index": 7, "size": 0}, {"index": 7, "size": 1 << 30}):
            asked = one.asked(stranger.WRITE, **{"object": handle, "size": 10, **fields})
            self.assertEqual(asked["status"], stranger.INVALID)

    def refuses_commit(self, client, handle, size):
        reply = client.call(stranger.COMMIT, object=handle, index=size)
        self.assertEqual(reply["status"], stranger.INVALID)

    def test_names_held_open_leave_some_for_others(self):
        daemon = self.serve("objects_max=1024")
        for number in range(1100):
            self.write("origin/n%d" % number, b"x")
        busy = 0
        for _ in range(4):
            greedy = self.client(daemon)
            for number in range(1100):
                reply = greedy.call(stranger.OPEN, name=b"n%d" % number)
                busy += reply["status"] == stranger.BUSY
                if reply["status"] == stranger.BUSY:
                    break
        self.assertGreater(busy, 0)
        self.reads(daemon)
        fresh = self.client(daemon)
        for number in range(1000, 1004):
            reply = fresh.call(stranger.OPEN, name=b"n%d" % number)
            self.assertEqual(reply["status"], stranger.OK)

    def test_files_held_open_for_writing_leave_some_for_others(self):
        daemon = self.serve("objects_max=4096")
        greedy = self.client(daemon)
        number = 0
        while greedy.call(stranger.CREATE, name=b"w%d" % number)["status"] == stranger.OK:
            number += 1
        self.assertLessEqual(number, 256)
        source = self.write("source", b"new")
        self.assertEqual(daemon.forebay("put", source, "new").returncode, 0)
        self.reads(daemon)

    def test_blocks_that_one_has_lent_leave_memory_for_others(self):
        large = self.object("large", 32 * self.BLOCK)  # memory holds 16
        daemon = self.serve()
        greedy = [self.client(daemon) for _ in range(4)]
        for client in greedy:
            handle = client.call(stranger.OPEN, name=b"large")["object"]
            for index in range(32):
                client.asked(stranger.GET, object=handle, index=index)  # and never gives it back
        self.reads(daemon)
        self.assertEqual(daemon.forebay("get", "large").stdout, large)

    def test_bytes_that_one_writes_leave_room_for_others(self):
        """While the origin takes nothing, one writer cannot owe all that can be owed."""
        daemon = self.serve("core.memory_size=64 MiB", "core.replicas=1", "core.write_quorum=1",
                            "core.drain_delay=600 s")
        self.addCleanup(daemon.kill)  # it would wait for the drain
        greedy = [self.client(daemon) for _ in range(4)]
        taken = []
        for number, client in enumerate(greedy):
            handle = client.call(stranger.CREATE, name=b"new%d" % number)["object"]
            client.put_arena(bytes(self.BLOCK))
            statuses = [client.asked(stranger.WRITE, object=handle, index=index, size=self.BLOCK,
                                     level=0)["status"] for index in range(200)]
            taken.append(statuses.count(stranger.OK))
            self.assertEqual(set(statuses) - {stranger.OK, stranger.BUSY}, set())
        self.assertIn(taken[0], range(140, 160), taken)  # of 224
        self.assertLess(sum(taken), 223, taken)
        fresh = self.client(daemon)
        handle = fresh.call(stranger.CREATE, name=b"fresh")["object"]
        fresh.put_arena(bytes(self.BLOCK))
        self.assertEqual(fresh.asked(stranger.WRITE, object=handle, index=0, size=self.BLOCK,
                                     level=0)["status"], stranger.OK)
        self.reads(daemon)

    def test_records_of_pins_are_not_all_ones(self):
        daemon = self.serve("core.pins_max=8")
        for number in range(20):
            self.write("origin/n%d" % number, b"x")
        greedy = [self.client(daemon) for _ in range(4)]
        pin = {"index": 0, "offset": 30 * 10**9}
        statuses = []
        for number in range(20):
            client = greedy[number % 4]
            handle = client.call(stranger.OPEN, name=b"n%d" % number)["object"]
            statuses.append(client.asked(stranger.PIN, object=handle, **pin)["status"])
        self.assertIn(statuses.count(stranger.OK), (5, 6, 7))
        fresh = self.client(daemon)
        handle = fresh.call(stranger.OPEN, name=b"data")["object"]
        self.assertEqual(fresh.asked(stranger.PIN, object=handle, **pin)["status"], stranger.OK)

    def test_requests_over_the_socket_are_not_all_ones(self):
        """Whatever a user asks at once: others are answered. 16 of a session are agreed."""
        daemon = self.serve()
        greedy = [self.client(daemon) for _ in range(40)]
        greedy = [client for client in greedy if client.status == stranger.OK]
        for _ in range(16):
            for client in greedy:
                client.send(stranger.STAT, name=b"data")
        self.reads(daemon)
        for client in greedy:
            for _ in range(16):
                self.assertIn(client.reply()["status"], (stranger.OK, stranger.BUSY))

    def test_pins_leave_memory_for_others_and_are_their_makers(self):
        self.object("large", 32 * self.BLOCK)
        daemon = self.serve()
        clients = [self.client(daemon) for _ in range(4)]
        handle = clients[0].call(stranger.OPEN, name=b"large")["object"]
        ask = {"object": handle, "offset": 30 * 10**9}
        answers = [clients[index % 3].asked(stranger.PIN, index=index, **ask)
                   for index in range(32)]
        made = [answer["lease"] for answer in answers if answer["status"] == stranger.OK]
        self.assertIn(len(made), range(1, 13))  # three quarters of the memory at most
        for answer in answers[len(made):]:
            self.assertEqual(answer["status"], stranger.FULL)
        self.reads(daemon)
        for lease in [*made, 0, 1 << 63, 7 << 32]:
            clients[3].asked(stranger.UNPIN, object=lease)  # not its own: nothing ends
        self.assertEqual(clients[0].asked(stranger.PIN, index=31, **ask)["status"], stranger.FULL)
        clients[0].asked(stranger.UNPIN, object=made[0])
        self.assertEqual(clients[0].asked(stranger.PIN, index=31, **ask)["status"], stranger.OK)


class SocketPath(Case):
    def test_file_that_is_no_socket_stays(self):
        path = self.write("precious", b"kept")
        ended = hw_test.run(hw_test.program("forebayd"), "--config", self.config, "--set",
                            "client.socket=" + path)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"it is there and no socket", ended.stderr)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), b"kept")

    def test_busy_socket_of_another_daemon_is_not_taken(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as live:
            live.bind(self.path("socket"))
            live.listen(0)
            waiting = stranger.connect(self.path("socket"))  # its backlog is full
            ended = hw_test.run(hw_test.program("forebayd"), "--config", self.config)
            self.assertEqual(ended.returncode, 1)
            self.assertIn(b"client.socket", ended.stderr)
            live.accept()[0].close()
            stranger.connect(self.path("socket")).close()
            waiting.close()

    def test_socket_that_others_put_in_its_place_stays(self):
        daemon = Daemon(self, self.config)
        os.unlink(self.path("socket"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
            other.bind(self.path("socket"))
            self.assertEqual(daemon.stop(), 0)
            self.assertTrue(os.path.exists(self.path("socket")))

    def test_daemons_that_start_together_take_one_socket_once(self):
        for _ in range(2):
            Daemon(self, self.config).kill()  # leaves its socket
            daemons = [subprocess.Popen([hw_test.program("forebayd"), "--config", self.config],
                                        stderr=subprocess.PIPE) for _ in range(3)]
            ended = []
            while len(ended) < 2:
                ended = [daemon for daemon in daemons if daemon.poll() is not None]
                time.sleep(0.01)
            [left] = [daemon for daemon in daemons if daemon.poll() is None]
            stranger.connect(self.path("socket")).close()
            left.terminate()
            for daemon in daemons:
                daemon.communicate()
            self.assertEqual(left.returncode, 0)


def has_ended(connection):
    """Has the other side ended it by now?"""
    if not select.select([connection], [], [], 0)[0]:
        return False
    try:
        return connection.recv(1) == b""
    except OSError:
        return True


class Port(Served):
    """The node port: strangers, with a greeting or none, beside two members."""

    def start_pair(self, *assignments):
        config, self.ports = self.pair()
        first = self.serve(*assignments, config=config)
        second = Daemon(self, config, "node=1", "client.socket=" + self.path("second"),
                        *assignments, name="second")
        return first, second

    def stranger(self, content=b""):
        connection = socket.create_connection(("127.0.0.1", self.ports[0]), timeout=20)
        self.addCleanup(connection.close)
        connection.sendall(content)
        return connection

    def talks(self, first, second):
        """Both reach each other: what one has read the other takes from it."""
        name = "n%d" % random.randrange(1 << 60)
        self.object(name, 700001)
        fetched = [int(one.status()["origin_fetches"]) for one in (first, second)]
        for one in (first, second):
            self.assertEqual(one.forebay("get", name).returncode, 0)
        fetches = sum(int(one.status()["origin_fetches"]) for one in (first, second))
        return fetches - sum(fetched) == 3

    def test_silent_strangers_keep_no_member_out(self):
        first, second = self.start_pair()
        strangers = [self.stranger() for _ in range(200)]
        first.wait_until(lambda: sum(map(has_ended, strangers)) > 130)
        self.assertTrue(self.talks(first, second))
        second.kill()  # its connections end: it has to be let in anew
        second = Daemon(self, self.path("pair.yaml"), "node=1",
                        "client.socket=" + self.path("second"), name="again")
        first.wait_until(lambda: self.talks(first, second))

    def test_stranger_that_speaks_slowly_goes_in_time(self):
        self.start_pair()
        stranger_ = self.stranger()
        begun = time.monotonic()
        for byte in stranger.hello(1, 0):
            try:
                stranger_.sendall(bytes([byte]))
            except OSError:
                break
            time.sleep(0.15)
            if has_ended(stranger_):
                break
        self.assertLess(time.monotonic() - begun, PATIENCE_S + 3)

    def test_peer_that_takes_more_than_its_share_loses_the_silent_ones(self):
        first, second = self.start_pair("pull_connections=2")
        greeted = [self.stranger(stranger.hello(1, 0)) for _ in range(40)]
        first.wait_until(lambda: sum(map(has_ended, greeted)) >= 37)
        first.wait_until(lambda: self.talks(first, second))

    def test_log_of_strangers_is_bounded(self):
        first, _ = self.start_pair()
        for _ in range(500):
            self.stranger(bytes(48)).close()
        last = self.stranger(bytes(48))
        first.wait_until(lambda: has_ended(last))
        first.says("event=connection_refused")
        self.assertLess(first.log().count("event=connection_refused"), 200)

    def test_messages_with_odd_fields_do_no_harm(self):
        first, second = self.start_pair("core.erasure_data=1", "core.erasure_parity=1")
        for kind in range(17):
            for size in (0, 1, 10, 262145, 0xffffffff):
                for count in (0, 1, 2, 3, 17, 0xffffffff):
                    self.stranger(stranger.hello(1, 0) + stranger.message(
                        1, kind, key_count=0 if kind == 6 else count, size=size, object=7,
                        high=random.getrandbits(64), region=1, span_size=size,
                        hops=count & 0xff)).close()
        for one in (first, second):
            self.reads(one)
            one.kill()  # it may owe what a HOLD brought


class Http(Served):
    def test_silent_requests_keep_no_probe_out(self):
        port = free_ports(1)[0]
        daemon = self.serve("http=127.0.0.1:%d" % port)
        is_over = threading.Event()

        def hold():
            while not is_over.is_set():
                with socket.create_connection(("127.0.0.1", port), timeout=20) as silent:
                    try:
                        silent.send(b"G")
                        silent.recv(1)
                    except OSError:
                        pass

        threads = [threading.Thread(target=hold) for _ in range(50)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(20):
                self.assertEqual(hw_test.page(port, "/health"), (200, "alive\n"))
            _, metrics = hw_test.page(port, "/metrics")
            pushed = [line for line in metrics.split("\n")
                      if line.startswith("forebay_pages_pushed_out_total ")]
            self.assertGreater(int(pushed[0].split()[1]), 0)
        finally:
            is_over.set()
            daemon.kill()
            for thread in threads:
                thread.join()


@unittest.skipUnless(os.geteuid() == 0, "names of its own need root")
class Names(Served):
    """Members whose addresses are names, which come and move."""

    def hosts(self, text):
        with open(self.path("hosts"), "w", encoding="utf-8") as file:
            file.write(text)

    def test_names_that_come_late_and_move_are_found(self):
        self.hosts("127.0.0.1 localhost\n")
        ports = free_ports(2)
        members = hw_test.PAIR.format(port0=ports[0], port1=ports[1]).replace(
            '"127.0.0.1:%d"' % ports[1], '"moving.test:%d"' % ports[1])
        text = hw_test.CONFIG.format(folder=self.folder) + members
        config = self.write("named.yaml", text.encode())
        own = ("unshare", "-m", "sh", "-c",
               'mount --bind "$0" /etc/hosts && exec "$@"', self.path("hosts"))
        self.content = self.object("data", 700001)
        begun = time.monotonic()
        # How soon one that was away is asked again is not what this is about.
        daemon = Daemon(self, config, "core.suspect=100 ms", wrapper=own)
        self.assertLess(time.monotonic() - begun, 8)  # it starts without the name
        self.reads(daemon)
        self.assertEqual(daemon.status()["peers_connected"], "0")
        for host in ("127.0.0.1", "127.0.0.2"):
            other = Daemon(self, config, "node=1", "listen=%s:%d" % (host, ports[1]),
                           "client.socket=" + self.path("other"), name=host)
            self.hosts("%s moving.test\n" % host)
            daemon.wait_until(lambda: self.is_connected(daemon))
            self.assertEqual(other.stop(), 0)
        self.assertEqual(daemon.log().count("event=name_not_found"), 1)

    def is_connected(self, daemon):
        name = "n%d" % random.randrange(1 << 60)
        self.object(name, 300000)
        daemon.forebay("get", name)  # asks the other for one of its blocks, or soon will
        return daemon.status()["peers_connected"] == "1"


def lingering_pair():
    """A connection whose sender's last close waits for a minute, and its other end."""
    sender = socket.socket()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        sender.connect(listener.getsockname())
        receiver = listener.accept()[0]
    sender.setblocking(False)
    try:
        while True:
            sender.send(bytes(65536))
    except BlockingIOError:
        pass
    sender.setblocking(True)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    return sender, receiver


if __name__ == "__main__":
    hw_test.main("hw_doors_test")
