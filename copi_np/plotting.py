"""The figures of the paper in matplotlib, in one style: colour-blind safe, legible in print and on a dark page.

Functions return a `matplotlib.figure.Figure` that is shown nowhere and belongs to no global state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from copi_np.errors import InputError
from copi_np.training import EpochRecord

STYLE: Final[dict[Any, Any]] = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "white",
    "font.size": 10,
    "grid.alpha": 0.3,
    "lines.linewidth": 1.6,
    "savefig.dpi": 150,
}
# the palette of Okabe and Ito, without its yellow, which is too pale on white
COLOURS: Final = ("#0072B2", "#009E73", "#D55E00", "#000000", "#CC79A7", "#56B4E9", "#E69F00", "#999999")


def learning_curves(histories: Mapping[str, Sequence[EpochRecord]]) -> Figure:
    """Accuracy and loss by epoch, train dashed and test solid (Figure 2); accuracy from the second epoch on in full.

    Parameters
    ----------
    histories : mapping         from a method's label to its history

    Returns
    -------
    figure : Figure
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 3.8), layout="constrained")
        accuracy, loss = figure.subplots(1, 2)
        for (label, history), colour in zip(histories.items(), _colours(len(histories)), strict=True):
            epochs = [record.epoch for record in history]
            for split, line in (("train", "--"), ("test", "-")):
                percent = [100 * getattr(record, f"{split}_accuracy") for record in history]
                losses = [getattr(record, f"{split}_loss") for record in history]
                name = label if split == "test" else None
                accuracy.plot(epochs, percent, line, color=colour, label=name)
                loss.plot(epochs, losses, line, color=colour)
        accuracy.plot([], [], "-", color="gray", label="test")
        accuracy.plot([], [], "--", color="gray", label="train")
        # the first epoch, at chance where only R learns, would leave no room for the rest
        later = [100 * record.test_accuracy for history in histories.values() for record in history[1:]]
        accuracy.set(xlabel="epoch", ylabel="accuracy (%)", ylim=(min(later) - 2, 100.5) if later else (0, 100.5))
        loss.set(xlabel="epoch", ylabel="loss per sample", yscale="log")
        for axes in (accuracy, loss):
            axes.xaxis.get_major_locator().set_params(integer=True)
        figure.legend(*accuracy.get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)
    return figure


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
        for (label, values), colour in zip(accuracies.items(), _colours(len(accuracies)), strict=True):
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


def _colours(n: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(n)]
