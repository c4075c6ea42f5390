#!/usr/bin/env python3
"""A folder as origin: versions of files whose times lie, files that change while they are read,
links, modes and owners, large folders, a folder that refuses, and what a dead writer left.

usage: hw_posix_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import concurrent.futures
import os
import socket
import subprocess
import threading
import time

import hw_test
from hw_test import Case, Daemon

DAY_S = 24 * 3600


class Posix(Case):
    HAS_RECORDS = False
    SETTINGS = ()

    def setUp(self):
        super().setUp()
        self.origin = self.path("origin")
        if self.HAS_RECORDS:
            with open(self.config, "a", encoding="utf-8") as file:
                file.write("metadata: {kind: lmdb, path: \"%s\"}\n" % self.path("records"))
        self.daemon = Daemon(self, self.config, *self.SETTINGS)

    def at_origin(self, name, content=None, mode="wb"):
        """Path of a file of the origin, with this content if one is given."""
        path = os.path.join(self.origin, name)
        if content is not None:
            with open(path, mode) as file:
                file.write(content)
        return path

    def get(self, name):
        return self.daemon.forebay("get", name).stdout

    def put(self, name, content, code=0):
        ended = self.daemon.forebay("put", self.write("source", content), name)
        self.assertEqual(ended.returncode, code, ended.stderr.decode() + self.daemon.log())
        return ended.stderr.decode()


class Versions(Posix):
    def test_file_from_any_time_can_be_overwritten(self):
        for name, time_s in (("ahead", time.time() + 3600), ("before", -1000.5), ("zero", 0),
                             ("far", 1 << 33)):
            path = self.at_origin(name, b"old")
            os.utime(path, (time_s, time_s))
            begun = time.monotonic()
            self.put(name, b"new " + name.encode())
            self.assertLess(time.monotonic() - begun, 20)
            self.assertEqual(self.get(name), b"new " + name.encode())
            with open(path, "rb") as file:
                self.assertEqual(file.read(), b"new " + name.encode())

    def rewrite(self, path, content, in_place):
        """Other content of the same size, the time of change kept, as cp -p and rsync -t do."""
        before = os.stat(path)
        target = path if in_place else path + ".new"
        with open(target, "r+b" if in_place else "wb") as file:
            file.write(content)
        os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
        if not in_place:
            os.rename(target, path)
        self.assertEqual(os.stat(path).st_mtime_ns, before.st_mtime_ns)

    def test_change_that_keeps_size_and_time_is_seen(self):
        for in_place in (True, False):
            path = self.at_origin("kept", b"first!")
            self.assertEqual(self.get("kept"), b"first!")
            self.rewrite(path, b"second", in_place)
            self.assertEqual(self.get("kept"), b"second")

    def test_change_of_what_was_written_through_the_cache_is_seen(self):
        for in_place in (True, False):
            self.put("written", b"first!")
            self.assertEqual(self.get("written"), b"first!")
            self.rewrite(os.path.join(self.origin, "written"), b"second", in_place)
            self.assertEqual(self.get("written"), b"second")

    def test_what_was_written_is_read_from_the_cache(self):
        content = os.urandom(600000)
        self.put("written", content)
        for _ in range(2):
            self.assertEqual(self.get("written"), content)
        self.assertEqual(self.daemon.status()["origin_fetches"], "0")

    def test_file_that_changes_while_it_is_read_is_never_mixed(self):
        size, blocks = 256 << 10, 6
        path = self.at_origin("torn", b"\0" * (size * blocks))
        is_over = threading.Event()

        def change():
            count = 0
            while not is_over.wait(0.003 if count % 20 else 0.3):
                count += 1
                with open(path, "r+b") as file:
                    file.write(bytes([count % 251]) * (size * blocks))
        writer = threading.Thread(target=change)
        writer.start()
        self.addCleanup(writer.join)
        self.addCleanup(is_over.set)
        whole = 0
        end = time.monotonic() + 4
        while time.monotonic() < end:
            ended = self.daemon.forebay("get", "torn")
            if ended.returncode != 0:
                self.assertIn(b"changed meanwhile", ended.stderr)
                continue
            whole += 1
            self.assertEqual(ended.stdout, ended.stdout[:1] * (size * blocks))
        self.assertGreater(whole, 0)  # while the writer rests


class Writes(Posix):
    def test_overwriting_keeps_mode_and_owner(self):
        path = self.at_origin("private", b"secret")
        os.chmod(path, 0o640)
        if os.geteuid() == 0:
            os.chown(path, 1234, 2345)
        before = os.stat(path)
        self.put("private", b"new secret")
        after = os.stat(path)
        self.assertEqual(after.st_size, 10)
        self.assertEqual((before.st_mode, before.st_uid, before.st_gid),
                         (after.st_mode, after.st_uid, after.st_gid))

    def test_nothing_is_made_through_a_link_that_leads_out(self):
        outside = self.path("outside")
        os.mkdir(outside)
        os.symlink(outside, os.path.join(self.origin, "link"))
        os.symlink("../outside", os.path.join(self.origin, "relative"))
        for name in ("link/x", "link/new/deep/x", "relative/x", "relative/new/x"):
            self.assertIn("Permission denied", self.put(name, b"x", 1))
        self.assertEqual(os.listdir(outside), [])

    def test_links_within_the_origin_are_written_and_read_through(self):
        os.mkdir(os.path.join(self.origin, "v3"))
        os.symlink(os.path.join(self.origin, "v3"), os.path.join(self.origin, "latest"))
        os.symlink("v3", os.path.join(self.origin, "near"))
        self.put("latest/deep/x", b"one")
        self.put("near/y", b"two")
        self.assertEqual(self.get("v3/deep/x"), b"one")
        self.assertEqual(self.get("latest/y"), b"two")
        self.assertEqual(self.daemon.forebay("ls", "latest").stdout, b"deep/\ny\n")

    def test_half_written_files_of_dead_writers_go_and_blocks_stay(self):
        parts = os.path.join(self.origin, ".forebay-parts")
        self.daemon.stop()  # before it looks for what they left
        old, young = time.time() - 2 * DAY_S, time.time() - DAY_S / 2
        for folder, names in (("0000000000000001", ("0", "1.77.0x5", ".commit.0.77.0x5")),
                              ("0000000000000002", ("0.77.0x5",)), ("0000000000000003", ())):
            os.makedirs(os.path.join(parts, folder))
            for name in names:
                self.at_origin(os.path.join(parts, folder, name), b"x")
                os.utime(os.path.join(parts, folder, name), (old, old))
            os.utime(os.path.join(parts, folder), (old, old))
        os.utime(os.path.join(parts, "0000000000000002", "0.77.0x5"), (young, young))
        Daemon(self, self.config, name="later").wait_until(
            lambda: sorted(os.listdir(parts)) == ["0000000000000001", "0000000000000002",
                                                  "identity"] and
            os.listdir(os.path.join(parts, "0000000000000001")) == ["0"])
        self.assertEqual(os.listdir(os.path.join(parts, "0000000000000002")), ["0.77.0x5"])


class Names(Posix):
    def test_name_that_can_be_no_file_is_refused_before_a_byte_is_written(self):
        os.mkdir(os.path.join(self.origin, "models"))
        os.symlink("models", os.path.join(self.origin, "latest"))
        os.symlink("nowhere", os.path.join(self.origin, "dangling"))
        self.at_origin("file", b"a file")
        for name, text in (("models", "Is a directory"), ("latest", "Is a directory"),
                           ("models/", "Is a directory"), ("new/", "Is a directory"),
                           ("file/below", "Not a directory"),
                           ("file/far/below", "Not a directory"),
                           ("dangling/below", "No such file"),
                           ("n" * 256, "File name too long"),
                           ("absent/%s/below" % ("n" * 256), "File name too long"),
                           ("p/" * 600 + "name", "File name too long"),
                           (".stats", "Permission denied"), (".stats/x", "Permission denied"),
                           (".accesslog", "Permission denied")):
            begun = time.monotonic()
            self.assertIn(text, self.put(name, b"x", 1), name)
            self.assertLess(time.monotonic() - begun, 5, name)
        self.put(".statsuma", b"a name like others")
        self.put("n" * 255, b"as long as may be")
        self.put("latest/new/below", b"below")
        self.assertEqual(self.get("models/new/below"), b"below")
        self.daemon.wait_until(lambda: self.daemon.status()["unfinished_names"] == "0")
        self.assertEqual(sorted(os.listdir(self.origin)),
                         [".forebay-parts", ".statsuma", "dangling", "file", "latest", "models",
                          "n" * 255])


class NamesWithRecords(Names):
    """Commits are visible, and answered, before the origin has them."""
    HAS_RECORDS = True
    SETTINGS = ("core.drain_delay=2 s", "core.drain_check=2 s")

    def test_file_has_one_name_however_links_lead_to_it(self):
        os.makedirs(os.path.join(self.origin, "d1/deep"))
        self.at_origin("d1/f", b"before")
        links = {"cur": "d1", "far": os.path.join(self.origin, "d1"), "d1/self": ".", "all": ".",
                 "d1/link": "f"}
        for name, target in links.items():
            os.symlink(target, os.path.join(self.origin, name))
        names = ["d1/f", "cur/f", "far/f", "d1/self/self/f", "all/cur/f"]
        for number, name in enumerate(names):
            content = os.urandom(300000) + b"%d" % number
            self.put(name, content)
            self.assertFalse(self.is_there(content), "it was to be asked for before it is there")
            versions = set()
            for other in names + ["d1/link", "cur/link"]:
                self.assertEqual(self.get(other), content, other)
                facts = self.daemon.forebay("stat", other).stdout.decode().split("\n")
                versions.update(line for line in facts if line.startswith("version "))
            self.assertEqual(len(versions), 1, versions)
        self.daemon.wait_until(lambda: self.daemon.status()["unfinished_names"] == "0")
        self.assertTrue(self.is_there(content))
        self.put("cur/new/g", b"in a folder that is not there yet")
        self.assertEqual(self.get("far/new/g"), b"in a folder that is not there yet")
        self.assertEqual(self.daemon.forebay("rm", "far/f").returncode, 0)
        for name in names:
            self.assertIn(b"No such file", self.daemon.forebay("get", name).stderr)
        self.daemon.wait_until(lambda: self.daemon.status()["unfinished_names"] == "0")
        self.assertFalse(os.path.exists(os.path.join(self.origin, "d1/f")))

    def is_there(self, content):
        """Has the origin this content of the file?"""
        with open(os.path.join(self.origin, "d1/f"), "rb") as file:
            return file.read() == content

    def test_folder_that_came_under_the_name_meanwhile_is_told_and_can_be_removed(self):
        self.put("late", b"committed")
        os.mkdir(os.path.join(self.origin, "late"))
        self.daemon.wait_until(lambda: b"late" in self.daemon.forebay("lost").stdout, 60)
        self.assertEqual(self.get("late"), b"committed")
        self.assertEqual(self.daemon.forebay("rm", "late").returncode, 0)
        self.daemon.wait_until(lambda: self.daemon.status()["unfinished_names"] == "0", 60)
        self.assertTrue(os.path.isdir(os.path.join(self.origin, "late")))


class Refusals(Posix):
    """Root may do all but what the file system refuses: these want a mount of their own."""

    def over(self, *options):
        if os.geteuid() != 0 or subprocess.run(
                ["mount", *options, self.origin], capture_output=True, check=False).returncode:
            self.skipTest("cannot mount here")
        self.addCleanup(subprocess.run, ["umount", "-l", self.origin], check=False)

    def refused(self, name, content, text):
        begun = time.monotonic()
        self.assertIn(text, self.put(name, content, 1))
        self.assertLess(time.monotonic() - begun, 15)

    def setUp(self):
        Case.setUp(self)
        self.origin = self.path("origin")

    def test_full_folder_is_no_space_at_once_and_shows_nothing_half(self):
        self.over("-t", "tmpfs", "-o", "size=3m", "none")
        self.daemon = Daemon(self, self.config, "core.memory_size=32 MiB", "stop_patience=0 s")
        self.addCleanup(self.daemon.kill)
        self.put("fits", b"1" * 100000)
        for level in ((), ("--level", "origin")):
            source = self.write("source", b"2" * (8 << 20))
            begun = time.monotonic()
            ended = self.daemon.forebay("put", *level, source, "large")
            self.assertIn(b"No space left", ended.stderr, self.daemon.log())
            self.assertLess(time.monotonic() - begun, 15)
        self.assertEqual(self.daemon.forebay("ls").stdout, b"fits\n")
        self.assertEqual(self.get("fits"), b"1" * 100000)

    def test_more_than_folder_and_memory_hold_is_no_space_and_seen_in_the_status(self):
        """Nothing of it waits for the origin: all that fills the memory was acknowledged."""
        self.over("-t", "tmpfs", "-o", "size=3m", "none")
        self.daemon = Daemon(self, self.config, "stop_patience=0 s")
        self.addCleanup(self.daemon.kill)
        begun = time.monotonic()
        with subprocess.Popen([hw_test.program("forebay"), "put", "--socket", self.daemon.socket,
                               "--level", "memory", self.write("source", bytes(16 << 20)),
                               "large"], stderr=subprocess.PIPE) as put:
            self.daemon.wait_until(lambda: self.daemon.status()["refused_status"] == "full")
            page = self.daemon.forebay("status", "--page").stdout.decode()
            self.assertIn(b"No space left", put.communicate(timeout=30)[1])
            self.assertLess(time.monotonic() - begun, 15)
        self.assertTrue(page.startswith("ATTENTION"), page)
        self.assertRegex(page, r"blocks are owed to the origin, which refuses them for .*ENOSPC")
        self.assertEqual(put.returncode, 1)
        self.put("small", b"1" * 1000)
        self.daemon.wait_until(lambda: self.daemon.status()["refused_blocks"] == "0")

    def test_each_writer_after_the_memory_is_full_hears_no_space_soon(self):
        """Blocks of a drive's and of memory's room: the daemon's share of what a client may owe,
        the records and the drive are used up in turn. Whatever refuses, no writer waits long."""
        self.over("-t", "tmpfs", "-o", "size=256k", "none")
        self.at_origin("filler", b"x" * 250000)
        drive = ("device.path=" + self.path("drive"), "core.device_size=4 MiB")
        for memory, more, level in (("4 MiB", drive, "device"), ("16 MiB", drive, "device"),
                                    ("4 MiB", (), "memory"), ("4 MiB", (), "origin")):
            self.daemon = Daemon(self, self.config, "core.memory_size=" + memory,
                                 "core.block_size=256 KiB", "stop_patience=0 s",
                                 "metadata.kind=lmdb", "metadata.path=" + self.path(level + memory),
                                 *more)
            self.addCleanup(self.daemon.kill)
            source, refused = self.write("source", os.urandom(600000)), 0
            for number in range(10):
                begun = time.monotonic()
                put = self.daemon.forebay("put", "--level", level, source, "o%d" % number)
                if put.returncode != 0:
                    self.assertIn(b"No space left", put.stderr)
                    refused += 1
                self.assertLess(time.monotonic() - begun, 8)
            self.assertGreaterEqual(refused, 3)
            self.daemon.kill()
            if more:
                os.remove(self.path("drive"))

    def test_client_of_a_daemon_that_stops_hears_so_and_how_much_is_owed(self):
        self.over("-t", "tmpfs", "-o", "size=3m", "none")
        self.daemon = Daemon(self, self.config, "core.memory_size=8 MiB",
                             "metadata.kind=lmdb", "metadata.path=" + self.path("records"))
        self.addCleanup(self.daemon.kill)
        put = self.daemon.forebay("put", "--level", "memory",
                                  self.write("source", os.urandom(5 << 20)), "large")
        self.assertEqual(put.returncode, 0, put.stderr)
        self.daemon.process.terminate()
        self.daemon.wait_until(lambda: "event=stopping" in self.daemon.log())
        for command in (("status",), ("get", "large"), ("put", self.config, "other")):
            ended = self.daemon.forebay(*command)
            self.assertEqual(ended.returncode, 1)
            self.assertRegex(ended.stderr.decode(), "it is stopping, and owes the origin [1-9]")

    def test_read_only_folder_says_so_at_once(self):
        self.over("-t", "tmpfs", "-o", "size=3m", "none")
        self.at_origin("there", b"x")
        subprocess.run(["mount", "-o", "remount,ro", self.origin], check=True)
        self.daemon = Daemon(self, self.config, "stop_patience=0 s")
        self.addCleanup(self.daemon.kill)
        self.refused("new", b"1", "Read-only file system")
        self.refused("empty", b"", "Read-only file system")
        self.assertEqual(self.get("there"), b"x")


    def test_name_that_is_refused_after_its_answer_is_listed_until_it_is_there(self):
        self.over("-t", "tmpfs", "-o", "size=3m", "none")
        self.daemon = Daemon(self, self.config, "metadata.kind=lmdb", "stop_patience=0 s",
                             "metadata.path=" + self.path("records"), "core.drain_delay=2 s")
        self.addCleanup(self.daemon.kill)
        self.put("early", b"1" * 1000)
        subprocess.run(["mount", "-o", "remount,ro", self.origin], check=True)
        self.daemon.wait_until(lambda: self.daemon.forebay("lost").stdout ==
                               b'read_only "early"\n', 60)
        self.assertEqual(self.get("early"), b"1" * 1000)
        subprocess.run(["mount", "-o", "remount,rw", self.origin], check=True)
        self.daemon.wait_until(lambda: self.daemon.status()["unfinished_names"] == "0")
        self.assertEqual(self.daemon.forebay("lost").stdout, b"")
        with open(self.at_origin("early"), "rb") as file:
            self.assertEqual(file.read(), b"1" * 1000)


class Listings(Posix):
    def test_large_folder_is_listed_whole_in_pages(self):
        os.mkdir(os.path.join(self.origin, "large"))
        names = ["%06d%s" % (i, "n" * (i % 40)) for i in range(20000)]
        for name in names:
            self.at_origin("large/" + name, b"")
        self.assertEqual(self.daemon.forebay("ls", "large").stdout.decode().split(), sorted(names))

    def test_more_listings_at_once_than_are_kept(self):
        """A folder whose names are kept no more is read again."""
        names = ["%03d%s" % (i, "n" * 240) for i in range(500)]
        for folder in range(12):
            os.mkdir(os.path.join(self.origin, "wide%d" % folder))
            for name in names:
                self.at_origin("wide%d/%s" % (folder, name), b"")
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            listings = list(pool.map(lambda folder: self.daemon.forebay("ls", "wide%d" % folder),
                                     range(12)))
        for listing in listings:
            self.assertEqual(listing.stdout.decode().split(), names)

    def test_names_of_any_bytes_and_no_others_are_listed(self):
        root = os.fsencode(self.origin)
        for name in (b"\xff\xfe not utf-8", b"plain"):
            with open(os.path.join(root, name), "wb"):
                pass
        os.mkfifo(os.path.join(self.origin, "fifo"))
        os.mkdir(os.path.join(self.origin, "sockets"))
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(os.path.join(self.origin, "sockets", "one"))
        for name, target in (("out", "/etc"), ("outfile", "/etc/hostname"), ("up", "../.."),
                             ("nowhere", "none"), ("loop", "loop"), ("root", self.origin)):
            os.symlink(target, os.path.join(self.origin, name))
        os.symlink(os.path.join(self.origin, "plain"), os.path.join(self.origin, "same"))
        self.assertEqual(self.daemon.forebay("ls").stdout,
                         b"plain\nsame\nsockets/\n\\xff\\xfe not utf-8\n")
        for name in ("fifo", "sockets/one", "sockets"):
            self.assertIn(b"No such file", self.daemon.forebay("stat", name).stderr)
        for name in ("out", "outfile", "up", "nowhere", "loop", "out/passwd"):
            self.assertIn(b"No such file", self.daemon.forebay("get", name).stderr)


if __name__ == "__main__":
    hw_test.main("hw_posix_test")
