"""The configuration of a run: a flat record of all hyper-parameters, and the presets that fill it in."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np

from copi_np._checks import check_count, check_rate, check_sizes
from copi_np.backend import DTYPES, Backend
from copi_np.callbacks.selection import has_waited
from copi_np.datasets import Dataset
from copi_np.errors import DataError, InputError, brief, choose, list_names, shown, unknown
from copi_np.experiments.methods import METHODS
from copi_np.history import EpochRecord
from copi_np.network import Network
from copi_np.steps import LATERAL_STEPS
from copi_np.storage.untrusted import exists, read_text
from copi_np.training import Schedule

MAX_PRESET: Final = 2**20
"""The largest preset that is read, in bytes."""


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines the result of a run, apart from the machine it runs on.

    Parameters
    ----------
    method : str                        a name of `METHODS`
    dataset : str                       a name of `copi_np.datasets.DATASETS`, or the path of an .npz file
    layers : tuple of int               numbers of units, inputs first
    epochs, batch_size, seed : int
    eta_W, eta_R : float                step sizes of the forward and lateral weights
    first_epochs : int                  number of first epochs, which have their own step sizes
    first_eta_W, first_eta_R : float    step sizes of the first epochs
    delta_scale : float                 multiplies the error signals of all layers
    decorrelation : {"matrix", "local"} form of the rule that moves R, in methods that decorrelate
    dtype : {"float32", "float64"}
    val_fraction : float                share of the training samples to hold out for validation; 0 for none
    patience : int                      end the run after this many epochs in a row without a new best validation
                                        accuracy; 0 to train for all epochs

    Raises
    ------
    InputError                          if a value is invalid
    """

    method: str
    dataset: str
    layers: tuple[int, ...]
    epochs: int
    eta_W: float
    eta_R: float
    batch_size: int = 50
    seed: int = 0
    first_epochs: int = 0
    first_eta_W: float = 0.0
    first_eta_R: float = 0.0
    delta_scale: float = 1.0
    decorrelation: str = "matrix"
    dtype: str = "float32"
    val_fraction: float = 0.0
    patience: int = 0

    def __post_init__(self) -> None:
        choose("method", self.method, METHODS)
        choose("decorrelation", self.decorrelation, LATERAL_STEPS)
        if self.dtype not in DTYPES:
            raise unknown("dtype", self.dtype, DTYPES)
        if not isinstance(self.dataset, str) or not self.dataset.isprintable():
            raise InputError(f"dataset must be a name or the path of an .npz file, got {shown(self.dataset)}")
        checked: dict[str, Any] = {"layers": check_sizes("layers", self.layers)}
        minima = {"epochs": 1, "batch_size": 1, "seed": 0, "first_epochs": 0, "patience": 0}
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

    @property
    def schedule(self) -> Schedule:
        """The step sizes of every epoch."""
        names = [field.name for field in fields(Schedule)]
        return Schedule(**{name: getattr(self, name) for name in names})

    def is_over(self, history: Sequence[EpochRecord]) -> bool:
        """Return whether a run with this history has ended: after all epochs, or because its patience ran out."""
        if len(history) >= self.epochs:
            return True
        return self.patience > 0 and has_waited(history, self.patience, self.first_epochs)

    def build_network(self, rng: np.random.Generator, backend: str | Backend) -> Network:
        """Return the untrained network of this run."""
        method = METHODS[self.method]
        return Network(
            self.layers,
            rng=rng,
            rule=method.rule,
            error_signal=method.error_signal,
            decorrelation=self.decorrelation if method.decorrelates else None,
            backend=backend,
            dtype=self.dtype,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the configuration as plain values, ready for JSON."""
        return asdict(self)


def run_name(config: RunConfig, data: Dataset) -> str:
    """Return the name of a run, e.g. "copi-bp_seed0_3f9c2a1b07": method, seed, and a hash of all that determines it.

    The hash covers the configuration without epochs and patience, since a longer run begins as the shorter one does.
    It leaves out values that equal the defaults of `RunConfig`, so that a field added later does not rename earlier
    runs. The data set is hashed by content, not by path; 50 and 50.0 are the same number.
    """
    defaults = {field.name: field.default for field in fields(config)}
    differing = {name: _one_number(value) for name, value in config.as_dict().items() if value != defaults[name]}
    differing.pop("patience", None)
    content = differing | {"epochs": None, "dataset": data.fingerprint}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{config.method}_seed{config.seed}_{digest[:10]}"


def _one_number(value: Any) -> Any:
    """Return whole numbers as integers: JSON writes 50 and 50.0 differently."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def preset_names() -> list[str]:
    """List the presets that come with the package."""
    folder = files("copi_np.experiments") / "presets"
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def load_preset(name: str, method: str) -> dict[str, Any]:
    """Read the hyper-parameters of a method from a preset, as keyword arguments of `RunConfig`.

    A preset is a TOML file; its ``[methods.NAME]`` tables override values for single methods.

    Parameters
    ----------
    name : str          of a preset that comes with the package, or the path of a .toml file
    method : str        a name of `METHODS`

    Raises
    ------
    InputError          if there is no such preset or method
    DataError           if the file cannot be read, is not TOML, lacks a required key, or has a key or value that
                        `RunConfig` does not accept
    """
    choose("method", method, METHODS)
    text = _preset_text(name)
    try:
        values = tomllib.loads(text)
    except RecursionError as error:
        raise DataError(f"preset {name!r} cannot be read (nested too deep): correct the file") from error
    except ValueError as error:  # not TOML, or an integer with too many digits
        raise DataError(f"preset {name!r} cannot be read ({brief(error)}): correct the file") from error
    overrides = values.pop("methods", {})
    _check_keys(name, values, overrides)
    values |= overrides.get(method, {})
    if missing := [key for key in ("layers", "epochs", "eta_W", "eta_R") if key not in values]:
        raise DataError(f"preset {name!r} lacks {list_names(missing)}: add them to the file")
    layers = values["layers"]
    values |= {"method": method, "layers": tuple(layers) if isinstance(layers, list) else layers}
    try:
        RunConfig(**{"dataset": "to be said", **values})
    except InputError as error:
        raise DataError(f"preset {name!r}: {error}") from error
    return values


def _check_keys(name: str, values: dict[str, Any], overrides: Any) -> None:
    """Raise a DataError for unknown keys, so that a typo does not silently mean the default."""
    if not isinstance(overrides, dict) or not all(isinstance(table, dict) for table in overrides.values()):
        raise DataError(f"preset {name!r}: methods are tables such as [methods.bp-adam]: correct the file")
    known = {field.name for field in fields(RunConfig)} - {"method", "seed"}
    of_methods = set().union(*overrides.values())
    for kind, names, allowed in (("method", set(overrides), set(METHODS)), ("key", set(values) | of_methods, known)):
        if wrong := sorted(names - allowed):
            raise DataError(f"preset {name!r}: {unknown(kind, wrong[0], sorted(allowed))}: correct the file")
    if "dataset" in of_methods:
        raise DataError(f"preset {name!r}: dataset is the same for all methods: set it above the [methods.X] tables")


def _preset_text(name: str) -> str:
    if name.endswith(".toml"):
        if not exists(Path(name)):
            raise InputError(f"there is no preset {name}: correct the path")
        return read_text(Path(name), "correct the file", MAX_PRESET)
    if name not in preset_names():
        raise InputError(f"{unknown('preset', name, preset_names())}, or the path of a .toml file")
    return (files("copi_np.experiments") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
