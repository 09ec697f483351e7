"""Both halves of the kit, one after the other."""

from __future__ import annotations

from typing import Any

from copi_np.conformance.diagnosis import FAILS
from copi_np.conformance.equations import check_equations
from copi_np.conformance.report import Report
from copi_np.conformance.theorems import check_theorems
from copi_np.errors import InputError


def verify(given: Any, *, examples: int = 50) -> Report:
    """Check an implementation against the known answers, and theorems on random inputs.

    Parameters
    ----------
    given : module, class, object or mapping
        has functions under the names of the known answers, see `Adapter`
    examples : int
        random inputs per theorem; 0 leaves the theorems out, which need Hypothesis

    Returns
    -------
    Report

    Raises
    ------
    InputError      if it has none of the functions, or Hypothesis is not installed
    """
    equations, missing = check_equations(given)
    if not equations:
        raise InputError(f"nothing to check: give one of these functions: {', '.join(missing)}")
    failing = [finding.name for finding in equations if finding.cause.startswith(FAILS)]
    return Report(equations, check_theorems(given, examples, failing) if examples else [], missing)
