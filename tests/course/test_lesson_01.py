"""Lesson 01: right answers pass, and typical mistakes get the hint that fits."""

from __future__ import annotations

import numpy as np

from copi_np import rules

# ------------------------------------------------------------------------------------------------------------ right


def by_division(W, x, z):
    return rules.copi_update(W, x, z) / rules.mean_square(x)


def by_einsum(W, x, z):
    return np.einsum("bi,bj->ij", z, x) / np.einsum("bj,bj->j", x, x) - W


def by_loops(W, x, z):
    dW = np.empty_like(W)
    for i, j in np.ndindex(W.shape):
        dW[i, j] = sum(z[:, i] * x[:, j]) / sum(x[:, j] ** 2) - W[i, j]
    return dW.tolist()


def epoch_by_rule(W, x, z, eta):
    for b in range(len(x)):
        W = W + eta * rules.copi_update(W, x[b : b + 1], z[b : b + 1])
    return W


def epoch_by_loops(W, x, z, eta):
    W = W.copy()
    for b in range(len(x)):
        for i, j in np.ndindex(W.shape):
            W[i, j] += eta * (z[b, i] * x[b, j] - W[i, j] * x[b, j] ** 2)
    return W


LARGEST = 0.1 * np.sqrt(14 / 50)
RIGHT = [
    ("01.1", by_division),
    ("01.1", by_einsum),
    ("01.1", by_loops),
    ("01.1", lambda W, x, z: rules.sgd_update(x, z - x @ W.T) / power(x)),
    ("01.2", epoch_by_rule),
    ("01.2", epoch_by_loops),
    ("01.3", LARGEST),
    ("01.3", 0.052),
    ("01.3", 0.055),
    ("01.3", np.float32(LARGEST)),
]


# ------------------------------------------------------------------------------------------------------------ wrong


def mean_zx(x, z):
    return z.T @ x / len(x)


def power(x):
    return np.mean(x**2, axis=0)


def epoch(update):
    """A pass through the samples with the update (W, x, z) of one sample."""

    def answer(W, x, z, eta):
        for u, t in zip(x, z, strict=True):
            W = W + eta * update(W, u, t)
        return W

    return answer


def all_from_the_start(W, x, z, eta):
    return W + eta * sum(np.outer(t, u) - W * u**2 for u, t in zip(x, z, strict=True))


def last_only(W, x, z, eta):
    for u, t in zip(x, z, strict=True):
        new = W + eta * (np.outer(t, u) - W * u**2)
    return new


def in_place(W, x, z, eta):
    for u, t in zip(x, z, strict=True):
        W += eta * (np.outer(t, u) - W * u**2)
    return W


def backwards(W, x, z, eta):
    return epoch_by_rule(W, x[::-1], z[::-1], eta)


WRONG = [
    ("01.1", ..., "not done yet"),
    ("01.1", lambda W, x, z: None, "not done yet"),
    ("01.1", "copi", "asks for a function"),
    ("01.1", lambda W, x: W, "raised TypeError"),
    ("01.1", lambda W, x, z: W * np.nan, "NaN"),
    ("01.1", lambda W, x, z: 0.0, "Expected shape (4, 4)"),
    ("01.1", rules.inference_update, "Eq. 2 with its inverse"),
    ("01.1", lambda W, x, z: (np.linalg.pinv(x) @ z).T - W, "Eq. 2 with its inverse"),
    ("01.1", lambda W, x, z: rules.copi_update(W, x, z) / power(x)[:, None], "This divides the rows;"),
    ("01.1", lambda W, x, z: mean_zx(x, z) / power(x)[:, None] - W, "This divides the rows of"),
    ("01.1", lambda W, x, z: mean_zx(x, z).T / power(x) - W, "has inputs in its rows"),
    ("01.1", lambda W, x, z: mean_zx(x, z).T / power(x)[:, None] - W, "and input j is column j"),
    ("01.1", lambda W, x, z: mean_zx(x, z) / np.var(x, axis=0) - W, "np.var subtracts the mean"),
    ("01.1", lambda W, x, z: mean_zx(x, z) / np.mean(x**2) - W, "one number for all inputs"),
    ("01.1", rules.copi_update, "Eq. 3 itself"),
    ("01.1", lambda W, x, z: rules.copi_update(W, x, z) * power(x), "twice"),
    ("01.1", lambda W, x, z: rules.linear_map(x, z), "where the weights should end"),
    ("01.1", lambda W, x, z: W - rules.linear_map(x, z), "sign"),
    ("01.1", lambda W, x, z: rules.copi_update(W, x, z) / power(z)[:, None], "not of the targets"),
    ("01.1", lambda W, x, z: mean_zx(x, z) / np.mean(x, axis=0) ** 2 - W, "square of the mean of x"),
    ("01.1", lambda W, x, z: mean_zx(x, z) / power(x) - W * power(x), "Only the Hebbian term"),
    ("01.1", rules.whitened_update, "Only the decay"),
    ("01.1", lambda W, x, z: rules.copi_update(W, x, z) / np.sqrt(power(x)), "leave out the root"),
    ("01.1", lambda W, x, z: z.T @ x / power(x) - W, "<z x^T> is a mean"),
    ("01.1", lambda W, x, z: mean_zx(x, z) / np.sum(x**2, axis=0) - W, "<x^2> is a mean"),
    ("01.1", lambda W, x, z: by_einsum(W, x, z).T, "transposed"),
    ("01.1", lambda W, x, z: rules.sgd_update(x, z - x @ W.T), "Eq. 3 itself"),
    ("01.1", lambda W, x, z: W, "Write down Eq. 2"),
    ("01.2", ..., "not done yet"),
    ("01.2", 3, "asks for a function"),
    ("01.2", in_place, "in place"),
    ("01.2", lambda W, x, z, eta: W + eta * rules.copi_update(W, x, z), "mean over the batch"),
    ("01.2", all_from_the_start, "the initial W for all samples"),
    ("01.2", lambda W, x, z, eta: epoch_by_rule(W, x, z, eta) - W, "return the new weights"),
    ("01.2", last_only, "last sample alone"),
    ("01.2", lambda W, x, z, eta: epoch_by_rule(W, x, z, eta / len(x)), "do not divide by B"),
    ("01.2", lambda W, x, z, eta: epoch_by_rule(W, x, z, 1), "eta is missing"),
    ("01.2", epoch(lambda W, u, t: np.outer(t, u) - W * (t**2)[:, None]), "not that of the target"),
    ("01.2", epoch(lambda W, u, t: np.outer(t, u) - W * u), "missing the square"),
    ("01.2", epoch(lambda W, u, t: np.outer(t, u) - W * u**2 / 0.1), "check the brackets"),
    ("01.2", epoch(lambda W, u, t: np.outer(u, t) - W * u**2), "z comes first"),
    ("01.2", epoch(lambda W, u, t: np.outer(t, u) - W * (u**2)[:, None]), "as a row"),
    ("01.2", epoch(lambda W, u, t: np.outer(t, u)), "decay is missing: without"),
    ("01.2", epoch(lambda W, u, t: np.outer(t, u) + W * u**2), "wrong sign"),
    ("01.2", epoch(lambda W, u, t: np.outer(t - W @ u, u)), "gradient descent"),
    ("01.2", epoch(lambda W, u, t: np.outer(t + W @ u, u) - W * u**2), "do not add a"),
    ("01.2", backwards, "in order, the first one"),
    ("01.2", lambda W, x, z, eta: W, "Check one sample first"),
    ("01.3", ..., "not done yet"),
    ("01.3", "0.05", "converges to weights"),
    ("01.3", "small", "Expected a number"),
    ("01.3", [0.05, 0.06], "Expected a number"),
    ("01.3", 5.29, "per cent"),
    ("01.3", -0.05, "between 0 and 1"),
    ("01.3", 2, "between 0 and 1"),
    ("01.3", 0.1, "18.9 % away from D: the largest rho that stays within 10 % is smaller"),
    ("01.3", 0.04, "is larger"),
    ("01.3", np.nan, "NaN"),
]
