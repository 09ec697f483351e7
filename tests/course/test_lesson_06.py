"""The judges of notebook 06: right answers pass, typical wrong ones get the hint that fits."""

from __future__ import annotations

import numpy as np

from copi_np.rules import linear_map, mean_square

# ------------------------------------------------------------------------------------------------------------ right


def rms_of(x):
    rms = np.sqrt(np.mean(x**2, axis=0))
    return np.where(rms > 0, rms, 1)


def by_rule(x, y):
    return linear_map(x, y) * np.sqrt(mean_square(x))


def by_einsum(x, y):
    return np.einsum("bi,bj->ij", y, x) / len(x) / rms_of(x)


def by_loops(x, y):
    fields = [[0.0] * x.shape[1] for _ in y.T]
    for i, j in np.ndindex(y.shape[1], x.shape[1]):
        power = sum(x[:, j] ** 2) / len(x)
        if power > 0:
            fields[i][j] = sum(y[:, i] * x[:, j]) / len(x) / power**0.5
    return fields


def by_repair(x, y):
    with np.errstate(all="ignore"):
        return np.nan_to_num(y.T @ x / len(x) / np.sqrt(np.mean(x**2, axis=0)))


def by_tiny_guard(x, y):
    return y.T @ x / len(x) / np.maximum(np.sqrt(np.mean(x**2, axis=0)), 1e-12)


def in_sums(chunks):
    products = sum(y.T @ x for x, y in chunks)
    squares = sum(np.sum(x**2, axis=0) for x, _ in chunks)
    return products / np.where(squares > 0, squares, 1)


def in_weighted_means(chunks):
    n = sum(len(x) for x, _ in chunks)
    products = sum(len(x) / n * (y.T @ x / len(x)) for x, y in chunks)
    power = sum(len(x) / n * np.mean(x**2, axis=0) for x, _ in chunks)
    return products / np.where(power > 0, power, 1)


def joined(chunks):
    return linear_map(*(np.concatenate(arrays) for arrays in zip(*chunks, strict=True)))


RIGHT = [
    ("06.1", by_rule),
    ("06.1", by_einsum),
    ("06.1", by_loops),
    ("06.1", by_repair),
    ("06.1", by_tiny_guard),
    ("06.2", in_sums),
    ("06.2", in_weighted_means),
    ("06.2", joined),
    ("06.3", "b"),
    ("06.3", " B "),
]


# ------------------------------------------------------------------------------------------------------------ wrong


def unguarded(x, y):
    return y.T @ x / len(x) / np.sqrt(np.mean(x**2, axis=0))


def unguarded_chunks(chunks):
    return sum(y.T @ x for x, y in chunks) / sum(np.sum(x**2, axis=0) for x, _ in chunks)


def mean_of_means(chunks):
    products = sum(y.T @ x / len(x) for x, y in chunks)
    power = sum(np.mean(x**2, axis=0) for x, _ in chunks)
    return products / np.where(power > 0, power, 1)


def with_std(x, y):
    deviation = np.std(x, axis=0)
    return y.T @ x / len(x) / np.where(deviation > 0, deviation, 1)


def in_place(x, y):
    x /= rms_of(x)
    return y.T @ x / len(x)


def half_a_mean(chunks):
    n = sum(len(x) for x, _ in chunks)
    return in_sums(chunks) / n


def standardized_chunks(chunks):
    n = sum(len(x) for x, _ in chunks)
    products, squares = sum(y.T @ x for x, y in chunks) / n, sum(np.sum(x**2, axis=0) for x, _ in chunks) / n
    return products / np.where(squares > 0, np.sqrt(squares), 1)


WRONG = [
    ("06.1", lambda x, y: ..., "not done yet"),
    ("06.1", unguarded, "its column is NaN"),
    ("06.1", linear_map, "not yet the standardized ones"),
    ("06.1", lambda x, y: by_rule(x, y) * rms_of(x), "only the mean products"),
    ("06.1", lambda x, y: y.T @ x / len(x) * np.sqrt(mean_square(x)), "multiplies by the root"),
    ("06.1", with_std, "nothing is centred"),
    ("06.1", lambda x, y: by_rule(x, y) * len(x), "<y x> is a mean"),
    ("06.1", lambda x, y: by_rule(x, y) / np.sqrt(len(x)), "<x^2> is a mean"),
    ("06.1", lambda x, y: by_rule(x, y).T, "Yours is transposed"),
    ("06.1", lambda x, y: x.T @ y / len(x), "you need one row per unit"),
    ("06.1", lambda x, y: by_rule(x, y) / np.sqrt(np.mean(y**2, axis=0))[:, None], "of the unit as well"),
    ("06.1", lambda x, y: -by_rule(x, y), "Compare with linear_map"),
    ("06.1", lambda x, y: by_rule(x, y)[0], "Expected shape (3, 5)"),
    ("06.1", in_place, "in place"),
    ("06.1", lambda x, y: x @ y, "raised ValueError"),
    ("06.1", "y.T @ x", "asks for a function"),
    ("06.2", lambda chunks: None, "not done yet"),
    ("06.2", unguarded_chunks, "its column is NaN"),
    ("06.2", mean_of_means, "add up sums, not means"),
    ("06.2", lambda chunks: np.mean([linear_map(*c) for c in chunks], axis=0), "a ratio of sums is not"),
    (
        "06.2",
        lambda chunks: np.average([linear_map(*c) for c in chunks], axis=0, weights=[len(x) for x, _ in chunks]),
        "divide only once, at the end",
    ),
    ("06.2", lambda chunks: linear_map(*chunks[-1]), "the last chunk alone"),
    ("06.2", lambda chunks: linear_map(*chunks[0]), "the first chunk alone"),
    ("06.2", half_a_mean, "divide both or neither"),
    ("06.2", standardized_chunks, "without the root"),
    ("06.2", lambda chunks: in_sums(chunks).T, "Yours is transposed"),
    ("06.2", lambda chunks: sum(y.T @ x for x, y in chunks), "divide by the sums of squares"),
    ("06.2", lambda chunks: 2 * in_sums(chunks), "Join two small chunks"),
    ("06.2", lambda chunks: "fields", "got str"),
    ("06.3", "a", "least squares does"),
    ("06.3", "c", "the same numbers"),
    ("06.3", "d", "one of the letters a, b, c"),
    ("06.3", 2, "one of the letters a, b, c"),
    ("06.3", ..., "not done yet"),
]
