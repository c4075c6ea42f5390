#!/usr/bin/env python3
"""Proves that skipped tests are counted and named with their reasons, and that a run in which
none of the needed tests ran fails, also when they are not there."""

import os
import subprocess
import sys
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "skipped.py")
RAN = '<testcase name="{}" status="run"><system-out>fine</system-out></testcase>'
SKIPPED = ('<testcase name="{}" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>'
           "<system-out>{}</system-out></testcase>")


def look(cases, *options):
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write("<testsuite>" + "".join(cases) + "</testsuite>")
        file.flush()
        return subprocess.run([sys.executable, SCRIPT, file.name, *options], text=True,
                              stdout=subprocess.PIPE, check=False)


class Skipped(unittest.TestCase):
    def test_skipped_tests_are_counted_with_their_reasons(self):
        done = look([RAN.format("tidy"), SKIPPED.format("hw_mount", "first\nno FUSE here\n\n"),
                     SKIPPED.format("layout", "")])
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout, "skipped: 2 of 3 tests\n  hw_mount: no FUSE here\n"
                                      "  layout: SKIP_RETURN_CODE=77\n")

    def test_needed_tests_that_were_all_skipped_fail(self):
        done = look([RAN.format("tidy"), SKIPPED.format("hw_mount", "no io_uring")], "--need",
                    "^hw")
        self.assertEqual(done.returncode, 1)
        self.assertIn("none of the 1 tests", done.stdout)

    def test_needed_tests_that_are_not_there_fail(self):
        self.assertEqual(look([RAN.format("tidy")], "--need", "^hw").returncode, 1)

    def test_one_needed_test_that_ran_is_enough(self):
        done = look([RAN.format("hw"), SKIPPED.format("hw_mount", "no FUSE")], "--need", "^hw")
        self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
