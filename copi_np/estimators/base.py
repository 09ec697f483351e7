"""The base of classifier and regressor, which builds, trains, stops and stores the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import KW_ONLY, dataclass
from math import inf, prod
from typing import Any, ClassVar, Final, Self
from warnings import warn

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from copi_np._cheap_decorrelation import RestingR, check_decorrelation_every
from copi_np._checks import check_count, check_fraction, check_rate, check_sizes
from copi_np._divergence import located
from copi_np._parts import check_picklable
from copi_np.architecture import check_image_shape, plain_layers
from copi_np.arrays import NDArray
from copi_np.callbacks.selection import epochs_since_best
from copi_np.checkpoint import network_arrays, network_of
from copi_np.datasets import as_float
from copi_np.error_signals import ErrorSignal
from copi_np.errors import InputError, shown
from copi_np.estimators.inputs import Samples, check_complete, validated
from copi_np.export import Exportable
from copi_np.network import Network
from copi_np.schedule import Schedule
from copi_np.training import DeviceSplit, train_epoch

SHAPING: Final = (
    "hidden_layer_sizes",
    "image_shape",
    "rule",
    "error_signal",
    "decorrelation",
    "decorrelation_samples",
    "decorrelation_every",
    "activation",
    "loss",
    "standardize",
    "fit_intercept",
    "backend",
)
"""The parameters that must not change once the network is built: sizes, parts, inputs and the meaning of outputs."""
PROGRESS: Final = ("network_", "loss_curve_", "validation_scores_", "_shuffling_rng")
"""The attributes that an epoch changes."""


class OwnParts:
    """A mixin for parameters that may be your own functions: all can be copied, and those with a name pickled."""

    _parts: ClassVar[tuple[str, ...]]
    """The names of these parameters."""

    def __getstate__(self) -> dict[str, Any]:
        for name in self._parts:
            check_picklable(name, getattr(self, name))
        state: Any = super().__getstate__()
        return {**state}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copied = object.__new__(type(self))  # without pickle, which cannot store lambdas
        memo[id(self)] = copied
        copied.__dict__.update(deepcopy(self.__dict__, memo))
        return copied


@dataclass(eq=False, repr=False)
class NetworkEstimator(ABC, OwnParts, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A `copi_np.network.Network` with the interface of scikit-learn.

    A data class, so that the parameters shared by classifier and regressor are written once.
    """

    hidden_layer_sizes: int | Sequence[Any] = (100,)
    _: KW_ONLY
    image_shape: Sequence[int] | None = None
    rule: Any = "copi"
    error_signal: str | ErrorSignal = "bp"
    decorrelation: Any = "matrix"
    decorrelation_samples: Any = None
    decorrelation_every: Any = 1
    activation: Any = "leaky_relu"
    standardize: bool = True
    fit_intercept: bool = True
    eta_W: float = 0.01
    eta_R: float | None = None
    first_epochs: int = 1
    first_eta_W: float = 0.0
    first_eta_R: float | None = None
    delta_scale: float = 10.0
    rest_R_after: int | None = None
    batch_size: int = 50
    max_iter: int = 200
    tol: float = 1e-4
    n_iter_no_change: int = 10
    early_stopping: bool = False
    validation_fraction: float = 0.1
    warm_start: bool = False
    random_state: int | np.random.RandomState | None = None
    backend: str = "numpy"

    # ---------------------------------------------------------------------------- how classifier and regressor differ

    _parts = ("rule", "error_signal", "decorrelation", "activation", "loss")
    _output_activation: ClassVar[str | None] = None

    @abstractmethod
    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[NDArray, NDArray]:
        """Return X (N, I) and y as arrays that fit each other and, unless `reset`, the data seen before."""

    @abstractmethod
    def _learn_targets(self, y: NDArray, weights: NDArray | None) -> None:
        """Store what `_targets` needs to know about y: its classes, or its mean and scale."""

    @abstractmethod
    def _targets(self, y: NDArray) -> NDArray:
        """Return the desired outputs of the network, (N, K)."""

    @abstractmethod
    def _strata(self, y: NDArray) -> NDArray | None:
        """Return the labels whose proportions a validation split keeps, or None."""

    @abstractmethod
    def _score(self, outputs: NDArray, targets: NDArray, weights: NDArray | None) -> float:
        """Return the score that early stopping watches, from outputs and targets (N, K): higher is better."""

    # --------------------------------------------------------------------------------------------------- training

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train until the loss, or with `early_stopping` the validation score, stops improving.

        If training fails, the estimator is not fitted; with `warm_start`, the model stays as it was. After an
        interrupt, such as Ctrl-C, it keeps what it has learned.

        Parameters
        ----------
        X : (N, I) array-like       inputs
        y : array-like              classes (N,) for the classifier; numbers (N,) or (N, K) for the regressor
        sample_weight : (N,) array-like or None
                                    how many times each sample counts: in every mean that a rule takes over a batch, in
                                    the loss, in standardisation and in validation. Only ratios matter; samples of
                                    weight 0 are left out

        Returns
        -------
        self

        Raises
        ------
        InputError                  if a parameter is invalid, or with `warm_start`, if one that the network was built
                                    with has changed
        DivergenceError             as soon as training blows up; names the layer and the step size to lower
        ValueError                  from scikit-learn, if X or y cannot be used
        """
        self._check_numbers()
        first = not (self.warm_start and hasattr(self, "network_"))
        if not first:
            self._check_unchanged()
        with self._restored_on_failure(first=first):
            samples, held_out = self._samples(X, y, sample_weight, reset=first), None
            if first:
                self._learn_targets(samples.y, samples.weights)
            if self.early_stopping:
                options = {"test_size": self.validation_fraction, "random_state": self.random_state}
                rows = train_test_split(np.arange(len(samples.X)), stratify=self._strata(samples.y), **options)
                samples, held_out = map(samples.take, rows)
                if len(held_out.X) < 2:
                    raise InputError(
                        f"validation_fraction={self.validation_fraction} holds out one sample, which cannot be scored: "
                        "raise it, or give more samples"
                    )
            if first:
                self._start(samples)
            self._train(samples, held_out)
        return self

    def _fit_epoch(self, X: Any, y: Any, sample_weight: Any, all_y: Any = None) -> Self:
        """Train for one epoch, after building the network if needed; `_learn_targets` sees `all_y`, if given, not y."""
        self._check_numbers()
        first = not hasattr(self, "network_")
        if not first:
            self._check_unchanged()
        with self._restored_on_failure(first=first):
            samples = self._samples(X, y, sample_weight, reset=first)
            if first:
                self._learn_targets(samples.y if all_y is None else all_y, samples.weights)
                self._start(samples)
            self._train_epoch(*self._on_device(samples), RestingR())
        return self

    @contextmanager
    def _restored_on_failure(self, *, first: bool) -> Iterator[None]:
        """If training fails, restore the model as it was before, or unfitted if this was its `first` training."""
        if first:
            self.__dict__.pop("network_", None)
        before = {} if first else deepcopy({name: self.__dict__[name] for name in PROGRESS})
        try:
            yield
        except Exception:
            self.__dict__.pop("network_", None)
            self.__dict__.update(before)
            raise

    def _samples(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Samples:
        """Return the samples to learn from, checked."""
        X, y = self._checked(X, y, reset=reset)
        if sample_weight is None:
            return Samples(X, y, None)
        check_complete("sample_weight", sample_weight)
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weights.any():  # newer versions of scikit-learn check this themselves
            raise InputError("sample_weight is zero for all samples: give some of them a positive weight")
        counts = weights > 0
        return Samples(X[counts], y[counts], weights[counts] / weights.max())  # so that their sum cannot overflow

    def _check_pixels(self, n_features: int) -> None:
        """Raise an InputError if images of `image_shape` do not have as many pixels as there are features."""
        if self.image_shape is not None and prod(self.image_shape) != n_features:
            raise InputError(f"image_shape {shown(self.image_shape)} does not hold {n_features} features: correct it")

    def _start(self, samples: Samples) -> None:
        """Build a new network for these samples; draw weights and sample order as ``copi-np train --seed`` does."""
        X, n_outputs = samples.X, self._targets(samples.y).shape[1]
        self._check_pixels(X.shape[1])
        seed = self.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(np.iinfo(np.int32).max)
        weights_rng, self._shuffling_rng = np.random.default_rng(seed).spawn(2)
        self.scaler_ = StandardScaler().fit(X, sample_weight=samples.weights) if self.standardize else None
        sizes = [*self._hidden_sizes(), n_outputs]
        self.network_ = Network(
            sizes if self.image_shape is not None else [X.shape[1], *sizes],
            rng=weights_rng,
            input_shape=self.image_shape,
            rule=self.rule,
            error_signal=self.error_signal,
            decorrelation=self.decorrelation,
            decorrelation_samples=self.decorrelation_samples,
            decorrelation_every=self.decorrelation_every,
            activation=self.activation,
            output_activation=self._output_activation,
            loss=self.loss,
            bias=bool(self.fit_intercept),
            backend=self.backend,
            dtype=X.dtype.name,
        )
        self._built_with = self._shaping()
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] = []

    def _rates(self) -> dict[str, float]:
        """Return the step sizes of the coming epoch."""
        eta_R = self.eta_W if self.eta_R is None else self.eta_R
        first_eta_R = eta_R if self.first_eta_R is None else self.first_eta_R
        sizes = (self.eta_W, eta_R, self.first_epochs, self.first_eta_W, first_eta_R, self.delta_scale)
        return Schedule(*sizes, rest_R_after=self.rest_R_after).rates(self.n_iter_ + 1)

    def _train_epoch(self, train: DeviceSplit, weights: Any, resting: RestingR) -> None:
        rates = self._rates()
        options: dict[str, Any] = {"rates": rates, "rng": self._shuffling_rng, "batch_size": self.batch_size}
        options["x0"] = resting.inputs(self.network_, train.inputs, rates["eta_R"])
        with located(f"epoch {self.n_iter_ + 1}, ", self.batch_size):
            self.loss_curve_.append(train_epoch(self.network_, train, sample_weight=weights, **options))

    def _train(self, train: Samples, held_out: Samples | None) -> None:
        """Train until `n_iter_no_change` epochs in a row fail to beat the best score before them by `tol`."""
        on_device, resting = self._on_device(train), RestingR()
        samples, weights = on_device
        check_decorrelation_every(self.network_, samples.inputs, self._rates()["eta_R"], weights)
        validation = None
        if held_out is not None:
            validation = self._inputs(held_out.X), self._targets(held_out.y), held_out.weights
        best_network, scores = self.network_, list[float]()
        for _ in range(self.max_iter):
            self._train_epoch(*on_device, resting)
            if validation is None:
                score = -self.loss_curve_[-1]
            else:
                inputs, targets, weights = validation
                score = self._score(self.network_.backend.to_host(self.network_.predict(inputs)), targets, weights)
                self.validation_scores_.append(score)
            if self.n_iter_ <= self.first_epochs:
                continue  # the inputs are not decorrelated yet
            if score > max(scores, default=-inf):
                best_network = self.network_ if validation is None else deepcopy(self.network_)
            scores.append(score)
            if epochs_since_best(scores, self.tol) >= self.n_iter_no_change:
                break
        else:
            warn(f"still learning after max_iter={self.max_iter} epochs: raise max_iter", ConvergenceWarning, 3)
        self.network_ = best_network

    # ------------------------------------------------------------------------------------------------ forward passes

    @property
    def n_iter_(self) -> int:
        """Number of epochs trained so far."""
        return len(self.loss_curve_)

    def _on_device(self, samples: Samples) -> tuple[DeviceSplit, Any]:
        """Move inputs, targets and sample weights to the network's device."""
        asarray, dtype = self.network_.backend.asarray, self.network_.dtype
        split = DeviceSplit(self._inputs(samples.X), asarray(as_float(self._targets(samples.y), dtype, "targets y")))
        weights = samples.weights  # scaled to a mean of 1: larger weights would mean larger steps
        return split, None if weights is None else asarray(weights / np.mean(weights), dtype)

    def _inputs(self, X: NDArray) -> Any:
        """Move X to the network's device, standardised if it was trained that way."""
        network = self.network_
        X = as_float(X if self.scaler_ is None else self.scaler_.transform(X), network.dtype)
        if network.n_inputs > X.shape[1]:  # saved before layers had biases: the last input is 1
            X = np.column_stack([X, np.ones(len(X), X.dtype)])
        return network.backend.asarray(X)

    def _outputs(self, X: Any) -> NDArray:
        """Return the outputs (N, K) of the trained network, on the host."""
        check_is_fitted(self, "network_")
        X = validated(self, X, reset=False)
        return self.network_.backend.to_host(self.network_.predict(self._inputs(X)))

    @abstractmethod
    def _exportable(self) -> Exportable:
        """Return what `copi_np.export.export_onnx` writes."""

    # ------------------------------------------------------------------------------------------ checks and storage

    def _check_numbers(self) -> None:
        """Raise an InputError if a numeric parameter is invalid; the network checks the others."""
        for name, minimum in (("batch_size", 1), ("max_iter", 1), ("n_iter_no_change", 1), ("first_epochs", 0)):
            check_count(name, getattr(self, name), minimum)
        for name in ("eta_W", "eta_R", "first_eta_W", "first_eta_R", "delta_scale", "tol"):
            if name not in ("eta_R", "first_eta_R") or getattr(self, name) is not None:
                check_rate(name, getattr(self, name))
        if self.rest_R_after is not None:
            check_count("rest_R_after", self.rest_R_after)
        check_fraction("validation_fraction", self.validation_fraction)
        self._hidden_sizes()

    def _shaping(self) -> dict[str, Any]:
        """Return the parameters in `SHAPING`, with copies of lists and one form of sizes."""
        given = {name: getattr(self, name) for name in SHAPING} | {"hidden_layer_sizes": self._hidden_sizes()}
        return {name: list(value) if isinstance(value, list) else value for name, value in given.items()}

    def _check_unchanged(self) -> None:
        """Raise an InputError for the first parameter in `SHAPING` that has changed since the network was built."""
        now = self._shaping()
        for name, before in self._built_with.items():
            if now[name] is not before and now[name] != before:
                raise InputError(
                    f"{name} was {shown(before)} when the network was built, and is now {shown(now[name])}: set it "
                    "back to train this network further, or start again with warm_start=False or sklearn.clone"
                )

    def _hidden_sizes(self) -> list[Any]:
        """Return `hidden_layer_sizes` as a list: of plain values, such as "conv16k3" and 50, if inputs are images."""
        given: Any = self.hidden_layer_sizes
        if self.image_shape is not None:
            check_image_shape("image_shape", self.image_shape)
            return plain_layers("hidden_layer_sizes", given)
        sizes = np.ravel(given).tolist() if isinstance(given, np.ndarray) else given
        sizes = sizes if isinstance(sizes, Iterable) else [sizes]
        try:
            _, *hidden, _ = check_sizes("sizes", [1, *sizes, 1])
        except InputError:
            example = "a positive integer, or several such as (500, 500)"
            raise InputError(f"hidden_layer_sizes must be {example}, got {shown(given)}") from None
        return hidden

    def __getstate__(self) -> dict[str, Any]:
        """Store the network as its parts and arrays: plain values if built in, which skops loads without running code.

        Parts of your own are stored as pickle and skops store them, by name.
        """
        state = super().__getstate__()
        if network := state.pop("network_", None):
            for kind, part in {**network.parts, **self._built_with}.items():
                check_picklable(kind, part)
            stored = {"config": network.parts, "backend": network.backend.name, "arrays": network_arrays(network)}
            state["network_"] = stored | {"noise": network.noise_state}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Rebuild the network from its parts and arrays."""
        state = {**state}
        if stored := state.pop("network_", None):
            network = state["network_"] = network_of(stored["config"], stored["arrays"], stored["backend"])
            network.noise_state = stored["noise"]
        super().__setstate__(state)
