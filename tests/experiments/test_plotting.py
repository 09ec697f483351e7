"""The figures: what they draw and how, and that drawing leaves no state behind."""

from __future__ import annotations

import io
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from copi_np import DataError, InputError
from copi_np.callbacks import EpochRecord
from copi_np.plotting import (
    COLOURS,
    MARKERS,
    as_picture,
    compression_curves,
    field_blocks,
    image_rows,
    label_ends,
    learning_curves,
    looks,
    save_figure,
)
from copi_np.plotting.labels import apart
from copi_np.plotting.style import DPI


def history(offset, n=3):
    return [
        EpochRecord(e, 0.5 + 0.1 * e + offset, 0.4 + 0.1 * e + offset, 1 / e + offset, 2 / e + offset, [0.1], 1.0)
        for e in range(1, n + 1)
    ]


HISTORIES = {"COPI (BP)": history(0.0), "BP (Adam)": history(0.05)}


def drawn(axes):
    """The lines that hold data, by (colour, style)."""
    return {(line.get_color(), line.get_linestyle()): line for line in axes.get_lines() if len(line.get_xdata())}


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: learning_curves({}), "need the history of at least one method, got none"),
        (lambda: field_blocks({}, (2, 2)), "need at least one layer, and at least one unit in each"),
        (lambda: field_blocks({"a": np.zeros((0, 4))}, (2, 2)), "need at least one layer, and at least one unit in"),
        (lambda: save_figure(Figure(), Path("x.foo")), "^unknown figure format 'foo': known: .*png"),
        (lambda: save_figure(Figure(), Path("png")), "^unknown figure format ''"),
    ],
)
def test_what_cannot_be_drawn_is_named(draw, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message) as error:
        draw()
    assert str(error.value).isprintable()
    assert not list(tmp_path.iterdir())


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


def legend_lines(figure):
    """The lines of the legend by their text."""
    (legend,) = figure.legends
    return {text.get_text(): line for text, line in zip(legend.texts, legend.get_lines(), strict=True)}


def end_labels(axes):
    """The texts at the ends of curves, by their words."""
    return {text.get_text(): text for text in axes.texts}


def test_curves_have_their_names_at_their_ends_and_the_legend_names_both_styles():
    figure = learning_curves(HISTORIES)
    assert {name: line.get_linestyle() for name, line in legend_lines(figure).items()} == {"test": "-", "train": "--"}
    labels = end_labels(figure.axes[0])
    assert list(labels) == ["COPI (BP)", "BP (Adam)"]
    for (name, records), colour in zip(HISTORIES.items(), COLOURS, strict=False):
        assert labels[name].get_color() == colour
        end = figure.axes[0].transAxes.transform(labels[name].xy)
        expected = figure.axes[0].transData.transform((3, 100 * records[-1].test_accuracy))
        assert np.allclose(end, expected, atol=1)  # pixels
    assert not end_labels(figure.axes[1])


@pytest.mark.parametrize(
    "many", [{f"run {k}": history(0.01 * k) for k in range(7)}, {"a name of 21 letters!": history(0)}]
)
def test_many_curves_or_long_names_are_in_the_legend(many):
    figure = learning_curves(many)
    assert {name: line.get_linestyle() for name, line in legend_lines(figure).items()} == {
        **dict.fromkeys(many, "-"),
        "test": "-",
        "train": "--",
    }
    assert not end_labels(figure.axes[0])


def test_curves_that_coincide_can_be_told_apart():
    """The first is broader, and their markers are at different epochs."""
    figure = learning_curves({"one": history(0.0, 12), "other": history(0.0, 12)})
    for axes in figure.axes:
        one, other = (drawn(axes)[colour, "-"] for colour in COLOURS[:2])
        assert np.array_equal(one.get_ydata(), other.get_ydata())
        assert one.get_linewidth() > 1.5 * other.get_linewidth()
        assert one.get_zorder() == other.get_zorder()  # so the thin one is on top
        marked = [set(range(12)[line.get_markevery()[0] :: line.get_markevery()[1]]) for line in (one, other)]
        assert all(marked)
        assert not marked[0] & marked[1]


def test_labels_at_the_ends_do_not_overlap():
    figure = Figure(figsize=(4, 3), layout="constrained")
    axes = figure.subplots()
    for k, end in enumerate((1.0, 1.001, 1.002, 0.2, 1.0)):
        axes.plot([0, 1], [0, end], label=f"curve {k}")
    axes.plot([0, 1], [0, 0.5])
    axes.plot([0, 1, 2], [0, 0.7, np.nan], label="diverges")
    axes.plot([np.nan], [np.nan], label="nothing")
    label_ends(axes)
    figure.draw_without_rendering()
    boxes = {text.get_text(): Text.get_window_extent(text) for text in axes.texts}  # without the thin lines
    assert list(boxes) == [*(f"curve {k}" for k in range(5)), "diverges"]
    for one, other in combinations(boxes.values(), 2):
        assert not one.overlaps(other)
    middles = {name: (box.y0 + box.y1) / 2 for name, box in boxes.items()}
    ends = {"curve 3": 0.2, "diverges": 0.7}
    for name, end in ends.items():  # those with enough room stay at the height of their curve
        assert abs(middles[name] - axes.transData.transform((1, end))[1]) < 3
    assert middles["curve 1"] < middles["curve 2"]
    assert all(0 <= box.x0 < box.x1 <= figure.bbox.width for box in boxes.values())


@pytest.mark.parametrize(
    ("heights", "expected"),
    [
        ([], []),
        ([0.3], [0.3]),
        ([0.2, 0.8], [0.2, 0.8]),
        ([0.5, 0.5], [0.45, 0.55]),
        ([0.8, 0.2, 0.25], [0.8, 0.175, 0.275]),
        ([0.5, 0.5, 0.5, 0.0], [0.4, 0.5, 0.6, 0.0]),
    ],
)
def test_heights_are_moved_apart_as_little_as_possible(heights, expected):
    assert np.allclose(apart(heights, 0.1), expected)


def test_axes_are_labelled():
    accuracy, loss = learning_curves(HISTORIES).axes
    assert (accuracy.get_xlabel(), accuracy.get_ylabel()) == ("epoch", "accuracy (%)")
    assert loss.get_xlabel() == "epoch"
    assert loss.get_ylabel().startswith("loss")
    assert loss.get_yscale() == "log"


def test_looks_differ():
    assert len(set(COLOURS)) == len(COLOURS) == len(set(MARKERS)) == len(MARKERS) >= 8
    many = {str(i): history(0.01 * i) for i in range(8)}
    lines = learning_curves(many).axes[0].get_lines()[:16]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 16
    assert len({(line.get_marker(), line.get_linestyle()) for line in lines}) == 16  # in grey
    assert {line.get_fillstyle() for line in lines} == {"none"}


@pytest.mark.parametrize(("n_points", "n_marked"), [(1, 1), (8, 8), (9, 5), (25, 7), (1000, 8)])
def test_long_curves_have_few_markers(n_points, n_marked):
    (look,) = looks(1, n_points)
    start, every = look["markevery"]
    assert start == 0
    assert len(range(start, n_points, every)) == n_marked <= 8


# what the colour-blind see, in linear RGB: Machado, Oliveira and Fernandes 2009, severity 1
VISIONS = {
    "all colours": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def linear(colour):
    """A colour of sRGB in linear RGB."""
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """Linear RGB in CIELAB, where a distance of 2.3 is just noticeable."""
    x, y, z = (XYZ @ rgb) / (XYZ @ np.ones(3))
    x, y, z = (np.cbrt(v) if v > (6 / 29) ** 3 else v / (3 * (6 / 29) ** 2) + 4 / 29 for v in (x, y, z))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_differ_to_the_colour_blind(vision):
    """From each other and from the white background."""
    seen = [lab(np.clip(np.array(VISIONS[vision]) @ linear(colour), 0, 1)) for colour in (*COLOURS, "white")]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 15


def luminance(colour):
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def test_curves_stand_out_from_white():
    """All but the two palest have the contrast that WCAG asks of graphics, 3; those two have 2."""
    contrasts = sorted(1.05 / (luminance(colour) + 0.05) for colour in COLOURS)
    assert contrasts[0] > 2
    assert contrasts[3] > 3


FIGURES = {
    "learning curves": lambda: learning_curves(HISTORIES, "title"),
    "image rows": lambda: image_rows({"raw": np.eye(10), "BP + decorrelation": np.eye(10)}, (2, 5)),
    "field blocks": lambda: field_blocks(dict.fromkeys(("layer 1", "layer 2", "layer 3"), np.eye(100)), (10, 10)),
    "field blocks of many layers": lambda: field_blocks({f"layer {k}": np.eye(100) for k in range(7)}, (10, 10)),
    "compression": lambda: compression_curves({"a": [1, 0.9]}, {"a": [1, 0.9]}, {"a": [1, 2]}),
    "many long labels": lambda: learning_curves(LONG, "a title of " + "many words " * 20),
}
LONG = {f"COPI (BP), eta_W=0.00{k}, batch_size=20, decorrelation=local": history(0.01 * k) for k in range(8)}


def is_a_white_card(picture):
    """Return whether a picture is opaque, with a white margin of a tenth of an inch on all sides."""
    margin = int(0.1 * DPI)
    edges = (picture[:margin], picture[-margin:], picture[:, :margin], picture[:, -margin:])
    return np.all(picture[..., 3:] == 1) and all(np.all(edge == 1) for edge in edges)


@pytest.mark.parametrize("folder", ["docs/figures", "results"])
def test_figures_of_the_pages_have_this_style(folder):
    files = sorted((Path(__file__).parents[2] / folder).rglob("*.png"))
    assert len(files) >= 8
    assert [file.name for file in files if not is_a_white_card(imread(file))] == []


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_legible_on_paper_and_on_a_dark_page(name, tmp_path):
    """Opaque, with a white margin and nothing cut off; type is at least 7-point in a 6.3-inch text column."""
    figure = FIGURES[name]()
    picture = imread(save_figure(figure, tmp_path / "figure.png"))
    assert is_a_white_card(picture)
    inches = picture.shape[1] / DPI
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(Text) if text.get_text().strip()]
    assert min(text.get_fontsize() for text in texts) * min(1, 6.3 / inches) > 7


def test_long_legends_and_titles_stay_within_the_figure():
    figure = FIGURES["many long labels"]()
    figure.draw_without_rendering()
    boxes = [*(text.get_window_extent() for text in figure.legends[0].texts), figure._suptitle.get_window_extent()]
    for box in boxes:
        assert 0 <= box.x0 < box.x1 <= figure.bbox.width
        assert 0 <= box.y0 < box.y1 <= figure.bbox.height
    assert not any(box.overlaps(figure.axes[0].bbox) for box in boxes)
    few = FIGURES["learning curves"]()
    few.draw_without_rendering()
    assert figure.axes[0].bbox.height == pytest.approx(few.axes[0].bbox.height, rel=0.1)  # not squeezed


def test_labels_of_rows_do_not_touch():
    figure = image_rows({name: np.eye(10) for name in ("raw", "BP + decorrelation", "ZCA")}, (2, 5))
    figure.draw_without_rendering()
    boxes = [axes.yaxis.label.get_window_extent() for axes in figure.axes if axes.get_ylabel()]
    assert len(boxes) == 3
    assert min(box.x0 for box in boxes) >= 0
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def saved_size(figure):
    content = io.BytesIO()
    figure.savefig(content, format="png")
    content.seek(0)
    picture = imread(content)
    assert picture[..., :3].std() > 0.01
    return picture.shape[:2]


def test_figures_are_figures_and_leave_no_state():
    before = dict(mpl.rcParams)
    figures = [
        learning_curves(HISTORIES),
        image_rows({"raw": np.eye(4)}, (2, 2)),
        field_blocks({"layer 1": np.eye(100)}, (10, 10)),
        compression_curves({"a": [1, 0.9]}),
    ]
    assert dict(mpl.rcParams) == before
    for figure in figures:
        assert isinstance(figure, Figure)
        height, width = saved_size(figure)
        assert height > 60
        assert width > 200


@pytest.mark.parametrize(("n_epochs", "limits"), [(1, (8, 12)), (2, (8, 82)), (3, (8, 92)), (4, (78, 100.5))])
def test_the_axis_shows_all_epochs_but_the_first_where_there_are_many(n_epochs, limits):
    """It is at chance if only the lateral weights learn. No accuracy is above 100 %."""
    accuracies = [0.1, 0.8, 0.9, 0.99][:n_epochs]
    records = [EpochRecord(k, a, a, 0.1, 0.1, [0.1], 1.0) for k, a in enumerate(accuracies, start=1)]
    assert learning_curves({"COPI (BP)": records}).axes[0].get_ylim() == pytest.approx(limits)


def test_several_seeds_are_drawn_as_a_mean_with_an_envelope():
    """The standard deviation, n - 1 in the denominator, over the epochs that all seeds have."""
    seeds = [history(0.0), history(0.1), history(0.05, n=2)]
    accuracy, loss = learning_curves({"COPI (BP)": seeds, "one": history(0.0)}).axes
    for axes, unit, name in ((accuracy, 100, "test_accuracy"), (loss, 1, "test_loss")):
        line = drawn(axes)[COLOURS[0], "-"]
        values = unit * np.array([[getattr(record, name) for record in run[:2]] for run in seeds])
        assert line.get_xdata().tolist() == [1, 2]
        assert np.allclose(line.get_ydata(), values.mean(axis=0))
        _, test = axes.collections  # of several seeds alone
        low, high = (test.get_paths()[0].vertices[:, 1].min(), test.get_paths()[0].vertices[:, 1].max())
        deviation = values.std(axis=0, ddof=1)
        assert low == pytest.approx((values.mean(axis=0) - deviation).min())
        assert high == pytest.approx((values.mean(axis=0) + deviation).max())


def test_a_title_is_above_both_panels():
    assert learning_curves(HISTORIES, "MNIST").get_suptitle() == "MNIST"
    assert learning_curves(HISTORIES).get_suptitle() == ""


def test_a_single_epoch_can_be_drawn():
    assert saved_size(learning_curves({"a": history(0, n=1)}))[0] > 300


# ---------------------------------------------------------------- compression


def points(container):
    """Return the numbers of layers replaced, the means, and the ends of the error bars, if there are any."""
    line, _, bars = container
    ends = [segment[:, 1] for segment in bars[0].get_segments()] if container.has_yerr else None
    return line.get_xdata().tolist(), line.get_ydata(), ends


def test_compression_starts_with_no_layer_replaced():
    """In percent: the mean of several seeds with standard deviations as bars, or one network without bars."""
    several = np.array([[0.9, 0.8, 0.4], [0.7, 0.8, 0.6]])
    figure = compression_curves({"one": [0.99, 0.9, 0.8], "two": several})
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("layers replaced by one matrix", "accuracy (%)")
    assert [text.get_text() for text in figure.legends[0].texts] == ["one", "two"]
    (x_one, one, no_bars), (x_two, two, bars) = map(points, axes.containers)
    assert x_one == x_two == [0, 1, 2]
    assert np.allclose(one, [99, 90, 80])
    assert no_bars is None
    assert np.allclose(two, [80, 80, 50])
    half = 10 * 2**0.5  # n - 1 in the denominator
    assert np.allclose(bars, [[80 - half, 80 + half], [80, 80], [50 - half, 50 + half]])
    looks = {(line.get_color(), line.get_marker()) for line, _, _ in axes.containers}
    assert len({colour for colour, _ in looks}) == len({marker for _, marker in looks}) == 2


def test_compression_of_the_training_set_is_dashed_and_losses_have_a_panel():
    """One colour per label, in both panels."""
    labels = ["a", "b"]
    test, train, loss = ({label: [high, high / 2] for label in labels} for high in (0.8, 1.0, 4.0))
    figure = compression_curves(test, train, loss)
    accuracy, losses = figure.axes
    styles = {(line.get_color(), line.get_linestyle()): line.get_ydata() for line, _, _ in accuracy.containers}
    assert set(styles) == {(colour, style) for colour in COLOURS[:2] for style in ("-", "--")}
    assert np.allclose(styles[COLOURS[0], "-"], [80, 40])
    assert np.allclose(styles[COLOURS[1], "--"], [100, 50])
    assert {text.get_text() for text in figure.legends[0].texts} == {"a", "b", "train", "test"}
    assert losses.get_ylabel() == "test loss per sample"
    assert losses.get_yscale() == "log"
    assert [line.get_color() for line, _, _ in losses.containers] == list(COLOURS[:2])
    for container in losses.containers:
        assert points(container)[0] == [0, 1]
        assert np.allclose(points(container)[1], [4, 2])


# ---------------------------------------------------------------- pictures


def shown(axes):
    """Return the picture on axes, as values from 0 (black) to 1 (white)."""
    (picture,) = axes.get_images()
    assert picture.get_clim() == (0, 1)
    return np.asarray(picture.get_array())


def test_images_are_in_labelled_rows():
    rows = {"raw": np.arange(18.0).reshape(3, 6) / 17, "ZCA": -np.arange(18.0).reshape(3, 6)}
    figure = image_rows(rows, (2, 3))
    assert len(figure.axes) == 6
    assert [figure.axes[0].get_ylabel(), figure.axes[3].get_ylabel()] == ["raw", "ZCA"]
    for axes, image in zip(figure.axes, [*rows["raw"], *(0.5 + rows["ZCA"] / 34)], strict=True):
        assert np.allclose(shown(axes), image.reshape(2, 3), atol=0.01)


def test_zero_is_mid_grey_where_values_have_both_signs():
    """And black if they have one sign; each row has its own scale."""
    figure = image_rows({"raw": np.array([[0.0, 1.0]]), "ZCA": np.array([[-4.0, 0.0]])}, (1, 2))
    assert [shown(axes)[0].round(2).tolist() for axes in figure.axes] == [[0, 1], [0, 0.5]]


def test_a_few_large_values_do_not_set_the_scale():
    image = np.concatenate([np.ones(999), [1000.0]])
    assert shown(image_rows({"raw": image[None]}, (20, 50)).axes[0]).min() > 0.9
    assert np.sum(shown(field_blocks({"a": -image[None]}, (20, 50)).axes[0]) < 0.1) == 1000


def test_rows_of_zeros_can_be_drawn():
    image_rows({"raw": np.zeros((2, 4))}, (2, 2)).savefig(io.BytesIO())


def test_three_planes_are_three_colours():
    """Whether planes come first or last; a single plane is grey; anything that is not an image becomes one row."""
    rgb = np.arange(12.0).reshape(2, 2, 3)
    assert np.array_equal(as_picture(rgb.ravel(), (2, 2, 3)), rgb)
    assert np.array_equal(as_picture(np.moveaxis(rgb, -1, 0).ravel(), (3, 2, 2)), rgb)
    for image_shape in ((1, 2, 6), (2, 6, 1)):
        assert np.array_equal(as_picture(rgb.ravel(), image_shape)[..., 0], rgb.reshape(2, 6))
    for image_shape in ((12,), (2, 3, 2), (2, 2, 3, 1)):
        assert np.array_equal(as_picture(rgb.ravel(), image_shape), rgb.reshape(1, 12))
    picture = shown(image_rows({"ZCA": np.array([[-1.0, 0.0, 1.0]])}, (3, 1, 1)).axes[0])
    assert np.allclose(picture, [[[0, 0.5, 1]]], atol=0.01)


def tiles(block, n_rows, n_columns, height, width):
    """Return the pictures of a block, which are two white pixels apart."""
    assert block.shape[:2] == (n_rows * (height + 2) - 2, n_columns * (width + 2) - 2)
    found, ground = [], block.copy()
    for row, column in np.ndindex(n_rows, n_columns):
        top, left = row * (height + 2), column * (width + 2)
        found.append(block[top : top + height, left : left + width])
        ground[top : top + height, left : left + width] = 1
    assert np.all(ground == 1)
    return found


@pytest.mark.parametrize(
    ("n_units", "n_rows", "n_columns"), [(100, 10, 10), (10, 5, 2), (3, 3, 1), (11, 6, 2), (95, 10, 10)]
)
def test_fields_form_a_block(n_units, n_rows, n_columns):
    """Row by row, each on its own scale with zero in the middle; places left over stay white."""
    fields = np.random.default_rng(0).normal(size=(n_units, 6)) * np.logspace(-3, 3, n_units)[:, None]
    (axes,) = field_blocks({"layer 1": fields}, (2, 3)).axes
    assert axes.get_title() == "layer 1"
    pictures = tiles(shown(axes), n_rows, n_columns, 2, 3)
    for picture, field in zip(pictures, fields, strict=False):
        assert np.allclose(picture, 0.5 + 0.5 * field.reshape(2, 3) / np.abs(field).max(), atol=0.02)
    assert all(np.all(picture == 1) for picture in pictures[n_units:])


def test_blocks_of_layers_are_side_by_side():
    figure = field_blocks({"layer 1": np.eye(20), "output layer": np.eye(3, 20)}, (4, 5))
    left, right = figure.axes
    assert [left.get_title(), right.get_title()] == ["layer 1", "output layer"]
    figure.draw_without_rendering()
    one, other = left.get_position(), right.get_position()
    assert one.x1 < other.x0
    assert np.allclose([one.y0, one.y1], [other.y0, other.y1], atol=0.05)


def test_fields_that_are_not_images_do_not_make_a_huge_figure():
    assert saved_size(field_blocks({"layer 1": np.eye(100, 700)}, (1, 700)))[1] < 5000


def test_fields_in_colour_and_fields_of_nothing():
    fields = np.array([[2.0, 0, -2], [0, 0, 0]])
    (axes,) = field_blocks({"layer 1": fields}, (3, 1, 1)).axes
    lit, silent = tiles(shown(axes), 2, 1, 1, 1)
    assert np.allclose(lit, [[[1, 0.5, 0]]], atol=0.01)
    assert np.all(silent == 0.5)


def test_a_figure_is_saved_or_the_place_named(tmp_path):
    figure = image_rows({"raw": np.eye(4)}, (2, 2))
    assert save_figure(figure, tmp_path / "a.png") == tmp_path / "a.png"
    assert imread(tmp_path / "a.png").size > 0
    with pytest.raises(DataError, match=r"cannot write .*nowhere.*: check the folder") as error:
        save_figure(figure, tmp_path / "nowhere" / "a.png")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("image_shape", [(2, 2), (4,), (3, 5), (3, 2, 1)])
def test_an_image_shape_that_does_not_fit_is_refused(image_shape):
    with pytest.raises(InputError, match=r"images of 5 pixels do not fit .*: give their \(height, width\)") as error:
        image_rows({"raw": np.zeros((2, 5))}, image_shape)
    assert str(image_shape) in str(error.value)
