#!/usr/bin/env python3
"""What holds between two mounts, of two daemons with one origin, and while a daemon is away: the
lines of docs/mount.md, without a metadata store.

usage: hw_mount_nodes_test.py BUILD [unittest's arguments]   exit code 77: no io_uring or FUSE here
"""

import errno
import http.server
import mmap
import os
import random
import shutil
import socketserver
import stat
import threading
import time

import hw_test
from hw_test import Case, Daemon


def read_raw(path):
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, 1 << 20)
    finally:
        os.close(file)


class Nodes(Case):
    settings = ()

    def setUp(self):
        super().setUp()
        text, _ = self.pair()
        self.daemons = [Daemon(self, text, *self.settings, name="first"),
                        Daemon(self, text, "node=1", "client.socket=" + self.path("second"),
                               *self.settings, name="second")]
        self.a = self.daemons[0].mount(self)
        self.b = self.daemons[1].mount(self, name="mount2")

    def put(self, mount, name, content):
        with open(os.path.join(mount, name), "wb") as file:
            file.write(content)

    def at_origin(self, name):
        return os.path.join(self.path("origin"), name)

    def assert_fails(self, code, call, *arguments):
        with self.assertRaises(OSError) as caught:
            call(*arguments)
        self.assertEqual(errno.errorcode[caught.exception.errno], errno.errorcode[code])


class CloseToOpen(Nodes):
    def test_open_sees_all_of_what_was_closed_elsewhere(self):
        for size in (100, 5000, 70000, 300000, 50, 0):
            content = random.Random(size).randbytes(size)
            self.put(self.a, "file", content)
            self.assertEqual(read_raw(self.b + "/file"), content)
            self.assertEqual(os.stat(self.b + "/file").st_size, size)

    def test_mapping_is_of_one_version(self):
        self.put(self.a, "file", b"A" * 300000)
        file = os.open(self.b + "/file", os.O_RDONLY)
        before = mmap.mmap(file, 0, prot=mmap.PROT_READ)
        self.assertEqual(before[0:10], b"A" * 10)
        self.put(self.a, "file", b"B" * 400000)
        again = os.open(self.b + "/file", os.O_RDONLY)
        after = mmap.mmap(again, 0, prot=mmap.PROT_READ)
        self.assertEqual(after[:], b"B" * 400000)
        self.assertEqual(len(before), 300000)
        self.assertEqual(before[0:10], b"A" * 10)
        self.assertEqual(os.fstat(file).st_size, 300000)
        before.close()
        after.close()
        os.close(file)
        os.close(again)

    def test_names_are_seen_when_the_call_returns(self):
        os.makedirs(self.a + "/folder/in")
        self.assertTrue(os.path.isdir(self.b + "/folder/in"))
        self.put(self.b, "folder/in/file", b"content")
        self.assert_fails(errno.ENOTEMPTY, os.rmdir, self.a + "/folder/in")
        os.rename(self.a + "/folder", self.a + "/moved")
        self.assertEqual(read_raw(self.b + "/moved/in/file"), b"content")
        self.assertFalse(os.path.exists(self.b + "/folder"))
        shutil.rmtree(self.b + "/moved")
        self.assertEqual(os.listdir(self.a), [])
        self.assertEqual(os.listdir(self.b), [])

    def test_of_two_that_create_a_name_one_is_told(self):
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        lock = os.open(self.a + "/lock", flags)
        self.assert_fails(errno.EEXIST, os.open, self.b + "/lock", flags)
        os.close(lock)
        os.unlink(self.b + "/lock")
        os.close(os.open(self.a + "/lock", flags))

    def test_modes_owners_times_links_and_attributes_are_the_origins(self):
        self.put(self.a, "file", b"content")
        os.chmod(self.a + "/file", 0o640)
        os.chown(self.a + "/file", 1234, 4321)
        os.setxattr(self.a + "/file", "user.note", b"kept")
        os.utime(self.a + "/file", (1.5e9, 1.7e9))
        os.symlink("file", self.a + "/link")
        facts = os.stat(self.b + "/link")
        self.assertEqual((stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid, facts.st_mtime),
                         (0o640, 1234, 4321, 1.7e9))
        self.assertEqual(os.getxattr(self.b + "/file", "user.note"), b"kept")
        self.put(self.b, "file", b"overwritten")
        facts = os.stat(self.at_origin("file"))
        self.assertEqual((stat.S_IMODE(facts.st_mode), facts.st_uid), (0o640, 1234))
        self.assertEqual(os.getxattr(self.at_origin("file"), "user.note"), b"kept")
        self.assertGreater(os.stat(self.a + "/file").st_mtime, 1.7e9)


class Handles(Nodes):
    def test_handles_of_one_file_see_each_other(self):
        first = open(self.a + "/log", "ab", 0)
        second = open(self.a + "/log", "ab", 0)
        first.write(b"one\n")
        second.write(b"two\n")
        self.assertEqual(read_raw(self.a + "/log"), b"one\ntwo\n")
        first.close()
        second.close()
        self.assertEqual(read_raw(self.b + "/log"), b"one\ntwo\n")

    def test_a_file_that_was_written_and_removed_is_whole_for_those_who_have_it(self):
        content = random.Random(1).randbytes(20 << 20)
        file = os.open(self.a + "/file", os.O_CREAT | os.O_RDWR)
        for at in range(0, len(content), 1 << 20):
            os.write(file, content[at:at + (1 << 20)])
        os.unlink(self.a + "/file")
        os.pwrite(file, b"changed", 5)
        self.assertEqual(os.fstat(file).st_size, len(content))
        self.assertEqual(os.fstat(file).st_nlink, 0)
        self.assertEqual(os.pread(file, 20, 0), content[:5] + b"changed" + content[12:20])
        os.close(file)
        self.assertEqual(os.listdir(self.a), [])

    def test_a_large_file_is_written_backwards_and_by_mapping(self):
        size, part = 40 << 20, 1 << 20
        content = random.Random(2).randbytes(size)
        file = os.open(self.a + "/file", os.O_CREAT | os.O_RDWR)
        os.ftruncate(file, size)
        for at in range(size - part, size // 2 - 1, -part):
            os.pwrite(file, content[at:at + part], at)
        memory = mmap.mmap(file, size)
        memory[:size // 2] = content[:size // 2]
        memory.close()
        os.close(file)
        with open(self.b + "/file", "rb") as found:
            self.assertTrue(found.read() == content)

    def test_many_files_are_open_for_writing(self):
        files = [open("%s/file%d" % (self.a, i), "wb", 0) for i in range(300)]
        for i, file in enumerate(files):
            file.write(b"%d" % i)
        self.assertEqual(self.daemons[0].forebay("status").returncode, 0)
        for file in files:
            file.close()
        for i in range(300):
            self.assertEqual(read_raw("%s/file%d" % (self.b, i)), b"%d" % i)


class Away(Case):
    def test_a_daemon_that_is_away_is_no_absent_file_and_comes_back(self):
        daemon = Daemon(self, self.config, name="first")
        mount = daemon.mount(self)
        content = self.object("file", 10000)
        self.assertEqual(read_raw(mount + "/file"), content)
        daemon.kill()
        for call in (os.stat, read_raw, os.unlink):
            began = time.monotonic()
            with self.assertRaises(OSError) as caught:
                call(mount + "/file")
            self.assertIn(caught.exception.errno, (errno.EHOSTDOWN, errno.EIO))
            self.assertLess(time.monotonic() - began, 30)
        with self.assertRaises(OSError) as caught:
            os.listdir(mount)
        self.assertIn(caught.exception.errno, (errno.EHOSTDOWN, errno.EIO))
        Daemon(self, self.config, name="second")
        self.assertEqual(read_raw(mount + "/file"), content)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


class Objects(Case):
    """An object store, of which requests are counted; what it cannot hold is refused."""

    def setUp(self):
        super().setUp()
        self.heads, self.slow = 0, threading.Event()
        test = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_HEAD(self):
                test.heads += 1
                self.answer(200 if "file" in self.path else 404, b"x" * 5000)

            def do_GET(self):
                if "list-type" in self.path:
                    self.answer(200, b"<ListBucketResult></ListBucketResult>")
                    return
                if "slow" in self.path:
                    test.slow.wait(20)
                first, last = self.headers["Range"][6:].split("-")
                self.answer(206, (b"x" * 5000)[int(first):int(last) + 1])

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("ETag", '"1"')
                self.send_header("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.addCleanup(self.slow.set)
        text = hw_test.CONFIG.format(folder=self.folder).replace(
            'origin: {kind: posix, path: "%s/origin"}' % self.folder,
            'origin: {kind: s3, endpoint: "http://127.0.0.1:%d", bucket: b}' %
            server.server_address[1])
        self.config = self.write("objects.yaml", text.encode())

    def test_warm_opens_ask_nobody_while_names_are_valid(self):
        mount = Daemon(self, self.config, "names.valid=1 h").mount(self)
        self.assertEqual(len(read_raw(mount + "/file")), 5000)
        before = self.heads
        for _ in range(20):
            self.assertEqual(len(read_raw(mount + "/file")), 5000)
        self.assertEqual(self.heads, before)

    def test_without_it_every_open_asks(self):
        mount = Daemon(self, self.config).mount(self)
        read_raw(mount + "/file")
        before = self.heads
        read_raw(mount + "/file")
        self.assertGreater(self.heads, before)

    def test_what_objects_do_not_have_is_refused_and_times_are_shown(self):
        mount = Daemon(self, self.config).mount(self)
        self.assertEqual(os.stat(mount + "/file").st_mtime, 1.7e9)
        for call in (lambda: os.chmod(mount + "/file", 0o600),
                     lambda: os.chown(mount + "/file", 5, 5),
                     lambda: os.utime(mount + "/file", (1, 1)),
                     lambda: os.symlink("file", mount + "/link"),
                     lambda: os.link(mount + "/file", mount + "/other"),
                     lambda: os.setxattr(mount + "/file", "user.note", b"1")):
            with self.assertRaises(OSError) as caught:
                call()
            self.assertEqual(errno.errorcode[caught.exception.errno], "ENOTSUP")
        os.chmod(mount + "/file", 0o644)  # as it is shown already

    def test_slow_readers_leave_room_for_others(self):
        mount = Daemon(self, self.config).mount(self)
        read_raw(mount + "/file")
        readers = [threading.Thread(target=read_raw, args=("%s/slow-file%d" % (mount, i),))
                   for i in range(24)]
        for reader in readers:
            reader.start()
        time.sleep(0.5)
        began = time.monotonic()
        self.assertEqual(len(read_raw(mount + "/file")), 5000)
        self.assertLess(time.monotonic() - began, 5)
        self.slow.set()
        for reader in readers:
            reader.join()


if __name__ == "__main__":
    hw_test.main("hw_mount_nodes_test", needs_fuse=True)
