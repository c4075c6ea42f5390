#!/usr/bin/env python3
"""The command `forebay mount` itself: it goes to the background, with paths as they were given, and
waits for its daemon.

usage: hw_mount_start_test.py BUILD [unittest's arguments]    exit code 77: no io_uring or no FUSE
"""

import os
import subprocess
import threading
import time

import hw_test
from hw_test import Case, Daemon, program


class Start(Case):
    """The command itself, which goes to the background."""

    def mount(self, *options, **variables):
        os.mkdir(self.path("mount"))
        self.addCleanup(subprocess.run, ["umount", self.path("mount")], stderr=subprocess.DEVNULL,
                        check=False)
        return subprocess.run([os.path.abspath(program("forebay")), "mount", *options, "mount"],
                              cwd=self.folder, env={**os.environ, **variables}, timeout=60,
                              capture_output=True, check=False)

    def check(self):
        path = self.path("mount/file")
        with open(path, "wb") as file:
            file.write(bytes(20 << 20))
            file.flush()
            file.seek(100)
            file.write(b"in the middle: through --spill")
        self.assertEqual(os.path.getsize(self.path("origin/file")), 20 << 20)
        subprocess.run(["umount", self.path("mount")], check=True)

    def start(self, *settings):
        return Daemon(self, self.config, *settings, name="first")

    def test_paths_may_be_relative(self):
        self.write("token", b"a token of the test, long enough")
        os.chmod(self.path("token"), 0o600)
        os.mkdir(self.path("spill"))
        self.start("client.token=" + self.path("token"))
        ended = self.mount("--socket", "socket", "--spill", "spill", FOREBAY_TOKEN_FILE="token")
        self.assertEqual((ended.returncode, ended.stderr), (0, b""))
        self.check()
        os.rmdir(self.path("mount"))
        ended = self.mount(FOREBAY_TOKEN_FILE="./token", FOREBAY_SOCKET="./socket", TMPDIR="spill")
        self.assertEqual((ended.returncode, ended.stderr), (0, b""))
        self.check()

    def test_daemon_that_is_being_started_is_waited_for(self):
        thread = threading.Timer(1, self.start)
        thread.start()
        ended = self.mount("--socket", "socket")
        thread.join()
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(ended.stderr.decode(), "forebay mount: no daemon at %s yet: waiting for "
                         "it, 10 s at most\n" % self.path("socket"))
        self.check()

    def test_folder_that_cannot_be_is_told_with_its_remedy(self):
        self.start()
        ended = self.mount("--socket", "socket", "--spill", "nothing")
        self.assertEqual((ended.returncode, ended.stderr), (
            1, b"forebay mount: nothing: No such file or directory: see --spill\n"))
        os.rmdir(self.path("mount"))
        process = subprocess.Popen([program("forebay"), "mount", "--foreground", "--socket",
                                    self.path("socket"), self.path("dead")])
        self.assertEqual(process.wait(30), 1)  # there is no such folder
        os.mkdir(self.path("dead"))
        process = subprocess.Popen([program("forebay"), "mount", "--foreground", "--socket",
                                    self.path("socket"), self.path("dead")])
        self.addCleanup(subprocess.run, ["umount", "-l", self.path("dead")], check=False,
                        stderr=subprocess.DEVNULL)
        while not os.path.ismount(self.path("dead")):
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        process.kill()
        process.wait()
        self.write("file", b"")
        for name, words in (("dead", "a mount that died is there: `fusermount3 -u dead`, or as root"
                                     " `umount -l dead`"),
                            ("nothing", "No such file or directory: make the folder"),
                            ("file", "Not a directory: name another folder"),
                            ("file/folder", "Not a directory: name another folder")):
            ended = subprocess.run([os.path.abspath(program("forebay")), "mount", "--socket",
                                    "socket", name], cwd=self.folder, timeout=60,
                                   capture_output=True, check=False)
            said = ended.stderr.decode()
            self.assertEqual((ended.returncode, said.count("\n")), (1, 1), said)
            self.assertIn(words + "\n", said)

    def test_path_of_a_socket_that_is_too_long_is_told(self):
        ended = self.mount("--socket", "s" * 100)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"at most 107 bytes", ended.stderr)


if __name__ == "__main__":
    hw_test.main("hw_mount_start_test", needs_fuse=True)
