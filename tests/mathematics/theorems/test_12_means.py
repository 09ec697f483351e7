"""Theorem 12. Decorrelated inputs have small means, although nothing subtracts them:

    sum_i <x_i>^2 / <x_i^2> <= 1        on any batch whose (uncentred) second moments are diagonal.

Proof. As vectors over the samples, x_i / sqrt(B <x_i^2>) are orthonormal, and <x_i> / sqrt(<x_i^2>) are the components
of the constant unit vector along them: Bessel's inequality.

So (a) for n inputs, the mean accounts for at most 1 / n of the mean square, on average; and (b) with equality if the
constant lies in their span: the mean does not vanish. (c) There is no such bound for raw inputs.
The paper, in its discussion of batch normalisation, calls demeaning an outcome of decorrelation.            Section 4.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from strategies import SEEDS, decorrelated_batches, orthonormal_columns

from copi_np.analysis import decorrelation_path
from copi_np.rules import decorrelate


def mean_shares(x):
    """Return <x_i>^2 / <x_i^2> for every input."""
    return np.mean(x, axis=0) ** 2 / np.mean(x**2, axis=0)


@given(decorrelated_batches())
def test_a_the_shares_of_the_mean_add_up_to_at_most_one(x):
    """Bessel's inequality: one input may be constant, but not many."""
    assert np.sum(mean_shares(x)) <= 1 + 1e-12


@given(st.integers(1, 6), SEEDS)
def test_b_with_equality_if_the_constant_is_in_the_span(n, seed):
    """As many orthogonal inputs as samples span the whole space."""
    rng = np.random.default_rng(seed)
    x = orthonormal_columns(rng, n, n) * rng.uniform(0.5, 2, n)
    assert abs(np.sum(mean_shares(x)) - 1) <= 1e-12


@given(SEEDS)
def test_c_learning_R_removes_the_mean_of_positive_inputs(seed):
    """Five inputs whose means account for over half of their mean squares, before and after decorrelation."""
    y = np.random.default_rng(seed).uniform(0, 1, size=(30, 5))
    *_, R = decorrelation_path(y, 0.5, 300)
    assert np.sum(mean_shares(y)) > 2.5
    assert np.sum(mean_shares(decorrelate(R, y))) <= 1 + 1e-6
