"""NumPy, CuPy or PyTorch: the boundary between host and device. You need not read it to understand COPI."""

from copi_np.backend.choice import BACKENDS, get_backend
from copi_np.backend.devices import DTYPES, INSTALL_CUPY, Backend, CuPyBackend, NumPyBackend, why_no_gpu
from copi_np.backend.pytorch import TorchBackend

__all__ = [
    "BACKENDS",
    "DTYPES",
    "INSTALL_CUPY",
    "Backend",
    "CuPyBackend",
    "NumPyBackend",
    "TorchBackend",
    "get_backend",
    "why_no_gpu",
]
