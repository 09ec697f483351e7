"""What a network or a rule does, measured: the path of the lateral weights, the alignment of error signals, and the
linear maps that stand for layers of a trained network: receptive fields, and compression.

Layers are counted from 0 here, as in ``network.layers``: the paper's layer 1 is layer 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf, pi
from typing import Any

import numpy as np

from copi_np._checks import check_count, check_rate
from copi_np.arrays import Array, common_namespace
from copi_np.error_signals import Trace, backpropagation
from copi_np.errors import InputError
from copi_np.network import Network
from copi_np.rules import decorrelate, decorrelation_update
from copi_np.steps import part_of


def decorrelation_path(
    y: Array, eta_R: float, n_steps: int, update: Callable[[Array, Array], Array] = decorrelation_update
) -> Iterator[Array]:
    """The lateral weights while they decorrelate one batch, from the identity, one matrix a step.

    Parameters
    ----------
    y : (B, I) array        input of the layer, the same at every step
    eta_R : float           step size
    n_steps : int
    update : function       ``decorrelation_update`` or ``local_decorrelation_update``

    Yields
    ------
    R : (I, I) array        ``n_steps + 1`` matrices, the identity first

    Raises
    ------
    InputError              if y is not a batch, or a number is out of range
    """
    common_namespace("BI", y)
    eta_R = check_rate("eta_R", eta_R)
    check_count("n_steps", n_steps)
    return _path(y, eta_R, n_steps, update)  # what yields would check its arguments only once it is iterated


def _path(y: Array, eta_R: float, n_steps: int, update: Callable[[Array, Array], Array]) -> Iterator[Array]:
    xp = common_namespace("BI", y)
    R = xp.eye(y.shape[1], dtype=y.dtype, device=y.device)
    yield R
    for _ in range(n_steps):
        R = R + eta_R * update(R, decorrelate(R, y))
        yield R


def alignment_angle(delta: Array, reference: Array) -> float:
    """Angle between two error signals of a layer, each batch taken as one long vector.

    Parameters
    ----------
    delta, reference : (B, O) arrays

    Returns
    -------
    float           in degrees, 0 to 180: below 90, a small step along `delta` has a component along `reference`

    Raises
    ------
    InputError      if one of the two is zero everywhere or not finite, and has no direction
    """
    xp = common_namespace("BO BO", delta, reference)
    cosine = xp.clip(xp.sum(_direction(delta) * _direction(reference)), -1.0, 1.0)  # rounding may take it just outside
    return float(xp.acos(cosine)) * 180 / pi


def _direction(delta: Array) -> Array:
    """A signal (B, O) as one vector of length 1."""
    xp = common_namespace("BO", delta)
    largest = xp.max(xp.abs(delta))
    if not 0 < float(largest) < inf:
        raise InputError("an error signal that is zero everywhere, or not finite, has no direction: give another batch")
    scaled = delta / largest  # float32 holds no squares of small or large signals
    return scaled / xp.linalg.vector_norm(scaled)


def alignment_angles(network: Network, y0: Array, targets: Array) -> list[float]:
    """Angle between the network's own error signals and those of backpropagation, in every hidden layer.

    Parameters
    ----------
    network : Network           not changed
    y0 : (B, I) array           inputs
    targets : (B, K) array      desired outputs

    Returns
    -------
    angles : list of float      in degrees, the first hidden layer first; in the output layer all signals are the same

    Raises
    ------
    InputError                  if the batch does not fit the network, or a signal is zero everywhere
    """
    return [alignment_angle(*pair) for pair in signal_pairs(network, network.forward(y0), targets)]


def signal_pairs(network: Network, trace: Trace, targets: Array) -> list[tuple[Array, Array]]:
    """The network's own error signal and backpropagation's, (B, O) each, in every hidden layer."""
    own = network.error_signals(trace, targets)
    exact = backpropagation(network.layers, trace, network.feedback, own[-1])  # all start from the same delta_L
    return list(zip(own[:-1], exact[:-1], strict=True))


# ------------------------------------------------------------------------------ receptive fields and compression


def stack_map(network: Network, y0: Array, first: int, last: int, batch_size: int = 1000) -> Array:
    """The linear map that stands for a stack of layers: from the input x of `first` to the output y of `last`.

        W = <y x^T> diag<x^2>^-1                            (Appendix B, `rules.linear_map`)

    The output, not the pre-activation a: a is linear in the output of the layer below, so that a map to it, followed
    by the activation function, would only be the map of the stack without its last layer, followed by that layer.

    On decorrelated inputs this is the least-squares map. On correlated ones, as of a network without lateral weights,
    it is not: what several inputs have in common counts once for each.

    Parameters
    ----------
    network : Network           not changed
    y0 : (N, I) array           inputs of the network, best all training samples
    first, last : int           layers, counted from 0, `last` not before `first`
    batch_size : int            samples per chunk; no more states than theirs are held at once

    Returns
    -------
    W : (O_last, I_first) array
                                columns of inputs that are always zero are zero

    Raises
    ------
    InputError                  if there are no such layers, or y0 does not fit the network
    """
    products, power = _moments(network, y0, first, last, batch_size)
    return products / _or_one(power)


def least_squares_map(network: Network, y0: Array, first: int, last: int, batch_size: int = 1000) -> Array:
    """The best linear map from the input x of `first` to the output y of `last`: the reference for `stack_map`.

        W = <y x^T> <x x^T>^+                               (Appendix B, before inputs are taken to be decorrelated)

    It takes the pseudo-inverse of an (I, I) matrix. That is computed in float64 and for inputs in units of their root
    mean square, so that inputs that vary little count like the others; of patterns of inputs, those are left out that
    do not stand out from the rounding of x.

    Parameters, return value and errors are those of `stack_map`.
    """
    xp = common_namespace("BI", y0)
    products, moment = 0.0, 0.0
    for x, y in _states(network, y0, first, last, batch_size):
        x, y = xp.astype(x, xp.float64), xp.astype(y, xp.float64)
        products += y.T @ x
        moment += x.T @ x
    rms = _or_one(xp.linalg.diagonal(moment) ** 0.5)
    of_x, of_moment = (int(rms.shape[0]) * float(xp.finfo(dtype).eps) for dtype in (y0.dtype, xp.float64))
    rtol = max(of_x**2, of_moment)  # an eigenvalue of <x x^T> is the square of a singular value of x
    W = (products / rms) @ xp.linalg.pinv(moment / rms / rms[:, None], rtol=rtol) / rms
    return xp.astype(W, y0.dtype)


def receptive_fields(
    network: Network, y0: Array, layer: int = -1, *, standardized: bool = False, batch_size: int = 1000
) -> Array:
    """What the units of a layer respond to, to a linear approximation: a picture for each (Section 3.2, Figure 3B).

    Row i is the field of unit i: the correlation <y_i x> of its output with each decorrelated input of the network,
    divided by the input's mean square. That is `stack_map` from the first layer's input. As in the paper, fields are
    in the coordinates of x, not of the pixels: ``fields @ network.layers[0].R`` is the same map for pixels.

    Parameters
    ----------
    network : Network           not changed
    y0 : (N, I) array           inputs of the network, best all training samples
    layer : int                 counted from 0, or from the end: -1 is the output layer
    standardized : bool         divide by the root mean square instead: the weights of inputs in units of their root
                                mean square. For pictures, since inputs that are nearly always zero, as pixels at the
                                edge are, have by far the largest weights of all
    batch_size : int            samples per chunk

    Returns
    -------
    fields : (O_layer, I) array
                                0 for inputs that are always zero

    Raises
    ------
    InputError                  if there is no such layer, or y0 does not fit the network
    """
    n_layers = len(network.layers)
    check_count("layer", layer, minimum=-n_layers)
    products, power = _moments(network, y0, 0, layer % n_layers if layer < 0 else layer, batch_size)
    return products / _or_one(power**0.5 if standardized else power)


def compress(
    network: Network,
    y0: Array,
    keep: int,
    *,
    first: int = 1,
    linear_map: Callable[..., Array] = stack_map,
    batch_size: int = 1000,
) -> Network:
    """The network with fewer layers: one matrix in place of several, without retraining (Appendix B, Figure 3C).

    Of L layers, L - `keep` + 1 are replaced, from `first` on; with ``keep=L``, the layer `first` alone, which becomes
    linear. The new layer keeps the lateral weights of `first`; its activation is linear, since the map leads to
    outputs. The paper keeps the first layer of all (``first=1``), because some pixels of MNIST are always zero; with
    ``first=0`` such pixels get no weight.

    Parameters
    ----------
    network : Network           not changed
    y0 : (N, I) array           inputs of the network, best all training samples
    keep : int                  number of layers of the compressed network, from ``first + 1`` to L
    first : int                 first layer to be replaced, counted from 0
    linear_map : function       `stack_map`, the formula of Appendix B, or `least_squares_map`
    batch_size : int            samples per chunk

    Returns
    -------
    compressed : Network        with weights of its own, to be used, saved or trained. Its error signal is that of
                                backpropagation: no feedback matrix reaches past layers that are gone

    Raises
    ------
    InputError                  if there are not so many layers, or y0 does not fit the network
    """
    n_layers = len(network.layers)
    check_count("first layer", first, minimum=0)
    if first >= n_layers:
        raise InputError(f"first layer must be at most {n_layers - 1} in this network, got {first}")
    check_count("keep", keep, minimum=first + 1)
    if keep > n_layers:
        raise InputError(f"keep must be at most {n_layers}, the layers of this network, got {keep}")
    last = first + n_layers - keep
    W = linear_map(network, y0, first, last, batch_size)
    kept = [*network.layers[: first + 1], *network.layers[last + 1 :]]  # of the first of the stack, R alone
    sizes = [network.layers[0].n_inputs, *(layer.n_outputs for layer in kept)]
    activations: list[Any] = [layer.activation for layer in kept]
    sizes[first + 1], activations[first] = network.layers[last].n_outputs, "linear"
    changes = {"sizes": sizes, "activation": activations, "output_activation": activations[-1], "error_signal": "bp"}
    changes["rule"] = [part_of(layer.forward_step) for layer in kept]
    changes["decorrelation"] = [part_of(layer.lateral_step) for layer in kept]
    compressed = Network(**network.parts | changes, rng=np.random.default_rng(0), backend=network.backend)
    for k, (new, old) in enumerate(zip(compressed.layers, kept, strict=True)):
        new.W = W if k == first else old.W
        if old.has_lateral_weights:
            new.R = old.R
    return compressed


def _states(network: Network, y0: Array, first: int, last: int, batch_size: int) -> Iterator[tuple[Array, Array]]:
    """The input x of `first` and the output y of `last`, in chunks of samples."""
    check_count("batch_size", batch_size)
    check_count("first layer", first, minimum=0)
    check_count("last layer", last, minimum=first)
    if last >= len(network.layers):
        raise InputError(f"last layer must be at most {len(network.layers) - 1} in this network, got {last}")
    n_samples = int(y0.shape[0])
    for start in range(0, n_samples, batch_size):
        trace = network.forward(y0[start : min(start + batch_size, n_samples), :])
        yield trace.x[first], trace.y[last]


def _moments(network: Network, y0: Array, first: int, last: int, batch_size: int) -> tuple[Array, Array]:
    """<y x^T> and <x^2>, of the input x of `first` and the output y of `last`, over all samples."""
    xp = common_namespace("BI", y0)
    products, power = 0.0, 0.0
    for x, y in _states(network, y0, first, last, batch_size):
        products += y.T @ x
        power += xp.sum(x * x, axis=0)
    n_samples = int(y0.shape[0])
    return products / n_samples, power / n_samples


def _or_one(power: Array) -> Array:
    """What to divide by: 1 for inputs that are always zero, where Appendix B has no value."""
    xp = common_namespace("I", power)
    return xp.where(power > 0, power, xp.ones_like(power))
