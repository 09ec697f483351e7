"""Error signals from outside the paper: perturbations, which need no backward pass, and learned or signed feedback.

    node_perturbation       delta_k = -(dL / sigma^2) s_k               s_k: noise added to a_k, dL: change of the loss
    activity_perturbation   delta_k = -sqrt(N) (dL / |da|^2) da_k       da_k: change of a_k, in all N units together
    kolen_pollack           delta_k = f'(a_k) * R^T F_k delta_{k+1}     F_k learns as W of the layer above does
    sign_symmetry           delta_k = f'(a_k) * s sign((W R)^T) delta_{k+1}

Notation, arguments and conventions are those of `error_signals`: read that file first. W and R are those of layer k+1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from array_api_compat import device

from copi_np.arrays import Array, common_namespace, weigh
from copi_np.error_signals import (
    ERROR_SIGNALS,
    ErrorSignal,
    Feedback,
    Trace,
    Weights,
    backpropagation,
    feedback_into,
)
from copi_np.losses import Loss
from copi_np.patches import carry_back, carry_forward, to_outputs
from copi_np.rules import copi_update, target_state, transform

SIGMA: Final = 0.01
"""Standard deviation of the noise: small enough for differences to be derivatives, and large enough for float32."""


# ------------------------------------------------------------------------------------------------------ perturbations


def draw_noise(trace: Trace, sigma: float, rng: np.random.Generator) -> list[Array]:
    """Draw Gaussian noise for every unit and sample, on the host, and return it on the device, (B, O_k) each."""
    xp = common_namespace("BI", trace.y0)
    return [xp.asarray(sigma * rng.standard_normal(a.shape), dtype=a.dtype, device=device(a)) for a in trace.a]


def noisy_pass(layers: Sequence[Weights], trace: Trace, noise: Sequence[Array]) -> tuple[list[Array], Array]:
    """Pass a batch through the network again, with noise s_k added to every pre-activation: a~_k = W R y~ + s_k.

    Parameters
    ----------
    layers : L layers       with W, R and activation
    trace : Trace           of the pass without noise
    noise : L arrays        (B, O_k) each

    Returns
    -------
    changes : L arrays      a~_k - a_k, (B, O_k) each; computed from differences, so that small ones are accurate
    y : (B, K) array        output of the network
    """
    changes: list[Array] = []
    y = trace.y0
    for k, (layer, s) in enumerate(zip(layers, noise, strict=True)):
        changes.append(s if k == 0 else carry_forward(layer, y - trace.y[k - 1], layer.R, layer.W) + s)
        y = to_outputs(layer, layer.activation.f(trace.a[k] + changes[k]))
    return changes, y


class Comparison(NamedTuple):
    """The difference of two passes, for each sample."""

    noise: list[Array]
    """Difference of the noise that was added, (B, O_k) each."""
    da: list[Array]
    """Difference of the pre-activations, (B, O_k) each."""
    dL: Array
    """Difference of the loss, (B, 1)."""


def compare(
    layers: Sequence[Weights],
    trace: Trace,
    targets: Array,
    loss: Loss,
    rng: np.random.Generator,
    sigma: float,
    two_noisy: bool,
) -> Comparison:
    """Compare a noisy pass with one without noise, or with a second noisy one; parameters: see `node_perturbation`."""
    noise = draw_noise(trace, sigma, rng)
    da, y = noisy_pass(layers, trace, noise)
    y_other = trace.y[-1]
    if two_noisy:
        noise_other = draw_noise(trace, sigma, rng)
        da_other, y_other = noisy_pass(layers, trace, noise_other)
        noise = [one - other for one, other in zip(noise, noise_other, strict=True)]
        da = [one - other for one, other in zip(da, da_other, strict=True)]
    return Comparison(noise, da, (loss.values(y, targets) - loss.values(y_other, targets))[:, None])


def mean_of(signals: Sequence[list[Array]]) -> list[Array]:
    """Return the mean of several error signals, layer by layer."""
    return [sum(of_layer) / len(signals) for of_layer in zip(*signals, strict=True)]


def node_perturbation(
    layers: Sequence[Weights],
    trace: Trace,
    targets: Array,
    loss: Loss,
    rng: np.random.Generator,
    sigma: float = SIGMA,
    n_noises: int = 1,
    two_noisy: bool = False,
) -> list[Array]:
    """Return the signals of node perturbation: noise that lowers the loss shows each unit which way to go.

        delta_k = -(dL / sigma^2) s_k

    Its mean over the noise approaches `backpropagation` as sigma becomes small. Source: arXiv 2310.00965, and earlier.

    Parameters
    ----------
    layers : L layers           with W, R and activation
    trace : Trace               of the pass without noise
    targets : (B, K) array      desired outputs
    loss : Loss                 dL is the change of its value, sample by sample
    rng : numpy.random.Generator
                                draws the noise
    sigma : float               standard deviation of the noise
    n_noises : int              how many noises to average over
    two_noisy : bool            whether to compare two noisy passes, instead of a noisy one with the one without noise

    Returns
    -------
    deltas : L arrays           (B, O_k) each
    """
    variance = sigma**2 * (2 if two_noisy else 1)
    signals = []
    for _ in range(n_noises):
        noise, _, dL = compare(layers, trace, targets, loss, rng, sigma, two_noisy)
        signals.append([-dL / variance * s for s in noise])
    return mean_of(signals)


def activity_perturbation(
    layers: Sequence[Weights],
    trace: Trace,
    targets: Array,
    loss: Loss,
    rng: np.random.Generator,
    sigma: float = SIGMA,
    n_noises: int = 1,
    two_noisy: bool = False,
) -> list[Array]:
    """Return the signals of activity perturbation, which needs the change of every unit, but not the noise itself.

        delta_k = -sqrt(N) (dL / |da|^2) da_k,      da: the changes of all N units of the network

    Its mean over the noise is nearly parallel to `backpropagation`, but its size relative to it differs by layer
    (Theorem 16). Source: arXiv 2310.00965.

    Parameters and return value are those of `node_perturbation`; the size of the noise cancels.
    """
    xp = common_namespace("BK", targets)
    n_units = sum(int(a.shape[1]) for a in trace.a)
    signals = []
    for _ in range(n_noises):
        _, da, dL = compare(layers, trace, targets, loss, rng, sigma, two_noisy)
        square = sum(xp.sum(da_k * da_k, axis=1, keepdims=True) for da_k in da)
        signals.append([-(n_units**0.5) * dL / square * da_k for da_k in da])
    return mean_of(signals)


# --------------------------------------------------------------------------------------- learned feedback, and signs


def kolen_pollack(layers: Sequence[Weights], trace: Trace, feedback: Feedback, delta_L: Array) -> list[Array]:
    """Return the signals of learned feedback: R^T F_k in place of (W R)^T of the layer above.

    Parameters and return value are those of `backpropagation`; ``feedback[k]`` is (O_k, O_{k+1}), or (C k^2, F) if the
    layer above is a convolution, see `kolen_pollack_updates`.
    """

    def carry(k: int, delta: Array) -> Array:
        return carry_back(layers[k], delta, feedback_into(feedback, k - 1).T, layers[k].R)

    return backpropagation(layers, trace, feedback, delta_L, carry)


def kolen_pollack_updates(
    layers: Sequence[Weights],
    trace: Trace,
    feedback: Feedback,
    deltas: Sequence[Array],
    sample_weight: Array | None,
    eta_W: float,
) -> list[Array | None]:
    """Return what to add to every feedback matrix: it learns from the same states as W of the layer above (Eq. 3).

        dF = <x z^T> - diag<x^2> F

    So F - W^T only decays: each step multiplies its row i by 1 - eta_W <x_i^2>. Source: Kolen and Pollack,
    "Backpropagation without weight transport" (1994), with COPI's decay.

    Parameters
    ----------
    layers, trace, feedback     as for `backpropagation`
    deltas : L arrays           error signals, (B, O_k) each
    sample_weight : (B,) array or None
                                how many times each sample counts
    eta_W : float               step size of the forward weights

    Returns
    -------
    updates : L arrays or None  times eta_W; None for the output layer
    """
    updates: list[Array | None] = [None] * len(layers)
    for k in range(len(layers) - 1):
        x, W = trace.x[k + 1], layers[k + 1].W
        delta, weight, patches = deltas[k + 1], sample_weight, getattr(layers[k + 1], "patches", None)
        if patches is not None:
            delta, weight = patches.signals(delta), patches.repeat(weight)
        z = target_state(transform(W, x), delta)  # not from `trace.a`, which has biases if the layer does
        dW = copi_update(feedback_into(feedback, k).T, weigh(x, weight), weigh(z, weight))
        updates[k] = eta_W * dW.T
    return updates


def sign_symmetry(layers: Sequence[Weights], trace: Trace, delta_L: Array) -> list[Array]:
    """Return the signals of sign symmetry, which go back through the signs of the weights times their root mean square.

    Parameters
    ----------
    layers : L layers           with W, R and activation
    trace : Trace               of the batch
    delta_L : (B, K) array      signal of the output layer

    Returns
    -------
    deltas : L arrays           (B, O_k) each. Source: Liao, Leibo and Poggio, "How important is weight symmetry in
                                backpropagation?" (2016)
    """
    xp = common_namespace("BK", delta_L)

    def carry(k: int, delta: Array) -> Array:
        M = layers[k].W @ layers[k].R
        return carry_back(layers[k], delta, xp.sqrt(xp.mean(M * M)) * xp.sign(M))

    return backpropagation(layers, trace, (), delta_L, carry)


ALL_SIGNALS: Final = ERROR_SIGNALS | {
    "node": ErrorSignal("node", node_perturbation),
    "activity": ErrorSignal("activity", activity_perturbation),
    "kp": ErrorSignal("kp", kolen_pollack, "above", kolen_pollack_updates),
    "ss": ErrorSignal("ss", sign_symmetry),
}
"""Every error signal that has a name."""

DENSE_ONLY: Final = tuple(ALL_SIGNALS[name] for name in ("tp", "dtp"))
"""Error signals that do not work in networks with convolutions."""
