"""One style for all figures: colour-blind safe, and legible in print, in grey and on a dark page.

The background is opaque white with a margin: on a dark page a figure is a white card. Without colour, markers tell
curves apart. The user's own matplotlib settings have no effect: a dark style would give white text on white.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from textwrap import fill
from typing import Any, Final

import matplotlib as mpl
import matplotlib.style
import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

# the palette of Okabe and Ito, with a grey instead of its yellow, which is too pale on white
COLOURS: Final = ("#0072B2", "#009E73", "#D55E00", "#000000", "#CC79A7", "#56B4E9", "#E69F00", "#606060")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
MAX_MARKERS: Final = 8
"""Largest number of markers on a curve."""
BROAD: Final = 3.4
THIN: Final = 1.6
"""Widths of the first and the last curve, in points."""
FIGURE_WIDTH: Final = 9.0
"""Width of a figure of several panels, in inches. Scaled to a 6.3-inch text column, 11-point type becomes 7.7-point."""
DPI: Final = 150
MARGIN: Final = 0.15
"""Inches around a figure in its file."""
TITLE_INCHES: Final = 0.3
"""Height that a one-line title adds to a figure, in inches."""
LINE_INCHES: Final = 0.23
"""Height of one line of a title or a legend, in inches."""
FONT: Final = "DejaVu Sans"
"""The font that comes with matplotlib."""
GENERIC: Final = ("serif", "sans-serif", "cursive", "fantasy", "monospace")
"""Names that stand for a list of fonts in the user's settings."""
TITLE_CHARACTERS: Final = 90
"""Characters per line of a title."""

STYLE: Final[dict[Any, Any]] = {
    "axes.grid": True,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.dpi": 200,  # in notebooks: sharp on a projector
    "figure.facecolor": "white",
    "figure.titlesize": "medium",
    "font.size": 12,
    "grid.alpha": 0.3,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.9,  # so that curves behind the legend do not cross its text
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
}


def own_style(**changes: Any) -> AbstractContextManager[Any]:
    """Use `STYLE` inside a ``with`` statement, with these changes, and matplotlib's defaults for all other settings."""
    return matplotlib.style.context(["default", {**STYLE, "font.family": _fonts(), **changes}])


def _fonts() -> list[str]:
    """Return the font of all figures and then the user's fonts, for characters that it lacks."""
    names = [FONT]
    for family in mpl.rcParams["font.family"]:
        generic: Any = f"font.{family}"
        names += mpl.rcParams[generic] if family in GENERIC else [family]
    installed = font_manager.get_font_names()
    return [name for name in dict.fromkeys(names) if name in installed]


class StyledFigure(Figure):
    """A figure that is drawn in `own_style` whenever it is drawn: matplotlib makes ticks and their labels only then."""

    def draw(self, renderer: Any) -> None:
        """Draw the figure with a renderer."""
        with own_style():
            super().draw(renderer)

    def savefig(self, *arguments: Any, **options: Any) -> None:
        """Write the figure to a file; parameters as for `matplotlib.figure.Figure.savefig`."""
        with own_style():
            super().savefig(*arguments, **options)


def literal(text: str) -> str:
    """Escape text so that matplotlib shows it as it is: a dollar sign does not start mathematics.

    A space goes before a leading underscore, which would keep a label out of the legend.
    """
    drawable = text.encode("utf-8", "backslashreplace").decode()  # names of files may hold bytes that are not UTF-8
    return (" " if drawable.startswith("_") else "") + drawable.replace("$", r"\$")


def looks(n: int, n_points: int = 1) -> list[dict[str, Any]]:
    """Return the styles of `n` curves: each has its own colour and marker, until both repeat.

    Curves may coincide. So they are drawn from broad to thin, markers are hollow, and different curves have them at
    different points if there are enough; at most `MAX_MARKERS` points of a curve have a marker.
    """
    every = max(-(-n_points // MAX_MARKERS), min(n, n_points // 3))
    return [
        {
            "color": COLOURS[i % len(COLOURS)],
            "marker": MARKERS[i % len(MARKERS)],
            "markevery": (i % every, every),
            "fillstyle": "none",
            "linewidth": width,
        }
        for i, width in enumerate(np.linspace(BROAD if n > 1 else THIN, THIN, n).tolist())
    ]


def title_above(figure: Figure, title: str | None) -> None:
    """Put a title above all panels, wrapped into lines; the figure grows to fit."""
    if title is not None:
        with own_style():
            figure.suptitle(literal(fill(title, TITLE_CHARACTERS)))
        more = TITLE_INCHES + LINE_INCHES * (len(title) // TITLE_CHARACTERS)
        figure.set_figheight(figure.get_figheight() + more)


def legend_below(figure: Figure, handles: list[Any], labels: list[str]) -> None:
    """Put a legend below all panels, in as many columns as fit; the figure grows with its rows."""
    for n_columns in range(len(labels), 0, -1):
        legend = figure.legend(handles, labels, loc="outside lower center", ncols=n_columns, frameon=False)
        if legend.get_window_extent().width <= figure.bbox.width or n_columns == 1:
            n_rows = -(-len(labels) // n_columns)
            figure.set_figheight(figure.get_figheight() + LINE_INCHES * (n_rows - 1))
            return
        legend.remove()
