"""Compare the lesson plan in tutorials/README.md with the notebooks: minutes, sections and their order.

Minutes follow from a rule, not from a guess. Students who work alone read 120 words in a minute, think about a question
for one minute, and need half a minute for a code cell. A class takes twice as long for questions and cells: it has to
agree on an answer, and to look at a figure together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

Cell = Any

WORDS_PER_MINUTE = 120
CLASS_LENGTH = 120


class Contents(NamedTuple):
    """What takes time in some cells."""

    words: int
    questions: int
    cells: int
    """Cells with code."""

    @property
    def minutes_alone(self) -> float:
        """The minutes that a student needs."""
        return self.words / WORDS_PER_MINUTE + self.questions + self.cells / 2

    @property
    def minutes_in_class(self) -> float:
        """The minutes that a class needs."""
        return self.words / WORDS_PER_MINUTE + 2 * self.questions + self.cells


class Part(NamedTuple):
    """A row of the plan of a class."""

    start: int
    end: int
    section: str
    """Its title in the notebook, or "" for a break and for discussions."""


def contents(cells: Iterable[Cell]) -> Contents:
    """Count words, questions and code cells."""
    cells = list(cells)
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    words = sum(len(re.findall(r"\S*\w\S*", text)) for text in texts)
    questions = sum(text.count("**Question") for text in texts)
    return Contents(words, questions, sum(cell.cell_type == "code" for cell in cells))


def before_the_exercises(cells: Sequence[Cell]) -> Sequence[Cell]:
    """Return the cells above the heading "Exercises", which has minutes of its own."""
    found = [number for number, cell in enumerate(cells) if re.search(r"^## Exercises", cell.source, re.MULTILINE)]
    return cells[: found[0]] if found else cells


def minutes_of_lesson(cells: Sequence[Cell]) -> int:
    """Return the minutes to read and run a lesson, to the nearest five."""
    return 5 * round(contents(before_the_exercises(cells)).minutes_alone / 5)


def sections(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """Return the cells of each section of a class; what comes before the first heading belongs to the first."""
    opening: list[Cell] = []
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            found[cell.source.partition("\n")[0].removeprefix("## ")] = opening if not found else []
        (found[next(reversed(found))] if found else opening).append(cell)
    return found


def plan_of(readme: str, notebook: str) -> list[Part]:
    """Return the plan of a class: the first table after the heading that links to its notebook."""
    heading = re.search(rf"^###.*\({re.escape(notebook)}\)$", readme, re.MULTILINE)
    table = re.search(r"(^\|.*\n)+", readme[heading.end() :], re.MULTILINE) if heading else None
    rows = re.findall(r"^\| (\d+) to (\d+) \| (.*?) \|", table[0] if table else "", re.MULTILINE)
    return [Part(int(start), int(end), "" if what.startswith("*") else what) for start, end, what in rows]


def faults_of_lesson(readme: str, name: str, cells: Sequence[Cell]) -> list[str]:
    """Return what is wrong with the minutes of a lesson, in the plan and in its first cell."""
    minutes = minutes_of_lesson(cells)
    row = re.search(rf"^\| {name} \|.*?\|.*?\| (\d+) \|", readme, re.MULTILINE)
    opening = re.search(r"\*\*Time:\*\* (\d+) minutes to read", cells[0].source)
    places = {"tutorials/README.md": row, "its first cell": opening}
    return [
        f"lesson {name} takes {minutes} minutes by the rule, but {place} says {found[1] if found else 'nothing'}"
        for place, found in places.items()
        if found is None or int(found[1]) != minutes
    ]


def faults_of_class(readme: str, notebook: str, cells: Sequence[Cell]) -> list[str]:
    """Return what is wrong with the plan of a class: its times, its sections, or a part that does not fit."""
    plan, parts = plan_of(readme, notebook), sections(cells)
    times = [part.start for part in plan] + [CLASS_LENGTH]
    faults = []
    if [0, *(part.end for part in plan)] != times:
        faults.append(f"{notebook}: its parts do not follow each other from 0 to {CLASS_LENGTH} minutes")
    if [part.section for part in plan if part.section] != list(parts):
        faults.append(f"{notebook}: plan and notebook differ in their sections: {', '.join(parts)}")
    for part in plan:
        needed = contents(parts.get(part.section, [])).minutes_in_class
        if needed > part.end - part.start:
            faults.append(f"{notebook}: '{part.section}' needs {needed:.1f} minutes, but has {part.end - part.start}")
    return faults
