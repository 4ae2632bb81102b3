"""Calling what is verified, and taking its results.

Note [Results are taken at once]
What a call returned may change afterwards: a backward may hand out a tensor that it saved and changes the next time it
runs, or a buffer that all its calls share. So whatever is compared later is cloned at once. The type says it: only
``taken`` makes a ``Taken``, and comparisons take no other tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NewType

import torch

from autograd_lab._torch.settings import grad_mode
from autograd_lab.capture.outputs import tensors
from autograd_lab.verify.compare import dense

Args = tuple[Any, ...]
Callee = Callable[..., Any]
Tensors = tuple[torch.Tensor, ...]

Taken = NewType("Taken", torch.Tensor)
"""A copy of a result. See Note [Results are taken at once]."""


def taken(results: Iterable[torch.Tensor | None]) -> list[Taken | None]:
    """Returns copies of results, as ordinary tensors in whatever layout these were."""
    return [
        None if each is None else Taken(dense(each).clone().resolve_conj().resolve_neg()) for each in results
    ]


def outputs_of(call: Callee, args: Args) -> Tensors:
    """Calls, and returns the floating and complex outputs, live."""
    return tuple(each for each in tensors(call(*args)) if is_float(each))


def results_of(call: Callee, args: Args) -> list[Taken | None]:
    """Calls without recording a graph, and returns copies of all tensors that came."""
    with grad_mode(False):
        return taken(tensors(call(*args)))


def leaves_of(args: Args) -> list[torch.Tensor]:
    """Returns each tensor that a gradient is wanted for, once."""
    return list({id(arg): arg for arg in args if wants(arg)}.values())


def wants(arg: Any) -> bool:
    """Whether an argument wants a gradient."""
    return isinstance(arg, torch.Tensor) and arg.requires_grad


def is_float(arg: Any) -> bool:
    """Whether something is a floating or complex tensor."""
    return isinstance(arg, torch.Tensor) and (arg.is_floating_point() or arg.is_complex())


def differentiable(outputs: Tensors) -> tuple[Tensors, Tensors]:
    """Returns the outputs that have a graph, and a gradient for each."""
    pairs = [
        (output, weight)
        for output, weight in zip(outputs, weights_for(outputs), strict=True)
        if output.requires_grad
    ]
    return tuple(output for output, _ in pairs), tuple(weight for _, weight in pairs)


def weights_for(outputs: Tensors) -> Tensors:
    """Makes a gradient for each output: no two elements alike, the same each time."""
    made = []
    for index, output in enumerate(outputs):
        count = output.numel()
        steps = torch.arange(1, count + 1, dtype=torch.float64, device="cpu").reshape(output.shape) + index
        numbers = torch.cos(steps) + 1.5
        if output.is_complex():
            numbers = torch.complex(numbers, torch.sin(steps))
        made.append(numbers.to(output.device, output.dtype))
    return tuple(made)


def slopes_of(call: Callee, args: Args) -> Tensors:
    """Returns the gradients of the leaves that can be differentiated again, live."""
    outputs, weights = differentiable(outputs_of(call, args))
    if not outputs:
        return ()
    weights = tuple(weight.requires_grad_() for weight in weights)
    made = torch.autograd.grad(outputs, leaves_of(args), weights, allow_unused=True, create_graph=True)
    return tuple(grad for grad in made if grad is not None and grad.requires_grad)


def gradients_of(call: Callee, args: Args) -> list[Taken | None]:
    """Returns copies of the gradients of the leaves, the outputs weighted by ``weights_for``."""
    outputs, weights = differentiable(outputs_of(call, args))
    if not outputs:
        return [None] * len(leaves_of(args))
    return taken(torch.autograd.grad(outputs, leaves_of(args), weights, allow_unused=True))


def copies(args: Args) -> Args:
    """Returns arguments equal to these that share no memory with them; what stands in two places does so again.

    So whatever a call does to its arguments, the next one finds them as they were.
    """
    made: dict[int, torch.Tensor] = {}
    for arg in args:
        if isinstance(arg, torch.Tensor) and id(arg) not in made:
            made[id(arg)] = _copy(arg)
    return tuple(made[id(arg)] if isinstance(arg, torch.Tensor) else arg for arg in args)


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    """A leaf with the same numbers, strides and holes, even where elements overlap."""
    plain = tensor.detach()
    odd = plain.layout is not torch.strided or plain.is_nested or plain.is_conj() or plain.is_neg()
    if odd or type(plain) is not torch.Tensor or plain.is_quantized:
        made = plain.clone()
    elif not plain.numel():
        made = torch.empty_strided(plain.shape, plain.stride(), dtype=plain.dtype, device=plain.device)
    else:
        reach = 1 + sum((size - 1) * stride for size, stride in zip(plain.shape, plain.stride(), strict=True))
        memory = plain.as_strided((reach,), (1,)).clone()
        made = memory.new_empty(0).set_(memory.untyped_storage(), 0, plain.shape, plain.stride())
    if isinstance(tensor, torch.nn.Parameter):
        return torch.nn.Parameter(made, tensor.requires_grad)
    return made.requires_grad_(tensor.requires_grad)
