#!/usr/bin/env python3
"""Odd things that happen to a daemon: ten thousand open files, clients that are killed while they
read, a configuration that is read again, file descriptors that run out.

usage: hw_odd_test.py BUILD [unittest's arguments]      exit code 77: there is no io_uring here
"""

import os
import random
import resource
import signal
import subprocess
import time
import unittest

import hw_test
import stranger
from hw_test import Case, Daemon, program
from processes import stand_still


class Clients(Case):
    def test_clients_that_are_killed_while_they_read_are_forgotten(self):
        """Others read on, and the sessions end. That leases of theirs come back is not shown here:
        a client that waits for its reader need not hold any at that moment."""
        large = self.object("large", 32 << 20)
        small = self.object("small", 3 << 20)
        daemon = Daemon(self, self.config)
        numbers = random.Random(1)
        for _ in range(20):
            reader = subprocess.Popen(
                [program("forebay"), "get", "--socket", daemon.socket, "large"],
                stdout=subprocess.PIPE)
            self.assertEqual(reader.stdout.read(1), large[:1])
            time.sleep(numbers.random() * 0.02)
            stand_still(reader)
            reader.kill()
            reader.wait()
            reader.stdout.close()
            self.assertTrue(daemon.forebay("get", "small").stdout == small)
        daemon.wait_until(lambda: daemon.status()["clients"] == "1")  # the one that asks


class Commands(Case):
    def test_what_is_not_there_is_not_removed(self):
        daemon = Daemon(self, self.config)
        ended = daemon.forebay("rm", "nope")
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"nope: No such file", ended.stderr)

    def test_dead_socket_and_missing_socket_are_told_apart(self):
        daemon = Daemon(self, self.config)
        daemon.kill()
        dead, path = daemon.forebay("ls"), self.path("elsewhere")
        missing = hw_test.run(program("forebay"), "ls", "--socket", path)
        for ended, text in ((dead, b"nobody listens"), (missing, b"there is no such socket")):
            self.assertEqual(ended.returncode, 1)
            self.assertIn(text, ended.stderr)
            self.assertEqual(ended.stderr.count(b"\n"), 1)
        self.assertIn(path.encode(), missing.stderr)

    def test_every_command_says_the_same_of_a_daemon_that_is_not_there(self):
        path = self.path("nowhere")
        for command in (("ls",), ("status",), ("stat", "x"), ("mount", self.path("origin"))):
            ended = hw_test.run(program("forebay"), command[0], "--socket", path, *command[1:])
            self.assertEqual(ended.returncode, 1)
            self.assertIn(b"forebay %s: no daemon at %s: there is no such socket"
                          % (command[0].encode(), path.encode()), ended.stderr)

    def test_recording_overwrites_nothing(self):
        precious = self.write("precious", b"somebody's work\n" * 10)
        ended = hw_test.run(program("forebayd"), "--config", self.config, "--set",
                            "record=" + precious)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"is no recording", ended.stderr)
        with open(precious, "rb") as file:
            self.assertEqual(file.read(), b"somebody's work\n" * 10)
        events = self.path("events")
        Daemon(self, self.config, "record=" + events, name="first").stop()
        with open(events, "rb") as file:
            first = file.read()
        Daemon(self, self.config, "record=" + events, name="second").stop()
        with open(events + ".before", "rb") as file:
            self.assertEqual(file.read(), first)
        self.assertGreater(os.path.getsize(events), 0)

    def test_lone_members_port_is_not_looked_for(self):
        config = self.write("lone.yaml", hw_test.CONFIG.format(folder=self.folder).encode() +
                            b"members: [{id: 0, address: \"127.0.0.1:1\"}]\n")
        ended = hw_test.run(program("forebay"), "doctor", "--config", config).stdout.decode()
        self.assertRegex(ended, "fine +member 0 +alone in its cluster")

    def test_setting_that_contradicts_others_names_its_bound(self):
        for settings, text in ((("core.memory_size=128 KiB",),
                                b"core.memory_size: is at least 256 KiB with core.block_size of"),
                               (("core.place_local=true", "core.erasure_data=2",
                                 "core.erasure_parity=1"),
                                b"core.erasure_data: is 0 with place_local")):
            arguments = [word for setting in settings for word in ("--set", setting)]
            ended = hw_test.run(program("forebayd"), "--config", self.config, "--check", *arguments)
            self.assertEqual(ended.returncode, 2)
            self.assertIn(text, ended.stderr)

    def test_options_are_written_out(self):
        for command, said in (
                (("ls", "--sock", "x"), b"unrecognized option --sock: did you mean --socket?"),
                (("put", "--lev=memory", "a", "b"), b"unrecognized option --lev=memory: did you "
                                                    b"mean --level?"),
                (("run", "--exp", "a.yaml"), b"unrecognized option --exp: did you mean --expect?"),
                (("swarm", "--minimize"), b"unrecognized option --minimize: did you mean "
                                          b"--minimise?"),
                (("stat", "--elsewhere", "a"), b"unrecognized option --elsewhere: see --help"),
                (("get", "-x", "a"), b"unrecognized option -x: see --help"),
                (("get", "--verbose=1", "a"), b"--verbose takes no value"),
                (("get", "a", "--size"), b"--size wants a value")):
            ended = hw_test.run(program("forebay"), *command)
            name = b"" if command[0] == "run" else b" " + command[0].encode()
            self.assertEqual((ended.returncode, ended.stderr),
                             (2, b"forebay" + name + b": " + said + b"\n"), command)
        self.assertEqual(hw_test.run(program("forebayd"), "--conf", "x").returncode, 2)


class Doctor(Case):
    """What refuses a start, doctor and --check say in the words of the start."""

    def said(self, settings, code, config=None):
        """What a start says, which is refused; doctor and --check have said it before."""
        arguments = ["--config", config or self.config]
        for setting in settings:
            arguments += ["--set", setting]
        looked = hw_test.run(program("forebay"), "doctor", *arguments)
        checked = hw_test.run(program("forebayd"), *arguments, "--check")
        ended = hw_test.run(program("forebayd"), *arguments)
        self.assertEqual((ended.returncode, looked.returncode, checked.returncode), (1, code, 0),
                         (settings, ended.stderr, looked.stdout, checked.stderr))
        return (ended.stderr.decode().strip().split("\n")[-1].split(": ", 1)[1],
                looked.stdout.decode(), checked.stdout.decode())

    def test_what_refuses_a_start_is_a_fault(self):
        short, other = self.write("short", b"x"), self.write("other", b"somebody's" * 1000)
        drive = "core.device_size=16 MiB"
        for settings in (("client.socket=" + self.path("nowhere/socket"),),
                         ("client.socket=" + other,), ("client.token=" + short,),
                         ("client.token=" + self.path("nowhere"),), ("record=" + other,),
                         ("record=" + self.path("nowhere/events"),),
                         ("device.path=" + other, drive), ("device.path=" + self.folder, drive),
                         ("tls.certificate=" + other, "tls.key=" + other, "tls.ca=" + other)):
            config = self.pair()[0] if settings[0].startswith("tls") else None
            reason, looked, checked = self.said(settings, 1, config)
            for text in (looked, checked):
                lines = [line for line in text.split("\n") if line.startswith("fault")]
                self.assertTrue(any(reason in line for line in lines), (settings, reason, text))
        with open(other, "rb") as file:
            self.assertEqual(file.read(), b"somebody's" * 1000)

    def test_what_a_daemon_has_is_no_other_ones(self):
        drive = ("device.path=" + self.path("drive"), "core.device_size=16 MiB")
        daemon = Daemon(self, self.config, *drive)
        for settings in (drive, ("client.socket=" + self.path("socket"),)):
            if settings is drive:
                settings = (*drive, "client.socket=" + self.path("second"))
            _, looked, _ = self.said(settings, 0)
            self.assertRegex(looked, "warning +(device|client) .*in use: a daemon runs there")
        self.assertEqual(daemon.status()["ready"], "1")


class Reload(Case):
    def test_sighup_takes_what_can_change_and_names_what_cannot(self):
        daemon = Daemon(self, self.config, "stop_patience=3 s")
        text = hw_test.CONFIG.format(folder=self.folder)

        def reload(config):
            before = len(daemon.log())
            self.write("config.yaml", config.encode())
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_until(lambda: "event=reload" in daemon.log()[before:])
            time.sleep(0.1)  # lines that come besides
            return daemon.log()[before:]

        unchanged = reload(text)
        self.assertIn("event=reloaded log=info stop_patience_s=3 refused=0", unchanged)
        refused = reload(text.replace("memory_size: 4 MiB", "memory_size: 8 MiB")
                         .replace("cluster: test", "cluster: other"))
        self.assertIn("event=reload_refused key=cluster", refused)
        self.assertIn("event=reload_refused key=core.memory_size remedy=restart", refused)
        self.assertIn("refused=2", refused)
        fixed = {"objects_max": "1000", "peer_timeout": "9 s", "pull_connections": "3",
                 "workers": "2", "memory_budget": "1 GiB", "http": "\"127.0.0.1:1\"",
                 "record": self.path("events"), "listen": "\"127.0.0.1:2\""}
        refused = reload(text.replace("core: {", "core: {retries_max: 3, pins_max: 7, ").replace(
            "client: {", "client: {arena: 20 MiB, spin: 1 ms, token: /nowhere, ") + "".join(
            "%s: %s\n" % pair for pair in fixed.items()))
        for key in list(fixed) + ["core.retries_max", "core.pins_max", "client.arena",
                                  "client.spin", "client.token"]:
            self.assertIn("event=reload_refused key=%s remedy=restart" % key, refused)
        self.assertIn("refused=13", refused)
        broken = reload(text + "nonsense: 1\n")
        self.assertIn("event=reload_failed", broken)
        self.assertIn("config.yaml:7", broken)
        self.assertEqual(daemon.status()["cluster"], "test")
        quiet = reload("log: debug\n" + text)
        self.assertIn("log=debug", quiet)


class Descriptors(Case):
    """Open files are bound by the process' limit: said at the start, kept later."""

    NEEDED = 156  # by a daemon of one node with four clients

    def limited(self, limit):
        return ("prlimit", "--nofile=%d:%d" % (limit, limit))

    def test_limit_without_room_for_a_few_clients_refuses_the_start(self):
        for limit in (24, self.NEEDED - 1):
            ended = hw_test.run(*self.limited(limit), program("forebayd"), "--config",
                                self.config)
            self.assertEqual(ended.returncode, 1)
            self.assertIn(b"open files: %d are needed" % self.NEEDED, ended.stderr)

    def test_limit_with_room_for_few_clients_lets_so_many_in(self):
        content = self.object("data", 5 << 20)
        daemon = Daemon(self, self.config, wrapper=self.limited(self.NEEDED))
        self.assertIn("event=clients_bound clients=4 wanted=128 by=\"the limit on open files\"",
                      daemon.log())
        clients, guests = [], []
        for _ in range(6):
            clients.append(stranger.Client(daemon.socket))
            self.addCleanup(clients[-1].close)
        statuses = [client.status for client in clients]
        self.assertIn(statuses.count(stranger.OK), (2, 3))  # a place is left for others
        self.assertEqual(set(statuses[statuses.count(stranger.OK):]), {stranger.BUSY})
        for _ in range(40):
            guests.append(stranger.connect(daemon.socket))
            self.addCleanup(guests[-1].close)
        for _ in range(5):
            self.assertTrue(daemon.forebay("get", "data").stdout == content)

    def test_files_that_run_out_are_waited_for(self):
        """Others than this process may have taken what it counted on."""
        content = self.object("data", 5 << 20)
        daemon = Daemon(self, self.config)
        process = daemon.process.pid
        self.assertTrue(daemon.forebay("get", "data").stdout == content)
        limits = resource.prlimit(process, resource.RLIMIT_NOFILE)
        used = max(map(int, os.listdir("/proc/%d/fd" % process))) + 1
        for room in (0, 1, 2, 3, 4):
            resource.prlimit(process, resource.RLIMIT_NOFILE, (used + room, limits[1]))
            waiting = subprocess.Popen(
                [program("forebay"), "get", "--socket", daemon.socket, "data"],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            time.sleep(0.5)
            resource.prlimit(process, resource.RLIMIT_NOFILE, limits)
            got = waiting.communicate(timeout=60)[0]
            self.assertTrue(got == content or waiting.returncode != 0, room)
            again = daemon.forebay("get", "data")
            self.assertTrue(again.stdout == content, (room, again.returncode, again.stderr))


@unittest.skipUnless(os.geteuid() == 0 and os.access("/dev/fuse", os.W_OK), "no FUSE here")
class OpenFiles(Case):
    COUNT = 10000

    def test_ten_thousand_files_are_open_at_once(self):
        limit = self.COUNT + 1000
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        if before[1] < limit:
            self.skipTest("no more than %d files may be open here" % before[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        for i in range(self.COUNT):
            self.write("origin/%d" % i, b"content of %d" % i)
        daemon = Daemon(self, self.config)
        mount = daemon.mount(self)
        files = []
        try:
            for i in range(self.COUNT):
                files.append(os.open("%s/%d" % (mount, i), os.O_RDONLY))
            for i, file in enumerate(files):
                self.assertEqual(os.pread(file, 100, 0), b"content of %d" % i)
        finally:
            for file in files:
                os.close(file)


if __name__ == "__main__":
    hw_test.main("hw_odd_test")
