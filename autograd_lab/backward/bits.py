"""Whether two gradients are the same, bit for bit.

Note [The same bits]
NaN isn't equal to itself, and −0.0 is equal to 0.0, so bytes are compared. Two NaN may differ in bits that say nothing
(which of two NaN an addition returns depends on the order of its operands), so where both are NaN they're the same.

Note [A subclass's bits]
Of a wrapper subclass (``DTensor``) the tensors that it holds are compared. One that holds none is compared by its own
operations: there is no other way to its numbers.
"""

from __future__ import annotations

import torch

from autograd_lab._torch import settings as _settings, tensors as _tensors


def same_bits(a: torch.Tensor | None, b: torch.Tensor | None) -> bool:
    """Returns whether two gradients are the same. See Notes [The same bits] and [A subclass's bits]."""
    if a is None or b is None:
        return a is b
    if type(a) is not type(b):
        return False
    with _settings.grad_mode(False), _tensors.unseen():
        mine, theirs = _tensors.parts(a), _tensors.parts(b)
        if mine is not None and theirs is not None:
            return mine.keys() == theirs.keys() and all(same_bits(mine[name], theirs[name]) for name in mine)
        return _same_kind(a, b) and _same_stored(a, b)


def _same_kind(a: torch.Tensor, b: torch.Tensor) -> bool:
    return (a.dtype, a.layout, a.device) == (b.dtype, b.layout, b.device)


def _same_stored(a: torch.Tensor, b: torch.Tensor) -> bool:
    if not all(map(_same_elements, _tensors.indices(a), _tensors.indices(b))):
        return False
    mine, theirs = _tensors.elements(a), _tensors.elements(b)
    if mine is None or theirs is None:  # without data
        return a.shape == b.shape
    return _same_elements(mine, theirs)


def _same_elements(a: torch.Tensor, b: torch.Tensor) -> bool:
    if a.shape != b.shape:
        return False
    a, b = _parts(a), _parts(b)
    if torch.equal(_bits(a), _bits(b)):
        return True
    different = _bits(a) != _bits(b)
    return bool((torch.isnan(a[different]) & torch.isnan(b[different])).all())


def _parts(tensor: torch.Tensor) -> torch.Tensor:
    """Returns a complex tensor's real and imaginary parts."""
    resolved = tensor.detach().resolve_conj().resolve_neg()  # of a sparse one's values no view can be taken
    return (torch.view_as_real(resolved) if resolved.is_complex() else resolved).contiguous()


_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.view(_INTEGERS[tensor.element_size()])
