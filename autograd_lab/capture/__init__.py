"""From a live tensor to a ``Graph``: the walk, the order, saved tensors, names, hooks.

Nothing is run and nothing is changed; what comes back is plain data that holds no tensor.
"""

from autograd_lab.capture.graph import capture

__all__ = ["capture"]
