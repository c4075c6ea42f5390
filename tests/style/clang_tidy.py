#!/usr/bin/env python3
"""Runs clang-tidy with .clang-tidy over each source of the build but the tests'.

usage: clang_tidy.py BUILD     exit code 77: there is no clang-tidy (apt-get install clang-tidy)
"""

import concurrent.futures
import json
import os
import shutil
import subprocess
import sys


def main(build):
    program = shutil.which("clang-tidy")
    if program is None:
        print("skipped: there is no clang-tidy here: apt-get install clang-tidy")
        return 77
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        files = sorted({entry["file"] for entry in json.load(file)
                        if entry["file"].endswith(".c") and "/tests/" not in entry["file"]})
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        ended = list(pool.map(lambda path: subprocess.run(
            [program, "-p", build, "--quiet", path], capture_output=True, text=True, check=False),
            files))
    failed = [one for one in ended if one.returncode != 0]
    for one in failed:
        print(one.stdout + one.stderr)
    print(f"{len(files)} files, {len(failed)} with findings")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
