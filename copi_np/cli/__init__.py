"""The ``copi-np`` command: thin; what it does stands in `copi_np.experiments`.

Results go to standard output, progress and errors to standard error.
"""

from __future__ import annotations

from pathlib import Path

import click

import copi_np
from copi_np.cli.bench import bench
from copi_np.cli.campaigns import report, reproduce, sweep
from copi_np.cli.errors import Group
from copi_np.cli.options import data_dir_option
from copi_np.cli.single import demo, train
from copi_np.doctor import report as doctor_report


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(copi_np.__version__, prog_name="copi-np")
def main() -> None:
    """Constrained Parameter Inference (COPI): learning with local rules."""


@main.command()
@data_dir_option
def doctor(data_dir: Path | None) -> None:
    """Say what works on this machine: versions, BLAS, GPU, data sets."""

    click.echo(doctor_report(data_dir))


for command in (demo, train, reproduce, sweep, report, bench):
    main.add_command(command)
