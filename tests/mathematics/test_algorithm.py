"""Algorithm 1 as pure functions: against loops over samples and synapses, and as the oracle of the fast path."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from oracles import assert_near, oracle_of
from strategies import SMOOTH, tasks

from copi_np import Network, Schedule, fit, load_dataset, rules
from copi_np.algorithm import LayerWeights, error_signals, forward, train_batch, train_epoch
from copi_np.datasets import as_float, one_hot
from copi_np.error_signals import ERROR_SIGNALS
from copi_np.losses import LOSSES

RULES = {"copi": rules.copi_update, "sgd": rules.sgd_update}
FORMS = {"matrix": rules.decorrelation_update, "local": rules.local_decorrelation_update, None: None}


def layers_of(network):
    return [LayerWeights(layer.W.copy(), layer.R.copy(), layer.activation) for layer in network.layers]


@pytest.mark.parametrize("signal", ["bp", "fa", "dfa"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rule", RULES)
@given(task=tasks())
def test_a_batch_moves_the_weights_as_the_network_does(rule, form, signal, task):
    made = task.network.parts | {"rule": rule, "decorrelation": form, "error_signal": signal}
    network = Network(**made, rng=np.random.default_rng(0))
    layers = layers_of(network)
    before = [[array.copy() for array in layer[:2]] for layer in layers]
    options = {"eta_W": 0.03, "eta_R": 0.02, "delta_scale": 0.7}
    new = train_batch(
        layers, task.y0, task.targets, rule=RULES[rule], decorrelation=FORMS[form],
        signal=ERROR_SIGNALS[signal].deltas, feedback=network.feedback, **options,
    )  # fmt: skip
    network.step(task.y0, task.targets, **options)
    for layer, moved, old, (W, R) in zip(network.layers, new, layers, before, strict=True):
        assert_near(moved.W, layer.W, 1e3)
        assert_near(moved.R, layer.R, 1e3)
        np.testing.assert_array_equal(old.W, W)  # nothing is changed in place
        np.testing.assert_array_equal(old.R, R)


@given(tasks(activations=SMOOTH))
def test_it_agrees_with_loops_over_samples(task):
    """The forward pass and backpropagation of the oracle, unit by unit."""
    layers = layers_of(task.network)
    trace = forward(layers, task.y0)
    oracle = oracle_of(task.network)
    for n, sample in enumerate(task.y0):
        y = sample
        for layer, x, a, y_out in zip(layers, trace.x, trace.a, trace.y, strict=True):
            assert_near(x[n], layer.R @ y, 1e3)
            assert_near(a[n], layer.W @ (layer.R @ y), 1e3)
            y = y_out[n]
    expected = [oracle.signals(*sample) for sample in zip(task.y0, task.targets, strict=True)]
    for k, delta in enumerate(error_signals(layers, trace, task.targets)):
        assert_near(delta, [sample[k] for sample in expected], 1e3)


def recorders(of_W, of_R):
    """Rules that copy what they are given into two lists, and return half of the weights."""

    def rule(W, R, x, y, a, z, delta, y_out):
        of_W.append([array.copy() for array in (W, R, x, y, a, y_out, z, delta)])
        return W / 2

    def decorrelation(R, x, y, eta_R):
        of_R.append([array.copy() for array in (R, x, y, np.asarray(eta_R))])
        return R / 2

    return {"rule": rule, "decorrelation": decorrelation}


def test_a_rule_is_given_the_same_as_in_a_network():
    """By name, layer by layer: states and weights from before the batch; eta_R for the lateral rule."""
    pure, fast = ([], []), ([], [])
    network = Network([5, 4, 4, 3], rng=np.random.default_rng(0), dtype="float64", **recorders(*fast))
    rng = np.random.default_rng(1)
    for layer in network.layers:
        layer.R = layer.R + rng.normal(0, 0.3, layer.R.shape)
    layers, y0, targets = layers_of(network), rng.normal(size=(6, 5)), np.eye(3)[[0, 1, 2, 0, 1, 2]]
    options = {"eta_W": 0.5, "eta_R": 0.25, "delta_scale": 0.7}
    new = train_batch(layers, y0, targets, **recorders(*pure), **options)
    network.step(y0, targets, **options)
    for old, moved, layer in zip(layers, new, network.layers, strict=True):
        for W, R in ((moved.W, moved.R), (layer.W, layer.R)):
            assert_near(W, 1.25 * old.W, 10)
            assert_near(R, 1.125 * old.R, 10)
    trace = forward(layers, y0)
    deltas = [0.7 * delta for delta in error_signals(layers, trace, targets)]
    for of_W, of_R in (pure, fast):
        for k, (given_W, given_R) in enumerate(zip(of_W, of_R, strict=True)):
            W, R, x, y, a, y_out, delta = (*layers[k][:2], trace.x[k], trace.y_in[k], trace.a[k], trace.y[k], deltas[k])
            for found, expected in zip(given_W, (W, R, x, y, a, y_out, a + delta, delta), strict=True):
                assert_near(found, expected, 10)
            for found, expected in zip(given_R, (R, x, y, 0.25), strict=True):
                assert_near(found, expected, 10)


def test_a_signal_of_ones_own_is_given_what_it_names():
    """Targets and loss, and what is given by name, such as a generator of noise."""
    layers = layers_of(Network([3, 4, 2], rng=np.random.default_rng(0), dtype="float64"))
    y0, targets = np.ones((5, 3)), np.zeros((5, 2))

    def signal(layers, trace, feedback, delta_L, targets, loss, rng):
        assert loss is LOSSES["cross_entropy"]
        assert feedback == [7]
        return [targets, delta_L, rng]

    trace = forward(layers, y0)
    given = {"loss": LOSSES["cross_entropy"], "signal": signal, "feedback": [7], "rng": 3}
    found_targets, delta_L, rng = error_signals(layers, trace, targets, **given)
    assert found_targets is targets
    assert rng == 3
    gradient = LOSSES["cross_entropy"].gradient(trace.y[-1], targets)
    assert_near(delta_L, -layers[-1].activation.df(trace.a[-1]) * gradient)


def test_every_batch_of_an_epoch_continues_from_the_one_before():
    layers = layers_of(Network([3, 4, 2], rng=np.random.default_rng(0), dtype="float64"))
    rng = np.random.default_rng(1)
    batches = [(rng.normal(size=(5, 3)), rng.normal(size=(5, 2))) for _ in range(3)]
    found = train_epoch(layers, iter(batches), eta_W=0.1, eta_R=0.05)
    expected = layers
    for y0, targets in batches:
        expected = train_batch(expected, y0, targets, eta_W=0.1, eta_R=0.05)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.W, other.W)
        np.testing.assert_array_equal(one.R, other.R)


def test_it_trains_mnist_5k_to_the_weights_of_the_network():
    """Five epochs in float64 by the paper's schedule: within 1e-12 of the fast path, relative."""
    data = load_dataset("mnist-5k")
    network = Network([784, 100, 50, 10], rng=np.random.default_rng(0), dtype="float64")
    layers = layers_of(network)
    schedule = Schedule(eta_W=0.1, eta_R=0.1, first_epochs=1, first_eta_W=0.01, first_eta_R=0.01)
    fit(network, data, epochs=5, schedule=schedule, rng=np.random.default_rng(1))
    inputs, targets = as_float(data.train.inputs, "float64"), one_hot(data.train.labels, 10, "float64")
    rng = np.random.default_rng(1)
    for epoch in range(1, 6):
        order = rng.permutation(len(inputs)).reshape(-1, 50)
        batches = ((inputs[rows], targets[rows]) for rows in order)
        layers = train_epoch(layers, batches, **schedule.rates(epoch))
    for fast, pure in zip(network.layers, layers, strict=True):
        for one, other in ((fast.W, pure.W), (fast.R, pure.R)):
            assert np.linalg.norm(one - other) <= 1e-12 * np.linalg.norm(other)
