"""Figures of the second class that show no results: four ways down, and one synapse."""

from __future__ import annotations

from typing import Final

from matplotlib.figure import Figure

from copi_np.course.classroom import FOR_A_PROJECTOR
from copi_np.plotting import COLOURS, StyledFigure, own_style

# from one height to another, at a place from left to right
HIGH, LOW, PAST = (1.78, 1.22, 0.35), (0.78, 0.22, 0.35), (1.78, 0.22, 1.15)
WAYS: Final = {
    "backpropagation": {HIGH: r"$(W_3 R_3)^\top$", LOW: r"$(W_2 R_2)^\top$"},
    "feedback alignment": {HIGH: "$F_3$", LOW: "$F_2$"},
    "direct feedback": {HIGH: "$F_3$", PAST: "$F_2$"},
    "target propagation": {HIGH: r"$f(F_3\,t_3)$", LOW: r"$f(F_2\,t_2)$"},
}


def ways_down() -> Figure:
    """Draw what backpropagation and its alternatives send down, next to the activity on its way up."""
    up = {"arrowstyle": "-|>", "color": "silver", "lw": 3}
    frame = {"boxstyle": "round", "facecolor": "white", "edgecolor": "gray"}
    with own_style(**FOR_A_PROJECTOR):
        figure = StyledFigure(figsize=(12.5, 4.6), layout="constrained")
        for axes, (name, arrows), colour in zip(figure.subplots(1, 4), WAYS.items(), COLOURS, strict=False):
            axes.set(title=name, xlim=(-0.9, 1.8), ylim=(-0.7, 2.3))
            axes.axis("off")
            axes.annotate("", (0, 1.8), (0, -0.7), arrowprops=up)
            for height, layer in enumerate(("layer 1", "layer 2", "output")):
                axes.text(0, height, layer, ha="center", va="center", bbox=frame)
            down = {"arrowstyle": "-|>", "color": colour, "lw": 3}
            for (start, end, place), text in arrows.items():
                axes.annotate("", (place, end), (place, start), arrowprops=down)
                axes.text(place + 0.08, (start + end) / 2, text, color=colour, va="center")
    return figure


def synapse() -> Figure:
    """Draw one synapse with the three numbers that it has; all others are grey."""
    pre, own, post, other = COLOURS[0], COLOURS[2], COLOURS[1], "#777777"
    units = {(0, 0): ("$x_j$", pre), (3, 0): ("$z_i$", post), (0, -1): ("$x_k$", other), (3, 1): ("$z_m$", other)}
    texts = {
        (-0.35, 0): ("pre", pre, "right"),
        (3.35, 0): ("post", post, "left"),
        (1.1, -0.22): ("own weight $w_{ij}$", own, "center"),
        (-0.35, -1): ("another input", other, "right"),
        (3.35, 1): ("another unit", other, "left"),
    }
    with own_style(**FOR_A_PROJECTOR):
        figure = StyledFigure(figsize=(10, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.set(xlim=(-2.2, 5.2), ylim=(-1.4, 1.4))
        axes.axis("off")
        for start, end in ((-1, 0), (0, 1)):
            axes.plot((0, 3), (start, end), color=other)
        axes.plot((0, 3), (0, 0), color=own, linewidth=6)
        for place, (name, colour) in units.items():
            axes.plot(*place, "o", color=colour, markersize=44)
            axes.text(*place, name, color="white", ha="center", va="center")
        for place, (text, colour, side) in texts.items():
            axes.text(*place, text, color=colour, ha=side, va="center")
    return figure
