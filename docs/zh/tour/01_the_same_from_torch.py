# %% [markdown]
# # 1 · 讓 torch 算出同一個數字
#
# ## 問題
#
# 每個 PyTorch 的訓練迴圈裡，都有這三行：
#
# ```python
# optimizer.zero_grad()
# loss.backward()
# optimizer.step()
# ```
#
# 第 0 章用紙筆訓練了一個權重，算出的梯度是 $-16$。這三行之中，是哪一行算出它的？另外兩行又做了什麼？
#
# ## 預測
#
# 計算和之前一樣：$w = 0$、$x = 2$、$y = 4$，學習率 $0.01$。如果 PyTorch 做的，就是我們手算的那些事，那麼
#
# - 前向傳播得到損失 $16$，其他什麼都沒變；
# - `backward()` 算出 $-16$，放在某個地方，而 $w$ 原封不動；
# - `step()` 讓 $w = 0.16$，因為 $0 - 0.01 \cdot (-16) = 0.16$，而梯度原封不動；
# - `zero_grad()` 把梯度拿掉，而 $w$ 原封不動。
#
# ## 執行
#
# ### 前向傳播
#
# *張量*（tensor）是 PyTorch 的數字陣列；這裡的每個張量都只裝一個數字。`requires_grad=True` 的意思是：之後我要知道結果對它的梯度。由你自己建立、又需要梯度的張量，稱為*葉節點張量*（leaf tensor，簡稱葉張量）。（PyTorch 把 `x` 和 `y` 也算作 leaf；這裡指的是需要梯度的那些。）它有一個放自己梯度的地方，`w.grad`，一開始是空的（`None`）。

# %%
from itertools import pairwise

import torch

from autograd_lab import byhand
from autograd_lab.draw import theme
from autograd_lab.tour import plot, show

x, y = torch.tensor(2.0), torch.tensor(4.0)
w = torch.tensor(0.0, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.01)

loss = (w * x - y) ** 2

print(f"loss = {loss.item():g}   w = {w.item():g}   w.grad = {w.grad}")
assert (loss.item(), w.item(), w.grad) == (16, 0, None)
assert (w.is_leaf, loss.is_leaf) == (True, False)

# %% [markdown]
# 損失也是張量，而且很特別：它記得自己是怎麼算出來的。（第 2 章會來讀這份記憶。）我們替 $w$ 和 `w.grad` 寫日記；每一筆都寫明是哪個呼叫，並且在那個呼叫之後立刻記下來。


# %%
diary = []


def note(call):
    grad = None if w.grad is None else round(w.grad.item(), 4)
    diary.append((call, round(w.item(), 4), grad))
    print(f"{call:<12} w = {w.item():<6.4g} w.grad = {grad}")


note("forward")

# %% [markdown]
# ### `backward()`
#
# 這就是第 0 章的第 2 和第 3 部分：PyTorch 去問每個運算的局部梯度，然後從損失一路乘回葉張量。結果寫進 `w.grad`，權重一概不碰。（前向傳播留下來的東西，也會在這時放掉；請看第 3 章。）

# %%
loss.backward()
note("backward")

assert w.grad.item() == -16 == byhand.chain_rule().dloss_dw
assert w.item() == 0

# %% [markdown]
# ### `step()`
#
# 第 4 部分，更新。負責更新的是*最佳化器*（optimizer）；`torch.optim.SGD` 的做法和我們一樣。它一開始就知道哪些張量是權重，然後從每個權重減掉「學習率乘上它的 `.grad`」。損失是什麼，它一無所知；梯度從哪裡來，它也不在乎。

# %%
optimizer.step()
note("step")

assert round(w.item(), 6) == 0.16
assert w.grad.item() == -16

# %% [markdown]
# ### `zero_grad()`
#
# 舊的梯度還在。如果放著不管，下一次的 `backward()` 會把新的梯度*加上去*。（這樣會發生什麼事、又有什麼用處，請看第 5 章。）所以要先把它拿掉。雖然名字裡有 zero，`zero_grad()` 寫進去的並不是零，而是放回 `None`，這樣還能省下記憶體。

# %%
optimizer.zero_grad()
note("zero_grad")

assert w.grad is None
assert round(w.item(), 6) == 0.16

# %% [markdown]
# ### 第二輪
#
# 從 $w = 0.16$ 出發，梯度是 $2 \cdot (0.32 - 4) \cdot 2 = -14.72$。這正是第 0 章表格的第二列。

# %%
loss = (w * x - y) ** 2
note("forward")
loss.backward()
note("backward")
optimizer.step()
note("step")

assert diary[-2] == ("backward", 0.16, -14.72)
assert round(byhand.RUNS["one-sample"].train()[1].dw, 4) == -14.72
assert f"{w.item():.3f}" == "0.307"
for (_, *before), (call, *after) in pairwise(diary):
    assert (before[0] != after[0]) + (before[1] != after[1]) == (call != "forward")

# %% [markdown]
# ### 不用最佳化器，自己寫這三個呼叫
#
# 這三個呼叫都不是魔法。下面的迴圈不用 `torch.optim`，也不用 `.backward()`：
#
# - 用 `w.grad = None` 取代 `zero_grad()`；
# - 用 `torch.autograd.grad` 取代 `backward()`：前者把梯度*傳回來*，後者則是放進 `.grad`；
# - 用一個減法取代 `step()`。外面包的 `torch.no_grad()` 意思是：這個運算不必記錄，它不是損失的一部分。


# %%
def own_loop(epochs):
    w = torch.tensor(0.0, requires_grad=True)
    for _ in range(epochs):
        w.grad = None
        loss = (w * x - y) ** 2
        (w.grad,) = torch.autograd.grad(loss, w)
        with torch.no_grad():
            w -= 0.01 * w.grad
    return w


def torchs_loop(epochs):
    w = torch.tensor(0.0, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.01)
    for _ in range(epochs):
        optimizer.zero_grad()
        ((w * x - y) ** 2).backward()
        optimizer.step()
    return w


# %%
ours, theirs = own_loop(10), torchs_loop(10)

print(f"after ten epochs: {ours.item():.6f} and {theirs.item():.6f}")
assert torch.allclose(ours, theirs, rtol=1e-6)
assert f"{ours.item():.3f}" == "1.131"

# %% [markdown]
# ### 用 torch 做出第 0 章的表格
#
# `autograd_lab.bytorch` 把第 0 章的每次訓練，用 `zero_grad`、`backward`、`step` 再做一遍。我們把兩邊的梯度並排：左邊手算，右邊 torch。兩邊不只是接近而已：每個訓練週期的梯度，連每一個位元都相同。

# %%
from autograd_lab import bytorch

for name in ("one-sample", "sum"):
    run = byhand.RUNS[name]
    print(f"{name}\nepoch   by hand        by torch")
    for hand, torchs in zip(run.train(), bytorch.twin(run), strict=True):
        print(f"{hand.number:5}   {hand.dw:<14.9g} {torchs.dw:.9g}")
        assert hand.dw == torchs.dw

# %% [markdown]
# ## 圖
#
# 把日記畫出來。前向傳播兩樣都不改變；每個呼叫只改變其中一樣：`backward` 改變梯度（橘色），`step` 改變權重（藍色），`zero_grad` 又改變梯度。沒有橘色圓點的地方，`w.grad` 就是 `None`。

# %%
calls = [call for call, _, _ in diary]
places = range(len(calls))

figure, axes = plot("What each call changes", y="w.grad", size=(7, 3.6))
grads = [float("nan") if grad is None else grad for _, _, grad in diary]
axes.plot(places, grads, "o--", color=theme.VERMILLION)
axes.set_xticks(places, calls)
axes.set(ylim=(-16.5, -12), yticks=[-16, -14.72])
axes.yaxis.label.set_color(theme.VERMILLION)

right = axes.twinx()
right.step(places, [w for _, w, _ in diary], "o-", where="mid", color=theme.BLUE)
right.set(ylim=(-0.45, 0.35), yticks=[0, 0.16, 0.3072])
right.set_ylabel("w", color=theme.BLUE)
right.tick_params(labelsize=8)
right.spines[:].set_visible(False)
show(figure, "diary")

# %% [markdown]
# 再看反向傳播實際執行的過程。`lab.trace` 會執行真正的 `backward()`，並記錄每一個*節點*（node）：前向傳播的每個運算各有一個，另外還有一個負責把梯度放進葉張量。這些數字只有大小，沒有正負號：$8$、$8$、$16$ 就是 $-8$、$-8$、$-16$。「stole」（偷走）的意思是，葉張量直接把送來的那個張量拿來當作自己的 `.grad`，沒有複製。

# %%
import autograd_lab as lab

w = torch.tensor(0.0, requires_grad=True)
y_hat = w * x
s = y_hat - y
loss = s**2
trace = lab.trace(loss, names={"w": w, "ŷ": y_hat, "s": s, "loss": loss})

show(trace, "trace", direction="right")
assert w.grad.item() == -16
assert [step.grad_outputs[0].norm for step in trace.steps] == [1, 8, 8, 16]
assert trace.steps[-1].accumulation.how == "stole"

# %% [markdown]
# ## 重點回顧
#
# - `backward()` 計算梯度，`step()` 使用梯度。兩者唯一的交集，就是 `.grad` 這個地方。
# - `backward()` 從數字 $1$ 開始：這是損失對自己的梯度。
# - 只要損失是用*可微分*的張量運算算出來的，`backward()` 都能處理。我們只推導了一條公式；PyTorch 則是靠著每個運算的局部規則，算出整條鏈。
#
# ## 試著改改看
#
# - 拿掉寫日記時的那個 `optimizer.zero_grad()`，以及因此把你攔下來的 assert。第二次 `backward()` 之後，`w.grad` 會是多少？（$-16$ 和 $-14.72$ 會加在一起。）
# - 對同一個損失呼叫兩次 `loss.backward()`。讀一讀錯誤訊息；第 3 章會解釋原因。
# - 讓 `x` 也有 `requires_grad=True`。先用手算出 `x.grad`：哪個運算多出了一個新的局部梯度？
