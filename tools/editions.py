"""The two editions of a notebook of the course, from one source.

Students get no outputs: answers are folded, and nothing leads to the solutions. Teachers get outputs, and a note after
each question: what students answer, where they stumble, what to say. In both, the code of figures is collapsed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import nbformat
from nbformat import NotebookNode

Edition = Literal["students", "teachers"]

ANSWER = re.compile(r"^(?<!</summary>\n\n)(\*\*Answer\b.*?)\s*(?=^#|^\*\*Question|\Z)", re.MULTILINE | re.DOTALL)
"""An answer that is not folded yet: up to the next heading, the next question or the end of its cell."""
FOLDED = "<details><summary>{}</summary>\n\n{}\n\n</details>"
SOLUTIONS = re.compile(r"^Solutions:\s.*?\n\n", re.MULTILINE | re.DOTALL)


class CourseError(Exception):
    """A notebook has an error, or does not agree with its source or its notes."""


def for_students(notebook: NotebookNode) -> None:
    """Fold the answers of a notebook, and leave out the link to the solutions."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            folded = ANSWER.sub(lambda match: FOLDED.format("Show the answer", match[1]) + "\n\n", cell.source)
            cell.source = SOLUTIONS.sub("", folded).rstrip()


def for_teachers(notebook: NotebookNode, notes: Path | None, depth: int) -> None:
    """Add the notes to a notebook, and make its links and paths fit its folder.

    Parameters
    ----------
    notebook : notebook
    notes : path or None    of the notes of a lesson; solutions have none
    depth : int             folders between the source's place in tutorials/ and the repository: 1, or 2 for solutions
    """
    for cell in notebook.cells:  # the edition is one folder further down
        cell.source = re.sub(rf'(\]\(|")((?:\.\./){{{depth}}}\w)', r"\1../\2", cell.source)
    if notes is None:
        return
    opening, of_questions = read_notes(notes.read_text(encoding="utf-8"))
    asked = questions(notebook)
    if list(of_questions) != list(asked):
        unmatched = sorted(of_questions.keys() ^ asked.keys()) or ["the order is another one"]
        raise CourseError(f"{notes.name}: notes and questions differ: {'; '.join(unmatched)}")
    places = [(0, opening), *((asked[title], text) for title, text in of_questions.items())]
    for place, text in reversed(places):
        note = FOLDED.format("For the teacher", text)
        notebook.cells.insert(place + 1, nbformat.v4.new_markdown_cell(note, metadata={"tags": ["note"]}))


def questions(notebook: NotebookNode) -> dict[str, int]:
    """Return the places of the questions: "2 · Its section" and the index of the cell, in their order."""
    section, found = "", {}
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type != "markdown":
            continue
        for heading, question in re.findall(r"^#+ (.*)$|^(\*\*Question\b)", cell.source, re.MULTILINE):
            section = heading or section
            if question:
                found[f"{len(found) + 1} · {section}"] = place
    return found


def read_notes(text: str) -> tuple[str, dict[str, str]]:
    """Return what to know before the lesson, and the note of each question under its title."""
    opening, *parts = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
    opening = opening.partition("\n")[2]  # without the title
    return opening.strip(), dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))


def collapse_figures(notebook: NotebookNode) -> None:
    """Collapse the cells that draw figures, and those that are tagged hide-input."""
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and ("plt.subplots(" in cell.source or "hide-input" in tags):
            cell.metadata.tags = [*dict.fromkeys([*tags, "hide-input"])]  # for the web site
            cell.metadata.jupyter = {"source_hidden": True}  # for Jupyter
