"""A mock of CuPy for machines without a GPU: it computes with NumPy, and refuses what CuPy refuses.

While `installed`, ``import cupy`` gives the mock, and the package's own `CuPyBackend` and the CuPy namespace of
array-api-compat run on top of it unchanged. Its names and their parameters are exactly those of ``cupy_surface.json``,
a record of the real CuPy. NumPy arrays are refused wherever they meet arrays of the mock, and no value reaches the host
without an explicit call. Where CuPy would move host data silently, as indices or by `np.mean`, the mock refuses too:
on a GPU that would be slow. There is one device and one stream; nothing is asynchronous.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import array_api_compat
import numpy as np
import pytest
from array_api_compat.common import _helpers

SURFACE: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("cupy_surface.json").read_text())
FROM_HOST = {"array", "asarray"}
"""Functions that accept host data."""
NOT_SHARED = {"__class_getitem__", "__deepcopy__", "__dlpack__", "__dlpack_device__", "data", "flags", "flat"}
"""Array attributes that would expose host memory, or are not operators."""

COMPAT = "array_api_compat.cupy"


@cache
def signature_of(recorded: str) -> inspect.Signature:
    """Return the signature of a record such as "(a, axis=..., *, out=...)"; "(...)" allows anything."""
    text = re.sub(r"(?<!=)\.\.\.", "*args, **kwargs", recorded[1:-1])
    return inspect.signature(eval(f"lambda {text}: None"))


def unwrapped(value: Any) -> Any:
    """Return the argument for NumPy: the arrays inside the mock's; NumPy arrays and lists of numbers are refused."""
    if isinstance(value, tuple | list):
        if isinstance(value, list) and not all(isinstance(item, ndarray) for item in value):
            raise TypeError(f"Unsupported type {list}")
        return type(value)(map(unwrapped, value))
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {np.ndarray}")
    return value._held if isinstance(value, ndarray) else value


def operand(value: Any) -> Any:
    """Do the same for an operator, which takes arrays and numbers."""
    if not isinstance(value, ndarray | np.generic | int | float | complex):
        raise TypeError(f"Unsupported type {type(value)}")
    return unwrapped(value)


def wrapped(result: Any) -> Any:
    """Return NumPy's result as CuPy would give it: an array even where NumPy gives a scalar."""
    if isinstance(result, tuple):
        return type(result)(*map(wrapped, result)) if hasattr(result, "_fields") else tuple(map(wrapped, result))
    return ndarray(np.asarray(result)) if isinstance(result, np.ndarray | np.generic) else result


def copied(value: Any) -> Any:
    """Return the argument for NumPy where host data are allowed: they are copied to the device."""
    return value.copy() if isinstance(value, np.ndarray) else getattr(value, "_held", value)


def strict(recorded: str, function: Callable[..., Any], take: Callable[[Any], Any] = unwrapped) -> Callable[..., Any]:
    """Return a NumPy `function` with the recorded parameters, for arrays of the mock; `take` converts the arguments."""
    signature = signature_of(recorded)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        signature.bind(*args, **kwargs)
        with np.errstate(all="ignore"):  # a GPU does not warn
            result = function(*map(take, args), **{name: take(value) for name, value in kwargs.items()})
        for given in (*args, *kwargs.values()):
            if isinstance(given, ndarray) and given._held is result:
                return given  # in place means in place
        return wrapped(result)

    return call


# ---------------------------------------------------------------- arrays


class ndarray:  # noqa: N801 - the name that messages show
    """An array on the device. The methods, operators and attributes that CuPy and NumPy share are added below."""

    __array_ufunc__ = None  # NumPy's functions refuse it, NumPy's operators defer to it
    __hash__ = None

    def __init__(self, held: np.ndarray) -> None:
        self._held = held

    def __array__(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def __array_function__(self, function: Callable[..., Any], *_: Any) -> None:
        raise TypeError(f"numpy.{function.__name__} of an array of CuPy's: use its own namespace")

    @property
    def device(self) -> Device:
        return Device()

    def __iter__(self) -> Iterator[Any]:
        return map(wrapped, self._held)

    def get(self) -> np.ndarray:
        return self._held.copy()


def shared(name: str, recorded: str) -> Any:
    """Return the attribute, method or operator of that name, which CuPy and NumPy share."""
    if recorded == "data":
        return property(lambda self: wrapped(getattr(self._held, name)))
    is_operator = name.startswith("__") and not name.endswith("item__")
    with_self = recorded.replace("(", "(self, ", 1)
    return strict(with_self, getattr(np.ndarray, name), operand if is_operator else unwrapped)


for name, recorded in SURFACE["cupy.ndarray"].items():
    if hasattr(np.ndarray, name) and name not in NOT_SHARED | set(vars(ndarray)):
        setattr(ndarray, name, shared(name, recorded))

# ---------------------------------------------------------------- modules


class Device:
    """The only device there is."""

    def __init__(self, device: Device | int | None = None) -> None:
        self.id = 0

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device)

    def __hash__(self) -> int:
        return 0


def gemm(transa: str, transb: str, a: Any, b: Any, out: Any, alpha: float = 1.0, beta: float = 0.0) -> Any:
    """Compute out = alpha a b + beta out in place, as cuBLAS does, for arrays of one dtype."""
    assert (transa, transb) == ("N", "N")
    assert a.dtype == b.dtype == out.dtype
    assert out.shape == (a.shape[0], b.shape[1])
    out[...] = alpha * (a @ b) + beta * out
    return out


def unchecked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function of `numpy.linalg` to behave as in CuPy: a singular matrix gives NaN, not an error."""

    @wraps(function)
    def call(*arrays: Any) -> Any:
        try:
            return function(*arrays)
        except np.linalg.LinAlgError:
            return np.full_like(arrays[-1], np.nan)

    return call


def module(path: str, of_numpy: Any, **own: Any) -> ModuleType:
    """Make the module of that path from the recorded names that NumPy has, and from `own`."""
    made = ModuleType(path)
    for name, recorded in SURFACE[path].items():
        value = getattr(of_numpy, name, made)
        if callable(value) and recorded != "numpy":
            setattr(made, name, strict(recorded, value, copied if name in FROM_HOST else unwrapped))
        elif not isinstance(value, ModuleType):
            setattr(made, name, value)
    vars(made).update(own)
    return made


def modules() -> dict[str, ModuleType]:
    """Make all modules of the mock, and the namespace of array-api-compat on top of them."""
    stream = SimpleNamespace(synchronize=lambda: None)
    runtime = SimpleNamespace(
        getDeviceCount=lambda: 1,
        getDeviceProperties=lambda device: {"name": b"mock of CuPy on the host"},
        memGetInfo=lambda: (2**33, 2**34),
    )
    pool = SimpleNamespace(free_bytes=lambda: 2**32)
    of_linalg = SURFACE["cupy.linalg"]
    silent = {
        name: strict(of_linalg[name], unchecked(getattr(np.linalg, name))) for name in ("cholesky", "inv", "solve")
    }
    parts = {
        "linalg": module("cupy.linalg", np.linalg, **silent),
        "fft": ModuleType("cupy.fft"),
        "cuda": module("cupy.cuda", None, Device=Device, runtime=runtime, get_current_stream=lambda: stream),
        "cublas": module("cupy.cublas", None, gemm=strict(SURFACE["cupy.cublas"]["gemm"], gemm)),
    }
    made = {f"cupy.{name}": part for name, part in parts.items()} | {"cupy.cuda.device": parts["cuda"]}
    made["cupy"] = module(
        "cupy", np, **parts, ndarray=ndarray, asnumpy=ndarray.get, get_default_memory_pool=lambda: pool
    )
    with replaced(made):
        import_module(COMPAT)
        return made | {name: sys.modules.pop(name) for name in list(sys.modules) if is_compat(name)}


def is_compat(name: str) -> bool:
    """Return whether this is a module of array-api-compat's namespace for CuPy."""
    return f"{name}.".startswith(f"{COMPAT}.")


@contextmanager
def replaced(by: dict[str, ModuleType]) -> Iterator[None]:
    """Replace CuPy, and everything array-api-compat knows about it, by these modules."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in sys.modules if is_compat(name)]:
            patch.delitem(sys.modules, name)
        for name, replacement in by.items():
            patch.setitem(sys.modules, name, replacement)
        patch.setattr(array_api_compat, "cupy", by.get(COMPAT), raising=False)
        yield


def forget_classes() -> None:
    """Clear what array-api-compat remembers about classes it has seen."""
    for function in vars(_helpers).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()


MODULES = modules()


@contextmanager
def installed() -> Iterator[ModuleType]:
    """Make ``import cupy`` give the mock, which is returned, and undo this afterwards."""
    forget_classes()
    try:
        with replaced(MODULES):
            yield MODULES["cupy"]
    finally:
        forget_classes()
