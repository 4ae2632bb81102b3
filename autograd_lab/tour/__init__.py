"""The guided tour's own tools: what its chapters show figures with."""

from autograd_lab.tour.figures import plot, show

__all__ = ["plot", "show"]
