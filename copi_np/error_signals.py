"""Error signals, which perturb the units of every layer towards a lower loss (Section 2.5).

All functions take the same arguments, start from the output layer's error signal and return one signal per layer:

    backpropagation                  delta_k = f'(a_k) * (W_{k+1} R_{k+1})^T delta_{k+1}
    feedback_alignment               delta_k = f'(a_k) * F_k delta_{k+1}          F_k fixed and random
    direct_feedback_alignment        delta_k = f'(a_k) * F_k delta_L              F_k fixed and random
    target_propagation               delta_k = t_k - a_k,           t_k = f(F_k t_{k+1})
    difference_target_propagation    delta_k = f'(a_k) * (t_k - y_k) / step,
                                                                    t_k = y_k + f(F_k t_{k+1}) - f(F_k y_{k+1})

In the last two, targets start from t_L = y_L + step * delta_L (step is 1 in the first, `TARGET_STEP` in the second),
and F_k is learned: f(F_k y_{k+1}) reconstructs y_k (`reconstruction_update`). The code numbers layers from 0, and L is
the last one; ``feedback[k]`` is the matrix F_k that carries signals into layer k (the paper's B_{l+1}), (O_k, O_{k+1}),
or (O_k, K) for direct feedback alignment with K outputs; for the output layer it is None. All functions are pure. They
raise `InputError` if feedback is needed but missing, or if arrays do not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from copi_np.activations import Activation
from copi_np.arrays import Array, common_namespace, read_only, safe_divisor, weigh
from copi_np.errors import InputError
from copi_np.losses import Loss
from copi_np.patches import carry_back, to_units
from copi_np.rules import mean_outer

Feedback = Sequence[Array | None]


class Weights(Protocol):
    """What an error signal needs from a layer: a `Layer` of a network, or `algorithm.LayerWeights`."""

    @property
    def W(self) -> Array:
        """Forward weights, (O, I)."""

    @property
    def R(self) -> Array:
        """Lateral weights, (I, I)."""

    @property
    def activation(self) -> Activation:
        """Activation function and its derivative."""


class Trace(NamedTuple):
    """States of every layer after a forward pass, the first layer first."""

    y0: Array
    """Input of the network, (B, I)."""
    x: list[Array]
    """Decorrelated inputs, (B, I_k) each, or (B, I_k + 1) with the constant of a bias."""
    a: list[Array]
    """Pre-activations, (B, O_k) each."""
    y: list[Array]
    """Outputs, (B, O_k) each; ``y[-1]`` is the output of the network."""
    has_constant: bool = False
    """Whether the last column of every x is the constant of a bias."""

    @property
    def y_in(self) -> list[Array]:
        """Inputs of every layer before decorrelation, (B, I_k) each: y0, then the outputs of the layer below."""
        return [self.y0, *self.y[:-1]]

    @property
    def x_of_units(self) -> list[Array]:
        """Decorrelated inputs without the constant of a bias, (B, I_k) each."""
        return [x[:, :-1] for x in self.x] if self.has_constant else self.x

    def read_only(self) -> Trace:
        """Return the same states in new lists, read-only on NumPy; x without the constant of a bias."""
        states = (self.x_of_units, self.a, self.y)
        x, a, y = ([read_only(array) for array in arrays] for arrays in states)
        return Trace(read_only(self.y0), x, a, y)


def output_signal(loss: Loss, activation: Activation, a: Array, y: Array, targets: Array) -> Array:
    """Return the error signal of the output layer, delta_L = -f'(a_L) * dloss/dy_L (Algorithm 1, line 11).

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


def backpropagation(
    layers: Sequence[Weights],
    trace: Trace,
    feedback: Feedback,
    delta_L: Array,
    carry: Callable[[int, Array], Array] | None = None,
) -> list[Array]:
    """Backpropagate: return the negative gradient of the loss with respect to each a_k (Algorithm 1, lines 10 to 12).

    Parameters
    ----------
    layers : L layers           with W, R and activation
    trace : Trace               of the batch
    feedback : L matrices       not used
    delta_L : (B, K) array      signal of the output layer
    carry : function, optional  ``carry(k, delta)`` returns (W_k R_k)^T delta, or what another signal uses instead

    Returns
    -------
    deltas : L arrays           (B, O_k) each
    """
    deltas = [delta_L]
    for k in reversed(range(len(layers) - 1)):
        above = layers[k + 1]
        carried = carry_back(above, deltas[0], above.W, above.R) if carry is None else carry(k + 1, deltas[0])
        deltas.insert(0, layers[k].activation.df(trace.a[k]) * to_units(layers[k], carried, trace.a[k]))
    return deltas


def feedback_alignment(layers: Sequence[Weights], trace: Trace, feedback: Feedback, delta_L: Array) -> list[Array]:
    """Return the signals of feedback alignment: a fixed matrix F_k replaces (W R)^T of the layer above.

    Parameters and return value are those of `backpropagation`; ``feedback[k]`` is (O_k, O_{k+1}).
    """

    def carry(k: int, delta: Array) -> Array:
        patches = getattr(layers[k], "patches", None)
        need = (trace.y[k - 1].shape[1], delta.shape[1])
        if patches is not None:
            need = (patches.n_values, delta.shape[1] // patches.n_positions)
        F = feedback_into(feedback, k - 1, need)
        return carry_back(layers[k], delta, F.T)

    return backpropagation(layers, trace, feedback, delta_L, carry)


def direct_feedback_alignment(
    layers: Sequence[Weights], trace: Trace, feedback: Feedback, delta_L: Array
) -> list[Array]:
    """Return the signals of direct feedback alignment: a fixed matrix F_k from the output layer to each hidden layer.

    Parameters and return value are those of `backpropagation`; ``feedback[k]`` is (O_k, K).
    """
    deltas = [
        layers[k].activation.df(trace.a[k]) * send_back(feedback, k, delta_L, trace.a[k])
        for k in range(len(layers) - 1)
    ]
    return [*deltas, delta_L]


def target_propagation(layers: Sequence[Weights], trace: Trace, feedback: Feedback, delta_L: Array) -> list[Array]:
    """Return the signals of target propagation, close to how the paper prints it; meant for study.

    Targets t_k = f(F_k t_{k+1}) are sent down from t_L = y_L + delta_L, and delta_k = t_k - a_k, as printed. The paper,
    whose B is our F, prints f(B delta_{k+1}) for t_k. But F models states, not perturbations of them, so we use the
    target of the layer above instead. The signal contains the reconstruction error as well as the error of the output,
    and it compares an output with a pre-activation. Measured with copi-tp and the preset "mnist" (seed 1,
    results/surveys/mnist-methods): 88.1 % of the MNIST test set after 6 epochs, hardly rising, while difference target
    propagation reaches 96.1 %.

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
    layers: Sequence[Weights], trace: Trace, feedback: Feedback, delta_L: Array
) -> list[Array]:
    """Return the signals of difference target propagation, which sends down only the difference that the error makes.

    Targets start from t_L = y_L + step * delta_L, with step = `TARGET_STEP`. Without an error there is no signal,
    however bad the reconstruction, since it is in both terms of the difference. Measured with copi-dtp and the preset
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
    """Send a signal down into layer k through its feedback matrix, F_k signal.

    Parameters
    ----------
    feedback : L matrices       ``feedback[k]`` is (O_k, N)
    k : int                     the layer to send to
    signal : (B, N) array       of the units that the signal comes from
    a : (B, O_k) array          pre-activations of the layer, to check shapes against

    Returns
    -------
    (B, O_k) array

    Raises
    ------
    InputError                  if the matrix is None, or does not fit signal and layer
    """
    matrix = feedback_into(feedback, k, (a.shape[1], signal.shape[1]))
    common_namespace("ON BN BO", matrix, signal, a)
    return signal @ matrix.T


def feedback_into(feedback: Feedback, k: int, need: tuple[int, ...] | None = None) -> Array:
    """Return the feedback matrix into layer k, or raise an InputError if it is missing, or not of the shape `need`."""
    if k >= len(feedback) or feedback[k] is None:
        raise InputError(f"layer {k} has no feedback matrix: assign one to network.feedback[{k}]")
    matrix: Any = feedback[k]
    if need is not None and tuple(getattr(matrix, "shape", ())) != tuple(need):
        got = tuple(matrix.shape) if hasattr(matrix, "shape") else type(matrix).__name__
        raise InputError(f"feedback[{k}] must be an array of shape {tuple(need)}, got {got}")
    return matrix


def reconstruction_update(
    F: Array, activation: Activation, y_above: Array, y: Array, sample_weight: Array | None = None
) -> Array:
    """Return the update of an inverse model f(F y_above) ~ y: normalised gradient descent on its squared error.

        dF = <f'(b) * (y - f(b)) y_above^T> / <||y_above||^2>,   b = F y_above

    Because of the division, one step size is stable however large the activity above is (normalised least mean
    squares).

    Parameters
    ----------
    F : (O, N) array            feedback weights into the layer
    activation : Activation     of the layer
    y_above : (B, N) array      outputs of the layer above
    y : (B, O) array            outputs of the layer, to be reconstructed
    sample_weight : (B,) array or None
                                how many times each sample counts, see `arrays.weigh`

    Returns
    -------
    dF : (O, N) array           to be added, times a step size below 2
    """
    xp = common_namespace("ON BN BO", F, y_above, y)
    b = y_above @ F.T
    error = weigh(activation.df(b) * (y - activation.f(b)), sample_weight)
    y_above = weigh(y_above, sample_weight)
    return mean_outer(error, y_above) / safe_divisor(xp.sum(y_above * y_above) / y_above.shape[0])


ETA_INVERSE: Final = 0.1
"""Step size of the inverse models of target propagation: their updates are normalised, and stable below 2."""


def inverse_updates(
    layers: Sequence[Weights], trace: Trace, feedback: Feedback, sample_weight: Array | None
) -> list[Array | None]:
    """Return what to add to every feedback matrix, so that it learns to reconstruct its layer from the layer above.

    Parameters
    ----------
    layers, trace, feedback     as for `backpropagation`
    sample_weight : (B,) array or None
                                how many times each sample counts

    Returns
    -------
    updates : L arrays or None  `reconstruction_update` times `ETA_INVERSE`; None for the output layer
    """
    updates: list[Array | None] = [None] * len(layers)
    for k in range(len(layers) - 1):
        F, activation = feedback_into(feedback, k), layers[k].activation
        updates[k] = ETA_INVERSE * reconstruction_update(F, activation, trace.y[k + 1], trace.y[k], sample_weight)
    return updates


class ErrorSignal(NamedTuple):
    """A way to send errors down, and the feedback weights that it needs.

    For your own, pass ``ErrorSignal("half", deltas)`` wherever a built-in name is accepted.
    """

    name: str
    deltas: Callable[..., list[Array]]
    """Returns the signals, (B, O_k) each; its parameters are any of `SIGNAL_ARGUMENTS`."""
    feedback_from: str | None = None
    """Where the feedback into a layer comes from: the layer "above", the "output" layer, or None for no feedback."""
    feedback_updates: Callable[..., list[Any]] | None = None
    """Returns what to add to each feedback matrix at every step, or None for a matrix that stays; its parameters are
    any of `FEEDBACK_ARGUMENTS`. None: feedback is fixed."""


SIGNAL_ARGUMENTS: Final = ("layers", "trace", "feedback", "delta_L", "targets", "loss", "rng")
"""What ``ErrorSignal.deltas`` may ask for; `rng` draws noise, and is saved with the network."""
FEEDBACK_ARGUMENTS: Final = ("layers", "trace", "feedback", "deltas", "targets", "sample_weight", "eta_W", "eta_R")
"""What ``ErrorSignal.feedback_updates`` may ask for."""

ERROR_SIGNALS = {
    "bp": ErrorSignal("bp", backpropagation),
    "fa": ErrorSignal("fa", feedback_alignment, "above"),
    "dfa": ErrorSignal("dfa", direct_feedback_alignment, "output"),
    "tp": ErrorSignal("tp", target_propagation, "above", inverse_updates),
    "dtp": ErrorSignal("dtp", difference_target_propagation, "above", inverse_updates),
}
