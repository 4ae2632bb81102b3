"""Where the text of a cell is broken, and that nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len

from autograd_lab.draw.tables.folding import (
    KEEP,
    folded,
    longest_piece,
    paragraph,
    shortened,
    together,
    told_apart,
)
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


@pytest.mark.parametrize(
    ("names", "width", "wanted"),
    [
        (["layers.1.linear2", "layers.2.linear2"], 14, ["layers.1…near2", "layers.2…near2"]),
        (["h.0.attn.c_proj", "h.0.attn.c_attn"], 9, ["h.0.…proj", "h.0.…attn"]),
        (["transformer.h.10.attn.w", "transformer.h.11.attn.w"], 12, ["tra…0.attn.w", "tra…1.attn.w"]),
        (["short", "transformer.h.11.attn.w"], 12, ["short", "transf…ttn.w"]),
        (["aaaabaaaacaaaa", "aaaabaaaadaaaa", "aaaaeaaaacaaaa"], 6, ["aa…a…1", "aa…a…2", "aa…a…3"]),
    ],
)
def test_names_that_would_look_alike_are_shortened_elsewhere(names, width, wanted):
    assert list(told_apart(names, width).values()) == wanted


@given(
    st.lists(
        st.lists(st.sampled_from(["h", "0", "1", "10", "layers", "line1", "line2", "漢"]), max_size=7).map(".".join),
        unique=True, max_size=12,
    ),
    st.integers(8, 24),
)  # fmt: skip
def test_different_names_stay_different(names, width):
    texts = told_apart(names, width)
    assert list(texts) == sorted(names, key=list(texts).index)
    assert len(set(texts.values())) == len(names)
    for name, text in texts.items():
        assert cell_len(text) <= width
        assert (text == name) == (cell_len(name) <= width)
        start, _, rest = text.partition("…")
        assert text == name or (name.startswith(start) and (rest[-1:].isdigit() or name.endswith(rest[-1:])))


@given(st.lists(st.integers(0, 99), unique=True, min_size=2, max_size=6), st.sampled_from(["name", "words"]))
def test_different_names_stay_different_in_a_table(numbers, kind):
    names = [
        f"transformer.encoder.layers.{number}.self_attention.output_projection.linear2" for number in numbers
    ]
    rows = table(
        [Column("module", 0, kind), Column("node", 0, "name")], [[name, "x" * 70] for name in names], 60
    )
    cells = [line.split()[0] for line in rows.splitlines()[2:]]
    assert len(set(cells)) == len(names)


def test_a_number_keeps_its_unit():
    assert paragraph("hold 1.5 KiB", 10) == "hold\n  1.5 KiB"
    cells = table([Column("id"), Column("saved")], [["0" * 24, "mat1 (16 B + 8 B)  " * 3]], 60).splitlines()
    assert not any(line.endswith(("16", "8")) for line in cells)


def test_the_longest_piece():
    assert longest_piece(f"a bcd {together(['8', '→', '1'])}\nxy") == 5
    assert longest_piece("") == 0


def test_no_break_spaces_are_plain_ones_in_the_end():
    assert KEEP not in table([Column("id"), Column("went out")], [["0", together(["8", "→", "1"])]], 60)
