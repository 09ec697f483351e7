# %% [markdown]
# # 02 · Decorrelation
#
# COPI learns the forward weights $W$ of a layer from inputs that have nothing in common: the second moment of any
# two of them is zero. Raw inputs are not like that. This notebook is about the lateral weights $R$, which make them
# so.
#
# **What you will be able to do**
#
# - explain what "decorrelated" means here, and how it differs from "centred" and "whitened";
# - derive the update of $R$ (above Eq. 4 of the paper) and implement it as a loop, as matrices, and without ever
#   building the matrix of second moments;
# - say what happens on the way to the variances, to $\det R$ and to the Hadamard defect, and why this proves that
#   decorrelation converges;
# - break it with a step that is too large, find out why, and repair it;
# - tell the two forms of Eq. 4 apart, and say when they agree;
# - repair what notebook 01 broke: let $W$ learn behind $R$.
#
# **Time:** about 45 minutes to read and run; another 30 for the exercises.
#
# **Before this:** notebook 01 (samples as rows, the COPI rule). Matrix products, eigenvalues of symmetric matrices.
#
# **In the paper:** Section 2.4 with Eq. 4, Eq. 6, the small first step of Section 3.1, Section 3.2 with Figure 3A,
# and what Section 4 says of the mean.

# %%
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np

from copi_np import get_backend, load_dataset, whitening
from copi_np.analysis import decorrelation_path
from copi_np.course import animation, check, sliders
from copi_np.datasets import as_float
from copi_np.plotting import COLOURS, STYLE, image_rows

# %%
from copi_np.rules import decorrelate, decorrelation_update, local_decorrelation_update
from copi_np.whitening import asymmetry, hadamard_defect, off_diagonal, second_moment

BACKEND = "numpy"  # or "cupy" on a machine with a GPU
backend = get_backend(BACKEND)
asarray, to_host = backend.asarray, backend.to_host
plt.rcParams.update(STYLE)

# %% [markdown]
# ## 1. What "decorrelated" means
#
# The COPI rule of notebook 01, $\Delta W = \langle z x^\top\rangle - W\,\mathrm{diag}\langle x^2\rangle$ (Eq. 3),
# was derived for inputs whose matrix of second moments $C = \langle x x^\top\rangle$ is diagonal. On other inputs
# it comes to rest at the wrong weights. So the first thing to look at is $C$.
#
# Here are 120 samples of two inputs, $y_1$ and $y_2$, that have much in common.

# %%
rng = np.random.default_rng(0)
mixing = np.array([[1.2, 0.0], [0.75, 0.45]])
cloud = rng.normal(size=(120, 2)) @ mixing.T  # (B, I): one sample a row

figure, axes = plt.subplots(figsize=(3.2, 3.2))
animation.draw_cloud(axes, cloud, limit=animation.extent(cloud))
_ = axes.set(xlabel="$y_1$", ylabel="$y_2$")

# %% [markdown]
# The ellipse is drawn at two standard deviations. $C$ holds, for every pair of inputs, the mean over the samples of
# their product, $C_{ij} = \langle x_i x_j\rangle$. With samples as rows this is `x.T @ x / B`, and the library calls it
# `second_moment`. (Notebook 01 has it as a loop.)

# %%
C = to_host(second_moment(asarray(cloud)))
assert np.allclose(C, cloud.T @ cloud / len(cloud))
C.round(2)

# %% [markdown]
# Three words that are easily mixed up:
#
# - **decorrelated**: $C$ is diagonal. We write $\mathrm{off}(C) = C - \mathrm{diag}(C)$ for what must vanish,
#   $\mathrm{off}(C) = 0$. The diagonal may be anything.
# - **whitened**: decorrelated, and every variance is 1, so $C = I$. COPI does not ask for this.
# - **centred**: the mean of every input is zero. COPI does not ask for this either, and **$C$ is not centred**: it
#   is the mean of $x_i x_j$, not of $(x_i - \langle x_i\rangle)(x_j - \langle x_j\rangle)$.
#
# For short we call $C_{ii}$ a *variance* and $C_{ij}$ a *covariance*, and $C_{ij}/\sqrt{C_{ii}\,C_{jj}}$ a
# *correlation*, though nothing is centred.
#
# **Question.** Two inputs are drawn independently of each other, both uniform between 0 and 1. Are they
# decorrelated in this sense? What is $C_{12}$?

# %%
independent = np.random.default_rng(1).uniform(0, 1, size=(100_000, 2))
C = second_moment(independent)
centred = np.cov(independent.T)[0, 1]
print(f"C_12 = {C[0, 1]:.3f}, and centred: {centred:.4f}")
assert abs(C[0, 1] - 0.25) < 0.01

# %% [markdown]
# **Answer.** No. $C_{12} = \langle x_1 x_2\rangle = \langle x_1\rangle\langle x_2\rangle = \tfrac14$: inputs that are
# positive are correlated, in this sense, by their means alone. Pixels are like that. Section 8 comes back to it.

# %% [markdown]
# ## 2. A rule for the lateral weights
#
# The lateral weights $R$ transform the inputs, $x = R y$, before the forward weights see them. $R$ starts as the
# identity. How should it change?
#
# The paper asks first how every *sample* should change: away from what its inputs have in common,
#
# $$x \leftarrow x - \eta\,\mathrm{off}(C)\,x, \qquad\text{that is}\qquad
# x_i \leftarrow x_i - \eta \sum_{k \ne i} C_{ik}\, x_k .$$
#
# If inputs $i$ and $k$ tend to have the same sign ($C_{ik} > 0$), then $x_i$ gives away a little of $x_k$. Now put
# $x = R y$ on both sides. The change of $x$ becomes a change of $R$:
#
# $$R y \leftarrow \bigl(R - \eta\,\mathrm{off}(C) R\bigr)\, y, \qquad\text{so}\qquad
# \boxed{\Delta R = -\mathrm{off}(C)\,R = -\bigl(\langle x x^\top\rangle - \mathrm{diag}\langle x^2\rangle\bigr) R}$$
#
# This is the update above Eq. 4; we call it the **matrix form**. For one sample and one pair of inputs it reads
# $\Delta r_{ij} = -\sum_{k \ne i} x_i x_k r_{kj}$. As a loop over all of them:


# %%
def decorrelation_loop(R, x):
    n_samples, n_inputs = x.shape
    dR = np.zeros_like(R)
    for sample in x:
        for i in range(n_inputs):
            for j in range(n_inputs):
                for k in range(n_inputs):
                    if k != i:
                        dR[i, j] -= sample[i] * sample[k] * R[k, j] / n_samples
    return dR


# %% [markdown]
# The same in matrix form, on random numbers that are no special case (in particular, $R$ is not symmetric):

# %%
rng = np.random.default_rng(2)
R, x = rng.normal(size=(4, 4)), rng.normal(size=(7, 4))
C = x.T @ x / len(x)
matrix_form = -(C - np.diag(np.diag(C))) @ R
assert np.allclose(matrix_form, decorrelation_loop(R, x))

# %% [markdown]
# ### The matrix C is never built
#
# **Question.** A layer has $I = 784$ inputs, a batch $B = 50$ samples. How many multiplications does the line above
# take? Is there an order of the products that takes fewer?
#
# Hint: $C R = \langle x x^\top\rangle R$, and brackets can be moved.

# %%
n_samples, n_inputs = 50, 784
with_C = n_samples * n_inputs**2 + n_inputs**3  # x.T @ x, then C @ R
without_C = 2 * n_samples * n_inputs**2  # x @ R, then x.T @ (x @ R)
print(f"{with_C / 1e6:.0f} million against {without_C / 1e6:.0f} million")

# %% [markdown]
# **Answer.** $\langle x x^\top\rangle R = \langle x\,(x^\top R)\rangle$: multiply the few samples by $R$ first, and
# the $(I, I)$ matrix $C$ never appears. With 50 samples and 784 inputs this is more than eight times cheaper. Only
# its diagonal is needed apart, and that is a mean of squares:

# %%
without_building_C = -(x.T @ (x @ R) / len(x) - np.mean(x**2, axis=0)[:, None] * R)
library = to_host(decorrelation_update(asarray(R), asarray(x)))
assert np.allclose(without_building_C, matrix_form)
assert np.allclose(library, matrix_form)

# %% [markdown]
# The library's `decorrelation_update` is that line. We have written $C$ as a mean over the batch at hand, as the
# paper does in practice (Section 2.6).

# %% [markdown]
# ## 3. Watch it
#
# `decorrelation_path` repeats $x = R y$ and $R \leftarrow R + \eta\,\Delta R$ on one batch, from $R = I$, and hands
# out $R$ at every step.
#
# The film shows the cloud $x = R y$ on the left, with its ellipse; the arrows are the columns of $R$, that is, what
# becomes of an input $(1, 0)$ and of $(0, 1)$. On the right is the correlation of $x_1$ and $x_2$.
#
# **Question.** What will become of the cloud? Will it be *turned*, like a rigid picture, until its long axis is
# horizontal? Will it end up *round*? Decide before you run the next cell.

# %%
path = list(decorrelation_path(asarray(cloud), eta_R=0.1, n_steps=60))
path = [to_host(R) for R in path]
animation.cloud_film(cloud, path, steps=range(0, 30, 2))

# %% [markdown]
# The same as still pictures:

# %%
animation.cloud_strip(cloud, path, steps=(0, 4, 15, 60))

# %%
C = second_moment(decorrelate(path[-1], cloud))
print(C.round(2), path[-1].round(2), sep="\n")
assert abs(C[0, 1]) < 1e-2
assert C[0, 0] > 2 * C[1, 1]

# %% [markdown]
# **Answer.** Neither.
#
# - The long axis does end up horizontal, but nothing was turned: the arrows lean away from each other, by the same
#   amount. $R$ is symmetric here. It squeezes the cloud along one diagonal, and stretches it along the other. Turning
#   to the long axis is what PCA does.
# - It does not become round: $C_{11}$ stays more than twice $C_{22}$. The inputs are decorrelated, not whitened. Once
#   $\mathrm{off}(C) = 0$ there is nothing left to learn from.

# %% [markdown]
# ## 4. Three quantities on the way
#
# Two inputs could be a lucky case. Let us take five, which share a common cause, and measure.

# %%
rng = np.random.default_rng(3)
shared, own = rng.normal(size=(100, 1)), rng.normal(size=(100, 5))
five = shared * [0.9, 0.7, 0.5, -0.5, -0.9] + own * [0.3, 0.5, 0.7, 0.4, 0.6]
eigenvalue = np.linalg.eigvalsh(second_moment(five))[-1]  # the largest one
steps = decorrelation_path(asarray(five), eta_R=0.2 / eigenvalue, n_steps=300)
path = [to_host(R) for R in steps]
moments = np.array([second_moment(decorrelate(R, five)) for R in path])
moments.shape

# %% [markdown]
# ### The variances
#
# Write $A = \mathrm{off}(C)$, with rows $a_i$. One step replaces $x$ by $(I - \eta A)\,x$, and so
#
# $$C' = (I - \eta A)\,C\,(I - \eta A), \qquad
# C'_{ii} = C_{ii} - 2\eta\,\lvert a_i\rvert^2 + \eta^2\, a_i^\top C\, a_i .$$
#
# **Question.** The middle term comes from $(A C)_{ii} = \sum_{j \ne i} C_{ij}\,C_{ji}$. What does the formula say
# of a variance while the step is small? When does it stop changing?

# %%
variances = moments.diagonal(axis1=1, axis2=2)
figure, axes = plt.subplots(figsize=(6.5, 3))
for i in range(5):
    label = f"$C_{{{i + 1}{i + 1}}}$"
    axes.plot(1 + np.arange(301), variances[:, i], color=COLOURS[i], label=label)
axes.set(xlabel="1 + step", ylabel="variance", xscale="log", ylim=(0, None))
axes.legend(frameon=False, ncols=2)
assert np.all(np.diff(variances, axis=0) < 1e-12)  # no variance ever rises

# %% [markdown]
# **Answer.** No variance ever rises. To first order in $\eta$ each loses $2\eta\,\lvert a_i\rvert^2$, the squares
# of all its covariances, until there are none. This holds for every step with $\eta \le 2/\lambda$, where $\lambda$
# is the largest eigenvalue of $C$, since then $\eta^2 a_i^\top C a_i \le \eta^2 \lambda\,\lvert a_i\rvert^2$ is no
# larger than what is taken away. So decorrelation makes a layer quieter, as the paper notes in Section 3.1.

# %% [markdown]
# ### The determinant
#
# This raises a worry. If all $x$ were zero, then $C = 0$, which is diagonal. **$R = 0$ decorrelates perfectly**,
# and is useless.
#
# **Question.** Variances can only fall. What keeps $R$ from shrinking to zero? Think of the factor by which a step
# multiplies a volume, $\det(I - \eta A) = 1 - \eta\,\mathrm{tr}\,A + O(\eta^2)$. What is the trace of
# $A = \mathrm{off}(C)$?


# %%
def log_det_at_the_end(eta, time):
    R = list(decorrelation_path(asarray(five), eta, round(time / eta)))[-1]
    return np.linalg.slogdet(to_host(R)).logabsdet


ETAS = (0.1, 0.05, 0.025)
drifts = [log_det_at_the_end(eta, time=10.0) for eta in ETAS]
for eta, drift in zip(ETAS, drifts, strict=True):
    print(f"eta = {eta}:  log|det R| = {drift:.3f}")
assert all(drift < 0 for drift in drifts)
assert np.allclose([drifts[0] / drifts[1], drifts[1] / drifts[2]], 2, rtol=0.2)

# %% [markdown]
# **Answer.** The diagonal of $\mathrm{off}(C)$ is zero, so its trace is zero, and $\log\lvert\det R\rvert$, which
# begins at $\log 1 = 0$, is **conserved** to first order. What is left is an effect of finite steps: run for the
# same time $\eta \times \text{steps}$ with half the step, and about half the drift remains. In the limit of small
# steps $R$ keeps its volume: what it squeezes in one direction it stretches in another. So $R$ cannot collapse.

# %% [markdown]
# ### The Hadamard defect
#
# How far from decorrelated is a batch, in one number? Hadamard's inequality says that
# $\det C \le \prod_i C_{ii}$, with equality only where $C$ is diagonal. Hence the **Hadamard defect**
#
# $$H(C) = \sum_i \log C_{ii} - \log\det C \;\ge\; 0, \qquad H(C) = 0 \iff \mathrm{off}(C) = 0 .$$
#
# For two inputs it is $-\log(1 - \rho^2)$, with $\rho$ their correlation: nothing but a function of the correlation.

# %%
C = second_moment(cloud)
rho = C[0, 1] / np.sqrt(C[0, 0] * C[1, 1])
assert np.isclose(hadamard_defect(C), -np.log(1 - rho**2))

# %% [markdown]
# **Question.** You know what happens to the first term of $H$, the logarithms of the variances. For the second, use
# $C = R \Sigma R^\top$, where $\Sigma = \langle y y^\top\rangle$ never changes:
# $\log\det C = 2\log\lvert\det R\rvert + \log\det\Sigma$. So what does $H$ do while $R$ learns?

# %%
defect = np.array([hadamard_defect(C) for C in moments])
figure, axes = plt.subplots(figsize=(6.5, 3))
axes.semilogy(defect, color=COLOURS[0])
axes.set(xlabel="step", ylabel="Hadamard defect $H$ (nats)")
falls = defect[:-1] - defect[1:]
assert np.all(falls[defect[:-1] > 1e-9] > 0)  # at every step, but for rounding

# %% [markdown]
# **Answer.** The first term falls, the second stays: $H$ falls. It is a **Lyapunov function**, a quantity that falls
# wherever it still can. For small steps it falls at the rate $-2\sum_i \lvert a_i\rvert^2/C_{ii}$, which is zero only
# where $\mathrm{off}(C) = 0$.
#
# This is why decorrelation converges, for fixed inputs with an invertible $\Sigma$. $H$ cannot fall below 0, so it
# cannot go on falling at any fixed rate; and since the variances $C_{ii}$ stay bounded, the covariances in the $a_i$
# fade with the rate: $\mathrm{off}(C) \to 0$. (The folded text below makes a proof of it.) The paper states that the
# update converges, without proof ([claim C9](../docs/claims.md)).
#
# <details><summary>The proof for finite steps, in full</summary>
#
# Let $\eta \le 1/(2\lambda)$. In one step the logarithm of each variance falls by
# $(2\eta - \eta^2\lambda)\,\lvert a_i\rvert^2/C_{ii} \ge 1.5\,\eta\,\lvert a_i\rvert^2/\lambda$ or more. The other
# term may rise, by $-2\log\det(I - \eta A)$. The eigenvalues of $\eta A$ lie between $-1/2$ and $1/2$, as those of
# $A$ are no larger than $\lambda$. Since $-\log(1 - t) \le t + 0.8\,t^2$ for $\lvert t\rvert \le 1/2$ and
# $\mathrm{tr}\,A = 0$, this is at most $1.6\,\eta^2\lVert A\rVert^2 \le 0.8\,\eta\,\lVert A\rVert^2/\lambda$. So
# $H$ falls by at least $0.7\,\eta\,\lVert A\rVert^2/\lambda$. As $\lambda \le \mathrm{tr}\,C$, and no variance
# rises, a fixed $\eta \le 1/(2\,\mathrm{tr}\,\Sigma)$ satisfies the condition at every step; and since $H$ is
# bounded from below, the falls have a finite sum, and $\lVert A\rVert \to 0$. This is Theorem 4 in
# [theory.md](../docs/theory.md#4-decorrelation-converges).
#
# </details>

# %% [markdown]
# ## 5. How large a step?
#
# Near the end, $C = D + E$ with a diagonal $D$ and small covariances $E$. Keep only the first order in $E$:
#
# $$C' = (I - \eta E)(D + E)(I - \eta E) \approx D + E - \eta\,(E D + D E), \qquad
# C'_{ij} \approx \bigl(1 - \eta\,(C_{ii} + C_{jj})\bigr)\,C_{ij} .$$
#
# Each covariance is multiplied by its own factor. It shrinks while the factor is between $-1$ and $1$, so all
# shrink if and only if $\eta$ is less than 2 over *the sum of the two largest variances* (Theorem 5). One step
# confirms it:

# %%
D, eta = np.array([2.0, 1.0, 0.5]), 0.3
sigma = np.diag(D) + 1e-6 * (1 - np.eye(3))
y = np.sqrt(3) * np.linalg.cholesky(sigma).T  # three samples with these second moments
R = to_host(list(decorrelation_path(asarray(y), eta, 1))[-1])
factors = (R @ sigma @ R.T)[[0, 0, 1], [1, 2, 2]] / 1e-6
print(factors.round(3))
assert np.allclose(factors, [1 - eta * 3, 1 - eta * 2.5, 1 - eta * 1.5], atol=1e-4)

# %% [markdown]
# ### Break it: a step too large, on digits
#
# Now 4,000 handwritten digits, $784$ pixels between 0 and 1. The bound is generous:

# %%
data = load_dataset("mnist-5k")
images = as_float(data.train.inputs, "float64")  # (4000, 784)
sigma = second_moment(images)
two_largest = np.sort(np.diag(sigma))[-2:]
print(f"2 / (sum of the two largest variances) = {2 / two_largest.sum():.1f}")

# %% [markdown]
# **Question.** In training, $R$ takes a step for every batch of 50 digits. Will it survive ten batches with
# $\eta = 0.1$, which is about a twentieth of that bound? And with $\eta = 0.03$? (If you took the tour you know. Then
# ask why the bound gives no warning.)


# %%
def largest_weights(eta_R, n_batches=10):
    R, sizes = asarray(np.eye(784)), []
    for batch in np.split(images, 80)[:n_batches]:
        R = R + eta_R * decorrelation_update(R, decorrelate(R, asarray(batch)))
        sizes.append(float(np.max(np.abs(to_host(R)))))
        if sizes[-1] > 1e6:
            break
    return sizes


# %%
weights = {eta_R: largest_weights(eta_R) for eta_R in (0.03, 0.1)}
for eta_R, sizes in weights.items():
    print(f"eta = {eta_R}: largest |R_ij|", *(f"{size:.3g}" for size in sizes))
assert len(weights[0.03]) == 10
assert weights[0.03][-1] < 2
assert weights[0.1][-1] > 1e6

# %% [markdown]
# **Answer.** With 0.03 nothing special. With 0.1 the weights explode, each time by a larger factor, and four
# batches are enough. The bound did not warn us.
#
# **How to find out why.** The bound is about inputs that are *nearly decorrelated*, and raw pixels are far from that.
# What counts far away is the whole of $C$. So measure its eigenvalues, and look at the direction of the largest one.

# %%
eigenvalues, vectors = np.linalg.eigh(sigma)
print("largest eigenvalues of C:", eigenvalues[-3:].round(1)[::-1])
print(f"largest variance: {np.diag(sigma).max():.2f}")
print(f"2 / lambda = {2 / eigenvalues[-1]:.3f}")
assert 0.03 < 2 / eigenvalues[-1] < 0.1

# %%
mean_image, direction = images.mean(axis=0), np.abs(vectors[:, -1])  # sign is arbitrary
cosine = mean_image @ direction / np.linalg.norm(mean_image)
print(f"cosine between the two: {cosine:.3f}")
assert cosine > 0.98

# %%
pictures = {"mean digit": mean_image, "largest eigenvector": direction}
figure, panels = plt.subplots(1, 2, figsize=(4.6, 2.4), layout="constrained")
for axes, (name, image) in zip(panels, pictures.items(), strict=True):
    axes.imshow(image.reshape(28, 28), cmap="gray")
    axes.set(xticks=[], yticks=[], title=name)

# %% [markdown]
# **The diagnosis.** One eigenvalue, 38, towers over all others and over every single variance. Its direction is
# nearly the mean digit: what all digits have in common, and what $C$, which is not centred, does not take away.
# Along this direction $v$, where $\mathrm{off}(C)\,v$ is nearly $\lambda v$, a step multiplies $x$ by about
#
# $$1 - \eta\lambda = 1 - 0.1 \times 38 = -2.8 .$$
#
# The correlation does not shrink: its direction flips and grows, $\lambda$ grows by the square of that factor, and
# the next step is worse. Far from decorrelation, the safe limit is $\eta \le 2/\lambda$, the same as for the
# variances of Section 4, and here it is 0.05.
#
# **The repair.** Decorrelation itself brings $\lambda$ down. So begin with a small step, and raise it later. One
# epoch with $\eta = 0.01$:


# %%
def decorrelated_digits(R, images, eta_R, n_epochs, update=decorrelation_update):
    rng = np.random.default_rng(0)
    for _ in range(n_epochs):
        for rows in np.split(rng.permutation(len(images)), len(images) // 50):
            R = R + eta_R * update(R, decorrelate(R, asarray(images[rows])))
    return R


R = decorrelated_digits(asarray(np.eye(784)), images, eta_R=0.01, n_epochs=1)
largest = np.linalg.eigvalsh(second_moment(decorrelate(to_host(R), images)))[-1]
print(f"lambda {eigenvalues[-1]:.0f} -> {largest:.2f},  2 / lambda = {2 / largest:.1f}")

# %%
R = decorrelated_digits(R, images, eta_R=0.1, n_epochs=1)
C = second_moment(decorrelate(to_host(R), images))
before, after = map(whitening.mean_absolute_correlation, (sigma, C))
print(f"largest |R_ij| {np.abs(to_host(R)).max():.1f}")
print(f"mean |correlation| {before:.3f} -> {after:.3f}")
assert np.abs(to_host(R)).max() < 2
assert after < 0.02

# %% [markdown]
# After one epoch at 0.01, a step of 0.1 is far below the limit, and does its work. **This is why the paper starts
# small**: $10^{-2}$ in the first epoch, "to ensure that the decorrelation could set in", and $10^{-1}$ from then on
# (Section 3.1). It raises the step since quieter units learn more slowly; here you see why it may.

# %% [markdown]
# ### Play with it
#
# Two inputs again, with variances 1.5 and 0.75 and a correlation of 0.95: raw in grey, after 20 steps in blue. Too
# small a step has not finished. Too large a step throws the cloud out of the picture; shown is the last step before
# $R$ blows up.

# %%
sliders.decorrelation_grid(correlations=(0.95,))

# %% [markdown]
# In a running notebook (with ipywidgets), the next cell shows sliders for the same picture. On a web page or in
# print it shows nothing. Try $\eta = 1.5$ with a correlation of 0.95, above $2/\lambda$: which of Section 4's
# statements fails? Then change `form`: nothing moves. The next section says why.

# %%
sliders.decorrelation_slider()

# %% [markdown]
# <details><summary>What one finds</summary>
#
# At $\eta = 1.5$ and a correlation of 0.95, $C_{22}$ rises at the first step: above $2/\lambda$ variances may rise.
# $R$ survives all the same, and the inputs are decorrelated in the end: $2/\lambda$ is where one is safe, not where
# everything breaks. At $\eta = 2$ it does break.
#
# </details>

# %% [markdown]
# ## 6. Two forms of one rule?
#
# In the matrix form, $\Delta r_{ij} = -\sum_{k \ne i} x_i x_k r_{kj}$, a lateral synapse from $j$ to $i$ needs the
# weights $r_{kj}$ of *other* synapses. That is not local. The paper goes on: $R$ starts symmetric, so it stays
# symmetric, so the update can be written
#
# $$\Delta R = -\bigl(\langle q x^\top\rangle - R\,\mathrm{diag}\langle x^2\rangle\bigr),
# \qquad q = R x \qquad (\text{Eq. 4}).$$
#
# We call this the **local form**. For one sample and one pair:
# $\Delta r_{ij} = -(q_i x_j - r_{ij} x_j^2)$, with the activity behind the synapse, $q_i$, the activity before it,
# $x_j$, and its own weight. It is the COPI rule for $W$ with the sign reversed and $q$ as target. (Note what $q$ is:
# the units must pass $x$ through $R$ once more.)


# %%
def local_loop(R, x):
    dR = np.zeros_like(R)
    for sample in x:
        q = R @ sample
        for i in range(len(R)):
            for j in range(len(R)):
                dR[i, j] -= (q[i] * sample[j] - R[i, j] * sample[j] ** 2) / len(x)
    return dR


# %%
rng = np.random.default_rng(4)
R, x = rng.normal(size=(4, 4)), rng.normal(size=(7, 4))
local_form = -R @ off_diagonal(second_moment(x))
assert np.allclose(local_loop(R, x), local_form)
library = to_host(local_decorrelation_update(asarray(R), asarray(x)))
assert np.allclose(library, local_form)
difference = local_form - to_host(decorrelation_update(asarray(R), asarray(x)))
print(f"largest difference between the two forms: {np.abs(difference).max():.1f}")

# %% [markdown]
# So the local form is $-R\,\mathrm{off}(C)$ where the matrix form is $-\mathrm{off}(C)\,R$. On a random $R$ they
# differ. But the paper's $R$ is not random: it started at the identity.
#
# **Question.** After the first step, $R_1 = I - \eta\,\mathrm{off}(C_0)$, which is symmetric. After the second,
# $R_2 = (I - \eta\,\mathrm{off}(C_1))(I - \eta\,\mathrm{off}(C_0))$. When is a product of two symmetric matrices
# symmetric? And what does this say for *two* inputs, where $\mathrm{off}(C)$ is a number times
# $\begin{pmatrix}0&1\\1&0\end{pmatrix}$? (The cell measures `asymmetry`, $\lVert R - R^\top\rVert/\lVert R\rVert$.)

# %%
paths = {}
for update in (decorrelation_update, local_decorrelation_update):
    steps = decorrelation_path(asarray(cloud), 0.1, 60, update)
    paths[update.__name__] = np.array([to_host(R) for R in steps])
matrix, local = paths.values()
print(f"two inputs, asymmetry: {max(asymmetry(R) for R in matrix):.0e}")
assert max(asymmetry(R) for R in matrix) < 1e-12
assert np.allclose(matrix, local)

# %% [markdown]
# **Answer.** $(AB)^\top = BA$, so the product is symmetric if and only if the two factors *commute*, $AB = BA$. For
# two inputs they always do: $R$ is symmetric and commutes with $\mathrm{off}(C)$, so the two forms are one and the
# same. For three inputs the factors need not commute. A matrix of whole numbers, in exact fractions, settles it:

# %%
sigma = np.array([[2, 1, 0], [1, 3, 1], [0, 1, 5]]) * Fraction(1)
R = np.array([[Fraction(int(i == j)) for j in range(3)] for i in range(3)])
for _ in range(2):
    C = R @ sigma @ R.T
    R = R - Fraction(1, 10) * (C - np.diag(np.diag(C))) @ R
print(R[0, 2], "is not", R[2, 0], "but differs by", R[0, 2] - R[2, 0])
assert R[0, 2] - R[2, 0] == Fraction(3, 1000)

# %% [markdown]
# No rounding is involved: after two steps $R$ **is not symmetric**. The paper's claim does not hold in general, and
# the two lines of its Eq. 4 are different updates (claims C7 and C8, Theorem 3).
#
# **Question.** Is this an effect of the finite step, that goes away for small $\eta$?

# %%
sigma = sigma.astype(float)
y = np.sqrt(3) * np.linalg.cholesky(sigma).T
for eta in (0.1, 0.05, 0.025):
    R = to_host(list(decorrelation_path(asarray(y), eta, round(20 / eta)))[-1])
    print(f"eta = {eta}: asymmetry {asymmetry(R):.4f}")
    assert asymmetry(R) > 0.005

# %% [markdown]
# **Answer.** No. The asymmetry settles at somewhat above 0.006 here, however small the step. Over 300 random $\Sigma$
# it was 0.061 in the median and 0.47 at most ([Theorem 3](../docs/theory.md#3-r-does-not-stay-symmetric)).
#
# Does the local form decorrelate, then? Look at its Hadamard defect, on the five inputs of Section 4.

# %%
figure, axes = plt.subplots(figsize=(6.5, 3))
forms = {"matrix form": decorrelation_update, "local form": local_decorrelation_update}
for (name, update), style, colour in zip(forms.items(), ("-", "--"), COLOURS, strict=False):
    steps = decorrelation_path(asarray(five), 0.1, 100, update)
    moments = [second_moment(decorrelate(to_host(R), five)) for R in steps]
    defect = [hadamard_defect(C) for C in moments]
    axes.semilogy(defect, style, color=colour, label=name)
    assert np.all(np.diff(defect) < 0)
axes.set(xlabel="step", ylabel="Hadamard defect $H$ (nats)")
_ = axes.legend(frameon=False)
# %% [markdown]
# It does, here and in 300 of 300 random trials. What is true, then:
#
# | | matrix form, $-\mathrm{off}(C)\,R$ | local form, $-R\,\mathrm{off}(C)$ |
# |---|---|---|
# | a synapse can compute it | no | yes |
# | rests only where $\mathrm{off}(C) = 0$ ($R$ invertible) | yes | yes |
# | $\log\lvert\det R\rvert$ conserved to first order | yes | yes |
# | no variance rises | proved | **false** (Exercise 02.3) |
# | converges | proved | seen in every trial, not proved |
# | $R$ stays symmetric | not in general | not in general |
#
# The two agree at the first step, for two inputs, and where $\Sigma$ is circulant or has one variance and one
# covariance; in general they do not. The library offers both, `decorrelation="matrix"` (the default) and `"local"`.
# How near they are on real data, the digits will tell.

# %% [markdown]
# ## 7. Digits
#
# Now all the way, on the pixels that are not almost always zero: 545 of the 784. A pixel that is always zero has
# nothing to decorrelate, and cannot be whitened. Five epochs at $\eta = 0.01$ take a few seconds.

# %%
EPOCHS = 5  # fast: 1
live = np.mean(images**2, axis=0) > 1e-3
pixels = images[:, live]  # (4000, 545)
eye = asarray(np.eye(live.sum()))
R = to_host(decorrelated_digits(eye, pixels, 0.01, EPOCHS))
x = decorrelate(R, pixels)
raw, C = second_moment(pixels), second_moment(x)

# %%
local_form = local_decorrelation_update
R_local = to_host(decorrelated_digits(eye, pixels, 0.01, EPOCHS, local_form))
difference = np.linalg.norm(R_local - R) / np.linalg.norm(R)
before, after = map(whitening.mean_absolute_correlation, (raw, C))
print(f"mean |correlation| {before:.3f} -> {after:.3f}")
print(f"asymmetry of R {asymmetry(R):.2%}")
print(f"local form and matrix form differ by {difference:.2%}")
assert after < 0.2 * before
assert 1e-3 < asymmetry(R) < 2e-2
assert difference < 0.02


# %%
def correlation_matrix(C):
    scale = np.sqrt(np.diag(C))
    return C / np.outer(scale, scale)


figure, panels = plt.subplots(1, 2, figsize=(5.6, 2.6), layout="constrained")
for axes, matrix, name in zip(panels, (raw, C), ("raw", "decorrelated"), strict=True):
    shown, colours = correlation_matrix(matrix)[::6, ::6], plt.get_cmap("RdBu_r", 11)
    picture = axes.imshow(shown, colours, vmin=-1, vmax=1, interpolation="nearest")
    axes.grid(False)
    axes.set(title=name, xlabel="every 6th pixel", ylabel="every 6th pixel")
_ = figure.colorbar(picture, label="correlation", shrink=0.8)
# %% [markdown]
# Raw, most pixels are correlated with most others, since none is ever negative, and above all with their neighbours
# (the pattern repeats with every row of the picture). Decorrelated, little but the diagonal and some close neighbours
# is left.
#
# And $R$ is **nearly** symmetric: the asymmetry is about 0.4 %, and the $R$ that the local form finds differs from
# this one by as little. On digits the paper's assumption is a fair approximation, though not exact.
#
# ### Beside ZCA, PCA and Cholesky
#
# Whitening has many solutions: if $M$ whitens, so does $QM$ for every rotation $Q$. Three well-known choices:
#
# - **ZCA**, $M = \Sigma^{-1/2}$: the symmetric one, which changes the inputs least;
# - **PCA**: turn to the principal axes, then scale;
# - **Cholesky**, $M = L^{-1}$ with $\Sigma = L L^\top$: each pixel loses what the pixels *before* it explain.
#
# **Question.** Which of the three will COPI's digits resemble? Think of where $R$ starts, and of the film in
# Section 3.

# %%
whiteners = {"ZCA": whitening.zca, "PCA": whitening.pca, "Cholesky": whitening.cholesky}
transforms = {"COPI": R}
for name, whitener in whiteners.items():
    transforms[name] = whitener(raw, 1e-2)  # 0.01 is added to the eigenvalues

rows = {"raw": images[:6]}
for name, M in transforms.items():
    rows[name] = np.zeros((6, 784))
    rows[name][:, live] = decorrelate(M, pixels[:6])
image_rows(rows, (28, 28))

# %% [markdown]
# To the eye, COPI's digits are ZCA's: strokes become outlines. PCA's pixels are not where they were (the first
# holds the largest component, and so on), and Cholesky's depend on the order of the pixels. In numbers: the
# correlation $\langle x_i u_i\rangle/\sqrt{\langle x_i^2\rangle\langle u_i^2\rangle}$ of every pixel $x_i$ with the
# same pixel $u_i$ of ZCA, which the library calls `feature_correlation`.

# %%
u = decorrelate(transforms["ZCA"], pixels)
likeness = {"raw": whitening.feature_correlation(pixels, u)}
for name in ("COPI", "PCA", "Cholesky"):
    x_other = decorrelate(transforms[name], pixels)
    likeness[name] = whitening.feature_correlation(x_other, u)

# %%
figure, axes = plt.subplots(figsize=(6.5, 3))
for (name, values), colour in zip(likeness.items(), COLOURS, strict=False):
    label = f"{name}: median {abs(np.median(values)):.2f}"
    axes.hist(values, np.linspace(-0.3, 1, 66), color=colour, alpha=0.7, label=label)
axes.set(xlabel="correlation with the same pixel of ZCA", ylabel="pixels")
axes.legend(frameon=False)
assert np.median(likeness["COPI"]) > 0.85
assert max(np.median(likeness[name]) for name in ("raw", "PCA", "Cholesky")) < 0.82

# %% [markdown]
# **Answer.** ZCA. After five epochs the median pixel of COPI has a correlation of about 0.96 with its ZCA pixel;
# after ten it is 0.984 ([Theorem 6](../docs/theory.md#6-similarity-to-zca)). Raw pixels come to 0.66, Cholesky to
# 0.81, PCA to about 0. The reason is the start: $R$ leaves the identity along a path that is nearly symmetric, and
# ZCA *is* the symmetric solution. The paper's observation (Section 3.2, Figure 3A) holds.
#
# **Question.** What differs, then? Compare the variances of the pixels.

# %%
variances = {"raw": np.diag(raw), "COPI": np.diag(C), "ZCA": np.mean(u**2, axis=0)}
figure, axes = plt.subplots(figsize=(6.5, 3.4))
for (name, values), colour in zip(variances.items(), COLOURS, strict=False):
    ratio = values.max() / values.min()
    label = f"{name}: largest / smallest = {ratio:.0f}"
    axes.loglog(variances["raw"], values, ".", markersize=3, color=colour, label=label)
axes.set(xlabel="raw variance of a pixel", ylabel="variance")
axes.legend(frameon=False, markerscale=4)
assert np.all(variances["COPI"] < variances["raw"])
assert variances["COPI"].max() > 20 * variances["COPI"].min()

# %% [markdown]
# **Answer.** COPI lowers every variance, that of busy pixels most, since they have most in common with others. But
# it does not bring them to one value: after five epochs the largest is about 60 times the smallest. ZCA would make
# all of them exactly 1, but for the 0.01 added to its eigenvalues, which leaves less to pixels that vary little.
# This is the difference that the paper names: COPI decorrelates, and does not whiten. Nothing is divided by a small
# variance, so pixels that are nearly always zero do no harm.

# %% [markdown]
# ## 8. The mean goes too
#
# In Section 1, independent positive inputs were correlated by their means. Turn that around: if inputs are
# decorrelated, how much mean can they have? Theorem 12 says
#
# $$\mathrm{off}(C) = 0 \quad\Longrightarrow\quad \sum_i \frac{\langle x_i\rangle^2}{\langle x_i^2\rangle} \le 1 :$$
#
# one input may be all mean, but not two. Of 545 pixels, the mean can then make up only $1/545$ of the mean square, on
# average.
#
# <details><summary>Proof</summary>
#
# Take each input as a vector over the $B$ samples. Decorrelated means that these vectors are orthogonal, and
# $x_i/\sqrt{B\langle x_i^2\rangle}$ are orthonormal. The constant vector $(1, \dots, 1)/\sqrt{B}$ has length 1, and
# its components along them are $\langle x_i\rangle/\sqrt{\langle x_i^2\rangle}$. By Bessel's inequality the squares
# of the components add up to 1 at most.
#
# </details>

# %%
for name, values in {"raw": pixels, "decorrelated": x}.items():
    shares = np.mean(values, axis=0) ** 2 / np.mean(values**2, axis=0)
    print(f"{name}: {shares.mean():.1%} of the mean square, sum {shares.sum():.0f}")
assert shares.mean() < 0.02

# %% [markdown]
# Nobody subtracted a mean, and it is nearly gone: from 22 % of the mean square of a pixel to below 1 %. The sum is
# still above 1, since these pixels are not wholly decorrelated yet. The paper calls demeaning "a natural outcome of
# our decorrelation" (Section 4); it holds approximately, with this bound.

# %% [markdown]
# ## 9. W behind R
#
# Notebook 01 left COPI at rest in the wrong place, on correlated inputs. Now the layer can help itself. One linear
# layer has five inputs, every two of them with correlation 0.8. Its targets are a linear map of the inputs, so a loss
# of 0 is within reach. $W$ and $R$ learn together, each with a step size of its own.
#
# **Question.** Without $R$ ($\eta_R = 0$), with a slow one (0.01) and with a faster one (0.1): in which case does the
# loss go to zero? Where does a larger $\eta_W$ help?

# %%
sliders.learning_rate_grid()

# %%
for eta_R in (0.0, 0.01, 0.1):
    run = sliders.learn(eta_W=0.1, eta_R=eta_R, correlation=0.8, rule="copi", n_steps=150)
    start, end, left = run.losses[0], run.losses[-1], run.correlations[-1]
    print(f"eta_R = {eta_R}: loss {start:.1f} -> {end:.2g}, correlation left {left:.1g}")
    assert (end > start) == (eta_R == 0)
assert end < 1e-3

# %% [markdown]
# **Answer.** Left: never, at any $\eta_W$. COPI ends with a *higher* loss than it began with, the failure of
# notebook 01. Middle: $W$ can be no better than its inputs are decorrelated, so $R$ sets the pace, and the three curves
# come down together. Right: $R$ is soon done, and now the step of $W$ counts.
#
# In a running notebook the next cell shows sliders for this picture. Try `rule="sgd"`, without $R$ and with it.

# %%
sliders.learning_rate_slider()

# %% [markdown]
# ## Exercises
#
# Replace the `...`, run the cell, and read what `check` says. Solutions are in
# [solutions/02_decorrelation.ipynb](solutions/02_decorrelation.ipynb), but the hints will take you far.
#
# ### Exercise 02.1 · From decorrelating to whitening
#
# Change one thing in the rule: let the diagonal of $C$ aim at 1 instead of leaving it alone,
#
# $$\Delta R = -(C - I)\,R .$$
#
# Write it with samples as rows, and without building the $(I, I)$ matrix $C$. `R` is $(I, I)$, `x` is $(B, I)$.


# %%
def whitening_update(R, x):
    return ...  # your code


check("02.1", whitening_update)

# %% [markdown]
# ### Exercise 02.2 · Twins
#
# Two inputs are always equal, $y_1 = y_2$, as neighbouring pixels nearly are. What becomes of $x_1$ and $x_2$ when
# $R$ learns for a very long time, with small steps?
#
# - **a** One of them keeps its variance, the other one fades to zero.
# - **b** Both fade to zero.
# - **c** Both keep half of their variance, and nothing moves any more.
# - **d** $R$ itself shrinks to zero.
#
# Predict first; then run `decorrelation_path` for some thousand steps on such inputs, look at $x$ and $R$, and
# compare with Section 4: which assumption is missing? Answer with a letter, as a string.

# %%
answer = ...

check("02.2", answer)

# %% [markdown]
# ### Exercise 02.3 · A variance that rises
#
# With the *local* form a variance may rise again, after it has fallen. Find second moments $\Sigma$ of **three**
# inputs, a symmetric, positive definite matrix, for which one rises by at least 1 % above its lowest value so far,
# in the course of 1,000 steps of size $\eta = 0.1/\mathrm{tr}\,\Sigma$. This function returns the variances at
# every step, as an array (steps, 3):


# %%
def variances_on_the_way(sigma, update=local_decorrelation_update):
    y = np.sqrt(3) * np.linalg.cholesky(sigma).T  # three samples
    path = decorrelation_path(asarray(y), 0.1 / np.trace(sigma), 1000, update)
    return np.array([np.diag(R @ sigma @ R.T) for R in map(to_host, path)])


sigma = ...

check("02.3", sigma)

# %% [markdown]
# ## What you have seen
#
# - $R$ learns by $\Delta R = -\mathrm{off}(C)\,R$, and $C$ is never built. Variances never rise,
#   $\log\lvert\det R\rvert$ is conserved for small steps, and the Hadamard defect falls to zero: decorrelation
#   converges ([Theorem 4](../docs/theory.md#4-decorrelation-converges); held by
#   `tests/mathematics/theorems/test_04_convergence.py`).
# - The first steps must be small, $\eta \le 2/\lambda$, and decorrelation itself makes room for larger ones
#   ([Theorem 5](../docs/theory.md#5-the-step-size-of-decorrelation)).
# - Beyond two inputs $R$ does not stay symmetric in general, so the local form of Eq. 4 is a different update, which
#   decorrelates as well ([Theorem 3](../docs/theory.md#3-r-does-not-stay-symmetric), [claims](../docs/claims.md) C7
#   to C9).
# - On digits the result resembles ZCA, with variances of its own
#   ([Theorem 6](../docs/theory.md#6-similarity-to-zca)), and the mean is nearly gone
#   ([Theorem 12](../docs/theory.md#12-decorrelation-takes-away-the-mean)).
#
# Next: [03_error_signals.ipynb](03_error_signals.ipynb), on where the target states $z$ come from.
