"""Figures as files."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from copi_np.errors import cannot_write


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure, and return its path.

    Raises
    ------
    DataError       if the file cannot be written
    """
    try:
        figure.savefig(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    return path
