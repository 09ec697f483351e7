"""Losses and activations of runs: from the command line, presets and sweeps, recorded, resumed, and of your own."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from commands import call
from tiny import write_tiny

from copi_np import DataError, InputError, Network, Schedule, fit, load_dataset, load_network
from copi_np.activations import Activation, tanh, tanh_derivative
from copi_np.experiments.config import RunConfig, run_name
from copi_np.experiments.records import find_runs, read_run
from copi_np.experiments.runner import train, train_into

CODE = """
import numpy as np
from copi_np.activations import Activation
from copi_np.losses import Loss

softplus = Activation("softplus", lambda a: np.log1p(np.exp(a)), lambda a: 1 / (1 + np.exp(-a)))
absolute = Loss("absolute", lambda y, t: np.abs(y - t).sum(axis=1), lambda y, t: np.sign(y - t))


def halved(a):
    return a / 2
"""
PRESET = "layers = [6, 4, 3]\nepochs = 2\neta_W = 0.01\neta_R = 0.01\nbatch_size = 5\n"
BUILT_IN = {"loss": "cross_entropy", "activation": "tanh", "output_activation": "relu"}
OWN = {"loss": "absolute", "activation": "softplus", "output_activation": "softplus"}


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """A small data set, in a folder that is the current one and holds parts.py and tiny.toml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parts.py").write_text(CODE)
    (tmp_path / "tiny.toml").write_text(PRESET)
    return load_dataset(write_tiny(tmp_path))


def config_of(**changes):
    values = {"method": "copi-bp", "dataset": "tiny.npz", "layers": (6, 4, 3), "epochs": 2, "eta_W": 0.1, "eta_R": 0.05}
    return RunConfig(**values | changes)


def command(*arguments):
    """Output of a command that succeeds."""
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def weights(network):
    return np.concatenate([array.ravel() for layer in network.layers for array in (layer.W, layer.R)])


def options(parts):
    return [word for kind, part in parts.items() for word in (f"--{kind.replace('_', '-')}", part)]


TRAIN = ("train", "--dataset", "tiny.npz", "--preset", "tiny.toml")


# ----------------------------------------------------------------------------------------------------- what they do


def test_a_run_trains_as_a_network_with_these_parts_does(data):
    """By `fit`, without any `RunConfig`."""
    trained, history = train(config_of(**BUILT_IN, dtype="float64"), data)
    weights_rng, shuffling_rng = np.random.default_rng(0).spawn(2)
    network = Network([6, 4, 3], rng=weights_rng, dtype="float64", **BUILT_IN)
    by_hand = fit(network, data, epochs=2, schedule=Schedule(eta_W=0.1, eta_R=0.05), rng=shuffling_rng)
    np.testing.assert_array_equal(weights(trained), weights(network))
    assert [record.train_loss for record in history] == [record.train_loss for record in by_hand]


@pytest.mark.parametrize("kind", BUILT_IN)
def test_each_option_reaches_network_and_record(kind):
    command(*TRAIN, f"--{kind.replace('_', '-')}", BUILT_IN[kind], "--out", "run")
    config = load_network("run/checkpoint.npz")[0].config
    expected = {
        "loss": "quadratic",
        "activation": "leaky_relu",
        "output_activation": "leaky_relu",
        kind: BUILT_IN[kind],
    }
    if kind == "activation":
        expected["output_activation"] = "tanh"  # unless given, that of all layers
    if kind == "loss":
        expected["output_activation"] = "linear"  # the cross-entropy takes logits
    assert {name: config[name] for name in expected} == expected
    recorded = json.loads(Path("run/run.json").read_text())["config"]
    assert {name: recorded[name] for name in BUILT_IN if name in recorded} == {kind: BUILT_IN[kind]}


def test_a_preset_holds_them_and_a_path_in_it_is_relative_to_the_preset(tmp_path):
    folder = tmp_path / "presets"
    folder.mkdir()
    (tmp_path / "parts.py").rename(folder / "parts.py")
    own = "".join(f'{kind} = "parts.py:{name}"\n' for kind, name in OWN.items())
    (folder / "own.toml").write_text(PRESET + own + '[methods.bp]\nactivation = "relu"\n')
    command("reproduce", "fig2", "--preset", "presets/own.toml", "--dataset", "tiny.npz", "--methods", "copi-bp,bp",
            "--seeds", 1, "--out", "out")  # fmt: skip
    parts = {run.config.method: run.config.as_dict() for run in find_runs("out")[0]}
    assert {kind: parts["copi-bp"][kind] for kind in OWN} == {kind: f"presets/parts.py:{OWN[kind]}" for kind in OWN}
    assert parts["bp"]["activation"] == "relu"


def test_options_of_a_campaign_replace_those_of_the_preset():
    Path("ce.toml").write_text(PRESET + 'loss = "cross_entropy"\n')
    command("reproduce", "fig2", "--preset", "ce.toml", "--dataset", "tiny.npz", "--methods", "bp", "--seeds", 1,
            "--out", "out", "--loss", "quadratic", "--activation", "tanh")  # fmt: skip
    (run,) = find_runs("out")[0]
    assert (run.config.loss, run.config.activation, run.config.output_activation) == ("quadratic", "tanh", None)


def test_a_sweep_varies_them_and_labels_them():
    command("sweep", "--preset", "tiny.toml", "--dataset", "tiny.npz", "--seeds", 1, "--out", "out", "--workers", 1,
            "--vary", "loss=quadratic,cross_entropy", "--vary", "activation=leaky_relu,parts.py:softplus",
            "--output-activation", "linear")  # fmt: skip
    runs, _ = find_runs("out")
    found = {(run.config.loss, Path(run.config.activation).name) for run in runs}
    assert found == set(product(["quadratic", "cross_entropy"], ["leaky_relu", "parts.py:softplus"]))
    labels = {group["label"] for group in json.loads(Path("out/summary.json").read_text())}
    assert labels == {
        f"COPI (BP), {loss}{activation}output activation linear"
        for loss, activation in product(["", "loss cross_entropy, "], ["", "activation softplus, "])
    }


# ------------------------------------------------------------------------------------------------ names and records


def test_runs_that_do_not_use_them_keep_their_names_and_records(data):
    """These are the names that they had before there were such fields."""
    assert run_name(config_of(), data) == "copi-bp_seed0_feb8a3e6be"
    assert run_name(config_of(rule="sgd", val_fraction=0.25), data) == "copi-bp_seed0_215d9e06ef"
    assert not BUILT_IN.keys() & config_of().as_dict().keys()


def test_a_default_that_is_given_is_the_same_run(data):
    given = config_of(loss="quadratic", activation="leaky_relu")
    assert given == config_of()
    command(*TRAIN, "--out", "run", "--epochs", 1)
    assert read_run("run").description["name"] == run_name(replace(read_run("run").config, loss="quadratic"), data)


def test_records_and_labels_are_read_again(data):
    config = config_of(**BUILT_IN)
    assert RunConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config
    assert config.label == "COPI (BP), loss cross_entropy, activation tanh, output activation relu"
    own = config_of(**{kind: f"parts.py:{name}" for kind, name in OWN.items()})
    assert own.label == "COPI (BP), loss absolute, activation softplus, output activation softplus"
    assert re.fullmatch("[0-9a-f]{64}", own.code_sha256)
    assert len({run_name(each, data) for each in (config, own, config_of())}) == 3


@pytest.mark.parametrize("own", [False, True])
def test_a_resumed_run_equals_an_uninterrupted_one(data, own):
    parts = {kind: f"parts.py:{name}" for kind, name in OWN.items()} if own else BUILT_IN
    command(*TRAIN, *options(parts), "--out", "run", "--epochs", 1)
    command("train", "--resume", "run", "--epochs", 3)
    config = read_run("run").config
    assert {kind: getattr(config, kind) for kind in parts} == parts
    whole, history = train(config, data)
    assert [each.train_loss for each in read_run("run").history] == [each.train_loss for each in history]
    resumed, _ = load_network(
        "run/checkpoint.npz", **({kind: whole.parts[kind] for kind in ("loss", "activation")} if own else {})
    )
    np.testing.assert_array_equal(weights(resumed), weights(whole))


def test_a_changed_file_is_another_run_and_a_moved_one_is_found(data):
    command(*TRAIN, "--activation", "parts.py:softplus", "--out", "run", "--epochs", 1)
    Path("moved").mkdir()
    Path("parts.py").rename("moved/parts.py")
    line = call("train", "--resume", "run", "--epochs", 2).stderr.splitlines()[-1]
    assert "no file parts.py, which this run needs: say where it is now, with --activation FILE.py:softplus" in line
    command("train", "--resume", "run", "--epochs", 2, "--activation", "moved/parts.py:softplus")
    Path("moved/parts.py").write_text(CODE + "\n")
    assert "moved/parts.py has changed since this run began" in call("train", "--resume", "run", "--epochs", 3).stderr


def test_from_python_they_are_objects(data):
    own = Activation("bent", lambda a: tanh(a) + a, lambda a: tanh_derivative(a) + 1)
    config = config_of(activation=own)
    train_into("run", config, data)
    assert read_run("run").config.activation.endswith(":bent")
    assert config.label == "COPI (BP), activation bent"
    network, _ = load_network("run/checkpoint.npz", activation=own)
    np.testing.assert_array_equal(weights(network), weights(train(config, data)[0]))


# ----------------------------------------------------------------------------------------------------- bad ones


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "crossentropy"}, "unknown loss 'crossentropy': did you mean 'cross_entropy'"),
        ({"activation": "tahn"}, "unknown activation 'tahn': did you mean 'tanh'"),
        ({"output_activation": "softmax"}, "unknown output activation 'softmax'"),
        ({"activation": None}, "unknown activation None"),
        ({"loss": 3}, r"loss must be one of .* or Loss\(name, values, gradient\): got 3"),
        ({"activation": np.tanh}, r"activation must be one of .* or Activation\(name, f, df\): got"),
        ({"output_activation": "parts.py:halved"}, r"or Activation\(name, f, df\): got <function halved"),
        ({"loss": "parts.py:nothing"}, "there is no 'nothing' in parts.py"),
        ({"loss": "nowhere.py:mine"}, "there is no file nowhere.py"),
    ],
)
def test_what_cannot_be_used_is_refused(changes, message):
    with pytest.raises((InputError, DataError), match=message):
        config_of(**changes)


@pytest.mark.parametrize("kind", BUILT_IN)
def test_a_wrong_name_is_one_line_and_nothing_is_written(kind, tmp_path):
    before = sorted(tmp_path.iterdir())
    result = call(*TRAIN, f"--{kind.replace('_', '-')}", "nonsense", "--out", "run")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert f"unknown {kind.replace('_', ' ')} 'nonsense'" in result.stderr
    result = call(*TRAIN, f"--{kind.replace('_', '-')}", "a:b", "--out", "run")
    assert "give a built-in name, or FILE.py:NAME" in result.stderr
    result = call("sweep", "--preset", "tiny.toml", "--dataset", "tiny.npz", "--vary", f"{kind}=nonsense")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert sorted(tmp_path.iterdir()) == before
