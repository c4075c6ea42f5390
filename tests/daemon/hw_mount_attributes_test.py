#!/usr/bin/env python3
"""An object store behind a metadata store: what a file system says of a name beside its bytes is
kept in the name's record. Mode, owner, times, links, empty folders, extended attributes: seen by
other nodes at once, kept over new versions and restarts, lost to no race, gone with the name. With
records in LMDB (one daemon, two mounts of it) and in etcd (two daemons).

usage: hw_mount_attributes_test.py BUILD [unittest's arguments]
exit code 77: no io_uring or no FUSE
"""

import os
import shutil
import stat
import threading
import time

import hw_test
from hw_test import Case
from kept import OnEtcd, OnLmdb, facts, read, write


class Attributes:
    """What holds for both stores."""

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
        self.stranger_puts("of/many/levels/file", b"x")
        os.chmod(self.path_of(self.first, "of", "many", "levels"), 0o711)
        self.assertEqual(self.both(facts, "of", "many", "levels")[0], "drwx--x--x")
        shutil.rmtree(self.path_of(self.last, "of"))
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
        write(self.path_of(self.first, "l18"), b"end")
        for number in range(18):  # one behind the other: 16 are gone through
            os.symlink("l%d" % (number + 1), self.path_of(self.first, "l%d" % number))
        self.assertEqual(daemon.forebay("get", "l2").stdout, b"end")
        self.assertIn(b"No such file", daemon.forebay("get", "l1").stderr)
        for number in range(19):
            os.unlink(self.path_of(self.first, "l%d" % number))
        self.assertEqual(daemon.forebay("rm", "empty").returncode, 1)
        self.assertEqual(daemon.forebay("rm", "link").returncode, 0)
        self.assertEqual(self.both(lambda mount: sorted(os.listdir(mount))), ["empty", "file"])


class Lmdb(Attributes, OnLmdb, Case):
    pass


class Etcd(Attributes, OnEtcd, Case):
    pass


if __name__ == "__main__":
    hw_test.main("hw_mount_attributes_test", needs_fuse=True)
