# %% [markdown]
# # 05 · Solutions
#
# The exercises of notebook 05, COPI and backpropagation.

# %%
import numpy as np

from copi_np.course import check
from copi_np.course.lesson_05 import suspects

# %% [markdown]
# ## Exercise 05.1 · The extra term
#
# Write $W\,\mathrm{off}(C)$ for a batch `x` and weights `W`.


# %%
def my_extra_term(W, x):
    C = x.T @ x / len(x)
    return W @ (C - np.diag(np.diag(C)))


check("05.1", my_extra_term)

# %% [markdown]
# **Why it is right.** $\langle a x^\top\rangle = W C$; the decay of the COPI rule takes
# $W\,\mathrm{diag}(C)$ away; the rest is $W\,\mathrm{off}(C)$. The inner `np.diag`
# makes a vector of the diagonal, the outer one a diagonal matrix of the vector.
#
# **Usual mistakes.** `C - np.diag(C)` subtracts the vector from every row. `np.cov`
# centres its data, and COPI does not.
#
# ## Exercise 05.2 · Local form and unequal steps, on paper
#
# How far $M = W R$ moves to first order, with the local form and $\eta_W \ne \eta_R$.
#
# $$M' = \bigl(W + \eta_W\,G + \eta_W\,W\,\mathrm{off}(C)\bigr)
# \bigl(R - \eta_R\,R\,\mathrm{off}(C)\bigr)$$
#
# $$\phantom{M'} = W R + \eta_W\,G R + W\,\bigl(\eta_W\,\mathrm{off}(C)\,R -
# \eta_R\,R\,\mathrm{off}(C)\bigr) + \text{products of two step sizes}.$$


# %%
def my_first_order(W, R, x, delta, eta_W, eta_R):
    G = delta.T @ x / len(x)
    of_W, of_R = my_extra_term(W, x) @ R, my_extra_term(W @ R, x)
    return eta_W * (G @ R + of_W) - eta_R * of_R


check("05.2", my_first_order)

# %% [markdown]
# **Why it is right.** Each factor moves while the other rests; where both move there
# are two step sizes, which is second order. No ratio of the step sizes makes
# $\eta_W\,\mathrm{off}(C)\,R$ and $\eta_R\,R\,\mathrm{off}(C)$ cancel in general: they
# are different matrices. Where $R$ commutes with $\mathrm{off}(C)$, equal steps do.
#
# **Usual mistakes.** To write $\mathrm{off}(C)\,R$ twice, which is the matrix form. To
# let learning, $G R$, run with $\eta_R$.
#
# ## Exercise 05.3 · Three suspects
#
# Which of three implementations cancels the motion of $R$ from anywhere, and which one
# only seems to as long as $R$ is the identity?

# %%
rng = np.random.default_rng(0)
y = rng.normal(size=(20, 5)) @ rng.normal(size=(5, 5)) / 2
delta = rng.normal(size=(20, 4))
W, R = rng.normal(size=(4, 5)), np.eye(5) + 0.2 * rng.normal(size=(5, 5))


def measured_order(step, R):
    """How often the rest shrinks by half where eta does: the logarithm of the ratio."""
    rests = []
    for eta in (1e-4, 5e-5):
        new_W, new_R = step(W, R, y, delta, eta)
        learning = eta * delta.T @ (y @ R.T) / len(y) @ R
        rests.append(np.linalg.norm(new_W @ new_R - W @ R - learning))
    return np.log2(rests[0] / rests[1])


for letter, step in suspects.items():
    print(f"{letter}: order {measured_order(step, R):.2f} from a random R, ", end="")
    print(f"{measured_order(step, np.eye(5)):.2f} from the identity")

# %%
answer = "B", "C"
check("05.3", answer)

# %% [markdown]
# **Why it is right.** A is of order 1 everywhere: its two step sizes differ. B is of
# order 2 everywhere. C is the local form, $-R\,\mathrm{off}(C)$, which is the matrix
# form where $R$ is the identity.
#
# **Usual mistakes.** To test from the identity only, where every network begins. To
# subtract nothing for learning: $\eta\,G R$ is of order 1 itself and hides the rest.
