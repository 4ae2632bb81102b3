# %% [markdown]
# # 5 · Where gradients add
#
# ## Question
#
# In a chain, gradients are multiplied. But a number may be *used twice*. Then two gradients come back to it.
# What happens to them? And why does every training loop call `zero_grad()`?
#
# ## Prediction
#
# Let $h = 2w$, and use $h$ twice: $\text{loss} = h^2 + 3h$. At $w = 1$ we have $h = 2$.
#
# If $h$ grows by a little, the loss grows for two reasons: because of $h^2$, by $2h = 4$ times as much, and
# because of $3h$, by $3$ times as much. Both happen at once. So the effects *add up*:
#
# $$\frac{d\,\text{loss}}{dh} = 2h + 3 = 7 \qquad \frac{d\,\text{loss}}{dw} = 7 \cdot 2 = 14.$$
#
# Along a path, multiply; where paths meet, add. We expect to see a $4$ and a $3$ arrive at the node of $h$, a
# $7$ go through it, and $14$ in `w.grad`.
#
# And if we go back a second time without `zero_grad()`? `.grad` is a place where paths meet too, so we expect
# $28$.
#
# ## Run
#
# ### The input buffer
#
# We let the lab's engine run until just before the node of $h$, and look at what waits there. The place where
# a node's incoming gradients are summed is called its *input buffer*.

# %%
from itertools import pairwise

import torch

import autograd_lab as lab
from autograd_lab import byhand
from autograd_lab.draw import theme
from autograd_lab.tour import plot, show

w = torch.tensor(1.0, requires_grad=True)
h = 2 * w
loss = h**2 + 3 * h
names = {"w": w, "h": h, "loss": loss}

engine = lab.Engine(loss, names=names)
engine.run(until="h")
(waiting,) = engine.buffers.values()

print("arrived, in this order:", [came.stats.norm for came in waiting.arrived])
print("their sum:", waiting.grads[0].item(), "  still awaited:", waiting.awaited)
assert [came.stats.norm for came in waiting.arrived] == [3, 4]
assert waiting.grads[0].item() == 7
assert waiting.awaited == 0

# %% [markdown]
# First $3$, then $4$: the multiplication by 3 is the younger operation, so its node ran first (chapter 4).
# The node of $h$ runs *once*, with the sum. That's why the engine has to wait until everything has arrived.

# %%
engine.run()

print("d loss / d w =", engine.grads["w"].item())
assert engine.grads["w"].item() == 14

# %% [markdown]
# ### The leaf
#
# A leaf's node, `AccumulateGrad`, adds what comes to what is already in `.grad`. If `.grad` is `None`,
# there's nothing to add to, and the gradient is just put there. A trace says which of the two happened.

# %%
first = lab.trace(loss, names=names, retain_graph=True)
print("after the first backward: ", w.grad.item())
assert w.grad.item() == 14

second = lab.trace(loss, names=names)
print("after the second backward:", w.grad.item())
assert w.grad.item() == 28

assert first.steps[-1].accumulation.how == "stole"
assert second.steps[-1].accumulation.how == "added"

# %% [markdown]
# $14$, then $28$, as predicted. ("Stole" is PyTorch's own word: the leaf takes the tensor that arrived,
# without a copy. The first backward kept the graph with `retain_graph=True`, so that there could be a second;
# see chapter 3.)
#
# ### Why adding is right
#
# Chapter 0 trained on four samples; their gradients were $-4$, $-16$, $-36$ and $-64$, together $-120$. With
# `.grad` adding up, it makes no difference whether the four go through together or one at a time. This is how
# people train if a *batch*, the samples of one update, doesn't fit into memory: several small backwards, then
# one `step()`. It's called *gradient accumulation*.

# %%
samples = [(1.0, 2.0), (2.0, 4.0), (3.0, 6.0), (4.0, 8.0)]
x, y = torch.tensor(samples).T

together = torch.tensor(0.0, requires_grad=True)
((together * x - y) ** 2).sum().backward()

one_by_one = torch.tensor(0.0, requires_grad=True)
sums = [0.0]
for x_i, y_i in samples:
    ((one_by_one * x_i - y_i) ** 2).backward()
    sums.append(one_by_one.grad.item())
    print(f"sample x = {x_i:g} adds {sums[-1] - sums[-2]:g}: w.grad = {sums[-1]:g}")

assert [after - before for before, after in pairwise(sums)] == [-4, -16, -36, -64]
assert together.grad.item() == one_by_one.grad.item() == -120 == byhand.RUNS["sum"].train()[0].dw

# %% [markdown]
# ### Why `zero_grad`
#
# Adding up is right *within* one update. It's wrong across updates: the gradients of yesterday's weight have
# nothing to say about today's. PyTorch can't know where one update ends. So you tell it, with `zero_grad()`.
# Let's forget it.


# %%
def training(forget, epochs=40):
    w = torch.tensor(0.0, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.01)
    weights = [0.0]
    for _ in range(epochs):
        if not forget:
            optimizer.zero_grad()
        ((w * 2 - 4) ** 2).backward()
        optimizer.step()
        weights.append(w.item())
    return weights


right, forgotten = training(forget=False), training(forget=True)
print(f"after 40 epochs: {right[-1]:.3f}, and without zero_grad {forgotten[-1]:.3f}")

assert abs(right[-1] - 2) < 0.1
assert 3.95 < max(forgotten[:15]) < 4.05
assert right[1] == forgotten[1]
assert -0.05 < min(forgotten[15:30]) < 0.05
assert max(forgotten[30:]) > 3.95

# %% [markdown]
# The first step is the same. After that, the old gradients go on pushing in the direction that was once
# right. The weight runs past $2$, up to about $4$, is pulled back to where it began, runs up again, and so
# swings like a pendulum without friction.
#
# ## Figure
#
# The backward of our example. Two arrows, $4$ and $3$, meet at the node of $h$. It runs with their sum, $7$,
# and passes on twice that, $14$.

# %%
show(second, "fan-in")

meeting = second.steps[-2]
assert (meeting.grad_outputs[0].norm, meeting.grad_inputs[0].norm) == (7, 14)

# %% [markdown]
# The weight over the epochs, with `zero_grad` and without.

# %%
figure, axes = plot("Training with zero_grad, and without", x="epoch", y="w")
axes.plot(right, ".-", label="with zero_grad")
axes.plot(forgotten, ".--", label="without")
axes.axhline(2, color=theme.FAINT, linewidth=0.8)
axes.legend(frameon=False, fontsize=9)
show(figure, "forgotten")

# %% [markdown]
# ## What to notice
#
# - Gradients add at two kinds of places: in the input buffer of a node, during one backward, and in the
#   `.grad` of a leaf, across backwards.
# - Both are the same mathematics: what is used in several places gets a gradient from each, and the sum is
#   the answer.
# - Nothing tells `backward()` that an update is over. That's what `zero_grad()` is for.
#
# ## Try changing
#
# - Use $h$ a third time: `loss = h**2 + 3 * h + h`. What arrives at its node, and in which order?
# - Call `zero_grad()` only every fourth epoch. Is that gradient accumulation, or a mistake? Where would
#   `step()` have to stand?
# - Use one weight twice: `w * w`. Where do its two gradients meet: in a node's input buffer, or in `.grad`?
