"""The learning methods that are compared: which rule, which error signal, and whether layers decorrelate."""

from __future__ import annotations

import re
from typing import Any, NamedTuple


class Method(NamedTuple):
    """A learning method and its parts, which may be your own; `decorrelates` says whether the lateral weights learn."""

    label: str
    rule: Any
    error_signal: Any
    decorrelates: bool

    @property
    def slug(self) -> str:
        """The label as a name for files, such as "copi-bp"."""
        return re.sub("[^a-z0-9]+", "-", self.label.lower()).strip("-") or "method"


METHODS = {
    "copi-bp": Method("COPI (BP)", "copi", "bp", True),
    "copi-fa": Method("COPI (FA)", "copi", "fa", True),
    "copi-dfa": Method("COPI (DFA)", "copi", "dfa", True),
    "copi-tp": Method("COPI (TP)", "copi", "tp", True),
    "copi-dtp": Method("COPI (DTP)", "copi", "dtp", True),
    "copi-node": Method("COPI (node perturbation)", "copi", "node", True),
    "copi-activity": Method("COPI (activity perturbation)", "copi", "activity", True),
    "copi-kp": Method("COPI (Kolen-Pollack)", "copi", "kp", True),
    "bp-decor": Method("BP + decorrelation", "sgd", "bp", True),
    "fa-decor": Method("FA + decorrelation", "sgd", "fa", True),
    "activity-decor": Method("Activity perturbation + decorrelation", "sgd", "activity", True),
    "activity": Method("Activity perturbation", "sgd", "activity", False),
    "bp-adam": Method("BP (Adam)", "adam", "bp", False),
    "bp-momentum": Method("BP (momentum)", "momentum", "bp", False),
    "bp": Method("BP (SGD)", "sgd", "bp", False),
}
