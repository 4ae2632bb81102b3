"""A real browser for tests of the page: Chromium, headless, driven by Playwright.

``page`` is an empty page, ``opened`` opens a record's page, ``loaded`` makes modules of the page's script callable in
an empty page. Each test ends with: no message of level error in the console, and no request but for the file itself.

Where no Chromium is found, such tests are skipped and say so; ``AUTOGRAD_LAB_BROWSER=required`` has them fail instead
(``.ci/run`` sets it), ``AUTOGRAD_LAB_BROWSER=none`` skips them anyhow. Nothing is downloaded.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograd_lab.draw.page import bundle
from autograd_lab.draw.page.html import to_html

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

SIZE = {"width": 1280, "height": 800}


def wanted() -> str:
    """What ``AUTOGRAD_LAB_BROWSER`` says: ``"required"``, ``"none"`` or nothing."""
    return os.environ.get("AUTOGRAD_LAB_BROWSER", "")


def missing() -> str | None:
    """Why there's no browser to test with; ``None`` where there is one."""
    if wanted() == "none":
        return "AUTOGRAD_LAB_BROWSER=none"
    if not any(map(shutil.which, PROGRAMS)):
        return f"no browser on the PATH: looked for {', '.join(PROGRAMS)}"
    if importlib.util.find_spec("playwright") is None:
        return "Playwright isn't installed: pip install -e '.[test]'"
    return None


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for the tests of a file: while Playwright runs, no other test of the process can use asyncio."""
    reason = missing()
    if reason is not None and wanted() == "required":
        pytest.fail(reason)
    if reason is not None:
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, PROGRAMS)))
    args = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox isn't for root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=args)
        yield browser
        browser.close()


class Watched:
    """What a page did that it mustn't.

    Attributes:
        errors: Messages of level error in the console, and what was thrown and not caught.
        requests: Addresses that were asked for besides the page's own, and what is in the page itself.
    """

    def __init__(self, page: Any) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._note)

    def _note(self, request: Any) -> None:
        inside = request.url.startswith(("data:", "blob:"))
        itself = request.url.startswith("file:") and request.is_navigation_request()
        if not inside and not itself:
            self.requests.append(request.url)

    def check(self) -> None:
        """Fails if there was anything."""
        assert not self.errors
        assert not self.requests


@pytest.fixture
def settings() -> dict[str, Any]:
    """How a page is opened, as Playwright's ``new_context`` takes it; a test may override it."""
    return {}


@pytest.fixture
def page(chromium: Any, settings: dict[str, Any]) -> Iterator[Any]:
    """An empty page of its own; see the module's docstring for how it ends."""
    context = chromium.new_context(viewport=SIZE, **settings)
    context.set_default_timeout(10_000)
    page = context.new_page()
    watched = Watched(page)
    yield page
    context.close()
    watched.check()


@pytest.fixture
def opened(page: Any, tmp_path: Path) -> Callable[..., Any]:
    """A function that opens the page of a record, with ``to_html``'s options and ``address``, from its ``#`` on."""

    def opened(record: Any, *, address: str = "", **options: Any) -> Any:
        file = tmp_path / "page.html"
        file.write_text(to_html(record, **options))
        page.goto(file.as_uri() + address)
        return page

    return opened


@pytest.fixture
def loaded(page: Any) -> Callable[..., Any]:
    """A function from names of modules (``model="model.js"``) to the empty page, in which each is an object."""

    def loaded(**modules: str) -> Any:
        for name, file in modules.items():
            page.evaluate(bundle.script(file, name))
        return page

    return loaded
