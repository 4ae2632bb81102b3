# %% [markdown]
# # 4 · The ready queue
#
# ## Question
#
# A chain leaves no choice: one node after another. But graphs have branches. If two nodes are ready, which
# one goes first?
#
# ## Prediction
#
# The part of PyTorch that runs the nodes is called the *engine*. It has two rules.
#
# 1. **Wait until everything has arrived.** A node may run when every gradient that will be sent to it has
#    been sent. For that the engine counts, before it begins, how many edges lead to each node. These are its
#    *dependencies*. Whenever a gradient arrives, the count goes down by one. At zero the node is *ready*.
# 2. **Of those that are ready, the youngest first.** Ready nodes stand in the *ready queue*. The forward pass
#    numbers the nodes that it makes: `sequence_nr`. The highest number goes first, that is, the operation
#    that ran last. A leaf's node always goes first of all: its gradient is complete, and can be put away.
#
# An example with a branch. One path from $w$ to the end is short, the other long:
#
# $$a = 2w \qquad b = e^w \qquad c = \sin b \qquad \text{out} = a + c$$
#
# The forward makes four nodes in this order: Mul, Exp, Sin, Add. So we predict for the way back:
#
# | step | ready, the next first | runs | because |
# |---|---|---|---|
# | 0 | Add | Add | it's the only one |
# | 1 | Sin, Mul | Sin | it's younger than Mul |
# | 2 | Exp, Mul | Exp | it's younger than Mul |
# | 3 | Mul | Mul | the leaf still waits for Mul's gradient |
# | 4 | w | w | both gradients have arrived |
#
# ## Run
#
# ### The order, by the lab's engine
#
# `lab.Engine` is PyTorch's engine again, written in Python so that it can be stopped. It runs the real nodes.
# We give it the output and let it count.

# %%
import torch

import autograd_lab as lab
from autograd_lab.tour import show

w = torch.tensor(0.5, requires_grad=True)
a = 2 * w
b = w.exp()
c = b.sin()
out = a + c

engine = lab.Engine(out, names={"w": w, "a": a, "b": b, "c": c})
short = {node.id: node.variable or node.name.removesuffix("Backward0") for node in engine.graph.nodes}
waits_for = {short[node]: count for node, count in enumerate(engine.dependencies)}

print("gradients still awaited:", waits_for)
print("ready:", [short[node] for node in engine.ready])
assert waits_for == {"Add": 0, "Sin": 1, "Exp": 1, "Mul": 1, "w": 2}

# %% [markdown]
# Add awaits nothing: the backward has begun, and its gradient, the number 1, was sent. The leaf $w$ awaits
# two, because it was used twice. Now step by step. Before each step we print the queue; the first in it is
# what runs.

# %%
queues = []
while not engine.done:
    queues.append([short[node] for node in engine.ready])
    step = engine.step()
    print(f"step {step.index}: ready {queues[-1]!s:<16} runs {short[step.node]}")

assert queues == [["Add"], ["Sin", "Mul"], ["Exp", "Mul"], ["Mul"], ["w"]]

# %% [markdown]
# Our table, line by line.
#
# ### Is that PyTorch's order?
#
# `lab.trace` runs PyTorch's own engine, written in C++, and writes down the order in which the nodes really
# ran. And `lab.check_engine` runs both engines on one graph and compares order and gradients, bit for bit.

# %%
check = lab.check_engine(out)
trace = lab.trace(out, names={"w": w})
order = [trace.graph.node(step.node).name for step in trace.steps]

print(check)
print(order)
assert check.ok
assert order == [
    "AddBackward0", "SinBackward0", "ExpBackward0", "MulBackward0", "AccumulateGrad",
]  # fmt: skip

# %% [markdown]
# The gradient, by school calculus, is $2 + \cos(e^w) \cdot e^w$:

# %%
by_calculus = 2 + torch.cos(torch.exp(torch.tensor(0.5))) * torch.exp(torch.tensor(0.5))

print(f"w.grad = {w.grad.item():.6f}   by calculus: {by_calculus.item():.6f}")
assert torch.allclose(w.grad, by_calculus)

# %% [markdown]
# ### Age decides, not distance
#
# Compute the same result, but the short branch last: $b$, $c$, then $a$. Now Mul is younger than Sin. It
# should run before Sin, although nothing else has changed.

# %%
b = w.exp()
c = b.sin()
a = 2 * w
graph = lab.capture(a + c, names={"w": w})

print([node.name for node in graph.nodes])
assert [node.name for node in graph.nodes] == [
    "AddBackward0", "MulBackward0", "SinBackward0", "ExpBackward0", "AccumulateGrad",
]  # fmt: skip

# %% [markdown]
# That's also why `lab.capture` can list the nodes in the engine's order without running anything: the counts
# and the `sequence_nr` say it all.
#
# ### A leaf goes first
#
# With two leaves, one is ready long before the other. It doesn't wait for the rest of the backward.

# %%
early = torch.tensor(1.0, requires_grad=True)
late = torch.tensor(2.0, requires_grad=True)
graph = lab.capture(late.sin().exp() * early, names={"early": early, "late": late})

print([node.variable or node.name for node in graph.nodes])
assert [node.variable or node.name for node in graph.nodes] == [
    "MulBackward0", "early", "ExpBackward0", "SinBackward0", "late",
]  # fmt: skip

# %% [markdown]
# ## Figure
#
# The first example as it ran. Each box says in which step it had its turn; the numbers on the arrows are the
# sizes of the gradients that were sent.

# %%
show(trace, "trace")

# %% [markdown]
# ## What to notice
#
# - Every node runs at most once, however many paths lead to it. (`torch.autograd.grad(out, w)` leaves out
#   nodes that don't lead to $w$.) Without rule 1 the shared part of a graph would be run again for each path
#   through it, and the number of paths may double with each layer.
# - The order is fixed by the forward pass. Two engines went back through the same graph, and did the same in
#   the same order.
# - Youngest first means: roughly the forward pass in reverse. What was saved last is let go first.
#
# ## Try changing
#
# - Compute `b`, then `a`, then `c`. Write the table down before you run it.
# - Let the engine stop: `engine.run(until="w")` on a new `lab.Engine`, then look at `engine.buffers`.
# - Type `autograd-lab step your_file.py:make_loss` to do the same in the terminal, with a loss of your own.
