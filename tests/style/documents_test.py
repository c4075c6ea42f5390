#!/usr/bin/env python3
"""Holds README.md and docs/ to the tree: the length of the README, its commands' output, its C, the
folders of docs/architecture.md, and that every file that a page links to or names is there.

usage: documents_test.py BUILD [unittest's arguments]
"""

import glob
import os
import re
import subprocess
import sys
import tempfile
import unittest

import folders

ROOT = folders.ROOT
sys.path.insert(0, os.path.join(ROOT, "experiments"))
import findings  # pylint: disable=wrong-import-position

BUILD = ""
WORDS_MAX = 900
PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "tests/README.md"]
CODE = r"[\w./-]+\.(?:c|h|cpp|py|sh|md|yaml|cmake|txt|svg)"


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as page:
        return page.read()


def pages():
    return PAGES + [os.path.relpath(path, ROOT) for path in glob.glob(f"{ROOT}/docs/*.md")]


def blocks(text):
    """What stands between lines of three backquotes, by their order."""
    return re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)


def plain(text):
    return " ".join(text.split())


class Documents(unittest.TestCase):
    def test_readme_has_no_more_words_than_it_may(self):
        self.assertLessEqual(len(read("README.md").split()), WORDS_MAX)

    def test_quickstart_prints_what_the_readme_shows(self):
        shown = blocks(read("README.md"))[0].split("\n\n")[0].split("\n")
        command = shown[0].split()
        self.assertEqual(command[:3], ["$", "./forebay", "run"])
        with tempfile.TemporaryDirectory() as folder:
            ended = subprocess.run([os.path.join(BUILD, "forebay"), *command[2:], "--out", folder],
                                   capture_output=True, text=True, check=False, cwd=ROOT)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        lines = [line for line in ended.stdout.split("\n") if line]
        self.assertEqual(lines[:-1], shown[1:-1])
        self.assertTrue(lines[-1].startswith("report: ") and shown[-1].startswith("report: "))

    def test_trace_of_the_page_is_the_golden_one(self):
        shown = [block for block in blocks(read("docs/architecture.md")) if " n0 < " in block]
        self.assertEqual(shown, [read("tests/golden/hedge_past_a_silent_owner.txt")])

    def test_experiment_of_the_page_runs_and_meets_its_check(self):
        text = [block for block in blocks(read("docs/experiments.md")) if "schema_version" in block]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "mine.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text[0])
            ended = subprocess.run([os.path.join(BUILD, "forebay"), "run", path, "--expect",
                                    "--out", os.path.join(folder, "out")],
                                   capture_output=True, text=True, check=False, cwd=ROOT)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertIn("met      epoch_1_s", ended.stdout)

    def test_readme_counts_the_quick_suite(self):
        listed = subprocess.run(["ctest", "--test-dir", BUILD, "-N", "-L", "quick"],
                                capture_output=True, text=True, check=True).stdout
        count = re.search(r"Total Tests: (\d+)", listed).group(1)
        self.assertIn(f"100% tests passed, 0 tests failed out of {count}\n", read("README.md"))

    def test_c_of_the_readme_compiles_against_the_header(self):
        code = [block for block in blocks(read("README.md")) if "#include <forebay" in block][0]
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(os.path.join(ROOT, "client"), os.path.join(folder, "forebay"))
            ended = subprocess.run(["cc", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-x", "c",
                                    f"-I{folder}", "-"], input=code, capture_output=True,
                                   text=True, check=False)
        self.assertEqual(ended.returncode, 0, ended.stderr)

    def test_contract_says_what_the_seam_says_and_why(self):
        head = read("core/io.h").split("*/", 1)[0]
        rules = dict(re.findall(r"^ \*  (R\d+) (.*?)(?=^ \*  R\d|\Z)", head, re.M | re.S))
        rules = {name: plain(re.sub(r"^ \*", " ", text, flags=re.M))
                 for name, text in rules.items()}
        page = re.findall(r"^## (R\d+)\n\n((?:> .*\n)+)\nWhy: (\w.*)", read("docs/contract.md"),
                          re.M)
        shown = {name: plain(re.sub(r"^> ", " ", text, flags=re.M)) for name, text, _ in page}
        self.assertEqual(shown, rules)
        self.assertEqual(list(shown), [f"R{i + 1}" for i in range(len(shown))])

    def test_findings_are_those_of_kept_results_as_the_inputs_are(self):
        ended = subprocess.run([sys.executable, "-B", findings.__file__], capture_output=True,
                               text=True, check=False)
        self.assertEqual((ended.stdout, ended.returncode), ("", 0), ended.stderr)

    def test_figure_that_no_kept_result_has_is_refused(self):
        result = findings.kept("quickstart")
        self.assertRegex(findings.filled("quickstart", "64 take {epoch_1_s|s 2}", result),
                         r"^64 take \d+ s$")
        for text in ("takes 87.3 s", "{epoch_9_s|s 2}", "{epoch_1_s nodes=8|s 2}"):
            with self.assertRaises(findings.Fault, msg=text):
                findings.filled("quickstart", text, result)

    def test_folders_are_those_that_there_are(self):
        _, shown, _ = folders.parts(read("docs/architecture.md"))
        self.assertEqual(shown, folders.block(), "tests/style/folders.py --write")
        self.assertNotIn("?\n", shown)

    def test_links_lead_to_files(self):
        for page in pages():
            for link in re.findall(r"\]\(([^)#]+)", read(page)):
                if "://" not in link:
                    place = os.path.join(ROOT, os.path.dirname(page), link)
                    self.assertTrue(os.path.exists(place), f"{page}: {link}")

    def test_named_paths_are_there(self):
        tops = "base|client|core|cli|docs|experiments|hw|models|packaging|results|sim|tests"
        for page in pages():
            for path in re.findall(rf"(?<![\w/.<])(?:{tops})/{CODE}", read(page)):
                if not re.search(r"/NAME|test_NAME|results/[a-z]+/", path):
                    self.assertTrue(os.path.exists(os.path.join(ROOT, path)), f"{page}: {path}")

    def test_no_code_cites_a_page_that_is_not_there(self):
        listed = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True,
                                check=True).stdout.split("\n")
        for path in listed:
            if path.endswith((".c", ".h", ".cpp", ".py", ".sh")) and "tidy_test" not in path:
                for cited in re.findall(r"\b(?:docs|tests|core|hw|sim|models)/[\w/-]+\.(?:md|h)\b",
                                        read(path)):
                    self.assertTrue(os.path.exists(os.path.join(ROOT, cited)), f"{path}: {cited}")


if __name__ == "__main__":
    BUILD = os.path.abspath(sys.argv.pop(1))
    unittest.main()
