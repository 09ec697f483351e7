"""Draw the figures of the slides: ``python figures.py FOLDER``. Seeds are fixed; it takes a quarter of a minute.

Every figure is as wide as a slide, and its smallest text can be read from the last row. One figure alone, such as the
picture of a layer in docs/figures: ``python figures.py FOLDER layer``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from copi_np import Network, Schedule, fit, load_dataset
from copi_np.analysis import decorrelation_path
from copi_np.course.animation import cloud_strip
from copi_np.course.lesson_00 import draw_layer
from copi_np.course.sliders import batch_with
from copi_np.datasets import as_float
from copi_np.plotting import COLOURS, StyledFigure, image_rows, own_style, save_figure
from copi_np.rules import copi_update, decorrelate, decorrelation_update, sgd_update
from copi_np.whitening import second_moment, zca

Array = npt.NDArray[Any]
Rule = Callable[[Array, Array, Array], Array]

SMALLEST: Final = 1 / 55
"""Height of the smallest text, as a share of the width of its figure: 22 px on a slide of 1200."""
BIG: Final = {"font.size": 16, "axes.titlesize": 16, "lines.linewidth": 3}


def sgd(W: Array, x: Array, z: Array) -> Array:
    """Return the update of gradient descent towards the targets z."""
    return sgd_update(x, z - x @ W.T)


RULES: Final[Mapping[str, Rule]] = {"COPI": copi_update, "gradient descent": sgd}


# ---------------------------------------------------------------------------------------------------- the drawing


def for_the_last_row(figure: Figure) -> Figure:
    """Enlarge the text of a figure that would be too small on a slide."""
    smallest = SMALLEST * 72 * figure.get_figwidth()
    for text in figure.findobj(Text):
        text.set_fontsize(max(text.get_fontsize(), smallest))
    return figure


def draw_curves(axes: Axes, curves: Mapping[str, Sequence[float]], start: int = 0) -> None:
    """Draw curves, each with its name at its end; the later one is dashed, should it cover the first."""
    for (name, values), colour, style in zip(curves.items(), COLOURS, ("-", "--", "-."), strict=False):
        steps = range(start, start + len(values))
        axes.plot(steps, values, style, color=colour)
        axes.annotate(
            name, (steps[-1], values[-1]), (10, 0), textcoords="offset points", color=colour, va="center", clip_on=False
        )


def curve_panels(panels: Mapping[str, Mapping[str, Sequence[float]]], start: int = 0, **labels: str) -> Figure:
    """Draw one panel of curves per title, side by side."""
    with own_style(**BIG):
        figure = StyledFigure(figsize=(12, 4.8), layout="constrained")
        row = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (title, curves) in zip(row, panels.items(), strict=True):
            draw_curves(axes, curves, start)
            axes.set(title=title, **labels)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.label_outer()
    return figure


# ------------------------------------------------------------------------------------------- 1. one network


@cache
def trained() -> tuple[Network, list[float]]:
    """Return a network that was trained on the bundled digits, and its test accuracy after every epoch in percent."""
    schedule = Schedule(eta_W=1e-3, eta_R=1e-3, delta_scale=500, first_epochs=1, first_eta_W=0, first_eta_R=1e-2)
    network = Network([784, 200, 10], rng=np.random.default_rng(0))
    history = fit(network, load_dataset("mnist-5k"), epochs=6, schedule=schedule, rng=np.random.default_rng(1))
    return network, [100 * record.test_accuracy for record in history]


def digits() -> Array:
    """Return the training images (4000, 784) between 0 and 1."""
    return as_float(load_dataset("mnist-5k").train.inputs, "float64")


def layer() -> Figure:
    """Draw one layer."""
    return draw_layer()


def accuracy() -> Figure:
    """Draw the test accuracy of the network by epoch."""
    return curve_panels(
        {"R learns in epoch 1, then R and W": {"COPI": trained()[1]}}, 1, xlabel="epoch", ylabel="test accuracy (%)"
    )


def outlines() -> Figure:
    """Draw eight digits, before and after the first layer's R."""
    some = digits()[:8]
    R = trained()[0].layers[0].R.astype("float64")
    return image_rows({"y": some, "x = R y": decorrelate(R, some)}, (28, 28))


# -------------------------------------------------------------------------------------- 2. inferring parameters

GOAL: Final = np.array([[1.5, -0.5]])
"""The weights that generated the targets."""
MOMENTS: Final = {"correlated inputs": np.array([[1, 0.8], [0.8, 1]]), "decorrelated inputs": np.diag([1, 0.4])}


def path_of(rule: Rule, C: Array) -> Array:
    """Return the weights (601, 2) of a unit that learns the goal from inputs with second moments C."""
    x = batch_with(C, n_samples=100)
    W = [np.zeros((1, 2))]
    for _ in range(600):
        W.append(W[-1] + 0.05 * rule(W[-1], x, x @ GOAL.T))
    return np.concatenate(W)


def wrong_weights() -> Figure:
    """Draw the paths of two weights to where they stop, for both rules, over the contours of the loss."""
    grid = np.stack(np.meshgrid(np.linspace(-0.6, 2, 60), np.linspace(-1, 1, 60)), axis=-1)
    with own_style(**BIG):
        figure = StyledFigure(figsize=(12, 5), layout="constrained")
        for axes, (title, C) in zip(figure.subplots(1, 2, sharey=True), MOMENTS.items(), strict=True):
            loss = np.sum((grid - GOAL) @ C * (grid - GOAL), axis=-1)
            axes.contour(*np.moveaxis(grid, -1, 0), loss, np.linspace(0.1, 2, 8) ** 2, colors="silver", linewidths=1)
            axes.plot(*GOAL[0], "*", color="black", markersize=22)
            for (name, rule), colour, width in zip(RULES.items(), COLOURS, (8, 3), strict=False):
                path = path_of(rule, C)
                axes.plot(*path.T, color=colour, linewidth=width, label=name)
                axes.plot(*path[-1], "o", color=colour, markersize=10)
            axes.set(title=title, xlabel="weight of input 1")
        figure.axes[0].set_ylabel("weight of input 2")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


# ------------------------------------------------------------------------------------------------ 3. decorrelation


def cloud() -> Figure:
    """Draw a cloud of two inputs while R learns."""
    mixing = np.array([[1.2, 0.0], [0.75, 0.45]])
    y = np.random.default_rng(0).normal(size=(120, 2)) @ mixing.T
    return cloud_strip(y, list(decorrelation_path(y, 0.1, 60)), (0, 5, 15, 60))


def powers(share: float, n_steps: int = 4) -> list[float]:
    """Return the mean square of x before and after steps of size share / lambda, for raw digits."""
    y = digits()[:500]
    eta = share / np.linalg.eigvalsh(second_moment(y))[-1]
    return [float(np.mean(decorrelate(R, y) ** 2)) for R in decorrelation_path(y, eta, n_steps)]


def step_sizes() -> Figure:
    """Draw the size of x for three step sizes."""
    panels = {rf"$\eta = {share}\,/\,\lambda$": {"": powers(share)} for share in (0.5, 1.5, 2.5)}
    figure = curve_panels(panels, xlabel="step", ylabel="mean square of x")
    figure.axes[0].set(yscale="log", ylim=(0.02, 20))  # the last curve leaves the figure
    return figure


def three_digits() -> Figure:
    """Draw digits raw, after the R that the network has learned, and after ZCA whitening."""
    images = digits()
    some, R = images[:8], trained()[0].layers[0].R.astype("float64")
    whitened = decorrelate(zca(second_moment(images), 1e-2), some)
    return image_rows({"raw": some, "COPI": decorrelate(R, some), "ZCA": whitened}, (28, 28))


# -------------------------------------------------------------------------------------- 5. COPI and backpropagation


def drift(rule: Rule, eta: float = 1e-3) -> list[float]:
    """Return how far W R of a layer without errors moves while R learns, in percent of its norm."""
    rng = np.random.default_rng(0)
    start = W = rng.normal(size=(4, 5))
    y, R = rng.normal(size=(20, 5)) @ rng.normal(size=(5, 5)) / 2, np.eye(5)
    moved = [0.0]
    for _ in range(1000):
        x = y @ R.T
        W, R = W + eta * rule(W, x, x @ W.T), R + eta * decorrelation_update(R, x)
        moved.append(100 * float(np.linalg.norm(W @ R - start) / np.linalg.norm(start)))
    return moved


def no_errors() -> Figure:
    """Draw the drift of W R under both rules."""
    curves = {name: drift(rule) for name, rule in RULES.items()}
    return curve_panels({"no errors, so nothing to learn": curves}, xlabel="step", ylabel="change of W R (%)")


def race(rule: Rule, eta_R: float, eta_W: float = 0.2) -> list[float]:
    """Return the test error of a linear layer after each epoch; R starts where it decorrelates all training inputs."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(2000, 20)) @ (0.3 * np.eye(20) + rng.normal(size=(20, 20)) / np.sqrt(20)).T
    y /= np.sqrt(np.mean(y**2))
    z = y @ rng.normal(size=(20, 5))
    z /= np.sqrt(np.mean(z**2))
    *_, R = decorrelation_path(y[:1000], 0.2, 1000)
    W, errors = rng.normal(0, 0.3, (5, 20)), []
    for _ in range(15):
        for rows in np.split(rng.permutation(1000), 20):
            x = decorrelate(R, y[rows])
            W, R = W + eta_W * rule(W, x, z[rows]), R + eta_R * decorrelation_update(R, x)
        errors.append(float(np.mean((y[1000:] @ (W @ R).T - z[1000:]) ** 2)))
    return errors


def moves_or_rests() -> Figure:
    """Draw the test error of both rules, while R learns and while it is held fixed."""
    panels = {
        title: {name: race(rule, eta_R) for name, rule in RULES.items()}
        for title, eta_R in {"R learns": 0.2, "R is held fixed": 0.0}.items()
    }
    figure = curve_panels(panels, 1, xlabel="epoch", ylabel="test error")
    figure.axes[0].set_yscale("log")
    return figure


FIGURES: Final = (
    layer, accuracy, outlines, wrong_weights, cloud, step_sizes, three_digits, no_errors, moves_or_rests,
)  # fmt: skip


def main(folder: Path, names: Sequence[str]) -> None:
    """Draw figures as SVG, all or those that are named; a file has the name of its function."""
    folder.mkdir(parents=True, exist_ok=True)
    for draw in FIGURES:
        if not names or draw.__name__ in names:
            save_figure(for_the_last_row(draw()), folder / f"{draw.__name__}.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
