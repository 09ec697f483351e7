"""The configuration of a run: a flat record of all hyper-parameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from math import prod
from typing import Any, Final, TypeAlias

import numpy as np

from copi_np._checks import check_count, check_flag, check_rate, check_sizes
from copi_np.architecture import check_image_shape, needs_images, plain_layers, plan_layers
from copi_np.backend import DTYPES, Backend
from copi_np.callbacks.selection import has_waited
from copi_np.datasets import SCALINGS, Dataset
from copi_np.errors import InputError, choose, list_names, shown, unknown
from copi_np.experiments.methods import METHODS, Method
from copi_np.experiments.own_parts import (
    KINDS,
    check_part,
    code_digest,
    is_own_part,
    label_of_parts,
    line_at_fault,
    network_part,
    plain,
    source_digest,
    without_folder,
)
from copi_np.history import EpochRecord
from copi_np.more_signals import DENSE_ONLY
from copi_np.network import Network
from copi_np.schedule import Schedule

REPLACING: Final = ("rule", "error_signal", "loss", "activation", "output_activation")
"""Fields that are in the label of a run if they are set."""
CHEAPER: Final = ("decorrelation_samples", "decorrelation_every", "rest_R_after")
"""Fields that make decorrelation cheaper."""
OPTIONAL: Final = (
    *REPLACING,
    "bias",
    "image_shape",
    "scale",
    *CHEAPER,
    "own_schedule",
    "code_sha256",
    "source_sha256",
    "digested",
)
"""Fields that are recorded only if they are set, so that earlier records stay valid."""
NOT_FROM_TEXT: Final = ("own_schedule", "code_sha256", "source_sha256", "digested")
"""Fields that presets and command-line options cannot set: an object, and values that are computed."""
Part: TypeAlias = Any
"""A part of a method: a built-in name, an object of your own, or text such as "my_rules.py:kappa"."""


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines the result of a run, apart from the machine it runs on.

    Parameters
    ----------
    method : str or Method              a name of `METHODS`, or a method of your own
    dataset : str                       a name of `copi_np.datasets.DATASETS`, or the path of an .npz file
    layers : tuple                      numbers of units, inputs first; or layers for images, such as "conv32k5" and
                                        "pool2", without inputs, see `architecture`
    epochs, batch_size, seed : int
    eta_W, eta_R : float                step sizes of the forward and lateral weights
    first_epochs : int                  number of epochs at the start with step sizes of their own
    first_eta_W, first_eta_R : float    step sizes of the first epochs
    delta_scale : float                 multiplies the error signals of all layers
    decorrelation : {"matrix", "local"}, or a part of your own
                                        the rule that moves R, in methods that decorrelate
    dtype : {"float32", "float64"}
    scale : {"none", "standardize", "unit"}
                                        how inputs are scaled, see `Dataset.scaled`; measured on the training samples
                                        without those held out
    val_fraction : float                share of the training samples to hold out for validation; 0 for none
    patience : int                      end the run after this many epochs in a row without a new best validation
                                        accuracy; 0 to train for all epochs
    rule, error_signal                  replace the method's, unless None: a built-in name, a function or object, or
                                        text such as "my_rules.py:my_dW"
    loss, activation, output_activation as for `Network`, or text such as "my_parts.py:softplus"
    bias : bool                         whether every layer gets one more input that is always 1, see `copi_np.bias`
    image_shape : (C, H, W) or None     shape of the images that convolutions see
    decorrelation_samples, decorrelation_every, rest_R_after
                                        as for `Network` and `Schedule`
    own_schedule : function, optional   replaces the step sizes, see `training.fit`
    code_sha256 : str                   SHA-256 of the files that parts are in, and of files in the same folder that
                                        these import; computed if empty
    source_sha256 : str                 SHA-256 of the source of parts that are objects; computed, but read from a
                                        record, which only names the objects
    digested : tuple, optional          the parts that the two checksums belong to; if the parts change, as by
                                        `dataclasses.replace`, they are computed again. None: they belong to these parts

    Raises
    ------
    InputError                          if a value is invalid
    DataError                           if the file of a part cannot be run
    """

    method: str | Method
    dataset: str
    layers: tuple[Any, ...]
    epochs: int
    eta_W: float
    eta_R: float
    batch_size: int = 50
    seed: int = 0
    first_epochs: int = 0
    first_eta_W: float = 0.0
    first_eta_R: float = 0.0
    delta_scale: float = 1.0
    decorrelation: Part = "matrix"
    dtype: str = "float32"
    val_fraction: float = 0.0
    patience: int = 0
    rule: Part = None
    error_signal: Part = None
    loss: Part = "quadratic"
    activation: Part = "leaky_relu"
    output_activation: Part = None
    bias: bool = False
    image_shape: tuple[int, ...] | None = None
    scale: str = "none"
    decorrelation_samples: int | None = None
    decorrelation_every: int = 1
    rest_R_after: int | None = None
    own_schedule: Any = None
    code_sha256: str = ""
    source_sha256: str = ""
    digested: tuple[Any, ...] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.method, Method):
            choose("method", self.method, METHODS)
        self._check_parts()
        if self.dtype not in DTYPES:
            raise unknown("dtype", self.dtype, DTYPES)
        if self.scale not in SCALINGS:
            raise unknown("scale", self.scale, SCALINGS)
        if not isinstance(self.dataset, str) or not self.dataset.isprintable():
            raise InputError(f"dataset must be a name or the path of an .npz file, got {shown(self.dataset)}")
        checked: dict[str, Any] = {**self._checked_layers(), "bias": check_flag("bias", self.bias)}
        minima = {"epochs": 1, "batch_size": 1, "seed": 0, "first_epochs": 0, "patience": 0}
        minima |= {name: 1 for name in CHEAPER if getattr(self, name) is not None}
        for name, minimum in minima.items():
            checked[name] = check_count(name, getattr(self, name), minimum)
        for name in ("eta_W", "eta_R", "first_eta_W", "first_eta_R", "delta_scale", "val_fraction"):
            rate, value = check_rate(name, getattr(self, name)), getattr(self, name)
            checked[name] = value if isinstance(value, int) else rate  # 500 stays 500, as in the preset
        for name, value in checked.items():  # NumPy's numbers have become Python's, which JSON can store
            object.__setattr__(self, name, value)
        if self.val_fraction >= 1:
            raise InputError(f"val_fraction must be below 1, e.g. 0.1, got {shown(self.val_fraction)}")
        if self.patience and not self.val_fraction:
            raise InputError(
                "patience needs validation samples: hold some out, e.g. val_fraction=0.1 (--val-fraction 0.1)"
            )

    def _checked_layers(self) -> dict[str, Any]:
        """Return layers and the shape of images as plain values, or raise an InputError if they do not fit."""
        if self.image_shape is not None:
            shape = check_image_shape("image_shape", self.image_shape)
            plan_layers(self.layers, shape, "layers")
            return {"layers": tuple(plain_layers("layers", self.layers)), "image_shape": shape}
        if needs_images(self.layers):  # of data that are not known yet
            return {"layers": tuple(plain_layers("layers", self.layers))}
        return {"layers": check_sizes("layers", self.layers)}

    def _check_parts(self) -> None:
        """Raise an error for a part that cannot be used, and compute the digests of all parts of your own."""
        own = self._own_code
        parts = (*own.values(), self.own_schedule)
        if self.digested not in (None, parts):
            object.__setattr__(self, "code_sha256", "")
            object.__setattr__(self, "source_sha256", "")
        object.__setattr__(self, "digested", parts)
        if not self.code_sha256:  # otherwise the parts come from a record, whose files may be gone
            for kind, part in own.items():
                check_part(kind, part)
            object.__setattr__(self, "code_sha256", code_digest(own.values()))
        if digest := source_digest(parts):
            object.__setattr__(self, "source_sha256", digest)
        for kind in KINDS:
            if not is_own_part(part := getattr(self, kind)) and part != _default(kind):
                check_part(kind, part)

    @property
    def parts(self) -> Method:
        """The method, with its label and parts."""
        return self.method if isinstance(self.method, Method) else METHODS[self.method]

    @property
    def own_parts(self) -> dict[str, Any]:
        """The parts of your own that replace those of the method, by kind."""
        return {kind: part for kind, part in self._own_code.items() if part is getattr(self, kind)}

    @property
    def _own_code(self) -> dict[str, Any]:
        """All parts of your own that the run uses, by kind, including those of a method of your own."""
        return {kind: part for kind, part in self._used_parts.items() if is_own_part(part)}

    @property
    def _used_parts(self) -> dict[str, Any]:
        """All parts that the run uses, by kind."""
        method = self.parts
        return {
            "rule": method.rule if self.rule is None else self.rule,
            "error_signal": method.error_signal if self.error_signal is None else self.error_signal,
            "decorrelation": self.decorrelation if method.decorrelates else None,
            "loss": self.loss,
            "activation": self.activation,
            "output_activation": self.output_activation,
        }

    def line_at_fault(self, error: Exception) -> str | None:
        """Say in which line of a part's file an error was raised, or return None if it was raised elsewhere."""
        return line_at_fault(self._own_code.values(), error)

    @property
    def label(self) -> str:
        """A short name of the method and of what replaces or extends it."""
        return list_names(filter(None, [self.parts.label, self.replaced]))

    @property
    def replaced(self) -> str:
        """What replaces or extends the method, such as "rule sgd, decorrelation kappa, bias"; "" if nothing does."""
        replaced = {kind: part for kind in REPLACING if (part := getattr(self, kind)) != _default(kind)}
        return list_names(filter(None, [label_of_parts(replaced | self.own_parts), "bias" if self.bias else ""]))

    @property
    def schedule(self) -> Any:
        """The step sizes of every epoch: a `Schedule`, or a function of the epoch."""
        if self.own_schedule is not None:
            return self.own_schedule
        names = [field.name for field in fields(Schedule)]
        return Schedule(**{name: getattr(self, name) for name in names})

    def is_over(self, history: Sequence[EpochRecord]) -> bool:
        """Return whether a run with this history has ended: after all epochs, or because its patience ran out."""
        if len(history) >= self.epochs:
            return True
        return self.patience > 0 and has_waited(history, self.patience, self.first_epochs)

    def network_parts(self) -> dict[str, Any]:
        """Return rule, error signal, decorrelation, loss and activations as `Network` takes them.

        Raises
        ------
        InputError, DataError   if a part of your own is missing, or has changed since the run began
        """
        digest_now = partial(code_digest, self._own_code.values())
        return {k: network_part(k, part, self.code_sha256, digest_now) for k, part in self._used_parts.items()}

    def build_network(self, rng: np.random.Generator, backend: str | Backend) -> Network:
        """Return the untrained network of this run; raises what `network_parts` does."""
        others: Any = {name: getattr(self, name) for name in ("bias", "decorrelation_samples", "decorrelation_every")}
        others["input_shape"] = self.image_shape
        return Network(self.layers, rng=rng, backend=backend, dtype=self.dtype, **others, **self.network_parts())

    def for_data(self, data: Dataset, *, keep_layers: bool = False) -> RunConfig:
        """Return the configuration with inputs and outputs of the data; `keep_layers` leaves dense layers as they are.

        Data without a shape have that of the configuration, if it has as many values.

        Raises
        ------
        InputError      if there are convolutions, and the data are not images with their channels first, or the error
                        signal is for dense layers only
        """
        if not needs_images(self.layers):
            layers = self.layers if keep_layers else (data.n_inputs, *self.layers[1:-1], data.n_classes)
            return replace(self, layers=layers, image_shape=None)
        if self._used_parts["error_signal"] in [signal.name for signal in DENSE_ONLY]:
            what = f"{self.label} works with dense layers only"
            raise InputError(f"{what}: choose another method for convolutions, such as copi-bp")
        shape = data.image_shape
        if shape is None and self.image_shape is not None and prod(self.image_shape) == data.n_inputs:
            shape = self.image_shape
        if shape is None or len(shape) not in (2, 3) or (len(shape) == 3 and shape[0] > 3 >= shape[2]):
            what = "no image_shape" if shape is None else f"image_shape {shape}"
            how = f"but {data.name!r} has {what}: store its inputs as (N, channels, height, width)"
            raise InputError(f"convolutions need images of (channels, height, width), {how}")
        layers = self.layers if keep_layers else (*self.layers[:-1], data.n_classes)
        return replace(self, layers=layers, image_shape=shape)

    def as_dict(self) -> dict[str, Any]:
        """Return the configuration as plain values, ready for JSON; `OPTIONAL` fields only if they are set."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.compare}
        if isinstance(self.method, Method):
            parts = {kind: plain(getattr(self.method, kind)) for kind in ("rule", "error_signal")}
            values["method"] = self.method._asdict() | parts
        values |= {name: plain(values[name]) for name in (*KINDS, "own_schedule")}
        return {name: value for name, value in values.items() if name not in OPTIONAL or value != _default(name)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunConfig:
        """Return the configuration that `as_dict` was called on, with the names of objects in place of the objects."""
        if not all(isinstance(values.get(name, ""), str) for name in (*KINDS, *NOT_FROM_TEXT)):
            raise TypeError("parts and checksums must be text")
        method = values["method"]
        method = Method(**method) if isinstance(method, dict) else method
        return cls(**values | {"method": method, "layers": tuple(values["layers"])})

    def without_folders(self) -> RunConfig:
        """Return the configuration without the folders of files, as `own_parts.without_folder` does for each part."""
        return replace(self, digested=None, **{kind: without_folder(part) for kind, part in self.own_parts.items()})


def _default(name: str) -> Any:
    """Return the default of a field of `RunConfig`."""
    return next(field.default for field in fields(RunConfig) if field.name == name)


def run_name(config: RunConfig, data: Dataset) -> str:
    """Return the name of a run, e.g. "copi-bp_seed0_3f9c2a1b07": method, seed, and a hash of all that determines it.

    The hash covers the configuration without epochs and patience, since a longer run begins as the shorter one does.
    It leaves out values that equal the defaults of `RunConfig`, so that a field added later does not rename earlier
    runs. The data set is hashed by content, not by path; 50 and 50.0 are the same number.
    """
    values = config.without_folders().as_dict()
    differing = {name: _one_number(value) for name, value in values.items() if value != _default(name)}
    differing.pop("patience", None)
    content = differing | {"epochs": None, "dataset": data.fingerprint}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{method_name(config)}_seed{config.seed}_{digest[:10]}"


def method_name(config: RunConfig) -> str:
    """Return the name of a run's method for files, such as "copi-bp"."""
    return config.method.slug if isinstance(config.method, Method) else config.method


def _one_number(value: Any) -> Any:
    """Return whole numbers as integers: JSON writes 50 and 50.0 differently."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
