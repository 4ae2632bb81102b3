"""What several subcommands take alike."""

from __future__ import annotations

from typing import Literal, cast

import click

target_argument = click.argument("target")
"""A TARGET: see ``cli.target``."""

input_option = click.option(
    "--input",
    "-i",
    "inputs",
    metavar="SHAPE",
    multiple=True,
    help="What goes into a module: 1x3x224x224, 2x16:int64; once for each input.",
)
"""The shapes of a module's inputs."""

stats_option = click.option(
    "--stats",
    type=click.Choice(["none", "norm", "full"]),
    default="norm",
    show_default=True,
    help="What is measured of each gradient.",
)
"""How much of each gradient is measured."""


def stats_level(stats: str) -> Literal["norm", "full"] | None:
    """Gives the ``stats`` of ``trace`` and ``watch`` that an option stands for."""
    return None if stats == "none" else cast('Literal["norm", "full"]', stats)
