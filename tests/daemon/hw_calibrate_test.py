#!/usr/bin/env python3
"""forebay calibrate: what it writes is loaded by forebay run as it is, and a run with it says that
no guess of those files is left; mistakes are named.

usage: hw_calibrate_test.py BUILD [unittest's arguments]     exit code 77: no io_uring here
"""

import json
import os
import re
import sys
import unittest

import hw_test
from hw_test import Case, Daemon, run

PARTS = ("hardware", "network", "transport", "origin")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Calibrate(Case):
    def calibrate(self, *arguments):
        return run(hw_test.program("forebay"), "calibrate", *arguments, timeout_s=200)

    def test_files_are_loaded_as_they_are(self):
        writer = Daemon(self, self.config, name="writer")
        reader = Daemon(self, self.config, "client.socket=" + self.path("second"), name="reader")
        ended = self.calibrate("--out", self.path("models"), "--drive", self.path("probe"),
                               "--drive-size", "512 MiB",
                               "--writer", writer.socket, "--reader", reader.socket)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertFalse(os.path.exists(self.path("probe")))
        self.assertEqual(os.listdir(self.path("origin/forebay-calibrate")), [])
        assignments = []
        for part in PARTS:
            assignments += ["--set", "cluster.%s=%s" % (part, self.path("models/%s.yaml" % part))]
        ended = run(hw_test.program("forebay"), "run", "--quiet", "--out", self.path("results"),
                    os.path.join(ROOT, "experiments", "cluster-fan-out-read.yaml"), *assignments)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        with open(self.path("results/manifest.json"), encoding="utf-8") as file:
            manifest = json.load(file)
        self.assertEqual(manifest["guesses"], [])
        self.assert_values_are_sane()
        with open(self.path("models/drive.yaml"), encoding="utf-8") as file:
            self.assertIn("size:\n  value: %d B" % (512 << 20), file.read())

    def assert_values_are_sane(self):
        """Loopback, memory and one core: orders of magnitude that any machine has."""
        values = {}
        for name in PARTS + ("nic", "drive"):
            with open(self.path("models/%s.yaml" % name), encoding="utf-8") as file:
                for key, value in re.findall(r"^(\w+):\n  value: (\d+)", file.read(), re.MULTILINE):
                    values[name + "." + key] = int(value)
        for key, least, most in (("nic.rate", 10**7, 10**12), ("nic.latency", 500, 10**8),
                                 ("hardware.core_step", 5, 10**5),
                                 ("transport.send_message", 100, 10**6),
                                 ("transport.send_mebibyte", 10**3, 10**8),
                                 ("transport.receive_mebibyte", 10**4, 10**8),
                                 ("hardware.digest_rate", 10**8, 10**12),
                                 ("drive.read_rate", 10**5, 10**12),
                                 ("drive.write_latency", 500, 10**9),
                                 ("origin.latency", 1000, 10**9)):
            self.assertGreaterEqual(values[key], least, key)
            self.assertLessEqual(values[key], most, key)

    def test_mistakes_are_named(self):
        for code, text, arguments in (
                (2, b"--out FOLDER", ()),
                (2, b"write HOST:PORT", ("--out", self.path("models"), "--peer", "nowhere")),
                (2, b"go together", ("--out", self.path("models"), "--reader", "x")),
                (1, b"calibrate --listen there first",
                 ("--out", self.path("models"), "--peer",
                  "127.0.0.1:%d" % hw_test.free_ports(1)[0]))):
            ended = self.calibrate(*arguments)
            self.assertEqual(ended.returncode, code, ended.stderr)
            self.assertIn(text, ended.stderr)
        self.assertFalse(os.path.exists(self.path("models")))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    hw_test.BUILD = os.path.abspath(sys.argv.pop(1))
    if not hw_test.has_io_uring():
        print("hw_calibrate_test: skipped: no io_uring here")
        return 77
    return 0 if unittest.main(exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
