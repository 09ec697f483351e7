"""Make tables and figures of a folder of runs, from its records alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from copi_np.errors import DataError, InputError, list_names
from copi_np.experiments.best_setting import write_best
from copi_np.experiments.diagnostics import EpochDiagnostics, read_diagnostics
from copi_np.experiments.figure3 import Figure3, read_figure3
from copi_np.experiments.figure3_report import draw_figure3, figure3_parts
from copi_np.experiments.figures import write_figure
from copi_np.experiments.grids import draw_grids, group_by_grid, read_grids
from copi_np.experiments.records import RunRecord, find_runs
from copi_np.experiments.summary import Group, compare, group_runs
from copi_np.experiments.tables import (
    HEADER,
    JSON_HEAD,
    SELECTED_HEADER,
    by_grid,
    json_of,
    markdown_table,
    percent,
    results_rows,
    selected_rows,
)
from copi_np.storage.atomic import check_writable, replace_text
from copi_np.storage.untrusted import exists, path_exists, read_text

TABLE: Final = "table.md"
SUMMARY: Final = "summary.json"
CURVES: Final = "fig2.png"
RUN: Final = r"[a-z0-9]+(?:-[a-z0-9]+)*_(?:.+_)?seed\d+(?:_\d+|_[0-9a-f]{10})?"
"""The name of a run's folder, as `config.run_name` and `runner.free_folder` form it."""
WRITTEN: Final = re.compile(
    r"table\.md|best\.toml|summary\.json|fig2\.png|settings(?:-\d+)?\.png"
    rf"|fig3[abc](?:-{RUN})?\.png|diagnostics-{RUN}\.png"
)
"""Names of the files that a report writes."""
MAX_CURVES: Final = 8
"""Largest number of groups in one figure: more colours are hard to tell apart."""

WIDTHS: Final = (20, 6, 14, 14, 14, 11)
"""Widths of the columns in a terminal: a line has 79 characters."""

SELECTED_ON: Final = "At the epoch of each run that is best on its validation split:"

EXPLANATION: Final = (
    "Accuracies in per cent and losses per sample after the last epoch: mean and standard deviation over seeds. The "
    "best test accuracy is chosen on the test set, for each seed at its own epoch, so it is optimistic. The column "
    "after it is the epoch that first reaches 99 % of the highest training accuracy."
)


@dataclass(frozen=True)
class Results:
    """The results in a folder of runs.

    Attributes
    ----------
    title : str
    groups : list of Group      all of them; every run is in one
    grids : list of Group       the same runs, grid by grid of hyper-parameters, see `grids.group_by_grid`
    figure3 : dict              from a group's label to the records of Figure 3 of its runs
    diagnostics : dict          from a group's label to its first run with diagnostics, and its diagnostics by epoch
    remarks : list of str       one line for each run that is left out or stopped early
    environments : list of str  the machines and versions that the runs used
    """

    title: str
    groups: list[Group]
    grids: list[Group]
    figure3: dict[str, list[Figure3]]
    diagnostics: dict[str, tuple[RunRecord, list[EpochDiagnostics]]]
    remarks: list[str]
    environments: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as plain values, ready for JSON."""
        return {"title": self.title, "groups": [group.as_dict() for group in self.grids], "remarks": self.remarks}


def write_report(root: str | Path, title: str | None = None) -> tuple[Results, list[Path]]:
    """Write table.md, summary.json and the figures that the records of a folder allow, into that folder.

    Of several settings with a validation split, the best one is written too, as the preset best.toml.

    An earlier report is replaced; figures that the records no longer allow are removed. Damaged records are left out,
    with a remark.

    Parameters
    ----------
    root : path             holds runs, in subfolders of any depth
    title : str, optional   of table and figures; default: data set and layers

    Returns
    -------
    results : Results
    files : list of Path    the files written

    Raises
    ------
    DataError               if there are no runs, or none has a result, or tables cannot be written
    InputError              if a file of the user's has a name that a report uses

    Warns
    -----
    CopiWarning             if a figure cannot be drawn or written; the tables are written before
    """
    root = Path(root)
    results = read_results(root, title)
    earlier = earlier_report(root)
    replace_text(root / SUMMARY, json_of(results.grids))  # first, since it marks the other files as those of a report
    replace_text(root / TABLE, markdown(results))
    files = [root / TABLE, root / SUMMARY, *write_best(root, results.groups), *draw(root, results)]
    for path in earlier:
        if path not in files:
            path.unlink(missing_ok=True)
    return results, files


def earlier_report(root: Path) -> list[Path]:
    """List the files of an earlier report, which the next one replaces.

    Raises
    ------
    InputError              if there are files of these names that no report has written
    DataError               if one of them cannot be written
    """
    if not path_exists(root):
        return []
    files = [path for path in sorted(root.iterdir()) if WRITTEN.fullmatch(path.name)]
    is_report = exists(root / SUMMARY) and read_text(root / SUMMARY, "move it away").startswith(JSON_HEAD)
    if files and not is_report:
        names = list_names(path.name for path in files)
        raise InputError(f"{root} holds {names}, not from a report, which would be replaced: move them away")
    for path in (root / SUMMARY, *files):
        check_writable(path)
    return files


def read_results(root: Path, title: str | None = None) -> Results:
    """Read all records in a folder; parameters and errors as for `write_report`."""
    runs, left_out = find_runs(root)
    everything = group_runs(runs)
    groups = [group for group in everything if group.runs]
    if not groups:
        why = [*left_out, *remarks_on(everything)]
        more = f" (and {len(why) - 1} more)" if len(why) > 1 else ""
        raise DataError(f"no run in {root} has a result: {why[0]}{more}. Run the command that made them again")
    figure3: dict[str, list[Figure3]] = {}
    diagnostics: dict[str, tuple[RunRecord, list[EpochDiagnostics]]] = {}
    for group in groups:
        for run in group.runs:
            try:
                record = read_figure3(run)
                if record.measures is not None:
                    figure3.setdefault(group.label, []).append(record)
                if by_epoch := read_diagnostics(run.folder):
                    diagnostics.setdefault(group.label, (run, by_epoch))
            except DataError as error:
                left_out.append(f"{run.folder.name}: left out of some figures, since {error}")
    remarks = [*remarks_on(everything), *left_out]
    try:
        grids = [group for group in group_by_grid(runs, read_grids(root)) if group.runs]
    except DataError as error:
        remarks.append(f"The grids of sweeps are not told apart, since {error}")
        grids = groups
    return Results(title or default_title(groups), groups, grids, figure3, diagnostics, remarks, environments(runs))


def default_title(groups: Sequence[Group]) -> str:
    """Name data sets and layers, e.g. "mnist, 784-500-500-500-10"."""
    names = (f"{Path(group.config.dataset).stem}, {'-'.join(map(str, group.config.layers))}" for group in groups)
    return "; ".join(dict.fromkeys(names))


# ------------------------------------------------------------------------------------------------------- tables


def text_table(results: Results) -> str:
    """Format the table for a terminal; accuracies in per cent, mean and standard deviation over seeds."""
    lines: list[str] = []
    for grid, groups in by_grid(results.grids):
        lines += [grid] if grid else []
        lines += _text_lines([("method", "runs", *HEADER[2:6]), *results_rows(groups)])
        if selected := selected_rows(groups):
            lines += ["", SELECTED_ON, *_text_lines([SELECTED_HEADER, *selected])]
        lines += [""] if grid else []
    lines += ["runs: seeds x epochs; 99 % at: epoch that reaches 99 % of peak train accuracy"]
    return "\n".join([*lines, *results.remarks])


def _text_lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Align rows in columns; a label that is too long for the first column gets a line to itself."""
    for label, *cells in rows:
        if len(label) > WIDTHS[0]:
            yield label
            label = ""
        numbers = (cell.rjust(width) for cell, width in zip(cells, WIDTHS[1:], strict=False))
        yield label.ljust(WIDTHS[0]) + "".join(numbers)


def markdown(results: Results) -> str:
    """Return the tables for a document: results, comparisons with the first group, remarks, and environments."""
    parts = [f"# {results.title}", EXPLANATION]
    for grid, groups in by_grid(results.grids):
        parts += [f"## {grid}"] if grid else []
        parts += _tables(groups)
    for label, records in results.figure3.items():
        parts += [f"## {label}"] if len(results.figure3) > 1 else []
        parts += figure3_parts(records)
    parts += results.remarks
    parts += [f"Ran on {environment}." for environment in results.environments]
    return "\n\n".join(parts) + "\n"


def _tables(groups: Sequence[Group]) -> list[str]:
    """Return the tables of groups that are compared: results, and comparisons with the first group."""
    parts = [markdown_table(HEADER, results_rows(groups))]
    if selected := selected_rows(groups):
        parts += [SELECTED_ON, markdown_table(SELECTED_HEADER, selected)]
    comparisons = [compare(groups[0], other) for other in groups[1:]]
    rows = [
        [c.other, str(c.epoch), percent(c.difference, sign=True), f"{c.n_ahead} of {c.n_seeds}"]
        for c in comparisons
        if c is not None
    ]
    if rows:
        parts.append(
            f"Test accuracy of {groups[0].label} minus that of each other method with the same seed, in points:"
        )
        parts.append(markdown_table(["compared with", "epoch", "difference", "ahead in"], rows))
    return parts


def remarks_on(groups: Iterable[Group]) -> list[str]:
    """Return one line for each run that is not finished, or that statistics leave out."""
    lines = []
    for group in groups:
        unfinished = [(run, "not finished") for run in group.runs if not run.finished]
        for run, state in [*unfinished, *((run, f"{_why_left_out(run)}, left out") for run in group.others)]:
            done = f"{len(run.history)} of {run.config.epochs} epochs"
            lines.append(f"{group.label}, seed {run.config.seed} ({run.folder.name}): {done}, {state}")
    return lines


def _why_left_out(run: RunRecord) -> str:
    if run.failure:
        return f"failed ({run.failure})"
    return "shorter than others" if run.finished else "not finished"


def environments(runs: Iterable[RunRecord]) -> list[str]:
    """Describe each environment that the runs used, once."""
    descriptions: list[dict[str, Any]] = [
        part for run in runs for part in (run.description, *run.description.get("continued", []))
    ]
    texts = []
    for description in descriptions:
        packages = list_names(f"{name} {version}" for name, version in description.get("versions", {}).items())
        device, cores, blas = (description.get(name, "?") for name in ("device", "cores", "blas"))
        texts.append(f"{device}, {cores} cores, {blas}; {packages}")
    return list(dict.fromkeys(texts))


# ------------------------------------------------------------------------------------------------------ figures


def draw(root: Path, results: Results) -> list[Path]:
    """Draw all figures that the records allow.

    These are learning curves (Figure 2), with more than eight groups only of the best on the test set; accuracy over a
    setting that varies, for each grid; Figure 3 of each group that has recorded it; and diagnostics of one run of each
    group. Files of Figure 3 are named after a run, except those of the first group. A figure that fails is left out
    with a `CopiWarning`.
    """
    groups = results.groups
    best = sorted(groups, key=lambda group: -group.statistic("test_accuracy").mean)[:MAX_CURVES]
    shown = {group.label: group.histories for group in groups if group in best}
    choice = f" (the best {len(shown)} of {len(groups)})" if len(shown) < len(groups) else ""
    files = write_figure(root / CURVES, "learning_curves", shown, results.title + choice)
    files += draw_grids(root, results.title, by_grid(results.grids), MAX_CURVES)
    for k, (label, records) in enumerate(results.figure3.items()):
        title = label if len(results.figure3) > 1 else None
        files += draw_figure3(root, records, f"-{records[0].run.folder.name}" if k else "", title)
    for label, (run, by_epoch) in results.diagnostics.items():
        epochs = [snapshot.epoch for snapshot in by_epoch]
        layers = [snapshot.layers for snapshot in by_epoch]
        title = f"{results.title}: {label}, seed {run.config.seed}"
        files += write_figure(root / f"diagnostics-{run.folder.name}.png", "diagnostic_curves", epochs, layers, title)
    return files
