"""Four daemons on a network of their own, and the four experiments on them. See cluster_test.py."""

import json
import os
import signal
import subprocess
import time

NODES = 4
EXPERIMENTS = ("fan-out-read", "fan-out-write", "fan-in-read", "kv")


class Failed(Exception):
    """Something that must not happen did; the text says what."""


def run(*arguments, timeout_s=300):
    ended = subprocess.run(arguments, capture_output=True, timeout=timeout_s, check=False)
    if ended.returncode != 0:
        raise Failed("%s: %s" % (" ".join(arguments), ended.stderr.decode().strip()[-1000:]))
    return ended.stdout


class Cluster:
    """The daemons of one experiment. Each records what it did."""

    def __init__(self, build, network, folder, experiment, settings):
        self.build, self.network, self.folder = build, network, folder
        self.experiment = experiment
        self.processes = []
        resolved = run(self.program("play"), experiment, "describe").decode()
        self.config = self.path("cluster.yaml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(self.settings(resolved, settings))

    def program(self, name):
        return os.path.join(self.build, name)

    def path(self, name):
        return os.path.join(self.folder, name)

    def settings(self, resolved, settings):
        """The daemons' core is the experiment's, to the last key but one: clients of daemons ask
        about names, which those of the simulator know."""
        lines = resolved.split("\n")
        first = lines.index("core:")
        end = first + 1
        while lines[end].startswith(" "):
            end += 1
        members = ["  - {id: %d, address: \"%s:7700\"}" % (i, self.network.node_address(i))
                   for i in range(NODES)]
        head = ["schema_version: 1", "cluster: test", "node: 0", "members:"] + members
        head += settings + ["client: {socket: \"%s\", arena: 64 MiB}" %
                 self.path("0.sock")]
        core = [line for line in lines[first:end] if not line.startswith("  names_max:")]
        return "\n".join(head + core) + "\n"

    def start(self):
        for node in range(NODES):
            with open(self.path("%d.log" % node), "ab") as log:
                self.processes.append(subprocess.Popen(
                    self.network.inside(node) +
                    [self.program("forebayd"), "--config", self.config, "--set", "node=%d" % node,
                     "--set", "client.socket=" + self.path("%d.sock" % node),
                     "--set", "record=" + self.path("%d.events" % node)],
                    stdout=log, stderr=log))
        for node in range(NODES):
            self.wait_ready(node)
        time.sleep(0.5)  # they find each other

    def log(self, node):
        with open(self.path("%d.log" % node), encoding="utf-8") as file:
            return file.read()

    def wait_ready(self, node):
        end = time.monotonic() + 30
        while "event=ready" not in self.log(node):
            if self.processes[node].poll() is not None or time.monotonic() > end:
                raise Failed("node %d does not start:\n%s" % (node, self.log(node)))
            time.sleep(0.02)

    def play(self, part, nodes):
        """Runs a part on several nodes at once and returns what each measured."""
        start_ns = time.monotonic_ns() + 300000000
        players = [subprocess.Popen(
            [self.program("play"), self.experiment, part, str(node),
             self.path("%d.sock" % node), str(start_ns)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE) for node in nodes]
        try:
            answers = [player.communicate(timeout=300) for player in players]
        finally:
            for player in players:
                if player.poll() is None:
                    player.kill()
                    player.wait()
        for node, player, answer in zip(nodes, players, answers):
            if player.returncode != 0:
                raise Failed("node %d, %s: %s%s" % (node, part, answer[1].decode(),
                                                    self.log(node)[-1500:]))
        return [json.loads(answer[0]) for answer in answers]

    def status(self):
        """The daemons' counters, added up."""
        total = {}
        for node in range(NODES):
            text = run(self.program("forebay"), "status", "--socket", self.path("%d.sock" % node))
            for line in text.decode().split("\n"):
                name, _, value = line.partition(" ")
                if value.isdigit():
                    total[name] = total.get(name, 0) + int(value)
        return total

    def stop(self):
        """Ends the daemons well, and replays what they recorded."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for node, process in enumerate(self.processes):
            if process.wait(60) != 0:
                raise Failed("node %d ended with %d:\n%s" % (node, process.returncode,
                                                             self.log(node)[-2000:]))
        self.processes = []
        for node in range(NODES):
            run(self.program("forebay"), "replay", "--events", self.path("%d.events" % node))

    def kill(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.processes = []


def experiment_path(name):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.path.join(root, "experiments", "cluster-%s.yaml" % name)


def longest(answers, key):
    return max(answer[key] for answer in answers)


def play_experiment(cluster, name):
    """Returns the real run's metrics under the simulator's names."""
    everyone = range(NODES)
    if name == "fan-out-read":
        times = cluster.play("read", everyone)
        return {"fan_out_max_s": longest(times, "read_s")}
    if name == "kv":
        times = cluster.play("kv", everyone)
        hits = sum(answer["hits"] for answer in times)
        references = sum(answer["references"] for answer in times)
        return {"simulated_s": longest(times, "kv_s"), "prefix_hit_ratio": hits / references}
    times = cluster.play("write", everyone)
    metrics = {"checkpoint_stall_s": longest(times, "stall_s"),
               "checkpoint_drained_s": longest(times, "drained_s")}
    if name == "fan-in-read":
        metrics["restore_s"] = longest(cluster.play("restore", range(2)), "restore_s")
    return metrics


def port_of(address):
    return "%s:7799" % address


def calibrate(build, network, folder, origin):
    """Measures the port between two nodes, the machine, and the origin where no port limits it.
    Returns the folder of models."""
    models, daemons = os.path.join(folder, "models"), []
    listener = subprocess.Popen(network.inside(1) + [
        os.path.join(build, "forebay"), "calibrate", "--listen", port_of(network.node_address(1))])
    daemons.append(listener)
    probes = []
    try:
        for name in ("writer", "reader"):
            probes += ["--" + name, os.path.join(folder, name)]
            config = os.path.join(folder, name + ".yaml")
            with open(config, "w", encoding="utf-8") as file:
                file.write("schema_version: 1\ncluster: %s\nnode: 0\norigin: {%s}\n"
                           "client: {socket: \"%s\"}\n"
                           "core: {memory_size: 512 MiB, block_size: 8 MiB}\n" %
                           (name, origin, os.path.join(folder, name)))
            daemons.append(subprocess.Popen([os.path.join(build, "forebayd"), "--config", config],
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        time.sleep(1)
        run(*network.inside(0), os.path.join(build, "forebay"), "calibrate", "--out", models,
            "--drive", os.path.join(folder, "probe"), "--drive-size", "256 MiB", "--peer",
            port_of(network.node_address(1)), *probes)
    finally:
        for daemon in daemons:
            daemon.kill()
            daemon.wait()
    return models


def simulate(build, name, folder, models):
    """The same experiment in the simulator; models: a folder of calibrate's; None: the
    models that the experiment names."""
    assignments = []
    for key in ("hardware", "network", "transport", "origin") if models else ():
        assignments += ["--set", "cluster.%s=%s" % (key, os.path.join(models, key + ".yaml"))]
    out = os.path.join(folder, "simulated")
    run(os.path.join(build, "forebay"), "run", experiment_path(name), "--quiet", "--out", out,
        *assignments)
    with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
        metrics = json.load(file)["points"][0]["metrics"]
    return {key: metric["value"] for key, metric in metrics.items()}
