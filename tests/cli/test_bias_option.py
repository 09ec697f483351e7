"""Biases on the command line, in presets and in sweeps: they arrive in networks, records, names of runs and labels."""

from __future__ import annotations

import json

import numpy as np
import pytest
from commands import call
from tiny import write_tiny

from copi_np import DataError, InputError, load_dataset, load_network
from copi_np.experiments.config import RunConfig, run_name
from copi_np.experiments.options import config_from_options, parse_variation
from copi_np.experiments.preset_files import load_preset
from copi_np.experiments.records import read_run
from copi_np.experiments.runner import train
from copi_np.experiments.summary import group_runs

VALUES = {"method": "copi-bp", "layers": (6, 4, 3), "epochs": 1, "eta_W": 0.01, "eta_R": 0.01}


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return load_dataset(write_tiny(tmp_path).name)


def call_train(*words, out="run"):
    return call("train", "--dataset", "tiny.npz", "--layers", "6,4,3", "--backend", "numpy", "--out", out, *words)


def test_the_option_reaches_network_record_and_message(tmp_path):
    result = call_train("--bias", "--epochs", 2)
    assert result.exit_code == 0, result.output
    assert "(copi-bp, bias on tiny.npz)" in result.stdout
    run = read_run(tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["config"]["bias"] is True
    assert run.config.bias is True
    assert run.config.label.endswith(", bias")
    network, _ = load_network(tmp_path / "run" / "checkpoint.npz")
    assert [layer.W.shape for layer in network.layers] == [(4, 7), (3, 5)]
    assert call("train", "--resume", "run", "--epochs", 3).exit_code == 0
    assert len(read_run(tmp_path / "run").history) == 3


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path):
    assert call_train("--bias", "--epochs", 3, out="whole").exit_code == 0
    assert call_train("--bias", "--epochs", 1, out="parts").exit_code == 0
    assert call("train", "--resume", "parts", "--epochs", 3).exit_code == 0
    whole, parts = (load_network(tmp_path / name / "checkpoint.npz")[0] for name in ("whole", "parts"))
    for one, other in zip(whole.layers, parts.layers, strict=True):
        np.testing.assert_array_equal(one.W, other.W)
        np.testing.assert_array_equal(one.R, other.R)


def test_without_the_option_nothing_is_recorded_and_no_run_is_renamed(tmp_path, data):
    for words in ([], ["--no-bias"]):
        assert call_train(*words, out=f"run{len(words)}").exit_code == 0
        assert "bias" not in json.loads((tmp_path / f"run{len(words)}" / "run.json").read_text())["config"]
    plain, biased = (RunConfig(dataset="tiny.npz", **VALUES, bias=bias) for bias in (False, True))
    assert "bias" not in plain.as_dict()
    assert run_name(plain, data) != run_name(biased, data)
    assert run_name(RunConfig(dataset="mnist-5k", **VALUES), load_dataset("mnist-5k")) == "copi-bp_seed0_4a7331e5f0"
    assert RunConfig.from_dict(biased.as_dict()) == biased


def test_a_preset_may_set_it_and_an_option_overrules_it(tmp_path):
    (tmp_path / "own.toml").write_text("layers = [6, 4, 3]\nepochs = 1\neta_W = 0.01\neta_R = 0.01\nbias = true\n")
    assert load_preset("own.toml", "copi-bp")["bias"] is True
    options = {"method": "copi-bp", "preset": "own.toml", "dataset": "tiny.npz", "seed": 0}
    for given, expected in ((None, True), (True, True), (False, False)):
        assert config_from_options(options | {"bias": given}, load_dataset)[0].bias is expected
    for wrong in ('"yes"', "1"):
        (tmp_path / "own.toml").write_text(f"layers = [6, 4, 3]\nepochs = 1\neta_W = 1\neta_R = 1\nbias = {wrong}\n")
        with pytest.raises(DataError, match=r"preset 'own.toml': bias must be True or False, got"):
            load_preset("own.toml", "copi-bp")


@pytest.mark.parametrize("wrong", [1, "true", None])
def test_a_configuration_refuses_anything_else(wrong):
    with pytest.raises(InputError, match="bias must be True or False, got"):
        RunConfig(dataset="tiny.npz", **VALUES, bias=wrong)


def test_a_sweep_may_vary_it(tmp_path):
    assert parse_variation("bias=true,False") == ("bias", [True, False])
    for wrong in ("bias=yes", "bias=1", "bias="):
        with pytest.raises(InputError, match=f"cannot read '{wrong}': give values such as bias=false,true"):
            parse_variation(wrong)
    words = ["--preset", "own-data", "--dataset", "tiny.npz", "--epochs", 1, "--seeds", 1]
    words += ["--vary", "bias=false,true"]
    result = call("sweep", *words, "--out", "sweep", "--backend", "numpy", "--workers", 1)
    assert result.exit_code == 0, result.output
    runs = [read_run(folder) for folder in sorted((tmp_path / "sweep" / "runs").iterdir())]
    labels = [group.label for group in group_runs(runs)]
    assert labels == ["COPI (BP)", "COPI (BP), bias"]
    for label in labels:
        assert label in result.stdout


def test_figure_3_of_a_network_with_biases(tmp_path, data):
    from copi_np.experiments.figure3 import measure_figure3, whitened_samples

    config = RunConfig(dataset="tiny.npz", **VALUES | {"layers": (6, 5, 4, 3)}, bias=True)
    network, _ = train(config, data, "numpy")
    measures = measure_figure3(network, data)
    assert measures["formula"]["test_accuracy"][0] == measures["least squares"]["test_accuracy"][0]
    x = network.forward(np.float32(data.train.inputs)).x[0][:, :-1]
    C = x.T @ x
    r = np.abs(C / np.sqrt(np.outer(np.diag(C), np.diag(C))))
    assert measures["correlations"][0] == pytest.approx((r.sum() - 6) / 30, rel=1e-5)
    rows = whitened_samples(network, data, data.test.inputs[:4])
    np.testing.assert_allclose(rows["COPI"], network.forward(np.float32(data.test.inputs[:4])).x[0][:, :-1])
