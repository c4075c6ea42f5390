#!/usr/bin/env python3
"""What one user takes of a daemon leaves room for others: pins, names that are held open, small
files in memory. What `forebay get` may be told to write to. And programs that are started with less
than usual: files that are closed, a limit on the size of files, signals before they are ready.

usage: hw_room_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import os
import random
import signal
import socket
import stat
import struct
import subprocess
import time
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

    def test_closed_output_is_an_error_and_nothing_goes_elsewhere(self):
        """The next file that is opened has the number of one that is closed."""
        for name, size in (("small", 24), ("file", 0)):
            if size > 0:
                self.object(name, size)
            for closed in (">&-", "<&- >&-", "<&- >&- 2>&-"):
                ended = self.shell('"$@" ' + closed, "get", name)
                self.assertEqual(ended.returncode, 1, closed)
                self.assertIn(b"" if "2>" in closed else b"Bad file descriptor", ended.stderr)
        self.assertEqual(self.shell('"$@" <&- >&- 2>&-', "put", self.write("source", b"x"),
                                    "put").returncode, 0)
        self.assertEqual(self.shell('"$@" <&-', "put", "-", "put").returncode, 1)
        self.assertNotIn("level=error", self.daemon.log())
        self.assertEqual(self.get("-"), self.content)

    def shell(self, text, command, *arguments):
        return subprocess.run(["bash", "-c", text, "-", hw_test.program("forebay"), command,
                               "--socket", self.daemon.socket, *arguments], capture_output=True,
                              timeout=60, check=False)


class Started(Case):
    """As a service manager, a shell or a script may start a daemon."""

    def start(self, text, *assignments, name="daemon"):
        return Daemon(self, self.config, *assignments, name=name,
                      wrapper=("bash", "-c", text + '; exec "$@"', "-"))

    def drive(self):
        with open(self.config, "a", encoding="utf-8") as file:
            file.write("metadata: {kind: lmdb, path: %s}\n" % self.path("records"))
        return ("device.path=" + self.path("drive"), "core.device_size=16 MiB")

    def test_with_closed_files_writes_no_log_into_what_it_opens(self):
        config = [hw_test.program("forebayd"), "--config", self.config]
        for assignment in (*self.drive(), "log=debug"):
            config += ["--set", assignment]
        with subprocess.Popen(["bash", "-c", 'exec "$@" <&- >&- 2>&-', "-", *config]) as daemon:
            put = ["put", "--level", "device", "--socket", self.path("socket"), self.config, "a"]
            end = time.monotonic() + 30
            while hw_test.run(hw_test.program("forebay"), *put).returncode != 0:
                self.assertLess(time.monotonic(), end)
            for file in range(3):
                self.assertEqual(os.readlink("/proc/%d/fd/%d" % (daemon.pid, file)), "/dev/null")
            daemon.terminate()
            self.assertEqual(daemon.wait(30), 0)
        for path in (self.path("drive"), self.path("records/data.mdb")):
            with open(path, "rb") as file:
                self.assertNotIn(b"event=", file.read())

    def test_limit_on_the_size_of_files_refuses_what_is_larger_and_ends_nothing(self):
        self.drive()
        daemon = self.start("ulimit -f 6144", "stop_patience=0 s", "client.arena=4 MiB")
        self.addCleanup(daemon.kill)  # what it cannot store stays owed
        daemon.says("event=file_size_limit")
        daemon.says("metadata.size is more")
        small, large = self.write("small", b"1" * 1000), self.write("large", os.urandom(8 << 20))
        self.assertEqual(daemon.forebay("put", small, "small").returncode, 0)
        for level in ("origin", "memory"):
            ended = daemon.forebay("put", "--level", level, large, "large")
            self.assertIsNone(daemon.process.poll(), daemon.log())
            if level == "origin":  # else it is safe, as was asked for, and shown when that helps
                self.assertIn(b"No space left", ended.stderr)
        self.assertEqual(daemon.forebay("get", "small").stdout, b"1" * 1000)
        daemon.kill()
        daemon = self.start("ulimit -f 6144", "stop_patience=0 s", "client.arena=4 MiB",
                            name="again")
        self.addCleanup(daemon.kill)
        self.assertEqual(daemon.forebay("get", "small").stdout, b"1" * 1000)
        time.sleep(2)  # what is owed from before is tried again
        self.assertIsNone(daemon.process.poll(), daemon.log())

    def above(self, arena, text):
        ended = hw_test.run("bash", "-c", 'ulimit -f 6144; exec "$@"', "-",
                            hw_test.program("forebayd"), "--config", self.config,
                            "--set", "device.path=" + self.path("drive"), "--set",
                            "core.device_size=16 MiB", "--set", "client.arena=" + arena)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(text, ended.stderr.split(b"\n")[-2])
        self.assertIn(b"LimitFSIZE", ended.stderr.split(b"\n")[-2])

    def test_files_that_are_made_at_the_start_are_refused_by_name(self):
        self.above("4 MiB", b"device.path")
        self.above("16 MiB", b"client.arena")

    def test_limit_of_a_client_is_an_error_of_its_file(self):
        daemon = Daemon(self, self.config)
        self.object("file", 3 << 20)
        ended = hw_test.run("bash", "-c", 'ulimit -f 1024; exec "$@"', "-",
                            hw_test.program("forebay"), "get", "--socket", daemon.socket, "file",
                            self.path("copy"))
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"File too large", ended.stderr)
        self.assertEqual(os.path.exists(self.path("copy")), False)

    def test_signals_before_it_is_ready_and_of_its_time_are_clean_ends(self):
        os.mkfifo(self.path("late"))  # its config: it waits for it
        with open(self.path("log"), "wb") as output, subprocess.Popen(
                [hw_test.program("forebayd"), "--config", self.path("late")], stderr=output,
                stdout=output) as daemon:
            with open(self.path("late"), "wb") as fifo, open(self.config, "rb") as config:
                daemon.send_signal(signal.SIGTERM)
                fifo.write(config.read())
            self.assertEqual(daemon.wait(30), 0)
        with open(self.path("log"), "rb") as log:
            self.assertIn(b"event=stopped", log.read())
        daemon = Daemon(self, self.config)
        daemon.process.send_signal(signal.SIGXCPU)
        self.assertEqual(daemon.process.wait(30), 0)


if __name__ == "__main__":
    hw_test.main("hw_room_test")
