#!/usr/bin/env python3
"""Members that come and go: daemons that keep a lease at an etcd of this machine.

usage: hw_etcd_test.py BUILD [unittest's arguments]
exit code 77: there is no etcd, or no io_uring, here
"""

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request

import hw_test
from hw_test import CONFIG, Case, Daemon, free_ports, page, program, run


class Etcd(Case):
    """Members that come and go: a lease is two seconds."""

    def setUp(self):
        super().setUp()
        self.ports = free_ports(2)
        self.start_etcd()
        text = CONFIG.format(folder=self.folder) + (
            "listen: \"127.0.0.1:1\"\nmembership: {kind: etcd, endpoint: "
            "\"http://127.0.0.1:%d\", lease: 2 s}\n" % self.ports[0])
        self.config = self.write("etcd.yaml", text.encode())

    def start_etcd(self, *options):
        url, peer = ("http://127.0.0.1:%d" % port for port in self.ports)
        self.etcd = subprocess.Popen(
            ["etcd", "--data-dir", self.path("etcd"), "--listen-client-urls", url,
             "--advertise-client-urls", url, "--listen-peer-urls", peer,
             "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer,
             *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.stop_etcd, self.etcd)

    @staticmethod
    def stop_etcd(etcd):
        etcd.kill()
        etcd.wait()

    def start(self, node, *assignments, name=None, port=None):
        return Daemon(self, self.config, "node=%d" % node, *assignments,
                      "client.socket=" + self.path("socket%s" % (name or node)),
                      "listen=127.0.0.1:%d" % (port or free_ports(1)[0]),
                      name=name or str(node))

    def members(self, daemon, count):
        daemon.wait_until(lambda: daemon.status().get("members") == str(count))

    def test_members_come_and_go(self):
        content = self.object("data", 2 << 20)
        first = self.start(0)
        self.members(first, 1)
        second = self.start(1)
        self.members(first, 2)
        self.assertEqual(first.forebay("get", "data").stdout, content)
        self.assertEqual(second.forebay("get", "data").stdout, content)
        self.assertEqual(sum(int(one.status()["origin_fetches"]) for one in (first, second)), 8)
        third = self.start(7)
        self.members(first, 3)
        self.assertEqual(third.stop(), 0)
        self.members(first, 2)
        second.kill()
        self.members(first, 1)
        self.assertEqual(first.forebay("get", "data").stdout, content)

    def test_database_at_its_quota_is_no_space_and_said_in_etcds_own_words(self):
        """Its answer is a 429, as if it were only too fast."""
        self.stop_etcd(self.etcd)
        self.start_etcd("--quota-backend-bytes", "2000000")
        store = "metadata={kind: etcd, endpoint: \"http://127.0.0.1:%d\"}" % self.ports[0]
        with open(self.config, "a", encoding="utf-8") as file:
            file.write(store.replace("=", ": ", 1) + "\n")
        first, second = self.start(0), self.start(1)
        self.members(first, 2)
        self.assertEqual(first.forebay("put", self.config, "before").returncode, 0)
        words = self.fill()
        begun = time.monotonic()
        for command in (("put", self.config, "after"), ("rm", "before")):
            ended = first.forebay(*command)
            self.assertEqual(ended.returncode, 1)
            self.assertIn(b"No space left", ended.stderr, first.log())
        self.assertLess(time.monotonic() - begun, 20)
        page = first.forebay("status", "--page").stdout.decode()
        self.assertTrue(page.startswith("ATTENTION"), page)
        self.assertIn("the metadata store has no room", page)
        first.says(words)
        self.assertLess(first.log().count("event=metadata_failed"), 10)
        self.assertEqual(first.forebay("get", "before").returncode, 0)
        second.kill()
        with self.assertRaises(AssertionError) as caught:
            self.start(1, name="again")
        self.assertIn(words, str(caught.exception))
        self.assertNotIn("is etcd running there?", str(caught.exception))
        first.kill()  # nobody makes room

    def fill(self):
        """Until etcd refuses; what it says."""
        url = "http://127.0.0.1:%d/v3/kv/put" % self.ports[0]
        value = base64.b64encode(b"j" * 8000).decode()
        for number in range(4000):
            key = base64.b64encode(b"junk%d" % number).decode()
            try:
                urllib.request.urlopen(urllib.request.Request(
                    url, json.dumps({"key": key, "value": value}).encode())).close()
            except urllib.error.HTTPError as error:
                with error:
                    self.assertIn(b"database space exceeded", error.read())
                return "database space exceeded"
        raise AssertionError("etcd is not full")

    def test_members_that_come_and_go_leave_no_memory_behind(self):
        """A view is megabytes; the one before it is given back, not kept for later."""
        def resident_kib():
            with open("/proc/%d/status" % first.process.pid, encoding="utf-8") as file:
                fields = dict(line.split(":", 1) for line in file if ":" in line)
            return int(fields["VmRSS"].split()[0])

        first = self.start(0)
        self.members(first, 1)
        before = resident_kib()
        for turn in range(3):
            second = self.start(1, name="turn%d" % turn)
            self.members(first, 2)
            self.assertEqual(second.stop(), 0)
            self.members(first, 1)
        self.assertLess(resident_kib(), before + 2048)

    def test_killed_daemon_takes_its_place_again_at_once(self):
        """Also within its lease; the other hears of it: what it held in memory is gone."""
        port = free_ports(1)[0]
        first = self.start(0, port=port)
        self.members(first, 1)
        second = self.start(1)
        self.members(second, 2)
        self.assertNotIn("event=members_changed", second.log())
        first.kill()
        self.start(0, name="again", port=port)
        second.wait_until(lambda: "event=members_changed" in second.log())
        self.members(second, 2)

    def test_second_daemon_of_one_id_is_refused(self):
        self.start(0)
        ended = run(program("forebayd"), "--config", self.config, "--set",
                    "listen=127.0.0.1:%d" % free_ports(1)[0], "--set",
                    "client.socket=" + self.path("twin"))
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"another daemon has the id 0", ended.stderr)

    def test_fenced_without_lease_and_back(self):
        """Its lease runs out, etcd being away: reads go on, changes are refused; then it joins."""
        content = self.object("data", 1 << 20)
        port = free_ports(1)[0]
        watched = free_ports(1)[0]
        first = self.start(0, "http=127.0.0.1:%d" % watched, port=port)
        second = self.start(1)
        self.members(second, 2)
        first.wait_until(lambda: page(watched, "/ready") == (200, "ready\n"))
        self.assertEqual(first.forebay("get", "data").stdout, content)
        self.stop_etcd(self.etcd)
        first.wait_until(lambda: first.status()["fenced"] == "1")
        first.says("event=fenced")
        code, text = page(watched, "/ready")
        self.assertEqual((code, text.count("\n")), (503, 1))
        self.assertTrue(text.startswith("fenced: the lease has run out"), text)
        self.assertEqual(page(watched, "/health")[0], 200)
        self.assertEqual(first.forebay("get", "data").stdout, content)
        source = self.write("source", b"new")
        for command in (("put", source, "new"), ("rm", "data")):
            ended = first.forebay(*command)
            self.assertEqual(ended.returncode, 1)
        self.assertIn(b"cut off from its cluster", first.forebay("put", source, "new").stderr)
        self.assertTrue(os.path.exists(os.path.join(self.path("origin"), "data")))
        ended = run(program("forebayd"), "--config", self.config, "--set",
                    "listen=127.0.0.1:%d" % free_ports(1)[0])
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"is etcd running there?", ended.stderr)
        self.start_etcd()
        for daemon in (first, second):
            daemon.wait_until(lambda d=daemon: "event=rejoined" in d.log())
        self.members(first, 2)
        self.assertEqual(page(watched, "/ready"), (200, "ready\n"))
        self.assertEqual(first.forebay("put", source, "new").returncode, 0)
        self.assertEqual(second.forebay("get", "new").stdout, b"new")

    def test_metadata_that_comes_late(self):
        """A store that is not there at the start: not ready until it has answered once; when it
        goes again, the node serves what it knows."""
        self.stop_etcd(self.etcd)
        watched = free_ports(1)[0]
        config = self.write("names.yaml", (CONFIG.format(folder=self.folder) + (
            "http: \"127.0.0.1:%d\"\nmetadata: {kind: etcd, endpoint: "
            "\"http://127.0.0.1:%d\"}\n" % (watched, self.ports[0]))).encode())
        daemon = Daemon(self, config)
        daemon.wait_until(lambda: "the last try" in page(watched, "/ready")[1])
        code, text = page(watched, "/ready")
        self.assertEqual((code, text.count("\n")), (503, 1))
        self.assertTrue(text.startswith("metadata: it has not answered yet"), text)
        self.start_etcd()
        daemon.wait_until(lambda: page(watched, "/ready") == (200, "ready\n"))
        self.stop_etcd(self.etcd)
        self.assertEqual(page(watched, "/ready"), (200, "ready\n"))

    def test_lease_that_is_revoked_is_noticed(self):
        """What others do with a node that is thought dead: it fences itself, and comes back."""
        first = self.start(0)
        self.members(first, 1)
        key = base64.b64encode(b"/forebay/test/members/0").decode()
        found = self.ask("/v3/kv/range", {"key": key})
        self.ask("/v3/lease/revoke", {"ID": found["kvs"][0]["lease"]})
        first.wait_until(lambda: "event=rejoined" in first.log())
        first.says("event=fenced")
        self.members(first, 1)

    def put(self, node, value):
        """Somebody writes a member's record."""
        self.ask("/v3/kv/put", {"key": self.encode("/forebay/test/members/%s" % node),
                                "value": self.encode(value)})

    def test_records_that_nobody_understands_are_left_out_and_said_once(self):
        content = self.object("data", 1 << 20)
        daemons = [self.start(0), self.start(1)]
        bad = {"2": "bogus 0 1", "3": "127.0.0.1:http 0 1", "4": "[%s]:1 x 1" % ("a" * 120),
               "5": "127.0.0.1:1 0 4294967295", "6": "127.0.0.1:1 -1 1", "7": "",
               "8": "127.0.0.1:1 0 1 more", "9x": "127.0.0.1:1 0 1", "": "127.0.0.1:1 0 1",
               "4294967295": "127.0.0.1:1 0 1", "01": "127.0.0.1:1 0 1", "a": "\0" * 500,
               "10": "a" * 6000 + ":1 0 1", "11": "127.0.0.1:99999 0 1",
               "12": "a" * 7000 + ":1 0 1"}
        for node, value in bad.items():
            self.put(node, value)
        for daemon in daemons:
            daemon.wait_until(lambda d=daemon: d.log().count("event=member_left_out") >= len(bad))
            self.members(daemon, 2)
            self.assertEqual(daemon.forebay("get", "data").stdout, content)
        self.put("2", "127.0.0.1:1 0 1")  # understood again
        self.members(daemons[0], 3)
        self.start(20)  # among the others
        self.members(daemons[0], 4)
        self.assertLessEqual(daemons[0].log().count("event=member_left_out"), len(bad))

    def test_more_of_them_than_are_told_of_are_counted(self):
        daemon = self.start(0)
        for count in (64, 70):
            for node in range(100, 100 + count):
                self.put(node, "bogus")
            daemon.wait_until(lambda: daemon.status().get("members_left_out") == str(count))
            self.assertEqual(daemon.log().count("event=member_left_out"), 64)
            self.assertIn(b"%d records of members are not understood" % count,
                          daemon.forebay("status", "--json").stdout)

    def test_no_record_at_all_changes_nothing(self):
        content = self.object("data", 1 << 20)
        daemon = self.start(0)
        everything = {"key": self.encode("/forebay/"), "range_end": self.encode("/forebay0")}
        self.ask("/v3/kv/deleterange", everything)
        self.assertEqual(daemon.forebay("get", "data").stdout, content)
        key = {"key": self.encode("/forebay/test/members/0")}
        daemon.wait_until(lambda: "kvs" in self.ask("/v3/kv/range", key))  # it writes it again
        self.put(0, "overwritten")
        daemon.wait_until(lambda: "event=record_taken" in daemon.log())
        self.assertEqual(daemon.forebay("get", "data").stdout, content)
        self.ask("/v3/kv/deleterange", key)
        daemon.wait_until(lambda: "kvs" in self.ask("/v3/kv/range", key))

    @staticmethod
    def encode(text):
        return base64.b64encode(text.encode()).decode()

    def ask(self, path, question):
        url = "http://127.0.0.1:%d%s" % (self.ports[0], path)
        with urllib.request.urlopen(url, json.dumps(question).encode(), timeout=5) as answer:
            return json.load(answer)


if __name__ == "__main__":
    hw_test.main("hw_etcd_test",
                 what_is_missing=lambda: not shutil.which("etcd") and "no etcd here")
