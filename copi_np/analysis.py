"""Measure what a rule or a network does: the path of the lateral weights, the alignment of error signals and of steps,
and linear maps that replace layers of a trained network (receptive fields and compression).

Layers are counted from 0 here, as in ``network.layers``: the paper's layer 1 is layer 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from math import acos, inf, pi
from typing import Any

import numpy as np
from array_api_compat import device

from copi_np._checks import check_count, check_rate
from copi_np._parts import label, named_arguments
from copi_np.arrays import Array, check_like, common_namespace, safe_divisor, slices, spectral_rounding
from copi_np.error_signals import Trace, backpropagation, output_signal
from copi_np.errors import InputError
from copi_np.family import DAMPING, natural_update
from copi_np.layer import ReadOnlyLayer
from copi_np.network import Network
from copi_np.rules import decorrelate, decorrelation_update
from copi_np.steps import LATERAL_ARGUMENTS, part_of
from copi_np.whitening import second_moment


def decorrelation_path(
    y: Array, eta_R: float, n_steps: int, update: Callable[..., Array] = decorrelation_update
) -> Iterator[Array]:
    """Yield the lateral weights as they decorrelate one batch, starting from the identity: one matrix per step.

    Parameters
    ----------
    y : (B, I) array        input of the layer, the same at every step
    eta_R : float           step size
    n_steps : int
    update : function       ``decorrelation_update``, ``local_decorrelation_update``, or any rule that
                            ``Network(decorrelation=..)`` takes: a function of any of R, x, y, eta_R and sample_weight

    Yields
    ------
    R : (I, I) array        ``n_steps + 1`` matrices, the identity first

    Raises
    ------
    InputError              if y is not a batch, a number is out of range, or the rule is invalid
    """
    common_namespace("BI", y)
    eta_R = check_rate("eta_R", eta_R)
    check_count("n_steps", n_steps)
    move = lateral_move(update)
    return _path(y, eta_R, n_steps, move)  # a generator would check its arguments only at the first iteration


def _path(y: Array, eta_R: float, n_steps: int, move: Callable[[Array, Array, float], Array]) -> Iterator[Array]:
    xp = common_namespace("BI", y)
    R = xp.eye(y.shape[1], dtype=y.dtype, device=device(y))
    yield R
    for _ in range(n_steps):
        R = move(R, y, eta_R)
        yield R


def lateral_move(update: Callable[..., Array]) -> Callable[[Array, Array, float], Array]:
    """Return the function of R (I, I), y (B, I) and eta_R that gives R + eta_R dR, for a rule called by name.

    Raises
    ------
    InputError              if the rule asks for unknown arguments or, when the function is called, returns no dR (I, I)
    """
    names = named_arguments("update", update, LATERAL_ARGUMENTS)

    def move(R: Array, y: Array, eta_R: float) -> Array:
        known = {"R": R, "x": decorrelate(R, y), "y": y, "eta_R": eta_R, "sample_weight": None}
        dR = update(**{name: known[name] for name in names})
        check_like(f"update {label(update)} returned", dR, R)
        return R + eta_R * dR

    return move


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


def stack_map(network: Network, y0: Array, first: int, last: int, batch_size: int = 1000) -> Array:
    """Return the linear map that replaces a stack of layers: from the input x of `first` to the output y of `last`.

        W = <y x^T> diag<x^2>^-1                            (Appendix B, `rules.linear_map`)

    The map leads to the output, not to the pre-activation a. Since a is linear in the output of the layer below, a map
    to a would only replace the stack without its last layer; that layer would still be there.

    On decorrelated inputs this is the least-squares map. On correlated inputs, as in a network without lateral weights,
    it is not: whatever several inputs share is counted once for each of them.

    Parameters
    ----------
    network : Network           not changed
    y0 : (N, I) array           inputs of the network, ideally all training samples
    first, last : int           layers, counted from 0, `last` not before `first`
    batch_size : int            samples per chunk, which bounds the memory used

    Returns
    -------
    W : (O_last, I_first) array
                                columns of inputs that are always zero are zero. With a bias (O_last, I_first + 1): the
                                last column leads from the constant unit

    Raises
    ------
    InputError                  if there are no such layers, or y0 does not fit the network
    """
    products, power = _moments(network, y0, first, last, batch_size)
    return products / safe_divisor(power)


def least_squares_map(network: Network, y0: Array, first: int, last: int, batch_size: int = 1000) -> Array:
    """Return the best linear map from the input x of `first` to the output y of `last`, the reference for `stack_map`.

        W = <y x^T> <x x^T>^+                               (Appendix B, before it assumes decorrelated inputs)

    It needs the pseudo-inverse of an (I, I) matrix, computed in float64 and for inputs in units of their root mean
    square, so that weak inputs count as much as the others. Directions in which x is
    only rounding error are left out.

    Parameters, return value and errors are those of `stack_map`.
    """
    xp = common_namespace("BI", y0)
    products, moment = 0.0, 0.0
    for x, y in _states(network, y0, first, last, batch_size):
        x, y = xp.astype(x, xp.float64), xp.astype(y, xp.float64)
        products += y.T @ x
        moment += x.T @ x
    rms = safe_divisor(xp.linalg.diagonal(moment) ** 0.5)
    of_x = int(rms.shape[0]) * float(xp.finfo(y0.dtype).eps)
    rtol = max(of_x**2, spectral_rounding(moment))  # an eigenvalue of <x x^T> is the square of a singular value of x
    W = (products / rms) @ xp.linalg.pinv(moment / rms / rms[:, None], rtol=rtol) / rms
    return xp.astype(W, y0.dtype)


def receptive_fields(
    network: Network, y0: Array, layer: int = -1, *, standardized: bool = False, batch_size: int = 1000
) -> Array:
    """Return what the units of a layer respond to, in linear approximation: one picture each (Section 3.2, Figure 3B).

    Row i is the field of unit i: the correlation <y_i x> of its output with each decorrelated input of the network,
    divided by the input's mean square. This is `stack_map` from the first layer's input. As in the paper, fields are
    in the coordinates of x, not of the pixels: ``fields @ network.layers[0].R`` is the same map for pixels. The
    constant unit of a bias is left out, also of R in that product. If the first layer is a convolution, only its own
    filters have fields (``layer=0``): on a patch, (F, C k^2).

    Parameters
    ----------
    network : Network           not changed
    y0 : (N, I) array           inputs of the network, ideally all training samples
    layer : int                 counted from 0, or from the end: -1 is the output layer
    standardized : bool         divide by the root mean square instead, which gives the weights of inputs in units of
                                their root mean square. Useful for pictures: inputs that are nearly always zero, such
                                as pixels at the edge, otherwise have by far the largest weights
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
    fields = products / safe_divisor(power**0.5 if standardized else power)
    return fields[:, : network.layers[0].n_inputs]


def compress(
    network: Network,
    y0: Array,
    keep: int,
    *,
    first: int = 1,
    linear_map: Callable[..., Array] = stack_map,
    batch_size: int = 1000,
) -> Network:
    """Replace several layers by one matrix, without retraining (Appendix B, Figure 3C).

    Of L layers, L - `keep` + 1 are replaced, starting with `first`; with ``keep=L``, only the layer `first`, which
    becomes linear. The new layer keeps the lateral weights of `first`. Its activation is linear, since the map leads to
    outputs. The paper keeps the first layer (``first=1``), because some pixels of MNIST are always zero; with
    ``first=0`` such pixels get no weight.

    Parameters
    ----------
    network : Network           not changed
    y0 : (N, I) array           inputs of the network, ideally all training samples
    keep : int                  number of layers of the compressed network, from ``first + 1`` to L
    first : int                 first layer to replace, counted from 0
    linear_map : function       `stack_map`, the formula of Appendix B, or `least_squares_map`
    batch_size : int            samples per chunk

    Returns
    -------
    compressed : Network        a new network, to use, save or train. Its error signal is backpropagation: feedback
                                matrices do not fit across the removed layers

    Raises
    ------
    InputError                  if there are not that many layers, or y0 does not fit the network
    """
    if network.has_convolutions:
        raise InputError("compress replaces dense layers, and this network has convolutions: it cannot be compressed")
    n_layers = len(network.layers)
    check_count("first layer", first, minimum=0)
    if first >= n_layers:
        raise InputError(f"first layer must be at most {n_layers - 1} in this network, got {first}")
    check_count("keep", keep, minimum=first + 1)
    if keep > n_layers:
        raise InputError(f"keep must be at most {n_layers}, the number of layers, got {keep}")
    last = first + n_layers - keep
    W = linear_map(network, y0, first, last, batch_size)
    kept = [*network.layers[: first + 1], *network.layers[last + 1 :]]  # of layer `first`, only R is kept
    sizes = [network.layers[0].n_inputs, *(layer.n_outputs for layer in kept)]
    activations: list[Any] = [layer.activation for layer in kept]
    sizes[first + 1], activations[first] = network.layers[last].n_outputs, "linear"
    changes = {"sizes": sizes, "activation": activations, "output_activation": activations[-1], "error_signal": "bp"}
    changes["rule"] = [part_of(layer.forward_step) for layer in kept]
    changes["decorrelation"] = [part_of(layer.lateral_step) for layer in kept]
    compressed = Network(**network.parts | changes, rng=np.random.default_rng(0), backend=network.backend)
    compressed.scaling = network.scaling
    for k, (new, old) in enumerate(zip(compressed.layers, kept, strict=True)):
        new.W = W if k == first else old.W
        if old.has_lateral_weights:
            new.R = old.R
    return compressed


def _states(network: Network, y0: Array, first: int, last: int, batch_size: int) -> Iterator[tuple[Array, Array]]:
    """Yield the input x of `first` and the output y of `last`, in chunks of samples."""
    check_count("batch_size", batch_size)
    check_count("first layer", first, minimum=0)
    check_count("last layer", last, minimum=first)
    if last >= len(network.layers):
        raise InputError(f"last layer must be at most {len(network.layers) - 1} in this network, got {last}")
    stack = network.layers[first : last + 1]
    patches = stack[0].patches
    if len(stack) > 1 and any(layer.patches is not None for layer in stack):
        raise InputError(
            f"layers {first} to {last} hold a convolution, whose positions share one map: choose one layer alone"
        )
    for rows in slices(int(y0.shape[0]), batch_size):
        trace = network.forward(y0[rows, :])
        # the output of a convolution at every position, before it is pooled
        yield (
            trace.x[first],
            trace.y[last] if patches is None else patches.as_rows(stack[0].activation.f(trace.a[last])),
        )


def _moments(network: Network, y0: Array, first: int, last: int, batch_size: int) -> tuple[Array, Array]:
    """Return <y x^T> and <x^2> over all samples, for the input x of `first` and the output y of `last`."""
    xp = common_namespace("BI", y0)
    products, power, n_rows = 0.0, 0.0, 0
    for x, y in _states(network, y0, first, last, batch_size):
        products += y.T @ x
        power += xp.sum(x * x, axis=0)
        n_rows += int(x.shape[0])
    return products / n_rows, power / n_rows
