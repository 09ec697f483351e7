"""The judges of notebook 12: right answers pass, typical wrong ones get the hint that fits."""

from __future__ import annotations

import numpy as np
import pytest

from copi_np.course import check


def two_sided(loss_of, a, noise, sigma):
    return -(loss_of(a + noise) - loss_of(a - noise))[:, None] / (2 * sigma**2) * noise


def by_samples(loss_of, a, noise, sigma):
    change = loss_of(a + noise) - loss_of(a - noise)
    return [-change[b] / (2 * sigma * sigma) * noise[b] for b in range(len(a))]


def one_sided(loss_of, a, noise, sigma):
    return -(loss_of(a + noise) - loss_of(a))[:, None] / sigma**2 * noise


def over_batch(statistic):
    def signal(loss_of, a, noise, sigma):
        return -statistic(loss_of(a + noise) - loss_of(a - noise)) / (2 * sigma**2) * noise

    return signal


def power(x):
    return np.mean(x**2, axis=0)


def feedback(F, x, z):
    return x.T @ z / len(x) - power(x)[:, None] * F


def by_loops(F, x, z):
    dF = np.zeros_like(F)
    for b in range(len(x)):
        for i, j in np.ndindex(F.shape):
            dF[i, j] += (x[b, i] * z[b, j] - x[b, i] ** 2 * F[i, j]) / len(x)
    return dF


def in_place(F, x, z):
    F += feedback(F, x, z)
    return F


RIGHT = [
    ("12.1", two_sided),
    ("12.1", by_samples),
    ("12.2", 100),
    ("12.2", 301 / 3),
    ("12.2", np.array(95)),
    ("12.3", feedback),
    ("12.3", by_loops),
]

WRONG = [
    ("12.1", ..., "not done yet"),
    ("12.1", lambda loss_of, a, noise, sigma: ..., "not done yet"),
    ("12.1", lambda *args: -two_sided(*args), "points uphill"),
    ("12.1", lambda *args: 2 * two_sided(*args), "2 noises apart"),
    ("12.1", lambda *args: args[3] * two_sided(*args), "the square of sigma"),
    ("12.1", lambda *args: args[3] ** 2 * two_sided(*args), "2 sigma^2"),
    ("12.1", one_sided, "as in Section 1"),
    ("12.1", over_batch(np.sum), "not a sum over the batch"),
    ("12.1", over_batch(np.mean), "do not average"),
    ("12.1", lambda *args: two_sided(*args) / args[2], "multiply by the noise"),
    ("12.1", lambda *args: two_sided(*args) / len(args[1]), "belongs to one sample"),
    ("12.1", lambda loss_of, a, noise, sigma: noise, "times the noise"),
    ("12.1", lambda loss_of, a, noise, sigma: loss_of(a + noise), "Expected shape"),
    ("12.2", ..., "not done yet"),
    ("12.2", "many", "Expected a number"),
    ("12.2", 300, "0.71"),
    ("12.2", 150, "SNR of 1/2"),
    ("12.2", 75, "signal *and* noise"),
    ("12.2", 900, "the other way round"),
    ("12.2", 17, "the root of the number"),
    ("12.2", 10, "nearly perpendicular"),
    ("12.3", ..., "not done yet"),
    ("12.3", in_place, "in place"),
    ("12.3", lambda F, x, z: x.T @ z / len(x), "decay is missing"),
    ("12.3", lambda F, x, z: x.T @ z / len(x) - F * power(z), "uses z"),
    ("12.3", lambda F, x, z: x.T @ z / len(x) + power(x)[:, None] * F, "reversed"),
    ("12.3", lambda F, x, z: len(x) * feedback(F, x, z), "divide by B"),
    ("12.3", lambda F, x, z: x.T @ z - power(x)[:, None] * F, "Hebb's term is a mean"),
    ("12.3", lambda F, x, z: x.T @ z / len(x) - len(x) * power(x)[:, None] * F, "decay is a mean"),
    ("12.3", lambda F, x, z: feedback(F, x, z).T, "shape of its transpose"),
    ("12.3", lambda F, x, z: F + feedback(F, x, z), "only the change"),
    ("12.3", lambda F, x, z: x.T @ z / len(x) - F, "plain decay"),
    ("12.3", lambda F, x, z: x.T @ z / len(x) - power(x) * F, "raised ValueError"),
    ("12.3", lambda F, x, z: F, "mean squares times the rows"),
]


def test_the_number_of_noises_is_what_they_show():
    """The mean of a hundred estimates has a cosine of one half, by experiment."""
    rng = np.random.default_rng(0)
    delta, xi = rng.normal(size=300), rng.normal(size=(40, 100, 300))
    means = np.mean((xi @ delta)[:, :, None] * xi, axis=1)
    cosines = means @ delta / np.linalg.norm(means, axis=1) / np.linalg.norm(delta)
    assert np.mean(cosines) == pytest.approx(0.5, abs=0.02)
    assert check("12.2", 100).passed
