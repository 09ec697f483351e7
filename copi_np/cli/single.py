"""The commands demo and train."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from copi_np.backend import DTYPES, Backend, get_backend
from copi_np.callbacks import best_epoch
from copi_np.cli.errors import if_stopped
from copi_np.cli.options import (
    Folder,
    backend_option,
    data_dir_option,
    given_parts,
    layers_option,
    one_of,
    part_options,
    patience_option,
    scale_options,
    threads_option,
    val_fraction_option,
)
from copi_np.cli.output import Output, output_options, written
from copi_np.cli.progress import ProgressBar
from copi_np.cli.signals import StopOnSignal
from copi_np.datasets import DATASETS, load_dataset
from copi_np.errors import DataError, InputError, list_names
from copi_np.experiments.config import RunConfig, method_name
from copi_np.experiments.demo import CURVES, DIGITS, demo_table, run_demo
from copi_np.experiments.environment import blas_threads
from copi_np.experiments.estimate import MIB, Estimate, estimate
from copi_np.experiments.methods import METHODS
from copi_np.experiments.options import config_from_options
from copi_np.experiments.own_parts import KINDS
from copi_np.experiments.preset_files import preset_names
from copi_np.experiments.records import BEST_FILE, RUN_FILE, RunRecord, read_run
from copi_np.experiments.runner import DEMO_FILE, check_holds_no_run, free_folder, train_into
from copi_np.experiments.trained import with_parts
from copi_np.history import EpochRecord
from copi_np.storage.untrusted import exists

ONLY_R = "So far only the lateral weights have learned: the forward weights need more --epochs."


@click.command()
@click.option(
    "--out",
    type=Folder(),
    default=Path("demo"),
    show_default=True,
    help="Folder for the table and figures; replaces an earlier demo in it.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs per method.  [default: 12]")
@backend_option
@threads_option
@output_options()
def demo(out: Path, epochs: int | None, backend: str, threads: int, output: Output) -> None:
    """Watch four methods learn handwritten digits."""
    with blas_threads(threads), StopOnSignal() as stop:
        results = run_demo(out, epochs, ProgressBar, backend, [stop])
    files = [out / name for name in (CURVES, DIGITS, DEMO_FILE) if (out / name).exists()]
    record = json.loads((out / DEMO_FILE).read_text(encoding="utf-8"))
    output.result(f"{demo_table(results)}\n\n{written(files)}", {**record, "written": list(map(str, files))})
    if epochs == 1:
        output.note(ONLY_R)


def run_to_resume(folder: Path, options: dict[str, Any]) -> RunRecord:
    """Return the run in a folder, with the options that may change it; raise an InputError for any other option."""
    context = click.get_current_context()
    allowed = {
        "resume",
        "epochs",
        "patience",
        "dataset",
        "data_dir",
        "backend",
        "threads",
        "dry_run",
        "quiet",
        "json_to",
        *KINDS,
    }
    given = [
        "--" + name.replace("_", "-")
        for name in context.params
        if name not in allowed and context.get_parameter_source(name) is not ParameterSource.DEFAULT
    ]
    if given:
        raise InputError(f"--resume continues the run with its own settings: leave out {list_names(given)}")
    run = read_run(folder)
    changes = {name: options[name] for name in ("epochs", "patience", "dataset") if options[name] is not None}
    return replace(run, config=replace(with_parts(run.config, given_parts(options)), **changes))


@click.command()
@click.option(
    "--dataset",
    shell_complete=one_of(DATASETS, or_file=True),
    help="mnist-5k, digits-8x8, mnist, fashion-mnist, cifar10, or the path of an .npz file.",
)
@click.option(
    "--method",
    default="copi-bp",
    show_default=True,
    shell_complete=one_of(METHODS),
    help=f"{list_names(METHODS)}.",
)
@click.option(
    "--preset",
    shell_complete=one_of(preset_names(), or_file=True),
    help=f"Hyper-parameters to start from: {list_names(preset_names())}.  [default: by data set]",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Passes through the training samples.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of weights and shuffling.")
@layers_option("layers")
@click.option("--eta", type=click.FloatRange(min=0), help="Step size of forward and lateral weights, constant.")
@click.option("--eta-w", type=click.FloatRange(min=0), help="Step size of the forward weights, constant.")
@click.option("--eta-r", type=click.FloatRange(min=0), help="Step size of the lateral weights, constant.")
@click.option("--delta-scale", type=click.FloatRange(min=0), help="Multiplies the error signals.")
@click.option(
    "--r-only-epochs",
    type=click.IntRange(min=0),
    help="Number of first epochs in which only the lateral weights learn.",
)
@click.option("--rest-r-after", type=click.IntRange(min=1), help="Lateral weights are frozen after this epoch.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Samples per update.")
@click.option(
    "--decorrelation-samples",
    type=click.IntRange(min=1),
    help="Lateral weights learn from only this many samples of each batch.",
)
@click.option(
    "--decorrelation-every",
    type=click.IntRange(min=1),
    help="Lateral weights learn only from every n-th batch, with n times the step size.",
)
@part_options
@click.option(
    "--bias/--no-bias", default=None, help="Give layers biases, as one more input that is always 1.  [default: no]"
)
@scale_options
@click.option("--dtype", shell_complete=one_of(DTYPES), help="float32 or float64.")
@val_fraction_option
@patience_option
@backend_option
@threads_option
@data_dir_option
@click.option(
    "--out", type=Folder(), help="Folder for the records of the run.  [default: runs/METHOD_DATASET_seedSEED]"
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Resume the run in DIR with its own settings; --epochs and --patience extend it, and --dataset says where "
    "its data are now.",
)
@click.option("--dry-run", is_flag=True, help="Only estimate the time and memory it would take; write nothing.")
@output_options()
def train(
    out: Path | None,
    resume: Path | None,
    dry_run: bool,
    data_dir: Path | None,
    backend: str,
    threads: int,
    output: Output,
    **options: Any,
) -> None:
    """Train one network and record the run.

    Writes DIR/run.json (configuration, versions, device), DIR/history.jsonl (one JSON object per epoch) and
    DIR/checkpoint.npz. Options that are not given are taken from the preset.
    """
    chosen_backend = get_backend(backend)
    if resume is None:
        config, data = config_from_options(options, lambda name: load_dataset(name, data_dir))
        out = free_folder(config) if out is None else out
        done = 0
    else:
        run = run_to_resume(resume, options)
        config, out, done = run.config, resume, len(run.history)
        try:
            data = load_dataset(config.dataset, data_dir)
        except DataError as error:
            raise DataError(f"{error}; or say where the data are now, with --dataset") from None
    if dry_run:
        with blas_threads(threads):
            estimated = estimate(config, data, chosen_backend, done)
        output.result(describe_estimate(estimated, config, chosen_backend), estimated._asdict())
        return
    label = config.label
    where = "" if data_dir is None else f" --data-dir {shlex.quote(str(data_dir))}"
    how = f"copi-np train --resume {shlex.quote(str(out))}{where}"
    if resume is None:
        longer = "" if options["epochs"] is None else f" --epochs {config.epochs}"
        check_holds_no_run(out, config, data, how, longer)
    with (
        if_stopped(lambda: f"resume with {how}" if exists(out / RUN_FILE) else None),
        blas_threads(threads),
        ProgressBar(label, config.epochs, done) as bar,
        StopOnSignal() as stop,
    ):
        history = train_into(out, config, data, chosen_backend, [bar, stop], resume=resume is not None)
    output.result(*_result(out, config, history))
    if done == len(history):
        output.note("Nothing left to do: the run has already ended.")
    if config.schedule.rates(len(history))["eta_W"] == 0:
        output.note(ONLY_R)


def describe_estimate(estimated: Estimate, config: RunConfig, backend: Backend) -> str:
    """Format an estimate."""
    n_epochs, patience = estimated.epochs, ", or fewer with --patience" if config.patience else ""
    free = backend.free_memory()
    of_free = "" if free is None else f"; {free / MIB:.0f} MiB are free"
    return (
        f"about {estimated.seconds / 60:.2g} minutes for {n_epochs} epochs{patience}, if the machine is idle "
        f"({config.label} on {config.dataset})\n"
        f"{estimated.seconds_per_epoch:.2g} s per epoch, {estimated.milliseconds_per_step:.2g} ms per batch of "
        f"{config.batch_size}\n"
        f"about {estimated.mebibytes:.0f} MiB of {backend.describe()} memory{of_free}"
    )


def _result(out: Path, config: RunConfig, history: Sequence[EpochRecord]) -> tuple[str, dict[str, Any]]:
    """Return the result of a run, as text and as values."""
    last = history[-1]
    text = (
        f"epoch {last.epoch}: train {100 * last.train_accuracy:.2f} %, test {100 * last.test_accuracy:.2f} % "
        f"({list_names(filter(None, [method_name(config), config.replaced]))} on {config.dataset})\nRecords in {out}"
    )
    if last.epoch < config.epochs:
        text += f"\nEnded by --patience {config.patience}: raise it to train further"
    values = {"folder": str(out), "config": config.as_dict(), **last.as_dict()}
    if config.val_fraction:
        best = history[best_epoch(history) - 1]
        text += (
            f"\nbest on validation, epoch {best.epoch}: val {100 * (best.val_accuracy or 0.0):.2f} %, "
            f"test {100 * best.test_accuracy:.2f} %\nNetwork in {out / BEST_FILE}"
        )
        values["best"] = best.as_dict()
    return text, values
