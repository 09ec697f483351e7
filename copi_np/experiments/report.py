"""Tables and figures of a folder of runs, made from its records alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from copi_np.errors import DataError, InputError, list_names
from copi_np.experiments.diagnostics import EpochDiagnostics, read_diagnostics
from copi_np.experiments.figure3 import measures_of, pictures_of
from copi_np.experiments.figure3_report import draw_figure3, figure3_parts
from copi_np.experiments.methods import METHODS
from copi_np.experiments.records import RunRecord, find_runs
from copi_np.experiments.summary import Group, compare, group_runs
from copi_np.experiments.tables import (
    HEADER,
    JSON_HEAD,
    SELECTED_HEADER,
    json_of,
    markdown_table,
    percent,
    results_rows,
    selected_rows,
)
from copi_np.storage.atomic import replace_text
from copi_np.storage.untrusted import exists, is_taken, read_text

TABLE: Final = "table.md"
SUMMARY: Final = "summary.json"
CURVES: Final = "fig2.png"
RUN: Final = rf"(?:{'|'.join(METHODS)})_(?:.+_)?seed\d+(?:_\d+|_[0-9a-f]{{10}})?"
"""The name of a run's folder, as `config.run_name` and `runner.free_folder` form it."""
WRITTEN: Final = re.compile(rf"table\.md|summary\.json|fig2\.png|fig3[abc](?:-{RUN})?\.png|diagnostics-{RUN}\.png")
"""Names of the files that a report writes."""
MOST_CURVES: Final = 8
"""More colours than that cannot be told apart."""

WIDTHS: Final = (20, 6, 14, 14, 14, 11)
"""Of the columns that a terminal shows: a line has 79."""

SELECTED_ON: Final = "At the epoch of each run that is best on its validation split:"

EXPLANATION: Final = (
    "Accuracies in per cent and losses per sample after the last epoch: mean and standard deviation over seeds. The "
    "best test accuracy is chosen on the test set, for each seed at its own epoch, so it is optimistic. The column "
    "behind it is the epoch that first reaches 99 % of the highest training accuracy."
)


@dataclass(frozen=True)
class Results:
    """All that the records in a folder come to.

    Attributes
    ----------
    title : str
    groups : list of Group
    figure3 : dict              from a group's label to the folders of its runs that have a record of Figure 3
    diagnostics : dict          from a group's label to the first of its runs with diagnostics, and these
    remarks : list of str       one line for whatever is left out or stopped early
    environments : list of str  what the runs ran on
    """

    title: str
    groups: list[Group]
    figure3: dict[str, list[Path]]
    diagnostics: dict[str, tuple[RunRecord, list[EpochDiagnostics]]]
    remarks: list[str]
    environments: list[str]

    def as_dict(self) -> dict[str, Any]:
        """The numbers as plain values, ready for JSON."""
        return {"title": self.title, "groups": [group.as_dict() for group in self.groups], "remarks": self.remarks}


def write_report(root: str | Path, title: str | None = None) -> tuple[Results, list[Path]]:
    """Write table.md, summary.json and the figures that the records of a folder allow, into that folder.

    An earlier report in it is replaced: figures that the records do not allow any more are removed. What is damaged is
    left out, and said in a remark.

    Parameters
    ----------
    root : path             holds runs, in whatever folders below it
    title : str, optional   of table and figures; default: data set and layers

    Returns
    -------
    results : Results
    files : list of Path    what was written

    Raises
    ------
    DataError               if there are no runs, or nothing in them, or a file cannot be written
    InputError              if a file of such a name is there that no report has written
    """
    root = Path(root)
    results = read_results(root, title)
    earlier = earlier_report(root)
    replace_text(root / SUMMARY, json_of(results.groups))  # first: by it the others are known for those of a report
    replace_text(root / TABLE, markdown(results))
    files = [root / TABLE, root / SUMMARY, *draw(root, results)]
    for path in earlier:
        if path not in files:
            path.unlink()
    return results, files


def earlier_report(root: Path) -> list[Path]:
    """The files of an earlier report in a folder, which the next one replaces.

    Raises
    ------
    InputError              if files of such names are there that no report has written
    """
    if not is_taken(root):
        return []
    files = [path for path in sorted(root.iterdir()) if WRITTEN.fullmatch(path.name)]
    is_report = exists(root / SUMMARY) and read_text(root / SUMMARY, "move it away").startswith(JSON_HEAD)
    if files and not is_report:
        names = list_names(path.name for path in files)
        raise InputError(f"{root} holds {names}, of no earlier report, which would be replaced: move that away")
    return files


def read_results(root: Path, title: str | None = None) -> Results:
    """Read all records in a folder; parameters and errors as for `write_report`."""
    runs, left_out = find_runs(root)
    everything = group_runs(runs)
    groups = [group for group in everything if group.runs]
    if not groups:
        why = [*left_out, *remarks_on(everything)]
        more = f" (and {len(why) - 1} more)" if len(why) > 1 else ""
        raise DataError(
            f"no run in {root} has come to a result: {why[0]}{more}. Start the command that made them again"
        )
    figure3: dict[str, list[Path]] = {}
    diagnostics: dict[str, tuple[RunRecord, list[EpochDiagnostics]]] = {}
    for group in groups:
        for run in group.runs:
            try:
                pictures_of(run.folder)
                if measures_of(run.folder) is not None:
                    figure3.setdefault(group.label, []).append(run.folder)
                if moments := read_diagnostics(run.folder):
                    diagnostics.setdefault(group.label, (run, moments))
            except DataError as error:
                left_out.append(f"{run.folder.name}: left out of some figures, since {error}")
    remarks = [*remarks_on(everything), *left_out]
    return Results(title or default_title(groups), groups, figure3, diagnostics, remarks, environments(runs))


def default_title(groups: Sequence[Group]) -> str:
    """Data sets and layers, e.g. "mnist, 784-500-500-500-10"."""
    names = (f"{Path(group.config.dataset).stem}, {'-'.join(map(str, group.config.layers))}" for group in groups)
    return "; ".join(dict.fromkeys(names))


# ------------------------------------------------------------------------------------------------------- tables


def text_table(results: Results) -> str:
    """The table for a terminal; accuracies in per cent, mean and standard deviation over seeds."""
    lines = [*_text_lines([("method", "runs", *HEADER[2:6]), *results_rows(results.groups)])]
    lines += ["runs: seeds x epochs; 99 % at: epoch that reaches 99 % of peak train accuracy"]
    if selected := selected_rows(results.groups):
        lines += ["", SELECTED_ON, *_text_lines([SELECTED_HEADER, *selected])]
    return "\n".join([*lines, *results.remarks])


def _text_lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Rows in columns; a label that is too long for the first stands on a line of its own."""
    for label, *cells in rows:
        if len(label) > WIDTHS[0]:
            yield label
            label = ""
        numbers = (cell.rjust(width) for cell, width in zip(cells, WIDTHS[1:], strict=False))
        yield label.ljust(WIDTHS[0]) + "".join(numbers)


def markdown(results: Results) -> str:
    """The tables for a document: results, comparisons with the first group, what is missing, and what it ran on."""
    groups = results.groups
    parts = [
        f"# {results.title}",
        EXPLANATION,
        markdown_table(HEADER, results_rows(groups)),
    ]
    if selected := selected_rows(groups):
        parts += [SELECTED_ON, markdown_table(SELECTED_HEADER, selected)]
    comparisons = [compare(groups[0], other) for other in groups[1:]]
    rows = [
        [c.other, str(c.epoch), percent(c.difference, sign=True), f"{c.n_ahead} of {c.n_seeds}"]
        for c in comparisons
        if c is not None
    ]
    if rows:
        parts.append(f"{groups[0].label} on the test set, less each of the others with the same seed, in points:")
        parts.append(markdown_table(["less", "epoch", "difference", "ahead in"], rows))
    for label, folders in results.figure3.items():
        parts += [f"## {label}"] if len(results.figure3) > 1 else []
        parts += figure3_parts(folders)
    parts += results.remarks
    parts += [f"Ran on {environment}." for environment in results.environments]
    return "\n\n".join(parts) + "\n"


def remarks_on(groups: Iterable[Group]) -> list[str]:
    """One line for each run that the statistics leave out, or that is not finished."""
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
    """What the runs ran on, each environment once."""
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
    """Draw all figures that there are records for.

    Learning curves (Figure 2); of more than eight groups, the best on the test set. Figure 3 of each group that has it
    on record, and diagnostics of one run of each; those of later groups are named after a run.
    """
    from copi_np.plotting import diagnostic_curves, learning_curves, save_figure  # bring matplotlib: not for tables

    groups = results.groups
    best = sorted(groups, key=lambda group: -group.statistic("test_accuracy").mean)[:MOST_CURVES]
    shown = {group.label: group.histories for group in groups if group in best}
    choice = f" (the best {len(shown)} of {len(groups)})" if len(shown) < len(groups) else ""
    files = [save_figure(learning_curves(shown, results.title + choice), root / CURVES)]
    for k, (label, folders) in enumerate(results.figure3.items()):
        title = label if len(results.figure3) > 1 else None
        files += draw_figure3(root, folders, f"-{folders[0].name}" if k else "", title)
    for label, (run, moments) in results.diagnostics.items():
        figure = diagnostic_curves(
            [moment.epoch for moment in moments],
            [moment.layers for moment in moments],
            f"{results.title}: {label}, seed {run.config.seed}",
        )
        files.append(save_figure(figure, root / f"diagnostics-{run.folder.name}.png"))
    return files
