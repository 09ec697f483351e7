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
# The COPI rule of notebook 01, $\Delta W = \langle z x^\top\rangle - W\,\mathrm{diag}\langle x^2\rangle$ (Eq. 3), was
# derived for inputs whose matrix of second moments $C = \langle x x^\top\rangle$ is diagonal. On other inputs it
# converges to the wrong weights. So the first thing to look at is $C$.
#
# Here are 120 samples of two strongly correlated inputs, $y_1$ and $y_2$.

# %%
rng = np.random.default_rng(0)
mixing = np.array([[1.2, 0.0], [0.75, 0.45]])
cloud = rng.normal(size=(120, 2)) @ mixing.T  # (B, I): one row per sample

figure, axes = plt.subplots(figsize=(3.2, 3.2))
animation.draw_cloud(axes, cloud, limit=animation.extent(cloud))
_ = axes.set(xlabel="$y_1$", ylabel="$y_2$")

# %% [markdown]
# The ellipse is drawn at two standard deviations. $C$ holds, for every pair of inputs, the mean over the samples of
# their product, $C_{ij} = \langle x_i x_j\rangle$. With samples as rows this is `x.T @ x / B`, and the library calls
# it `second_moment`. (Notebook 01 computes it with a loop.)

# %%
C = to_host(second_moment(asarray(cloud)))
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
independent = np.random.default_rng(1).uniform(0, 1, size=(100_000, 2))
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
# **Question.** A layer has $I = 784$ inputs, and a batch has $B = 50$ samples. How many multiplications does the line
# above take? Can you reorder the products so that it takes fewer?
#
# Hint: $C R = \langle x x^\top\rangle R$, and you can move the brackets.

# %%
n_samples, n_inputs = 50, 784
with_C = n_samples * n_inputs**2 + n_inputs**3  # x.T @ x, then C @ R
without_C = 2 * n_samples * n_inputs**2  # x @ R, then x.T @ (x @ R)
print(f"{with_C / 1e6:.0f} million versus {without_C / 1e6:.0f} million")

# %% [markdown]
# **Answer.** $\langle x x^\top\rangle R = \langle x\,(x^\top R)\rangle$: multiply the few samples by $R$ first, and
# the $(I, I)$ matrix $C$ never appears. With 50 samples and 784 inputs this is more than eight times cheaper. Only
# the diagonal of $C$ is needed as well, and that is a mean of squares:

# %%
without_building_C = -(x.T @ (x @ R) / len(x) - np.mean(x**2, axis=0)[:, None] * R)
library = to_host(decorrelation_update(asarray(R), asarray(x)))
assert np.allclose(without_building_C, matrix_form)
assert np.allclose(library, matrix_form)

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
path = list(decorrelation_path(asarray(cloud), eta_R=0.1, n_steps=60))
path = [to_host(R) for R in path]
animation.animate_cloud(cloud, path, steps=range(0, 30, 2))

# %% [markdown]
# Here are some of its frames:

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
# about a variance when the step is small? When does the variance stop changing?

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
# **Answer.** No variance ever rises. To first order in $\eta$ each one loses $2\eta\,\lvert a_i\rvert^2$, which is
# $2\eta$ times the sum of its squared covariances, until these are zero. It holds for any step with
# $\eta \le 2/\lambda$, where $\lambda$ is the largest eigenvalue of $C$: then the last term,
# $\eta^2 a_i^\top C a_i \le \eta^2 \lambda\,\lvert a_i\rvert^2$, is no larger than what is subtracted. So
# decorrelation makes a layer less active, as the paper notes in Section 3.1.

# %% [markdown]
# ### The determinant
#
# Falling variances should worry you. If all $x$ were zero, then $C = 0$, which is diagonal. **$R = 0$ decorrelates
# perfectly**, and is useless.
#
# **Question.** Variances can only fall. What keeps $R$ from shrinking to zero? Think of the factor by which a step
# multiplies volumes, $\det(I - \eta A) = 1 - \eta\,\mathrm{tr}\,A + O(\eta^2)$. What is the trace of
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

# %%
defect = np.array([hadamard_defect(C) for C in moments])
figure, axes = plt.subplots(figsize=(6.5, 3))
axes.semilogy(defect, color=COLOURS[0])
axes.set(xlabel="step", ylabel="Hadamard defect $H$ (nats)")
falls = defect[:-1] - defect[1:]
assert np.all(falls[defect[:-1] > 1e-9] > 0)  # at every step, up to rounding

# %% [markdown]
# **Answer.** The first term falls and the second stays constant, so $H$ falls. It is a **Lyapunov function**: a
# quantity that keeps falling until the process stops. For small steps it falls at the rate
# $-2\sum_i \lvert a_i\rvert^2/C_{ii}$, which is zero only where $\mathrm{off}(C) = 0$.
#
# This is why decorrelation converges, for fixed inputs with an invertible $\Sigma$. $H$ cannot fall below 0, so its
# rate of decrease must go to zero. And because the variances $C_{ii}$ stay bounded, the covariances in the $a_i$ must
# then go to zero as well: $\mathrm{off}(C) \to 0$. (Expand the text below for a full proof.) The paper states without
# proof that the update converges ([claim C9](../docs/claims.md)).
#
# <details><summary>The proof for finite steps, in full</summary>
#
# Let $\eta \le 1/(2\lambda)$. In one step the logarithm of each variance falls by at least $(2\eta -
# \eta^2\lambda)\,\lvert a_i\rvert^2/C_{ii} \ge 1.5\,\eta\,\lvert a_i\rvert^2/\lambda$. The other term may rise, by
# $-2\log\det(I - \eta A)$. The eigenvalues of $\eta A$ are between $-1/2$ and $1/2$, because those of $A$ are at most
# $\lambda$ in absolute value. Since $-\log(1 - t) \le t + 0.8\,t^2$ for $\lvert t\rvert \le 1/2$ and
# $\mathrm{tr}\,A = 0$, this is at most $1.6\,\eta^2\lVert A\rVert^2 \le 0.8\,\eta\,\lVert A\rVert^2/\lambda$. So $H$
# falls by at least $0.7\,\eta\,\lVert A\rVert^2/\lambda$. As $\lambda \le \mathrm{tr}\,C$, and no variance rises, a
# fixed $\eta \le 1/(2\,\mathrm{tr}\,\Sigma)$ satisfies the condition at every step; and since $H$ is bounded below,
# the decreases have a finite sum, and $\lVert A\rVert \to 0$. This is Theorem 4 in
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
y = np.sqrt(3) * np.linalg.cholesky(sigma).T  # three samples with these second moments
R = to_host(list(decorrelation_path(asarray(y), eta, 1))[-1])
factors = (R @ sigma @ R.T)[[0, 0, 1], [1, 2, 2]] / 1e-6
print(factors.round(3))
assert np.allclose(factors, [1 - eta * 3, 1 - eta * 2.5, 1 - eta * 1.5], atol=1e-4)

# %% [markdown]
# ### Break it: a step too large, on digits
#
# Now take 4,000 handwritten digits, with 784 pixels between 0 and 1. The bound is generous:

# %%
data = load_dataset("mnist-5k")
images = as_float(data.train.inputs, "float64")  # (4000, 784)
sigma = second_moment(images)
two_largest = np.sort(np.diag(sigma))[-2:]
print(f"2 / (sum of the two largest variances) = {2 / two_largest.sum():.1f}")

# %% [markdown]
# **Question.** In training, $R$ takes a step for every batch of 50 digits. Will it survive ten batches with
# $\eta = 0.1$, which is about a twentieth of that bound? And with $\eta = 0.03$? (If you have done the tour, you know
# the answer. Then ask yourself why the bound gives no warning.)


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
# **Answer.** With 0.03 nothing special happens. With 0.1 the weights explode within four batches, by a larger factor
# each time. The bound did not warn us.
#
# **How to find out why.** The bound is for inputs that are *nearly decorrelated*, and raw pixels are far from that.
# Then the whole of $C$ matters. So compute its eigenvalues, and look at the direction of the largest one.

# %%
eigenvalues, vectors = np.linalg.eigh(sigma)
print("largest eigenvalues of C:", eigenvalues[-3:].round(1)[::-1])
print(f"largest variance: {np.diag(sigma).max():.2f}")
print(f"2 / lambda = {2 / eigenvalues[-1]:.3f}")
assert 0.03 < 2 / eigenvalues[-1] < 0.1

# %%
mean_image, direction = images.mean(axis=0), np.abs(vectors[:, -1])  # the sign is arbitrary
cosine = mean_image @ direction / np.linalg.norm(mean_image)
print(f"cosine between mean digit and eigenvector: {cosine:.3f}")
assert cosine > 0.98

# %%
pictures = {"mean digit": mean_image, "largest eigenvector": direction}
figure, panels = plt.subplots(1, 2, figsize=(4.6, 2.4), layout="constrained")
for axes, (name, image) in zip(panels, pictures.items(), strict=True):
    axes.imshow(image.reshape(28, 28), cmap="gray")
    axes.set(xticks=[], yticks=[], title=name)

# %% [markdown]
# **The diagnosis.** One eigenvalue, 38, is far larger than all the others, and than any single variance. Its
# direction is close to the mean digit, which all digits have in common and which is not subtracted, because $C$ is
# not centred. Along this direction $v$, where $\mathrm{off}(C)\,v$ is nearly $\lambda v$, a step multiplies $x$ by
# about
#
# $$1 - \eta\lambda = 1 - 0.1 \times 38 = -2.8 .$$
#
# The component of $x$ along $v$ does not shrink: it changes sign and grows, $\lambda$ grows by the square of that
# factor, and the next step is worse. Far from decorrelation, the safe limit is $\eta \le 2/\lambda$, the same as for
# the variances in Section 4. Here it is 0.05.
#
# **The fix.** Decorrelation itself reduces $\lambda$. So start with a small step and increase it later. First, one
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
# So the local form is $-R\,\mathrm{off}(C)$, while the matrix form is $-\mathrm{off}(C)\,R$. For a random $R$ they
# differ. But the paper's $R$ is not random: it starts at the identity.
#
# **Question.** After the first step, $R_1 = I - \eta\,\mathrm{off}(C_0)$, which is symmetric. After the second,
# $R_2 = (I - \eta\,\mathrm{off}(C_1))(I - \eta\,\mathrm{off}(C_0))$. When is a product of two symmetric matrices
# symmetric? And what does this mean for *two* inputs, where $\mathrm{off}(C)$ is a number times
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
# two inputs they always do: $R$ is symmetric and commutes with $\mathrm{off}(C)$, so the two forms are identical. For
# three inputs the factors need not commute. An example with an integer $\Sigma$ and exact fractions settles it:

# %%
sigma = np.array([[2, 1, 0], [1, 3, 1], [0, 1, 5]]) * Fraction(1)
R = np.array([[Fraction(int(i == j)) for j in range(3)] for i in range(3)])
for _ in range(2):
    C = R @ sigma @ R.T
    R = R - Fraction(1, 10) * (C - np.diag(np.diag(C))) @ R
print(f"R_13 = {R[0, 2]}, R_31 = {R[2, 0]}, difference {R[0, 2] - R[2, 0]}")
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
    R = to_host(list(decorrelation_path(asarray(y), eta, round(20 / eta)))[-1])
    print(f"eta = {eta}: asymmetry {asymmetry(R):.4f}")
    assert asymmetry(R) > 0.005

# %% [markdown]
# **Answer.** No. The asymmetry settles slightly above 0.006 here, however small the step. Over 300 random $\Sigma$
# the median was 0.061 and the maximum 0.47 ([Theorem 3](../docs/theory.md#3-r-does-not-stay-symmetric)).
#
# So does the local form decorrelate at all? Look at its Hadamard defect on the five inputs of Section 4.

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
# Now we decorrelate the digits properly, using only the pixels that are not almost always zero: 545 of the 784. A
# pixel that is always zero has nothing to decorrelate and cannot be whitened. Five epochs at $\eta = 0.01$ take a few
# seconds.

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
# Most raw pixels are correlated with most others, since none is ever negative, and most strongly with their
# neighbours (the pattern repeats with every row of the image). After decorrelation, little is left apart from the
# diagonal and some close neighbours.
#
# And $R$ is **nearly** symmetric: the asymmetry is about 0.4 %, and the $R$ found by the local form differs from this
# one by about as little. On digits the paper's assumption is a good approximation, though not exact.
#
# ### Compared with ZCA, PCA and Cholesky
#
# There are many whitening transforms: if $M$ whitens, so does $QM$ for any rotation $Q$. Three well-known choices
# are:
#
# - **ZCA**, $M = \Sigma^{-1/2}$: the symmetric one, which changes the inputs as little as possible;
# - **PCA**: rotate to the principal axes, then scale;
# - **Cholesky**, $M = L^{-1}$ with $\Sigma = L L^\top$: each pixel loses what the pixels *before* it explain.
#
# **Question.** Which of the three will COPI's digits resemble? Think of where $R$ starts, and of the animation in
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
# COPI's digits look just like ZCA's: strokes become outlines. PCA's pixels are not where they were (the first one
# holds the largest component, and so on), and Cholesky's depend on the order of the pixels. To put a number on it,
# take the correlation $\langle x_i u_i\rangle/\sqrt{\langle x_i^2\rangle\langle u_i^2\rangle}$ of every pixel $x_i$
# with the same pixel $u_i$ of ZCA, which the library calls `feature_correlation`.

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
# **Answer.** ZCA. After five epochs the median pixel of COPI has a correlation of about 0.96 with its ZCA
# counterpart; after ten it is 0.984 ([Theorem 6](../docs/theory.md#6-similarity-to-zca)). For raw pixels it is 0.66,
# for Cholesky 0.81, and for PCA about 0. The reason is where $R$ starts: from the identity it follows a nearly
# symmetric path, and ZCA *is* the symmetric solution. The paper's observation (Section 3.2, Figure 3A) holds.
#
# **Question.** So what is different? Compare the variances of the pixels.

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
# **Answer.** COPI lowers every variance, most of all those of busy pixels, which have the most in common with others.
# But it does not make them equal: after five epochs the largest is about 60 times the smallest. ZCA would make all of
# them exactly 1, were it not for the 0.01 added to its eigenvalues, which lowers the variance of pixels that vary
# little. This is the difference the paper points out: COPI decorrelates but does not whiten. Nothing is divided by a
# small variance, so pixels that are nearly always zero do no harm.

# %% [markdown]
# ## 8. The mean disappears too
#
# In Section 1, independent positive inputs were correlated because of their means. Turn that around: if inputs are
# decorrelated, how large can their means be? Theorem 12 says
#
# $$\mathrm{off}(C) = 0 \quad\Longrightarrow\quad \sum_i \frac{\langle x_i\rangle^2}{\langle x_i^2\rangle} \le 1 :$$
#
# one input may be constant, but not two. With 545 pixels, the squared mean can then be only $1/545$ of the mean
# square, on average.
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
for name, values in {"raw": pixels, "decorrelated": x}.items():
    shares = np.mean(values, axis=0) ** 2 / np.mean(values**2, axis=0)
    print(f"{name}: {shares.mean():.1%} of the mean square, sum {shares.sum():.0f}")
assert shares.mean() < 0.02

# %% [markdown]
# Nobody subtracted a mean, yet it has almost disappeared: from 22 % of a pixel's mean square to below 1 %. The sum is
# still above 1, because these pixels are not fully decorrelated yet. The paper calls demeaning "a natural outcome of
# our decorrelation" (Section 4). This is approximately true, and Theorem 12 gives the bound.

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
for eta_R in (0.0, 0.01, 0.1):
    run = sliders.learn(eta_W=0.1, eta_R=eta_R, correlation=0.8, rule="copi", n_steps=150)
    start, end, left = run.losses[0], run.losses[-1], run.correlations[-1]
    print(f"eta_R = {eta_R}: loss {start:.1f} -> {end:.2g}, remaining correlation {left:.1g}")
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
# Write it with samples as rows, and without building the $(I, I)$ matrix $C$. `R` is $(I, I)$, `x` is $(B, I)$.


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
def variances_by_step(sigma, update=local_decorrelation_update):
    y = np.sqrt(3) * np.linalg.cholesky(sigma).T  # three samples
    path = decorrelation_path(asarray(y), 0.1 / np.trace(sigma), 1000, update)
    return np.array([np.diag(R @ sigma @ R.T) for R in map(to_host, path)])


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
#   ([Theorem 12](../docs/theory.md#12-decorrelation-takes-away-the-mean)).
#
# **Next:** [03 · Error signals](03_error_signals.ipynb) explains where the target states $z$ come from.
