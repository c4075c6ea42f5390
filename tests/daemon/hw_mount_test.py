#!/usr/bin/env python3
"""Writes through `forebay mount` as programs that save checkpoints do: sequentially, with a header
patched, under a temporary name that is renamed, by cp, dd and rsync, and while the daemon dies;
and reads files that others change. The origin's folder shows what arrived.

usage: hw_mount_test.py BUILD [unittest's arguments]    exit code 77: no io_uring or no FUSE here
"""

import ctypes
import errno
import os
import random
import shutil
import subprocess
import threading
import time

import hw_test
import unanswered
from hw_test import Case, Daemon


class Mounted(Case):
    options = ()

    def setUp(self):
        super().setUp()
        self.daemon = Daemon(self, self.config, name="first")
        self.mount = self.daemon.mount(self, *self.options)

    def mounted(self, name):
        return os.path.join(self.mount, name)

    def content(self, name):
        with open(self.mounted(name), "rb") as file:
            return file.read()

    def at_origin(self, name):
        with open(os.path.join(self.path("origin"), name), "rb") as file:
            return file.read()

    def at_origin_path(self, name):
        return os.path.join(self.path("origin"), name)

    def check(self, name, content):
        self.assertEqual(os.path.getsize(self.mounted(name)), len(content))
        self.assertTrue(self.content(name) == content, name + " in the mount differs")
        self.assertTrue(self.at_origin(name) == content, name + " at the origin differs")

    def assert_fails(self, code, call, *arguments):
        with self.assertRaises(OSError) as caught:
            call(*arguments)
        self.assertEqual(caught.exception.errno, code)


class Write(Mounted):
    def test_sizes_around_blocks_and_the_window(self):
        for size in (0, 1, 262143, 262144, 262145, 3 << 20, (16 << 20) + 1, (41 << 20) + 7):
            content = random.Random(size).randbytes(size)
            with open(self.mounted("file"), "wb") as file:
                file.write(content)
            self.check("file", content)

    def test_an_empty_file_is_seen_before_fsync_and_all_after_it(self):
        content = random.Random(1).randbytes(2 << 20)
        with open(self.mounted("file"), "wb", buffering=0) as file:
            file.write(content)
            self.assertEqual(os.path.getsize(self.mounted("file")), len(content))
            self.assertIn(b"size_bytes 0\n", self.daemon.forebay("stat", "file").stdout)
            os.fsync(file.fileno())
            self.assertTrue(self.at_origin("file") == content)
            file.write(b"more")
        self.check("file", content + b"more")

    def test_renaming_replaces_the_old_content_at_once(self):
        old, new = random.Random(2).randbytes(3 << 20), random.Random(3).randbytes(5 << 20)
        for content in (old, new):
            with open(self.mounted("file.tmp"), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.rename(self.mounted("file.tmp"), self.mounted("file"))
            self.check("file", content)
            self.assertEqual(os.listdir(self.mount), ["file"])
        self.assert_fails(errno.ENOENT, os.rename, self.mounted("none"), self.mounted("file"))
        self.check("file", new)

    def test_renaming_an_open_file_moves_its_writer(self):
        with open(self.mounted("tmp"), "wb", buffering=0) as file:
            file.write(b"first ")
            os.rename(self.mounted("tmp"), self.mounted("final"))
            file.write(b"second")
        self.check("final", b"first second")
        self.assertFalse(os.path.exists(self.mounted("tmp")))

    def test_a_header_is_patched_in_the_window_and_before_it(self):
        content = bytearray(random.Random(4).randbytes(6 << 20))
        with open(self.mounted("file"), "wb", buffering=0) as file:
            file.write(content)
            content[8:16] = b"patched."
            os.pwrite(file.fileno(), content[8:16], 8)
        self.check("file", bytes(content))
        with open(self.mounted("large"), "wb", buffering=0) as file:
            for _ in range(40):
                file.write(bytes(1 << 20))
            os.pwrite(file.fileno(), b"x", 0)
            file.write(b"end")
        self.check("large", b"x" + bytes((40 << 20) - 1) + b"end")
        self.assertIn(b"write large offset=0 size=1 result=1", self.content(".accesslog"))

    def test_gaps_truncation_and_appending(self):
        with open(self.mounted("file"), "wb", buffering=0) as file:
            os.pwrite(file.fileno(), b"end", 1000000)
            os.ftruncate(file.fileno(), 2000000)
        content = bytes(1000000) + b"end" + bytes(999997)
        self.check("file", content)
        os.truncate(self.mounted("file"), 1000002)
        with open(self.mounted("file"), "ab") as file:
            file.write(b"appended")
        self.check("file", content[:1000002] + b"appended")
        os.truncate(self.mounted("file"), 0)
        self.check("file", b"")

    def test_a_hole_that_would_fill_the_origin_is_refused_at_once(self):
        size = 10 + (64 << 30)
        with open(self.mounted("file"), "wb", buffering=0) as file:
            file.write(bytes(10))
            for at in (size + 1, 1 << 40, (1 << 63) - 2):
                self.assert_fails(errno.EFBIG, os.pwrite, file.fileno(), b"x", at)
            self.assert_fails(errno.EFBIG, os.ftruncate, file.fileno(), size + 1)
            self.assert_fails(errno.EFBIG, os.posix_fallocate, file.fileno(), 0, size + 1)
            os.ftruncate(file.fileno(), size)
            os.ftruncate(file.fileno(), 20)
        self.check("file", bytes(20))

    def test_programs_write(self):
        content = self.object("source/data", (9 << 20) + 11)
        source = os.path.join(self.path("origin"), "source/data")
        os.mkdir(self.mounted("folder"))
        name = self.mounted("folder/")
        commands = [["cp", "-p", source, name + "cp"],
                    ["dd", "if=" + source, "of=" + name + "dd", "bs=1M", "conv=fsync",
                     "status=none"],
                    ["sh", "-c", 'cat "$0" > "$1"', source, name + "cat"],
                    ["sh", "-c", '(head -c 5000000 "$0"; tail -c +5000001 "$0") > "$1"', source,
                     name + "two"]]
        if shutil.which("rsync"):
            commands.append(["rsync", "-t", source, name + "rsync"])
        for command in commands:
            subprocess.run(command, check=True)
            self.check("folder/" + os.path.basename(
                command[-1].replace("of=", "") if command[0] != "dd" else "dd"), content)
        self.assertEqual(len(os.listdir(name)), len(commands))

    def test_folders_and_removal(self):
        os.makedirs(self.mounted("a/b"))
        self.assertEqual(os.listdir(self.mounted("a")), ["b"])
        self.assert_fails(errno.EEXIST, os.mkdir, self.mounted("a"))
        self.assert_fails(errno.ENOTEMPTY, os.rmdir, self.mounted("a"))
        with open(self.mounted("a/b/file"), "wb") as file:
            file.write(b"content")
        self.assert_fails(errno.ENOTEMPTY, os.rmdir, self.mounted("a/b"))
        os.unlink(self.mounted("a/b/file"))
        self.assertFalse(os.path.exists(os.path.join(self.path("origin"), "a/b/file")))
        self.assert_fails(errno.ENOENT, os.stat, self.mounted("a/b/file"))
        self.assert_fails(errno.ENOENT, os.unlink, self.mounted("a/b/file"))

    def test_a_removed_file_is_not_committed_by_its_close(self):
        with open(self.mounted("file"), "wb", buffering=0) as file:
            file.write(b"content")
            os.unlink(self.mounted("file"))
        self.assertEqual(os.listdir(self.mount), [])

    def restart(self):
        self.daemon.kill()
        self.daemon = Daemon(self, self.config, name="second")

    def test_daemon_that_dies_loses_what_was_sent_and_its_writer_hears_it(self):
        old = random.Random(5).randbytes(1 << 20)
        with open(self.mounted("file"), "wb") as file:
            file.write(old)
        file = os.open(self.mounted("file"), os.O_WRONLY | os.O_TRUNC)
        for _ in range(40):
            os.write(file, bytes(1 << 20))
        self.restart()
        self.assert_fails(errno.EIO, os.fsync, file)
        self.assert_fails(errno.EIO, os.close, file)
        self.check("file", old)

    def test_daemon_that_dies_loses_nothing_that_was_not_sent(self):
        new = random.Random(6).randbytes(1 << 20)
        with open(self.mounted("file"), "wb", buffering=0) as file:
            file.write(new)
            self.restart()
        self.check("file", new)

    def test_facts_of_files_and_of_the_mount(self):
        with open(self.mounted("file"), "wb") as file:
            file.write(b"content")
        version = os.getxattr(self.mounted("file"), "user.forebay.version").decode()
        self.assertIn("version " + version, self.daemon.forebay("stat", "file").stdout.decode())
        self.assertEqual(os.getxattr(self.mounted("file"), "user.forebay.state").decode(),
                         "version=%s state=origin level=origin" % version)
        os.setxattr(self.mounted("file"), "user.note", b"kept")
        self.assertEqual(os.listxattr(self.mounted("file")), ["user.note"])
        copied = subprocess.run(["cp", "-a", self.mounted("file"), self.path("copy")],
                                capture_output=True, check=False)
        self.assertEqual((copied.returncode, copied.stderr), (0, b""))
        copied = subprocess.run(["cp", "-a", self.mounted("file"), self.mounted("file 2")],
                                capture_output=True, check=False)
        self.assertEqual((copied.returncode, copied.stderr), (0, b""))
        self.assertEqual(os.listxattr(self.path("copy")), ["user.note"])
        if shutil.which("rsync"):
            self.assertEqual(subprocess.run(["rsync", "-aX", self.mount + "/", self.path("copies")],
                                            check=False).returncode, 0)
        self.object("read", 1 << 20)
        blocks = lambda: os.getxattr(self.mounted("read"), "user.forebay.blocks").decode()
        self.assertEqual(blocks(), "blocks=4 memory=0 device=0 neither=4 owed=0")
        with open(self.mounted("read"), "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            os.pread(file.fileno(), 1, 300000)
        self.assertEqual(blocks(), "blocks=4 memory=1 device=0 neither=3 owed=0")
        self.assert_fails(errno.ENODATA, os.getxattr, self.mount, "user.forebay.state")
        facts = os.statvfs(self.mount)
        self.assertEqual(facts.f_blocks * facts.f_frsize, 4 << 20)  # core.memory_size
        self.assertEqual(facts.f_bavail, facts.f_blocks)
        self.assertGreater(facts.f_files, 1000000)
        self.assertEqual((facts.f_ffree, facts.f_favail), (facts.f_files, facts.f_files))

    def test_listing_gives_the_numbers_that_stat_gives(self):
        """Also of names that nobody has looked up, was renamed, linked, or took another's name."""
        for name in ("one", "two", "folder/three", "folder/deep/four"):
            self.object(name, 10)
        def check():
            for at, _, _ in os.walk(self.mount):
                with os.scandir(at) as entries:
                    listed = {entry.name: entry.inode() for entry in entries}
                self.assertEqual(listed, {name: os.lstat(os.path.join(at, name)).st_ino
                                          for name in listed})
                self.assertEqual(len(set(listed.values())), len(listed))
        check()
        with open(self.mounted("one"), "rb"):
            os.rename(self.mounted("one"), self.mounted("folder/one"))
            self.object("one", 20)
            check()
        os.link(self.mounted("two"), self.mounted("folder/again"))
        os.stat(self.mounted("two"))
        check()
        listed = subprocess.run(["find", ".", "-inum", str(os.stat(self.mounted("folder")).st_ino)],
                                cwd=self.mount, capture_output=True, check=True)
        self.assertEqual(listed.stdout, b"./folder\n")

    def test_times_that_do_not_fit_become_the_nearest_that_do(self):
        """What is shown is what the origin has, and is kept; none comes out at the other end."""
        self.object("old", 10)
        self.object("beside", 10)  # what the origin's file system itself makes of such times
        name, second = self.mounted("old"), 1000000000
        last = 2**63 // second - 1
        for asked, shown in ((last - 1, last - 1), (last, last), (last + 1, last), (2**34, last),
                             (2**40, last), (1 - last, 1 - last), (-last - 2, -last),
                             (-2**34, -last)):
            os.utime(name, (asked, asked))
            os.utime(self.at_origin_path("beside"), (shown, shown))
            shown = os.stat(self.at_origin_path("beside")).st_mtime_ns
            for path in (name, self.at_origin_path("old")):
                facts = os.stat(path)
                self.assertEqual((facts.st_mtime_ns, facts.st_atime_ns), (shown,) * 2,
                                 (asked, path))

    def test_own_files_cannot_be_written(self):
        self.assert_fails(errno.EACCES, open, self.mounted(".stats"), "wb")


class Names(Mounted):
    def test_longest_part_of_a_name_and_one_byte_more(self):
        for folder in ("", "folder/"):
            os.makedirs(self.mounted(folder), exist_ok=True)
            longest = folder + "n" * 255
            with open(self.mounted(longest), "wb") as file:
                file.write(b"1")
            self.assertEqual(os.path.getsize(self.mounted(longest)), 1)
            for call in (os.stat, os.mkdir, os.unlink):
                self.assert_fails(errno.ENAMETOOLONG, call, self.mounted(longest + "n"))


class ReadOnly(Mounted):
    options = ("--read-only",)

    def test_every_change_is_refused(self):
        self.object("file", 10)
        self.assert_fails(errno.EROFS, open, self.mounted("new"), "wb")
        self.assert_fails(errno.EROFS, os.unlink, self.mounted("file"))
        self.assert_fails(errno.EROFS, os.rename, self.mounted("file"), self.mounted("other"))
        self.assert_fails(errno.EROFS, os.mkdir, self.mounted("folder"))


class Reads(Mounted):
    def test_files_and_folders_are_those_of_the_origin(self):
        contents = {name: self.object(name, size) for name, size in (
            ("one", 1), ("folder/two", 700001), ("folder/inner/three", 5 << 20))}
        self.object("empty", 0)
        found = {os.path.relpath(os.path.join(folder, name), self.mount)
                 for folder, _, names in os.walk(self.mount) for name in names}
        self.assertEqual(found, set(contents) | {"empty"})
        for name, content in contents.items():
            self.assertEqual(self.content(name), content)
            self.assertEqual(os.path.getsize(self.mounted(name)), len(content))
        self.assertEqual(self.content("empty"), b"")
        self.assertFalse(os.path.exists(self.mounted("absent")))
        self.assertIn(b"\ngets ", self.content(".stats"))
        self.assertIn(b"read folder/two offset=", self.content(".accesslog"))

    def test_random_parts_are_read_by_several_at_once(self):
        content = self.object("data", 9 << 20)
        faults = []

        def reader(seed):
            numbers = random.Random(seed)
            with open(self.mounted("data"), "rb", buffering=0) as file:
                for _ in range(100):
                    at = numbers.randrange(len(content))
                    size = numbers.randrange(600000)
                    if os.pread(file.fileno(), size, at) != content[at:at + size]:
                        faults.append(at)

        threads = [threading.Thread(target=reader, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(faults, [])

    def test_daemon_may_restart_under_an_open_file(self):
        content = self.object("data", 4 << 20)
        with open(self.mounted("data"), "rb", buffering=0) as file:
            self.assertEqual(os.pread(file.fileno(), 10, 0), content[:10])
            self.daemon.kill()
            Daemon(self, self.config, name="second")
            self.assertEqual(os.pread(file.fileno(), 1 << 20, 3 << 20), content[3 << 20:])

    def test_changed_file_is_stale_until_opened_again(self):
        self.object("data", 1 << 20)
        with open(self.mounted("data"), "rb", buffering=0) as file:
            changed = self.object("data", 900001)
            with self.assertRaises(OSError) as caught:
                os.pread(file.fileno(), 4096, 0)
            self.assertEqual(caught.exception.errno, errno.ESTALE)
        time.sleep(1.1)  # the kernel may keep the old size for a second
        self.assertEqual(self.content("data"), changed)



class Valid(Mounted):
    """What was said of a name holds for a while."""

    def setUp(self):
        Case.setUp(self)
        self.daemon = Daemon(self, self.config, "names.valid=1 min", name="first")
        self.mount = self.daemon.mount(self)

    def test_what_is_written_to_a_file_that_was_not_replaced_after_all_is_committed(self):
        with open(self.mounted("file"), "wb", buffering=0) as file:
            file.write(b"one")
            os.fsync(file.fileno())
            self.write("origin/source", b"source")
            os.stat(self.mounted("source"))  # the kernel knows it for a minute
            os.unlink(self.path("origin/source"))
            self.assert_fails(errno.ENOENT, os.rename, self.mounted("source"),
                              self.mounted("file"))
            file.write(b"two")
            os.fsync(file.fileno())
            self.assertEqual(self.at_origin("file"), b"onetwo")
        self.check("file", b"onetwo")


class WithStore(Mounted):
    """Names that are ahead of the origin, and what the origin alone can do with them."""

    def setUp(self):
        Case.setUp(self)
        self.daemon = Daemon(self, self.config, "metadata.kind=lmdb", "core.drain_delay=200 ms",
                             "metadata.path=" + self.path("names"), name="first")
        self.mount = self.daemon.mount(self)

    def write_in(self, name, text, flags=os.O_WRONLY | os.O_APPEND | os.O_CREAT):
        file = os.open(self.mounted(name), flags, 0o644)
        try:
            os.write(file, text)
            os.fsync(file)
        finally:
            os.close(file)

    def test_folder_that_is_renamed_takes_what_was_just_closed_along(self):
        os.mkdir(self.mounted("one"))
        for number in range(5):
            self.write_in("one/%d" % number, b"%d" % number)
        os.rename(self.mounted("one"), self.mounted("two"))
        for number in range(5):
            self.assertEqual(self.content("two/%d" % number), b"%d" % number)
        self.daemon.wait_until(lambda: self.daemon.status()["unfinished_names"] == "0")
        self.assertEqual(os.listdir(self.mount), ["two"])
        self.assertEqual(self.at_origin("two/4"), b"4")

    def test_folder_with_a_file_that_was_just_closed_is_not_empty(self):
        os.mkdir(self.mounted("one"))
        self.write_in("one/file", b"1")
        self.assert_fails(errno.ENOTEMPTY, os.rmdir, self.mounted("one"))

    def test_names_of_one_file_are_written_in_turn(self):
        self.write_in("first", b"one")
        self.daemon.wait_until(lambda: self.at_origin("first") == b"one")
        os.link(self.mounted("first"), self.mounted("second"))
        self.write_in("first", b"two")
        self.write_in("second", b"three")
        self.assertEqual(self.content("first"), b"onetwothree")
        self.assertEqual(self.at_origin("second"), b"onetwothree")

    def test_writer_that_began_before_another_is_told(self):
        self.write_in("file", b"base")
        file = os.open(self.mounted("file"), os.O_WRONLY | os.O_APPEND)
        self.write("other", b"another's")
        self.assertEqual(self.daemon.forebay("put", self.path("other"), "file").returncode, 0)
        os.write(file, b"mine")
        self.assert_fails(errno.ESTALE, os.fsync, file)
        try:
            os.close(file)
        except OSError as error:
            self.assertEqual(error.errno, errno.ESTALE)
        self.assertEqual(self.daemon.forebay("get", "file").stdout, b"another's")

    def test_file_that_takes_anothers_name_has_another_number(self):
        for number in range(3):
            self.write_in("new", b"%d" % number)
            before = os.stat(self.mounted("new"))
            if number > 0:
                self.assertNotEqual(before.st_ino, os.stat(self.mounted("kept")).st_ino)
            os.rename(self.mounted("new"), self.mounted("kept"))
            self.assertEqual(os.stat(self.mounted("kept")).st_ino, before.st_ino)
            self.assertEqual(self.content("kept"), b"%d" % number)

    def test_what_is_no_folder_is_no_place_for_a_mount(self):
        place = self.write("plain", b"1")
        ended = self.daemon.forebay("mount", place)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"Not a directory", ended.stderr)


class Numbers(Mounted):
    """Of files with several names."""

    def setUp(self):
        Case.setUp(self)
        self.daemon = Daemon(self, self.config, *self.settings(), name="first")
        self.mount = self.daemon.mount(self)

    def settings(self):
        return ()

    def number(self, name):
        return os.stat(self.mounted(name)).st_ino

    def write_in(self, name, content):
        with open(self.mounted(name), "wb") as file:
            file.write(content)

    def test_file_has_one_number_under_all_its_names(self):
        self.write_in("one", b"1")
        number = self.number("one")
        with open(self.mounted("one"), "rb") as file:
            os.link(self.mounted("one"), self.mounted("two"))
            self.assertEqual(os.fstat(file.fileno()).st_ino, number)
        os.mkdir(self.mounted("folder"))
        os.link(self.mounted("two"), self.mounted("folder/three"))
        self.assertEqual({self.number(name) for name in ("one", "two", "folder/three")}, {number})
        self.write_in("two", b"more")
        self.assertEqual({self.number(name) for name in ("one", "two", "folder/three")}, {number})
        os.rename(self.mounted("two"), self.mounted("four"))
        os.unlink(self.mounted("one"))
        self.write_in("one", b"another file")
        self.write_in("two", b"a third one")
        self.assertEqual({self.number(name) for name in ("four", "folder/three")}, {number})
        os.unlink(self.mounted("folder/three"))
        self.assertEqual(self.number("four"), number)
        self.assertEqual(len({self.number(name) for name in ("one", "two", "four")}), 3)

    def test_names_that_others_give_and_take_are_of_the_file_that_they_name(self):
        self.write_in("one", b"1")
        self.write_in("other", b"2")
        self.daemon.wait_until(lambda: all(os.path.exists(self.at_origin_path(name))
                                           for name in ("one", "other")))
        self.daemon.wait_until(lambda: self.daemon.status().get("unfinished_names", "0") == "0")
        number, other = self.number("one"), self.number("other")
        os.link(self.path("origin/one"), self.path("origin/two"))
        self.assertEqual((self.number("two"), self.number("one")), (number, number))
        os.unlink(self.path("origin/other"))
        os.link(self.path("origin/one"), self.path("origin/other"))
        self.assertEqual((self.number("other"), self.number("one")), (number, number))
        self.write("anothers", b"3")
        os.rename(self.path("anothers"), self.path("origin/one"))
        self.assertNotIn(self.number("one"), (self.number("two"), other))
        self.assertEqual(self.number("two"), self.number("other"))

    def test_clone_links_its_objects(self):
        git = ["git", "-c", "user.name=n", "-c", "user.email=n", "-C", self.mount]
        subprocess.run(git + ["init", "-q", "one"], check=True)
        for number in range(3):
            self.write_in("one/%d" % number, b"%d" % number)
        git[-1] = self.mounted("one")
        subprocess.run(git + ["add", "."], check=True)
        subprocess.run(git + ["commit", "-qm", "m"], check=True)
        cloned = subprocess.run(["git", "clone", "-q", self.mounted("one"), self.mounted("two")],
                                capture_output=True, check=False)
        self.assertEqual((cloned.returncode, cloned.stderr), (0, b""))
        self.assertEqual(self.content("two/2"), b"2")


class NumbersWithStore(Numbers):
    def settings(self):
        return ("metadata.kind=lmdb", "metadata.path=" + self.path("names"))


class Losing(Mounted):
    """Answers to changes can be lost."""

    def setUp(self):
        Case.setUp(self)
        self.daemon = Daemon(self, self.config, *self.settings(), name="first")
        self.door = unanswered.Door(self, self.daemon.socket, self.path("door"))
        socket, self.daemon.socket = self.daemon.socket, self.door.path
        self.mount = self.daemon.mount(self)
        self.daemon.socket = socket

    def settings(self):
        return ()

    def losing(self, call, *arguments):
        before = self.door.lost
        self.door.loses = True
        try:
            return call(*arguments)
        finally:
            self.assertEqual(self.door.lost, before + 1, "no answer was lost")

    def file(self, name, content):
        with open(self.mounted(name), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return self.mounted(name)

    def names(self, folder=""):
        return sorted(os.listdir(self.mounted(folder)))


class Unanswered(Losing):
    def test_change_whose_answer_is_lost_is_done_once(self):
        for number in range(3):
            self.losing(os.rename, self.file("x.tmp", b"%d" % number), self.mounted("x"))
            self.assertEqual(self.names(), ["x"])
            self.assertEqual(self.content("x"), b"%d" % number)
        self.file("y", b"y")
        exchange = ctypes.CDLL(None, use_errno=True).renameat2
        names = [os.fsencode(self.mounted(name)) for name in "xy"]
        self.assertEqual(self.losing(exchange, -100, names[0], -100, names[1], 2), 0)
        self.assertEqual((self.content("x"), self.content("y")), (b"y", b"2"))
        os.mkdir(self.mounted("folder"))
        self.file("folder/z", b"z")
        self.losing(os.rename, self.mounted("folder"), self.mounted("moved"))
        self.assertEqual(self.names(), ["moved", "x", "y"])
        self.assertEqual(self.content("moved/z"), b"z")
        os.symlink("x", self.mounted("link"))
        for name in ("link", "x", "moved/z"):
            self.losing(os.unlink, self.mounted(name))
        self.losing(os.rmdir, self.mounted("moved"))
        self.assertEqual(self.names(), ["y"])


class UnansweredOfOthers(Losing):
    def test_what_another_did_meanwhile_is_not_taken_for_ones_own(self):
        self.file("source", b"source")
        self.file("target", b"target")
        others = self.write("others", b"others")
        self.door.meanwhile = lambda: os.rename(others, self.path("origin/target"))
        with self.assertRaises(FileNotFoundError):
            self.losing(os.rename, self.mounted("source"), self.mounted("target"))
        self.assertEqual(self.content("target"), b"others")
        self.door.meanwhile = None
        with self.assertRaises(FileExistsError):
            self.losing(os.mkdir, self.mounted("taken"))
        self.assertEqual(self.names(), ["taken", "target"])


class UnansweredWithStore(Unanswered):
    def settings(self):
        return ("metadata.kind=lmdb", "metadata.path=" + self.path("names"),
                "core.drain_delay=200 ms", "core.drain_check=200 ms")


if __name__ == "__main__":
    hw_test.main("hw_mount_test", needs_fuse=True)
