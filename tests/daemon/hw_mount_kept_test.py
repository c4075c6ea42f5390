#!/usr/bin/env python3
"""What is kept beside the records of an object store's names, when something goes wrong: several
change a name at once, the store is silent, full, or loses an answer, the origin is slow or fails,
a later release has written there. Nothing is lost, done twice, or shown as what it is not.

usage: hw_mount_kept_test.py BUILD [unittest's arguments]
exit code 77: no io_uring or no FUSE
"""

import base64
import errno
import json
import os
import shutil
import stat
import threading
import time
import urllib.request

import hw_test
from hw_test import Case
from kept import OnEtcd, OnLmdb, facts, read, write


class Faults:
    """What holds for both stores."""

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

    def test_mode_that_was_set_stays_whoever_made_the_name(self):
        """Two make a name at once; who is second has set its mode before he writes."""
        with open(self.path_of(self.first, "file"), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            write(self.path_of(self.last, "file"), b"the other's")
            file.write(b"x")
        self.assertEqual(self.both(facts, "file"), ("-rw-------", 0, 0))
        self.assertEqual(self.both(read, "file"), b"x")

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

    def test_what_is_removed_is_gone_while_the_origin_shows_it(self):
        """Folders in folders, whose objects a slow origin still has: none is there, for nobody."""
        here = lambda *names: self.path_of(self.first, *names)
        names = ["all/in/deep/one", "all/in/two", "all/three", "some/in/goes", "some/in/deep/goes",
                 "some/in/deep/stays", "moves/in/goes", "target/in/goes"]
        for name in names:
            os.makedirs(os.path.dirname(here(name)), exist_ok=True)
            write(here(name), b"x")
        self.stranger_puts("objects/alone/goes", b"x")  # folders that have no record
        self.wait_shown(*names)
        is_held = [True]
        self.bucket.refuse = lambda method, what, key: (
            (503, "SlowDown") if method == "DELETE" and is_held[0] else None)
        shutil.rmtree(here("all"))
        for name in ("some/in/goes", "some/in/deep/goes", "moves/in/goes", "target/in/goes",
                     "objects/alone/goes"):
            os.remove(here(name))
        for name in ("moves/in", "target/in", "objects/alone", "objects"):
            os.rmdir(here(name))  # where no record is they stay in the mount that emptied them
        os.rename(here("moves"), here("target"))
        self.assertIn("all/in/deep/one", self.bucket.objects)
        self.assertEqual(self.both(lambda name: sorted(os.listdir(name))), ["some", "target"])
        self.assertEqual(self.both(os.listdir, "target"), [])
        for name in ("all", "all/in", "moves", "target/in", "objects", "objects/alone"):
            self.assertFalse(self.both(os.path.lexists, name), name)
        self.assertEqual(self.both(os.listdir, "some"), ["in"])
        self.assertEqual(self.both(os.listdir, "some", "in"), ["deep"])
        self.assertEqual(self.both(os.listdir, "some", "in", "deep"), ["stays"])
        self.assertEqual(self.daemons[-1].forebay("ls").stdout, b"some/\ntarget/\n")
        self.fails("ENOTEMPTY", os.rmdir, here("some"))
        write(here("all"), b"a file now")
        self.assertEqual(self.both(read, "all"), b"a file now")
        self.assertEqual(self.both(lambda name: sorted(os.listdir(name))),
                         ["all", "some", "target"])
        is_held[0] = False
        self.wait_shown("all")
        self.assertNotIn("all/in/deep/one", self.bucket.objects)
        self.assertEqual(self.both(lambda name: sorted(os.listdir(name))),
                         ["all", "some", "target"])

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


class Lmdb(Faults, OnLmdb, Case):
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
        kept = self.both(lambda path: os.getxattr(path, "user.a"), "folder 0001")
        self.assertEqual(kept, b"a" * 3000)


class Etcd(Faults, OnEtcd, Case):
    def post(self, path, request):
        with urllib.request.urlopen(self.etcd.url + path, json.dumps(request).encode(),
                                    timeout=10) as answer:
            return json.loads(answer.read())

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

    def test_what_a_later_release_has_kept_is_left_alone(self):
        write(self.path_of(self.first, "file"), b"x")
        os.chmod(self.path_of(self.first, "file"), 0o640)
        encode = lambda text: base64.b64encode(text).decode()
        names = {"key": encode(b"/forebay/test/attributes/"),
                 "range_end": encode(b"/forebay/test/attributes0")}

        def file():
            """All but what the store keeps of itself."""
            return next(one for one in self.post("/v3/kv/range", names)["kvs"]
                        if not base64.b64decode(one["value"]).startswith(b"FBIDENT1"))

        entry = file()
        kept = base64.b64decode(entry["value"])
        self.post("/v3/kv/put", {"key": entry["key"], "value": encode(b"\xff" + kept[1:])})
        self.assertEqual(self.both(facts, "file")[0], "-rw-r--r--")
        self.fails("EBADMSG", os.chmod, self.path_of(self.first, "file"), 0o600)
        write(self.path_of(self.last, "file"), b"its bytes are written all the same")
        self.assertEqual(base64.b64decode(file()["value"]), b"\xff" + kept[1:])


if __name__ == "__main__":
    hw_test.main("hw_mount_kept_test", needs_fuse=True)
