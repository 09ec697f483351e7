"""Time the training step of this package alone, for `compare.py`, and print the milliseconds as JSON."""

from __future__ import annotations

import json

import click

from copi_np.backend import get_backend
from copi_np.experiments.benchmark import candidates, measure
from copi_np.experiments.environment import blas_threads
from copi_np.experiments.methods import METHODS
from copi_np.experiments.options import parse_image_shape, parse_layers


@click.command()
@click.option("--network", default="mnist")
@click.option("--image-shape")
@click.option("--batch-size", default=50)
@click.option("--threads", default=1)
@click.option("--seconds", default=1.0)
def main(network: str, image_shape: str | None, batch_size: int, threads: int, seconds: float) -> None:
    """Time the training step."""
    backend = get_backend("numpy")
    sizes, shape = parse_layers(network), None if image_shape is None else parse_image_shape(image_shape)
    with blas_threads(threads):
        step = candidates(sizes, batch_size, METHODS["copi-bp"], backend, "float32", image_shape=shape)["step"]
        times = measure({"step": step}, backend, 1, seconds)
    click.echo(json.dumps({"milliseconds": 1e3 * times["step"][0]}))


if __name__ == "__main__":
    main()
