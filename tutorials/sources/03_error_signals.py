# %% [markdown]
# # 03 · Error signals
#
# COPI moves the weights of a layer towards a target state $z = a + \delta$. This
# notebook is about the second term: who tells a hidden unit which way to move?
#
# **What you will be able to do**
#
# - derive the error signal of backpropagation, through $W$ *and* $R$, and check it by
#   finite differences;
# - explain what feedback alignment, direct feedback alignment and target propagation
#   send instead, and implement them;
# - say why states moved along any signal within 90° of backpropagation's lower the
#   loss, and why the angle of a feedback that never changes falls during training;
# - find a bug in a backward pass that the accuracy does not show.
#
# **Time.** 50 minutes to read and run (the cells compute for less than a
# minute); 30 minutes for the exercises.
#
# **Before this.** Notebooks 01 and 02; the chain rule; the angle between two vectors.
#
# **In the paper.** Section 2.5 (error signals); Algorithm 1, lines 9 to 12; Figure 1.

# %%
import matplotlib.pyplot as plt
import numpy as np

import copi_np.error_signals as signals
from copi_np import Callback, DivergenceError, Network, Schedule, get_backend
from copi_np.analysis import alignment_angle, alignment_angles
from copi_np.course import check
from copi_np.datasets import as_float, load_dataset, one_hot
from copi_np.plotting import COLOURS, STYLE
from copi_np.training import fit

BACKEND = "numpy"  # or "cupy" on a machine with a GPU
backend = get_backend(BACKEND)
plt.rcParams.update(STYLE)

# %% [markdown]
# ## 1. The output layer knows what it should have done
#
# The rule of notebook 01, $\Delta W = \langle z x^\top\rangle - W\,\mathrm{diag}\langle
# x^2\rangle$, needs a target state $z = a + \delta$ for *every* layer. The data give a
# target $y^*$ for the last layer only. To find $\delta$ for the others is called
# **credit assignment**. The paper's gold standard (Section 2.5) is the direction in
# which the loss of the sample falls fastest:
#
# $$\delta_l = -\frac{d\ell}{d a_l}.$$
#
# We take a network small enough to loop over by hand: three layers of leaky ReLU
# units, a batch of eight correlated samples, in float64. Its lateral weights $R$
# decorrelate for 200 steps first, so that they are not the identity. The paper counts
# layers from 1, the code from 0: `W[0]` belongs to the first layer.

# %%
rng = np.random.default_rng(0)
net = Network([5, 4, 4, 3], rng=rng, backend=BACKEND, dtype="float64")
y0 = rng.normal(size=(8, 5)) @ rng.normal(size=(5, 5))
targets = np.eye(3)[rng.integers(0, 3, 8)]  # one-hot classes
batch = backend.asarray(y0), backend.asarray(targets)
for _ in range(200):
    net.step(*batch, eta_W=0.0, eta_R=0.02)  # R learns alone

trace = net.forward(batch[0])
W = [backend.to_host(layer.W) for layer in net.layers]
R = [backend.to_host(layer.R) for layer in net.layers]
a = [backend.to_host(a_k) for a_k in trace.a]
y = [backend.to_host(y_k) for y_k in trace.y]

# %% [markdown]
# `trace` holds the state of every layer for the batch: pre-activations $a$, outputs
# $y = f(a)$. We keep copies of states and weights on the host, for loops in NumPy.
#
# The loss of a sample is $\ell = \lVert y_L - y^*\rVert^2$, and $y_L = f(a_L)$ unit by
# unit. The chain rule has two factors:
#
# $$\delta_L = -f'(a_L) \circ \frac{\partial \ell}{\partial y_L}, \qquad
# \frac{\partial \ell}{\partial y_L} = 2\,(y_L - y^*).$$
#
# **Question.** A unit's output is larger than its target. Which sign has $\delta_L$?


# %%
def f(a):
    return np.where(a > 0, a, 0.1 * a)  # leaky ReLU


def df(a):
    return np.where(a > 0, 1.0, 0.1)  # its slope


delta_L = np.zeros((8, 3))
for sample in range(8):
    for unit in range(3):
        dloss_dy = 2 * (y[2][sample, unit] - targets[sample, unit])
        delta_L[sample, unit] = -df(a[2][sample, unit]) * dloss_dy

# %% [markdown]
# In matrix form this is one line, since every unit looks at itself only. The library
# calls it `output_signal`.

# %%
in_matrix_form = -df(a[2]) * 2 * (y[2] - targets)
activation = net.layers[2].activation
states = trace.a[2], trace.y[2]
delta_out = signals.output_signal(net.loss, activation, *states, batch[1])
assert np.allclose(delta_L, in_matrix_form)
assert np.allclose(delta_L, backend.to_host(delta_out))
assert np.all(np.sign(delta_L) == np.sign(targets - y[2]))
print("output ", y[2][1].round(2))
print("target ", targets[1])
print("delta_L", delta_L[1].round(2))

# %% [markdown]
# **Answer.** Negative: the signal points from the output to the target, in every unit
# of every sample. Where $a < 0$ it is ten times smaller, since moving the unit
# moves its output by a tenth only.
#
# Note what is *not* there: no $1/B$. The signal belongs to one sample; the mean over
# the batch is taken later, in $\langle z x^\top\rangle$.

# %% [markdown]
# ## 2. A check that needs no derivation
#
# A derivative is a limit of differences. So nudge one pre-activation by $\pm 10^{-6}$,
# pass the rest of the network forward again, and see how the loss changes:
#
# $$\delta \approx -\frac{\ell(a + \epsilon) - \ell(a - \epsilon)}{2\epsilon}.$$
#
# It is slow, with two forward passes for every unit. But it uses nothing that we have
# derived, so it can judge what we derive.


# %%
def loss_from(k, a_k):
    """Loss of each sample, were a_k the pre-activations of layer k."""
    y_k = f(a_k)
    for R_above, W_above in zip(R[k + 1 :], W[k + 1 :], strict=True):
        y_k = f(y_k @ R_above.T @ W_above.T)
    return np.sum((y_k - targets) ** 2, axis=1)


# %%
def by_finite_differences(k, step=1e-6):
    """Minus the slope of the loss in every pre-activation of layer k."""
    delta = np.zeros_like(a[k])
    for unit in range(a[k].shape[1]):
        nudge = np.zeros_like(a[k])
        nudge[:, unit] = step
        rise = loss_from(k, a[k] + nudge) - loss_from(k, a[k] - nudge)
        delta[:, unit] = -rise / (2 * step)
    return delta


assert np.allclose(by_finite_differences(2), delta_L, atol=1e-6)
print(f"largest difference: {np.abs(by_finite_differences(2) - delta_L).max():.1e}")

# %% [markdown]
# The output signal is right. Now for the layers that no target reaches.

# %% [markdown]
# ## 3. Backpropagation, through $R$ as well
#
# Between $a_l$ and $a_{l+1}$ stand three maps, one after the other:
#
# $$a_l \;\xrightarrow{\;f\;}\; y_l \;\xrightarrow{\;R_{l+1}\;}\; x_{l+1}
# \;\xrightarrow{\;W_{l+1}\;}\; a_{l+1}, \qquad
# a_{l+1,i} = \sum_j W_{ij} \sum_m R_{jm}\, f(a_{l,m}).$$
#
# Unit $m$ of layer $l$ reaches unit $i$ above on every path $m \to j \to i$. The chain
# rule multiplies along a path and adds over the paths:
#
# $$\delta_{l,m} = f'(a_{l,m}) \sum_j R_{jm} \sum_i W_{ij}\,\delta_{l+1,i}.$$
#
# **Question.** Forward, $W$ sums over its second index. Over which index does it sum on
# the way back? What does that make of the matrix?

# %%
delta_1 = np.zeros((8, 4))  # of layer 1, from the output layer, number 2, above it
for sample in range(8):
    for m in range(4):
        for j in range(4):
            for i in range(3):
                path = R[2][j, m] * W[2][i, j]
                delta_1[sample, m] += path * delta_L[sample, i]
        delta_1[sample, m] *= df(a[1][sample, m])

# %% [markdown]
# **Answer.** Over the first index, the rows: on the way back both matrices appear
# transposed. The paper writes
#
# $$\delta_l^{\mathrm{bp}} = \mathrm{diag}(f'(a_l))\, R_{l+1}^\top W_{l+1}^\top\,
# \delta_{l+1}^{\mathrm{bp}} = f'(a_l) \circ (W_{l+1} R_{l+1})^\top \delta_{l+1}.$$
#
# Our samples are rows. A product $M^\top \delta$ of the paper reads `delta @ M` here,
# and the transposes disappear from the code (only from the code!).

# %%
in_matrix_form = df(a[1]) * (delta_L @ W[2] @ R[2])
delta_0 = df(a[0]) * (in_matrix_form @ W[1] @ R[1])  # and once more, a layer down

no_feedback = [None, None, None]  # backpropagation needs no matrices of its own
exact = signals.backpropagation(net.layers, trace, no_feedback, delta_out)
exact = [backend.to_host(delta) for delta in exact]
for found, right in zip([delta_0, delta_1, delta_L], exact, strict=True):
    assert np.allclose(found, right)
for k in range(3):
    assert np.allclose(by_finite_differences(k), exact[k], atol=1e-6)
print("loops, matrix form, library and finite differences agree in all layers")

# %% [markdown]
# This holds for any weights, symmetric or not:
# [Theorem 7](../docs/theory.md#7-backpropagation-is-the-negative-gradient).
#
# All functions of `copi_np.error_signals` take the same four arguments, (layers, trace,
# feedback, `delta_L`), and return one signal for each layer. So they can be swapped.

# %% [markdown]
# ## 4. Almost right is good enough
#
# Must a signal be the exact gradient? Move the pre-activations a small step
# $\epsilon$ along some signal $s$. To first order, the loss changes by
#
# $$\ell(a + \epsilon s) - \ell(a) \approx
# \epsilon\, s \cdot \frac{d\ell}{da} = -\epsilon\, s \cdot \delta^{\mathrm{bp}}
# = -\epsilon\, \lVert s\rVert\,\lVert\delta^{\mathrm{bp}}\rVert \cos\theta,$$
#
# where $\theta$ is the angle between $s$ and backpropagation's signal.
#
# **Question.** For which angles does the loss fall? How much slower does it fall at 60°
# than at 0°?
#
# We build signals of a given angle in layer 0: a part along $\delta^{\mathrm{bp}}$, and
# a part across it. The angle is that of the whole batch taken as one long vector;
# `alignment_angle` measures it.

# %%
along = exact[0] / np.linalg.norm(exact[0])
across = rng.normal(size=along.shape)
across -= np.sum(across * along) * along
across /= np.linalg.norm(across)

# %%
figure, axes = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
axes.set(xlabel="step along the signal", ylabel="mean loss of the batch")
steps = np.linspace(0, 1.5, 61)
for angle, colour in zip([0, 60, 90, 120], COLOURS, strict=False):
    theta = np.radians(angle)
    s = np.cos(theta) * along + np.sin(theta) * across
    assert np.isclose(alignment_angle(s, exact[0]), angle, atol=1e-3)
    losses = [loss_from(0, a[0] + step * s).mean() for step in steps]
    assert (losses[1] < losses[0]) == (angle < 90)
    axes.plot(steps, losses, color=colour, label=f"{angle}°")
_ = figure.legend(title="angle", loc="outside right")

# %% [markdown]
# **Answer.** Below 90°, where the cosine is positive. At 60° the slope at zero is half
# of that at 0°, since $\cos 60° = 1/2$. At 90° it is zero. At 120° the loss rises at
# once.
#
# So a signal that is 60° off is not useless: the loss falls half as fast. This is part of
# [Theorem 11](../docs/theory.md#11-the-other-error-signals). One caution stands there:
# we moved *states*. A step of the *weights* moves all samples together, and need not
# lower the loss even where each sample's signal would.

# %% [markdown]
# ## 5. Four ways down
#
# Backpropagation asks much of a nervous system: the signal travels down through the
# transposes of the very weights that carried the activity up. A synapse conducts one
# way, and knows nothing of the weight of another one. This is the *weight transport
# problem*. Each alternative in Section 2.5 replaces the way down. Grey arrows carry
# activity up; the coloured ones bring something down.


# %%
def draw(axes, title, colour, arrows):
    """Layers as boxes, and arrows (from height, to height, x) with their labels."""
    for height, name in enumerate(["layer 1", "layer 2", "output"]):
        box = {"boxstyle": "round", "facecolor": "white", "edgecolor": "gray"}
        axes.text(0, height, name, ha="center", va="center", bbox=box, zorder=3)
    up, down = ({"arrowstyle": "-|>", "color": c, "lw": 2} for c in ("#bbbbbb", colour))
    axes.annotate("", (0, 1.8), (0, -0.6), arrowprops=up, zorder=1)
    for (high, low, x), label in arrows.items():
        axes.annotate("", (x, low), (x, high), arrowprops=down)
        axes.text(x + 0.06, (high + low) / 2, label, color=colour, va="center")
    axes.set(title=title, xlim=(-0.5, 1.9), ylim=(-0.7, 2.4))
    axes.axis("off")


# %%
low, high, direct = (0.9, 0.1, 0.6), (1.9, 1.1, 0.6), (1.9, 0.1, 1.2)
panels = {  # the paper's indices: B_2 leads from layer 2 into layer 1
    "backpropagation": {high: r"$(W_3 R_3)^\top$", low: r"$(W_2 R_2)^\top$"},
    "feedback alignment": {high: "$B_3$", low: "$B_2$"},
    "direct feedback": {high: "$B_3$", direct: "$B_2$"},
    "target propagation": {high: "$f(B_3 t_3)$", low: "$f(B_2 t_2)$"},
}
figure, row = plt.subplots(1, 4, figsize=(9, 2.8), layout="constrained")
for axes, colour, title in zip(row, COLOURS, panels, strict=False):
    draw(axes, title, colour, panels[title])

# %% [markdown]
# - **Backpropagation** sends the error through the transposed forward weights.
# - **Feedback alignment** (FA) puts a matrix $B$ in their place, drawn at random once
#   and never changed.
# - **Direct feedback alignment** (DFA) sends the error of the output straight to every
#   layer, through a random matrix each.
# - **Target propagation** (TP) sends no error but a *state*: what the layer should have
#   been. Its $B$ is learned.

# %% [markdown]
# ### Feedback alignment
#
# $$\delta_l^{\mathrm{fa}} = f'(a_l) \circ B_{l+1}\,\delta_{l+1}^{\mathrm{fa}}$$
#
# $B_{l+1}$ has the shape of $(W_{l+1} R_{l+1})^\top$: one row for each unit of layer
# $l$, one column for each unit of the layer above. In the code `feedback[k]` is the
# matrix that leads *into* layer `k`.

# %%
B = [rng.normal(size=(4, 4)), rng.normal(size=(4, 3)), None]

fa_1 = np.zeros((8, 4))
for sample in range(8):
    for m in range(4):
        for i in range(3):
            fa_1[sample, m] += B[1][m, i] * delta_L[sample, i]
        fa_1[sample, m] *= df(a[1][sample, m])

# %%
in_matrix_form = df(a[1]) * (delta_L @ B[1].T)
feedback = [backend.asarray(B[0]), backend.asarray(B[1]), None]
fa = signals.feedback_alignment(net.layers, trace, feedback, delta_out)
assert np.allclose(fa_1, in_matrix_form)
assert np.allclose(fa_1, backend.to_host(fa[1]))

true = [*(backend.asarray((W[k] @ R[k]).T) for k in (1, 2)), None]
fa = signals.feedback_alignment(net.layers, trace, true, delta_out)
assert all(np.allclose(backend.to_host(s), e) for s, e in zip(fa, exact, strict=True))
print("with B = (W R)^T, feedback alignment is backpropagation")

# %% [markdown]
# ### Direct feedback alignment
#
# $$\delta_l^{\mathrm{dfa}} = f'(a_l) \circ B_{l+1}\,\delta_L$$
#
# Now every matrix has as many columns as the network has outputs, and no layer waits
# for the one above. You will write this one yourself, in Exercise 03.2.
#
# **Question.** Before training, what angle do you expect between the signals of FA or
# DFA and those of backpropagation, in a layer of 100 units?

# %%
data = load_dataset("mnist-5k")
test = (
    backend.asarray(as_float(data.test.inputs, "float32")),
    backend.asarray(one_hot(data.test.labels, 10, "float32")),
)


def digits_network(error_signal):
    rng = np.random.default_rng(0)
    sizes = [784, 100, 100, 10]
    return Network(sizes, rng=rng, error_signal=error_signal, backend=BACKEND)


# %%
for kind in ("bp", "fa", "dfa"):
    angles = alignment_angles(digits_network(kind), *test)
    print(f"{kind:4}", [f"{angle:.0f}°" for angle in angles])
    assert all(angle < 1 if kind == "bp" else 85 < angle < 95 for angle in angles)

# %% [markdown]
# **Answer.** About 90°: two random directions in a space of many dimensions are almost
# always nearly perpendicular. By Section 4, such a signal neither lowers nor raises the
# loss, to first order. It looks hopeless. We shall train with it all the same.

# %% [markdown]
# ### Target propagation, and its trouble
#
# Suppose that every layer has an approximate inverse, $f(B_{l+1}\, y_{l+1}) \approx
# y_l$: given the state above, it guesses the state below. The paper prints, for the
# signal,
#
# $$\delta_l^{\mathrm{tp}} = f(B_{l+1}\,\delta_{l+1}^{\mathrm{tp}}) - a_l .$$
#
# **Question.** The network's output is exactly right, so that $\delta_L = 0$. What does
# this formula send to the layer below the output?

# %%
no_error = np.zeros((8, 3))
as_printed = f(no_error @ B[1].T) - a[1]
assert np.array_equal(as_printed, -a[1])
print("a    ", a[1][0].round(2))
print("delta", as_printed[0].round(2))

# %% [markdown]
# **Answer.** It sends $-a_l$, and the target state $z = a + \delta$ is zero: every unit
# is driven towards silence, although nothing was wrong
# ([claim C14](../docs/claims.md)). The reason: $B$ is a model of *states*, and is fed a
# *perturbation*. A state of zero above is a statement about the layer below; an error
# of zero should be none.
#
# The library's `target_propagation` mends the half that can be mended without changing
# the method: it sends the target of the layer above through the inverse model.
#
# $$t_L = y_L + \delta_L, \qquad t_l = f(B_{l+1}\,t_{l+1}), \qquad
# \delta_l = t_l - a_l .$$
#
# Two troubles are left. If the inverse is poor, its error is sent along with the
# signal. And $t_l$ is an output, while $a_l$ is a pre-activation. **Difference target
# propagation** (DTP) mends both: it runs the inverse twice, from the target and from
# the actual output, and keeps the difference.
#
# $$t_l = y_l + f(B_{l+1}\,t_{l+1}) - f(B_{l+1}\,y_{l+1}), \qquad
# \delta_l = f'(a_l) \circ \frac{t_l - y_l}{\epsilon}, \qquad
# t_L = y_L + \epsilon\,\delta_L .$$
#
# The small $\epsilon$ (0.1 in the library) keeps the targets near the states, where the
# inverse model was learned.

# %%
eps = signals.TARGET_STEP
t = y[2] + eps * delta_L
dtp = [delta_L]
for k in (1, 0):
    shift = np.zeros_like(y[k])
    for sample in range(8):
        from_target, from_output = B[k] @ t[sample], B[k] @ y[k + 1][sample]
        shift[sample] = f(from_target) - f(from_output)
    t = y[k] + shift
    dtp.insert(0, df(a[k]) * shift / eps)

# %%
found = signals.difference_target_propagation(net.layers, trace, feedback, delta_out)
assert all(np.allclose(d, backend.to_host(s)) for d, s in zip(dtp, found, strict=True))

no_error = backend.asarray(no_error)
for send in (signals.target_propagation, signals.difference_target_propagation):
    delta = backend.to_host(send(net.layers, trace, feedback, no_error)[0])
    print(f"{send.__name__}: largest signal without an error {np.abs(delta).max():.2f}")
assert np.all(delta == 0)  # of the second, for any feedback

# %% [markdown]
# Without an error DTP is silent, however wrong its inverse is. Plain TP is not.
#
# Who teaches $B$? In the paper it is simply given. The library learns it at every
# step, by gradient descent on the error of the reconstruction, divided by the size of
# the activity above (`reconstruction_update`):
#
# $$\Delta B = \frac{\langle f'(b) \circ (y_l - f(b))\, y_{l+1}^\top\rangle}
# {\langle \lVert y_{l+1}\rVert^2 \rangle}, \qquad b = B\,y_{l+1}.$$

# %%
leaky_relu, learned = net.layers[0].activation, feedback[0]
for step in range(2001):
    if step % 500 == 0:
        guess = f(y[1] @ backend.to_host(learned).T)
        missed = np.sum((y[0] - guess) ** 2) / np.sum(y[0] ** 2)
        print(f"after {step:4} steps: squared error {100 * missed:5.1f} % of layer 0")
    update = signals.reconstruction_update(learned, leaky_relu, trace.y[1], trace.y[0])
    learned = learned + 0.1 * update

# %% [markdown]
# The inverse improves, and remains approximate: layer 1 need not keep all that layer 0
# knows.

# %% [markdown]
# ## 6. Train them, and watch the angle
#
# A network 784-100-100-10 on mnist-5k. In the first epoch $R$ learns alone; from then
# on all learn. After every epoch we measure the angle between the network's signals
# and those that backpropagation *would* send through the same weights, on the test
# set. `fit` is the training loop; it tells a `Callback` when an epoch is over.
#
# **Question.** FA and DFA start at 90°, and their feedback never changes. Will the
# angle change?

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
    """The angle to backpropagation in each hidden layer, before and by epoch."""

    def __init__(self, network):
        self.rows = [alignment_angles(network, *test)]

    def on_epoch(self, network, record):
        self.rows.append(alignment_angles(network, *test))


# %%
def train(network):
    """Accuracy on the test set in per cent, and angles, by epoch."""
    angles, rng = Angles(network), np.random.default_rng(1)
    options = {"epochs": EPOCHS, "schedule": schedule, "rng": rng}
    history = fit(network, data, **options, callbacks=[angles])
    return [100 * record.test_accuracy for record in history], np.array(angles.rows)


# %%
networks = {kind: digits_network(kind) for kind in ("bp", "fa", "dfa", "tp", "dtp")}
fixed = list(networks["fa"].feedback)
runs = {kind: train(network) for kind, network in networks.items()}

# %%
figure, panels = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
for k, axes in enumerate(panels):
    for kind, colour in zip(["fa", "dfa", "tp", "dtp"], COLOURS, strict=False):
        axes.plot(runs[kind][1][:, k], "o-", ms=4, color=colour, label=kind.upper())
    axes.axhline(90, color="gray", linestyle=":")
    axes.set(title=f"hidden layer {k + 1}", xlabel="epoch (R alone in the first)")
panels[0].set(ylabel="angle to backpropagation (°)")
_ = panels[1].legend(frameon=False, ncols=2)

# %%
for kind in ("fa", "dfa", "tp", "dtp"):
    shown = [str(row.round().astype(int)) for row in runs[kind][1][[0, 2, -1]]]
    print(f"{kind:4} at the start, after 2 epochs, at the end:", *shown)
for kind in ("fa", "dfa"):
    start, end = runs[kind][1][0], runs[kind][1][-1]
    assert np.all(end < start - 5)
now = networks["fa"].feedback
assert all(one is other for one, other in zip(now, fixed, strict=True))

# %% [markdown]
# **Answer.** It does. From about 90°, FA falls to about 59° in the first hidden layer
# and 68° in the second, in ten epochs; DFA likewise. The last `assert` says that the
# feedback is the very same array as before.
#
# DTP, whose feedback learns, does not do better. It falls fast, in the second layer to
# about 70° within two epochs, and then *rises* again, to about 82°. We report it as it
# is. An inverse is not a transpose: even a perfect one would send $(W R)^{-1}\delta$
# in a linear network, not $(W R)^\top\delta$.
#
# What is it worth?

# %%
figure, axes = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
epochs = np.arange(1, EPOCHS + 1)
axes.set(xlabel="epoch", ylabel="test accuracy (%)")
colours = dict(zip(("fa", "dfa", "tp", "dtp", "bp"), COLOURS, strict=False))
for kind, (accuracy, _) in runs.items():
    label, colour = kind.upper(), colours[kind]
    axes.plot(epochs[1:], accuracy[1:], "o-", ms=4, color=colour, label=label)
    print(f"{kind:4} {accuracy[1]:.1f} % in epoch 2, {accuracy[-1]:.1f} % at the end")
_ = axes.legend(frameon=False)

# %%
final = {kind: accuracy[-1] for kind, (accuracy, _) in runs.items()}
assert final["tp"] < min(final["fa"], final["dfa"], final["dtp"])
assert max(final["fa"], final["dfa"], final["dtp"]) < final["bp"]

# %% [markdown]
# Backpropagation is ahead, most of all at first: after one epoch of learning $W$
# (epoch 2) it is at about 86 %, FA, DFA and DTP at 76 to 78 %. By the tenth, these three
# are within two points of it. Plain TP stays behind, at about 84 %, although its angle
# in hidden layer 2 is as good as FA's: an angle does not say what a signal does where
# nothing is wrong.
#
# This is one seed on a small network. What longer runs on the whole of MNIST came to
# stands in [results](../results/README.md).

# %% [markdown]
# ## 7. Why does the angle fall?
#
# The feedback does not move, so something else must: the forward weights come to agree
# with it. Look at two linear layers without $R$ and a fixed random $B$, and begin with
# small weights. Write $e$ for $\delta_2$.
#
# 1. Layer 1 learns by $\Delta W_1 \propto \langle B e\, x^\top\rangle =
#    B\,\langle e x^\top\rangle$. So $W_1$ fills with $B A$, where $A$ is made of the
#    correlations of errors with inputs.
# 2. Layer 2 learns by $\Delta W_2 \propto \langle e\, y_1^\top\rangle = \langle e
#    x^\top\rangle W_1^\top$, and with the $W_1$ of step 1 this is $\langle e
#    x^\top\rangle A^\top B^\top$.
#
# As long as errors keep pointing in similar directions, $\langle e x^\top\rangle
# A^\top$ is roughly a square times its own transpose, and $W_2$ grows along $B^\top$.
# Backpropagation would send $W_2^\top e$. That comes to resemble $B e$.
#
# This is an argument, not a proof. It makes two predictions: the weights above should
# turn towards $B$; and *if they cannot move, the angle must stay where it was*.
#
# **Question.** How would you test the second one?


# %%
class Still:
    """A forward step that leaves the weights as they are."""

    def step(self, backend, W, x, a, delta, power, eta_W):
        pass


def first_layer_alone(kind):
    network = digits_network(kind)
    for layer in network.layers[1:]:
        layer.forward_step = Still()
    return train(network)


# %%
frozen = {kind: first_layer_alone(kind) for kind in ("fa", "bp")}
for kind, (accuracy, angles) in frozen.items():
    shown = [f"{angle:.0f}°" for angle in angles[-1]]
    print(f"{kind}: accuracy {accuracy[-1]:.0f} %, angles at the end {shown}")
assert np.all(frozen["fa"][1] > 80)
assert frozen["fa"][0][-1] < 40
assert frozen["bp"][0][-1] > 80

# %% [markdown]
# **Answer.** Freeze the forward weights above and train those of the first layer alone.
# The angle stays at about 90°, and the network hardly learns: about 25 %, where the
# same feedback came to 90 % before. It is not that one layer could not do more:
# backpropagation through the same frozen weights comes to 90 %. So it is the movement
# of the forward weights that makes a random feedback useful. The feedback does not
# learn to teach; the network learns to be taught.
#
# And the first prediction: how near are $(W_{l+1} R_{l+1})^\top$ and $B_{l+1}$,
# compared as matrices?


# %%
def from_B(network, k):
    """Angle between (W R)^T and the matrix B that stands for it in hidden layer k."""
    return alignment_angle(network.feedback[k], network.layers[k + 1].folded().T)


for k in range(2):
    start, end = from_B(digits_network("fa"), k), from_B(networks["fa"], k)
    print(f"hidden layer {k + 1}: {start:.0f}° before, {end:.0f}° after")
    assert end < start - 1

# %% [markdown]
# They turn towards $B$, in the first hidden layer only to about 85°, although the
# *signals* of that layer agree to 59°. Do only some directions matter? Ten outputs have
# errors of ten dimensions. They enter hidden layer 2 along the ten columns of its $B$,
# and what comes out of there (bent by $f'$) enters hidden layer 1. So we compare the
# two matrices on the span of these ten columns, and on the 90 other dimensions.

# %%
B_low, B_high = (backend.to_host(networks["fa"].feedback[k]) for k in range(2))
WR = backend.to_host(networks["fa"].layers[1].folded()).T
span, _ = np.linalg.qr(B_high)  # ten orthonormal directions
rest = np.eye(100, dtype="float32") - span @ span.T
inside, outside = (alignment_angle(B_low @ part, WR @ part) for part in (span, rest))
print(f"on the ten directions of the errors {inside:.0f}°, elsewhere {outside:.0f}°")
assert inside < outside - 8

# %% [markdown]
# About 63° against 88°: the matrices agree where errors pass. Elsewhere nothing ever
# asks them to.

# %% [markdown]
# ## 8. Break it: the wrong sign
#
# A minus sign is easily lost. Here all signals point *up* the loss. To try a backward
# pass of our own we give the network an `ErrorSignal`: a name, a function with the four
# arguments, and where its feedback comes from (here nowhere).


# %%
def climbing(layers, trace, feedback, delta_L):
    right = signals.backpropagation(layers, trace, feedback, delta_L)
    return [-delta for delta in right]


# %%
def network_with(send):
    """A network that sends its signals by a function of ours."""
    network = digits_network("bp")
    network.error_signal = signals.ErrorSignal(send.__name__, send, feedback_from=None)
    return network


try:
    train(network_with(climbing))
except DivergenceError as error:
    print(error)

# %% [markdown]
# Training blows up within a few batches of epoch 2, the first in which $W$ learns. The
# message sees activity explode, and advises a smaller step. It cannot know of the sign.
# So try the advice before you believe it: with a step so small that nothing can blow
# up, does the loss fall?

# %%
few = test[0][:500, :], test[1][:500, :]
for send in (climbing, signals.backpropagation):
    network = network_with(send)
    losses = [float(network.step(*few, eta_W=1e-3)) for _ in range(20)]
    print(f"{send.__name__:16}", [round(loss, 3) for loss in losses[::5]])
    assert (losses[-1] > losses[0]) == (send is climbing)

# %% [markdown]
# It climbs, on the same 500 digits at every step, with signals 100 times smaller
# (`delta_scale` is 1 here), where the right sign makes it fall. A loss that *rises with
# a tiny step as well* is no matter of the step size. Diagnosis: the sign. This is the
# friendly kind of bug. It is loud.

# %% [markdown]
# ## 9. Break it: two bugs that the accuracy does not show
#
# First bug: somebody writes $W R$ where $(W R)^\top$ belongs. Between layers of
# different widths NumPy would complain. Our two hidden layers are equally wide, so the
# shapes fit. Second bug: somebody forgets $R$.
#
# **Question.** What will each do to the accuracy after ten epochs? And to the angle?


# %%
def transposed(layers, trace, feedback, delta_L):
    deltas = [delta_L]
    for k in (1, 0):
        M = layers[k + 1].folded()  # W R
        wrong = deltas[0] @ M.T if M.shape[0] == M.shape[1] else deltas[0] @ M
        deltas.insert(0, layers[k].activation.df(trace.a[k]) * wrong)
    return deltas


def without_R(layers, trace, feedback, delta_L):
    deltas = [delta_L]
    for k in (1, 0):
        carried = deltas[0] @ layers[k + 1].W
        deltas.insert(0, layers[k].activation.df(trace.a[k]) * carried)
    return deltas


# %%
bugs = {}
for send in (transposed, without_R):
    bugs[send.__name__] = train(network_with(send))

print("accuracy (%) after epochs 2, 6 and 10")
for name, (accuracy, _) in {"no bug": runs["bp"], **bugs}.items():
    print(f"{name:12}", *(f"{value:.1f}" for value in accuracy[1::4]))

# %%
figure, axes = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
for (name, (_, angles)), colour in zip(bugs.items(), COLOURS, strict=False):
    for k, line in enumerate(["o-", "s--"]):
        label = f"{name.replace('_', ' ')}, hidden layer {k + 1}"
        axes.plot(angles[:, k], line, ms=4, color=colour, label=label)
axes.set(xlabel="epoch", ylabel="angle to backpropagation (°)", ylim=(-3, 95))
_ = axes.legend(frameon=False, fontsize=9)

# %%
wrong_way, forgotten = bugs["transposed"][1], bugs["without_R"][1]
assert wrong_way[0, 0] > 80
assert np.all(wrong_way[:, 1] < 1)
assert forgotten[0, 0] < 1
assert np.all(np.diff(forgotten[:, 0]) > 0)
assert abs(bugs["without_R"][0][-1] - final["bp"]) < 1
print("angles at the end: transposed", wrong_way[-1].round())
print("                   without R ", forgotten[-1].round())

# %% [markdown]
# **Answer.** After ten epochs, next to nothing: all three networks are at about 91 to
# 92 %. Who looks at the accuracy alone would publish both bugs. The angles tell them
# apart.
#
# - *Transposed*: 0° in the second hidden layer, 89° in the first at the start. So the
#   fault is between these two, where the widths are equal. It learns all the same,
#   more slowly at first, since a wrong matrix is just another feedback matrix: this is
#   feedback alignment by accident, and the angle falls as it did there.
# - *R forgotten*: 0° in both layers as long as $R$ is the identity, then more with
#   every epoch in which $R$ moves away from it, to about 11° in the first hidden
#   layer. It is a small error here. It is one that grows the better the network
#   decorrelates.
#
# In practice nobody has the right signal at hand to measure an angle against. Finite
# differences need no right signal. Back to the small network, whose hidden layers are
# equally wide as well:

# %%
for send in (signals.backpropagation, transposed, without_R):
    deltas = send(net.layers, trace, no_feedback, delta_out)
    found = [backend.to_host(delta) for delta in deltas]
    errors = [np.abs(found[k] - by_finite_differences(k)).max() for k in range(3)]
    print(f"{send.__name__:16}", [f"{error:.1e}" for error in errors])
    assert (max(errors) < 1e-6) == (send is signals.backpropagation)

# %% [markdown]
# Read each row from the right, from the output down. The first large number stands in
# the layer *into* which the wrong step leads: for the transposed matrix the first
# layer, for the forgotten $R$ the second one (and all below). Three rules to take
# home:
#
# 1. check a backward pass by finite differences, in float64, before training;
# 2. check it with $R$ away from the identity, or the forgotten $R$ goes unseen;
# 3. give the layers *different* widths too: there a forgotten transpose raises an error.

# %% [markdown]
# ## Exercises
#
# ### Exercise 03.1 · Another loss
#
# With a linear output layer ($f(a) = a$) and $K$ classes, a common loss is the
# cross-entropy of the softmax,
#
# $$\ell = -\sum_i y^*_i \log p_i, \qquad p_i = \frac{e^{y_i}}{\sum_j e^{y_j}} .$$
#
# Derive $\delta_L = -\partial\ell/\partial a_L$ on paper, for targets that sum to 1 (the
# result is short), and write it as a function of a batch: `y` and `targets` are (B, K).


# %%
def output_signal(y, targets):
    # your code
    ...


check("03.1", output_signal)

# %% [markdown]
# ### Exercise 03.2 · Direct feedback alignment
#
# Write the backward pass of DFA for any number of layers. `a` is the list of the
# pre-activations, one (B, O_k) array for each layer; `B` has a matrix for each *hidden*
# layer, (O_k, K); `delta_L` is the signal of the output layer, (B, K). Return the list
# of all signals, the first layer's first, the output's last. Units are leaky ReLU: use
# `df` from Section 1.


# %%
def direct_feedback(a, B, delta_L):
    # your code
    ...


check("03.2", direct_feedback)

# %% [markdown]
# ### Exercise 03.3 · Four suspects
#
# `suspects` holds four backward passes, "A" to "D". One is right; one forgets $R$; one
# leaves out $f'$; one has $W R$ instead of its transpose wherever that fits. Which is
# which? Do not read their code: build networks in which one fault makes *no
# difference*, and see who becomes right. The function below says how far off each
# suspect is; `options` go to `Network`, and `prepare` may change its weights.

# %%
from copi_np.course.lesson_03 import suspects


# %%
def line_up(prepare=lambda net: None, **options):
    rng = np.random.default_rng(1)
    net = Network([5, 4, 4, 3], rng=rng, dtype="float64", **options)
    for _ in range(100):
        net.step(y0, targets, eta_W=0.0, eta_R=0.02)
    prepare(net)
    trace = net.forward(y0)
    _, _, last = right = net.error_signals(trace, targets)
    for name, send in suspects.items():
        wrong = zip(send(net.layers, trace, no_feedback, last), right, strict=True)
        print(name, [f"{np.abs(one - other).max():.1e}" for one, other in wrong])


line_up()

# %% [markdown]
# Give the four letters as one string, in this order: the right one, the one without
# $R$, the one without $f'$, the one that does not transpose.

# %%
answer = ...  # such as "DCBA"
check("03.3", answer)

# %% [markdown]
# Solutions: [solutions/03_error_signals.ipynb](solutions/03_error_signals.ipynb).
#
# ## What you have seen
#
# - The error signal of backpropagation is the negative gradient of a sample's loss in
#   the pre-activations, carried down by $(W R)^\top$: through $R$ as well
#   ([Theorem 7](../docs/theory.md#7-backpropagation-is-the-negative-gradient)).
# - A small step of the states along any signal within 90° of it lowers the loss. A
#   fixed random feedback begins at 90°, and the *forward* weights turn towards it
#   ([Theorem 11](../docs/theory.md#11-the-other-error-signals), held by
#   `tests/mathematics/theorems/test_11_error_signals.py`).
# - Target propagation as printed sends a signal without an error
#   ([claims C14 and C15](../docs/claims.md)); differences mend it.
# - The accuracy does not show a wrong backward pass. Finite differences do.
#
# Next: [04, a deep network](04_deep_network.ipynb), where these signals meet the two
# update rules in one step of Algorithm 1.
