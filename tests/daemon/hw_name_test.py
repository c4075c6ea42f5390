#!/usr/bin/env python3
"""One namespace: a file is visible to every node at its commit, before it is at the origin; an
overwrite hides the version before at once; of two writers one wins; what a killed daemon left
unfinished another finishes. With records in LMDB on one node and in etcd on three.

usage: hw_name_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
import unittest
import urllib.request

import hw_test
from hw_test import CONFIG, Case, Daemon, free_ports, program, run, wait_taken


class Names:
    """What holds for both stores."""
    NODES = 1
    # Nothing reaches the origin before this time: what is read comes from the cache.
    SLOW = "drain_delay: 2 s, drain_check: 2 s, "

    def setUp(self):
        super().setUp()
        text = CONFIG.format(folder=self.folder).replace("core: {", "core: {" + self.SLOW)
        text = text.replace("memory_size: 4 MiB", "memory_size: 16 MiB") + self.metadata()
        if self.NODES > 1 and "membership" not in text:
            text += "peer_timeout: 2 s\nmembers:\n" + "".join(
                "  - {id: %d, address: \"127.0.0.1:%d\"}\n" % pair
                for pair in enumerate(free_ports(self.NODES)))
        self.config = self.write("names.yaml", text.encode())
        self.daemons = [self.start(node) for node in range(self.NODES)]
        self.first, self.last = self.daemons[0], self.daemons[-1]

    def metadata(self):
        return "metadata: {kind: lmdb, path: \"%s\"}\n" % self.path("records")

    def start(self, node, name=None):
        return Daemon(self, self.config, "node=%d" % node,
                      "client.socket=" + self.path("socket%d" % node),
                      "record=" + self.path("events%s" % (name or node)), name=name or str(node))

    def put(self, daemon, name, content, level="replicated"):
        source = self.write("source", content)
        ended = daemon.forebay("put", "--level", level, source, name)
        self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())

    def get(self, daemon, name):
        ended = daemon.forebay("get", name)
        self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
        return ended.stdout

    def facts(self, daemon, name):
        ended = daemon.forebay("stat", name)
        self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
        return dict(line.split(" ", 1) for line in ended.stdout.decode().strip().split("\n"))

    def origin(self, name):
        try:
            with open(os.path.join(self.path("origin"), name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def test_visible_at_the_commit_then_composed(self):
        content = os.urandom(2500000)
        self.put(self.first, "a/b", content)
        self.assertIsNone(self.origin("a/b"), "it was to be seen before it is at the origin")
        facts = self.facts(self.last, "a/b")
        self.assertEqual((facts["state"], facts["level"], facts["size_bytes"]),
                         ("cache", "replicated" if self.NODES > 1 else "memory", "2500000"))
        for daemon in reversed(self.daemons):
            self.assertEqual(self.get(daemon, "a/b"), content)
            self.assertEqual(daemon.status()["origin_fetches"], "0", "read from the cache")
            self.assertNotIn("event=connection_lost", daemon.log())
        self.first.wait_until(lambda: self.origin("a/b") == content)
        self.first.wait_until(lambda: self.facts(self.last, "a/b")["state"] == "origin")
        self.assertEqual(self.facts(self.last, "a/b")["version"], facts["version"])
        self.assertEqual(self.get(self.last, "a/b"), content)

    def test_level_origin_waits_for_the_origin(self):
        self.put(self.first, "slow", b"x" * 300000, "origin")
        self.assertEqual(self.origin("slow"), b"x" * 300000)
        self.assertEqual(self.facts(self.first, "slow")["level"], "origin")

    def test_overwrite_hides_the_version_before(self):
        for version in range(5):
            content = os.urandom(400000 + version)
            self.put(self.daemons[version % self.NODES], "again", content,
                     "origin" if version == 2 else "replicated")
            for daemon in self.daemons:
                self.assertEqual(self.get(daemon, "again"), content)
        self.first.wait_until(lambda: self.origin("again") == content)

    def test_level_memory_is_read_everywhere(self):
        """Others may hold it later only; who reads it meanwhile waits, and hears nothing wrong."""
        for number in range(8):
            content = os.urandom(3000000)
            self.put(self.daemons[number % self.NODES], "quick", content, "memory")
            for daemon in reversed(self.daemons):
                self.assertEqual(self.get(daemon, "quick"), content)

    def test_empty_file(self):
        self.put(self.first, "empty", b"")
        self.assertEqual(self.get(self.last, "empty"), b"")
        self.first.wait_until(lambda: self.origin("empty") == b"")

    def test_of_two_writers_one_wins(self):
        """Both begin before either commits: the second's commit is refused."""
        puts, reads = [], []
        for daemon in (self.first, self.last):
            read, write = os.pipe()
            puts.append((subprocess.Popen(
                [program("forebay"), "put", "--socket", daemon.socket, "-", "one"],
                stdin=read, stderr=subprocess.PIPE), write))
            os.close(read)
            os.write(write, b"%d" % len(puts) * 1000)
            wait_taken(write)
        for process, write in puts:
            os.close(write)
            reads.append((process.communicate(timeout=60)[1].decode(), process.returncode))
        self.assertEqual([code for _, code in reads], [0, 1], reads)
        self.assertIn("another writer has committed this name", reads[1][0])
        self.assertEqual(self.get(self.last, "one"), b"1" * 1000)

    def test_remove(self):
        self.object("outside", 1000)
        self.put(self.first, "inside", b"y" * 1000)
        for name in ("outside", "inside"):
            self.assertEqual(self.last.forebay("rm", name).returncode, 0)
            for daemon in self.daemons:
                self.assertEqual(daemon.forebay("stat", name).returncode, 1)
        self.assertEqual(self.first.forebay("rm", "inside").returncode, 1)
        self.first.wait_until(lambda: self.origin("outside") is None)
        time.sleep(5)  # what is drained late must not come back
        self.assertIsNone(self.origin("inside"))
        self.assertEqual(self.first.forebay("stat", "inside").returncode, 1)
        self.put(self.last, "inside", b"z" * 1000)
        self.assertEqual(self.get(self.first, "inside"), b"z" * 1000)

    def test_listing_shows_what_is_committed(self):
        """Merged with the origin's, in the order of bytes; removed names are not shown."""
        for name in ("list/b", "list/d/x", "list/f", "list/gone"):
            self.object(name, 10)
        for name in ("list/a", "list/c", "list/d/y", "list/e/z", "list/f", "list/g", "new/x/y"):
            self.put(self.first, name, b"12345")
        self.assertEqual(self.first.forebay("rm", "list/gone").returncode, 0)
        listed = lambda *folder: [line for line in self.last.forebay(
            "ls", "--long", *folder).stdout.decode().split("\n") if line]
        for _ in range(2):
            names = [line.split() for line in listed("list")]
            self.assertEqual([name for _, name in names],
                             ["a", "b", "c", "d/", "e/", "f", "g"])
            self.assertEqual([int(size) for size, _ in names], [5, 10, 5, 0, 0, 5, 5])
            self.assertEqual([line.split()[1] for line in listed("list/d")], ["x", "y"])
            self.assertEqual([line.split()[1] for line in listed("new")], ["x/"])
            self.assertIn("new/", [line.split()[1] for line in listed()])
            self.first.wait_until(lambda: self.origin("list/g") == b"12345")
            self.first.wait_until(lambda: self.first.status()["unfinished_names"] == "0")
        self.assertEqual(self.last.forebay("ls", "nowhere").returncode, 1)
        for folder, same in (("list/", "list"), ("list/d//", "list/d"), ("/", "")):
            self.assertNotEqual(listed(same), [])
            self.assertEqual(listed(folder), listed(same))

    def test_name_that_is_an_order_to_a_terminal_is_shown_with_escapes(self):
        odd = "odd/line\nred\x1b[31m\x7fe\u009b\u00e9"
        shown = "line\\x0ared\\x1b[31m\\x7fe\\xc2\\x9b\u00e9"
        self.object(odd, 10)
        self.object(b"odd/\xff", 10)
        self.assertEqual(self.last.forebay("ls", "odd").stdout.decode(), shown + "\n\\xff\n")
        for command in ("get", "rm", "stat", "pin", "explain", "ls"):
            ended = self.last.forebay(command, odd + ".not")
            self.assertEqual(ended.returncode, 1)
            self.assertIn("odd/" + shown + ".not: No such file", ended.stderr.decode())

    def test_pin_and_invalidate(self):
        """A pinned file stays through twice the memory of reads; one let go of is fetched."""
        content = self.object("pinned", 3 << 20)
        fetches = lambda: sum(int(d.status()["origin_fetches"]) for d in self.daemons)
        self.assertEqual(self.first.forebay("pin", "--seconds", "60", "pinned").returncode, 0)
        self.assertEqual(self.first.status()["pins"], "12")
        for number in range(4):
            self.object("other%d" % number, 8 << 20)
            self.assertEqual(len(self.get(self.first, "other%d" % number)), 8 << 20)
        before = fetches()
        self.assertEqual(self.get(self.first, "pinned"), content)
        self.assertEqual(fetches(), before)
        self.assertEqual(self.first.forebay("pin", "--seconds", "0", "pinned").returncode, 2)
        small = self.object("small", 1 << 20)
        self.get(self.first, "small")
        before = fetches()
        self.assertEqual(self.first.forebay("invalidate", "small").returncode, 0)
        # What is being written to the drive, or lent to a client that has just gone, goes then.
        for daemon in self.daemons:
            daemon.wait_until(lambda: "here in neither 4\n" in
                              daemon.forebay("explain", "small").stdout.decode())
        self.assertEqual(self.get(self.first, "small"), small)
        self.assertEqual(fetches(), before + 4)
        self.put(self.first, "fresh", b"f" * 1000)
        self.assertEqual(self.first.forebay("invalidate", "fresh").returncode, 1)
        self.assertEqual(self.get(self.last, "fresh"), b"f" * 1000)

    def test_objects_put_past_the_cache_are_seen(self):
        content = self.object("direct", 700000)
        self.assertEqual(self.get(self.last, "direct"), content)
        self.assertEqual(self.last.forebay("stat", "nothing").returncode, 1)

    def test_overwrite_of_an_object_from_the_future_stays(self):
        """Another host's clock is ahead: what was acknowledged is not thrown away for that."""
        for ahead in (3, 3600):
            name = "ahead%d" % ahead
            path = os.path.join(self.path("origin"), name)
            with open(path, "wb") as file:
                file.write(b"theirs")
            os.utime(path, (time.time() + ahead, time.time() + ahead))
            self.assertEqual(self.get(self.first, name), b"theirs")
            self.put(self.first, name, b"ours, acknowledged")
            self.first.wait_until(lambda: self.first.status()["unfinished_names"] == "0")
            self.assertEqual(self.get(self.last, name), b"ours, acknowledged")
            self.assertEqual(self.origin(name), b"ours, acknowledged")

    def test_removed_at_once_stays_away(self):
        for i in range(10):
            name = "brief%d" % i
            self.put(self.first, name, b"x" * i)
            self.assertEqual(self.last.forebay("rm", name).returncode, 0)
        until = time.monotonic() + 2
        while time.monotonic() < until:
            listed = self.first.forebay("ls").stdout
            self.assertNotIn(b"brief", listed)
            self.assertIn(b"No such file", self.first.forebay("stat", name).stderr)

    def test_kill_between_commit_and_compose(self):
        """Level device; the daemon that took the commit dies, and is started again."""
        content = os.urandom(900000)
        self.put(self.first, "left", content, self.LEVEL)
        self.first.kill()
        self.assertIsNone(self.origin("left"))
        self.daemons[0] = self.start(0, "0.again")
        self.assertEqual(self.get(self.daemons[0], "left"), content)
        self.daemons[0].wait_until(lambda: self.origin("left") == content)

    LEVEL = "device"

    def tearDown(self):
        for daemon in self.daemons:
            self.assertEqual(daemon.stop(), 0, daemon.log())
        for name in os.listdir(self.folder):
            if name.startswith("events"):
                ended = run(program("forebay"), "replay", "--events", self.path(name))
                text = ended.stderr.decode()
                self.assertTrue(ended.returncode == 0 or "before its first digest" in text, text)
        super().tearDown()


class NamesLmdb(Names, Case):
    SLOW = Names.SLOW + "device_size: 16 MiB, "

    def start(self, node, name=None):
        return Daemon(self, self.config, "device.path=" + self.path("image"),
                      "client.socket=" + self.path("socket0"),
                      "record=" + self.path("events%s" % (name or node)), name=name or str(node))

    def test_second_daemon_of_the_folder_is_refused(self):
        ended = run(program("forebayd"), "--config", self.config, "--set",
                    "client.socket=" + self.path("twin"), "--set",
                    "device.path=" + self.path("image2"))
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"is it another daemon's? give each its own", ended.stderr)

    def test_read_of_what_died_with_its_memory_is_an_error_at_once(self):
        self.put(self.first, "gone", b"x" * 900000, "memory")
        self.first.kill()
        self.daemons[0] = self.start(0, "0.again")
        begin = time.monotonic()
        ended = self.daemons[0].forebay("get", "gone")
        self.assertLess(time.monotonic() - begin, 5, "20 s: it was asked for again and again")
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"Input/output error", ended.stderr)
        self.assertGreater(int(self.daemons[0].status()["replies_lost"]), 0)
        self.assertEqual(self.daemons[0].forebay("rm", "gone").returncode, 0)

    def test_lmdb_of_several_nodes_is_refused(self):
        with open(self.config, encoding="utf-8") as file:
            text = file.read() + hw_test.PAIR.format(port0=1, port1=2)
        ended = run(program("forebayd"), "--check", "--config",
                    self.write("pair.yaml", text.encode()))
        self.assertEqual(ended.returncode, 2)
        self.assertIn(b"lmdb is one node's own", ended.stderr)


class EtcdServer:
    """An etcd on this machine, that can be stopped and started again with what it held."""

    def __init__(self, case):
        self.case, self.ports, self.process = case, free_ports(2), None
        self.url = "http://127.0.0.1:%d" % self.ports[0]
        case.addCleanup(self.stop)
        self.start()

    def start(self):
        peer = "http://127.0.0.1:%d" % self.ports[1]
        self.process = subprocess.Popen(
            ["etcd", "--data-dir", self.case.path("etcd"), "--listen-client-urls", self.url,
             "--advertise-client-urls", self.url, "--listen-peer-urls", peer,
             "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(300):
            try:
                urllib.request.urlopen(self.url + "/health", timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("etcd does not start")

    def stop(self):
        self.process.kill()
        self.process.wait()


class Deaf:
    """A way to a server on which its answers can be kept back. look() sees what passes, and may cut
    the connection's answers off."""

    def __init__(self, port):
        self.is_deaf, self.port = False, port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return
            is_cut = threading.Event()
            for pair in ((client, server, is_cut, False), (server, client, is_cut, True)):
                threading.Thread(target=self.carry, args=pair, daemon=True).start()

    def look(self, data, is_answer, is_cut):
        pass

    def carry(self, source, target, is_cut, is_answer):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                self.look(data, is_answer, is_cut)
                if is_answer and is_cut.is_set():
                    break
                if not (is_answer and self.is_deaf):
                    target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()


@unittest.skipIf(shutil.which("etcd") is None, "no etcd here")
class NamesUnheard(Case):
    """A daemon that etcd hears, and that does not hear etcd."""

    def pair(self, core):
        """Two daemons, and the first's way to etcd."""
        etcd = EtcdServer(self)
        deaf = Deaf(etcd.ports[0])
        self.addCleanup(deaf.listener.close)
        ports = free_ports(2)
        core = "core: {retries_max: 1, " + core
        text = CONFIG.format(folder=self.folder).replace("core: {", core)
        text = text.replace("memory_size: 4 MiB", "memory_size: 32 MiB")
        text += hw_test.PAIR.format(port0=ports[0], port1=ports[1])
        text += "metadata: {kind: etcd, endpoint: \"%s\"}\n" % etcd.url
        config = self.write("names.yaml", text.encode())
        return deaf, Daemon(self, config, "metadata.endpoint=" + deaf.url, name="0"), Daemon(
            self, config, "node=1", "client.socket=" + self.path("socket1"), name="1")

    def test_known_names_are_read_though_many_are_unfinished(self):
        """What looks after unfinished names leaves room for clients to be told of silence."""
        deaf, first, second = self.pair("metas_max: 4, drain_delay: 99 s, drain_check: 99 s, ")
        source = self.write("source", b"1" * 1000)
        for number in range(12):
            self.assertEqual(first.forebay("put", source, "n%d" % number).returncode, 0)
        deaf.is_deaf = True
        time.sleep(6)
        for number in range(4):
            ended = first.forebay("get", "n%d" % number)
            self.assertEqual(ended.stdout, b"1" * 1000, ended.stderr.decode())
        for daemon in (first, second):
            daemon.kill()  # what they have not drained is not what this is about

    def test_commit_that_took_effect_unheard_is_not_told_that_it_lost(self):
        deaf, first, second = self.pair("")
        put = subprocess.Popen([program("forebay"), "put", "--socket", first.socket, "-", "one"],
                               stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        put.stdin.write(b"1" * 1000)
        time.sleep(0.5)
        deaf.is_deaf = True
        put.stdin.close()
        second.wait_until(lambda: second.forebay("get", "one").stdout == b"1" * 1000)
        source = self.write("source", b"2" * 1000)
        self.assertEqual(second.forebay("put", source, "one").returncode, 0)
        deaf.is_deaf = False
        said = put.stderr.read().decode()
        put.stderr.close()
        self.assertEqual(put.wait(60), 1)
        self.assertIn("timed out", said)
        self.assertEqual(second.forebay("get", "one").stdout, b"2" * 1000)


@unittest.skipIf(shutil.which("etcd") is None, "no etcd here")
class NamesEtcd(Names, Case):
    NODES = 3
    LEVEL = "replicated"

    def metadata(self):
        self.etcd = EtcdServer(self)
        return "metadata: {kind: etcd, endpoint: \"%s\"}\n" % self.etcd.url

    def test_etcd_down_and_back(self):
        content = os.urandom(500000)
        self.put(self.first, "known", content)
        for daemon in self.daemons[1:]:
            self.assertEqual(self.get(daemon, "known"), content)
        self.etcd.stop()
        self.assertEqual(self.get(self.last, "known"), content)
        ended = self.last.forebay("stat", "unknown")
        self.assertEqual(ended.returncode, 1)
        self.assertNotIn(b"No such file", ended.stderr)
        self.assertEqual(self.first.forebay("rm", "known").returncode, 1)
        source = self.write("source", b"new")
        put = subprocess.Popen([program("forebay"), "put", "--socket", self.first.socket, source,
                                "known"], stderr=subprocess.PIPE)
        time.sleep(1)
        self.assertIsNone(put.poll(), "the commit waits for the store")
        self.etcd.start()
        self.assertEqual(put.wait(60), 0, put.stderr.read())
        put.stderr.close()
        self.assertEqual(self.get(self.last, "known"), b"new")


@unittest.skipIf(shutil.which("etcd") is None, "no etcd here")
class NamesMembers(NamesEtcd):
    """The same with members that come and go by their leases, of two seconds."""

    def metadata(self):
        self.members = free_ports(self.NODES)
        return super().metadata() + (
            "listen: \"127.0.0.1:1\"\npeer_timeout: 2 s\nmembership: {kind: etcd, endpoint: "
            "\"%s\", lease: 2 s}\n" % self.etcd.url)

    def start(self, node, name=None):
        return Daemon(self, self.config, "node=%d" % node,
                      "listen=127.0.0.1:%d" % self.members[node],
                      "client.socket=" + self.path("socket%d" % node),
                      "record=" + self.path("events%s" % (name or node)), name=name or str(node))

    def setUp(self):
        super().setUp()
        for daemon in self.daemons:
            daemon.wait_until(lambda d=daemon: d.status().get("members") == str(self.NODES))

    def test_etcd_down_and_back(self):
        """Away for longer than the lease: all nodes are fenced, read on, and come back."""
        content = os.urandom(500000)
        self.put(self.first, "known", content)
        self.assertEqual(self.get(self.last, "known"), content)
        self.etcd.stop()
        for daemon in self.daemons:
            daemon.wait_until(lambda d=daemon: d.status()["fenced"] == "1")
        self.assertEqual(self.get(self.last, "known"), content)
        source = self.write("source", b"new")
        ended = self.first.forebay("put", source, "known")
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"cut off from its cluster", ended.stderr)
        self.etcd.start()
        for daemon in self.daemons:
            daemon.wait_until(lambda d=daemon: d.status()["fenced"] == "0")
        self.put(self.first, "known", b"new")
        self.assertEqual(self.get(self.last, "known"), b"new")

    def test_another_node_finishes_what_a_dead_one_began(self):
        content = os.urandom(900000)
        self.put(self.first, "orphan", content)
        self.first.kill()
        self.assertIsNone(self.origin("orphan"))
        self.last.wait_until(lambda: self.origin("orphan") == content, 90)
        self.assertEqual(self.get(self.last, "orphan"), content)
        self.daemons[0] = self.start(0, "0.again")


if __name__ == "__main__":
    hw_test.main("hw_name_test")
