"""What the lab raises when it was asked for something that it can't give.

Every message is one line that says what was wrong and what to do. Each class also derives from the built-in
that fits, so that code which knows nothing of the lab can catch it.
"""

import re

_AN = re.compile(r"(?!uint|uni|use|eu|one)[aeiou]|ndarray", re.IGNORECASE)


def article(noun: str) -> str:
    """Returns a noun, such as a type's name, with its article.

    Example:
        >>> [article(noun) for noun in ("dict", "int", "uint8 tensor", "ndarray")]
        ['a dict', 'an int', 'a uint8 tensor', 'an ndarray']
    """
    return f"{'an' if _AN.match(noun) else 'a'} {noun}"


class LabError(Exception):
    """The base of every error that the lab raises itself."""


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
