"""Check single arguments; every failure is a one-line `InputError`."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from copi_np.arrays import check_plain
from copi_np.backend import Backend
from copi_np.errors import InputError, list_names, shown

MAX_UNITS: Final = 1_000_000
"""Most units that a layer may have; its lateral weights would take 4 TB."""
MAX_COUNT: Final = 2**128 - 1
"""Largest count or seed: seeds have up to 128 bits, and every integer up to this fits into a float."""


def check_count(name: str, value: Any, minimum: int = 1) -> int:
    """Return an integer from `minimum` to `MAX_COUNT` as a Python int, or raise an InputError.

    NumPy's integers cannot be written as JSON.
    """
    if not _is_integer(value):
        raise InputError(f"{name} must be an integer, got {shown(value)}")
    if value < minimum:
        raise InputError(f"{name} must be at least {minimum}, got {shown(value)}")
    if value > MAX_COUNT:
        raise InputError(f"{name} must be at most 2**128 - 1, got {shown(value)}")
    return int(value)


def check_rate(name: str, value: Any) -> float:
    """Return a finite number, at least 0, as a Python float, or raise an InputError.

    A NumPy scalar would turn the float32 arrays that it multiplies into float64.
    """
    is_number = isinstance(value, (int, float, np.integer, np.floating)) and 0 <= value < math.inf
    if not is_number or (isinstance(value, int) and value > sys.float_info.max):
        raise InputError(f"{name} must be a finite number, at least 0, got {shown(value)}")
    return float(value)


def with_both_rates(rates: Mapping[str, Any]) -> dict[str, Any]:
    """Return step sizes by name, with eta replaced by eta_W and eta_R, and first_eta by first_eta_W and first_eta_R.

    Raises
    ------
    InputError      if a rate is given twice, or eta or first_eta is not a finite number, at least 0
    """
    expanded = dict(rates)
    for eta in ("eta", "first_eta"):
        if eta in expanded:
            both = (f"{eta}_W", f"{eta}_R")
            if twice := [name for name in both if name in rates]:
                raise InputError(f"{eta} sets both {both[0]} and {both[1]}: leave out {eta}, or {list_names(twice)}")
            check_rate(eta, rates[eta])
            expanded |= dict.fromkeys(both, expanded.pop(eta))
    return expanded


def check_fraction(name: str, value: Any) -> float:
    """Return a number between 0 and 1 as a Python float, or raise an InputError."""
    if not isinstance(value, (int, float, np.integer, np.floating)) or not 0 < value < 1:
        raise InputError(f"{name} must be between 0 and 1, e.g. 0.1, got {shown(value)}")
    return float(value)


def check_flag(name: str, value: Any) -> bool:
    """Return True or False as a Python bool, or raise an InputError; 0, 1 and text are refused."""
    if not isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def check_sizes(name: str, values: Any) -> tuple[int, ...]:
    """Return layer sizes as a tuple, or raise an InputError unless they are two or more positive integers."""
    sizes = list(values) if isinstance(values, Iterable) else []
    if len(sizes) < 2 or not all(_is_integer(size) and 1 <= size <= MAX_UNITS for size in sizes):
        raise bad_sizes(name, values)
    return tuple(int(size) for size in sizes)


def bad_sizes(name: str, values: Any) -> InputError:
    """Build the InputError for invalid layer sizes."""
    return InputError(
        f"{name} must be two or more positive integers such as 784,500,10 (at most {MAX_UNITS}), got {shown(values)}"
    )


def _is_integer(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def check_rng(rng: Any) -> None:
    """Raise an InputError unless `rng` is a NumPy generator; seeds and the global generator are refused."""
    if not isinstance(rng, np.random.Generator):
        raise InputError(f"rng must be a numpy.random.Generator, e.g. np.random.default_rng(0), got {shown(rng)}")


def check_batch(backend: Backend, dtype: str, what: str, array: Any, n_columns: int, n_rows: int | None = None) -> None:
    """Raise an InputError unless an array is a batch (n_rows, n_columns) of this backend and dtype.

    On the host, NaN and infinite values are refused too; on a device, reading values would wait for it.
    """
    check_kind(backend, dtype, what, array)
    if array.ndim != 2 or array.shape[1] != n_columns or array.shape[0] != (n_rows or array.shape[0]):
        need = f"({n_rows or 'B'}, {n_columns})"
        raise InputError(f"{what} must have shape {need} for this network, got {tuple(array.shape)}")
    if array.shape[0] == 0:
        raise InputError(f"{what} are empty: a batch needs at least one sample")
    if backend.is_host and not np.isfinite(array).all():
        raise InputError(f"{what} hold NaN or infinite values: clean the data first")


def check_sample_weight(backend: Backend, dtype: str, sample_weight: Any, n_samples: int) -> None:
    """Raise an InputError unless there is one weight per sample, 0 or more; values are checked on the host only."""
    check_kind(backend, dtype, "sample_weight", sample_weight)
    if tuple(sample_weight.shape) != (n_samples,):
        raise InputError(f"sample_weight must have shape ({n_samples},), got {tuple(sample_weight.shape)}")
    if backend.is_host and not (np.isfinite(sample_weight) & (sample_weight >= 0)).all():
        raise InputError("sample_weight holds negative, NaN or infinite values: give each sample 0 or more")


def check_kind(backend: Backend, dtype: str, what: str, array: Any) -> None:
    """Raise an InputError unless an array is of this backend and dtype."""
    check_plain(what, array)
    if not backend.owns(array):
        raise InputError(
            f"{what} must be an array of backend {backend.name!r}, got {type(array).__name__}: "
            f"convert with network.backend.asarray({what}, {dtype!r})"
        )
    if array.dtype != getattr(backend.xp, dtype):
        raise InputError(f"{what} must be {dtype} like the weights, got {array.dtype}: convert them first")


def check_list(what: str, values: Any, length: int) -> None:
    """Raise an InputError unless what a function returned is a list with one item per layer."""
    if not isinstance(values, (list, tuple)) or len(values) != length:
        got = len(values) if isinstance(values, (list, tuple)) else shown(values)
        raise InputError(f"{what} must return a list of {length}, one per layer: got {got}")
