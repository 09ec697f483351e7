"""The dictionary of faults, continued: error signals."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from copi_np.activations import LEAK
from copi_np.arrays import NDArray
from copi_np.conformance import signals
from copi_np.conformance.signals import Arrays, leaky_relu, leaky_relu_derivative, output_signal, perturbation

Faults = dict[str, Callable[..., Any]]


def slope_of(factor: float) -> Callable[[NDArray], NDArray]:
    """Return the derivative of a leaky ReLU of another slope."""
    return lambda a: np.where(a > 0, 1.0, factor)


def right_slope(a: NDArray) -> NDArray:
    """Return the derivative of the leaky ReLU, at 0 from the right."""
    return np.where(a >= 0, 1.0, LEAK)


OF_OUTPUT: Final[Faults] = {
    "half the quadratic loss: no factor 2 in delta": lambda a, y, targets: output_signal(a, y, targets) / 2,
    "the sign of delta: the gradient, and not its negative": lambda a, y, targets: -output_signal(a, y, targets),
    "no derivative in the output signal": lambda a, y, targets: -2 * (y - targets),
    "no derivative and no factor 2 in the output signal": lambda a, y, targets: targets - y,
    "delta divided by the batch size": lambda a, y, targets: output_signal(a, y, targets) / len(y),
    "delta divided by the number of outputs: a mean over outputs": lambda a, y, targets: (
        output_signal(a, y, targets) / y.shape[1]
    ),
    "delta divided by batch size and outputs: the mean of all squared errors": lambda a, y, targets: (
        output_signal(a, y, targets) / y.size
    ),
    "the derivative at 0 from the right": lambda a, y, targets: -right_slope(a) * 2 * (y - targets),
    "the error before the activation: a for y": lambda a, y, targets: output_signal(a, a, targets),
}
OF_CARRY: Final[Faults] = {
    "R left out on the way back": lambda W, R, delta: delta @ W,
    "W left out on the way back": lambda W, R, delta: delta @ R,
    "transposed R on the way back": lambda W, R, delta: delta @ W @ R.T,
    "transposed W on the way back": lambda W, R, delta: delta @ W.T @ R,
    "R before W on the way back: delta R W": lambda W, R, delta: delta @ R @ W,
    "nothing is sent back": lambda W, R, delta: np.zeros((len(delta), W.shape[1])),
}
OF_HIDDEN: Final[Faults] = {
    "no derivative in hidden layers": lambda a, y, carried: carried,
    "the derivative of a ReLU": lambda a, y, carried: (a > 0) * carried,
    "the derivative at 0 from the right": lambda a, y, carried: right_slope(a) * carried,
    "the derivative twice, or its leak is 0.01": lambda a, y, carried: slope_of(0.01)(a) * carried,
    "f for its derivative f'": lambda a, y, carried: leaky_relu(a) * carried,
    "a factor 2 in every layer on the way back": lambda a, y, carried: 2 * leaky_relu_derivative(a) * carried,
    "the sign of hidden signals": lambda a, y, carried: -leaky_relu_derivative(a) * carried,
}


def variants(signal: Callable[..., Any], **replaced: Faults) -> Faults:
    """Return a signal with each fault of the parts that it is given by name."""
    return {
        fault: partial(signal, **{part: wrong}) for part, faults in replaced.items() for fault, wrong in faults.items()
    }


# ------------------------------------------------------------------------------------------------ signals of feedback

OF_FEEDBACK: Final[Faults] = {
    "transposed F": lambda F, delta: delta @ F,
    "nothing is sent back": lambda F, delta: np.zeros((len(delta), len(F))),
    "the signs of F alone": lambda F, delta: delta @ np.sign(F).T,
}
OF_LEARNED_FEEDBACK: Final[Faults] = {
    "R left out on the way back": lambda R, F, delta: delta @ F.T,
    "transposed R on the way back": lambda R, F, delta: delta @ F.T @ R.T,
    "transposed F": lambda R, F, delta: delta @ F @ R,
    "nothing is sent back": lambda R, F, delta: np.zeros((len(delta), len(F))),
}


def signs(size: Callable[[NDArray], Any], of: Callable[[NDArray, NDArray], NDArray] = np.matmul) -> Any:
    """Return what sends a signal back by signs of a matrix of W and R, times its size."""
    return lambda W, R, delta: size(W @ R) * (delta @ np.sign(of(W, R)))


def rms(M: NDArray) -> Any:
    """Return the root mean square of a matrix."""
    return np.sqrt(np.mean(M * M))


OF_SIGNS: Final[Faults] = {
    "R left out: the signs of W alone": lambda W, R, delta: rms(W) * (delta @ np.sign(W)),
    "the signs of W, times those of R": lambda W, R, delta: rms(W @ R) * (delta @ np.sign(W) @ np.sign(R)),
    "signs without a size": signs(lambda M: 1.0),
    "the mean absolute entry for the root mean square": signs(lambda M: np.mean(np.abs(M))),
    "the norm of W R for its root mean square": signs(np.linalg.norm),
    "W R itself: backpropagation": signals.carry_back,
    "nothing is sent back": lambda W, R, delta: np.zeros((len(delta), W.shape[1])),
}

# -------------------------------------------------------------------------------------------------- target propagation

OF_INVERSE: Final[Faults] = {
    "no activation function of targets": lambda F, target: target @ F.T,
    "transposed F": lambda F, target: leaky_relu(target @ F),
}
OF_TARGETS: Final[Faults] = {
    "t - y for t - a": lambda target, a, y: target - y,
    "the sign of hidden signals": lambda target, a, y: a - target,
    "times the derivative f'": lambda target, a, y: leaky_relu_derivative(a) * (target - a),
    "t alone: a is not subtracted": lambda target, a, y: target,
}
OF_SHIFT: Final[Faults] = {
    "no difference: f(F t) alone, as in target propagation": lambda F, target, above, y: leaky_relu(target @ F.T),
    "no activation functions of targets": lambda F, target, above, y: y + (target - above) @ F.T,
    "f of the difference for the difference of f": lambda F, target, above, y: y + leaky_relu((target - above) @ F.T),
    "transposed F": lambda F, target, above, y: signals.shifted(F.T, target, above, y),
}


def printed(F: Arrays, a: Arrays, y: Arrays, delta_L: NDArray) -> list[NDArray]:
    """Return target propagation as the paper prints it: f(F delta) - a."""
    deltas = [delta_L]
    for k in reversed(range(len(a) - 1)):
        deltas.insert(0, leaky_relu(deltas[0] @ F[k].T) - a[k])
    return deltas


OF_TARGET_PROPAGATION: Final[Faults] = {
    "as printed: f(F delta) for f(F t)": printed,
    "t_L = y_L + 0.1 delta_L, as in difference target propagation": partial(signals.target_propagation, step=0.1),
    **variants(signals.target_propagation, inverse=OF_INVERSE, delta_of=OF_TARGETS),
}
OF_DIFFERENCE: Final[Faults] = {
    "t_L = y_L + delta_L: a step of 1 for 0.1": partial(signals.difference_target_propagation, step=1.0),
    "not divided by the step": lambda F, a, y, delta_L: [
        *(0.1 * delta for delta in signals.difference_target_propagation(F, a, y, delta_L)[:-1]),
        delta_L,
    ],
    **variants(signals.difference_target_propagation, shift=OF_SHIFT, hidden=OF_HIDDEN),
}


def reconstruction(error: Callable[[NDArray, NDArray], NDArray], norm: Callable[[NDArray], Any]) -> Any:
    """Return an update of an inverse model by another error, f(b) of which is compared with y, and another norm."""
    return lambda F, y_above, y: error(y_above @ F.T, y).T @ (y_above / norm(y_above)) / len(y)


def error_of_model(b: NDArray, y: NDArray) -> NDArray:
    """Return f'(b) (y - f(b))."""
    return np.asarray(leaky_relu_derivative(b) * (y - leaky_relu(b)))


def mean_norm(y_above: NDArray) -> Any:
    """Return <|y_above|^2>."""
    return np.mean(np.sum(y_above * y_above, axis=1))


OF_RECONSTRUCTION: Final[Faults] = {
    "no derivative f'": reconstruction(lambda b, y: y - leaky_relu(b), mean_norm),
    "no activation function: F y_above for f(F y_above)": reconstruction(lambda b, y: y - b, mean_norm),
    "y alone: what is reconstructed already is not subtracted": reconstruction(lambda b, y: y, mean_norm),
    "not divided by <|y_above|^2>": reconstruction(error_of_model, lambda y_above: 1.0),
    "each sample divided by its own |y_above|^2": reconstruction(
        error_of_model, lambda y_above: np.sum(y_above * y_above, axis=1, keepdims=True)
    ),
    "divided by the root of <|y_above|^2>": reconstruction(error_of_model, lambda y: np.sqrt(mean_norm(y))),
    "divided by the mean over units as well": reconstruction(error_of_model, lambda y: np.mean(y * y)),
}

# ------------------------------------------------------------------------------------------------------- perturbations


def mean_change(noisy: NDArray, clean: NDArray) -> NDArray:
    """Return the change of the mean loss of the batch, for every sample."""
    return np.full_like(noisy, np.mean(noisy - clean))


def noise_after(W: Arrays, R: Arrays, noise: Arrays, y0: NDArray, targets: NDArray, sigma: float) -> list[NDArray]:
    """Return node perturbation with the noise added to outputs."""
    y = y0
    for W_k, R_k, s in zip(W, R, noise, strict=True):
        y = leaky_relu(y @ R_k.T @ W_k.T) + s
    clean = signals.squared_error(signals.forward(W, R, y0)[1], targets)
    return signals.node(noise, noise, signals.squared_error(y, targets) - clean, sigma)


def one_at_a_time(W: Arrays, R: Arrays, noise: Arrays, y0: NDArray, targets: NDArray, sigma: float) -> list[NDArray]:
    """Return node perturbation with the noise of one layer at a time."""
    deltas = []
    for k in range(len(noise)):
        alone = [s if j == k else 0 * s for j, s in enumerate(noise)]
        deltas.append(perturbation(signals.node)(W, R, alone, y0, targets, sigma)[k])
    return deltas


OF_NODE: Final[Faults] = {
    "sigma for sigma^2": perturbation(lambda noise, da, dL, sigma: [-dL / sigma * s for s in noise]),
    "not divided by sigma^2": perturbation(lambda noise, da, dL, sigma: [-dL * s for s in noise]),
    "changes for noise: da for s": perturbation(lambda noise, da, dL, sigma: [-dL / sigma**2 * d for d in da]),
    "activity perturbation for node perturbation": perturbation(signals.activity),
    "the change of the batch's mean loss, not of each sample's": perturbation(signals.node, mean_change),
    "the loss for its change": perturbation(signals.node, lambda noisy, clean: noisy),
    "the loss is a mean over outputs": perturbation(
        lambda noise, da, dL, sigma: signals.node(noise, da, dL / noise[-1].shape[1], sigma)
    ),
    "noise after the activation: y + s for a + s": noise_after,
    "one layer perturbed at a time": one_at_a_time,
}


def of_activity(scale: Callable[[Arrays, NDArray], Any]) -> Callable[..., Any]:
    """Return activity perturbation with another factor, of all changes and of those of the layer."""
    return perturbation(lambda noise, da, dL, sigma: [-scale(da, da_k) * dL * da_k for da_k in da])


def square(changes: NDArray) -> NDArray:
    """Return |da|^2 of each sample, (B, 1)."""
    return np.asarray(np.sum(changes * changes, axis=1, keepdims=True))


def n_units(da: Arrays) -> int:
    """Return N, the number of units in all layers."""
    return int(np.hstack(da).shape[1])


OF_ACTIVITY: Final[Faults] = {
    "N for sqrt(N)": of_activity(lambda da, own: n_units(da) / square(np.hstack(da))),
    "no sqrt(N)": of_activity(lambda da, own: 1 / square(np.hstack(da))),
    "|da| for |da|^2": of_activity(lambda da, own: np.sqrt(n_units(da) / square(np.hstack(da)))),
    "each layer by itself: its own |da|^2": of_activity(lambda da, own: np.sqrt(n_units(da)) / square(own)),
    "each layer by itself: its own N": of_activity(lambda da, own: np.sqrt(own.shape[1]) / square(np.hstack(da))),
    "each layer by itself: its own N and |da|^2": of_activity(lambda da, own: np.sqrt(own.shape[1]) / square(own)),
    "|da|^2 is a mean over the batch": of_activity(
        lambda da, own: np.sqrt(n_units(da)) / np.mean(square(np.hstack(da)))
    ),
    "noise for changes: s for da": perturbation(lambda noise, da, dL, sigma: signals.activity(da, noise, dL, sigma)),
    "the change of the batch's mean loss, not of each sample's": perturbation(signals.activity, mean_change),
    "the loss for its change": perturbation(signals.activity, lambda noisy, clean: noisy),
}

OF_SIGNALS: Final[dict[str, Faults]] = {
    "output_signal": OF_OUTPUT,
    "carry_back": OF_CARRY,
    "hidden_signal": OF_HIDDEN,
    "backpropagation": variants(signals.backpropagation, carry=OF_CARRY, hidden=OF_HIDDEN),
    "feedback_alignment": variants(signals.feedback_alignment, carry=OF_FEEDBACK, hidden=OF_HIDDEN),
    "direct_feedback_alignment": variants(signals.direct_feedback_alignment, carry=OF_FEEDBACK, hidden=OF_HIDDEN),
    "kolen_pollack": variants(signals.kolen_pollack, carry=OF_LEARNED_FEEDBACK, hidden=OF_HIDDEN),
    "sign_symmetry": variants(signals.sign_symmetry, carry=OF_SIGNS, hidden=OF_HIDDEN),
    "target_propagation": OF_TARGET_PROPAGATION,
    "difference_target_propagation": OF_DIFFERENCE,
    "reconstruction_update": OF_RECONSTRUCTION,
    "node_perturbation": OF_NODE,
    "activity_perturbation": OF_ACTIVITY,
}
"""For each error signal: the wrong ones, by the name of the fault."""
