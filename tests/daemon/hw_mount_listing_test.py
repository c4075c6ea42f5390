#!/usr/bin/env python3
"""What a mount over an object store shows of names that are no plain files: folders that an object
marks, or that hold only what cannot be shown, names with odd bytes, and names that are those of an
object and of a folder. What is listed exists, can be looked at, filled and removed; each name is
listed once. Each without a metadata store, and with one.

usage: hw_mount_listing_test.py BUILD [unittest's arguments]     exit code 77: no FUSE here
"""

import os
import shutil
import stat
import subprocess

import hw_test
from hw_test import Case, Daemon
from kept import Mounts, read, write


class Listed(Mounts):
    settings = ()

    def start(self):
        self.config = self.write("listing.yaml", self.text.encode())
        self.daemons = [Daemon(self, self.config, *self.settings, name="only")]
        return [self.daemons[0].mount(self), self.daemons[0].mount(self, name="mount2")]

    def puts(self, *names, content=b""):
        for name in names:
            self.stranger_puts(name, content)

    def tree(self, mount, *below):
        """All that is listed: each is there as what it was listed as, and once."""
        found = []
        with os.scandir(os.path.join(mount, *below)) as entries:
            listed = list(entries)
        self.assertEqual(len(listed), len({entry.name for entry in listed}))
        for entry in listed:
            mode = os.lstat(entry.path).st_mode
            self.assertEqual(entry.is_dir(follow_symlinks=False), stat.S_ISDIR(mode), entry.path)
            name = "/".join((*below, entry.name))
            found += [name + "/"] + self.tree(mount, *below, entry.name) \
                if stat.S_ISDIR(mode) else [name]
        return sorted(found)

    def ls(self, *folder):
        ended = self.daemons[0].forebay("ls", *folder)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout.decode().split("\n")[:-1]

    def keys(self):
        with self.bucket.lock:
            return sorted(name for name in list(self.bucket.objects)
                          if not name.startswith(".forebay"))

    def settle(self):
        self.wait(lambda: self.daemons[0].status().get("unfinished_names", "0") == "0")

    def test_folders_that_an_object_marks_are_there_and_can_be_filled_and_removed(self):
        self.puts("console/", "top/sub/", "hadoop_$folder$", "both/", "both_$folder$")
        everything = ["both/", "console/", "hadoop/", "top/", "top/sub/"]
        self.assertEqual(self.tree(self.first), everything)
        self.assertEqual(self.tree(self.last), everything)
        for folder in ("console", "hadoop", "top/sub"):
            path = os.path.join(self.first, folder)
            self.fails("EEXIST", os.mkdir, path)
            write(path + "/new", b"bytes")
            os.mkdir(path + "/deep")
            self.assertEqual(os.listdir(path) and read(path + "/new"), b"bytes")
            self.fails("ENOTEMPTY", os.rmdir, path)
            os.rmdir(path + "/deep")
            os.unlink(path + "/new")
            self.settle()
            self.assertEqual(self.tree(self.first), everything)
        for folder in ("hadoop", "both"):
            os.rmdir(os.path.join(self.first, folder))
        for folder in ("top", "console"):
            self.assertEqual(subprocess.run(["rm", "-r", os.path.join(self.first, folder)],
                                            capture_output=True, check=False).stderr, b"")
        self.settle()
        self.assertEqual((self.keys(), self.tree(self.first), self.tree(self.last)), ([], [], []))

    def test_mark_with_bytes_is_nobodys_to_remove(self):
        self.puts("full/", "full_$folder$", content=b"bytes")
        self.assertIn("full/", self.tree(self.first))
        self.fails("ENOTEMPTY", os.rmdir, os.path.join(self.first, "full"))
        self.assertEqual(self.keys(), ["full/", "full_$folder$"])

    def test_folder_of_what_cannot_be_shown_is_empty_and_stays(self):
        self.puts("slashes//x", "dots/./x", "up/../x", content=b"1")
        self.assertEqual(self.tree(self.first), ["dots/", "slashes/", "up/"])
        for name in ("slashes", "dots", "up"):
            self.fails("ENOTEMPTY", os.rmdir, os.path.join(self.first, name))
            write(os.path.join(self.first, name, "beside"), b"2")
        self.settle()
        self.assertEqual(len(self.keys()), 6)

    def test_folder_stays_where_its_last_file_was_removed(self):
        """Until it is removed there, as by rm -r; what another has put into it stays."""
        self.puts("a/b/c/file", "a/b/other", "moved/file", content=b"1")
        os.rename(os.path.join(self.first, "moved/file"), os.path.join(self.first, "file"))
        os.rmdir(os.path.join(self.first, "moved"))
        shutil.rmtree(os.path.join(self.first, "a"))
        self.fails("ENOENT", os.stat, os.path.join(self.first, "a"))
        self.settle()
        self.assertEqual((self.keys(), self.tree(self.last)), (["file"], ["file"]))

    def test_names_of_all_bytes_that_a_store_takes_are_listed(self):
        names = ["new\nline", "tab\t", "bell\x07", "del\x7f", "\x01", "%00", "a+b c%20", "é\u0301"]
        self.puts("theirs/raw\x02", content=b"1")
        self.assertEqual(self.tree(self.first), ["theirs/", "theirs/raw\x02"])
        os.mkdir(os.path.join(self.first, "odd"))
        for name in names:
            write(os.path.join(self.first, "odd", name), name.encode())
        self.settle()
        for mount in self.mounts:
            self.assertEqual(sorted(os.listdir(os.path.join(mount, "odd"))), sorted(names))
            for name in names:
                self.assertEqual(read(os.path.join(mount, "odd", name)), name.encode())
        ended = self.daemons[0].forebay("put", self.write("source", b"2"), "put\x03")
        self.assertEqual((ended.returncode, self.ls().count("put\\x03")), (0, 1))
        os.rename(os.path.join(self.first, "put\x03"), os.path.join(self.first, "odd", "to\x04"))
        self.assertEqual(subprocess.run(["rm", "-r", os.path.join(self.first, "odd")],
                                        capture_output=True, check=False).stderr, b"")
        self.settle()
        self.assertEqual(self.keys(), ["theirs/raw\x02"])

    def test_names_that_a_store_cannot_have_are_refused_when_they_are_made(self):
        """Objects' names are UTF-8; no byte is taken for one that is not."""
        root = os.fsencode(self.first)
        write(root + b"/fine", b"1")
        source = self.write("source", b"1")
        for name in (b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"):
            self.fails("ENOENT", os.stat, root + b"/" + name)
            self.fails("EILSEQ", open, root + b"/" + name, "wb")
            self.fails("EILSEQ", os.mkdir, root + b"/" + name)
            self.fails("EILSEQ", os.rename, root + b"/fine", root + b"/" + name)
            ended = self.daemons[0].forebay("put", source, name)
            self.assertIn(b"the name is no UTF-8", ended.stderr)
        self.assertEqual(self.tree(self.first), ["fine"])

    def mixed(self):
        """Names that are objects' and folders', with much between the two in the order of keys."""
        self.puts("a", "a-", "late", content=b"bytes")
        self.puts("a/x", "a-/y", "b/z", "late/w", "late/late-", content=b"1")
        for number in range(self.bucket.page + 20):
            self.puts("a-%03d" % number, "part%03d" % number, "late!%03d" % number, content=b"1")
        self.puts("part/x", content=b"1")
        self.puts("part_$folder$", "zero")
        self.puts("zero/y", "zero-1", content=b"1")

    def test_name_of_an_object_and_of_a_folder_is_listed_once_over_pages(self):
        self.bucket.page = 50
        self.mixed()
        listed = self.ls()
        self.assertEqual(len(listed), len(set(name.rstrip("/") for name in listed)))
        for name in ("a/", "a-/", "b/", "late/", "part/", "zero/"):
            self.assertIn(name, listed)
        for _ in range(2):
            for mount in self.mounts:
                found = self.tree(mount)
                self.assertEqual([name for name in found if "/" not in name.rstrip("/")],
                                 sorted(listed))
                for name in ("a/x", "a-/y", "b/z", "late/w", "part/x", "zero/y"):
                    self.assertIn(name, found)
            # and with what is pending
            write(os.path.join(self.first, "a-/new"), b"1")
            os.unlink(os.path.join(self.first, "a-000"))
            listed = [name for name in listed if name != "a-000"]
            if os.path.exists(os.path.join(self.first, "a-001")):
                os.unlink(os.path.join(self.first, "a-001"))
                listed.remove("a-001")
                write(os.path.join(self.first, "a-000"), b"1")
                listed.append("a-000")
        self.assertEqual(self.daemons[0].forebay("get", "a").stdout, b"bytes")
        self.assertEqual(self.daemons[0].forebay("rm", "a").returncode, 0)
        self.settle()
        self.assertNotIn("a", self.keys())
        self.assertEqual(os.listdir(os.path.join(self.first, "a")), ["x"])

    def test_object_is_a_file_again_when_its_folder_is_gone(self):
        self.puts("both", content=b"bytes")
        self.puts("both/x", content=b"1")
        self.assertEqual(self.tree(self.first), ["both/", "both/x"])
        os.unlink(os.path.join(self.first, "both/x"))
        self.settle()
        self.assertEqual(self.tree(self.last), ["both"])
        self.assertEqual(read(os.path.join(self.last, "both")), b"bytes")


class Objects(Listed, Case):
    pass


class Lmdb(Listed, Case):
    def start(self):
        self.settings = ("metadata.kind=lmdb", "metadata.path=" + self.path("records"))
        return super().start()

    def test_emptied_folder_is_gone_over_pages_while_the_origin_shows_it(self):
        """Its object may have come pages before it. One that is marked is there again when its
        files are gone at the origin, and until then where it was emptied."""
        self.bucket.page = 50
        self.mixed()
        listed = self.tree(self.first)
        is_held = [True]
        self.bucket.refuse = lambda method, what, key: (
            (503, "SlowDown") if method == "DELETE" and is_held[0] else None)
        gone = ["a/x", "a-/y", "b/z", "late/w", "late/late-", "part/x"]
        for name in gone:
            os.unlink(os.path.join(self.first, name))
        os.rmdir(os.path.join(self.first, "b"))
        files = ("a/", "a-/", "late/")
        listed = sorted(name.rstrip("/") if name in files else name
                        for name in listed if name not in (*gone, "b/"))
        for _ in range(2):
            for mount in self.mounts:
                wanted = [name for name in listed
                          if name != "part/" or mount == self.first or not is_held[0]]
                self.assertEqual(self.tree(mount), wanted)
                self.assertEqual(read(os.path.join(mount, "a")), b"bytes")
            self.assertEqual(is_held[0], "a/x" in self.keys())
            is_held[0] = False
            self.settle()


if __name__ == "__main__":
    hw_test.main("hw_mount_listing_test", needs_fuse=True)
