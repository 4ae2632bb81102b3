# %% [markdown]
# # 1 · The same number from torch
#
# ## Question
#
# Every training loop in PyTorch has these three lines:
#
# ```python
# optimizer.zero_grad()
# loss.backward()
# optimizer.step()
# ```
#
# Chapter 0 trained a weight with pencil and paper, and found a gradient of $-16$. Which of the three lines
# finds it? And what do the other two do?
#
# ## Prediction
#
# The same computation as before: $w = 0$, $x = 2$, $y = 4$, learning rate $0.01$. If PyTorch does what we did
# by hand,
#
# - the forward pass gives a loss of $16$ and changes nothing else,
# - `backward()` finds $-16$, puts it somewhere, and leaves $w$ where it is,
# - `step()` makes $w = 0.16$, since $0 - 0.01 \cdot (-16) = 0.16$, and leaves the gradient where it is,
# - `zero_grad()` takes the gradient away, and leaves $w$ where it is.
#
# ## Run
#
# ### The forward pass
#
# A *tensor* is PyTorch's array of numbers; here each holds just one. `requires_grad=True` says: later I'll
# want the gradient with respect to this tensor. A tensor that you made yourself and that asks for a gradient
# is called a *leaf*. (PyTorch also calls `x` and `y` leaves; here we mean those that want a gradient.) It has
# a place for its gradient, `w.grad`, which is empty (`None`) at first.

# %%
from itertools import pairwise

import torch

from autograd_lab import byhand
from autograd_lab.draw import theme
from autograd_lab.tour import plot, show

x, y = torch.tensor(2.0), torch.tensor(4.0)
w = torch.tensor(0.0, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.01)

loss = (w * x - y) ** 2

print(f"loss = {loss.item():g}   w = {w.item():g}   w.grad = {w.grad}")
assert (loss.item(), w.item(), w.grad) == (16, 0, None)
assert (w.is_leaf, loss.is_leaf) == (True, False)

# %% [markdown]
# The loss is a tensor too, and a special one: it remembers how it was made. (Chapter 2 looks at that memory.)
# We keep a diary of $w$ and `w.grad`; each entry is written right after the call that it names.


# %%
diary = []


def note(call):
    grad = None if w.grad is None else round(w.grad.item(), 4)
    diary.append((call, round(w.item(), 4), grad))
    print(f"{call:<12} w = {w.item():<6.4g} w.grad = {grad}")


note("forward")

# %% [markdown]
# ### `backward()`
#
# This is steps 2 and 3 of chapter 0: PyTorch asks each operation for its local gradient and multiplies, from
# the loss back to the leaf. It writes the result into `w.grad` and changes no weight. (It also lets go of
# what the forward pass had left behind; chapter 3.)

# %%
loss.backward()
note("backward")

assert w.grad.item() == -16 == byhand.chain_rule().dloss_dw
assert w.item() == 0

# %% [markdown]
# ### `step()`
#
# Step 4, the update. That's the work of the *optimizer*; `torch.optim.SGD` does it as we did by hand. It was
# told at the start which tensors are weights. It takes from each the learning rate times its `.grad`. It knows
# nothing of the loss, and doesn't know where the gradient came from.

# %%
optimizer.step()
note("step")

assert round(w.item(), 6) == 0.16
assert w.grad.item() == -16

# %% [markdown]
# ### `zero_grad()`
#
# The old gradient is still there. Left alone it would be *added to* by the next `backward()`. (Chapter 5
# shows what that does, and what it's good for.) So it's taken away first. Despite its name, `zero_grad()`
# doesn't write a zero: it puts back `None`, which also frees the memory.

# %%
optimizer.zero_grad()
note("zero_grad")

assert w.grad is None
assert round(w.item(), 6) == 0.16

# %% [markdown]
# ### The second round
#
# From $w = 0.16$ the gradient is $2 \cdot (0.32 - 4) \cdot 2 = -14.72$. That's the second line of the table
# in chapter 0.

# %%
loss = (w * x - y) ** 2
note("forward")
loss.backward()
note("backward")
optimizer.step()
note("step")

assert diary[-2] == ("backward", 0.16, -14.72)
assert round(byhand.RUNS["one-sample"].train()[1].dw, 4) == -14.72
assert f"{w.item():.3f}" == "0.307"
for (_, *before), (call, *after) in pairwise(diary):
    assert (before[0] != after[0]) + (before[1] != after[1]) == (call != "forward")

# %% [markdown]
# ### The three calls without an optimizer
#
# None of the three is magic. Here is a loop without `torch.optim`, and without `.backward()`:
#
# - `w.grad = None` for `zero_grad()`,
# - `torch.autograd.grad`, which *returns* the gradient, for `backward()`, which puts it into `.grad`,
# - a subtraction for `step()`. `torch.no_grad()` around it says: don't remember this one; it's no part of the
#   loss.


# %%
def own_loop(epochs):
    w = torch.tensor(0.0, requires_grad=True)
    for _ in range(epochs):
        w.grad = None
        loss = (w * x - y) ** 2
        (w.grad,) = torch.autograd.grad(loss, w)
        with torch.no_grad():
            w -= 0.01 * w.grad
    return w


def torchs_loop(epochs):
    w = torch.tensor(0.0, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.01)
    for _ in range(epochs):
        optimizer.zero_grad()
        ((w * x - y) ** 2).backward()
        optimizer.step()
    return w


# %%
ours, theirs = own_loop(10), torchs_loop(10)

print(f"after ten epochs: {ours.item():.6f} and {theirs.item():.6f}")
assert torch.allclose(ours, theirs, rtol=1e-6)
assert f"{ours.item():.3f}" == "1.131"

# %% [markdown]
# ### The tables of chapter 0, by torch
#
# `autograd_lab.bytorch` does each training of chapter 0 again with `zero_grad`, `backward` and `step`. We lay
# the gradients side by side: by hand, and by torch. They aren't just close. In every epoch they have the same
# bits.

# %%
from autograd_lab import bytorch

for name in ("one-sample", "sum"):
    run = byhand.RUNS[name]
    print(f"{name}\nepoch   by hand        by torch")
    for hand, torchs in zip(run.train(), bytorch.twin(run), strict=True):
        print(f"{hand.number:5}   {hand.dw:<14.9g} {torchs.dw:.9g}")
        assert hand.dw == torchs.dw

# %% [markdown]
# ## Figure
#
# The diary, drawn. The forward pass changes neither of the two; each call changes one of them: `backward` the
# gradient (orange), `step` the weight (blue), `zero_grad` the gradient again. Where there is no orange dot,
# `w.grad` is `None`.

# %%
calls = [call for call, _, _ in diary]
places = range(len(calls))

figure, axes = plot("What each call changes", y="w.grad", size=(7, 3.6))
grads = [float("nan") if grad is None else grad for _, _, grad in diary]
axes.plot(places, grads, "o--", color=theme.VERMILLION)
axes.set_xticks(places, calls)
axes.set(ylim=(-16.5, -12), yticks=[-16, -14.72])
axes.yaxis.label.set_color(theme.VERMILLION)

right = axes.twinx()
right.step(places, [w for _, w, _ in diary], "o-", where="mid", color=theme.BLUE)
right.set(ylim=(-0.45, 0.35), yticks=[0, 0.16, 0.3072])
right.set_ylabel("w", color=theme.BLUE)
right.tick_params(labelsize=8)
right.spines[:].set_visible(False)
show(figure, "diary")

# %% [markdown]
# And the backward itself, as it ran. `lab.trace` runs the real `backward()` and records every *node*: one for
# each operation of the forward pass, and one that puts the gradient into the leaf. The numbers are sizes,
# without a sign: $8$, $8$, $16$ for $-8$, $-8$, $-16$. "Stole" means that the leaf took the arriving tensor
# itself as its `.grad`; nothing was copied.

# %%
import autograd_lab as lab

w = torch.tensor(0.0, requires_grad=True)
y_hat = w * x
s = y_hat - y
loss = s**2
trace = lab.trace(loss, names={"w": w, "ŷ": y_hat, "s": s, "loss": loss})

show(trace, "trace", direction="right")
assert w.grad.item() == -16
assert [step.grad_outputs[0].norm for step in trace.steps] == [1, 8, 8, 16]
assert trace.steps[-1].accumulation.how == "stole"

# %% [markdown]
# ## What to notice
#
# - `backward()` computes gradients, `step()` uses them. They share nothing but the place `.grad`.
# - `backward()` begins with the number $1$: the gradient of the loss with respect to itself.
# - `backward()` works for *any* loss that you build of differentiable tensor operations. We worked out one
#   formula; PyTorch works it out for the whole chain, from a local rule for each operation.
#
# ## Try changing
#
# - Leave out the one `optimizer.zero_grad()` of the diary, and the asserts that now stop you. What will
#   `w.grad` be after the second `backward()`? ($-16$ and $-14.72$ are added up.)
# - Call `loss.backward()` twice on the same loss. Read the error; chapter 3 explains it.
# - Give `x` a `requires_grad=True`. Work `x.grad` out by hand first: which operation's local gradient is new?
