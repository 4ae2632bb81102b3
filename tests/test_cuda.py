"""The lab where there is a GPU: the same promises, and no waiting for the device at each node.

Left out where there is none. ``pytest tests/test_cuda.py -n 0`` runs it.
"""

from __future__ import annotations

import warnings

import models
import pytest
import torch
from torch import nn
from torch.nn import functional

import autograd_lab as lab

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


class Block(nn.Module):
    """Attention, a normalisation, a convolution: some of everything."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.convolution = nn.Conv1d(16, 8, 3, padding=1)
        self.head = nn.Linear(8, 20)

    def forward(self, tokens):
        x = self.embedding(tokens)
        x = self.norm(x + self.attention(x, x, x)[0])
        x = functional.gelu(self.convolution(x.transpose(1, 2))).transpose(1, 2)
        return functional.cross_entropy(self.head(x).flatten(0, 1), tokens.flatten())


@pytest.fixture(autouse=True)
def deterministic():
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(before)


def block():
    torch.manual_seed(0)
    return Block().cuda(), torch.randint(0, 20, (4, 9), device="cuda")


def gradients(run):
    model, tokens = block()
    run(model, tokens)
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def assert_same_bits(found, wanted):
    assert found.keys() == wanted.keys()
    for name, grad in wanted.items():
        assert torch.equal(found[name], grad), name


def plain(model, tokens):
    model(tokens).backward()


def traced(model, tokens):
    return lab.trace(model(tokens), model=model, stats="full", keep="all")


def watched(model, tokens):
    with lab.watch(model, forward="stats") as watcher:
        model(tokens).backward()
    assert len(watcher.traces) == 1
    assert all(node.module is not None for node in watcher.traces[0].graph.nodes if node.kind == "op")


def replayed(model, tokens):
    replay = lab.replay(model(tokens), model=model, accumulate=True)
    assert len(replay.steps) > 10


@pytest.mark.parametrize("run", [traced, watched, replayed], ids=lambda run: run.__name__)
def test_gradients_have_the_same_bits(run):
    assert_same_bits(gradients(run), gradients(plain))


def test_nodes_run_in_the_devices_thread_and_have_their_statistics():
    model, tokens = block()
    trace = lab.trace(model(tokens), model=model)
    wanted = {name: parameter.grad.norm().item() for name, parameter in model.named_parameters()}
    for step in trace.steps:
        node = trace.graph.nodes[step.node]
        if node.kind == "accumulate":
            assert step.accumulation.after.norm == pytest.approx(wanted[node.variable], rel=1e-5)
            assert step.accumulation.after.meta.device == "cuda:0"
    assert {step.thread for step in trace.steps} == {0}


def waits(length):
    """How often the CPU waits for the GPU while a chain of this length is traced."""
    x = torch.ones(1000, device="cuda", requires_grad=True)
    y = x
    for _ in range(length):
        y = (y * 1.01).sin()
    loss = y.sum()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            lab.trace(loss, stats="full")
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return len([warning for warning in seen if "synchronizing" in str(warning.message)])


def test_statistics_stay_on_the_device_until_the_end():
    few = waits(5)
    assert 0 < few < 10
    assert waits(200) == few


def test_the_glass_engine_is_the_native_one():
    model, tokens = block()
    check = lab.check_engine(model(tokens), model=model)
    assert check.ok, str(check)


def test_random_numbers_of_the_gpu_are_the_same_and_put_back():
    loss = models.DrawsNoise.apply(torch.ones(1000, device="cuda", requires_grad=True)).sum()
    state = torch.cuda.get_rng_state()
    check = lab.check_engine(loss)
    assert (check.ok, check.deterministic) == (True, True), str(check)
    assert torch.equal(torch.cuda.get_rng_state(), state)


def test_the_glass_engine_where_a_graph_goes_from_one_device_to_the_other():
    w = torch.randn(5, requires_grad=True)
    v = torch.randn(5, device="cuda", requires_grad=True)
    here = (w * 2).sin()
    loss = ((here.cuda() * v).exp().cpu() * w).sum()
    loss.backward(retain_graph=True)
    native = w.grad.clone(), v.grad.clone()
    replay = lab.replay(loss, names={"w": w, "v": v})
    assert torch.equal(replay.grads["w"], native[0])
    assert torch.equal(replay.grads["v"], native[1])


def test_streams_are_waited_for_as_natively():
    def run(backward):
        torch.manual_seed(0)
        w = torch.randn(1000, 1000, device="cuda", requires_grad=True)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            y = (w @ w).tanh()
        torch.cuda.current_stream().wait_stream(side)
        backward((y @ w).sum())
        torch.cuda.synchronize()
        return w.grad

    assert torch.equal(run(lambda loss: lab.trace(loss, stats="full")), run(lambda loss: loss.backward()))


def test_a_scaler_and_autocast_in_a_watched_loop():
    def run(watching):
        model, tokens = block()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        scaler = torch.amp.GradScaler("cuda")
        with watching(model):
            for _ in range(3):
                optimizer.zero_grad()
                with torch.autocast("cuda", torch.float16):
                    loss = model(tokens)
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
        return {name: parameter.detach() for name, parameter in model.named_parameters()}

    class Nothing:
        def __init__(self, model):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    assert_same_bits(run(lab.watch), run(Nothing))


def test_all_rules_in_torchs_place():
    model, tokens = block()
    report = lab.verify(model.double(), (tokens,), swap="all")
    assert report.ok, str(report)
    assert "embedding" in dict(report.swapped)


def test_a_function_of_the_users_is_checked_on_the_gpu():
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    x = torch.randn(3, device="cuda", dtype=torch.float64, requires_grad=True)
    assert lab.verify(Twice, (x,), native=lambda x: x * 2).ok


def test_a_picture_names_the_device(tmp_path):
    model, tokens = block()
    lab.render(model(tokens), tmp_path / "block.svg", model=model, saved=True)
    assert (tmp_path / "block.svg").stat().st_size > 1000
