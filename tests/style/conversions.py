#!/usr/bin/env python3
"""Compiles each source of the build but the tests', to nothing, with the warnings that gcc has for
values that change with their type and for enumerations that a switch leaves out: there are none.

usage: conversions.py BUILD     exit code 77: the build is not by gcc
"""

import re
import subprocess
import sys

import built

WARNINGS = " -fsyntax-only -Wconversion -Wswitch-enum -Werror -c "


def check(entry):
    command = re.sub(r" -o \S+", "", entry["command"]).replace(" -c ", WARNINGS)
    return subprocess.run(command.replace("ccache ", "", 1), shell=True, cwd=entry["directory"],
                          capture_output=True, text=True, check=False)


def main(build):
    entries = built.sources(build)
    compiler = next(iter(entries.values()))["command"].replace("ccache ", "").split()[0]
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True,
                             check=False).stdout
    if "Free Software Foundation" not in version:
        print("skipped: the build is not by gcc: " + version.split("\n", 1)[0])
        return 77
    return built.look_at_each(check, entries.values(), "warnings")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
