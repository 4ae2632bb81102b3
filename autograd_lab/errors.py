"""What the lab raises when it was asked for something that it can't give.

Every message is one line that says what was wrong and what to do. Each class also derives from the built-in
that fits, so that code which knows nothing of the lab can catch it.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

_AN = re.compile(r"(?!uint|uni|use|eu|one)[aeiou]|ndarray", re.IGNORECASE)


def article(noun: str) -> str:
    """Returns a noun, such as a type's name, with its article; ``None`` for ``NoneType``, which has one value.

    Example:
        >>> [article(noun) for noun in ("dict", "int", "uint8 tensor", "ndarray", "NoneType")]
        ['a dict', 'an int', 'a uint8 tensor', 'an ndarray', 'None']
    """
    if noun == "NoneType":
        return "None"
    return f"{'an' if _AN.match(noun) else 'a'} {noun}"


_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Control characters, line breaks, what turns the direction of text, and what UTF-8 or XML can't hold."""


def escaped(text: str) -> str:
    r"""Returns a text in one line in which each character that a terminal would obey is written out.

    Example:
        >>> print(escaped("a\tb\x1b[0m\n\u202ec"))
        a\tb\x1b[0m\n\u202ec
    """
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(error: BaseException, most: int | None = None) -> str:
    r"""Returns an exception's type and message in one line.

    Args:
        error: Any exception; of one whose ``__str__`` raises, the type is all.
        most: Characters of the message.

    Example:
        >>> one_line(ValueError("no such\ncolumn")), one_line(KeyError("abc"), 3)
        ('ValueError: no such column', "KeyError: 'a…")
    """
    try:
        text = escaped(" ".join(str(error).split()))
    except Exception:  # its class is the user's
        text = ""
    text = text if most is None or len(text) <= most else f"{text[: most - 1]}…"
    return f"{type(error).__name__}: {text}".rstrip(": ")


_FEW = 12
"""Names that a message lists, although it knows which was perhaps meant."""


def nearest(word: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """Returns the end of a message about an unknown word: which was perhaps meant, and which there are.

    Args:
        word: What was asked for.
        known: What there is.
        otherwise: What to say where none is near and there are too many to list.

    Example:
        >>> nearest("pgn", ["svg", "png"])
        "use one of svg, png (did you mean 'png'?)"
        >>> nearest("sofmax", [f"rule{number}" for number in range(99)] + ["softmax"])
        "did you mean 'softmax'?"
    """
    import difflib  # only where something is wrong

    names = list(dict.fromkeys(known))
    folded = {name.casefold(): name for name in reversed(names)}
    near = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.5)
    near = near or [name for name in sorted(folded) if word and name.startswith(word.casefold())]
    meant = f"did you mean {folded[near[0]]!r}?" if near else ""
    if otherwise is not None or (near and len(names) > _FEW):
        return meant or otherwise or ""
    return f"use one of {', '.join(names)}{f' ({meant})' if meant else ''}"


class Option(NamedTuple):
    """An option in a message, which names it as it's written where the message is shown.

    Attributes:
        name: Its name in Python.
        value: A value of it; empty for the option alone.

    Example:
        >>> view = Option("view", "norms")
        >>> str(view), view.on_command_line(), Option("repeats").on_command_line()
        ("view='norms'", '--view norms', '--repeats')
    """

    name: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.name}={self.value!r}" if self.value else self.name

    def on_command_line(self) -> str:
        """Returns what is typed in a shell."""
        return f"--{self.name} {self.value}".strip()


Parts: TypeAlias = tuple[str | Option, ...]
"""A message, cut where it names an option."""


class LabError(Exception):
    """The base of every error that the lab raises itself.

    Args:
        *parts: The message, cut where it names an option.
    """

    def __init__(self, *parts: str | Option) -> None:
        super().__init__("".join(map(str, parts)))
        self.parts = parts

    def on_command_line(self) -> str:
        """Returns the message with its options as they're typed in a shell."""
        return "".join(part.on_command_line() if isinstance(part, Option) else part for part in self.parts)


class GraphError(LabError, ValueError):
    """The outputs or names handed in don't lead to a graph that can be captured."""


class RecordError(LabError, ValueError):
    """A file or a mapping isn't a record: the message names the field."""


class RenderError(LabError, ValueError):
    """A picture was asked for that can't be drawn: an unknown format or view, or a path not writable."""


class TargetError(LabError, ValueError):
    """A command-line TARGET or ``--input`` can't be read, imported, called or built."""


class OptionError(LabError, ValueError):
    """An option has a value that it can't have."""


class VerifyError(LabError, ValueError):
    """What is to be verified can't be called with the inputs given."""


class SwapError(LabError, ValueError):
    """A name given to ``lab.swap`` isn't a rule's (the message lists near ones), or a swap can't work there."""


class GradientError(LabError, RuntimeError):
    """A node returned, or a hook made, a gradient that can't be passed on; the message is torch's own."""


class ReleasedError(LabError, RuntimeError):
    """A node was to be run that can't be: an earlier backward has freed what it saved, or it can run only once."""


class GroundError(LabError, RuntimeError):
    """The installed torch lacks something that a feature of the lab relies on; ``autograd-lab doctor`` lists them."""
