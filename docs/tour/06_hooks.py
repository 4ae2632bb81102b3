# %% [markdown]
# # 6 · Hooks: every kind, in the order they fire
#
# ## Question
#
# You want to look at a gradient while the backward runs, or to change it on its way. For that, PyTorch lets you
# attach functions to the graph: *hooks*. There are five kinds. Who is called first, and what does each get to see?

# %% [markdown]
# ## Prediction
#
# When a node's turn comes, its gradients lie summed in the input buffer. From there they take one road, and every
# hook has its place on it:
#
# | place on the road | how you hang it there | what it is given |
# |---|---|---|
# | 1 · the gradient of one tensor | `tensor.register_hook(f)` | that gradient |
# | 2 · its copy into `.grad` | `tensor.retain_grad()` | (PyTorch's own hook) |
# | 3 · all that flows into the node | `node.register_prehook(f)` | `grad_outputs` |
# | *the node runs* | | |
# | 4 · all that flows out of it | `node.register_hook(f)` | `grad_inputs` and `grad_outputs` |
#
# At a leaf the node is `AccumulateGrad`: what runs there is the writing of `.grad`. So `w.register_hook` comes
# *before* `.grad` is written. For the moment after, there is a kind of its own,
# `w.register_post_accumulate_grad_hook(f)`, which is given the leaf, and returns nothing: `.grad` is written by
# then.
#
# The place decides, not the order in which you hang them. To try that, we hang them in the wrong order.

# %% [markdown]
# ## Run
#
# The chain of chapter 0, and a hook that does nothing but write down its name, what it was given, and whether
# `w.grad` was there by then.

# %%
import torch

import autograd_lab as lab
from autograd_lab.tour import show

w = torch.tensor(0.0, requires_grad=True)
x, y = torch.tensor(2.0), torch.tensor(4.0)
s = w * x - y
loss = s**2

fired = []
written = {}


def note(name):
    def hook(*given):
        fired.append((name, given))
        written[name] = w.grad is not None

    hook.__qualname__ = name  # what pictures and tables call it
    return hook


# %% [markdown]
# ### In the middle of the graph
#
# `s` was made by a subtraction, so its gradient flows into `SubBackward0`. All four places, the last one first:

# %%
s.grad_fn.register_hook(note("node hook"))
s.grad_fn.register_prehook(note("node prehook"))
s.retain_grad()
s.register_hook(note("tensor hook"))

assert s.grad_fn.name() == "SubBackward0"

# %% [markdown]
# ### At the leaf
#
# The node of a leaf is not its `grad_fn`, which is `None`. `get_gradient_edge` finds it.

# %%
accumulate = torch.autograd.graph.get_gradient_edge(w).node
accumulate.register_hook(note("AccumulateGrad hook"))
w.register_post_accumulate_grad_hook(note("post-accumulate hook"))
accumulate.register_prehook(note("AccumulateGrad prehook"))
w.register_hook(note("leaf's tensor hook"))

assert w.grad_fn is None
assert accumulate.name().endswith("AccumulateGrad")

# %% [markdown]
# ### Before anything runs
#
# The graph knows its hooks, and the lab reads them without calling any. It lists them by their places.

# %%
names = {"w": w, "s": s, "loss": loss}
graph = lab.capture(loss, names=names)
expected = [hook.name for node in graph.nodes for hook in node.hooks]
print(*expected, sep="\n")

assert fired == []
assert expected[:4] == ["tensor hook", "retain_grad", "node prehook", "node hook"]
assert len(expected) == 8

# %% [markdown]
# ### The backward

# %%
loss.backward()
for name, given in fired:
    print(f"{name:23}", *given)

assert [name for name, _ in fired] == [name for name in expected if name != "retain_grad"]
assert len(fired) == 7

# %% [markdown]
# Eight were listed and seven called us: `retain_grad` is PyTorch's own and writes into `s.grad` instead. All came in
# the order of the list. And what they were given is what the table said:

# %%
given = dict(fired)
assert given["tensor hook"] == (-8,)  # one gradient
assert given["node prehook"] == ((-8,),)  # a tuple: all that flows in
assert given["node hook"] == ((-8, None), (-8,))  # all that flows out, and all that flowed in
assert given["post-accumulate hook"][0] is w  # the leaf itself; its .grad is there by now
assert (s.grad, w.grad) == (-8, -16)
assert [name for name, was in written.items() if was] == ["post-accumulate hook", "AccumulateGrad hook"]

# %% [markdown]
# ### A hook that changes something
#
# Whatever a hook returns takes the gradient's place, for all that comes after it. `None`, as in our notes, changes
# nothing. (Only a post-accumulate hook can't do that: PyTorch raises an error if it returns anything but `None`.)
# Here a hook on `s` makes everything ten times as large. The retained gradient shows it too, since its place is
# behind the hook's:

# %%
s = w * x - y
s.retain_grad()
ten_times = s.register_hook(lambda grad: 10 * grad)

w.grad = None
(s**2).backward()

assert s.grad == -80
assert w.grad == -160
assert len(fired) == 7 + 4  # the leaf's four hooks were called again, those on the old graph were not

# %% [markdown]
# Every `register_…` returns a handle, and `handle.remove()` takes the hook away again.

# %%
ten_times.remove()
left = [hook.name for hook in lab.capture(s).node(0).hooks]

assert left == ["retain_grad"]

# %% [markdown]
# ### Other hooks are made of these
#
# `register_multi_grad_hook` wants the gradients of several tensors at once. It hangs a tensor hook on each. And a
# module has no node to hang anything on. Its `register_full_backward_hook` puts two nodes into the graph that do
# nothing, one at each end of the module, and hangs node hooks on them:

# %%
s = w * x - y
torch.autograd.graph.register_multi_grad_hook((s, w), note("multi-grad hook"))
kinds = [[hook.kind for hook in node.hooks] for node in lab.capture(s).nodes if node.hooks]

layer = torch.nn.Linear(1, 1)
layer.register_full_backward_hook(note("module hook"))
framed = lab.capture(layer(torch.ones(1, 1, requires_grad=True)))
ends = [node for node in framed.nodes if node.hooks]

print(*(node.name for node in framed.nodes))
assert kinds[0] == ["tensor_pre_hook"]
assert kinds[1].count("tensor_pre_hook") == 2  # this one and the leaf's own
assert [node.name for node in ends] == ["BackwardHookFunctionBackward"] * 2
assert [hook.kind for node in ends for hook in node.hooks] == ["post_hook"] * 2

# %% [markdown]
# (There are hooks on *saved tensors*, too. They say how these are kept, and aren't on the road of the gradients:
# chapter 13 meets some.)

# %% [markdown]
# ## Figure

# %%
show(graph, "hooks")

# %% [markdown]
# ## What to notice
#
# - A tensor's hook runs *before* the node that its gradient flows into, once, on the sum of all that arrived.
# - A leaf's tensor hook can change what is written into `.grad`, and can't see it there yet. A post-accumulate hook
#   sees it written. That's the place to use a gradient and throw it away, while the backward is still running.
# - A hook sits on one graph. The next forward makes new nodes, and hooks on `s` or on its node are gone with the
#   old ones. Hooks on the leaf `w` stay, because the leaf stays. Its node stays only while somebody holds it, as we
#   do with `accumulate`, and so do the hooks on it.

# %% [markdown]
# ## Try changing
#
# - Hang two hooks on `s`, one that adds 1 and one that doubles. In which order do they run? Does it matter?
# - Call `torch.autograd.grad(loss, w)` instead of `loss.backward()`. Which of the hooks stay silent now?
# - Let a hook return a tensor of another shape. Who complains?
# - Make `layer` a `torch.nn.Sequential` of two linear layers, with the hook on the whole. Which nodes lie between its
#   two ends?
