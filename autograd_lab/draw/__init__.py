"""Records to tables, dot, Mermaid and pictures. Imports the records, never torch.

The rooms are the stages: a record becomes a ``Picture`` (``views``), a large picture gets its places (``layout``), it
becomes text (``write``), and Graphviz makes an image of that (``images``, ``native``). ``tables`` and ``plots`` come
from the record itself. How things look is in ``theme``, how they are called in ``words`` and ``digits``.

Importing this package teaches records to show themselves: ``str(graph)`` is a table, and a notebook shows a picture.
"""

from autograd_lab.draw import notebook as _notebook  # noqa: F401 - registers the notebook's display
from autograd_lab.draw.formats import FORMATS, check, draw, format_of, takes_several
from autograd_lab.draw.picture import Arrow, Box, Line, Picture
from autograd_lab.draw.tables.check import check_text
from autograd_lab.draw.tables.graph import graph_table, scalar_table
from autograd_lab.draw.tables.screen import on_screen
from autograd_lab.draw.tables.trace import trace_line, trace_table, traces_table
from autograd_lab.draw.tables.verify import verify_table
from autograd_lab.draw.views.graph import graph_picture
from autograd_lab.draw.views.registry import VIEWS, picture_maker
from autograd_lab.draw.views.scalar import scalar_picture
from autograd_lab.draw.views.trace import trace_picture
from autograd_lab.draw.write.dot import to_dot
from autograd_lab.draw.write.mermaid import to_mermaid

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
    "on_screen",
    "picture_maker",
    "scalar_picture",
    "scalar_table",
    "takes_several",
    "to_dot",
    "to_mermaid",
    "trace_line",
    "trace_picture",
    "trace_table",
    "traces_table",
    "verify_table",
]
