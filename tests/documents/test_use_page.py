"""docs/use.md keeps its word: its programs run, and it names all that the command line offers."""

import re
from pathlib import Path

import pytest

from copi_np.experiments.methods import METHODS
from copi_np.experiments.preset_files import preset_names

PAGE = (Path(__file__).parents[2] / "docs" / "use.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_programs_run_and_learn(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for program in PROGRAMS:
        exec(compile(program, "use.md", "exec"), names)
    accuracies = re.findall(r"test(?: accuracy)? (\S+)", capsys.readouterr().out)
    assert len(accuracies) == len(PROGRAMS) == 5
    assert all(float(accuracy) > 0.9 for accuracy in accuracies)


def test_every_method_and_preset_is_named():
    assert all(f"`{name}`" in PAGE for name in [*METHODS, *preset_names()])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_page_says_how_shells_complete(shell):
    """With the variable and the program name that tests/cli/test_look.py runs."""
    assert f"_COPI_NP_COMPLETE={shell}_source copi-np" in PAGE
