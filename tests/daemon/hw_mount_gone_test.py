#!/usr/bin/env python3
"""A name that goes while a file is open for writing under it stays gone: whoever writes on hears
ESTALE, as from another's version, or, where the same mount removed it, the file has no name. A
rename is done once and whole: of two of one file one is done, and the other has changed nothing.
Over an object store with records in LMDB and in etcd, and over a folder without a store.

usage: hw_mount_gone_test.py BUILD [unittest's arguments]
exit code 77: no io_uring or no FUSE
"""

import contextlib
import errno
import os
import subprocess
import sys
import threading
import time

import hw_test
from hw_mount_nodes_test import Nodes
from hw_test import Case
from kept import OnEtcd, OnLmdb, read, write

FIRST, MORE = b"x" * 300000, b"y" * 300000


def append(file):
    os.lseek(file, 0, os.SEEK_END)
    os.write(file, MORE)


def overwrite(file):
    os.pwrite(file, MORE[:7], 1000)


def cut(file):
    os.ftruncate(file, 100)


def map_and_write(file):
    """In another process: msync holds the interpreter, and the bucket is served by this one."""
    program = "import mmap; mapped = mmap.mmap(%d, 4096); mapped[5:10] = b'hello'; mapped.flush()"
    done = subprocess.run([sys.executable, "-c", program % file], pass_fds=[file], check=False,
                          capture_output=True, text=True)
    assert "Stale file handle" in done.stderr, done.stderr


class Gone:
    """first, last: folders of two mounts; daemons: of theirs."""

    def gone(self, name):
        for mount in (self.first, self.last):
            self.assertFalse(os.path.exists(os.path.join(mount, name)), name)
            self.assertNotIn(name, os.listdir(mount))

    def remove(self, name):
        os.unlink(os.path.join(self.last, name))

    def remove_past_mounts(self, name):
        self.assertEqual(self.daemons[0].forebay("rm", name).returncode, 0)

    def rename(self, name):
        os.rename(os.path.join(self.last, name), os.path.join(self.last, name + ".moved"))

    def hears_stale(self, file):
        with self.assertRaises(OSError) as caught:
            os.fsync(file)
        self.assertEqual(errno.errorcode[caught.exception.errno], "ESTALE")
        with contextlib.suppress(OSError):
            os.close(file)

    def opened(self, name):
        file = os.open(os.path.join(self.first, name), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.write(file, FIRST)
        os.fsync(file)
        return file

    def test_writer_hears_that_its_name_went(self):
        ways = [(take, change) for take in (self.remove, self.remove_past_mounts, self.rename)
                for change in (append, overwrite, cut, map_and_write)]
        for number, (take, change) in enumerate(ways):
            with self.subTest(take=take.__name__, change=change.__name__):
                name = "file%d" % number
                file = self.opened(name)
                take(name)
                if change == append:
                    time.sleep(1.1)  # the kernel asks again
                change(file)
                self.hears_stale(file)
                self.gone(name)
                if take == self.rename:
                    self.assertEqual(read(os.path.join(self.last, name + ".moved")), FIRST)

    def test_what_is_set_of_an_open_file_makes_no_name(self):
        file = self.opened("file")
        self.remove("file")
        time.sleep(1.1)
        for call in (lambda: os.fchmod(file, 0o600), lambda: os.utime(file, (1, 1))):
            with contextlib.suppress(OSError):
                call()
        os.close(file)
        self.gone("file")

    def test_file_that_its_own_mount_removed_is_written_without_a_name(self):
        file = self.opened("file")
        os.unlink(os.path.join(self.first, "file"))
        append(file)
        os.fsync(file)
        self.assertEqual(os.pread(file, 1 << 20, 0), FIRST + MORE)
        os.close(file)
        self.gone("file")

    def test_name_that_is_made_anew_is_anothers(self):
        file = self.opened("file")
        self.remove("file")
        write(os.path.join(self.last, "file"), b"another's")
        append(file)
        self.hears_stale(file)
        self.assertEqual(read(os.path.join(self.first, "file")), b"another's")


def at_once(*calls):
    """What each said: None, or an error's name."""
    said = [None] * len(calls)

    def run(index):
        try:
            calls[index]()
        except OSError as error:
            said[index] = errno.errorcode[error.errno]
    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


class Renames:
    ROUNDS = 8

    def seen(self, name):
        """What both mounts read; None: there is no such name."""
        found = [read(path) if os.path.exists(path) else None
                 for path in (os.path.join(mount, name) for mount in (self.first, self.last))]
        self.assertEqual(found[0], found[1], name)
        return found[0]

    def put(self, name, content):
        write(os.path.join(self.first, name), content)

    def test_of_two_who_rename_a_file_one_does(self):
        for number in range(self.ROUNDS):
            source, targets = "a%d" % number, ("x%d" % number, "y%d" % number)
            for name in (source, *targets):
                self.put(name, b"content of " + name.encode())
            said = at_once(*(lambda mount=mount, to=to: os.rename(
                os.path.join(mount, source), os.path.join(mount, to))
                for mount, to in zip((self.first, self.last), targets)))
            self.assertEqual(sorted(said, key=str), ["ENOENT", None])
            self.assertIsNone(self.seen(source))
            for to, error in zip(targets, said):
                whose = to if error else source
                self.assertEqual(self.seen(to), b"content of " + whose.encode())

    def test_of_two_who_rename_a_link_one_does(self):
        for number in range(self.ROUNDS):
            source, targets = "l%d" % number, ("m%d" % number, "n%d" % number)
            for name in (source, *targets):
                os.symlink("to " + name, os.path.join(self.first, name))
            said = at_once(*(lambda mount=mount, to=to: os.rename(
                os.path.join(mount, source), os.path.join(mount, to))
                for mount, to in zip((self.first, self.last), targets)))
            self.assertEqual(sorted(said, key=str), ["ENOENT", None])
            for mount in (self.first, self.last):
                self.assertFalse(os.path.lexists(os.path.join(mount, source)))
                for to, error in zip(targets, said):
                    self.assertEqual(os.readlink(os.path.join(mount, to)),
                                     "to " + (to if error else source))

    def test_rename_and_removal_are_not_both_done(self):
        for number in range(self.ROUNDS):
            source, target = "b%d" % number, "z%d" % number
            self.put(source, b"source")
            self.put(target, b"target")
            said = at_once(
                lambda: os.rename(os.path.join(self.first, source),
                                  os.path.join(self.first, target)),
                lambda: os.unlink(os.path.join(self.last, source)))
            self.assertIn(said, ([None, "ENOENT"], ["ENOENT", None]))
            self.assertIsNone(self.seen(source))
            self.assertEqual(self.seen(target), b"target" if said[0] else b"source")

    def test_version_that_comes_during_a_rename_is_not_lost(self):
        for number in range(self.ROUNDS):
            source, target = "c%d" % number, "t%d" % number
            self.put(source, b"old")
            puts = []
            said = at_once(
                lambda: os.rename(os.path.join(self.first, source),
                                  os.path.join(self.first, target)),
                lambda: puts.append(self.daemons[-1].forebay(
                    "put", self.write("new", b"new"), source)))
            self.assertEqual(said, [None, None])
            is_put = puts[0].returncode == 0  # or it began before the rename, and lost
            self.assertIn((self.seen(source), self.seen(target)),
                          ((b"new", b"old"), (None, b"new")) if is_put else ((None, b"old"),))

    def test_renamed_file_is_gone_from_the_origin_soon(self):
        self.put("old", b"content")
        self.wait_shown("old")
        os.rename(os.path.join(self.last, "old"), os.path.join(self.last, "new"))
        self.wait_shown("new")
        self.assertNotIn("old", self.bucket.objects)
        self.assertEqual((self.seen("old"), self.seen("new")), (None, b"content"))


class OverLmdb(Gone, Renames, OnLmdb, Case):
    pass


class OverEtcd(Gone, Renames, OnEtcd, Case):
    def test_rename_whose_answer_is_lost_is_done_once(self):
        self.put("old", b"content")
        os.symlink("where", os.path.join(self.first, "link"))
        self.wait_shown("old")
        for name in ("old", "link"):
            lost = self.way.lost
            self.way.losses = 1
            os.rename(os.path.join(self.last, name), os.path.join(self.last, name + ".new"))
            self.assertEqual(self.way.lost, lost + 1)
        self.assertEqual((self.seen("old"), self.seen("old.new")), (None, b"content"))
        for mount in (self.first, self.last):
            self.assertFalse(os.path.lexists(os.path.join(mount, "link")))
            self.assertEqual(os.readlink(os.path.join(mount, "link.new")), "where")


class OverFolder(Gone, Nodes):
    def setUp(self):
        super().setUp()
        self.first, self.last = self.a, self.b


if __name__ == "__main__":
    hw_test.main("hw_mount_gone_test", needs_fuse=True)
