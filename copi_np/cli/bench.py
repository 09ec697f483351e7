"""The command that measures speed: bench."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from copi_np.benchmark import NETWORKS, bench_table
from copi_np.benchmark import bench as carry_out
from copi_np.cli.options import backend_option, threads_option
from copi_np.environment import blas_threads
from copi_np.errors import list_names
from copi_np.experiments.records import replace_text


@click.command()
@click.option(
    "--network", default="mnist", show_default=True, help=f"{list_names(NETWORKS)}, or units such as 784-500-10."
)
@click.option("--batch-size", type=click.IntRange(min=1), default=50, show_default=True, help="Samples per update.")
@click.option("--method", default="copi-bp", show_default=True, help="A method with BP or FA, such as bp-adam.")
@click.option("--dtype", default="float32", show_default=True, help="float32 or float64.")
@click.option("--rounds", type=click.IntRange(min=1), default=9, show_default=True, help="Measurements of each kind.")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Keep the results in a file.")
@backend_option
@threads_option
def bench(file: Path | None, threads: int, **options: Any) -> None:
    """Time a training step beside its matrix products alone."""
    with blas_threads(threads):
        results = carry_out(**options)
    click.echo(bench_table(results))
    if file is not None:
        replace_text(file, json.dumps(results, indent=1) + "\n")
