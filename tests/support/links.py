"""What a built site links to: read from its HTML, and looked up in its own files."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

_FETCHED = {"link", "script", "img", "source", "object"}
_LINKING = {"a", *_FETCHED}
_NOT_FETCHED = {"canonical", "author", "next", "prev", "index", "search"}


class Page(NamedTuple):
    """What a page has and wants: anchors, and links as ``(tag, address)``."""

    anchors: frozenset[str]
    links: tuple[tuple[str, str], ...]


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.anchors = set()
        self.links = []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "link" and found.get("rel") in _NOT_FETCHED:
            tag = "a"
        address = found.get("href") or found.get("src") or found.get("data")
        if tag in _LINKING and address:
            self.links.append((tag, address))


def read(html: str) -> Page:
    """Reads a page."""
    reader = _Reader()
    reader.feed(html)
    return Page(frozenset(reader.anchors), tuple(reader.links))


def problems(site: Path) -> list[str]:
    """Says of every page which links lead nowhere within the site, and what a reader's browser would fetch outside."""
    pages = {path: read(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    return [
        f"{path.relative_to(site)}: {what}" for path in pages for what in _of(path, pages[path], pages, site)
    ]


def _of(path: Path, page: Page, pages: dict[Path, Page], site: Path) -> Iterator[str]:
    for tag, address in page.links:
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            if tag in _FETCHED and parts.scheme != "data":
                yield f"fetches {address}"
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_relative_to(site.resolve()) or not target.is_file():
            yield f"no file for {address}"
        elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
            yield f"no anchor for {address}"
