#!/usr/bin/env python3
"""Proves that each rule of tidy.py can fire: plants an example of every rule in a clean tree and
expects that rule, and no other, to find it at its line; and the clean tree to give no finding."""

import os
import sys
import tempfile

import tidy

TOP = "/* A file. */\n"
GUARD = "/* A header. */\n#ifndef FB_A_H\n#define FB_A_H\n\n{}\n#endif\n"
FUNCTION = "\nint fb_one(int one)\n{{\n{}    return one;\n}}\n"
ASSERTS = "    FB_ASSERT(one > 0);\n" * 2

# What keeps every rule; some of it looks like a breach and is none.
CLEAN = {
    "core/a.c": TOP + '#include "core/a.h"\n\n#include <string.h>\n'
                + "\n/* double, free(x), goto, default: and malloc(1) are fine in comments */"
                + FUNCTION.format(ASSERTS + '    fb_say("goto malloc(1) \\" default:");\n'),
    "core/a.h": GUARD.format("typedef struct one (*maker)(int free);\n"),
    "hw/a.c": TOP + FUNCTION.format(ASSERTS + "    goto out;\nout:\n"),
    "models/hardware/a.yaml": "# A thing.\nsize: {value: 1 KiB, guess: 1 KiB to 2 KiB}\n",
    "models/workloads/a.yaml": "batch_size: 4\n",
    "core/index/two.h": GUARD.format('#include "core/index/one.h"'),
    "hw/two/a.h": GUARD.format('#include "hw/one/a.h"'),
    "cli/a.c": TOP + '#include "sim/one/a.h"\n#include "sim/one/b.h"\n',
    "sim/one/a.h": GUARD.format(
        "struct one;\n\n/* What two are. */\nstruct two {\n    int a;\n};\n"
        "void fb_one(struct two *two); /* Takes it over. */\n\n"
        "/* X(name, help) of each. */\n#define FB_ALL(X) \\\n    X(one, \"the first\")"),
    "tests/test_a.c": TOP + "static void a_when_b_gives_c(void **state)\n{\n    (void)state;\n}\n",
    "tests/a.py": "#!/usr/bin/env python3\n# A script.\n",
    "results/of_a_run/a.py": "import os\t\n",
}

# Rule: (file, its text, line of the finding).
BREACHES = {
    "file-length": ("base/a.c", TOP + "int a;\n" * 600, 601),
    "header-length": ("base/a.h", GUARD.format("int a;\n" * 150), 151),
    "function-length": ("base/a.c", TOP + FUNCTION.format("    one++;\n" * 58), 3),
    "line-length": ("base/a.c", TOP + "/* " + "a" * 99 + " */\n", 2),
    "tabs": ("base/a.c", TOP + "int a;\t/* a */\n", 2),
    "line-ends": ("base/a.c", TOP + "int a; \n", 2),
    "typedef-struct": ("base/a.c", TOP + "typedef struct a {\n    int a;\n} a;\n", 2),
    "outside-assert": ("hw/meta/members.c",
                       TOP + FUNCTION.format("    FB_ASSERT(value != NULL);\n"), 5),
    "open-marker": ("base/a.c", TOP + "/* TO" "DO: more */\n", 2),
    "core-condition": ("core/b.c", TOP + "#ifdef WITH_SIM\n#endif\n", 2),
    "core-include": ("core/b.c", TOP + "#include <stdio.h>\n", 2),
    "core-word": ("core/b.c", TOP + FUNCTION.format(ASSERTS + "    double two = 2;\n"), 7),
    "core-default": ("core/b.c", TOP + FUNCTION.format(
        ASSERTS + "    switch (one) {\n    default:\n        break;\n    }\n"), 8),
    "core-recursion": ("core/b.c", TOP + FUNCTION.format(ASSERTS + "    fb_two(one);\n")
                       + FUNCTION.format(ASSERTS + "    fb_one(one);\n")
                       .replace("fb_one", "fb_two", 1), 3),
    "layer": ("base/a.c", TOP + '#include "sim/a.h"\n', 2),
    "folder-circle": ("hw/one/a.c", TOP + '#include "hw/two/a.h"\n', 2),
    "core-circle": ("core/index/one.c", TOP + '#include "core/index/two.h"\n', 2),
    "question": ("base/a.c", TOP + FUNCTION.format("").replace("int fb_one", "void fb_is_one"), 3),
    "goto": ("base/a.c", TOP + FUNCTION.format("    goto out;\nout:\n"), 5),
    "timed-wait": ("hw/a.c", TOP + FUNCTION.format(
        "    pthread_cond_timedwait(&one, &two, &until);\n" + ASSERTS), 5),
    "opening-comment": ("base/a.c", "int a;\n", 1),
    "model-source": ("models/hardware/b.yaml", "size: 1 KiB\n", 1),
    "machine-path": ("experiments/b.yaml", "trace: /wo" "rk/trace.jsonl\n", 1),
    "test-name": ("tests/test_a.c",
                  TOP + "static void works(void **state)\n{\n    (void)state;\n}\n", 2),
    "asserts": ("core/a.c", TOP + FUNCTION.format("    one++;\n" * 30), 1),
    "declaration-sentence": (
        "sim/one/b.h", GUARD.format("void fb_one(\n    int one); /* both */"), 5),
}


def findings(files):
    """(rule, file, line) of every finding in a tree of these files."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        sources = tidy.find_sources(root)
        return [(name, source.path, line) for name, (_, check) in tidy.RULES.items()
                for source, line, _ in check(sources)]


def main():
    faults = [f"a clean tree has a finding: {found}" for found in findings(CLEAN)]
    for name in tidy.RULES:
        if name not in BREACHES:
            faults.append(f"rule {name} has no example")
    for name, (path, text, line) in BREACHES.items():
        found = findings({**CLEAN, path: text})
        if (name, path, line) not in found or {rule for rule, _, _ in found} != {name}:
            faults.append(f"{name}: expected at {path}:{line}, found {found}")
    for fault in faults:
        print(fault)
    print(f"{len(BREACHES)} rules tried, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
