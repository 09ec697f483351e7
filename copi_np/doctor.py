"""What ``copi-np doctor`` reports."""

from __future__ import annotations

import os
from pathlib import Path

from copi_np.backend import CuPyBackend, why_no_gpu
from copi_np.datasets import DATASETS, cache_dir, find_dataset
from copi_np.datasets.fetch import DATA_VARIABLE
from copi_np.environment import blas, n_cores, versions
from copi_np.errors import list_names


def report(data_dir: Path | None = None) -> str:
    """Versions, BLAS and threads, whether a GPU works and if not why, data sets at hand; a line each."""
    lines = [f"{name:20}{version}" for name, version in versions().items()]
    lines.append(f"{'BLAS':20}{blas()}; {n_cores()} cores; copi-np uses one thread unless told --threads")
    reason = why_no_gpu()
    lines.append(f"{'GPU':20}{'works: ' + CuPyBackend().describe() if reason is None else 'no: ' + reason}")
    lines.append(f"{'backend auto':20}{'cupy' if reason is None else 'numpy'}")
    lines.append(f"{'cache':20}{cache_dir()}")
    if folder := os.environ.get(DATA_VARIABLE):
        lines.append(f"{DATA_VARIABLE:20}{folder}{'' if Path(folder).is_dir() else ' (there is no such folder)'}")
    lines.extend(f"{'data ' + name:20}{_presence(name, data_dir)}" for name in DATASETS)
    return "\n".join(lines)


def _presence(name: str, data_dir: Path | None) -> str:
    found = find_dataset(name, data_dir)
    if found.complete:
        return "present in " + list_names(str(folder) for folder in found.folders)
    return f"not here; downloaded when first used ({list_names(found.missing)})"
