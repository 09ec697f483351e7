"""Backends by name."""

from __future__ import annotations

from copi_np.backend.devices import Backend, CuPyBackend, NumPyBackend, why_no_gpu
from copi_np.backend.pytorch import TorchBackend
from copi_np.errors import unknown

BACKENDS = ("auto", "numpy", "cupy", "torch")


def get_backend(name: str | Backend = "auto") -> Backend:
    """Return a backend by name.

    Parameters
    ----------
    name : {"auto", "numpy", "cupy", "torch"} or Backend
        "auto" is CuPy if a GPU works, else NumPy; "torch:cuda" is PyTorch on another device than the CPU; a `Backend`
        is returned unchanged

    Raises
    ------
    InputError
        if the name is unknown
    BackendError
        if the library, or its device, does not work here
    """
    if isinstance(name, Backend):
        return name
    if name == "auto":
        return NumPyBackend() if why_no_gpu() else CuPyBackend()
    if name == "numpy":
        return NumPyBackend()
    if name == "cupy":
        return CuPyBackend()
    if str(name).partition(":")[0] == "torch":
        return TorchBackend(str(name).partition(":")[2] or "cpu")
    raise unknown(
        "backend",
        name,
        BACKENDS,
        {"cpu": "numpy", "gpu": "cupy", "cuda": "cupy", "pytorch": "torch"}.get(str(name).lower()),
    )
