#!/usr/bin/env python3
"""Who is killed while an origin is silent is gone soon, whatever it was doing in a mount; what was
written goes on to be committed. Who is not killed waits, and no signal that is handled shows.

usage: hw_mount_killed_test.py BUILD [unittest's arguments]    exit code 77: no io_uring or no FUSE
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import hw_parts_test
import hw_test
from hw_test import Case, Daemon

SEED = 1
SOON_S = 15  # a second or two, on a machine that does other things; who waits waits a minute

DIRTY = """
import os, sys
for i in range(int(sys.argv[2])):
    os.write(os.open(sys.argv[1] + "/dirty%d" % i, os.O_WRONLY | os.O_CREAT), b"written %d" % i)
print("open", flush=True)
sys.stdin.read()
"""
# Signals come all the time while it syncs and closes; restart: calls are begun again after them.
STORM = """
import os, signal, sys
signal.signal(signal.SIGALRM, lambda *a: None)
signal.siginterrupt(signal.SIGALRM, sys.argv[2] == "0")
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(file, b"x")
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
if sys.argv[3] == "fsync":
    os.fsync(file)
os.close(file)
signal.setitimer(signal.ITIMER_REAL, 0)
"""
# Ends by itself, with a file open; its last thread to go may be any.
ENDS = """
import os, sys, threading, time
for i in range(20):
    threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), b"at its end")
os._exit(0)
"""
SYNCS = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(file, b"synced")
os.fsync(file)
"""


class Killed(Case):
    def setUp(self):
        super().setUp()
        self.bucket, port = hw_parts_test.serve(self)
        text = hw_parts_test.CONFIG.format(folder=self.folder, block="1 MiB", port=port)
        self.daemon = Daemon(self, self.write("objects.yaml", text.encode()))
        self.gate = threading.Event()
        self.mount = self.daemon.mount(self, "--level", "origin")
        self.addCleanup(self.gate.set)

    def hang(self, methods=("PUT", "POST"), seconds=120, prefix=""):
        self.bucket.hold = lambda method, what, key: \
            method in methods and key.startswith(prefix) and self.gate.wait(seconds)

    def begin(self, *command, **more):
        process = subprocess.Popen(command, **more)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def hangs(self, process, call):
        """It is in a call of the mount's."""
        self.daemon.wait_until(lambda: process.poll() is not None or call in self.stack(process))
        self.assertIsNone(process.poll())

    def stack(self, process):
        with open("/proc/%d/stack" % process.pid, encoding="ascii") as file:
            return file.read()

    def goes(self, process, number):
        began = time.monotonic()
        process.send_signal(number)
        self.assertEqual(process.wait(SOON_S), -number)
        return time.monotonic() - began

    def becomes(self, name, content):
        self.daemon.wait_until(lambda: self.bucket.objects.get(name, (None,))[0] == content)

    def test_who_has_files_open_is_gone_soon_and_they_are_committed(self):
        writer = self.begin(sys.executable, "-c", DIRTY, self.mount, "20", stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)
        self.addCleanup(writer.stdin.close)
        self.addCleanup(writer.stdout.close)
        writer.stdout.readline()
        self.hang()
        self.goes(writer, signal.SIGKILL)
        self.assertNotIn("dirty0", self.bucket.objects)
        self.gate.set()
        for i in range(20):
            self.becomes("dirty%d" % i, b"written %d" % i)

    def test_who_closes_syncs_or_makes_a_file_is_gone_soon(self):
        content = b"c" * 100000
        self.write("content", content)
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            names = ["closed%d" % number, "made%d" % number, "synced%d" % number]
            with open(os.path.join(self.mount, names[0]), "wb"):
                pass
            self.hang()
            for name, call in zip(names, ("filp_flush", "fuse_", "fsync")):
                target = os.path.join(self.mount, name)
                command = ["cp", self.path("content"), target]
                if name.startswith("synced"):
                    command = [sys.executable, "-c", SYNCS, target]
                with self.subTest(number=number, name=name):
                    process = self.begin(*command)
                    self.hangs(process, call)
                    self.goes(process, number)
            self.gate.set()
            self.becomes(names[0], content)
            self.becomes(names[2], b"synced")
            self.bucket.hold = lambda method, what, key: None
            self.gate.clear()

    def test_handled_signals_end_no_call(self):
        self.hang(seconds=2.5)
        for restart in "01":
            for call in ("close", "fsync"):
                with self.subTest(restart=restart, call=call):
                    began = time.monotonic()
                    name = call + restart
                    done = subprocess.run([sys.executable, "-c", STORM,
                                           os.path.join(self.mount, name), restart, call],
                                          capture_output=True, check=False, timeout=100)
                    self.assertEqual((done.returncode, done.stderr), (0, b""))
                    self.assertGreater(time.monotonic() - began, 2.5)
                    self.assertEqual(self.bucket.objects[name][0], b"x")

    def test_who_ends_by_itself_has_committed(self):
        self.hang(seconds=2.5)
        for i in range(3):
            subprocess.run([sys.executable, "-c", ENDS, self.mount + "/end%d" % i], check=True,
                           timeout=100)
            self.assertEqual(self.bucket.objects["end%d" % i][0], b"at its end")

    def test_killed_readers_are_gone_soon(self):
        """There are 44 places for bytes: those who have one keep it until the origin answers, the
        others wait for none any more."""
        content = os.urandom(3000000)
        for i in range(80):
            self.bucket.objects["slow%d" % i] = (content, '"s%d"' % i, None)
        self.bucket.objects["fast"] = (b"fast", '"f"', None)
        self.hang(("GET",), prefix="slow")
        readers = [self.begin("cat", "%s/slow%d" % (self.mount, i), stdout=subprocess.DEVNULL)
                   for i in range(80)]
        time.sleep(3)
        for reader in readers:
            reader.kill()
        for reader in readers:
            self.assertEqual(reader.wait(SOON_S), -signal.SIGKILL)
        began = time.monotonic()
        self.assertEqual(os.stat(self.mount + "/fast").st_size, 4)
        time.sleep(2)
        self.gate.set()
        for name, expected in (("fast", b"fast"), ("slow79", content)):
            with open(os.path.join(self.mount, name), "rb") as file:
                self.assertEqual(file.read(), expected)
        self.assertLess(time.monotonic() - began, SOON_S)

    def test_reader_of_what_another_read_ahead_goes_on(self):
        content = os.urandom(3000000)
        self.bucket.objects["slow"] = (content, '"s"', None)
        self.hang(("GET",), prefix="slow")
        path = self.mount + "/slow"
        first = self.begin("cat", path, stdout=subprocess.DEVNULL)
        time.sleep(1)
        second = self.begin("cat", path, stdout=subprocess.PIPE)
        self.addCleanup(second.stdout.close)
        time.sleep(1)
        self.goes(first, signal.SIGKILL)
        time.sleep(2)
        self.assertIsNone(second.poll())
        self.gate.set()
        self.assertEqual(second.stdout.read(), content)
        self.assertEqual(second.wait(60), 0)

    def test_who_cuts_a_file_by_name_is_gone_soon(self):
        path = os.path.join(self.mount, "cut")
        with open(path, "wb") as file:
            file.write(b"content")
        self.hang()
        process = self.begin(sys.executable, "-c", "import os, sys; os.truncate(sys.argv[1], 3)",
                             path)
        self.hangs(process, "fuse_")
        time.sleep(1)
        self.goes(process, signal.SIGKILL)
        self.gate.set()
        self.becomes("cut", b"con")

    def test_many_are_killed_at_any_moment(self):
        """What they had under way ends while others do as they did. Built with sanitizers the
        mount must say nothing."""
        draw = random.Random(SEED)
        print("seed %d" % SEED)
        self.bucket.hold = lambda method, what, key: self.gate.wait(draw.choice((0, 0, 1, 3)))
        self.write("content", b"c" * 100000)
        line = "while :; do cp %s n$1; echo more >> n$1; cat n* > /dev/null; mv n$1 m$1; ls; " \
            "rm m$1; mkdir d$1; rmdir d$1; done" % self.path("content")
        processes = [None] * 10
        until, killed = time.monotonic() + 15, 0
        while time.monotonic() < until:
            i = draw.randrange(len(processes))
            if processes[i] is not None:
                os.killpg(processes[i].pid, draw.choice((signal.SIGKILL, signal.SIGTERM)))
                killed += 1
            processes[i] = self.begin("bash", "-c", line, "bash", str(i), cwd=self.mount,
                                      start_new_session=True, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
            time.sleep(draw.uniform(0, 0.6))
        self.gate.set()
        for process in processes:
            if process is not None:
                os.killpg(process.pid, signal.SIGKILL)
        self.assertGreater(killed, 10)
        path = os.path.join(self.mount, "after")
        with open(path, "wb") as file:
            file.write(b"after all")
        self.assertEqual(self.bucket.objects["after"][0], b"after all")

    def test_who_looks_is_gone_soon(self):
        self.hang(("HEAD", "GET"))
        for command in (["stat", self.mount + "/nothing"], ["ls", self.mount]):
            process = self.begin(*command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            self.hangs(process, "fuse_")
            self.goes(process, signal.SIGKILL)


if __name__ == "__main__":
    hw_test.main("hw_mount_killed_test", needs_fuse=True)
