# %% [markdown]
# # 11 · Solutions
#
# Solutions to the exercises of [11 · One family](../11_one_family.ipynb). Try each exercise yourself first: the hints
# from `check` should get you there.

# %%
from functools import partial

import numpy as np

from copi_np import family, rules
from copi_np.analysis import decorrelation_path
from copi_np.course import check
from copi_np.whitening import second_moment

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from copi_np.plotting import COLOURS, STYLE

plt.rcParams.update(STYLE)

# %% [markdown]
# ## Exercise 11.1 · The partner of whitening
#
# Write the forward rule that goes with $\Delta R = -(C - I)\,R$.


# %%
def partner(W, x, delta):
    a = x @ W.T
    return (delta + a).T @ x / len(x) - W


check("11.1", partner)

# %% [markdown]
# **Why.** Here $A = C - I$, so $\Delta W = \langle\delta x^\top\rangle + W C - W$. And $W C = \langle W
# x\,x^\top\rangle = \langle a x^\top\rangle$: again the matrix $C$ need not be built. This is COPI's rule (Eq. 3)
# with a plain $W$ in place of $W\,\mathrm{diag}\langle x^2\rangle$.
#
# **Common mistakes.** COPI's rule itself, which is the partner of $\mathrm{off}(C)$. The sign of $A$: $R$ learns by
# $-A R$, and $W$ by $+W A$. $A$ on the wrong side. Forgetting to divide by $B$.
#
# It is twice the partner of $\kappa = \tfrac12$, up to the error: that rule takes half of the step.

# %%
rng = np.random.default_rng(0)
W, x = rng.normal(size=(3, 4)), rng.normal(size=(9, 4))
a = rules.transform(W, x)
no_error = np.zeros((9, 3))
half = family.kappa_update(W, x, a, no_error, kappa=0.5)
assert np.allclose(partner(W, x, no_error), 2 * half)

# %% [markdown]
# ## Exercise 11.2 · Other units
#
# All inputs become ten times as large. How must $\eta_R$ change for $R$ to take the same path?

# %%
y = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4))
y /= np.sqrt(np.mean(y**2))
normalised = partial(
    family.normalised_decorrelation_update, damping=0.0
)
for name, rule, eta in (
    ("COPI", rules.decorrelation_update, 0.05 / 100),
    ("normalised", normalised, 0.05),
):
    *_, before = decorrelation_path(y, 0.05, 200, rule)
    *_, after = decorrelation_path(10 * y, eta, 200, rule)
    print(f"{name}: largest difference", end=" ")
    print(f"{np.abs(before - after).max():.0e}")
    assert np.allclose(before, after)

check("11.2", "b")

# %% [markdown]
# **Why.** $C$ is quadratic in the inputs, so COPI's update is a hundred times as large. In $\mathrm{off}(C)\,V^{-1}$
# the factor cancels. The same holds for each single input: the normalised rule does not care about its units either.
#
# **Common mistakes.** A factor of ten instead of its square. Dividing by the variance in $R$, and still adapting the
# step.
#
# ## Exercise 11.3 · Where the gain rests
#
# The variance at which the gain-controlled rule rests, with $\eta_R = 0.3$.

# %%
sigma = np.array(
    [[2.0, 0.6, 0.3], [0.6, 1.0, 0.2], [0.3, 0.2, 0.5]]
)
three = np.sqrt(3) * np.linalg.cholesky(sigma).T
etas = np.array([0.02, 0.05, 0.1, 0.2, 0.3])
found = []
for eta in etas:
    *_, R = decorrelation_path(
        three,
        eta,
        round(30 / eta),
        family.gain_controlled_update,
    )
    C = second_moment(rules.decorrelate(R, three))
    found.append(np.diag(C).mean())
print(np.round(found, 3))
variance = found[-1]
check("11.3", variance)

# %% tags=["hide-input"]
figure, axes = plt.subplots(
    figsize=(6.5, 3.4), layout="constrained"
)
axes.plot(etas, found, "o-", color=COLOURS[0])
axes.axhline(np.trace(sigma) / 3, color="gray", ls=":")
axes.set(xlabel=r"$\eta_R$", ylabel="variance at rest")
axes.set(xlim=(0, None), ylim=(0, 1.3))
axes.set_title("dotted: mean variance of the inputs")
plt.show()

# %% [markdown]
# **Why.** The gain compensates at each step what decorrelation took away. After the gain, $g R$ has the mean variance
# $m = \mathrm{tr}\,\Sigma/3$ of the inputs. Then decorrelation multiplies $x$ by $1 - \eta c$, where $c$ is the
# variance at rest, and that is where the step ends: $c = m\,(1 - \eta c)^2$. The smaller the step, the closer $c$ is
# to $m$.

# %%
m = np.trace(sigma) / 3
print(f"c {variance:.4f},", end=" ")
print(f"predicted {m * (1 - 0.3 * variance) ** 2:.4f}")
assert np.isclose(variance, m * (1 - 0.3 * variance) ** 2)

# %% [markdown]
# **Common mistakes.** 1, which is where $\kappa$ and the whitening rule rest. The mean variance of the inputs, which
# is the limit of small steps. Stopping too early: look whether the variances are equal yet.
