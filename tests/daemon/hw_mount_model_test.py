#!/usr/bin/env python3
"""Random operations on a mount and on a plain folder: after each one both say the same, also that
it failed, and why. Files are written through handles that stay open, in any place, by mappings,
too; folders with all in them move. A second daemon's mount sees, once nothing is open for writing,
what the first one has.

usage: hw_mount_model_test.py BUILD [--seed N] [--operations N]
exit code 77: no io_uring or no FUSE here
"""

import argparse
import ctypes
import errno
import mmap
import os
import random
import stat
import sys
import tempfile
import unittest

import hw_test
from hw_test import Case, Daemon

NAMES = ["a", "b", "c", "a/x", "a/y", "b/x", "d", "d/e", "d/e/f"]
SIZE_MAX = 700000
FLAGS = [os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREAT, os.O_RDWR | os.O_CREAT | os.O_TRUNC,
         os.O_WRONLY | os.O_CREAT | os.O_EXCL, os.O_RDWR | os.O_APPEND]


class Side:
    """A folder, and the handles that are open in it."""

    def __init__(self, root):
        self.root = root
        self.handles = {}

    def path(self, name):
        return os.path.join(self.root, name)

    def do(self, operation, *arguments):
        """What it returned, or the errno's name."""
        try:
            return getattr(self, operation)(*arguments)
        except OSError as error:
            return errno.errorcode[error.errno]

    def open(self, key, name, flags):
        self.handles[key] = os.open(self.path(name), flags, 0o640)

    def close(self, key):
        os.close(self.handles.pop(key))

    def write(self, key, offset, content):
        return os.pwrite(self.handles[key], content, offset)

    def append(self, key, content):
        return os.write(self.handles[key], content)

    def read(self, key, offset, size):
        return os.pread(self.handles[key], size, offset)

    def size(self, key):
        facts = os.fstat(self.handles[key])
        return facts.st_size if stat.S_ISREG(facts.st_mode) else "no file"

    def cut(self, key, size):
        os.ftruncate(self.handles[key], size)

    def sync(self, key):
        os.fsync(self.handles[key])

    def punch(self, key, offset, size):
        keep_size_and_make_a_hole = 3
        return libc_fallocate(self.handles[key], keep_size_and_make_a_hole, offset, size)

    def map(self, key, offset, content):
        """Writes through a mapping, if the file is long enough."""
        length = os.fstat(self.handles[key]).st_size
        if length < offset + len(content) or len(content) == 0:
            return "short"
        with mmap.mmap(self.handles[key], length) as memory:
            memory[offset:offset + len(content)] = content
        return "mapped"

    def mkdir(self, name, mode):
        os.mkdir(self.path(name), mode)

    def rmdir(self, name):
        os.rmdir(self.path(name))

    def unlink(self, name):
        os.unlink(self.path(name))

    def rename(self, name, other):
        os.rename(self.path(name), self.path(other))

    def truncate(self, name, size):
        os.truncate(self.path(name), size)

    def chmod(self, name, mode):
        os.chmod(self.path(name), mode)

    def utime(self, name, time_ns):
        os.utime(self.path(name), ns=(time_ns, time_ns))

    def symlink(self, target, name):
        os.symlink(target, self.path(name))

    def link(self, name, other):
        os.link(self.path(name), self.path(other), follow_symlinks=False)

    def look(self, name):
        facts = os.lstat(self.path(name))
        kind = stat.S_IFMT(facts.st_mode)
        if kind == stat.S_IFDIR:
            return kind, stat.S_IMODE(facts.st_mode), sorted(os.listdir(self.path(name)))
        if kind == stat.S_IFLNK:
            return kind, os.readlink(self.path(name))
        with open(self.path(name), "rb") as file:
            return kind, stat.S_IMODE(facts.st_mode), facts.st_size, facts.st_nlink, file.read()

    def tree(self):
        found = {"": sorted(os.listdir(self.root))}
        for folder, folders, files in os.walk(self.root):
            for name in folders + files:
                path = os.path.relpath(os.path.join(folder, name), self.root)
                found[path] = self.look(path)
        return found


def libc_fallocate(file, mode, offset, size):
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.fallocate(file, mode, ctypes.c_long(offset), ctypes.c_long(size))
    if result != 0:
        raise OSError(ctypes.get_errno(), "fallocate")
    return result


class Player:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.keys = 0
        self.opened = {}  # key -> flags

    def content(self):
        size = self.random.choice([1, 100, 5000, self.random.randrange(1, 200000)])
        return self.random.randbytes(size)

    def next(self):
        """An operation and its arguments."""
        name, other = self.random.choice(NAMES), self.random.choice(NAMES)
        key = self.random.choice(list(self.opened)) if self.opened else None
        offset = self.random.randrange(SIZE_MAX)
        of_handle = [("write", key, offset, self.content()), ("read", key, offset, 100000),
                     ("size", key), ("cut", key, offset), ("sync", key), ("close", key),
                     ("write", key, self.random.randrange(5000), self.content()),
                     ("map", key, self.random.randrange(50000), self.content()),
                     ("punch", key, offset, 1 + self.random.randrange(100000))]
        of_names = [("open", "?", name, self.random.choice(FLAGS)),
                    ("open", "?", name, self.random.choice(FLAGS)),
                    ("mkdir", name, self.random.choice([0o755, 0o700])), ("rmdir", name),
                    ("unlink", name), ("rename", name, other), ("rename", name, other),
                    ("truncate", name, offset), ("chmod", name, self.random.choice([0o600, 0o644])),
                    ("utime", name, self.random.randrange(10**18)), ("symlink", other, name),
                    ("link", name, other), ("look", name)]
        if key is not None and self.opened[key] & os.O_APPEND:
            of_handle = [("append", key, self.content()), ("close", key), ("size", key)]
        if key is not None and (self.random.random() < 0.6 or len(self.opened) > 5):
            return self.random.choice(of_handle)
        return self.random.choice(of_names)


class Model(Case):
    seed, operations, played = 0, 0, []

    def test_mount_does_what_a_folder_does(self):
        text, _ = self.pair()
        first = Daemon(self, text, name="first")
        second = Daemon(self, text, "node=1", "client.socket=" + self.path("second"), name="second")
        mount = Side(first.mount(self))
        other = Side(second.mount(self, name="mount2"))
        plain = Side(tempfile.mkdtemp(dir=self.folder))
        player = Player(self.seed)
        self.addCleanup(lambda: [side.close(key) for side in (mount, plain)
                                 for key in list(side.handles)])
        for step in range(self.operations):
            self.step(step, player, mount, plain)
            if not mount.handles and step % 7 == 0:
                self.check_tree(other, plain, step)
        for key in list(player.opened):
            self.assertEqual(mount.do("close", key), plain.do("close", key))
        self.check_tree(mount, plain, self.operations)
        self.check_tree(other, plain, self.operations)

    def is_open_by_another_name(self, side, what):
        """A file of several names is written through one of them at a time: docs/mount.md."""
        try:
            facts = os.stat(side.path(what[2] if what[0] == "open" else what[1]))
        except OSError:
            return False
        is_linked = facts.st_nlink > 1 or what[0] == "link"
        return is_linked and facts.st_ino in [os.fstat(handle).st_ino
                                              for handle in side.handles.values()]

    def has_name(self, side, key):
        facts = os.fstat(side.handles[key])
        return facts.st_nlink > 0

    def check_tree(self, side, plain, step):
        trees = [side.tree(), plain.tree()]
        names = sorted(name for name in trees[0].keys() | trees[1].keys()
                       if trees[0].get(name) != trees[1].get(name))
        told = ["%s: %s, not %s" % (name, *(str(tree.get(name))[:80] for tree in trees))
                for name in names]
        self.assertEqual(names, [], "seed %d step %d: %s has %s; before: %s" % (
            self.seed, step, side.root, told, "\n".join(str(one) for one in self.played[-25:])))

    def step(self, step, player, mount, plain):
        what = player.next()
        if what[0] == "open":
            player.keys += 1
            what = ("open", player.keys, what[2], what[3])
        if what[0] in ("open", "link", "truncate") and self.is_open_by_another_name(plain, what):
            return
        outcomes = [side.do(*what) for side in (mount, plain)]
        self.played.append(what[:2] + tuple(part if not isinstance(part, bytes) else len(part)
                                            for part in what[2:]) + (str(outcomes[1])[:40],))
        told = "seed %d step %d: %s" % (self.seed, step, " ".join(
            str(part) if not isinstance(part, bytes) else "%d bytes" % len(part) for part in what))
        short = [str(outcome)[:200] for outcome in outcomes]
        self.assertTrue(outcomes[0] == outcomes[1], "%s: mount %s, folder %s; before: %s" % (
            told, *short, "\n".join(str(one) for one in self.played[-25:])))
        # What is written to a file of several names is seen by its other names once it is synced.
        for key in list(plain.handles):
            if os.fstat(plain.handles[key]).st_nlink > 1:
                self.assertIn(mount.do("sync", key), (None, "EINVAL"))
        if what[0] == "open" and outcomes[0] is None:
            player.opened[what[1]] = what[3]
        if what[0] == "close":
            del player.opened[what[1]]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--operations", type=int, default=1500)
    options = parser.parse_args()
    hw_test.BUILD = os.path.abspath(options.build)
    if not hw_test.has_io_uring():
        print("hw_mount_model_test: skipped: no io_uring here")
        sys.exit(77)
    if os.geteuid() != 0 or not os.access("/dev/fuse", os.W_OK):
        print("hw_mount_model_test: skipped: no FUSE here (or not root)")
        sys.exit(77)
    print("seed %d" % options.seed)
    Model.seed, Model.operations = options.seed, options.operations
    unittest.main(argv=sys.argv[:1], verbosity=1)
