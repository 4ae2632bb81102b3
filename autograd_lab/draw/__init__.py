"""Records to tables, dot, Mermaid and pictures. Imports the records, never torch.

A record becomes a ``Picture`` (``graph_view``, ``scalar_view``), a picture becomes text (``dot``, ``mermaid``), and
Graphviz makes an image of that; tables (``text``) come from the record itself. How things look is in ``theme``.
Importing this package teaches records to show themselves: ``str(graph)`` is a table, and a notebook shows a picture.
"""

from autograd_lab.draw import notebook as _notebook  # noqa: F401 - registers the notebook's display
from autograd_lab.draw.check_text import check_text
from autograd_lab.draw.dot import to_dot
from autograd_lab.draw.formats import FORMATS, check, draw, format_of
from autograd_lab.draw.graph_view import graph_picture
from autograd_lab.draw.mermaid import to_mermaid
from autograd_lab.draw.picture import Arrow, Box, Line, Picture
from autograd_lab.draw.scalar_view import scalar_picture
from autograd_lab.draw.text import graph_table, scalar_table
from autograd_lab.draw.trace_text import trace_table, traces_table
from autograd_lab.draw.trace_view import trace_picture
from autograd_lab.draw.verify_text import verify_table
from autograd_lab.draw.views import VIEWS, picture_maker

__all__ = [
    "FORMATS",
    "VIEWS",
    "Arrow",
    "Box",
    "Line",
    "Picture",
    "check",
    "check_text",
    "draw",
    "format_of",
    "graph_picture",
    "graph_table",
    "picture_maker",
    "scalar_picture",
    "scalar_table",
    "to_dot",
    "to_mermaid",
    "trace_picture",
    "trace_table",
    "traces_table",
    "verify_table",
]
