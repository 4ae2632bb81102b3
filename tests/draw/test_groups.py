"""Modules as clusters."""

from hypothesis import given, strategies as st

from autograd_lab.draw.groups import Cluster, group_paths, tree
from autograd_lab.draw.picture import Box

MODULES = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple), max_size=12)


@given(MODULES)
def test_the_texts_on_the_way_to_a_cluster_spell_its_module(modules):
    paths = group_paths(modules)
    assert set(paths) == set(modules)
    assert all(".".join(frame.text for frame in path) == ".".join(module) for module, path in paths.items())
    assert all(
        len(".".join(f.text for f in path[: i + 1]).split(".")) == path[i].length
        for path in paths.values()
        for i in range(len(path))
    )


@given(MODULES)
def test_no_cluster_holds_only_one_other(modules):
    paths = group_paths(modules)
    for path in paths.values():
        for depth in range(1, len(path)):
            outer = path[:depth]
            inside = {other[: depth + 1] for other in paths.values() if other[:depth] == outer}
            assert outer in inside or len(inside) > 1, (outer, inside)


@given(MODULES)
def test_a_module_inside_another_is_drawn_inside_it(modules):
    paths = group_paths(modules)
    for one, path in paths.items():
        for other, deeper in paths.items():
            if other[: len(one)] == one:
                assert deeper[: len(path)] == path


def flattened(cluster: Cluster) -> list[tuple[tuple[str, ...], str]]:
    found = []
    for member in cluster.members:
        found += [(cluster.group, member.key)] if isinstance(member, Box) else flattened(member)
    return found


@given(st.lists(st.lists(st.sampled_from("ab"), max_size=3).map(tuple), max_size=12))
def test_every_box_lies_in_its_own_cluster_once(groups):
    boxes = [Box(f"n{i}", (), group=group) for i, group in enumerate(groups)]
    assert sorted(flattened(tree(boxes))) == sorted((box.group, box.key) for box in boxes)


def test_clusters_are_numbered_as_they_are_met():
    boxes = [Box("x", (), group=("b", "c")), Box("y", (), group=("a",)), Box("z", (), group=("b",))]
    outer, other = tree(boxes).members
    assert (outer.group, outer.number, other.group, other.number) == (("b",), 1, ("a",), 3)
