"""What kind of fault it is, told from what was expected and what came.

Nothing here decides whether a gradient is right; ``compare`` has done that. A name is given only where the numbers
bear it out: where several would fit, the first of the list is said.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from autograd_lab.verify.compare import mismatch


def kind(
    index: int,
    expected: Sequence[torch.Tensor | None],
    found: Sequence[torch.Tensor | None],
    args: Sequence[object],
) -> str:
    """Names a fault.

    Args:
        index: Which gradient is wrong.
        expected: What each gradient should be.
        found: What each is.
        args: The arguments that the gradients belong to.

    Returns:
        What is wrong with it, to follow on "the gradient of input 0".

    Example:
        >>> kind(0, [torch.tensor([1.0, 2.0])], [torch.tensor([-1.0, -2.0])], [torch.ones(2)])
        'has the wrong sign'
    """
    want, came = expected[index], found[index]
    if came is None:
        return "is None, where a gradient is due"
    if want is None:
        return "isn't zero, where nothing depends on the input"
    if want.shape != came.shape:
        return f"has the shape {tuple(came.shape)} of another tensor than its input's {tuple(want.shape)}"
    if want.dtype != came.dtype:
        return f"is {came.dtype}, not its input's {want.dtype}".replace("torch.", "")
    if came.isnan().any() and not want.isnan().any():
        return f"is NaN{_at_zeros(want, came, args)}"
    named = _proportional(want, came) or _moved(index, expected, came) or _somewhere(want, came, args)
    return named or "follows another formula, or was computed from a wrong saved tensor"


def _proportional(want: torch.Tensor, came: torch.Tensor) -> str:
    if not came.any():
        return "is zero everywhere"
    if _agree(-want, came):
        return "has the wrong sign"
    if want.is_complex() and _agree(want.conj(), came):
        return "isn't conjugated as it should be"
    return _by_a_factor(want, came)


def _by_a_factor(want: torch.Tensor, came: torch.Tensor) -> str:
    there = want.abs() > 0
    ratios = (came[there] / want[there]).to(torch.complex128)
    if not ratios.numel() or came[~there].any():  # where zero is due and something comes, there's no factor
        return ""
    ratio = ratios.mean()
    spread = (ratios - ratio).abs().max().item()
    if ratios.numel() > 1 and spread <= 1e-3 * ratio.abs().item() and (ratio - 1).abs().item() > 1e-2:
        return f"is off by the factor {ratio.real.item():.4g}"
    off = (ratios - 1).abs().max().item()
    return f"is slightly off, by up to {off:.1e} of what it should be" if off < 1e-2 else ""


def _moved(index: int, expected: Sequence[torch.Tensor | None], came: torch.Tensor) -> str:
    want = expected[index]
    assert want is not None
    if want.dim() == 2 and want.shape[0] == want.shape[1] and _agree(want.t(), came):
        return "is transposed"
    for other, its in enumerate(expected):
        if other != index and its is not None and its.shape == came.shape and _agree(its, came):
            return f"is that of input {other}"
    return ""


def _somewhere(want: torch.Tensor, came: torch.Tensor, args: Sequence[object]) -> str:
    wrong = (want - came).abs() > 1e-6 * want.abs().nan_to_num(0).max()
    share = f"{int(wrong.sum())} of {wrong.numel()} elements"
    if _only_at_zeros(wrong, args):
        return "is wrong where an input is zero"
    return f"is wrong in {share}" if not wrong.all() and wrong.float().mean() < 0.5 else ""


def _at_zeros(want: torch.Tensor, came: torch.Tensor, args: Sequence[object]) -> str:
    return " where an input is zero" if _only_at_zeros(came.isnan() & ~want.isnan(), args) else ""


def _only_at_zeros(wrong: torch.Tensor, args: Sequence[object]) -> bool:
    zeros = [
        (arg.detach() == 0)
        for arg in args
        if isinstance(arg, torch.Tensor) and arg.shape == wrong.shape and bool((arg.detach() == 0).any())
    ]
    return bool(zeros) and not bool((wrong & ~torch.stack(zeros).any(0)).any())


def _agree(want: torch.Tensor, came: torch.Tensor) -> bool:
    return mismatch("", want.resolve_conj(), came) is None
