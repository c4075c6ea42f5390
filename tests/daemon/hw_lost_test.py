#!/usr/bin/env python3
"""What a commit promised and nobody has any more: the holders of its blocks are killed, their
memory with them. Each name is read whole, or a read says at once that it fails; forebay lost lists
those and no others; they are removed, and written anew. The members are those that etcd knows, or
a list that stays as it is.

usage: hw_lost_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import os
import random
import shutil
import time
import unittest

import hw_test
from hw_name_test import EtcdServer
from hw_test import CONFIG, Case, Daemon, free_ports, page

NODES, NAMES = 3, 12
SOON_S = 1
CORE = "core: {replicas: 2, write_quorum: 2, drain_delay: 8 s, drain_check: 2 s, "


@unittest.skipIf(shutil.which("etcd") is None, "no etcd here")
class Lost(Case):
    IS_LISTED = False  # the members, in the config

    def setUp(self):
        super().setUp()
        self.etcd = EtcdServer(self)
        text = CONFIG.format(folder=self.folder).replace("core: {", CORE)
        text = text.replace("memory_size: 4 MiB", "memory_size: 32 MiB")
        text += "metadata: {kind: etcd, endpoint: \"%s\"}\npeer_timeout: 2 s\n" % self.etcd.url
        *self.ports, self.http = free_ports(NODES + 1)
        if self.IS_LISTED:
            text += "members:\n" + "".join("  - {id: %d, address: \"127.0.0.1:%d\"}\n" % pair
                                           for pair in enumerate(self.ports))
        else:
            text += ("listen: \"127.0.0.1:1\"\nmembership: {kind: etcd, endpoint: \"%s\", "
                     "lease: 2 s}\n" % self.etcd.url)
        self.config = self.write("lost.yaml", text.encode())
        self.daemons = [self.start(node) for node in range(NODES)]
        for daemon in self.daemons:
            daemon.wait_until(lambda d=daemon: d.status()["members"] == str(NODES))
        self.first = self.daemons[0]

    def start(self, node):
        places = [] if self.IS_LISTED else ["listen=127.0.0.1:%d" % self.ports[node]]
        if node == 0:
            places.append("http=127.0.0.1:%d" % self.http)
        return Daemon(self, self.config, "node=%d" % node,
                      "client.socket=" + self.path("socket%d" % node), *places,
                      name="node%d" % node)

    def put(self, daemon, name, content):
        ended = daemon.forebay("put", "--level", "replicated", self.write("source", content), name)
        self.assertEqual(ended.returncode, 0, ended.stderr)

    def listed(self):
        lines = self.first.forebay("lost").stdout.decode().split("\n")
        return {line.split()[1].strip("\"") for line in lines if line.startswith("lost ")}

    def die(self):
        """Both others, by kill -9; afterwards all members that there are answer."""
        for daemon in self.daemons[1:]:
            daemon.kill()
        if self.IS_LISTED:
            self.daemons[1:] = [self.start(node) for node in range(1, NODES)]
        else:
            self.first.wait_until(lambda: self.first.status()["members"] == "1")

    def read(self, name, content):
        """Is it there?"""
        began = time.monotonic()
        ended = self.first.forebay("get", name)
        self.assertLess(time.monotonic() - began, SOON_S, ended.stderr)
        if ended.returncode == 0:
            self.assertEqual(ended.stdout, content)
            return True
        self.assertIn(b"Input/output error", ended.stderr)
        return False

    def test_names_whose_bytes_are_nowhere_are_lost_and_no_others(self):
        contents = {}
        for number in range(NAMES):
            contents["n%d" % number] = random.Random(number).randbytes(200000 + number)
            self.put(self.daemons[1 + number % 2], "n%d" % number, contents["n%d" % number])
        self.die()
        lost = {name for name, content in contents.items() if not self.read(name, content)}
        print("%d of %d names are lost with two of %d nodes" % (len(lost), NAMES, NODES))
        kept = set(contents) - lost
        self.assertGreater(len(kept), 0)
        self.assertGreater(len(lost), 0)
        self.first.wait_until(lambda: self.listed() == lost, 60)
        self.first.wait_until(lambda: all(os.path.exists(os.path.join(self.path("origin"), name))
                                          for name in kept), 90)
        self.assertEqual(self.listed(), lost)
        status = self.first.status()
        self.assertEqual(int(status["names_lost"]), len(lost))
        self.assertIn("forebay_names_lost", page(self.http, "/metrics")[1])
        self.first.wait_until(lambda: self.first.log().count("status=lost") >= len(lost))
        self.assertEqual(self.first.log().count("status=lost"), len(lost), "each is said once")
        if not self.IS_LISTED:
            self.daemons[1:] = [self.start(node) for node in range(1, NODES)]
            self.first.wait_until(lambda: self.first.status()["members"] == str(NODES))
        for number, name in enumerate(sorted(lost)):
            if number % 2 == 0:
                self.assertEqual(self.first.forebay("rm", name).returncode, 0)
                self.assertEqual(self.first.forebay("stat", name).returncode, 1)
            self.put(self.daemons[1], name, b"anew" * 1000)
            self.assertTrue(self.read(name, b"anew" * 1000))
        self.first.wait_until(lambda: self.listed() == set(), 60)
        for daemon in self.daemons:
            daemon.kill()  # what they have not drained is not what this is about


class LostListed(Lost):
    IS_LISTED = True


if __name__ == "__main__":
    hw_test.main("hw_lost_test", at_once=1)  # both must put all before the first drain
