"""Accuracy over seconds of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from matplotlib.figure import Figure

from copi_np.errors import InputError
from copi_np.plotting.style import FIGURE_WIDTH, StyledFigure, legend_below, literal, looks, own_style

Timed = tuple[Sequence[float], Sequence[float]]


def seconds_curves(curves: Mapping[str, Sequence[Timed]], goal: float | None = None) -> Figure:
    """Draw accuracy over the seconds that training took so far.

    Parameters
    ----------
    curves : mapping        from a label to the runs of its seeds: the seconds of every epoch, and the accuracy after
                            it, 0 to 1; each run is a curve
    goal : float, optional  accuracy to mark by a horizontal line

    Returns
    -------
    figure : Figure

    Raises
    ------
    InputError              if there is no run with an epoch to draw
    """
    drawn = {label: times for label, runs in curves.items() if (times := [run for run in runs if len(run[0])])}
    if not drawn:
        raise InputError("need at least one epoch of one run, got none")
    with own_style():
        figure = StyledFigure(figsize=(FIGURE_WIDTH, 4.0), layout="constrained")
        axes = figure.subplots()
        longest = max(len(run[0]) for runs in drawn.values() for run in runs)
        lowest = 100.0
        for (label, runs), look in zip(drawn.items(), looks(len(drawn), longest), strict=True):
            for k, (seconds, shares) in enumerate(runs):
                values = [100 * share for share in shares]
                axes.plot(list(accumulate(seconds)), values, label=literal(label) if k == 0 else None, **look)
                lowest = min([lowest, *(values[1:] or values)])  # where only R learns at first, accuracy is at chance
        if goal is not None:
            axes.axhline(100 * goal, color="gray", linestyle=":")
        limits = lowest - 2, min(axes.dataLim.y1 + 2, 101)  # no tick above 100 %
        axes.set(xlabel="seconds of training", ylabel="accuracy (%)", xlim=(0, None), ylim=limits)
        legend_below(figure, *axes.get_legend_handles_labels())
    return figure
