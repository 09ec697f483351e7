"""Theorem 14. The normalised rule dR = -off(C) (D + damping)^-1 R decorrelates at the same rate whatever the units are.

Without damping, (a) it does not depend on the units of the inputs, each of which may have its own: for any diagonal S,
x -> S x and R -> S R turn dR into S dR. (b) The Hadamard defect falls at dH/dt = -2 sum_{i != j} rho_ij^2, where rho
are the correlations. (c) Near rest every covariance shrinks by the same factor 1 - 2 eta in a step. With any damping,
(d) log|det R| is conserved to first order, and (e) COPI's cancellation (Theorem 2) holds exactly to first order if the
forward rule has the same damping: dW R + W dR = <delta x^T> (D + damping)^-1 R. With another one it does not hold.
(f) In general dR = -A R needs dW = <delta x^T> + W A. Beside the kappa rule that is `kappa_update`, and not COPI's own.

Proof. (a) S off(C) S (S D S)^-1 S R = S off(C) D^-1 R. (b) dC/dt = -(off(C) D^-1 C + C D^-1 off(C)), so that
dC_ii/dt = -2 sum_{j != i} C_ij^2 / C_jj, and log det C stays by (d); divide by C_ii and add up. (c) To first order in
off(C), the off-diagonal entries of dC/dt are -2 C_ij. (d) tr(off(C) (D + damping)^-1) = 0. (e) a = W x, so that
<z x^T> - W D = <delta x^T> + W off(C), and W off(C) (D + damping)^-1 R is what dR takes away. (f) likewise.
                                                                                        Not in the paper; from Eq. 2.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near, off, second_moment
from strategies import SEEDS, batch_of, correlated_batches, forward_passes, lateral_passes

from copi_np.family import (
    kappa_decorrelation_update,
    kappa_update,
    normalised_decorrelation_update,
    normalised_update,
)
from copi_np.rules import copi_update, decorrelation_update

DAMPINGS = st.sampled_from([1e-3, 1e-2, 0.3, 10.0])
PASSES = lateral_passes(dtypes=st.just("float64"))


@st.composite
def layers(draw):
    """W, x, a = W x, delta and R of a layer, with entries of order 1."""
    rng = np.random.default_rng(draw(SEEDS))
    n, n_outputs, B = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 6))
    W, x = rng.normal(size=(n_outputs, n)), rng.normal(size=(B, n)) + 0.5
    return W, x, x @ W.T, rng.normal(size=(B, n_outputs)), rng.normal(size=(n, n))


@given(PASSES, DAMPINGS)
def test_the_rules_are_their_equations(passes, damping):
    R, x = passes
    C = second_moment(x)
    scale = np.diag(1 / (np.diag(C) + damping))
    size = len(R) * np.max(np.abs(R)) * (1 + np.max(x**2) / damping)
    assert_near(normalised_decorrelation_update(R, x, damping), -off(C) @ scale @ R, size)


@given(forward_passes(st.just(np.float64)), DAMPINGS)
def test_the_forward_rule_is_copi_in_units_of_the_mean_squares(forward, damping):
    W, x, a, delta = forward
    expected = copi_update(W, x, a + delta) @ np.diag(1 / (np.mean(x**2, axis=0) + damping))
    size = np.max(np.abs(x)) * (np.max(np.abs(a) + np.abs(delta)) + np.max(np.abs(W)) * np.max(np.abs(x))) / damping
    assert_near(normalised_update(W, x, a + delta, damping), expected, size)


def test_an_input_that_is_always_zero_does_no_harm():
    x = np.array([[1.0, 0.0], [2.0, 0.0]])
    np.testing.assert_array_equal(normalised_decorrelation_update(np.eye(2), x), np.zeros((2, 2)))
    np.testing.assert_array_equal(normalised_update(np.ones((1, 2)), x, np.ones((2, 1)))[:, 1], 0)


@given(x=correlated_batches(), seed=SEEDS)
def test_a_units_of_the_inputs_do_not_matter(x, seed):
    rng = np.random.default_rng(seed)
    R, S = rng.normal(size=(x.shape[1],) * 2), np.exp(rng.normal(size=x.shape[1]))
    plain = normalised_decorrelation_update(R, x, 0.0)
    scaled = normalised_decorrelation_update(S[:, None] * R, x * S, 0.0)
    assert_near(scaled, S[:, None] * plain, size=1e4 * S.max() * np.abs(R).max())


def hadamard_defect(C):
    return np.sum(np.log(np.diag(C))) - np.linalg.slogdet(C)[1]


@given(correlated_batches())
def test_b_the_defect_falls_by_the_squared_correlations(x):
    """The derivative along the update at R = I, as a central difference."""
    n = x.shape[1]
    dR = normalised_decorrelation_update(np.eye(n), x, 0.0)
    step = 1e-4 / (1 + np.abs(dR).max())
    after, before = (hadamard_defect(second_moment(x @ (np.eye(n) + sign * step * dR).T)) for sign in (1, -1))
    C = second_moment(x)
    correlations = off(C / np.sqrt(np.outer(np.diag(C), np.diag(C))))
    assert (after - before) / (2 * step) == pytest.approx(-2 * np.sum(correlations**2), rel=1e-4, abs=1e-5)


@given(SEEDS, st.integers(2, 5), st.sampled_from([0.01, 0.1, 0.3]))
def test_c_near_rest_all_covariances_shrink_alike(seed, n, eta):
    """Variances over five orders of magnitude; the factor of Eq. 4 would be 1 - eta (D_i + D_j)."""
    rng = np.random.default_rng(seed)
    deviations = 10 ** rng.uniform(-2, 0.5, size=n)
    E = rng.uniform(-1, 1, size=(n, n))
    x = batch_of((np.eye(n) + 1e-6 * off(E + E.T)) * np.outer(deviations, deviations))
    R = np.eye(n) + eta * normalised_decorrelation_update(np.eye(n), x, 0.0)
    before, after = off(second_moment(x)), off(second_moment(x @ R.T))
    np.testing.assert_allclose(after, (1 - 2 * eta) * before, atol=1e-4 * 1e-6 * np.outer(deviations, deviations).max())
    others = ~np.eye(n, dtype=bool)
    scale = np.outer(deviations, deviations)[others]
    np.testing.assert_allclose(after[others] / scale, (1 - 2 * eta) * before[others] / scale, atol=1e-10)


@given(PASSES, DAMPINGS)
def test_d_the_volume_is_conserved_to_first_order(passes, damping):
    """The trace of the update at R = I, which is the derivative of log|det R|, is 0 to rounding."""
    x = passes[1]
    n = x.shape[1]
    dR = normalised_decorrelation_update(np.eye(n), x, damping)
    assert_near(np.trace(dR), 0.0, size=n * (1 + np.max(x**2) / damping))


@given(layers(), DAMPINGS)
def test_e_the_motion_of_R_cancels_with_the_same_damping(layer, damping):
    W, x, a, delta, R = layer
    dR, dW = normalised_decorrelation_update(R, x, damping), normalised_update(W, x, a + delta, damping)
    scale = np.diag(1 / (np.mean(x**2, axis=0) + damping))
    assert_near(dW @ R + W @ dR, delta.T @ x / len(x) @ scale @ R, size=1e4 / damping)


def test_e_with_another_damping_it_does_not():
    rng = np.random.default_rng(0)
    W, x, R = rng.normal(size=(2, 3)), rng.normal(size=(6, 3)) + 0.5, rng.normal(size=(3, 3))
    dR = normalised_decorrelation_update(R, x, 0.01)
    same, other = (normalised_update(W, x, x @ W.T, damping) @ R + W @ dR for damping in (0.01, 0.3))
    assert np.abs(same).max() < 1e-12
    assert np.abs(other).max() > 0.1


@given(layers(), st.floats(0, 1))
def test_f_each_decorrelation_rule_has_its_partner(layer, kappa):
    W, x, a, delta, R = layer
    gradient = delta.T @ x / len(x) @ R
    dR = kappa_decorrelation_update(R, x, kappa)
    assert_near(kappa_update(W, x, a, delta, kappa) @ R + W @ dR, gradient, size=1e4)
    C = second_moment(x)
    A = (1 - kappa) * off(C) + kappa * (np.diag(np.diag(C)) - np.eye(len(C)))
    assert_near((delta.T @ x / len(x) + W @ A) @ R + W @ (-A @ R), gradient, size=1e4)
    assert_near(copi_update(W, x, a + delta) @ R + W @ decorrelation_update(R, x), gradient, size=1e4)


def test_f_copi_beside_the_kappa_rule_does_not_cancel():
    rng = np.random.default_rng(0)
    W, x, R = rng.normal(size=(2, 3)), rng.normal(size=(6, 3)) + 0.5, rng.normal(size=(3, 3))
    moved = copi_update(W, x, x @ W.T) @ R + W @ kappa_decorrelation_update(R, x, 0.5)
    assert np.abs(moved).max() > 0.1
