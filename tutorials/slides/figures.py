"""Draw the figures of the slides of both classes: ``python figures.py FOLDER``. It takes about a minute.

Every figure is as wide as a slide, and its smallest text can be read from the last row. One figure alone, such as the
picture of a layer in docs/figures: ``python figures.py FOLDER layer``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import figures_1
import figures_2
from matplotlib.figure import Figure
from matplotlib.text import Text

from copi_np.plotting import save_figure

SMALLEST: Final = 1 / 46
"""Height of the smallest text, as a share of the width of its figure: 26 px on a slide of 1200."""


def for_the_last_row(figure: Figure) -> Figure:
    """Enlarge the text of a figure that would be too small on a slide."""
    smallest = SMALLEST * 72 * figure.get_figwidth()
    for text in figure.findobj(Text):
        text.set_fontsize(max(text.get_fontsize(), smallest))
    return figure


def main(folder: Path, names: Sequence[str]) -> None:
    """Draw figures as SVG, all or those that are named; a file has the name of its function."""
    folder.mkdir(parents=True, exist_ok=True)
    for draw in (*figures_1.FIGURES, *figures_2.FIGURES):
        if not names or draw.__name__ in names:
            save_figure(for_the_last_row(draw()), folder / f"{draw.__name__}.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
