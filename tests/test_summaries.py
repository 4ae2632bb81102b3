"""Backwards for TensorBoard, told to a writer that notes what it's told; the real one is in ``tools/opened_by.py``."""

from __future__ import annotations

import math
import sys

import pytest
import torch

import autograd_lab as lab


class Writer:
    """What a ``SummaryWriter`` has."""

    def __init__(self):
        self.scalars, self.histograms = {}, {}
        self.file_writer = self

    def add_scalar(self, tag, value, step):
        assert (tag, step) not in self.scalars
        self.scalars[tag, step] = value

    def add_histogram(self, tag, values, step):
        assert values.numel()
        assert values.isfinite().all()
        self.histograms[tag, step] = values


@pytest.fixture
def watched():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
    with lab.watch(model, every=2, keep="all") as watcher:
        for _ in range(5):
            model(torch.ones(4, 2)).sum().backward()
    return watcher.traces


def test_norms_by_layer_over_the_steps(watched):
    writer = Writer()
    lab.to_tensorboard(watched, writer, graph=False)
    assert {step for _, step in writer.scalars} == {0, 2, 4}
    assert {tag for tag, _ in writer.scalars} == {"backward norm/0", "backward norm/2", "backward norm/all"}
    for trace in watched:
        norms = [trace.grads[name].norm().item() for name in ("2.weight", "2.bias")]
        assert math.isclose(writer.scalars["backward norm/2", trace.number], math.hypot(*norms), rel_tol=1e-6)
        every = math.hypot(*(gradient.norm().item() for gradient in trace.grads.values()))
        assert math.isclose(writer.scalars["backward norm/all", trace.number], every, rel_tol=1e-6)


def test_kept_gradients_are_histograms_of_their_numbers(watched):
    writer = Writer()
    lab.to_tensorboard(watched[1], writer, graph=False, tag="loss", step=70)
    assert {step for _, step in writer.histograms} == {70}
    for name, gradient in watched[1].grads.items():
        values = writer.histograms[f"loss gradient/{name}", 70]
        assert torch.equal(values, gradient.double().flatten())


@pytest.mark.parametrize(
    ("gradient", "expected"),
    [
        (torch.tensor([1e-9, 1e9], dtype=torch.bfloat16), [1e-9, 1e9]),
        (torch.tensor([1.0, math.nan, math.inf]), [1.0]),
        (torch.tensor([3 + 4j]), [5.0]),
        (torch.tensor([0.0, 2.0]).to_sparse(), [2.0]),
        (torch.tensor([[[1.0]], [[2.0]]]), [1.0, 2.0]),
        (torch.tensor([math.nan]), None),
        (torch.ones(0), None),
        (torch.ones(3, device="meta"), None),
    ],
    ids=["bfloat16", "not finite", "complex", "sparse", "shape", "no finite number", "empty", "meta"],
)
def test_any_kept_gradient_has_a_histogram_or_none(gradient, expected):
    writer = Writer()
    lab.to_tensorboard(lab.Trace(lab.Graph((), ()), (), grads={"w": gradient}), writer, graph=False)
    found = writer.histograms.get(("backward gradient/w", 0))
    assert (found is None) == (expected is None)
    if expected is not None:
        assert found.tolist() == pytest.approx(expected, rel=1e-2)


def leaf(name, came, **more):
    node = lab.Node(0, "AccumulateGrad", "accumulate", 9, variable=name)
    step = lab.Step(0, 0, (came,), accumulation=lab.Accumulation("stole"))
    return lab.Trace(lab.Graph((node,), ()), (step,), **more)


META = lab.TensorMeta((2,), "float32", "cpu")


@pytest.mark.parametrize(
    ("name", "layer"), [("a/b.w", "a_b"), ("w", "w"), ("", "_"), (" .w", "_"), ("#.w", "#"), ("漢.w", "漢")]
)
def test_names_of_curves(name, layer):
    writer = Writer()
    lab.to_tensorboard(leaf(name, lab.GradStats(META, 1.0)), writer, graph=False)
    assert writer.scalars == {(f"backward norm/{layer}", 0): 1.0, ("backward norm/all", 0): 1.0}


def test_what_is_not_a_number_is_not_a_zero():
    writer = Writer()
    lab.to_tensorboard(leaf("a.w", lab.GradStats(META, math.nan, nans=1, infs=0)), writer, graph=False)
    assert math.isnan(writer.scalars["backward norm/a", 0])
    for stats in (None, lab.GradStats(META, unmeasured="quantized"), lab.GradStats(META)):
        writer = Writer()
        lab.to_tensorboard(leaf("a.w", stats), writer, graph=False)
        assert not writer.scalars


def test_a_backward_inside_another_has_no_step_of_its_own():
    writer = Writer()
    came = lab.GradStats(META, 1.0)
    lab.to_tensorboard([leaf("a.w", came), leaf("a.w", came, within=0)], writer, graph=False)
    assert writer.scalars


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lab.to_tensorboard([], Writer()), "a list of traces that isn't empty, not a list"),
        (
            lambda: lab.to_tensorboard(leaf("w", None), "runs"),
            "writer is a str; give a torch.utils.tensorboard",
        ),
        (
            lambda: lab.to_tensorboard(lab.Graph((), ()), Writer(), step=3),
            "step= is where a single trace stands",
        ),
        (
            lambda: lab.to_tensorboard([leaf("w", None)] * 2, Writer(), step=3),
            "step= is where a single trace",
        ),
    ],
)
def test_wrong_calls(call, message):
    with pytest.raises(lab.LabError, match=message):
        call()


def test_without_tensorboard_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(lab.RenderError, match="needs tensorboard: pip install tensorboard") as raised:
        lab.to_tensorboard(lab.Graph((), ()), Writer())
    assert "\n" not in str(raised.value)


def test_layers_whose_names_are_alike_without_their_slashes_have_curves_of_their_own():
    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name in ("a/b", "a_b", "a_b "):
                self._modules[name] = torch.nn.Linear(1, 1)

        def forward(self, x):
            return sum(times * layer(x) for times, layer in zip((1, 10, 100), self.children(), strict=True))

    model = Two()
    trace = lab.trace(model(torch.ones(1, 1)).sum(), model, keep="all")
    writer = Writer()
    lab.to_tensorboard(trace, writer, graph=False)
    norms = sorted(value for (tag, _), value in writer.scalars.items() if not tag.endswith("/all"))
    assert norms == pytest.approx([2**0.5, 10 * 2**0.5, 100 * 2**0.5])
    assert len(writer.histograms) == 6


class NoHistograms(Writer):
    add_histogram = property()


@pytest.mark.parametrize(
    ("writer", "options", "said"),
    [
        (NoHistograms(), {}, "which has add_histogram"),
        (object(), {}, "which has file_writer"),
        (Writer(), {"tag": None}, "tag is what the names of the curves begin with, a text, not None"),
        (Writer(), {"tag": 3}, "tag is .* not an int"),
        (Writer(), {"step": "a"}, "step is a whole number, not a str"),
        (Writer(), {"step": 1.5}, "step is a whole number, not a float"),
        (Writer(), {"step": True}, "step is a whole number, not a bool"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is(watched, writer, options, said):
    with pytest.raises(lab.LabError, match=said):
        lab.to_tensorboard(watched[0], writer, graph=False, **options)
    assert not getattr(writer, "scalars", None)
