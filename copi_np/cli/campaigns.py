"""The commands for many runs: reproduce, sweep and report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import click

from copi_np.backend import Backend, get_backend
from copi_np.cli.errors import if_stopped
from copi_np.cli.options import (
    Folder,
    backend_option,
    data_dir_option,
    one_of,
    part_options,
    patience_option,
    scale_options,
    some_of,
    split_names,
    threads_option,
    val_fraction_option,
)
from copi_np.cli.output import Output, fitting, output_options, written
from copi_np.cli.progress import CampaignBar
from copi_np.cli.signals import StopOnSignal
from copi_np.datasets import DATASETS, Dataset, load_dataset
from copi_np.errors import CopiError, InputError, InUseError, list_names, one_line
from copi_np.experiments.best_setting import BEST_PRESET, best_group, describe_best, train_command
from copi_np.experiments.campaign import FAILURES, Outcome, epochs_left, grid, perform
from copi_np.experiments.config import RunConfig, run_name
from copi_np.experiments.diagnostics import DIAGNOSTICS_FILE
from copi_np.experiments.environment import blas_threads
from copi_np.experiments.grids import Grid, record_grid
from copi_np.experiments.methods import METHODS
from copi_np.experiments.options import parse_variations
from copi_np.experiments.preset_files import preset_names
from copi_np.experiments.report import earlier_report, read_results, text_table, write_report
from copi_np.experiments.settings import described
from copi_np.experiments.tables import FORMATS, HISTORY_FORMATS

FIGURES = {"fig2": "copi-bp,copi-fa,bp-decor,bp-adam", "fig3": "copi-bp"}
"""The methods that each figure of the paper compares."""

RESUME_ADVICE = "run the same command again to resume"
METHODS_HELP = f"One or more, separated by commas: {list_names(METHODS)}."
PRESETS = f"{list_names(preset_names())}, or a .toml file."


def campaign_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a grid of runs."""
    options = [
        click.option(
            "--preset",
            default="mnist",
            show_default=True,
            shell_complete=one_of(preset_names(), or_file=True),
            help=PRESETS,
        ),
        click.option(
            "--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="Number of seeds, from 0 on."
        ),
        click.option("--epochs", type=click.IntRange(min=1), help="Epochs of each run.  [default: as in the preset]"),
        click.option(
            "--dataset",
            shell_complete=one_of(DATASETS, or_file=True),
            help="Data in place of the preset's: a name, or the path of an .npz file.",
        ),
        click.option("--title", help="Title of tables and figures.  [default: data set and layers]"),
        click.option(
            "--diagnostics", is_flag=True, help="Record alignment, correlations and the spectrum of R at every epoch."
        ),
        val_fraction_option,
        patience_option,
        data_dir_option,
        backend_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command(short_help="Regenerate a figure of the paper, fig2 or fig3.")
@click.argument("figure", type=click.Choice(list(FIGURES)))
@click.option("--methods", shell_complete=some_of(METHODS), help=f"{METHODS_HELP}  [default: as in the figure]")
@campaign_options
@part_options
@scale_options
@threads_option
@click.option("--out", type=Folder(), help="Folder for runs, tables and figures.  [default: reproduce/PRESET]")
@output_options()
def reproduce(
    figure: str,
    methods: str | None,
    preset: str,
    seeds: int,
    out: Path | None,
    data_dir: Path | None,
    backend: str,
    threads: int,
    title: str | None,
    diagnostics: bool,
    output: Output,
    **options: Any,
) -> None:
    """Regenerate a figure of the paper: fig2, learning curves, or fig3, samples, receptive fields, compression.

    Every run has its own folder in OUT/runs. Runs that finished or diverged are not repeated, and interrupted ones
    resume after their last epoch: after an interruption, run the same command again.
    """
    out = out or default_folder("reproduce", preset, options["dataset"])
    earlier_report(out)  # fail before anything is computed if the report would replace files of the user
    chosen_backend = get_backend(backend)
    configs, data = grid(
        {"preset": preset, **options},
        split_names(FIGURES[figure] if methods is None else methods),
        range(seeds),
        lambda name: load_dataset(name, data_dir),
    )
    if figure == "fig3" and any(config.image_shape for config in configs):
        raise InputError("Figure 3 is of dense networks: choose fig2, or a preset without convolutions")
    left = {config: epochs_left(out, config, data) for config in configs}
    outcomes = []
    with (
        if_stopped(lambda: RESUME_ADVICE),
        blas_threads(threads),
        CampaignBar(len(configs), sum(left.values())) as bar,
        StopOnSignal() as stop,
    ):
        for config in configs:
            bar.begin(run_label(config), left[config])
            outcomes.append(perform(out, config, data, chosen_backend, [bar, stop], diagnostics=diagnostics))
            bar.end_run()
            bar.print_above(outcome_line(outcomes[-1]))
        if figure == "fig3":
            outcomes = list(with_figure3(outcomes, data, chosen_backend, stop, output))
    show(out, title, outcomes, output, diagnostics=diagnostics, data_dir=data_dir)


def with_figure3(
    outcomes: Sequence[Outcome], data: Dataset, backend: Backend, stop: StopOnSignal, output: Output
) -> Iterator[Outcome]:
    """Record Figure 3 of each run that did not fail, with pictures for the first run of each method; yield outcomes."""
    from copi_np.experiments.figure3 import record_figure3

    output.note("\nSamples, receptive fields and compression ..")
    if data.image_shape is None:
        output.note(f"{data.name} has no images, so 3A and 3B are left out: store images as (N, H, W)")
    pictured: set[Any] = set()
    for outcome in outcomes:
        stop.check()
        if outcome.failure is None:
            method = outcome.config.method
            try:
                record_figure3(outcome.folder, data, backend, pictures=method not in pictured)
                pictured.add(method)
            except FAILURES as error:
                outcome = outcome._replace(failure=one_line(error))
        yield outcome


def default_folder(parent: str, preset: str, dataset: str | None) -> Path:
    """Return the default folder of a campaign: one for each preset and data set."""
    return Path(parent) / "_".join(Path(name).stem for name in (preset, dataset) if name)


def run_label(config: RunConfig) -> str:
    """Return a short description of a run, such as "COPI (BP), seed 0"."""
    return f"{config.label}, seed {config.seed}"


def outcome_line(outcome: Outcome, varied: Iterable[str] = ()) -> str:
    """Describe the result of a run, including its values of the hyper-parameters that a sweep varies."""
    config = outcome.config
    parts = [run_label(config), *described(config, varied)]
    result = outcome.failure
    if result is None:
        last = outcome.history[-1]
        accuracies = f"train {100 * last.train_accuracy:.1f} %, test {100 * last.test_accuracy:.1f} %"
        result = f"epoch {last.epoch}, {accuracies}"
    return fitting(f"{list_names(parts)}: {result}", indent=2)


def show(
    out: Path,
    title: str | None,
    outcomes: Sequence[Outcome],
    output: Output,
    *,
    diagnostics: bool,
    data_dir: Path | None,
) -> None:
    """Make the report; raise an error if a run failed."""
    failures = [
        f"{run_label(outcome.config)} ({outcome.folder.name}): {outcome.failure}"
        for outcome in outcomes
        if outcome.failure
    ]
    for failure in dict.fromkeys(failures):
        click.echo(failure, err=True)
    for note in notes(outcomes, diagnostics=diagnostics):
        output.note(note)
    if len(failures) < len(outcomes):
        make_report(out, title, output, data_dir)
    n_in_use = sum(outcome.in_use for outcome in outcomes)
    if len(failures) > n_in_use:
        failed = f"{len(failures)} of {len(outcomes)} runs failed, see above"
        raise CopiError(f"{failed}: change settings, or try again (if a run diverged, move its folder away first)")
    if n_in_use:
        raise InUseError(f"{n_in_use} of {len(outcomes)} runs are in use by another process: try again later")


def notes(outcomes: Sequence[Outcome], *, diagnostics: bool) -> Iterator[str]:
    """Return notes on recorded runs that differ from what the user asked for."""
    for outcome in (each for each in outcomes if each.failure is None):
        if diagnostics and not (outcome.folder / DIAGNOSTICS_FILE).is_file():
            yield f"{outcome.folder.name}: no diagnostics, since it had already finished; use another --out"
        if len(outcome.history) > outcome.config.epochs:
            yield f"{outcome.folder.name}: all {len(outcome.history)} recorded epochs are reported"


def make_report(out: Path, title: str | None, output: Output, data_dir: Path | None = None) -> None:
    """Write the report of a folder, and print it; at the end, the best setting and the command that trains it."""
    results, files = write_report(out, title)
    text, values = f"{text_table(results)}\n\n{written(files)}", results.as_dict()
    best, command = best_group(results.groups), None
    if best is not None:
        text += f"\n\n{describe_best(best)}"
        if out / BEST_PRESET in files:
            text, command = f"{text}\nTrain it with:", train_command(out, best, data_dir)
        values["best"] = {"label": best.label, "command": command}
    output.result(text, {**values, "written": list(map(str, files))}, command=command)


@click.command(short_help="Run a grid of hyper-parameters on many processes.")
@click.option("--methods", default="copi-bp", show_default=True, shell_complete=some_of(METHODS), help=METHODS_HELP)
@click.option("--vary", multiple=True, metavar="NAME=V1,V2,..", help="A hyper-parameter and its values; repeatable.")
@campaign_options
@part_options
@scale_options
@click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler, e.g. tcp://127.0.0.1:8786.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes on this machine.  [default: one per core]")
@click.option("--out", type=Folder(), help="Folder for runs, tables and figures.  [default: sweep/PRESET]")
@output_options()
def sweep(
    methods: str,
    vary: tuple[str, ...],
    preset: str,
    seeds: int,
    out: Path | None,
    data_dir: Path | None,
    backend: str,
    scheduler: str | None,
    workers: int | None,
    title: str | None,
    diagnostics: bool,
    output: Output,
    **options: Any,
) -> None:
    """Run a grid of methods, seeds and hyper-parameters on many processes, through Dask.

    For example, two methods at three step sizes, with five seeds each:

    \b
      copi-np sweep --preset mnist-5k --methods copi-bp,bp-decor \\
                    --vary eta=1e-4,3e-4,1e-3

    Processes are started here, one per core, unless --scheduler names a running Dask scheduler, whose workers must be
    able to see the folder --out. Runs that finished or diverged are not repeated, and interrupted ones resume, as in
    copi-np reproduce.
    """
    from copi_np.experiments.sweep import sweep as carry_out

    out = out or default_folder("sweep", preset, options["dataset"])
    earlier_report(out)  # fail before anything is computed if the report would replace files of the user
    variations = parse_variations(vary)
    configs, data = grid(
        {"preset": preset, **options},
        split_names(methods),
        range(seeds),
        lambda name: load_dataset(name, data_dir),
        variations,
    )
    fixed = {name: value for name, value in {"preset": preset, **options}.items() if value and name != "epochs"}
    wanted = Grid(list(variations), fixed, [run_name(config, data) for config in configs])
    left = sum(epochs_left(out, config, data) for config in configs)
    with if_stopped(lambda: RESUME_ADVICE), CampaignBar(len(configs), left) as bar, StopOnSignal() as stop:
        ticks = count()

        def on_tick(n_epochs: int) -> None:
            if next(ticks) == 0:  # all workers are ready
                record_grid(out, wanted)
            bar.set_left(n_epochs)
            stop.check()

        def on_outcome(outcome: Outcome) -> None:
            bar.begin(run_label(outcome.config))
            bar.print_above(outcome_line(outcome, variations))

        outcomes = carry_out(
            out,
            configs,
            data,
            data_dir=data_dir,
            backend=backend,
            diagnostics=diagnostics,
            scheduler=scheduler,
            n_workers=workers,
            on_tick=on_tick,
            on_outcome=on_outcome,
        )
    show(out, title, outcomes, output, diagnostics=diagnostics, data_dir=data_dir)
    if len(configs) > 1 and not any(config.val_fraction for config in configs):
        output.note("To have the best setting chosen, hold out validation samples: --val-fraction 0.1")


@click.command(short_help="Make tables and figures of recorded runs.")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--title", help="Title of tables and figures.  [default: data set and layers]")
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), help="Print the table in this format and write nothing."
)
@click.option("--by-epoch", is_flag=True, help="With --format: print the history of every run, one row per epoch.")
@output_options()
def report(folder: Path, title: str | None, form: str | None, by_epoch: bool, output: Output) -> None:
    """Make tables and figures of all runs in FOLDER, from their records alone."""
    if by_epoch and form is None:
        raise InputError(f"--by-epoch needs a format: give --format {list_names(FORMATS)}")
    if form is None:
        make_report(folder, title, output)
        return
    if output.json_to is not None:
        raise InputError("--json and --format cannot be combined: leave out one of them")
    results = read_results(folder, title)
    click.echo(HISTORY_FORMATS[form](results.groups) if by_epoch else FORMATS[form](results.grids), nl=False)
    for remark in results.remarks:  # also with --quiet: tables in these formats do not say what is left out
        click.echo(remark, err=True)
