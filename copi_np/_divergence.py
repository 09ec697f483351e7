"""Detect that training has diverged, and say which layer is to blame and which step size to lower."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np

from copi_np.arrays import Array, NDArray, first_rows
from copi_np.backend import Backend
from copi_np.error_signals import Trace
from copi_np.errors import DivergenceError
from copi_np.layer import Layer
from copi_np.losses import Loss

EXPLODED_LOSS: Final = 1e6
"""A loss this many times that of a silent network (all outputs zero), plus one, counts as exploded."""

EXPLODED_WEIGHT: Final = 1e6
"""A weight above this size counts as exploded."""

EXPLODED_ACTIVITY: Final = 1e3
"""Above this RMS the activity has already exploded, so it no longer shows which step size would be stable."""

LARGE_INPUT: Final = 2
"""Inputs above this RMS, such as pixels from 0 to 255 or 0 to 16, are larger than the step sizes assume."""
N_MEASURED: Final = 1000
"""The size of inputs is measured on this many samples."""

USUAL_BATCH: Final = 50
"""Samples per batch in the paper, which the usual step sizes assume."""

SMALL_BATCH: Final = 10
"""Batches below this size need smaller step sizes: their moments are noisy, and an epoch has more of them."""


def has_exploded(loss: Array, backend: Backend, kind: Loss, targets: Array) -> bool:
    """Return whether the loss of a batch exploded; its limit is computed only if the loss is suspiciously large."""
    return not loss <= EXPLODED_LOSS and not loss <= loss_limit(backend, kind, targets)


def loss_limit(backend: Backend, loss: Loss, targets: Array) -> float:
    """Return the loss above which training counts as diverged, for targets such as these (B, K)."""
    with np.errstate(all="ignore"):  # a user's loss may have no value for a silent network, such as log(0)
        silent = abs(backend.scalar(loss.mean(backend.xp.zeros_like(targets), targets)))
    return EXPLODED_LOSS * (1 + (silent if np.isfinite(silent) else 0.0))


@contextmanager
def located(where: str, batch_size: int = USUAL_BATCH) -> Iterator[None]:
    """Put `where`, such as "epoch 2, ", in front of the message of a divergence inside; add advice on small batches."""
    try:
        yield
    except DivergenceError as error:
        advice = f"; batches of {batch_size} need step sizes about {USUAL_BATCH / batch_size:.2g} times smaller than"
        hint = f"{advice} batches of {USUAL_BATCH}" if batch_size < SMALL_BATCH else ""
        raise DivergenceError(f"{where}{error}{hint}") from None


def check_weights(layers: Sequence[Layer], rates: Mapping[str, float], inputs: Array | None = None) -> None:
    """Raise a DivergenceError if a weight is not finite, or huge.

    Parameters
    ----------
    layers : layers of a network
    rates : mapping     "eta_W", "eta_R" and "delta_scale", the step sizes that led to it
    inputs : (N, I) array, optional
                        what the network learns from
    """
    if not all(size <= EXPLODED_WEIGHT for *_, size in _weight_sizes(layers)):
        raise DivergenceError(blame_weights(layers, rates, inputs))


def check_moments(decorrelation_losses: Sequence[float], dtype: str) -> None:
    """Raise a DivergenceError if the second moments of a layer's inputs overflow."""
    for k, value in enumerate(decorrelation_losses):
        if not np.isfinite(value):
            raise DivergenceError(
                f"training diverged: inputs of layer {k} are too large for {dtype}: scale the inputs down"
            )


def blame_weights(layers: Sequence[Layer], rates: Mapping[str, float], inputs: Array | None = None) -> str:
    """Name the first weights that are not finite, or otherwise the largest ones, and the step size to lower."""
    sizes = list(_weight_sizes(layers))
    not_finite = [found for found in sizes if not np.isfinite(found[-1])]
    k, matrix, size = not_finite[0] if not_finite else max(sizes, key=lambda found: found[-1])
    scale = "" if inputs is None else _scale_first(layers[0].backend, inputs)
    return f"training diverged: {scale}weights reach {size:.3g} in {_advice(layers, k, matrix, rates)}"


def blame_activity(layers: Sequence[Layer], trace: Trace, loss: float, rates: Mapping[str, float]) -> str:
    """Name the weights that make activity grow the most, and the step size to lower.

    Parameters
    ----------
    layers : layers of a network
    trace : Trace       of the forward pass that gave this loss
    loss : float        for the message
    rates : mapping     "eta_W", "eta_R" and "delta_scale", the step sizes that led to it
    """
    gains = list(_gains(layers, trace))
    not_finite = [found for found in gains if not np.isfinite(found[-1])]
    k, matrix, _ = not_finite[0] if not_finite else max(gains, key=lambda found: found[-1])
    advice = _advice(layers, k, matrix, rates)
    if matrix == "R":
        advice += _stable_eta_hint(layers, trace, rates["eta_R"])
    scale = _scale_first(layers[0].backend, trace.y0)
    return f"training diverged: {scale}loss {loss:.3g}, activity explodes at {advice}"


def _scale_first(backend: Backend, inputs: Array) -> str:
    """Say how to scale inputs that are not of unit size; return "" if they are."""
    size = _root_mean_square(backend.to_host(first_rows(inputs, N_MEASURED)))
    if size <= LARGE_INPUT:
        return ""
    how = "Dataset.scaled('standardize'), --standardize, or standardize=True in an estimator"
    return f"the inputs have a root mean square of {size:.3g}, not about 1: scale them first ({how}); "


def _stable_eta_hint(layers: Sequence[Layer], trace: Trace, eta_R: float) -> str:
    """Say which step size would have been stable in every layer whose inputs have not exploded."""
    bounds = []
    for k, (layer, y_in) in enumerate(zip(layers, trace.y_in, strict=True)):
        y = layer.backend.to_host(layer.rows(y_in))
        if layer.lateral_step is not None and (k == 0 or _root_mean_square(y) < EXPLODED_ACTIVITY):
            bounds.append(layer.lateral_step.stable_eta(y))
    smallest = min((bound for bound in bounds if bound is not None), default=eta_R)
    return f"; about {smallest:.1g} is stable from the start on inputs like these" if smallest < eta_R else ""


def _advice(layers: Sequence[Layer], k: int, matrix: str, rates: Mapping[str, float]) -> str:
    """Name the weights, and say what would most likely help."""
    layer = layers[k]
    where = f"{matrix} of layer {k} ({layer.n_inputs} -> {layer.n_outputs})"
    rate = f"eta_{matrix}"
    if rates[rate] == 0:
        return f"{where}: scale the inputs down"
    advice = f"{where}: lower {rate} (now {rates[rate]:g})"
    if matrix == "W" and rates["delta_scale"] > 1:
        advice += f" or delta_scale (now {rates['delta_scale']:g})"
    eta_R = 0.0 if layer.lateral_step is None else rates["eta_R"]
    if matrix == "W" and layer.forward_step.needs_decorrelated_inputs and eta_R < rates["eta_W"]:
        is_frozen = eta_R == 0 and layer.has_lateral_weights
        how = "freeze R later or never" if is_frozen else "let layers decorrelate as fast"
        advice += f", or {how}: COPI needs eta_R no smaller than eta_W"
    return advice


def _weight_sizes(layers: Sequence[Layer]) -> Iterator[tuple[int, str, float]]:
    """Yield layer, matrix and largest absolute weight, in the order of the forward pass."""
    for k, layer in enumerate(layers):
        xp, scalar = layer.backend.xp, layer.backend.scalar
        if layer.has_lateral_weights:
            yield k, "R", scalar(xp.max(xp.abs(layer.R)))
        yield k, "W", scalar(xp.max(xp.abs(layer.W)))


def _gains(layers: Sequence[Layer], trace: Trace) -> Iterator[tuple[int, str, float]]:
    """Yield layer, matrix and the factor by which it makes activity grow, in the order of the forward pass."""
    for k, layer in enumerate(layers):
        states = (layer.rows(trace.y_in[k]), trace.x[k], trace.a[k])
        sizes = [_root_mean_square(layer.backend.to_host(each)) for each in states]
        if layer.has_lateral_weights:
            yield k, "R", sizes[1] / sizes[0]
        yield k, "W", sizes[2] / sizes[1]


def _root_mean_square(values: NDArray) -> float:
    """Return the root mean square in float64, so that squares do not overflow; never 0."""
    values = values.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sqrt(np.mean(values**2)) + np.finfo(np.float64).tiny)
