"""What plots have in common: the theme, whatever the program around them has set, and the same bytes each time."""

from __future__ import annotations

import matplotlib
import pytest
from matplotlib.colors import to_hex

from autograd_lab.draw import theme
from autograd_lab.draw.plots import frame
from autograd_lab.errors import RenderError


def drawn():
    figure, axes = frame.new(4, 2)
    axes.plot([0, 1], [0, 1])
    frame.dress(axes, "A title")
    return figure, axes


def test_colours_are_the_themes():
    figure, axes = drawn()
    assert axes.lines[0].get_color() == theme.BLUE
    assert to_hex(figure.get_facecolor()) == theme.PAPER
    assert [side for side, spine in axes.spines.items() if spine.get_visible()] == ["left", "bottom"]


@pytest.mark.parametrize("kind", frame.KINDS)
def test_settings_of_the_program_around_it_change_nothing(kind):
    before = frame.write(drawn()[0], kind)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "font.family": "serif"}):
        assert frame.write(drawn()[0], kind) == before
        assert matplotlib.rcParams["font.size"] == 30


def test_a_plot_of_another_kind_is_refused():
    with pytest.raises(RenderError, match=r"^a plot can't be dot: use svg, png or pdf$"):
        frame.write(drawn()[0], "dot")


def test_pyplot_is_not_used():
    import subprocess
    import sys

    code = (
        "import sys; from autograd_lab.draw.plots import frame; frame.write(frame.new(1, 1)[0], 'svg');"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
