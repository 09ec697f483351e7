"""Describe this machine, for records and for ``copi-np doctor``; without paths and host names."""

from __future__ import annotations

import os
import platform
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from copi_np.errors import list_names

PACKAGES = ("numpy", "array-api-compat", "matplotlib", "scipy")
CUPY_PACKAGES = ("cupy-cuda12x", "cupy-cuda13x", "cupy")


@cache  # takes longer than an epoch of a small network, and stays the same
def versions() -> dict[str, str]:
    """Return the versions of this package, Python, the platform and the numerical packages that are installed."""
    import copi_np

    found = {"copi-np": copi_np.__version__, "python": platform.python_version(), "platform": platform_name()}
    for package in PACKAGES + CUPY_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def platform_name() -> str:
    """Return operating system and processor type, such as "Linux x86_64"."""
    return f"{platform.system()} {platform.machine()}"


def blas() -> str:
    """Describe the BLAS library that NumPy uses: its version and number of threads."""
    from threadpoolctl import threadpool_info

    found = [
        f"{pool['internal_api']} {pool['version']} ({pool.get('architecture', '?')}), {pool['num_threads']} threads"
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    ]
    return list_names(found) or "unknown to threadpoolctl"


def blas_threads(n: int) -> AbstractContextManager[object]:
    """Let BLAS use `n` threads inside a ``with`` statement.

    The products of a step are small: on a busy machine, threads that wait for each other make them several times
    slower. And a different number of threads rounds differently.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:  # it needs ctypes, which not every Python has
        return nullcontext()
    limits: AbstractContextManager[object] = threadpool_limits(n, user_api="blas")
    return limits


def n_cores() -> int:
    """Return the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
