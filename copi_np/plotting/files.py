"""Figures as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure

from copi_np.errors import choose
from copi_np.plotting.style import DPI, MARGIN, own_style
from copi_np.storage.atomic import replace_file


def figure_format(path: Path) -> str:
    """Return the format of a figure's file, such as "png"; raise an InputError if matplotlib cannot write it."""
    form = Path(path).suffix.removeprefix(".").lower()
    choose("figure format", form, FigureCanvasBase.get_supported_filetypes())
    return form


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure with the resolution and margin of all figures, and return its path.

    Raises
    ------
    InputError      if the suffix is not a known figure format
    DataError       if the file cannot be written
    """
    form = figure_format(path)
    look: dict[str, Any] = {"dpi": DPI, "bbox_inches": "tight", "pad_inches": MARGIN}
    with own_style():
        replace_file(Path(path), lambda file: figure.savefig(file, format=form, **look))
    return path
