"""Modules' paths for other tools: equal ones for equal paths only."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st

from autograd_lab.draw.write.namespaces import Namespaces

NAMES = st.sampled_from(["a", "A", "a (2)", "a (3)", "b"])


@given(st.lists(st.lists(NAMES, max_size=3).map(tuple), max_size=12))
@settings(deadline=None)
def test_equal_namespaces_are_those_of_equal_paths(paths):
    spaces = Namespaces(str.lower)
    found = {path: spaces.of(path) for path in paths}
    assert len(set(found.values())) == len(found)
    assert all(spaces.of(path) == space for path, space in found.items())
    assert all(space.count("/") == max(0, len(path) - 1) for path, space in found.items())


def test_the_first_keeps_its_name():
    spaces = Namespaces(lambda name: "x", "{}-{}")
    assert [spaces.of((name,)) for name in "abca"] == ["x", "x-2", "x-3", "x"]
    assert spaces.of(("b", "c")) == "x-2/x"
