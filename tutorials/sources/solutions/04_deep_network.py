# %% [markdown]
# # 04 · Solutions
#
# Solutions to the exercises of [04 · A deep network](../04_deep_network.ipynb). Try
# each exercise yourself first: the hints from `check` should get you there.

# %%
import numpy as np

from copi_np import DivergenceError, Network, Schedule
from copi_np import fit, load_dataset
from copi_np.course import check
from copi_np.datasets import as_float
from copi_np.rules import copi_update, decorrelation_update
from copi_np.whitening import second_moment


def f(a):
    return np.where(a > 0, a, 0.1 * a)


def df(a):
    return np.where(a > 0, 1.0, 0.1)


# %% [markdown]
# ## Exercise 04.1 · The whole network
#
# Write the forward pass of a network of any depth, and return its output.


# %%
def my_output(W, R, y0):
    y = y0
    for R_k, W_k in zip(R, W, strict=True):
        x = y @ R_k.T  # line 5
        a = x @ W_k.T  # line 6
        y = f(a)  # line 7
    return y


check("04.1", my_output)

# %% [markdown]
# **Why.** Each sample is a row. A matrix that multiplies a column from the
# left multiplies a row from the right, transposed. The output of one layer is the input
# of the next.
#
# **Common mistakes.** `y @ R_k` without the transpose: the shapes are the same, so
# there is no error, and as long as $R$ is symmetric even the numbers agree. No
# activation function at the output: the paper's network has one there too.
#
# ## Exercise 04.2 · Fix the single loop
#
# Write one loop from the top layer to the bottom that updates the weights and sends the
# signal down, and that gives the same weights as two loops.


# %%
def my_one_loop(W, R, x, a, delta, eta):
    for k in reversed(range(len(W))):
        below = delta @ W[k] @ R[k]  # before W and R learn
        z = a[k] + delta
        W[k] = W[k] + eta * copi_update(W[k], x[k], z)
        R[k] = R[k] + eta * decorrelation_update(R[k], x[k])
        if k > 0:
            delta = df(a[k - 1]) * below
    return W, R


check("04.2", my_one_loop)

# %% [markdown]
# **Why.** $\delta_l$ depends on $W_{l+1}$ and $R_{l+1}$ as they were in the
# forward pass. If you compute it before they learn, it is the signal of lines 10 to 12.
# What happens afterwards to layer $l + 1$ does not matter for layer $l$, whose update
# only uses its own $x_l$, $a_l$ and $\delta_l$.
#
# **Common mistakes.** Only swapping the lines: then `delta` is already the signal of
# the layer below when the update needs the layer's own. Saving `W[k]` but not `R[k]`.
# Updating in place and then using the "old" matrices (`W[k] += ...` changes the array
# itself, so `old = W[k]` before it saves nothing). Forgetting `df(a[k - 1])`.
#
# ## Exercise 04.3 · How large a step?
#
# Find the largest first step of $R$ that survives an epoch, and the largest one that
# survives the next epoch.

# %%
data = load_dataset("mnist-5k")
SIZES = [data.n_inputs, 200, 200, data.n_classes]


def survives(*steps):
    rng = np.random.default_rng(0)
    net = Network(SIZES, rng=rng)
    try:
        for eta_R in steps:
            step = Schedule(eta_W=0, eta_R=eta_R)
            fit(net, data, epochs=1, schedule=step, rng=rng)
    except DivergenceError:
        return False
    return True


# %%
stable = [s for s in (0.01, 0.03, 0.1, 0.3) if survives(s)]
first = max(stable)
later = [s for s in (0.1, 0.3, 1, 3) if survives(first, s)]
second = max(later)
answer = first, second
print(answer)
check("04.3", answer)

# %% [markdown]
# **Why.** Far from decorrelation the largest eigenvalue $\lambda$ of $C$
# sets the limit: $\eta < 2 / \lambda$, which is 0.05 for raw digits. We measure how an
# epoch with 0.03 changes it:

# %%
images = as_float(data.train.inputs, "float32")
net = Network(SIZES, rng=np.random.default_rng(0))
alone = Schedule(eta_W=0, eta_R=first)


def bound(digits):
    C = second_moment(net.forward(digits).x[0])
    return 2 / np.linalg.eigvalsh(C)[-1]


for epochs in (0, 1):
    # ten of the batches of 50
    batches = np.split(images, len(images) // 50)[::8]
    of_batches = min(map(bound, batches))
    print(f"epochs: {epochs}, 2 / lambda:", end=" ")
    print(f"{bound(images):.2f} for all digits,", end=" ")
    print(f"{of_batches:.2f} for a batch")
    rng = np.random.default_rng(1)
    fit(net, data, epochs=1, schedule=alone, rng=rng)

# %% [markdown]
# An epoch raises the bound more than a hundredfold. The bound for a single *batch*
# rises less: 50 digits are never decorrelated, even if all the digits together are, and
# $R$ learns from batches. So the largest step that survives is smaller than the bound
# for all digits.
#
# **Common mistakes.** Using the bound for nearly decorrelated inputs, 2 over the sum of
# the two largest *variances*: for raw digits it would allow a step of 2, which is too
# large by a factor of 40.
