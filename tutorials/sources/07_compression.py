# %% [markdown]
# # 07 · Compression
#
# **What you will be able to do**
#
# - derive the linear map that replaces several layers, and check it against least squares;
# - replace several layers of a trained network with one matrix, without retraining;
# - break the method with correlated inputs, and find two faults, one of them hidden by the accuracy;
# - fix it, with a theorem from notebook 05.
#
# **Time:** 35 minutes to read and run, 25 minutes for the exercises.
#
# **Before this:** notebook 05 for the cancellation of Theorem 2; notebook 06 for the linear map; least squares.
#
# **In the paper:** Section 3.2, Appendix B and Figure 3C.

# %%
from itertools import pairwise

import numpy as np

from copi_np import Network, Schedule, fit, load_dataset
from copi_np.analysis import compress, least_squares_map
from copi_np.analysis import stack_map
from copi_np.course import check, classroom
from copi_np.datasets import as_float, one_hot
from copi_np.rules import linear_map
from copi_np.training import evaluate
from copi_np.whitening import (
    mean_absolute_correlation as mean_correlation,
)
from copi_np.whitening import second_moment

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from copi_np.plotting import COLOURS, STYLE, label_ends

plt.rcParams.update(STYLE)

# %% [markdown]
# ## 1. COPI's fixed point
#
# COPI's forward weights change by $\Delta W = \langle z x^\top\rangle - W\,\mathrm{diag}\langle x^2\rangle$. If the
# targets $z$ stay the same, the weights stop changing when $\Delta W = 0$, that is, at
#
# $$W = \langle z x^\top\rangle\,\mathrm{diag}\langle x^2\rangle^{-1},
# \qquad w_{ij} = \frac{\langle z_i x_j\rangle}{\langle x_j^2\rangle} .$$
#
# Appendix B turns this around: we do not have to wait until the weights converge. Given any inputs $x$ and any targets
# $z$, we can *write down* the fixed point. On decorrelated inputs it is the best linear map from $x$ to $z$, in the
# sense of least squares. It needs no matrix inverse and no training.
#
# Let us check this on a small example: three exactly decorrelated inputs, and two targets that are *not* linear in
# them. First as a loop:

# %%
rng = np.random.default_rng(0)
orthogonal, _ = np.linalg.qr(rng.normal(size=(20, 3)))
x = orthogonal * [1, 2, 3]  # decorrelated
z = [np.tanh(x[:, 0] - x[:, 1]), np.abs(x[:, 2])]
z = np.stack(z, axis=1)

W = np.zeros((2, 3))
for i in range(2):
    for j in range(3):
        W[i, j] = sum(z[:, i] * x[:, j]) / sum(x[:, j] ** 2)
print(W.round(3))

# %% [markdown]
# **Question.** `numpy.linalg.lstsq` solves for all weights at once. The loop looks at one pair of input and target at a
# time. Will they agree, although $z$ is not linear in $x$?


# %%
def fit_line(x, z):
    return np.linalg.lstsq(x, z, rcond=None)[0].T


least_squares = fit_line(x, z)
assert np.allclose(W, least_squares)
assert np.allclose(linear_map(x, z), least_squares)

mixed = x @ rng.normal(size=(3, 3))  # the same, correlated
apart = np.abs(W - least_squares).max()
error = linear_map(mixed, z) - fit_line(mixed, z)
print(f"decorrelated {apart:.1e},", end=" ")
print(f"correlated {np.abs(error).max():.1e}")
assert np.abs(error).max() > 0.01

# %% [markdown]
# **Answer.** They agree up to rounding, whatever the targets are: without correlations, no input can do the work of
# another. On correlated inputs the formula and least squares differ. Keep this in mind. ($x$ and $z$ are not centred,
# here or anywhere in this course.)
#
# ## 2. A network to compress
#
# We train a network of four layers, as in notebook 06. (The paper counts layers from 1, and Python counts from 0: the
# paper's layer 2 is `net.layers[1]`. The text says "layer 2", the code says `1`.)

# %%
DATA = "mnist-5k"
EPOCHS = 6  # fast: 4

data = load_dataset(DATA)
SIZES = [data.n_inputs, 200, 200, 200, data.n_classes]
splits = {}
for name, split in data.splits.items():
    inputs = as_float(split.inputs, "float32")
    wanted = one_hot(
        split.labels, data.n_classes, "float32"
    )
    splits[name] = inputs, wanted
images, test_images = splits["train"][0], splits["test"][0]


# %%
def trained(schedule, **options):
    """Return a network after EPOCHS epochs."""
    rng = np.random.default_rng(0)
    network = Network(SIZES, rng=rng, **options)
    settings = {"epochs": EPOCHS, "schedule": schedule}
    rng = np.random.default_rng(1)
    fit(network, data, rng=rng, **settings)
    return network


def accuracy(network, split="test"):
    """Return the share of digits that are read right."""
    return evaluate(network, *splits[split])[0]


# %%
first = {"first_epochs": 1, "first_eta_R": 1e-3}
net = trained(
    Schedule(1e-3, 1e-3, delta_scale=500, **first)
)
print(
    f"accuracy: train {accuracy(net, 'train'):.3f},",
    end=" ",
)
print(f"test {accuracy(net):.3f}")
assert accuracy(net) > 0.91

# %% [markdown]
# ## 3. Two layers become one
#
# Between the decorrelated input $x_2$ of layer 2 and the output $y_3$ of layer 3 there are two matrices of forward
# weights, one of lateral weights, and two leaky ReLUs. We treat all of this as one unknown function, $y_3 = h(x_2)$,
# and replace it with the best linear map. One pass over the training set gives us all we need. `stack_map` does the
# same in chunks, for any number of images.

# %%
trace = net.forward(images)
x_2, y_3 = trace.x[1], trace.y[2]
W = linear_map(x_2, y_3)

by_call = stack_map(net, images, first=1, last=2)
size = np.abs(W).max()
assert np.allclose(by_call, W, rtol=1e-3, atol=1e-4 * size)
print("one matrix", W.shape, "for layers 2 and 3")

# %% [markdown]
# The result is a network of three layers: layer 1 as before; then $R_2$ and the new matrix, with *no* activation
# function, since the map goes to outputs that already include one; then layer 4 as before.
#
# **Question.** The network had no chance to adapt to the change. What accuracy do you expect, between 10 % (guessing)
# and the accuracy before?

# %%
layer_1, layer_2, _, layer_4 = net.layers
_, _, y = layer_1.forward(test_images)  # x, a and y
x = y @ layer_2.R.T
y = x @ W.T  # in place of layers 2 and 3
_, _, outputs = layer_4.forward(y)
right = outputs.argmax(axis=1) == data.test.labels
print(f"test accuracy {np.mean(right):.3f}")

# %% [markdown]
# `compress` builds this network for you: you say how many layers to keep. You can evaluate, save and train the result
# like any other network.

# %%
small = compress(net, images, keep=3)
found = small.predict(test_images)
assert np.allclose(found, outputs, atol=1e-2)
print("sizes", small.config["sizes"])
print("activations", small.config["activation"])
print(f"test accuracy {accuracy(small):.3f}")
assert 0.8 < accuracy(small) < accuracy(net) - 0.03

# %% [markdown]
# **Answer.** About 86 %, down from nearly 94 %. That is a high price for one layer. Why is it so high?
#
# ## 4. Layer by layer
#
# Let us replace layers 2 to $k$ with one matrix, for $k = 2$, 3 and 4: one, two or three layers. (With $k = 2$ we only
# remove the leaky ReLU of layer 2.) To find out what is possible, we do it a second time with least squares instead of
# the formula. This needs what the formula avoids: the inverse of a 200 by 200 matrix.
#
# **Question.** What costs more accuracy: that the layers are not linear, or that their inputs are not perfectly
# decorrelated? The first affects least squares too, the second only the formula.


# %%
MAPS = {"formula": stack_map}
MAPS["least squares"] = least_squares_map


def curves(network):
    """Return accuracies with 0 to 3 layers replaced."""
    found = {label: [accuracy(network)] for label in MAPS}
    for keep in (4, 3, 2):
        for label, by in MAPS.items():
            small = compress(
                network, images, keep, linear_map=by
            )
            found[label].append(accuracy(small))
    return {
        label: np.array(v) for label, v in found.items()
    }


# %%
def show(title, found):
    """Print and draw accuracies by layers replaced."""
    print("layers replaced         0     1     2     3")
    for label, values in found.items():
        print(f"{label:22s}", end="")
        print(*(f"{value:.3f}" for value in values))
    percent = {
        k: 100 * np.array(v) for k, v in found.items()
    }
    return classroom.named_curves(
        {title: percent}, "accuracy (%)", "layers replaced"
    )


# %%
before = curves(net)
to_linearity = accuracy(net) - before["least squares"]
to_correlation = before["least squares"] - before["formula"]
print("lost to linearity  ", to_linearity.round(3))
print("lost to correlation", to_correlation.round(3))
assert np.all(to_correlation[1:] > to_linearity[1:])
show("correlation costs more than linearity", before)

# %% [markdown]
# **Answer.** Correlation, by far. We lose five to six points of accuracy because the inputs of the layers are not
# decorrelated well enough, and only one to three because the layers are not linear. That is good news: we can fix the
# first problem.
#
# How much do we save? To use a trained network, we fold $W R$ of each layer into one matrix, as `predict` does. Then
# networks of these sizes have the following numbers of weights.

# %%
inputs, outputs = SIZES[0], SIZES[-1]
for hidden in ([200, 200, 200], [200, 200], [200]):
    sizes = [inputs, *hidden, outputs]
    n_weights = sum(a * b for a, b in pairwise(sizes))
    print(
        f"{len(hidden) + 1} layers: {n_weights:7,d} weights"
    )

# %% [markdown]
# Two thirds of the weights of the full network are in layer 1, which stays.
#
# ## 5. Break it: correlated inputs
#
# If small correlations cost up to six points, what do large ones cost? We break the method in two ways:
#
# - We forget $R$. The map is fitted to the raw outputs $y_1$ of layer 1, not to $x_2 = R_2 y_1$.
# - We compress a network that never had any $R$, because it learned by backpropagation with Adam.
#
# **Question.** What accuracies do you expect: the same as above, a few points lower, or useless?


# %%
def forget_R(network, keep):
    """Compress with a map from raw outputs of layer 1."""
    small = compress(network, images, keep)
    trace = network.forward(images)
    W = linear_map(trace.y[0], trace.y[5 - keep])
    small.layers[1].W = np.ascontiguousarray(W)
    small.layers[1].R = np.eye(W.shape[1], dtype="float32")
    return small


# %%
constant = Schedule(1e-4, 0)
adam = trained(constant, rule="adam", decorrelation=None)
of_adam = curves(adam)
small = [net, *(forget_R(net, keep) for keep in (4, 3, 2))]
broken = {"COPI": before["formula"]}
broken["COPI, R forgotten"] = [
    accuracy(one) for one in small
]
broken["Adam"] = of_adam["formula"]
broken["Adam, least squares"] = of_adam["least squares"]

forgotten = np.array(broken["COPI, R forgotten"])
assert np.all(forgotten[1:] < broken["COPI"][1:])
assert max(broken["Adam"][1:]) < min(broken["COPI"]) - 0.05
assert min(broken["Adam, least squares"]) > 0.8
show("the formula needs decorrelated inputs", broken)

# %% [markdown]
# **Answer.** Close to useless for Adam's network: it loses 20 to 53 points. But nothing is wrong with the network:
# least squares compresses it about as well as COPI's, and again costs only one to three points. It is the formula
# that fails, because the inputs are correlated. (Forgetting $R$ costs another 16 points when we replace only layer 2,
# but less than one when we replace all three layers.) Let us measure the correlations.

# %%
inputs = {
    "COPI, $x_2$": trace.x[1],
    "COPI, $y_1$": trace.y[0],  # R forgotten
    "Adam, $y_1$": adam.forward(images).y[0],
}
for label, x in inputs.items():
    C = second_moment(x)
    print(f"{label:12s} {mean_correlation(C):.3f}")

# %% [markdown]
# Theorem 8 tells us what correlations do. Let $\rho$ be the matrix of correlations between the inputs, $\rho_{jk} =
# \langle x_j x_k\rangle / \sqrt{\langle x_j^2\rangle \langle x_k^2\rangle}$. In units of the inputs' root mean squares,
#
# $$W_{\mathrm{formula}} = W_{\mathrm{least\ squares}}\,\rho .$$
#
# Each eigenvector of $\rho$ is a pattern of inputs that vary together, and its eigenvalue says how strongly. For such a
# pattern, the formula gives the right output *times the eigenvalue*. If the inputs are decorrelated, then $\rho = I$,
# all eigenvalues are 1, and the output is right. Otherwise some patterns are amplified and others are damped, since the
# eigenvalues add up to the number of inputs.


# %%
def correlations(x):
    """Return the matrix of rho."""
    C = second_moment(x.astype("float64"))
    rms = np.sqrt(np.diag(C))
    return C / np.outer(rms, rms)


x, y = x_2.astype("float64"), y_3.astype("float64")
rms = np.sqrt(np.mean(x**2, axis=0))
found, best = linear_map(x, y) * rms, fit_line(x, y) * rms
assert np.allclose(found, best @ correlations(x))

spectra = {}
for label, inputs_of in inputs.items():
    rho = correlations(inputs_of)
    spectra[label] = np.linalg.eigvalsh(rho)[::-1]
    largest = spectra[label][0]
    print(
        f"{label}: the largest eigenvalue is {largest:.0f}"
    )

# %% tags=["hide-input"]
figure, axes = plt.subplots(
    figsize=(7, 3.8), layout="constrained"
)
for (label, spectrum), colour in zip(
    spectra.items(), COLOURS, strict=False
):
    axes.plot(
        1 + np.arange(len(spectrum)),
        spectrum,
        color=colour,
        label=label,
    )
axes.axhline(1, color="gray", linestyle=":")
axes.set(xscale="log", yscale="log", ylim=(1e-3, 200))
axes.set(xlabel="pattern, strongest first")
axes.set(ylabel=r"eigenvalue of $\rho$")
axes.set_title("dotted: decorrelated; COPI's are closest")
label_ends(axes)
plt.show()

# %% [markdown]
# Adam's units are so strongly correlated that one pattern is amplified about seventy times. COPI's $x_2$ is far better,
# but not perfect: its strongest pattern is still amplified thirteen times.
#
# ## 6. The fault that accuracy hides
#
# If this is right, the outputs of our compressed network should be far too large.
#
# **Question.** Why does the accuracy not show it?


# %%
def growth_of_outputs(small):
    """Return how many times as large the outputs are."""
    found = small.predict(images)
    wanted = net.predict(images)
    return np.sum(found * wanted) / np.sum(wanted**2)


def test_loss(network):
    return evaluate(network, *splits["test"])[1]


small = compress(net, images, keep=2)
share = growth_of_outputs(small)
print(f"outputs are {share:.1f} times as large as before")
print(f"loss before {test_loss(net):.3f},", end=" ")
print(f"compressed {test_loss(small):.3f}")
assert share > 3

# %% [markdown]
# **Answer.** Because the class is the *largest* output, and if all outputs are five times too large, it is still the
# largest. Layers after the matrix pass the factor on: if $a$ is five times as large, so is its leaky ReLU.
#
# The loss shows it at once. So be careful with the accuracies of compressed networks, as in the paper's Figure 3C: a
# network compressed by the formula may classify well, although its outputs are useless for anything else.
#
# ## 7. The fix: decorrelate further, without learning
#
# We need better decorrelation. More training would decorrelate further, but it would also change the network that we
# want to compress. Can $R$ keep learning without changing what the network computes?
#
# It can, by Theorem 2 from notebook 05: with $\eta_W = \eta_R$, the COPI rule cancels the motion of $R$. Then only the
# error signal changes the map $W R$ of each layer, up to second order in the step size. So we switch the error signal
# off, `delta_scale=0`, and continue.
#
# **Question.** With $\delta = 0$, what are the updates of $R$ and $W$?

# %%
ROUNDS = 3  # fast: 2
still = Schedule(0.03, 0.03, delta_scale=0)
was = net.predict(test_images)
for n in range(ROUNDS):
    rng = np.random.default_rng(2 + n)
    fit(net, data, epochs=5, schedule=still, rng=rng)
    x_2 = net.forward(images).x[1]
    left = mean_correlation(second_moment(x_2))
    now = net.predict(test_images)
    moved = np.linalg.norm(now - was) / np.linalg.norm(was)
    print(f"correlation of x_2 {left:.3f},", end=" ")
    print(f"accuracy {accuracy(net):.3f},", end=" ")
    print(f"outputs moved by {moved:.1%}")
assert moved < 0.1
assert left < 0.025

# %% [markdown]
# **Answer.** $R$ gets its usual update. $W$ gets $\langle a x^\top\rangle - W\,\mathrm{diag}\langle x^2\rangle =
# W\,\mathrm{off}(C)$, where $C = \langle x x^\top\rangle$. This is exactly what compensates for the change of $R$.
#
# The outputs moved by about 5 %, since the step size is not infinitely small, and the accuracy is the same. But the
# correlations of layer 2's inputs are about a ninth of what they were.

# %%
after = curves(net)
both = {"before": before, "after": after}
curve = {
    f"{label}, {when}": found[label]
    for when, found in both.items()
    for label in MAPS
}
gain = after["formula"] - before["formula"]
assert np.all(gain[1:] > 0.02)
show("now the formula nearly equals least squares", curve)

# %%
largest = np.linalg.eigvalsh(correlations(x_2))[-1]
print(f"largest eigenvalue {largest:.1f}")
for label, by in MAPS.items():
    small = compress(net, images, keep=2, linear_map=by)
    share = growth_of_outputs(small)
    print(f"{label}: loss {test_loss(small):.3f},", end=" ")
    print(f"outputs {share:.2f} times as large as before")
    assert share < 2

# %% [markdown]
# The formula is now within a point of least squares, and the outputs have the right size. The accuracy falls from about
# 94 % to 92, 91 and 91 %; before, it fell to 87, 86 and 85 %. What we lose now, the best linear map loses too: it is
# the price of removing the nonlinearities.
#
# (The paper does not do this. It compresses its networks as they are after training.)
#
# ## 8. Break it: from the first layer
#
# Why stop at layer 2? The smallest network would be a single matrix from the pixels to the classes. The paper never
# removes layer 1, because of "many input pixels with a consistently zero activation across all data samples".
#
# **Question.** What does the paper's formula, without any check for zeros, give for those pixels? How many *digits*
# will the compressed network get right?

# %%
trace = net.forward(images)
x_1, y_4 = trace.x[0], trace.y[3]
with np.errstate(invalid="ignore"):
    power = np.sum(x_1**2, axis=0)
    W = y_4.T @ x_1 / power  # as printed in the paper
outputs = net.forward(test_images).x[0] @ W.T
print("NaN:", np.isnan(W).sum(), "of", W.size, "weights,")
n_numbers = np.sum(~np.isnan(outputs).all(axis=1))
print("and all outputs but those of", n_numbers, "digits")
assert np.isnan(outputs).all()

# %% [markdown]
# **Answer.** None. A weight of 0/0 is NaN, "not a number". NaN times the pixel's zero is NaN again, and so is every
# sum that contains it. **Diagnosis:** count the NaN, as above, and look where they are: they fill whole columns of
# $W$, those of the pixels that are always zero. **The fix:** such a pixel carries no information, so set its weight
# to 0. `linear_map`, `stack_map` and `compress` do this, so the first layer *can* be removed.
#
# **Question.** With this fix, will one matrix from the pixels to the classes be nearly as good as one from $x_2$?

# %%
print("                               train   test")
for label, by in MAPS.items():
    one = compress(net, images, 1, first=0, linear_map=by)
    two = compress(net, images, 2, linear_map=by)
    stacks = {"from the pixels": one, "from layer 2": two}
    for title, small in stacks.items():
        print(f"{title:15s} {label:13s}", end=" ")
        print(f"{accuracy(small, 'train'):6.3f}", end=" ")
        print(f"{accuracy(small):6.3f}")
    assert accuracy(one) < accuracy(two) - 0.05

# %% [markdown]
# **Answer.** No, it is about ten points worse. But the dead pixels are not to blame, since least squares loses just
# as much. A single matrix from the pixels to the classes is a linear classifier, and a linear classifier of pixels is
# not good enough for digits. Layer 1 computes features from which a linear classifier works. That is a better reason
# to keep it.
#
# ## 9. Figure 3C, and this notebook
#
# The paper compresses five-layer networks (it counts the input as a layer), 784-500-500-500-10, trained on all of MNIST
# with five seeds. It finds that "the network performance stays relatively high". Here we used 4,000 of the 60,000
# digits, narrower layers, another schedule and one seed. So do not compare the numbers. For full-size networks, see
# claim C34 of the [claims](../docs/claims.md).
#
# The paper says that it replaces "up to 3 hidden layers", but also that it never replaces the first layer. If layer 1
# stays, three *layers of weights*, 2 to 4, can become one, which removes two of the three hidden layers. We count this
# way, and so does `copi_np.experiments.figure3`, which draws the figure for trained networks of any depth.
#
# ## Exercises
#
# ### Exercise 07.1 · What a network has to learn
#
# While it learns, a network needs $R$ and $W$ of each layer. Write a function of `sizes`, such as `[784, 200, 200, 200,
# 10]`, that counts all of these weights.


# %%
def n_learned(sizes):
    return ...  # your code


check("07.1", n_learned)

# %% [markdown]
# ### Exercise 07.2 · One matrix, from outputs to outputs
#
# To use the compressed network, we want to fold the lateral weights into the map. You are given `y_in` (B, I), the
# outputs of the layer below, the lateral weights `R` (I, I), and `y_out` (B, O), the outputs of the last layer that we
# replace. Return a single matrix `M` (O, I) with $y_{\mathrm{out}} \approx M y_{\mathrm{in}}$. Use COPI's formula where
# it is right: on the decorrelated inputs $x = R y_{\mathrm{in}}$. An input may be zero in all samples.


# %%
def my_matrix(y_in, R, y_out):
    return ...  # your code


check("07.2", my_matrix)

# %% [markdown]
# ### Exercise 07.3 · To the output, or to the pre-activation?
#
# We mapped $x_2$ to the *output* $y_3$, and left out the activation function. We could also map to the *pre-activation*
# $a_3$ and keep the function, $y_3 \approx f(W x_2)$, to save at least one nonlinearity. Do this for layers 2 and 3,
# and compare your network with those of `compress`. (Section 7 has changed `net`, so compute the maps again.) Which
# statement is true?
#
# - a: it is better than mapping to $y_3$, and different from all networks that `compress` makes
# - b: it is worse than mapping to $y_3$, since the map was not fitted with $f$ in mind
# - c: it computes exactly what you get if you replace only layer 2, and keep layer 3 as it was
#
# Think about $a_3 = W_3 R_3 y_2$ first. Then try it: compute `linear_map(x_2, a_3)`, and compare the accuracies.

# %%
answer = ...  # "a", "b" or "c"
check("07.3", answer)

# %% [markdown]
# Solutions: [solutions/07_compression.ipynb](solutions/07_compression.ipynb).
#
# ## What you have seen
#
# - You can write down COPI's fixed point for any targets. It is a linear map that needs no matrix inverse and equals
#   least squares on decorrelated inputs. It can replace whole layers (C34 to C37 of the [claims](../docs/claims.md)).
# - On correlated inputs it is least squares times the matrix of correlations. The accuracy hides part of the damage;
#   the loss shows it.
# - With the error signal off, COPI keeps decorrelating, and hardly changes what the network computes (Theorem 2). After
#   that, the formula compressed our network as well as least squares did.
#
# For the proofs, see [Theorem 8](../docs/theory.md#8-the-fixed-point-is-least-squares) and [Theorem
# 2](../docs/theory.md#2-copi-cancels-the-motion-of-r). `tests/mathematics/theorems/test_08_fixed_point.py` tests that
# the map of a compressed network is least squares, and `tests/mathematics/test_analysis.py` tests the functions used
# here.
#
# **Next:** [08 · One synapse](08_one_synapse.ipynb) looks at a single weight.
