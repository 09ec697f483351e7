"""Check other implementations of COPI against this one: known answers, theorems, and the likely cause of a difference.

    from copi_np.conformance import verify

    report = verify(my_module)      # or: copi-np verify my_module
    print(report)

`my_module`, or a class or a dict, has functions under the names of `copi_np.rules`, or a whole ``step`` or ``train``.
"""

from copi_np.conformance.adapter import Adapter, load_adapter
from copi_np.conformance.answers import Case, copy_vectors, known_answers
from copi_np.conformance.equations import check_equations
from copi_np.conformance.report import Finding, Report
from copi_np.conformance.theorems import THEOREMS, check_theorems
from copi_np.conformance.verification import verify

__all__ = [
    "THEOREMS",
    "Adapter",
    "Case",
    "Finding",
    "Report",
    "check_equations",
    "check_theorems",
    "copy_vectors",
    "known_answers",
    "load_adapter",
    "verify",
]
