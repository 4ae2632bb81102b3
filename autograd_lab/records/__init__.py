"""What is known about a backward, as plain data. Imports the standard library only."""

from autograd_lab.records.graph import (
    Edge,
    Graph,
    Hook,
    Node,
    Record,
    Saved,
    Scalar,
    Source,
    TensorMeta,
)
from autograd_lab.records.jsonio import dumps, load, loads, save
from autograd_lab.records.scalar import Number, Operand, Operation, ScalarGraph, Variable

__all__ = [
    "Edge",
    "Graph",
    "Hook",
    "Node",
    "Number",
    "Operand",
    "Operation",
    "Record",
    "Saved",
    "Scalar",
    "ScalarGraph",
    "Source",
    "TensorMeta",
    "Variable",
    "dumps",
    "load",
    "loads",
    "save",
]
