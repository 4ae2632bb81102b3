"""Prints what each package that the lab brings along, beyond torch's own, is for and how large it is.

    python tools/packages.py

A package's size is that of the files that its wheel installs, in MB of 1,000,000 bytes. What torch itself requires is
left out, since it's there anyway. What each is for stands beside it in ``pyproject.toml``.
"""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def main() -> None:
    """Prints the table, in Markdown. A package that several bring is counted with the first."""
    text = PYPROJECT.read_text().partition("\ndependencies = [")[2].partition("\n]")[0]
    purposes = dict(re.findall(r'^    "([\w-]+)[^"]*", # (.+)$', text, flags=re.MULTILINE))
    without = closure("torch")
    counted: set[str] = set()
    total = 0.0
    print("| package | for | MB | with it come |")
    print("|---|---|---|---|")
    for name, purpose in purposes.items():
        brought = closure(name) - without - counted
        counted |= brought
        size = sum(map(megabytes, brought))
        total += size
        shown = f"{size:.0f}" if size >= 1 else "< 1"
        print(f"| {name} | {purpose} | {shown} | {', '.join(sorted(brought - {name}))} |")
    print(f"| all | | {total:.0f} | |")


def closure(name: str) -> set[str]:
    """Returns a package and all that it requires on this machine, extras aside, by their normalized names."""
    found: set[str] = set()
    todo = [name]
    while todo:
        name = canonicalize_name(todo.pop())
        if name not in found:
            found.add(name)
            wanted = map(Requirement, metadata.requires(name) or ())
            todo += [
                each.name for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})
            ]
    return found


def megabytes(name: str) -> float:
    """Returns the size of the files that a package's wheel installed."""
    files = metadata.files(name) or ()
    return sum(Path(file.locate()).stat().st_size for file in files if Path(file.locate()).exists()) / 1e6


if __name__ == "__main__":
    main()
