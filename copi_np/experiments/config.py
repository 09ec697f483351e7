"""The configuration of a run: a flat record of every hyper-parameter, and the presets that fill it in."""

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
"""Bytes of a preset, at most: 1 MiB."""


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a run computes, apart from the machine it runs on.

    Parameters
    ----------
    method : str                        a name of `METHODS`
    dataset : str                       a name of `copi_np.datasets.DATASETS`, or the path of an .npz file
    layers : tuple of int               numbers of units, inputs first
    epochs, batch_size, seed : int
    eta_W, eta_R : float                step sizes of the forward and lateral weights
    first_epochs : int                  number of first epochs with step sizes of their own
    first_eta_W, first_eta_R : float    those step sizes
    delta_scale : float                 multiplies the error signals of all layers
    decorrelation : {"matrix", "local"} form of the rule that moves R, in methods that decorrelate
    dtype : {"float32", "float64"}
    val_fraction : float                share of the training samples that is held out, to select by; 0 for none
    patience : int                      epochs in a row without a new best one, by accuracy on the samples held out,
                                        after which the run ends; 0 for as many epochs as there are

    Raises
    ------
    InputError                          if a value cannot be used
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
            checked[name] = value if isinstance(value, int) else rate  # 500 stays 500, as a preset says it
        for name, value in checked.items():  # NumPy's numbers are Python's now, which JSON can hold
            object.__setattr__(self, name, value)
        if self.val_fraction >= 1:
            raise InputError(f"val_fraction must be below 1, e.g. 0.1, got {shown(self.val_fraction)}")
        if self.patience and not self.val_fraction:
            raise InputError(
                "patience needs samples to select by: hold some out, e.g. val_fraction=0.1 (--val-fraction 0.1)"
            )

    @property
    def schedule(self) -> Schedule:
        """The step sizes by epoch."""
        names = [field.name for field in fields(Schedule)]
        return Schedule(**{name: getattr(self, name) for name in names})

    def is_over(self, history: Sequence[EpochRecord]) -> bool:
        """Whether a run with this history has come to its end: all epochs, or enough without a better one."""
        if len(history) >= self.epochs:
            return True
        return self.patience > 0 and has_waited(history, self.patience, self.first_epochs)

    def build_network(self, rng: np.random.Generator, backend: str | Backend) -> Network:
        """Make the untrained network of this run."""
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
        """The configuration as plain values, ready for JSON."""
        return asdict(self)


def run_name(config: RunConfig, data: Dataset) -> str:
    """The name of a run, e.g. "copi-bp_seed0_3f9c2a1b07": method, seed, and a hash of all that its numbers depend on.

    That is the configuration, without what decides about its end: a longer run begins with the shorter one. Values
    that are the defaults of `RunConfig` are left out, so that a field added later does not change the names of earlier
    runs. The data count by their content, not by where they lie; 50 and 50.0 are one number.
    """
    defaults = {field.name: field.default for field in fields(config)}
    differing = {name: _one_number(value) for name, value in config.as_dict().items() if value != defaults[name]}
    differing.pop("patience", None)
    content = differing | {"epochs": None, "dataset": data.fingerprint}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{config.method}_seed{config.seed}_{digest[:10]}"


def _one_number(value: Any) -> Any:
    """The value, as an integer if it is a whole number: JSON writes 50 and 50.0 differently."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def preset_names() -> list[str]:
    """Names of the presets that come with the package."""
    folder = files("copi_np.experiments") / "presets"
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def load_preset(name: str, method: str) -> dict[str, Any]:
    """Read the hyper-parameters that a preset gives to a method, as keyword arguments of `RunConfig`.

    A preset is a TOML file; its ``[methods.NAME]`` tables hold what differs for a method.

    Parameters
    ----------
    name : str          of a preset that comes with the package, or the path of a .toml file
    method : str        a name of `METHODS`

    Raises
    ------
    InputError          if there is no such preset or method
    DataError           if the file cannot be read, is no TOML, has keys or values that `RunConfig` does not take, or
                        lacks some that it needs
    """
    choose("method", method, METHODS)
    text = _preset_text(name)
    try:
        values = tomllib.loads(text)
    except RecursionError as error:
        raise DataError(f"preset {name!r} cannot be read (nested too deep): correct the file") from error
    except ValueError as error:  # no TOML, or an integer of too many digits
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
    """Refuse keys that mean nothing, so that a slip of the pen cannot pass as a default."""
    if not isinstance(overrides, dict) or not all(isinstance(table, dict) for table in overrides.values()):
        raise DataError(f"preset {name!r}: methods are tables such as [methods.bp-adam]: correct the file")
    known = {field.name for field in fields(RunConfig)} - {"method", "seed"}
    of_methods = set().union(*overrides.values())
    for kind, names, allowed in (("method", set(overrides), set(METHODS)), ("key", set(values) | of_methods, known)):
        if wrong := sorted(names - allowed):
            raise DataError(f"preset {name!r}: {unknown(kind, wrong[0], sorted(allowed))}: correct the file")
    if "dataset" in of_methods:
        raise DataError(f"preset {name!r}: dataset is the same for all methods: say it above the [methods.X] tables")


def _preset_text(name: str) -> str:
    if name.endswith(".toml"):
        if not exists(Path(name)):
            raise InputError(f"there is no preset {name}: correct the path")
        return read_text(Path(name), "correct the file", MAX_PRESET)
    if name not in preset_names():
        raise InputError(f"{unknown('preset', name, preset_names())}, or the path of a .toml file")
    return (files("copi_np.experiments") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
