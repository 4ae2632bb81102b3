"""``autograd-lab doctor``: what is installed, what won't work, and what to install."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import click

_PACKAGES = {
    "torch": "everything but drawing saved records",
    "torchviz": "view='torchviz'",
    "setuptools": "view='torchviz' from Python 3.12 on",
    "graphviz": "svg, png and pdf through a dot on the PATH",
    "pygraphviz": "svg, png and pdf without a dot on the PATH",
    "fast-sugiyama": "svg, png and pdf of big graphs",
    "matplotlib": "text in png and pdf on a machine without fonts",
    "rich": "tables and progress bars",
    "click": "the command line",
    "numpy": "the training by hand",
}

TESTED = {"Python": ("3.11", "3.12", "3.13"), "torch": ("2.13.0", "2.14.1")}
"""What the tests were run with, by ``tools/suite_on.py``; ``docs/installation.md`` says what differs among them."""


class Finding(NamedTuple):
    """One line of the doctor's report: what, whether it's fine, and what was found or is to be done."""

    what: str
    fine: bool
    found: str


@click.command()
def doctor() -> None:
    """Say what is installed, what won't work, and what to install."""
    from autograd_lab.draw.tables.grid import terminal_width

    findings = list(examine())
    click.echo(report(findings, width=terminal_width()), nl=False)
    sick = [finding.what for finding in findings if not finding.fine]
    if sick:
        click.echo(f"not fine: {', '.join(sick)}")
        sys.exit(1)
    click.echo("everything works")


def report(findings: Sequence[Finding], *, width: int) -> str:
    """Returns what was found as a table.

    Args:
        findings: What ``examine`` gave.
        width: Characters in a line.
    """
    from autograd_lab.draw.tables.grid import Column, table

    columns = (Column("", 0), Column("what", 0, "name"), Column("found", 0))
    return table(columns, [["ok" if each.fine else "no", each.what, each.found] for each in findings], width)


def untested(what: str, installed: str) -> str:
    """Returns a note on a version of Python or torch that isn't one of `TESTED`; nothing for one that is."""
    versions = TESTED[what]
    if any(installed == each or installed.startswith((f"{each}.", f"{each}+")) for each in versions):
        return ""
    return f"; not one of the versions that the tests were run with: {', '.join(versions)}"


def examine() -> Iterator[Finding]:
    """Looks at everything that the lab needs, by using it."""
    python = platform.python_version()
    note = untested("Python", python)
    yield Finding("Python", sys.version_info >= (3, 11), f"{python} on {platform.platform()}{note}")
    for package, purpose in _PACKAGES.items():
        try:
            found = version(package)
            yield Finding(package, True, found + (untested(package, found) if package in TESTED else ""))
        except PackageNotFoundError:
            yield Finding(package, False, f"not installed, so no {purpose}; pip install {package}")
    yield _try("torch runs", _torch)
    yield from _grounds()
    for what, look in (("Graphviz", _graphviz), ("fonts", _fonts)):
        yield _try(what, look)


def _grounds() -> Iterator[Finding]:
    """Tries what of torch's own each feature relies on."""
    try:
        from autograd_lab._torch import grounds
    except Exception as error:
        yield Finding("features", False, " ".join(f"{type(error).__name__}: {error}".split()))
        return
    for feature, lines in grounds.examine():
        rests_on = sum(feature in ground.features for ground in grounds.GROUNDS)
        fine = f"all {rests_on} things that it relies on in torch are so"
        yield Finding(feature, not lines, "; ".join(lines) or fine)


def _try(what: str, look: Callable[[], str]) -> Finding:
    """A look that fails is a finding, whatever it fails of: that's what a doctor is for."""
    try:
        return Finding(what, True, look())
    except Exception as error:
        return Finding(what, False, " ".join(f"{type(error).__name__}: {error}".split()))


def _torch() -> str:
    import torch

    w = torch.ones((), requires_grad=True)
    torch.autograd.backward(w * 2)
    devices = (
        f"CUDA {torch.version.cuda}, {torch.cuda.device_count()} GPU"
        if torch.cuda.is_available()
        else "CPU only"
    )
    return f"torch {torch.__version__} made d(2w)/dw = {w.grad}; {devices}"


def _graphviz() -> str:
    from autograd_lab.draw.native.graphviz import which

    found = which()
    return f"{found.source}, version {found.version} ({found.path})"


def _fonts() -> str:
    from autograd_lab.draw.native.graphviz import run

    size = len(run('digraph { a [label="ŷ = w·x"] }', "png"))
    return f"drew a PNG of {size} bytes with its own DejaVu Sans"
