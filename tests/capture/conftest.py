"""Every model of the registry, for tests that say something about all of them."""

from __future__ import annotations

import pytest
from models import CASES, shared


@pytest.fixture(params=CASES.values(), ids=lambda case: case.name)
def case(request):
    return request.param


@pytest.fixture
def built(case):
    """Built once for each test process: for tests that free nothing and leave nothing on it."""
    return shared(case.name)
