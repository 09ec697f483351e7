"""PyTorch as a backend, on the CPU or any of its devices: the generic `Backend` does nearly all of it."""

from __future__ import annotations

from importlib import import_module
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from copi_np.arrays import Array, NDArray
from copi_np.backend.devices import Backend
from copi_np.backend.free_memory import free_main_memory
from copi_np.errors import BackendError, one_line


class TorchBackend(Backend):
    """PyTorch on one of its devices.

    Parameters
    ----------
    where : str     a device of PyTorch's, such as "cpu" or "cuda:1"

    Raises
    ------
    BackendError    if PyTorch or the device is missing or does not work; the message says which
    """

    def __init__(self, where: str = "cpu") -> None:
        name = "torch" if where == "cpu" else f"torch:{where}"
        try:
            self._torch: Any = import_module("torch")
            one = self._torch.ones((2, 2), device=where)
            float((one @ one).sum())  # a missing driver shows only here
        except Exception as error:  # an ImportError, or one of many that a missing device raises
            raise BackendError(
                f"backend {name!r} does not work here ({one_line(error)}): pip install torch, or choose another device"
            ) from None
        super().__init__(name, import_module("array_api_compat.torch"), one.device)

    def asarray(self, values: ArrayLike, dtype: str | None = None, *, copy: bool = True) -> Array:
        """Move values to the device; reversed and read-only NumPy arrays are copied, since PyTorch cannot read them."""
        if isinstance(values, np.ndarray) and not isinstance(values, np.ma.MaskedArray):
            copy = copy or not values.flags.writeable or min(values.strides, default=1) < 0
            values = np.ascontiguousarray(values)
        return super().asarray(values, dtype, copy=copy)

    def to_host(self, array: Array) -> NDArray:
        """Copy an array from the device to a NumPy array; waits for the device."""
        return cast("NDArray", array.detach().cpu().numpy().copy())

    def owns(self, array: Array) -> bool:
        """Return whether `array` is a tensor on this device."""
        return isinstance(array, self._torch.Tensor) and array.device == self.device

    def synchronize(self) -> None:
        """Wait until the device has finished all queued work."""
        if self.device.type == "cuda":
            self._torch.cuda.synchronize(self.device)

    def matmul_add(self, out: Array, A: Array, B: Array, alpha: float) -> None:
        """Add ``alpha * A @ B`` to `out`, in place; PyTorch adds inside the product."""
        out.addmm_(A, B, alpha=alpha)

    def free_memory(self) -> int | None:
        """Return how many bytes of the GPU, or of main memory, are free, or None if that is unknown."""
        if self.device.type == "cuda":
            return int(self._torch.cuda.mem_get_info(self.device)[0])
        return free_main_memory() if self.device.type == "cpu" else None

    def __setstate__(self, state: dict[str, str]) -> None:
        self.__dict__.update(vars(TorchBackend(state["name"].partition(":")[2] or "cpu")))

    def describe(self) -> str:
        """Name the device, such as "cpu", or the GPU."""
        if self.device.type == "cuda":
            return cast("str", self._torch.cuda.get_device_name(self.device))
        return str(self.device)
