"""Use a trained network: load it from a run or a file, read samples, and predict their classes."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from copi_np._parts import name_of
from copi_np.arrays import NDArray
from copi_np.backend import Backend
from copi_np.checkpoint import load_with, previous_path
from copi_np.datasets import DATASETS, as_float, load_dataset
from copi_np.datasets.dataset import check_inputs, check_labels
from copi_np.errors import DataError, InputError, OtherPartsError, brief, explain_os_errors, list_names, unknown
from copi_np.experiments.config import RunConfig
from copi_np.experiments.own_parts import check_text, is_file, object_of
from copi_np.experiments.records import BEST_FILE, CHECKPOINT_FILE, RUN_FILE, RunRecord, read_run
from copi_np.experiments.runner import with_validation
from copi_np.losses import LOSSES, log_softmax
from copi_np.network import Network
from copi_np.storage.npz import read_npz
from copi_np.storage.untrusted import exists, open_file, path_exists, read_text

LABEL: Final = "label"
"""The column of labels in a .csv file."""
ADVICE: Final = "give samples as an .npz file with x and perhaps y, as .npy, or as .csv"
MAX_CSV: Final = 2**32
"""Most bytes of a .csv file."""


class Trained(NamedTuple):
    """A trained network and where it is from.

    Attributes
    ----------
    network : Network
    path : Path                 the file that holds it
    epoch : int or None         the last epoch it was trained in, if the file says so
    run : RunRecord or None     the run that the file belongs to, if any
    """

    network: Network
    path: Path
    epoch: int | None
    run: RunRecord | None


def load_trained(path: str | Path, backend: str | Backend = "numpy", parts: Mapping[str, str] | None = None) -> Trained:
    """Load the network of a run, or of a file that `save_network` wrote.

    Of a run with a validation split it is the network that is best on it, otherwise the latest.

    Parameters
    ----------
    path : path                 a run's folder, or a network's file
    backend : str or Backend
    parts : mapping, optional   your own parts of the network as ``FILE.py:NAME``, by kind; for a run, only those whose
                                file is elsewhere now

    Raises
    ------
    InputError                  if one of your own parts is missing
    DataError                   if there is no such run or file, or it cannot be read
    """
    path, parts = Path(path), dict(parts or {})
    run = None
    if path.is_dir():
        run = read_run(path)
        path = _network_file(run)
    elif path.name in _files_of_run(path.parent) and exists(path.parent / RUN_FILE):
        run = read_run(path.parent)
    if run is not None:
        own = with_parts(run.config, parts).network_parts()
    else:
        own = {kind: object_of(kind, text) for kind, text in parts.items()}
    try:
        network, metadata = load_with(path, backend, own)
    except OtherPartsError as error:
        raise InputError(f"{error}; on the command line, as --activation FILE.py:NAME and the like") from error
    epoch = metadata.get("epoch")
    return Trained(network, path, epoch if isinstance(epoch, int) else None, run)


def _files_of_run(folder: Path) -> list[str]:
    checkpoint = folder / CHECKPOINT_FILE
    return [BEST_FILE, checkpoint.name, previous_path(checkpoint).name]


def _network_file(run: RunRecord) -> Path:
    """Return the file with the network of a run: the best on the validation split, or the latest."""
    names = [BEST_FILE, CHECKPOINT_FILE] if run.config.val_fraction else [CHECKPOINT_FILE]
    for name in names:
        if path_exists(run.folder / name):
            return run.folder / name
    raise DataError(f"there is no {run.folder / names[-1]}: train the run first, with copi-np train --resume")


def with_parts(config: RunConfig, parts: Mapping[str, str]) -> RunConfig:
    """Return the configuration of a recorded run with the files of its own parts where they are now.

    Raises
    ------
    InputError      if such a file is missing, or a part is not of the form ``FILE.py:NAME``
    """
    changes: dict[str, Any] = dict(parts)
    config = replace(config, **changes)
    for kind, part in config.own_parts.items():
        check_text(parts.get(kind))
        if is_file(part) and not Path(part.rpartition(":")[0]).is_file():
            where = f"say where it is now, with --{kind.replace('_', '-')} FILE.py:{name_of(part)}"
            raise InputError(f"there is no file {part.rpartition(':')[0]}, which this run needs: {where}")
    return config


# ------------------------------------------------------------------------------------------------------------ samples


class Samples(NamedTuple):
    """Samples to predict: inputs (N, I) as in a `Split`, and their labels (N,) if they are known."""

    inputs: NDArray
    labels: NDArray | None


def read_samples(
    name: str,
    trained: Trained,
    split: str = "test",
    data_dir: str | Path | None = None,
    *,
    pixels: bool = False,
    label_column: str = LABEL,
) -> Samples:
    """Read samples for a network, and check that they fit it.

    Parameters
    ----------
    name : str              a data set of `copi_np.datasets.DATASETS`, or the path of an .npz, .npy or .csv file. An
                            .npz file is a data set, or holds x and perhaps y; a .csv file has one row per sample, and
                            perhaps a line with the names of its columns
    trained : Trained       the network
    split : {"test", "train", "validation"}
                            of a data set; "validation" is that of the network's run
    data_dir : path         as for `load_dataset`
    pixels : bool           whether inputs that are not uint8 are pixels from 0 to 255, to be divided by 255
    label_column : str      the name of the column of a .csv file that holds labels, if it has one

    Raises
    ------
    InputError              if the samples do not fit the network
    DataError               if they cannot be read
    """
    samples = _read(name, trained, split, data_dir, label_column)
    inputs, labels = samples
    if inputs.ndim > 2:
        inputs = inputs.reshape(len(inputs), -1)
    check_inputs(name, inputs)
    n_inputs, n_classes = trained.network.parts["sizes"][0], trained.network.parts["sizes"][-1]
    if inputs.shape[1] != n_inputs:
        raise InputError(
            f"{name} has {inputs.shape[1]} features per sample, but the network in {trained.path} takes {n_inputs}: "
            "give samples like those it was trained on"
        )
    if labels is not None:
        check_labels(name, labels, n_classes)
        if len(labels) != len(inputs):
            raise InputError(f"{name}: {len(inputs)} samples but {len(labels)} labels: give one label per sample")
    if pixels and inputs.dtype != np.uint8:  # which `as_float` divides
        if inputs.min() < 0 or inputs.max() > 255:
            raise InputError(f"{name} holds values from {inputs.min():g} to {inputs.max():g}: leave out --pixels")
        inputs = inputs / 255
    return Samples(inputs, labels)


def _read(name: str, trained: Trained, split: str, data_dir: str | Path | None, label_column: str) -> Samples:
    path = Path(name)
    if path.suffix == ".csv":
        return _read_csv(path, label_column)
    if path.suffix == ".npy":
        return Samples(_read_npy(path), None)
    if path.suffix == ".npz":
        arrays = read_npz(path, ADVICE, ["x", "y"])
        if "x" in arrays:
            return Samples(arrays["x"], arrays.get("y"))
    elif name not in DATASETS:
        raise InputError(f"{unknown('data set', name, DATASETS)}, or the path of an .npz, .npy or .csv file")
    data = load_dataset(name, data_dir)
    run = trained.run
    if run is not None and run.config.val_fraction and data.fingerprint == run.description.get("data_sha256"):
        data = with_validation(run.config, data)
    if split not in data.splits:
        raise InputError(f"{name} has no {split} split for this network: choose one of {list_names(data.splits)}")
    return Samples(*data.splits[split])


def _read_npy(path: Path) -> NDArray:
    with open_file(path, ADVICE) as file, explain_os_errors("read", path):
        try:
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
        except (ValueError, EOFError, MemoryError) as error:
            raise DataError(f"{path} is damaged, or not an .npy file ({brief(error)}): {ADVICE}") from error


def _read_csv(path: Path, label_column: str) -> Samples:
    """Read one row per sample; a first line with anything but numbers names the columns."""
    lines = read_text(path, ADVICE, MAX_CSV).removeprefix("\ufeff").splitlines()
    if not lines:
        raise DataError(f"{path} is empty: {ADVICE}")
    first = next(csv.reader(lines[:1]), [])
    names = [] if all(map(_is_number, first)) else [cell.strip() for cell in first]
    rows = lines[1:] if names else lines
    if not any(line.strip() for line in rows):
        raise DataError(f"{path} has no samples: {ADVICE}")
    try:
        table = np.loadtxt(StringIO("\n".join(rows)), delimiter=",", quotechar='"', comments=None, ndmin=2)
    except ValueError as error:  # counts rows from 0 or 1, without the names
        raise DataError(f"{path} is not a table of numbers ({brief(error)}): correct the file") from error
    if names and len(names) != table.shape[1]:
        raise DataError(f"{path} names {len(names)} columns, but has {table.shape[1]}: correct its first line")
    if label_column not in names:
        if label_column != LABEL:
            raise InputError(f"{path} has no column {label_column!r}: correct --label-column")
        return Samples(table, None)
    column = names.index(label_column)
    labels = table[:, column]
    if not (labels == np.round(labels)).all():
        raise InputError(f"{path}: column {label_column!r} must hold class numbers 0, 1, ..: correct the file")
    return Samples(np.delete(table, column, axis=1), labels.astype(np.int64))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def looks_like_pixels(inputs: NDArray) -> bool:
    """Return whether floating-point inputs are whole numbers from 0 to 255, and not only 0 and 1."""
    return bool(inputs.dtype != np.uint8 and 1 < inputs.max() <= 255 and (inputs == np.abs(np.round(inputs))).all())


# --------------------------------------------------------------------------------------------------------- prediction


class Prediction(NamedTuple):
    """What a network says of samples.

    Attributes
    ----------
    labels : (N,) array of int64        the class with the largest output, 0 .. K - 1
    probabilities : (N, K) array or None
                                        softmax of the outputs, in float64; None unless asked for
    accuracy : float or None            share of samples whose label is right, 0 to 1; None without labels
    """

    labels: NDArray
    probabilities: NDArray | None
    accuracy: float | None


def check_can_predict(trained: Trained, *, probabilities: bool) -> None:
    """Raise an InputError unless a network tells classes apart, and gives probabilities if they are wanted."""
    network = trained.network
    if network.layers[-1].n_outputs < 2:
        raise InputError(f"{trained.path} has one output, so it has no classes: use its predict() from Python")
    if probabilities and network.loss != LOSSES["cross_entropy"]:
        raise InputError(
            f"{trained.path} was trained with loss {network.loss.name}, whose outputs are not probabilities: "
            "leave out --probabilities, or train with --loss cross_entropy"
        )


def predict(trained: Trained, samples: Samples, *, probabilities: bool = False) -> Prediction:
    """Predict the classes of samples.

    Parameters
    ----------
    trained : Trained           from `load_trained`
    samples : Samples           from `read_samples`
    probabilities : bool        whether to compute probabilities too; needs the cross-entropy

    Raises
    ------
    InputError                  if the network has no classes, or no probabilities
    """
    check_can_predict(trained, probabilities=probabilities)
    network = trained.network
    inputs = network.backend.asarray(as_float(samples.inputs, network.dtype), copy=False)
    outputs = network.backend.to_host(network.predict(inputs))
    labels = np.argmax(outputs, axis=1)
    shares = np.exp(log_softmax(outputs.astype(np.float64))) if probabilities else None
    right = None if samples.labels is None else float(np.mean(labels == samples.labels))
    return Prediction(labels, shares, right)


def prediction_csv(prediction: Prediction) -> str:
    """Format a prediction as CSV: the column "label", and with probabilities p_0, p_1, .., one per class."""
    shares: Any = prediction.probabilities
    rows: list[list[Any]] = [[label] for label in prediction.labels.tolist()]
    head = ["label"]
    if shares is not None:
        head += [f"p_{k}" for k in range(shares.shape[1])]
        rows = [[*row, *(f"{share:.6g}" for share in of_row)] for row, of_row in zip(rows, shares, strict=True)]
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    return text.getvalue()
