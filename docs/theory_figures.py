"""Make the figures of theory.md and the numbers in it: every PNG in figures/, and figures/theory.json.

    python docs/theory_figures.py

This takes about four minutes on one core. Each function below, in `family_figures.py` and in `cost_figures.py`, draws
one figure and returns its measurements; seeds are fixed.
"""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from cost_figures import FIGURES as COSTS
from family_figures import FIGURES as FAMILY
from family_figures import axes_of, batch_of
from matplotlib import rc_context
from matplotlib.figure import Figure

from copi_np import Callback, Network, Schedule, fit, load_dataset
from copi_np.analysis import alignment_angles, decorrelation_path
from copi_np.datasets import as_float, one_hot
from copi_np.experiments.environment import blas_threads, versions
from copi_np.plotting import COLOURS, STYLE, looks, save_figure
from copi_np.rules import (
    copi_update,
    decorrelate,
    decorrelation_update,
    linear_map,
    local_decorrelation_update,
    sgd_update,
    target_state,
    transform,
)
from copi_np.whitening import (
    asymmetry,
    cholesky,
    feature_correlation,
    hadamard_defect,
    off_diagonal,
    pca,
    second_moment,
    zca,
)

FOLDER = Path(__file__).with_name("figures")
FORMS = {"matrix form": decorrelation_update, "local form": local_decorrelation_update}
N_TRIALS = 300
Measured = dict[str, Any]
Array = np.ndarray[Any, np.dtype[np.float64]]


def random_sigma(seed: int, n: int) -> Array:
    """Return the second moments of n + 2 Gaussian samples of n inputs."""
    A = np.random.default_rng(seed).normal(size=(n, n + 2))
    return A @ A.T / (n + 2)


# ------------------------------------------------------------------------------------------------ theorems 1 and 2


def copi_versus_sgd() -> tuple[Figure, Measured]:
    """Theorem 1: the distance between the two updates against the correlation of the input."""
    figure, (axes,) = axes_of(1)
    strengths = np.linspace(0, 1, 11)
    rng = np.random.default_rng(0)
    for seed, look in enumerate(looks(3)):
        sigma, W, delta = random_sigma(seed, 6), rng.normal(size=(4, 6)), rng.normal(size=(6, 4))
        distances = []
        for t in strengths:
            x = batch_of(np.diag(np.diag(sigma)) + t * off_diagonal(sigma))
            copi = copi_update(W, x, target_state(transform(W, x), delta))
            distances.append(np.linalg.norm(copi - sgd_update(x, delta)))
        axes.plot(strengths, distances, **look, label=f"$\\Sigma$ {seed + 1}")
    axes.set(
        xlabel="correlation $t$,  $C = $ diag $ + t$ off",
        ylabel=r"$\|\Delta W_{\rm copi} - \Delta W_{\rm sgd}\|$",
    )
    axes.legend()
    return figure, {}


def copi(W: Array, x: Array, delta: Array) -> Any:
    """Return the COPI update of a linear layer with this error signal."""
    return copi_update(W, x, target_state(transform(W, x), delta))


def sgd(W: Array, x: Array, delta: Array) -> Any:
    """Return the SGD update of a linear layer with this error signal."""
    return sgd_update(x, delta)


RULES = {
    "COPI, matrix form": (copi, decorrelation_update),
    "COPI, local form": (copi, local_decorrelation_update),
    "SGD, matrix form": (sgd, decorrelation_update),
}
"""The rules for W and R in the figure of Theorem 2."""


def moved(W: Array, R: Array, y: Array, delta: Array, eta: float, rules: Any) -> tuple[Array, Array]:
    """Return the weights of a linear layer after one step."""
    dW, dR = rules
    x = decorrelate(R, y)
    return W + eta * dW(W, x, delta), R + eta * dR(R, x)


def cancellation() -> tuple[Figure, Measured]:
    """Theorem 2: the remainder of one step after eta G R; and the drift of W R while R decorrelates."""
    figure, (one_step, way) = axes_of(2)
    rng = np.random.default_rng(0)
    y, delta = rng.normal(size=(20, 5)) @ rng.normal(size=(5, 5)) / 2, rng.normal(size=(20, 4))
    W, R = rng.normal(size=(4, 5)), np.eye(5) + 0.2 * rng.normal(size=(5, 5))
    steps, measured = np.logspace(-5, -1, 9), {}
    for (name, rules), look in zip(RULES.items(), looks(len(RULES)), strict=True):
        residuals = []
        for eta in steps:
            new_W, new_R = moved(W, R, y, delta, eta, rules)
            G = sgd_update(decorrelate(R, y), delta)
            residuals.append(np.linalg.norm(new_W @ new_R - W @ R - eta * G @ R))
        order = np.polyfit(np.log(steps[:5]), np.log(residuals[:5]), 1)[0]
        one_step.loglog(steps, residuals, **look, label=f"{name}: order {order:.2f}")
        new_W, new_R, drift = W, np.eye(5), [0.0]
        for _ in range(1500):
            new_W, new_R = moved(new_W, new_R, y, np.zeros_like(delta), 1e-3, rules)
            drift.append(100 * float(np.linalg.norm(new_W @ new_R - W) / np.linalg.norm(W)))
        way.plot(drift, **look | {"markevery": 250}, label=name)
        measured[name] = {"order of the residual": order, "drift in per cent": drift[-1]}
    one_step.set(xlabel=r"step size $\eta$", ylabel=r"$\|\Delta(WR) - \eta\, G R\|$", ylim=(None, 1e4))
    way.set(xlabel=r"steps of decorrelation alone, $\eta = 10^{-3}$", ylabel=r"drift of $WR$ (%)", yscale="log")
    one_step.legend(loc="upper left")
    way.legend()
    return figure, measured


# ------------------------------------------------------------------------------------------------ theorems 3 to 5


def settled(sigma: Array, eta: float, update: Any = decorrelation_update) -> tuple[Array, Array]:
    """Return R once off(C) is a millionth of C, and every C on the way, (steps, n, n)."""
    moments = []
    for R in decorrelation_path(batch_of(sigma), eta, 100_000, update):
        moments.append(R @ sigma @ R.T)
        if np.linalg.norm(off_diagonal(moments[-1])) < 1e-6 * np.trace(moments[-1]):
            return R, np.array(moments)
    raise RuntimeError("not decorrelated")


def symmetry() -> tuple[Figure, Measured]:
    """Theorem 3: where the asymmetry of R settles, against the step size, and over random matrices."""
    figure, (by_step, histogram) = axes_of(2)
    shares = np.array([0.02, 0.05, 0.1, 0.2, 0.5])
    for seed, look in enumerate(looks(6)):
        sigma = random_sigma(seed, 3 + seed)
        values = [asymmetry(settled(sigma, share / np.trace(sigma))[0]) for share in shares]
        by_step.plot(shares, values, **look, label=f"n = {3 + seed}")
    by_step.set(
        xlabel=r"step size $\eta\,$tr$\,\Sigma$", ylabel=r"$\|R - R^T\| / \|R\|$", xlim=(0, None), ylim=(0, 0.18)
    )
    by_step.legend(ncols=3)
    values = np.array([asymmetry(settled(sigma, 0.5 / np.trace(sigma))[0]) for sigma in trials()])
    histogram.hist(values, bins=30, color=COLOURS[0])
    histogram.set(xlabel=r"$\|R - R^T\| / \|R\|$ once decorrelated", ylabel=f"of {len(values)} random $\\Sigma$")
    return figure, {"median": np.median(values), "max": np.max(values), "trials": len(values)}


def trials() -> list[Array]:
    """Return random matrices of 3 to 11 inputs; with two, R stays symmetric by Theorem 3."""
    return [random_sigma(seed, 3 + seed % 9) for seed in range(N_TRIALS)]


def convergence() -> tuple[Figure, Measured]:
    """Theorem 4: variances, Hadamard defect and log-determinant on the way, for one matrix; and all trials counted."""
    figure, (variances, defect, volume) = axes_of(3)
    sigma = trials()[261]  # three inputs; the local form raises one variance by 15 % above its lowest
    for (name, update), style in zip(FORMS.items(), ("-", "--"), strict=True):
        _, moments = settled(sigma, 0.05, update)
        for i, colour in zip(range(3), COLOURS, strict=False):
            share = moments[:, i, i] / moments[0, i, i]
            variances.semilogx(1 + np.arange(len(share)), share, style, color=colour, label=name if i == 0 else None)
        defect.semilogy([hadamard_defect(C) for C in moments], style, color=COLOURS[0], label=name)
    for eta, look in zip((0.1, 0.05, 0.025), looks(3), strict=True):
        path = islice(decorrelation_path(batch_of(sigma), eta, 1000), 0, round(20 / eta) + 1)
        values = [np.linalg.slogdet(R)[1] for R in path]
        volume.plot(eta * np.arange(len(values)), values, **look | {"markevery": 0.2}, label=rf"$\eta$ = {eta}")
    variances.set(
        xlabel=r"1 + steps, $\eta = 0.05$", ylabel="variances $C_{ii}$, in shares of their start", ylim=(0, 1.4)
    )
    defect.set(xlabel=r"steps, $\eta = 0.05$", ylabel="Hadamard defect (nats)")
    volume.set(xlabel=r"time, $\eta \times$ steps", ylabel=r"$\log|\det R|$", ylim=(None, 0.02))
    for axes in (variances, defect, volume):
        axes.legend()
    return figure, {name: counted(update) for name, update in FORMS.items()}


def counted(update: Any) -> Measured:
    """Count the trials in which the defect fell at every step, and those in which a variance rose above its lowest."""
    fell = rose = 0
    for sigma in trials():
        _, moments = settled(sigma, 0.1 / np.trace(sigma), update)
        _, logs = np.linalg.slogdet(moments)
        variances = np.diagonal(moments, axis1=1, axis2=2)
        fell += bool(np.all(np.diff(np.sum(np.log(variances), axis=1) - logs) < 1e-10))
        rose += bool(np.any(variances > 1.001 * np.minimum.accumulate(variances)))
    return {"trials": N_TRIALS, "defect fell throughout": fell, "a variance rose by 0.1 %": rose}


def step_size() -> tuple[Figure, Measured]:
    """Theorem 5: the factor of each covariance on both sides of the bound; and a run just above it."""
    figure, (factors, covariance, total) = axes_of(3)
    D, pairs = np.array([2.0, 1.0, 0.5]), ((0, 1), (0, 2), (1, 2))
    sigma = np.diag(D) + 1e-9 * off_diagonal(np.ones((3, 3)))
    etas = np.linspace(0.02, 0.8, 14)
    after = np.array([list(decorrelation_path(batch_of(sigma), eta, 1))[-1] for eta in etas])
    moments = after @ sigma @ after.transpose(0, 2, 1)
    for (i, j), look in zip(pairs, looks(len(pairs)), strict=True):
        factors.plot(etas, moments[:, i, j] / sigma[i, j], **look, linestyle="", label=f"variances {D[i]:g}, {D[j]:g}")
        factors.plot(etas, 1 - etas * (D[i] + D[j]), color=look["color"])
    factors.axhline(-1, color="gray", linestyle=":")
    factors.axvline(2 / 3, color="gray", linestyle=":", label="bound, 2 / (2 + 1)")
    factors.set(xlabel=r"step size $\eta$", ylabel="factor of $C_{ij}$ in one step", ylim=(-3.2, 1.1))
    sigma = np.array([[2.0, 1e-6], [1e-6, 1.0]])
    eta = 1.05 * 2 / 3
    path = np.array([R @ sigma @ R.T for R in decorrelation_path(batch_of(sigma), eta, 600)])
    covariance.semilogy(np.abs(path[:, 0, 1]), color=COLOURS[2])
    covariance.set(xlabel="steps, 5 % above the bound", ylabel="$|C_{12}|$", ylim=(1e-12, 1))
    total.plot(path[:, 0, 0] + path[:, 1, 1], color=COLOURS[0])
    total.axhline(2 / eta, color="gray", linestyle=":", label=r"$2 / \eta$")
    total.set(xlabel="steps, 5 % above the bound", ylabel="$C_{11} + C_{22}$")
    factors.legend(loc="lower left")
    total.legend()
    return figure, {"largest covariance above the bound": np.max(np.abs(path[:, 0, 1]))}


# ------------------------------------------------------------------------------------------------ theorems 6, 8, 11


def similarity() -> tuple[Figure, Measured]:
    """Theorem 6: one minus the similarity to ZCA against the correlation; and on the digits of mnist-5k."""
    figure, (order, histogram) = axes_of(2)
    E, D = off_diagonal(random_sigma(1, 4)), np.array([0.25, 0.5, 1.0, 2.0])
    sizes = np.logspace(-2.5, -0.5, 7)
    losses = []
    for size in sizes:
        sigma = np.diag(D) + size * E
        R, moments = settled(sigma, 0.2)
        losses.append(1 - np.diag(R @ np.linalg.inv(zca(sigma))) / np.sqrt(np.diag(moments[-1])))
    for i, (loss, look) in enumerate(zip(np.array(losses).T, looks(len(D)), strict=True)):
        order.loglog(sizes, loss, **look, label=f"variance {D[i]}")
    order.loglog(sizes, 0.03 * sizes**2, ":", color="gray", label="order 2")
    order.set(xlabel=r"correlation $\epsilon$", ylabel="1 - similarity to ZCA", ylim=(None, 1))
    order.legend()

    images = as_float(load_dataset("mnist-5k").train.inputs, "float64")
    images = images[:, np.mean(images**2, axis=0) > 1e-3]
    sigma, rng, R = second_moment(images), np.random.default_rng(0), np.eye(images.shape[1])
    for _ in range(10):
        for rows in np.split(rng.permutation(len(images)), len(images) // 50):
            R = R + 1e-2 * decorrelation_update(R, decorrelate(R, images[rows]))
    transforms = {"COPI": R, "Cholesky": cholesky(sigma, 1e-2), "raw": np.eye(len(R)), "PCA": pca(sigma, 1e-2)}
    u, measured = decorrelate(zca(sigma, 1e-2), images), {}
    for (name, M), colour in zip(transforms.items(), COLOURS, strict=False):
        values = feature_correlation(decorrelate(M, images), u)
        histogram.hist(values, bins=np.linspace(-0.3, 1, 66), color=colour, alpha=0.7, label=name)
        measured[name] = {"median": np.median(values), "min": np.min(values)}
    histogram.set(xlabel="correlation with the ZCA pixel", ylabel=f"of {len(R)} pixels of mnist-5k")
    histogram.legend()
    return figure, measured | {"pixels": len(R)}


def fixed_point() -> tuple[Figure, Measured]:
    """Theorem 8: COPI with fixed targets z = D x, on correlated inputs and on the same inputs decorrelated."""
    figure, (axes,) = axes_of(1)
    rng = np.random.default_rng(0)
    y, D = batch_of(random_sigma(3, 5)), rng.normal(size=(3, 5))
    *_, R = decorrelation_path(y, 0.2, 3000)
    measured = {}
    for (name, x), look in zip({"correlated": y, "decorrelated": decorrelate(R, y)}.items(), looks(2), strict=True):
        W, z, distances = np.zeros_like(D), transform(D, x), []
        for _ in range(1400):
            distances.append(np.linalg.norm(W - D) / np.linalg.norm(D))
            W = W + 0.2 * copi_update(W, x, z)
        axes.semilogy(distances, **look | {"markevery": 200}, label=f"{name} inputs")
        rest = np.linalg.norm(linear_map(x, z) - D) / np.linalg.norm(D)
        axes.axhline(rest, color=look["color"], linestyle=":")
        measured[name] = {"relative error of the fixed point": rest}
    axes.set(xlabel=r"steps, $\eta = 0.2$", ylabel=r"$\|W - D\| / \|D\|$", ylim=(1e-7, 3))
    axes.legend()
    return figure, measured


class Angles(Callback):
    """Collects the angles to backpropagation after each epoch."""

    def __init__(self, network: Network, y0: Array, targets: Array) -> None:
        self.batch = y0, targets
        self.rows = [alignment_angles(network, *self.batch)]

    def on_epoch(self, network: Network, record: Any) -> None:
        """Measure the angles."""
        self.rows.append(alignment_angles(network, *self.batch))


def alignment() -> tuple[Figure, Measured]:
    """Theorem 11: the angles to backpropagation's signals during training on mnist-5k."""
    figure, panels = axes_of(2)
    data = load_dataset("mnist-5k")
    batch = as_float(data.test.inputs, "float32"), one_hot(data.test.labels, 10, "float32")
    schedule = Schedule(1e-3, 1e-3, first_epochs=1, first_eta_W=0.0, first_eta_R=1e-3, delta_scale=100)
    measured: Measured = {}
    for kind, look in zip(("fa", "dfa", "dtp"), looks(3), strict=True):
        network = Network([784, 100, 100, 10], rng=np.random.default_rng(0), error_signal=kind)
        angles = Angles(network, *batch)
        fit(network, data, epochs=10, schedule=schedule, rng=np.random.default_rng(1), callbacks=[angles])
        for k, axes in enumerate(panels):
            axes.plot([row[k] for row in angles.rows], **look, label=kind.upper())
        measured[kind] = {
            "before": angles.rows[0],
            "after 2 epochs": angles.rows[2],
            "after 10 epochs": angles.rows[-1],
        }
    for k, axes in enumerate(panels):
        axes.axhline(90, color="gray", linestyle=":")
        axes.set(xlabel="epoch (R alone in the first)", ylabel="angle to BP (degrees)", title=f"hidden layer {k + 1}")
        axes.set(ylim=(45, 95))
        axes.legend()
    return figure, measured


FIGURES = {
    "01-copi-versus-sgd": copi_versus_sgd,
    "02-cancellation": cancellation,
    "03-symmetry": symmetry,
    "04-convergence": convergence,
    "05-step-size": step_size,
    "06-zca": similarity,
    "08-fixed-point": fixed_point,
    "11-alignment": alignment,
    **FAMILY,
    **COSTS,
}


def rounded(value: Any) -> Any:
    """Round all numbers in nested lists and dicts to four digits."""
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return value if isinstance(value, str | int) else float(f"{value:.4g}")


def main() -> None:
    """Draw all figures, and record their measurements."""
    FOLDER.mkdir(exist_ok=True)
    record: Measured = {"versions": versions()}
    for name, draw in FIGURES.items():
        with rc_context(STYLE), blas_threads(1):  # the last digits depend on the number of threads
            figure, measured = draw()
        save_figure(figure, FOLDER / f"{name}.png")
        record[name] = rounded(measured)
        print(name, record[name])
    (FOLDER / "theory.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
