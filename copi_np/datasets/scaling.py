"""Turn inputs into floating point, and scale them to about unit size by what is measured on training samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from copi_np.arrays import NDArray, check_plain, slices
from copi_np.errors import InputError, unknown

SCALINGS: Final = ("none", "standardize", "unit")
"""How inputs can be scaled: see `Scaling.measured_on`; "none" leaves them as they are."""
CHUNK: Final = 4096
"""Samples that are converted to float64 at a time."""
CONSTANT: Final = 1e-12
"""A feature counts as constant if its deviation is smaller than this share of its mean: it is rounding error."""


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


@dataclass(frozen=True, eq=False)
class Scaling:
    """A scaling of inputs: ``(inputs - shift) / scale``, for each feature.

    Parameters
    ----------
    shift, scale : (I,) arrays of float64   in the units of the inputs, with uint8 pixels as 0 to 1

    Raises
    ------
    InputError                              if they are not finite, or a scale is not positive
    """

    shift: NDArray
    scale: NDArray

    def __post_init__(self) -> None:
        """Refuse what would give inputs that are not finite."""
        if not (np.isfinite(self.shift).all() and np.isfinite(self.scale).all() and (self.scale > 0).all()):
            raise InputError("a scaling needs finite shifts and positive scales: clean the data first")

    @classmethod
    def measured_on(cls, inputs: NDArray, how: str) -> Scaling:
        """Measure the scaling of training samples.

        Parameters
        ----------
        inputs : (N, I) array       as in a `Split`
        how : {"standardize", "unit"}
                                    "standardize": zero mean and unit variance for each feature; constant features
                                    become 0. "unit": divide all features by the largest absolute value
        """
        chunks = [inputs[rows] for rows in slices(len(inputs), CHUNK)]
        n_features = inputs.shape[1]
        if how == "unit":
            largest = max(float(np.abs(as_float(chunk, np.float64)).max()) for chunk in chunks)
            return cls(np.zeros(n_features), np.full(n_features, largest or 1.0))
        if how != "standardize":
            raise unknown("scaling", how, SCALINGS[1:])
        with np.errstate(over="ignore", invalid="ignore"):  # values that are too large are refused
            mean = sum(as_float(chunk, np.float64).sum(axis=0) for chunk in chunks) / len(inputs)
            square = sum(((as_float(chunk, np.float64) - mean) ** 2).sum(axis=0) for chunk in chunks) / len(inputs)
            deviation = np.sqrt(square)
            return cls(mean, np.where(deviation > CONSTANT * np.abs(mean), deviation, 1.0))

    def apply(self, inputs: NDArray) -> NDArray:
        """Return scaled inputs (N, I): in float64 if the inputs are, otherwise in float32."""
        scaled = np.empty(inputs.shape, np.float64 if inputs.dtype == np.float64 else np.float32)
        with np.errstate(over="ignore"):  # what is too large for the dtype is refused as infinite
            for rows in slices(len(inputs), CHUNK):
                scaled[rows] = (as_float(inputs[rows], np.float64) - self.shift) / self.scale
        return scaled
