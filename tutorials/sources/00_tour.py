# %% [markdown]
# # 00 · Tour: one network, from the first digit to the last mistake
#
# **What you will be able to do**
#
# - explain the two ideas of COPI, and say what every symbol in its two equations stands for;
# - train a network on handwritten digits, and read its learning curves;
# - show what the lateral weights do to a digit, and to the correlations between pixels;
# - break the training, and read from the error what went wrong;
# - choose the notebook that answers your next question.
#
# **Time** 25 minutes to read and run, 20 minutes for the exercises.
#
# **Before this** You have seen a neural network that learns by gradient descent, and matrix products.
# Nothing about COPI.
#
# **In the paper** An overview: Sections 2.1 to 2.5 and Algorithm 1 for the rules, Figure 1 for the layer,
# Figure 3A for the digits.

# %%
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

from copi_np import DivergenceError, Network, Schedule, fit, load_network, rules, save_network
from copi_np.analysis import decorrelation_path
from copi_np.backend import get_backend
from copi_np.course import check
from copi_np.datasets import as_float, load_dataset, one_hot
from copi_np.plotting import COLOURS, STYLE, image_rows, learning_curves
from copi_np.whitening import mean_absolute_correlation, second_moment

BACKEND = "numpy"  # or "cupy" on a machine with a GPU
backend = get_backend(BACKEND)
asarray, host = backend.asarray, backend.to_host  # to the device and back
plt.rcParams.update(STYLE)

# %% [markdown]
# ## 1. The digits
#
# The package comes with 5,000 handwritten digits from MNIST, 4,000 to train on and 1,000 to test on. Each is a
# picture of 28 by 28 pixels, that is 784 numbers between 0 (background) and 1 (ink), with its class, 0 to 9.
#
# A network answers with ten numbers, and the largest one is its guess. What we want it to answer is a *one-hot*
# target: 1 at the class of the digit, 0 elsewhere.

# %%
data = load_dataset("mnist-5k")
images = as_float(data.train.inputs, "float32")  # (4000, 784), between 0 and 1
targets = one_hot(data.train.labels, 10, "float32")  # (4000, 10)
test_images = as_float(data.test.inputs, "float32")
print("images", images.shape, " targets", targets.shape)
print("the first digit is a", data.train.labels[0], "and its target", targets[0])
image_rows({"digits": images[:10]}, (28, 28))

# %% [markdown]
# ## 2. Two ideas, two equations
#
# **Idea 1: take the correlations out of the inputs.** Pixels that lie side by side carry ink together, so each of
# them says little that its neighbours do not. A layer of COPI therefore begins with *lateral weights* $R$, which mix
# its inputs $y$ into new ones, $x = R y$, so that no two of them are correlated any more.
#
# **Idea 2: let the weights infer themselves.** The *forward weights* $W$ turn $x$ into $a = W x$. An *error signal*
# $\delta$ (delta), one number for each unit, says where $a$ should rather be, at the *target state* $z = a + \delta$.
# If the inputs are uncorrelated, each single weight can work out from its own input $x_j$ and its own target $z_i$
# how to change. It needs to know nothing of the other weights.
#
# Here is one layer. Squares are what the layer does, circles are the states that it passes through. Read the
# black line from left to right; the dashed lines say what the weights look at when they learn.

# %%
from copi_np.course.lesson_00 import draw_layer

draw_layer()

# %% [markdown]
# The output $y = f(a)$ is the input of the next layer, which has an $R$ and a $W$ of its own. Here $f$ is the leaky
# ReLU: it leaves positive numbers as they are, and multiplies negative ones by 0.1.
#
# Both weights learn from a batch of samples. Write $\langle\cdot\rangle$ for the mean over the batch:
#
# $$\Delta W = \langle z x^\top\rangle - W\,\mathrm{diag}\langle x^2\rangle
# \qquad\qquad
# \Delta R = -\bigl(\langle x x^\top\rangle - \mathrm{diag}\langle x^2\rangle\bigr) R .$$
#
# - $\langle z x^\top\rangle$ is a matrix. Its entry $(i, j)$ is the mean of $z_i x_j$: how much target $i$ and input
#   $j$ go together.
# - $\mathrm{diag}\langle x^2\rangle$ has the mean squares of the inputs on its diagonal, and zeros elsewhere. It makes
#   column $j$ of $W$ decay in proportion to $\langle x_j^2\rangle$.
# - $\langle x x^\top\rangle - \mathrm{diag}\langle x^2\rangle$ keeps the products of *different* inputs,
#   $\langle x_i x_j\rangle$ with $i \ne j$. These are the correlations, and $R$ moves against them. It comes to rest
#   where there are none left.
# - Each update is multiplied by a step size: $W \leftarrow W + \eta_W\,\Delta W$ and
#   $R \leftarrow R + \eta_R\,\Delta R$.
#
# ("Correlation" means the plain mean product here; no mean is subtracted first. And the paper has a second form of
# $\Delta R$, which is local to a synapse: notebook 02.)
#
# Where does $\delta$ come from? In the last layer, from the difference between the output and the target; in the others
# from the layer above, by backpropagation or in some other way. For now it is enough that following $\delta$ lowers the
# loss, $\ell = \lVert y - y^*\rVert^2$, the squared distance between the last output $y$ and the target $y^*$.

# %% [markdown]
# ## 3. A network
#
# `Network` takes the numbers of units, inputs first. This one has two layers: 784 pixels to 200 hidden units, and 200
# hidden units to 10 classes.
#
# **Question.** Which shape has $R$ in each of the two layers, and which has $W$?

# %%
SIZES = [784, 200, 10]
network = Network(SIZES, rng=np.random.default_rng(0), backend=BACKEND)
for k, layer in enumerate(network.layers):
    print(f"layer {k}: R {layer.R.shape}  W {layer.W.shape}")
    assert np.array_equal(host(layer.R), np.eye(layer.n_inputs))

# %% [markdown]
# **Answer.** $R$ mixes the inputs of a layer among themselves, so it is square, with as many rows as the layer has
# inputs. $W$ has a row for each output and a column for each input. The forward weights begin as small random numbers.
# The lateral weights begin as the identity, so that $x = y$ before anything is learned.

# %% [markdown]
# ## 4. One step, and what changed
#
# A step takes one batch through the network, computes the error signals, and moves all weights once. Let us first
# collect what the first layer needs for its two updates: its weights, its $x$, and its target states $z$. (In code a
# sample is a *row*, so a batch of 50 has an `x` of shape (50, 784).)

# %%
batch, wanted = asarray(images[:50]), asarray(targets[:50])
layer = network.layers[0]
W, R = host(layer.W), host(layer.R)  # copies, from before the step
trace = network.forward(batch)
delta = network.error_signals(trace, wanted)[0]  # one for each layer; here the first
x, z = host(trace.x[0]), host(trace.a[0] + delta)
print("W", W.shape, " R", R.shape, " x", x.shape, " z", z.shape)

# %% [markdown]
# Take a single weight $w_{ij}$, from the pixel $j$ in the middle of the picture to the hidden unit $i = 3$. Its
# update is a mean over the 50 samples,
#
# $$\Delta w_{ij} = \langle z_i x_j\rangle - w_{ij}\,\langle x_j^2\rangle .$$
#
# As a loop this is three lines. The function `rules.copi_update` computes the whole matrix $\Delta W$ at once, and
# `Network.step` adds it to the weights, times $\eta_W$.

# %%
i, j = 3, 14 * 28 + 14
dw = 0.0
for s in range(50):  # samples
    dw += (z[s, i] * x[s, j] - W[i, j] * x[s, j] ** 2) / 50
dW = rules.copi_update(W, x, z)
dR = rules.decorrelation_update(R, x)
assert np.isclose(dw, dW[i, j], rtol=1e-4)

loss = network.step(batch, wanted, eta_W=0.01, eta_R=0.01)
assert np.allclose(host(layer.W), W + 0.01 * dW, atol=1e-6)
assert np.allclose(host(layer.R), R + 0.01 * dR, atol=1e-6)
print(f"dw by the loop {dw:.6f}, in the matrix {dW[i, j]:.6f}")

# %% [markdown]
# The step did what the two equations say, no more. What came of it?
#
# **Question.** $R$ was the identity, and pixels are never negative. Which sign can the entries of $R$ beside the
# diagonal have after this step? And will the loss of the same batch be smaller than before?

# %%
others = host(layer.R)[~np.eye(784, dtype=bool)]  # all entries beside the diagonal
outputs = network.forward(batch).y[-1]
loss_after = network.loss.value(outputs, wanted)
print(f"beside the diagonal of R: from {others.min():.4f} to {others.max():.4f}")
print(f"loss of the batch: {float(loss):.3f}, then {float(loss_after):.3f}")
assert others.min() < 0
assert others.max() <= 0
assert loss_after < loss

# %% [markdown]
# **Answer.** They are negative, or zero where two pixels were never lit together: with $R = I$, the update is
# $-\langle y_i y_j\rangle$. Pixels that carry ink together now inhibit each other. (*Lateral* weights act sideways,
# between units of one layer.) The loss fell, by a little.

# %% [markdown]
# ## 5. A few epochs
#
# `fit` repeats such steps: it shuffles the 4,000 training digits, cuts them into batches of 50, takes a step with each
# batch, and evaluates. One pass through all of the training digits is an *epoch*. A `Schedule` holds the step sizes:
#
# - In the first epoch, $R$ learns alone ($\eta_W = 0$), so that the inputs are decorrelated before $W$ relies on it.
# - Then both learn, with $\eta_W = \eta_R = 0.001$.
# - `delta_scale` multiplies all error signals by 500. The published journal version of the paper does something like
#   it; why it helps is for notebook 04.
#
# **Question.** Which test accuracy do you expect after the first epoch?

# %%
EPOCHS = 8  # fast: 3
first = {"first_epochs": 1, "first_eta_W": 0, "first_eta_R": 1e-3}
schedule = Schedule(eta_W=1e-3, eta_R=1e-3, delta_scale=500, **first)
network = Network(SIZES, rng=np.random.default_rng(0), backend=BACKEND)
rng = np.random.default_rng(1)  # shuffles
history = fit(network, data, epochs=EPOCHS, schedule=schedule, rng=rng)
for record in history:
    train, test = 100 * record.train_accuracy, 100 * record.test_accuracy
    print(f"epoch {record.epoch}: train {train:5.1f} %  test {test:5.1f} %")
assert history[0].test_accuracy < 0.2
assert history[1].test_accuracy > 0.85

# %% [markdown]
# **Answer.** About 10 %, as good as guessing one of ten classes: $W$ has not learned yet. One epoch later the
# network reads about 90 % of digits that it has never seen.

# %%
learning_curves({"COPI": history})

# %% [markdown]
# These are *learning curves*: accuracy and loss by epoch, on the training digits (dashed) and on the test digits
# (solid). The left axis leaves out the first epoch. After the third epoch the network still improves on the digits that
# it trains on, and hardly on the others: 4,000 digits do not say everything about handwriting. Always look at the solid
# line.

# %% [markdown]
# ## 6. What R did
#
# A pass through the network leaves a *trace* behind, the states of every layer. Behind the first $R$ these are still
# 784 numbers, one for each pixel, so that we can look at them as pictures.

# %%
trace = network.forward(asarray(test_images))
raw, behind = test_images, host(trace.x[0])
image_rows({"raw $y$": raw[:8], "behind $R$": behind[:8]}, (28, 28))

# %% [markdown]
# Behind $R$ zero is mid-grey, since $x$ has both signs. You can still read the digits: little is lost. But there are
# dark seams beside the strokes, where ink would have been likely and is not. And ink in an unusual place stays
# bright, such as the long tail of the second digit, while usual ink has become paler: its neighbours have told it
# already.
#
# **Question.** Now take the 100 pixels of a window of 10 by 10 in the middle. The raw ones are correlated: 0.5 on
# average, where 1 would mean that two pixels always go together. What will it be behind $R$, on test digits, which $R$
# has never seen?

# %%
window = [28 * row + column for row in range(9, 19) for column in range(9, 19)]
fig, axes = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
means, colours = [], plt.get_cmap("RdBu_r", 21)
shown = {"raw $y$": raw, "behind $R$": behind}
for ax, (name, values) in zip(axes, shown.items(), strict=True):
    C = second_moment(values[:, window].astype("float64"))
    correlation = C / np.sqrt(np.outer(np.diag(C), np.diag(C)))
    means.append(mean_absolute_correlation(C))
    picture = ax.imshow(correlation, colours, vmin=-1, vmax=1, interpolation="nearest")
    ax.set(title=f"{name}, mean size {means[-1]:.2f}", xlabel="pixel", ylabel="pixel")
    ax.grid(visible=False)
fig.colorbar(picture, ax=axes, label="correlation")
assert 0.4 < means[0] < 0.6
assert means[1] < 0.2

# %% [markdown]
# **Answer.** Below 0.1. The diagonal stays at 1, since every pixel goes with itself. What is left beside it is mostly
# between direct neighbours: the line next to the diagonal is the pixel to the right, the line ten further on the pixel
# below. Those correlations were the strongest, and eight epochs did not finish with them.
#
# And the hidden layer? `mean_absolute_correlation` averages over all pairs of inputs of a layer.

# %%
for k, (y, x) in enumerate(zip(trace.y_in, trace.x, strict=True)):
    before, after = (mean_absolute_correlation(second_moment(v)) for v in (y, x))
    size = np.sqrt(np.mean(host(y) ** 2))
    print(f"layer {k}: correlation {before:.3f} -> {after:.3f}, size of y {size:.2f}")
    assert after < before

# %% [markdown]
# Over all 784 pixels it fell to about a third. In the second layer it fell too, but by far less. Its inputs, the
# hidden units, are weak (their root mean square is the "size"), and the update of $R$ is a product of two of them;
# and they keep changing while $W$ learns. Eight epochs are a short training. How fast decorrelation is, and for whom,
# is the subject of notebook 02.

# %% [markdown]
# ## 7. R as a picture
#
# Row $i$ of $R$ says what goes into $x_i = \sum_j r_{ij}\, y_j$: 784 weights, one for each pixel. So a row is a
# picture.
#
# **Question.** To take away from a pixel what its neighbours tell already, which signs must its row have?

# %%
R = host(network.layers[0].R)
fig, axes = plt.subplots(1, 5, figsize=(9, 2.3), layout="constrained")
places = [(7, 14), (10, 10), (14, 14), (18, 12), (21, 14)]
for ax, (row, column) in zip(axes, places, strict=True):
    weights = R[28 * row + column].reshape(28, 28)
    picture = ax.imshow(weights, cmap="RdBu_r", vmin=-0.08, vmax=0.08)
    ax.set(xlim=(column - 6.5, column + 6.5), ylim=(row + 6.5, row - 6.5))
    ax.set(title=f"pixel ({row}, {column})", xticks=[], yticks=[])
    beside = np.mean([weights[row - 1, column], weights[row + 1, column]])
    assert weights[row, column] > 1
    assert beside < -0.01
fig.colorbar(picture, ax=axes, label="$r_{ij}$")
print(f"last picture: centre {weights[row, column]:.2f}, above and below {beside:.3f}")

# %% [markdown]
# **Answer.** Plus in the centre, minus around it. (The pictures show 13 by 13 weights of the 784.) The centre, a
# little above 1, is far beyond the colour scale; its neighbours are at about $-0.05$ each. A few weights further out
# are positive: lateral weights are not strictly inhibitory, as the paper says. Filters with such a *centre and
# surround* are found on the way from the eye to the cortex as well; there, says the paper, they appear to produce a
# form of whitening, which is decorrelation to inputs of equal size (Section 4).

# %% [markdown]
# ## 8. What the network gets wrong
#
# `predict` gives the ten outputs for each digit. The *confusion matrix* counts, for every true class (row), how often
# each class was the guess (column). Right guesses are on the diagonal; they are left out of the colours.

# %%
guesses = host(network.predict(asarray(test_images))).argmax(axis=1)
labels = data.test.labels
confusion = np.zeros((10, 10), int)
np.add.at(confusion, (labels, guesses), 1)
assert np.isclose(np.trace(confusion) / 1000, history[-1].test_accuracy)
mistakes = confusion - np.diag(np.diag(confusion))
true, guess = np.unravel_index(mistakes.argmax(), (10, 10))
print(f"{mistakes.sum()} mistakes in 1000 digits")
print(f"the most frequent: {mistakes.max()} times a {true} is taken for a {guess}")

# %%
fig, ax = plt.subplots(figsize=(4.6, 4), layout="constrained")
picture = ax.imshow(mistakes, cmap="Blues")
for true, guess in np.argwhere(confusion):
    colour = "white" if mistakes[true, guess] > mistakes.max() / 2 else "black"
    number = confusion[true, guess]
    ax.text(guess, true, number, ha="center", va="center", color=colour, size=8)
ax.set(xlabel="guess", ylabel="true class", xticks=range(10), yticks=range(10))
fig.colorbar(picture, label="mistakes")
ax.grid(visible=False)

# %% [markdown]
# And here are the first eight mistakes themselves. Would you have read all of them?

# %%
wrong = np.flatnonzero(guesses != labels)[:8]
fig, axes = plt.subplots(1, 8, figsize=(9, 1.5), layout="constrained")
for ax, s in zip(axes, wrong, strict=True):
    ax.imshow(test_images[s].reshape(28, 28), cmap="gray")
    ax.set(title=f"{labels[s]}, not {guesses[s]}", xticks=[], yticks=[])

# %% [markdown]
# ## 9. Save it, load it
#
# One file holds the weights and what is needed to build the network again. What you load computes exactly the same.

# %%
with TemporaryDirectory() as folder:
    path = f"{folder}/tour.npz"
    save_network(path, network, {"epochs": EPOCHS})
    loaded, notes = load_network(path, BACKEND)
again = host(loaded.predict(asarray(test_images[:100])))
assert np.array_equal(again, host(network.predict(asarray(test_images[:100]))))
print(loaded, notes)

# %% [markdown]
# ## Break it: a step too large
#
# The training above used $\eta_R = 0.001$. Would a hundred times as much not be a hundred times as fast? Only $R$
# learns here.

# %%
network = Network(SIZES, rng=np.random.default_rng(0), backend=BACKEND)
too_large = Schedule(eta_W=0, eta_R=0.1)
try:
    fit(network, data, epochs=1, schedule=too_large, rng=np.random.default_rng(1))
    raise AssertionError("this was meant to diverge")
except DivergenceError as error:
    print(error)

# %% [markdown]
# Read the message from left to right: *when* it happened (within a few batches), *what* was seen (a loss that
# exploded), *where* (at $R$ of layer 0, the one that sees the pixels), and *what to do* (lower `eta_R`).
#
# Why this size? Measure. The update changes $x$ into $x - \eta_R\,(\langle x x^\top\rangle -
# \mathrm{diag}\langle x^2\rangle)\,x$. Along the direction in which the inputs vary most, with largest eigenvalue
# $\lambda$ of $\langle x x^\top\rangle$, this is about $(1 - \eta_R\lambda)\,x$. As long as $\eta_R\lambda < 2$ that
# is smaller than $x$, or turned around and smaller; beyond, every step overshoots by more than the one before.
#
# **Question.** The next cell prints $2/\lambda$ for the raw digits. Which of the step sizes 0.01, 0.03 and 0.1 will
# survive?

# %%
C = second_moment(as_float(data.train.inputs, "float64"))
largest = np.linalg.eigvalsh(C)[-1]
print(f"largest eigenvalue {largest:.1f}, 2 / largest {2 / largest:.3f}")
assert 0.03 < 2 / largest < 0.1

# %%
y = asarray(images[:500], "float64")
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for eta_R, colour in zip((0.01, 0.03, 0.1), COLOURS, strict=False):
    path = decorrelation_path(y, eta_R, n_steps=3)
    power = [float(np.mean(host(rules.decorrelate(R, y)) ** 2)) for R in path]
    ax.semilogy(range(4), power, "o-", color=colour, label=f"$\\eta_R = {eta_R}$")
    assert (power[-1] > power[0]) == (eta_R == 0.1)
ax.set(xlabel="step", ylabel="mean square of $x$", xticks=range(4))
legend = ax.legend()

# %% [markdown]
# **Answer.** 0.01 and 0.03, which are below $2/\lambda \approx 0.05$: there the inputs shrink. With 0.1 they grow by
# many orders of magnitude within three steps. The repair is the one that the message names. Once the strongest
# correlations are gone, $\lambda$ is smaller and larger steps become possible: the paper, too, begins with a small
# step, and raises it after the first epoch.

# %% [markdown]
# ## Break it: R switched off
#
# The equation for $W$ relies on the one for $R$: each weight ignores the correlations of its input with all others.
# What if they are still there? `decorrelation=None` keeps $R$ at the identity. Plain gradient descent, `rule="sgd"`,
# gets the same step size and the same start.
#
# **Question.** Which of the two minds?

# %%
accuracy, plain = {}, Schedule(eta_W=0.01, eta_R=0)
for rule in ("copi", "sgd"):
    rng = np.random.default_rng(0)
    network = Network(SIZES, rng=rng, rule=rule, decorrelation=None, backend=BACKEND)
    try:
        rng = np.random.default_rng(1)
        history = fit(network, data, epochs=1, schedule=plain, rng=rng)
        accuracy[rule] = history[-1].test_accuracy
        print(f"{rule}: test accuracy {100 * accuracy[rule]:.0f} % after one epoch")
    except DivergenceError as error:
        print(f"{rule}: {error}")
assert list(accuracy) == ["sgd"]

# %% [markdown]
# **Answer.** COPI diverges, gradient descent learns. The two differ by exactly one term,
#
# $$\Delta W_{\mathrm{copi}} = \Delta W_{\mathrm{sgd}} +
# W\bigl(\langle x x^\top\rangle - \mathrm{diag}\langle x^2\rangle\bigr),$$
#
# which makes what a unit answers already stronger still. It vanishes on decorrelated inputs. Here it does not: along
# the strongest direction the term alone multiplies the answer by about $1 + 0.01 \cdot 38 = 1.4$ in every step. The
# "constraint" in the name of the method is meant literally. The message says what to do: let layers decorrelate, with
# $\eta_R$ no smaller than $\eta_W$.

# %% [markdown]
# ## Exercises
#
# ### Exercise 00.1 · Shapes
#
# `Network([784, 300, 100, 10])` sees a batch of 50 digits. Predict the shapes of four arrays of its **second** layer,
# the one that takes the 300 hidden units: $R$, $W$, $x$ and $a$, as the code has them, with samples in rows. Give
# them as a list of four tuples, such as `[(1, 2), (3, 4), (5, 6), (7, 8)]`. (Predict first. Then you may look at
# `net.layers[1]` and `net.forward(...)`.)

# %%
answer = ...  # your four shapes

check("00.1", answer)

# %% [markdown]
# ### Exercise 00.2 · The price of R
#
# How many weights does a network have? Write a function that takes the sizes, such as `[784, 200, 10]`, and returns two
# numbers: how many lateral weights, and how many forward weights there are in all layers together.


# %%
def count_weights(sizes):
    return ...  # your code: two numbers, n_lateral and n_forward


check("00.2", count_weights)

# %% [markdown]
# ### Exercise 00.3 · How far can you go?
#
# Find, by experiment, the largest of the step sizes 0.001, 0.003, 0.01, 0.03, 0.1 and 0.3 with which a network still
# trains. Use `Schedule(eta_W=eta, eta_R=eta)` (both weights learn from the first batch on, with unscaled error
# signals), the sizes above, and two epochs. It trains if `fit` raises no `DivergenceError`. Look at the accuracies as
# well: what does a step size cost that is too *small*?

# %%
answer = ...  # the largest step size that trains

check("00.3", answer)

# %% [markdown]
# Solutions: [solutions/00_tour.ipynb](solutions/00_tour.ipynb).
#
# ## What you have seen
#
# - Lateral weights $R$ take the correlations out of the inputs of a layer; behind them, forward weights $W$ infer
#   themselves from $x$ and $z = a + \delta$. `Network.step` is these two equations, checked above.
# - A row of $R$ has a centre and a surround. Correlations fell a lot in the first layer, and less in the second.
# - $\eta_R$ has a limit that you can measure beforehand, and COPI without decorrelation does not work.
#   [Theorem 5](../docs/theory.md#5-the-step-size-of-decorrelation) and
#   [Theorem 1](../docs/theory.md#1-copi-is-sgd-plus-a-term-of-correlation) say so with proofs; the tests that
#   check them are `tests/mathematics/theorems/test_05_step_size.py` and
#   `tests/mathematics/theorems/test_01_copi_versus_sgd.py`.
#
# Where to go next:
#
# | your question | notebook |
# |---|---|
# | Where does the equation for $W$ come from? | 01 Inferring parameters |
# | Why does $R$ decorrelate, how fast, and how does it differ from whitening? | 02 Decorrelation |
# | Where does $\delta$ come from, without backpropagation too? | 03 Error signals |
# | How do many layers learn together? | 04 A deep network |
# | Why is COPI ahead of backpropagation on the same decorrelated inputs? | 05 COPI and backpropagation |
# | What does a hidden unit look for? | 06 Reading a network |
# | Can whole layers be replaced by one matrix? | 07 Compression |
# | What does a single synapse need to know? | 08 One synapse |
# | How does the same code run on a GPU? | 09 One code, two devices |
# | Does the paper hold up, and how would one know? | 10 Reproducing the paper |
