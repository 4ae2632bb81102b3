"""A browser without a browser: it asks a live page's server, and reads its events."""

from __future__ import annotations

import contextlib
import http.client
import socket

from autograd_lab.live.server import EVENTS, HOST


def ask(server, path=None, method="GET", **headers):
    connection = http.client.HTTPConnection(HOST, server.port, timeout=5)
    with contextlib.closing(connection):
        connection.request(method, f"/{server.token}/" if path is None else path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers


class Events:
    """A browser's connection."""

    def __init__(self, server):
        self.socket = socket.create_connection((HOST, server.port), timeout=5)
        self.socket.sendall(
            f"GET /{server.token}/{EVENTS} HTTP/1.1\r\nHost: {HOST}:{server.port}\r\n\r\n".encode()
        )
        self.file = self.socket.makefile("rb")
        assert b"200" in self.file.readline()
        while self.file.readline() != b"\r\n":
            pass

    def next(self):
        """Returns the next event that isn't a comment; ``None`` at the end."""
        event = {}
        for line in (each.decode().rstrip("\n") for each in self.file):
            if not line and event:
                return event["event"], event["data"]
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                event[name] = value
        return None

    def close(self):
        self.file.close()
        self.socket.close()
