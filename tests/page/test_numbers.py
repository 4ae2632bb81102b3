"""Numbers in the page: the same texts as in the pictures."""

from __future__ import annotations

import random

import pytest

from autograd_lab.draw import digits

pytestmark = pytest.mark.browser

HALFWAY = (2.0625, 1000.5, 10002.5, 0.125, 0.00010005)
EDGES = (0, -8.0, 0.1 + 0.2, 999_999, 1e6, 99_999.5, 0.0001, 0.00009999999, 5e-324, 1.7e308)


def test_numbers_are_written_as_in_pictures(loaded):
    seed = random.Random(0)
    numbers = [*HALFWAY, *EDGES]
    numbers += [seed.uniform(-1, 1) * 10 ** seed.randint(-12, 12) for _ in range(300)]
    numbers += [seed.randrange(2**24) / 2 ** seed.randrange(20) for _ in range(300)]  # many lie halfway
    counts = [0, 24, 1023, 1536, 2**20 - 1, 3 * 2**40, *(seed.randrange(2**44) for _ in range(200))]
    found = loaded(digits="digits.js").evaluate(
        "([numbers, counts]) => [numbers.map(digits.number), counts.map(digits.nbytes)]", [numbers, counts]
    )
    assert found == [
        [digits.number(number) for number in numbers],
        [digits.nbytes(count) for count in counts],
    ]


def test_what_is_not_finite_has_a_word(loaded):
    found = loaded(digits="digits.js").evaluate("() => [NaN, Infinity, -Infinity].map(digits.number)")
    assert found == [digits.number(number) for number in (float("nan"), float("inf"), float("-inf"))]


def test_ticks_of_an_axis_lie_on_it_and_are_told_apart(loaded):
    """Logarithmic axes over anything from a tenth of a power of ten to all that a double holds."""
    ranges = [[1e-3, 1e2], [0.9, 1.1], [3.0, 3.0], [1e-300, 1e300], [2e-7, 3e-7], [5.0]]
    axes = loaded(scale="scale.js").evaluate(
        "(ranges) => ranges.map((range) => scale.logAxis(range).ticks.map(({at, text}) => [at, text]))",
        ranges,
    )
    for ticks in axes:
        texts = [text for _, text in ticks]
        assert 1 <= len(ticks) <= 10
        assert len(set(texts)) == len(texts)
        assert all(0 <= at <= 1 for at, _ in ticks)
