#!/usr/bin/env python3
"""Compares docs/limits.md with the sources. Every constant of these folders that is called a limit
(NAME_MAX) has a row among the limits, with its value, what happens when it is reached and a test
that goes there, or one among those that nobody can reach, with the reason.

A row names tests as FILE.FUNCTION: the file is there, and the function is defined in it.

usage: limits_test.py [--write]     --write: brings the values of the rows up to date
exit code: 1 when a row is not true any more, or a limit has none
"""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ("base", "cli", "client", "hw", "models", "results", "sim")
ROW = re.compile(r"^\| (\w+) \| ([\w/.]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$")
UNREACHED = re.compile(r"^\| (\w+) \| ([\w/.]+) \| ([^|]+) \|$")
SHARED = ("core/limits.h", "client/protocol/attributes.h")  # that others are made of
DEFINED = r"(?:def %s\(self|\nstatic void %s\(void)"


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
        if not function:
            return "%s names a test file, and no test in it" % name.strip()
        if file not in there:
            return "there is no test file %s" % file
        word = re.escape(function)
        if not re.search(DEFINED % (word, word), there[file]):
            return "there is no test %s in %s" % (function, file)
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


def constants(path, known=None):
    """What a file's constants are, by name; known: those of others."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    found, known = {}, known or {}
    for form in (r"\b([A-Z][A-Z0-9_]+)\s*=\s*([^,;}=]+)", r"^#define ([A-Z][A-Z0-9_]+) (.+)$"):
        for name, value in re.findall(form, text, re.M):
            found[name] = number(value.strip(), {**known, **found})
    return found


def value_of(path, name):
    known = {}
    for shared in SHARED:
        known.update(constants(shared))
    return constants(path, known).get(name)


def limits_there():
    """(file, name) of every constant that is called a limit."""
    for folder in FOLDERS:
        for where, _, names in os.walk(os.path.join(ROOT, folder)):
            for name in sorted(names):
                path = os.path.relpath(os.path.join(where, name), ROOT)
                if name.endswith((".c", ".h")):
                    yield from ((path, limit) for limit in constants(path)
                                if limit.endswith("_MAX"))


def write():
    path = os.path.join(ROOT, "docs", "limits.md")
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for i, line in enumerate(lines):
        row = ROW.match(line)
        is_limit = row is not None and row.group(1) != "limit"
        have = value_of(row.group(2), row.group(1)) if is_limit else None
        if have is not None and have != number(row.group(3), {}):
            lines[i] = line[:row.start(3)] + str(have) + line[row.end(3):]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


def row_faults(row, there):
    """What is wrong with the row of a limit."""
    name, path, value, answer, tests = (part.strip() for part in row)
    have = value_of(path, name) if os.path.exists(os.path.join(ROOT, path)) else None
    if have is None or have != number(value, {}):
        yield "%s in %s is %s, not %s" % (name, path, have, value)
    if not answer:
        yield "%s: what happens when it is full?" % name
    fault = tests_fault(tests, there) if tests != "-" else "it names no test"
    if fault is not None:
        yield "%s: %s" % (name, fault)


def main():
    if sys.argv[1:] == ["--write"]:
        write()
    wrong, listed, there = [], [], tests_there()
    with open(os.path.join(ROOT, "docs", "limits.md"), encoding="utf-8") as file:
        lines = file.read().split("\n")
    rows = [found.groups() for found in map(ROW.match, lines) if found]
    unreached = [found.groups() for found in map(UNREACHED.match, lines) if found]
    for row in rows:
        if row[0] != "limit":
            listed.append((row[1], row[0]))
            wrong += row_faults(row, there)
    for name, path, why in unreached:
        if name == "constant":
            continue
        listed.append((path, name))
        if not os.path.exists(os.path.join(ROOT, path)) or name not in constants(path):
            wrong.append("%s is not in %s" % (name, path))
        if len(why.split()) < 3:
            wrong.append("%s: why can nobody reach it?" % name)
    wrong += ["%s in %s has two rows" % (name, path)
              for path, name in set(listed) if listed.count((path, name)) > 1]
    wrong += ["%s in %s has no row" % (name, path)
              for path, name in limits_there() if (path, name) not in set(listed)]
    print("%d limits, %d constants that nobody can reach, %d wrong" % (
        len(rows), len(unreached), len(wrong)))
    for line in wrong:
        print("wrong: " + line)
    return 1 if wrong or not rows or not unreached else 0


if __name__ == "__main__":
    sys.exit(main())
