"""The site's colours: each text can be read on its ground, in the light and in the dark."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

EXTENSIONS = Path(__file__).parent.parent.parent / "docs" / "_ext"


@pytest.fixture
def colours(monkeypatch):
    monkeypatch.syspath_prepend(str(EXTENSIONS))
    import colours

    yield colours
    del sys.modules["colours"]


@pytest.mark.parametrize("place", [0, 1], ids=["light", "dark"])
def test_texts_can_be_read_on_every_ground(colours, place):
    found = colours.variables()[place]
    grounds = [found[f"color-background-{ground}"] for ground in ("primary", "secondary")] + [
        found["lab-input"]
    ]
    texts = [value for name, value in found.items() if re.match("color-(foreground|brand|problematic)", name)]
    assert len(texts) == 7
    for text in texts:
        for ground in grounds:
            assert colours.contrast(text, ground) >= 4.5, (text, ground)
    assert colours.contrast(found["lab-ink"], found["lab-figure"]) >= 4.5


def test_both_sets_say_the_same_things(colours):
    light, dark = colours.variables()
    assert light.keys() == dark.keys()
    assert all(re.fullmatch("#[0-9a-f]{6}", value) for value in (*light.values(), *dark.values()))


def test_contrast_is_that_of_the_guidelines(colours):
    assert colours.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert colours.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
