# %% [markdown]
# # 10 · Backward of backward
#
# ## Question
#
# The gradient says how steep the loss is. How does the steepness itself change? That's the second derivative: the
# gradient's gradient. Can autograd run on what autograd has computed?

# %% [markdown]
# ## Prediction
#
# With the weight of chapter 0, $\text{loss} = (wx - y)^2$. By hand:
#
# - the first derivative is $2x (wx - y)$: with $w = 0$, $x = 2$, $y = 4$ that's $-16$;
# - the second is $2x^2$, so $8$, whatever $w$ is.
#
# Two things should follow. First: what computes $-16$ is itself a computation. It multiplies, as any forward does. If
# the engine lets nodes be made while it runs, the $-16$ will have a `grad_fn`, and we can go back through *that*
# graph and get $8$.
#
# Second: slope and curvature together tell how far away the bottom of a parabola is. It lies at $w - (-16)/8 = 2$.
# One step, not the many small ones of chapter 0.

# %% [markdown]
# ## Run
#
# ### What one node does
#
# A node is called with a gradient and returns one. Its inside is made of ordinary tensor operations, and these make
# nodes of their own, as always, if gradient mode is on:

# %%
import torch

import autograd_lab as lab
from autograd_lab.tour import plot, show

w = torch.tensor(0.0, requires_grad=True)
x, y = torch.tensor(2.0), torch.tensor(4.0)
s = w * x - y
loss = s**2

with torch.no_grad():
    plain = loss.grad_fn(torch.tensor(1.0))
recorded = loss.grad_fn(torch.tensor(1.0))
print(plain, recorded, sep="\n")

assert plain == recorded == -8
assert plain.grad_fn is None
assert recorded.grad_fn is not None

# %% [markdown]
# That is the whole secret. Usually the engine runs nodes with gradient mode off. `create_graph=True` leaves it on.
#
# ### The graph of the gradient

# %%
(grad,) = torch.autograd.grad(loss, w, create_graph=True)
names = {"w": w, "x": x, "s": s, "grad": grad}
graph = lab.capture(grad, names=names)
print(graph)

assert grad == -16
forward_ids = {node.sequence_nr for node in lab.capture(loss).nodes}
new = [node.name for node in graph.nodes if node.sequence_nr not in forward_ids]
assert new == ["MulBackward0", "MulBackward0", "MulBackward1", "PowBackward0"]
assert [node.name for node in graph.nodes[4:]] == ["SubBackward0", "MulBackward0", "AccumulateGrad"]

# %% [markdown]
# Read it from the top: it's the recipe for $-16$. `grad` was made by a product with `x` (Mul's rule). That one's
# input was $1$ times something (Pow's rule times what flowed in), and the something is $2 \cdot s^1$. From `s` on,
# the recipe uses the old forward: the last three nodes were there before. So the two graphs are one now, and freeing
# the first would tear the second.
#
# ### The second backward

# %%
(curvature,) = torch.autograd.grad(grad, w)

assert curvature == 8
assert w.detach() - grad / curvature == 2
assert (2 * x - y) ** 2 == 0  # the loss at w = 2

# %% [markdown]
# One step of Newton's method, and the loss is zero.
#
# ### Many weights
#
# With $n$ weights the second derivatives are a table of $n \times n$ numbers, the *Hessian* $H$: how the slope along
# each weight changes as you move along each other one. For the 4,096 weights here it would have 16,777,216 entries.
# One rarely wants them. What one wants is $Hv$: how does the gradient change if I move in direction $v$? Take the
# dot product of the gradient $g$ with $v$: a single number, which we can differentiate again. $Hv = \partial (g
# \cdot v) / \partial w$.

# %%
torch.manual_seed(0)
weights = torch.randn(64, 64, dtype=torch.float64, requires_grad=True)
data = torch.randn(8, 64, dtype=torch.float64) / 8


def gradient(weights, create_graph=False):
    loss = (data @ weights).tanh().square().sum()
    return torch.autograd.grad(loss, weights, create_graph=create_graph)[0]


v = torch.randn(64, 64, dtype=torch.float64)
along_v = (gradient(weights, create_graph=True) * v).sum()
(hessian_times_v,) = torch.autograd.grad(along_v, weights, retain_graph=True)

assert weights.numel() == 4096
assert weights.numel() ** 2 == 16_777_216

# %% [markdown]
# Is it right? Chapter 9 tells how to know: measure. Move along $v$ a little to both sides, and see how the gradient
# changes.

# %%
h = 1e-5
with torch.no_grad():
    right, left = weights + h * v, weights - h * v
measured = (gradient(right.requires_grad_()) - gradient(left.requires_grad_())) / (2 * h)
worst = (measured - hessian_times_v).abs().max() / hessian_times_v.abs().max()
print(f"relative difference: {worst:.1e}")

assert worst < 1e-8

# %% [markdown]
# What did it cost? Two backwards, the second over a longer graph. No gradient on the way was larger than the
# weights, so there's no table of 16 million entries anywhere:

# %%
first = lab.replay((data @ weights).tanh().square().sum())
second = lab.replay(along_v)
gradients = [grad for step in second.steps for grad in (*step.grad_outputs, *step.grad_inputs) if grad]
print(f"first backward: {len(first.steps)} nodes, second: {len(second.steps)} nodes")

assert max(torch.Size(grad.meta.shape).numel() for grad in gradients) == 4096
assert (len(first.steps), len(second.steps)) == (5, 10)

# %% [markdown]
# ## Figure

# %%
show(graph, "graph", saved=True)

# %%
at = torch.linspace(-1, 5, 61)
figure, axes = plot("One step with slope and curvature", x="w", y="loss")
axes.plot(at, (at * x - y) ** 2, label="loss")
axes.plot(at[:21], (16 + grad.detach() * at)[:21], "--", label="slope at w = 0: −16")
axes.plot([0, 2], [16, 0], "o")
axes.annotate("", (2, 0), (0, 16), arrowprops={"arrowstyle": "->", "linestyle": ":"})
axes.legend(frameon=False)
show(figure, "newton")

# %% [markdown]
# ## What to notice
#
# - A gradient is made by ordinary operations. Keep gradient mode on while it is made, and it's a tensor with a
#   history like any other.
# - This works only as far as each node's rule is itself differentiable. PyTorch's are. Your own Function's
#   `backward` is, too, if it is written in tensor operations, as in chapter 7.
# - The second graph hangs on the first: it holds everything that the forward saved. That's why `create_graph=True`
#   keeps the first graph, too.
# - Prefer `torch.autograd.grad` here. `loss.backward(create_graph=True)` puts a gradient with a history into
#   `w.grad`, which then holds the graph, which holds `w`: a ring that nobody frees until you set `w.grad = None`.
#   (It runs through C++, where Python's garbage collector can't see it.) PyTorch warns about it.

# %% [markdown]
# ## Try changing
#
# - Differentiate `w ** 3` at $w = 1$ again and again, each time with `create_graph=True`, and print
#   `len(lab.capture(…))`. Does the graph grow? When does the gradient become 0, and does it still have a graph then?
# - Use `relu` instead of `tanh`. What is $Hv$ now? Think of relu's second derivative before you run it.
# - Build the whole Hessian of a 3-weight function, one $Hv$ for each unit vector. Is it symmetric?
