"""The judges of notebook 09 accept right answers in any style, and give wrong ones the hint that fits."""

from __future__ import annotations

from functools import partial

import array_api_compat
import numpy as np
import pytest
from array_api_compat import array_namespace, device

from copi_np.course import check, lesson_09


def portable(x):
    xp = array_namespace(x)
    C = x.T @ x / x.shape[0]
    n = C.shape[0]
    off = C * (1 - xp.eye(n, dtype=x.dtype, device=device(x)))
    return xp.sum(xp.abs(off)) / (n * (n - 1))


def by_the_diagonal(x):
    xp = array_api_compat.array_namespace(x)
    n_samples, n = x.shape
    C = xp.abs(xp.matmul(x.T, x)) / n_samples
    return (xp.sum(C) - xp.sum(xp.linalg.diagonal(C))) / (n**2 - n)


def of_numpy(x, finish=lambda total, n: total / (n * (n - 1))):
    C = np.einsum("bi,bj->ij", x, x) / len(x)
    n = C.shape[0]
    np.fill_diagonal(C, 0)
    return finish(np.abs(C).sum(), n)


def with_a_float(x):
    return float(portable(x))


def half_portable(x):
    C = x.T @ x / x.shape[0]
    n = C.shape[0]
    off = C * (1 - np.eye(n, dtype=x.dtype))
    return abs(off).sum() / (n * (n - 1))


def on_the_default_device(x):
    xp = array_namespace(x)
    C = x.T @ x / x.shape[0]
    n = C.shape[0]
    return xp.sum(xp.abs(C * (1 - xp.eye(n, dtype=x.dtype)))) / (n * (n - 1))


def in_the_default_dtype(x):
    xp = array_namespace(x)
    C = x.T @ x / x.shape[0]
    n = C.shape[0]
    return xp.sum(xp.abs(C * (1 - xp.eye(n, device=device(x))))) / (n * (n - 1))


def with_methods(x):
    C = x.T @ x / x.shape[0]
    xp, n = array_namespace(x), x.shape[1]
    return abs(C * (1 - xp.eye(n, dtype=x.dtype, device=device(x)))).sum() / (n * (n - 1))


def with_len(x):
    return portable(x) * len(x) / x.shape[0]


def waiting(x):
    total = portable(x)
    return total if isinstance(total, np.generic) else float(total)


def nested(x):
    return (lambda total: np.sqrt(total * total))(portable(x))


def converting(x):
    from numpy import asarray

    return portable(asarray(x))


def with_diagonal(x):
    return np.mean(np.abs(x.T @ x / len(x))) * x.shape[1] / (x.shape[1] - 1)


def law(n_epochs, n_layers, n_batches):
    return n_epochs * (7 + 2 * n_layers)


RIGHT = [
    ("09.1", "EG"),
    ("09.1", "eg "),
    ("09.2", portable),
    ("09.2", by_the_diagonal),
    ("09.2", partial(portable)),
    ("09.3", law),
    ("09.3", lambda e, n, b: float(7 * e + 2 * e * n)),
]


WRONG = [
    ("09.1", ..., "not done yet. For each line"),
    ("09.1", "E", "two letters"),
    ("09.1", "XY", "two letters"),
    ("09.1", 5, "two letters"),
    ("09.1", "AG", "A shape is known"),
    ("09.1", "BG", "A product is asked for"),
    ("09.1", "CG", "on the host only"),
    ("09.1", "DG", "What needs its value"),
    ("09.1", "FG", "Look further up"),
    ("09.1", "GG", "comes too late"),
    ("09.1", "EA", "no arrays meet here"),
    ("09.1", "EB", "both are fine"),
    ("09.1", "EC", "where they belong"),
    ("09.1", "ED", "they match"),
    ("09.1", "EE", "Python may ask for a value"),
    ("09.1", "EF", "are both on the device"),
    ("09.2", ..., "not done yet. First line"),
    ("09.2", of_numpy, "still uses np"),
    ("09.2", half_portable, "still uses np"),
    ("09.2", nested, "still uses np"),
    ("09.2", with_a_float, "it is a Python float"),
    ("09.2", lambda x: portable(x).item(), "it is a Python float"),
    ("09.2", lambda x: portable(x) * x.shape[0], "divide by B"),
    ("09.2", partial(of_numpy, finish=lambda total, n: total / n**2), "not n^2"),
    ("09.2", partial(of_numpy, finish=lambda total, n: total), "The sum is right"),
    ("09.2", partial(of_numpy, finish=lambda total, n: total / (n * (n - 1) / 2)), "do not halve or double"),
    ("09.2", partial(of_numpy, finish=lambda total, n: total / (2 * n * (n - 1))), "do not halve."),
    ("09.2", with_diagonal, "The diagonal is still included"),
    ("09.2", lambda x: np.sum(x.T @ x / len(x) * (1 - np.eye(x.shape[1]))) / x.shape[1] / (x.shape[1] - 1), "opposite"),
    ("09.2", lambda x: np.abs(x.T @ x / len(x) * (1 - np.eye(x.shape[1]))), "take the sum over it"),
    ("09.2", lambda x: np.zeros(()), "mean_covariance_of_numpy"),
    ("09.2", lambda x: x.T @ x, "Expected a number"),
    ("09.2", in_the_default_dtype, "dtype=x.dtype"),
    ("09.2", on_the_default_device, "give xp.eye a device"),
    ("09.2", with_methods, "look for a function of xp"),
    ("09.2", with_len, "Use x.shape[0]"),
    ("09.2", partial(converting), "Something converted it to a NumPy array"),
    ("09.2", partial(of_numpy), "On array-api-strict it raised"),
    ("09.2", waiting, "still uses np"),
    ("09.2", partial(waiting), "must return an array of that device, but it returned float"),
    ("09.2", 0.5, "asks for a function"),
    ("09.3", ..., "not done yet. Change one number"),
    ("09.3", lambda e, n, b: 11, "count_asked gives 9, but your function gives 11"),
    ("09.3", lambda e, n, b: e * b, "depends on the number of batches"),
    ("09.3", lambda e, n, b: e * (7 + 2 * n) + b, "depends on the number of batches"),
    ("09.3", lambda e, n, b: 7 + 2 * n, "right for one epoch only"),
    ("09.3", lambda e, n, b: 7 * e + 2 * n, "The layers are checked again in every epoch"),
    ("09.3", lambda e, n, b: 9 * e, "For 1 epochs, 2 layers"),
    ("09.3", lambda e, n, b: "many", "Expected a number"),
    ("09.3", 11, "asks for a function"),
]


def test_without_the_strict_library_names_are_looked_at(monkeypatch):
    """And the verdict says that this is all that was checked."""
    monkeypatch.setattr(lesson_09, "STRICT", "no_such_library")
    assert "array-api-strict is not installed" in check("09.2", portable).message
    assert check("09.2", portable).passed
    assert not check("09.2", of_numpy).passed


def test_the_predicted_lines_do_wait_and_raise():
    """The seven lines of Exercise 09.1, on a device that counts what it is asked and refuses arrays of the host."""
    there = lesson_09.StrictBackend()
    xp, labels = there.xp, np.arange(4)
    x = there.asarray(np.ones((4, 3)))
    n = x.shape[0]
    C = x.T @ x / n
    weights = np.where(labels == 3, 1.0, 0.5)
    largest = xp.max(xp.abs(C))
    assert there.owns(largest)
    assert not largest > 10
    assert there.owns(C / largest)
    with pytest.raises(TypeError):
        x * weights[:, None]


def test_the_praise_states_the_law():
    message = check("09.3", law).message
    assert "Per epoch 7 values, and 2 more for every layer" in message
    assert "The measure of decorrelation reads two more per layer" in message
