#!/usr/bin/env python3
"""What operators see: forebay status and stats, the metrics, and the dashboard and alert rules that
name them.

usage: hw_ops_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import json
import os
import re
import signal
import socket
import subprocess
import time
import unittest

import hw_test
import stranger
from hw_test import Case, Daemon, free_ports, page
from processes import stand_still

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MONITORING = os.path.join(ROOT, "packaging", "monitoring")
MIB = 1 << 20


class Operator(Case):
    def page(self, daemon, code=0):
        ended = daemon.forebay("status", "--page")
        self.assertEqual((ended.returncode, ended.stderr), (code, b""))
        return ended.stdout.decode()

    def json(self, daemon, code=0):
        ended = daemon.forebay("status", "--json")
        self.assertEqual(ended.returncode, code, ended.stderr)
        return json.loads(ended.stdout)

    def owing(self, *assignments):
        """A daemon that keeps what is written and does not store it yet."""
        return Daemon(self, self.config, "metadata.kind=lmdb",
                      "metadata.path=" + self.path("records"), "core.drain_delay=600 s",
                      "core.hold=100 ms", *assignments)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def put(self, daemon, name, size, level="memory"):
        source = self.write("source", os.urandom(size))
        ended = daemon.forebay("put", "--level", level, source, name)
        self.assertEqual(ended.returncode, 0, ended.stderr)


class Status(Operator):
    def test_page_begins_with_the_answer(self):
        daemon = Daemon(self, self.config)
        lines = self.page(daemon).split("\n")
        self.assertEqual(lines[0], "FINE: node 0 of cluster test serves")
        self.assertIn("owed     nothing: the origin has all that was acknowledged here", lines)
        self.assertIn("now      idle", lines)
        self.assertIn("drive    none", lines)
        self.assertLess(len(lines), 20)

    def test_hits_and_memory_are_those_of_what_was_read(self):
        self.object("data", 2 * MIB)
        daemon = Daemon(self, self.config)
        for _ in range(4):
            self.assertEqual(daemon.forebay("get", "data").returncode, 0)
        self.assertRegex(self.page(daemon), r"reads +32, 8\.00 MiB, 75\.0% hits, p50 \S+ \S+, p99 ")
        state = self.json(daemon)
        self.assertEqual((state["verdict"], state["reasons"]), ("fine", []))
        self.assertEqual(state["memory_used_bytes"], 2 * MIB)
        self.assertEqual(state["replies_memory"], 24)
        self.assertGreater(state["get_latency_ns"]["p99"], 0)
        self.assertLessEqual(state["get_latency_ns"]["p50"], state["get_latency_ns"]["p99"])
        self.assertLessEqual(state["get_latency_ns"]["p99"], state["get_latency_ns"]["max"])

    def test_lines_and_json_tell_the_same(self):
        daemon = Daemon(self, self.config)
        lines, state = daemon.status(), self.json(daemon)
        different = {"uptime_ns", "steps", "get_latency_ns", "write_latency_ns", "tenant", "member"}
        for name, value in lines.items():
            if name not in different:
                self.assertEqual(str(state[name]), value, name)

    def test_owed_bytes_have_an_age_and_a_name(self):
        daemon = self.owing("core.device_size=16 MiB", "device.path=" + self.path("device"))
        self.put(daemon, "models/first", 700000)
        self.put(daemon, "models/second", 700000, "device")
        self.assertRegex(self.page(daemon), r'owed     1\.34 MiB in 6 blocks not at the '
                                            r'origin yet, the oldest for \S+ m?s: "models/first"')
        first = self.json(daemon)
        self.assertEqual(first["undrained_bytes"], 1400000)
        self.assertGreaterEqual(first["device_used_bytes"], 700000)
        self.assertGreater(self.json(daemon)["undrained_oldest_ns"], first["undrained_oldest_ns"])
        daemon.kill()  # it would rightly say what it leaves behind

    def test_daemon_that_cannot_serve_is_down(self):
        config = hw_test.CONFIG.format(folder=self.folder).replace(
            'kind: posix, path: "%s/origin"' % self.folder,
            'kind: s3, endpoint: "http://127.0.0.1:1", bucket: b')
        daemon = Daemon(self, self.write("away.yaml", config.encode()))
        text = self.page(daemon, 1)
        self.assertTrue(text.startswith("DOWN: node 0 of cluster test does not serve:\n"), text)
        self.assertIn("  - origin: it has not answered yet", text)
        self.assertEqual(self.json(daemon, 1)["verdict"], "down")

    def test_usage_and_missing_daemon(self):
        for command in ("status", "stats"):
            for wrong in ("--nonsense", "more"):
                ended = hw_test.run(hw_test.program("forebay"), command, wrong)
                self.assertEqual(ended.returncode, 2)
            ended = hw_test.run(hw_test.program("forebay"), command, "--socket", self.path("none"))
            self.assertEqual(ended.returncode, 1)
            self.assertIn(b"is forebayd running", ended.stderr)
        for wrong in (("--interval", "1"), ("--interval", "1 us"), ("--count", "0"),
                      ("--count", "x")):
            self.assertEqual(hw_test.run(hw_test.program("forebay"), "stats", *wrong).returncode, 2)


class Peers(Operator):
    def start(self, node, config, **more):
        return Daemon(self, config, "node=%d" % node, "client.socket=" + self.path("s%d" % node),
                      name="node%d" % node, **more)

    def test_peer_that_is_away_is_named_until_it_is_back(self):
        config, ports = self.pair()
        first, second = self.start(0, config), self.start(1, config)
        self.object("data", 2 * MIB)
        self.assertEqual(first.forebay("get", "data").returncode, 0)
        first.wait_until(lambda: first.status()["peers_connected"] == "1")
        self.assertTrue(self.page(first).startswith("FINE: "))
        second.kill()  # nobody asks for anything from now on
        first.wait_until(lambda: first.status()["peers_away"] == "1")
        text = self.page(first)
        self.assertTrue(text.startswith("ATTENTION: node 0 of cluster test serves; 2 members:\n"))
        self.assertIn("node 1 at 127.0.0.1:%d is away for " % ports[1], text)
        peer = self.json(first)["peers"][0]
        self.assertEqual((peer["node"], peer["state"]), (1, "away"))
        first.says("event=peer_away peer=1")
        self.start(1, config)
        first.wait_until(lambda: self.json(first)["peers"][0]["state"] == "connected")
        first.says("event=peer_back peer=1")
        first.wait_until(lambda: self.json(first)["verdict"] == "fine")

    def test_more_peers_than_are_shown(self):
        port = free_ports(1)[0]
        members = "members:\n" + "".join(
            '  - {id: %d, address: "127.1.%d.%d:%d"}\n' % (node, node // 250, node % 250 + 1, port)
            for node in range(301))
        config = self.write("many.yaml",
                            (hw_test.CONFIG.format(folder=self.folder) + members).encode())
        state = self.json(Daemon(self, config))
        self.assertEqual(len(state["peers"]), 128)
        self.assertEqual(state["peers_left_out"], 172)

    def test_more_peers_than_are_named(self):
        """Of members that are not there six are named, and the others counted."""
        for count in (6, 8):
            ports = free_ports(1 + count)
            members = "members:\n" + "".join(
                '  - {id: %d, address: "127.0.0.1:%d"}\n' % pair for pair in enumerate(ports))
            config = self.write("away%d.yaml" % count, (
                hw_test.CONFIG.format(folder=self.folder) + members).encode())
            daemon = Daemon(self, config, "client.socket=" + self.path("a%d" % count),
                            name="away%d" % count)

            def all_are_away():
                name = "n%d" % time.monotonic_ns()
                self.object(name, 8 * MIB)
                daemon.forebay("get", name)  # owners of its blocks are asked
                return daemon.status()["peers_away"] == str(count)

            daemon.wait_until(all_are_away)
            reasons = self.json(daemon)["reasons"]
            self.assertEqual(sum("is away for" in reason for reason in reasons), 6)
            self.assertEqual("2 more peers are away or silent" in reasons, count == 8)


class Cluster(Operator):
    def table(self, daemon):
        """The answer's lines, and each member's by its id."""
        ended = daemon.forebay("status", "--cluster")
        self.assertEqual((ended.returncode, ended.stderr), (0, b""))
        answer, _, rows = ended.stdout.decode().partition("\n\n")
        return answer, {line.split()[0]: line.split()[1:] for line in rows.split("\n")[1:] if line}

    def start(self, config, node):
        return Daemon(self, config, "node=%d" % node, "client.socket=" + self.path("s%d" % node),
                      name="node%d" % node)

    def test_members_tell_of_themselves_though_they_were_idle(self):
        config, _ = self.pair()
        first, second = self.start(config, 0), self.start(config, 1)
        answer, rows = self.table(first)
        self.assertEqual(answer, "FINE: cluster test, 2 members, asked by node 0")
        self.assertEqual({node: row[0] for node, row in rows.items()},
                         {"0": "serves", "1": "serves"})
        self.object("data", 2 * MIB)
        for _ in range(2):
            self.assertEqual(second.forebay("get", "data").returncode, 0)
        row = self.table(first)[1]["1"]
        self.assertEqual(row[5:7], ["16", "50.0%"])  # reads and hits
        self.assertEqual(second.forebay("drain").returncode, 0)
        answer, rows = self.table(first)
        self.assertIn("  - node 1: drained: see forebay status there", answer)
        self.assertEqual(rows["1"][0], "drained")
        state = json.loads(first.forebay("status", "--cluster", "--json").stdout)
        self.assertEqual([one["draining"] for one in state["summaries"]], [0, 1])
        self.assertEqual([one["version"] for one in state["peers"]], [3])

    def test_member_that_hangs_is_named(self):
        config, _ = self.pair()
        first, second = self.start(config, 0), self.start(config, 1)
        self.assertTrue(self.table(first)[0].startswith("FINE"))
        stand_still(second.process)
        answer, rows = self.table(first)
        second.process.send_signal(signal.SIGCONT)
        self.assertIn("  - node 1 gives no answer: is its daemon stopped", answer)
        self.assertEqual(rows["1"][-2:], ["no", "answer"])
        second.kill()
        first.wait_until(lambda: self.table(first)[1]["1"][0] == "away")

    def crowd(self, count, speaks=0):
        """A daemon, and members of our making that tell it of themselves, once."""
        port = free_ports(1)[0]
        members = "members:\n" + "".join(
            '  - {id: %d, address: "127.1.0.%d:%d"}\n' % (node, node + 1, port)
            for node in range(count))
        config = self.write("many.yaml",
                            (hw_test.CONFIG.format(folder=self.folder) + members).encode())
        daemon = Daemon(self, config, "client.socket=" + self.path("s%d" % count),
                        name="of%d" % count)
        for node in range(1, count):
            member = socket.create_connection(("127.1.0.1", port))
            self.addCleanup(member.close)
            member.sendall(stranger.hello(node, 0, speaks=speaks) +
                           stranger.summary(node, 1, 0, 0))
        return daemon

    def test_more_reasons_than_are_said(self):
        for count in (16, 20):
            daemon = self.crowd(1 + count, speaks=3)
            daemon.wait_until(lambda: len(self.json(daemon)["summaries"]) == 1 + count)
            answer, _ = self.table(daemon)
            self.assertEqual(answer.count("  - node "), 16)
            more = "  - and %d more reasons: see the lines below" % (count - 16)
            self.assertEqual(more in answer, count > 16)

    def test_more_members_than_are_shown(self):
        count = 41
        daemon = self.crowd(count)
        daemon.wait_until(lambda: self.json(daemon)["summaries_left_out"] == count - 32)
        summaries = self.json(daemon)["summaries"]
        self.assertEqual([one["node"] for one in summaries], list(range(32)))
        self.assertEqual((summaries[5]["ready"], summaries[5]["memory_used_bytes"]), (1, 0))


class Stats(Operator):
    def test_line_an_interval_with_what_went_on_in_it(self):
        self.object("data", 2 * MIB)
        daemon = Daemon(self, self.config)
        with open(self.path("stats"), "wb") as output:
            stats = subprocess.Popen([hw_test.program("forebay"), "stats", "--socket",
                                      daemon.socket, "--interval", "100 ms"], stdout=output)
        self.addCleanup(stats.wait)
        self.addCleanup(stats.kill)

        def rows():
            lines = self.read("stats").split("\n")[:-1]  # what follows is not whole
            return [line.split() for line in lines if not line.startswith("time")]

        daemon.wait_until(lambda: len(rows()) > 0)
        for _ in range(4):
            self.assertEqual(daemon.forebay("get", "data").returncode, 0)
        seen = len(rows())
        daemon.wait_until(lambda: len(rows()) > seen + 2)
        self.assertEqual(self.read("stats").split()[:4], ["time", "reads/s", "read", "hit%"])
        self.assertEqual(rows()[0][1], "0")
        self.assertGreater(max(int(row[1]) for row in rows()), 0)
        self.assertEqual(rows()[-1][1], "0")
        counted = daemon.forebay("stats", "--count", "2", "--interval", "50 ms")
        self.assertEqual((counted.returncode, len(counted.stdout.strip().split(b"\n"))), (0, 3))

    def test_end_of_the_daemon_is_said(self):
        daemon = Daemon(self, self.config)
        stats = subprocess.Popen(
            [hw_test.program("forebay"), "stats", "--socket", daemon.socket, "--interval", "50 ms"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertIn("reads/s", stats.stdout.readline())
        self.assertEqual(daemon.stop(), 0)
        self.assertIn("the daemon has ended", stats.communicate(timeout=30)[1])
        self.assertEqual(stats.returncode, 1)


class Drain(Operator):
    def writing(self, daemon, name):
        """A put under way: its first half is acknowledged."""
        writer = subprocess.Popen(
            [hw_test.program("forebay"), "put", "--socket", daemon.socket, "--level", "memory", "-",
             name], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(writer.communicate)
        self.addCleanup(writer.kill)
        writer.stdin.write(b"1" * MIB)
        writer.stdin.flush()
        daemon.wait_until(lambda: self.json(daemon)["files_written"] == 1)
        return writer

    def refuses_writes(self, daemon):
        ended = daemon.forebay("put", "--level", "memory", self.write("more", b"2"), "more")
        self.assertEqual(ended.returncode, 1)

    def test_drained_daemon_reads_on_and_takes_no_writes_until_it_is_told(self):
        daemon = Daemon(self, self.config)
        self.put(daemon, "file", 700000)
        ended = daemon.forebay("drain")
        self.assertEqual((ended.returncode, ended.stdout), (
            0, b"drained: nothing is owed; it takes no writes and reads on\n"))
        self.assertEqual(len(daemon.forebay("get", "file").stdout), 700000)
        self.refuses_writes(daemon)
        self.assertIn("it is drained: it takes no writes", self.page(daemon))
        self.assertEqual(daemon.forebay("drain", "--end").returncode, 0)
        self.put(daemon, "more", 1000)
        self.assertTrue(self.page(daemon).startswith("FINE"))

    def test_file_that_is_being_written_is_waited_for_and_finished(self):
        daemon = Daemon(self, self.config)
        writer = self.writing(daemon, "file")
        ended = daemon.forebay("drain", "--patience", "300 ms")
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"1 files being written: the daemon takes no writes", ended.stdout)
        self.refuses_writes(daemon)
        self.assertEqual(writer.communicate(b"2" * MIB, timeout=30)[1], b"")
        self.assertEqual(writer.returncode, 0)
        self.assertEqual(daemon.forebay("drain").returncode, 0)
        self.assertEqual(os.path.getsize(self.path("origin/file")), 2 * MIB)

    def test_what_is_left_is_said_and_the_daemon_stays(self):
        daemon = self.owing()
        self.put(daemon, "models/first", 700000)
        ended = daemon.forebay("leave", "--patience", "300 ms")
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b'684 KiB in 3 blocks owed to the origin, the oldest of "models/first", '
                      b"1 names unfinished", ended.stdout)
        self.assertIsNone(daemon.process.poll())
        self.assertEqual(len(daemon.forebay("get", "models/first").stdout), 700000)
        daemon.kill()  # it would rightly say what it leaves behind

    def test_daemon_that_leaves_ends_and_all_is_at_the_origin(self):
        daemon = Daemon(self, self.config)
        self.put(daemon, "file", 700000)
        ended = daemon.forebay("leave", "--patience", "30 s")
        self.assertEqual((ended.returncode, ended.stdout),
                         (0, b"left: the daemon has ended and owes nothing\n"))
        self.assertEqual(daemon.process.wait(10), 0)
        self.assertEqual(os.path.getsize(self.path("origin/file")), 700000)
        daemon.says("event=drain wish=leave user=%d" % os.geteuid())
        self.assertEqual(daemon.forebay("leave").returncode, 1)

    @unittest.skipIf(os.geteuid() != 0, "only root can be another user")
    def test_others_may_not(self):
        daemon = Daemon(self, self.config)
        os.chmod(self.folder, 0o755)
        os.chmod(daemon.socket, 0o666)
        os.seteuid(65534)
        try:
            client = stranger.Client(daemon.socket)
        finally:
            os.seteuid(0)
        self.addCleanup(client.close)
        for wish in range(3):
            self.assertEqual(client.call(stranger.DRAIN, index=wish)["status"], stranger.DENIED)
        self.put(daemon, "more", 1000)
        own = stranger.Client(daemon.socket)
        self.addCleanup(own.close)
        self.assertEqual(own.call(stranger.DRAIN, index=3)["status"], stranger.INVALID)

    def test_usage(self):
        for wrong in (("drain", "x"), ("leave", "--end"), ("drain", "--patience", "5")):
            self.assertEqual(hw_test.run(hw_test.program("forebay"), *wrong).returncode, 2)


class Tenants(Operator):
    def start(self, count):
        self.port = free_ports(1)[0]
        return Daemon(self, self.config, "core.tenants_max=%d" % count,
                      "http=127.0.0.1:%d" % self.port)

    def puts(self, daemon, tenants, size):
        client = stranger.Client(daemon.socket)
        self.addCleanup(client.close)
        client.put_arena(b"x" * size)
        for tenant in tenants:
            put = client.asked(stranger.PUT, tenant=tenant, key=(1, tenant), size=size)
            self.assertEqual(put["status"], stranger.OK)
        return client

    def test_each_has_its_own_figures(self):
        daemon = self.start(4)
        client = self.puts(daemon, (2, 3, 3), 100000)
        read = client.asked(stranger.GET_KEY, tenant=2, key=(1, 2), size=100000)
        self.assertEqual(read["status"], stranger.OK)
        tenants = {one["tenant"]: one for one in self.json(daemon)["tenants"]}
        self.assertEqual(sorted(tenants), [2, 3])
        self.assertEqual((tenants[2]["memory_bytes"], tenants[2]["reads"], tenants[2]["hits"],
                          tenants[2]["writes"]), (100000, 1, 1, 1))
        self.assertEqual((tenants[3]["reads"], tenants[3]["write_bytes"]), (0, 200000))
        metrics = page(self.port, "/metrics")[1]
        self.assertIn('forebay_tenant_read_bytes_total{tenant="2"} 100000\n', metrics)
        self.assertIn('forebay_tenant_memory_bytes{tenant="3"} 100000\n', metrics)
        self.assertRegex(self.page(daemon), r"tenant   2 has 97\.7 KiB of the memory; 1 reads, 100")

    def test_more_tenants_than_are_shown(self):
        daemon = self.start(80)
        self.puts(daemon, range(1, 71), 1000)
        state = self.json(daemon)
        self.assertEqual(len(state["tenants"]), 64)
        self.assertEqual(state["tenants_left_out"], 6)


class Doctor(Operator):
    def lines(self, *assignments):
        """What doctor says, by what it is about: grade and text."""
        arguments = [hw_test.program("forebay"), "doctor", "--config", self.pair()[0]]
        for assignment in assignments:
            arguments += ["--set", assignment]
        said = {}
        for line in hw_test.run(*arguments).stdout.decode().split("\n"):
            said.setdefault(line[9:25].strip(), []).append((line[:8].strip(), line[26:]))
        return said

    def memory(self, name):
        with open("/proc/meminfo", encoding="utf-8") as file:
            return int(re.search(r"^%s: +(\d+) kB" % name, file.read(), re.M).group(1)) << 10

    def test_port_drive_and_clock_are_looked_at(self):
        said = self.lines("device.path=" + self.path("device"), "core.device_size=16 MiB")
        with open("/sys/class/net/lo/mtu", encoding="utf-8") as file:
            self.assertEqual(said["network"], [("fine", "lo: MTU " + file.read().strip())])
        grade, text = said["drive speed"][0]
        rates = re.match(r"written (\S+) (.)B/s, read (\S+) (.)B/s, one at a time", text)
        self.assertIsNotNone(rates, text)
        self.assertIn(grade, ("fine", "warning"))
        self.assertEqual(grade == "warning", "slower than an NVMe" in text)
        self.assertRegex(said["clock"][0][1], r"^(synchronised, off by|not synchronised)")
        self.assertEqual([name for name in os.listdir(self.folder) if "doctor" in name], [])

    def test_memory_that_others_have_is_not_there(self):
        self.assertEqual(self.lines()["free memory"][0][0], "fine")
        between = (self.memory("MemAvailable") + self.memory("MemTotal")) // 2 >> 20
        grade, text = self.lines("core.memory_size=%d MiB" % between)["free memory"][0]
        self.assertEqual(grade, "warning")
        self.assertIn("another process, or a running daemon, has what is missing", text)

    def test_address_that_no_port_has_is_said(self):
        grade, text = self.lines("listen=192.0.2.1:9")["network"][0]
        self.assertEqual((grade, text), (
            "warning", "no port has the address of listen, 192.0.2.1:9"))


class Metrics(Operator):
    def exported(self):
        """Names of a daemon's samples that has a drive, a peer and tenants."""
        config, _ = self.pair()
        port = free_ports(1)[0]
        self.object("data", MIB)
        daemon = Daemon(self, config, "http=127.0.0.1:%d" % port, "core.tenants_max=4",
                        "core.device_size=16 MiB", "device.path=" + self.path("device"))
        self.assertEqual(daemon.forebay("get", "data").returncode, 0)
        text = page(port, "/metrics")[1]
        self.assertTrue(text.endswith("\n"))
        for line in text.strip().split("\n"):
            self.assertRegex(line, r'^(# (HELP|TYPE) \w+ .+|'
                                   r'\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? \S+)$')
        return set(re.findall(r"^(forebay_\w+)[ {]", text, re.M))

    def named(self, name):
        with open(os.path.join(MONITORING, name), encoding="utf-8") as file:
            text = file.read()
        found = set(re.findall(r"forebay_\w+", text))
        self.assertGreater(len(found), 10)
        return found

    def test_what_dashboard_and_rules_name_is_exported(self):
        exported = self.exported()
        for name in sorted(os.listdir(MONITORING)):
            missing = self.named(name) - {"forebay_"} - exported
            self.assertEqual(missing, set(), name)

    def test_dashboard_is_whole(self):
        with open(os.path.join(MONITORING, "forebay-dashboard.json"), encoding="utf-8") as file:
            board = json.load(file)
        places = set()
        for panel in board["panels"]:
            self.assertTrue(panel["title"] and all(one["expr"] for one in panel["targets"]))
            spot = panel["gridPos"]
            cells = {(x, y) for x in range(spot["x"], spot["x"] + spot["w"])
                     for y in range(spot["y"], spot["y"] + spot["h"])}
            self.assertFalse(cells & places, panel["title"])
            places |= cells
        self.assertEqual(max(x for x, _ in places), 23)


if __name__ == "__main__":
    hw_test.main("hw_ops_test")
