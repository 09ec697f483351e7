"""Error signals: backpropagation against finite differences of an independent loss, the others against it."""

from __future__ import annotations

import re

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_equal_to, assert_near, directional_derivative, oracle_of
from strategies import SEEDS, SMOOTH, Task, tasks

from copi_np import InputError, Network
from copi_np.activations import ACTIVATIONS
from copi_np.error_signals import ERROR_SIGNALS, output_signal, reconstruction_update, send_back
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


# ---------------------------------------------------------------- feedback alignment


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
        got = re.escape(str(shape))
        with pytest.raises(InputError, match=rf"^feedback\[0\] must be an array of shape \(3, 2\), got {got}$"):
            signals(task)
    network.feedback[0] = np.ones((3, 2)).tolist()
    with pytest.raises(InputError, match=r"^feedback\[0\] must be an array of shape \(3, 2\), got list$"):
        signals(task)
    network.feedback[0] = np.ones((3, 2), np.float32)
    with pytest.raises(InputError, match="mixed dtypes"):
        signals(task)


@pytest.mark.parametrize("kind", ["fa", "dfa", "tp", "dtp"])
def test_feedback_for_too_few_layers_is_named(kind):
    network = Network([4, 3, 2], rng=np.random.default_rng(0), error_signal=kind, dtype="float64")
    trace = network.forward(np.ones((5, 4)))
    with pytest.raises(InputError, match="layer 0 has no feedback matrix"):
        ERROR_SIGNALS[kind].deltas(network.layers, trace, [], np.ones((5, 2)))


def test_batches_of_different_lengths_are_refused():
    with pytest.raises(InputError, match="do not fit 'ON BN BO'"):
        send_back([np.ones((3, 2))], 0, np.ones((5, 2)), np.ones((4, 3)))
    with pytest.raises(InputError, match="do not fit 'ON BN BO'"):
        reconstruction_update(np.ones((3, 2)), ACTIVATIONS["linear"], np.ones((5, 2)), np.ones((4, 3)))


@pytest.mark.parametrize("scale", [-1.0, float("nan"), float("inf")])
def test_a_scale_is_finite_and_not_negative(scale):
    network = Network([4, 2], rng=np.random.default_rng(0), dtype="float64")
    with pytest.raises(InputError, match=f"^delta_scale must be a finite number, at least 0, got {scale}"):
        signals(Task(network, np.ones((5, 4)), np.ones((5, 2))), delta_scale=scale)


def test_the_table_holds_every_signal_under_its_name():
    assert {name: signal.name for name, signal in ERROR_SIGNALS.items()} == {kind: kind for kind in KINDS}
    assert {name for name, signal in ERROR_SIGNALS.items() if signal.feedback_updates} == {"tp", "dtp"}
