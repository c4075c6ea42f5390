#!/usr/bin/env python3
"""Runs the built program as a user would: bad input, Ctrl-C, a full disk, the same run twice.

usage: program_test.py PROGRAM [unittest's arguments]

Bad input must give one line on stderr that holds the given text, the given exit code, and no
results folder that looks whole. Runs are small: one node or two, seconds at most.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = ""
SMALL = ["run", "experiments/kv-cache.yaml", "--quiet"]
TRAINING = """
schema_version: 1
experiment: small
question: "Does a small run give the same figures twice?"
expect: "It does."
cluster: {nodes: 2, accelerators: 1, hardware: gpu-node-h100, network: leaf-spine-400g,
          origin: azure-blob-standard}
simulation: {network: NETWORK}
core: {policy: lru, block_size: 16 MiB, memory_size: 8 GiB}
workload: {kind: training, dlio: unet3d_h100, files: 28, epochs: 2}
seeds: 2
"""


def run(*arguments, timeout_s=120):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=timeout_s,
                          check=False)


class Folder(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = self.temporary.name
        self.addCleanup(self.temporary.cleanup)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def manifest(self, out):
        with open(os.path.join(out, "manifest.json"), encoding="utf-8") as file:
            return json.load(file)


class BadInput(Folder):
    def refuses(self, arguments, text, code=2):
        """One line that holds `text`; `code`; nothing that looks like a result."""
        out = self.path("out")
        ended = run(*arguments, *(["--out", out] if arguments[0] == "run" else []))
        lines = ended.stderr.strip().split("\n")
        self.assertEqual(len(lines), 1, ended.stderr)
        self.assertIn(text, lines[0])
        self.assertEqual(ended.returncode, code, ended.stderr)
        self.assertFalse(os.path.exists(os.path.join(out, "manifest.json")))
        self.assertFalse(os.path.exists(os.path.join(out, "summary.json")))

    def test_unknown_key_names_nearest(self):
        self.refuses([*SMALL, "--set", "core.memory_blcks=5"], "did you mean memory_blocks?")

    def test_check_that_no_value_can_meet_is_refused_before_the_run(self):
        text = TRAINING.replace("NETWORK", "fluid")
        for check, said in (("{metric: epoch_1_s, min: 5, max: 2}", "min: is more than max"),
                            ("{metric: epoch_1_s, mim: 5, max: 9}", "did you mean min?"),
                            ("{metric: epoch_1_s}", "needs min, max, or both")):
            path = self.write("checks.yaml", text + "checks:\n- " + check + "\n")
            self.refuses(["run", path, "--expect"], said)

    def test_unknown_key_in_file_names_file_and_line(self):
        text = TRAINING.replace("policy: lru", "polcy: lru")
        path = self.write("a.yaml", text.replace("NETWORK", "fluid"))
        self.refuses(["run", path], "a.yaml:9:8: core.polcy: unknown key: did you mean policy?")

    def test_missing_unit_names_example(self):
        self.refuses([*SMALL, "--set", "core.block_size=16"], "needs a unit, e.g.")

    def test_missing_experiment_names_it(self):
        self.refuses(["run", "nothing.yaml"], "nothing.yaml: cannot open")

    def test_missing_trace_names_it(self):
        self.refuses([*SMALL, "--set", "workload.trace=none.jsonl"], "none.jsonl")

    def test_malformed_trace_line_names_its_number(self):
        good = '{"timestamp": 1, "input_length": 512, "output_length": 1, "hash_ids": [1]}\n'
        path = self.write("t.jsonl", good * 2 + "{\n")
        self.refuses([*SMALL, "--set", "workload.trace=" + path], "t.jsonl:3: ")
        self.refuses(["replay", "--policy", "lru", "--capacity-blocks", "9", path], "t.jsonl:3: ")

    def test_capacity_of_zero_is_refused(self):
        self.refuses([*SMALL, "--set", "core.memory_blocks=0"], "write at least 1")
        self.refuses(["replay", "--policy", "lru", "--capacity-blocks", "0",
                      "models/samples/keys-small.txt"], "from 1 to")

    def test_network_too_small_for_its_hosts_is_refused(self):
        self.refuses([*SMALL, "--set", "cluster.nodes=1000000"], "which holds 131072")

    def test_unknown_option_and_subcommand_are_refused(self):
        self.refuses([*SMALL, "--sed", "1"], "did you mean --seed?")
        self.refuses(["rnu"], "rnu")

    def test_settings_and_jobs_at_their_limits_and_beyond(self):
        experiment = self.write("a.yaml", TRAINING.replace("NETWORK", "fluid"))
        for count in (64, 65):
            ended = run("run", experiment, "--quiet", "--seeds", "1", "--out", self.path("out"),
                        *["--set", "core.policy=lru"] * (count - 1), "--set", "workload.epochs=1")
            self.assertEqual(ended.returncode, 0 if count == 64 else 2, ended.stderr)
            self.assertEqual("--set: at most 64 settings" in ended.stderr, count == 65)
        for jobs in (64, 65):
            ended = run("swarm", "--seeds", "1", "--first-seed", "7", "--jobs", str(jobs))
            self.assertEqual(ended.returncode, 0 if jobs == 64 else 2, ended.stderr)
            self.assertEqual("--jobs 65: must be a whole number from 1 to 64" in ended.stderr,
                             jobs == 65)

    def test_unwritable_folder_is_refused_before_the_run(self):
        blocked = self.write("file", "")
        begun = time.monotonic()
        ended = run("run", "experiments/quickstart.yaml", "--out", blocked + "/out")
        self.assertEqual(ended.returncode, 2)
        self.assertIn("cannot make folder", ended.stderr)
        self.assertLess(time.monotonic() - begun, 60)

    def test_full_disk_leaves_nothing_whole(self):
        if os.geteuid() != 0:
            self.skipTest("only root can mount a small file system")
        disk = self.path("disk")
        os.mkdir(disk)
        mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            self.skipTest("cannot mount a tmpfs here")
        try:
            out = os.path.join(disk, "out")
            ended = run(*SMALL, "--out", out)
            self.assertEqual(ended.returncode, 1)
            self.assertEqual(len(ended.stderr.strip().split("\n")), 1, ended.stderr)
            self.assertIn("No space left on device", ended.stderr)
            self.assertNotIn("manifest.json", os.listdir(out))
            self.assertFalse([name for name in os.listdir(out) if "tmp" in name])
        finally:
            subprocess.run(["umount", disk], check=True)

    def test_too_little_memory_is_refused_before_the_run(self):
        many = [*SMALL, "--set", "cluster.nodes=100000", "--max-memory"]
        self.refuses([*many, "2 GiB"], "100000 nodes would take about")
        self.refuses([*many, "2 GiB"], "more than 2.00 GiB")
        self.refuses([*many, "2"], "must be a size with its unit")


    def test_interrupt_writes_what_there_is_marked_partial(self):
        out = self.path("out")
        program = subprocess.Popen(
            [PROGRAM, "run", "experiments/training-read.yaml", "--seeds", "50", "--out", out],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(3)
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=100)
        self.assertEqual(program.returncode, 1, errors)
        self.assertIn("partial", errors.strip().split("\n")[-1])
        self.assertIn("\nstopping: what runs is ended", errors)
        self.assertEqual(errors.count("stopping:"), 1)
        self.assertEqual(self.manifest(out)["state"], "partial")
        self.assertFalse([name for name in os.listdir(out) if name.endswith(".tmp")])


class Determinism(Folder):
    def digests(self, out):
        """Of every file but the manifest's wall-clock part."""
        found = {}
        for name in sorted(os.listdir(out)):
            with open(os.path.join(out, name), "rb") as file:
                data = file.read()
            if name == "manifest.json":
                content = json.loads(data)
                self.assertTrue(content.pop("wall_clock"))
                data = json.dumps(content).encode()
            found[name] = hashlib.sha256(data).hexdigest()
        return found

    def repeats(self, engine, network):
        path = self.write("small.yaml", TRAINING.replace("NETWORK", network))
        digests = []
        for jobs in ("1", "2"):
            out = self.path(engine + network + jobs)
            ended = run("run", path, "--engine", engine, "--jobs", jobs, "--out", out)
            self.assertEqual(ended.returncode, 0, ended.stderr)
            digests.append(self.digests(out))
        self.assertEqual(digests[0], digests[1])
        return self.manifest(out)["determinism_hash"]

    def test_plain_engine_gives_the_same_bytes_twice(self):
        self.assertTrue(self.repeats("plain", "fluid"))

    def test_simgrid_engine_gives_the_same_bytes_twice(self):
        if "simgrid" not in run("run", "--help").stdout:
            self.skipTest("built without SimGrid")
        self.assertTrue(self.repeats("simgrid", "lmm"))
        self.assertTrue(self.repeats("simgrid", "fluid"))

    def test_engines_agree_on_the_fluid_network(self):
        self.assertEqual(self.repeats("plain", "fluid"), self.repeats("simgrid", "fluid"))

    def test_other_seed_gives_other_bytes(self):
        path = self.write("small.yaml", TRAINING.replace("NETWORK", "fluid"))
        hashes = set()
        for seed in ("1", "2", "3"):
            out = self.path("seed" + seed)
            self.assertEqual(run("run", path, "--seed", seed, "--out", out).returncode, 0)
            hashes.add(self.manifest(out)["determinism_hash"])
        self.assertEqual(len(hashes), 3)


class Programs(Folder):
    def test_replay_counts_the_sample(self):
        ended = run("replay", "--policy", "lru", "--capacity-blocks", "5859", "--json",
                    "models/samples/conversation-small.jsonl")
        figures = json.loads(ended.stdout)
        self.assertEqual(set(figures) - {"policy", "capacity_blocks"},
                         {"requests", "block_references", "unique_blocks", "block_hits",
                          "prefix_hits", "seconds", "references_per_s"})
        self.assertEqual(figures["block_references"] - figures["unique_blocks"],
                         figures["block_hits"])

    def test_size_state_is_within_its_budget(self):
        ended = run("size", "--state")
        lines = dict((line[:22].strip(), int(line[22:].split()[0]))
                     for line in ended.stdout.strip().split("\n"))
        self.assertLessEqual(lines["scale preset"], 65536)

    def test_bench_scale_tells_of_every_size(self):
        ended = run("bench", "scale", "--json", "--hosts", "16,64")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        figures = json.loads(ended.stdout)
        self.assertEqual(figures["nodes"], [16, 64])
        self.assertEqual(figures["completions"], [16 * 8, 64 * 8])  # each node reads 8 blocks
        for name in ("events_per_s", "completions_per_s", "bytes_per_node", "rss_bytes", "start_s"):
            self.assertTrue(all(value > 0 for value in figures[name]), name)
        for wrong in ("1", "16,", "x"):
            self.assertEqual(run("bench", "scale", "--hosts", wrong).returncode, 2, wrong)

    def test_table_of_settings_is_the_one_in_docs(self):
        ended = run("help", "settings", "--markdown")
        if ended.returncode == 2 and "unknown subcommand" in ended.stderr:
            self.skipTest("built without the daemon")
        with open("docs/settings.md", encoding="utf-8") as file:
            self.assertEqual(file.read(), ended.stdout,
                             "forebay help settings --markdown >docs/settings.md")
        schema = json.loads(run("help", "settings", "--json-schema").stdout)
        keys = {line.split("`")[1] for line in ended.stdout.split("\n") if line.startswith("| `")}
        self.assertIn("core.policy", keys)
        for key in keys:
            place = schema["properties"]
            for part in key.split(".")[:-1]:
                place = place[part.replace("[]", "")]
                place = place.get("items", place)["properties"]
            self.assertIn(key.split(".")[-1], place)
        self.assertEqual(run("help", "settings", "--nonsense").returncode, 2)
        self.assertEqual(run("help", "settings", "nonsense").returncode, 1)

    def test_help_of_every_subcommand_is_fine(self):
        for name in ("run", "size", "replay", "bench", "help", "completion"):
            ended = run(name, "--help")
            self.assertEqual(ended.returncode, 0, name)
            self.assertIn("usage: forebay " + name, ended.stdout)

    def test_slice_of_both_networks_is_in_manifest_and_report(self):
        text = TRAINING.replace("NETWORK", "fluid").replace("nodes: 2", "nodes: 4")
        path = self.write("a.yaml", text)
        out = self.path("out")
        ended = run("run", path, "--out", out, "--seeds", "1", "--check-slice=2")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertIn("slice of 2 of 4 nodes", ended.stdout)
        piece = self.manifest(out)["slice"]
        self.assertEqual((piece["nodes"], piece["of_nodes"]), (2, 4))
        self.assertGreater(piece["metrics"]["epoch_1_s"]["lmm"], 0)
        for name, metric in piece["metrics"].items():
            self.assertLess(abs(metric["difference"]), 0.01, name)
        with open(os.path.join(out, "report.html"), encoding="utf-8") as file:
            self.assertIn("slice of 2 of 4 nodes", file.read())
        again = run("run", path, "--out", out, "--seeds", "1", "--quiet")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertNotIn("slice", self.manifest(out))

    def test_error_of_scaling_down_is_in_manifest_and_report(self):
        text = TRAINING.replace("NETWORK", "fluid")
        path = self.write("a.yaml", text + "unscaled: {core.block_size: 16 MiB}\n")
        out = self.path("out")
        ended = run("run", path, "--out", out, "--seeds", "1")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertIn("scaled is within 0.00% of unscaled", ended.stdout)  # the same block size
        path = self.write("b.yaml", text + "unscaled: {core.block_size: 64 MiB}\n")
        ended = run("run", path, "--out", out, "--seeds", "1")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        metrics = self.manifest(out)["preset_error"]["metrics"]
        self.assertNotEqual(metrics["epoch_1_s"]["unscaled"], metrics["epoch_1_s"]["scaled"])
        with open(os.path.join(out, "report.html"), encoding="utf-8") as file:
            self.assertIn("The scaled preset", file.read())
        path = self.write("c.yaml", text + "unscaled: {core.blok_size: 64 MiB}\n")
        ended = run("run", path, "--out", out, "--seeds", "1")
        self.assertEqual(ended.returncode, 2)  # before the work
        self.assertIn("block_size", ended.stderr)

    def test_report_holds_its_pictures(self):
        out = self.path("out")
        self.assertEqual(run(*SMALL, "--out", out).returncode, 0)
        with open(os.path.join(out, "report.html"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn("<svg", text)
        self.assertNotIn("http://", text.replace("http://www.w3.org", ""))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
