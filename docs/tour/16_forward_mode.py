# %% [markdown]
# # 16 · Forward mode: what if we push instead of pull?
#
# ## Question
#
# Everything so far began at the loss and went *back*. Why? The chain rule is a product of local derivatives, and a
# product can be worked out from either end. What if we start at the weight and go forward, together with the values?

# %% [markdown]
# ## Prediction
#
# In chapter 0 the three local derivatives were $2$ (of $wx$ with respect to $w$), $1$ (of $\hat y - y$ with respect
# to $\hat y$) and $-8$ (of $s^2$ with respect to $s$).
#
# ```
# pull, from the loss:    1 · (−8) = −8     −8 · 1 = −8     −8 · 2 = −16
# push, from the weight:  1 · 2 = 2          2 · 1 = 2       2 · (−8) = −16
# ```
#
# The same $-16$. What is pulled is called a *gradient*: how does the loss react to this number? What is pushed is
# called a *tangent*: how does this number react to the weight?
#
# A push needs no graph and saves nothing, since value and tangent go hand in hand. But it answers for *one* input,
# and a model has millions. A pull answers for *one* output, and a loss is just one number. So for $n$ weights we
# expect $n$ pushes or $1$ pull. For one input and many outputs it should be the other way round.

# %% [markdown]
# ## Run
#
# ### A number with a tangent
#
# Let's build it. A `Dual` carries both, and each operation says what becomes of both. Compare `__mul__` with the rule
# of chapter 7: the same two local derivatives, used the other way round.


# %%
class Dual:
    operations = 0

    def __init__(self, value, tangent=0.0):
        self.value, self.tangent = value, tangent
        Dual.operations += 1

    def __mul__(self, other):
        return Dual(self.value * other.value, self.tangent * other.value + self.value * other.tangent)

    def __add__(self, other):
        return Dual(self.value + other.value, self.tangent + other.tangent)

    def __sub__(self, other):
        return Dual(self.value - other.value, self.tangent - other.tangent)

    def __pow__(self, n):
        return Dual(self.value**n, n * self.value ** (n - 1) * self.tangent)


def loss_of(w, x, y):
    return (w * x - y) ** 2


# %%
w, x, y = Dual(0.0, 1.0), Dual(2.0), Dual(4.0)  # 1: how does w react to w?
for what, number in (("w·x", w * x), ("s", w * x - y), ("loss", loss_of(w, x, y))):
    print(f"{what:5} value {number.value:3g}   tangent {number.tangent:3g}")

assert ((w * x).tangent, (w * x - y).tangent) == (2, 2)
assert (loss_of(w, x, y).value, loss_of(w, x, y).tangent) == (16, -16)

# %% [markdown]
# One walk, forwards, and the derivative is there together with the loss.
#
# ### PyTorch can do it, too
#
# Nearly every rule in PyTorch has its forward side, called `jvp`. The lab's rules have one as well, and `swap` puts
# them in.

# %%
import torch
from torch.autograd import forward_ad

import autograd_lab as lab
from autograd_lab.tour import plot, show


def push(f, value, tangent):
    with forward_ad.dual_level():
        result = f(forward_ad.make_dual(value, tangent))
        return result.grad_fn, forward_ad.unpack_dual(result).tangent


def seed_loss(w):
    return loss_of(w, torch.tensor(2.0), torch.tensor(4.0))


graph, tangent = push(seed_loss, torch.tensor(0.0), torch.tensor(1.0))
with lab.swap("mul", "sub", "pow") as swapped:
    _, ours = push(seed_loss, torch.tensor(0.0), torch.tensor(1.0))
print(tangent, ours, dict(swapped.calls))

assert graph is None  # nothing was recorded, nothing was saved
assert tangent == ours == -16
assert sum(swapped.calls.values()) == 3

# %% [markdown]
# ### Many inputs, one output
#
# Now $n$ weights and one loss, the sum of $n$ squares. The whole gradient by pushing takes $n$ walks, and each has to
# go through everything. By pulling it's one walk. We count: for a push the `Dual`s that were made, for a pull the
# nodes that ran.


# %%
def total(weights, number):
    loss = number(0.0)
    for at, weight in enumerate(weights):
        loss = loss + loss_of(weight, number(at + 1.0), number(4.0))
    return loss


def by_pushing(n):
    Dual.operations = 0
    gradient = [total([Dual(0.0, float(at == one)) for at in range(n)], Dual).tangent for one in range(n)]
    return gradient, Dual.operations


def by_pulling(n):
    weights = [torch.tensor(0.0, requires_grad=True) for _ in range(n)]
    names = {f"w{at}": weight for at, weight in enumerate(weights)}
    trace = lab.replay(total(weights, torch.tensor), names=names)
    return [trace.grads[name].item() for name in names], len(trace.steps)


# %%
counts = {}
for n in (1, 2, 4, 8, 16, 32):
    pushed, pushes = by_pushing(n)
    pulled, pulls = by_pulling(n)
    counts[n] = (pushes, pulls)
    print(f"{n:2} weights: {pushes:5} operations by pushing, {pulls:3} by pulling")
    assert pushed == pulled
    assert pulls == 5 * n
    assert pushes == n * (7 * n + 1)

# %% [markdown]
# The same gradients. (A pull also needs its forward, about as many operations again; that changes the factor, not how
# it grows.) Pushing costs $n^2$, pulling $n$. For a model of a million weights that's about a million times as much:
# this is why deep learning pulls.
#
# ### One input, many outputs
#
# A point runs along a helix: $(\cos t, \sin t, t)$. Its velocity is the derivative of three outputs by one input.


# %%
def helix(t):
    return torch.stack([t.cos(), t.sin(), t])


t = torch.tensor(0.0, dtype=torch.float64)
_, velocity = push(helix, t, torch.ones_like(t))
print(velocity)

assert velocity.tolist() == [0, 1, 1]

t.requires_grad_()
point = helix(t)
rows = [torch.autograd.grad(coordinate, t, retain_graph=True)[0] for coordinate in point]

assert len(rows) == 3  # three backwards for what was one push
assert [row.item() for row in rows] == velocity.tolist()

# %% [markdown]
# ### The same table, by columns or by rows
#
# All derivatives of $m$ outputs with respect to $n$ inputs form a table $J$ with $m$ rows and $n$ columns. A push
# with $v$ gives $Jv$, a mixture of columns. A pull with $u$ gives $J^\top u$, a mixture of rows. Multiply either with
# the other vector, and it must come out the same. That is a fine test of both, with no formula at all:

# %%
torch.manual_seed(0)
matrix = torch.randn(5, 7, dtype=torch.float64)
inputs, v = torch.randn(7, dtype=torch.float64), torch.randn(7, dtype=torch.float64)
u = torch.randn(5, dtype=torch.float64)


def layer(x):
    return (matrix @ x).tanh()


_, pushed = push(layer, inputs, v)
inputs.requires_grad_()
(pulled,) = torch.autograd.grad(layer(inputs), inputs, u)
print(f"u · (J v) = {u @ pushed:.15f}\n(Jᵀ u) · v = {pulled @ v:.15f}")

assert torch.isclose(u @ pushed, pulled @ v, rtol=1e-12)

# %% [markdown]
# ## Figure

# %%
figure, axes = plot("The whole gradient of n weights", x="weights n", y="operations")
axes.loglog(list(counts), [pushes for pushes, _ in counts.values()], "o-", label="n pushes")
axes.loglog(list(counts), [pulls for _, pulls in counts.values()], "s--", label="one pull")
axes.legend(frameon=False)
show(figure, "cost")

# %% [markdown]
# And chapter 0 once more, with every factor. The dashed arrows are the pull. For the push, follow the others from $w$
# on: $2$, then $2 \cdot 1$, then $2 \cdot (-8)$.

# %%
w, x, y = torch.tensor(0.0, requires_grad=True), torch.tensor(2.0), torch.tensor(4.0)
y_hat = w * x
s = y_hat - y
loss = s**2
names = {"w": w, "x": x, "y": y, "ŷ": y_hat, "s": s, "loss": loss}
show(loss, "pull", view="scalar", names=names)

# %% [markdown]
# ## What to notice
#
# - There is one chain rule. Push and pull multiply the same factors, from one end or the other.
# - A push is cheap in memory: no graph, nothing saved. A pull is cheap in walks, if there's one output. It pays for
#   that with all that the forward must leave behind (chapter 3).
# - So much of this tour was about the price of pulling: saved tensors, ready queue, input buffers, checkpoints.
#   It's worth that price, because a loss is one number and the weights are many.

# %% [markdown]
# ## Try changing
#
# - Give `Dual` a `sin` and a `cos` and send it along the helix.
# - Push a tangent through a *gradient*: `push` with the function `torch.func.grad(f)`. Which quantity of chapter 10
#   is that?
# - Run the whole `layer` through `torch.func.jacfwd` and `torch.func.jacrev`. Which of the two needs 7 walks, and
#   which 5?
