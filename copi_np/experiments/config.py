"""The configuration of a run: a flat record of every hyper-parameter, and the presets that fill it in."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from importlib.resources import files
from typing import Any

import numpy as np

from copi_np.backend import DTYPES, Backend
from copi_np.checks import bad_sizes, check_count, check_rate, check_sizes
from copi_np.datasets import Dataset
from copi_np.errors import DataError, InputError, choose, list_names, unknown
from copi_np.experiments.methods import METHODS
from copi_np.network import Network
from copi_np.optimizers import LATERAL_STEPS
from copi_np.training import Schedule


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

    def __post_init__(self) -> None:
        choose("method", self.method, METHODS)
        choose("decorrelation", self.decorrelation, LATERAL_STEPS)
        if self.dtype not in DTYPES:
            raise unknown("dtype", self.dtype, DTYPES)
        check_sizes("layers", self.layers)
        for name, minimum in (("epochs", 1), ("batch_size", 1), ("seed", 0), ("first_epochs", 0)):
            check_count(name, getattr(self, name), minimum)
        for name in ("eta_W", "eta_R", "first_eta_W", "first_eta_R", "delta_scale"):
            check_rate(name, getattr(self, name))

    @property
    def schedule(self) -> Schedule:
        """The step sizes by epoch."""
        names = [field.name for field in fields(Schedule)]
        return Schedule(**{name: getattr(self, name) for name in names})

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

    That is the configuration, without its number of epochs: a longer run begins with the shorter one. Values that are
    the defaults of `RunConfig` are left out, so that a field added later does not change the names of earlier runs.
    The data count by their content, not by where they lie.
    """
    defaults = {field.name: field.default for field in fields(config)}
    differing = {name: value for name, value in config.as_dict().items() if value != defaults[name]}
    content = differing | {"epochs": None, "dataset": data.fingerprint}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{config.method}_seed{config.seed}_{digest[:10]}"


def preset_names() -> list[str]:
    """Names of the presets that come with the package."""
    folder = files("copi_np.experiments") / "presets"
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def load_preset(name: str, method: str) -> dict[str, Any]:
    """Read the hyper-parameters that a preset gives to a method, as keyword arguments of `RunConfig`.

    A preset is a TOML file; its ``[methods.NAME]`` tables hold what differs for a method.

    Raises
    ------
    InputError          if there is no such preset or method
    DataError           if the file has a key that `RunConfig` does not know
    """
    if name not in preset_names():
        raise unknown("preset", name, preset_names())
    choose("method", method, METHODS)
    text = (files("copi_np.experiments") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    values = tomllib.loads(text)
    overrides = values.pop("methods", {})
    for table in (values, *overrides.values()):
        if unknown_keys := set(table) - {field.name for field in fields(RunConfig)}:
            raise DataError(f"preset {name!r} has unknown keys {list_names(sorted(unknown_keys))}: correct the file")
    values |= overrides.get(method, {})
    return values | {"method": method, "layers": tuple(values["layers"])}


DEFAULT_PRESETS = {"mnist-5k": "mnist-5k", "mnist": "mnist", "fashion-mnist": "mnist", "cifar10": "cifar10"}
FALLBACK_PRESET = "own-data"
STEP_SIZE_OPTIONS = ("eta_w", "eta_r", "r_only_epochs")


def config_from_options(options: dict[str, Any], load: Callable[[str], Dataset]) -> tuple[RunConfig, Dataset]:
    """Make a configuration from a preset and the options of the command line that are not None.

    The first and the last layer are fitted to the data, unless the layers are given.

    Parameters
    ----------
    options : dict      dataset, method, preset, seed, epochs, layers, eta_w, eta_r, delta_scale, r_only_epochs,
                        batch_size, decorrelation, dtype
    load : callable     loads a data set by its name

    Returns
    -------
    config : RunConfig
    data : Dataset

    Raises
    ------
    InputError, DataError   if a value cannot be used, or the data set cannot be had
    """
    given = {name: value for name, value in options.items() if value is not None}
    dataset, preset = given.pop("dataset", None), given.pop("preset", None)
    if dataset is None and preset is None:
        raise InputError("say what to train on: --dataset NAME, or --preset NAME")
    name = DEFAULT_PRESETS.get(dataset, FALLBACK_PRESET) if preset is None else preset
    values = load_preset(name, given["method"])
    if dataset is not None:
        values["dataset"] = dataset
    elif "dataset" not in values:
        raise InputError(f"preset {preset!r} is for data of your own: say which with --dataset FILE.npz")
    _check_decorrelates(given)
    if "layers" in given:
        given["layers"] = parse_layers(given["layers"])
    others = {name: value for name, value in given.items() if name not in STEP_SIZE_OPTIONS}
    config = RunConfig(**values | _step_sizes(values, given) | others)
    data = load(config.dataset)
    if "layers" not in given:
        config = replace(config, layers=(data.n_inputs, *config.layers[1:-1], data.n_classes))
    return config, data


def _check_decorrelates(given: dict[str, Any]) -> None:
    """Refuse options of the lateral weights for a method that has none."""
    useless = [option for option in ("eta_r", "decorrelation", "r_only_epochs") if option in given]
    if useless and not METHODS[given["method"]].decorrelates:
        options = list_names("--" + option.replace("_", "-") for option in useless)
        raise InputError(f"method {given['method']!r} does not decorrelate: leave out {options}")


def _step_sizes(values: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Step sizes where options change the preset's; one that is given holds in every epoch that lets weights learn."""
    sizes: dict[str, Any] = {}
    for option, name in (("eta_w", "eta_W"), ("eta_r", "eta_R")):
        if option in given:
            sizes[name] = given[option]
            if values.get(f"first_{name}"):  # 0 means that these weights do not learn yet
                sizes[f"first_{name}"] = given[option]
    if "r_only_epochs" in given:
        sizes |= {"first_epochs": given["r_only_epochs"], "first_eta_W": 0.0}
        if not values.get("first_eta_R"):
            sizes["first_eta_R"] = sizes.get("eta_R", values["eta_R"])
    return sizes


VARIED_OTHERWISE = {"method": "--methods", "seed": "--seeds", "epochs": "--epochs", "dataset": "--dataset"}


def parse_variation(text: str) -> tuple[str, list[Any]]:
    """Read a field of `RunConfig` and the values that it takes in a sweep, such as "eta_W=1e-3,1e-2".

    Numbers of units are joined by hyphens: "layers=784-500-10,784-100-10".

    Raises
    ------
    InputError          if there is no such field, or a value is none of its kind
    """
    name, _, values = text.partition("=")
    kinds = {field.name: field.type for field in fields(RunConfig)}
    if name in VARIED_OTHERWISE:
        raise InputError(f"{name!r} is not for --vary: say it with {VARIED_OTHERWISE[name]}")
    if name not in kinds:
        raise unknown("hyper-parameter", name, kinds.keys() - VARIED_OTHERWISE)
    read = {"int": int, "float": float, "str": str}.get(str(kinds[name]), parse_layers)
    try:
        return name, [read(value.strip()) for value in values.split(",")]
    except ValueError as error:
        raise InputError(f"cannot read {text[:80]!r}: give values such as {EXAMPLES[str(kinds[name])]}") from error


EXAMPLES = {
    "int": "batch_size=20,50",
    "float": "eta_W=1e-3,1e-2",
    "str": "decorrelation=matrix,local",
    "tuple[int, ...]": "layers=784-500-10,784-100-10",
}


def parse_layers(text: str) -> tuple[int, ...]:
    """Read numbers of units such as "784,500,10", or "784-500-10" as in the paper.

    Raises
    ------
    InputError          if they are not two or more positive integers
    """
    parts = [part.strip() for part in text.replace("-", ",").split(",")]
    if not all(part.isdecimal() and len(part) < 20 for part in parts):
        raise bad_sizes("layers", text[:80])
    return check_sizes("layers", [int(part) for part in parts])
