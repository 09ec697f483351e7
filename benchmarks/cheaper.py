"""Train with the paper's step and with cheaper ones, and draw test accuracy over the seconds of training.

    python benchmarks/cheaper.py --dataset mnist-5k --seeds 3 --figure seconds.png > seconds.json

All networks with the same seed take turns, one epoch at a time, as in ``copi-np bench --to-accuracy``, so that a busy
machine slows all of them alike. Step sizes are those of the data set's preset.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from copi_np.backend import get_backend
from copi_np.cli.output import check_output
from copi_np.datasets import load_dataset
from copi_np.experiments.environment import blas_threads
from copi_np.experiments.figures import write_figure
from copi_np.experiments.options import config_from_options
from copi_np.experiments.to_accuracy import as_record, curves_of, time_to_accuracy
from copi_np.plotting import figure_format

VARIANTS = {
    "COPI": ("copi-bp", {}),
    "COPI, R learns from 5 samples": ("copi-bp", {"decorrelation_samples": 5}),
    "COPI, R learns from every 10th batch": ("copi-bp", {"decorrelation_every": 10}),
    "COPI, R frozen after epoch 4": ("copi-bp", {"rest_R_after": 4}),
    "gradient descent": ("bp", {}),
    "Adam": ("bp-adam", {}),
}


@click.command()
@click.option("--dataset", required=True)
@click.option("--preset", help="As for copi-np train.")
@click.option("--epochs", type=int, help="[default: as in the preset]")
@click.option("--seeds", default=1, show_default=True)
@click.option("--data-dir", type=click.Path(path_type=Path))
@click.option("--figure", type=click.Path(path_type=Path), required=True)
def main(seeds: int, data_dir: Path | None, figure: Path, **options: object) -> None:
    """Train, draw the figure, and print the record as JSON."""
    figure_format(figure)
    check_output(figure, "--figure")
    load = partial(load_dataset, data_dir=data_dir)
    configs, labels = [], []
    for label, (method, settings) in VARIANTS.items():
        config, data = config_from_options({**options, "method": method}, load)
        configs += [replace(config, seed=seed, **settings) for seed in range(seeds)]
        labels += [label] * seeds
    backend = get_backend("numpy")
    with blas_threads(1):
        runs = time_to_accuracy(configs, data, None, "test", backend)
    for run, label in zip(runs, labels, strict=True):
        run.label = label
    write_figure(figure, "seconds_curves", curves_of(runs), title=f"Test accuracy on {data.name}")
    click.echo(json.dumps({"dataset": data.name, **as_record(runs, None, "test", backend)}, indent=1))


if __name__ == "__main__":
    main()
