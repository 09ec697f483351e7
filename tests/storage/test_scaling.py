"""Scaled inputs: as measured on the training samples, in every split, and kept with the network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.special import softmax
from sklearn.preprocessing import StandardScaler

from copi_np import DataError, Dataset, InputError, Network, Schedule, Split, fit, load_network, save_network
from copi_np.analysis import compress
from copi_np.cli import main
from copi_np.datasets import Scaling, as_float, hold_out
from copi_np.experiments.campaign import grid
from copi_np.experiments.config import RunConfig, run_name
from copi_np.experiments.figure3 import measure_figure3, record_figure3
from copi_np.experiments.prediction import predict
from copi_np.experiments.preset_files import load_preset
from copi_np.experiments.records import read_run
from copi_np.experiments.runner import prepared, train, train_into
from copi_np.experiments.samples import Samples
from copi_np.experiments.trained import Trained
from copi_np.export import export_onnx
from copi_np.storage.npz import read_npz, write_npz

LABELS = np.arange(60) % 3


def made_up(highest=16.0, dtype=np.float64, n_inputs=6, seed=0, **changes):
    """Grey levels from 0 to `highest`, in which the class is easy to see; the first feature is constant."""
    rng = np.random.default_rng(seed)
    shape = (len(LABELS), n_inputs)
    parts = []
    for size in (1.0, 1.2):  # the test samples are larger, so that they cannot have been measured
        inputs = highest * (0.2 * rng.random(shape) + 0.6 * np.eye(3, n_inputs)[LABELS]) * size
        inputs[:, 0] = 0.3 * highest
        parts.append(Split(inputs.astype(dtype), LABELS))
    return Dataset("made up", *parts, 3, **changes)


# ---------------------------------------------------------------------------------------------------- the numbers


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_standardised_features_are_those_of_scikit_learn(dtype):
    data = made_up(dtype=dtype)
    scaler = StandardScaler().fit(as_float(data.train.inputs, np.float64))
    scaled = data.scaled("standardize")
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    for split, raw in (("train", data.train), ("test", data.test)):
        found = scaled.splits[split]
        expected = scaler.transform(as_float(raw.inputs, np.float64))
        np.testing.assert_allclose(found.inputs, expected, rtol=tolerance, atol=tolerance)
        assert found.inputs.dtype == (np.float64 if dtype == np.float64 else np.float32)
        assert found.labels is raw.labels
    assert np.abs(scaled.train.inputs[:, 0]).max() < 1e-12  # constant
    np.testing.assert_allclose(scaled.train.inputs[:, 1:].std(axis=0), 1, rtol=1e-5)
    assert abs(scaled.test.inputs[:, 1:].mean()) > 0.1


def test_a_unit_is_the_largest_value_of_the_training_samples():
    data = made_up()
    scaled = data.scaled("unit")
    assert np.abs(scaled.train.inputs).max() == 1
    np.testing.assert_array_equal(scaled.train.inputs, data.train.inputs / data.train.inputs.max())
    np.testing.assert_array_equal(scaled.test.inputs, data.test.inputs / data.train.inputs.max())
    train = Split(np.array([[0.0, -8.0], [4.0, 0.0]]), np.array([0, 1]))
    assert Dataset("d", train, train, 2).scaled("unit").train.inputs.tolist() == [[0, -1], [0.5, 0]]
    zeros = Split(np.zeros((2, 2)), np.array([0, 1]))
    for how in ("unit", "standardize"):
        assert not Dataset("d", zeros, zeros, 2).scaled(how).train.inputs.any()


def test_more_samples_than_are_converted_at_a_time():
    inputs = np.random.default_rng(0).normal(3, 2, (10_001, 2))
    data = Dataset("d", Split(inputs, np.arange(10_001) % 2), Split(inputs[:2], np.array([0, 1])), 2)
    expected = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    np.testing.assert_allclose(data.scaled("standardize").train.inputs, expected, rtol=1e-9, atol=1e-12)


def test_rounding_errors_are_no_variance():
    """The mean of ten times 0.1 is not exactly 0.1, and one more 0.1 must not become a large number."""
    inputs = np.column_stack([np.full(10, 0.1), np.full(10, 1e6 + 0.1), np.arange(10.0)])
    test = inputs[:2] + np.array([1e-12, 0, 0])
    data = Dataset("d", Split(inputs, np.arange(10) % 2), Split(test, np.array([0, 1])), 2)
    assert np.abs(data.scaled("standardize").test.inputs[:, :2]).max() < 1e-9


def test_held_out_samples_are_scaled_but_not_measured():
    data = hold_out(made_up(), 0.5, np.random.default_rng(0))
    scaled = data.scaled("standardize")
    expected = (data.validation.inputs - data.train.inputs.mean(axis=0))[:, 1:] / data.train.inputs.std(axis=0)[1:]
    np.testing.assert_allclose(scaled.validation.inputs[:, 1:], expected)


def test_a_scaling_can_be_applied_elsewhere():
    data, other = made_up(), made_up(seed=1)
    scaling = data.scaled("standardize").scaling
    np.testing.assert_array_equal(other.scaled(scaling).train.inputs, scaling.apply(other.train.inputs))
    with pytest.raises(InputError, match="the scaling is for 6 features, but data set 'made up' has 7"):
        made_up(n_inputs=7).scaled(scaling)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda data: data.scaled("standardise"), "unknown scaling 'standardise': did you mean 'standardize'?"),
        (lambda data: data.scaled("unit").scaled("unit"), "'made up' is already scaled: scale the original"),
        (lambda data: Scaling(np.zeros(2), np.array([1.0, 0.0])), "needs finite shifts and positive scales"),
        (lambda data: Scaling(np.array([np.nan]), np.ones(1)), "needs finite shifts and positive scales"),
        (lambda data: made_up(highest=1e300).scaled("standardize"), "needs finite shifts and positive scales"),
    ],
)
def test_a_scaling_that_makes_no_sense_is_refused(call, message):
    with pytest.raises(InputError, match=message.replace("?", r"\?")):
        call(made_up())


# ------------------------------------------------------------------------------------------ kept with the network


def trained(data, **options):
    network = Network([6, 5, 4, 3], rng=np.random.default_rng(1), **options)
    fit(network, data, epochs=3, schedule=Schedule(eta=0.02), rng=np.random.default_rng(2), batch_size=5)
    return network


def test_a_network_keeps_the_scaling_it_was_trained_with(tmp_path):
    data = made_up()
    network = trained(data.scaled("standardize"))
    save_network(tmp_path / "net.npz", network)
    loaded, _ = load_network(tmp_path / "net.npz")
    np.testing.assert_array_equal(loaded.scaling.shift, data.train.inputs.mean(axis=0))
    np.testing.assert_array_equal(loaded.scaling.scale[1:], data.train.inputs.std(axis=0)[1:])
    expected = network.predict(as_float(data.scaled("standardize").test.inputs, "float32"))
    np.testing.assert_array_equal(loaded.predict(as_float(loaded.scaling.apply(data.test.inputs), "float32")), expected)
    assert compress(loaded, loaded.backend.asarray(data.test.inputs, "float32"), 2).scaling is loaded.scaling
    arrays = read_npz(tmp_path / "net.npz", "")
    assert json.loads(str(arrays["header"]))["schema"] == 3  # an earlier version would forget the scaling
    # what it learns from next counts
    fit(loaded, data.scaled("unit"), epochs=1, schedule=Schedule(eta=0.02), rng=np.random.default_rng(2))
    assert not loaded.scaling.shift.any()


def test_without_scaling_a_file_is_as_before(tmp_path):
    network = trained(made_up(highest=1))
    assert network.scaling is None
    save_network(tmp_path / "net.npz", network)
    arrays = read_npz(tmp_path / "net.npz", "")
    assert json.loads(str(arrays["header"]))["schema"] == 2
    assert not [name for name in arrays if name.startswith("input_")]
    assert load_network(tmp_path / "net.npz")[0].scaling is None


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"input_shift": np.zeros(5)}, "holds input_shift of"),
        ({"input_scale": np.zeros(6)}, "positive scales"),
        ({"input_scale": np.full(6, np.nan)}, "finite shifts and positive scales"),
        ({"input_scale": np.ones(6, int)}, "holds input_scale of int64 instead of floats"),
        ({"input_scale": None}, "damaged, or not a checkpoint"),
    ],
)
def test_a_damaged_scaling_is_refused(tmp_path, changes, error):
    from copi_np.checkpoint import content_digest

    save_network(tmp_path / "net.npz", trained(made_up().scaled("unit")))
    arrays = read_npz(tmp_path / "net.npz", "") | changes
    arrays = {name: value for name, value in arrays.items() if value is not None and name != "sha256"}
    header = json.loads(str(arrays["header"]))
    header["arrays"] = sorted(name for name in arrays if name != "header")
    arrays["header"] = np.array(json.dumps(header))
    write_npz(tmp_path / "net.npz", arrays | {"sha256": np.array(content_digest(arrays))})
    with pytest.raises((DataError, InputError), match=error):
        load_network(tmp_path / "net.npz")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_exported_network_scales_its_inputs_itself(tmp_path, dtype):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    data = made_up()
    network = trained(data.scaled("standardize"), dtype=dtype)
    export_onnx(tmp_path / "net.onnx", network)
    (outputs,) = runtime.InferenceSession(tmp_path / "net.onnx").run(None, {"inputs": data.test.inputs.astype(dtype)})
    expected = network.predict(as_float(network.scaling.apply(data.test.inputs), dtype))
    np.testing.assert_allclose(outputs, expected, atol=1e-4 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("how", ["unit", "standardize"])
def test_prediction_takes_raw_samples(how):
    data = made_up()
    network = trained(data.scaled(how), loss="cross_entropy", dtype="float64")
    samples = Samples(data.test.inputs, data.test.labels)
    prediction = predict(Trained(network, Path("net.npz"), None, None), samples, probabilities=True)
    logits = network.predict(data.scaled(how).test.inputs)
    np.testing.assert_allclose(prediction.probabilities, softmax(logits, axis=1), rtol=1e-12)
    np.testing.assert_array_equal(prediction.labels, logits.argmax(axis=1))


# --------------------------------------------------------------------------------------------------------- of runs


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with grey levels from 0 to 16, on which the preset's step sizes diverge."""
    monkeypatch.chdir(tmp_path)
    data = made_up(n_inputs=64)
    arrays = {"x_train": data.train.inputs, "y_train": data.train.labels}
    np.savez("grey.npz", **arrays, x_test=data.test.inputs, y_test=data.test.labels)
    return tmp_path


def command(*arguments):
    return CliRunner().invoke(main, list(arguments))


TRAIN = (
    "train",
    "--dataset",
    "grey.npz",
    "--layers",
    "64,10,3",
    "--batch-size",
    "5",
    "--eta-w",
    "0.0001",
    "--eta-r",
    "0.02",
)


@pytest.mark.parametrize("options", [("--standardize",), ("--scale", "standardize"), ("--scale", "unit")])
def test_training_on_scaled_inputs_from_the_command_line(place, options):
    raw = command(*TRAIN, "--epochs", "3", "--out", "raw")
    assert raw.exit_code == 2
    assert "the inputs have a root mean square of" in raw.stderr
    assert "--standardize" in raw.stderr
    result = command(*TRAIN, "--epochs", "3", "--out", "run", "--val-fraction", "0.2", *options)
    assert result.exit_code == 0, result.stderr
    record = json.loads((place / "run" / "run.json").read_text())
    assert record["config"]["scale"] == options[-1].removeprefix("--")
    # prediction takes raw samples, and scales them in the same way
    accuracy = json.loads(command("predict", "run", "grey.npz", "--json").stdout)["accuracy"]
    history = [json.loads(line) for line in (place / "run" / "history.jsonl").read_text().splitlines()]
    best = max(history, key=lambda each: (each["val_accuracy"], -each["epoch"]))
    assert accuracy == best["test_accuracy"]
    assert command("train", "--resume", "run", "--epochs", "4").exit_code == 0
    refused = command("train", "--resume", "run", "--standardize")
    assert "leave out --scale" in refused.stderr


def test_an_unknown_scale_is_refused(place):
    result = command(*TRAIN, "--scale", "standardise")
    assert result.exit_code == 2
    assert (
        result.stderr
        == "Error: unknown scale 'standardise': did you mean 'standardize'? known: none, standardize, unit\n"
    )


def test_presets_and_sweeps_scale_too(place):
    (place / "mine.toml").write_text("layers = [64, 3]\nepochs = 1\neta = 0.01\nscale = 'unit'")
    assert load_preset("mine.toml", "copi-bp")["scale"] == "unit"
    data = made_up(n_inputs=64)
    options = {"preset": "mine.toml", "dataset": "grey.npz"}
    configs, _ = grid(options, ["copi-bp"], [0], lambda _: data, {"scale": ["none", "standardize"]})
    assert [config.scale for config in configs] == ["none", "standardize"]
    out = ("--preset", "mine.toml", "--dataset", "grey.npz", "--seeds", "1")
    result = command("reproduce", "fig2", "--methods", "copi-bp", *out, "--standardize", "--out", "one")
    assert result.exit_code == 0, result.stderr
    (run,) = (place / "one" / "runs").iterdir()
    assert read_run(run).config.scale == "standardize"
    pytest.importorskip("distributed")
    result = command("sweep", *out, "--vary", "scale=unit,standardize", "--workers", "1", "--out", "two")
    assert result.exit_code == 0, result.stderr
    assert "COPI (BP), scale=standardize" in result.stdout


def test_unscaled_runs_keep_their_names_and_records():
    data = made_up()
    config = RunConfig("copi-bp", "made up", (6, 5, 3), 1, 0.01, 0.01)
    assert "scale" not in config.as_dict()
    scaled = RunConfig("copi-bp", "made up", (6, 5, 3), 1, 0.01, 0.01, scale="unit")
    assert run_name(scaled, data) != run_name(config, data)
    assert RunConfig.from_dict(scaled.as_dict()) == scaled


def test_a_run_measures_its_scale_on_what_it_trains_on():
    data = made_up()
    config = RunConfig("copi-bp", "made up", (6, 5, 3), 1, 0.01, 0.01, val_fraction=0.5, scale="standardize")
    splits = prepared(config, data)
    assert splits.validation is not None
    np.testing.assert_allclose(splits.train.inputs[:, 1:].mean(axis=0), 0, atol=1e-12)
    assert np.abs(splits.validation.inputs[:, 1:].mean(axis=0)).max() > 1e-3
    network, _ = train(config, data, "numpy")
    np.testing.assert_array_equal(network.scaling.shift, splits.scaling.shift)


def test_figure_3_is_of_scaled_inputs(tmp_path):
    data = made_up()
    config = RunConfig("copi-bp", "made up", (6, 5, 5, 3), 2, 0.01, 0.01, scale="standardize", dtype="float64")
    train_into(tmp_path, config, data, "numpy")
    record_figure3(tmp_path, data, "numpy")
    measures = json.loads((tmp_path / "figure3.json").read_text())
    network, _ = load_network(tmp_path / "checkpoint.npz")
    expected = measure_figure3(network, data.scaled("standardize"))
    assert measures["correlations"] == pytest.approx(expected["correlations"])
    assert measures["likeness"] == pytest.approx(expected["likeness"])
