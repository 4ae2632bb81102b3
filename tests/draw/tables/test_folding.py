"""Where the text of a cell is broken, and that nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len

from autograd_lab.draw.tables.folding import KEEP, folded, longest_piece, paragraph, shortened, together
from autograd_lab.draw.tables.grid import Column, table


@pytest.mark.parametrize(
    ("cell", "width", "lines"),
    [
        ("a bc d", 4, ["a bc", "d"]),
        (f"8{KEEP}→{KEEP}1, 16{KEEP}→{KEEP}2", 10, [f"8{KEEP}→{KEEP}1,", f"16{KEEP}→{KEEP}2"]),
        (f"stole: None{KEEP}→{KEEP}8", 9, ["stole:", f"None{KEEP}→{KEEP}8"]),
        (f"0.125{KEEP}→{KEEP}17", 8, [f"0.125{KEEP}→", "17"]),
        ("detach, _log_softmax_backward_data", 10, ["detach,", "_log_…data"]),
        ("modeling_gpt2.py:123", 12, ["modeli…y:123"]),
        (f"2.506×10⁻⁷{KEEP}→{KEEP}71", 11, ["2.506×10⁻⁷", f"→{KEEP}71"]),
        ("abcdef", 4, ["ab…f"]),
        ("one\ntwo", 9, ["one", "two"]),
        ("", 5, [""]),
    ],
)
def test_a_cell_is_broken_where_it_hurts_least(cell, width, lines):
    assert folded(cell, width).split("\n") == lines


@given(st.text("ab1 .,_/→漢\n" + KEEP, max_size=40), st.integers(3, 12))
def test_every_line_fits_and_no_word_is_broken(cell, width):
    lines = folded(cell, width).split("\n")
    assert all(cell_len(line) <= width for line in lines)
    words = [word for line in lines for word in line.split()]
    assert len(words) == len(cell.split())
    for found, word in zip(words, cell.split(), strict=True):
        start, cut, end = found.partition("…")
        assert found == word or (
            cut and cell_len(word) > width and word.startswith(start) and word.endswith(end)
        )


@given(st.text("ab.漢", max_size=30), st.integers(2, 12))
def test_a_name_is_shortened_in_its_middle(name, width):
    found = shortened(name, width)
    start, cut, end = found.partition("…")
    assert cell_len(found) <= width
    assert found == name or (cut and name.startswith(start) and name.endswith(end))


def test_a_number_keeps_its_unit():
    assert paragraph("hold 1.5 KiB", 10) == "hold\n  1.5 KiB"
    cells = table([Column("id"), Column("saved")], [["0" * 24, "mat1 (16 B + 8 B)  " * 3]], 60).splitlines()
    assert not any(line.endswith(("16", "8")) for line in cells)


def test_the_longest_piece():
    assert longest_piece(f"a bcd {together(['8', '→', '1'])}\nxy") == 5
    assert longest_piece("") == 0


def test_no_break_spaces_are_plain_ones_in_the_end():
    assert KEEP not in table([Column("id"), Column("went out")], [["0", together(["8", "→", "1"])]], 60)
