"""Turn what a user passes as a rule (a name, a function or a `Step`) into the step of one layer, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, Final

from copi_np import family
from copi_np._checks import check_count
from copi_np._parts import describe, label, named_settings, one_or_list, per_layer, settings_of
from copi_np.arrays import Array
from copi_np.errors import InputError, choose, list_names, one_line, shown
from copi_np.steps.adam import AdamStep
from copi_np.steps.base import FORWARD_ARGUMENTS, LATERAL_ARGUMENTS, FunctionStep, Step
from copi_np.steps.forward import CopiStep, SgdStep
from copi_np.steps.lateral import LocalStep, MatrixStep
from copi_np.steps.momentum import MomentumStep
from copi_np.steps.natural import NaturalStep
from copi_np.steps.sparse import SparseStep

FORWARD_FAMILY: Final[dict[str, Callable[..., Array]]] = {
    "kappa": family.kappa_update,
    "normalised": family.normalised_update,
}
LATERAL_FAMILY: Final[dict[str, Callable[..., Array]]] = {
    "kappa": family.kappa_decorrelation_update,
    "gain": family.gain_controlled_update,
    "normalised": family.normalised_decorrelation_update,
}
"""Pure rules that have a name; they are used in the same way as your own."""
FORWARD_STEPS: Final[dict[str, Callable[[], Step]]] = {
    "copi": CopiStep,
    "sgd": SgdStep,
    "momentum": MomentumStep,
    "adam": AdamStep,
    "foof": NaturalStep,
    **{name: partial(FunctionStep, rule, "rule", FORWARD_ARGUMENTS) for name, rule in FORWARD_FAMILY.items()},
}
LATERAL_STEPS: Final[dict[str, Callable[[], Step]]] = {
    "matrix": MatrixStep,
    "local": LocalStep,
    **{name: partial(FunctionStep, rule, "decorrelation", LATERAL_ARGUMENTS) for name, rule in LATERAL_FAMILY.items()},
}


def forward_step(rule: Any) -> Step:
    """Return a new step for the forward weights of one layer.

    Parameters
    ----------
    rule : str, function or Step    a name in `FORWARD_STEPS`, or a function with any of `FORWARD_ARGUMENTS`

    Raises
    ------
    InputError                      if it is none of these
    """
    if isinstance(rule, SparseStep):
        raise InputError("rule is a SparseStep, which is for lateral weights: give its inner step")
    return _step("rule", rule, FORWARD_STEPS, FORWARD_ARGUMENTS)


def lateral_step(decorrelation: Any) -> Step | None:
    """Return a new step for the lateral weights of one layer, or None for None; see `forward_step`."""
    if decorrelation is None:
        return None
    return _step("decorrelation", decorrelation, LATERAL_STEPS, LATERAL_ARGUMENTS)


def lateral_steps(decorrelation: Any, samples: Any, every: Any, n_layers: int) -> list[Step | None]:
    """Return the lateral steps of all layers, from the arguments of `Network`; each may be a list, one per layer."""
    rows = zip(
        per_layer("decorrelation", decorrelation, n_layers),
        per_layer("decorrelation_samples", samples, n_layers),
        per_layer("decorrelation_every", every, n_layers),
        strict=True,
    )
    steps = []
    for rule, n_samples, n_batches in rows:
        if n_samples is not None:
            n_samples = check_count("decorrelation_samples", n_samples)
        n_batches = check_count("decorrelation_every", n_batches)
        step = lateral_step(rule)
        steps.append(step if step is None else _sparse(step, n_samples, n_batches))
    return steps


def _sparse(step: Step, samples: int | None, every: int) -> Step:
    if samples is None and every == 1:
        return step
    if isinstance(step, SparseStep):
        raise InputError("decorrelation is a SparseStep: leave out decorrelation_samples and decorrelation_every")
    return SparseStep(step, samples, every)


def samples_of(step: Step | None) -> int | None:
    """Return from how many samples of a batch R learns with this step; None: from all."""
    return step.samples if isinstance(step, SparseStep) else None


def every_of(step: Step | None) -> int:
    """Return how many batches pass from one update of R to the next with this step."""
    return step.every if isinstance(step, SparseStep) else 1


def _rule_of(step: Step | None) -> Step | None:
    """Return the step that applies the rule, whether to all samples or to some."""
    return step.inner if isinstance(step, SparseStep) else step


def _step(kind: str, given: Any, table: dict[str, Callable[[], Step]], known: Sequence[str]) -> Step:
    if isinstance(given, FunctionStep):
        given = given.function
    if isinstance(given, Step):
        if (type(given).state is Step.state) != (type(given).restore is Step.restore):
            raise InputError(
                f"{kind} {label(given)} needs both state() and restore(), or neither: a file holds its state"
            )
        try:
            step = deepcopy(given)
        except Exception as error:
            raise InputError(f"{kind} {label(given)} cannot be copied for each layer: {one_line(error)}") from error
        step.passed_settings = step.passed_settings or named_settings(settings_of(given))
        return step
    if isinstance(given, str):
        return choose(kind, given, table)()
    if not callable(given):
        raise InputError(
            f"{kind} must be one of {list_names(table)}, a function of any of {list_names(known)}, "
            f"or a copi_np.steps.Step: got {shown(given)}"
        )
    return FunctionStep(given, kind, known)


def describe_step(step: Step | None) -> str | None:
    """Return the name under which a step is recorded: its built-in name, or what `describe` returns; None for None."""
    step = _rule_of(step)
    if step is None:
        return None
    if isinstance(step, FunctionStep):
        named = LATERAL_FAMILY if step.kind == "decorrelation" else FORWARD_FAMILY
        return next((name for name, rule in named.items() if rule is step.function), describe(step.function))
    for name, make in (FORWARD_STEPS | LATERAL_STEPS).items():
        if type(step) is make and settings_of(step) == settings_of(make()):
            return name
    return describe(step)


def describe_steps(steps: Sequence[Step | None]) -> Any:
    """Return the name of all steps, or a list of names; two functions of one name, such as two lambdas, give a list."""
    steps = [_rule_of(step) for step in steps]
    names = [describe_step(step) for step in steps]
    same = one_or_list(
        step.function if isinstance(step, FunctionStep) else name for step, name in zip(steps, names, strict=True)
    )
    return names if isinstance(same, list) else names[0]


def part_of(step: Step | None) -> Any:
    """Return what a user would pass to get this step: a name, a function or the step itself."""
    step = _rule_of(step)
    name = describe_step(step)
    if name is None or ":" not in name:
        return name
    return step.function if isinstance(step, FunctionStep) else step
