"""Time a step and its matrix products on NumPy and on PyTorch (CPU), in one process on one thread, taking turns.

OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/backends.py results/speed/backends.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import torch

from copi_np.backend import get_backend
from copi_np.experiments.benchmark import SHORTEST, candidates, measure, ratio
from copi_np.experiments.environment import blas, versions
from copi_np.experiments.methods import METHODS
from copi_np.experiments.options import parse_layers

BATCH_SIZE = 50
BACKENDS = ("numpy", "torch")


class CpuClock:
    """Times calls in CPU seconds, which a busy machine changes less than those of the clock."""

    def seconds(self, function: Callable[[], object], repeats: int = 1) -> float:
        """Return the CPU seconds of so many calls."""
        start = process_time()
        for _ in range(repeats):
            function()
        return process_time() - start


def compare(network: str, method: str, rounds: int) -> dict[str, Any]:
    """Return the median CPU milliseconds of step and products by backend, and the medians of each round's ratios."""
    timed = {}
    for name in BACKENDS:
        found = candidates(parse_layers(network), BATCH_SIZE, METHODS[method], get_backend(name), "float32")
        timed |= {f"{name} {kind}": found[kind] for kind in ("step", "floor")}
    measured = measure(timed, CpuClock(), rounds, SHORTEST)
    times = {name: {kind: measured[f"{name} {kind}"] for kind in ("step", "floor")} for name in BACKENDS}
    return {
        "network": network,
        "method": method,
        "milliseconds": {n: {kind: 1e3 * median(values) for kind, values in of.items()} for n, of in times.items()},
        "step_over_floor": {name: median(ratio(times[name]["step"], times[name]["floor"])) for name in BACKENDS},
        "torch_over_numpy": {
            kind: median(ratio(times["torch"][kind], times["numpy"][kind])) for kind in ("step", "floor")
        },
    }


def main() -> None:
    """Write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    torch.set_num_threads(1)
    steps = [
        compare(network, method, options.rounds)
        for network, method in (("mnist", "copi-bp"), ("mnist", "bp-adam"), ("cifar10", "copi-bp"))
    ]
    record = {
        "machine": "a virtual machine with two cores, shared with other work: compare the ratios",
        "times": "CPU time of one thread",
        "versions": versions() | {"torch": torch.__version__},
        "blas": {"numpy": blas(), "torch": "MKL" if torch.backends.mkl.is_available() else "other", "threads": 1},
        "batch_size": BATCH_SIZE,
        "dtype": "float32",
        "rounds": options.rounds,
        "steps": steps,
    }
    options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
