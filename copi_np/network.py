"""A network of COPI layers: the forward pass, and one training step (Algorithm 1)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from copi_np._assembly import Assembly
from copi_np._checks import (
    check_batch,
    check_count,
    check_flag,
    check_list,
    check_rate,
    check_rng,
    check_sample_weight,
)
from copi_np._divergence import blame_activity, has_exploded
from copi_np._memory import check_network_fits
from copi_np._parts import explain_impure, label, per_layer
from copi_np.architecture import check_image_shape, chunk_size, feedback_shape, plain_layers, plan_layers
from copi_np.arrays import Array, NDArray, check_like, read_only, slices
from copi_np.backend import DTYPES, Backend, get_backend
from copi_np.convolution import make_layer
from copi_np.error_signals import (
    ErrorSignal,
    Trace,
    backpropagation,
    output_signal,
)
from copi_np.errors import DivergenceError, InputError, unknown
from copi_np.layer import Layer, ReadOnlyLayer
from copi_np.losses import LOSSES, Loss
from copi_np.steps import States, lateral_steps


def glorot_normal(rng: np.random.Generator, n_outputs: int, n_inputs: int) -> NDArray:
    """Return random weights (n_outputs, n_inputs) with variance 2 / (n_inputs + n_outputs) (Glorot and Bengio 2010)."""
    return rng.normal(0.0, np.sqrt(2 / (n_inputs + n_outputs)), (n_outputs, n_inputs))


class Network(Assembly):
    """A feed-forward network that learns by COPI, by one of the rules it is compared with, or by your own rule.

    Parameters
    ----------
    sizes : sequence of int             numbers of units, inputs first, e.g. ``[784, 500, 10]``; with `input_shape`,
                                        ``[Conv(32, 5), Pool(2), Dense(10)]``, see `architecture`. A number means Dense
    rng : numpy.random.Generator        draws the forward and feedback weights, on the host, and the noise of error
                                        signals that ask for it
    rule : {"copi", "sgd", "momentum", "adam", "foof", "kappa", "normalised"}, function or Step
                                        how the forward weights learn. A function such as ``rules.copi_update`` returns
                                        the update, to be added times eta_W; its parameters are any of W, R, x, y, a, z,
                                        delta, y_out and sample_weight. A `steps.Step` is a rule with a memory. A list
                                        has one rule per layer
    error_signal : {"bp", "fa", "dfa", "tp", "dtp", "node", "activity", "kp", "ss"} or ErrorSignal
                                        how errors reach the layers, see `error_signals` and `more_signals`
    decorrelation : {"matrix", "local", "kappa", "gain", "normalised"}, function, Step or None
                                        how the lateral weights learn; None keeps them at the identity. The parameters
                                        of a function are any of R, x, y, eta_R and sample_weight. A list has one per
                                        layer
    decorrelation_samples : int or None R learns from only the first samples of each batch, this many, which costs less;
                                        None: from all, as in the paper. May be a list with one per layer
    decorrelation_every : int           R learns from every n-th batch, with n times its step size; may be a list
    activation : {"leaky_relu", "relu", "tanh", "linear"}, Activation, or list of them
                                        of all layers, or a list with one per layer, the first layer first
    output_activation : str, Activation or None
                                        of the output layer; None: as for the others, or "linear" for cross-entropy
    loss : {"quadratic", "cross_entropy"} or Loss
    bias : bool                         whether every layer gets one more input that is always 1, see `copi_np.bias`.
                                        The paper has none
    input_shape : (C, H, W) or None     shape of the images that a convolution sees. Inputs are then (B, C, H, W), or
                                        the same in flat rows, (B, C H W)
    backend : {"numpy", "cupy", "torch", "auto"} or Backend
    dtype : {"float32", "float64"}      of weights, inputs and targets alike

    Attributes
    ----------
    layers : list of Layer              with ``W`` (O, I), ``R`` (I, I), ``activation``, ``forward_step`` and
                                        ``lateral_step``, all assignable
    feedback : list                     the top-down matrix into each layer, or None; assignable
    error_signal, loss                  assignable, as the parameters
    backend : Backend
    scaling : Scaling or None           how its training inputs were scaled, see `Dataset.scaled`

    Raises
    ------
    InputError                          if an argument cannot be used
    BackendError                        if the backend does not work here, or has not enough memory
    """

    def __init__(
        self,
        sizes: Sequence[Any],
        *,
        rng: np.random.Generator,
        rule: Any = "copi",
        error_signal: str | ErrorSignal = "bp",
        decorrelation: Any = "matrix",
        decorrelation_samples: Any = None,
        decorrelation_every: Any = 1,
        activation: Any = "leaky_relu",
        output_activation: Any = None,
        loss: str | Loss = "quadratic",
        bias: bool = False,
        input_shape: Sequence[int] | None = None,
        backend: str | Backend = "numpy",
        dtype: str = "float32",
    ) -> None:
        self.plans = plan_layers(sizes, input_shape)
        self.sizes = plain_layers("sizes", sizes)
        self.input_shape = None if input_shape is None else check_image_shape("input_shape", input_shape)
        check_rng(rng)
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise unknown("dtype", dtype, DTYPES)
        n_layers = len(self.plans)
        activations = per_layer("activation", activation, n_layers)
        if output_activation is None and loss in ("cross_entropy", LOSSES["cross_entropy"]):
            output_activation = "linear"
        if output_activation is not None:
            activations[-1] = output_activation
        self.dtype = dtype
        self.backend = get_backend(backend)
        weights_rng, feedback_rng, self.noise_rng = rng.spawn(3)
        rules = per_layer("rule", rule, n_layers)
        decorrelations = lateral_steps(decorrelation, decorrelation_samples, decorrelation_every, n_layers)
        check_network_fits(self.plans, rules, decorrelations, dtype, self.backend)
        bias = check_flag("bias", bias)
        self.layers: list[Layer] = [
            make_layer(
                plan, self._random(weights_rng, plan.n_outputs, plan.n_inputs), f, dW, dR, self.backend, bias=bias
            )
            for plan, f, dW, dR in zip(self.plans, activations, rules, decorrelations, strict=True)
        ]
        self.loss = loss
        self.error_signal = error_signal
        self._feedback = self._random_feedback(feedback_rng)

    def _random(self, rng: np.random.Generator, n_outputs: int, n_inputs: int) -> Array:
        return self.backend.asarray(glorot_normal(rng, n_outputs, n_inputs), self.dtype)

    def _random_feedback(self, rng: np.random.Generator) -> list[Array | None]:
        """Draw feedback into every layer but the last, in the same way as forward weights."""
        source = self.error_signal.feedback_from
        if source is None:
            return [None] * len(self.layers)
        shapes = [feedback_shape(self.plans, k, source) for k in range(len(self.layers) - 1)]
        return [*(self._random(rng, *shape) for shape in shapes), None]

    # ------------------------------------------------------------------------------------------------- Algorithm 1

    def step(
        self,
        y0: Array,
        targets: Array,
        *,
        eta_W: float,
        eta_R: float | None = None,
        delta_scale: float = 1.0,
        sample_weight: Array | None = None,
        x0: Array | None = None,
    ) -> Array:
        """Learn from one batch: forward pass, error signals, then all updates (Algorithm 1, lines 4 to 16).

        `algorithm.train_batch` is the same as a pure function. If the error signal has a rule for the feedback
        matrices, as target propagation does, they learn at every step too.

        Parameters
        ----------
        y0 : (B, I) array           inputs, of the network's backend and dtype
        targets : (B, K) array      desired outputs, one-hot for labels
        eta_W : float               step size of the forward weights; 0 leaves them unchanged, so that only R learns
        eta_R : float or None       step size of the lateral weights; None: the same as eta_W, as in the paper
        delta_scale : float         multiplies the error signals of all layers
        sample_weight : (B,) array or None
                                    how many times each sample counts in every mean over the batch, including those of
                                    the lateral weights, and in the loss; 0 or more, None: once. Their mean should be
                                    one: larger weights mean larger steps
        x0 : (B, I) array or None   y0 after the first layer's lateral weights, if it is already known

        Returns
        -------
        loss : () array             mean loss of the batch before the update, on the device

        Raises
        ------
        InputError                  if the batch, a step size, or what your own rule or signal returns does not fit
        DivergenceError             if the loss exploded; on the CPU only, where reading it costs nothing. The
                                    weights stay as they were before this step
        """
        rates = self._checked_rates(eta_W, eta_R, delta_scale)
        y0 = self._checked_inputs(y0)
        self._check_batch(y0, targets, sample_weight, x0)
        with np.errstate(over="ignore", invalid="ignore"):  # an overflow is reported as divergence, not as a warning
            trace = self._forward(y0, x0)  # lines 4 to 8
            loss = self.loss.mean(trace.y[-1], targets, sample_weight)  # 9
            self._check_loss(loss, trace, targets, rates)
            deltas, x_R = self._error_signals(trace, targets, rates, self.noise_rng)  # 10 to 12
            self._update_feedback(trace, deltas, targets, sample_weight, rates)
            rows = zip(self.layers, trace.y_in, trace.x, trace.a, trace.y, deltas, x_R, strict=True)
            for layer, y, x, a, y_out, delta, x_R_k in rows:  # 13
                states = States(layer, y, x, a, y_out, delta, rates["eta_R"], x_R_k, sample_weight)
                layer.step(states, rates["eta_W"], rates["eta_R"])  # 14, 15
        return loss

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
        return self._forward(self._checked_inputs(y0))

    def _forward(self, y0: Array, x0: Array | None = None) -> Trace:
        trace = Trace(y0, [], [], [], self.layers[0].has_bias)
        y = y0
        for k, layer in enumerate(self.layers):  # 4
            x, a, y = layer.forward(y, x0 if k == 0 else None)  # 5 to 7
            trace.x.append(x)
            trace.a.append(a)
            trace.y.append(y)
        return trace

    def error_signals(self, trace: Trace, targets: Array, delta_scale: float = 1.0) -> list[Array]:
        """Return the error signal of every layer (Algorithm 1, lines 10 to 12).

        Parameters
        ----------
        trace : Trace               of a forward pass
        targets : (B, K) array      desired outputs
        delta_scale : float         multiplies the error signals of all layers

        Returns
        -------
        deltas : list of arrays     (B, O_k) each, of each sample's own loss: not divided by B. If they are noisy, the
                                    next step draws the same noise
        """
        rates = self._checked_rates(1.0, None, delta_scale)
        return self._error_signals(trace, targets, rates, deepcopy(self.noise_rng))[0]

    def _error_signals(
        self, trace: Trace, targets: Array, rates: dict[str, float], rng: np.random.Generator
    ) -> tuple[list[Any], list[Array | None]]:
        """Return the error signals, and the products x R that come with them; all None if eta_W is 0."""
        nothing: list[Any] = [None] * len(self.layers)
        if rates["eta_W"] == 0:
            return nothing, nothing
        x_R = list(nothing)

        def carry(k: int, delta: Array) -> Array:
            carried, x_R[k] = self.layers[k].carry_back(delta, trace.x[k], rates["eta_R"])
            return carried

        output = self.layers[-1]
        delta_L = output_signal(self.loss, output.activation, trace.a[-1], trace.y[-1], targets)
        known = self._read_only(trace, targets) | {"delta_L": read_only(delta_L), "loss": self.loss, "rng": rng}
        asked = {name: known[name] for name in self._signal_arguments}
        if self.error_signal.deltas is backpropagation:
            asked["carry"] = carry
        try:
            deltas = self.error_signal.deltas(**asked)
        except ValueError as error:
            explain_impure("error signal", self.error_signal, error)
            raise
        self._check_deltas(deltas, trace)
        # scaled last, so that target propagation, which is not linear in delta_L, works with small targets too
        scale = rates["delta_scale"]
        return list(deltas) if scale == 1 else [scale * delta for delta in deltas], x_R

    def _update_feedback(
        self, trace: Trace, deltas: list[Any], targets: Array, sample_weight: Array | None, rates: dict[str, float]
    ) -> None:
        """Update the feedback matrices, if the error signal says how."""
        updates, arguments = self.error_signal.feedback_updates, self._feedback_arguments
        if updates is None or ("deltas" in arguments and rates["eta_W"] == 0):
            return
        known = self._read_only(trace, targets) | rates
        known |= {"deltas": [read_only(delta) for delta in deltas], "sample_weight": read_only(sample_weight)}
        try:
            added = updates(**{name: known[name] for name in arguments})
        except ValueError as error:
            explain_impure("feedback_updates of error signal", self.error_signal, error)
            raise
        what = f"feedback_updates of error signal {label(self.error_signal)}"
        check_list(what, added, len(self.layers))
        for k, dF in enumerate(added):
            if dF is not None:
                check_like(f"{what} returned for layer {k}", dF, self.feedback[k])
                self.feedback[k] = self.feedback[k] + dF

    def _read_only(self, trace: Trace, targets: Array) -> dict[str, Any]:
        """Return the arguments of error signals, read-only: changing them would silently corrupt the step."""
        return {
            "layers": [ReadOnlyLayer(layer) for layer in self.layers],
            "trace": trace.read_only(),
            "feedback": [read_only(F) for F in self.feedback],
            "targets": read_only(targets),
        }

    def predict(self, y0: Array, batch_size: int | None = None) -> Array:
        """Return the outputs of the network, computed in chunks, with W R of each layer folded into one matrix.

        Parameters
        ----------
        y0 : (N, I) array       inputs
        batch_size : int        samples per chunk; by default 1000, or 100 with convolutions

        Returns
        -------
        y : (N, K) array        outputs; logits for the cross-entropy
        """
        y0 = self._checked_inputs(y0)
        batch_size = check_count("batch_size", chunk_size(self.plans) if batch_size is None else batch_size)
        folded = [layer.folded() for layer in self.layers]
        chunks = []
        with np.errstate(invalid="ignore"):  # some BLAS set the flag for products of finite numbers
            for rows in slices(int(y0.shape[0]), batch_size):
                y = y0[rows, :]
                for layer, M in zip(self.layers, folded, strict=True):
                    y = layer.respond(y, M)
                chunks.append(y)
        return self.backend.xp.concat(chunks, axis=0)

    # ------------------------------------------------------------------------------------------------------ checks

    def _checked_rates(self, eta_W: float, eta_R: float | None, delta_scale: float) -> dict[str, float]:
        """Return the step sizes as Python floats, or raise an InputError."""
        rates = {"eta_W": check_rate("eta_W", eta_W), "delta_scale": check_rate("delta_scale", delta_scale)}
        return rates | {"eta_R": rates["eta_W"] if eta_R is None else check_rate("eta_R", eta_R)}

    def _check(self, what: str, array: Array, layer_size: int, n_samples: int | None = None) -> None:
        check_batch(self.backend, self.dtype, what, array, layer_size, n_samples)

    def _checked_inputs(self, y0: Array) -> Array:
        """Return inputs as flat rows (B, I), or raise an InputError; images may have their axes (B, C, H, W)."""
        if self.input_shape is not None and self.backend.owns(y0) and y0.ndim == 4:
            if tuple(y0.shape[1:]) != self.input_shape:
                raise InputError(f"images must be {self.input_shape} each for this network, got {tuple(y0.shape[1:])}")
            y0 = self.backend.xp.reshape(y0, (y0.shape[0], self.n_inputs))
        self._check("inputs", y0, self.n_inputs)
        return y0

    def _check_batch(self, y0: Array, targets: Array, sample_weight: Array | None, x0: Array | None) -> None:
        """Raise an InputError unless a batch fits the network."""
        n_samples = int(y0.shape[0])
        self._check("targets", targets, self.n_outputs, n_samples)
        if sample_weight is not None:
            check_sample_weight(self.backend, self.dtype, sample_weight, n_samples)
        if x0 is not None:
            if self.plans[0].patches is not None:
                raise InputError("x0 is of a dense first layer, and this one is a convolution: leave out x0=")
            self._check("x0", x0, self.layers[0].R.shape[0], n_samples)

    def _check_loss(self, loss: Array, trace: Trace, targets: Array, rates: dict[str, float]) -> None:
        """Raise a DivergenceError if the loss exploded, on the host, where a value can be read without waiting."""
        if self.backend.is_host and has_exploded(loss, self.backend, self.loss, targets):
            raise DivergenceError(blame_activity(self.layers, trace, self.backend.scalar(loss), rates))

    def _check_deltas(self, deltas: Any, trace: Trace) -> None:
        """Raise an InputError unless an error signal returned one array for each layer, like its pre-activation."""
        name = label(self.error_signal)
        check_list(f"error signal {name}", deltas, len(self.layers))
        for k, (delta, a) in enumerate(zip(deltas, trace.a, strict=True)):
            check_like(f"error signal {name} returned for layer {k}", delta, a)
