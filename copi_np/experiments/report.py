"""Tables and figures of a folder of runs, made from its records alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from copi_np.errors import DataError, list_names
from copi_np.experiments.diagnostics import read_diagnostics
from copi_np.experiments.figure3 import MEASURES_FILE, compression_table, draw_figure3, layer_table
from copi_np.experiments.records import RunRecord, find_runs, replace_text
from copi_np.experiments.summary import Group, Statistic, compare, group_runs

TABLE: Final = "table.md"
SUMMARY: Final = "summary.json"
CURVES: Final = "fig2.png"
MOST_CURVES: Final = 8
"""More colours than that cannot be told apart."""

HEADER: Final = ("method", "runs", "train %", "test %", "best test %", "99 % at")
WIDTHS: Final = (6, 14, 14, 14, 11)
"""Of the columns behind the first; with a label of 20 characters a line has 79."""

EXPLANATION: Final = (
    "Accuracies in per cent and losses per sample after the last epoch: mean and standard deviation over seeds. The "
    "best test accuracy is chosen on the test set, for each seed at its own epoch, so it is optimistic. The column "
    "behind it is the epoch that first reaches 99 % of the highest training accuracy."
)

ABOUT_COMPRESSION: Final = (
    "Layers from the second on, replaced by one matrix without retraining, in {} of these networks: by the formula of "
    "Appendix B, and by least squares for comparison."
)
ABOUT_LAYERS: Final = (
    "The layers of these networks as trained: mean absolute correlation of their inputs x; likeness of the receptive "
    "fields of their units to the class that each fits best (cosine, median of sizes); units against their class."
)


def write_report(root: str | Path, title: str | None = None) -> tuple[str, list[Path]]:
    """Write table.md, summary.json and the figures that the records of a folder allow, into that folder.

    Parameters
    ----------
    root : path             holds runs, in whatever folders below it
    title : str, optional   of table and figures; default: data set and layers

    Returns
    -------
    table : str             of at most 80 columns, where labels are short
    files : list of Path    what was written

    Raises
    ------
    DataError               if there are no runs, or nothing in them, or a file cannot be written
    """
    root = Path(root)
    runs = find_runs(root)
    groups = group_runs(runs)
    if not groups:
        raise DataError(f"no run in {root} has finished an epoch: go on with the command that started them")
    title = title or default_title(groups)
    replace_text(root / TABLE, markdown(title, groups, runs))
    replace_text(root / SUMMARY, json.dumps([group.as_dict() for group in groups], indent=1) + "\n")
    return text_table(groups, runs), [root / TABLE, root / SUMMARY, *draw(root, title, groups)]


def default_title(groups: Sequence[Group]) -> str:
    """Data sets and layers, e.g. "mnist, 784-500-500-500-10"."""
    names = (f"{Path(group.config.dataset).stem}, {'-'.join(map(str, group.config.layers))}" for group in groups)
    return "; ".join(dict.fromkeys(names))


# ------------------------------------------------------------------------------------------------------- tables


def text_table(groups: Sequence[Group], runs: Iterable[RunRecord]) -> str:
    """The table for a terminal; accuracies in per cent, mean and standard deviation over seeds."""
    first = max(20, *(len(group.label) for group in groups))
    lines = [HEADER[0].ljust(first) + "".join(name.rjust(w) for name, w in zip(HEADER[1:], WIDTHS, strict=True))]
    lines += [
        group.label.ljust(first) + "".join(cell.rjust(w) for cell, w in zip(_cells(group), WIDTHS, strict=True))
        for group in groups
    ]
    lines += ["runs: seeds x epochs; 99 % at: epoch that reaches 99 % of peak train accuracy"]
    return "\n".join([*lines, *remarks(groups, runs)])


def _cells(group: Group) -> list[str]:
    """The columns of both tables behind the label."""
    accuracies = (group.statistic(name) for name in ("train_accuracy", "test_accuracy", "peak_test_accuracy"))
    return [
        f"{len(group.runs)}x{group.n_epochs}",
        *(percent(accuracy) for accuracy in accuracies),
        plus_minus(group.statistic("epochs_to_peak"), 1),
    ]


def markdown(title: str, groups: Sequence[Group], runs: Sequence[RunRecord]) -> str:
    """The tables for a document: results, comparisons with the first group, what is missing, and what it ran on."""
    results = [
        [
            group.label,
            *_cells(group),
            plus_minus(group.statistic("train_loss"), 4),
            plus_minus(group.statistic("test_loss"), 4),
        ]
        for group in groups
    ]
    parts = [
        f"# {title}",
        EXPLANATION,
        rows_of(["method", "seeds x epochs", *HEADER[2:], "train loss", "test loss"], results),
    ]
    comparisons = [compare(groups[0], other) for other in groups[1:]]
    rows = [
        [c.other, str(c.epoch), percent(c.difference, sign=True), f"{c.n_ahead} of {c.n_seeds}"]
        for c in comparisons
        if c is not None
    ]
    if rows:
        parts.append(f"{groups[0].label} on the test set, less each of the others with the same seed, in points:")
        parts.append(rows_of(["less", "epoch", "difference", "ahead in"], rows))
    if folders := figure3_folders(groups):
        parts += figure3_parts(folders)
    parts += remarks(groups, runs)
    parts += [f"Ran on {environment}." for environment in environments(runs)]
    return "\n\n".join(parts) + "\n"


def figure3_parts(folders: Sequence[Path]) -> list[str]:
    """Figure 3, B and C, as tables."""
    rows = [
        [
            str(row.replaced),
            row.linear_map if row.replaced else "as trained",
            *(percent(accuracy) for accuracy in (row.train_accuracy, row.test_accuracy)),
            plus_minus(row.test_loss, 4),
        ]
        for row in compression_table(folders)
        if row.replaced or row.linear_map == "formula"
    ]
    layers = [
        [str(row.layer), plus_minus(row.correlation, 4), plus_minus(row.likeness, 2), percent(row.against)]
        for row in layer_table(folders)
    ]
    return [
        ABOUT_COMPRESSION.format(len(folders)),
        rows_of(["layers replaced", "matrix", "train %", "test %", "test loss"], rows),
        ABOUT_LAYERS,
        rows_of(["layer", "correlation", "likeness", "against %"], layers),
    ]


def rows_of(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def remarks(groups: Sequence[Group], runs: Iterable[RunRecord]) -> list[str]:
    """One line for each run that the statistics leave out, or that stopped early."""
    full = {run.folder for group in groups for run in group.runs}
    lines = []
    for run in runs:
        if run.failure:
            state = f"failed: {run.failure}"
        elif not run.finished:
            state = "not finished" if run.folder in full else "not finished, left out"
        elif run.folder not in full:
            state = "shorter than others, left out"
        else:
            continue
        lines.append(f"{run.folder.name}: {len(run.history)} of {run.config.epochs} epochs, {state}")
    return lines


def environments(runs: Iterable[RunRecord]) -> list[str]:
    """What the runs ran on, each environment once."""
    descriptions: list[dict[str, Any]] = [
        part for run in runs for part in (run.description, *run.description.get("continued", []))
    ]
    texts = []
    for description in descriptions:
        packages = list_names(f"{name} {version}" for name, version in description["versions"].items())
        texts.append(f"{description['device']}, {description['cores']} cores, {description['blas']}; {packages}")
    return list(dict.fromkeys(texts))


def percent(value: Statistic, *, sign: bool = False) -> str:
    """An accuracy, or a difference of accuracies, in per cent."""
    deviation = None if value.deviation is None else 100 * value.deviation
    return plus_minus(Statistic(100 * value.mean, deviation), 2, sign=sign)


def plus_minus(value: Statistic, digits: int, *, sign: bool = False) -> str:
    """Mean and standard deviation, e.g. "97.61 ± 0.08"; the mean alone for a single seed."""
    mean = f"{value.mean:{'+' if sign else ''}.{digits}f}"
    return mean if value.deviation is None else f"{mean} ± {value.deviation:.{digits}f}"


# ------------------------------------------------------------------------------------------------------ figures


def draw(root: Path, title: str, groups: Sequence[Group]) -> list[Path]:
    """Draw all figures that there are records for.

    Learning curves (Figure 2); of more than eight groups, the best on the test set. Figure 3 of the first group whose
    runs have it on record. Diagnostics of the first run of each group that has some.
    """
    from copi_np.plotting import diagnostic_curves, learning_curves, save_figure  # bring matplotlib: not for tables

    best = sorted(groups, key=lambda group: -group.statistic("test_accuracy").mean)[:MOST_CURVES]
    shown = {group.label: group.histories for group in groups if group in best}
    choice = f" (the best {len(shown)} of {len(groups)})" if len(shown) < len(groups) else ""
    files = [save_figure(learning_curves(shown, title + choice), root / CURVES)]
    files += draw_figure3(root, figure3_folders(groups))
    for group in groups:
        found = next(filter(None, (read_diagnostics(run.folder) for run in group.runs)), [])
        if found:
            figure = diagnostic_curves(
                [moment.epoch for moment in found],
                [moment.layers for moment in found],
                f"{title}: {group.label}, seed {group.config.seed}",
            )
            files.append(save_figure(figure, root / f"diagnostics-{group.runs[0].folder.name}.png"))
    return files


def figure3_folders(groups: Sequence[Group]) -> list[Path]:
    """The folders of the runs that Figure 3 is of: those of the first group with a record of compression."""
    for group in groups:
        folders = [run.folder for run in group.runs if (run.folder / MEASURES_FILE).is_file()]
        if folders:
            return folders
    return []
