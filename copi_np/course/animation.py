"""The cloud of two inputs while R learns: as an animation in a notebook, and as a strip of frames for print."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from copi_np.plotting import COLOURS, StyledFigure, own_style
from copi_np.rules import decorrelate, mean_square
from copi_np.whitening import second_moment

Array = npt.NDArray[Any]

N_COLOURS: Final = 16
"""Colours of a frame: enough for lines and points, in a much smaller file than with all colours."""


@final
@dataclass(frozen=True, repr=False)
class Animation:
    """An animated GIF, which Jupyter and web pages show as an inline image.

    Parameters
    ----------
    gif : bytes             the file
    description : str       for readers who cannot see it
    """

    gif: bytes
    description: str

    def _repr_html_(self) -> str:
        data = b64encode(self.gif).decode()
        return f'<img alt="{self.description}" src="data:image/gif;base64,{data}">'

    def __repr__(self) -> str:
        return f"Animation: {self.description}"


def animate(figure: Figure, draw: Callable[[int], None], n_frames: int, per_second: int = 6, pause: int = 2) -> bytes:
    """Return an animated GIF of a figure.

    Parameters
    ----------
    figure : Figure
    draw : function         draws frame 0, 1, .. into the figure
    n_frames : int
    per_second : int        frames per second
    pause : int             seconds for which the last frame stays before the animation repeats

    Returns
    -------
    gif : bytes
    """
    frames = []
    for frame in range(n_frames):
        draw(frame)
        drawn = BytesIO()
        figure.savefig(drawn, format="png", dpi="figure")
        picture = Image.open(drawn).convert("RGB")
        frames.append(picture.quantize(N_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE))
    times = [1000 // per_second] * (n_frames - 1) + [1000 * pause]
    file = BytesIO()
    frames[0].save(file, format="GIF", save_all=True, append_images=frames[1:], duration=times, loop=0)
    return file.getvalue()


# ------------------------------------------------------------------------------------------------- the cloud


def correlation(x: Array) -> float:
    """Return C_12 / sqrt(C_11 C_22) of two inputs (B, 2), not centred."""
    C = second_moment(x)
    return float(C[0, 1] / np.sqrt(C[0, 0] * C[1, 1]))


def draw_cloud(axes: Axes, x: Array, limit: float, colour: str = COLOURS[0]) -> None:
    """Draw samples x (B, 2) as points, and their second moments C as an ellipse, from -limit to limit.

    The ellipse is the image under C^(1/2) of a circle of radius 2. It is a circle for whitened inputs, and aligned with
    the axes for decorrelated ones.
    """
    axes.plot(*x.T, ".", color=colour, markersize=2.5)
    values, vectors = np.linalg.eigh(second_moment(x))
    angle = np.linspace(0, 2 * np.pi, 100)
    circle = 2 * np.array([np.cos(angle), np.sin(angle)])
    axes.plot(*(vectors * np.sqrt(np.maximum(values, 0))) @ circle, color=colour)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel="$x_1$")


def draw_lateral_weights(axes: Axes, R: Array) -> None:
    """Draw the columns of R (2, 2) as arrows: where it takes the inputs (1, 0) and (0, 1)."""
    zeros = np.zeros(2)
    axes.quiver(zeros, zeros, *R, angles="xy", scale_units="xy", scale=1, color=COLOURS[2], width=0.014, zorder=3)


def extent(y: Array) -> float:
    """Return three standard deviations of the wider of two inputs y (B, 2), as the limit of a plot."""
    return 3 * float(np.sqrt(np.max(mean_square(y))))


def cloud_strip(y: Array, path: Sequence[Array], steps: Sequence[int]) -> Figure:
    """Draw the cloud at some steps, side by side.

    Parameters
    ----------
    y : (B, 2) array            samples
    path : sequence of R        (2, 2) each, as `analysis.decorrelation_path` yields them
    steps : sequence of int     the steps to show
    """
    with own_style():
        figure = StyledFigure(figsize=(2.4 * len(steps) + 0.4, 3.2), layout="constrained")
        for axes, step in zip(figure.subplots(1, len(steps), sharey=True, squeeze=False)[0], steps, strict=True):
            x = decorrelate(path[step], y)
            draw_cloud(axes, x, extent(y))
            draw_lateral_weights(axes, path[step])
            axes.set_title(f"step {step}\ncorrelation {correlation(x):.2f}")
        figure.axes[0].set_ylabel("$x_2$")
    return figure


def animate_cloud(y: Array, path: Sequence[Array], steps: Sequence[int]) -> Animation:
    """Animate the cloud at some steps, next to its correlation; parameters as for `cloud_strip`."""
    limit = extent(y)
    correlations = [correlation(decorrelate(R, y)) for R in path]
    with own_style(**{"axes.grid": False}):  # too pale to survive with so few colours
        figure = StyledFigure(figsize=(6.4, 3.2), dpi=80, layout="constrained")
        cloud, curve = figure.subplots(1, 2)

        def draw(frame: int) -> None:
            step = steps[frame]
            cloud.clear()
            draw_cloud(cloud, decorrelate(path[step], y), limit)
            draw_lateral_weights(cloud, path[step])
            cloud.set(ylabel="$x_2$", title=f"step {step}")
            curve.clear()
            curve.plot(correlations, color=COLOURS[7], linewidth=1)
            curve.plot(step, correlations[step], "o", color=COLOURS[0])
            curve.set(xlabel="step", ylabel="correlation", title=f"correlation {correlations[step]:.2f}")

        draw(0)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # or the axes might jump from frame to frame
        gif = animate(figure, draw, len(steps))
    ends = f"from {correlations[steps[0]]:.2f} to {correlations[steps[-1]]:.2f}"
    return Animation(gif, f"A cloud of samples of two inputs while R learns; their correlation goes {ends}.")
