#!/usr/bin/env python3
"""What the daemons keep for themselves in a folder as origin (.forebay-parts), where others may
write, too: it is not led away by links, what is not ours stays, and who has a lock, or is stopped
with one, holds up one name.

usage: hw_posix_own_test.py BUILD [unittest's arguments]    exit code 77: there is no io_uring here
"""

import fcntl
import os
import subprocess
import threading
import time

import hw_test
import stranger
from hw_test import Case, Daemon
from processes import stand_still

DAY_S = 24 * 3600


class Own(Case):
    def setUp(self):
        super().setUp()
        self.origin = self.path("origin")
        self.parts = os.path.join(self.origin, ".forebay-parts")

    def old(self, *names):
        """Files, and their folders, that have not been changed for two days."""
        for name in names:
            os.makedirs(os.path.dirname(name), exist_ok=True)
            with open(name, "wb") as file:
                file.write(b"x")
        for name in names:
            for path in (name, os.path.dirname(name)):
                os.utime(path, (1, time.time() - 2 * DAY_S))

    def put(self, daemon, content, name, *options):
        return daemon.forebay("put", *options, self.write("source", content), name)


class Folder(Own):
    def refused(self, *texts):
        """Neither --check nor the doctor nor a start likes it; each says why and what helps."""
        daemon = (hw_test.program("forebayd"), "--config", self.config)
        for code, arguments in ((0, (*daemon, "--check")),
                                (1, (hw_test.program("forebay"), "doctor", *daemon[1:])),
                                (1, daemon)):
            ended = hw_test.run(*arguments)
            said = (ended.stdout + ended.stderr).decode()
            self.assertEqual(ended.returncode, code, said)
            for text in (self.origin + ": ", ".forebay-parts", *texts):
                self.assertIn(text, said)

    def test_link_or_file_in_its_place_is_refused_and_nothing_goes(self):
        names = [self.path("home/0000000000000001/" + name) for name in
                 ("thesis.tex", "1.77.0x5", ".commit.0.77.0x5")]
        self.old(*names)
        os.symlink(self.path("home"), self.parts)
        self.refused("a symbolic link", "remove it")
        self.assertEqual([name for name in names if not os.path.exists(name)], [])
        os.unlink(self.parts)
        self.write("origin/.forebay-parts", b"")
        self.refused("a file", "remove it")

    def test_folder_that_others_may_write_in_or_own_is_refused(self):
        os.mkdir(self.parts)
        for mode in (0o777, 0o775, 0o1777):
            os.chmod(self.parts, mode)
            self.refused("others may write", "chmod -R go-w " + self.parts)
        os.chmod(self.parts, 0o755)
        if os.geteuid() == 0:
            os.chown(self.parts, 1234, -1)
            self.refused("belongs to user 1234", "chown")
            os.chown(self.parts, 0, -1)
        daemon = Daemon(self, self.config)
        self.assertEqual(self.put(daemon, b"content", "name").returncode, 0)

    def test_link_that_takes_its_place_later_is_not_followed(self):
        """Nor one in the place of a folder of blocks, nor a stranger's folder."""
        daemon = Daemon(self, self.config, "origin.orphan_age=4 s", "stop_patience=0 s")
        self.addCleanup(daemon.kill)
        self.assertEqual(self.put(daemon, b"content", "name").returncode, 0)
        self.assertEqual(os.stat(self.parts).st_mode & 0o777, 0o700)
        names = [self.path("home/0000000000000001/" + name) for name in ("0", "1.77.0x5")]
        self.old(*names)
        os.rename(self.parts, self.parts + "-was")
        os.symlink(self.path("home"), self.parts)
        ended = self.put(daemon, b"content", "other")
        self.assertIn(b"Permission denied", ended.stderr, daemon.log())
        time.sleep(1.5)  # so long a look takes to come
        self.assertEqual([name for name in names if not os.path.exists(name)], [])
        self.assertEqual(os.listdir(self.path("home")), ["0000000000000001"])
        os.unlink(self.parts)
        os.rename(self.parts + "-was", self.parts)
        os.symlink(self.path("home/0000000000000001"),
                   os.path.join(self.parts, "0000000000000001"))
        time.sleep(1.5)
        self.assertEqual([name for name in names if not os.path.exists(name)], [])
        self.assertEqual(self.put(daemon, b"content", "other").returncode, 0)

    def test_only_names_of_our_own_form_are_collected(self):
        kept = ["alice/1.77.0x5", "000000000000000A/1.77.0x5", "0000000000000001/notes.txt",
                "0000000000000001/1.txt", "0000000000000001/.hidden", "0000000000000001/7"]
        gone = ["0000000000000001/1.77.0x5", "0000000000000001/.commit.0.77.0x5",
                "0000000000000002/.commit.3.77.0x5"]
        self.old(*[os.path.join(self.parts, name) for name in kept + gone])
        os.chmod(self.parts, 0o700)
        there = lambda names: [name for name in names
                               if os.path.exists(os.path.join(self.parts, name))]
        Daemon(self, self.config).wait_until(lambda: there(gone) == [])
        self.assertEqual(there(kept), kept)


class Locks(Own):
    def test_lock_that_is_kept_holds_up_neither_reads_nor_listings_nor_the_end(self):
        """All bytes of the lock file: as if members had been stopped in many commits."""
        os.mkdir(os.path.join(self.origin, "cold"))
        for number in range(20):
            self.object("cold/%d" % number, 1000 + number)
        daemon = Daemon(self, self.config, "core.memory_size=32 MiB", "stop_patience=0 s")
        self.addCleanup(daemon.kill)
        self.assertEqual(self.put(daemon, b"content", "first").returncode, 0)
        path = os.path.join(self.parts, ".lock")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path, "r+b") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            puts = [subprocess.Popen(
                [hw_test.program("forebay"), "put", "--socket", daemon.socket, "--level", "origin",
                 self.write("source%d" % number, b"%d" % number), "new%d" % number])
                for number in range(6)]
            for put in puts:
                self.addCleanup(put.wait)
                self.addCleanup(put.kill)
            time.sleep(1)
            for number in range(20):
                begun = time.monotonic()
                self.assertEqual(daemon.forebay("get", "cold/%d" % number).returncode, 0)
                self.assertLess(time.monotonic() - begun, 5)
            begun = time.monotonic()
            self.assertEqual(len(daemon.forebay("ls", "cold").stdout.split()), 20)
            self.assertLess(time.monotonic() - begun, 5)
            self.assertEqual([put.poll() for put in puts], [None] * 6)
            daemon.wait_until(lambda: 'event=origin_name_held object="new' in daemon.log())
        self.assertEqual([put.wait(30) for put in puts], [0] * 6)
        with open(path, "r+b") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            last = subprocess.Popen(
                [hw_test.program("forebay"), "put", "--socket", daemon.socket,
                 self.path("source1"), "last"])
            self.addCleanup(last.wait)
            self.addCleanup(last.kill)
            time.sleep(0.5)
            begun = time.monotonic()
            daemon.stop()
            self.assertLess(time.monotonic() - begun, 10)


class SeveralNames(Own):
    """Files of several names are overwritten where they are: the old version or the new, whole."""
    OLD, NEW = b"old" * 300000, b"newer" * 100000

    def setUp(self):
        super().setUp()
        self.files = [self.path("origin/" + name) for name in ("a", "b")]

    def make(self, content):
        with open(self.files[0], "wb") as file:
            file.write(content)
        os.link(*self.files)

    def contents(self):
        found = []
        for path in self.files:
            with open(path, "rb") as file:
                found.append(file.read())
        return found

    def tear(self, *left_out):
        """As a daemon leaves it that dies when half is written; the mark's folder."""
        os.makedirs(self.parts, 0o700, exist_ok=True)
        mark = os.path.join(self.parts, "rewrite.%016x" % os.stat(self.files[0]).st_ino)
        os.mkdir(mark, 0o700)
        for name, content in (("name", b"a"), ("whole", self.NEW)):
            if name not in left_out:
                with open(os.path.join(mark, name), "wb") as file:
                    file.write(content)
                os.utime(file.name, ns=(10**18, 10**18))
        if "target" not in left_out:
            os.link(self.files[0], os.path.join(mark, "target"))
        with open(self.files[0], "r+b") as file:
            file.write(self.NEW[:len(self.NEW) // 2])
        return mark

    def is_mended(self, mark):
        self.assertEqual(self.contents(), [self.NEW] * 2)
        facts = os.stat(self.files[1])
        self.assertEqual((facts.st_mtime_ns, facts.st_nlink), (10**18, 2))
        self.assertFalse(os.path.exists(mark))

    def test_torn_file_is_finished_before_it_is_read(self):
        self.make(self.OLD)
        daemon = Daemon(self, self.config)
        self.assertEqual(daemon.forebay("get", "b").stdout, self.OLD)
        for name, left_out in (("b", ()), ("a", ()), ("b", ("target",)), ("a", ("name",))):
            self.is_mended(self.torn_and(daemon, "get", name, left_out, self.NEW))
        self.assertIn(b"size_bytes 500000\n", daemon.forebay("stat", "b").stdout)
        self.is_mended(self.torn_and(daemon, "stat", "b", (), None))

    def torn_and(self, daemon, command, name, left_out, content):
        for path in self.files:
            os.unlink(path)
        self.make(self.OLD)
        mark = self.tear(*left_out)
        ended = daemon.forebay(command, name)
        self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
        if content is not None:
            self.assertEqual(ended.stdout, content)
        return mark

    def test_torn_file_is_finished_at_a_start_and_before_a_change(self):
        self.make(self.OLD)
        mark = self.tear()
        daemon = Daemon(self, self.config)
        daemon.wait_until(lambda: not os.path.exists(mark))
        self.is_mended(mark)
        daemon.says("event=origin_rewrite_finished")
        mark = self.tear()
        self.assertEqual(self.put(daemon, b"third", "a").returncode, 0)
        self.assertEqual(self.contents(), [b"third"] * 2)
        self.assertFalse(os.path.exists(mark))
        mark = self.tear()
        self.assertEqual(daemon.forebay("rm", "a").returncode, 0)
        self.assertEqual(daemon.forebay("get", "b").stdout, self.NEW)
        self.assertFalse(os.path.exists(mark))

    def test_mark_of_what_is_not_there_or_not_begun_goes(self):
        self.make(self.OLD)
        mark = self.tear("target")
        for path in self.files:
            os.rename(path, path + "-was")
        self.write("origin/a", b"another's")
        begun = self.path("origin/.forebay-parts/rewrite.0000000000000123")
        os.mkdir(begun, 0o700)
        os.link(self.path("origin/a"), os.path.join(begun, "target"))
        Daemon(self, self.config).wait_until(lambda: not os.path.exists(mark) and
                                             not os.path.exists(begun))
        with open(self.files[0], "rb") as file:
            self.assertEqual(file.read(), b"another's")

    def test_no_room_leaves_the_old_version(self):
        if os.geteuid() != 0 or subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=26m", "none", self.origin],
                capture_output=True, check=False).returncode:
            self.skipTest("cannot mount here")
        self.addCleanup(subprocess.run, ["umount", "-l", self.origin], check=False)
        self.make(self.OLD)
        before = os.stat(self.files[0])
        daemon = Daemon(self, self.config, "core.memory_size=32 MiB", "stop_patience=0 s")
        self.addCleanup(daemon.kill)
        ended = self.put(daemon, b"N" * (10 << 20), "a", "--level", "origin")
        self.assertIn(b"No space left", ended.stderr)
        self.assertEqual(self.contents(), [self.OLD] * 2)
        self.assertEqual(daemon.forebay("get", "b").stdout, self.OLD)
        after = os.stat(self.files[0])
        self.assertEqual((after.st_mtime_ns, after.st_nlink), (before.st_mtime_ns, 2))
        self.assertEqual([name for name in os.listdir(self.parts) if "rewrite" in name], [])
        self.assertEqual(self.put(daemon, self.NEW, "a", "--level", "origin").returncode, 0)
        self.assertEqual(self.contents(), [self.NEW] * 2)

    def test_member_that_is_stopped_in_it_holds_up_that_name_alone_until_it_dies(self):
        size_mib = 96
        self.make(b"A" * (size_mib << 20))
        new = self.write("new", b"N" * (size_mib << 20))
        self.object("cold", 1000)
        config, _ = self.pair()
        daemons = [Daemon(self, config, "node=%d" % node, "core.memory_size=144 MiB",
                          "core.block_size=1 MiB", "core.write_quorum=1", "stop_patience=0 s",
                          "client.socket=" + self.path("socket%d" % node), name="node%d" % node)
                   for node in range(2)]
        self.addCleanup(daemons[1].kill)
        put = subprocess.Popen([hw_test.program("forebay"), "put", "--socket", daemons[0].socket,
                                "--level", "origin", new, "a"], stderr=subprocess.DEVNULL)
        self.addCleanup(put.wait)
        self.addCleanup(put.kill)
        first = b"A"
        with open(self.files[0], "rb", buffering=0) as file:
            while first == b"A" and put.poll() is None:
                first = os.pread(file.fileno(), 1, 0)
        stand_still(daemons[0].process)
        for number in range(6):
            begun = time.monotonic()
            self.assertEqual(self.put(daemons[1], b"other", "other%d" % number, "--level",
                                      "origin").returncode, 0, daemons[1].log())
            self.assertEqual(daemons[1].forebay("get", "cold").returncode, 0)
            self.assertLess(time.monotonic() - begun, 10)
        daemons[0].kill()
        daemons[1].wait_until(lambda: daemons[1].forebay("get", "b", self.path("got"))
                              .returncode == 0, 60)
        with open(self.path("got"), "rb") as file:
            self.assertEqual(file.read(), b"N" * (size_mib << 20))
        self.assertEqual([set(content) for content in self.contents()], [{ord("N")}] * 2)


class Elsewhere(Own):
    """A folder of the origin is the mount of another file system: nothing can be renamed to it."""

    def setUp(self):
        super().setUp()
        self.there = os.path.join(self.origin, "sub")
        os.mkdir(self.there)
        if os.geteuid() != 0 or subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=16m", "none", self.there],
                capture_output=True, check=False).returncode:
            self.skipTest("cannot mount here")
        self.addCleanup(subprocess.run, ["umount", "-l", self.there], check=False)

    def content(self, name):
        with open(os.path.join(self.there, name), "rb") as file:
            return file.read()

    def test_files_are_written_there_with_all_that_is_kept_of_them(self):
        for number, store in enumerate(((), ("metadata.kind=lmdb",
                                             "metadata.path=" + self.path("records")))):
            for name in ("file", "several"):
                self.write("origin/sub/" + name, b"old")
            path = os.path.join(self.there, "file")
            os.setxattr(path, "user.note", b"kept")
            os.chmod(path, 0o640)
            os.chown(path, 1234, 2345)
            os.link(os.path.join(self.there, "several"), os.path.join(self.there, "other"))
            daemon = Daemon(self, self.config, *store, name="daemon%d" % number)
            for name in ("file", "new", "several"):
                content = os.urandom(600000)
                ended = self.put(daemon, content, "sub/" + name, "--level", "origin")
                self.assertEqual(ended.returncode, 0, ended.stderr.decode() + daemon.log())
                self.assertEqual(self.content(name), content)
                self.assertEqual(daemon.forebay("get", "sub/" + name).stdout, content)
            self.assertEqual(self.content("other"), content)
            self.assertEqual(os.getxattr(path, "user.note"), b"kept")
            facts = os.stat(path)
            self.assertEqual((facts.st_mode & 0o7777, facts.st_uid, facts.st_gid),
                             (0o640, 1234, 2345))
            self.assertEqual(sorted(os.listdir(self.there)), ["file", "new", "other", "several"])
            daemon.wait_until(lambda: sorted(os.listdir(self.parts)) == [".lock", "identity"])
            self.assertEqual(daemon.stop(), 0)
            for name in os.listdir(self.there):
                os.unlink(os.path.join(self.there, name))

    def test_what_a_dead_commit_left_beside_the_target_goes(self):
        handle = stranger.block_key(b"sub/name", 1, 0)[1]
        blocks = os.path.join(self.parts, "%016x" % handle)
        beside = ".forebay-parts.%016x.0.77.0x5" % handle
        self.old(os.path.join(blocks, ".near.0.77.0x5"))
        with open(os.path.join(blocks, ".name"), "wb") as file:
            file.write(b"1\nsub/name")
        os.utime(blocks, (1, time.time() - 2 * DAY_S))
        for name in (beside, "file", ".forebay-parts.%016x.0.78.0x5" % handle):
            self.write("origin/sub/" + name, b"x")
        Daemon(self, self.config).wait_until(lambda: not os.path.exists(blocks) and
                                             beside not in os.listdir(self.there))
        self.assertEqual(len(os.listdir(self.there)), 2)

    def test_link_where_the_file_is_made_is_not_followed(self):
        """Whoever may write in the folder knows the name."""
        outside = self.write("outside", b"kept")
        is_over = threading.Event()

        def plant():
            while not is_over.wait(0.0005):
                for blocks in os.listdir(self.parts) if os.path.exists(self.parts) else ():
                    try:
                        marks = os.listdir(os.path.join(self.parts, blocks))
                        for mark in marks:
                            if mark.startswith(".near."):
                                os.symlink(outside, os.path.join(
                                    self.there, ".forebay-parts." + blocks + mark[5:]))
                    except OSError:
                        pass
        planter = threading.Thread(target=plant)
        planter.start()
        self.addCleanup(planter.join)
        self.addCleanup(is_over.set)
        daemon = Daemon(self, self.config, "stop_patience=0 s")
        self.addCleanup(daemon.kill)
        for number in range(20):
            self.put(daemon, b"new %d" % number, "sub/name", "--level", "origin")
        with open(outside, "rb") as file:
            self.assertEqual(file.read(), b"kept")


if __name__ == "__main__":
    hw_test.main("hw_posix_own_test")
