# %% [markdown]
# # 11 · Views and in-place
#
# ## Question
#
# `y.add_(1)` writes into `y`'s own memory: the old numbers are gone. But the backward may need them. And `y[1:]` is
# no copy, it's a *view*: a second tensor on the same memory. Write into one and the other changes too. How does
# autograd keep this straight?

# %% [markdown]
# ## Prediction
#
# It depends on what was saved (chapter 3). The derivative of $e^x$ is $e^x$, so `exp` saves its *result*. Overwrite
# that, and its backward would multiply by the wrong numbers. PyTorch should refuse. The derivative of $2x$ is $2$:
# nothing of the result is needed, and overwriting should be fine.
#
# For a view: take `base = 2 * x` and multiply all but its first element by 10, in place, through a view. By hand,
# `base` then holds $2x_0$, $20x_1$ and $20x_2$. So the gradient of its sum should be $2$, $20$, $20$, although nobody
# ever called an operation on `base` itself.

# %% [markdown]
# ## Run
#
# ### A tensor counts its changes
#
# Every tensor has a version counter that goes up with each in-place change. When a node saves a tensor, it writes
# down the version.

# %%
import torch

import autograd_lab as lab
from autograd_lab.tour import show

x = torch.tensor([0.0, 1.0, 2.0], requires_grad=True)

y = x.exp()
(saved,) = lab.capture(y).find("Exp")[0].saved
print(f"saved: {saved.name}, version {saved.version}")

assert (saved.name, saved.version, y._version) == ("result", 0, 0)

# %%
y.add_(1)
(saved,) = lab.capture(y).find("Exp")[0].saved
print(f"saved: {saved.name}, version {saved.version}")

assert saved.version == y._version == 1

# %% [markdown]
# What `exp` saved isn't a copy. It *is* `y`'s memory, and that is at version 1 now. The node remembers that it saved
# version 0, and when its turn comes in the backward, it looks:

# %%
try:
    y.sum().backward()
except RuntimeError as error:
    message = str(error)
print(message.partition(" Hint")[0])

assert "modified by an inplace operation" in message
assert "output 0 of Exp, is at version 1; expected version 0 instead" in message
assert x.grad is None  # it came before any wrong number could get out

# %% [markdown]
# Now you can read this famous message. It names the tensor that was overwritten (what `exp` put out), how often it
# was changed, and which version was saved.
#
# With a product nobody needs the result, and nobody complains:

# %%
y = x * 2
y.add_(1)
y.sum().backward()

assert y._version == 1
assert y.grad_fn.name() == (y + 1).grad_fn.name() == "AddBackward0"
assert x.grad.tolist() == [2, 2, 2]

# %% [markdown]
# ### Behind the counter's back
#
# The counter only knows what it's told. `y.data` is the same memory with a counter of its own, and so nobody notices:

# %%
y = x.exp()
right = y.detach().clone()
y.data.add_(1)
(wrong,) = torch.autograd.grad(y.sum(), x)
print(wrong)

assert y._version == 0
assert torch.equal(wrong, right + 1)  # and should be right

# %% [markdown]
# No error, and a wrong gradient. That's the reason to stay away from `.data`. What `y.detach()` gives shares `y`'s
# memory *and* its counter:

# %%
y.detach().add_(1)

assert y._version == 1

# %% [markdown]
# ### Writing through a view
#
# Now the other example. First the base, and its graph as it is at this moment:

# %%
x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
base = x * 2
before = lab.capture(base.sum(), names={"x": x, "base": base})

tail = base[1:]
tail.mul_(10)
after = lab.capture(base.sum(), names={"x": x, "base": base})
print(base)

assert base.tolist() == [2, 40, 60]
assert base._version == tail._version == 1  # one memory, one counter
assert [node.name for node in before.nodes] == ["SumBackward0", "MulBackward0", "AccumulateGrad"]
assert [node.name for node in after.nodes] == ["SumBackward0", "CopySlices", "MulBackward0", "AccumulateGrad"]

# %% [markdown]
# We touched `tail`, and `base` got a new node. Its history was *rewritten*: `base` is now "the old base, with a slice
# of it multiplied by 10". `CopySlices` is the node for "with a slice of it". In the backward it cuts that slice out
# of the gradient, sends it through the rule of what was done there, and puts what comes back in its place. Watch it:

# %%
trace = lab.trace(base.sum(), names={"x": x}, keep="all")
copy_slices = trace.graph.find("CopySlices")[0].id
came, went = trace.kept[copy_slices].grad_outputs[0], trace.kept[copy_slices].grad_inputs[0]
print(f"came in: {came.tolist()}\nwent on: {went.tolist()}")

assert came.tolist() == [1, 1, 1]
assert went.tolist() == [1, 10, 10]
assert x.grad.tolist() == [2, 20, 20]

# %% [markdown]
# ### A leaf is not to be overwritten
#
# A leaf that requires a gradient has no history that could be rewritten: it's where all histories begin. So PyTorch
# refuses at once, in the forward:

# %%
try:
    x.mul_(2)
except RuntimeError as error:
    message = str(error)
print(message)

assert message == "a leaf Variable that requires grad is being used in an in-place operation."

# %% [markdown]
# (An optimizer does overwrite its weights. It says `with torch.no_grad():` around it, which means: this is no part of
# any forward. That's the next chapter's matter.)

# %% [markdown]
# ## Figure
#
# Before the write through the view, and after:

# %%
show(before, "before", direction="right")

# %%
show(after, "after", direction="right")

# %% [markdown]
# ## What to notice
#
# - Saved tensors aren't copies. That's why saving costs no copy, and why overwriting is a question at all.
# - The check is made in the backward and only where it matters, by the node that saved. An in-place operation by
#   itself is no fault.
# - In the graph there are no in-place operations. `y.add_(1)` makes the same `AddBackward0` as `y + 1`, put on top
#   of the old history. What is special is memory, not mathematics.

# %% [markdown]
# ## Try changing
#
# - Take `y = x.sigmoid()`, `x.tanh()`, `x.sin()`, `x * x`. For which of them does `y.add_(1)` break the backward?
#   Say it from what the graph record shows under `saved`, before you run it.
# - Mend the first example without giving up `add_`: where must a `clone()` go?
# - Write into `base` after taking `tail`, instead of the other way round. What is `tail.grad_fn` then?
