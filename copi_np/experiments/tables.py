"""Numbers and tables as text: for people, and in formats that other tools read."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from io import StringIO
from typing import Final

from copi_np.experiments.summary import Group, Statistic


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def percent(value: Statistic, *, sign: bool = False) -> str:
    """An accuracy, or a difference of accuracies, in per cent."""
    deviation = None if value.deviation is None else 100 * value.deviation
    return plus_minus(Statistic(100 * value.mean, deviation), 2, sign=sign)


def plus_minus(value: Statistic, digits: int, *, sign: bool = False) -> str:
    """Mean and standard deviation, e.g. "97.61 ± 0.08"; the mean alone for a single seed."""
    mean = f"{value.mean:{'+' if sign else ''}.{digits}f}"
    return mean if value.deviation is None else f"{mean} ± {value.deviation:.{digits}f}"


# ------------------------------------------------------------------------------------ all quantities of all groups


def csv_of(groups: Sequence[Group]) -> str:
    """A row a group: method, seeds, epochs, and mean and deviation of every quantity; shares from 0 to 1."""
    text = StringIO()
    names = dict.fromkeys(name for group in groups for name in group.quantities)
    columns = [f"{name}{suffix}" for name in names for suffix in ("", "_std")]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", "seeds", "epochs", *columns])
    for group in groups:
        values = [
            value for name in names for value in (group.statistic(name) if name in group.quantities else (None, None))
        ]
        cells = ["" if value is None else repr(value) for value in values]
        writer.writerow([group.label, len(group.runs), group.n_epochs, *cells])
    return text.getvalue()


def json_of(groups: Sequence[Group]) -> str:
    """Every quantity with its value for each seed."""
    return json.dumps([group.as_dict() for group in groups], indent=1) + "\n"


JSON_HEAD: Final = '[\n {\n  "label": '
"""How what `json_of` gives begins."""


COLUMNS: Final = ("train_accuracy", "test_accuracy", "peak_test_accuracy", "epochs_to_peak", "train_loss", "test_loss")
HEADER: Final = ("method", "seeds x epochs", "train %", "test %", "best test %", "99 % at", "train loss", "test loss")


def results_rows(groups: Iterable[Group]) -> list[list[str]]:
    """The main table for documents, under `HEADER`."""
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
    """The epochs that are best on the validation split, under `SELECTED_HEADER`; of the groups that have one."""
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
    """The main table in Markdown."""
    return markdown_table(HEADER, results_rows(groups)) + "\n"


def latex_of(groups: Sequence[Group]) -> str:
    """The main table in LaTeX, for the package booktabs."""
    lines = [" & ".join(map(_escaped, row)) + r" \\" for row in (HEADER, *results_rows(groups))]
    head, *body = lines
    columns = "l" + "r" * (len(HEADER) - 1)
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


FORMATS: Final[dict[str, Callable[[Sequence[Group]], str]]] = {
    "csv": csv_of, "markdown": markdown_of, "latex": latex_of, "json": json_of,
}  # fmt: skip
