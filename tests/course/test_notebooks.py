"""The course is what it says: both editions are made from one source; each lesson has the form that README promises."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import jupytext
import nbformat
import notebooks as tool
import pytest
from editions import questions, read_notes

from copi_np.course.exercises import exercises

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "tutorials" / "sources").glob("[0-9]*.py"))
CLASSES = sorted((ROOT / "tutorials" / "sources").glob("class*.py"))
SOLUTIONS = sorted((ROOT / "tutorials" / "sources" / "solutions").glob("*.py"))
SOURCES = LESSONS + CLASSES + SOLUTIONS
NOTEBOOKS = [(source, edition) for source in SOURCES for edition in tool.editions(source)]
README = (ROOT / "tutorials" / "README.md").read_text(encoding="utf-8")


def by_name(value):
    return f"{value.parent.name}/{value.stem}" if isinstance(value, Path) else value


def cells(source, kind):
    return [cell.source for cell in jupytext.read(source, fmt="py:percent").cells if cell.cell_type == kind]


def test_there_are_fourteen_lessons_with_solutions():
    assert [path.name[:3] for path in LESSONS] == [f"{number:02d}_" for number in range(14)]
    assert [path.name for path in SOLUTIONS] == [path.name for path in LESSONS]


@pytest.mark.parametrize(("source", "edition"), NOTEBOOKS, ids=by_name)
def test_the_notebook_is_made_from_its_source(source, edition):
    assert tool.disagreement(source, edition) is None


@pytest.mark.parametrize("source", LESSONS, ids=by_name)
def test_a_lesson_keeps_its_form(source):
    """Goals, minutes, questions before answers, a failure, three exercises; short cells."""
    text, code = cells(source, "markdown"), cells(source, "code")
    for part in ("What you will be able to do", "Time:", "Before this:", "In the paper:"):
        assert f"\n**{part}**" in text[0], part
    prose = "\n\n".join(text)
    assert re.search(r"^#+ .*Break it: ", prose, re.MULTILINE)
    asked = re.findall(r"\*\*(Question|Answer)", prose)
    assert asked == ["Question", "Answer"] * (len(asked) // 2)
    assert len(asked) >= 6
    assert f"Solutions: [solutions/{source.stem}.ipynb](solutions/{source.stem}.ipynb)." in " ".join(prose.split())
    assert "## What you have seen" in prose
    assert any('BACKEND = "numpy"' in cell for cell in code) == (source.stem == "09_two_devices")
    numbers = re.findall(r'check\("(\d\d\.\d)"', "\n".join(code))
    assert numbers == list(exercises(source.name[:2]))


@pytest.mark.parametrize(("lesson", "following"), [*pairwise(LESSONS)], ids=lambda path: path.stem[:2])
def test_a_lesson_leads_to_the_next(lesson, following):
    """By its title and a link; the tour leads to all lessons."""
    title = re.match(r"# (\d\d · .*?)(: |\n)", cells(following, "markdown")[0])[1]
    end = " ".join(cells(lesson, "markdown")[-1].split())
    if lesson == LESSONS[0]:
        assert re.findall(r"\]\((\d\d_\w+)\.ipynb\) \|", end) == [path.stem for path in LESSONS[1:]]
    else:
        assert re.search(rf"\*\*Next:\*\* \[{title}.*?\]\({following.name[:-3]}\.ipynb\)", end)


@pytest.mark.parametrize("solution", SOLUTIONS, ids=by_name)
def test_a_solution_keeps_its_form(solution):
    """Each exercise of the lesson under its title, with the reason and the common mistakes."""
    prose, lesson = ("\n\n".join(cells(path, "markdown")) for path in (solution, LESSONS[int(solution.name[:2])]))
    exercises_of = [re.findall(r"^##+ (Exercise .*)$", text, re.MULTILINE) for text in (prose, lesson)]
    assert exercises_of[0] == exercises_of[1]
    parts = re.findall(r"^(?:## (Exercise)|\*\*(Why|Common mistakes)\.\*\* )", prose, re.MULTILINE)
    assert ["".join(part) for part in parts] == ["Exercise", "Why", "Common mistakes"] * 3


@pytest.mark.parametrize("source", LESSONS, ids=by_name)
def test_the_lesson_plan_knows_the_lesson(source):
    """Its title, and the minutes for its exercises; `faults_of_lesson` knows the other minutes."""
    title = cells(source, "markdown")[0]
    name = re.match(r"# \d\d · (.*)", title)[1]
    row = re.search(rf"^\| {source.name[:2]} \| \[(.*?)\]\((.*?)\)(.*?) \|.*?\| \d+ \| (\d+) \|", README, re.MULTILINE)
    assert row[1] + row[3] == name
    assert row[2] == f"{source.stem}.ipynb"
    assert row[4] == re.search(r"\*\*Time\W+.*? (\d+) *(?:minutes )?for the", title.replace("\n", " "))[1]


@pytest.mark.parametrize("source", LESSONS + CLASSES, ids=by_name)
def test_the_lesson_plan_knows_how_long_it_takes(source):
    assert tool.faults_of_plan(source) == []


@pytest.mark.parametrize("source", LESSONS + CLASSES, ids=by_name)
def test_every_question_has_a_note_and_every_note_a_question(source):
    """In the same order; each says what to expect, what to watch for, and what to say."""
    opening, notes = read_notes((source.parent / "notes" / f"{tool.name_of(source)}.md").read_text(encoding="utf-8"))
    assert len(opening.split()) > 15
    assert list(notes) == list(questions(jupytext.read(source, fmt="py:percent")))
    for title, note in notes.items():
        assert re.findall(r"\*\*(.*?):\*\*", " ".join(note.split())) == ["Expect", "Watch for", "Say"], title


@pytest.mark.parametrize("source", LESSONS + CLASSES, ids=by_name)
def test_students_see_no_answers(source):
    """No outputs, no notes, no link to the solutions, no answer that is not folded, no figure's code."""
    notebook = nbformat.read(tool.notebook_path(source, "students"), as_version=4)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert "For the teacher" not in cell.source
        assert "solutions/" not in cell.source
        for answer in re.finditer(r"^\*\*Answer", cell.source, re.MULTILINE):
            before = cell.source[: answer.start()]
            assert before.count("<details>") > before.count("</details>")
        if "plt.subplots" in cell.source:
            assert cell.metadata.jupyter.source_hidden
    assert not (ROOT / "tutorials" / "solutions").exists()


@pytest.mark.parametrize(("source", "edition"), NOTEBOOKS, ids=by_name)
def test_links_lead_somewhere(source, edition):
    """To a file, or to a heading of a page or of another notebook."""
    path_of_notebook = tool.notebook_path(source, edition)
    texts = [
        cell.source for cell in nbformat.read(path_of_notebook, as_version=4).cells if cell.cell_type == "markdown"
    ]
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", "\n".join(texts)):
        path, _, anchor = target.partition("#")
        file = path_of_notebook.parent / path
        assert not path or file.exists(), target
        if anchor and path.endswith(".md"):
            titles = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}, target


@pytest.mark.parametrize("source", SOURCES, ids=by_name)
def test_outputs_belong_to_no_machine(source):
    """No folder of the machine that made them, no address in memory, no error that was not meant."""
    notebook = nbformat.read(tool.notebook_path(source, "teachers"), as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            shown = output.get("text", "") + "".join(
                str(value) for kind, value in output.get("data", {}).items() if kind.startswith("text/")
            )
            assert not re.search(r" at 0x|/tmp/|/home/|/work/|site-packages", shown), shown
            assert output.output_type != "error" or "raises-exception" in cell.metadata.get("tags", [])
