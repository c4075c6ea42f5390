#!/usr/bin/env python3
"""Files of a mount that are made, opened, read, renamed, removed and closed by many at once, so
that a file is gone while calls on it end. Built with sanitizers the mount must say nothing; built
without, what is read is what was written, and the mount ends well.

usage: hw_mount_races_test.py BUILD [--seed N] [--seconds N]
exit code 77: no io_uring or no FUSE here
"""

import argparse
import contextlib
import os
import random
import sys
import threading
import time
import traceback

import hw_test
from hw_test import Case, Daemon

WORKERS = 8
SEED, SECONDS = 1, 8


class Worker(threading.Thread):
    def __init__(self, folder, number, until):
        super().__init__()
        self.folder, self.number, self.until = folder, number, until
        self.random = random.Random("%d %d" % (SEED, number))
        self.rounds, self.failure = 0, None

    def run(self):
        try:
            while time.monotonic() < self.until:
                self.round()
                self.rounds += 1
        except Exception:  # told by the test
            self.failure = traceback.format_exc()

    def round(self):
        """One file, from its first byte to its last handle. Its name comes again sometimes."""
        draw = self.random
        path = os.path.join(self.folder, "f%d_%d" % (self.number, draw.randrange(1000)))
        content = draw.randbytes(draw.choice([1, 100, 5000, 65000]))
        with open(path, "wb") as file:
            file.write(content)
        with open(path, "rb", 0) as read, contextlib.ExitStack() as stack:
            written = stack.enter_context(open(path, "r+b", 0)) if draw.random() < 0.3 else None
            if draw.random() < 0.2:
                os.rename(path, path + ".to")
                path += ".to"
            os.unlink(path)
            if written is not None:
                written.write(content[:1])
            if draw.random() < 0.8:
                at = read.seek(draw.randrange(len(content)))
                assert read.read(4096) == content[at:at + 4096], path


class Strangers(threading.Thread):
    """Looks and reads by names that others take away: each answer is right, or there is none."""

    def __init__(self, folder, until):
        super().__init__()
        self.folder, self.until, self.failure = folder, until, None

    def run(self):
        while time.monotonic() < self.until:
            for name in os.listdir(self.folder)[:20]:
                try:
                    with open(os.path.join(self.folder, name), "rb") as file:
                        file.read()
                except FileNotFoundError:
                    pass
                except OSError as error:
                    self.failure = error


class Races(Case):
    def test_files_that_go_while_calls_on_them_end(self):
        os.mkdir(self.path("metadata"))
        daemon = Daemon(self, self.config, "metadata.kind=lmdb",
                        "metadata.path=" + self.path("metadata"), "core.memory_size=64 MiB")
        folder = daemon.mount(self)
        until = time.monotonic() + SECONDS
        workers = [Worker(folder, number, until) for number in range(WORKERS)]
        strangers = [Strangers(folder, until)]
        for thread in workers + strangers:
            thread.start()
        for thread in workers + strangers:
            thread.join()
        rounds = sum(worker.rounds for worker in workers)
        print("seed %d: %d files in %d s" % (SEED, rounds, SECONDS))
        self.assertEqual([t.failure for t in workers + strangers if t.failure is not None], [])
        self.assertGreater(rounds, WORKERS)


def main():
    global SEED, SECONDS
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    options = parser.parse_args()
    SEED, SECONDS = options.seed, options.seconds
    sys.argv[1:] = [options.build]
    hw_test.main("hw_mount_races_test", at_once=1, needs_fuse=True)


if __name__ == "__main__":
    main()
