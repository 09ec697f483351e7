# %% [markdown]
# # 11 · One family: from Foldiak to whitening
#
# COPI's decorrelation is one rule of a family. Some of its relatives are older than the paper, others came after it.
# They differ in what they need to know, in where they stop, and in how fast they get there.
#
# **What you will be able to do**
#
# - write five rules for lateral weights, and say for each what it needs to know, where it rests and how fast;
# - find for any lateral rule the forward rule that goes with it;
# - explain in which sense COPI is a natural gradient, computed without an inverse;
# - measure whether a more natural step generalises better, and find out why it does not here.
#
# **Time:** 45 minutes to read and run, 35 minutes for the exercises.
#
# **Before this:** notebooks [02](02_decorrelation.ipynb) (decorrelation) and [05](05_copi_and_backpropagation.ipynb)
# (COPI as gradient descent on $W R$); the inverse of a matrix.
#
# **In the paper:** Equations 2 to 4 and Section 2.7. The other rules are from other papers, which the functions in
# `copi_np.family` name.

# %%
from functools import partial

import numpy as np

from copi_np import DivergenceError, Network
from copi_np import family, load_dataset, rules
from copi_np.analysis import decorrelation_path
from copi_np.course import check
from copi_np.datasets import as_float, one_hot
from copi_np.patches import Pooling
from copi_np.whitening import hadamard_defect, off_diagonal
from copi_np.whitening import second_moment

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from copi_np.plotting import COLOURS, STYLE, label_ends

plt.rcParams.update(STYLE)

# %% [markdown]
# ## 1. Foldiak: inhibition in a loop
#
# In 1990, Peter Foldiak let the units of a layer inhibit each other. A unit gets its input $y_i$, minus what the
# *other units' outputs* send it through inhibitory weights $S$:
#
# $$x_i = y_i - \sum_{j \ne i} S_{ij}\, x_j, \qquad\text{so}\qquad x = (I + S)^{-1} y .$$
#
# This is a loop: $x$ depends on $x$. A brain lets it settle, and a computer solves the equation. The weights learn by
#
# $$\Delta S_{ij} = \langle x_i x_j\rangle \quad (i \ne j), \qquad\text{that is}\qquad \Delta S = \mathrm{off}(C) :$$
#
# units that are active together learn to inhibit each other. (The package calls these weights `L`. In this course,
# $L$ is the number of layers.) We take the five inputs of notebook 02, which share a common cause.

# %%
rng = np.random.default_rng(3)
shared = rng.normal(size=(100, 1))
own = rng.normal(size=(100, 5))
five = shared * [0.9, 0.7, 0.5, -0.5, -0.9]
five = five + own * [0.3, 0.5, 0.7, 0.4, 0.6]


# %%
def settle(S, sample, n_rounds=300):
    x = np.zeros_like(sample)
    for _ in range(n_rounds):
        for i in range(len(x)):
            others = [j for j in range(len(x)) if j != i]
            inhibition = sum(S[i, j] * x[j] for j in others)
            x[i] += 0.1 * (sample[i] - inhibition - x[i])
    return x


S = 0.3 * family.foldiak_update(np.zeros((5, 5)), five)
settled = settle(S, five[0])
solved = np.linalg.solve(np.eye(5) + S, five[0])
package = family.foldiak_decorrelate(S, five)[0]
assert np.allclose(settled, solved)
assert np.allclose(package, solved)
print("settled", settled.round(3))
print("solved ", solved.round(3))

# %% [markdown]
# Now let $S$ learn until it rests, and compare with COPI's rule, $\Delta R = -\mathrm{off}(C)\,R$ and $x = R y$.
#
# **Question.** Both rules stop where $\mathrm{off}(C) = 0$. Do they end with the same $x$?


# %%
def foldiak_path(y, eta, n_steps):
    S = np.zeros((y.shape[1], y.shape[1]))
    for _ in range(n_steps + 1):
        x = family.foldiak_decorrelate(S, y)
        yield second_moment(x)
        S = S + eta * family.foldiak_update(S, x)


def lateral_path(y, eta, n_steps, rule):
    for R in decorrelation_path(y, eta, n_steps, rule):
        yield second_moment(rules.decorrelate(R, y))


# %%
*_, by_foldiak = foldiak_path(five, 0.2, 1000)
*_, by_copi = lateral_path(
    five, 0.2, 1000, rules.decorrelation_update
)
for name, C in (("Foldiak", by_foldiak), ("COPI", by_copi)):
    print(f"{name:8} variances", np.diag(C).round(3))
    volume = np.linalg.slogdet(C).logabsdet
    print(f"{'':8} log det C {volume:.2f}")
    assert np.abs(off_diagonal(C)).max() < 1e-3
volume = np.linalg.slogdet(second_moment(five)).logabsdet
print(f"inputs:  log det {volume:.2f}")
assert np.linalg.slogdet(by_foldiak).logabsdet > volume

# %% [markdown]
# **Answer.** No. Both are decorrelated, with different variances. COPI keeps the determinant, up to the effect of
# finite steps (notebook 02). Foldiak's rule enlarges it: the diagonal of $I + S$ is 1, so Hadamard's inequality gives
# $\det(I + S) \le 1$, and $(I + S)^{-1}$ can only increase volumes. "Decorrelated" does not have a unique solution:
# how you get there decides where you end.
#
# ## 2. All the way to white
#
# COPI stops at decorrelated inputs, of any variance. Two later rules also make the variances equal. The first (Dalm
# and colleagues, 2024) mixes two aims, with a share $0 \le \kappa \le 1$. With $V = \mathrm{diag}(C)$,
#
# $$\Delta R = -A R, \qquad A = (1 - \kappa)\,\mathrm{off}(C) + \kappa\,(V - I) .$$


# %%
def kappa_loop(R, x, kappa):
    C, dR, n = second_moment(x), np.zeros_like(R), len(R)
    for i in range(n):
        for j in range(n):
            for k in range(n):
                if k != i:
                    A_ik = (1 - kappa) * C[i, k]
                    dR[i, j] -= A_ik * R[k, j]
            dR[i, j] -= kappa * (C[i, i] - 1) * R[i, j]
    return dR


# %%
R, x = rng.normal(size=(4, 4)), rng.normal(size=(7, 4))
C = second_moment(x)
V = np.diag(np.diag(C))
A = 0.9 * (C - V) + 0.1 * (V - np.eye(4))
assert np.allclose(kappa_loop(R, x, 0.1), -A @ R)
package = family.kappa_decorrelation_update(R, x, 0.1)
assert np.allclose(package, -A @ R)
print("loop, matrix and package agree")

# %% [markdown]
# $\kappa = 0$ is COPI's rule, and $\kappa = \tfrac12$ is half of the whitening rule of Exercise 02.1. $\kappa = 1$
# only makes the variances 1.
#
# The second rule knows only *one number* about the size of the activity, a gain $g$ for the whole layer:
#
# $$R \leftarrow g R - \eta\,(g R)\,C, \qquad g^2 = \frac{\langle \lVert y\rVert^2\rangle}{\langle \lVert
# x\rVert^2\rangle} .$$
#
# **Question.** Where do $\kappa = 0.1$ and $\kappa = 0.5$ rest: is $\kappa = 0.1$ closer to COPI's end? And can a
# rule that knows only one gain for all units make all their variances equal?

# %%
whiteners = {
    "COPI": rules.decorrelation_update,
    "kappa 0.1": partial(
        family.kappa_decorrelation_update, kappa=0.1
    ),
    "kappa 0.5": partial(
        family.kappa_decorrelation_update, kappa=0.5
    ),
    "gain": family.gain_controlled_update,
}
moments = {
    name: np.array([*lateral_path(five, 0.1, 1000, rule)])
    for name, rule in whiteners.items()
}

# %% tags=["hide-input"]
figure, panels = plt.subplots(
    1, 2, figsize=(10, 3.6), layout="constrained"
)
for (name, path), colour in zip(
    moments.items(), COLOURS, strict=False
):
    steps = 1 + np.arange(len(path))
    variances = path.diagonal(axis1=1, axis2=2)
    smallest, largest = (
        variances.min(axis=1),
        variances.max(axis=1),
    )
    panels[0].plot(steps, smallest, color=colour)
    panels[0].plot(steps, largest, color=colour, label=name)
    covariance = [
        np.abs(off_diagonal(C)).mean() for C in path
    ]
    panels[1].plot(
        steps, covariance, color=colour, label=name
    )
panels[0].set(title="largest and smallest variance")
panels[1].set(title="mean |covariance|", yscale="log")
panels[1].set(ylim=(1e-5, 1))
for axes in panels:
    axes.set(xlabel="1 + step", xscale="log")
panels[1].legend(frameon=False, loc="lower left")
plt.show()

# %%
for name, path in moments.items():
    variances = np.diag(path[-1])
    print(f"{name:10}", variances.round(3))
for name in ("kappa 0.1", "kappa 0.5"):
    assert np.allclose(
        moments[name][-1], np.eye(5), atol=1e-3
    )
C = moments["gain"][-1]
assert np.allclose(C, C[0, 0] * np.eye(5), atol=1e-3)

# %% [markdown]
# **Answer.** Both end at $C = I$. There is no way to rest elsewhere: all entries of $A$ must vanish, and whatever
# $\kappa$ between 0 and 1 is, this means $C = I$. $\kappa$ decides only how fast the variances follow. And one gain
# is enough: at rest $(g - 1)\,R = \eta\, g R\, C$, so $C$ is a multiple of the identity.
#
# ## 3. How fast?
#
# In notebook 02, near rest each covariance was multiplied by $1 - \eta\,(C_{ii} + C_{jj})$ at each step of COPI. The
# two *smallest* variances are slowest, while the two *largest* limit the step size. So inputs of very different size
# are hard. The **normalised** rule divides by the variances, as Eq. 2 of the paper does for $W$:
#
# $$\Delta R = -\mathrm{off}(C)\,V^{-1} R .$$

# %%
package = family.normalised_decorrelation_update(R, x, 0.0)
C = second_moment(x)
V = np.diag(np.diag(C))
by_matrices = -off_diagonal(C) @ np.linalg.inv(V) @ R
assert np.allclose(package, by_matrices)

# %% [markdown]
# Let us take six correlated inputs, each smaller than the one before, by factors down to a hundred. COPI, Foldiak and
# $\kappa$ take a step of $1/\lambda$, half of what is safe for COPI, where $\lambda$ is the largest eigenvalue of
# $C$; the normalised rule takes 0.1.
#
# **Question.** The Hadamard defect $H$ of notebook 02 does not depend on units: it is the same for inputs in metres
# and in feet. Which of the four rules bring it down fast? What do the others wait for?

# %%
rng = np.random.default_rng(0)
mixed = rng.normal(size=(100, 8)) @ rng.normal(size=(8, 6))
uneven = mixed * np.logspace(0, -2, 6)
eta = 1 / np.linalg.eigvalsh(second_moment(uneven))[-1]
normalised = partial(
    family.normalised_decorrelation_update, damping=0.0
)
kappa = whiteners["kappa 0.5"]
paths = {
    "Foldiak": foldiak_path(uneven, eta, 300),
    "COPI": lateral_path(
        uneven, eta, 300, whiteners["COPI"]
    ),
    "kappa 0.5": lateral_path(uneven, eta, 300, kappa),
    "normalised": lateral_path(
        uneven, 0.1, 300, normalised
    ),
}

# %%
defects = {
    name: np.array([hadamard_defect(C) for C in path])
    for name, path in paths.items()
}
for name, H in defects.items():
    print(
        f"{name:10} H = {H[0]:.2f} at the start,", end=" "
    )
    print(f"{H[100]:.2g} after 100 steps")
    fast = H[100] < 1e-6
    assert fast == (name in ("kappa 0.5", "normalised"))

# %% tags=["hide-input"]
figure, axes = plt.subplots(
    figsize=(7, 3.6), layout="constrained"
)
for (name, H), colour in zip(
    defects.items(), COLOURS, strict=False
):
    axes.semilogy(
        np.maximum(H[:101], 1e-10),
        color=colour,
        label=name,
    )
axes.set(xlabel="step", ylabel="Hadamard defect $H$")
axes.set_title("two rules wait for the small inputs")
label_ends(axes)

# %% [markdown]
# **Answer.** The normalised rule, and $\kappa$. The normalised rule multiplies *every* covariance by $1 - 2\eta$ near
# rest, whatever the units ([Theorem 14](../docs/theory.md#14-normalised-decorrelation)). The $\kappa$ rule raises the
# small variances to 1 first, and then has no small inputs any more. COPI and Foldiak soon finish with the large
# inputs, and then wait for the small ones: their curves are the same to the eye.
#
# ## 4. What does a rule need to know?
#
# In notebook 08, we asked what a synapse needs to know. The same test for the family: change the weights of unit 0,
# and keep all activities. If the update of *another* unit changes, that unit would have to know weights that are not
# its own.
#
# **Question.** The six functions below compute the update of weights `R` from activities `x`. (Foldiak's update does
# not use weights at all.) In which of them does the update of other units change?

# %%
y = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4))
R, x = rng.normal(size=(4, 4)), rng.normal(size=(50, 4))
candidates = {
    "Foldiak": lambda R: family.foldiak_update(R, x),
    "COPI, local": lambda R: (
        rules.local_decorrelation_update(R, x)
    ),
    "COPI, matrix": lambda R: rules.decorrelation_update(
        R, x
    ),
    "kappa": lambda R: family.kappa_decorrelation_update(
        R, x
    ),
    "gain": lambda R: family.gain_controlled_update(
        R, x, y, 0.1
    ),
    "normalised": lambda R: normalised(R, x),
}

# %%
changed = R + np.eye(4)[:, :1] * rng.normal(size=(1, 4))
needs = {}
for name, update in candidates.items():
    change = np.abs(update(changed) - update(R)) > 1e-12
    needs[name] = bool(change[1:].any())
    print(f"{name:13} weights of others: {needs[name]}")
assert not needs["Foldiak"]
assert not needs["COPI, local"]
assert not needs["gain"]
assert needs["COPI, matrix"]
assert needs["kappa"]
assert needs["normalised"]

# %% [markdown]
# **Answer.** In COPI's matrix form, the $\kappa$ rule and the normalised rule, which all multiply $R$ from the left.
# Foldiak's synapse needs its two activities only. But its $x$ has to settle at every sample, or you have to solve an
# equation. The table sums up what you have measured. $q = R x$ is what the units answer when $x$ passes through $R$ a
# second time, as in notebook 02.
#
# | rule | update | needs, besides $x_i$ and $x_j$ | rests where | per step, near rest |
# |---|---|---|---|---|
# | Foldiak | $\Delta S = \mathrm{off}(C)$ | units that settle | $\mathrm{off}(C) = 0$ | $1 - \eta\,(C_{ii} + C_{jj})$ |
# | COPI, local | $-R\,\mathrm{off}(C)$ | $q_i$, own weight | $\mathrm{off}(C) = 0$ | $1 - \eta\,(C_{ii} + C_{jj})$ |
# | COPI, matrix | $-\mathrm{off}(C)\,R$ | others' weights | $\mathrm{off}(C) = 0$ | $1 - \eta\,(C_{ii} + C_{jj})$ |
# | kappa | $-A R$ | others' weights | $C = I$ | $1 - 2\,(1 - \kappa)\,\eta$ |
# | gain | $(g - 1)\,R / \eta - g R\,C$ | $q_i$, one gain | $C = c I$ | |
# | normalised | $-\mathrm{off}(C)\,V^{-1} R$ | others' weights, variances | $\mathrm{off}(C) = 0$ | $1 - 2\eta$ |
#
# The last column is the factor of a covariance. For $\kappa$, all variances are 1 near rest. Does Foldiak's rule
# really have the same factor as COPI's? Test it as in notebook 02, with tiny covariances:

# %%
V, eta = np.diag([2.0, 1.0, 0.5]), 0.3
sigma = V + 1e-6 * (1 - np.eye(3))
# three samples with these second moments
y = np.sqrt(3) * np.linalg.cholesky(sigma).T
_, C = foldiak_path(y, eta, 1)
factors = C[[0, 0, 1], [1, 2, 2]] / 1e-6
print(factors.round(3))
sums = np.array([3, 2.5, 1.5])  # C_ii + C_jj
assert np.allclose(factors, 1 - eta * sums, atol=1e-4)

# %% [markdown]
# ## 5. Every lateral rule has a partner
#
# While $R$ learns, the layer's output $W R\,y$ changes too, even if no error says so. In notebook 05 you saw that
# COPI's forward rule cancels this. Does it cancel for the relatives as well? Write any of them as $\Delta R = -A R$.
# Then
#
# $$\Delta(W R) = \Delta W\, R + W\,\Delta R = (\Delta W - W A)\,R ,$$
#
# to first order in $\eta$. So the partner of any lateral rule is
#
# $$\boxed{\Delta W = \langle \delta x^\top\rangle + W A}, \qquad\text{and then}\qquad
# \Delta(W R) = \langle \delta x^\top\rangle R = \langle\delta y^\top\rangle R^\top R .$$
#
# With $A = \mathrm{off}(C)$ this is COPI, Eq. 3. The package has the partners of $\kappa$ and of the normalised rule.
#
# **Question.** Let the error be zero, $\delta = 0$. We combine COPI's forward rule with COPI's $R$, with the normalised
# $R$, and with the $\kappa$ rule's $R$. In which pairs does the output of the layer stay the same, to first order?


# %%
def motion(lateral, forward, eta):
    """Return how far W R moves without an error."""
    rng = np.random.default_rng(0)
    W, R = rng.normal(size=(3, 4)), rng.normal(size=(4, 4))
    x = rng.normal(size=(9, 4)) @ R.T
    a = rules.transform(W, x)
    new_W = W + eta * forward(W, x, a)
    new_R = R + eta * lateral(R, x)
    return np.linalg.norm(new_W @ new_R - W @ R) / eta


def kappa_partner(W, x, a):
    return family.kappa_update(W, x, a, 0 * a)


# %%
pairs = {
    "COPI + COPI": (
        rules.decorrelation_update,
        rules.copi_update,
    ),
    "normalised + COPI": (
        family.normalised_decorrelation_update,
        rules.copi_update,
    ),
    "kappa + COPI": (kappa, rules.copi_update),
    "kappa + partner": (kappa, kappa_partner),
    "normalised + partner": (
        family.normalised_decorrelation_update,
        family.normalised_update,
    ),
}
for name, pair in pairs.items():
    moved = [motion(*pair, eta) for eta in (1e-2, 1e-3)]
    cancels = moved[1] < 0.2 * moved[0]
    print(f"{name:21} {moved[0]:.2g} -> {moved[1]:.2g}")
    mixed = name in ("normalised + COPI", "kappa + COPI")
    assert cancels != mixed

# %% [markdown]
# **Answer.** Only in pairs that belong together. The printed numbers are the motion divided by $\eta$, for $\eta =
# 0.01$ and $0.001$. If it falls to a tenth, the motion is of second order. If it stays, then $R$ disturbs at every
# step what the layer has learned. A new lateral rule needs a new forward rule.
#
# ## 6. COPI as a natural gradient
#
# Gradient descent on $M = W R$ takes the step $G_y = \langle\delta y^\top\rangle$. It is slow along directions in
# which the inputs vary little. A **natural** step divides by the second moments of the inputs,
#
# $$\Delta M = G_y\,\Sigma^{-1}, \qquad \Sigma = \langle y y^\top\rangle ,$$
#
# so that it does not matter in which units, or along which axes, the inputs are measured. (This is the input half of
# the natural gradient of a layer, known as FOOF.) It needs the inverse of a large matrix. But look at what $R$ has
# learned when it rests: $C = R\,\Sigma R^\top = V$. Solve for $\Sigma$, and invert:
#
# $$\Sigma^{-1} = R^\top V^{-1} R .$$

# %%
*_, R = decorrelation_path(five, 0.2, 1000)
sigma = second_moment(five)
V = np.diag(np.diag(R @ sigma @ R.T))
inverse = R.T @ np.linalg.inv(V) @ R
assert np.allclose(inverse, np.linalg.inv(sigma), rtol=1e-3)
print("R has learned the inverse of sigma")

# %% [markdown]
# Compare with Section 5. COPI moves $M$ by $G_y\,R^\top R$, which is the natural step *without* $V^{-1}$. The
# normalised pair moves it by $G_y\,R^\top V^{-1} R$, which is *the* natural step: no inverse was computed ([Theorem
# 15](../docs/theory.md#15-copi-as-a-natural-gradient)).
#
# Does this hold while a network learns? We take digits, average blocks of pixels until there are 7 rows or so, and
# let a network with 50 hidden units learn by each method. In all of them, $R$ learns alone at first.

# %%
DATA = "mnist-5k"  # or "digits-8x8"

data = load_dataset(DATA)
n_digits = len(data.train.labels)
rows, columns = data.image_shape
blocks = Pooling((1, rows, columns), max(1, rows // 7))
inputs, test = (
    blocks.mean(as_float(split.inputs, "float64"))
    for split in (data.train, data.test)
)
targets = one_hot(
    data.train.labels, data.n_classes, "float64"
)
n_pixels = inputs.shape[1]
print(n_digits, "digits of", n_pixels, "pixels")

# %%
METHODS = {  # rule of W, rule of R
    "SGD": ("sgd", None),
    "SGD + R": ("sgd", "matrix"),
    "COPI": ("copi", "matrix"),
    "normalised": ("normalised", "normalised"),
    "FOOF": ("foof", None),
}


def digits_network(rule, lateral, seed=0, width=n_pixels):
    return Network(
        [width, 50, data.n_classes],
        rng=np.random.default_rng(seed),
        rule=rule,
        decorrelation=lateral,
        dtype="float64",
    )


# %% [markdown]
# FOOF computes the natural step explicitly, with a running mean of $\Sigma$ and an inverse at every tenth batch.
#
# **Question.** At every 20th step, we compare the motion of $M$ in the first layer with the natural step, by the
# cosine of the two matrices. Put the five methods in order. Where is SGD on decorrelated inputs?


# %%
def natural_cosine(network, batch, eta, delta_scale):
    """Take a step; return its cosine with natural."""
    layer = network.layers[0]
    M, trace = layer.W @ layer.R, network.forward(batch[0])
    delta = network.error_signals(trace, batch[1])[0]
    network.step(*batch, eta_W=eta, delta_scale=delta_scale)
    step = layer.W @ layer.R - M
    natural = family.natural_update(
        batch[0], delta, second_moment(inputs)
    )
    lengths = np.linalg.norm(step), np.linalg.norm(natural)
    return np.sum(step * natural) / np.prod(lengths)


# %%
ALONE, ETA = 100, 0.02
STEPS = 400  # fast: 200
cosines = {}
for name, (rule, lateral) in METHODS.items():
    network = digits_network(rule, lateral)
    rng, cosines[name] = np.random.default_rng(1), []
    for step in range(ALONE + STEPS):
        rows = rng.integers(n_digits, size=50)
        batch = inputs[rows], targets[rows]
        if step < ALONE:
            network.step(*batch, eta_W=0.0, eta_R=ETA)
        elif step % 20:
            network.step(*batch, eta_W=ETA)
        else:
            cosine = natural_cosine(network, batch, ETA, 1)
            cosines[name].append(cosine)

# %% tags=["hide-input"]
figure, axes = plt.subplots(
    figsize=(7, 3.8), layout="constrained"
)
for (name, values), colour in zip(
    cosines.items(), COLOURS, strict=False
):
    axes.plot(
        20 * np.arange(len(values)),
        values,
        color=colour,
        label=name,
    )
axes.set(xlabel="step in which all learn", ylim=(0, 1))
axes.set(ylabel="cosine with the natural step")
axes.set_title("how natural is each step?")
label_ends(axes)

# %%
mean = {name: np.mean(c) for name, c in cosines.items()}
for name in mean:
    print(f"{name:10} mean cosine {mean[name]:.2f}")
assert sorted(mean, key=mean.get) == list(mean)

# %% [markdown]
# **Answer.** FOOF is nearest, since it computes what we compare with. The normalised pair follows, then COPI. SGD is
# behind, also on decorrelated inputs: $R$ preconditions its step, but nothing cancels the motion of $R$ (Section 5),
# and this motion is added to every step.


# %% [markdown]
# ## 7. Why that is not the whole story
#
# A natural step learns fast. Does the network then know more about *new* digits? To see a difference between training
# and test, we train on 300 digits only, for 20 epochs, after one in which $R$ learns alone. Each method gets three
# rates (factors of its error signals). We keep the one that is best on 400 other training digits, and only then look
# at the test digits.

# %%
EPOCHS = 20  # fast: 15
SEEDS = 2  # fast: 1
images = {
    "learned": inputs[:300],
    "held out": inputs[300:700],
    "test": test,
}
labels = {
    "learned": data.train.labels[:300],
    "held out": data.train.labels[300:700],
    "test": data.test.labels,
}


# %%
def train(rule, lateral, rate, seed, images):
    """Return a network that has learned 300 digits."""
    rng, y = np.random.default_rng(seed), images["learned"]
    network = digits_network(
        rule, lateral, seed, y.shape[1]
    )
    for epoch in range(EPOCHS + 1):
        eta_W = ETA if epoch else 0.0
        for rows in np.split(rng.permutation(300), 6):
            batch = y[rows], targets[rows]
            network.step(
                *batch,
                eta_W=eta_W,
                eta_R=ETA,
                delta_scale=rate / ETA,
            )
    return network


# %%
def percent_right(network, images):
    found = {}
    for kind, y0 in images.items():
        guess = network.forward(y0).y[-1].argmax(axis=1)
        found[kind] = 100 * np.mean(guess == labels[kind])
    return found


def accuracies(rule, lateral, rate, images=images):
    """Return the mean over seeds, in %, by kind."""
    try:
        found = [
            percent_right(
                train(rule, lateral, rate, seed, images),
                images,
            )
            for seed in range(SEEDS)
        ]
    except DivergenceError:
        return dict.fromkeys(labels, 0.0)
    return {
        kind: np.mean([each[kind] for each in found])
        for kind in labels
    }


# %%


def at_best_rate(rule, lateral, rates, images=images):
    tried = {
        rate: accuracies(rule, lateral, rate, images)
        for rate in rates
    }
    best = max(tried, key=lambda r: tried[r]["held out"])
    return {"rate": best} | tried[best]


# %% [markdown]
# The normalised rules divide by $V + 0.01$ in the package, not by $V$. This **damping** protects inputs that are
# nearly always 0. We vary it.
#
# **Question.** Five methods: SGD, COPI, and the normalised pair with a damping of $0.1$, $0.001$ and $0.00001$, where
# it is closest to the natural step. Which learns the 300 digits best? Which will be best on test digits?


# %%
def damped(damping):
    """Return the rules of the normalised pair."""
    return (
        partial(family.normalised_update, damping=damping),
        partial(
            family.normalised_decorrelation_update,
            damping=damping,
        ),
    )


results = {
    "SGD": at_best_rate("sgd", None, (0.1, 0.3, 1.0)),
    "COPI": at_best_rate("copi", "matrix", (0.1, 0.3, 1.0)),
}
for damping in (1e-1, 1e-3, 1e-5):
    rates = (0.1, 0.03, 0.01)
    name = f"damping {damping:g}"
    results[name] = at_best_rate(*damped(damping), rates)

# %%
for name, found in results.items():
    print(f"{name:14} rate {found['rate']:<5}", end=" ")
    for kind in labels:
        print(f"{kind} {found[kind]:.1f} %", end="  ")
    print()
assert results["damping 1e-05"]["learned"] > 95
lost = results["COPI"]["test"]
lost -= results["damping 1e-05"]["test"]
assert lost > 0.5

# %% [markdown]
# **Answer.** (With mnist-5k.) The methods learn the 300 digits about equally well, to between 95 and 99.7 %. On test
# digits COPI has 83.2 %, SGD 82.5 %, and the normalised pair 82.9, 81.6 and 79.6 %: the smaller the damping, and the
# more natural the step, the worse. So here the natural step learns fast, and generalises worse. With damping 0.1 it
# is level with COPI. These are two seeds on one small task, so do not rely on differences below a point.
#
# Why? Look at what the layers have learned, along the principal directions of the inputs: the size of $M v$, for
# every eigenvector $v$ of $\Sigma$.

# %%
eigenvalues, directions = np.linalg.eigh(
    second_moment(inputs)
)
lengths = {}
for name, rules_of in {
    "COPI": ("copi", "matrix"),
    "damping 0.1": damped(1e-1),
    "damping 1e-05": damped(1e-5),
}.items():
    rate = results[name]["rate"]
    network = train(*rules_of, rate, 0, images)
    M = network.layers[0].folded()  # W R
    lengths[name] = np.linalg.norm(M @ directions, axis=0)

# %% tags=["hide-input"]
figure, axes = plt.subplots(
    figsize=(7, 3.8), layout="constrained"
)
live = eigenvalues > 1e-9
for (name, values), colour in zip(
    lengths.items(), COLOURS, strict=False
):
    axes.semilogx(
        eigenvalues[live],
        values[live],
        "o-",
        ms=4,
        color=colour,
        label=name,
    )
axes.set(xlabel="variance of the inputs along $v$")
axes.set(ylabel="length of $M v$")
axes.set_title("a natural step amplifies weak directions")
label_ends(axes)

# %%
weak = (eigenvalues > 1e-9) & (eigenvalues < 1e-3)
for name, values in lengths.items():
    print(f"{name:14}", end=" ")
    print(
        f"weak directions {values[weak].mean():.1f},",
        end=" ",
    )
    print(f"strongest {values[-1]:.1f}")
assert (
    lengths["damping 1e-05"][weak].mean()
    > 3 * lengths["COPI"][weak].mean()
)

# %% [markdown]
# The natural step divides by the variance. So it gives large weights to directions in which 300 digits hardly vary,
# and what it finds there may be noise. Is *this* the cause of the worse test accuracy?
#
# **Question.** How would you test it? If it is the cause, what should happen to the two methods?

# %%
strong = directions[:, -12:]
projected = {kind: y @ strong for kind, y in images.items()}
by_strong = {
    "COPI": at_best_rate(
        "copi", "matrix", (0.1, 0.3, 1.0), projected
    ),
    "damping 1e-05": at_best_rate(
        *damped(1e-5), (0.1, 0.03, 0.01), projected
    ),
}
for name, found in by_strong.items():
    print(f"{name:14} test, all directions", end=" ")
    print(f"{results[name]['test']:.1f} %,", end=" ")
    print(f"12 strongest {found['test']:.1f} %")

# %%
gain = {
    name: found["test"] - results[name]["test"]
    for name, found in by_strong.items()
}
assert gain["damping 1e-05"] > 1 + gain["COPI"]

# %% [markdown]
# **Answer.** Take the weak directions away, from training and test: keep the 12 strongest principal directions. If
# they are the cause, the natural rule should lose nothing, or gain, while COPI has nothing to gain. That is what
# happens. The natural rule gets *better* by being told less. COPI gets worse: it did use the weak directions, but in
# proportion to what they carry.
#
# So COPI is not a poor copy of the natural gradient. It leaves out $V^{-1}$, and with it the noise of weak inputs.
# What you measured is one small task. Other data, larger training sets or another damping may turn the order around.
#
# ## 8. Break it: without damping
#
# Damping spoils a beautiful formula. What if we leave it out? Digits have pixels that are never inked.
#
# **Question.** The first batch kills the network, and the message blames the step size. Would a step of $10^{-9}$
# help?

# %%
undamped = damped(0.0)
for eta in (ETA, 1e-9):
    network = digits_network(*undamped)
    batch = inputs[:50], targets[:50]
    try:
        with np.errstate(divide="ignore"):
            network.step(*batch, eta_W=eta)
            network.step(*batch, eta_W=eta)
    except DivergenceError as error:
        print(error)
    R = network.layers[0].R
    print(
        f"eta {eta}: {np.isnan(R).mean():.0%} of R is NaN"
    )
    assert np.isnan(R).any()

# %%
silent = np.flatnonzero(np.all(inputs[:50] == 0, axis=0))
ever = np.flatnonzero(np.all(inputs == 0, axis=0))
print("silent in this batch:", len(silent), "of", n_pixels)
print("silent in all digits:", len(ever))
assert len(silent) > len(ever) > 0

# %% [markdown]
# **Answer.** No. A step size cannot repair $0/0$: a pixel that is silent in the whole batch has variance 0. The
# diagnosis is one line: count such inputs. And it would not be enough to remove pixels that are *always* silent,
# since more are silent in a single batch. COPI does not divide by anything, so it needs no such care.
#
# ## Exercises
#
# Replace the `...`, run the cell, and read what `check` says.
#
# ### Exercise 11.1 · The partner of whitening
#
# Lateral weights learn by the whitening rule of Exercise 02.1, $\Delta R = -(C - I)\,R$. Write the forward rule that
# goes with it. `W` is `(O, I)`, `x` is `(B, I)`, `delta` is `(B, O)`.


# %%
def partner(W, x, delta):
    return ...  # your code


check("11.1", partner)

# %% [markdown]
# ### Exercise 11.2 · Other units
#
# All inputs of a layer become ten times as large, $y \to 10\,y$. How must you change $\eta_R$, so that $R$ takes
# exactly the same path as before?
#
# - **a** COPI: a tenth. Normalised rule: as before.
# - **b** COPI: a hundredth. Normalised rule: as before.
# - **c** Both: a hundredth.
# - **d** COPI: as before. Normalised rule: a hundred times as large.
#
# Predict, and then compare two calls of `decorrelation_path`. (Set the damping to 0.)

# %%
answer = ...  # a letter, such as "a"

check("11.2", answer)

# %% [markdown]
# ### Exercise 11.3 · Where the gain rests
#
# Three inputs have the second moments below. They are decorrelated by the gain-controlled rule with $\eta_R = 0.3$,
# until nothing changes. What is the variance of all three? Find it by experiment, to within 0.005. Then explain why
# it is not their mean variance from the start, $\mathrm{tr}\,\Sigma / 3$.

# %%
sigma = np.array(
    [[2.0, 0.6, 0.3], [0.6, 1.0, 0.2], [0.3, 0.2, 0.5]]
)
# three samples with these second moments
three = np.sqrt(3) * np.linalg.cholesky(sigma).T
variance = ...  # your answer

check("11.3", variance)

# %% [markdown]
# Solutions: [solutions/11_one_family.ipynb](solutions/11_one_family.ipynb).
#
# ## What you have seen
#
# - Foldiak's inhibition, COPI and the normalised rule rest where inputs are decorrelated; kappa where they are white;
#   the gain-controlled rule where all variances are equal ([Theorem
#   13](../docs/theory.md#13-between-decorrelating-and-whitening)).
# - Every lateral rule $-A R$ has a partner, $\langle\delta x^\top\rangle + W A$. Without it, decorrelating disturbs
#   what the layer computes ([Theorem 14](../docs/theory.md#14-normalised-decorrelation)).
# - At rest $R^\top V^{-1} R = \Sigma^{-1}$. So the normalised pair takes natural steps, and COPI takes them without
#   $V^{-1}$ ([Theorem 15](../docs/theory.md#15-copi-as-a-natural-gradient), tested in
#   `tests/mathematics/theorems/test_15_natural_gradient.py`).
# - On 300 digits, more natural steps generalised worse: they amplify directions in which the inputs hardly vary.
#
# **Next:** [12 · Learning without a backward pass](12_without_a_backward_pass.ipynb) replaces backpropagation by
# noise, and asks what decorrelation does for it.
