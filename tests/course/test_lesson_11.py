"""The judges of notebook 11: right answers pass, typical wrong ones get the hint that fits."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from copi_np import family, rules
from copi_np.analysis import decorrelation_path
from copi_np.course import check
from copi_np.whitening import second_moment

MOMENTS = np.array([[2.0, 0.6, 0.3], [0.6, 1.0, 0.2], [0.3, 0.2, 0.5]])
"""Second moments of the inputs of 11.3, as in the notebook."""
MEAN = np.trace(MOMENTS) / 3
AT_REST = (1 + 0.6 * MEAN - np.sqrt(1 + 1.2 * MEAN)) / (0.18 * MEAN)
"""The root of c = m (1 - 0.3 c)^2 below 1 / 0.3."""


def G(x, delta):
    return delta.T @ x / len(x)


def A(x):
    return x.T @ x / len(x) - np.eye(x.shape[1])


def partner(W, x, delta):
    return G(x, delta) + W @ A(x)


def without_C(W, x, delta):
    return (delta + x @ W.T).T @ x / len(x) - W


def by_loops(W, x, delta):
    dW = -np.array(W)
    for b in range(len(x)):
        for i, j in np.ndindex(W.shape):
            dW[i, j] += (delta[b, i] + W[i] @ x[b]) * x[b, j] / len(x)
    return dW


def in_place(W, x, delta):
    W *= 0
    return W


RIGHT = [
    ("11.1", partner),
    ("11.1", without_C),
    ("11.1", by_loops),
    ("11.2", "b"),
    ("11.2", " B "),
    ("11.3", AT_REST),
    ("11.3", 0.72),
    ("11.3", np.array(0.718)),
]

WRONG = [
    ("11.1", ..., "not done yet"),
    ("11.1", lambda W, x, delta: ..., "not done yet"),
    ("11.1", in_place, "in place"),
    ("11.1", lambda W, x, delta: rules.copi_update(W, x, x @ W.T + delta), "partner of off(C)"),
    ("11.1", lambda W, x, delta: G(x, delta), "gradient descent"),
    ("11.1", lambda W, x, delta: G(x, delta) - W @ A(x), "sign of A is reversed"),
    ("11.1", lambda W, x, delta: partner(W, x, delta) + W, "either W is missing"),
    ("11.1", lambda W, x, delta: W @ A(x), "error signal is missing"),
    ("11.1", lambda W, x, delta: len(x) * (partner(W, x, delta) + W) - W, "divide by the number of rows"),
    ("11.1", lambda W, x, delta: len(x) * G(x, delta) + W @ A(x), "Of the two means"),
    ("11.1", lambda W, x, delta: W @ A(x) - G(x, delta), "delta points"),
    ("11.1", lambda W, x, delta: G(x, delta) + W @ A(x) / 2, "kappa = 1/2"),
    ("11.1", lambda W, x, delta: W, "W A, with A"),
    ("11.1", lambda W, x, delta: partner(W, x, delta).T, "Expected shape"),
    ("11.2", ..., "not done yet"),
    ("11.2", "a", "by which factor"),
    ("11.2", "c", "both change by the same factor"),
    ("11.2", "d", "the other way round"),
    ("11.2", "e", "letters a, b, c, d"),
    ("11.3", ..., "not done yet"),
    ("11.3", "small", "Expected a number"),
    ("11.3", MEAN, "very small steps"),
    ("11.3", 1, "does not know about 1"),
    ("11.3", np.sqrt(AT_REST), "standard deviation"),
    ("11.3", 3 * AT_REST, "sum of the three"),
    ("11.3", MEAN * (1 - 0.3 * MEAN) ** 2, "on both sides"),
    ("11.3", np.linalg.det(MOMENTS) ** (1 / 3), "keeps the determinant"),
    ("11.3", 0.75, "more steps"),
]


def test_the_variance_is_what_the_rule_shows():
    """The root of the quadratic equation, by experiment."""
    three = np.sqrt(3) * np.linalg.cholesky(MOMENTS).T
    *_, R = decorrelation_path(three, 0.3, 1000, family.gain_controlled_update)
    np.testing.assert_allclose(second_moment(three @ R.T), AT_REST * np.eye(3), atol=1e-9)
    assert check("11.3", AT_REST).passed


@pytest.mark.parametrize(
    ("rule", "share"),
    [(rules.decorrelation_update, 100), (partial(family.normalised_decorrelation_update, damping=0.0), 1)],
    ids=["COPI", "normalised"],
)
def test_the_path_is_the_same_in_other_units(rule, share):
    """As answer b of 11.2 says."""
    y = np.sqrt(3) * np.linalg.cholesky(MOMENTS).T
    *_, before = decorrelation_path(y, 0.05, 50, rule)
    *_, after = decorrelation_path(10 * y, 0.05 / share, 50, rule)
    np.testing.assert_allclose(before, after)
