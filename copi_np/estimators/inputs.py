"""Check what estimators are given, and return it as NumPy arrays: X, y and sample weights."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from array_api_compat import is_array_api_obj, is_numpy_array
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import validate_data

from copi_np.arrays import NDArray
from copi_np.datasets.scaling import Scaling
from copi_np.errors import InputError

FLOATS: Final = (np.float64, np.float32)
"""The dtypes X may have; any other is converted to the first."""


def validated(estimator: BaseEstimator, X: Any, *y: Any, **options: Any) -> Any:
    """Return X, or X and y, as NumPy arrays, X in floating point, after `sklearn.utils.validation.validate_data`.

    Raises
    ------
    InputError      for masked and missing values, and for arrays of another library, which scikit-learn does not
                    convert under array API dispatch
    ValueError      from scikit-learn, for anything else
    """
    for name, values in zip("Xy", (X, *y), strict=False):
        check_complete(name, values)
    if get_config()["array_api_dispatch"]:
        for array in (X, *y):
            if is_array_api_obj(array) and not is_numpy_array(array):
                kind = f"{type(array).__module__}.{type(array).__name__}"
                raise InputError(f"cannot learn from {kind}: only NumPy's arrays are allowed, use numpy.asarray")
    return validate_data(estimator, X, *y, **{"dtype": FLOATS, **options})


def check_complete(what: str, values: Any) -> None:
    """Raise an InputError if values are masked or missing; scikit-learn drops masks, and cannot handle pandas' NA.

    Parameters
    ----------
    what : str              what a message calls the values
    values : array-like     an array, a frame, a series, or a list of numbers or rows
    """
    parts = list(values) if isinstance(values, (list, tuple)) else []
    if isinstance(values, np.ndarray) and values.dtype == object:
        parts = values.ravel().tolist()
    is_masked = any(map(np.ma.is_masked, [values, *parts]))
    is_missing = any(part is None or type(part).__name__ == "NAType" for part in parts)
    if is_masked or is_missing or (hasattr(values, "isna") and np.any(values.isna())):
        kind = "masked" if is_masked else "missing"
        raise InputError(f"{what} holds {kind} values: drop their samples, or fill them in")


def scaling(scaler: StandardScaler | None) -> Scaling | None:
    """Return the scaling of a fitted scaler, or None without one."""
    return None if scaler is None else Scaling(scaler.mean_, scaler.scale_)


class Samples(NamedTuple):
    """Training samples: inputs X (N, I), y (N,) or (N, K), and weights (N,), or None if all count the same."""

    X: NDArray
    y: NDArray
    weights: NDArray | None

    def take(self, rows: NDArray) -> Samples:
        """Select samples by index."""
        return Samples(self.X[rows], self.y[rows], None if self.weights is None else self.weights[rows])
