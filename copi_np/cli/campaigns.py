"""The commands of many runs: reproduce, sweep and report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from copi_np.backend import Backend, get_backend
from copi_np.cli.options import Folder, backend_option, data_dir_option, threads_option
from copi_np.datasets import Dataset, load_dataset
from copi_np.environment import blas_threads
from copi_np.errors import CopiError, list_names
from copi_np.experiments.campaign import Outcome, epochs_left, grid, perform
from copi_np.experiments.config import RunConfig, preset_names
from copi_np.experiments.methods import METHODS
from copi_np.experiments.options import parse_variation
from copi_np.experiments.report import write_report
from copi_np.interrupts import StopOnSignal
from copi_np.progress import CampaignBar

FIGURES = {"fig2": "copi-bp,copi-fa,bp-decor,bp-adam", "fig3": "copi-bp"}
"""Which methods a figure of the paper is about."""

PRESETS = f"{list_names(preset_names())}, or a .toml file."


def campaign_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a grid of runs."""
    options = [
        click.option("--preset", default="mnist", show_default=True, help=PRESETS),
        click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="How many, from 0 on."),
        click.option("--epochs", type=click.IntRange(min=1), help="Of each run.  [default: as in the preset]"),
        click.option("--dataset", help="Other data than the preset's: a name, or the path of an .npz file."),
        click.option("--title", help="Of tables and figures.  [default: data set and layers]"),
        click.option(
            "--diagnostics", is_flag=True, help="Record alignment, correlations and the spectrum of R of every epoch."
        ),
        data_dir_option,
        backend_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("figure", type=click.Choice(list(FIGURES)))
@click.option("--methods", help="Separated by commas.  [default: those of the figure]")
@campaign_options
@threads_option
@click.option("--out", type=Folder(), help="Folder for runs, tables and figures.  [default: reproduce/PRESET]")
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
    **options: Any,
) -> None:
    """Regenerate a figure of the paper: fig2, learning curves, or fig3, samples, receptive fields, compression.

    Every run has a folder of its own in OUT/runs. Finished runs are not repeated, and interrupted ones go on from
    their last epoch: after an interruption, give the same command again.
    """
    out = out or default_folder("reproduce", preset, options["dataset"])
    chosen_backend = get_backend(backend)
    configs, data = grid(
        {"preset": preset, **options},
        names(methods or FIGURES[figure]),
        range(seeds),
        lambda name: load_dataset(name, data_dir),
    )
    left = [epochs_left(out, config, data) for config in configs]
    outcomes = []
    with blas_threads(threads), CampaignBar(len(configs), sum(left)) as bar, StopOnSignal() as stop:
        for config, n_epochs in zip(configs, left, strict=True):
            bar.begin(run_label(config))
            outcome = perform(out, config, data, chosen_backend, [bar, stop], diagnostics=diagnostics)
            if outcome.failure:
                bar.drop(n_epochs)
            outcomes.append(outcome)
        if figure == "fig3":
            outcomes = list(analysed(outcomes, data, chosen_backend, stop))
    show(out, title, outcomes)


def analysed(outcomes: Sequence[Outcome], data: Dataset, backend: Backend, stop: StopOnSignal) -> Iterator[Outcome]:
    """Record what Figure 3 shows of the finished networks, unless it is on record: pictures of the first seed alone."""
    from copi_np.experiments.figure3 import record_figure3

    click.echo("\nSamples, receptive fields and compression ..", err=True)
    for outcome in outcomes:
        stop.check()
        try:
            if outcome.failure is None:
                record_figure3(outcome.folder, data, backend, pictures=outcome.config.seed == 0)
        except CopiError as error:
            outcome = outcome._replace(failure=str(error))
        yield outcome


def names(text: str) -> list[str]:
    """Names separated by commas."""
    return [name.strip() for name in text.split(",")]


def default_folder(parent: str, preset: str, dataset: str | None) -> Path:
    """Where a campaign goes that is not told: one folder for each preset and data set."""
    return Path(parent) / "_".join(Path(name).stem for name in (preset, dataset) if name)


def run_label(config: RunConfig) -> str:
    """A run in a few words."""
    return f"{METHODS[config.method].label}, seed {config.seed}"


def show(out: Path, title: str | None, outcomes: Sequence[Outcome]) -> None:
    """Make the report, and end with an error if a run failed."""
    failed = [outcome for outcome in outcomes if outcome.failure]
    for outcome in failed:
        click.echo(f"{outcome.folder.name}: {outcome.failure}", err=True)
    if len(failed) < len(outcomes):
        table, files = write_report(out, title)
        click.echo(table)
        click.echo("\nWritten: " + list_names(str(path) for path in files))
    if failed:
        raise CopiError(f"{len(failed)} of {len(outcomes)} runs failed, see above: try them again, or leave them out")


@click.command()
@click.option("--methods", default="copi-bp", show_default=True, help="Separated by commas.")
@click.option("--vary", multiple=True, metavar="NAME=V1,V2,..", help="A hyper-parameter and its values; repeatable.")
@campaign_options
@click.option("--scheduler", metavar="ADDRESS", help="Of a running Dask scheduler, e.g. tcp://127.0.0.1:8786.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes on this machine.  [default: one a core]")
@click.option("--out", type=Folder(), help="Folder for runs, tables and figures.  [default: sweep/PRESET]")
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
    **options: Any,
) -> None:
    """Run a grid of methods, seeds and hyper-parameters on many processes, through Dask.

    For example, two methods at three step sizes, with five seeds each:

    \b
      copi-np sweep --preset mnist-5k --methods copi-bp,bp-decor \
                    --vary eta_W=3e-4,1e-3,3e-3

    Processes are started here, one for each core, unless --scheduler names a running Dask scheduler, whose workers must
    see the folder --out. Finished runs are not repeated, and interrupted ones go on, as for copi-np reproduce.
    """
    from copi_np.experiments.sweep import sweep as carry_out

    out = out or default_folder("sweep", preset, options["dataset"])
    configs, data = grid(
        {"preset": preset, **options},
        names(methods),
        range(seeds),
        lambda name: load_dataset(name, data_dir),
        dict(map(parse_variation, vary)),
    )
    left = sum(epochs_left(out, config, data) for config in configs)
    with CampaignBar(len(configs), left) as bar, StopOnSignal() as stop:

        def on_tick(n_epochs: int) -> None:
            bar.set_left(n_epochs)
            stop.check()

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
            on_outcome=lambda outcome: bar.begin(run_label(outcome.config)),
        )
    show(out, title, outcomes)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--title", help="Of tables and figures.  [default: data set and layers]")
def report(folder: Path, title: str | None) -> None:
    """Make tables and figures of all runs in FOLDER, from their records alone."""
    table, files = write_report(folder, title)
    click.echo(table)
    click.echo("\nWritten: " + list_names(str(path) for path in files))
