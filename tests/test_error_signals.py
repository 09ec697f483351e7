"""Error signals: backpropagation against finite differences of an independent loss, the others against it."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_equal_to, assert_near, directional_derivative, oracle_of
from strategies import ALL_ACTIVATIONS, SEEDS, SMOOTH, Task, tasks

from copi_np import InputError, Network
from copi_np.activations import ACTIVATIONS
from copi_np.error_signals import ERROR_SIGNALS, output_signal, reconstruction_update
from copi_np.losses import LOSSES

HIDDEN = st.integers(2, 4)
KINDS = ("bp", "fa", "dfa", "tp", "dtp")


def signals(task, **options):
    """The error signals of a task's batch."""
    return task.network.error_signals(task.network.forward(task.y0), task.targets, **options)


# ---------------------------------------------------------------- the definition of every signal


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_signals_follow_section_2_5(kind, data):
    """Every signal of every layer, sample by sample, through lateral weights that are not symmetric."""
    task = data.draw(tasks(error_signal=kind))
    oracle = oracle_of(task.network)
    expected = [oracle.signals(*sample) for sample in zip(task.y0, task.targets, strict=True)]
    for k, delta in enumerate(signals(task)):
        assert_equal_to(1e-11, delta, [sample[k] for sample in expected])


@pytest.mark.parametrize("loss", ["quadratic", "cross_entropy"])
@given(data=st.data())
def test_the_output_signal(loss, data):
    """delta_L = -f'(a_L) dloss/dy_L, of each sample's own loss."""
    task = data.draw(tasks(n_layers=st.just(1)))
    trace = task.network.forward(task.y0)
    name = task.network.config["output_activation"]
    targets = np.abs(task.targets) / np.sum(np.abs(task.targets), axis=1, keepdims=True)
    delta = output_signal(LOSSES[loss], ACTIVATIONS[name], trace.a[-1], trace.y[-1], targets)
    for n, (a, y, target) in enumerate(zip(trace.a[-1], trace.y[-1], targets, strict=True)):
        assert_near(delta[n], -oracles.DF[name](a) * oracles.LOSS_GRADIENT[loss](y, target), ulps=1000)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), scale=st.floats(0, 1000))
def test_delta_scale_multiplies_all_signals(kind, data, scale):
    """The signals of every layer, also where they are not linear in that of the output."""
    task = data.draw(tasks(error_signal=kind))
    for scaled, delta in zip(signals(task, delta_scale=scale), signals(task), strict=True):
        assert_near(scaled, scale * delta)


# ---------------------------------------------------------------- backpropagation is the negative gradient


@pytest.mark.parametrize("loss", ["quadratic", "cross_entropy"])
@given(data=st.data(), seed=SEEDS)
def test_backpropagation_is_the_negative_gradient_in_a(loss, data, seed):
    """-<delta_k, v> is the slope of the summed loss when a_k moves along v, through W and R of all layers above."""
    task = data.draw(tasks(activations=SMOOTH, loss=loss))
    oracle = oracle_of(task.network)
    rng = np.random.default_rng(seed)
    targets = rng.dirichlet(np.ones(task.targets.shape[1]), len(task.y0))
    task = task._replace(targets=targets)
    for k, delta in enumerate(signals(task)):
        a = task.network.forward(task.y0).a[k]
        v = rng.normal(size=a.shape)
        for n, target in enumerate(targets):
            slope = directional_derivative(lambda a_n: oracle.loss_from(k, a_n, target), a[n], v[n])  # noqa: B023
            assert -delta[n] @ v[n] == pytest.approx(slope, rel=1e-6, abs=1e-6)


@given(tasks(activations=SMOOTH), SEEDS)
def test_the_updates_descend_the_loss_in_W_and_through_R(task, seed):
    """<dW_sgd, V> = -dloss/dW along V, and <W^T delta y^T, V> = -dloss/dR along V, for the mean loss."""
    network, y0, targets = task
    trace, deltas = network.forward(y0), signals(task)
    rng = np.random.default_rng(seed)
    for k, delta in enumerate(deltas):
        y = y0 if k == 0 else trace.y[k - 1]
        W = network.layers[k].W
        moves = {"W": oracles.sgd(trace.x[k], delta), "R": oracles.sgd(y, delta @ W)}
        for name, move in moves.items():
            V = rng.normal(size=move.shape)

            def loss(matrix, name=name, k=k):
                oracle = oracle_of(network)
                getattr(oracle, name)[k] = matrix
                return oracle.mean_loss(y0, targets)

            slope = directional_derivative(loss, getattr(network.layers[k], name), V)
            assert -np.sum(move * V) == pytest.approx(slope, rel=1e-6, abs=1e-6)


# ---------------------------------------------------------------- feedback alignment


@given(tasks(n_layers=HIDDEN, error_signal="fa"))
def test_feedback_alignment_with_the_true_feedback_is_backpropagation(task):
    """B_k = (W_{k+1} R_{k+1})^T."""
    network = task.network
    for k, above in enumerate(network.layers[1:]):
        network.feedback[k] = (above.W @ above.R).T
    network_signals = signals(task)
    network.error_signal = ERROR_SIGNALS["bp"]
    for aligned, exact in zip(network_signals, signals(task), strict=True):
        assert_equal_to(1e-12, aligned, exact)


@given(SEEDS, st.sampled_from(ALL_ACTIVATIONS))
def test_with_one_hidden_layer_direct_feedback_is_feedback_alignment(seed, activation):
    """The layer above is the output: same feedback weights, same signals."""
    fa, dfa = (
        Network([4, 3, 2], rng=np.random.default_rng(seed), error_signal=kind, activation=activation, dtype="float64")
        for kind in ("fa", "dfa")
    )
    rng = np.random.default_rng(seed)
    y0, targets = rng.normal(size=(5, 4)), rng.normal(size=(5, 2))
    np.testing.assert_array_equal(fa.feedback[0], dfa.feedback[0])
    for one, other in zip(signals(Task(fa, y0, targets)), signals(Task(dfa, y0, targets)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("kind", "shapes"),
    [
        ("bp", [None, None, None, None]),
        ("fa", [(3, 4), (4, 5), (5, 6), None]),
        ("dfa", [(3, 6), (4, 6), (5, 6), None]),
        ("tp", [(3, 4), (4, 5), (5, 6), None]),
        ("dtp", [(3, 4), (4, 5), (5, 6), None]),
    ],
)
def test_feedback_comes_from_the_layer_above_or_from_the_output(kind, shapes):
    """B_k is (O_k, O_{k+1}), or (O_k, K) for direct feedback; none into the output layer, none for BP."""
    network = Network([2, 3, 4, 5, 6], rng=np.random.default_rng(0), error_signal=kind)
    assert [None if B is None else B.shape for B in network.feedback] == shapes


@pytest.mark.parametrize("kind", ["fa", "dfa"])
@given(data=st.data())
def test_fixed_feedback_does_not_see_the_forward_weights(kind, data):
    """Flipping W and its feedforward states changes nothing but what f'(a) and delta_L say."""
    task = data.draw(tasks(n_layers=HIDDEN, activations=("linear",), error_signal=kind))
    network = task.network
    delta_L = np.ones_like(task.targets)
    trace = network.forward(task.y0)
    before = network.error_signal.deltas(network.layers, trace, network.feedback, delta_L)
    for layer in network.layers:
        layer.W = -2 * layer.W
    after = network.error_signal.deltas(network.layers, trace, network.feedback, delta_L)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


# ---------------------------------------------------------------- target propagation


@st.composite
def invertible_tasks(draw, kind):
    """Linear networks of equal widths, whose feedback inverts every layer exactly."""
    n = draw(st.integers(1, 4))
    task = draw(tasks(sizes=[n] * draw(st.integers(3, 4)), activations=("linear",), error_signal=kind, lateral=False))
    for k, layer in enumerate(task.network.layers):
        layer.W = np.eye(n) + 0.1 * layer.W / max(1, np.linalg.norm(layer.W))
        layer.R = np.eye(n) + 0.1 * np.diag(np.arange(n)[:-1], 1) / n
        if k > 0:
            task.network.feedback[k - 1] = np.linalg.inv(layer.W @ layer.R)
    return task


@pytest.mark.parametrize("kind", ["tp", "dtp"])
@given(data=st.data())
def test_no_error_gives_no_signal_through_exact_inverses(kind, data):
    """t_L = y_L makes every target the state itself."""
    task = data.draw(invertible_tasks(kind))
    task = task._replace(targets=task.network.forward(task.y0).y[-1])
    for delta in signals(task):
        assert_near(delta, np.zeros_like(delta), size=10)


@given(tasks(n_layers=HIDDEN, error_signal="dtp"))
def test_differences_need_no_exact_inverse_for_that(task):
    """Difference target propagation cancels any reconstruction error where there is no error to send."""
    task = task._replace(targets=task.network.forward(task.y0).y[-1])
    for delta in signals(task):
        assert_near(delta, np.zeros_like(delta))


@given(invertible_tasks("dtp"))
def test_difference_targets_send_the_inverse_of_the_error(task):
    """Linear layers: delta_k = (W R)^-1 delta_{k+1}, whatever the step of the target."""
    deltas = signals(task)
    for k, above in enumerate(task.network.layers[1:]):
        expected = np.linalg.solve(above.W @ above.R, deltas[k + 1].T).T
        assert_near(deltas[k], expected, ulps=1e4)


@given(st.sampled_from(SMOOTH), SEEDS)
def test_the_inverse_descends_its_reconstruction_error(activation, seed):
    """dB is -d/dB of half the mean of ||y - f(B y_above)||^2, divided by the mean of ||y_above||^2."""
    rng = np.random.default_rng(seed)
    B, V = rng.normal(size=(2, 4, 3))
    y_above, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 4))

    def half_error(B):
        return sum(np.sum((y[n] - oracles.F[activation](B @ y_above[n])) ** 2) for n in range(5)) / 10

    dB = reconstruction_update(B, ACTIVATIONS[activation], y_above, y)
    power = np.mean([sample @ sample for sample in y_above])
    assert np.sum(dB * V) * power == pytest.approx(-directional_derivative(half_error, B, V), rel=1e-6, abs=1e-7)


@given(SEEDS)
def test_the_inverse_of_one_sample_is_learned_in_one_step(seed):
    """Linear, B = 1, step size 1: the reconstruction is exact, whatever the size of the activity above."""
    rng = np.random.default_rng(seed)
    B, y_above, y = rng.normal(size=(4, 3)), 100 * rng.normal(size=(1, 3)), rng.normal(size=(1, 4))
    B = B + reconstruction_update(B, ACTIVATIONS["linear"], y_above, y)
    assert_near(y_above @ B.T, y, size=1000)


def test_silence_above_teaches_no_inverse():
    """0 / 0 counts as 0."""
    dB = reconstruction_update(np.ones((2, 3)), ACTIVATIONS["linear"], np.zeros((4, 3)), np.ones((4, 2)))
    np.testing.assert_array_equal(dB, 0)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize("kind", ["fa", "dfa", "tp", "dtp"])
def test_missing_or_misfitting_feedback_is_named(kind):
    network = Network([4, 3, 2], rng=np.random.default_rng(0), error_signal=kind, dtype="float64")
    task = Task(network, np.ones((5, 4)), np.ones((5, 2)))
    network.feedback[0] = None
    with pytest.raises(InputError, match=r"layer 0 has no feedback matrix: assign one to network.feedback\[0\]"):
        signals(task)
    for shape in ((2, 3), (1, 2), (3, 1), (7, 2)):
        network.feedback[0] = np.ones(shape)
        with pytest.raises(InputError, match=r"feedback\[0\] must have shape \(3, 2\)"):
            signals(task)
    network.feedback[0] = np.ones((3, 2), np.float32)
    with pytest.raises(InputError, match="mixed dtypes"):
        signals(task)


def test_the_table_holds_every_signal_under_its_name():
    assert {name: signal.name for name, signal in ERROR_SIGNALS.items()} == {kind: kind for kind in KINDS}
    assert {name for name, signal in ERROR_SIGNALS.items() if signal.learns_inverse} == {"tp", "dtp"}
