"""Convolutions on the command line, in presets and in records of runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from copi_np import Dataset, InputError, Split, load_dataset, load_network
from copi_np.cli import main
from copi_np.experiments.campaign import grid, perform
from copi_np.experiments.config import RunConfig, run_name
from copi_np.experiments.diagnostics import read_diagnostics
from copi_np.experiments.figure3 import record_figure3
from copi_np.experiments.options import parse_layers, parse_variation
from copi_np.experiments.preset_files import load_preset
from copi_np.experiments.runner import train_into

LAYERS = ("conv3k3p1", "pool2", "conv4k2", 3)
VALUES = {"method": "copi-bp", "dataset": "tiny.npz", "epochs": 2, "eta_W": 0.01, "eta_R": 0.02}


@pytest.fixture(autouse=True)
def images(tmp_path, monkeypatch):
    """Coloured images of 6 x 8 pixels in three classes, channels first."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    arrays = {"x_train": rng.random((30, 2, 6, 8)), "y_train": np.arange(30) % 3}
    np.savez("tiny.npz", **arrays, x_test=rng.random((9, 2, 6, 8)), y_test=np.arange(9) % 3)


def run(*arguments):
    return CliRunner().invoke(main, [*arguments, "--quiet"])


TRAIN = ("train", "--dataset", "tiny.npz", "--layers", "conv3k3s2p1,conv4k2,3", "--backend", "numpy", "--out", "run")


def test_layers_by_text_train_and_resume_with_the_same_result():
    assert run(*TRAIN, "--epochs", "2").exit_code == 0
    config = json.loads(Path("run/run.json").read_text())["config"]
    assert (config["layers"], config["image_shape"]) == (["conv3k3s2p1", "conv4k2", 3], [2, 6, 8])
    result = run("train", "--resume", "run", "--epochs", "3", "--backend", "numpy")
    assert result.exit_code == 0, result.output
    whole = run(*TRAIN[:-1], "whole", "--epochs", "3")
    assert whole.exit_code == 0, whole.output
    one, other = (load_network(f"{folder}/checkpoint.npz")[0] for folder in ("run", "whole"))
    for a, b in zip(one.layers, other.layers, strict=True):
        np.testing.assert_array_equal(a.W, b.W)
        np.testing.assert_array_equal(a.R, b.R)


def test_a_run_is_measured_exported_and_used():
    config = RunConfig(**VALUES, layers=LAYERS, image_shape=(2, 6, 8))
    train_into("run", config, load_dataset("tiny.npz"), "numpy", diagnostics=True)
    assert [len(snapshot.layers) for snapshot in read_diagnostics("run")] == [3, 3, 3]
    with pytest.raises(InputError, match="Figure 3 is of dense networks"):
        record_figure3("run", load_dataset("tiny.npz"), "numpy")
    pytest.importorskip("onnx")
    result = CliRunner().invoke(main, ["export", "run", "net.onnx"])
    assert result.exit_code == 0, result.output
    assert "96 inputs in float32, 3 outputs" in result.output
    result = CliRunner().invoke(main, ["predict", "run", "tiny.npz", "--out", "labels.csv"])
    assert result.exit_code == 0, result.output


def test_a_preset_holds_layers_and_takes_inputs_and_outputs_of_the_data():
    text = 'layers = ["conv3k3", "pool2", 5, 10]\nepochs = 1\neta_W = 0.01\neta_R = 0.01\n'
    Path("conv.toml").write_text(text)
    result = run("train", "--preset", "conv.toml", "--dataset", "tiny.npz", "--backend", "numpy", "--out", "run")
    assert result.exit_code == 0, result.output
    config = json.loads(Path("run/run.json").read_text())["config"]
    assert (config["layers"], config["image_shape"]) == (["conv3k3", "pool2", 5, 3], [2, 6, 8])
    Path("conv.toml").write_text("image_shape = [2, 6, 8]\n" + text)
    assert RunConfig(dataset="tiny.npz", **load_preset("conv.toml", "bp")).image_shape == (2, 6, 8)
    options = ("--preset", "conv.toml", "--dataset", "tiny.npz", "--layers", "96,3", "--backend", "numpy")
    dense = run("train", *options, "--out", "dense")
    assert dense.exit_code == 0, dense.output
    assert "image_shape" not in json.loads(Path("dense/run.json").read_text())["config"]


CONV = 'layers = ["conv3k3", "pool2", 10]\nimage_shape = [2, 6, 8]\nepochs = 1\neta_W = 0.01\neta_R = 0.01\n'


def test_flat_data_have_the_shape_of_the_preset():
    Path("conv.toml").write_text(CONV)
    arrays = dict(np.load("tiny.npz"))
    np.savez(
        "flat.npz", **{name: each.reshape(len(each), -1) if each.ndim > 1 else each for name, each in arrays.items()}
    )
    for name in ("tiny", "flat"):
        result = run("train", "--preset", "conv.toml", "--dataset", f"{name}.npz", "--backend", "numpy", "--out", name)
        assert result.exit_code == 0, result.output
    one, other = (load_network(f"{name}/checkpoint.npz")[0] for name in ("tiny", "flat"))
    np.testing.assert_array_equal(one.layers[0].W, other.layers[0].W)
    Path("conv.toml").write_text(CONV.replace("6, 8", "6, 6"))
    result = run("train", "--preset", "conv.toml", "--dataset", "flat.npz", "--backend", "numpy", "--out", "other")
    assert result.exit_code == 2
    assert "but 'flat.npz' has no image_shape: store its inputs as (N, channels, height, width)" in result.output


def test_sweeps_vary_layers():
    """From dense layers to convolutions, and back; tables tell the networks apart by their layers."""
    Path("dense.toml").write_text("layers = [96, 5, 3]\nepochs = 1\neta_W = 0.01\neta_R = 0.01\n")
    Path("conv.toml").write_text(CONV)
    found = []
    vary = dict([parse_variation("layers=conv3k3s2-3,96-4-3,conv3k3-pool2-3,96-10-3")])
    for preset in ("dense.toml", "conv.toml"):
        options = {"preset": preset, "dataset": "tiny.npz"}
        configs, data = grid(options, ["copi-bp"], [0], load_dataset, vary)
        assert [config.image_shape for config in configs] == [(2, 6, 8), None, (2, 6, 8), None]
        found.append([run_name(config, data) for config in configs])
    assert found[0] == found[1]
    outcomes = [perform("out", config, data, "numpy") for config in configs]
    assert [outcome.failure for outcome in outcomes] == [None] * 4
    result = CliRunner().invoke(main, ["report", "out"])
    assert result.exit_code == 0, result.output
    lines = [line for line in Path("out/table.md").read_text().splitlines() if "COPI (BP)" in line]
    for line, layers in zip(lines, ["96-4-3", "96-10-3", "conv3k3-pool2-3", "conv3k3s2-3"], strict=False):
        assert layers in line
    assert "image_shape" not in Path("out/table.md").read_text()


def test_figure_2_is_of_convolutions_too_and_figure_3_is_not():
    Path("conv.toml").write_text(CONV)
    fixed = ("--preset", "conv.toml", "--dataset", "tiny.npz", "--seeds", "1", "--backend", "numpy")
    result = run("reproduce", "fig2", *fixed, "--methods", "copi-bp,bp-adam", "--out", "fig2")
    assert result.exit_code == 0, result.output
    assert "conv3k3-pool2-3" in Path("fig2/table.md").read_text()
    result = run("reproduce", "fig3", *fixed, "--out", "fig3")
    assert result.stderr == "Error: Figure 3 is of dense networks: choose fig2, or a preset without convolutions\n"
    assert not Path("fig3").exists()


@pytest.mark.parametrize("method", ["copi-tp", "copi-dtp"])
@pytest.mark.parametrize("command", ["train", "sweep", "reproduce"])
def test_methods_for_dense_layers_are_refused_in_one_line(command, method):
    Path("conv.toml").write_text(CONV)
    options = ["--preset", "conv.toml", "--dataset", "tiny.npz"]
    chosen = ["--method", method] if command == "train" else ["--methods", f"copi-bp,{method}"]
    result = run(command, *(["fig2"] if command == "reproduce" else []), *options, *chosen)
    assert result.exit_code == 2
    label = {"copi-tp": "COPI (TP)", "copi-dtp": "COPI (DTP)"}[method]
    message = "works with dense layers only: choose another method for convolutions, such as copi-bp"
    assert result.stderr == f"Error: {label} {message}\n"
    result = run("train", *options, "--error-signal", "tp")
    assert result.stderr == f"Error: COPI (BP), error signal tp {message}\n"


def test_records_hold_the_layers_and_runs_are_named_by_them():
    config = RunConfig(**VALUES, layers=LAYERS, image_shape=(2, 6, 8))
    values = json.loads(json.dumps(config.as_dict()))
    assert RunConfig.from_dict(values) == config
    split = Split(np.zeros((4, 96)), np.arange(4) % 3)
    data = Dataset("tiny", split, split, 3, (2, 6, 8))
    others = [
        RunConfig(**VALUES, layers=LAYERS, image_shape=(2, 6, 12)),
        RunConfig(**VALUES, layers=("conv3k3p1", "pool2", "conv5k2", 3), image_shape=(2, 6, 8)),
    ]
    assert len({run_name(each, data) for each in (config, *others)}) == 3
    assert "image_shape" not in RunConfig(**VALUES, layers=(96, 3)).as_dict()


def test_text_of_layers():
    assert parse_layers("conv32k5s2,conv64k3,pool2,10") == ("conv32k5s2", "conv64k3", "pool2", 10)
    assert parse_layers("conv32k5s2-10") == ("conv32k5s2", 10)
    assert parse_variation("layers=conv3k3-10,96-10") == ("layers", [("conv3k3", 10), (96, 10)])
    with pytest.raises(InputError, match="layers holds 'conv3': write conv32k5s2p1"):
        parse_layers("conv3,10")
    with pytest.raises(InputError, match="unknown hyper-parameter 'image_shape'"):
        parse_variation("image_shape=1-28-28")


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("conv3k9,3", "a kernel of 9 x 9 does not fit into 6 x 8 pixels"),
        ("conv3k2,pool3,3", "squares of 3 x 3 do not cover 5 x 7 pixels"),
    ],
)
def test_layers_that_do_not_fit_the_images_are_refused(layers, message):
    result = CliRunner().invoke(main, ["train", "--dataset", "tiny.npz", "--layers", layers, "--out", "run"])
    assert result.exit_code != 0
    assert message in result.output


@pytest.mark.parametrize("shape", [None, (96,), (6, 8, 2)])
def test_data_without_channels_first_are_refused(shape):
    split = Split(np.zeros((4, 96)), np.arange(4) % 3)
    with pytest.raises(InputError, match=r"convolutions need images of \(channels, height, width\), but 'tiny' has"):
        RunConfig(**VALUES, layers=LAYERS).for_data(Dataset("tiny", split, split, 3, shape))
