"""The base of all steps: a `Step` updates one matrix of a layer, W or R, from the `States` of one batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, final

from copi_np._parts import call_by_name, label, named_arguments
from copi_np.arrays import Array, NDArray, check_like, read_only, weigh
from copi_np.backend import Backend
from copi_np.errors import InputError
from copi_np.rules import local_decorrelation_update, mean_square, target_state

FORWARD_ARGUMENTS: Final = ("W", "R", "x", "y", "a", "z", "delta", "y_out", "sample_weight")
"""What a rule of the forward weights may ask for."""
LATERAL_ARGUMENTS: Final = ("R", "x", "y", "eta_R", "sample_weight")
"""What a rule of the lateral weights may ask for."""

ROWS: Final = ("y", "x", "a", "y_out", "delta", "x_R")
"""The fields of `States` that have one row per sample."""


@dataclass
class States:
    """What a layer knows about one batch when its weights are updated; its arrays are read-only on NumPy.

    Attributes
    ----------
    layer : object                  has W (O, I) and R (I, I); in a network, W is updated in place before R
    y : (B, I) array or None        its input, before decorrelation; None in a convolution if no step uses it
    x : (B, I) array                decorrelated input, R y
    a : (B, O) array                pre-activation, W x
    y_out : (B, O) array            output, f(a)
    delta : (B, O) array or None    error signal; None where only R learns
    eta_R : float                   step size of the lateral weights
    x_R : (B, I) array or None      the product x R, if it is already known, for as many samples as `step` asked for
    sample_weight : (B,) array or None
                                    how many times each sample counts; None: once
    rows_per_sample : int           1; in a convolution the number of patches, each of which is a row: B is then B P
    """

    layer: Any
    y: Array
    x: Array
    a: Array
    y_out: Array
    delta: Array | None
    eta_R: float = 0.0
    x_R: Array | None = None
    sample_weight: Array | None = None
    rows_per_sample: int = 1

    def __post_init__(self) -> None:
        """Make the arrays read-only: a rule that changed them would corrupt the step, or even the user's data."""
        self.y, self.x, self.a, self.y_out = map(read_only, (self.y, self.x, self.a, self.y_out))
        self.delta, self.x_R, self.sample_weight = map(read_only, (self.delta, self.x_R, self.sample_weight))

    @property
    def W(self) -> Array:
        """Forward weights, (O, I)."""
        return read_only(self.layer.W)

    @property
    def R(self) -> Array:
        """Lateral weights, (I, I)."""
        return read_only(self.layer.R)

    @property
    def z(self) -> Array:
        """Target state a + delta, (B, O)."""
        return target_state(self.a, self.delta)

    @cached_property
    def power(self) -> Array:
        """Mean square of x over the batch, (I,)."""
        return mean_square(self.x)

    def first(self, n_samples: int | None) -> States:
        """Return the states of the first samples of the batch; None: of all."""
        n_rows = None if n_samples is None else n_samples * self.rows_per_sample
        if n_rows is None or n_rows >= self.x.shape[0]:
            return self
        arrays = {name: getattr(self, name) for name in (*ROWS, "sample_weight")}
        first: Any = {name: None if rows is None else rows[:n_rows, ...] for name, rows in arrays.items()}
        return replace(self, **first)

    def weighted(self) -> States:
        """Return the same states, with every row multiplied by the root of its sample's weight, see `arrays.weigh`."""
        if self.sample_weight is None:
            return self
        rows = {name: weigh(getattr(self, name), self.sample_weight) for name in ROWS if name != "x_R"}
        if self.x_R is not None:
            rows["x_R"] = weigh(self.x_R, self.sample_weight[: self.x_R.shape[0]])
        return replace(self, **rows, sample_weight=None)


class Step(ABC):
    """Updates one weight matrix of a layer in place; pass an instance wherever the name of a rule is accepted.

    Every layer gets its own copy, whose `start` is called with the layer's weights.
    """

    takes_sample_weight: bool = False
    """Whether `step` reads ``states.sample_weight`` itself; if not, rows are multiplied by the root of the weight."""
    needs_decorrelated_inputs: bool = False
    """Whether the rule may blow up in layers that do not decorrelate their inputs as fast as they learn."""
    passed_settings: Sequence[str] = ()
    """The settings that it was passed with, such as "beta=0.9", which files record."""
    is_local_form: bool = False
    """Whether the rule of the lateral weights is -R off(C); biases then learn on their own, see `copi_np.bias`."""
    uses_y: bool = True
    """Whether `step` uses ``states.y``, for which a convolution cuts its inputs into patches once more."""
    uses_x_R: bool = False
    """Whether `step` uses ``states.x_R``, which backpropagation can compute at little cost."""

    def rows_of_x_R(self, batch_size: int) -> int:
        """Return for how many of the first samples of a batch the next `step` uses ``states.x_R``."""
        return batch_size if self.uses_x_R else 0

    def start(self, weights: Array, backend: Backend) -> None:
        """Prepare for a layer's weights (N, I), and forget earlier ones."""
        self.backend = backend

    @abstractmethod
    def step(self, weights: Array, states: States, eta: float) -> None:
        """Add eta times the update to the weights, in place.

        Parameters
        ----------
        weights : (N, I) array  W or R of the layer, changed
        states : States         of the batch
        eta : float             step size
        """

    def learns_from(self, states: States, eta: float) -> tuple[States, float]:
        """Return the samples that the next `step` uses, and the step size that it takes."""
        return states, eta

    def state(self) -> dict[str, Array | float]:
        """Return what the next step depends on, apart from its arguments: arrays and numbers by name."""
        return {}

    def restore(self, state: dict[str, Array | float]) -> None:
        """Continue from what `state` returned."""
        if state:
            raise InputError(f"{type(self).__name__} keeps nothing between steps, but was given {sorted(state)}")

    def stable_eta(self, y: NDArray) -> float | None:
        """Return a step size that is stable on inputs y (B, I) from the start, if the rule knows one."""
        return None


@final
class FunctionStep(Step):
    """Adds eta times what a pure function returns: a rule of `copi_np.rules`, or your own.

    Parameters
    ----------
    function : callable     its parameters are any of `known`; returns the update to be added
    kind : str              "rule" or "decorrelation", for messages
    known : names           what it may ask for
    """

    def __init__(self, function: Callable[..., Any], kind: str, known: Sequence[str]) -> None:
        self.function = function
        self.kind = kind
        self.arguments = named_arguments(kind, function, known)
        self.takes_sample_weight = "sample_weight" in self.arguments
        self.uses_y = "y" in self.arguments
        self.is_local_form = function is local_decorrelation_update

    def step(self, weights: Array, states: States, eta: float) -> None:
        """Add the update; parameters as for `Step.step`."""
        update = call_by_name(self.function, self.arguments, states)
        check_like(f"{self.kind} {label(self.function)} returned", update, weights)
        weights += eta * update
