#!/usr/bin/env python3
"""Runs clang-tidy with .clang-tidy over each source of the build but the tests'.

usage: clang_tidy.py BUILD     exit code 77: there is no clang-tidy (apt-get install clang-tidy)
"""

import shutil
import subprocess
import sys

import built


def main(build):
    program = shutil.which("clang-tidy")
    if program is None:
        print("skipped: there is no clang-tidy here: apt-get install clang-tidy")
        return 77
    return built.look_at_each(lambda path: subprocess.run(
        [program, "-p", build, "--quiet", path], capture_output=True, text=True, check=False),
        sorted(built.sources(build)), "findings")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
