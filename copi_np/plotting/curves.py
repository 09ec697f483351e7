"""Learning curves (Figure 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure

from copi_np.errors import InputError
from copi_np.history import EpochRecord
from copi_np.plotting.labels import label_ends
from copi_np.plotting.style import FIGURE_WIDTH, StyledFigure, legend_below, literal, looks, own_style, title_above

History = Sequence[EpochRecord]
SHORT: Final = 3
"""Up to this many epochs a history is short, and its first epoch is shown in full."""
FEW: Final = 6
"""Largest number of curves that are labelled at their ends; more are named in the legend."""
SHORT_LABEL: Final = 20
"""Largest number of characters of such a label."""


def learning_curves(histories: Mapping[str, History | Sequence[History]], title: str | None = None) -> Figure:
    """Draw accuracy and loss by epoch (Figure 2): train dashed, test solid and, if all have it, validation dotted.

    With more than `SHORT` epochs, the accuracy axis starts at the accuracies of the second epoch.

    Parameters
    ----------
    histories : mapping         from a method's label to its history, or to those of several seeds: these are shown as
                                their mean, with the standard deviation as an envelope, over the epochs that all have
    title : str, optional       above both panels

    Returns
    -------
    figure : Figure

    Raises
    ------
    InputError                  if there is no history
    """
    if not histories:
        raise InputError("need the history of at least one method, got none")
    with own_style():
        figure = StyledFigure(figsize=(FIGURE_WIDTH, 4.0), layout="constrained")
        title_above(figure, title)
        accuracy, loss = figure.subplots(1, 2)
        curves = {label: _runs(history) for label, history in histories.items()}
        lines = {"train": "--", "val": ":", "test": "-"}
        if any(record.val_accuracy is None for runs in curves.values() for run in runs for record in run):
            del lines["val"]
        lowest = 100.0
        longest = max(len(runs[0]) for runs in curves.values())
        for (label, runs), look in zip(curves.items(), looks(len(curves), longest), strict=True):
            for split, line in lines.items():
                _draw(loss, runs, f"{split}_loss", 1, linestyle=line, **look)
                name = literal(label) if split == "test" else None
                mean = _draw(accuracy, runs, f"{split}_accuracy", 100, linestyle=line, label=name, **look)
                # if only R learns in the first epoch, its accuracy at chance would squeeze the rest into a thin band
                lowest = min([lowest, *(mean[1:] if len(mean) > SHORT else mean)])
        for split, line in reversed(lines.items()):
            accuracy.plot([], [], line, color="gray", label="validation" if split == "val" else split)
        highest = min(accuracy.dataLim.y1 + 2, 100.5)
        accuracy.set(xlabel="epoch", ylabel="accuracy (%)", ylim=(lowest - 2, highest))
        loss.set(xlabel="epoch", ylabel="loss per sample", yscale="log")
        for axes in (accuracy, loss):
            axes.xaxis.get_major_locator().set_params(integer=True)
        handles, names = accuracy.get_legend_handles_labels()
        if len(curves) <= FEW and max(map(len, curves)) <= SHORT_LABEL:
            label_ends(accuracy)
            handles, names = handles[len(curves) :], names[len(curves) :]
        legend_below(figure, handles, names)
    return figure


def _runs(history: Any) -> list[History]:
    """Return the histories of all seeds, cut to the epochs that all have."""
    runs = [history] if not history or isinstance(history[0], EpochRecord) else history
    n_epochs = min(len(run) for run in runs)
    return [run[:n_epochs] for run in runs]


def _draw(axes: Any, runs: list[History], name: str, unit: float, **line: Any) -> list[float]:
    """Draw the mean over seeds, with an envelope if there are several, and return the mean by epoch."""
    values = np.array([[unit * getattr(record, name) for record in run] for run in runs])
    epochs, mean = np.arange(1, values.shape[1] + 1), values.mean(axis=0)
    axes.plot(epochs, mean, **line)
    if len(runs) > 1:
        deviation = values.std(axis=0, ddof=1)
        axes.fill_between(epochs, mean - deviation, mean + deviation, color=line["color"], alpha=0.2, linewidth=0)
    return [float(value) for value in mean]
