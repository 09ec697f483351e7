"""Representations: samples, receptive fields and compression (Figure 3)."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from textwrap import fill
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from copi_np.errors import InputError
from copi_np.plotting.style import FIGURE_WIDTH, STYLE, legend_below, looks

NDArray = npt.NDArray[Any]
GAP: Final = 2
"""Pixels of white between the pictures of a block."""
SHOWN: Final = 0.995
"""Share of the values that a scale from black to white holds; the few beyond would leave no contrast to the rest."""

PLANES: Final = (1, 3)
"""Numbers of colour planes that an image may have."""
LABEL: Final = 13
"""Characters of a line beside a row of images."""
BLOCKS_A_ROW: Final = 4
"""Blocks side by side."""
MOST_INCHES: Final = 9.6
"""Width of a figure of blocks, however wide its pictures are: in a wider one the letters are too small on paper."""


def image_rows(rows: Mapping[str, NDArray], image_shape: tuple[int, ...]) -> Figure:
    """Rows of images, such as digits raw, decorrelated by COPI, and ZCA-whitened (Figure 3A).

    Parameters
    ----------
    rows : mapping              from a row's label to its images, (N, I) each; columns show the same sample
    image_shape : tuple of int  as for `as_picture`

    Returns
    -------
    figure : Figure             each row on a scale of its own; zero is mid-grey where values have both signs
    """
    lengths = {len(images) for images in rows.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise InputError(f"need one or more rows of equally many images, got rows of {sorted(lengths)}")
    with rc_context(STYLE):
        n_columns = lengths.pop()
        figure = Figure(figsize=(0.78 * n_columns + 1.2, 0.8 * len(rows)), layout="constrained")
        for (label, images), row in zip(
            rows.items(), figure.subplots(len(rows), n_columns, squeeze=False), strict=True
        ):
            high = float(_scale(images))
            low = -high if images.min() < 0 else 0.0
            for axes, image in zip(row, images, strict=True):
                _show(axes, as_picture((image - low) / (high - low), image_shape))
            text = fill(label, LABEL, break_long_words=False)
            row[0].set_ylabel(text, rotation=0, horizontalalignment="right", verticalalignment="center")
    return figure


def field_blocks(layers: Mapping[str, NDArray], image_shape: tuple[int, ...]) -> Figure:
    """Receptive fields, a block of pictures for each layer, up to four side by side (Figure 3B).

    Parameters
    ----------
    layers : mapping            from a layer's label to the fields of its units, (N, I) each: ten rows of pictures, or
                                five where there are ten units or fewer
    image_shape : tuple of int  as for `as_picture`

    Returns
    -------
    figure : Figure             each field on a scale of its own: zero is mid-grey

    Raises
    ------
    InputError                  if there are no layers, a layer has no units, or the fields are no images of that shape
    """
    if not layers or not all(len(fields) for fields in layers.values()):
        raise InputError("need one layer or more, each with the field of one unit or more")
    blocks = {label: _block(fields, image_shape) for label, fields in layers.items()}
    shapes = [block.shape[1] / block.shape[0] for block in blocks.values()]
    with rc_context(STYLE):
        n_rows, n_columns = ceil(len(blocks) / BLOCKS_A_ROW), min(len(blocks), BLOCKS_A_ROW)
        widths = [max(shapes[column::n_columns]) for column in range(n_columns)]
        width = min(2.7 * sum(widths), MOST_INCHES)
        height = max(width / sum(widths), 0.7) + 0.3  # of a block and its title
        figure = Figure(figsize=(width, height * n_rows), layout="constrained")
        grid = figure.subplots(n_rows, n_columns, squeeze=False, width_ratios=widths).ravel()
        for axes, (label, block) in zip(grid, blocks.items(), strict=False):
            _show(axes, block)
            axes.set_title(label)
        for axes in grid[len(blocks) :]:
            axes.remove()
    return figure


def compression_curves(
    test: Mapping[str, npt.ArrayLike],
    train: Mapping[str, npt.ArrayLike] | None = None,
    test_loss: Mapping[str, npt.ArrayLike] | None = None,
) -> Figure:
    """Accuracy by the number of layers replaced by one matrix, from none on (Figure 3C); train dashed and test solid.

    Parameters
    ----------
    test, train : mapping       from a label to accuracies 0 to 1, (K,) of one network or (S, K) of S seeds, of which
                                the mean and the standard deviation are shown; the first is of the network as trained
    test_loss : mapping         the same of losses, for a second panel

    Returns
    -------
    figure : Figure
    """
    panels = [("accuracy (%)", 100, {"-": test, "--": train or {}})]
    if test_loss is not None:
        panels.append(("test loss per sample", 1, {"-": test_loss}))
    with rc_context(STYLE):
        figure = Figure(figsize=(6.4 if test_loss is None else FIGURE_WIDTH, 4.0), layout="constrained")
        row = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (name, unit, by_style) in zip(row, panels, strict=True):
            for style, curves in by_style.items():
                for (label, values), look in zip(curves.items(), looks(len(curves)), strict=True):
                    line = {"label": label if style == "-" else None, "linestyle": style, **look}
                    _error_bars(axes, unit * np.atleast_2d(np.asarray(values, dtype=np.float64)), **line)
            axes.set(xlabel="layers replaced by one matrix", ylabel=name)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if train:
            row[0].plot([], [], "-", color="gray", label="test")
            row[0].plot([], [], "--", color="gray", label="train")
        if test_loss is not None:
            row[1].set_yscale("log")
        legend_below(figure, *row[0].get_legend_handles_labels())
    return figure


def _error_bars(axes: Any, values: NDArray, **line: Any) -> None:
    """The mean over seeds, the first axis of `values`, with the standard deviation if there are several."""
    deviation = values.std(axis=0, ddof=1) if len(values) > 1 else None
    axes.errorbar(np.arange(values.shape[1]), values.mean(axis=0), deviation, capsize=3, **line)


def as_picture(image: NDArray, image_shape: tuple[int, ...]) -> NDArray:
    """One flat image (I,) as a picture.

    Parameters
    ----------
    image : (I,) array
    image_shape : tuple of int      of I pixels: (height, width), or with colour planes, one or three, first or last

    Returns
    -------
    picture : array                 (height, width), or (height, width, planes); of any other shape, one row (1, I)

    Raises
    ------
    InputError                      if the shape does not hold I pixels
    """
    if image.size != np.prod(image_shape):
        raise InputError(f"images of {image.size} pixels are not {image_shape}: give (height, width) to fit")
    picture = image.reshape(image_shape)
    if picture.ndim == 2:
        return picture
    if picture.ndim == 3 and picture.shape[0] in PLANES:
        picture = np.moveaxis(picture, 0, -1)
    return picture if picture.ndim == 3 and picture.shape[-1] in PLANES else image[None]


def _block(fields: NDArray, image_shape: tuple[int, ...]) -> NDArray:
    """Fields as one picture, row by row on white, each from black (0) over no weight (0.5) to white (1)."""
    n_columns = ceil(len(fields) / (10 if len(fields) > 10 else 5))
    n_rows = ceil(len(fields) / n_columns)
    pictures = [as_picture(field, image_shape) for field in 0.5 + 0.5 * fields / _scale(fields, axis=1)[:, None]]
    height, width = (side + GAP for side in pictures[0].shape[:2])
    block = np.ones((n_rows * height - GAP, n_columns * width - GAP, *pictures[0].shape[2:]))
    for k, picture in enumerate(pictures):
        top, left = k // n_columns * height, k % n_columns * width
        block[top : top + height - GAP, left : left + width - GAP] = picture
    return block


def _scale(values: NDArray, axis: int | None = None) -> NDArray:
    """The size of all values, or of all along an axis, but for the few largest; 1 for values that are all zero."""
    size = np.quantile(np.abs(values), SHOWN, axis=axis)
    return np.where(size > 0, size, 1.0)


def _show(axes: Any, picture: NDArray) -> None:
    """Draw a picture of values from 0, black, to 1, white; what lies outside is cut off."""
    axes.imshow(np.clip(picture, 0, 1), cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
