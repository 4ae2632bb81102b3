# %% [markdown]
# # 7 · 自己寫 mul、sub、pow
#
# ## 問題
#
# 到目前為止，計算圖裡的每個節點都是 PyTorch 的。節點裡面到底有什麼？你能自己寫一個嗎？寫了之後，模型會察覺嗎？

# %% [markdown]
# ## 預測
#
# 節點只知道一件事：它的輸入變動時，它的結果會怎麼變動。它會收到 `grad`，也就是損失對它的*結果*的導數；它要傳回去的，是損失對它每個*輸入*的導數。怎麼算呢？連鎖律說：把 `grad` 乘上局部的導數。
#
# | 運算 | 結果 | 隨第一個輸入的變化 | 隨第二個輸入的變化 | 所以它傳回的是 |
# |---|---|---|---|---|
# | mul | `x · y` | `y` | `x` | `grad · y` 和 `grad · x` |
# | sub | `x − y` | `1` | `−1` | `grad` 和 `−grad` |
# | pow | `xⁿ`，n 是普通的數字 | `n · xⁿ⁻¹` | 沒有梯度 | `grad · n · xⁿ⁻¹` |
#
# 再拿第 0 章的權重來用：`w = 0`、`x = 2`、`y = 4`，所以 `s = w · x − y = −4`，`loss = s² = 16`。現在往回走。數字 1 進來；pow 傳回 `1 · 2 · (−4) = −8`；sub 把這個 −8 原封不動交給第一個輸入；mul 交給權重 `−8 · 2 = −16`。
#
# 如果節點要做的就只有這些，那麼一整個模型改用我們的規則，也會得到和原來一樣的梯度：不是差不多的數字，而是連每個位元都相同。

# %% [markdown]
# ## 執行
#
# ### Mul
#
# 你自己的規則就是一個類別，裡面有三個函式。`forward` 計算結果；`setup_context` 把反向傳播會用到的東西留在 `ctx` 裡，`ctx` 就像一本筆記本，由 `setup_context` 寫、讓 `backward` 讀；`backward` 則是表格裡的那一列。

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
# 不管輸入是什麼，它的導數都是 1 和 −1，所以它什麼都不必記。


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
# 它要記住底數。這裡的指數是普通的數字，直接記進筆記本就好。`backward` 要為 `forward` 的每個引數各傳回一個值，所以指數也有自己的位置，裡面放的是 `None`。


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
# ### 串成一條鏈
#
# `Mul.apply(w, x)` 會執行 `forward`，並在結果上掛一個節點。三個接起來，就是我們的損失。

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
# 計算圖看起來和以往沒有兩樣，只有名字變了：你的節點以你的類別命名，叫做 `MulBackward`；PyTorch 自己的則是 `MulBackward0`。從圖上還看得出誰記住了什麼：pow 記住底數，mul 記住兩個因子，sub 什麼都沒記。
#
# 現在來執行它。`keep="all"` 會讓 trace 把梯度本身也留下來。

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
# 我們的規則算出 −16。第二欄是它們為 `y` 和 `x` 傳回的值。這兩個都是不要求梯度的普通資料，所以沒有通往它們的邊，引擎會把這些數字丟掉。
#
# ### 放進一個毫不知情的模型
#
# 剛才我們得把 `w * x` 寫成 `Mul.apply(w, x)`。沒有人會這樣寫模型。所以 lab 備有這三條規則的完整版本，PyTorch 接受的形狀和資料型別，它們都接受。它們的核心就是你剛才寫的東西（PyTorch 把第一個輸入叫做 `self`，第二個叫做 `other` 或 `exponent`）：

# %%
rules = lab.functions.rules
for name in ("mul", "sub", "pow"):
    first, second, _ = rules[name].formula.values()
    print(f"{name}   {first}\n      {second}")

assert rules["mul"].formula["self"] == "grad * conj(other)"
assert rules["sub"].formula["other"] == "-grad * conj(alpha)"

# %% [markdown]
# `conj` 只對複數有影響，`alpha` 除非你另外指定，否則就是 1；而 pow 的規則還處理了底數為零的情形，第 9 章會說明。
#
# `lab.swap` 能把這些規則放進現成的程式碼裡，一行都不用改。下面是一個小模型，先照常執行一次，再換成我們的規則執行一次。

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
# 有五個運算用了我們的規則。其中一個 `-` 和一個 `**` 是我們自己寫的；其他的在任何一行 Python 裡都找不到：那是 `RMSNorm` 在 C++ 裡做的，而它們在那裡也被換掉了。梯度相同嗎？

# %%
for (name, _), before, after in zip(model.named_parameters(), native, ours, strict=True):
    print(f"{name:10} largest difference {(before - after).abs().max():g}")

assert all(torch.equal(before, after) for before, after in zip(native, ours, strict=True))
assert ((model(inputs) - targets) ** 2).grad_fn.name() == "PowBackward0"

# %% [markdown]
# 差距是零，到最後一個位元都相同。最後一行則說明，區塊一結束，一切就又變回 PyTorch 的了。

# %% [markdown]
# ## 圖

# %%
show(swapped_graph, "swapped")

# %% [markdown]
# 雙線外框的方塊是 lab 的規則，用 Python 執行；其他的都是 PyTorch 的。它們合作無間，卻不知道彼此的存在。

# %% [markdown]
# ## 重點回顧
#
# - 規則是局部的。它從來看不到模型、損失或鄰居；它只看得到 `grad` 和自己留下來的東西。
# - 必須留下來的，就是導數裡提到的東西：mul 是兩個因子，pow 是底數，sub 什麼都不用。訓練時的記憶體，大多就花在這裡。
# - `backward` 為 `forward` 的每個引數各傳回一個值，順序相同。
# - 對引擎來說，PyTorch 自己的運算並沒有什麼特別。它對每個節點問的都是同一個問題。

# %% [markdown]
# ## 試著改改看
#
# - 讓 `Mul.backward` 傳回 `grad * x, grad * y`。現在 `w.grad` 是多少？為什麼？然後執行 `print(lab.verify(Mul))`：它會告訴你是哪一種錯。
# - 寫一個 `Div`。它必須留下什麼？和 `lab.functions.Div` 比較看看。
# - `ctx.needs_input_grad` 會說明哪些輸入想要梯度。利用它，讓 `Sub` 不去計算沒有人要的 `-grad`。
# - 呼叫 `lab.swap()` 而不給名字，就會用上現有的每一條規則。這時模型會呼叫它們幾次？
