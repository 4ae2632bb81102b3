"""What backward does: the native engine, watched, and the lab's own."""

from autograd_lab.backward.check import check_engine
from autograd_lab.backward.engine import Engine, replay
from autograd_lab.backward.trace import trace
from autograd_lab.backward.watch import Watcher, watch

__all__ = ["Engine", "Watcher", "check_engine", "replay", "trace", "watch"]
