"""``autograd-lab demo``: the seed example and a real transformer, drawn into a folder."""

from __future__ import annotations

from pathlib import Path

import click

DETAILS = {
    "1_expression": "expression",
    "2_loss": "expression",
    "3_values": "values",
    "4_gradients": "gradients",
}

NEXT = """
What to try next:
  autograd-lab tour                       how it all works, from one weight to a real model
  autograd-lab show FILE.py:FUNCTION      your own model's backward, to look around in
  autograd-lab run train.py               your own script, unchanged: what its backward did
  autograd-lab render FILE.py:FUNCTION -o graph.svg --depth 2    your own model's graph
  autograd-lab step FILE.py:FUNCTION      a debugger that stops at every node
"""


@click.command()
@click.argument("folder", default="autograd_lab_demo", type=click.Path(file_okay=False, path_type=Path))
def demo(folder: Path) -> None:
    """Draw the worked example and a transformer into FOLDER."""
    from autograd_lab.records.files import make_folder

    make_folder(folder)
    click.echo(
        "Running a backward by hand, then one of a transformer, and drawing both; a quarter of a minute …\n"
    )
    click.echo(_seed(folder))
    click.echo(_transformer(folder))
    click.echo(f"\nThe pictures are in {folder.resolve()}:")
    for path in sorted(folder.iterdir()):
        click.echo(f"  {path.name}")
    click.echo(NEXT)


def _seed(folder: Path) -> str:
    """The worked example that the project grew from: one weight, one sample."""
    import torch

    import autograd_lab as lab
    from autograd_lab import byhand, bytorch

    x, y = torch.tensor(2.0), torch.tensor(4.0)
    w = torch.tensor(0.0, requires_grad=True)
    y_hat = w * x
    s = y_hat - y
    loss = s**2
    names = {"w": w, "x": x, "y": y, "ŷ": y_hat, "s": s, "loss": loss}
    for name, detail in DETAILS.items():
        output = y_hat if name == "1_expression" else loss
        lab.render(output, folder / f"seed_{name}.svg", view="scalar", names=names, detail=detail)
        lab.render(output, folder / f"seed_{name}.png", view="scalar", names=names, detail=detail)
    lab.render(loss, folder / "seed.html", view="scalar", names=names)
    graph = lab.capture(loss, names=names)
    lab.save(graph, folder / "seed.json")
    torch.autograd.backward(loss)
    runs = byhand.RUNS.values()
    equal = [[epoch.dw for epoch in run.train()] == [epoch.dw for epoch in bytorch.twin(run)] for run in runs]
    return "\n".join([
        "One weight, one sample: ŷ = w·x, s = ŷ − y, loss = s², at w = 0, x = 2, y = 4",
        "",
        str(graph),
        str(byhand.chain_rule()),
        f"torch says:  w.grad = {w.grad:g}",
        "",
        "Trained by hand, without torch:",
        *(f"\n{byhand.report(run)}" for run in runs),
        "",
        f"Trained by torch beside it: {sum(equal)} of {len(equal)} runs have equal gradients at every epoch",
    ])  # fmt: skip


def _transformer(folder: Path) -> str:
    """A real model, unchanged and watched: two encoder layers of ``torch.nn``."""
    import torch

    import autograd_lab as lab

    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(d_model=16, nhead=2, dim_feedforward=32, batch_first=True)
    model = torch.nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False)
    x, wanted = torch.randn(2, 2, 5, 16)
    with lab.watch(model) as watcher:
        loss = torch.nn.functional.mse_loss(model(x), wanted)
        torch.autograd.backward(loss)
    trace = watcher.traces[0]
    for ending in ("svg", "png", "md"):
        lab.render(trace, folder / f"transformer.{ending}", depth=2)
    lab.render(trace, folder / "transformer_norms.svg", view="norms")
    lab.render(trace, folder / "transformer.html")
    lab.save(trace, folder / "transformer.json")
    lab.render(loss, folder / "transformer_torchviz.svg", view="torchviz", model=model)
    return "\n".join([
        "",
        "A transformer of two layers, from torch.nn, and what its backward did, by module:",
        "",
        str(trace),
    ])  # fmt: skip
