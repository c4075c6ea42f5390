#!/usr/bin/env python3
"""Plants known bugs, one after the other, and asks the swarm or a test to find each.

Every tests/mutations/NAME.patch is a bug: a line of text that says what it does wrong, at most one
line `found-by: TEST...`, then a unified diff. For each a copy of the sources is patched and built
(optimised). Without found-by `forebay swarm` runs it until a seed fails, first the seed at which it
was found last; else the named tests must fail: test_NAME is a unit, others are ctest's. Prints a
row a bug: seed or test, seconds, which check it broke. The unpatched sources must pass the same.

tests/mutations/TABLE.md says what found each; --write writes it anew, --check compares its names
with the patches and sees that each applies, and builds nothing.

usage: mutations.py [--seeds N] [--jobs N] [--folder DIR] [--third [N] | NAME...] [--seconds N]
       mutations.py --write ...     mutations.py --check
exit code: 1 if a bug was not found, a patch does not apply, or the unpatched sources fail
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PATCHES = HERE
TABLE = os.path.join(PATCHES, "TABLE.md")
LEFT_OUT = re.compile(r"^(build.*|\..*|swarm-failures|__pycache__)$")
YET = "not found yet"
HEAD = ("# The planted bugs, and what finds each\n\n"
        "Written by `python3 tests/mutations/mutations.py --write`. A seed is one of the "
        "swarm's.\n\n"
        "| bug | found by | what it does |\n|---|---|---|\n")


def run(command, folder):
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False)


def must(command, folder):
    done = run(command, folder)
    if done.returncode != 0:
        sys.exit(f"mutations: {' '.join(command)}: exit {done.returncode}\n{done.stdout[-2000:]}")


def prepare(folder):
    """A fresh copy of the sources beside its build folder, which is kept for its objects."""
    source = os.path.join(folder, "source")
    shutil.rmtree(source, ignore_errors=True)
    os.makedirs(folder, exist_ok=True)
    shutil.copytree(ROOT, source, symlinks=True,
                    ignore=lambda _, names: [name for name in names if LEFT_OUT.match(name)])
    launcher = shutil.which("ccache")
    options = [f"-DCMAKE_C_COMPILER_LAUNCHER={launcher}"] if launcher else []
    must(["cmake", "-G", "Ninja", "-B", os.path.join(folder, "build"), "-S", source,
          "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_C_FLAGS_RELEASE=-O2"] + options, folder)
    return source


def patch(source, path, *more):
    command = ["patch", "-p1", "--fuzz=0", "--no-backup-if-mismatch", "--quiet", "-i", path]
    return run(command + list(more), source)


class Bug:
    """A patch: its name, what it does, the tests that find it (none: the swarm), the last seed."""

    def __init__(self, name, rows):
        self.name = name
        self.path = os.path.join(PATCHES, name + ".patch")
        with open(self.path, encoding="utf-8") as stream:
            lines = stream.read().splitlines()
        self.text = lines[0]
        self.tests = lines[1][9:].split() if lines[1].startswith("found-by:") else []
        seed = re.match(r"seed (\d+)", rows.get(name, ""))
        self.seed = int(seed.group(1)) if seed else None


def table_rows():
    """What the table says found each bug, by name."""
    if not os.path.exists(TABLE):
        return {}
    with open(TABLE, encoding="utf-8") as stream:
        cells = [line.split(" | ") for line in stream if line.startswith("| ")]
    return {cell[0][2:]: cell[1] for cell in cells[1:]}


def known_bugs():
    rows = table_rows()
    return [Bug(entry[:-6], rows) for entry in sorted(os.listdir(PATCHES))
            if entry.endswith(".patch")]


def swarm(build, first, seeds, options):
    """The first of these seeds that fails and what it said; None: none."""
    done = run([os.path.join(build, "forebay"), "swarm", "--first-seed", str(first), "--seeds",
                str(seeds), "--jobs", str(options.jobs), "--until-failure"], build)
    found = [(int(seed), text) for seed, text in
             re.findall(r"^seed (\d+) \(commit [^)]*\): (.*)$", done.stdout, re.M)]
    if done.returncode != 0 and not found:
        sys.exit(f"mutations: the swarm ended with {done.returncode}\n{done.stdout[-2000:]}")
    return min(found, default=None)


def hunt(folder, bug, options):
    """Builds and looks for the bug. What found it, and the check it broke; None: nothing did."""
    build = os.path.join(folder, "build")
    units = [test for test in bug.tests if test.startswith("test_")]
    programs = ["forebay", "forebayd"] if len(units) < len(bug.tests) else []
    must(["ninja", f"-j{options.jobs}"] + (units + programs if bug.tests else ["forebay"]), build)
    if not bug.tests:
        found = swarm(build, bug.seed, 1, options) if bug.seed is not None else None
        found = found or swarm(build, 1, options.seeds, options)
        return (f"seed {found[0]}", found[1].split(": ")[0]) if found else None
    for test in bug.tests:
        done = run(["ctest", "--test-dir", build, "-R", f"^{test}$", "--output-on-failure",
                    "--no-tests=error", "--timeout", "300"], build)
        if done.returncode != 0:
            failed = re.search(r"FAILED  \] (\w+)|FAIL: (\w+)|ERROR: (\w+)|assertion failed",
                               done.stdout)
            words = [word for word in failed.groups() if word] if failed else []
            return test, words[0] if words else "it ended"
    return None


def mutate(folder, source, bug, options):
    """One bug: what found it, or None."""
    begin = time.monotonic()
    applied = patch(source, bug.path)
    if applied.returncode != 0:
        print(f"{bug.name:28} the patch does not apply: bring it up to date: {bug.path}\n"
              f"{applied.stdout}", flush=True)
        return None
    found = hunt(folder, bug, options)
    must(["patch", "-p1", "--quiet", "-R", "-i", bug.path], source)
    by, check = found if found else ("NOT FOUND", "")
    print(f"{bug.name:28} {by:18} {time.monotonic() - begin:5.0f}  {check:24} {bug.text}",
          flush=True)
    return by if found else None


def clean(folder, bugs, found, options):
    """Whether the sources without a bug pass what found them, and the swarm's seeds up to the last
    of those: True, or what failed."""
    plain = Bug(bugs[0].name, {})
    seeds = [int(by.split()[1]) for by in found.values() if by and by.startswith("seed ")]
    options = argparse.Namespace(**{**vars(options), "seeds": max(seeds, default=1)})
    for tests in sorted({tuple(bug.tests) for bug in bugs}):
        plain.tests, plain.seed = list(tests), None
        found = hunt(folder, plain, options)
        if found:
            return f"{found[0]}: {found[1]}"
    return True


def check(bugs):
    rows, stale = table_rows(), 0
    for bug in bugs:
        applied = patch(ROOT, bug.path, "--dry-run")
        wanted = (bug.tests or ["seed"]) + [YET.split(" ", maxsplit=1)[0]]
        if applied.returncode != 0:
            print(f"{bug.path}: does not apply: bring it up to date\n{applied.stdout}")
        elif rows.get(bug.name, "").split(" ")[0] not in wanted:
            print(f"{TABLE}: {bug.name}: no row, or found otherwise: --write {bug.name}")
        else:
            continue
        stale += 1
    for name in sorted(set(rows) - {bug.name for bug in bugs}):
        print(f"{TABLE}: {name}: there is no such patch")
        stale += 1
    unfound = sum(by == YET for by in rows.values())
    print(f"{len(bugs)} planted bugs, {unfound} {YET}, {stale} not in order")
    return 1 if stale else 0


def write(found):
    rows = table_rows()
    rows.update({name: by for name, by in found.items() if by})
    with open(TABLE, "w", encoding="utf-8") as stream:
        stream.write(HEAD)
        for bug in known_bugs():
            stream.write(f"| {bug.name} | {rows.get(bug.name, YET)} | {bug.text} |\n")


def a_third(bugs, wanted):
    """The wanted third; 0: another one with each commit, without commits with each day. Those too
    begin at another bug each time, since there may be no time for all."""
    head = run(["git", "-c", "safe.directory=*", "rev-parse", "HEAD"], ROOT).stdout.strip()
    is_hash = re.fullmatch(r"[0-9a-f]{40,}", head) is not None
    draw = int(head, 16) if is_hash else int(time.time() // 86400)
    turn, chosen = draw % 3 if wanted == 0 else wanted - 1, "by argument"
    third = bugs[turn::3]
    if wanted == 0:
        chosen = "by commit" if is_hash else "by day"
        first = draw // 3 % len(third)
        third = third[first:] + third[:first]
    print(f"third {turn + 1} of 3, {chosen} (--third {turn + 1}): "
          + " ".join(bug.name for bug in third), flush=True)
    return third


def hunt_all(bugs, options):
    folder = os.path.abspath(options.folder)
    source = prepare(folder)
    begin, found, left_out = time.monotonic(), {}, 0
    for bug in bugs:
        if options.seconds and time.monotonic() - begin > options.seconds:
            left_out += 1
            continue
        found[bug.name] = mutate(folder, source, bug, options)
    if options.write:
        write(found)
    is_clean = clean(folder, [bug for bug in bugs if bug.name in found], found, options)
    count = sum(by is not None for by in found.values())
    print(f"{count} of {len(found)} found, at most {options.seeds} seeds each; {left_out} left out "
          f"for time; without a bug: {'nothing fails' if is_clean is True else is_clean}")
    return 0 if count == len(found) and is_clean is True else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=3000, help="at most, for each bug")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--folder", default=os.path.join(ROOT, "build", "mutations"))
    parser.add_argument("--seconds", type=int, default=0, help="begin no other after; 0: all")
    parser.add_argument("--third", type=int, nargs="?", const=0, choices=(0, 1, 2, 3),
                        help="that third; 0, or no number: another with each commit")
    parser.add_argument("--write", action="store_true", help="write what was found into TABLE.md")
    parser.add_argument("--check", action="store_true", help="only look at patches and table")
    parser.add_argument("names", nargs="*", help="default: all")
    options = parser.parse_args()
    bugs = known_bugs()
    unknown = [name for name in options.names if name not in [bug.name for bug in bugs]]
    if unknown:
        sys.exit(f"mutations: {unknown[0]}: no such patch in {PATCHES}")
    if options.check:
        sys.exit(check(bugs))
    if options.names:
        bugs = [bug for bug in bugs if bug.name in options.names]
    elif options.third is not None:
        bugs = a_third(bugs, options.third)
    sys.exit(hunt_all(bugs, options))


if __name__ == "__main__":
    main()
