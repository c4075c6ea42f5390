#!/usr/bin/env python3
"""Runs the last release beside this one: members of one cluster, clients of one machine, a drive
that one leaves and the other finds. CHANGELOG.md names the release's commit, which is built once,
into the folder of what tests fetch; so this is a heavy test.

usage: hw_upgrade_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here,
or the commit is not in this clone
"""

import json
import os
import re
import subprocess
import sys

import hw_test
from hw_test import Case, Daemon, free_ports

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MIB = 1 << 20
OLD = ""  # the build folder of the last release


def git(*arguments, **more):
    return subprocess.run(["git", "-C", ROOT, *arguments], check=False, capture_output=True, **more)


def release():
    """The commit of the last release."""
    with open(os.path.join(ROOT, "CHANGELOG.md"), encoding="utf-8") as file:
        found = re.search(r"^Last release: commit `([0-9a-f]{40})`", file.read(), re.M)
    if found is None:
        sys.exit("CHANGELOG.md names no last release")
    return found.group(1)


def build(commit):
    """Its programs, built if they are not there yet."""
    folder = hw_test.cache("release-" + commit[:12])
    source, output = os.path.join(folder, "source"), os.path.join(folder, "build")
    if not os.path.exists(os.path.join(folder, "done")):
        os.makedirs(source, exist_ok=True)
        archive = git("archive", commit)
        subprocess.run(["tar", "-x", "-C", source], input=archive.stdout, check=True)
        subprocess.run(["cmake", "-G", "Ninja", "-S", source, "-B", output], check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run(["ninja", "-C", output, "forebay", "forebayd"], check=True,
                       stdout=subprocess.DEVNULL)
        with open(os.path.join(folder, "done"), "wb"):
            pass
    return output


class Release:
    """While it is entered, programs are those of this build folder."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        self.before, hw_test.BUILD = hw_test.BUILD, self.folder

    def __exit__(self, *_):
        hw_test.BUILD = self.before


class Upgrade(Case):
    def setUp(self):
        super().setUp()
        self.new = hw_test.BUILD

    def cluster(self, count):
        ports = free_ports(count)
        members = "members:\n" + "".join(
            '  - {id: %d, address: "127.0.0.1:%d"}\n' % pair for pair in enumerate(ports))
        text = hw_test.CONFIG.format(folder=self.folder).replace(
            "core: {", "core: {replicas: 2, write_quorum: 2, device_size: 16 MiB, ")
        self.shared = self.write("shared.yaml", (text + members).encode())

    def start(self, node, folder):
        with Release(folder):
            return Daemon(self, self.shared, "node=%d" % node,
                          "client.socket=" + self.path("s%d" % node),
                          "device.path=" + self.path("d%d" % node), name="node%d" % node)

    def talk(self, daemons, tag):
        """Each writes a file in two copies, and each reads all, from the others where it can."""
        content = {}
        for node, daemon in enumerate(daemons):
            name = "%s/%d" % (tag, node)
            content[name] = os.urandom(MIB + node)
            ended = daemon.forebay("put", "--level", "replicated",
                                   self.write("source", content[name]), name)
            self.assertEqual((ended.returncode, ended.stderr), (0, b""))
        for daemon in daemons:
            for name, wanted in content.items():
                ended = daemon.forebay("get", name)
                self.assertEqual((ended.returncode, ended.stderr), (0, b""))
                self.assertTrue(ended.stdout == wanted, name)
        return content

    def none_was_refused(self, daemons):
        for daemon in daemons:
            self.assertNotIn("event=connection_refused", daemon.log())
            status = daemon.status()
            self.assertEqual(status["degraded"], "0")
            self.assertGreater(int(status["pulls"]) + int(status["asks_served"]), 0)

    def test_members_of_two_releases_serve_each_other(self):
        self.cluster(3)
        daemons = [self.start(0, OLD), self.start(1, self.new), self.start(2, OLD)]
        self.talk(daemons, "mixed")
        self.none_was_refused(daemons)
        state = json.loads(daemons[1].forebay("status", "--cluster", "--json").stdout)
        self.assertEqual([one["version"] for one in state["peers"]], [2, 2])
        text = daemons[1].forebay("status", "--cluster").stdout.decode()
        self.assertTrue(text.startswith("FINE: cluster test, 3 members"), text)
        self.assertEqual(text.count("of a release that tells no more"), 2, text)

    def test_members_are_upgraded_one_after_the_other_and_back(self):
        self.cluster(3)
        daemons = [self.start(node, OLD) for node in range(3)]
        content = self.talk(daemons, "before")
        for folder in (self.new, OLD):
            for node in range(3):
                self.assertEqual(daemons[node].stop(), 0, daemons[node].log())
                daemons[node] = self.start(node, folder)
                content.update(self.talk(daemons, "%s-%d" % (os.path.basename(folder), node)))
        for daemon in daemons:
            for name, wanted in content.items():
                self.assertTrue(daemon.forebay("get", name).stdout == wanted, name)

    def test_drive_with_owed_blocks_is_taken_over(self):
        config = self.write("drive.yaml", hw_test.CONFIG.format(folder=self.folder).encode())
        more = ("device.path=" + self.path("device"), "core.device_size=16 MiB",
                "metadata.kind=lmdb", "metadata.path=" + self.path("records"))
        wanted = os.urandom(MIB)
        with Release(OLD):
            daemon = Daemon(self, config, *more, "core.drain_delay=600 s")
            ended = daemon.forebay("put", "--level", "device", self.write("source", wanted), "kept")
            self.assertEqual(ended.returncode, 0, ended.stderr)
            daemon.kill()
        self.assertFalse(os.path.exists(self.path("origin/kept")))
        daemon = Daemon(self, config, *more, name="new")
        daemon.wait_until(lambda: os.path.exists(self.path("origin/kept")))
        with open(self.path("origin/kept"), "rb") as file:
            self.assertTrue(file.read() == wanted)
        self.assertEqual(daemon.forebay("drain").returncode, 0)

    def test_clients_and_daemons_of_two_releases_understand_each_other(self):
        wanted = self.object("data", 700001)
        for daemon_of, client_of in ((OLD, self.new), (self.new, OLD)):
            with Release(daemon_of):
                daemon = Daemon(self, self.config, name=os.path.basename(daemon_of))
            with Release(client_of):
                self.assertTrue(daemon.forebay("get", "data").stdout == wanted)
                put = daemon.forebay("put", self.write("source", b"1" * MIB), "put")
                self.assertEqual((put.returncode, put.stderr), (0, b""))
                self.assertEqual(daemon.status()["cluster"], "test")
                if client_of == self.new:
                    self.assertEqual(daemon.forebay("stats", "--count", "1", "--interval",
                                                    "50 ms").returncode, 0)
                    ended = daemon.forebay("drain")
                    self.assertEqual(ended.returncode, 1)
                    self.assertIn(b"of a release that cannot", ended.stderr)
            self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    if git("cat-file", "-e", release() + "^{commit}").returncode != 0:
        print("hw_upgrade_test: skipped: %s is not in this clone" % release())
        sys.exit(77)
    OLD = build(release())
    hw_test.main("hw_upgrade_test")
