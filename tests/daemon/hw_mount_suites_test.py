#!/usr/bin/env python3
"""pjdfstest and fsx on a mount, with a metadata store and a folder as origin, and pjdfstest with an
object store as origin. Both are installed into a folder of the tests' cache once, by cargo. What
does not pass is listed here, each with its reason.

usage: hw_mount_suites_test.py BUILD [--seeds N] [unittest's arguments]
exit code 77: no io_uring, no FUSE, no cargo, or the suites cannot be had
"""

import grp
import os
import pwd
import shutil
import signal
import subprocess
import sys

import hw_parts_test
import hw_test
from hw_test import Case, Daemon

SUITES = {"pjdfstest": "0.2.2", "fsx": "0.3.2"}
SEEDS = 6  # of fsx

# A name is at most 1,024 bytes from the mount's root on, as object stores have it; these make names
# as long as a path may be.
LONG = ["unlink", "chmod", "link", "truncate", "mkdir", "open", "mkfifo", "rmdir", "mknod",
        "symlink", "rename", "chown", "chown::lchown", "mknod::privileged"]
FAILURES = [name + "::enametoolong_path" for name in LONG]
# With a metadata store a name goes before the origin's file does, and times that change with that
# follow it.
FAILURES += ["unlink::update_mtime_ctime_success_folder::regular",
             "unlink::update_ctime_success::regular"]

KINDS = ["regular", "fifo", "block", "char", "socket"]
# With an object store: a file has one name. These make a second one first.
OBJECT_FAILURES = [name + "::enametoolong_path" for name in LONG]
OBJECT_FAILURES += ["%s::%s" % (name, kind) for kind in KINDS for name in (
    "link::changed_ctime_success", "link::remove_link", "link::share_metadata",
    "rename::preserve_metadata", "rename::to_multiply_linked", "unlink::unchanged_ctime_failed",
    "unlink::update_ctime_success")]
# A folder's times are those of its own changes, not of what is made and removed in it, and its
# links are two, whatever folders are in it.
OBJECT_FAILURES += ["unlink::update_mtime_ctime_success_folder::" + kind
                    for kind in KINDS + ["symlink"]]
OBJECT_FAILURES += ["mkdir::changed_time_fields_success", "mkfifo::changed_time_fields_success",
                    "mknod::changed_time_fields_success", "mknod::changed_times_success::block",
                    "mknod::changed_times_success::char", "open::changed_time_fields_success",
                    "rmdir::changed_time_parent_success", "symlink::changed_parent_time_success",
                    "rename::updates_link_parent"]

PJDFSTEST = """
[features]
posix_fallocate = {{}}
rename_ctime = {{}}
utime_now = {{}}
utimensat = {{}}
[settings]
naptime = 0.01
allow_remount = false
expected_failures = []
[dummy_auth]
entries = [{users}]
"""
FSX = """
flen = 262144
[opsize]
max = 65536
min = 1
[weights]
close_open = 1.0
read = 10.0
write = 10.0
mapread = 10.0
mapwrite = 10.0
truncate = 5.0
fsync = 1.0
fdatasync = 1.0
invalidate = 1.0
punch_hole = 2.0
"""


def suite(name):
    return os.path.join(hw_test.cache("%s-%s" % (name, SUITES[name])), "bin", name)


def what_is_missing():
    """Installs both, without optimising them: most of their first run was that."""
    if shutil.which("cargo") is None:
        return "no cargo here"
    for name, version in SUITES.items():
        if not os.path.exists(suite(name)):
            subprocess.run(["cargo", "install", "--quiet", "--locked", "--debug", "--root",
                            os.path.dirname(os.path.dirname(suite(name))), "--version", version,
                            name], check=False,
                           env={**os.environ, "CARGO_PROFILE_DEV_DEBUG": "0"})
    is_there = all(os.path.exists(suite(name)) for name in SUITES)
    return None if is_there else "cargo cannot reach the suites"


class Suite(Case):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("metadata"))
        os.chmod(self.folder, 0o755)  # other users are played
        daemon = Daemon(self, self.origin(), "metadata.kind=lmdb",
                        "metadata.path=" + self.path("metadata"), "core.memory_size=64 MiB")
        self.mount = daemon.mount(self, "--allow-other")

    def origin(self):
        return self.config

    def run_suite(self, *arguments, codes=(0,)):
        with open(self.path("output"), "wb") as output:
            process = subprocess.Popen(arguments, stdout=output, stderr=output, cwd=self.folder,
                                       start_new_session=True)
            code = process.wait(900)
        try:
            os.killpg(process.pid, signal.SIGKILL)  # a program that a test left running
        except ProcessLookupError:
            pass
        with open(self.path("output"), errors="replace", encoding="utf-8") as output:
            text = output.read()
        self.assertIn(code, codes, text[-6000:])
        return text

    def pjdfstest(self, failures, passed_min):
        users = [(name, grp.getgrgid(pwd.getpwnam(name).pw_gid).gr_name)
                 for name in ("nobody", "daemon")]
        config = self.write("pjdfstest.toml", PJDFSTEST.format(
            users=", ".join('["%s", "%s"]' % user for user in users)).encode())
        text = self.run_suite(suite("pjdfstest"), "-c", config, "-p", self.mount, codes=(0, 1))
        failed = [line.split()[0] for line in text.split("\n") if line.endswith(" FAILED")]
        self.assertEqual(set(failed) - set(failures), set(), text[-6000:])
        summary = [line for line in text.split("\n") if line.startswith("Summary:")][0]
        passed = int(summary.split(" passed")[0].split(" ")[-1])
        self.assertGreaterEqual(passed, passed_min, summary)


class Suites(Suite):
    def test_pjdfstest(self):
        self.pjdfstest(FAILURES, 360)

    def fsx(self, seeds):
        config = self.write("fsx.toml", FSX.encode())
        for seed in seeds:
            self.run_suite(suite("fsx"), "-f", config, "-S", str(seed), "-N", "500",
                           os.path.join(self.mount, "file%d" % seed))

    def test_fsx_with_all_its_operations(self):
        self.fsx(range(1, 1 + SEEDS // 2))

    def test_fsx_with_all_its_operations_on_other_seeds(self):
        self.fsx(range(1 + SEEDS // 2, 1 + SEEDS))


class Objects(Suite):
    def origin(self):
        _, port = hw_parts_test.serve(self)
        return self.write("parts.yaml", hw_parts_test.CONFIG.format(
            folder=self.folder, block="1 MiB", port=port).encode())

    def test_pjdfstest(self):
        self.pjdfstest(OBJECT_FAILURES, 315)


if __name__ == "__main__":
    if "--seeds" in sys.argv:
        at = sys.argv.index("--seeds")
        SEEDS = int(sys.argv[at + 1])
        del sys.argv[at:at + 2]
    hw_test.main("hw_mount_suites_test", at_once=3, needs_fuse=True,
                 what_is_missing=what_is_missing)
