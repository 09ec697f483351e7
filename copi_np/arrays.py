"""Helpers of every array function: find the library of the arguments, check that they fit together, weigh samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace, device

from copi_np.errors import InputError

Array: TypeAlias = Any
"""An array of any library that follows the Python array API standard: NumPy, CuPy, PyTorch, JAX, .."""
NDArray: TypeAlias = npt.NDArray[Any]
"""An array on the host."""
OTHER_MEANING: Final = (np.ma.MaskedArray, np.matrix)
"""Subclasses of NumPy's arrays for which the same formulas mean something else."""


def common_namespace(axes: str, *arrays: Array) -> Any:
    """Return the array library of `arrays`, once they share library, device and dtype, and their shapes fit.

    ``xp = common_namespace("OI BI BO", W, x, z)`` reads: W is (O, I), x is (B, I) and z is (B, O),
    where the same letter means the same length.

    Parameters
    ----------
    axes : str          one word per array, one letter per axis
    *arrays : arrays    in the order of the words

    Returns
    -------
    xp : namespace      the array API namespace in which to compute

    Raises
    ------
    InputError          if the arrays belong to different libraries or devices, mix dtypes, are empty, or do not fit; or
                        if one is a masked array or a matrix
    """
    if all(type(array) is np.ndarray for array in arrays):
        _check_numpy(axes, tuple([(array.dtype, array.shape) for array in arrays]))
        return _numpy_namespace()
    for array in arrays:
        check_plain("an argument", array)
    try:
        # array_namespace ignores Python numbers and None
        if not all(hasattr(array, "dtype") for array in arrays):
            raise TypeError("not an array")
        xp = array_namespace(*arrays)
    except TypeError:
        kinds = ", ".join(f"{type(array).__module__}.{type(array).__name__}" for array in arrays)
        raise InputError(f"need arrays of one library, got {kinds}: convert them with one backend's asarray") from None
    _check_dtypes([array.dtype for array in arrays])
    # inside jax.jit, grad and vmap an array has no device yet
    devices = [where for array in arrays if (where := device(array)) is not None]
    for other in devices[1:]:
        if other != devices[0]:
            raise InputError(f"mixed devices {devices[0]} and {other}: move one of the arrays")
    _check_shapes(axes, [tuple(array.shape) for array in arrays])
    return xp


@lru_cache(maxsize=1)
def _numpy_namespace() -> Any:
    """Return NumPy's array API namespace; imported at its first use, since it imports half of NumPy."""
    return array_namespace(np.empty(0))


@lru_cache(maxsize=1000)
def _check_numpy(axes: str, arrays: tuple[tuple[np.dtype[Any], tuple[int, ...]], ...]) -> None:
    """Check dtypes and shapes of NumPy arrays, once: a network passes the same few at every step."""
    _check_dtypes([dtype for dtype, _ in arrays])
    _check_shapes(axes, [shape for _, shape in arrays])


def _check_dtypes(dtypes: Sequence[Any]) -> None:
    """Raise an InputError unless all dtypes are the same."""
    for dtype in dtypes[1:]:
        if dtype != dtypes[0]:
            raise InputError(f"mixed dtypes {dtypes[0]} and {dtype}: convert one of the arrays")


def _check_shapes(axes: str, shapes: Sequence[tuple[int, ...]]) -> None:
    """Raise an InputError unless shapes have the axes that the letters name, none of them empty."""
    shown = " ".join(map(str, shapes))
    if any(0 in shape for shape in shapes):
        raise InputError(f"an array is empty, shapes {shown}: give at least one sample, input and output")
    lengths: dict[str, int] = {}
    for word, shape in zip(axes.split(), shapes, strict=True):
        fits = len(shape) == len(word) and all(
            lengths.setdefault(letter, length) == length for letter, length in zip(word, shape, strict=True)
        )
        if not fits:
            raise InputError(f"shapes {shown} do not fit {axes!r} (the same letter is the same length)")


def is_concrete(array: Array) -> bool:
    """Return whether the values of an array can be read, so that code may branch on them.

    They cannot while a function is traced: in `jax.jit`, `jax.vmap` and `torch.func.vmap`.
    """
    xp = array_namespace(array)
    try:
        bool(xp.any(array))
    except (TypeError, RuntimeError):  # raised by JAX and by PyTorch
        return False
    return True


def check_plain(what: str, array: Any) -> None:
    """Raise an InputError, whose message starts with `what`, for a masked array or a `numpy.matrix`."""
    if isinstance(array, np.ma.MaskedArray):
        advice = "drop masked samples, or use .filled(value)"
        raise InputError(f"{what} must not be a masked array, which would lose its mask: {advice}")
    if isinstance(array, np.matrix):
        raise InputError(
            f"{what} must not be a numpy.matrix, whose * is another product: convert it with numpy.asarray"
        )


def check_like(what: str, array: Array, like: Array) -> None:
    """Raise an InputError unless an array has the library, shape, dtype and device of another.

    Parameters
    ----------
    what : str          names the array in the message, such as "rule my_dW returned"
    array, like : arrays
    """
    if type(array) is type(like) is np.ndarray and array.shape == like.shape and array.dtype == like.dtype:
        return
    try:
        fits = array_namespace(array) is array_namespace(like) and not isinstance(array, (np.generic, *OTHER_MEANING))
    except TypeError:
        fits = False
    if not fits:
        kinds = [f"{type(each).__module__}.{type(each).__name__}" for each in (array, like)]
        raise InputError(f"{what} {kinds[0]}, where {kinds[1]} is needed")
    for name in ("shape", "dtype", "device"):
        found, needed = (device(each) if name == "device" else getattr(each, name) for each in (array, like))
        if name == "shape":
            found, needed = tuple(found), tuple(needed)  # shown as plain numbers, whatever the library
        if found != needed and not (name == "device" and None in (found, needed)):  # a tracer has no device
            raise InputError(f"{what} an array of {name} {found}, where {needed} is needed")


def read_only(value: Any) -> Any:
    """Return a view of a NumPy array that cannot be written to; anything else as it is."""
    if type(value) is not np.ndarray:
        return value
    view = value.view()
    view.flags.writeable = False
    return view


def safe_divisor(values: Array) -> Array:
    """Return non-negative values with 1 in place of 0, to divide by."""
    xp = array_namespace(values)
    return xp.where(values > 0, values, xp.ones_like(values))


def spectral_rounding(C: Array) -> float:
    """Return the rounding error of the eigenvalues of second moments C (I, I), as a share of the largest one.

    Computing the eigenvalues errs by up to I eps. The mean over the samples errs by more than one eps if rounding goes
    the same way for each of them, as for constant inputs: by 26 eps at most, if taken over blocks of 256.
    """
    return max(int(C.shape[0]), 64) * float(array_namespace(C).finfo(C.dtype).eps)


def first_rows(array: Array, n_rows: int) -> Array:
    """Return the first `n_rows` of an array (N, I), or all if it has fewer; a slice must not reach beyond the end."""
    return array[: min(n_rows, int(array.shape[0])), :]


def slices(n: int, size: int) -> Iterator[slice]:
    """Yield slices of `size`, the last one shorter if necessary, that cover ``range(n)`` in order."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def weigh(rows: Array, sample_weight: Array | None) -> Array:
    """Multiply rows by the square roots of their samples' weights.

    For rows u and v weighted like this, ``mean_outer(u, v)`` is the weighted mean <w u v^T>. An update made of such
    products need not know about weights. The paper has no weights: every sample counts once.

    Parameters
    ----------
    rows : (B, N) array or None             None is returned as it is
    sample_weight : (B,) array or None      how many times each sample counts in a mean over the batch, which is still
                                            divided by B; None: once

    Returns
    -------
    (B, N) array or None
    """
    if rows is None or sample_weight is None:
        return rows
    xp = common_namespace("BN B", rows, sample_weight)
    return rows * xp.sqrt(sample_weight)[:, None]
