"""``trace``: one backward of the native engine, and what every node did in it."""

from __future__ import annotations

import threading
from typing import Any

import torch

from autograd_lab._torch import engine as _engine, tensors as _tensors
from autograd_lab._torch.grounds import need
from autograd_lab.backward.recorder import Keep, Recorder, chooser
from autograd_lab.backward.stats import Meter, StatsLevel, checked
from autograd_lab.capture.graph import live
from autograd_lab.capture.names import Names
from autograd_lab.capture.outputs import Outputs, starts
from autograd_lab.capture.places import called
from autograd_lab.exceptions import attach
from autograd_lab.hold import Hold
from autograd_lab.records import Trace


def trace(
    outputs: Outputs,
    model: torch.nn.Module | None = None,
    *,
    names: Names | None = None,
    grad_tensors: Any = None,
    inputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    stats: StatsLevel = "norm",
    keep: Keep = None,
    kernels: bool = False,
) -> Trace:
    """Runs the real ``torch.autograd.backward`` and records what every node did.

    ``.grad`` ends up exactly as ``backward()`` leaves it. If the backward raises, so does this, with the same
    exception, to which the trace of what ran until then is attached as ``autograd_lab_trace``.

    Args:
        outputs: A tensor of any shape, a ``GradientEdge``, or any nesting of list, tuple and dict of them.
        model: As for ``capture``.
        names: As for ``capture``.
        grad_tensors: As for ``torch.autograd.backward``: what each output's gradient starts as.
        inputs: As for ``torch.autograd.backward``: only what leads to these is run.
        retain_graph: As for ``torch.autograd.backward``.
        create_graph: As for ``torch.autograd.backward``.
        stats: ``None``, ``"norm"`` (and NaN and inf where the norm isn't finite) or ``"full"``.
        keep: Whose gradients are kept, as copies: ``None``, ``"all"`` or a predicate on ``Node``. They are in
            ``Trace.kept``, and a leaf's in ``Trace.grads`` too.
        kernels: Whether the ATen kernels are listed that ran in each node's turn, and who ran them. Torch takes
            other paths through some formulas when it is watched so closely, and all are slower. The first time in a
            process, torch takes a second or two to start the program that names its C++ functions; with
            ``TORCH_SYMBOLIZE_MODE=fast`` in the environment when Python starts, it names them itself, at once.

    Returns:
        The trace.

    Raises:
        GraphError: The outputs have no graph; as for ``capture``.
        OptionError: ``stats`` or ``keep`` isn't one of the above.

    Example:
        >>> w = torch.tensor(0.0, requires_grad=True)
        >>> done = trace((w * 2.0 - 4.0) ** 2, names={"w": w})
        >>> [step.grad_outputs[0].norm for step in done.steps]
        [1.0, 8.0, 8.0, 16.0]
        >>> w.grad
        tensor(-16.)
    """
    need("kernels" if kernels else "trace")
    meter, keeps = Meter(checked(stats)), chooser(keep)
    with _tensors.no_torch_function():
        graph, nodes = live(outputs, model=model, names=names, called=called())
    recorder = Recorder(graph, nodes, meter, keeps, kernels=kernels)
    del nodes
    roots = starts(outputs)
    try:
        with Hold() as held:
            _record(held, recorder)
            torch.autograd.backward(
                roots,  # type: ignore[arg-type] # torch's annotation has no mixed lists
                grad_tensors,
                retain_graph=retain_graph,
                create_graph=create_graph,
                inputs=inputs,
            )
    except BaseException as error:
        attach(error, recorder.trace(error))
        raise
    return recorder.trace()


def _record(held: Hold, recorder: Recorder) -> None:
    """Has a recorder record the first backward that this thread starts."""
    waiting = [recorder]
    thread = threading.get_ident()

    def visit(start: _engine.Start, run: _engine.RunEngine) -> Any:
        __tracebackhide__ = True
        if not waiting or threading.get_ident() != thread:
            return run()
        return waiting.pop().run(run, start.grad_tensors)

    _engine.visit(held, visit)
