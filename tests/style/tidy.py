#!/usr/bin/env python3
"""Checks the rules of style that a program can check. Prints FILE:LINE: RULE: what for each breach;
exit code 1 if there is any.

usage: tidy.py [--root DIR] [--list-rules]

Each rule is a generator of findings; tidy_test.py plants an example of each and sees it found.
Where a rule is about code, C is looked at with comments, strings and characters blanked out.
"""

import argparse
import os
import re
import sys

FILE_LINES_MAX = 600
HEADER_LINES_MAX = 150
# Read as a whole, by who links it; and of tests, whose helpers are headers alone.
LONG_HEADERS, LONG_HEADER_LINES_MAX = ("core/io.h", "client/forebay.h", "tests/"), 300
FUNCTION_LINES_MAX = 60
COLUMNS_MAX = 100
# By folder: assertions in a thousand lines of code, at least.
ASSERTS_PER_KLOC_MIN = {"client": 15, "core": 40, "hw": 15, "sim": 25}
# By folder: of a hundred declarations that other folders see, those that a sentence explains. A
# folder that has more may raise it.
SAID_PERCENT_MIN = {
    "base": 100, "cli": 100, "client": 100, "core": 100, "hw": 100, "models": 100, "results": 100,
    "sim": 100,
}
SENTENCE_WORDS_MIN = 3

C_SUFFIXES = (".c", ".h", ".cpp")
TEXT_SUFFIXES = C_SUFFIXES + (".py", ".sh", ".cmake", ".yaml", ".md", ".gp", ".txt")
CORE_INCLUDES = {"<assert.h>", "<stdbool.h>", "<stddef.h>", "<stdint.h>", "<string.h>"}
CORE_FORBIDDEN = re.compile(
    r"\b(float|double|errno|thread_local|_Thread_local|_Atomic|"
    r"(?:malloc|calloc|realloc|free|alloca|printf|fprintf|snprintf|puts|time|clock_gettime|rand|"
    r"abort|exit|pthread_\w+|atomic_\w+)(?=\())")
NOT_CALLS = {"if", "for", "while", "switch", "return", "sizeof", "static_assert", "defined"}

RULES = {}


def rule(text):
    """Registers a generator of (file, line, what) under its name with dashes."""

    def register(function):
        RULES[function.__name__.replace("_", "-")] = (text, function)
        return function

    return register


class Source:
    """A file: its text, its lines, and for C its code without comments and literals."""

    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            self.text = file.read()
        self.lines = self.text.split("\n")
        if self.lines[-1] == "":
            self.lines.pop()
        self.is_c = path.endswith(C_SUFFIXES)
        self.is_header = path.endswith(".h")
        self.folder = path.split("/")[0] if "/" in path else ""
        self.code = blank_literals(self.text) if self.is_c else self.text
        self.code_lines = self.code.split("\n")

    def matches(self, pattern):
        for number, line in enumerate(self.code_lines, 1):
            for match in re.finditer(pattern, line):
                yield number, match

    def functions(self):
        """(name, first line, last line, body) of each function: Linux braces, both in column 1."""
        begin = None
        for number, line in enumerate(self.code_lines, 1):
            if line == "{":
                begin = number
            elif line == "}" and begin is not None:
                first = begin - 1
                while first > 1 and re.match(r"\s", self.code_lines[first - 1]):
                    first -= 1
                signature = " ".join(self.code_lines[first - 1:begin - 1])
                name = re.search(r"(\w+)\s*\(", signature)
                body = "\n".join(self.code_lines[begin - 1:number])
                yield name.group(1) if name else "?", first, number, body
                begin = None


def blank_literals(text):
    """C with comments, strings and character constants replaced by blanks of the same lines."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)

    def blank(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found[0] + " " * (len(found) - 2) + found[0]
        return re.sub(r"[^\n]", " ", found)

    # Names of included files are not literals.
    pairs = zip(text.split("\n"), pattern.sub(blank, text).split("\n"))
    return "\n".join(old if old.startswith("#include") else new for old, new in pairs)


@rule(f"a source file has at most {FILE_LINES_MAX} lines")
def file_length(sources):
    for source in sources:
        is_code = source.path.endswith(C_SUFFIXES + (".py", ".sh"))
        if is_code and len(source.lines) > FILE_LINES_MAX:
            yield source, FILE_LINES_MAX + 1, f"{len(source.lines)} lines: what should move out?"


@rule(f"a header has at most {HEADER_LINES_MAX} lines")
def header_length(sources):
    for source in sources:
        is_long = source.path.startswith(LONG_HEADERS)
        most = LONG_HEADER_LINES_MAX if is_long else HEADER_LINES_MAX
        if source.is_header and len(source.lines) > most:
            yield source, most + 1, f"{len(source.lines)} lines"


@rule(f"a function has at most {FUNCTION_LINES_MAX} lines")
def function_length(sources):
    for source in sources:
        for name, first, last, _ in source.functions() if source.is_c else ():
            if last - first + 1 > FUNCTION_LINES_MAX:
                yield source, first, f"{name} has {last - first + 1} lines"


@rule(f"a line of code or script has at most {COLUMNS_MAX} columns")
def line_length(sources):
    for source in sources:
        if not source.path.endswith(C_SUFFIXES + (".py", ".sh", ".cmake", "CMakeLists.txt")):
            continue
        for number, line in enumerate(source.lines, 1):
            if len(line) > COLUMNS_MAX:
                yield source, number, f"{len(line)} columns"


@rule("no tabs")
def tabs(sources):
    for source in sources:
        for number, line in enumerate(source.lines, 1):
            if "\t" in line:
                yield source, number, "a tab"


@rule("no blanks at the end of a line; the last line ends")
def line_ends(sources):
    for source in sources:
        for number, line in enumerate(source.lines, 1):
            if line != line.rstrip():
                yield source, number, "blanks at the end"
        if source.text and not source.text.endswith("\n"):
            yield source, len(source.lines), "the last line does not end"


@rule("no typedef of a struct, enum or union")
def typedef_struct(sources):
    for source in sources:
        pattern = r"\btypedef\s+(struct|enum|union)\b[^(]*$"  # a function type may return one
        for number, match in source.matches(pattern) if source.is_c else ():
            yield source, number, f"typedef {match.group(1)}"


@rule("waits end by a clock that nobody sets: pthread_cond_clockwait with CLOCK_MONOTONIC")
def timed_wait(sources):
    for source in sources:
        pattern = r"\bpthread_cond_timedwait\b"
        for number, _ in source.matches(pattern) if source.is_c else ():
            yield source, number, "the time of day is set, and leaps"


@rule("nothing is left open in a comment")
def open_marker(sources):
    pattern = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|not impl" r"emented)\b")
    for source in sources:
        for number, line in enumerate(source.lines, 1):
            match = pattern.search(line)
            if match:
                yield source, number, match.group(1)


@rule("core/ has no conditional code but include guards")
def core_condition(sources):
    for source in core_of(sources):
        for number, _ in source.matches(r"^\s*#\s*(if|ifdef|elif|else)\b"):
            yield source, number, "a condition of the preprocessor"
        for number, match in source.matches(r"^\s*#\s*ifndef\s+(\w+)"):
            if not (source.is_header and re.fullmatch(r"FB_\w+_H", match.group(1))):
                yield source, number, "a condition of the preprocessor"


@rule("core/ includes only itself and freestanding headers")
def core_include(sources):
    for source in core_of(sources):
        for number, match in source.matches(r'^\s*#\s*include\s+([<"][^>"]+[>"])'):
            name = match.group(1)
            if name not in CORE_INCLUDES and not name.startswith('"core/'):
                yield source, number, f"{name} is outside of core/"


@rule("core/ has no allocation, output, clock, thread or floating point")
def core_word(sources):
    for source in core_of(sources):
        for number, match in source.matches(CORE_FORBIDDEN):
            yield source, number, match.group(1)


@rule("a switch in core/ lists every value and has no default")
def core_default(sources):
    for source in core_of(sources):
        for number, _ in source.matches(r"\bdefault\s*:"):
            yield source, number, "default hides a missing value from the compiler"


@rule("no function of core/ calls itself, directly or through others")
def core_recursion(sources):
    calls, places = {}, {}
    for source in core_of(sources):
        for name, first, _, body in source.functions():
            calls[name] = set(re.findall(r"\b(\w+)\s*\(", body)) - NOT_CALLS
            places[name] = (source, first)
    for name, (source, first) in places.items():
        reached, queue = set(), list(calls[name])
        while queue:
            called = queue.pop()
            if called in calls and called not in reached:
                reached.add(called)
                queue.extend(calls[called])
        if name in reached:
            yield source, first, f"{name} reaches itself"


# Which folders a folder may include, itself apart. tests/ may all.
LAYERS = {
    "core": "", "base": "core", "models": "core base", "sim": "core base models",
    "results": "core base sim", "client": "core base", "hw": "core base client/protocol",
    "cli": "core base models results sim client hw", "packaging": "",
}


def includes(source):
    """(line, path) of each of our headers that a file includes."""
    for number, line in enumerate(source.lines if source.is_c else (), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+/[^"]+)"', line)
        if match:
            yield number, match.group(1)


@rule("a folder includes only what stands below it")
def layer(sources):
    for source in sources:
        below = LAYERS.get(source.folder, "").split() + [source.folder, "version.h"]
        for number, path in includes(source) if source.folder in LAYERS else ():
            if not any(path.startswith(folder + "/") for folder in below):
                yield source, number, f"{path} is not below {source.folder}/"


def circles(sources, part_of):
    """(part, part, source, line) of each first include that leads back to where it stands."""
    edges, places = {}, {}
    for source in sources:
        here = part_of(source.path)
        for number, path in includes(source):
            there = part_of(path)
            if there != here:
                edges.setdefault(here, set()).add(there)
                places.setdefault((here, there), (source, number))
    for (here, there), (source, number) in places.items():
        reached, queue = set(), [there]
        while queue:
            part = queue.pop()
            if part not in reached:
                reached.add(part)
                queue.extend(edges.get(part, ()))
        if here in reached:
            yield here, there, source, number


@rule("no circle of folders that include each other")
def folder_circle(sources):
    layered = [source for source in sources if source.folder in LAYERS]
    for here, there, source, number in circles(layered, os.path.dirname):
        yield source, number, f"{here}/ and {there}/ include each other"


@rule("no circle of modules (x.c with x.h) in core/ that include each other")
def core_circle(sources):
    for here, there, source, number in circles(core_of(sources), lambda p: p.rsplit(".", 1)[0]):
        yield source, number, f"{here} and {there} include each other"


@rule("a function that returns nothing is not named like a question")
def question(sources):
    for source in sources:
        if source.is_c and source.folder in LAYERS:
            for number, match in source.matches(
                    r"^(?:static )?void ((?:\w+_)?(?:is|are|has|was|may|can)_\w+)\("):
                yield source, number, match.group(1) + " says nothing"


@rule("goto only in hw/ and client/")
def goto(sources):
    for source in sources:
        if source.is_c and source.folder not in ("hw", "client"):
            for number, _ in source.matches(r"\bgoto\b"):
                yield source, number, "goto"


# Where what others wrote is parsed, and what it is called there.
OUTSIDE = {
    "client/client_call.c": "reply",
    "client/client_read.c": "reply",
    "client/client_ring.c": "reply|ring",
    "client/client_write.c": "reply",
    "core/node/sane.c": r"message->(?!kind\b|source\b)\w+",
    "hw/base/address.c": "text",
    "core/tier/fragment.c": r"(?:message|told|hold)->(?!kind\b|source\b)\w+",
    "hw/meta/etcd.c": "answer|encoded|body|entry",
    "hw/ops/http.c": "request_size",
    "hw/local/local_door.c": "from|packet",
    "hw/local/local_name.c": "from",
    "hw/local/local_request.c": "from",
    "hw/local/local_ring.c": "from",
    "hw/meta/members.c": "key|value|words|fault",
    "hw/net/tcp_connection.c": "frame|header",
    "hw/net/tcp_pull.c": "frame|header|pull",
    "hw/net/tls.c": "certificate",
}


@rule("no assertion is about a value from outside: it is parsed where it comes in")
def outside_assert(sources):
    for source in sources:
        names = OUTSIDE.get(source.path)
        for number, match in source.matches(r"\bFB_ASSERT\((.*)") if names else ():
            found = re.search(rf"(?<![\w>.])(?:{names})\b", match.group(1))
            if found:
                yield source, number, found.group(0)


@rule("a source file opens with a comment that says what it is")
def opening_comment(sources):
    for source in sources:
        if source.is_c and not source.text.startswith("/*"):
            yield source, 1, "no comment at the top"
        if source.path.endswith((".py", ".sh")):
            body = [line for line in source.lines if line and not line.startswith("#!")][:1]
            if not body or not body[0].startswith(("#", '"""')):
                yield source, 1, "no comment at the top"


@rule("a model's numbers say where they come from")
def model_source(sources):
    for source in sources:
        folders = "hardware|networks|transports|origins|metadata|systems"
        is_model = re.match(rf"models/({folders})/.*\.yaml$", source.path)
        if is_model and not re.search(r"(^|[{,])\s*(source|guess):", source.text, re.M):
            yield source, 1, "neither source: nor guess:"


@rule("no path of one machine")
def machine_path(sources):
    pattern = re.compile(r"(?<![\w.-])/(work|root|home)/\w")
    for source in sources:
        for number, line in enumerate(source.lines, 1):
            if pattern.search(line):
                yield source, number, pattern.search(line).group(0)


@rule("a unit test is named function_condition_result")
def test_name(sources):
    for source in sources:
        if source.folder == "tests" and source.is_c:
            for number, match in source.matches(r"^static void (\w+)\(void \*\*state\)"):
                if match.group(1).count("_") < 2:
                    yield source, number, match.group(1)


@rule("a folder has as many assertions in a thousand lines of code as ASSERTS_PER_KLOC_MIN says")
def asserts(sources):
    for folder, least in ASSERTS_PER_KLOC_MIN.items():
        count, lines = assert_density(sources, folder)
        if count * 1000 < least * lines:
            first = next(source for source in sources if source.folder == folder)
            yield first, 1, f"{count} assertions in {lines} lines of {folder}/, not {least} in 1000"


def core_of(sources):
    return [source for source in sources if source.folder == "core" and source.is_c]


def assert_density(sources, folder):
    """Assertions and lines of code (not blank, not only comment) of the .c files of a folder."""
    count = lines = 0
    for source in sources:
        if source.folder == folder and source.path.endswith(".c"):
            count += len(re.findall(r"\b(?:FB_ASSERT|static_assert)\s*\(", source.code))
            lines += sum(1 for line in source.code_lines if line.strip())
    return count, lines


@rule("a declaration that other folders see has its sentence: SAID_PERCENT_MIN of a hundred")
def declaration_sentence(sources):
    for folder, least in SAID_PERCENT_MIN.items():
        seen = list(declarations_seen(sources, folder))
        said = sum(is_said for *_, is_said in seen)
        for source, line, name, is_said in seen if said * 100 < least * len(seen) else ():
            if not is_said:
                yield source, line, f"{name} has no sentence above or beside it"


def declarations_seen(sources, folder):
    """(file, line, name, has it a sentence?) of what the headers declare that a file of another
    folder or subfolder includes, or that such a header includes; tests do not count."""
    queue = [path for source in sources if source.folder != "tests"
             for _, path in includes(source)
             if os.path.dirname(path) != os.path.dirname(source.path)]
    by_path, seen = {source.path: source for source in sources}, set()
    while queue:
        path = queue.pop()
        if path in by_path and path not in seen:
            seen.add(path)
            queue.extend(path for _, path in includes(by_path[path]))
    for source in sources:
        if source.folder == folder and source.is_header and source.path in seen:
            for line, name, is_said in declarations(source):
                yield source, line, name, is_said


def declarations(source):
    """(line, name, has it a sentence?) of each declaration of a header: functions, types, variables
    and macros with arguments; not of types that are only named."""
    last = -1
    for first, line in enumerate(source.code_lines):
        if first <= last or not line.strip() or re.match(r'}|\s*extern\s+"', line):
            continue
        last, text, depth = first, line, line.count("{") - line.count("}")
        is_directive = line.lstrip().startswith("#")
        while text.rstrip().endswith("\\") if is_directive else (
                depth > 0 or not text.rstrip().endswith((";", "}"))):
            last += 1
            text += " " + source.code_lines[last]
            depth += source.code_lines[last].count("{") - source.code_lines[last].count("}")
        macro = re.match(r"\s*#\s*define\s+(\w+)\(", text)
        if (is_directive and not macro) or re.match(
                r"static_assert\b|(?:struct|union|enum)\s+\w+\s*;", text):
            continue
        name = macro or re.search(r"(?:struct|union|enum)\s+(\w+)\s*{", text) or re.search(
            r"(\w+)\s*\(", text) or re.search(r"(\w+)", text)
        yield first + 1, name.group(1), has_sentence(source, first, last, "{" in text)


def has_sentence(source, first, last, has_body):
    """Is there a comment of some words above these lines (from 0), or beside them?"""
    comment = ""
    above = first - 1
    while above >= 0 and source.lines[above].strip() and not source.code_lines[above].strip():
        comment = source.lines[above] + " " + comment
        above -= 1
    beside = {first, last} if has_body else range(first, last + 1)
    texts = [comment] + [source.lines[line].partition("/*")[2] for line in beside]
    return any(len(re.findall(r"[A-Za-z]\w*", text)) >= SENTENCE_WORDS_MIN for text in texts)


def find_sources(root):
    """The project's own text files; build folders, results of runs and hidden folders left out."""
    sources = []
    for folder, folders, names in os.walk(root):
        place = os.path.relpath(folder, root)
        is_top = place == "."
        folders[:] = sorted(
            name for name in folders
            if (not name.startswith(".") or name == ".ci") and name != "__pycache__"
            and not (is_top and name.startswith("build")) and place != "results")
        for name in sorted(names):
            path = name if is_top else f"{place}/{name}"
            if name.endswith(TEXT_SUFFIXES) or path in ("forebay", ".ci/run"):
                sources.append(Source(root, path))
    return sources


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), "..", ".."))
    parser.add_argument("--list-rules", action="store_true", help="print the rules and end")
    arguments = parser.parse_args()
    if arguments.list_rules:
        for name, (text, _) in RULES.items():
            print(f"{name:18} {text}")
        return 0
    sources = find_sources(arguments.root)
    count = 0
    for name, (_, check) in RULES.items():
        for source, line, what in check(sources):
            print(f"{source.path}:{line}: {name}: {what}")
            count += 1
    for folder in sorted(SAID_PERCENT_MIN):
        found, lines = assert_density(sources, folder)
        said = [is_said for *_, is_said in declarations_seen(sources, folder)]
        print(f"{folder}/: {found} assertions in {lines} lines of code, "
              f"{found * 1000 / max(lines, 1):.0f} in a thousand; of {len(said)} declarations that "
              f"others see {sum(said) * 100 // max(len(said), 1)}% have a sentence")
    print(f"{len(sources)} files, {len(RULES)} rules, {count} findings")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
