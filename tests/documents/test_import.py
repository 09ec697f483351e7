"""What `import copi_np` costs, and what it offers."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import copi_np

HEAVY = (
    "matplotlib", "requests", "cupy", "click", "tqdm", "scipy", "platformdirs", "threadpoolctl", "sklearn",
    "numpy.f2py", "numpy.testing", "filelock", "IPython", "tensorboardX",
)  # fmt: skip

ROOT = Path(__file__).parents[2]
SCRIPTS = [path for folder in ("tutorials/sources", "tools", "benchmarks") for path in (ROOT / folder).rglob("*.py")]


def loaded_by(statement):
    """Return the names of the modules that a fresh interpreter has loaded after `statement`."""
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


def taken_from_the_package(code):
    """Yield pairs of a module of the package and a name that a program imports from it, or looks up in it."""
    tree = ast.parse(code)
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "copi_np":
            for name in node.names:
                path = f"{node.module}.{name.name}"
                if hasattr(import_module(node.module), "__path__") and find_spec(path):
                    modules[name.asname or name.name] = path
                else:
                    yield node.module, name.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield modules[node.value.id], node.attr


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_no_other_test_runs_finds_the_names_that_it_takes_from_the_package(path):
    if "copi_np.torch" in path.read_text():
        pytest.importorskip("torch", reason="install the extra 'torch'")
    missing = [
        pair for pair in taken_from_the_package(path.read_text()) if not hasattr(import_module(pair[0]), pair[1])
    ]
    assert missing == []


def test_a_name_that_is_gone_would_be_found():
    code = (
        "from copi_np import rules, Network as Net\nfrom copi_np.cli.doctor import report\nrules.copi_update, Net.gone"
    )
    expected = [("copi_np", "Network"), ("copi_np.cli.doctor", "report"), ("copi_np.rules", "copi_update")]
    assert list(taken_from_the_package(code)) == expected
