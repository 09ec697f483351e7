"""The README keeps its word: its code runs, its equations are the package's own, its links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EQUATIONS, EXAMPLE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_equations_shown_are_those_of_the_package():
    rules = (ROOT / "copi_np" / "rules.py").read_text(encoding="utf-8")
    shown = [line for line in EQUATIONS.splitlines() if line.strip().startswith("return")]
    assert len(shown) == 2
    assert all(line in rules for line in shown)


def test_the_example_runs_and_learns(capsys):
    exec(compile(EXAMPLE, "README.md", "exec"), {})
    accuracy = re.search(r"test accuracy (\S+)", capsys.readouterr().out)
    assert accuracy is not None
    assert float(accuracy.group(1)) > 0.9


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https?:)([^)#]+)\)", README))
def test_links_lead_to_files(target):
    assert (ROOT / target).exists()
