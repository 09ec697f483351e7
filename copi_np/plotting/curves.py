"""Learning curves (Figure 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from copi_np.errors import InputError
from copi_np.history import EpochRecord
from copi_np.plotting.style import FIGURE_WIDTH, STYLE, TITLE_INCHES, legend_below, looks, title_above

History = Sequence[EpochRecord]
FEW: Final = 3
"""Epochs of which even the first is worth its room."""


def learning_curves(histories: Mapping[str, History | Sequence[History]], title: str | None = None) -> Figure:
    """Accuracy and loss by epoch (Figure 2): train dashed, test solid, and validation, where all have it, dotted.

    Of more than `FEW` epochs, accuracies are shown in full from the second on.

    Parameters
    ----------
    histories : mapping         from a method's label to its history, or to those of several seeds, of which the mean
                                and, as an envelope, the standard deviation are shown, over the epochs that all have
    title : str, optional       stands above both panels

    Returns
    -------
    figure : Figure

    Raises
    ------
    InputError                  if there is no history
    """
    if not histories:
        raise InputError("need the history of one method or more, got none")
    with rc_context(STYLE):
        figure = Figure(figsize=(FIGURE_WIDTH, 4.0 if title is None else 4.0 + TITLE_INCHES), layout="constrained")
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
                name = label if split == "test" else None
                mean = _draw(accuracy, runs, f"{split}_accuracy", 100, linestyle=line, label=name, **look)
            # the first of many epochs, at chance where only R learns, would leave no room for the rest
            lowest = min([lowest, *(mean[1:] if len(mean) > FEW else mean)])
        for split, line in reversed(lines.items()):
            accuracy.plot([], [], line, color="gray", label="validation" if split == "val" else split)
        accuracy.set(xlabel="epoch", ylabel="accuracy (%)", ylim=(lowest - 2, 100.5))
        loss.set(xlabel="epoch", ylabel="loss per sample", yscale="log")
        for axes in (accuracy, loss):
            axes.xaxis.get_major_locator().set_params(integer=True)
        legend_below(figure, *accuracy.get_legend_handles_labels())
    return figure


def _runs(history: Any) -> list[History]:
    """The histories of all seeds, over the epochs that all have."""
    runs = [history] if not history or isinstance(history[0], EpochRecord) else history
    n_epochs = min(len(run) for run in runs)
    return [run[:n_epochs] for run in runs]


def _draw(axes: Any, runs: list[History], name: str, unit: float, **line: Any) -> list[float]:
    """Draw the mean over seeds, and an envelope if there are several; returns the mean by epoch."""
    values = np.array([[unit * getattr(record, name) for record in run] for run in runs])
    epochs, mean = np.arange(1, values.shape[1] + 1), values.mean(axis=0)
    axes.plot(epochs, mean, **line)
    if len(runs) > 1:
        deviation = values.std(axis=0, ddof=1)
        axes.fill_between(epochs, mean - deviation, mean + deviation, color=line["color"], alpha=0.2, linewidth=0)
    return [float(value) for value in mean]
