"""Diagnose a whole step of Algorithm 1, or a trainer: in which layer and part it goes wrong, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from copi_np.conformance.adapter import Adapter
from copi_np.conformance.diagnosis import (
    OF_RESULTS,
    PARTLY,
    Sample,
    distance,
    first_match,
    in_some_cases,
    is_finite,
    matches,
)
from copi_np.conformance.faults import FAULTS
from copi_np.conformance.learner import PARTS, SIGNAL_OF, Learner, Parts
from copi_np.conformance.signals import backpropagation
from copi_np.conformance.terms import forward_terms, in_terms, lateral_terms
from copi_np.errors import list_names
from copi_np.rules import decorrelate, transform

KINDS: Final = {
    "copi_update": "forward rule",
    "sgd_update": "forward rule",
    "decorrelation_update": "decorrelation",
    "local_decorrelation_update": "decorrelation",
    "reconstruction_update": "feedback",
}
"""Updates whose result as a whole may be wrong, too."""


def used_parts(name: str, settings: Mapping[str, Any]) -> list[str]:
    """Return the parts that a step, or a trainer, by these settings is made of."""
    parts = ["rates", "output_signal", "decorrelate", "transform", "leaky_relu", "rows", "order"]
    parts += {"matrix": ["decorrelation_update"], "local": ["local_decorrelation_update"]}.get(
        settings["decorrelation"], []
    )
    signal = settings["error_signal"]
    parts += ["carry_back", "hidden_signal"] if signal == "bp" else [SIGNAL_OF[signal]]
    parts += ["reconstruction_update"] if signal in ("tp", "dtp") else []
    rule = settings["rule"]
    parts += ["copi_update"] if rule == "copi" else ["sgd_update"]
    parts += [f"{rule}_update"] if rule in ("adam", "momentum") else []
    return parts + (["batches"] if name == "train" else [])


def faulty_parts(name: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, str, Parts]]:
    """Yield the name of a part, that of its fault, and all parts with it."""
    for part in used_parts(name, settings):
        faults = dict(FAULTS.get(part, {}))
        if kind := KINDS.get(part):
            faults |= {f"{fault} ({kind})": change(PARTS[part]) for fault, change in OF_RESULTS.items()}
        for fault, wrong in faults.items():
            yield part, fault, {**PARTS, part: wrong}


def diagnose_step(
    name: str, adapter: Adapter, samples: Sequence[Sample], same: float, causes: Mapping[str, str]
) -> tuple[str, list[str]]:
    """Return the likely cause by which a step or a trainer is wrong, and what else there is to say.

    `causes` are those of other functions, by name.
    """
    if wrong := _form_of_result(samples, same):
        return wrong, []
    settings = adapter.settings
    run = partial(_run, name, settings)
    single = list(faulty_parts(name, settings))
    if name == "train" and "step" in causes:
        single = [each for each in single if each[0] == "batches"]
    if matches(run(PARTS), samples, same):
        return PARTLY, []
    ways = [(fault, run(parts)) for _, fault, parts in single]
    fault, n_ruled_out = first_match(ways, samples, same)
    if fault:
        return fault, [f"the same numbers in every case; ruled out before it: {n_ruled_out}"]
    if name == "train" and "step" in causes:
        return "that of the step", []
    may_differ = [*used_parts(name, settings), *(["backpropagation"] if settings["error_signal"] == "bp" else [])]
    own = {part: _own(adapter, part) for part in may_differ if part in causes}
    fault, _ = first_match(((part, run({**PARTS, part: function})) for part, function in own.items()), samples, same)
    if fault:
        return f"that of {fault}: {causes[fault]}", [
            f"with its {fault}, an otherwise right step gives the same numbers"
        ]
    tried = [f"ruled out: {len(single)} faults of {list_names(used_parts(name, settings))}"]
    if name == "train":
        return _later(adapter, samples, same), tried
    if fault := in_some_cases(ways, samples, same):
        return fault, tried
    fault, _ = first_match(_pairs(single, run, samples, same), samples, same)
    return (fault, tried) if fault else _taken_apart(samples, settings, same, tried)


def _run(name: str, settings: Mapping[str, Any], parts: Parts) -> Callable[..., Any]:
    """Return a step, or a trainer, made of these parts."""
    return lambda *arguments, **numbers: getattr(Learner(settings, parts), name)(*arguments, **numbers)


def _own(adapter: Adapter, name: str) -> Callable[..., Any]:
    """Return a function of the implementation, on NumPy arrays."""
    return lambda *arrays, **numbers: adapter.call(name, arrays, numbers)


def _form_of_result(samples: Sequence[Sample], same: float) -> str:
    """Return what is wrong with the form of the results, if they are not new W and R, one array per layer."""
    with_result = [sample for sample in samples if sample.got is not None]
    if all(isinstance(each.got, list) and distance(each.got[::-1], each.expected) <= same for each in with_result):
        return "it returns (R, W), where (W, R) is right"
    if all(distance(each.got, _moves(each)) <= same for each in with_result):
        return "it returns what is to be added to W and R, and not the new W and R"
    if any(not np.isfinite(distance(each.expected, each.got)) for each in with_result if is_finite(each.got)):
        names = ", ".join("WRF"[: len(with_result[0].expected)])
        return f"it does not return ({names}), lists of one array per layer, in the shapes of its arguments"
    return ""


def _moves(sample: Sample) -> list[Any]:
    """Return what has to be added to the weights, in the form of the result."""
    return [
        [new - old for new, old in zip(*pair, strict=True)]
        for pair in zip(sample.expected, sample.arguments, strict=False)
    ]


def _pairs(
    single: Sequence[tuple[str, str, Parts]], run: Callable[[Parts], Any], samples: Sequence[Sample], same: float
) -> Iterator[tuple[str, Any]]:
    """Yield two faults at once, of those that change nothing of what is right in the first wrong case."""
    sample = next(each for each in samples if is_finite(each.got) and distance(each.got, each.expected) > same)
    wrong = wrong_weights(sample.got, sample.expected, same)
    possible = []
    for part, fault, parts in single:
        with np.errstate(all="ignore"):
            try:
                changed = run(parts)(*sample.arguments, **sample.numbers)
            except ValueError:  # a transposition that only square matrices allow
                continue
        if wrong_weights(changed, sample.expected, same) <= wrong:
            possible.append((part, fault, parts))
    for at, (_, one, first) in enumerate(possible):
        for part, other, second in possible[at + 1 :]:
            if first[part] is PARTS[part]:
                yield one if one == other else f"{one}; and {other}", run({**first, part: second[part]})


def wrong_weights(got: Any, expected: Any, same: float) -> set[str]:
    """Return the names of the weights that differ, such as W1 or R2."""
    return {
        f"{name}{k}"
        for name, of_name, right in zip("WRF", got, expected, strict=False)
        for k, pair in enumerate(zip(of_name, right, strict=True), 1)
        if distance(*pair) > same
    }


def _later(adapter: Adapter, samples: Sequence[Sample], same: float) -> str:
    """Say in which batch a trainer goes wrong that begins as it should, and what is wrong with that step."""
    settings, steps = adapter.settings, []
    for sample in samples:
        (*weights, y0, targets), size = sample.arguments, sample.numbers["batch_size"]
        rates = {name: sample.numbers[name] for name in ("eta_W", "eta_R")}
        for end in range(size, len(y0) + 1, size):
            got = _own(adapter, "train")(*weights, y0[:end], targets[:end], **sample.numbers)
            right = _run("train", settings, PARTS)
            expected = right(*weights, y0[:end], targets[:end], **sample.numbers)
            if distance(got, expected) > same:
                start = end - size
                before = right(*weights, y0[:start], targets[:start], **sample.numbers) if start else weights
                batch = [*before, *weights[len(before) :], y0[start:end], targets[start:end]]
                steps.append((end // size, Sample(sample.id, batch, rates, got, expected)))
                break
    if not steps:
        return "none of the known faults; it agrees where it is called with fewer batches"
    first = min(number for number, _ in steps)
    of_first = [sample for number, sample in steps if number == first]
    if settings["rule"] in ("adam", "momentum"):
        return f"none of the known faults; right until batch {first}"
    single = [(fault, _run("step", settings, parts)) for _, fault, parts in faulty_parts("step", settings)]
    fault, _ = first_match(single, of_first, same)
    cause = fault or _taken_apart(of_first, settings, same, [])[0]
    return f"right until batch {first}, and there: {cause}"


def _taken_apart(
    samples: Sequence[Sample], settings: Mapping[str, Any], same: float, tried: Sequence[str]
) -> tuple[str, list[str]]:
    """Say which weights are wrong, which equations can be the reason, and what the weights move by."""
    terms = _in_terms(samples, settings, same)
    telling = [line for line in terms if "where" in line]
    others = [line for line in terms if line not in telling]
    return "; ".join(["none of the known faults", _by_layer(samples, same), *telling]), [*others, *tried]


def _by_layer(samples: Sequence[Sample], same: float) -> str:
    """Say which weights are wrong, in the deepest network that is, and which equations that leaves."""
    wrong = [each for each in samples if is_finite(each.got) and distance(each.got, each.expected) > same]
    sample = max(wrong, key=lambda each: len(each.expected[0]))
    last, names = len(sample.expected[0]), wrong_weights(sample.got, sample.expected, same)
    lines = [f"wrong: {list_names(sorted(names))} (of {last} layers)"]
    if any(name[0] == "R" for name in names):
        forward = {"x = R y or ": "R1" in names, "a = W x or the activation function or ": "R1" not in names}
        others = [equation for equation, possible in forward.items() if possible and "W1" in names]
        lines.append(f"so {''.join(others)}the decorrelation (Eq. 4) is wrong")
    else:
        lines.append("the forward pass and the decorrelation are right")
        if f"W{last}" in names:
            lines.append("so the output signal (Algorithm 1, line 11) or the forward rule (line 14) is wrong")
        elif hidden := [int(name[1:]) for name in names if name[0] == "W"]:
            lines.append("the output signal and the forward rule are right in the last layer")
            lines.append(f"what differs is the signal that goes back into layer {max(hidden)}")
    return "; ".join(lines)


def _in_terms(samples: Sequence[Sample], settings: Mapping[str, Any], same: float) -> list[str]:
    """Say what W of the last and of the first layer, and R of the first, moved by, as a sum of terms."""
    pairs: dict[str, list[Any]] = {"W of the last layer": [], "W of the first layer": [], "R of the first layer": []}
    for sample in samples:
        if sample.got is None:
            continue
        (W, R, *_, y0, targets), numbers = sample.arguments, sample.numbers
        y, xs, a = y0, [], []
        for W_k, R_k in zip(W, R, strict=True):
            xs.append(decorrelate(R_k, y))
            a.append(transform(W_k, xs[-1]))
            y = PARTS["leaky_relu"](a[-1])
        deltas = backpropagation(W, R, a, PARTS["output_signal"](a[-1], y, targets))
        for which, k in (("last", -1), ("first", 0)):
            if k == -1 or settings["error_signal"] == "bp":
                moved = (np.asarray(sample.got[0][k]) - W[k]) / numbers["eta_W"]
                pairs[f"W of the {which} layer"].append((forward_terms(W[k], xs[k], a[k] + deltas[k]), moved))
        moved = (np.asarray(sample.got[1][0]) - R[0]) / numbers["eta_R"]
        pairs["R of the first layer"].append((lateral_terms(R[0], xs[0]), moved))
    right = {"copi": "+1 <delta x^T> +1 W off(C)", "sgd": "+1 <delta x^T>"}.get(settings["rule"], "another sum")
    lateral = {"matrix": "-1 off(C) R", "local": "-1 R off(C)", "none": "0"}[settings["decorrelation"]]
    lines = []
    for what, of_cases in pairs.items():
        wanted = lateral if what.startswith("R") else right
        if found := in_terms(of_cases, same):
            lines.append(f"{what} moves by {found}" + ("" if found == wanted else f", where {wanted} is right"))
    return lines
