"""The class `Dataset`: splits of inputs and labels that fit together, and how to turn them into a network's arrays."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from copi_np._checks import check_count, check_fraction, check_rng
from copi_np.arrays import NDArray, check_plain
from copi_np.datasets.own_arrays import as_rows, not_classes, number_classes, share_of_every_class
from copi_np.datasets.scaling import Scaling
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

    def take(self, rows: NDArray) -> Split:
        """Select samples by index, or by a mask."""
        return Split(self.inputs[rows], self.labels[rows])


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
    validation : Split or None  samples that are used neither to train nor to test, see `hold_out`
    class_names : tuple of str or None
                                names of the classes, by number; they do not count in the `fingerprint`
    scaling : Scaling or None   how the inputs were scaled, see `scaled`

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
    class_names: tuple[str, ...] | None = None
    scaling: Scaling | None = None

    @classmethod
    def from_arrays(
        cls, X: Any, y: Any, *, test: float = 0.2, rng: np.random.Generator, name: str = "own arrays"
    ) -> Dataset:
        """Make a data set from arrays, lists, or a pandas frame and column: number the classes, and draw a test split.

        The split is stratified: it takes the share `test` of every class, rounded. All samples keep their order. For a
        validation split, see `hold_out`.

        Parameters
        ----------
        X : (N, I) or (N, ..) array-like    uint8 pixels 0..255, or numbers in any unit. Samples of more than one axis,
                                            such as images, are flattened, and their shape is kept as `image_shape`
        y : (N,) array-like                 classes: text, integers or booleans. Unless they are 0 .. K - 1, they are
                                            numbered in sorted order, and `class_names` holds them as text
        test : float                        share of the samples to test on, between 0 and 1
        rng : numpy.random.Generator        chooses them
        name : str

        Returns
        -------
        data : Dataset

        Raises
        ------
        InputError                          if X are not finite numbers, y are not classes, their lengths differ, or the
                                            share takes no sample at all or a whole class
        """
        check_rng(rng)
        fraction = check_fraction("test", test)
        where = f"data set {name!r}"
        rows, image_shape = as_rows(where, X)
        check_inputs(where, rows)
        labels, class_names = number_classes(where, y)
        if len(rows) != len(labels):
            raise InputError(f"{where}: {len(rows)} inputs but {len(labels)} labels: give one label per input")
        drawn = share_of_every_class(labels, fraction, rng, name)
        train, tested = (Split(rows, labels).take(part) for part in (~drawn, drawn))
        return cls(name, train, tested, int(labels.max()) + 1, image_shape, class_names=class_names)

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
        self._check_names()

    def _check_names(self) -> None:
        """Raise an InputError unless there is one name per class, or none at all."""
        names = self.class_names
        if names is None:
            return
        if not isinstance(names, tuple) or not all(isinstance(each, str) for each in names):
            raise InputError(f"data set {self.name!r}: class_names must be a tuple of text, got {shown(names)}")
        if len(set(names)) != self.n_classes or len(names) != self.n_classes:
            raise InputError(
                f"data set {self.name!r}: {len(set(names))} different class_names for {self.n_classes} classes: "
                "give one per class"
            )

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

    def scaled(self, how: str | Scaling) -> Dataset:
        """Scale the inputs of all splits by what is measured on the training split alone.

        COPI's step sizes suit inputs of about unit size. `fit` keeps the scaling with the network, as
        ``network.scaling``, and `save_network` stores it.

        Parameters
        ----------
        how : {"standardize", "unit"} or Scaling
                        "standardize": zero mean and unit variance for each feature; "unit": divide all features by the
                        largest absolute value, so that 0 stays 0; or a scaling that was measured before

        Raises
        ------
        InputError      if there is no such scaling, the data are already scaled, or values are too large
        """
        if self.scaling is not None:
            raise InputError(f"data set {self.name!r} is already scaled: scale the original")
        scaling = how if isinstance(how, Scaling) else Scaling.measured_on(self.train.inputs, how)
        if len(scaling.shift) != self.n_inputs:
            raise InputError(
                f"the scaling is for {len(scaling.shift)} features, but data set {self.name!r} has {self.n_inputs}"
            )
        splits: dict[str, Any] = {
            name: split._replace(inputs=scaling.apply(split.inputs)) for name, split in self.splits.items()
        }
        return replace(self, **splits, scaling=scaling)

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
        raise not_classes(where, labels)
    if labels.size and not 0 <= labels.min() <= labels.max() < n_classes:
        n_found = len(np.unique(labels))
        advice = f", and give n_classes={n_found}" if n_found > n_classes else ""
        raise InputError(
            f"{where}: labels run from {labels.min()} to {labels.max()}: number the classes "
            f"0 .. {max(n_found, n_classes) - 1}{advice}"
        )


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
