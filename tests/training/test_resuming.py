"""Training that was interrupted, wherever, goes on and comes to the same, bit for bit."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from killed import train_there, train_until_call
from runs import history_of, weights_of
from tiny import write_tiny

from copi_np import Callback, InputError, Network, Schedule, fit
from copi_np.callbacks import EpochRecord
from copi_np.checkpoint import load_network, previous_path
from copi_np.cli import main
from copi_np.datasets import Dataset, Split, load_dataset
from copi_np.errors import StoppedError
from copi_np.experiments.config import RunConfig
from copi_np.experiments.runner import train_into

needs_sigkill = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")


@pytest.fixture
def data(tmp_path):
    return load_dataset(write_tiny(tmp_path))


@pytest.fixture
def config(data):
    return RunConfig("copi-fa", data.name, (6, 5, 3), 4, 0.05, 0.05, batch_size=4, seed=3)


def without_seconds(history):
    return [replace(record, seconds=0.0) for record in history]


def result_of(folder):
    """All that a run comes to: history without times, and final weights."""
    return history_of(folder), weights_of(load_network(folder / "checkpoint.npz")[0])


# ------------------------------------------------------------------------------------------------- fit


class StopAfter(Callback):
    """Stops in the middle of an epoch."""

    def __init__(self, n_batches):
        self.n_left = n_batches

    def on_batch(self, batch, n_batches):
        self.n_left -= 1
        if self.n_left == 0:
            raise StoppedError(signal.SIGINT)


def run_fit(data, path, *, epochs=4, rule="copi", callbacks=(), **options):
    """Train as a script would that is simply started again; also its network and generator start anew."""
    network = Network([6, 5, 3], rng=np.random.default_rng(0), rule=rule, error_signal="fa")
    rng = np.random.default_rng(1)
    schedule = Schedule(0.05, 0.05, first_epochs=2, first_eta_R=0.02)
    settings = {"schedule": schedule, "batch_size": 4, **options}
    history = fit(network, data, epochs=epochs, rng=rng, checkpoint=path, callbacks=callbacks, **settings)
    return network, history, rng


@pytest.mark.parametrize("rule", ["copi", "momentum", "adam"])
@pytest.mark.parametrize("n_batches", [1, 6, 7, 15])
def test_fit_goes_on_from_its_checkpoint(tmp_path, data, rule, n_batches):
    """Six batches are an epoch; times aside, nothing tells the two apart."""
    whole, history, rng = run_fit(data, tmp_path / "whole.npz", rule=rule)
    path = tmp_path / "net.npz"
    with pytest.raises(StoppedError):
        run_fit(data, path, rule=rule, resume=True, callbacks=[StopAfter(n_batches)])
    assert path.exists() == (n_batches > 6)
    network, resumed, resumed_rng = run_fit(data, path, rule=rule, resume=True)
    assert weights_of(network) == weights_of(whole)
    assert without_seconds(resumed) == without_seconds(history)
    assert resumed_rng.bit_generator.state == rng.bit_generator.state


def test_fit_makes_training_longer(tmp_path, data):
    whole, history, _ = run_fit(data, tmp_path / "whole.npz")
    run_fit(data, tmp_path / "net.npz", epochs=1)
    network, resumed, _ = run_fit(data, tmp_path / "net.npz", resume=True)
    assert weights_of(network) == weights_of(whole)
    assert without_seconds(resumed) == without_seconds(history)
    again, same, _ = run_fit(data, tmp_path / "net.npz", epochs=2, resume=True)  # nothing left to do
    assert weights_of(again) == weights_of(whole)
    assert same == resumed


def test_fit_overwrites_no_checkpoint(tmp_path, data):
    run_fit(data, tmp_path / "net.npz", epochs=1)
    before = (tmp_path / "net.npz").read_bytes()
    with pytest.raises(InputError, match=r"net\.npz already exists: resume from it with resume=True"):
        run_fit(data, tmp_path / "net.npz", epochs=1)
    assert (tmp_path / "net.npz").read_bytes() == before


def test_fit_overwrites_no_checkpoint_of_which_only_the_one_before_is_left(tmp_path, data):
    run_fit(data, tmp_path / "net.npz", epochs=1)
    previous = previous_path(tmp_path / "net.npz")
    (tmp_path / "net.npz").replace(previous)
    with pytest.raises(InputError, match=r"net\.previous\.npz already exists: resume from it with resume=True"):
        run_fit(data, tmp_path / "net.npz", epochs=1)


def test_fit_goes_on_from_no_checkpoint_that_is_not_named(tmp_path, data):
    with pytest.raises(InputError, match="resume=True needs a checkpoint to resume from: give checkpoint=PATH"):
        run_fit(data, None, resume=True)


def test_fit_removes_what_killed_processes_left_of_its_checkpoint(tmp_path, data):
    names = [".net.npz.12.copi-np-tmp", ".net.previous.npz.12.copi-np-tmp", ".other.npz.12.copi-np-tmp"]
    for name in names:
        (tmp_path / name).touch()
    run_fit(data, tmp_path / "net.npz", epochs=1)
    assert [(tmp_path / name).exists() for name in names] == [False, False, True]


def test_fit_refuses_the_checkpoint_of_another_training(tmp_path, data):
    path = tmp_path / "net.npz"
    run_fit(data, path, epochs=1)
    other = Dataset(data.name, data.train, Split(-data.test.inputs, data.test.labels), 3)
    for message, changes in (
        ("batch_size was 4, now 5", {"batch_size": 5}),
        ("eta_W was 0.05, now 0.1", {"schedule": Schedule(0.1, 0.05, first_epochs=2, first_eta_R=0.02)}),
        ("rule was 'copi', now 'sgd'", {"rule": "sgd"}),
    ):
        with pytest.raises(InputError, match=rf"net\.npz belongs to another training run: {message}; use the same"):
            run_fit(data, path, resume=True, **changes)
    with pytest.raises(InputError, match="the data differ"):
        run_fit(other, path, resume=True)


def test_fit_refuses_a_generator_that_cannot_be_recorded(tmp_path, data):
    network = Network([6, 5, 3], rng=np.random.default_rng(0))
    rng = np.random.Generator(np.random.MT19937(0))
    with pytest.raises(InputError, match=r"MT19937 cannot be recorded: use numpy\.random\.default_rng"):
        fit(network, data, epochs=1, schedule=Schedule(0.1, 0.1), rng=rng, checkpoint=tmp_path / "net.npz")
    assert not (tmp_path / "net.npz").exists()


def test_history_that_is_given_counts_where_there_is_no_checkpoint(tmp_path, data):
    record = EpochRecord(1, 0.0, 0.0, 1.0, 1.0, [0.0, 0.0], 1.0)
    _, history, _ = run_fit(data, tmp_path / "net.npz", epochs=2, history=[record], resume=True)
    assert history[0] == record
    assert [each.epoch for each in history] == [1, 2]


# ------------------------------------------------------------------------------------------- train --resume


def train(*arguments):
    return CliRunner().invoke(main, ["train", *map(str, arguments)])


def start(folder, data, *others):
    options = ["--dataset", data.name, "--layers", "6,5,3", "--batch-size", 4, "--method", "copi-fa", "--seed", 3]
    return train(*options, "--backend", "numpy", "--out", folder, *others)


def test_a_run_is_resumed_from_its_folder_alone(tmp_path, data):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert start(whole, data, "--epochs", 4).exit_code == 0
    assert start(parts, data, "--epochs", 2).exit_code == 0
    result = train("--resume", parts, "--epochs", 4)
    assert result.exit_code == 0, result.output
    assert "epoch 4: train" in result.stdout
    assert "4/4: train" in result.stderr
    assert result_of(parts) == result_of(whole)
    for epochs in (["--epochs", 4], ["--epochs", 1], []):
        again = train("--resume", parts, *epochs)
        assert again.exit_code == 0
        assert "Nothing left to do: the run has already ended." in again.stderr
        assert result_of(parts) == result_of(whole)


def test_a_run_is_resumed_where_its_data_were_moved(tmp_path, data):
    start(tmp_path / "run", data, "--epochs", 1)
    (tmp_path / "elsewhere").mkdir()
    moved = Path(data.name).rename(tmp_path / "elsewhere" / "renamed.npz")
    error = train("--resume", tmp_path / "run", "--epochs", 2).stderr
    assert "there is no file" in error
    assert error.endswith("; or say where the data are now, with --dataset\n")
    assert train("--resume", tmp_path / "run", "--epochs", 2, "--dataset", moved).exit_code == 0
    assert train("--resume", tmp_path / "run", "--epochs", 3).exit_code == 0  # it is known from now on


def test_what_patience_ended_says_so(tmp_path, data):
    held_out = ["--val-fraction", 0.2, "--patience", 1, "--epochs", 50]
    result = start(tmp_path / "run", data, *held_out)
    assert "Ended by --patience 1: raise it to train further" in result.stdout
    longer = train("--resume", tmp_path / "run", "--patience", 2)
    assert "Nothing left to do" not in longer.stderr


def test_a_run_whose_settings_were_changed_by_hand_is_not_resumed(tmp_path, data):
    start(tmp_path / "run", data, "--epochs", 1)
    path = tmp_path / "run" / "run.json"
    path.write_text(path.read_text().replace('"eta_W": 0.001', '"eta_W": 0.002'))
    result = train("--resume", tmp_path / "run", "--epochs", 2)
    assert re.search(
        r"^Error: .*run\.json does not match the name it holds: undo the changes made to it$", result.stderr.strip()
    )


def test_the_bar_of_a_resumed_run_begins_where_it_was(tmp_path, data):
    start(tmp_path / "run", data, "--epochs", 3)
    result = train("--resume", tmp_path / "run", "--epochs", 4)
    bars = [line for line in result.stderr.replace("\r", "\n").splitlines() if "█" in line]
    assert bars
    assert all(bar.count("█") >= 8 for bar in bars)  # of twelve


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--seed", "4"], "leave out --seed"),
        (["--method", "bp", "--eta-w", "1"], "leave out --eta-w, --method|leave out --method, --eta-w"),
        (["--out", "elsewhere"], "leave out --out"),
    ],
)
def test_a_resumed_run_stays_what_it_is(tmp_path, data, monkeypatch, arguments, word):
    monkeypatch.chdir(tmp_path)
    start(tmp_path / "run", data, "--epochs", 1)
    result = train("--resume", tmp_path / "run", *arguments)
    assert result.exit_code == 2
    assert re.search(f"^Error: --resume continues the run with its own settings: {word}", result.stderr)
    assert result.stderr.count("\n") == 1


def test_a_run_on_other_data_is_not_resumed(tmp_path, data):
    start(tmp_path / "run", data, "--epochs", 1)
    write_tiny(tmp_path, n_train=24)
    result = train("--resume", tmp_path / "run", "--epochs", 2)
    assert result.exit_code == 2
    assert re.search(
        r"^Error: the run in .*run was trained on other data than .*tiny\.npz: use the same data", result.stderr
    )


@pytest.mark.parametrize("what", ["missing", "empty", "not a run"])
def test_a_folder_without_a_run_is_not_resumed(tmp_path, what):
    folder = tmp_path / "run"
    if what != "missing":
        folder.mkdir()
    if what == "not a run":
        (folder / "run.json").write_text('{"scripts": {"test": "jest"}}')
    result = train("--resume", folder)
    assert result.exit_code == 2
    assert re.search(r"^Error: .*run\.json", result.stderr)
    assert result.stderr.count("\n") == 1


def test_a_damaged_checkpoint_is_a_warning_of_one_line(tmp_path, data):
    start(tmp_path / "whole", data, "--epochs", 3)
    start(tmp_path / "run", data, "--epochs", 2)
    path = tmp_path / "run" / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:-99])
    result = train("--resume", tmp_path / "run", "--epochs", 3)
    assert result.exit_code == 0
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Warning: ")]
    assert re.search(r"checkpoint\.npz is cut short.*Resuming from .*checkpoint\.previous\.npz", line)
    assert (tmp_path / "run" / "checkpoint.damaged.npz").is_file()
    assert result_of(tmp_path / "run") == result_of(tmp_path / "whole")


def test_a_run_without_a_sound_checkpoint_can_be_started_anew(tmp_path, data):
    start(tmp_path / "run", data, "--epochs", 1)
    (tmp_path / "run" / "checkpoint.npz").write_bytes(b"damaged")
    result = train("--resume", tmp_path / "run", "--epochs", 3)
    assert result.exit_code == 2
    assert re.search(r"^Error: .*checkpoint\.npz is cut short.*; or move .*run away to start the run", result.stderr)


def test_a_folder_that_cannot_be_written_is_an_error_and_stays_as_it_is(tmp_path, data):
    """The limit on the size of files stands for a full disk; permissions do not bind root."""
    resource = pytest.importorskip("resource")
    start(tmp_path / "run", data, "--epochs", 2)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, hard))
    try:
        result = train("--resume", tmp_path / "run", "--epochs", 3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result.exit_code == 2
    assert re.search(
        r"^Error: cannot write .*: check the folder, and the space left on it", result.stderr, re.MULTILINE
    )
    after = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    assert {name: after[name] for name in before if name != "run.json"} == {
        name: before[name] for name in before if name != "run.json"
    }
    assert train("--resume", tmp_path / "run", "--epochs", 3).exit_code == 0


# ------------------------------------------------------------------------------------------- killed anywhere

SERVER = multiprocessing.get_context("forkserver" if sys.platform != "win32" else "spawn")


@pytest.fixture(autouse=True)
def preloaded(monkeypatch):
    """A process starts as a fork of one that has trained before, and so in no time."""
    SERVER.set_forkserver_preload(["warm"])
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "support"), prepend=os.pathsep)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")


def exit_code(target, *arguments, kill_after=None):
    process = SERVER.Process(target=target, args=arguments)
    process.start()
    if kill_after is not None:
        time.sleep(kill_after)
        process.kill()
    process.join()
    return process.exitcode


@needs_sigkill
def test_a_process_killed_at_random_moments_comes_to_the_same(tmp_path, config):
    """Fifty times and more, each followed by going on; moments are drawn from the time that a whole run takes."""
    config = replace(config, epochs=20)
    exit_code(train_there, tmp_path / "warm", replace(config, epochs=1))  # starts the server
    begin = time.perf_counter()
    assert exit_code(train_there, tmp_path / "whole", config) == 0
    duration = time.perf_counter() - begin
    expected = result_of(tmp_path / "whole")
    rng = np.random.default_rng(0)
    n_kills = n_runs = n_half = 0
    while n_kills < 50:
        folder = tmp_path / f"run{n_runs}"
        n_runs += 1
        while True:
            code = exit_code(train_there, folder, config, kill_after=rng.uniform(0, duration))
            if code == 0:
                break
            assert code == -signal.SIGKILL
            n_kills += 1
            lines = (folder / "history.jsonl").read_text().count("\n") if (folder / "history.jsonl").exists() else 0
            n_half += 0 < lines < config.epochs
            if n_kills % 3 == 0:  # let it end, so that many different runs are seen
                train_there(folder, config)
                break
        assert result_of(folder) == expected
        assert not list(folder.glob("*-tmp"))
    assert n_half > 10


@needs_sigkill
@pytest.mark.parametrize("damaged", [False, True])
def test_a_process_killed_inside_each_step_of_saving_comes_to_the_same(tmp_path, config, damaged):
    """At every call that touches a file, one after the other, from the first to the last of the whole run.

    Or of one that goes on from the checkpoint before, since the latest is damaged, until the next one is saved.
    """
    config = replace(config, epochs=3 if damaged else 2)
    assert exit_code(train_there, tmp_path / "whole", config) == 0
    expected = result_of(tmp_path / "whole")
    if damaged:
        assert exit_code(train_there, tmp_path / "begun", replace(config, epochs=2)) == 0
        (tmp_path / "begun" / "checkpoint.npz").write_bytes(b"damaged")
    n = 40 if damaged else 0  # of the other, the first calls are seen above: those before it is saved
    while True:
        n += 1
        folder = tmp_path / f"run{n}"
        if damaged:
            shutil.copytree(tmp_path / "begun", folder)
        code = exit_code(train_until_call, folder, config, n)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        saved = (folder / "checkpoint.npz").exists() and (folder / "checkpoint.npz").read_bytes() != b"damaged"
        train_there(folder, config)  # in this process: all that the other one left is on the disk
        assert result_of(folder) == expected, n
        assert not list(folder.glob("*-tmp"))
        if damaged and saved:
            break
    assert n > 60


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_asked_to_stop_is_saved_and_can_go_on(tmp_path, data, config, number, code):
    folder = tmp_path / "run"
    arguments = ["train", "--dataset", data.name, "--layers", "6,5,3", "--batch-size", "4", "--epochs", "100000"]
    command = [sys.executable, "-c", "from copi_np.cli import main; main()", *arguments]
    process = subprocess.Popen(
        [*command, "--backend", "numpy", "--out", str(folder)], stderr=subprocess.PIPE, text=True
    )
    while not (folder / "history.jsonl").exists() or (folder / "history.jsonl").read_text().count("\n") < 2:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate()
    assert process.returncode == code
    assert errors.splitlines()[-1].startswith(f"Error: stopped by {signal.Signals(number).name}: everything finished")
    n_epochs = len((folder / "history.jsonl").read_text().splitlines())
    assert load_network(folder / "checkpoint.npz")[1]["epoch"] == n_epochs
    assert train("--resume", folder, "--epochs", n_epochs + 1).exit_code == 0
    assert len((folder / "history.jsonl").read_text().splitlines()) == n_epochs + 1


def test_records_of_a_run_say_where_it_went_on(tmp_path, config, data):
    train_into(tmp_path / "run", replace(config, epochs=2), data, "numpy")
    train_into(tmp_path / "run", config, data, "numpy", resume=True)
    description = json.loads((tmp_path / "run" / "run.json").read_text())
    assert [part["after_epoch"] for part in description["continued"]] == [2]
    assert previous_path(tmp_path / "run" / "checkpoint.npz").is_file()
