"""The boxes and arrows of the worked example."""

import itertools

import pytest

from autograd_lab.draw.picture import Line, Picture
from autograd_lab.draw.views.scalar import DETAILS, scalar_picture
from autograd_lab.records import Operand, Operation, ScalarGraph, Variable


def texts(picture: Picture) -> dict[str, list[str]]:
    return {box.key: [line.text for line in box.lines] for box in picture.boxes}


def labels(picture: Picture) -> dict[tuple[str, str], tuple[list[str], list[str]]]:
    return {
        (arrow.tail, arrow.head): ([line.text for line in arrow.lines], [line.text for line in arrow.back])
        for arrow in picture.arrows
    }


def test_the_expression_shows_names_and_signs_alone(seed):
    picture = scalar_picture(seed, detail="expression")
    assert texts(picture) == {
        "v0": ["loss"], "v1": ["s"], "v2": ["ŷ"], "v3": ["y"], "v4": ["w"], "v5": ["x"],
        "o0": ["(·)²"], "o1": ["−"], "o2": ["×"],
    }  # fmt: skip
    assert all(texts == ([], []) for texts in labels(picture).values())


def test_the_values_are_the_forwards(seed):
    found = texts(scalar_picture(seed, detail="values"))
    assert [found[f"v{i}"] for i in range(6)] == [
        ["loss", "16"],
        ["s", "−4"],
        ["ŷ", "0"],
        ["y", "4"],
        ["w", "0"],
        ["x", "2"],
    ]
    assert all(texts == ([], []) for texts in labels(scalar_picture(seed, detail="values")).values())


def test_each_connection_has_its_local_gradient_and_what_arrives(seed):
    assert labels(scalar_picture(seed)) == {
        ("v1", "o0"): (["∂loss/∂s = −8"], ["−8"]),
        ("o0", "v0"): ([], ["1"]),
        ("v2", "o1"): (["∂s/∂ŷ = 1"], ["−8"]),
        ("v3", "o1"): ([], []),
        ("o1", "v1"): ([], ["−8"]),
        ("v4", "o2"): (["∂ŷ/∂w = 2"], ["−16"]),
        ("v5", "o2"): ([], []),
        ("o2", "v2"): ([], ["−8"]),
        ("c4", "v4"): ([], []),
    }


def test_the_chain_rule_stands_beside_the_leaf(seed):
    assert texts(scalar_picture(seed))["c4"] == [
        "∂loss/∂w = ∂loss/∂s · ∂s/∂ŷ · ∂ŷ/∂w",
        "= −8 · 1 · 2 = −16",
    ]


def test_kinds_of_variables_look_different(seed):
    looks = {box.key: box.look for box in scalar_picture(seed).boxes}
    assert [looks[f"v{i}"] for i in range(6)] == [
        "output",
        "variable",
        "variable",
        "constant",
        "leaf",
        "constant",
    ]


def test_each_detail_holds_what_those_before_it_do(seed):
    for less, more in itertools.pairwise(scalar_picture(seed, detail=detail) for detail in DETAILS):
        assert {box.key for box in less.boxes} <= {box.key for box in more.boxes}
        assert all(set(found) <= set(texts(more)[key]) for key, found in texts(less).items())


def test_the_forward_runs_to_the_right(seed):
    assert scalar_picture(seed).direction == "right"
    assert scalar_picture(seed, direction="down").direction == "down"


def squared() -> ScalarGraph:
    """y = v·v, where v is w + 1 and has no name."""
    return ScalarGraph(
        (
            Variable(0, "output", "y", 16.0, 1.0),
            Variable(1, "intermediate", None, 4.0, 8.0),
            Variable(2, "leaf", "w", 3.0, 8.0),
            Variable(3, "constant", None, 1.0),
        ),
        (
            Operation(0, "MulBackward0", "×", (Operand(1, 4.0, 4.0), Operand(1, 4.0, 4.0)), 0),
            Operation(1, "AddBackward0", "+", (Operand(2, 1.0, 8.0), Operand(3)), 1),
        ),
    )


def test_a_variable_without_a_name_is_known_by_its_value():
    assert texts(scalar_picture(squared()))["v1"] == ["4"]
    assert texts(scalar_picture(squared(), detail="expression"))["v1"] == []
    assert texts(scalar_picture(squared(), detail="expression"))["v3"] == ["1"]


def test_a_local_gradient_without_names_is_just_a_number():
    picture = scalar_picture(squared())
    assert [arrow.lines[0].text for arrow in picture.arrows if arrow.lines] == [
        "local 4",
        "local 4",
        "local 1",
    ]


def test_one_connection_of_two_is_not_the_whole_derivative():
    y, w = Variable(0, "output", "y", 9.0, 1.0), Variable(1, "leaf", "w", 3.0, 6.0)
    graph = ScalarGraph((y, w), (Operation(0, "MulBackward0", "×", (Operand(1, 3.0, 3.0),) * 2, 0),))
    picture = scalar_picture(graph)
    assert [arrow.lines[0].text for arrow in picture.arrows if arrow.tail == "v1"] == ["local 3", "local 3"]
    assert texts(picture)["c1"] == ["∂y/∂w = 3 + 3 = 6"]


def test_what_was_not_kept_is_not_drawn():
    y, w = Variable(0, "output", "y", None, 1.0), Variable(1, "leaf", "w", 3.0, None)
    graph = ScalarGraph((y, w), (Operation(0, "ExpBackward0", "exp", (Operand(1),), 0),))
    picture = scalar_picture(graph)
    assert texts(picture) == {"v0": ["y"], "v1": ["w", "3"], "o0": ["exp"]}
    assert "value not kept" in picture.boxes[0].tooltip
    assert labels(picture) == {("v1", "o0"): ([], []), ("o0", "v0"): ([], ["1"])}


@pytest.mark.parametrize(
    ("symbol", "text"),
    [
        ("^2", "(·)²"),
        ("^-1", "(·)⁻¹"),
        ("^−3", "(·)⁻³"),
        ("^0.5", "^0.5"),
        ("×", "×"),
        ("sigmoid", "sigmoid"),
    ],
)
def test_whole_powers_are_written_above_the_line(symbol, text):
    graph = ScalarGraph((Variable(0, "output"),), (Operation(0, "XBackward0", symbol, (), 0),))
    assert scalar_picture(graph).boxes[1].lines == (Line(text, "symbol"),)


def test_operands_are_drawn_in_the_operations_order():
    """y − w: Graphviz draws the boxes of one column in the order in which they're written, unless that tangles."""
    variables = (
        Variable(0, "output", "s", 1.0, 1.0),
        Variable(1, "leaf", "w", 3.0, -1.0),
        Variable(2, "constant", "y", 4.0),
    )
    graph = ScalarGraph(
        variables, (Operation(0, "SubBackward0", "−", (Operand(2), Operand(1, -1.0, -1.0)), 0),)
    )
    assert [box.key for box in scalar_picture(graph, detail="values").boxes] == ["v0", "v2", "v1", "o0"]
