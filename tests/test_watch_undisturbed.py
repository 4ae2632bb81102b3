"""What a watch must not disturb: who else is there, blocks that end in any order, and what nobody wants traced."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import threading

import leftovers
import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

import autograd_lab as lab
from autograd_lab.backward import forward, timeline

X = torch.linspace(-1, 1, 6).reshape(2, 3)


@pytest.fixture(autouse=True)
def _nothing_is_left():
    before = leftovers.everywhere()
    yield
    assert leftovers.everywhere() == before


def step(model):
    model.zero_grad()
    loss = torch.tanh(model(X)).sum()
    loss.backward()
    return loss


def places(trace):
    """Where its operations were made: module, and name of the call."""
    return [(node.module, node.call and node.call.name) for node in trace.graph.nodes if node.kind == "op"]


# --- blocks that end in any order ------------------------------------------------------


def test_two_tasks_that_watch():
    async def watched(model, steps):
        with lab.watch(model) as watcher:
            for _ in range(steps):
                step(model)
                await asyncio.sleep(0)
        return watcher

    async def both():
        return await asyncio.gather(watched(nn.Linear(3, 1), 1), watched(nn.Linear(3, 2), 3))

    first, second = asyncio.run(both())
    assert (first.count, second.count) == (2, 3)
    assert (len(first.traces), len(second.traces)) == (2, 3)
    assert torch._C._len_torch_function_stack() == 0


def test_generators_that_end_in_any_order():
    def watched():
        with lab.watch() as watcher:
            while True:
                yield watcher

    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1)):
        generators = [watched() for _ in range(3)]
        watchers = [next(generator) for generator in generators]
        left = set(range(3))
        for number in order:
            step(nn.Linear(3, 1))
            generators[number].close()
            left.discard(number)
            assert torch._C._len_torch_function_stack() == len(left)
        assert [len(watchers[number].traces) for number in order] == [1, 2, 3]


def test_a_mode_of_the_users_that_ends_after_the_watch_and_one_that_ends_before():
    class Mode(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

    model, modes = nn.Linear(3, 1), [Mode(), Mode()]
    modes[0].__enter__()
    watcher = lab.watch(model)
    watcher.__enter__()
    modes[1].__enter__()
    step(model)
    for mode in reversed(modes):
        mode.__exit__(None, None, None)
    step(model)
    watcher.__exit__(None, None, None)
    assert [places(trace) for trace in watcher.traces] == [places(watcher.traces[0])] * 2
    assert ("", "torch.nn.functional.linear") in places(watcher.traces[0])


def test_an_exit_in_another_thread():
    model, watcher = nn.Linear(3, 1), lab.watch()
    watcher.__enter__()
    step(model)
    thread = threading.Thread(target=lambda: watcher.__exit__(None, None, None))
    thread.start()
    thread.join()
    x = torch.ones(2)
    x.add(1)
    assert torch._C._len_torch_function_stack() == 0
    step(model)
    assert watcher.count == 1


def test_an_exit_inside_a_backward():
    model, watcher = nn.Linear(3, 1), lab.watch()
    watcher.__enter__()
    loss = torch.tanh(model(X)).sum()
    loss.register_hook(lambda grad: watcher.__exit__(None, None, None))
    loss.backward()
    assert torch._C._len_torch_function_stack() == 0
    assert len(watcher.traces) == 1


# --- what nobody wants traced ----------------------------------------------------------


def is_on():
    """Whether anything of a watch's is in the way of a forward."""
    there = leftovers.everywhere()
    return bool(there["function modes"] or any(there["module hooks"]))


@pytest.mark.parametrize(
    "backward",
    [lambda loss: loss.backward(), torch.autograd.backward, lambda loss: torch.autograd.grad(loss, W)],
)
def test_after_the_last_one_that_is_traced_nothing_is_in_the_way_of_the_forward(backward):
    seen = []
    with lab.watch(skip=3, limit=2) as watcher:
        for _ in range(8):
            loss = (W * 2).sum()
            seen.append(is_on())
            backward(loss)
    assert seen == [False, False, True, True, True, False, False, False]
    assert [trace.number for trace in watcher.traces] == [3, 4]
    assert all(("torch.Tensor.mul" in str(places(trace))) for trace in watcher.traces)


W = torch.ones(2, requires_grad=True)


def frames_of_the_lab(backward, limit):
    """Returns the names of the lab's functions that a hook finds on the stack of the second backward of a watch."""
    names = []

    def look(_grad):
        frame = sys._getframe(1)
        while frame is not None:
            if "autograd_lab" in frame.f_globals.get("__name__", ""):
                names.append(frame.f_code.co_name)
            frame = frame.f_back

    with lab.watch(limit=limit) as watcher:
        (W * 2).sum().backward()
        loss = W * 2
        loss.register_hook(look)
        backward(loss.sum())
        (W * 2).sum().backward()
    assert watcher.count == 3
    return names


@pytest.mark.parametrize("backward", [torch.Tensor.backward, lambda loss: torch.autograd.grad(loss, W)])
def test_a_backward_after_the_limit_runs_one_function_of_the_lab_and_none_of_its_hooks(backward):
    assert frames_of_the_lab(backward, limit=0) == ["_visited"]
    assert frames_of_the_lab(backward, limit=1) == ["_visited"]
    assert len(frames_of_the_lab(backward, limit=2)) > 1


def test_where_nothing_is_wanted_nothing_is_put_on():
    with lab.watch(limit=0) as watcher:
        assert not is_on()
        step(nn.Linear(3, 1))
        assert not is_on()
    assert (watcher.count, watcher.traces) == (1, [])


def test_limit_and_skip_can_be_changed_at_any_time():
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    with lab.watch(model, limit=0) as watcher:
        step(model)
        watcher.limit = 1
        assert not is_on()
        watcher.skip = 1
        assert is_on()
        step(model)
        assert not is_on()
        step(model)
        watcher.limit = None
        assert is_on()
        step(model)
        watcher.limit = 0
        assert not is_on()
    assert [trace.number for trace in watcher.traces] == [1, 3]
    for trace in watcher.traces:
        assert places(trace) == [
            (None, "torch.Tensor.sum"), (None, "torch.tanh"), ("1", "torch.tanh"),
            ("0", "torch.nn.functional.linear"), ("0", "torch.nn.functional.linear"),
        ]  # fmt: skip


def test_changed_in_another_thread_it_counts_from_the_next_module_or_backward_on():
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    with lab.watch(model, limit=0) as watcher:
        thread = threading.Thread(target=lambda: setattr(watcher, "limit", None))
        thread.start()
        thread.join()
        step(model)
        thread = threading.Thread(target=lambda: setattr(watcher, "limit", 0))
        thread.start()
        thread.join()
        step(model)
        assert not is_on()
    assert [trace.number for trace in watcher.traces] == [0]
    assert ("0", "torch.nn.functional.linear") in places(watcher.traces[0])


def test_changed_inside_a_backward():
    model = nn.Linear(3, 1)
    with lab.watch(model) as watcher:
        loss = model(X).sum()
        loss.register_hook(lambda grad: setattr(watcher, "limit", 0))
        loss.backward()
        assert not is_on()
        loss = model(X).sum()
        loss.register_hook(lambda grad: setattr(watcher, "limit", None))
        loss.backward()
        assert is_on()
        step(model)
    assert [trace.number for trace in watcher.traces] == [0, 2]
    assert ("", "torch.nn.functional.linear") in places(watcher.traces[1])


def test_what_was_made_while_nothing_was_noted_is_in_no_module_that_was_noted_before():
    model = nn.Linear(3, 1)
    with lab.watch(model, limit=1) as watcher:
        step(model)
        loss = (W * 3).sum()
        watcher.limit = None
        loss.backward()
    assert places(watcher.traces[1]) == [(None, None), (None, None)]


def test_a_watcher_says_what_it_is():
    watcher = lab.watch(limit=1)
    assert repr(watcher) == "<Watcher: off, 0 of 0 backwards traced>"
    with watcher:
        for _ in range(2):
            step(nn.Linear(3, 1))
        assert repr(watcher) == "<Watcher: on, 1 of 2 backwards traced>"


class RefusesAttributes(StopIteration):
    """What a context manager of torch's, which sets its traceback, and a generator would make another exception of."""

    def __setattr__(self, name, value):
        raise ValueError("this exception takes no attributes")


@pytest.mark.parametrize("inside_a_manager", [False, True])
@pytest.mark.parametrize("backward", [torch.Tensor.backward, lambda loss: torch.autograd.grad(loss, W)])
def test_a_stop_iteration_that_takes_no_attributes_stays_itself(backward, inside_a_manager):
    error = RefusesAttributes("stop")

    def fail(_grad):
        raise error

    @contextlib.contextmanager
    def manager():
        yield
        raised.append(run())

    def run():
        loss = W * 2
        loss.register_hook(fail)
        try:
            backward(loss.sum())
        except BaseException as caught:
            return caught

    raised = []
    with lab.watch():
        if inside_a_manager:
            with manager():
                pass
        else:
            raised.append(run())
    assert raised == [error]
    assert error.__cause__ is None


# --- nothing grows ---------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"limit": 0}, {"forward": "stats"}])
def test_forwards_without_a_backward_leave_nothing(options, monkeypatch):
    monkeypatch.setattr(timeline, "KEPT", 50)
    monkeypatch.setattr(forward, "_METERED", 50)
    model, counts = nn.Sequential(nn.Linear(3, 3), nn.Tanh()), []
    with lab.watch(model, **options):
        for index in range(400):
            model(X).sum()
            if index in (199, 399):
                gc.collect()
                counts.append(len(gc.get_objects()))
        loss = model(X).sum()
        loss.backward()
    assert counts[1] - counts[0] < 100


# --- others who are there --------------------------------------------------------------


def test_a_replaced_grad_is_never_read(monkeypatch):
    """As nnsight does it, for the length of a backward."""

    def read(tensor):
        raise AssertionError("the lab read a user's .grad")

    model = nn.Linear(3, 1)
    model.weight.register_post_accumulate_grad_hook(lambda leaf: None)
    with lab.watch(model, stats="full", keep="all") as watcher:
        for _ in range(2):
            loss = model(X).sum()
            with monkeypatch.context() as patched:
                patched.setattr(
                    torch.Tensor, "grad", property(read, torch.Tensor.grad.__set__, None), raising=False
                )
                loss.backward()
    steps = [step.accumulation for step in watcher.traces[1].steps if step.accumulation]
    assert [each.how for each in steps] == ["added", "added"]


@pytest.mark.parametrize("options", [{"stats": None}, {"stats": "full", "keep": "all"}])
def test_no_code_of_a_leafs_class_and_of_no_mode_runs(options):
    called = []

    class Mine(nn.Parameter):
        @property
        def grad(self):
            raise AssertionError("the lab read a user's .grad")

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            called.append(func)
            return super().__torch_function__(func, types, args, kwargs or {})

    class Mode(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            called.append(func)
            return func(*args, **(kwargs or {}))

    def run(watch):
        leaf = Mine(torch.ones(3))
        with torch._C.DisableTorchFunction():
            leaf.register_post_accumulate_grad_hook(lambda leaf: None)
        loss = (leaf * 2).sum()
        called.clear()
        with Mode():
            watch(loss)
        return list(called)

    plain = run(torch.autograd.backward)
    assert run(lambda loss: lab.trace(loss, **options)) == plain

    def watched(loss):
        with lab.watch(**options):
            torch.autograd.backward(loss)

    assert run(watched) == plain


@pytest.mark.parametrize("moment", ["before", "pre-hook", "unpack", "post-hook"])
@pytest.mark.parametrize("there", [False, True])
def test_a_post_hook_sees_what_it_sees_without_the_lab(moment, there):
    def run(backward):
        seen, waiting = [], []

        def register(now):
            if moment == now and waiting:
                waiting.pop().register_hook(lambda *grads: seen.append(grads))

        x = torch.ones(3, requires_grad=True)

        def unpack(tensor):
            register("unpack")
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, unpack):
            y = x.exp()
        if there:
            y.grad_fn.register_hook(lambda *grads: register("post-hook"))
        y.grad_fn.register_prehook(lambda grads: register("pre-hook"))
        waiting.append(y.grad_fn)
        register("before")
        loss = y.sum()
        for _ in range(3):
            backward(loss)
        return [[[grad.tolist() for grad in grads] for grads in each] for each in seen], len(
            leftovers.on_node(y.grad_fn)[1]
        )

    def plain(loss):
        loss.backward(retain_graph=True)

    def traced(loss):
        lab.trace(loss, retain_graph=True)

    def watched(loss):
        with lab.watch(), lab.watch():
            loss.backward(retain_graph=True)

    assert run(traced) == run(plain)
    assert run(watched) == run(plain)


def test_a_late_hook_is_removed_as_any_and_stays_the_users_own():
    handles, seen = [], []

    def unpack(tensor):
        if not handles:
            handles.append(node.register_hook(hook))
        return tensor

    def hook(grad_inputs, grad_outputs):
        seen.append(len(grad_outputs))
        raise KeyError("mine")

    x = torch.ones(3, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, unpack):
        y = x.exp()
    node = y.grad_fn
    with pytest.raises(KeyError, match="mine"):
        lab.trace(y.sum(), retain_graph=True)
    assert list(leftovers.on_node(node)[1].values()) == [hook]
    assert seen == [0]
    handles[0].remove()
    y.sum().backward()
    assert seen == [0]


def test_a_profiler_of_the_users_stays():
    profile = lambda *event: None  # noqa: E731 - it must be this very object
    sys.setprofile(profile)
    try:
        with lab.watch(limit=1):
            for _ in range(3):
                (W * 2).sum().backward()
        assert sys.getprofile() is profile
    finally:
        sys.setprofile(None)
