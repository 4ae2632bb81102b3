"""Makes the README's pictures in ``docs/_static``: the worked example, and a transformer's backward by module.

Run it after a wanted change of pictures, as ``python tools/readme_pictures.py``; ``tests/test_readme.py`` says when one
is wanted.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

import autograd_lab as lab

FOLDER = Path(__file__).parent.parent / "docs" / "_static"


def seed() -> str:
    """Returns the picture of one weight's backward: values, local gradients, and the chain rule."""
    x, y = torch.tensor(2.0), torch.tensor(4.0)
    w = torch.tensor(0.0, requires_grad=True)
    y_hat = w * x
    s = y_hat - y
    names = {"w": w, "x": x, "y": y, "ŷ": y_hat, "s": s, "loss": (loss := s**2)}
    picture = lab.render(loss, format="svg", view="scalar", names=names, detail="gradients")
    assert isinstance(picture, str)
    return picture


def transformer() -> str:
    """Returns the picture of a transformer's backward, a box for each part of a layer, without the times."""
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(d_model=16, nhead=2, dim_feedforward=32, batch_first=True)
    model = torch.nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False)
    x, wanted = torch.randn(2, 2, 5, 16)
    with lab.watch(model) as watcher:
        loss = torch.nn.functional.mse_loss(model(x), wanted)
        loss.backward()
    trace = watcher.traces[0]
    title = "A transformer's backward, by module"
    timeless = tuple(step._replace(duration_ns=None) for step in trace.steps)
    picture = lab.render(
        dataclasses.replace(trace, steps=timeless, total_ns=None), format="svg", depth=2, title=title
    )
    assert isinstance(picture, str)
    return picture


PICTURES = {"seed.svg": seed, "transformer.svg": transformer}


def main() -> None:
    """Writes the pictures."""
    for name, picture in PICTURES.items():
        (FOLDER / name).write_text(picture(), "utf-8")


if __name__ == "__main__":
    main()
