"""Losses of the network's output, each with its gradient per sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from copi_np.arrays import Array, common_namespace, weigh


class Loss(NamedTuple):
    """A loss, its mean over the batch, and its gradient, sample by sample."""

    name: str
    value: Callable[..., Array]
    gradient: Callable[[Array, Array], Array]


def quadratic(y: Array, targets: Array, sample_weight: Array | None = None) -> Array:
    """Quadratic loss ||y - y*||^2, summed over outputs and averaged over the batch (Algorithm 1, line 9).

    Parameters
    ----------
    y : (B, K) array          outputs of the network
    targets : (B, K) array    desired outputs, y*
    sample_weight : (B,) array or None
                              how many times each sample counts, see `arrays.weigh`

    Returns
    -------
    () array
    """
    xp = common_namespace("BK BK", y, targets)
    return xp.sum(weigh(y - targets, sample_weight) ** 2) / y.shape[0]


def quadratic_gradient(y: Array, targets: Array) -> Array:
    """Gradient of each sample's quadratic loss, 2 (y - y*); shapes as in `quadratic`, (B, K) in return."""
    common_namespace("BK BK", y, targets)
    return 2 * (y - targets)


def log_softmax(y: Array) -> Array:
    """Logarithm of the softmax over classes, of logits y (B, K)."""
    xp = common_namespace("BK", y)
    shifted = y - xp.max(y, axis=1, keepdims=True)  # so that exp cannot overflow
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=1, keepdims=True))


def cross_entropy(y: Array, targets: Array, sample_weight: Array | None = None) -> Array:
    """Cross-entropy of the softmax of y, averaged over the batch, in nats.

    Parameters
    ----------
    y : (B, K) array          logits: use it with a linear output layer
    targets : (B, K) array    class probabilities, one-hot for labels
    sample_weight : (B,) array or None
                              how many times each sample counts, see `arrays.weigh`

    Returns
    -------
    () array
    """
    xp = common_namespace("BK BK", y, targets)
    return -xp.sum(weigh(targets, sample_weight) * weigh(log_softmax(y), sample_weight)) / y.shape[0]


def cross_entropy_gradient(y: Array, targets: Array) -> Array:
    """Gradient of each sample's cross-entropy, softmax(y) - y*; shapes as in `cross_entropy`, (B, K) in return."""
    xp = common_namespace("BK BK", y, targets)
    return xp.exp(log_softmax(y)) - targets


LOSSES = {
    "quadratic": Loss("quadratic", quadratic, quadratic_gradient),
    "cross_entropy": Loss("cross_entropy", cross_entropy, cross_entropy_gradient),
}
