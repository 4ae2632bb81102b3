"""The looks can be told apart without colour, and every text can be read."""

import itertools
import re

import pytest

from autograd_lab.draw import theme
from autograd_lab.draw.scales import DEPTHS, SCALE
from autograd_lab.draw.svg import DARK
from autograd_lab.draw.theme import LOOKS, STROKES, TONES, Look, luminance

GRAPH = (
    "op",
    "accumulate",
    "function",
    "compiled",
    "custom",
    "root",
    "saved",
    "released",
    "packed",
    "module",
)
SCALAR = ("variable", "leaf", "constant", "output", "operation", "answer")


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def without_colour(look: Look) -> tuple[object, ...]:
    return look.shape, look.width, look.dashed, theme.is_dark(look)


@pytest.mark.parametrize("family", [GRAPH, SCALAR])
def test_looks_of_one_picture_differ_without_their_colours(family):
    for one, other in itertools.combinations(family, 2):
        assert without_colour(LOOKS[one]) != without_colour(LOOKS[other]), (one, other)


def test_every_look_belongs_to_a_picture():
    assert set(LOOKS) == {*GRAPH, *SCALAR, "unnamed"}


def test_strokes_differ_without_their_colours():
    for family in (("edge", "named", "root", "saved", "several", "again"), ("forward", "backward", "answer")):
        shapes = {(stroke.width, stroke.dash, stroke.head) for stroke in map(STROKES.get, family)}
        assert len(shapes) == len(family)


@pytest.mark.parametrize("name", LOOKS)
def test_a_box_own_text_can_be_read(name):
    assert contrast(LOOKS[name].ink, LOOKS[name].fill) >= 4.5


@pytest.mark.parametrize("tone", [name for name, tone in TONES.items() if tone.ink])
def test_every_tone_can_be_read_on_every_light_ground(tone):
    grounds = [look.fill for look in LOOKS.values() if not theme.is_dark(look)]
    for ground in (*grounds, *theme.MODULE_FILLS, theme.PAPER):
        assert contrast(TONES[tone].ink, ground) >= 4.5, ground


@pytest.mark.parametrize("name", STROKES)
def test_every_arrow_can_be_seen_on_every_ground(name):
    for ground in (theme.PAPER, *theme.MODULE_FILLS):
        assert contrast(STROKES[name].line, ground) >= 3.0


def test_colours_are_written_alike():
    colours = [colour for look in LOOKS.values() for colour in (look.fill, look.line, look.ink)]
    colours += [stroke.line for stroke in STROKES.values()] + [
        tone.ink for tone in TONES.values() if tone.ink
    ]
    assert [colour for colour in colours if not re.fullmatch("#[0-9a-f]{6}", colour)] == []


def test_sizes_of_text_are_whole():
    # Graphviz reads POINT-SIZE as a whole number, and reckoned sizes would be off.
    assert [name for name, tone in TONES.items() if tone.size != int(tone.size)] == []


def test_every_colour_has_a_dark_one():
    colours = {colour for look in LOOKS.values() for colour in (look.fill, look.line, look.ink)}
    colours |= {stroke.line for stroke in STROKES.values()}
    colours |= {tone.ink for tone in TONES.values() if tone.ink}
    colours |= {*theme.MODULE_FILLS, theme.MODULE_LINE, theme.PAPER}
    assert colours - set(DARK) == set()
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in DARK.values())


@pytest.mark.parametrize("name", LOOKS)
def test_a_box_can_be_read_in_the_dark(name):
    look = LOOKS[name]
    fill = DARK[look.fill]
    assert contrast(DARK[look.ink], fill) >= 4.5
    if not theme.is_dark(look):
        for tone in TONES.values():
            assert tone.ink is None or contrast(DARK[tone.ink], fill) >= 4.5, tone
    if look.shape != "plain":
        assert contrast(DARK[look.line], DARK[theme.PAPER]) >= 3.0


@pytest.mark.parametrize("ground", [theme.PAPER, *theme.MODULE_FILLS])
def test_text_and_arrows_can_be_seen_in_the_dark(ground):
    for tone in TONES.values():
        assert tone.ink is None or contrast(DARK[tone.ink], DARK[ground]) >= 4.5
    for stroke in STROKES.values():
        assert contrast(DARK[stroke.line], DARK[ground]) >= 3.0


@pytest.mark.parametrize("colour", DEPTHS)
def test_lines_of_every_depth_can_be_seen(colour):
    assert contrast(colour, theme.PAPER) >= 3.0
    assert contrast(DARK[colour], DARK[theme.PAPER]) >= 3.0


def test_a_scale_grows_darker_on_paper_and_lighter_in_the_dark():
    light, dark = [luminance(colour) for colour in SCALE], [luminance(DARK[colour]) for colour in SCALE]
    assert light == sorted(light, reverse=True)
    assert dark == sorted(dark)
