"""Theorems about single updates: how far an implementation is from each, on one example.

Every function returns a distance, in units of the largest number in it, and 0 where the theorem holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from copi_np.arrays import NDArray
from copi_np.conformance.adapter import Adapter
from copi_np.conformance.diagnosis import distance
from copi_np.rules import sgd_update
from copi_np.whitening import off_diagonal, second_moment

Example = dict[str, Any]
"""Arrays by name."""


class Call:
    """One function of an implementation, which takes and returns NumPy arrays."""

    def __init__(self, adapter: Adapter, name: str) -> None:
        self.adapter = adapter
        self.name = name

    def __call__(self, *arrays: Any, **numbers: float) -> Any:
        return self.adapter.call(self.name, arrays, numbers)


def of_rows(name: str, change: Callable[[NDArray], NDArray]) -> Callable[[Call, Example], float]:
    """Return how much an update changes if the samples do."""

    def error(call: Call, example: Example) -> float:
        first, *rest = example.values()
        weights, rows = ([first], rest) if name != "sgd_update" else ([], [first, *rest])
        return distance(call(*weights, *map(change, rows)), call(*weights, *rows))

    return error


def leaves_arguments(call: Call, example: Example) -> float:
    """The same call twice gives the same, and writes into nothing."""
    once = call(*example.values())
    wrote = bool(call.adapter.written)
    return max(distance(call(*example.values()), once), float(wrote))


def copi_is_sgd(call: Call, example: Example) -> float:
    """Theorem 1: dW = <delta x^T> + W off(C)."""
    W, x, delta = example.values()
    return distance(call(W, x, x @ W.T + delta), sgd_update(x, delta) + W @ off_diagonal(second_moment(x)))


def copi_is_local(call: Call, example: Example) -> float:
    """Inputs other than j do not matter for column j."""
    W, x, z = example.values()
    other = x.copy()
    other[:, 1:] += 1.0
    return distance(call(W, other, z)[:, :1], call(W, x, z)[:, :1])


def decorrelated(example: Example) -> Example:
    """Replace x by rows whose second moments are diagonal: each with one input that is not 0."""
    x = example["x"]
    return example | {"x": np.where(np.arange(len(x))[:, None] % x.shape[1] == np.arange(x.shape[1]), x, 0.0)}


def copi_rests(call: Call, example: Example) -> float:
    """Without an error, and with decorrelated inputs, nothing changes."""
    W, x = example.values()
    return distance(call(W, x, x @ W.T), np.zeros_like(W))


def lateral_rests(call: Call, example: Example) -> float:
    """Where C is diagonal, nothing changes."""
    R, x = example.values()
    return distance(call(R, x), np.zeros_like(R))


def triangular(R: NDArray) -> NDArray:
    """Return lateral weights that can be inverted: a lower triangle, with 1 on the diagonal."""
    return np.asarray(np.tril(R, -1) + np.eye(len(R)))


def invertible(example: Example) -> Example:
    """Replace R by lateral weights that can be inverted."""
    return example | {"R": triangular(example["R"])}


def keeps_the_determinant(call: Call, example: Example) -> float:
    """The trace of dR R^-1, the speed of log |det R|, is 0."""
    R, x = example.values()
    A = np.asarray(call(R, x), dtype=np.float64) @ np.linalg.inv(R)
    return float(abs(np.trace(A)) / max(np.max(np.abs(A)), 1.0))


def no_variance_rises(call: Call, example: Example) -> float:
    """The diagonal of dC/dt = A C + C A^T with A = dR R^-1 is never above 0."""
    R, x = example.values()
    A = np.asarray(call(R, x), dtype=np.float64) @ np.linalg.inv(R)
    speed = np.diag(A @ second_moment(x))
    return float(max(np.max(speed), 0.0) / max(np.max(np.abs(A)), 1.0))


def scales_by_squares(call: Call, example: Example) -> float:
    """Inputs twice as large give four times the update."""
    R, x = example.values()
    return distance(call(R, 2 * x), 4 * np.asarray(call(R, x)))


def identity_first(call: Call, example: Example) -> float:
    """From R = I, where both forms are the same, dR = -off(C)."""
    x = example["x"]
    return distance(call(np.eye(x.shape[1]), x), -off_diagonal(second_moment(x)))
