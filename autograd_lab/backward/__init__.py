"""What backward does: the native engine, traced."""

from autograd_lab.backward.trace import trace

__all__ = ["trace"]
