"""Representations: samples, receptive fields and compression (Figure 3)."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from textwrap import fill
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from copi_np.arrays import NDArray, safe_divisor
from copi_np.errors import InputError
from copi_np.plotting.style import FIGURE_WIDTH, StyledFigure, legend_below, literal, looks, own_style

GAP: Final = 2
"""Pixels of white between the pictures of a block."""
SCALE_QUANTILE: Final = 0.995
"""Quantile of the values that a grey scale reaches: a few extreme values would leave the rest without contrast."""

PLANES: Final = (1, 3)
"""Numbers of colour planes that an image may have."""
LABEL_CHARACTERS: Final = 13
"""Characters per line of the label of a row of images."""
BLOCKS_PER_ROW: Final = 4
MAX_INCHES: Final = 9.6
"""Largest width of a figure of blocks: text in a wider one is too small on paper."""


def image_rows(rows: Mapping[str, NDArray], image_shape: tuple[int, ...]) -> Figure:
    """Draw rows of images, such as digits raw, decorrelated by COPI, and ZCA-whitened (Figure 3A).

    Parameters
    ----------
    rows : mapping              from a row's label to its images, (N, I) each; columns show the same sample
    image_shape : tuple of int  as for `as_picture`

    Returns
    -------
    figure : Figure             each row on its own scale; zero is mid-grey if values have both signs
    """
    lengths = {len(images) for images in rows.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise InputError(f"need at least one row, and rows of equal length, got rows of {sorted(lengths)} images")
    with own_style():
        n_columns = lengths.pop()
        figure = StyledFigure(figsize=(0.78 * n_columns + 1.2, 0.8 * len(rows)), layout="constrained")
        for (label, images), row in zip(
            rows.items(), figure.subplots(len(rows), n_columns, squeeze=False), strict=True
        ):
            high = float(_scale(images))
            low = -high if images.min() < 0 else 0.0
            for axes, image in zip(row, images, strict=True):
                _show(axes, as_picture((image - low) / (high - low), image_shape))
            text = literal(fill(label, LABEL_CHARACTERS, break_long_words=False))
            row[0].set_ylabel(text, rotation=0, horizontalalignment="right", verticalalignment="center")
    return figure


def field_blocks(layers: Mapping[str, NDArray], image_shape: tuple[int, ...]) -> Figure:
    """Draw receptive fields: one block of pictures per layer, up to four side by side (Figure 3B).

    Parameters
    ----------
    layers : mapping            from a layer's label to the fields of its units, (N, I) each: drawn in ten rows, or in
                                five for ten units or fewer
    image_shape : tuple of int  as for `as_picture`

    Returns
    -------
    figure : Figure             each field on its own scale: zero is mid-grey

    Raises
    ------
    InputError                  if there are no layers, a layer has no units, or the fields do not fit `image_shape`
    """
    if not layers or not all(len(fields) for fields in layers.values()):
        raise InputError("need at least one layer, and at least one unit in each")
    blocks = {label: _block(fields, image_shape) for label, fields in layers.items()}
    shapes = [block.shape[1] / block.shape[0] for block in blocks.values()]
    with own_style():
        n_rows, n_columns = ceil(len(blocks) / BLOCKS_PER_ROW), min(len(blocks), BLOCKS_PER_ROW)
        widths = [max(shapes[column::n_columns]) for column in range(n_columns)]
        width = min(2.7 * sum(widths), MAX_INCHES)
        height = max(width / sum(widths), 0.7) + 0.3  # of a block and its title
        figure = StyledFigure(figsize=(width, height * n_rows), layout="constrained")
        grid = figure.subplots(n_rows, n_columns, squeeze=False, width_ratios=widths).ravel()
        for axes, (label, block) in zip(grid, blocks.items(), strict=False):
            _show(axes, block)
            axes.set_title(literal(label))
        for axes in grid[len(blocks) :]:
            axes.remove()
    return figure


def compression_curves(
    test: Mapping[str, ArrayLike],
    train: Mapping[str, ArrayLike] | None = None,
    test_loss: Mapping[str, ArrayLike] | None = None,
) -> Figure:
    """Draw accuracy by the number of layers replaced by one matrix (Figure 3C): train dashed, test solid.

    Parameters
    ----------
    test, train : mapping       from a label to accuracies between 0 and 1, (K,) of one network or (S, K) of S seeds,
                                drawn as mean and standard deviation; the first of the K is the network as trained
    test_loss : mapping         the same for losses, for a second panel

    Returns
    -------
    figure : Figure
    """
    panels = [("accuracy (%)", 100, {"-": test, "--": train or {}})]
    if test_loss is not None:
        panels.append(("test loss per sample", 1, {"-": test_loss}))
    with own_style():
        figure = StyledFigure(figsize=(6.4 if test_loss is None else FIGURE_WIDTH, 4.0), layout="constrained")
        row = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (name, unit, by_style) in zip(row, panels, strict=True):
            for style, curves in by_style.items():
                for (label, values), look in zip(curves.items(), looks(len(curves)), strict=True):
                    line = {"label": literal(label) if style == "-" else None, "linestyle": style, **look}
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
    """Draw the mean over seeds, the first axis of `values`, with the standard deviation if there are several."""
    deviation = values.std(axis=0, ddof=1) if len(values) > 1 else None
    axes.errorbar(np.arange(values.shape[1]), values.mean(axis=0), deviation, capsize=3, **line)


def as_picture(image: NDArray, image_shape: tuple[int, ...]) -> NDArray:
    """Reshape one flat image (I,) to a picture.

    Parameters
    ----------
    image : (I,) array
    image_shape : tuple of int      (height, width), or the same with one or three colour planes, first or last

    Returns
    -------
    picture : array                 (height, width), or (height, width, planes); for any other shape, one row (1, I)

    Raises
    ------
    InputError                      if the shape does not hold I pixels
    """
    if image.size != np.prod(image_shape):
        raise InputError(f"images of {image.size} pixels do not fit {image_shape}: give their (height, width)")
    picture = image.reshape(image_shape)
    if picture.ndim == 2:
        return picture
    if picture.ndim == 3 and picture.shape[0] in PLANES:
        picture = np.moveaxis(picture, 0, -1)
    return picture if picture.ndim == 3 and picture.shape[-1] in PLANES else image[None]


def _block(fields: NDArray, image_shape: tuple[int, ...]) -> NDArray:
    """Lay out fields as one picture, row by row on white: black is 0, no weight 0.5, white 1."""
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
    """Return the largest magnitude, ignoring a few extreme values, overall or along an axis; 1 if all are zero."""
    size = np.quantile(np.abs(values), SCALE_QUANTILE, axis=axis)
    return np.asarray(safe_divisor(np.asarray(size)))


def _show(axes: Any, picture: NDArray) -> None:
    """Draw a picture of values from 0 (black) to 1 (white), clipping what lies outside."""
    axes.imshow(np.clip(picture, 0, 1), cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
