"""Imports point one way, those inside of functions included: what is read first needs nothing of what is read later."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "copi_np"
ORDER = ["rules", "steps", "layer", "network", "training", "experiments", "cli"]
"""From the bottom to the top: each may import those before it."""


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported_by(path):
    """Modules of the package that a file imports, anywhere in it; not those imported for type checks alone."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "copi_np":
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)


GRAPH = {name: set(imported_by(path)) - {name} for name, path in MODULES.items()}


def test_there_is_no_circle():
    """Of modules; the package itself, which names what a user needs most, is left out."""
    graph = {name: needs - {"copi_np"} for name, needs in GRAPH.items() if name != "copi_np"}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
    assert len(order) == len(graph)


def room_of(module):
    return module.split(".")[1] if "." in module else "copi_np"


@pytest.mark.parametrize("room", ORDER)
def test_no_room_needs_one_above_it(room):
    above = set(ORDER[ORDER.index(room) + 1 :])
    for name, needs in GRAPH.items():
        if room_of(name) == room:
            assert not {need for need in needs if room_of(need) in above}, name


@pytest.mark.parametrize("room", ["storage", "backend", "datasets", "steps", "callbacks", "plotting"])
def test_what_serves_others_needs_neither_experiments_nor_the_command(room):
    for name, needs in GRAPH.items():
        if room_of(name) == room:
            assert not {need for need in needs if room_of(need) in {"experiments", "cli", "course", "estimators"}}, name
