"""The grids of hyper-parameters that were run in a folder: each sweep adds one, and reports keep them apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from copi_np.errors import DataError, explain_os_errors, list_names
from copi_np.experiments.figures import write_figure
from copi_np.experiments.records import RunRecord
from copi_np.experiments.settings import short, varied
from copi_np.experiments.summary import Group, group_runs
from copi_np.history import EpochRecord
from copi_np.storage.jsonl import append_line, read_lines

GRIDS_FILE: Final = "grids.jsonl"


class Grid(NamedTuple):
    """A grid of runs.

    Attributes
    ----------
    varied : list of str    the settings that were varied, as given with --vary
    options : dict          the other options of the sweep, which hold for all runs of the grid
    runs : list of str      names of the runs, see `config.run_name`
    """

    varied: list[str]
    options: dict[str, Any]
    runs: list[str]


def record_grid(root: Path, grid: Grid) -> None:
    """Add a grid to those recorded in a folder, unless all its runs are already there.

    Raises
    ------
    DataError       if the file cannot be read or written
    """
    with explain_os_errors("write", root):
        root.mkdir(parents=True, exist_ok=True)
    if not any(_same(grid, other) and set(grid.runs) <= set(other.runs) for other in read_grids(root)):
        append_line(root / GRIDS_FILE, grid._asdict())


def read_grids(root: Path) -> list[Grid]:
    """Return the grids recorded in a folder; those that vary the same settings under the same options are one.

    Raises
    ------
    DataError       if the file is damaged
    """
    grids: list[Grid] = []
    for line in read_lines(root / GRIDS_FILE, "move it away"):
        try:
            grid = Grid(**line)
            kinds = (isinstance(grid.varied, list), isinstance(grid.options, dict), isinstance(grid.runs, list))
            if not all(kinds) or not all(isinstance(name, str) for name in [*grid.varied, *grid.runs]):
                raise TypeError("not what record_grid writes")
        except TypeError:
            raise DataError(f"{root / GRIDS_FILE} is damaged: move it away") from None
        earlier = next((other for other in grids if _same(grid, other)), None)
        if earlier is None:
            grids.append(grid)
        else:
            earlier.runs.extend(name for name in grid.runs if name not in earlier.runs)
    return grids


def _same(one: Grid, other: Grid) -> bool:
    return (one.varied, one.options) == (other.varied, other.options)


def group_by_grid(runs: Sequence[RunRecord], grids: Iterable[Grid]) -> list[Group]:
    """Group runs grid by grid, then those that belong to none; a run may be in several grids.

    Each group holds the name of its grid, unless there is only one, and its values of the settings that were varied.
    """
    parts: list[tuple[str, list[str], list[RunRecord]]] = []
    left = list(runs)
    for grid in grids:
        members = [run for run in runs if run.name in grid.runs]
        left = [run for run in left if run not in members]
        if members:
            parts.append((_title(len(parts) + 1, grid), grid.varied, members))
    if left:
        parts.append(("Other runs", varied(run.config for run in left), left))
    return [
        group
        for title, names, members in parts
        for group in group_runs(members, names, title if len(parts) > 1 else "")
    ]


def _title(number: int, grid: Grid) -> str:
    """Name a grid, e.g. "Grid 2: eta (preset mnist-5k)"."""
    fixed: Mapping[str, Any] = {name.replace("_", " "): short(value) for name, value in grid.options.items()}
    options = f" ({list_names(f'{name} {value}' for name, value in fixed.items())})" if fixed else ""
    return f"Grid {number}: {list_names(grid.varied) or 'methods'}{options}"


# --------------------------------------------------------------------------------------------- accuracy over a setting


def draw_grids(root: Path, title: str, grids: Iterable[tuple[str, list[Group]]], most: int) -> list[Path]:
    """Draw accuracy over a setting for each grid in which one varies, as settings.png, settings-2.png, ..

    Parameters
    ----------
    root : Path
    title : str         of the figures
    grids : iterable    of the name of each grid, with its groups
    most : int          largest number of lines in a figure: those with the highest test accuracy

    Returns
    -------
    files : list of Path
    """
    files = []
    for number, (grid, groups) in enumerate(grids, start=1):
        if (axis := axis_of(groups)) is not None:
            path = root / ("settings.png" if number == 1 else f"settings-{number}.png")
            what = f"{title}: {grid}" if grid else title
            files += write_figure(path, "setting_curves", lines_over(axis, groups, most), axis, what)
    return files


def axis_of(groups: Sequence[Group]) -> str | None:
    """Choose the setting to draw accuracy over, or return None if nothing varies.

    It is the one with the most values, numbers first; of several, the one that most lines have two values of.
    """
    values: dict[str, set[Any]] = {}
    for group in groups:
        for name, value in group.settings.items():
            values.setdefault(name, set()).update(() if value is None else (value,))
    varying = {name: found for name, found in values.items() if len(found) > 1}

    def rank(name: str) -> tuple[bool, int, int]:
        lines = lines_over(name, groups, len(groups)).values()
        numeric = not any(isinstance(value, str) for value in varying[name])
        return numeric, len(varying[name]), sum(len(line) > 1 for line in lines)

    return max(varying, key=rank, default=None)


_Line = dict[Any, list[list[EpochRecord]]]
"""The histories of the seeds at each value of a setting."""


def lines_over(axis: str, groups: Iterable[Group], most: int) -> dict[str, _Line]:
    """Return groups that differ only in one setting as a line, by label; of many, those with the best test accuracy."""
    lines: dict[str, _Line] = {}
    best: dict[str, float] = {}
    for group in groups:
        value = group.settings.get(axis)
        label = group.label.replace(f", {axis}={value}", "")
        lines.setdefault(label, {}).setdefault(value, []).extend(group.histories)
        best[label] = max(best.get(label, 0.0), group.statistic("test_accuracy").mean)
    chosen = sorted(lines, key=lambda label: -best[label])[:most]
    return {label: line for label, line in lines.items() if label in chosen}
