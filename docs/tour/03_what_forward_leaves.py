# %% [markdown]
# # 3 · What forward leaves behind
#
# ## Question
#
# Going back, the square has to multiply by $2s$. But $s$ was computed long before, in the forward pass. Where
# does the node get it from?
#
# ## Prediction
#
# A local gradient may need numbers of the forward pass. If so, the operation has to leave them with its node:
# these are its *saved tensors*. Go through our example, and ask of each operation what its local gradient
# needs:
#
# | operation | gradient wanted for | local gradient | so it must save |
# |---|---|---|---|
# | $\hat y = w \cdot x$ | $w$ only | $x$ | $x$ |
# | $s = \hat y - y$ | $\hat y$ only | $1$ | nothing |
# | $\text{loss} = s^2$ | $s$ | $2s$ | $s$ and the exponent, 2 |
#
# The multiplication needn't save $w$: that would be the local gradient for $x$, which nobody wants. $x$ and $s$
# are tensors of one number, 4 bytes each; the exponent is a plain Python number. So we expect 8 bytes of saved
# tensors in all.
#
# ## Run
#
# ### What the nodes hold
#
# PyTorch calls an operation's inputs `self`, `other`, `exponent` …; a saved tensor has the name of the input
# (or `result`) that it is.

# %%
import torch

import autograd_lab as lab
from autograd_lab.tour import show

x, y = torch.tensor(2.0), torch.tensor(4.0)
w = torch.tensor(0.0, requires_grad=True)
y_hat = w * x
s = y_hat - y
loss = s**2

names = {"w": w, "x": x, "y": y, "ŷ": y_hat, "s": s, "loss": loss}
graph = lab.capture(loss, names=names)
for node in graph.nodes:
    saved = [f"{each.name} = {each.variable}" for each in node.saved if each.meta]
    print(f"{node.name:<15} saved: {', '.join(saved) or 'nothing'}")
print("in all:", graph.saved_nbytes, "bytes")

# %% [markdown]
# As predicted: the square holds its input $s$, the multiplication its `other` input, $x$. The
# multiplication's `self`, $w$, wasn't saved. The exponent is there too; as it's a plain number and no tensor,
# we ask for it by itself.


# %%
square, subtract, multiply, *_ = graph.nodes


def tensors(node):
    return [(each.name, each.variable) for each in node.saved if each.meta]


assert tensors(multiply) == [("other", "x")]
assert tensors(square) == [("self", "s")]
assert tensors(subtract) == []
assert ("exponent", 2) in [(each.name, each.value) for each in square.saved]
assert graph.saved_nbytes == 8

# %% [markdown]
# ### The result instead of the input
#
# Some local gradients are easier to write with the *result*. The derivative of $e^x$ is $e^x$, which is what
# came out. Then the node saves that, and the input can go.

# %%
v = torch.ones(5, requires_grad=True)

for operation in (torch.exp, torch.relu, torch.sin, torch.neg):
    (node, *_) = lab.capture(operation(v)).nodes
    print(f"{operation.__name__:<5} saves", [each.name for each in node.saved] or "nothing")

assert [each.name for each in lab.capture(v.exp()).node(0).saved] == ["result"]
assert [each.name for each in lab.capture(v.sin()).node(0).saved] == ["self"]

# %% [markdown]
# ### What it costs
#
# For most models, saved tensors are the main reason why training needs so much more memory than using a
# network: they stay until the backward. (Gradients come on top, and so does what the optimizer remembers: with
# Adam, three times the memory of the weights in all.) Let's predict the bytes for a small network of three
# *layers*. 64 samples go through it together, a *batch*; each is a row of 256 numbers, and a number takes 4
# bytes.
#
# - In a *linear layer* each number of the result is a weighted sum of all numbers of the input. The first one
#   makes 128 such sums of the 256 numbers. Its weights are a table $W$, and all sums together are written
#   $x W^\top + b$. For the gradient of $W$ it needs its input $x$, as our multiplication did:
#   $64 \cdot 256 \cdot 4 = 65{,}536$.
# - *ReLU* puts 0 for what is negative and leaves the rest. It needs to know where its result is positive, and
#   saves the result: $64 \cdot 128 \cdot 4 = 32{,}768$.
# - The third layer, linear again, makes 10 numbers of the 128. It needs its input too. That's the same memory
#   which ReLU has saved, so it costs nothing more. And its weights, for the gradient of that input:
#   $128 \cdot 10 \cdot 4 = 5{,}120$.
# - A sum needs nothing but the shape.

# %%
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(256, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
batch = torch.randn(64, 256)
network = lab.capture(model(batch).sum(), model=model, names={"x": batch})
print(network)

assert network.saved_nbytes == 65_536 + 32_768 + 5_120 == 103_424

# %% [markdown]
# The two that share memory have the same `storage`. (PyTorch's operation for a linear layer is called `addmm`,
# and `mat1` is its input.)

# %%
last_layer, relu = network.find("Addmm")[0], network.find("Relu")[0]
(layers_input,) = (each for each in last_layer.saved if each.name == "mat1")
(relus_result,) = relu.saved

assert relus_result.name == "result"
assert layers_input.storage == relus_result.storage

# %% [markdown]
# ### After the backward
#
# When a node has run, its saved tensors are let go: their memory is needed no longer. So a second backward
# through the same graph can't work where something was saved, and PyTorch says so.

# %%
loss.backward()
after = lab.capture(loss, names=names)
print("held after the backward:", after.saved_nbytes, "bytes")
assert after.saved_nbytes == 0

try:
    loss.backward()
except RuntimeError as error:
    complaint = str(error).partition(".")[0]

print(complaint)
assert "backward through the graph a second time" in complaint

# %% [markdown]
# `loss.backward(retain_graph=True)` keeps them, for those who want to go back twice.
#
# ## Figure
#
# Before the backward: saved tensors are the yellow notes, beside the nodes that hold them.

# %%
show(graph, "before", saved=True, direction="right")

# %% [markdown]
# After it. The graph is still there, but its notes are empty.

# %%
show(after, "after", saved=True, direction="right")

# %% [markdown]
# ## What to notice
#
# - What is saved depends on which gradients are *wanted*. No gradient for $x$, no saved $w$.
# - Saved tensors aren't copies. They're the tensors of the forward pass, kept alive. If one is overwritten
#   before the backward, the gradient would be wrong. (PyTorch notices; chapter 11.)
# - Memory can be traded for time: throw the saved tensors away and compute them again. (Chapter 13.)
#
# ## Try changing
#
# - Give `x` a `requires_grad=True`. Predict the bytes first, and which assert will stop you.
# - Put `torch.nn.Sigmoid` in the place of ReLU, then `torch.nn.GELU`, two other curves. Which one makes the
#   network hold more, and why?
# - Double the batch. Which of the three numbers double?
