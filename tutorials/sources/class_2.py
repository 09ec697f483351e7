# %% [markdown]
# # Class 2 · What a network learns, and from what
#
# Class 1 derived the two rules. It took the error signal from backpropagation, and never
# looked inside a trained network. Today we do both, and end with a single synapse.
#
# At every **question**, commit to an answer before we run the next cell.

# %% tags=["hide-input"]
import numpy as np

from copi_np import (
    Callback,
    Network,
    Schedule,
    fit,
    load_dataset,
    rules,
)
from copi_np.analysis import (
    alignment_angles,
    compress,
    least_squares_map,
    stack_map,
)
from copi_np.course import classroom
from copi_np.course.sliders import batch_with
from copi_np.datasets import as_float, one_hot
from copi_np.plotting import image_rows

# %%
DATA = "mnist-5k"  # or "digits-8x8"
data = load_dataset(DATA)
images = as_float(data.train.inputs, "float32")
labels, n_classes = data.train.labels, data.n_classes
targets = one_hot(labels, n_classes, "float32")
shape = data.image_shape
print(images.shape, "->", targets.shape)

# %% [markdown]
# ## 1. Error signals
#
# Every layer needs a target $z = a + \delta$. The data give one for the last layer only. The
# gold standard for the others is the direction in which the loss falls fastest,
#
# $$\delta_l = -\frac{d\ell}{d a_l}, \qquad \ell = \lVert y_L - y^*\rVert^2 .$$
#
# **Question.** An output is too large. What is the sign of its $\delta$?

# %%
sizes = [data.n_inputs, 100, 100, n_classes]
rng = np.random.default_rng(0)
network = Network(sizes, rng=rng, dtype="float64")
batch = images[:8].astype("float64")
wanted = targets[:8].astype("float64")
trace = network.forward(batch)
deltas = network.error_signals(trace, wanted)
too_large = trace.y[-1] > wanted
assert np.all(deltas[-1][too_large] < 0)
print("output too large: delta is negative")

# %% [markdown]
# **Answer.** Negative: $\delta$ points to where the unit *should* go.

# %% [markdown]
# For the layers below, the chain rule walks back through $W$, through $R$, and through $f$:
#
# $$\delta_l = f'(a_l) \circ R_{l+1}^\top W_{l+1}^\top\,\delta_{l+1} .$$
#
# Never trust a backward pass. Nudge one number, and see what the loss does. This needs no
# derivation at all.


# %%
def loss_from_layer_1(a):
    y = network.layers[0].activation.f(a)
    for layer in network.layers[1:]:
        *_, y = layer.forward(y)
    return np.sum((y - wanted) ** 2, axis=1)


nudge = np.zeros_like(trace.a[0])
nudge[:, 3] = 1e-6  # one unit, in all samples
up = loss_from_layer_1(trace.a[0] + nudge)
down = loss_from_layer_1(trace.a[0] - nudge)
gap = -(up - down) / 2e-6 - deltas[0][:, 3]
print(f"largest difference {np.abs(gap).max():.0e}")
assert np.abs(gap).max() < 1e-6

# %% [markdown]
# Must a signal be exact? Move the states a small step along *any* signal, at an angle
# $\theta$ to the right one. The loss changes in proportion to $-\cos\theta$.
#
# **Question.** For which angles does it fall? How much slower at 60° than at 0°?

# %%
right = deltas[0] / np.linalg.norm(deltas[0])
across = rng.normal(size=right.shape)
across -= np.sum(across * right) * right
across /= np.linalg.norm(across)
curves, reach = {}, np.linspace(0, 1, 21)
for angle in (120, 90, 60, 0):
    theta = np.radians(angle)
    signal = np.cos(theta) * right + np.sin(theta) * across
    states = [trace.a[0] + t * signal for t in reach]
    losses = [loss_from_layer_1(a).mean() for a in states]
    curves[f"{angle}°"] = losses
    assert (losses[1] < losses[0]) == (angle < 90)

# %%
panels = {"below 90° the loss falls": curves}
along = "steps along the signal"
classroom.named_curves(panels, "loss", along)

# %% [markdown]
# **Answer.** Below 90°. At 60° half as fast, since $\cos 60° = \tfrac12$. So a signal may be far
# off and still be useful. That opens a door.

# %% [markdown]
# Backpropagation sends errors down through the transposes of the weights that carry activity
# up. No synapse knows another synapse's weight: this is the *weight transport problem*. Four
# ways around it, with a matrix $F$ in place of $(W R)^\top$:
#
# | | sends | $F$ |
# |---|---|---|
# | feedback alignment | $F_{l+1}\,\delta_{l+1}$ | random, fixed |
# | direct feedback alignment | $F_{l+1}\,\delta_L$ | random, fixed |
# | target propagation | the target above, through an inverse | learned |
# | difference target propagation | the difference of two such targets | learned |
#
# **Question.** Before learning, what is the angle between feedback alignment's signal and
# backpropagation's, in a layer of 100 units?

# %%
some = images[:500], targets[:500]
random = Network(sizes, rng=rng, error_signal="fa")
before = alignment_angles(random, *some)[:2]
print([f"{angle:.0f}°" for angle in before])
assert all(80 < angle < 100 for angle in before)

# %% [markdown]
# **Answer.** About 90°: random directions in many dimensions are nearly perpendicular. It looks
# hopeless.
#
# **Question.** The feedback never changes. Can the angle change?


# %%
class Angles(Callback):
    def on_start(self, network, history):
        self.by_epoch = [alignment_angles(network, *some)]

    def on_epoch(self, network, record):
        angles = alignment_angles(network, *some)
        self.by_epoch.append(angles)


# %%
EPOCHS = 8  # fast: 5
schedule = Schedule(
    eta_W=1e-3,
    eta_R=1e-3,
    delta_scale=300,
    first_epochs=1,  # R alone
    first_eta_W=0,
    first_eta_R=1e-2,
)

plan = {"epochs": EPOCHS, "schedule": schedule}


# %%
def watch(network):
    angles, rng = Angles(), np.random.default_rng(1)
    options = {"rng": rng, "callbacks": [angles]}
    history = fit(network, data, **plan, **options)
    accuracy = [100 * e.test_accuracy for e in history]
    return accuracy, np.array(angles.by_epoch)


# %%
accuracy, angles = {}, {}
for kind in ("bp", "fa"):
    rng = np.random.default_rng(0)
    network = Network(sizes, rng=rng, error_signal=kind)
    accuracy[kind.upper()], angles[kind] = watch(network)
hidden = {"layer 1": angles["fa"][:, 0]}
hidden["layer 2"] = angles["fa"][:, 1]
assert all(by[-1] < by[0] - 5 for by in hidden.values())
panels = {"the feedback stays, the angle falls": hidden}
classroom.named_curves(panels, "angle (°)", "epoch")

# %%
assert accuracy["FA"][-1] > 85
panels = {"random feedback teaches": accuracy}
classroom.named_curves(panels, "test (%)", "epoch", start=1)

# %% [markdown]
# **Answer.** Yes: an angle has two sides, and the *forward* weights move. They align with the
# feedback. The network learns to be taught.
#
# **Question.** That is a claim. How would you test it?


# %%
def stay(W):
    return 0 * W


rng = np.random.default_rng(0)
network = Network(sizes, rng=rng, error_signal="fa")
for layer in network.layers[1:]:
    layer.forward_step = stay  # only layer 1 learns
_, frozen = watch(network)
print("angle in layer 1:", frozen[[0, -1], 0].round())
assert frozen[-1, 0] > angles["fa"][-1, 0] + 5

# %% [markdown]
# **Answer.** Freeze the forward weights above, and nothing else. The angle stays near 90°. A claim
# that survives an experiment which could have killed it is worth more than a plausible one.

# %% [markdown]
# ## 2. Reading a network
#
# What does a unit respond to? Its weights do not say: they are mostly the random numbers of the
# start. So look at what it *does*. Which weighted sum of the decorrelated inputs $x$ comes closest
# to its output $y_i$? Without correlations, each weight can be found alone:
#
# $$w_j = \frac{\langle y_i\,x_j\rangle}{\langle x_j^2\rangle} .$$
#
# This is the **receptive field**. It works for a unit in any layer. We draw it in units of the
# inputs' root mean square: multiplied by $\sqrt{\langle x_j^2\rangle}$.
#
# **Question.** If the network answers every digit correctly, what must the fields of the ten output
# units look like?

# %%
sizes = [data.n_inputs, 200, 200, 200, n_classes]
new = Network(sizes, rng=np.random.default_rng(0))
network = Network(sizes, rng=np.random.default_rng(0))
rng = np.random.default_rng(1)
history = fit(network, data, **plan, rng=rng)
print(f"test accuracy {history[-1].test_accuracy:.1%}")


# %%
def fields(network, x):
    rms, found = np.sqrt(rules.mean_square(x)), {}
    for k, y in enumerate(network.forward(images).y):
        M = rules.linear_map(x, y) * rms
        found[f"layer {k + 1}"] = M[:10]
    return found


x = network.forward(images).x[0]
image_rows(fields(network, x), shape)

# %% [markdown]
# **Answer.** Like mean digits: if $y_i$ is 1 for class $i$ and 0 otherwise, $\langle y_i x_j\rangle$ is
# the mean of pixel $j$ over that class.

# %% [markdown]
# Many hidden units look digit-like, too. That is a picture. Is it evidence?
#
# **Question.** Take a network that has learned **nothing**, and use the raw pixels instead of $x$. What
# will its fields look like: noise, spots, digits?

# %%
image_rows(fields(new, images), shape)

# %% [markdown]
# **Answer.** Like blurred digits: soft, clean, and meaningless. Raw pixels light up together, so each
# field shows what all images have in common.
#
# **Question.** How would you prove that with one number?


# %%
def likeness(x):
    rms = np.sqrt(rules.mean_square(x) + 1e-12)
    mean = x.mean(axis=0) / rms
    mean = mean / np.linalg.norm(mean)
    shown = fields(new, x)["layer 1"]
    lengths = np.linalg.norm(shown, axis=1)
    return np.median(np.abs(shown @ mean) / lengths)


print(f"raw pixels {likeness(images):.2f}")
print(f"decorrelated {likeness(x):.2f}")
assert likeness(images) > likeness(x) + 0.1

# %% [markdown]
# **Answer.** Compare the fields with the mean image, which has nothing to do with any unit. On raw
# pixels they nearly coincide. On decorrelated inputs they do so much less: an untrained network looks
# untrained.

# %% [markdown]
# ## 3. Compression
#
# The same formula is COPI's fixed point: set $\Delta W = 0$, and solve for $W$. So we can *write down* a
# matrix for any targets, without training: also for "the output of layer 4, from the input of layer 2".
# Three layers become one.
#
# **Question.** The network is not trained again. What happens to its accuracy: a few points less, half of
# it, chance?

# %%
test = as_float(data.test.inputs, "float32")


def accuracy_of(network):
    guesses = network.predict(test).argmax(axis=1)
    return 100 * np.mean(guesses == data.test.labels)


# %%
def compressed(network):
    for by in (least_squares_map, stack_map):
        small = compress(network, images, 2, linear_map=by)
        print(f"{by.__name__}: {accuracy_of(small):.1f} %")
    return small


print(f"four layers: {accuracy_of(network):.1f} %")
small = compressed(network)

# %% [markdown]
# **Answer.** A few points less. Some of the loss is linearity: the best linear map (least squares) pays it
# too. The rest is correlation: the inputs of layer 2 are not fully decorrelated.

# %%
full, outputs = network.predict(test), small.predict(test)
ratio = np.sum(outputs * full) / np.sum(full**2)
print(f"outputs are {ratio:.1f} times as large as before")
assert ratio > 3

# %% [markdown]
# **Question.** The outputs are far too large. Why does the accuracy not show it?

# %% [markdown]
# **Answer.** The class is the *largest* output, and it is still the largest. The loss would have told you.
# Report both.

# %% [markdown]
# The cure: decorrelate further, without learning anything. By Theorem 2, COPI's extra term cancels the motion
# of $R$.
#
# **Question.** We set the error signal to zero and let the network run. What are the updates of $R$ and $W$,
# and what happens to the outputs?

# %%
ROUNDS = 12  # fast: 6
rng = np.random.default_rng(2)
still = Schedule(0.03, 0.03, delta_scale=0)
fit(network, data, epochs=ROUNDS, schedule=still, rng=rng)
moved = network.predict(test) - full
share = np.linalg.norm(moved) / np.linalg.norm(full)
print(f"outputs moved by {share:.1%}")
better = compressed(network)
assert share < 0.05
assert accuracy_of(better) > accuracy_of(small)

# %% [markdown]
# **Answer.** $R$ gets its usual update, $W$ gets $W\,\mathrm{off}(C)$, and the outputs hardly move. Now the
# formula is nearly as good as the best map.

# %% [markdown]
# ## 4. One synapse
#
# A synapse knows three numbers: the activity before it (*pre*), the activity after it (*post*), and its own
# weight. Three rules, and one word of difference:
#
# | | change of the weight | decay |
# |---|---|---|
# | Hebb | post · pre | none |
# | Oja | post · pre − w · post² | postsynaptic |
# | COPI | post · pre − w · pre² | presynaptic |
#
# **Question.** The input is silent, the unit is active because of others. Which rules change the weight?

# %%
pre, post, w = 0.0, 2.0, 0.5
changes = {
    "Hebb": post * pre,
    "Oja": post * pre - w * post**2,
    "COPI": post * pre - w * pre**2,
}
print(changes)

# %% [markdown]
# **Answer.** Only Oja's: synapses compete. With COPI, a synapse that saw nothing learns nothing.

# %% [markdown]
# Now one unit with two inputs and **no error**, so post is its own output. Its two weights are an arrow in the
# plane. Two clouds of inputs: correlated and decorrelated.
#
# **Question.** Three rules, two clouds. Sketch the six pictures: where do the arrows go?

# %%
no_error = {
    "Hebb": lambda W, x: rules.mean_outer(x @ W.T, x),
    "Oja": rules.oja_update,
    "COPI": lambda W, x: rules.copi_update(W, x, x @ W.T),
}
clouds = {
    "correlated": np.array([[1.5, 0.9], [0.9, 1.0]]),
    "decorrelated": np.diag([1.5, 0.7]),
}
classroom.arrows(no_error, clouds)

# %% [markdown]
# **Answer.** Hebb explodes. Oja ends on the unit circle, on the long axis of the cloud. COPI stays where it is on
# decorrelated inputs, whatever the size: there is no error. On correlated inputs it explodes too, and that is why
# it needs $R$.
#
# **Question.** Give the unit a target, $z = d^\top x$, and make it four times as large. What happens to the weights
# with COPI's decay? With Oja's?

# %%
x = batch_with(clouds["decorrelated"], n_samples=150)
for scale in (1, 4):
    z = x @ (scale * np.array([[0.8, -0.6]])).T
    decays = {"COPI": x, "Oja": z}  # pre or post
    for name, active in decays.items():
        W = np.zeros((1, 2))
        for _ in range(2000):
            decay = W * rules.mean_square(active)
            W = W + 0.02 * (rules.mean_outer(z, x) - decay)
        print(f"{name}, {scale}: {np.linalg.norm(W):.2f}")

# %% [markdown]
# **Answer.** COPI finds the new length. With Oja's decay the weights get *smaller*: its fixed point divides by
# $\langle z^2\rangle$. COPI infers the size of the weights, Oja normalises it. They answer different questions.
#
# To go deeper, take lessons [03](03_error_signals.ipynb), [06](06_reading_a_network.ipynb),
# [07](07_compression.ipynb) and [08](08_one_synapse.ipynb).
