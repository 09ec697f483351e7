"""The error signals, in terms of what one layer does, so that the kit can replace that by something faulty.

`carry` sends a signal through the layer above, and `hidden` makes the signal of a hidden layer of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from copi_np.activations import LEAK
from copi_np.arrays import NDArray
from copi_np.error_signals import TARGET_STEP

Arrays = Sequence[NDArray]
Carry = Callable[..., NDArray]


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


# ---------------------------------------------------------------------------------------------- sent down, one by one


def sent_down(carry: Callable[[int, NDArray], NDArray], a: Arrays, delta_L: NDArray, hidden: Carry) -> list[NDArray]:
    """Return one delta per layer; ``carry(k, delta)`` is sent into layer k."""
    deltas = [delta_L]
    for k in reversed(range(len(a) - 1)):
        deltas.insert(0, hidden(a[k], leaky_relu(a[k]), carry(k, deltas[0])))
    return deltas


def backpropagation(
    W: Arrays, R: Arrays, a: Arrays, delta_L: NDArray, carry: Carry = carry_back, hidden: Carry = hidden_signal
) -> list[NDArray]:
    """Return one delta per layer."""
    return sent_down(lambda k, delta: carry(W[k + 1], R[k + 1], delta), a, delta_L, hidden)


def by_feedback(F: NDArray, delta: NDArray) -> NDArray:
    """Send a signal through a feedback matrix (O_k, N)."""
    return delta @ F.T


def feedback_alignment(
    F: Arrays, a: Arrays, delta_L: NDArray, carry: Carry = by_feedback, hidden: Carry = hidden_signal
) -> list[NDArray]:
    """Return one delta per layer."""
    return sent_down(lambda k, delta: carry(F[k], delta), a, delta_L, hidden)


def direct_feedback_alignment(
    F: Arrays, a: Arrays, delta_L: NDArray, carry: Carry = by_feedback, hidden: Carry = hidden_signal
) -> list[NDArray]:
    """Return one delta per layer."""
    return sent_down(lambda k, _: carry(F[k], delta_L), a, delta_L, hidden)


def by_learned_feedback(R: NDArray, F: NDArray, delta: NDArray) -> NDArray:
    """Send a signal back by R^T F."""
    return delta @ F.T @ R


def kolen_pollack(
    R: Arrays, F: Arrays, a: Arrays, delta_L: NDArray, carry: Carry = by_learned_feedback, hidden: Carry = hidden_signal
) -> list[NDArray]:
    """Return one delta per layer."""
    return sent_down(lambda k, delta: carry(R[k + 1], F[k], delta), a, delta_L, hidden)


def by_signs(W: NDArray, R: NDArray, delta: NDArray) -> NDArray:
    """Send a signal back by the signs of W R, times its root mean square."""
    M = W @ R
    return np.asarray(np.sqrt(np.mean(M * M)) * (delta @ np.sign(M)))


def sign_symmetry(
    W: Arrays, R: Arrays, a: Arrays, delta_L: NDArray, carry: Carry = by_signs, hidden: Carry = hidden_signal
) -> list[NDArray]:
    """Return one delta per layer."""
    return backpropagation(W, R, a, delta_L, carry, hidden)


# --------------------------------------------------------------------------------------------------- target propagation


def target_propagation(
    F: Arrays,
    a: Arrays,
    y: Arrays,
    delta_L: NDArray,
    inverse: Carry = lambda F, target: leaky_relu(target @ F.T),
    delta_of: Carry = lambda target, a, y: target - a,
    step: float = 1.0,
) -> list[NDArray]:
    """Return one delta per layer; `inverse` sends a target down, and `delta_of` compares it with the state there."""
    target, deltas = y[-1] + step * delta_L, [delta_L]
    for k in reversed(range(len(a) - 1)):
        target = inverse(F[k], target)
        deltas.insert(0, delta_of(target, a[k], y[k]))
    return deltas


def shifted(F: NDArray, target: NDArray, y_above: NDArray, y: NDArray) -> NDArray:
    """Return the target of a layer: its state, shifted by the difference that the target above makes."""
    return np.asarray(y + leaky_relu(target @ F.T) - leaky_relu(y_above @ F.T))


def difference_target_propagation(
    F: Arrays,
    a: Arrays,
    y: Arrays,
    delta_L: NDArray,
    shift: Carry = shifted,
    hidden: Carry = hidden_signal,
    step: float = TARGET_STEP,
) -> list[NDArray]:
    """Return one delta per layer."""
    target, deltas = y[-1] + step * delta_L, [delta_L]
    for k in reversed(range(len(a) - 1)):
        target = shift(F[k], target, y[k + 1], y[k])
        deltas.insert(0, hidden(a[k], y[k], (target - y[k]) / step))
    return deltas


def reconstruction_update(F: NDArray, y_above: NDArray, y: NDArray) -> NDArray:
    """Return the update of an inverse model f(F y_above) ~ y."""
    b = y_above @ F.T
    error = leaky_relu_derivative(b) * (y - leaky_relu(b))
    return np.asarray(error.T @ y_above / max(np.sum(y_above * y_above), 1e-300))


# -------------------------------------------------------------------------------------------------------- perturbations


def forward(W: Arrays, R: Arrays, y: NDArray, noise: Arrays | None = None) -> tuple[list[NDArray], NDArray]:
    """Return the pre-activations with noise, and the output."""
    a = []
    for k, (W_k, R_k) in enumerate(zip(W, R, strict=True)):
        a.append(y @ R_k.T @ W_k.T + (0.0 if noise is None else noise[k]))
        y = leaky_relu(a[-1])
    return a, y


def squared_error(y: NDArray, targets: NDArray) -> NDArray:
    """Return the quadratic loss of each sample, (B, 1)."""
    return np.asarray(np.sum((y - targets) ** 2, axis=1, keepdims=True))


def perturbation(signal: Callable[..., list[NDArray]], change: Carry = np.subtract) -> Callable[..., Any]:
    """Return a signal of perturbation, computed from what the noise changes.

    ``signal(noise, da, dL, sigma)`` gets the noise, the changes of all pre-activations, and that of the loss, which is
    ``change(loss with noise, loss without)``.
    """

    def deltas(W: Arrays, R: Arrays, noise: Arrays, y0: NDArray, targets: NDArray, sigma: float = 1.0) -> list[NDArray]:
        (a, y), (noisy_a, noisy_y) = forward(W, R, y0), forward(W, R, y0, noise)
        da = [noisy - clean for noisy, clean in zip(noisy_a, a, strict=True)]
        return signal(noise, da, change(squared_error(noisy_y, targets), squared_error(y, targets)), sigma)

    return deltas


def node(noise: Arrays, da: Arrays, dL: NDArray, sigma: float) -> list[NDArray]:
    """Return -(dL / sigma^2) s, layer by layer."""
    return [-dL / sigma**2 * s for s in noise]


def activity(noise: Arrays, da: Arrays, dL: NDArray, sigma: float) -> list[NDArray]:
    """Return -sqrt(N) (dL / |da|^2) da, layer by layer."""
    square = np.sum(np.hstack(da) ** 2, axis=1, keepdims=True)
    return [-np.sqrt(np.hstack(da).shape[1]) * dL / square * da_k for da_k in da]


SIGNALS: Final[dict[str, Callable[..., Any]]] = {
    "output_signal": output_signal,
    "backpropagation": backpropagation,
    "feedback_alignment": feedback_alignment,
    "direct_feedback_alignment": direct_feedback_alignment,
    "kolen_pollack": kolen_pollack,
    "sign_symmetry": sign_symmetry,
    "target_propagation": target_propagation,
    "difference_target_propagation": difference_target_propagation,
    "reconstruction_update": reconstruction_update,
    "node_perturbation": perturbation(node),
    "activity_perturbation": perturbation(activity),
}
"""Every error signal, and the update of feedback that learns, by name."""
