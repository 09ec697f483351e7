"""Linear maps that replace layers of a trained network: receptive fields, and compression (Appendix B)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from copi_np._checks import check_count
from copi_np.arrays import Array, common_namespace, safe_divisor, slices, spectral_rounding
from copi_np.errors import InputError
from copi_np.network import Network
from copi_np.steps import part_of


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
