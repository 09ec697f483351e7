"""copi-np bench --to-accuracy: what is trained, in which order, what is timed, and the numbers in the table."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from commands import call
from tiny import write_tiny

from copi_np import DivergenceError, InputError, load_dataset
from copi_np.backend.devices import NumPyBackend
from copi_np.experiments import to_accuracy
from copi_np.experiments.config import RunConfig
from copi_np.experiments.runner import train
from copi_np.experiments.to_accuracy import TimedRun, accuracy_table, ratios, time_to_accuracy
from copi_np.plotting import seconds_curves

CONFIG = RunConfig("copi-bp", "tiny.npz", (6, 8, 3), epochs=4, eta_W=0.01, eta_R=0.01, batch_size=5)
ADAM = replace(CONFIG, method="bp-adam", eta_W=0.001)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A small data set, in a folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return load_dataset(str(write_tiny(tmp_path)))


def timed(label, accuracies, seconds, seed=0, failure=""):
    return TimedRun(replace(CONFIG, seed=seed), label, list(seconds), list(accuracies), failure)


# ------------------------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("changes", [{}, {"rest_R_after": 1}, {"scale": "standardize", "first_epochs": 1}])
def test_networks_train_as_any_run_does(data, split, changes):
    """Epoch by epoch, the accuracies that `train` records, although methods take turns."""
    configs = [replace(config, val_fraction=0.3, **changes) for config in (CONFIG, ADAM, replace(CONFIG, seed=1))]
    runs = time_to_accuracy(configs, data, 1.0, split, "numpy")
    for config, run in zip(configs, runs, strict=True):
        _, history = train(config, data, "numpy")
        name = {"validation": "val"}.get(split, split)
        expected = [getattr(record, f"{name}_accuracy") for record in history]
        if 1.0 in expected:
            expected = expected[: expected.index(1.0) + 1]
        assert run.accuracies == expected
        assert len(run.seconds) == len(expected)
        assert run.config == config


def test_a_run_ends_at_the_accuracy_or_after_its_epochs(data):
    _, history = train(CONFIG, data, "numpy")
    accuracies = [record.train_accuracy for record in history]
    goal = max(accuracies)
    assert accuracies[0] < goal
    (run,) = time_to_accuracy([CONFIG], data, goal, "train", "numpy")
    assert run.epochs_to(goal) == len(run.accuracies) == accuracies.index(goal) + 1
    (run,) = time_to_accuracy([replace(CONFIG, epochs=2)], data, 1.0, "train", "numpy")
    assert (run.epochs_to(1.0), run.seconds_to(1.0), len(run.accuracies)) == (None, None, 2)


def test_methods_take_turns_and_another_one_begins_each_round(data):
    seen = []
    configs = [replace(CONFIG, epochs=3), replace(ADAM, epochs=3), replace(CONFIG, epochs=1, seed=1)]
    time_to_accuracy(configs, data, 1.0, "test", "numpy", lambda run: seen.append((run.label, run.config.seed)))
    copi, adam = ("COPI (BP)", 0), ("BP (Adam)", 0)
    assert seen == [copi, adam, adam, copi, copi, adam, ("COPI (BP)", 1)]


def test_training_alone_is_timed(data, monkeypatch):
    """Neither evaluation nor preparation; the inputs that are decorrelated once belong to training."""
    calls, inside = [], []

    def seconds(self, function, repeats=1):
        inside.append(True)
        function()
        inside.pop()
        return 2.0

    def spy(name, original):
        return lambda *args, **options: calls.append((name, bool(inside))) or original(*args, **options)

    monkeypatch.setattr(NumPyBackend, "seconds", seconds)
    for name in ("train_epoch", "evaluate", "to_device"):
        monkeypatch.setattr(to_accuracy, name, spy(name, getattr(to_accuracy, name)))
    inputs = to_accuracy.RestingR.inputs
    monkeypatch.setattr(to_accuracy.RestingR, "inputs", spy("inputs", inputs))
    (run,) = time_to_accuracy([replace(CONFIG, rest_R_after=1, epochs=2)], data, 1.0, "test", "numpy")
    assert run.seconds == [2.0, 2.0]
    assert calls.count(("train_epoch", False)) == 1  # a step of a copy, for one-time work
    calls.remove(("train_epoch", False))
    assert set(calls) == {("train_epoch", True), ("inputs", True), ("evaluate", False), ("to_device", False)}


def test_a_run_that_diverges_says_so_and_the_others_go_on(data):
    runs = time_to_accuracy([replace(CONFIG, eta_W=1e9), ADAM], data, 1.0, "train", "numpy")
    assert runs[0].failure.startswith("epoch 1, batch ")
    assert (runs[0].seconds, runs[0].accuracies) == ([], [])
    assert len(runs[1].accuracies) == 4


def test_a_run_that_fails_otherwise_says_so_too(data, tmp_path):
    """Here a rule of the user's own; the command names the line, as copi-np train does."""
    (tmp_path / "bad.py").write_text("def bad(R, x):\n    return R / (1 // 0)\n")
    result = call(*COMMAND, "--methods", "copi-bp", "--vary", "decorrelation=matrix,bad.py:bad")
    assert result.exit_code == 0, result.output
    flat = " ".join(result.stdout.split())
    assert re.search(
        r"0 of 1 seed 0: epoch 1, line 2 of \S*bad\.py failed \(ZeroDivisionError: .*\): correct it$", flat
    )


def test_what_training_calls_diverged_has_reached_nothing(data):
    """One batch with a step so large that only the evaluation after it shows the damage; any accuracy would do."""
    config = replace(ADAM, method="bp", eta_W=3e4, epochs=1, batch_size=1000)
    with pytest.raises(DivergenceError):
        train(config, data, "numpy")
    (run,) = time_to_accuracy([config], data, 0.01, "train", "numpy")
    assert (run.accuracies, run.epochs_to(0.01)) == ([], None)
    assert run.failure.startswith("epoch 1, ")


def test_without_an_accuracy_all_train_to_the_end(data):
    """Although the first epoch reaches any accuracy above 0."""
    runs = time_to_accuracy([CONFIG, ADAM], data, None, "train", "numpy")
    assert [len(run.accuracies) for run in runs] == [4, 4]
    assert runs[0].as_dict(None)["epochs"] is runs[0].as_dict(None)["seconds"] is None


@pytest.mark.parametrize("changes", [{}, {"epochs": 3}, {"patience": 2}])
def test_runs_that_could_not_be_told_apart_are_refused(data, changes):
    with pytest.raises(InputError, match="differ in nothing that is compared, such as epochs or patience, or in parts"):
        time_to_accuracy([replace(CONFIG, val_fraction=0.3, **each) for each in ({}, changes)], data, 0.9)


def test_a_step_that_would_diverge_is_refused_before_anything_is_trained(data, monkeypatch):
    """The last of them, too, although it takes its turns after the others, since its inputs are scaled."""
    monkeypatch.setattr(to_accuracy._Trainee, "train", None)
    rare = replace(CONFIG, eta_R=100, decorrelation_every=10)
    for last in (rare, replace(rare, scale="standardize"), replace(rare, seed=1)):
        with pytest.raises(InputError, match="decorrelation_every=10 takes steps of 10 eta_R = 1000 in layer 0"):
            time_to_accuracy([ADAM, CONFIG, last], data, 0.9, "test", "numpy")


def test_a_part_that_fails_in_that_look_is_named_too(data, tmp_path):
    """It returns what is asked for, but not for as many samples."""
    (tmp_path / "mine.py").write_text(
        "from copi_np import Activation\n"
        "f = Activation('f', lambda a: a / (len(a) < 10 or 1 // 0), lambda a: 0 * a + 1)\n"
    )
    options = ("--methods", "copi-bp", "--vary", "activation=mine.py:f", "--vary", "decorrelation_every=2")
    result = call(*COMMAND, *options)
    assert result.exit_code == 2
    assert re.search(r"^Error: line 2 of \S*mine\.py failed \(ZeroDivisionError", result.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, "test"), "accuracy must be above 0 and at most 1"),
        ((95, "test"), "accuracy must be above 0 and at most 1, e.g. 0.95, got 95"),
        ((0.5, "tset"), "unknown split 'tset'.*test"),
        ((0.5, "validation"), "there is no validation split: hold out samples"),
    ],
)
def test_wrong_arguments_are_refused(data, arguments, message):
    with pytest.raises(InputError, match=message):
        time_to_accuracy([CONFIG], data, *arguments)


# ------------------------------------------------------------------------------------------------------- numbers


def test_the_accuracy_counts_from_its_first_epoch_on():
    run = timed("A", [0.5, 0.91, 0.89, 0.95], [1.0, 2.0, 4.0, 8.0])
    assert (run.epochs_to(0.9), run.seconds_to(0.9)) == (2, 3.0)
    assert (run.epochs_to(0.95), run.seconds_to(0.95)) == (4, 15.0)
    assert (run.epochs_to(0.96), run.seconds_to(0.96)) == (None, None)


def test_ratios_are_those_of_the_same_seed():
    ones = [timed("A", [0.9], [3.0]), timed("A", [0.9], [10.0], 1), timed("A", [0.9], [1.0], 2)]
    others = [timed("B", [0.9], [2.0]), timed("B", [0.9], [40.0], 1), timed("B", [0.1], [1.0], 2)]
    assert ratios(ones, others, 0.9) == [1.5, 0.25]
    assert ratios(ones, others[::-1], 0.9) == [1.5, 0.25]
    assert ratios(ones[1:], others[:2], 0.9) == [0.25]


def test_ratios_are_to_the_first_that_got_there_and_long_labels_have_a_line():
    """31 characters are too many for 80 columns."""
    label = "COPI (BP), decorrelation_every="
    runs = [timed("A", [0.1, 0.1, 0.1, 0.0], [2.0] * 4), timed(label, [0.9], [2.0]), timed("C", [0.5, 0.9], [1.0, 4.0])]
    assert accuracy_table(runs, 0.9, "test").splitlines()[1:] == [
        f"{'':31} reached       epochs        seconds        ratio",
        f"{'A':31}  0 of 1",
        "  seed 0: 10.0 % at best in 4 epochs, 8.0 s",
        label,
        f"{'':31}  1 of 1          1.0            2.0         1.00",
        f"{'C':31}  1 of 1          2.0            5.0         2.50",
        f"ratio: seconds, divided by those of {label} with the same seed",
    ]


def test_the_table_by_hand():
    runs = [
        timed("A", [0.9], [2.0]),
        timed("longer name", [0.5, 0.9], [2.0, 4.0]),
        timed("A", [0.2, 0.9], [1.0, 3.0], 1),
        timed("longer name", [0.5, 0.7, 0.6, 0.6], [2.0, 3.0, 1.0, 0.25], 1),
        timed("longer name", [0.4, 0.3], [2.0, 4.0], 2),
        timed("C", [], [], 0, "epoch 1, batch 3: blew up"),
    ]
    assert accuracy_table(runs, 0.9, "train").splitlines() == [
        "Until the training accuracy reaches 90 %",
        "              reached       epochs        seconds        ratio",
        "A              2 of 2    1.5 ± 0.7      3.0 ± 1.4  1.00 ± 0.00",
        "longer name    1 of 3          2.0            6.0         3.00",
        "  seed 1: 70.0 % at best in 4 epochs, 6.2 s",
        "  seed 2: 40.0 % at best in the first 2 of 4 epochs, 6.0 s",
        "C              0 of 1",
        "  seed 0: epoch 1, batch 3: blew up",
        "ratio: seconds, divided by those of A with the same seed",
    ]


def test_a_curve_is_accuracy_over_the_sum_of_seconds():
    figure = seconds_curves({"A": [([1.0, 2.0, 4.0], [0.1, 0.5, 0.75]), ([3.0], [0.25])], "none": [([], [])]}, 0.7)
    (axes,) = figure.axes
    first, second, goal = axes.get_lines()
    assert first.get_xydata().tolist() == [[1, 10], [3, 50], [7, 75]]
    assert second.get_xydata().tolist() == [[3, 25]]
    assert (first.get_label(), first.get_color()) == ("A", second.get_color())
    assert set(goal.get_ydata()) == {70}
    assert axes.get_ylim() == (23, 77)  # from 2 below the lowest, but for first epochs, to 2 above the highest
    assert seconds_curves({"A": [([1.0], [0.5])]}, 0.9).axes[0].get_ylim() == (48, 92)
    assert seconds_curves({"A": [([1.0], [0.995])]}).axes[0].get_ylim() == (97.5, 101)
    with pytest.raises(InputError, match="need at least one epoch"):
        seconds_curves({"none": [([], [])]})


# ------------------------------------------------------------------------------------------------------- the command


COMMAND = ("bench", "--to-accuracy", 1.0, "--dataset", "tiny.npz", "--epochs", 2, "--backend", "numpy")


def test_the_command_prints_a_table_and_keeps_a_record_and_a_figure(data, tmp_path):
    variants = ("--vary", "rest_R_after=1,none", "--methods", "copi-bp,bp-momentum", "--seeds", 2)
    result = call(*COMMAND, *variants, "--json", "times.json", "--figure", "times.png")
    labels = ["COPI (BP), rest_R_after=1", "BP (momentum)", "COPI (BP)"]
    record = json.loads((tmp_path / "times.json").read_text())
    assert list(dict.fromkeys(run["label"] for run in record["runs"])) == labels
    for label in labels:
        assert f"\n{label}  " in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert (record["accuracy"], record["split"], record["interrupted"]) == (1.0, "test", False)
    for run in record["runs"]:
        times = run["by_epoch"]
        assert len(times["seconds"]) == len(times["accuracy"]) == (run["epochs"] or 2)
        assert run["seconds"] in (None, pytest.approx(np.sum(times["seconds"])))
    assert (tmp_path / "times.png").stat().st_size > 10_000


def test_a_setting_is_in_a_label_once(data):
    result = call(*COMMAND, "--methods", "copi-bp", "--vary", "rule=sgd,copi", "--vary", "bias=true,false")
    lines = [line.split("  ")[0] for line in result.stdout.splitlines() if line.startswith("COPI")]
    assert lines == [f"COPI (BP), rule {rule}" for rule in ("sgd, bias", "sgd", "copi, bias", "copi")]


def test_if_all_runs_fail_the_command_does_too(data):
    result = call(*COMMAND, "--methods", "bp", "--vary", "eta_W=1e30")
    assert result.exit_code == 2
    assert result.stderr.endswith("Error: all runs failed, see above: lower the step sizes\n")
    assert "0 of 1" in result.stdout


@pytest.mark.parametrize(("raised", "code"), [(KeyboardInterrupt(), 130), (KeyboardInterrupt(15), 143)])
def test_an_interrupted_command_shows_and_keeps_what_was_measured(data, tmp_path, monkeypatch, raised, code):
    def interrupted_in_the_fourth_epoch(*arguments, calls=[], **options):  # noqa: B006
        calls.append(arguments)
        if len(calls) > 2 + 3:  # each of the two networks warms up
            raise raised
        return train_epoch(*arguments, **options)

    train_epoch = to_accuracy.train_epoch
    monkeypatch.setattr(to_accuracy, "train_epoch", interrupted_in_the_fourth_epoch)
    arguments = ("--methods", "copi-bp,bp", "--json", "times.json", "--figure", "times.png")
    result = call(*COMMAND, *arguments)
    record = json.loads((tmp_path / "times.json").read_text())
    assert {run["label"]: len(run["by_epoch"]["accuracy"]) for run in record["runs"]} == {"COPI (BP)": 1, "BP (SGD)": 2}
    assert record["interrupted"]
    assert re.search(r"COPI \(BP\) +0 of 1\n  seed 0: .* in the first 1 of 2 epochs", result.stdout)
    name = {130: "SIGINT", 143: "SIGTERM"}[code]
    assert result.stderr.endswith(f"Error: stopped by {name}; the results are those of the epochs until then\n")
    assert (result.exit_code, (tmp_path / "times.png").exists()) == (code, True)


def test_if_nothing_was_measured_an_interrupted_command_says_so(data, tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(to_accuracy, "train_epoch", interrupted)
    result = call(*COMMAND, "--json", "times.json")
    assert (result.exit_code, result.stdout, (tmp_path / "times.json").exists()) == (130, "", False)
    assert result.stderr.endswith("nothing has been recorded yet: run the same command again\n")


@pytest.mark.parametrize("option", [("--rest-r",), ("--decorrelation-samples", 5)])
def test_a_step_without_lateral_weights_has_none_to_freeze(option):
    result = call("bench", "--method", "bp", *option)
    assert result.exit_code == 2
    assert "Error: bp does not decorrelate: leave out --rest-r and --decorrelation-samples" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--batch-size", 5), "--batch-size has no effect with --to-accuracy: leave it out, or use a preset"),
        (("--rest-r",), "or use a preset or --vary decorrelation_samples=5 or --vary rest_R_after=4, for example"),
        (("--figure", "no/times.png"), "there is no folder no for --figure"),
        (("--figure", "times.xyz"), "unknown figure format 'xyz'"),
        (("--methods", "copi-pb"), "unknown method 'copi-pb'"),
    ],
)
def test_the_command_refuses_before_it_computes(data, monkeypatch, arguments, message):
    monkeypatch.setattr(to_accuracy, "train_epoch", None)
    result = call(*COMMAND, *arguments)
    assert (result.exit_code != 0, message in result.stderr) == (True, True), result.output


def test_options_without_an_accuracy_are_refused(data):
    result = call("bench", "--dataset", "tiny.npz", "--seeds", 2)
    assert result.exit_code == 2
    assert "--dataset, --seeds needs an accuracy to train to: add --to-accuracy 0.95" in result.stderr
