#!/usr/bin/env python3
"""Four forebayd with etcd and a mount under mixed load for as long as is wanted; judges that what
was acknowledged is read, and that nothing grows.

usage: soak_test.py BUILD [--seconds N] [--seed N]

A worker owns its names, so what each must hold is known; after an error either content may be
there. Flat, of each daemon and the mount: in the last third of the time not more than in the middle
third, but for what GROWTH allows:
  memory   resident KiB that are the process's own, the highest of a third
  mapped   KiB of the memory that it shares with others: a daemon's blocks and its clients' arenas.
           What is resident of it grows as long as blocks are touched that were not before, up to
           all of it, in every process that maps it; so what must not grow is the mapping
  files    open descriptors
  threads
and of all: parts at the origin that no name needs (under .forebay-parts once the daemons have
ended well). Growth is judged from FLAT_S on, as buffers and caches fill for minutes; it is always
printed.

exit code 77: there is no etcd, io_uring or FUSE here
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "daemon"))

import hw_etcd_test  # noqa: E402
import hw_test  # noqa: E402
from hw_test import CONFIG, Daemon, free_ports, program, run  # noqa: E402

NODES, WORKERS, NAMES, OBJECTS = 4, 3, 30, 60
LEVELS = ("memory", "replicated", "device", "origin")
SIZES = (0, 10, 9000, 300000, 1000000)
GROWTH = {"memory": 4096, "mapped": 2 * 16384, "files": 8, "threads": 2}  # mapped: two arenas
PAGE_S = 5
FLAT_S = 600

ARGUMENTS = argparse.Namespace(seconds=60.0, seed=0)


def mapped_kib(process):
    """Of all that is mapped to be shared: the fourth letter of its rights, in proc(5), tells."""
    with open("/proc/%d/maps" % process.pid, encoding="utf-8") as file:
        lines = [line.split(None, 2) for line in file]
    ends = [[int(end, 16) for end in line[0].split("-")] for line in lines if line[1][3] == "s"]
    return sum(end - begin for begin, end in ends) // 1024


def process_figures(process):
    """Of one process: resident and mapped KiB, descriptors, threads."""
    with open("/proc/%d/status" % process.pid, encoding="utf-8") as file:
        fields = dict(line.split(":", 1) for line in file if ":" in line)
    resident = [int(fields[name].split()[0]) for name in ("VmRSS", "RssShmem")]
    return {"memory": resident[0] - resident[1],
            "mapped": mapped_kib(process),
            "files": len(os.listdir("/proc/%d/fd" % process.pid)),
            "threads": int(fields["Threads"])}


class Worker(threading.Thread):
    """Does one thing after another with names of its own."""

    def __init__(self, case, number):
        super().__init__(daemon=True)
        self.case, self.number = case, number
        self.chance = random.Random(ARGUMENTS.seed * 1000 + number)
        self.known = {}  # name: the contents that it may have; None: there is no such name
        self.counts, self.wrong, self.errors = {}, [], {}

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def heard(self, ended):
        if ended.returncode == 0:
            return True
        text = ended.stderr.decode(errors="replace").strip()[-60:]
        self.errors[text] = self.errors.get(text, 0) + 1
        return False

    def read_object(self):
        name = "object%d" % self.chance.randrange(OBJECTS)
        ended = self.chance.choice(self.case.daemons).forebay("get", name)
        self.count("get")
        if self.heard(ended) and ended.stdout != self.case.objects[name]:
            self.wrong.append("%s: %d bytes" % (name, len(ended.stdout)))

    def look(self, daemon, name):
        ended = daemon.forebay("get", name)
        may = self.known.get(name, [None])
        if ended.returncode == 0:
            if ended.stdout not in may:
                self.wrong.append("%s has %d bytes, not those of %s" % (
                    name, len(ended.stdout), [None if one is None else len(one) for one in may]))
        elif b"No such file" in ended.stderr:
            if None not in may:
                self.wrong.append("%s is gone" % name)
        else:
            self.heard(ended)

    def change(self, name, content, is_done):
        """What it must be from now on: the new content, or, not knowing, one of the two."""
        self.known[name] = [content] if is_done else self.known.get(name, [None]) + [content]

    def put(self):
        name = "worker%d/%d" % (self.number, self.chance.randrange(NAMES))
        content = self.chance.randbytes(self.chance.choice(SIZES))
        path = self.case.path("in%d" % self.number)
        with open(path, "wb") as file:
            file.write(content)
        daemon = self.chance.choice(self.case.daemons)
        ended = daemon.forebay("put", "--level", self.chance.choice(LEVELS), path, name)
        self.count("put")
        self.change(name, content, self.heard(ended))
        self.look(self.chance.choice(self.case.daemons), name)

    def remove(self):
        name = "worker%d/%d" % (self.number, self.chance.randrange(NAMES))
        if self.known.get(name, [None]) == [None]:
            return
        self.count("rm")
        ended = self.chance.choice(self.case.daemons).forebay("rm", name)
        self.change(name, None, self.heard(ended))
        self.look(self.chance.choice(self.case.daemons), name)

    def mounted(self):
        path = os.path.join(self.case.folder_mounted,
                            "mounted%d-%d" % (self.number, self.chance.randrange(NAMES)))
        content = self.chance.randbytes(self.chance.choice(SIZES))
        self.count("mounted")
        try:
            with open(path, "wb") as file:
                file.write(content)
            with open(path, "rb") as file:
                found = file.read()
            if found != content:
                self.wrong.append("%s: %d bytes of %d" % (path, len(found), len(content)))
        except OSError as error:
            text = "mount: " + os.strerror(error.errno)
            self.errors[text] = self.errors.get(text, 0) + 1

    def run(self):
        kinds = [self.read_object] * 4 + [self.put] * 3 + [self.remove, self.mounted]
        while time.monotonic() < self.case.until:
            self.chance.choice(kinds)()


class Soak(hw_etcd_test.Etcd):
    def setUp(self):
        super().setUp()
        etcd = "{kind: etcd, endpoint: \"http://127.0.0.1:%d\"" % self.ports[0]
        text = CONFIG.format(folder=self.folder).replace("4 MiB", "32 MiB") + (
            "listen: \"127.0.0.1:1\"\nmetadata: %s}\nmembership: %s, lease: 5 s}\n" % (etcd, etcd))
        self.config = self.write("soak.yaml", text.encode())

    def start(self, node, *assignments, name=None, port=None):
        return Daemon(self, self.config, "node=%d" % node, *assignments,
                      "client.socket=" + self.path("socket%d" % node),
                      "listen=127.0.0.1:%d" % free_ports(1)[0], "core.device_size=64 MiB",
                      "device.path=" + self.path("drive%d" % node), name=str(node))

    def start_mount(self):
        self.folder_mounted = self.path("mount")
        os.mkdir(self.folder_mounted)
        self.mount = subprocess.Popen([program("forebay"), "mount", "--socket",
                                       self.daemons[0].socket, "--foreground",
                                       self.folder_mounted])
        self.addCleanup(self.mount.wait, 30)
        self.addCleanup(subprocess.run, ["umount", "-l", self.folder_mounted], check=False)
        self.daemons[0].wait_until(lambda: os.path.ismount(self.folder_mounted))

    def watch(self):
        """The figures of each process, page by page, until the time is over."""
        pages = []
        processes = [daemon.process for daemon in self.daemons] + [self.mount]
        while time.monotonic() < self.until:
            pages.append([process_figures(process) for process in processes])
            time.sleep(min(PAGE_S, max(0.1, self.until - time.monotonic())))
        return pages

    def judge_growth(self, pages):
        third = len(pages) // 3
        grown = []
        for i in range(NODES + 1):
            who = "node %d" % i if i < NODES else "mount"
            for figure, allowed in GROWTH.items():
                before = max(page[i][figure] for page in pages[third:2 * third])
                after = max(page[i][figure] for page in pages[2 * third:])
                print("%s: %s %d, then %d" % (who, figure, before, after))
                if ARGUMENTS.seconds >= FLAT_S and after > before + allowed:
                    grown.append("%s: %s grew from %d to %d" % (who, figure, before, after))
        return grown

    def parts(self):
        folder = self.path("origin/.forebay-parts")
        return [os.path.join(place, name) for place, _, names in os.walk(folder)
                for name in names if name not in hw_test.PARTS_OWN]

    def test_under_mixed_load_nothing_is_lost_and_nothing_grows(self):
        self.objects = {"object%d" % i: self.object("object%d" % i, SIZES[i % 5] + 1)
                        for i in range(OBJECTS)}
        self.daemons = [self.start(node) for node in range(NODES)]
        for daemon in self.daemons:
            self.members(daemon, NODES)
        self.start_mount()
        self.until = time.monotonic() + ARGUMENTS.seconds
        workers = [Worker(self, number) for number in range(WORKERS)]
        for worker in workers:
            worker.start()
        pages = self.watch()
        wrong, counts, errors = [], {}, {}
        for worker in workers:
            worker.join(90)
            self.assertFalse(worker.is_alive(), "a worker hangs")
            for name in worker.known:
                worker.look(self.daemons[worker.number % NODES], name)
            wrong += worker.wrong
            for kind, count in worker.counts.items():
                counts[kind] = counts.get(kind, 0) + count
            for text, count in worker.errors.items():
                errors[text] = errors.get(text, 0) + count
        print("done: %s; errors: %s" % (counts, errors))
        for daemon in self.daemons:
            daemon.wait_until(lambda one=daemon: one.status()["unfinished_names"] == "0", 60)
        grown = self.judge_growth(pages)
        subprocess.run(["umount", "-l", self.folder_mounted], check=False)
        codes = [daemon.stop() for daemon in self.daemons]
        parts = self.parts()
        print("parts left at the origin: %d, %d bytes" % (
            len(parts), sum(os.path.getsize(part) for part in parts)))
        self.assertEqual(wrong, [])
        self.assertEqual(grown, [])
        self.assertEqual(codes, [0] * NODES)
        self.assertEqual(len(parts), 0)
        self.assertGreater(min(counts.values()), 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    ARGUMENTS = parser.parse_args()
    print("seed %d" % ARGUMENTS.seed, flush=True)
    hw_test.BUILD = os.path.abspath(ARGUMENTS.build)
    if shutil.which("etcd") is None or not hw_test.has_io_uring() or \
            not os.path.exists("/dev/fuse"):
        print("soak_test: skipped: no etcd, io_uring or /dev/fuse here")
        sys.exit(77)
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[variable]
    suite = unittest.TestSuite([Soak("test_under_mixed_load_nothing_is_lost_and_nothing_grows")])
    sys.exit(0 if unittest.TextTestRunner().run(suite).wasSuccessful() else 1)
