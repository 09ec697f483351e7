"""Notebook 05: right answers pass; typical wrong ones get the hint that fits."""

from __future__ import annotations

import numpy as np

from copi_np.course.lesson_05 import suspects
from copi_np.rules import copi_update, local_decorrelation_update, sgd_update


def off(C):
    return C - np.diag(np.diag(C))


def moments(x):
    return x.T @ x / len(x)


def extra_term(W, x):
    return W @ off(moments(x))


def extra_term_as_a_difference(W, x):
    delta = np.ones((len(x), len(W)))
    return copi_update(W, x, x @ W.T + delta) - sgd_update(x, delta)


def extra_term_by_einsum(W, x):
    C = np.einsum("bi,bj->ij", x, x) / x.shape[0]
    return np.einsum("oi,ij->oj", W, np.where(np.eye(len(C)), 0, C))


def extra_term_by_loops(W, x):
    result = np.zeros(W.shape)
    for i, j in np.ndindex(*W.shape):
        result[i, j] = sum(W[i, k] * np.mean(x[:, k] * x[:, j]) for k in range(x.shape[1]) if k != j)
    return result.tolist()


def extra_term_in_place(W, x):
    x /= np.sqrt(len(x))
    return W @ off(x.T @ x)


def motion(
    gradient="W",
    sign_W=1,
    sign_R=-1,
    lateral=True,
    swap=False,
    form="local",
    left="W",
    second=False,
    size=1.0,
    new=False,
):
    """The first order with the local form and unequal steps, or a typical mistake."""

    def first_order(W, R, x, delta, eta_W, eta_R):
        if swap:
            eta_W, eta_R = eta_R, eta_W
        G, A = delta.T @ x / len(x), off(moments(x))
        right = R if lateral else np.eye(len(R))
        dW = W @ A @ right if left == "W" else W @ R @ A
        dR = R @ A if form == "local" else A @ R
        eta = eta_W if gradient == "W" else eta_R
        result = eta * G @ right + sign_W * eta_W * dW + sign_R * eta_R * W @ dR
        if second:
            result = result - eta_W * eta_R * (G + W @ A) @ dR
        return (len(x) if size == "B" else size) * result + (W @ R if new else 0)

    return first_order


def motion_by_products(W, R, x, delta, eta_W, eta_R):
    """The first order as the part of the exact motion that a tiny step leaves, from the rules themselves."""
    tiny, z = 1e-6, x @ W.T + delta
    dW, dR = tiny * eta_W * copi_update(W, x, z), tiny * eta_R * local_decorrelation_update(R, x)
    return ((W + dW) @ (R + dR) - (W - dW) @ (R - dR)) / (2 * tiny)


RIGHT = [
    ("05.1", extra_term),
    ("05.1", extra_term_as_a_difference),
    ("05.1", extra_term_by_einsum),
    ("05.1", extra_term_by_loops),
    ("05.2", motion()),
    ("05.2", motion_by_products),
    ("05.3", ("B", "C")),
    ("05.3", ["b", " c "]),
    ("05.3", "BC"),
]

WRONG = [
    ("05.1", ..., "not done yet"),
    ("05.1", lambda W, x: None, "not done yet"),
    ("05.1", 1.0, "asks for a function"),
    ("05.1", lambda W, x: W @ moments(x), "remove the diagonal of C"),
    ("05.1", lambda W, x: W * np.mean(x**2, axis=0), "the decay subtracts"),
    ("05.1", lambda W, x: -extra_term(W, x), "sign is reversed"),
    ("05.1", lambda W, x: W @ off(x.T @ x), "divide by B"),
    ("05.1", lambda W, x: W @ off(x.T @ x) / x.shape[1], "number of inputs"),
    ("05.1", lambda W, x: W @ off(np.cov(x.T, bias=True)), "does not centre C"),
    ("05.1", lambda W, x: off(moments(x)), "multiply by W"),
    ("05.1", lambda W, x: W @ off(moments(x / np.sqrt(np.mean(x**2, axis=0)))), "You used correlations"),
    ("05.1", lambda W, x: extra_term(W, x).T, "transposed"),
    ("05.1", lambda W, x: W @ (moments(x) - np.diag(moments(x))), "returns a vector"),
    ("05.1", lambda W, x: extra_term(W, x) + 1, "values are not"),
    ("05.1", lambda W, x: extra_term(W, x)[0], "Expected shape"),
    ("05.1", lambda W, x: np.nan * W, "NaN"),
    ("05.1", lambda W, x: x @ W, "raised ValueError"),
    ("05.1", extra_term_in_place, "in place"),
    ("05.2", ..., "not done yet"),
    ("05.2", motion(sign_W=0, sign_R=0), "do not cancel here"),
    ("05.2", motion(form="matrix"), "for the matrix form"),
    ("05.2", motion(left="R"), "R is multiplied from the right"),
    ("05.2", motion(swap=True), "step sizes are swapped"),
    ("05.2", motion(sign_R=0), "term from R"),
    ("05.2", motion(sign_W=0), "this is SGD"),
    ("05.2", motion(sign_W=-1, sign_R=1), "signs are reversed"),
    ("05.2", motion(sign_R=1), "Both terms are positive"),
    ("05.2", motion(lateral=False), "factor R on the right"),
    ("05.2", motion(gradient="R"), "not eta_R"),
    ("05.2", motion(second=True), "includes the second order"),
    ("05.2", motion(new=True), "new M"),
    ("05.2", motion(size="B"), "divided by B"),
    ("05.2", motion(size=2), "multiply out W' R'"),
    ("05.2", lambda W, R, x, delta, eta_W, eta_R: 0.0, "Expected shape"),
    ("05.3", ..., "not done yet"),
    ("05.3", "B", "two letters"),
    ("05.3", 2, "two letters"),
    ("05.3", (1, 2), "two letters"),
    ("05.3", ("B", "D"), "The suspects are"),
    ("05.3", ("C", "B"), "wrong order"),
    ("05.3", ("C", "A"), "from the random R"),
    ("05.3", ("A", "C"), "order 1 for every R"),
    ("05.3", ("B", "A"), "The first is right"),
    ("05.3", ("B", "B"), "cannot be the second"),
]


def test_each_suspect_is_what_the_exercise_says():
    """The order of what is left over, from a random R and from the identity."""
    rng = np.random.default_rng(0)
    y, delta, W = rng.normal(size=(6, 4)), rng.normal(size=(6, 3)), rng.normal(size=(3, 4))

    def order(step, R):
        left_over = []
        for eta in (1e-4, 5e-5):
            new_W, new_R = step(W, R, y, delta, eta)
            left_over.append(np.linalg.norm(new_W @ new_R - W @ R - eta * sgd_update(y @ R.T, delta) @ R))
        return np.log2(left_over[0] / left_over[1])

    starts = np.eye(4) + 0.3 * rng.normal(size=(4, 4)), np.eye(4)
    orders = {letter: [round(order(step, R), 1) for R in starts] for letter, step in suspects.items()}
    assert orders == {"A": [1, 1], "B": [2, 2], "C": [1, 2]}
