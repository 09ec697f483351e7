"""The README keeps its word: its code runs, its equations are the package's own."""

import re
from pathlib import Path

from copi_np.experiments.config import preset_names
from copi_np.experiments.methods import METHODS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EQUATIONS, BY_HAND, WITH_FIT, SELECTED = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_equations_shown_are_those_of_the_package():
    rules = (ROOT / "copi_np" / "rules.py").read_text(encoding="utf-8")
    shown = [line for line in EQUATIONS.splitlines() if line.strip().startswith("return")]
    assert len(shown) == 2
    assert all(line in rules for line in shown)


def test_the_examples_run_and_learn(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for example in (BY_HAND, WITH_FIT, SELECTED):
        exec(compile(example, "README.md", "exec"), names)
    accuracies = re.findall(r"test(?: accuracy)? (\S+)", capsys.readouterr().out)
    assert len(accuracies) == 3
    assert all(float(accuracy) > 0.9 for accuracy in accuracies)


def test_every_method_and_preset_is_named():
    assert all(f"`{name}`" in README for name in [*METHODS, *preset_names()])
