#!/usr/bin/env python3
"""A program of the library that forks, as data loaders do: in the child every call with the
parent's client is an error of its name at once, and the parent reads and writes on as if there
were none.

usage: hw_fork_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import ctypes
import errno
import multiprocessing
import os

import hw_test
from hw_test import Case, Daemon

SIZE = 700001


class Client:
    def __init__(self, socket):
        self.library = ctypes.CDLL(os.path.join(hw_test.BUILD, "client", "libforebay.so"))
        self.library.forebay_file_read.restype = ctypes.c_int64
        self.client = ctypes.c_void_p()
        self.code = self.library.forebay_client_open(socket.encode(), ctypes.byref(self.client))

    def open(self, name):
        file = ctypes.c_void_p()
        code = self.library.forebay_file_open(self.client, name.encode(), ctypes.byref(file))
        return code, file

    def create(self, name):
        file = ctypes.c_void_p()
        code = self.library.forebay_file_create(self.client, name.encode(), 0, ctypes.byref(file))
        return code, file

    def read(self, file):
        """Bytes, or a negative errno."""
        bytes_read = ctypes.create_string_buffer(SIZE)
        size = self.library.forebay_file_read(file, ctypes.c_uint64(0), bytes_read,
                                              ctypes.c_uint64(SIZE))
        return bytes_read.raw[:size] if size >= 0 else size

    def write(self, file, content):
        return self.library.forebay_file_write(file, content, ctypes.c_uint64(len(content)))

    def put(self, number, content):
        key = (ctypes.c_uint64 * 2)(number, number)

        class Key(ctypes.Structure):
            _fields_ = [("high", ctypes.c_uint64), ("low", ctypes.c_uint64)]

        return self.library.forebay_kv_put(self.client, Key(*key), content, len(content))

    def close(self):
        self.library.forebay_client_close(self.client)


def load(socket, content):
    """What a worker does that opens a client of its own."""
    client = Client(socket)
    code, file = client.open("data")
    return code == 0 and client.read(file) == content


class Fork(Case):
    def setUp(self):
        super().setUp()
        self.content = self.object("data", SIZE)
        self.daemon = Daemon(self, self.config)
        self.client = Client(self.daemon.socket)
        self.assertEqual(self.client.code, 0)
        code, self.file = self.client.open("data")
        self.assertEqual(code, 0)

    def child(self, run):
        """The child's exit code: which of the calls was not what it should be, from 1 on."""
        pid = os.fork()
        if pid == 0:
            try:
                results = run()
                os._exit(next((i + 1 for i, is_fine in enumerate(results) if not is_fine), 0))
            except BaseException:
                os._exit(255)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.assertEqual(code, 0)

    def test_every_call_of_the_child_is_refused_and_the_parent_goes_on(self):
        code, writing = self.client.create("made")
        self.assertEqual((code, self.client.write(writing, b"p" * 100000)), (0, 0))

        def calls():
            client, no = self.client, -errno.ECHILD
            yield client.read(self.file) == no
            yield client.open("data")[0] == no
            yield client.create("other")[0] == no
            yield client.write(writing, b"c" * 400000) == no
            yield client.library.forebay_file_commit(writing, 1) == no
            yield client.put(1, b"c" * 1000) == no
            yield client.library.forebay_client_remove(client.client, b"data") == no
            client.library.forebay_file_close(writing)
            client.library.forebay_file_close(self.file)
            client.close()
            yield True

        for _ in range(3):
            with self.subTest():
                self.child(lambda: [self.client.read(self.file) == -errno.ECHILD])
        self.child(calls)
        self.assertEqual(self.client.read(self.file), self.content)
        self.assertEqual(self.client.write(writing, b"p" * 500000), 0)
        self.assertEqual(self.client.library.forebay_file_commit(writing, 30), 0)
        self.assertEqual(self.daemon.forebay("get", "made").stdout, b"p" * 600000)
        self.assertEqual(self.client.put(1, b"p" * 1000), 0)
        self.client.close()

    def test_workers_with_clients_of_their_own_read_beside_the_parent(self):
        context = multiprocessing.get_context("fork")
        with context.Pool(4) as pool:
            loaded = pool.starmap_async(load, [(self.daemon.socket, self.content)] * 16)
            for _ in range(20):
                self.assertEqual(self.client.read(self.file), self.content)
            self.assertEqual(loaded.get(60), [True] * 16)
        self.client.close()


if __name__ == "__main__":
    hw_test.main("hw_fork_test")
