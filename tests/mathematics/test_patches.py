"""Patches are cut and added up as loops over positions do, and the two are adjoint."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near
from scipy.signal import correlate
from strategies import SEEDS

from copi_np import InputError
from copi_np.patches import Patches, Pooling


@st.composite
def geometries(draw):
    """Patches of images whose sides and channels differ, so that swapped axes show."""
    channels, height, width = draw(st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)))
    padding = draw(st.integers(0, 2))
    kernel = draw(st.integers(1, min(height, width) + 2 * padding))
    return Patches((channels, height, width), kernel, draw(st.integers(1, 3)), padding)


def cut_in_loops(patches, y):
    """Return the patches of images y (B, C H W), position by position and value by value."""
    channels, height, width = patches.shape
    k, s, p = patches.kernel, patches.stride, patches.padding
    found = []
    for image in y.reshape(-1, channels, height, width):
        for top in range(-p, height + p - k + 1, s):
            for left in range(-p, width + p - k + 1, s):
                patch = []
                for c in range(channels):
                    for i in range(top, top + k):
                        for j in range(left, left + k):
                            inside = 0 <= i < height and 0 <= j < width
                            patch.append(image[c, i, j] if inside else 0.0)
                found.append(patch)
    return np.array(found)


def images_for(patches, seed, n=2):
    return np.random.default_rng(seed).normal(size=(n, patches.n_pixels))


@given(geometries(), SEEDS)
def test_patches_are_those_of_a_loop_over_positions(patches, seed):
    y = images_for(patches, seed)
    rows = patches.cut(y)
    np.testing.assert_array_equal(rows, cut_in_loops(patches, y))
    assert rows.shape == (2 * patches.n_positions, patches.n_values)
    assert patches.n_positions == patches.positions[0] * patches.positions[1]


@given(geometries(), SEEDS)
def test_adding_up_is_the_adjoint_of_cutting(patches, seed):
    """<cut y, r> = <y, add_up r> for all y and r."""
    y, rng = images_for(patches, seed), np.random.default_rng(seed + 1)
    rows = rng.normal(size=(2 * patches.n_positions, patches.n_values))
    added = patches.add_up(rows)
    assert added.shape == y.shape
    assert_near(np.sum(y * added), np.sum(patches.cut(y) * rows), size=np.sum(np.abs(patches.cut(y) * rows)) + 1)


@given(geometries(), SEEDS)
def test_a_kernel_on_patches_is_the_correlation_of_scipy(patches, seed):
    y, kernel = images_for(patches, seed), np.random.default_rng(seed + 2).normal(size=patches.n_values)
    answers = patches.as_images((patches.cut(y) @ kernel)[:, None]).reshape(2, *patches.positions)
    p, s, k = patches.padding, patches.stride, patches.kernel
    for image, answer in zip(y.reshape(2, *patches.shape), answers, strict=True):
        padded = np.pad(image, ((0, 0), (p, p), (p, p)))
        expected = correlate(padded, kernel.reshape(-1, k, k), mode="valid", method="direct")[0, ::s, ::s]
        assert_near(answer, expected, size=10 + np.sum(np.abs(kernel)) * np.max(np.abs(image)))


def test_patches_by_hand():
    patches = Patches((1, 2, 3), 2)
    np.testing.assert_array_equal(patches.cut(np.arange(6.0)[None]), [[0, 1, 3, 4], [1, 2, 4, 5]])
    np.testing.assert_array_equal(patches.add_up(np.ones((2, 4))), [[1, 2, 1, 1, 2, 1]])
    padded = Patches((1, 1, 1), 3, padding=1)
    np.testing.assert_array_equal(padded.cut(np.array([[5.0]])), [[0, 0, 0, 0, 5, 0, 0, 0, 0]])


def test_rows_and_images_by_hand():
    """Two filters at three positions: images have the filter first, rows the position."""
    patches = Patches((1, 1, 3), 1)
    images = np.array([[1, 2, 3, 10, 20, 30]])
    rows = np.array([[1, 10], [2, 20], [3, 30]])
    np.testing.assert_array_equal(patches.as_rows(images), rows)
    np.testing.assert_array_equal(patches.as_images(rows), images)
    np.testing.assert_array_equal(patches.repeat(np.array([2, 5])), [2, 2, 2, 5, 5, 5])
    assert patches.repeat(None) is None


@given(geometries(), st.integers(1, 4), SEEDS)
def test_images_and_rows_are_two_orders_of_the_same(patches, n_filters, seed):
    images = np.random.default_rng(seed).normal(size=(2, n_filters * patches.n_positions))
    np.testing.assert_array_equal(patches.as_images(patches.as_rows(images)), images)


@st.composite
def poolings(draw):
    size = draw(st.integers(1, 3))
    channels, height, width = draw(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)))
    return Pooling((channels, height * size, width * size), size)


@given(poolings(), SEEDS)
def test_means_are_those_of_squares_and_spreading_is_their_adjoint(pooling, seed):
    rng, (channels, height, width), size = np.random.default_rng(seed), pooling.pooled, pooling.size
    y = rng.normal(size=(2, np.prod(pooling.shape)))
    expected = np.zeros((2, channels, height, width))
    images = y.reshape(2, *pooling.shape)
    for c, i, j in np.ndindex(channels, height, width):
        square = images[:, c, i * size : (i + 1) * size, j * size : (j + 1) * size]
        expected[:, c, i, j] = square.reshape(2, -1).mean(axis=1)
    assert_near(pooling.mean(y), expected.reshape(2, -1), size=10)
    signal = rng.normal(size=(2, pooling.n_values))
    assert_near(np.sum(pooling.spread(signal) * y), np.sum(signal * pooling.mean(y)), size=100)


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="a kernel of 4 x 4 does not fit into 3 x 5 pixels"):
        Patches((1, 3, 5), 4)
    assert Patches((1, 3, 5), 4, padding=1).positions == (2, 4)
    with pytest.raises(InputError, match="squares of 2 x 2 do not cover 4 x 5 pixels: pool by a divisor"):
        Pooling((1, 4, 5), 2)
