"""``follow``: a server for as long as a block lasts, and a line that says where it is.

Relies on ``server``, and on who draws records for the page. Promises that nothing of it is left when the block is over,
whatever ended it, and that one line on standard error is all that a program's user sees of it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence

from autograd_lab.errors import LabError, one_line
from autograd_lab.hold import Hold
from autograd_lab.live.server import EVENTS, Server
from autograd_lab.records import Trace
from autograd_lab.records.display import live_page


def follow(held: Hold, traces: Callable[[], Sequence[Trace]]) -> str:
    """Serves the page of a list of traces that grows.

    Args:
        held: What the server is released with.
        traces: Returns the traces until now.

    Returns:
        The address, with the token without which nothing is answered.

    Raises:
        LabError: Nothing can listen on this machine's loopback address.
    """
    server = Server(live_page(EVENTS, traces))
    held.add(server.stop)
    try:
        server.start()
    except OSError as error:
        raise LabError(
            f"cannot follow the run: nothing can listen on 127.0.0.1 ({one_line(error)})"
        ) from error
    with contextlib.suppress(
        OSError, ValueError, AttributeError
    ):  # nobody reads it, or it's closed, or not there
        print(f"autograd-lab: follow the run at {server.address}", file=sys.stderr, flush=True)
    return server.address
