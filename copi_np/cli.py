"""The ``copi-np`` command: thin; what it does stands in `copi_np.experiments`.

Results go to standard output, progress and errors to standard error. Every error is one line, with exit code 2; SIGINT
and SIGTERM leave with 130 and 143.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import copi_np
from copi_np.backend import get_backend
from copi_np.datasets import load_dataset
from copi_np.doctor import report
from copi_np.environment import blas_threads
from copi_np.errors import CopiError, StoppedError, list_names, unknown
from copi_np.experiments.config import config_from_options, preset_names
from copi_np.experiments.methods import METHODS
from copi_np.experiments.runner import free_folder, train_into
from copi_np.interrupts import StopOnSignal
from copi_np.progress import ProgressBar

ONLY_R = "So far only lateral weights have learned: give more --epochs for the others."


class Failure(click.ClickException):
    """An error shown as one line."""

    exit_code = 2


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Show whatever goes wrong inside as one line that says what was wrong and what to do."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except StoppedError as error:
        click.echo(f"Error: {error}", err=True)
        raise click.exceptions.Exit(128 + error.signal_number) from error  # as the shell has it: 130 for Ctrl-C
    except CopiError as error:
        raise Failure(str(error)) from error
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "copi-np"
        raise Failure(f"{error.format_message().rstrip('.')} (see '{command} --help')") from error
    except MemoryError as error:
        raise Failure(f"not enough memory ({error}): choose smaller layers, batches or data") from error
    except OSError as error:
        name = str(error.filename or "output")
        raise Failure(f"cannot use {name[:80]} ({error.strerror}): check the path and the disk") from error


class Group(click.Group):
    """A group of commands whose errors are one line each."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Read the options that stand before the command."""
        with one_line_errors():
            return super().parse_args(context, args)

    def invoke(self, context: click.Context) -> Any:
        """Read the options of the command, and run it."""
        with one_line_errors():
            return super().invoke(context)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command by its name; suggest the nearest for a wrong one."""
        if self.get_command(context, args[0]) is None and not args[0].startswith("-"):
            raise unknown("command", args[0], self.list_commands(context))
        return super().resolve_command(context, args)


class Folder(click.Path):
    """A folder to write to."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """Refuse the empty name, which would mean the current folder."""
        if value == "":
            self.fail("the name of the folder is empty", parameter, context)
        return super().convert(value, parameter, context)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(copi_np.__version__, prog_name="copi-np")
def main() -> None:
    """Constrained Parameter Inference (COPI): learning with local rules."""


backend_option = click.option(
    "--backend", default="auto", show_default=True, help="numpy, cupy, or auto: a GPU where one works."
)
# the environment variable is left to `copi_np.datasets`: an old value must not fail a command that needs no data
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with one sub-folder per data set.  [default: $COPI_NP_DATA]",
)


threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Threads of BLAS; more are faster for wide layers on an idle machine.",
)


@main.command()
@click.option(
    "--out",
    type=Folder(),
    default=Path("demo"),
    show_default=True,
    help="Folder for table and figures; an earlier demo in it is replaced.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs per method.  [default: 12]")
@backend_option
@threads_option
def demo(out: Path, epochs: int | None, backend: str, threads: int) -> None:
    """Watch four methods learn handwritten digits."""
    from copi_np.experiments.demo import demo_table, run_demo  # brings matplotlib, which the others need not wait for

    with blas_threads(threads), StopOnSignal() as stop:
        results = run_demo(out, epochs, ProgressBar, backend, [stop])
    click.echo(demo_table(results))
    if epochs == 1:
        click.echo(ONLY_R, err=True)
    click.echo(f"\nFigures and records: {out / 'learning-curves.png'}, {out / 'digits.png'}, {out / 'demo.json'}")


@main.command()
@click.option("--dataset", help="mnist-5k, mnist, fashion-mnist, cifar10, or the path of an .npz file.")
@click.option("--method", default="copi-bp", show_default=True, help=f"{list_names(METHODS)}.")
@click.option("--preset", help=f"Hyper-parameters to start from: {list_names(preset_names())}.  [default: by data set]")
@click.option("--epochs", type=click.IntRange(min=1), help="Passes through the training samples.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of weights and shuffling.")
@click.option("--layers", help="Numbers of units, inputs first, e.g. 784,500,10.")
@click.option("--eta-w", type=click.FloatRange(min=0), help="Step size of the forward weights, constant.")
@click.option("--eta-r", type=click.FloatRange(min=0), help="Step size of the lateral weights, constant.")
@click.option("--delta-scale", type=click.FloatRange(min=0), help="Multiplies the error signals.")
@click.option("--r-only-epochs", type=click.IntRange(min=0), help="First epochs: lateral weights learn alone.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Samples per update.")
@click.option("--decorrelation", help="Form of the rule of the lateral weights: matrix or local.")
@click.option("--dtype", help="float32 or float64.")
@backend_option
@threads_option
@data_dir_option
@click.option(
    "--out", type=Folder(), help="Folder for the records of this run.  [default: runs/METHOD_DATASET_seedSEED]"
)
def train(out: Path | None, data_dir: Path | None, backend: str, threads: int, **options: Any) -> None:
    """Train one network and keep its records.

    Writes DIR/run.json (configuration, versions, device), DIR/history.jsonl (one JSON object an epoch) and
    DIR/checkpoint.npz. What an option leaves open comes from the preset.
    """

    chosen_backend = get_backend(backend)
    config, data = config_from_options(options, lambda name: load_dataset(name, data_dir))
    out = free_folder(config) if out is None else out
    with blas_threads(threads), ProgressBar(METHODS[config.method].label, config.epochs) as bar, StopOnSignal() as stop:
        history = train_into(out, config, data, chosen_backend, [bar, stop])
    last = history[-1]
    click.echo(
        f"{config.method} on {config.dataset}, epoch {last.epoch}: "
        f"train {100 * last.train_accuracy:.2f} %, test {100 * last.test_accuracy:.2f} % (records in {out})"
    )
    if config.schedule.rates(last.epoch)["eta_W"] == 0:
        click.echo(ONLY_R, err=True)


@main.command()
@data_dir_option
def doctor(data_dir: Path | None) -> None:
    """Say what works on this machine: versions, BLAS, GPU, data sets."""

    click.echo(report(data_dir))
