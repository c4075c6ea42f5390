#!/usr/bin/env python3
"""Runs every part of `forebay bench`, small where it can be: each must end well and give figures.

usage: bench_commands_test.py PROGRAM [unittest's arguments]
"""

import json
import sys
import unittest

import program_test
from program_test import run

COMMANDS = {
    "step": [],
    "cache": [],
    "place": [],
    "fluid": ["--hosts", "1000", "--simgrid-seconds", "1"],
    "scale": ["--hosts", "1000"],
}


class Bench(unittest.TestCase):
    def test_each_part_ends_well_with_figures(self):
        for name, options in COMMANDS.items():
            with self.subTest(part=name):
                ended = run("bench", name, "--json", *options, timeout_s=900)
                self.assertEqual(ended.returncode, 0, ended.stderr)
                self.assertTrue(json.loads(ended.stdout))

    def test_sizes_at_their_limits_and_beyond(self):
        for arguments, code, text in (
                (["scale", "--hosts", ",".join(["2"] * 8)], 0, ""),
                (["scale", "--hosts", ",".join(["2"] * 9)], 2, "at most 8 numbers"),
                (["scale", "--hosts", "1000001"], 2, "from 2 to 1000000"),
                (["fluid", "--simgrid-seconds", "0", "--hosts", ",".join(["2"] * 8)], 0, ""),
                (["fluid", "--hosts", ",".join(["2"] * 9)], 2, "at most 8 sizes"),
                (["fluid", "--hosts", "1000001"], 2, "from 2 to 1000000"),
                (["fluid", "--simgrid-seconds", "0", "--hosts", "2", "--flows-per-host", "64"], 0,
                 ""),
                (["fluid", "--flows-per-host", "65"], 2, "from 1 to 64")):
            ended = run("bench", *arguments)
            self.assertEqual(ended.returncode, code, ended.stderr)
            self.assertIn(text, ended.stderr)

    def test_help_names_each_part(self):
        first = run("bench", "--help").stdout.split("\n", 1)[0]
        self.assertEqual(set(first.split()[3].split("|")), set(COMMANDS))


if __name__ == "__main__":
    program_test.PROGRAM = sys.argv.pop(1)
    unittest.main()
