"""Cheaper decorrelation: what to compute once while R is frozen, and how large the steps of every n-th batch may be."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np

from copi_np.architecture import CHUNK, chunk_size
from copi_np.arrays import Array, NDArray, slices, weigh
from copi_np.errors import CopiWarning, InputError
from copi_np.layer import Layer
from copi_np.network import Network
from copi_np.rules import decorrelate
from copi_np.steps import LocalStep, MatrixStep, SparseStep
from copi_np.whitening import off_diagonal, second_moment

MEMORY_SHARE: Final = 0.5
"""The decorrelated inputs are kept only if they take no more than this share of the free memory."""


class RestingR:
    """Keeps the training inputs, decorrelated by the first layer, for as long as its R is frozen."""

    def __init__(self) -> None:
        self._R: Array | None = None
        self._x0: Array | None = None

    def inputs(self, network: Network, y0: Array, eta_R: float) -> Array | None:
        """Return the decorrelated inputs, or None if R is about to learn, is the identity, or memory is short.

        Also None for a convolution, whose patches of all samples would take many times the memory of the samples. If
        memory is short, a warning says so, since every step then takes longer.

        Parameters
        ----------
        network : Network
        y0 : (N, I) array       the training inputs, always the same
        eta_R : float           step size of R in the coming epoch

        Returns
        -------
        x0 : (N, I) array or None   (N, I+1) with a bias
        """
        layer, xp = network.layers[0], network.backend.xp
        if not has_inputs_to_keep(layer) or (layer.lateral_step is not None and eta_R != 0):
            self._R = self._x0 = None
        elif self._R is None or not bool(xp.all(self._R == layer.R)):
            self._R = self._x0 = None  # frees the memory before it is asked for again
            if has_room(network, y0):
                self._R = xp.asarray(layer.R, copy=True)
                self._x0 = xp.empty((y0.shape[0], layer.R.shape[0]), dtype=y0.dtype, device=network.backend.device)
                with np.errstate(over="ignore", invalid="ignore"):  # an overflow is reported as divergence
                    for rows in slices(int(y0.shape[0]), CHUNK):
                        self._x0[rows, :] = decorrelate(self._R, layer.rows(y0[rows, :]))
            else:
                warnings.warn(
                    f"R is frozen, but {kept_bytes(network, y0) / 1e6:.0f} MB: too much to keep the decorrelated "
                    "inputs in half of the free memory; steps take longer without them",
                    CopiWarning,
                    stacklevel=3,
                )
        return self._x0


def has_inputs_to_keep(layer: Layer) -> bool:
    """Return whether decorrelated inputs of a first layer are worth keeping: not patches, which are too many."""
    return layer.patches is None and layer.has_lateral_weights


def kept_bytes(network: Network, y0: Array) -> int:
    """Return the bytes of the decorrelated inputs and of the copy of R that `RestingR` keeps."""
    n_samples, n_inputs = int(y0.shape[0]), int(network.layers[0].R.shape[0])
    return n_inputs * (n_samples + n_inputs) * np.dtype(network.dtype).itemsize


def has_room(network: Network, y0: Array) -> bool:
    """Return whether what `RestingR` keeps fits into the free memory."""
    free = network.backend.free_memory()
    return free is not None and kept_bytes(network, y0) <= MEMORY_SHARE * free


def check_decorrelation_every(network: Network, y0: Array, eta_R: float, sample_weight: Array | None = None) -> None:
    """Raise an InputError if updates at every n-th batch, with n times the step size, would diverge from the start.

    Parameters
    ----------
    network : Network               about to be trained
    y0 : (N, I) array               the training inputs, of which some are looked at, evenly spread
    eta_R : float                   step size of R in the coming epoch
    sample_weight : (N,) array      how many times each sample counts, if not once
    """
    if eta_R == 0 or all(_every_of_eq_4(layer.lateral_step) == 1 for layer in network.layers):
        return
    n_rows = int(y0.shape[0])
    every_nth = slice(0, n_rows, -(-n_rows // chunk_size(network.plans)))  # data may be sorted by class
    y0 = y0[every_nth, :]
    weights = None if sample_weight is None else sample_weight[every_nth]
    for k, (layer, x) in enumerate(zip(network.layers, network.forward(y0).x, strict=True)):
        every = _every_of_eq_4(layer.lateral_step)
        rows = x if weights is None else weigh(x, network.backend.xp.repeat(weights, x.shape[0] // y0.shape[0]))
        if every > 1 and every * eta_R > (limit := largest_first_step(network.backend.to_host(rows))):
            raise InputError(
                f"decorrelation_every={every} takes steps of {every} eta_R = {every * eta_R:g} in layer {k}, where "
                f"decorrelation diverges above {limit:.2g}: lower eta_R or decorrelation_every, or use "
                "decorrelation_samples instead"
            )


def _every_of_eq_4(step: Any) -> int:
    """Return at every how many batches R learns by either form of Eq. 4, the only rule whose limit is known; or 1."""
    return step.every if isinstance(step, SparseStep) and isinstance(step.inner, (MatrixStep, LocalStep)) else 1


def largest_first_step(x: NDArray) -> float:
    """Return the step size of decorrelation above which it diverges from the start: 2 / mu, see Theorem 5.

    mu is the largest eigenvalue of off(<x x^T>). Along its eigenvector, the first step multiplies x by 1 - eta mu.

    Parameters
    ----------
    x : (N, I) array

    Returns
    -------
    eta : float             inf if nothing diverges, or if squares overflow
    """
    with np.errstate(over="ignore", invalid="ignore"):
        E = off_diagonal(second_moment(x.astype(np.float64)))
    mu = float(np.linalg.eigvalsh(E)[-1]) if np.isfinite(E).all() else 0.0
    return 2 / mu if mu > 0 else np.inf
