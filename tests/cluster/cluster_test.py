#!/usr/bin/env python3
"""Runs experiments/cluster-*.yaml for real: four forebayd in network namespaces behind ports of a
limited rate, an origin on the bridge, every byte compared, every daemon's recording replayed. Each
is also simulated: both stand beside each other in the table that is printed.

usage: cluster_test.py BUILD [--origin posix|s3|azure] [--rate-mbit N] [--queue-ms N]
                       [--delay-us N] [--rounds N] [--pull-connections N]
                       [--models FOLDER] [--table FILE] [EXPERIMENT]...

--models: simulates by what forebay calibrate measures of this network and origin and writes there,
unless it is there already; else by the models that the experiment names. A posix origin is a
folder, whose bytes do not pass the nodes' ports as they do in the simulation: there they differ.
S3 wants blocks of 5 MiB when files are written: its experiments are fan-out-read and kv.
exit code 77: no namespaces, tc, io_uring or server to be had
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "daemon"))

import cluster  # noqa: E402
import hw_origin_test  # noqa: E402
import hw_test  # noqa: E402
from network import Network, Unavailable  # noqa: E402


def origin_start(kind, folder, address):
    """Returns the server, or None, and the config's origin."""
    path = os.path.join(folder, "origin")
    os.mkdir(path)
    if kind == "posix":
        return None, "kind: posix, path: \"%s\"" % path
    server = {"s3": hw_origin_test.SeaweedFS, "azure": hw_origin_test.Azurite}[kind](path, address)
    credentials = os.path.join(folder, "credentials")
    with open(credentials, "w", encoding="utf-8") as file:
        file.write(server.credentials())
    return server, "%s, prefix: data/, credentials: \"%s\"" % (server.origin(), credentials)


def object_put(server, folder, content):
    if server is not None:
        server.put("object", content)
        return
    with open(os.path.join(folder, "origin", "object"), "wb") as file:
        file.write(content)


def calibration(arguments, network):
    """The folder with the models; measured once."""
    if not arguments.models:
        return None
    folder = os.path.join(os.path.abspath(arguments.models), arguments.origin)
    if not os.path.exists(folder):
        with tempfile.TemporaryDirectory() as work:
            server, origin = origin_start(arguments.origin, work, network.address)
            try:
                models = cluster.calibrate(hw_test.BUILD, network, work, origin)
            finally:
                if server is not None:
                    server.process.kill()
                    server.process.wait()
            shutil.copytree(models, folder)
    return folder


def one(name, arguments, network):
    """Plays an experiment with daemons and an origin of its own; returns what was measured."""
    with tempfile.TemporaryDirectory() as folder:
        server, origin = origin_start(arguments.origin, folder, network.address)
        path = cluster.experiment_path(name)
        settings = ["origin: {%s}" % origin, "pull_connections: %d" % arguments.pull_connections]
        daemons = cluster.Cluster(hw_test.BUILD, network, folder, path, settings)
        try:
            if name == "fan-out-read":
                object_put(server, folder, cluster.run(daemons.program("play"), path, "content"))
            daemons.start()
            real = cluster.play_experiment(daemons, name)
            daemons.stop()
        finally:
            daemons.kill()
            if server is not None:
                server.process.kill()
                server.process.wait()
    return real


def row(name, arguments, network):
    """Lines of the table: medians over the rounds, and the range, beside what is simulated."""
    models = calibration(arguments, network)
    rounds = [one(name, arguments, network) for _ in range(arguments.rounds)]
    with tempfile.TemporaryDirectory() as folder:
        simulated = cluster.simulate(hw_test.BUILD, name, folder, models)
    return [(name, key, sorted(real[key] for real in rounds), simulated[key]) for key in rounds[0]]


def show(rows):
    lines = ["| experiment | metric | real, median | range | simulated | simulated / real |",
             "|---|---|---|---|---|---|"]
    for name, key, real, simulated in rows:
        median = real[len(real) // 2]
        lines.append("| cluster-%s | %s | %.3f | %.3f to %.3f | %.3f | %.2f |" % (
            name, key, median, real[0], real[-1], simulated, simulated / median))
    return "\n".join(lines) + "\n"


def misses(rows):
    """What the simulation does not predict within 15%."""
    return ["cluster-%s %s" % (name, key) for name, key, real, simulated in rows
            if abs(simulated / real[len(real) // 2] - 1) > 0.15]


def parse():
    parser = argparse.ArgumentParser(usage=__doc__.replace("%", "%%"))
    parser.add_argument("build")
    parser.add_argument("--origin", default="posix", choices=("posix", "s3", "azure"))
    parser.add_argument("--rate-mbit", type=int, default=200)
    parser.add_argument("--queue-ms", type=int, default=50)
    parser.add_argument("--delay-us", type=int, default=0)
    parser.add_argument("--pull-connections", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--models")
    parser.add_argument("--table")
    parser.add_argument("experiments", nargs="*", default=[])
    return parser.parse_intermixed_args()


def interrupt(number, _):
    raise KeyboardInterrupt(number)


def main():
    arguments = parse()
    hw_test.BUILD = os.path.abspath(arguments.build)
    signal.signal(signal.SIGTERM, interrupt)
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[variable]
    if not hw_test.has_io_uring():
        print("cluster_test: skipped: no io_uring here")
        return 77
    try:
        network = Network(cluster.NODES, arguments.rate_mbit, arguments.queue_ms,
                          arguments.delay_us)
    except Unavailable as error:
        print("cluster_test: skipped: no network of namespaces here: %s" % error)
        return 77
    rows = []
    try:
        for name in arguments.experiments or cluster.EXPERIMENTS:
            rows += row(name, arguments, network)
    except cluster.Failed as error:
        print("cluster_test: %s" % error)
        return 1
    finally:
        network.close()
    print(show(rows), end="")
    if arguments.table:
        with open(arguments.table, "w", encoding="utf-8") as file:
            file.write("# The cluster experiments, simulated and real\n\n"
                       "Written by `tests/cluster/%s`.\n\n%s\nMore than 15%% apart: %s.\n" % (
                           " ".join([os.path.basename(sys.argv[0])] + sys.argv[1:]), show(rows),
                           ", ".join(misses(rows)) or "none"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
