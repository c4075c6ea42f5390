#!/usr/bin/env python3
"""What a path of the settings named at the start is moved away, replaced or removed under a running
daemon: the origin's folder, the metadata store's, the drive's file. Nothing is acknowledged that
the next start would not find, no name is said to be absent, /ready says which path it is, and all
goes on once what was there is back.

usage: hw_moved_test.py BUILD [unittest's arguments]    exit code 77: there is no io_uring here
"""

import os
import shutil

import hw_test
from hw_test import Case, Daemon, free_ports, page

CONTENT = bytes(range(256)) * 3000


def copy_if_there(source, target):
    """A daemon removes files of its own while its folder is copied."""
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        pass


class Moved(Case):
    """What holds for each of the three."""
    SETTINGS = ()
    SETTING = "origin.path"

    def setUp(self):
        super().setUp()
        self.place = self.path({"origin.path": "origin", "metadata.path": "records",
                                "device.path": "drive"}[self.SETTING])
        self.port = free_ports(1)[0]
        with open(self.config, "a", encoding="utf-8") as file:
            file.write(self.metadata())
        self.daemon = Daemon(self, self.config, "http=127.0.0.1:%d" % self.port, *self.settings())

    def metadata(self):
        return ""

    def settings(self):
        return ()

    def put(self, name, level="origin"):
        return self.daemon.forebay("put", "--level", level, self.write("source", CONTENT), name)

    def fine(self, ended):
        self.assertEqual(ended.returncode, 0, ended.stderr.decode() + self.daemon.log())

    def refused(self, ended, text=b"Input/output error"):
        self.assertEqual(ended.returncode, 1, self.daemon.log())
        self.assertIn(text, ended.stderr)

    def is_ready(self):
        code, text = page(self.port, "/ready")
        if code != 200:
            self.assertIn("%s %s" % (self.SETTING, self.place), text)
        return code == 200

    def moves(self):
        """Ways in which it goes; after each, how to put back what was there."""
        aside = self.place + ".aside"

        def back():
            if os.path.isdir(self.place):
                shutil.rmtree(self.place)
            elif os.path.exists(self.place):
                os.unlink(self.place)
            os.rename(aside, self.place)

        os.rename(self.place, aside)
        yield "moved away", back
        os.rename(self.place, aside)
        if os.path.isdir(aside):
            shutil.copytree(aside, self.place, copy_function=copy_if_there)
        else:
            shutil.copy(aside, self.place)
        yield "replaced by a copy", back
        os.rename(self.place, aside)
        os.symlink(aside + ".nowhere", self.place)
        yield "a link to nowhere", lambda: (os.unlink(self.place), os.rename(aside, self.place))


class Origin(Moved):
    def test_no_commit_goes_to_a_folder_that_is_not_there_any_more(self):
        self.fine(self.put("before"))
        for number, (how, back) in enumerate(self.moves()):
            with self.subTest(how=how):
                self.refused(self.put("meanwhile%d" % number))
                self.daemon.wait_until(lambda: not self.is_ready())
                self.refused(self.daemon.forebay("rm", "before"))
                for command in (("stat", "before"), ("stat", "never"), ("ls",), ("get", "never")):
                    ended = self.daemon.forebay(*command)
                    self.assertEqual(ended.returncode, 1)
                    said = ended.stderr.split(b"; the daemon is not ready: ")[0]
                    self.assertNotIn(b"No such file", said, command)
                back()
                self.daemon.wait_until(self.is_ready)
                self.fine(self.put("after%d" % number))
                self.assertEqual(self.daemon.forebay("get", "before").stdout, CONTENT)
                with open(self.path("origin/after%d" % number), "rb") as file:
                    self.assertEqual(file.read(), CONTENT)


class OriginWithRecords(Origin):
    def metadata(self):
        return "metadata: {kind: lmdb, path: \"%s\"}\n" % self.path("records")

    def settings(self):
        return ("core.drain_delay=2 s", "core.drain_check=2 s")

    def test_what_was_acknowledged_before_gets_there_once_it_is_back(self):
        self.fine(self.put("kept0", "replicated"))
        for number, (how, back) in enumerate(self.moves()):
            with self.subTest(how=how):
                path = self.path("origin/kept%d" % number)
                self.assertFalse(os.path.exists(path))
                self.daemon.wait_until(lambda: not self.is_ready())
                self.refused(self.put("meanwhile", "replicated"))
                back()
                self.daemon.wait_until(lambda at=path: os.path.exists(at), 60)
                self.daemon.wait_until(lambda: self.daemon.status()["undrained_bytes"] == "0", 60)
                with open(path, "rb") as file:
                    self.assertEqual(file.read(), CONTENT)
                self.assertEqual(self.daemon.forebay("get", "meanwhile").returncode, 1)
                self.fine(self.put("kept%d" % (number + 1), "replicated"))


class Records(Moved):
    SETTING = "metadata.path"

    def metadata(self):
        return "metadata: {kind: lmdb, path: \"%s\"}\n" % self.path("records")

    def test_no_record_goes_to_a_store_that_is_not_there_any_more(self):
        self.fine(self.put("before"))
        for number, (how, back) in enumerate(self.moves()):
            with self.subTest(how=how):
                self.refused(self.put("meanwhile%d" % number, "memory"))
                self.refused(self.daemon.forebay("rm", "before"))
                self.daemon.wait_until(lambda: not self.is_ready())
                ended = self.daemon.forebay("stat", "never")
                self.refused(ended)
                back()
                self.daemon.wait_until(self.is_ready)
                self.fine(self.put("after%d" % number))
                self.assertEqual(self.daemon.forebay("get", "before").stdout, CONTENT)

    def test_file_of_the_store_alone_is_removed(self):
        self.fine(self.put("before"))
        os.unlink(self.path("records/data.mdb"))
        self.refused(self.put("meanwhile", "memory"))
        self.assertFalse(self.is_ready())


class Drive(Moved):
    SETTING = "device.path"

    def metadata(self):
        return "metadata: {kind: lmdb, path: \"%s\"}\n" % self.path("records")

    def settings(self):
        return ("device.path=" + self.path("drive"), "core.device_size=16 MiB",
                "core.drain_delay=4 s", "core.drain_check=4 s")

    def test_level_device_does_not_rest_on_a_file_that_the_next_start_does_not_find(self):
        """The bytes of what is answered while it is away are at the origin by then, or it is
        refused: the name follows, as the store says it."""
        self.fine(self.put("before", "device"))
        self.assertFalse(os.path.exists(self.path("origin/before")))
        for number, (how, back) in enumerate(self.moves()):
            with self.subTest(how=how):
                self.daemon.wait_until(lambda: self.daemon.status()["ready_reason"] != "ready")
                self.assertIn("device.path", self.daemon.status()["ready_reason"])
                name = "meanwhile%d" % number
                if self.put(name, "device").returncode == 0:
                    self.assertEqual(self.daemon.status()["undrained_bytes"], "0")
                    path = self.path("origin/" + name)
                    self.daemon.wait_until(lambda at=path: os.path.exists(at))
                    with open(path, "rb") as file:
                        self.assertEqual(file.read(), CONTENT)
                back()
                self.daemon.wait_until(lambda: self.daemon.status()["ready_reason"] == "ready")
                self.fine(self.put("after%d" % number, "device"))


if __name__ == "__main__":
    hw_test.main("hw_moved_test")
