"""Measure a network while it learns, layer by layer: alignment, correlations, variances, the spectrum of R, its step.

Layers are counted from 0, as in ``network.layers``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from copi_np.analysis import alignment_angle, cosine, signal_pairs, step_pairs
from copi_np.arrays import Array, NDArray
from copi_np.backend import Backend
from copi_np.errors import InputError
from copi_np.layer import Layer
from copi_np.network import Network
from copi_np.rules import mean_square
from copi_np.whitening import asymmetry, decorrelation_loss, mean_absolute_correlation, second_moment

SHARES: Final = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""The quantiles of the mean squares that are recorded."""
RANKS: Final = tuple(float(rank) for rank in (1 - np.cos(np.linspace(0, np.pi, 21))) / 2)
"""The relative ranks of the singular values of R that are recorded, whatever its size: 0 is the largest value, 1 the
smallest. They are denser at both ends, where the spectrum changes most."""


@dataclass(frozen=True)
class LayerDiagnostics:
    """A snapshot of one layer; all measures, including those of R, leave out the constant unit of a bias.

    Attributes
    ----------
    angle : float or None               between its error signal and backpropagation's, in degrees; None in the output
                                        layer, where all signals are equal, and for a signal that is zero everywhere
    decorrelation_loss : float          of the inputs x, see `whitening.decorrelation_loss`
    correlation_before, correlation : float
                                        mean absolute correlation of the inputs before (y) and after (x) the lateral
                                        weights, 0 to 1
    power_before, power : list of float
                                        quantiles `SHARES` of the mean squares of the inputs y and x; not centred
    spectrum : list of float or None    singular values of R, the largest first, at the relative ranks `RANKS`. This and
                                        the next two are None for a layer without lateral weights
    log_volume : float or None          log|det R| / I, which decorrelation keeps at 0 to first order (Theorem 4); also
                                        None for a singular R
    asymmetry : float or None           ||R - R^T|| / ||R||
    natural_cosine : float or None      cosine of the step of W R that the network takes on this batch with the natural
                                        step, see `analysis.natural_cosines`; None without step sizes, and for no step
    """

    angle: float | None
    decorrelation_loss: float
    correlation_before: float
    correlation: float
    power_before: list[float]
    power: list[float]
    spectrum: list[float] | None
    log_volume: float | None
    asymmetry: float | None
    natural_cosine: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the measures as plain values, ready for JSON."""
        return asdict(self)


def diagnose(
    network: Network, y0: Array, targets: Array, rates: Mapping[str, float] | None = None
) -> list[LayerDiagnostics]:
    """Measure every layer of a network on a batch.

    For 3072 inputs, the singular values of R take about ten seconds on one core.

    Parameters
    ----------
    network : Network           not changed
    y0 : (B, I) array           inputs
    targets : (B, K) array      desired outputs
    rates : mapping, optional   the arguments of `Network.step`, eta_W and others, to measure its step too

    Returns
    -------
    layers : list of LayerDiagnostics

    Raises
    ------
    InputError                  if the batch does not fit the network
    """
    trace = network.forward(y0)
    angles = [*(_measured(alignment_angle, pair) for pair in signal_pairs(network, trace, targets)), None]
    cosines: list[float | None] = [None] * len(network.layers)
    if rates is not None:
        cosines = [_measured(cosine, pair) for pair in step_pairs(network, trace, targets, rates)]
    states = zip(network.layers, angles, trace.y_in, trace.x, cosines, strict=True)
    return [_diagnose_layer(*state) for state in states]


def _measured(measure: Callable[..., float], pair: tuple[Array, Array]) -> float | None:
    try:
        return measure(*pair)
    except InputError:  # a signal or a step that is zero everywhere has no direction
        return None


def _diagnose_layer(
    layer: Layer, angle: float | None, y: Array, x: Array, natural_cosine: float | None
) -> LayerDiagnostics:
    n = layer.n_inputs
    y = y if layer.patches is None else layer.patches.cut(y)
    x, R = x[:, :n], layer.R[:n, :n] if layer.has_lateral_weights else None
    C = second_moment(x)
    to_host = layer.backend.to_host
    spectrum, log_volume = (None, None) if R is None else _spectrum(layer.backend, R)
    return LayerDiagnostics(
        angle,
        decorrelation_loss(C),
        mean_absolute_correlation(second_moment(y)),
        mean_absolute_correlation(C),
        _floats(np.quantile(to_host(mean_square(y)), SHARES)),
        _floats(np.quantile(to_host(mean_square(x)), SHARES)),
        spectrum,
        log_volume,
        None if R is None else asymmetry(R),
        natural_cosine,
    )


def _spectrum(backend: Backend, R: Array) -> tuple[list[float], float | None]:
    """Return the singular values of R, and log|det R| / I, or None for a singular R."""
    values = backend.to_host(backend.xp.linalg.svdvals(R)).astype(np.float64)
    ranks = np.round(np.array(RANKS) * (len(values) - 1)).astype(int)
    return _floats(values[ranks]), float(np.mean(np.log(values))) if values[-1] > 0 else None


def _floats(values: NDArray) -> list[float]:
    return [float(value) for value in values]
