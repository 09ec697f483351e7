"""Turn what a user types into the configuration of a run: a preset, changed by command-line options."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import Any, Final

from copi_np._checks import bad_sizes, check_sizes
from copi_np.datasets import Dataset
from copi_np.errors import InputError, list_names, unknown
from copi_np.experiments.config import NOT_FROM_TEXT, RunConfig, load_preset
from copi_np.experiments.methods import METHODS
from copi_np.experiments.own_parts import KINDS, check_text

DEFAULT_PRESETS = {"mnist-5k": "mnist-5k", "mnist": "mnist", "fashion-mnist": "mnist", "cifar10": "cifar10"}
FALLBACK_PRESET = "own-data"
STEP_SIZE_OPTIONS = ("eta_w", "eta_r", "r_only_epochs")


def config_from_options(options: dict[str, Any], load: Callable[[str], Dataset]) -> tuple[RunConfig, Dataset]:
    """Return the configuration for a preset and the command-line options that are not None.

    Unless the layers are given, the sizes of the first and last layer come from the data.

    Parameters
    ----------
    options : dict      dataset, method, preset, seed, epochs, layers, eta_w, eta_r, delta_scale, r_only_epochs,
                        batch_size, rule, error_signal, decorrelation, loss, activation, output_activation, dtype
    load : callable     loads a data set by its name

    Returns
    -------
    config : RunConfig
    data : Dataset

    Raises
    ------
    InputError, DataError   if a value is invalid, or the data set is not available
    """
    given = {name: value for name, value in options.items() if value is not None}
    dataset, preset = given.pop("dataset", None), given.pop("preset", None)
    if dataset is None and preset is None:
        raise InputError("choose what to train on: --dataset NAME, or --preset NAME")
    name = DEFAULT_PRESETS.get(dataset, FALLBACK_PRESET) if preset is None else preset
    values = load_preset(name, given["method"])
    if dataset is not None:
        values["dataset"] = dataset
    elif "dataset" not in values:
        raise InputError(f"preset {preset!r} is for your own data: give it with --dataset FILE.npz")
    for kind in KINDS:
        check_text((values | given).get(kind))
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
    """Raise an InputError for options of the lateral weights if the method has none."""
    useless = [option for option in ("eta_r", "decorrelation", "r_only_epochs") if option in given]
    if useless and not METHODS[given["method"]].decorrelates:
        options = list_names("--" + option.replace("_", "-") for option in useless)
        raise InputError(f"method {given['method']!r} does not decorrelate: leave out {options}")


def _step_sizes(values: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the step sizes that options change; a given one holds in every epoch in which those weights learn."""
    sizes: dict[str, Any] = {}
    for option, name in (("eta_w", "eta_W"), ("eta_r", "eta_R")):
        if option in given:
            sizes[name] = given[option]
            if values.get(f"first_{name}"):  # 0 means that these weights do not learn in the first epochs
                sizes[f"first_{name}"] = given[option]
    if "r_only_epochs" in given:
        sizes |= {"first_epochs": given["r_only_epochs"], "first_eta_W": 0.0}
        if not values.get("first_eta_R"):
            sizes["first_eta_R"] = sizes.get("eta_R", values["eta_R"])
    return sizes


VARIED_OTHERWISE = {"method": "--methods", "seed": "--seeds", "epochs": "--epochs", "dataset": "--dataset"}


def parse_variations(texts: Iterable[str]) -> dict[str, list[Any]]:
    """Parse several texts with `parse_variation`.

    Raises
    ------
    InputError          if a text cannot be parsed, or a field is given twice
    """
    variations: dict[str, list[Any]] = {}
    for name, values in map(parse_variation, texts):
        if name in variations:
            raise InputError(f"--vary {name} is given twice: list all its values at once, as {name}=V1,V2,..")
        variations[name] = values
    return variations


def parse_variation(text: str) -> tuple[str, list[Any]]:
    """Parse a field of `RunConfig` and its values in a sweep, such as "eta_W=1e-3,1e-2".

    Layer sizes are joined by hyphens: "layers=784-500-10,784-100-10".

    Raises
    ------
    InputError          if there is no such field, or a value is of the wrong kind
    """
    name, _, values = text.partition("=")
    kinds = {field.name: field.type for field in fields(RunConfig) if field.name not in NOT_FROM_TEXT}
    if name in VARIED_OTHERWISE:
        raise InputError(f"--vary cannot set {name!r}: give it with {VARIED_OTHERWISE[name]}")
    if name not in kinds:
        raise unknown("hyper-parameter", name, [kind for kind in kinds if kind not in VARIED_OTHERWISE])
    read = {"int": int, "float": float, "str": str, "Part": str}.get(str(kinds[name]), parse_layers)
    try:
        found = [read(value.strip()) for value in values.split(",")]
        for value in found if name in KINDS else ():
            check_text(value)
        return name, found
    except ValueError as error:
        raise InputError(f"cannot read {text[:80]!r}: give values such as {EXAMPLES[str(kinds[name])]}") from error


EXAMPLES = {
    "int": "batch_size=20,50",
    "float": "eta_W=1e-3,1e-2",
    "str": "dtype=float32,float64",
    "Part": "decorrelation=matrix,my_rules.py:kappa",
    "tuple[int, ...]": "layers=784-500-10,784-100-10",
}


NETWORKS: Final = {"mnist": (784, 500, 500, 500, 10), "cifar10": (3072, 1000, 1000, 10)}
"""The networks of the paper's Figure 2."""


def parse_layers(text: str) -> tuple[int, ...]:
    """Parse layer sizes such as "784,500,10", or "784-500-10" as in the paper; or a name of `NETWORKS`.

    Raises
    ------
    InputError          if they are not two or more positive integers, or there is no such name
    """
    if text in NETWORKS:
        return NETWORKS[text]
    if text[:1].isalpha():
        raise InputError(f"{unknown('network', text, NETWORKS)}, or layer sizes such as 784-500-10")
    parts = [part.strip() for part in text.replace("-", ",").split(",")]
    if not all(part.isdecimal() and len(part) < 20 for part in parts):
        raise bad_sizes("layers", text[:80])
    return check_sizes("layers", [int(part) for part in parts])
