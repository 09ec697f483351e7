"""Load a user's own data set from an .npz file with x_train, y_train, x_test and y_test."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from copi_np.arrays import NDArray
from copi_np.datasets.dataset import Dataset, Split
from copi_np.datasets.own_arrays import not_classes, number_classes
from copi_np.errors import DataError, InputError, list_names
from copi_np.storage.npz import read_npz
from copi_np.storage.untrusted import expand_home

KEYS = ("x_train", "y_train", "x_test", "y_test")
HOW_TO_WRITE = "write it with numpy.savez(path, x_train=.., y_train=.., x_test=.., y_test=..)"


def load_npz(name: str) -> Dataset:
    """Load the .npz file at path `name`.

    Inputs of more than two axes are flattened to (N, I), and their shape is kept as `image_shape`. Labels must number
    the classes 0, 1, .. without a gap, or be text; classes are then numbered in sorted order.

    Raises
    ------
    DataError       if there is no such file, it is damaged, or its arrays are not a data set
    InputError      if `name` starts with ~user for an unknown user
    """
    arrays = read_npz(expand_home(name), HOW_TO_WRITE, KEYS)
    if missing := [key for key in KEYS if key not in arrays]:
        raise DataError(f"{name} lacks {list_names(missing)}: {HOW_TO_WRITE}")
    x_train, y_train, x_test, y_test = (arrays[key] for key in KEYS)
    if x_train.shape[1:] != x_test.shape[1:]:
        raise DataError(
            f"{name}: x_train of shape {x_train.shape} but x_test of shape {x_test.shape}: "
            "make them agree beyond the first axis"
        )
    image_shape = x_train.shape[1:] if x_train.ndim > 2 else None
    try:
        y_train, y_test, class_names = _class_numbers(name, y_train, y_test)
        n_classes = _count_classes(name, y_train, y_test)
        train, test = _split(x_train, y_train), _split(x_test, y_test)
        return Dataset(name, train, test, n_classes, image_shape, class_names=class_names)
    except InputError as error:
        raise DataError(str(error)) from None


def _class_numbers(name: str, y_train: NDArray, y_test: NDArray) -> tuple[NDArray, NDArray, tuple[str, ...] | None]:
    """Return integers as they are; number the classes if they are text, in both splits alike."""
    kinds = {"U" if labels.dtype.kind == "U" else "i" for labels in (y_train, y_test)}
    if kinds == {"U", "i"}:
        raise InputError(
            f"{name}: y_train is {y_train.dtype}, but y_test is {y_test.dtype}: store both in the same way"
        )
    if kinds == {"U"}:
        for key, labels in (("y_train", y_train), ("y_test", y_test)):
            number_classes(f"{name}, {key}", labels)  # refuses other shapes
        numbers, class_names = number_classes(name, np.concatenate([y_train, y_test]))
        return numbers[: len(y_train)], numbers[len(y_train) :], class_names
    for key, labels in (("y_train", y_train), ("y_test", y_test)):
        if not np.issubdtype(labels.dtype, np.integer):
            raise not_classes(f"{name}, {key}", labels)
    return y_train, y_test, None


def _count_classes(name: str, *labels: npt.NDArray[Any]) -> int:
    """Return the number of classes, after refusing labels that count from 1, have a gap, or are wrong in one place."""
    classes = sorted(set().union(*(np.unique(each).tolist() for each in labels)))  # exact, also for mixed dtypes
    is_empty = not all(each.size for each in labels)  # which `Dataset` refuses
    if not is_empty and (classes[0] < 0 or classes[-1] >= len(classes)):
        raise DataError(
            f"{name}: labels run from {classes[0]} to {classes[-1]}, and take {len(classes)} different values: "
            f"number the classes 0 .. {len(classes) - 1}"
        )
    return max(len(classes), 1)


def _split(inputs: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Split:
    """Make a split, with images flattened to rows."""
    rows = inputs.reshape(len(inputs), -1) if inputs.ndim > 2 and inputs.size else inputs
    return Split(rows, labels.astype(np.int64))
