"""Figure 3 of a trained network: samples, receptive fields and compression, measured and recorded."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from copi_np.analysis import compress, least_squares_map, receptive_fields, stack_map
from copi_np.arrays import NDArray
from copi_np.backend import Backend
from copi_np.checkpoint import load_with
from copi_np.datasets import Dataset, as_float
from copi_np.errors import DataError, InputError, brief, shown
from copi_np.experiments.config import RunConfig
from copi_np.experiments.records import CHECKPOINT_FILE, HISTORY_FILE, MOVE_AWAY, RunRecord, read_run
from copi_np.experiments.runner import other_data
from copi_np.network import Network
from copi_np.storage.atomic import check_writable, replace_text
from copi_np.storage.jsonl import read_lines
from copi_np.storage.npz import read_npz, write_npz
from copi_np.storage.untrusted import check_numbers, exists, parse_json, read_text
from copi_np.training import DeviceSplit, evaluate, to_device
from copi_np.whitening import mean_absolute_correlation, zca

MEASURES_FILE: Final = "figure3.json"
PICTURES_FILE: Final = "pictures.npz"
MAPS: Final = {"formula": stack_map, "least squares": least_squares_map}
"""How the matrix that replaces layers is computed: by the formula of Appendix B, or by least squares as a reference."""
QUANTITIES: Final = ("train_accuracy", "test_accuracy", "train_loss", "test_loss")
BY_LAYER: Final = ("correlations", "likeness", "against")
N_SAMPLES: Final = 10
N_UNITS: Final = 100
"""Largest number of units recorded per layer; the paper shows this many."""
ROWS: Final = ("raw", "COPI", "ZCA")
ZCA_EPSILON: Final = 1e-2
"""Added to the eigenvalues before inverting them: many pixels of images are always zero, or nearly equal."""
CHUNK: Final = 1000
ADVICE: Final = "remove it and record it again"


def record_figure3(
    run_folder: str | Path,
    data: Dataset,
    backend: str | Backend = "auto",
    *,
    pictures: bool = False,
    config: RunConfig | None = None,
) -> None:
    """Measure the trained network of a run, and record the contents of Figure 3 in the run's folder.

    figure3.json holds what `measure_figure3` returns. For compression it includes the loss, since accuracy does not
    show the size of the outputs: where inputs are correlated, the formula's outputs may be several times too large.

    pictures.npz holds ten random test samples raw, after the first lateral weights, and ZCA-whitened; and the
    standardized receptive fields of 100 random units of every layer, each divided by its largest weight.

    Files that already hold the same epoch are left as they are.

    Parameters
    ----------
    run_folder : path       of a run with a checkpoint
    data : Dataset          what the network was trained on
    backend : str or Backend
    pictures : bool         whether to record pictures too; ignored if the data are not images
    config : RunConfig      of the run, needed only if parts of your own are objects; default: as recorded

    Raises
    ------
    InputError              if the run was trained on other data
    DataError               if the folder holds no run or no checkpoint, or a file cannot be read or written
    """
    folder = Path(run_folder)
    run = read_run(folder)
    if run.description.get("data_sha256") != data.fingerprint:
        raise other_data(folder, data)
    needs_measures = measures_of(folder) is None
    needs_pictures = pictures and data.image_shape is not None and pictures_of(folder) is None
    if not needs_measures and not needs_pictures:
        return
    check_writable(folder / MEASURES_FILE)
    network, metadata = load_with(folder / CHECKPOINT_FILE, backend, (config or run.config).network_parts())
    if network.has_convolutions:
        raise InputError(f"Figure 3 is of dense networks, and {folder} holds one with convolutions: choose another run")
    data = data if network.scaling is None else data.scaled(network.scaling)
    epoch = metadata.get("epoch")
    if not isinstance(epoch, int):
        raise DataError(f"{folder / CHECKPOINT_FILE} does not say after which epoch it is: train the run again")
    if needs_measures:
        record = {"epoch": epoch, **measure_figure3(network, data)}
        replace_text(folder / MEASURES_FILE, json.dumps(record, indent=1) + "\n")
    if needs_pictures:
        # the first two children of the seed draw weights and shuffle
        rng = np.random.default_rng(run.config.seed).spawn(3)[2]
        write_npz(folder / PICTURES_FILE, {"epoch": np.array(epoch), **_pictures(network, data, rng)})


def measure_figure3(network: Network, data: Dataset) -> dict[str, Any]:
    """Measure the numbers of Figure 3: how decorrelated a network is, how digit-like its units, what compression costs.

    Parameters
    ----------
    network : Network       not changed
    data : Dataset

    Returns
    -------
    measures : dict         lists with one number per layer, measured on the training samples: "correlations", the mean
                            absolute correlation of its inputs x; "likeness", the median absolute likeness of its units'
                            receptive fields, see `likeness`; "against", the share of units with a negative likeness.
                            And for each of `MAPS` the `QUANTITIES`, lists with one number for each count of layers
                            replaced by one matrix: 0, 1, .., starting at the second layer
    """
    train, test = (to_device(network, split, data.n_classes) for split in (data.train, data.test))
    correlations, templates = _correlations_and_templates(network, train)
    to_host = network.backend.to_host
    likenesses = [
        likeness(to_host(receptive_fields(network, train.inputs, k, standardized=True)), templates)
        for k in range(len(network.layers))
    ]
    measures: dict[str, Any] = {
        "correlations": correlations,
        "likeness": [float(np.median(np.abs(values))) for values in likenesses],
        "against": [float(np.mean(values < 0)) for values in likenesses],
    }
    for name, linear_map in MAPS.items():
        kept = range(len(network.layers), 1, -1)  # replace one layer by a matrix, then two, and so on
        networks = (compress(network, train.inputs, keep, linear_map=linear_map) for keep in kept)
        values = [[evaluate(each, *split) for split in (train, test)] for each in (network, *networks)]
        # (K, split, accuracy or loss) in the order of QUANTITIES
        measures[name] = dict(zip(QUANTITIES, np.transpose(values, (2, 1, 0)).reshape(4, -1).tolist(), strict=True))
    return measures


def likeness(fields: NDArray, templates: NDArray) -> NDArray:
    """Return how much receptive fields resemble, or oppose, the class that each matches most closely.

    Parameters
    ----------
    fields : (O, I) array       standardized
    templates : (K, I) array    the mean of each class, minus the mean over all classes

    Returns
    -------
    (O,) array                  the cosine of largest absolute value, -1 to 1; 0 for a field of zeros
    """
    sizes = np.outer(np.linalg.norm(fields, axis=1), np.linalg.norm(templates, axis=1))
    cosines = fields @ templates.T / np.where(sizes > 0, sizes, 1)
    best = np.argmax(np.abs(cosines), axis=1)
    return np.asarray(cosines[np.arange(len(fields)), best])


def _correlations_and_templates(network: Network, train: DeviceSplit) -> tuple[list[float], NDArray]:
    """Return the mean absolute correlation of every layer's inputs x, and the class templates, in units of the rms."""
    xp, to_host = network.backend.xp, network.backend.to_host
    moments: list[Any] = [0.0] * len(network.layers)
    sums: Any = 0.0
    n_samples = int(train.inputs.shape[0])
    for start in range(0, n_samples, CHUNK):
        rows = slice(start, min(start + CHUNK, n_samples))
        xs = network.forward(train.inputs[rows, :]).x_of_units
        moments = [moment + x.T @ x for moment, x in zip(moments, xs, strict=True)]
        sums += train.targets[rows, :].T @ xs[0]
    rms = np.sqrt(to_host(xp.linalg.diagonal(moments[0])) / n_samples)
    counts = to_host(xp.sum(train.targets, axis=0))[:, None]
    means = to_host(sums) / np.where(counts > 0, counts, 1) / np.where(rms > 0, rms, 1)
    return [mean_absolute_correlation(moment) for moment in moments], means - means.mean(axis=0)


def _pictures(network: Network, data: Dataset, rng: np.random.Generator) -> dict[str, NDArray]:
    """Return the arrays of pictures.npz: samples, receptive fields, and the indices of these samples and units."""
    samples = rng.permutation(len(data.test.labels))[:N_SAMPLES]
    arrays: dict[str, NDArray] = {"samples": samples, "image_shape": np.array(data.image_shape)}
    rows = whitened_samples(network, data, data.test.inputs[samples])
    arrays |= {name: row.astype("float16") for name, row in rows.items()}
    inputs = to_device(network, data.train, data.n_classes).inputs
    for k in range(len(network.layers)):
        fields = network.backend.to_host(receptive_fields(network, inputs, k, standardized=True))
        units = np.sort(rng.permutation(len(fields))[:N_UNITS])
        largest = np.max(np.abs(fields[units]), axis=1, keepdims=True)
        arrays[f"units_{k}"] = units
        arrays[f"fields_{k}"] = (fields[units] / np.where(largest > 0, largest, 1)).astype("float16")
    return arrays


def whitened_samples(network: Network, data: Dataset, inputs: NDArray) -> dict[str, NDArray]:
    """Return samples raw, decorrelated by a network's first layer, and whitened by ZCA of the training set (Figure 3A).

    Parameters
    ----------
    network : Network       not changed
    data : Dataset          ZCA is computed on its training split
    inputs : (N, I) array   samples, as in `data`

    Returns
    -------
    rows : dict             from the names in `ROWS` to (N, I) arrays on the host
    """
    raw = as_float(inputs, network.dtype)
    x = network.forward(network.backend.asarray(raw)).x_of_units[0]
    train = data.train.inputs
    chunks = (as_float(train[start : start + CHUNK], "float64") for start in range(0, len(train), CHUNK))
    M = zca(sum(chunk.T @ chunk for chunk in chunks) / len(train), ZCA_EPSILON)
    return dict(zip(ROWS, (raw, network.backend.to_host(x), raw @ M.T), strict=True))


class Figure3(NamedTuple):
    """The records of Figure 3 in a run's folder; None for each that is missing."""

    run: RunRecord
    measures: dict[str, Any] | None
    pictures: dict[str, NDArray] | None


def read_figure3(run: RunRecord) -> Figure3:
    """Read the records of Figure 3 of a run.

    Raises
    ------
    DataError       if a record is damaged
    """
    return Figure3(run, measures_of(run.folder), pictures_of(run.folder))


def measures_of(folder: Path) -> dict[str, Any] | None:
    """Read the measures in a run's folder; None if there are none, or if the run has been trained further since.

    Raises
    ------
    DataError       if the record is damaged
    """
    path = folder / MEASURES_FILE
    if not exists(path):
        return None
    try:
        record = parse_json(read_text(path, ADVICE))
        by_replaced = [record[name][quantity] for name in MAPS for quantity in QUANTITIES]
        for values in (*(record[name] for name in BY_LAYER), *by_replaced):
            check_numbers("a measure", values, len(record["correlations"]))
        return record if record["epoch"] == _n_epochs(folder) else None
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged ({brief(error)}): {ADVICE}") from None


def pictures_of(folder: Path) -> dict[str, NDArray] | None:
    """Read pictures.npz, see `record_figure3`; None as for `measures_of`."""
    path = folder / PICTURES_FILE
    if not exists(path):
        return None
    arrays = read_npz(path, ADVICE)
    if missing := {"epoch", "image_shape", "fields_0", *ROWS} - set(arrays):
        raise DataError(f"{path} lacks {', '.join(sorted(missing))}: {ADVICE}")
    _check_pictures(path, arrays)
    return arrays if int(arrays["epoch"]) == _n_epochs(folder) else None


def _check_pictures(path: Path, arrays: dict[str, NDArray]) -> None:
    """Raise a DataError unless rows and fields are finite images of one shape."""
    epoch, image_shape = arrays["epoch"], arrays["image_shape"]
    whole = all(np.issubdtype(array.dtype, np.integer) for array in (epoch, image_shape))
    if not whole or epoch.ndim != 0 or image_shape.ndim != 1 or not all(side > 0 for side in image_shape):
        raise DataError(f"{path} is damaged (epoch and image_shape must be counts): {ADVICE}")
    n_pixels = prod(image_shape.tolist())
    images = {name: array for name, array in arrays.items() if name in ROWS or name.startswith("fields_")}
    for name, array in images.items():
        if not np.issubdtype(array.dtype, np.floating) or array.ndim != 2 or array.shape[1] != n_pixels:
            raise DataError(f"{path} is damaged ({shown(name)} is not an array of images): {ADVICE}")
        if not array.size or not np.isfinite(array).all():
            raise DataError(f"{path} is damaged ({shown(name)} is empty or not finite): {ADVICE}")
    if len({len(arrays[name]) for name in ROWS}) != 1:
        raise DataError(f"{path} is damaged (rows of different lengths): {ADVICE}")


def _n_epochs(folder: Path) -> int:
    return len(read_lines(folder / HISTORY_FILE, MOVE_AWAY))
