"""What a notebook shows."""

from autograd_lab.draw.native import graphviz
from autograd_lab.draw.notebook import MOST
from autograd_lab.errors import RenderError
from autograd_lab.records import Graph, Node


def test_a_small_record_is_a_picture_and_a_table(residual, seed):
    for record, word in ((residual, "MulBackward0"), (seed, "∂ŷ/∂w = 2")):
        bundle = record._repr_mimebundle_()
        assert list(bundle) == ["image/svg+xml", "text/plain"]
        assert word in bundle["image/svg+xml"]
        assert bundle["text/plain"] == str(record)


def test_a_large_record_is_a_table_alone():
    for size, kinds in ((MOST, {"image/svg+xml", "text/plain"}), (MOST + 1, {"text/plain"})):
        graph = Graph(tuple(Node(at, "X", "op", 0) for at in range(size)), ())
        assert set(graph._repr_mimebundle_()) == kinds


def test_without_graphviz_the_table_says_why(residual, monkeypatch):
    def none(*_: object, **__: object) -> bytes:
        raise RenderError("no Graphviz: install it")

    monkeypatch.setattr(graphviz, "run", none)
    assert residual._repr_mimebundle_() == {
        "text/plain": f"{residual}\n(no picture: no Graphviz: install it)"
    }
