"""Accuracy over a setting that was varied, such as a step size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from copi_np.errors import InputError
from copi_np.history import EpochRecord
from copi_np.plotting.style import FIGURE_WIDTH, StyledFigure, legend_below, literal, looks, own_style, title_above

Histories = Sequence[Sequence[EpochRecord]]


def setting_curves(curves: Mapping[str, Mapping[Any, Histories]], name: str, title: str | None = None) -> Figure:
    """Draw the last accuracy over a setting: train dashed, test solid and, if all have it, validation dotted.

    A point is the mean over seeds; the envelope is their standard deviation. The axis is numeric for numbers, and
    logarithmic for step sizes and delta_scale; other values are evenly spaced.

    Parameters
    ----------
    curves : mapping        from a label to a mapping from each value of the setting to the histories of its seeds; the
                            value None, where the setting has no effect, gives a horizontal line
    name : str              of the setting, such as "eta"
    title : str, optional   above the figure

    Returns
    -------
    figure : Figure

    Raises
    ------
    InputError              if there is no value to draw over
    """
    values = sorted({value for points in curves.values() for value in points if value is not None}, key=_order)
    if not values:
        raise InputError(f"need the histories of at least one value of {name}, got none")
    numeric = all(isinstance(value, (int, float)) for value in values)
    places = {value: float(value) if numeric else float(k) for k, value in enumerate(values)}
    lines = {"train": "--", "val": ":", "test": "-"}
    histories = [run for points in curves.values() for runs in points.values() for run in runs]
    if any(run[-1].val_accuracy is None for run in histories):
        del lines["val"]
    with own_style():
        figure = StyledFigure(figsize=(FIGURE_WIDTH, 4.0), layout="constrained")
        title_above(figure, title)
        axes = figure.subplots()
        for (label, points), look in zip(curves.items(), looks(len(curves)), strict=True):
            for split, line in lines.items():
                text = literal(label) if split == "test" else None
                _draw(axes, points, places, f"{split}_accuracy", linestyle=line, label=text, **look)
        for split, line in reversed(lines.items()):
            axes.plot([], [], line, color="gray", label="validation" if split == "val" else split)
        axes.set(
            xlabel=literal(name),
            ylabel="accuracy after the last epoch (%)",
            ylim=(None, min(axes.get_ylim()[1], 100.5)),
        )
        if not numeric:
            axes.set_xticks(list(places.values()), [literal(str(value)) for value in values])
        elif name == "delta_scale" or "eta" in name.split("_"):
            smallest = min((value for value in values if value > 0), default=1.0)
            axes.set_xscale(**({"value": "log"} if values[0] > 0 else {"value": "symlog", "linthresh": smallest}))
        elif all(isinstance(value, int) for value in values):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend_below(figure, *axes.get_legend_handles_labels())
    return figure


def _order(value: Any) -> tuple[bool, Any]:
    """Sort numbers before text."""
    return isinstance(value, str), value


def _draw(axes: Any, points: Mapping[Any, Histories], places: Mapping[Any, float], name: str, **line: Any) -> None:
    """Draw mean and standard deviation over seeds, at each value, or over the whole axis for the value None."""
    drawn: dict[float, Histories] = {places[value]: runs for value, runs in points.items() if value is not None}
    if None in points:
        drawn |= dict.fromkeys((min(places.values()), max(places.values())), points[None])
    means, deviations = zip(*(_statistic(runs, name) for _, runs in sorted(drawn.items())), strict=True)
    x, mean, deviation = np.array(sorted(drawn)), np.array(means), np.array(deviations)
    axes.plot(x, mean, **line)
    axes.fill_between(x, mean - deviation, mean + deviation, color=line["color"], alpha=0.2, linewidth=0)


def _statistic(runs: Histories, name: str) -> tuple[float, float]:
    """Return mean and standard deviation (n - 1) of the last accuracies, in per cent; 0 for a single seed."""
    values = [100 * getattr(run[-1], name) for run in runs]
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
