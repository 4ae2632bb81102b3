"""PyTorch's own tests of autograd, unmodified, with the lab around them.

    python tools/torch_tests.py PYTORCH/test/test_autograd.py

runs them plain, watched, swapped and with the lab's engine in the place of torch's, and prints how many pass in each
way and which ones fail only there. (That file imports those in ``test/autograd``, which must lie beside it; name them
too, and their tests run twice.) Debian's source package of PyTorch has the files; they should be near the installed
version. What remains, and why, is in ``docs/comparison.md``. It isn't part of CI.

Two of pytest's plugins are off, as they make tests fail that pass under ``unittest``: the one that catches what is
logged formats it too, and the one that catches warnings sets filters, where some tests count warnings.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
WAYS = ("plain", "watched", "watched closely", "swapped", "engine")


def main() -> None:
    """Runs the ways that were asked for and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--way", action="append", choices=WAYS, help="which; all of them if none is named")
    parser.add_argument("-k", default="", help="as pytest's")
    parser.add_argument("-n", default="2", help="how many processes")
    arguments = parser.parse_args()
    ways = ["plain", *(way for way in arguments.way or WAYS if way != "plain")]
    outcomes = {way: run(way, arguments.files, arguments.k, arguments.n) for way in ways}
    print_table(outcomes)


def run(way: str, files: list[Path], chosen: str, processes: str) -> dict[str, str]:
    """Returns each test's outcome: "passed", "skipped", or the first line of what it failed with."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = [
            "-q",
            "--no-header",
            "--tb=line",
            "-p",
            "no:cacheprovider",
            "-c",
            os.devnull,
            "-p",
            "no:logging",
            "-p",
            "no:warnings",
        ]
        command = [sys.executable, "-m", "pytest", *options, "-p", "torch_tests_plugin", "-k", chosen]
        command += ["-n", processes, "--max-worker-restart", "20", f"--junitxml={report}", *map(str, files)]
        path = os.pathsep.join([str(ROOT), str(HERE)])
        environment = {**os.environ, "TORCH_TESTS": way, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        subprocess.run(command, env=environment, check=False, cwd=folder, stdout=subprocess.DEVNULL)
        return {key: outcome for case in ET.parse(report).iter("testcase") for key, outcome in [told(case)]}


def told(case: ET.Element) -> tuple[str, str]:
    """Returns a test's name and its outcome."""
    name = ".".join([*case.get("classname", "").split(".")[-2:], case.get("name", "")])
    for kind in ("failure", "error"):
        if (found := case.find(kind)) is not None:
            return name, (found.get("message") or kind).strip().splitlines()[0]
    return name, "passed" if case.find("skipped") is None else "skipped"


def print_table(outcomes: dict[str, dict[str, str]]) -> None:
    """Prints the counts, and what fails in one way but not plain."""
    plain = outcomes["plain"]
    print("| way | passed | skipped | failed | of these only in this way |\n|---|---|---|---|---|")
    for way, found in outcomes.items():
        counts = [sum(each == kind for each in found.values()) for kind in ("passed", "skipped")]
        print(
            f"| {way} | {counts[0]} | {counts[1]} | {len(found) - sum(counts)} | {len(only(found, plain))} |"
        )
    for name, outcome in sorted(plain.items()):
        if outcome not in ("passed", "skipped"):
            print(f"plain: {name}: {outcome[:200]}")
    for way, found in outcomes.items():
        for name in only(found, plain):
            print(f"{way}: {name}: {found.get(name, 'no outcome')[:200]}")


def only(found: dict[str, str], plain: dict[str, str]) -> list[str]:
    """Returns the tests that pass plain and don't pass here."""
    return sorted(
        name for name, outcome in plain.items() if outcome == "passed" and found.get(name) != "passed"
    )


if __name__ == "__main__":
    main()
