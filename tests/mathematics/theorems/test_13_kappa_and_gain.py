"""Theorem 13. Between decorrelating and whitening: where the kappa rule and the gain-controlled rule rest.

(a) For 0 < kappa < 1 and an invertible R, the update -((1 - kappa) off(C) + kappa (D - I)) R is 0 where C = I and
nowhere else. kappa = 0 is Eq. 4 and rests wherever C is diagonal; kappa = 1 rests wherever all mean squares are 1.
(b) log|det R| is not conserved, as Theorem 4 has it for kappa = 0: it moves by -kappa (tr D - n), to first order.
(c) R <- g R - eta (g R) C with g^2 = <|y|^2> / <|x|^2> rests where C = c I and g (1 - eta c) = 1, that is, where
c = (tr Sigma / n) (1 - eta c)^2. (d) From R = I and for a fixed Sigma, R stays a polynomial in Sigma, so symmetric.

Proof. (a) R is invertible, so the update is 0 where the bracket is; its entries are (1 - kappa) C_ij off the diagonal
and kappa (C_ii - 1) on it. (b) d log|det R| = tr(R^-1 dR) = -tr A, and tr off(C) = 0. (c) At rest (g - 1) R is
eta g R C; multiply by R^-1: C = (g - 1) / (eta g) I. With C = c I, <|x|^2> = n c, so that g^2 = tr Sigma / (n c). (d)
If R is a polynomial in Sigma, so is C = R Sigma R^T, and with it the next R.
                                                                     Not in the paper; arXiv 2405.02385 and 2407.10780.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near, off, second_moment
from strategies import batch_of, lateral_passes, spd_matrices

from copi_np.family import gain_controlled_update, kappa_decorrelation_update
from copi_np.rules import decorrelation_update

SHARES = st.floats(0.05, 0.95)


def rested(update, y, eta, n_steps):
    """Return R after so many steps from the identity, all on the batch y."""
    R = np.eye(y.shape[1])
    for _ in range(n_steps):
        R = R + eta * update(R, y @ R.T)
    return R


@given(lateral_passes(dtypes=st.just("float64")), st.floats(0, 1))
def test_the_kappa_rule_is_its_equation(passes, kappa):
    R, x = passes
    C = second_moment(x)
    A = (1 - kappa) * off(C) + kappa * (np.diag(np.diag(C)) - np.eye(len(C)))
    size = len(R) * np.max(np.abs(R)) * (1 + np.max(x**2))
    assert_near(kappa_decorrelation_update(R, x, kappa), -A @ R, size)
    assert_near(kappa_decorrelation_update(R, x, 0.0), decorrelation_update(R, x), size)
    assert_near(kappa_decorrelation_update(R, x, 0.5), -(C - np.eye(len(C))) @ R / 2, size)


@given(sigma=spd_matrices(spectrum=(0.3, 3)), kappa=st.floats(0.2, 0.8))
def test_a_it_whitens_whatever_kappa_is(sigma, kappa):
    y = batch_of(sigma)
    R = rested(partial(kappa_decorrelation_update, kappa=kappa), y, 0.1, 600)
    np.testing.assert_allclose(second_moment(y @ R.T), np.eye(len(sigma)), atol=1e-6)


@given(sigma=spd_matrices(spectrum=(0.3, 3)), kappa=SHARES)
def test_a_it_rests_nowhere_else(sigma, kappa):
    """The update at R = I is as large as the distance of C = Sigma from I, up to the factors kappa and 1 - kappa."""
    update = kappa_decorrelation_update(np.eye(len(sigma)), batch_of(sigma), kappa)
    assert np.abs(update).max() >= 0.99 * min(kappa, 1 - kappa) * np.abs(sigma - np.eye(len(sigma))).max() - 1e-12


@given(sigma=spd_matrices(spectrum=(0.3, 3)))
def test_a_kappa_1_leaves_correlations(sigma):
    y = batch_of(sigma)
    C = second_moment(y @ rested(partial(kappa_decorrelation_update, kappa=1.0), y, 0.1, 600).T)
    D = np.diag(sigma)
    np.testing.assert_allclose(C, sigma / np.sqrt(np.outer(D, D)), atol=1e-6)


@given(lateral_passes(dtypes=st.just("float64")), SHARES)
def test_b_the_volume_moves_with_the_mean_squares(passes, kappa):
    """log|det(R + eta dR)| - log|det R| = log|det(I - eta A)|, so any R will do."""
    x = passes[1]
    n, eta = x.shape[1], 1e-6 / (1 + np.max(x**2))
    moved = np.eye(n) + eta * kappa_decorrelation_update(np.eye(n), x, kappa)
    expected = -kappa * (np.sum(np.mean(x**2, axis=0)) - n)
    assert np.linalg.slogdet(moved)[1] / eta == pytest.approx(expected, rel=1e-4, abs=1e-4 * (1 + np.max(x**2)) * n)


def test_the_numbers_of_100_equally_correlated_features():
    """Variance 0.25, correlation 0.5, 300 steps of 0.01: mean variance and mean covariance, on exact moments.

    By symmetry C keeps two eigenvalues, and so R: along (1, .., 1), and across. The recursion below is that of two
    numbers.
    """
    n, eta = 100, 0.01
    sigma = 0.25 * (0.5 * np.ones((n, n)) + 0.5 * np.eye(n))
    y = batch_of(sigma)
    found, expected = {}, {}
    for kappa in (0.0, 0.1, 0.52, 1.0):
        C = second_moment(y @ rested(partial(kappa_decorrelation_update, kappa=kappa), y, eta, 300).T)
        found[kappa] = np.diag(C).mean(), np.abs(off(C)).sum() / (n * (n - 1))
        r = np.ones(2)
        of_sigma = np.array([0.125 * (n + 1), 0.125])
        for _ in range(300):
            c = r**2 * of_sigma
            variance = (c[0] + (n - 1) * c[1]) / n
            r = r * (1 - eta * ((1 - kappa) * (c - variance) + kappa * (variance - 1)))
        c = r**2 * of_sigma
        variance = (c[0] + (n - 1) * c[1]) / n
        expected[kappa] = variance, abs(c[0] - c[1]) / n
    for kappa, values in expected.items():
        np.testing.assert_allclose(found[kappa], values, rtol=1e-9)
    assert [round(float(variance), 3) for variance, _ in found.values()] == [0.131, 0.215, 0.767, 0.993]
    assert [round(float(covariance), 4) for _, covariance in found.values()] == [0.0011, 0.0014, 0.0032, 0.4965]


@given(sigma=spd_matrices(spectrum=(0.3, 3)), eta=st.sampled_from([0.02, 0.1, 0.2]))
def test_c_the_gain_controlled_rule_rests_at_equal_variances(sigma, eta):
    y = batch_of(sigma)
    R = np.eye(len(sigma))
    for _ in range(int(30 / eta)):
        R = R + eta * gain_controlled_update(R, y @ R.T, y, eta)
    C = second_moment(y @ R.T)
    c = np.trace(C) / len(C)
    np.testing.assert_allclose(C, c * np.eye(len(C)), atol=1e-6)
    assert c == pytest.approx(np.trace(sigma) / len(sigma) * (1 - eta * c) ** 2, rel=1e-6)


@given(sigma=spd_matrices(spectrum=(0.3, 3)), n_steps=st.integers(1, 30))
def test_d_the_gain_controlled_R_is_a_polynomial_in_sigma(sigma, n_steps):
    """It is symmetric, and has the eigenvectors of Sigma."""
    y = batch_of(sigma)
    R = np.eye(len(sigma))
    for _ in range(n_steps):
        R = R + 0.1 * gain_controlled_update(R, y @ R.T, y, 0.1)
    np.testing.assert_allclose(R, R.T, atol=1e-9)
    np.testing.assert_allclose(R @ sigma, sigma @ R, atol=1e-9)
