"""Training by hand: the printed tables, the run that explodes, and torch as the judge of each gradient."""

import ast
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from autograd_lab import byhand, bytorch
from autograd_lab.byhand import RUNS, Epoch, chain_rule, mean_gradient, sum_gradient, table, train
from autograd_lab.errors import LabError

# As the worked example printed them, with an ASCII minus.
ONE_SAMPLE_TABLE = """\
epoch: loss, w, dw
1: 16.00000000, 0.160, -16.000
2: 13.54240036, 0.307, -14.720
3: 11.46228790, 0.443, -13.542
4: 9.70168018, 0.567, -12.459
5: 8.21150303, 0.682, -11.462
6: 6.95021534, 0.787, -10.545
7: 5.88266134, 0.884, -9.702
8: 4.97908545, 0.974, -8.926
9: 4.21429777, 1.056, -8.212
10: 3.56698155, 1.131, -7.555"""

FOUR_SAMPLE_TABLE = """\
epoch: loss, w, dw
1: 30.00000000, 1.200, -120.000
2: 4.79999924, 1.680, -48.000
3: 0.76800019, 1.872, -19.200
4: 0.12288000, 1.949, -7.680
5: 0.01966083, 1.980, -3.072
6: 0.00314570, 1.992, -1.229
7: 0.00050332, 1.997, -0.492
8: 0.00008053, 1.999, -0.197
9: 0.00001288, 1.999, -0.079
10: 0.00000206, 2.000, -0.031"""

every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
either_gradient = pytest.mark.parametrize(
    ("gradient", "objective"),
    [(sum_gradient, bytorch.sum_of_squares), (mean_gradient, bytorch.mean_of_squares)],
)


def differing_lines(text, other):
    return {
        number
        for number, (line, theirs) in enumerate(zip(text.splitlines(), other.splitlines(), strict=True))
        if line != theirs
    }


# The printed tables


def test_one_sample_digit_for_digit():
    assert table(RUNS["one-sample"].train()) == ONE_SAMPLE_TABLE


def test_four_samples_digit_for_digit():
    assert table(RUNS["sum"].train()) == FOUR_SAMPLE_TABLE


@pytest.mark.parametrize(
    ("name", "expected", "parts_at"),
    [("sum", FOUR_SAMPLE_TABLE, {2, 6}), ("one-sample", ONE_SAMPLE_TABLE, {4, 5, 6, 8})],
)
def test_float32_weight_gives_another_table(name, expected, parts_at):
    run = RUNS[name]
    x, y = np.array(run.x, np.float32), np.array(run.y, np.float32)
    w, epochs = np.float32(0), []
    for number in range(1, 11):
        y_hat = w * x
        dw = sum_gradient(x, y, y_hat)
        w = w - np.float32(run.lr) * dw
        assert w.dtype == np.float32
        epochs.append(Epoch(number, float(byhand.loss(y_hat, y)), float(w), float(dw)))
    assert differing_lines(table(epochs), expected) == parts_at


def test_numpy_2_makes_the_weight_float32_where_python_float_stays():
    w = 0.0
    w -= 0.01 * np.float32(-16)
    assert type(w) is np.float32
    assert byhand.forward(0.5, np.ones(3, np.float32)).dtype == np.float32


def fused_dot_gradient(x, y, y_hat):
    """A dot product by fused multiply-add, exactly: float64 holds each unrounded sum of this run."""
    total = np.float32(0)
    for a, b in zip(2 * x, y_hat - y, strict=True):
        wide = float(a) * float(b) + float(total)
        assert wide - float(total) == float(a) * float(b)
        assert wide - float(a) * float(b) == float(total)
        total = np.float32(wide)
    return total


def products_added_backwards(x, y, y_hat):
    total = np.float32(0)
    for product in (2 * x * (y_hat - y))[::-1]:
        total += product
    return total


def test_fused_multiply_add_differs_in_epochs_6_and_7():
    lines = table(train(RUNS["sum"].x, RUNS["sum"].y, gradient=fused_dot_gradient))
    assert differing_lines(lines, FOUR_SAMPLE_TABLE) == {6, 7}
    assert lines.splitlines()[6:8] == ["6: 0.00314574, 1.992, -1.229", "7: 0.00050331, 1.997, -0.492"]


def test_the_order_of_adding_rounded_products_does_not_show():
    epochs = train(RUNS["sum"].x, RUNS["sum"].y, gradient=products_added_backwards)
    assert table(epochs) == FOUR_SAMPLE_TABLE


# Converging and exploding


def test_the_listings_data_explode_with_the_sum():
    first, second, third, *rest = RUNS["sum-explodes"].train()
    assert [first.loss, first.dw] == [120.0, -480.0]
    assert f"{second.loss:.1f} {second.dw:.0f} {third.loss:.2f}" == "235.2 672 460.99"
    assert all(later.loss > third.loss for later in rest)
    assert rest[-1].loss > 50_000


def test_the_listings_data_converge_with_a_mean():
    epochs = RUNS["mean"].train()
    assert epochs[0].loss == 120.0
    assert epochs[-1].loss < 1e-5
    assert epochs[-1].w == pytest.approx(2, abs=1e-3)


def test_mean_run_is_the_sum_run_with_four_times_the_loss():
    same_but_for_loss = tuple(replace(epoch, loss=epoch.loss / 4) for epoch in RUNS["mean"].train())
    assert same_but_for_loss == RUNS["sum"].train()


@every_run
def test_factor_is_the_formula(run):
    squares = np.square(run.x)
    reduced = squares.sum() if run.gradient is sum_gradient else squares.mean()
    assert run.factor == pytest.approx(1 - 2 * run.lr * reduced, rel=1e-14)


@pytest.mark.parametrize(
    ("name", "factor"), [("one-sample", 0.92), ("sum", 0.4), ("sum-explodes", -1.4), ("mean", 0.4)]
)
def test_factor_of_each_run(name, factor):
    assert RUNS[name].factor == pytest.approx(factor, rel=1e-14)


@every_run
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_measured_error_ratio_is_the_factor(run, dtype):
    errors = [-2.0] + [epoch.w - 2 for epoch in run.train(dtype=dtype)]
    # ŷ, the products and their sum are rounded to dtype: a few ulps of w come in, however small the error is.
    ulps = 8 * float(np.finfo(dtype).eps) * max(2.0, *map(abs, errors))
    for before, after in pairwise(errors):
        assert after == pytest.approx(run.factor * before, rel=0, abs=(1 - run.factor) * ulps)


@every_run
def test_loss_changes_by_the_factor_squared(run):
    epochs = run.train(dtype=np.float64)
    for before, after in pairwise(epochs):
        assert after.loss / before.loss == pytest.approx(run.factor**2, rel=1e-10)


@pytest.mark.parametrize(("times", "converges"), [(0.99, True), (1.01, False)])
def test_the_limit_on_the_learning_rate(times, converges):
    run = replace(RUNS["sum-explodes"], lr=times / 120)
    epochs = run.train(dtype=np.float64)
    assert (abs(run.factor) < 1) is converges
    assert (epochs[-1].loss < epochs[0].loss) is converges


def test_the_learning_rate_that_arrives_at_once():
    run = replace(RUNS["sum-explodes"], lr=1 / 240)
    assert run.factor == pytest.approx(0, abs=1e-15)
    assert run.train(dtype=np.float64)[0].w == pytest.approx(2, rel=1e-15)


def test_a_long_divergence_overflows_with_a_warning():
    with pytest.raises(RuntimeWarning, match="overflow"):  # an error here, as pytest is told to make it
        RUNS["sum-explodes"].train(epochs=200)


# The chain rule


def test_worked_example():
    example = chain_rule()
    assert (example.y_hat, example.s, example.loss) == (0, -4, 16)
    assert (example.dloss_ds, example.ds_dy_hat, example.dy_hat_dw) == (-8, 1, 2)
    assert example.dloss_dw == -16 == RUNS["one-sample"].train()[0].dw


EPS = float(np.finfo(float).eps)
UNDERFLOW = 1e-300  # below this a product's rounding error is no longer in proportion to it

numbers = st.floats(-100, 100, allow_subnormal=False)
samples = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=8)


@given(numbers, numbers, numbers)
def test_chain_rule_is_autograds(w, x, y):
    weight = torch.tensor(w, dtype=torch.float64, requires_grad=True)
    y_hat = weight * x
    s = y_hat - y
    loss = s**2
    y_hat.retain_grad(), s.retain_grad(), loss.backward()
    example = chain_rule(w, x, y)
    assert (example.y_hat, example.s, example.loss) == (y_hat.item(), s.item(), loss.item())
    assert example.dloss_ds == s.grad.item()
    assert example.dloss_ds * example.ds_dy_hat == y_hat.grad.item()
    assert example.dloss_dw == weight.grad.item()


# The gradients: against autograd, and against a difference quotient, which a parabola's slope equals exactly


def scale(x, y, w):
    """An upper bound on the numbers that were added up, for a tolerance that fits the data."""
    return float(np.sum((2 * np.abs(x) + 1) * (np.abs((np.abs(w) + 1) * x) + np.abs(y) + 1) ** 2))


@either_gradient
@given(samples, numbers)
def test_gradient_is_autograds(gradient, objective, pairs, w):
    x, y = np.array(pairs).T
    weight = torch.tensor(w, dtype=torch.float64, requires_grad=True)
    objective(weight * torch.from_numpy(x.copy()), torch.from_numpy(y.copy())).backward()
    by_hand = float(gradient(x, y, byhand.forward(w, x)))
    bound = float(np.sum(np.abs(2 * x) * (np.abs(w * x) + np.abs(y))))
    assert by_hand == pytest.approx(weight.grad.item(), rel=0, abs=8 * EPS * bound + UNDERFLOW)


@either_gradient
@given(samples, numbers)
def test_gradient_is_the_difference_quotient(gradient, objective, pairs, w):
    x, y = np.array(pairs).T

    def descended(at):
        return objective(torch.from_numpy(byhand.forward(at, x)), torch.from_numpy(y.copy())).item()

    quotient = (descended(w + 1) - descended(w - 1)) / 2
    by_hand = float(gradient(x, y, byhand.forward(w, x)))
    assert by_hand == pytest.approx(quotient, rel=0, abs=16 * EPS * scale(x, y, w))


# The same training in torch


@every_run
def test_torch_gradients_are_the_same_bits_at_each_epoch(run):
    for by_hand, by_torch in zip(run.train(), bytorch.twin(run), strict=True):
        assert by_torch.number == by_hand.number
        assert by_torch.dw == by_hand.dw
        assert by_torch.loss == by_hand.loss
        # The update itself: one rounding or two, in float64.
        assert by_torch.w == pytest.approx(by_hand.w, rel=1e-14)


@every_run
def test_torch_gradients_in_float64(run):
    curvature = (1 - run.factor) / run.lr  # how far a gradient moves when w moves
    pairs = zip(run.train(dtype=np.float64), bytorch.twin(run, dtype=torch.float64), strict=True)
    largest_w = 2.0
    for by_hand, by_torch in pairs:
        ulps = by_hand.number * EPS * largest_w  # one update, one ulp of w
        assert by_torch.dw == pytest.approx(by_hand.dw, rel=0, abs=2 * curvature * ulps)
        assert by_torch.w == pytest.approx(by_hand.w, rel=1e-14)
        largest_w = max(largest_w, abs(by_hand.w))


@every_run
def test_torch_gradients_with_a_float32_weight(run):
    by_torch = bytorch.twin(run, weight_dtype=torch.float32)
    by_hand = run.train()
    assert [epoch.dw for epoch in by_torch] == pytest.approx([epoch.dw for epoch in by_hand], rel=1e-5)
    assert [epoch.dw for epoch in by_torch] != [epoch.dw for epoch in by_hand]


@either_gradient
def test_objectives_pair_each_gradient_with_its_own_loss(gradient, objective):
    assert bytorch.OBJECTIVES[gradient] is objective


# Wrong calls


@pytest.mark.parametrize(
    ("x", "y"), [([1, 2], [1]), ([], []), ([[1], [2]], [1, 2]), ([[1, 2]], [[1, 2]]), (1, 1)]
)
def test_samples_that_do_not_pair_up(x, y):
    for call in (
        lambda: train(x, y, gradient=sum_gradient),
        lambda: bytorch.train(x, y, objective=bytorch.sum_of_squares),
    ):
        with pytest.raises(LabError, match=r"^x has shape .*: give two flat lists of the same length$"):
            call()


def test_a_run_of_ones_own_has_no_twin():
    with pytest.raises(LabError, match=r"^sum: its gradient's objective isn't known"):
        bytorch.twin(replace(RUNS["sum"], gradient=fused_dot_gradient))


def test_an_objective_without_the_weight():
    with pytest.raises(LabError, match="let the objective depend on ŷ"):
        bytorch.train([1], [2], objective=lambda y_hat, y: y.clone().requires_grad_().sum())


# NumPy only


def test_imports_nothing_but_numpy():
    with open(byhand.__file__, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    names = [
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    ]
    foreign = {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
    assert foreign == {"numpy", "numpy.typing", "autograd_lab.errors"}


def test_runs_where_torch_cannot_be_imported():
    program = (
        "import sys, runpy; sys.modules['torch'] = None;"
        "runpy.run_module('autograd_lab.byhand', run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-W", "error", "-c", program],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert ONE_SAMPLE_TABLE in done.stdout
    assert FOUR_SAMPLE_TABLE in done.stdout
    assert "dloss/dw = -8 · 1 · 2 = -16" in done.stdout
