#!/usr/bin/env python3
"""Kills daemons with -9 at random moments of durable writes: no byte that was acknowledged may be
lost, every restart must serve again, and what is committed must be whole.

usage: hw_kill_test.py BUILD [--rounds N] [--seed N]     exit code 77: there is no io_uring here

Three daemons, two copies of each block. In each round a file is put through one of them while one
of the others, or both, die and are started again. A put that succeeded is read through all
three and at the origin; one that gave up in time, as on a loaded machine it may, promised nothing.
Most must succeed.
"""

import argparse
import hashlib
import os
import random
import shutil
import subprocess
import sys
import time

import hw_name_test
import hw_test
import together
from hw_test import Case, Daemon, free_ports

ROUNDS, SEED = 5, 1  # of main()
NODES = 3


class Kill(Case):
    CORE = ""
    LEVEL = "replicated"
    VICTIMS = 1

    def start(self, node):
        daemon = Daemon(self, self.config, "node=%d" % node,
                        "client.socket=" + self.path("socket%d" % node),
                        "device.path=" + self.path("image%d" % node),
                        "record=" + self.path("events%d.%d" % (node, self.starts)),
                        name="%d.%d" % (node, self.starts))
        self.starts += 1
        return daemon

    def setUp(self):
        super().setUp()
        ports = free_ports(NODES)
        members = "".join("  - {id: %d, address: \"127.0.0.1:%d\"}\n" % pair
                          for pair in enumerate(ports))
        text = hw_test.CONFIG.format(folder=self.folder).replace("core: {", "core: {" + self.CORE +
            "device_size: 32 MiB, hold: 100 ms, drain_check: 100 ms, retries_max: 64, ")
        text = text.replace("memory_size: 4 MiB", "memory_size: 16 MiB")
        self.config = self.write("cluster.yaml", (text + "members:\n" + members +
                                                  "peer_timeout: 2 s\n").encode())
        self.starts = 0
        self.acknowledged = self.right = 0
        self.daemons = [self.start(node) for node in range(NODES)]

    def one_round(self, number, chance):
        content = chance.randbytes(chance.randrange(1, 6 << 20))
        name = "checkpoint/%d" % number
        source = self.write("source", content)
        writer = chance.randrange(NODES)
        victims = chance.sample([node for node in range(NODES) if node != writer], self.VICTIMS)
        put = subprocess.Popen(
            [hw_test.program("forebay"), "put", "--socket", self.daemons[writer].socket,
             "--level", self.LEVEL, source, name], stderr=subprocess.PIPE)
        time.sleep(chance.random() * 0.15)
        for victim in victims:
            self.daemons[victim].kill()
        time.sleep(chance.random() * 0.1)
        for victim in victims:
            self.daemons[victim] = self.start(victim)
        text = put.communicate(timeout=60)[1].decode()
        if put.returncode != 0:
            self.assertIn("timed out", text, self.daemons[writer].log())
            return
        self.acknowledged += 1
        right = hashlib.sha256(content).hexdigest()
        with open(os.path.join(self.path("origin"), name), "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).hexdigest(), right)
        for daemon in self.daemons:
            ended = daemon.forebay("get", name)
            self.assertEqual(hashlib.sha256(ended.stdout).hexdigest(), right,
                             ended.stderr.decode() + daemon.log())

    def test_no_acknowledged_byte_is_lost(self):
        chance = random.Random(SEED)
        for number in range(ROUNDS):
            with self.subTest(round=number, seed=SEED):
                self.one_round(number, chance)
                self.right += 1
        self.assertGreater(self.acknowledged * 5, ROUNDS * 4 - 1)
        # Blocks stored once more after a commit go again; those of a put that gave up stay.
        parts = os.path.join(self.path("origin"), ".forebay-parts")
        given_up = ROUNDS - self.acknowledged
        self.daemons[0].wait_until(
            lambda: len(set(os.listdir(parts)) - hw_test.PARTS_OWN) <= given_up)
        self.end_all()

    def end_all(self):
        """Stops all, and prints what was seen."""
        for daemon in self.daemons:
            self.assertEqual(daemon.stop(), 0, daemon.log())
        equal, early = self.replay_all()
        print("%s: %d rounds, %d wrong, %d acknowledged, %d starts, %d recordings replay with "
              "equal digests, %d end before their first" % (
                  type(self).__name__, ROUNDS, ROUNDS - self.right, self.acknowledged, self.starts,
                  equal, early))

    def replay_all(self):
        """What each daemon did is what the core does with the same events: how many recordings
        replay alike, and how many a kill ended before there was anything to compare."""
        counts = [0, 0]
        for name in os.listdir(self.folder):
            if not name.startswith("events"):
                continue
            ended = hw_test.run(hw_test.program("forebay"), "replay", "--events", self.path(name))
            text = ended.stderr.decode()
            is_early = "before its first digest" in text
            self.assertTrue(ended.returncode == 0 or is_early, text)
            counts[is_early] += 1
        return counts


class KillAllHolders(Kill):
    """Both holders of most blocks die at once: what was acked is on their drives, whose daemons
    find it again."""
    LEVEL = "device"
    VICTIMS = 2


class KillCoded(Kill):
    """The same with two data fragments and one of parity for a block instead of two copies."""
    CORE = "erasure_data: 2, erasure_parity: 1, "


class KillEtcd(Kill):
    """Members and names in etcd, two copies, any daemon dies, the writer too; in one round of ten
    etcd goes and comes back. What was acknowledged is read from all nodes, before it is at the
    origin and after; what was not is whole or not there."""
    ETCD_EVERY = 10

    def start(self, node):
        daemon = Daemon(self, self.config, "node=%d" % node,
                        "listen=127.0.0.1:%d" % self.ports[node],
                        "client.socket=" + self.path("socket%d" % node),
                        "record=" + self.path("events%d.%d" % (node, self.starts)),
                        name="%d.%d" % (node, self.starts))
        self.starts += 1
        return daemon

    def setUp(self):
        Case.setUp(self)
        self.etcd = hw_name_test.EtcdServer(self)
        self.ports = free_ports(NODES)
        text = hw_test.CONFIG.format(folder=self.folder).replace(
            "core: {", "core: {replicas: 2, hold: 100 ms, drain_check: 100 ms, retries_max: 64, ")
        text = text.replace("memory_size: 4 MiB", "memory_size: 16 MiB")
        text += ("listen: \"127.0.0.1:1\"\npeer_timeout: 2 s\nmetadata: {kind: etcd}\n"
                 "membership: {kind: etcd, endpoint: \"%s\", lease: 2 s}\n" % self.etcd.url)
        self.config = self.write("cluster.yaml", text.encode())
        self.starts = self.acknowledged = self.right = self.etcd_downs = 0
        self.spared = self.spared_acknowledged = 0
        self.daemons = [self.start(node) for node in range(NODES)]
        for daemon in self.daemons:
            daemon.wait_until(lambda d=daemon: d.status().get("members") == str(NODES))

    def read(self, daemon, name):
        """The content; None: there is no such file. Asks again while the daemon cannot tell."""
        end = time.monotonic() + 60
        while True:
            ended = daemon.forebay("get", name)
            text = ended.stderr.decode()
            if ended.returncode == 0:
                return ended.stdout
            if "No such file" in text:
                return None
            if time.monotonic() > end:
                raise AssertionError(text + daemon.log())
            time.sleep(0.1)

    def at_origin(self, name, content):
        try:
            with open(os.path.join(self.path("origin"), name), "rb") as file:
                return file.read() == content
        except FileNotFoundError:
            return False

    def one_round(self, number, chance):
        content = chance.randbytes(chance.randrange(1, 6 << 20))
        name = "checkpoint/%d" % number
        source = self.write("source", content)
        writer, victim = chance.randrange(NODES), chance.randrange(NODES)
        put = subprocess.Popen(
            [hw_test.program("forebay"), "put", "--socket", self.daemons[writer].socket, source,
             name], stderr=subprocess.PIPE)
        time.sleep(chance.random() * 0.15)
        if number % self.ETCD_EVERY == self.ETCD_EVERY - 1:
            self.etcd.stop()
            self.etcd_downs += 1
            time.sleep(chance.random() * 4)
            self.etcd.start()
        self.daemons[victim].kill()
        time.sleep(chance.random() * 0.1)
        self.daemons[victim] = self.start(victim)
        text = put.communicate(timeout=660)[1].decode()
        is_acknowledged = put.returncode == 0
        self.acknowledged += is_acknowledged
        if writer != victim:
            self.spared += 1
            self.spared_acknowledged += is_acknowledged
        for daemon in self.daemons:
            found = self.read(daemon, name)
            is_right = found == content or (found is None and not is_acknowledged)
            self.assertTrue(is_right, "%s: %s bytes of %d, acknowledged %d, %s\n%s" % (
                name, found and len(found), len(content), is_acknowledged, text, daemon.log()))
        if is_acknowledged:
            self.daemons[0].wait_until(lambda: self.at_origin(name, content), 90)

    def test_no_acknowledged_byte_is_lost(self):
        chance = random.Random(SEED)
        for number in range(ROUNDS):
            with self.subTest(round=number, seed=SEED):
                self.one_round(number, chance)
                self.right += 1
        print("etcd was away in %d rounds; the writer lived in %d, of which %d were acknowledged"
              % (self.etcd_downs, self.spared, self.spared_acknowledged))
        self.assertGreaterEqual(self.spared_acknowledged * 2, self.spared)
        self.end_all()


def main():
    global ROUNDS, SEED
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments = parser.parse_args()
    hw_test.BUILD = os.path.abspath(arguments.build)
    ROUNDS, SEED = arguments.rounds, arguments.seed
    print("seed %d" % SEED)
    if not hw_test.has_io_uring():
        print("hw_kill_test: skipped: no io_uring here")
        return 77
    etcd = (KillEtcd,) if shutil.which("etcd") is not None else ()
    if not etcd:
        print("hw_kill_test: no etcd here: KillEtcd is left out")
    loader = hw_test.unittest.TestLoader()
    suite = hw_test.unittest.TestSuite(
        loader.loadTestsFromTestCase(kind)
        for kind in (Kill, KillAllHolders, KillCoded) + etcd)
    return 0 if together.run(suite, at_once=4) else 1


if __name__ == "__main__":
    sys.exit(main())
