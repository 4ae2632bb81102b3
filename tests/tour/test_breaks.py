"""Where a line of Chinese may end."""

from __future__ import annotations

import pytest

from autograd_lab.tour.breaks import MARK, breakable


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("gradients flow back", "gradients flow back"),
        ("", ""),
        ("梯度", "梯|度"),
        ("梯度，相加。", "梯|度，|相|加。"),  # no line begins with a comma or a full stop
        ("（梯度）「葉」", "（梯|度）|「葉」"),  # nor ends with an opening bracket
        ("用 torch 算", "用 torch 算"),  # a space is a place already
        ("第2章", "第2|章"),
    ],
)
def test_places(text, marked):
    assert breakable(text).replace(MARK, "|") == marked


def test_without_its_marks_a_text_is_as_it_was():
    text = "反向傳播（backpropagation）用鏈鎖律，一層一層往回算。"
    assert breakable(text).replace(MARK, "") == text
