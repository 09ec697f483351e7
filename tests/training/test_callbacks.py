"""Callbacks that come with the package: selection on a validation split, logs, and the plot that grows."""

from __future__ import annotations

import csv
import json
import sys
from base64 import b64decode
from collections import Counter
from dataclasses import replace
from io import BytesIO

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient
from runs import history_of, weights_of
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny import write_tiny

from copi_np import CopiError, DataError, Dataset, InputError, Network, Schedule, Split, fit, load_dataset, load_network
from copi_np.callbacks import (
    BestCheckpoint,
    Callback,
    CSVLog,
    EarlyStopping,
    EpochRecord,
    LivePlot,
    TensorBoardLog,
    best_epoch,
    read_record,
)
from copi_np.datasets import hold_out
from copi_np.errors import CopiWarning
from copi_np.experiments.config import RunConfig
from copi_np.experiments.diagnostics import DiagnosticsRecorder, read_diagnostics
from copi_np.experiments.records import read_run
from copi_np.experiments.runner import train_into, with_validation
from copi_np.experiments.summary import group_runs
from copi_np.experiments.tables import csv_of
from copi_np.plotting import learning_curves
from copi_np.training import evaluate, to_device

STEADY = Schedule(eta_W=0.05, eta_R=0.05)


class StoppedError(Exception):
    """What interrupts a training in these tests."""


class StopAfter(Callback):
    """Interrupts training, after the callbacks before this one were told of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch(self, network, record):
        if record.epoch == self.epoch:
            raise StoppedError


@pytest.fixture
def data(tmp_path):
    return hold_out(load_dataset(write_tiny(tmp_path, n_train=60, n_test=30)), 0.25, np.random.default_rng(0))


@pytest.fixture
def config(tmp_path):
    path = write_tiny(tmp_path, n_train=60, n_test=30)
    return RunConfig("copi-bp", str(path), (6, 5, 3), 12, 0.05, 0.05, batch_size=4, seed=3, val_fraction=0.25)


def make_network():
    return Network([6, 5, 3], rng=np.random.default_rng(0))


def run(data, epochs=4, network=None, callbacks=(), **options):
    network = make_network() if network is None else network
    rng = np.random.default_rng(1)
    return fit(network, data, epochs=epochs, schedule=STEADY, rng=rng, batch_size=4, callbacks=callbacks, **options)


def records(*accuracies, losses=None):
    losses = losses or [1.0] * len(accuracies)
    return [
        EpochRecord(k, 0.5, 0.5, 1.0, 1.0, [0.1], 0.01, accuracy, loss)
        for k, (accuracy, loss) in enumerate(zip(accuracies, losses, strict=True), start=1)
    ]


# ---------------------------------------------------------------- the validation split


@given(st.lists(st.integers(2, 30), min_size=2, max_size=4), st.floats(0.2, 0.5), st.integers(0, 99))
def test_held_out_samples_are_the_same_share_of_every_class_and_no_others(counts, fraction, seed):
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    inputs = np.arange(len(labels), dtype=float)[:, np.newaxis]  # every sample knows where it stood
    data = Dataset("numbers", Split(inputs, labels), Split(inputs[:1], labels[:1]), len(counts))
    try:
        held_out = hold_out(data, fraction, np.random.default_rng(seed))
    except InputError:
        assert any(round(fraction * n) in (0, n) for n in counts)
        return
    parts = held_out.train, held_out.validation
    assert np.array_equal(np.sort(np.concatenate([part.inputs for part in parts]), axis=0), inputs)
    for part in parts:
        where = part.inputs[:, 0].astype(int)
        assert np.array_equal(labels[where], part.labels)
        assert np.all(np.diff(where) > 0)  # in their order
    assert Counter(held_out.validation.labels.tolist()) == Counter(
        {k: round(fraction * n) for k, n in enumerate(counts) if round(fraction * n)}
    )
    assert held_out.test is data.test
    assert held_out.fingerprint != data.fingerprint


def test_which_samples_are_held_out_is_drawn(tmp_path):
    data = load_dataset(write_tiny(tmp_path))
    first, again, other = (hold_out(data, 0.3, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first.fingerprint == again.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("fraction", "message"),
    [
        (0.0, "must be between 0 and 1, e.g. 0.1, got 0.0"),
        (1, "must be between 0 and 1"),
        (float("nan"), "must be between 0 and 1"),
        ("0.1", "must be between 0 and 1"),
        (0.001, "0.001 of each class of .* is less than one sample: raise it"),
        (0.99, "leaves no sample of class 0: lower it"),
    ],
)
def test_a_share_that_cannot_be_held_out_is_refused(tmp_path, fraction, message):
    with pytest.raises(InputError, match=message):
        hold_out(load_dataset(write_tiny(tmp_path)), fraction, np.random.default_rng(0))


def test_only_data_can_be_held_out():
    with pytest.raises(InputError, match=r"data must be a copi_np\.datasets\.Dataset, got NoneType"):
        hold_out(None, 0.1, np.random.default_rng(0))


def test_nothing_is_held_out_twice(data):
    with pytest.raises(InputError, match="already has a validation split"):
        hold_out(data, 0.1, np.random.default_rng(0))


def test_a_validation_split_must_fit_the_others(data):
    with pytest.raises(InputError, match="6 train but 5 validation columns"):
        replace(data, validation=Split(np.zeros((2, 5)), np.zeros(2, int)))
    with pytest.raises(InputError, match="float64 train but float32 validation inputs"):
        replace(data, validation=Split(np.zeros((2, 6), "float32"), np.zeros(2, int)))


def test_records_tell_of_the_validation_split_as_it_is(data):
    class Check(Callback):
        def on_epoch(self, network, record):
            split = to_device(network, data.validation, 3)
            assert (record.val_accuracy, record.val_loss) == evaluate(network, *split)

    history = run(data, callbacks=[Check()])
    assert all(record.val_accuracy * 15 == pytest.approx(round(record.val_accuracy * 15)) for record in history)
    for record in history:
        assert list(record.as_dict())[-2:] == ["val_accuracy", "val_loss"]
        assert read_record(json.loads(json.dumps(record.as_dict()))) == record
    without = run(replace(data, validation=None))
    assert without[-1].val_accuracy is None
    assert "val_loss" not in without[-1].as_dict()


# ---------------------------------------------------------------- the best epoch, and the end


def test_the_best_epoch_is_the_first_of_the_best():
    assert best_epoch(records(0.2, 0.7, 0.5, 0.7)) == 2
    assert best_epoch(records(0.2, 0.7, 0.5, losses=[0.9, 0.5, 0.3]), "val_loss") == 3


@pytest.mark.parametrize("monitor", ["test_accuracy", "test_loss", "train_loss"])
def test_nothing_is_selected_on_the_test_set(monitor):
    for make in (lambda: best_epoch(records(0.1), monitor), lambda: EarlyStopping(2, monitor)):
        with pytest.raises(InputError, match=f"unknown monitor '{monitor}'.*known: val_accuracy, val_loss"):
            make()


def test_without_a_validation_split_there_is_no_best_epoch(data, tmp_path):
    for history in ([], records(0.5, None)):
        with pytest.raises(InputError, match="no validation split to select an epoch by"):
            best_epoch(history)
    path = tmp_path / "best.npz"
    for callback in (EarlyStopping(1), BestCheckpoint(path)):
        with pytest.raises(InputError, match=f"{type(callback).__name__} selects on a validation split.*hold_out"):
            run(replace(data, validation=None), callbacks=[callback])
    assert not path.exists()


@pytest.mark.parametrize(
    ("accuracies", "patience", "first_epochs", "n_epochs"),
    [
        ((0.1, 0.5, 0.4, 0.6, 0.6, 0.6, 0.6), 2, 0, 6),
        ((0.1, 0.5, 0.4, 0.6, 0.6, 0.6, 0.6), 1, 0, 3),
        ((0.5, 0.1, 0.1, 0.1, 0.1, 0.6), 2, 2, 4),  # the first two do not count
        ((0.1, 0.2, 0.3), 1, 0, 3),
    ],
)
def test_training_ends_when_it_has_waited_long_enough(accuracies, patience, first_epochs, n_epochs):
    stopping = EarlyStopping(patience, first_epochs=first_epochs)
    stopping.on_start(None, [])
    told = 0
    for record in records(*accuracies):
        if stopping.stop:
            break
        stopping.on_epoch(None, record)
        told += 1
    assert told == n_epochs
    again = EarlyStopping(patience, first_epochs=first_epochs)
    again.on_start(None, records(*accuracies)[:told])  # training that goes on does not go on from there
    assert again.stop == stopping.stop


def test_a_callback_that_stops_training_stops_it_after_the_epoch(data):
    class Enough(Callback):
        def on_epoch(self, network, record):
            self.stop = record.epoch == 2

    assert [record.epoch for record in run(data, epochs=9, callbacks=[Enough()])] == [1, 2]


def test_the_best_checkpoint_is_the_network_of_the_best_epoch(data, tmp_path):
    class Keep(Callback):
        def on_start(self, network, history):
            self.weights = []

        def on_epoch(self, network, record):
            self.weights.append(weights_of(network))

    keep = Keep()
    history = run(data, epochs=20, callbacks=[BestCheckpoint(tmp_path / "best.npz"), keep])
    best = best_epoch(history)
    assert best < 20  # else the last network would do as well
    network, metadata = load_network(tmp_path / "best.npz")
    assert weights_of(network) == keep.weights[best - 1]
    assert metadata == history[best - 1].as_dict()


def test_the_test_set_has_no_say(data, tmp_path):
    """Other samples to test on: the same epoch is chosen, the same network, and training ends at the same epoch."""
    garbled = replace(data, test=Split(-data.test.inputs, (data.test.labels + 1) % 3))
    chosen = []
    for k, version in enumerate((data, garbled)):
        path = tmp_path / f"{k}.npz"
        history = run(version, epochs=30, callbacks=[EarlyStopping(3), BestCheckpoint(path)])
        assert len(history) < 30
        chosen.append((best_epoch(history), len(history), weights_of(load_network(path)[0]), history))
    (*first, history), (*second, other) = chosen
    assert first == second
    assert [record.test_accuracy for record in history] != [record.test_accuracy for record in other]


@pytest.mark.parametrize("kind", [BestCheckpoint, CSVLog])
def test_a_file_that_is_there_is_not_replaced_by_another_training(data, tmp_path, kind):
    path = tmp_path / "mine"
    path.write_text("mine")
    with pytest.raises(InputError, match="already exists: move it away, or choose another path"):
        run(data, callbacks=[kind(path)])
    assert path.read_text() == "mine"


# ---------------------------------------------------------------- training that goes on


@pytest.mark.parametrize("n_before", range(1, 6))
@pytest.mark.parametrize("told", [True, False], ids=["after", "before"])
def test_what_was_interrupted_selects_as_if_it_had_not_been(data, tmp_path, n_before, told):
    """Whether the interruption comes after the callbacks were told of an epoch, or before, behind the checkpoint."""
    whole, half = tmp_path / "whole", tmp_path / "half"
    for folder in (whole, half):
        folder.mkdir()

    def callbacks(folder):
        return [BestCheckpoint(folder / "best.npz"), CSVLog(folder / "log.csv"), EarlyStopping(2)]

    history = run(data, epochs=30, callbacks=callbacks(whole), checkpoint=whole / "checkpoint.npz")
    n_before = min(n_before, len(history))
    interrupted = callbacks(half)
    interrupted.insert(3 if told else 0, StopAfter(n_before))
    with pytest.raises(StoppedError):
        run(data, epochs=30, callbacks=interrupted, checkpoint=half / "checkpoint.npz")
    again = run(data, epochs=30, callbacks=callbacks(half), checkpoint=half / "checkpoint.npz", resume=True)
    assert [replace(record, seconds=0) for record in again] == [replace(record, seconds=0) for record in history]
    networks = [load_network(folder / "best.npz")[0] for folder in (whole, half)]
    assert weights_of(networks[0]) == weights_of(networks[1])
    logs = [[row | {"seconds": ""} for row in rows_of(folder / "log.csv")] for folder in (whole, half)]
    assert logs[0] == logs[1]


def test_a_best_checkpoint_that_is_gone_is_said(data, tmp_path):
    options = {"checkpoint": tmp_path / "checkpoint.npz"}
    path = tmp_path / "best.npz"
    history = run(data, epochs=20, callbacks=[BestCheckpoint(path)], **options)
    assert best_epoch(history) < 20
    path.unlink()
    with pytest.warns(CopiWarning, match=rf"best.npz, with epoch {best_epoch(history)}, is missing: only a better one"):
        run(data, epochs=20, callbacks=[BestCheckpoint(path)], resume=True, **options)


@pytest.mark.parametrize("kind", [BestCheckpoint, CSVLog])
@pytest.mark.parametrize("content", ["mine\n", "epoch,train_accuracy\n1,0.5\n", ""])
def test_a_file_that_is_of_another_training_is_not_replaced_where_one_goes_on(data, tmp_path, kind, content):
    history = run(data, epochs=2)
    path = tmp_path / "mine"
    path.write_text(content)
    if (kind, content) == (CSVLog, ""):  # of a process that was killed before its first row
        run(data, epochs=3, history=history, callbacks=[kind(path)])
        return
    with pytest.raises(
        InputError,
        match="mine already exists: it belongs to another training run, or to later epochs, so move it away, or choose",
    ):
        run(data, epochs=3, history=history, callbacks=[kind(path)])
    assert path.read_text() == content


def test_the_log_of_a_training_that_stopped_anywhere_is_gone_on_with(data, tmp_path):
    path = tmp_path / "log.csv"
    history = run(data, epochs=4, callbacks=[CSVLog(path)])
    content = path.read_bytes()
    ends = [k + 1 for k, byte in enumerate(content) if byte == ord("\n")]
    for end in range(len(content) + 1):  # of history's two rows, with the header, and at most one row more
        path.write_bytes(content[:end])
        if end <= ends[3]:
            CSVLog(path).on_start(None, history[:2])
            assert path.read_bytes() == content[: ends[2]]
        else:
            with pytest.raises(InputError, match=r"log\.csv already exists"):
                CSVLog(path).on_start(None, history[:2])
            assert path.read_bytes() == content[:end]
    path.write_bytes(content[: ends[1]].replace(b".", b","))
    with pytest.raises(InputError, match=r"log\.csv already exists"):
        CSVLog(path).on_start(None, history)


def test_the_best_network_of_another_training_is_not_replaced(data, tmp_path):
    path = tmp_path / "best.npz"
    history = run(data, epochs=20, callbacks=[BestCheckpoint(path)])
    content, n_best = path.read_bytes(), best_epoch(history)
    assert 1 < n_best < 20
    other = Network([6, 4, 3], rng=np.random.default_rng(5))
    for known in (run(data, epochs=n_best, network=other), history[: n_best - 1]):
        with pytest.raises(InputError, match=r"best\.npz already exists: it belongs to another training run"):
            BestCheckpoint(path).on_start(other, known)
        assert path.read_bytes() == content
    for n_epochs in range(n_best, 21):
        BestCheckpoint(path).on_start(make_network(), history[:n_epochs])
        assert load_network(path)[1]["epoch"] == n_best


def test_a_training_that_goes_on_from_the_checkpoint_before_finds_a_best_network_of_its_next_epoch(data, tmp_path):
    path, checkpoint = tmp_path / "best.npz", tmp_path / "checkpoint.npz"
    n_best = best_epoch(run(data, epochs=20))
    run(data, epochs=n_best, callbacks=[BestCheckpoint(path)], checkpoint=checkpoint)
    best = weights_of(load_network(path)[0])
    checkpoint.write_bytes(b"damaged")
    with pytest.warns(CopiWarning, match="Resuming from"):
        run(data, epochs=20, callbacks=[BestCheckpoint(path)], checkpoint=checkpoint, resume=True)
    assert load_network(path)[1]["epoch"] == n_best
    assert weights_of(load_network(path)[0]) == best


# ---------------------------------------------------------------- logs


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_csv_log_has_a_row_an_epoch(data, tmp_path):
    path = tmp_path / "log.csv"
    history = run(data, epochs=3, callbacks=[CSVLog(path)])
    rows = rows_of(path)
    assert list(rows[0])[-4:] == ["val_accuracy", "val_loss", "decorrelation_loss_0", "decorrelation_loss_1"]
    for row, record in zip(rows, history, strict=True):
        assert int(row["epoch"]) == record.epoch
        assert float(row["test_loss"]) == record.test_loss  # every digit
        assert [float(row[f"decorrelation_loss_{k}"]) for k in (0, 1)] == record.decorrelation_loss


def test_a_log_that_cannot_be_written_is_one_clear_error(data, tmp_path):
    with pytest.raises(CopiError, match=r"cannot write .*log\.csv"):
        run(data, callbacks=[CSVLog(tmp_path / "no such folder" / "log.csv")])
    (tmp_path / "file").touch()
    with (
        TensorBoardLog(tmp_path / "file" / "log") as log,
        pytest.raises(CopiError, match=r"cannot write .*log"),
    ):
        run(data, callbacks=[log])


def scalars_of(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_tensorboard_reads_the_log(data, tmp_path):
    with TensorBoardLog(tmp_path / "log") as log:
        history = run(data, epochs=3, callbacks=[log])
    scalars = scalars_of(tmp_path / "log")
    assert set(scalars) == {
        *(f"{quantity}/{split}" for quantity in ("accuracy", "loss") for split in ("train", "test", "val")),
        "decorrelation_loss/layer_0", "decorrelation_loss/layer_1", "seconds",
    }  # fmt: skip
    for tag, read in {
        "accuracy/val": lambda record: record.val_accuracy,
        "loss/train": lambda record: record.train_loss,
        "decorrelation_loss/layer_1": lambda record: record.decorrelation_loss[1],
    }.items():
        assert scalars[tag] == [(record.epoch, np.float32(read(record))) for record in history]


def test_tensorboard_drops_what_an_interrupted_training_does_again(data, tmp_path):
    network, rng = make_network(), np.random.default_rng(1)
    options = {"schedule": STEADY, "rng": rng, "batch_size": 4}
    history = fit(network, data, epochs=2, **options)
    with TensorBoardLog(tmp_path / "log") as log:
        log.on_start(network, [])
        for record in [*history, replace(history[-1], epoch=3, train_loss=99.0)]:
            log.on_epoch(network, record)
    with TensorBoardLog(tmp_path / "log") as log:
        fit(network, data, epochs=4, history=history, callbacks=[log], **options)
    losses = scalars_of(tmp_path / "log")["loss/train"]
    assert [step for step, _ in losses] == [1, 2, 3, 4]
    assert 99.0 not in [value for _, value in losses]


def test_a_second_training_closes_the_log_of_the_first(data, tmp_path):
    with TensorBoardLog(tmp_path / "log") as log:
        history = run(data, epochs=1, callbacks=[log])
        first = log._writer
        run(data, epochs=2, history=history, callbacks=[log])
        assert first.all_writers is None  # closed
    assert [step for step, _ in scalars_of(tmp_path / "log")["loss/train"]] == [1, 2]


@pytest.mark.parametrize("method", ["add_scalar", "flush", "close"])
def test_a_full_disk_under_tensorboard_is_one_clear_error(data, tmp_path, monkeypatch, method):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    writers = []

    class Keep(Callback):
        def on_start(self, network, history):
            writers.append(log._writer)

    def log_one():
        with log:
            run(data, epochs=1, callbacks=[log, Keep()])

    log = TensorBoardLog(tmp_path / "log")
    with monkeypatch.context() as patch:
        patch.setattr(f"tensorboardX.SummaryWriter.{method}", fail)
        with pytest.raises(DataError, match=r"cannot write .*log \(No space left on device\): check"):
            log_one()
    writers[0].close()  # or its thread would outlive the test


def test_tensorboard_is_asked_for_by_name(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(InputError, match=r"pip install 'copi-np\[tensorboard\]'"):
        TensorBoardLog(tmp_path / "log")


def test_diagnostics_are_a_callback_too(data, tmp_path):
    history = run(data, epochs=2, callbacks=[DiagnosticsRecorder(tmp_path, data)])
    moments = read_diagnostics(tmp_path)
    assert [moment.epoch for moment in moments] == [0, 1, 2]
    measured = [layer.decorrelation_loss for layer in moments[-1].layers]
    assert measured == pytest.approx(history[-1].decorrelation_loss)


def test_diagnostics_of_another_training_are_not_kept(data, tmp_path):
    other = Network([6, 5, 3], rng=np.random.default_rng(5))
    run(data, epochs=1, network=other, callbacks=[DiagnosticsRecorder(tmp_path, data)])
    run(data, epochs=1, callbacks=[DiagnosticsRecorder(tmp_path, data)])
    assert [moment.epoch for moment in read_diagnostics(tmp_path)] == [0, 1]
    (tmp_path / "alone").mkdir()
    run(data, epochs=1, callbacks=[DiagnosticsRecorder(tmp_path / "alone", data)])
    assert read_diagnostics(tmp_path) == read_diagnostics(tmp_path / "alone")


# ---------------------------------------------------------------- the plot that grows


def test_the_plot_grows_in_a_notebook(tmp_path):
    cell = """
import numpy as np
from copi_np import Network, Schedule, fit, load_dataset
from copi_np.callbacks import LivePlot
data = load_dataset("tiny.npz")
network = Network([6, 5, 3], rng=np.random.default_rng(0))
rng = np.random.default_rng(1)
options = {"schedule": Schedule(0.05, 0.05), "rng": rng}
plot = LivePlot("COPI")
history = fit(network, data, epochs=2, callbacks=[plot], **options)
fit(network, data, epochs=3, history=history, callbacks=[plot], **options);
"""
    write_tiny(tmp_path)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = notebook.cells[0].outputs
    assert [next(iter(output["data"])) for output in outputs] == ["image/png"] * 2  # one a training, brought up to date
    data, network, rng = load_dataset(tmp_path / "tiny.npz"), make_network(), np.random.default_rng(1)
    history = []
    for output, epochs in zip(outputs, (2, 3), strict=True):
        history = fit(network, data, epochs=epochs, schedule=STEADY, rng=rng, history=history)
        file = BytesIO()
        learning_curves({"COPI": history}).savefig(file, format="png")
        assert b64decode(output["data"]["image/png"]) == file.getvalue()


def test_outside_a_notebook_there_is_no_plot(data):
    with pytest.raises(InputError, match="LivePlot draws in a Jupyter notebook"):
        run(data, callbacks=[LivePlot()])


# ---------------------------------------------------------------- runs


def test_a_run_keeps_the_best_network_and_ends_early(config, tmp_path):
    config = replace(config, epochs=30, patience=2)
    data = load_dataset(config.dataset)
    history = train_into(tmp_path / "run", config, data, "numpy")
    best = best_epoch(history)
    assert len(history) == max(best, config.first_epochs) + 2 < 30
    record = read_run(tmp_path / "run")
    assert record.finished
    assert record.ended_early
    assert record.history == history
    network, metadata = load_network(tmp_path / "run" / "best.npz")
    assert metadata["epoch"] == best
    validation = to_device(network, with_validation(config, data).validation, 3)
    assert evaluate(network, *validation) == (metadata["val_accuracy"], metadata["val_loss"])
    before = history_of(tmp_path / "run")
    assert train_into(tmp_path / "run", config, data, "numpy", resume=True) == history  # nothing is done twice
    assert history_of(tmp_path / "run") == before
    more = train_into(tmp_path / "run", replace(config, patience=4), data, "numpy", resume=True)
    assert more[: len(history)] == history
    assert len(more) > len(history)


def test_methods_hold_out_the_same_samples(config):
    data = load_dataset(config.dataset)
    splits = [with_validation(replace(config, method=method), data) for method in ("copi-bp", "bp")]
    assert splits[0].fingerprint == splits[1].fingerprint
    assert with_validation(replace(config, seed=4), data).fingerprint != splits[0].fingerprint
    assert with_validation(replace(config, val_fraction=0.0), data) is data
    for used in np.random.default_rng(config.seed).spawn(2):  # by weights and shuffling: not a second time
        assert hold_out(data, config.val_fraction, used).fingerprint != splits[0].fingerprint


def test_tables_tell_of_the_epochs_that_were_selected(config, tmp_path):
    data = load_dataset(config.dataset)
    for seed in range(3):
        train_into(tmp_path / str(seed), replace(config, seed=seed, epochs=30, patience=3), data, "numpy")
    runs = [read_run(tmp_path / str(seed)) for seed in range(3)]
    lengths = [len(run.history) for run in runs]
    assert len(set(lengths)) > 1  # or there would be nothing to take care of
    (group,) = group_runs(runs)
    assert len(group.runs) == 3
    assert group.n_epochs == min(lengths)
    chosen = [run.history[best_epoch(run.history) - 1] for run in runs]
    assert group.statistic("selected_test_accuracy").mean == np.mean([record.test_accuracy for record in chosen])
    assert group.statistic("selected_val_accuracy").mean == np.mean([record.val_accuracy for record in chosen])
    (row,) = csv.DictReader(csv_of([group]).splitlines())
    assert float(row["selected_epoch"]) == np.mean([record.epoch for record in chosen])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"val_fraction": 1.0}, "val_fraction must be below 1, e.g. 0.1, got 1.0"),
        ({"val_fraction": -0.1}, "val_fraction must be a finite number, at least 0"),
        ({"val_fraction": 0.0, "patience": 2}, "patience needs validation samples"),
        ({"patience": -1}, "patience must be at least 0"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(config, changes, message):
    with pytest.raises(InputError, match=message):
        replace(config, **changes)
