"""What backward does: the native engine, watched."""

from autograd_lab.backward.trace import trace
from autograd_lab.backward.watch import Watcher, watch

__all__ = ["Watcher", "trace", "watch"]
