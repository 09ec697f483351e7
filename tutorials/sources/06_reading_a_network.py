# %% [markdown]
# # 06 · Reading a trained network
#
# **What you will be able to do**
#
# - explain why a picture of the weights says little, and nothing at all of a unit in a deep layer;
# - derive the receptive field of a unit, in any layer, from correlations alone;
# - draw the fields of a network layer by layer, and measure how much they look like digits;
# - catch a picture that looks right and is wrong: digits in the fields of a network that has learned nothing.
#
# **Time** 30 minutes to read and run, 25 minutes for the exercises.
#
# **Before this** Notebook 02 for decorrelation, notebook 04 for a deep network. Partial derivatives.
#
# **In the paper** Section 3.2 and Figure 3B; Appendix B for the formula.

# %%
import matplotlib.pyplot as plt
import numpy as np

from copi_np import Network, Schedule, fit, get_backend, load_dataset
from copi_np.analysis import receptive_fields
from copi_np.course import check
from copi_np.datasets import as_float
from copi_np.plotting import COLOURS, STYLE, image_rows
from copi_np.rules import linear_map, mean_square

BACKEND = "numpy"  # or "cupy" on a machine with a GPU
backend = get_backend(BACKEND)
asarray, host = backend.asarray, backend.to_host  # to the device and back
plt.rcParams.update(STYLE)

# %% [markdown]
# ## 1. A network to read
#
# A network of four layers, 784-200-200-200-10, learns the digits. As in the notebooks before, the lateral weights
# learn alone in the first epoch. For comparison we keep a network with the same random weights that learns nothing.

# %%
EPOCHS = 6  # fast: 3
SIZES = [784, 200, 200, 200, 10]
data = load_dataset("mnist-5k")
images = asarray(as_float(data.train.inputs, "float32"))  # y_0, (4000, 784)
schedule = Schedule(1e-3, 1e-3, first_epochs=1, first_eta_R=1e-3, delta_scale=500)

untrained = Network(SIZES, rng=np.random.default_rng(0), backend=BACKEND)
net = Network(SIZES, rng=np.random.default_rng(0), backend=BACKEND)
rng = np.random.default_rng(1)
history = fit(net, data, epochs=EPOCHS, schedule=schedule, rng=rng)
print(f"test accuracy {100 * history[-1].test_accuracy:.1f} %")
assert history[-1].test_accuracy > 0.9

# %% [markdown]
# The paper counts layers from 1, and Python counts from 0: the paper's layer 1 is `net.layers[0]`. Text and figures
# below say "layer 1" as the paper does, and code says `0`.
#
# ## 2. Why not look at the weights?
#
# Each unit of layer 1 has a weight for each of the 784 inputs $x$. Those are pixels, decorrelated ones. So a row of
# $W$ can be drawn as a picture of 28 by 28. And since $x = R y$, a row of $W R$ says what the unit does with the raw
# pixels $y$.
#
# **Question.** What do you expect to see? Will the ten units look like parts of digits?

# %%
first = net.layers[0]
image_rows({"$W$": host(first.W)[:10], "$W R$": host(first.folded())[:10]}, (28, 28))

# %%
W, W_start = host(first.W), host(untrained.layers[0].W)
moved = np.linalg.norm(W - W_start) / np.linalg.norm(W_start)
print(f"W of layer 1 has moved by {100 * moved:.0f} % of its size since the start")
assert moved < 0.5

# %% [markdown]
# **Answer.** You see noise. $W$ still consists mostly of the random numbers it began with: training added about a
# third of their size. What was learned is there, but spread over many small changes. You can make out a faint dark
# spot in some of the pictures, no more.
#
# In layer 2 it is worse. Its weights belong to 200 inputs that are no pixels, so there is nothing to draw. To ask
# what a deep unit responds to, we have to go through the layers in between, which are not linear.
#
# ## 3. The field of a unit
#
# So let us ask the unit, not its weights. Take any unit, in any layer, and write $y_i$ for its output. Which weighted
# sum of the network's decorrelated inputs $x$ comes nearest to $y_i$, over all training samples? We look for the
# weights $w_j$ that make the mean squared difference as small as it gets:
#
# $$\Bigl\langle \bigl(y_i - \sum_j w_j x_j\bigr)^2 \Bigr\rangle
# = \langle y_i^2\rangle - 2\sum_j w_j\,\langle y_i x_j\rangle
# + \sum_j \sum_k w_j w_k\,\langle x_j x_k\rangle .$$
#
# In general each weight depends on all others, through the last term, and to find them takes an inverse of a 784 by
# 784 matrix. But if the inputs are decorrelated, $\langle x_j x_k\rangle = 0$ for $j \ne k$, and the last term is
# only $\sum_j w_j^2\,\langle x_j^2\rangle$. The derivative by $w_j$ is then zero at
#
# $$w_j = \frac{\langle y_i x_j\rangle}{\langle x_j^2\rangle} .$$
#
# Each pixel can be asked on its own: how do you and the unit go together? The 784 answers make a picture. It is the
# **receptive field** of the unit, and this works for a unit of any layer, because only its output is needed.
#
# In matrix form, for all units of a layer at once, this is the linear map of Appendix B:
# $\langle y x^\top\rangle\,\mathrm{diag}\langle x^2\rangle^{-1}$, with a row for each unit.
#
# **Question.** One thing can go wrong in the formula. Which pixels of a digit does it concern?

# %%
trace = net.forward(images)
x, y = host(trace.x[0]), host(trace.y[1])  # inputs of layer 1, outputs of layer 2
unit, field = 7, np.zeros(784)
for j in range(784):
    power = np.mean(x[:, j] ** 2)
    if power > 0:  # a pixel that is always zero has nothing to say
        field[j] = np.mean(y[:, unit] * x[:, j]) / power
n_dead = int(np.sum(np.all(x == 0, axis=0)))
print(n_dead, "pixels are zero in all", len(x), "digits")
assert n_dead > 50

# %% [markdown]
# **Answer.** Pixels in the corners are zero in all digits, so the formula would divide 0 by 0. The loop leaves their
# weight at 0. So do the functions of the package. (The paper writes that it kept the first layer out of its
# compression for this reason, see notebook 07. For receptive fields, a zero is the natural answer.)
#
# Loop, matrix form and library call agree:

# %%
by_map = linear_map(x, y)
by_call = host(receptive_fields(net, images, layer=1))
assert np.allclose(field, by_map[unit], rtol=1e-3, atol=1e-3 * np.abs(field).max())
assert np.allclose(by_call, by_map, rtol=1e-3, atol=1e-3 * np.abs(by_map).max())
print("fields of layer 2:", by_call.shape, "one row for each unit")

# %% [markdown]
# `receptive_fields` goes through the images in chunks and adds up $\langle y x^\top\rangle$ and $\langle x^2\rangle$,
# so that a large training set needs no more memory than a small one. Exercise 06.2 asks you to do the same.
#
# ## 4. The first picture, and why it is bad
#
# **Question.** A few pixels near the border are zero in nearly all digits, but not in every one. They are not dead, so
# the guard does not catch them. What will their weights be like?

# %%
image_rows({"layer 2": by_call[:10]}, (28, 28))

# %%
rms = np.sqrt(host(mean_square(asarray(x))))  # root mean square of every input
rare = (rms > 0) & (rms < 0.01)
share = np.sum(by_call[:, rare] ** 2) / np.sum(by_call**2)
print(f"root mean square: {rms.max():.2f} at most, below 0.01 for {rare.sum()} pixels")
print(f"which hold {100 * share:.0f} % of the squared weights of all fields")
assert share > 0.5

# %% [markdown]
# **Answer.** They are huge. If a pixel is lit in a single digit out of 4,000, the formula makes its weight so large
# that this one pixel explains that one digit. A few such pixels hold nearly all of the squared weights, and the grey
# scale of the picture is theirs.
#
# The weights are right, and the picture shows the wrong thing. What matters is how much a pixel *typically* adds to
# the sum, its weight times its root mean square:
#
# $$w_j \sqrt{\langle x_j^2\rangle} = \frac{\langle y_i x_j\rangle}{\sqrt{\langle x_j^2\rangle}} .$$
#
# These are the weights for inputs in units of their root mean square. Statistics calls them *standardized*.

# %%
in_units = x / np.where(rms > 0, rms, 1)
fields = host(receptive_fields(net, images, layer=1, standardized=True))
assert np.allclose(fields, by_call * rms, atol=1e-4)
assert np.allclose(fields, linear_map(in_units, y), atol=1e-4)
image_rows({"layer 2": fields[:10]}, (28, 28))

# %% [markdown]
# Now the units speak. Light parts excite a unit, dark parts inhibit it. These are still pictures in the coordinates
# of $x$, the decorrelated pixels, as in the paper. (The paper says that it correlates inputs with outputs. It does
# not say in which units the pictures are drawn.)
#
# ## 5. Layer by layer
#
# The paper's Figure 3B shows 100 units of each layer, and the text sees in it "an increasingly digit-oriented feature
# preference" with depth, with "digit selective and anti-digit selective units". Here are the first ten units of
# every layer.
#
# **Question.** What must the fields of the ten output units look like, if the network answers every digit correctly
# with 1 for its class and 0 for the others?

# %%
by_layer = {}
for k in range(4):
    fields = receptive_fields(net, images, k, standardized=True)
    by_layer[f"layer {k + 1}"] = host(fields)
image_rows({name: fields[:10] for name, fields in by_layer.items()}, (28, 28))

# %% [markdown]
# **Answer.** If $y_i$ is 1 for the digits of class $i$ and 0 for the others, $\langle y_i x_j\rangle$ is the mean of
# pixel $j$ over class $i$, times the share of that class. The last row has to be the mean digits in the coordinates of
# $x$. And so it is, from 0 to 9.
#
# Do the layers before it come nearer to digits, one by one? Eyes are easily persuaded, so let us measure. As
# *template* of a class we take its mean picture minus the mean of all ten: what sets this digit apart. The
# *likeness* of a field is the cosine of the angle to the template that fits best, for better or for worse: 1 for the
# template itself, -1 for its negative.


# %%
def templates_of(x):
    """Mean inputs of every class, (10, I), minus the mean of all classes."""
    means = np.array([x[data.train.labels == c].mean(axis=0) for c in range(10)])
    return means - means.mean(axis=0)


def likeness(fields, templates):
    """For each field the cosine to a template that is largest in size."""
    lengths = np.outer(*(np.linalg.norm(m, axis=1) for m in (fields, templates)))
    cosines = fields @ templates.T / lengths
    best = np.argmax(np.abs(cosines), axis=1)
    return cosines[np.arange(len(fields)), best]


# %%
templates = templates_of(in_units)
copi = [likeness(fields, templates) for fields in by_layer.values()]
for name, cosines in zip(by_layer, copi, strict=True):
    median = np.median(np.abs(cosines))
    print(f"{name}: likeness {median:.2f} in the median,", end=" ")
    print(f"{np.sum(cosines < 0):2d} of {len(cosines):3d} units against their digit")
medians = [np.median(np.abs(cosines)) for cosines in copi]
assert medians == sorted(medians)
assert all(np.sum(cosines < 0) > 5 for cosines in copi[:3])

# %% [markdown]
# The likeness rises with every layer. From layer 1 to layer 3 it does so by a little, from about 0.45 to 0.53, and
# then the output layer, which is taught digits, jumps. The "anti-digit" units are there as well: of the 200
# units of each hidden layer, 18 to 30 respond *against* the digit that they fit best.
#
# Is this a property of COPI? We read three other networks through the same inputs $x$. Nothing in the formula asks
# where $x$ comes from: it takes decorrelated inputs, and the outputs of any units for the same samples. The three are
#
# - the untrained network;
# - one that learned by backpropagation with Adam, without any lateral weights;
# - one that learned by backpropagation *with* lateral weights. Only its rule for $W$ is another than COPI's: plain
#   gradient descent.
#
# **Question.** What do you expect for the untrained network? And which of the other two will be more like COPI?


# %%
def trained(schedule, **options):
    """A network that starts with the same weights and sees the same batches."""
    network = Network(SIZES, rng=np.random.default_rng(0), backend=BACKEND, **options)
    rng = np.random.default_rng(1)
    history = fit(network, data, epochs=EPOCHS, schedule=schedule, rng=rng)
    print(f"{options['rule']}: test accuracy {100 * history[-1].test_accuracy:.1f} %")
    return network


adam = trained(Schedule(1e-4, 0), rule="adam", decorrelation=None)
decorrelated = trained(schedule, rule="sgd")

# %%
networks = {"COPI": net, "BP with R": decorrelated}
networks |= {"BP (Adam)": adam, "untrained": untrained}
read = {}
for name, network in networks.items():
    outputs = [host(y) for y in network.forward(images).y]
    cosines = [likeness(linear_map(in_units, y), templates) for y in outputs]
    read[name] = [np.median(np.abs(c)) for c in cosines]
    print(f"{name:10s}", " ".join(f"{value:.2f}" for value in read[name]))

# %%
figure, axes = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
for (name, values), colour in zip(read.items(), COLOURS, strict=False):
    axes.plot(range(1, 5), values, marker="o", color=colour, label=name)
axes.set(xlabel="layer", ylabel="likeness to a digit (median)", ylim=(0, 1))
axes.set_xticks(range(1, 5))
axes.legend(frameon=False)
plt.show()

# %%
hidden = {name: np.array(values[:3]) for name, values in read.items()}
for name in ("COPI", "BP with R"):
    assert np.all(hidden[name] > hidden["BP (Adam)"])
    assert hidden[name][2] - hidden[name][0] > 0.04  # it rises
for name in ("BP (Adam)", "untrained"):
    assert hidden[name][2] - hidden[name][0] < 0.03  # it does not
assert np.all(hidden["untrained"] < hidden["BP (Adam)"])

# %% [markdown]
# **Answer.** A likeness of about 0.3 is what units with random weights have. It does not rise with depth.
#
# Adam's output units are as digit-like as COPI's. In its hidden layers the likeness is lower, and it does not rise
# from layer to layer. With lateral weights, backpropagation is much like COPI.
#
# So the statement of the paper holds here, for one small network and with a modest rise. But it is not the COPI rule
# for $W$ that makes the difference. What COPI and the second network share, and Adam's lacks, is the decorrelation of
# every layer's inputs. (Adam's also learns with other steps, so this is a strong hint, and no proof.)
#
# ## 6. Break it: raw pixels
#
# Backpropagation needs no $R$, so why not read Adam's network with its own inputs, the raw pixels? `receptive_fields`
# does just that: without lateral weights, $x = y_0$.
#
# **Question.** Will the fields look better or worse than those above? And those of the untrained network, on raw
# pixels?

# %%
raw = {}
for name, network in (("Adam", adam), ("untrained", untrained)):
    for k in (0, 2):
        fields = host(receptive_fields(network, images, k, standardized=True))
        largest = np.abs(fields).max(axis=1, keepdims=True)
        raw[f"{name}\nlayer {k + 1}"] = fields / largest  # to see the faint ones too
image_rows({name: fields[:10] for name, fields in raw.items()}, (28, 28))

# %% [markdown]
# **Answer.** Better, at first sight: soft, clean digits, some of them dark on light. Adam's hidden units seem to be
# detectors of digits, already in layer 1. But so do those of the network that has never learned anything! The pictures
# are smoother than those above, and they are misleading: they show little that belongs to the units.
#
# What do they show? Two measurements help. How alike are the fields of *different* units of a layer? And how much do
# they look like the mean of all images, which has nothing to do with any unit?


# %%
def alike(fields, others):
    """Median size of the cosines between two sets of pictures."""
    lengths = np.outer(*(np.linalg.norm(m, axis=1) for m in (fields, others)))
    return np.median(np.abs(fields @ others.T / lengths))


pixels = host(images)
pixel_rms = np.sqrt(np.mean(pixels**2, axis=0))
mean_image = np.mean(pixels / np.where(pixel_rms > 0, pixel_rms, 1), axis=0)[None]
for name, fields in raw.items():
    title = name.replace("\n", ", ")
    print(f"{title}: each other {alike(fields, fields):.2f}", end=", ")
    print(f"the mean image {alike(fields, mean_image):.2f}")

# %%
through_x = linear_map(in_units, host(untrained.forward(images).y[0]))
mean_x = in_units.mean(axis=0)[None]
print(f"untrained, through x: each other {alike(through_x, through_x):.2f}", end=", ")
print(f"the mean of x {alike(through_x, mean_x):.2f}")
name = "untrained\nlayer 1"
assert alike(raw[name], mean_image) > 0.9
assert alike(through_x, mean_x) < alike(raw[name], mean_image) - 0.2
assert alike(through_x, through_x) < alike(raw[name], raw[name]) - 0.2

# %% [markdown]
# On raw pixels most fields are nearly the same picture, up to sign, and it is the mean image. **Diagnosis:** pixels
# light up together. If a unit responds to one pixel only, its output is correlated with all the pixels that go along
# with it, and the formula paints them all. It counts what pixels have in common once for each of them. The derivation
# above dropped the terms $\langle x_j x_k\rangle$, and on raw pixels they are not zero.
#
# **Repair:** read units through decorrelated inputs, as in section 5. Then an untrained network looks untrained: its
# fields differ from each other, and are much less like the mean. (Not wholly unlike it, since $x$ is not decorrelated
# to the last digit.) This is what COPI offers here: its inputs are decorrelated anyway, so that a mere
# correlation will do. For other networks you would have to decorrelate the inputs first, as we did in section 5, or
# to invert the matrix $\langle x x^\top\rangle$.
#
# ## 7. How much of a unit is in its field?
#
# A field is a *linear* description of a unit, and units need not be anywhere near linear. Which share of the mean
# square of their outputs does the sum $\sum_j w_j x_j$ account for? We compare the formula with the least-squares
# weights (`numpy.linalg.lstsq`). Since the formula's sums may be too large as a whole, we allow them one free factor.
# All of this is fitted to the training digits, and measured on those and on the test digits.
#
# **Question.** On the training digits least squares is the best that there is. On the test digits too?


# %%
def explained(y, prediction):
    """Share of the mean square of y that a prediction accounts for; 1 at best."""
    return 1 - np.sum((y - prediction) ** 2) / np.sum(y**2)


test_trace = net.forward(asarray(as_float(data.test.inputs, "float32")))
x_test, shares = host(test_trace.x[0]), {}
for k in range(4):
    y, y_test = host(trace.y[k]), host(test_trace.y[k])
    formula = linear_map(x, y).T
    factor = np.sum(x @ formula * y) / np.sum((x @ formula) ** 2)
    print(f"layer {k + 1}: the formula's factor is {factor:.2f}")
    best = np.linalg.lstsq(x, y, rcond=1e-5)[0]
    for name, w in (("least squares", best), ("formula", factor * formula)):
        shares[name, k] = explained(y, x @ w), explained(y_test, x_test @ w)

# %%
for (name, k), (on_train, on_test) in shares.items():
    print(f"layer {k + 1}, {name:13s}  train {on_train:.2f}, test {on_test:.2f}")
for k in range(4):
    best, formula = shares["least squares", k], shares["formula", k]
    assert best[0] > formula[0] > 0.5  # on the training digits
    assert best[1] < best[0] - 0.15  # least squares loses much on the test digits,
    assert formula[1] > formula[0] - 0.05  # the formula hardly anything
assert formula[1] > best[1] + 0.1  # in the output layer
assert factor < 0.5

# %% [markdown]
# **Answer.** No. With 784 weights for each unit, least squares fits what is peculiar to the 4,000 training digits, and
# most so where $x$ hardly varies. On test digits it explains far less than the formula, which answers weak patterns
# weakly, and loses almost nothing from training to test digits. Three things to note:
#
# - About 70 % of a hidden unit is in its field, and less of an output unit: though their fields are the prettiest, the
#   outputs are the hardest to describe.
# - The formula needs a factor of about 0.1: its sums are ten times too large. The inputs of this network are *nearly*
#   decorrelated, and the small correlations that are left, over 784 inputs, add up. Notebook 07 finds the same fault in
#   compressed networks, and repairs it.
# - So these fields are not the least-squares weights, as they would be on exactly decorrelated inputs. They favour
#   what the inputs still have in common.
#
# ## Exercises
#
# ### Exercise 06.1 · A field without a division by zero
#
# Write the standardized receptive fields as a function of `x` (B, I) and `y` (B, O): an array (O, I) with the entries
# $\langle y_i x_j\rangle / \sqrt{\langle x_j^2\rangle}$, and 0 for inputs that are always zero.


# %%
def my_fields(x, y):
    return ...  # your code


check("06.1", my_fields)

# %% [markdown]
# ### Exercise 06.2 · More data than memory
#
# Now the samples come in chunks: a list of pairs `(x, y)`, each with its own number of samples, the last one smaller
# than the others. Return the fields of all samples together, this time *not* standardized:
# $\langle y_i x_j\rangle / \langle x_j^2\rangle$, and 0 where an input is zero in all of the chunks. Do not join the
# chunks: keep sums.


# %%
def my_fields_in_chunks(chunks):
    return ...  # your code


check("06.2", my_fields_in_chunks)

# %% [markdown]
# ### Exercise 06.3 · The same pixel twice
#
# A camera has a fault: it writes one of its pixels into two places. All other inputs are decorrelated. A unit is
# $y = w x_1$, and now the input has $x_1$ twice. Which weights does the *formula* give the two copies?
#
# - a: half of $w$ each, so that their sum is right
# - b: $w$ each, so that together they count twice
# - c: $w$ for the first and 0 for the second
#
# Predict first. Then try it with random numbers and `linear_map`, and compare with `numpy.linalg.lstsq`.

# %%
answer = ...  # "a", "b" or "c"
check("06.3", answer)

# %% [markdown]
# ## What you have seen
#
# - A receptive field is the linear map from the network's inputs to a unit. On decorrelated inputs it is one
#   correlation for each pixel, in any layer, with no inverse.
# - Drawn in units of the inputs' root mean square, the fields of a COPI network become more digit-like with depth, by
#   a little in the hidden layers. So do those of backpropagation with decorrelation. (C33 of the
#   [claims](../docs/claims.md) is about networks as large as the paper's.)
# - On correlated inputs the same formula draws the mean image, for any network. A picture that looks right is no proof.
# - A field describes a unit only as far as it is linear, and where inputs are only nearly decorrelated the formula is
#   not least squares: off in size, but better on new digits.
#
# Why the formula is least squares on decorrelated inputs, and by how much it misses on others, is
# [Theorem 8](../docs/theory.md#8-the-fixed-point-is-least-squares), tested in
# `tests/mathematics/theorems/test_08_fixed_point.py`.
# The functions used here are held by `tests/mathematics/test_analysis.py`.
#
# **Next:** [07 · Compression](07_compression.ipynb) uses the same map to take layers out of a network.
