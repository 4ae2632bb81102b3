# %% [markdown]
# # 7 · Your own mul, sub, pow
#
# ## Question
#
# So far every node in the graph was PyTorch's. What is inside one? Could you write it yourself? And would a model
# notice?

# %% [markdown]
# ## Prediction
#
# A node knows one thing: how its own result moves when its inputs move. It is handed `grad`, the derivative of the
# loss with respect to its *result*, and it gives back the derivative with respect to each of its *inputs*. The chain
# rule says how: multiply `grad` by the local derivative.
#
# | operation | result | moves with the first input | with the second | so it gives back |
# |---|---|---|---|---|
# | mul | `x · y` | `y` | `x` | `grad · y` and `grad · x` |
# | sub | `x − y` | `1` | `−1` | `grad` and `−grad` |
# | pow | `xⁿ`, n a plain number | `n · xⁿ⁻¹` | no gradient | `grad · n · xⁿ⁻¹` |
#
# Take the weight of chapter 0 again: `w = 0`, `x = 2`, `y = 4`, so `s = w · x − y = −4` and `loss = s² = 16`. Now
# walk back. The number 1 enters. Pow gives back `1 · 2 · (−4) = −8`. Sub hands its first input that −8 unchanged. Mul
# gives the weight `−8 · 2 = −16`.
#
# If that is all there is, a whole model that runs on our rules gets the gradients that it got before: not nearly the
# same numbers, but the same bits.

# %% [markdown]
# ## Run
#
# ### Mul
#
# A rule of your own is a class with three functions. `forward` computes the result. `setup_context` puts aside what
# the backward will need, in `ctx`: a notebook that `setup_context` writes and `backward` reads. `backward` is the
# line of the table.

# %%
import torch

import autograd_lab as lab
from autograd_lab.tour import show


class Mul(torch.autograd.Function):
    @staticmethod
    def forward(x, y):
        return x * y

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        return grad * y, grad * x


# %% [markdown]
# ### Sub
#
# Its derivatives are 1 and −1, whatever the inputs are. So it has nothing to remember.


# %%
class Sub(torch.autograd.Function):
    @staticmethod
    def forward(x, y):
        return x - y

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, grad):
        return grad, -grad


# %% [markdown]
# ### Pow
#
# It remembers its base. The exponent here is a plain number: it goes into the notebook as it is. `backward` returns
# one value for each argument of `forward`, so the exponent gets its place too, and `None` in it.


# %%
class Pow(torch.autograd.Function):
    @staticmethod
    def forward(x, n):
        return x**n

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.n = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * ctx.n * x ** (ctx.n - 1), None


# %% [markdown]
# ### The chain
#
# `Mul.apply(w, x)` runs `forward` and hangs a node on the result. Three of them make our loss.

# %%
w = torch.tensor(0.0, requires_grad=True)
x, y = torch.tensor(2.0), torch.tensor(4.0)

s = Sub.apply(Mul.apply(w, x), y)
loss = Pow.apply(s, 2)
names = {"w": w, "x": x, "y": y, "s": s, "loss": loss}

assert (s, loss) == (-4, 16)
remembers = {node.name: len(node.saved) for node in lab.capture(loss).nodes}
assert remembers == {"PowBackward": 1, "SubBackward": 0, "MulBackward": 2, "AccumulateGrad": 0}
show(loss, "chain", names=names, saved=True, direction="right")

# %% [markdown]
# The graph looks as it always did. Only the names changed: a node of yours is called after your class, `MulBackward`,
# where PyTorch's own is `MulBackward0`. And you can read off who remembers what: pow its base, mul both factors, sub
# nothing.
#
# Now run it. `keep="all"` has the trace keep the gradients themselves.

# %%
trace = lab.trace(loss, names=names, keep="all")
gives_back = {trace.graph.node(place).name: kept.grad_inputs for place, kept in trace.kept.items()}
for name in ("PowBackward", "SubBackward", "MulBackward"):
    print(f"{name:12}", *(f"{grad:4g}" for grad in gives_back[name]))

assert gives_back["PowBackward"] == (-8,)
assert gives_back["SubBackward"] == (-8, 8)
assert gives_back["MulBackward"] == (-16, 0)
assert w.grad == -16

# %% [markdown]
# Our rules said −16. The second column is what they returned for `y` and for `x`. Both are plain data that require no
# gradient, so their edges are missing and the engine drops these numbers.
#
# ### In a model that knows nothing of it
#
# We had to write `Mul.apply(w, x)` for `w * x`. Nobody writes models like that. So the lab has the same three rules
# in a finished form, for every shape and number that PyTorch takes. Their core is what you just wrote (PyTorch calls
# the first input `self`, the second one `other` or `exponent`):

# %%
rules = lab.functions.rules
for name in ("mul", "sub", "pow"):
    first, second, _ = rules[name].formula.values()
    print(f"{name}   {first}\n      {second}")

assert rules["mul"].formula["self"] == "grad * conj(other)"
assert rules["sub"].formula["other"] == "-grad * conj(alpha)"

# %% [markdown]
# `conj` matters for complex numbers only, `alpha` is 1 unless you ask for another, and the rule for pow handles zeros
# specially (chapter 9).
#
# `lab.swap` puts these rules into code as it stands. Here is a small model, once as always and once swapped.

# %%
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.RMSNorm(8), torch.nn.Linear(8, 1))
inputs, targets = torch.randn(16, 4), torch.randn(16, 1)


def gradients():
    loss = ((model(inputs) - targets) ** 2).mean()
    graph = lab.capture(loss, model=model)
    return graph, torch.autograd.grad(loss, list(model.parameters()))


graph, native = gradients()
with lab.swap("mul", "sub", "pow") as swapped:
    swapped_graph, ours = gradients()

# %%
print(dict(swapped.calls))

assert swapped.calls == {"mul.Tensor": 2, "pow.Tensor_Scalar": 2, "sub.Tensor": 1}
assert len(graph) == len(swapped_graph)
assert [node.name for node in swapped_graph.nodes if node.kind == "function"] == [
    "PowBackward", "SubBackward", "MulBackward", "MulBackward", "PowBackward",
]  # fmt: skip

# %% [markdown]
# Five operations went to our rules. We wrote one `-` and one `**` ourselves. The others appear in no line of Python:
# `RMSNorm` does them in C++, and they were swapped there too. Do the gradients agree?

# %%
for (name, _), before, after in zip(model.named_parameters(), native, ours, strict=True):
    print(f"{name:10} largest difference {(before - after).abs().max():g}")

assert all(torch.equal(before, after) for before, after in zip(native, ours, strict=True))
assert ((model(inputs) - targets) ** 2).grad_fn.name() == "PowBackward0"

# %% [markdown]
# Zero, to the last bit. And the last line says that with the end of the block everything is PyTorch's again.

# %% [markdown]
# ## Figure

# %%
show(swapped_graph, "swapped")

# %% [markdown]
# The boxes with the double line are the lab's rules, run in Python. All others are PyTorch's. They work hand in hand:
# neither knows of the other.

# %% [markdown]
# ## What to notice
#
# - A rule is local. It never sees the model, the loss or its neighbours. It sees `grad` and what it put aside.
# - What must be saved is what the derivative mentions: both factors for mul, the base for pow, nothing for sub. This
#   is where most of a training step's memory goes.
# - `backward` returns one value for each argument of `forward`, in the same order.
# - Nothing in the engine is special about PyTorch's own operations. It asks each node the same question.

# %% [markdown]
# ## Try changing
#
# - Let `Mul.backward` return `grad * x, grad * y`. What is `w.grad` now, and why? Then ask
#   `print(lab.verify(Mul))`: it says which fault it is.
# - Write `Div`. What must it save? Compare with `lab.functions.Div`.
# - `ctx.needs_input_grad` says which inputs want a gradient. Use it so that `Sub` never computes the `-grad` that
#   nobody takes.
# - Say `lab.swap()`, without names, for every rule there is. How many calls does the model make then?
