"""The right answers on any input: the equations of this package, under the names and arguments of the known answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from copi_np import family, rules
from copi_np.activations import ACTIVATIONS, LEAK
from copi_np.arrays import NDArray
from copi_np.error_signals import TARGET_STEP, reconstruction_update
from copi_np.losses import LOSSES


def leaky_relu(a: NDArray) -> NDArray:
    """Return a where a > 0, else a tenth of it."""
    return np.where(a > 0, a, LEAK * a)


def leaky_relu_derivative(a: NDArray) -> NDArray:
    """Return 1 where a > 0, else 0.1."""
    return np.where(a > 0, 1.0, LEAK)


def output_signal(a: NDArray, y: NDArray, targets: NDArray) -> NDArray:
    """Return the signal of the output layer, for the quadratic loss and the leaky ReLU."""
    return np.asarray(-leaky_relu_derivative(a) * 2 * (y - targets))


def carry_back(W: NDArray, R: NDArray, delta: NDArray) -> NDArray:
    """Send a signal through the layer above, (W R)^T delta."""
    return delta @ W @ R


def hidden_signal(a: NDArray, y: NDArray, carried: NDArray) -> NDArray:
    """Return the signal of a hidden layer from what is sent down into it."""
    return leaky_relu_derivative(a) * carried


# ------------------------------------------------------------------------------------------------- error signals


def sent_through(matrices: Sequence[NDArray], a: Sequence[NDArray], delta_L: NDArray) -> list[NDArray]:
    """Return one delta per layer; the k-th matrix (O_k, O_{k+1}) carries signals into layer k."""
    deltas = [delta_L]
    for k in reversed(range(len(a) - 1)):
        deltas.insert(0, leaky_relu_derivative(a[k]) * (deltas[0] @ matrices[k].T))
    return deltas


def backpropagation(W: Sequence[NDArray], R: Sequence[NDArray], a: Sequence[NDArray], delta_L: NDArray) -> Any:
    """Return one delta per layer."""
    return sent_through([(W_k @ R_k).T for W_k, R_k in zip(W[1:], R[1:], strict=True)], a, delta_L)


def feedback_alignment(F: Sequence[NDArray], a: Sequence[NDArray], delta_L: NDArray) -> Any:
    """Return one delta per layer."""
    return sent_through(F, a, delta_L)


def kolen_pollack(R: Sequence[NDArray], F: Sequence[NDArray], a: Sequence[NDArray], delta_L: NDArray) -> Any:
    """Return one delta per layer."""
    return sent_through([R_k.T @ F_k for R_k, F_k in zip(R[1:], F, strict=True)], a, delta_L)


def sign_symmetry(W: Sequence[NDArray], R: Sequence[NDArray], a: Sequence[NDArray], delta_L: NDArray) -> Any:
    """Return one delta per layer."""
    products = [W_k @ R_k for W_k, R_k in zip(W[1:], R[1:], strict=True)]
    return sent_through([np.sqrt(np.mean(M * M)) * np.sign(M).T for M in products], a, delta_L)


def direct_feedback_alignment(F: Sequence[NDArray], a: Sequence[NDArray], delta_L: NDArray) -> Any:
    """Return one delta per layer."""
    return [*(leaky_relu_derivative(a[k]) * (delta_L @ F[k].T) for k in range(len(a) - 1)), delta_L]


def target_propagation(F: Sequence[NDArray], a: Sequence[NDArray], y: Sequence[NDArray], delta_L: NDArray) -> Any:
    """Return one delta per layer."""
    target, deltas = y[-1] + delta_L, [delta_L]
    for k in reversed(range(len(a) - 1)):
        target = leaky_relu(target @ F[k].T)
        deltas.insert(0, target - a[k])
    return deltas


def difference_target_propagation(
    F: Sequence[NDArray], a: Sequence[NDArray], y: Sequence[NDArray], delta_L: NDArray
) -> Any:
    """Return one delta per layer."""
    target, deltas = y[-1] + TARGET_STEP * delta_L, [delta_L]
    for k in reversed(range(len(a) - 1)):
        target = y[k] + leaky_relu(target @ F[k].T) - leaky_relu(y[k + 1] @ F[k].T)
        deltas.insert(0, leaky_relu_derivative(a[k]) * (target - y[k]) / TARGET_STEP)
    return deltas


# --------------------------------------------------------------------------------------------------- all of them


def _of(module: Any) -> dict[str, Callable[..., Any]]:
    """Return the public functions of a module."""
    return {
        name: f for name, f in vars(module).items() if getattr(f, "__module__", "") == module.__name__ and callable(f)
    }


REFERENCE: Final[dict[str, Callable[..., Any]]] = {
    **_of(rules),
    **_of(family),
    **{name: activation.f for name, activation in ACTIVATIONS.items()},
    **{f"{name}_derivative": activation.df for name, activation in ACTIVATIONS.items()},
    **{name: loss.values for name, loss in LOSSES.items()},
    **{f"{name}_gradient": loss.gradient for name, loss in LOSSES.items()},
    "output_signal": output_signal,
    "reconstruction_update": lambda F, y_above, y: reconstruction_update(F, ACTIVATIONS["leaky_relu"], y_above, y),
    "backpropagation": backpropagation,
    "feedback_alignment": feedback_alignment,
    "direct_feedback_alignment": direct_feedback_alignment,
    "target_propagation": target_propagation,
    "difference_target_propagation": difference_target_propagation,
    "kolen_pollack": kolen_pollack,
    "sign_symmetry": sign_symmetry,
}
"""The right function for every name that a fault can be diagnosed of."""
