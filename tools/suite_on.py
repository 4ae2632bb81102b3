#!/usr/bin/env python3
"""Runs the tests with another Python and another torch, and prints one line with the count.

    python tools/suite_on.py --python 3.13 --torch 2.13.0
    python tools/suite_on.py --python 3.11 --torch 2.14.1 -- -n 2 tests/_torch

What stands after ``--`` goes to pytest. Each pair has a virtual environment of its own, which is made once and kept:
``--where`` says in which folder. All other packages are those of ``constraints.txt``. On Linux pip takes the CUDA build
of torch from the package index, several gigabytes for each pair; ``--find-links`` names a folder that has other builds.

The exit code is pytest's. CI doesn't run this: it stays on the pair that ``constraints.txt`` and ``.ci/run`` name.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
DEFAULT_WHERE = Path.home() / ".cache" / "autograd_lab" / "pairs"


def main(arguments: list[str] | None = None) -> int:
    """Makes the environment where there is none yet, runs pytest in it, and prints the count."""
    asked = parsed(arguments)
    folder = asked.where.resolve() / f"python{asked.python}-torch{asked.torch}"
    python = folder / "bin" / "python"
    install(interpreter(asked.python), folder, asked.torch, asked.find_links)
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    ran = subprocess.run(
        [python, "-m", "pytest", f"--junitxml={report}", *asked.pytest],
        cwd=HOUSE,
        env={**os.environ, "PYTHONPATH": str(HOUSE)},
        check=False,
    )
    print(f"{versions(python)}, commit {commit()}: {count(report)}")
    return ran.returncode


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """Returns the options; what follows ``--`` is ``pytest``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", required=True, help="a version, 3.13, or the path of an interpreter")
    parser.add_argument("--torch", required=True, help="a version: 2.13.0")
    parser.add_argument("--where", type=Path, default=DEFAULT_WHERE, help="the folder of the environments")
    parser.add_argument("--find-links", help="a folder with other builds of torch, as for pip")
    parser.add_argument("pytest", nargs="*", help="after --: what pytest is called with")
    return parser.parse_args(arguments)


def interpreter(wanted: str) -> str:
    """Returns the path of an interpreter: the one named, one on the PATH, or one of pyenv's.

    Raises:
        SystemExit: There is none.
    """
    if os.sep in wanted:
        return wanted
    of_pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{wanted}"), *of_pyenv.glob(f"{wanted}*/bin/python")]
    for path in filter(None, candidates):
        ran = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        if ran.returncode == 0 and re.match(rf"Python {re.escape(wanted)}\b", ran.stdout):
            return str(path)
    raise SystemExit(f"no Python {wanted} on the PATH nor among pyenv's: give the path of one as --python")


def install(interpreter: str, folder: Path, torch: str, find_links: str | None) -> None:
    """Makes a virtual environment with a version of torch and all that the tests need, unless it's there."""
    done = folder / "installed"
    if done.exists():
        return
    subprocess.run([interpreter, "-m", "venv", "--clear", folder], check=True)
    constraints = folder / "constraints.txt"
    constraints.write_text(constraints_with(torch), "utf-8")
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "-c", constraints]
    pip += ["--find-links", find_links] if find_links else []
    subprocess.run([*pip, f"torch=={torch}", "hatchling"], check=True)
    subprocess.run([*pip, *requirements()], check=True)
    done.touch()


def constraints_with(torch: str) -> str:
    """Returns the text of ``constraints.txt`` with another version of torch."""
    text = (HOUSE / "constraints.txt").read_text("utf-8")
    return re.sub(r"(?m)^torch==.*$", f"torch=={torch}", text)


def requirements() -> list[str]:
    """Returns what the lab and its tests need: the lab itself isn't installed, so that it's always this checkout."""
    import tomllib

    project = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["test"]]


def versions(python: Path) -> str:
    """Returns the versions of Python and torch in an environment."""
    say = "import platform, torch; print(f'Python {platform.python_version()}, torch {torch.__version__}')"
    return subprocess.run([python, "-c", say], capture_output=True, text=True, check=True).stdout.strip()


def commit() -> str:
    """Returns the commit that is checked out, and whether something was changed since."""
    ran = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=HOUSE, capture_output=True, text=True, check=False
    )
    return ran.stdout.strip() or "unknown"


def count(report: Path) -> str:
    """Returns how many tests passed, failed, raised and were skipped, from pytest's report."""
    if not report.exists():
        return "pytest wrote no report"
    found: Counter[str] = Counter()
    for case in ET.parse(report).iter("testcase"):
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[kinds[0] if kinds else "passed"] += 1
    return ", ".join(f"{found[kind]} {kind}" for kind in ("passed", "failure", "error", "skipped"))


if __name__ == "__main__":
    sys.exit(main())
