"""Find the likely cause of wrong numbers: which fault of the dictionary, if any, gives the same numbers in every case.

Where none does, alone or with another, the result is taken apart: it is fitted by the terms that such an equation may
have, and what was ruled out is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from copi_np.arrays import NDArray
from copi_np.conformance.faults import FAULTS
from copi_np.conformance.reference import REFERENCE

SAME: Final = 1e-7
"""Two results are the same if they differ by less, relative to the larger: in float32, `SAME_FLOAT32`."""
SAME_FLOAT32: Final = 1e-4

FAILS: Final = "it fails in every case"
PARTLY: Final = "right wherever it returns finite numbers; elsewhere it raises an error or returns others"
"""The cause where only some cases have a result, and those are right."""

Function = Callable[..., Any]


class Sample(NamedTuple):
    """One call of an implementation: what it was given, what it returned, and what is right."""

    id: str
    arguments: list[Any]
    numbers: dict[str, Any]
    got: Any
    """None if it raised an error, or did not return arrays of numbers."""
    expected: Any


def distance(one: Any, other: Any) -> float:
    """Return the largest difference, in units of the largest number of `other`, or of 1; inf if shapes differ."""
    if isinstance(one, list) or isinstance(other, list):
        if not isinstance(one, list) or not isinstance(other, list) or len(one) != len(other):
            return np.inf
        return max((distance(*pair) for pair in zip(one, other, strict=True)), default=0.0)
    one, other = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if one.shape != other.shape or not np.all(np.isfinite(one)):
        return np.inf
    return float(np.max(np.abs(one - other), initial=0.0) / np.max(np.abs(other), initial=1.0))


def is_finite(value: Any) -> bool:
    """Return whether there is a result, and all its numbers are finite."""
    if isinstance(value, list):
        return all(map(is_finite, value))
    return value is not None and bool(np.all(np.isfinite(value)))


def no_result(samples: Sequence[Sample], problems: Sequence[str]) -> str:
    """Return the cause if no case has a result of finite numbers, or "" if one has."""
    if all(sample.got is None for sample in samples):
        return f"{FAILS}: {problems[0]}"
    return "" if any(is_finite(sample.got) for sample in samples) else "it returns NaN or infinity in every case"


def matches(function: Function, samples: Sequence[Sample], same: float) -> bool:
    """Return whether a function gives what was returned, wherever that is finite; elsewhere it may do anything."""
    n_compared = 0
    for sample in samples:
        if not is_finite(sample.got):
            continue
        try:
            with np.errstate(all="ignore"):
                found = function(*sample.arguments, **sample.numbers)
        except (ValueError, IndexError, np.linalg.LinAlgError):
            return False
        if distance(found, sample.got) > same:
            return False
        n_compared += 1
    return n_compared > 0


# ----------------------------------------------------------------------------- what may be wrong with any function


def scaled(factor: Callable[[list[Any]], float]) -> Callable[[Function], Function]:
    """Return what multiplies the result by a factor, which may depend on the arguments."""
    return lambda right: lambda *arguments, **numbers: times(factor(list(arguments)), right(*arguments, **numbers))


def times(factor: float, result: Any) -> Any:
    """Multiply an array, or every array of a list."""
    return [times(factor, each) for each in result] if isinstance(result, list) else factor * result


def on_arguments(change: Callable[[int, NDArray], NDArray]) -> Callable[[Function], Function]:
    """Return what changes every argument before the function sees it."""
    return lambda right: (
        lambda *arguments, **numbers: right(*(change(k, each) for k, each in enumerate(arguments)), **numbers)
    )


def transposed(at: int) -> Callable[[int, NDArray], NDArray]:
    """Return what transposes one argument."""
    return lambda k, each: each.T if k == at else each


def centred(at: int) -> Callable[[int, NDArray], NDArray]:
    """Return what subtracts the mean over the samples from one argument."""
    return lambda k, each: each - each.mean(axis=0) if k == at else each


def n_samples(arguments: list[Any]) -> int:
    """Return the number of rows of the last argument."""
    return len(arguments[-1])


OF_RESULTS: Final[dict[str, Callable[[Function], Function]]] = {
    "the sign: the gradient, and not the update": scaled(lambda _: -1.0),
    "a factor 2": scaled(lambda _: 2.0),
    "a factor 1/2": scaled(lambda _: 0.5),
    "sum for mean: a factor B": scaled(n_samples),
    "a factor 1/B: divided by the batch size twice": scaled(lambda arguments: 1 / n_samples(arguments)),
    "divided by B - 1, not by B": scaled(lambda arguments: n_samples(arguments) / max(n_samples(arguments) - 1, 1)),
    "divided by the number of units, not by B": scaled(lambda arguments: n_samples(arguments) / arguments[-1].shape[1]),
    "it is always 0": scaled(lambda _: 0.0),
    "the result transposed": lambda right: lambda *arguments, **numbers: right(*arguments, **numbers).T,
    "the first sample alone": on_arguments(lambda k, each: each[:1] if k else each),
    "the last sample left out": on_arguments(lambda k, each: each[:-1] if k else each),
}


def wrong_ways(name: str, arguments: Sequence[str]) -> Iterator[tuple[str, Function]]:
    """Yield faults of one function: those of the dictionary, of its result, of its arguments; then two together."""
    right = REFERENCE[name]
    special = dict(FAULTS.get(name, {}))
    generic = dict(OF_RESULTS)
    for k, argument in enumerate(arguments):
        if argument in ("W", "R", "M", "L", "F"):
            generic[f"transposed {argument}"] = on_arguments(transposed(k))
        if argument in ("x", "z", "y", "delta", "a", "u", "v"):
            generic[f"{argument} is centred"] = on_arguments(centred(k))
    yield from special.items()
    for fault, change in generic.items():
        yield fault, change(right)
    for fault, wrong in special.items():
        for other, change in generic.items():
            yield f"{fault}; and {other}", change(wrong)
    pairs = list(generic.items())
    for at, (fault, change) in enumerate(pairs):
        for other, another in pairs[at + 1 :]:
            yield f"{fault}; and {other}", another(change(right))


def first_match(ways: Iterable[tuple[str, Function]], samples: Sequence[Sample], same: float) -> tuple[str, int]:
    """Return the name of the first fault that gives the same numbers, or "", and how many were ruled out before it."""
    n_ruled_out = 0
    for fault, function in ways:
        try:
            if matches(function, samples, same):
                return fault, n_ruled_out
        except (AttributeError, TypeError, AssertionError):  # a transformation that these arguments do not have
            pass
        n_ruled_out += 1
    return "", n_ruled_out


def in_some_cases(ways: Iterable[tuple[str, Function]], samples: Sequence[Sample], same: float) -> str:
    """Return the fault, and the cases, if one fault explains those that disagree, while others agree; else ""."""
    wrong = [each for each in samples if each.got is None or distance(each.got, each.expected) > same]
    if len(wrong) == len(samples):
        return ""
    fault, _ = first_match(ways, wrong, same)
    return f"{fault}, but only in: {', '.join(edge_of(each.id) for each in wrong)}" if fault else ""


def edge_of(case_id: str) -> str:
    """Return the edge case of an id."""
    return case_id.rpartition("/")[2]


# -------------------------------------------------------------------------- where no fault of the dictionary does


def where_it_differs(got: NDArray, expected: NDArray, tolerance: float) -> str:
    """Say which entries of an array are wrong: the diagonal, some rows, some columns; "" if none is."""
    if got.shape != expected.shape:
        return f"its shape is {got.shape}, not {expected.shape}"
    wrong = ~(np.abs(got - expected) <= tolerance * np.max(np.abs(expected), initial=1.0))
    count = f"{int(wrong.sum())} of {wrong.size} entries differ" if wrong.any() else ""
    if not np.all(np.isfinite(got)):
        return f"NaN or infinite in {int(np.sum(~np.isfinite(got)))} of {got.size} entries"
    if not count or got.ndim < 2:
        return count
    rows, columns = np.flatnonzero(wrong.any(axis=1)), np.flatnonzero(wrong.any(axis=0))
    diagonal = wrong.shape[0] == wrong.shape[1] and len(wrong) > 1
    if diagonal and not wrong[~np.eye(len(wrong), dtype=bool)].any():
        return "only the diagonal differs"
    if diagonal and not np.diag(wrong).any():
        return "all but the diagonal differs"
    if len(rows) < wrong.shape[0]:
        return f"only rows {rows.tolist()} differ (counted from 0)"
    if len(columns) < wrong.shape[1]:
        return f"only columns {columns.tolist()} differ (counted from 0)"
    return count
