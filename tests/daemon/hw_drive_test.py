#!/usr/bin/env python3
"""Drives that fail and drives that are full, under a real daemon.

The faults are the kernel's: a small ext4 on a loop device that is shut down (EXT4_IOC_SHUTDOWN)
answers EIO to every read and write of files that are open; a loop device whose file stands on a
full tmpfs answers ENOSPC, as a thinly provisioned drive does. Nothing in the daemon is told of the
test, so that the path from the completion's errno on is the real one.

usage: hw_drive_test.py BUILD [unittest's arguments]
exit code 77: no io_uring here, or no root, loop devices or mkfs.ext4
"""

import fcntl
import os
import shutil
import struct

import hw_test
from hw_test import Case, Daemon

MIB = 1 << 20


class Drives(Case):
    def command(self, *arguments):
        ended = hw_test.run(*arguments)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout.decode().strip()

    def file_system(self, name, size):
        """An ext4 of its own, mounted at that name."""
        image, folder = self.path(name + ".image"), self.path(name)
        with open(image, "wb") as file:
            file.truncate(size)
        self.command("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", image)
        os.mkdir(folder)
        self.command("mount", "-o", "loop", image, folder)
        self.addCleanup(hw_test.run, "umount", "-l", folder)
        return folder

    @staticmethod
    def shut_down(folder):
        """From now on the file system answers EIO to everything."""
        shutdown_call, without_flush = 0x8004587d, 2
        file = os.open(folder, os.O_RDONLY)
        fcntl.ioctl(file, shutdown_call, struct.pack("I", without_flush))
        os.close(file)

    @staticmethod
    def fill(folder, left):
        """Leaves `left` bytes of room."""
        room = os.statvfs(folder)
        with open(os.path.join(folder, "others"), "wb") as file:
            os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - left)

    def start(self, device, *assignments, name="daemon", size="16 MiB"):
        return Daemon(self, self.config, "device.path=" + device, "core.device_size=" + size,
                      *assignments, name=name)

    def refused(self, device, size):
        """What it says instead of starting."""
        ended = hw_test.run(hw_test.program("forebayd"), "--config", self.config, "--set",
                            "device.path=" + device, "--set", "core.device_size=" + size)
        lines = [line for line in ended.stderr.decode().split("\n") if "forebayd:" in line]
        self.assertEqual((ended.returncode, len(lines)), (1, 1), ended.stderr)
        return lines[0]

    def put(self, daemon, content, name, level):
        source = self.write("source", content)
        return daemon.forebay("put", "--level", level, source, name)

    def undrained(self):
        """A level holds by itself, not since the origin has the bytes already."""
        return ("metadata.kind=lmdb", "metadata.path=" + self.path("records"),
                "core.drain_delay=600 s", "core.retries_max=3", "core.hold=100 ms")

    def device_is_out_of_reach(self, daemon):
        """A put at that level is refused, in one line; those that need no drive are fine."""
        ended = self.put(daemon, b"2" * 300000, "lost", "device")
        self.assertEqual(ended.returncode, 1)
        lines = ended.stderr.decode().strip().split("\n")
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("timed out", lines[0])
        self.assertEqual(daemon.forebay("stat", "lost").returncode, 1)
        for level in ("memory", "replicated"):
            ended = self.put(daemon, level.encode() * 50000, level, level)
            self.assertEqual(ended.returncode, 0, ended.stderr)
            self.assertEqual(daemon.forebay("get", level).stdout, level.encode() * 50000)


class Errors(Drives):
    """The drive dies under a running daemon."""

    def test_reads_go_on_from_the_origin(self):
        folder = self.file_system("drive", 48 * MIB)
        content = self.object("data", 12 * MIB)  # thrice the memory
        daemon = self.start(folder + "/cache")
        for _ in range(3):
            self.assertTrue(daemon.forebay("get", "data").stdout == content)
        before = daemon.status()
        self.assertGreater(int(before["replies_device"]), 0)
        self.assertEqual(int(before["device_errors"]), 0)
        self.shut_down(folder)
        for _ in range(3):
            ended = daemon.forebay("get", "data")
            self.assertTrue(ended.stdout == content, ended.stderr)
        after = daemon.status()
        self.assertGreater(int(after["device_errors"]), 0)
        self.assertEqual(after["digest_errors"], "0")
        self.assertGreater(int(after["origin_fetches"]), int(before["origin_fetches"]))
        daemon.says("event=device_error")
        daemon.says("Input/output error")
        self.assertEqual(daemon.stop(), 0, daemon.log())

    def test_level_device_is_not_acknowledged_and_others_are(self):
        folder = self.file_system("drive", 48 * MIB)
        daemon = self.start(folder + "/cache", *self.undrained())
        self.assertEqual(self.put(daemon, b"1" * 300000, "before", "device").returncode, 0)
        self.shut_down(folder)
        self.assertEqual(daemon.status()["device_state"], "fine")
        self.device_is_out_of_reach(daemon)
        status = daemon.status()
        self.assertEqual(status["device_state"], "Input/output error")
        self.assertEqual((status["ready"], status["ready_reason"]), (
            "1", "ready, but for level device: device.path: Input/output error"))
        daemon.says("event=device_failing")
        daemon.kill()  # it would rightly say what it leaves behind

    def test_dead_drive_is_named_at_the_start(self):
        folder = self.file_system("drive", 48 * MIB)
        self.assertEqual(self.start(folder + "/cache").stop(), 0)
        self.shut_down(folder)
        line = self.refused(folder + "/cache", "16 MiB")
        self.assertIn("device.path " + folder + "/cache", line)
        self.assertIn("Input/output error", line)


class Room(Drives):
    def block_device(self, size):
        with open(self.path("disk"), "wb") as file:
            file.truncate(size)
        device = self.command("losetup", "-f", "--show", self.path("disk"))
        self.addCleanup(hw_test.run, "losetup", "-d", device)
        return device

    def test_device_of_a_mounted_file_system_is_refused(self):
        device, folder = self.block_device(48 * MIB), self.path("mounted")
        self.command("mkfs.ext4", "-q", device)
        self.assertIn("holds something", self.refused(device, "16 MiB"))
        os.mkdir(folder)
        self.command("mount", device, folder)
        self.addCleanup(hw_test.run, "umount", "-l", folder)
        self.assertIn("it is mounted", self.refused(device, "16 MiB"))
        self.command("umount", folder)
        self.command("e2fsck", "-f", "-n", device)  # nothing was written there

    def test_device_is_used_from_one_start_to_the_next(self):
        device = self.block_device(48 * MIB)
        self.assertIn("lower core.device_size", self.refused(device, "64 MiB"))
        daemon = self.start(device, *self.undrained())
        self.assertEqual(self.put(daemon, b"3" * 300000, "kept", "device").returncode, 0)
        daemon.kill()
        self.assertIn("300000 bytes are owed", self.refused(device, "8 MiB"))
        daemon = self.start(device, *self.undrained()[:2], name="second")
        daemon.wait_until(lambda: os.path.exists(self.path("origin/kept")))

    def test_half_full_drive_is_refused_until_the_tier_fits(self):
        folder = self.file_system("drive", 64 * MIB)
        self.fill(folder, 24 * MIB)
        line = self.refused(folder + "/cache", "32 MiB")
        self.assertIn("lower core.device_size", line)
        self.assertGreater(os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize, 23 * MIB)
        content = self.object("data", 40 * MIB)
        daemon = self.start(folder + "/cache")
        self.fill_rest(folder)
        for _ in range(2):  # the tier is filled and goes round
            self.assertTrue(daemon.forebay("get", "data").stdout == content)
        status = daemon.status()
        self.assertEqual(status["device_errors"], "0")
        self.assertGreater(int(status["device_evictions"]), 0)

    def fill_rest(self, folder):
        """Others take what the daemon has left."""
        with open(os.path.join(folder, "more"), "wb") as file:
            with self.assertRaises(OSError):
                while True:
                    file.write(bytes(MIB))
                    file.flush()

    def thin_device(self, room, size):
        """A block device of more bytes than there is room for behind it."""
        folder = self.path("pool")
        os.mkdir(folder)
        self.command("mount", "-t", "tmpfs", "-o", "size=%d" % room, "none", folder)
        self.addCleanup(hw_test.run, "umount", "-l", folder)
        with open(folder + "/image", "wb") as file:
            file.truncate(size)
        device = self.command("losetup", "--direct-io=off", "-f", "--show", folder + "/image")
        self.addCleanup(hw_test.run, "losetup", "-d", device)
        return device

    def test_full_thin_drive_costs_speed_only(self):
        """The loop driver calls a write fine that was cut short by want of room: such a block's
        digest tells, so that there may be digest errors, and never wrong bytes."""
        device = self.thin_device(12 * MIB, 48 * MIB)
        content = self.object("data", 24 * MIB)
        daemon = self.start(device, *self.undrained(), size="32 MiB")
        for _ in range(2):
            ended = daemon.forebay("get", "data")
            self.assertTrue(ended.stdout == content, ended.stderr)
        status = daemon.status()
        self.assertGreater(int(status["device_errors"]), 0)
        daemon.says("No space left on device")
        self.device_is_out_of_reach(daemon)
        daemon.kill()  # it would rightly say what it leaves behind

    def test_full_origin_keeps_what_was_acknowledged_until_there_is_room(self):
        origin = self.file_system("folder", 16 * MIB)
        os.mkdir(origin + "/files")
        daemon = Daemon(self, self.config, "origin.path=" + origin + "/files",
                        "metadata.kind=lmdb", "metadata.path=" + self.path("records"))
        self.fill(origin, 0)
        content = os.urandom(700000)
        self.assertEqual(self.put(daemon, content, "kept", "memory").returncode, 0)
        daemon.wait_until(lambda: int(daemon.status()["drain_errors"]) > 0)
        self.assertEqual(daemon.forebay("get", "kept").stdout, content)
        daemon.says("event=origin_error status=full")
        os.remove(origin + "/others")
        daemon.wait_until(lambda: os.path.exists(origin + "/files/kept"))
        with open(origin + "/files/kept", "rb") as file:
            self.assertEqual(file.read(), content)
        daemon.wait_until(lambda: daemon.status()["unfinished_names"] == "0")


def what_is_missing():
    if os.geteuid() != 0:
        return "only root may mount"
    for program in ("mkfs.ext4", "losetup", "mount"):
        if shutil.which(program) is None:
            return "no %s here" % program
    if hw_test.run("losetup", "-f").returncode != 0:
        return "no loop devices here"
    return None


if __name__ == "__main__":
    hw_test.main("hw_drive_test", what_is_missing=what_is_missing)
