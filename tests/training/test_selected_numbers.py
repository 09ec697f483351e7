"""What callbacks select and log, where accuracy and loss disagree; every number of a log is the record's."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from copi_np import InputError, Network, load_network, save_network
from copi_np.callbacks import BestCheckpoint, CSVLog, EarlyStopping, TensorBoardLog, best_epoch
from copi_np.callbacks.selection import epochs_since_best, has_waited
from copi_np.errors import CopiWarning
from copi_np.history import EpochRecord

ACCURACIES = [0.2, 0.5, 0.4, 0.6, 0.7, 0.3, 0.65, 0.8]
LOSSES = [0.9, 0.3, 0.2, 0.5, 0.6, 0.7, 0.1, 0.4]
HISTORY = [
    EpochRecord(k, 0.01 * k, 0.9 - 0.02 * k, 2.0 / k, 3.0 / k, [0.1 * k, 0.2 * k], 1.5 * k, accuracy, loss)
    for k, (accuracy, loss) in enumerate(zip(ACCURACIES, LOSSES, strict=True), start=1)
]
BETTER = {"val_accuracy": [1, 2, 4, 5, 8], "val_loss": [1, 2, 3, 7]}
"""The epochs that are better than all before them."""


@pytest.mark.parametrize("monitor", BETTER)
def test_the_best_epoch_is_that_of_its_column(monitor):
    for n in range(1, len(HISTORY) + 1):
        assert best_epoch(HISTORY[:n], monitor) == max(k for k in BETTER[monitor] if k <= n)


@pytest.mark.parametrize("monitor", BETTER)
@pytest.mark.parametrize("patience", [1, 2, 3])
@pytest.mark.parametrize("first_epochs", [0, 3])
def test_training_stops_by_its_column(monitor, patience, first_epochs):
    """After so many epochs without a better one, counted from the best one or from the end of the first epochs."""
    stopping = EarlyStopping(patience, monitor, first_epochs=first_epochs)
    stopping.on_start(None, [])
    for n, record in enumerate(HISTORY, start=1):
        stopping.on_epoch(None, record)
        waited = n - max(first_epochs, *(k for k in BETTER[monitor] if k <= n), 0)
        assert stopping.stop == (waited >= patience), n
        again = EarlyStopping(patience, monitor, first_epochs=first_epochs)
        again.on_start(None, HISTORY[:n])
        assert again.stop == stopping.stop
        assert has_waited(HISTORY[:n], patience, first_epochs, monitor) == stopping.stop


@pytest.mark.parametrize("monitor", BETTER)
def test_the_network_that_is_kept_is_the_best_of_its_column(monitor, tmp_path):
    network, path = Network([3, 2], rng=np.random.default_rng(0), dtype="float64"), tmp_path / "best.npz"
    keeping = BestCheckpoint(path, monitor)
    keeping.on_start(network, [])
    for n, record in enumerate(HISTORY, start=1):
        network.layers[0].W = np.full((2, 3), float(n))
        keeping.on_epoch(network, record)
        best = max(k for k in BETTER[monitor] if k <= n)
        kept, metadata = load_network(path)
        assert np.unique(kept.layers[0].W).tolist() == [best]
        assert metadata == HISTORY[best - 1].as_dict()


UNKNOWN = "unknown monitor 'loss': did you mean 'val_loss'? known: val_accuracy, val_loss"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: EarlyStopping(0), "patience must be at least 1, got 0"),
        (lambda: EarlyStopping(1, first_epochs=-1), "first_epochs must be at least 0, got -1"),
        (lambda: EarlyStopping(1, "loss"), UNKNOWN),
        (lambda: BestCheckpoint("best.npz", "loss"), UNKNOWN),
        (lambda: best_epoch(HISTORY, "loss"), UNKNOWN),
        (
            lambda: best_epoch([replace(HISTORY[0], val_accuracy=None)]),
            "there is no validation split to select an epoch by: train with hold_out(data, 0.1, rng)",
        ),
    ],
)
def test_what_cannot_be_selected_is_named(build, message):
    with pytest.raises(InputError) as error:
        build()
    assert str(error.value) == message


def test_by_default_all_epochs_count():
    assert EarlyStopping(3).first_epochs == 0
    assert has_waited(HISTORY[:3], 1)  # the third is worse than the second
    assert not has_waited(HISTORY[:3], 2)


@pytest.mark.parametrize("callback", [EarlyStopping(1), BestCheckpoint("best.npz")])
def test_before_training_a_selection_has_no_history(callback):
    assert callback.history == []


@pytest.mark.parametrize("monitor", BETTER)
def test_a_missing_best_epoch_is_named_by_its_column(monitor, tmp_path):
    path = tmp_path / "best.npz"
    with pytest.warns(CopiWarning) as found:
        BestCheckpoint(path, monitor).on_start(Network([3, 2], rng=np.random.default_rng(0)), HISTORY[:6])
    (warning,) = found
    epoch = max(k for k in BETTER[monitor] if k <= 6)
    assert str(warning.message) == f"{path}, with epoch {epoch}, is missing: only a better one will be saved"
    assert warning.filename == __file__  # the line that trains


@pytest.mark.parametrize("sizes", [(3, 2), (4, 2)])
def test_the_best_epoch_of_another_training_is_named(sizes, tmp_path):
    path, rng = tmp_path / "best.npz", np.random.default_rng(0)
    save_network(path, Network(sizes, rng=rng), {"epoch": 7})
    with pytest.raises(InputError) as error:
        BestCheckpoint(path).on_start(Network([3, 2], rng=rng), HISTORY[:2])
    why = "it belongs to another training run, or to later epochs"
    assert str(error.value) == f"{path} already exists: {why}, so move it away, or choose another path"


def test_a_best_score_must_be_beaten_by_more_than_the_tolerance():
    assert epochs_since_best([1.0, 1.0, 1.0]) == 2
    assert epochs_since_best([1.0, 1.5, 1.75], tol=0.5) == 2
    assert epochs_since_best([1.0, 1.5, 1.75, 2.5], tol=0.5) == 0  # of the best, 1.75, not of the last that counted
    assert epochs_since_best([1.0, 1.5, 1.75, 2.25], tol=0.5) == 3
    assert epochs_since_best([]) == 0


def test_every_column_of_a_log_is_the_record(tmp_path):
    log = CSVLog(tmp_path / "log.csv")
    log.on_start(None, [])
    for record in HISTORY:
        log.on_epoch(None, record)
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    expected = []
    for record in HISTORY:
        values = record.as_dict()
        for k, loss in enumerate(values.pop("decorrelation_loss")):
            values[f"decorrelation_loss_{k}"] = loss
        expected.append(values)
    assert rows == expected
    resumed = CSVLog(tmp_path / "log.csv")
    resumed.on_start(None, HISTORY)
    with (tmp_path / "log.csv").open(newline="") as file:
        assert [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)] == expected


@pytest.mark.parametrize("validation", [True, False])
def test_every_tag_of_tensorboard_is_the_record(tmp_path, validation):
    history = HISTORY if validation else [replace(each, val_accuracy=None, val_loss=None) for each in HISTORY]
    with TensorBoardLog(tmp_path / "log") as log:
        log.on_start(None, [])
        for record in history:
            log.on_epoch(None, record)
    events = EventAccumulator(str(tmp_path / "log"))
    events.Reload()
    found = {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    splits = ("train", "test", "val") if validation else ("train", "test")
    expected = {
        f"{quantity}/{split}": [getattr(record, f"{split}_{quantity}") for record in history]
        for quantity in ("accuracy", "loss")
        for split in splits
    }
    expected |= {f"decorrelation_loss/layer_{k}": [record.decorrelation_loss[k] for record in history] for k in (0, 1)}
    expected["seconds"] = [record.seconds for record in history]
    assert found == {
        tag: [(k, np.float32(value)) for k, value in enumerate(values, start=1)] for tag, values in expected.items()
    }
