"""The judges of notebook 08: right answers pass, typical wrong ones get the hint that fits."""

from __future__ import annotations

import numpy as np
import pytest

from copi_np import rules
from copi_np.course import check

MOMENTS = np.array([[2.0, 0.6, 0.3], [0.6, 1.0, 0.2], [0.3, 0.2, 0.5]])
"""Second moments of the inputs of 08.2, as in the notebook."""

# ------------------------------------------------------------------------------------------------------------ right


def unit_rows(W):
    return W / np.linalg.norm(W, axis=1, keepdims=True)


def hebbian(W, x):
    return (x @ W.T).T @ x / len(x)


def by_matrices(W, x, eta):
    return unit_rows(W + eta * hebbian(W, x))


def by_einsum(W, x, eta):
    new = W + eta * np.einsum("bi,bj->ij", np.einsum("ij,bj->bi", W, x), x) / len(x)
    return np.einsum("ij,i->ij", new, np.einsum("ij,ij->i", new, new) ** -0.5)


def by_loops(W, x, eta):
    rows = []
    for w in W:
        new = w + eta * np.mean([(w @ sample) * sample for sample in x], axis=0)
        rows.append(new / np.sqrt(sum(new**2)))
    return rows


LARGEST = np.linalg.eigvalsh(MOMENTS - np.diag(np.diag(MOMENTS)))[-1]
RIGHT = [
    ("08.1", "b"),
    ("08.1", " B "),
    ("08.2", 1 + 0.1 * LARGEST),
    ("08.2", 1.076),
    ("08.2", 1.078),
    ("08.2", np.array(1.077)),
    ("08.3", by_matrices),
    ("08.3", by_einsum),
    ("08.3", by_loops),
]


def test_the_growth_factor_is_what_the_rule_shows():
    """The judge's number, by experiment."""
    x = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 3)))[0] * np.sqrt(20) @ np.linalg.cholesky(MOMENTS).T
    W = np.array([[0.1, -0.2, 0.1]])
    for _ in range(300):
        old, W = W, W + 0.1 * rules.copi_update(W, x, rules.transform(W, x))
    growth = np.linalg.norm(W) / np.linalg.norm(old)
    assert growth == pytest.approx(1 + 0.1 * LARGEST, abs=1e-6)
    assert check("08.2", growth).passed


# ------------------------------------------------------------------------------------------------------------ wrong


def in_place(W, x, eta):
    W += eta * hebbian(W, x)
    return unit_rows(W)


WRONG = [
    ("08.1", ..., "not done yet"),
    ("08.1", "a", "unit eigenvectors of C"),
    ("08.1", "c", "the other way round"),
    ("08.1", "d", "not"),
    ("08.1", 2, "letters a, b, c, d"),
    ("08.1", "e", "letters a, b, c, d"),
    ("08.2", ..., "not done yet"),
    ("08.2", "fast", "Expected a number"),
    ("08.2", [1.0, 1.1], "Expected a number"),
    ("08.2", np.inf, "NaN or infinite"),
    ("08.2", 1 + 0.1 * np.linalg.eigvalsh(MOMENTS)[-1], "Hebb's rule grows"),
    ("08.2", LARGEST, "This is the eigenvalue"),
    ("08.2", 0.1 * LARGEST, "what a step adds"),
    ("08.2", 10 * LARGEST, "per cent"),
    ("08.2", 1, "decorrelated inputs; these are correlated"),
    ("08.2", 1 + LARGEST, "here eta = 0.1"),
    ("08.2", np.exp(0.1 * LARGEST), "continuous time"),
    ("08.2", (1 + 0.1 * LARGEST) ** 10, "ten steps"),
    ("08.2", 1.06, "largest correlation only"),
    ("08.2", 1.5, "late enough"),
    ("08.2", 1.0741, "late enough"),
    ("08.3", ..., "not done yet"),
    ("08.3", lambda W, x, eta: ..., "not done yet"),
    ("08.3", np.eye(3), "asks for a function"),
    ("08.3", in_place, "in place"),
    ("08.3", lambda W, x: W, "raised TypeError"),
    ("08.3", lambda W, x, eta: by_matrices(W, x, eta).T, "Expected shape (3, 4)"),
    ("08.3", lambda W, x, eta: W + eta * hebbian(W, x), "now scale"),
    ("08.3", lambda W, x, eta: W + eta * rules.oja_update(W, x), "Oja's rule"),
    (
        "08.3",
        lambda W, x, eta: np.linalg.norm(W + eta * hebbian(W, x), axis=1, keepdims=True) * np.ones((1, 4)),
        "divide by them",
    ),
    ("08.3", lambda W, x, eta: unit_rows((W + eta * hebbian(W, x)).T).T, "columns have length 1"),
    (
        "08.3",
        lambda W, x, eta: (W + eta * hebbian(W, x)) / np.linalg.norm(W + eta * hebbian(W, x)),
        "matrix as a whole",
    ),
    (
        "08.3",
        lambda W, x, eta: (W + eta * hebbian(W, x)) / np.sum((W + eta * hebbian(W, x)) ** 2, axis=1)[:, None],
        "take the root",
    ),
    (
        "08.3",
        lambda W, x, eta: (W + eta * hebbian(W, x)) / np.sum(np.abs(W + eta * hebbian(W, x)), axis=1)[:, None],
        "sum of absolute weights",
    ),
    (
        "08.3",
        lambda W, x, eta: (W + eta * hebbian(W, x)) / np.sum(W + eta * hebbian(W, x), axis=1)[:, None],
        "sum of the weights",
    ),
    (
        "08.3",
        lambda W, x, eta: (W + eta * hebbian(W, x)) / np.linalg.norm(W, axis=1, keepdims=True),
        "before the step",
    ),
    ("08.3", lambda W, x, eta: unit_rows(W + eta * len(x) * hebbian(W, x)), "divide by B"),
    ("08.3", lambda W, x, eta: unit_rows(W + hebbian(W, x)), "eta is missing"),
    ("08.3", lambda W, x, eta: unit_rows(W - eta * hebbian(W, x)), "reversed"),
    ("08.3", lambda W, x, eta: unit_rows(hebbian(W, x)), "step itself"),
    ("08.3", lambda W, x, eta: by_matrices(W, x, eta) - W, "return the new weights"),
    ("08.3", lambda W, x, eta: unit_rows(W), "The Hebbian step is missing"),
    ("08.3", lambda W, x, eta: W + 1, "two lines"),
]
