#!/usr/bin/env python3
"""What one user takes of a daemon leaves room for others: pins, names that are held open, small
files in memory. And what `forebay get` may be told to write to.

usage: hw_room_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import os
import random
import socket
import stat
import struct
import subprocess
import unittest

import hw_test
from hw_test import Case, Daemon


class Pins(Case):
    def test_pins_beyond_three_quarters_are_refused_at_once_and_reads_go_on(self):
        daemon = Daemon(self, self.config, "core.memory_size=4 MiB")  # 16 blocks
        for name in ("first", "second", "read"):
            self.object(name, (5 << 19) + len(name))  # 11 blocks
        self.assertEqual(daemon.forebay("pin", "--seconds", "60", "first").returncode, 0)
        refused = daemon.forebay("pin", "--seconds", "60", "second")
        self.assertEqual(refused.returncode, 1)
        self.assertIn(b"three quarters", refused.stderr)
        self.assertEqual(daemon.forebay("get", "read", self.path("copy")).returncode, 0)
        before = daemon.status()["replies_memory"]
        self.assertEqual(daemon.forebay("get", "first", self.path("copy")).returncode, 0)
        self.assertEqual(int(daemon.status()["replies_memory"]) - int(before), 11)


class SmallFiles(Case):
    def test_as_many_stay_in_memory_as_fit_by_bytes(self):
        daemon = Daemon(self, self.config, "core.memory_size=64 MiB", "core.block_size=4 MiB")
        names = ["small%d" % i for i in range(300)]
        for name in names:  # 300 files of 2 units of 64 KiB: 37.5 MiB
            self.object(name, 100000)
        mount = daemon.mount(self)
        for _ in range(2):
            before = int(daemon.status()["replies_memory"])
            for name in random.Random(1).sample(names, len(names)):
                with open(os.path.join(mount, name), "rb") as file:
                    self.assertEqual(len(file.read()), 100000)
        self.assertGreaterEqual(int(daemon.status()["replies_memory"]) - before, 300)


class Opens(Case):
    CREATE, HELLO = 7, 1

    def ask(self, connection, kind, name=b""):
        """One request over the local socket; the reply's status."""
        connection.send(struct.pack("<IIQQQIIII", 2, kind, 1, 0, 0, 0, len(name), 0, 0) + name)
        reply, files, _, _ = socket.recv_fds(connection, 1 << 17, 8)
        for file in files:
            os.close(file)
        return struct.unpack_from("<I", reply, 16)[0]

    def test_names_held_by_some_leave_room_for_others(self):
        daemon = Daemon(self, self.config, "objects_max=1024")
        content = self.object("file", 300000)
        holders, held = [], 0
        for i in range(3):
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.addCleanup(connection.close)
            connection.connect(daemon.socket)
            self.assertEqual(self.ask(connection, self.HELLO), 0)
            holders.append(connection)
            name, status = 0, 0
            while status == 0 and name < 1100:
                status = self.ask(connection, self.CREATE, b"held/%d/%d" % (i, name))
                held += status == 0
                name += 1
            self.assertNotEqual(status, 0, "one client may hold all names")
        self.assertLessEqual(held, 512)
        self.assertEqual(daemon.forebay("get", "file", self.path("copy")).returncode, 0)
        with open(self.path("copy"), "rb") as file:
            self.assertEqual(file.read(), content)


class Targets(Case):
    def setUp(self):
        super().setUp()
        self.daemon = Daemon(self, self.config)
        self.content = self.object("file", 300000)

    def get(self, target):
        ended = self.daemon.forebay("get", "file", target)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def test_dash_is_standard_output(self):
        self.assertEqual(self.get("-"), self.content)
        self.assertFalse(os.path.exists("-"))

    def test_fifo_is_written_to_and_stays_one(self):
        os.mkfifo(self.path("fifo"))
        with open(self.path("read"), "wb") as output:
            reader = subprocess.Popen(["cat", self.path("fifo")], stdout=output)
        self.get(self.path("fifo"))
        self.assertEqual(reader.wait(30), 0)
        self.assertEqual(self.read("read"), self.content)
        self.assertTrue(stat.S_ISFIFO(os.lstat(self.path("fifo")).st_mode))

    @unittest.skipIf(os.geteuid() != 0, "only root makes devices")
    def test_device_is_written_to_and_stays_one(self):
        os.mknod(self.path("null"), 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        self.get(self.path("null"))
        self.assertTrue(stat.S_ISCHR(os.lstat(self.path("null")).st_mode))

    def test_link_stays_and_its_file_has_the_bytes_whether_it_was_there_or_not(self):
        self.write("real", b"before")
        for name in ("real", "not-there-yet"):
            os.symlink(name, self.path("to-" + name))
            self.get(self.path("to-" + name))
            self.assertTrue(os.path.islink(self.path("to-" + name)))
            self.assertEqual(self.read(name), self.content)

    def test_mode_of_a_file_that_was_there_stays(self):
        self.write("secret", b"before")
        os.chmod(self.path("secret"), 0o600)
        self.get(self.path("secret"))
        self.assertEqual(os.stat(self.path("secret")).st_mode & 0o777, 0o600)
        self.assertEqual(self.read("secret"), self.content)

    def test_folder_is_refused(self):
        os.mkdir(self.path("folder"))
        self.assertEqual(self.daemon.forebay("get", "file", self.path("folder")).returncode, 1)
        self.assertEqual(os.listdir(self.path("folder")), [])


if __name__ == "__main__":
    hw_test.main("hw_room_test", at_once=2)
