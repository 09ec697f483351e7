"""Theorem 3. R does not stay symmetric, with listed exceptions. (Corrects the paper, Section 2.4, above Eq. 4.)

Proof. Each step multiplies by a symmetric matrix, R_t = (I - eta off(C_{t-1})) ... (I - eta off(C_0)) R_0. From
R_0 = I, (a) R is symmetric after the first step, and (b) it stays so where the factors commute. They do

    - for two inputs: off(C) is a multiple of [[0, 1], [1, 0]], on any sequence of batches;
    - where Sigma is the same at every step and every polynomial in it has a constant diagonal, as for circulant
      matrices (each row is the one above, shifted by one) and exchangeable ones (one variance, one covariance): by
      induction R and C = R Sigma R^T are polynomials in Sigma, and so is off(C) = C - c I;
    - for full whitening with the same Sigma at every step, dR = -(C - I) R: C - I is a polynomial in Sigma; if Sigma is
      invertible and eta small, R converges to Sigma^(-1/2), which is ZCA;

and for direct sums of these. (c) In general they do not: a matrix of integers below shows it without rounding. The
asymmetry does not vanish as eta -> 0, since the flow dR/dt = -off(C) R itself is not symmetric. So (d) the two lines of
Eq. 4 are different updates: -off(C) R and -R off(C) are transposes of each other at R and R^T, equal where R and off(C)
commute.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near, off, second_moment
from strategies import SEEDS, batch_of, batches, lateral_passes, size_of, spd_matrices

from copi_np.analysis import decorrelation_path
from copi_np.rules import decorrelate, decorrelation_update, local_decorrelation_update
from copi_np.whitening import asymmetry, zca

MODERATE = (0.3, 3.0)
"""Range of eigenvalues for which a few hundred steps decorrelate."""


@given(batches(n_samples=st.integers(1, 5)), st.floats(0, 1))
def test_a_the_first_step_is_symmetric(y, eta):
    """R_1 = I - eta off(C_0), for any batch."""
    *_, R = decorrelation_path(y, eta, 1)
    assert_near(R, R.T, size_of(y, y))


@given(SEEDS, st.floats(0, 0.3))
def test_b_two_inputs_keep_R_symmetric(seed, eta):
    """A new random batch at every step."""
    rng = np.random.default_rng(seed)
    R = np.eye(2)
    for _ in range(50):
        y = rng.uniform(-1, 1, size=(3, 2))
        R = R + eta * decorrelation_update(R, decorrelate(R, y))
    assert abs(R[0, 1]) + abs(R[1, 0]) > 0 or eta < 1e-3
    assert_near(R, R.T, np.max(np.abs(R)), ulps=1e4)


@st.composite
def circulant_matrices(draw):
    """Positive definite; every row is the one above shifted by one, so all powers have a constant diagonal."""
    n = draw(st.integers(3, 6))
    half = np.random.default_rng(draw(SEEDS)).uniform(-1, 1, n // 2) / n
    row = np.zeros(n)
    for shift, value in enumerate(half, start=1):
        row[shift] = row[-shift] = value
    row[0] = 1.2
    return np.array([np.roll(row, k) for k in range(n)])


@st.composite
def exchangeable_matrices(draw):
    """Positive definite, one variance and one covariance."""
    n = draw(st.integers(3, 6))
    c = draw(st.floats(-0.8 / (n - 1), 0.8))
    return (1 - c) * np.eye(n) + c


@given(circulant_matrices() | exchangeable_matrices())
def test_b_equal_diagonals_keep_R_symmetric(sigma):
    """All the way to decorrelated inputs, where R is proportional to ZCA."""
    *_, R = decorrelation_path(batch_of(sigma), 0.2, 300)
    C = R @ sigma @ R.T
    assert np.max(np.abs(off(C))) < 1e-6
    assert_near(R, R.T, ulps=1e4)
    assert_near(R / np.sqrt(C[0, 0]), zca(sigma), ulps=1e11)  # off(C) is not quite 0 yet


@given(spd_matrices(st.integers(2, 6), MODERATE))
def test_b_full_whitening_keeps_R_symmetric_and_converges_to_zca(sigma):
    """dR = -(C - I) R: the package's rule, and the term that it leaves out, -(diag(C) - I) R."""

    def whitening_update(R, x):
        return decorrelation_update(R, x) - (np.diag(second_moment(x)) - 1)[:, None] * R

    *_, R = decorrelation_path(batch_of(sigma), 0.1, 400, whitening_update)
    assert_near(R, R.T, ulps=1e5)
    assert_near(R, zca(sigma), ulps=1e7)


def exact_steps(sigma, eta, n_steps):
    """Return R after `n_steps`, in fractions."""
    n = len(sigma)
    R = np.array([[Fraction(int(i == j)) for j in range(n)] for i in range(n)])
    for _ in range(n_steps):
        C = R @ sigma @ R.T
        R = R - eta * (C - np.diag(np.diag(C))) @ R
    return R


WHOLE = np.array([[2, 1, 0], [1, 3, 1], [0, 1, 5]])


def test_c_two_exact_steps_break_the_symmetry():
    """R_2 - R_2^T in fractions, without rounding; and the package computes the same R_2."""
    eta = Fraction(1, 10)
    exact = exact_steps(WHOLE + Fraction(0), eta, 2)
    gap = exact - exact.T
    assert gap[0, 2] == Fraction(3, 1000)
    *_, R = decorrelation_path(batch_of(WHOLE), 0.1, 2)
    assert_near(R, exact.astype(float))


def settled_asymmetry(sigma, eta):
    """Return the asymmetry of R once the inputs are decorrelated to one part in a million."""
    for R in decorrelation_path(batch_of(sigma), eta, 20_000):
        C = R @ sigma @ R.T
        if np.linalg.norm(off(C)) < 1e-6 * np.trace(C):
            return asymmetry(R)
    raise AssertionError("not decorrelated yet")


@pytest.mark.parametrize("seed", range(10))
def test_c_the_asymmetry_does_not_vanish_with_the_step_size(seed):
    """Halving the step changes the final asymmetry by less than a tenth: the step size is not its cause."""
    rng = np.random.default_rng(seed)
    n = 3 + seed % 4
    A = rng.normal(size=(n, n + 2))
    sigma = A @ A.T / (n + 2)
    eta = 0.1 / np.trace(sigma)
    coarse, fine = settled_asymmetry(sigma, eta), settled_asymmetry(sigma, eta / 2)
    assert fine == pytest.approx(coarse, rel=0.1)
    assert fine > 1e-3


@given(lateral_passes())
def test_d_the_forms_of_decorrelation_are_transposes(lateral):
    """-R off(C) at R is the transpose of -off(C) R at R^T."""
    R, x = lateral
    assert_near(local_decorrelation_update(R, x), decorrelation_update(R.T, x).T, size_of(R, x, x), ulps=200)


@given(batches())
def test_d_they_agree_at_the_identity(x):
    """Both are -off(C): the first step is the same."""
    R = np.eye(x.shape[1], dtype=x.dtype)
    expected = -off(second_moment(x))
    assert_near(decorrelation_update(R, x), expected, size_of(x, x))
    assert_near(local_decorrelation_update(R, x), expected, size_of(x, x))


def test_d_a_symmetric_R_does_not_make_them_equal():
    """R = diag(1, 2) is symmetric, but does not commute with off(C)."""
    R, x = np.diag([1.0, 2.0]), np.array([[1.0, 1.0]])
    np.testing.assert_array_equal(decorrelation_update(R, x), [[0, -2], [-1, 0]])
    np.testing.assert_array_equal(local_decorrelation_update(R, x), [[0, -1], [-2, 0]])
