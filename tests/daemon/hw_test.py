#!/usr/bin/env python3
"""Runs forebayd as an operator would: bad configs, taken ports, strangers on its port, strange
names, sparse objects, metrics, recordings, and ends of every kind. All on this machine's loopback.

usage: hw_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import fcntl
import glob
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
import urllib.error
import urllib.request

import together

BUILD = ""
AT_ONCE = 8  # tests of a script: they wait for daemons and clocks most of their time
TAKEN = []  # names of ports
PARTS_OWN = {".lock", "identity"}  # of .forebay-parts itself: they stay
CONFIG = """schema_version: 1
cluster: test
node: 0
origin: {{kind: posix, path: "{folder}/origin"}}
client: {{socket: "{folder}/socket"}}
core: {{memory_size: 4 MiB, block_size: 256 KiB}}
"""
PAIR = """members:
  - {{id: 0, address: "127.0.0.1:{port0}"}}
  - {{id: 1, address: "127.0.0.1:{port1}"}}
"""


def program(name):
    return os.path.join(BUILD, name)


def run(*arguments, timeout_s=60):
    return subprocess.run(arguments, capture_output=True, timeout=timeout_s, check=False)


def free_ports(count):
    """Ports that nobody has now, nor is given meanwhile: they lie below those that the kernel gives
    away, and each is taken by a name of its own until this process ends."""
    ports = []
    while len(ports) < count:
        port = random.SystemRandom().randrange(15000, 32000)
        name, one = socket.socket(socket.AF_UNIX), socket.socket()
        try:
            name.bind("\0forebay test port %d" % port)
            one.bind(("127.0.0.1", port))
        except OSError:
            name.close()
            continue
        finally:
            one.close()
        TAKEN.append(name)
        ports.append(port)
    return ports


def cache(name):
    """A folder for what tests fetch or build once; it outlives the build folder."""
    root = os.environ.get("FOREBAY_TEST_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "forebay-tests")
    os.makedirs(os.path.join(root, name), exist_ok=True)
    return os.path.join(root, name)


def page(port, path):
    """Status and text of a page of a daemon's http address."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open("http://127.0.0.1:%d%s" % (port, path), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def wait_taken(pipe, patience_s=30):
    """Until a program has read what was written to its input; then it has opened what it writes."""
    end = time.monotonic() + patience_s
    while struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0] > 0:
        if time.monotonic() > end:
            raise AssertionError("nobody reads the pipe")
        time.sleep(0.01)


def is_held(folder):
    """Is it mounted still in the namespace of another process? A test that makes one copies all
    mounts there are into it, and they do not end until it does."""
    for path in glob.glob("/proc/[0-9]*/mountinfo"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                if folder + " " in file.read():
                    return True
        except OSError:
            pass  # it has ended
    return False


class Daemon:
    """A running forebayd with its log."""

    def __init__(self, case, config, *assignments, name="daemon", wrapper=(), options=()):
        self.log_path = case.path(name + ".log")
        self.socket = case.path("socket")
        arguments = [*wrapper, program("forebayd"), "--config", config, *options]
        for assignment in assignments:
            arguments += ["--set", assignment]
            if assignment.startswith("client.socket="):
                self.socket = assignment.split("=", 1)[1]
        with open(self.log_path, "ab") as log:
            before = len(self.log())  # what a daemon of this name said that ran earlier
            self.process = subprocess.Popen(arguments, stderr=log, stdout=log)
        case.addCleanup(self.kill)
        case.addCleanup(self.end)
        self.wait_until(lambda: "event=ready" in self.log()[before:])

    def log(self):
        with open(self.log_path, encoding="utf-8") as file:
            return file.read()

    def says(self, text):
        self.says_like(re.escape(text))  # or will: what it does can be seen before

    def says_like(self, pattern):
        self.wait_until(lambda: re.search(pattern, self.log()), 10)

    def wait_until(self, condition, patience_s=30):
        end = time.monotonic() + patience_s
        is_over = False
        while not condition():
            if is_over:
                raise AssertionError("the daemon did not do it:\n" + self.log())
            is_over = self.process.poll() is not None or time.monotonic() > end  # once more then
            time.sleep(0.02)

    def forebay(self, command, *arguments):
        return run(program("forebay"), command, "--socket", self.socket, *arguments)

    def status(self):
        lines = self.forebay("status").stdout.decode().split("\n")
        return dict(line.split(" ", 1) for line in lines if " " in line)

    def mount(self, case, *options, name="mount"):
        """Mounts its files until the test's end, when the mount must end well; the folder."""
        folder = case.path(name)
        os.mkdir(folder)
        process = subprocess.Popen([program("forebay"), "mount", "--socket", self.socket,
                                    "--foreground", *options, folder])

        def end():
            subprocess.run(["umount", "-l", folder], check=False)
            if is_held(folder):
                process.terminate()
            case.assertEqual(process.wait(30), 0)

        case.addCleanup(end)
        self.wait_until(lambda: os.path.ismount(folder))
        return folder

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def end(self):
        """At the end of a test: it has not ended before, and ends well."""
        if self.process.returncode is None:
            code = self.stop()
            if code != 0:
                raise AssertionError("exit code %d:\n%s" % (code, self.log()))


class Case(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name
        os.mkdir(self.path("origin"))
        self.config = self.write("config.yaml", CONFIG.format(folder=self.folder).encode())

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content)
        return self.path(name)

    def object(self, name, size):
        content = random.Random(size).randbytes(size)
        path = os.path.join(self.path("origin").encode(),
                            name if isinstance(name, bytes) else name.encode())
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        return content

    def pair(self):
        """Config text for two nodes on free ports."""
        ports = free_ports(2)
        text = CONFIG.format(folder=self.folder) + PAIR.format(port0=ports[0], port1=ports[1])
        return self.write("pair.yaml", text.encode()), ports


class Start(Case):
    def fails(self, code, text, *assignments):
        arguments = [program("forebayd"), "--config", self.config]
        for assignment in assignments:
            arguments += ["--set", assignment]
        ended = run(*arguments)
        lines = ended.stderr.decode().strip().split("\n")
        self.assertEqual(ended.returncode, code, lines)
        self.assertIn(text, lines[-1])

    def test_check_of_good_config_is_fine(self):
        ended = run(program("forebayd"), "--config", self.config, "--check")
        self.assertEqual(ended.returncode, 0)
        self.assertIn(b"is fine: node 0 of 1", ended.stdout)

    def test_bad_config_is_usage_error(self):
        self.fails(2, "did you mean", "core.memory_sise=1 MiB")
        self.fails(2, "needs a unit", "core.memory_size=1")
        self.assertEqual(run(program("forebayd")).returncode, 2)
        self.assertEqual(run(program("forebayd"), "--nonsense").returncode, 2)

    def test_settings_beyond_the_table_are_refused(self):
        self.fails(2, "at most 64 settings", *["log=info"] * 65)

    def test_missing_origin_is_named(self):
        self.fails(1, "origin.path", "origin.path=" + self.path("nowhere"))

    def test_missing_socket_folder_is_named(self):
        self.fails(1, "client.socket", "client.socket=" + self.path("nowhere/socket"))

    def test_taken_port_is_named(self):
        config, ports = self.pair()
        with socket.socket() as other:
            other.bind(("127.0.0.1", ports[0]))
            other.listen()
            ended = run(program("forebayd"), "--config", config)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"Address already in use", ended.stderr)

    def test_device_without_room_is_named(self):
        self.fails(1, "device.path", "device.path=" + self.path("image"),
                   "core.block_size=16 MiB", "core.memory_size=16 MiB",
                   "core.device_size=8 TiB")
        self.assertLess(os.path.getsize(self.path("image")), 1 << 30)

    def test_device_of_another_daemon_is_refused(self):
        device = ["device.path=" + self.path("image"), "core.device_size=16 MiB"]
        Daemon(self, self.config, *device)
        self.fails(1, "in use by another", "client.socket=" + self.path("s2"), *device)

    def test_socket_of_another_daemon_is_refused(self):
        Daemon(self, self.config)
        self.fails(1, "client.socket")

    def test_socket_of_killed_daemon_is_taken_over(self):
        Daemon(self, self.config).kill()
        self.assertTrue(os.path.exists(self.path("socket")))
        daemon = Daemon(self, self.config, name="second")
        self.assertEqual(daemon.stop(), 0)
        self.assertFalse(os.path.exists(self.path("socket")))


class Doctor(Case):
    def test_fine_config_has_no_fault(self):
        ended = run(program("forebay"), "doctor", "--config", self.config)
        self.assertEqual(ended.returncode, 0, ended.stdout)
        self.assertIn(b"io_uring", ended.stdout)
        self.assertIn(b"origin", ended.stdout)

    def test_faults_are_named_with_their_remedy(self):
        ended = run(program("forebay"), "doctor", "--config", self.config,
                    "--set", "origin.path=" + self.path("nowhere"),
                    "--set", "core.memory_size=100 TiB", "--set", "core.block_size=1 GiB")
        self.assertEqual(ended.returncode, 1)
        faults = [line for line in ended.stdout.decode().split("\n") if line.startswith("fault")]
        self.assertEqual(len(faults), 2, ended.stdout)
        self.assertIn("lower core.memory_size", faults[0])
        self.assertIn("mount what should be there", faults[1])


class Reads(Case):
    def test_names_of_every_legal_byte_are_read(self):
        daemon = Daemon(self, self.config)
        for first in range(1, 256, 51):
            name = bytes(byte for byte in range(first, min(first + 51, 256)) if byte != ord("/"))
            content = self.object(name, 100 + first)
            ended = daemon.forebay("get", b"./" + name if name.startswith(b"-") else name)
            if name.startswith(b"-"):
                continue
            self.assertEqual(ended.stdout, content, name)
        self.assertEqual(daemon.forebay("ls").returncode, 0)

    def test_sparse_object_of_100_gb_is_read_anywhere(self):
        """Across the ends of blocks, at the first and last byte, beyond 32 bits of offset and of
        block numbers times size; holes are zeros."""
        size, block = 100 * 10**9, 256 << 10
        marks = {at: random.Random(at).randbytes(64) for at in (
            0, 7 * block - 32, (1 << 31) - 32, (1 << 32) - 32, 3 * 10**10 // block * block - 1,
            77777777777, size - 64)}
        with open(os.path.join(self.path("origin"), "sparse"), "wb") as file:
            file.truncate(size)
            for at, mark in marks.items():
                file.seek(at)
                file.write(mark)
        daemon = Daemon(self, self.config)
        get = lambda offset, length: daemon.forebay(
            "get", "--offset", str(offset), "--size", str(length), "sparse").stdout
        for at, mark in marks.items():
            self.assertEqual(get(at, 64), mark, at)
            self.assertEqual(get(at + 60, 2 * block), (mark[60:] + bytes(2 * block))
                             [:min(2 * block, size - at - 60)], at)
        self.assertEqual(get(5 * 10**10, 1000), bytes(1000))
        self.assertEqual(get(size, 10), b"")
        self.assertLess(int(daemon.status()["origin_fetch_bytes"]), 64 * block)

    def test_links_that_lead_out_are_absent(self):
        daemon = Daemon(self, self.config)
        os.symlink("/etc/passwd", os.path.join(self.path("origin"), "link"))
        os.symlink("/etc", os.path.join(self.path("origin"), "folder"))
        for name in ("link", "folder/passwd"):
            self.assertIn(b"No such file", daemon.forebay("get", name).stderr)

    def test_daemon_that_dies_ends_the_read(self):
        self.object("large", 64 << 20)
        daemon = Daemon(self, self.config)
        reader = subprocess.Popen(
            [program("forebay"), "get", "--socket", daemon.socket, "large", self.path("copy")],
            stderr=subprocess.PIPE)
        time.sleep(0.02)
        daemon.kill()
        text = reader.communicate(timeout=30)[1]
        if reader.returncode != 0:  # else it was faster
            self.assertEqual(reader.returncode, 1)
            self.assertTrue(text.startswith(b"forebay get:"), text)
            self.assertFalse(os.path.exists(self.path("copy")))

    def test_device_gives_what_memory_lost(self):
        content = self.object("data", 12 << 20)
        daemon = Daemon(self, self.config, "device.path=" + self.path("image"),
                        "core.device_size=32 MiB")
        for _ in range(4):
            self.assertEqual(daemon.forebay("get", "data").stdout, content)
        status = daemon.status()
        self.assertGreater(int(status["replies_device"]), 0)
        self.assertEqual(int(status["digest_errors"]), 0)

    def test_damaged_device_is_noticed(self):
        content = self.object("data", 12 << 20)
        daemon = Daemon(self, self.config, "device.path=" + self.path("image"),
                        "core.device_size=32 MiB")
        self.assertEqual(daemon.forebay("get", "data").stdout, content)
        with open(self.path("image"), "r+b") as image:
            image.write(bytes(32 << 20))
        self.assertEqual(daemon.forebay("get", "data").stdout, content)
        self.assertGreater(int(daemon.status()["digest_errors"]), 0)


class Peers(Case):
    def start_pair(self):
        config, ports = self.pair()
        daemons = [Daemon(self, config, "node=0", name="0"),
                   Daemon(self, config, "node=1", "client.socket=" + self.path("socket1"),
                          name="1")]
        return config, ports, daemons

    def test_second_reader_takes_from_the_first(self):
        content = self.object("data", 3 << 20)
        _, _, daemons = self.start_pair()
        for daemon in daemons:
            self.assertEqual(daemon.forebay("get", "data").stdout, content)
        fetched = sum(int(daemon.status()["origin_fetches"]) for daemon in daemons)
        self.assertEqual(fetched, 12)

    def test_explain_says_where_blocks_are_and_why_reads_took_what_they_took(self):
        content = self.object("data", (5 << 20) + 1)  # 21 blocks, more than memory holds
        _, _, daemons = self.start_pair()

        def explain(daemon, *arguments):
            lines = daemon.forebay("explain", *arguments).stdout.decode().strip().split("\n")
            return [line.split("; last read ")[0] for line in lines], lines

        facts = explain(daemons[0], "data")[0]
        self.assertEqual(facts[:4] + facts[6:], [
            "blocks 21", "here in memory 0", "here on the drive 0", "here in neither 21",
            "not read of late 21"])
        owned = [int(explain(daemon, "data")[0][4].rsplit(" ", 1)[1]) for daemon in daemons]
        self.assertEqual(sum(owned), 21)
        self.assertEqual(daemons[0].forebay("get", "data").stdout, content)
        facts = explain(daemons[0], "data")[0]
        self.assertEqual(facts[1], "here in memory 16")
        reads = {line.split()[2]: int(line.split()[3]) for line in facts[7:]}
        self.assertEqual(reads["origin_owner:"], owned[0])
        # What the other owns came through it; it may have had it already when it was asked again.
        self.assertEqual(reads.get("origin_peer:", 0) + reads.get("peer:", 0), owned[1])
        self.assertNotIn("no wait", "".join(facts[7:]))
        self.assertEqual(explain(daemons[0], "data")[0], facts)  # asking changes nothing
        for _ in range(2):  # the last block may have been evicted
            daemons[0].forebay("get", "--offset", str(5 << 20), "data")
        last = explain(daemons[0], "--blocks", "data")[1]
        self.assertTrue(any("memory" in line and "took no wait: memory: it was in this machine's"
                            in line for line in last), last)
        self.assertEqual(daemons[1].forebay("get", "data").stdout, content)
        lines = explain(daemons[0], "--blocks", "data")[0]
        self.assertTrue(any("memory on node 0, the owner; taken by node 1" in line
                            for line in lines), lines)
        self.assertTrue(explain(daemons[0], "--key", "1:2")[1][0].startswith("not here on node 0"))
        for wrong, code in ((["absent"], 1), ([], 2), (["--key", "12"], 2), (["a", "b"], 2)):
            self.assertEqual(daemons[0].forebay("explain", *wrong).returncode, code)

    def test_strangers_on_the_port_are_refused(self):
        _, ports, daemons = self.start_pair()
        for garbage in (b"GET / HTTP/1.1\r\n\r\n" + bytes(100), random.Random(1).randbytes(70000),
                        b"", bytes(48)):
            with socket.create_connection(("127.0.0.1", ports[0])) as stranger:
                stranger.settimeout(10)
                try:
                    stranger.sendall(garbage)
                    stranger.shutdown(socket.SHUT_WR)
                    self.assertEqual(stranger.recv(100), b"")
                except OSError:
                    pass
        daemons[0].says("the peer is no forebayd")
        self.assertEqual(daemons[0].stop(), 0)

    def test_second_daemon_of_one_id_is_noticed(self):
        config, ports, daemons = self.start_pair()
        self.object("data", 1 << 20)
        port = free_ports(1)[0]
        twin = Daemon(self, config, "node=1", "listen=127.0.0.1:%d" % port,
                      "client.socket=" + self.path("twin"), "members.0.id=2",
                      "members.0.address=127.0.0.1:%d" % ports[1],
                      "members.1.address=127.0.0.1:%d" % port, name="twin")
        twin.forebay("get", "data")
        daemons[1].wait_until(lambda: "another daemon has this node's id" in daemons[1].log())

    def test_other_cluster_is_refused(self):
        _, ports, daemons = self.start_pair()
        self.object("data", 2 << 20)
        daemons[1].kill()
        config = self.path("pair.yaml")
        Daemon(self, config, "node=1", "cluster=other",
               "client.socket=" + self.path("socket2"), name="other")
        other = run(program("forebay"), "get", "--socket", self.path("socket2"), "data")
        self.assertEqual(other.returncode, 0)  # past its peer, from the origin
        daemons[0].wait_until(lambda: "it belongs to another cluster" in daemons[0].log())


class Pages(Case):
    def setUp(self):
        super().setUp()
        self.port = free_ports(1)[0]
        self.daemon = Daemon(self, self.config, "http=127.0.0.1:%d" % self.port)

    def test_metrics_count_what_was_read(self):
        self.object("data", 1 << 20)
        self.daemon.forebay("get", "data")
        _, text = page(self.port, "/metrics")
        values = dict(line.rsplit(" ", 1) for line in text.split("\n")
                      if line and not line.startswith("#"))
        self.assertEqual(values["forebay_gets_total"], "4")
        self.assertEqual(values["forebay_get_bytes_total"], str(1 << 20))
        self.assertEqual(values['forebay_replies_total{reason="origin_owner"}'], "4")
        self.assertEqual(values['forebay_get_latency_seconds_bucket{le="+Inf"}'], "4")
        names = re.findall(r"^# TYPE (\S+) ", text, re.M)
        self.assertEqual(len(names), len(set(names)))

    def test_health_ready_and_others_answer(self):
        self.assertEqual(page(self.port, "/health"), (200, "alive\n"))
        self.daemon.wait_until(lambda: page(self.port, "/ready?x=1") == (200, "ready\n"))
        self.assertEqual(self.daemon.status()["ready"], "1")
        self.assertEqual(page(self.port, "/nothing")[0], 404)

    def test_bad_requests_do_no_harm(self):
        for text in (b"POST / HTTP/1.1\r\n\r\n", b"\r\n\r\n", b"x" * 20000, b"GET\r\n\r\n", b""):
            with socket.create_connection(("127.0.0.1", self.port)) as client:
                client.settimeout(10)
                try:
                    client.sendall(text)
                    client.shutdown(socket.SHUT_WR)
                    client.recv(1000)
                except OSError:
                    pass
        self.assertEqual(page(self.port, "/health")[0], 200)


class Recordings(Case):
    def setUp(self):
        super().setUp()
        self.object("data", 3 << 20)
        daemon = Daemon(self, self.config, "record=" + self.path("events"))
        daemon.forebay("get", "data")
        self.assertEqual(daemon.stop(), 0)
        with open(self.path("events"), "rb") as file:
            self.events = file.read()

    def replay(self, content):
        return run(program("forebay"), "replay", "--events", self.write("other", content))

    def test_recording_replays_alike(self):
        ended = self.replay(self.events)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertIn(b"digests equal", ended.stderr)

    def test_changed_recording_differs(self):
        # The size of a block that is asked for. A moment's bytes may look the same, and its change
        # need not matter: the first places where a size may be are tried one after another.
        config_size = int.from_bytes(self.events[8:12], "little")
        size = (256 << 10).to_bytes(4, "little")
        at = self.events.index(size, config_size + 412)
        for _ in range(16):
            changed = self.events[:at] + (255 << 10).to_bytes(4, "little") + self.events[at + 4:]
            ended = self.replay(changed)
            if ended.returncode == 1:
                self.assertNotIn(b"digests equal", ended.stderr)
                return
            at = self.events.index(size, at + 1)
        self.fail("16 changed recordings replayed alike")

    def test_cut_recording_replays_to_its_last_digest(self):
        ended = self.replay(self.events[:len(self.events) - 7])
        self.assertIn(ended.returncode, (0, 1))
        self.assertEqual(len(ended.stderr.decode().strip().split("\n")), 1)

    def test_record_longer_than_any_is_damage(self):
        """The first record behind the header: its time, its size, its kind."""
        header = 8 + struct.calcsize("<IIIIQ")
        at = header + int.from_bytes(self.events[8:12], "little")
        for size, text in ((1 << 20, b"it ends"), ((1 << 20) + 1, b"is damaged")):
            changed = self.events[:at + 8] + size.to_bytes(4, "little") + self.events[at + 12:]
            ended = self.replay(changed)
            self.assertEqual(ended.returncode, 1)
            self.assertIn(text, ended.stderr)

    def test_no_recording_is_named(self):
        ended = self.replay(b"nothing of the kind" * 100)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"no recording", ended.stderr)


def has_io_uring():
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(folder + "/origin")
        with open(folder + "/config.yaml", "w", encoding="utf-8") as file:
            file.write(CONFIG.format(folder=folder))
        with subprocess.Popen([program("forebayd"), "--config", folder + "/config.yaml"],
                              stderr=subprocess.PIPE) as process:
            text = b""
            while b"event=ready" not in text and (line := process.stderr.readline()):
                text += line
            process.kill()
            return b"forebayd: io_uring" not in text


def main(name, at_once=AT_ONCE, needs_fuse=False, what_is_missing=lambda: None):
    """Runs the tests of the script that is run; exit code 77: they cannot run here."""
    global BUILD
    if len(sys.argv) < 2:
        sys.exit(sys.modules["__main__"].__doc__)
    BUILD = os.path.abspath(sys.argv.pop(1))
    for variable in [one for one in os.environ if one.lower().endswith("_proxy")]:
        del os.environ[variable]  # all servers are on this machine
    reason = what_is_missing() if has_io_uring() else "no io_uring here"
    if not reason and needs_fuse and (os.geteuid() != 0 or not os.access("/dev/fuse", os.W_OK)):
        reason = "no FUSE here (or not root)"
    if reason:
        print("%s: skipped: %s" % (name, reason))
        sys.exit(77)
    if at_once == 1:
        unittest.main(verbosity=1)
    loader, script = unittest.TestLoader(), sys.modules["__main__"]
    suite = loader.loadTestsFromNames(sys.argv[1:], script) if sys.argv[1:] else \
        loader.loadTestsFromModule(script)
    sys.exit(0 if together.run(suite, at_once) else 1)


if __name__ == "__main__":
    main("hw_test")
