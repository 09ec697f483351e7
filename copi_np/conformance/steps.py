"""Diagnose a whole step of Algorithm 1, or a trainer: in which layer and part it goes wrong, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from copi_np.conformance.adapter import Adapter
from copi_np.conformance.diagnosis import (
    OF_RESULTS,
    PARTLY,
    Sample,
    distance,
    first_match,
    matches,
)
from copi_np.conformance.faults import FAULTS
from copi_np.conformance.learner import PARTS, Learner, Parts
from copi_np.conformance.reference import backpropagation
from copi_np.conformance.terms import forward_terms, in_terms, lateral_terms
from copi_np.rules import decorrelate, transform


def used_parts(name: str, settings: Mapping[str, Any]) -> list[str]:
    """Return the parts that a step, or a trainer, by these settings is made of."""
    parts = ["rates", "output_signal", "decorrelate", "transform", "leaky_relu", "rows", "order"]
    parts += {"matrix": ["decorrelation_update"], "local": ["local_decorrelation_update"]}.get(
        settings["decorrelation"], []
    )
    parts += ["carry_back", "hidden_signal"] if settings["error_signal"] == "bp" else []
    rule = settings["rule"]
    parts += ["copi_update"] if rule == "copi" else ["sgd_update"]
    parts += [f"{rule}_update"] if rule in ("adam", "momentum") else []
    return parts + (["batches"] if name == "train" else [])


def faulty_parts(name: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, str, Parts]]:
    """Yield the name of a part, that of its fault, and all parts with it."""
    for part in used_parts(name, settings):
        faults = dict(FAULTS.get(part, {}))
        if part.endswith("_update") and part not in ("adam_update", "momentum_update"):
            kind = "decorrelation" if "decorrelation" in part else "forward rule"
            faults |= {f"{fault} ({kind})": change(PARTS[part]) for fault, change in OF_RESULTS.items()}
        for fault, wrong in faults.items():
            yield part, fault, {**PARTS, part: wrong}


def diagnose_step(
    name: str, adapter: Adapter, samples: Sequence[Sample], same: float, causes: Mapping[str, str]
) -> tuple[str, list[str]]:
    """Return the likely cause by which a step or a trainer is wrong, and what else there is to say.

    `causes` are those of other functions, by name.
    """
    if all(sample.got is None for sample in samples):
        return "it raises an error in every case", []
    if wrong := _shape_of_result(samples):
        return wrong, []
    settings = adapter.settings
    single = list(faulty_parts(name, settings))
    if name == "train" and "step" in causes:
        single = [each for each in single if each[0] == "batches"]

    def run(parts: Parts) -> Any:
        return lambda *arguments, **numbers: getattr(Learner(settings, parts), name)(*arguments, **numbers)

    if matches(run(PARTS), samples, same):
        return PARTLY, []
    fault, n_ruled_out = first_match(((fault, run(parts)) for _, fault, parts in single), samples, same)
    if fault:
        return fault, [f"the same numbers in every case; ruled out before it: {n_ruled_out}"]
    may_differ = [*used_parts(name, settings), *(["backpropagation"] if settings["error_signal"] == "bp" else [])]
    if name == "train" and "step" in causes:
        return f"that of the step: {causes['step']}", []
    own = {part: _own(adapter, part) for part in may_differ if part in causes}
    fault, _ = first_match(((part, run({**PARTS, part: function})) for part, function in own.items()), samples, same)
    if fault:
        return f"that of {fault}: {causes[fault]}", [
            f"with its {fault}, an otherwise right step gives the same numbers"
        ]
    tried = [f"ruled out: {len(single)} faults of {', '.join(used_parts(name, settings))}"]
    if name == "train":
        return "none of the known faults; its first step agrees, if it was compared", tried
    pairs = (
        (f"{one}; and {other}", run({**first, part: second[part]}))
        for at, (_, one, first) in enumerate(single)
        for part, other, second in single[at + 1 :]
    )
    fault, _ = first_match(pairs, samples, same)
    if fault:
        return fault, tried
    where, *terms = [_by_layer(samples), *_in_terms(samples, settings, same)]
    telling = [line for line in terms if "where" in line and "no sum" not in line]
    return "; ".join(["none of the known faults", where, *telling]), [
        line for line in terms if line not in telling
    ] + tried


def _own(adapter: Adapter, name: str) -> Callable[..., Any]:
    """Return a function of the implementation, on NumPy arrays."""
    return lambda *arrays, **numbers: adapter.call(name, arrays, numbers)


def _shape_of_result(samples: Sequence[Sample]) -> str:
    """Return what is wrong with the form of the results, if it is not that of new W and R."""
    for sample in samples:
        got = sample.got
        if got is not None and not (isinstance(got, list) and len(got) >= 2 and all(map(list.__instancecheck__, got))):
            return "it does not return (W, R), two lists of one array per layer"
    return ""


def _by_layer(samples: Sequence[Sample]) -> str:
    """Say which weights are right and which are not, and what follows from it."""
    sample = max((each for each in samples if each.got is not None), key=lambda each: len(each.expected[0]))
    n_layers = len(sample.expected[0])
    wrong = {
        name: [k + 1 for k in range(n_layers) if distance(sample.got[at][k], sample.expected[at][k]) > 1e-9]
        for at, name in enumerate("WR")
    }
    lines = [
        f"{name} of {'every layer' if len(layers) == n_layers else f'layer {layers}'} is wrong"
        for name, layers in wrong.items()
        if layers
    ]
    right = []
    if not wrong["R"]:
        right.append("the forward pass and the decorrelation are right")
    if n_layers not in wrong["W"]:
        right.append("the output signal and the forward rule are right in the last layer")
    elif not wrong["R"] and len(wrong["W"]) == 1:
        right.append("the signals of hidden layers and the rule there are right")
    if wrong["W"] and n_layers not in wrong["W"]:
        right.append(f"what differs is the signal that goes back into layer {max(wrong['W'])}")
    return "; ".join([*lines, *right])


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
        found = in_terms(of_cases, same) or "no sum of the usual terms"
        wanted = lateral if what.startswith("R") else right
        lines.append(f"{what} moves by {found}" + ("" if found == wanted else f", where {wanted} is right"))
    return lines
