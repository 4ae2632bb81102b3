"""What several subcommands take alike."""

from __future__ import annotations

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
