#!/usr/bin/env python3
"""What forebay doctor finds at an origin and a metadata store, whom drive, origin and store say
that they belong to, what a client hears of a bucket that is not there, and what scripts read as
JSON.

usage: hw_doctor_test.py BUILD [unittest's arguments]    exit code 77: there is no io_uring here
"""

import json
import os
import re
import shutil
import unittest

import hw_parts_test
import hw_test
from hw_test import Case, Daemon, free_ports, page

MIB = 1 << 20
DIGITS = r"[0-9a-f]{32}"


class Looked(Case):
    def doctor(self, config, *assignments):
        """Lines by what they are about: grade and text; the exit code fits them."""
        arguments = [hw_test.program("forebay"), "doctor", "--json", "--config", config]
        for assignment in assignments:
            arguments += ["--set", assignment]
        ended = hw_test.run(*arguments)
        found, said = json.loads(ended.stdout), {}
        for line in found["lines"]:
            said.setdefault(line["what"], []).append((line["grade"], line["text"]))
        faults = sum(line["grade"] == "fault" for line in found["lines"])
        self.assertEqual((found["faults"], ended.returncode), (faults, int(faults > 0)))
        return said


class Buckets(Looked):
    def setUp(self):
        super().setUp()
        self.bucket, self.port = hw_parts_test.serve(self)
        self.config = self.write("parts.yaml", hw_parts_test.CONFIG.format(
            folder=self.folder, block="8 MiB", port=self.port).encode())
        self.sizes = ("core.memory_size=64 MiB",)

    def origin(self, refuse=lambda method, what, key: None):
        self.bucket.refuse = refuse
        return self.doctor(self.config, *self.sizes)["origin"][-1]

    def test_bucket_that_may_be_used_is_fine_and_left_as_it_was(self):
        grade, text = self.origin()
        self.assertEqual(grade, "fine")
        self.assertIn("may be listed, written, removed from", text)
        self.assertEqual((self.bucket.objects, self.bucket.uploads), ({}, {}))
        self.assertGreater(self.bucket.count("PUT"), 0)

    def test_right_that_is_missing_is_named(self):
        keys = []
        for right, refused in (
                ("ListBucket", lambda method, what, key: what == "list"),
                ("PutObject", lambda method, what, key: method == "PUT"),
                ("DeleteObject", lambda method, what, key: method == "DELETE")):
            grade, text = self.origin(
                lambda method, what, key, refused=refused:
                (403, "AccessDenied") if refused(method, what, key) else None)
            self.assertEqual(grade, "fault", text)
            self.assertIn("is denied", text)
            self.assertIn("(%s" % right, text)
            keys.append(sorted(self.bucket.objects))
        self.assertEqual(keys[:2], [[], []])
        self.assertIn(".forebay-doctor", keys[2])
        self.assertEqual(self.origin()[0], "fine")
        self.assertNotIn(".forebay-doctor", self.bucket.objects)

    def test_parts_that_are_too_small_are_said(self):
        said = self.doctor(self.config, *self.sizes, "core.block_size=1 MiB")["origin"]
        self.assertEqual([grade for grade, _ in said], ["fine", "warning", "fine"])
        self.assertIn("a block of 1.00 MiB: 1 requests", said[0][1])
        self.assertIn("set core.block_size to 8 MiB", said[1][1])

    def test_bucket_that_is_not_there_is_named_by_all(self):
        missing = lambda method, what, key: (404, "NoSuchBucket")
        grade, text = self.origin(missing)
        self.assertEqual(grade, "fault")
        self.assertIn("is there such a bucket?", text)
        daemon = Daemon(self, self.config, *self.sizes)
        daemon.wait_until(lambda: "refused" in daemon.status()["ready_reason"])
        for command in (("get", "a"), ("ls",), ("stat", "a"), ("put", self.config, "a")):
            ended = daemon.forebay(*command)
            self.assertEqual(ended.returncode, 1)
            self.assertRegex(ended.stderr.decode(), r"^forebay \w+: .*the daemon is not ready: "
                                                    r"origin: .*refused by bucket b: .*\n$")


class Identities(Looked):
    def setUp(self):
        super().setUp()
        port = free_ports(1)[0]
        self.sets = ("device.path=" + self.path("image"), "core.device_size=32 MiB",
                     "metadata.kind=lmdb", "metadata.path=" + self.path("records"))
        daemon = Daemon(self, self.config, *self.sets, "http=127.0.0.1:%d" % port)
        self.status = daemon.status()
        self.metrics = page(port, "/metrics")[1]
        self.running = self.doctor(self.config, *self.sets)["identity"]
        self.assertEqual(daemon.stop(), 0)

    def test_daemon_metrics_and_doctor_name_the_same(self):
        origin, store = self.status["origin_identity"], self.status["metadata_identity"]
        self.assertRegex(origin, "^%s$" % DIGITS)
        self.assertRegex(store, "^%s$" % DIGITS)
        self.assertIn('forebay_identity_info{origin="%s",metadata="%s"} 1\n' % (origin, store),
                      self.metrics)
        named = [("fine", "origin " + origin), ("fine", "metadata store " + store)]
        self.assertEqual(self.running, named)
        self.assertEqual(self.doctor(self.config, *self.sets)["identity"], named)

    def test_origin_that_is_not_mounted_is_a_fault(self):
        os.mkdir(self.path("other"))
        grade, text = self.doctor(self.config, *self.sets,
                                  "origin.path=" + self.path("other"))["identity"][0]
        self.assertEqual(grade, "fault")
        self.assertRegex(text, "^origin none known, but the metadata store is of origin %s: mount "
                         "or name the right one" % self.status["origin_identity"])
        self.assertEqual(os.listdir(self.path("other")), [])

    def test_drive_of_another_origin_that_owes_nothing_is_dropped(self):
        os.mkdir(self.path("other"))
        other = "origin.path=" + self.path("other")
        maker = Daemon(self, self.config, other, name="maker")
        self.assertEqual(maker.stop(), 0)
        shutil.rmtree(self.path("records"))
        grade, text = self.doctor(self.config, *self.sets, other)["identity"][0]
        self.assertEqual(grade, "warning")
        self.assertRegex(text, "what the drive caches is of origin %s: a start drops it" %
                         self.status["origin_identity"])


class Scripts(Case):
    """--json says what the text says."""

    def json(self, daemon, *words, code=0):
        ended = daemon.forebay(*words)
        self.assertEqual(ended.returncode, code, ended.stderr)
        return json.loads(ended.stdout)

    def test_stat_ls_explain_and_lost(self):
        self.object("folder/a \u00fc\"", MIB + 1)
        self.object(b"folder/b\xff\n", 3)
        daemon = Daemon(self, self.config)
        name = "folder/a \u00fc\""
        facts = self.json(daemon, "stat", "--json", name)
        lines = daemon.forebay("stat", name).stdout.decode().strip().split("\n")
        self.assertEqual({key: str(value) for key, value in facts.items()},
                         dict(line.split(" ", 1) for line in lines))
        entries = self.json(daemon, "ls", "--json", "folder")
        self.assertEqual([(one["name"], one["size_bytes"], one["is_folder"]) for one in entries],
                         [("a \u00fc\"", MIB + 1, False), ("b\\xff\\x0a", 3, False)])
        self.assertEqual(self.json(daemon, "ls", "--json")[0],
                         {"name": "folder", "size_bytes": 0, "is_folder": True})
        os.mkdir(self.path("origin/empty"))
        self.assertEqual(self.json(daemon, "ls", "--json", "empty"), [])
        self.assertEqual(daemon.forebay("ls", "--json", "none").stdout, b"")
        self.assertEqual(daemon.forebay("get", name, self.path("got")).returncode, 0)
        told = self.json(daemon, "explain", "--json", "--blocks", name)
        self.assertEqual((told["blocks"], told["in_memory"]), (facts["blocks"], facts["blocks"]))
        self.assertEqual([one["block"] for one in told["list"]], list(range(facts["blocks"])))
        self.assertEqual(sum(one["blocks"] for one in told["last_reads"]), facts["blocks"])
        self.assertNotIn("list", self.json(daemon, "explain", "--json", name))
        key = self.json(daemon, "explain", "--json", "--key", "1:2")
        self.assertEqual((key["is_in_memory"], key["last_read"]), (False, None))
        self.assertEqual(self.json(daemon, "lost", "--json"), [])

    def test_doctor_without_a_config(self):
        ended = hw_test.run(hw_test.program("forebay"), "doctor", "--json")
        text = hw_test.run(hw_test.program("forebay"), "doctor").stdout.decode()
        lines = json.loads(ended.stdout)["lines"]
        self.assertEqual([line["what"] for line in lines],
                         [line[9:25].strip() for line in text.strip().split("\n")])
        self.assertTrue(all(re.match("fine|warning|fault", line["grade"]) for line in lines))


if __name__ == "__main__":
    hw_test.main("hw_doctor_test")
