"""Playing the backward in the page: what the buttons, the keys and the scrubber do, and what is said at each step."""

from __future__ import annotations

import models
import pytest
import torch

import autograd_lab as lab
from autograd_lab.backward.scalar import capture_scalar
from autograd_lab.draw.digits import nbytes, number

pytestmark = pytest.mark.browser


def seed():
    """The worked example: ŷ = w·x, s = ŷ − y, loss = s²."""
    x, y, w = torch.tensor(2.0), torch.tensor(4.0), torch.tensor(0.0, requires_grad=True)
    y_hat = w * x
    s = y_hat - y
    loss = s**2
    return capture_scalar(loss, names={"w": w, "x": x, "y": y, "ŷ": y_hat, "s": s, "loss": loss})


def a_trace():
    return lab.Engine(*models.CASES["tied_embedding"].build()[:2]).run()


def position(page):
    return page.inner_text(".play-position")


def part(page, title):
    """The lines of one of the lists."""
    found = page.locator(".now-part", has=page.get_by_role("heading", name=title))
    return found.locator("li, p").all_inner_texts()


def plain(text):
    return " ".join(text.split())


def test_the_worked_example_plays_the_chain_rule_with_its_numbers(opened):
    graph = seed()
    page = opened(graph)
    said = []
    for _ in range(4):
        page.click(".play-button.forward")
        said.append(plain(page.inner_text(".now-chain")))
    gradients = {variable.name: variable.grad for variable in graph.variables}
    locals_ = [operation.operands[0].local for operation in graph.operations]
    square, minus, times = map(number, locals_)
    assert (square, minus, times) == ("−8", "1", "2")
    assert said == [
        f"∂loss/∂s = 1 × (−8) = {number(gradients['s'])}",
        f"∂loss/∂ŷ = ∂loss/∂s · ∂s/∂ŷ = −8 × 1 = {number(gradients['ŷ'])}",
        f"∂loss/∂w = ∂loss/∂ŷ · ∂ŷ/∂w = −8 × 2 = {number(gradients['w'])}",
        "w.grad = ∂loss/∂w = ∂loss/∂s · ∂s/∂ŷ · ∂ŷ/∂w = −8 · 1 · 2 = −16",
    ]
    assert position(page) == "step 4 of 4: w"


def test_a_variable_that_is_used_twice_gets_parts_that_are_not_called_the_whole(opened):
    w = torch.tensor(3.0, requires_grad=True)
    page = opened(capture_scalar(w * w, names={"w": w}))
    page.click(".play-button.forward")
    parts = [plain(text) for text in page.locator(".now-chain").all_inner_texts()]
    assert parts == ["one part of ∂output/∂w = 1 × 3 = 3"] * 2
    page.click(".play-button.forward")
    assert plain(page.inner_text(".now-chain")) == "w.grad = 6"


STEPS = [
    (".play-button.start", 0),
    ("key:.", 1),
    ("key:.", 2),
    ("key:,", 1),
    ("key:End", -1),
    ("key:.", -1),
    ("key:Home", 0),
    ("key:,", 0),
    (".play-button.forward", 1),
    (".play-button.end", -1),
    (".play-button.back", -2),
    (".play-button.start", 0),
    ("scrub:3", 3),
]


def test_buttons_keys_and_scrubber_go_to_steps(opened):
    trace = a_trace()
    page = opened(trace)
    page.select_option(".play-speed", "1")
    assert position(page) == f"{len(trace.steps)} steps"
    for action, step in STEPS:
        kind, _, what = action.partition(":")
        if kind == "key":
            page.keyboard.press(what)
        elif kind == "scrub":
            page.fill(".play-scrubber", what)
        else:
            page.click(action)
        at = step if step >= 0 else len(trace.steps) + 1 + step
        node = trace.graph.nodes[trace.steps[at - 1].node] if at else None
        name = "the start" if node is None else node.variable or node.name
        assert position(page) == f"step {at} of {len(trace.steps)}: {name}", action
        running = page.locator("#stage .item.status-running").all()
        assert bool(running) == bool(at), action
    page.focus("#top input")
    page.keyboard.press(".")
    assert position(page).startswith("step 3 of"), "in a field it's a letter"
    page.keyboard.press("Escape")
    page.keyboard.press(".")
    assert position(page).startswith("step 4 of"), "with the focus on the drawing"
    page.click(".play-button.stop")
    assert position(page) == f"{len(trace.steps)} steps"
    assert not page.is_visible(".now")


def test_it_plays_to_the_end_and_can_be_paused(opened):
    trace = a_trace()
    page = opened(trace)
    page.select_option(".play-speed", "1")
    page.keyboard.press("p")
    assert page.get_attribute(".play-button.play", "aria-label") == "Pause"
    page.keyboard.press("p")
    assert page.get_attribute(".play-button.play", "aria-label") == "Play"
    page.select_option(".play-speed", "100")
    page.click(".play-button.play")
    page.wait_for_function(
        "count => document.querySelector('.play-scrubber').value === String(count)", arg=len(trace.steps)
    )
    page.wait_for_selector('.play-button.play[aria-label="Play"]')


def test_the_lists_say_what_the_engine_holds(opened):
    build = models.CASES["tied_embedding"].build
    engine, done = lab.Engine(*build()[:2]), a_trace()
    page = opened(done)
    nodes = done.graph.nodes

    def name(node):
        return nodes[node].variable or f"{nodes[node].name} #{node}"

    for step in range(1, 9):
        engine.step()
        page.click(".play-button.forward")
        assert list(map(plain, part(page, "Ready queue"))) == (list(map(name, engine.ready)) or ["empty"])
        filling = {node: buffer for node, buffer in engine.buffers.items() if buffer.awaited}
        said = [
            f"{len(buffer.arrived)} of {len(buffer.arrived) + buffer.awaited}" for buffer in filling.values()
        ]
        shown = [plain(text) for text in part(page, "Buffers filling")]
        assert [" ".join(text.split()[-3:]) for text in shown] == (said or ["none"])
        landed = [
            name(node)
            for node in (each.node for each in done.steps[:step])
            if nodes[node].kind == "accumulate"
        ]
        assert page.inner_text(".now-part:nth-child(4) .now-count") == str(len(landed))
        left = type(done.graph)(tuple(nodes[each.node] for each in done.steps[step:]), ())
        assert part(page, "Saved memory")[0].startswith(nbytes(left.saved_activation_nbytes))


def test_what_was_raised_is_said_where_it_was_raised(opened):
    w = torch.ones(2, requires_grad=True)
    y = w * 2

    def hook(grad):
        raise ZeroDivisionError("no gradient for <b>you</b>")

    y.register_hook(hook)
    with pytest.raises(ZeroDivisionError) as caught:
        lab.trace(y.exp().sum())
    page = opened(caught.value.autograd_lab_trace)
    page.click(".play-button.end")
    assert "no gradient for <b>you</b>" in position(page)
    assert "no gradient for <b>you</b>" in "".join(part(page, "Runs now"))
    page.click(".play-button.back")
    assert "raised" not in position(page)


def test_what_runs_is_brought_into_view(opened):
    x = torch.ones(2, requires_grad=True)
    y = x
    for _ in range(30):
        y = y.sin()
    page = opened(lab.trace(y.sum()))
    page.click(".play-button.start")
    page.click(".play-button.end")
    page.wait_for_timeout(400)  # the camera's way there
    inside, around = (page.locator(what).bounding_box() for what in ("#stage .item.status-running", "#stage"))
    assert around["y"] <= inside["y"] <= around["y"] + around["height"] - inside["height"]
