# %% [markdown]
# # 15 · A real model: which layer starves?
#
# ## Question
#
# A deep model learns only if every layer gets a gradient that is worth something. How do you see, in a training loop
# that you'd rather not touch, which layers get enough and which starve?

# %% [markdown]
# ## Prediction
#
# On its way back the gradient passes every layer, and each multiplies it by its slope. For the sigmoid the slope is
# $\sigma (1 - \sigma)$, at most $1/4$. Through 12 such layers that makes a factor of at most $(1/4)^{12}$, less than
# one part in 16 million (the weights between them multiply too, but start out small). The first layer should get next
# to nothing.
#
# And next to nothing can be nothing at all. `float32` keeps about 7 digits. If an update is 100 million times smaller
# than the weight, then weight + update *is* the weight.
#
# Modern models give each layer a shortcut: $h + f(h)$ instead of $f(h)$. The slope is then $1$ more than that of $f$.
# However small that may be, a product of numbers near $1$ doesn't vanish.

# %% [markdown]
# ## Run
#
# ### Twelve sigmoids
#
# The training loop is one as anybody writes it. `lab.watch` is put around it, not into it.

# %%
import torch
from torch import nn

import autograd_lab as lab
from autograd_lab.tour import plot, show


class Shortcut(nn.Sequential):
    def forward(self, h):
        return h + super().forward(h)


def deep(block):
    torch.manual_seed(0)
    blocks = [block(nn.Linear(32, 32), nn.Sigmoid()) for _ in range(12)]
    return nn.Sequential(*blocks, nn.Linear(32, 1))


# %%
torch.manual_seed(1)
x = torch.randn(64, 32)
y = x.mean(dim=1, keepdim=True)


def train(model, steps, kind=torch.optim.SGD):
    optimizer = kind(model.parameters(), lr=0.001)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()


# %%
plain = deep(nn.Sequential)
before = plain[0][0].weight.detach().clone()
with lab.watch(plain) as watcher:
    train(plain, steps=20)


# %%
def norms(trace):
    """The norm of the gradient that each layer's weight got, the first layer first."""
    arrived = [step for step in trace.steps if step.accumulation]
    leaves = {trace.graph.node(step.node).variable: step for step in arrived}
    names = sorted((name for name in leaves if "weight" in name), key=order)
    return {name: leaves[name].grad_outputs[0].norm for name in names}


def order(name):
    return [int(part) if part.isdigit() else -1 for part in name.split(".")]


plain_norms = norms(watcher.traces[0])
for name, norm in plain_norms.items():
    print(f"{name:12} {norm:.1e}")

first, *_, last = plain_norms.values()
assert len(watcher.traces) == 20
assert first / last < 4**-12
assert 1 / 9 < (first / last) ** (1 / 12) < 1 / 7

# %% [markdown]
# Each layer passes on about an eighth of what it got. What did 20 steps of training do to the first layer's 1,024
# weights?

# %%
after = plain[0][0].weight.detach()
print("weights that changed:", int((before != after).sum()), "of", before.numel())

assert before.numel() == 1024
assert torch.equal(before, after)
assert torch.equal(before + before / 100_000_000, before)

# %% [markdown]
# Not a single bit. The loop ran without an error, and there *was* a gradient. With this optimizer, the layer has
# starved.
#
# Or did the watching do that? The same training without it:

# %%
unwatched = deep(nn.Sequential)
train(unwatched, steps=20)

assert first > 0
assert all(map(torch.equal, unwatched.parameters(), plain.parameters()))

# %% [markdown]
# Every weight has the same bits.
#
# ### An update isn't a gradient
#
# That was SGD: it moves a weight by its gradient times the learning rate. Adam divides each gradient by its own
# usual size first. The same model and the same gradients: will Adam move the first layer?

# %%
with_adam = deep(nn.Sequential)
train(with_adam, 20, torch.optim.Adam)
moves = (with_adam[0][0].weight.detach() - before).abs()

print(f"weights that changed: {(moves > 0).sum()}, by at most {moves.max():.1e}")
assert (moves > 0).sum() > 900
assert moves.max() < 1e-5 < 20 * 0.001 / 1000

# %% [markdown]
# Nearly all of them. But not far, less than a thousandth of what 20 whole steps of Adam are: it adds $10^{-8}$ to
# what it divides by, and gradients far below that stay small. So what starves a layer is the gradient *and* the
# optimizer. The gradient shows which layer is in danger.
#
# ### With shortcuts

# %%
shortcuts = deep(Shortcut)
with lab.watch(shortcuts, limit=1) as watcher:
    train(shortcuts, steps=20)

shortcut_norms = norms(watcher.traces[0])
first, *_, last = shortcut_norms.values()
print(f"first {first:.2g}, last {last:.2g}")

assert first / last > 1 / 1000

# %% [markdown]
# The same layers, the same sigmoids. (`limit=1` has only the first backward traced; the others run almost as if
# nobody watched.)
#
# ### A transformer
#
# Now a real one, of four layers, with an embedding below and a head on top. It learns to repeat the token before.
# Each of its layers has an attention block and a small network, both with shortcuts.


# %%
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        options = {"dropout": 0.0, "batch_first": True, "norm_first": True}
        layer = nn.TransformerEncoderLayer(32, 4, 64, **options)
        self.embed = nn.Embedding(20, 32)
        self.encoder = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.head = nn.Linear(32, 20)

    def forward(self, tokens):
        return self.head(self.encoder(self.embed(tokens)))


def train_transformer(model, steps):
    tokens = torch.randint(20, (16, 12))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        logits = model(tokens).flatten(0, 1)
        nn.functional.cross_entropy(logits, tokens.roll(1, dims=1).flatten()).backward()
        optimizer.step()


# %% [markdown]
# Inside an attention block one large weight holds three matrices, one below the other: for *queries*, *keys* and
# *values*. `keep` asks the watch to keep the gradients of these weights themselves.

# %%
torch.manual_seed(0)
model = Model()
in_proj = [name for name, _ in model.named_parameters() if "in_proj_weight" in name]
with lab.watch(model, keep=lambda node: node.variable in in_proj) as watcher:
    train_transformer(model, steps=20)

traces = watcher.traces
first_norms = norms(traces[0]).items()


def largest(i):
    return max(norm for name, norm in first_norms if f"layers.{i}." in name)


layers = [largest(i) for i in range(4)]
print("largest gradient in each layer:", *(f"{norm:.2f}" for norm in layers))

assert max(layers) < 2 * min(layers)

# %% [markdown]
# From layer to layer all is even. Nobody starves from depth here. And within a layer?

# %%
for name, grad in traces[0].grads.items():
    queries, keys, values = (part.norm().item() for part in grad.chunk(3))
    print(f"{name:40} queries {queries:.3f}  keys {keys:.3f}  values {values:.3f}")
    assert max(queries, keys) < values / 3

# %% [markdown]
# Here there are poor relations: queries and keys get less than a third of what the values get, in every layer. They
# only decide *where* to look. At the beginning all places look alike, so looking elsewhere changes hardly anything.
# That is how attention begins, and no fault.

# %% [markdown]
# ## Figure
#
# The two deep models, layer by layer:

# %%
figure, axes = plot("Norm of each layer's weight gradient", x="layer", y="norm")
axes.semilogy(list(plain_norms.values()), "o-", label="12 sigmoid layers")
axes.semilogy(list(shortcut_norms.values()), "s--", label="with shortcuts")
axes.legend(frameon=False)
show(figure, "starving")

# %% [markdown]
# The transformer's first backward, a box for each layer, with the norms of what goes in and out:

# %%
show(traces[0], "transformer", depth=3)

# %% [markdown]
# And all of its training, a line for each part:

# %%
show(traces, "norms", view="norms", title="Gradients over 20 steps")

# %% [markdown]
# ## What to notice
#
# - Starving is multiplicative: it's the same factor at every layer. On a logarithmic scale that is a straight line.
# - It makes no error and no warning. The loss may even fall, because the last layers learn.
# - Watching didn't change a bit of the training, and there is nothing of it in the model's code.

# %% [markdown]
# ## Try changing
#
# - Replace `nn.Sigmoid` by `nn.ReLU` and by `nn.Tanh`. How steep is the line now?
# - Start with larger weights (`nn.init.normal_(weight, std=1.0)`). What becomes of twelve sigmoids then, and of
#   twelve tanhs?
# - Train the transformer for 300 steps with `skip=280`. Do queries and keys still get so little?
