"""Claims of the paper that no theorem covers, measured on the bundled digits; docs/claims.md gives the verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from oracles import assert_near
from strategies import SEEDS, decorrelated_batches

from copi_np import DivergenceError, Network, Schedule, fit, load_dataset
from copi_np.activations import ACTIVATIONS
from copi_np.datasets import as_float
from copi_np.rules import copi_update, inference_update, mean_square
from copi_np.whitening import asymmetry


@pytest.fixture(scope="module")
def data():
    return load_dataset("mnist-5k")


def five_layers():
    """The network of Figure 2A."""
    return Network([784, 500, 500, 500, 10], rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def decorrelated(data):
    """That network after three epochs in which R learns alone, and the trace of a thousand digits through it."""
    network = five_layers()
    fit(network, data, epochs=3, schedule=Schedule(eta_W=0.0, eta_R=1e-2), rng=np.random.default_rng(0))
    return network, network.forward(as_float(data.train.inputs[:1000], "float32"))


@given(decorrelated_batches(), SEEDS)
def test_copi_scales_the_columns_of_the_inferred_update(x, seed):
    """Eq. 3 is Eq. 2 times diag<x^2> from the right: a step size for each input, where the paper says rows."""
    rng = np.random.default_rng(seed)
    z, W = rng.normal(size=(len(x), 3)), rng.normal(size=(3, x.shape[1]))
    assert_near(copi_update(W, x, z), inference_update(W, x, z) * mean_square(x), size=1000)


def test_target_propagation_as_printed_sends_a_signal_without_an_error():
    """f(B delta) - a with delta = 0 is -a: it drives every unit to zero."""
    a, B = np.array([[1.0, -2.0]]), np.ones((2, 3))
    delta_above = np.zeros((1, 3))
    np.testing.assert_array_equal(ACTIVATIONS["leaky_relu"].f(delta_above @ B.T) - a, -a)


def test_a_large_step_from_the_start_blows_up(data):
    """0.1 in the first epoch, which the paper keeps for later ones: gone within three batches."""
    with pytest.raises(DivergenceError, match=r"epoch 1, batch [1-3]: "):
        fit(five_layers(), data, epochs=1, schedule=Schedule(0.1, 0.1), rng=np.random.default_rng(0))


def test_decorrelation_reduces_activity(decorrelated):
    """The root mean square of the inputs of the first layer falls to less than half, that of the others by a tenth."""
    _, trace = decorrelated
    shares = [np.sqrt(np.mean(x**2) / np.mean(y**2)) for x, y in zip(trace.x, trace.y_in, strict=True)]
    assert shares[0] < 0.5
    assert max(shares) < 0.9


def test_decorrelation_takes_most_of_the_mean(decorrelated):
    """Of digits, 15 % of a pixel's mean square are its mean squared, on average; under 1 % once decorrelated."""
    _, trace = decorrelated
    y, x = trace.y0, trace.x[0]
    raw, left = (np.mean(np.mean(v, axis=0) ** 2 / np.maximum(np.mean(v**2, axis=0), 1e-12)) for v in (y, x))
    assert raw > 0.15
    assert left < 0.01


def test_lateral_weights_inhibit_and_excite(decorrelated):
    """About half of them are positive in the first layer, most of them negative behind it."""
    network, _ = decorrelated
    lateral = [layer.R[~np.eye(layer.n_inputs, dtype=bool)] for layer in network.layers]
    negative = [np.mean(weights[np.abs(weights) > 1e-6] < 0) for weights in lateral]
    assert 0.4 < negative[0] < 0.6
    assert all(0.6 < share < 1 for share in negative[1:])


def test_the_asymmetry_of_R_on_digits(decorrelated):
    """Small, not zero: between 0.1 and 2 per cent in every layer."""
    network, _ = decorrelated
    values = [asymmetry(layer.R) for layer in network.layers]
    assert all(1e-3 < value < 2e-2 for value in values)
