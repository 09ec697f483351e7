"""NumPy or CuPy: the boundary between host and device. You need not read it to understand COPI."""

from copi_np.backend.devices import (
    BACKENDS,
    DTYPES,
    INSTALL_CUPY,
    Backend,
    CuPyBackend,
    NumPyBackend,
    get_backend,
    why_no_gpu,
)

__all__ = ["BACKENDS", "DTYPES", "INSTALL_CUPY", "Backend", "CuPyBackend", "NumPyBackend", "get_backend", "why_no_gpu"]
