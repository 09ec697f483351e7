"""Numbers and tables as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from copi_np.experiments.summary import Statistic


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
