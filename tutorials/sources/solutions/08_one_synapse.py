# %% [markdown]
# # 08 · Solutions
#
# Solutions to the exercises of [08 · One synapse: Hebb, Oja, COPI](../08_one_synapse.ipynb). Try each exercise
# yourself first: the hints from `check` should get you there.

# %%
import numpy as np

from copi_np import rules
from copi_np.course import check
from copi_np.whitening import off_diagonal, second_moment

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from copi_np.plotting import COLOURS, STYLE, label_ends

plt.rcParams.update(STYLE)


# %%
def batch_with(C, n_samples=150):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(n_samples, len(C)))
    white = np.linalg.qr(noise)[0] * np.sqrt(n_samples)
    return white @ np.linalg.cholesky(C).T


# %% [markdown]
# ## Exercise 08.1 · Louder inputs
#
# All inputs become twice as large, and COPI's targets stay the same. How do the lengths of the weights change?

# %%
x = batch_with(np.diag([1.5, 0.7]))
z = x @ np.array([[0.8, -0.6]]).T
for factor in (1, 2):
    W = by_oja = np.array([[0.3, 0.2]])
    louder = factor * x
    for _ in range(2000):
        W = W + 0.02 * rules.copi_update(W, louder, z)
        dW = rules.oja_update(by_oja, louder)
        by_oja = by_oja + 0.02 * dW
    print(f"inputs times {factor}:", end=" ")
    print(f"COPI {np.linalg.norm(W):.3f},", end=" ")
    print(f"Oja {np.linalg.norm(by_oja):.3f}")

check("08.1", "b")

# %% [markdown]
# **Why.** COPI's fixed point is $w_{ij} = \langle z_i x_j\rangle / \langle x_j^2\rangle$. With $2x$ the numerator
# doubles and the denominator becomes four times as large. So the weights halve, and $W x$ stays the same. Oja's rule
# converges to a unit eigenvector of $C$, and $4\,C$ has the same eigenvectors.
#
# **Common mistakes.** Confusing the speed of learning with the fixed point (both rules learn faster with larger
# inputs). Thinking that Oja's rule converges to $\langle a^2\rangle = 1$: the condition is $\lvert w\rvert = 1$.
#
# ## Exercise 08.2 · How fast does it explode?
#
# The growth factor of COPI with $z = a$ on three correlated inputs, $\eta = 0.1$.

# %%
C = [[2.0, 0.6, 0.3], [0.6, 1.0, 0.2], [0.3, 0.2, 0.5]]
x = batch_with(np.array(C))
W, length = np.array([[0.01, -0.02, 0.01]]), []
for _ in range(300):
    a = rules.transform(W, x)
    W = W + 0.1 * rules.copi_update(W, x, a)
    length.append(np.linalg.norm(W))
growth = length[-1] / length[-2]
largest = np.linalg.eigvalsh(
    off_diagonal(second_moment(x))
)[-1]
print(f"growth {growth:.4f},", end=" ")
print(f"predicted {1 + 0.1 * largest:.4f}")
check("08.2", growth)

# %% [markdown]
# **Why.** Without an error, COPI's mean update is $W\,\mathrm{off}(C)$. Along an eigenvector of $\mathrm{off}(C)$ with
# eigenvalue $\lambda$, each step multiplies the weights by $1 + \eta\lambda$. In the end the direction with the largest
# factor dominates: $1 + 0.1 \cdot 0.764 \approx 1.076$.
#
# **Common mistakes.** Using the eigenvalue of $C$ instead of $\mathrm{off}(C)$, which gives Hebb's growth. Measuring at
# the start, when the arrow is still turning and may even shrink.
#
# ## Exercise 08.3 · Where Oja's decay comes from
#
# A Hebbian step, after which the weights of every unit are scaled to length 1.


# %%
def my_step(W, x, eta):
    a = x @ W.T
    new = W + eta * a.T @ x / len(x)
    return new / np.linalg.norm(new, axis=1, keepdims=True)


check("08.3", my_step)

# %% [markdown]
# **Why.** The weights of a unit are a row of $W$, so we compute lengths along `axis=1`. With `keepdims=True` they are a
# column of shape $(O, 1)$, which divides row by row.
#
# Now compare with Oja's rule. For $\lvert w\rvert = 1$, the length after the Hebbian step is $1 + \eta\,\langle
# a^2\rangle + O(\eta^2)$. Divide by it:
#
# $$\frac{w + \eta\,C w}{1 + \eta\,\langle a^2\rangle} =
# w + \eta\,\bigl(C w - \langle a^2\rangle\,w\bigr) + O(\eta^2) ,$$
#
# and the bracket is Oja's rule. So the difference between the two should be proportional to $\eta^2$.

# %%
rng = np.random.default_rng(0)
x, W = rng.normal(size=(50, 4)), rng.normal(size=(3, 4))
W /= np.linalg.norm(W, axis=1, keepdims=True)
oja = rules.oja_update(W, x)
etas, gaps = np.array([0.001, 0.003, 0.01, 0.03, 0.1]), []
for eta in etas:
    gap = my_step(W, x, eta) - (W + eta * oja)
    gaps.append(np.linalg.norm(gap))
order = np.polyfit(np.log(etas), np.log(gaps), 1)[0]
print(f"the gap falls with eta to the power of {order:.2f}")
assert 1.9 < order < 2.1

# %% tags=["hide-input"]
figure, axes = plt.subplots(
    figsize=(6.5, 3.4), layout="constrained"
)
axes.loglog(etas, gaps, "o-", color=COLOURS[0], label="gap")
axes.loglog(
    etas,
    gaps[0] * (etas / etas[0]) ** 2,
    ":",
    color="black",
    label=r"slope of $\eta^2$",
)
axes.set(xlabel=r"step size $\eta$")
axes.set(ylabel="gap to Oja's step")
axes.set_title("Oja's rule is my_step, to first order")
label_ends(axes)
plt.show()

# %% [markdown]
# **Common mistakes.** Scaling the columns, or the whole matrix. Forgetting the root. Scaling the step instead of the
# weights. Note that this is not a rule for a synapse: to divide, the unit has to add up the squares of all its
# weights. Oja's decay does not need that, and this is its point.
