# %% [markdown]
# # 00 · Tour: one network, from the first digit to the last mistake
#
# **What you will be able to do**
#
# - explain the two ideas of COPI, and say what every symbol in its two equations stands for;
# - train a network on handwritten digits, and read its learning curves;
# - show what the lateral weights do to a digit, and to the correlations between pixels;
# - break the training, and work out from the error message what went wrong;
# - choose the notebook that answers your next question.
#
# **Time:** 35 minutes to read and run, 20 minutes for the exercises.
#
# **Before this:** you should have seen a neural network trained by gradient descent, and be comfortable with matrix
# products. You do not need to know anything about COPI.
#
# **In the paper:** Sections 2.1 to 2.5 and Algorithm 1 for the rules, Figure 1 for the layer, Figure 3A for the
# digits.

# %%
from tempfile import TemporaryDirectory

import numpy as np

from copi_np import DivergenceError, Network, Schedule
from copi_np import fit, load_dataset, load_network, rules
from copi_np import save_network
from copi_np.analysis import decorrelation_path
from copi_np.course import check
from copi_np.course.lesson_00 import draw_layer
from copi_np.datasets import as_float, one_hot
from copi_np.plotting import image_rows, learning_curves
from copi_np.whitening import (
    mean_absolute_correlation as mean_correlation,
)
from copi_np.whitening import second_moment

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from copi_np.plotting import COLOURS, STYLE, label_ends

plt.rcParams.update(STYLE)

# %% [markdown]
# ## 1. The digits
#
# The package comes with 5,000 handwritten digits from MNIST, 4,000 to train on and 1,000 to test on. Each is an image
# of 28 by 28 pixels, that is, 784 numbers between 0 (background) and 1 (ink), and comes with its class, 0 to 9.
#
# The network outputs ten numbers, and the largest one is its guess. The output we want is a *one-hot* target: 1 at
# the class of the digit, 0 elsewhere.

# %%
DATA, BATCH = "mnist-5k", 50

data = load_dataset(DATA)
n_pixels, n_classes = data.n_inputs, data.n_classes
images = as_float(data.train.inputs, "float32")
test_images = as_float(data.test.inputs, "float32")
targets = one_hot(data.train.labels, n_classes, "float32")
print("images", images.shape, " targets", targets.shape)
print("the first digit:", data.train.labels[0])
print("its target:", targets[0])
image_rows({"digits": images[:10]}, data.image_shape)

# %% [markdown]
# ## 2. Two ideas, two equations
#
# **Idea 1: remove the correlations from the inputs.** Neighbouring pixels tend to be bright or dark together, so each
# one tells you little that its neighbours do not. A COPI layer therefore starts with *lateral weights* $R$. They mix
# the layer's inputs $y$ into new ones, $x = R y$, no two of which are correlated.
#
# **Idea 2: let the weights infer themselves.** The *forward weights* $W$ turn $x$ into $a = W x$. An *error signal*
# $\delta$ (delta), one number per unit, says where $a$ should be instead: at the *target state* $z = a + \delta$. If
# the inputs are uncorrelated, each weight can work out how to change from its own input $x_j$ and its own target
# $z_i$. It needs to know nothing about the other weights.
#
# Here is one layer. Squares are operations, circles are the states between them. Follow the black arrows from left to
# right. The dashed arrows show what each set of weights learns from.

# %%
draw_layer()

# %% [markdown]
# The output $y = f(a)$ is the input to the next layer, which has its own $R$ and $W$. Here $f$ is the leaky ReLU: it
# leaves positive numbers unchanged and multiplies negative ones by 0.1.
#
# Both sets of weights learn from a batch of samples. Write $\langle\cdot\rangle$ for the mean over the batch:
#
# $$\Delta W = \langle z x^\top\rangle - W\,\mathrm{diag}\langle x^2\rangle
# \qquad\qquad
# \Delta R = -\bigl(\langle x x^\top\rangle - \mathrm{diag}\langle x^2\rangle\bigr) R .$$
#
# - $\langle z x^\top\rangle$ is a matrix. Its entry $(i, j)$ is the mean of $z_i x_j$: how strongly target $i$ and
#   input $j$ vary together.
# - $\mathrm{diag}\langle x^2\rangle$ has the mean squares of the inputs on its diagonal, and zeros elsewhere. It makes
#   column $j$ of $W$ decay in proportion to $\langle x_j^2\rangle$.
# - $\langle x x^\top\rangle - \mathrm{diag}\langle x^2\rangle$ keeps the products of *different* inputs,
#   $\langle x_i x_j\rangle$ with $i \ne j$. These are the correlations, and $R$ moves against them. It stops changing
#   once there are none left.
# - Each update is multiplied by a step size: $W \leftarrow W + \eta_W\,\Delta W$ and
#   $R \leftarrow R + \eta_R\,\Delta R$.
#
# (Here "correlation" means the plain mean product: no mean is subtracted first. The paper also has a second form of
# $\Delta R$, one that is local to a synapse. Notebook 02 covers it.)
#
# Where does $\delta$ come from? In the last layer it comes from the difference between the output and the target. In
# the others it comes from the layer above, by backpropagation or in some other way. For now, all you need to know is
# that following $\delta$ lowers the loss $\ell = \lVert y - y^*\rVert^2$, the squared distance between the network's
# output $y$ and the target $y^*$.

# %% [markdown]
# ## 3. A network
#
# `Network` takes the number of units in each layer, inputs first. This one has two layers: from 784 pixels to 200
# hidden units, and from 200 hidden units to 10 classes.
#
# **Question.** What shape does $R$ have in each of the two layers? And $W$?

# %%
SIZES = [n_pixels, 200, n_classes]
network = Network(SIZES, rng=np.random.default_rng(0))
for k, layer in enumerate(network.layers):
    print(f"layer {k}: R {layer.R.shape}", end="  ")
    print(f"W {layer.W.shape}")
    assert np.array_equal(layer.R, np.eye(layer.n_inputs))

# %% [markdown]
# **Answer.** $R$ mixes a layer's inputs with each other, so it is square, with one row and one column per input. $W$
# has a row for each output and a column for each input. The forward weights start as small random numbers. The
# lateral weights start as the identity, so $x = y$ before anything is learned.

# %% [markdown]
# ## 4. One step, and what changed
#
# A training step passes one batch through the network, computes the error signals, and updates all the weights once.
# First, let us collect what the first layer needs for its two updates: its weights, its $x$, and its target states
# $z$. (In code a sample is a *row*, so a batch of 50 has an `x` of shape (50, 784).)

# %%
batch, wanted = images[:BATCH], targets[:BATCH]
layer = network.layers[0]
W, R = layer.W.copy(), layer.R.copy()  # before the step
trace = network.forward(batch)
deltas = network.error_signals(trace, wanted)
x, z = trace.x[0], trace.a[0] + deltas[0]  # layer 0
print("W", W.shape, " R", R.shape)
print("x", x.shape, " z", z.shape)

# %% [markdown]
# Take a single weight $w_{ij}$, from pixel $j$ in the middle of the image to hidden unit $i = 3$. Its update is a
# mean over the 50 samples:
#
# $$\Delta w_{ij} = \langle z_i x_j\rangle - w_{ij}\,\langle x_j^2\rangle .$$
#
# As a loop, this takes three lines. The function `rules.copi_update` computes the whole matrix $\Delta W$ at once,
# and `Network.step` adds it to the weights, times $\eta_W$.

# %%
height, width = data.image_shape
middle = height // 2 * width + width // 2
i, j = 3, middle
dw = 0.0
for n in range(BATCH):  # samples
    dw += z[n, i] * x[n, j] - W[i, j] * x[n, j] ** 2
dw /= BATCH
dW = rules.copi_update(W, x, z)
dR = rules.decorrelation_update(R, x)
assert np.isclose(dw, dW[i, j], rtol=1e-4)

loss = network.step(batch, wanted, eta_W=0.01, eta_R=0.01)
assert np.allclose(layer.W, W + 0.01 * dW, atol=1e-6)
assert np.allclose(layer.R, R + 0.01 * dR, atol=1e-6)
print(f"dw by the loop {dw:.6f}, in dW {dW[i, j]:.6f}")

# %% [markdown]
# The step did exactly what the two equations say. What was the effect?
#
# **Question.** $R$ was the identity, and pixels are never negative. What sign can the off-diagonal entries of $R$
# have after this step? And will the loss on the same batch be smaller than before?

# %%
off_diagonal = ~np.eye(n_pixels, dtype=bool)
others = layer.R[off_diagonal]
outputs = network.forward(batch).y[-1]
loss_after = network.loss.mean(outputs, wanted)
print(
    f"off the diagonal of R: from {others.min():.4f}",
    end=" ",
)
print(f"to {others.max():.4f}")
print(
    f"loss: {float(loss):.3f}, then {float(loss_after):.3f}"
)
assert others.min() < 0
assert others.max() <= 0
assert loss_after < loss

# %% [markdown]
# **Answer.** They are negative, or zero for two pixels that were never lit together: with $R = I$, the update is
# $-\langle y_i y_j\rangle$. Pixels that are lit together now inhibit each other. (*Lateral* weights act sideways,
# between units of the same layer.) The loss went down slightly.

# %% [markdown]
# ## 5. A few epochs
#
# `fit` repeats such steps: it shuffles the 4,000 training digits, splits them into batches of 50, takes a step on
# each batch, and evaluates the network. One pass through all the training digits is an *epoch*. A `Schedule` holds
# the step sizes:
#
# - In the first epoch only $R$ learns ($\eta_W = 0$), so that the inputs are decorrelated by the time $W$ relies on
#   it.
# - Then both learn, with $\eta_W = \eta_R = 0.001$.
# - `delta_scale` multiplies all error signals by 500. The journal version of the paper does something similar.
#   Notebook 04 explains why it helps.
#
# **Question.** What test accuracy do you expect after the first epoch?

# %%
EPOCHS = 8  # fast: 3
R_first = {"first_epochs": 1, "first_eta_W": 0}
R_first |= {"first_eta_R": 1e-3}
rates = {"eta_W": 1e-3, "eta_R": 1e-3, "delta_scale": 500}
schedule = Schedule(**rates, **R_first)


def train(network, schedule, epochs):
    rng = np.random.default_rng(1)  # shuffles
    settings = {"rng": rng, "schedule": schedule}
    return fit(network, data, epochs=epochs, **settings)


network = Network(SIZES, rng=np.random.default_rng(0))
history = train(network, schedule, EPOCHS)
for each in history:
    print(f"epoch {each.epoch}:", end=" ")
    print(f"train {each.train_accuracy:.1%},", end=" ")
    print(f"test {each.test_accuracy:.1%}")
assert history[0].test_accuracy < 0.2
assert history[1].test_accuracy > 0.85

# %% [markdown]
# **Answer.** About 10 %, no better than guessing among ten classes: $W$ has not learned yet. One epoch later the
# network correctly classifies about 90 % of the digits it has never seen.

# %%
learning_curves({"COPI": history})

# %% [markdown]
# These are *learning curves*: accuracy and loss by epoch, on the training digits (dashed) and on the test digits
# (solid). (In the left panel, the first epoch is off the bottom of the plot.) After the third epoch the network keeps
# improving on the digits it trains on, but hardly on the others: 4,000 digits are not enough to learn everything
# about handwriting. Always look at the solid line.

# %% [markdown]
# ## 6. What R did
#
# A forward pass returns a *trace*: the states of every layer. After the first $R$ there are still 784 numbers, one
# per pixel, so we can look at them as images.

# %%
trace = network.forward(test_images)
raw, decorrelated = test_images, trace.x[0]
rows = {"raw y": raw[:8], "after R": decorrelated[:8]}
image_rows(rows, data.image_shape)

# %% [markdown]
# After $R$, zero is shown as mid-grey, because $x$ can have either sign. You can still read the digits, so little is
# lost. But the strokes now have dark edges, where you would expect ink and there is none. Ink in an unusual place,
# such as the long tail of the second digit, stays bright. Ink where you would expect it has faded, because its
# neighbours already predict it.
#
# **Question.** Now take the 100 pixels in a 10 by 10 window in the middle. The raw pixels are correlated: 0.5 on
# average, where 1 would mean that two pixels always vary together. What will the average be after $R$, on test digits
# that $R$ has never seen?

# %%
pixels = np.arange(n_pixels).reshape(data.image_shape)
rows = slice(height // 2 - 5, height // 2 + 5)
columns = slice(width // 2 - 5, width // 2 + 5)
window = pixels[rows, columns].ravel()

moments = {
    name: second_moment(values[:, window].astype("float64"))
    for name, values in (
        ("raw $y$", raw),
        ("after $R$", decorrelated),
    )
}
before, after = map(mean_correlation, moments.values())
assert 0.4 < before < 0.6
assert after < 0.2

# %% tags=["hide-input"]
figure, panels = plt.subplots(
    1, 2, figsize=(8, 3.6), layout="constrained"
)
for axes, (name, C) in zip(
    panels, moments.items(), strict=True
):
    size = np.sqrt(np.diag(C))
    picture = axes.imshow(
        C / np.outer(size, size),
        plt.get_cmap("RdBu_r", 21),
        vmin=-1,
        vmax=1,
        interpolation="nearest",
    )
    axes.set(xlabel="pixel", ylabel="pixel")
    axes.set_title(
        f"{name}: {mean_correlation(C):.2f} on average"
    )
    axes.grid(visible=False)
_ = figure.colorbar(picture, ax=panels, label="correlation")

# %% [markdown]
# **Answer.** Below 0.1. The diagonal stays at 1, because every pixel is perfectly correlated with itself. Most of the
# correlation that remains is between direct neighbours: the line next to the diagonal pairs each pixel with the one
# to its right, and the line ten steps away pairs it with the one below. These correlations were the strongest to
# begin with, and eight epochs were not enough to remove them completely.
#
# What about the hidden layer? `mean_absolute_correlation` averages over all pairs of a layer's inputs.

# %%
for k, (y, x) in enumerate(
    zip(trace.y_in, trace.x, strict=True)
):
    before = mean_correlation(second_moment(y))
    after = mean_correlation(second_moment(x))
    size = np.sqrt(np.mean(y**2))
    print(f"layer {k}: correlation {before:.3f}", end=" ")
    print(f"-> {after:.3f}, size of y {size:.2f}")
    assert after < before

# %% [markdown]
# In the first layer, over all 784 pixels, the mean correlation fell to about a third. In the second layer it fell
# too, but by much less. There are two reasons. The inputs of that layer, the hidden units, are small ("size" is their
# root mean square), and the update of $R$ multiplies two of them together. And they keep changing while $W$ learns.
# Besides, eight epochs is a short training run. Notebook 02 looks at how fast decorrelation is, and what it depends
# on.

# %% [markdown]
# ## 7. R as an image
#
# Row $i$ of $R$ says what goes into $x_i = \sum_j r_{ij}\, y_j$: 784 weights, one per pixel. So we can show a row as
# an image.
#
# **Question.** To subtract from a pixel what its neighbours already predict, what signs must the weights in its row
# have?

# %%
R = network.layers[0].R
places = [(7, 14), (10, 10), (14, 14), (18, 12), (21, 14)]
for row, column in places:
    weights = R[pixels[row, column]].reshape(
        data.image_shape
    )
    centre = weights[row, column]
    above, below = weights[[row - 1, row + 1], column]
    print(
        f"pixel ({row}, {column}): {centre:.2f}", end=", "
    )
    print(f"above {above:.3f}, below {below:.3f}")
    assert centre > 1
    assert above + below < -0.02

# %% tags=["hide-input"]
figure, panels = plt.subplots(
    1, 5, figsize=(10, 2.6), layout="constrained"
)
for axes, (row, column) in zip(panels, places, strict=True):
    picture = axes.imshow(
        R[pixels[row, column]].reshape(data.image_shape),
        cmap="RdBu_r",
        vmin=-0.08,
        vmax=0.08,
    )
    axes.set(xlim=(column - 6.5, column + 6.5))
    axes.set(ylim=(row + 6.5, row - 6.5))
    axes.set(title=f"pixel ({row}, {column})")
    axes.set(xticks=[], yticks=[])
_ = figure.colorbar(picture, ax=panels, label="$r_{ij}$")

# %% [markdown]
# **Answer.** Plus in the centre, minus around it. (Each panel shows 13 by 13 of the 784 weights.) The centre, a
# little above 1, is far beyond the colour scale; its neighbours are at about $-0.05$ each. A few weights further out
# are positive: as the paper says, lateral weights are not strictly inhibitory. Such *centre-surround* filters are
# also found on the way from the eye to the cortex. According to the paper, they appear to produce a form of whitening
# there, that is, decorrelation that also gives all inputs the same variance (Section 4).

# %% [markdown]
# ## 8. What the network gets wrong
#
# `predict` returns the ten outputs for each digit. The *confusion matrix* counts, for every true class (row), how
# often each class was guessed (column). Correct guesses are on the diagonal, which is left uncoloured.

# %%
guesses = network.predict(test_images).argmax(axis=1)
labels = data.test.labels
confusion = np.zeros((n_classes, n_classes), int)
np.add.at(confusion, (labels, guesses), 1)
right = np.trace(confusion) / len(labels)
assert np.isclose(right, history[-1].test_accuracy)
mistakes = confusion - np.diag(np.diag(confusion))
true, guess = np.argwhere(mistakes == mistakes.max())[0]
print(f"{mistakes.sum()} mistakes in {len(labels)} digits")
print(
    f"the most frequent: {true} taken for {guess},", end=" "
)
print(f"{mistakes.max()} times")

# %% tags=["hide-input"]
figure, axes = plt.subplots(
    figsize=(6, 5), layout="constrained"
)
picture = axes.imshow(mistakes, cmap="Blues")
for true, guess in np.argwhere(confusion):
    many = mistakes[true, guess] > mistakes.max() / 2
    axes.text(
        guess,
        true,
        confusion[true, guess],
        ha="center",
        va="center",
        color="white" if many else "black",
    )
axes.set(xlabel="guess", ylabel="true class")
axes.set(xticks=range(n_classes), yticks=range(n_classes))
axes.set_title("mistakes: what looks alike is confused")
figure.colorbar(picture, label="mistakes")
axes.grid(visible=False)

# %% [markdown]
# And here are the first eight mistakes themselves. Would you have read all of them correctly?

# %% tags=["hide-input"]
wrong = np.flatnonzero(guesses != labels)[:8]
figure, panels = plt.subplots(
    1, 8, figsize=(11, 1.9), layout="constrained"
)
for axes, n in zip(panels, wrong, strict=True):
    axes.imshow(
        test_images[n].reshape(data.image_shape),
        cmap="gray",
    )
    axes.set(title=f"{labels[n]}, not {guesses[n]}")
    axes.set(xticks=[], yticks=[])

# %% [markdown]
# ## 9. Save it, load it
#
# One file holds the weights and everything needed to rebuild the network. The loaded network computes exactly the
# same outputs.

# %%
with TemporaryDirectory() as folder:
    path = f"{folder}/tour.npz"
    save_network(path, network, {"epochs": EPOCHS})
    loaded, notes = load_network(path)
again = loaded.predict(test_images[:100])
assert np.array_equal(
    again, network.predict(test_images[:100])
)
print(loaded, notes)

# %% [markdown]
# ## Break it: a step too large
#
# The training above used $\eta_R = 0.001$. Wouldn't a step a hundred times larger be a hundred times faster? In this
# run only $R$ learns.

# %%
network = Network(SIZES, rng=np.random.default_rng(0))
try:
    train(network, Schedule(eta_W=0, eta_R=0.1), epochs=1)
    raise AssertionError("this was meant to diverge")
except DivergenceError as error:
    print(error)

# %% [markdown]
# Read the message from left to right. It says *when* training failed (within a few batches), *what* happened (the
# loss exploded), *where* (at $R$ of layer 0, the one that sees the pixels), and *what to do* (lower `eta_R`).
#
# Why is 0.1 too large? We can measure it. The update changes $x$ into $x - \eta_R\,(\langle x x^\top\rangle -
# \mathrm{diag}\langle x^2\rangle)\,x$. Along the direction in which the inputs vary most, with largest eigenvalue
# $\lambda$ of $\langle x x^\top\rangle$, this is about $(1 - \eta_R\lambda)\,x$. As long as $\eta_R\lambda < 2$, the
# result is smaller than $x$, possibly with its sign flipped. Beyond that, each step overshoots by more than the one
# before.
#
# **Question.** The next cell prints $2/\lambda$ for the raw digits. With which of the step sizes 0.01, 0.03 and 0.1
# will training survive?

# %%
C = second_moment(as_float(data.train.inputs, "float64"))
largest = np.linalg.eigvalsh(C)[-1]
print(f"largest eigenvalue {largest:.1f}", end=", ")
print(f"2 / largest {2 / largest:.3f}")
assert 0.03 < 2 / largest < 0.1

# %%
y = images[:500].astype("float64")
power = {}
for eta_R in (0.01, 0.03, 0.1):
    path = decorrelation_path(y, eta_R, n_steps=3)
    x_by_step = [rules.decorrelate(R, y) for R in path]
    power[eta_R] = [np.mean(x**2) for x in x_by_step]
    grows = power[eta_R][-1] > power[eta_R][0]
    assert grows == (eta_R == 0.1)

# %% tags=["hide-input"]
figure, axes = plt.subplots(
    figsize=(7, 3.4), layout="constrained"
)
for (eta_R, values), colour in zip(
    power.items(), COLOURS, strict=False
):
    axes.semilogy(
        values,
        "o-",
        color=colour,
        label=f"$\\eta_R = {eta_R}$",
    )
axes.set(xlabel="step", ylabel="mean square of $x$")
axes.set(
    xticks=range(4), title="above $2/\\lambda$, x explodes"
)
label_ends(axes)

# %% [markdown]
# **Answer.** 0.01 and 0.03, which are below $2/\lambda \approx 0.05$: there the inputs shrink. With 0.1 they grow by
# many orders of magnitude within three steps. The fix is the one in the message. Once the strongest correlations are
# gone, $\lambda$ is smaller and larger steps become possible. The paper does this too: it starts with a small step
# and raises it after the first epoch.

# %% [markdown]
# ## Break it: switch R off
#
# The equation for $W$ relies on the one for $R$: each weight ignores how its input is correlated with the others.
# What if those correlations are still there? `decorrelation=None` keeps $R$ at the identity. We compare COPI without
# decorrelation with plain gradient descent, `rule="sgd"`, with the same step size and the same initial weights.
#
# **Question.** Which of the two will fail?

# %%
accuracy = {}
for rule in ("copi", "sgd"):
    rng = np.random.default_rng(0)
    network = Network(
        SIZES, rng=rng, rule=rule, decorrelation=None
    )
    try:
        (last,) = train(
            network, Schedule(eta_W=0.01, eta_R=0), epochs=1
        )
        accuracy[rule] = last.test_accuracy
        print(
            f"{rule}: {accuracy[rule]:.0%} after one epoch"
        )
    except DivergenceError as error:
        print(f"{rule}: {error}")
assert list(accuracy) == ["sgd"]

# %% [markdown]
# **Answer.** COPI diverges, gradient descent learns. The two differ by exactly one term,
#
# $$\Delta W_{\mathrm{copi}} = \Delta W_{\mathrm{sgd}} +
# W\bigl(\langle x x^\top\rangle - \mathrm{diag}\langle x^2\rangle\bigr),$$
#
# and this term amplifies whatever a unit already responds to. On decorrelated inputs it vanishes. Here it does not:
# along the strongest direction, the term alone multiplies the response by about $1 + 0.01 \cdot 38 = 1.4$ at every
# step. The "constrained" in the method's name is meant literally. The message says what to do: let the layers
# decorrelate, with $\eta_R$ at least as large as $\eta_W$.

# %% [markdown]
# ## Exercises
#
# ### Exercise 00.1 · Shapes
#
# `Network([784, 300, 100, 10])` sees a batch of 50 digits. Predict the shapes of four arrays in its **second** layer,
# the one whose inputs are the 300 hidden units: $R$, $W$, $x$ and $a$, as in the code, with samples in rows. Give
# them as a list of four tuples, such as `[(1, 2), (3, 4), (5, 6), (7, 8)]`. (Predict first. Then look at
# `net.layers[1]` and `net.forward(...)` to check.)

# %%
answer = ...  # your four shapes

check("00.1", answer)

# %% [markdown]
# ### Exercise 00.2 · The price of R
#
# How many weights does a network have? Write a function that takes the layer sizes, such as `[784, 200, 10]`, and
# returns two numbers: the number of lateral weights and the number of forward weights, each summed over all layers.


# %%
def count_weights(sizes):
    # your code: two numbers, n_lateral and n_forward
    return ...


check("00.2", count_weights)

# %% [markdown]
# ### Exercise 00.3 · How large a step can you take?
#
# Find by experiment the largest of the step sizes 0.001, 0.003, 0.01, 0.03, 0.1 and 0.3 with which a network still
# trains. Use `Schedule(eta_W=eta, eta_R=eta)` (both sets of weights learn from the first batch, and error signals are
# not scaled), the layer sizes above, and two epochs. The network trains if `fit` raises no `DivergenceError`. Look at
# the accuracies as well: what is the cost of a step size that is too *small*?

# %%
answer = ...  # the largest step size that trains

check("00.3", answer)

# %% [markdown]
# Solutions: [solutions/00_tour.ipynb](solutions/00_tour.ipynb).
#
# ## What you have seen
#
# - Lateral weights $R$ remove the correlations from a layer's inputs. Forward weights $W$ then infer themselves from
#   $x$ and $z = a + \delta$. `Network.step` applies these two equations, as you checked above.
# - A row of $R$ is a centre-surround filter. Correlations fell a lot in the first layer, and less in the second.
# - $\eta_R$ has an upper limit that you can measure in advance, and COPI does not work without decorrelation.
#   [Theorem 5](../docs/theory.md#5-the-step-size-of-decorrelation) and
#   [Theorem 1](../docs/theory.md#1-copi-is-sgd-plus-a-correlation-term) prove this, and are tested in
#   `tests/mathematics/theorems/test_05_step_size.py` and `tests/mathematics/theorems/test_01_copi_versus_sgd.py`.
#
# Where to go next:
#
# | your question | notebook |
# |---|---|
# | Where does the equation for $W$ come from? | [01 · Inferring parameters](01_inferring_parameters.ipynb) |
# | Why does $R$ decorrelate, and how does it differ from whitening? | [02 · Decorrelation](02_decorrelation.ipynb) |
# | Where does $\delta$ come from, with and without backpropagation? | [03 · Error signals](03_error_signals.ipynb) |
# | How do many layers learn together? | [04 · A deep network](04_deep_network.ipynb) |
# | Why is COPI ahead of gradient descent? | [05 · COPI and backpropagation](05_copi_and_backpropagation.ipynb) |
# | What does a hidden unit look for? | [06 · Reading a network](06_reading_a_network.ipynb) |
# | Can whole layers be replaced by one matrix? | [07 · Compression](07_compression.ipynb) |
# | What does a single synapse need to know? | [08 · One synapse](08_one_synapse.ipynb) |
# | How does the same code run on a GPU? | [09 · The same code on two devices](09_two_devices.ipynb) |
# | Does the paper hold up, and how would you know? | [10 · Reproducing the paper](10_reproducing_the_paper.ipynb) |
# | Which other rules decorrelate, and is COPI a natural gradient? | [11 · One family](11_one_family.ipynb) |
# | Can a network learn without backpropagation? | [12 · No backward pass](12_without_a_backward_pass.ipynb) |
# | How do the rules work on images? | [13 · Images](13_images.ipynb) |
