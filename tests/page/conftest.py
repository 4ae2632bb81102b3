"""What the tests of the page share: a browser."""

from __future__ import annotations

from browser import chromium, loaded, opened, page, settings

__all__ = ["chromium", "loaded", "opened", "page", "settings"]
