# %% [markdown]
# # 12 · Cutting the graph
#
# ## Question
#
# Sometimes a gradient must *not* flow: into a layer that is to stay as it is, into a target, into what is only
# measured. PyTorch has four pairs of scissors: `requires_grad=False`, `detach()`, `no_grad` and `inference_mode`.
# What does each of them cut?

# %% [markdown]
# ## Prediction
#
# There's only one rule: a gradient flows along edges, and an edge exists only if it was made in the forward. So all
# four work in the forward, and the graph must show what they cut.
#
# Try it first on $a^2$ at $a = 3$, written as the product $a \cdot a$. Its derivative is $2a = 6$: by the product
# rule $3$ from the first factor and $3$ from the second. Detach one of them, and it is as constant as a plain number
# 3: what's left is $3$.
#
# Then a model of three layers, *first*, *middle* and *last*. We want the middle one to stay as it is. There are two
# ways that look alike: to *freeze* its weights, or to run it under `no_grad`. The frozen layer still passes gradients
# through, from its output to its input. Under `no_grad` no node is made, so there's nothing to pass through, and the
# first layer should get no gradient at all.

# %% [markdown]
# ## Run
#
# ### detach: one tensor

# %%
import torch

import autograd_lab as lab
from autograd_lab.tour import show

a = torch.tensor(3.0, requires_grad=True)

whole = lab.replay(a * a, names={"a": a})
half = lab.replay(a * a.detach(), names={"a": a})
print(whole.grads["a"], half.grads["a"])

assert a * a == a * a.detach() == 9
assert whole.grads["a"] == 6
assert half.grads["a"] == 3

# %% [markdown]
# The values are the same, 9 both times. Only the graph differs. The node has a slot for each factor, and where
# there's no edge, the second slot is empty:

# %%
both = lab.capture(a * a).node(0)
one = lab.capture(a * a.detach()).node(0)
print(both.name, both.next)
print(one.name, one.next)

assert [edge is None for edge in both.next] == [False, False]
assert [edge is None for edge in one.next] == [False, True]

# %% [markdown]
# ### no_grad and inference_mode: a block of code
#
# Inside `no_grad` no node is made, whatever you compute. The result is as if it had fallen from the sky. Ask the lab
# for its graph, and it tells you what it can:

# %%
with torch.no_grad():
    square = a * a
try:
    lab.capture(square)
except lab.GraphError as error:
    print(error)

assert square == 9
assert square.grad_fn is None

# %% [markdown]
# You may use such a result in a later forward, as data. `inference_mode` saves a little more: its tensors don't even
# count versions (chapter 11). So a node that saved one couldn't tell whether it was overwritten. Autograd refuses to
# save it:

# %%
with torch.inference_mode():
    inferred = a * a

assert (square * a).grad_fn is not None
try:
    inferred * a
except RuntimeError as error:
    message = str(error)
print(message.partition(". ")[0])

assert message.startswith("Inference tensors cannot be saved for backward.")
assert (inferred + a).grad_fn is not None  # a sum saves nothing

# %% [markdown]
# ### Freezing a layer, and what only looks like it
#
# Three layers. We ask each graph which parameters it reaches.

# %%
torch.manual_seed(0)
model = torch.nn.Sequential()
for name in ("first", "middle", "last"):
    model.add_module(name, torch.nn.Linear(4, 4, bias=False))
x = torch.randn(8, 4)


def graph_with(middle):
    loss = model.last(middle(model.first(x))).square().mean()
    return lab.capture(loss, model=model)


def without_grad(h):
    with torch.no_grad():
        return model.middle(h)


# %%
graphs = {"all": graph_with(model.middle)}
model.middle.requires_grad_(False)
graphs["frozen"] = graph_with(model.middle)
model.middle.requires_grad_(True)
graphs["no_grad"] = graph_with(without_grad)
graphs["detach"] = graph_with(lambda h: model.middle(h).detach())

reached = {name: [leaf.variable for leaf in graph.leaves] for name, graph in graphs.items()}
for name, leaves in reached.items():
    print(f"{name:8}", *leaves)

assert set(reached["all"]) == {"first.weight", "middle.weight", "last.weight"}
assert set(reached["frozen"]) == {"first.weight", "last.weight"}
assert reached["no_grad"] == reached["detach"] == ["last.weight"]

# %% [markdown]
# As predicted. Frozen, the middle layer is passed through, and the first one learns. Under `no_grad` the graph ends
# there: the first layer gets nothing, and no error says so. Its `.grad` is just `None`.
#
# Freezing saves memory, too. To compute its weight's gradient a layer must keep its input (chapter 3). With the
# weight frozen it need not:

# %%
saved = {name: graph.saved_nbytes for name, graph in graphs.items()}
print(saved)

assert saved["all"] - saved["frozen"] == x.numel() * x.element_size() == 128
assert saved["no_grad"] < saved["frozen"]

# %% [markdown]
# ## Figure
#
# Frozen: the road goes on to the first layer.

# %%
show(graphs["frozen"], "frozen", direction="right")

# %% [markdown]
# Under `no_grad`: it ends at the last one.

# %%
show(graphs["no_grad"], "no-grad", direction="right")

# %% [markdown]
# ## What to notice
#
# | scissors | what it cuts | later use in autograd |
# |---|---|---|
# | `requires_grad_(False)` on a leaf | the edge to this leaf | yes |
# | `t.detach()` | everything behind this one tensor | yes, as a constant |
# | `torch.no_grad()` | all that is computed in the block | yes, as data |
# | `torch.inference_mode()` | the same | only where it needn't be saved |
#
# - None of them changes a value. They change what is *remembered*.
# - `model.eval()` is not on the list. It switches dropout and batch norm to another behaviour and cuts nothing.
# - A missing gradient is silent. If a weight's `.grad` is `None`, capture the loss and look whether the graph
#   reaches it.

# %% [markdown]
# ## Try changing
#
# - Round a number in the forward and pretend in the backward that you didn't: `a + (a.round() - a).detach()`. What
#   value does it have, and what gradient? (This is called the *straight-through estimator*.)
# - Detach the *first* factor instead of the second. Does anything change? And with `a ** 2`, what would you detach?
# - Set `x.requires_grad_()` and run the `no_grad` version again. Does `x` get a gradient?
