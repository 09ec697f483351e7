"""Turn command-line options into the configuration of a run, starting from a preset."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any, Final

from copi_np._checks import bad_sizes, check_sizes, with_both_rates
from copi_np.architecture import check_image_shape, plain_layers
from copi_np.datasets import Dataset
from copi_np.errors import InputError, list_names, shown, unknown
from copi_np.experiments.config import CHEAPER, NOT_FROM_TEXT, RunConfig
from copi_np.experiments.methods import METHODS
from copi_np.experiments.own_parts import KINDS, check_text
from copi_np.experiments.preset_files import load_preset
from copi_np.patches import Shape

DEFAULT_PRESETS = {
    "mnist-5k": "mnist-5k",
    "digits-8x8": "digits-8x8",
    "mnist": "mnist",
    "fashion-mnist": "mnist",
    "cifar10": "cifar10",
}
FALLBACK_PRESET = "own-data"
STEP_SIZE_OPTIONS = ("eta", "eta_w", "eta_r", "r_only_epochs", "rest_r_after")

LATERAL_OPTIONS = ("eta_r", "decorrelation", *(name.lower() for name in CHEAPER), "r_only_epochs")


def config_from_options(options: dict[str, Any], load: Callable[[str], Dataset]) -> tuple[RunConfig, Dataset]:
    """Return the configuration for a preset and the command-line options that are not None.

    Unless the layers are given, the sizes of the first and last layer come from the data.

    Parameters
    ----------
    options : dict      dataset, method, preset, seed, epochs, layers, eta, eta_w, eta_r, delta_scale, r_only_epochs,
                        batch_size, rule, error_signal, decorrelation, decorrelation_samples, decorrelation_every,
                        rest_r_after, bias, loss, activation, output_activation, dtype
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
    without_shape = {"image_shape": None} if "layers" in given else {}
    others = {name: value for name, value in given.items() if name not in STEP_SIZE_OPTIONS}
    config = RunConfig(**values | _step_sizes(values, given) | others | without_shape)
    data = load(config.dataset)
    return config.for_data(data, keep_layers="layers" in given), data


def _check_decorrelates(given: dict[str, Any]) -> None:
    """Raise an InputError for options of the lateral weights if the method has none."""
    useless = [option for option in LATERAL_OPTIONS if option in given]
    if useless and not METHODS[given["method"]].decorrelates:
        options = list_names("--" + option.replace("_", "-") for option in useless)
        raise InputError(f"method {given['method']!r} does not decorrelate: leave out {options}")


def _step_sizes(values: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the step sizes that options change; a given one applies in every epoch in which those weights learn."""
    sizes: dict[str, Any] = {}
    if "eta" in given:
        if twice := [option for option in ("eta_w", "eta_r") if option in given]:
            options = list_names("--" + option.replace("_", "-") for option in twice)
            raise InputError(f"--eta sets both step sizes: leave out --eta, or {options}")
        decorrelates = METHODS[given["method"]].decorrelates
        given = given | {"eta_w": given["eta"]} | ({"eta_r": given["eta"]} if decorrelates else {})
    for option, name in (("eta_w", "eta_W"), ("eta_r", "eta_R")):
        if option in given:
            sizes[name] = given[option]
            if values.get(f"first_{name}"):  # 0 means that these weights do not learn in the first epochs
                sizes[f"first_{name}"] = given[option]
    if "r_only_epochs" in given:
        sizes |= {"first_epochs": given["r_only_epochs"], "first_eta_W": 0.0}
        if not values.get("first_eta_R"):
            sizes["first_eta_R"] = sizes.get("eta_R", values["eta_R"])
    if "rest_r_after" in given:
        sizes["rest_R_after"] = given["rest_r_after"]
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
    with_both_rates({name: values[0] for name, values in variations.items()})  # refuses eta next to eta_W
    return variations


def parse_variation(text: str) -> tuple[str, list[Any]]:
    """Parse a key of a preset and its values in a sweep, such as "eta=1e-3,1e-2", which sets both eta_W and eta_R.

    Layer sizes are joined by hyphens: "784-500-10,784-100-10".

    Raises
    ------
    InputError          if there is no such key, or a value is of the wrong kind
    """
    name, _, values = text.partition("=")
    names = {each.name: each.type for each in fields(RunConfig)}
    kinds: dict[str, Any] = {each: kind for each, kind in names.items() if each not in (*NOT_FROM_TEXT, "image_shape")}
    kinds |= {"eta": "float", "first_eta": "float"}
    if name in VARIED_OTHERWISE:
        raise InputError(f"--vary cannot set {name!r}: give it with {VARIED_OTHERWISE[name]}")
    if name not in kinds:
        raise unknown("hyper-parameter", name, [kind for kind in kinds if kind not in VARIED_OTHERWISE])
    readers: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str, "Part": str}
    read: Callable[[str], Any] = (readers | {"bool": parse_flag, "int | None": _int_or_none}).get(
        str(kinds[name]), parse_layers
    )
    try:
        found = [read(value.strip()) for value in values.split(",")]
        for value in found if name in KINDS else ():
            check_text(value)
        return name, found
    except (KeyError, ValueError):
        raise InputError(
            f"cannot read {text[:80]!r}: give values such as {name}={EXAMPLES[str(kinds[name])]}"
        ) from None


def _int_or_none(text: str) -> int | None:
    return None if text == "none" else int(text)


EXAMPLES = {
    "int": "20,50",
    "int | None": "5,none",
    "float": "0.001,0.01",
    "str": "float32,float64",
    "bool": "false,true",
    "Part": "matrix,my_rules.py:kappa",
    "tuple[Any, ...]": "784-500-10,784-100-10",
}


def parse_flag(text: str) -> bool:
    """Parse "true" or "false", in upper or lower case, as in TOML and Python; raise a KeyError for anything else."""
    return {"true": True, "false": False}[text.lower()]


NETWORKS: Final = {"mnist": (784, 500, 500, 500, 10), "cifar10": (3072, 1000, 1000, 10)}
"""The networks of the paper's Figure 2."""


def parse_layers(text: str) -> tuple[Any, ...]:
    """Parse layer sizes such as "784,500,10", or "784-500-10" as in the paper; or a name of `NETWORKS`.

    Layers for images have no inputs, and begin with a convolution: "conv32k5s2,conv64k3,pool2,10".

    Raises
    ------
    InputError          if they are not two or more positive integers or layers for images, or there is no such name
    """
    if text in NETWORKS:
        return NETWORKS[text]
    parts = [part.strip() for part in text.replace("-", ",").split(",")]
    if text.startswith("conv"):
        layers = [int(part) if part.isdecimal() and len(part) < 20 else part for part in parts]
        return tuple(plain_layers("layers", layers))
    if text[:1].isalpha():
        raise InputError(f"{unknown('network', text, NETWORKS)}, or layer sizes such as 784-500-10")
    if not all(part.isdecimal() and len(part) < 20 for part in parts):
        raise bad_sizes("layers", text[:80])
    return check_sizes("layers", [int(part) for part in parts])


def parse_image_shape(text: str) -> Shape:
    """Parse the shape of images, such as "3x32x32", or "28x28" for one channel.

    Raises
    ------
    InputError          if it is not two or three positive integers
    """
    parts = text.lower().split("x")
    if not all(part.isdecimal() and len(part) < 20 for part in parts):
        raise InputError(f"cannot read the shape of images {shown(text)}: write 3x32x32, or 28x28")
    return check_image_shape("image_shape", [int(part) for part in parts])
