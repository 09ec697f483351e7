"""Algorithm 1 of the paper on one page, in the equations of `rules` and `error_signals`. Read it after `rules`.

Everything here is pure: a function returns new weights and leaves its arguments as they are. `Network.step` does the
same in place, faster and with checks; tests check that the two agree. Numbers in the comments are lines of Algorithm 1.
Layers count from 0 here, and the lists of a `Trace` hold x_l, a_l and y_l of every layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from copi_np._parts import call_by_name, named_arguments
from copi_np.activations import ACTIVATIONS, Activation
from copi_np.arrays import Array
from copi_np.error_signals import SIGNAL_ARGUMENTS, Feedback, Trace, Weights, backpropagation, output_signal
from copi_np.losses import LOSSES, Loss
from copi_np.rules import copi_update, decorrelate, decorrelation_update, transform
from copi_np.steps import FORWARD_ARGUMENTS, LATERAL_ARGUMENTS, States


class LayerWeights(NamedTuple):
    """One layer: forward weights W (O, I), lateral weights R (I, I), and its activation function."""

    W: Array
    R: Array
    activation: Activation = ACTIVATIONS["leaky_relu"]


def forward(layers: Sequence[Weights], y0: Array) -> Trace:
    """Pass a batch through the layers (Algorithm 1, lines 4 to 8).

    Parameters
    ----------
    layers : sequence       anything with W, R and activation, such as `LayerWeights`
    y0 : (B, I) array       inputs

    Returns
    -------
    trace : Trace           x, a and y of every layer
    """
    trace = Trace(y0, [], [], [])
    y = y0
    for layer in layers:  # 4
        x = decorrelate(layer.R, y)  # 5
        a = transform(layer.W, x)  # 6
        y = layer.activation.f(a)  # 7
        trace.x.append(x)
        trace.a.append(a)
        trace.y.append(y)
    return trace


def error_signals(
    layers: Sequence[Weights],
    trace: Trace,
    targets: Array,
    loss: Loss = LOSSES["quadratic"],
    signal: Callable[..., list[Array]] = backpropagation,
    feedback: Feedback = (),
    rng: Any = None,
) -> list[Array]:
    """Return the error signal of every layer (Algorithm 1, lines 9 to 12).

    Parameters
    ----------
    layers : sequence       as for `forward`
    trace : Trace           of the forward pass
    targets : (B, K) array  desired outputs, y*
    loss : Loss             the output layer's signal is its negative gradient
    signal : function       one of `copi_np.error_signals`, or any function of `error_signals.SIGNAL_ARGUMENTS`
    feedback : sequence     top-down matrices, if `signal` needs them
    rng : Generator         draws noise, if `signal` asks for it

    Returns
    -------
    deltas : list           (B, O_k) each
    """
    delta_L = output_signal(loss, layers[-1].activation, trace.a[-1], trace.y[-1], targets)  # 9, and 11 for l = L
    known = {
        "layers": layers,
        "trace": trace,
        "feedback": feedback,
        "delta_L": delta_L,
        "targets": targets,
        "loss": loss,
        "rng": rng,
    }
    return signal(**{name: known[name] for name in named_arguments("signal", signal, SIGNAL_ARGUMENTS)})  # 10 to 12


def train_batch(
    layers: Sequence[LayerWeights],
    y0: Array,
    targets: Array,
    *,
    eta_W: float,
    eta_R: float,
    rule: Callable[..., Array] = copi_update,
    decorrelation: Callable[..., Array] | None = decorrelation_update,
    delta_scale: float = 1.0,
    **options: Any,
) -> list[LayerWeights]:
    """Learn from one batch (Algorithm 1, lines 4 to 16).

    Parameters
    ----------
    layers : sequence of LayerWeights
    y0 : (B, I) array           inputs
    targets : (B, K) array      desired outputs, y*
    eta_W, eta_R : float        step sizes of the forward and lateral weights
    rule : function             returns the update of W, such as ``rules.copi_update``; its parameters are any of
                                `steps.FORWARD_ARGUMENTS`
    decorrelation : function or None
                                returns the update of R; its parameters are any of `steps.LATERAL_ARGUMENTS`. The paper
                                prints ``rules.local_decorrelation_update``. None leaves R unchanged
    delta_scale : float         multiplies the error signals of all layers
    **options                   loss, signal, feedback and rng, as for `error_signals`

    Returns
    -------
    layers : list of LayerWeights
    """
    dW = _update("rule", rule, FORWARD_ARGUMENTS)
    dR = None if decorrelation is None else _update("decorrelation", decorrelation, LATERAL_ARGUMENTS)
    trace = forward(layers, y0)  # 4 to 8
    deltas = error_signals(layers, trace, targets, **options)  # 9 to 12
    new = []
    for layer, y, x, a, y_out, delta in zip(layers, trace.y_in, trace.x, trace.a, trace.y, deltas, strict=True):  # 13
        states = States(layer, y, x, a, y_out, delta_scale * delta, eta_R)
        W = layer.W + eta_W * dW(states)  # 14
        R = layer.R if dR is None else layer.R + eta_R * dR(states)  # 15
        new.append(LayerWeights(W, R, layer.activation))
    return new


def train_epoch(
    layers: Sequence[LayerWeights], batches: Iterable[tuple[Array, Array]], **options: Any
) -> list[LayerWeights]:
    """Learn from every batch once (Algorithm 1, lines 3 to 17).

    Parameters
    ----------
    layers : sequence of LayerWeights
    batches : iterable          pairs of inputs (B, I) and targets (B, K)
    **options                   as for `train_batch`

    Returns
    -------
    layers : list of LayerWeights
    """
    new = list(layers)
    for y0, targets in batches:  # 3
        new = train_batch(new, y0, targets, **options)
    return new


def _update(kind: str, rule: Callable[..., Array], known: Sequence[str]) -> Callable[[States], Array]:
    """Return a rule as a function of `States`, from which it takes the arguments that its parameters name."""
    return partial(call_by_name, rule, named_arguments(kind, rule, known))
