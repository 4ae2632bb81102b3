"""The checker of formulas: it finds each way in which one was misread, and lets what is right pass."""

from __future__ import annotations

import pytest
from formulas import misread

RIGHT = """<p><math xmlns="http://www.w3.org/1998/Math/MathML"><mfrac><mn>1</mn><mn>2</mn></mfrac>
<munderover><mo>&#8721;</mo><mi>i</mi><mi>n</mi></munderover><munder><mo>max</mo><mi>j</mi></munder>
<msub><mover accent="true"><mi>x</mi><mo>&#713;</mo></mover><mi>j</mi></msub><mi>argmax</mi>
<msup><mi>A</mi><mo>*</mo></msup></math></p>"""


def test_a_page_without_a_fault(tmp_path):
    (tmp_path / "page.html").write_text(RIGHT)
    assert misread(tmp_path) == []


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ("<mn>1</mn><mn>2</mn>", "<mn>12</mn><mi>x</mi>", "one half read as 12 over what comes next: 12x"),
        (
            '<msub><mover accent="true"><mi>x</mi><mo>&#713;</mo></mover><mi>j</mi></msub>',
            "<munderover><mi>x</mi><mi>j</mi><mo>&#713;</mo></munderover>",
            "an index below an accented letter: xjˉ",
        ),
        (
            '<msub><mover accent="true"><mi>x</mi><mo>&#713;</mo></mover><mi>j</mi></msub>',
            "<munder><mover><mi>x</mi><mo>&#713;</mo></mover><mi>j</mi></munder>",
            "an index below an accented letter: xˉj",
        ),
        ("<mi>argmax</mi>", "<mi>*</mi>", "a name that begins with *: *"),
    ],
)
def test_each_way_of_misreading(tmp_path, right, wrong, problem):
    assert right in RIGHT
    (tmp_path / "page.html").write_text(RIGHT.replace(right, wrong), encoding="utf-8")
    assert misread(tmp_path) == [f"page.html: {problem}"]
