# %% [markdown]
# # 8 · Shapes: broadcasting and the hidden sum
#
# ## Question
#
# In the forward you may multiply a tensor of shape `[2, 3]` by one of shape `[3]`: PyTorch stretches the small one.
# The result has shape `[2, 3]`, and so has its gradient. But the gradient of the small one must have shape `[3]`. Who
# makes it small again, and how?

# %% [markdown]
# ## Prediction
#
# Two customers buy three goods. `amounts` says how much of each, `price` is one row that serves both:
#
# ```
# amounts = [[1, 2, 3],      price = [1, 1, 1]      cost = amounts · price,  shape [2, 3]
#            [4, 5, 6]]                             loss = sum of all costs
# ```
#
# Raise the first price a little. The first customer takes one of that good, the second one takes four. The loss feels
# both: its derivative is $1 + 4 = 5$. In the same way the second price has $2 + 5 = 7$, the third one $3 + 6 = 9$.
#
# So stretching forwards is *summing* backwards: a number that was used twice gets the sum of two gradients. We expect
# `price.grad = [5, 7, 9]`. But the rule of chapter 7, `grad · amounts`, has shape `[2, 3]`. Somebody must do the sum.

# %% [markdown]
# ## Run

# %%
import torch

import autograd_lab as lab
from autograd_lab.tour import plot, show

amounts = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
price = torch.tensor([1.0, 1.0, 1.0], requires_grad=True)

cost = amounts * price
loss = cost.sum()

# %% [markdown]
# ### What the node returns
#
# A node can be called like a function, outside of any backward. We hand this one a gradient of ones and look.

# %%
for_amounts, for_price = cost.grad_fn(torch.ones(2, 3))
print(for_price)

assert for_amounts is None  # amounts requires no gradient
assert torch.equal(for_price, amounts)
assert for_price.shape != price.shape

# %% [markdown]
# Two rows for a price that has one. The node did not sum. It knows its rule and nothing of stretching.
#
# ### What arrives
#
# Now a real backward. `kernels=True` has the trace write down every low-level computation, and who asked for it.

# %%
trace = lab.trace(loss, names={"price": price, "cost": cost}, kernels=True)
mul = trace.graph.find("MulBackward")[0]
for kernel in trace.step(mul.id).kernels:
    print(f"{kernel.name:22} by {kernel.by}")

assert price.grad.tolist() == [5, 7, 9]
ran_by = {kernel.name: kernel.by for kernel in trace.step(mul.id).kernels}
assert ran_by["aten::mul.Tensor"] in (
    "node",
    None,
)  # None where PyTorch can't tell: on systems other than Linux
assert ran_by["aten::sum.dim_IntList"] in ("validate_outputs", None)

# %% [markdown]
# Here it is. The node multiplied. Then came a `sum` that stands in no formula: the engine's own. Between any two
# nodes it compares the gradient with the slot that it goes into (in C++ the function is called `validate_outputs`),
# and what is too large it sums to shape.
#
# The graph has known the two shapes all along:

# %%
shapes = {edge.name or trace.graph.node(edge.node).variable: edge for _, _, edge in trace.graph.edges}
for name, edge in shapes.items():
    print(f"{name:6}", trace.graph.node(edge.node).grad_outputs[edge.input_nr])

assert str(trace.graph.node(shapes["cost"].node).grad_outputs[0]) == "f32[2,3]"
assert str(trace.graph.node(shapes["price"].node).grad_outputs[0]) == "f32[3]"

# %% [markdown]
# ### By hand
#
# There are two ways to be stretched, and each has its sum. Dimensions that were put in front disappear. Those that
# were stretched from size 1 stay, with size 1.


# %%
def unbroadcast(grad, shape):
    while grad.dim() > len(shape):
        grad = grad.sum(dim=0)
    for dim, size in enumerate(shape):
        if size == 1:
            grad = grad.sum(dim=dim, keepdim=True)
    return grad


assert torch.equal(unbroadcast(for_price, price.shape), price.grad)

# %% [markdown]
# Does it agree with the engine in general? We try a few shapes. The engine's answer comes from a real backward.

# %%
for shape in ([2, 3, 4], [3, 4], [4], [1, 4], [3, 1], [2, 1, 1], []):
    small = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    factor = torch.randn(2, 3, 4, dtype=torch.float64)
    (small * factor).sum().backward()
    assert torch.allclose(unbroadcast(factor, small.shape), small.grad, rtol=1e-12)
    print(f"{shape!s:10} ok")

# %% [markdown]
# ### A trap
#
# If something was stretched by mistake, the hidden sum hides the mistake: every gradient gets its right shape. A
# model's outputs often have shape `[n, 1]`, and targets shape `[n]`:

# %%
torch.manual_seed(0)
outputs = torch.randn(4, 1, requires_grad=True)
targets = torch.randn(4)

wrong = ((outputs - targets) ** 2).mean()
right = ((outputs - targets.unsqueeze(1)) ** 2).mean()

(wrong_grad,) = torch.autograd.grad(wrong, outputs, retain_graph=True)
(right_grad,) = torch.autograd.grad(right, outputs)

assert wrong_grad.shape == right_grad.shape == (4, 1)
assert not torch.allclose(wrong_grad, right_grad)

# %% [markdown]
# Both run. Both gradients have the right shape. In the wrong one each output was compared with *every* target, so it
# learns their mean. What gives it away is the shape inside:

# %%
sub = lab.capture(wrong).find("Sub")[0]
print(sub.name, *sub.grad_outputs)

assert str(sub.grad_outputs[0]) == "f32[4,4]"
assert torch.allclose(wrong_grad, (outputs - targets.mean()).detach() / 2)

# %% [markdown]
# ## Figure
#
# Forwards the row is copied down. Backwards the rows are added up.

# %%
figure, axes = plot("Stretched forwards, summed backwards", size=(6.4, 2.2))
axes.axis("off")
tables = [
    (0.00, "price", price[None]),
    (0.27, "as it is used", price.expand(2, 3)),
    (0.55, "what the node returns", for_price),
    (0.82, "price.grad", price.grad[None]),
]
for left, title, numbers in tables:
    height = 0.35 * len(numbers)
    cells = numbers.int().tolist()
    axes.table(cells, cellLoc="center", bbox=[left, 0.8 - height, 0.18, height], zorder=2)
    axes.text(left + 0.09, 0.86, title, ha="center", fontsize=9)
for left, word in ((0.19, "stretch"), (0.74, "sum")):
    axes.annotate("", (left + 0.07, 0.62), (left, 0.62), arrowprops={"arrowstyle": "->"})
    axes.text(left + 0.035, 0.66, word, ha="center", fontsize=8)
show(figure, "stretch")

# %%
show(lab.capture(wrong, names={"outputs": outputs}), "trap", saved=True, direction="right")

# %% [markdown]
# ## What to notice
#
# - Copying and summing are each other's mirror. Wherever a forward uses a number several times, the backward adds up.
#   Chapter 5's fan-in is the same thing, with whole tensors in place of elements.
# - PyTorch's nodes leave the sum to the engine. Your own Function may, too. But then whoever calls its `backward`
#   without the engine gets the wrong shape, and `lab.verify` says so. The lab's rules do the sum themselves.
# - A gradient always has its tensor's shape. That's a promise of the engine, and no proof that you compared what
#   you meant to compare.

# %% [markdown]
# ## Try changing
#
# - Make `price` of shape `[2, 1]`. What is its gradient now? Work it out before you look.
# - Ask `lab.verify` about the `Mul` of chapter 7. One of its checks fails. Put `unbroadcast` into its `backward`
#   and ask again.
# - `torch.nn.functional.mse_loss(outputs, targets)` computes the same wrong loss. Does it say anything?
