"""The class `Dataset`: splits of inputs and labels that fit together, and how to turn them into a network's arrays."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from copi_np._checks import check_count
from copi_np.arrays import NDArray, check_plain
from copi_np.errors import InputError, shown


class Split(NamedTuple):
    """Samples with their classes.

    Attributes
    ----------
    inputs : (N, I) array           one sample per row: pixels 0..255 as uint8, or floating point in any unit
    labels : (N,) array of int64    the class of each sample, 0 .. n_classes - 1
    """

    inputs: NDArray
    labels: NDArray


@dataclass(frozen=True, eq=False)
class Dataset:
    """A classification task: a split for training, one for testing, and optionally one for model selection.

    Parameters
    ----------
    name : str                  one of `DATASETS`, or the path of an .npz file as it was given
    train, test : Split         inputs (N, I) and labels (N,); both have the same I and dtype of inputs
    n_classes : int             the number of classes K; labels are 0 .. K - 1
    image_shape : tuple of int or None
                                the shape of one sample, such as (28, 28) or channel-major (3, 32, 32), if it is known
    validation : Split or None  samples that are neither trained nor tested on, see `hold_out`

    Raises
    ------
    InputError                  if a split is empty, has the wrong shape or dtype, holds NaN, infinite values or labels
                                out of range; or if the splits do not fit each other or `image_shape`
    """

    name: str
    train: Split
    test: Split
    n_classes: int
    image_shape: tuple[int, ...] | None = None
    validation: Split | None = None

    def __post_init__(self) -> None:
        """Refuse data that no network could learn from."""
        if not isinstance(self.name, str):
            raise InputError(f"the name of a data set must be text, got {shown(self.name)}")
        check_count("n_classes", self.n_classes)
        for part, split in self.splits.items():
            where = f"data set {self.name!r}, {part} split"
            if not isinstance(split, Split):
                raise InputError(f"{where}: give a Split(inputs, labels), not a {type(split).__name__}")
            inputs, labels = split
            check_inputs(where, inputs)
            check_labels(where, labels, self.n_classes)
            if len(inputs) != len(labels):
                raise InputError(f"{where}: {len(inputs)} inputs but {len(labels)} labels: give one label per input")
        self._check_agreement()

    def _check_agreement(self) -> None:
        """Check that all splits hold samples of the same kind."""
        train = self.train.inputs
        for part, (inputs, _) in self.splits.items():
            if train.shape[1] != inputs.shape[1]:
                raise InputError(
                    f"data set {self.name!r}: {train.shape[1]} train but {inputs.shape[1]} {part} columns: "
                    "give both splits the same features"
                )
            # if only one split were uint8, only that one would be scaled
            if train.dtype != inputs.dtype:
                raise InputError(
                    f"data set {self.name!r}: {train.dtype} train but {inputs.dtype} {part} inputs: convert one of them"
                )
        if self.image_shape is not None and prod(self.image_shape) != self.n_inputs:
            raise InputError(
                f"data set {self.name!r}: image_shape {shown(self.image_shape)} does not hold {self.n_inputs} pixels: "
                "correct it, or give None"
            )

    @property
    def splits(self) -> dict[str, Split]:
        """The splits by their names."""
        splits = {"train": self.train, "test": self.test}
        return splits if self.validation is None else {**splits, "validation": self.validation}

    @property
    def n_inputs(self) -> int:
        """The number of features I of one sample."""
        return int(self.train.inputs.shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all samples and labels with their shapes and dtypes, in hexadecimal; the name does not count."""
        digest = hashlib.sha256()
        for array in (array for split in self.splits.values() for array in split):
            digest.update(f"{array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def check_dataset(data: Any) -> None:
    """Raise an InputError unless `data` is a `Dataset`."""
    if not isinstance(data, Dataset):
        raise InputError(f"data must be a copi_np.datasets.Dataset, got {type(data).__name__}")


def check_inputs(where: str, inputs: NDArray) -> None:
    """Raise an InputError, whose message starts with `where`, unless `inputs` are non-empty (N, I), uint8 or finite."""
    if not isinstance(inputs, np.ndarray):
        raise InputError(f"{where}: inputs are a {type(inputs).__name__}: convert them with numpy.asarray")
    check_plain(f"{where}: inputs", inputs)
    if inputs.size == 0:
        raise InputError(f"{where}: inputs of shape {inputs.shape} are empty: give at least one sample")
    if inputs.ndim != 2:
        raise InputError(f"{where}: inputs of shape {inputs.shape}: reshape them to (samples, features)")
    if inputs.dtype != np.uint8 and not np.issubdtype(inputs.dtype, np.floating):
        raise InputError(f"{where}: {inputs.dtype} inputs: convert them to uint8 pixels or floating point")
    if inputs.dtype != np.uint8 and not np.isfinite(inputs).all():
        raise InputError(f"{where}: inputs hold NaN or infinite values: remove or replace them")


def check_labels(where: str, labels: NDArray, n_classes: int) -> None:
    """Raise an InputError, whose message starts with `where`, unless `labels` are (N,) integers 0 .. n_classes - 1."""
    if not isinstance(labels, np.ndarray):
        raise InputError(f"{where}: labels are a {type(labels).__name__}: convert them with numpy.asarray")
    check_plain(f"{where}: labels", labels)
    if labels.ndim != 1:
        raise InputError(f"{where}: labels of shape {labels.shape}: give one class number per sample, as (samples,)")
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"{where}: {labels.dtype} labels: give integer class numbers")
    if labels.size and not 0 <= labels.min() <= labels.max() < n_classes:
        n_found = len(np.unique(labels))
        advice = f", and give n_classes={n_found}" if n_found > n_classes else ""
        raise InputError(
            f"{where}: labels run from {labels.min()} to {labels.max()}: number the classes "
            f"0 .. {max(n_found, n_classes) - 1}{advice}"
        )


def as_float(inputs: NDArray, dtype: npt.DTypeLike, what: str = "inputs") -> NDArray:
    """Convert inputs to the dtype that a network computes in.

    Parameters
    ----------
    inputs : (N, I) array       uint8 pixels 0..255, which are scaled to 0..1, or floating point, which is only cast
    dtype : float32 or float64
    what : str                  what a message calls the inputs

    Returns
    -------
    inputs : (N, I) array       a new array of `dtype`

    Raises
    ------
    InputError                  if the inputs or `dtype` are of another type, or a value is too large for `dtype`
    """
    check_plain(what, inputs)
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise InputError(f"cannot compute in {np.dtype(dtype)}: choose float32 or float64")
    if inputs.dtype == np.uint8:
        return np.divide(inputs, 255, dtype=dtype)
    if np.issubdtype(inputs.dtype, np.floating):
        with np.errstate(over="ignore"):
            cast = inputs.astype(dtype)
        if not np.isfinite(cast).all():
            raise InputError(f"{what} hold values that {np.dtype(dtype)} cannot: scale them down")
        return cast
    raise InputError(f"{inputs.dtype} {what}: convert them to uint8 pixels or floating point")


def one_hot(labels: NDArray, n_classes: int, dtype: npt.DTypeLike) -> NDArray:
    """Convert labels to targets: one at the class of the sample, zero elsewhere.

    Parameters
    ----------
    labels : (N,) array of integers     classes, 0 .. n_classes - 1
    n_classes : int                     the number of classes K
    dtype : dtype                       of the targets

    Returns
    -------
    targets : (N, K) array

    Raises
    ------
    InputError                          if the labels are not integers, not one per sample or out of range
    """
    check_labels("one_hot", labels, n_classes)
    targets = np.zeros((len(labels), n_classes), dtype)
    targets[np.arange(len(labels)), labels] = 1
    return targets
