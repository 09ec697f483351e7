"""The parts of a network: assign, describe, copy and pickle them. You need not read this to follow a step."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Final, Self

import numpy as np

from copi_np._parts import check_function, check_picklable, choose_part, describe, named_arguments, one_or_list
from copi_np.activations import ACTIVATIONS, Activation
from copi_np.architecture import LayerPlan
from copi_np.arrays import Array
from copi_np.backend import Backend
from copi_np.datasets.scaling import Scaling
from copi_np.error_signals import FEEDBACK_ARGUMENTS, SIGNAL_ARGUMENTS, ErrorSignal
from copi_np.errors import InputError, list_names, shown
from copi_np.layer import Layer
from copi_np.losses import LOSSES, Loss
from copi_np.more_signals import ALL_SIGNALS, DENSE_ONLY
from copi_np.patches import Shape
from copi_np.steps import describe_steps, every_of, part_of, samples_of

BIT_GENERATORS: Final = {"PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"}
"""Bit generators whose state a checkpoint can hold, all from NumPy."""


class Assembly:
    """The base of `Network`: its assignable parts, and how they are described and copied."""

    plans: list[LayerPlan]
    sizes: list[Any]
    input_shape: Shape | None
    layers: list[Layer]
    backend: Backend
    dtype: str
    noise_rng: np.random.Generator
    scaling: Scaling | None = None
    _feedback: list[Array | None]

    @property
    def n_inputs(self) -> int:
        """Number of inputs: all pixels of an image."""
        return self.plans[0].size_in

    @property
    def n_outputs(self) -> int:
        """Number of outputs, K."""
        return self.plans[-1].size_out

    @property
    def has_convolutions(self) -> bool:
        """Whether a layer cuts its inputs into patches."""
        return any(plan.patches is not None for plan in self.plans)

    @property
    def loss(self) -> Loss:
        """Loss of the outputs."""
        return self._loss

    @loss.setter
    def loss(self, loss: Any) -> None:
        loss = choose_part("loss", loss, LOSSES, "Loss(name, values, gradient)")
        if loss != LOSSES.get(loss.name):
            y = self.backend.asarray(np.full((2, self.n_outputs), 0.5), self.dtype)
            check_function("values of loss", loss, loss.values, [y, y], y[:, 0])
            check_function("gradient of loss", loss, loss.gradient, [y, y], y)
        self._loss: Loss = loss

    @property
    def error_signal(self) -> ErrorSignal:
        """How errors reach the layers. Assigning leaves the feedback matrices as they are."""
        return self._error_signal

    @error_signal.setter
    def error_signal(self, signal: Any) -> None:
        signal = choose_part("error_signal", signal, ALL_SIGNALS, "ErrorSignal(name, deltas)")
        if signal.feedback_from not in (None, "above", "output"):
            raise InputError(
                f"feedback_from of error signal {signal.name!r} must be 'above', 'output' or None, "
                f"got {shown(signal.feedback_from)}"
            )
        self._check_signal(signal)
        self._signal_arguments = named_arguments("error signal", signal.deltas, SIGNAL_ARGUMENTS)
        updates = signal.feedback_updates
        self._feedback_arguments = (
            () if updates is None else named_arguments("feedback_updates", updates, FEEDBACK_ARGUMENTS)
        )
        self._error_signal: ErrorSignal = signal

    def _check_signal(self, signal: ErrorSignal) -> None:
        """Raise an InputError for signals that know only dense layers, in a network with convolutions."""
        dense = [known for known in DENSE_ONLY if known.deltas is signal.deltas]
        if dense and self.has_convolutions:
            can = list_names(name for name, known in ALL_SIGNALS.items() if known not in DENSE_ONLY)
            raise InputError(f"error signal {dense[0].name!r} is for dense layers only: with convolutions, use {can}")

    @property
    def parts(self) -> dict[str, Any]:
        """The parts of the network, as arguments of `Network`: names if they are built in, otherwise the objects."""
        layers = self.layers
        activations = [_named(layer.activation, ACTIVATIONS) for layer in layers]
        hidden = one_or_list(activations[:-1] or activations)
        parts = {
            "sizes": list(self.sizes),
            "rule": one_or_list(part_of(layer.forward_step) for layer in layers),
            "error_signal": _named(self.error_signal, ALL_SIGNALS),
            "decorrelation": one_or_list(part_of(layer.lateral_step) for layer in layers),
            "activation": hidden if not isinstance(hidden, list) else activations,
            "output_activation": activations[-1],
            "loss": _named(self.loss, LOSSES),
            "dtype": self.dtype,
        }
        optional = {
            "decorrelation_samples": one_or_list(samples_of(layer.lateral_step) for layer in layers),
            "decorrelation_every": one_or_list(every_of(layer.lateral_step) for layer in layers),
            "bias": layers[0].has_bias,
            "input_shape": None if self.input_shape is None else list(self.input_shape),
        }
        usual = {"decorrelation_samples": None, "decorrelation_every": 1, "bias": False, "input_shape": None}
        # earlier versions of the package can read files without them
        return parts | {name: part for name, part in optional.items() if part != usual[name]}

    @property
    def config(self) -> dict[str, Any]:
        """The parts of the network, as plain values for JSON: your own as "module:name"."""
        parts = self.parts
        config = {"sizes": parts["sizes"]}
        config["rule"] = describe_steps([layer.forward_step for layer in self.layers])
        config["decorrelation"] = describe_steps([layer.lateral_step for layer in self.layers])
        return {name: config.get(name, _described(part)) for name, part in parts.items()}

    def __repr__(self) -> str:
        config = self.config
        settings = ", ".join(f"{name}={value!r}" for name, value in config.items() if name != "sizes")
        return f"Network({config['sizes']}, {settings}, backend={self.backend.name!r})"

    def __getstate__(self) -> dict[str, Any]:
        for kind, part in self.parts.items():
            check_picklable(kind, part)
        return self.__dict__

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copied = object.__new__(type(self))  # not through pickle, which cannot handle lambdas
        memo[id(self)] = copied
        copied.__dict__.update(deepcopy(self.__dict__, memo))
        return copied

    @property
    def noise_state(self) -> dict[str, Any] | None:
        """State of the generator that draws noise, as plain values; None if it is not one of NumPy's."""
        state = self.noise_rng.bit_generator.state
        return _plain(state) if state.get("bit_generator") in BIT_GENERATORS else None

    @noise_state.setter
    def noise_state(self, state: Any) -> None:
        if state["bit_generator"] not in BIT_GENERATORS:
            raise ValueError(f"there is no bit generator {shown(state['bit_generator'])}")
        bit_generator = getattr(np.random, state["bit_generator"])()
        bit_generator.state = _arrays(state)
        self.noise_rng = np.random.Generator(bit_generator)

    @property
    def feedback(self) -> list[Array | None]:
        """The top-down matrix into each layer, or None: (O_k, O_{k+1}), or (O_k, K) for direct feedback alignment.

        Assign a matrix to an item, or a whole list with one item per layer, whose values are checked.
        """
        return self._feedback

    @feedback.setter
    def feedback(self, matrices: Sequence[Array | None]) -> None:
        if not isinstance(matrices, (list, tuple)):
            raise InputError(f"feedback must be a list with one item per layer, got {shown(matrices)}")
        if len(matrices) != len(self.layers):
            raise InputError(
                f"feedback must have one item per layer, {len(self.layers)}, None for the last: got {len(matrices)}"
            )
        for k, B in enumerate(matrices):
            if self.backend.owns(B) and not bool(self.backend.xp.all(self.backend.xp.isfinite(B))):
                raise InputError(f"feedback[{k}] holds NaN or infinite values: assign finite weights")
        self._feedback = list(matrices)


def _named(part: Any, table: dict[str, Any]) -> Any:
    """Return the name of a built-in part, or else the part; sharing a built-in's name is not enough."""
    return part.name if table.get(part.name) == part else part


def _described(part: Any) -> Any:
    if isinstance(part, list):
        return [_described(each) for each in part]
    return describe(part) if isinstance(part, (Activation, Loss, ErrorSignal)) else part


def _plain(value: Any) -> Any:
    """Return the state of a bit generator with lists in place of arrays."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _arrays(value: Any) -> Any:
    """Undo `_plain`."""
    if isinstance(value, dict):
        return {name: _arrays(each) for name, each in value.items()}
    return np.array(value, np.uint64) if isinstance(value, list) else value
