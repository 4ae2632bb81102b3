"""Is it right? Compares a Function, a rule or a callable with PyTorch, in every way that users call it."""

from autograd_lab.verify.run import verify

__all__ = ["verify"]
