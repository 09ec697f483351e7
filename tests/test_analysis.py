"""The path of the lateral weights, and angles between error signals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near, decorrelation_local, decorrelation_matrix
from strategies import SEEDS, arrays, batches, tasks

from copi_np import InputError, Network
from copi_np.analysis import alignment_angle, alignment_angles, decorrelation_path
from copi_np.rules import decorrelation_update, local_decorrelation_update

# ---------------------------------------------------------------- paths


@pytest.mark.parametrize(
    ("update", "oracle"),
    [(decorrelation_update, decorrelation_matrix), (local_decorrelation_update, decorrelation_local)],
)
@given(y=batches(), eta=st.floats(0, 0.01))
def test_the_path_follows_the_rule(update, oracle, y, eta):
    """From the identity, R += eta dR at x = R y, in the dtype of the batch; earlier matrices stay as they were."""
    path = list(decorrelation_path(y, eta, 3, update))
    R = np.eye(y.shape[1])
    assert len(path) == 4
    for actual in path:
        assert actual.dtype == y.dtype
        assert_near(actual, R, size=10)
        R = R + eta * oracle(R, y.astype(float) @ R.T)


@pytest.mark.parametrize(
    ("y", "eta_R", "n_steps", "message"),
    [
        (np.ones(3), 0.1, 2, "do not fit 'BI'"),
        (np.ones((2, 3)), -0.1, 2, "eta_R must be a finite number, at least 0"),
        (np.ones((2, 3)), 0.1, 0, "n_steps must be at least 1"),
    ],
)
def test_bad_paths_are_refused(y, eta_R, n_steps, message):
    with pytest.raises(InputError, match=message):
        list(decorrelation_path(y, eta_R, n_steps))


# ---------------------------------------------------------------- angles


@given(SEEDS, st.floats(0, 180), st.floats(0.1, 10))
def test_the_angle_between_two_signals(seed, degrees, size):
    """cos u + sin v with orthonormal u, v is at that angle to u, whatever its size."""
    u, v = np.linalg.qr(np.random.default_rng(seed).normal(size=(12, 2)))[0].T.reshape(2, 4, 3)
    turned = np.cos(np.radians(degrees)) * u + np.sin(np.radians(degrees)) * v
    # the arc cosine loses half of the digits next to 0 and 180
    assert alignment_angle(size * turned, u) == pytest.approx(degrees, abs=1e-5)


@given(arrays((2, 3), elements=st.floats(0.1, 3)), st.floats(0.01, 100))
def test_parallel_signals_are_at_0_and_180_degrees(delta, c):
    """Never NaN, though rounding may take the cosine beyond 1."""
    assert alignment_angle(c * delta, delta) == pytest.approx(0, abs=1e-5)
    assert alignment_angle(-c * delta, delta) == pytest.approx(180, abs=1e-5)


def test_a_signal_of_nothing_has_no_angle():
    for pair in ((np.zeros((2, 3)), np.ones((2, 3))), (np.ones((2, 3)), np.zeros((2, 3)))):
        with pytest.raises(InputError, match="zero everywhere has no direction"):
            alignment_angle(*pair)


@given(tasks(n_layers=st.integers(2, 4), error_signal="fa", activations=("leaky_relu", "linear")))
def test_angles_of_a_network(task):
    """One for each hidden layer; all 0 with the true feedback, all 180 in the first layer where one sign is turned."""
    network, y0, targets = task
    for k, above in enumerate(network.layers[1:]):
        network.feedback[k] = (above.W @ above.R).T
    angles = alignment_angles(network, y0, targets)
    assert angles == pytest.approx([0] * (len(network.layers) - 1), abs=1e-5)
    network.feedback[0] = -network.feedback[0]
    assert alignment_angles(network, y0, targets)[0] == pytest.approx(180, abs=1e-5)


def test_angles_need_a_batch_that_fits():
    network = Network([4, 3, 2], rng=np.random.default_rng(0), error_signal="fa", dtype="float64")
    with pytest.raises(InputError, match="inputs must have shape"):
        alignment_angles(network, np.ones((5, 3)), np.ones((5, 2)))
