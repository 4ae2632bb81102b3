"""What is known about a backward, as plain data. Imports the standard library only."""

from autograd_lab.records.check import Difference, EngineCheck
from autograd_lab.records.graph import (
    Call,
    Edge,
    GradStats,
    Graph,
    Hook,
    Node,
    Saved,
    Scalar,
    Source,
    TensorMeta,
)
from autograd_lab.records.jsonio import Record, dumps, load, loads, save
from autograd_lab.records.scalar import Number, Operand, Operation, ScalarGraph, Variable
from autograd_lab.records.trace import (
    Accumulation,
    Contribution,
    Kept,
    Kernel,
    Step,
    Trace,
    Traces,
    are_traces,
)
from autograd_lab.records.verify import Check, Mismatch, VerifyReport

__all__ = [
    "Accumulation",
    "Call",
    "Check",
    "Contribution",
    "Difference",
    "Edge",
    "EngineCheck",
    "GradStats",
    "Graph",
    "Hook",
    "Kept",
    "Kernel",
    "Mismatch",
    "Node",
    "Number",
    "Operand",
    "Operation",
    "Record",
    "Saved",
    "Scalar",
    "ScalarGraph",
    "Source",
    "Step",
    "TensorMeta",
    "Trace",
    "Traces",
    "Variable",
    "VerifyReport",
    "are_traces",
    "dumps",
    "load",
    "loads",
    "save",
]
