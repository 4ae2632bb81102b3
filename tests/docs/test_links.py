"""The checker of links: it finds each kind of fault, and lets what is right pass."""

from __future__ import annotations

import pytest
from links import problems

RIGHT = """<html><head><link rel="stylesheet" href="style.css"><link rel="next" href="sub/two.html"></head>
<body><h1 id="top">One</h1><a href="#top">up</a> <a href="sub/two.html#there">two</a> <a href="https://x.org">out</a>
<img src="data:image/png;base64,AA=="></body></html>"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "style.css").write_text("")
    (tmp_path / "one.html").write_text(RIGHT)
    (tmp_path / "sub" / "two.html").write_text('<p id="there"><a href="../one.html">back</a></p>')
    return tmp_path


def test_a_site_without_a_fault(site):
    assert problems(site) == []


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ('href="#top"', 'href="#bottom"', "one.html: no anchor for #bottom"),
        ("two.html#there", "two.html#nowhere", "one.html: no anchor for sub/two.html#nowhere"),
        ('href="style.css"', 'href="none.css"', "one.html: no file for none.css"),
        ('href="sub/two.html"', 'href="sub/three.html"', "one.html: no file for sub/three.html"),
        ('href="#top"', 'href="../../etc"', "one.html: no file for ../../etc"),
        ("data:image/png;base64,AA==", "https://x.org/a.png", "one.html: fetches https://x.org/a.png"),
        ("style.css", "//x.org/style.css", "one.html: fetches //x.org/style.css"),
    ],
)
def test_each_kind_of_fault(site, right, wrong, problem):
    assert right in RIGHT
    (site / "one.html").write_text(RIGHT.replace(right, wrong))
    assert problems(site) == [problem]
