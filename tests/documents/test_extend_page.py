"""docs/extend.md keeps its word: its programs run, and its table is what the package offers."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from copi_np.cli import main
from copi_np.errors import InputError
from copi_np.steps import FORWARD_ARGUMENTS, LATERAL_ARGUMENTS

pytestmark = pytest.mark.xdist_group("extend")  # one process runs the programs of the page
PAGE = (Path(__file__).parents[2] / "docs" / "extend.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run(program, names):
    exec(compile(program, "extend.md", "exec"), names)


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """What the programs define, after all have run but those of JAX; with what they printed as "printed"."""
    patch, printed = pytest.MonkeyPatch(), []
    patch.chdir(tmp_path_factory.mktemp("extend"))
    defined = {"__name__": "extend", "print": lambda *values: printed.append(" ".join(map(str, values)))}
    try:
        for program in PROGRAMS:
            if "import jax" not in program:
                run(program, defined)
        yield defined | {"printed": printed}
    finally:
        patch.undo()


def test_networks_with_parts_of_their_own_learn(names):
    accuracies = [float(line.split()[2]) for line in names["printed"] if line.startswith("test accuracy")]
    assert len(accuracies) == PAGE.count("trained(") - 1 + PAGE.count("schedule=annealed")
    assert all(accuracy > 0.85 for accuracy in accuracies)


def test_weights_count_the_same_in_both_ways(names):
    one, other = (float(line.split()[3]) for line in names["printed"] if line.startswith("W moved by "))
    assert one == pytest.approx(other, rel=1e-4)
    net = names["Network"]([784, 100, 10], rng=np.random.default_rng(0))
    before = net.layers[0].W.copy()
    net.step(names["y0"], names["targets"], eta_W=0.1)
    assert np.linalg.norm(net.layers[0].W - before) != pytest.approx(one, rel=1e-2)


@pytest.mark.parametrize("weights", [None, np.arange(1, 51, dtype="float32")])
def test_a_rule_that_asks_for_weights_gets_plain_rows(names, weights):
    """As the page promises: it can take a weighted mean of x alone, which rows times a root would not allow."""
    seen = {}

    def rule(W, x, y_out, sample_weight):
        seen.update(x=x, y_out=y_out, sample_weight=sample_weight)
        return np.zeros_like(W)

    net = names["Network"]([784, 10], rng=np.random.default_rng(0), rule=rule)
    trace = net.forward(names["y0"])
    net.step(names["y0"], names["targets"], eta_W=0.1, sample_weight=weights)
    np.testing.assert_equal(seen["sample_weight"], weights)
    np.testing.assert_array_equal(seen["x"], trace.x[0])
    np.testing.assert_array_equal(seen["y_out"], trace.y[0])


def test_a_loaded_network_names_its_parts(names):
    assert any("Momentum(beta=0.5)" in line and "extend:kappa" in line for line in names["printed"])


def test_loading_without_parts_says_how(names, tmp_path):
    names["save_network"](tmp_path / "net.npz", names["trained"](decorrelation=names["kappa"]))
    with pytest.raises(InputError, match=r"load_network\(path, decorrelation=kappa\)"):
        names["load_network"](tmp_path / "net.npz")


def test_a_rule_of_the_package_gives_the_result_of_its_name(names):
    one, other = names["trained"](rule=names["copi_update"]), names["trained"](rule="copi")
    np.testing.assert_allclose(one.layers[0].W, other.layers[0].W, atol=1e-3)


def test_the_table_has_all_that_rules_may_ask_for():
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines()]
    table = {row[0].strip("`"): row[3:] for row in rows if len(row) == 5 and row[0].startswith("`")}
    assert {name for name, (forward, _) in table.items() if forward == "yes"} == set(FORWARD_ARGUMENTS)
    assert {name for name, (_, lateral) in table.items() if lateral == "yes"} == set(LATERAL_ARGUMENTS)


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="install the extra 'tracing'")
def test_the_program_of_jax_runs(names):
    (program,) = [program for program in PROGRAMS if "import jax" in program]
    run(program, names)
    assert names["printed"][-1] == "(784, 784) (10, 784)"


def test_the_command_runs_with_a_rule_in_a_file(tmp_path, monkeypatch):
    """The command of the page, with its rule and the imports, for one epoch of a small network."""
    (command,) = re.findall(r"^copi-np (train .*my_rules.*)$", PAGE, re.MULTILINE)
    (rules,) = [program for program in PROGRAMS if "def kappa(" in program]
    (tmp_path / "my_rules.py").write_text(rules.partition("\n\n\ntrained(")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = [*command.split(), "--layers", "784,20,10", "--out", "run"]
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "my_rules.py:kappa" in (tmp_path / "run" / "run.json").read_text(encoding="utf-8")
