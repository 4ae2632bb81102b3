"""Opening a browser beside a program that goes on.

Relies on ``webbrowser``. Promises that no browser is opened that would take the terminal, and that what can't be opened
is no fault: the address was printed.
"""

from __future__ import annotations

import contextlib
import os
import sys
import webbrowser


def open_browser(address: str) -> bool:
    """Opens an address in the user's browser, if there is one with windows.

    Args:
        address: What it opens.

    Returns:
        Whether one was asked to.
    """
    if not has_windows():
        return False
    with contextlib.suppress(webbrowser.Error, OSError):
        return webbrowser.open(address)
    return False


def has_windows() -> bool:
    """Returns whether there is a screen for windows: without one, ``webbrowser`` takes a browser of the terminal's."""
    return sys.platform in ("win32", "darwin") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
