"""The code of the lessons: short lines, nothing about drawing where students read, sizes that come from the data."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import jupytext
import pytest

SOURCES = Path(__file__).parents[2] / "tutorials" / "sources"
LESSONS = sorted(SOURCES.glob("*.py"))
SOLUTIONS = sorted(SOURCES.glob("solutions/*.py"))
WIDTH = 60
"""Characters of a line that is legible from the last row."""
HEIGHT = 25
"""Lines of a cell that fit on a projector."""
DRAWING = r"\bplt\.|\baxes\b|\bmatplotlib\b|\bCOLOURS\b|\bSTYLE\b"
DEVICES = r"\basarray\b|\bto_host\b|\bBACKEND\b"
IMPORT = (ast.Import, ast.ImportFrom)
OF_MNIST_5K = r"\b(784|28|4_?000)\b"


def by_name(path):
    return f"{path.parent.name}/{path.stem}"


def code(source):
    return [cell for cell in jupytext.read(source, fmt="py:percent").cells if cell.cell_type == "code"]


def visible(source):
    """The code that students see: not that of cells that are collapsed."""
    return [cell.source for cell in code(source) if "hide-input" not in cell.metadata.get("tags", [])]


def found(pattern, cells):
    return [line for cell in cells for line in cell.splitlines() if re.search(pattern, line)]


@pytest.mark.parametrize("source", LESSONS + SOLUTIONS, ids=by_name)
def test_lines_are_short(source):
    assert [line for cell in code(source) for line in cell.source.splitlines() if len(line) > WIDTH] == []


@pytest.mark.parametrize("source", LESSONS, ids=by_name)
def test_cells_fit_on_a_projector(source):
    assert [cell for cell in visible(source) if len(cell.splitlines()) > HEIGHT] == []


@pytest.mark.parametrize("source", LESSONS + SOLUTIONS, ids=by_name)
def test_drawing_is_in_collapsed_cells(source):
    """Lesson 10 raises the limit of an axis."""
    lines = found(DRAWING, visible(source))
    assert lines == (["    figure.axes[0].set_ylim(top=highest)"] if source == LESSONS[10] else [])


@pytest.mark.parametrize("source", LESSONS, ids=by_name)
def test_collapsed_cells_draw_or_import(source):
    """Nothing of COPI is hidden."""
    hidden = [cell.source for cell in code(source) if "hide-input" in cell.metadata.get("tags", [])]
    assert hidden
    others = [cell for cell in hidden if not re.search(DRAWING + r"|np\.meshgrid", cell)]
    assert [cell for cell in others if not all(isinstance(line, IMPORT) for line in ast.parse(cell).body)] == []


@pytest.mark.parametrize("source", LESSONS + SOLUTIONS, ids=by_name)
def test_only_the_lesson_on_devices_moves_arrays(source):
    lines = found(DEVICES, [cell.source for cell in code(source)])
    assert bool(lines) == (source == LESSONS[9])


@pytest.mark.parametrize("source", LESSONS + SOLUTIONS, ids=by_name)
def test_sizes_come_from_the_data(source):
    assert found(OF_MNIST_5K, [cell.source for cell in code(source)]) == []


@pytest.mark.parametrize("source", LESSONS, ids=by_name)
def test_the_data_are_chosen_in_one_place(source):
    """Exercises that have a fixed answer name their data once more."""
    cells = [cell.source for cell in code(source)]
    chosen = found(r'^DATA(, BATCH)? = "mnist-5k"', cells)
    assert len(chosen) == any("load_dataset(" in cell for cell in cells)
    others = found(r'load_dataset\("', cells)
    assert others == (['mnist = load_dataset("mnist-5k")'] if source == LESSONS[4] else [])
