"""Format numbers and tables as text, for people and for other tools."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import StringIO
from itertools import groupby
from typing import Final

from copi_np.callbacks.logs import flat_record
from copi_np.experiments.summary import Group, Statistic


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def percent(value: Statistic, *, sign: bool = False) -> str:
    """Format an accuracy, or a difference of accuracies, in per cent."""
    deviation = None if value.deviation is None else 100 * value.deviation
    return plus_minus(Statistic(100 * value.mean, deviation), 2, sign=sign)


def plus_minus(value: Statistic, digits: int, *, sign: bool = False) -> str:
    """Format mean and standard deviation, e.g. "97.61 ± 0.08"; the mean alone for a single seed."""
    mean = f"{value.mean:{'+' if sign else ''}.{digits}f}"
    return mean if value.deviation is None else f"{mean} ± {value.deviation:.{digits}f}"


# ------------------------------------------------------------------------------------ all quantities of all groups


def csv_of(groups: Sequence[Group]) -> str:
    """Return one row per group: method, settings that vary, seeds, epochs, mean and deviation of every quantity.

    Accuracies are 0 to 1. Of several grids, the first column names the one that the group belongs to.
    """
    text = StringIO()
    names = dict.fromkeys(name for group in groups for name in group.quantities)
    columns = [f"{name}{suffix}" for name in names for suffix in ("", "_std")]
    settings, grid = columns_of(groups), any(group.grid for group in groups)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*(["grid"] if grid else []), "method", *settings, "seeds", "epochs", *columns])
    for group in groups:
        values = [
            value for name in names for value in (group.statistic(name) if name in group.quantities else (None, None))
        ]
        cells = ["" if value is None else repr(value) for value in values]
        head = [*([group.grid] if grid else []), group.label, *(group.settings.get(name) for name in settings)]
        writer.writerow([*head, len(group.runs), group.n_epochs, *cells])
    return text.getvalue()


def columns_of(groups: Iterable[Group]) -> list[str]:
    """List the settings that groups report, each once."""
    return list(dict.fromkeys(name for group in groups for name in group.settings))


def json_of(groups: Sequence[Group]) -> str:
    """Return every quantity of every group, with its value for each seed."""
    return json.dumps([group.as_dict() for group in groups], indent=1) + "\n"


JSON_HEAD: Final = '[\n {\n  "label": '
"""The beginning of every text that `json_of` returns."""


COLUMNS: Final = ("train_accuracy", "test_accuracy", "peak_test_accuracy", "epochs_to_peak", "train_loss", "test_loss")
HEADER: Final = ("method", "seeds x epochs", "train %", "test %", "best test %", "99 % at", "train loss", "test loss")


def results_rows(groups: Iterable[Group]) -> list[list[str]]:
    """Return the rows of the main table, under `HEADER`."""
    return [
        [
            group.label,
            f"{len(group.runs)}x{group.n_epochs}",
            *(
                percent(group.statistic(name))
                if "accuracy" in name
                else plus_minus(group.statistic(name), 4 if "loss" in name else 1)
                for name in COLUMNS
            ),
        ]
        for group in groups
    ]


SELECTED_HEADER: Final = ("method", "runs", "val %", "test %", "epoch")


def selected_rows(groups: Iterable[Group]) -> list[list[str]]:
    """Return the rows of the best epochs on the validation split, under `SELECTED_HEADER`, of groups that have one."""
    return [
        [
            group.label,
            str(len(group.runs)),
            percent(group.statistic("selected_val_accuracy")),
            percent(group.statistic("selected_test_accuracy")),
            plus_minus(group.statistic("selected_epoch"), 1),
        ]
        for group in groups
        if group.config.val_fraction
    ]


def markdown_of(groups: Sequence[Group]) -> str:
    """Return the main table in Markdown, followed by that of the selected epochs if there is a validation split.

    Of several grids, each has its own tables, under a heading.
    """
    parts = []
    for grid, members in by_grid(groups):
        parts += [f"## {grid}"] if grid else []
        parts += [markdown_table(*table) for table in _tables(members)]
    return "\n\n".join(parts) + "\n"


def by_grid(groups: Iterable[Group]) -> list[tuple[str, list[Group]]]:
    """Return the name of each grid with its groups."""
    return [(grid, list(members)) for grid, members in groupby(groups, lambda group: group.grid)]


def latex_of(groups: Sequence[Group]) -> str:
    """Return the same tables in LaTeX, for the package booktabs."""
    tables = [
        f"% {grid}\n" * bool(grid) + latex_table(*table) for grid, part in by_grid(groups) for table in _tables(part)
    ]
    return "\n".join(tables)


def _tables(groups: Sequence[Group]) -> Iterator[tuple[Sequence[str], list[list[str]]]]:
    yield HEADER, results_rows(groups)
    if selected := selected_rows(groups):
        yield SELECTED_HEADER, selected


def latex_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a table in LaTeX, for the package booktabs."""
    head, *body = (" & ".join(map(_escaped, row)) + r" \\" for row in (header, *rows))
    columns = "l" + "r" * (len(header) - 1)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _escaped(cell: str) -> str:
    for character in "&%_#$":
        cell = cell.replace(character, f"\\{character}")
    return cell.replace("±", r"$\pm$")


# ------------------------------------------------------------------------------------------- all epochs of all runs


def history_csv(groups: Sequence[Group]) -> str:
    """Return one row per epoch: method, settings that vary, seed, and every recorded number.

    Accuracies are 0 to 1; a cell is empty where there is no value.
    """
    text = StringIO()
    rows = [
        {"method": group.label, **group.settings, "seed": run.config.seed, **flat_record(record)}
        for group in groups
        for run in group.runs
        for record in run.history
    ]
    writer = csv.DictWriter(text, dict.fromkeys(name for row in rows for name in row), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def history_json(groups: Sequence[Group]) -> str:
    """Return every run with its records as in its folder."""
    runs = [
        {**group.head, "seed": run.config.seed, "history": [record.as_dict() for record in run.history]}
        for group in groups
        for run in group.runs
    ]
    return json.dumps(runs, indent=1) + "\n"


HISTORY_HEADER: Final = ("method", "seed", "epoch", "train %", "val %", "test %", "train loss", "test loss")


def _history_rows(groups: Sequence[Group]) -> list[list[str]]:
    """Return one row per epoch, under `HISTORY_HEADER`."""
    rows = []
    for group in groups:
        for run in group.runs:
            for record in run.history:
                shares = (record.train_accuracy, record.val_accuracy, record.test_accuracy)
                accuracies = ["" if share is None else f"{100 * share:.2f}" for share in shares]
                losses = [f"{loss:.4f}" for loss in (record.train_loss, record.test_loss)]
                rows.append([group.label, str(run.config.seed), str(record.epoch), *accuracies, *losses])
    return rows


def history_markdown(groups: Sequence[Group]) -> str:
    """Return accuracies and losses in Markdown, one row per epoch."""
    return markdown_table(HISTORY_HEADER, _history_rows(groups)) + "\n"


def history_latex(groups: Sequence[Group]) -> str:
    """Return the same table in LaTeX, for the package booktabs."""
    return latex_table(HISTORY_HEADER, _history_rows(groups))


Format = Callable[[Sequence[Group]], str]
FORMATS: Final[dict[str, Format]] = {"csv": csv_of, "markdown": markdown_of, "latex": latex_of, "json": json_of}
HISTORY_FORMATS: Final[dict[str, Format]] = {
    "csv": history_csv, "markdown": history_markdown, "latex": history_latex, "json": history_json,
}  # fmt: skip
