"""Columns fit, are left out by rank, and hold whole numbers and words."""

from __future__ import annotations

from hypothesis import given, strategies as st
from rich.cells import cell_len

from autograd_lab.draw.tables.grid import LEAST, Column, table

NUMBERS = st.floats(allow_nan=False).map(lambda number: f"{number:.4g}")
NAMES = st.text("abc_.", min_size=1, max_size=50)
WORDS = st.lists(st.text("abc", min_size=1, max_size=20), max_size=5).map(" ".join)
CELLS = {"number": NUMBERS, "name": NAMES, "words": WORDS}


@st.composite
def tables(draw):
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=9))
    columns = [Column(f"column{i}", i, kind) for i, kind in enumerate(kinds)]
    rows = draw(st.lists(st.tuples(*(CELLS[kind] for kind in kinds)), min_size=1, max_size=5))
    return columns, rows


@given(tables(), st.integers(LEAST, 200))
def test_lines_fit_and_nothing_is_broken(drawn, width):
    columns, rows = drawn
    text = table(columns, rows, width)
    lines = text.splitlines()
    assert max(map(cell_len, lines)) <= width or lines[-1].startswith(" no room for")
    left_out = lines[-1].removeprefix(" no room for: ").split(", ") if "no room" in lines[-1] else []
    kept = [i for i, column in enumerate(columns) if column.name not in left_out]
    assert kept == list(range(len(kept)))  # ranks grow from left to right, so the last ones went
    whole = {word for row in rows for i in kept for word in row[i].split()} | {columns[i].name for i in kept}
    for word in " ".join(lines[2 : len(lines) - bool(left_out)]).split():
        assert word in whole or any(shortens(word, each) for each in whole)
        assert word in whole or not any(shortens(word, number) for number in numbers(columns, rows))


def shortens(word, longer):
    """Whether it's the longer word with a gap, or where it would be another's short form, with two, or a number."""
    start, cut, rest = word.partition("…")
    *between, end = rest.split("…")
    numbered = end.isdigit() and word.removesuffix(f"…{end}") != word
    return (
        bool(cut)
        and longer.startswith(start)
        and (longer.endswith(end) or numbered)
        and all(each in longer for each in between)
    )


def numbers(columns, rows):
    return {row[i] for row in rows for i, column in enumerate(columns) if column.kind == "number"}


def test_a_column_of_rank_0_stays():
    columns = [Column("first", 0, "number"), Column("second", 2, "number"), Column("third", 1, "number")]
    lines = table(columns, [["1" * 30, "2" * 30, "3" * 20]], 60).splitlines()
    assert lines[0].split() == ["first", "third"]
    assert lines[-1] == " no room for: second"


def test_where_rows_were_left_out():
    lines = table(
        [Column("id", 0, "number")], [[str(row)] for row in range(6)], 60, "… 9 more …"
    ).splitlines()
    assert lines[2:] == ["  0", "  1", "  2", "  3", " … 9 more …", "  4", "  5"]
