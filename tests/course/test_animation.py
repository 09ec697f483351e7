"""The animated cloud: what it shows, and that a browser can show it."""

from __future__ import annotations

import base64
import re
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from copi_np.analysis import decorrelation_path
from copi_np.course import animation
from copi_np.course.animation import (
    Animation,
    animate,
    animate_cloud,
    cloud_strip,
    correlation,
    draw_cloud,
    draw_lateral_weights,
    extent,
)


@pytest.fixture(scope="module")
def cloud():
    return np.random.default_rng(0).normal(size=(50, 2)) @ np.array([[1.2, 0.7], [0.0, 0.5]])


@pytest.fixture(scope="module")
def path(cloud):
    return list(decorrelation_path(cloud, 0.1, 30))


def frames(gif):
    """Every frame as an array of colours, and how long it stays, in milliseconds."""
    shown = []
    with Image.open(BytesIO(gif)) as image:
        for k in range(image.n_frames):
            image.seek(k)
            shown.append((np.asarray(image.convert("RGB")), image.info["duration"]))
    return shown


def test_an_animation_has_every_frame_in_order_and_pauses_on_the_last():
    figure = Figure(figsize=(1, 1), dpi=50)

    def draw(frame):
        figure.patch.set_facecolor(["red", "lime", "blue"][frame])

    shown = frames(animate(figure, draw, 3, per_second=4, pause=3))
    assert [picture[25, 25].tolist() for picture, _ in shown] == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert [time for _, time in shown] == [250, 250, 3000]


def test_the_cloud_is_animated(cloud, path):
    moving_cloud = animate_cloud(cloud, path, steps=range(0, 30, 6))
    shown = frames(moving_cloud.gif)
    assert len(shown) == 5
    for half in (np.s_[40:220, :250], np.s_[40:220, 300:]):  # cloud and curve, without their titles
        assert all(np.any(a[half] != b[half]) for (a, _), (b, _) in pairwise(shown))
    before, after = correlation(cloud), correlation(cloud @ path[24].T)
    assert f"from {before:.2f} to {after:.2f}" in moving_cloud.description
    assert len(moving_cloud.gif) < 100_000


def test_every_frame_shows_the_cloud_of_its_step(cloud, path, monkeypatch):
    drawn = []
    monkeypatch.setattr(animation, "draw_cloud", lambda axes, x, limit: drawn.append(x))
    animate_cloud(cloud, path, steps=(0, 7, 20))
    for x, step in zip(drawn[-3:], (0, 7, 20), strict=True):
        np.testing.assert_allclose(x, cloud @ path[step].T)


def test_the_same_animation_is_the_same_file(cloud, path):
    """Otherwise notebooks would differ after every build."""
    assert animate_cloud(cloud, path, (0, 5)) == animate_cloud(cloud, path, (0, 5))


def test_a_browser_gets_an_inline_image_and_a_description():
    html = Animation(b"GIF89a..", "A cloud.")._repr_html_()
    match = re.fullmatch(r'<img alt="A cloud\." src="data:image/gif;base64,([^"]+)">', html)
    assert base64.b64decode(match[1]) == b"GIF89a.."
    assert repr(Animation(b"", "A cloud.")) == "Animation: A cloud."  # not the bytes


def test_the_strip_shows_the_requested_steps(cloud, path):
    figure = cloud_strip(cloud, path, (0, 10, 30))
    for axes, step in zip(figure.axes, (0, 10, 30), strict=True):
        x = cloud @ path[step].T
        assert axes.get_title() == f"step {step}\ncorrelation {correlation(x):.2f}"
        np.testing.assert_allclose(axes.get_lines()[0].get_xydata(), x)
        (arrows,) = axes.collections
        np.testing.assert_allclose(np.array([arrows.U, arrows.V]), path[step])  # one arrow per column of R


def test_the_arrows_are_the_columns_of_R():
    """R of the cloud above is symmetric, and would not tell its rows from its columns."""
    axes = Figure().subplots()
    draw_lateral_weights(axes, np.array([[1.0, 2.0], [3.0, 4.0]]))
    (arrows,) = axes.collections
    np.testing.assert_array_equal(arrows.U, [1, 2])
    np.testing.assert_array_equal(arrows.V, [3, 4])


def test_correlation_is_not_centred():
    assert correlation(np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]])) == pytest.approx(1)
    assert correlation(np.array([[1.0, 2.0], [1.0, -2.0]])) == 0


def test_the_ellipse_is_that_of_the_second_moments(cloud):
    """Points p on it satisfy p^T C^-1 p = 4: two standard deviations."""
    axes = Figure().subplots()
    draw_cloud(axes, cloud, 3.0)
    ellipse = axes.get_lines()[1].get_xydata()
    C = cloud.T @ cloud / len(cloud)
    np.testing.assert_allclose(np.sum(ellipse @ np.linalg.inv(C) * ellipse, axis=1), 4)
    assert axes.get_xlim() == axes.get_ylim() == (-3, 3)


def test_the_extent_holds_three_standard_deviations():
    assert extent(np.array([[1.0, 2.0], [1.0, -2.0]])) == 6
