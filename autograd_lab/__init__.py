"""See what ``loss.backward()`` does: capture the graph that autograd built, and draw it.

    import autograd_lab as lab

Every public name is listed here, once for type checkers and once with the module that it is imported from when it's
first used; so this import takes no time, nor does it import torch. ``records`` and ``draw`` also serve machines without
torch, where only what they offer is here.

Note [Functions that have their package's name]
``lab.capture`` is a function, and ``autograd_lab.capture`` the package that it comes from. Python binds a package that
is imported to its name in the package above it. `_Face` doesn't let it: the function keeps its name, whichever of the
two is asked for first.
"""

import importlib as _importlib
import importlib.util as _importlib_util
import sys as _sys
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING

from autograd_lab._version import __version__ as __version__
from autograd_lab.records import display as _display

if TYPE_CHECKING:
    from autograd_lab import functions as functions
    from autograd_lab.backward import (
        Engine as Engine,
        Watcher as Watcher,
        check_engine as check_engine,
        replay as replay,
        trace as trace,
        watch as watch,
    )
    from autograd_lab.capture import capture as capture
    from autograd_lab.errors import (
        GradientError as GradientError,
        GraphError as GraphError,
        GroundError as GroundError,
        LabError as LabError,
        OptionError as OptionError,
        RecordError as RecordError,
        ReleasedError as ReleasedError,
        RenderError as RenderError,
        SwapError as SwapError,
        TargetError as TargetError,
        VerifyError as VerifyError,
    )
    from autograd_lab.pictures import render as render
    from autograd_lab.records import (
        Accumulation as Accumulation,
        Call as Call,
        Check as Check,
        Contribution as Contribution,
        Difference as Difference,
        Edge as Edge,
        EngineCheck as EngineCheck,
        GradStats as GradStats,
        Graph as Graph,
        Hook as Hook,
        Kept as Kept,
        Kernel as Kernel,
        Mismatch as Mismatch,
        Node as Node,
        Operand as Operand,
        Operation as Operation,
        Saved as Saved,
        ScalarGraph as ScalarGraph,
        Source as Source,
        Step as Step,
        TensorMeta as TensorMeta,
        Trace as Trace,
        Variable as Variable,
        VerifyReport as VerifyReport,
        load as load,
        save as save,
    )
    from autograd_lab.show import show as show
    from autograd_lab.summaries import to_tensorboard as to_tensorboard
    from autograd_lab.swap import swap as swap
    from autograd_lab.verify import verify as verify

_NEEDS_TORCH = {
    "backward": ("Engine", "Watcher", "check_engine", "replay", "trace", "watch"),
    "capture": ("capture",),
    "functions": ("functions",),
    "pictures": ("render",),
    "show": ("show",),
    "swap": ("swap",),
    "verify": ("verify",),
}
_NEEDS_NOTHING = {
    "errors": (
        "GradientError", "GraphError", "GroundError", "LabError", "OptionError", "RecordError", "ReleasedError",
        "RenderError", "SwapError", "TargetError", "VerifyError",
    ),
    "records": (
        "Accumulation", "Call", "Check", "Contribution", "Difference", "Edge", "EngineCheck", "GradStats", "Graph",
        "Hook", "Kept", "Kernel", "Mismatch", "Node", "Operand", "Operation", "Saved", "ScalarGraph", "Source", "Step",
        "TensorMeta", "Trace", "Variable", "VerifyReport", "load", "save",
    ),
    "summaries": ("to_tensorboard",),
}  # fmt: skip
_HOMES = {name: home for home, names in (_NEEDS_TORCH | _NEEDS_NOTHING).items() for name in names}

_OF_THEIR_PACKAGES = {name for name, home in _HOMES.items() if name == home} - {"functions"}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - each name is in the table above

_display.shown_by("autograd_lab.draw")


class _Face(_ModuleType):
    """This package: see Note [Functions that have their package's name]."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, _ModuleType) and name in _OF_THEIR_PACKAGES):
            super().__setattr__(name, value)


_sys.modules[__name__].__class__ = _Face


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"autograd_lab has no {name!r}")
    try:
        module = _importlib.import_module(f"autograd_lab.{home}")
        found = module if name == "functions" else getattr(module, name)
    except (ImportError, AttributeError) as error:
        if home in _NEEDS_NOTHING:
            raise
        raise _refusal(name, error) from error
    globals()[name] = found
    return found


def _refusal(name: str, error: Exception) -> Exception:
    """Returns what is raised where a name needs what isn't there."""
    from autograd_lab.errors import GroundError

    if _importlib_util.find_spec("torch") is None:
        return AttributeError(f"autograd_lab.{name} needs torch, which isn't installed")
    return GroundError(
        f"{name} doesn't work with the torch that is installed ({type(error).__name__}: {error}): "
        "`autograd-lab doctor` says what does"
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
