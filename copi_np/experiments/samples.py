"""Read samples for a trained network from a data set, .npz, .npy or .csv."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from copi_np.arrays import NDArray
from copi_np.datasets import DATASETS, load_dataset
from copi_np.datasets.dataset import check_inputs, check_labels
from copi_np.errors import DataError, InputError, brief, explain_os_errors, list_names, shown, unknown
from copi_np.experiments.runner import with_validation
from copi_np.experiments.trained import Trained
from copi_np.storage.npz import read_npz
from copi_np.storage.untrusted import open_file, read_text

LABEL: Final = "label"
"""The column of labels in a .csv file."""
ADVICE: Final = "give samples as an .npz file with x and perhaps y, as .npy, or as .csv"
MAX_CSV: Final = 2**32
"""Most bytes of a .csv file."""


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
                            of a data set; "validation" means that of the network's run
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
    n_inputs, n_classes = trained.network.n_inputs, trained.network.n_outputs
    if inputs.shape[1] != n_inputs:
        raise InputError(
            f"{name} has {inputs.shape[1]} features per sample, but the network in {trained.path} takes {n_inputs}: "
            "give samples like those it was trained on"
        )
    if labels is not None:
        labels = _numbered(name, labels, trained.class_names)
        check_labels(
            name, labels, max(n_classes, int(np.max(labels, initial=0)) + 1 if labels.dtype.kind in "iu" else 0)
        )
        if labels.max(initial=0) >= n_classes:
            raise InputError(
                f"{name} has labels up to {labels.max()}, but the network in {trained.path} has the classes "
                f"0 .. {n_classes - 1}: correct the labels"
            )
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
            raise DataError(f"{path} is damaged, or not an .npy file ({brief(error)}): {ADVICE}") from None


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
    if label_column not in names and label_column != LABEL:
        raise InputError(f"{path} has no column {label_column!r}: correct --label-column")
    labels: list[str] = []

    def read_label(text: str) -> float:
        labels.append(text.strip())
        return 0.0

    column = names.index(label_column) if label_column in names else None
    try:
        table = np.loadtxt(
            StringIO("\n".join(rows)),
            delimiter=",",
            quotechar='"',
            comments=None,
            ndmin=2,
            converters=None if column is None else {column: read_label},
        )
    except ValueError as error:  # counts rows from 0 or 1, without the names
        raise DataError(f"{path} is not a table of numbers ({brief(error)}): correct the file") from None
    if names and len(names) != table.shape[1]:
        raise DataError(f"{path} names {len(names)} columns, but has {table.shape[1]}: correct its first line")
    if column is None:
        return Samples(table, None)
    return Samples(np.delete(table, column, axis=1), np.array(labels))


def _numbered(name: str, labels: NDArray, class_names: Sequence[str] | None) -> NDArray:
    """Return labels as class numbers: by the names of the classes if there are any, else as whole numbers."""
    texts = [str(label) for label in labels.tolist()]
    if class_names is not None and set(texts) <= set(class_names):
        return np.array([class_names.index(text) for text in texts])
    if labels.dtype.kind != "U":
        return labels
    wrong = [text for text in texts if not (_is_number(text) and float(text).is_integer())]
    if class_names is not None or wrong:
        known = "class numbers 0, 1, .." if class_names is None else f"of {list_names(class_names)}"
        wrong = wrong if class_names is None else [text for text in texts if text not in class_names]
        raise InputError(f"{name}: labels must be {known}, got {shown(wrong[0])}: correct the file")
    return np.array([int(float(text)) for text in texts])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def looks_like_pixels(inputs: NDArray) -> bool:
    """Return whether floating-point inputs are whole numbers from 0 to 255, and not only 0 and 1."""
    return bool(inputs.dtype != np.uint8 and 1 < inputs.max() <= 255 and (inputs == np.abs(np.round(inputs))).all())
