"""Presets: TOML files that fill in a `RunConfig`."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from copi_np._checks import with_both_rates
from copi_np.errors import DataError, InputError, brief, choose, list_names, unknown
from copi_np.experiments.config import NOT_FROM_TEXT, RunConfig
from copi_np.experiments.methods import METHODS
from copi_np.experiments.own_parts import with_folder
from copi_np.storage.untrusted import exists, read_text

MAX_PRESET: Final = 2**20
"""Largest preset that is read, in bytes."""


def preset_names() -> list[str]:
    """List the presets that come with the package."""
    folder = files("copi_np.experiments") / "presets"
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def load_preset(name: str, method: str) -> dict[str, Any]:
    """Read the hyper-parameters of a method from a preset, as keyword arguments of `RunConfig`.

    A preset is a TOML file; its ``[methods.NAME]`` tables override values for single methods. In any of them, eta sets
    both eta_W and eta_R, and first_eta both rates of the first epochs.

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
    except RecursionError:
        raise DataError(f"preset {name!r} cannot be read (nested too deep): correct the file") from None
    except ValueError as error:  # not TOML, or an integer with too many digits
        raise DataError(f"preset {name!r} cannot be read ({brief(error)}): correct the file") from None
    overrides = values.pop("methods", {})
    _check_keys(name, values, overrides)
    try:
        values = with_both_rates(values) | with_both_rates(overrides.get(method, {}))
    except InputError as error:
        raise DataError(f"preset {name!r}: {error}") from None
    if name.endswith(".toml"):
        values = with_folder(Path(name).parent, values)
    if missing := [key for key in ("layers", "epochs", "eta_W", "eta_R") if key not in values]:
        raise DataError(f"preset {name!r} lacks {list_names(missing)}: add them to the file")
    layers = values["layers"]
    values |= {"method": method, "layers": tuple(layers) if isinstance(layers, list) else layers}
    try:
        RunConfig(**{"dataset": "(not chosen yet)", **values})
    except InputError as error:
        raise DataError(f"preset {name!r}: {error}") from None
    return values


def _check_keys(name: str, values: dict[str, Any], overrides: Any) -> None:
    """Raise a DataError for unknown keys, so that a typo does not silently mean the default."""
    if not isinstance(overrides, dict) or not all(isinstance(table, dict) for table in overrides.values()):
        raise DataError(f"preset {name!r}: methods are tables such as [methods.bp-adam]: correct the file")
    known = {"eta", "first_eta", *(field.name for field in fields(RunConfig))} - {"method", "seed", *NOT_FROM_TEXT}
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
