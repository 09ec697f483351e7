"""When training counts as diverged, and what to say then: the layer to blame, and the step size to lower."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from copi_np.arrays import Array
from copi_np.backend import Backend
from copi_np.errors import DivergenceError
from copi_np.layer import Layer, Trace
from copi_np.losses import Loss
from copi_np.steps import CopiStep, matrix_decorrelation_step

EXPLODED_LOSS: Final = 1e6
"""A loss this many times that of a silent network (all outputs zero), plus one, counts as exploded."""

EXPLODED_WEIGHT: Final = 1e6
"""A weight above this size counts as exploded."""

EXPLODED_ACTIVITY: Final = 1e3
"""Units of this size, root mean square, tell nothing of what had been stable."""

LARGE_INPUT: Final = 10
"""Inputs above this size, root mean square, as pixels from 0 to 255 are, need other step sizes than the usual ones."""


def loss_limit(backend: Backend, loss: Loss, targets: Array) -> float:
    """The loss above which training counts as diverged, for targets such as these (B, K)."""
    return EXPLODED_LOSS * (1 + backend.scalar(loss.value(backend.xp.zeros_like(targets), targets)))


@contextmanager
def located(where: str) -> Iterator[None]:
    """Put `where`, such as "epoch 2, ", before the message of a divergence that happens inside."""
    try:
        yield
    except DivergenceError as error:
        raise DivergenceError(f"{where}{error}") from error


def check_weights(layers: Sequence[Layer], rates: Mapping[str, float]) -> None:
    """Raise a DivergenceError if a weight is not finite, or huge.

    Parameters
    ----------
    layers : layers of a network
    rates : mapping     "eta_W", "eta_R" and "delta_scale", with which it came to this
    """
    if not all(size <= EXPLODED_WEIGHT for *_, size in _weight_sizes(layers)):
        raise DivergenceError(blame_weights(layers, rates))


def check_moments(decorrelation_losses: Sequence[float], dtype: str) -> None:
    """Raise a DivergenceError if the second moments of a layer's inputs are too large to be computed."""
    for k, value in enumerate(decorrelation_losses):
        if not np.isfinite(value):
            raise DivergenceError(
                f"training diverged: inputs of layer {k} are too large for {dtype}: scale the inputs down"
            )


def blame_weights(layers: Sequence[Layer], rates: Mapping[str, float]) -> str:
    """Name the first weights that are not finite, or else the largest ones, and the step size to lower."""
    sizes = list(_weight_sizes(layers))
    not_finite = [found for found in sizes if not np.isfinite(found[-1])]
    k, matrix, size = not_finite[0] if not_finite else max(sizes, key=lambda found: found[-1])
    return f"training diverged: weights reach {size:.3g} in {_advice(layers, k, matrix, rates)}"


def blame_activity(layers: Sequence[Layer], trace: Trace, loss: float, rates: Mapping[str, float]) -> str:
    """Name the weights behind which activity grows the most, and the step size to lower.

    Parameters
    ----------
    layers : layers of a network
    trace : Trace       of the forward pass that gave this loss
    loss : float        for the message
    rates : mapping     "eta_W", "eta_R" and "delta_scale", with which it came to this
    """
    gains = list(_gains(layers, trace))
    not_finite = [found for found in gains if not np.isfinite(found[-1])]
    k, matrix, _ = not_finite[0] if not_finite else max(gains, key=lambda found: found[-1])
    advice = _advice(layers, k, matrix, rates)
    if matrix == "R":
        advice += _what_would_be_stable(layers, trace, rates["eta_R"])
    if _root_mean_square(layers[0].backend.to_host(trace.y0)) > LARGE_INPUT:
        advice += "; inputs are large: scale them to about unit size"
    return f"training diverged: loss {loss:.3g}, activity explodes at {advice}"


def _what_would_be_stable(layers: Sequence[Layer], trace: Trace, eta_R: float) -> str:
    """The largest step size that would have been stable in every layer whose inputs have not exploded."""
    bounds = []
    for k, (layer, y_in) in enumerate(zip(layers, trace.y_in, strict=True)):
        y = layer.backend.to_host(y_in)
        if layer.lateral_step is matrix_decorrelation_step and (k == 0 or _root_mean_square(y) < EXPLODED_ACTIVITY):
            bounds.append(stable_eta_R(y))
    smallest = min((bound for bound in bounds if bound is not None), default=eta_R)
    return f"; about {smallest:.1g} is stable from the start on inputs like these" if smallest < eta_R else ""


def stable_eta_R(y: npt.NDArray[Any]) -> float | None:
    """A step size with which lateral weights are stable from the identity on; of the matrix form of the rule.

    Once its inputs are nearly decorrelated, a layer is stable for eta_R < 2 / (the two largest variances together);
    on raw inputs the largest eigenvalue of their second moment takes the place of that sum, and is no smaller than
    half of it. This returns half of that bound, for the moment of one batch differs from that of the next.

    Parameters
    ----------
    y : (B, I) array        inputs of the layer, before its lateral weights

    Returns
    -------
    eta_R : float or None   None where inputs are zero, or their squares too large for numbers
    """
    y = y.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        power = np.sum(y**2)
    if not 0 < power < np.inf:
        return None
    return float(len(y) / np.linalg.norm(y, 2) ** 2)


def _advice(layers: Sequence[Layer], k: int, matrix: str, rates: Mapping[str, float]) -> str:
    """Name the weights, and what would most likely help."""
    where = f"{matrix} of layer {k} ({layers[k].n_inputs} -> {layers[k].n_outputs})"
    rate = f"eta_{matrix}"
    if rates[rate] == 0:
        return f"{where}: scale the inputs down"
    advice = f"{where}: lower {rate} (now {rates[rate]:g})"
    if matrix == "W" and rates["delta_scale"] > 1:
        advice += f" or delta_scale (now {rates['delta_scale']:g})"
    if matrix == "W" and isinstance(layers[k].forward_step, CopiStep) and rates["eta_R"] < rates["eta_W"]:
        advice += ", or let layers decorrelate as fast: COPI needs eta_R no smaller than eta_W"
    return advice


def _weight_sizes(layers: Sequence[Layer]) -> Iterator[tuple[int, str, float]]:
    """Layer, matrix and largest absolute weight, in the order of the forward pass."""
    for k, layer in enumerate(layers):
        xp, scalar = layer.backend.xp, layer.backend.scalar
        if layer.has_lateral_weights:
            yield k, "R", scalar(xp.max(xp.abs(layer.R)))
        yield k, "W", scalar(xp.max(xp.abs(layer.W)))


def _gains(layers: Sequence[Layer], trace: Trace) -> Iterator[tuple[int, str, float]]:
    """Layer, matrix and the factor by which activity grows behind it, in the order of the forward pass."""
    for k, layer in enumerate(layers):
        sizes = [_root_mean_square(layer.backend.to_host(states[k])) for states in (trace.y_in, trace.x, trace.a)]
        if layer.has_lateral_weights:
            yield k, "R", sizes[1] / sizes[0]
        yield k, "W", sizes[2] / sizes[1]


def _root_mean_square(values: npt.NDArray[Any]) -> float:
    """In float64, so that squares do not overflow; never 0."""
    values = values.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sqrt(np.mean(values**2)) + np.finfo(np.float64).tiny)
