"""The dictionary of faults: how each equation is easily got wrong, as the wrong function under the name of its cause.

A diagnosis compares what an implementation returns with these. They take the arguments of the right functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from copi_np.arrays import NDArray
from copi_np.conformance.faults_of_signals import OF_SIGNALS, right_slope, slope_of
from copi_np.conformance.more_faults import OF_EQUATIONS, OF_FAMILY, OF_FUNCTIONS
from copi_np.conformance.signals import leaky_relu
from copi_np.rules import copi_update, decorrelation_update, local_decorrelation_update, mean_outer, mean_square

Faults = dict[str, Callable[..., Any]]

OF_COPI: Final[Faults] = {
    "rows for columns: W decays by rows": lambda W, x, z: mean_outer(z, x) - W * mean_square(x)[:, None],
    "the sign of the decay of W": lambda W, x, z: mean_outer(z, x) + W * mean_square(x),
    "no decay of W": lambda W, x, z: mean_outer(z, x),
    "no Hebbian term: W only decays": lambda W, x, z: -W * mean_square(x),
    "W decays by <x x^T> in full: plain gradient descent": lambda W, x, z: mean_outer(z, x) - W @ mean_outer(x, x),
    "postsynaptic decay: <z^2> for <x^2>": lambda W, x, z: mean_outer(z, x) - W * mean_square(z)[:, None],
    "postsynaptic decay: <a^2> for <x^2>": lambda W, x, z: mean_outer(z, x) - W * mean_square(x @ W.T)[:, None],
    "decay of whitened inputs: W for W diag<x^2>": lambda W, x, z: mean_outer(z, x) - W,
    "the Hebbian term transposed": lambda W, x, z: mean_outer(x, z) - W * mean_square(x),
    "delta for z: a is not added to the error signal": lambda W, x, z: copi_update(W, x, z - x @ W.T),
    "the sign of delta: the gradient, and not its negative": lambda W, x, z: copi_update(W, x, 2 * (x @ W.T) - z),
    "sum for mean in the Hebbian term": lambda W, x, z: z.T @ x - W * mean_square(x),
    "sum for mean in the decay": lambda W, x, z: mean_outer(z, x) - W * np.sum(x * x, axis=0),
    "mean for the whole batch of x^2: one decay for all inputs": lambda W, x, z: mean_outer(z, x) - W * np.mean(x * x),
    "variance for mean square: x is centred in the decay": lambda W, x, z: mean_outer(z, x) - W * np.var(x, axis=0),
    "the square of the mean for the mean square": lambda W, x, z: mean_outer(z, x) - W * np.mean(x, axis=0) ** 2,
    "the root mean square for the mean square": lambda W, x, z: mean_outer(z, x) - W * np.sqrt(mean_square(x)),
    "|x| for x^2 in the decay": lambda W, x, z: mean_outer(z, x) - W * np.mean(np.abs(x), axis=0),
    "product of means for mean of products": lambda W, x, z: (
        np.outer(z.mean(axis=0), x.mean(axis=0)) - W * mean_square(x)
    ),
}
OF_SGD: Final[Faults] = {
    "the update transposed": lambda x, delta: mean_outer(x, delta),
    "product of means for mean of products": lambda x, delta: np.outer(delta.mean(axis=0), x.mean(axis=0)),
}
OF_MATRIX_FORM: Final[Faults] = {
    "matrix and local form swapped": local_decorrelation_update,
    "rows for columns: the diagonal scales columns of R": lambda R, x: -(mean_outer(x, x @ R) - R * mean_square(x)),
    "no diagonal: <x x^T> in full": lambda R, x: -mean_outer(x, x @ R),
    "the sign of the diagonal": lambda R, x: -(mean_outer(x, x @ R) + mean_square(x)[:, None] * R),
    "the diagonal alone": lambda R, x: -mean_square(x)[:, None] * R,
    "whitening: <x x^T> - I for <x x^T> - diag<x^2>": lambda R, x: -(mean_outer(x, x @ R) - R),
    "R transposed in the product with <x x^T>": lambda R, x: -(mean_outer(x, x @ R.T) - mean_square(x)[:, None] * R),
    "R left out: -off(<x x^T>) alone": lambda R, x: decorrelation_update(np.eye(len(R)), x),
    "sum for mean in <x x^T>": lambda R, x: -(x.T @ (x @ R) - mean_square(x)[:, None] * R),
    "sum for mean in the diagonal": lambda R, x: -(mean_outer(x, x @ R) - np.sum(x * x, axis=0)[:, None] * R),
    "variance for mean square: x is centred in the diagonal": lambda R, x: (
        -(mean_outer(x, x @ R) - np.var(x, axis=0)[:, None] * R)
    ),
    "mean over all units: one diagonal entry for all": lambda R, x: -(mean_outer(x, x @ R) - np.mean(x * x) * R),
    "the upper triangle of <x x^T> alone": lambda R, x: -np.triu(mean_outer(x, x), 1) @ R,
    "the lower triangle of <x x^T> alone": lambda R, x: -np.tril(mean_outer(x, x), -1) @ R,
}
OF_LOCAL_FORM: Final[Faults] = {
    "matrix and local form swapped": decorrelation_update,
    "rows for columns: R decays by rows": lambda R, x: -(mean_outer(x @ R.T, x) - R * mean_square(x)[:, None]),
    "no diagonal: <q x^T> in full": lambda R, x: -mean_outer(x @ R.T, x),
    "the sign of the diagonal": lambda R, x: -(mean_outer(x @ R.T, x) + R * mean_square(x)),
    "postsynaptic: <q^2> for <x^2>": lambda R, x: -(mean_outer(x @ R.T, x) - R * mean_square(x @ R.T)),
    "R transposed: q = R^T x": lambda R, x: -(mean_outer(x @ R, x) - R * mean_square(x)),
    "whitening: R for R diag<x^2>": lambda R, x: -(mean_outer(x @ R.T, x) - R),
    "sum for mean in <q x^T>": lambda R, x: -((x @ R.T).T @ x - R * mean_square(x)),
    "q is x: R left out": lambda R, x: -(mean_outer(x, x) - R * mean_square(x)),
}


def adam(
    beta1: float = 0.9,
    beta2: float = 0.99,
    epsilon: float = 1e-8,
    correct: tuple[bool, bool] = (True, True),
    under_root: bool = False,
) -> Callable[..., NDArray]:
    """Return Adam with other constants, without a bias correction, or with epsilon under the root."""

    def update(memory: dict[str, Any], dW: NDArray) -> NDArray:
        t = memory["t"] = memory.get("t", 0) + 1
        memory["mean"] = mean = beta1 * memory.get("mean", 0.0) + (1 - beta1) * dW
        memory["square"] = square = beta2 * memory.get("square", 0.0) + (1 - beta2) * dW**2
        mean, square = (
            moment / (1 - beta**t) if corrected else moment
            for moment, beta, corrected in zip((mean, square), (beta1, beta2), correct, strict=True)
        )
        size = np.sqrt(square + epsilon) if under_root else np.sqrt(square) + epsilon
        return np.asarray(mean / size)

    return update


OF_ADAM: Final[Faults] = {
    "biased Adam: no bias correction of either mean": adam(correct=(False, False)),
    "biased Adam: no bias correction of the mean": adam(correct=(False, True)),
    "biased Adam: no bias correction of the square": adam(correct=(True, False)),
    "Adam's beta2 is 0.999, where the paper has 0.99": adam(beta2=0.999),
    "Adam's betas swapped": adam(0.99, 0.9),
    "Adam's epsilon under the root": adam(under_root=True),
    "plain gradient descent: no Adam": lambda memory, dW: dW,
    "Adam forgets its means between steps": lambda memory, dW: adam()({}, dW),
}


FAULTS: Final[dict[str, Faults]] = {
    **OF_EQUATIONS,
    **OF_FAMILY,
    **OF_FUNCTIONS,
    **OF_SIGNALS,
    "copi_update": OF_COPI,
    "sgd_update": OF_SGD,
    "decorrelation_update": OF_MATRIX_FORM,
    "local_decorrelation_update": OF_LOCAL_FORM,
    "adam_update": OF_ADAM,
    "momentum_update": {
        "plain gradient descent: no momentum": lambda memory, dW: dW,
        "momentum of a running mean: the update times 1 - beta": lambda memory, dW: (
            memory.update(move=0.9 * memory.get("move", 0.0) + 0.1 * dW) or memory["move"]
        ),
    },
    "mean_outer": {"x centred": lambda u, v: mean_outer(u - u.mean(axis=0), v - v.mean(axis=0))},
    "mean_square": {
        "variance for mean square": lambda x: np.var(x, axis=0),
        "mean over the wrong axis: over units": lambda x: np.mean(x * x, axis=1),
    },
    "decorrelate": {
        "transposed R: x = R^T y": lambda R, y: y @ R,
        "R left out of the forward pass": lambda R, y: y,
    },
    "transform": {"transposed W: a = W^T x": lambda W, x: x @ W},
    "leaky_relu": {
        "the leak is 0.01": lambda a: np.where(a > 0, a, 0.01 * a),
        "ReLU for leaky ReLU": lambda a: np.maximum(a, 0),
        "no activation function": lambda a: a,
    },
    "leaky_relu_derivative": {
        "the derivative at 0 from the right": right_slope,
        "the derivative of a ReLU": slope_of(0.0),
        "the leak is 0.01": slope_of(0.01),
        "no derivative: 1 everywhere": np.ones_like,
    },
    "rates": {
        "the step sizes swapped": lambda eta_W, eta_R: (eta_R, eta_W),
        "eta_W for both": lambda eta_W, eta_R: (eta_W, eta_W),
        "eta_R for both": lambda eta_W, eta_R: (eta_R, eta_R),
        "eta_R never arrives: R stays": lambda eta_W, eta_R: (eta_W, 0.0),
        "eta_W never arrives: W stays": lambda eta_W, eta_R: (0.0, eta_R),
        "the step sizes multiplied": lambda eta_W, eta_R: (eta_W * eta_R, eta_R),
    },
    "rows": {
        "W learns from y, the input before R": lambda x, y, a, delta: (y, x, a + delta),
        "R learns from y, the input before R": lambda x, y, a, delta: (x, y, a + delta),
        "W and R learn from y, the input before R": lambda x, y, a, delta: (y, y, a + delta),
        "z = y + delta, with the output for a": lambda x, y, a, delta: (x, x, leaky_relu(a) + delta),
        "the first sample alone": lambda x, y, a, delta: (x[:1], x[:1], (a + delta)[:1]),
        "the last sample left out": lambda x, y, a, delta: (x[:-1], x[:-1], (a + delta)[:-1]),
        "the last sample left out for W": lambda x, y, a, delta: (x[:-1], x, (a + delta)[:-1]),
        "the last sample left out for R": lambda x, y, a, delta: (x, x[:-1], a + delta),
        "x is centred": lambda x, y, a, delta: (x - x.mean(axis=0), x - x.mean(axis=0), a + delta),
    },
    "order": {
        "order: R moves before W sees its input": lambda: "R first",
        "order: signals go back through weights that have moved already": lambda: "back through both",
        "order: signals go back through R that has moved already": lambda: "back through R",
    },
    "batches": {
        "the last batch left out": lambda n: range(n - 1),
        "the first batch alone": lambda n: range(1),
        "the batches in reverse order": lambda n: reversed(range(n)),
    },
}
"""For each function or part of a step: the wrong ones, by the name of the fault."""
