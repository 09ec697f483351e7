"""The figures: what is drawn how, and that drawing leaves nothing behind."""

from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from copi_np import InputError
from copi_np.plotting import COLOURS, as_picture, compression_curves, image_rows, learning_curves
from copi_np.training import EpochRecord


def history(offset, n=3):
    return [
        EpochRecord(e, 0.5 + 0.1 * e + offset, 0.4 + 0.1 * e + offset, 1 / e + offset, 2 / e + offset, [0.1], 1.0)
        for e in range(1, n + 1)
    ]


HISTORIES = {"COPI (BP)": history(0.0), "BP (Adam)": history(0.05)}


def drawn(axes):
    """The lines that hold data, by (colour, style)."""
    return {(line.get_color(), line.get_linestyle()): line for line in axes.get_lines() if len(line.get_xdata())}


def test_train_is_dashed_and_test_is_solid():
    figure = learning_curves(HISTORIES)
    accuracy, loss = figure.axes
    for axes, unit, quantity in ((accuracy, 100, "accuracy"), (loss, 1, "loss")):
        lines = drawn(axes)
        assert len(lines) == 4
        for (label, records), colour in zip(HISTORIES.items(), COLOURS, strict=False):
            for split, style in (("train", "--"), ("test", "-")):
                line = lines[colour, style]
                assert line.get_xdata().tolist() == [1, 2, 3], label
                expected = [unit * getattr(record, f"{split}_{quantity}") for record in records]
                assert np.allclose(line.get_ydata(), expected), (label, split, quantity)


def test_the_legend_names_every_method_and_both_styles():
    figure = learning_curves(HISTORIES)
    (legend,) = figure.legends
    styles = {
        text.get_text(): line.get_linestyle() for text, line in zip(legend.texts, legend.get_lines(), strict=True)
    }
    assert styles == {"COPI (BP)": "-", "BP (Adam)": "-", "test": "-", "train": "--"}
    colours = {text.get_text(): line.get_color() for text, line in zip(legend.texts, legend.get_lines(), strict=True)}
    assert colours["COPI (BP)"] != colours["BP (Adam)"]


def test_axes_are_labelled():
    accuracy, loss = learning_curves(HISTORIES).axes
    assert (accuracy.get_xlabel(), accuracy.get_ylabel()) == ("epoch", "accuracy (%)")
    assert loss.get_xlabel() == "epoch"
    assert loss.get_ylabel().startswith("loss")
    assert loss.get_yscale() == "log"


def test_colours_are_different():
    assert len(set(COLOURS)) == len(COLOURS) >= 8
    many = {str(i): history(0.01 * i) for i in range(8)}
    assert len(drawn(learning_curves(many).axes[0])) == 16


def saved_size(figure):
    content = io.BytesIO()
    figure.savefig(content, format="png")
    content.seek(0)
    picture = imread(content)
    assert picture[..., :3].std() > 0.01
    return picture.shape[:2]


def test_figures_are_figures_and_leave_no_state():
    before = dict(mpl.rcParams)
    figures = [learning_curves(HISTORIES), image_rows({"raw": np.eye(4)}, (2, 2)), compression_curves({"a": [1, 0.9]})]
    assert dict(mpl.rcParams) == before
    for figure in figures:
        assert isinstance(figure, Figure)
        height, width = saved_size(figure)
        assert height > 80
        assert width > 300


def test_a_single_epoch_can_be_drawn():
    assert saved_size(learning_curves({"a": history(0, n=1)}))[0] > 300


def test_compression_is_shown_from_no_layer_saved_on():
    """In per cent; the mean of several seeds, with their standard deviation as bars, or one network without bars."""
    several = np.array([[0.9, 0.8, 0.4], [0.7, 0.8, 0.6]])
    (axes,) = compression_curves({"train": [0.99, 0.9, 0.8], "test": several}).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("layers saved", "accuracy (%)")
    one, other = axes.containers
    assert [text.get_text() for text in axes.get_legend().texts] == ["train", "test"]
    for container, percent in ((one, [99, 90, 80]), (other, [80, 80, 50])):
        line, _, bars = container
        assert line.get_xdata().tolist() == [0, 1, 2]
        assert np.allclose(line.get_ydata(), percent)
        if container is other:
            assert np.allclose([segment[:, 1] for segment in bars[0].get_segments()], [[70, 90], [80, 80], [40, 60]])
    assert not one.has_yerr
    assert one[0].get_color() != other[0].get_color()


def test_images_stand_in_labelled_rows():
    rows = {"raw": np.arange(18.0).reshape(3, 6), "ZCA": -np.arange(18.0).reshape(3, 6)}
    figure = image_rows(rows, (2, 3))
    assert len(figure.axes) == 6
    assert [figure.axes[0].get_ylabel(), figure.axes[3].get_ylabel()] == ["raw", "ZCA"]
    for axes, image in zip(figure.axes, np.concatenate(list(rows.values())), strict=True):
        (picture,) = axes.get_images()
        assert np.array_equal(picture.get_array(), image.reshape(2, 3))


def test_zero_is_mid_grey_where_values_have_both_signs():
    figure = image_rows({"raw": np.array([[0.0, 1.0]]), "ZCA": np.array([[-1.0, 3.0]])}, (1, 2))
    (low, high), (below, above) = (axes.get_images()[0].get_clim() for axes in figure.axes)
    assert low == 0
    assert high > 0
    assert below == -above < 0


def test_rows_of_zeros_can_be_drawn():
    image_rows({"raw": np.zeros((2, 4))}, (2, 2)).savefig(io.BytesIO())


def test_colour_planes_are_averaged():
    image = np.stack([np.full((2, 2), 1.0), np.full((2, 2), 2.0), np.full((2, 2), 6.0)])
    assert as_picture(image.ravel(), (3, 2, 2)).tolist() == [[3, 3], [3, 3]]


@pytest.mark.parametrize("image_shape", [(2, 2), (5,), (5, 1, 1, 1), (3, 5)])
def test_an_image_shape_that_does_not_fit_is_refused(image_shape):
    with pytest.raises(InputError, match="images of 5 pixels") as error:
        image_rows({"raw": np.zeros((2, 5))}, image_shape)
    assert str(image_shape) in str(error.value)
