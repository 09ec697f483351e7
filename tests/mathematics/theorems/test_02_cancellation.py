"""Theorem 2. COPI cancels the motion of R: decorrelating does not disturb what the layer computes.

With eta_W = eta_R = eta and the matrix form of decorrelation, one step on any batch moves M = W R by

    M += eta G R - eta^2 (G + W off(C)) off(C) R,       G = <delta x^T> = <delta y^T> R^T.

Proof. W' = W + eta (G + W off(C)) by Theorem 1, R' = (I - eta off(C)) R; multiply, and the two terms
+-eta W off(C) R cancel.

So (a) to first order M moves by <delta y^T> R^T R, gradient descent on M preconditioned by R^T R; (b) without an error
signal M drifts only at O(eta) in a fixed time eta * steps, however far R moves. For the SGD rule the term
-eta W off(C) R is left over, for the local form eta W (off(C) R - R off(C)), for unequal step sizes
(eta_W - eta_R) W off(C) R: there (c) the residual is of first order.                             Sections 2.4 and 2.7.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layers import step_layer
from oracles import assert_near, off, second_moment
from strategies import SEEDS

from copi_np import Layer, get_backend
from copi_np.activations import ACTIVATIONS
from copi_np.steps import CopiStep, SgdStep

ETA = 1e-2


class Case(NamedTuple):
    """One layer before a step, its batch, and the terms of the theorem."""

    W: np.ndarray
    R: np.ndarray
    y: np.ndarray
    delta: np.ndarray
    off_C: np.ndarray
    G: np.ndarray


@st.composite
def cases(draw):
    """Layers with any R, correlated inputs, any error signal; of numbers of order 1."""
    rng = np.random.default_rng(draw(SEEDS))
    n, n_outputs, B = draw(st.integers(2, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 6))
    W = rng.normal(size=(n_outputs, n))
    R = np.eye(n) + 0.3 * rng.normal(size=(n, n))
    y, delta = rng.normal(size=(B, n)) + 0.5, rng.normal(size=(B, n_outputs))
    x = y @ R.T
    return Case(W, R, y, delta, off(second_moment(x)), delta.T @ x / B)


def moved(case, rule, form, eta_W, eta_R):
    """How far one training step moves M = W R; by the same code that trains networks."""
    layer = Layer(case.W.copy(), ACTIVATIONS["linear"], rule, form, get_backend("numpy"))
    layer.R = case.R
    x, a, _ = layer.forward(case.y)
    step_layer(layer, x, a, case.delta, eta_W, eta_R)
    return layer.folded() - case.W @ case.R


@given(cases(), st.floats(1e-6, 1))
def test_the_first_order_of_the_motion_of_R_cancels(case, eta):
    """The motion of M, exactly, whatever the step size."""
    W, R, _, _, off_C, G = case
    expected = eta * G @ R - eta**2 * (G + W @ off_C) @ off_C @ R
    assert_near(moved(case, CopiStep(), "matrix", eta, eta), expected, size=1e3)


@given(cases())
def test_a_learning_is_gradient_descent_preconditioned(case):
    """The first order is <delta y^T> R^T R: what is left of it falls with eta^2, four times for half the step."""
    gradient = case.delta.T @ case.y / len(case.y)

    def residual(eta):
        return np.linalg.norm(moved(case, CopiStep(), "matrix", eta, eta) - eta * gradient @ case.R.T @ case.R)

    assert residual(ETA) / residual(ETA / 2) == pytest.approx(4, rel=1e-3)


@pytest.mark.parametrize("kind", ["sgd", "local", "unequal"])
@given(case=cases())
def test_c_elsewhere_a_first_order_is_left_over(kind, case):
    """The residual divided by eta tends to the term that does not cancel; the first difference of order eta."""
    W, R, _, _, off_C, G = case
    rule, form, ratio, left_over = {
        "sgd": (SgdStep(), "matrix", 1.0, -W @ off_C @ R),
        "local": (CopiStep(), "local", 1.0, W @ (off_C @ R - R @ off_C)),
        "unequal": (CopiStep(), "matrix", 0.25, 0.75 * W @ off_C @ R),
    }[kind]

    def residual(eta):
        return (moved(case, rule, form, eta, ratio * eta) - eta * G @ R) / eta

    # what is of second order is taken out by extrapolating to eta = 0: exact, since the motion is quadratic in eta
    assert_near(2 * residual(ETA / 2) - residual(ETA), left_over, size=1e3, ulps=1e4)
    assert np.linalg.norm(left_over) > 0


def drift(rule, form, eta, time=1.0):
    """||M - W|| / ||W|| after a fixed time of decorrelation without an error signal, and how far R went."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(20, 4)) @ rng.normal(size=(4, 4)) / 2
    W = rng.normal(size=(3, 4))
    layer = Layer(W.copy(), ACTIVATIONS["linear"], rule, form, get_backend("numpy"))
    for _ in range(round(time / eta)):
        x, a, _ = layer.forward(y)
        step_layer(layer, x, a, np.zeros_like(a), eta, eta)
    return np.linalg.norm(layer.folded() - W) / np.linalg.norm(W), np.linalg.norm(layer.R - np.eye(4))


def test_b_decorrelating_leaves_the_function_of_the_layer():
    """The drift of M falls with eta, while R goes as far: nothing is left of it at eta = 0."""
    (coarse, _), (fine, way) = drift(CopiStep(), "matrix", 1e-3), drift(CopiStep(), "matrix", 5e-4)
    assert coarse / fine == pytest.approx(2, rel=0.01)
    assert fine < 1e-3
    assert way > 0.5


@pytest.mark.parametrize(("rule", "form", "least"), [(SgdStep(), "matrix", 0.3), (CopiStep(), "local", 0.01)])
def test_c_elsewhere_decorrelating_changes_the_function(rule, form, least):
    """The same way of R, and a drift that a smaller step does not cure."""
    (coarse, _), (fine, way) = drift(rule, form, 1e-3), drift(rule, form, 5e-4)
    assert coarse / fine == pytest.approx(1, rel=0.01)
    assert fine > least
    assert way > 0.5
