"""An ``EngineCheck`` as text. Importing it makes ``str()`` of one such a text."""

from __future__ import annotations

from autograd_lab.draw.digits import count
from autograd_lab.draw.tables.folding import paragraph
from autograd_lab.draw.tables.grid import WIDTH, terminal_width
from autograd_lab.errors import escaped
from autograd_lab.records import Difference, EngineCheck
from autograd_lab.records.display import as_text


def check_text(check: EngineCheck, *, width: int = WIDTH) -> str:
    """Writes what a check found.

    Args:
        check: The check.
        width: Characters in a line.

    Returns:
        One line where all is the same; otherwise what differs first, and how.

    Example:
        >>> print(check_text(EngineCheck(3, 8)))
        the same: 3 steps in the same order, 8 gradients with the same bits
        >>> print(check_text(EngineCheck(3, 8, Difference("order", 1, 2, "MulBackward0", None, "#1", "#2"))))
        different at step 1, node 2 (MulBackward0): order
          native: #1
          glass:  #2
    """
    lines = [_same(check)] if check.difference is None else _different(check.difference)
    return "\n".join(paragraph(escaped(line), width) for line in lines)


@as_text.register(EngineCheck)
def _(check: EngineCheck) -> str:
    return check_text(check, width=terminal_width())


def _same(check: EngineCheck) -> str:
    bits = "the same bits"
    if not check.deterministic:
        bits = "the same values within a tolerance (the native engine differs too)"
    return f"the same: {count(check.steps, 'step')} in the same order, {count(check.gradients, 'gradient')} with {bits}"


def _different(difference: Difference) -> list[str]:
    if difference.what == "runs_once":
        return _runs_once(difference)
    step = "" if difference.step is None else f" at step {difference.step}"
    node = "" if difference.node is None else f", node {difference.node}"
    name = "" if difference.name is None else f" ({difference.name})"
    slot = "" if difference.slot is None else f"[{difference.slot}]"
    return [
        f"different{step}{node}{name}: {difference.what}{slot}",
        f"  native: {difference.expected}",
        f"  glass:  {difference.found}",
    ]


def _runs_once(difference: Difference) -> list[str]:
    once = "can't be run twice natively, so the engines can't be compared:"
    if difference.node is None:
        return [f"{once} the second native run raised {difference.found}"]
    slot = "" if difference.slot is None else f", gradient {difference.slot}"
    return [
        f"{once} the second native run differs at node {difference.node} ({difference.name}){slot}",
        f"  first:  {difference.expected}",
        f"  second: {difference.found}",
    ]
