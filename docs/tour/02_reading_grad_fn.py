# %% [markdown]
# # 2 · Reading grad_fn
#
# ## Question
#
# `loss.backward()` takes no arguments. How does it know which operations to go back through? Where is that
# written?
#
# Every tensor that was *computed* from a leaf has an attribute `grad_fn`. That's where PyTorch keeps the
# memory which chapter 1 spoke of. How do we read it?
#
# ## Prediction
#
# The forward pass of our example does three operations: multiply, subtract, square. Each leaves one *node*
# behind, an object that knows how to multiply by that operation's local gradient. A node holds *edges*:
# pointers to the nodes that come next on the way back. So we expect
#
# - `loss.grad_fn` to be the node of the *last* operation, the square,
# - three nodes in a chain, and a fourth at the end, which puts the gradient into the leaf $w$:
#   `AccumulateGrad`,
# - no edge towards $x$ and $y$: nobody asked for their gradients.
#
# ## Run
#
# ### Walking by hand
#
# A node's name is that of its operation, with `Backward` and a number (PyTorch's own count of variants of a
# rule). `next_functions` are its edges: one for each input of the operation, in order.


# %%
import torch

import autograd_lab as lab
from autograd_lab.tour import show

x, y = torch.tensor(2.0), torch.tensor(4.0)
w = torch.tensor(0.0, requires_grad=True)
y_hat = w * x
s = y_hat - y
loss = s**2


def edges(node):
    following = node.next_functions
    return [(then and then.name(), input_nr) for then, input_nr in following]


square = loss.grad_fn
print(square.name(), "→", edges(square))
assert square.name() == "PowBackward0"
assert len(square.next_functions) == 1

# %% [markdown]
# Squaring has one input, $s$, so there's one edge. It's a pair: the next node, and a number called
# `input_nr`, to which we come below. Follow the edge:

# %%
subtract, _ = square.next_functions[0]
print(subtract.name(), "→", edges(subtract))

multiply, _ = subtract.next_functions[0]
print(multiply.name(), "→", edges(multiply))

assert subtract is s.grad_fn
assert multiply is y_hat.grad_fn
assert subtract.next_functions[1] == multiply.next_functions[1] == (None, 0)

# %% [markdown]
# Subtraction has two inputs, $\hat y$ and $y$. The first edge leads on; in the place of the second there's
# `None`, because $y$ wants no gradient. The same holds for $x$. The last edge leads to the leaf:

# %%
leaf, _ = multiply.next_functions[0]
print(leaf.name(), "→", edges(leaf))

assert leaf.name() == "torch::autograd::AccumulateGrad"
assert leaf.variable is w
assert w.grad_fn is None

# %% [markdown]
# A leaf has no `grad_fn`: no operation made it. Its `AccumulateGrad` node is what adds an arriving gradient
# to `w.grad`.
#
# ### All at once
#
# `lab.capture` takes the same walk, through any graph, and writes down what it meets. It runs nothing and
# changes nothing. `names` tells it what we call our tensors.

# %%
graph = lab.capture(loss, names={"w": w, "ŷ": y_hat, "s": s, "loss": loss})
print(graph)

assert [node.name for node in graph.nodes] == [
    "PowBackward0", "SubBackward0", "MulBackward0", "AccumulateGrad",
]  # fmt: skip
assert str(graph.node(0).grad_outputs[0]) == "f32[]"
assert w.grad is None  # nothing has run

# %% [markdown]
# Read it like this: node 0 (`PowBackward0`) sends its gradient to node 1. `f32[]` is the shape of what flows
# *into* a node: a single 32-bit number. In the column `next`, a dash is an edge that isn't there. `leaf` is
# the name of the leaf that is fed. (`saved` is the subject of chapter 3.)
#
# ### What is `input_nr`?
#
# Some operations have more than one *result*. Then several gradients come back to their node, one for each
# result, and an edge has to say which one it carries. `unbind` takes a tensor apart:

# %%
v = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
a, b, c = v.unbind()
total = a * c

apart = lab.capture(total, names={"v": v, "a": a, "c": c})
print(apart)

assert [(edge.node, edge.input_nr) for edge in apart.node(0).next] == [(1, 0), (1, 2)]
assert len(apart.node(1).grad_outputs) == 3

# %% [markdown]
# The multiplication has two edges, both to node 1. The first says `input_nr` 0, the gradient for $a$; the
# second, written `1:2`, says `input_nr` 2, the gradient for $c$. Nothing goes into slot 1: $b$ wasn't used.
#
# Both edges of one multiplication may also lead to the *same* slot. Squaring by hand does that:

# %%
twice = lab.capture(w * w, names={"w": w})

assert [(edge.node, edge.input_nr) for edge in twice.node(0).next] == [(1, 0), (1, 0)]

# %% [markdown]
# Two edges, two gradients: one for each place in which $w$ was used. They're added up (chapter 5).
#
# ## Figure
#
# The example's graph. The gradient enters at the left, where the loss is, and follows the arrows to the
# leaf, which is green. Each box is a node; under its name is what flows into it.

# %%
show(graph, "seed", direction="right")

# %% [markdown]
# A node with three slots, two of which are used. The numbers at the ends of arrows are slots: `0` and `1` on
# the side of the multiplication are its two inputs, and `0` and `2` on the side of `unbind` are its results
# $a$ and $c$.

# %%
show(apart, "input_nr")

# %% [markdown]
# ## What to notice
#
# - The graph isn't made by `backward()`. It grows during the forward pass, one node for each operation, and
#   waits.
# - It holds the operations in reverse: you enter at the end and come out at the leaves.
# - A node points to what was there *before* it. Nothing points to the loss; if you let go of `loss`, what
#   only `loss` held goes. (Here `s` and `y_hat` still hold theirs.)
# - Only what can reach a leaf is in it. Constants aren't.
#
# ## Try changing
#
# - Give `y` a `requires_grad=True`, take out the assert that now stops you, and capture again. What stands now
#   in the place of its dash?
# - Run the forward under `with torch.no_grad():`. What is `loss.grad_fn` then?
# - Capture a model of your own: `lab.capture(loss, model=model)`. The leaves get the names of your
#   parameters.
