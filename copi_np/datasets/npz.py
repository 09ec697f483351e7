"""Any data set of the user's own: an .npz file with x_train, y_train, x_test and y_test."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from copi_np.datasets.dataset import Dataset, Split
from copi_np.errors import DataError, InputError, list_names

KEYS = ("x_train", "y_train", "x_test", "y_test")
HOW_TO_WRITE = "write it with numpy.savez_compressed(path, x_train=.., y_train=.., x_test=.., y_test=..)"


def load_npz(name: str) -> Dataset:
    """Load the .npz file at path `name`.

    Inputs of more than two axes are flattened to (N, I), and their shape is kept as `image_shape`. Labels
    number the classes 0, 1, .. without a gap.

    Raises
    ------
    DataError
        if there is no such file, it is damaged, or its arrays do not make a data set
    """
    x_train, y_train, x_test, y_test = read_arrays(Path(name).expanduser())
    if x_train.shape[1:] != x_test.shape[1:]:
        raise DataError(
            f"{name}: x_train of shape {x_train.shape} but x_test of shape {x_test.shape}: "
            "make them agree beyond the first axis"
        )
    for key, labels in (("y_train", y_train), ("y_test", y_test)):
        if not np.issubdtype(labels.dtype, np.integer):
            raise DataError(f"{name}: {key} is {labels.dtype}: store integer class numbers")
    train, test = _split(x_train, y_train), _split(x_test, y_test)
    n_classes = 1 + max(int(labels.max(initial=0)) for labels in (train.labels, test.labels))
    try:
        data = Dataset(name, train, test, n_classes, x_train.shape[1:] if x_train.ndim > 2 else None)
    except InputError as error:
        raise DataError(str(error)) from error
    _check_gaps(data)
    return data


def _check_gaps(data: Dataset) -> None:
    """Refuse classes that never occur: labels that count from 1, or a label in error."""
    classes = np.unique(np.concatenate([data.train.labels, data.test.labels]))
    if len(classes) != data.n_classes:
        raise DataError(
            f"{data.name}: labels run to {classes[-1]}, but only {len(classes)} different ones occur: "
            f"number the classes 0 .. {len(classes) - 1}"
        )


def read_arrays(path: Path) -> list[npt.NDArray[Any]]:
    """Read the four arrays, in the order of `KEYS`; nothing is ever unpickled.

    Raises
    ------
    DataError
        if the file is missing, damaged, or lacks an array
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}: correct the path, or {HOW_TO_WRITE}")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is cut short, or not an .npz archive: {HOW_TO_WRITE}")
    try:
        # numpy would leave a file of its own open when the archive is damaged
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            if missing := [key for key in KEYS if key not in archive]:
                raise DataError(f"{path} lacks {list_names(missing)}: {HOW_TO_WRITE}")
            return [archive[key] for key in KEYS]
    except DataError:
        raise
    # damaged bytes make the readers of zip, zlib and npy raise nearly every kind of exception there is
    except Exception as error:
        kind = "Python objects" if "pickle" in str(error) else "an array that cannot be read"
        raise DataError(f"{path} is damaged or holds {kind}: {HOW_TO_WRITE}") from error


def _split(inputs: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Split:
    """Flatten images to rows."""
    rows = inputs.reshape(len(inputs), -1) if inputs.ndim > 2 and inputs.size else inputs
    return Split(rows, labels.astype(np.int64))
