#!/usr/bin/env python3
"""Stops daemons and starts them again: SIGTERM drains what was acknowledged, and what was on the
drive before a kill -9 is found there again.

usage: hw_restart_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import os
import random
import signal
import subprocess
import sys
import unittest

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
        self.assertIn("acknowledged bytes that are not at the origin", self.daemon.log())
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

    def test_damaged_table_is_as_good_as_none(self):
        self.filled()
        size = os.path.getsize(self.path("image"))
        with open(self.path("image"), "r+b") as image:
            for offset in range((32 << 20) + 4096, size, 24):
                image.seek(offset)
                image.write(b"\x55")
        status = self.read_again()
        self.assertEqual(int(status["recovered"]), 0)
        self.assertEqual(int(status["digest_errors"]), 0)

    def test_other_geometry_or_cluster_begins_empty(self):
        self.filled()
        status = self.read_again("cluster=other")
        self.assertEqual(int(status["recovered"]), 0)
        with open(self.path("second.log"), encoding="utf-8") as log:
            self.assertIn("event=headers_open new=1", log.read())

    def test_changed_object_is_read_from_the_origin(self):
        self.filled()
        self.content = self.object("data", (12 << 20) + 1)
        self.assertGreaterEqual(int(self.read_again()["origin_fetches"]), 48)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    hw_test.BUILD = os.path.abspath(sys.argv.pop(1))
    if not hw_test.has_io_uring():
        print("hw_restart_test: skipped: no io_uring here")
        sys.exit(77)
    unittest.main(verbosity=1)
