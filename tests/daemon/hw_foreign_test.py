#!/usr/bin/env python3
"""What another hand than a daemon's has written into etcd: records of files that no store could
hold, or that nobody understands, and entries of folders. No daemon waits for it, each is left out
or counted, and goes when it is removed. And what another hand has cut: LMDB's file.

usage: hw_foreign_test.py BUILD [unittest's arguments]     exit code 77: there is no io_uring here
"""

import base64
import json
import os
import random
import shutil
import signal
import time
import unittest
import urllib.request

import hw_parts_test
import hw_test
from hw_name_test import EtcdServer
from hw_test import CONFIG, Case, Daemon

BLOCK, CACHED, REPLICATED, NOBODY = 256 << 10, 1, 2, 7


def encoded(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


class Cut(Case):
    """LMDB's file, which is mapped, is cut: the daemon ends, and says by name why."""
    SAID = "event=mapped_file_cut file=\"%s\""

    def start(self, name="daemon"):
        self.records = self.path("records") + "/data.mdb"
        return Daemon(self, self.config, "metadata.kind=lmdb",
                      "metadata.path=" + self.path("records"), name=name)

    def put(self, daemon, count):
        for i in range(count):
            ended = daemon.forebay("put", "--level", "origin", self.config, "dir/%d" % i)
            self.assertEqual(ended.returncode, 0, ended.stderr)

    def test_file_that_was_cut_while_it_was_down_is_refused_by_name(self):
        daemon = self.start()
        self.put(daemon, 40)
        self.assertEqual(daemon.stop(), 0)
        for kept in (8192, 8192 + 4096):
            shutil.copy(self.records, self.path("whole"))
            os.truncate(self.records, kept)
            ended = hw_test.run(hw_test.program("forebayd"), "--config", self.config, "--set",
                                "metadata.kind=lmdb", "--set",
                                "metadata.path=" + self.path("records"), timeout_s=20)
            self.assertNotEqual(ended.returncode, 0)
            self.assertIn(self.SAID % self.records, ended.stderr.decode())
            shutil.copy(self.path("whole"), self.records)
        again = self.start(name="again")
        self.assertEqual(again.forebay("stat", "dir/7").returncode, 0)
        self.assertEqual(again.stop(), 0)

    def test_file_that_is_cut_while_it_runs_is_named_at_the_end(self):
        daemon = self.start()
        self.put(daemon, 40)
        os.truncate(self.records, 8192)
        daemon.forebay("stat", "dir/7")
        self.assertEqual(daemon.process.wait(20), -signal.SIGBUS)
        self.assertEqual(daemon.log().count(self.SAID % self.records), 1)
        daemon.says("remedy=")


@unittest.skipIf(shutil.which("etcd") is None, "no etcd here")
class Foreign(Case):
    def setUp(self):
        super().setUp()
        self.etcd = EtcdServer(self)
        self.keys = {}  # of names' records

    def start(self, *assignments, config=None):
        daemon = Daemon(self, config or self.config, "metadata.kind=etcd",
                        "metadata.endpoint=" + self.etcd.url, "core.write_quorum=1",
                        "stop_patience=1 s", *assignments)
        return daemon

    def etcd_post(self, path, **body):
        request = urllib.request.Request(self.etcd.url + path, data=json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def record_of(self, name):
        """The key of its name's record, below /forebay/test/names/, and its value."""
        first, end = "/forebay/test/names/", "/forebay/test/names0"
        for one in self.etcd_post("/v3/kv/range", key=encoded(first),
                                  range_end=encoded(end)).get("kvs", []):
            value = base64.b64decode(one["value"])
            if value.endswith(b" " + name.encode()):
                return base64.b64decode(one["key"]).decode()[len(first):], value
        return None

    def put_value(self, name, value, is_pending=False):
        found = self.record_of(name)
        key = self.keys[name] = found[0] if found is not None else self.keys[name]
        for folder in ("names", "pending")[:1 + is_pending]:
            self.etcd_post("/v3/kv/put", key=encoded("/forebay/test/%s/%s" % (folder, key)),
                           value=encoded(value))

    def put(self, daemon, name, content=b"content", *options):
        ended = daemon.forebay("put", *options, self.write("source", content), name)
        self.assertEqual(ended.returncode, 0, ended.stderr)

    def put_sizes(self, daemon, sizes):
        """Names of records that say so much, to be finished by whoever finds them."""
        names = ["huge%d" % i for i in range(len(sizes))]
        for name, size in zip(names, sizes):
            self.put(daemon, name, b"content", "--level", "origin")
            daemon.wait_until(lambda n=name: self.record_of(n)[1][17:18] == b"0")
            low = CACHED << 60 | REPLICATED << 56 | BLOCK // 1024 << 32 | NOBODY
            self.put_value(name, b"%016x %016x %016x %s" % (
                time.time_ns() - 1, low, size, name.encode()), is_pending=True)
        return names

    def remove_all(self, daemon, names):
        for name in names:
            begun = time.monotonic()
            ended = daemon.forebay("rm", name)
            self.assertEqual(ended.returncode, 0, ended.stderr)
            self.assertLess(time.monotonic() - begun, 10)
            self.assertEqual(daemon.forebay("stat", name).returncode, 1)
        daemon.wait_until(lambda: daemon.status()["unfinished_names"] == "0")
        self.assertEqual(daemon.forebay("ls").stdout, b"good\n")

    def test_sizes_that_no_file_has_hold_up_nobody(self):
        """More blocks than a file may have, and as many as it may, none of which is there."""
        daemon = self.start()
        content = random.Random(1).randbytes(600000)
        self.put(daemon, "good", content)
        names = self.put_sizes(daemon, [1 << 62] * 6 + [BLOCK << 26] * 6)
        daemon.wait_until(lambda: daemon.forebay("lost").stdout.count(b"huge") >= 6)
        begun = time.monotonic()
        self.put(daemon, "more", content, "--level", "origin")
        self.assertEqual(daemon.forebay("get", "more").stdout, content)
        self.assertEqual(daemon.forebay("rm", "more").returncode, 0)
        self.assertLess(time.monotonic() - begun, 10)
        self.remove_all(daemon, names)
        self.assertEqual(daemon.stop(), 0)

    def test_blocks_of_a_bucket_that_are_not_there_are_not_removed_one_by_one(self):
        bucket, port = hw_parts_test.serve(self)
        daemon = self.start(config=self.write("s3.yaml", hw_parts_test.CONFIG.format(
            folder=self.folder, block="256 KiB", port=port).encode()))
        self.put(daemon, "good")
        names = self.put_sizes(daemon, [1 << 62, 1 << 39])
        daemon.wait_until(lambda: b"huge0" in daemon.forebay("lost").stdout)
        self.remove_all(daemon, names)
        self.assertLess(bucket.count("DELETE"), 1000)
        self.assertEqual(daemon.stop(), 0)

    def bucket_mount(self):
        """A daemon over a bucket, and its mount with a link in a folder."""
        _, port = hw_parts_test.serve(self)
        daemon = self.start(config=self.write("s3.yaml", hw_parts_test.CONFIG.format(
            folder=self.folder, block="256 KiB", port=port).encode()))
        mount = daemon.mount(self)
        os.mkdir(mount + "/dir")
        os.symlink("target", mount + "/dir/link")
        return daemon, mount

    def entries(self):
        first = "/forebay/test/entries/"
        found = self.etcd_post("/v3/kv/range", key=encoded(first),
                               range_end=encoded(first[:-1] + "0"))
        return [base64.b64decode(one["key"]).decode() for one in found["kvs"]]

    def test_entries_that_no_daemon_made_hide_no_other(self):
        """Each kind by itself, then more than a page of them before one that is fine."""
        daemon, mount = self.bucket_mount()
        folder = [key for key in self.entries() if key.endswith("/link")][0][:-len("link")]
        bad = [(name, b"120000") for name in (
            b"a/b", b"..", b".", b".stats", b".forebay-parts", b".forebay-parts.x", b"w" * 256,
            b"zero\0", b"")]
        bad += [(b"aaa%04d" % i, b"zzz") for i in range(700)]
        bad += [(b"a-file", b"100000"), (b"a-mode", b"120777"), (b"a-number", b"120000 1")]
        for name, value in bad[:9] + bad[-3:]:
            self.etcd_post("/v3/kv/put", key=encoded(folder.encode() + name), value=encoded(value))
            self.assertEqual(os.listdir(mount + "/dir"), ["link"], name)
        for name, value in bad:
            self.etcd_post("/v3/kv/put", key=encoded(folder.encode() + name), value=encoded(value))
        self.assertEqual(os.listdir(mount + "/dir"), ["link"])
        self.assertEqual(daemon.log().count("event=metadata_entry_bad"), 1)
        daemon.says("entries")

    def test_record_that_nobody_understands_is_removed(self):
        """By the command and through the mount, of a file and of a link; and it is written over."""
        daemon, mount = self.bucket_mount()
        self.put(daemon, "file")
        for value in (b"", b"x", b"0" * 51, (b"f" * 16 + b" ") * 3 + b"n"):
            for name, make in (("file", lambda: self.put(daemon, "file")),
                               ("dir/link", lambda: os.symlink("target", mount + "/dir/link"))):
                for remove in (lambda: daemon.forebay("rm", name).returncode,
                               lambda: hw_test.run("rm", "-f", mount + "/" + name).returncode):
                    self.put_value(name, value)
                    with self.assertRaisesRegex(OSError, "Bad message"):
                        with open(mount + "/" + name, "rb"):
                            pass
                    self.assertEqual(remove(), 0, (name, value))
                    self.assertFalse(os.path.lexists(mount + "/" + name))
                    self.assertEqual(os.listdir(mount + "/dir"), ["link"] * (name == "file"))
                    make()
        self.assertEqual(os.readlink(mount + "/dir/link"), "target")
        self.put_value("file", b"x")
        self.put(daemon, "file", b"anew")
        self.assertEqual(daemon.forebay("get", "file").stdout, b"anew")


if __name__ == "__main__":
    hw_test.main("hw_foreign_test")
