"""docs/convolution.md keeps its word: its programs run, learn and agree, and its figures are those of the record."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from copi_np import Network

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


def test_the_figures_of_mnist_are_those_of_the_record():
    flat = " ".join(PAGE.split())
    (path,) = (ROOT / "results" / "surveys" / "convolution" / "runs").glob("*/history.jsonl")
    history = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    accuracies = [record["test_accuracy"] for record in history]
    assert f"COPI classifies {100 * accuracies[9]:.2f} % of the test digits correctly after ten epochs" in flat
    assert [accuracy > 0.99 for accuracy in accuracies] == [False] * 4 + [True] * 6
    assert "over 99 % from the fifth" in flat
    assert f"{sum(record['seconds'] for record in history) / 60:.0f} minutes in all" in flat
    layers = ["conv32k5s2", "conv64k3", "pool2", 10]
    assert json.loads((path.parent / "run.json").read_text(encoding="utf-8"))["config"]["layers"] == layers
    network = Network(layers, input_shape=(1, 28, 28), rng=np.random.default_rng(0))
    assert [layer.n_inputs for layer in network.layers] == [25, 288, 1600]
