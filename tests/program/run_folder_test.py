#!/usr/bin/env python3
"""What `forebay run` leaves in its folder, whatever happens meanwhile: two runs at once, a kill -9,
an earlier run's results; and what its manifest, checks and seeds say of a whole sweep.

usage: run_folder_test.py PROGRAM [unittest's arguments]
"""

import glob
import json
import os
import subprocess
import sys
import time
import unittest

import program_test
from program_test import TRAINING, Folder, run

LONG = ["--set", "workload.epochs=2000", "--set", "seeds=1"]


class Case(Folder):
    def experiment(self, more="", name="small"):
        text = TRAINING.replace("NETWORK", "fluid") + more
        return self.write("a.yaml", text.replace("experiment: small", "experiment: " + name))

    def summary(self, out):
        with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
            return json.load(file)

    def value(self, out, point, metric):
        return self.summary(out)["points"][point]["metrics"][metric]["value"]


class OneFolder(Case):
    def start(self, *arguments):
        """A long run, from when it has its folder on."""
        out = self.path("out")
        child = subprocess.Popen([program_test.PROGRAM, "run", self.experiment(), "--quiet",
                                  "--out", out, *LONG, *arguments], stderr=subprocess.PIPE)

        def end():
            child.kill()
            child.wait()
            child.stderr.close()

        self.addCleanup(end)
        stop = time.monotonic() + 60
        while not os.path.exists(os.path.join(out, "running.json")):
            self.assertLess(time.monotonic(), stop)
            self.assertIsNone(child.poll())
            time.sleep(0.01)
        return child, out

    def test_second_run_at_once_is_refused_and_spoils_nothing(self):
        child, out = self.start()
        ended = run("run", self.path("a.yaml"), "--quiet", "--out", out)
        self.assertEqual(ended.returncode, 2)
        self.assertIn("another run writes there now", ended.stderr)
        self.assertIsNone(child.poll())

    def test_killed_run_leaves_no_child_and_nothing_whole(self):
        child, out = self.start()
        listing = "/proc/%d/task/%d/children" % (child.pid, child.pid)
        stop = time.monotonic() + 60
        children = ""
        while not children.strip():
            self.assertLess(time.monotonic(), stop)
            with open(listing, encoding="ascii") as file:
                children = file.read()
        child.kill()
        child.wait()
        for process in children.split():
            while os.path.exists("/proc/%s/exe" % process):
                self.assertLess(time.monotonic(), stop)
                time.sleep(0.01)
        self.assertIn("running.json", os.listdir(out))
        self.assertNotIn("manifest.json", os.listdir(out))

    def test_killed_run_goes_on_where_it_was(self):
        experiment = self.experiment("sweep: {workload.epochs: [1, 1000000]}\n")
        out, whole = self.path("out"), self.path("whole")
        child = subprocess.Popen([program_test.PROGRAM, "run", experiment, "--quiet", "--jobs",
                                  "1", "--seeds", "1", "--out", out])
        stop = time.monotonic() + 60
        while not glob.glob(os.path.join(out, "runs", "*.run")):
            self.assertLess(time.monotonic(), stop)
            time.sleep(0.01)
        child.kill()
        child.wait()
        experiment = self.experiment("sweep: {workload.epochs: [1, 2]}\n")
        arguments = ["run", experiment, "--quiet", "--seeds", "1", "--out"]
        again = run(*arguments, out)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("1 of 2 runs were done before", again.stderr)
        self.assertNotIn("runs", os.listdir(out))
        self.assertNotIn("running.json", os.listdir(out))
        self.assertEqual(run(*arguments, whole).returncode, 0)
        self.assertEqual(self.manifest(out)["determinism_hash"],
                         self.manifest(whole)["determinism_hash"])

    def test_results_of_before_are_said_to_be_replaced(self):
        arguments = ["run", self.experiment(), "--seeds", "1", "--out", self.path("out")]
        self.assertNotIn("replaces", run(*arguments).stderr)
        self.assertIn("replaces", run(*arguments).stderr)

    def test_file_as_folder_is_refused_before_the_work(self):
        blocked = self.write("file", "mine")
        ended = run("run", self.experiment(), *LONG, "--out", blocked)
        self.assertEqual(ended.returncode, 2)
        with open(blocked, encoding="ascii") as file:
            self.assertEqual(file.read(), "mine")

    def test_experiment_that_names_another_folder_is_refused(self):
        for name in ("../x", "a/b", ".hidden", ""):
            path = self.experiment(name='"%s"' % name)
            ended = run("run", path)
            self.assertEqual(ended.returncode, 2, ended.stderr)
            self.assertIn("experiment", ended.stderr)


class Sweeps(Case):
    def test_manifest_is_of_all_points(self):
        origins = "sweep: {cluster.origin: [posix-local, %s]}\n"
        hashes = []
        for second in ("azure-blob-large", "azure-blob-standard"):
            out = self.path(second)
            path = self.experiment(origins % second)
            self.assertEqual(run("run", path, "--quiet", "--seeds", "1", "--out",
                                 out).returncode, 0)
            manifest = self.manifest(out)
            self.assertTrue([name for name in manifest["inputs_sha256"] if second in name])
            self.assertTrue([text for text in manifest["guesses"] if text.startswith("azure")])
            hashes.append(manifest["config_sha256"])
        self.assertNotEqual(hashes[0], hashes[1])

    def test_seeds_are_not_swept_and_first_seeds_are(self):
        ended = run("run", self.experiment("sweep: {seeds: [1, 3]}\n"), "--out", self.path("o"))
        self.assertEqual(ended.returncode, 2)
        self.assertIn("is of the whole run", ended.stderr)
        out = self.path("out")
        path = self.experiment("sweep: {first_seed: [1, 7]}\n")
        self.assertEqual(run("run", path, "--quiet", "--seeds", "1", "--out", out).returncode, 0)
        self.assertEqual([one["seed"] for one in self.manifest(out)["runs"]], [1, 7])
        self.assertNotEqual(self.value(out, 0, "origin_fetch_bytes"),
                            self.value(out, 1, "origin_fetch_bytes"))

    def test_all_bits_of_a_seed_count(self):
        found = set()
        for seed in (1, 1 + (1 << 32), (1 << 64) - 2000):
            out = self.path(str(seed))
            ended = run("run", self.experiment(), "--quiet", "--seeds", "1", "--seed", str(seed),
                        "--out", out)
            self.assertEqual(ended.returncode, 0, ended.stderr)
            self.assertEqual(self.manifest(out)["runs"][0]["seed"], seed)
            found.add(self.value(out, 0, "origin_fetch_bytes"))
        self.assertEqual(len(found), 3)


class Checks(Case):
    def expect(self, more):
        return run("run", self.experiment(more), "--quiet", "--seeds", "1", "--expect", "--out",
                   self.path("out"))

    def test_every_check_counts(self):
        fine, bad = "- {metric: steps, min: 1}\n", "- {metric: steps, max: 0}\n"
        self.assertEqual(self.expect("checks:\n" + 300 * fine).returncode, 0)
        ended = self.expect("checks:\n" + 300 * fine + bad)
        self.assertEqual(ended.returncode, 1)
        self.assertEqual(ended.stdout.count("\n"), 301)

    def test_every_key_of_a_point_counts(self):
        keys = ["lends_max", "fills_max", "waiters_max", "matches_max", "puts_max"]
        sweep = "sweep:\n" + "".join("  core.%s: [100]\n" % key for key in keys)
        at = ", ".join("core.%s: 100" % key for key in keys)
        check = "checks:\n- {metric: steps, min: 1, at: {%s}}\n"
        self.assertEqual(self.expect(sweep + check % at).returncode, 0)
        wrong = at.replace("puts_max: 100", "puts_max: 99")
        self.assertEqual(self.expect(sweep + check % wrong).returncode, 1)

    def sweep(self, values):
        """A run of a sweep with a curve for each value: what it prints, and its plot."""
        out = self.path("out%d" % len(values))
        ended = run("run", self.experiment(
            "sweep: {workload.files: [28, 56], core.memory_size: [%s]}\n" % ", ".join(values)),
            "--seeds", "1", "--set", "workload.epochs=1", "--out", out)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        with open(os.path.join(out, "sweep_1.gp"), encoding="utf-8") as file:
            return ended.stdout, file.read()

    def test_more_curves_and_columns_than_are_shown(self):
        for count in (7, 8):
            text, plot = self.sweep(["%d GiB" % (8 + i) for i in range(count)])
            self.assertEqual(plot.count("with linespoints"), 7)
            self.assertEqual("the first of them; summary.json has all" in plot, count == 8)
        header = next(line for line in text.split("\n") if line.split()[-1:] == ["F"])
        self.assertNotIn("G", header.split()[-7:])
        self.assertRegex(text, r"\n\d+ more columns: summary.json\n")

    def test_more_keys_than_a_point_has_are_refused(self):
        for count, code in ((8, 1), (9, 2)):  # eight are read, and fit no point
            at = ", ".join("core.key%d: 1" % i for i in range(count))
            ended = self.expect("checks:\n- {metric: steps, min: 1, at: {%s}}\n" % at)
            self.assertEqual(ended.returncode, code)
            self.assertEqual("more than 8 keys" in ended.stderr, count == 9)


if __name__ == "__main__":
    program_test.PROGRAM = os.path.abspath(sys.argv.pop(1))
    os.chdir(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    unittest.main()
