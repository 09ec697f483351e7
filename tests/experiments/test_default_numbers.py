"""Numbers that hold where nothing is said: those of presets, for every method, and defaults of commands."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from tiny import write_tiny

from copi_np import Dataset, Network, Split, plotting
from copi_np.backend import NumPyBackend
from copi_np.cli import main
from copi_np.cli.doctor import examine
from copi_np.experiments import demo as showing
from copi_np.experiments.demo import correlations
from copi_np.experiments.environment import n_cores
from copi_np.experiments.methods import METHODS
from copi_np.experiments.options import config_from_options
from copi_np.experiments.preset_files import load_preset, preset_names
from copi_np.history import EpochRecord

EPOCHS = {
    "cifar10": 100, "cifar10-deep": 100, "mnist": 25, "mnist-5k": 12, "mnist-deep": 25, "mnist-journal": 25,
    "own-data": 25, "mnist-5k-online": 6, "digits-8x8": 20, "mnist-conv": 10, "cifar10-conv": 15,
}  # fmt: skip
BP = {"cifar10": 3e-3, "cifar10-deep": 3e-3, "own-data": 0.01, "mnist-5k-online": 6e-4, "digits-8x8": 0.3}
BP |= {"mnist-conv": 0.1, "cifar10-conv": 0.1}
"""Step size of plain gradient descent; 0.03 for the others."""
MOMENTUM = {"cifar10": 1e-3, "cifar10-deep": 1e-3, "own-data": 1e-3, "mnist-5k-online": 6e-5, "digits-8x8": 0.03}
MOMENTUM |= {"mnist-conv": 0.03, "cifar10-conv": 0.01}
"""The same with momentum; 0.01 for the others."""
ACTIVITY = {"mnist-5k": 0.1, "digits-8x8": 0.3, "mnist-conv": 0.1, "cifar10-conv": 0.03}
"""The same for activity perturbation; the other presets have none."""
SCALES = dict.fromkeys(("cifar10-deep", "mnist-deep", "mnist-journal", "mnist-5k", "mnist-5k-online"), 500) | {
    "own-data": 50,
    "digits-8x8": 300,
    "mnist-conv": 50,
    "cifar10-conv": 100,
}
"""Factor of the error signals; 1 for the others."""
SMALLER = {(name, method): 250 for name in ("mnist-5k", "mnist-5k-online") for method in ("copi-fa", "copi-dfa")}
SMALLER |= {("digits-8x8", method): 100 for method in ("copi-fa", "copi-dfa", "copi-tp", "fa-decor")}
SMALLER |= {("digits-8x8", "copi-dtp"): 30, ("digits-8x8", "copi-activity"): 200}
SMALLER |= {("cifar10-conv", method): 50 for method in ("copi-fa", "fa-decor", "copi-dfa")}
SMALLER |= {("cifar10-conv", method): 50 for method in ("copi-activity", "activity-decor")}
SMALLER |= {("mnist-conv", "copi-dfa"): 25, ("mnist-conv", "copi-node"): 1, ("cifar10-conv", "copi-node"): 1}
SMALLER |= {(name, "copi-node"): 10 for name in ("mnist-5k", "digits-8x8")}
SMALLER |= {(name, method): 50 for name, scale in SCALES.items() if scale == 500 for method in ("copi-dtp", "copi-tp")}
"""For methods that need smaller signals than COPI."""


@pytest.mark.parametrize("name", preset_names())
@pytest.mark.parametrize("method", METHODS)
def test_every_number_of_a_preset(name, method):
    values = load_preset(name, method)
    assert (values["epochs"], values["batch_size"]) == (EPOCHS[name], 1 if name == "mnist-5k-online" else 50)
    adam = {"digits-8x8": 3e-3, "mnist-conv": 1e-3, "cifar10-conv": 1e-3}.get(name, 1e-4)
    alone = {"activity": ACTIVITY[name]} if name in ACTIVITY else {}
    alone |= {"bp-adam": adam, "bp": BP.get(name, 0.03), "bp-momentum": MOMENTUM.get(name, 0.01)}
    if method in alone:
        assert (values["eta_W"], values["first_epochs"], values.get("delta_scale", 1)) == (alone[method], 0, 1)
        return
    rates = {"mnist": (0.1, 0.01, 0.01), "cifar10": (0.01, 0.001, 0.001), "mnist-5k-online": (2e-5, 0, 2e-5)}
    rates |= {"digits-8x8": (3e-3, 0, 3e-3), "mnist-conv": (0.01, 0, 0.01), "cifar10-conv": (0.01, 0, 0.01)}
    rates = rates.get(name, (1e-3, 0, 1e-3))
    assert (values["eta_W"], values["eta_R"]) == (rates[0], rates[0])
    assert (values["first_epochs"], values["first_eta_W"], values["first_eta_R"]) == (1, *rates[1:])
    assert values.get("delta_scale", 1) == SMALLER.get((name, method), SCALES.get(name, 1))


def test_every_data_set_has_its_preset():
    split = Split(np.zeros((4, 3072)), np.arange(4) % 2)
    expected = {name: name for name in ("mnist-5k", "digits-8x8", "mnist", "cifar10")} | {"fashion-mnist": "mnist"}
    for name, preset in (expected | {"own.npz": "own-data"}).items():
        data = Dataset(name, split, split, 2)
        config, _ = config_from_options({"method": "bp", "dataset": name}, lambda name, data=data: data)
        assert (config.epochs, config.eta_W) == (EPOCHS[preset], BP.get(preset, 0.03))


DEFAULTS = {
    "demo": {"out": "demo", "threads": 1, "backend": "auto"},
    "train": {"method": "copi-bp", "seed": 0, "threads": 1, "backend": "auto"},
    "reproduce": {"preset": "mnist", "seeds": 5, "threads": 1, "backend": "auto"},
    "sweep": {"preset": "mnist", "seeds": 5, "methods": "copi-bp", "backend": "auto"},
    "bench": {
        "network": "mnist", "batch_size": 50, "method": "copi-bp", "dtype": "float32", "rounds": 9, "threads": 1,
        "backend": "auto",
    },
}  # fmt: skip


@pytest.mark.parametrize("command", DEFAULTS)
def test_what_a_command_does_unless_told_otherwise(command):
    found = {parameter.name: parameter.default for parameter in main.commands[command].params}
    assert {name: str(found[name]) for name in DEFAULTS[command]} == {
        name: str(value) for name, value in DEFAULTS[command].items()
    }


@pytest.mark.parametrize(
    ("figure", "methods"), [("fig2", ["bp-adam", "bp-decor", "copi-bp", "copi-fa"]), ("fig3", ["copi-bp"])]
)
def test_figures_of_the_paper_compare_their_methods(tmp_path, monkeypatch, figure, methods):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plotting, "save_figure", lambda figure, path: path)
    write_tiny(tmp_path)
    (tmp_path / "tiny.toml").write_text("layers = [6, 4, 3]\nepochs = 1\neta_W = 0.01\neta_R = 0.01\n")
    options = ["--preset", "tiny.toml", "--dataset", "tiny.npz", "--seeds", "1", "--backend", "numpy"]
    result = CliRunner().invoke(main, ["reproduce", figure, *options, "--quiet"])
    assert result.exit_code == 0, result.output
    runs = (tmp_path / "reproduce" / "tiny_tiny" / "runs").iterdir()
    assert sorted(path.name.rpartition("_seed0")[0] for path in runs) == methods


def test_the_demo_measures_the_first_training_samples(monkeypatch):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(60, 4))
    inputs[20:] *= [9, 1, 1, 1]
    inputs[20:, 1] += inputs[20:, 0]
    network = Network([4, 3], rng=rng, dtype="float64")
    network.layers[0].R = rng.normal(size=(4, 4))
    monkeypatch.setattr(showing, "N_MONITORED", 20)
    split = Split(inputs, np.arange(60) % 3)

    def correlation(x):
        C = x.T @ x
        r = C / np.sqrt(np.outer(np.diag(C), np.diag(C)))
        return np.mean(np.abs(r[~np.eye(4, dtype=bool)]))

    first = inputs[:20]
    expected = (correlation(first), correlation(first @ network.layers[0].R.T))
    assert correlations(network, Dataset("x", split, split, 3)) == pytest.approx(expected)


def test_doctor_counts_what_it_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys.modules["copi_np.cli.doctor"], "n_cores", lambda: 97)
    assert examine()["cores"] == 97
    result = CliRunner().invoke(main, ["doctor"])
    assert "; 97 cores; " in " ".join(result.stdout.split())
    assert json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)["cores"] == 97
    assert n_cores() >= 1


@pytest.mark.parametrize("repeats", [1, 3])
def test_a_clock_counts_the_calls_it_times(monkeypatch, repeats):
    now, calls = [5.0], []
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def work():
        calls.append(None)
        now[0] += 2.0

    assert NumPyBackend().seconds(work, repeats) == 2.0 * repeats
    assert len(calls) == repeats


def test_the_accuracy_axis_begins_below_the_lowest_curve():
    """Of all methods and all splits, without the first epoch of each."""

    def history(train, test, val):
        return [
            EpochRecord(k, *pair[:2], 1.0, 1.0, [0.1], 1.0, pair[2], 1.0)
            for k, pair in enumerate(zip(train, test, val, strict=True), start=1)
        ]

    high = [0.1, 0.8, 0.9, 0.95]
    for k in range(3):
        splits = [high, high, high]
        splits[k] = [0.1, 0.5, 0.6, 0.7]
        for histories in (
            {"a": history(*splits), "b": history(high, high, high)},
            {"b": history(high, high, high), "a": history(*splits)},
        ):
            assert plotting.learning_curves(histories).axes[0].get_ylim() == pytest.approx((48, 97))
