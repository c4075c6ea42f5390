#!/usr/bin/env python3
"""Every command that README.md, docs/ and `forebay --help` show works: the examples of the help and
the blocks of the pages are run against a daemon, smaller where they would take long, or name the
test that runs them; of what stands in a line of text, subcommand and options are there.

usage: hw_commands_test.py BUILD [unittest's arguments]    exit code 77: there is no io_uring here
"""

import glob
import os
import re
import shlex
import subprocess
import unittest

import hw_test
from hw_test import Case, Daemon

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "tests/README.md"]
# Who else runs it, for the same words.
ELSEWHERE = {
    "./forebay run experiments/quickstart.yaml": "documents_test.py",
    "forebay run experiments/quickstart.yaml": "documents_test.py",
    "./forebay run experiments/training-read.yaml --expect": "experiments.sh",
    "./forebay test --quick": "documents_test.py counts it; ./forebay test is what runs this",
    ".ci/run": "is what runs this",
    "cmake -S . -B build -G Ninja && cmake --build build && (cd build && cpack)": "package_test.py",
    "dpkg -i build/*.deb": "package_test.py",
    "cp /usr/share/doc/*/examples/cluster.yaml forebayd.yaml && $EDITOR forebayd.yaml":
        "package_test.py starts it with an installed example",
    "mkdir -p /run/forebay": "is no command of ours",
    "forebayd --config forebayd.yaml --set node=0": "setUp starts a daemon so",
    "forebay calibrate --listen 0.0.0.0:7799": "hw_calibrate_test.py: network and all",
    "forebay calibrate --out /tmp/here --peer cache-1:7799": "hw_calibrate_test.py",
    "forebay mount /mnt/datasets": "hw_mount_test.py",
    "forebay mount /mnt/forebay": "hw_mount_test.py",
    "forebay bench step": "bench_commands_test.py",
    "forebay bench scale": "bench_commands_test.py",
    "forebay bench fluid --hosts 100000": "bench_commands_test.py",
    "forebay leave --patience '10 min'": "test_leave",
}
# The same, smaller, or with what stands here in place of what stands on a cluster.
INSTEAD = {
    "forebay swarm --seeds 10000": "forebay swarm --seeds 20",
    "forebay replay --events /var/log/forebay/events": "forebay replay --events events",
    "./forebay run experiments/kv-cache.yaml --set workload.trace=conversation_trace.jsonl":
        "forebay run experiments/kv-cache.yaml --set workload.trace=trace.jsonl",
    "forebay doctor --config hw/examples/cluster.yaml": "forebay doctor --config forebayd.yaml",
    "forebay stats --interval '5 s'": "forebay stats --interval '100 ms' --count 2",
    "forebay help --man | man -l -": "forebay help --man | grep '^.TH'",
    "forebay get --verbose weights/layer-01.safetensors /tmp/layer-01":
        "forebay get --verbose weights/layer-01.safetensors layer-01",
    "forebay get models/weights.safetensors - | sha256sum":
        "forebay put weights.safetensors models/weights.safetensors && "
        "forebay get models/weights.safetensors - | sha256sum -c <(sha256sum <weights.safetensors)",
}


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as page:
        return page.read()


def pages():
    return PAGES + [os.path.relpath(path, ROOT) for path in glob.glob(f"{ROOT}/docs/*.md")]


def help_of(*words):
    return hw_test.run(hw_test.program("forebay"), *words, "--help").stdout.decode()


def subcommands():
    text = help_of().split("Subcommands:\n", 1)[1].split("\nOptions:", 1)[0]
    return re.findall(r"^  (\w+)", text, re.M)


def examples():
    for name in subcommands():
        text = help_of(name)
        if "Examples:\n" in text:
            yield from re.findall(r"^  (\S.*)$", text.split("Examples:\n", 1)[1], re.M)


def blocks():
    """Lines of the pages' blocks that are commands."""
    for path in pages():
        for block in re.findall(r"^```\w*\n(.*?)^```", read(path), re.M | re.S):
            for line in block.split("\n"):
                line = re.sub(r"  +#.*", "", line.removeprefix("$ ")).strip()
                if re.match(r"(\./forebay|forebayd?|cmake|dpkg|cp|mkdir|\.ci/run|python3|sh) ",
                            line):
                    yield line


class Commands(Case):
    def setUp(self):
        super().setUp()
        for name in ("weights/layer-01.safetensors", "data/epoch-1.tar", "checkpoints/step-900.pt"):
            self.object(name, 1 << 20)
        for name in ("experiments", "models", "hw"):
            os.symlink(os.path.join(ROOT, name), self.path(name))
        for name in ("step-1000.pt", "weights.safetensors"):
            self.write(name, os.urandom(100000))
        os.symlink(os.path.join(ROOT, "models/samples/conversation-small.jsonl"),
                   self.path("trace.jsonl"))
        with open(self.config, "rb") as file:
            self.write("forebayd.yaml", file.read())
        self.daemon = Daemon(self, self.path("forebayd.yaml"), "node=0",
                             "record=" + self.path("events"))

    def shell(self, command):
        path = hw_test.BUILD + ":" + os.environ["PATH"]
        return subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True,
                              text=True, check=False, cwd=self.folder, timeout=300,
                              env={**os.environ, "PATH": path,
                                   "FOREBAY_SOCKET": self.daemon.socket})

    def works(self, shown):
        command = INSTEAD.get(shown, shown)
        if shown in ELSEWHERE:
            return
        ended = self.shell(command)
        self.assertEqual(ended.returncode, 0, f"{shown}: {command}:\n{ended.stdout}{ended.stderr}")

    def test_examples_of_the_help(self):
        shown = [one for one in examples() if not one.startswith("./")]
        self.assertGreater(len(shown), 25)
        for command in shown:
            with self.subTest(command=command):
                self.works(command)

    def test_blocks_of_the_pages(self):
        shown = list(blocks())
        self.assertGreater(len(shown), 10)
        for command in shown:
            with self.subTest(command=command):
                self.works(command)

    def test_nothing_stands_in_the_tables_that_is_shown_nowhere(self):
        shown = set(examples()) | set(blocks())
        self.assertEqual({*ELSEWHERE, *INSTEAD} - shown - {".ci/run"}, set())

    def test_leave(self):
        ended = self.shell("forebay leave --patience '10 min'")
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)


class Words(unittest.TestCase):
    """Commands within text: placeholders and all."""

    def shown(self):
        models = [os.path.relpath(path, ROOT)
                  for path in glob.glob(f"{ROOT}/models/**/*.yaml", recursive=True)]
        for path in pages() + models:
            text = read(path)
            found = (re.findall(r"`((?:\./)?forebayd? [^`]+)`", text) if path.endswith(".md") else
                     re.findall(r"(forebay (?:bench|calibrate)[ \w-]*)", text))
            for command in found:
                yield path, " ".join(command.split())

    def test_subcommands_and_options_are_there(self):
        known = {name: help_of(name) for name in subcommands()}
        known["forebayd"] = hw_test.run(hw_test.program("forebayd"), "--help").stdout.decode()
        count = 0
        for path, command in self.shown():
            words = shlex.split(command.replace("'", "").split(" | ")[0])
            name = "forebayd" if words[0].endswith("forebayd") else words[1]
            with self.subTest(page=path, command=command):
                if name in ("--help", "--version", "SUBCOMMAND"):
                    continue
                self.assertIn(name, known)
                usage = known[name].split("\n", 1)[0]
                for word in words[1:]:
                    if word.startswith("--"):
                        self.assertIn(word.split("=")[0].split("[")[0], known[name] + " --help")
                if name == "bench" and len(words) > 2:
                    self.assertIn(words[2], usage)
                count += 1
        self.assertGreater(count, 40)


if __name__ == "__main__":
    hw_test.main("hw_commands_test")
