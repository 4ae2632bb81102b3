"""See what ``loss.backward()`` does: capture the graph that autograd built, and draw it.

    import autograd_lab as lab

Every public name is listed here, once. ``records`` and ``draw`` also serve machines without torch, where only
what they offer is here.
"""

from importlib.util import find_spec

import autograd_lab.draw  # noqa: F401 - teaches records to show themselves
from autograd_lab._version import __version__ as __version__
from autograd_lab.errors import GradientError as GradientError
from autograd_lab.errors import GraphError as GraphError
from autograd_lab.errors import GroundError as GroundError
from autograd_lab.errors import LabError as LabError
from autograd_lab.errors import OptionError as OptionError
from autograd_lab.errors import RecordError as RecordError
from autograd_lab.errors import ReleasedError as ReleasedError
from autograd_lab.errors import RenderError as RenderError
from autograd_lab.errors import SwapError as SwapError
from autograd_lab.errors import TargetError as TargetError
from autograd_lab.errors import VerifyError as VerifyError
from autograd_lab.records import Accumulation as Accumulation
from autograd_lab.records import Call as Call
from autograd_lab.records import Check as Check
from autograd_lab.records import Contribution as Contribution
from autograd_lab.records import Difference as Difference
from autograd_lab.records import Edge as Edge
from autograd_lab.records import EngineCheck as EngineCheck
from autograd_lab.records import GradStats as GradStats
from autograd_lab.records import Graph as Graph
from autograd_lab.records import Hook as Hook
from autograd_lab.records import Kept as Kept
from autograd_lab.records import Kernel as Kernel
from autograd_lab.records import Mismatch as Mismatch
from autograd_lab.records import Node as Node
from autograd_lab.records import Operand as Operand
from autograd_lab.records import Operation as Operation
from autograd_lab.records import Saved as Saved
from autograd_lab.records import ScalarGraph as ScalarGraph
from autograd_lab.records import Source as Source
from autograd_lab.records import Step as Step
from autograd_lab.records import TensorMeta as TensorMeta
from autograd_lab.records import Trace as Trace
from autograd_lab.records import Variable as Variable
from autograd_lab.records import VerifyReport as VerifyReport
from autograd_lab.records import load as load
from autograd_lab.records import save as save

if find_spec("torch") is not None:
    try:
        from autograd_lab import functions as functions
        from autograd_lab.backward import Engine as Engine
        from autograd_lab.backward import Watcher as Watcher
        from autograd_lab.backward import check_engine as check_engine
        from autograd_lab.backward import replay as replay
        from autograd_lab.backward import trace as trace
        from autograd_lab.backward import watch as watch
        from autograd_lab.capture import capture as capture
        from autograd_lab.pictures import render as render
        from autograd_lab.swap import swap as swap
        from autograd_lab.verify import verify as verify
    except (ImportError, AttributeError) as _error:  # this torch lacks something that is needed at once
        _LACKS = f"{type(_error).__name__}: {_error}"

        def __getattr__(name: str) -> object:
            if name.startswith("__"):
                raise AttributeError(name)
            raise GroundError(
                f"{name} doesn't work with the torch that is installed ({_LACKS}): `autograd-lab doctor` says what does"
            )
