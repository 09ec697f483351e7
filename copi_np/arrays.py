"""What every array function begins with: the library of its arguments, once they fit together."""

from __future__ import annotations

from typing import Any, TypeAlias

from array_api_compat import array_namespace, device

from copi_np.errors import InputError

Array: TypeAlias = Any
"""An array of any library that follows the Python array API standard: NumPy, CuPy, .."""


def common_namespace(axes: str, *arrays: Array) -> Any:
    """The array library of `arrays`, once they share library, device, dtype and fitting shapes.

    ``xp = common_namespace("OI BI BO", W, x, z)`` reads: W is (O, I), x is (B, I) and z is (B, O),
    where the same letter stands for the same length.

    Parameters
    ----------
    axes : str
        one word per array, one letter per axis
    *arrays : arrays
        the arrays, in the order of the words

    Returns
    -------
    xp : namespace
        the array API namespace in which to compute

    Raises
    ------
    InputError
        if the arrays belong to different libraries or devices, mix dtypes, are empty, or do not fit
    """
    try:
        # array_namespace passes over Python numbers and None
        if not all(hasattr(array, "dtype") for array in arrays):
            raise TypeError("not an array")
        xp = array_namespace(*arrays)
    except TypeError as error:
        kinds = ", ".join(f"{type(array).__module__}.{type(array).__name__}" for array in arrays)
        raise InputError(f"need arrays of one library, got {kinds}: convert them with one backend's asarray") from error
    first = arrays[0]
    for array in arrays[1:]:
        if array.dtype != first.dtype:
            raise InputError(f"mixed dtypes {first.dtype} and {array.dtype}: convert one of the arrays")
    # inside jax.jit, grad and vmap an array has no device yet
    devices = [where for array in arrays if (where := device(array)) is not None]
    for other in devices[1:]:
        if other != devices[0]:
            raise InputError(f"mixed devices {devices[0]} and {other}: move one of the arrays")
    if any(0 in array.shape for array in arrays):
        shapes = " ".join(str(tuple(array.shape)) for array in arrays)
        raise InputError(f"an array is empty, shapes {shapes}: give at least one sample, input and output")
    lengths: dict[str, int] = {}
    for word, array in zip(axes.split(), arrays, strict=True):
        fits = array.ndim == len(word) and all(
            lengths.setdefault(letter, length) == length for letter, length in zip(word, array.shape, strict=True)
        )
        if not fits:
            shapes = " ".join(str(tuple(array.shape)) for array in arrays)
            raise InputError(f"shapes {shapes} do not fit {axes!r} (the same letter is the same length)")
    return xp


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


def weigh(rows: Array, sample_weight: Array | None) -> Array:
    """Rows times the square roots of their samples' weights.

    Of rows u and v that are both weighed, ``mean_outer(u, v)`` is the weighted mean <w u v^T>. Every update is made of
    such products, and so need not know of weights.

    Parameters
    ----------
    rows : (B, N) array or None             nothing stays nothing
    sample_weight : (B,) array or None      how many times each sample counts in a mean over the batch, which is divided
                                            by B all the same; None: once

    Returns
    -------
    (B, N) array or None
    """
    if rows is None or sample_weight is None:
        return rows
    xp = common_namespace("BN B", rows, sample_weight)
    return rows * xp.sqrt(sample_weight)[:, None]
