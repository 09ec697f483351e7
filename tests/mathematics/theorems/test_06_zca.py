"""Theorem 6. Decorrelated features resemble ZCA features of the same index, but keep variances of their own.

Where decorrelation from R = I has settled, R Sigma R^T = D is diagonal, so Q = D^(-1/2) R Sigma^(1/2) is orthogonal.
With x = R y and ZCA features u = Sigma^(-1/2) y, neither of them centred,

(a) the correlation of x_i with u_i is Q_ii. Proof: <x_i u_i> = (R Sigma Sigma^(-1/2))_ii, <x_i^2> = D_ii, <u_i^2> = 1;
(b) it is 1 in the cases of Theorem 3 in which R is a polynomial in Sigma, if steps are small: Q is then symmetric,
    orthogonal and positive definite;
(c) for Sigma = D + eps E, E off-diagonal, Q_ij = eps E_ij (r_i - r_j) / ((r_i + r_j)(r_i^2 + r_j^2)) + O(eps^2), with
    r = sqrt(diag D): antisymmetric, so that 1 - Q_ii is half the sum of Q_ij^2 over j, of second order; and of higher
    order where the variances are equal.
    By Theorem 5, R_ij = -eps E_ij / (r_i^2 + r_j^2), the sum of the decaying covariances; and (Sigma^(1/2))_ij =
    eps E_ij / (r_i + r_j).

(d) Beyond that it is a measurement, on random matrices and on digits.                           Section 3.2, Figure 3A.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near, off
from strategies import SEEDS, batch_of, spd_matrices

from copi_np import load_dataset
from copi_np.analysis import decorrelation_path
from copi_np.datasets import as_float
from copi_np.rules import decorrelate, decorrelation_update
from copi_np.whitening import cholesky, feature_correlation, pca, second_moment, zca


def settled(sigma, eta, n_steps):
    """Return R after `n_steps`, R Sigma R^T, and Q = D^(-1/2) R Sigma^(1/2)."""
    *_, R = decorrelation_path(batch_of(sigma), eta, n_steps)
    C = R @ sigma @ R.T
    return R, C, (R @ np.linalg.inv(zca(sigma))) / np.sqrt(np.diag(C))[:, None]


MODERATE = spd_matrices(st.integers(2, 6), (0.3, 3.0))


@given(MODERATE)
def test_a_the_similarity_is_the_diagonal_of_a_rotation(sigma):
    """Q Q^T = I, and Q_ii is the correlation of the features of index i."""
    R, _, Q = settled(sigma, 0.1, 400)
    y = batch_of(sigma)
    np.testing.assert_allclose(Q @ Q.T, np.eye(len(Q)), rtol=0, atol=1e-9)
    assert_near(np.diag(Q), feature_correlation(decorrelate(R, y), decorrelate(zca(sigma), y)), ulps=1e4)


@given(st.integers(2, 6), st.floats(0, 0.8))
def test_b_it_is_one_for_exchangeable_inputs(n, c):
    """One variance, one covariance."""
    _, _, Q = settled((1 - c) * np.eye(n) + c, 0.2, 300)
    np.testing.assert_allclose(np.diag(Q), 1, rtol=0, atol=1e-9)


@given(SEEDS)
def test_c_the_rotation_to_first_order(seed):
    """Q_ij / eps for two small eps, extrapolated to 0; and the loss of similarity, half the sum of their squares."""
    rng = np.random.default_rng(seed)
    r = rng.uniform(0.7, 1.5, 4)
    E = off(rng.uniform(-1, 1, (4, 4)))
    E = E + E.T
    eps = 1e-3
    Q, half = (settled(np.diag(r**2) + size * E, 0.2, 200)[2] for size in (eps, eps / 2))
    total, difference = r[:, None] + r, r[:, None] - r
    expected = E * difference / (total * (r[:, None] ** 2 + r**2))
    np.testing.assert_allclose(off(4 * half - Q) / eps, expected, rtol=0, atol=1e-4)
    loss, loss_of_half = ((1 - np.diag(matrix)) / eps**2 for matrix in (Q, half))
    np.testing.assert_allclose(8 * loss_of_half - loss, np.sum(expected**2, axis=1) / 2, rtol=0, atol=1e-4)


@given(MODERATE)
def test_d_random_matrices(sigma):
    """With eigenvalues between 0.3 and 3, every feature correlates with its ZCA feature."""
    _, _, Q = settled(sigma, 0.1, 400)
    assert np.all(np.diag(Q) > 0.98)


def test_d_variances_are_not_normalised():
    """Unlike ZCA's: large variances stay large."""
    sigma = np.array([[4.0, 0.5], [0.5, 0.25]])
    _, C, _ = settled(sigma, 0.1, 1000)
    assert C[0, 0] > 3
    assert C[1, 1] < 0.25


@pytest.fixture(scope="module")
def digits():
    """The images of mnist-5k, without pixels that are (nearly) always zero."""
    images = as_float(load_dataset("mnist-5k").train.inputs, "float64")
    return images[:, np.mean(images**2, axis=0) > 1e-3]


def decorrelate_by_batches(y, eta, n_epochs):
    """Learn R as in training: in shuffled batches of 50."""
    rng = np.random.default_rng(0)
    R = np.eye(y.shape[1])
    for _ in range(n_epochs):
        for rows in np.split(rng.permutation(len(y)), len(y) // 50):
            R = R + eta * decorrelation_update(R, decorrelate(R, y[rows]))
    return R


def test_d_digits(digits):
    """After ten epochs every pixel correlates with its ZCA pixel, far more than raw, PCA or Cholesky features do."""
    sigma = second_moment(digits)
    u = decorrelate(zca(sigma, 1e-2), digits)
    similarity = feature_correlation(decorrelate(decorrelate_by_batches(digits, 1e-2, 10), digits), u)
    assert np.min(similarity) > 0.95
    assert np.median(similarity) > 0.98
    for other in (np.eye(len(sigma)), pca(sigma, 1e-2), cholesky(sigma, 1e-2)):
        assert np.median(feature_correlation(decorrelate(other, digits), u)) < 0.85
