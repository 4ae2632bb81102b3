"""The check by finite differences, and what ``torch.autograd.gradcheck`` means by what it says.

Note [What gradcheck says]
``gradcheck`` finds many things: another slope, but also gradients that change when a backward runs twice, that have the
wrong shape, that aren't zero where they must be. Each comes as one exception with text for developers of PyTorch. It's
read here, and here only: ``CAUSES`` turns each into one sentence, and none of torch's own text goes into a report.

Note [Surrogate gradients]
A straight-through estimator or a gradient reversal has a backward that isn't the slope of its forward, and shall have
it. So where what it's compared with has another slope than finite differences find too, these say nothing about it.

Note [Sparse gradients]
PyTorch takes a sparse gradient for a dense input, as an embedding's; ``gradcheck`` doesn't, though the slope is right.
Where that is all that it finds, it looks again at inputs whose gradients are made dense on the way.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch.autograd.gradcheck import GradcheckError

from autograd_lab.functions.samples import Sample
from autograd_lab.verify.checks import Fault, Found, NotTried
from autograd_lab.verify.compare import dense, largest
from autograd_lab.verify.results import Args, Callee, Tensors, copies, leaves_of, outputs_of, wants
from autograd_lab.verify.subject import Subject

SLOPE = "slope"
"""The cause that a surrogate gradient has."""

LAYOUT = "layout"
"""The cause that a sparse gradient of a dense input has."""

UNSUPPORTED = "unsupported"
"""What ``gradcheck`` can't look at: no fault."""


class Said(NamedTuple):
    """What ``gradcheck`` found.

    Attributes:
        cause: ``SLOPE``, ``UNSUPPORTED``, ``"reentrancy"``, ``"dtype"``, ….
        sentence: The same for people.
    """

    cause: str
    sentence: str


CAUSES: tuple[tuple[str, str, str], ...] = (
    (SLOPE, r"Jacobian .*mismatch", "finite differences find another slope"),
    (
        SLOPE,
        r"Numerical gradient for function expected to be zero",
        "finite differences find a slope, where the result has no gradient",
    ),
    ("reentrancy", r"Backward is not reentrant", "running backward twice gives different gradients"),
    (
        "dtype",
        r"Gradient has dtype mismatch|grad is incorrect type",
        "a gradient has another dtype than its input",
    ),
    (
        "size",
        r"Analytical gradient has incorrect size|grad is incorrect size",
        "a gradient has another shape than its input",
    ),
    (
        LAYOUT,
        r"grad is incorrect layout|incorrect (?:sparse|dense)_dim",
        "a gradient has another layout than its input",
    ),
    ("device", r"grad is incorrect device", "a gradient is on another device than its input"),
    (
        "scaling",
        r"backward not multiplied by grad_output",
        "a gradient isn't zero where the gradient that comes in is zero",
    ),
    (
        "undefined",
        r"handle undefined output grads",
        "its backward can't take the undefined gradient (None) of a result that isn't used",
    ),
    (
        "undefined",
        r"input grads to be undefined or zero",
        "a gradient isn't zero where all gradients that come in are undefined (None)",
    ),
    (
        "result",
        r"outputs with the same (?:shape|dtype) when inputs are perturbed",
        "the shape or dtype of its result changes when an input changes a little",
    ),
    (
        UNSUPPORTED,
        r"output is not supported at gradcheck",
        "finite differences can't look at results of this layout",
    ),
    (
        UNSUPPORTED,
        r"a dimension with stride 0",
        "finite differences can't look at an input whose elements overlap",
    ),
)
"""For each cause a pattern of torch's text, and the sentence. See Note [What gradcheck says]."""

_NUMBER = r"\s*(?:tensor\()?([-+.\deinfa]+(?:[-+][-+.\deinfa]+j)?)[,)\s]"
_NUMBERS = re.compile(f"numerical:{_NUMBER}.*?analytical:{_NUMBER}", re.DOTALL)
_PLACE = re.compile(r"mismatch for output (?P<output>\d+) with respect to input (?P<input>\d+)")


def read(error: Exception) -> Said | None:
    """Reads what ``gradcheck`` said.

    Args:
        error: What it raised.

    Returns:
        The cause and a sentence; ``None`` where it isn't its own exception, but one of the function's.

    Example:
        >>> read(GradcheckError("Backward is not reentrant, i.e., running backward with …"))
        Said(cause='reentrancy', sentence='running backward twice gives different gradients')
    """
    text = str(error)
    for cause, pattern, sentence in CAUSES:
        if re.search(pattern, text):
            return Said(cause, sentence + (_where(text) if cause == SLOPE else "") + _why(error))
    if isinstance(error, GradcheckError):
        return Said("other", f"torch.autograd.gradcheck refuses it: {text.partition(chr(10))[0].strip()}")
    return None


def _where(text: str) -> str:
    numbers, place = _NUMBERS.search(text), _PLACE.search(text)
    parts = [] if place is None else [f"of output {place['output']} along input {place['input']}"]
    parts += [] if numbers is None else [f"numerical {numbers[1]}, analytical {numbers[2]}"]
    return f" ({'; '.join(parts)})" if parts else ""


def _why(error: Exception) -> str:
    cause = error.__cause__
    return "" if cause is None else f"; it raises {type(cause).__name__}: {' '.join(str(cause).split())}"


def finite_differences(subject: Subject, sample: Sample) -> Found:
    """Each gradient is the slope that finite differences find (``torch.autograd.gradcheck``)."""
    if not any(leaf.numel() for leaf in leaves_of(sample.args)):
        return NotTried("there's no number to change")
    results = outputs_of(subject.call, copies(sample.args))
    if not all(output.isfinite().all() for output in results):
        return NotTried("its result isn't finite")
    sizes = [_unit(output) for output in results]
    said = _said(subject.call, sample.args, sizes)
    if said is None:
        return None
    if said.cause == UNSUPPORTED:
        return NotTried(said.sentence)
    if said.cause == SLOPE and subject.native is not None:
        native = _said(subject.native, sample.args, sizes)
        if native is not None and native.cause == SLOPE:
            whose = "native isn't" if subject.given else "PyTorch's own gradient isn't"
            return NotTried(f"{whose} the slope of its forward either")
    return Fault(said.sentence)


def _said(call: Callee, args: Args, sizes: list[float]) -> Said | None:
    """What ``gradcheck`` finds: quickly, and where that finds another slope, element by element."""
    said = _tried(call, args, sizes, fast=True)
    if said is not None and said.cause == SLOPE and _tried(call, args, sizes, fast=False) is None:
        return None
    if said is not None and said.cause == LAYOUT:
        return _tried(_with_dense_gradients(call), args, sizes, fast=True)
    return said


class _DenseGradient(torch.autograd.Function):
    """The same tensor; its gradient is made dense."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.set_materialize_grads(False)
        return x.clone()

    @staticmethod
    def backward(_ctx: Any, grad: torch.Tensor | None) -> torch.Tensor | None:
        return None if grad is None else dense(grad)


def _with_dense_gradients(call: Callee) -> Callee:
    """Returns the same call, whose dense inputs get dense gradients. See Note [Sparse gradients]."""

    def run(*args: Any) -> Any:
        return call(*(_densely(arg) if wants(arg) and arg.layout is torch.strided else arg for arg in args))

    return run


def _densely(arg: torch.Tensor) -> Any:
    return _DenseGradient.apply(arg)  # type: ignore[no-untyped-call]


def _tried(call: Callee, args: Args, sizes: list[float], *, fast: bool) -> Said | None:
    here = torch.get_default_device()

    def scaled(*inputs: torch.Tensor) -> Tensors:
        with _default(here):
            made = outputs_of(call, inputs)
        return tuple(each if size == 1 else each * size for each, size in zip(made, sizes, strict=True))

    plain = tuple(_spread(arg) if isinstance(arg, torch.Tensor) else arg for arg in copies(args))
    # gradcheck draws its vectors on the default device, from a generator of the CPU
    with warnings.catch_warnings(), _default(torch.device("cpu")):
        warnings.filterwarnings("ignore", "Backwards compatibility: New undefined gradient", UserWarning)
        try:
            torch.autograd.gradcheck(scaled, plain, fast_mode=fast)
        except Exception as error:
            said = read(error)
            if said is None:
                raise
            return said
    return None


def _spread(arg: torch.Tensor) -> torch.Tensor:
    """An input whose elements each have their own memory: they are changed one by one."""
    if arg.layout is not torch.strided or not arg.numel() or 0 not in arg.stride():
        return arg
    return arg.detach().contiguous().requires_grad_(arg.requires_grad)


def _unit(output: torch.Tensor) -> float:
    """What makes a result about as large as 1, as ``gradcheck``'s absolute tolerance supposes."""
    size = largest([output])
    return 1 if size == 0 or 1e-2 <= size <= 1e2 else 1 / size


@contextlib.contextmanager
def _default(device: torch.device) -> Iterator[None]:
    """Has tensors made on a device where nobody says which; nothing is set where that is so."""
    if torch.get_default_device() == device:
        yield
    else:
        with device:
            yield
