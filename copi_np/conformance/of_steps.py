"""Theorems about whole steps of Algorithm 1, as `of_updates` has them of single equations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from copi_np.arrays import NDArray
from copi_np.conformance.diagnosis import distance
from copi_np.conformance.of_updates import Call, Example, triangular
from copi_np.conformance.signals import leaky_relu, output_signal
from copi_np.rules import mean_outer
from copi_np.whitening import off_diagonal, second_moment

ETA: Final = 0.25
"""A power of 2, so that dividing by it is exact."""


def network(example: Example) -> Example:
    """Give two layers lateral weights that can be inverted, and weights and inputs that are not 0 all at once."""
    lateral = {name: triangular(example[name]) for name in ("R1", "R2")}
    forward = {name: example[name] + 0.3125 for name in ("W1", "W2")}
    return example | lateral | forward | {"y0": example["y0"] + 0.0625}


def layers_of(example: Example) -> tuple[list[NDArray], list[NDArray], NDArray, NDArray]:
    """Return W and R as lists, and the batch, as a step takes them."""
    return [example["W1"], example["W2"]], [example["R1"], example["R2"]], example["y0"], example["targets"]


class States(NamedTuple):
    """x and a of both layers, and delta of the upper one."""

    x: list[NDArray]
    a: list[NDArray]
    delta: NDArray


def states_of(example: Example) -> States:
    """Pass the batch through both layers."""
    W, R, y, targets = layers_of(example)
    xs, a = [], []
    for W_k, R_k in zip(W, R, strict=True):
        xs.append(y @ R_k.T)
        a.append(xs[-1] @ W_k.T)
        y = leaky_relu(a[-1])
    return States(xs, a, output_signal(a[-1], y, targets))


def moves(call: Call, example: Example, **rates: float) -> tuple[Any, Any]:
    """Return what a step adds to W and R, divided by the step sizes."""
    W, R, y0, targets = layers_of(example)
    rates = {"eta_W": ETA, "eta_R": ETA} | rates
    W_new, R_new = call(W, R, y0, targets, **rates)[:2]
    return (
        [(np.asarray(new, dtype=np.float64) - old) / rates["eta_W"] for new, old in zip(W_new, W, strict=True)],
        [(np.asarray(new, dtype=np.float64) - old) / rates["eta_R"] for new, old in zip(R_new, R, strict=True)],
    )


def step_leaves_arguments(call: Call, example: Example) -> float:
    """The same step twice gives the same: it keeps nothing, and writes into nothing."""
    W, R, y0, targets = layers_of(example)
    once, again = (call(W, R, y0, targets, eta_W=ETA, eta_R=ETA) for _ in range(2))
    return distance(once, again)


def batch_is_left(call: Call, example: Example) -> float:
    """Weights may be updated in place, but y0 and targets are left as they are."""
    arguments = layers_of(example)
    call(*arguments, eta_W=ETA, eta_R=ETA)
    return float(any(k >= len(arguments) - 2 for k in call.adapter.written))


def nothing_moves_at_0(call: Call, example: Example) -> float:
    """Step sizes of 0 leave the weights as they are."""
    W, R, y0, targets = layers_of(example)
    return distance(call(W, R, y0, targets, eta_W=0.0, eta_R=0.0)[:2], [W, R])


def linear_in_eta(call: Call, example: Example) -> float:
    """Half the step size gives half the move, and the other step size does not matter."""
    W_move, R_move = moves(call, example)
    W_half, R_one = moves(call, example, eta_W=ETA / 2)
    W_one, R_half = moves(call, example, eta_R=ETA / 2)
    return max(distance([W_half, W_one], [W_move, W_move]), distance([R_half, R_one], [R_move, R_move]))


def step_of_rows(change: Callable[[NDArray], NDArray]) -> Callable[[Call, Example], float]:
    """Return how much a step changes if the samples do."""

    def error(call: Call, example: Example) -> float:
        changed = example | {name: change(example[name]) for name in ("y0", "targets")}
        return distance(list(moves(call, changed)), list(moves(call, example)))

    return error


def lateral_ignores_targets(call: Call, example: Example) -> float:
    """R learns from the inputs alone."""
    return distance(moves(call, example | {"targets": example["targets"] + 1.0})[1], moves(call, example)[1])


def cancels(call: Call, example: Example) -> float:
    """Theorem 2: to first order, W R of the upper layer moves by <delta x^T> R; decorrelation does not disturb it."""
    W, R, *_ = layers_of(example)
    x, _, delta = states_of(example)
    dW, dR = (of_layers[1] for of_layers in moves(call, example))
    return distance(dW @ R[1] + W[1] @ dR, mean_outer(delta, x[1]) @ R[1])


def follows_the_gradient(call: Call, example: Example) -> float:
    """W of the lower layer moves by the negative gradient of the mean loss, by finite differences, and by W off(C)."""
    W, R, _, targets = layers_of(example)
    x, a, _ = states_of(example)
    if min(np.min(np.abs(a_k)) for a_k in a) < 1e-3:
        return 0.0  # too near the kink of the leaky ReLU for differences

    def loss(W_0: NDArray) -> float:
        y = leaky_relu(leaky_relu(x[0] @ W_0.T) @ R[1].T @ W[1].T)
        return float(np.mean(np.sum((y - targets) ** 2, axis=1)))

    h, gradient = 1e-5, np.zeros_like(W[0])
    for at in np.ndindex(W[0].shape):
        nudge = np.zeros_like(W[0])
        nudge[at] = h
        gradient[at] = (loss(W[0] + nudge) - loss(W[0] - nudge)) / (2 * h)
    error = distance(moves(call, example)[0][0], W[0] @ off_diagonal(second_moment(x[0])) - gradient)
    return error if error > 1e-6 else 0.0  # the differences err by so much
