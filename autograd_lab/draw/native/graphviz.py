"""Runs the real Graphviz: ``dot`` text in, a picture's bytes out.

Where there's a ``dot`` on the PATH the ``graphviz`` package drives it; elsewhere it's the Graphviz inside
pygraphviz's wheel. Either runs in a process of its own (`isolated.py`), with the fonts of `fonts.py`.

Relies on Graphviz's own layouts ``dot`` and ``nop2`` (the command ``neato -n2``), its ``plain`` format,
whose first line says how big the picture is, and its messages, which begin with ``Error`` where something can't be
drawn. Promises a whole picture, or a `RenderError` of one line; a PNG that is small enough to be made
and opened, and a PDF page that readers accept. Nothing is written on standard error, and the user's environment
isn't touched. Graphviz's own warnings become Python warnings.
"""

from __future__ import annotations

import re
import shutil
import time
import warnings
from dataclasses import dataclass
from typing import Literal, TypeAlias

from autograd_lab.draw.native.fonts import fonts_at_hand
from autograd_lab.draw.native.isolated import LONGEST, call
from autograd_lab.errors import RenderError
from autograd_lab.hold import Hold

ImageFormat: TypeAlias = Literal["svg", "png", "pdf"]
FORMATS: tuple[ImageFormat, ...] = ("svg", "png", "pdf")

PNG_DPI = 96
"""Pixels per inch of a PNG for which nothing else was asked: Graphviz's own."""

PNG_SIDE = 32_000
"""Pixels: cairo draws bitmaps of up to 32,767 a side."""

PNG_PIXELS = 64_000_000
"""Pixels in all: 256 MB while it's drawn, and below the number at which Pillow suspects an attack."""

PDF_SIDE = 14_400
"""Points: readers refuse longer pages."""

_PDF_MARGIN = 36
_POINTS = 72
_SMALL = 8_000
"""Characters of text that can't describe a picture near the limits above, so that it needn't be measured."""

_NOISE = re.compile(
    r"Fontconfig (warning|error)|.*Pango-WARNING|.*too large for cairo-renderer bitmaps|.*no value for width of|\s*$"
)
"""What is said about the system's own fonts, which aren't used, of a bitmap that Graphviz itself made fit, and of a
sign whose width it has to guess."""

_ADVICE = (
    "pip install pygraphviz (its wheel carries Graphviz), or install Graphviz so that `dot` is on the PATH"
)


@dataclass(frozen=True, slots=True)
class Graphviz:
    """The Graphviz in use.

    Attributes:
        source: ``"dot on the PATH"`` or ``"pygraphviz wheel"``.
        version: Such as ``"14.1.5"``.
        path: The program, or the wheel's folder.

    Example:
        >>> Graphviz("dot on the PATH", "14.1.5", "dot").version
        '14.1.5'
    """

    source: Literal["dot on the PATH", "pygraphviz wheel"]
    version: str
    path: str


def which() -> Graphviz:
    """Finds the Graphviz that `run` will use.

    Returns:
        Where it comes from, its version and its path.

    Raises:
        RenderError: there's none, or the one on the PATH doesn't answer; the message says what to install.

    Example:
        >>> which().source in ("dot on the PATH", "pygraphviz wheel")
        True
    """
    if program := shutil.which("dot"):
        answer = call("version of program", advice="pip install graphviz")
        if not answer.ok:
            raise RenderError(
                f"{program} doesn't say its version; reinstall Graphviz, or take it off the PATH"
            )
        return Graphviz("dot on the PATH", answer.result.decode(), program)
    answer = call("version of wheel", advice=_ADVICE)
    if not answer.ok:
        raise RenderError(f"pygraphviz doesn't say its version ({answer.said.strip()[-200:]}); reinstall it")
    version, folder = answer.result.decode().split("\n", 1)
    return Graphviz("pygraphviz wheel", version, folder)


def run(
    dot_text: str,
    format: ImageFormat,  # noqa: A002
    *,
    pinned: bool = False,
    dpi: int | None = None,
    limit: float | None = None,
    extent: tuple[float, float] | None = None,
) -> bytes:
    r"""Draws a graph.

    Args:
        dot_text: The graph in Graphviz's language.
        format: One of `FORMATS`.
        pinned: Whether every node has its position in the text (``pos="x,y"``, in points, y growing upwards), and
            edges theirs where they shall not be straight or curved at Graphviz's will. Nothing is laid out then.
        dpi: Pixels per inch, for PNG only; 96 if not given. It is lowered where the picture would have a side of
            more than 32,000 or more than 64 million pixels in all.
        limit: Seconds that it may take; `isolated.LONGEST` if not given.
        extent: Width and height of the picture in points, where they're known; they're measured if not given.

    Returns:
        The picture. A PDF page is scaled down where it would be longer than 14,400 points.

    Raises:
        OutOfTimeError: it took longer than ``limit``.
        RenderError: the format is unknown, there's no Graphviz, it can't read the text, or it crashed.

    Example:
        >>> run("digraph { a -> b }", "png")[:4]
        b'\x89PNG'
    """
    if format not in FORMATS:
        raise RenderError(f"unknown format {format!r}: use one of {', '.join(FORMATS)}")
    engine = "nop2" if pinned else "dot"
    until = time.monotonic() + (LONGEST if limit is None else limit)
    with Hold() as held:
        variables = fonts_at_hand(held)
        attributes = {} if dpi is None or format != "png" else {"dpi": f"{dpi}"}
        if format != "svg" and len(dot_text) > _SMALL:
            attributes |= _fit(
                *(extent or _extent(dot_text, engine, variables, until)), format, dpi or PNG_DPI
            )
        return _draw(_with_attributes(dot_text, attributes), engine, format, variables, until)


def lay_out(dot_text: str, *, limit: float | None = None) -> bytes:
    """Lays a graph out by ``dot``, without drawing it.

    Args:
        dot_text: The graph in Graphviz's language.
        limit: As for `run`.

    Returns:
        Graphviz's ``json0``: where everything is, in points.

    Raises:
        OutOfTimeError: it took longer than ``limit``.
        RenderError: as for `run`.

    Example:
        >>> b'"pos"' in lay_out("digraph { a -> b }")
        True
    """
    until = time.monotonic() + (LONGEST if limit is None else limit)
    with Hold() as held:
        return _draw(dot_text, "dot", "json0", fonts_at_hand(held), until)


def _extent(text: str, engine: str, variables: dict[str, str], until: float) -> tuple[float, float]:
    """Lays the graph out and measures it, in points."""
    scale, width, height = _draw(text, engine, "plain", variables, until).split(maxsplit=4)[1:4]
    return float(scale) * float(width) * _POINTS, float(scale) * float(height) * _POINTS


def _fit(width: float, height: float, format: ImageFormat, dpi: float) -> dict[str, str]:  # noqa: A002
    """Chooses the attributes that keep a picture of so many points within what can be made and opened."""
    if format == "pdf":
        side = PDF_SIDE - 2 * _PDF_MARGIN
        inches = f'"{side / _POINTS:g},{side / _POINTS:g}"'
        return {"size": inches} if max(width, height) > side else {}
    longest = PNG_SIDE / max(width, height, 1)
    biggest = (PNG_PIXELS / max(width * height, 1)) ** 0.5
    return {"dpi": f"{min(dpi, longest * _POINTS, biggest * _POINTS):.4f}"}


def _with_attributes(text: str, attributes: dict[str, str]) -> str:
    """Adds attributes of the whole graph at its end, where they outweigh those before."""
    if not attributes:
        return text
    graph, brace, rest = text.rpartition("}")
    return graph + "".join(f"{name}={value};\n" for name, value in attributes.items()) + brace + rest


def _draw(text: str, engine: str, format: str, variables: dict[str, str], until: float) -> bytes:  # noqa: A002
    answer = call(
        "draw with program" if shutil.which("dot") else "draw with wheel",
        text.encode("utf-8", "replace"),
        advice=_ADVICE,
        limit=until - time.monotonic(),
        options={"engine": engine, "format": format},
        variables=variables,
    )
    said = [line.strip() for line in answer.said.splitlines() if not _NOISE.match(line)]
    errors = [line for line in said if line.startswith("Error")]
    # Graphviz also draws what it understood of a text with errors: half a picture, which would look like a whole one.
    if errors or not answer.ok or not answer.result:
        reason = " ".join(errors[:1] or said[-1:]) or "there's no graph in the text"
        raise RenderError(f"Graphviz can't draw this: {reason.removeprefix('Error: ')}")
    for line in said:
        warnings.warn(f"Graphviz: {line}", stacklevel=3)
    return answer.result
