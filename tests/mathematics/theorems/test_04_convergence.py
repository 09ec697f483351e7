"""Theorem 4. Decorrelation converges (matrix form): variances fall, log|det R| is conserved, the Hadamard defect falls.

Sigma is fixed and invertible; "variances" are the C_ii, not centred. With A = off(C), rows a_i, and l the largest
eigenvalue of C, one step is R' = (I - eta A) R and C' = (I - eta A) C (I - eta A). |A|_F is the Frobenius norm, |A|_2
the spectral one, at most l. Proofs follow each statement:

(a) No variance rises in a step with eta <= 2 / l: C'_ii = C_ii - 2 eta |a_i|^2 + eta^2 a_i^T C a_i, and
    a_i^T C a_i <= l |a_i|^2.
(b) The flow, eta -> 0, conserves log|det R|, since tr A = 0. A step changes it by log det(I - eta A): as long as
    eta |A|_2 <= 1/2, between -0.8 eta^2 |A|_F^2 and 0, from -t - 0.8 t^2 <= log(1 - t) <= -t. In a fixed time
    eta * steps it drifts by O(eta) only.
(c) The Hadamard defect H(C) = sum_i log C_ii - log det C is at least 0, and 0 only where C is diagonal (Hadamard's
    inequality). Along the flow, dH/dt = -2 sum_i |a_i|^2 / C_ii by (a) and (b). A step with eta <= 1 / (2 l) lowers it
    by at least 0.7 eta |A|_F^2 / l: the logarithms of the variances fall by at least (2 eta - eta^2 l) |a_i|^2 / C_ii,
    which is 1.5 eta |a_i|^2 / l or more, and by (b) -2 log det(I - eta A) <= 1.6 eta^2 |A|_F^2 <= 0.8 eta |A|_F^2 / l.
(d) So off(C) -> 0 for any fixed eta <= 1 / (2 tr Sigma): l <= tr C, which never rises, by (a); and H is bounded from
    below, so its decreases have a finite sum.

For the local form, dR = -R A, (b) holds unchanged. (a) does not: variances may rise. Its defect fell in all of 300
trials (docs/theory.md), which is a measurement, not a theorem.                                           Section 2.4.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near, off, second_moment
from strategies import SEEDS, batch_of, correlated_batches, spd_matrices

from copi_np.analysis import decorrelation_path
from copi_np.rules import decorrelate, decorrelation_update, local_decorrelation_update
from copi_np.whitening import hadamard_defect

SEVERAL = st.integers(2, 5)


def path_of_C(sigma, eta, n_steps, update=decorrelation_update):
    """Return C = R Sigma R^T along the path of R."""
    return np.array([R @ sigma @ R.T for R in decorrelation_path(batch_of(sigma), eta, n_steps, update)])


def largest_eigenvalue(sigma):
    return np.linalg.eigvalsh(sigma)[-1]


@given(correlated_batches(SEVERAL), SEEDS, st.floats(0, 1))
def test_a_how_one_step_changes_the_variances(y, seed, eta):
    """C'_ii = C_ii - 2 eta |a_i|^2 + eta^2 a_i^T C a_i, from any R."""
    n = y.shape[1]
    R = np.eye(n) + 0.3 * np.random.default_rng(seed).normal(size=(n, n))
    x = decorrelate(R, y)
    after = decorrelate(R + eta * decorrelation_update(R, x), y)
    C = second_moment(x)
    A = off(C)
    expected = [C[i, i] - 2 * eta * A[i] @ A[i] + eta**2 * A[i] @ C @ A[i] for i in range(n)]
    assert_near(np.diag(second_moment(after)), expected, size=(1 + np.max(np.abs(C))) ** 3)


@given(spd_matrices(SEVERAL), st.floats(0.01, 1))
def test_a_every_variance_is_non_increasing(sigma, share):
    """For steps up to the bound 2 / l, which is recomputed at every step."""
    y, R = batch_of(sigma), np.eye(len(sigma))
    C = sigma
    for _ in range(30):
        R = R + share * 2 / largest_eigenvalue(C) * decorrelation_update(R, decorrelate(R, y))
        C, before = R @ sigma @ R.T, C
        assert np.all(np.diag(C) <= np.diag(before) + 1e-12 * np.trace(sigma))
    lost = (np.trace(sigma) - np.trace(C)) * largest_eigenvalue(sigma)
    # the first step alone lowers them this much
    assert lost >= 4 * share * (1 - share) * np.sum(off(sigma) ** 2) - 1e-12 * np.trace(sigma) ** 2


def test_a_beyond_the_bound_a_variance_rises():
    """The bound is sharp if a row of off(C) lies along the first axis of C: here to one percent."""
    sigma = np.array([[0.01, 0.01], [0.01, 1.0]])  # row 0 of off(C) picks the large variance, l = 1.0001
    variances = [path_of_C(sigma, eta, 1)[1, 0, 0] - 0.01 for eta in (1.99, 2.01)]
    assert variances[0] < 0 < variances[1]


def log_volume(sigma, eta, time=2.0, update=decorrelation_update):
    """Return log|det R| after a fixed time."""
    *_, R = decorrelation_path(batch_of(sigma), eta, round(time / eta), update)
    return np.linalg.slogdet(R)[1]


@pytest.mark.parametrize("update", [decorrelation_update, local_decorrelation_update])
@given(sigma=spd_matrices(SEVERAL, (0.3, 3.0)), eta=st.floats(0, 0.1))
def test_b_log_det_R_moves_at_second_order_and_downwards(update, sigma, eta):
    """0 >= log|det R'| - log|det R| >= -0.8 eta^2 |A|_F^2 in two steps; sigma and eta ensure eta |A|_2 <= 1/2."""
    path = list(decorrelation_path(batch_of(sigma), eta, 2, update))
    for R, after in pairwise(path):
        change = np.linalg.slogdet(after)[1] - np.linalg.slogdet(R)[1]
        second_order = eta**2 * np.sum(off(R @ sigma @ R.T) ** 2)
        assert -0.8 * second_order - 1e-12 <= change <= -0.3 * second_order + 1e-12


@pytest.mark.parametrize("update", [decorrelation_update, local_decorrelation_update])
@pytest.mark.parametrize("seed", range(5))
def test_b_log_det_R_is_conserved_as_eta_tends_to_zero(update, seed):
    """The drift in a fixed time halves with the step size."""
    A = np.random.default_rng(seed).normal(size=(4, 6))
    sigma = A @ A.T / 6
    coarse, fine = log_volume(sigma, 2e-3, update=update), log_volume(sigma, 1e-3, update=update)
    assert fine < 0
    assert coarse / fine == pytest.approx(2, rel=0.02)


@given(spd_matrices(SEVERAL), st.floats(0.01, 1))
def test_c_the_hadamard_defect_falls(sigma, share):
    """By at least 0.7 eta |A|_F^2 / l, for steps up to the bound 1 / (2 l)."""
    y, R = batch_of(sigma), np.eye(len(sigma))
    C = sigma
    for _ in range(30):
        eta = share * 0.5 / largest_eigenvalue(C)
        R = R + eta * decorrelation_update(R, decorrelate(R, y))
        C, before = R @ sigma @ R.T, C
        least = 0.7 * eta * np.sum(off(before) ** 2) / largest_eigenvalue(before)
        assert -1e-12 <= hadamard_defect(C) <= hadamard_defect(before) - least + 1e-11


@given(spd_matrices(SEVERAL), SEEDS)
def test_c_its_rate_of_fall(sigma, seed):
    """dH/dt = -2 sum_i |a_i|^2 / C_ii, by central differences along the update, from any R."""
    n, y, h = len(sigma), batch_of(sigma), 1e-6 / np.trace(sigma)
    R = np.eye(n) + 0.1 * np.random.default_rng(seed).uniform(-1, 1, size=(n, n)) / n
    dR = decorrelation_update(R, decorrelate(R, y))
    there, back = (hadamard_defect(M @ sigma @ M.T) for M in (R + h * dR, R - h * dR))
    slope = (there - back) / (2 * h)
    C = R @ sigma @ R.T
    expected = -2 * sum(off(C)[i] @ off(C)[i] / C[i, i] for i in range(n))
    assert slope == pytest.approx(expected, rel=1e-4, abs=1e-6 * np.trace(sigma))


@pytest.mark.parametrize("update", [decorrelation_update, local_decorrelation_update])
@given(sigma=spd_matrices(SEVERAL, (0.5, 2.0)))
def test_d_both_forms_decorrelate(update, sigma):
    """From the identity to a defect of zero; for the local form this is measured, not proved."""
    path = path_of_C(sigma, 0.1, 400, update)
    assert hadamard_defect(path[-1]) < 1e-6
    assert np.max(np.abs(off(path[-1]))) < 1e-3


def test_a_does_not_hold_for_the_local_form():
    """For most random matrices some variance rises on the way, which never happens with the matrix form."""
    rises = {decorrelation_update: 0, local_decorrelation_update: 0}
    for seed in range(20):
        A = np.random.default_rng(seed).normal(size=(5, 7))
        sigma = A @ A.T / 7
        for update in rises:
            variances = np.diagonal(path_of_C(sigma, 0.1 / np.trace(sigma), 500, update), axis1=1, axis2=2)
            rises[update] += bool(np.any(np.diff(variances, axis=0) > 1e-9))
    assert rises[decorrelation_update] == 0
    assert rises[local_decorrelation_update] >= 10
