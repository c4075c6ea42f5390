#!/usr/bin/env python3
"""What was written of a version that nobody can commit any more goes: from memory, from drives,
from the other nodes and from the origin (R21 of core/io.h), and it does not hold up a stop.
Writers that go without a commit, that lose against another, or whose name is removed before the
origin has it.

usage: hw_abandon_test.py BUILD [unittest's arguments]    exit code 77: there is no io_uring here
"""

import os
import subprocess
import time

import hw_parts_test
import hw_test
import stranger
from hw_test import Case, Daemon

BLOCK = 256 << 10
MEMORY, REPLICATED = 0, 1


def write_blocks(case, daemon, name, count, level=MEMORY):
    """A client that has written and not committed."""
    client = stranger.Client(daemon.socket)
    created = client.call(stranger.CREATE, name=name)
    case.assertEqual(created["status"], stranger.OK)
    client.put_arena(os.urandom(BLOCK))
    for index in range(count):
        answer = client.asked(stranger.WRITE, object=created["object"], index=index,
                              size=BLOCK, level=level)
        case.assertEqual(answer["status"], stranger.OK)
    return client, created["object"]


class Leftovers(Case):
    def store(self):
        return ("metadata.kind=lmdb", "metadata.path=" + self.path("records"))

    def start(self, *assignments, config=None):
        return Daemon(self, config or self.config, *assignments)

    def parts(self):
        folder = self.path("origin/.forebay-parts")
        return [os.path.join(path, name) for path, _, names in os.walk(folder) for name in names
                if name not in hw_test.PARTS_OWN]

    def blocks(self):
        return [path for path in self.parts() if os.path.basename(path).isdigit()]

    def is_clean(self, daemon):
        return daemon.status()["undrained_bytes"] == "0" and not self.parts()

    def stays_clean(self, daemon):
        """A store that was under way may have come after the blocks were removed."""
        daemon.wait_until(lambda: self.is_clean(daemon))
        time.sleep(0.5)
        daemon.wait_until(lambda: self.is_clean(daemon), 10)

    def test_client_that_goes(self):
        for assignments in ((), self.store()):
            with self.subTest(assignments):
                daemon = self.start(*assignments)
                client, _ = write_blocks(self, daemon, b"half", 8)
                client.close()
                self.stays_clean(daemon)
                self.assertEqual(daemon.forebay("get", "half").returncode, 1)
                self.assertEqual(daemon.stop(), 0)

    def test_client_that_loses(self):
        daemon = self.start(*self.store())
        first, one = write_blocks(self, daemon, b"name", 4)
        second, two = write_blocks(self, daemon, b"name", 4)
        self.assertEqual(second.call(stranger.COMMIT, object=two, index=4 * BLOCK)["status"],
                         stranger.OK)
        self.assertEqual(first.call(stranger.COMMIT, object=one, index=4 * BLOCK)["status"],
                         stranger.CONFLICT)
        first.close()
        self.stays_clean(daemon)
        self.assertEqual(len(daemon.forebay("get", "name").stdout), 4 * BLOCK)
        second.close()

    def test_full_origin_does_not_hold_up_a_stop(self):
        """What did not fit, and nobody waits for, is owed no longer; what was committed is."""
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none",
                                  self.path("origin")], capture_output=True, check=False)
        if mounted.returncode != 0:
            self.skipTest("mount: " + mounted.stderr.decode().strip())
        self.addCleanup(subprocess.run, ["umount", "-l", self.path("origin")], check=True)
        daemon = self.start(*self.store())
        content = os.urandom(BLOCK)
        self.assertEqual(daemon.forebay("put", self.write("small", content), "small").returncode,
                         0)
        client, _ = write_blocks(self, daemon, b"large", 16)
        daemon.wait_until(lambda: int(daemon.status()["drain_errors"]) > 0)
        client.close()
        self.stays_clean(daemon)
        begin = time.monotonic()
        self.assertEqual(daemon.stop(), 0)
        self.assertLess(time.monotonic() - begin, 10)
        self.assertEqual(os.path.getsize(self.path("origin/small")), BLOCK)

    def test_other_nodes_let_go(self):
        config, _ = self.pair()
        refuses = "core.drain_delay=10 min"  # whoever holds it would hold it for long
        one = Daemon(self, config, "node=0", "core.replicas=2", "client.socket=" + self.path("0"),
                     refuses, name="one")
        two = Daemon(self, config, "node=1", "core.replicas=2", "client.socket=" + self.path("1"),
                     refuses, name="two")
        client, _ = write_blocks(self, one, b"half", 8, REPLICATED)
        self.assertNotEqual(two.status()["undrained_bytes"], "0")
        client.close()
        self.stays_clean(one)
        self.stays_clean(two)

    def test_committed_version_stays_when_its_writer_goes(self):
        daemon = self.start(*self.store(), "core.drain_delay=6 s")
        client, handle = write_blocks(self, daemon, b"whole", 4)
        self.assertEqual(client.call(stranger.COMMIT, object=handle, index=4 * BLOCK)["status"],
                         stranger.OK)
        client.close()
        time.sleep(3)  # longer than the first rounds
        self.assertEqual(int(daemon.status()["undrained_bytes"]), 4 * BLOCK)
        self.assertEqual(len(daemon.forebay("get", "whole").stdout), 4 * BLOCK)

    def test_removed_before_the_origin_has_it(self):
        daemon = self.start(*self.store(), "core.drain_delay=10 min")
        client, handle = write_blocks(self, daemon, b"gone", 4)
        self.assertEqual(client.call(stranger.COMMIT, object=handle, index=4 * BLOCK)["status"],
                         stranger.OK)
        client.close()
        self.assertEqual(daemon.forebay("rm", "gone").returncode, 0)
        self.stays_clean(daemon)
        self.assertEqual(daemon.stop(), 0)


    def test_writer_whose_daemon_dies(self):
        """Nobody tells anybody: its blocks are found by their age, and those of others stay."""
        daemon = self.start(*self.store())
        dying, _ = write_blocks(self, daemon, b"half", 4)
        daemon.wait_until(lambda: len(self.blocks()) == 4)
        daemon.kill()
        dying.close()
        patient = self.start(*self.store())
        time.sleep(2)
        self.assertEqual(len(self.blocks()), 4)
        self.assertEqual(patient.stop(), 0)
        hasty = self.start(*self.store(), "origin.orphan_age=1 s")
        client, _ = write_blocks(self, hasty, b"being written", 2)
        hasty.wait_until(lambda: len(self.blocks()) == 2)
        time.sleep(3)
        self.assertEqual(len(self.blocks()), 2)
        hasty.says('event=orphan_found object="half"')
        self.assertNotIn('event=orphan_found object="being', hasty.log())
        client.close()
        self.stays_clean(hasty)


    def test_more_orphans_than_one_look_takes(self):
        """32 are taken in one look, and those left found in later ones; so are those that two by
        two want one of the 256 places of what is watched."""
        handles = [stranger.block_key(b"orphan%d" % i, 1, 0)[1] for i in range(36)]
        self.assertLess(len({handle // 2 % 256 for handle in handles}), 36)
        for i, handle in enumerate(handles):
            name = b"orphan%d" % i
            folder = self.path("origin/.forebay-parts/%016x" % handle)
            os.makedirs(folder)
            for file, content in ((".name", b"1\n" + name), ("0", b"block")):
                with open(os.path.join(folder, file), "wb") as part:
                    part.write(content)
            os.utime(folder, (1, 1))
        daemon = self.start(*self.store(), "origin.orphan_age=1 s")
        daemon.wait_until(lambda: not self.blocks(), 60)


class Objects(Case):
    """The same at an S3 server, whose blocks are objects."""

    def test_client_that_goes(self):
        bucket, port = hw_parts_test.serve(self)
        config = self.write("parts.yaml", hw_parts_test.CONFIG.format(
            folder=self.folder, block="256 KiB", port=port).encode())
        daemon = Daemon(self, config)

        def blocks():
            return [key for key in list(bucket.objects) if ".forebay-parts/" in key]

        client, _ = write_blocks(self, daemon, b"half", 8)
        daemon.wait_until(lambda: len(blocks()) == 8)
        client.close()
        daemon.wait_until(lambda: not blocks())
        self.assertEqual(daemon.status()["undrained_bytes"], "0")


if __name__ == "__main__":
    hw_test.main(__name__)
