# %% [markdown]
# # 13 · Solutions
#
# Solutions to the exercises of [13 · Images](../13_images.ipynb). Try each exercise yourself first: the hints from
# `check` should get you there.

# %%
import numpy as np

from copi_np import Conv, Dense, Network, Pool, load_dataset
from copi_np.analysis import decorrelation_path
from copi_np.course import check
from copi_np.datasets import as_float
from copi_np.patches import Patches
from copi_np.whitening import second_moment

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from copi_np.plotting import STYLE

plt.rcParams.update(STYLE)

# %% [markdown]
# ## Exercise 13.1 · Patches of a colour image
#
# Cut an image `(C, H, W)` into patches.


# %%
def cut(image, kernel, stride):
    _, height, width = image.shape
    return np.array(
        [
            image[:, i : i + kernel, j : j + kernel].ravel()
            for i in range(0, height - kernel + 1, stride)
            for j in range(0, width - kernel + 1, stride)
        ]
    )


check("13.1", cut)

# %% [markdown]
# **Why.** `ravel` goes through the last axis fastest, so the order is channel, row, column. The last corner is at
# `height - kernel`, and `range` excludes its end: hence the `+ 1`. NumPy can do it without loops, by a view of all
# windows:

# %%
rng = np.random.default_rng(0)
image = rng.normal(size=(3, 8, 9))
windows = np.lib.stride_tricks.sliding_window_view(
    image, (4, 4), axis=(1, 2)
)
by_view = windows[:, ::2, ::2].transpose(1, 2, 0, 3, 4)
assert np.array_equal(
    by_view.reshape(-1, 48), cut(image, 4, 2)
)

# %% [markdown]
# **Common mistakes.** Forgetting the `+ 1`, which loses the last row and column of patches. Windows that stick out:
# slices are then shorter, and the rows have different lengths. Columns before rows.
#
# ## Exercise 13.2 · Where the lateral weights are
#
# The lateral weights of `[Conv(8, 5), Pool(2), Conv(16, 3), Dense(10)]` on colour images of 16 by 16.

# %%
network = Network(
    [Conv(8, 5), Pool(2), Conv(16, 3), Dense(10)],
    input_shape=(3, 16, 16),
    rng=np.random.default_rng(0),
)
sizes = [layer.R.shape for layer in network.layers]
print(sizes)
number = sum(height * width for height, width in sizes)
check("13.2", number)

# %% [markdown]
# **Why.** The first patches hold $3 \cdot 5 \cdot 5 = 75$ values. There are $12 \times 12$ positions, which are
# pooled to $6 \times 6$, with 8 channels: the next patches hold $8 \cdot 3 \cdot 3 = 72$. They have $4 \times 4$
# positions and 16 filters, so the dense layer has 256 inputs. $75^2 + 72^2 + 256^2 = 76{,}345$.
#
# **Common mistakes.** Forgetting that the second convolution has 8 channels. Counting $R$ once per position. Leaving
# out the dense layer, which has most of them.
#
# ## Exercise 13.3 · At night
#
# What noise does to the surround of the middle pixel.

# %%
DATA = "mnist-5k"
data = load_dataset(DATA)
images = as_float(data.train.inputs[:1000], "float64")
patches = Patches((1, *data.image_shape), 5, 2)
sigma = second_moment(patches.cut(images))
rows = {}
for size in (0.0, 0.1, 0.3, 1.0):
    noisy = sigma + size**2 * np.eye(25)
    few = 5 * np.linalg.cholesky(noisy).T
    *_, R = decorrelation_path(few, 0.3, 1000)
    row = (R[12] / R[12, 12]).reshape(5, 5)
    beside = row[[1, 2, 2, 3], [2, 1, 3, 2]].mean()
    print(f"noise {size:.1f}: neighbours {beside:.2f}")
    rows[size] = row
check("13.3", "b")

# %% tags=["hide-input"]
figure, panels = plt.subplots(
    1, 4, figsize=(9, 2.4), layout="constrained"
)
for axes, (size, row) in zip(
    panels, rows.items(), strict=True
):
    axes.imshow(row, cmap="RdBu_r", vmin=-0.4, vmax=0.4)
    axes.set(xticks=[], yticks=[], title=f"noise {size}")
plt.show()

# %% [markdown]
# **Why.** One pixel predicts another by the factor $\Sigma_{ij} / (\Sigma_{jj} + \langle\xi^2\rangle)$: the more
# noise, the smaller. $\mathrm{off}(C)$ is the same at the first step, but $R$ rests where *noisy* pixels are
# decorrelated.
#
# **Common mistakes.** Looking at the first step only, and choosing c. Thinking of the purpose of the eye (to see
# better at night) in place of the rule, which knows no purpose: it decorrelates what it gets.
