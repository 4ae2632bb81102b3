# %% [markdown]
# # 5 · 梯度在哪裡相加
#
# ## 問題
#
# 在一條鏈上，梯度是相乘的。可是一個數也可能*用到兩次*，這樣就會有兩個梯度回到它身上。它們會怎麼樣？還有，為什麼每個訓練迴圈都要呼叫 `zero_grad()`？
#
# ## 預測
#
# 令 $h = 2w$，並且把 $h$ 用兩次：$\text{loss} = h^2 + 3h$。在 $w = 1$ 時，$h = 2$。
#
# $h$ 增加一點點，損失會因為兩個原因而增加：經由 $h^2$，增加的量是 **$h$ 的增量**的 $2h = 4$ 倍；經由 $3h$，是增量的 $3$ 倍。兩件事同時發生，所以效果要*加起來*：
#
# $$\frac{d\,\text{loss}}{dh} = 2h + 3 = 7 \qquad \frac{d\,\text{loss}}{dw} = 7 \cdot 2 = 14.$$
#
# 沿著一條路走，就相乘；路與路會合的地方，就相加。我們預期會看到 $4$ 和 $3$ 抵達 $h$ 的節點，相加成 $7$ 之後通過它，最後 `w.grad` 得到 $14$。
#
# 那麼，如果不呼叫 `zero_grad()` 就再走第二趟呢？`.grad` 也是路與路會合的地方，所以我們預期是 $28$。
#
# ## 執行
#
# ### 輸入緩衝區
#
# 我們讓 lab 的引擎在執行 $h$ 的節點之前停下來，看看那裡有什麼在等著。送進節點的梯度會在一個地方加總，這個地方就叫做它的*輸入緩衝區*（input buffer）。

# %%
from itertools import pairwise

import torch

import autograd_lab as lab
from autograd_lab import byhand
from autograd_lab.draw import theme
from autograd_lab.tour import plot, show

w = torch.tensor(1.0, requires_grad=True)
h = 2 * w
loss = h**2 + 3 * h
names = {"w": w, "h": h, "loss": loss}

engine = lab.Engine(loss, names=names)
engine.run(until="h")
(waiting,) = engine.buffers.values()

print("arrived, in this order:", [came.stats.norm for came in waiting.arrived])
print("their sum:", waiting.grads[0].item(), "  still awaited:", waiting.awaited)
assert [came.stats.norm for came in waiting.arrived] == [3, 4]
assert waiting.grads[0].item() == 7
assert waiting.awaited == 0

# %% [markdown]
# 先是 $3$，然後是 $4$：乘以 3 是比較晚做的運算，所以它的節點先執行（第 4 章）。$h$ 的節點只執行*一次*，用的是總和。這就是引擎必須等全部到齊的原因。

# %%
engine.run()

print("d loss / d w =", engine.grads["w"].item())
assert engine.grads["w"].item() == 14

# %% [markdown]
# ### 葉張量
#
# 葉張量的節點 `AccumulateGrad` 會把送來的梯度，加到 `.grad` 裡原有的梯度上。如果 `.grad` 是 `None`，沒有東西可加，就直接放進去。從 trace 可以看出是哪一種情況。

# %%
first = lab.trace(loss, names=names, retain_graph=True)
print("after the first backward: ", w.grad.item())
assert w.grad.item() == 14

second = lab.trace(loss, names=names)
print("after the second backward:", w.grad.item())
assert w.grad.item() == 28

assert first.steps[-1].accumulation.how == "stole"
assert second.steps[-1].accumulation.how == "added"

# %% [markdown]
# 先是 $14$，再來是 $28$，和預測相同。（「stole」是 PyTorch 自己的用語：葉張量直接拿走送來的張量，沒有複製。第一次反向傳播用 `retain_graph=True` 把計算圖留下來，才能有第二次；請看第 3 章。）
#
# ### 為什麼相加是對的
#
# 第 0 章用四個樣本訓練；它們的梯度是 $-4$、$-16$、$-36$、$-64$，合起來是 $-120$。因為 `.grad` 會累加，四個樣本不管是一起通過，還是一個一個來，結果都一樣。如果一個*批次*（batch，也就是一次更新所用的樣本）大到記憶體放不下，大家就是這樣訓練的：先做好幾次小的反向傳播，再做一次 `step()`。這叫做*梯度累積*（gradient accumulation）。

# %%
samples = [(1.0, 2.0), (2.0, 4.0), (3.0, 6.0), (4.0, 8.0)]
x, y = torch.tensor(samples).T

together = torch.tensor(0.0, requires_grad=True)
((together * x - y) ** 2).sum().backward()

one_by_one = torch.tensor(0.0, requires_grad=True)
sums = [0.0]
for x_i, y_i in samples:
    ((one_by_one * x_i - y_i) ** 2).backward()
    sums.append(one_by_one.grad.item())
    print(f"sample x = {x_i:g} adds {sums[-1] - sums[-2]:g}: w.grad = {sums[-1]:g}")

assert [after - before for before, after in pairwise(sums)] == [-4, -16, -36, -64]
assert together.grad.item() == one_by_one.grad.item() == -120 == byhand.RUNS["sum"].train()[0].dw

# %% [markdown]
# ### 為什麼需要 `zero_grad`
#
# 在*一次*更新之內，相加是對的；跨越不同的更新，相加就錯了：用昨天的權重算出來的梯度，對今天的權重已經沒有意義。PyTorch 無從知道一次更新到哪裡為止，所以要由你用 `zero_grad()` 告訴它。我們就故意忘記一次，看看會怎樣。


# %%
def training(forget, epochs=40):
    w = torch.tensor(0.0, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.01)
    weights = [0.0]
    for _ in range(epochs):
        if not forget:
            optimizer.zero_grad()
        ((w * 2 - 4) ** 2).backward()
        optimizer.step()
        weights.append(w.item())
    return weights


right, forgotten = training(forget=False), training(forget=True)
print(f"after 40 epochs: {right[-1]:.3f}, and without zero_grad {forgotten[-1]:.3f}")

assert abs(right[-1] - 2) < 0.1
assert 3.95 < max(forgotten[:15]) < 4.05
assert right[1] == forgotten[1]
assert -0.05 < min(forgotten[15:30]) < 0.05
assert max(forgotten[30:]) > 3.95

# %% [markdown]
# 第一步是一樣的。在那之後，舊的梯度繼續往曾經正確的方向推。權重衝過 $2$，一直到大約 $4$，再被拉回起點，然後又衝上去，就像沒有摩擦力的單擺一樣擺盪。
#
# ## 圖
#
# 這是上面那個例子的反向傳播。兩個箭頭（$4$ 和 $3$）在 $h$ 的節點會合。節點用兩者的和 $7$ 來執行，再把它的兩倍 $14$ 往下傳。

# %%
show(second, "fan-in")

meeting = second.steps[-2]
assert (meeting.grad_outputs[0].norm, meeting.grad_inputs[0].norm) == (7, 14)

# %% [markdown]
# 權重隨訓練週期的變化：有 `zero_grad` 和沒有 `zero_grad`。

# %%
figure, axes = plot("Training with zero_grad, and without", x="epoch", y="w")
axes.plot(right, ".-", label="with zero_grad")
axes.plot(forgotten, ".--", label="without")
axes.axhline(2, color=theme.FAINT, linewidth=0.8)
axes.legend(frameon=False, fontsize=9)
show(figure, "forgotten")

# %% [markdown]
# ## 重點回顧
#
# - 梯度會在兩種地方相加：在一次反向傳播之中，加在節點的輸入緩衝區裡；在不同次的反向傳播之間，加在葉張量的 `.grad` 裡。
# - 兩者的數學是同一回事：在好幾個地方用到的東西，會從每個地方得到一個梯度，答案就是它們的和。
# - 沒有任何東西會告訴 `backward()`「這次更新結束了」。`zero_grad()` 就是為此而存在的。
#
# ## 試著改改看
#
# - 把 $h$ 用第三次：`loss = h**2 + 3 * h + h`。抵達它的節點的是什麼？順序又如何？
# - 每四個訓練週期才呼叫一次 `zero_grad()`。這是梯度累積，還是錯誤？`step()` 應該放在哪裡？
# - 把同一個權重用兩次：`w * w`。它的兩個梯度是在哪裡會合的：在節點的輸入緩衝區裡，還是在 `.grad` 裡？
