#!/usr/bin/env python3
"""Four forebayd and etcd in network namespaces under random real faults: kill -9, SIGSTOP, walls in
the network, full drives and a full origin, their times of day apart, while clients use names as
registers. Every operation and what was heard of it is judged when all is healed.

usage: register_test.py BUILD [--seed N] [--seconds N] [--faults none|KIND,...] [--keep FOLDER]
                        [--keep-all] [--clocks SECONDS]

--keep-all: no names are removed.
--clocks: how far each node's time of day may be from the true one, either way; 3600 if not said.

What is promised, and so demanded:
  1. An open looks its name up in the store first, and sees each commit that was answered before
     (hw/meta/names.h, 1; core/io.h, R14); a commit takes effect only over the version that its
     writer saw when it began (hw/meta/names.h, 2; client/forebay.h, forebay_file_commit). So names
     are linearizable registers, and a swap (create, read, commit) finds what it read.
  2. Only while a node does not hear the store a name means there what it meant when that node
     looked it up last (hw/meta/names.h, 5): a read at such a time may be as old as that, and no
     older, and never goes back (history.excuse). Writes get no such leave.
  3. A file is one version, whole (client/forebay.h): every byte of a read is compared.
  4. Acknowledged bytes are kept: at level device through any number of kills, at level replicated
     (two copies) while one node dies (sim/swarm/oracle/swarm_durable.c). The seed draws which.
  5. An error but "unknown" ones means that nothing was changed: client.c, 3.
  6. When all is healed, each client that lived through it reads and writes each name within
     HEAL_S; every node then reads the newest version of each name, and so the origin shows it.

exit code 77: no namespaces, nft, loop devices, etcd or io_uring to be had
"""

import argparse
import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "daemon"), os.path.join(TESTS, "cluster")]

import history  # noqa: E402
import hw_test  # noqa: E402
from cluster import Failed, run  # noqa: E402
from faults import Faults  # noqa: E402
from machines import NODES, TRIES, Machines, clock_library  # noqa: E402
from network import Network, Unavailable  # noqa: E402

CLIENTS_A_NODE, NAMES = 2, 8
CLOCKS_S = 3600
REPLICATED, DEVICE, ORIGIN = 1, 2, 3
HEAL_S = 90
WORD = (1 << 64) - 1


class Clients:
    """The client processes, and where their lines are."""

    def __init__(self, machines, arguments, level):
        self.machines, self.seed, self.level = machines, arguments.seed, level
        self.more = [] if arguments.keep_all else ["remove"]
        self.started = []  # (process, number, node)
        self.alive = []

    def start(self, node, level=None):
        number = len(self.started) + 1
        level = level or (ORIGIN if number % (NODES * CLIENTS_A_NODE) == 0 else self.level)
        with open(self.path(number), "ab") as lines:
            process = subprocess.Popen(
                [self.machines.program("register_client"), self.machines.path("%d.sock" % node),
                 str(number), str(self.seed), str(NAMES), str(level)] + self.more,
                stdin=subprocess.PIPE, stdout=lines)
        self.started.append((process, number, node))
        self.alive.append(self.started[-1])

    def path(self, number):
        return self.machines.path("client%d.history" % number)

    def start_all(self):
        for node in range(NODES):
            for _ in range(CLIENTS_A_NODE):
                self.start(node)

    def kill(self, chance):
        """One dies in the middle of something; another takes its place."""
        victim = chance.choice(self.alive)
        self.alive.remove(victim)
        victim[0].kill()
        victim[0].wait()
        victim[0].stdin.close()
        self.start(victim[2])

    def look(self):
        for process, number, node in self.alive:
            if process.poll() is not None:
                with open(self.path(number), encoding="utf-8") as file:
                    last = file.read().strip().split("\n")[-1]
                raise Failed("client %d at node %d ended with %d: %s" % (
                    number, node, process.returncode, last))

    def wait(self):
        """Lets each that is alive do its last reads and writes."""
        end = time.monotonic() + HEAL_S
        for process, _, _ in self.alive:
            process.stdin.close()
        for process, number, node in self.alive:
            try:
                code = process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                with open(self.path(number), encoding="utf-8") as file:
                    lines = file.read().strip().split("\n")[-6:]
                raise Failed("client %d at node %d does not get on %d s after all is healed:\n%s\n"
                             "%s" % (number, node, HEAL_S, "\n".join(lines),
                                     self.machines.log(node)[-3000:])) from None
            if code != 0:
                self.look()
        self.alive = []

    def operations(self):
        operations, wrong = [], []
        for _, number, node in self.started:
            own, own_wrong = history.read_file(self.path(number), number, node)
            operations += own
            wrong += own_wrong
        return operations, wrong

    def close(self):
        for process, _, _ in self.alive:
            process.kill()
            process.wait()


def mix(word):
    """core/key.h, fb_mix."""
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9 & WORD
    word = (word ^ word >> 27) * 0x94d049bb133111eb & WORD
    return word ^ word >> 31


def content(value, size):
    """client.c, fill."""
    words = [value if i % 16 == 0 else mix(mix(value) + i & WORD) for i in range(0, size, 8)]
    return b"".join(word.to_bytes(8, "little") for word in words)[:size]


def wait_finished(machines):
    """Until no daemon has a name that the origin does not show yet."""
    end = time.monotonic() + HEAL_S
    for node in range(NODES):
        text = "unfinished_names ?"
        while "unfinished_names 0\n" not in text:
            if time.monotonic() > end:
                raise Failed("node %d has unfinished names %d s after all is healed:\n%s%s" % (
                    node, HEAL_S, text, machines.log(node)[-3000:]))
            text = run(machines.program("forebay"), "status", "--socket",
                       machines.path("%d.sock" % node)).decode()
            time.sleep(0.05)


def origin_faults(machines, operations):
    """What the origin shows, beside the newest version of each name."""
    lines = []
    for index in range(NAMES):
        name = "register/%d" % index
        reads = [one for one in operations if one.name == name and one.kind == "read"]
        value = max(reads, key=lambda one: one.call_ns).value
        path = machines.path("origin/objects/" + name)
        found = b""
        if os.path.exists(path):
            with open(path, "rb") as file:
                found = file.read()
        if len(found) < 8 or found != content(value, len(found)):
            lines.append("%s at the origin is not %x: %d bytes that begin with %s" % (
                name, value, len(found), found[:8].hex()))
    return lines


def table(operations, counts):
    outcomes = ("ok", "failed", "unknown")
    lines = ["| faults | injected |", "|---|---|"]
    lines += ["| %s | %d |" % pair for pair in counts.items()]
    lines += ["", "| operations | ok | failed | unknown | longest |", "|---|---|---|---|---|"]
    for kind in ("read", "write", "swap", "remove"):
        own = [one for one in operations if one.kind == kind]
        numbers = tuple(sum(one.outcome == outcome for one in own) for outcome in outcomes)
        longest = max((one.back_ns - one.call_ns for one in own
                       if one.back_ns < history.FOREVER), default=0)
        lines.append("| %s | %d | %d | %d | %.1f s |" % ((kind,) + numbers + (longest / 1e9,)))
    errors = collections.Counter("%s %s: %s" % (one.kind, one.outcome, os.strerror(one.error))
                                 for one in operations if one.error != 0)
    return "\n".join(lines + [""] + ["%s: %d" % pair for pair in sorted(errors.items())])


def judge(machines, clients):
    """Returns operations, and lines about what is wrong."""
    operations, wrong = clients.operations()
    excused = history.excuse(operations, machines.silences(), TRIES, machines.starts)
    began_s = time.monotonic()
    wrong += history.check(operations)
    print("%d operations, %d reads while the store was silent; judged in %.1f s" % (
        len(operations), excused, time.monotonic() - began_s))
    return operations, wrong


def clocks(chance, most_s):
    """Seconds that each node's time of day is ahead; one is right, one is as wrong as may be."""
    if most_s > 0 and clock_library() is None:
        print("clocks: all the same, as there is no libfaketime here")
        most_s = 0
    drawn = [0, chance.choice((-most_s, most_s))]
    drawn += [chance.randint(-most_s, most_s) for _ in range(NODES - len(drawn))]
    chance.shuffle(drawn)
    print("clocks ahead by %s s" % drawn)
    return drawn


def play(arguments, network, folder):
    """Returns lines about what is wrong."""
    chance = random.Random(arguments.seed)
    level = chance.choice((REPLICATED, DEVICE))
    victims = [chance.randrange(NODES)] if level == REPLICATED else range(NODES)
    delay_ms = chance.choice((1, 100, 1000))
    print("level %s, nodes that may be killed: %s, drains wait %d ms" % (
        "replicated" if level == REPLICATED else "device", list(victims), delay_ms), flush=True)
    if arguments.keep_all:
        print("no removals")
    machines = Machines(hw_test.BUILD, network, folder, (delay_ms, arguments.seconds),
                        clocks(chance, arguments.clocks))
    clients = Clients(machines, arguments, level)
    faults = Faults(machines, clients, chance, victims)
    kinds = list(faults.kinds)
    if arguments.faults is not None:
        kinds = [kind for kind in arguments.faults.split(",") if kind in faults.kinds]
    try:
        machines.all_start()
        clients.start_all()
        faults.run(arguments.seconds, kinds)
        clients.wait()
        for node in range(NODES):
            clients.start(node, "read")
        clients.wait()
        wait_finished(machines)
        machines.start_again()
        machines.all_stop()
        operations, wrong = judge(machines, clients)
        print(table(operations, faults.counts))
        print("daemons: %d started, of which %d gave up while etcd was away" % (
            sum(len(starts) for starts in machines.starts), machines.early_ends))
        return wrong + origin_faults(machines, operations)
    except Failed as failed:
        clients.close()
        return judge(machines, clients)[1] + [str(failed)]
    finally:
        clients.close()
        machines.close()


def parse():
    parser = argparse.ArgumentParser(usage=__doc__.replace("%", "%%"))
    parser.add_argument("build")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--faults")
    parser.add_argument("--keep")
    parser.add_argument("--keep-all", action="store_true")
    parser.add_argument("--clocks", type=int, default=CLOCKS_S)
    return parser.parse_args()


def interrupt(number, _):
    raise KeyboardInterrupt(number)


def main():
    arguments = parse()
    hw_test.BUILD = os.path.abspath(arguments.build)
    signal.signal(signal.SIGTERM, interrupt)
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[variable]
    print("seed %d" % arguments.seed, flush=True)
    if shutil.which("etcd") is None or not hw_test.has_io_uring():
        print("register_test: skipped: no etcd, or no io_uring, here")
        return 77
    folder = tempfile.mkdtemp()
    try:
        network = Network(NODES + 1, 1000, 50)
        try:
            wrong = play(arguments, network, folder)
        finally:
            network.close()
    except Unavailable as error:
        print("register_test: skipped: no network or drives of its own here: %s" % error)
        return 77
    finally:
        if arguments.keep:
            shutil.copytree(folder, arguments.keep, dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("*.sock", "drive*", "origin", "etcd"))
        shutil.rmtree(folder, ignore_errors=True)
    for line in wrong:
        print("register_test: %s" % line)
    if wrong:
        print("again: register_test.py BUILD --seed %d --seconds %g --clocks %d" % (
            arguments.seed, arguments.seconds, arguments.clocks))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
