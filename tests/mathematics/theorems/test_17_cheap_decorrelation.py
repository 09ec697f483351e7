"""Theorem 17. Decorrelation from some samples of a batch, chosen at random, is unbiased.

(a) At a fixed R, the updates from k of the B samples have the update from all B as their mean over all choices of k
samples, in both forms of Eq. 4. (b) So, to first order in the step size, W R moves on average as if R had learned from
all samples, and COPI cancels the motion of R (Theorem 2) on average. (c) Updates that are not linear in C, such as the
normalised -off(C) diag(C)^-1 R, are biased. (d) On average R stretches space: Theorem 4 conserves det R to first order
only, and the noise adds to the second order. From k = 1, where off(x x^T) is largest, the mean of log|det R| falls.

Proof. (a) Every sample is in the same share k/B of all choices, so the mean of <x x^T> over the choices is C; both
forms, -off(C) R and -R off(C), are linear in it. (b) is (a) put into Theorem 2. (c) By the example in the test.
(d) log|det(I - eta A)| = -eta tr A - eta^2 tr(A^2)/2 + .. , where tr off(C) = 0 and, for A = off(C), tr(A^2) is the sum
of the squares of all covariances. Its mean over the choices is that of C plus the variance of the covariances, which
falls as k grows.                                                                       Not in the paper; Section 2.4.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near, off, second_moment
from strategies import lateral_passes

from copi_np.rules import copi_update, decorrelation_update, local_decorrelation_update

PASSES = lateral_passes(dtypes=st.just("float64"))


def choices(x, k):
    """Return all choices of k rows."""
    return [x[list(rows)] for rows in combinations(range(len(x)), k)]


def terms(R, x):
    """Return the size of the terms that an update is made of, to which rounding is relative."""
    return len(R) * np.max(np.abs(R)) * np.max(x**2)


@pytest.mark.parametrize("update", [decorrelation_update, local_decorrelation_update])
@given(passes=PASSES, data=st.data())
def test_a_the_mean_over_all_choices_is_the_update_from_all(update, passes, data):
    R, x = passes
    k = data.draw(st.integers(1, len(x)))
    updates = [update(R, rows) for rows in choices(x, k)]
    assert_near(np.mean(updates, axis=0), update(R, x), size=terms(R, x))


@given(passes=PASSES, data=st.data())
def test_b_copi_cancels_the_motion_of_R_on_average(passes, data):
    """Without an error, dW R + W dR is zero in the mean: W = I, so that a = x."""
    R, x = passes
    W = np.eye(len(R))
    k = data.draw(st.integers(1, max(1, len(x) - 1)))
    moves = [copi_update(W, x, x) @ R + decorrelation_update(R, rows) for rows in choices(x, k)]
    assert_near(np.mean(moves, axis=0), np.zeros_like(R), size=terms(R, x))


def test_c_a_normalised_update_is_biased():
    """Two samples, (1, 1) and (2, 0): from all, off(C) / C_11 = 0.5 / 2.5; from one of them, 1 and 0."""
    x = np.array([[1.0, 1.0], [2.0, 0.0]])

    def normalised(rows):
        C = second_moment(rows)
        return -off(C) / np.diag(C)[0]

    assert normalised(x)[0, 1] == pytest.approx(-0.2)
    assert np.mean([normalised(rows)[0, 1] for rows in choices(x, 1)]) == pytest.approx(-0.5)


@given(PASSES, st.data())
def test_d_the_determinant_shrinks_more_the_fewer_the_samples(passes, data):
    """Second order: -tr(A^2)/2 of A = off(C) has a mean over choices that only grows with k."""
    x = passes[1]
    k = data.draw(st.integers(1, max(1, len(x) - 1)))

    def drift(n):
        return np.mean([-0.5 * np.sum(off(second_moment(rows)) ** 2) for rows in choices(x, n)])

    few, more = drift(k), drift(min(k + 1, len(x)))
    assert few <= more + 1e-9 * np.max(np.abs(x), initial=1) ** 4


def test_d_log_det_R_falls_by_that_much():
    """One step from I on correlated Gaussian inputs; the third order in eta is below 1 % of the second."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 4)) @ rng.normal(size=(4, 4))
    R, eta = np.eye(4), 1e-4
    for k in (1, 3):
        drifts = [np.linalg.slogdet(R + eta * decorrelation_update(R, rows))[1] for rows in choices(x, k)]
        squares = [np.sum(off(second_moment(rows)) ** 2) for rows in choices(x, k)]
        assert np.mean(drifts) == pytest.approx(-0.5 * eta**2 * np.mean(squares), rel=0.01)
