"""The table of widths beside the font files that it was made from."""

from pathlib import Path

import matplotlib
import pytest
from PIL import ImageFont

from autograd_lab.draw.layout.widths import CHARACTERS, UNITS, text_width

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@pytest.mark.parametrize(("bold", "file"), [(False, "DejaVuSans.ttf"), (True, "DejaVuSans-Bold.ttf")])
def test_widths_are_those_of_the_font_file(bold, file):
    font = ImageFont.truetype(FONTS / file, UNITS, layout_engine=ImageFont.Layout.BASIC)
    expected = {character: font.getlength(character) for character in CHARACTERS}
    assert {character: text_width(character, UNITS, bold) for character in CHARACTERS} == expected


def test_a_line_is_the_sum_of_its_characters():
    assert text_width("ab", 10.0) == pytest.approx(text_width("a", 10.0) + text_width("b", 10.0))
    assert text_width("", 10.0) == 0.0


def test_accents_take_no_room_of_their_own():
    assert text_width("ŷé", 12.0) == text_width("y\u0302e\u0301", 12.0) == text_width("ye", 12.0)


def test_other_signs_get_a_guess_that_is_wide_enough():
    font = ImageFont.truetype(FONTS / "DejaVuSans.ttf", UNITS, layout_engine=ImageFont.Layout.BASIC)
    for character in "→←↪≈∞√≠≤∇":
        assert text_width(character, UNITS) >= font.getlength(character)
    assert text_width("漢", 10.0) == 10.0
