"""The settings in which runs of one method differ; tables and frames have a column for each, figures an axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from copi_np.experiments.config import CHEAPER, NOT_FROM_TEXT, REPLACING, RunConfig
from copi_np.experiments.own_parts import KINDS, without_folder

LATERAL: Final = ("eta_R", "first_eta_R", "decorrelation", *CHEAPER)
"""Fields of `RunConfig` that have no effect on methods without lateral weights."""
BOTH: Final = {"eta": ("eta_W", "eta_R"), "first_eta": ("first_eta_W", "first_eta_R")}
"""Settings that stand for two step sizes, if these are equal."""
NOT_VARIED: Final = ("method", "seed", "epochs", "patience", "image_shape", *NOT_FROM_TEXT)
"""Fields of `RunConfig` that are not settings: they name the method, the run, or its length, or belong to the data."""


def setting(config: RunConfig, name: str) -> Any:
    """Return a setting of a run as a plain value, or None where it has no effect.

    Parameters
    ----------
    config : RunConfig
    name : str      a field of `RunConfig`, "eta" or "first_eta"; layer sizes are joined by hyphens, and a data set is
                    named without its folder
    """
    if name in LATERAL and not config.parts.decorrelates:
        return None
    value = getattr(config, BOTH.get(name, (name,))[0])
    if name in KINDS:
        return without_folder(value)
    if name == "dataset":
        return Path(value).name.removesuffix(".npz")
    return short(value) if isinstance(value, tuple) else value


def described(config: RunConfig, names: Iterable[str]) -> list[str]:
    """Return settings of a run as text such as "eta=0.01": without those that have no effect, or are in its label."""
    values = {name: setting(config, name) for name in names if name not in (*REPLACING, "bias", *config.own_parts)}
    return [f"{name}={value}" for name, value in values.items() if value is not None]


def short(value: Any) -> str:
    """Format a configuration value for a label, as the command line takes it: "784-500-10", "500" or "none"."""
    if isinstance(value, tuple):
        return "-".join(map(str, value))
    return "none" if value is None else str(value).removesuffix(".0")


def varied(configs: Iterable[RunConfig]) -> list[str]:
    """List the settings in which runs of the same method differ, in the order of `RunConfig`.

    "eta" takes the place of eta_W and eta_R if these are equal in every run that has both; likewise "first_eta".
    """
    configs = list(configs)
    names = [field.name for field in fields(RunConfig) if field.name not in NOT_VARIED]
    names = [name for name in names if _differs(configs, name)]
    for eta, (of_W, of_R) in BOTH.items():
        lateral = [config for config in configs if config.parts.decorrelates]
        if of_R in names and of_W in names and all(getattr(c, of_W) == getattr(c, of_R) for c in lateral):
            names = [eta if name == of_W else name for name in names if name != of_R]
    return names


def _differs(configs: Sequence[RunConfig], name: str) -> bool:
    values: dict[Any, set[Any]] = {}
    for config in configs:
        values.setdefault(config.method, set()).add(setting(config, name))
    return any(len(found) > 1 for found in values.values())
