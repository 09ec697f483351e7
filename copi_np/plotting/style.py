"""One style for all figures: colour-blind safe, and legible in print, in grey and on a dark page.

The background is opaque white with a margin: on a dark page a figure is a white card. Without colour, markers tell
curves apart.
"""

from __future__ import annotations

from textwrap import fill
from typing import Any, Final

from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

# the palette of Okabe and Ito, with a grey instead of its yellow, which is too pale on white
COLOURS: Final = ("#0072B2", "#009E73", "#D55E00", "#000000", "#CC79A7", "#56B4E9", "#E69F00", "#606060")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
MAX_MARKERS: Final = 8
"""Largest number of markers on a curve."""
FIGURE_WIDTH: Final = 9.0
"""Width of a figure of several panels, in inches. Scaled to a 6.3-inch text column, 11-point type becomes 7.7-point."""
DPI: Final = 150
MARGIN: Final = 0.15
"""Inches around a figure in its file."""
TITLE_INCHES: Final = 0.3
"""Height that a one-line title adds to a figure, in inches."""
LINE_INCHES: Final = 0.23
"""Height of one line of a title or a legend, in inches."""
TITLE_CHARACTERS: Final = 90
"""Characters per line of a title."""

STYLE: Final[dict[Any, Any]] = {
    "axes.grid": True,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.facecolor": "white",
    "figure.titlesize": "medium",
    "font.size": 11,
    "grid.alpha": 0.3,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.9,  # so that curves behind the legend do not cross its text
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
}


def looks(n: int, n_points: int = 1) -> list[dict[str, Any]]:
    """Return the styles of `n` curves: each has its own colour and marker, until both repeat.

    Markers are hollow, since curves may overlap, and at most `MAX_MARKERS` points of a curve have one.
    """
    every = -(-n_points // MAX_MARKERS)
    return [
        {
            "color": COLOURS[i % len(COLOURS)],
            "marker": MARKERS[i % len(MARKERS)],
            "markevery": every,
            "fillstyle": "none",
        }
        for i in range(n)
    ]


def title_above(figure: Figure, title: str | None) -> None:
    """Put a title above all panels, wrapped into lines; the figure grows to fit."""
    if title is not None:
        figure.suptitle(fill(title, TITLE_CHARACTERS))
        figure.set_figheight(figure.get_figheight() + LINE_INCHES * (len(title) // TITLE_CHARACTERS))


def legend_below(figure: Figure, handles: list[Any], labels: list[str]) -> None:
    """Put a legend below all panels, in as many columns as fit; the figure grows with its rows."""
    for n_columns in range(len(labels), 0, -1):
        legend = figure.legend(handles, labels, loc="outside lower center", ncols=n_columns, frameon=False)
        if legend.get_window_extent().width <= figure.bbox.width or n_columns == 1:
            n_rows = -(-len(labels) // n_columns)
            figure.set_figheight(figure.get_figheight() + LINE_INCHES * (n_rows - 1))
            return
        legend.remove()
