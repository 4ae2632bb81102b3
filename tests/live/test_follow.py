"""``lab.watch(live=True)``: the program is undisturbed, and whatever ends the block, nothing is left."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import interrupts
import leftovers
import pytest
import torch
from events import Events, ask

import autograd_lab as lab
from autograd_lab.live import server as servers


class Mine(Exception):
    pass


def train(steps=3, before=lambda step: None):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(steps):
        before(step)
        optimizer.zero_grad()
        model(torch.ones(4, 2)).square().sum().backward()
        optimizer.step()
    return [parameter.detach().clone() for parameter in model.parameters()]


@pytest.fixture(autouse=True)
def nothing_is_left(recwarn):
    train(1)  # what torch imports at its first step sets filters of warnings
    before = leftovers.everywhere()
    yield
    assert leftovers.everywhere() == before
    assert not leftovers.live_threads()
    # A socket that nobody closed warns when it's freed.
    assert not [each for each in recwarn if issubclass(each.category, ResourceWarning)]


def the_server():
    (server,) = [each for each in servers._SERVERS if not each.closed]
    return server


def test_traces_come_while_the_program_runs_and_the_end_is_said(capsys):
    seen = []

    def look(step):
        if step == 0:
            seen.append(Events(the_server()))
        else:
            seen.append(json.loads(seen[0].next()[1])["trace"]["number"])

    with lab.watch(live=True) as watcher:
        assert ask(the_server())[0] == 200
        train(3, look)
    browser, *numbers = seen
    assert numbers == [0, 1]
    assert json.loads(browser.next()[1])["trace"]["number"] == 2
    assert browser.next() == ("ended", "")
    browser.close()
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"autograd-lab: follow the run at {watcher.address}\n")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", watcher.address)


def test_bits_are_as_without_it():
    plain = train(4)
    with lab.watch(live=True, every=2) as watcher:
        browser = Events(the_server())
        followed = train(4)
    browser.close()
    assert all(map(torch.equal, plain, followed))
    assert [trace.number for trace in watcher.traces] == [0, 2]


@pytest.mark.parametrize("error", [Mine("text"), KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
@pytest.mark.parametrize("browser", [False, True])
def test_an_exception_goes_its_way(error, browser):
    def fail(step):
        if step == 1:
            raise error

    connection = None

    def program():
        nonlocal connection
        with lab.watch(live=True):
            connection = Events(the_server()) if browser else None
            train(2, fail)

    with pytest.raises(type(error)) as raised:
        program()
    assert raised.value is error
    assert error.__cause__ is None
    if connection:
        assert [connection.next()[0] for _ in range(2)] == ["trace", "ended"]
        connection.close()


def test_a_closed_browser_disturbs_nobody(capfd):
    with lab.watch(live=True):
        Events(the_server()).close()
        train(2)
        again = Events(the_server())
        assert again.next()[0] == "trace"
    again.close()
    assert "Traceback" not in capfd.readouterr().err


def test_an_interrupt_at_many_moments_leaves_nothing(capsys):
    before = leftovers.everywhere()

    def call():
        with lab.watch(live=True):
            pass

    for _ in interrupts.each_moment(call, step=41):
        assert leftovers.everywhere() == before


def test_where_nothing_can_listen_one_line_says_so(monkeypatch):
    def refuse(self):
        raise OSError("no address")

    monkeypatch.setattr(servers._Listener, "server_bind", refuse)
    with (
        pytest.raises(
            lab.LabError, match=r"^cannot follow the run: nothing can listen on 127.0.0.1 \(OSError: no"
        ),
        lab.watch(live=True),
    ):
        pass


@pytest.mark.parametrize("stream", [None, "closed"])
def test_without_standard_error_it_is_silent(monkeypatch, stream, tmp_path):
    file = open(tmp_path / "err", "w")  # noqa: SIM115 - it is closed already
    file.close()
    monkeypatch.setattr("sys.stderr", stream and file)
    with lab.watch(live=True) as watcher:
        assert watcher.address


def test_of_many_traces_some_are_kept():
    with lab.watch() as watcher:
        watcher.most = 4
        train(11)
    numbers = [trace.number for trace in watcher.traces]
    assert len(numbers) <= 4
    assert numbers[-1] == 10
    assert numbers == sorted(numbers)
    assert [trace.number for trace in watcher.traces] == numbers


def test_a_watch_that_isnt_followed_imports_no_server():
    tree = ast.parse(Path(sys.modules["autograd_lab.backward.watch"].__file__).read_text("utf-8"))
    imported = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert "autograd_lab.hold" in imported
    assert "autograd_lab.live" not in imported
