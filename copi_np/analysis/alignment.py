"""The alignment of error signals with backpropagation, and of steps with the natural step."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from math import acos, inf, pi

from copi_np.arrays import Array, common_namespace
from copi_np.error_signals import Trace, backpropagation, output_signal
from copi_np.errors import InputError
from copi_np.family import DAMPING, natural_update
from copi_np.layer import ReadOnlyLayer
from copi_np.network import Network
from copi_np.whitening import second_moment


def alignment_angle(delta: Array, reference: Array) -> float:
    """Return the angle between two error signals of a layer, each batch taken as one long vector.

    Parameters
    ----------
    delta, reference : (B, O) arrays

    Returns
    -------
    float           in degrees, 0 to 180: below 90, a small step along `delta` has a component along `reference`

    Raises
    ------
    InputError      if one of the two is zero everywhere or not finite, and so has no direction
    """
    return acos(cosine(delta, reference)) * 180 / pi


def cosine(u: Array, v: Array) -> float:
    """Return the cosine of the angle between two matrices, each taken as one long vector.

        cos = <u, v> / (|u| |v|),       <u, v> = sum of u_ij v_ij

    Parameters
    ----------
    u, v : arrays   two of the same shape, such as error signals (B, O) or steps (O, I)

    Returns
    -------
    float           -1 to 1

    Raises
    ------
    InputError      if one of the two is zero everywhere or not finite, and so has no direction
    """
    xp = common_namespace("BO BO", u, v)
    return float(xp.clip(xp.sum(_direction(u) * _direction(v)), -1.0, 1.0))  # rounding may exceed 1


def _direction(u: Array) -> Array:
    """Scale a matrix, as one long vector, to length 1."""
    xp = common_namespace("BO", u)
    largest = xp.max(xp.abs(u))
    if not 0 < float(largest) < inf:
        raise InputError(
            "an error signal or a step that is zero everywhere, or not finite, has no direction: give another batch"
        )
    scaled = u / largest  # float32 cannot hold the squares of very small or large signals
    return scaled / xp.linalg.vector_norm(scaled)


def alignment_angles(network: Network, y0: Array, targets: Array) -> list[float]:
    """Return the angle between the network's error signal and backpropagation's, in every hidden layer.

    Parameters
    ----------
    network : Network           not changed
    y0 : (B, I) array           inputs
    targets : (B, K) array      desired outputs

    Returns
    -------
    angles : list of float      in degrees, the first hidden layer first; in the output layer all signals are equal

    Raises
    ------
    InputError                  if the batch does not fit the network, or a signal is zero everywhere
    """
    return [alignment_angle(*pair) for pair in signal_pairs(network, network.forward(y0), targets)]


def signal_pairs(network: Network, trace: Trace, targets: Array) -> list[tuple[Array, Array]]:
    """Return the network's own error signal and backpropagation's, (B, O) each, for every hidden layer."""
    own = network.error_signals(trace, targets)
    delta_L = output_signal(network.loss, network.layers[-1].activation, trace.a[-1], trace.y[-1], targets)
    layers = [ReadOnlyLayer(layer) for layer in network.layers]
    exact = backpropagation(layers, trace, network.feedback, delta_L)
    return list(zip(own[:-1], exact[:-1], strict=True))


def natural_cosines(network: Network, y0: Array, targets: Array, **rates: float) -> list[float]:
    """Return how far the step that a network takes on a batch points along the natural step, in every layer.

        cos(S, N),      S = W' R' - W R,        N = <delta y^T> (<y y^T> + damping)^-1

    W' and R' are the weights after the step, and delta is the network's own error signal (Theorem 15).

    Parameters
    ----------
    network : Network           not changed: a copy takes the step
    y0 : (B, I) array           inputs
    targets : (B, K) array      desired outputs
    **rates : float             step sizes, as for `Network.step`: eta_W, and if they differ from it eta_R; delta_scale

    Returns
    -------
    cosines : list of float     -1 to 1, the first layer first

    Raises
    ------
    InputError                  if the batch or a step size does not fit, or a step is zero everywhere
    """
    return [cosine(*pair) for pair in step_pairs(network, network.forward(y0), targets, rates)]


def step_pairs(network: Network, trace: Trace, targets: Array, rates: Mapping[str, float]) -> list[tuple[Array, Array]]:
    """Return the step of W R that a network takes on a batch, and the natural one, (O, I) each, for every layer."""
    after = deepcopy(network)
    after.step(trace.y0, targets, **rates)
    signals = zip(network.layers, network.error_signals(trace, targets), strict=True)
    deltas = [delta if layer.patches is None else layer.patches.as_rows(delta) for layer, delta in signals]
    inputs = [layer.rows(y) for layer, y in zip(network.layers, trace.y_in, strict=True)]
    layers = zip(network.layers, after.layers, inputs, deltas, strict=True)
    return [
        (moved.folded() - layer.folded(), natural_update(y, delta, second_moment(y), DAMPING))
        for layer, moved, y, delta in layers
    ]


# ------------------------------------------------------------------------------ receptive fields and compression
