"""What all tests share: steady random numbers, one thread for each test process, and figures for the log."""

from __future__ import annotations

from collections import Counter

import pytest
import tallies
import torch
from hypothesis import settings

torch.set_num_threads(1)  # pytest-xdist already uses every core

settings.register_profile("lab", deadline=None, derandomize=True)
settings.load_profile("lab")

FIGURE, TALLY = "figure", "tally"


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def figure(record_property):
    """Notes a line that the run's log shall show, whichever process the test runs in."""
    return lambda text: record_property(FIGURE, text)


@pytest.fixture(autouse=True)
def _tallied(record_property):
    yield
    for line, number in tallies.taken():
        record_property(TALLY, (line, number))


def pytest_terminal_summary(terminalreporter):
    reports = terminalreporter.getreports("")  # setups and teardowns that passed
    properties = [pair for report in reports if report.when == "teardown" for pair in report.user_properties]
    figures = [text for name, text in properties if name == FIGURE]
    tally: Counter[str] = Counter()
    for name, noted in properties:
        if name == TALLY:
            tally[noted[0]] += noted[1]
    figures += [line.format(number) for line, number in tally.items()]
    if figures:
        terminalreporter.section("figures")
        for text in sorted(figures):
            terminalreporter.line(text)
