"""Theorem 1. COPI is SGD plus a term that depends on the correlation of the inputs, on any batch:

    dW_copi = dW_sgd + W off(C),        C = <x x^T>,  off(C) = C - diag(C).

Proof. z = a + delta and a = W x give <z x^T> = W C + <delta x^T>, and the decay is W diag(C).

So (a) the two are equal on decorrelated inputs, including whitened ones, and only there if W has independent columns;
(b) without an error signal COPI rests where inputs are decorrelated; (c) with the variances fixed, the distance between
the two updates is proportional to the correlation.                                     Sections 2.3 and 2.7, Eq. 3.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near, off, second_moment
from strategies import (
    SEEDS,
    batch_of,
    correlated_batches,
    decorrelated_batches,
    forward_passes,
    size_of,
    spd_matrices,
    whitened_batches,
)

from copi_np.rules import copi_update, sgd_update, target_state, transform


def weights_and_signal(x, seed, n_outputs=3):
    """Draw W (O, I) and delta (B, O) independently of x."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_outputs, x.shape[1])), rng.normal(size=(len(x), n_outputs))


def copi(W, x, delta):
    """Return the COPI update of a layer that is perturbed by delta."""
    return copi_update(W, x, target_state(transform(W, x), delta))


@given(forward_passes())
def test_copi_is_sgd_plus_the_correlation_term(forward):
    """The identity, for any batch, weights and error signal, in both precisions."""
    W, x, _, delta = forward
    expected = sgd_update(x, delta) + W @ off(second_moment(x))
    assert_near(copi(W, x, delta), expected, size_of(W, x, x) + size_of(x, delta))


@given(decorrelated_batches() | whitened_batches(), SEEDS)
def test_a_copi_is_sgd_on_decorrelated_inputs(x, seed):
    """off(C) = 0, whether the variances are equal or not."""
    W, delta = weights_and_signal(x, seed)
    assert_near(copi(W, x, delta), sgd_update(x, delta), size_of(W, x, x))


@given(correlated_batches(st.integers(2, 5)), SEEDS)
def test_a_copi_differs_from_sgd_on_correlated_inputs(x, seed):
    """Independent columns of W bound the distance from below: ||W off(C)|| >= s_min(W) ||off(C)||."""
    W, delta = weights_and_signal(x, seed, n_outputs=8)
    distance = np.linalg.norm(copi(W, x, delta) - sgd_update(x, delta))
    bound = np.linalg.svd(W, compute_uv=False)[-1] * np.linalg.norm(off(second_moment(x)))
    assert distance >= bound - 1e-12 * size_of(W, x, x)


@given(decorrelated_batches(), SEEDS)
def test_b_copi_rests_without_an_error_signal(x, seed):
    """delta = 0 and off(C) = 0: the layer infers the weights that it already has."""
    W, delta = weights_and_signal(x, seed)
    assert_near(copi(W, x, np.zeros_like(delta)), np.zeros_like(W), size_of(W, x, x))


@given(spd_matrices(st.integers(2, 5)), st.floats(0, 1), SEEDS)
def test_c_the_distance_is_proportional_to_the_correlation(sigma, t, seed):
    """C = diag + t off: the distance is t times that at t = 1."""
    W, delta = weights_and_signal(sigma, seed)

    def distance(t):
        x = batch_of(t * sigma + (1 - t) * np.diag(np.diag(sigma)))
        return np.linalg.norm(copi(W, x, delta) - sgd_update(x, delta))

    assert abs(distance(t) - t * distance(1)) <= 1e-11 * (1 + np.linalg.norm(W) * np.linalg.norm(sigma))
