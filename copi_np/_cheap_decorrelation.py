"""Cheaper decorrelation: what to compute once while R is frozen, and how large the steps of every n-th batch may be."""

from __future__ import annotations

from typing import Final

import numpy as np

from copi_np.architecture import CHUNK, chunk_size
from copi_np.arrays import Array, first_rows, slices
from copi_np.errors import InputError
from copi_np.network import Network
from copi_np.rules import decorrelate
from copi_np.steps import every_of

MEMORY_SHARE: Final = 0.5
"""The decorrelated inputs are kept only if they take no more than this share of the free memory."""


class RestingR:
    """Keeps the training inputs, decorrelated by the first layer, for as long as its R is frozen."""

    def __init__(self) -> None:
        self._eta_R: float | None = None
        self._R: Array | None = None
        self._x0: Array | None = None

    def inputs(self, network: Network, y0: Array, eta_R: float) -> Array | None:
        """Return the decorrelated inputs, or None if R is about to learn, is the identity, or memory is short.

        Also None for a convolution, whose patches of all samples would take many times the memory of the samples.

        Parameters
        ----------
        network : Network
        y0 : (N, I) array       the training inputs, always the same
        eta_R : float           step size of R in the coming epoch

        Returns
        -------
        x0 : (N, I) array or None   (N, I+1) with a bias

        Raises
        ------
        InputError                  if updates of R at every n-th batch are bound to diverge
        """
        if eta_R != self._eta_R:
            check_decorrelation_every(network, first_rows(y0, chunk_size(network.plans)), eta_R)
            self._eta_R = eta_R
        layer, xp = network.layers[0], network.backend.xp
        if (
            layer.patches is not None
            or not layer.has_lateral_weights
            or (layer.lateral_step is not None and eta_R != 0)
        ):
            self._R = self._x0 = None
        elif self._R is None or not bool(xp.all(self._R == layer.R)):
            self._R = self._x0 = None  # frees the memory before it is asked for again
            if has_room(network, y0):
                self._R = xp.asarray(layer.R, copy=True)
                self._x0 = xp.empty((y0.shape[0], layer.R.shape[0]), dtype=y0.dtype, device=network.backend.device)
                with np.errstate(over="ignore", invalid="ignore"):  # an overflow is reported as divergence
                    for rows in slices(int(y0.shape[0]), CHUNK):
                        self._x0[rows, :] = decorrelate(self._R, layer.rows(y0[rows, :]))
        return self._x0


def kept_bytes(network: Network, y0: Array) -> int:
    """Return the bytes of the decorrelated inputs and of the copy of R that `RestingR` keeps."""
    n_samples, n_inputs = int(y0.shape[0]), int(network.layers[0].R.shape[0])
    return n_inputs * (n_samples + n_inputs) * np.dtype(network.dtype).itemsize


def has_room(network: Network, y0: Array) -> bool:
    """Return whether what `RestingR` keeps fits into the free memory."""
    free = network.backend.free_memory()
    return free is not None and kept_bytes(network, y0) <= MEMORY_SHARE * free


def check_decorrelation_every(network: Network, y0: Array, eta_R: float) -> None:
    """Raise an InputError if updates at every n-th batch, with n times the step size, are bound to diverge.

    Decorrelation is unstable above a step of 2 / lambda, where lambda is the largest eigenvalue of <x x^T>.

    Parameters
    ----------
    network : Network
    y0 : (N, I) array       some training inputs
    eta_R : float           step size of R in the coming epoch
    """
    if all(every_of(layer.lateral_step) == 1 for layer in network.layers):
        return
    for k, (layer, x) in enumerate(zip(network.layers, network.forward(y0).x, strict=True)):
        step, every = layer.lateral_step, every_of(layer.lateral_step)
        one_over_lambda = None if step is None or every == 1 else step.stable_eta(network.backend.to_host(x))
        if one_over_lambda is not None and eta_R > 2 * one_over_lambda:
            raise InputError(
                f"decorrelation_every={every} takes steps of {every} eta_R = {every * eta_R:g} in layer {k}, where "
                f"decorrelation diverges above {2 * every * one_over_lambda:.2g}: lower eta_R or decorrelation_every, "
                "or use decorrelation_samples instead"
            )
