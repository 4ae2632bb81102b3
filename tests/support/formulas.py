"""What a built site's formulas say: read from its MathML, so that a formula that was misread is found."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

_FORMULA = re.compile(r"<math\b.*?</math>", re.DOTALL)


def misread(site: Path) -> list[str]:
    """Lists the formulas of every page that can't be meant as they stand."""
    return [
        f"{path.relative_to(site)}: {problem}"
        for path in sorted(site.rglob("*.html"))
        for formula in _FORMULA.findall(path.read_text("utf-8"))
        for problem in _problems(formula)
    ]


def _problems(formula: str) -> Iterator[str]:
    for element in ElementTree.fromstring(_xml(formula)).iter():
        name, text, parts = _name(element), _text(element), list(element)
        if name == "mi" and text.startswith("*"):
            yield f"a name that begins with *: {text}"
        if name == "mfrac" and _name(parts[0]) == "mn" and _text(parts[0]) == "12":
            yield f"one half read as 12 over what comes next: {text}"
        if name == "munderover" and _name(parts[2]) == "mo":
            yield f"an index below an accented letter: {text}"
        if name == "munder" and _name(parts[0]) == "mover":
            yield f"an index below an accented letter: {text}"


def _xml(formula: str) -> str:
    """A formula without entities that HTML knows and XML doesn't."""
    return re.sub(r"&(?!amp;|lt;|gt;)\w+;", lambda entity: html.unescape(entity[0]), formula)


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: ElementTree.Element) -> str:
    return "".join("".join(element.itertext()).split())
