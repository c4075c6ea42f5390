#!/usr/bin/env python3
"""Shows that bench_real.py works: a short run of all rows gives figures for forebay in each, every
value read was the right one (load looks), and what is missing is named. Judges no figure.

usage: bench_test.py BUILD     exit code 77: no io_uring, no FUSE or no root here
"""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        print("bench_test: skipped: mounts want root and /dev/fuse")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        table, figures = os.path.join(folder, "table.md"), os.path.join(folder, "figures.json")
        ended = subprocess.run(
            [sys.executable, "-B", os.path.join(HERE, "bench_real.py"), sys.argv[1], "--rounds",
             "1", "--seconds", "0.3", "--scale", "0.1", "--table", table, "--json", figures],
            check=False, timeout=600)
        if ended.returncode != 0:
            return ended.returncode
        with open(figures, encoding="utf-8") as file:
            rows = json.load(file)["rows"]
        with open(table, encoding="utf-8") as file:
            text = file.read()
    faults = []
    for row in rows:
        for result in row["contenders"]:
            is_forebay = "forebay" in result["name"]
            if result["figures"] and result["figures"][0]["rate"] > 0:
                continue
            if is_forebay or not result["missing"] or result["missing"] not in text:
                faults.append("%s: %s has no figure" % (row["row"], result["name"]))
    if len(rows) != 6:
        faults.append("%d rows" % len(rows))
    for fault in faults:
        print("bench_test: " + fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
