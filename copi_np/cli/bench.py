"""The command bench, which measures speed."""

from __future__ import annotations

from typing import Any

import click

from copi_np.backend import DTYPES
from copi_np.cli.options import backend_option, layers_option, one_of, threads_option
from copi_np.cli.output import Output, output_options
from copi_np.experiments.benchmark import bench as carry_out
from copi_np.experiments.benchmark import bench_table
from copi_np.experiments.environment import blas_threads
from copi_np.experiments.methods import METHODS


@click.command()
@layers_option("network", default="mnist", show_default=True)
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
@click.option("--rest-r", is_flag=True, help="R is at rest, so that its update costs nothing.")
@click.option("--rounds", type=click.IntRange(min=1), default=9, show_default=True, help="Measurements of each kind.")
@backend_option
@threads_option
@output_options(json_file=True)
def bench(threads: int, output: Output, **options: Any) -> None:
    """Time a training step against its bare matrix products."""
    with blas_threads(threads):
        results = carry_out(**options)
    output.result(bench_table(results), results)
