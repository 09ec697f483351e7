"""What must hold for any input, whatever the numbers: Hypothesis looks for the smallest input for which it does not.

Theorems reveal what known answers cannot, such as arguments that are overwritten, and need no dictionary of faults.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from copi_np.conformance import of_steps, of_updates
from copi_np.conformance.adapter import DEFAULTS, Adapter
from copi_np.conformance.of_updates import Call, Example
from copi_np.conformance.report import Finding
from copi_np.errors import InputError, one_line

TOLERANCE: Final = 1e-8
FLOAT32_TOLERANCE: Final = 1e-3


class Theorem(NamedTuple):
    """What must hold, of which function, and on what inputs."""

    name: str
    function: str
    shapes: str
    """Arrays and their axes, such as "W:OI x:BI"."""
    error: Callable[[Call, Example], float]
    needs: Mapping[str, str] = {}
    """Settings of a step for which it holds; {}: for all."""
    prepare: Callable[[Example], Example] = dict
    """Turns any arrays into those that the theorem is about."""


BATCH: Final = {
    "the order of the samples does not matter": lambda rows: rows[::-1].copy(),
    "every sample counted twice changes nothing": lambda rows: np.concatenate([rows, rows]),
}
UPDATES: Final = {
    "copi_update": "W:OI x:BI z:BO",
    "sgd_update": "x:BI delta:BO",
    "decorrelation_update": "R:II x:BI",
    "local_decorrelation_update": "R:II x:BI",
}
LAYERS: Final = "W1:HI W2:OH R1:II R2:HH y0:BI targets:BO"
BP: Final = {"error_signal": "bp"}
THEOREMS: Final = [
    *(
        Theorem(f"{name}: {what}", name, shapes, of_updates.of_rows(name, change))
        for name, shapes in UPDATES.items()
        for what, change in BATCH.items()
    ),
    *(
        Theorem(f"{name}: arguments are left as they are", name, shapes, of_updates.leaves_arguments)
        for name, shapes in UPDATES.items()
    ),
    Theorem(
        "COPI is gradient descent and W off(C) (Theorem 1)", "copi_update", "W:OI x:BI delta:BO", of_updates.copi_is_sgd
    ),
    Theorem(
        "COPI is local: column j sees input j alone", "copi_update", UPDATES["copi_update"], of_updates.copi_is_local
    ),
    Theorem(
        "COPI rests without error and correlation (Theorem 1)",
        "copi_update",
        "W:OI x:BI",
        of_updates.copi_rests,
        prepare=of_updates.decorrelated,
    ),
    *(
        theorem
        for name in ("decorrelation_update", "local_decorrelation_update")
        for theorem in (
            Theorem(
                f"{name} rests where C is diagonal",
                name,
                UPDATES[name],
                of_updates.lateral_rests,
                prepare=of_updates.decorrelated,
            ),
            Theorem(
                f"{name} keeps |det R| (Theorem 4)",
                name,
                UPDATES[name],
                of_updates.keeps_the_determinant,
                prepare=of_updates.invertible,
            ),
            Theorem(f"{name} scales by squares (Theorem 9)", name, UPDATES[name], of_updates.scales_by_squares),
            Theorem(f"{name} is -off(C) at the identity (Theorem 3)", name, "x:BI", of_updates.identity_first),
        )
    ),
    Theorem(
        "decorrelation_update: no variance rises (Theorem 4)",
        "decorrelation_update",
        UPDATES["decorrelation_update"],
        of_updates.no_variance_rises,
        prepare=of_updates.invertible,
    ),
    *(
        Theorem(f"step: {what}", "step", LAYERS, error, needs, of_steps.network)
        for what, error, needs in (
            ("the same step twice gives the same", of_steps.step_leaves_arguments, BP),
            ("the batch is left as it is", of_steps.batch_is_left, BP),
            ("step sizes of 0 change nothing", of_steps.nothing_moves_at_0, BP),
            ("moves are proportional to their own step size", of_steps.linear_in_eta, BP),
            *((what, of_steps.step_of_rows(change), BP) for what, change in BATCH.items()),
            ("R learns from the inputs alone", of_steps.lateral_ignores_targets, BP),
            ("W R moves by <delta x^T> R, to first order (Theorem 2)", of_steps.cancels, DEFAULTS),
            (
                "W follows the gradient of the loss, and W off(C) (Theorems 1 and 7)",
                of_steps.follows_the_gradient,
                BP | {"rule": "copi"},
            ),
        )
    ),
]
"""What is checked of every implementation that has the function."""


def check_theorems(given: Any, examples: int = 50, without: Collection[str] = ()) -> list[Finding]:
    """Look for counterexamples to every theorem about a function that an implementation has.

    Parameters
    ----------
    given : see `Adapter`
    examples : int      random inputs per theorem
    without : names     of functions that are left out

    Returns
    -------
    findings : list of Finding

    Raises
    ------
    InputError          if Hypothesis is not installed
    """
    adapter = Adapter(given)
    return [
        _check(adapter, theorem, examples)
        for theorem in THEOREMS
        if theorem.function not in without
        and adapter.find(theorem.function)
        and theorem.needs.items() <= adapter.settings.items()
    ]


def _check(adapter: Adapter, theorem: Theorem, examples: int) -> Finding:
    """Look for a counterexample to one theorem."""
    call = Call(adapter, theorem.function)

    def fails(example: Example) -> bool:
        try:
            found = theorem.error(call, example)
        except Exception:  # code of the user's; also a result that is no array of the right shape
            return True
        return not found <= (FLOAT32_TOLERANCE if adapter.single else TOLERANCE)

    example = _smallest(theorem, fails, examples)
    if example is None:
        return Finding(theorem.name, "", True, 0.0, examples)
    try:
        size = theorem.error(call, example)
        details = [f"off by {size:.3g}; the smallest input found:"]
    except Exception as problem:  # as above
        size, details = np.inf, [f"raised {one_line(problem)}; the smallest input found:"]
    details += [f"    {name} = {np.asarray(array).tolist()}" for name, array in example.items()]
    return Finding(theorem.name, "", False, size, examples, "", details)


def _smallest(theorem: Theorem, fails: Callable[[Example], bool], examples: int) -> Example | None:
    """Return the smallest example that fails, or None if none was found."""
    try:
        from hypothesis import HealthCheck, find, settings
        from hypothesis.errors import NoSuchExample
    except ImportError:
        raise InputError("theorems need Hypothesis: pip install 'copi-np[conformance]', or give examples=0") from None
    quiet = settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    try:
        found: Example = find(_examples(theorem.shapes).map(theorem.prepare), fails, settings=quiet)
    except NoSuchExample:
        return None
    return found


def _examples(shapes: str) -> Any:
    """Return a strategy of arrays with these axes, each of 1 to 3, and entries that are multiples of 1/4."""
    from hypothesis import strategies as st
    from hypothesis.extra.numpy import arrays

    names, words = zip(*(part.split(":") for part in shapes.split()), strict=True)
    entries = st.integers(-8, 8).map(lambda n: n / 4)

    @st.composite
    def of_these_shapes(draw: Any) -> Example:
        lengths = {letter: draw(st.integers(1, 3)) for letter in sorted(set("".join(words)))}
        return {
            name: draw(arrays(np.float64, tuple(lengths[letter] for letter in word), elements=entries))
            for name, word in zip(names, words, strict=True)
        }

    return of_these_shapes()
