"""The server of a live page: who may ask, what is answered, and that its end leaves nothing."""

from __future__ import annotations

import _thread
import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import interrupts
import leftovers
import pytest
from events import Events, ask

from autograd_lab.live import server as live
from autograd_lab.live.server import EVENTS, GRACE, HOST, LAST, Server


class Page:
    """A page whose events a test puts into a list."""

    def __init__(self, events=()):
        self.events = list(events)

    def html(self):
        return "<!doctype html><title>ŷ</title>"

    def stream(self):
        return Stream(self.events)


class Stream:
    def __init__(self, events):
        self.events = events
        self.at = 0

    def new(self):
        while self.at < len(self.events):
            self.at += 1
            if isinstance(found := self.events[self.at - 1], Exception):
                raise found
            yield found


@contextlib.contextmanager
def served(page=None):
    server = Server(page or Page())
    try:
        server.start()
        yield server
    finally:
        server.stop()
    assert nothing_is_left(server)


def nothing_is_left(server):
    assert not leftovers.live_threads()
    assert not server.connections
    if server.port:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, server.port))
    return True


def test_the_page():
    with served() as server:
        status, body, headers = ask(server)
    assert (status, body.decode()) == (200, Page().html())
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Access-Control-Allow-Origin" not in headers


def test_it_listens_on_the_loopback_address_alone():
    with served() as server:
        assert server._listener.socket.getsockname()[0] == "127.0.0.1"
        assert urllib.parse.urlsplit(server.address).hostname == "127.0.0.1"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost", "[::1]:{port}", ""]
)
def test_another_hosts_name_is_refused(host):
    """Against DNS rebinding: the token alone isn't enough."""
    with served() as server:
        for path in (None, f"/{server.token}/{EVENTS}"):
            status, body, _ = ask(server, path, Host=host.format(port=server.port))
            assert (status, body) == (403, b"403\n")


def test_localhost_is_the_same_machine():
    with served() as server:
        assert ask(server, Host=f"localhost:{server.port}")[0] == 200


@pytest.mark.parametrize(
    "path",
    ["/", "/{token}", "/{token}/x", "/{token}//", "/{token}/../", "/{half}/", "/?{token}/", "/{token}/?", "*",
     "/favicon.ico", "/{upper}/", "/%7e", "/\xe9"],
)  # fmt: skip
def test_nothing_else_is_answered(path):
    with served() as server:
        token = server.token
        wanted = path.format(token=token, half=token[:-1], upper=token.swapcase())
        with contextlib.closing(socket.create_connection((HOST, server.port))) as connection:
            connection.sendall(
                f"GET {wanted} HTTP/1.0\r\nHost: {HOST}:{server.port}\r\n\r\n".encode("latin-1")
            )
            answer = connection.makefile("rb").read()
    assert answer.split()[1] == b"404"
    assert answer.endswith(b"\r\n\r\n404\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "X<b>"])
def test_nothing_can_be_sent_there(method):
    with served() as server:
        status, body, _ = ask(server, method=method)
    assert status in (400, 501)
    assert b"<" not in body


def test_two_tokens_differ():
    assert Server(Page()).token != Server(Page()).token
    assert len(Server(Page()).token) >= 32


def test_events_come_as_they_happen_and_the_end_is_said():
    page = Page([("trace", '{"a": 1}')])
    with served(page) as server:
        browser = Events(server)
        assert browser.next() == ("trace", '{"a": 1}')
        page.events.append(("trace", "2"))
        assert browser.next() == ("trace", "2")
        page.events.append(("trace", "3"))
    assert [browser.next() for _ in range(3)] == [("trace", "3"), ("ended", ""), None]
    browser.close()


def test_each_browser_gets_all():
    page = Page([("trace", "1"), ("trace", "2")])
    with served(page) as server:
        browsers = [Events(server) for _ in range(3)]
        assert {browser.next() for browser in browsers} == {("trace", "1")}
    for browser in browsers:
        assert [browser.next() for _ in range(2)] == [("trace", "2"), ("ended", "")]
        browser.close()


def test_a_fault_is_said_to_the_page_and_to_nobody_else(capfd):
    with served(Page([ValueError("no such\ncolumn")])) as server:
        browser = Events(server)
        assert browser.next() == ("failed", "ValueError: no such column")
        browser.close()
    assert capfd.readouterr() == ("", "")


def test_a_browser_that_is_gone_is_let_go_of():
    with served() as server:
        browser = Events(server)
        assert len(server.threads) == 1
        browser.close()
        until = time.monotonic() + 3
        while server.threads and time.monotonic() < until:
            time.sleep(0.01)
        assert not server.threads


class Slow(Page):
    """A page of many traces, each of which takes long to be written."""

    def stream(self):
        return self

    def new(self):
        for number in range(200):
            time.sleep(0.2)
            yield "trace", str(number)


def test_each_event_is_sent_as_it_is_made_and_the_end_is_said_in_time():
    with served(Slow()) as server:
        browser = Events(server)
        assert [browser.next() for _ in range(2)] == [("trace", "0"), ("trace", "1")]
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < GRACE
        assert nothing_is_left(server)
    names = [name for name, _ in iter(browser.next, None)]
    assert 1 <= names.count("trace") <= LAST / 0.2
    assert names[-1] == "ended"
    browser.close()


def test_one_that_is_gone_is_noticed_between_two_events():
    with served(Slow()) as server:
        browser = Events(server)
        browser.next()
        browser.close()
        until = time.monotonic() + 2
        while server.threads and time.monotonic() < until:
            time.sleep(0.01)
        assert not server.threads


def test_a_browser_that_never_reads_holds_up_the_end_for_a_while_only():
    page = Page([("trace", "x" * 100_000)] * 200)
    with served(page) as server:
        browser = Events(server)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 3 * GRACE
    browser.close()


def test_one_that_says_nothing_doesnt_hold_up_the_end():
    with served() as server:
        silent = socket.create_connection((HOST, server.port))
        while not server.threads:
            time.sleep(0.01)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < GRACE
    silent.close()


def test_connections_are_limited():
    with served() as server:
        silent = [socket.create_connection((HOST, server.port)) for _ in range(live.MOST_CONNECTIONS)]
        while len(server.threads) < live.MOST_CONNECTIONS:
            time.sleep(0.01)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            ask(server)
        for each in silent:
            each.close()


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 1000, b"GET", b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"x" * 70_000 + b"\r\n"]
)
def test_what_is_no_request_disturbs_nobody(capfd, data):
    with served() as server:
        with contextlib.closing(socket.create_connection((HOST, server.port))) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                connection.makefile("rb").read()
        assert ask(server)[0] == 200
    assert capfd.readouterr() == ("", "")


def test_an_end_twice_is_one():
    with served() as server:
        server.stop()
        server.stop()


def test_an_interrupt_at_any_moment_of_the_start_and_the_end_leaves_nothing():
    made = []

    def call():
        from autograd_lab.hold import Hold

        with Hold() as held:
            made.append(server := Server(Page()))
            held.add(server.stop)
            server.start()

    for _ in interrupts.each_moment(call, step=3, within=interrupts.LAB):
        assert not made or nothing_is_left(made.pop())


def test_the_programs_thread_takes_no_lock_to_start_and_to_stop_it():
    """Whatever ``threading`` does takes one, but for making objects, and an interrupt would leave it taken."""
    called = []

    def note(frame, event, argument):
        if frame.f_code.co_filename == threading.__file__ and frame.f_code.co_name != "__init__":
            called.append(frame.f_code.co_name)
        if event == "c_call" and argument.__name__ == "acquire":
            called.append(argument.__name__)

    server = Server(Page())
    sys.setprofile(note)
    try:
        server.start()
        server.stop()
    finally:
        sys.setprofile(None)
    assert not called
    assert nothing_is_left(server)


@pytest.mark.parametrize("started", [False, True])
def test_an_interrupt_around_the_start_of_its_thread_costs_no_time(monkeypatch, started):
    start = _thread.start_new_thread

    def interrupt(*given):
        if started:
            start(*given)
        del given
        raise KeyboardInterrupt

    monkeypatch.setattr(_thread, "start_new_thread", interrupt)
    server = Server(Page())
    try:
        server.start()
    except KeyboardInterrupt:  # its traceback has the frames while the server is stopped
        began = time.monotonic()
        server.stop()
    assert time.monotonic() - began < GRACE / 2
    assert nothing_is_left(server)


FORKS = """
import os, socket, sys, time
from autograd_lab.live.server import Server
class Page:
    def html(self): return ""
    def stream(self): return self
    def new(self): return iter(())
server = Server(Page())
server.start()
browser = socket.create_connection(("127.0.0.1", server.port))
while not server.connections: time.sleep(0.01)
if (child := os.fork()) == 0:
    server.stop()
    left = []
    for number in range(3, 64):
        try:
            left.append(socket.socket(fileno=number).detach())
        except OSError:
            pass
    assert left == [browser.fileno()], left
    time.sleep(1)
    os._exit(0)
assert server.is_listening() and not server.closed
server.stop()
try:
    socket.create_connection(("127.0.0.1", server.port))
except ConnectionRefusedError:
    print("refused")
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_keeps_no_socket_and_ends_nothing_of_its_parents():
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ran.stdout, ran.stderr) == ("refused\n0\n", "")
