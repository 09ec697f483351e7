"""Representations: samples, receptive fields and compression (Figure 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from copi_np.errors import InputError
from copi_np.plotting.style import STYLE, colours


def image_rows(rows: Mapping[str, npt.NDArray[Any]], image_shape: tuple[int, ...]) -> Figure:
    """Rows of images, such as digits raw, decorrelated by COPI, and ZCA-whitened (Figure 3A).

    Parameters
    ----------
    rows : mapping              from a row's label to its images, (N, I) each; columns show the same sample
    image_shape : tuple of int  (height, width), or (3, height, width), of which the mean over colours is shown

    Returns
    -------
    figure : Figure             each row on a grey scale of its own; zero is mid-grey where values have both signs
    """
    lengths = {len(images) for images in rows.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise InputError(f"need one or more rows of equally many images, got rows of {sorted(lengths)}")
    with rc_context(STYLE):
        n_columns = lengths.pop()
        figure = Figure(figsize=(0.9 * n_columns + 0.8, 0.95 * len(rows)), layout="constrained")
        for (label, images), row in zip(
            rows.items(), figure.subplots(len(rows), n_columns, squeeze=False), strict=True
        ):
            high = float(np.quantile(np.abs(images), 0.995)) or 1.0
            low = -high if images.min() < 0 else 0.0
            for axes, image in zip(row, images, strict=True):
                axes.imshow(as_picture(image, image_shape), cmap="gray", vmin=low, vmax=high)
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
            row[0].set_ylabel(label)
    return figure


def compression_curves(accuracies: Mapping[str, npt.ArrayLike]) -> Figure:
    """Accuracy by the number of layers saved, from none on (Figure 3C).

    Parameters
    ----------
    accuracies : mapping        from a label to accuracies 0 to 1, (K,) of one network or (S, K) of S seeds, of which
                                the mean and the standard deviation are shown

    Returns
    -------
    figure : Figure
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.subplots()
        for (label, values), colour in zip(accuracies.items(), colours(len(accuracies)), strict=True):
            percent = 100 * np.atleast_2d(np.asarray(values, dtype=np.float64))
            saved, mean, deviation = np.arange(percent.shape[1]), percent.mean(axis=0), percent.std(axis=0)
            axes.errorbar(saved, mean, deviation if len(percent) > 1 else None, marker="o", color=colour, label=label)
        axes.set(xlabel="layers saved", ylabel="accuracy (%)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False)
    return figure


def as_picture(image: npt.NDArray[Any], image_shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """One flat image (I,) as a (height, width) picture; colour planes are averaged."""
    if image.size != np.prod(image_shape) or len(image_shape) not in (2, 3):
        raise InputError(f"images of {image.size} pixels are not {image_shape}: give (height, width) to fit")
    picture = image.reshape(image_shape)
    return np.asarray(picture.mean(axis=0) if picture.ndim == 3 else picture)
