# %% [markdown]
# # 13 · Checkpointing
#
# ## Question
#
# What the forward saves stays in memory until the backward has used it (chapter 3). In a deep model that's most of
# the memory of a training step. But whatever was saved was *computed* once, and could be computed again. What if we
# throw it away?

# %% [markdown]
# ## Prediction
#
# Take 16 layers, and let each save one tensor of 1 MiB: 16 MiB.
#
# *Checkpointing* cuts them into segments. Of each segment only the input is kept. When the backward reaches a
# segment, its forward is run again from that input; what it needs is saved again, used and freed; then the backward
# moves on to the previous segment.
#
# With 4 segments of 4 layers there are 4 inputs, 4 MiB. For one segment at a time there's what its layers save: the
# first one its input, which is there anyway, the other three 3 MiB. So 7 MiB where there were 16. The price: every
# layer's forward runs twice, 32 calls instead of 16. The gradients must not change by a single bit: the same numbers
# are computed again by the same operations.

# %% [markdown]
# ## Run
#
# Our layers are sines. They have no weights, so all that's saved is what flows through. Each saves its input, because
# the derivative of $\sin x$ is $\cos x$. We count the calls, and write down where in memory each one's input lies.

# %%
import torch
from torch.utils.checkpoint import checkpoint

import autograd_lab as lab
from autograd_lab.draw import theme
from autograd_lab.tour import plot, show

MIB = 2**20
calls = []


def layers(count):
    def forward(h):
        for _ in range(count):
            calls.append(h.data_ptr())
            h = h.sin()
        return h

    return forward


torch.manual_seed(0)
x = torch.randn(512, 512, requires_grad=True)

assert x.numel() * x.element_size() == MIB

# %% [markdown]
# ### Without

# %%
output = layers(16)(x).sum()
graph = lab.capture(output)
(expected,) = torch.autograd.grad(output, x)
print(f"{graph.saved_nbytes / MIB:g} MiB saved, {len(calls)} calls")

assert graph.saved_nbytes == 16 * MIB
assert len(calls) == 16

# %% [markdown]
# ### With
#
# PyTorch has two ways of doing it. We take the older one first (`use_reentrant=True`), because it hides nothing: each
# segment becomes one single node, which keeps the segment's input.


# %%
def checkpointed(segments, reentrant=True):
    h = x
    for _ in range(segments):
        h = checkpoint(layers(16 // segments), h, use_reentrant=reentrant)
    return h.sum()


calls.clear()
output = checkpointed(4)
graph = lab.capture(output, names={"x": x})
print(graph)

assert graph.saved_nbytes == 4 * MIB
assert len(calls) == 16

# %% [markdown]
# In the forward the layers ran under `no_grad` (chapter 12), so they left no nodes. Now the backward. `lab.watch`
# sees every backward that starts, and here there are five: when a segment's node has its turn, it runs the forward
# again, with gradients this time, and starts a backward of its own *inside* the big one.

# %%
with lab.watch() as watcher:
    output.backward()

outer, *inner = watcher.traces
for trace in inner:
    print(f"in node {trace.within}: {len(trace.steps)} nodes, {trace.graph.saved_nbytes / MIB:g} MiB saved")

assert [trace.within for trace in inner] == [1, 2, 3, 4]
assert all(trace.graph.saved_nbytes == 4 * MIB for trace in inner)
assert [calls[at] for at in (16, 20, 24, 28)] == [calls[at] for at in (12, 8, 4, 0)]
assert len(calls) == 32
assert torch.equal(x.grad, expected)

# %% [markdown]
# Each small graph saved 4 MiB. But look at the second assertion: when a segment ran again, its first input lay in the
# same place as the first time. It's the tensor that the big graph had kept, so it takes no memory again. 4 + 3 MiB,
# 32 calls, the same bits.
#
# ### The newer way
#
# `use_reentrant=False`, which PyTorch recommends, gets there by another road. The graph keeps all its nodes, and no
# backward starts inside another. But in the place of each saved tensor there's only a receipt. When the first receipt
# is presented, the segment's forward runs again.

# %%
calls.clear()
newer = checkpointed(4, reentrant=False)
newer_graph = lab.capture(newer)
saved = [saved for node in newer_graph.nodes for saved in node.saved if saved.packed]
print(f"{len(saved)} saved tensors, held by the hook {saved[0].packed.split('.')[-1]!r}")

assert len(saved) == 16
assert newer_graph.saved_nbytes == 0

# %%
with lab.watch() as watcher:
    (again,) = torch.autograd.grad(newer, x)

assert len(watcher.traces) == 1
assert len(calls) == 32
assert torch.equal(again, expected)

# %% [markdown]
# ### How many segments?
#
# Few segments keep few inputs, but each is long. Many segments are short, but there are many inputs. We count the
# bytes that are saved, not the peak of all memory: what the big graph keeps, and the most that one segment saves when
# it is run again.

# %%
most = {}
for segments in (1, 2, 4, 8, 16):
    calls.clear()
    with lab.watch() as watcher:
        checkpointed(segments).backward()
    assert len(calls) == 32
    outer, *inner = watcher.traces
    kept = outer.graph.saved_nbytes
    anew = max(trace.graph.saved_nbytes for trace in inner) - MIB  # its input is kept already
    most[segments] = (kept + anew) / MIB
    print(f"{segments:2} segments: {kept / MIB:2g} + {anew / MIB:2g} = {most[segments]:2g} MiB")

assert most == {1: 16, 2: 9, 4: 7, 8: 9, 16: 16}
assert most == {segments: segments + 16 / segments - 1 for segments in most}
assert min(segments + 100 / segments - 1 for segments in range(1, 101)) == 19

# %% [markdown]
# With $n$ layers in $k$ segments it's $k + n/k - 1$. One segment gains nothing, and neither do segments of one layer.
# The best is in the middle, at $k = \sqrt{n}$: here $4$, and then it's $2\sqrt{n} - 1 = 7$. A model of 100 such
# layers needs 19 instead of 100.

# %% [markdown]
# ## Figure

# %%
show(graph, "segments", saved=True)

# %%
figure, axes = plot("Memory for saved tensors, 16 layers", x="segments", y="MiB")
axes.plot(list(most), list(most.values()), "o-", label="checkpointed")
axes.axhline(16, linestyle="--", color=theme.FAINT, label="all saved")
axes.set_ylim(0, 18)
axes.set_xticks(list(most))
axes.legend(frameon=False, loc="lower right")
show(figure, "memory")

# %% [markdown]
# ## What to notice
#
# - A saved tensor is a promise that the backward can have these numbers. Keeping them is one way to fulfil it,
#   computing them again is another.
# - The price is a second forward, whatever the number of segments.
# - "The same numbers again" takes some care. Dropout must draw the same random numbers the second time;
#   `checkpoint` puts the random state back for that. And a layer that counts its calls, as ours do, notices that it
#   ran twice.

# %% [markdown]
# ## Try changing
#
# - Give the layers weights (`torch.nn.Linear`) and capture again. The graph now also holds the weights. Do they
#   cost anything?
# - Let each layer be `torch.nn.functional.dropout(h.sin(), 0.5)`. Are the gradients still the same as without
#   checkpoints, from the same seed? Then pass `preserve_rng_state=False`.
# - Checkpoint inside a checkpoint. How many calls are there, and how much memory does it take?
