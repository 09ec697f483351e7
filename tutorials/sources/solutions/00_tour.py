# %% [markdown]
# # 00 · Solutions
#
# Solutions to the exercises of [00 · Tour: one network, from the first digit to the last mistake](../00_tour.ipynb).
# Try each exercise yourself first: the hints from `check` should get you there.

# %%
from itertools import pairwise

import numpy as np

from copi_np import DivergenceError, Network, Schedule
from copi_np import fit, load_dataset
from copi_np.course import check
from copi_np.datasets import as_float

data = load_dataset("mnist-5k")
SIZES = [data.n_inputs, 200, data.n_classes]

# %% [markdown]
# ## Exercise 00.1 · Shapes
#
# The shapes of $R$, $W$, $x$ and $a$ in the second layer of `Network([784, 300, 100, 10])`, for 50 digits.

# %%
sizes = [data.n_inputs, 300, 100, data.n_classes]
net = Network(sizes, rng=np.random.default_rng(0))
batch = as_float(data.train.inputs[:50], "float32")
trace, layer = net.forward(batch), net.layers[1]
print("R", layer.R.shape, " W", layer.W.shape)
print("x", trace.x[1].shape, " a", trace.a[1].shape)

answer = [(300, 300), (100, 300), (50, 300), (50, 100)]

check("00.1", answer)

# %% [markdown]
# **Why.** $R$ mixes the layer's 300 inputs with each other. $W$ has a row for each of the 100 outputs and a column
# for each of the 300 inputs. $x$ and $a$ have one row per sample.
#
# **Common mistakes.** An $R$ as wide as the outputs: decorrelation happens before $W$, not after it. A transposed
# $W$: the code computes `x @ W.T`, but the weights themselves are stored as in the paper. Samples in columns, as in
# the paper: in the code they are rows.

# %% [markdown]
# ## Exercise 00.2 · The price of R
#
# Count the lateral and the forward weights of a network, given its layer sizes.


# %%
def count_weights(sizes):
    pairs = pairwise(sizes)  # inputs and outputs of a layer
    n_forward = sum(i * o for i, o in pairs)
    n_lateral = sum(i**2 for i in sizes[:-1])
    return n_lateral, n_forward


print(count_weights(SIZES))

check("00.2", count_weights)

# %% [markdown]
# **Why.** Every layer has an $R$ with one row and one column per input. The numbers of inputs are the list without
# its last entry. Neighbours in the list are the inputs and outputs of a layer.
#
# **Common mistakes.** Counting an $R$ for the output units, which are not the input of any layer. Adding biases: this
# network has none. Counting only one layer.

# %% [markdown]
# ## Exercise 00.3 · How large a step can you take?
#
# The largest of six step sizes with which a network still trains.

# %%
EPOCHS = 2  # fast: 1
for eta in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3):
    network = Network(SIZES, rng=np.random.default_rng(0))
    settings = {"schedule": Schedule(eta_W=eta, eta_R=eta)}
    settings |= {"rng": np.random.default_rng(1)}
    try:
        run = fit(network, data, epochs=EPOCHS, **settings)
        print(
            f"{eta}: accuracy {run[-1].test_accuracy:.0%}"
        )
    except DivergenceError as error:
        print(f"{eta}: {str(error)[:50]} ...")

answer = 0.03

check("00.3", answer)

# %% [markdown]
# **Why.** With 0.03 the network trains; with 0.1 it diverges in the third batch. The limit is near $2/\lambda \approx
# 0.05$, as you measured in the notebook. The message may name $W$ rather than $R$: both learn here, and it names the
# one that grows most. With 0.001, two epochs hardly get the network above chance. A step that is too large fails
# loudly. One that is too small fails silently: you only notice by trying a larger one.
#
# **Common mistakes.** Using the same network in every round: then each step size starts from the weights that the
# previous one left. Stopping at the first step size that works instead of the largest.
