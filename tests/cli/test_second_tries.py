"""A command that is given again, spelt in another way, or stopped early: what it says can be done."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path

import pytest
from commands import call
from tiny import write_tiny

from copi_np import InputError, load_dataset
from copi_np.errors import StoppedError
from copi_np.experiments.options import NETWORKS, parse_layers
from copi_np.experiments.records import read_run
from copi_np.experiments.runner import RunRecorder, train_into


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder to work in, with tiny data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    write_tiny(tmp_path)
    return tmp_path


TRAIN = ("train", "--dataset", "tiny.npz", "--layers", "6,4,3", "--backend", "numpy", "--out", "k")


def refused(*arguments):
    """The one line with which a command is refused; nothing is changed."""
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    result = call(*arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.output
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
    return result.stderr


def stop_after(monkeypatch, n_epochs):
    """Let a signal stop every run after so many epochs."""
    record = RunRecorder.on_epoch

    def on_epoch(self, network, epoch):
        record(self, network, epoch)
        if epoch.epoch == n_epochs:
            raise StoppedError(signal.SIGINT)

    monkeypatch.setattr(RunRecorder, "on_epoch", on_epoch)


def advised(stderr):
    """The command that a message names."""
    words = shlex.split(stderr[stderr.index("copi-np train --resume") :].split(", or ")[0].split(";")[0])
    return words[1:]


# ------------------------------------------------------------------------------------------- the same command again


def test_a_finished_run_is_named_as_this_one():
    call(*TRAIN, "--epochs", 2)
    line = refused(*TRAIN, "--epochs", 2)
    assert line == (
        "Error: k already holds this run, finished after 2 epochs: train it further with "
        "copi-np train --resume k and more than 2 epochs, or choose another folder\n"
    )


def test_an_unfinished_one_resumes_as_the_message_says(monkeypatch):
    with monkeypatch.context() as patched:
        stop_after(patched, 1)
        call(*TRAIN, "--epochs", 3)
    assert len(read_run("k").history) == 1
    line = refused(*TRAIN, "--epochs", 3)
    assert "k already holds this run, with 1 of 3 epochs finished: resume it with copi-np train --resume k" in line
    result = call(*advised(line))
    assert result.exit_code == 0, result.output
    assert len(read_run("k").history) == 3


def test_more_epochs_are_part_of_the_advice(place):
    """And where the data are."""
    (place / "my data").mkdir()
    where = ("--data-dir", "my data")
    call(*TRAIN, "--epochs", 1, *where)
    line = refused(*TRAIN, "--epochs", 4, *where)
    assert "with 1 of 4 epochs finished" in line
    assert advised(line) == ["train", "--resume", "k", "--data-dir", "my data", "--epochs", "4"]
    call(*advised(line))
    assert len(read_run("k").history) == 4


@pytest.mark.parametrize(
    "change", [["--seed", 1], ["--eta-w", 0.02], ["--layers", "6,5,3"], ["--dataset", "other.npz"]]
)
def test_another_run_is_still_another(place, change):
    (place / "else").mkdir()
    write_tiny(place / "else", n_train=24).rename("other.npz")
    call(*TRAIN, "--epochs", 1)
    line = refused(*TRAIN, "--epochs", 1, *change)
    assert "k holds another run" in line
    assert "choose another folder" in line


@pytest.mark.parametrize("damage", ["run.json", "history.jsonl"])
def test_a_damaged_run_is_not_taken_for_this_one(damage):
    call(*TRAIN, "--epochs", 1)
    Path("k", damage).write_text('{"epoch": "no"}\n')
    assert "k holds another run" in refused(*TRAIN, "--epochs", 1)


def test_from_python_the_argument_is_named():
    call(*TRAIN, "--epochs", 2)
    message = "finished after 2 epochs: train it further with resume=True and more than 2 epochs, or choose"
    with pytest.raises(InputError, match=message):
        train_into("k", read_run("k").config, load_dataset("tiny.npz"), "numpy")


# ------------------------------------------------------------------------------------------------- stopped too early


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize("raised", [StoppedError(signal.SIGINT), KeyboardInterrupt(), KeyboardInterrupt(15)])
def test_what_was_not_recorded_is_not_to_be_resumed(monkeypatch, raised):
    def stop(*_, **__):
        raise raised

    monkeypatch.setattr("copi_np.experiments.runner.first_state", stop)
    result = call(*TRAIN, "--epochs", 2)
    name, code = ("SIGTERM", 143) if 15 in raised.args else ("SIGINT", 130)
    assert result.stderr == f"Error: stopped by {name}; nothing has been recorded yet: run the same command again\n"
    assert result.exit_code == code
    assert not Path("k").exists()


def test_in_the_first_epoch_the_advice_works(monkeypatch):
    def stop(self, batch, n_batches):
        raise StoppedError(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr("copi_np.cli.signals.StopOnSignal.on_batch", stop)
        line = call(*TRAIN, "--epochs", 2).stderr.splitlines()[-1]
    assert line.endswith("resume with copi-np train --resume k")
    result = call(*advised(line))
    assert result.exit_code == 0, result.output
    assert len(read_run("k").history) == 2


# -------------------------------------------------------------------------------------------------------- spellings


@pytest.mark.parametrize("option", ["--layers", "--network"])
@pytest.mark.parametrize("sizes", ["784-20-10", "784,20,10", "784, 20, 10"])
def test_layers_are_spelt_alike_in_all_commands(option, sizes, monkeypatch):
    monkeypatch.setattr("copi_np.experiments.benchmark.SHORTEST", 0.001)
    assert call("bench", option, sizes, "--rounds", 1, "--backend", "numpy").stdout.startswith("copi-bp, 784-20-10,")
    result = call("train", "--dataset", "mnist-5k", option, sizes, "--epochs", 1, "--out", "k", "--backend", "numpy")
    assert result.exit_code == 0, result.output
    assert read_run("k").config.layers == (784, 20, 10)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_the_paper_has_a_name_in_all_of_them(name, monkeypatch):
    assert parse_layers(name) == NETWORKS[name]
    asked = []
    module = sys.modules["copi_np.cli.bench"]  # the package has the command under this name
    monkeypatch.setattr(module, "carry_out", lambda network, **_: asked.append(parse_layers(network)))
    monkeypatch.setattr(module, "bench_table", str)
    call("bench", "--layers", name)
    assert asked == [NETWORKS[name]]
    layers = "-".join(map(str, NETWORKS[name]))
    by_name = refused(*TRAIN, "--layers", name)
    assert by_name == refused(*TRAIN, "--network", layers)
    assert f"{NETWORKS[name][0]} inputs" in by_name


def test_an_unknown_name_suggests_the_nearest():
    for command in (["bench"], TRAIN[:3]):
        line = refused(*command, "--layers", "mnits")
        assert "unknown network 'mnits': did you mean 'mnist'? known: mnist, cifar10, or layer sizes such as" in line


def test_quiet_may_stand_before_the_command():
    """tests/cli/test_look.py calls every command in this way."""
    loud = call(*TRAIN, "--epochs", 1)
    assert "COPI (BP)" in loud.stderr
    for arguments in (["--quiet", *TRAIN[:-1], "a"], ["-q", *TRAIN[:-1], "b"], ["-q", *TRAIN[:-1], "c", "--quiet"]):
        assert call(*arguments, "--epochs", 1).stderr == ""
    assert "COPI (BP)" in call(*TRAIN[:-1], "d", "--epochs", 1).stderr
    assert "All commands" in call("--quiet").stdout
