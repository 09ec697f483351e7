# %% [markdown]
# # 05 · Solutions
#
# Solutions to the exercises of [05 · COPI and backpropagation, one term
# apart](../05_copi_and_backpropagation.ipynb). Try each exercise yourself first: the
# hints from `check` should get you there.

# %%
import numpy as np

from copi_np.course import check
from copi_np.course.lesson_05 import suspects

# %% [markdown]
# ## Exercise 05.1 · The extra term
#
# Compute $W\,\mathrm{off}(C)$ for a batch `x` and weights `W`.


# %%
def my_extra_term(W, x):
    C = x.T @ x / len(x)
    return W @ (C - np.diag(np.diag(C)))


check("05.1", my_extra_term)

# %% [markdown]
# **Why.** $\langle a x^\top\rangle = W C$. The decay of the COPI rule
# subtracts $W\,\mathrm{diag}(C)$, and $W\,\mathrm{off}(C)$ is left. The inner `np.diag`
# turns the diagonal into a vector, and the outer one turns that into a diagonal matrix.
#
# **Common mistakes.** `C - np.diag(C)` subtracts the vector from every row. `np.cov`
# centres its data, and COPI does not.
#
# ## Exercise 05.2 · Local form and unequal steps, on paper
#
# How $M = W R$ changes to first order, with the local form and $\eta_W \ne \eta_R$.
#
# $$M' = \bigl(W + \eta_W\,G + \eta_W\,W\,\mathrm{off}(C)\bigr)
# \bigl(R - \eta_R\,R\,\mathrm{off}(C)\bigr)$$
#
# $$\phantom{M'} = W R + \eta_W\,G R + W\,\bigl(\eta_W\,\mathrm{off}(C)\,R -
# \eta_R\,R\,\mathrm{off}(C)\bigr) + \text{products of two step sizes}.$$


# %%
def my_first_order(W, R, x, delta, eta_W, eta_R):
    G = delta.T @ x / len(x)
    of_W = my_extra_term(W, x) @ R
    of_R = my_extra_term(W @ R, x)
    return eta_W * (G @ R + of_W) - eta_R * of_R


check("05.2", my_first_order)

# %% [markdown]
# **Why.** To first order, one factor moves while the other stays fixed; if
# both move, there are two step sizes, which is second order. In general no ratio of the
# step sizes makes $\eta_W\,\mathrm{off}(C)\,R$ and $\eta_R\,R\,\mathrm{off}(C)$ cancel,
# because they are different matrices. If $R$ commutes with $\mathrm{off}(C)$, equal
# steps do.
#
# **Common mistakes.** Writing $\mathrm{off}(C)\,R$ twice, which is the matrix form.
# Multiplying the part due to learning, $G R$, by $\eta_R$.
#
# ## Exercise 05.3 · Three suspects
#
# Which of the three implementations cancels the motion of $R$ whatever $R$ is, and
# which one only seems to, as long as $R$ is the identity?

# %%
rng = np.random.default_rng(0)
y = rng.normal(size=(20, 5)) @ rng.normal(size=(5, 5)) / 2
delta = rng.normal(size=(20, 4))
W = rng.normal(size=(4, 5))
R = np.eye(5) + 0.2 * rng.normal(size=(5, 5))


def measured_order(step, R):
    """Return the order in eta of what is left over."""
    left = []
    for eta in (1e-4, 5e-5):
        new_W, new_R = step(W, R, y, delta, eta)
        learning = eta * delta.T @ (y @ R.T) / len(y) @ R
        change = new_W @ new_R - W @ R
        left.append(np.linalg.norm(change - learning))
    return np.log2(left[0] / left[1])


for letter, step in suspects.items():
    from_R = measured_order(step, R)
    from_I = measured_order(step, np.eye(5))
    print(f"{letter}: order {from_R:.2f} from a random R,")
    print(f"         {from_I:.2f} from the identity")

# %%
answer = "B", "C"
check("05.3", answer)

# %% [markdown]
# **Why.** A has order 1 everywhere: its two step sizes differ. B has order
# 2 everywhere. C is the local form, $-R\,\mathrm{off}(C)$, which equals the matrix form
# as long as $R$ is the identity.
#
# **Common mistakes.** Testing only at the identity, where every network starts.
# Forgetting to subtract the part due to learning: $\eta\,G R$ has order 1 itself and
# hides what is left over.
