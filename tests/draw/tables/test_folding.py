"""Where the text of a cell is broken, and that nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len

from autograd_lab.draw.tables.folding import KEEP, folded, longest_piece, together
from autograd_lab.draw.tables.grid import table


@pytest.mark.parametrize(
    ("cell", "width", "lines"),
    [
        ("a bc d", 4, ["a bc", "d"]),
        (f"8{KEEP}→{KEEP}1, 16{KEEP}→{KEEP}2", 10, [f"8{KEEP}→{KEEP}1,", f"16{KEEP}→{KEEP}2"]),
        (f"stole: None{KEEP}→{KEEP}8", 9, ["stole:", f"None{KEEP}→{KEEP}8"]),
        (f"0.125{KEEP}→{KEEP}17", 8, [f"0.125{KEEP}→", "17"]),
        ("detach, _log_softmax_backward_data", 10, ["detach,", "_log_", "softmax_", "backward_", "data"]),
        ("modeling_gpt2.py:123", 12, ["modeling_", "gpt2.py:123"]),
        (f"2.506×10⁻⁷{KEEP}→{KEEP}71", 9, ["2.506×10⁻", f"⁷{KEEP}→{KEEP}71"]),
        (f"2.506×10⁻⁷{KEEP}→{KEEP}71", 11, ["2.506×10⁻⁷", f"→{KEEP}71"]),
        ("abcdef", 4, ["abcd", "ef"]),
        ("one\ntwo", 9, ["one", "two"]),
        ("", 5, [""]),
    ],
)
def test_a_cell_is_broken_where_it_hurts_least(cell, width, lines):
    assert folded(cell, width).split("\n") == lines


@given(st.text("ab1 .,_/→漢\n" + KEEP, max_size=40), st.integers(2, 12))
def test_every_line_fits_and_only_spaces_are_lost(cell, width):
    found = folded(cell, width)
    assert all(cell_len(line) <= width for line in found.split("\n"))
    assert "".join(found.split()) == "".join(cell.split())


def test_the_longest_piece():
    assert longest_piece(f"a bcd {together(['8', '→', '1'])}\nxy") == 5
    assert longest_piece("") == 0


def test_names_of_files_stay_whole_while_longer_words_give():
    names = ["step", "node", "module", "line", "came in", "kernels"]
    file = "modeling_gpt2.py:1234"
    kernels = ", ".join(["aten_native_layer_norm_backward_and_more"] * 3)
    rows = [["0", "#0 AddmmBackward0", "transformer.h.11", file, "0.1029, 0.02, 0.3", kernels]]
    lines = table(names, rows, 100, None).splitlines()
    assert file in lines[2].split()
    assert max(map(len, lines)) <= 100
    assert "".join("".join(line[-30:].split()) for line in lines[2:]).count("backward") == 3


def test_no_break_spaces_are_plain_ones_in_the_end():
    assert KEEP not in table(["id", "went out"], [["0", together(["8", "→", "1"])]], 60, None)
