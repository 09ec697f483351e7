"""Take wrong numbers apart: find the sum of terms, with constant factors, that an implementation computes.

It explains faults that nobody has listed, such as a decay of 0.9 times its right size, or a damping.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from copi_np.arrays import NDArray
from copi_np.conformance.diagnosis import distance
from copi_np.conformance.signals import leaky_relu_derivative

Terms = dict[str, Any]
"""From a term as text to its value: an array, or one array per layer."""


def forward_terms(W: NDArray, x: NDArray, z: NDArray) -> Terms:
    """Return the terms of which a rule of the forward weights may be made."""
    n, D, C = len(x), np.mean(x * x, axis=0), x.T @ x / len(x)
    return {
        "<delta x^T>": (z - x @ W.T).T @ x / n,
        "W off(C)": W @ (C - np.diag(D)),
        "W diag<x^2>": W * D,
        "W": W,
        "diag<z^2> W": W * np.mean(z * z, axis=0)[:, None],
        "W diag<x>^2": W * np.mean(x, axis=0) ** 2,
        "<z> <x>^T": np.outer(z.mean(axis=0), x.mean(axis=0)),
        "<z^2 x^T>": (z * z).T @ x / n,
        "W |W|": W * np.abs(W),
        "sign(W)": np.sign(W),
    }


def lateral_terms(R: NDArray, x: NDArray) -> Terms:
    """Return the terms of which a rule of the lateral weights may be made."""
    D, C = np.mean(x * x, axis=0), x.T @ x / len(x)
    off = C - np.diag(D)
    return {
        "off(C) R": off @ R,
        "diag(C) R": D[:, None] * R,
        "R off(C)": R @ off,
        "R diag(C)": R * D,
        "R": R,
        "off(C) R^T": off @ R.T,
        "off(C)": off,
        "diag(C)": np.diag(D),
        "I": np.eye(len(R)),
        "R R^T R": R @ R.T @ R,
        "off(C)^2 R": off @ off @ R,
    }


def activation_terms(a: NDArray) -> Terms:
    """Return the pieces of which an activation function or its derivative may be made."""
    positive = (a > 0).astype(float)
    return {
        "a where a > 0": a * positive,
        "a where a < 0": a * (a < 0),
        "1 where a > 0": positive,
        "1 where a = 0": (a == 0).astype(float),
        "1 where a < 0": (a < 0).astype(float),
    }


def output_terms(a: NDArray, y: NDArray, targets: NDArray) -> Terms:
    """Return the terms of which the signal of the output layer may be made."""
    slope = leaky_relu_derivative(a)
    return {
        "f'(a) * (y - y*)": slope * (y - targets),
        "(y - y*)": y - targets,
        "f'(a) * (a - y*)": slope * (a - targets),
        "f'(a) * (y - y*) |y - y*|": slope * (y - targets) * np.abs(y - targets),
        "f'(a) * y": slope * y,
    }


def signal_terms(W: Sequence[NDArray], R: Sequence[NDArray], a: Sequence[NDArray], delta_L: NDArray) -> Terms:
    """Return the terms of which the last hidden layer's signal may be made; a network of one layer has none."""
    if len(W) == 1:
        return {}
    slope, carried = leaky_relu_derivative(a[-2]), delta_L @ W[-1]
    return {
        "f'(a) * (W R)^T delta": slope * (carried @ R[-1]),
        "(W R)^T delta": carried @ R[-1],
        "f'(a) * W^T delta": slope * carried,
        "W^T delta": carried,
        "a": a[-2],
    }


TERMS: Final[dict[str, Callable[..., Terms]]] = {
    **dict.fromkeys(("copi_update", "whitened_update"), forward_terms),
    **dict.fromkeys(("decorrelation_update", "local_decorrelation_update"), lateral_terms),
    **dict.fromkeys(("leaky_relu", "leaky_relu_derivative", "relu", "relu_derivative"), activation_terms),
    "output_signal": output_terms,
    "backpropagation": signal_terms,
}
"""The terms of every function that can be taken apart."""


def in_terms(pairs: Sequence[tuple[Terms, NDArray]], same: float) -> str:
    """Return results as one sum of terms, such as "+1 <delta x^T> -0.5 W", or "" if they are no such sum.

    Parameters
    ----------
    pairs : sequence        terms, and the result that they have to add up to, one pair per case
    same : float            how near the sum must come
    """
    pairs = [pair for pair in pairs if pair[0]]
    if not pairs:
        return ""
    names = list(pairs[0][0])
    columns = np.concatenate([np.stack([terms[name].ravel() for name in names], axis=1) for terms, _ in pairs])
    values = np.concatenate([result.ravel() for _, result in pairs])
    if len(values) <= len(names) or not np.all(np.isfinite(values)):
        return ""
    scale = np.maximum(np.max(np.abs(columns), axis=0), 1e-300)
    factors = np.linalg.lstsq(columns / scale, values, rcond=None)[0] / scale
    if distance(columns @ factors, values) > same:
        return ""
    shares = np.abs(factors) * scale / max(np.max(np.abs(values)), 1e-300)
    shown = [
        f"{factor:+.4g} {name}" for name, factor, share in zip(names, factors, shares, strict=True) if share > same
    ]
    return " ".join(shown) or "0"
