"""`eta` in presets, in options of train and in sweeps: it sets eta_W and eta_R, which are what runs record."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from tiny import write_tiny

from copi_np import DataError, InputError
from copi_np.cli import main
from copi_np.datasets import load_dataset
from copi_np.experiments.campaign import grid
from copi_np.experiments.config import RunConfig, run_name
from copi_np.experiments.options import config_from_options, parse_variation, parse_variations
from copi_np.experiments.preset_files import load_preset

HEAD = "layers = [6, 5, 3]\nepochs = 2\n"


@pytest.fixture
def data(tmp_path):
    return load_dataset(write_tiny(tmp_path))


def preset(tmp_path, text, method="copi-bp"):
    (tmp_path / "mine.toml").write_text(HEAD + text)
    values = load_preset(str(tmp_path / "mine.toml"), method)
    return [values.get(name) for name in ("eta_W", "eta_R", "first_eta_W", "first_eta_R")]


def test_a_preset_may_set_both_rates_at_once(tmp_path):
    assert preset(tmp_path, "eta = 0.1\nfirst_epochs = 1\nfirst_eta = 0.01") == [0.1, 0.1, 0.01, 0.01]
    tables = "eta = 0.1\n[methods.bp]\neta_W = 0.3\n[methods.copi-fa]\neta = 0.2"
    assert preset(tmp_path, tables, "bp") == [0.3, 0.1, None, None]
    assert preset(tmp_path, tables, "copi-fa") == [0.2, 0.2, None, None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("eta = 0.1\neta_R = 0.1", "mine.toml': eta sets both eta_W and eta_R: leave out eta, or eta_R"),
        ("eta = 'fast'", "mine.toml': eta must be a finite number, at least 0, got 'fast'"),
        ("eta = 1\n[methods.copi-bp]\neta = 1\neta_W = 1", "mine.toml': eta sets both"),
        ("etta = 1", "unknown key 'etta': did you mean 'eta'"),
    ],
)
def test_a_preset_that_sets_a_rate_twice_is_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        preset(tmp_path, text)


def test_a_run_is_the_same_whichever_way_its_rates_were_given(data):
    options = {"dataset": data.name, "seed": 0, "preset": "mnist"}
    both, _ = config_from_options({**options, "method": "copi-bp", "eta": 0.03}, lambda _: data)
    each, _ = config_from_options({**options, "method": "copi-bp", "eta_w": 0.03, "eta_r": 0.03}, lambda _: data)
    assert (both.eta_W, both.eta_R, both.first_eta_W, both.first_eta_R) == (0.03,) * 4
    assert run_name(both, data) == run_name(each, data)
    # without lateral weights, there is only one rate to set
    both, _ = config_from_options({**options, "method": "bp", "eta": 0.03}, lambda _: data)
    each, _ = config_from_options({**options, "method": "bp", "eta_w": 0.03}, lambda _: data)
    assert both == each


@pytest.mark.parametrize("other", ["--eta-w", "--eta-r"])
def test_train_refuses_a_rate_that_is_given_twice(data, other):
    result = CliRunner().invoke(main, ["train", "--dataset", data.name, "--eta", "0.1", other, "0.1"])
    assert result.exit_code == 2
    assert result.stderr == f"Error: --eta sets both step sizes: leave out --eta, or {other}\n"


def test_train_records_both_rates(data, tmp_path):
    arguments = ["train", "--dataset", data.name, "--eta", "0.02", "--epochs", "1", "--out", str(tmp_path / "run")]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    config = json.loads((tmp_path / "run" / "run.json").read_text())["config"]
    assert (config["eta_W"], config["eta_R"], config["first_eta_W"], config["first_eta_R"]) == (0.02, 0.02, 0, 0.02)
    assert "eta" not in config


def test_a_sweep_varies_both_rates_together(data):
    assert parse_variation("eta=1e-4, 1e-3") == ("eta", [1e-4, 1e-3])
    assert parse_variation("first_eta=0.1") == ("first_eta", [0.1])
    options = {"preset": "own-data", "dataset": data.name, "layers": "6,5,3"}
    configs, _ = grid(options, ["copi-bp", "bp"], [0], lambda _: data, {"eta": [1e-4, 1e-3]})
    rates = {(config.method, config.eta_W, config.eta_R) for config in configs}
    # bp has no lateral weights, so that their rate stays the preset's
    assert rates == {("copi-bp", 1e-4, 1e-4), ("copi-bp", 1e-3, 1e-3), ("bp", 1e-4, 1e-3), ("bp", 1e-3, 1e-3)}
    apart, _ = grid(options, ["copi-bp"], [0], lambda _: data, {"eta_W": [1e-4], "eta_R": [1e-4]})
    assert apart == [config for config in configs if config.method == "copi-bp" and config.eta_W == 1e-4]


def test_a_sweep_refuses_a_rate_that_is_varied_twice():
    with pytest.raises(InputError, match="eta sets both eta_W and eta_R: leave out eta, or eta_W"):
        parse_variations(["eta=0.1", "eta_W=0.1,0.2"])
    with pytest.raises(InputError, match="cannot read 'eta=fast': give values such as eta="):
        parse_variation("eta=fast")


def test_names_of_recorded_runs_are_as_before(data):
    """The name of this run was recorded before there was `eta`."""
    config = RunConfig("copi-bp", data.name, (6, 5, 3), 3, 0.05, 0.05, first_epochs=1, first_eta_R=0.05)
    assert run_name(config, data) == "copi-bp_seed0_321760c6e2"
