# %% [markdown]
# # 12 · Solutions
#
# Solutions to the exercises of [12 · Learning without a backward pass](../12_without_a_backward_pass.ipynb). Try each
# exercise yourself first: the hints from `check` should get you there.

# %%
import numpy as np

from copi_np import rules
from copi_np.course import check

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from copi_np.plotting import COLOURS, STYLE

plt.rcParams.update(STYLE)

# %% [markdown]
# ## Exercise 12.1 · Two noisy passes
#
# Node perturbation from a pass with $a + \xi$ and one with $a - \xi$.


# %%
def two_sided(loss_of, a, noise, sigma):
    change = loss_of(a + noise) - loss_of(a - noise)
    return -change[:, None] / (2 * sigma**2) * noise


check("12.1", two_sided)

# %% [markdown]
# **Why.** The two passes are $2\xi$ apart, so the loss changes by $-2\,\delta\cdot\xi$, to first order. Second-order
# terms are equal in both passes, and cancel. Compare the two on a curved loss, with large noise:

# %%
rng = np.random.default_rng(0)
a = np.array([[1.0, -0.5]])


def loss_of(a):
    return np.sum(np.exp(a), axis=1)


def one_sided(loss_of, a, noise, sigma):
    change = loss_of(a + noise) - loss_of(a)
    return -change[:, None] / sigma**2 * noise


scatter = {}
for signal in (one_sided, two_sided):
    found = [
        signal(
            loss_of, a, 0.5 * rng.normal(size=(1, 2)), 0.5
        )
        for _ in range(3000)
    ]
    scatter[signal.__name__] = np.var(found, axis=0).sum()
    print(f"{signal.__name__}: variance", end=" ")
    print(f"{scatter[signal.__name__]:.0f}")
assert scatter["two_sided"] < scatter["one_sided"]

# %% [markdown]
# **Common mistakes.** Forgetting the 2. Dividing by $\sigma$ in place of $\sigma^2$. `change` without `[:, None]`, so
# that the shapes do not fit, or fit by accident. Adding up the changes of all samples: each sample has its own noise,
# and its own loss.
#
# ## Exercise 12.2 · How many noises?
#
# The number of noises for a cosine of 0.5, with 300 units.

# %%
delta = rng.normal(size=300)
numbers, cosines = [10, 30, 100, 300, 1000], []
for number in numbers:
    xi = rng.normal(size=(20, number, 300))
    change = xi @ delta
    mean = np.mean(change[:, :, None] * xi, axis=1)
    lengths = np.linalg.norm(mean, axis=1)
    lengths = lengths * np.linalg.norm(delta)
    cosines.append(np.mean(mean @ delta / lengths))
for number, cosine in zip(numbers, cosines, strict=True):
    print(f"{number:4} noises: cosine {cosine:.2f}")
check("12.2", 100)

# %% tags=["hide-input"]
figure, axes = plt.subplots(
    figsize=(6.5, 3.4), layout="constrained"
)
many = np.geomspace(10, 1000, 50)
axes.semilogx(
    many,
    1 / np.sqrt(1 + 301 / many),
    ":",
    color="gray",
    label=r"$1/\sqrt{1 + (N + 1)/n}$",
)
axes.semilogx(
    numbers,
    cosines,
    "o",
    color=COLOURS[0],
    label="measured",
)
axes.set(xlabel="noises $n$", ylabel="cosine", ylim=(0, 1))
axes.set_title("300 units")
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# **Why.** The mean of $n$ estimates is $\delta$ plus noise that is nearly perpendicular to it, so $\cos^2 =
# \mathrm{SNR}/(1 + \mathrm{SNR})$. A cosine of ½ needs $\mathrm{SNR} = 1/3$, and $\mathrm{SNR} = n/(N + 1)$ gives $n
# = 301/3 \approx 100$.
#
# **Common mistakes.** Taking the SNR for the cosine. Forgetting that the length of the mean contains the noise as
# well.
#
# ## Exercise 12.3 · Feedback that follows
#
# Kolen and Pollack's update of $F$, from the activities of the forward weights.


# %%
def feedback_update(F, x, z):
    power = np.mean(x**2, axis=0)
    return x.T @ z / len(x) - power[:, None] * F


check("12.3", feedback_update)

# %% [markdown]
# **Why.** It is COPI's rule for $W$, transposed. So the same function of the package does it:

# %%
F, x = rng.normal(size=(4, 3)), rng.normal(size=(8, 4))
z = rng.normal(size=(8, 3))
by_package = rules.copi_update(F.T, x, z).T
assert np.allclose(feedback_update(F, x, z), by_package)

# %% [markdown]
# **Common mistakes.** Letting $F$ decay with $z^2$, because "$z$ is its input": then $F - W^\top$ is not multiplied
# by the same factor in both rules, and does not vanish. No decay at all. `power * F` without `[:, None]`, which
# scales columns.
