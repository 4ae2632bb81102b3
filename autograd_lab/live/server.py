"""A small web server on the loopback address: the page, and the events that bring it up to date.

Relies on the standard library, ``runs``, and on who draws records for what it serves. Promises that only this machine
can reach it, and of this machine only who knows the token; that no browser, however slow or gone, holds up anything but
a thread of its own; and that `Server.stop` is over within ``2 * GRACE`` and leaves no socket and no thread behind. One
exception: a thread that turns a single trace into an event for longer than that ends only after it.

Note [Who may ask]
Any program and any page in a browser of this machine can send requests to the loopback address. So the address has a
random token in it, compared in constant time. A page from elsewhere can have its name lead to 127.0.0.1 (DNS
rebinding): its requests then say its own name as ``Host``, and are refused. Besides the page and its events nothing is
answered.

Note [Forks]
A program may fork (workers of a ``DataLoader``). The child has copies of the sockets but none of the threads; it closes
the copies at once, so that a port is free and a browser hears of the end when the parent's are closed.
"""

from __future__ import annotations

import _thread
import contextlib
import hmac
import os
import secrets
import select
import socket
import socketserver
import time
import weakref
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from autograd_lab.errors import one_line
from autograd_lab.live.runs import TICK, Task, wait
from autograd_lab.records.display import LivePage

HOST = "127.0.0.1"
EVENTS = "events"
"""The one other path besides the page's own."""

GRACE = 2.0
"""Seconds that browsers have, at the end, to take what is left; also for any one piece of it."""

LAST = GRACE / 2
"""Seconds after the end until which traces are still turned into events; the rest of `GRACE` is to say the end."""

HEARTBEAT = 5.0
"""Seconds of silence after which a comment is sent, so that a browser that is gone is noticed."""

MOST_CONNECTIONS = 16

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Server:
    """The server.

    Args:
        page: What it serves.
    """

    def __init__(self, page: LivePage) -> None:
        self.page = page
        self.token = secrets.token_urlsafe(24)
        self.port = 0
        self.ended = False
        self.closed = False
        self.threads: set[Task] = set()
        self.readers: set[Task] = set()
        self.connections: set[socket.socket] = set()
        self._listener: _Listener | None = None
        self._listening: weakref.ref[Task] | None = None
        self._ended_at = 0.0
        self._process = os.getpid()
        _SERVERS.add(self)

    @property
    def address(self) -> str:
        """What a browser opens."""
        return f"http://{HOST}:{self.port}/{self.token}/"

    def start(self) -> None:
        """Begins to listen, on a port that the system chooses. What it acquires `stop` releases, at any moment."""
        _Listener(self)
        assert self._listener is not None
        self.port = self._listener.server_address[1]
        run: Task | None = None
        try:
            run = Task()
            self._listening = weakref.ref(run)
            _thread.start_new_thread(run.call, (self._serve,))
        finally:
            run = None  # see Note [Whether a thread was started]

    def stop(self) -> None:
        """Ends every thread and closes every socket, once browsers have what is left, or `GRACE` seconds have gone."""
        until = 0.0
        if not self.ended:
            self._ended_at = time.monotonic()
            until = self._ended_at + GRACE
        self.ended = True
        if os.getpid() == self._process:
            while self.readers and time.monotonic() < until:
                time.sleep(TICK / 5)
        self.closed = True
        if os.getpid() == self._process:
            for each in self._sockets():
                with contextlib.suppress(
                    OSError
                ):  # it may be closed already; not every system wakes a listener so
                    each.shutdown(socket.SHUT_RDWR)
            until = time.monotonic() + GRACE
            wait(self.is_listening, until)  # the last that could accept one more
            for each in tuple(self.connections):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            wait(lambda: bool(self.threads), until)
            for each in self._sockets():
                each.close()

    def is_listening(self) -> bool:
        """Returns whether the thread that accepts connections runs, or is about to."""
        run = None if self._listening is None else self._listening()
        return run is not None and not run.over

    def is_late(self) -> bool:
        """Returns whether no more traces are to be turned into events."""
        return self.closed or (self.ended and time.monotonic() > self._ended_at + LAST)

    def abandon(self) -> None:
        """Closes a child's copies of the sockets: see Note [Forks]."""
        self.closed = True
        for each in self._sockets():
            if (number := each.detach()) >= 0:  # close() would wait for the files that threads made of it
                socket.close(number)

    def _sockets(self) -> list[socket.socket]:
        listener = getattr(self._listener, "socket", None)
        return [*self.connections, *([] if listener is None else [listener])]

    def take(self, listener: _Listener) -> None:
        """Notes the listener before it has a socket, so that none is left whenever an interrupt comes."""
        self._listener = listener

    def _serve(self) -> None:
        assert self._listener is not None
        while not self.closed:
            try:
                self._listener.handle_request()
            except (OSError, ValueError):  # the socket was closed
                return


_SERVERS: weakref.WeakSet[Server] = weakref.WeakSet()


def _forked() -> None:
    """See Note [Forks]."""
    for server in tuple(_SERVERS):
        server.abandon()


if hasattr(os, "register_at_fork"):  # not on Windows, which can't fork
    os.register_at_fork(after_in_child=_forked)


class _Listener(HTTPServer):
    """Accepts connections, each for a thread of its own."""

    timeout = TICK
    allow_reuse_address = False
    request_queue_size = 2 * MOST_CONNECTIONS

    def __init__(self, server: Server) -> None:
        self.owner = server
        server.take(self)
        super().__init__((HOST, 0), BaseHTTPRequestHandler)  # `_answer` makes a `_Handler`

    def server_bind(self) -> None:
        """Asks no name server for this machine's name, as ``HTTPServer`` does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """A connection came."""
        if len(self.owner.threads) >= MOST_CONNECTIONS:
            self.shutdown_request(request)
            return
        self.owner.connections.add(request)
        run = Task()  # no interrupt comes to this thread
        self.owner.threads.add(run)
        try:
            _thread.start_new_thread(run.call, (self._answer, run, request, client_address))
        except RuntimeError:  # the system has no more threads
            self._close(run, request)

    def _answer(self, run: Task, request: Any, client_address: Any) -> None:
        try:
            _Handler(request, client_address, self, run)
        except (OSError, ValueError):  # the browser is gone, or the server is
            pass
        finally:
            self._close(run, request)

    def _close(self, run: Task, request: Any) -> None:
        self.shutdown_request(request)
        self.owner.connections.discard(request)
        self.owner.readers.discard(run)
        self.owner.threads.discard(run)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Writes nothing into the program's output."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    timeout = 10
    server_version = "autograd_lab"
    sys_version = ""
    error_message_format = "%(code)d\n"
    error_content_type = "text/plain"
    server: _Listener

    def __init__(self, request: Any, client_address: Any, server: _Listener, run: Task) -> None:
        self.run = run
        super().__init__(request, client_address, server)  # answers

    def do_GET(self) -> None:
        """The page or its events; see Note [Who may ask]."""
        server = self.server.owner
        if self.headers.get_all("Host") not in ([f"{HOST}:{server.port}"], [f"localhost:{server.port}"]):
            self.send_error(403)
        elif self._is_asked(f"/{server.token}/{EVENTS}"):
            self._send_events(server)
        elif self._is_asked(f"/{server.token}/"):
            self._send_page(server)
        else:
            self.send_error(404)

    def _is_asked(self, path: str) -> bool:
        return hmac.compare_digest(self.path.encode("utf-8", "replace"), path.encode())

    def _send_page(self, server: Server) -> None:
        page = server.page.html().encode()
        self._begin("text/html; charset=utf-8", {"Content-Length": str(len(page))})
        self.wfile.write(page)

    def _send_events(self, server: Server) -> None:
        """Sends each event as soon as it is made, for a trace may take seconds, and looks around after each."""
        server.readers.add(self.run)
        self.connection.settimeout(GRACE)
        self._begin("text/event-stream", {})
        stream = server.page.stream()
        events: Iterator[tuple[str, str]] | None = None
        ended, last = False, time.monotonic()
        while not server.is_late():
            if events is None:
                ended = server.ended  # first, so that what came before the end is sent
                events = stream.new()
            try:
                event = next(events, None)
            except Exception as error:  # the page says it; the program's output is not the place
                self._send("failed", one_line(error))
                return
            if event is None and ended:
                break
            if event is not None:
                self._send(*event)
                last = time.monotonic()
            elif time.monotonic() - last > HEARTBEAT:
                self.wfile.write(b":\n\n")
                last = time.monotonic()
            events = events if event else None
            if self._is_gone(0.0 if event else TICK):
                return
        self._send("ended", "")

    def _send(self, event: str, data: str) -> None:
        self.wfile.write(f"event: {event}\ndata: {data}\n\n".encode())

    def _is_gone(self, wait: float) -> bool:
        """Waits for some seconds, and less where the browser closes the connection."""
        readable, _, _ = select.select([self.connection], [], [], wait)
        return bool(readable) and not self.connection.recv(1024)

    def _begin(self, kind: str, more: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in {"Content-Type": kind, **_HEADERS, **more}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it's called
        """Writes nothing into the program's output."""
