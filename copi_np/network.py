"""A network of COPI layers: the forward pass, and one training step (Algorithm 1)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from copi_np._checks import check_count, check_rate, check_rng, check_sizes
from copi_np._divergence import blame_activity, loss_limit
from copi_np.activations import ACTIVATIONS
from copi_np.arrays import Array, weigh
from copi_np.backend import DTYPES, Backend, get_backend
from copi_np.error_signals import ERROR_SIGNALS, feedback_into, output_signal, reconstruction_update
from copi_np.errors import DivergenceError, InputError, choose, shown, unknown
from copi_np.layer import Layer, Trace
from copi_np.losses import LOSSES
from copi_np.steps import FORWARD_STEPS, LATERAL_STEPS

ETA_INVERSE: Final = 0.1
"""Step size of the inverse models of target propagation; they are normalised, and stable below 2."""


def glorot_normal(rng: np.random.Generator, n_outputs: int, n_inputs: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Random weights (n_outputs, n_inputs) with variance 2 / (n_inputs + n_outputs) (Glorot and Bengio 2010)."""
    return rng.normal(0.0, np.sqrt(2 / (n_inputs + n_outputs)), (n_outputs, n_inputs))


class Network:
    """A feed-forward network that learns by COPI, or by one of the rules it is compared with.

    Parameters
    ----------
    sizes : sequence of int             numbers of units, inputs first, e.g. ``[784, 500, 10]``
    rng : numpy.random.Generator        draws the forward and the feedback weights, on the host
    rule : {"copi", "sgd", "adam"}      how the forward weights move
    error_signal : {"bp", "fa", "dfa", "tp", "dtp"}
                                        how errors reach the layers, see `copi_np.error_signals`
    decorrelation : {"matrix", "local"} or None
                                        how the lateral weights move; None keeps them at the identity
    activation : {"leaky_relu", "relu", "tanh", "linear"} or list of them
                                        of every layer, or of each, the first layer first
    output_activation : str or None     of the output layer; None: as `activation`, or "linear" for the cross-entropy
    loss : {"quadratic", "cross_entropy"}
    backend : {"numpy", "cupy", "auto"} or Backend
    dtype : {"float32", "float64"}      of weights, inputs and targets alike

    Attributes
    ----------
    layers : list of Layer              with ``W`` (O, I) and ``R`` (I, I), both assignable
    feedback : list                     the top-down matrix into each layer, or None; assignable
    backend : Backend

    Raises
    ------
    InputError                          if an argument cannot be used
    BackendError                        if the backend does not work here
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        rng: np.random.Generator,
        rule: str = "copi",
        error_signal: str = "bp",
        decorrelation: str | None = "matrix",
        activation: str | Sequence[str] = "leaky_relu",
        output_activation: str | None = None,
        loss: str = "quadratic",
        backend: str | Backend = "numpy",
        dtype: str = "float32",
    ) -> None:
        sizes = check_sizes("sizes", sizes)
        check_rng(rng)
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise unknown("dtype", dtype, DTYPES)
        if decorrelation is not None:
            choose("decorrelation", decorrelation, LATERAL_STEPS)
        given = activation if isinstance(activation, (list, tuple)) else [activation] * (len(sizes) - 1)
        names: list[Any] = list(given)
        if len(names) != len(sizes) - 1:
            raise InputError(f"activation must be one name, or one a layer, {len(sizes) - 1}: got {shown(activation)}")
        if output_activation is None:
            output_activation = "linear" if loss == "cross_entropy" else names[-1]
        self.config: dict[str, Any] = {
            "sizes": list(sizes),
            "rule": rule,
            "error_signal": error_signal,
            "decorrelation": decorrelation,
            "activation": activation if isinstance(activation, str) else names,
            "output_activation": output_activation,
            "loss": loss,
            "dtype": dtype,
        }
        self.dtype = dtype
        self.backend = get_backend(backend)
        self.loss = choose("loss", loss, LOSSES)
        self.error_signal = choose("error signal", error_signal, ERROR_SIGNALS)
        forward_step = choose("rule", rule, FORWARD_STEPS)
        *hidden, _ = (choose("activation", name, ACTIVATIONS) for name in names)
        activations = [*hidden, choose("activation", output_activation, ACTIVATIONS)]

        weights_rng, feedback_rng = rng.spawn(2)
        self.layers: list[Layer] = []
        for (n_inputs, n_outputs), f in zip(pairwise(sizes), activations, strict=True):
            W = self.backend.asarray(glorot_normal(weights_rng, n_outputs, n_inputs), dtype)
            self.layers.append(Layer(W, f, forward_step(), decorrelation, self.backend))
        self._feedback = self._random_feedback(feedback_rng)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.config.items() if name != "sizes")
        return f"Network({self.config['sizes']}, {settings}, backend={self.backend.name!r})"

    @property
    def feedback(self) -> list[Array | None]:
        """The top-down matrix into each layer, or None: (O_k, O_{k+1}), or (O_k, K) for direct feedback alignment.

        Assign a matrix to an item, or a whole list with one item a layer, whose values are checked.
        """
        return self._feedback

    @feedback.setter
    def feedback(self, matrices: Sequence[Array | None]) -> None:
        if not isinstance(matrices, (list, tuple)):
            raise InputError(f"feedback must be a list with one item a layer, got {shown(matrices)}")
        if len(matrices) != len(self.layers):
            raise InputError(
                f"feedback must have one item a layer, {len(self.layers)}, None for the last: got {len(matrices)}"
            )
        for k, B in enumerate(matrices):
            if self.backend.owns(B) and not bool(self.backend.xp.all(self.backend.xp.isfinite(B))):
                raise InputError(f"feedback[{k}] holds NaN or infinite values: assign finite weights")
        self._feedback = list(matrices)

    def _random_feedback(self, rng: np.random.Generator) -> list[Array | None]:
        """Feedback into every layer but the last, drawn as forward weights are."""
        hidden = range(len(self.layers) - 1)
        if self.error_signal.feedback_from is None:
            return [None] * len(self.layers)
        sources = [k + 1 if self.error_signal.feedback_from == "above" else -1 for k in hidden]
        shapes = [(self.layers[k].n_outputs, self.layers[source].n_outputs) for k, source in enumerate(sources)]
        return [self.backend.asarray(glorot_normal(rng, *shape), self.dtype) for shape in shapes] + [None]

    # -------------------------------------------------------------------------------------------------- passes

    def forward(self, y0: Array) -> Trace:
        """Pass a batch through the network (Algorithm 1, lines 4 to 8).

        Parameters
        ----------
        y0 : (B, I) array       inputs, of the network's backend and dtype

        Returns
        -------
        trace : Trace           x, a and y of every layer

        Raises
        ------
        InputError              if y0 does not fit the network
        """
        self._check("inputs", y0, self.layers[0].n_inputs)
        trace = Trace(y0, [], [], [], [None] * len(self.layers))
        y = y0
        for layer in self.layers:
            x, a, y = layer.forward(y)
            trace.x.append(x)
            trace.a.append(a)
            trace.y.append(y)
        return trace

    def error_signals(self, trace: Trace, targets: Array, delta_scale: float = 1.0) -> list[Array]:
        """Error signal of every layer (Algorithm 1, lines 10 to 12).

        Parameters
        ----------
        trace : Trace               of a forward pass
        targets : (B, K) array      desired outputs
        delta_scale : float         multiplies the error signals of all layers

        Returns
        -------
        deltas : list of arrays     (B, O_k) each, one sample's own: not divided by B
        """
        delta_scale = check_rate("delta_scale", delta_scale)
        output = self.layers[-1]
        delta_L = output_signal(self.loss, output.activation, trace.a[-1], trace.y[-1], targets)
        deltas = self.error_signal.deltas(self.layers, trace, self.feedback, delta_L)
        # scaled last, so that target propagation, which is not linear in delta_L, works with small targets too
        return [delta_scale * delta for delta in deltas]

    def step(
        self,
        y0: Array,
        targets: Array,
        *,
        eta_W: float,
        eta_R: float | None = None,
        delta_scale: float = 1.0,
        sample_weight: Array | None = None,
    ) -> Array:
        """Learn from one batch: forward pass, error signals, then all updates (Algorithm 1, lines 4 to 16).

        With target propagation the feedback matrices learn as well, at every step.

        Parameters
        ----------
        y0 : (B, I) array           inputs, of the network's backend and dtype
        targets : (B, K) array      desired outputs, one-hot for labels
        eta_W : float               step size of the forward weights; 0 leaves them as they are, so that R learns alone
        eta_R : float or None       step size of the lateral weights; None: the same as eta_W, as in the paper
        delta_scale : float         multiplies the error signals of all layers
        sample_weight : (B,) array or None
                                    how many times each sample counts in every mean over the batch, those of the lateral
                                    weights included, and in the loss; 0 or more, None: once. One is best as their mean:
                                    larger weights are larger steps

        Returns
        -------
        loss : () array             mean loss of the batch before the update, on the device

        Raises
        ------
        InputError                  if the batch or a step size does not fit
        DivergenceError             if the loss exploded; on the CPU only, where looking costs nothing. The weights
                                    stay as they were before this step
        """
        eta_W, delta_scale = check_rate("eta_W", eta_W), check_rate("delta_scale", delta_scale)
        eta_R = eta_W if eta_R is None else check_rate("eta_R", eta_R)
        with np.errstate(over="ignore", invalid="ignore"):  # an overflow is reported as divergence, not as a warning
            return self._step(y0, targets, sample_weight, eta_W, eta_R, delta_scale)

    def _step(
        self, y0: Array, targets: Array, sample_weight: Array | None, eta_W: float, eta_R: float, delta_scale: float
    ) -> Array:
        trace = self.forward(y0)
        self._check("targets", targets, self.layers[-1].n_outputs, y0.shape[0])
        if sample_weight is not None:
            self._check_weights(sample_weight, y0.shape[0])
        loss = self.loss.value(trace.y[-1], targets, sample_weight)
        if self.backend.is_host and not loss <= loss_limit(self.backend, self.loss, targets):
            eta_R = 0.0 if self.config["decorrelation"] is None else eta_R
            rates = {"eta_W": eta_W, "eta_R": eta_R, "delta_scale": delta_scale}
            raise DivergenceError(blame_activity(self.layers, trace, self.backend.scalar(loss), rates))

        deltas: list[Any] = [None] * len(self.layers)
        if eta_W != 0:
            deltas = self.error_signals(trace, targets, delta_scale)
        if self.error_signal.learns_inverse:
            self._learn_inverse(trace, sample_weight)
        for layer, *states in zip(self.layers, trace.x, trace.a, deltas, trace.x_R, strict=True):
            x, a, delta, x_R = (weigh(state, sample_weight) for state in states)
            layer.step(x, a, delta, eta_W, eta_R, x_R)
        return loss

    def _learn_inverse(self, trace: Trace, sample_weight: Array | None) -> None:
        """Let every feedback matrix learn to reconstruct its layer from the layer above."""
        for k in range(len(self.layers) - 1):
            B = feedback_into(self.feedback, k)
            dB = reconstruction_update(B, self.layers[k].activation, trace.y[k + 1], trace.y[k], sample_weight)
            self.feedback[k] = B + ETA_INVERSE * dB

    def predict(self, y0: Array, batch_size: int = 1000) -> Array:
        """Outputs of the network, in chunks, with W R of each layer folded into one matrix.

        Parameters
        ----------
        y0 : (N, I) array       inputs
        batch_size : int        samples per chunk

        Returns
        -------
        y : (N, K) array        outputs; logits for the cross-entropy
        """
        self._check("inputs", y0, self.layers[0].n_inputs)
        check_count("batch_size", batch_size)
        folded = [layer.folded() for layer in self.layers]
        chunks = []
        n_samples = int(y0.shape[0])
        for start in range(0, n_samples, batch_size):
            y = y0[start : min(start + batch_size, n_samples), :]
            for layer, M in zip(self.layers, folded, strict=True):
                y = layer.activation.f(y @ M.T)
            chunks.append(y)
        return self.backend.xp.concat(chunks, axis=0)

    # -------------------------------------------------------------------------------------------------- checks

    def _check(self, what: str, array: Array, n_columns: int, n_rows: int | None = None) -> None:
        """Raise an InputError unless `array` is a batch of this network's backend and dtype."""
        self._check_kind(what, array)
        if array.ndim != 2 or array.shape[1] != n_columns or array.shape[0] != (n_rows or array.shape[0]):
            need = f"({n_rows or 'B'}, {n_columns})"
            raise InputError(f"{what} must have shape {need} for this network, got {tuple(array.shape)}")
        if array.shape[0] == 0:
            raise InputError(f"{what} are empty: a batch needs at least one sample")
        # on a GPU this would wait for the device at every step; there `fit` checks the data once
        if self.backend.is_host and not np.isfinite(array).all():
            raise InputError(f"{what} hold NaN or infinite values: clean the data first")

    def _check_weights(self, sample_weight: Array, n_samples: int) -> None:
        """Raise an InputError unless there is a weight for each sample, 0 or more."""
        self._check_kind("sample_weight", sample_weight)
        if tuple(sample_weight.shape) != (n_samples,):
            raise InputError(f"sample_weight must have shape ({n_samples},), got {tuple(sample_weight.shape)}")
        if self.backend.is_host and not (np.isfinite(sample_weight) & (sample_weight >= 0)).all():
            raise InputError("sample_weight holds negative, NaN or infinite values: give each sample 0 or more")

    def _check_kind(self, what: str, array: Array) -> None:
        """Raise an InputError unless `array` is of this network's backend and dtype."""
        if not self.backend.owns(array):
            raise InputError(
                f"{what} must be an array of backend {self.backend.name!r}, got {type(array).__name__}: "
                f"convert with network.backend.asarray({what}, {self.dtype!r})"
            )
        if array.dtype != getattr(self.backend.xp, self.dtype):
            raise InputError(f"{what} must be {self.dtype} like the weights, got {array.dtype}: convert them first")
