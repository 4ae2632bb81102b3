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

depth_option = click.option(
    "--depth",
    metavar="N",
    type=click.IntRange(min=0),
    help="Draw modules this deep as one box each; 0: the whole model.",
)
"""Where modules collapse."""

repeats_option = click.option(
    "--repeats", is_flag=True, help="Draw modules that follow one another and are alike once, with × 12."
)
"""Whether repeated blocks are drawn once."""

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
