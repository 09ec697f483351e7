"""Call NumPy's own BLAS directly for what NumPy does not offer: a product that is added in place (beta = 1).

SciPy offers it too, but brings a second BLAS, whose waiting threads compete with NumPy's. If NumPy's BLAS cannot be
found, or gives an unexpected result, NumPy's own operators are used instead.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np

from copi_np.arrays import NDArray

Gemm = Callable[[NDArray, NDArray, NDArray, float], None]

ROW_MAJOR: Final = 101
NO_TRANSPOSE: Final = 111
TRANSPOSE: Final = 112
REALS: Final = {"float32": ("s", "c_float"), "float64": ("d", "c_double")}
"""The prefix of BLAS and the type in ctypes for each dtype."""
NAMES: Final = ("scipy_cblas_{}gemm64_", "cblas_{}gemm64_")
"""Names of the function in the OpenBLAS of NumPy's wheels, which takes integers of 64 bits."""


@cache
def gemm(dtype: str) -> Gemm | None:
    """Return the function ``out += alpha * A @ B`` for this dtype, or None if NumPy's BLAS has no usable one.

    Parameters
    ----------
    dtype : {"float32", "float64"}

    Returns
    -------
    gemm : callable or None
        takes out (M, N), contiguous; A (M, K) and B (K, N), contiguous or transposed; and alpha
    """
    prefix, real = REALS[dtype]
    for library in _libraries():
        for name in NAMES:
            function = getattr(library, name.format(prefix), None)
            if function is not None:
                product = _with_arrays(function, real)
                return product if _is_correct(product, dtype) else None
    return None


def _libraries() -> list[Any]:
    """Return the OpenBLAS that NumPy has loaded: of all in this process, the one in NumPy's folder."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:  # it needs ctypes, which not every Python has
        return []
    controllers = ThreadpoolController().select(internal_api="openblas").lib_controllers
    return [controller.dynlib for controller in controllers if "numpy" in controller.filepath.lower()]


def _with_arrays(function: Any, real_name: str) -> Gemm:
    """Wrap the C function so that it takes NumPy arrays."""
    import ctypes

    real = getattr(ctypes, real_name)
    kind, integer, pointer = ctypes.c_int, ctypes.c_int64, ctypes.c_void_p
    function.restype = None
    function.argtypes = [
        *(kind, kind, kind, integer, integer, integer),
        *(real, pointer, integer, pointer, integer, real, pointer, integer),
    ]

    def product(out: NDArray, A: NDArray, B: NDArray, alpha: float) -> None:
        (m, n), k = out.shape, A.shape[1]
        if not (out.flags.c_contiguous and A.dtype == B.dtype == out.dtype):
            raise ValueError("out must be contiguous, and all three arrays must have one dtype")
        (A, order_A, stride_A), (B, order_B, stride_B) = _for_blas(A), _for_blas(B)
        function(
            *(ROW_MAJOR, order_A, order_B, m, n, k),
            *(alpha, A.ctypes.data, stride_A, B.ctypes.data, stride_B, 1.0, out.ctypes.data, n),
        )

    return product


def _for_blas(A: NDArray) -> tuple[NDArray, int, int]:
    """Return a matrix that BLAS can read, copied if necessary, whether it is transposed, and its row stride."""
    if A.flags.c_contiguous:
        return A, NO_TRANSPOSE, max(A.shape[1], 1)
    if A.flags.f_contiguous:
        return A, TRANSPOSE, max(A.shape[0], 1)
    return np.ascontiguousarray(A), NO_TRANSPOSE, max(A.shape[1], 1)


def _is_correct(product: Gemm, dtype: str) -> bool:
    """Return whether a small product equals NumPy's, for every memory layout of the factors."""
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(3, 5)).astype(dtype), rng.normal(size=(5, 2)).astype(dtype)
    for left in (A, np.asfortranarray(A)):
        for right in (B, np.asfortranarray(B)):
            out = np.ones((3, 2), dtype)
            product(out, left, right, -0.5)
            if not np.allclose(out, 1 - 0.5 * A @ B, rtol=1e-4, atol=1e-5):
                return False
    return True
