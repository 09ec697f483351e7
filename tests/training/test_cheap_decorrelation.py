"""R learns from some samples, at some batches, or rests: what is computed, what is saved, and what is refused."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import pytest
from oracles import assert_near, decorrelation_local, decorrelation_matrix

from copi_np import Conv, Dataset, InputError, Network, Schedule, Split, fit, load_network, rules, save_network
from copi_np import _cheap_decorrelation as cheap
from copi_np import layer as layer_module
from copi_np.callbacks import Callback
from copi_np.errors import CopiWarning, DivergenceError
from copi_np.steps import MatrixStep, SgdStep, SparseStep
from copi_np.training import DeviceSplit, train_epoch

SIZES = [6, 5, 4, 3]
ORACLES = {
    "matrix": decorrelation_matrix,
    "local": decorrelation_local,
    rules.decorrelation_update: decorrelation_matrix,
}


def network(**kwargs):
    net = Network(SIZES, rng=np.random.default_rng(0), dtype="float64", **kwargs)
    rng = np.random.default_rng(1)
    for layer in net.layers:
        if layer.lateral_step is not None:
            R = layer.R.copy()
            R[: layer.n_inputs, :] += 0.1 * rng.normal(size=(layer.n_inputs, len(R)))
            layer.R = R
    return net


def batch(n=8, seed=2):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 6)), np.eye(3)[rng.integers(3, size=n)]


def data(n=20):
    rng = np.random.default_rng(3)
    splits = [Split(rng.normal(size=(m, 6)), rng.integers(3, size=m)) for m in (n, 7)]
    return Dataset("random", *splits, n_classes=3)


def weights(net):
    return [(layer.W.copy(), layer.R.copy()) for layer in net.layers]


def assert_same(one, other):
    for (W, R), (W_other, R_other) in zip(one, other, strict=True):
        np.testing.assert_array_equal(W, W_other)
        np.testing.assert_array_equal(R, R_other)


def train(net, epochs, schedule=None, **kwargs):
    schedule = schedule or Schedule(eta_W=0.01, eta_R=0.01)
    fit(net, data(), epochs=epochs, schedule=schedule, rng=np.random.default_rng(4), batch_size=3, **kwargs)
    return weights(net)


@pytest.mark.parametrize("signal", ["bp", "fa"])
@pytest.mark.parametrize("rule", ORACLES, ids=["matrix", "local", "function"])
@pytest.mark.parametrize("weighted", [False, True])
def test_R_learns_from_the_first_samples_and_W_from_all(rule, signal, weighted):
    sample_weight = np.linspace(0.5, 1.5, 8) if weighted else None
    few = network(decorrelation=rule, error_signal=signal, decorrelation_samples=3)
    every_one = network(decorrelation=rule, error_signal=signal)
    y0, targets = batch()
    before, x = weights(few), [x.copy() for x in few.forward(y0).x]
    for net in (few, every_one):
        net.step(y0, targets, eta_W=0.1, eta_R=0.05, sample_weight=sample_weight)
    for layer, other, (_, R), x_k in zip(few.layers, every_one.layers, before, x, strict=True):
        rows = x_k[:3] if sample_weight is None else np.sqrt(sample_weight[:3, None]) * x_k[:3]
        assert_near(layer.R, R + 0.05 * ORACLES[rule](R, rows))
        assert_near(layer.W, other.W)


def test_the_product_with_R_is_taken_of_those_samples_only(monkeypatch):
    net, rows = network(decorrelation_samples=3), []
    carry_back = layer_module.Layer.carry_back

    def seen(self, *args):
        carried, x_R = carry_back(self, *args)
        rows.append(None if x_R is None else len(x_R))
        return carried, x_R

    monkeypatch.setattr(layer_module.Layer, "carry_back", seen)
    net.step(*batch(), eta_W=0.1)
    net.step(*batch(), eta_W=0.1, eta_R=0)
    assert rows == [3, 3, None, None]


@pytest.mark.parametrize("rule", ["matrix", "local"])
def test_as_many_samples_as_a_batch_has_are_all_of_them(rule):
    assert_same(train(network(decorrelation=rule), 2), train(network(decorrelation=rule, decorrelation_samples=3), 2))


@pytest.mark.parametrize("rule", ORACLES, ids=["matrix", "local", "function"])
def test_at_every_third_batch_R_takes_a_step_three_times_as_large(rule):
    net = network(decorrelation=rule, decorrelation_every=3)
    oracle = ORACLES[rule]
    for k in range(7):
        before = weights(net)
        y0, targets = batch(seed=k)
        x = [x.copy() for x in net.forward(y0).x]
        net.step(y0, targets, eta_W=0.01, eta_R=0.02)
        for layer, (W, R), x_k in zip(net.layers, before, x, strict=True):
            assert_near(layer.R, R + 0.06 * oracle(R, x_k) if k % 3 == 0 else R)
            assert not np.array_equal(layer.W, W)


def test_a_rule_is_told_the_step_size_that_it_gets():
    told = []

    def rule(R, x, eta_R):
        told.append((eta_R, len(x)))
        return np.zeros_like(R)

    net = network(decorrelation=rule, decorrelation_every=2, decorrelation_samples=5)
    net.step(*batch(), eta_W=0.1, eta_R=0.02)
    assert told == [(0.04, 5)] * 3


@pytest.mark.parametrize(
    "options", [{"decorrelation_every": 4}, {"decorrelation_samples": 2}, {"decorrelation_every": 2}]
)
def test_resumed_training_updates_R_at_the_same_batches(tmp_path, options):
    """An epoch has seven batches, so that no epoch but the first begins with an update."""
    whole = train(network(**options), 4)
    train(network(**options), 3, checkpoint=tmp_path / "net.npz")
    assert_same(whole, train(network(**options), 4, checkpoint=tmp_path / "net.npz", resume=True))


@pytest.mark.parametrize(
    "options",
    [
        {"decorrelation_samples": 2, "decorrelation_every": 3},
        {"decorrelation": "local", "decorrelation_samples": [2, None, 1]},
        {"decorrelation": rules.decorrelation_update, "decorrelation_every": 2},
    ],
)
def test_a_saved_network_goes_on_in_the_same_way(tmp_path, options):
    net = network(**options)
    net.step(*batch(), eta_W=0.1)
    save_network(tmp_path / "net.npz", net)
    own = {"decorrelation": options["decorrelation"]} if callable(options.get("decorrelation")) else {}
    loaded, _ = load_network(tmp_path / "net.npz", **own)
    assert loaded.config == net.config
    assert loaded.config.get("decorrelation_samples") == options.get("decorrelation_samples")
    assert loaded.config.get("decorrelation_every", 1) == options.get("decorrelation_every", 1)
    for each in (net, loaded):
        for seed in range(3):
            each.step(*batch(seed=seed), eta_W=0.1)
    assert_same(weights(net), weights(loaded))


def test_layers_without_decorrelation_have_nothing_to_learn_from():
    net = network(decorrelation=["matrix", None, "local"], decorrelation_samples=2)
    assert net.config["decorrelation"] == ["matrix", None, "local"]
    assert net.config["decorrelation_samples"] == [2, None, 2]


# --------------------------------------------------------------------------------------------------------- R at rest


RESTING = Schedule(eta_W=0.01, eta_R=0.02, first_epochs=1, first_eta_W=0, first_eta_R=0.05, rest_R_after=2)


def test_the_schedule_lets_R_rest():
    assert [RESTING.rates(epoch)["eta_R"] for epoch in (1, 2, 3, 9)] == [0.05, 0.02, 0, 0]
    assert [RESTING.rates(epoch)["eta_W"] for epoch in (1, 2, 3, 9)] == [0, 0.01, 0.01, 0.01]
    early = Schedule(eta_W=0.01, eta_R=0.02, first_epochs=3, first_eta_W=0.03, first_eta_R=0.05, rest_R_after=1)
    assert [early.rates(epoch)["eta_R"] for epoch in (1, 2)] == [0.05, 0]


class Weights(Callback):
    """Keeps the lateral weights after each epoch."""

    def __init__(self):
        self.R = []

    def on_epoch(self, network, record):
        self.R.append([layer.R.copy() for layer in network.layers])


@pytest.mark.filterwarnings("ignore:R is frozen, but")
@pytest.mark.parametrize(
    "rule", ["copi", "sgd", lambda W, x, y, delta: rules.sgd_update(x, delta) + 1e-3 * W @ y.T @ y]
)
def test_training_with_R_at_rest_is_what_it_would_be_without_saving_anything(monkeypatch, rule):
    watched, calls = Weights(), []
    decorrelate = layer_module.decorrelate

    def counted(R, y):
        calls.append(R.shape[0])
        return decorrelate(R, y)

    monkeypatch.setattr(layer_module, "decorrelate", counted)
    saving = train(network(rule=rule), 4, RESTING, callbacks=[watched])
    n_saving = calls.count(6)
    monkeypatch.setattr(cheap, "has_room", lambda *args: False)
    calls.clear()
    plain = train(network(rule=rule), 4, RESTING)
    for (W, R), (W_plain, R_plain) in zip(saving, plain, strict=True):
        assert_near(W, W_plain, ulps=1000)
        assert_near(R, R_plain, ulps=1000)
    assert calls.count(6) - n_saving == 2 * 7  # two epochs of seven batches
    moved = [not all(map(np.array_equal, one, other)) for one, other in pairwise(watched.R)]
    assert moved == [True, False, False]


def test_lateral_weights_that_were_assigned_and_never_learn_rest_too(monkeypatch):
    net = network(decorrelation=None)
    R = np.random.default_rng(5).normal(size=(6, 6))
    net.layers[0].R = R
    x0 = cheap.RestingR().inputs(net, data().train.inputs, 0.01)
    np.testing.assert_array_equal(x0, rules.decorrelate(R, data().train.inputs))


@pytest.mark.filterwarnings("ignore:R is frozen, but")
def test_inputs_are_decorrelated_again_if_something_else_changes_R():
    class Change(Callback):
        def on_epoch(self, network, record):
            network.layers[0].R[0, 1] += 0.1

    def result(room, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(cheap, "has_room", lambda *args: room)
            return train(network(), 5, RESTING, callbacks=[Change()])

    one, other = (result(room, pytest.MonkeyPatch()) for room in (True, False))
    for (W, R), (W_other, R_other) in zip(one, other, strict=True):
        assert_near(W, W_other, ulps=1000)
        assert_near(R, R_other, ulps=1000)


def test_resumed_training_with_R_at_rest_is_the_same_to_the_bit(tmp_path):
    whole = train(network(), 5, RESTING)
    train(network(), 4, RESTING, checkpoint=tmp_path / "net.npz")
    assert_same(whole, train(network(), 5, RESTING, checkpoint=tmp_path / "net.npz", resume=True))
    with pytest.raises(InputError, match="rest_R_after was 2, now None"):
        train(network(), 5, Schedule(0.01, 0.02, 1, 0, 0.05), checkpoint=tmp_path / "net.npz", resume=True)


@pytest.mark.parametrize(("free", "fits"), [(None, False), (2 * 8 * 6 * 26, True), (2 * 8 * 6 * 26 - 1, False)])
def test_inputs_are_kept_only_if_they_and_R_take_half_of_the_free_memory(monkeypatch, free, fits):
    """20 samples of 6 numbers, and 6 x 6 weights, of 8 bytes each."""
    net = network()
    monkeypatch.setattr(net.backend, "free_memory", lambda: free)
    assert cheap.has_room(net, data().train.inputs) is fits
    with nullcontext() if fits else pytest.warns(CopiWarning, match="R is frozen, but 0 MB: too much to keep"):
        assert (cheap.RestingR().inputs(net, data().train.inputs, 0) is not None) is fits


def test_free_memory_is_that_of_the_machine():
    free = network().backend.free_memory()
    assert free is None or 1e6 < free < 1e14


# ----------------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decorrelation_samples": 0}, "decorrelation_samples must be at least 1, got 0"),
        ({"decorrelation_samples": 2.5}, "decorrelation_samples must be an integer, got 2.5"),
        ({"decorrelation_samples": [1, 2]}, "decorrelation_samples must be one for all layers, or a list of 3"),
        ({"decorrelation_every": 0}, "decorrelation_every must be at least 1, got 0"),
        ({"decorrelation_every": None}, "decorrelation_every must be an integer, got None"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        network(**options)


@pytest.mark.parametrize("epoch", [0, 1.5, "2"])
def test_an_epoch_that_cannot_be_is_refused(epoch):
    with pytest.raises(InputError, match="rest_R_after must be"):
        Schedule(0.1, 0.1, rest_R_after=epoch)


def equal_inputs(n_samples=40):
    """Two inputs that are always equal, with a mean square of 8, and four that are 0: off(C) has the eigenvalue 8."""
    y = np.zeros((n_samples, 6))
    y[:, :2] = np.where(np.random.default_rng(0).integers(2, size=(n_samples, 1)) > 0, 1, -1) * np.sqrt(8)
    return y, np.random.default_rng(1).integers(3, size=n_samples)


@pytest.mark.parametrize("form", ["matrix", "local"])
def test_steps_at_every_nth_batch_that_must_diverge_are_refused(form):
    """2 / mu, by hand: 2 / 8. Just below it, R stays finite; just above it, it does not."""
    split = Split(*equal_inputs())
    both = Dataset("equal inputs", split, split, n_classes=3)

    def trained(eta_R, epochs=1, **options):
        net = Network(SIZES, rng=np.random.default_rng(0), dtype="float64", decorrelation=form, **options)
        schedule = Schedule(eta_W=0, eta_R=eta_R)
        fit(net, both, epochs=epochs, schedule=schedule, rng=np.random.default_rng(1), batch_size=40)
        return net.layers[0].R

    assert np.max(np.abs(trained(0.0249, epochs=300, decorrelation_every=10))) < 50  # after thirty steps
    with pytest.raises(InputError, match=r"steps of 10 eta_R = 0.251 in layer 0, where .* above 0.25: lower eta_R"):
        trained(0.0251, decorrelation_every=10)
    with pytest.raises(DivergenceError):
        trained(0.251, epochs=60)  # the same steps, by the paper's rule
    trained(0.0251, decorrelation_every=9)
    trained(0.0251, decorrelation_samples=4)


def test_the_limit_is_not_looked_for_where_it_is_not_known_or_does_not_matter(monkeypatch):
    monkeypatch.setattr(cheap, "largest_first_step", lambda x: 0.0)
    train(network(decorrelation="normalised", decorrelation_every=2), 1)
    train(network(decorrelation_every=2), 1, Schedule(eta_W=0.01, eta_R=0))
    train(network(decorrelation_samples=2), 1)
    with pytest.raises(InputError, match="decorrelation_every=2"):
        train(network(decorrelation_every=2), 1)


@pytest.mark.parametrize("x", [np.zeros((3, 4)), np.full((3, 4), 1e200), np.eye(4), np.ones((3, 1))])
def test_without_correlations_or_with_squares_that_overflow_there_is_no_limit(x):
    assert cheap.largest_first_step(x) == np.inf


def test_the_limit_is_that_of_samples_from_all_over_the_data():
    """Sorted by class, the first thousand are not like the rest: here they are zero."""
    y = np.repeat([[0.0, 0.0], [1.0, 1.0]], 2000, axis=0)  # off(C) has the eigenvalue 1/2
    for order in (slice(None), slice(None, None, -1)):
        net = Network([2, 3], rng=np.random.default_rng(0), dtype="float64", decorrelation_every=2)
        cheap.check_decorrelation_every(net, y[order], 1.99)
        with pytest.raises(InputError, match=r"4\.02 in layer 0, where decorrelation diverges above 4:"):
            cheap.check_decorrelation_every(net, y[order], 2.01)


def test_sample_weights_count_in_the_limit():
    """One sample in forty is a hundred times as large; without its weight, the limit would be 0.0010, not 0.25."""
    y, _ = equal_inputs()
    y[0] *= 100
    weights = np.full(40, 40 / 39)
    weights[0] = 0.0
    net = Network(SIZES, rng=np.random.default_rng(0), dtype="float64", decorrelation_every=10)
    cheap.check_decorrelation_every(net, y, 0.0249, weights)
    with pytest.raises(InputError, match=r"0\.251 in layer 0, where decorrelation diverges above 0\.25:"):
        cheap.check_decorrelation_every(net, y, 0.0251, weights)
    with pytest.raises(InputError, match=r"diverges above 0\.001:"):
        cheap.check_decorrelation_every(net, y, 0.0249)


def test_in_convolutions_all_patches_of_a_sample_have_its_weight():
    images = np.ones((4, 1, 3, 3))
    images[0] = 50
    images = images.reshape(4, 9)
    weights = np.array([0.0, 4 / 3, 4 / 3, 4 / 3])
    options = {"input_shape": (1, 3, 3), "rng": np.random.default_rng(0), "dtype": "float64"}
    net = Network([Conv(2, 2), 3], decorrelation_every=[10, 1], **options)
    cheap.check_decorrelation_every(net, images, 0.0666, weights)  # off(C) of four ones has the eigenvalue 3
    with pytest.raises(InputError, match=r"0\.667 in layer 0, where decorrelation diverges above 0\.67:"):
        cheap.check_decorrelation_every(net, images, 0.0667, weights)


def test_a_run_that_is_refused_leaves_no_files(tmp_path):
    """Nor a call of a callback, which might write some."""
    split = Split(*equal_inputs())
    both = Dataset("equal inputs", split, split, n_classes=3)

    class Touch(Callback):
        def on_start(self, network, history):
            raise AssertionError

    net = Network(SIZES, rng=np.random.default_rng(0), dtype="float64", decorrelation_every=10)
    options = {"rng": np.random.default_rng(1), "batch_size": 40, "schedule": Schedule(eta_W=0, eta_R=0.0251)}
    with pytest.raises(InputError, match="decorrelation_every=10"):
        fit(net, both, epochs=2, callbacks=[Touch()], checkpoint=tmp_path / "net.npz", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_finished_training_asks_for_no_further_epoch():
    """A schedule may know only the epochs that there are."""
    net, history = network(), []
    schedule = [{"eta_W": 0.01}, {"eta_W": 0.02}]
    options = {"epochs": 2, "schedule": lambda epoch: schedule[epoch - 1], "rng": np.random.default_rng(4)}
    history = fit(net, data(), **options)
    assert fit(net, data(), history=history, **options) == history


def test_a_step_that_skips_is_not_given_where_it_would_be_lost():
    with pytest.raises(InputError, match="rule is a SparseStep, which is for lateral weights: give its inner step"):
        network(rule=SparseStep(SgdStep(), 5, 1))
    with pytest.raises(InputError, match="decorrelation is a SparseStep: leave out decorrelation_samples and"):
        network(decorrelation=SparseStep(MatrixStep(), None, 2), decorrelation_every=3)


@pytest.mark.filterwarnings("ignore:R is frozen, but")
def test_estimators_save_and_refuse_the_same(monkeypatch):
    """With R at rest after the first of three epochs: the first layer decorrelates all 20 samples once, not twice."""
    pytest.importorskip("sklearn")
    from copi_np.estimators import COPIClassifier

    X, y = data().train.inputs, np.arange(20) % 3
    options = {"hidden_layer_sizes": (4,), "standardize": False, "fit_intercept": False, "batch_size": 7}

    def fitted(**more):
        with warnings.catch_warnings(action="ignore"):  # it still learns after three epochs
            return COPIClassifier(max_iter=3, random_state=0, eta_W=0.01, **options | more).fit(X, y).network_.layers

    calls, decorrelate = [], layer_module.decorrelate
    monkeypatch.setattr(layer_module, "decorrelate", lambda R, y: calls.append(len(R)) or decorrelate(R, y))
    saving = fitted(rest_R_after=1, first_epochs=0)
    assert calls.count(6) == 3  # the batches of the first epoch
    monkeypatch.setattr(cheap, "has_room", lambda *args: False)
    for layer, plain in zip(saving, fitted(rest_R_after=1, first_epochs=0), strict=True):
        assert_near(layer.W, plain.W, ulps=1000)
        assert_near(layer.R, plain.R, ulps=1000)
    with pytest.raises(InputError, match="decorrelation_every=10 takes steps of 10 eta_R = 20 in layer 0"):
        fitted(decorrelation_every=10, eta_R=2.0, first_epochs=0)


def test_estimators_look_at_sample_weights_and_not_at_single_chunks():
    """`partial_fit` sees a few samples at a time, whose moments say little about the others'."""
    pytest.importorskip("sklearn")
    from copi_np.estimators import COPIClassifier

    X, y = equal_inputs()
    X[0] *= 100
    weights = np.ones(40)
    weights[0] = 1e-9
    options = {"hidden_layer_sizes": (4,), "standardize": False, "fit_intercept": False, "decorrelation_every": 10}
    model = COPIClassifier(max_iter=1, random_state=0, eta_W=0.001, eta_R=0.024, first_epochs=0, **options)
    with warnings.catch_warnings(action="ignore"):
        model.fit(X, y, sample_weight=weights)
        with pytest.raises(InputError, match="decorrelation_every=10 takes steps"):
            model.fit(X, y)
    for row in range(3):
        model.partial_fit(X[row : row + 1] / 100, y[row : row + 1], classes=[0, 1, 2])


def test_a_schedule_in_which_nothing_would_learn_is_refused():
    with pytest.raises(InputError, match=r"nothing would learn in epoch 3: .* freeze it after epoch 3 or later"):
        Schedule(0.1, first_epochs=3, first_eta_R=0.1, rest_R_after=2)
    Schedule(0.1, first_epochs=3, first_eta_R=0.1, rest_R_after=3)
    Schedule(0.1, first_epochs=3, first_eta_W=0.01, first_eta_R=0.1, rest_R_after=2)


@pytest.mark.parametrize(
    ("eta_R", "advice"), [(0.0, "freeze R later or never"), (0.01, "let layers decorrelate as fast")]
)
def test_copi_that_diverges_with_frozen_R_is_told_to_freeze_it_later(eta_R, advice):
    net, (y0, targets) = network(), batch()
    net.layers[2].W *= 1e10
    with pytest.raises(DivergenceError, match=f", or {advice}: COPI needs eta_R no smaller than eta_W"):
        net.step(y0, targets, eta_W=0.1, eta_R=eta_R)


def test_known_inputs_must_fit():
    net, (y0, targets) = network(), batch()
    with pytest.raises(InputError, match="x0"):
        net.step(y0, targets, eta_W=0.1, x0=y0[:-1])
    with pytest.raises(InputError, match="x0 must have one row per input"):
        train_epoch(net, DeviceSplit(y0, targets), rates={"eta_W": 0.1}, rng=np.random.default_rng(0), x0=y0[:-1])


# -------------------------------------------------------------------------------------------------------- with biases


@pytest.mark.filterwarnings("ignore:R is frozen, but")
@pytest.mark.parametrize("rule", ["matrix", "local"])
def test_with_biases_all_of_a_batch_is_all_and_rest_saves_the_same(rule, monkeypatch):
    plain = train(network(decorrelation=rule, bias=True), 4, RESTING)
    assert_same(plain, train(network(decorrelation=rule, bias=True, decorrelation_samples=3), 4, RESTING))
    monkeypatch.setattr(cheap, "has_room", lambda *args: False)
    for (W, R), (W_plain, R_plain) in zip(
        train(network(decorrelation=rule, bias=True), 4, RESTING), plain, strict=True
    ):
        assert_near(W, W_plain, ulps=1000)
        assert_near(R, R_plain, ulps=1000)


@pytest.mark.parametrize("rule", ["matrix", "local"])
def test_biases_of_R_learn_from_the_same_samples_at_the_same_batches(rule):
    """The mean of x over the chosen samples moves the bias of an identity R: db = -<x>, for both forms."""
    net = Network([3, 2], rng=np.random.default_rng(0), dtype="float64", bias=True, decorrelation=rule,
                  decorrelation_samples=2, decorrelation_every=2)  # fmt: skip
    y0 = np.random.default_rng(1).normal(size=(5, 3))
    for k in range(3):
        before = net.layers[0].R.copy()
        x = net.forward(y0).x[0]
        net.step(y0, np.zeros((5, 2)), eta_W=0, eta_R=0.1)
        moved = net.layers[0].R[:-1, -1] - before[:-1, -1]
        if k == 0:
            assert_near(moved, -0.2 * x[:2, :-1].mean(axis=0))
        assert (np.abs(moved).max() > 0) == (k != 1)
        np.testing.assert_array_equal(net.layers[0].R[-1], [0, 0, 0, 1])
