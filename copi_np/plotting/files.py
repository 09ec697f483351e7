"""Figures as files."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from copi_np.errors import choose, explain_os_errors
from copi_np.plotting.style import DPI, MARGIN


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure with the resolution and margin of all figures, and return its path.

    Raises
    ------
    InputError      if the suffix is not a known figure format
    DataError       if the file cannot be written
    """
    choose("figure format", Path(path).suffix.removeprefix(".").lower(), figure.canvas.get_supported_filetypes())
    with explain_os_errors("write", path):
        figure.savefig(path, dpi=DPI, bbox_inches="tight", pad_inches=MARGIN)
    return path
