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
        start, cut, end = word.partition("…")
        assert word in whole or (cut and any(each.startswith(start) and each.endswith(end) for each in whole))
        if cut:
            assert not any(
                number.startswith(start) and number.endswith(end) for number in numbers(columns, rows)
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
