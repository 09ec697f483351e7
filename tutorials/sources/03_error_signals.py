# %% [markdown]
# # 03 · Error signals
#
# COPI changes the weights of a layer so that its state moves towards a target
# $z = a + \delta$. This notebook is about the second term, $\delta$: how does a hidden
# unit know which way to move?
#
# **What you will be able to do**
#
# - derive the error signal of backpropagation, through $W$ *and* $R$, and check it with
#   finite differences;
# - explain what feedback alignment, direct feedback alignment and target propagation
#   send instead, and implement them;
# - say why moving the states along any signal within 90° of backpropagation's lowers
#   the loss, and why this angle falls during training even if the feedback never
#   changes;
# - find a bug in a backward pass that the accuracy does not reveal.
#
# **Time:** 50 minutes to read and run, 30 minutes for the exercises.
#
# **Before this:** notebooks 01 and 02; the chain rule; the angle between two vectors.
#
# **In the paper:** Section 2.5 (error signals); Algorithm 1, lines 9 to 12; Figure 1.

# %%
import numpy as np

import copi_np.error_signals as signals
from copi_np import Callback, DivergenceError, Network
from copi_np import Schedule, fit, load_dataset
from copi_np.analysis import (
    alignment_angle,
    alignment_angles,
)
from copi_np.course import check
from copi_np.datasets import as_float, one_hot

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from copi_np.plotting import COLOURS, STYLE, label_ends

plt.rcParams.update(STYLE)

# %% [markdown]
# ## 1. The output layer has a target
#
# The rule of notebook 01, $\Delta W = \langle z x^\top\rangle - W\,\mathrm{diag}\langle
# x^2\rangle$, needs a target state $z = a + \delta$ for *every* layer. The data give a
# target $y^*$ for the last layer only. Finding $\delta$ for the other layers is called
# **credit assignment**. The paper's gold standard (Section 2.5) is the direction in
# which the loss of the sample falls fastest:
#
# $$\delta_l = -\frac{d\ell}{d a_l}.$$
#
# We use a network small enough for explicit loops: three layers of leaky ReLU units, a
# batch of eight correlated samples, in float64. First, its lateral weights $R$ learn
# for 200 steps, so that they are not the identity. The paper counts layers from 1, the
# code from 0: `W[0]` belongs to the first layer.

# %%
rng = np.random.default_rng(0)
net = Network([5, 4, 4, 3], rng=rng, dtype="float64")
y0 = rng.normal(size=(8, 5)) @ rng.normal(size=(5, 5))
targets = np.eye(3)[rng.integers(0, 3, 8)]  # one-hot
for _ in range(200):  # R learns alone
    net.step(y0, targets, eta_W=0.0, eta_R=0.02)

trace = net.forward(y0)
W = [layer.W for layer in net.layers]
R = [layer.R for layer in net.layers]
a, y = trace.a, trace.y

# %% [markdown]
# `trace` holds the states of every layer for the batch: pre-activations $a$ and outputs
# $y = f(a)$.
#
# The loss of a sample is $\ell = \lVert y_L - y^*\rVert^2$, where $f$ acts on each unit
# separately, $y_L = f(a_L)$. The chain rule gives two factors:
#
# $$\delta_L = -f'(a_L) \circ \frac{\partial \ell}{\partial y_L}, \qquad
# \frac{\partial \ell}{\partial y_L} = 2\,(y_L - y^*).$$
#
# **Question.** A unit's output is larger than its target. What is the sign of
# $\delta_L$?


# %%
def f(a):
    return np.where(a > 0, a, 0.1 * a)  # leaky ReLU


def df(a):
    return np.where(a > 0, 1.0, 0.1)  # its slope


delta_L = np.zeros((8, 3))
for n in range(8):  # samples
    for i in range(3):  # outputs
        dloss_dy = 2 * (y[2][n, i] - targets[n, i])
        delta_L[n, i] = -df(a[2][n, i]) * dloss_dy

# %% [markdown]
# In matrix form this is one line, since every unit depends only on itself. The library
# calls it `output_signal`.

# %%
in_matrix_form = -df(a[2]) * 2 * (y[2] - targets)
leaky_relu = net.layers[2].activation
delta_out = signals.output_signal(
    net.loss, leaky_relu, a[2], y[2], targets
)
assert np.allclose(delta_L, in_matrix_form)
assert np.allclose(delta_L, delta_out)
assert np.all(np.sign(delta_L) == np.sign(targets - y[2]))
print("output ", y[2][1].round(2))
print("target ", targets[1])
print("delta_L", delta_L[1].round(2))

# %% [markdown]
# **Answer.** Negative: the signal points from the output to the target, in every unit
# of every sample. Where $a < 0$ it is ten times smaller, since a change in $a$ then
# changes the output only a tenth as much.
#
# Note that there is *no* $1/B$. The signal belongs to a single sample. The mean over
# the batch is taken later, in $\langle z x^\top\rangle$.

# %% [markdown]
# ## 2. A check that needs no derivation
#
# A derivative is a limit of differences. So nudge one pre-activation by $\pm 10^{-6}$,
# run the rest of the forward pass again, and see how the loss changes:
#
# $$\delta \approx -\frac{\ell(a + \epsilon) - \ell(a - \epsilon)}{2\epsilon}.$$
#
# This is slow: it takes two forward passes per unit. But it uses nothing that we have
# derived, so it is an independent check.


# %%
def loss_from(k, a_k):
    """Return each sample's loss if layer k had a_k."""
    y_k = f(a_k)
    for above in net.layers[k + 1 :]:
        y_k = f(y_k @ above.R.T @ above.W.T)
    return np.sum((y_k - targets) ** 2, axis=1)


# %%
def by_finite_differences(k, step=1e-6):
    """Return minus the slope of the loss in every a_k."""
    delta = np.zeros_like(a[k])
    for unit in range(a[k].shape[1]):
        nudge = np.zeros_like(a[k])
        nudge[:, unit] = step
        above = loss_from(k, a[k] + nudge)
        below = loss_from(k, a[k] - nudge)
        delta[:, unit] = -(above - below) / (2 * step)
    return delta


error = np.abs(by_finite_differences(2) - delta_L).max()
print(f"largest difference: {error:.1e}")
assert error < 1e-6

# %% [markdown]
# The output signal is correct. Now for the layers without a target.

# %% [markdown]
# ## 3. Backpropagation, through $R$ too
#
# There are three maps between $a_l$ and $a_{l+1}$:
#
# $$a_l \;\xrightarrow{\;f\;}\; y_l \;\xrightarrow{\;R_{l+1}\;}\; x_{l+1}
# \;\xrightarrow{\;W_{l+1}\;}\; a_{l+1}, \qquad
# a_{l+1,i} = \sum_j W_{ij} \sum_m R_{jm}\, f(a_{l,m}).$$
#
# Unit $m$ of layer $l$ reaches unit $i$ of the layer above along every path
# $m \to j \to i$. The chain rule multiplies along each path and sums over the paths:
#
# $$\delta_{l,m} = f'(a_{l,m}) \sum_j R_{jm} \sum_i W_{ij}\,\delta_{l+1,i}.$$
#
# **Question.** In the forward pass, we sum over the second index of $W$. Over which
# index do we sum on the way back? What does that do to the matrix?

# %%
delta_1 = np.zeros((8, 4))  # from layer 2, the output layer
for n in range(8):
    for m in range(4):
        for j in range(4):
            for i in range(3):
                path = R[2][j, m] * W[2][i, j]
                delta_1[n, m] += path * delta_L[n, i]
        delta_1[n, m] *= df(a[1][n, m])

# %% [markdown]
# **Answer.** Over the first index, the rows. So on the way back, both matrices are
# transposed. The paper writes
#
# $$\delta_l^{\mathrm{bp}} = \mathrm{diag}(f'(a_l))\, R_{l+1}^\top W_{l+1}^\top\,
# \delta_{l+1}^{\mathrm{bp}} = f'(a_l) \circ (W_{l+1} R_{l+1})^\top \delta_{l+1}.$$
#
# Our samples are rows. So the paper's product $M^\top \delta$ becomes `delta @ M`, and
# the transposes disappear from the code (but only from the code!).

# %%
in_matrix_form = df(a[1]) * (delta_L @ W[2] @ R[2])
assert np.allclose(in_matrix_form, delta_1)
# and again, one layer down
delta_0 = df(a[0]) * (delta_1 @ W[1] @ R[1])

no_feedback = [None, None, None]  # it needs none
exact = signals.backpropagation(
    net.layers, trace, no_feedback, delta_out
)
for k, delta in enumerate((delta_0, delta_1, delta_L)):
    assert np.allclose(delta, exact[k])
    found = by_finite_differences(k)
    assert np.allclose(found, exact[k], atol=1e-6)
print("all agree, in all layers")

# %% [markdown]
# This is true for any weights, symmetric or not:
# [Theorem 7](../docs/theory.md#7-backpropagation-is-the-negative-gradient).
#
# All the functions in `copi_np.error_signals` take the same four arguments (`layers`,
# `trace`, `feedback`, `delta_L`) and return one signal per layer. So you can swap one
# for another.

# %% [markdown]
# ## 4. Almost right is good enough
#
# Must a signal be the exact gradient? Move the pre-activations a small step
# $\epsilon$ along some signal $\delta$. To first order, the loss changes by
#
# $$\ell(a + \epsilon \delta) - \ell(a) \approx
# \epsilon\, \delta \cdot \frac{d\ell}{da} = -\epsilon\, \delta \cdot \delta^{\mathrm{bp}}
# = -\epsilon\, \lVert\delta\rVert\,\lVert\delta^{\mathrm{bp}}\rVert \cos\theta,$$
#
# where $\theta$ is the angle between $\delta$ and the signal of backpropagation.
#
# **Question.** For which angles does the loss fall? How much slower does it fall at 60°
# than at 0°?
#
# We construct signals at a given angle in layer 0: one component along
# $\delta^{\mathrm{bp}}$, and one perpendicular to it. For the angle, the whole batch
# counts as one long vector; `alignment_angle` measures it.

# %%
along = exact[0] / np.linalg.norm(exact[0])
across = rng.normal(size=along.shape)
across -= np.sum(across * along) * along
across /= np.linalg.norm(across)

steps, losses = np.linspace(0, 1.5, 61), {}
for angle in (0, 60, 90, 120):
    theta = np.radians(angle)
    signal = np.cos(theta) * along + np.sin(theta) * across
    measured = alignment_angle(signal, exact[0])
    assert np.isclose(measured, angle, atol=1e-3)
    moved = (a[0] + step * signal for step in steps)
    losses[angle] = [
        loss_from(0, a_0).mean() for a_0 in moved
    ]
    falls = losses[angle][1] < losses[angle][0]
    assert falls == (angle < 90)

# %% tags=["hide-input"]
figure, axes = plt.subplots(
    figsize=(7, 3.6), layout="constrained"
)
for (angle, values), colour in zip(
    losses.items(), COLOURS, strict=False
):
    axes.plot(
        steps, values, color=colour, label=f"{angle}°"
    )
axes.set(xlabel="step along the signal")
axes.set(ylabel="mean loss of the batch")
axes.set_title("below 90°, the loss falls")
label_ends(axes)

# %% [markdown]
# **Answer.** Below 90°, where the cosine is positive. At 60° the initial slope is half
# of that at 0°, since $\cos 60° = 1/2$. At 90° it is zero. At 120° the loss rises
# immediately.
#
# So a signal that is 60° off is still useful: the loss falls half as fast. This is part
# of [Theorem 11](../docs/theory.md#11-the-other-error-signals). The theorem comes with
# a caution: we moved the *states*. A step of the *weights* affects all samples at once,
# and it need not lower the loss even if each sample's signal would.

# %% [markdown]
# ## 5. Four ways to send errors down
#
# Backpropagation asks a lot of a nervous system: the signal has to travel down through
# the transposes of the same weights that carried the activity up. A synapse conducts in
# one direction, and does not know the weight of any other synapse. This is the *weight
# transport problem*. Each alternative in Section 2.5 of the paper replaces this way
# down. The grey arrows carry activity up; the coloured ones carry something down.


# %% tags=["hide-input"]
def draw(axes, title, colour, arrows):
    """Draw layers as boxes, and labelled arrows."""
    box = {
        "boxstyle": "round",
        "facecolor": "white",
        "edgecolor": "gray",
    }
    for height, name in enumerate(
        ["layer 1", "layer 2", "output"]
    ):
        axes.text(
            0,
            height,
            name,
            ha="center",
            va="center",
            bbox=box,
            zorder=3,
        )
    up, down = (
        {"arrowstyle": "-|>", "color": c, "lw": 2}
        for c in ("#bbbbbb", colour)
    )
    axes.annotate(
        "", (0, 1.8), (0, -0.6), arrowprops=up, zorder=1
    )
    for (high, low, x), label in arrows.items():
        axes.annotate(
            "", (x, low), (x, high), arrowprops=down
        )
        axes.text(
            x + 0.06,
            (high + low) / 2,
            label,
            color=colour,
            va="center",
        )
    axes.set(
        title=title, xlim=(-0.5, 1.9), ylim=(-0.7, 2.4)
    )
    axes.axis("off")


low, high, direct = (
    (0.9, 0.1, 0.6),
    (1.9, 1.1, 0.6),
    (1.9, 0.1, 1.2),
)
panels = {  # F_2 leads from layer 2 into layer 1
    "backpropagation": {
        high: r"$(W_3 R_3)^\top$",
        low: r"$(W_2 R_2)^\top$",
    },
    "feedback alignment": {high: "$F_3$", low: "$F_2$"},
    "direct feedback": {high: "$F_3$", direct: "$F_2$"},
    "target propagation": {
        high: "$f(F_3 t_3)$",
        low: "$f(F_2 t_2)$",
    },
}
figure, row = plt.subplots(
    1, 4, figsize=(11, 3.2), layout="constrained"
)
for axes, colour, title in zip(
    row, COLOURS, panels, strict=False
):
    draw(axes, title, colour, panels[title])

# %% [markdown]
# - **Backpropagation** sends the error through the transposed forward weights.
# - **Feedback alignment** (FA) uses a matrix $F$ instead, which is drawn at random once
#   and never changed. (The paper calls it $B$; here `B` is the number of samples in a
#   batch.)
# - **Direct feedback alignment** (DFA) sends the output error straight to every layer,
#   each through its own random matrix.
# - **Target propagation** (TP) sends not an error but a *state*: the output that the
#   layer should have had. Its $F$ is learned.

# %% [markdown]
# ### Feedback alignment
#
# $$\delta_l^{\mathrm{fa}} = f'(a_l) \circ F_{l+1}\,\delta_{l+1}^{\mathrm{fa}}$$
#
# $F_{l+1}$ has the shape of $(W_{l+1} R_{l+1})^\top$: one row per unit of layer $l$,
# one column per unit of the layer above. In the code `feedback[k]` is the matrix that
# leads *into* layer `k`.

# %%
F = [rng.normal(size=(4, 4)), rng.normal(size=(4, 3)), None]

fa_1 = np.zeros((8, 4))
for n in range(8):
    for m in range(4):
        for i in range(3):
            fa_1[n, m] += F[1][m, i] * delta_L[n, i]
        fa_1[n, m] *= df(a[1][n, m])

# %%
in_matrix_form = df(a[1]) * (delta_L @ F[1].T)
fa = signals.feedback_alignment(
    net.layers, trace, F, delta_out
)
assert np.allclose(fa_1, in_matrix_form)
assert np.allclose(fa_1, fa[1])

true = [(W[1] @ R[1]).T, (W[2] @ R[2]).T, None]
fa = signals.feedback_alignment(
    net.layers, trace, true, delta_out
)
for k in range(3):
    assert np.allclose(fa[k], exact[k])
print("with F = (W R)^T, feedback alignment")
print("is backpropagation")

# %% [markdown]
# ### Direct feedback alignment
#
# $$\delta_l^{\mathrm{dfa}} = f'(a_l) \circ F_{l+1}\,\delta_L$$
#
# Now every matrix has one column per output of the network, and no layer has to wait
# for the one above. You will write this one yourself, in Exercise 03.2.
#
# **Question.** Before training, what angle do you expect between the signals of FA or
# DFA and those of backpropagation, in a layer of 100 units?

# %%
DATA = "mnist-5k"

data = load_dataset(DATA)
test = (
    as_float(data.test.inputs, "float32"),
    one_hot(data.test.labels, data.n_classes, "float32"),
)


def digits_network(kind):
    rng = np.random.default_rng(0)
    sizes = [data.n_inputs, 100, 100, data.n_classes]
    return Network(sizes, rng=rng, error_signal=kind)


# %%
for kind in ("bp", "fa", "dfa"):
    angles = alignment_angles(digits_network(kind), *test)
    print(
        f"{kind:4}", *(f"{angle:.0f}°" for angle in angles)
    )
    for angle in angles:
        right = 0 if kind == "bp" else 90
        assert abs(angle - right) < 5

# %% [markdown]
# **Answer.** About 90°: two random directions in a space of many dimensions are almost
# always nearly perpendicular. By Section 4, such a signal neither lowers nor raises the
# loss, to first order. It looks hopeless. Let us train with it anyway.

# %% [markdown]
# ### Target propagation, and its problem
#
# Suppose that every layer has an approximate inverse,
# $f(F_{l+1}\, y_{l+1}) \approx y_l$: given the state above, it guesses the state below.
# The paper gives the signal as
#
# $$\delta_l^{\mathrm{tp}} = f(F_{l+1}\,\delta_{l+1}^{\mathrm{tp}}) - a_l .$$
#
# **Question.** Suppose the network's output is exactly right, so that $\delta_L = 0$.
# What does this formula send to the layer below the output?

# %%
no_error = np.zeros((8, 3))
as_printed = f(no_error @ F[1].T) - a[1]
assert np.array_equal(as_printed, -a[1])
print("a    ", a[1][0].round(2))
print("delta", as_printed[0].round(2))

# %% [markdown]
# **Answer.** It sends $-a_l$, so the target state $z = a + \delta$ is zero: every unit
# is driven towards zero, although nothing was wrong ([claim C14](../docs/claims.md)).
# The reason is that $F$ is a model of *states*, but is given a *perturbation*. If the
# state above is zero, that tells you something about the layer below. If the error
# above is zero, nothing below should change.
#
# The library's `target_propagation` fixes as much as it can without changing the
# method: it sends the target of the layer above through the inverse model.
#
# $$t_L = y_L + \delta_L, \qquad t_l = f(F_{l+1}\,t_{l+1}), \qquad
# \delta_l = t_l - a_l .$$
#
# Two problems remain. If the inverse is poor, its error becomes part of the signal. And
# $t_l$ is an output, while $a_l$ is a pre-activation. **Difference target propagation**
# (DTP) fixes both: it applies the inverse twice, to the target and to the actual
# output, and keeps the difference.
#
# $$t_l = y_l + f(F_{l+1}\,t_{l+1}) - f(F_{l+1}\,y_{l+1}), \qquad
# \delta_l = f'(a_l) \circ \frac{t_l - y_l}{\epsilon}, \qquad
# t_L = y_L + \epsilon\,\delta_L .$$
#
# The small $\epsilon$ (0.1 in the library) keeps the targets near the states for which
# the inverse model was learned.

# %%
eps = signals.TARGET_STEP
t = y[2] + eps * delta_L
dtp = [delta_L]
for k in (1, 0):
    shift = np.zeros_like(y[k])
    for n in range(8):
        from_output = f(F[k] @ y[k + 1][n])
        shift[n] = f(F[k] @ t[n]) - from_output
    t = y[k] + shift
    dtp.insert(0, df(a[k]) * shift / eps)

# %%
found = signals.difference_target_propagation(
    net.layers, trace, F, delta_out
)
for k in range(3):
    assert np.allclose(dtp[k], found[k])

tp = signals.target_propagation
for send in (tp, signals.difference_target_propagation):
    delta = send(net.layers, trace, F, no_error)[0]
    print(f"{send.__name__}: largest signal without an")
    print(f"    error {np.abs(delta).max():.2f}")
assert np.all(delta == 0)  # for DTP, with any feedback

# %% [markdown]
# Without an error DTP sends nothing, however wrong its inverse is. Plain TP sends a
# large signal.
#
# How is $F$ learned? In the paper it is simply given. The library updates it at every
# step, by gradient descent on the reconstruction error, divided by the size of the
# activity above (`reconstruction_update`):
#
# $$\Delta F = \frac{\langle f'(b) \circ (y_l - f(b))\, y_{l+1}^\top\rangle}
# {\langle \lVert y_{l+1}\rVert^2 \rangle}, \qquad b = F\,y_{l+1}.$$

# %%
learned = F[0]
for step in range(2001):
    if step % 500 == 0:
        guess = f(y[1] @ learned.T)
        missed = np.sum((y[0] - guess) ** 2)
        share = missed / np.sum(y[0] ** 2)
        print(f"after {step:4} steps: missed {share:6.1%}")
    update = signals.reconstruction_update(
        learned, leaky_relu, y[1], y[0]
    )
    learned = learned + 0.1 * update

# %% [markdown]
# The inverse improves but remains approximate: layer 1 need not keep all the
# information in layer 0.

# %% [markdown]
# ## 6. Train them and watch the angle
#
# We train 784-100-100-10 networks on mnist-5k. In the first epoch only $R$ learns;
# after that, all the weights learn. After every epoch we measure, on the test set, the
# angle between the network's signals and those that backpropagation *would* send
# through the same weights. `fit` is the training loop; it calls a `Callback` after
# every epoch.
#
# **Question.** FA and DFA start at 90°, and their feedback never changes. Can the angle
# change?

# %%
EPOCHS = 10  # fast: 3
schedule = Schedule(
    eta_W=1e-3,
    eta_R=1e-3,
    first_epochs=1,
    first_eta_W=0.0,
    first_eta_R=1e-3,
    delta_scale=100,  # multiplies the signals of all layers
)


# %%
class Angles(Callback):
    """Record the angles to backpropagation by epoch."""

    def __init__(self, network):
        self.rows = [alignment_angles(network, *test)]

    def on_epoch(self, network, record):
        self.rows.append(alignment_angles(network, *test))


# %%
def train(network):
    """Return test accuracy and angles by epoch."""
    angles, rng = Angles(network), np.random.default_rng(1)
    settings = {"epochs": EPOCHS, "schedule": schedule}
    settings |= {"rng": rng, "callbacks": [angles]}
    history = fit(network, data, **settings)
    accuracy = [
        100 * each.test_accuracy for each in history
    ]
    return accuracy, np.array(angles.rows)


# %%
KINDS = ("bp", "fa", "dfa", "tp", "dtp")
networks = {kind: digits_network(kind) for kind in KINDS}
fixed = list(networks["fa"].feedback)
runs = {kind: train(networks[kind]) for kind in KINDS}

# %% tags=["hide-input"]
figure, panels = plt.subplots(
    1,
    2,
    figsize=(10, 3.8),
    sharey=True,
    layout="constrained",
)
for k, axes in enumerate(panels):
    for kind, colour in zip(
        KINDS[1:], COLOURS, strict=False
    ):
        axes.plot(
            runs[kind][1][:, k],
            "o-",
            ms=4,
            color=colour,
            label=kind.upper(),
        )
    axes.axhline(90, color="gray", linestyle=":")
    axes.set(title=f"hidden layer {k + 1}")
    axes.set(xlabel="epoch (R alone in the first)")
    label_ends(axes)
panels[0].set(ylabel="angle to backpropagation (°)")
_ = figure.suptitle("the feedback stays, the angle falls")

# %%
for kind in KINDS[1:]:
    start, early, end = runs[kind][1][[0, 2, -1]].round()
    print(f"{kind:4} at the start {start},", end=" ")
    print(f"after 2 epochs {early}, at the end {end}")
    if kind in ("fa", "dfa"):
        assert np.all(end < start - 5)
for before, now in zip(
    fixed, networks["fa"].feedback, strict=True
):
    assert before is now

# %% [markdown]
# **Answer.** It does. In ten epochs, FA goes from about 90° to about 59° in the first
# hidden layer and 68° in the second, and DFA behaves similarly. The last `assert`
# checks that the feedback matrices are the same arrays as before.
#
# DTP, whose feedback learns, does no better. Its angle falls quickly, to about 70° in
# the second layer within two epochs, and then *rises* again, to about 82°. This is what
# we found, and one reason is clear. An inverse is not a transpose: in a linear network
# even a perfect inverse would send $(W R)^{-1}\delta$, not $(W R)^\top\delta$.
#
# What does this mean for the accuracy?

# %% tags=["hide-input"]
figure, axes = plt.subplots(
    figsize=(7, 3.8), layout="constrained"
)
colours = dict(
    zip((*KINDS[1:], "bp"), COLOURS, strict=False)
)
for kind, (accuracy, _) in runs.items():
    axes.plot(
        np.arange(2, EPOCHS + 1),
        accuracy[1:],
        "o-",
        ms=4,
        color=colours[kind],
        label=kind.upper(),
    )
axes.set(xlabel="epoch", ylabel="test accuracy (%)")
axes.set_title(
    "target propagation lags, the others are close"
)
label_ends(axes)

# %%
final = {kind: runs[kind][0][-1] for kind in KINDS}
for kind in KINDS:
    early = runs[kind][0][1]
    print(f"{kind:4} {early:.1f} % in epoch 2,", end=" ")
    print(f"{final[kind]:.1f} % at the end")
others = [final[kind] for kind in ("fa", "dfa", "dtp")]
assert final["tp"] < min(others)
assert max(others) < final["bp"]

# %% [markdown]
# Backpropagation is ahead, especially early on: after the first epoch in which $W$
# learns (epoch 2) it reaches about 86 %, while FA, DFA and DTP reach 76 to 78 %. By
# epoch 10 these three are within two points of it. Plain TP lags behind, at about 84 %,
# although its angle in hidden layer 2 is as good as FA's: the angle does not tell you
# what a signal does when there is no error.
#
# This is one seed and a small network. For longer runs on all of MNIST, see the
# [results](../results/README.md).

# %% [markdown]
# ## 7. Why does the angle fall?
#
# The feedback does not change, so something else must: the forward weights align with
# it. Consider two linear layers without $R$, with a fixed random $F$ and small initial
# weights.
#
# 1. Layer 1 learns by $\Delta W_1 \propto \langle F \delta_2\, x^\top\rangle =
#    F\,\langle \delta_2 x^\top\rangle$. So $W_1$ becomes roughly proportional to $F
#    \bar G$, where $\bar G$ is the sum of $\langle \delta_2 x^\top\rangle$ over the
#    steps so far.
# 2. Layer 2 learns by $\Delta W_2 \propto \langle \delta_2\, y_1^\top\rangle = \langle
#    \delta_2 x^\top\rangle W_1^\top$, and with the $W_1$ of step 1 this is
#    $\langle \delta_2 x^\top\rangle \bar G^\top F^\top$.
#
# As long as errors keep pointing in similar directions, $\langle \delta_2
# x^\top\rangle$ is roughly proportional to $\bar G$. Then $\langle \delta_2
# x^\top\rangle \bar G^\top$ is roughly a matrix times its own transpose, and $W_2$
# grows along $F^\top$. Backpropagation would send $W_2^\top \delta_2$, which becomes
# more and more like $F \delta_2$.
#
# This is an argument, not a proof. It makes two predictions: the weights above should
# align with $F$; and *if they cannot change, the angle must stay where it was*.
#
# **Question.** How would you test the second prediction?


# %%
def frozen_weights(W):
    """Return an update of zero."""
    return 0 * W


def first_layer_alone(kind):
    network = digits_network(kind)
    for layer in network.layers[1:]:
        layer.forward_step = frozen_weights
    return train(network)


# %%
frozen = {}
for kind in ("fa", "bp"):
    frozen[kind] = first_layer_alone(kind)
    accuracy, angles = frozen[kind]
    print(
        f"{kind}: accuracy {accuracy[-1]:.0f} %,", end=" "
    )
    print("angles at the end", angles[-1].round())
assert np.all(frozen["fa"][1] > 80)
assert frozen["fa"][0][-1] < 40
assert frozen["bp"][0][-1] > 80

# %% [markdown]
# **Answer.** Freeze the forward weights of the layers above, and train only those of
# the first layer. The angle stays at about 90°, and the network hardly learns: it
# reaches about 25 %, where the same feedback reached 90 % before. Training the first
# layer alone could do much better: backpropagation through the same frozen weights
# reaches 90 %. So random feedback becomes useful only because the forward weights
# change. The feedback does not learn to teach; the network learns to be taught.
#
# Now for the first prediction: how close are $(W_{l+1} R_{l+1})^\top$ and $F_{l+1}$,
# compared as matrices?


# %%
def to_F(network, k):
    """Return the angle of (W R)^T to its replacement."""
    M = network.layers[k + 1].folded()  # W R
    return alignment_angle(network.feedback[k], M.T)


for k in range(2):
    start = to_F(digits_network("fa"), k)
    end = to_F(networks["fa"], k)
    print(f"hidden layer {k + 1}: {start:.0f}°", end=" ")
    print(f"before, {end:.0f}° after")
    assert end < start - 1

# %% [markdown]
# They do align with $F$, but in the first hidden layer only to about 85°, although the
# angle between the *signals* in that layer is 59°. Do only some directions matter? With
# ten outputs, the errors have ten dimensions. They enter hidden layer 2 along the ten
# columns of its $F$. What comes out of there, multiplied by $f'$, enters the first
# hidden layer. So we compare the two matrices on the span of these ten columns, and on
# the 90 other dimensions.

# %%
F_low, F_high = networks["fa"].feedback[:2]
M = networks["fa"].layers[1].folded()  # W R
span, _ = np.linalg.qr(F_high)  # ten orthonormal directions
rest = np.eye(len(span), dtype="float32") - span @ span.T
inside = alignment_angle(F_low @ span, M.T @ span)
outside = alignment_angle(F_low @ rest, M.T @ rest)
print(f"in the directions of the errors {inside:.0f}°,")
print(f"elsewhere {outside:.0f}°")
assert inside < outside - 8

# %% [markdown]
# It is about 63° versus 88°: the matrices agree on the directions that errors use. In
# the other directions, nothing makes them agree.

# %% [markdown]
# ## 8. Break it: the wrong sign
#
# It is easy to lose a minus sign. Here all the signals point *up* the loss. To try our
# own backward pass, we give the network an `ErrorSignal`: a name and a function. The
# function is called by the names of its parameters, such as the four above. (A third
# field, `feedback_from`, says where feedback matrices come from. We need none.)


# %%
def climbing(layers, trace, feedback, delta_L):
    right = signals.backpropagation(
        layers, trace, feedback, delta_L
    )
    return [-delta for delta in right]


# %%
def network_with(send):
    """Return a network with our own error signals."""
    own = signals.ErrorSignal(send.__name__, send)
    return digits_network(own)


try:
    train(network_with(climbing))
except DivergenceError as error:
    print(error)

# %% [markdown]
# Training blows up within a few batches of epoch 2, the first in which $W$ learns. The
# message reports that activity exploded, and suggests a smaller step. It cannot know
# about the sign. So test this advice before you believe it: with a step so small that
# nothing can blow up, does the loss fall?

# %%
few = test[0][:500], test[1][:500]
for send in (climbing, signals.backpropagation):
    network, losses = network_with(send), []
    for _ in range(20):
        losses.append(float(network.step(*few, eta_W=1e-3)))
    print(f"{send.__name__:16}", np.round(losses[::5], 3))
    assert (losses[-1] > losses[0]) == (send is climbing)

# %% [markdown]
# It rises. We used the same 500 digits at every step, and signals 100 times smaller
# (`delta_scale` is 1 here). With the right sign the loss falls. If the loss *rises even
# with a tiny step*, the step size is not the problem. Diagnosis: the sign. This is the
# friendly kind of bug, because it is loud.

# %% [markdown]
# ## 9. Break it: two bugs that the accuracy does not reveal
#
# First bug: someone writes $W R$ instead of $(W R)^\top$. Between layers of different
# widths NumPy would complain. Our two hidden layers have the same width, so the shapes
# fit. Second bug: someone forgets $R$.
#
# **Question.** What will each bug do to the accuracy after ten epochs? And to the
# angle?


# %%
def transposed(layers, trace, feedback, delta_L):
    deltas = [delta_L]
    for k in (1, 0):
        M = layers[k + 1].folded()  # W R
        square = M.shape[0] == M.shape[1]
        wrong = deltas[0] @ (M.T if square else M)
        slope = layers[k].activation.df(trace.a[k])
        deltas.insert(0, slope * wrong)
    return deltas


# %%
def without_R(layers, trace, feedback, delta_L):
    deltas = [delta_L]
    for k in (1, 0):
        carried = deltas[0] @ layers[k + 1].W
        slope = layers[k].activation.df(trace.a[k])
        deltas.insert(0, slope * carried)
    return deltas


# %%
bugs = {}
for send in (transposed, without_R):
    bugs[send.__name__] = train(network_with(send))

print("accuracy (%) after epochs 2, 6 and 10")
print("no bug      ", np.round(runs["bp"][0][1::4], 1))
for name, (accuracy, _) in bugs.items():
    print(f"{name:12}", np.round(accuracy[1::4], 1))

# %% tags=["hide-input"]
figure, axes = plt.subplots(
    figsize=(8, 3.8), layout="constrained"
)
for (name, (_, angles)), colour in zip(
    bugs.items(), COLOURS, strict=False
):
    for k, line in enumerate(["o-", "s--"]):
        bug = name.replace("_", " ")
        axes.plot(
            angles[:, k],
            line,
            ms=4,
            color=colour,
            label=f"{bug}, layer {k + 1}",
        )
axes.set(xlabel="epoch", ylim=(-3, 95))
axes.set(ylabel="angle to backpropagation (°)")
axes.set_title("the angles show both bugs")
label_ends(axes)

# %%
wrong_way = bugs["transposed"][1]
forgotten = bugs["without_R"][1]
assert wrong_way[0, 0] > 80
assert np.all(wrong_way[:, 1] < 1)
assert forgotten[0, 0] < 1
assert np.all(np.diff(forgotten[:, 0]) > 0)
assert abs(bugs["without_R"][0][-1] - final["bp"]) < 1
print("at the end: transposed", wrong_way[-1].round())
print("            without R ", forgotten[-1].round())

# %% [markdown]
# **Answer.** To the accuracy, almost nothing: after ten epochs all three networks are
# at about 91 to 92 %. If you looked only at the accuracy, you would publish both bugs.
# The angles reveal them.
#
# - *Transposed*: at the start, the angle is 0° in the second hidden layer and 89° in
#   the first. So the bug is between these two, where the widths are equal. The network
#   learns anyway, though more slowly at first, since a wrong matrix is just another
#   feedback matrix: this is feedback alignment by accident, and the angle falls just as
#   it did there.
# - *R forgotten*: the angle is 0° in both layers while $R$ is the identity, and grows
#   as $R$ moves away from it, to about 11° in the first hidden layer. Here this is a
#   small error. But the better the network decorrelates, the larger it gets.
#
# In practice you do not have the right signal to compare with. With finite differences
# you do not need it. Back to the small network, whose hidden layers also have equal
# widths:

# %%
right = signals.backpropagation
for send in (right, transposed, without_R):
    found = send(net.layers, trace, no_feedback, delta_out)
    errors = []
    for k in range(3):
        error = found[k] - by_finite_differences(k)
        errors.append(np.abs(error).max())
    print(f"{send.__name__:16}", end=" ")
    print(*(f"{error:.1e}" for error in errors))
    assert (max(errors) < 1e-6) == (send is right)

# %% [markdown]
# Read each row from right to left, from the output down. The first large number is in
# the layer *into* which the wrong step leads: the first layer for the transposed
# matrix, the second (and all below it) for the forgotten $R$. Three rules to remember:
#
# 1. check a backward pass with finite differences, in float64, before training;
# 2. check it with an $R$ that is not the identity, or a forgotten $R$ goes unnoticed;
# 3. check it with layers of *different* widths too: there, a forgotten transpose raises
#    an error.

# %% [markdown]
# ## Exercises
#
# ### Exercise 03.1 · Another loss
#
# With a linear output layer ($f(a) = a$) and `K` classes, a common loss is the
# cross-entropy of the softmax,
#
# $$\ell = -\sum_i y^*_i \log p_i, \qquad p_i = \frac{e^{y_i}}{\sum_j e^{y_j}} .$$
#
# Derive $\delta_L = -\partial\ell/\partial a_L$ on paper, for targets that sum to 1
# (the result is short). Write it as a function of a batch: `y` and `targets` have shape
# (number of samples, K).


# %%
def output_signal(y, targets):
    # your code
    ...


check("03.1", output_signal)

# %% [markdown]
# ### Exercise 03.2 · Direct feedback alignment
#
# Write the backward pass of DFA for any number of layers. `a` is the list of
# pre-activations, one array per layer; `F` is the list of feedback matrices, one per
# *hidden* layer, with a row for each of its units and a column for each of the `K`
# outputs; `delta_L` is the signal of the output layer. In `a` and `delta_L`, samples
# are rows. Return the list of all signals, from the first layer to the output layer.
# All units are leaky ReLUs: use `df` from Section 1.


# %%
def direct_feedback(a, F, delta_L):
    # your code
    ...


check("03.2", direct_feedback)

# %% [markdown]
# ### Exercise 03.3 · Four suspects
#
# `suspects` holds four backward passes, "A" to "D". One is right; one forgets $R$; one
# leaves out $f'$; one uses $W R$ instead of its transpose wherever the shapes fit.
# Which is which? Do not read their code. Instead, build networks in which one of the
# bugs makes *no difference*, and see which suspect becomes right. The function below
# prints how far off each suspect is; `options` are passed to `Network`, and `prepare`
# may change its weights.

# %%
from copi_np.course.lesson_03 import suspects


def line_up(prepare=lambda net: None, **options):
    rng = np.random.default_rng(1)
    settings = {"rng": rng, "dtype": "float64"} | options
    net = Network([5, 4, 4, 3], **settings)
    for _ in range(100):
        net.step(y0, targets, eta_W=0.0, eta_R=0.02)
    prepare(net)
    trace = net.forward(y0)
    right = net.error_signals(trace, targets)
    for name, send in suspects.items():
        found = send(
            net.layers, trace, no_feedback, right[2]
        )
        print(name, end=" ")
        for k in range(3):
            error = np.abs(found[k] - right[k]).max()
            print(f"{error:.1e}", end=" ")
        print()


line_up()

# %% [markdown]
# Answer with one string of four letters, in this order: the right one, the one without
# $R$, the one without $f'$, and the one that does not transpose.

# %%
answer = ...  # such as "DCBA"
check("03.3", answer)

# %% [markdown]
# Solutions: [solutions/03_error_signals.ipynb](solutions/03_error_signals.ipynb).
#
# ## What you have seen
#
# - The error signal of backpropagation is the negative gradient of a sample's loss with
#   respect to the pre-activations, carried down by $(W R)^\top$: through $R$ too
#   ([Theorem 7](../docs/theory.md#7-backpropagation-is-the-negative-gradient)).
# - A small step of the states along any signal within 90° of it lowers the loss. With
#   fixed random feedback the angle starts at 90°, and then the *forward* weights align
#   with the feedback ([Theorem 11](../docs/theory.md#11-the-other-error-signals),
#   tested in `tests/mathematics/theorems/test_11_error_signals.py`).
# - Target propagation as printed in the paper sends a signal even if there is no error
#   ([claims C14 and C15](../docs/claims.md)). Taking differences fixes this.
# - Accuracy does not reveal a wrong backward pass. Finite differences do.
#
# **Next:** [04 · A deep network](04_deep_network.ipynb) puts these signals and the two
# update rules together into one step of Algorithm 1.
