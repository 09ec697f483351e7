"""Run on a GPU what no machine of the project's has run so far, and leave a record.

    make gpu

runs the tests marked ``gpu`` (CuPy), those of the PyTorch backend on ``torch:cuda``, and times a step of the MNIST
network on every backend that works. results/speed/gpu.json says what passed, and how fast it was.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from copi_np.backend import get_backend
from copi_np.errors import BackendError
from copi_np.experiments.environment import versions

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "results" / "speed" / "gpu.json"
TESTS = {
    "cupy": ["-m", "gpu", "tests"],
    "torch:cuda": ["tests/backend/test_torch.py", "tests/backend/test_torch_modules.py"],
}
"""The arguments of pytest for each device."""


def devices() -> tuple[dict[str, str], list[str]]:
    """Return the name of the device behind each backend that works here, and why the others do not."""
    found, reasons = {}, []
    for name in TESTS:
        try:
            found[name] = get_backend(name).describe()
        except BackendError as error:
            reasons.append(str(error))
    return found, reasons


def outcome(name: str) -> str:
    """Run the tests of a backend, and return pytest's last line."""
    command = [sys.executable, "-m", "pytest", "-q", *TESTS[name]]
    result = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"COPI_NP_TORCH": name}, stdout=subprocess.PIPE, text=True
    )
    print(result.stdout)
    return (result.stdout.strip().splitlines() or ["no output"])[-1]


def timing(name: str) -> dict[str, Any]:
    """Return what ``copi-np bench`` measures on a backend."""
    command = [sys.executable, "-m", "copi_np", "bench", "--network", "mnist", "--backend", name, "--json", "--quiet"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    values: dict[str, Any] = json.loads(result.stdout)
    return values


def main() -> None:
    """Write the record, or exit with 1 if there is no GPU to make one of."""
    found, reasons = devices()
    if not found:
        sys.exit(f"nothing was recorded: {'; '.join(reasons)}")
    record = {
        "versions": versions(),
        "devices": found,
        "tests": {name: outcome(name) for name in found},
        "bench": {name: timing(name) for name in ("numpy", *found)},
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"written: {RECORD.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
