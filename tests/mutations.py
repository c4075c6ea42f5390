#!/usr/bin/env python3
"""Plants known bugs in the core, one after the other, and asks the swarm to find each.

Every tests/mutations/NAME.patch is a bug: a line of text that says what it does wrong, then a
unified diff. For each a copy of the sources is patched and built (optimised, the program only), and
`forebay swarm` runs it until a seed fails. Prints a row a bug: the seed, which check it broke, the
seconds. The unpatched sources must pass the same seeds that found the last of the bugs.

usage: mutations.py [--seeds N] [--jobs N] [--folder DIR] [NAME]...
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
ROOT = os.path.dirname(HERE)
PATCHES = os.path.join(HERE, "mutations")
LEFT_OUT = re.compile(r"^(build.*|\..*|swarm-failures|__pycache__)$")


def run(command, folder):
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)


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


def patch(source, path, is_back):
    command = ["patch", "-p1", "--fuzz=0", "--no-backup-if-mismatch", "--quiet", "-i", path]
    return run(command + (["-R"] if is_back else []), source)


def hunt(folder, options):
    """Builds and runs. The first failing seed and what it said; None: none failed."""
    build = os.path.join(folder, "build")
    must(["ninja", f"-j{options.jobs}", "forebay"], build)
    done = run([os.path.join(build, "forebay"), "swarm", "--seeds", str(options.seeds), "--jobs",
                str(options.jobs), "--until-failure"], folder)
    found = [(int(seed), text) for seed, text in
             re.findall(r"^seed (\d+) \(commit [^)]*\): (.*)$", done.stdout, re.M)]
    if done.returncode != 0 and not found:
        sys.exit(f"mutations: the swarm ended with {done.returncode}\n{done.stdout[-2000:]}")
    return min(found, default=None)


def mutate(folder, source, name, options):
    """One bug; True when it was found."""
    path = os.path.join(PATCHES, name + ".patch")
    with open(path, encoding="utf-8") as stream:
        text = stream.readline().strip()
    begin = time.monotonic()
    applied = patch(source, path, False)
    if applied.returncode != 0:
        print(f"{name:24} {'-':>6}  the patch does not apply: bring it up to date: {path}\n"
              f"{applied.stdout}")
        return False, 0
    found = hunt(folder, options)
    must(["patch", "-p1", "--quiet", "-R", "-i", path], source)
    seconds = time.monotonic() - begin
    seed, what = found if found else ("none", "NOT FOUND")
    print(f"{name:24} {seed:>6} {seconds:6.0f}  {what.split(': ')[0]:16} {text}", flush=True)
    return found is not None, found[0] if found else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=1000, help="at most, for each bug")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--folder", default=os.path.join(ROOT, "build", "mutations"))
    parser.add_argument("names", nargs="*", help="default: all")
    options = parser.parse_args()
    known = sorted(entry[:-6] for entry in os.listdir(PATCHES) if entry.endswith(".patch"))
    unknown = [name for name in options.names if name not in known]
    if unknown:
        sys.exit(f"mutations: {unknown[0]}: no such patch in {PATCHES}")
    folder = os.path.abspath(options.folder)
    source = prepare(folder)
    print(f"{'bug':24} {'seed':>6} {'s':>6}  {'broken check':16} what it does", flush=True)
    verdicts = [mutate(folder, source, name, options) for name in options.names or known]
    clean = hunt(folder, options)
    found = sum(is_found for is_found, _ in verdicts)
    print(f"{found} of {len(verdicts)} found within {options.seeds} seeds; without a bug: "
          f"{'nothing' if clean is None else f'seed {clean[0]}: {clean[1]}'}")
    sys.exit(0 if found == len(verdicts) and clean is None else 1)


if __name__ == "__main__":
    main()
