#!/usr/bin/env python3
"""Stops daemons and starts them again: SIGTERM drains what was acknowledged, and what was on the
drive before a kill -9 is found there again.

usage: hw_restart_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import os
import random
import signal
import subprocess

import hw_test
from hw_test import Case, Daemon


class Stop(Case):
    """SIGTERM while a client writes: half of its file is acknowledged, the rest is to come."""

    def start(self, *assignments):
        self.content = random.Random(7).randbytes(2 << 20)
        self.daemon = Daemon(self, self.config, *assignments)
        self.put = subprocess.Popen(
            [hw_test.program("forebay"), "put", "--socket", self.daemon.socket, "--level", "memory",
             "-", "data"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.put.communicate)
        self.addCleanup(self.put.kill)
        self.put.stdin.write(self.content[:1 << 20])
        self.put.stdin.flush()
        self.daemon.wait_until(lambda: int(self.daemon.status().get("writes", 0)) >= 1)
        self.daemon.process.send_signal(signal.SIGTERM)
        self.daemon.wait_until(lambda: "event=stopping" in self.daemon.log())

    def finish(self, rest=b""):
        text = self.put.communicate(rest, timeout=30)[1]
        return self.put.returncode, text

    def test_file_that_is_written_is_finished_and_nothing_is_begun(self):
        self.start()
        self.assertEqual(self.daemon.forebay("get", "data").returncode, 1)
        self.assertIsNone(self.daemon.process.poll())
        self.assertEqual(self.finish(self.content[1 << 20:]), (0, b""))
        self.assertEqual(self.daemon.process.wait(30), 0, self.daemon.log())
        with open(self.path("origin/data"), "rb") as file:
            self.assertEqual(file.read(), self.content)

    def test_acknowledged_bytes_that_are_left_are_an_error(self):
        self.start("core.drain_delay=600 s", "stop_patience=100 ms")
        self.assertEqual(self.daemon.process.wait(30), 1, self.daemon.log())
        self.daemon.says("acknowledged bytes that are not at the origin")
        self.assertEqual(self.finish()[0], 1)
        self.assertFalse(os.path.exists(self.path("origin/data")))

    def test_second_signal_ends_it_at_once(self):
        self.start("stop_patience=600 s")
        self.daemon.process.send_signal(signal.SIGTERM)
        self.assertIn(self.daemon.process.wait(30), (0, 1))
        self.assertEqual(self.finish()[0], 1)


class Restarts(Case):
    """The drive's blocks are there again after a kill -9, and only what was really written."""

    def start(self, *assignments, name="daemon"):
        return Daemon(self, self.config, "device.path=" + self.path("image"),
                      "core.device_size=32 MiB", *assignments, name=name)

    def filled(self):
        """A drive with an object's blocks, and a daemon that was killed."""
        self.content = self.object("data", 12 << 20)
        daemon = self.start()
        self.assertEqual(daemon.forebay("get", "data").stdout, self.content)
        daemon.wait_until(lambda: int(daemon.status()["device_writes"]) >= 48)
        daemon.kill()

    def read_again(self, *assignments):
        daemon = self.start(*assignments, name="second")
        self.assertEqual(daemon.forebay("get", "data").stdout, self.content)
        return daemon.status()

    def test_what_was_read_before_a_kill_is_read_from_the_drive(self):
        self.filled()
        status = self.read_again()
        self.assertGreaterEqual(int(status["recovered"]), 47)  # the last may not have ended
        self.assertLessEqual(int(status["origin_fetches"]), 1)
        self.assertGreaterEqual(int(status["replies_device"]), 47)
        self.assertEqual(int(status["digest_errors"]), 0)

    def test_bytes_that_changed_meanwhile_are_not_served(self):
        self.filled()
        with open(self.path("image"), "r+b") as image:
            for offset in range(0, 32 << 20, 1 << 20):
                image.seek(offset)
                image.write(b"damage")
        status = self.read_again()
        self.assertGreater(int(status["digest_errors"]), 0)

    def test_damaged_table_is_as_good_as_none_while_nothing_was_owed(self):
        self.filled()
        size = os.path.getsize(self.path("image"))
        with open(self.path("image"), "r+b") as image:
            for offset in range(33 << 20, size, 24):
                image.seek(offset)
                image.write(b"\x55")
        status = self.read_again()
        self.assertEqual(int(status["recovered"]), 0)
        self.assertEqual(int(status["digest_errors"]), 0)

    def test_other_geometry_begins_empty_while_nothing_is_owed(self):
        self.filled()
        status = self.read_again("core.device_size=31 MiB")
        self.assertEqual(int(status["recovered"]), 0)
        with open(self.path("second.log"), encoding="utf-8") as log:
            text = log.read()
        self.assertIn("event=headers_open new=1", text)
        self.assertIn("event=device_formed", text)

    def test_changed_object_is_read_from_the_origin(self):
        self.filled()
        self.content = self.object("data", (12 << 20) + 1)
        self.assertGreaterEqual(int(self.read_again()["origin_fetches"]), 48)


class Owed(Case):
    """What the drive owes outlasts a start with any settings and any damage, or it is refused in
    one line that says how many bytes are owed and what to do."""
    SIZE = 5 * 256 << 10

    def start(self, *assignments, options=(), name="daemon"):
        return Daemon(self, self.config, *self.settings(*assignments), options=options, name=name)

    def settings(self, *assignments):
        return ("device.path=" + self.path("image"), "core.device_size=32 MiB",
                "metadata.kind=lmdb", "metadata.path=" + self.path("records")) + assignments

    def owe(self):
        """Blocks of level device whose daemon was killed before they were at the origin."""
        self.content = os.urandom(self.SIZE)
        daemon = self.start("core.drain_delay=600 s")
        source = self.write("source", self.content)
        ended = daemon.forebay("put", "--level", "device", source, "a/b")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(daemon.status()["device_owed_bytes"], str(self.SIZE))
        daemon.kill()

    def refused(self, part, *assignments):
        arguments = []
        for assignment in self.settings(*assignments):
            arguments += ["--set", assignment]
        before = hw_test.run("md5sum", self.path("image")).stdout
        ended = hw_test.run(hw_test.program("forebayd"), "--config", self.config, *arguments)
        lines = [line for line in ended.stderr.decode().split("\n") if "forebayd:" in line]
        self.assertEqual((ended.returncode, len(lines)), (1, 1), ended.stderr)
        self.assertIn(part, lines[0])
        self.assertEqual(hw_test.run("md5sum", self.path("image")).stdout, before)
        return lines[0]

    def is_stored(self):
        path = self.path("origin/a/b")
        if not os.path.exists(path):
            return False
        with open(path, "rb") as file:
            return file.read() == self.content

    def test_changed_settings_are_refused_until_it_is_drained(self):
        self.owe()
        owed = "%d bytes are owed" % self.SIZE
        for change in ("core.device_size=16 MiB", "core.device_size=64 MiB",
                       "core.block_size=512 KiB", "node=1", "cluster=other", "core.recover=false"):
            with self.subTest(change=change):
                self.assertIn("--discard-owed", self.refused(owed, change))
        self.assertFalse(self.is_stored())
        daemon = self.start(options=("--drain",), name="drain")
        self.assertEqual(daemon.process.wait(60), 0, daemon.log())
        daemon = self.start("core.device_size=16 MiB", name="resized")
        daemon.wait_until(self.is_stored)  # by the name's record, which is not the drive's

    def test_discarding_is_asked_for_and_logged(self):
        self.owe()
        daemon = self.start("core.device_size=16 MiB", options=("--discard-owed",))
        daemon.says_like("event=owed_discarded .*blocks=5 bytes=%d" % self.SIZE)
        daemon.wait_until(lambda: daemon.status()["unfinished_names"] == "1")
        self.assertEqual(daemon.stop(), 1)  # its name is left, and nobody can finish it

    def test_discarding_keeps_what_these_settings_can(self):
        self.owe()
        daemon = self.start(options=("--discard-owed",))
        daemon.wait_until(self.is_stored)
        self.assertNotIn("event=owed_discarded", daemon.log())

    def test_damaged_copies_are_made_again_and_counted(self):
        self.owe()
        with open(self.path("image"), "r+b") as image:
            image.write(b"damage")  # the first head
            image.seek(33 << 20)  # the first table
            image.write(b"damage" * 1000)
        daemon = self.start()
        status = daemon.status()
        self.assertEqual(status["device_heads_mended"], "1")
        self.assertGreater(int(status["device_headers_mended"]), 64)
        daemon.says("level=warning node=0 event=headers_open")
        daemon.wait_until(self.is_stored)

    def test_file_cut_short_is_refused(self):
        self.owe()
        os.truncate(self.path("image"), 8 << 20)
        self.refused("headers are damaged in both copies")

    def test_names_of_many_objects_are_kept_in_a_small_table(self):
        """More owed objects than there are slots for names: writers hear BUSY and wait, and after
        a kill all are stored."""
        objects, names = 18, 16
        setting = "objects_max=%d" % names
        daemon = self.start(setting, "core.drain_delay=600 s")
        put = [number for number in range(objects)
               if daemon.forebay("put", "--level", "device",
                                 self.write("source", b"%d" % number), "n%d" % number
                                 ).returncode == 0]
        self.assertGreaterEqual(len(put), names - 2)
        daemon.kill()
        daemon = self.start(setting, name="second")
        daemon.wait_until(lambda: all(os.path.exists(self.path("origin/n%d" % n)) for n in put))
        self.assertNotIn("event=name_lost", daemon.log())


class Paths(Case):
    """What cannot be a drive is said in one line, and is not changed."""

    def refused(self, part, path, *assignments):
        arguments = ["--set", "device.path=" + path, "--set", "core.device_size=1 MiB"]
        for assignment in assignments:
            arguments += ["--set", assignment]
        ended = hw_test.run(hw_test.program("forebayd"), "--config", self.config, *arguments)
        lines = ended.stderr.decode().strip().split("\n")
        self.assertEqual((ended.returncode, len(lines)), (1, 1), lines)
        self.assertIn(part, lines[0])
        self.assertIn(path, lines[0])

    def test_other_kinds_of_files_are_refused(self):
        os.mkfifo(self.path("fifo"))
        self.refused("is a FIFO", self.path("fifo"))
        self.refused("is a folder", self.path("origin"))
        self.refused("is a character device", "/dev/zero")
        self.refused("No such file", self.path("none/image"))

    def test_file_of_other_bytes_is_refused(self):
        content = b"#!/bin/sh\n" * 1000
        path = self.write("script", content)
        self.refused("holds something", path)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), content)

    def test_file_of_another_daemon_is_refused(self):
        path = self.path("image")
        daemon = Daemon(self, self.config, "device.path=" + path, "core.device_size=1 MiB")
        self.refused("in use by another forebayd", path)
        os.link(path, self.path("link"))
        self.refused("in use by another forebayd", self.path("link"))
        self.assertEqual(daemon.stop(), 0)
        self.refused("drive of node 0 of cluster test", path, "node=1")


if __name__ == "__main__":
    hw_test.main("hw_restart_test")
