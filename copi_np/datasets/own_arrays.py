"""Turn a user's arrays into rows of numbers and numbered classes, and draw a share of every class."""

from __future__ import annotations

from typing import Any

import numpy as np

from copi_np.arrays import NDArray
from copi_np.errors import InputError, brief, shown


def as_rows(where: str, X: Any) -> tuple[NDArray, tuple[int, ...] | None]:
    """Return inputs as uint8 or floating-point rows, and the shape of one sample if it has more than one axis."""
    if np.ma.is_masked(X):
        raise InputError(f"{where}: some inputs are masked: fill them in, or leave those samples out")
    try:
        rows = np.asarray(X)
        if rows.dtype.kind in "biuO" and rows.dtype != np.uint8:
            rows = rows.astype(np.float64)
    except (TypeError, ValueError) as error:
        what = f"inputs are not a table of numbers ({brief(error)})"
        raise InputError(
            f"{where}: {what}: encode text as numbers, and give every sample the same number of them"
        ) from None
    shape = rows.shape[1:] if rows.ndim > 2 else None
    return rows.reshape(len(rows), -1) if shape and rows.size else rows, shape


def number_classes(where: str, labels: Any) -> tuple[NDArray, tuple[str, ...] | None]:
    """Number the classes 0 .. K - 1, in the order of the sorted labels.

    Parameters
    ----------
    where : str                     starts each message
    labels : (N,) array-like        text, integers or booleans

    Returns
    -------
    numbers : (N,) array of int64
    class_names : tuple of str or None
                                    the labels by number, as text; None if the labels are 0 .. K - 1 already

    Raises
    ------
    InputError                      if the labels are of another kind, some are missing, or there is not one per sample
    """
    given = np.asarray(labels) if hasattr(labels, "dtype") else np.array(labels, object)
    if np.ma.is_masked(labels):
        raise InputError(f"{where}: some labels are masked: leave those samples out")
    if given.ndim != 1:
        raise InputError(f"{where}: labels of shape {given.shape}: give one label per sample, as (samples,)")
    if given.dtype.kind == "O":
        given = _of_one_kind(where, given)
    if given.dtype.kind not in "biuU":
        raise not_classes(where, given)
    classes, numbers = np.unique(given, return_inverse=True)
    is_numbered = given.dtype.kind in "iu" and np.array_equal(classes, np.arange(len(classes)))
    return numbers.astype(np.int64), None if is_numbered else tuple(str(each) for each in classes)


def _of_one_kind(where: str, labels: NDArray) -> NDArray:
    """Return Python objects, such as a pandas column of text, as an array of text, of integers or of floats."""
    for kinds in (str, (bool, np.bool_), (int, np.integer), (int, float, np.number)):
        if all(isinstance(label, kinds) for label in labels):
            return np.array(labels.tolist())
    odd = [label for label in labels if not isinstance(label, (str, int, np.integer))]
    what = shown(odd[0]) if odd else "both text and numbers"
    raise InputError(f"{where}: labels hold {what}: give all of them as text, or all as integers")


def not_classes(where: str, labels: NDArray) -> InputError:
    """Return the error for labels that are not integers, with the advice that most likely helps."""
    advice = "give integer class numbers"
    if labels.dtype.kind in "US":
        advice = "number the classes, or give text to Dataset.from_arrays"
    elif labels.dtype.kind == "f":
        advice = (
            "classes must be integers, labels.astype(int); to predict numbers, use copi_np.estimators.COPIRegressor"
        )
    return InputError(f"{where}: {labels.dtype} labels: {advice}")


def share_of_every_class(labels: NDArray, fraction: float, rng: np.random.Generator, name: str) -> NDArray:
    """Draw the same share of every class, rounded: a stratified sample.

    Parameters
    ----------
    labels : (N,) array of integers
    fraction : float                between 0 and 1
    rng : numpy.random.Generator
    name : str                      of the data set, for messages

    Returns
    -------
    drawn : (N,) array of bool

    Raises
    ------
    InputError                      if the fraction takes no sample at all, or a whole class
    """
    order = rng.permutation(len(labels))
    drawn = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        n_drawn = round(fraction * len(members))
        if n_drawn == len(members):
            raise InputError(f"holding out {fraction} of {name!r} leaves no sample of class {label}: lower it")
        drawn[members[:n_drawn]] = True
    if not drawn.any():
        raise InputError(f"{fraction} of each class of {name!r} is less than one sample: raise it")
    return drawn
