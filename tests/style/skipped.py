#!/usr/bin/env python3
"""Says which tests of a run were skipped (exit code 77), and why: the last line that each printed.

usage: skipped.py JUNIT                    JUNIT: what ctest --output-junit wrote
       skipped.py JUNIT --need REGEX       says only whether a test of such a name has run
exit code: 1 if none has: all were skipped, or there are none
"""

import argparse
import os
import re
import sys
import xml.etree.ElementTree as tree


def reason(case):
    """The last line that is not empty; ctest's own words when the test said nothing."""
    text = case.findtext("system-out") or ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    skipped = case.find("skipped")
    said = skipped.get("message", "") if skipped is not None else ""
    return lines[-1] if lines else said or "it does not say why"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("junit")
    parser.add_argument("--need", help="at least one test of such a name must have run")
    options = parser.parse_args()
    if not os.path.exists(options.junit):
        print(f"no test has run: there is no {options.junit}")
        return 1
    cases = list(tree.parse(options.junit).getroot().iter("testcase"))
    skipped = [case for case in cases if case.find("skipped") is not None]
    if options.need is None:
        print(f"skipped: {len(skipped)} of {len(cases)} tests")
        for case in skipped:
            print(f"  {case.get('name')}: {reason(case)}")
        return 0
    named = [case for case in cases if re.search(options.need, case.get("name"))]
    if any(case not in skipped for case in named):
        return 0
    print(f"none of the {len(named)} tests that match {options.need} has run: they need io_uring, "
          "and a build with WITH_HW")
    return 1


if __name__ == "__main__":
    sys.exit(main())
