"""Error signals: what perturbs the units of every layer towards lower loss (Section 2.5).

All functions share one signature, start from the error signal of the output layer and return one signal a layer:

    backpropagation                  delta_k = f'(a_k) * (W_{k+1} R_{k+1})^T delta_{k+1}
    feedback_alignment               delta_k = f'(a_k) * B_k delta_{k+1}          B_k fixed and random
    direct_feedback_alignment        delta_k = f'(a_k) * B_k delta_L              B_k fixed and random
    target_propagation               delta_k = t_k - a_k,           t_k = f(B_k t_{k+1})
    difference_target_propagation    delta_k = f'(a_k) * (t_k - y_k) / step,
                                                                    t_k = y_k + f(B_k t_{k+1}) - f(B_k y_{k+1})

In the two last, targets start from t_L = y_L + step * delta_L (step is 1 in the first, `TARGET_STEP` in the second),
and B_k is learned: f(B_k y_{k+1}) reconstructs y_k (`reconstruction_update`). Layers are numbered from 0 in the code,
L is the last one; ``feedback[k]`` is the matrix B_k that carries signals into layer k (the paper's B_{l+1}),
(O_k, O_{k+1}), or (O_k, K) for direct feedback alignment with K outputs; that of the output layer is None. All
functions raise `InputError` where feedback is needed and missing, or arrays do not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from copi_np.activations import Activation
from copi_np.arrays import Array, common_namespace, weigh
from copi_np.errors import InputError
from copi_np.layer import Layer, Trace
from copi_np.losses import Loss
from copi_np.rules import mean_outer

Feedback = Sequence[Array | None]


def output_signal(loss: Loss, activation: Activation, a: Array, y: Array, targets: Array) -> Array:
    """Error signal of the output layer, delta_L = -f'(a_L) * dloss/dy_L.

    Parameters
    ----------
    loss : Loss
    activation : Activation     of the output layer
    a, y : (B, K) arrays        pre-activation and output of the output layer
    targets : (B, K) array      desired outputs

    Returns
    -------
    delta_L : (B, K) array      of each sample's own loss: not divided by B
    """
    return -activation.df(a) * loss.gradient(y, targets)


def backpropagation(layers: Sequence[Layer], trace: Trace, feedback: Feedback, delta_L: Array) -> list[Array]:
    """Backpropagation: every signal is the negative gradient of the loss in a_k.

    Parameters
    ----------
    layers : L layers
    trace : Trace               of the batch; its products x_R are filled in, see `Layer.backward`
    feedback : L matrices       not used
    delta_L : (B, K) array      signal of the output layer

    Returns
    -------
    deltas : L arrays           (B, O_k) each
    """
    deltas = [delta_L]
    for k in reversed(range(len(layers) - 1)):
        carried, trace.x_R[k + 1] = layers[k + 1].backward(deltas[0], trace.x[k + 1])
        deltas.insert(0, layers[k].activation.df(trace.a[k]) * carried)
    return deltas


def feedback_alignment(layers: Sequence[Layer], trace: Trace, feedback: Feedback, delta_L: Array) -> list[Array]:
    """Feedback alignment: a fixed matrix B_k in the place of (W R)^T of the layer above.

    Parameters and return value are those of `backpropagation`; ``feedback[k]`` is (O_k, O_{k+1}).
    """
    deltas = [delta_L]
    for k in reversed(range(len(layers) - 1)):
        deltas.insert(0, layers[k].activation.df(trace.a[k]) * send_back(feedback, k, deltas[0], trace.a[k]))
    return deltas


def direct_feedback_alignment(layers: Sequence[Layer], trace: Trace, feedback: Feedback, delta_L: Array) -> list[Array]:
    """Direct feedback alignment: a fixed matrix B_k from the output layer to each hidden layer.

    Parameters and return value are those of `backpropagation`; ``feedback[k]`` is (O_k, K).
    """
    deltas = [
        layers[k].activation.df(trace.a[k]) * send_back(feedback, k, delta_L, trace.a[k])
        for k in range(len(layers) - 1)
    ]
    return [*deltas, delta_L]


def target_propagation(layers: Sequence[Layer], trace: Trace, feedback: Feedback, delta_L: Array) -> list[Array]:
    """Target propagation, close to how the paper prints it: for study.

    Targets t_k = f(B_k t_{k+1}) go down from t_L = y_L + delta_L, and delta_k = t_k - a_k, as printed. The paper prints
    f(B delta_{k+1}) for t_k; but B models states, not perturbations of them, so the target of the layer above stands
    here in its place. The error of the reconstruction enters as much as that of the output, and an output is compared
    with a pre-activation. Measured, with copi-tp and the preset "mnist" (seed 1): 88.1 % of the MNIST test set after 6
    epochs and hardly rising, where difference target propagation has 96.1 % (results/surveys/mnist-methods).

    Parameters and return value are those of `backpropagation`; ``feedback[k]`` is (O_k, O_{k+1}), learned.
    """
    target = trace.y[-1] + delta_L
    deltas = [delta_L]
    for k in reversed(range(len(layers) - 1)):
        target = layers[k].activation.f(send_back(feedback, k, target, trace.a[k]))
        deltas.insert(0, target - trace.a[k])
    return deltas


TARGET_STEP: Final = 0.1
"""How far difference target propagation moves the output towards its target, in units of delta_L."""


def difference_target_propagation(
    layers: Sequence[Layer], trace: Trace, feedback: Feedback, delta_L: Array
) -> list[Array]:
    """Difference target propagation: only the difference that the error makes is sent down.

    Targets start from t_L = y_L + step * delta_L, with step = `TARGET_STEP`. No error gives no signal, however wrong
    the reconstruction is, since it stands in both terms of the difference. Measured, with copi-dtp and the preset
    "mnist" (seed 1): 96.4 % of the MNIST test set after 8 epochs (results/surveys/mnist-methods).

    Parameters and return value are those of `backpropagation`; ``feedback[k]`` is (O_k, O_{k+1}), learned.
    """
    target = trace.y[-1] + TARGET_STEP * delta_L
    deltas = [delta_L]
    for k in reversed(range(len(layers) - 1)):
        f = layers[k].activation.f
        sent_target = send_back(feedback, k, target, trace.a[k])
        sent_output = send_back(feedback, k, trace.y[k + 1], trace.a[k])
        shift = f(sent_target) - f(sent_output)
        target = trace.y[k] + shift
        deltas.insert(0, layers[k].activation.df(trace.a[k]) * shift / TARGET_STEP)
    return deltas


def send_back(feedback: Feedback, k: int, signal: Array, a: Array) -> Array:
    """Carry a signal down into layer k through its feedback matrix, B_k signal.

    Parameters
    ----------
    feedback : L matrices       ``feedback[k]`` is (O_k, N)
    k : int                     the layer to carry to
    signal : (B, N) array       of the units that the matrix reads
    a : (B, O_k) array          pre-activations of the layer, for the check of shapes

    Returns
    -------
    (B, O_k) array

    Raises
    ------
    InputError                  if the matrix is None, or does not fit signal and layer
    """
    matrix = feedback_into(feedback, k)
    need = (a.shape[1], signal.shape[1])
    if tuple(getattr(matrix, "shape", ())) != need:
        got = tuple(matrix.shape) if hasattr(matrix, "shape") else type(matrix).__name__
        raise InputError(f"feedback[{k}] must be an array of shape {need}, got {got}")
    common_namespace("ON BN BO", matrix, signal, a)
    return signal @ matrix.T


def feedback_into(feedback: Feedback, k: int) -> Array:
    """The feedback matrix into layer k; an InputError if there is none."""
    if k >= len(feedback) or feedback[k] is None:
        raise InputError(f"layer {k} has no feedback matrix: assign one to network.feedback[{k}]")
    return feedback[k]


def reconstruction_update(
    B: Array, activation: Activation, y_above: Array, y: Array, sample_weight: Array | None = None
) -> Array:
    """Update of an inverse model f(B y_above) ~ y: gradient descent on its squared error, normalised.

        dB = <f'(b) * (y - f(b)) y_above^T> / <||y_above||^2>,   b = B y_above

    The division makes the same step size stable whatever the size of the activity above (normalised least mean
    squares).

    Parameters
    ----------
    B : (O, N) array            feedback weights into the layer
    activation : Activation     of the layer
    y_above : (B, N) array      outputs of the layer above
    y : (B, O) array            outputs of the layer, to be reconstructed
    sample_weight : (B,) array or None
                                how many times each sample counts, see `arrays.weigh`

    Returns
    -------
    dB : (O, N) array           to be added, times a step size below 2
    """
    xp = common_namespace("ON BN BO", B, y_above, y)
    b = y_above @ B.T
    error = weigh(activation.df(b) * (y - activation.f(b)), sample_weight)
    y_above = weigh(y_above, sample_weight)
    size = xp.sum(y_above * y_above) / y_above.shape[0]
    return mean_outer(error, y_above) / xp.where(size > 0, size, xp.ones_like(size))


class ErrorSignal(NamedTuple):
    """A way to send errors down, and the feedback weights that it needs."""

    name: str
    deltas: Callable[[Sequence[Layer], Trace, Feedback, Array], list[Array]]
    feedback_from: str | None
    """Which units the feedback into a layer comes from: the layer "above", the "output", or None for no feedback."""
    learns_inverse: bool = False
    """Whether the feedback into a layer learns to reconstruct that layer from the one above."""


ERROR_SIGNALS = {
    "bp": ErrorSignal("bp", backpropagation, None),
    "fa": ErrorSignal("fa", feedback_alignment, "above"),
    "dfa": ErrorSignal("dfa", direct_feedback_alignment, "output"),
    "tp": ErrorSignal("tp", target_propagation, "above", learns_inverse=True),
    "dtp": ErrorSignal("dtp", difference_target_propagation, "above", learns_inverse=True),
}
