"""Figures as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from copi_np.errors import choose
from copi_np.plotting.style import DPI, MARGIN, own_style
from copi_np.storage.atomic import replace_file


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure with the resolution and margin of all figures, and return its path.

    Raises
    ------
    InputError      if the suffix is not a known figure format
    DataError       if the file cannot be written
    """
    form = Path(path).suffix.removeprefix(".").lower()
    choose("figure format", form, figure.canvas.get_supported_filetypes())
    look: dict[str, Any] = {"dpi": DPI, "bbox_inches": "tight", "pad_inches": MARGIN}
    with own_style():
        replace_file(Path(path), lambda file: figure.savefig(file, format=form, **look))
    return path
