"""An error of the package is one traceback: what it translates adds nothing, unless a user's own code raised it."""

from __future__ import annotations

import ast
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV

import copi_np
from copi_np import CopiError, DivergenceError, Network, Schedule, fit, load_dataset
from copi_np.checkpoint import load_network, save_network
from copi_np.datasets import Dataset, Split
from copi_np.estimators import COPIClassifier
from copi_np.export import export_onnx, export_safetensors
from copi_np.rules import mean_outer

PACKAGE = Path(copi_np.__file__).parent
CHAINED = {
    "_finding_parts.py": "the user's file, which cannot be run",
    "_parts.py": "the user's function, which writes to its arguments",
    "checkpoint/arrays.py": "restore() of the user's step",
    "conformance/adapter.py": "the user's module, which cannot be imported; the user's asarray",
    "steps/choice.py": "__deepcopy__ of the user's step",
    "course/exercises.py": "the student's function",
    "course/lesson_03.py": "the student's function",
    "course/lesson_09.py": "the student's function",
    "cli/errors.py": "every error, of which click shows one line",
}
"""Where a cause is kept, because it is the traceback of code that is not of the package."""


def chained(path):
    """Return the causes other than None of raised errors, "nothing" where a handler raises an error without one."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    handlers = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
    raised = [node for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.cause]
    silent = [node for handler in handlers for node in ast.walk(handler) if isinstance(node, ast.Raise) and node.exc]
    causes = [ast.unparse(node.cause) for node in raised] + ["nothing" for node in silent if not node.cause]
    return [cause for cause in causes if cause != "None"]


def test_only_causes_in_code_that_is_not_ours_are_shown():
    files = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    assert {name for name, path in files.items() if chained(path)} == set(CHAINED)
    for name in set(CHAINED) - {"cli/errors.py"}:
        assert len(chained(files[name])) == len(CHAINED[name].split("; "))


def network(**options):
    return Network([2, 3, 2], rng=np.random.default_rng(0), **options)


def data():
    x = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    return Dataset("own", Split(x, np.arange(20) % 2), Split(x, np.arange(20) % 2), 2)


def diverging(folder):
    options = {"epochs": 3, "schedule": Schedule(1e3, 1e3), "rng": np.random.default_rng(0), "batch_size": 4}
    fit(network(), data(), **options)


def damaged(folder):
    (folder / "net.npz").write_bytes(b"PK, not an archive")
    load_network(folder / "net.npz")


FAILURES = {
    "divergence": diverging,
    "divergence of an estimator": lambda folder: COPIClassifier(eta_W=1e5).fit(*load_iris(return_X_y=True)),
    "damaged network": damaged,
    "no network": lambda folder: load_network(folder / "none.npz"),
    "no data": lambda folder: load_dataset(folder / "none.npz"),
    "unknown data": lambda folder: load_dataset("mnits"),
    "no folder": lambda folder: save_network(folder / "none" / "net.npz", network()),
    "no folder for safetensors": lambda folder: export_safetensors(folder / "none" / "net.safetensors", network()),
    "no folder for ONNX": lambda folder: export_onnx(folder / "none" / "net.onnx", network()),
    "metadata": lambda folder: save_network(folder / "net.npz", network(), {"a": object()}),
    "two libraries": lambda folder: mean_outer(np.ones((2, 2)), [1.0]),
    "a parameter": lambda folder: COPIClassifier(hidden_layer_sizes="many").fit(*load_iris(return_X_y=True)),
    "a rule": lambda folder: network(rule=dict.fromkeys),
}


@pytest.mark.parametrize("name", FAILURES)
def test_an_error_is_one_traceback(name, tmp_path):
    with pytest.raises(CopiError) as found:
        FAILURES[name](tmp_path)
    text = "".join(traceback.format_exception(found.value))
    assert text.count("Traceback (most recent call last)") == 1
    assert "\n" not in str(found.value)


def test_the_error_in_a_users_rule_is_shown():
    def impure(W, x, delta):
        x[:] = 0
        return 0 * W

    with pytest.raises(CopiError, match="changes its read-only arguments") as found:
        network(rule=impure).step(*(np.ones((4, 2), np.float32),) * 2, eta_W=0.1)
    assert "x[:] = 0" in "".join(traceback.format_exception(found.value))


def test_six_failures_of_a_grid_search_are_few_lines():
    """They were 329 lines."""
    X, y = load_iris(return_X_y=True)
    search = GridSearchCV(COPIClassifier(max_iter=2), {"eta_W": [1e4, 1e5], "first_epochs": [0]}, cv=3, refit=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(ValueError, match="All the 6 fits failed") as found:
            search.fit(X, y)
    text = str(found.value) + "".join(str(each.message) for each in caught if each.category is FitFailedWarning)
    assert text.count("DivergenceError: epoch") >= 1
    assert "another exception" not in text
    assert "direct cause" not in text
    assert len(text.splitlines()) < 120


def test_the_location_is_in_the_message():
    with pytest.raises(DivergenceError, match=r"^epoch 1, batch \d: training diverged: "):
        diverging(None)
