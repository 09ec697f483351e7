"""One layer: the step in place equals the pure rule, and Adam equals an independent formula."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layers import step_layer
from oracles import assert_near
from strategies import SEEDS, arrays, forward_passes

from copi_np import InputError, Layer, get_backend, rules
from copi_np.activations import ACTIVATIONS
from copi_np.steps import FORWARD_STEPS, adam

RATES = st.sampled_from([0.0, 0.01, 0.3, 1.0, 2.0])
FORMS = ("matrix", "local", None)
PURE_W = {
    "copi": lambda W, x, a, delta: rules.copi_update(W, x, rules.target_state(a, delta)),
    "sgd": lambda W, x, a, delta: rules.sgd_update(x, delta),
}
PURE_R = {
    "matrix": rules.decorrelation_update,
    "local": rules.local_decorrelation_update,
    None: lambda R, x: np.zeros_like(R),
}


def make_layer(W, rule="copi", decorrelation="matrix", activation="leaky_relu"):
    """A layer on the host that owns a copy of W."""
    return Layer(W.copy(), ACTIVATIONS[activation], FORWARD_STEPS[rule](), decorrelation, get_backend("numpy"))


# ---------------------------------------------------------------- the step in place is the pure rule


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("decorrelation", FORMS)
@pytest.mark.parametrize("rule", PURE_W)
@given(data=st.data(), eta_W=RATES, eta_R=RATES)
def test_the_step_in_place_is_the_pure_rule(rule, decorrelation, dtype, data, eta_W, eta_R):
    """W += eta_W dW and R += eta_R dR, both from the W, R and x before the step; nothing else changes."""
    W, x, a, delta = data.draw(forward_passes(dtypes=st.just(dtype)))
    R = data.draw(arrays((W.shape[1], W.shape[1]), dtype))
    layer = make_layer(W, rule, decorrelation)
    layer.R = R
    arguments = [array.copy() for array in (x, a, delta)]
    for argument in arguments:
        argument.flags.writeable = False

    step_layer(layer, *arguments, eta_W, eta_R)

    W_max, R_max, x_max, z_max = (np.max(np.abs(array)) for array in (W, R, x, np.abs(a) + np.abs(delta)))
    size_W = W_max + eta_W * x_max * (z_max + W_max * x_max)
    size_R = R_max * (1 + eta_R * (1 + len(R)) * x_max**2)
    assert layer.W.dtype == layer.R.dtype == dtype
    assert_near(layer.W, W.astype(float) + eta_W * PURE_W[rule](W, x, a, delta).astype(float), size_W, ulps=20)
    assert_near(layer.R, R.astype(float) + eta_R * PURE_R[decorrelation](R, x).astype(float), size_R, ulps=20)
    for argument, original in zip(arguments, (x, a, delta), strict=True):
        np.testing.assert_array_equal(argument, original)


@pytest.mark.parametrize("decorrelation", [*FORMS, None])
@given(forward=forward_passes(st.just(np.float64)), seed=SEEDS)
def test_a_product_that_came_along_on_the_way_back_is_not_made_again(decorrelation, forward, seed):
    """The same step with it and without; only the matrix form has any use for it."""
    W, x, a, delta = forward
    R = np.random.default_rng(seed).normal(size=(W.shape[1], W.shape[1]))
    moved = []
    for comes_along in (False, True):
        layer = make_layer(W, decorrelation=decorrelation)
        layer.R = R
        _, x_R = layer.carry_back(delta, x, 0.1)
        assert (x_R is not None) == (decorrelation == "matrix")
        step_layer(layer, x, a, delta, 0.1, 0.2, x_R if comes_along else None)
        moved.append(layer.R)
    assert_near(moved[1], moved[0], 100 * (1 + np.max(np.abs(x)) ** 2))
    if decorrelation == "matrix":
        layer.R = R
        step_layer(layer, x, a, delta, 0.1, 0.2, np.zeros_like(x))  # taken at its word
        assert_near(layer.R, R * (1 + 0.2 * np.mean(x**2, axis=0))[:, None], 100 * (1 + np.max(np.abs(x)) ** 2))


@pytest.mark.parametrize("decorrelation", FORMS)
@given(forward=forward_passes(), eta_R=RATES)
def test_lateral_weights_start_as_the_identity(decorrelation, forward, eta_R):
    """The first step moves R from I, though I was never stored."""
    W, x, a, delta = forward
    layer = make_layer(W, "copi", decorrelation)
    step_layer(layer, x, a, delta, 0.1, eta_R)
    identity = np.eye(W.shape[1], dtype=W.dtype)
    expected = identity + eta_R * PURE_R[decorrelation](identity, x)
    assert_near(layer.R, expected, 100 * (1 + eta_R), ulps=20)


@pytest.mark.parametrize("rule", FORWARD_STEPS)
@given(forward=forward_passes())
def test_without_an_error_signal_only_R_moves(rule, forward):
    """delta = None leaves W to the bit; no step size for R leaves R."""
    W, x, a, delta = forward
    layer = make_layer(W, rule)
    step_layer(layer, x, a, None, 0.3, 0.3)
    np.testing.assert_array_equal(layer.W, W)
    R = layer.R.copy()
    step_layer(layer, x, a, delta, 0.3, 0.0)
    np.testing.assert_array_equal(layer.R, R)


def test_R_moves_where_inputs_are_correlated():
    """One step from the identity, by hand: off(C) = 1/2 on x = (1, 1), (1, 0)."""
    layer = make_layer(np.ones((1, 2)))
    step_layer(layer, np.array([[1.0, 1.0], [1.0, 0.0]]), np.zeros((2, 1)), np.zeros((2, 1)), 0.0, 0.5)
    np.testing.assert_allclose(layer.R, [[1, -0.25], [-0.25, 1]], rtol=1e-15)


# ---------------------------------------------------------------- Adam


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(seed=SEEDS, n_steps=st.integers(1, 8), size=st.sampled_from([1e-8, 1e-3, 1.0, 1e3]))
def test_adam(dtype, seed, n_steps, size):
    """Several steps against weighted sums over all updates so far; sizes near epsilon and far from it."""
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(3, 4)).astype(dtype)
    layer = make_layer(np.zeros_like(W), "adam", None)
    layer.W = W
    expected, gradients = W.astype(float), []
    for _ in range(n_steps):
        x, delta = rng.normal(size=(5, 4)).astype(dtype), (size * rng.normal(size=(5, 3))).astype(dtype)
        step_layer(layer, x, np.zeros_like(delta), delta, 0.01, 0.0)
        gradients.append(oracles.sgd(x, delta))
        expected = expected + 0.01 * oracles.adam_move(gradients)
    assert_near(layer.W, expected, ulps=1000)


@pytest.mark.parametrize("block", [1, 8, 9, 12, 100])
def test_adam_moves_all_blocks_alike(monkeypatch, block):
    """Whatever the size of a block: one row at least, and perhaps fewer in the last."""
    rng = np.random.default_rng(0)
    batches = [(rng.normal(size=(5, 4)), rng.normal(size=(5, 7))) for _ in range(3)]
    moved = []
    for size in (1000, block):
        monkeypatch.setattr(adam, "BLOCK", size)
        layer = make_layer(np.zeros((7, 4)), "adam", None)
        for x, delta in batches:
            step_layer(layer, x, np.zeros_like(delta), delta, 0.01, 0.0)
        moved.append(layer.W)
    np.testing.assert_allclose(moved[1], moved[0], rtol=1e-12)
    assert moved[1].all()


def test_the_first_move_of_adam_is_the_step_size():
    """Bias-corrected, g / sqrt(g^2) = +-1 whatever the size of g; without correction it would be 1 or 10 times less."""
    for size in (1e-3, 1e3):
        layer = make_layer(np.zeros((1, 2)), "adam", None)
        step_layer(layer, np.array([[size, -size]]), np.zeros((1, 1)), np.ones((1, 1)), 0.5, 0.0)
        np.testing.assert_allclose(layer.W, [[0.5, -0.5]], rtol=1e-4)


@given(st.integers(1, 5))
def test_adam_rests_without_an_update(n_steps):
    """0 / (sqrt(0) + epsilon) = 0: no NaN for inputs that are always zero."""
    layer = make_layer(np.ones((2, 3)), "adam", None)
    for _ in range(n_steps):
        step_layer(layer, np.zeros((4, 3)), np.zeros((4, 2)), np.ones((4, 2)), 0.5, 0.0)
    np.testing.assert_array_equal(layer.W, 1)


def test_layers_do_not_share_the_memory_of_adam():
    """What one layer sees leaves another's moves alone."""
    one, other = make_layer(np.zeros((1, 1)), "adam", None), make_layer(np.zeros((1, 1)), "adam", None)
    x, a, delta = np.ones((1, 1)), np.zeros((1, 1)), np.ones((1, 1))
    for _ in range(3):
        step_layer(one, x, a, delta, 0.1, 0.0)
    step_layer(other, x, a, -delta, 0.1, 0.0)
    np.testing.assert_allclose(other.W, -0.1, rtol=1e-6)


# ---------------------------------------------------------------- momentum


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(seed=SEEDS, n_steps=st.integers(1, 8))
def test_momentum_adds_up_earlier_updates(dtype, seed, n_steps):
    """Several steps against explicit sums over all updates so far; the step size does not enter the velocity."""
    rng = np.random.default_rng(seed)
    layer = make_layer(np.zeros((3, 4), dtype), "momentum", None)
    expected, gradients = np.zeros((3, 4)), []
    for eta in rng.uniform(0, 0.1, size=n_steps):
        x, delta = rng.normal(size=(5, 4)).astype(dtype), rng.normal(size=(5, 3)).astype(dtype)
        step_layer(layer, x, np.zeros_like(delta), delta, eta, 0.0)
        gradients.append(oracles.sgd(x, delta))
        expected = expected + eta * oracles.momentum_move(gradients)
    assert_near(layer.W, expected, ulps=1000)


def test_momentum_by_hand():
    """Updates of 1, 1 and 0: velocities 1, 1.9 and 1.71."""
    layer = make_layer(np.zeros((1, 1)), "momentum", None)
    for delta, W in ((1.0, 0.1), (1.0, 0.29), (0.0, 0.461)):
        step_layer(layer, np.ones((1, 1)), np.zeros((1, 1)), np.full((1, 1), delta), 0.1, 0.0)
        np.testing.assert_allclose(layer.W, W, rtol=1e-12)


# ---------------------------------------------------------------- passes


@given(forward_passes(st.just(np.float64)), st.sampled_from(sorted(ACTIVATIONS)), SEEDS)
def test_passes_go_through_R_then_W(forward, activation, seed):
    """x = R y, a = W x, f(a); back, (W R)^T delta = R^T W^T delta."""
    W, y, _, delta = forward
    R = np.random.default_rng(seed).normal(size=(W.shape[1], W.shape[1]))
    layer = make_layer(W, activation=activation)
    layer.R = R
    x, a, out = layer.forward(y)
    carried, x_R = layer.carry_back(delta, x, 0.1)
    for n, sample in enumerate(y):
        assert_near(x[n], R @ sample, 100)
        assert_near(a[n], W @ (R @ sample), 500)
        assert_near(out[n], oracles.F[activation](a[n]), 100)
        assert_near(carried[n], R.T @ (W.T @ delta[n]), 500)
        assert_near(x_R[n], R.T @ x[n], 500)
    assert_near(layer.folded(), W @ R, 100)


@given(forward_passes())
def test_an_identity_that_is_not_stored_computes_as_a_stored_one(forward):
    """Without decorrelation no product with R is paid for, and looking at R does not change that."""
    W, y, _, delta = forward
    fresh, seen = make_layer(W, decorrelation=None), make_layer(W)
    np.testing.assert_array_equal(fresh.R, np.eye(W.shape[1]))
    assert not fresh.has_lateral_weights
    with pytest.raises(ValueError, match="read-only"):
        fresh.R[0, 0] = 2
    assert seen.has_lateral_weights
    for one, other in zip(fresh.forward(y), seen.forward(y), strict=True):
        assert_near(other, one, 50)
    assert_near(seen.carry_back(delta, y, 0.1)[0], fresh.carry_back(delta, y, 0.1)[0], 50)
    assert_near(seen.folded(), fresh.folded())


# ---------------------------------------------------------------- assignment


@pytest.mark.parametrize("name", ["W", "R"])
def test_assigned_weights_are_copied(name):
    layer = make_layer(np.zeros((3, 3)))
    values = np.arange(9.0).reshape(3, 3)
    setattr(layer, name, values)
    values += 1
    np.testing.assert_array_equal(getattr(layer, name), values - 1)
    read_only = values.copy()
    read_only.flags.writeable = False
    setattr(layer, name, read_only)
    step_layer(layer, np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3)), 0.1, 0.1)  # moves in place what was read-only
    np.testing.assert_array_equal(read_only, values)


@pytest.mark.parametrize("name", ["W", "R"])
def test_assigned_weights_lie_row_after_row(name):
    """Else BLAS could not add products to them in place, and every step would take longer."""
    layer = make_layer(np.zeros((3, 3)))
    for values in (np.arange(9.0).reshape(3, 3).T, np.arange(36.0).reshape(6, 6)[::2, ::-2]):
        setattr(layer, name, values)
        assert getattr(layer, name).flags.c_contiguous
        np.testing.assert_array_equal(getattr(layer, name), values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[0.0, 0.0], [0.0, 0.0]], "must be an array of backend 'numpy', got list"),
        (np.zeros((3, 4)), r"must have shape \(2, 2\), got \(3, 4\)"),
        (np.zeros(2), r"must have shape \(2, 2\), got \(2,\)"),
        (np.zeros((2, 2), np.float32), "must be float64, got float32"),
        (np.zeros((2, 2), np.int64), "must be float64, got int64"),
    ],
)
@pytest.mark.parametrize("name", ["W", "R"])
def test_misfitting_weights_are_refused_and_named(name, values, message):
    layer = make_layer(np.ones((2, 2)))
    with pytest.raises(InputError, match=f"^{name} {message}"):
        setattr(layer, name, values)
    np.testing.assert_array_equal(layer.W, 1)
    np.testing.assert_array_equal(layer.R, np.eye(2))


def test_shapes_are_told():
    layer = make_layer(np.ones((2, 3)))
    assert (layer.n_inputs, layer.n_outputs) == (3, 2)
    assert layer.R.shape == (3, 3)
