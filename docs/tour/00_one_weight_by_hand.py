# %% [markdown]
# # 0 · One weight, by hand
#
# ## Question
#
# A network learns by changing its *weights*, the numbers inside it. How does it know which way to change
# them, and by how much?
#
# We take the smallest network there is: one weight. It's shown an input $x$ and says $\hat y = w \cdot x$,
# its *prediction*. The right answer, the *target*, is $y$. The pairs we show it follow the rule $y = 2x$,
# which it isn't told. Training should find $w = 2$.
#
# Every training step, here and in a network of billions of weights, has four parts:
#
# 1. **Forward pass.** Put $x$ in, get $\hat y$ out, and measure how wrong it is. That measure is the *loss*.
# 2. **Gradient.** Ask each operation on the way: if your input grew a little, how much would your output
#    grow?
# 3. **Backpropagation.** Multiply these answers together, from the loss back to the weight.
# 4. **Update.** Move the weight a little, in the direction in which the loss falls.
#
# ## Prediction
#
# Take $x = 2$, $y = 4$, and start at $w = 0$. As the loss, take the square of the difference:
#
# $$\text{loss} = (w x - y)^2 = (0 \cdot 2 - 4)^2 = 16.$$
#
# School calculus gives its derivative with respect to $w$:
#
# $$\frac{d\,\text{loss}}{dw} = 2 (w x - y) \cdot x = 2 \cdot (-4) \cdot 2 = -16.$$
#
# This number is the *gradient*. It's negative: the loss falls if $w$ grows. So we expect the update to make
# $w$ larger. Keep the $-16$ in mind. The rest of this tour is about where it comes from.
#
# ## Run
#
# ### 1. Forward pass
#
# Three operations, one a line: multiply, subtract, square. The difference between prediction and target is
# called the *residual*; we write $s$ for it.

# %%
from itertools import pairwise

import numpy as np

from autograd_lab import byhand
from autograd_lab.draw import theme
from autograd_lab.tour import plot, show

w, x, y = 0.0, 2.0, 4.0

y_hat = w * x
s = y_hat - y
loss = s**2

print(f"ŷ = {y_hat:g}   s = {s:g}   loss = {loss:g}")
assert (y_hat, s, loss) == (0, -4, 16)

# %% [markdown]
# ### 2. Gradient
#
# First the crude way, which needs no calculus: *nudge* the weight a little to both sides, and see how the
# loss changes. The change of the loss, divided by the change of the weight, is a slope.


# %%
def loss_at(w):
    return (w * x - y) ** 2


nudge = 0.5
up, down = loss_at(w + nudge), loss_at(w - nudge)
slope = (up - down) / (2 * nudge)

print(f"loss at w = 0.5: {up:g}   at w = -0.5: {down:g}   slope: {slope:g}")
assert (up, down, slope) == (9, 25, -16)
assert all((loss_at(w + far) - loss_at(w - far)) / (2 * far) == slope for far in (0.25, 1, 8, 1024))

# %% [markdown]
# There it is: $-16$. (For a parabola this slope is exact, however large the nudge.) But nudging needs two
# forward passes for *each* weight. With a billion weights that's two billion forward passes for one step.
# There is a better way.
#
# Ask each operation for its own slope, its *local gradient*. That needs no knowledge of the other operations:
#
# | operation | local gradient | why |
# |---|---|---|
# | $\text{loss} = s^2$ | $d\,\text{loss}/ds = 2s$ | the derivative of a square |
# | $s = \hat y - y$ | $ds/d\hat y = 1$ | if $\hat y$ grows by 1, so does $s$ |
# | $\hat y = w \cdot x$ | $d\hat y/dw = x$ | if $w$ grows by 1, $\hat y$ grows by $x$ |

# %%
dloss_ds = 2 * s
ds_dy_hat = 1.0
dy_hat_dw = x

print(f"dloss/ds = {dloss_ds:g}   ds/dŷ = {ds_dy_hat:g}   dŷ/dw = {dy_hat_dw:g}")
assert (dloss_ds, ds_dy_hat, dy_hat_dw) == (-8, 1, 2)

# %% [markdown]
# ### 3. Backpropagation
#
# How much does the loss change when $w$ does? $\hat y$ changes twice as fast as $w$, $s$ as fast as $\hat y$,
# and the loss $-8$ times as fast as $s$. Rates of change multiply. That is the *chain rule*:
#
# $$\frac{d\,\text{loss}}{dw} = \frac{d\,\text{loss}}{ds} \cdot \frac{ds}{d\hat y} \cdot \frac{d\hat y}{dw}
# = -8 \cdot 1 \cdot 2 = -16.$$
#
# We multiply from the left, beginning at the loss. After each factor, what we have is the gradient of the
# loss with respect to one more number on the way back: first $s$, then $\hat y$, then $w$. Going backward is
# what gives *backpropagation* its name. One pass backward gives the gradient of every weight, however many
# there are. (`byhand.chain_rule`, from this package, does the same and prints every factor.)

# %%
grad_s = 1.0 * dloss_ds
grad_y_hat = grad_s * ds_dy_hat
grad_w = grad_y_hat * dy_hat_dw

print(byhand.chain_rule(w, x, y))
assert (grad_s, grad_y_hat, grad_w) == (-8, -8, -16)
assert grad_w == slope == byhand.chain_rule(w, x, y).dloss_dw

# %% [markdown]
# ### 4. Update
#
# The gradient points in the direction in which the loss *grows*, so we go against it. How far? The *learning
# rate*, `lr`, says which fraction of the gradient to go:
#
# $$w \leftarrow w - \text{lr} \cdot \frac{d\,\text{loss}}{dw} = 0 - 0.01 \cdot (-16) = 0.16.$$

# %%
lr = 0.01
new_w = w - lr * grad_w

print(f"w: {w:g} → {new_w:g}   loss: {loss_at(w):g} → {loss_at(new_w):g}")
assert new_w == 0.16
assert round(loss_at(new_w), 4) == 13.5424

# %% [markdown]
# ### Again and again
#
# One step isn't enough: $w$ is $0.16$ and should be $2$. Training repeats the four parts. One pass over the
# data is called an *epoch*. Here is the whole training, for any number of *samples*, as the pairs of an $x$
# and its $y$ are called. `x` and `y` are arrays now; the gradient, `dw` for short, adds up what every sample
# asks for.


# %%
def train(x, y, lr=0.01, epochs=10):
    x, y = np.array(x, np.float32), np.array(y, np.float32)
    w, history = 0.0, []
    print("epoch: loss, w, dw")
    for number in range(1, epochs + 1):
        y_hat = w * x  # 1. forward pass
        loss = np.mean((y_hat - y) ** 2)
        dw = float(np.sum(2 * (y_hat - y) * x))  # 2. and 3. local gradients, multiplied
        w -= lr * dw  # 4. update
        history.append((loss, w, dw))
        print(f"{number}: {loss:.8f}, {w:.3f}, {dw:.3f}")
    return history


# %% [markdown]
# One sample, $x = 2$ and $y = 4$. The first line is the step that we have just worked by hand.

# %%
one = train([2], [4])

assert one[0] == (16, 0.16, -16)
assert f"{one[-1][1]:.3f}" == "1.131"

# %% [markdown]
# After ten epochs $w$ is $1.131$. Why so slow? The remaining distance to $2$ is multiplied by the same factor
# at every step, $1 - 2 \cdot \text{lr} \cdot x^2 = 0.92$: a step takes away only 8% of the error. That
# follows from putting $y = 2x$ into the gradient; check it on the table:

# %%
errors = [2 - w for _, w, _ in one]
factors = [after / before for before, after in pairwise(errors)]

print([round(factor, 4) for factor in factors])
assert np.allclose(factors, 1 - 2 * 0.01 * 2**2)

# %% [markdown]
# Four samples of the same rule. At $w = 0$ their gradients are $-4$, $-16$, $-36$ and $-64$: together $-120$.
# The loss column shows the *mean* of the four squares, known as the *mean squared error* or MSE, but the
# update here follows the gradient of their *sum*. The gradient of the mean is a quarter of that, $-30$; with
# four times the learning rate it would take the very same steps.

# %%
four = train([1, 2, 3, 4], [2, 4, 6, 8])

assert [2 * (0 * x - 2 * x) * x for x in (1, 2, 3, 4)] == [-4, -16, -36, -64]
assert four[0][2] == -120
assert np.mean([2 * (0 * x - 2 * x) * x for x in (1, 2, 3, 4)]) == -30
assert f"{four[-1][1]:.3f}" == "2.000"

# %% [markdown]
# Now ten epochs are enough: $w$ is $2.000$ to three places. This package, the *lab*, has the same training as
# a module of its own, `autograd_lab.byhand`, which uses NumPy only. Its tables are the same, to the last digit:

# %%
for name, history in (("one-sample", one), ("sum", four)):
    assert [(e.loss, e.w, e.dw) for e in byhand.RUNS[name].train()] == history

# %% [markdown]
# ## Figure
#
# **The gradient is a slope.** The curve is the loss of our one sample, for every weight that we might have.
# The straight line touches it at $w = 0$; its slope is the gradient, $-16$. The dots are the first steps of
# the training: each goes down, and each is shorter than the one before, because the curve gets flatter.

# %%
weights = np.linspace(-0.6, 4.2, 200)
steps = [0.0] + [w for _, w, _ in one]

figure, axes = plot("The loss over the weight, and its tangent at w = 0", x="w", y="loss")
axes.plot(weights, loss_at(weights), label="loss = (2w − 4)²")
axes.plot([-0.45, 0.95], [loss + grad_w * at for at in (-0.45, 0.95)], "--", label="tangent, slope −16")
axes.plot(steps, [loss_at(w) for w in steps], "o", markersize=4, label="ten steps of training")
axes.legend(frameon=False, fontsize=9)
show(figure, "slope")

lengths = [after - before for before, after in pairwise(steps)]
assert all(loss_at(after) < loss_at(before) for before, after in pairwise(steps))
assert all(after < before for before, after in pairwise(lengths))

# %% [markdown]
# **The chain rule is a path.** The same computation as a tree, read from left to right: values are blue,
# local gradients stand beside the solid arrows, and what comes back along the dashed ones is red: $-8$, $-8$,
# $-16$. Nobody drew this picture. The lab read it off the same computation, made with PyTorch. (Chapter 1
# makes it step by step, and chapter 2 says how it's read.)

# %%
import torch

w_ = torch.tensor(0.0, requires_grad=True)
x_, y_ = torch.tensor(2.0), torch.tensor(4.0)
y_hat_ = w_ * x_
s_ = y_hat_ - y_
loss_ = s_**2

names = {"w": w_, "x": x_, "y": y_, "ŷ": y_hat_, "s": s_, "loss": loss_}
show(loss_, "chain", view="scalar", names=names, detail="gradients")
assert torch.autograd.grad(loss_, (s_, y_hat_, w_)) == (-8, -8, -16)

# %% [markdown]
# **Two weights make a surface.** Give the network a second weight $b$, so that it says $\hat y = w \cdot x +
# b$. Now the loss is a height over a plane, and the gradient is a pair of slopes: one in the direction of
# $w$, one in that of $b$. Seen from above, it's like a map: along each line the loss is the same. The
# gradient stands at right angles to the line that it starts from, and points uphill. Training goes the other
# way, down to the lowest point at $w = 2$, $b = 0$. (Height and slopes are those of the *mean* here, so the
# learning rate may be larger: $0.06$ for the mean is $0.015$ for the sum.)


# %%
samples = [(1, 2), (2, 4), (3, 6), (4, 8)]


def mean_loss(w, b):
    return sum((w * x + b - y) ** 2 for x, y in samples) / 4


path = [(0.0, 3.0)]
for _ in range(300):
    w, b = path[-1]
    dw = sum(2 * (w * x + b - y) * x for x, y in samples) / 4
    db = sum(2 * (w * x + b - y) for x, y in samples) / 4
    path.append((w - 0.06 * dw, b - 0.06 * db))

assert all(mean_loss(*after) < mean_loss(*before) for before, after in pairwise(path))
assert mean_loss(2, 0) == 0
assert np.allclose(path[-1], (2, 0), atol=0.02)

# %%
grid_w, grid_b = np.meshgrid(np.linspace(-0.5, 3.5, 80), np.linspace(-1, 4, 80))
path_w, path_b = np.array(path).T

figure, axes = plot("Contours of the loss, and the path down", x="w", y="b", size=(5, 5.4))
levels = [0.1, 0.5, 1, 2, 4, 8, 16, 32, 64]
lines = axes.contour(grid_w, grid_b, mean_loss(grid_w, grid_b), levels, colors=theme.BLUE)
axes.clabel(lines, fontsize=7)
axes.plot(path_w, path_b, ".-", color=theme.VERMILLION, markersize=4, label="300 steps")
axes.plot(2, 0, "x", color=theme.INK, label="w = 2, b = 0")
axes.set_aspect("equal")  # so that right angles look right
axes.legend(frameon=False, fontsize=9, loc="lower left")
show(figure, "contours")

# %% [markdown]
# ## What to notice
#
# - The gradient is one number for each weight: the slope of the loss. Its sign says which way, its size how
#   steep.
# - A local gradient needs only what the operation itself has seen: $2s$ needs $s$, and $d\hat y/dw$ needs
#   $x$. So the forward pass has to leave $s$ and $x$ behind for the way back. (Chapter 3 looks at what
#   PyTorch leaves.)
# - The sum of the samples' gradients is the gradient of the sum. (Chapter 5 looks at where gradients add.)
#
# ## Try changing
#
# - Start at `w = 4.0`. The asserts for $w = 0$ will stop you; what are the right numbers, and what sign has
#   the gradient?
# - Train on `train([2, 4, 6, 8], [4, 8, 12, 16])`: the same rule, twice the $x$. The loss explodes. Why? (The
#   factor is now $1 - 2 \cdot 0.01 \cdot 120 = -1.4$: every step lands further from $2$ than it started.)
# - Find a learning rate that reaches $w = 2$ in *one* step from those data. (The factor would have to be
#   $0$.)
