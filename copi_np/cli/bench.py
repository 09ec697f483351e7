"""The command bench, which measures speed: of a step, or until an accuracy is reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from copi_np.backend import DTYPES, get_backend
from copi_np.cli.errors import if_stopped
from copi_np.cli.options import (
    backend_option,
    data_dir_option,
    layers_option,
    one_of,
    some_of,
    split_names,
    threads_option,
    val_fraction_option,
)
from copi_np.cli.output import Output, check_output, output_options
from copi_np.cli.progress import Bar
from copi_np.datasets import DATASETS, load_dataset
from copi_np.errors import CopiError, InputError, list_names
from copi_np.experiments.benchmark import bench as carry_out
from copi_np.experiments.benchmark import bench_table
from copi_np.experiments.campaign import grid
from copi_np.experiments.config import RunConfig
from copi_np.experiments.environment import blas_threads
from copi_np.experiments.figures import write_figure
from copi_np.experiments.methods import METHODS
from copi_np.experiments.options import parse_image_shape, parse_variations
from copi_np.experiments.preset_files import preset_names
from copi_np.experiments.settings import setting
from copi_np.experiments.to_accuracy import SPLITS, TimedRun, accuracy_table, as_record, curves_of, time_to_accuracy

OF_A_STEP = ("network", "image_shape", "batch_size", "method", "dtype", "decorrelation_samples", "rest_r", "rounds")
TO_ACCURACY = (
    "dataset", "preset", "methods", "seeds", "epochs", "vary", "split", "val_fraction", "data_dir", "figure"
)  # fmt: skip


@click.command()
@layers_option("network", default="mnist", show_default=True)
@click.option("--image-shape", metavar="CxHxW", help="Shape of the images for convolutions, such as 3x32x32.")
@click.option("--batch-size", type=click.IntRange(min=1), default=50, show_default=True, help="Samples per update.")
@click.option(
    "--method",
    default="copi-bp",
    show_default=True,
    shell_complete=one_of(METHODS),
    help="A method with BP or FA, such as bp-adam.",
)
@click.option(
    "--dtype", default="float32", show_default=True, shell_complete=one_of(DTYPES), help="float32 or float64."
)
@click.option(
    "--decorrelation-samples", type=click.IntRange(min=1), help="R learns from this many samples of each batch."
)
@click.option("--rest-r", is_flag=True, help="R is frozen, so its update costs nothing.")
@click.option("--rounds", type=click.IntRange(min=1), default=9, show_default=True, help="Measurements of each kind.")
@click.option(
    "--to-accuracy",
    type=click.FloatRange(0, 1, min_open=True),
    help="Train until this accuracy is reached, such as 0.95, with the options below.",
)
@click.option("--dataset", shell_complete=one_of(DATASETS, or_file=True), help="A name, or the path of an .npz file.")
@click.option(
    "--preset",
    shell_complete=one_of(preset_names(), or_file=True),
    help="A name or a .toml file with the step sizes of every method.  [default: by data set]",
)
@click.option(
    "--methods",
    default="copi-bp,bp-adam",
    show_default=True,
    shell_complete=some_of(METHODS),
    help="Methods that take turns, separated by commas.",
)
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Number of seeds, from 0 on.")
@click.option("--epochs", type=click.IntRange(min=1), help="Largest number of epochs.  [default: as in the preset]")
@click.option("--vary", multiple=True, metavar="NAME=V1,V2,..", help="A hyper-parameter and its values; repeatable.")
@click.option(
    "--split",
    default="test",
    show_default=True,
    shell_complete=one_of(SPLITS),
    help=f"Samples whose accuracy counts: {list_names(SPLITS)}.",
)
@val_fraction_option
@data_dir_option
@click.option(
    "--figure", type=click.Path(dir_okay=False, path_type=Path), help="Draw accuracy over seconds into a file."
)
@backend_option
@threads_option
@output_options(json_file=True)
def bench(threads: int, to_accuracy: float | None, output: Output, **options: Any) -> None:
    """Time a training step against its matrix products, or training until an accuracy is reached.

    With --to-accuracy, methods take turns, one epoch at a time, and only training is timed, not evaluation. For
    example:

    \b
      copi-np bench --to-accuracy 0.9 --dataset mnist-5k \\
                    --methods copi-bp,bp-adam,bp-momentum --seeds 3
    """
    _check_options_belong(to_accuracy)
    names = OF_A_STEP if to_accuracy is None else TO_ACCURACY
    chosen = {name: options[name] for name in names}
    with blas_threads(threads):
        if to_accuracy is None:
            if chosen["image_shape"] is not None:
                chosen["image_shape"] = parse_image_shape(chosen["image_shape"])
            results = carry_out(**chosen, backend=options["backend"])
            output.result(bench_table(results), results)
        else:
            _bench_to_accuracy(to_accuracy, output, backend_name=options["backend"], **chosen)


def _check_options_belong(to_accuracy: float | None) -> None:
    """Raise an InputError for an option that belongs to the other measurement."""
    context = click.get_current_context()
    others = TO_ACCURACY if to_accuracy is None else OF_A_STEP
    options = {parameter.name: parameter.opts[0] for parameter in context.command.params}
    given = [options[name] for name in others if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if given and to_accuracy is None:
        raise InputError(f"{list_names(given)} needs an accuracy to train to: add --to-accuracy 0.95")
    if given:
        instead = (
            "leave it out, or use a preset or --vary decorrelation_samples=5 or --vary rest_R_after=4, for example"
        )
        raise InputError(f"{list_names(given)} has no effect with --to-accuracy: {instead}")


def _bench_to_accuracy(
    accuracy: float,
    output: Output,
    backend_name: str,
    methods: str,
    seeds: int,
    vary: tuple[str, ...],
    split: str,
    data_dir: Path | None,
    figure: Path | None,
    **options: Any,
) -> None:
    """Train, print a table, and draw a figure."""
    if figure is not None:
        from copi_np.plotting import figure_format  # imports matplotlib, which is slow

        figure_format(figure)
        check_output(figure, "--figure")
    backend = get_backend(backend_name)
    load = partial(load_dataset, data_dir=data_dir)
    configs, data = grid(options, split_names(methods), range(seeds), load, parse_variations(vary))
    train = partial(time_to_accuracy, configs, data, accuracy, split, backend)

    def show(runs: Sequence[TimedRun]) -> None:
        text, record = accuracy_table(runs, accuracy, split), as_record(runs, accuracy, split, backend)
        output.result(text, {"dataset": data.name, **record})
        if figure is not None:
            title = f"{SPLITS[split].capitalize()} accuracy on {setting(configs[0], 'dataset')}"
            write_figure(figure, "seconds_curves", curves_of(runs), accuracy, title=title)

    runs = _with_progress(train, configs, accuracy, show)
    show(runs)
    if all(run.failure for run in runs):
        raise CopiError("all runs failed, see above: lower the step sizes")


def _with_progress(
    train: Callable[..., list[TimedRun]],
    configs: Sequence[RunConfig],
    accuracy: float,
    if_interrupted: Callable[[Sequence[TimedRun]], None],
) -> list[TimedRun]:
    """Train with a progress bar; if a signal stops it, hand over the runs with the epochs they have."""
    begun: dict[tuple[str, int], TimedRun] = {}

    def on_epoch(run: TimedRun) -> None:
        begun[run.label, run.config.seed] = run
        ended = bool(run.failure) or run.epochs_to(accuracy) is not None
        bar.label = f"{run.label}, seed {run.config.seed}"
        bar.advance((not run.failure) + ended * (run.config.epochs - len(run.seconds)))

    with if_stopped(lambda: "the results are those of the epochs until then" if begun else None):
        try:
            with Bar("", sum(config.epochs for config in configs)) as bar:
                return train(on_epoch)
        except KeyboardInterrupt:
            if begun:
                if_interrupted(list(begun.values()))
            raise
