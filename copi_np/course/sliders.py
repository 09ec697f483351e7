"""Figures with settings to play with: decorrelation of two inputs, and the learning rates of one layer.

Each comes in three forms: a function from settings to a figure, such as `decorrelation_figure`; a grid for a few
settings, for print and for pages without a kernel; and sliders, for a running notebook with ipywidgets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from inspect import signature
from io import BytesIO
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from copi_np import DivergenceError, Network
from copi_np.analysis import decorrelation_path
from copi_np.course.animation import draw_cloud, draw_lateral_weights, extent
from copi_np.errors import choose
from copi_np.plotting import COLOURS, StyledFigure, label_ends, own_style
from copi_np.rules import decorrelate, decorrelation_update, local_decorrelation_update
from copi_np.whitening import mean_absolute_correlation, second_moment

Array = npt.NDArray[Any]

FORMS: Final = {"matrix": decorrelation_update, "local": local_decorrelation_update}
EXPLODED: Final = 100.0
"""Lateral weights above this size have blown up: with the inputs used here, weights that survive stay below 4."""


def batch_with(sigma: Array, n_samples: int) -> Array:
    """Return random samples (n_samples, I) whose second moments are exactly sigma (I, I)."""
    noise = np.random.default_rng(0).normal(size=(n_samples, len(sigma)))
    orthogonal, _ = np.linalg.qr(noise)
    return np.asarray(np.sqrt(n_samples) * orthogonal @ np.linalg.cholesky(sigma).T)


# ---------------------------------------------------------------------------------- decorrelation of two inputs


def two_inputs(correlation: float) -> Array:
    """Return 80 samples of two inputs, (80, 2), with variances 1.5 and 0.75."""
    covariance = correlation * np.sqrt(1.5 * 0.75)
    return batch_with(np.array([[1.5, covariance], [covariance, 0.75]]), 80)


def path_until_blow_up(y: Array, eta_R: float, n_steps: int, form: str) -> Iterator[Array]:
    """Yield the lateral weights after every step, until they blow up."""
    for R in decorrelation_path(y, eta_R, n_steps, choose("form", form, FORMS)):
        if not np.max(np.abs(R)) < EXPLODED:
            return
        yield R


def draw_decorrelated(axes: Axes, y: Array, path: Sequence[Array]) -> None:
    """Draw the cloud at the start of a path, in grey, and at its end."""
    draw_cloud(axes, y, extent(y), COLOURS[7])
    draw_cloud(axes, decorrelate(path[-1], y), extent(y))
    draw_lateral_weights(axes, path[-1])


def outcome(path: Sequence[Array], n_steps: int) -> str:
    """Return a title that says whether R blew up."""
    return f"after {n_steps} steps" if len(path) > n_steps else f"R blows up at step {len(path)}"


def decorrelation_figure(
    correlation: float = 0.9, eta_R: float = 0.1, n_steps: int = 20, form: str = "matrix"
) -> Figure:
    """Draw two inputs before and after some steps of decorrelation, and their second moments at every step.

    Parameters
    ----------
    correlation : float     of the inputs, between -1 and 1
    eta_R : float           step size
    n_steps : int
    form : {"matrix", "local"}

    Returns
    -------
    figure : Figure         only the steps before R blows up, if it does
    """
    y = two_inputs(correlation)
    path = list(path_until_blow_up(y, eta_R, n_steps, form))
    moments = np.array([second_moment(decorrelate(R, y)) for R in path])
    with own_style():
        figure = StyledFigure(figsize=(8, 3.6), layout="constrained")
        cloud, curves = figure.subplots(1, 2)
        draw_decorrelated(cloud, y, path)
        cloud.set(ylabel="$x_2$", title=outcome(path, n_steps))
        for (i, j), colour in zip(((0, 0), (1, 1), (0, 1)), COLOURS, strict=False):
            curves.plot(moments[:, i, j], "o-", markersize=3, color=colour, label=f"$C_{{{i + 1}{j + 1}}}$")
        curves.axhline(0, color="gray", linewidth=1)
        bound = 2 / np.linalg.eigvalsh(moments[0])[-1]
        curves.set(xlabel="step", ylabel="second moment", title=rf"$\eta$ = {eta_R:g}, $2/\lambda$ = {bound:.2f}")
        curves.set(xlim=(-0.5, n_steps + 0.5), ylim=(-1.6, 1.6))
        label_ends(curves)
    return figure


def decorrelation_grid(
    correlations: Sequence[float] = (0.5, 0.95), rates: Sequence[float] = (0.03, 0.3, 2.0), n_steps: int = 20
) -> Figure:
    """Draw what `decorrelation_slider` shows, for a few settings: one row per correlation, one column per step size."""
    with own_style():
        figure = StyledFigure(figsize=(2.6 * len(rates), 2.6 * len(correlations) + 0.4), layout="constrained")
        panels = figure.subplots(len(correlations), len(rates), sharex=True, sharey=True, squeeze=False)
        for row, correlation in zip(panels, correlations, strict=True):
            y = two_inputs(correlation)
            for axes, eta_R in zip(row, rates, strict=True):
                path = list(path_until_blow_up(y, eta_R, n_steps, "matrix"))
                draw_decorrelated(axes, y, path)
                axes.set_title(f"$\\eta$ = {eta_R:g}\n{outcome(path, n_steps)}")
            row[0].set_ylabel(f"correlation {correlation:g}\n$x_2$")
        for axes in panels[:-1].flat:
            axes.set_xlabel("")
    return figure


# ------------------------------------------------------------------------------ the learning rates of one layer


class Run(NamedTuple):
    """The training of one layer."""

    losses: list[float]
    """Loss before each step, until training diverged."""
    correlations: list[float]
    """Mean absolute correlation of the inputs x before each step."""
    error: str
    """Why training stopped early, or ""."""


def learn(eta_W: float, eta_R: float, correlation: float, rule: str, n_steps: int) -> Run:
    """Train a linear layer with three outputs on one batch of five inputs that share one variance and one correlation.

    The targets are a random linear map of the inputs, so that a loss of 0 is possible.
    """
    y = batch_with((1 - correlation) * np.eye(5) + correlation, 100)
    targets = y @ np.random.default_rng(1).normal(size=(3, 5)).T
    network = Network([5, 3], rng=np.random.default_rng(2), rule=rule, activation="linear", dtype="float64")
    losses: list[float] = []
    correlations: list[float] = []
    for step in range(n_steps + 1):
        x = decorrelate(network.layers[0].R, y)
        try:
            # the error signal of the quadratic loss is twice the error; halved, the target state z is the target
            losses.append(float(network.step(y, targets, eta_W=eta_W, eta_R=eta_R, delta_scale=0.5)))
        except DivergenceError:
            return Run(losses, correlations, f"diverges at step {step}")
        correlations.append(mean_absolute_correlation(second_moment(x)))
    return Run(losses, correlations, "")


def learning_rate_figure(
    eta_W: float = 0.1, eta_R: float = 0.1, correlation: float = 0.8, rule: str = "copi", n_steps: int = 150
) -> Figure:
    """Draw the loss of one linear layer while W and R learn, and the correlation of its inputs.

    Parameters
    ----------
    eta_W, eta_R : float        step sizes of the forward and lateral weights
    correlation : float         of any two inputs, from 0 to below 1
    rule : {"copi", "sgd"}      of the forward weights
    n_steps : int

    Returns
    -------
    figure : Figure             only the steps before training diverges, if it does
    """
    run = learn(eta_W, eta_R, correlation, rule, n_steps)
    with own_style():
        figure = StyledFigure(figsize=(8, 3.4), layout="constrained")
        loss, inputs = figure.subplots(1, 2)
        loss.semilogy(run.losses, color=COLOURS[0])
        inputs.plot(run.correlations, color=COLOURS[2])
        loss.set(xlabel="step", ylabel="loss", ylim=(1e-6, 1e4), title=run.error or f"loss {run.losses[-1]:.2g}")
        inputs.set(xlabel="step", ylabel="mean absolute correlation of x", ylim=(-0.02, 1))
        for axes in (loss, inputs):
            axes.set_xlim(0, n_steps)
    return figure


def learning_rate_grid(
    rates_W: Sequence[float] = (0.01, 0.1, 1.0),
    rates_R: Sequence[float] = (0.0, 0.01, 0.1),
    correlation: float = 0.8,
    n_steps: int = 150,
) -> Figure:
    """Draw what `learning_rate_slider` shows for COPI, for a few settings: one panel per eta_R, one curve per eta_W."""
    with own_style():
        figure = StyledFigure(figsize=(3.6 * len(rates_R), 3.4), layout="constrained")
        panels = figure.subplots(1, len(rates_R), sharey=True, squeeze=False)[0]
        for axes, eta_R in zip(panels, rates_R, strict=True):
            for eta_W, colour in zip(rates_W, COLOURS, strict=False):
                run = learn(eta_W, eta_R, correlation, "copi", n_steps)
                axes.semilogy(run.losses, color=colour, label=rf"$\eta_W$ = {eta_W:g}")
            axes.set(xlabel="step", title=rf"$\eta_R$ = {eta_R:g}", ylim=(1e-6, 1e4))
        panels[0].set_ylabel("loss")
        for axes in panels:
            label_ends(axes)
    return figure


# ----------------------------------------------------------------------------------------------------- sliders

NO_SLIDERS: Final = (
    "Sliders need ipywidgets: run `pip install ipywidgets` and restart the notebook. "
    "The figure above shows the same for a few settings."
)


def decorrelation_slider() -> Any:
    """Return sliders for `decorrelation_figure`, or print how to get them if ipywidgets is missing."""
    return _sliders(
        decorrelation_figure,
        correlation=[round(0.05 * k, 2) for k in range(-19, 20)],
        eta_R=[0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.2, 1.5, 2.0],
        n_steps=list(range(1, 41)),
        form=list(FORMS),
    )


def learning_rate_slider() -> Any:
    """Return sliders for `learning_rate_figure`, or print how to get them if ipywidgets is missing."""
    rates = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
    return _sliders(
        learning_rate_figure,
        eta_W=rates,
        eta_R=[0.0, *rates],
        correlation=[0.0, 0.2, 0.4, 0.6, 0.8, 0.9],
        rule=["copi", "sgd"],
        n_steps=[50, 150, 500],
    )


def _sliders(draw: Callable[..., Figure], **choices: Sequence[Any]) -> Any:
    """Return one slider per setting of `draw`, with these choices and its default, and the picture below them."""
    try:
        widgets = import_module("ipywidgets")
    except ImportError:
        print(NO_SLIDERS)
        return None
    defaults = signature(draw).parameters
    sliders = {
        name: widgets.SelectionSlider(
            options=values, value=defaults[name].default, description=name, continuous_update=False
        )
        for name, values in choices.items()
    }
    picture = widgets.Image(format="png")

    def redraw(*_: object) -> None:
        file = BytesIO()
        draw(**{name: slider.value for name, slider in sliders.items()}).savefig(file, dpi=90)
        picture.value = file.getvalue()

    for slider in sliders.values():
        slider.observe(redraw, "value")
    redraw()
    return widgets.VBox([*sliders.values(), picture])
