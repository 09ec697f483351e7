"""Write figures one by one, after all text, so that a figure that fails never costs a result."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from copi_np.errors import CopiWarning, warn_if_it_fails


def write_figure(path: Path, kind: str, *contents: Any, title: str | None = None) -> list[Path]:
    """Draw a figure and write it; if that fails, remove an older one at `path`, which would show other results.

    Parameters
    ----------
    path : Path
    kind : str              name of the function of `copi_np.plotting` that draws it
    contents                arguments of that function
    title : str, optional   to put above the figure

    Returns
    -------
    files : list of Path    `path`, or nothing if there is no figure

    Warns
    -----
    CopiWarning             says in one line why there is no figure
    """
    files = []
    with warn_if_it_fails(f"no figure {path}"), _missing_characters_in_one_line(path):
        from copi_np import plotting  # imports matplotlib, which is slow, and may fail too

        figure = getattr(plotting, kind)(*contents)
        if title is not None:
            plotting.title_above(figure, title)
        files.append(plotting.save_figure(figure, path))
    with suppress(OSError):
        if not files and path.is_file():
            path.unlink()
    return files


@contextmanager
def _missing_characters_in_one_line(path: Path) -> Iterator[None]:
    """Warn once of all characters that no font has; matplotlib warns of each, several times."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", "Glyph ")
        yield
    missing = ""
    for each in caught:
        if glyph := re.match(r"Glyph (\d+) ", str(each.message)):
            missing += chr(int(glyph[1])) * (chr(int(glyph[1])) not in missing)
        else:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if missing:
        advice = "set font.family in your matplotlibrc to a font that has them"
        warnings.warn(f"{path} shows boxes for {missing}: {advice}", CopiWarning, stacklevel=4)
