# %% [markdown]
# # 04 · A deep network
#
# **What you will be able to do**
#
# - explain every line of Algorithm 1 of the paper, and show that `Network.step` gives
#   the same weights as the algorithm on one page, to twelve digits;
# - explain why all error signals must be computed before any update;
# - choose a schedule: when to let the lateral weights learn alone, and what
#   `delta_scale` does;
# - break a network in three ways, and find out what went wrong by measuring.
#
# **Time:** 50 minutes to read and run, 30 minutes for the exercises.
#
# **Before this:** notebooks 01 (the rule for $W$), 02 (the rule for $R$) and 03 (error
# signals).
#
# **In the paper:** Appendix A (Algorithm 1), Sections 2.4 to 2.6 and 3.1, Figures 1 and
# 2A.

# %%
import inspect
import re

import numpy as np

from copi_np import Callback, DivergenceError, Network
from copi_np import Schedule, algorithm, fit, load_dataset
from copi_np.course import check
from copi_np.datasets import as_float, one_hot
from copi_np.error_signals import backpropagation
from copi_np.rules import copi_update, decorrelation_update
from copi_np.rules import local_decorrelation_update
from copi_np.whitening import decorrelation_loss
from copi_np.whitening import (
    mean_absolute_correlation as mean_correlation,
)
from copi_np.whitening import off_diagonal, second_moment

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from copi_np.plotting import COLOURS, STYLE, label_ends

plt.rcParams.update(STYLE)

# %%
DATA = "mnist-5k"  # or "digits-8x8"
BATCH = 50

data = load_dataset(DATA)
n_digits, n_pixels = data.train.inputs.shape
n_batches = n_digits // BATCH  # in an epoch
print(n_digits, "digits of", n_pixels, "pixels,", end=" ")
print(n_batches, "batches in an epoch")

# %% [markdown]
# ## 1. The algorithm
#
# You know all the parts. A layer decorrelates its input with $R$ and transforms it with
# $W$; an error signal $\delta$ perturbs the result; both matrices learn. Algorithm 1 in
# the paper's Appendix A puts these parts together. Here it is for one batch, with the
# paper's line numbers:
#
# | lines | what happens | for layers $l$ |
# |---|---|---|
# | 4-8 | $x_l = R_l\, y_{l-1}$, then $a_l = W_l\, x_l$, then $y_l = f(a_l)$ | $1$ to $L$ |
# | 9 | the loss, $\ell = \lVert y_L - y^*\rVert^2$ | |
# | 10-12 | the error signals $\delta_l$ | $L$ to $1$ |
# | 13-16 | both updates, below | $L$ to $1$ |
#
# $$W_l \leftarrow W_l + \eta_W \bigl((a_l + \delta_l)\,x_l^\top -
# W_l\,\mathrm{diag}(x_l^2)\bigr) \qquad \text{(line 14)}$$
#
# $$R_l \leftarrow R_l - \eta_R \bigl((R_l x_l)\,x_l^\top -
# R_l\,\mathrm{diag}(x_l^2)\bigr) \qquad \text{(line 15)}$$
#
# The network has
#
# - leaky ReLUs in every layer, including the output layer: $f(a) = a$ for $a > 0$,
#   otherwise $a / 10$ (the paper does not give the slope; 0.1 is our choice);
# - no biases;
# - forward weights that start as random numbers of variance
#   $2 / (\text{inputs} + \text{outputs})$ (Glorot; the paper only says "randomly
#   initialized"), and lateral weights that start as the identity.
#
# We go through it with a network that is small enough to print: 6 inputs, hidden layers
# of 5 and 4 units, 3 outputs. The library initialises the weights, in `float64` because
# we want to compare digits. First, only the lateral weights learn for a few steps, so
# that they are no longer the identity: otherwise we would not notice a bug that forgets
# them.
#
# The paper counts layers from 1 and Python from 0: the paper's $W_1$ is `layers[0].W`
# here.

# %%
rng = np.random.default_rng(0)
y0 = rng.normal(size=(8, 6)) @ rng.normal(size=(6, 6)) / 2
targets = one_hot(rng.integers(3, size=8), 3, "float64")
batch = y0, targets

settings = {"decorrelation": "local", "dtype": "float64"}
net = Network([6, 5, 4, 3], rng=rng, **settings)
for _ in range(20):
    net.step(*batch, eta_W=0.0, eta_R=0.05)


# %%
def weights_of(net):
    """Return copies of W and R of every layer."""
    return [
        algorithm.LayerWeights(each.W.copy(), each.R.copy())
        for each in net.layers
    ]


layers = weights_of(net)
for k, layer in enumerate(layers):
    print(f"layer {k + 1}: R {layer.R.shape}, ", end="")
    print(f"W {layer.W.shape}; first row of R:", end=" ")
    print(layer.R[0].round(2))

# %% [markdown]
# ## 2. Lines 4 to 8: forward
#
# The algorithm is written for one sample, a column vector. So is the naive version. We
# keep everything that a layer computes, because the updates will need it.


# %%
def f(a):
    return np.where(a > 0, a, 0.1 * a)


def forward_one_sample(layers, y):
    x, a = [], []
    for layer in layers:  # line 4
        x.append(layer.R @ y)  # line 5
        a.append(layer.W @ x[-1])  # line 6
        y = f(a[-1])  # line 7
    return x, a, y


# %% [markdown]
# In a batch, every row is a sample. Transposing $x = R\,y$ gives
# $x^\top = y^\top R^\top$, so we multiply rows from the right, by the transposed
# matrix: `y @ R.T`.
#
# The module `copi_np.algorithm` has all of Algorithm 1 on one page, for batches. Here
# is its forward pass. `decorrelate(R, y)` is `y @ R.T`, and `transform(W, x)` is
# `x @ W.T`; the numbers in the comments are line numbers. It returns a *trace*: lists
# `x`, `a` and `y` with one item per layer.


# %%
def show(function):
    """Print a function without its docstring."""
    docstring = re.compile(r' *""".*?"""\n', re.DOTALL)
    source = inspect.getsource(function)
    print(docstring.sub("", source, count=1))


show(algorithm.forward)

# %%
trace = algorithm.forward(layers, y0)
for sample in range(8):
    x, a, y = forward_one_sample(layers, y0[sample])
    assert np.allclose(y, trace.y[-1][sample])

# %% [markdown]
# It agrees with the naive version. `Network.forward` returns the same trace:

# %%
library = net.forward(batch[0])
for k in range(3):
    assert np.allclose(library.x[k], trace.x[k])
    assert np.allclose(library.a[k], trace.a[k])
print("outputs of a sample:", trace.y[-1][0].round(3))

# %% [markdown]
# ## 3. Lines 9 to 12: loss and error signals
#
# Squared errors are summed over the outputs of a sample, and averaged over the batch.
# So the gradient of one sample's loss with respect to $y_L$ is $2\,(y_L - y^*)$, and
# $\delta_L = -f'(a_L) \circ 2\,(y_L - y^*)$. Remember the factor 2: it matters when we
# compare step sizes with those in the paper.
#
# Line 11 sends the signal down through $\mathrm{d}a_{l+1} / \mathrm{d}a_l$. On its way
# up, $a_l$ goes through $f$, then $R_{l+1}$, then $W_{l+1}$.
#
# **Question.** On its way down the signal passes through the same three. In which
# order? Which of them are transposed? And how do you write the product in code, where
# samples are rows?

# %% [markdown]
# <details><summary>Show the answer</summary>
#
# **Answer** (notebook 03 derives it).
# $\delta_l = f'(a_l) \circ R_{l+1}^\top W_{l+1}^\top\, \delta_{l+1}$: first through
# $W_{l+1}^\top$, then through $R_{l+1}^\top$. With samples in rows the transposes
# disappear: `delta @ W @ R`, with the matrices of layer $l + 1$.
#
# </details>


# %%
def df(a):  # float32 stays float32
    return np.where(a > 0, 1.0, 0.1).astype(a.dtype)


a, y = trace.a, trace.y
error = y[2] - targets
loss = np.mean(np.sum(error**2, axis=1))  # line 9
print(f"loss: {loss:.4f}")

_, layer_2, layer_3 = layers
delta_3 = -df(a[2]) * 2 * error  # line 11, l = L
back = delta_3 @ layer_3.W @ layer_3.R
delta_2 = df(a[1]) * back  # line 11, l < L
back = delta_2 @ layer_2.W @ layer_2.R
delta_1 = df(a[0]) * back

# %% [markdown]
# For any number of layers, this is a loop. `algorithm.error_signals` computes
# `delta_L`, the signal of the output layer, and then calls `backpropagation`. (You can
# ignore `carry`, which is for callers that have a faster way to compute the product,
# and the line about biases, since this network has none.)

# %%
show(backpropagation)

# %%
delta = algorithm.error_signals(layers, trace, targets)
of_network = net.error_signals(library, batch[1])
by_hand = [delta_1, delta_2, delta_3]
for k in range(3):
    assert np.allclose(delta[k], by_hand[k])
    assert np.allclose(delta[k], of_network[k])
print(
    "shapes, first layer first:", *(d.shape for d in delta)
)

# %% [markdown]
# These are the signals of single samples: nothing is divided by the batch size yet.
#
# ## 4. Lines 13 to 16: updates
#
# Algorithm 1 gives the update for one sample; for a mini-batch, "stochastic updates ...
# are averaged" (Section 3.1). The naive version does exactly that:


# %%
def averaged_updates(W, R, x, z):
    """Return dW and dR of one layer."""
    dW, dR = np.zeros_like(W), np.zeros_like(R)
    for x_n, z_n in zip(x, z, strict=True):
        power = np.diag(x_n**2)
        dW += np.outer(z_n, x_n) - W @ power  # line 14
        dR -= np.outer(R @ x_n, x_n) - R @ power  # line 15
    return dW / len(x), dR / len(x)


# %% [markdown]
# Write brackets for the mean over the batch. With $z = a + \delta$ and $q = R\,x$ this
# is
#
# $$\Delta W = \langle z x^\top\rangle - W\,\mathrm{diag}\langle x^2\rangle, \qquad
# \Delta R = -\bigl(\langle q x^\top\rangle -
# R\,\mathrm{diag}\langle x^2\rangle\bigr).$$
#
# In matrix form `W @ np.diag(power)` is `W * power`: a diagonal matrix on the right
# scales columns.


# %%
def updates(W, R, x, z):
    power, q = np.mean(x**2, axis=0), x @ R.T
    dW = z.T @ x / len(x) - W * power  # line 14
    dR = -(q.T @ x / len(x) - R * power)  # line 15
    return dW, dR


# %%
for k, (W, R, _) in enumerate(layers):
    x, z = trace.x[k], a[k] + delta[k]
    dW = copi_update(W, x, z)
    dR = local_decorrelation_update(R, x)
    for by_hand in (averaged_updates, updates):
        mine = by_hand(W, R, x, z)
        assert np.allclose(mine[0], dW)
        assert np.allclose(mine[1], dR)

# %% [markdown]
# ## 5. One step, in two ways
#
# Now we put the three stages together: forward, error signals, updates. Here is the
# whole step from `copi_np.algorithm`. The rules for $W$ and $R$ are arguments.
# `_update` wraps each one, so that it is called with the states that its parameters
# name, such as `W`, `x` and `z`.

# %%
show(algorithm.train_batch)


# %%
def difference(layers, others):
    """Return the largest difference between weights."""
    return max(
        np.max(np.abs(mine - theirs))
        for one, other in zip(layers, others, strict=True)
        for mine, theirs in (
            (one.W, other.W),
            (one.R, other.R),
        )
    )


# %%
rates = {"eta_W": 0.1, "eta_R": 0.1}
local = local_decorrelation_update
after = algorithm.train_batch(
    layers, y0, targets, **rates, decorrelation=local
)
net.step(*batch, **rates)
change = difference(after, layers)
apart = difference(after, weights_of(net))
print(f"largest change of a weight: {change:.2f}")
print(f"largest difference of the two: {apart:.0e}")
assert apart < 1e-12 < change

# %% [markdown]
# The two agree up to rounding. So `Network.step` *is* Algorithm 1, with one
# qualification. Line 15 is the *local* form of decorrelation. The paper also derives
# the *matrix* form, above Eq. 4, and treats the two as equal; notebook 02 showed that
# they are not. The library has both. Its default is the matrix form, since the theorems
# hold for it. From here on we use the default.
#
# Now try a whole epoch on digits, with a new network: 10 batches of 50, in `float64`.

# %%
digits = as_float(data.train.inputs[:500], "float64")
labels = one_hot(
    data.train.labels[:500], data.n_classes, "float64"
)
rows = np.split(np.arange(500), 10)
batches = [(digits[part], labels[part]) for part in rows]
sizes = [n_pixels, 30, 20, data.n_classes]
net = Network(sizes, rng=rng, dtype="float64")

# %%
layers = algorithm.train_epoch(
    weights_of(net), batches, eta_W=0.01, eta_R=0.01
)
for images, answers in batches:
    net.step(images, answers, eta_W=0.01)
apart = difference(layers, weights_of(net))
print(f"after an epoch, they differ by {apart:.0e}")
assert apart < 1e-12

# %% [markdown]
# ## 6. Break it: one loop instead of two
#
# Lines 10-12 and 13-16 both go from the top layer to the bottom. It is tempting to
# merge them into one loop: update a layer, pass the signal down, go to the next layer.
# Then we would not need the list of signals.
#
# **Question.** (a) Line 13 runs from $L$ to $1$. What would change if it ran from $1$
# to $L$? (b) What does the single loop below change? Try to spot the mistake before you
# read on.


# %%
def one_loop(W, R, x, a, delta, eta):
    """Update all layers (with a mistake)."""
    for k in reversed(range(len(W))):
        z = a[k] + delta
        W[k] = W[k] + eta * copi_update(W[k], x[k], z)
        R[k] = R[k] + eta * decorrelation_update(R[k], x[k])
        if k > 0:
            delta = df(a[k - 1]) * (delta @ W[k] @ R[k])


# %% [markdown]
# **Answer.** (a) Nothing. Every update uses its own layer's $x_l$, $a_l$ and
# $\delta_l$, and all of these were computed before any weight moved. (b) The signal
# passes through weights that have already learned from it. So it is no longer the
# gradient. How far it is off depends on the step size:

# %%
trace = algorithm.forward(layers, digits[:50])
delta = algorithm.error_signals(layers, trace, labels[:50])
W, R, _ = layers[2]
x, z = trace.x[2], trace.a[2] + delta[2]
errors = []
for eta in (0.001, 0.01, 0.1):
    W_new = W + eta * copi_update(W, x, z)
    R_new = R + eta * decorrelation_update(R, x)
    stale = df(trace.a[1]) * (delta[2] @ W_new @ R_new)
    off = np.linalg.norm(stale - delta[1])
    errors.append(off / np.linalg.norm(delta[1]))
    print(
        f"eta = {eta}: layer 2 is off by {errors[-1]:.2%}"
    )
assert np.isclose(errors[1] / errors[0], 10, rtol=0.1)

# %% [markdown]
# The error is proportional to $\eta$: ten times the step, ten times the error.
#
# **Question.** Would you notice it in the accuracy? We train a network with two hidden
# layers of 100 units both ways, after 80 steps in which only $R$ learned, with error
# signals multiplied by $s = 100$ and by $s = 500$. The next section explains why you
# would multiply them. (For mnist-5k, 80 steps are an epoch, and the step size is 0.001.
# Section 10 explains why it depends on the data.)

# %%
train_x = as_float(data.train.inputs, "float32")
test_x = as_float(data.test.inputs, "float32")
train_y = one_hot(
    data.train.labels, data.n_classes, "float32"
)

# steps for digits of any size: lambda is 38 for mnist-5k
largest = np.linalg.eigvalsh(second_moment(train_x))[-1]
ETA = round(0.038 / float(largest), 4)
RATES = {"eta_W": ETA, "eta_R": ETA}
print(f"lambda = {largest:.1f}, eta = {ETA}")


def n_epochs(steps):
    """Return the number of epochs with this many steps."""
    return -(-steps // n_batches)


# %%
def train_batch_in_one_loop(layers, y0, targets, s):
    trace = algorithm.forward(layers, y0)
    delta = algorithm.error_signals(layers, trace, targets)
    W = [layer.W for layer in layers]
    R = [layer.R for layer in layers]
    one_loop(W, R, trace.x, trace.a, s * delta[-1], ETA)
    pairs = zip(W, R, strict=True)
    return [algorithm.LayerWeights(*pair) for pair in pairs]


# %%
sizes = [n_pixels, 100, 100, data.n_classes]
rng = np.random.default_rng(0)
start = Network(sizes, rng=rng)
R_alone = Schedule(eta_W=0, eta_R=ETA)
rng = np.random.default_rng(1)
settings = {"epochs": n_epochs(80), "rng": rng}
_ = fit(start, data, schedule=R_alone, **settings)

# %%
STEPS_BY_HAND = 160  # fast: 80


def accuracy_by_hand(s, correct):
    layers = weights_of(start)
    rng = np.random.default_rng(2)
    for _ in range(n_epochs(STEPS_BY_HAND)):
        rows = rng.permutation(n_digits)
        for part in np.array_split(rows, n_batches):
            batch = train_x[part], train_y[part]
            if correct:
                layers = algorithm.train_batch(
                    layers, *batch, **RATES, delta_scale=s
                )
            else:
                layers = train_batch_in_one_loop(
                    layers, *batch, s
                )
    y = algorithm.forward(layers, test_x).y[-1]
    return np.mean(y.argmax(axis=1) == data.test.labels)


# %%
with np.errstate(all="ignore"):  # overflows
    for s in (100, 500):
        right = accuracy_by_hand(s, correct=True)
        wrong = accuracy_by_hand(s, correct=False)
        print(
            f"s = {s}: {right:.1%} with two loops,", end=" "
        )
        print(f"{wrong:.1%} with one")
        assert right > 0.8
        if s == 100:
            assert abs(right - wrong) < 0.02
        else:
            assert wrong < 0.2

# %% [markdown]
# **Answer.** With $s = 100$ you would not: the two differ by about one test digit in a
# thousand. With $s = 500$ the correct algorithm learns, and the wrong one blows up. You
# would lower the step size and never know what was wrong. **Accuracy does not tell you
# whether an algorithm is right.** A comparison to twelve digits with something known to
# be right does. That is why the steps in these notebooks end with an `assert`. In
# Exercise 04.2 you fix the single loop.
#
# ## 7. Training
#
# Now we use the library, and all digits (of mnist-5k, 4,000 to train on and 1,000 to
# test on), with 200 units in each hidden layer. For the schedule we make three choices.
#
# - **The step sizes.** $\eta_W = \eta_R$, as in the paper. Notebook 05 shows what you
#   lose if they differ.
# - **`delta_scale`** multiplies all error signals. The COPI update is
#   $\Delta W = s\,G + W\,\mathrm{off}(C)$
#   ([Theorem 1](../docs/theory.md#1-copi-is-sgd-plus-a-correlation-term)). Here $s$
#   is `delta_scale`, $G = \langle\delta x^\top\rangle$ is the negative gradient, and
#   $\mathrm{off}(C)$ holds the covariances of the inputs. So $s$ sets how fast a layer
#   learns *from errors*, without changing the balance between $W$ and $R$. We use
#   $\eta = 0.001$ and $s = 500$, as the published journal version of the paper does (a
#   factor of 1000 there, on signals without the factor 2 of line 9).
# - **A first epoch in which only $R$ learns**, `first_eta_W=0`.
#
# **Question.** Why should only $R$ learn at first? What do you expect if everything
# learns at once, with the same step sizes?

# %%
STEPS = 480  # fast: 240
SIZES = [n_pixels, 200, 200, data.n_classes]


def train(schedule, steps=STEPS, **settings):
    rng = np.random.default_rng(0)
    net = Network(SIZES, rng=rng, **settings)
    training = {"epochs": n_epochs(steps), "rng": rng}
    return net, fit(
        net, data, schedule=schedule, **training
    )


def expect_divergence(schedule, **settings):
    try:
        train(schedule, steps=80, **settings)
    except DivergenceError as error:
        print(error)
    else:
        raise AssertionError("it was expected to diverge")


# %%
expect_divergence(Schedule(**RATES, delta_scale=500))

# %%
R_FIRST = {"first_epochs": n_epochs(80)}
R_FIRST |= {"first_eta_W": 0, "first_eta_R": ETA}

s_500 = Schedule(**RATES, **R_FIRST, delta_scale=500)
net, history = train(s_500)
for epoch in history:
    print(f"epoch {epoch.epoch}:", end=" ")
    print(f"train {epoch.train_accuracy:.1%},", end=" ")
    print(f"test {epoch.test_accuracy:.1%}")
assert history[0].test_accuracy < 0.25
assert history[-1].test_accuracy > 0.88

# %% [markdown]
# **Answer.** If everything learns at once, the network diverges within the first dozen
# batches. With $R$ first, it spends 80 steps at chance, and after 80 steps of learning
# it classifies about 90 % of unseen digits correctly.
#
# Does it diverge because the COPI rule assumes decorrelated inputs? Try SGD, which does
# not. And look at what changes in an epoch in which only $R$ learns:

# %%
at_once = Schedule(**RATES, delta_scale=500)
expect_divergence(at_once, rule="sgd")


# %%
def largest_eigenvalues(network):
    x = network.forward(train_x).x
    of_all = [
        np.linalg.eigvalsh(second_moment(v)) for v in x
    ]
    return np.array([values[-1] for values in of_all])


new = Network(SIZES, rng=np.random.default_rng(0))
alone, _ = train(R_alone, steps=80)
before, after = map(largest_eigenvalues, (new, alone))
print("largest eigenvalue of C in each layer")
print("new:          ", before.round(1))
print("after R alone:", after.round(1))
assert after[0] < before[0] / 4

# %% [markdown]
# SGD diverges just as fast. So the step size is the problem: $W$ changes by
# $s\,\eta\,G$, with $s\,\eta = 0.5$, and along an eigenvector of $C$ with eigenvalue
# $\lambda$ this changes the layer's response in proportion to $s\,\eta\,\lambda$. Raw
# digits have one very large eigenvalue, 38. Decorrelation reduces it to about 5, and
# those of the layers above to about a quarter. With smaller error signals you do not
# need this first epoch:

# %%
gentle = Schedule(**RATES, **R_FIRST, delta_scale=100)
gentle_at_once = Schedule(**RATES, delta_scale=100)
runs = {"500, R first": history}
runs["100, R first"] = train(gentle)[1]
runs["100, at once"] = train(gentle_at_once)[1]

last = {s: run[-1].test_accuracy for s, run in runs.items()}
assert last["100, at once"] > last["100, R first"] - 0.01

# %% tags=["hide-input"]
figure, axes = plt.subplots(
    figsize=(7, 4), layout="constrained"
)
for (name, records), colour in zip(
    runs.items(), COLOURS, strict=False
):
    by_epoch = [record.epoch for record in records]
    for split, line in (("train", "--"), ("test", "-")):
        axes.plot(
            by_epoch,
            [
                100 * getattr(record, f"{split}_accuracy")
                for record in records
            ],
            line,
            color=colour,
            label=f"s = {name}, {split}",
        )
axes.set(xlabel="epoch", ylabel="accuracy (%)")
axes.set(ylim=(80, 100.5))
axes.set_title(
    "a larger signal gets further; test lags train"
)
label_ends(axes)

# %% [markdown]
# (For the networks in which $R$ goes first, the first epoch, at chance, is off the
# bottom of the plot.) With $s = 100$ you can leave out this epoch: the network in which
# everything learns at once is even ahead, by what the other one spent on $R$.
# What this epoch makes possible is the larger signal, which gets further in the same
# time. In all three, a gap soon opens between training and test accuracy: 4,000 digits
# are not many for a network with 200,000 forward weights.
#
# ## 8. What the layers see
#
# Layer $l$ gets $y_{l-1}$ and works on $x_l = R_l\,y_{l-1}$. We look at both with two
# measures of notebook 02: the mean absolute correlation between two units, and the
# decorrelation loss, the mean square of the covariances.
#
# **Question.** In which layer will $R$ have achieved the most? Think of what keeps
# changing below a layer.

# %%
trace = net.forward(train_x)
correlation, covariance = [], []
for y, x in zip(trace.y_in, trace.x, strict=True):
    both = second_moment(y), second_moment(x)
    correlation.append([mean_correlation(C) for C in both])
    covariance.append([decorrelation_loss(C) for C in both])

# %% tags=["hide-input"]
figure, panels = plt.subplots(
    1, 2, figsize=(8, 3.4), layout="constrained"
)
names = ["before R, $y_{l-1}$", "after R, $x_l$"]
for axes, values in zip(
    panels, (correlation, covariance), strict=True
):
    for i in range(2):
        axes.bar(
            np.arange(3) + 0.36 * i,
            [pair[i] for pair in values],
            0.34,
            color=COLOURS[2 - 2 * i],
        )
    axes.set(xlabel="layer", xticks=np.arange(3) + 0.18)
    axes.set_xticklabels(["1", "2", "3"])
panels[0].set_ylabel("mean absolute correlation")
panels[1].set(ylabel="decorrelation loss", yscale="log")
figure.suptitle("R does most in the first layer")
_ = figure.legend(
    names,
    loc="outside lower center",
    ncols=2,
    frameon=False,
)

# %%
for k in range(3):
    before, after = correlation[k]
    print(f"layer {k + 1}: correlation", end=" ")
    print(f"{before:.2f} -> {after:.2f},", end=" ")
    assert after < before
    before, after = covariance[k]
    print(f"loss {before:.1e} -> {after:.1e}")
    assert after < before / (50 if k == 0 else 1)

# %% [markdown]
# **Answer.** In the first: its decorrelation loss falls by a factor of more than a
# hundred, those of the other two by a factor of two to four. Their inputs keep changing
# while the layers below learn, and $R$ has to keep up. Correlations fall less than
# covariances, since decorrelation also shrinks the variances, and a correlation is a
# covariance relative to the variances.
#
# ## 9. Break it: R frozen
#
# What if we keep the COPI rule but drop the lateral weights, so that $x_l = y_{l-1}$?
# Gradient descent does not need decorrelated inputs; most networks are trained without
# them. We use a smaller step and $s = 100$, so that nothing explodes right away, and
# train three networks: COPI and SGD without lateral weights, and COPI with them.
#
# **Question.** The COPI rule decays each weight by $\langle x_j^2\rangle$ alone, as if
# the other inputs had nothing to do with input $j$. If they are correlated with it,
# will the network learn more slowly, learn nothing, or do something else?


# %%
class Watch(Callback):
    """Record accuracy and the first W R at every epoch."""

    def __init__(self):
        self.accuracy, self.maps = [], []

    def on_start(self, network, history):
        self.maps.append(network.layers[0].folded().copy())

    def on_epoch(self, network, record):
        self.accuracy.append(100 * record.test_accuracy)
        self.maps.append(network.layers[0].folded().copy())


# %%
SLOW = 0.3 * ETA


def watch(rule, decorrelation, s, steps=400):
    rng, watched = np.random.default_rng(0), Watch()
    net = Network(
        SIZES,
        rng=rng,
        rule=rule,
        decorrelation=decorrelation,
    )
    slow = Schedule(eta_W=SLOW, eta_R=SLOW, delta_scale=s)
    settings = {"epochs": n_epochs(steps), "schedule": slow}
    settings |= {"rng": rng, "callbacks": [watched]}
    try:
        fit(net, data, **settings)
    except DivergenceError as error:
        print(error)
    return watched


# %%
frozen = watch("copi", None, 100)
sgd = watch("sgd", None, 100)
learning = watch("copi", "matrix", 100)
print("test accuracy after each epoch, in per cent")
print("COPI, R frozen:", np.round(frozen.accuracy, 1))
print("SGD,  R frozen:", np.round(sgd.accuracy, 1))
print("COPI, R learns:", np.round(learning.accuracy, 1))
assert min(sgd.accuracy[-1], learning.accuracy[-1]) > 85
early = len(frozen.accuracy) < len(sgd.accuracy)
assert early or frozen.accuracy[-1] < 60

# %% [markdown]
# **Answer.** Something else. The network starts to learn, and then forgets everything.
# The other two learn.
#
# **Diagnosis.** Look at the update, $\Delta W = s\,G + W\,\mathrm{off}(C)$. Only the
# first term comes from the gradient. How large is the other one before learning?

# %%
rng = np.random.default_rng(0)
fresh = Network(SIZES, rng=rng, decorrelation=None)
signals = fresh.error_signals(
    fresh.forward(train_x), train_y, delta_scale=100
)
G = signals[0].T @ train_x / n_digits
off_C = off_diagonal(second_moment(train_x))
extra = fresh.layers[0].W @ off_C
share = np.linalg.norm(extra) / np.linalg.norm(G)
print(f"W off(C) is {share:.0%} of the size of s G")
assert share < 0.5

# %% [markdown]
# It is small. But the gradient shrinks as the errors do, and its direction changes with
# them, while the other term pushes in the same direction at every step. With no error
# at all, $s = 0$, only this term is left, and each step multiplies $W$ by $I +
# \eta\,\mathrm{off}(C)$. Now $\mathrm{off}(C)$ is symmetric and its trace is 0. So its
# largest eigenvalue $\lambda$ is positive, unless the whole matrix is zero. Along the
# corresponding eigenvector $v$, the direction in which all pixels are bright together,
# $W$ grows by a factor of $1 + \eta\lambda$ at each step: by $e^{80\,\eta\lambda}$ in
# an epoch of 80 batches (mnist-5k). This is a prediction. To test it, we switch the
# error signal off and measure.

# %%
eigenvalues, eigenvectors = np.linalg.eigh(off_C)
growth, v = float(eigenvalues[-1]), eigenvectors[:, -1]
predicted = np.exp(n_batches * SLOW * growth)


def lengths(watched):
    """Return ||W R v|| by epoch, relative to the start."""
    found = [np.linalg.norm(M @ v) for M in watched.maps]
    return np.array(found) / found[0]


# %%
alone = lengths(watch("copi", None, 0, steps=80))[1]
with_R = lengths(watch("copi", "matrix", 0, steps=80))[1]
print(f"largest eigenvalue of off(C): {growth:.1f}")
print("growth along v in an epoch without error signal:")
print(f"    predicted          {predicted:.2f}")
print(f"    measured, R frozen {alone:.2f}")
print(f"    measured, R learns {with_R:.2f}")
assert np.isclose(alone, predicted, rtol=0.03)
assert abs(with_R - 1) < 0.02

# %% tags=["hide-input"]
figure, panels = plt.subplots(
    1, 2, figsize=(10, 3.6), layout="constrained"
)
shown = {
    "COPI, R frozen": (frozen, COLOURS[2], "o-"),
    "SGD, R frozen": (sgd, COLOURS[3], "s--"),
    "COPI, R learns": (learning, COLOURS[0], "o-"),
}
for name, (run, colour, line) in shown.items():
    after_epoch = np.arange(1, len(run.accuracy) + 1)
    broad = 4 if run is sgd else 1.6  # they coincide
    look = {"color": colour, "linewidth": broad}
    panels[0].plot(after_epoch, run.accuracy, line, **look)
    panels[1].semilogy(
        lengths(run), line, label=name, **look
    )
exponent = np.arange(len(frozen.maps))
panels[1].semilogy(
    predicted**exponent,
    ":",
    color="gray",
    label="predicted, no errors",
)
panels[0].set(xlabel="epoch", ylabel="test accuracy (%)")
panels[0].set(
    ylim=(0, 100), title="without R, COPI forgets"
)
panels[1].set(
    xlabel="epoch", title="because W grows along v"
)
panels[1].set(ylabel=r"$\|W R v\|$, relative")
label_ends(panels[1])

# %% [markdown]
# The prediction is right: with $R$ frozen and no errors, $W$ grows along $v$ by a
# factor of about 2.5 in an epoch of mnist-5k. With error signals (right, COPI with $R$
# frozen) the growth is not much slower, epoch after epoch, until the network is ruined:
# the gradient cannot stop it. If $R$ learns, the layer's response to $v$ stays close to
# where it was. SGD, which has no such term, is safe.
#
# So smaller steps would not fix this: they slow down both growth and learning. What
# fails is the assumption. Each weight infers what its *own* input contributes, as if
# the others were unrelated to it. If they are related, each of them claims what they
# explain together, and the layer counts it many times over. The fix is the other half
# of COPI: let $R$ learn, as fast as $W$.
#
# ## 10. Break it: a step too large
#
# The paper trains on MNIST with steps of 0.01 in the first epoch and 0.1 afterwards.
# What if we are impatient?

# %%
too_large = Schedule(eta_W=100 * ETA, eta_R=100 * ETA)
expect_divergence(too_large)

# %% [markdown]
# The library stops as soon as the loss is a million times that of a network whose
# outputs are all zero. The message says *when* (epoch and batch), *where* (layer 0 is
# the first one: the library counts from 0) and *what to lower*. It names the weights
# after which activity grows the most.
#
# **Question.** It blames $W$ of the first layer. Would it help to set $\eta_W = 0$?

# %%
expect_divergence(Schedule(eta_W=0, eta_R=100 * ETA))

# %% [markdown]
# **Answer.** No: then it blames $R$ of the same layer. The message is a clue, not a
# verdict. Change one thing at a time.
#
# **Diagnosis.** You measured it in notebook 02, section 5. Raw digits have a direction
# with $\lambda = 38$, along which a step of $R$ multiplies $x$ by about
# $1 - \eta\lambda$. With $\eta = 0.1$ that is $-2.8$: the step overshoots, $\lambda$
# becomes eight times larger, and the next step overshoots by even more. To be stable,
# $R$ needs $\eta < 2 / \lambda = 0.05$
# ([Theorem 5](../docs/theory.md#5-the-step-size-of-decorrelation)).
#
# **Fix.** Small steps first, larger ones later, as in the paper:

# %%
small_first = {"first_epochs": n_epochs(80)}
small_first |= {"first_eta_W": 10 * ETA}
small_first |= {"first_eta_R": 10 * ETA}
paper = Schedule(
    eta_W=100 * ETA, eta_R=100 * ETA, **small_first
)
_, records = train(paper, steps=240)
print("test accuracy after each epoch, in per cent:")
print(
    *(f"{100 * each.test_accuracy:.1f}" for each in records)
)
assert records[-1].test_accuracy > 0.8

# %% [markdown]
# ## Exercises
#
# ### Exercise 04.1 · The whole network
#
# Without looking at section 2, write the forward pass of a network of any depth: a loop
# over lines 4 to 8. `W` and `R` are lists of matrices, the first layer first; each row
# of `y0` is a sample. Return only the output $y_L$. All units are leaky ReLUs with
# slope 0.1.


# %%
def my_output(W, R, y0): ...  # your code


check("04.1", my_output)

# %% [markdown]
# ### Exercise 04.2 · Fix the single loop
#
# The loop in section 6 updates the weights and sends the signal down in one pass, and
# gets it wrong. Make it exact, while still keeping only one error signal at a time, not
# a list of them. `W`, `R`, `x` and `a` are lists, the first layer first; `delta` is the
# signal of the output layer. Use `copi_update`, `decorrelation_update` and `df`, and
# return both lists of new weights.


# %%
def my_one_loop(W, R, x, a, delta, eta):
    ...  # your code
    # return W, R


check("04.2", my_one_loop)

# %% [markdown]
# ### Exercise 04.3 · How large a step?
#
# `survives(0.01)` tells you whether $R$ of a new network can learn alone for one epoch
# with this step. `survives(0.01, 0.1)` tells you whether it can learn for one epoch
# with the first step and then for another with the second. First predict, then measure:
#
# - Which of 0.01, 0.03, 0.1 and 0.3 is the largest *first* step that survives?
# - After an epoch with that one, which of 0.1, 0.3, 1 and 3 is the largest *second*
#   step that survives?


# %%
mnist = load_dataset("mnist-5k")
sizes = [mnist.n_inputs, 200, 200, mnist.n_classes]


def survives(*steps):
    rng = np.random.default_rng(0)
    net = Network(sizes, rng=rng)
    try:
        for eta_R in steps:
            step = Schedule(eta_W=0, eta_R=eta_R)
            fit(
                net, mnist, epochs=1, schedule=step, rng=rng
            )
    except DivergenceError:
        return False
    return True


answer = ...  # (first, second), for example (0.3, 3)
check("04.3", answer)

# %% [markdown]
# Solutions: [solutions/04_deep_network.ipynb](solutions/04_deep_network.ipynb).
#
# ## What you have seen
#
# - `Network.step` is Algorithm 1: forward, error signals, then all updates from the
#   same trace. It gives the same weights as `copi_np.algorithm`, to twelve digits.
# - If signals pass through weights that have already been updated, they are no longer
#   the gradient. The accuracy may not show it.
# - COPI without decorrelation is unstable: $W\,\mathrm{off}(C)$ makes $W$ grow
#   exponentially, at a rate that you can predict. If $R$ learns, it does not.
# - The largest eigenvalue of the raw inputs limits the first steps. Once the inputs are
#   decorrelated, steps can be larger.
#
# That the paper needs a small first step is claim C28 in
# [claims.md](../docs/claims.md), tested by `test_a_large_step_from_the_start_blows_up`
# and `test_the_first_step_is_bounded_by_the_largest_eigenvalue` in
# `tests/mathematics/test_claims.py`. The tests in `tests/mathematics/test_algorithm.py`
# compare `Network` with `copi_np.algorithm`.
#
# **Next:** [05 · COPI and backpropagation, one term
# apart](05_copi_and_backpropagation.ipynb) explains why $R$ undoes what
# $W\,\mathrm{off}(C)$ does, and what this term is good for.
