"""Figures and small tasks of the two classes, drawn for a projector: few lines, thick ones, each with its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

from copi_np.analysis import decorrelation_path
from copi_np.course.sliders import batch_with
from copi_np.plotting import COLOURS, StyledFigure, label_ends, own_style

Array = npt.NDArray[Any]
Curves = Mapping[str, Sequence[float] | Array]

FOR_A_PROJECTOR: Final = {"font.size": 14, "lines.linewidth": 3}
LINE_STYLES: Final = ("-", "--", "-.", ":")


def named_curves(
    panels: Mapping[str, Curves], ylabel: str, xlabel: str = "step", start: int = 0, yscale: str = "linear"
) -> Figure:
    """Draw up to four curves in each panel, with their names at their ends.

    Parameters
    ----------
    panels : mapping        from the title of a panel to its curves, by name
    ylabel, xlabel : str
    start : int             the step of the first value
    yscale : str            "linear" or "log"

    Returns
    -------
    figure : Figure
    """
    with own_style(**FOR_A_PROJECTOR):
        figure = StyledFigure(figsize=(max(9, 5.5 * len(panels)), 4.2), layout="constrained")
        row = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (title, curves) in zip(row, panels.items(), strict=True):
            for (name, values), colour, line in zip(curves.items(), COLOURS, LINE_STYLES, strict=False):
                axes.plot(range(start, start + len(values)), values, line, color=colour, label=name)
            axes.set(title=title, xlabel=xlabel, yscale=yscale)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=(1, 2, 5, 10)))
        row[0].set_ylabel(ylabel)
        for axes in row:  # only now are the limits known
            label_ends(axes)
    return figure


# ------------------------------------------------------------------------------------------- weights in the plane


def weight_planes(
    panels: Mapping[str, Mapping[str, Array]], moments: Mapping[str, Array], goal: tuple[float, float]
) -> Figure:
    """Draw the paths of two weights over the contours of their quadratic loss, with their names at their ends.

    Parameters
    ----------
    panels : mapping        from the title of a panel to paths (n, 2), by name
    moments : mapping       from the title of a panel to the second moments C (2, 2) of its inputs
    goal : two floats       the desired weights, where the loss is smallest

    Returns
    -------
    figure : Figure
    """
    points = np.concatenate([path for paths in panels.values() for path in paths.values()] + [[goal]])
    corners = np.linspace(points.min(axis=0) - 0.5, points.max(axis=0) + 0.5, 60)
    grid = np.stack(np.meshgrid(*corners.T), axis=-1)
    away = grid - np.array(goal)
    with own_style(**FOR_A_PROJECTOR):
        figure = StyledFigure(figsize=(9.5, 4), layout="constrained")
        row = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (title, paths) in zip(row, panels.items(), strict=True):
            loss = np.sum(away @ moments[title] * away, axis=-1)
            axes.contour(*np.moveaxis(grid, -1, 0), loss, np.linspace(0.1, 2, 8) ** 2, colors="silver", linewidths=1)
            axes.plot(*goal, "*", color="black", markersize=20, label="goal")
            for (name, path), colour, width in zip(paths.items(), COLOURS, (7, 3), strict=False):
                axes.plot(*path.T, color=colour, linewidth=width, label=name)
                axes.plot(*path[-1], "o", color=colour, markersize=9)
            axes.set(title=title, xlabel="weight of input 1")
            axes.locator_params("x", nbins=3)
        row[0].set_ylabel("weight of input 2")
        for axes in row:  # only now are the limits known
            label_ends(axes)
    return figure


# ---------------------------------------------------------------------------------------------------- a linear task


class LinearTask:
    """A linear map to learn from correlated inputs, in batches of 50.

    Attributes
    ----------
    W : (5, 20) array       forward weights to start from
    R : (20, 20) array      lateral weights that decorrelate the inputs
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        mixing = 0.3 * np.eye(20) + self._rng.normal(size=(20, 20)) / np.sqrt(20)
        y = self._rng.normal(size=(2000, 20)) @ mixing.T
        y /= np.sqrt(np.mean(y**2))
        z = y @ self._rng.normal(size=(20, 5))
        z /= np.sqrt(np.mean(z**2))
        self._train, self._test = (y[:1000], z[:1000]), (y[1000:], z[1000:])
        *_, self.R = decorrelation_path(y[:1000], 0.2, 1000)
        self.W = self._rng.normal(0, 0.3, (5, 20))

    def batches(self) -> Iterator[tuple[Array, Array]]:
        """Yield the inputs (50, 20) and targets (50, 5) of the 20 batches of an epoch, in a new order."""
        y, z = self._train
        for rows in np.split(self._rng.permutation(len(y)), 20):
            yield y[rows], z[rows]

    def test_error(self, M: Array) -> float:
        """Return the mean squared error of the map M (5, 20) on samples that were not trained on."""
        y, z = self._test
        return float(np.mean((y @ M.T - z) ** 2))


# ------------------------------------------------------------------------------------------- the arrow of one unit

STARTS: Final = ((0.4, -0.8), (-0.6, 0.3), (1.2, 1.0))
"""Weights from which the arrows start."""


def follow(
    rule: Callable[[Array, Array], Array], x: Array, start: Sequence[float], n_steps: int = 200, eta: float = 0.02
) -> Array:
    """Return the weights (n_steps + 1, 2) of a unit with two inputs while it learns from x (B, 2)."""
    path = [np.array([start])]
    for _ in range(n_steps):
        path.append(path[-1] + eta * rule(path[-1], x))
    return np.concatenate(path)


def arrows(rules: Mapping[str, Callable[[Array, Array], Array]], clouds: Mapping[str, Array]) -> Figure:
    """Draw where the weights of a unit go: one column per rule, one row per cloud of inputs.

    Parameters
    ----------
    rules : mapping         from a name to a function of W (1, 2) and x (B, 2) that returns the update
    clouds : mapping        from a name to the second moments C (2, 2) of the inputs

    Returns
    -------
    figure : Figure         dots mark the start, stars the end; the circle has radius 1
    """
    with own_style(**FOR_A_PROJECTOR):
        figure = StyledFigure(figsize=(3.4 * len(rules), 3.3 * len(clouds)), layout="constrained")
        panels = figure.subplots(len(clouds), len(rules), sharex=True, sharey=True, squeeze=False)
        for row, (cloud, C) in zip(panels, clouds.items(), strict=True):
            x = batch_with(C, 150)
            for axes, (name, rule) in zip(row, rules.items(), strict=True):
                axes.plot(*x.T, ".", color="silver", markersize=4, zorder=0)
                axes.add_patch(Circle((0, 0), 1, fill=False, linestyle=":", color="dimgray"))
                for start, colour in zip(STARTS, COLOURS, strict=False):
                    path = follow(rule, x, start)
                    axes.plot(*path.T, color=colour)
                    axes.plot(*path[0], "o", color=colour, markersize=8)
                    axes.plot(*path[-1], "*", color=colour, markersize=18)
                axes.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", xticks=(-2, 0, 2), yticks=(-2, 0, 2))
                axes.set_title(f"{name}, {cloud}", fontsize=12)
        figure.supxlabel("weight of input 1")
        figure.supylabel("weight of input 2")
    return figure
