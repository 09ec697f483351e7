"""Losses of the network's output: one value per sample, and its gradient (Algorithm 1, line 9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from copi_np.arrays import Array, common_namespace


class Loss(NamedTuple):
    """A loss and its gradient, both sample by sample.

    For your own, pass ``Loss("absolute", values, gradient)`` wherever a built-in name is accepted.
    """

    name: str
    values: Callable[[Array, Array], Array]
    """Maps outputs and targets (B, K) to the loss of each sample, (B,)."""
    gradient: Callable[[Array, Array], Array]
    """Maps outputs and targets (B, K) to the gradient of each sample's own loss, (B, K): not divided by B."""

    def mean(self, y: Array, targets: Array, sample_weight: Array | None = None) -> Array:
        """Return the mean loss of a batch (Algorithm 1, line 9).

        Parameters
        ----------
        y, targets : (B, K) arrays              outputs of the network, and desired outputs
        sample_weight : (B,) array or None      how many times each sample counts; the sum is still divided by B

        Returns
        -------
        loss : () array
        """
        values = self.values(y, targets)
        if sample_weight is None:
            return common_namespace("B", values).mean(values)
        return common_namespace("B B", values, sample_weight).mean(values * sample_weight)


def quadratic(y: Array, targets: Array) -> Array:
    """Return the quadratic loss of each sample, ||y - y*||^2 (Algorithm 1, line 9).

    Parameters
    ----------
    y : (B, K) array          outputs of the network
    targets : (B, K) array    desired outputs, y*

    Returns
    -------
    losses : (B,) array       summed over outputs
    """
    xp = common_namespace("BK BK", y, targets)
    return xp.sum((y - targets) ** 2, axis=1)


def quadratic_gradient(y: Array, targets: Array) -> Array:
    """Return the gradient of each sample's quadratic loss, 2 (y - y*); (B, K) like its arguments."""
    common_namespace("BK BK", y, targets)
    return 2 * (y - targets)


def log_softmax(y: Array) -> Array:
    """Return the log-softmax over classes of logits y (B, K)."""
    xp = common_namespace("BK", y)
    shifted = y - xp.max(y, axis=1, keepdims=True)  # so that exp cannot overflow
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=1, keepdims=True))


def cross_entropy(y: Array, targets: Array) -> Array:
    """Return the cross-entropy of the softmax of y for each sample, in nats.

    Parameters
    ----------
    y : (B, K) array          logits: use it with a linear output layer
    targets : (B, K) array    class probabilities, one-hot for labels

    Returns
    -------
    losses : (B,) array
    """
    xp = common_namespace("BK BK", y, targets)
    return -xp.sum(targets * log_softmax(y), axis=1)


def cross_entropy_gradient(y: Array, targets: Array) -> Array:
    """Return the gradient of each sample's cross-entropy, softmax(y) - y*; (B, K) like its arguments."""
    xp = common_namespace("BK BK", y, targets)
    return xp.exp(log_softmax(y)) - targets


LOSSES = {
    "quadratic": Loss("quadratic", quadratic, quadratic_gradient),
    "cross_entropy": Loss("cross_entropy", cross_entropy, cross_entropy_gradient),
}
