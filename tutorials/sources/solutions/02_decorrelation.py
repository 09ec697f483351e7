# %% [markdown]
# # 02 · Solutions
#
# Solutions to the exercises of [02 · Decorrelation](../02_decorrelation.ipynb). Try each exercise yourself first: the
# hints from `check` should get you there.

# %%
import numpy as np

from copi_np.analysis import decorrelation_path
from copi_np.course import check
from copi_np.rules import (
    decorrelation_update,
    local_decorrelation_update,
)
from copi_np.whitening import asymmetry, zca

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from copi_np.plotting import COLOURS, STYLE, label_ends

plt.rcParams.update(STYLE)

# %% [markdown]
# ## Exercise 02.1 · From decorrelating to whitening
#
# Write $\Delta R = -(C - I)\,R$ with samples as rows, without building $C$.


# %%
def whitening_update(R, x):
    return R - x.T @ (x @ R) / len(x)


check("02.1", whitening_update)

# %% [markdown]
# **Why.** $-(C - I) R = R - C R$, and $C R = \langle x x^\top\rangle R = \langle x\,(x^\top R)\rangle$, which is
# `x.T @ (x @ R) / B`. The decorrelation update has $\mathrm{diag}\langle x^2\rangle R$ in place of $R$.
#
# **Common mistakes.** `-x.T @ (x @ R) / B` alone, which makes everything shrink to zero; the identity instead of $R$
# as the other term; `x @ R.T`, which is the $q$ of the local form; forgetting to divide by $B$.
#
# What is it good for? With the same inputs at every step, every factor is a polynomial in $\Sigma$, so the factors
# commute, $R$ stays symmetric, and it converges to ZCA. Compare this with decorrelation, on the matrix from Section
# 6:

# %%
sigma = np.array([[2.0, 1, 0], [1, 3, 1], [0, 1, 5]])
y = np.sqrt(3) * np.linalg.cholesky(sigma).T
for update in (whitening_update, decorrelation_update):
    *_, R = decorrelation_path(y, 0.05, 1000, update)
    distance = np.linalg.norm(R - zca(sigma))
    print(f"{update.__name__}:", end=" ")
    print(f"asymmetry {asymmetry(R):.4f},", end=" ")
    print(f"distance from ZCA {distance:.4f}")

# %% [markdown]
# ## Exercise 02.2 · Twins
#
# Two inputs are always equal. What happens to $x_1$ and $x_2$ when $R$ learns for a very long time?

# %%
rng = np.random.default_rng(0)
y = rng.normal(size=(100, 1)) @ np.ones((1, 2))
path = [*decorrelation_path(y, eta_R=0.05, n_steps=5000)]
powers = [np.mean((y @ R.T) ** 2, axis=0) for R in path]
variances, R = np.array(powers), path[-1]
print("variances", variances[-1].round(4))
print("det R", np.linalg.det(R).round(2))
print(R.round(1))

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(6.5, 3))
axes.loglog(
    1 + np.arange(len(variances)),
    variances[:, 0],
    color=COLOURS[0],
)
axes.set_title("twins: both variances fall to zero")
_ = axes.set(
    xlabel="1 + step",
    ylabel="variance of $x_1$ and of $x_2$",
)

# %%
answer = "b"

check("02.2", answer)

# %% [markdown]
# **Why.** The rule treats the two alike, so $x_1 = x_2$ at every step, and $C_{12} = C_{11}$. Where
# $\mathrm{off}(C) = 0$, both must be zero. Their variances decay slowly, like one over the number of steps, because
# the covariance that drives the decay gets smaller as well.
#
# Section 4 said that $R$ cannot collapse, and it does not: $\det R$ hardly changes. $R$ shrinks along $(1, 1)$, where
# the data are, and grows along $(1, -1)$, where there are none. The missing assumption is that $\Sigma$ is
# invertible: here $\det C = 0$, and the Hadamard defect is infinite from the start.
#
# **Common mistakes.** *a*: something would have to tell the two apart. Gram-Schmidt, and so Cholesky whitening, does
# this by their order. *c*: with half the variance each, the two are still perfectly correlated. *d*: this contradicts
# the determinant.

# %% [markdown]
# ## Exercise 02.3 · A variance that rises
#
# Find second moments of three inputs for which the local form raises a variance by 1 % or more above its lowest
# value.


# %%
def variances_by_step(
    sigma, update=local_decorrelation_update
):
    y = np.sqrt(3) * np.linalg.cholesky(sigma).T
    eta = 0.1 / np.trace(sigma)
    path = decorrelation_path(y, eta, 1000, update)
    return np.array(
        [np.diag(R @ sigma @ R.T) for R in path]
    )


def largest_rise(sigma):
    variances = variances_by_step(sigma)
    lowest = np.minimum.accumulate(variances)
    return np.max(variances / lowest) - 1


# %%
for seed in range(100):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(5, 3))
    sigma = y.T @ y / 5
    if largest_rise(sigma) > 0.01:
        break
print(f"seed {seed}: {largest_rise(sigma):.1%}")
print(sigma.round(2))

check("02.3", sigma)

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(7, 3.4))
for update, style in (
    (decorrelation_update, "-"),
    (local_decorrelation_update, "--"),
):
    shares = variances_by_step(sigma, update) / np.diag(
        sigma
    )
    for i in range(3):
        axes.semilogx(
            1 + np.arange(len(shares)),
            shares[:, i],
            style,
            color=COLOURS[i],
            label=update.__name__ if i == 0 else None,
        )
axes.set(xlabel="1 + step")
axes.set(ylabel="variance, relative to the start")
axes.set_title("with the local form, a variance may rise")
label_ends(axes)

# %% [markdown]
# **Why.** With the local form, $x$ changes by $-\eta R\,\mathrm{off}(C)\,y$. This differs from
# $-\eta\,\mathrm{off}(C)\,x$ as soon as $R$ and $\mathrm{off}(C)$ do not commute, so the loss of variance is no
# longer a sum of squares. With the matrix form (solid) no variance rises. Among 300 random $\Sigma$ for 3 to 11
# inputs, some variance rose by 0.1 % or more in 255 cases with the local form, and in none with the matrix form
# ([Theorem 4](../../docs/theory.md#4-decorrelation-converges)).
#
# **Common mistakes.** A matrix with equal variances and equal covariances: there the two forms are the same. A nearly
# diagonal matrix: $R$ hardly moves away from the identity. A matrix that is not positive definite: no data have such
# second moments, or only data whose inputs are linearly dependent.
