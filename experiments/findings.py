#!/usr/bin/env python3
"""Makes docs/findings.md, and the README's findings, from experiments/findings.txt and the kept
results in experiments/results. No figure in them is written by hand.

usage: findings.py            are the pages what this would write? Exit code 1, and what differs
       findings.py --write    writes them
       findings.py --keep FOLDER...
                              keeps what a run has found: experiments/results/NAME/kept.json
       findings.py --compare FOLDER...
                              does a run of today still find what is kept?

A text holds figures as {METRIC KEY=VALUE...|UNIT DIGITS}: of the point of the sweep with these
values (the last words of its keys do, _ is a space); min and max before METRIC: of all such points;
ci: half the interval of 95%; A / B: their quotient. Any other number must stand in the experiment's
own file. What is kept is of the experiment and models as they are, but for comments, questions and
checks; a change of them asks for another run.
"""

import hashlib
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PAGE, README, TEXT = "docs/findings.md", "README.md", "experiments/findings.txt"
BEGIN, END = "<!-- by experiments/findings.py -->\n", "<!-- end -->\n"
FIGURE = re.compile(r"\{([^{}|]+)\|([^{}|]+)\}")
SCALES = {"s": 1, "ms": 1e-3, "us": 1e-6, "min": 60, "%": 0.01, "": 1,
          "KiB": 2 ** 10, "GiB": 2 ** 30,
          "GB": 1e9, "TB": 1e12, "PB": 1e15, "GB/s": 1e9, "million": 1e6}
BASES = {"s": 1, "ns": 1e-9, "B": 1, "B/s": 1, "1": 1, "x": 1, "MiB/s": 2 ** 20}
SHORT_MAX = 6  # lines in the README: those that are short, then spare
APART = 0.05  # of a figure, beyond which a run of today is another finding


class Fault(Exception):
    pass


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def facts_sha256(path):
    """Of what a file says to a run: without comments, questions, checks, and where it is from."""
    lines = [re.sub(r"(^|\s)#.*", "", line).rstrip() for line in read(path).split("\n")]
    words = re.compile(r"(question|expect|checks):|- \{metric:|\s+(guess|source):")
    said = [line for line in lines if line and not words.match(line)]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def entries():
    """The text, by experiment: its parts by their names."""
    found = {}
    for block in re.split(r"\n\n+", read(TEXT).strip()):
        parts = dict(re.findall(r"^(\w+): ((?:.|\n(?!\w+: ))*)", block, re.M))
        found[parts.pop("name")] = {name: " ".join(text.split()) for name, text in parts.items()}
    return found


def kept(name):
    path = f"experiments/results/{name}/kept.json"
    return json.loads(read(path)) if os.path.exists(os.path.join(ROOT, path)) else None


def metrics_wanted(name):
    words = [term.split() for text in entries()[name].values()
             for expression, _ in FIGURE.findall(text) for term in expression.split(" / ")]
    return ({term[term[0] in ("min", "max", "ci")] for term in words} |
            set(re.findall(r"metric: (\w+)", read(f"experiments/{name}.yaml"))))


def is_point(point, conditions):
    for condition in conditions:
        key, value = condition.split("=")
        has = [str(have).lower() for name, have in point["parameters"].items()
               if name == key or name.endswith("." + key)]
        if has != [value.replace("_", " ").lower()]:
            return False
    return True


def term_value(result, term):
    words = term.split()
    how = words.pop(0) if words[0] in ("min", "max", "ci") else "the one"
    metric, conditions = words[0], words[1:]
    if metric in result.get("run", {}):
        return result["run"][metric]
    found = [point["metrics"][metric] for point in result["points"]
             if is_point(point, conditions) and metric in point["metrics"]]
    if not found or (len(found) > 1 and how not in ("min", "max")):
        raise Fault(f"{term}: {len(found)} points have it")
    values = [one["ci95" if how == "ci" else "value"] * BASES[one["unit"]] for one in found]
    return max(values) if how == "max" else min(values)


def value_of(result, expression):
    values = [term_value(result, term) for term in expression.split(" / ")]
    return values[0] / values[1] if len(values) == 2 else values[0]


def figure(value, form):
    """form: a unit, and how many digits are told."""
    words = form.split()
    unit, digits = (words[0], int(words[1])) if len(words) == 2 else ("", int(words[0]))
    scaled = value / SCALES[unit]
    whole = len(str(int(abs(scaled)))) if abs(scaled) >= 1 else 0
    rounded = float(f"{scaled:.{digits}g}")
    text = f"{rounded:,.{max(0, digits - whole) if abs(scaled) >= 1 else 12}f}"
    if abs(scaled) < 1:
        text = f"{rounded:.{digits}g}" if rounded == 0 or abs(rounded) >= 1e-4 else f"{rounded}"
    return text + ("" if unit == "" else "%" if unit == "%" else " " + unit)


def filled(name, text, result):
    bare = FIGURE.sub("", text)
    source = read(f"experiments/{name}.yaml").replace(",", "") if name != "growth" else ""
    for number in re.findall(r"(?<![\w.`-])\d[\d,]*(?:\.\d+)?", bare):
        if number.replace(",", "") not in source:
            raise Fault(f"{name}: {number} is neither a figure of a kept result nor in the file")
    try:
        return FIGURE.sub(lambda found: figure(value_of(result, found[1]), found[2]), text)
    except Fault as fault:
        raise Fault(f"{name}: {fault}") from None


def growth():
    """What experiments/growth.sh has kept, in the form of a result."""
    has = json.loads(read("experiments/results/growth/growth.json"))
    rows = zip(has["nodes"], has["processor_s"], has["rss_bytes"])
    return {"points": [{"parameters": {"nodes": nodes}, "metrics": {
        "nodes": {"value": nodes, "unit": "1"},
        "processor_s_per_node": {"value": seconds / nodes, "unit": "s"},
        "bytes_per_node": {"value": size / nodes, "unit": "B"}}} for nodes, seconds, size in rows]}


def page():
    rows = ["# What the experiments found", "",
            "Written by `experiments/findings.py --write` from `experiments/findings.txt` and what "
            "is kept in `experiments/results`: the figures that it shows, and of which commit, "
            "seeds and inputs. `forebay run experiments/NAME.yaml` makes them anew, `findings.py "
            "--keep` keeps them. A test compares.", "",
            "| experiment | question | finding |", "|---|---|---|"]
    for name, parts in entries().items():
        if name == "growth":
            continue
        result = kept(name)
        finding = (filled(name, parts["finding"], result) if result is not None else
                   f"not kept yet: `forebay run experiments/{name}.yaml`")
        rows.append(f"| [{name}](../experiments/{name}.yaml) | {parts['question']} | {finding} |")
    rows += ["", filled("growth", entries()["growth"]["finding"], growth()), "",
             "![processor time, wall time and memory over nodes]"
             "(../experiments/results/growth/growth.svg)", "",
             "| kept result | commit | seeds | trace |", "|---|---|---|---|"]
    for name in entries():
        result = kept(name)
        if result is not None:
            traces = [path for path in result["inputs"]
                      if path.endswith((".jsonl", ".csv", ".txt"))]
            rows.append(f"| {name} | {result['git_sha']} | {result['seeds']} | "
                        f"{', '.join(os.path.basename(path) for path in traces) or '-'} |")
    return "\n".join(rows) + "\n"


def readme():
    text = read(README)
    head, rest = text.split(BEGIN)
    lines = [f"- {filled(name, parts[kind], kept(name))}\n" for kind in ("short", "spare")
             for name, parts in entries().items() if kind in parts and kept(name) is not None]
    lines = lines[:SHORT_MAX]
    return head + BEGIN + "".join(lines) + END + rest.split(END)[1]


def stale(name):
    """Inputs that are others than when the result was kept."""
    return [path for path, digest in kept(name)["inputs"].items()
            if os.path.exists(os.path.join(ROOT, path)) and path.endswith(".yaml")
            and facts_sha256(path) != digest]


def keep(folder):
    with open(os.path.join(folder, "summary.json"), encoding="utf-8") as file:
        summary = json.load(file)
    with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
        manifest = json.load(file)
    name, inputs = summary["experiment"], {}
    for path, digest in manifest["inputs_sha256"].items():
        own = os.path.join(ROOT, path)
        if not os.path.isabs(path) and os.path.exists(own):
            with open(own, "rb") as file:
                if hashlib.sha256(file.read()).hexdigest() != digest:
                    raise Fault(f"{folder}: {path} is another one by now: run it again")
            digest = facts_sha256(path) if path.endswith(".yaml") else digest
        inputs[path if not os.path.isabs(path) else os.path.basename(path)] = digest
    wanted = metrics_wanted(name)
    result = {"experiment": name, "git_sha": manifest["git_sha"],
              "determinism_hash": manifest["determinism_hash"],
              "seeds": len({run["seed"] for run in manifest["runs"]}),
              "run": {key: manifest["wall_clock"][key] for key in ("wall_s", "peak_rss_bytes")},
              "inputs": inputs,
              "points": [{"parameters": point["parameters"],
                          "metrics": {key: {part: value[part] for part in ("value", "unit", "ci95",
                                                                            "runs")}
                                      for key, value in point["metrics"].items() if key in wanted}}
                         for point in summary["points"]]}
    os.makedirs(os.path.join(HERE, "results", name), exist_ok=True)
    with open(os.path.join(HERE, "results", name, "kept.json"), "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")


def of_first_seed(result):
    """The same of one run: a result of one seed is compared with what that seed gave when kept."""
    return {**result, "points": [
        {**point, "metrics": {name: {**one, "value": one["runs"][0]}
                              for name, one in point["metrics"].items()}}
        for point in result["points"]]}


def compare(folder):
    """Figures of the text that a run of today gives otherwise; None: it is another question."""
    with open(os.path.join(folder, "summary.json"), encoding="utf-8") as file:
        fresh = json.load(file)
    with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
        inputs = {os.path.basename(path) for path in json.load(file)["inputs_sha256"]}
    name, found = fresh["experiment"], []
    result = kept(name)
    if result is None or {os.path.basename(path) for path in result["inputs"]} != inputs:
        return None
    fresh, result = of_first_seed(fresh), of_first_seed(result)
    for expression, _ in FIGURE.findall(entries()[name]["finding"]):
        if expression.startswith("ci ") or expression in result["run"]:
            continue
        now, then = value_of(fresh, expression), value_of(result, expression)
        if abs(now - then) > APART * abs(then):
            found.append(f"{name}: {expression}: {now:.6g}, and the first seed gave {then:.6g}")
    return found


def main(arguments):
    faults = []
    if arguments[:1] == ["--keep"]:
        for folder in arguments[1:]:
            keep(folder)
        return 0
    if arguments[:1] == ["--compare"]:
        for folder in arguments[1:]:
            differs = compare(folder)
            faults += differs or []
            print(os.path.basename(folder), "is not kept" if differs is None else
                  "as kept" if not differs else "differs")
    else:
        if arguments == ["--write"]:
            for path, text in ((PAGE, page()), (README, readme())):
                with open(os.path.join(ROOT, path), "w", encoding="utf-8") as file:
                    file.write(text)
        for path, text in ((PAGE, page()), (README, readme())):
            if read(path) != text:
                faults.append(f"{path} is not what experiments/findings.py --write makes")
        for name in entries():
            for path in stale(name) if kept(name) is not None else []:
                faults.append(f"{path} has changed since {name} was kept: run and --keep it again")
    for fault in faults:
        print(fault)
    return int(bool(faults))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Fault as fault:
        sys.exit(f"findings.py: {fault}")
