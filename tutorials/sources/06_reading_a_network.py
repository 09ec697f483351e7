# %% [markdown]
# # 06 · Reading a trained network
#
# **What you will be able to do**
#
# - explain why a picture of the weights tells you little, and nothing at all about a unit in a deep layer;
# - derive the receptive field of a unit, in any layer, from correlations only;
# - draw the fields of a network layer by layer, and measure how much they look like digits;
# - spot a picture that looks right but is wrong: digits in the fields of a network that has learned nothing.
#
# **Time:** 35 minutes to read and run, 25 minutes for the exercises.
#
# **Before this:** notebook 02 for decorrelation; notebook 04 for a deep network; partial derivatives.
#
# **In the paper:** Section 3.2 and Figure 3B; Appendix B for the formula.

# %%
import numpy as np

from copi_np import Network, Schedule, fit, load_dataset
from copi_np.analysis import receptive_fields
from copi_np.course import check
from copi_np.datasets import as_float
from copi_np.plotting import image_rows
from copi_np.rules import linear_map, mean_square

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from copi_np.plotting import COLOURS, STYLE, label_ends

plt.rcParams.update(STYLE)

# %% [markdown]
# ## 1. A network to read
#
# We train a network of four layers, 784-200-200-200-10, on the digits. As in the earlier notebooks, only the lateral
# weights learn in the first epoch. For comparison we keep an untrained network with the same random weights.

# %%
DATA = "mnist-5k"
EPOCHS = 6  # fast: 3

data = load_dataset(DATA)
images = as_float(data.train.inputs, "float32")
n_pixels, n_classes = data.n_inputs, data.n_classes
SIZES = [n_pixels, 200, 200, 200, n_classes]
first = {"first_epochs": 1, "first_eta_R": 1e-3}
schedule = Schedule(1e-3, 1e-3, delta_scale=500, **first)


# %%
def trained(schedule, **options):
    """Train from the same weights on the same batches."""
    rng = np.random.default_rng(0)
    network = Network(SIZES, rng=rng, **options)
    settings = {"epochs": EPOCHS, "schedule": schedule}
    rng = np.random.default_rng(1)
    history = fit(network, data, rng=rng, **settings)
    accuracy = history[-1].test_accuracy
    print(options, f"test accuracy {accuracy:.1%}")
    assert accuracy > 0.85
    return network


untrained = Network(SIZES, rng=np.random.default_rng(0))
net = trained(schedule, rule="copi")

# %% [markdown]
# The paper counts layers from 1, and Python counts from 0: the paper's layer 1 is `net.layers[0]`. The text and figures
# below say "layer 1", as in the paper; the code says `0`.
#
# ## 2. Why not look at the weights?
#
# Each unit of layer 1 has one weight for each of the 784 inputs $x$, the decorrelated pixels. So we can draw a row of
# $W$ as a 28 by 28 picture. And since $x = R y$, a row of $W R$ shows what the unit does with the raw pixels $y$.
#
# **Question.** What do you expect to see? Will the pictures of the first ten units look like parts of digits?

# %%
first = net.layers[0]
rows = {"W": first.W[:10], "W R": first.folded()[:10]}
image_rows(rows, data.image_shape)

# %%
W, W_start = first.W, untrained.layers[0].W
moved = np.linalg.norm(W - W_start)
share = moved / np.linalg.norm(W_start)
print(f"W of layer 1 has moved by {share:.0%} of its size")
assert share < 0.5

# %% [markdown]
# **Answer.** You see noise. $W$ still consists mostly of its initial random numbers: training moved it by about a third
# of its size. What the network learned is there, but spread over many small changes. In some of the pictures you can
# make out a faint dark spot, and that is all.
#
# In layer 2 it is worse. Its weights belong to 200 inputs that are not pixels, so there is nothing to draw. To find out
# what a deep unit responds to, we have to go through the layers in between, which are not linear.
#
# ## 3. The field of a unit
#
# So let us look at what the unit does, not at its weights. Take any unit, in any layer, and write $y_i$ for its output.
# Which weighted sum of the network's decorrelated inputs $x$ is closest to $y_i$, over all training samples? We look
# for the weights $w_j$ that minimise the mean squared difference:
#
# $$\Bigl\langle \bigl(y_i - \sum_j w_j x_j\bigr)^2 \Bigr\rangle
# = \langle y_i^2\rangle - 2\sum_j w_j\,\langle y_i x_j\rangle
# + \sum_j \sum_k w_j w_k\,\langle x_j x_k\rangle .$$
#
# In general each weight depends on all the others, through the last term, and to find them we would have to invert a
# 784 by 784 matrix. But if the inputs are decorrelated, $\langle x_j x_k\rangle = 0$ for $j \ne k$, and the last term
# is just $\sum_j w_j^2\,\langle x_j^2\rangle$. Then the derivative with respect to $w_j$ is zero at
#
# $$w_j = \frac{\langle y_i x_j\rangle}{\langle x_j^2\rangle} .$$
#
# So we can look at each pixel separately, and ask how strongly it is correlated with the unit. The 784 answers make a
# picture: the **receptive field** of the unit. This works for a unit in any layer, because we only need its output.
#
# In matrix form, for all units of a layer at once, this is the linear map of Appendix B: $\langle y
# x^\top\rangle\,\mathrm{diag}\langle x^2\rangle^{-1}$, with one row per unit.
#
# **Question.** One thing can go wrong with this formula. For which pixels of a digit?

# %%
trace = net.forward(images)
x = trace.x[0]  # into layer 1
y = trace.y[1]  # out of layer 2
unit, field = 7, np.zeros(n_pixels)
for j in range(n_pixels):
    power = np.mean(x[:, j] ** 2)
    if power > 0:  # some pixels are always zero
        field[j] = np.mean(y[:, unit] * x[:, j]) / power
n_dead = int(np.sum(np.all(x == 0, axis=0)))
print(n_dead, "pixels are zero in all", len(x), "digits")
assert n_dead > 50

# %% [markdown]
# **Answer.** Pixels in the corners are zero in all digits, so the formula would divide 0 by 0. The loop leaves their
# weight at 0, and so do the functions of the package. (According to the paper, this is why its compression never
# replaces the first layer; see notebook 07. For receptive fields, zero is the natural answer.)
#
# The loop, the matrix form and the library call agree:


# %%
def same(one, other):
    size = np.abs(other).max()
    return np.allclose(
        one, other, rtol=1e-3, atol=1e-3 * size
    )


by_map = linear_map(x, y)
by_call = receptive_fields(net, images, layer=1)
assert same(field, by_map[unit])
assert same(by_call, by_map)
print("fields:", by_call.shape, "one row for each unit")

# %% [markdown]
# `receptive_fields` goes through the images in chunks and adds up $\langle y x^\top\rangle$ and $\langle x^2\rangle$,
# so a large training set needs no more memory than a small one. You will do the same in exercise 06.2.
#
# ## 4. The first picture, and why it is bad
#
# **Question.** A few pixels near the border are zero in nearly all digits, but not in every one. They are not dead, so
# the check for zeros does not catch them. What will their weights be like?

# %%
image_rows({"layer 2": by_call[:10]}, data.image_shape)

# %%
rms = np.sqrt(mean_square(x))  # of every input
rare = (rms > 0) & (rms < 0.01)
share = np.sum(by_call[:, rare] ** 2) / np.sum(by_call**2)
print(
    f"root mean square: {rms.max():.2f} at most,", end=" "
)
print(f"below 0.01 for {rare.sum()} pixels, which hold")
print(f"{share:.0%} of the squared weights of all fields")
assert share > 0.5

# %% [markdown]
# **Answer.** They are huge. If a pixel is lit in only one digit out of 4,000, the formula makes its weight so large
# that this one pixel explains that one digit. A few such pixels hold nearly all of the squared weights, and they
# determine the grey scale of the picture.
#
# The weights are right, but the picture shows the wrong thing. What matters is how much a pixel *typically* adds to the
# sum, its weight times its root mean square:
#
# $$w_j \sqrt{\langle x_j^2\rangle} = \frac{\langle y_i x_j\rangle}{\sqrt{\langle x_j^2\rangle}} .$$
#
# These are the weights for inputs in units of their root mean square. Statisticians call them *standardized*.

# %%
in_units = x / np.where(rms > 0, rms, 1)
fields = receptive_fields(
    net, images, layer=1, standardized=True
)
assert np.allclose(fields, by_call * rms, atol=1e-4)
by_map = linear_map(in_units, y)
assert np.allclose(fields, by_map, atol=1e-4)
image_rows({"layer 2": fields[:10]}, data.image_shape)

# %% [markdown]
# Now we can see something. Light parts excite a unit, dark parts inhibit it. These pictures are still in the
# coordinates of $x$, the decorrelated pixels, as in the paper. (The paper says that it correlates inputs with outputs.
# It does not say how the pictures are scaled.)
#
# ## 5. Layer by layer
#
# The paper's Figure 3B shows 100 units of each layer. The text describes "an increasingly digit-oriented feature
# preference" with depth, with "digit selective and anti-digit selective units". Here are the first ten units of each
# layer.
#
# **Question.** Suppose that the network answers every digit correctly, with 1 for its class and 0 for the others. What
# must the fields of the ten output units look like?

# %%
by_layer = {}
for k in range(4):
    by_layer[f"layer {k + 1}"] = receptive_fields(
        net, images, k, standardized=True
    )
few = {
    name: fields[:10] for name, fields in by_layer.items()
}
image_rows(few, data.image_shape)

# %% [markdown]
# **Answer.** If $y_i$ is 1 for the digits of class $i$ and 0 for the others, $\langle y_i x_j\rangle$ is the mean of
# pixel $j$ over class $i$, times the share of that class. So the last row must show the mean digits, in the coordinates
# of $x$. And it does, from 0 to 9.
#
# Do the hidden layers get closer to digits, layer by layer? It is easy to see what you want to see, so let us measure.
# As the *template* of a class we take its mean picture minus the mean of all ten: what makes this digit different. The
# *likeness* of a field is the cosine of the angle to the template that fits best, with either sign: 1 for the template
# itself, -1 for its negative.


# %%
def templates_of(x):
    """Return each class's mean, minus the mean of all."""
    labels = data.train.labels
    of_class = [x[labels == c] for c in range(n_classes)]
    means = np.array(
        [rows.mean(axis=0) for rows in of_class]
    )
    return means - means.mean(axis=0)


def cosines_of(fields, others):
    """Return the cosines of all pairs."""
    lengths = np.linalg.norm(fields, axis=1)[:, None]
    lengths = lengths * np.linalg.norm(others, axis=1)
    return fields @ others.T / lengths


def likeness(fields, templates):
    """Return each field's largest cosine to a template."""
    cosines = cosines_of(fields, templates)
    best = np.argmax(np.abs(cosines), axis=1)
    return cosines[np.arange(len(fields)), best]


# %%
templates, medians = templates_of(in_units), []
for name, fields in by_layer.items():
    cosines = likeness(fields, templates)
    medians.append(np.median(np.abs(cosines)))
    against = np.sum(cosines < 0)
    print(
        f"{name}: median likeness {medians[-1]:.2f},",
        end=" ",
    )
    print(
        f"{against} of {len(cosines)} against their digit"
    )
    assert against > 5 or name == "layer 4"
assert medians == sorted(medians)

# %% [markdown]
# The likeness rises with every layer. From layer 1 to layer 3 it rises only a little, from about 0.45 to 0.52. In the
# output layer, which is trained on digits, it jumps. The "anti-digit" units are there too: in each hidden layer, 19
# to 33 of the 200 units respond *against* the digit that they fit best.
#
# Is this a property of COPI? We compare three other networks, and use the same inputs $x$ for all of them. The formula
# does not care where $x$ comes from: it needs decorrelated inputs, and the outputs of any units for the same samples.
# The three networks are
#
# - the untrained network;
# - one that learned by backpropagation with Adam, without any lateral weights;
# - one that learned by backpropagation *with* lateral weights. It differs from COPI only in its rule for $W$, which is
#   plain gradient descent.
#
# **Question.** What do you expect for the untrained network? And which of the other two will be more like COPI?


# %%
constant = Schedule(1e-4, 0)
adam = trained(constant, rule="adam", decorrelation=None)
decorrelated = trained(schedule, rule="sgd")

# %%
networks = {"COPI": net, "BP with R": decorrelated}
networks |= {"BP (Adam)": adam, "untrained": untrained}
read = {}
for name, network in networks.items():
    read[name] = []
    for y in network.forward(images).y:
        fields = linear_map(in_units, y)
        cosines = np.abs(likeness(fields, templates))
        read[name].append(np.median(cosines))
    print(f"{name:10s}", np.round(read[name], 2))

# %% tags=["hide-input"]
figure, axes = plt.subplots(
    figsize=(7, 3.8), layout="constrained"
)
for (name, values), colour in zip(
    read.items(), COLOURS, strict=False
):
    axes.plot(
        range(1, 5), values, "o-", color=colour, label=name
    )
axes.set(xlabel="layer", ylim=(0, 1), xticks=range(1, 5))
axes.set(ylabel="likeness to a digit (median)")
axes.set_title(
    "with R, layers resemble digits more and more"
)
label_ends(axes)
plt.show()

# %%
hidden = {name: values[:3] for name, values in read.items()}
rise = {name: v[2] - v[0] for name, v in hidden.items()}
for k in range(3):
    of_adam = hidden["BP (Adam)"][k]
    assert hidden["COPI"][k] > of_adam
    assert hidden["BP with R"][k] > of_adam
    assert hidden["untrained"][k] < of_adam
assert min(rise["COPI"], rise["BP with R"]) > 0.04
assert max(rise["BP (Adam)"], rise["untrained"]) < 0.03

# %% [markdown]
# **Answer.** Units with random weights have a likeness of about 0.3. It does not rise with depth.
#
# The output units of Adam's network are as digit-like as COPI's. In its hidden layers the likeness is lower, and
# there is no steady rise from layer to layer. Backpropagation with lateral weights is very similar to COPI.
#
# So the paper's statement holds here, for one small network and with a modest rise. But it is not the COPI rule for $W$
# that makes the difference. COPI and the network with lateral weights both decorrelate the inputs of every layer, and
# Adam's network does not. (Adam also takes different steps, so this is strong evidence, but not a proof.)
#
# ## 6. Break it: raw pixels
#
# Backpropagation does not need $R$. So why not use the raw pixels, which are the inputs of Adam's network?
# `receptive_fields` does just that: without lateral weights, $x = y_0$.
#
# **Question.** Will these fields look better or worse than those above? And what about the untrained network on raw
# pixels?

# %%
raw = {}
for name in ("BP (Adam)", "untrained"):
    for k in (0, 2):
        fields = receptive_fields(
            networks[name], images, k, standardized=True
        )
        # each on its own scale, to see the faint ones too
        largest = np.abs(fields).max(axis=1, keepdims=True)
        raw[f"{name}\nlayer {k + 1}"] = fields / largest
few = {name: fields[:10] for name, fields in raw.items()}
image_rows(few, data.image_shape)

# %% [markdown]
# **Answer.** Better, at first sight: soft, clean digits, some of them dark on light. Adam's hidden units seem to detect
# digits even in layer 1. But so do the units of the network that has never learned anything! The pictures are smoother
# than those above, but they are misleading: they tell us little about the units.
#
# What do they show? Two measurements help. How similar are the fields of *different* units in a layer? And how similar
# are they to the mean of all images, which has nothing to do with any unit?


# %%
def alike(fields, others):
    """Return the median |cosine| of two sets of fields."""
    return np.median(np.abs(cosines_of(fields, others)))


pixel_rms = np.sqrt(np.mean(images**2, axis=0))
of_pixels = images / np.where(pixel_rms > 0, pixel_rms, 1)
mean_image = of_pixels.mean(axis=0)[None]
for name, fields in raw.items():
    print(
        name.replace("\n", ", "),
        "- cosine to each",
        end=" ",
    )
    print(f"other {alike(fields, fields):.2f},", end=" ")
    print(
        f"to the mean image {alike(fields, mean_image):.2f}"
    )

# %%
y = untrained.forward(images).y[0]
through_x = linear_map(in_units, y)
mean_x = in_units.mean(axis=0)[None]
each_other = alike(through_x, through_x)
to_mean = alike(through_x, mean_x)
print("untrained, through x: cosine to each", end=" ")
print(f"other {each_other:.2f}, to the mean {to_mean:.2f}")

fields = raw["untrained\nlayer 1"]
assert alike(fields, mean_image) > max(0.9, to_mean + 0.2)
assert alike(fields, fields) > each_other + 0.2

# %% [markdown]
# On raw pixels most fields are nearly the same picture, up to sign, and that picture is the mean image. **Diagnosis:**
# pixels light up together. Even if a unit responds to only one pixel, its output is correlated with all the pixels that
# are correlated with that one, and they all show up in the field. What pixels have in common is counted once for each
# of them. The derivation above dropped the terms $\langle x_j x_k\rangle$, and on raw pixels they are not zero.
#
# **The fix:** use decorrelated inputs, as in section 5. Then an untrained network looks untrained: its fields differ
# from each other, and look much less like the mean. (They still look a little like it, since $x$ is not perfectly
# decorrelated.) This is an advantage of COPI: its inputs are already decorrelated, so a simple correlation is enough.
# For other networks you would have to decorrelate the inputs first, as we did in section 5, or invert the matrix
# $\langle x x^\top\rangle$.
#
# ## 7. How much of a unit is in its field?
#
# A field is a *linear* description of a unit, but units may be far from linear. How much of the mean square of their
# outputs does the sum $\sum_j w_j x_j$ explain? We compare the formula with the least-squares weights
# (`numpy.linalg.lstsq`). The formula's sums may all be too large, so we allow one free factor. We fit everything to the
# training digits, and measure it on the training and the test digits.
#
# **Question.** On the training digits nothing beats least squares. Is that true on the test digits too?


# %%
def explained(y, prediction):
    """Return the share of <y^2> that is explained."""
    return 1 - np.sum((y - prediction) ** 2) / np.sum(y**2)


test_images = as_float(data.test.inputs, "float32")
tested = net.forward(test_images)
x_test, shares = tested.x[0], {}
for k in range(4):
    y, y_test = trace.y[k], tested.y[k]
    guess = x @ linear_map(x, y).T
    factor = np.sum(guess * y) / np.sum(guess**2)
    print(
        f"layer {k + 1}: the formula's factor {factor:.2f}"
    )
    maps = {"formula": factor * linear_map(x, y).T}
    maps["least squares"] = np.linalg.lstsq(
        x, y, rcond=1e-5
    )[0]
    for name, w in maps.items():
        on_train = explained(y, x @ w)
        shares[name, k] = (
            on_train,
            explained(y_test, x_test @ w),
        )

# %%
for k in range(4):
    for name in ("least squares", "formula"):
        on_train, on_test = shares[name, k]
        print(f"layer {k + 1}, {name:13s}", end="  ")
        print(f"train {on_train:.2f}, test {on_test:.2f}")
    best = shares["least squares", k]
    formula = shares[name, k]
    assert best[0] > formula[0] > 0.5  # on training digits
    # on test digits one loses much, the other hardly
    assert best[1] < best[0] - 0.15
    assert formula[1] > formula[0] - 0.05
assert formula[1] > best[1] + 0.1  # in the output layer
assert factor < 0.5

# %% [markdown]
# **Answer.** No. With 784 weights per unit, least squares overfits the 4,000 training digits, most of all in directions
# in which $x$ hardly varies. On the test digits it explains far less than the formula. The formula gives little weight
# to weak patterns, and does almost as well on test digits as on training digits. Note three things:
#
# - A field explains about 70 % of a hidden unit, and less of an output unit: the output units have the prettiest
#   fields, but are the hardest to describe.
# - The formula needs a factor of about 0.1: its sums are ten times too large. The inputs of this network are *nearly*
#   decorrelated, but over 784 inputs the small remaining correlations add up. Notebook 07 finds the same fault in
#   compressed networks, and fixes it.
# - So these fields are not the least-squares weights, which they would be on exactly decorrelated inputs. They
#   exaggerate what the inputs still have in common.
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
# Now the samples come in chunks: a list of pairs `(x, y)`. The chunks may differ in size, and the last one is smaller
# than the others. Return the fields of all samples together, this time *not* standardized: $\langle y_i x_j\rangle /
# \langle x_j^2\rangle$, and 0 where an input is zero in all chunks. Do not join the chunks: keep running sums.


# %%
def my_fields_in_chunks(chunks):
    return ...  # your code


check("06.2", my_fields_in_chunks)

# %% [markdown]
# ### Exercise 06.3 · The same pixel twice
#
# A faulty camera writes one of its pixels to two places. All other inputs are decorrelated. A unit computes $y = w
# x_1$, and now the input contains $x_1$ twice. Which weights does the *formula* give to the two copies?
#
# - a: $w/2$ each, so that their sum is right
# - b: $w$ each, so that together they count twice
# - c: $w$ for the first and 0 for the second
#
# Predict first. Then try it with random numbers and `linear_map`, and compare with `numpy.linalg.lstsq`.

# %%
answer = ...  # "a", "b" or "c"
check("06.3", answer)

# %% [markdown]
# Solutions: [solutions/06_reading_a_network.ipynb](solutions/06_reading_a_network.ipynb).
#
# ## What you have seen
#
# - A receptive field is the best linear map from the network's inputs to a unit. On decorrelated inputs it takes just
#   one correlation per pixel, for a unit in any layer, and no matrix inverse.
# - In units of the inputs' root mean square, the fields of a COPI network become more digit-like with depth, though
#   only a little in the hidden layers. So do the fields of a network with backpropagation and decorrelation. (C33 of
#   the [claims](../docs/claims.md) is about networks as large as the paper's.)
# - On correlated inputs the same formula shows the mean image, for any network. A picture that looks right proves
#   nothing.
# - A field describes only the linear part of a unit. If the inputs are only nearly decorrelated, the formula is not
#   least squares: its size is wrong, but it does better on new digits.
#
# [Theorem 8](../docs/theory.md#8-the-fixed-point-is-least-squares) proves that the formula is least squares on
# decorrelated inputs, and says how far off it is on others; `tests/mathematics/theorems/test_08_fixed_point.py` tests
# it. `tests/mathematics/test_analysis.py` tests the functions used here.
#
# **Next:** [07 · Compression](07_compression.ipynb) uses the same map to remove layers from a network.
