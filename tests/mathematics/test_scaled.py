"""A matrix whose rows carry a factor that is put off is the matrix with the factor multiplied in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import assert_near

from copi_np import Network, get_backend, rules
from copi_np.scaled import LARGEST, MOST_FACTORS, ScaledRows

BACKEND = get_backend("numpy")
FACTORS = st.sampled_from([1e-12, 1e-3, 0.5, 1.0, 1.01, 3.0, 1e4, 1e12])


class Dense:
    """What `ScaledRows` shall compute, at once."""

    def __init__(self, M):
        self.M = M

    def scale_rows(self, factors):
        self.M = self.M * factors[:, None]

    def add_outer(self, x, y, alpha):
        self.M = self.M + alpha * x.T @ y


@settings(max_examples=200)
@given(seed=st.integers(0, 999), steps=st.lists(st.sampled_from(["scale", "add", "read"]), max_size=40), data=st.data())
def test_whatever_is_done_to_it_it_is_the_matrix(seed, steps, data):
    """In float64, for any sequence of operations, also with extreme factors."""
    rng = np.random.default_rng(seed)
    M = rng.normal(size=(3, 4))
    scaled, dense = ScaledRows(M.copy(), BACKEND), Dense(M)
    size = np.abs(M).max()
    for step in steps:
        if step == "scale":
            factors = np.array([data.draw(FACTORS) for _ in range(3)])
            scaled.scale_rows(factors)
            dense.scale_rows(factors)
            size *= factors.max()
        elif step == "add":
            x, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 4))
            scaled.add_outer(x, y, -0.3)
            dense.add_outer(x, y, -0.3)
            size += 30
        else:
            assert_near(scaled.array(), dense.M, size, ulps=200)
    x, y = rng.normal(size=(2, 3)), rng.normal(size=(2, 4))
    assert_near(scaled.rows_times(x), x @ dense.M, 20 * size, ulps=200)
    assert_near(scaled.times_rows(y), y @ dense.M.T, 20 * size, ulps=200)
    assert_near(scaled.array(), dense.M, size, ulps=200)


def test_factors_are_put_off_and_not_for_ever():
    stored = np.ones((2, 2))
    scaled = ScaledRows(stored, BACKEND)
    for _ in range(MOST_FACTORS - 1):
        scaled.scale_rows(np.array([1.001, 1.0]))
    np.testing.assert_array_equal(stored, 1)
    scaled.scale_rows(np.array([1.001, 1.0]))
    np.testing.assert_allclose(stored, [[1.001**MOST_FACTORS] * 2, [1, 1]])


@pytest.mark.parametrize("factor", [2 * LARGEST, 0.5 / LARGEST, -2 * LARGEST])
def test_a_factor_out_of_range_is_not_put_off(factor):
    stored = np.ones((2, 2))
    ScaledRows(stored, BACKEND).scale_rows(np.array([factor, 1.0]))
    np.testing.assert_array_equal(stored[0], factor)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", ["copi", "sgd"])
@pytest.mark.parametrize("form", ["matrix", "local"])
def test_many_steps_are_those_of_the_pure_rules(form, rule, dtype):
    """Two hundred, in which the scale is multiplied in a dozen times, against the equations in float64."""
    rng = np.random.default_rng(0)
    network = Network([6, 5, 3], rng=rng, rule=rule, decorrelation=form, activation="tanh", dtype=dtype)
    Ws, Rs = ([np.array(getattr(layer, name), float) for layer in network.layers] for name in ("W", "R"))
    mixing = rng.normal(size=(6, 6)) / 3
    for _ in range(200):
        y0, targets = rng.normal(size=(7, 6)) @ mixing, np.eye(3)[rng.integers(0, 3, 7)]
        network.step(y0.astype(dtype), targets.astype(dtype), eta_W=0.02, eta_R=0.05)
        pure_step(Ws, Rs, y0, targets, rule, form)
    for layer, W, R in zip(network.layers, Ws, Rs, strict=True):
        tolerance = 1e-4 if dtype == "float32" else 1e-11
        np.testing.assert_allclose(layer.R, R, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(layer.W, W, rtol=tolerance, atol=tolerance)


def pure_step(Ws, Rs, y0, targets, rule, form):
    """Algorithm 1 with the functions of `rules`; two layers, tanh, quadratic loss, backpropagation."""
    x, a, y = [], [], [y0]
    for W, R in zip(Ws, Rs, strict=True):
        x.append(rules.decorrelate(R, y[-1]))
        a.append(rules.transform(W, x[-1]))
        y.append(np.tanh(a[-1]))
    top = 2 * (targets - y[-1]) * (1 - y[-1] ** 2)
    deltas = [(top @ Ws[1] @ Rs[1]) * (1 - y[1] ** 2), top]
    for k in range(2):
        z = rules.target_state(a[k], deltas[k])
        dW = rules.copi_update(Ws[k], x[k], z) if rule == "copi" else rules.sgd_update(x[k], deltas[k])
        update = rules.decorrelation_update if form == "matrix" else rules.local_decorrelation_update
        Ws[k], Rs[k] = Ws[k] + 0.02 * dW, Rs[k] + 0.05 * update(Rs[k], x[k])
