"""Rules, error signals, methods and schedules of your own: in presets, campaigns, sweeps, reports, and as options."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tiny import write_tiny

from copi_np import DataError, InputError, load_dataset, load_network, rules
from copi_np.cli import main
from copi_np.error_signals import ErrorSignal, backpropagation
from copi_np.experiments.campaign import perform
from copi_np.experiments.config import RunConfig, run_name
from copi_np.experiments.figure3 import record_figure3
from copi_np.experiments.methods import Method
from copi_np.experiments.preset_files import load_preset
from copi_np.experiments.records import find_runs, read_run
from copi_np.experiments.report import write_report
from copi_np.experiments.runner import train, train_into

CODE = """
import numpy as np
from copi_np import rules
from copi_np.error_signals import ErrorSignal, backpropagation


def kappa(R, x, c=0.1):
    return (1 - c) * rules.decorrelation_update(R, x) + c * (1 - rules.mean_square(x))[:, None] * R


def sign(x, delta):
    return 0.1 * np.sign(rules.sgd_update(x, delta))


def half(layers, trace, feedback, delta_L):
    return [delta / 2 for delta in backpropagation(layers, trace, feedback, delta_L)]


HALF = ErrorSignal("half", half)
number = 3


class Rule:
    pass
"""


def half(layers, trace, delta_L):
    return [delta / 2 for delta in backpropagation(layers, trace, (), delta_L)]


def my_dW(W, x, z):
    return rules.copi_update(W, x, z)


def failing(W):
    return 1 / 0 * W


def scaled_rule(c):
    return lambda W, x, z: c * rules.copi_update(W, x, z)


def decaying(epoch):
    return {"eta_W": 0.1 / epoch, "eta_R": 0.05}


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A small data set, in a folder that is the current one and holds my_rules.py."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_rules.py").write_text(CODE)
    return load_dataset(write_tiny(tmp_path))


def config_of(**changes):
    values = {"method": "copi-bp", "dataset": "tiny.npz", "layers": (6, 4, 3), "epochs": 2, "eta_W": 0.1, "eta_R": 0.05}
    return RunConfig(**values | {"dtype": "float64", "batch_size": 5} | changes)


def copi_np(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="copi-np")


def command(*arguments):
    """Output of a command that succeeds."""
    result = copi_np(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments):
    """The one line with which a command is refused."""
    result = copi_np(*arguments)
    assert result.exit_code != 0
    return result.output.strip().splitlines()[-1]


def weights(network):
    return np.concatenate([array.ravel() for layer in network.layers for array in (layer.W, layer.R)])


# --------------------------------------------------------------------------------------------------- what they compute


def test_text_and_object_are_the_same_part(data):
    """FILE.py:NAME trains as the function does that it names."""
    text = {"rule": "my_rules.py:sign", "decorrelation": "my_rules.py:kappa", "error_signal": "my_rules.py:half"}
    network, _ = train(config_of(**text), data)
    by_text = config_of(**text)
    objects = {kind: by_text.network_parts()[kind] for kind in text}
    other, _ = train(config_of(**objects), data)
    np.testing.assert_array_equal(weights(network), weights(other))
    plain, _ = train(config_of(), data)
    assert np.linalg.norm(weights(network) - weights(plain)) > 1e-3
    half_of, _ = train(config_of(error_signal="my_rules.py:HALF"), data)
    scaled, _ = train(config_of(delta_scale=0.5), data)
    np.testing.assert_allclose(weights(half_of), weights(scaled), rtol=1e-12)


@pytest.mark.parametrize(("kind", "name"), [("rule", "sgd"), ("error_signal", "fa"), ("decorrelation", "local")])
def test_a_built_in_part_replaces_the_methods(data, kind, name):
    network, _ = train(config_of(**{kind: name}), data)
    assert network.config[kind] == name
    assert ("FA" if name == "fa" else name) in f"{config_of(**{kind: name}).label} FA local"


# ------------------------------------------------------------------------------------------------- names and records


def test_a_run_is_named_by_the_content_of_its_files_not_by_their_place(data, tmp_path):
    config = config_of(decorrelation="my_rules.py:kappa")
    name = run_name(config, data)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "my_rules.py").write_text(CODE)
    assert run_name(config_of(decorrelation="elsewhere/my_rules.py:kappa"), data) == name
    assert run_name(config_of(decorrelation=f"{tmp_path}/my_rules.py:kappa"), data) == name
    (tmp_path / "my_rules.py").write_text(CODE.replace("c=0.1", "c=0.2"))
    assert run_name(config_of(decorrelation="my_rules.py:kappa"), data) != name
    assert run_name(config_of(), data) != name


def test_names_and_records_of_runs_without_own_parts_are_what_they_were():
    """Nothing of the new fields is written or hashed where it is not used."""
    assert not {"rule", "error_signal", "own_schedule", "code_sha256"} & config_of().as_dict().keys()
    assert RunConfig.from_dict(json.loads(json.dumps(config_of().as_dict()))) == config_of()


def test_the_record_holds_the_file_and_its_checksum(data, tmp_path):
    config = config_of(rule="my_rules.py:sign")
    train_into("run", config, data)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["config"]["rule"] == "my_rules.py:sign"
    assert re.fullmatch("[0-9a-f]{64}", record["config"]["code_sha256"])
    (tmp_path / "my_rules.py").unlink()
    assert read_run("run").config == config  # reading needs no file


def test_resuming_needs_the_same_file(data, tmp_path):
    config = config_of(decorrelation="my_rules.py:kappa", epochs=1)
    train_into("run", config, data)
    longer = replace(config, epochs=3)
    train_into("run", longer, data, resume=True)
    straight, _ = train(longer, data)
    resumed, _ = load_network("run/checkpoint.npz", decorrelation=config.network_parts()["decorrelation"])
    np.testing.assert_array_equal(weights(resumed), weights(straight))
    (tmp_path / "my_rules.py").write_text(CODE + "\n")
    assert "my_rules.py has changed since this run began" in refused("train", "--resume", "run", "--epochs", 4)
    with pytest.raises(InputError, match=r"holds another run.*code_sha256"):
        train_into("run", config_of(decorrelation="my_rules.py:kappa", epochs=4), data, resume=True)
    (tmp_path / "my_rules.py").unlink()
    line = refused("train", "--resume", "run", "--epochs", 4)
    assert "no file my_rules.py, which this run needs: say where it is now, with --decorrelation FILE.py:kappa" in line


def test_a_run_is_resumed_where_its_file_was_moved(data, tmp_path):
    train_into("run", config_of(decorrelation="my_rules.py:kappa", epochs=1), data)
    moved = (tmp_path / "my_rules.py").rename(tmp_path / "renamed.py")
    assert "run holds another run" in refused("train", "--resume", "run", "--decorrelation", f"{moved}:sign")
    moved.rename(tmp_path / "run" / "my_rules.py")
    command("train", "--resume", "run", "--epochs", 2, "--decorrelation", "run/my_rules.py:kappa")
    command("train", "--resume", "run", "--epochs", 3)  # known from now on
    whole, _ = train(config_of(decorrelation="run/my_rules.py:kappa", epochs=3), data)
    resumed, _ = load_network("run/checkpoint.npz", decorrelation=whole.parts["decorrelation"])
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    moved = tmp_path / "run" / "my_rules.py"
    moved.write_text(CODE + "\n")
    error = refused("train", "--resume", "run", "--epochs", 4, "--decorrelation", f"{moved}:kappa")
    assert "has changed since this run began" in error


def test_an_error_in_an_own_part_is_one_line_that_says_where(data, tmp_path):
    (tmp_path / "bug.py").write_text("def f(W):\n    return 1 / 0 * W\n")
    arguments = ["--dataset", "tiny.npz", "--rule", "bug.py:f", "--preset", "own-data", "--epochs", 2]
    expected = r"line 2 of .*bug\.py failed \(ZeroDivisionError: division by zero\): correct it"
    assert re.search(f"^Error: {expected}$", refused("train", *arguments, "--out", "run"))
    outcome = perform("out", config_of(rule="bug.py:f"), data)
    assert re.fullmatch(expected, outcome.failure)
    with pytest.raises(ZeroDivisionError):  # an object is debugged from Python
        perform("out", config_of(rule=failing), data)


# ------------------------------------------------------------------------------------- command line, presets, sweeps


def test_train_from_the_command_line(data):
    parts = ["--decorrelation", "my_rules.py:kappa", "--rule", "my_rules.py:sign", "--error-signal", "my_rules.py:HALF"]
    output = command("train", "--dataset", "tiny.npz", *parts, "--epochs", 3, "--out", "run")
    assert "copi-bp, rule sign, error signal HALF, decorrelation kappa on tiny.npz" in " ".join(output.split())
    command("train", "--resume", "run", "--epochs", 4)
    assert len(read_run("run").history) == 4


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--rule", "my_rules.py:missing", "there is no 'missing' in my_rules.py, only .*kappa, sign"),
        ("--rule", "none.py:sign", "there is no file none.py: correct the path of 'none.py:sign'"),
        ("--rule", "my_rules:sign", "cannot read 'my_rules:sign': give a built-in name, or FILE.py:NAME"),
        ("--rule", "cop", "unknown rule 'cop': did you mean 'copi'"),
        (
            "--rule",
            "my_rules.py:number",
            "rule must be one of copi, sgd, momentum, adam, foof, kappa, normalised, a function .*: got 3",
        ),
        ("--rule", "my_rules.py:Rule", "rule must be an instance, not the class Rule"),
        ("--rule", "my_rules.py:half", "rule half asks for 'layers': name its parameters, any of W, R, x"),
        ("--rule", "broken.py:f", r"broken.py cannot be run \(ZeroDivisionError: division by zero\): correct the file"),
        ("--decorrelation", "my_rules.py:sign", "decorrelation sign asks for 'delta'"),
        ("--error-signal", "my_rules.py:kappa", "error signal kappa asks for 'R'"),
        ("--error-signal", "pb", "unknown error signal 'pb': did you mean 'bp'"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(data, tmp_path, option, value, message):
    (tmp_path / "broken.py").write_text("1 / 0\n")
    line = refused("train", "--dataset", "tiny.npz", option, value, "--out", "run")
    assert re.search(message, line), line
    assert not (tmp_path / "run").exists()


def test_presets_name_files_beside_them(data, tmp_path):
    (tmp_path / "presets").mkdir()
    (tmp_path / "my_rules.py").rename(tmp_path / "presets" / "my_rules.py")
    preset = tmp_path / "presets" / "mine.toml"
    preset.write_text(
        'dataset = "tiny.npz"\nlayers = [6, 4, 3]\nepochs = 2\neta_W = 0.1\neta_R = 0.05\n'
        'decorrelation = "my_rules.py:kappa"\n'
        '[methods.bp-decor]\nrule = "my_rules.py:sign"\n'
    )
    assert load_preset("presets/mine.toml", "copi-bp")["decorrelation"] == "presets/my_rules.py:kappa"
    assert load_preset("presets/mine.toml", "bp-decor")["rule"] == "presets/my_rules.py:sign"
    output = command(
        "reproduce", "fig2", "--preset", preset, "--methods", "copi-bp,bp-decor", "--seeds", 1, "--out", "out"
    )
    assert "COPI (BP), decorrelation kappa" in output
    assert "BP + decorrelation, rule sign, decorrelation kappa" in output
    preset.write_text(preset.read_text().replace("kappa", "kapa"))
    with pytest.raises(DataError, match=r"preset .*mine\.toml': there is no 'kapa' in presets/my_rules\.py, only "):
        load_preset("presets/mine.toml", "copi-bp")


def test_a_campaign_compares_own_and_built_in_parts(data, tmp_path):
    """In one folder: two commands, one table, one figure; the option is not for Adam, which has no lateral weights."""
    for option in ([], ["--decorrelation", "my_rules.py:kappa"]):
        command("reproduce", "fig2", "--preset", "own-data", "--dataset", "tiny.npz", "--methods", "copi-bp,bp-adam",
                "--seeds", 2, "--epochs", 1, "--out", "out", *option)  # fmt: skip
    table = (tmp_path / "out" / "table.md").read_text()
    assert re.findall(r"^\| ((?:COPI|BP).*?) \|", table, re.MULTILINE)[:3] == [
        "COPI (BP), decorrelation=matrix", "COPI (BP), decorrelation kappa", "BP (Adam)"
    ]  # fmt: skip
    assert len(find_runs("out")[0]) == 6
    (tmp_path / "my_rules.py").unlink()
    command("report", "out")  # from the records alone


def test_a_sweep_over_own_parts(data, tmp_path):
    parts = ["--vary", "decorrelation=matrix,my_rules.py:kappa", "--rule", "my_rules.py:sign"]
    command("sweep", "--preset", "own-data", "--dataset", "tiny.npz", "--epochs", 1, "--seeds", 1, "--workers", 1,
            *parts, "--out", "out")  # fmt: skip
    labels = {group["label"] for group in json.loads((tmp_path / "out" / "summary.json").read_text())}
    assert labels == {"COPI (BP), rule sign, decorrelation=matrix", "COPI (BP), rule sign, decorrelation kappa"}
    assert "give values such as decorrelation=matrix,my_rules.py:kappa" in refused(
        "sweep", "--preset", "own-data", "--dataset", "tiny.npz", "--vary", "decorrelation=my_rules:kappa"
    )


def test_two_versions_of_a_file_are_told_apart(data, tmp_path):
    for code in (CODE, CODE.replace("c=0.1", "c=0.9")):
        (tmp_path / "my_rules.py").write_text(code)
        perform("out", config_of(decorrelation="my_rules.py:kappa"), data)
    write_report("out")
    labels = [group["label"] for group in json.loads((tmp_path / "out" / "summary.json").read_text())]
    assert len(labels) == 2
    assert all(re.fullmatch(r"COPI \(BP\), decorrelation kappa, code=[0-9a-f]{8}", label) for label in labels)


# ------------------------------------------------------------------------------------------------------- from Python


def test_an_own_method_and_schedule_beside_copi_bp(data, tmp_path):
    mine = Method("Mine (half)", my_dW, ErrorSignal("half", half), True)
    configs = [config_of(), config_of(method=mine), config_of(own_schedule=decaying)]
    for config in configs:
        for seed in (0, 1):
            assert perform("out", replace(config, seed=seed), data).failure is None
    write_report("out")
    groups = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [group["label"] for group in groups] == ["COPI (BP)", "COPI (BP), schedule decaying", "Mine (half)"]
    assert all(group["seeds"] == [0, 1] for group in groups)
    assert (tmp_path / "out" / "fig2.png").exists()
    record = next(run for run in find_runs("out")[0] if run.folder.name.startswith("mine-half_seed0"))
    assert record.config.parts.label == "Mine (half)"
    with pytest.raises(InputError, match=r"its own rule, my_dW \(from test_own_parts_of_runs\): run it from Python"):
        record.config.build_network(np.random.default_rng(0), "numpy")
    assert perform("out", replace(configs[1], epochs=3), data).history[-1].epoch == 3  # resumes with the objects


def test_objects_of_one_name_are_two_runs(data):
    """Nobody gets the result of the rule that had this name before: a second lambda, an edited cell, another factor."""
    names = [
        run_name(config_of(rule=rule), data)
        for rule in (scaled_rule(1.0), scaled_rule(0.5), lambda W: 0 * W, lambda W: 1e-3 * W)
    ]
    assert len(set(names)) == 4
    assert run_name(config_of(rule=scaled_rule(0.5)), data) == names[1]
    assert run_name(replace(config_of(rule=scaled_rule(1.0)), rule=scaled_rule(0.5)), data) == names[1]
    assert run_name(config_of(method=Method("M", scaled_rule(1.0), "bp", True)), data) != run_name(
        config_of(method=Method("M", scaled_rule(0.5), "bp", True)), data
    )
    histories = [perform("out", config_of(rule=scaled_rule(c)), data).history for c in (1.0, 0.5)]
    assert histories[0] != histories[1]
    write_report("out")
    labels = {group["label"] for group in json.loads(Path("out/summary.json").read_text())}
    assert {label.partition("<lambda>")[2] for label in labels} == {"(c=1.0)", "(c=0.5)"}


def test_the_file_of_an_own_method_counts_too(data, tmp_path):
    config = config_of(method=Method("Mine", "my_rules.py:sign", "bp", True))
    assert config.code_sha256 == config_of(rule="my_rules.py:sign").code_sha256
    with pytest.raises(InputError, match=r"there is no 'sing' in my_rules\.py"):
        config_of(method=Method("Mine", "my_rules.py:sing", "bp", True))
    (tmp_path / "my_rules.py").write_text(CODE + "\n")
    assert perform("out", config, data).failure.startswith("my_rules.py has changed since this run began")


def test_a_report_knows_the_figures_of_an_own_method_for_its_own(data, tmp_path):
    mine = config_of(method=Method("Mine (half)", my_dW, "bp", True))
    folder = perform("out", mine, data, diagnostics=True).folder
    _, files = write_report("out")
    assert tmp_path / "out" / f"diagnostics-{folder.name}.png" in [path.absolute() for path in files]
    (folder / "diagnostics.jsonl").unlink()
    write_report("out")
    assert not list((tmp_path / "out").glob("diagnostics-*.png"))


def test_figure_3_of_objects_takes_them_from_the_configuration(data):
    config = config_of(rule=my_dW)
    folder = perform("out", config, data).folder
    with pytest.raises(InputError, match="run it from Python"):
        record_figure3(folder, data)
    record_figure3(folder, data, config=config)
    assert (folder / "figure3.json").exists()


def test_diagnostics_do_not_change_what_noise_is_drawn(data):
    def noisy(layers, trace, delta_L, rng):
        return [delta + rng.normal(size=delta.shape) for delta in backpropagation(layers, trace, (), delta_L)]

    config = config_of(error_signal=ErrorSignal("noisy", noisy))
    for name, diagnostics in (("with", True), ("without", False)):
        train_into(name, config, data, diagnostics=diagnostics)
    networks = [
        load_network(f"{name}/checkpoint.npz", error_signal=config.error_signal)[0] for name in ("with", "without")
    ]
    np.testing.assert_array_equal(*map(weights, networks))


def test_an_own_schedule_is_what_trains(data):
    network, _ = train(config_of(own_schedule=decaying, epochs=1), data)
    other, _ = train(config_of(epochs=1), data)  # the same step sizes in epoch 1
    np.testing.assert_array_equal(weights(network), weights(other))
    network, _ = train(config_of(own_schedule=decaying), data)
    other, _ = train(config_of(), data)
    assert not np.array_equal(weights(network), weights(other))


def test_divergence_and_diagnostics_work_with_own_rules(data, tmp_path):
    outcome = perform("out", config_of(decorrelation=lambda R: 1e9 * R), data)
    assert re.search(r"epoch 1, batch \d+: .*R of layer 0 \(6 -> 4\): lower eta_R", outcome.failure)
    train_into("run", config_of(decorrelation="my_rules.py:kappa"), data, diagnostics=True)
    assert len((tmp_path / "run" / "diagnostics.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("rule", "damage"),
    [("my_rules.py:sign", '"rule": 17'), ("my_rules.py:sign", '"code_sha256": 17'), (my_dW, '"source_sha256": 17')],
)
def test_a_damaged_record_of_an_own_part_is_a_clear_error(data, tmp_path, rule, damage):
    train_into("run", config_of(rule=rule), data)
    path = tmp_path / "run" / "run.json"
    text, n = re.subn(rf'{damage.split(":")[0]}: "[^"]*"', damage, path.read_text())
    assert n == 1
    path.write_text(text)
    with pytest.raises(DataError, match="records in run are damaged"):
        read_run("run")
