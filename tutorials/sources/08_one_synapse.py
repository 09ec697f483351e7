# %% [markdown]
# # 08 · One synapse: Hebb, Oja, COPI
#
# **What you will be able to do**
#
# - write the rules of Hebb, Oja and COPI for one synapse, and say what each needs to know;
# - derive the fixed points of Oja's rule, and why its weights have length 1;
# - explain what COPI's decay does differently, and why its weights may have any size;
# - break each of the three rules, and say which measurement reveals the cause;
# - tell the local form of decorrelation from the form that is not local.
#
# **Time:** 35 minutes to read and run, 30 minutes for the exercises.
#
# **Before this:** notebooks [01](01_inferring_parameters.ipynb) (the COPI rule) and [02](02_decorrelation.ipynb)
# (lateral weights); eigenvectors of a symmetric matrix.
#
# **In the paper:** Appendix C; Equations 3 to 6.

# %%
import numpy as np

from copi_np import rules
from copi_np.course import check, live
from copi_np.whitening import second_moment

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from copi_np.plotting import COLOURS, STYLE, label_ends

plt.rcParams.update(STYLE)

# %% [markdown]
# ## 1. What a synapse can know
#
# Unit $i$ adds up its weighted inputs, $a_i = \sum_j w_{ij} x_j$, and an error signal may shift the result, $z_i =
# a_i + \delta_i$. Look at a single synapse, from input $j$ to unit $i$:

# %% tags=["hide-input"]
PRE, POST, OWN, OTHER = (*COLOURS[:3], "#666666")
figure, axes = plt.subplots(
    figsize=(9, 3.2), layout="constrained"
)
for start, end, colour, width in (
    (-0.8, 0, OTHER, 1.5),
    (0, 0.8, OTHER, 1.5),
    (0, 0, OWN, 4),
):
    axes.plot([0, 3], [start, end], color=colour, lw=width)
for name, across, up, colour in (
    ("$x_j$", 0, 0, PRE),
    ("$z_i$", 3, 0, POST),
    ("$x_k$", 0, -0.8, OTHER),
    ("$z_m$", 3, 0.8, OTHER),
):
    axes.plot(across, up, "o", color=colour, ms=34)
    axes.text(
        across,
        up,
        name,
        color="white",
        ha="center",
        va="center",
        size=14,
    )
for text, across, up, colour, side in (
    ("the synapse's own $w_{ij}$", 1.5, 0.1, OWN, "center"),
    ("presynaptic", -0.45, 0, PRE, "right"),
    ("postsynaptic", 3.45, 0, POST, "left"),
    ("another input", -0.45, -0.8, OTHER, "right"),
    ("another unit", 3.45, 0.8, OTHER, "left"),
):
    axes.text(
        across, up, text, color=colour, ha=side, va="center"
    )
axes.set(xlim=(-2, 5), ylim=(-1.15, 1.15))
axes.axis("off")
plt.show()

# %% [markdown]
# The synapse has three numbers: the activity *pre* of the unit before it ($x_j$), the activity *post* of the unit after
# it ($z_i$, or $a_i$ if there is no error), and its own weight. Everything in grey is out of reach: other inputs, other
# units, and their weights. A rule that needs only these three numbers is **local**. So a local rule is a function of
# three numbers. Here are three such rules:


# %%
def hebb(w, pre, post):
    return post * pre


def oja(w, pre, post):
    return post * pre - w * post**2


def copi(w, pre, post):
    return post * pre - w * pre**2


# %% [markdown]
# All three begin with Hebb's term: units that are active together strengthen their connection. Hebb's rule has
# nothing else. Oja (1982) and COPI let the weight decay, and differ in one word: Oja's decay depends on the
# *postsynaptic* activity, COPI's on the *presynaptic* activity. This notebook is about that one word.
#
# **Question.** In one sample the input is silent, $x_j = 0$, while the unit is active because of other inputs. Which of
# the rules changes the weight?

# %%
w, post = 0.5, 2.0
for rule in (hebb, oja, copi):
    silent, active = rule(w, 0.0, post), rule(w, 1.0, post)
    print(f"{rule.__name__}:  silent input {silent:+.1f},")
    print(f"       input of 1 {active:+.1f}")
assert hebb(w, 0, post) == copi(w, 0, post) == 0
assert oja(w, 0, post) < 0

# %% [markdown]
# **Answer.** Only Oja's: the weight of a silent input shrinks, in favour of the inputs that drove the unit. With Oja's
# rule, synapses compete. With COPI, a synapse that saw nothing learns nothing.
#
# ## 2. From one synapse to a matrix
#
# A layer has many synapses, and a batch has many samples. This loop visits them one by one, and gives each synapse its
# three numbers.


# %%
def by_synapses(rule, W, x, post):
    """Return the mean update, synapse by synapse."""
    dW = np.zeros_like(W)
    for b in range(len(x)):
        for i, j in np.ndindex(W.shape):
            dW[i, j] += rule(W[i, j], x[b, j], post[b, i])
    return dW / len(x)


# %% [markdown]
# In the matrices, post is the row index and pre is the column index. So Oja's decay scales the *rows* of the weights,
# one per unit, and COPI's decay scales the *columns*, one per input:
#
# $$\begin{aligned}
# \Delta W_{\mathrm{hebb}} &= \langle a x^\top\rangle \\
# \Delta W_{\mathrm{oja}} &= \langle a x^\top\rangle - \mathrm{diag}\langle a^2\rangle\, W \\
# \Delta W_{\mathrm{copi}} &= \langle z x^\top\rangle - W\,\mathrm{diag}\langle x^2\rangle
# \end{aligned}$$

# %%
rng = np.random.default_rng(0)
x, W = rng.normal(size=(50, 4)), rng.normal(size=(3, 4))
delta = rng.normal(size=(50, 3))
a = rules.transform(W, x)
z = rules.target_state(a, delta)
matrices = {
    hebb: (rules.mean_outer(a, x), a),
    oja: (rules.oja_update(W, x), a),
    copi: (rules.copi_update(W, x, z), z),
}
for rule, (dW, post) in matrices.items():
    assert np.allclose(dW, by_synapses(rule, W, x, post))

# %% [markdown]
# Each matrix rule is its scalar rule, entry by entry. (If you compare with the paper: in Oja's rule, Appendix C
# writes $y = M x$ for our $a = W x$, and $\bigl(\sum_j w_{ij} x_j\bigr)\,x_j$ for Hebb's term. The $j$ inside the sum
# runs over all inputs, and is not the same as the $j$ after it.)
#
# ## 3. Break it: Hebb alone
#
# One unit with two inputs is enough to see what the rules do. We can draw its weights as an arrow in the plane of the
# inputs. We make two clouds of inputs, one correlated and one decorrelated, and choose their second moments $C =
# \langle x x^\top\rangle$ exactly.


# %%
def batch_with(C, n_samples=150):
    """Return a batch whose second moments are exactly C."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(n_samples, len(C)))
    orthogonal, _ = np.linalg.qr(noise)
    white = orthogonal * np.sqrt(n_samples)  # C = I
    return white @ np.linalg.cholesky(C).T


correlated = batch_with(np.array([[1.5, 0.9], [0.9, 1.0]]))
decorrelated = batch_with(
    np.array([[1.5, 0.0], [0.0, 0.7]])
)

# %% [markdown]
# For now the unit has no error signal, so post is its own output $a = w^\top x$ for every rule. Hebb's mean update is
# then
#
# $$\langle a\,x \rangle = \langle x\,x^\top \rangle\, w = C\,w .$$
#
# **Question.** Start from a small arrow and apply Hebb's rule 200 times with $\eta = 0.02$. Where does the arrow point
# in the end, and how fast does it grow?


# %%
def hebb_alone(W, x):
    return rules.mean_outer(rules.transform(W, x), x)


def copi_alone(W, x):
    return rules.copi_update(W, x, rules.transform(W, x))


NO_ERROR = {"Hebb": hebb_alone, "Oja": rules.oja_update}
NO_ERROR["COPI, z = a"] = copi_alone


def follow(rule, x, start, n_steps=200, eta=0.02):
    """Return the path of the arrow, (n_steps + 1, 2)."""
    path = [np.array([start], dtype="float64")]
    for _ in range(n_steps):
        path.append(path[-1] + eta * rule(path[-1], x))
    return np.array([W[0] for W in path])


# %%
path = follow(hebb_alone, correlated, [0.3, -0.6])
length = np.linalg.norm(path, axis=1)
growth = length[-1] / length[-2]
values, vectors = np.linalg.eigh(second_moment(correlated))
long_axis, expected = vectors[:, -1], 1 + 0.02 * values[-1]
print(f"length {length[0]:.2f} at the start,", end=" ")
print(f"{length[-1]:.0f} after 200 steps")
print(f"growth in the last step {growth:.4f},", end=" ")
print(f"1 + eta * largest eigenvalue {expected:.4f}")
print("direction  ", path[-1] / length[-1])
print("eigenvector", long_axis)
assert np.isclose(growth, expected, rtol=1e-3)
along = abs(path[-1] @ long_axis)
assert np.isclose(along, length[-1], rtol=1e-3)

# %% [markdown]
# **Answer.** The arrow turns towards the long axis of the cloud, the eigenvector of $C$ with the largest eigenvalue
# $\lambda_1$: the *first principal component*. (The sign of an eigenvector is arbitrary.) That is a useful direction.
# But the length grows by a factor of $1 + \eta\lambda_1$ per step, without bound: strong weights drive the unit more,
# and so get even stronger. The **diagnosis** is the growth factor. It is above 1 in every direction, because every
# eigenvalue of $C$ is positive. Hebb's rule never shrinks anything, whatever the cloud and the step size.
#
# ## 4. Oja's fix
#
# Oja's decay subtracts $w\,\langle a^2\rangle$. The weights stop changing if
#
# $$C\,w = \langle a^2\rangle\, w , \qquad \langle a^2\rangle = w^\top C\, w .$$
#
# The first equation says that $w$ is an eigenvector of $C$, with eigenvalue $\langle a^2\rangle$. Multiply it by
# $w^\top$ from the left: $w^\top C\,w = \langle a^2\rangle\,\lvert w\rvert^2$. Together with the second equation this
# gives $\lvert w\rvert^2 = 1$, unless the unit is always silent.
#
# **Question.** So every unit eigenvector is a fixed point, including the one along the short axis of the cloud. Start
# close to the short axis. Will the arrow stay there?

# %%
short_axis = vectors[:, 0]
starts = {"on the short axis": short_axis}
starts["0.001 off it"] = short_axis + 0.001
starts["length 0.2"], starts["length 2"] = (
    [0.2, 0],
    [0, 2.0],
)
lengths, cosines = {}, {}
for name, w in starts.items():
    path = follow(rules.oja_update, correlated, w, 600)
    lengths[name] = np.linalg.norm(path, axis=1)
    cosines[name] = abs(path @ long_axis) / lengths[name]
    length, cosine = lengths[name][-1], cosines[name][-1]
    print(
        f"{name:18s} ends with length {length:.4f},",
        end=" ",
    )
    print(f"cosine to the long axis {cosine:.4f}")
    assert np.isclose(length, 1)
    turned = name != "on the short axis"
    assert np.isclose(cosine, turned, atol=1e-4)

# %% tags=["hide-input"]
figure, panels = plt.subplots(
    1, 2, figsize=(9.5, 3.8), layout="constrained"
)
for name, colour in zip(starts, COLOURS, strict=False):
    panels[0].plot(lengths[name], color=colour)
    panels[1].plot(cosines[name], color=colour, label=name)
panels[0].set(ylabel=r"length $\vert w\vert$")
panels[0].set(
    xlabel="steps", title="Oja: the length goes to 1"
)
panels[1].set(ylabel="cosine to the long axis")
panels[1].set(
    xlabel="steps", title="and w turns to the long axis"
)
label_ends(panels[1])
plt.show()

# %% [markdown]
# **Answer.** If it starts exactly on the short axis, it stays. If it starts slightly off, it seems to stay for a while,
# and then turns: this fixed point is unstable. Every length becomes 1, whatever it was before, and all the arrows that
# can turn end on the long axis. Oja's decay **sets the size** of a unit's weights.
#
# ## 5. COPI keeps any size
#
# Now take COPI's decay, still without an error, $z = a$. For one synapse of a unit, on average,
#
# $$\langle a\,x_j \rangle - w_j \langle x_j^2\rangle =
# \sum_k w_k \langle x_k x_j\rangle - w_j \langle x_j^2\rangle = \sum_{k \ne j} w_k \langle x_k x_j\rangle .$$
#
# The decay subtracts exactly the synapse's *own* part of Hebb's term. What is left comes from other inputs that are
# correlated with this one: the term $W\,\mathrm{off}(C)$ of notebook 01.
#
# **Question.** We have three rules and two clouds, with three arrows in each panel. Sketch all six panels before you
# look.

# %% tags=["hide-input"]
STARTS = ([0.4, -0.8], [-0.6, 0.3], [1.2, 1.0])


def plot_panel(axes, rule, x):
    axes.plot(*x.T, ".", color="silver", ms=3, zorder=0)
    axes.add_patch(
        plt.Circle(
            (0, 0), 1, fill=False, ls=":", color="dimgray"
        )
    )
    for start, colour in zip(STARTS, COLOURS, strict=False):
        path = follow(rule, x, start)
        axes.plot(*path.T, color=colour, lw=2)
        axes.plot(*path[0], "o", color=colour, ms=6)
        axes.plot(*path[-1], "*", color=colour, ms=14)
    axes.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
    axes.set(xticks=(-2, 0, 2), yticks=(-2, 0, 2))


clouds = {
    "correlated": correlated,
    "decorrelated": decorrelated,
}
figure, grid = plt.subplots(
    2, 3, figsize=(8.5, 6), layout="constrained"
)
for row, (kind, x) in zip(
    grid, clouds.items(), strict=True
):
    for axes, (name, rule) in zip(
        row, NO_ERROR.items(), strict=True
    ):
        plot_panel(axes, rule, x)
        axes.set_title(name)
    row[0].set_ylabel(f"{kind}\nweight, input 2")
for axes in grid[1]:
    axes.set_xlabel("weight, input 1")
plt.show()

# %% [markdown]
# (Dots mark the start, stars the end after 200 steps, if it is still in the picture. The dotted circle has radius 1.)
#
# **Answer.** Hebb's arrows leave the picture for both clouds. Oja's arrows end on the circle, on the long axis of the
# cloud. On decorrelated inputs, COPI's arrows stay where they are, whatever their size: there is no error, so nothing
# changes. On *correlated* inputs COPI's weights explode too, though more slowly than Hebb's. Let us measure it:

# %%
for kind, x in clouds.items():
    for name, rule in NO_ERROR.items():
        path = follow(rule, x, [0.4, -0.8])
        length = np.linalg.norm(path, axis=1)
        print(f"{kind:12s}  {name:13s}  length", end=" ")
        print(f"{length[0]:.2f} -> {length[-1]:.2f}")
assert np.isclose(length[0], length[-1])  # the last of them

path = follow(copi_alone, correlated, [1.2, 1.0])
length = np.linalg.norm(path, axis=1)
growth, expected = length[-1] / length[-2], 1 + 0.02 * 0.9
print(f"growth of COPI, correlated: {growth:.4f};", end=" ")
print(f"predicted: {expected:.4f}")
assert np.isclose(growth, expected)

# %% [markdown]
# The cause is the correlation term: two inputs with $\langle x_1 x_2\rangle = 0.9$ strengthen each other's weights, by
# a factor of $1 + \eta \cdot 0.9$ per step ($0.9$ is the largest eigenvalue of $\mathrm{off}(C)$). So COPI's decay does
# not stop Hebb's explosion for *every* input. It is the right decay for decorrelated inputs, and that is why COPI needs
# lateral weights.
#
# "Stay where they are" is true of the mean update. The $x x^\top$ of a *single* sample is never diagonal.
#
# **Question.** Apply COPI with $z = a$ after every single sample (Eq. 5) of the decorrelated cloud. Does the arrow stay
# where it is?


# %%
def wander(eta, n_samples=3000):
    """Return the length of the arrow after each sample."""
    x, rng = decorrelated, np.random.default_rng(1)
    w, lengths = np.array([0.4, -0.8]), []
    for b in rng.integers(len(x), size=n_samples):
        # both synapses at once
        w = w + eta * copi(w, x[b], post=w @ x[b])
        lengths.append(np.linalg.norm(w))
    return np.array(lengths)


# %%
spread = []
for eta in (0.02, 0.002):
    lengths = wander(eta)
    spread.append(np.ptp(lengths))
    print(
        f"eta {eta}: length between {lengths.min():.2f}",
        end=" ",
    )
    print(f"and {lengths.max():.2f}")
assert spread[1] < spread[0] / 3

# %% [markdown]
# **Answer.** It wanders. With the smaller step size it stays closer to its initial length of 0.89. Only the mean update
# is zero, and nothing pulls the arrow back to a certain length, because no length is preferred. An error signal does
# pull it back, as we will see now.
#
# Here are all three rules on one cloud. Choose where the arrow starts, and step.

# %%
live.show("synapse")

# %% [markdown]
# ## 6. Break it: COPI with Oja's decay
#
# Now COPI gets a target: $z = d^\top x$, with weights $d$ that the unit should find. (In a network, $z = a + \delta$,
# and the error signal vanishes at these weights.) On decorrelated inputs its fixed point is
#
# $$w_j = \frac{\langle z\,x_j\rangle}{\langle x_j^2\rangle} = d_j .$$
#
# What if we use Oja's decay instead, $\Delta w_j = z\,x_j - w_j\,z^2$?
#
# **Question.** Make the targets four times as large. What happens to the length of the weights with each decay?

# %%
x = decorrelated
direction = np.array([[0.8, -0.6]])  # of length 1
sizes = np.array([0.5, 1.0, 2.0, 4.0])


def learn(decay, z, n_steps=2000, eta=0.02):
    """Learn with Hebb's term, and COPI's or Oja's decay."""
    W = np.zeros((1, 2))
    decides = x if decay == "COPI" else z  # which decays W
    power = rules.mean_square(decides)
    for _ in range(n_steps):
        W = W + eta * (rules.mean_outer(z, x) - W * power)
    return W


# %%
found, lengths = {}, {}
for decay in ("COPI", "Oja"):
    targets = (x @ (c * direction).T for c in sizes)
    found[decay] = [learn(decay, z) for z in targets]
    lengths[decay] = np.linalg.norm(
        found[decay], axis=(1, 2)
    )

# %% tags=["hide-input"]
figure, axes = plt.subplots(
    figsize=(7, 3.8), layout="constrained"
)
for decay, line, colour in (
    ("COPI", "o-", COLOURS[2]),
    ("Oja", "s--", COLOURS[0]),
):
    axes.plot(
        sizes,
        lengths[decay],
        line,
        color=colour,
        label=f"{decay}'s decay",
    )
ticks = (0.25, 0.5, 1, 2, 4)
axes.set(xscale="log", yscale="log")
axes.set(xticks=sizes, xticklabels=sizes)
axes.set(yticks=ticks, yticklabels=ticks)
axes.set(xlabel="length of the desired weights")
axes.set(ylabel="length found")
axes.set_title("with COPI's decay, w is as long as desired")
axes.minorticks_off()
label_ends(axes)
plt.show()

# %% [markdown]
# **Answer.** COPI finds every length. With Oja's decay, *larger* targets lead to *smaller* weights. For a diagnosis,
# look at its fixed point: $w = \langle z\,x\rangle / \langle z^2\rangle$. If the targets are $c$ times as large, the
# numerator grows by $c$ and the denominator by $c^2$. The direction is wrong too: $\langle z\,x_j\rangle = d_j \langle
# x_j^2\rangle$ favours the stronger input, and nothing divides by $\langle x_j^2\rangle$.

# %%
for decay, weights in found.items():
    w = weights[0][0]
    length = np.linalg.norm(w)
    print(f"{decay:5s} length {length:.3f},", end=" ")
    print("direction", (w / length).round(3))
z = x @ (sizes[0] * direction).T
predicted = rules.mean_outer(z, x) / rules.mean_square(z)
assert np.allclose(found["Oja"][0], predicted)
desired = sizes[:, None, None] * direction
assert np.allclose(found["COPI"], desired)
by_oja = lengths["Oja"]
assert np.allclose(by_oja * sizes, by_oja[1])

# %% [markdown]
# (We want length 0.5 and direction $(0.8, -0.6)$.) The **fix** is to put the presynaptic square back: a synapse has
# to compare what its unit does with its *own* contribution. As Appendix C puts it, COPI's decay infers the scale of
# the weights, while Oja's normalises it. Neither rule is better: without targets, Oja's finds the principal
# component, and COPI finds nothing at all. They answer different questions.
#
# ## 7. Lateral synapses
#
# The lateral weights $R$ of notebook 02 decorrelate the inputs $y$ of a layer, $x = R y$. For one lateral synapse and
# one sample, Appendix C gives
#
# $$\Delta r_{ij} = -(q_i\, x_j - r_{ij}\, x_j^2), \qquad q = R x .$$
#
# That is the function `copi` from above with the sign reversed. Here post is $q_i$, what unit $i$ receives through the
# lateral weights if the activities are $x$. (The appendix calls it $\tilde z_i$; Eq. 4 calls it $q_i$.)

# %%
rng = np.random.default_rng(2)
R = np.eye(4) + 0.3 * rng.normal(size=(4, 4))
x = rules.decorrelate(R, rng.normal(size=(50, 4)))
q = rules.transform(R, x)
local = rules.local_decorrelation_update(R, x)
assert np.allclose(local, -by_synapses(copi, R, x, q))
assert np.allclose(local, -rules.copi_update(R, x, q))

# %% [markdown]
# As a matrix this is $-R\,\mathrm{off}(C)$, the second line of Eq. 4. But the update that the paper derives first,
# above Eq. 4, is $-\mathrm{off}(C)\,R$. For one synapse and one sample, it is
#
# $$\Delta r_{ij} = -\sum_{k \ne i} x_i\, x_k\, r_{kj} .$$
#
# **Question.** Can you write it as a function of `(r, pre, post)`? What does it need that the synapse does not have?


# %%
def matrix_form_loop(R, x):
    dR = np.zeros_like(R)
    for b in range(len(x)):
        for i, j in np.ndindex(R.shape):
            for k in range(len(R)):
                if k != i:
                    dR[i, j] -= x[b, i] * x[b, k] * R[k, j]
    return dR / len(x)


matrix = rules.decorrelation_update(R, x)
assert np.allclose(matrix, matrix_form_loop(R, x))

# %% [markdown]
# **Answer.** No. It needs $x_k$ and $r_{kj}$: the activities of all other units, and the weights of *their* synapses.
# We can measure that, too.
#
# **Question.** Change the lateral weights of unit 0 (the first row of $R$), and keep all activities $x$ as they are.
# Which rows of $\Delta R$ change in the local form? Which in the matrix form?

# %%
row = np.zeros((4, 4))
row[0] = np.random.default_rng(3).normal(size=4)
forms = {"local form": rules.local_decorrelation_update}
forms["matrix form"] = rules.decorrelation_update
changes = {}
for name, form in forms.items():
    change = np.abs(form(R + row, x) - form(R, x))
    changes[name] = np.where(change < 1e-12, 0, change)

first_row = np.arange(4)[:, None] == 0
assert np.all((changes["local form"] > 0) == first_row)
assert np.all((changes["matrix form"] > 0) == ~first_row)

# %% tags=["hide-input"]
figure, panels = plt.subplots(
    1, 2, figsize=(9, 3.2), layout="constrained"
)
for axes, (name, change) in zip(
    panels, changes.items(), strict=True
):
    axes.imshow(change > 0, cmap="Greys", vmin=0, vmax=2)
    for (i, j), value in np.ndenumerate(change):
        axes.text(
            j, i, f"{value:.1g}", ha="center", va="center"
        )
    axes.set(title=f"change of the update, {name}")
    axes.set(xlabel="from unit $j$", ylabel="to unit $i$")
    axes.set(xticks=range(4), yticks=range(4))
    axes.grid(visible=False)
plt.show()

# %% [markdown]
# **Answer.** In the local form, only row 0. In the matrix form, every row *except* row 0! All the other units would
# have to know the weights of unit 0, and unit 0 does not use its own.
#
# The paper says that the two are equal because $R$ stays symmetric. Let us start from the identity, let $R$ decorrelate
# a batch, and compare the two updates as it learns.

# %%
y = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4))
R = np.eye(4)
for step in range(101):
    x = rules.decorrelate(R, y)
    dR = rules.decorrelation_update(R, x)
    apart = rules.local_decorrelation_update(R, x) - dR
    share = np.linalg.norm(apart) / np.linalg.norm(dR)
    if step in (0, 1, 10, 100):
        print(f"after {step:3d} steps: {share:.1%} apart")
    assert (share < 1e-12) == (step == 0)
    R = R + 0.01 * dR

# %% [markdown]
# They are equal at the first step, and never again: $R$ does not stay symmetric, and symmetry would not be enough
# ([Theorem 3](../docs/theory.md#3-r-does-not-stay-symmetric)). So the statement that COPI uses only local activity is
# true of Eqs. 5 and 6, but not of the update above Eq. 4 ([claim C1](../docs/claims.md)). Both forms decorrelate;
# notebook 02 compares them.
#
# ## 8. What each rule needs to know
#
# | rule | update of one synapse, one sample | decay | pre | post | own weight | others |
# |---|---|---|---|---|---|---|
# | Hebb | $a_i x_j$ | none | $x_j$ | $a_i$ | | |
# | Oja | $a_i x_j - w_{ij}\,a_i^2$ | postsynaptic | $x_j$ | $a_i$ | $w_{ij}$ | |
# | COPI, forward | $z_i x_j - w_{ij}\,x_j^2$ | presynaptic | $x_j$ | $z_i$ | $w_{ij}$ | |
# | COPI, lateral, local form | $-(q_i x_j - r_{ij}\,x_j^2)$ | presynaptic | $x_j$ | $q_i$ | $r_{ij}$ | |
# | decorrelation, matrix form | $-\sum_{k\ne i} x_i x_k r_{kj}$ | | | $x_i$ | | all $x_k$, $r_{kj}$ |
#
# | rule | fixed point of the mean update | size of the weights |
# |---|---|---|
# | Hebb | none | grows without bound |
# | Oja | a unit's weights are a unit eigenvector of $C$; only the first is stable | 1 |
# | COPI, forward | $W = \langle z x^\top\rangle\,\mathrm{diag}\langle x^2\rangle^{-1}$ | any, set by the targets |
# | decorrelation, both forms | inputs are decorrelated (for invertible $R$) | see notebook 02 |
#
# ## Exercises
#
# ### Exercise 08.1 · Louder inputs
#
# Make all inputs twice as large, $x \to 2x$, and keep COPI's targets $z$ as they are. The inputs are decorrelated. Once
# both rules have converged, how have the lengths of the weights changed? Predict, then try it.
#
# - **a** Both halve.
# - **b** COPI's halves, Oja's stays the same.
# - **c** COPI's stays the same, Oja's halves.
# - **d** Both stay the same.

# %%
answer = ...  # a letter, such as "a"

check("08.1", answer)

# %% [markdown]
# ### Exercise 08.2 · How fast does it explode?
#
# Run COPI without an error, $z = a$, on three correlated inputs with the second moments below, and with $\eta = 0.1$.
# By what factor does the length of a unit's weights grow per step, once the growth is steady? Find it by experiment, to
# within 0.002. Then work out which eigenvalue explains it.

# %%
C = [[2.0, 0.6, 0.3], [0.6, 1.0, 0.2], [0.3, 0.2, 0.5]]
x_three = batch_with(np.array(C))
growth = ...  # your answer

check("08.2", growth)

# %% [markdown]
# ### Exercise 08.3 · Where Oja's decay comes from
#
# The obvious way to stop Hebb's explosion is to take a Hebbian step, $W + \eta\,\langle a x^\top\rangle$, and then to
# scale the weights of every unit back to length 1. Write this as a function of `W` `(O, I)`, `x` `(B, I)` and `eta`
# that returns the new weights. Then compare one of your steps with one step of Oja's rule, for a small $\eta$.


# %%
def my_step(W, x, eta):
    return ...  # your code


check("08.3", my_step)

# %% [markdown]
# Solutions: [solutions/08_one_synapse.ipynb](solutions/08_one_synapse.ipynb).
#
# ## What you have seen
#
# - Hebb, Oja and COPI share Hebb's term, and differ in their decay: none, postsynaptic, presynaptic. Oja's decay sets
#   the length of the weights to 1. COPI's keeps any length, and with a target it finds the right one.
# - COPI's decay subtracts a synapse's own part of Hebb's term. On decorrelated inputs nothing is left. On correlated
#   inputs the rest makes the weights explode.
# - The forward rule and the local form of decorrelation are the same function of three numbers, up to a sign. The
#   matrix form is not local.
#
# Proofs and tests: [Theorem 10](../docs/theory.md#10-a-single-synapse), tested by
# `tests/mathematics/theorems/test_10_single_synapse.py`; [claims C1, C10, C39 and C40](../docs/claims.md).
#
# **Next:** [09 · The same code on two devices](09_two_devices.ipynb) shows how one program runs on a CPU and on a
# GPU.
