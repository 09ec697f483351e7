"""Figures as files."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from copi_np.errors import cannot_write
from copi_np.plotting.style import DPI, MARGIN


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure in the resolution and with the margin that all have, and return its path.

    Raises
    ------
    DataError       if the file cannot be written
    """
    try:
        figure.savefig(path, dpi=DPI, bbox_inches="tight", pad_inches=MARGIN)
    except OSError as error:
        raise cannot_write(path, error) from error
    return path
