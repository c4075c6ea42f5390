#!/usr/bin/env python3
"""Whose close commits, of those who have a file open: who wrote through that open file, for each of
several that opened it. And what a mount that is told to end does with files that are open.

usage: hw_mount_close_test.py BUILD [unittest's arguments]    exit code 77: no io_uring or no FUSE
"""

import mmap
import os
import signal
import subprocess
import sys
import threading

import hw_parts_test
import hw_test
from hw_test import Case, Daemon, program

# A process that opens a file itself: each line that it hears is a statement, answered with "done".
OTHER = """
import mmap, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_APPEND)
print("open", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, content, mode="wb"):
    with open(path, mode) as file:
        file.write(content)


class Other:
    def __init__(self, case, path):
        self.process = subprocess.Popen([sys.executable, "-c", OTHER, path], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        case.addCleanup(self.process.wait)
        case.addCleanup(self.process.kill)
        case.addCleanup(self.process.stdin.close)
        case.addCleanup(self.process.stdout.close)
        self.process.stdout.readline()

    def does(self, statement):
        self.process.stdin.write(statement + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


def child(does):
    """Forks; returns the child's exit code."""
    process = os.fork()
    if process == 0:
        try:
            does()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


class Closes:
    """first, last: folders of two mounts."""

    def seen(self, name="log"):
        return read(os.path.join(self.last, name))

    def test_each_of_two_who_opened_a_file_commits_what_it_wrote(self):
        path = os.path.join(self.first, "log")
        write(path, b"")
        other = Other(self, path)
        other.does("os.write(file, b'B')")
        for i in range(3):
            file = os.open(path, os.O_WRONLY | os.O_APPEND)
            os.write(file, b"A%d" % i)
            other.does("os.write(file, b'B')")  # it wrote last, and has it open
            os.close(file)
            self.assertEqual(self.seen(), b"B" + b"".join(b"A%dB" % n for n in range(i + 1)))
        subprocess.run(["sh", "-c", "for i in 1 2; do echo $i >> log; done"], cwd=self.first,
                       check=True)
        self.assertTrue(self.seen().endswith(b"1\n2\n"))
        other.does("os.write(file, b'end'); os.close(file)")
        self.assertTrue(self.seen().endswith(b"2\nend"))

    def test_a_size_and_a_mapping_are_committed_by_their_close(self):
        path = os.path.join(self.first, "log")
        write(path, bytes(5000))
        other = Other(self, path)
        file = os.open(path, os.O_RDWR)
        os.ftruncate(file, 4096)
        other.does("os.write(file, b'B')")
        os.close(file)
        self.assertEqual(self.seen(), bytes(4096) + b"B")
        with open(path, "r+b", 0) as file:
            with mmap.mmap(file.fileno(), 4096) as mapped:
                mapped[:3] = b"map"
            other.does("os.write(file, b'B')")
        self.assertEqual(self.seen()[:4], b"map\0")

    def test_processes_that_share_an_open_file_commit_what_each_wrote(self):
        for name, first, last in (("one", b"parent", b"child"), ("two", b"", b"child")):
            path = os.path.join(self.first, name)
            file = os.open(path, os.O_WRONLY | os.O_CREAT)
            os.write(file, first)
            self.assertEqual(child(lambda file=file, last=last: os.write(file, last)), 0)
            self.assertEqual(self.seen(name), first + last)  # it ended, the parent has it open
            os.write(file, b"parent")
            os.close(file)
            self.assertEqual(self.seen(name), first + last + b"parent")

    def test_parent_commits_though_its_child_wrote_last_and_has_it_open(self):
        path = os.path.join(self.first, "log")
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.write(file, b"parent")
        wrote, ends = os.pipe(), os.pipe()
        process = os.fork()
        if process == 0:
            os.write(file, b"child")
            os.write(wrote[1], b".")
            os.close(ends[1])
            os.read(ends[0], 1)
            os._exit(0)
        os.read(wrote[0], 1)
        os.close(file)
        self.assertEqual(self.seen(), b"parentchild")
        for end in wrote + ends:
            os.close(end)
        os.waitpid(process, 0)

    def test_a_thread_writes_and_a_copy_is_closed(self):
        path = os.path.join(self.first, "log")
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        thread = threading.Thread(target=os.write, args=(file, b"by a thread"))
        thread.start()
        thread.join()
        copy = os.dup(file)
        os.close(copy)
        self.assertEqual(self.seen(), b"by a thread")
        copy = os.dup(file)
        os.write(copy, b", and a copy")
        os.close(file)
        self.assertEqual(self.seen(), b"by a thread, and a copy")
        os.close(copy)

    def test_more_processes_than_are_remembered_write(self):
        """Then each close commits."""
        file = os.open(os.path.join(self.first, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        go, done = os.pipe(), os.pipe()
        processes = []
        for _ in range(12):
            processes.append(os.fork())
            if processes[-1] == 0:
                os.write(file, b"x")
                os.write(done[1], b".")
                os.close(go[1])
                os.read(go[0], 1)  # nobody has closed it yet
                os._exit(0)
            os.read(done[0], 1)
        os.close(file)  # this one wrote nothing
        self.assertEqual(self.seen(), b"x" * 12)
        for end in go + done:
            os.close(end)
        for process in processes:
            os.waitpid(process, 0)


class OverFolder(Closes, Case):
    def setUp(self):
        super().setUp()
        daemon = Daemon(self, self.config)
        self.first, self.last = (daemon.mount(self, name=name) for name in ("first", "last"))


class OverObjects(Closes, Case):
    def setUp(self):
        super().setUp()
        self.bucket, port = hw_parts_test.serve(self)
        text = hw_parts_test.CONFIG.format(folder=self.folder, block="1 MiB", port=port)
        daemon = Daemon(self, self.write("objects.yaml", text.encode()))
        self.first, self.last = (daemon.mount(self, "--level", "origin", name=name)
                                 for name in ("first", "last"))

    def test_shell_makes_a_file_in_one_version(self):
        """It copies the descriptor, and closes the first before anything is written."""
        for name, line, content in (("one", "echo x > one", b"x\n"), ("none", ": > none", b""),
                                    ("two", "{ echo a; echo b; } > two", b"a\nb\n")):
            with self.subTest(line):
                subprocess.run(["bash", "-c", line], cwd=self.first, check=True)
                self.assertEqual(self.seen(name), content)
                puts = [one for one in self.bucket.seen if one[0] == "PUT" and one[2] == name]
                self.assertEqual(len(puts), 1, puts)


class Ending(Case):
    """A mount that is told to end."""

    def begin(self, daemon, *options):
        folder = self.path("ending")
        os.mkdir(folder)
        mount = subprocess.Popen([program("forebay"), "mount", "--socket", daemon.socket,
                                  "--foreground", *options, folder], stderr=subprocess.PIPE)
        self.addCleanup(mount.stderr.close)
        self.addCleanup(mount.wait)
        self.addCleanup(mount.kill)
        self.addCleanup(subprocess.run, ["umount", "-l", folder], stderr=subprocess.DEVNULL,
                        check=False)
        daemon.wait_until(lambda: os.path.ismount(folder))
        return mount, folder

    def opened(self, folder, count):
        for i in range(count):
            file = os.open(os.path.join(folder, "dirty%d" % i), os.O_WRONLY | os.O_CREAT)
            self.addCleanup(lambda file=file: self.assertRaises(OSError, os.close, file))
            os.write(file, b"written %d" % i)

    def test_open_files_are_committed(self):
        daemon = Daemon(self, self.config)
        for number in (signal.SIGTERM, signal.SIGINT):
            mount, folder = self.begin(daemon)
            self.opened(folder, 40)
            mount.send_signal(number)
            self.assertEqual((mount.wait(60), mount.stderr.read()), (0, b""))
            self.assertFalse(os.path.ismount(folder))
            for i in range(40):
                self.assertEqual(read(self.path("origin/dirty%d" % i)), b"written %d" % i)
            os.rmdir(folder)

    def test_what_cannot_be_committed_is_said(self):
        daemon = Daemon(self, self.config)
        mount, folder = self.begin(daemon)
        self.opened(folder, 5)
        daemon.kill()
        mount.terminate()
        self.assertEqual(mount.wait(60), 1)
        said = mount.stderr.read().decode()
        self.assertIn("written to 5 open files is not committed, and lost: dirty", said)
        self.assertEqual((said.count("\n"), said.count("; ")), (1, 3), said)

    def test_silent_origin_is_not_waited_for(self):
        bucket, port = hw_parts_test.serve(self)
        text = hw_parts_test.CONFIG.format(folder=self.folder, block="1 MiB", port=port)
        daemon = Daemon(self, self.write("objects.yaml", text.encode()))
        mount, folder = self.begin(daemon, "--level", "origin")
        self.opened(folder, 2)
        gate = threading.Event()
        self.addCleanup(gate.set)
        bucket.hold = lambda method, what, key: method in ("PUT", "POST") and gate.wait(120)
        mount.terminate()
        self.assertEqual(mount.wait(50), 1)  # 30 s, and the machine's
        self.assertIn("written to 2 open files", mount.stderr.read().decode())


if __name__ == "__main__":
    hw_test.main("hw_mount_close_test", needs_fuse=True)
