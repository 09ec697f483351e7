"""Theorem 5. Near decorrelated inputs, each step multiplies every C_ij by 1 - eta (C_ii + C_jj) (matrix form).

Proof. For C = D + E with D diagonal and E small and off-diagonal,
C' = (I - eta E) C (I - eta E) = D + E - eta (E D + D E) + O(E^2).

So (a) the slowest pair is that of the two smallest variances; (b) decorrelated inputs are linearly stable if and only
if eta < 2 / (sum of the two largest variances). (c) Just above that bound a small perturbation grows at first, and in
doing so shrinks the variances until the bound holds again: at the end of a long run it has vanished. (d) Far above it
the weights blow up. All this is local. Far from decorrelation, steps up to 2 over the largest eigenvalue of C are safe
(Theorem 4). The first step multiplies x along the top eigenvector of off(C), of eigenvalue mu, by 1 - eta mu. (e) Above
2/mu R diverges: for two inputs that are always equal this is exact; of random second moments it was true of every one
that was tried.                                                                                             Section 2.4.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import off
from strategies import SEEDS, arrays, batch_of

from copi_np.analysis import decorrelation_path


class Nearby(NamedTuple):
    """Second moments D + E, and the bound on the step size at D."""

    D: np.ndarray
    E: np.ndarray
    bound: float


@st.composite
def nearly_decorrelated(draw):
    """Variances between 0.1 and 10, in any order, and covariances of at most 2e-9."""
    n = draw(st.integers(2, 5))
    D = draw(arrays((n,), elements=st.floats(0.1, 10)))
    E = 1e-9 * np.random.default_rng(draw(SEEDS)).uniform(0.5, 1, (n, n))
    return Nearby(D, off(E + E.T), 2 / np.sum(np.sort(D)[-2:]))


def covariances(near, eta, n_steps):
    """Return off(C) along the path of R."""
    sigma = np.diag(near.D) + near.E
    return np.array([off(R @ sigma @ R.T) for R in decorrelation_path(batch_of(sigma), eta, n_steps)])


@given(nearly_decorrelated(), st.floats(0, 1.2))
def test_the_factor_of_every_covariance(near, share):
    """Six steps, below and above the bound."""
    eta = share * near.bound
    factor = 1 - eta * (near.D[:, None] + near.D)
    for k, actual in enumerate(covariances(near, eta, 6)):
        np.testing.assert_allclose(actual, near.E * factor**k, rtol=0, atol=1e-4 * np.max(near.E))


@given(nearly_decorrelated())
def test_a_the_slowest_pair_has_the_two_smallest_variances(near):
    """At a tenth of the bound, where no factor is negative, the largest share of the covariance remains there."""
    left = np.abs(covariances(near, near.bound / 10, 30)[-1]) / np.where(near.E > 0, near.E, 1)
    slowest, next_to_it = np.argsort(near.D)[:2]
    assert left[slowest, next_to_it] >= np.max(left) - 1e-4


@given(nearly_decorrelated(), st.floats(0.1, 0.95))
def test_b_below_the_bound_perturbations_fall(near, share):
    """Every factor is between -1 and 1: the sum of squares falls at every step."""
    sizes = np.linalg.norm(covariances(near, share * near.bound, 10), axis=(1, 2))
    # beside variances of 1, a covariance of 1e-9 has about six correct digits
    assert np.all((np.diff(sizes) < 0) | (sizes[1:] < 1e-5 * sizes[0]))


@given(nearly_decorrelated(), st.floats(1.05, 1.5))
def test_b_above_the_bound_the_pair_of_largest_variances_grows(near, share):
    """By |1 - 2 share| per step, with alternating sign."""
    top = tuple(np.argsort(near.D)[-2:])
    path = covariances(near, share * near.bound, 6)[:, top[0], top[1]]
    np.testing.assert_allclose(path[1:] / path[:-1], 1 - 2 * share, rtol=1e-3)


@pytest.mark.parametrize("share", [1.02, 1.1, 1.3])
def test_c_just_above_the_bound_the_variances_shrink_until_it_holds(share):
    """The covariance grows ten-thousandfold on the way, and vanishes in the end."""
    sigma = np.array([[2.0, 1e-6], [1e-6, 1.0]])
    eta = share * 2 / 3
    path = np.array([R @ sigma @ R.T for R in decorrelation_path(batch_of(sigma), eta, 3000)])
    covariance, total = np.abs(path[:, 0, 1]), path[:, 0, 0] + path[:, 1, 1]
    assert np.max(covariance) > 1e4 * covariance[0]
    assert covariance[-1] < 1e-9
    assert total[-1] < 2 / eta < total[0]


@given(st.floats(0.1, 10), st.floats(0.1, 3))
def test_e_two_equal_inputs_shrink_or_grow_by_a_cubic(power, share):
    """With R x = p x, a step maps p to p (1 - eta power p^2); mu is the power, so the bound is eta power = 2."""
    eta, p = share / power, 1.0
    for R in list(decorrelation_path(np.full((1, 2), np.sqrt(power)), eta, 4))[1:]:
        p *= 1 - share * p**2
        np.testing.assert_allclose(R @ [1, 1], [p, p], rtol=1e-6, atol=1e-6 * np.max(np.abs(R)))
        assert (abs(p) > 1) == (share > 2)


@pytest.mark.parametrize("first_seed", range(0, 300, 10))
def test_e_above_two_over_mu_the_weights_blow_up_and_near_two_over_lambda_they_do_not(first_seed):
    for seed in range(first_seed, first_seed + 10):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(6, rng.integers(2, 9)))
        if seed % 2:
            x *= np.exp(rng.normal(size=x.shape[1]))  # very different variances
        C = x.T @ x / len(x)
        assert stays_finite(x, 1.05 * 2 / np.linalg.eigvalsh(C)[-1])
        assert not stays_finite(x, 1.03 * 2 / np.linalg.eigvalsh(off(C))[-1])


def stays_finite(x, eta):
    """Return whether R stays below 1e4 in a hundred steps."""
    with np.errstate(all="ignore"):
        return all(np.max(np.abs(R)) < 1e4 for R in decorrelation_path(x, eta, 100))


def test_d_far_above_the_bound_the_weights_blow_up():
    """Raw correlations of 0.9 and ten times the bound."""
    sigma = np.full((3, 3), 0.9) + 0.1 * np.eye(3)
    path = list(decorrelation_path(batch_of(sigma), 10.0, 4))
    assert np.max(np.abs(path[-1])) > 1e6
