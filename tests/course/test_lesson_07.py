"""The judges of notebook 07: right answers pass, typical wrong ones get the hint that fits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from copi_np.rules import linear_map

# ------------------------------------------------------------------------------------------------------------ right


def by_pairs(sizes):
    return sum(n * n + n * m for n, m in pairwise(sizes))


def by_index(sizes):
    total = 0
    for k in range(len(sizes) - 1):
        total += sizes[k] ** 2 + sizes[k] * sizes[k + 1]
    return float(total)


def by_arrays(sizes):
    n = np.array(sizes)
    return np.sum(n[:-1] * (n[:-1] + n[1:]))


def by_rule(y_in, R, y_out):
    return linear_map(y_in @ R.T, y_out) @ R


def by_loops(y_in, R, y_out):
    W = np.zeros((y_out.shape[1], y_in.shape[1]))
    x = np.array([R @ y for y in y_in])
    for i, j in np.ndindex(*W.shape):
        power = sum(x[:, j] ** 2)
        W[i, j] = sum(y_out[:, i] * x[:, j]) / power if power else 0
    return (W @ R).tolist()


def by_repair(y_in, R, y_out):
    x = y_in @ R.T
    with np.errstate(all="ignore"):
        return np.nan_to_num(y_out.T @ x / np.sum(x**2, axis=0)) @ R


RIGHT = [
    ("07.1", by_pairs),
    ("07.1", by_index),
    ("07.1", by_arrays),
    ("07.2", by_rule),
    ("07.2", by_loops),
    ("07.2", by_repair),
    ("07.3", "c"),
    ("07.3", "C"),
]


# ------------------------------------------------------------------------------------------------------------ wrong


def forward_alone(sizes):
    return sum(n * m for n, m in pairwise(sizes))


def unguarded(y_in, R, y_out):
    x = y_in @ R.T
    return y_out.T @ x / np.sum(x**2, axis=0) @ R


def half_means(y_in, R, y_out):
    x = y_in @ R.T
    power = np.mean(x**2, axis=0)
    return y_out.T @ x / np.where(power > 0, power, 1) @ R


def other_half_means(y_in, R, y_out):
    return by_rule(y_in, R, y_out) / len(y_in)


def by_root(y_in, R, y_out):
    x = y_in @ R.T
    power = np.mean(x**2, axis=0)
    return y_out.T @ x / len(x) / np.where(power > 0, power, 1) ** 0.5 @ R


def exact(y_in, R, y_out):
    return np.linalg.lstsq(y_in @ R.T, y_out, rcond=None)[0].T @ R


def in_place(y_in, R, y_out):
    y_in @= R.T
    return linear_map(y_in, y_out) @ R


WRONG = [
    ("07.1", lambda sizes: ..., "not done yet"),
    ("07.1", forward_alone, "every layer has an R"),
    ("07.1", lambda sizes: by_pairs(sizes) - forward_alone(sizes), "every layer has a W"),
    ("07.1", lambda sizes: forward_alone(sizes) + sum(n * n for n in sizes[1:]), "not its outputs"),
    ("07.1", lambda sizes: forward_alone(sizes) + sum(n * n for n in sizes), "nothing comes after"),
    ("07.1", lambda sizes: by_pairs(sizes) + sum(sizes[1:]), "no biases"),
    ("07.1", lambda sizes: by_pairs(sizes) - sizes[0] ** 2, "The pixels are inputs as well"),
    ("07.1", lambda sizes: by_pairs(sizes) - sum(sizes[:-1]), "has a diagonal too"),
    ("07.1", lambda sizes: sum(n * (n - 1) // 2 + n * m for n, m in pairwise(sizes)), "not one triangle"),
    ("07.1", lambda sizes: 2 * by_pairs(sizes), "[7, 3]"),
    ("07.1", lambda sizes: sizes, "Expected a number"),
    ("07.1", 973456, "asks for a function"),
    ("07.2", lambda y_in, R, y_out: None, "not done yet"),
    ("07.2", unguarded, "0/0 is NaN"),
    ("07.2", lambda y_in, R, y_out: linear_map(y_in @ R.T, y_out), "Fold R into it"),
    ("07.2", lambda y_in, R, y_out: linear_map(y_in, y_out), "decorrelate them first"),
    ("07.2", lambda y_in, R, y_out: linear_map(y_in, y_out) @ R, "does not fix that"),
    ("07.2", lambda y_in, R, y_out: linear_map(y_in @ R.T, y_out) @ R.T, "folded in transposed"),
    ("07.2", lambda y_in, R, y_out: linear_map(y_in @ R, y_out) @ R, "yours has R transposed"),
    ("07.2", lambda y_in, R, y_out: linear_map(y_in @ R, y_out) @ R.T, "in both places"),
    ("07.2", lambda y_in, R, y_out: linear_map(y_in @ R.T, y_out) @ np.linalg.inv(R), "You undo R"),
    ("07.2", lambda y_in, R, y_out: y_out.T @ (y_in @ R.T) / len(y_in) @ R, "only the mean products"),
    ("07.2", exact, "This is least squares"),
    ("07.2", lambda y_in, R, y_out: np.linalg.lstsq(y_in, y_out, rcond=None)[0].T, "least squares from y_in"),
    ("07.2", half_means, "are both means, or both sums"),
    ("07.2", other_half_means, "If <y x> is a mean"),
    ("07.2", by_root, "root mean square"),
    ("07.2", lambda y_in, R, y_out: by_rule(y_in, R, y_out).T, "yours is transposed"),
    ("07.2", lambda y_in, R, y_out: -by_rule(y_in, R, y_out), "Check that"),
    ("07.2", lambda y_in, R, y_out: by_rule(y_in, R, y_out)[:2], "Expected shape (3, 5)"),
    ("07.2", in_place, "in place"),
    ("07.2", lambda y_in, R, y_out: y_in @ y_out, "raised ValueError"),
    ("07.2", lambda y_in, R, y_out: "M", "got str"),
    ("07.3", "a", "Is it different?"),
    ("07.3", "b", "Measure it"),
    ("07.3", "e", "one of the letters a, b, c"),
    ("07.3", ..., "not done yet"),
]
