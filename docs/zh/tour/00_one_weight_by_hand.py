# %% [markdown]
# # 0 · 手算一個權重
#
# ## 問題
#
# 神經網路靠著改變自己的*權重*（裡面的那些數字）來學習。但它怎麼知道要往哪個方向改、要改多少呢？
#
# 我們從最小的網路開始：只有一個權重。給它一個輸入 $x$，它回答 $\hat y = w \cdot x$，這是它的*預測*；正確答案 $y$ 則稱為*目標*。我們給它看的資料都遵守 $y = 2x$ 這條規則，但不告訴它。訓練應該要讓它自己找到 $w = 2$。
#
# 不論是這裡的一個權重，還是有數十億個權重的大型網路，訓練的每一步都分成四個部分：
#
# 1. **前向傳播（forward pass）。** 把 $x$ 放進去，得到 $\hat y$，再看看它錯得多離譜。這個「錯的程度」就叫做*損失*（loss）。
# 2. **梯度（gradient）。** 對沿路的每個運算，都問同一個問題：如果你的輸入增加一點點，你的輸出會增加多少？
# 3. **反向傳播（backpropagation）。** 從損失一路回到權重，把這些答案乘起來。
# 4. **更新（update）。** 把權重往損失下降的方向移動一小步。
#
# ## 預測
#
# 取 $x = 2$、$y = 4$，從 $w = 0$ 出發。損失就用「差的平方」（平方誤差）：
#
# $$\text{loss} = (w x - y)^2 = (0 \cdot 2 - 4)^2 = 16.$$
#
# 用高中學過的微分，就能算出它對 $w$ 的導數：
#
# $$\frac{d\,\text{loss}}{dw} = 2 (w x - y) \cdot x = 2 \cdot (-4) \cdot 2 = -16.$$
#
# 這個數字就是*梯度*。它是負的：$w$ 變大，損失就變小。所以我們預期，更新會讓 $w$ 變大。請記住這個 $-16$，整趟導覽都在說它是怎麼來的。
#
# ## 執行
#
# ### 1. 前向傳播
#
# 三個運算，一行一個：相乘、相減、平方。預測與目標的差叫做*殘差*（residual），我們記作 $s$。

# %%
from itertools import pairwise

import numpy as np

from autograd_lab import byhand
from autograd_lab.draw import theme
from autograd_lab.tour import plot, show

w, x, y = 0.0, 2.0, 4.0

y_hat = w * x
s = y_hat - y
loss = s**2

print(f"ŷ = {y_hat:g}   s = {s:g}   loss = {loss:g}")
assert (y_hat, s, loss) == (0, -4, 16)

# %% [markdown]
# ### 2. 梯度
#
# 先用一個不需要微積分的笨方法：把權重往兩邊各*推一下*，看看損失怎麼變。損失的變化除以權重的變化，就是斜率。


# %%
def loss_at(w):
    return (w * x - y) ** 2


nudge = 0.5
up, down = loss_at(w + nudge), loss_at(w - nudge)
slope = (up - down) / (2 * nudge)

print(f"loss at w = 0.5: {up:g}   at w = -0.5: {down:g}   slope: {slope:g}")
assert (up, down, slope) == (9, 25, -16)
assert all((loss_at(w + far) - loss_at(w - far)) / (2 * far) == slope for far in (0.25, 1, 8, 1024))

# %% [markdown]
# 果然是 $-16$。（因為是拋物線，不管推多遠，這樣算出的斜率都分毫不差。）可是這個笨方法，*每個*權重都需要兩次前向傳播。如果有十億個權重，走一步就得做二十億次前向傳播。我們需要更好的方法。
#
# 換個方式：去問每個運算自己的斜率，也就是它的*局部梯度*（local gradient）。回答這個問題，完全不需要知道其他運算的事：
#
# | 運算 | 局部梯度 | 為什麼 |
# |---|---|---|
# | $\text{loss} = s^2$ | $d\,\text{loss}/ds = 2s$ | 平方的導數 |
# | $s = \hat y - y$ | $ds/d\hat y = 1$ | $\hat y$ 增加 1，$s$ 也增加 1 |
# | $\hat y = w \cdot x$ | $d\hat y/dw = x$ | $w$ 增加 1，$\hat y$ 就增加 $x$ |

# %%
dloss_ds = 2 * s
ds_dy_hat = 1.0
dy_hat_dw = x

print(f"dloss/ds = {dloss_ds:g}   ds/dŷ = {ds_dy_hat:g}   dŷ/dw = {dy_hat_dw:g}")
assert (dloss_ds, ds_dy_hat, dy_hat_dw) == (-8, 1, 2)

# %% [markdown]
# ### 3. 反向傳播
#
# $w$ 改變時，損失會改變多少？$w$ 變動一點點，$\hat y$ 的變動是它的 2 倍，$s$ 跟 $\hat y$ 變動得一樣多，而損失的變動又是 $s$ 的 $-8$ 倍。變化率要相乘，這就是*連鎖律*（chain rule）：
#
# $$\frac{d\,\text{loss}}{dw} = \frac{d\,\text{loss}}{ds} \cdot \frac{ds}{d\hat y} \cdot \frac{d\hat y}{dw}
# = -8 \cdot 1 \cdot 2 = -16.$$
#
# 我們從左邊、也就是從損失這一端開始乘。每多乘一個因子，手上的數字，就是損失對「往回走的下一個數」的梯度：先是 $s$，再來是 $\hat y$，最後是 $w$。因為是倒著走，所以叫做*反向傳播*。只要倒著走一趟，不管有多少個權重，每一個的梯度就都有了。（這個套件裡的 `byhand.chain_rule` 做的是同樣的事，並且把每個因子都印出來。）

# %%
grad_s = 1.0 * dloss_ds
grad_y_hat = grad_s * ds_dy_hat
grad_w = grad_y_hat * dy_hat_dw

print(byhand.chain_rule(w, x, y))
assert (grad_s, grad_y_hat, grad_w) == (-8, -8, -16)
assert grad_w == slope == byhand.chain_rule(w, x, y).dloss_dw

# %% [markdown]
# ### 4. 更新
#
# 梯度指向損失*上升*的方向，所以我們要朝反方向走。走多遠呢？由*學習率*（learning rate）`lr` 決定，它決定每一步要走梯度的幾分之幾：
#
# $$w \leftarrow w - \text{lr} \cdot \frac{d\,\text{loss}}{dw} = 0 - 0.01 \cdot (-16) = 0.16.$$

# %%
lr = 0.01
new_w = w - lr * grad_w

print(f"w: {w:g} → {new_w:g}   loss: {loss_at(w):g} → {loss_at(new_w):g}")
assert new_w == 0.16
assert round(loss_at(new_w), 4) == 13.5424

# %% [markdown]
# ### 一次又一次
#
# 一步是不夠的：$w$ 現在是 $0.16$，應該要是 $2$ 才對。訓練就是不斷重複這四個部分。把資料全部看過一遍，稱為一個*訓練週期*（epoch）。下面就是完整的訓練；一個 $x$ 和它的 $y$ 合起來稱為一個*樣本*（sample），樣本有幾個都可以。這裡的 `x` 和 `y` 是陣列；梯度（簡寫為 `dw`）則是把每個樣本算出的梯度加起來。


# %%
def train(x, y, lr=0.01, epochs=10):
    x, y = np.array(x, np.float32), np.array(y, np.float32)
    w, history = 0.0, []
    print("epoch: loss, w, dw")
    for number in range(1, epochs + 1):
        y_hat = w * x  # 1. forward pass
        loss = np.mean((y_hat - y) ** 2)
        dw = float(np.sum(2 * (y_hat - y) * x))  # 2. and 3. local gradients, multiplied
        w -= lr * dw  # 4. update
        history.append((loss, w, dw))
        print(f"{number}: {loss:.8f}, {w:.3f}, {dw:.3f}")
    return history


# %% [markdown]
# 先用一個樣本，$x = 2$、$y = 4$。表格的第一列，就是我們剛才用手算的那一步。

# %%
one = train([2], [4])

assert one[0] == (16, 0.16, -16)
assert f"{one[-1][1]:.3f}" == "1.131"

# %% [markdown]
# 十個訓練週期之後，$w$ 是 $1.131$。為什麼這麼慢？因為每一步都把「離 $2$ 還差多少」乘上同一個因子，$1 - 2 \cdot \text{lr} \cdot x^2 = 0.92$：一步只能消掉 8% 的誤差。把 $y = 2x$ 代進梯度就能推導出來；我們拿上面的表格來驗證：

# %%
errors = [2 - w for _, w, _ in one]
factors = [after / before for before, after in pairwise(errors)]

print([round(factor, 4) for factor in factors])
assert np.allclose(factors, 1 - 2 * 0.01 * 2**2)

# %% [markdown]
# 換成同一條規則的四個樣本。在 $w = 0$ 時，四個樣本的梯度分別是 $-4$、$-16$、$-36$、$-64$，合起來是 $-120$。損失那一欄是四個平方的*平均*，也就是*均方誤差*（mean squared error，MSE）；這裡更新時用的，則是四個平方的*總和*的梯度。平均的梯度是總和的四分之一，$-30$；只要學習率放大四倍，走的每一步都一樣。

# %%
four = train([1, 2, 3, 4], [2, 4, 6, 8])

assert [2 * (0 * x - 2 * x) * x for x in (1, 2, 3, 4)] == [-4, -16, -36, -64]
assert four[0][2] == -120
assert np.mean([2 * (0 * x - 2 * x) * x for x in (1, 2, 3, 4)]) == -30
assert f"{four[-1][1]:.3f}" == "2.000"

# %% [markdown]
# 這次十個週期就夠了：到小數第三位，$w$ 就是 $2.000$。這個套件（以下稱為 *lab*）裡有一個模組 `autograd_lab.byhand`，只用 NumPy 做同樣的訓練。它印出的表格和我們的一模一樣，一個數字都不差：

# %%
for name, history in (("one-sample", one), ("sum", four)):
    assert [(e.loss, e.w, e.dw) for e in byhand.RUNS[name].train()] == history

# %% [markdown]
# ## 圖
#
# **梯度就是斜率。** 曲線是那一個樣本的損失，橫軸是所有可能的權重。直線在 $w = 0$ 處與曲線相切，它的斜率就是梯度 $-16$。圓點是訓練最初的幾步：每一步都往下走，而且一步比一步短，因為曲線越來越平緩。

# %%
weights = np.linspace(-0.6, 4.2, 200)
steps = [0.0] + [w for _, w, _ in one]

figure, axes = plot("The loss over the weight, and its tangent at w = 0", x="w", y="loss")
axes.plot(weights, loss_at(weights), label="loss = (2w − 4)²")
axes.plot([-0.45, 0.95], [loss + grad_w * at for at in (-0.45, 0.95)], "--", label="tangent, slope −16")
axes.plot(steps, [loss_at(w) for w in steps], "o", markersize=4, label="ten steps of training")
axes.legend(frameon=False, fontsize=9)
show(figure, "slope")

lengths = [after - before for before, after in pairwise(steps)]
assert all(loss_at(after) < loss_at(before) for before, after in pairwise(steps))
assert all(after < before for before, after in pairwise(lengths))

# %% [markdown]
# **連鎖律就是一條路。** 同一個計算畫成樹，從左讀到右：藍色是數值，實線箭頭旁邊是局部梯度，紅色是沿著虛線箭頭回來的梯度：$-8$、$-8$、$-16$。這張圖沒有人動手畫，是 lab 從同一個計算（這次用 PyTorch 做）直接讀出來的。（第 1 章會一步一步地做這個計算，第 2 章會說明怎麼讀。）

# %%
import torch

w_ = torch.tensor(0.0, requires_grad=True)
x_, y_ = torch.tensor(2.0), torch.tensor(4.0)
y_hat_ = w_ * x_
s_ = y_hat_ - y_
loss_ = s_**2

names = {"w": w_, "x": x_, "y": y_, "ŷ": y_hat_, "s": s_, "loss": loss_}
show(loss_, "chain", view="scalar", names=names, detail="gradients")
assert torch.autograd.grad(loss_, (s_, y_hat_, w_)) == (-8, -8, -16)

# %% [markdown]
# **兩個權重就成了曲面。** 再給網路第二個權重 $b$，讓它回答 $\hat y = w \cdot x + b$。這時損失是平面上方的高度，梯度則是一對斜率：一個沿著 $w$ 的方向，一個沿著 $b$ 的方向。從上面往下看，就像一張地圖：同一條線（等高線）上的損失都相同。梯度和起點所在的等高線垂直，指向上坡；訓練則反方向往下走，一直走到最低點 $w = 2$、$b = 0$。（這裡的高度和斜率都是*平均*的，所以學習率可以大一些：平均用 $0.06$，就等於總和用 $0.015$。）


# %%
samples = [(1, 2), (2, 4), (3, 6), (4, 8)]


def mean_loss(w, b):
    return sum((w * x + b - y) ** 2 for x, y in samples) / 4


path = [(0.0, 3.0)]
for _ in range(300):
    w, b = path[-1]
    dw = sum(2 * (w * x + b - y) * x for x, y in samples) / 4
    db = sum(2 * (w * x + b - y) for x, y in samples) / 4
    path.append((w - 0.06 * dw, b - 0.06 * db))

assert all(mean_loss(*after) < mean_loss(*before) for before, after in pairwise(path))
assert mean_loss(2, 0) == 0
assert np.allclose(path[-1], (2, 0), atol=0.02)

# %%
grid_w, grid_b = np.meshgrid(np.linspace(-0.5, 3.5, 80), np.linspace(-1, 4, 80))
path_w, path_b = np.array(path).T

figure, axes = plot("Contours of the loss, and the path down", x="w", y="b", size=(5, 5.4))
levels = [0.1, 0.5, 1, 2, 4, 8, 16, 32, 64]
lines = axes.contour(grid_w, grid_b, mean_loss(grid_w, grid_b), levels, colors=theme.BLUE)
axes.clabel(lines, fontsize=7)
axes.plot(path_w, path_b, ".-", color=theme.VERMILLION, markersize=4, label="300 steps")
axes.plot(2, 0, "x", color=theme.INK, label="w = 2, b = 0")
axes.set_aspect("equal")  # so that right angles look right
axes.legend(frameon=False, fontsize=9, loc="lower left")
show(figure, "contours")

# %% [markdown]
# ## 重點回顧
#
# - 每個權重都有一個梯度：損失的斜率。正負號說明往哪個方向，大小說明有多陡。
# - 局部梯度只需要那個運算自己看過的東西：$2s$ 需要 $s$，$d\hat y/dw$ 需要 $x$。所以前向傳播必須為回程留下 $s$ 和 $x$。（PyTorch 留下了什麼，請看第 3 章。）
# - 各個樣本的梯度加起來，就是「損失總和」的梯度。（梯度在哪裡相加，請看第 5 章。）
#
# ## 試著改改看
#
# - 改從 `w = 4.0` 出發。為 $w = 0$ 寫的那些 assert 會把你攔下來；正確的數字應該是多少？梯度是正的還是負的？
# - 用 `train([2, 4, 6, 8], [4, 8, 12, 16])` 來訓練：規則相同，但 $x$ 變成兩倍。損失會爆增（發散），為什麼？（因子變成 $1 - 2 \cdot 0.01 \cdot 120 = -1.4$：每走一步，離 $2$ 反而更遠。）
# - 找一個學習率，讓這組資料*一步*就走到 $w = 2$。（這時因子應該要是 $0$。）
