#!/usr/bin/env python3
"""Measures forebayd on this machine, each row beside its peers in the same run: contenders take
turns, several rounds, and medians and ratios of each round are compared. Writes a table.

usage: bench_real.py BUILD [--rounds N] [--seconds S] [--scale F] [--folder DIR]
                     [--table FILE] [--json FILE] [--nice N] [--congestion NAME] [ROW]...

ROW: drive, remote-small, remote-large, ring, fuse, checkpoint; default: all. --folder: where files
go, on the file system that is measured; default: the build folder. --scale: of the sizes of files.
--nice: of all contenders alike, below 0 beside other work. Root runs them in a network of their own
(loopback only) with --congestion, default reno, which every kernel has; others take the machine's.
A peer that is missing is named with its remedy, and its row has that instead of figures.
exit code 1: a measurement failed; 77: no io_uring here
"""

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import contenders  # noqa: E402
import hw_test  # noqa: E402
from rows import ROWS  # noqa: E402


def run_row(name, arguments):
    """Returns the row's contenders with their figures of all rounds, or why they have none."""
    row = ROWS[name]()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as work:
        bench = contenders.Bench(os.path.join(work, "b"), arguments.scale, arguments.seconds)
        try:
            made = row.contenders(bench)
            results = [{"name": label, "figures": [],
                        "missing": None if callable(call) else call} for label, call in made]
            for label, call in made:
                if not callable(call):
                    print("bench_real: %s: %s: skipped: %s" % (name, label, call))
            for number in range(arguments.rounds):
                order = list(range(len(made)))
                for i in order if number % 2 == 0 else reversed(order):
                    if callable(made[i][1]):
                        results[i]["figures"].append(made[i][1]())
        finally:
            bench.close()
    return {"row": name, "contenders": results}


def median(result, key):
    return statistics.median(figure[key] for figure in result["figures"])


def ratios(first, peer, key):
    """Round by round: a machine that is slower for a while is so for both."""
    return [a[key] / b[key] for a, b in zip(first["figures"], peer["figures"])]


def number(value):
    return "{:,.0f}".format(value) if value >= 100 else "%.2f" % value


def ratio_text(first, peer, key):
    if peer is first or key not in peer["figures"][0] or key not in first["figures"][0]:
        return ""
    return "%.2f" % statistics.median(ratios(first, peer, key))


def line(row, first, result):
    if not result["figures"]:
        return "| %s | not measured: %s | | | | | |" % (result["name"], result["missing"])
    values = sorted(figure[row.key] for figure in result["figures"])
    has_core = "per_core" in result["figures"][0]
    return "| %s | %s | %s to %s | %s | %s | %s | %s |" % (
        result["name"], number(statistics.median(values)), number(values[0]), number(values[-1]),
        number(median(result, "per_core")) if has_core else "",
        number(median(result, "per_all")) if "per_all" in result["figures"][0] else "",
        ratio_text(first, result, row.key), ratio_text(first, result, "per_core"))


def verdicts(row, results):
    """A line for each target: met, or missed by how much."""
    first = results[0]
    for key, least, peer_name in row.targets:
        what = {"per_core": " per server core"}.get(key, "")
        if peer_name is None:
            value = median(first, key)
            text = "target %s %s%s: %s" % (number(least), row.unit, what, number(value))
            yield text + (", met" if value >= least else ", missed by %.0f%%" %
                          (100 * (1 - value / least)))
            continue
        peer = next(result for result in results if result["name"] == peer_name)
        if not peer["figures"]:
            yield "target %g x %s%s: not measured" % (least, peer_name, what)
            continue
        value = statistics.median(ratios(first, peer, key))
        yield "target %g x %s%s: %.2f, %s" % (
            least, peer_name, what, value,
            "met" if value >= least else "missed by %.0f%%" % (100 * (1 - value / least)))


def section(measured):
    row = ROWS[measured["row"]]
    results = measured["contenders"]
    lines = ["## " + row.title, "", row.what, "",
             "| contender | %s, median | range | a core of the server | a core of all | "
             "forebay's ratio | ratio a core of the server |" % row.unit,
             "|---|---|---|---|---|---|---|"]
    lines += [line(row, results[0], result) for result in results]
    lines += [""] + ["- " + verdict for verdict in verdicts(row, results)]
    if row.source:
        lines.append("- answered from %s: %.1f%% of the reads" % (
            row.source, 100 * median(results[0], "share")))
    return "\n".join(lines).rstrip() + "\n"


def file_system(folder):
    """The type of the file system that a folder is on."""
    best = ("", "?")
    with open("/proc/self/mounts", encoding="utf-8") as file:
        for entry in file:
            _, point, kind = entry.split()[:3]
            is_above = (folder + "/").startswith(point.rstrip("/") + "/")
            if is_above and len(point) >= len(best[0]):
                best = (point, kind)
    return best[1]


def version(*command):
    path = shutil.which(command[0])
    if path is None:
        return "none"
    ended = hw_test.run(*command)
    return (ended.stdout or ended.stderr).decode().strip().split("\n")[0]


def machine(folder):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = [entry.split(":", 1)[1].strip() for entry in file
                 if entry.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with open("/proc/sys/net/ipv4/tcp_congestion_control", encoding="utf-8") as file:
        congestion = file.read().strip()
    return {"congestion": congestion,
            "processor": model[0] if model else platform.machine(), "cores": os.cpu_count(),
            "memory_gib": round(memory / 2**30), "kernel": platform.release(),
            "file_system": file_system(os.path.realpath(folder)),
            "load_before": os.getloadavg()[0], "fio": version("fio", "--version"),
            "memcached": version("memcached", "--version"),
            "redis": version("redis-server", "--version")[:21],
            "forebay": hw_test.run(hw_test.program("forebay"),
                                   "--version").stdout.decode().strip()}


def report(facts, measured, arguments):
    head = ("# forebayd beside its peers on one machine\n\n"
            "Written by `tests/bench/bench_real.py build --rounds %d --seconds %g --nice %d "
            "--table experiments/bench-real.md`: contenders take turns, %d rounds; medians, and "
            "medians of each round's ratios. A core of the server: operations by processor time, "
            "user and system, of the process that serves (the first one where there are two); of "
            "all: with what reads, too.\n\n"
            "%s, %d cores, %d GiB, Linux %s, %s, TCP %s; load of other work before the run: %.1f. "
            "%s; %s; %s; %s.\n\n" % (
                arguments.rounds, arguments.seconds, arguments.nice, arguments.rounds,
                facts["processor"], facts["cores"], facts["memory_gib"], facts["kernel"],
                facts["file_system"], facts["congestion"], facts["load_before"], facts["forebay"],
                facts["fio"], facts["memcached"], facts["redis"]))
    with open(os.path.join(HERE, "LIMITS.md"), encoding="utf-8") as file:
        limits = file.read()
    return head + "\n".join(section(one) for one in measured) + "\n" + limits


def parse():
    parser = argparse.ArgumentParser(usage=__doc__.replace("%", "%%"))
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--folder")
    parser.add_argument("--table")
    parser.add_argument("--json")
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("--congestion", default="reno")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("rows", nargs="*", default=[])
    return parser.parse_intermixed_args()


def interrupt(signal_number, _):
    raise KeyboardInterrupt(signal_number)


def network_enter(arguments):
    """Goes on in a network namespace, whose settings are no one else's."""
    if not arguments.inside and os.geteuid() == 0 and shutil.which("unshare"):
        contenders.JuiceFS.try_install()  # there is no way to it from inside
        os.execvp("unshare", ["unshare", "--net", "--", sys.executable, "-B",
                              os.path.abspath(__file__), "--inside"] + sys.argv[1:])
    if arguments.inside:
        hw_test.run("ip", "link", "set", "lo", "up")
        with open("/proc/sys/net/ipv4/tcp_congestion_control", "w", encoding="utf-8") as file:
            file.write(arguments.congestion)


def nice_set(change):
    """Of this process and what it starts; and of its session, where the kernel weighs those."""
    os.nice(change)
    if os.path.exists("/proc/self/autogroup") and change != 0:
        with open("/proc/self/autogroup", "w", encoding="utf-8") as file:
            file.write(str(min(change, 0)))


def main():
    arguments = parse()
    hw_test.BUILD = os.path.abspath(arguments.build)
    arguments.folder = os.path.abspath(arguments.folder or arguments.build)
    signal.signal(signal.SIGTERM, interrupt)
    unknown = [name for name in arguments.rows if name not in ROWS]
    if unknown:
        print("bench_real: no such row: %s; there are %s" % (unknown[0], ", ".join(ROWS)))
        return 2
    missing = [name for name in ("forebay", "forebayd", "load")
               if not os.access(os.path.join(arguments.build, name), os.X_OK)]
    if missing:
        print("bench_real: %s: not in %s: build it there with the tests: cmake -S . -B %s && "
              "cmake --build %s" % (missing[0], *[arguments.build] * 3), file=sys.stderr)
        return 2
    if not hw_test.has_io_uring():
        print("bench_real: skipped: no io_uring here")
        return 77
    network_enter(arguments)
    nice_set(arguments.nice)
    facts = machine(arguments.folder)
    measured = []
    try:
        for name in arguments.rows or ROWS:
            measured.append(run_row(name, arguments))
            print(section(measured[-1]), flush=True)
    except contenders.Failed as error:
        print("bench_real: %s" % error, file=sys.stderr)
        return 1
    finally:
        nice_set(-arguments.nice)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"schema_version": 1, "machine": facts, "rows": measured}, file, indent=1)
    if arguments.table:
        with open(arguments.table, "w", encoding="utf-8") as file:
            file.write(report(facts, measured, arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
