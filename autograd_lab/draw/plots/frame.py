"""What every plot has in common: paper, ink, fonts and colours of the theme, and the same bytes each time.

Relies on matplotlib, used without ``pyplot`` and without touching its settings.
"""

from __future__ import annotations

import io
import sys
import warnings
from typing import Any

from autograd_lab.draw import theme
from autograd_lab.draw.picture import clean
from autograd_lab.draw.svg import at_home
from autograd_lab.errors import RenderError

COLOURS = (
    theme.BLUE, theme.VERMILLION, theme.GREEN, theme.PURPLE, theme.ORANGE,
    theme.SKY, theme.OLIVE, theme.SLATE, theme.DEEP_BLUE, theme.INK,
)  # fmt: skip
"""Lines' colours, in the order in which they're given out."""

KINDS = ("svg", "png", "pdf")


def new(width: float, height: float, *, projection: str | None = None) -> tuple[Any, Any]:
    """Makes an empty plot in matplotlib's default style, not that of the program we're in.

    Args:
        width: Inches.
        height: Inches.
        projection: matplotlib's name of one, such as ``"3d"``.

    Returns:
        matplotlib's ``Figure`` and the one ``Axes`` in it.

    Example:
        >>> figure, axes = new(6, 3)
        >>> axes is figure.axes[0]
        True
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context("default"):
        figure = Figure(figsize=(width, height), facecolor=theme.PAPER)
        axes = figure.add_subplot(projection=projection)
    axes.set_prop_cycle(color=COLOURS)
    return figure, axes


def dress(axes: Any, title: str) -> None:
    """Puts the theme's title, grid and ticks on a plot.

    Args:
        axes: matplotlib's ``Axes``.
        title: Written above, at the left.

    Example:
        >>> figure, axes = new(6, 3)
        >>> dress(axes, "Loss")
        >>> axes.get_title("left")
        'Loss'
    """
    axes.set_title(title, loc="left", fontsize=11, color=theme.INK, fontweight="bold", fontfamily=theme.FONT)
    axes.grid(visible=True, which="major", axis="both", color=theme.MODULE_FILLS[2], linewidth=0.7, zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(colors=theme.INK, which="both", labelsize=8)
    if axes.name == "3d":
        for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
            axis.line.set_color(theme.FAINT)
            axis.set_pane_color(theme.PAPER)
            axis.get_major_locator().set_params(nbins=5)
        return
    for side, spine in axes.spines.items():
        spine.set_visible(side not in ("top", "right"))
        spine.set_color(theme.FAINT)


def literal(text: str) -> str:
    r"""Writes a text that comes from outside so that matplotlib shows it as it stands.

    Args:
        text: Any text, such as a parameter's name.

    Returns:
        The text without what can't be shown, and without mathematics, which matplotlib reads between dollar signs.

    Example:
        >>> print(literal("cost in $\x00"))
        cost in \$\x00
    """
    return clean(text).replace("$", r"\$")


def is_plot(thing: object) -> bool:
    """Returns whether something is one of matplotlib's figures, without importing matplotlib.

    Example:
        >>> is_plot(new(6, 3)[0]), is_plot("a picture")
        (True, False)
    """
    module = sys.modules.get("matplotlib.figure")
    return module is not None and isinstance(thing, module.Figure)


def write(figure: Any, kind: str, *, dpi: int | None = None) -> bytes:
    """Writes a plot.

    Args:
        figure: matplotlib's ``Figure``.
        kind: ``"svg"``, ``"png"`` or ``"pdf"``.
        dpi: Pixels to the inch, for PNG.

    Returns:
        The picture; the same bytes for the same plot.

    Raises:
        RenderError: There's no such kind of plot.

    Example:
        >>> write(new(6, 3)[0], "svg")[:5]
        b'<?xml'
    """
    from matplotlib import rc_context, style
    from matplotlib.text import Text

    if kind not in KINDS:
        raise RenderError(f"a plot can't be {kind}: use svg, png or pdf")
    for text in figure.findobj(Text):
        if text.get_color() == "black":  # matplotlib's own, which can't be read on a dark page
            text.set_color(theme.INK)
    stream = io.BytesIO()
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[kind]
    # Text as outlines looks the same on a machine without fonts. A fixed salt and no date give the same bytes.
    with (
        warnings.catch_warnings(),
        style.context("default"),
        rc_context({"svg.fonttype": "path", "svg.hashsalt": "autograd_lab", "font.family": theme.FONT}),
    ):
        # A sign that the font hasn't is drawn as a box, as in the other pictures.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from")
        figure.savefig(stream, format=kind, dpi=dpi or 150, bbox_inches="tight", metadata=metadata)
    if kind != "svg":
        return stream.getvalue()
    return at_home(stream.getvalue().decode("utf-8"), title_of(figure), title_of(figure)).encode("utf-8")


def title_of(figure: Any) -> str:
    """Returns the titles of a plot, or what stands along its axes.

    Args:
        figure: matplotlib's ``Figure``.

    Example:
        >>> figure, axes = new(6, 3)
        >>> dress(axes, "Loss")
        >>> title_of(figure)
        'Loss'
    """
    titles = [figure.get_suptitle(), *(axes.get_title(side) for axes in figure.axes for side in _SIDES)]
    labels = [text for axes in figure.axes for text in (axes.get_ylabel(), axes.get_xlabel())]
    return "; ".join(filter(None, titles)) or " over ".join(filter(None, labels)) or "a plot"


_SIDES = ("left", "center", "right")
