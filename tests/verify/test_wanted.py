"""What ``verify`` can't be asked for: one line that says what to give, and nothing is run."""

from __future__ import annotations

import pytest
import torch

import autograd_lab as lab

RULES = 'give the name of a rule, a list of names, or "all"'
CHECKS = "give the name of a check or a list of names"


def never(*_):
    raise AssertionError("it ran")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"swap": True}, f"swap is a bool; {RULES}"),
        ({"swap": False}, f"swap is a bool; {RULES}"),
        ({"swap": 3}, f"swap is an int; {RULES}"),
        ({"swap": b"mul"}, f"swap is a bytes; {RULES}"),
        ({"swap": torch.mul}, f"swap is a builtin_function_or_method; {RULES}"),
        ({"swap": ("mul", 3)}, f"swap holds an int; {RULES}"),
        ({"swap": ["mul", torch.ones(1)]}, f"swap holds a Tensor; {RULES}"),
        ({"skip": True}, f"skip is a bool; {CHECKS}"),
        ({"skip": None}, f"skip is None; {CHECKS}"),
        ({"skip": (1,)}, f"skip holds an int; {CHECKS}"),
        ({"swap": "mul", "skip": 3}, f"skip is an int; {CHECKS}"),
        ({"native": 3}, "native is an int; give what computes the same"),
        ({"seed": None}, "seed is None; give a whole number"),
        ({"swap": "mul", "seed": 1.5}, "seed is a float; give a whole number"),
        ({"swap": []}, f"swap holds nothing; {RULES}"),
        (
            {"swap": "mul", "native": never},
            "with swap a step is compared with the same step without the rules, so ",
        ),
    ],
)
def test_what_can_not_be_asked_for_is_refused_in_one_line(asked, says):
    with pytest.raises(lab.VerifyError) as caught:
        lab.verify(never, (torch.ones(1, requires_grad=True),), **asked)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("swap", ["mul", ["mul"], ("mul", "add"), {"mul"}, iter(["mul"]), "all"])
def test_names_come_in_whatever_can_be_gone_through(swap):
    leaf = torch.ones(2, requires_grad=True)
    report = lab.verify(lambda: (leaf * 2).sum(), swap=swap)
    assert report.ok
    assert dict(report.swapped)["mul.Tensor"] == 1


@pytest.mark.parametrize("option", ["inputs", "native"])
def test_what_a_rules_name_leaves_no_room_for_is_refused(option):
    """It was ignored in silence, as ``native=`` beside ``swap=`` was: the samples are the rule's own."""
    with pytest.raises(
        lab.VerifyError, match=f"so {option}=? would say nothing; leave it out, or give the rule itself"
    ):
        lab.verify("mul", **{option: never})
