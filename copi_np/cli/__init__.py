"""The ``copi-np`` command, a thin layer over `copi_np.experiments`.

Results go to standard output, progress and errors to standard error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

import copi_np
from copi_np.cli.bench import bench
from copi_np.cli.campaigns import report, reproduce, sweep
from copi_np.cli.conformance import vectors, verify
from copi_np.cli.doctor import describe, examine
from copi_np.cli.errors import Group
from copi_np.cli.options import data_dir_option
from copi_np.cli.output import Output, output_options, quiet_option
from copi_np.cli.single import demo, train
from copi_np.cli.trained import export, predict

START: Final = {
    "copi-np demo": "Four methods learn digits: a table and two figures, in 90 seconds.",
    "copi-np train --dataset mnist-5k": "Train one network by COPI; its records go to a folder in runs/.",
    "copi-np reproduce fig2 --preset mnist-5k --seeds 1": "A small version of the paper's Figure 2, in a minute.",
    "copi-np report reproduce/mnist-5k": "Make tables and figures of all runs in a folder.",
    "copi-np doctor": "Show what works on this machine: BLAS, GPU, data sets.",
}
"""The first commands to try, and what each one does."""


@click.group(cls=Group, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(copi_np.__version__, prog_name="copi-np")
@quiet_option
@click.pass_context
def main(context: click.Context, quiet: bool) -> None:
    """Constrained Parameter Inference (COPI): learning with local rules."""
    if context.invoked_subcommand is None:
        click.echo(f"{main.help}\n")
        for line, purpose in START.items():
            click.echo(f"  {click.style(line, bold=True)}\n      {purpose}")
        click.echo("\nAll commands: copi-np --help. Options of one: copi-np train --help.")


@main.command()
@data_dir_option
@output_options()
def doctor(data_dir: Path | None, output: Output) -> None:
    """Show what works on this machine: versions, BLAS, GPU, data sets."""
    found = examine(data_dir)
    output.result(describe(found), found, indent=20)


for command in (demo, train, predict, export, reproduce, sweep, report, bench, vectors, verify):
    main.add_command(command)
