"""Runs tests that mostly wait, some at once, each in a process of its own, so that they take
the time of their work and not the sum of their waits."""

import os
import sys
import tempfile
import time
import unittest


def flat(suite):
    for one in suite:
        yield from flat(one) if isinstance(one, unittest.TestSuite) else [one]


def run_alone(test):
    """A test in a process of its own: its id, and files for its own words and for unittest's."""
    words, output = tempfile.TemporaryFile(), tempfile.TemporaryFile()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.dup2(words.fileno(), 1)
        os.dup2(output.fileno(), 2)
        begun = time.monotonic()
        result = unittest.TextTestRunner(verbosity=2).run(test)
        print("%.1f s" % (time.monotonic() - begun), file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(2 if not result.wasSuccessful() else 1 if result.skipped else 0)
    return child, (words, output)


def taken(file):
    with file:
        file.seek(0)
        return file.read().decode(errors="replace")


def run(suite, at_once):
    """Tests that mostly wait, some at once, each in a process of its own. Prints how each went;
    were all fine?"""
    tests, running, counts = list(flat(suite)), {}, [0, 0, 0]
    while tests or running:
        while tests and len(running) < at_once:
            test = tests.pop(0)
            child, kept = run_alone(test)
            running[child] = test.id(), kept
        child, status, used = os.wait4(-1, 0)
        if child not in running:
            continue
        code = os.waitstatus_to_exitcode(status)
        counts[code if code in (0, 1) else 2] += 1
        name, kept = running.pop(child)
        words, text = (taken(file) for file in kept)
        seconds = text.strip().rsplit("\n", 1)[-1]
        print(words + (text if code != 0 else "%s: %s, %.1f s of work" % (
            name, seconds, used.ru_utime + used.ru_stime)), flush=True)
    print("%d passed, %d skipped, %d failed" % tuple(counts))
    return counts[2] == 0
