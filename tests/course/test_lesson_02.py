"""Lesson 02: right answers pass, and typical mistakes get the hint that fits."""

from __future__ import annotations

import numpy as np

from copi_np.analysis import decorrelation_path
from copi_np.course import check
from copi_np.course.lesson_02 import largest_rise
from copi_np.rules import decorrelation_update, local_decorrelation_update
from copi_np.whitening import asymmetry, zca

RISING = np.array([[0.70, 0.90, -0.57], [0.90, 2.38, -0.54], [-0.57, -0.54, 0.54]])
WHOLE = np.array([[2.0, 1, 0], [1, 3, 1], [0, 1, 5]])


def in_one_line(R, x):
    return R - x.T @ (x @ R) / len(x)


def with_C(R, x):
    C = x.T @ x / x.shape[0]
    return -(C - np.eye(len(R))) @ R


def by_einsum(R, x):
    return R - np.einsum("bi,bk,kj->ij", x, x, R) / len(x)


def from_the_rule(R, x):
    return decorrelation_update(R, x) + (1 - np.mean(x**2, axis=0))[:, None] * R


def by_loops(R, x):
    dR = R.copy()
    for sample in x:
        dR -= np.outer(sample, sample) @ R / len(x)
    return dR


def searched(low, high=np.inf, n_seeds=100):
    """Find a matrix for which a variance rises by a share from low to high, as the first hint suggests."""
    for seed in range(n_seeds):
        A = np.random.default_rng(seed).normal(size=(3, 5))
        if low <= largest_rise(A @ A.T / 5, local=True) < high:
            return A @ A.T / 5
    raise AssertionError("not found")


RIGHT = [
    *(("02.1", answer) for answer in (in_one_line, with_C, by_einsum, from_the_rule, by_loops)),
    ("02.2", "b"),
    ("02.2", " B "),
    ("02.3", RISING),
]


def test_the_search_of_the_first_hint_finds_a_matrix():
    sigma = searched(0.01)
    assert check("02.3", sigma).passed
    assert check("02.3", sigma.tolist()).passed
    assert check("02.3", 1e-6 * sigma).passed  # the unit of the inputs does not matter


def test_the_hint_says_how_far_a_variance_rises():
    verdict = check("02.3", searched(0.003, 0.01))
    assert not verdict.passed
    assert "No variance rises by more than 0." in verdict.message


def in_place(R, x):
    R -= x.T @ (x @ R) / len(x)
    return R


WRONG = [
    ("02.1", ..., "not done yet"),
    ("02.1", lambda R, x: ..., "not done yet"),
    ("02.1", decorrelation_update, "leaves the diagonal of C alone"),
    ("02.1", lambda R, x: -in_one_line(R, x), "sign is reversed"),
    ("02.1", lambda R, x: -x.T @ (x @ R) / len(x), "The term from the identity is missing"),
    ("02.1", lambda R, x: R - x.T @ (x @ R), "divide by the number of rows"),
    ("02.1", lambda R, x: in_one_line(R.T, x).T, "R belongs on the right"),
    ("02.1", lambda R, x: R - x.T @ (x @ R.T) / len(x), "use x @ R, not x @ R.T"),
    ("02.1", lambda R, x: np.eye(len(R)) - x.T @ (x @ R) / len(x), "R multiplies the term from the identity too"),
    ("02.1", lambda R, x: np.eye(len(R)) - x.T @ x / len(x), "You still have to multiply it by R"),
    ("02.1", lambda R, x: R + in_one_line(R, x), "Return only the change"),
    ("02.1", lambda R, x: R - np.cov(x.T) @ R, "divides by B - 1"),
    ("02.1", lambda R, x: R - np.cov(x.T, bias=True) @ R, "C is not centred"),
    ("02.1", lambda R, x: x @ x.T / len(x), "compares samples"),
    ("02.1", lambda R, x: R - x.T @ (x @ R) / x.shape[1], "This is not -(C - I) R"),
    ("02.1", lambda R, x: R - x.T @ (x @ R) / 7, "This is not -(C - I) R"),
    ("02.1", lambda R, x: local_decorrelation_update(R, x), "This is not -(C - I) R"),
    ("02.1", lambda R, x: in_one_line(R, x)[0], "Expected shape"),
    ("02.1", lambda R, x: "R", "Expected an array"),
    ("02.1", lambda R, x: R * np.nan, "NaN"),
    ("02.1", lambda R: R, "raised TypeError"),
    ("02.1", lambda R, x: x @ R @ x, "raised ValueError"),
    ("02.1", in_place, "in place"),
    ("02.1", np.eye(3), "asks for a function"),
    ("02.2", ..., "not done yet"),
    ("02.2", "a", "tell them apart"),
    ("02.2", "c", "What is C_12"),
    ("02.2", "D", "cannot shrink to zero"),
    ("02.2", "e", "one of the letters a, b, c, d"),
    ("02.2", 2, "one of the letters a, b, c, d"),
    ("02.3", ..., "not done yet"),
    ("02.3", WHOLE, "No variance rises by more than 0.0"),
    ("02.3", np.eye(3), "decorrelated from the start"),
    ("02.3", RISING[:2, :2], "Expected shape (3, 3)"),
    ("02.3", np.triu(RISING), "not symmetric"),
    ("02.3", np.array([[1.0, 2, 0], [2, 1, 0], [0, 0, 1]]), "not positive definite"),
    ("02.3", np.ones((3, 3)), "not positive definite"),
    ("02.3", -RISING, "not positive definite"),
    ("02.3", np.zeros((3, 3)), "not positive definite"),
    ("02.3", np.full((3, 3), np.inf), "NaN or infinite"),
    ("02.3", "sigma", "Expected an array"),
    ("02.3", check, "Expected an array"),
]


def test_what_the_praise_of_the_first_exercise_says():
    """Whitening keeps R symmetric and converges to ZCA, unlike decorrelation."""
    y = np.sqrt(3) * np.linalg.cholesky(WHOLE).T
    *_, R = decorrelation_path(y, 0.05, 2000, in_one_line)
    np.testing.assert_allclose(R, zca(WHOLE), rtol=0, atol=1e-9)
    assert asymmetry(R) < 1e-12


def test_what_the_praise_of_the_second_exercise_says():
    """Equal inputs decay to zero, and R grows where there are no data."""
    path = list(decorrelation_path(np.ones((1, 2)), 0.05, 5000))
    x = np.array([R @ np.ones(2) for R in path])
    np.testing.assert_allclose(x[:, 0], x[:, 1], rtol=1e-12)
    assert np.all(np.diff(x[:, 0]) < 0)
    assert x[-1, 0] < 0.05
    assert path[-1][0] @ [1, -1] > 10
    assert abs(np.linalg.slogdet(path[-1])[1]) < 0.1


def test_what_the_hint_of_the_third_exercise_says():
    """About one random matrix in twenty works; with the matrix form, none does."""
    draws = [np.random.default_rng(seed).normal(size=(3, 5)) for seed in range(40)]
    rises = [largest_rise(A @ A.T / 5, local=True) for A in draws]
    assert 0.01 < np.mean(np.array(rises) >= 0.01) < 0.15
    assert largest_rise(RISING, local=False) < 1e-12
