"""Tables for the terminal."""

import pytest
from rich.cells import cell_len

from autograd_lab.draw.tables.graph import graph_table, scalar_table
from autograd_lab.draw.tables.grid import LEAST, MOST
from autograd_lab.records import Edge, Graph, Node, Saved, ScalarGraph, Source, TensorMeta, Variable


def chain(length: int) -> Graph:
    nodes = [Node(i, f"Op{i}Backward0", "op", length - i, next=(Edge(i + 1, 0),)) for i in range(length - 1)]
    return Graph((*nodes, Node(length - 1, "LastBackward0", "op", 0)), (Edge(0, 0),))


def test_golden_graph(residual, golden):
    golden("residual.txt", graph_table(residual))


def test_golden_narrow(residual, golden):
    golden("residual_narrow.txt", graph_table(residual, width=64))


def test_golden_every_kind(every_kind, golden):
    golden("every_kind.txt", graph_table(every_kind))


def test_golden_seed(seed, golden):
    golden("seed.txt", scalar_table(seed))


def test_next_says_where_each_slot_goes(every_kind, residual):
    rows = {line.split()[1]: line for line in graph_table(every_kind, width=200).splitlines()[3:]}
    assert "→ 2:1, –" in rows["ScaleBackward"]
    assert "→ –, 3" in rows["CompiledFunctionBackward"]
    assert "→ 2 (ĥ), 2 (ĥ)" in graph_table(residual)


def test_the_summary_counts(residual, every_kind):
    assert graph_table(residual).splitlines()[0] == (
        "8 nodes, 3 leaves, 1 output: → 0 (loss); saved tensors hold 160 B + 64 B of parameters"
    )
    assert graph_table(every_kind).splitlines()[0] == "4 nodes, 1 leaf, 2 outputs: → 0, 0:1 (second)"
    assert graph_table(Graph((), ())).splitlines()[0] == "0 nodes, 0 leaves, 0 outputs"


def test_many_outputs_are_cut_short():
    graph = Graph((Node(0, "UnbindBackward0", "op", 0),), tuple(Edge(0, i) for i in range(100)))
    assert (
        graph_table(graph).splitlines()[0].endswith("100 outputs: → 0, 0:1, 0:2, 0:3, 0:4, 0:5, 0:6, 0:7, …")
    )


def test_columns_without_content_are_left_out(residual):
    assert "module" not in graph_table(residual)
    node = Node(0, "XBackward0", "op", 0, module="net.fc", source=Source("/home/me/train.py", 3, "f"))
    assert graph_table(Graph((node,), ())).splitlines()[1].split() == ["id", "node", "module", "source"]
    assert "train.py:3" in graph_table(Graph((node,), ()))


def test_equal_storages_are_counted_once(residual):
    assert "other = ĥ, self = ĥ (80 B)" in graph_table(residual)


def test_views_of_parameters_are_named_and_their_bytes_stand_apart(residual):
    text = graph_table(residual, width=200)
    assert "mat1 = x, mat2 = fc.weight, transposed (80 B + 64 B of parameters)" in text


def test_released_and_packed_are_said(every_kind):
    text = graph_table(every_kind, width=200)
    assert "self (released)" in text
    assert "saved_tensors[0] (packed)" in text


@pytest.mark.parametrize("width", [60, 64, 80, 100, 200])
def test_no_line_is_wider_than_asked(residual, every_kind, width):
    for graph in (residual, every_kind):
        assert max(map(cell_len, graph_table(graph, width=width).splitlines()[1:])) <= width


def test_a_table_is_never_narrower_than_can_be_read(residual):
    assert graph_table(residual, width=1) == graph_table(residual, width=LEAST)


def test_the_whole_table_has_every_node():
    text = graph_table(chain(1_000))
    assert sum("Op" in line for line in text.splitlines()) == 999
    assert "more nodes" not in text


def test_str_shows_the_first_and_the_last_nodes():
    text, _, hint = str(chain(1_000)).partition("\n1,000 nodes: ")
    assert hint.startswith("lab.render(graph, ")
    rows = text.splitlines()[3:]
    assert len(rows) == MOST + 1
    assert [row.split()[0] for row in rows[:2]] == ["0", "1"]
    assert rows[-1].split() == ["999", "LastBackward0"]
    assert f"… {1_000 - MOST:,} more nodes …" in text
    shown = [int(row.split()[0]) for row in rows if row.split()[0] != "…"]
    assert len(shown) == MOST
    assert shown == [*range(shown.index(999 - MOST // 3 + 1)), *range(999 - MOST // 3 + 1, 1_000)]


def test_str_of_a_small_graph_is_whole(residual):
    assert "more nodes" not in str(residual)
    assert not str(residual).endswith("\n")


def test_str_fits_the_terminal(residual, monkeypatch):
    monkeypatch.setenv("COLUMNS", "64")
    assert str(residual) == graph_table(residual, width=64).rstrip("\n")


def test_str_of_very_many_nodes_is_quick():
    node = Node(0, "XBackward0", "op", 0)
    text = str(Graph((node,) * 200_000, ()))
    assert "200,000 nodes" in text


def test_colours_and_markup_stay_out(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = graph_table(Graph((Node(0, "[red]X[/red] :smile:", "op", 0),), ()))
    assert "\x1b" not in text
    assert "[red]X[/red] :smile:" in text
    assert "∂[red]/∂·" in scalar_table(ScalarGraph((Variable(0, "output", "[red]"),), ()))


def test_control_characters_are_made_visible():
    assert r"a\x1b[31mb" in graph_table(Graph((Node(0, "a\x1b[31mb", "op", 0),), ()))


def test_a_computation_has_a_row_for_each_variable(seed):
    text = scalar_table(seed)
    assert text.splitlines()[0] == "6 variables, 3 operations"
    assert len(text.splitlines()) == 3 + 6
    assert "× of w (local 2, arrives −16), x" in text


def test_a_value_that_was_not_kept_is_said_to_be():
    text = scalar_table(ScalarGraph((Variable(0, "output"), Variable(1, "leaf", "w", 0.0)), ()))
    assert "#0" in text
    assert "not kept" in text


def test_str_of_a_computation_is_its_table(seed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert str(seed) == scalar_table(seed).rstrip("\n")


def test_saved_of_an_unknown_size_counts_nothing():
    saved = (Saved("indices", TensorMeta(None, "float32", "cpu")),)
    assert "indices (0 B)" in graph_table(Graph((Node(0, "X", "op", 0, saved=saved),), ()))
