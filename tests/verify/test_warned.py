"""Warnings under which no check fails."""

from __future__ import annotations

import warnings

import pytest

from autograd_lab.hold import Hold
from autograd_lab.verify.warned import show_warnings


def test_a_warning_that_would_be_an_error_is_shown_and_is_one_again_afterwards():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        with Hold() as held:
            show_warnings(held)
            assert "error" not in {action for action, *_ in warnings.filters}
        assert warnings.filters == before
        with pytest.raises(UserWarning, match="mine"):
            warnings.warn("mine", UserWarning, stacklevel=1)


def test_what_is_ignored_stays_ignored():
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("ignore", UserWarning)
        with Hold() as held:
            show_warnings(held)
            warnings.warn("mine", UserWarning, stacklevel=1)
    assert shown == []
