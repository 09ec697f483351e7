"""docs/estimators.md keeps its word: its table is what is on record, its examples run."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "estimators.md").read_text(encoding="utf-8")


def test_the_page_shows_what_is_on_record():
    """The table, the figures in the text, and the versions."""
    spec = importlib.util.spec_from_file_location("compare_digits", ROOT / "tools" / "compare_digits.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    record = json.loads(tool.RECORD.read_text(encoding="utf-8"))
    assert f"<!-- digits -->\n\n{tool.table(record)}\n\n<!-- end -->" in PAGE
    mean = {
        name: {key: np.mean([run[key] for run in runs]) for key in ("test", "seconds")}
        for name, runs in record["models"].items()
    }
    adam = mean["MLPClassifier()"]
    behind = [100 * (adam["test"] - model["test"]) for name, model in mean.items() if name.startswith("COPI")]
    assert f"{min(behind):.1f} to {max(behind):.1f} % below" in PAGE
    assert f"takes {mean['COPIClassifier()']['seconds'] / adam['seconds']:.1f} times as long as" in PAGE
    versions = record["versions"]
    text = " ".join(PAGE.split())
    assert "Python {python}, NumPy {numpy}, scikit-learn {scikit-learn}".format(**versions) in text
    assert [run["seed"] for runs in record["models"].values() for run in runs] == 5 * [0, 1, 2, 3, 4]


def test_the_examples_of_the_page_run(capsys):
    for example in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(example, "estimators.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert all(float(line) > 0.95 for line in lines[:2])
    assert float(lines[2].removeprefix("R^2 ")) > 0.35
    assert [line.split()[0] for line in lines[3:]] == ["copi", "copi-local", "zca", "pca", "cholesky"]
    assert all(float(line.split()[1]) < 0.0101 for line in lines[3:])
