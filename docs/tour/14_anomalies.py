# %% [markdown]
# # 14 · Anomalies: where was the NaN born?
#
# ## Question
#
# The loss is an ordinary number. After `backward()` a gradient is NaN, *not a number*. One update later the whole
# model is NaN. Somewhere on the way back something went wrong, in one node of hundreds. Which?

# %% [markdown]
# ## Prediction
#
# Here is a classic. We want each point $p$ to lie at distance 1 from its $q$. The distance is a root, $d = \sqrt{s}$,
# of a sum of squares, $s = \sum (p - q)^2$. Its derivative is $1 / (2\sqrt{s})$. If a point lies exactly on its
# target, $s = 0$ and the derivative is $1/0$: infinite. Geometrically that's fair: the distance has a sharp tip
# there, like a cone.
#
# Next on the way back comes the square, with derivative $2 (p - q) = 0$. It multiplies: $\infty \cdot 0$. And that is
# NaN.
#
# So the NaN will come *out of* the square, `PowBackward0`, which did nothing wrong. It was born two nodes earlier, as
# an infinity, in `SqrtBackward0`. A tool that looks for NaN will accuse the wrong one.

# %% [markdown]
# ## Run
#
# Five points. The one with number 3 lies on its target.

# %%
import warnings

import torch

import autograd_lab as lab
from autograd_lab.tour import show

torch.manual_seed(0)
p = torch.randn(5, 2, requires_grad=True)
q = torch.randn(5, 2)
q[3] = p.detach()[3]


def loss_of(p):
    squares = ((p - q) ** 2).sum(dim=1)
    distance = squares.sqrt()
    return ((distance - 1) ** 2).mean()


# %%
loss = loss_of(p)
(grad,) = torch.autograd.grad(loss, p)
print(f"loss {loss:.4f}", grad, sep="\n")

assert loss.isfinite()
assert grad.isnan().sum() == 2
assert grad[3].isnan().all()

# %% [markdown]
# ### PyTorch's own detector
#
# Under `detect_anomaly` every node's result is searched for NaN, and the backward stops at the first one. (We
# suppress its warnings here, which say that it is slow, and print the line of the forward that made the node.)

# %%
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    with torch.autograd.detect_anomaly():
        try:
            loss_of(p).backward()
        except RuntimeError as error:
            message = str(error)
print(message)

assert message == "Function 'PowBackward0' returned nan values in its 0th output."

# %% [markdown]
# As predicted: it accuses the square. It doesn't mind infinities.
#
# ### Stop where it is born
#
# The lab's engine stops at the first gradient that isn't finite, NaN or infinite alike. Then everything is still
# there to be looked at.

# %%
engine = lab.Engine(loss_of(p), names={"p": p})
engine.run(until="nonfinite")

node, step = engine.graph.node(engine.current), engine.steps[-1]
print(f"{node.name} was given norm {step.grad_outputs[0].norm:.4f}, returned {step.grad_inputs[0].infs} inf")
print("it had saved", engine.saved(engine.current))
print("it sent on  ", *engine.buffers[engine.ready[0]].grads)

assert node.name == "SqrtBackward0"
assert (step.grad_inputs[0].infs, step.grad_inputs[0].nans) == (1, 0)
assert engine.saved(engine.current)["result"][3] == 0

# %% [markdown]
# What came in was fine, and what went out wasn't. So it's this node's doing. And what it had saved says why: the root
# that it divides by is 0 at place 3. That is the point on its target.
#
# ### In code that you didn't write
#
# In a training loop you can't call an engine. `lab.watch` around it records every backward with the line of the
# forward, and for what isn't finite it counts NaN and inf. Beside the work of a real layer that's cheap: one norm for
# each gradient, and only where it isn't finite a count. (On a toy like this one, most of the time goes into the
# watching.)

# %%
with lab.watch(names={"p": p}) as watcher:
    loss_of(p).backward()

trace = watcher.traces[0]
print(trace)


def bad(stats):
    return stats is not None and not stats.finite


born = next(step for step in trace.steps if any(map(bad, step.grad_inputs)))
node = trace.graph.node(born.node)
print(f"\nborn in {node.name}, made by {node.call.name}")

assert not any(map(bad, born.grad_outputs))
assert (node.name, node.call.name) == ("SqrtBackward0", "torch.Tensor.sqrt")
accused = trace.steps[born.index + 2]
assert trace.graph.node(accused.node).name == "PowBackward0"
assert accused.grad_inputs[0].nans == 2

# %% [markdown]
# ### Two ways to mend it, and only one works
#
# Let the distance be $0$ where $s$ is $0$, by `torch.where`. The obvious place is behind the root:


# %%
def gradient(distance_of):
    squares = ((p - q) ** 2).sum(dim=1)
    loss = ((distance_of(squares) - 1) ** 2).mean()
    return torch.autograd.grad(loss, p)[0]


after = gradient(lambda s: torch.where(s > 0, s.sqrt(), 0.0))
before = gradient(lambda s: torch.where(s > 0, torch.where(s > 0, s, 1.0).sqrt(), 0.0))

assert after[3].isnan().all()
assert before[3].tolist() == [0, 0]
assert torch.equal(before[[0, 1, 2, 4]], grad[[0, 1, 2, 4]])

# %% [markdown]
# `where` sends a gradient of 0 into the branch that wasn't taken. But the root multiplies that 0 by its infinity, and
# there's the NaN again. The root must never *see* the zero: so a harmless 1 is put in its place before, too.

# %% [markdown]
# ## Figure

# %%
show(trace, "nan")

# %% [markdown]
# ## What to notice
#
# - Look for the first node whose input is finite and whose output isn't. What comes after it only passes the
#   trouble on.
# - From infinity to NaN it takes one more step: $\infty \cdot 0$, or $\infty - \infty$. So NaN detectors point
#   below the cause.
# - The forward showed nothing. The value of $\sqrt{0}$ is a perfectly good $0$; only its slope is not.
# - NaN spreads along its own path: four of the five points have good gradients. A weight that all of them share would
#   be NaN.

# %% [markdown]
# ## Try changing
#
# - Replace the root by `torch.linalg.vector_norm(p - q, dim=1)`. PyTorch's rule for it knows the tip. What does it
#   return there?
# - Make it `(squares + 1e-12).sqrt()`. How large is the gradient at point 3 now? And with `1e-50`, which `float32`
#   can't hold?
# - Let `p` go through a `torch.nn.Linear(2, 2)` first, and put `q[3]` on what comes out for point 3. How many of the
#   layer's weights are NaN after one step?
