"""Compare an implementation with the known answers, function by function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from copi_np.arrays import NDArray
from copi_np.conformance.adapter import DEFAULTS, Adapter
from copi_np.conformance.answers import Case, known_answers
from copi_np.conformance.diagnosis import (
    PARTLY,
    SAME,
    SAME_FLOAT32,
    Sample,
    distance,
    first_match,
    matches,
    where_it_differs,
    wrong_ways,
)
from copi_np.conformance.reference import REFERENCE
from copi_np.conformance.report import Finding
from copi_np.conformance.steps import diagnose_step
from copi_np.conformance.terms import TERMS, in_terms
from copi_np.errors import one_line

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
    """
    adapter, findings, missing = Adapter(given), [], []
    by_function: dict[str, list[Case]] = {}
    for case in known_answers():
        if case.name not in STEPS or all(case.settings[name] == adapter.settings[name] for name in DEFAULTS):
            by_function.setdefault(case.name, []).append(case)
    causes: dict[str, str] = {}
    for name, cases in by_function.items():
        if adapter.find(name) is None:
            missing.append(name)
            continue
        findings.append(check_function(adapter, name, cases, causes))
    return findings, missing


def check_function(adapter: Adapter, name: str, cases: Sequence[Case], causes: dict[str, str]) -> Finding:
    """Compare one function with its known answers; `causes` are those found so far, by function."""
    samples, errors, allowed, raised = [], [], [], []
    for case in cases:
        sample, problem = _call(adapter, case)
        samples.append(sample)
        raised += [f"{case.id}: {problem}"] if problem else []
        allowed.append(case.tolerance * (FLOAT32 if adapter.single else 1.0))
        errors.append(np.inf if sample.got is None else distance(sample.got, sample.expected))
    agrees = all(error <= limit for error, limit in zip(errors, allowed, strict=True))
    finding = Finding(name, cases[0].equation, agrees, max(errors), len(cases))
    if not agrees:
        same = SAME_FLOAT32 if adapter.single else SAME
        wrong = [case for case, error, limit in zip(cases, errors, allowed, strict=True) if not error <= limit]
        finding.details += _where(cases, wrong, samples, raised) if not (name == "train" and "step" in causes) else []
        if name in STEPS:
            cause, details = diagnose_step(name, adapter, samples, same, causes)
        else:
            cause, details = _diagnose(name, list(cases[0].inputs), samples, same)
        if np.isfinite(finding.error) and finding.error < same and not adapter.single:
            cause = "single precision: results are rounded to float32 on the way"
        finding.cause = causes[name] = cause
        finding.details += details
    return finding


def _call(adapter: Adapter, case: Case) -> tuple[Sample, str]:
    """Return what the implementation gives for a case, and the error it raised, if any."""
    known = ("eta_W", "eta_R", *(["batch_size"] if case.name == "train" else [])) if case.name in STEPS else None
    numbers = {name: value for name, value in case.settings.items() if known is None or name in known}
    outputs = [value for name, value in case.outputs.items() if name != "losses" or case.name not in STEPS]
    expected = outputs if case.name in STEPS else outputs[0]
    arguments = list(case.inputs.values())
    try:
        got = adapter.call(case.name, arguments, numbers)
        distance(got, expected)  # raises unless these are numbers
    except Exception as error:  # code of the user's
        return Sample(case.id, arguments, numbers, None, expected), one_line(error)
    return Sample(case.id, arguments, numbers, got, expected), ""


def _where(cases: Sequence[Case], wrong: Sequence[Case], samples: Sequence[Sample], raised: Sequence[str]) -> list[str]:
    """Say which cases disagree, and show the smallest."""
    lines = [f"raised in {line}" for line in raised[:2]]
    right = [case.id.rpartition("/")[2] for case in cases if case not in wrong]
    lines.append("disagrees in: " + ", ".join(case.id.rpartition("/")[2] for case in wrong))
    if right:
        lines.append("agrees in: " + ", ".join(right))
    found = {sample.id: sample for sample in samples}
    small = [found[case.id] for case in wrong if found[case.id].got is not None]
    if small:
        sample = min(small, key=lambda each: n_numbers(each.arguments))
        lines.append(f"smallest, {sample.id}: {where_it_differs(sample.got, sample.expected)}")
        if n_numbers(sample.arguments) <= 4 * SHOWN:
            case = next(case for case in wrong if case.id == sample.id)
            lines += [f"    {name} = {_text(value)}" for name, value in case.inputs.items()]
            lines += [f"    expected {_text(sample.expected)}", f"    got      {_text(sample.got)}"]
    return lines


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
    if all(sample.got is None for sample in samples):
        return "it raises an error in every case", []
    if name not in REFERENCE:
        return "unknown: there is no dictionary for this function", []
    if matches(REFERENCE[name], samples, same):
        return PARTLY, []
    ways = list(wrong_ways(name, arguments))
    fault, n_ruled_out = first_match(ways, samples, same)
    if fault:
        return fault, [f"the same numbers in every case; ruled out before it: {n_ruled_out}"]
    tried = [ruled_out([way for way, _ in ways])]
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
    single = [fault for fault in faults if "; and " not in fault]
    return f"ruled out, alone and in pairs: {'; '.join(single[:SHOWN])}; and {max(len(single) - SHOWN, 0)} more"
