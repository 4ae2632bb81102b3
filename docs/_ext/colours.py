"""The site's colours: those of the pictures (``draw/theme.py``), as furo's variables, for light and dark.

The theme has one set, for white paper. On a dark ground each ink is lightened, its hue kept, until it can be read.
Promises a contrast of at least 4.5 to 1 between every text and its ground; tests/docs/test_colours.py measures it.
"""

from __future__ import annotations

from autograd_lab.draw import theme

DARK_PAPER = "#141b24"
DARK_PANEL = "#1b2430"
DARK_LINE = "#334152"
DARK_INK = "#dbe3ec"


def contrast(one: str, other: str) -> float:
    """Gives the contrast of two colours, by the Web Content Accessibility Guidelines 2.1.

    Args:
        one: ``"#rrggbb"``.
        other: Likewise.

    Returns:
        1 for equal colours to 21 for black and white.
    """
    dark, light = sorted((theme.luminance(one), theme.luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def mixed(colour: str, other: str, share: float) -> str:
    """Mixes two colours.

    Args:
        colour: ``"#rrggbb"``.
        other: Likewise.
        share: How much of ``other``, from 0 to 1.

    Returns:
        ``"#rrggbb"``.
    """
    parts = ((int(colour[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in parts)


def lightened(colour: str, ground: str = DARK_PAPER, least: float = 7.0) -> str:
    """Lightens an ink until it can be read on a dark ground.

    Args:
        colour: The ink.
        ground: What it stands on.
        least: The contrast wanted.

    Returns:
        The first of its tints that has it.
    """
    steps = (mixed(colour, theme.PAPER, share / 20) for share in range(21))
    return next(tint for tint in steps if contrast(tint, ground) >= least)


def variables() -> tuple[dict[str, str], dict[str, str]]:
    """Gives furo's variables.

    Returns:
        Those of the light and of the dark site.
    """
    light = {
        "color-background-primary": theme.PAPER,
        "color-background-secondary": theme.MODULE_FILLS[0],
        "color-background-border": theme.MODULE_FILLS[2],
        "color-background-hover": theme.MODULE_FILLS[1],
        "color-foreground-primary": theme.INK,
        "color-foreground-secondary": theme.SLATE,
        "color-foreground-muted": theme.QUIET,
        "color-brand-primary": theme.DEEP_BLUE,
        "color-brand-content": theme.BLUE,
        "color-brand-visited": theme.PURPLE,
        "color-problematic": theme.VERMILLION,
        "color-highlight-on-target": theme.LOOKS["saved"].fill,
        "lab-leaf": theme.GREEN,
        "lab-figure": theme.PAPER,
        "lab-ink": theme.INK,
        "lab-input": theme.LOOKS["op"].fill,
    }
    dark = {
        "color-background-primary": DARK_PAPER,
        "color-background-secondary": DARK_PANEL,
        "color-background-border": DARK_LINE,
        "color-background-hover": mixed(DARK_PANEL, DARK_LINE, 0.5),
        "color-foreground-primary": DARK_INK,
        "color-foreground-secondary": lightened(theme.SLATE),
        "color-foreground-muted": lightened(theme.QUIET, least=5.5),
        "color-brand-primary": lightened(theme.DEEP_BLUE),
        "color-brand-content": lightened(theme.BLUE),
        "color-brand-visited": lightened(theme.PURPLE),
        "color-problematic": lightened(theme.VERMILLION),
        "color-highlight-on-target": mixed(DARK_PAPER, theme.OLIVE, 0.5),
        "lab-leaf": lightened(theme.GREEN),
        "lab-figure": theme.PAPER,  # what is no SVG is drawn on white paper
        "lab-ink": theme.INK,
        "lab-input": DARK_PANEL,
    }
    return light, dark
