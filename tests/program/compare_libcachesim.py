#!/usr/bin/env python3
"""Compares the hits of `forebay replay` with libCacheSim's, policy by policy.

usage: compare_libcachesim.py [--forebay PROGRAM] [--tolerance SHARE] TRACE CAPACITY...

TRACE: JSON lines with hash_ids. CAPACITY: blocks; all blocks count as one unit.
FIFO, LRU, CLOCK, SIEVE and S3-FIFO must give the very same number of hits. W-TinyLFU must come
within the tolerance: the two differ in their sketch, its sample and its ageing.
Exit code: 0 they agree, 1 they do not, 77 libcachesim is not installed (pip install libcachesim).
"""

import argparse
import json
import struct
import subprocess
import sys
import tempfile

try:
    import libcachesim
except ImportError:
    print("libcachesim is not installed: pip install libcachesim")
    sys.exit(77)

POLICIES = {
    "fifo": libcachesim.FIFO,
    "lru": libcachesim.LRU,
    "clock": libcachesim.Clock,
    "sieve": libcachesim.Sieve,
    "s3fifo": libcachesim.S3FIFO,
    "wtinylfu": libcachesim.WTinyLFU,
}


def blocks_of(path):
    with open(path, encoding="utf-8") as file:
        return [block for line in file if line.strip() for block in json.loads(line)["hash_ids"]]


def theirs(path, policy, capacity, references):
    reader = libcachesim.TraceReader(path, libcachesim.TraceType.ORACLE_GENERAL_TRACE)
    miss_ratio, _ = POLICIES[policy](capacity).process_trace(reader)
    return round((1 - miss_ratio) * references)


def ours(program, trace, capacity):
    command = [program, "replay", "--policy", "all", "--capacity-blocks", str(capacity), "--json"]
    answer = subprocess.run(command + [trace], capture_output=True, check=True)
    return {row["policy"]: row["block_hits"] for row in json.loads(answer.stdout)["policies"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--forebay", default="build/forebay")
    parser.add_argument("--tolerance", type=float, default=0.05, help="of all references")
    parser.add_argument("trace")
    parser.add_argument("capacities", nargs="+", type=int)
    arguments = parser.parse_args()
    blocks = blocks_of(arguments.trace)
    is_fine = True
    with tempfile.NamedTemporaryFile(suffix=".oracleGeneral") as file:
        for i, block in enumerate(blocks):
            file.write(struct.pack("<IQIq", i // 1000, block, 1, -1))
        file.flush()
        print(f"{'policy':10} {'capacity':>10} {'forebay':>10} {'libCacheSim':>12} {'apart':>8}")
        for capacity in arguments.capacities:
            hits = ours(arguments.forebay, arguments.trace, capacity)
            for policy in POLICIES:
                other = theirs(file.name, policy, capacity, len(blocks))
                apart = abs(hits[policy] - other) / len(blocks)
                is_same = apart <= (arguments.tolerance if policy == "wtinylfu" else 0)
                is_fine = is_fine and is_same
                print(f"{policy:10} {capacity:10} {hits[policy]:10} {other:12} {apart:8.2%}"
                      f"{'' if is_same else '  DIFFERENT'}")
    return 0 if is_fine else 1


if __name__ == "__main__":
    sys.exit(main())
