"""Nodes one after another, for tests of what is drawn by module."""

from __future__ import annotations

from autograd_lab.records import Edge, Node, TensorMeta

META = TensorMeta((2,), "float32", "cpu")


def chain(*modules: str | None, name: str = "ExpBackward0") -> tuple[Node, ...]:
    """A node for each module, made in it; its gradient goes to the next one's."""
    return tuple(
        Node(
            i,
            name,
            "op",
            len(modules) - i,
            (META,),
            (Edge(i + 1, 0),) if i + 1 < len(modules) else (),
            module=module,
        )
        for i, module in enumerate(modules)
    )
