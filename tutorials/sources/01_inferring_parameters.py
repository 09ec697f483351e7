# %% [markdown]
# # 01 · From gradient descent to inferring parameters
#
# **What you will be able to do**
#
# - derive the update of gradient descent for one linear layer, as a loop and as a matrix product;
# - derive the paper's alternative, inferring the desired weights (Eqs. 1 and 2), and explain what its matrix inverse
#   is for;
# - implement the COPI rule (Eq. 3) and say what one synapse needs to know for it;
# - prove that COPI is gradient descent plus a correlation term;
# - break the rule in two ways, and predict how badly it fails.
#
# **Time:** 40 minutes to read and run, 30 minutes for the exercises.
#
# **Before this:** gradient descent, and matrix products, inverses and eigenvectors at the level of a first course.
# You do not need to know anything about neural networks.
#
# **In the paper:** Sections 2.2, 2.3 and 2.5 to 2.7, Equations 1, 2, 3 and 5; the fixed point of Appendix B.

# %%
import numpy as np

from copi_np import rules
from copi_np.course import check
from copi_np.errors import InputError
from copi_np.whitening import off_diagonal, second_moment

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from copi_np.plotting import COLOURS, STYLE, label_ends

plt.rcParams.update(STYLE)

# %% [markdown]
# ## 1. One layer, and something to learn
#
# A linear layer turns inputs $x$ into outputs $a$, with one weight, or *synapse*, for each pair of an output $i$ and
# an input $j$:
#
# $$a_i = \sum_j w_{ij}\, x_j, \qquad a = W x .$$
#
# We process $B$ samples at once, a *batch*. The paper writes a sample as a column. In code a sample is a **row**, so
# `x` has shape `(B, I)`, `a` has shape `(B, O)`, and the product $Wx$ reads `x @ W.T`.
#
# Here are 200 samples of four inputs. All four are driven by one common cause, so they go up and down together: they
# are *correlated*. The desired outputs $z$ are computed with weights $D$, which the layer has to find.

# %%
B, n_inputs, n_outputs = 200, 4, 3  # B samples in a batch
rng = np.random.default_rng(14)
cause = rng.normal(size=(B, 1))
x = cause + rng.normal(size=(B, n_inputs))
x = x * [0.6, 0.8, 1.0, 1.2]
D = rng.normal(size=(n_outputs, n_inputs))  # desired
W = rng.normal(size=(n_outputs, n_inputs))  # what we have
z = x @ D.T  # the desired outputs

# %% [markdown]
# Here is the sum above, first as a loop, then as a single product. The package's version, `rules.transform`, is that
# product with a name and a check of the shapes.


# %%
def transform_loop(W, x):
    a = np.zeros((len(x), len(W)))
    for b in range(len(x)):  # samples
        for i in range(len(W)):  # outputs
            for j in range(W.shape[1]):  # inputs
                a[b, i] += W[i, j] * x[b, j]
    return a


a = rules.transform(W, x)
assert np.allclose(transform_loop(W, x), x @ W.T)
assert np.allclose(a, x @ W.T)
print("x", x.shape, " W", W.shape, " a", a.shape)

# %% [markdown]
# ## 2. Gradient descent, the way you know it
#
# How far is the layer's output from the one we want? Take half the squared distance as the loss of a sample:
#
# $$\ell = \tfrac12 \sum_i (z_i - a_i)^2 .$$
#
# A weight $w_{ij}$ affects the loss only through its own output, and $\partial a_i / \partial w_{ij} = x_j$. The
# chain rule gives
#
# $$-\frac{\partial \ell}{\partial w_{ij}} = (z_i - a_i)\, x_j = \delta_i\, x_j,
# \qquad \delta = -\frac{\partial \ell}{\partial a} = z - a .$$
#
# $\delta$ is the **error signal**: it says how the output should change. Gradient descent moves each weight by the
# mean of $\delta_i x_j$ over the samples, written $\langle \delta_i x_j \rangle$, times a step size $\eta$.


# %%
def mean_outer_loop(u, v):
    """Return the mean of u_i v_j, for every pair i, j."""
    mean = np.zeros((u.shape[1], v.shape[1]))
    for b in range(len(u)):
        for i in range(u.shape[1]):
            for j in range(v.shape[1]):
                mean[i, j] += u[b, i] * v[b, j] / len(u)
    return mean


delta = z - a
dW_loop = mean_outer_loop(delta, x)

# %% [markdown]
# It is worth checking a derivative numerically. Nudge one weight up and down, and look at the mean loss.


# %%
def loss(W):
    error = z - rules.transform(W, x)
    return float(np.sum(error**2)) / (2 * B)


move = np.zeros((n_outputs, n_inputs))
move[2, 1] = 1e-4  # only w_21 (counted from 0)
slope = (loss(W + move) - loss(W - move)) / 2e-4
print(f"slope of the loss {slope:.6f}", end=", ")
print(f"minus the update {-dW_loop[2, 1]:.6f}")
assert np.isclose(slope, -dW_loop[2, 1])

# %% [markdown]
# The updates of all weights form a matrix, $\langle \delta x^\top \rangle$: entry $ij$ of the product $\delta x^\top$
# is $\delta_i x_j$. So
#
# $$\Delta W_{\mathrm{sgd}} = \langle \delta x^\top \rangle, \qquad W \leftarrow W + \eta\, \Delta W .$$
#
# With samples as rows, the sum over samples is a product too: `delta.T @ x / B`.

# %%
dW_matrix = delta.T @ x / B
dW = rules.sgd_update(x, delta)
assert np.allclose(dW_loop, dW_matrix)
assert np.allclose(dW_loop, dW)

# %% [markdown]
# That is gradient descent. At each step it asks: *which way is downhill?* It does not ask where the goal is.
#
# ## 3. The other idea: infer the weights
#
# The paper starts from the goal. Suppose we knew the desired weights $D$. Then we would need no gradient: the weights
# could simply decay towards them (Eq. 1):
#
# $$\Delta W = D - W .$$
#
# With step size $\eta$, each step leaves a fraction $1 - \eta$ of the distance, whatever the inputs are.

# %%
W_now, eta = W, 0.1
for _ in range(20):
    W_now = W_now + eta * rules.decay_towards(W_now, D)
left = np.linalg.norm(W_now - D) / np.linalg.norm(W - D)
print(f"left after 20 steps: {left:.4f}", end=", ")
print(f"0.9 to the power of 20: {0.9**20:.4f}")
assert np.isclose(left, 0.9**20)

# %% [markdown]
# In reality we do not know $D$. But we see inputs $x$ and desired outputs $z = D x$, and these tell us something
# about $D$. How much can we recover? A first guess: if input $j$ and output $i$ vary together, the weight between
# them should be large. That is what $\langle z_i x_j \rangle$ measures.
#
# **Question.** Try this guess on the smallest possible example: one output, which copies the first input and ignores
# the second, $D = (1, 0)$. The two inputs have mean square 1, and $\langle x_1 x_2 \rangle = 0.8$. What is
# $\langle z\, x_2 \rangle$?


# %%
def batch_with(C, n_samples=100):
    """Return a batch whose second moments are exactly C."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(n_samples, len(C)))
    orthogonal, _ = np.linalg.qr(noise)
    white = orthogonal * np.sqrt(n_samples)  # C = I
    return white @ np.linalg.cholesky(C).T


x_two = batch_with(np.array([[1, 0.8], [0.8, 1]]))
z_two = x_two @ np.array([[1.0, 0.0]]).T
together = rules.mean_outer(z_two, x_two)
print("<z x_1>, <z x_2> =", together.round(3))
assert np.allclose(together, [[1, 0.8]])

# %% [markdown]
# **Answer.** 0.8, although the second input has no effect at all. It gets credit for what the first one does, because
# the two vary together. (`rules.mean_outer` is the mean $\langle z x^\top\rangle$ from section 2; the next cell
# checks this.)
#
# How do we remove the undeserved credit? Multiply $z = D x$ by $x^\top$ from the right, and take the mean over
# samples:
#
# $$\langle z x^\top \rangle = \langle D x\, x^\top \rangle = D\, \langle x x^\top \rangle .$$
#
# Look at entry $ij$: $\langle z_i x_j \rangle = \sum_k d_{ik} \langle x_k x_j \rangle$. So the mean product of output
# $i$ and input $j$ is a sum over *every* input $k$, weighted by how strongly $k$ varies with $j$. The matrix
#
# $$C = \langle x x^\top \rangle$$
#
# of second moments does this mixing. (The paper calls it the correlation matrix. No mean is subtracted, here or
# anywhere else in this course.) If $C$ is invertible, we can undo the mixing:
#
# $$D = \langle z x^\top \rangle\, \langle x x^\top \rangle^{-1} .$$
#
# That is what the inverse is for.

# %%
zx, C = mean_outer_loop(z, x), mean_outer_loop(x, x)
assert np.allclose(zx, rules.mean_outer(z, x))
assert np.allclose(C, rules.mean_outer(x, x))
D_inferred = zx @ np.linalg.inv(C)
error = np.abs(D_inferred - D).max()
print(f"largest error of a weight: {error:.0e}")
assert np.allclose(D_inferred, D)

# %% [markdown]
# We have found the desired weights from data alone. Substitute this for $D$ in Eq. 1, and you get Eq. 2:
#
# $$\Delta W = \langle z x^\top \rangle\, \langle x x^\top \rangle^{-1} - W .$$

# %%
dW_matrix = zx @ np.linalg.inv(C) - W
dW = rules.inference_update(W, x, z)
assert np.allclose(dW_matrix, dW)
assert np.allclose(dW, rules.decay_towards(W, D))

# %% [markdown]
# **Question.** Real targets are never exactly $D x$. Add noise to $z$. Which weights does Eq. 2 find now? Do they
# have a name?

# %%
rng = np.random.default_rng(2)
z_noisy = z + rng.normal(size=(B, n_outputs))
dW = rules.inference_update(W, x, z_noisy)
found = W + dW  # one step with eta = 1
fit = np.linalg.lstsq(x, z_noisy, rcond=None)[0].T
print(f"distance to D {np.linalg.norm(found - D):.2f}")
apart = np.linalg.norm(found - fit)
print(f"distance to the least-squares fit {apart:.0e}")
assert np.allclose(found, fit)

# %% [markdown]
# **Answer.** The *least-squares* weights, those of linear regression: they make $\langle \lvert z - W x \rvert^2
# \rangle$ as small as possible. ($\langle z x^\top\rangle = W \langle x x^\top\rangle$ says that the gradient is
# zero.) This is [claim C3](../docs/claims.md).
#
# ## 4. Getting rid of the inverse
#
# A synapse can hardly compute a matrix inverse: every entry of $C^{-1}$ depends on *all* inputs. The paper's idea is
# to change the inputs instead, until the inverse becomes trivial.
#
# **Whitened inputs.** If $\langle x x^\top\rangle$ is the identity, Eq. 2 becomes
#
# $$\Delta W = \langle z x^\top \rangle - W .$$
#
# To try this, we need whitened inputs. Along its own axes, the eigenvectors of $C$, a cloud of data has no
# correlations. Divide by the square root of the variance along each axis, and the second moments become the identity.
# (Notebook 02 shows how a *network* can get rid of correlations.)

# %%
variances, directions = np.linalg.eigh(C)
x_dec = x @ directions  # decorrelated: C is diagonal
x_white = x_dec / np.sqrt(variances)  # whitened: C = I
C_dec = rules.mean_outer(x_dec, x_dec).round(2) + 0
with np.printoptions(precision=2, suppress=True):
    print("correlated", rules.mean_outer(x, x), sep="\n")
    print("decorrelated", C_dec, sep="\n")
C_white = rules.mean_outer(x_white, x_white)
assert np.allclose(C_white, np.eye(n_inputs))

# %%
dW_matrix = rules.mean_outer(z, x_white) - W
dW = rules.whitened_update(W, x_white, z)
of_eq_2 = rules.inference_update(W, x_white, z)
assert np.allclose(dW_matrix, dW)
assert np.allclose(dW, of_eq_2)

# %% [markdown]
# **Decorrelated inputs.** Whitening is more than we need. It is enough if the inputs are *decorrelated*: no
# correlation between different inputs, while each may have any mean square. Then $C$ is diagonal, with the mean
# squares $\langle x_j^2 \rangle$ on the diagonal. Inverting a diagonal matrix takes one division per input, so for a
# single synapse Eq. 2 reads
#
# $$\Delta w_{ij} = \frac{\langle z_i x_j \rangle}{\langle x_j^2 \rangle} - w_{ij} .$$
#
# We can drop the division as well. Multiply by $\langle x_j^2 \rangle$, which only changes the step size for input
# $j$:
#
# $$\Delta w_{ij} = \langle z_i x_j \rangle - w_{ij} \langle x_j^2 \rangle . $$
#
# This is the COPI rule. Here it is as a loop over single synapses.


# %%
def copi_loop(W, x, z):
    dW = np.zeros_like(W)
    for i in range(W.shape[0]):
        for j in range(W.shape[1]):
            hebbian = np.mean(z[:, i] * x[:, j])
            decay = W[i, j] * np.mean(x[:, j] ** 2)
            dW[i, j] = hebbian - decay
    return dW


dW_loop = copi_loop(W, x_dec, z)

# %% [markdown]
# In matrix form this is Eq. 3,
#
# $$\Delta W_{\mathrm{copi}} = \langle z x^\top \rangle - W\,\mathrm{diag}\langle x^2 \rangle ,$$
#
# where $\mathrm{diag}\langle x^2\rangle$ is the diagonal matrix of the mean squares. In code, `W * mean_square(x)`
# multiplies column $j$ of `W` by entry $j$ of `mean_square(x)`.

# %%
dW_matrix = z.T @ x_dec / B - W * rules.mean_square(x_dec)
dW = rules.copi_update(W, x_dec, z)
assert np.allclose(dW_loop, dW_matrix)
assert np.allclose(dW_loop, dW)

# %% [markdown]
# **Question.** Just above Eq. 3, the paper says that this rescales the *rows* of $\Delta W$. We multiplied by
# $\langle x_j^2\rangle$, from the right. Divide one update by the other, entry by entry: is the ratio constant along
# rows or along columns?

# %%
ratio = dW / rules.inference_update(W, x_dec, z)
power = rules.mean_square(x_dec)
print("Eq. 3 / Eq. 2", ratio.round(3), sep="\n")
print("mean squares", power.round(3), sep="\n")
assert np.allclose(ratio, power)

# %% [markdown]
# **Answer.** Along each *column*. A row of $W$ belongs to an output and a column to an input, and it is the inputs
# that have different mean squares. The paper's "rows" should read "columns"; its equation is correct
# ([claim C6](../docs/claims.md)). The price of dropping the division is that the weights of weak inputs learn slowly.
#
# There is a benefit too. For an input that is always zero, the division fails, and so does the inverse. Eq. 3 still
# works:

# %%
dead = np.array([1.0, 1, 0, 1])  # the third input is silent
try:
    rules.inference_update(W, x_dec * dead, z)
except InputError as error:
    print(error)
dW = rules.copi_update(W, x_dec * dead, z)
print("update of the silent input's column:", dW[:, 2])
assert np.all(dW[:, 2] == 0)

# %% [markdown]
# ## 5. Why this is called local
#
# Look at the two terms again, this time for a single sample (Eq. 5):
#
# $$\Delta w_{ij} = \underbrace{z_i\, x_j}_{\text{Hebbian}} - \underbrace{w_{ij}\, x_j^2}_{\text{decay}} .$$
#
# The first is Hebb's rule: a synapse grows when the units at its two ends are active together. The second makes the
# weight decay, faster when its input, the *presynaptic* unit, is more active. All this requires is $x_j$ at one end,
# $z_i$ at the other, and the synapse's own weight $w_{ij}$.
#
# Eq. 2 needs more. We can measure how much: disturb one input, leave everything else unchanged, and see which updates
# change.
#
# **Question.** We add noise to input 0 in every sample and keep the targets $z$. Which entries of $\Delta W$ change
# under Eq. 3, and which under Eq. 2?

# %%
rng = np.random.default_rng(3)
x_disturbed = x_dec.copy()
x_disturbed[:, 0] += rng.normal(size=B)
pair = {"Eq. 3, COPI": rules.copi_update}
pair["Eq. 2"] = rules.inference_update
changes = {}
for name, rule in pair.items():
    dW = rule(W, x_dec, z)
    dW_disturbed = rule(W, x_disturbed, z)
    changes[name] = np.abs(dW_disturbed - dW)
assert np.all(changes["Eq. 3, COPI"][:, 1:] == 0)
assert np.all(changes["Eq. 2"] > 1e-12)

# %% tags=["hide-input"]
figure, panels = plt.subplots(
    1, 2, figsize=(8, 2.6), layout="constrained"
)
for axes, (name, change) in zip(
    panels, changes.items(), strict=True
):
    axes.imshow(
        change > 1e-12, cmap="Greys", vmin=0, vmax=2
    )
    for (i, j), value in np.ndenumerate(change):
        axes.text(
            j, i, f"{value:.1g}", ha="center", va="center"
        )
    axes.set(title=f"change of the update, {name}")
    axes.set(xlabel="input $j$", xticks=range(n_inputs))
    axes.set(yticks=range(n_outputs))
    axes.grid(visible=False)

# %% [markdown]
# **Answer.** Under COPI, only those of input 0. Under Eq. 2, all of them: a synapse could not compute that update
# from the signals that reach it.
#
# ## 6. Where do targets come from?
#
# So far we have been given the desired output $z$. In a network we are not, least of all in the hidden layers. What
# we do have, from one source or another, is an error signal $\delta$ that says how the output should change. The
# paper defines the target as (Section 2.5)
#
# $$z = a + \delta :$$
#
# what the unit does now, shifted a little in the right direction. Note that the synapse only sees the sum. It never
# has to tell $a$ and $\delta$ apart.
#
# For our loss, $\delta = -\partial\ell/\partial a = y^* - a$ with the desired output $y^*$, so $z = a + \delta$ is
# $y^*$ itself. (For the paper's loss, $\lvert y^* - a\rvert^2$ without the half, $z = 2y^* - a$: as far beyond $y^*$
# as $a$ falls short of it. On decorrelated inputs COPI ends at the same weights.)
#
# Now COPI and gradient descent use the same quantities, and we can compare them. Substitute $z = Wx + \delta$ into
# Eq. 3:
#
# $$\Delta W_{\mathrm{copi}} = \langle (W x + \delta)\, x^\top \rangle - W\,\mathrm{diag}\langle x^2\rangle =
# \underbrace{\langle\delta x^\top\rangle}_{\Delta W_{\mathrm{sgd}}} +
# W\,\bigl(\underbrace{C - \mathrm{diag}(C)}_{\mathrm{off}(C)}\bigr) .$$
#
# The mean squares are the diagonal of $C$. What remains is $\mathrm{off}(C)$, the correlations between *different*
# inputs. This holds for any batch: [Theorem 1](../docs/theory.md#1-copi-is-sgd-plus-a-correlation-term).
#
# We look at the same layer in the old coordinates and in the new ones: $x_{\mathrm{dec}}$ is $x$ rotated by the
# matrix of eigenvectors, so rotating $W$ by the same matrix gives the same outputs.

# %%
layers = {"correlated": (W, x)}
layers["decorrelated"] = (W @ directions, x_dec)
for name, (weights, inputs) in layers.items():
    a = rules.transform(weights, inputs)
    delta = z - a
    copi = rules.copi_update(weights, inputs, a + delta)
    sgd = rules.sgd_update(inputs, delta)
    extra = weights @ off_diagonal(second_moment(inputs))
    assert np.allclose(copi, sgd + extra)
    size, more = np.linalg.norm(sgd), np.linalg.norm(extra)
    print(f"{name:12s}  size of the SGD update {size:.2f},")
    print(f"              of W off(C) {more:.2f}")

# %% [markdown]
# On decorrelated inputs the two rules are identical. The paper says "approximately equivalent" (Section 2.7); when
# the inputs are exactly decorrelated, the equivalence is exact. On the correlated inputs the additional term is
# nearly as large as the update of gradient descent.
#
# **Question.** Suppose there is no error at all, $\delta = 0$. Gradient descent stops. Does COPI?

# %%
for name, (weights, inputs) in layers.items():
    a = rules.transform(weights, inputs)  # and z = a + 0
    dW = rules.copi_update(weights, inputs, a)
    size = np.linalg.norm(dW)
    print(f"{name:12s}  COPI without an error: {size:.2f}")
    assert (size < 1e-12) == (name == "decorrelated")

# %% [markdown]
# **Answer.** Only on decorrelated inputs. On the others the term $W\,\mathrm{off}(C)$ keeps pushing, although there
# is nothing to correct. What does that do to learning?
#
# ## 7. Break it: correlated inputs
#
# Three rules, two kinds of inputs, the same targets. (In the new coordinates the desired weights are $D$ rotated by
# the matrix of eigenvectors.) We start from zero weights and plot the distance from the desired weights.


# %%
def sgd(W, x, z):
    return rules.sgd_update(x, z - rules.transform(W, x))


RULES = {
    "SGD": sgd,
    "Eq. 2": rules.inference_update,
    "COPI, Eq. 3": rules.copi_update,
}


def learn(rule, x, z, eta, n_steps):
    """Return W after every step, starting from zero."""
    path = [np.zeros((z.shape[1], x.shape[1]))]
    for _ in range(n_steps):
        path.append(path[-1] + eta * rule(path[-1], x, z))
    return np.array(path)


# %% [markdown]
# **Question.** Which of the six curves will not go down to zero? Which two will be identical?


# %%
def distance(path, D):
    """Return the distance from D, relative to its size."""
    away = np.linalg.norm(path - D, axis=(1, 2))
    return away / np.linalg.norm(D)


N_STEPS = 400
tasks = {"correlated": (x, D)}
tasks["decorrelated"] = (x_dec, D @ directions)
curves = {}
for task, (inputs, goal) in tasks.items():
    for name, rule in RULES.items():
        path = learn(rule, inputs, z, 0.05, N_STEPS)
        curves[task, name] = distance(path, goal)

# %% tags=["hide-input"]
looks = {
    "SGD": (COLOURS[0], "-", 3.5),
    "Eq. 2": (COLOURS[1], "-.", 2),
    "COPI, Eq. 3": (COLOURS[2], "--", 1.8),
}
figure, panels = plt.subplots(
    1,
    2,
    figsize=(10, 3.8),
    layout="constrained",
    sharey=True,
)
for axes, task in zip(panels, tasks, strict=True):
    for name, (colour, line, width) in looks.items():
        axes.plot(
            curves[task, name],
            line,
            color=colour,
            label=name,
            lw=width,
        )
    axes.set(xlabel="steps", yscale="log", ylim=(1e-6, 5))
    label_ends(axes)
panels[0].set_ylabel("distance from $D$, relative")
panels[0].set_title("correlated inputs: COPI stops short")
panels[1].set_title("decorrelated inputs: COPI is SGD")
plt.show()

# %%
for (task, name), curve in curves.items():
    left = 100 * curve[-1]
    print(f"{task:12s}  {name:11s}  left: {left:8.4f} %")
decorrelated = {
    name: curves["decorrelated", name] for name in RULES
}
assert np.allclose(
    decorrelated["SGD"], decorrelated["COPI, Eq. 3"]
)
assert curves["correlated", "COPI, Eq. 3"][-1] > 0.5
assert curves["correlated", "SGD"][-1] < 0.01

# %% [markdown]
# **Answer.** On correlated inputs COPI gets closer at first, then turns away, and ends almost as far from the goal as
# it started. On decorrelated inputs COPI and SGD give the same curve. (SGD behaves the same on both kinds of inputs,
# because rotating the axes changes neither its loss nor its steps. Eq. 2 is fast on both: every step leaves the same
# fraction of the distance.)
#
# **The diagnosis.** Is the step too small, is the rule oscillating, or has it converged? Measure the update at the
# end of the path, and compare the final weights with those for which Eq. 3 is zero,
#
# $$W^* = \langle z x^\top\rangle\,\mathrm{diag}\langle x^2\rangle^{-1} ,$$
#
# which the package calls `linear_map` (Appendix B).

# %%
W_end = learn(rules.copi_update, x, z, 0.05, N_STEPS)[-1]
update = np.linalg.norm(rules.copi_update(W_end, x, z))
print(f"size of the last update: {update:.0e}")
W_rest = rules.linear_map(x, z)
apart = np.linalg.norm(W_end - W_rest)
print(f"distance from the predicted weights: {apart:.0e}")
assert np.allclose(W_end, W_rest, atol=1e-4)

# %% [markdown]
# It has converged, to $w^*_{ij} = \langle z_i x_j\rangle / \langle x_j^2\rangle$. You may know this formula from
# statistics: it is the regression (through the origin) of output $i$ on input $j$ *alone*, as if there were no other
# input. Every input takes credit for the effects of the inputs it is correlated with, just as in our first guess in
# section 3. With $\langle z x^\top \rangle = D\,C$ we can work out how large the error is:
#
# $$W^* = D\,C\,\mathrm{diag}\langle x^2\rangle^{-1} =
# D\,\bigl(I + \mathrm{off}(C)\,\mathrm{diag}\langle x^2\rangle^{-1}\bigr) .$$
#
# This is [Theorem 8](../docs/theory.md#8-the-fixed-point-is-least-squares). The error is proportional to the
# correlations.

# %%
C = second_moment(x)
error = D @ off_diagonal(C) / np.diag(C)
assert np.allclose(W_rest, D + error)
relative = np.linalg.norm(error) / np.linalg.norm(D)
measured = curves["correlated", "COPI, Eq. 3"][-1]
print(f"error: predicted {relative:.1%}", end=", ")
print(f"measured {measured:.1%}")
assert np.isclose(relative, measured, atol=1e-4)

# %% [markdown]
# In two dimensions we can draw it. With one output and two inputs, $W$ is a point in the plane. The grey lines are
# contours of the loss; its minimum is at the desired weights, $D = (1.5, -0.5)$.

# %% tags=["hide-input"]
D_plane = np.array([[1.5, -0.5]])
moments = {
    "correlated": [[1, 0.8], [0.8, 1]],
    "decorrelated": [[1, 0], [0, 0.4]],
}
w1, w2 = np.meshgrid(
    np.linspace(-0.3, 2, 80), np.linspace(-0.9, 1.1, 80)
)


def plot_loss(axes, C):
    away = np.stack([w1, w2], axis=-1) - D_plane[0]
    loss = np.sum(away @ C * away, axis=-1) / 2
    axes.contour(w1, w2, loss, 10, colors="silver")


def plot_paths(axes, C):
    x = batch_with(C)
    for name, (colour, line, width) in looks.items():
        path = learn(
            RULES[name], x, x @ D_plane.T, 0.05, 600
        )[:, 0]
        axes.plot(
            *path.T,
            line,
            color=colour,
            lw=width,
            label=name,
        )
        axes.plot(*path[-1], "o", color=colour)


figure, panels = plt.subplots(
    1,
    2,
    figsize=(9, 4),
    layout="constrained",
    sharey=True,
)
for axes, (name, C) in zip(
    panels, moments.items(), strict=True
):
    plot_loss(axes, C)
    plot_paths(axes, C)
    axes.plot(
        *D_plane[0],
        "*",
        color="black",
        ms=14,
        label="$D$",
        zorder=0,
    )
    axes.set(
        title=f"{name} inputs", xlabel="weight of input 1"
    )
panels[0].set_ylabel("weight of input 2")
figure.suptitle("COPI needs decorrelated inputs")
for axes in panels:
    label_ends(axes)
plt.show()

# %% [markdown]
# Left: COPI converges to about $(1.1, 0.7)$. The second input *lowers* the output, yet COPI gives it a positive
# weight, because it is correlated with the first input, which raises the output. This point has no special meaning
# for the loss: on correlated inputs COPI does not minimise it. Right: without correlations it does, along the same
# path as gradient descent.
#
# **The fix** is in the method's name: the inputs have to be *constrained* to be decorrelated. A network can do this
# by itself, with a second set of weights. Notebook 02 shows how, and ends by fixing exactly this failure.
#
# ## 8. Break it: a step too large
#
# On decorrelated inputs the fixed point is the right one. Does COPI always reach it? Subtract $W^*$ from both sides
# of $W \leftarrow W + \eta\,\Delta W$. Since $\langle z_i x_j \rangle = w^*_{ij} \langle x_j^2\rangle$,
#
# $$w_{ij} - w^*_{ij} \;\leftarrow\; \bigl(1 - \eta\,\langle x_j^2\rangle\bigr)\,(w_{ij} - w^*_{ij}) .$$
#
# Every column has its own factor. The error in a column shrinks as long as its factor is between $-1$ and $1$, so
# $0 < \eta < 2 / \max_j \langle x_j^2 \rangle$.
#
# **Question.** Set $\eta$ five per cent above this bound. What happens to the columns of the *weaker* inputs?

# %%
bound = 2 / power.max()
goal = D @ directions
print(f"mean squares {power.round(2)}, bound {bound:.3f}")
paths = {}
for share in (0.95, 1.05):
    eta = share * bound
    paths[share] = learn(
        rules.copi_update, x_dec, z, eta, 60
    )

# %% tags=["hide-input"]
figure, panels = plt.subplots(
    1,
    2,
    figsize=(9, 3.6),
    layout="constrained",
    sharey=True,
)
for axes, (share, path) in zip(
    panels, paths.items(), strict=True
):
    for j in range(n_inputs):
        axes.plot(
            np.linalg.norm(
                path[:, :, j] - goal[:, j], axis=1
            ),
            color=COLOURS[j],
            label=f"mean square {power[j]:.2f}",
        )
    axes.set(title=rf"$\eta$ = {share} $\times$ bound")
    axes.set(xlabel="steps", yscale="log", ylim=(1e-4, 1e3))
panels[0].set_ylabel("distance of a column")
figure.suptitle("above the bound, one column runs away")
for axes in panels:
    label_ends(axes)
plt.show()

# %% [markdown]
# **Answer.** They converge as if nothing were wrong. Only the column of the strongest input grows, without limit. To
# diagnose this, measure the factors:

# %%
left = paths[1.05] - goal
measured = left[6] / left[5]  # one factor per synapse
predicted = 1 - 1.05 * bound * power
print("measured factors", measured.mean(axis=0).round(3))
print("1 - eta <x_j^2> ", predicted.round(3))
assert np.allclose(measured, predicted)
last = np.abs(left[-1, :, -1])
first = np.abs(left[0, :, -1])
assert last.max() > first.max()

# %% [markdown]
# The last one is below $-1$: the weights of that input jump past the goal, a little further each time. **The fix:** a
# smaller $\eta$, or weaker inputs. This is why inputs of roughly unit size work well in neural networks, and one
# reason why the paper can raise its step size once decorrelation has made the units less active.
#
# ## Exercises
#
# ### Exercise 01.1 · Undo the rescaling
#
# Eq. 3 is Eq. 2 with each column multiplied by $\langle x_j^2\rangle$. Undo that: write a rule that equals Eq. 2 on
# decorrelated inputs without inverting a matrix. `W` is `(O, I)`, `x` is `(B, I)`, `z` is `(B, O)`; no input is
# silent.


# %%
def my_rule(W, x, z):
    return ...  # your code


check("01.1", my_rule)

# %% [markdown]
# ### Exercise 01.2 · One sample at a time
#
# Section 2.6 of the paper replaces the means with single samples. Write a function that goes through the samples
# once, in order, and updates the weights after *each* of them by $\eta$ times Eq. 5, $\Delta W = z\,x^\top -
# W\,\mathrm{diag}(x^2)$. Return the new weights.


# %%
def my_epoch(W, x, z, eta):
    return ...  # your code


check("01.2", my_epoch)

# %% [markdown]
# ### Exercise 01.3 · How decorrelated is enough?
#
# Take three inputs of mean square 1, any two of which have the same correlation $\rho$, and the desired weights
# $D = (1, 2, 3)$. What is the largest $\rho \ge 0$ for which COPI converges to within 10 % of $D$ (relative distance,
# as above)? Guess first, then find out by experiment. An answer within 5 % of the correct one passes. The cell below
# gets you started.

# %%
rho = 0.5
C = (1 - rho) * np.eye(3) + rho * np.ones((3, 3))
x_shared = batch_with(C)
largest_rho = ...  # your answer

check("01.3", largest_rho)

# %% [markdown]
# Solutions: [solutions/01_inferring_parameters.ipynb](solutions/01_inferring_parameters.ipynb).
#
# ## What you have seen
#
# - Gradient descent asks which way is down; COPI infers where to go: $D = \langle z x^\top\rangle\,C^{-1}$. On
#   decorrelated inputs the inverse is one number per input, and the rule becomes local (Eq. 3).
# - COPI is SGD plus $W\,\mathrm{off}(C)$. On decorrelated inputs the two are identical
#   ([Theorem 1](../docs/theory.md#1-copi-is-sgd-plus-a-correlation-term), tested in
#   `tests/mathematics/theorems/test_01_copi_versus_sgd.py`). On correlated inputs COPI converges to the wrong weights
#   ([Theorem 8](../docs/theory.md#8-the-fixed-point-is-least-squares), tested in
#   `tests/mathematics/theorems/test_08_fixed_point.py`).
# - [Claims C1 to C11](../docs/claims.md) say, one by one, which statements in Sections 2.1 to 2.4 of the paper hold.
#
# **Next:** [02 · Decorrelation](02_decorrelation.ipynb) shows how a layer decorrelates its own inputs.
