# %% [markdown]
# # 9 · Is it right?
#
# ## Question
#
# You wrote a `backward`. The training runs, the loss falls. But a loss often falls with wrong gradients too, only
# slower. How can you know that a gradient is right, without trusting the formula that you derived it from?

# %% [markdown]
# ## Prediction
#
# A derivative is a slope, and a slope can be *measured*. Step a little to the right and to the left, and see how much
# the function rises between the two:
#
# $$\text{slope}(h) = \frac{f(x + h) - f(x - h)}{2h}$$
#
# Try it on $f(x) = x^3$ at $x = 2$, where the derivative is $3x^2 = 12$. Multiply out the cubes: most terms cancel,
# and what is left is exactly $3x^2 + h^2$. So the measured slope is off by $h^2$. With $h = 0.1$ it should be
# $12.01$. (For a parabola, as in chapter 0, nothing is left: there it was exact.)
#
# Then a smaller $h$ is a better $h$? Not forever. $f(x + h)$ and $f(x - h)$ become nearly equal, and a computer keeps
# about 16 digits of each. In their difference only the last few digits survive. We expect a best $h$ somewhere in the
# middle.

# %% [markdown]
# ## Run

# %%
import torch

import autograd_lab as lab
from autograd_lab.tour import plot, show


def slope(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


def cube(x):
    return x**3


for h in (1e-1, 1e-3, 1e-5, 1e-9, 1e-13):
    print(f"h = {h:.0e}   slope = {slope(cube, 2.0, h):.12f}")

assert abs(slope(cube, 2.0, 0.1) - 12.01) < 1e-12
errors = {exponent: abs(slope(cube, 2.0, 10.0**exponent) - 12) for exponent in range(-14, 0)}
assert min(errors, key=errors.get) in (-6, -5)
assert min(errors.values()) < 1e-9
assert errors[-13] > 1e-3

# %% [markdown]
# The best of them has more than ten right digits. That's plenty to tell a right formula from a wrong one. It is also
# why such checks are made in `float64`: in `float32`, with its seven digits, little would be left.
#
# ### gradcheck
#
# `torch.autograd.gradcheck` does this for every input element and every output element of a Function, and compares
# with what `backward` says. Here are five versions of `Mul`. They differ in one line each, and only the first is
# right.


# %%
def mul_with(backward):
    class Mul(torch.autograd.Function):
        @staticmethod
        def forward(x, y):
            return x * y

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, grad):
            x, y = ctx.saved_tensors
            return backward(grad, x, y)

    return Mul


# %%
def fit(grad, like):
    return grad.sum_to_size(like.shape)  # chapter 8's unbroadcast


versions = {
    "right": mul_with(lambda grad, x, y: (fit(grad * y, x), fit(grad * x, y))),
    "wrong sign": mul_with(lambda grad, x, y: (fit(grad * y, x), fit(-grad * x, y))),
    "mixed up": mul_with(lambda grad, x, y: (fit(grad * x, x), fit(grad * y, y))),
    "a bit off": mul_with(lambda grad, x, y: (fit(1.0001 * grad * y, x), fit(grad * x, y))),
    "no sum": mul_with(lambda grad, x, y: (grad * y, grad * x)),
}

# %%
torch.manual_seed(0)
x, y = (torch.rand(3, dtype=torch.float64, requires_grad=True) for _ in range(2))

passes = {
    name: torch.autograd.gradcheck(version.apply, (x, y), raise_exception=False)
    for name, version in versions.items()
}
for name, passed in passes.items():
    print(f"{name:12}", "passes" if passed else "caught")

assert [name for name, passed in passes.items() if not passed] == ["wrong sign", "mixed up"]

# %% [markdown]
# Two are caught, and two slip through. The one that is a bit off hides below gradcheck's tolerance, which must allow
# for measuring. And the one without the sum can't be caught like this, whatever the shapes: gradcheck calls it
# through the engine, and the engine does the sum (chapter 8). Other callers don't.
#
# ### verify
#
# `lab.verify` brings its own collection of nasty inputs: broadcast, empty, negative, with a zero, one tensor twice,
# not contiguous, in other dtypes. And it doesn't only measure. Your `forward`, run without your `backward`, is a
# plain computation that PyTorch can differentiate itself, to the last digit. So there's something exact to compare
# with. It also calls `backward` without the engine. And it names the fault:

# %%
reports = {name: lab.verify(version) for name, version in versions.items()}
for name, report in reports.items():
    print(f"{name:12}", "passes" if report.ok else report.failed[0].message)

assert [name for name, report in reports.items() if report.ok] == ["right"]
assert reports["wrong sign"].failed[0].message == "the gradient of input 1 has the wrong sign"
assert reports["mixed up"].failed[0].message == "the gradient of input 0 is that of input 1"
assert "is slightly off, by up to 1.0e-04" in reports["a bit off"].failed[0].message
assert "it forgets the unbroadcast" in reports["no sum"].failed[0].message

# %% [markdown]
# ### Pow at zero
#
# Some faults sit at single points. Take $z = x^y$ where the exponent is a tensor too. By the book:
#
# $$\frac{\partial z}{\partial x} = y \, x^{y-1} \qquad \frac{\partial z}{\partial y} = z \ln x$$
#
# Both are right, and both break at zero:


# %%
class Pow(torch.autograd.Function):
    @staticmethod
    def forward(x, y):
        return x**y

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx, grad):
        x, y, z = ctx.saved_tensors
        return fit(grad * y * x ** (y - 1), x), fit(grad * z * x.log(), y)


base = torch.tensor([0.0, 0.0, 2.0], dtype=torch.float64, requires_grad=True)
exponent = torch.tensor([0.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
for_base, for_exponent = torch.autograd.grad(Pow.apply(base, exponent).sum(), (base, exponent))
print(for_base, for_exponent, sep="\n")

# %% [markdown]
# At $x = 0$, $y = 0$ the first formula is $0 \cdot 0^{-1}$, that is $0 \cdot \infty$, which is NaN: *not a number*.
# Yet $x^0$ is $1$ for every $x$, as flat as can be, and its slope is $0$. At $x = 0$, $y = 2$ the second one says
# $0^2 \cdot \ln 0$, or $0 \cdot (-\infty)$. NaN again, where the limit is $0$. One such number in a batch, and the next
# update makes NaN of every weight that its gradient reaches.

# %%
assert for_base[0].isnan()
assert for_exponent[1].isnan()
assert (0 * for_base[0]).isnan()

report = lab.verify(Pow)
print(report.failed[0].message, report.failed[0].sample, sep="\n")

assert report.failed[0].message.endswith("the gradient of input 0 is NaN where an input is zero")

# %% [markdown]
# PyTorch's own rule and the lab's put a number there that does no harm. (At $x = 0$, $y = 0$ the slope along $y$
# doesn't exist; both take $0$.)

# %%
for rule in (torch.pow, lab.functions.Pow.apply):
    for_base, for_exponent = torch.autograd.grad(rule(base, exponent).sum(), (base, exponent))
    assert for_base.tolist() == [0, 0, 12]
    assert for_exponent.tolist()[:2] == [0, 0]

print(lab.verify("pow"))
assert lab.verify("pow").ok

# %% [markdown]
# ## Figure

# %%
exponents = [at / 4 for at in range(-56, 0)]
errors = [abs(slope(cube, 2.0, 10**at) - 12) for at in exponents]
figure, axes = plot("How far the measured slope of x³ is off, at x = 2", x="step h", y="error")
axes.loglog([10**at for at in exponents], [max(error, 1e-16) for error in errors], "o-", markersize=3)
axes.loglog([10**at for at in exponents if at > -6], [10 ** (2 * at) for at in exponents if at > -6], ":")
axes.text(1.5e-4, 1e-10, "h²: the formula's\nown error", fontsize=9)
axes.text(1e-13, 1e-8, "digits lost\nin the difference", fontsize=9)
show(figure, "step")

assert abs(errors[exponents.index(-2)] - 1e-4) < 1e-9

# %% [markdown]
# ## What to notice
#
# - Measuring needs no formula, so it is independent of the one that you derived. But it costs two forward passes
#   for each input element and loses a third of the digits. Backward gives all of them in one go. So measuring is
#   for checking, not for training.
# - A check is as good as its inputs and its caller. Random numbers hid the zero; the engine hid the missing sum.
# - NaN can't be multiplied away, since NaN times 0 is NaN. A rule must *select* the right value, and that's what
#   `torch.where` is for.

# %% [markdown]
# ## Try changing
#
# - Measure with `(f(x + h) − f(x)) / h` instead. How does its error shrink with $h$, and where is the best $h$ now?
# - Mend `Pow` with `torch.where` until `lab.verify(Pow)` is content. Compare with the formula in
#   `lab.functions.Pow.formula`.
# - Write `grad.mul_(y)` for `grad * y` in one of the versions. Which checks complain, and why is that a fault at
#   all?
