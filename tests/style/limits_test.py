#!/usr/bin/env python3
"""Compares docs/limits.md with the sources: each row's limit stands in that file with that value.
Each row names the tests that show it, and those exist; so many rows may name none, and that number
only falls. Prints the limits of the same folders that have no row, which is no failure.

usage: limits_test.py [--write]     --write: brings the values of the rows up to date
exit code: 1 when a row is not true any more
"""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ("hw", "sim", "models", "results", "cli")
ROW = re.compile(r"^\| (\w+) \| ([\w/.]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$")
LIMIT = re.compile(r"\b([A-Z][A-Z0-9_]*_MAX)\s*=\s*([^,}]+?)\s*(?:,|\}|$)")


WITHOUT_TEST = 31  # rows


def tests_there():
    """The text of each test, by its file's name without what follows the dot."""
    found = {}
    for where, _, names in os.walk(os.path.join(ROOT, "tests")):
        for name in names:
            if name.endswith((".c", ".py", ".sh")):
                with open(os.path.join(where, name), encoding="utf-8") as file:
                    found[name.rsplit(".", 1)[0]] = file.read()
    return found


def tests_fault(column, there):
    """What is wrong with the tests that a row names; None: nothing."""
    for name in column.split(","):
        file, _, function = name.strip().partition(".")
        if file not in there or not re.search(r"\b%s\b" % re.escape(function or ""), there[file]):
            return "there is no test %s" % name.strip()
    return None


def number(text, values):
    """The value of a constant expression; None: it is not one that can be told."""
    text = re.sub(r"[A-Za-z_]\w*", lambda name: str(values.get(name.group(), name.group())), text)
    if not re.fullmatch(r"[\d\s()*+<-]+", text):
        return None
    try:
        return eval(text, {"__builtins__": {}})  # digits and operators only
    except (SyntaxError, ValueError, TypeError):
        return None


def constants(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    found = {}
    for name, value in re.findall(r"\b([A-Z][A-Z0-9_]+)\s*=\s*([^,;}=]+)", text):
        found[name] = number(value.strip(), found)
    return found


def write():
    path = os.path.join(ROOT, "docs", "limits.md")
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for i, line in enumerate(lines):
        row = ROW.match(line)
        is_limit = row is not None and row.group(1) != "limit"
        have = constants(row.group(2)).get(row.group(1)) if is_limit else None
        if have is not None and have != number(row.group(3), {}):
            lines[i] = line[:row.start(3)] + str(have) + line[row.end(3):]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


def main():
    if sys.argv[1:] == ["--write"]:
        write()
    wrong, listed = [], set()
    with open(os.path.join(ROOT, "docs", "limits.md"), encoding="utf-8") as file:
        rows = [found.groups() for found in map(ROW.match, file.read().split("\n")) if found]
    rows = [row for row in rows if row[0] != "limit"]
    there, without_test = tests_there(), 0
    for name, path, value, answer, tests in rows:
        listed.add((path, name))
        have = constants(path).get(name) if os.path.exists(os.path.join(ROOT, path)) else None
        if have is None or have != number(value, {}):
            wrong.append("%s in %s is %s, not %s" % (name, path, have, value))
        if not answer.strip():
            wrong.append("%s: what happens when it is full?" % name)
        without_test += tests.strip() == "-"
        fault = None if tests.strip() == "-" else tests_fault(tests, there)
        if fault is not None:
            wrong.append("%s: %s" % (name, fault))
    if without_test != WITHOUT_TEST:
        wrong.append("%d rows name no test, not %d: name one, or bring WITHOUT_TEST down" % (
            without_test, WITHOUT_TEST))
    without = []
    for folder in FOLDERS:
        for where, _, names in os.walk(os.path.join(ROOT, folder)):
            for name in sorted(names):
                if not name.endswith((".c", ".h")):
                    continue
                path = os.path.relpath(os.path.join(where, name), ROOT)
                without += ["%s in %s" % (limit, path) for limit in constants(path)
                            if limit.endswith("_MAX") and (path, limit) not in listed]
    print("%d limits, %d wrong, %d without a row" % (len(rows), len(wrong), len(without)))
    for line in wrong:
        print("wrong: " + line)
    for line in without:
        print("no row: " + line)
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
