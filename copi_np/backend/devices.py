"""NumPy or CuPy: the boundary between host and device. You need not read this file to understand COPI.

The mathematics is written in ``xp``, the array API namespace of its arguments. A `Backend` adds only what that standard
lacks: moving arrays between host and device, waiting for the device, and one fused product.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
from numpy.typing import ArrayLike

from copi_np.arrays import OTHER_MEANING, Array, NDArray, check_plain
from copi_np.backend.blas import gemm
from copi_np.backend.free_memory import free_main_memory
from copi_np.errors import BackendError, InputError, brief

DTYPES = ("float32", "float64")


class Backend:
    """An array library and one of its devices; works with any library that follows the array API standard.

    Parameters
    ----------
    name : str          for messages and records
    xp : namespace      the array API namespace
    device : object     where arrays live; None for the library's default
    """

    is_host: bool = False
    """Whether values can be read without waiting for a device."""

    def __init__(self, name: str, xp: Any, device: Any = None) -> None:
        self.name = name
        self.xp = xp
        self.device = device

    def asarray(self, values: ArrayLike, dtype: str | None = None, *, copy: bool = True) -> Array:
        """Copy host `values` to an array on the device, in `dtype` (default: that of `values`).

        With ``copy=False`` a host array may be used without copying, for arrays that nothing else will change. Values
        that are not numbers, such as text and missing values, and masked arrays raise an `InputError`.
        """
        if isinstance(values, np.ma.MaskedArray):  # a matrix loses nothing
            check_plain("values", values)
        try:
            values = np.asarray(values, dtype=dtype)
        except (TypeError, ValueError) as error:
            raise InputError(f"cannot convert the values to {dtype} ({brief(error)}): give numbers") from None
        dtype_there = getattr(self.xp, values.dtype.name, None)
        if dtype_there is None:
            raise InputError(f"an array cannot hold values of dtype {values.dtype}: convert them to numbers first")
        return self.xp.asarray(values, dtype=dtype_there, device=self.device, copy=True if copy else None)

    def to_host(self, array: Array) -> NDArray:
        """Copy an array from the device to a NumPy array."""
        return np.array(array)

    def owns(self, array: Array) -> bool:
        """Return whether `array` belongs to this backend's library and device."""
        return type(array) is type(self.xp.empty(0)) and (self.device is None or array.device == self.device)

    def scalar(self, array: Array) -> float:
        """Return the value of a zero-dimensional array; waits for the device."""
        return float(array)

    def synchronize(self) -> None:
        """Wait until the device has finished all queued work."""

    def seconds(self, function: Callable[[], object], repeats: int = 1) -> float:
        """Time `repeats` calls of a function, including the work they queue on the device."""
        self.synchronize()
        start = time.perf_counter()
        for _ in range(repeats):
            function()
        self.synchronize()
        return time.perf_counter() - start

    def matmul_add(self, out: Array, A: Array, B: Array, alpha: float) -> None:
        """Add ``alpha * A @ B`` to `out`, in place."""
        # scaling A saves a pass over the larger product
        out += (alpha * A) @ B

    def free_memory(self) -> int | None:
        """Return how many bytes are free where arrays live, or None if that is unknown."""
        return None

    def describe(self) -> str:
        """Name the device, for records."""
        return str(self.device)

    def __deepcopy__(self, memo: dict[int, Any]) -> Backend:
        return self  # a backend has no state, so a copied network shares it

    def __getstate__(self) -> dict[str, str]:
        return {"name": self.name}  # modules cannot be pickled

    def __setstate__(self, state: dict[str, str]) -> None:
        same: Any = type(self)
        self.__dict__.update(vars(same()))

    def __repr__(self) -> str:
        return f"<Backend {self.name}: {self.describe()}>"


class NumPyBackend(Backend):
    """NumPy on the CPU."""

    is_host = True

    def __init__(self) -> None:
        from array_api_compat import numpy as array_api_numpy  # imports half of NumPy, so only when needed

        super().__init__("numpy", array_api_numpy)

    def owns(self, array: Array) -> bool:
        """Return whether `array` is a NumPy array, not masked and not a matrix."""
        return isinstance(array, np.ndarray) and not isinstance(array, OTHER_MEANING)

    def matmul_add(self, out: Array, A: Array, B: Array, alpha: float) -> None:
        """Add ``alpha * A @ B`` to `out`, in place; inside the product, if NumPy's BLAS can be called directly."""
        product = gemm(out.dtype.name) if out.flags.c_contiguous and A.dtype == B.dtype == out.dtype else None
        if product is None:
            super().matmul_add(out, A, B, alpha)
        else:
            product(out, A, B, alpha)

    def free_memory(self) -> int | None:
        """Return how many bytes of main memory are free, or None if that is unknown."""
        return free_main_memory()

    def describe(self) -> str:
        """Name the device: "cpu"."""
        return "cpu"


class CuPyBackend(Backend):
    """CuPy on the current CUDA device.

    Raises
    ------
    BackendError
        if CuPy or a GPU is missing or does not work; the message says which
    """

    def __init__(self) -> None:
        reason = why_no_gpu()
        if reason:
            raise BackendError(f"backend 'cupy' does not work here: {reason}")
        import cupy
        from array_api_compat import cupy as array_api_cupy
        from cupy import cublas

        super().__init__("cupy", array_api_cupy, cupy.cuda.Device())
        self._cupy = cupy
        self._cublas = cublas

    def to_host(self, array: Array) -> NDArray:
        """Copy an array from the device to a NumPy array; waits for the device."""
        return cast("NDArray", self._cupy.asnumpy(array))

    def owns(self, array: Array) -> bool:
        """Return whether `array` is a CuPy array on this device."""
        return isinstance(array, self._cupy.ndarray) and array.device == self.device

    def synchronize(self) -> None:
        """Wait until the current stream has finished."""
        self._cupy.cuda.get_current_stream().synchronize()

    def seconds(self, function: Callable[[], object], repeats: int = 1) -> float:
        """Time calls as `Backend.seconds` does, but on the device, between two events on the current stream."""
        start, end = self._cupy.cuda.Event(), self._cupy.cuda.Event()
        start.record()
        for _ in range(repeats):
            function()
        end.record()
        end.synchronize()
        return float(self._cupy.cuda.get_elapsed_time(start, end)) / 1e3

    def matmul_add(self, out: Array, A: Array, B: Array, alpha: float) -> None:
        """Add ``alpha * A @ B`` to `out`, in place; cuBLAS adds inside the product."""
        self._cublas.gemm("N", "N", A, B, out=out, alpha=alpha, beta=1.0)

    def free_memory(self) -> int | None:
        """Return how many bytes of the GPU are free, including those that CuPy's pool holds unused."""
        pool = self._cupy.get_default_memory_pool()
        return int(self._cupy.cuda.runtime.memGetInfo()[0]) + int(pool.free_bytes())

    def describe(self) -> str:
        """Name the GPU."""
        properties = self._cupy.cuda.runtime.getDeviceProperties(self.device.id)
        return str(properties["name"].decode())


INSTALL_CUPY: Final = "pip install 'cupy-cuda12x[ctk]' (CUDA 12) or 'cupy-cuda13x[ctk]' (CUDA 13)"


def why_no_gpu() -> str | None:
    """Return one line that says why CuPy cannot be used here, or None if it can.

    The device is tested with a small product, since ``import cupy`` succeeds on a machine without a GPU.
    """
    try:
        import cupy
    except ImportError as error:
        return f"CuPy cannot be imported ({error}); install it with {INSTALL_CUPY}"
    try:
        if cupy.cuda.runtime.getDeviceCount() < 1:
            return "CuPy finds no CUDA device; check the GPU and its driver with nvidia-smi"
        one = cupy.ones((2, 2), dtype=cupy.float32)
        float((one @ one).sum())
    # a missing driver, library or kernel compiler raises one of many exception types
    except Exception as error:
        first_line = (str(error).splitlines() or [""])[0]
        return (
            f"CuPy is installed but its GPU does not work ({type(error).__name__}: {first_line}); "
            f"check the driver with nvidia-smi, and the CUDA libraries: {INSTALL_CUPY}"
        )
    return None
