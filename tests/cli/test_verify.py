"""The exit codes of ``copi-np verify``, which other projects' CI looks at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

RIGHT = "from copi_np.rules import copi_update, decorrelation_update\n"
WRONG = RIGHT + "def decorrelation_update(R, x):\n    return -(x.T @ x) @ R / len(x)\n"


def verify(folder, text, *arguments):
    (folder / "my_copi.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "copi_np", "verify", *(arguments or ("my_copi",)), "--examples", "2"]
    path = {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ | path)


@pytest.mark.parametrize("name", ["my_copi", "my_copi.py"])
def test_it_exits_with_0_for_what_conforms(name, tmp_path):
    result = verify(tmp_path, RIGHT, name)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("conforms: all ")


def test_it_exits_with_1_and_the_cause_for_what_does_not(tmp_path):
    result = verify(tmp_path, WRONG)
    assert result.returncode == 1
    assert "likely cause: no diagonal: <x x^T> in full" in result.stdout
    assert "DOES NOT HOLD" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        ("1 / 0", (), "cannot load my_copi (ZeroDivisionError: division by zero)"),
        ("raise SystemExit(0)", (), "cannot load my_copi (SystemExit: 0)"),
        (RIGHT, ("my_copi:other",), "has no attribute 'other'"),
        ("", (), "nothing to check"),
    ],
)
def test_it_exits_with_2_and_one_line_for_what_cannot_be_checked(text, arguments, words, tmp_path):
    result = verify(tmp_path, text, *arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_object_of_a_module_is_checked(tmp_path):
    adapter = "class adapter:\n    @staticmethod\n    def sgd_update(x, delta):\n        return delta.T @ x / len(x)\n"
    assert verify(tmp_path, adapter, "my_copi:adapter").returncode == 0


def test_without_hypothesis_the_extra_is_named(tmp_path):
    (tmp_path / "hypothesis.py").write_text("raise ImportError('no hypothesis')")
    result = verify(tmp_path, RIGHT)
    assert result.returncode == 2
    assert "pip install 'copi-np[conformance]'" in result.stderr
