#!/usr/bin/env python3
"""Programs as they are, on a mount: what they write and print there is what they write and print
in a plain folder, byte by byte; once they have ended, another mount (of another daemon, where the
names are not LMDB's) has the same, by itself and by the program that reads it there. What is
refused, and how, is what docs/mount.md says.

usage: hw_mount_programs_test.py BUILD [unittest's arguments]
exit code 77: no io_uring or no FUSE, or Python's packages cannot be had

The packages are installed once, into a folder of the tests' cache that outlives the build folder.
torch is used when its wheel is in the folder wheels of that cache: it is too large to be fetched.
"""

import ctypes
import errno
import fcntl
import glob
import hashlib
import mmap
import os
import shutil
import stat
import subprocess
import sys

import hw_name_test
import hw_parts_test
import hw_test
from hw_test import CONFIG, PAIR, Case, Daemon, free_ports

PACKAGES = ["numpy==2.4.6", "h5py==3.16.0", "zarr==3.1.6", "pyarrow==26.0.1",
            "safetensors==0.8.0"]
PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")


def python():
    return os.path.join(hw_test.cache("programs"), "bin", "python")


def install():
    """Says what is missing, if anything is."""
    folder, wheels = hw_test.cache("programs"), hw_test.cache("wheels")
    stamp = os.path.join(folder, "installed " + " ".join(PACKAGES))
    if os.path.exists(stamp):
        return None
    for command in ([sys.executable, "-m", "venv", folder],
                    [python(), "-m", "pip", "download", "-q", "-d", wheels, *PACKAGES],
                    [python(), "-m", "pip", "install", "-q", "--no-index", "-f", wheels,
                     *PACKAGES]):
        if subprocess.run(command, check=False).returncode != 0:
            return "Python's packages cannot be had: " + " ".join(command)
    for _ in glob.glob(os.path.join(wheels, "torch-*")):
        subprocess.run([python(), "-m", "pip", "install", "-q", "--no-index", "-f", wheels,
                        "torch"], check=False)
    with open(stamp, "w", encoding="utf-8"):
        return None


def has_torch():
    return subprocess.run([python(), "-c", "import torch"], capture_output=True,
                          check=False).returncode == 0


def tree(root, omitted=(), has_modes=True):
    """What is in a folder: kinds, modes, sizes and a digest of the bytes."""
    found = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in omitted]
        for name in folders + files:
            path = os.path.join(folder, name)
            facts = os.lstat(path)
            what = [stat.filemode(facts.st_mode)[:None if has_modes else 1]]
            if stat.S_ISLNK(facts.st_mode):
                what.append(os.readlink(path))
            elif stat.S_ISREG(facts.st_mode):
                with open(path, "rb") as file:
                    what += [facts.st_size, facts.st_nlink,
                             hashlib.file_digest(file, "sha256").hexdigest()]
            found[os.path.relpath(path, root)] = what
    return found


class Data:
    """What holds for all origins and stores: programs that write and read data."""
    has_modes = True

    def setUp(self):
        super().setUp()
        self.mounts = self.start()
        self.plain = self.path("plain")
        os.mkdir(self.plain)
        self.roots = [self.plain, self.mounts[0]]

    def mount_both(self, first, second):
        return [first.mount(self), second.mount(self, name="mount2")]

    def do(self, folder, *command):
        ended = subprocess.run(command, cwd=folder, capture_output=True, timeout=900, check=False,
                               env={**os.environ, "HOME": self.folder, "PYTHONHASHSEED": "0",
                                    "GIT_AUTHOR_DATE": "2001-02-03T04:05:06Z",
                                    "GIT_COMMITTER_DATE": "2001-02-03T04:05:06Z"})
        text = (ended.stdout + ended.stderr).decode(errors="replace")
        self.assertEqual(ended.returncode, 0, "%s in %s: %s" % (" ".join(command), folder, text))
        return text.replace(folder, "HERE")

    def both(self, *command):
        """A command in the plain folder and in the mount: it says the same."""
        said = [self.do(root, *(one.replace("HERE", root) for one in command))
                for root in self.roots]
        self.assertEqual(said[1], said[0], command)
        return said[0]

    def same(self, omitted=()):
        """The mount has what the plain folder has; so has the other one."""
        wanted = tree(self.plain, omitted, self.has_modes)
        self.assertGreater(len(wanted), 0)
        for mount in self.mounts:
            found = tree(mount, omitted, self.has_modes)
            self.assertEqual(sorted(found), sorted(wanted))
            for name, what in wanted.items():
                self.assertEqual(found[name], what, "%s in %s" % (name, mount))

    def test_sqlite(self):
        self.python_program("sqlite")

    def test_numpy(self):
        self.python_program("numpy")

    def test_h5py(self):
        self.python_program("h5py")

    def test_zarr(self):
        self.python_program("zarr")

    def test_parquet_of_300_partitions(self):
        self.python_program("parquet")

    def test_safetensors(self):
        self.python_program("safetensors")

    def test_torch(self):
        if not has_torch():
            print("hw_mount_programs_test: torch is left out: no wheel of it in " +
                  hw_test.cache("wheels"))
            return
        self.python_program("torch", omitted=("addresses",))

    def python_program(self, name, omitted=()):
        """programs/NAME.py write; read; then read by the other mount."""
        program = os.path.join(PROGRAMS, name + ".py")
        self.both(python(), "-B", program, "write")
        said = self.both(python(), "-B", program, "read")
        self.same(omitted)
        self.assertEqual(self.do(self.mounts[1], python(), "-B", program, "read"), said)


class Folders(Data):
    """And programs that want of a folder what object stores have not: links, modes, times."""

    def source(self, count=60):
        """A folder as projects have them: modes, links, names, sizes and times of all kinds."""
        root = self.path("source")
        for number in range(count):
            folder = os.path.join(root, "d%d" % (number % 7), "e%d" % (number % 3))
            os.makedirs(folder, exist_ok=True)
            path = os.path.join(folder, "file %d é" % number)
            with open(path, "wb") as file:
                file.write(bytes([number]) * (number * number * 61))
            os.chmod(path, (0o644, 0o755, 0o600)[number % 3])
            os.utime(path, ns=(10**18 + number * 123456789,) * 2)
        os.mkdir(os.path.join(root, "empty"))
        os.symlink("d1/e1", os.path.join(root, "link"))
        os.symlink("nowhere", os.path.join(root, "d2", "dangling"))
        os.link(os.path.join(root, "d0/e0/file 0 é"), os.path.join(root, "d0", "second"))
        return root

    def test_git(self):
        source = self.source()
        git = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "gc.auto=0",
               "-c", "init.defaultBranch=main", "-c", "advice.detachedHead=false",
               "-c", "pack.threads=1")
        self.do(source, *git, "init", "-q")
        self.do(source, *git, "add", ".")
        self.do(source, *git, "commit", "-qm", "one")
        self.both(*git, "clone", "-q", "file://" + source, "clone")
        git += ("-C", "clone")
        self.both(*git, "mv", "d1", "moved")
        self.both("sh", "-c", "echo more >>'clone/d2/e2/file 2 é'; rm 'clone/d3/e0/file 3 é'")
        self.both(*git, "status", "--porcelain")
        self.both(*git, "commit", "-qam", "two")
        self.both(*git, "checkout", "-q", "-b", "side", "HEAD~1")
        self.both(*git, "checkout", "-q", "main")
        self.both(*git, "gc", "-q")
        self.both(*git, "stash", "list")
        self.assertEqual(self.both(*git, "status", "--porcelain"), "")
        self.both(*git, "log", "--stat", "--all")
        self.both(*git, "fsck", "--full", "--strict")
        self.same(omitted=(".git",))
        said = self.do(self.mounts[1], *git, "fsck", "--full", "--strict")
        self.assertNotIn("error", said)
        self.assertEqual(self.do(self.mounts[1], *git, "log", "--all"),
                         self.do(self.plain, *git, "log", "--all"))

    def test_tar(self):
        source, archive = self.source(), self.path("a.tar")
        self.do(source, "tar", "-cf", archive, ".")
        self.both("tar", "-xpf", archive)
        self.same()
        back = [self.path("plain.tar"), self.path("mount.tar"), self.path("mount2.tar")]
        for root, name in zip([*self.roots, self.mounts[1]], back):
            self.do(root, "tar", "--sort=name", "-cf", name, ".")
        contents = []
        for name in back:  # modes, owners, times, links: all that tar keeps
            with open(name, "rb") as file:
                contents.append(hashlib.sha256(file.read()).hexdigest())
        self.assertEqual(contents[1:], contents[:1] * 2)

    def test_rsync(self):
        if shutil.which("rsync") is None:
            self.skipTest("no rsync here")
        source = self.source() + "/"
        sync = ("rsync", "-aH", "--itemize-changes")
        self.both(*sync, source, "HERE/copy/")
        self.assertEqual(self.both(*sync, source, "HERE/copy/"), "")  # times and modes are kept
        with open(source + "d4/e1/file 4 é", "ab") as file:
            file.write(b"more")
        os.remove(source + "d5/e2/file 5 é")
        self.assertIn("deleting", self.both(*sync, "--delete", source, "HERE/copy/"))
        with open(source + "d6/e0/file 6 é", "r+b") as file:
            file.write(b"begin")
        self.both(*sync, "--inplace", "--checksum", source, "HERE/copy/")
        self.assertEqual(self.both(*sync, "--checksum", "--delete", source, "HERE/copy/"), "")
        self.same()
        self.assertEqual(self.do(self.mounts[1], *sync, "-n", "--checksum", source,
                                 self.mounts[1] + "/copy/"), "")

    def test_pip(self):
        self.both(python(), "-m", "pip", "install", "-q", "--no-index", "--no-compile", "-f",
                  hw_test.cache("wheels"), "--no-deps", "--target", "HERE/site", "safetensors",
                  "packaging", "PyYAML")
        self.same()
        program = ("import yaml, packaging.version, safetensors; "
                   "print(yaml.dump({'a': [1]}), safetensors.__version__, safetensors.__file__)")
        for root in (*self.roots, self.mounts[1]):
            said = self.do(root, "env", "PYTHONPATH=site", "PYTHONDONTWRITEBYTECODE=1", python(),
                           "-c", program)
            self.assertIn("site/safetensors", said)


class Posix(Folders, Case):
    """A folder as origin and no store; two daemons."""

    def start(self):
        ports = free_ports(2)
        text = CONFIG.format(folder=self.folder) + PAIR.format(port0=ports[0], port1=ports[1])
        text = text.replace("memory_size: 4 MiB", "memory_size: 64 MiB") + self.store()
        config = self.write("pair.yaml", text.encode())
        return self.mount_both(
            Daemon(self, config, name="first"),
            Daemon(self, config, "node=1", "client.socket=" + self.path("second"), name="second"))

    def store(self):
        return ""


class Etcd(Posix):
    """The same with records in etcd."""

    def setUp(self):
        if shutil.which("etcd") is None:
            self.skipTest("no etcd here")
        super().setUp()

    def store(self):
        return "metadata: {kind: etcd, endpoint: \"%s\"}\n" % hw_name_test.EtcdServer(self).url


class Lmdb(Folders, Case):
    """A folder as origin, records in LMDB: one daemon, two mounts of it."""

    def start(self):
        daemon = Daemon(self, self.config, "core.memory_size=64 MiB", "metadata.kind=lmdb",
                        "metadata.path=" + self.path("records"))
        return self.mount_both(daemon, daemon)


class Objects(Data, Case):
    """An object store as origin; two daemons."""
    has_modes = False

    def start(self):
        ports = free_ports(2)
        _, port = hw_parts_test.serve(self)
        text = hw_parts_test.CONFIG.format(folder=self.folder, block="1 MiB", port=port)
        config = self.write("pair.yaml", (text + PAIR.format(
            port0=ports[0], port1=ports[1])).encode())
        return self.mount_both(
            Daemon(self, config, name="first"),
            Daemon(self, config, "node=1", "client.socket=" + self.path("second"), name="second"))


def calls(root):
    """What docs/mount.md's table of refusals names, each on files of its own."""
    libc = ctypes.CDLL(None, use_errno=True)

    def file(name):
        path = os.path.join(root, name)
        with open(path, "wb") as made:
            made.write(b"content")
        return path

    def folder(name):
        os.mkdir(os.path.join(root, name))
        file(name + "/file")
        return os.path.join(root, name)

    def checked(result):
        if result != 0:
            raise OSError(ctypes.get_errno(), "")

    def fallocate(mode):
        with open(file("allocated"), "r+b") as one:
            checked(libc.fallocate(one.fileno(), mode, ctypes.c_long(0), ctypes.c_long(4096)))

    def long():
        path = os.path.join(root, *["n" * 205] * 4)
        os.makedirs(path)
        file(path + "/" + "n" * 205)

    def exchange():
        names = [os.fsencode(file(name)) for name in ("x", "y")]
        at_here, exchanged = -100, 2
        checked(libc.renameat2(at_here, names[0], at_here, names[1], exchanged))

    def renamed_folder():
        os.mkdir(os.path.join(root, "l"))
        os.rename(os.path.join(root, "l"), os.path.join(root, "m"))

    def flags():
        with open(file("flagged"), "rb") as one:
            get_flags = 0x80086601
            fcntl.ioctl(one.fileno(), get_flags, bytes(8))

    def mapped():
        with open(file("mapped"), "r+b") as one, mmap.mmap(one.fileno(), 7) as memory:
            memory[0] = 1

    return {
        "`chmod` to another mode": lambda: os.chmod(file("a"), 0o751),
        "`chown` to another owner": lambda: os.chown(file("b"), 5, 5),
        "`utimensat` to given times": lambda: os.utime(file("c"), (1, 1)),
        "`symlink`": lambda: os.symlink("a", os.path.join(root, "link")),
        "`link`": lambda: os.link(file("d"), os.path.join(root, "linked")),
        "`mkfifo`": lambda: os.mkfifo(os.path.join(root, "fifo")),
        "`setxattr` of `user.note`": lambda: os.setxattr(file("e"), "user.note", b"1"),
        "`setxattr` of `user.forebay.version`":
            lambda: os.setxattr(file("f"), "user.forebay.version", b"1"),
        "`getxattr` of what was not set": lambda: os.getxattr(file("g"), "user.none"),
        "`rename` of a file": lambda: os.rename(file("h"), os.path.join(root, "i")),
        "`chmod` of the mount's root": lambda: os.chmod(root, 0o751),
        "`rename` of a folder":
            lambda: os.rename(folder("j"), os.path.join(root, "k")),
        "`rename` of an empty folder": renamed_folder,
        "`renameat2` with `RENAME_EXCHANGE`": exchange,
        "`mkdir`": lambda: os.mkdir(os.path.join(root, "made")),
        "`fallocate` that makes a file longer": lambda: fallocate(0),
        "`fallocate` with `FALLOC_FL_COLLAPSE_RANGE`": lambda: fallocate(8),
        "`ioctl` `FS_IOC_GETFLAGS`": flags,
        "`open` with `O_TMPFILE`": lambda: os.open(root, os.O_TMPFILE | os.O_WRONLY),
        "`mmap`, shared and written": mapped,
        "a name of more than 1,024 bytes": long,
        "a name that is no UTF-8": lambda: os.close(os.open(
            os.fsencode(root) + b"/caf\xe9", os.O_CREAT | os.O_WRONLY)),
        "opening `.stats` for writing": lambda: file(".stats"),
    }


class Refused(Case):
    """docs/mount.md says what is refused, with which errno: so it is."""

    def table(self):
        with open(os.path.join(os.path.dirname(__file__), "..", "..", "docs", "mount.md"),
                  encoding="utf-8") as file:
            text = file.read().split("## What is refused", 1)[1].split("\n## ", 1)[0]
        rows = [[cell.strip() for cell in line.strip("|").split("|")]
                for line in text.split("\n") if line.startswith("|")]
        return {row[0]: row[1:4] for row in rows[2:]}

    maxDiff = None

    def check(self, column, mount):
        wanted, tried = self.table(), calls(mount)
        self.assertEqual(set(wanted), set(tried))
        found = {}
        for name, call in tried.items():
            try:
                call()
                found[name] = "done"
            except OSError as error:
                found[name] = errno.errorcode[error.errno].replace("ENOTSUP", "EOPNOTSUPP")
        self.assertEqual(found, {name: cells[column] for name, cells in wanted.items()})

    def test_by_a_folder(self):
        self.check(0, Daemon(self, self.config).mount(self))

    def object_store(self, *settings):
        self.bucket, port = hw_parts_test.serve(self)
        config = self.write("parts.yaml", hw_parts_test.CONFIG.format(
            folder=self.folder, block="1 MiB", port=port).encode())
        self.daemon = Daemon(self, config, *settings)
        return self.daemon.mount(self)

    def test_by_an_object_store(self):
        self.check(1, self.object_store())

    def with_records(self):
        return self.object_store("metadata.kind=lmdb", "metadata.path=" + self.path("records"))

    def test_by_an_object_store_with_a_metadata_store(self):
        self.check(2, self.with_records())

    def check_bytes(self, mount):
        """Some servers fail when they are asked for such a name: none is."""
        name, file = os.fsencode(mount) + b"/caf\xe9", os.fsencode(mount) + b"/caf\xc3\xa9"
        with open(file, "wb") as one:
            one.write(b"1")
        make = [lambda: open(name, "wb"), lambda: os.mkdir(name), lambda: os.rename(file, name),
                lambda: open(name + b"/in", "wb")]
        for number, call in enumerate(make):
            with self.assertRaises(OSError) as caught:
                call()
            wanted = errno.EILSEQ if number < 3 else errno.ENOENT
            self.assertEqual(caught.exception.errno, wanted, number)
        for call in (os.stat, os.unlink, os.rmdir, os.listdir):
            self.assertRaises(FileNotFoundError, call, name)
        ended = self.daemon.forebay("put", self.write("one", b"1"), b"caf\xe9")
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"the name is no UTF-8", ended.stderr)
        ended = self.daemon.forebay("get", b"caf\xe9", self.path("got"))
        self.assertIn(os.strerror(errno.ENOENT).encode(), ended.stderr)
        self.assertEqual(os.listdir(os.fsencode(mount)), [b"caf\xc3\xa9"])
        self.assertEqual([key for _, _, key in self.bucket.seen if "\ufffd" in key], [])
        self.assertNotIn("origin_failed", self.daemon.log())

    def test_names_that_are_no_utf_8_are_no_objects(self):
        self.check_bytes(self.object_store())

    def test_names_that_are_no_utf_8_are_no_records(self):
        self.check_bytes(self.with_records())


if __name__ == "__main__":
    hw_test.main("hw_mount_programs_test", at_once=3, needs_fuse=True, what_is_missing=install)
