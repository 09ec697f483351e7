"""What the kit found, as values and as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

MOST_NAMES: Final = 10
"""More functions that are missing are counted, not named."""


@dataclass
class Finding:
    """What was found out about one function, or one theorem.

    Attributes
    ----------
    name : str              of the function or theorem
    equation : str          its place in the paper
    agrees : bool
    error : float           the largest error, in units of the largest expected number, or of 1
    n_cases : int           known answers that were compared, or random examples
    cause : str             the likely cause, by name, if it disagrees
    details : list of str   where it disagrees, and what was ruled out
    """

    name: str
    equation: str
    agrees: bool
    error: float
    n_cases: int
    cause: str = ""
    details: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        verdict = f"agrees to {self.error:.1g}" if self.agrees else f"DISAGREES by {self.error:.2g}"
        if not self.equation:
            verdict = "holds" if self.agrees else "DOES NOT HOLD"
        place = f" ({self.equation})" if self.equation else ""
        lines = [f"{self.name}{place}: {verdict}, {self.n_cases} {'cases' if self.equation else 'examples'}"]
        if self.cause:
            lines.append(f"  likely cause: {self.cause}")
        return "\n".join([*lines, *(f"  {line}" for line in self.details)])


@dataclass
class Report:
    """What was found out about an implementation.

    Attributes
    ----------
    equations : list of Finding     against known answers
    theorems : list of Finding      on random inputs
    missing : list of str           functions with known answers that the implementation does not have
    """

    equations: list[Finding]
    theorems: list[Finding]
    missing: list[str]

    @property
    def conforms(self) -> bool:
        """Whether everything that was checked agrees."""
        return all(finding.agrees for finding in self.findings)

    @property
    def findings(self) -> Sequence[Finding]:
        """Equations, then theorems."""
        return [*self.equations, *self.theorems]

    @property
    def causes(self) -> list[str]:
        """The likely causes, each once."""
        return list(dict.fromkeys(finding.cause for finding in self.findings if finding.cause))

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values, ready for JSON."""
        return {"conforms": self.conforms} | asdict(self)

    def __str__(self) -> str:
        wrong = [finding for finding in self.findings if not finding.agrees]
        right = [finding for finding in self.findings if finding.agrees]
        head = f"conforms: all {len(right)} checks agree"
        if wrong:
            head = f"does not conform: {len(wrong)} of {len(wrong) + len(right)} checks disagree"
        several = len(self.missing) > MOST_NAMES
        names = f"{len(self.missing)} functions that are not there" if several else ", ".join(self.missing)
        return "\n".join([head, *map(str, [*wrong, *right]), *([f"not checked: {names}"] if self.missing else [])])
