r"""Formulas as a terminal can show them: LaTeX to plain characters.

Relies on the standard library. Knows what the chapters use: ``\frac``, ``\hat``, ``\text``, powers, Greek
letters and signs. A command that it doesn't know loses its backslash, so nothing is left out.
"""

from __future__ import annotations

import re
import unicodedata

_SIGNS = {
    "cdot": "·", "times": "×", "leftarrow": "←", "rightarrow": "→", "to": "→", "mapsto": "↦", "Rightarrow": "⇒",
    "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠", "ne": "≠", "approx": "≈", "pm": "±", "in": "∈",
    "partial": "∂", "nabla": "∇", "infty": "∞", "sum": "Σ", "prod": "Π", "odot": "⊙", "top": "ᵀ",
    "dots": "…", "ldots": "…", "cdots": "…", "lVert": "‖", "rVert": "‖", "ell": "ℓ",
    "left": "", "right": "", "displaystyle": "", "big": "", "Big": "", "bigl": "", "bigr": "",
}  # fmt: skip
_ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "dot": "\u0307", "vec": "\u20d7"}
_RAISED = str.maketrans("0123456789+-−nTijk", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻ⁿᵀⁱʲᵏ")
_LOWERED = str.maketrans("0123456789+-−ijkn", "₀₁₂₃₄₅₆₇₈₉₊₋₋ᵢⱼₖₙ")
_GREEK = (
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "theta",
    "lambda",
    "mu",
    "sigma",
    "tau",
    "phi",
    "eta",
    "Delta",
)

_ARGUMENT = r"(?:\{([^{}]*)\}|([^\s{}\\]))"
_ACCENTED = rf"\\({'|'.join(_ACCENTS)})\b\s*{_ARGUMENT}"
_IN_TEXT = re.compile(r"(`+)(?:.+?)\1|\$\$(.+?)\$\$|\$([^$]+?)\$", re.DOTALL)


def plain(markdown: str) -> str:
    r"""Replaces the formulas of a Markdown text, ``$…$`` and ``$$…$$``; code is left as it is.

    Args:
        markdown: The text.

    Returns:
        The text with its formulas in plain characters, those between double dollars in lines of their own.

    Example:
        >>> plain(r"The slope $\frac{dy}{dw} = 2 \cdot x^2$, see `a$b$`.")
        'The slope dy/dw = 2 · x², see `a$b$`.'
    """

    def replaced(match: re.Match[str]) -> str:
        _, block, inline = match.groups()
        if block is not None:
            return f"\n\n> {_escaped(formula(block))}\n\n"
        return match[0] if inline is None else _escaped(formula(inline))

    return _IN_TEXT.sub(replaced, markdown)


def formula(latex: str) -> str:
    r"""Writes one formula in plain characters.

    Args:
        latex: The formula, without dollars.

    Returns:
        One line.

    Example:
        >>> formula(r"\hat y \leftarrow \frac{a + 1}{b_2}")
        'ŷ ← (a + 1)/b₂'
    """
    text = re.sub(r"\s*\\q?quad\s*", "; ", latex.strip())
    text = re.sub(r"\\[,;:! ]", " ", text.replace(r"\{", "{").replace(r"\}", "}").replace(r"\|", "‖"))
    text = re.sub(r"\\(?:text|mathrm|mathbf|operatorname)\{([^{}]*)\}", r"\1", text)
    text = re.sub(_ACCENTED, lambda found: (found[2] or found[3]) + _ACCENTS[found[1]], text)
    text = unicodedata.normalize("NFC", text)
    text = re.sub(
        rf"\^\s*(?:\\top|{_ARGUMENT})", lambda found: _small(_argument(found) or "T", "^", _RAISED), text
    )
    text = re.sub(rf"_{_ARGUMENT}", lambda found: _small(_argument(found), "_", _LOWERED), text)
    text = re.sub(r"\\(?!frac|sqrt)([A-Za-z]+)", lambda found: _sign(found[1]), text)
    text = re.sub(rf"\\sqrt\s*{_ARGUMENT}", lambda found: f"√{_grouped(_argument(found))}", text)
    while (found := re.search(rf"\\frac\s*{_ARGUMENT}\s*{_ARGUMENT}", text)) is not None:
        above, below = found[1] or found[2], found[3] or found[4]
        text = f"{text[: found.start()]}{_grouped(above)}/{_grouped(below)}{text[found.end() :]}"
    return " ".join(re.sub(r"[{}\\&]", "", text).split())


def _argument(found: re.Match[str]) -> str:
    return found[1] or found[2] or ""


def _small(text: str, sign: str, table: dict[int, int]) -> str:
    """A power or an index in small characters, if there's one for each."""
    if all(ord(character) in table for character in text):
        return text.translate(table)
    return f"{sign}{_grouped(text)}"


def _grouped(text: str) -> str:
    """Brackets around what isn't a single word or number, so that what belongs together can be seen."""
    return text if re.fullmatch(r"[\w.,/·]+|[d∂] ?\w+", text.strip()) else f"({text})"


def _sign(name: str) -> str:
    if name in _GREEK:
        case = "SMALL" if name.islower() else "CAPITAL"
        return unicodedata.lookup(f"GREEK {case} LETTER {'LAMDA' if name == 'lambda' else name.upper()}")
    return _SIGNS.get(name, name)


def _escaped(text: str) -> str:
    """So that Markdown takes no sign of a formula for its own."""
    return re.sub(r"([*_`<\[\]])", r"\\\1", text)
