"""The training loop: what a network is shown, in which order, at which step sizes, and what is recorded of it."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

from copi_np import DivergenceError, InputError, Network
from copi_np._divergence import check_weights
from copi_np.callbacks import Callback, EpochRecord
from copi_np.datasets import Dataset, Split
from copi_np.training import (
    N_MONITORED,
    DeviceSplit,
    Schedule,
    evaluate,
    fit,
    to_device,
    train_epoch,
)

STEADY = Schedule(eta_W=0.05, eta_R=0.05)


def blobs(rng, n, n_inputs=6, n_classes=3, noise=0.1):
    """Samples around one corner per class: easy to tell apart, no two alike."""
    labels = rng.permutation(np.arange(n) % n_classes)
    return Split(np.eye(n_classes, n_inputs)[labels] + rng.normal(0, noise, (n, n_inputs)), labels)


def make_data(n_train=20, n_test=11, **options):
    rng = np.random.default_rng(7)
    return Dataset("blobs", blobs(rng, n_train, **options), blobs(rng, n_test, **options), options.get("n_classes", 3))


class Watched(Network):
    """A network that remembers what its `step` was given."""

    def step(self, y0, targets, **rates):
        self.__dict__.setdefault("steps", []).append((y0.copy(), targets.copy(), rates))
        return super().step(y0, targets, **rates)


def make_network(sizes=(6, 5, 3), seed=0, kind=Network, dtype="float64", **options):
    return kind(list(sizes), rng=np.random.default_rng(seed), dtype=dtype, **options)


def run(network, data, epochs=2, schedule=STEADY, seed=1, **options):
    return fit(network, data, epochs=epochs, schedule=schedule, rng=np.random.default_rng(seed), **options)


# ---------------------------------------------------------------- schedule


def test_the_first_epochs_have_rates_of_their_own():
    schedule = Schedule(0.3, 0.4, first_epochs=2, first_eta_W=0.1, first_eta_R=0.2, delta_scale=5)
    first, later = {"eta_W": 0.1, "eta_R": 0.2, "delta_scale": 5}, {"eta_W": 0.3, "eta_R": 0.4, "delta_scale": 5}
    assert [schedule.rates(epoch) for epoch in (1, 2, 3, 4)] == [first, first, later, later]


def test_without_first_epochs_the_rates_are_constant():
    schedule = Schedule(0.3, 0.4, first_eta_W=9, first_eta_R=9)
    assert schedule.rates(1) == schedule.rates(50) == {"eta_W": 0.3, "eta_R": 0.4, "delta_scale": 1.0}


def test_every_batch_is_learned_at_the_rates_of_its_epoch():
    network = make_network(kind=Watched)
    schedule = Schedule(0.03, 0.04, first_epochs=1, first_eta_W=0.01, first_eta_R=0.02, delta_scale=2)
    run(network, make_data(n_train=6), epochs=3, schedule=schedule, batch_size=3)
    rates = [(r["eta_W"], r["eta_R"], r["delta_scale"]) for _, _, r in network.steps]
    assert rates == [(0.01, 0.02, 2)] * 2 + [(0.03, 0.04, 2)] * 4


def test_an_epoch_of_decorrelation_alone_leaves_the_forward_weights():
    network = make_network()
    before = [layer.W.copy() for layer in network.layers]
    run(network, make_data(), epochs=1, schedule=Schedule(0.1, 0.1, first_epochs=1, first_eta_R=0.1))
    assert all(np.array_equal(layer.W, W) for layer, W in zip(network.layers, before, strict=True))
    assert not np.array_equal(network.layers[0].R, np.eye(6))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eta_W": -0.1}, r"eta_W must be .* got -0\.1"),
        ({"eta_R": math.nan}, "eta_R must be .* got nan"),
        ({"eta_W": math.inf}, "eta_W must be .* got inf"),
        ({"delta_scale": -1}, "delta_scale must be .* got -1"),
        ({"first_eta_W": None}, "first_eta_W must be .* got None"),
        ({"first_eta_R": "0.1"}, "first_eta_R must be .* got '0.1'"),
        ({"first_epochs": "3"}, "first_epochs must be an integer, got '3'"),
        ({"first_epochs": -1}, "first_epochs must be at least 0, got -1"),
    ],
)
def test_a_schedule_of_which_a_later_epoch_would_fail_is_refused_at_once(changes, message):
    with pytest.raises(InputError, match=message):
        Schedule(**{"eta_W": 0.1, "eta_R": 0.1} | changes)


def test_numbers_of_numpy_are_as_good_as_any(tmp_path):
    """Also in a checkpoint, which is JSON in part."""
    networks = []
    for real, whole in ((float, int), (np.float64, np.int64)):
        network = make_network()
        schedule = Schedule(real(0.05), real(0.04), whole(1), real(0.02), real(0.03), real(2))
        path = tmp_path / f"{real.__name__}.npz"
        run(network, make_data(), whole(2), schedule, batch_size=whole(4), checkpoint=path)
        networks.append(network)
    assert all(np.array_equal(a.W, b.W) for a, b in zip(*(network.layers for network in networks), strict=True))
    schedule = Schedule(np.float32(0.1), np.float32(0.1), np.int8(1))
    run(make_network(), make_data(), 2, schedule, batch_size=np.uint8(4), checkpoint=tmp_path / "short.npz")


# ---------------------------------------------------------------- what the network is shown


@pytest.mark.parametrize(("batch_size", "sizes"), [(3, [3, 3, 1]), (7, [7]), (100, [7]), (1, [1] * 7)])
def test_an_epoch_shows_every_sample_once_with_its_own_label(batch_size, sizes):
    data, network = make_data(n_train=7), make_network(kind=Watched)
    run(network, data, epochs=2, batch_size=batch_size)
    assert [len(y0) for y0, _, _ in network.steps] == 2 * sizes
    label_of = {tuple(row): label for row, label in zip(*data.train, strict=True)}
    for steps in (network.steps[: len(sizes)], network.steps[len(sizes) :]):
        rows = np.concatenate([y0 for y0, _, _ in steps])
        targets = np.concatenate([targets for _, targets, _ in steps])
        assert sorted(map(tuple, rows)) == sorted(label_of)
        assert np.array_equal(targets, np.eye(3)[[label_of[tuple(row)] for row in rows]])


def orders(data, seed, epochs=3):
    """The order in which each epoch shows the training samples."""
    network = make_network(kind=Watched)
    run(network, data, epochs=epochs, seed=seed, batch_size=4)
    rows = np.concatenate([y0 for y0, _, _ in network.steps])
    place = {tuple(row): i for i, row in enumerate(data.train.inputs)}
    return np.reshape([place[tuple(row)] for row in rows], (epochs, -1)).tolist()


def test_the_given_generator_shuffles_and_nothing_else_does():
    data = make_data()
    np.random.seed(1)  # noqa: NPY002  the global state must not matter
    first = orders(data, seed=1)
    state = np.random.get_state()[2]  # noqa: NPY002
    assert first == orders(data, seed=1)
    assert np.random.get_state()[2] == state  # noqa: NPY002
    assert first != orders(data, seed=2)
    assert first[0] != first[1] != first[2]
    assert list(range(20)) not in first


def test_pixels_are_normalised_and_labels_are_one_hot():
    split = Split(np.array([[0, 51], [255, 102]], np.uint8), np.array([2, 0]))
    inputs, targets = to_device(make_network((2, 3), dtype="float32"), split, 3)
    assert inputs.dtype == targets.dtype == np.float32
    assert np.allclose(inputs, [[0, 0.2], [1, 0.4]])
    assert targets.tolist() == [[0, 0, 1], [1, 0, 0]]


# ---------------------------------------------------------------- what is recorded


def outputs_of(network, sample):
    """Outputs of one sample and the decorrelated inputs of every layer, unit by unit."""
    y, decorrelated = [float(value) for value in sample], []
    for layer in network.layers:
        x = [math.fsum(r * v for r, v in zip(row, y, strict=True)) for row in layer.R]
        a = [math.fsum(w * v for w, v in zip(row, x, strict=True)) for row in layer.W]
        y = [value if value > 0 else 0.1 * value for value in a]
        decorrelated.append(x)
    return y, decorrelated


def score(network, split):
    """Accuracy and loss, sample by sample."""
    outputs = [outputs_of(network, sample)[0] for sample in split.inputs]
    right = [max(range(3), key=y.__getitem__) == label for y, label in zip(outputs, split.labels, strict=True)]
    losses = [
        math.fsum((v - (k == label)) ** 2 for k, v in enumerate(y))
        for y, label in zip(outputs, split.labels, strict=True)
    ]
    return sum(right) / len(right), math.fsum(losses) / len(losses)


class Checker(Callback):
    """Compares each record with the network of that moment."""

    def __init__(self, data):
        self.data = data
        self.seen = []

    def on_epoch(self, network, record):
        train, test = score(network, self.data.train), score(network, self.data.test)
        assert (record.train_accuracy, record.test_accuracy) == (train[0], test[0])
        assert (record.train_loss, record.test_loss) == pytest.approx((train[1], test[1]), rel=1e-12)
        self.seen.append((train, test))


def test_records_agree_with_a_count_over_samples():
    data = make_data(n_train=20, n_test=13, noise=0.5)
    checker = Checker(data)
    network = make_network()
    history = run(network, data, epochs=4, batch_size=6, callbacks=[checker])
    assert len(checker.seen) == len(history) == 4
    # the test can only tell the two splits apart if they differ
    assert all(train != test and train[0] != test[0] for train, test in checker.seen)


def test_evaluate_returns_a_share_and_a_mean():
    network = make_network((3, 3))
    network.layers[0].W = np.eye(3)
    inputs = np.eye(3)[[0, 1, 2, 0]]
    accuracy, loss = evaluate(network, inputs, np.eye(3)[[0, 1, 2, 2]])
    assert accuracy == 0.75
    assert loss == pytest.approx(2 / 4)


def test_decorrelation_is_measured_behind_the_lateral_weights_on_the_first_samples():
    data = make_data(n_train=N_MONITORED + 60, n_test=2, n_inputs=4)
    data.train.inputs[N_MONITORED:] *= 3  # samples past the first ones would show
    network = make_network((4, 3, 3))
    (record,) = run(network, data, epochs=1, batch_size=53)
    layers = [outputs_of(network, sample)[1] for sample in data.train.inputs[:N_MONITORED]]
    for k, measured in enumerate(record.decorrelation_loss):
        x = np.array([decorrelated[k] for decorrelated in layers])
        n = x.shape[1]
        pairs = [np.mean(x[:, i] * x[:, j]) ** 2 for i in range(n) for j in range(n) if i != j]
        assert measured == pytest.approx(np.mean(pairs), rel=1e-9)
    assert len(record.decorrelation_loss) == 2


def test_a_record_is_plain_json():
    history = run(make_network(dtype="float32"), make_data(), epochs=2)
    assert [record.epoch for record in history] == [1, 2]
    for record in history:
        assert isinstance(record, EpochRecord)
        assert json.loads(json.dumps(record.as_dict())) == record.as_dict()
        assert record.seconds >= 0


def test_callbacks_hear_of_every_batch_and_then_of_the_epoch():
    class Log(Callback):
        def __init__(self):
            self.events = []

        def on_batch(self, batch, n_batches):
            self.events.append((batch, n_batches))

        def on_epoch(self, network, record):
            self.events.append(record)

    logs = [Log(), Log()]
    history = run(make_network(), make_data(n_train=7), epochs=2, batch_size=3, callbacks=logs)
    batches = [(1, 3), (2, 3), (3, 3)]
    assert logs[0].events == logs[1].events == [*batches, history[0], *batches, history[1]]


@pytest.mark.parametrize("rule", ["copi", "sgd"])
def test_training_learns(rule):
    data = make_data(n_train=60, n_test=30)
    history = run(make_network(rule=rule), data, epochs=20, batch_size=5, schedule=Schedule(0.2, 0.2))
    assert min(history[-1].train_accuracy, history[-1].test_accuracy) > 0.95
    assert history[-1].train_loss < 0.3 * history[0].train_loss


def test_the_same_start_gives_the_same_history():
    def history():
        return [
            {**record.as_dict(), "seconds": None}
            for record in run(make_network(dtype="float32"), make_data(), epochs=3)
        ]

    assert history() == history()


# ---------------------------------------------------------------- one epoch


def test_an_epoch_learns_any_targets_and_returns_the_mean_loss_of_a_sample():
    """Each sample's before its own batch is learned; the last batch, of one sample, counts as one."""
    rng = np.random.default_rng(3)
    train = DeviceSplit(rng.normal(size=(7, 6)), rng.normal(size=(7, 3)))
    network, twin = make_network(), make_network()
    loss = train_epoch(network, train, rates=STEADY.rates(1), rng=np.random.default_rng(1), batch_size=3)
    order, total = np.random.default_rng(1).permutation(7), 0.0
    for rows in (order[:3], order[3:6], order[6:]):
        total += len(rows) * float(twin.step(train.inputs[rows], train.targets[rows], eta_W=0.05, eta_R=0.05))
    assert loss == pytest.approx(total / 7, rel=1e-12)
    assert all(np.array_equal(a.W, b.W) for a, b in zip(network.layers, twin.layers, strict=True))


def test_every_sample_of_an_epoch_brings_its_own_weight():
    rng = np.random.default_rng(3)
    train = DeviceSplit(rng.normal(size=(7, 6)), rng.normal(size=(7, 3)))
    weights = np.arange(7) / 3
    network, twin = make_network(), make_network()
    rates = STEADY.rates(1)
    train_epoch(network, train, rates=rates, rng=np.random.default_rng(1), batch_size=3, sample_weight=weights)
    order = np.random.default_rng(1).permutation(7)
    for rows in (order[:3], order[3:6], order[6:]):
        twin.step(train.inputs[rows], train.targets[rows], eta_W=0.05, eta_R=0.05, sample_weight=weights[rows])
    assert all(np.array_equal(a.W, b.W) for a, b in zip(network.layers, twin.layers, strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"callbacks": Callback()}, "callbacks must be a list of callbacks, got <copi_np.callbacks.base.Callback"),
        ({"callbacks": [print]}, "callbacks must derive from"),
        ({"history": EpochRecord(1, 0.5, 0.5, 0.1, 0.1, [0.1], 1.0)}, "history must hold the EpochRecords"),
    ],
)
def test_what_is_no_list_of_callbacks_or_records_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        run(make_network(), make_data(), epochs=2, **options)


def test_callbacks_may_come_from_anywhere():
    keep = Keep()
    run(make_network(), make_data(), epochs=2, callbacks=(callback for callback in [keep]))
    assert keep.epochs == [1, 2]


@pytest.mark.parametrize(
    ("targets", "weights", "message"),
    [
        (np.zeros((7, 3)), [1.0] * 7, "sample_weight must be an array of backend 'numpy', got list"),
        (np.zeros((7, 3)), np.float64(1), "sample_weight must be"),
        (np.zeros((7, 3)), np.array(1.0), r"sample_weight must have one row per input, 7 in all: got shape \(\)"),
        (np.zeros((7, 3)), np.ones(8), r"one row per input, 7 in all: got shape \(8,\)"),
        (np.zeros((7, 3)), -np.ones(7), "sample_weight holds negative, NaN or infinite values"),
        (np.zeros((7, 3)), np.full(7, np.nan), "sample_weight holds negative, NaN or infinite values"),
        ([[0.0] * 3] * 7, None, "targets must be an array of backend 'numpy', got list"),
    ],
)
def test_an_epoch_refuses_targets_and_weights_that_do_not_fit(targets, weights, message):
    train = DeviceSplit(np.zeros((7, 6)), targets)
    options = {"rates": STEADY.rates(1), "rng": np.random.default_rng(0), "sample_weight": weights}
    with pytest.raises(InputError, match=message):
        train_epoch(make_network(), train, **options)


def test_an_epoch_ends_with_a_look_at_the_weights():
    """Of which one, behind an input that is always zero, no loss shows that it exploded."""
    network = make_network(decorrelation=None)
    network.layers[0].W[2, 5] = 1e7
    train = DeviceSplit(np.eye(6)[:5], np.zeros((5, 3)))
    with pytest.raises(DivergenceError, match=r"^batch 2: training diverged: weights reach 1e\+07 in W of layer 0"):
        train_epoch(network, train, rates=STEADY.rates(1), rng=np.random.default_rng(0), batch_size=3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"rng": 0}, "rng must be a numpy.random.Generator"),
        (
            {"train": DeviceSplit(np.eye(2, 6), np.eye(1, 3))},
            r"targets must have one row per input, 2 in all: .* .1,",
        ),
        (
            {"train": DeviceSplit(np.eye(2, 6), np.eye(3))},
            r"targets must have one row per input, 2 in all: .* .3,",
        ),
        ({"sample_weight": np.ones(1)}, "sample_weight must have one row per input, 2 in all: got shape .1,"),
        ({"sample_weight": np.ones(3)}, "sample_weight must have one row per input, 2 in all: got shape .3,"),
    ],
)
def test_an_epoch_that_cannot_be_trained_is_refused(changes, message):
    sound = {"train": DeviceSplit(np.zeros((2, 6)), np.zeros((2, 3))), "rates": STEADY.rates(1)}
    with pytest.raises(InputError, match=message):
        train_epoch(make_network(), **sound | {"rng": np.random.default_rng(0)} | changes)


# ---------------------------------------------------------------- divergence


class Keep(Callback):
    def __init__(self):
        self.epochs = []
        self.batches = 0

    def on_batch(self, batch, n_batches):
        self.batches += 1

    def on_epoch(self, network, record):
        self.epochs.append(record.epoch)
        self.batches = 0


def diverge(schedule, epochs=9, **options):
    keep = Keep()
    with pytest.raises(DivergenceError) as error:
        run(
            make_network(**options),
            make_data(n_train=200),
            epochs=epochs,
            schedule=schedule,
            batch_size=2,
            callbacks=[keep],
        )
    return str(error.value), keep


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("schedule", "options", "rate"),
    [
        (
            Schedule(1e3, 0.0, first_epochs=2, first_eta_W=0.01),
            {"rule": "sgd", "decorrelation": None},
            "eta_W (now 1000)",
        ),
        (Schedule(0.0, 1e3, first_epochs=2, first_eta_R=0.01), {}, "eta_R (now 1000)"),
    ],
)
def test_divergence_names_epoch_batch_layer_and_step_size(schedule, options, rate, dtype):
    message, keep = diverge(schedule, dtype=dtype, **options)
    assert keep.epochs == [1, 2]
    assert re.match(r"epoch 3, (batch \d+|last batch)\b.* layer [01]\b", message)
    assert rate in message
    assert "\n" not in message


def test_divergence_stops_the_run_at_once():
    message, keep = diverge(Schedule(1e4, 0.0), rule="sgd", decorrelation=None)
    assert keep.epochs == []
    assert keep.batches < 20  # of 100: what blows up tenfold and more a step is far beyond any bound by then
    assert f"batch {keep.batches + 1}:" in message


@pytest.mark.parametrize("value", [1e7, math.inf, math.nan])
@pytest.mark.parametrize("name", ["W", "R"])
def test_weights_are_checked_after_every_epoch(name, value):
    """Also where no loss shows it: these weights see only zeros."""
    layers = make_network().layers
    check_weights(layers, {"eta_W": 0.1, "eta_R": 0.2, "delta_scale": 1})
    getattr(layers[1], name)[2, 2] = value
    with pytest.raises(
        DivergenceError, match=re.escape(f"weights reach {value:.3g} in {name} of layer 1 (5 -> 3): lower eta_{name}")
    ):
        check_weights(layers, {"eta_W": 0.1, "eta_R": 0.2, "delta_scale": 1})


def test_weights_that_explode_in_the_very_last_batch_are_noticed():
    data = make_data(n_train=4)
    network = make_network(rule="sgd", decorrelation=None)
    with pytest.raises(DivergenceError, match=r"epoch 1, .*batch.*layer \d.*eta_W"):
        run(network, data, epochs=1, schedule=Schedule(1e30, 0.0), batch_size=4)


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"epochs": -1}, "epochs must be at least 1, got -1"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"data": make_data(n_inputs=7)}, "takes 6 inputs .* has 7 features"),
        ({"data": make_data(n_classes=4)}, "gives 3 outputs.* 4 classes"),
        ({"data": ([[0.0]], [0])}, "data must be a copi_np.datasets.Dataset, got tuple"),
        ({"epochs": 1.5}, "epochs must be an integer, got 1.5"),
        ({"batch_size": 2.5}, "batch_size must be an integer, got 2.5"),
        ({"schedule": 0.1}, r"schedule must be a Schedule, .* got 0\.1"),
        ({"schedule": np.eye(99)}, r"schedule must be a Schedule, .* got array\(\[\[1\., .{,120}\.\.$"),
        ({"rng": 0}, "rng must be a numpy.random.Generator"),
        ({"network": None}, "network must be a copi_np.Network, got None"),
        ({"history": None}, "history must hold the EpochRecords of epochs 1, 2, .. in order"),
        ({"callbacks": [3]}, "callbacks must derive from copi_np.callbacks.Callback, got 3"),
        ({"callbacks": None}, "callbacks must be a list of callbacks, got None"),
    ],
)
def test_what_cannot_be_trained_is_refused_and_nothing_changes(changes, message):
    network = make_network()
    before = [layer.W.copy() for layer in network.layers]
    sound = {"network": network, "data": make_data(), "epochs": 1, "schedule": STEADY, "rng": np.random.default_rng(0)}
    with pytest.raises(InputError, match=message):
        fit(**sound | changes)
    assert all(np.array_equal(layer.W, W) for layer, W in zip(network.layers, before, strict=True))
    assert all(np.array_equal(layer.R, np.eye(layer.n_inputs)) for layer in network.layers)
