# %% [markdown]
# # 02 · Decorrelation
#
# COPI assumes that the inputs from which a layer learns its forward weights $W$ are uncorrelated: the second moment
# of any two of them is zero. Raw inputs are not like that. This notebook is about the lateral weights $R$, which make
# them so.
#
# **What you will be able to do**
#
# - explain what "decorrelated" means here, and how it differs from "centred" and "whitened";
# - derive the update of $R$ (above Eq. 4 of the paper) and implement it as a loop, as matrices, and without ever
#   building the matrix of second moments;
# - say what happens to the variances, to $\det R$ and to the Hadamard defect during decorrelation, and why this
#   proves convergence;
# - break it with a step that is too large, find out why, and fix it;
# - tell the two forms of Eq. 4 apart, and say when they agree;
# - fix what broke in notebook 01, by letting $W$ learn after $R$.
#
# **Time:** 65 minutes to read and run, 30 minutes for the exercises.
#
# **Before this:** notebook 01 (samples as rows, the COPI rule); matrix products; eigenvalues of symmetric matrices.
#
# **In the paper:** Section 2.4 with Eq. 4, Eq. 6, the small first step in Section 3.1, Section 3.2 with Figure 3A,
# and what Section 4 says about the mean.

# %%
from fractions import Fraction
from itertools import islice

import numpy as np

from copi_np import load_dataset, whitening
from copi_np.analysis import decorrelation_path
from copi_np.course import animation, check, sliders
from copi_np.course.live import show
from copi_np.datasets import as_float
from copi_np.plotting import image_rows
from copi_np.rules import decorrelate, decorrelation_update
from copi_np.rules import local_decorrelation_update
from copi_np.whitening import asymmetry, feature_correlation
from copi_np.whitening import hadamard_defect, off_diagonal
from copi_np.whitening import (
    mean_absolute_correlation as mean_correlation,
)
from copi_np.whitening import second_moment

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from copi_np.plotting import COLOURS, STYLE, label_ends

plt.rcParams.update(STYLE)

# %%
DATA = "mnist-5k"  # or "digits-8x8"
BATCH = 50

data = load_dataset(DATA)
images = as_float(data.train.inputs, "float64")
n_digits, n_pixels = images.shape
print(n_digits, "digits of", n_pixels, "pixels")

# %% [markdown]
# ## 1. What "decorrelated" means
#
# The COPI rule of notebook 01, $\Delta W = \langle z x^\top\rangle - W\,\mathrm{diag}\langle x^2\rangle$ (Eq. 3), was
# derived for inputs whose matrix of second moments $C = \langle x x^\top\rangle$ is diagonal. On other inputs it
# converges to the wrong weights. So the first thing to look at is $C$.
#
# Here are 120 samples of two strongly correlated inputs, $y_1$ and $y_2$.

# %%
rng = np.random.default_rng(0)
mixing = np.array([[1.2, 0.0], [0.75, 0.45]])
cloud = rng.normal(size=(120, 2)) @ mixing.T
print("(B, I) =", cloud.shape)  # one row per sample

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(3.6, 3.6))
animation.draw_cloud(axes, cloud, animation.extent(cloud))
axes.set(xlabel="$y_1$", ylabel="$y_2$")
_ = axes.set_title("two inputs that vary together")
# %% [markdown]
# The ellipse is drawn at two standard deviations. $C$ holds, for every pair of inputs, the mean over the samples of
# their product, $C_{ij} = \langle x_i x_j\rangle$. With samples as rows this is `x.T @ x / B`, and the library calls
# it `second_moment`. (Notebook 01 computes it with a loop.)

# %%
C = second_moment(cloud)
assert np.allclose(C, cloud.T @ cloud / len(cloud))
C.round(2)

# %% [markdown]
# Three words are easily mixed up:
#
# - **decorrelated**: $C$ is diagonal. We write $\mathrm{off}(C) = C - \mathrm{diag}(C)$ for what must vanish,
#   $\mathrm{off}(C) = 0$. The diagonal can be anything.
# - **whitened**: decorrelated, and every variance is 1, so $C = I$. COPI does not require this.
# - **centred**: the mean of every input is zero. COPI does not require this either, and **$C$ is not centred**: it is
#   the mean of $x_i x_j$, not of $(x_i - \langle x_i\rangle)(x_j - \langle x_j\rangle)$.
#
# For brevity we call $C_{ii}$ a *variance*, $C_{ij}$ a *covariance* and $C_{ij}/\sqrt{C_{ii}\,C_{jj}}$ a
# *correlation*, although nothing is centred.
#
# **Question.** Two inputs are drawn independently of each other, both uniform between 0 and 1. Are they
# decorrelated in this sense? What is $C_{12}$?

# %%
rng = np.random.default_rng(1)
independent = rng.uniform(0, 1, size=(100_000, 2))
C = second_moment(independent)
centred = np.cov(independent.T)[0, 1]
print(f"C_12 = {C[0, 1]:.3f}, centred: {centred:.4f}")
assert abs(C[0, 1] - 0.25) < 0.01

# %% [markdown]
# **Answer.** No. $C_{12} = \langle x_1 x_2\rangle = \langle x_1\rangle\langle x_2\rangle = \tfrac14$: in this sense,
# positive inputs are correlated by their means alone. Pixels are like that. We return to this in Section 8.

# %% [markdown]
# ## 2. A rule for the lateral weights
#
# The lateral weights $R$ transform the inputs, $x = R y$, before the forward weights see them. $R$ starts as the
# identity. How should it change?
#
# The paper first asks how each *sample* should change so that its inputs have less in common:
#
# $$x \leftarrow x - \eta\,\mathrm{off}(C)\,x, \qquad\text{that is}\qquad
# x_i \leftarrow x_i - \eta \sum_{k \ne i} C_{ik}\, x_k .$$
#
# If inputs $i$ and $k$ tend to have the same sign ($C_{ik} > 0$), then a little of $x_k$ is subtracted from $x_i$.
# Now substitute $x = R y$ on both sides. The change of $x$ becomes a change of $R$:
#
# $$R y \leftarrow \bigl(R - \eta\,\mathrm{off}(C) R\bigr)\, y, \qquad\text{so}\qquad
# \boxed{\Delta R = -\mathrm{off}(C)\,R = -\bigl(\langle x x^\top\rangle - \mathrm{diag}\langle x^2\rangle\bigr) R}$$
#
# This is the update above Eq. 4; we call it the **matrix form**. For one sample and one pair of inputs it reads
# $\Delta r_{ij} = -\sum_{k \ne i} x_i x_k r_{kj}$. As a loop over all of them:


# %%
def decorrelation_loop(R, x):
    dR, n_inputs = np.zeros_like(R), len(R)
    for sample in x:
        for i in range(n_inputs):
            for j in range(n_inputs):
                for k in range(n_inputs):
                    if k != i:
                        together = sample[i] * sample[k]
                        dR[i, j] -= together * R[k, j]
    return dR / len(x)


# %% [markdown]
# And now in matrix form, on random numbers, so that there is nothing special about them (in particular, $R$ is not
# symmetric):

# %%
rng = np.random.default_rng(2)
R, x = rng.normal(size=(4, 4)), rng.normal(size=(7, 4))
C = x.T @ x / len(x)
matrix_form = -(C - np.diag(np.diag(C))) @ R
assert np.allclose(matrix_form, decorrelation_loop(R, x))

# %% [markdown]
# ### The matrix C is never built
#
# **Question.** A layer sees the digits of mnist-5k, 784 pixels each, in batches of 50. How many multiplications does
# the line above take? Can you reorder the products so that it takes fewer?
#
# Hint: $C R = \langle x x^\top\rangle R$, and you can move the brackets.

# %%
n_samples, n_inputs = BATCH, n_pixels
with_C = n_samples * n_inputs**2  # x.T @ x
with_C += n_inputs**3  # C @ R
without_C = n_samples * n_inputs**2  # x @ R
without_C += n_samples * n_inputs**2  # x.T @ (x @ R)
print(f"with C:    {with_C / 1e6:.1f} million")
print(f"without C: {without_C / 1e6:.1f} million")

# %% [markdown]
# **Answer.** $\langle x x^\top\rangle R = \langle x\,(x^\top R)\rangle$: multiply the few samples by $R$ first, and
# the matrix $C$ never appears. With 50 samples and 784 inputs this is more than eight times cheaper. Only
# the diagonal of $C$ is needed as well, and that is a mean of squares:

# %%
power = np.mean(x**2, axis=0)
without_C = -(x.T @ (x @ R) / len(x) - power[:, None] * R)
assert np.allclose(without_C, matrix_form)
assert np.allclose(decorrelation_update(R, x), matrix_form)

# %% [markdown]
# The library's `decorrelation_update` is this one line. Here $C$ is the mean over the current batch, as in the
# paper's experiments (Section 2.6).

# %% [markdown]
# ## 3. Watch it
#
# `decorrelation_path` repeats $x = R y$ and $R \leftarrow R + \eta\,\Delta R$ on one batch, starting from $R = I$,
# and yields $R$ at every step.
#
# The animation shows the cloud $x = R y$ on the left, with its ellipse. The arrows are the columns of $R$, that is,
# where $R$ takes the inputs $(1, 0)$ and $(0, 1)$. On the right is the correlation of $x_1$ and $x_2$.
#
# **Question.** What will happen to the cloud? Will it be *rotated* as a whole until its long axis is horizontal? Will
# it end up *round*? Decide before you run the next cell.

# %%
path = [*decorrelation_path(cloud, eta_R=0.1, n_steps=60)]
animation.animate_cloud(cloud, path, steps=range(0, 30, 2))

# %% [markdown]
# Here are some of its frames:

# %%
animation.cloud_strip(cloud, path, steps=(0, 4, 15, 60))

# %% [markdown]
# Here you can take the steps yourself, with any correlation and any step size. It needs a browser, but no kernel; the
# web site has [more of its kind](../docs/live.md).

# %%
show("decorrelation")

# %%
C = second_moment(decorrelate(path[-1], cloud))
print(C.round(2), path[-1].round(2), sep="\n")
assert abs(C[0, 1]) < 1e-2
assert C[0, 0] > 2 * C[1, 1]

# %% [markdown]
# **Answer.** Neither.
#
# - The long axis does end up horizontal, but nothing was rotated: the arrows tilt away from each other by the same
#   amount. $R$ is symmetric here. It squeezes the cloud along one diagonal and stretches it along the other. Rotating
#   to the long axis is what PCA does.
# - It does not become round: $C_{11}$ is still more than twice $C_{22}$. The inputs are decorrelated, not whitened.
#   Once $\mathrm{off}(C) = 0$ the update is zero.

# %% [markdown]
# ## 4. Three quantities to watch
#
# Two inputs could be a special case. Let us take five inputs that share a common cause, and measure.

# %%
rng = np.random.default_rng(3)
shared = rng.normal(size=(100, 1))
own = rng.normal(size=(100, 5))
five = shared * [0.9, 0.7, 0.5, -0.5, -0.9]
five = five + own * [0.3, 0.5, 0.7, 0.4, 0.6]
largest = np.linalg.eigvalsh(second_moment(five))[-1]
steps = decorrelation_path(five, 0.2 / largest, 300)
x_by_step = [decorrelate(R, five) for R in steps]
moments = np.array([second_moment(x) for x in x_by_step])
moments.shape

# %% [markdown]
# ### The variances
#
# Write $E = \mathrm{off}(C)$ for the covariances, with rows $e_i$. One step replaces $x$ by $(I - \eta E)\,x$, and so
#
# $$C' = (I - \eta E)\,C\,(I - \eta E), \qquad
# C'_{ii} = C_{ii} - 2\eta\,\lvert e_i\rvert^2 + \eta^2\, e_i^\top C\, e_i .$$
#
# **Question.** The middle term comes from $(E C)_{ii} = \sum_{j \ne i} C_{ij}\,C_{ji}$. What does the formula say
# about a variance when the step is small? When does the variance stop changing?

# %% tags=["hide-input"]
variances = moments.diagonal(axis1=1, axis2=2)
figure, axes = plt.subplots(figsize=(6.5, 3.2))
for i in range(5):
    axes.plot(
        1 + np.arange(301),
        variances[:, i],
        color=COLOURS[i],
        label=f"$C_{{{i + 1}{i + 1}}}$",
    )
axes.set(xlabel="1 + step", ylabel="variance")
axes.set(xscale="log", ylim=(0, None))
axes.set_title("every variance falls, then settles")
label_ends(axes)
assert np.all(np.diff(variances, axis=0) < 1e-12)

# %% [markdown]
# **Answer.** No variance ever rises. To first order in $\eta$ each one loses $2\eta\,\lvert e_i\rvert^2$, which is
# $2\eta$ times the sum of its squared covariances, until these are zero. It holds for any step with
# $\eta \le 2/\lambda$, where $\lambda$ is the largest eigenvalue of $C$: then the last term,
# $\eta^2 e_i^\top C e_i \le \eta^2 \lambda\,\lvert e_i\rvert^2$, is at most what is subtracted. So
# decorrelation makes a layer less active, as the paper notes in Section 3.1.

# %% [markdown]
# ### The determinant
#
# Falling variances should worry you. If all $x$ were zero, then $C = 0$, which is diagonal. **$R = 0$ decorrelates
# perfectly**, and is useless.
#
# **Question.** Variances can only fall. What keeps $R$ from shrinking to zero? Think of the factor by which a step
# multiplies volumes, $\det(I - \eta E) = 1 - \eta\,\mathrm{tr}\,E + O(\eta^2)$. What is the trace of
# $E = \mathrm{off}(C)$?


# %%
def log_det_at_the_end(eta, time):
    *_, R = decorrelation_path(five, eta, round(time / eta))
    return np.linalg.slogdet(R).logabsdet


drifts = []
for eta in (0.1, 0.05, 0.025):
    drifts.append(log_det_at_the_end(eta, time=10.0))
    print(f"eta = {eta}:  log|det R| = {drifts[-1]:.3f}")
assert max(drifts) < 0
assert np.isclose(drifts[0] / drifts[1], 2, rtol=0.2)
assert np.isclose(drifts[1] / drifts[2], 2, rtol=0.2)

# %% [markdown]
# **Answer.** The diagonal of $\mathrm{off}(C)$ is zero, so its trace is zero, and $\log\lvert\det R\rvert$, which
# begins at $\log 1 = 0$, is **conserved** to first order. The remaining drift is an effect of finite steps: run for
# the same time, $\eta \times \text{steps}$, with half the step size, and the drift is about half as large. In the
# limit of small steps $R$ preserves volume: if it squeezes in one direction, it stretches in another. So $R$ cannot
# collapse.

# %% [markdown]
# ### The Hadamard defect
#
# How do we measure, with a single number, how far a batch is from being decorrelated? Hadamard's inequality says that
# $\det C \le \prod_i C_{ii}$, with equality only where $C$ is diagonal. Hence the **Hadamard defect**
#
# $$H(C) = \sum_i \log C_{ii} - \log\det C \;\ge\; 0, \qquad H(C) = 0 \iff \mathrm{off}(C) = 0 .$$
#
# For two inputs it is $-\log(1 - \rho^2)$, where $\rho$ is their correlation, so it is a function of the correlation
# alone.

# %%
C = second_moment(cloud)
rho = C[0, 1] / np.sqrt(C[0, 0] * C[1, 1])
assert np.isclose(hadamard_defect(C), -np.log(1 - rho**2))

# %% [markdown]
# **Question.** You know what happens to the first term of $H$, the sum of the log variances. For the second, use
# $C = R \Sigma R^\top$, where $\Sigma = \langle y y^\top\rangle$ never changes:
# $\log\det C = 2\log\lvert\det R\rvert + \log\det\Sigma$. So what does $H$ do while $R$ learns?

# %% tags=["hide-input"]
defect = np.array([hadamard_defect(C) for C in moments])
figure, axes = plt.subplots(figsize=(6.5, 3.2))
axes.semilogy(defect, color=COLOURS[0])
axes.set(xlabel="step", ylabel="Hadamard defect $H$ (nats)")
axes.set_title("$H$ falls at every step")
falls = defect[:-1] - defect[1:]
assert np.all(
    falls[defect[:-1] > 1e-9] > 0
)  # up to rounding

# %% [markdown]
# **Answer.** The first term falls and the second stays constant, so $H$ falls. It is a **Lyapunov function**: a
# quantity that keeps falling until the process stops. For small steps it falls at the rate
# $-2\sum_i \lvert e_i\rvert^2/C_{ii}$, which is zero only where $\mathrm{off}(C) = 0$.
#
# This is why decorrelation converges, for fixed inputs with an invertible $\Sigma$. $H$ cannot fall below 0, so its
# rate of decrease must go to zero. And because the variances $C_{ii}$ stay bounded, the covariances in the $e_i$ must
# then go to zero as well: $\mathrm{off}(C) \to 0$. (Expand the text below for a full proof.) The paper states without
# proof that the update converges ([claim C9](../docs/claims.md)).
#
# <details><summary>The proof for finite steps, in full</summary>
#
# Let $\eta \le 1/(2\lambda)$. In one step the logarithm of each variance falls by at least $(2\eta -
# \eta^2\lambda)\,\lvert e_i\rvert^2/C_{ii} \ge 1.5\,\eta\,\lvert e_i\rvert^2/\lambda$. The other term may rise, by
# $-2\log\det(I - \eta E)$. The eigenvalues of $\eta E$ are between $-1/2$ and $1/2$, because those of $E$ are at most
# $\lambda$ in absolute value. Since $-\log(1 - t) \le t + 0.8\,t^2$ for $\lvert t\rvert \le 1/2$ and
# $\mathrm{tr}\,E = 0$, this is at most $1.6\,\eta^2\lVert E\rVert^2 \le 0.8\,\eta\,\lVert E\rVert^2/\lambda$. So $H$
# falls by at least $0.7\,\eta\,\lVert E\rVert^2/\lambda$. As $\lambda \le \mathrm{tr}\,C$, and no variance rises, a
# fixed $\eta \le 1/(2\,\mathrm{tr}\,\Sigma)$ satisfies the condition at every step; and since $H$ is bounded below,
# the decreases have a finite sum, and $\lVert E\rVert \to 0$. This is Theorem 4 in
# [theory.md](../docs/theory.md#4-decorrelation-converges).
#
# </details>

# %% [markdown]
# ## 5. How large a step?
#
# Close to decorrelation, $C = V + E$, with the variances $V$ on the diagonal and small covariances $E$. To first
# order in $E$,
#
# $$C' = (I - \eta E)(V + E)(I - \eta E) \approx V + E - \eta\,(E V + V E), \qquad
# C'_{ij} \approx \bigl(1 - \eta\,(C_{ii} + C_{jj})\bigr)\,C_{ij} .$$
#
# Each covariance is multiplied by its own factor. It shrinks if the factor is between $-1$ and $1$, so all of them
# shrink if and only if $\eta$ is less than 2 over *the sum of the two largest variances* (Theorem 5). One step
# confirms this:

# %%
V, eta = np.diag([2.0, 1.0, 0.5]), 0.3
sigma = V + 1e-6 * (1 - np.eye(3))
# three samples with these second moments
y = np.sqrt(3) * np.linalg.cholesky(sigma).T
*_, R = decorrelation_path(y, eta, 1)
factors = (R @ sigma @ R.T)[[0, 0, 1], [1, 2, 2]] / 1e-6
sums = np.array([3, 2.5, 1.5])  # C_ii + C_jj
print(factors.round(3))
assert np.allclose(factors, 1 - eta * sums, atol=1e-4)

# %% [markdown]
# ### Break it: a step too large, on digits
#
# Now take handwritten digits, with pixels between 0 and 1; those of mnist-5k are 4,000, of 784 pixels each. The bound
# is 2 over the sum of the two largest variances, and it is generous:

# %%
sigma = second_moment(images)
two_largest = np.sort(np.diag(sigma))[-2:]
print(f"2 / (their sum) = {2 / two_largest.sum():.1f}")

# two steps, for digits of any size
in_all = np.trace(sigma)  # the mean of |y|^2
small = round(2.6 / in_all, 2)
large = round(8.8 / in_all, 2)
print("steps:", small, "and", large)

# %% [markdown]
# **Question.** In training, $R$ takes a step for every batch of 50 digits. Will it survive ten batches with the larger
# of the two steps (with mnist-5k, $\eta = 0.1$, a twentieth of that bound)? And with the smaller one, $\eta = 0.03$?
# (If you have done the tour, you know the answer. Then ask yourself why the bound gives no warning.)


# %%
def batches(images, rng=None):
    """Yield all digits in batches, shuffled by rng."""
    rows = np.arange(len(images))
    rows = rows if rng is None else rng.permutation(rows)
    for start in range(0, len(rows), BATCH):
        yield images[rows[start : start + BATCH]]


def largest_weights(eta_R, n_batches=10):
    R, sizes = np.eye(n_pixels), []
    for y in islice(batches(images), n_batches):
        R = R + eta_R * decorrelation_update(R, y @ R.T)
        sizes.append(float(np.max(np.abs(R))))
        if sizes[-1] > 1e6:
            break
    return sizes


# %%
weights = {
    eta: largest_weights(eta) for eta in (small, large)
}
for eta, sizes in weights.items():
    print(f"eta = {eta}: largest |R_ij|", end=" ")
    print(*(f"{size:.3g}" for size in sizes))
assert len(weights[small]) == 10
assert weights[small][-1] < 2
assert weights[large][-1] > 1e6

# %% [markdown]
# **Answer.** With the smaller step nothing special happens. With the larger one the weights explode within a few
# batches, by a larger factor each time. The bound did not warn us.
#
# **How to find out why.** The bound is for inputs that are *nearly decorrelated*, and raw pixels are far from that.
# Then the whole of $C$ matters. So compute its eigenvalues, and look at the direction of the largest one.

# %%
eigenvalues, vectors = np.linalg.eigh(sigma)
three = eigenvalues[-3:].round(1)[::-1]
print("largest eigenvalues of C:", three)
print(f"largest variance: {np.diag(sigma).max():.2f}")
print(f"2 / lambda = {2 / eigenvalues[-1]:.3f}")
assert small < 2 / eigenvalues[-1] < large

# %%
mean_image = images.mean(axis=0)
direction = np.abs(vectors[:, -1])  # its sign is arbitrary
cosine = mean_image @ direction / np.linalg.norm(mean_image)
print(f"cosine of mean digit and eigenvector: {cosine:.3f}")
assert cosine > 0.98

# %% tags=["hide-input"]
pictures = {
    "mean digit": mean_image,
    "largest eigenvector": direction,
}
figure, panels = plt.subplots(
    1, 2, figsize=(5.6, 2.8), layout="constrained"
)
for axes, (name, image) in zip(
    panels, pictures.items(), strict=True
):
    axes.imshow(
        image.reshape(data.image_shape), cmap="gray"
    )
    axes.set(xticks=[], yticks=[], title=name)

# %% [markdown]
# **The diagnosis.** One eigenvalue (with mnist-5k, 38) is far larger than all the others, and than any single variance.
# Its direction is close to the mean digit, which all digits have in common and which is not subtracted, because $C$ is
# not centred. Along this direction $v$, where $\mathrm{off}(C)\,v$ is nearly $\lambda v$, a step multiplies $x$ by
# about
#
# $$1 - \eta\lambda = 1 - 0.1 \times 38 = -2.8 .$$
#
# The component of $x$ along $v$ does not shrink: it changes sign and grows, $\lambda$ grows by the square of that
# factor, and the next step is worse. Far from decorrelation, the safe limit is $\eta \le 2/\lambda$, the same as for
# the variances in Section 4. With mnist-5k it is 0.05.
#
# **The fix.** Decorrelation itself reduces $\lambda$. So start with a small step and increase it later. First, one
# epoch with a third of the smaller step, $\eta = 0.01$:


# %%
def decorrelated(
    R, images, eta_R, n_epochs, update=decorrelation_update
):
    rng = np.random.default_rng(0)
    for _ in range(n_epochs):
        for y in batches(images, rng):
            R = R + eta_R * update(R, y @ R.T)
    return R


R = decorrelated(np.eye(n_pixels), images, small / 3, 1)
C = second_moment(images @ R.T)
largest = np.linalg.eigvalsh(C)[-1]
print(f"lambda {eigenvalues[-1]:.0f} -> {largest:.2f}")
print(f"2 / lambda = {2 / largest:.1f}")

# %%
R = decorrelated(R, images, large, 1)
C = second_moment(images @ R.T)
before, after = mean_correlation(sigma), mean_correlation(C)
print(f"largest |R_ij| {np.abs(R).max():.1f}")
print(f"mean |correlation| {before:.3f} -> {after:.3f}")
assert np.abs(R).max() < 2
assert after < 0.13 * before

# %% [markdown]
# After one epoch at 0.01, a step of 0.1 is far below the limit, and works. **This is why the paper starts small**:
# $10^{-2}$ in the first epoch, "to ensure that the decorrelation could set in", and $10^{-1}$ from then on (Section
# 3.1). The paper raises the step because less active units learn more slowly; here you see why it can.

# %% [markdown]
# ### Play with it
#
# Two inputs again, with variances 1.5 and 0.75 and a correlation of 0.95: raw in grey, after 20 steps in blue. If the
# step is too small, 20 steps are not enough. If it is too large, the cloud leaves the picture; the figure shows the
# last step before $R$ blows up.

# %%
sliders.decorrelation_grid(correlations=(0.95,))

# %% [markdown]
# In a running notebook (with ipywidgets), the next cell shows sliders for the same picture. On a web page or in print
# it shows nothing. Try $\eta = 1.5$ with a correlation of 0.95, which is above $2/\lambda$: which statement of
# Section 4 fails? Then change `form`: the picture stays the same. The next section says why.

# %%
sliders.decorrelation_slider()

# %% [markdown]
# <details><summary>What you should see</summary>
#
# At $\eta = 1.5$ and a correlation of 0.95, $C_{22}$ rises at the first step: above $2/\lambda$ variances can rise.
# $R$ survives all the same, and the inputs end up decorrelated: up to $2/\lambda$ you are safe, but going beyond it
# does not always break things. At $\eta = 2$ it does.
#
# </details>

# %% [markdown]
# ## 6. Two forms of one rule?
#
# In the matrix form, $\Delta r_{ij} = -\sum_{k \ne i} x_i x_k r_{kj}$, a lateral synapse from $j$ to $i$ needs the
# weights $r_{kj}$ of *other* synapses. That is not local. The paper argues that $R$ starts symmetric, so it stays
# symmetric, so the update can be written
#
# $$\Delta R = -\bigl(\langle q x^\top\rangle - R\,\mathrm{diag}\langle x^2\rangle\bigr),
# \qquad q = R x \qquad (\text{Eq. 4}).$$
#
# We call this the **local form**. For one sample and one pair: $\Delta r_{ij} = -(q_i x_j - r_{ij} x_j^2)$, with the
# postsynaptic activity $q_i$, the presynaptic activity $x_j$, and the synapse's own weight. It is the COPI rule for
# $W$ with the sign reversed and $q$ as the target. (Note how $q$ arises: the units must pass $x$ through $R$ a second
# time.)


# %%
def local_loop(R, x):
    dR = np.zeros_like(R)
    for sample in x:
        q = R @ sample
        for i in range(len(R)):
            for j in range(len(R)):
                decay = R[i, j] * sample[j] ** 2
                dR[i, j] -= q[i] * sample[j] - decay
    return dR / len(x)


# %%
rng = np.random.default_rng(4)
R, x = rng.normal(size=(4, 4)), rng.normal(size=(7, 4))
local_form = -R @ off_diagonal(second_moment(x))
assert np.allclose(local_loop(R, x), local_form)
library = local_decorrelation_update(R, x)
assert np.allclose(library, local_form)
difference = local_form - decorrelation_update(R, x)
largest = np.abs(difference).max()
print(f"the two forms differ by up to {largest:.1f}")

# %% [markdown]
# So the local form is $-R\,\mathrm{off}(C)$, while the matrix form is $-\mathrm{off}(C)\,R$. For a random $R$ they
# differ. But the paper's $R$ is not random: it starts at the identity.
#
# **Question.** After the first step, $R_1 = I - \eta\,\mathrm{off}(C_0)$, which is symmetric. After the second,
# $R_2 = (I - \eta\,\mathrm{off}(C_1))(I - \eta\,\mathrm{off}(C_0))$. When is a product of two symmetric matrices
# symmetric? And what does this mean for *two* inputs, where $\mathrm{off}(C)$ is a number times
# $\begin{pmatrix}0&1\\1&0\end{pmatrix}$? (The cell measures `asymmetry`, $\lVert R - R^\top\rVert/\lVert R\rVert$.)

# %%
forms = decorrelation_update, local_decorrelation_update
matrix, local = (
    np.array([*decorrelation_path(cloud, 0.1, 60, form)])
    for form in forms
)
largest = max(asymmetry(R) for R in matrix)
print(f"two inputs, asymmetry: {largest:.0e}")
assert largest < 1e-12
assert np.allclose(matrix, local)

# %% [markdown]
# **Answer.** $(XY)^\top = YX$, so the product is symmetric if and only if the two factors *commute*, $XY = YX$. For
# two inputs they always do: $R$ is symmetric and commutes with $\mathrm{off}(C)$, so the two forms are identical. For
# three inputs the factors need not commute. An example with an integer $\Sigma$ and exact fractions settles it:

# %%
sigma = np.array([[2, 1, 0], [1, 3, 1], [0, 1, 5]])
sigma, eta = sigma * Fraction(1), Fraction(1, 10)
R = np.eye(3, dtype=int) * Fraction(1)
for _ in range(2):
    C = R @ sigma @ R.T
    R = R - eta * (C - np.diag(np.diag(C))) @ R
print(f"R_13 = {R[0, 2]}, R_31 = {R[2, 0]}")
assert R[0, 2] - R[2, 0] == Fraction(3, 1000)

# %% [markdown]
# No rounding is involved: after two steps $R$ **is not symmetric**. The paper's claim does not hold in general, and
# the two lines of Eq. 4 are different updates (claims C7 and C8, Theorem 3).
#
# **Question.** Is this an effect of the finite step size that goes away for small $\eta$?

# %%
sigma = sigma.astype(float)
y = np.sqrt(3) * np.linalg.cholesky(sigma).T
for eta in (0.1, 0.05, 0.025):
    *_, R = decorrelation_path(y, eta, round(20 / eta))
    print(f"eta = {eta}: asymmetry {asymmetry(R):.4f}")
    assert asymmetry(R) > 0.005

# %% [markdown]
# **Answer.** No. The asymmetry settles slightly above 0.006 here, however small the step. Over 300 random $\Sigma$
# the median was 0.061 and the maximum 0.47 ([Theorem 3](../docs/theory.md#3-r-does-not-stay-symmetric)).
#
# So does the local form decorrelate at all? Look at its Hadamard defect on the five inputs of Section 4.

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(6.5, 3.2))
names = ("matrix form", "local form")
for name, form, style, colour in zip(
    names, forms, ("-", "--"), COLOURS, strict=False
):
    moments = [
        second_moment(decorrelate(R, five))
        for R in decorrelation_path(five, 0.1, 100, form)
    ]
    defect = [hadamard_defect(C) for C in moments]
    axes.semilogy(defect, style, color=colour, label=name)
    assert np.all(np.diff(defect) < 0)
axes.set(xlabel="step", ylabel="Hadamard defect $H$ (nats)")
axes.set_title("both forms decorrelate")
label_ends(axes)

# %% [markdown]
# It does, here and in 300 of 300 random trials. To summarise:
#
# | | matrix form, $-\mathrm{off}(C)\,R$ | local form, $-R\,\mathrm{off}(C)$ |
# |---|---|---|
# | a synapse can compute it | no | yes |
# | stops only where $\mathrm{off}(C) = 0$ ($R$ invertible) | yes | yes |
# | $\log\lvert\det R\rvert$ conserved to first order | yes | yes |
# | no variance rises | proved | **false** (Exercise 02.3) |
# | converges | proved | observed in every trial, not proved |
# | $R$ stays symmetric | not in general | not in general |
#
# The two forms agree at the first step, for two inputs, and when $\Sigma$ is circulant, or has equal variances and
# equal covariances. In general they do not. The library offers both, `decorrelation="matrix"` (the default) and
# `"local"`. The digits will show how close they are on real data.

# %% [markdown]
# ## 7. Digits
#
# Now we decorrelate the digits properly, using only the pixels that are not almost always zero. A pixel that is always
# zero has nothing to decorrelate and cannot be whitened. The 400 steps, five epochs of mnist-5k, take a few seconds.

# %%
STEPS = 400  # fast: 80
n_epochs = -(-STEPS // (n_digits // BATCH))
live = np.mean(images**2, axis=0) > 1e-3
pixels = images[:, live]
eye, eta = np.eye(live.sum()), small / 3
R = decorrelated(eye, pixels, eta, n_epochs)
x = pixels @ R.T
raw, C = second_moment(pixels), second_moment(x)
print(f"{live.sum()} of {n_pixels} pixels, eta = {eta:.2f}")

# %%
local = local_decorrelation_update
R_local = decorrelated(eye, pixels, eta, n_epochs, local)
difference = np.linalg.norm(R_local - R) / np.linalg.norm(R)
before, after = mean_correlation(raw), mean_correlation(C)
print(f"mean |correlation| {before:.3f} -> {after:.3f}")
print(f"asymmetry of R {asymmetry(R):.2%}")
print(f"the two forms differ by {difference:.2%}")
assert after < 0.2 * before
assert 1e-3 < asymmetry(R) < 0.03
assert difference < 0.03


# %% tags=["hide-input"]
def correlation_matrix(C):
    scale = np.sqrt(np.diag(C))
    return C / np.outer(scale, scale)


every = 1 + len(C) // 100
figure, panels = plt.subplots(
    1, 2, figsize=(7, 3.2), layout="constrained"
)
for axes, matrix, name in zip(
    panels, (raw, C), ("raw", "decorrelated"), strict=True
):
    picture = axes.imshow(
        correlation_matrix(matrix)[::every, ::every],
        plt.get_cmap("RdBu_r", 11),
        vmin=-1,
        vmax=1,
        interpolation="nearest",
    )
    axes.grid(False)
    axes.set(title=name, xlabel="pixel", ylabel="pixel")
    axes.set(xticks=[], yticks=[])
_ = figure.colorbar(
    picture, label="correlation", shrink=0.8
)
# %% [markdown]
# Most raw pixels are correlated with most others, since none is ever negative, and most strongly with their
# neighbours (the pattern repeats with every row of the image). After decorrelation, little is left apart from the
# diagonal and some close neighbours.
#
# And $R$ is **nearly** symmetric: with mnist-5k the asymmetry is about 0.4 %, and the $R$ found by the local form
# differs from this one by about as little. On digits the paper's assumption is a good approximation, though not exact.
#
# ### Compared with ZCA, PCA and Cholesky
#
# There are many whitening transforms: if $P$ whitens, so does $QP$ for any rotation $Q$. Three well-known choices
# are:
#
# - **ZCA**, $P = \Sigma^{-1/2}$: the symmetric one, which changes the inputs as little as possible;
# - **PCA**: rotate to the principal axes, then scale;
# - **Cholesky**, $P = T^{-1}$ with $\Sigma = T T^\top$ and $T$ lower triangular: each pixel loses what the pixels
#   *before* it explain.
#
# **Question.** Which of the three will COPI's digits resemble? Think of where $R$ starts, and of the animation in
# Section 3.

# %%
transforms = {"COPI": R}  # 0.01 is added to eigenvalues
transforms["ZCA"] = whitening.zca(raw, 1e-2)
transforms["PCA"] = whitening.pca(raw, 1e-2)
transforms["Cholesky"] = whitening.cholesky(raw, 1e-2)

rows = {"raw": images[:6]}
for name, P in transforms.items():
    rows[name] = np.zeros((6, n_pixels))
    rows[name][:, live] = pixels[:6] @ P.T
image_rows(rows, data.image_shape)

# %% [markdown]
# COPI's digits look just like ZCA's: strokes become outlines. PCA's pixels are not where they were (the first one
# holds the largest component, and so on), and Cholesky's depend on the order of the pixels. To put a number on it,
# take the correlation $\langle x_i u_i\rangle/\sqrt{\langle x_i^2\rangle\langle u_i^2\rangle}$ of every pixel $x_i$
# with the same pixel $u_i$ of ZCA, which the library calls `feature_correlation`.

# %%
u = pixels @ transforms["ZCA"].T
likeness = {"raw": feature_correlation(pixels, u)}
for name in ("COPI", "PCA", "Cholesky"):
    of_other = pixels @ transforms[name].T
    likeness[name] = feature_correlation(of_other, u)
middle = {k: np.median(v) for k, v in likeness.items()}
assert middle["COPI"] == max(middle.values()) > 0.85

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(6.5, 3.2))
for (name, values), colour in zip(
    likeness.items(), COLOURS, strict=False
):
    label = f"{name}: median {abs(middle[name]):.2f}"
    axes.hist(
        values,
        np.linspace(-0.3, 1, 66),
        color=colour,
        alpha=0.7,
        label=label,
    )
axes.set(xlabel="correlation with the same pixel of ZCA")
axes.set(ylabel="pixels")
axes.set_title("COPI's pixels are ZCA's, up to a scale")
_ = axes.legend(frameon=False)
# %% [markdown]
# **Answer.** ZCA. With mnist-5k, after five epochs the median pixel of COPI has a correlation of about 0.96 with its
# ZCA counterpart; after ten it is 0.984 ([Theorem 6](../docs/theory.md#6-similarity-to-zca)). For raw pixels it is
# 0.66, for Cholesky 0.81, and for PCA about 0. The reason is where $R$ starts: from the identity it follows a nearly
# symmetric path, and ZCA *is* the symmetric solution. The paper's observation (Section 3.2, Figure 3A) holds.
#
# **Question.** So what is different? Compare the variances of the pixels.

# %% tags=["hide-input"]
variances = {
    "raw": np.diag(raw),
    "COPI": np.diag(C),
    "ZCA": np.mean(u**2, axis=0),
}
figure, axes = plt.subplots(figsize=(6.5, 3.4))
for (name, values), colour in zip(
    variances.items(), COLOURS, strict=False
):
    ratio = values.max() / values.min()
    axes.loglog(
        variances["raw"],
        values,
        ".",
        markersize=4,
        color=colour,
        label=f"{name}: largest / smallest = {ratio:.0f}",
    )
axes.set(xlabel="raw variance of a pixel")
axes.set(ylabel="variance")
axes.set_title("COPI's variances stay unequal")
_ = axes.legend(frameon=False, markerscale=4)
assert np.all(variances["COPI"] < variances["raw"])
assert np.ptp(np.log(variances["COPI"])) > np.log(20)

# %% [markdown]
# **Answer.** COPI lowers every variance, most of all those of busy pixels, which have the most in common with others.
# But it does not make them equal: after five epochs on mnist-5k the largest is about 60 times the smallest. ZCA would
# make all of them exactly 1, were it not for the 0.01 added to its eigenvalues, which lowers the variance of pixels
# that vary little. This is the difference the paper points out: COPI decorrelates but does not whiten. Nothing is
# divided by a small variance, so pixels that are nearly always zero do no harm.

# %% [markdown]
# ## 8. The mean disappears too
#
# In Section 1, independent positive inputs were correlated because of their means. Turn that around: if inputs are
# decorrelated, how large can their means be? Theorem 12 says
#
# $$\mathrm{off}(C) = 0 \quad\Longrightarrow\quad \sum_i \frac{\langle x_i\rangle^2}{\langle x_i^2\rangle} \le 1 :$$
#
# one input may be constant, but not two. With 545 pixels that are decorrelated, the squared mean can be only $1/545$ of
# the mean square, on average.
#
# <details><summary>Proof</summary>
#
# Take each input as a vector over the $B$ samples. Decorrelated means that these vectors are orthogonal, so the
# vectors $x_i/\sqrt{B\langle x_i^2\rangle}$ are orthonormal. The constant vector $(1, \dots, 1)/\sqrt{B}$ has length
# 1, and its components along them are $\langle x_i\rangle/\sqrt{\langle x_i^2\rangle}$. By Bessel's inequality the
# squares of these components add up to at most 1.
#
# </details>

# %%
means = []
for name, v in (("raw", pixels), ("decorrelated", x)):
    shares = np.mean(v, axis=0) ** 2 / np.mean(v**2, axis=0)
    means.append(shares.mean())
    print(f"{name}: {means[-1]:.1%} of the mean square,")
    print(f"    and their sum is {shares.sum():.1f}")
assert means[1] < means[0] / 10

# %% [markdown]
# Nobody subtracted a mean, yet it has almost disappeared: with mnist-5k, from 22 % of a pixel's mean square to below
# 1 %. The sum is still above 1, because these pixels are not fully decorrelated yet. The paper calls demeaning "a
# natural outcome of our decorrelation" (Section 4). This is approximately true, and Theorem 12 gives the bound.

# %% [markdown]
# ## 9. W after R
#
# In notebook 01, COPI converged to the wrong weights on correlated inputs. Now the layer can fix this by itself. Take
# a linear layer with five inputs, any two of which have a correlation of 0.8. Its targets are a linear map of the
# inputs, so a loss of 0 is possible. $W$ and $R$ learn together, each with its own step size.
#
# **Question.** We leave $R$ fixed ($\eta_R = 0$), or let it learn slowly (0.01) or faster (0.1). In which cases does
# the loss go to zero? Where does a larger $\eta_W$ help?

# %%
sliders.learning_rate_grid()

# %%
settings = {"eta_W": 0.1, "correlation": 0.8}
for eta_R in (0.0, 0.01, 0.1):
    run = sliders.learn(
        eta_R=eta_R, rule="copi", n_steps=150, **settings
    )
    start, end = run.losses[0], run.losses[-1]
    print(
        f"eta_R = {eta_R}: loss {start:.1f} -> {end:.2g},"
    )
    print(
        f"    correlation left {run.correlations[-1]:.1g}"
    )
    assert (end > start) == (eta_R == 0)
assert end < 1e-3

# %% [markdown]
# **Answer.** Left: it never does, whatever $\eta_W$ is. COPI ends with a *higher* loss than it started with; this is
# the failure from notebook 01. Middle: $W$ can get no better than the decorrelation of its inputs allows, so $R$ sets
# the pace, and the three curves come down together. Right: $R$ is soon done, and then the step size of $W$ matters.
#
# In a running notebook the next cell shows sliders for this figure. Try `rule="sgd"` with and without $R$.

# %%
sliders.learning_rate_slider()

# %% [markdown]
# ## Exercises
#
# Replace the `...`, run the cell, and read what `check` says.
#
# ### Exercise 02.1 · From decorrelating to whitening
#
# Change one thing in the rule: drive the diagonal of $C$ to 1 instead of leaving it alone,
#
# $$\Delta R = -(C - I)\,R .$$
#
# Write it with samples as rows, and without building the matrix $C$. `R` is `(I, I)`, `x` is `(B, I)`.


# %%
def whitening_update(R, x):
    return ...  # your code


check("02.1", whitening_update)

# %% [markdown]
# ### Exercise 02.2 · Twins
#
# Two inputs are always equal, $y_1 = y_2$, as neighbouring pixels nearly are. What happens to $x_1$ and $x_2$ when
# $R$ learns for a very long time, with small steps?
#
# - **a** One of them keeps its variance, the other decays to zero.
# - **b** Both decay to zero.
# - **c** Both keep half of their variance, and then nothing changes any more.
# - **d** $R$ itself shrinks to zero.
#
# Predict first. Then run `decorrelation_path` for a few thousand steps on such inputs, look at $x$ and $R$, and
# compare with Section 4: which assumption does not hold? Answer with a letter, as a string.

# %%
answer = ...

check("02.2", answer)

# %% [markdown]
# ### Exercise 02.3 · A variance that rises
#
# With the *local* form a variance may rise again after it has fallen. Find second moments $\Sigma$ of **three**
# inputs (a symmetric, positive definite matrix) for which a variance rises by at least 1 % above its lowest value so
# far, within 1,000 steps of size $\eta = 0.1/\mathrm{tr}\,\Sigma$. This function returns the variances at every step,
# as an array (steps, 3):


# %%
def variances_by_step(
    sigma, update=local_decorrelation_update
):
    # three samples with these second moments
    y = np.sqrt(3) * np.linalg.cholesky(sigma).T
    eta = 0.1 / np.trace(sigma)
    path = decorrelation_path(y, eta, 1000, update)
    return np.array(
        [np.diag(R @ sigma @ R.T) for R in path]
    )


sigma = ...

check("02.3", sigma)

# %% [markdown]
# Solutions: [solutions/02_decorrelation.ipynb](solutions/02_decorrelation.ipynb).
#
# ## What you have seen
#
# - $R$ learns by $\Delta R = -\mathrm{off}(C)\,R$, and $C$ is never built. Variances never rise,
#   $\log\lvert\det R\rvert$ is conserved for small steps, and the Hadamard defect falls to zero: decorrelation
#   converges ([Theorem 4](../docs/theory.md#4-decorrelation-converges), tested in
#   `tests/mathematics/theorems/test_04_convergence.py`).
# - The first steps must be small, $\eta \le 2/\lambda$, and decorrelation itself makes room for larger ones
#   ([Theorem 5](../docs/theory.md#5-the-step-size-of-decorrelation)).
# - With more than two inputs $R$ does not stay symmetric in general, so the local form of Eq. 4 is a different
#   update, which also decorrelates ([Theorem 3](../docs/theory.md#3-r-does-not-stay-symmetric),
#   [claims](../docs/claims.md) C7 to C9).
# - On digits the result resembles ZCA, but with different variances
#   ([Theorem 6](../docs/theory.md#6-similarity-to-zca)), and the mean almost disappears
#   ([Theorem 12](../docs/theory.md#12-decorrelation-removes-the-mean)).
#
# **Next:** [03 · Error signals](03_error_signals.ipynb) explains where the target states $z$ come from.
