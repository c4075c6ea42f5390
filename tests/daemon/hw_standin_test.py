#!/usr/bin/env python3
"""A write needs its copies, not these very members: one of four daemons is killed or stopped for
good, the list of members stays as it is, and the others write and read as before. What too few
members can hold is refused by its name, or answered aloud where the config allows it.

usage: hw_standin_test.py BUILD [--puts N] [unittest's arguments]
exit code 77: there is no io_uring here
"""

import random
import signal
import sys
import time

import hw_test
import stranger
from hw_test import Case, Daemon, free_ports, program, run
from processes import stand_still

PUTS = 12        # each way; --puts
PATIENCE_S = 4   # of a put on a machine that is busy elsewhere; alone it takes a tenth
LONGEST_S = 1    # of each of many, on a machine of its own


class Cluster(Case):
    def start_all(self, count, core):
        members = "".join("  - {id: %d, address: \"127.0.0.1:%d\"}\n" % pair
                          for pair in enumerate(free_ports(count)))
        text = hw_test.CONFIG.format(folder=self.folder).replace("core: {", "core: {" + core)
        text = text.replace("memory_size: 4 MiB", "memory_size: 16 MiB") + "members:\n" + members
        self.config = self.write("cluster.yaml", text.encode())
        return [self.start(node) for node in range(count)]

    def start(self, node):
        return Daemon(self, self.config, "node=%d" % node,
                      "client.socket=" + self.path("socket%d" % node), name="node%d" % node)

    def put(self, daemon, name, level="replicated"):
        content = random.Random(name).randbytes(1 << 20)
        path = self.write("content", content)
        began = time.monotonic()
        ended = daemon.forebay("put", "--level", level, path, name)
        return ended, time.monotonic() - began, content


class Writing(Cluster):
    def writes_without(self, lame):
        daemons = self.start_all(4, "")
        written, times = {}, []
        for number in range(PUTS):
            if number == PUTS // 10:
                lame(daemons[3])
            name = "put%d" % number
            ended, took_s, written[name] = self.put(daemons[number % 3], name)
            times.append(took_s)
            self.assertEqual(ended.returncode, 0, ended.stderr)
            self.assertLess(took_s, PATIENCE_S if PUTS < 1000 else LONGEST_S)
        print("%d puts while one of four is away: the longest took %.3f s, the middle one %.3f s" %
              (PUTS, max(times), sorted(times)[PUTS // 2]))
        for number, (name, content) in enumerate(written.items()):
            got = daemons[(number + 1) % 3].forebay("get", name)
            self.assertEqual(got.returncode, 0, got.stderr)
            self.assertEqual(got.stdout, content)
        stood = sum(int(daemon.status()["standins"]) for daemon in daemons[:3])
        self.assertGreater(stood, 0)

    def test_one_of_four_killed_others_write(self):
        self.writes_without(lambda daemon: daemon.kill())

    def test_one_of_four_stopped_others_write(self):
        def resume(daemon):
            daemon.process.send_signal(signal.SIGCONT)
            time.sleep(0.5)  # what it was sent meanwhile arrives
            daemon.wait_until(lambda: daemon.status()["undrained_bytes"] == "0")

        def stop(daemon):
            stand_still(daemon.process)
            self.addCleanup(resume, daemon)
        self.writes_without(stop)


class Names(Cluster):
    def test_blocks_that_arrive_together_keep_their_names(self):
        """Of many versions of one name, each block of which is owed: whoever has heard of them all
        at once and is left alone brings each of them to the origin."""
        one, two = self.start_all(2, "replicas: 2, drain_delay: 6 s, ")
        stand_still(two.process)
        clients = []
        for _ in range(12):
            client = stranger.Client(one.socket)
            handle = client.call(stranger.CREATE, name=b"name")["object"]
            client.put_arena(bytes(4096))
            self.assertEqual(client.asked(stranger.WRITE, object=handle, index=0, size=4096,
                                          level=0)["status"], stranger.OK)
            clients.append(client)
        two.process.send_signal(signal.SIGCONT)
        two.wait_until(lambda: int(two.status()["undrained_bytes"]) == 12 * 4096)
        one.kill()
        two.wait_until(lambda: two.status()["undrained_bytes"] == "0")
        self.assertEqual(two.stop(), 0)
        for client in clients:
            client.close()


class Promise(Cluster):
    def test_too_few_members_is_degraded(self):
        daemons = self.start_all(2, "hold: 200 ms, retries_max: 2, drain_delay: 30 s, ")
        daemons[1].kill()
        ended, _, _ = self.put(daemons[0], "refused")
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"degraded", ended.stderr)
        daemons[0].says("event=degraded")
        daemons[0].says("answer=refused")
        self.assertEqual(daemons[0].status()["degraded"], "0")
        daemons[0].kill()  # it would wait for its drain

    def test_too_few_members_where_allowed_is_said_aloud(self):
        daemons = self.start_all(2, "hold: 200 ms, drain_delay: 1 s, degraded: allow, ")
        daemons[1].kill()
        ended, _, content = self.put(daemons[0], "allowed")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(daemons[0].forebay("get", "allowed").stdout, content)
        self.assertGreater(int(daemons[0].status()["degraded"]), 0)
        daemons[0].says("answer=allowed")

    def test_copies_that_cannot_be_are_refused_at_the_start(self):
        cases = (("core.replicas=2", "1 members"), ("core.write_quorum=2", "never more than 1"),
                 ("core.place_local=true", None), ("core.degraded=perhaps", "refuse, allow"))
        for assignment, text in cases:
            ended = run(program("forebayd"), "--config", self.config, "--check",
                        "--set", assignment)
            self.assertEqual(ended.returncode, 2 if text else 0, ended.stderr)
            self.assertIn(text or "", ended.stderr.decode())

    def test_one_copy_is_said_aloud(self):
        """A lone member has no other to copy to: replicated is memory there."""
        http, = free_ports(1)
        metadata = ["metadata.kind=lmdb", "metadata.path=" + self.path("records"),
                    "core.drain_delay=5 s", "core.drain_check=5 s"]
        config = ["--config", self.config]
        checked = run(program("forebayd"), *config, "--check")
        self.assertIn(b"one copy: level replicated is level memory", checked.stdout)
        self.assertIn(b"one member", checked.stdout)
        looked = run(program("forebay"), "doctor", *config).stdout.decode()
        self.assertRegex(looked, "warning +copies +level replicated is level memory")
        daemon = Daemon(self, self.config, "http=127.0.0.1:%d" % http, *metadata)
        daemon.says("level=warning node=0 event=one_copy")
        self.assertEqual(daemon.status()["write_quorum"], "1")
        self.assertIn("\nforebay_write_quorum 1\n", hw_test.page(http, "/metrics")[1])
        for level, shown in (("replicated", "memory"), ("memory", "memory")):
            put = daemon.forebay("put", "--level", level, self.write("source", b"x"), level)
            self.assertEqual(put.returncode, 0, put.stderr)
            self.assertIn(b"level " + shown.encode(), daemon.forebay("stat", level).stdout)
        pair, _ = self.pair()
        self.assertNotIn(b"one copy", run(program("forebayd"), "--config", pair, "--check").stdout)
        for assignment, text in (("core.write_quorum=1", b"core.write_quorum is 1"),
                                 ("core.place_local=true", b"core.write_quorum is 1")):
            checked = run(program("forebayd"), "--config", pair, "--check", "--set", assignment)
            self.assertIn(text, checked.stdout)


if __name__ == "__main__":
    if sys.argv[2:3] == ["--puts"]:
        PUTS = int(sys.argv[3])
        del sys.argv[2:4]
    hw_test.main("hw_standin_test", at_once=hw_test.AT_ONCE if PUTS < 1000 else 1)
