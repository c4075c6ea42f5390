#!/usr/bin/env python3
"""The folders of the sources and what each is for, as docs/architecture.md shows them: the words
stand in the table below, which folders there are is looked up.

usage: folders.py [--write]     prints the block, or puts it into docs/architecture.md
"""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "docs", "architecture.md")
PURPOSE = {
    "base": "the ground floor: errors, memory, documents, units, files; stands on nothing of ours",
    "client": "libforebay: forebay.h and what is behind it",
    "client/fuse": "forebay mount",
    "client/protocol": "what clients and daemon share: requests, the ring, attributes",
    "cli": "the program: what its commands share",
    "cli/bench": "forebay bench and calibrate",
    "cli/commands": "main, and the subcommands, one file each",
    "cli/help": "the one table of help, settings, man page, completion",
    "cli/run": "folders, jobs and options of forebay run; replay",
    "core": "the cache brain; io.h is its contract",
    "core/index": "which block is where: hash, eviction policies, extents, timers",
    "core/name": "what a name means and when it is visible",
    "core/node": "one event in, ops out; what others may ask of a node",
    "core/place": "who is a member, and the table that says who owns what",
    "core/read": "get, fill, attempt, serve, match, gather, search",
    "core/state": "what a node consists of: records, ids, the step being made",
    "core/tier": "memory, device, tenants, chains, fragments, drive headers",
    "core/write": "put, hold, drain, recover, erasure code, stand-ins",
    "docs": "what you read", "experiments": "one YAML a question; results of long runs",
    "hw": "the real driver: forebayd",
    "hw/base": "settings, addresses, log, io_uring, worker threads",
    "hw/doctor": "what forebay doctor looks at",
    "hw/drive": "the node's drive and its tables of headers",
    "hw/examples": "configs to begin with",
    "hw/local": "this machine's clients",
    "hw/loop": "the loop that feeds the core",
    "hw/measure": "what forebay calibrate measures",
    "hw/meta": "stores of records, members, names",
    "hw/net": "peers: frames, TCP, TLS",
    "hw/ops": "metrics, health, status",
    "hw/origin": "folder, S3, Azure",
    "models": "what things are and cost: YAML, every number with its source",
    "models/scenario": "an experiment, read and checked",
    "models/trace": "readers of traces",
    "packaging": "what is installed, and the packages",
    "results": "folders of results and reports",
    "sim": "the simulated driver",
    "sim/clients": "training, checkpoints, fan-out, KV, overwrites",
    "sim/engine": "clock, timers, transfers; SimGrid or plain; stations",
    "sim/fluid": "the network of many coupled flows",
    "sim/swarm": "whole clusters under drawn faults",
    "sim/swarm/oracle": "what judges them, from outside",
    "sim/trace": "traces for people: names, and the reason of each decision",
    "sim/world": "nodes, drives, origin, store; ops become work",
    "tests": "one folder a subject",
}
NO_SOURCES = ("docs", "experiments", "models", "packaging", "tests", "hw/examples")


def folders():
    names = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True,
                           check=True).stdout.split("\n")
    found = {os.path.dirname(name) for name in names if name.endswith((".c", ".h", ".cpp"))}
    found = {name for name in found if name.split("/")[0] not in ("tests", "packaging")}
    return sorted(found | {name for name in NO_SOURCES if os.path.isdir(os.path.join(ROOT, name))})


def block():
    lines = []
    for name in folders():
        shown = "  " * name.count("/") + os.path.basename(name) + "/"
        lines.append(f"{shown:18}{PURPOSE.get(name, '?')}")
    return "\n".join(lines) + "\n"


def parts(text):
    begin = text.index("```\n") + 4
    return text[:begin], text[begin:text.index("```", begin)], text[text.index("```", begin):]


def main():
    if "--write" not in sys.argv:
        print(block(), end="")
        return
    with open(PAGE, encoding="utf-8") as page:
        before, _, after = parts(page.read())
    with open(PAGE, "w", encoding="utf-8") as page:
        page.write(before + block() + after)


if __name__ == "__main__":
    main()
