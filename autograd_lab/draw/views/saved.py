"""What the forward left on nodes, as boxes beside them and lines inside them.

Relies on the records and ``picture``. Promises that tensors still there, tensors that a backward freed and tensors
that hooks hold packed stand in boxes of their own looks, and that tensors which share memory carry the same tag.
"""

from __future__ import annotations

import re
from collections import Counter

from autograd_lab.draw import digits
from autograd_lab.draw.picture import Box, Line
from autograd_lab.draw.words import called, state, value
from autograd_lab.records import Graph, Node, Saved

_MOST_VALUES = 8
_LONGEST = 40


class SavedView:
    """Draws what the nodes of one graph saved.

    Args:
        graph: The graph. Whether a storage is shared is a fact of the whole graph, not of a node.
        whole: Whether values are drawn, too, that say nothing new to most readers: how tensors lie in memory, and the
            sizes of tensors that are there.

    Example:
        >>> node = Node(0, "PowBackward0", "op", 0, saved=(Saved("exponent", value=2),))
        >>> SavedView(Graph((node,), ())).lines(node)
        (Line(text='exponent = 2', tone='quiet'),)
    """

    def __init__(self, graph: Graph, *, whole: bool = False) -> None:
        self._whole = whole
        counts = Counter(
            saved.storage for node in graph.nodes for saved in node.saved if saved.storage is not None
        )
        self._shared = {storage for storage, count in counts.items() if count > 1}

    def lines(self, node: Node) -> tuple[Line, ...]:
        """Returns the saved values that aren't tensors, as lines for the node's own box.

        Args:
            node: The node.

        Returns:
            The lines; the rest of many as a number.
        """
        values = [saved for saved in node.saved if state(saved) == "value"]
        if not self._whole:
            tensors = {saved.name for saved in node.saved if state(saved) != "value"}
            values = [saved for saved in values if not _says_nothing_new(saved.name, tensors)]
        lines = [Line(f"{saved.name} = {value(saved)}", "quiet") for saved in values[:_MOST_VALUES]]
        if len(values) > _MOST_VALUES:
            lines.append(Line(f"… {len(values) - _MOST_VALUES} more values", "quiet"))
        return tuple(lines)

    def boxes(self, node: Node, group: tuple[str, ...]) -> list[Box]:
        """Returns a box for the node's saved tensors, one more for the released and one for each packing hook's.

        Args:
            node: The node.
            group: The clusters that the node is in.

        Returns:
            The boxes, in the order in which the first tensor of each was saved.
        """
        kept: dict[tuple[str, str | None], list[Saved]] = {}
        for saved in node.saved:
            if (look := state(saved)) != "value":
                kept.setdefault((look, saved.packed), []).append(saved)
        return [
            Box(
                key=f"s{node.id}_{index}",
                lines=(
                    Line(f"{look} by {hook}" if hook else look, "quiet"),
                    *(Line(self.text(saved)) for saved in several),
                ),
                look=look,
                tooltip="\n".join(map(_tooltip, several)),
                group=group,
            )
            for index, ((look, hook), several) in enumerate(kept.items())
        ]

    def text(self, saved: Saved) -> str:
        """Writes a saved tensor on one line.

        Args:
            saved: The tensor.

        Returns:
            Its name, shape, which variable it is, and a tag for its storage if another saved tensor shares it.
        """
        parts = [saved.name]
        if saved.meta is not None:
            parts.append(str(saved.meta))
        if saved.variable is not None:
            parts.append(f"= {called(saved, shape=False)}")
        if saved.storage in self._shared:
            parts.append(f"• storage {saved.storage}")
        return " ".join(parts)


_MEMORY = re.compile(r"_(strides?|layout|options|storage_offset)(_opt)?$")
_SIZES = re.compile(r"_(sym_)?(sizes|numel)$")


def _says_nothing_new(name: str, tensors: set[str]) -> bool:
    """Whether a value says how a tensor lies in memory, or its sizes where they stand beside it."""
    return bool(_MEMORY.search(name)) or (bool(_SIZES.search(name)) and _SIZES.sub("", name) in tensors)


def _tooltip(saved: Saved) -> str:
    parts = [saved.name]
    if saved.nbytes is not None:
        parts.append(digits.nbytes(saved.nbytes) + (f" of a {saved.owner}" if saved.owner else ""))
    if saved.storage_nbytes is not None and saved.storage_nbytes != saved.nbytes:
        parts.append(f"keeps {digits.nbytes(saved.storage_nbytes)}")
    if saved.version is not None:
        parts.append(f"version {saved.version}")
    if saved.meta is not None:
        parts.append(f"on {saved.meta.device}")
    return ", ".join(parts)
