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
    assert oracle is not None
    expected = task.network.error_signals(task.network.forward(task.y0), task.targets)
    for delta, reference in zip(error_signals(layers, trace, task.targets), expected, strict=True):
        assert_near(delta, reference, 1e3)


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
