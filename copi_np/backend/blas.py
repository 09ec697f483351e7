"""NumPy's own BLAS, called directly for what NumPy does not offer: a product that is added in place (beta = 1).

SciPy offers it too, but brings a BLAS of its own, whose waiting threads fight with those of NumPy's. Where NumPy's
cannot be found, or computes something else than expected, there is no such product, and NumPy's own operators do.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

NDArray = npt.NDArray[Any]
Gemm = Callable[[NDArray, NDArray, NDArray, float], None]

ROW_MAJOR: Final = 101
NO_TRANSPOSE: Final = 111
TRANSPOSE: Final = 112
LETTERS: Final = {"float32": ("s", ctypes.c_float), "float64": ("d", ctypes.c_double)}
NAMES: Final = (("scipy_cblas_{}gemm64_", ctypes.c_int64), ("cblas_{}gemm64_", ctypes.c_int64))
"""Names of the product in the OpenBLAS of NumPy's wheels, and the type of its integers."""


@cache
def gemm(dtype: str) -> Gemm | None:
    """The product ``out += alpha * A @ B`` of this dtype, or None where NumPy's BLAS does not show one.

    Parameters
    ----------
    dtype : {"float32", "float64"}

    Returns
    -------
    gemm : callable or None
        takes out (M, N), contiguous; A (M, K) and B (K, N), contiguous or transposed; and alpha
    """
    letter, real = LETTERS[dtype]
    for library in _libraries():
        for name, integer in NAMES:
            function = getattr(library, name.format(letter), None)
            if function is not None:
                product = _wrapped(function, real, integer)
                return product if _is_right(product, dtype) else None
    return None


def _libraries() -> list[Any]:
    """The OpenBLAS that NumPy has loaded: of all in this process, the one that lies beside it."""
    from threadpoolctl import ThreadpoolController

    controllers = ThreadpoolController().select(internal_api="openblas").lib_controllers
    return [controller.dynlib for controller in controllers if "numpy" in controller.filepath.lower()]


def _wrapped(function: Any, real: Any, integer: Any) -> Gemm:
    """The product with NumPy arrays for arguments."""
    kind, pointer = ctypes.c_int, ctypes.c_void_p
    function.restype = None
    function.argtypes = [
        *(kind, kind, kind, integer, integer, integer),
        *(real, pointer, integer, pointer, integer, real, pointer, integer),
    ]

    def product(out: NDArray, A: NDArray, B: NDArray, alpha: float) -> None:
        (m, n), k = out.shape, A.shape[1]
        if not (out.flags.c_contiguous and A.dtype == B.dtype == out.dtype):
            raise ValueError("out must be contiguous, and all three of one dtype")
        (A, order_A, stride_A), (B, order_B, stride_B) = _laid_out(A), _laid_out(B)
        function(
            *(ROW_MAJOR, order_A, order_B, m, n, k),
            *(alpha, A.ctypes.data, stride_A, B.ctypes.data, stride_B, 1.0, out.ctypes.data, n),
        )

    return product


def _laid_out(A: NDArray) -> tuple[NDArray, int, int]:
    """The matrix as BLAS can read it, copied if need be; whether it is transposed; and the length of a stored row."""
    if A.flags.c_contiguous:
        return A, NO_TRANSPOSE, max(A.shape[1], 1)
    if A.flags.f_contiguous:
        return A, TRANSPOSE, max(A.shape[0], 1)
    return np.ascontiguousarray(A), NO_TRANSPOSE, max(A.shape[1], 1)


def _is_right(product: Gemm, dtype: str) -> bool:
    """Whether a small product comes out as NumPy has it, for each way that matrices may lie."""
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(3, 5)).astype(dtype), rng.normal(size=(5, 2)).astype(dtype)
    for left in (A, np.asfortranarray(A)):
        for right in (B, np.asfortranarray(B)):
            out = np.ones((3, 2), dtype)
            product(out, left, right, -0.5)
            if not np.allclose(out, 1 - 0.5 * A @ B, rtol=1e-4, atol=1e-5):
                return False
    return True
