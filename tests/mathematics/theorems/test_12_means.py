"""Theorem 12. Decorrelated inputs have little mean left, though nobody subtracts it:

    sum_i <x_i>^2 / <x_i^2> <= 1        on any batch whose (uncentred) second moments are diagonal.

Proof. As vectors over the samples, x_i / sqrt(B <x_i^2>) are orthonormal, and <x_i> / sqrt(<x_i^2>) are the components
of the constant unit vector along them: Bessel's inequality.

So (a) of n inputs, the share of the mean in the mean square is at most 1 / n on average; and (b) with equality where
the constant lies in their span: the mean does not vanish. (c) Raw inputs know no such bound.
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
    """<x_i>^2 / <x_i^2> of every input."""
    return np.mean(x, axis=0) ** 2 / np.mean(x**2, axis=0)


@given(decorrelated_batches())
def test_a_the_shares_of_the_mean_add_up_to_one_at_most(x):
    """Bessel's inequality; one input may be all mean, many cannot."""
    assert np.sum(mean_shares(x)) <= 1 + 1e-12


@given(st.integers(1, 6), SEEDS)
def test_b_with_equality_where_the_constant_is_in_the_span(n, seed):
    """As many orthogonal inputs as samples span every vector."""
    rng = np.random.default_rng(seed)
    x = orthonormal_columns(rng, n, n) * rng.uniform(0.5, 2, n)
    assert abs(np.sum(mean_shares(x)) - 1) <= 1e-12


@given(SEEDS)
def test_c_learning_R_takes_the_mean_from_positive_inputs(seed):
    """Five inputs with means of half their mean square or more, before and after decorrelation."""
    y = np.random.default_rng(seed).uniform(0, 1, size=(30, 5))
    *_, R = decorrelation_path(y, 0.5, 300)
    assert np.sum(mean_shares(y)) > 2.5
    assert np.sum(mean_shares(decorrelate(R, y))) <= 1 + 1e-6
