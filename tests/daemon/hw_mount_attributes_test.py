#!/usr/bin/env python3
"""An object store behind a metadata store: what a file system says of a name beside its bytes is
kept in the name's record. Mode, owner, times, links, empty folders, extended attributes: seen by
other nodes at once, kept over new versions and restarts, lost to no race, gone with the name. With
records in LMDB (one daemon, two mounts of it) and in etcd (two daemons).

usage: hw_mount_attributes_test.py BUILD [unittest's arguments]
exit code 77: no io_uring or no FUSE
"""

import base64
import contextlib
import errno
import json
import os
import shutil
import socket
import stat
import threading
import time
import unittest
import urllib.request

import hw_name_test
import hw_parts_test
import hw_test
from hw_test import PAIR, Case, Daemon, free_ports


def write(path, content, mode="wb"):
    with open(path, mode) as file:
        file.write(content)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def facts(path):
    found = os.lstat(path)
    return stat.filemode(found.st_mode), found.st_uid, found.st_gid


class Kept:
    """What holds for both stores. self.mounts: two of them, as far from each other as can be."""

    def setUp(self):
        super().setUp()
        self.bucket, self.port = hw_parts_test.serve(self)
        self.text = hw_parts_test.CONFIG.format(folder=self.folder, block="1 MiB", port=self.port)
        self.mounts = self.start()
        self.first, self.last = self.mounts

    def path_of(self, mount, *names):
        return os.path.join(mount, *names)

    def fails(self, code, call, *arguments, **names):
        with self.assertRaises(OSError) as caught:
            call(*arguments, **names)
        self.assertEqual(errno.errorcode[caught.exception.errno], code)

    def both(self, what, *names):
        """What both mounts say of a name is the same."""
        found = [what(os.path.join(mount, *names)) for mount in self.mounts]
        self.assertEqual(found[0], found[1], names)
        return found[0]

    def wait(self, condition, patience_s=30):
        end = time.monotonic() + patience_s
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def wait_shown(self, *names):
        """Until the origin has all of it."""
        self.wait(lambda: all(name in self.bucket.objects for name in names) and
                  all(daemon.status()["unfinished_names"] == "0" for daemon in self.daemons))

    def stranger_puts(self, name, content):
        with self.bucket.lock:
            self.bucket.objects[name] = (content, "\"%d\"" % time.monotonic_ns(), None)

    def test_modes_and_owners_stay_over_versions(self):
        path = self.path_of(self.first, "file")
        write(path, b"one")
        os.chmod(path, 0o4751)
        os.chown(path, 5, -1)
        os.chmod(path, 0o751)
        os.chown(path, -1, 6)
        self.assertEqual(self.both(facts, "file"), ("-rwxr-x--x", 5, 6))
        write(self.path_of(self.last, "file"), b"two")
        self.assertEqual(self.both(facts, "file"), ("-rwxr-x--x", 5, 6))
        self.wait_shown("file")
        self.assertEqual(self.both(facts, "file"), ("-rwxr-x--x", 5, 6))
        self.assertEqual(self.both(read, "file"), b"two")
        self.restart()
        self.assertEqual(self.both(facts, "file"), ("-rwxr-x--x", 5, 6))

    def test_times_are_those_of_a_version(self):
        path = self.path_of(self.first, "file")
        write(path, b"one")
        os.utime(path, ns=(10**18 + 1, 10**18 + 2))
        times = lambda name: (os.stat(name).st_atime_ns, os.stat(name).st_mtime_ns)
        self.assertEqual(self.both(times, "file"), (10**18 + 1, 10**18 + 2))
        self.wait_shown("file")
        self.assertEqual(self.both(times, "file"), (10**18 + 1, 10**18 + 2))
        os.chmod(path, 0o600)
        self.assertEqual(self.both(times, "file"), (10**18 + 1, 10**18 + 2))
        before = time.time_ns()
        write(self.path_of(self.last, "file"), b"two")
        self.assertGreater(self.both(times, "file")[1], before - 10**9)
        written = self.both(times, "file")
        self.wait_shown("file")
        self.assertEqual(self.both(times, "file"), written)

    def test_new_file_is_as_it_was_made(self):
        umask = os.umask(0o027)
        self.addCleanup(os.umask, umask)
        path = self.path_of(self.first, "file")
        for flags in (os.O_CREAT | os.O_EXCL, os.O_CREAT):
            file = os.open(path, flags | os.O_WRONLY, 0o666)
            os.write(file, b"content")
            os.close(file)
            self.assertEqual(self.both(facts, "file"), ("-rw-r-----", 0, 0))
            os.chmod(path, 0o777)
            os.setxattr(path, "user.note", b"1")
            self.assertEqual(self.both(facts, "file")[0], "-rwxrwxrwx")
            os.remove(path)
        write(path, b"anew")
        self.assertEqual(self.both(facts, "file")[0], "-rw-r-----")
        self.fails("ENODATA", os.getxattr, self.path_of(self.last, "file"), "user.note")
        with open(self.path_of(self.first, "open"), "wb") as file:
            os.fchmod(file.fileno(), 0o711)  # before anybody else knows of it
            file.write(b"x")
        self.assertEqual(self.both(facts, "open")[0], "-rwx--x--x")

    def test_folder_gives_its_group(self):
        folder = self.path_of(self.first, "folder")
        os.mkdir(folder)
        os.chown(folder, 0, 7)
        os.chmod(folder, 0o2775)
        write(folder + "/file", b"x")
        os.mkdir(folder + "/inner")
        os.symlink("file", folder + "/link")
        self.assertEqual(self.both(facts, "folder", "file"), ("-rw-r--r--", 0, 7))
        self.assertEqual(self.both(facts, "folder", "inner"), ("drwxr-sr-x", 0, 7))
        self.assertEqual(self.both(facts, "folder", "link"), ("lrwxrwxrwx", 0, 7))

    def test_links_lead_where_they_were_made_to(self):
        write(self.path_of(self.first, "file"), b"content")
        link = self.path_of(self.first, "link")
        os.symlink("file", link)
        os.symlink("nowhere/at all", self.path_of(self.first, "dangling"))
        self.assertEqual(self.both(os.readlink, "link"), "file")
        self.assertEqual(self.both(read, "link"), b"content")
        self.assertEqual(self.both(os.path.exists, "dangling"), False)
        self.assertEqual(self.both(lambda mount: sorted(os.listdir(mount))),
                         ["dangling", "file", "link"])
        self.fails("EEXIST", os.symlink, "other", self.path_of(self.last, "link"))
        self.fails("EEXIST", os.symlink, "other", self.path_of(self.last, "file"))
        os.utime(link, ns=(10**18, 10**18 + 5), follow_symlinks=False)
        os.chown(link, 3, 4, follow_symlinks=False)
        self.assertEqual(self.both(lambda path: os.lstat(path).st_mtime_ns, "link"), 10**18 + 5)
        self.assertEqual(self.both(facts, "link"), ("lrwxrwxrwx", 3, 4))
        self.restart()
        self.assertEqual(self.both(os.readlink, "link"), "file")
        os.remove(self.path_of(self.last, "link"))
        self.assertEqual(self.both(os.path.lexists, "link"), False)
        write(link, b"a file")
        self.assertEqual(self.both(facts, "link"), ("-rw-r--r--", 0, 0))
        self.assertNotIn("dangling", self.bucket.objects)

    def test_fifos_sockets_and_devices_are_names(self):
        os.mkfifo(self.path_of(self.first, "fifo"), 0o640)
        os.mknod(self.path_of(self.first, "device"), 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        self.assertEqual(self.both(facts, "fifo")[0], "prw-r-----")
        self.assertEqual(self.both(lambda path: os.stat(path).st_rdev, "device"), os.makedev(1, 3))
        os.remove(self.path_of(self.last, "fifo"))
        self.assertEqual(self.both(os.listdir), ["device"])

    def test_empty_folders_are_there_with_their_modes(self):
        os.mkdir(self.path_of(self.first, "a"), 0o750)
        os.mkdir(self.path_of(self.last, "a", "b"))
        self.assertEqual(self.both(facts, "a"), ("drwxr-x---", 0, 0))
        self.assertEqual(self.both(os.listdir, "a"), ["b"])
        self.assertEqual(self.both(os.listdir, "a", "b"), [])
        self.fails("ENOTEMPTY", os.rmdir, self.path_of(self.last, "a"))
        self.fails("EEXIST", os.mkdir, self.path_of(self.last, "a"))
        os.chmod(self.path_of(self.last, "a"), 0o711)
        self.restart()
        self.assertEqual(self.both(facts, "a")[0], "drwx--x--x")
        os.rmdir(self.path_of(self.first, "a", "b"))
        write(self.path_of(self.first, "a", "file"), b"x")
        self.fails("ENOTEMPTY", os.rmdir, self.path_of(self.last, "a"))
        self.wait_shown("a/file")
        self.fails("ENOTEMPTY", os.rmdir, self.path_of(self.last, "a"))
        os.remove(self.path_of(self.last, "a", "file"))
        self.assertEqual(self.both(os.listdir, "a"), [])
        os.rmdir(self.path_of(self.last, "a"))
        self.assertEqual(self.both(os.listdir), [])
        os.mkdir(self.path_of(self.first, "a"))
        self.assertEqual(self.both(facts, "a")[0], "drwxr-xr-x")

    def test_folder_of_objects_alone_gets_a_record_when_it_is_needed(self):
        self.stranger_puts("folder/deep/file", b"x")
        os.chmod(self.path_of(self.first, "folder"), 0o700)
        self.assertEqual(self.both(facts, "folder")[0], "drwx------")
        os.symlink("file", self.path_of(self.first, "folder", "deep", "link"))
        with self.bucket.lock:
            del self.bucket.objects["folder/deep/file"]
        self.assertEqual(self.both(os.listdir), ["folder"])
        self.assertEqual(self.both(os.listdir, "folder"), ["deep"])
        self.assertEqual(self.both(os.listdir, "folder", "deep"), ["link"])

    def test_folder_of_many_links_is_listed_whole(self):
        names = ["link %04d" % number for number in range(150)]
        os.mkdir(self.path_of(self.first, "many"))
        for name in names:
            os.symlink("x", self.path_of(self.first, "many", name))
        write(self.path_of(self.first, "many", "link 0100 is a file"), b"x")
        self.assertEqual(self.both(lambda path: sorted(os.listdir(path)), "many"),
                         sorted(names + ["link 0100 is a file"]))
        shutil.rmtree(self.path_of(self.last, "many"))
        self.assertEqual(self.both(os.listdir), [])

    def test_extended_attributes_are_kept(self):
        path = self.path_of(self.first, "file")
        write(path, b"one")
        os.setxattr(path, "user.note", b"\0value")
        os.setxattr(path, "user.empty", b"")
        os.setxattr(path, "user.long", b"l" * 1900)
        write(self.path_of(self.last, "file"), b"two")
        kept = lambda name: {key: os.getxattr(name, key) for key in os.listxattr(name)
                             if not key.startswith("user.forebay.")}
        wanted = {"user.note": b"\0value", "user.empty": b"", "user.long": b"l" * 1900}
        self.assertEqual(self.both(kept, "file"), wanted)
        self.restart()
        self.assertEqual(self.both(kept, "file"), wanted)
        other = self.path_of(self.last, "file")
        self.fails("EEXIST", os.setxattr, other, "user.note", b"", os.XATTR_CREATE)
        self.fails("ENODATA", os.setxattr, other, "user.new", b"", os.XATTR_REPLACE)
        self.fails("ENODATA", os.removexattr, other, "user.new")
        self.fails("ENOTSUP", os.setxattr, other, "security.note", b"1")
        os.removexattr(other, "user.note")
        del wanted["user.note"]
        self.assertEqual(self.both(kept, "file"), wanted)
        os.mkdir(self.path_of(self.first, "folder"))
        os.setxattr(self.path_of(self.first, "folder"), "user.note", b"of a folder")
        self.assertEqual(self.both(kept, "folder"), {"user.note": b"of a folder"})

    def test_names_and_values_have_an_end(self):
        path = self.path_of(self.first, "file")
        write(path, b"x")
        os.setxattr(path, "user.a", b"a" * 1900)
        os.setxattr(path, "user.b", b"b" * 1900)
        self.fails("ENOSPC", os.setxattr, path, "user.c", b"c" * 1900)
        self.fails("ENODATA", os.getxattr, self.path_of(self.last, "file"), "user.c")
        os.removexattr(path, "user.a")
        os.setxattr(path, "user.c", b"c" * 1900)
        self.assertEqual(self.both(lambda name: os.getxattr(name, "user.c"), "file"), b"c" * 1900)
        long = "t" * 4000
        os.symlink(long, self.path_of(self.first, "link"))
        self.assertEqual(self.both(os.readlink, "link"), long)
        self.fails("ENAMETOOLONG", os.symlink, "t" * 4090, self.path_of(self.first, "longer"))
        part = "p" * 255
        os.symlink("x", self.path_of(self.first, part))
        self.fails("ENAMETOOLONG", os.symlink, "x", self.path_of(self.first, part + "p"))
        self.assertEqual(self.both(lambda mount: sorted(os.listdir(mount))),
                         ["file", "link", part])

    def test_renamed_file_takes_it_along(self):
        path = self.path_of(self.first, "file")
        write(path, b"content")
        os.chmod(path, 0o640)
        os.chown(path, 5, 6)
        os.setxattr(path, "user.note", b"1")
        os.utime(path, ns=(10**18, 10**18 + 7))
        os.symlink("x", self.path_of(self.first, "moved"))  # which it takes the place of
        os.rename(path, self.path_of(self.first, "moved"))
        self.assertEqual(self.both(facts, "moved"), ("-rw-r-----", 5, 6))
        self.assertEqual(self.both(lambda name: os.stat(name).st_mtime_ns, "moved"), 10**18 + 7)
        self.assertEqual(self.both(lambda name: os.getxattr(name, "user.note"), "moved"), b"1")
        self.assertEqual(self.both(read, "moved"), b"content")
        self.assertEqual(self.both(os.listdir), ["moved"])
        write(path, b"anew")
        self.assertEqual(self.both(facts, "file"), ("-rw-r--r--", 0, 0))

    def test_links_and_empty_folders_are_renamed(self):
        """A link that is replaced by another is one of them for whoever looks."""
        path = lambda name: self.path_of(self.first, name)
        os.symlink("step 0", path("latest"))
        seen, is_over = set(), threading.Event()

        def look():
            while not is_over.is_set():
                seen.add(os.readlink(self.path_of(self.last, "latest")))

        looker = threading.Thread(target=look)
        looker.start()
        try:
            for step in range(1, 20):
                os.symlink("step %d" % step, path("new"))
                os.rename(path("new"), path("latest"))
        finally:
            is_over.set()
            looker.join()
        self.assertEqual(self.both(os.readlink, "latest"), "step 19")
        self.assertGreater(len(seen), 1)
        self.assertEqual(self.both(os.listdir), ["latest"])
        os.mkdir(path("folder"), 0o711)
        os.mkdir(path("inner"))
        os.rename(path("folder"), path("inner/folder"))
        self.assertEqual(self.both(facts, "inner", "folder")[0], "drwx--x--x")
        os.rename(path("latest"), path("inner/folder/link"))
        self.assertEqual(self.both(os.readlink, "inner", "folder", "link"), "step 19")
        self.assertEqual(self.both(os.listdir), ["inner"])
        self.fails("EXDEV", os.rename, path("inner"), path("other"))
        write(path("file"), b"x")
        os.rename(path("inner/folder/link"), path("file"))
        self.assertEqual(self.both(os.readlink, "file"), "step 19")
        self.assertEqual(self.both(os.listdir, "inner", "folder"), [])

    def test_commits_and_changes_lose_nothing_of_each_other(self):
        """One writes versions, one sets modes, one extended attributes, on different mounts."""
        path, rounds, faults = "file", 25, []
        write(self.path_of(self.first, path), b"begin")

        def repeat(call):
            try:
                for number in range(rounds):
                    call(number)
            except Exception as error:  # pylint: disable=broad-except
                faults.append(error)

        def commit(number):
            write(self.path_of(self.first, path), b"version %d" % number)

        def set_mode(number):
            where = self.path_of(self.last, path)
            os.chmod(where, 0o600 + number)
            self.assertEqual(stat.S_IMODE(os.stat(where).st_mode), 0o600 + number)

        def extra(mount, letter):
            def put(number):
                where = self.path_of(mount, path)
                os.setxattr(where, "user.%s%d" % (letter, number), b"%d" % number)
            return put

        threads = [threading.Thread(target=repeat, args=(call,)) for call in
                   (commit, set_mode, extra(self.first, "a"), extra(self.last, "b"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(faults, [])
        self.assertEqual(self.both(read, path), b"version %d" % (rounds - 1))
        mode = stat.filemode(stat.S_IFREG | 0o600 + rounds - 1)
        self.assertEqual(self.both(facts, path)[0], mode)
        keys = self.both(lambda name: sorted(key for key in os.listxattr(name)
                                             if not key.startswith("user.forebay")), path)
        self.assertEqual(keys, sorted("user.%s%d" % (letter, number) for letter in "ab"
                                      for number in range(rounds)))
        self.wait_shown(path)
        self.assertEqual(self.bucket.objects[path][0], b"version %d" % (rounds - 1))

    def test_of_those_who_make_a_name_one_does(self):
        for make in (os.mkdir, lambda path: os.symlink("x", path)):
            name, made = "name %d" % id(make), []

            def attempt(mount):
                try:
                    make(self.path_of(mount, name))
                    made.append(mount)
                except FileExistsError:
                    pass

            threads = [threading.Thread(target=attempt, args=(mount,))
                       for mount in self.mounts * 3]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(len(made), 1)
            self.assertEqual(self.both(os.path.lexists, name), True)

    def test_folder_that_goes_takes_no_new_entry_with_it(self):
        """mkdir in it and rmdir of it at once: what was made is listed from the root on."""
        for number in range(12):
            folder = "folder %d" % number
            os.mkdir(self.path_of(self.first, folder))

            def fill():
                try:
                    os.mkdir(self.path_of(self.last, folder, "inner"))
                except OSError as error:
                    self.assertIn(error.errno, (errno.ENOENT, errno.ENOTDIR, errno.ESTALE))

            thread = threading.Thread(target=fill)
            thread.start()
            try:
                os.rmdir(self.path_of(self.first, folder))
            except OSError as error:
                self.assertEqual(error.errno, errno.ENOTEMPTY)
            thread.join()
            is_there = self.both(os.path.exists, folder, "inner")
            self.assertEqual(folder in self.both(os.listdir), is_there)

    def test_objects_of_others_get_a_record_when_they_are_changed(self):
        self.stranger_puts("theirs", b"content")
        os.chmod(self.path_of(self.first, "theirs"), 0o640)
        self.assertEqual(self.both(facts, "theirs"), ("-rw-r-----", 0, 0))
        self.assertEqual(self.both(read, "theirs"), b"content")
        self.stranger_puts("theirs", b"changed past the cache")
        self.assertEqual(self.both(read, "theirs"), b"changed past the cache")
        self.assertEqual(self.both(facts, "theirs")[0], "-rw-r-----")
        with self.bucket.lock:
            del self.bucket.objects["theirs"]
        self.assertEqual(self.both(os.path.lexists, "theirs"), False)  # no ghost of it
        self.assertEqual(self.both(os.listdir), [])
        self.fails("ENOENT", os.chmod, self.path_of(self.last, "theirs"), 0o600)
        write(self.path_of(self.first, "theirs"), b"anew")
        self.assertEqual(self.both(facts, "theirs")[0], "-rw-r--r--")

    def test_slow_origin_is_waited_for(self):
        """Longer than a BEGIN waits: what is made is as it was wanted."""
        umask = os.umask(0o027)
        self.addCleanup(os.umask, umask)
        self.bucket.refuse = lambda method, what, key: method == "HEAD" and time.sleep(1.1)
        os.symlink("x", self.path_of(self.first, "link"))
        write(self.path_of(self.first, "file"), b"x")
        os.rename(self.path_of(self.first, "link"), self.path_of(self.first, "moved"))
        self.bucket.refuse = lambda method, what, key: None
        self.assertEqual(self.both(facts, "file")[0], "-rw-r-----")
        self.assertEqual(self.both(lambda mount: sorted(os.listdir(mount))),
                         ["file", "moved"])

    def test_origin_that_fails_makes_nothing(self):
        self.bucket.refuse = lambda method, what, key: (
            (403, "AccessDenied") if method == "HEAD" else None)
        for call in (os.mkdir, lambda path: os.symlink("x", path)):
            self.fails("EACCES", call, self.path_of(self.first, "name"))
        self.bucket.refuse = lambda method, what, key: None
        self.assertEqual(self.both(os.listdir), [])

    def test_programs_of_the_library_keep_what_is_kept(self):
        """forebay put says nothing of modes: an overwrite keeps them, a new file has none."""
        write(self.path_of(self.first, "file"), b"one")
        os.chmod(self.path_of(self.first, "file"), 0o640)
        source = self.write("source", b"two")
        daemon = self.daemons[-1]
        self.assertEqual(daemon.forebay("put", source, "file").returncode, 0)
        self.assertEqual(self.both(facts, "file")[0], "-rw-r-----")
        self.assertEqual(daemon.forebay("rm", "file").returncode, 0)
        self.assertEqual(daemon.forebay("put", source, "file").returncode, 0)
        self.assertEqual(self.both(facts, "file")[0], "-rw-r--r--")
        os.symlink("file", self.path_of(self.first, "link"))
        os.mkdir(self.path_of(self.first, "empty"))
        for name in ("link", "empty"):  # neither is overwritten by bytes
            self.assertEqual(daemon.forebay("put", source, name).returncode, 1)
        self.assertEqual(self.both(os.readlink, "link"), "file")
        self.assertIn(b"empty/", daemon.forebay("ls").stdout)
        self.assertEqual(daemon.forebay("rm", "empty").returncode, 1)
        self.assertEqual(daemon.forebay("rm", "link").returncode, 0)
        self.assertEqual(self.both(lambda mount: sorted(os.listdir(mount))), ["empty", "file"])


class Lmdb(Kept, Case):
    def start(self):
        config = self.write("kept.yaml", self.text.encode())
        self.config = config
        self.daemons = [self.daemon("first")]
        return [self.daemons[0].mount(self), self.daemons[0].mount(self, name="mount2")]

    def daemon(self, name, *settings):
        return Daemon(self, self.config, "metadata.kind=lmdb",
                      "metadata.path=" + self.path("records"), *settings, name=name)

    def test_full_store_takes_no_more_and_keeps_what_it_has(self):
        self.daemons[0].stop()
        self.daemons[0] = self.daemon("small", "metadata.path=" + self.path("small"),
                                      "metadata.size=1 MiB")
        write(self.path_of(self.first, "file"), b"x")
        made = 0
        with self.assertRaises(OSError) as caught:
            for made in range(1000):
                os.mkdir(self.path_of(self.first, "folder %04d" % made))
                os.setxattr(self.path_of(self.first, "folder %04d" % made), "user.a",
                            b"a" * 3000)
        self.assertEqual(errno.errorcode[caught.exception.errno], "ENOSPC")
        self.assertGreater(made, 20)
        self.assertEqual(len(self.both(lambda path: os.getxattr(path, "user.a"), "folder 0001")), 3000)

    def restart(self):
        self.wait(lambda: self.daemons[0].status()["unfinished_names"] == "0")
        self.assertEqual(self.daemons[0].stop(), 0)
        self.daemons[0] = self.daemon("again")


class Way(hw_name_test.Deaf):
    """A way to etcd that loses the answers to the next few changes, which etcd has made."""

    def __init__(self, port):
        self.losses, self.lost = 0, 0
        super().__init__(port)

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return
            is_lost = threading.Event()
            for pair in ((client, server, is_lost, False), (server, client, is_lost, True)):
                threading.Thread(target=self.carry_some, args=pair, daemon=True).start()

    def carry_some(self, source, target, is_lost, is_answer):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                if not is_answer and b"request_put" in data and self.losses > 0:
                    self.losses -= 1
                    self.lost += 1
                    is_lost.set()
                if is_answer and is_lost.is_set():
                    break
                if not (is_answer and self.is_deaf):
                    target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()


@unittest.skipIf(shutil.which("etcd") is None, "no etcd here")
class Etcd(Kept, Case):
    def start(self):
        self.etcd = hw_name_test.EtcdServer(self)
        self.way = Way(self.etcd.ports[0])
        self.addCleanup(self.way.listener.close)
        ports = free_ports(2)
        self.text += PAIR.format(port0=ports[0], port1=ports[1])
        text = self.text + "metadata: {kind: etcd, endpoint: \"%s\"}\n"
        self.configs = [self.write("kept%d.yaml" % node, (text % url).encode())
                        for node, url in enumerate((self.etcd.url, self.way.url))]
        self.daemons = [self.daemon(node) for node in range(2)]
        return [daemon.mount(self, name="mount%d" % node)
                for node, daemon in enumerate(self.daemons)]

    def daemon(self, node, name="", *settings):
        return Daemon(self, self.configs[node], "node=%d" % node,
                      "client.socket=" + self.path("socket%d" % node), *settings,
                      name="%d%s" % (node, name))

    def restart(self):
        for node in range(2):
            self.wait(lambda: self.daemons[node].status()["unfinished_names"] == "0")
            self.assertEqual(self.daemons[node].stop(), 0)
            self.daemons[node] = self.daemon(node, "again")

    def test_silent_store_changes_nothing_and_shows_what_was(self):
        """Least of all does a file that was for its owner alone show a mode that lets others in."""
        self.assertEqual(self.daemons[1].stop(), 0)
        self.daemons[1] = self.daemon(1, "once", "core.retries_max=1")
        path = self.path_of(self.last, "file")
        write(path, b"x")
        os.chmod(path, 0o600)
        os.chown(path, 5, 6)
        os.mkdir(self.path_of(self.last, "folder"), 0o700)
        os.symlink("file", self.path_of(self.last, "link"))
        self.wait_shown("file")
        before = self.both(facts, "file"), self.both(facts, "folder")
        self.assertEqual(before[0], ("-rw-------", 5, 6))
        self.way.is_deaf = True
        for call in (lambda: os.chmod(path, 0o666), lambda: os.readlink(
                self.path_of(self.last, "link"))):
            with self.assertRaises(OSError) as caught:
                call()
            self.assertIn(caught.exception.errno, (errno.EIO, errno.ETIMEDOUT, errno.EHOSTDOWN))
        self.assertEqual((facts(path), facts(self.path_of(self.last, "folder"))), before)
        self.way.is_deaf = False
        self.assertEqual((self.both(facts, "file"), self.both(facts, "folder")), before)

    def test_change_that_was_done_unheard_is_done_once(self):
        path = lambda *names: self.path_of(self.last, *names)
        write(path("file"), b"x")
        self.wait_shown("file")
        calls = [lambda: os.chmod(path("file"), 0o640),
                 lambda: os.setxattr(path("file"), "user.a", b"1", os.XATTR_CREATE),
                 lambda: os.removexattr(path("file"), "user.a"),
                 lambda: os.mkdir(path("folder")),
                 lambda: os.symlink("x", path("folder", "link")),
                 lambda: os.rename(path("folder", "link"), path("moved")),
                 lambda: os.mkdir(path("empty")),
                 lambda: os.rename(path("empty"), path("folder", "empty")),
                 lambda: os.rmdir(path("folder", "empty")),
                 lambda: os.rmdir(path("folder")),
                 lambda: os.remove(path("moved")),
                 lambda: write(path("file"), b"two"),
                 lambda: os.remove(path("file"))]
        for number, call in enumerate(calls):
            self.way.losses, self.way.lost = 1, 0
            call()
            self.assertEqual(self.way.lost, 1, number)
            if number == 4:
                self.assertEqual(self.both(os.listdir, "folder"), ["link"])
            if number == 11:
                self.assertEqual(self.both(facts, "file")[0], "-rw-r-----")
        self.assertEqual(self.both(os.listdir), [])

    def post(self, path, request):
        with urllib.request.urlopen(self.etcd.url + path, json.dumps(request).encode(),
                                    timeout=10) as answer:
            return json.loads(answer.read())

    def test_what_a_later_release_has_kept_is_left_alone(self):
        write(self.path_of(self.first, "file"), b"x")
        os.chmod(self.path_of(self.first, "file"), 0o640)
        encode = lambda text: base64.b64encode(text).decode()
        names = {"key": encode(b"/forebay/test/attributes/"),
                 "range_end": encode(b"/forebay/test/attributes0")}
        entry = self.post("/v3/kv/range", names)["kvs"][0]
        kept = base64.b64decode(entry["value"])
        self.post("/v3/kv/put", {"key": entry["key"], "value": encode(b"\xff" + kept[1:])})
        self.assertEqual(self.both(facts, "file")[0], "-rw-r--r--")
        self.fails("EBADMSG", os.chmod, self.path_of(self.first, "file"), 0o600)
        write(self.path_of(self.last, "file"), b"its bytes are written all the same")
        self.assertEqual(base64.b64decode(self.post("/v3/kv/range", names)["kvs"][0]["value"]),
                         b"\xff" + kept[1:])


if __name__ == "__main__":
    hw_test.main("hw_mount_attributes_test", at_once=2, needs_fuse=True)
