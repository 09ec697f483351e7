"""Train the network of the live figures, and write it to ``copi_np/course/live/weights.mjs``: takes half a minute.

    python tools/make_live_weights.py

The file holds what the figures need, in bytes: the weights with R folded in, the maps that replace layers, receptive
fields, and some test digits. It also records the settings, and the test accuracy with these bytes.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from copi_np import Network, Schedule, fit, load_dataset
from copi_np.activations import ACTIVATIONS
from copi_np.analysis import compress, receptive_fields
from copi_np.datasets import Dataset, as_float
from copi_np.experiments.environment import blas_threads, versions
from copi_np.rules import transform

TARGET: Final = Path(__file__).parents[1] / "copi_np" / "course" / "live" / "weights.mjs"
HEAD: Final = "// Made by tools/make_live_weights.py from digits of MNIST (CC BY-SA 3.0): do not edit."
DATASET: Final = "mnist-5k"
SIZES: Final = [784, 48, 48, 48, 48, 10]
SEED: Final = 0
PHASES: Final = (
    (12, Schedule(1e-3, 1e-3, delta_scale=500, first_epochs=1, first_eta_W=0.0, first_eta_R=1e-3)),
    (15, Schedule(0.03, 0.03, delta_scale=0)),
)
"""Epochs and settings. First it learns, R alone in the first epoch. Then, without an error signal, R decorrelates
further while the network computes the same (Theorem 2)."""
N_DIGITS: Final = 60

Array = npt.NDArray[Any]
Matrix = dict[str, Any]


def trained(data: Dataset, sizes: list[int], phases: Iterable[tuple[int, Schedule]]) -> Network:
    """Return a network after these phases, each of some epochs with a schedule."""
    network = Network(sizes, rng=np.random.default_rng(SEED), dtype="float64")
    rng = np.random.default_rng(SEED + 1)
    for epochs, schedule in phases:
        fit(network, data, epochs=epochs, schedule=schedule, rng=rng)
    return network


def to_bytes(values: Array) -> Matrix:
    """Return a matrix (O, I) as signed bytes, with a scale for each row."""
    scale = np.max(np.abs(values), axis=1) / 127
    data = np.rint(values / np.where(scale > 0, scale, 1)[:, None]).astype(np.int8)
    return {"shape": values.shape, "scale": scale.tolist(), "data": b64encode(data.tobytes()).decode()}


def from_bytes(matrix: Matrix) -> Array:
    """Return the matrix (O, I) that `to_bytes` has stored: the figures read it in the same way."""
    data = np.frombuffer(b64decode(matrix["data"]), dtype=np.int8).reshape(matrix["shape"])
    return data * np.array(matrix["scale"])[:, None]


def outputs(layers: list[Matrix], maps: list[Matrix], y: Array, n_replaced: int) -> Array:
    """Return the outputs (N, K) where one matrix replaces `n_replaced` layers, from the second on."""
    f = ACTIVATIONS["leaky_relu"].f
    y = f(transform(from_bytes(layers[0]), y))
    if n_replaced:
        y = transform(from_bytes(maps[n_replaced - 1]), y)
    for layer in layers[1 + n_replaced :]:
        y = f(transform(from_bytes(layer), y))
    return y


def weights(data: Dataset, network: Network) -> dict[str, Any]:
    """Return what the figures need of a trained network."""
    y0, test = as_float(data.train.inputs, "float64"), as_float(data.test.inputs, "float64")
    n_layers = len(network.layers)
    layers = [to_bytes(layer.folded()) for layer in network.layers]
    maps = [to_bytes(compress(network, y0, keep).layers[1].folded()) for keep in range(n_layers, 1, -1)]
    fields = [to_bytes(receptive_fields(network, y0, k, standardized=True)) for k in range(n_layers)]
    answers = [np.argmax(outputs(layers, maps, test, n_replaced), axis=1) for n_replaced in range(n_layers)]
    return {
        "test_accuracy": [float(np.mean(answer == data.test.labels)) for answer in answers],
        "layers": layers,
        "maps": maps,
        "fields": fields,
        "labels": data.test.labels[:N_DIGITS].tolist(),
        "digits": b64encode(data.test.inputs[:N_DIGITS].tobytes()).decode(),
    }


def main() -> None:
    """Train, and write the file."""
    data = load_dataset(DATASET)
    with blas_threads(1):  # the last digits depend on the number of threads
        found = weights(data, trained(data, SIZES, PHASES))
    phases = [{"epochs": epochs} | asdict(schedule) for epochs, schedule in PHASES]
    settings = {"dataset": DATASET, "sizes": SIZES, "seed": SEED, "phases": phases}
    record = {"settings": settings, "versions": versions()} | found
    TARGET.write_text(f"{HEAD}\nexport const WEIGHTS = {json.dumps(record)};\n", encoding="utf-8")
    print(f"{TARGET.stat().st_size / 1000:.0f} kB, test accuracy {found['test_accuracy']}")


if __name__ == "__main__":
    main()
