"""A browser beside a program: one with windows, or none."""

from __future__ import annotations

import webbrowser

import pytest

from autograd_lab.cli.browser import open_browser


@pytest.mark.parametrize("screen", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_where_there_are_windows_one_is_opened(monkeypatch, screen):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not open_browser("http://a")
    monkeypatch.setenv(screen, ":0")
    assert open_browser("http://a")
    assert opened == ["http://a"]


@pytest.mark.parametrize("error", [webbrowser.Error("none"), FileNotFoundError("xdg-open")])
def test_what_cant_be_opened_is_no_fault(monkeypatch, error):
    def fail(_):
        raise error

    monkeypatch.setattr(webbrowser, "open", fail)
    monkeypatch.setenv("DISPLAY", ":0")
    assert not open_browser("http://a")
