# %% [markdown]
# # 01 · Solutions
#
# To the exercises of [01 · From gradient descent to inferring parameters](../01_inferring_parameters.ipynb). Try them
# first; the hints of `check` go a long way.

# %%
import matplotlib.pyplot as plt
import numpy as np

from copi_np import rules
from copi_np.backend import get_backend
from copi_np.course import check
from copi_np.plotting import COLOURS, STYLE

BACKEND = "numpy"  # or "cupy" on a machine with a GPU
backend = get_backend(BACKEND)
asarray, host = backend.asarray, backend.to_host
plt.rcParams.update(STYLE)

# %% [markdown]
# ## Exercise 01.1 · Undo the rescaling
#
# A rule that equals Eq. 2 on decorrelated inputs, without inverting a matrix.


# %%
def my_rule(W, x, z):
    power = np.mean(x**2, axis=0)  # one number for each input
    return z.T @ x / len(x) / power - W


check("01.1", my_rule)

# %% [markdown]
# **Why.** On decorrelated inputs $C = \langle x x^\top\rangle$ is diagonal, so its inverse divides column $j$ of
# $\langle z x^\top\rangle$ by $\langle x_j^2\rangle$. NumPy divides a matrix of shape $(O, I)$ by an array of shape
# $(I,)$ column by column, which is what we want. In one line, it is Eq. 3 divided by $\langle x_j^2\rangle$:
# `rules.copi_update(W, x, z) / rules.mean_square(x)`.
#
# **Usual mistakes.** Dividing only the Hebbian term of Eq. 3 and leaving the $\langle x_j^2\rangle$ in its decay.
# Dividing rows, as the text of the paper has it: with as many inputs as outputs, NumPy would not complain. Taking
# $\langle x_j\rangle^2$ for $\langle x_j^2\rangle$. Forgetting that $\langle\cdot\rangle$ is a mean.
#
# ## Exercise 01.2 · One sample at a time
#
# One pass through the samples in their order, with $\eta$ times Eq. 5 after each.


# %%
def my_epoch(W, x, z, eta):
    for x_b, z_b in zip(x, z, strict=True):
        W = W + eta * (np.outer(z_b, x_b) - W * x_b**2)
    return W


check("01.2", my_epoch)

# %% [markdown]
# **Why.** `np.outer(z_b, x_b)` has the entries $z_i x_j$, and `W * x_b**2` the entries $w_{ij} x_j^2$. Writing
# `W = W + ...` makes a new array, so the caller's weights stay as they are; `W += ...` would change them.
#
# **Usual mistakes.** Adding up the updates of all samples for the weights of the start: that is one step of Eq. 3
# with $B\,\eta$. Dividing by $B$: no mean is taken here. Writing the decay with `np.outer(x_b, x_b)`: that is
# gradient descent.
#
# How much noise do single samples add? The relative distance from $D$ while passes go on, for two step sizes. (Here
# $z = Dx + \text{noise}$: were $z = Dx$ and the inputs decorrelated on average only, single samples would still
# disagree, since the $C$ of one sample is never diagonal.)

# %%
rng = np.random.default_rng(0)
x, D = rng.normal(size=(500, 4)), rng.normal(size=(3, 4))
z = x @ D.T + rng.normal(size=(500, 3))
fig, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
for eta, colour in zip((0.05, 0.005), COLOURS, strict=False):
    W, distances = np.zeros((3, 4)), [1.0]
    for b in range(500):
        W = my_epoch(W, x[b : b + 1], z[b : b + 1], eta)
        distances.append(np.linalg.norm(W - D) / np.linalg.norm(D))
    ax.plot(distances, color=colour, label=rf"$\eta$ = {eta}")
ax.set(xlabel="samples", ylabel="distance from $D$", ylim=(0, 1.05))
ax.legend()
plt.show()

# %% [markdown]
# The larger step is there sooner, and then wanders about at a distance that the smaller one goes below.
#
# ## Exercise 01.3 · How decorrelated is enough?
#
# Three inputs of mean square 1 with correlation $t$, and $D = (1, 2, 3)$. Up to which $t$ does COPI come to rest
# within 10 % of $D$?


# %%
def batch_with(C, n_samples=100):
    noise = np.random.default_rng(0).normal(size=(n_samples, len(C)))
    white = np.linalg.qr(noise)[0] * np.sqrt(n_samples)
    return asarray(white @ np.linalg.cholesky(C).T)


def miss(t):
    D = asarray(np.array([[1.0, 2.0, 3.0]]))
    x = batch_with((1 - t) * np.eye(3) + t * np.ones((3, 3)))
    W_rest = rules.linear_map(x, x @ D.T)
    return np.linalg.norm(host(W_rest - D)) / np.linalg.norm(host(D))


# %%
low, high = 0.0, 0.5  # the miss grows with t: halve the interval until it is small
while high - low > 1e-6:
    middle = (low + high) / 2
    low, high = (middle, high) if miss(middle) < 0.1 else (low, middle)
print(f"largest t: {low:.4f}, with a miss of {100 * miss(low):.2f} %")
check("01.3", low)

# %% [markdown]
# **Why.** By Theorem 8, $W^* - D = D\,\mathrm{off}(C)\,\mathrm{diag}\langle x^2\rangle^{-1}$. Here the mean squares are
# 1 and every entry off the diagonal is $t$, so the miss of weight $j$ is $t$ times the sum of the *other* weights:
# $t\,(5, 4, 3)$. Its relative size is $t\,\sqrt{50} / \sqrt{14} \approx 1.9\,t$, which is 10 % at $t \approx 0.053$.
#
# **Usual mistakes.** Guessing $t = 0.1$: the misses of the inputs add up. Running COPI with too few steps, which
# mistakes a slow weight for a wrong one; `rules.linear_map` gives the place of rest at once. Measuring the error of the
# *outputs*, which is another question.
