"""Compare an implementation with the known answers, function by function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from copi_np.arrays import NDArray
from copi_np.conformance.adapter import DEFAULTS, Adapter
from copi_np.conformance.answers import Case, known_answers
from copi_np.conformance.diagnosis import (
    FAILS,
    PARTLY,
    SAME,
    SAME_FLOAT32,
    Sample,
    distance,
    edge_of,
    first_match,
    in_some_cases,
    matches,
    no_result,
    where_it_differs,
    wrong_ways,
)
from copi_np.conformance.reference import REFERENCE
from copi_np.conformance.report import Finding
from copi_np.conformance.steps import diagnose_step
from copi_np.conformance.terms import TERMS, in_terms
from copi_np.errors import InputError, list_names, one_line

FLOAT32: Final = 1e7
"""By how much tolerances grow for results in single precision."""
STEPS: Final = ("step", "train")
SHOWN: Final = 8
"""Names of faults that were ruled out, and inputs of up to this many numbers, are shown."""


def check_equations(given: Any) -> tuple[list[Finding], list[str]]:
    """Compare what an implementation has with the known answers.

    Parameters
    ----------
    given : see `Adapter`

    Returns
    -------
    findings : list of Finding      one per function
    missing : list of str           names of functions that it does not have

    Raises
    ------
    InputError                      if no known answer has the settings of its step
    """
    adapter, findings, missing = Adapter(given), [], []
    by_function: dict[str, list[Case]] = {}
    for case in known_answers():
        if case.name not in STEPS or all(case.settings[name] == adapter.settings[name] for name in DEFAULTS):
            by_function.setdefault(case.name, []).append(case)
    if "step" not in by_function and adapter.find("step") is not None:
        known = dict.fromkeys(
            " ".join(case.settings[name] for name in DEFAULTS) for case in known_answers() if case.name == "step"
        )
        raise InputError(
            f"no known answers of a step by {' '.join(map(str, adapter.settings.values()))}: {list_names(DEFAULTS)} "
            f"may be {list_names(known)}"
        )
    causes: dict[str, str] = {}
    for name, cases in by_function.items():
        if adapter.find(name) is None:
            missing.append(name)
            continue
        findings.append(check_function(adapter, name, cases, causes))
    return findings, missing


def check_function(adapter: Adapter, name: str, cases: Sequence[Case], causes: dict[str, str]) -> Finding:
    """Compare one function with its known answers; `causes` are those found so far, by function."""
    samples, problems, errors, wrong, written = [], [], [], [], set()
    factor, same = (FLOAT32, SAME_FLOAT32) if adapter.single else (1.0, SAME)
    for case in cases:
        sample, problem = _call(adapter, case)
        samples.append(sample)
        problems += [problem] if problem else []
        errors.append(np.inf if sample.got is None else distance(sample.got, sample.expected))
        wrong += [] if errors[-1] <= case.tolerance * factor else [(case, sample)]
        written |= {list(case.inputs)[k] for k in adapter.written}
    finding = Finding(name, cases[0].equation, not wrong, max(errors), len(cases))
    if not wrong:
        return finding
    if cause := no_result(samples, problems):
        details: list[str] = []
    elif name in STEPS:
        cause, details = diagnose_step(name, adapter, samples, same, causes)
    else:
        cause, details = _diagnose(name, list(cases[0].inputs), samples, same)
    if np.isfinite(finding.error) and finding.error < same and not adapter.single:
        cause = "single precision: results are rounded to float32 on the way"
    if written - ({"W", "R", "F"} if name in STEPS else set()):
        details.insert(0, f"it writes into its arguments: {list_names(sorted(written))}")
    finding.cause = causes[name] = cause
    if not cause.startswith(FAILS) and not (name == "train" and "step" in causes):
        right = [edge_of(case.id) for case in cases if case not in [case for case, _ in wrong]]
        finding.details += [f"fails in some: {problem}" for problem in dict.fromkeys(problems)]
        finding.details.append(f"disagrees in: {list_names(edge_of(case.id) for case, _ in wrong)}")
        finding.details += [f"agrees in: {list_names(right)}"] if right else []
        finding.details += _smallest(wrong, factor)
    finding.details += details
    return finding


def _call(adapter: Adapter, case: Case) -> tuple[Sample, str]:
    """Return what the implementation gives for a case, and why it has no result, or ""."""
    known = ("eta_W", "eta_R", *(["batch_size"] if case.name == "train" else [])) if case.name in STEPS else None
    numbers = {name: value for name, value in case.settings.items() if known is None or name in known}
    outputs = list(outputs_of(case).values())
    expected = outputs if case.name in STEPS else outputs[0]
    arguments = list(case.inputs.values())
    try:
        got = adapter.call(case.name, arguments, numbers)
    except Exception as error:  # code of the user's
        return Sample(case.id, arguments, numbers, None, expected), one_line(error)
    if kinds := not_numbers(got):
        return Sample(case.id, arguments, numbers, None, expected), f"it returns {kinds[0]}, not arrays of real numbers"
    return Sample(case.id, arguments, numbers, got, expected), ""


def outputs_of(case: Case) -> dict[str, Any]:
    """Return what a function has to return, by name; the losses of a step are left out."""
    return {name: value for name, value in case.outputs.items() if name != "losses" or case.name not in STEPS}


def not_numbers(value: Any) -> list[str]:
    """Return what else than arrays of real numbers is in a list."""
    if isinstance(value, list):
        return [kind for each in value for kind in not_numbers(each)]
    array = np.asarray(value)
    return (
        []
        if array.dtype.kind in "fiu"
        else ["None" if array.dtype == object and array.size == 1 and array.item() is None else str(array.dtype)]
    )


def structure(value: Any) -> Any:
    """Return a list of lists with 0 for every array."""
    return [structure(each) for each in value] if isinstance(value, list) else 0


def _smallest(wrong: Sequence[tuple[Case, Sample]], factor: float) -> list[str]:
    """Show the smallest case that disagrees, under the names of the file."""
    shown = [pair for pair in wrong if pair[1].got is not None]
    if not shown:
        return []
    case, sample = min(
        shown, key=lambda pair: (distance(pair[1].got, pair[1].expected) < SAME, n_numbers(pair[1].arguments))
    )
    outputs = outputs_of(case)
    if structure(sample.got) != structure(sample.expected):
        return [f"smallest, {case.id}: it returns {describe(sample.got)}, where {describe(sample.expected)} is right"]
    got = by_name(outputs, sample.got if case.name in STEPS else [sample.got])
    expected = by_name(outputs, list(outputs.values()))
    compared = {name: where_it_differs(got[name], expected[name], case.tolerance * factor) for name in expected}
    differing = [name for name, where in compared.items() if where]
    lines = [f"smallest, {case.id}: {'; '.join(f'{name}: {compared[name]}' for name in differing)}"]
    if n_numbers(sample.arguments) <= 4 * SHOWN:
        lines += [f"    {name} = {_text(value)}" for name, value in by_name(case.inputs, sample.arguments).items()]
        for name in differing:
            lines += [f"    expected {name} = {_text(expected[name])}", f"    got      {name} = {_text(got[name])}"]
    return lines


def by_name(names: Iterable[str], values: Sequence[Any]) -> dict[str, Any]:
    """Return arrays under the names of the file: those of a list W are W1, W2, ..."""
    arrays: dict[str, Any] = {}
    for name, value in zip(names, values, strict=False):
        if isinstance(value, list):
            arrays |= {f"{name}{k}": each for k, each in enumerate(value, 1)}
        else:
            arrays[name] = value
    return arrays


def describe(value: Any) -> str:
    """Return the shape of an array, or those of a list of arrays."""
    return f"[{list_names(map(describe, value))}]" if isinstance(value, list) else str(np.shape(value))


def n_numbers(value: Any) -> int:
    """Return how many numbers an array, or a list of arrays, holds."""
    return sum(map(n_numbers, value)) if isinstance(value, list) else np.size(value)


def _text(value: Any) -> str:
    """Return an array in one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return " ".join(np.array2string(np.asarray(value), precision=5, separator=", ").split())


def _diagnose(name: str, arguments: Sequence[str], samples: Sequence[Sample], same: float) -> tuple[str, list[str]]:
    """Return the likely cause by which a function is wrong, and what else there is to say."""
    if matches(REFERENCE[name], samples, same):
        return PARTLY, []
    ways = list(wrong_ways(name, arguments))
    fault, n_ruled_out = first_match(ways, samples, same)
    if fault:
        return fault, [f"the same numbers in every case; ruled out before it: {n_ruled_out}"]
    single = [way for way in ways if "; and " not in way[0]]
    if fault := in_some_cases(single, samples, same):
        return fault, []
    tried = [ruled_out([way for way, _ in single])]
    if not any(map(_fits, samples)):
        wrong = next(each for each in samples if each.got is not None)
        return f"it returns {describe(wrong.got)}, where {describe(wrong.expected)} is right", tried
    if name not in TERMS:
        return "none of the known faults", tried
    fitting = [(TERMS[name](*each.arguments), each) for each in samples if _fits(each)]
    computed = in_terms([(terms, _last_hidden(each.got)) for terms, each in fitting], same)
    if not computed:
        return "none of the known faults, and no sum of the usual terms", tried
    right = in_terms([(terms, _last_hidden(each.expected)) for terms, each in fitting], same)
    return f"none of the known faults, but it computes {computed}, where {right} is right", tried


def _fits(sample: Sample) -> bool:
    """Return whether something of the right shapes was returned."""
    return sample.got is not None and bool(np.isfinite(distance(sample.got, sample.expected)))


def _last_hidden(result: Any) -> NDArray:
    """Return what the terms are about: the array, or the signal of the last hidden layer."""
    return np.asarray(result[-2:][0] if isinstance(result, list) else result, dtype=np.float64)


def ruled_out(faults: Iterable[str]) -> str:
    """Name some of the faults that were ruled out."""
    names = list(faults)
    return f"ruled out, alone and in pairs: {'; '.join(names[:SHOWN])}; and {max(len(names) - SHOWN, 0)} more"
