"""A convex programme as a layer."""

import cvxpy
import torch
from cvxpylayers.torch import CvxpyLayer

PACKAGE, REQUIRES = "cvxpylayers", ["cvxpylayers==1.2.0", "diffcp==1.1.9"]


def step():
    x, a, b = cvxpy.Variable(2), cvxpy.Parameter((3, 2)), cvxpy.Parameter(3)
    problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.norm1(a @ x - b)), [x >= 0])
    layer = CvxpyLayer(problem, parameters=[a, b], variables=[x])
    weights = torch.nn.ParameterDict({"a": torch.randn(3, 2), "b": torch.randn(3)})
    (solution,) = layer(weights["a"], weights["b"])
    return solution.sum(), weights
