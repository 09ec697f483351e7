"""The classes: as planned, on every bundled data set, with cells that a projector can show."""

from __future__ import annotations

import re

import jupytext
import lesson_plan
import nbformat
import notebooks as tool
import pytest

from copi_np.datasets import DATASETS

SOURCES = sorted(tool.SOURCES.glob("class*.py"))
BUNDLED = [name for name, description in DATASETS.items() if not description.files]
README = (tool.ROOT / "tutorials" / "README.md").read_text(encoding="utf-8")


def test_there_are_two_classes():
    assert [path.stem for path in SOURCES] == ["class", "class_2"]
    assert "mnist-5k" in BUNDLED


@pytest.mark.parametrize("data", BUNDLED)
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_plan_is_executed_as_printed(source, data, tmp_path, monkeypatch):
    """Every part of the plan in its order, every cell of it, and nothing else; on other data by changing one line."""
    plan = [part.section for part in lesson_plan.plan_of(README, f"{source.stem}.ipynb") if part.section]
    text = source.read_text(encoding="utf-8")
    assert text.count('\nDATA = "mnist-5k"  # or "digits-8x8"\n') == 1
    changed = tmp_path / "sources" / source.name
    (changed.parent / "notes").mkdir(parents=True)
    changed.write_text(text.replace('DATA = "mnist-5k"', f'DATA = "{data}"'), encoding="utf-8")
    notes = source.parent / "notes" / f"{source.stem}.md"
    (changed.parent / "notes" / notes.name).write_bytes(notes.read_bytes())
    monkeypatch.setattr(tool, "SOURCES", changed.parent)

    parts = lesson_plan.sections(tool.executed(changed).cells)
    assert list(parts) == plan
    for cells in parts.values():
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        assert outputs
        assert all(output.output_type != "error" for output in outputs)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_projector_can_show_every_cell(source):
    """At most 60 characters in a line of code; cells of more than 12 lines are collapsed; no number of the data."""
    for cell in jupytext.read(source, fmt="py:percent").cells:
        if cell.cell_type == "code":
            lines = cell.source.splitlines()
            assert max(map(len, lines)) <= 60
            shown = [line for line in lines if line.strip()]
            assert len(shown) <= 12 or "hide-input" in cell.metadata.get("tags", [])
            assert not re.search(r"\b(784|28|4000|64|1400|397)\b", cell.source)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_an_answer_never_stands_above_its_reveal(source):
    """A question ends its cell, so that the class sees nothing below it before the next cell runs."""
    cells = jupytext.read(source, fmt="py:percent").cells
    for cell, following in zip(cells, [*cells[1:], nbformat.v4.new_markdown_cell()], strict=True):
        if cell.cell_type == "markdown" and "**Question" in cell.source:
            after = cell.source.rpartition("**Question")[2]
            assert "\n\n" not in after
            assert "**Answer" not in after
            assert following.cell_type == "code" or following.source.startswith("**Answer")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_minute_of_teaching_has_at_most_150_words_and_a_question(source):
    parts = lesson_plan.sections(jupytext.read(source, fmt="py:percent").cells)
    for part in lesson_plan.plan_of(README, f"{source.stem}.ipynb"):
        found = lesson_plan.contents(parts.get(part.section, []))
        assert found.words <= 150 * (part.end - part.start)
        assert found.questions <= part.end - part.start
