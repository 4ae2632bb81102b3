"""The guided tour's own tools: what its chapters show figures with, and finding and reading chapters.

The chapters are ``docs/tour/NN_slug.py``: Python in jupytext's percent format, which runs by itself, renders as a page
and opens as a notebook.
"""

from autograd_lab.tour.figures import plot, show
from autograd_lab.tour.reading import Cell, Chapter, chapter, chapters

__all__ = ["Cell", "Chapter", "chapter", "chapters", "plot", "show"]
