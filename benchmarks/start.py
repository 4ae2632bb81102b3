"""Times how the lab starts, in processor time, beside an earlier build and beside ``import torch`` alone.

    python benchmarks/start.py [--rounds 7] [--against 78bad00]

The earlier build is checked out into a folder of its own; where the checkout has no such commit (a shallow clone),
only this build is timed. Each start is a fresh interpreter of the same environment, so both builds see the same
packages. The contestants take turns; what is shown is the median, and the median of the ratios within a round.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import rounds
from rich.console import Console

HERE = Path(__file__).parent.parent
COMMANDS = ("", "demo", "doctor", "render", "run", "step", "tour", "trace", "verify")
"""What ``--help`` is asked of: the command itself, and each of the subcommands that the earlier build has too."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--against", default="78bad00", help="the earlier build's commit")
    options = parser.parse_args()
    console = Console(width=100)
    with tempfile.TemporaryDirectory() as folder:
        earlier = checked_out(options.against, Path(folder))
        if earlier is None:
            console.print(f"No commit {options.against} in this checkout: only this build is timed.")
        helps(console, options, earlier)
        imports(console, options, earlier)


def helps(console: Console, options: argparse.Namespace, earlier: Path | None) -> None:
    for command in COMMANDS:
        words = [*command.split(), "--help"]
        code = f"import sys; sys.argv[1:] = {words}; from autograd_lab.cli import main; main()"
        contestants = {f"at {options.against}": start(code, earlier)} if earlier else {}
        contestants["this build"] = start(code, HERE)
        title = f"autograd-lab {' '.join(words)} (processor time, s)"
        show(console, title, contestants, options.rounds, {"this build": "≤ 0.15"})


def imports(console: Console, options: argparse.Namespace, earlier: Path | None) -> None:
    contestants = {"import torch": start("import torch", HERE)}
    if earlier:
        contestants[f"import torch, autograd_lab at {options.against}"] = start(
            "import torch, autograd_lab", earlier
        )
    contestants["import torch, autograd_lab"] = start("import torch, autograd_lab", HERE)
    contestants["the same, and the first use of trace"] = start(
        "import torch, autograd_lab; autograd_lab.trace", HERE
    )
    wanted = {"import torch, autograd_lab": "≤ 1.05"}
    show(console, "importing (processor time, s)", contestants, options.rounds, wanted)


def show(
    console: Console, title: str, runs: dict[str, rounds.Timed], count: int, wanted: dict[str, str]
) -> None:
    console.print(rounds.table(title, rounds.in_turn(runs, count), 1, wanted))


def start(code: str, build: Path) -> rounds.Timed:
    """Returns a function that starts an interpreter in a build's folder, and returns its processor time."""
    environment = os.environ | {"PYTHONPATH": str(build)}

    def run() -> float:
        before = processor_time()
        subprocess.run(
            [sys.executable, "-c", code], cwd=build, env=environment, check=True, stdout=subprocess.DEVNULL
        )
        return processor_time() - before

    return run


def processor_time() -> float:
    """Returns the seconds that the processes started from here, and already ended, have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def checked_out(commit: str, folder: Path) -> Path | None:
    """Returns the folder with a commit's files, or None where this checkout doesn't have the commit."""
    archive = subprocess.run(["git", "-C", HERE, "archive", commit], capture_output=True, check=False)
    if archive.returncode:
        return None
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder


if __name__ == "__main__":
    main()
