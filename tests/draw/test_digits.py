"""Numbers as people write them."""

import math

import pytest
from hypothesis import given, strategies as st

from autograd_lab.draw.digits import nbytes, number, superscript

BACK = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−", "0123456789--")


def read(text: str) -> float:
    mantissa, _, power = text.translate(BACK).partition("×10")
    return float(f"{mantissa}e{power or 0}")


@given(st.floats(-1e308, 1e308))
def test_four_digits_of_a_number_can_be_read_back(value):
    assert math.isclose(read(number(value)), value, rel_tol=5.1e-4, abs_tol=1e-320)


@given(st.integers(-999_999, 999_999))
def test_whole_numbers_below_a_million_are_whole(value):
    assert number(float(value)) == number(value) == str(value).replace("-", "−")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-8.0, "−8"),
        (0.0, "0"),
        (-0.0, "0"),
        (0.1 + 0.2, "0.3"),
        (1 / 3, "0.3333"),
        (1.5e-5, "1.5×10⁻⁵"),
        (float("nan"), "nan"),
        (float("inf"), "∞"),
        (float("-inf"), "−∞"),
        (True, "True"),
        (2**63, "9.223×10¹⁸"),
        (complex(1.5, -2), "1.5 − 2i"),
        (complex(-1, float("inf")), "−1 + ∞i"),
    ],
)
def test_short_forms(value, text):
    assert number(value) == text


def test_superscript_takes_either_minus():
    assert superscript("−1") == superscript("-1") == "⁻¹"


def test_bytes_have_binary_units():
    assert [nbytes(0), nbytes(1023), nbytes(1024), nbytes(2**50)] == ["0 B", "1023 B", "1 KiB", "1024 TiB"]
