"""Record the results of `mutmut run` in results/quality/mutants, and demand a reason for every surviving mutant.

Run by `make mutants`. A mutant counts as killed if a test failed; all others, including those that timed out, do not.
The reasons are in results/quality/mutants/survivors.toml, by function and changed line, since mutant numbers shift.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from importlib.metadata import version
from pathlib import Path
from platform import python_version

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "results" / "quality" / "mutants"
DEMAND = 0.95
MUTANT = re.compile(r"copi_np\.(?P<module>[\w.]+)\.x(_|ǁ(?P<cls>\w+)ǁ)(?P<function>\w+)__mutmut_\d+")


def mutmut(*arguments: str) -> str:
    """Return what a command of mutmut prints."""
    command = Path(sys.executable).with_name("mutmut")  # from the same virtual environment
    return subprocess.run([command, *arguments], check=True, capture_output=True, text=True).stdout


def function_of(mutant: str) -> tuple[str, str]:
    """Return the module of a mutant, such as "steps.adam", and its function there, "function" or "Class.method"."""
    found = MUTANT.fullmatch(mutant)
    assert found, mutant
    return found["module"], ".".join(part for part in found.group("cls", "function") if part)


def change_of(mutant: str) -> tuple[str, str]:
    """Return the line of the source, and what it becomes."""
    changed = [line for line in mutmut("show", mutant).splitlines() if re.match(r"[-+](?![-+])", line)]
    return tuple(" ".join(line[1:].strip() for line in changed if line[0] == sign) for sign in "-+")


def functions_of(module: str) -> set[str]:
    """Return all functions and methods of a module, as "module.function" or "module.Class.method"."""
    names = set()
    path = (ROOT / "copi_np").joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_name(f"{path.name}.py")
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(f"{module}.{node.name}")
        elif isinstance(node, ast.ClassDef):
            names |= {
                f"{module}.{node.name}.{method.name}" for method in node.body if isinstance(method, ast.FunctionDef)
            }
    return names


def reasons() -> dict[tuple[str, str, str], str]:
    """Return the reason why a mutant may survive, by function, line and what the line becomes."""
    groups = tomllib.loads((FOLDER / "survivors.toml").read_text(encoding="utf-8"))["group"]
    return {tuple(mutant): group["why"] for group in groups for mutant in group["mutants"]}


def main() -> None:
    """Write summary.json; exit with 1 if too many survive, or one without a reason."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    alive, mutated = [], set()
    for mutant, status in re.findall(r"^\s*(\S+): (.+)$", mutmut("results", "--all", "true"), re.MULTILINE):
        module, name = function_of(mutant)
        function = f"{module}.{name}"
        mutated.add(function)
        counts[module][status] += 1
        if status != "killed":
            alive.append((function, *change_of(mutant), status))
    why = reasons()
    n_mutants = sum(count.total() for count in counts.values())
    killed = sum(count["killed"] for count in counts.values()) / n_mutants
    summary = {
        "command": "make mutants",
        "versions": {"python": python_version()}
        | {name: version(name) for name in ("mutmut", "pytest", "hypothesis", "numpy", "array-api-strict")},
        "mutants": n_mutants,
        "killed": n_mutants - len(alive),
        "score": round(killed, 4),
        "modules": {module: {"mutants": count.total(), **count} for module, count in sorted(counts.items())},
        "functions without mutants": sorted(set().union(*map(functions_of, counts)) - mutated),
        "alive": [
            {
                "in": function,
                "line": line,
                "becomes": becomes,
                "status": status,
                "why": why.get((function, line, becomes)),
            }
            for function, line, becomes, status in alive
        ],
    }
    (FOLDER / "summary.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    print(f"{n_mutants - len(alive)} of {n_mutants} mutants were killed ({killed:.1%})")
    unexplained = [mutant for mutant in alive if mutant[:3] not in why]
    for function, line, becomes, status in unexplained:
        print(f"{status} without a reason in survivors.toml: {function}\n  - {line}\n  + {becomes}")
    dead = why.keys() - {mutant[:3] for mutant in alive}
    for function, line, becomes in sorted(dead):
        print(f"killed or removed, but still in survivors.toml: {function}\n  - {line}\n  + {becomes}")
    sys.exit(killed < DEMAND or bool(unexplained) or bool(dead))


if __name__ == "__main__":
    main()
