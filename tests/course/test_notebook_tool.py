"""The tool that makes both editions of a notebook, and the rule that its minutes follow."""

from __future__ import annotations

import lesson_plan
import nbformat
import notebooks as tool
import pytest

PROBE = """\
# %% [markdown]
# # 98 · Probe
# Text, see [the rules](../docs/rules.md) and [more](99_more.ipynb).
#
# **Question.** Why?

# %%
n = 10  # fast: 2
print(n)

# %% [markdown]
# **Answer.** Because.
#
# It continues.
#
# ## Next
#
# Solutions: [solutions/98_probe.ipynb](solutions/98_probe.ipynb).
#
# The end.
"""
NOTES = "# 98 · Notes\n\nBring chalk.\n\n## 1 · 98 · Probe\n\n**Say:** think.\n"


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A small source in a folder of its own."""
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "SOURCES", tmp_path / "tutorials" / "sources")
    path = tmp_path / "tutorials" / "sources" / "98_probe.py"
    (path.parent / "notes").mkdir(parents=True)
    (tmp_path / "tutorials" / "teachers").mkdir()
    path.write_text(PROBE)
    (path.parent / "notes" / "98.md").write_text(NOTES)
    (tmp_path / "setup.cfg").write_text("[metadata]\nname = x\n")
    return path


def built(source):
    notebook = tool.executed(source)
    nbformat.write(notebook, tool.notebook_path(source, "teachers"))
    nbformat.write(tool.from_source(source, None, "students"), tool.notebook_path(source, "students"))
    return notebook


def output_of(notebook):
    return [output.text for cell in notebook.cells for output in cell.get("outputs", [])]


def test_both_editions_are_built_and_agree(source):
    assert output_of(built(source)) == ["10\n"]
    assert output_of(tool.executed(source, fast=True)) == ["2\n"]
    assert [tool.disagreement(source, edition) for edition in tool.editions(source)] == [None, None]


def test_students_get_folded_answers_and_no_way_to_the_solutions(source):
    built(source)
    notebook = nbformat.read(tool.notebook_path(source, "students"), as_version=4)
    assert output_of(notebook) == []
    assert notebook.cells[0].source.startswith("# 98 · Probe\nText, see [the rules](../docs/rules.md)")
    folded = "<details><summary>Show the answer</summary>\n\n**Answer.** Because.\n\nIt continues.\n\n</details>"
    assert notebook.cells[-1].source == f"{folded}\n\n## Next\n\nThe end."


def test_teachers_get_notes_outputs_and_solutions(source):
    """The notes after the title and after each question; links from one folder further down."""
    texts = [cell.source for cell in built(source).cells if cell.cell_type == "markdown"]
    note = "<details><summary>For the teacher</summary>\n\n{}\n\n</details>"
    assert texts[1:3] == [note.format("**Say:** think."), note.format("Bring chalk.")][::-1]
    assert "[the rules](../../docs/rules.md) and [more](99_more.ipynb)" in texts[0]
    assert texts[-1].startswith("**Answer.** Because.\n\nIt continues.\n\n## Next\n\nSolutions: [solutions/98")


@pytest.mark.parametrize(
    "notes", [NOTES.replace("1 · 98", "2 · 98"), NOTES.partition("## ")[0], f"{NOTES}\n## 2 · Next\n\n**Say:** more.\n"]
)
def test_notes_that_do_not_belong_to_the_questions_stop_the_build(source, notes):
    (source.parent / "notes" / "98.md").write_text(notes)
    with pytest.raises(tool.CourseError, match=r"98\.md: notes and questions differ: "):
        tool.from_source(source, None, "teachers")


@pytest.mark.parametrize(
    ("code", "collapsed"),
    [("figure, axes = plt.subplots()", True), ('# %% tags=["hide-input"]\nplot()', True), ("plot()", False)],
)
def test_the_code_of_figures_is_collapsed(source, code, collapsed):
    source.write_text(f"{PROBE}\n# %%\n{code}\n")
    for edition in tool.editions(source):
        cell = tool.from_source(source, None, edition).cells[-1]
        assert ("hide-input" in cell.metadata.get("tags", [])) == collapsed
        assert cell.metadata.get("jupyter", {}).get("source_hidden", False) == collapsed


@pytest.mark.parametrize("edition", ["students", "teachers"])
@pytest.mark.parametrize(("old", "new"), [("Text,", "Other text,"), ("print(n)", "print(n + 1)"), ("# The end.\n", "")])
def test_a_changed_source_is_noticed(source, edition, old, new):
    built(source)
    source.write_text(source.read_text().replace(old, new))
    assert "differs from its source" in tool.disagreement(source, edition)


def test_a_changed_notebook_is_noticed(source):
    notebook = built(source)
    path = tool.notebook_path(source, "teachers")
    assert [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"] == [1, 2]
    nbformat.write(notebook, tool.notebook_path(source, "students"))
    next(cell for cell in notebook.cells if cell.cell_type == "code").execution_count = 7
    nbformat.write(notebook, path)
    assert "tutorials/teachers/98_probe.ipynb was not executed from top" in tool.disagreement(source, "teachers")
    assert "tutorials/98_probe.ipynb differs from its source" in tool.disagreement(source, "students")
    path.unlink()
    assert "is missing" in tool.disagreement(source, "teachers")


def test_outputs_in_the_students_edition_are_noticed(source):
    built(source)
    path = tool.notebook_path(source, "students")
    notebook = nbformat.read(path, as_version=4)
    next(cell for cell in notebook.cells if cell.cell_type == "code").execution_count = 1
    nbformat.write(notebook, path)
    assert "tutorials/98_probe.ipynb has outputs" in tool.disagreement(source, "students")


@pytest.mark.parametrize(
    ("code", "message"),
    [("1 / 0", "ZeroDivisionError"), ("import warnings; warnings.warn('careful')", "writes to stderr")],
)
def test_a_cell_that_fails_or_warns_stops_the_build(source, code, message):
    source.write_text(f"{PROBE}\n# %%\n{code}\n")
    with pytest.raises(tool.CourseError, match=message):
        tool.executed(source)


def test_a_solution_that_does_not_pass_stops_the_build(source):
    solution = source.parent / "solutions" / "01_probe.py"
    solution.parent.mkdir()
    (source.parents[1] / "teachers" / "solutions").mkdir()
    text = "# %% [markdown]\n# # 01 · Solutions\n# [proof](../../docs/x.md), [lesson](../98_probe.ipynb)\n"
    solution.write_text(f"{text}\n# %%\nprint('01.1: right. As text.')\n")
    with pytest.raises(tool.CourseError, match=r"not solved: 01\.1, 01\.2, 01\.3"):
        tool.executed(solution)
    assert tool.editions(solution) == ("teachers",)
    title = tool.from_source(solution, None, "teachers").cells[0].source
    assert "[proof](../../../docs/x.md), [lesson](../98_probe.ipynb)" in title


@pytest.mark.parametrize(
    ("name", "title"), [("98_probe", "# 98 · "), ("class", "# Class 1 · "), ("class_2", "# Class 2 · ")]
)
def test_a_source_without_its_title_is_refused(source, name, title):
    path = source.with_stem(name)
    path.write_text(PROBE.replace("98 · ", ""))
    with pytest.raises(tool.CourseError, match=f"must be text that begins '{title}Title'"):
        tool.from_source(path, None, "students")


def test_an_unknown_lesson_is_an_error():
    with pytest.raises(tool.CourseError, match="there is no lesson 2, 99: give names such as 02 or class"):
        tool.sources(("02", "99", "2"))


def test_badges_come_with_the_address(source):
    """From one place, and nothing is made up without it."""
    assert tool.repository() is None
    (source.parents[2] / "setup.cfg").write_text(
        "[metadata]\nproject_urls =\n    Source = https://github.com/someone/copi_np\n"
    )
    assert tool.repository() == "someone/copi_np"
    for edition, folder in (("students", "tutorials"), ("teachers", "tutorials/teachers")):
        title, setup = (cell.source for cell in tool.from_source(source, tool.repository(), edition).cells[:2])
        assert f"colab.research.google.com/github/someone/copi_np/blob/main/{folder}/98_probe.ipynb" in title
        assert f"mybinder.org/v2/gh/someone/copi_np/main?labpath={folder}/98_probe.ipynb" in title
        assert "%pip install --quiet git+https://github.com/someone/copi_np" in setup
    title, setup = (cell.source for cell in tool.from_source(source, None, "students").cells[:2])
    assert "http" not in title + setup


# ---------------------------------------------------------------------------------------------------- the lesson plan


def cell(kind, source):
    return nbformat.from_dict({"cell_type": kind, "source": source})


def test_minutes_follow_from_words_questions_and_cells():
    """240 words, 3 questions and 4 cells: 2 + 3 + 2 minutes alone, 2 + 6 + 4 in class."""
    text = "## Title - of " + "word " * 231 + "$x$ **Question.** a **Question.** b **Question.** c"
    cells = [cell("markdown", text), *[cell("code", "print('no words')")] * 4]
    found = lesson_plan.contents(cells)
    assert found == (240, 3, 4)
    assert (found.minutes_alone, found.minutes_in_class) == (7, 12)
    after = [cell("markdown", "Text\n\n## Exercises"), *[cell("code", "")] * 50]
    assert lesson_plan.minutes_of_lesson(cells) == 5
    assert lesson_plan.minutes_of_lesson([*cells, cell("code", "")]) == 10
    assert lesson_plan.minutes_of_lesson([*cells, *after]) == 5


LONG = cell("markdown", "## 2. Second\n\n" + "word " * 238)
CLASS = [cell("markdown", "# Class 1 · Title"), cell("code", ""), cell("markdown", "## 1. First"), LONG]
PLAN = """\
### The first class: [class.ipynb](class.ipynb)

| minutes | section | how |
|---|---|---|
| 0 to 30 | 1. First | talk |
| 30 to 118 | *break* | |
| 118 to 120 | 2. Second | |
"""


def test_the_plan_of_a_class_is_read():
    assert lesson_plan.plan_of(f"# Title\n\n{PLAN}", "class.ipynb") == [
        (0, 30, "1. First"), (30, 118, ""), (118, 120, "2. Second")
    ]  # fmt: skip
    assert lesson_plan.plan_of(PLAN, "class_2.ipynb") == []
    assert {title: len(part) for title, part in lesson_plan.sections(CLASS).items()} == {"1. First": 3, "2. Second": 1}


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("0 to 30", "0 to 25", "do not follow each other"),
        ("118 to 120", "118 to 121", "do not follow each other"),
        ("2. Second", "2. Other", "differ in their sections"),
        ("| 30 to 118 | *break* | |\n| 118", "| 30 to 119 | *break* | |\n| 119", "needs 2.0 minutes, but has 1"),
    ],
)
def test_a_plan_that_does_not_fit_is_noticed(old, new, fault):
    assert lesson_plan.faults_of_class(PLAN, "class.ipynb", CLASS) == []
    assert any(fault in found for found in lesson_plan.faults_of_class(PLAN.replace(old, new), "class.ipynb", CLASS))


@pytest.mark.parametrize(("plan", "opening", "where"), [(5, 5, ""), (10, 5, "README.md"), (5, 10, "first cell")])
def test_minutes_that_do_not_follow_the_rule_are_noticed(plan, opening, where):
    """600 words: 5 minutes."""
    cells = [cell("markdown", f"**Time:** {opening} minutes to read and run. " + "word " * 593)]
    faults = lesson_plan.faults_of_lesson(f"| 98 | title | paper | {plan} | 30 | |", "98", cells)
    assert [where in fault for fault in faults] == [True] * bool(where)
