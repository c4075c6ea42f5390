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
            daemon.wait_until(lambda: os.listdir(self.parts) == [".lock"])
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
    hw_test.main("hw_posix_own_test", at_once=4)
