"""The README keeps its word: its code runs, its equations are the package's own, and it stays short."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EQUATIONS, USE, OWN_RULE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_equations_shown_are_those_of_the_package():
    rules = (ROOT / "copi_np" / "rules.py").read_text(encoding="utf-8")
    shown = [line for line in EQUATIONS.splitlines() if line.strip().startswith("return")]
    assert len(shown) == 2
    assert all(line in rules for line in shown)


def test_the_examples_run_and_learn(capsys):
    names = {}
    for example in (USE, OWN_RULE):
        exec(compile(example, "README.md", "exec"), names)
    accuracies = re.findall(r"test accuracy (\S+)", capsys.readouterr().out)
    assert len(accuracies) == 2
    assert all(float(accuracy) > 0.9 for accuracy in accuracies)


def test_the_seconds_of_training_are_those_of_the_table():
    seconds = re.findall(r"^\S.*%\s+([\d.]+)   0\.", README, re.MULTILINE)
    assert len(seconds) == 4
    assert f"training alone, as below, took {sum(map(float, seconds)):.1f}." in " ".join(README.split())


def test_the_readme_fits_on_three_screens():
    assert len(README.splitlines()) <= 130
