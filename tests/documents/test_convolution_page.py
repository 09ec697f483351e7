"""docs/convolution.md keeps its word: its programs run, learn and agree, and its figures are those of the record."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "convolution.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_programs_run_and_agree(capsys):
    names = {}
    for program in PROGRAMS:
        exec(compile(program, "convolution.md", "exec"), names)
    printed = capsys.readouterr().out
    accuracy, again = map(float, re.findall(r"accuracy (\S+)", printed))
    assert accuracy > 0.95
    assert again == pytest.approx(accuracy, abs=0.01)
    assert "R of the first layer (9, 9) and W (16, 9)" in printed
