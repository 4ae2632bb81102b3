"""What all tests share: steady random numbers, one thread for each test process, and figures for the log."""

from __future__ import annotations

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)  # pytest-xdist already uses every core

settings.register_profile("lab", deadline=None, derandomize=True)
settings.load_profile("lab")

FIGURE = "figure"


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def figure(record_property):
    """Notes a line that the run's log shall show, whichever process the test runs in."""
    return lambda text: record_property(FIGURE, text)


def pytest_terminal_summary(terminalreporter):
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    properties = [pair for report in reports if report.when == "call" for pair in report.user_properties]
    figures = [text for name, text in properties if name == FIGURE]
    if figures:
        terminalreporter.section("figures")
        for text in sorted(figures):
            terminalreporter.line(text)
