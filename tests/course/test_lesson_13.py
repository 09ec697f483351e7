"""The judges of notebook 13: right answers pass, typical wrong ones get the hint that fits."""

from __future__ import annotations

import numpy as np
import pytest

from copi_np import Conv, Dense, Network, Pool, load_dataset
from copi_np.analysis import decorrelation_path
from copi_np.course import check
from copi_np.datasets import as_float
from copi_np.patches import Patches
from copi_np.whitening import second_moment


def corners(image, kernel, stride):
    """The top left corners of all windows, by rows."""
    _, height, width = image.shape
    return [(i, j) for i in range(0, height - kernel + 1, stride) for j in range(0, width - kernel + 1, stride)]


def cut(image, kernel, stride):
    return np.array([image[:, i : i + kernel, j : j + kernel].ravel() for i, j in corners(image, kernel, stride)])


def by_view(image, kernel, stride):
    windows = np.lib.stride_tricks.sliding_window_view(image, (kernel, kernel), axis=(1, 2))
    windows = windows[:, ::stride, ::stride]
    return windows.transpose(1, 2, 0, 3, 4).reshape(-1, image.shape[0] * kernel**2)


def as_lists(image, kernel, stride):
    return cut(image, kernel, stride).tolist()


def by_columns(image, kernel, stride):
    found = sorted(corners(image, kernel, stride), key=lambda corner: corner[::-1])
    return np.array([image[:, i : i + kernel, j : j + kernel].ravel() for i, j in found])


def windows(change):
    """The function that cuts, and changes each window (C, k, k)."""

    def wrong(image, kernel, stride):
        return np.array([change(image[:, i : i + kernel, j : j + kernel]) for i, j in corners(image, kernel, stride)])

    return wrong


def sticking_out(image, kernel, stride):
    _, height, width = image.shape
    return [
        image[:, i : i + kernel, j : j + kernel].ravel()
        for i in range(0, height, stride)
        for j in range(0, width, stride)
    ]


def without_the_last(image, kernel, stride):
    return cut(image[:, :-1, :-1], kernel, stride)


def in_place(image, kernel, stride):
    image *= 0
    return image


RIGHT = [
    ("13.1", cut),
    ("13.1", by_view),
    ("13.1", as_lists),
    ("13.2", 76_345),
    ("13.2", 75**2 + 72**2 + 256.0**2),
    ("13.2", np.array(76_345)),
    ("13.3", "b"),
    ("13.3", " B "),
]

WRONG = [
    ("13.1", ..., "not done yet"),
    ("13.1", lambda image, kernel, stride: ..., "not done yet"),
    ("13.1", in_place, "in place"),
    ("13.1", by_columns, "from left to right first"),
    ("13.1", windows(lambda window: np.moveaxis(window, 0, -1).ravel()), "channel, row, column"),
    ("13.1", windows(lambda window: window.transpose(0, 2, 1).ravel()), "transposed"),
    ("13.1", windows(lambda window: window), "flatten each patch"),
    ("13.1", windows(lambda window: window[0].ravel()), "from the first only"),
    ("13.1", lambda *args: cut(*args).T, "One row per patch"),
    ("13.1", lambda image, kernel, stride: cut(image, kernel, 1), "not by one pixel"),
    ("13.1", lambda image, kernel, stride: cut(image, kernel, kernel), "size of the kernel"),
    ("13.1", sticking_out, "Expected an array of shape"),
    ("13.1", without_the_last, "range excludes its end"),
    ("13.1", lambda *args: cut(*args)[:-1], "Expected shape"),
    ("13.1", lambda *args: 2 * cut(*args), "multiples of the stride"),
    ("13.2", ..., "not done yet"),
    ("13.2", "many", "Expected a number"),
    ("13.2", 75 + 72 + 256, "R is square"),
    ("13.2", 75 * 8 + 72 * 16 + 256 * 10, "These are the weights W"),
    ("13.2", 76_345 + 75 * 8 + 72 * 16 + 256 * 10, "count R only"),
    ("13.2", 75**2 + 72**2, "has an R too"),
    ("13.2", 75**2 + 9**2 + 256**2, "has 8 channels"),
    ("13.2", 25**2 + 72**2 + 256**2, "three channels"),
    ("13.2", 75**2 + 72**2 + 1600**2, "Pool(2) halves"),
    ("13.2", 144 * 75**2 + 16 * 72**2 + 256**2, "share one R"),
    ("13.2", 768**2, "a dense network's first R"),
    ("13.2", 76_000, "three squares"),
    ("13.3", ..., "not done yet"),
    ("13.3", "a", "How well does a noisy neighbour"),
    ("13.3", "c", "at the first step"),
    ("13.3", "d", "not correlated at all"),
    ("13.3", "e", "letters a, b, c, d"),
]


def test_the_lateral_weights_are_those_of_the_network():
    """Count them, as the exercise says."""
    layers = [Conv(8, 5), Pool(2), Conv(16, 3), Dense(10)]
    network = Network(layers, input_shape=(3, 16, 16), rng=np.random.default_rng(0))
    number = sum(layer.R.size for layer in network.layers)
    assert number == 76_345
    verdict = check("13.2", number)
    assert verdict.passed
    assert "75^2 + 72^2 + 256^2" in verdict.message
    assert "86%" in verdict.message


@pytest.mark.parametrize("name", ["mnist-5k", "digits-8x8"])
def test_noise_weakens_the_surround(name):
    """As answer b of 13.3 says, on both sets of digits."""
    data = load_dataset(name)
    patches = Patches((1, *data.image_shape), 5, max(1, data.image_shape[0] // 14))
    sigma = second_moment(patches.cut(as_float(data.train.inputs[:300], "float64")))
    beside = []
    for size in (0.0, 0.1, 0.3, 1.0):
        few = 5 * np.linalg.cholesky(sigma + size**2 * np.eye(25)).T
        *_, R = decorrelation_path(few, 0.2, 800)
        beside.append(R[12, [7, 11, 13, 17]].mean() / R[12, 12])
    assert np.all(np.diff(beside) > 0)
    assert beside[-1] < 0
