# %% [markdown]
# # 01 · Solutions
#
# Solutions to the exercises of [01 · From gradient descent to inferring
# parameters](../01_inferring_parameters.ipynb). Try each exercise yourself first: the hints from `check` should get
# you there.

# %%
import numpy as np

from copi_np import rules
from copi_np.course import check

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from copi_np.plotting import COLOURS, STYLE, label_ends

plt.rcParams.update(STYLE)

# %% [markdown]
# ## Exercise 01.1 · Undo the rescaling
#
# Write a rule that equals Eq. 2 on decorrelated inputs without inverting a matrix.


# %%
def my_rule(W, x, z):
    power = np.mean(x**2, axis=0)  # one number per input
    return z.T @ x / len(x) / power - W


check("01.1", my_rule)

# %% [markdown]
# **Why.** On decorrelated inputs $C = \langle x x^\top\rangle$ is diagonal, so its inverse divides column $j$ of
# $\langle z x^\top\rangle$ by $\langle x_j^2\rangle$. NumPy divides a matrix of shape `(O, I)` by an array of shape
# $(I,)$ column by column, which is what we want. In one line, the rule is Eq. 3 divided by $\langle x_j^2\rangle$:
# `rules.copi_update(W, x, z) / rules.mean_square(x)`.
#
# **Common mistakes.** Dividing only the Hebbian term of Eq. 3 and leaving $\langle x_j^2\rangle$ in the decay.
# Dividing rows, as the text of the paper says: if there are as many inputs as outputs, NumPy does not complain. Using
# $\langle x_j\rangle^2$ instead of $\langle x_j^2\rangle$. Forgetting that $\langle\cdot\rangle$ is a mean.
#
# ## Exercise 01.2 · One sample at a time
#
# Go through the samples once, in order, and add $\eta$ times Eq. 5 after each.


# %%
def my_epoch(W, x, z, eta):
    for x_b, z_b in zip(x, z, strict=True):
        W = W + eta * (np.outer(z_b, x_b) - W * x_b**2)
    return W


check("01.2", my_epoch)

# %% [markdown]
# **Why.** `np.outer(z_b, x_b)` has the entries $z_i x_j$, and `W * x_b**2` the entries $w_{ij} x_j^2$. Writing
# `W = W + ...` makes a new array, so the caller's weights are not changed; `W += ...` would change them.
#
# **Common mistakes.** Computing all the updates from the initial weights and adding them up: that is one step of Eq.
# 3 with step size $B\,\eta$. Dividing by $B$: there is no mean here. Writing the decay with `np.outer(x_b, x_b)`:
# that is gradient descent.
#
# How much noise do single samples add? The figure shows the relative distance from $D$ as samples are processed, for
# two step sizes. (Here $z = Dx + \text{noise}$. But even with $z = Dx$, single samples would disagree: the inputs are
# decorrelated only on average, and the $C$ of a single sample is never diagonal.)

# %%
rng = np.random.default_rng(0)
x, D = rng.normal(size=(500, 4)), rng.normal(size=(3, 4))
z = x @ D.T + rng.normal(size=(500, 3))
distances = {}
for eta in (0.05, 0.005):
    W, distances[eta] = np.zeros((3, 4)), [1.0]
    for b in range(500):
        W = my_epoch(W, x[b : b + 1], z[b : b + 1], eta)
        away = np.linalg.norm(W - D) / np.linalg.norm(D)
        distances[eta].append(away)

# %% tags=["hide-input"]
figure, axes = plt.subplots(
    figsize=(7, 3.2), layout="constrained"
)
for (eta, values), colour in zip(
    distances.items(), COLOURS, strict=False
):
    axes.plot(
        values, color=colour, label=rf"$\eta$ = {eta}"
    )
axes.set(xlabel="samples", ylabel="distance from $D$")
axes.set(ylim=(0, 1.05))
label_ends(axes)
plt.show()

# %% [markdown]
# The larger step gets close sooner, but then wanders around at a distance from $D$. The smaller step ends up closer.
#
# ## Exercise 01.3 · How decorrelated is enough?
#
# Three inputs of mean square 1 with pairwise correlation $\rho$, and $D = (1, 2, 3)$. What is the largest $\rho$ for
# which COPI converges to within 10 % of $D$?


# %%
def batch_with(C, n_samples=100):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(n_samples, len(C)))
    white = np.linalg.qr(noise)[0] * np.sqrt(n_samples)
    return white @ np.linalg.cholesky(C).T


def relative_error(rho):
    D = np.array([[1.0, 2.0, 3.0]])
    C = (1 - rho) * np.eye(3) + rho * np.ones((3, 3))
    x = batch_with(C)
    W_rest = rules.linear_map(x, x @ D.T)
    return np.linalg.norm(W_rest - D) / np.linalg.norm(D)


# %%
# the error grows with rho: halve the interval
low, high = 0.0, 0.5
while high - low > 1e-6:
    middle = (low + high) / 2
    if relative_error(middle) < 0.1:
        low = middle
    else:
        high = middle
print(f"largest rho: {low:.4f},", end=" ")
print(f"with an error of {relative_error(low):.2%}")
check("01.3", low)

# %% [markdown]
# **Why.** By Theorem 8, $W^* - D = D\,\mathrm{off}(C)\,\mathrm{diag}\langle x^2\rangle^{-1}$. Here the mean squares
# are 1 and every off-diagonal entry is $\rho$, so the error in weight $j$ is $\rho$ times the sum of the *other*
# weights: $\rho\,(5, 4, 3)$. Its relative size is $\rho\,\sqrt{50} / \sqrt{14} \approx 1.9\,\rho$, which is 10 % at
# $\rho \approx 0.053$.
#
# **Common mistakes.** Guessing $\rho = 0.1$: the errors from the other inputs add up. Running COPI for too few steps,
# so that a slow weight looks like a wrong one; `rules.linear_map` gives the fixed point directly. Measuring the error
# of the *outputs*, which is a different question.
