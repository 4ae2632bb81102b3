"""``.. rules::`` writes the reference of every rule, from the registry: a table of all, then a section a family.

A rule that is added to the package is on the page with the next build, with its mathematics, its formulas, and the
operations it stands for. Where the docstring says only what the rule computes, its gradients are written from its
formulas (``tex.py``).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from tex import as_tex

from autograd_lab.functions import Rule, rules


def _source_lines() -> Iterator[str]:
    """The page, as reStructuredText."""
    in_families = sorted(rules.values(), key=lambda rule: rule.__module__)
    yield from (".. list-table::", "   :header-rows: 1", "   :widths: 22 44 34", "   :class: rules", "")
    yield from ("   * - Rule", "     - What it is", "     - Stands for")
    for rule in in_families:
        yield f"   * - :class:`{rule.name} <{rule.__module__}.{rule.__name__}>`"
        yield f"     - {(inspect.getdoc(rule) or '').partition(chr(10))[0]}"
        yield f"     - {', '.join(f'``{each}``' for each in rule.replaces)}"
    yield ""
    for family, members in groupby(in_families, key=lambda rule: rule.__module__):
        head, _, more = (inspect.getdoc(sys.modules[family]) or family).partition("\n")
        title = head.removesuffix(".")
        yield from (f".. py:currentmodule:: {family}", "", title, "-" * len(title), *more.splitlines(), "")
        for rule in members:
            yield from (f".. autoclass:: {family}.{rule.__name__}()", "   :no-members:", "")


class Rules(SphinxDirective):
    """The directive."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """Returns the table and the sections."""
        lines = StringList(list(_source_lines()), source=self.get_source_info()[0])
        found = nodes.section()
        found.document = self.state.document
        self.state.nested_parse(lines, 0, found, match_titles=1)
        return list(found.children)


def writes_its_gradients(rule: type[Rule]) -> bool:
    """Returns whether a rule's docstring says what its gradients are, and not only what it computes."""
    return r"\bar" in (rule.__doc__ or "")


def _with_gradients(rule: type[Rule], lines: list[str]) -> None:
    """Adds the equations of the gradients to the one that says what the rule computes."""
    begin = next(index for index, line in enumerate(lines) if line.startswith(".. math::"))
    end = next(index for index, line in enumerate([*lines, ""]) if index > begin and not line.strip())
    lines[end - 1] += rf", \qquad {as_tex(rule.formula)}"


def _facts(app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:  # noqa: ARG001
    """Writes what a rule says of itself as data below its docstring, and its gradients as equations into it."""
    if found not in rules.values():
        return
    if not writes_its_gradients(found):
        _with_gradients(found, lines)
    lines += ["", f":Name: ``{found.name}``"]
    lines += [f":Stands for: {', '.join(f'``{each}``' for each in (*found.replaces, *found.in_place))}"]
    lines += [f":Formula of {argument}: ``{formula}``" for argument, formula in found.formula.items()]
    lines += [""]


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the directive."""
    app.add_directive("rules", Rules)
    app.connect("autodoc-process-docstring", _facts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
