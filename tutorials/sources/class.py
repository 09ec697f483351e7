# %% [markdown]
# # Class 1 · COPI in two hours
#
# A network learns by changing its weights. Which way should one weight move, if it sees
# only what is at its two ends? That is the question of these two hours.
#
# You need gradient descent and matrices. At every **question**, commit to an answer
# before we run the next cell.
#
# Everything below also runs on other data: change one line.

# %% tags=["hide-input"]
import numpy as np

from copi_np import (
    Network,
    Schedule,
    fit,
    load_dataset,
    rules,
    whitening,
)
from copi_np.course import animation, classroom
from copi_np.course.lesson_00 import draw_layer
from copi_np.course.sliders import batch_with
from copi_np.datasets import as_float, one_hot
from copi_np.plotting import image_rows
from copi_np.whitening import off_diagonal, second_moment

# %%
DATA = "mnist-5k"  # or "digits-8x8"
data = load_dataset(DATA)
images = as_float(data.train.inputs, "float64")
labels, n_classes = data.train.labels, data.n_classes
targets = one_hot(labels, n_classes, "float64")
shape = data.image_shape
print(images.shape, "->", targets.shape)

# %% [markdown]
# ## 1. One network, end to end
#
# A layer of COPI has **two** sets of weights. Lateral weights $R$ mix the inputs with
# each other, until no two of them are correlated: $x = R\,y$. Forward weights $W$ do what
# weights always do: $a = W x$, then an activation function, $f(a)$.

# %%
draw_layer()

# %% [markdown]
# An error signal $\delta$ says where $a$ should be instead: at the target $z = a + \delta$.
# Then both sets learn. Write $\langle\cdot\rangle$ for the mean over a batch:
#
# $$\Delta W = \langle z x^\top\rangle - W\,\mathrm{diag}\langle x^2\rangle
# \qquad
# \Delta R = -\bigl(\langle x x^\top\rangle - \mathrm{diag}\langle x^2\rangle\bigr) R$$
#
# These two lines stay on the board. By the end of the class you will have derived both.
#
# **Question.** What shape does $R$ have in each layer? And $W$?

# %%
sizes = [data.n_inputs, 200, n_classes]
network = Network(sizes, rng=np.random.default_rng(0))
for layer in network.layers:
    print("R", layer.R.shape, " W", layer.W.shape)

# %% [markdown]
# **Answer.** $R$ is square: it mixes a layer's inputs with each other. $W$ has one row per
# output. $R$ starts as the identity, $W$ as small random numbers.

# %% [markdown]
# Now train. In the first epoch only $R$ learns.
#
# **Question.** How many test digits will the network get right after that first epoch?

# %%
EPOCHS = 6  # fast: 4
schedule = Schedule(
    eta_W=1e-3,
    eta_R=1e-3,
    delta_scale=500,  # multiplies the error signals
    first_epochs=1,
    first_eta_W=0,
    first_eta_R=1e-2,
)

# %%
rng = np.random.default_rng(1)
network = Network(sizes, rng=np.random.default_rng(0))
plan = {"epochs": EPOCHS, "schedule": schedule}
history = fit(network, data, **plan, rng=rng)
for epoch in history:
    print(f"epoch {epoch.epoch}: {epoch.test_accuracy:.1%}")
assert history[0].test_accuracy < 0.2
assert history[-1].test_accuracy > 0.85

# %% [markdown]
# **Answer.** About one in ten, as by guessing: $W$ is still random. One epoch later it is nine
# in ten.
#
# **Question.** The first $R$ has learned to remove what pixels have in common. What does a
# digit look like after it: unchanged, a blur, an outline?

# %%
some = images[:8]
R = network.layers[0].R.astype("float64")
after = rules.decorrelate(R, some)
image_rows({"raw": some, "after R": after}, shape)

# %% [markdown]
# **Answer.** An outline. Where the neighbours already predict the ink, it fades. What stays
# is what nobody could predict.

# %% [markdown]
# ## 2. Inferring the weights
#
# Gradient descent asks: *which way is downhill?* The paper asks another question: *where is
# the goal?* Suppose we knew the weights $D$ that we want. We could simply decay towards them
# (Eq. 1):
#
# $$\Delta W = D - W .$$
#
# We do not know $D$. But we see inputs $x$, and desired outputs $z = D x$. A first guess: if
# input $j$ and output $i$ go together, their weight is large. So take $\langle z_i x_j\rangle$.
#
# **Question.** The output copies input 1 and ignores input 2: $z = x_1$. Both inputs have
# mean square 1, and $\langle x_1 x_2\rangle = 0.8$. What is $\langle z\,x_2\rangle$?

# %%
C = np.array([[1.0, 0.8], [0.8, 1.0]])
x = batch_with(C, n_samples=100)
z = x[:, :1]
print(rules.mean_outer(z, x).round(2))

# %% [markdown]
# **Answer.** 0.8. Input 2 gets credit for what input 1 does, because they go together.

# %% [markdown]
# How do we take the credit back? Multiply $z = D x$ by $x^\top$ and average:
#
# $$\langle z x^\top\rangle = D\,\langle x x^\top\rangle
# \quad\Longrightarrow\quad
# D = \langle z x^\top\rangle\,C^{-1}, \qquad C = \langle x x^\top\rangle .$$
#
# With Eq. 1, that is Eq. 2: $\;\Delta W = \langle z x^\top\rangle\,C^{-1} - W$.

# %%
rng = np.random.default_rng(14)
x = rng.normal(size=(200, 1)) + rng.normal(size=(200, 4))
D = rng.normal(size=(3, 4))  # the weights we want
z = x @ D.T  # all we see of them
C_inverse = np.linalg.inv(second_moment(x))
found = rules.mean_outer(z, x) @ C_inverse
print(f"largest error {np.abs(found - D).max():.0e}")
assert np.allclose(found, D)

# %% [markdown]
# **Question.** Now add noise to $z$. Which weights does Eq. 2 find? They have a name.

# %%
noisy = z + rng.normal(size=z.shape)
found = rules.mean_outer(noisy, x) @ C_inverse
solution, *_ = np.linalg.lstsq(x, noisy, rcond=None)
assert np.allclose(found, solution.T)
print("the weights of linear regression")

# %% [markdown]
# **Answer.** The least-squares weights.

# %% [markdown]
# But every entry of $C^{-1}$ depends on *all* inputs. No synapse can compute that. The idea:
# do not compute the inverse, make it trivial. If the inputs are **decorrelated**, $C$ is
# diagonal, and the inverse is one division per input. Multiply by $\langle x_j^2\rangle$, and
# the division drops out too. This is the COPI rule (Eq. 3):
#
# $$\Delta w_{ij} = \underbrace{\langle z_i x_j\rangle}_{\text{Hebb}} -
# \underbrace{w_{ij}\,\langle x_j^2\rangle}_{\text{decay}} .$$
#
# **Question.** Disturb input 0, and nothing else. Which columns of $\Delta W$ change under
# Eq. 3? Which under Eq. 2?

# %%
W = rng.normal(size=(3, 4))
moved = x + [1, 0, 0, 0] * rng.normal(size=(200, 1))
for rule in (rules.copi_update, rules.inference_update):
    change = rule(W, moved, z) - rule(W, x, z)
    columns = np.abs(change).max(axis=0) > 1e-12
    print(f"{rule.__name__:16}", columns.astype(int))

# %% [markdown]
# **Answer.** Under Eq. 3 only its own column. Under Eq. 2 all of them. COPI is *local*: a
# synapse needs its input, its target and its own weight.
#
# **Question.** We use Eq. 3 although the inputs are correlated. Does it learn slowly, explode,
# or do something else?

# %%
GOAL = (1.5, -0.5)
moments = {"correlated": np.array([[1, 0.8], [0.8, 1]])}
moments["decorrelated"] = np.diag([1, 0.4])


def sgd(W, x, z):
    return rules.sgd_update(x, z - x @ W.T)


# %%
def path_of(rule, C, steps=600):
    x = batch_with(C, n_samples=100)
    z = x @ np.array([GOAL]).T
    path = [np.zeros((1, 2))]
    for _ in range(steps):
        path.append(path[-1] + 0.05 * rule(path[-1], x, z))
    return np.array(path)[:, 0]


# %%
pair = {"COPI": rules.copi_update, "gradient descent": sgd}
paths = {}
for title, C in moments.items():
    paths[title] = {}
    for name, rule in pair.items():
        paths[title][name] = path_of(rule, C)
end = paths["correlated"]["COPI"][-1]
assert np.linalg.norm(end - GOAL) > 1
assert np.allclose(*paths["decorrelated"].values())
classroom.weight_planes(paths, moments, GOAL)

# %% [markdown]
# **Answer.** It converges nicely, to the *wrong* weights: each input takes credit for the
# others, as in our first guess. On decorrelated inputs it takes the same path as gradient
# descent, to the goal. So we need inputs without correlations.

# %% [markdown]
# ## 3. Decorrelation
#
# Decorrelated means that $C = \langle x x^\top\rangle$ is diagonal. Write $\mathrm{off}(C)$ for
# what has to go. No mean is subtracted anywhere.
#
# If inputs $i$ and $k$ go together, $C_{ik} > 0$, then take a little of $x_k$ away from $x_i$:
#
# $$x \leftarrow x - \eta\,\mathrm{off}(C)\,x .$$
#
# Put $x = R\,y$ on both sides, and you have the rule for $R$ on the board:
#
# $$\Delta R = -\,\mathrm{off}(C)\,R .$$
#
# **Question.** Here is a long, tilted cloud of two inputs. What will $R$ do to it: rotate it
# until it is upright, or make it round?

# %%
rng = np.random.default_rng(0)
mixing = np.array([[1.2, 0.0], [0.75, 0.45]])
cloud = rng.normal(size=(120, 2)) @ mixing.T
R, path = np.eye(2), []
for _ in range(61):
    path.append(R)
    R = R + 0.1 * rules.decorrelation_update(R, cloud @ R.T)

# %%
animation.animate_cloud(cloud, path, steps=range(0, 30, 2))

# %%
C = second_moment(cloud @ path[-1].T)
print(C.round(2))
assert abs(C[0, 1]) < 0.01
assert C[0, 0] > 2 * C[1, 1]

# %% [markdown]
# **Answer.** Neither. $R$ squeezes along one diagonal and stretches along the other, until the
# ellipse is upright. It does not become round: decorrelated is not *whitened*. And $R$ stops
# there, because $\mathrm{off}(C) = 0$.
#
# **Question.** $R = 0$ decorrelates perfectly, too. Why does $R$ not shrink to zero? Think of
# $\det\bigl(I - \eta\,\mathrm{off}(C)\bigr)$.

# %%
for step in (0, 10, 60):
    volume = np.linalg.det(path[step])
    print(f"step {step}: det R = {volume:.3f}")
assert np.linalg.det(path[-1]) > 0.9

# %% [markdown]
# **Answer.** $\det(I - \eta E) \approx 1 - \eta\,\mathrm{tr}\,E$, and the trace of
# $E = \mathrm{off}(C)$ is zero. To first order $R$ preserves volume: what it takes in one
# direction, it gives in another.

# %% [markdown]
# Now the digits. How large may the step be? Along the direction in which the inputs vary most,
# with the largest eigenvalue $\lambda$ of $C$, a step multiplies $x$ by about
# $1 - \eta\lambda$.
#
# **Question.** Which of the steps $\eta = 0.5/\lambda$, $1.5/\lambda$ and $2.5/\lambda$ survive?

# %%
C = second_moment(images)
largest = np.linalg.eigvalsh(C)[-1]
print(f"λ = {largest:.1f}, 2 / λ = {2 / largest:.3f}")


def power_by_step(eta, y=images[:500]):
    R, power = np.eye(data.n_inputs), []
    for _ in range(5):
        x = y @ R.T
        power.append(np.mean(x**2))
        R = R + eta * rules.decorrelation_update(R, x)
    return power


# %%
powers = {}
for share in (2.5, 1.5, 0.5):
    powers[f"{share} / λ"] = power_by_step(share / largest)
assert powers["2.5 / λ"][-1] > 10 * powers["2.5 / λ"][0]
assert powers["1.5 / λ"][-1] < powers["1.5 / λ"][0]
panels = {"above 2 / λ a step overshoots": powers}
size = "mean square of x"
classroom.named_curves(panels, size, yscale="log")

# %% [markdown]
# **Answer.** Those below $2/\lambda$. That is why the paper begins with small steps. Once the
# inputs are decorrelated, $\lambda$ is smaller, and the step may grow.
#
# **Question.** Many maps decorrelate: PCA rotates to the long axes, ZCA whitens with as little
# change as possible. Which of the two will our $R$ resemble?

# %%
P = whitening.zca(C, 1e-2)
white = rules.decorrelate(P, some)
rows = {"raw": some, "COPI": after, "ZCA": white}
image_rows(rows, shape)

# %% [markdown]
# **Answer.** ZCA: $R$ starts at the identity, and changes as little as it must. (The paper says
# that $R$ stays symmetric, and so writes Eq. 4 in a second, local form, $-R\,\mathrm{off}(C)$. With
# more than two inputs $R$ is only *nearly* symmetric. Both forms decorrelate.)

# %% [markdown]
# ## 4. Algorithm 1
#
# Now we stack layers. For every batch, Algorithm 1 of the paper does three things:
#
# | lines | what | in which order |
# |---|---|---|
# | 4 to 8 | forward: $x_l = R_l\,y_{l-1}$, $a_l = W_l\,x_l$, $y_l = f(a_l)$ | first layer to last |
# | 9 to 12 | error signals $\delta_l$ | last to first |
# | 13 to 16 | update $W_l$ and $R_l$ by the two rules | any |
#
# **Question.** On its way up, a signal passes $f$, then $R$, then $W$ of the layer above. What
# does it pass on its way down, and in which order?

# %%
leaky_relu = network.layers[0].activation
f, df = leaky_relu.f, leaky_relu.df


def forward(layers, y):
    states = []
    for W, R in layers:
        x = y @ R.T  # line 5; samples are rows
        a = x @ W.T  # line 6
        y = f(a)  # line 7
        states.append((x, a, y))
    return states


# %%
def error_signals(layers, states, target):
    _, a, y = states[-1]
    deltas = [-df(a) * 2 * (y - target)]  # line 11, l = L
    for k in reversed(range(len(layers) - 1)):
        W, R = layers[k + 1]
        back = deltas[0] @ W @ R  # W^T, then R^T
        deltas.insert(0, df(states[k][1]) * back)
    return deltas


# %% [markdown]
# **Answer.** The same in reverse, each transposed: $\delta_l = f'(a_l) \circ R^\top W^\top
# \delta_{l+1}$. With samples in rows, the transposes vanish from the code.

# %% [markdown]
# Here is the rest, and the test that nothing is hidden: our step and the library's must give the
# same weights.


# %%
def learn(layers, y, target, eta):
    states = forward(layers, y)
    deltas = error_signals(layers, states, target)
    new = []
    parts = zip(layers, states, deltas, strict=True)
    for (W, R), (x, a, _), delta in parts:
        dW = rules.copi_update(W, x, a + delta)  # line 14
        dR = rules.decorrelation_update(R, x)  # line 15
        new.append((W + eta * dW, R + eta * dR))
    return new


# %%
sizes = [data.n_inputs, 50, 30, n_classes]
rng = np.random.default_rng(2)
deep = Network(sizes, rng=rng, dtype="float64")
ours = [(1.0 * k.W, 1.0 * k.R) for k in deep.layers]
for rows in np.split(np.arange(500), 10):
    deep.step(images[rows], targets[rows], eta_W=0.01)
    ours = learn(ours, images[rows], targets[rows], 0.01)

# %%
for layer, (W, R) in zip(deep.layers, ours, strict=True):
    gap = np.abs(np.vstack([layer.W - W, layer.R - R]))
    print(f"largest difference {gap.max():.0e}")
    assert gap.max() < 1e-12

# %% [markdown]
# **Question.** Lines 10 to 12 and 13 to 16 both run through the layers. A student merges them into
# one loop: update a layer, send the signal down through it, take the next. What changes?

# %% [markdown]
# **Answer.** The signal passes through weights that have already learned from it, so it is no
# longer the gradient. At small steps the accuracy does not tell you. A comparison to twelve digits
# does.

# %% [markdown]
# ## 5. COPI against backpropagation
#
# Two rules for $W$, with the same error signal:
#
# $$\Delta W_{\mathrm{sgd}} = \langle\delta x^\top\rangle, \qquad
# \Delta W_{\mathrm{copi}} = \langle (a + \delta)\,x^\top\rangle - W\,\mathrm{diag}\langle x^2\rangle .$$
#
# **Question.** Insert $a = W x$. What is the difference between the two?

# %%
rng = np.random.default_rng(0)
W, delta = rng.normal(size=(4, 5)), rng.normal(size=(20, 4))
y = rng.normal(size=(20, 5)) @ rng.normal(size=(5, 5)) / 2
copi = rules.copi_update(W, y, y @ W.T + delta)
off_C = off_diagonal(second_moment(y))
by_sgd = rules.sgd_update(y, delta)
assert np.allclose(copi - by_sgd, W @ off_C)
print("COPI = SGD + W off(C), exactly")

# %% [markdown]
# **Answer.** $\Delta W_{\mathrm{copi}} = \Delta W_{\mathrm{sgd}} + W\,\mathrm{off}(C)$: one term,
# and it is zero on decorrelated inputs. (Theorem 1.)

# %% [markdown]
# While $R$ learns, the inputs are not decorrelated yet. Is the term harmful then? The layer computes
# $M = W R$. Let $R$ decorrelate, and let there be **no error at all**, so there is nothing to learn.
#
# **Question.** What happens to $M$ under gradient descent? And under COPI?


# %%
def drift(rule, eta=1e-3):
    W_now, R, moved = W, np.eye(5), []
    for _ in range(1000):
        x = y @ R.T
        dW = rule(W_now, x, x @ W_now.T)  # z = a
        dR = rules.decorrelation_update(R, x)
        W_now, R = W_now + eta * dW, R + eta * dR
        moved.append(np.linalg.norm(W_now @ R - W))
    return 100 * np.array(moved) / np.linalg.norm(W)


# %%
drifts = {name: drift(rule) for name, rule in pair.items()}
assert drifts["gradient descent"][-1] > 30
assert drifts["COPI"][-1] < 0.1
panels = {"no errors, and yet the map moves": drifts}
change = "change of W R (%)"
classroom.named_curves(panels, change, yscale="log")

# %% [markdown]
# **Answer.** Under gradient descent $W$ stands still and $R$ drags the map along: the layer forgets.
# Under COPI hardly anything moves. Multiply out one step,
# $\bigl(W + \eta\,W\,\mathrm{off}(C)\bigr)\bigl(I - \eta\,\mathrm{off}(C)\bigr) R$: the two terms with
# $\eta$ **cancel**. (Theorem 2.)

# %% [markdown]
# So there are two explanations why COPI is ahead of gradient descent on decorrelated inputs. The
# paper's: it ignores correlations within a batch. Ours: it cancels the motion of $R$.
#
# **Question.** We train a linear layer twice: $R$ keeps learning, or $R$ is held fixed. What does each
# explanation predict? Vote before we run it.


# %%
def race(rule, R_moves, eta=0.2):
    task = classroom.LinearTask(seed=0)
    W, R, errors = task.W, task.R, []
    for _ in range(15):
        for y, z in task.batches():
            x = y @ R.T
            W = W + eta * rule(W, x, z)
            dR = rules.decorrelation_update(R, x)
            R = R + eta * R_moves * dR
        errors.append(task.test_error(W @ R))
    return errors


# %%
panels = {"R learns": {}, "R is fixed": {}}
for title, moves in zip(panels, (1, 0), strict=True):
    for name, rule in pair.items():
        panels[title][name] = race(rule, moves)
    by_copi, by_sgd = panels[title].values()
    assert (by_copi[-1] < by_sgd[-1]) == (moves == 1)
labels = {"xlabel": "epoch", "start": 1, "yscale": "log"}
classroom.named_curves(panels, "test error", **labels)

# %% [markdown]
# **Answer.** While $R$ learns, COPI is ahead. With $R$ fixed it is *behind*, on the very same
# correlated batches. So batch correlations are not the reason. COPI wins because it does not pay for
# the motion of $R$.
#
# **Question.** You may stop $R$ whenever you like. Which rule would you use before, and which after? One
# sentence, on paper.

# %% [markdown]
# **Answer.** COPI as long as $R$ learns, since it cancels the motion. Gradient descent once $R$ has
# stopped: there is nothing left to cancel, and the extra term is only noise.

# %% [markdown]
# To derive all this at your own pace, and to check yourself with exercises, start with
# [lesson 01](01_inferring_parameters.ipynb).
