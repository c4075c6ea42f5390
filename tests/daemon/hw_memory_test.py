#!/usr/bin/env python3
"""The daemon's memory budget: what --check says it comes to is what it keeps to under load, and
what a cgroup cannot hold is refused at the start.

usage: hw_memory_test.py BUILD [unittest's arguments]      exit code 77: there is no io_uring here
"""

import os
import re
import resource
import shutil
import subprocess
import tempfile
import threading

import hw_test
from hw_test import Case, Daemon, free_ports, page, program, run

UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
BUDGET_MIB = 192


def bytes_of(text):
    number, unit = text.split()
    return float(number) * UNITS[unit]


class Check(Case):
    def check(self, *assignments):
        arguments = [program("forebayd"), "--config", self.config, "--check"]
        for assignment in assignments:
            arguments += ["--set", assignment]
        return run(*arguments)

    def test_parts_add_up_to_the_sum(self):
        text = self.check("core.memory_size=64 MiB").stdout.decode()
        total = bytes_of(re.search(r"at most (\S+ \S+) \(memory_budget: none\)", text).group(1))
        lines = [line for line in text.split("\n") if line.startswith("  ")]
        parts = [bytes_of(" ".join(line.split()[-2:])) for line in lines]
        self.assertIn("cache memory (core.memory_size)                  64.0 MiB", text)
        self.assertIn("128 clients of", text)
        self.assertAlmostEqual(sum(parts) / total, 1, delta=0.01)  # three digits are printed

    def test_budget_lets_in_as_many_clients_as_fit(self):
        text = self.check("memory_budget=%d MiB" % BUDGET_MIB).stdout.decode()
        clients, each = re.search(r"(\d+) clients of (\S+ \S+)", text).groups()
        total = bytes_of(re.search(r"at most (\S+ \S+) ", text).group(1))
        self.assertLessEqual(total, BUDGET_MIB << 20)
        self.assertLess((BUDGET_MIB << 20) - total, 1.1 * bytes_of(each))
        self.assertLess(int(clients), 128)

    def test_budget_that_holds_nothing_is_refused(self):
        for assignments in (("memory_budget=10 MiB",),
                            ("memory_budget=1 GiB", "core.memory_size=1 GiB")):
            ended = self.check(*assignments)
            lines = ended.stderr.decode().strip().split("\n")
            self.assertEqual((ended.returncode, len(lines)), (2, 1), lines)
            self.assertIn("at least", lines[0])
            self.assertIn("lower core.memory_size", lines[0])


class Load(Case):
    def memory(self, daemon):
        """Bytes that are the daemon's own: not those of mapped files."""
        with open("/proc/%d/status" % daemon.process.pid, encoding="ascii") as file:
            facts = dict(line.split(":", 1) for line in file)
        return sum(int(facts[key].split()[0]) << 10 for key in ("RssAnon", "RssShmem"))

    def test_memory_stays_within_the_budget(self):
        """Clients that fill their arenas, more than the budget lets in, while cache, names and
        records fill up."""
        daemon = Daemon(self, self.config, "memory_budget=%d MiB" % BUDGET_MIB,
                        "core.memory_size=64 MiB", "client.arena=8 MiB", "objects_max=4096",
                        "metadata.kind=lmdb", "metadata.path=" + self.path("records"))
        content = self.object("data", 96 << 20)
        for i in range(500):
            self.object("small/%d" % i, 1000 + i)
        source = self.write("source", content[:24 << 20])
        codes, peak = [], [0]
        writers = [subprocess.Popen(
            [program("forebay"), "put", "--socket", daemon.socket, source, "out/%d" % i],
            stderr=subprocess.PIPE) for i in range(16)]
        done = threading.Event()

        def watch():
            while not done.is_set():
                peak[0] = max(peak[0], self.memory(daemon))
                done.wait(0.02)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            for writer in writers:
                text = writer.communicate(timeout=120)[1]
                codes.append((writer.returncode, text))
            self.assertEqual(daemon.forebay("get", "data").stdout, content)
            for i in range(0, 500, 10):
                self.assertEqual(daemon.forebay("get", "small/%d" % i).returncode, 0)
        finally:
            done.set()
            watcher.join()
        fine = sum(code == 0 for code, _ in codes)
        refused = daemon.log().count("memory_budget has room for")
        print("%d of %d writers let in, peak %.1f MiB of %d" % (
            fine, len(writers), peak[0] / 2**20, BUDGET_MIB))
        self.assertGreaterEqual(fine, 4, codes)
        self.assertEqual(refused, len(writers) - fine, daemon.log())
        self.assertLess(peak[0], BUDGET_MIB << 20)
        self.assertGreater(peak[0], 64 << 20)  # it was under load


class Locked(Case):
    """What the limit on locked memory allows: without it all works, and the log says so once."""

    SIZE = 4 << 20

    def wrap(self, limit):
        if None in (shutil.which("prlimit"), shutil.which("setpriv")):
            self.skipTest("no prlimit or setpriv (util-linux)")
        self.wrapper = ["prlimit", "--memlock=" + limit]
        if os.geteuid() == 0:  # else root's rights would be above the limit
            self.wrapper += ["setpriv", "--bounding-set", "-ipc_lock"]

    def daemon(self, limit):
        self.wrap(limit)
        self.port = free_ports(1)[0]
        return Daemon(self, self.config, "core.memory_size=4 MiB", "core.device_size=64 MiB",
                      "device.path=" + self.path("drive"), "http=127.0.0.1:%d" % self.port,
                      wrapper=self.wrapper)

    def registered(self):
        text = page(self.port, "/metrics")[1]
        return int(re.search(r"^forebay_memory_registered_bytes (\d+)$", text, re.M).group(1))

    def reads_and_writes(self, daemon):
        content = self.object("data", 24 << 20)
        for _ in range(2):
            self.assertEqual(daemon.forebay("get", "data").stdout, content)
        ended = daemon.forebay("put", "--level", "device", self.write("source", content[:9 << 20]),
                               "out")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(daemon.forebay("get", "out").stdout, content[:9 << 20])

    def test_limit_that_is_too_small_is_said_once_and_all_works(self):
        daemon = self.daemon("65536:65536")
        self.assertEqual(self.registered(), 0)
        self.reads_and_writes(daemon)
        lines = [line for line in daemon.log().split("\n") if "memory_not_registered" in line]
        self.assertEqual(len(lines), 1, daemon.log())
        for text in ("level=warning", "limit=65536", "LimitMEMLOCK=infinity"):
            self.assertIn(text, lines[0])
        ended = run(*self.wrapper, program("forebay"), "doctor", "--config", self.config)
        self.assertRegex(ended.stdout.decode(),
                         r"warning +locked memory +64.0 KiB, less than core.memory_size")

    def test_limit_without_room_for_a_ring_is_named(self):
        self.wrap("4096:4096")
        ended = run(*self.wrapper, program("forebayd"), "--config", self.config)
        lines = ended.stderr.decode().strip().split("\n")
        self.assertEqual((ended.returncode, len(lines)), (1, 1), lines)
        self.assertIn("limit on locked memory of 4096 bytes: raise it", lines[0])
        ended = run(*self.wrapper, program("forebay"), "doctor", "--config", self.config)
        self.assertEqual(ended.returncode, 1)
        self.assertRegex(ended.stdout.decode(), "fault +io_uring +no room within the limit")

    def test_limit_that_may_be_raised_is_raised(self):
        most = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
        if most not in (resource.RLIM_INFINITY, max(most, 2 * self.SIZE)):
            self.skipTest("the hard limit on locked memory is below 8 MiB here")
        daemon = self.daemon("65536:%d" % (2 * self.SIZE))
        self.assertEqual(self.registered(), self.SIZE)
        self.reads_and_writes(daemon)
        self.assertNotIn("memory_not_registered", daemon.log())
        ended = run(*self.wrapper, program("forebay"), "doctor", "--config", self.config)
        self.assertRegex(ended.stdout.decode(), r"fine +locked memory +8.00 MiB")


class Cgroup(Case):
    """A group with a limit of its own, of either version."""

    def group(self, limit):
        with open("/proc/self/cgroup", encoding="ascii") as file:
            groups = dict(line.strip().split(":", 2)[1:] for line in file)
        first = "memory" in groups
        folder = "/sys/fs/cgroup" + ("/memory" if first else "") + groups["memory" if first else ""]
        try:
            folder = tempfile.mkdtemp(prefix="forebay", dir=folder)
            self.addCleanup(os.rmdir, folder)
            name = "memory.limit_in_bytes" if first else "memory.max"
            with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                file.write(str(limit))
        except OSError as error:
            self.skipTest("no memory cgroup can be made here: %s" % error)
        return os.path.join(folder, "cgroup.procs")

    def in_group(self, group, *assignments):
        arguments = [program("forebayd"), "--config", self.config]
        for assignment in assignments:
            arguments += ["--set", assignment]
        return subprocess.Popen(["sh", "-c", "echo $$ >%s; exec \"$@\"" % group, "sh"] + arguments,
                                stderr=subprocess.PIPE)

    def test_limit_that_is_too_small_is_a_fault_at_the_start(self):
        group = self.group(128 << 20)
        for assignments in (("core.memory_size=256 MiB",), ("memory_budget=160 MiB",)):
            daemon = self.in_group(group, *assignments)
            text = daemon.communicate(timeout=30)[1].decode()
            lines = text.strip().split("\n")
            self.assertEqual((daemon.returncode, len(lines)), (1, 1), text)
            self.assertIn("the cgroup allows 128 MiB", lines[0])
            self.assertIn("lower core.memory_size", lines[0])
        daemon = self.in_group(group, "client.arena=1 MiB", "memory_budget=120 MiB",
                               "objects_max=1024")
        self.addCleanup(daemon.communicate)
        self.addCleanup(daemon.terminate)
        while b"event=ready" not in (line := daemon.stderr.readline()):
            self.assertNotEqual(line, b"", "it ended")


if __name__ == "__main__":
    hw_test.main("hw_memory_test", at_once=1)  # locked memory is counted for all of a user
