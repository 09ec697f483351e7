"""Make the known answers of `copi_np/conformance/vectors` from the oracles of the tests, not from the package.

    python tests/conformance/make_vectors.py

`docs/vectors.md` describes the format.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from equation_vectors import FAMILY, RULES, activations, equations, losses, natural_cases
from network_vectors import error_signals, perturbations, reconstruction, steps

FOLDER = Path(__file__).parents[2] / "copi_np" / "conformance" / "vectors"
FILES = {
    "rules": lambda: equations(RULES),
    "family": lambda: [*equations(FAMILY, ("general", "square", "one sample", "dead input")), *natural_cases()],
    "activations": activations,
    "losses": losses,
    "error-signals": lambda: [*error_signals(), *perturbations(), *reconstruction()],
    "steps": lambda: steps(1),
    "ten-steps": lambda: steps(10),
}


def text_of(name: str) -> str:
    """Return one file: one line per case."""
    head = {"format": "copi-np known answers", "version": 1, "topic": name}
    lines = ",\n".join(json.dumps(each) for each in FILES[name]())
    return json.dumps(head)[:-1] + f', "cases": [\n{lines}\n]}}\n'


if __name__ == "__main__":
    for topic in FILES:
        (FOLDER / f"{topic}.json").write_text(text_of(topic), encoding="utf-8")
