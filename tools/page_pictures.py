"""Makes the pictures of the page in ``docs/_static``: what Chromium shows of it, in light and dark.

Run it after a wanted change of the page, as ``python tools/page_pictures.py``. It needs Chromium and Playwright, as the
tests of the page do.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from playwright.sync_api import Page, sync_playwright

import autograd_lab as lab
from autograd_lab.backward.scalar import capture_scalar
from autograd_lab.draw.page.html import to_html
from autograd_lab.records import ScalarGraph, Trace

FOLDER = Path(__file__).parent.parent / "docs" / "_static"

THEMES = ("light", "dark")


class Picture(NamedTuple):
    """A picture to be made.

    Attributes:
        record: Makes the record.
        shown: What is done in the page before the picture is taken.
        height: Pixels.
    """

    record: Callable[[], ScalarGraph | Trace]
    shown: Callable[[Page], Any]
    height: int


def seed() -> ScalarGraph:
    """Returns one weight's backward."""
    x, y = torch.tensor(2.0), torch.tensor(4.0)
    w = torch.tensor(0.0, requires_grad=True)
    y_hat = w * x
    s = y_hat - y
    loss = s**2
    return capture_scalar(loss, names={"w": w, "x": x, "y": y, "ŷ": y_hat, "s": s, "loss": loss})


def transformer() -> Trace:
    """Returns a transformer's backward, with the first step of a training."""
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(d_model=16, nhead=2, dim_feedforward=32, batch_first=True)
    model = torch.nn.TransformerEncoder(layer, num_layers=6, enable_nested_tensor=False)
    x, wanted = torch.randn(2, 2, 5, 16)
    with lab.watch(model, stats="full") as watcher:
        torch.nn.functional.mse_loss(model(x), wanted).backward()
    return watcher.traces[0]


def play_three_steps(page: Page) -> None:
    """Plays the backward up to the node whose gradient goes to the weight."""
    for _ in range(3):
        page.click(".play-button.forward")
    page.keyboard.press("Escape")


def jump_to_a_weight(page: Page) -> None:
    """Searches for a weight, which opens the layer that it lies in and selects it."""
    page.fill("#search", "layers.4.linear1.weight")
    page.keyboard.press("Enter")
    page.fill("#search", "")


PICTURES = {
    "page-seed": Picture(seed, play_three_steps, 640),
    "page-transformer": Picture(transformer, jump_to_a_weight, 760),
}


def main() -> None:
    """Takes the pictures."""
    program = shutil.which("chromium")
    args = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=program, args=args)
        for name, picture in PICTURES.items():
            file = Path(folder) / f"{name}.html"
            file.write_text(to_html(picture.record()))
            for theme in THEMES:
                page = browser.new_page(
                    viewport={"width": 1200, "height": picture.height},
                    color_scheme=theme,
                    reduced_motion="reduce",
                )
                page.goto(file.as_uri())
                picture.shown(page)
                page.mouse.move(2, 2)
                page.wait_for_timeout(400)
                page.screenshot(path=FOLDER / f"{name}-{theme}.png")
        browser.close()


if __name__ == "__main__":
    main()
