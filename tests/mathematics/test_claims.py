"""Claims of the paper that no theorem covers, measured on the bundled digits; verdicts are in docs/claims.md."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from oracles import assert_near
from strategies import SEEDS, decorrelated_batches

from copi_np import DivergenceError, Network, Schedule, fit, load_dataset
from copi_np.activations import ACTIVATIONS
from copi_np.datasets import as_float
from copi_np.rules import (
    copi_update,
    decorrelate,
    decorrelation_update,
    inference_update,
    mean_square,
    target_state,
)
from copi_np.whitening import asymmetry, second_moment

pytestmark = pytest.mark.xdist_group("claims")  # one process makes what all of these tests look at


@pytest.fixture(scope="module")
def data():
    return load_dataset("mnist-5k")


def five_layers():
    """The network of Figure 2A."""
    return Network([784, 500, 500, 500, 10], rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def decorrelated(data):
    """That network after three epochs in which only R learns, and its trace of a thousand digits."""
    network = five_layers()
    fit(network, data, epochs=3, schedule=Schedule(eta_W=0.0, eta_R=1e-2), rng=np.random.default_rng(0))
    return network, network.forward(as_float(data.train.inputs[:1000], "float32"))


@given(decorrelated_batches(), SEEDS)
def test_copi_scales_the_columns_of_the_inferred_update(x, seed):
    """Eq. 3 is Eq. 2 times diag<x^2> from the right: a step size for each input, not for each row as the paper says."""
    rng = np.random.default_rng(seed)
    z, W = rng.normal(size=(len(x), 3)), rng.normal(size=(3, x.shape[1]))
    assert_near(copi_update(W, x, z), inference_update(W, x, z) * mean_square(x), size=1000)


def test_a_single_mixed_state_is_enough():
    """Eq. 3 depends only on z: the update is the same for any a and delta with the same sum."""
    rng = np.random.default_rng(0)
    W, x, z, delta = (rng.normal(size=shape) for shape in ((3, 4), (5, 4), (5, 3), (5, 3)))
    one, other = (copi_update(W, x, target_state(a, d)) for a, d in ((z, 0 * delta), (z - delta, delta)))
    assert_near(one, other, size=100)


def error_after_learning(rule, R_moves, seed):
    """Test error of one linear layer of 20 inputs, which starts decorrelated, after 15 epochs in batches of 50."""
    rng = np.random.default_rng(seed)
    mixing, teacher = 0.3 * np.eye(20) + rng.normal(size=(20, 20)) / np.sqrt(20), rng.normal(size=(5, 20))
    y = rng.normal(size=(2000, 20)) @ mixing.T
    y /= np.sqrt(np.mean(y**2))
    z = y @ teacher.T
    z /= np.sqrt(np.mean(z**2))
    network = Network([20, 5], rng=np.random.default_rng(seed), rule=rule, activation="linear", dtype="float64")
    for _ in range(1000):
        network.step(y[:1000], z[:1000], eta_W=0.0, eta_R=0.2)
    for _ in range(15):
        for rows in np.split(rng.permutation(1000), 20):
            network.step(y[rows], z[rows], eta_W=0.2, eta_R=0.2 if R_moves else 0.0, delta_scale=0.5)
    return np.mean((network.predict(y[1000:]) - z[1000:]) ** 2)


@pytest.mark.parametrize("seed", range(3))
def test_copi_is_ahead_of_sgd_only_while_R_moves(seed):
    """Its extra term compensates for the motion of R (Theorem 2); with R at rest that term is batch noise."""
    errors = {
        (rule, R_moves): error_after_learning(rule, R_moves, seed)
        for rule in ("copi", "sgd")
        for R_moves in (True, False)
    }
    assert errors["copi", True] < 0.7 * errors["sgd", True]
    assert errors["sgd", False] < 0.7 * errors["copi", False]


def test_target_propagation_as_printed_sends_a_signal_without_an_error():
    """f(B delta) - a with delta = 0 is -a: it drives every unit to zero."""
    a, B = np.array([[1.0, -2.0]]), np.ones((2, 3))
    delta_above = np.zeros((1, 3))
    np.testing.assert_array_equal(ACTIVATIONS["leaky_relu"].f(delta_above @ B.T) - a, -a)


@pytest.mark.parametrize(("eta_R", "survives"), [(0.03, True), (0.1, False)])
def test_the_first_step_is_bounded_by_the_largest_eigenvalue(data, eta_R, survives):
    """For raw digits 2 / lambda is 0.05, though the local bound of Theorem 5 would allow a step of 2."""
    y = as_float(data.train.inputs, "float64")
    sigma = second_moment(y)
    assert 2 / np.linalg.eigvalsh(sigma)[-1] == pytest.approx(0.052, abs=1e-3)
    assert 2 / np.sum(np.sort(np.diag(sigma))[-2:]) > 2
    R = np.eye(784)
    with np.errstate(over="ignore", invalid="ignore"):
        for batch in np.split(y, 80)[:10]:
            R = R + eta_R * decorrelation_update(R, decorrelate(R, batch))
    assert bool(np.max(np.abs(R)) < 10) == survives


def test_a_large_step_from_the_start_blows_up(data):
    """With 0.1 in the first epoch, which the paper uses only later, training diverges within three batches."""
    with pytest.raises(DivergenceError, match=r"epoch 1, batch [1-3]: "):
        fit(five_layers(), data, epochs=1, schedule=Schedule(0.1, 0.1), rng=np.random.default_rng(0))


def test_decorrelation_reduces_activity(decorrelated):
    """The root mean square of the first layer's inputs falls from 0.33 to 0.15, that of the others by a tenth."""
    _, trace = decorrelated
    before, after = (np.array([np.sqrt(np.mean(v**2)) for v in inputs]) for inputs in (trace.y_in, trace.x))
    assert (before[0], after[0]) == pytest.approx((0.33, 0.15), abs=5e-3)
    assert np.max(after / before) < 0.9


def test_decorrelation_takes_most_of_the_mean(decorrelated):
    """The squared mean is 20 % of a live pixel's mean square, on average; 1 % once (nearly) decorrelated.

    The sum of these shares, which Theorem 12 bounds by 1 for uncorrelated inputs, falls from 120 to 7.
    """
    _, trace = decorrelated
    shares = []
    for v in (trace.y0.astype(float), trace.x[0].astype(float)):
        power = np.mean(v**2, axis=0)
        shares.append((np.mean(v, axis=0) ** 2)[power > 0] / power[power > 0])
    assert [np.mean(share) for share in shares] == pytest.approx([0.195, 0.0106], rel=0.02)
    assert [np.sum(share) for share in shares] == pytest.approx([120, 7], rel=0.02)


def test_lateral_weights_inhibit_and_excite(decorrelated):
    """Half of them are negative in the first layer, 73 to 92 % in later ones."""
    network, _ = decorrelated
    lateral = [layer.R[~np.eye(layer.n_inputs, dtype=bool)] for layer in network.layers]
    negative = [np.mean(weights[np.abs(weights) > 1e-6] < 0) for weights in lateral]
    assert negative == pytest.approx([0.50, 0.73, 0.88, 0.92], abs=0.01)


def test_the_asymmetry_of_R_on_digits(decorrelated):
    """It is small, but not zero: between 0.1 and 2 per cent in every layer."""
    network, _ = decorrelated
    values = [asymmetry(layer.R) for layer in network.layers]
    assert all(1e-3 < value < 2e-2 for value in values)
