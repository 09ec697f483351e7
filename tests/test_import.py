"""What `import copi_np` costs, and what it offers."""

from __future__ import annotations

import subprocess
import sys

import pytest

import copi_np

HEAVY = (
    "matplotlib", "requests", "cupy", "click", "tqdm", "scipy", "platformdirs", "threadpoolctl", "sklearn",
    "numpy.f2py", "numpy.testing", "filelock", "IPython", "tensorboardX",
)  # fmt: skip


def loaded_by(statement):
    """Names of the modules that a fresh interpreter has loaded after `statement`."""
    code = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("statement", ["import copi_np", "import copi_np.training, copi_np.checkpoint"])
def test_importing_the_package_loads_nothing_that_computing_does_not_need(statement):
    modules = loaded_by(statement)
    assert {"numpy", "copi_np.network"} <= modules
    assert modules.isdisjoint(HEAVY)


def test_the_command_starts_without_what_only_one_of_its_commands_needs():
    assert loaded_by("import copi_np.cli").isdisjoint(set(HEAVY) - {"click", "filelock"})


def test_the_public_names_are_there():
    assert {"Network", "get_backend", "CopiError"} <= set(copi_np.__all__)
    assert all(hasattr(copi_np, name) for name in copi_np.__all__)


def test_one_except_catches_every_error_of_the_package():
    errors = [copi_np.InputError, copi_np.DataError, copi_np.BackendError, copi_np.DivergenceError]
    assert all(issubclass(error, copi_np.CopiError) for error in errors)
    assert issubclass(copi_np.InputError, ValueError)  # what design.md promises of wrong shapes
