"""The figure of what decorrelation costs, in floating-point operations; `theory_figures.py` makes it, with the others.

A multiplication and an addition count as two operations. Products and factorizations of matrices are counted, and what
takes fewer than n^2 operations per sample is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from copi_np import load_dataset
from copi_np.datasets import as_float
from copi_np.family import (
    foldiak_decorrelate,
    foldiak_update,
    kappa_decorrelation_update,
    normalised_decorrelation_update,
)
from copi_np.plotting import FIGURE_WIDTH, looks
from copi_np.rules import decorrelate, decorrelation_update
from copi_np.whitening import mean_absolute_correlation, second_moment, zca

Array = np.ndarray[Any, np.dtype[np.float64]]
BATCH_SIZE = 50
N_EPOCHS = 5
LOWEST = 1e-4
"""What is lower is drawn here: eigenvectors leave rounding errors, 12 decades below."""


class Point(NamedTuple):
    """What has been spent, and what is left of the correlations."""

    flop: float
    correlation: float


# ------------------------------------------------------------------------------------------- operations, by hand


def moments_flop(n_samples: int, n: int) -> int:
    """Count the operations of <x x^T>: a product (n, n_samples) (n_samples, n)."""
    return 2 * n_samples * n**2


def eigh_flop(n: int) -> int:
    """Count those of sigma^(-1/2) = V l^(-1/2) V^T: 9 n^3 for V and l (Golub and Van Loan), and a product."""
    return 9 * n**3 + 2 * n**3


def newton_schulz_flop(n: int) -> int:
    """Count those of one iteration: the products Z Y, Y T and T Z."""
    return 3 * 2 * n**3


def rule_flop(batch_size: int, n: int) -> int:
    """Count those of one step of R by COPI, or by the kappa or the normalised rule: x = y R^T, x R and x^T (x R)."""
    return 3 * 2 * batch_size * n**2


def foldiak_flop(batch_size: int, n: int) -> int:
    """Count those of one step of L: the factors of I + L, two triangular solves per sample, and <x x^T>."""
    return round(2 * n**3 / 3) + 2 * batch_size * n**2 + moments_flop(batch_size, n)


# ------------------------------------------------------------------------------------------------------ the methods


def newton_schulz(sigma: Array) -> Iterator[Array]:
    """Yield matrices that approach sigma^(-1/2): the iteration of IterNorm (arXiv 1904.03441).

        Y <- Y T,  Z <- T Z,    T = (3 - Z Y) / 2,      Y_0 = sigma / tr sigma,  Z_0 = I

    Z approaches (sigma / tr sigma)^(-1/2). IterNorm has Z^2 sigma / tr sigma for Z Y, which is equal; but then rounding
    errors grow once Z has converged, if sigma is as ill-conditioned as that of digits.
    """
    trace, identity = np.trace(sigma), np.eye(len(sigma))
    Y, Z = sigma / trace, identity
    while True:
        T = (3 * identity - Z @ Y) / 2
        Y, Z = Y @ T, T @ Z
        yield Z / np.sqrt(trace)


def left(y: Array) -> float:
    """Return the mean absolute correlation of a batch."""
    return mean_absolute_correlation(second_moment(y))


def in_closed_form(y: Array) -> dict[str, list[Point]]:
    """Decorrelate all samples at once: by eigenvectors, and by 30 iterations of Newton and Schulz."""
    (n_samples, n), sigma = y.shape, second_moment(y)
    known = moments_flop(n_samples, n)
    iterations = zip(range(1, 31), newton_schulz(sigma), strict=False)
    return {
        "eigh": [Point(known + eigh_flop(n), left(decorrelate(zca(sigma), y)))],
        "Newton-Schulz": [
            Point(known + k * newton_schulz_flop(n), left(decorrelate(M, y))) for k, M in iterations if k % 3 == 0
        ],
    }


RULES: dict[str, Any] = {
    "COPI": (decorrelation_update, 0.03),
    "normalised": (normalised_decorrelation_update, 0.01),
    "kappa = 1/2": (kappa_decorrelation_update, 0.03),
}
"""The rules of R, with the best step size of 0.003, 0.01, 0.03 and 0.1 after two epochs."""
FOLDIAK_ETA = 0.1
"""The best of 0.03, 0.1, 0.3 and 1 for the recurrent form."""


def batch_by_batch(y: Array, name: str) -> list[Point]:
    """Decorrelate by a rule that sees one batch after the other; measured on all samples, four times per epoch."""
    rng, n = np.random.default_rng(0), y.shape[1]
    recurrent = name == "Foldiak"
    weights = np.zeros((n, n)) if recurrent else np.eye(n)
    apply = foldiak_decorrelate if recurrent else decorrelate
    update, eta = (foldiak_update, FOLDIAK_ETA) if recurrent else RULES[name]
    flop = (foldiak_flop if recurrent else rule_flop)(BATCH_SIZE, n)
    points, n_batches = [], len(y) // BATCH_SIZE
    for epoch in range(N_EPOCHS):
        for k, rows in enumerate(np.split(rng.permutation(len(y)), n_batches), start=1):
            weights = weights + eta * update(weights, apply(weights, y[rows]))
            if k % (n_batches // 4) == 0:
                points.append(Point((epoch * n_batches + k) * flop, left(apply(weights, y))))
    return points


def costs() -> tuple[Figure, dict[str, Any]]:
    """Correlation that is left between the pixels of mnist-5k, against operations."""
    y = as_float(load_dataset("mnist-5k").train.inputs, "float64")
    y = y[:, np.mean(y**2, axis=0) > 1e-3]
    lines = in_closed_form(y) | {name: batch_by_batch(y, name) for name in (*RULES, "Foldiak")}
    figure = Figure(figsize=(FIGURE_WIDTH, 3.6), layout="constrained")
    axes = figure.subplots()
    for (name, points), look in zip(lines.items(), looks(len(lines)), strict=True):
        flop, correlation = np.transpose(points)
        axes.loglog(flop / 1e9, np.maximum(correlation, LOWEST), label=name, **look)
    axes.axhline(left(y), color="gray", linestyle=":", label="before")
    axes.set(xlabel="floating-point operations, in billions", ylabel="mean |correlation|", ylim=(LOWEST / 2, 1))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    figure.legend(loc="outside lower center", ncols=7)
    n = y.shape[1]
    steps = {"eigh": eigh_flop(n), "Newton-Schulz": newton_schulz_flop(n)}
    steps |= {"rule": rule_flop(BATCH_SIZE, n), "Foldiak": foldiak_flop(BATCH_SIZE, n)}
    ends = {name: {"flop": points[-1].flop, "correlation": points[-1].correlation} for name, points in lines.items()}
    return figure, {"pixels": n, "before": left(y), "flop of a step": steps} | ends


FIGURES = {"14-costs": costs}
