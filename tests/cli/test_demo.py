"""``autograd-lab demo``: what it prints and what it leaves."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from autograd_lab.records import load


def test_what_it_prints_and_what_it_writes(lab):
    """In one go: the demo takes seconds."""
    ran = lab("demo", "pictures")
    assert (ran.code, ran.err) == (0, "")
    written = {path.name for path in Path("pictures").iterdir()}
    seeds = {"1_expression", "2_loss", "3_values", "4_gradients"}
    assert {f"seed_{name}.{ending}" for name in seeds for ending in ("svg", "png")} <= written
    assert {"seed.json", "seed.html", "transformer.svg", "transformer.png", "transformer.json"} <= written
    assert str(Path("pictures").resolve()) in ran.out
    for name in written:
        assert name in ran.out
    prints_the_numbers_of_the_worked_example(ran.out)
    wrote_what_can_be_read()


def prints_the_numbers_of_the_worked_example(out):
    assert "dloss/dw = -8 · 1 · 2 = -16" in out
    assert "w.grad = -16" in out
    assert "10: 3.56698155, 1.131, -7.555" in out
    assert "10: 0.00000206, 2.000, -0.031" in out
    assert "2: 235.20004272, -1.920, 672.000" in out
    assert "4 of 4 runs have equal gradients at every epoch" in out


def wrote_what_can_be_read():
    assert len(load("pictures/seed.json")) == 4
    for page in ("seed.html", "transformer.html"):
        assert Path("pictures", page).read_text("utf-8").startswith("<!doctype html>")
    trace = load("pictures/transformer.json")
    assert len(trace.graph.leaves) == 24
    norms = [step.accumulation.after.norm for step in trace.steps if step.accumulation]
    assert min(norms) > 1e-4  # no rounding noise
    texts = [
        "".join(text.text for text in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text"))
        for path in sorted(Path("pictures").glob("seed*.svg"))
    ]
    assert "loss" not in texts[0]
    assert "loss" in texts[1]
    assert "16" not in texts[1]
    assert "16" in texts[2]
    assert "−16" not in texts[2]
    assert "−8 · 1 · 2 = −16" in texts[3]


def test_a_folder_that_cannot_be_made_gets_one_line(lab):
    Path("taken").write_text("a file")
    ran = lab("demo", "taken/pictures")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "cannot make the folder" in ran.err
