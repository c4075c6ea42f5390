"""The sources of a build, as its compile_commands.json has them, but for those of the tests; and a
program that looks at each."""

import concurrent.futures
import json
import os


def sources(build):
    """{file: its entry}."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        return {entry["file"]: entry for entry in json.load(file)
                if entry["file"].endswith(".c") and "/tests/" not in entry["file"]}


def look_at_each(look, things, what):
    """look: gives what subprocess.run does. Prints what those say that failed; the exit code."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        ended = list(pool.map(look, things))
    failed = [one for one in ended if one.returncode != 0]
    for one in failed:
        print(one.stdout + one.stderr)
    print(f"{len(ended)} files, {len(failed)} with {what}")
    return int(bool(failed))
