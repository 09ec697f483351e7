"""One style for all figures: colour-blind safe, legible in print, in grey, and on a dark page.

The ground is opaque white with a margin: on a dark page a figure is a white card. Where colours are lost, markers tell
curves apart.
"""

from __future__ import annotations

from textwrap import fill
from typing import Any, Final

from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

# the palette of Okabe and Ito, without its yellow, which is too pale on white, and with a grey
COLOURS: Final = ("#0072B2", "#009E73", "#D55E00", "#000000", "#CC79A7", "#56B4E9", "#E69F00", "#606060")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
MOST_MARKERS: Final = 8
"""On a curve, however many points it has."""
FIGURE_WIDTH: Final = 9.0
"""Inches of a figure of several panels: on paper, 6.3 inches of text wide, its letters of 11 points have 7.7."""
DPI: Final = 150
MARGIN: Final = 0.15
"""Inches around a figure in its file."""
TITLE_INCHES: Final = 0.3
"""What a figure grows by for a title of one line."""
LINE: Final = 0.23
"""Inches of a line of a title or a legend."""
TITLE: Final = 90
"""Characters of a line of a title."""

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
    "legend.edgecolor": "none",  # white, so that a line behind does not cross the words
    "legend.framealpha": 0.9,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
}


def looks(n: int, n_points: int = 1) -> list[dict[str, Any]]:
    """How `n` curves look: each in a colour and with a marker of its own, until both start anew.

    Markers are hollow, since curves may lie on each other, and on `MOST_MARKERS` of the points at most.
    """
    every = -(-n_points // MOST_MARKERS)
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
    """A title above all panels, in as many lines as it takes, for which the figure grows."""
    if title is not None:
        figure.suptitle(fill(title, TITLE))
        figure.set_figheight(figure.get_figheight() + LINE * (len(title) // TITLE))


def legend_below(figure: Figure, handles: list[Any], labels: list[str]) -> None:
    """A legend below all panels, in as many columns as fit, and in rows for which the figure grows."""
    for n_columns in range(len(labels), 0, -1):
        legend = figure.legend(handles, labels, loc="outside lower center", ncols=n_columns, frameon=False)
        if legend.get_window_extent().width <= figure.bbox.width or n_columns == 1:
            n_rows = -(-len(labels) // n_columns)
            figure.set_figheight(figure.get_figheight() + LINE * (n_rows - 1))
            return
        legend.remove()
