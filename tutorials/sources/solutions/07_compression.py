# %% [markdown]
# # 07 · Solutions
#
# Solutions to the exercises of [07 · Compression](../07_compression.ipynb). Try each exercise yourself first: the
# hints from `check` should get you there.

# %%
from itertools import pairwise

import numpy as np

from copi_np import Network, Schedule, fit, load_dataset
from copi_np.analysis import compress
from copi_np.course import check
from copi_np.datasets import as_float
from copi_np.rules import linear_map

data = load_dataset("mnist-5k")
SIZES = [data.n_inputs, 200, 200, 200, data.n_classes]

# %% [markdown]
# ## Exercise 07.1 · What a network has to learn
#
# The number of lateral and forward weights of a network with these sizes.


# %%
def n_learned(sizes):
    return sum(n * n + n * m for n, m in pairwise(sizes))


print(f"{n_learned(SIZES):,d}")
check("07.1", n_learned)

# %% [markdown]
# **Why.** A layer with `I` inputs and `O` outputs has $R$ of shape `(I, I)` and $W$ of shape `(O, I)`. `pairwise`
# yields the pairs (784, 200), (200, 200) and so on.
#
# **Common mistakes.** Counting an $R$ for the outputs of the last layer, or none for the pixels. Counting biases: these
# networks have none.
#
# ## Exercise 07.2 · One matrix, from outputs to outputs
#
# The matrix `M` with $y_{\mathrm{out}} \approx M y_{\mathrm{in}}$, by COPI's formula on $x = R y_{\mathrm{in}}$.


# %%
def my_matrix(y_in, R, y_out):
    x = y_in @ R.T  # x = R y, with samples in rows
    squares = np.sum(x**2, axis=0)
    W = y_out.T @ x / np.where(squares > 0, squares, 1)
    return W @ R


check("07.2", my_matrix)

# %% [markdown]
# **Why.** The formula is right on decorrelated inputs, so the map $W$ has to be fitted to $x = R y_{\mathrm{in}}$. Then
# $y_{\mathrm{out}} \approx W x = W R\,y_{\mathrm{in}}$, and $M = W R$.
#
# **Common mistakes.** Fitting the map to $y_{\mathrm{in}}$, whose entries are correlated: `linear_map(y_in, y_out)`
# runs but is wrong. Returning $W$, which still needs $R$. Writing `y_in @ R` for `y_in @ R.T`: with samples in rows,
# $R y$ is `y @ R.T`, and you only notice this if $R$ is not symmetric.
#
# ## Exercise 07.3 · To the output, or to the pre-activation?
#
# We map $x_2$ to $a_3$, keep $f$, and compare with the network in which only layer 2 is replaced.

# %%
EPOCHS = 3  # fast: 2
images = as_float(data.train.inputs, "float32")
test = as_float(data.test.inputs, "float32")
net = Network(SIZES, rng=np.random.default_rng(0))
first = {"first_epochs": 1, "first_eta_R": 1e-3}
schedule = Schedule(1e-3, 1e-3, delta_scale=500, **first)
settings = {"epochs": EPOCHS, "schedule": schedule}
rng = np.random.default_rng(1)
history = fit(net, data, rng=rng, **settings)
print(f"test accuracy {history[-1].test_accuracy:.3f}")

# %%
trace = net.forward(images)
W = linear_map(trace.x[1], trace.a[2])  # to a_3
x_2 = net.forward(test).x[1]
y_3 = net.layers[2].activation.f(x_2 @ W.T)
outputs = net.layers[3].forward(y_3)[2]

size = np.abs(outputs).max()
alone = compress(net, images, keep=4).predict(test)
both = compress(net, images, keep=3).predict(test)
for name, found in (("2 alone", alone), ("2 and 3", both)):
    apart = np.abs(outputs - found).max() / size
    print(f"from layers {name}: {apart:.1e}")
assert np.allclose(outputs, alone, atol=1e-4 * size)
answer = "c"
check("07.3", answer)

# %% [markdown]
# **Why.** $a_3 = W_3 R_3\,y_2$, and a mean of a sum is a sum of means:
#
# $$\langle a_3 x_2^\top\rangle\,\mathrm{diag}\langle x_2^2\rangle^{-1}
# = W_3 R_3\;\langle y_2 x_2^\top\rangle\,\mathrm{diag}\langle x_2^2\rangle^{-1} .$$
#
# On the right is the map to $y_2$, followed by layer 3 as it was. The only nonlinearity that it skips is that of
# layer 2. This is why `compress` maps to outputs: mapping to pre-activations is the same, but counted differently.
#
# **Common mistakes.** Seeing the better accuracy and stopping there (answer a). It *is* better than mapping to $y_3$,
# because it replaces less.
