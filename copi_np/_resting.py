"""Cheaper training while the lateral weights are at rest: decorrelate the training inputs once, not in every epoch."""

from __future__ import annotations

from typing import Final

import numpy as np

from copi_np.arrays import Array, slices
from copi_np.network import Network
from copi_np.rules import decorrelate

MEMORY_SHARE: Final = 0.5
"""The decorrelated inputs are only kept if they take no more than this share of the free memory."""


class RestingR:
    """The inputs of all training samples, decorrelated by the first layer, for as long as its R stays as it is."""

    def __init__(self) -> None:
        self._R: Array | None = None
        self._x0: Array | None = None

    def inputs(self, network: Network, y0: Array, eta_R: float) -> Array | None:
        """Return the decorrelated inputs, or None if R is about to learn, is the identity, or memory is short.

        Parameters
        ----------
        network : Network
        y0 : (N, I) array       the training inputs, always the same
        eta_R : float           step size of R in the coming epoch

        Returns
        -------
        x0 : (N, I) array or None
        """
        layer, xp = network.layers[0], network.backend.xp
        if not layer.has_lateral_weights or (layer.lateral_step is not None and eta_R != 0):
            self._R = self._x0 = None
        elif self._R is None or not bool(xp.all(self._R == layer.R)):
            self._R = self._x0 = None  # memory is free again before it is asked for
            if has_room(network, y0):
                self._R = xp.asarray(layer.R, copy=True)
                self._x0 = xp.empty_like(y0)
                with np.errstate(over="ignore", invalid="ignore"):  # an overflow is reported as divergence
                    for rows in slices(int(y0.shape[0]), 1000):
                        self._x0[rows, :] = decorrelate(self._R, y0[rows, :])
        return self._x0


def has_room(network: Network, y0: Array) -> bool:
    """Return whether the decorrelated inputs, and a copy of R, fit into the free memory."""
    free = network.backend.free_memory()
    n_samples, n_inputs = y0.shape
    n_bytes = n_inputs * (n_samples + n_inputs) * np.dtype(network.dtype).itemsize
    return free is not None and n_bytes <= MEMORY_SHARE * free
