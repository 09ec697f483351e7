"""Numbers at the edge: training goes on finitely, or stops with the error that says so."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layers import step_layer

from copi_np import Dataset, DivergenceError, InputError, Network, Schedule, Split, fit
from copi_np._divergence import check_weights
from copi_np.experiments.methods import METHODS
from copi_np.layer import Layer
from copi_np.steps import MatrixStep

N, N_INPUTS, N_CLASSES = 24, 6, 3


def plain(rng):
    return np.eye(N_CLASSES, N_INPUTS)[np.arange(N) % N_CLASSES] + rng.normal(0, 0.3, (N, N_INPUTS))


def with_columns(rng, change):
    inputs = plain(rng)
    change(inputs)
    return inputs


INPUTS = {
    "plain": plain,
    "always zero": lambda rng: with_columns(rng, lambda x: x[:, :4].fill(0)),
    "all zero": lambda rng: np.zeros((N, N_INPUTS)),
    "constant": lambda rng: with_columns(rng, lambda x: x[:, 1].fill(0.7)),
    "all constant": lambda rng: np.full((N, N_INPUTS), 0.9),
    "duplicates": lambda rng: np.repeat(plain(rng)[:, :2], 3, axis=1),
    "rank one": lambda rng: np.outer(rng.normal(size=N), np.arange(1.0, N_INPUTS + 1)),
    "denormal": lambda rng: plain(rng) * 1e-41,
    "tiny": lambda rng: plain(rng) * 1e-18,
    "large": lambda rng: plain(rng) * 1e8,
    "huge": lambda rng: plain(rng) * 1e18,
    "absurd": lambda rng: plain(rng) * 1e30,
    "one huge": lambda rng: with_columns(rng, lambda x: x[:1, :1].fill(1e18)),
}
RATES = st.sampled_from([0.0, 1e-45, 1e-30, 1e-8, 1e-2, 0.3, 3.0, 1e3, 1e10, 1e30])


def outcome_of(network, inputs, schedule, epochs=3):
    """The final weights and the history, or the error."""
    split = Split(inputs, np.arange(N) % N_CLASSES)
    data = Dataset("edge", split, split, N_CLASSES)
    try:
        history = fit(network, data, epochs=epochs, schedule=schedule, rng=np.random.default_rng(0), batch_size=5)
    except DivergenceError as error:
        return str(error)
    for record in history:
        assert np.isfinite([record.train_loss, record.test_loss, *record.decorrelation_loss]).all()
    assert all(np.isfinite(layer.W).all() and np.isfinite(layer.R).all() for layer in network.layers)
    return history


@settings(max_examples=500, deadline=None)
@given(
    method=st.sampled_from(sorted(METHODS)),
    kind=st.sampled_from(sorted(INPUTS)),
    eta_W=RATES,
    eta_R=RATES,
    delta_scale=st.sampled_from([0.0, 1e-30, 1.0, 500.0, 1e20]),
    form=st.sampled_from(["matrix", "local"]),
    activation=st.sampled_from(["leaky_relu", "relu", "tanh", "linear"]),
    dtype=st.sampled_from(["float32", "float64"]),
    loss=st.sampled_from(["quadratic", "cross_entropy"]),
)
def test_training_goes_on_finitely_or_says_that_it_diverged(
    method, kind, eta_W, eta_R, delta_scale, form, activation, dtype, loss
):
    """Whatever the data and the step sizes; Python's warnings are errors here."""
    parts = METHODS[method]
    network = Network(
        [N_INPUTS, 4, N_CLASSES], rng=np.random.default_rng(1), rule=parts.rule, error_signal=parts.error_signal,
        decorrelation=form if parts.decorrelates else None, activation=activation, loss=loss, dtype=dtype,
    )  # fmt: skip
    result = outcome_of(
        network, INPUTS[kind](np.random.default_rng(0)), Schedule(eta_W, eta_R, delta_scale=delta_scale)
    )
    if isinstance(result, str):
        assert "\n" not in result
        assert re.search(r"^epoch \d, .*training diverged.*(lower eta_|scale the inputs down)", result)


@pytest.mark.parametrize("kind", ["plain", "always zero", "all zero", "constant", "duplicates", "rank one", "tiny"])
@pytest.mark.parametrize("method", METHODS)
def test_harmless_data_never_diverge_at_ordinary_step_sizes(method, kind):
    """Else the first test would pass if everything diverged."""
    parts = METHODS[method]
    network = Network(
        [N_INPUTS, 4, N_CLASSES], rng=np.random.default_rng(1), rule=parts.rule, error_signal=parts.error_signal,
        decorrelation="matrix" if parts.decorrelates else None,
    )  # fmt: skip
    inputs = INPUTS[kind](np.random.default_rng(0))
    assert not isinstance(outcome_of(network, inputs, Schedule(0.005, 0.005), epochs=20), str)


def test_dead_units_stay_dead_and_harm_nobody():
    """A unit that no input reaches has no power, and nothing to learn; the others learn as if it were not there."""
    rng = np.random.default_rng(0)
    network = Network([N_INPUTS, 4, N_CLASSES], rng=rng, activation="relu", output_activation="linear")
    W = network.layers[0].W.copy()
    W[2] = 0
    network.layers[0].W = W
    history = outcome_of(network, INPUTS["plain"](rng), Schedule(0.02, 0.02), epochs=30)
    assert history[-1].train_loss < history[0].train_loss
    y = network.forward(INPUTS["plain"](rng).astype("float32")).y[0]
    assert not y[:, 2].any()
    R = network.layers[1].R
    assert np.array_equal(R[2], np.eye(4, dtype=R.dtype)[2])


# ------------------------------------------------------------------------------------------- a stable step size


def correlated(rng, n_units, scale):
    mixing = rng.normal(size=(n_units, n_units)) * scale
    return (rng.normal(size=(200, n_units)) + rng.normal(size=n_units)) @ mixing


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**6), n_units=st.integers(2, 9), scale=st.sampled_from([1e-3, 1.0, 30.0]))
def test_the_step_size_that_is_called_stable_is(seed, n_units, scale):
    """On all samples at once; and it decorrelates, so it is not merely small."""
    y = correlated(np.random.default_rng(seed), n_units, scale)
    eta_R = MatrixStep().stable_eta(y)
    layer = Network([n_units, 1], rng=np.random.default_rng(0), dtype="float64").layers[0]
    for _ in range(300):
        x, a, _ = layer.forward(y)
        step_layer(layer, x, a, None, 0.0, eta_R)
    assert np.isfinite(layer.R).all()
    assert defect(x) < 0.5 * defect(y) + 1e-9


def defect(x):
    """Hadamard's: zero for decorrelated inputs."""
    C = x.T @ x / len(x)
    return np.sum(np.log(np.diag(C))) - np.linalg.slogdet(C)[1]


def test_the_message_tells_a_step_size_that_is_stable():
    """It is taken from the message, and tried."""
    rng = np.random.default_rng(3)
    inputs = correlated(rng, N_INPUTS, 1.0)[:N]
    make = lambda: Network([N_INPUTS, 4, N_CLASSES], rng=np.random.default_rng(1), activation="tanh")  # noqa: E731
    message = outcome_of(make(), inputs, Schedule(1e-4, 30.0))
    found = re.search(
        r"lower eta_R \(now 30\).*; about (\S+) is stable from the start on inputs like these(?:;|$)", message
    )
    assert found, message
    assert not isinstance(outcome_of(make(), inputs, Schedule(1e-4, float(found[1])), epochs=30), str)


def test_the_step_size_told_is_for_all_layers_whichever_blew_up():
    """And not for activity that has exploded, but for what came in."""
    rng = np.random.default_rng(3)
    inputs = correlated(rng, N_INPUTS, 1.0)[:N]
    network = Network([N_INPUTS, 6, 4, N_CLASSES], rng=np.random.default_rng(1))
    message = outcome_of(network, inputs, Schedule(1e-4, 3.0))
    found = re.search(r"at R of layer [12] .*; about (\S+) is stable", message)
    assert found, message
    network = Network([N_INPUTS, 6, 4, N_CLASSES], rng=np.random.default_rng(1))
    assert not isinstance(outcome_of(network, inputs, Schedule(1e-4, float(found[1])), epochs=30), str)


@pytest.mark.parametrize("highest", [16, 255])
@pytest.mark.parametrize("rates", [(1e-6, 0.02), (0.02, 0.02)])
def test_inputs_that_are_not_of_unit_size_are_named_before_the_step_size(rates, highest):
    """Grey levels from 0 to 16 or 255, the commonest slip; and the advice helps."""
    rng = np.random.default_rng(3)
    inputs = highest * rng.random((N, N_INPUTS))
    make = lambda: Network([N_INPUTS, 4, N_CLASSES], rng=np.random.default_rng(1))  # noqa: E731
    message = outcome_of(make(), inputs, Schedule(*rates), epochs=100)
    found = re.search(
        r"diverged: the inputs have a root mean square of (\S+), not about 1: scale them first "
        r"\(Dataset\.scaled\('standardize'\), --standardize, or standardize=True in an estimator\); "
        r".*lower eta_[WR] \(now 0\.02\)",
        message,
    )
    assert found, message
    assert float(found[1]) == pytest.approx(highest / 3**0.5, rel=0.3)  # of a batch
    scaled = Dataset("edge", Split(inputs, np.arange(N) % 3), Split(inputs, np.arange(N) % 3), 3).scaled("standardize")
    assert not isinstance(outcome_of(make(), scaled.train.inputs, Schedule(*rates), epochs=100), str)


def test_inputs_of_unit_size_are_not_blamed():
    inputs = np.random.default_rng(3).normal(size=(N, N_INPUTS))
    message = outcome_of(Network([N_INPUTS, 4, N_CLASSES], rng=np.random.default_rng(1)), inputs, Schedule(30.0, 30.0))
    assert "diverged: loss" in message or "diverged: weights" in message
    assert "root mean square" not in message


def test_weights_that_exploded_are_blamed_on_large_inputs_too():
    layers = Network([3, 2], rng=np.random.default_rng(1)).layers
    layers[0].W = np.full((2, 3), 1e9, np.float32)
    rates = {"eta_W": 0.1, "eta_R": 0.1, "delta_scale": 1}
    with pytest.raises(DivergenceError, match=r"diverged: the inputs have a root mean square of 4, .*; weights reach"):
        check_weights(layers, rates, np.full((5, 3), 4.0, np.float32))
    with pytest.raises(DivergenceError, match="diverged: weights reach 1e"):
        check_weights(layers, rates, np.full((5, 3), 2.0, np.float32))


@pytest.mark.parametrize("y", [np.zeros((4, 3)), np.full((4, 3), 1e200), np.full((4, 3), np.inf)])
def test_where_inputs_tell_nothing_no_step_size_is_told(y):
    assert MatrixStep().stable_eta(y) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_data_that_are_no_numbers_are_refused_before_anything_is_learned(value):
    inputs = plain(np.random.default_rng(0))
    inputs[3, 2] = value
    network = Network([N_INPUTS, N_CLASSES], rng=np.random.default_rng(0))
    before = network.layers[0].W.copy()
    with pytest.raises(InputError, match="NaN or infinite"):
        outcome_of(network, inputs, Schedule(0.1, 0.1))
    assert np.array_equal(network.layers[0].W, before)
    assert isinstance(network.layers[0], Layer)
