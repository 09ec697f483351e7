"""Theorem 15. What COPI is, in one line: where inputs are decorrelated, gradient descent preconditioned by Sigma^-1.

Sigma = <y y^T> are the second moments of a layer's inputs, G = <delta y^T> the gradient of W R, and C = R Sigma R^T.
(a) Where R decorrelates, C = D, the inverse needs no inversion: Sigma^-1 = R^T D^-1 R. (b) There the normalised rule
moves W R by eta G Sigma^-1: FOOF, the input half of K-FAC. With damping it is G R^T (D + damping)^-1 R. (c) COPI proper
moves it by eta G R^T R, the same less D^-1: equal up to a factor where all mean squares are equal, as after whitening.
(d) Elsewhere both are descent directions: G R^T (D + damping)^-1 R has a positive product with G.

Proof. (a) R is invertible, so Sigma = R^-1 D R^-T. (b) By Theorem 14(e) W R moves by <delta x^T> (D + damping)^-1 R to
first order, and <delta x^T> = G R^T. (c) Theorem 2. (d) R^T (D + damping)^-1 R is positive definite.
                                                                        Not in the paper; arXiv 2201.12250; Section 2.7.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near
from strategies import SEEDS, batch_of, orthonormal_columns, spd_matrices

from copi_np.family import natural_update, normalised_decorrelation_update, normalised_update
from copi_np.rules import copi_update, decorrelation_update


class Case(NamedTuple):
    """A layer whose R decorrelates its inputs y, of second moments sigma, and a batch of error signals."""

    W: np.ndarray
    R: np.ndarray
    y: np.ndarray
    delta: np.ndarray
    sigma: np.ndarray


@st.composite
def cases(draw):
    """R = S Q Sigma^(-1/2) with an orthogonal Q and a diagonal S has R Sigma R^T = S^2: no others decorrelate."""
    sigma = draw(spd_matrices(st.integers(1, 5), (0.2, 5)))
    rng, n = np.random.default_rng(draw(SEEDS)), len(sigma)
    values, vectors = np.linalg.eigh(sigma)
    S, Q = np.exp(rng.uniform(-1, 1, size=n)), orthonormal_columns(rng, n, n)
    R = S[:, None] * Q @ (vectors / np.sqrt(values)) @ vectors.T
    y = orthonormal_columns(rng, n + 2, n) * np.sqrt(n + 2) @ batch_of(sigma) / np.sqrt(n)
    return Case(rng.normal(size=(3, n)), R, y, rng.normal(size=(len(y), 3)), sigma)


def motion(case, dW, dR):
    """Return how W R moves per unit of step size, to first order."""
    return dW @ case.R + case.W @ dR


@given(cases())
def test_a_a_decorrelating_R_knows_the_inverse(case):
    D = np.mean((case.y @ case.R.T) ** 2, axis=0)
    assert_near(case.R.T / D @ case.R, np.linalg.inv(case.sigma), size=1e3)


@given(cases())
def test_b_the_normalised_rule_is_the_natural_gradient(case):
    x = case.y @ case.R.T
    dW, dR = normalised_update(case.W, x, x @ case.W.T + case.delta, 0.0), normalised_decorrelation_update(case.R, x, 0)
    G = case.delta.T @ case.y / len(case.y)
    assert_near(motion(case, dW, dR), G @ np.linalg.inv(case.sigma), size=1e4)
    assert_near(motion(case, dW, dR), natural_update(case.y, case.delta, case.sigma, 0.0), size=1e4)


@given(cases(), st.sampled_from([1e-2, 1.0]))
def test_b_the_explicit_rule_is_its_equation(case, damping):
    G = case.delta.T @ case.y / len(case.y)
    expected = G @ np.linalg.inv(case.sigma + damping * np.eye(len(case.sigma)))
    assert_near(natural_update(case.y, case.delta, case.sigma, damping), expected, size=1e3)


@given(cases())
def test_c_copi_is_the_same_without_the_scale_of_the_units(case):
    x = case.y @ case.R.T
    dW, dR = copi_update(case.W, x, x @ case.W.T + case.delta), decorrelation_update(case.R, x)
    G = case.delta.T @ case.y / len(case.y)
    assert_near(motion(case, dW, dR), G @ case.R.T @ case.R, size=1e4)
    white = case._replace(R=case.R / np.sqrt(np.mean(x**2, axis=0))[:, None])
    x = white.y @ white.R.T
    dW, dR = copi_update(white.W, x, x @ white.W.T + white.delta), decorrelation_update(white.R, x)
    assert_near(motion(white, dW, dR), G @ np.linalg.inv(case.sigma), size=1e4)


@given(cases(), SEEDS)
def test_d_anywhere_both_go_downhill(case, seed):
    R = np.random.default_rng(seed).normal(size=case.R.shape)
    case = case._replace(R=R)
    x, G = case.y @ R.T, case.delta.T @ case.y / len(case.y)
    z = x @ case.W.T + case.delta
    for dW, dR in (
        (copi_update(case.W, x, z), decorrelation_update(R, x)),
        (normalised_update(case.W, x, z), normalised_decorrelation_update(R, x)),
    ):
        assert np.sum(motion(case, dW, dR) * G) > -1e-9
