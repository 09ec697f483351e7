"""Theorem 11. When other error signals equal those of backpropagation, and how they come to align with them.

Proofs follow each statement:

(a) Feedback alignment is backpropagation if B_k = (W_{k+1} R_{k+1})^T: the definitions coincide.
(b) Direct feedback alignment is feedback alignment for one hidden layer and the same matrix: the layer above is the
    output layer.
(c) Without an error, the signals of difference target propagation are zero for any B_k: f(B t) - f(B y) = 0 for t = y.
    Plain target propagation sends f(a_k) - a_k through feedback that inverts every layer exactly (t_k = y_k): zero in a
    linear network, but not after other activations, since the paper compares an output with a pre-activation. Through
    any other feedback it also sends the error of the reconstruction.
(d) In a linear network difference target propagation sends delta_k = B_k delta_{k+1}: (W R)^-1 delta_{k+1} through
    exact inverses; and backpropagation where W R is orthogonal, so that its inverse is its transpose.
(e) Moving the pre-activations a small step along a signal that is within 90 degrees of backpropagation's lowers the
    loss: the slope of the loss along it is minus their inner product, by Theorem 7.
(f) That the angles of FA, DFA and DTP fall during training is a measurement: they start near 90 degrees, as for random
    directions, and fall while the forward weights align with the feedback.                              Section 2.5.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_equal_to, assert_near, directional_derivative, oracle_of
from strategies import ALL_ACTIVATIONS, SEEDS, SMOOTH, Task, orthonormal_columns, tasks

from copi_np import Network, Schedule, fit, load_dataset
from copi_np.analysis import alignment_angle, alignment_angles
from copi_np.datasets import as_float, one_hot
from copi_np.error_signals import ERROR_SIGNALS

HIDDEN = st.integers(2, 4)


def signals(task):
    """Return the error signals of the task's batch."""
    return task.network.error_signals(task.network.forward(task.y0), task.targets)


def by_backpropagation(task):
    """Return the same network's signals by backpropagation."""
    own, task.network.error_signal = task.network.error_signal, ERROR_SIGNALS["bp"]
    deltas = signals(task)
    task.network.error_signal = own
    return deltas


def without_error(task):
    """Return the same task with targets equal to the network's outputs."""
    return task._replace(targets=task.network.forward(task.y0).y[-1])


@given(tasks(n_layers=HIDDEN, error_signal="fa"))
def test_a_feedback_alignment_with_the_true_feedback_is_backpropagation(task):
    """With any R and any activation; equal widths, in half of the networks, would reveal a missing transpose."""
    for k, above in enumerate(task.network.layers[1:]):
        task.network.feedback[k] = (above.W @ above.R).T
    for aligned, exact in zip(signals(task), by_backpropagation(task), strict=True):
        assert_equal_to(1e-12, aligned, exact)


@given(SEEDS, st.sampled_from(ALL_ACTIVATIONS))
def test_b_with_one_hidden_layer_direct_feedback_is_feedback_alignment(seed, activation):
    """The same seed draws the same matrix, and the signals agree to the last bit."""
    fa, dfa = (
        Network([4, 3, 2], rng=np.random.default_rng(seed), error_signal=kind, activation=activation, dtype="float64")
        for kind in ("fa", "dfa")
    )
    rng = np.random.default_rng(seed)
    y0, targets = rng.normal(size=(5, 4)), rng.normal(size=(5, 2))
    np.testing.assert_array_equal(fa.feedback[0], dfa.feedback[0])
    for one, other in zip(signals(Task(fa, y0, targets)), signals(Task(dfa, y0, targets)), strict=True):
        np.testing.assert_array_equal(one, other)


@st.composite
def linear_tasks(draw, kind, orthogonal=False):
    """Linear networks of equal widths, whose feedback inverts every layer exactly."""
    n = draw(st.integers(2, 4))
    task = draw(tasks(sizes=[n] * draw(st.integers(3, 4)), activations=("linear",), error_signal=kind))
    rng = np.random.default_rng(draw(SEEDS))
    for k, layer in enumerate(task.network.layers):
        Q, _ = np.linalg.qr(np.eye(n) + 0.3 * rng.normal(size=(n, n)))
        M = Q if orthogonal else Q + 0.1 * orthonormal_columns(rng, n, n)
        layer.R = np.eye(n) + 0.1 * np.diag(np.arange(1, n), 1) / n
        layer.W = M @ np.linalg.inv(layer.R)
        if k > 0:
            task.network.feedback[k - 1] = np.linalg.inv(M)
    return task


@pytest.mark.parametrize("kind", ["tp", "dtp"])
@given(data=st.data())
def test_c_no_error_gives_no_signal_through_exact_inverses(kind, data):
    """Linear: t_L = y_L makes every target the state itself."""
    for delta in signals(without_error(data.draw(linear_tasks(kind)))):
        assert_near(delta, np.zeros_like(delta), size=100)


@given(tasks(n_layers=HIDDEN, error_signal="dtp"))
def test_c_difference_targets_need_no_exact_inverse_for_that(task):
    """With random feedback and any activation."""
    for delta in signals(without_error(task)):
        assert_near(delta, np.zeros_like(delta))


@given(tasks(n_layers=HIDDEN, error_signal="tp", activations=("leaky_relu", "tanh")))
def test_c_after_other_activations_plain_target_propagation_sends_f_minus_a(task):
    """For one sample: B_k = a_k y^T / |y|^2 reconstructs its pre-activations exactly from the outputs y above."""
    network, y0, _ = task = task._replace(y0=task.y0[:1], targets=task.targets[:1])
    trace = network.forward(y0)
    for k, (a, above) in enumerate(zip(trace.a[:-1], trace.y[1:], strict=True)):
        network.feedback[k] = a.T @ above / np.sum(above**2)
    for k, delta in enumerate(signals(without_error(task))[:-1]):
        assert_near(delta, trace.y[k] - trace.a[k], size=10)


@given(tasks(n_layers=HIDDEN, error_signal="tp", activations=("linear",)))
def test_c_plain_target_propagation_sends_the_error_of_the_reconstruction(task):
    """Linear, with random feedback into the last hidden layer: B y_L - y."""
    task = without_error(task)
    trace, B = task.network.forward(task.y0), task.network.feedback[-2]
    assert_near(signals(task)[-2], trace.y[-1] @ B.T - trace.y[-2], size=100)


@given(linear_tasks("dtp"))
def test_d_difference_targets_send_the_inverse_of_the_error(task):
    """delta_k = (W R)^-1 delta_{k+1}, whatever the step of the target."""
    deltas = signals(task)
    for k, above in enumerate(task.network.layers[1:]):
        expected = np.linalg.solve(above.W @ above.R, deltas[k + 1].T).T
        assert_near(deltas[k], expected, size=1 + np.max(np.abs(deltas[-1])), ulps=1e4)


@given(linear_tasks("dtp", orthogonal=True))
def test_d_through_orthogonal_layers_they_are_backpropagation(task):
    """(W R)^-1 = (W R)^T."""
    for difference, exact in zip(signals(task), by_backpropagation(task), strict=True):
        assert_near(difference, exact, size=1 + np.max(np.abs(exact)), ulps=1e4)


@pytest.mark.parametrize("kind", ["fa", "dfa", "dtp"])
@given(data=st.data())
def test_e_the_slope_of_the_loss_along_a_signal_is_their_inner_product(kind, data):
    """Moving a_k of one sample along its signal; the sign is that of the cosine of the angle."""
    task = data.draw(tasks(n_layers=HIDDEN, activations=SMOOTH, error_signal=kind))
    oracle, a = oracle_of(task.network), task.network.forward(task.y0).a
    own, exact = signals(task), by_backpropagation(task)
    for k in range(len(own) - 1):
        slope = directional_derivative(lambda a_k: oracle.loss_from(k, a_k, task.targets[0]), a[k][0], own[k][0])  # noqa: B023
        inner = own[k][0] @ exact[k][0]
        assert slope == pytest.approx(-inner, rel=1e-5, abs=1e-5)
        if abs(inner) > 1e-9:
            assert (alignment_angle(own[k][:1], exact[k][:1]) < 90) == (inner > 0)


@pytest.fixture(scope="module")
def digits():
    """mnist-5k, and its test set as a batch."""
    data = load_dataset("mnist-5k")
    return data, as_float(data.test.inputs, "float32"), one_hot(data.test.labels, 10, "float32")


SCHEDULE = Schedule(1e-3, 1e-3, first_epochs=1, first_eta_W=0.0, first_eta_R=1e-3, delta_scale=100)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("kind", ["fa", "dfa", "dtp"])
def test_f_angles_to_backpropagation_fall_during_training(kind, seed, digits):
    """In every hidden layer, by more than eight degrees, to below 80; the feedback of FA and DFA does not change."""
    data, y0, targets = digits
    network = Network([784, 100, 100, 10], rng=np.random.default_rng(seed), error_signal=kind)
    feedback = list(network.feedback)
    before = np.array(alignment_angles(network, y0, targets))
    fit(network, data, epochs=5, schedule=SCHEDULE, rng=np.random.default_rng(1))
    after = np.array(alignment_angles(network, y0, targets))
    assert len(after) == 2
    assert np.all(abs(before - 90) < 10)
    assert np.all(after < before - 8)
    assert np.all(after < 80)
    if kind != "dtp":
        assert all(now is then for now, then in zip(network.feedback, feedback, strict=True))
