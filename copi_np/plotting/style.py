"""One style for all figures: colour-blind safe, legible in print and on a dark page."""

from __future__ import annotations

from typing import Any, Final

STYLE: Final[dict[Any, Any]] = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "white",
    "font.size": 10,
    "grid.alpha": 0.3,
    "lines.linewidth": 1.6,
    "savefig.dpi": 150,
}
# the palette of Okabe and Ito, without its yellow, which is too pale on white
COLOURS: Final = ("#0072B2", "#009E73", "#D55E00", "#000000", "#CC79A7", "#56B4E9", "#E69F00", "#999999")


def colours(n: int) -> list[str]:
    """`n` colours of the palette, which starts anew where it ends."""
    return [COLOURS[i % len(COLOURS)] for i in range(n)]
