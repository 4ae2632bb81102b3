"""A run that is followed in a real browser: traces come, what is selected stays, and the end is said."""

from __future__ import annotations

import pytest
import torch
from browser import SIZE, Watched

import autograd_lab as lab

pytestmark = pytest.mark.browser


@pytest.fixture
def live_page(chromium):
    """A page, of which each request goes to the address that it was opened at, or beneath it."""
    context = chromium.new_context(viewport=SIZE)
    context.set_default_timeout(10_000)
    page = context.new_page()
    watched = Watched(page)
    yield page
    address = page.url.partition("#")[0]
    context.close()
    assert not watched.errors
    assert [each for each in watched.requests if each != address] in (
        [f"{address}events"],
        [f"{address}events"] * 2,
    )


@pytest.fixture
def step():
    """One step of a training."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        optimizer.zero_grad()
        model(torch.ones(4, 2)).square().sum().backward()
        optimizer.step()

    return step


def shown(page, count, status):
    """Waits until there are so many backwards, and the run is as said."""
    page.wait_for_function(
        "([count, status]) => document.querySelectorAll('.traces-choice option').length === count"
        " && document.querySelector('.live').className.includes(status)",
        arg=[count, status],
    )


def test_a_training_is_followed(live_page, step):
    with lab.watch(live=True) as watcher:
        live_page.goto(watcher.address)
        assert "Waiting for its first backward" in live_page.inner_text("[role=status]")
        step()
        live_page.wait_for_selector("#stage svg")
        assert not live_page.is_visible("#tab-steps")
        step()
        step()
        shown(live_page, 3, "following")
        live_page.click("#tab-steps")
        assert live_page.input_value(".traces-choice") == "2"
        live_page.evaluate("location.hash = '#trace=2&node=1'")
        selected = watcher.traces[2].graph.nodes[1].name
        assert selected in live_page.inner_text("#card h2")
        step()
        shown(live_page, 4, "following")
        assert selected in live_page.inner_text("#card h2")
        assert live_page.input_value(".traces-choice") == "3"
        assert live_page.url.endswith("#trace=3&node=1")
        live_page.select_option(".traces-choice", "0")
        step()
        shown(live_page, 5, "following")
        assert live_page.input_value(".traces-choice") == "0"
        live_page.focus(".heat")
        for _ in range(4):
            live_page.keyboard.press("ArrowRight")
        assert ", backward 4: " in live_page.inner_text("#panel-steps .panel-note")
    shown(live_page, 5, "ended")
    assert live_page.inner_text("[role=status].live") == "The run has ended."
    live_page.select_option(".traces-choice", "4")
    assert live_page.input_value(".traces-choice") == "4"


def test_a_page_that_is_opened_late_has_what_came_before(live_page, step):
    with lab.watch(live=True) as watcher:
        for _ in range(4):
            step()
        live_page.goto(watcher.address)
        shown(live_page, 4, "following")
        live_page.click("button[lang=zh-Hant-TW]")
        assert live_page.inner_text("[role=status].live").startswith("正在跟隨執行")
        step()
        shown(live_page, 5, "following")
    shown(live_page, 5, "ended")


def test_a_run_without_a_backward_has_ended_too(live_page):
    with lab.watch(live=True) as watcher:
        live_page.goto(watcher.address)
    live_page.wait_for_selector(".live-ended")


def test_a_connection_that_is_lost_is_said(live_page, step):
    from autograd_lab.live import server as servers

    with lab.watch(live=True) as watcher:
        step()
        live_page.goto(watcher.address)
        live_page.wait_for_selector(".live-following")
        (server,) = [each for each in servers._SERVERS if not each.closed]
        for connection in tuple(server.connections):
            connection.shutdown(2)
        live_page.wait_for_selector(".live-lost")
