"""The report of ``copi-np doctor``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from copi_np.backend import CuPyBackend, why_no_gpu
from copi_np.datasets import DATASETS, cache_dir, find_dataset
from copi_np.datasets.fetch import DATA_VARIABLE
from copi_np.errors import DataError, list_names
from copi_np.experiments.environment import blas, n_cores, versions


def examine(data_dir: Path | None = None) -> dict[str, Any]:
    """Look up versions, BLAS, cores, whether a GPU works and why not, and which data sets are here; ready for JSON."""
    reason = why_no_gpu()
    found = {name: find_dataset(name, data_dir) for name in DATASETS}
    return {
        "versions": versions(),
        "blas": blas(),
        "cores": n_cores(),
        "gpu": CuPyBackend().describe() if reason is None else None,
        "why_no_gpu": reason,
        "backend_auto": "cupy" if reason is None else "numpy",
        **_cache(),
        "data_folder": os.environ.get(DATA_VARIABLE) or None,
        "data": {
            name: {"folders": [str(folder) for folder in files.folders], "missing": list(files.missing)}
            for name, files in found.items()
        },
    }


def _cache() -> dict[str, str | None]:
    """Return the cache for data sets, or why there is none."""
    try:
        return {"cache": str(cache_dir()), "why_no_cache": None}
    except DataError as error:
        return {"cache": None, "why_no_cache": str(error)}


def describe(found: dict[str, Any]) -> str:
    """Format what `examine` returns, one line per item."""
    reason, folder = found["why_no_gpu"], found["data_folder"]
    lines = {
        **found["versions"],
        "BLAS": f"{found['blas']}; {found['cores']} cores; copi-np uses one thread unless --threads is given",
        "GPU": f"works: {found['gpu']}" if reason is None else f"no: {reason}",
        "backend auto": found["backend_auto"],
        "cache": found["cache"] or f"none: {found['why_no_cache']}",
    }
    if folder:
        lines[DATA_VARIABLE] = f"{folder}{'' if Path(folder).is_dir() else ' (there is no such folder)'}"
    lines |= {f"data {name}": _presence(**files) for name, files in found["data"].items()}
    return "\n".join(f"{name:20}{text}" for name, text in lines.items())


def _presence(folders: list[str], missing: list[str]) -> str:
    if not missing:
        return f"present in {list_names(folders)}"
    return f"not here; downloaded when first used ({list_names(missing)})"
