#!/usr/bin/env python3
"""An origin or a metadata store that is another one than drive and store know: a folder that nobody
has mounted, a mistyped path, a store that was emptied. The start is refused in one line, nothing is
written there, and all goes on with the right one; with the flag the other one is taken.

usage: hw_identity_test.py BUILD [unittest's arguments]    exit code 77: there is no io_uring here
"""

import os
import shutil
import unittest

import hw_etcd_test
import hw_parts_test
import hw_test
from hw_test import Case, Daemon, free_ports, page

SIZE = 3 * 256 << 10
FILE = ".forebay-parts/identity"


class Identity(Case):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("other"))

    def settings(self, *assignments):
        return ("device.path=" + self.path("image"), "core.device_size=32 MiB") + assignments

    def lmdb(self, folder="records"):
        return ("metadata.kind=lmdb", "metadata.path=" + self.path(folder))

    def other(self):
        return "origin.path=" + self.path("other")

    def start(self, *assignments, **more):
        return Daemon(self, self.config, *self.settings(*assignments), **more)

    def known(self, *assignments):
        """A drive, and a store, that know the origin."""
        daemon = self.start(*assignments, name="known")
        self.assertEqual(daemon.stop(), 0, daemon.log())

    def owe(self, *assignments):
        """A drive that owes a file's blocks."""
        self.content = os.urandom(SIZE)
        daemon = self.start("core.drain_delay=600 s", *assignments, name="owe")
        ended = daemon.forebay("put", "--level", "device", self.write("source", self.content), "a")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(daemon.status()["device_owed_bytes"], str(SIZE))
        daemon.kill()

    def make_identity(self):
        """The other folder is one that some daemon knows."""
        daemon = Daemon(self, self.config, self.other(), "client.socket=" + self.path("s"),
                        name="maker")
        self.assertEqual(daemon.stop(), 0)
        return self.read("other/" + FILE)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def drive(self):
        """All but the heads, whose number rises with each start."""
        return self.read("image")[1 << 20:-8192]

    def refused(self, parts, *assignments, options=()):
        arguments = list(options)
        for assignment in self.settings(*assignments):
            arguments += ["--set", assignment]
        before = self.drive()
        ended = hw_test.run(hw_test.program("forebayd"), "--config", self.config, *arguments)
        lines = [line for line in ended.stderr.decode().split("\n") if "forebayd:" in line]
        self.assertEqual((ended.returncode, len(lines)), (1, 1), ended.stderr)
        for part in parts:
            self.assertIn(part, lines[0])
        self.assertTrue(self.drive() == before)

    def is_stored(self, folder="origin"):
        path = self.path(folder + "/a")
        return os.path.exists(path) and self.read(folder + "/a") == self.content

    def settled(self, *assignments):
        """With the right ones what was owed is stored as if nothing had happened."""
        daemon = self.start(*assignments, name="right")
        self.assertEqual(daemon.forebay("get", "a").stdout, self.content)
        daemon.wait_until(self.is_stored)
        self.assertEqual(daemon.stop(), 0, daemon.log())


class Origin(Identity):
    def test_folder_that_is_not_mounted_is_refused(self):
        self.known()
        identity = self.read("origin/" + FILE)
        self.assertRegex(identity, rb"\A[0-9a-f]{32}\n\Z")
        self.refused(("origin.path " + self.path("other"), identity.decode().strip(),
                      "what is there has no identity", "mount", "--accept-origin"), self.other())
        self.assertEqual(os.listdir(self.path("other")), [])
        self.known()
        self.assertEqual(self.read("origin/" + FILE), identity)

    def test_store_knows_the_origin_too(self):
        """Also without a drive, and one more time when the folder has another's identity."""
        daemon = Daemon(self, self.config, *self.lmdb(), name="known")
        self.assertEqual(daemon.stop(), 0)
        for there in ("has no identity", None):
            there = there or self.make_identity().decode().strip()
            ended = hw_test.run(hw_test.program("forebayd"), "--config", self.config, "--set",
                                self.other(), *[part for one in self.lmdb()
                                                for part in ("--set", one)])
            self.assertEqual(ended.returncode, 1)
            self.assertIn("metadata.path " + self.path("records"), ended.stderr.decode())
            self.assertIn(there, ended.stderr.decode())

    def test_drive_that_owes_is_not_drained_into_another(self):
        self.owe(*self.lmdb())
        there = self.make_identity()
        shutil.copytree(self.path("records"), self.path("copied"))
        self.refused((self.path("other"), "--accept-origin"), self.other(), *self.lmdb())
        self.refused(("%d bytes are owed" % SIZE, there.decode().strip()), self.other(),
                     *self.lmdb("new"))
        self.assertEqual(os.listdir(self.path("other")), [".forebay-parts"])
        self.settled(*self.lmdb())

    def test_drive_that_owes_nothing_is_taken_over_and_serves_nothing_of_before(self):
        content = self.object("data", 2 << 20)
        daemon = self.start(name="before")
        self.assertEqual(daemon.forebay("get", "data").stdout, content)
        daemon.wait_until(lambda: int(daemon.status()["device_writes"]) >= 8)
        self.assertEqual(daemon.stop(), 0)
        self.make_identity()
        shutil.copy2(self.path("origin/data"), self.path("other/data"))
        daemon = self.start(self.other(), name="after")
        daemon.says("event=device_taken_over")
        daemon.wait_until(lambda: daemon.status()["recovering"] == "0")
        self.assertEqual(daemon.status()["recovered"], "0")
        self.assertEqual(daemon.forebay("get", "data").stdout, content)
        self.assertGreater(int(daemon.status()["origin_fetches"]), 0)

    def test_flag_takes_it_anew(self):
        self.owe(*self.lmdb())
        daemon = self.start(self.other(), *self.lmdb(), options=("--accept-origin",), name="flag")
        daemon.wait_until(lambda: self.is_stored("other"))
        self.assertEqual(daemon.stop(), 0, daemon.log())
        self.refused((self.path("origin"), "--accept-origin"), *self.lmdb())
        daemon = self.start(self.other(), *self.lmdb(), name="again")
        self.assertEqual(daemon.forebay("get", "a").stdout, self.content)

    def test_identity_that_goes_while_it_runs_is_an_origin_that_is_away(self):
        port = free_ports(1)[0]
        daemon = self.start("http=127.0.0.1:%d" % port, *self.lmdb())
        source = self.write("source", b"x" * 1000)
        os.rename(self.path("origin/" + FILE), self.path("aside"))
        ended = daemon.forebay("put", "--level", "origin", source, "b")
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"Input/output error", ended.stderr)
        self.assertFalse(os.path.exists(self.path("origin/b")))
        code, text = page(port, "/ready")
        self.assertEqual(code, 503)
        self.assertIn("origin.path %s" % self.path("origin"), text)
        self.assertIn("its identity is not in it any more", text)
        self.assertTrue(daemon.forebay("status", "--page").stdout.startswith(b"DOWN"))
        os.rename(self.path("aside"), self.path("origin/" + FILE))
        daemon.wait_until(lambda: page(port, "/ready")[0] == 200)
        ended = daemon.forebay("put", "--level", "origin", source, "c")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertTrue(os.path.exists(self.path("origin/c")))


    def test_identity_that_cannot_be_read_is_said_by_log_status_and_doctor(self):
        for store in ((), self.lmdb()):
            self.known(*store)
            os.rename(self.path("origin/" + FILE), self.path("aside"))
            os.mkdir(self.path("origin/" + FILE))
            daemon = self.start(*store, name="held%d" % len(store))
            daemon.wait_until(lambda: "event=not_ready" in daemon.log())
            lines = [line for line in daemon.log().split("\n")
                     if "event=origin_identity_failed" in line]
            self.assertEqual(len(lines), 1, daemon.log())
            for part in ("status=io", "place=\"origin.path %s\"" % self.path("origin"),
                         "file=" + FILE, "Is a directory", "remedy="):
                self.assertIn(part, lines[0])
            self.assertTrue(daemon.forebay("status", "--page").stdout.startswith(b"DOWN"))
            doctor = hw_test.run(hw_test.program("forebay"), "doctor", "--config", self.config)
            self.assertEqual(doctor.returncode, 1, doctor.stdout)
            self.assertRegex(doctor.stdout.decode(), "fault +origin .*%s.*Is a directory" % FILE)
            os.rmdir(self.path("origin/" + FILE))
            os.rename(self.path("aside"), self.path("origin/" + FILE))
            daemon.wait_until(lambda: "event=ready_again" in daemon.log())
            self.assertTrue(daemon.forebay("status", "--page").stdout.startswith(b"FINE"))
            self.assertEqual(daemon.stop(), 0, daemon.log())

    def test_every_verdict_down_has_a_line(self):
        """A store that does not answer, and a folder that goes."""
        port = free_ports(1)[0]
        daemon = self.start("metadata.kind=etcd", "metadata.endpoint=http://127.0.0.1:%d" % port,
                            name="silent")
        daemon.wait_until(lambda: "event=not_ready" in daemon.log())
        daemon.says("event=metadata_identity_failed")
        self.assertTrue(daemon.forebay("status", "--page").stdout.startswith(b"DOWN"))
        self.assertEqual(daemon.stop(), 0, daemon.log())
        daemon = self.start(name="gone")
        os.rename(self.path("origin"), self.path("aside"))
        daemon.wait_until(lambda: "event=not_ready" in daemon.log())
        daemon.says_like("not_ready reason=\"origin.path %s" % self.path("origin"))
        os.rename(self.path("aside"), self.path("origin"))
        daemon.wait_until(lambda: "event=ready_again" in daemon.log())


class Store(Identity):
    def test_store_that_has_not_the_names_of_what_is_owed_is_refused(self):
        self.owe(*self.lmdb())
        owed = "%d bytes are owed" % SIZE
        self.refused((owed, "metadata.path " + self.path("new"), "--accept-metadata"),
                     *self.lmdb("new"))
        self.refused((owed, "metadata.kind none"))
        os.rename(self.path("records"), self.path("aside"))
        os.mkdir(self.path("records"))
        self.refused((owed, "metadata.path " + self.path("records")), *self.lmdb())
        shutil.rmtree(self.path("records"))
        os.rename(self.path("aside"), self.path("records"))
        self.settled(*self.lmdb())

    def test_flag_takes_it_and_status_says_what_has_no_name(self):
        self.owe(*self.lmdb())
        daemon = self.start(*self.lmdb("new"), options=("--accept-metadata",), name="flag")
        daemon.wait_until(lambda: daemon.status()["unnamed_bytes"] == str(SIZE))
        text = daemon.forebay("status", "--page").stdout.decode()
        self.assertTrue(text.startswith("ATTENTION"), text)
        self.assertIn("under names without a record, such as \"a\":", text)
        daemon.says("event=owed_unnamed")
        daemon.wait_until(lambda: daemon.status()["device_owed_bytes"] == "0")
        self.assertEqual(daemon.stop(), 0, daemon.log())

    def test_older_copy_of_the_store_is_said(self):
        self.known(*self.lmdb())
        shutil.copytree(self.path("records"), self.path("older"))
        self.owe(*self.lmdb())
        daemon = self.start(*self.lmdb("older"))
        daemon.wait_until(lambda: daemon.status()["unnamed_bytes"] == str(SIZE))
        self.assertEqual(daemon.status()["unnamed_name"], '"a"')

    def test_what_has_a_record_is_fine(self):
        self.owe(*self.lmdb())
        daemon = self.start(*self.lmdb())
        daemon.wait_until(self.is_stored)
        daemon.wait_until(lambda: daemon.status()["device_owed_bytes"] == "0")
        self.assertEqual(daemon.status()["unnamed_blocks"], "0")
        self.assertTrue(daemon.forebay("status", "--page").stdout.startswith(b"FINE"))

    def test_drive_that_owes_nothing_takes_any(self):
        self.known(*self.lmdb())
        self.known(*self.lmdb("new"))
        self.known()


class Objects(Case):
    """A bucket: each prefix is an origin."""
    NAME = ".forebay-parts.identity"

    def setUp(self):
        super().setUp()
        self.bucket, self.port = hw_parts_test.serve(self)
        self.config = self.write("objects.yaml", hw_parts_test.CONFIG.format(
            folder=self.folder, block="1 MiB", port=self.port).encode())
        self.store = ("metadata.kind=lmdb", "metadata.path=" + self.path("records"))

    def test_two_who_come_first_agree_and_another_prefix_is_another_origin(self):
        daemons = [Daemon(self, self.config, "client.socket=" + self.path("s%d" % number),
                          name="of%d" % number) for number in range(2)]
        identity = self.bucket.objects[self.NAME][0]
        self.assertRegex(identity, rb"\A[0-9a-f]{32}\n\Z")
        for daemon in daemons:
            self.assertEqual(daemon.stop(), 0)
        daemon = Daemon(self, self.config, *self.store, name="known")
        self.assertEqual(daemon.forebay("ls").stdout, b"")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(self.bucket.objects[self.NAME][0], identity)
        arguments = ["--set", "origin.prefix=away/"]
        for assignment in self.store:
            arguments += ["--set", assignment]
        ended = hw_test.run(hw_test.program("forebayd"), "--config", self.config, *arguments)
        self.assertEqual(ended.returncode, 1)
        self.assertIn('origin.bucket b, prefix "away/"', ended.stderr.decode())
        self.assertIn(identity.decode().strip(), ended.stderr.decode())
        self.assertEqual([key for key in list(self.bucket.objects) if key.startswith("away/")], [])

    def test_read_only_credentials_do_without(self):
        self.bucket.objects["data"] = (b"content", '"e"', "")
        self.bucket.refuse = lambda method, what, key: \
            None if method in ("GET", "HEAD") else (403, "AccessDenied")
        for name in ("first", "second"):
            daemon = Daemon(self, self.config, *self.store, name=name)
            self.assertEqual(daemon.log().count("event=origin_unidentified"), 1, daemon.log())
            self.assertEqual(daemon.forebay("get", "data").stdout, b"content")
            self.assertEqual(daemon.stop(), 0)

    def known(self):
        daemon = Daemon(self, self.config, *self.store, name="known")
        self.assertEqual(daemon.stop(), 0)

    def test_identity_that_is_refused_by_no_denial_is_no_denial(self):
        """Whoever waits hears EIO, and the log says what was refused, not what was asked next."""
        self.known()
        for code, word, told in ((301, "PermanentRedirect", b"Input/output error"),
                                 (403, "AccessDenied", b"Permission denied")):
            self.bucket.refuse = lambda method, what, key: \
                (code, word) if key == self.NAME and method == "HEAD" else None
            daemon = Daemon(self, self.config, *self.store, name="held%d" % code)
            daemon.wait_until(lambda: "event=not_ready" in daemon.log())
            daemon.says("event=origin_identity_failed")
            daemon.says("http=%d" % code)
            self.assertNotIn("http=200", daemon.log())
            self.assertIn(told, daemon.forebay("get", "data").stderr)
            self.bucket.refuse = lambda method, what, key: None
            daemon.wait_until(lambda: daemon.status()["ready"] == "1")
            self.assertEqual(daemon.stop(), 0, daemon.log())

    def test_identity_that_is_another_version_at_each_look_is_said(self):
        def lie(handler, method, what, key):
            if key != self.NAME or method != "GET":
                return False
            handler.answer(206, b"abc", ETag='"other"', Content_Range="bytes 0-2/33")
            return True
        self.known()
        self.bucket.lie = lie
        daemon = Daemon(self, self.config, *self.store, name="held")
        daemon.wait_until(lambda: "event=origin_identity_failed" in daemon.log())
        daemon.says_like("origin_identity_failed status=busy .*remedy=")


@unittest.skipIf(shutil.which("etcd") is None, "no etcd here")
class Etcd(hw_etcd_test.Etcd):
    """Only what is below: the members that come and go are its base's."""

    def setUp(self):
        super().setUp()
        os.mkdir(self.path("other"))
        self.store = ("metadata.kind=etcd",
                      "metadata.endpoint=http://127.0.0.1:%d" % self.ports[0])

    def refused(self, *assignments):
        arguments = []
        for assignment in (*self.store, *assignments, "origin.path=" + self.path("other"),
                           "client.socket=" + self.path("refused"), "node=1"):
            arguments += ["--set", assignment]
        ended = hw_test.run(hw_test.program("forebayd"), "--config", self.config, *arguments)
        self.assertEqual(ended.returncode, 1, ended.stderr)
        self.assertIn("metadata.endpoint", ended.stderr.decode())
        self.assertIn("what is there has no identity", ended.stderr.decode())
        self.assertEqual(os.listdir(self.path("other")), [])

    @staticmethod
    def known(daemon):
        """Etcd may have come later than it."""
        daemon.wait_until(lambda: daemon.status()["ready"] == "1")
        return daemon

    def test_member_whose_folder_is_not_mounted_is_refused(self):
        first = self.known(self.start(0, *self.store))
        self.refused("listen=127.0.0.1:%d" % free_ports(1)[0])
        self.members(first, 1)

    def test_the_same_of_a_list_of_members(self):
        config, _ = self.pair()
        first = self.known(Daemon(self, config, *self.store))
        self.config = config
        self.refused()
        self.assertIsNone(first.process.poll())

    def test_etcd_that_comes_later_is_asked_then(self):
        """Until it has answered nobody writes; a wrong one ends the daemon that has begun."""
        first = self.known(self.start(0, *self.store))
        self.assertEqual(first.stop(), 0)
        self.stop_etcd(self.etcd)
        config = self.write("alone.yaml", hw_test.CONFIG.format(folder=self.folder).encode())
        daemon = Daemon(self, config, *self.store, "origin.path=" + self.path("other"),
                        name="late")
        self.assertEqual(os.listdir(self.path("other")), [])
        self.start_etcd()
        self.assertEqual(daemon.process.wait(60), 1)
        daemon.says("what is there has no identity")
        self.assertEqual(os.listdir(self.path("other")), [])


def load_tests(loader, _, pattern):
    """Not those of the base once more."""
    del pattern
    suite = unittest.TestSuite()
    for kind in (Origin, Store, Objects, Etcd):
        for name in loader.getTestCaseNames(kind):
            if name in vars(kind):
                suite.addTest(kind(name))
    return suite


if __name__ == "__main__":
    hw_test.main("hw_identity_test")
