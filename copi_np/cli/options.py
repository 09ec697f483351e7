"""Options that several commands share, and their shell completion."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from copi_np.backend import BACKENDS
from copi_np.datasets import SCALINGS
from copi_np.errors import CopiWarning, list_names
from copi_np.experiments.environment import n_cores
from copi_np.experiments.options import NETWORKS
from copi_np.experiments.own_parts import KINDS

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


class Folder(click.Path):
    """A folder to write to."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """Refuse a file, and the empty name, which would mean the current folder."""
        if value == "":
            self.fail("the name is empty: give the name of a folder", parameter, context)
        if Path(value).is_file():
            self.fail(f"{value} is a file: choose a folder", parameter, context)
        return super().convert(value, parameter, context)


# not click.Choice: names are checked where they are used, with an error that suggests the nearest valid name
def one_of(names: Iterable[str], *, or_file: bool = False) -> Completer:
    """Complete to the names that start with the typed text, or to files if there are none."""
    names = list(names)

    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
        found = [CompletionItem(name) for name in names if name.startswith(typed)]
        return [CompletionItem(typed, type="file")] if or_file and not found else found

    return complete


def some_of(names: Iterable[str]) -> Completer:
    """Complete the last name in a list separated by commas."""
    names = list(names)

    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
        before, comma, last = typed.rpartition(",")
        return [CompletionItem(f"{before}{comma}{name}") for name in names if name.startswith(last)]

    return complete


def split_names(text: str) -> list[str]:
    """Split names separated by commas."""
    return [name.strip() for name in text.split(",")]


def part_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that replace a part of the network."""
    helps = {
        "output_activation": "Activation function of the output layer; linear for cross-entropy unless given",
        "activation": "Activation function, in place of the preset's",
        "loss": "Loss of the outputs, in place of the preset's",
        "decorrelation": "Rule of the lateral weights, in place of the preset's",
        "error_signal": "Error signal, in place of the method's",
        "rule": "Rule of the forward weights, in place of the method's",
    }
    for kind, text in helps.items():
        names = KINDS[kind]
        option = click.option(
            "--" + kind.replace("_", "-"),
            shell_complete=one_of(names, or_file=True),
            metavar="NAME",
            help=f"{text}: {list_names(names)}, or your own, FILE.py:NAME.",
        )
        command = option(command)
    return command


def given_parts(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the `part_options` that were given, by kind."""
    return {kind: options[kind] for kind in KINDS if options[kind] is not None}


def layers_option(name: str, **settings: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option for layer sizes, --layers or --network in every command; it is passed as `name`."""
    help_text = (
        f"Layer sizes, inputs first, such as 784-500-10; or a network of the paper: {list_names(NETWORKS)}; or layers "
        "for images: conv32k5s2-conv64k3-pool2-10."
    )
    spelling = ("--layers", "--network")
    return click.option(*spelling, name, shell_complete=one_of(NETWORKS), help=help_text, **settings)


val_fraction_option = click.option(
    "--val-fraction",
    type=click.FloatRange(min=0, max=1, max_open=True),
    help="Share of the training samples to hold out for validation; where runs are recorded, best.npz is the network "
    "that is best on them.",
)
patience_option = click.option(
    "--patience",
    type=click.IntRange(min=0),
    help="Stop after this many epochs without a new best on the validation samples; 0: never.",
)


def scale_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --scale, and --standardize, which is short for one of its values."""
    scale = click.option(
        "--scale",
        shell_complete=one_of(SCALINGS),
        metavar="NAME",
        help="Scale inputs, measured on the training samples: standardize (zero mean and unit variance for each "
        "feature), unit (divide by the largest value), none.",
    )
    short = click.option("--standardize", "scale", flag_value="standardize", help="Short for --scale standardize.")
    return scale(short(command))


backend_option = click.option(
    "--backend",
    default="auto",
    show_default=True,
    shell_complete=one_of(BACKENDS),
    help="numpy, cupy, torch, torch:cuda, or auto: CuPy if a GPU works, else NumPy.",
)
# `copi_np.datasets` reads the environment variable, not click: a stale value must not break commands without data
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with one sub-folder per data set.  [default: $COPI_NP_DATA]",
)


def _warn_if_too_many(context: click.Context, parameter: click.Parameter, n: int) -> int:
    if n > n_cores():
        best = f"--threads {n_cores()}"
        warnings.warn(f"--threads {n} exceeds the number of cores and is slower than {best}", CopiWarning, stacklevel=2)
    return n


threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    callback=_warn_if_too_many,
    help="BLAS threads; more are faster for wide layers on an idle machine.",
)
