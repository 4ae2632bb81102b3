"""Formulas in plain characters."""

from __future__ import annotations

import re

import pytest

from autograd_lab.tour import chapters
from autograd_lab.tour.mathematics import formula, plain


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"\hat y = w \cdot x", "ŷ = w · x"),
        (r"\frac{d\,\text{loss}}{d\hat y}", "d loss/dŷ"),
        (r"\frac{\partial L}{\partial w_{ij}}", "∂ L/∂ wᵢⱼ"),
        (r"\frac{\frac{1}{2} + x}{\sqrt{x^2 + 1}}", "(1/2 + x)/(√(x² + 1))"),
        (r"e^{n-1} + e^{x+a} + x W^\top", "eⁿ⁻¹ + e^(x+a) + x Wᵀ"),
        (r"a = 2w \qquad b = \sin b", "a = 2w; b = sin b"),
        (r"65{,}536 \approx \lambda \Delta", "65,536 ≈ λ Δ"),
        (r"\unknown{x}", "unknownx"),
    ],
)
def test_formulas(latex, expected):
    assert formula(latex) == expected


def test_code_is_left_alone_and_blocks_stand_apart():
    text = "So `$x^2$` and\n$$x^2\n= 4$$\nand $a * b$."
    assert plain(text) == "So `$x^2$` and\n\n\n> x² = 4\n\n\nand a \\* b."


@pytest.mark.parametrize("chapter", chapters(), ids=lambda chapter: chapter.path.stem)
def test_nothing_of_latex_is_left_in_a_chapter(chapter):
    for cell in chapter.cells:
        if cell.kind == "prose":
            shown = re.sub(r"(`+).+?\1", "", plain(cell.text), flags=re.DOTALL)
            assert not re.search(r"\$|\\[A-Za-z]|[{}]", shown), shown
