"""Checks of single arguments, shared by all that take them; each failure is an `InputError` of one line."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from copi_np.errors import InputError, shown

MAX_UNITS: Final = 1_000_000
"""Units of a layer; lateral weights between so many would take 4 TB."""
MAX_COUNT: Final = 2**128 - 1
"""As much as the seed of a generator takes; and every integer up to it has a float."""


def check_count(name: str, value: Any, minimum: int = 1) -> int:
    """An integer, at least `minimum` and at most `MAX_COUNT`, as a Python int, or an InputError.

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
    """A finite number, at least 0, as a Python float, or an InputError.

    A NumPy scalar would make float64 of the float32 arrays that it multiplies.
    """
    is_number = isinstance(value, (int, float, np.integer, np.floating)) and 0 <= value < math.inf
    if not is_number or (isinstance(value, int) and value > sys.float_info.max):
        raise InputError(f"{name} must be a finite number, at least 0, got {shown(value)}")
    return float(value)


def check_fraction(name: str, value: Any) -> float:
    """A number between 0 and 1, as a Python float, or an InputError."""
    if not isinstance(value, (int, float, np.integer, np.floating)) or not 0 < value < 1:
        raise InputError(f"{name} must be between 0 and 1, e.g. 0.1, got {shown(value)}")
    return float(value)


def check_sizes(name: str, values: Any) -> tuple[int, ...]:
    """Numbers of units as a tuple, or an InputError unless they are two or more positive integers."""
    sizes = list(values) if isinstance(values, Iterable) else []
    if len(sizes) < 2 or not all(_is_integer(size) and 1 <= size <= MAX_UNITS for size in sizes):
        raise bad_sizes(name, values)
    return tuple(int(size) for size in sizes)


def bad_sizes(name: str, values: Any) -> InputError:
    """The error for numbers of units that are none."""
    return InputError(
        f"{name} must be two or more positive integers such as 784,500,10 (at most {MAX_UNITS}), got {shown(values)}"
    )


def _is_integer(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def check_rng(rng: Any) -> None:
    """Raise an InputError unless `rng` is a generator of NumPy's; seeds and the global one are refused."""
    if not isinstance(rng, np.random.Generator):
        raise InputError(f"rng must be a numpy.random.Generator, e.g. np.random.default_rng(0), got {shown(rng)}")
