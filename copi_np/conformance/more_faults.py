"""The dictionary of faults, continued: equations beside Eq. 3 and 4, the family around COPI, activations and losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from copi_np import family, rules
from copi_np.activations import tanh
from copi_np.arrays import NDArray
from copi_np.conformance.signals import leaky_relu, leaky_relu_derivative
from copi_np.losses import log_softmax
from copi_np.rules import copi_update, decorrelation_update, mean_outer, mean_square
from copi_np.whitening import off_diagonal as off

Faults = dict[str, Callable[..., Any]]


def inverse_of(x: NDArray) -> NDArray:
    """Return the pseudo-inverse of <x x^T>."""
    return np.asarray(np.linalg.pinv(mean_outer(x, x)))


OF_EQUATIONS: Final[dict[str, Faults]] = {
    "target_state": {
        "the sign of delta: a - delta": lambda a, delta: a - delta,
        "delta alone: a is left out": lambda a, delta: delta,
        "the output for a: f(a) + delta": lambda a, delta: leaky_relu(a) + delta,
    },
    "decay_towards": {"no decay: D alone": lambda W, D: D, "the sign of the decay: D + W": lambda W, D: D + W},
    "inference_update": {
        "no decay of W": lambda W, x, z: mean_outer(z, x) @ inverse_of(x),
        "diag<x^2> for <x x^T>": lambda W, x, z: rules.linear_map(x, z) - W,
        "no inverse: <z x^T> - W": rules.whitened_update,
        "no inverse: <z x^T> - W <x x^T>": lambda W, x, z: mean_outer(z, x) - W @ mean_outer(x, x),
        "covariances for second moments, in the inverse": lambda W, x, z: (
            mean_outer(z, x) @ inverse_of(x - x.mean(axis=0)) - W
        ),
    },
    "whitened_update": {
        "COPI's rule: W diag<x^2> for W": copi_update,
        "no decay of W": lambda W, x, z: mean_outer(z, x),
        "the sign of the decay of W": lambda W, x, z: mean_outer(z, x) + W,
        "<x x^T> in full: W <x x^T> for W": lambda W, x, z: mean_outer(z, x) - W @ mean_outer(x, x),
        "sum for mean in the Hebbian term": lambda W, x, z: z.T @ x - W,
    },
    "linear_map": {
        "<x x^T> in full: least squares": lambda x, z: mean_outer(z, x) @ inverse_of(x),
        "not divided by <x^2>": lambda x, z: mean_outer(z, x),
        "rows for columns: divided by <z^2>": lambda x, z: mean_outer(z, x) / mean_square(z)[:, None],
        "divided by the root of <x^2>": lambda x, z: mean_outer(z, x) / np.sqrt(mean_square(x)),
        "variance for mean square": lambda x, z: mean_outer(z, x) / np.var(x, axis=0),
    },
    "oja_update": {
        "presynaptic decay: <x^2> for <y^2>, COPI's": lambda M, x: copi_update(M, x, x @ M.T),
        "no decay of M": lambda M, x: mean_outer(x @ M.T, x),
        "<y y^T> in full: the subspace rule": lambda M, x: mean_outer(x @ M.T, x) - mean_outer(x @ M.T, x @ M.T) @ M,
        "the lower triangle of <y y^T>: Sanger's rule": lambda M, x: (
            mean_outer(x @ M.T, x) - np.tril(mean_outer(x @ M.T, x @ M.T)) @ M
        ),
        "M for diag<y^2> M": lambda M, x: mean_outer(x @ M.T, x) - M,
    },
}


def normalised(power: Callable[[NDArray, float], NDArray]) -> Callable[..., Any]:
    """Return the normalised decorrelation rule with another divisor of mean squares and damping."""
    return lambda R, x, damping: -off(mean_outer(x, x)) / power(mean_square(x), damping) @ R


def gained(gain: Callable[[NDArray, NDArray], Any]) -> Callable[..., Any]:
    """Return the gain-controlled rule with another gain, of x and y."""
    return lambda R, x, y, eta_R: (gain(x, y) - 1) / eta_R * R - gain(x, y) * mean_outer(x @ R.T, x)


def ratio(x: NDArray, y: NDArray) -> Any:
    """Return g^2 = <|y|^2> / <|x|^2>."""
    return np.sum(y * y) / np.sum(x * x)


OF_FAMILY: Final[dict[str, Faults]] = {
    "kappa_decorrelation_update": {
        "kappa and 1 - kappa swapped": lambda R, x, kappa: family.kappa_decorrelation_update(R, x, 1 - kappa),
        "kappa left out: -(C - I) R": lambda R, x, kappa: 2 * family.kappa_decorrelation_update(R, x, 0.5),
        "no whitening: -off(C) R": lambda R, x, kappa: decorrelation_update(R, x),
        "off(C) without 1 - kappa": lambda R, x, kappa: (
            decorrelation_update(R, x) - kappa * (mean_square(x) - 1)[:, None] * R
        ),
        "diag(C) for diag(C) - I": lambda R, x, kappa: (
            (1 - kappa) * decorrelation_update(R, x) - kappa * mean_square(x)[:, None] * R
        ),
        "rows for columns: R (diag(C) - I)": lambda R, x, kappa: (
            (1 - kappa) * decorrelation_update(R, x) - kappa * R * (mean_square(x) - 1)
        ),
    },
    "kappa_update": {
        "COPI's rule: kappa left out": lambda W, x, a, delta, kappa: copi_update(W, x, a + delta),
        "kappa and 1 - kappa swapped": lambda W, x, a, delta, kappa: family.kappa_update(W, x, a, delta, 1 - kappa),
        "1 - kappa for 1 - 2 kappa": lambda W, x, a, delta, kappa: (
            mean_outer(delta + (1 - kappa) * a, x) - (1 - kappa) * W * mean_square(x) - kappa * W
        ),
        "no decay kappa W": lambda W, x, a, delta, kappa: family.kappa_update(W, x, a, delta, kappa) + kappa * W,
        "delta times 1 - kappa, too": lambda W, x, a, delta, kappa: family.kappa_update(
            W, x, a, (1 - kappa) * delta, kappa
        ),
    },
    "gain_controlled_update": {
        "no gain: -R C": gained(lambda x, y: 1.0),
        "g^2 for g": gained(ratio),
        "1 / g for g": gained(lambda x, y: np.sqrt(1 / ratio(x, y))),
        "the mean of the ratios of norms": gained(
            lambda x, y: np.mean(np.linalg.norm(y, axis=1) / np.linalg.norm(x, axis=1))
        ),
        "R C for (g R) C": lambda R, x, y, eta_R: (np.sqrt(ratio(x, y)) - 1) / eta_R * R - mean_outer(x @ R.T, x),
        "the matrix form: C R for R C": lambda R, x, y, eta_R: (
            (np.sqrt(ratio(x, y)) - 1) / eta_R * R - np.sqrt(ratio(x, y)) * mean_outer(x, x @ R)
        ),
    },
    "normalised_decorrelation_update": {
        "no damping": normalised(lambda power, damping: power),
        "not normalised: -off(C) R": lambda R, x, damping: decorrelation_update(R, x),
        "rows for columns: (D + damping)^-1 off(C) R": normalised(lambda power, damping: power[:, None] + damping),
        "the root of D + damping": normalised(lambda power, damping: np.sqrt(power + damping)),
        "the root of D, and damping": normalised(lambda power, damping: np.sqrt(power) + damping),
        "correlations: divided by both roots": normalised(
            lambda power, damping: np.sqrt(np.outer(power + damping, power + damping))
        ),
        "the damping squared": normalised(lambda power, damping: power + damping**2),
    },
    "normalised_update": {
        "no damping": lambda W, x, z, damping: copi_update(W, x, z) / mean_square(x),
        "not normalised: COPI's rule": lambda W, x, z, damping: copi_update(W, x, z),
        "rows for columns: divided by <z^2> + damping": lambda W, x, z, damping: (
            copi_update(W, x, z) / (mean_square(z) + damping)[:, None]
        ),
        "the root of D + damping": lambda W, x, z, damping: copi_update(W, x, z) / np.sqrt(mean_square(x) + damping),
        "W decays in full: -W": lambda W, x, z, damping: mean_outer(z, x) / (mean_square(x) + damping) - W,
        "the damping squared": lambda W, x, z, damping: copi_update(W, x, z) / (mean_square(x) + damping**2),
    },
    "natural_update": {
        "no damping": lambda x, delta, C, damping: mean_outer(delta, x) @ np.linalg.inv(C),
        "diag(C) for C": lambda x, delta, C, damping: mean_outer(delta, x) / (np.diag(C) + damping),
        "no inverse: gradient descent": lambda x, delta, C, damping: mean_outer(delta, x),
        "not inverted: times C + damping": lambda x, delta, C, damping: (
            mean_outer(delta, x) @ (C + damping * np.eye(len(C)))
        ),
        "C of this batch for the one that is given": lambda x, delta, C, damping: family.natural_update(
            x, delta, mean_outer(x, x), damping
        ),
        "the damping squared": lambda x, delta, C, damping: family.natural_update(x, delta, C, damping**2),
    },
    "centred_decorrelation_update": {
        "the row of the constant moves, too": decorrelation_update,
        "the column of the constant stays, not its row": lambda R, x: (
            decorrelation_update(R, x) * (np.arange(len(R)) < len(R) - 1)
        ),
        "the first row stays, not the last": lambda R, x: decorrelation_update(R, x) * (np.arange(len(R)) > 0)[:, None],
        "the constant is left out of off(C)": lambda R, x: np.vstack(
            [-off(mean_outer(x, x))[:-1, :-1] @ R[:-1], 0 * R[-1:]]
        ),
        "the local form": lambda R, x: np.vstack([-(R @ off(mean_outer(x, x)))[:-1], 0 * R[-1:]]),
    },
    "foldiak_decorrelate": {
        "the sign of L: (I - L)^-1 y": lambda L, y: np.linalg.solve(np.eye(len(L)) - L, y.T).T,
        "not inverted: (I + L) y": lambda L, y: y + y @ L.T,
        "a single pass: y - L y": lambda L, y: y - y @ L.T,
    },
    "foldiak_update": {
        "the diagonal, too: C for off(C)": lambda L, x: mean_outer(x, x),
        "whitening: C - I": lambda L, x: mean_outer(x, x) - np.eye(len(L)),
        "a decay of L": lambda L, x: off(mean_outer(x, x)) - L,
    },
}


def sigmoid(a: NDArray) -> NDArray:
    """Return the logistic function."""
    return np.asarray(1 / (1 + np.exp(-a)))


def softmax(y: NDArray) -> NDArray:
    """Return the softmax over classes."""
    return np.asarray(np.exp(log_softmax(y)))


OF_FUNCTIONS: Final[dict[str, Faults]] = {
    "relu": {"leaky ReLU for ReLU": leaky_relu, "no activation function": lambda a: a, "|a|": np.abs},
    "relu_derivative": {
        "the derivative at 0 from the right": lambda a: (a >= 0) * 1.0,
        "that of the leaky ReLU": leaky_relu_derivative,
        "no derivative: 1 everywhere": np.ones_like,
    },
    "tanh": {"the logistic function for tanh": sigmoid, "no activation function": lambda a: a},
    "tanh_derivative": {
        "a for tanh(a): 1 - a^2": lambda a: 1 - a * a,
        "no square: 1 - tanh(a)": lambda a: 1 - tanh(a),
        "that of the logistic function": lambda a: sigmoid(a) * (1 - sigmoid(a)),
        "no derivative: 1 everywhere": np.ones_like,
    },
    "linear": {"leaky ReLU": leaky_relu},
    "linear_derivative": {"f for its derivative f'": lambda a: a, "that of the leaky ReLU": leaky_relu_derivative},
    "quadratic": {
        "a mean over outputs": lambda y, targets: np.mean((y - targets) ** 2, axis=1),
        "half the quadratic loss": lambda y, targets: np.sum((y - targets) ** 2, axis=1) / 2,
        "one number for the batch: the mean over samples": lambda y, targets: np.mean(
            np.sum((y - targets) ** 2, axis=1)
        ),
        "the norm for its square": lambda y, targets: np.linalg.norm(y - targets, axis=1),
        "absolute errors": lambda y, targets: np.sum(np.abs(y - targets), axis=1),
    },
    "quadratic_gradient": {
        "half the quadratic loss: no factor 2": lambda y, targets: y - targets,
        "a mean over outputs": lambda y, targets: 2 * (y - targets) / y.shape[1],
    },
    "cross_entropy": {
        "softmax twice": lambda y, targets: -np.sum(targets * log_softmax(softmax(y)), axis=1),
        "a mean over outputs": lambda y, targets: -np.mean(targets * log_softmax(y), axis=1),
        "one number for the batch: the mean over samples": lambda y, targets: (
            -np.mean(np.sum(targets * log_softmax(y), axis=1))
        ),
        "bits for nats": lambda y, targets: -np.sum(targets * log_softmax(y), axis=1) / np.log(2),
        "the logistic function for softmax": lambda y, targets: -np.sum(targets * np.log(sigmoid(y)), axis=1),
        "softmax without the logarithm": lambda y, targets: -np.sum(targets * softmax(y), axis=1),
    },
    "cross_entropy_gradient": {
        "no softmax: y - y*": lambda y, targets: y - targets,
        "softmax twice": lambda y, targets: softmax(softmax(y)) - targets,
        "targets left out: softmax alone": lambda y, targets: softmax(y),
        "softmax over samples, not classes": lambda y, targets: softmax(y.T).T - targets,
        "the logistic function for softmax": lambda y, targets: sigmoid(y) - targets,
    },
}
