"""The door to hooks: what it looks at stays as it was, and it's shut again whatever happens."""

from __future__ import annotations

import threading

import pytest
import torch
from models import leaves
from torch.autograd.function import _HookMixin

import autograd_lab as lab
from autograd_lab._torch import hooks

ORIGINAL = vars(_HookMixin)["_register_hook"]


@pytest.fixture(autouse=True)
def _shut():
    assert vars(_HookMixin)["_register_hook"] is ORIGINAL
    yield
    assert vars(_HookMixin)["_register_hook"] is ORIGINAL
    assert not hooks._readers


def dictionaries(node):
    """Gives a node's two dictionaries of hooks, by an own way: whatever torch hands over when one is registered."""
    seen = []

    def look(given, hook):
        seen.append(given)
        raise KeyError

    _HookMixin._register_hook = staticmethod(look)
    try:
        for register in (node.register_prehook, node.register_hook):
            with pytest.raises(KeyError):
                register(print)
    finally:
        _HookMixin._register_hook = ORIGINAL
    return seen


def test_looking_leaves_a_node_without_hooks_as_it_was():
    node = leaves(1, 2)[0].exp().grad_fn
    assert dictionaries(node) == [None, None]
    with hooks.reading_allowed():
        assert hooks.of_node(node) is hooks.NEITHER
    assert dictionaries(node) == [None, None]


def test_looking_leaves_hooks_as_they_were():
    node = leaves(1, 2)[0].exp().grad_fn
    handles = [node.register_prehook(print), node.register_hook(len), node.register_hook(repr)]
    before = dictionaries(node)
    copies = [dict(given) for given in before]
    with hooks.reading_allowed():
        found = hooks.of_node(node)
    assert [list(given.values()) for given in found] == [[print], [len, repr]]
    after = dictionaries(node)
    assert [given is was for given, was in zip(after, before, strict=True)] == [True, True]
    assert [dict(given) for given in after] == copies
    assert [list(given) for given in after] == [[handles[0].id], [handles[1].id, handles[2].id]]


def test_a_dictionary_that_was_emptied_is_none():
    node = leaves(1, 2)[0].exp().grad_fn
    node.register_prehook(print).remove()
    with hooks.reading_allowed():
        assert hooks.of_node(node) is hooks.NEITHER


def test_a_probe_that_was_registered_is_taken_off_and_would_do_nothing():
    """Somebody else's function has taken the place of the one that knows the probe."""
    node = leaves(1, 2)[0].exp().grad_fn
    with hooks.reading_allowed():
        own = vars(_HookMixin)["_register_hook"]
        _HookMixin._register_hook = ORIGINAL
        assert hooks.of_node(node) is hooks.NEITHER
        node.register_hook(print)
        assert list(hooks.post_hooks(node).values()) == [print]
        _HookMixin._register_hook = own
    assert [list(given.values()) for given in dictionaries(node)] == [[], [print]]
    assert hooks._probe(1, 2) is None


def test_it_is_shut_after_an_error_in_the_middle(monkeypatch):
    def fails(node):
        raise RuntimeError("in the middle")

    loss = leaves(1, 2)[0].exp().sum()
    loss.register_hook(print)
    monkeypatch.setattr(hooks, "of_node", fails)
    with pytest.raises(RuntimeError, match="in the middle"):
        lab.capture(loss)


def test_it_stays_open_for_the_last_reader():
    node = leaves(1, 2)[0].exp().grad_fn
    first, second = threading.Event(), threading.Event()
    failed = []

    def read():
        try:
            with hooks.reading_allowed():
                first.set()
                assert second.wait(10)
                assert hooks.of_node(node) is hooks.NEITHER
        except BaseException as error:
            failed.append(error)

    with hooks.reading_allowed():
        thread = threading.Thread(target=read)
        thread.start()
        assert first.wait(10)
    second.set()
    thread.join(10)
    assert not failed


def test_hooks_registered_meanwhile_are_registered():
    """From this thread and from another, on nodes and with an argument that torch knows."""
    node = leaves(1, 2)[0].exp().grad_fn
    called = []
    with hooks.reading_allowed():
        handle = node.register_hook(lambda *grads: called.append("here"))
        thread = threading.Thread(target=lambda: node.register_prehook(lambda grads: called.append("there")))
        thread.start()
        thread.join()
        before, after = hooks.of_node(node)
        assert (len(before), len(after)) == (1, 1)
    handle.remove()
    with hooks.reading_allowed():
        assert [len(found) for found in hooks.of_node(node)] == [1, 0]


def test_captures_and_registrations_in_several_threads():
    """No hook is lost and none is added while graphs are captured all the time."""
    losses = [leaves(1, 3)[0].exp().sum() for _ in range(40)]
    called, failed, stop = [], [], threading.Event()
    watched = leaves(1, 3)[0].exp().sum()
    watched.register_hook(lambda grad: None)

    def capture():
        try:
            while not stop.is_set():
                assert [hook.kind for node in lab.capture(watched).nodes for hook in node.hooks] == [
                    "tensor_pre_hook"
                ]
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=capture) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for index, loss in enumerate(losses * 5):
            loss.grad_fn.register_prehook(lambda grads, index=index: called.append(index))
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert not failed
    for loss in losses:
        loss.backward()
    assert sorted(called) == list(range(200))


def test_whoever_looks_before_the_hooks_after_accumulation_leaves_the_others_looking():
    leaf, called = torch.ones(2, requires_grad=True), []
    leaf.register_post_accumulate_grad_hook(lambda leaf: called.append("user's"))
    before = dict(leaf._post_accumulate_grad_hooks)
    first, second = (lambda name=name: called.append(name) for name in ("first", "second"))
    for look in (first, second):
        hooks.look_before_those_after_accumulation(leaf, look)
    leaf.sum().backward()
    hooks.look_no_more(leaf, first)
    hooks.look_no_more(leaf, first)
    leaf.sum().backward()
    hooks.look_no_more(leaf, second)
    leaf.sum().backward()
    assert called == ["first", "second", "user's", "second", "user's", "user's"]
    assert dict(leaf._post_accumulate_grad_hooks) == before


def test_a_leaf_without_hooks_after_accumulation_stays_without():
    leaf = torch.ones(1, requires_grad=True)
    hooks.look_before_those_after_accumulation(leaf, print)
    hooks.look_no_more(leaf, print)
    assert not leaf._post_accumulate_grad_hooks
