"""The course is what it says: notebooks are their sources, executed; each teaches in the form that README promises."""

from __future__ import annotations

import importlib.util
import re
from itertools import pairwise
from pathlib import Path

import jupytext
import nbformat
import pytest

from copi_np.course.exercises import exercises

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "tutorials" / "sources").glob("*.py"))
SOLUTIONS = sorted((ROOT / "tutorials" / "sources" / "solutions").glob("*.py"))


def load_tool():
    spec = importlib.util.spec_from_file_location("notebooks_tool", ROOT / "tools" / "notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = load_tool()


def by_name(path):
    return f"{path.parent.name}/{path.stem}"


def cells(source, kind):
    return [cell.source for cell in jupytext.read(source, fmt="py:percent").cells if cell.cell_type == kind]


def test_there_are_eleven_lessons_with_solutions():
    assert [path.name[:3] for path in SOURCES] == [f"{number:02d}_" for number in range(11)]
    assert [path.name for path in SOLUTIONS] == [path.name for path in SOURCES]


@pytest.mark.parametrize("source", SOURCES + SOLUTIONS, ids=by_name)
def test_the_notebook_is_its_source_executed(source):
    assert TOOL.disagreement(source) is None


@pytest.mark.parametrize("source", SOURCES, ids=by_name)
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
    assert any('BACKEND = "numpy"' in cell for cell in code)
    numbers = re.findall(r'check\("(\d\d\.\d)"', "\n".join(code))
    assert numbers == list(exercises(source.name[:2]))
    imports, *others = (len(cell.splitlines()) for cell in code)
    assert imports <= 20
    assert max(others) <= 15


@pytest.mark.parametrize(("lesson", "following"), [*pairwise(SOURCES)], ids=lambda path: path.stem[:2])
def test_a_lesson_leads_to_the_next(lesson, following):
    """By its title and a link; the tour leads to all lessons."""
    title = re.match(r"# (\d\d · .*?)(: |\n)", cells(following, "markdown")[0])[1]
    end = " ".join(cells(lesson, "markdown")[-1].split())
    if lesson == SOURCES[0]:
        assert re.findall(r"\]\((\d\d_\w+)\.ipynb\) \|", end) == [path.stem for path in SOURCES[1:]]
    else:
        assert re.search(rf"\*\*Next:\*\* \[{title}.*?\]\({following.name[:-3]}\.ipynb\)", end)


@pytest.mark.parametrize("solution", SOLUTIONS, ids=by_name)
def test_a_solution_keeps_its_form(solution):
    """Each exercise of the lesson under its title, with the reason and the common mistakes."""
    prose, lesson = ("\n\n".join(cells(path, "markdown")) for path in (solution, SOURCES[int(solution.name[:2])]))
    exercises_of = [re.findall(r"^##+ (Exercise .*)$", text, re.MULTILINE) for text in (prose, lesson)]
    assert exercises_of[0] == exercises_of[1]
    parts = re.findall(r"^(?:## (Exercise)|\*\*(Why|Common mistakes)\.\*\* )", prose, re.MULTILINE)
    assert ["".join(part) for part in parts] == ["Exercise", "Why", "Common mistakes"] * 3


@pytest.mark.parametrize("source", SOURCES, ids=by_name)
def test_the_lesson_plan_knows_the_lesson(source):
    """Its title, and the minutes that it asks for."""
    title = cells(source, "markdown")[0]
    name = re.match(r"# \d\d · (.*)", title)[1]
    minutes = re.search(r"\*\*Time\W+(?:about )?(\d+) min.*?(\d+) *(?:minutes )?for the", title.replace("\n", " "))
    plan = (ROOT / "tutorials" / "README.md").read_text()
    row = re.search(rf"^\| {source.name[:2]} \| (.*?) \|.*?\| (\d+) \| (\d+) \|", plan, re.MULTILINE)
    assert re.sub(r"\[(.*)\]\(.*\)", r"\1", row[1]) == name
    assert f"({source.stem}.ipynb)" in row[1]
    assert row.groups()[1:] == minutes.groups()


@pytest.mark.parametrize("source", SOURCES + SOLUTIONS, ids=by_name)
def test_links_lead_somewhere(source):
    """To a file, or to a heading of a page or of another notebook."""
    folder = TOOL.notebook_path(source).parent
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", "\n".join(cells(source, "markdown"))):
        path, _, anchor = target.partition("#")
        assert not path or (folder / path).exists(), target
        if anchor and path.endswith(".md"):
            titles = re.findall(r"^#+ (.*)$", (folder / path).read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}, target


@pytest.mark.parametrize("source", SOURCES + SOLUTIONS, ids=by_name)
def test_outputs_belong_to_no_machine(source):
    """No folder of whoever made them, no address in memory, no error that was not meant."""
    notebook = nbformat.read(TOOL.notebook_path(source), as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            shown = output.get("text", "") + "".join(
                str(value) for kind, value in output.get("data", {}).items() if kind.startswith("text/")
            )
            assert not re.search(r" at 0x|/tmp/|/home/|/work/|site-packages", shown), shown
            assert output.output_type != "error" or "raises-exception" in cell.metadata.get("tags", [])


# ----------------------------------------------------------------------------------------------------------- the tool


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A small source in a folder of its own."""
    monkeypatch.setattr(TOOL, "ROOT", tmp_path)
    monkeypatch.setattr(TOOL, "SOURCES", tmp_path / "tutorials" / "sources")
    path = tmp_path / "tutorials" / "sources" / "98_probe.py"
    path.parent.mkdir(parents=True)
    path.write_text("# %% [markdown]\n# # 98 · Probe\n# Text.\n\n# %%\nn = 10  # fast: 2\nprint(n)\n")
    (tmp_path / "setup.cfg").write_text("[metadata]\nname = x\n")
    return path


def built(source):
    notebook = TOOL.executed(source)
    nbformat.write(notebook, TOOL.notebook_path(source))
    return notebook


def test_a_notebook_is_built_and_agrees(source):
    notebook = built(source)
    assert notebook.cells[-1].outputs[0].text == "10\n"
    assert TOOL.disagreement(source) is None
    assert TOOL.executed(source, fast=True).cells[-1].outputs[0].text == "2\n"


@pytest.mark.parametrize(
    ("old", "new"), [("Text.", "Other text."), ("print(n)", "print(n + 1)"), ("# Text.\n", "# Text.\n\n# %%\nm = 1\n")]
)
def test_a_changed_source_is_noticed(source, old, new):
    built(source)
    source.write_text(source.read_text().replace(old, new))
    assert "differs from its source" in TOOL.disagreement(source)


def test_a_changed_notebook_is_noticed(source):
    notebook = built(source)
    path = TOOL.notebook_path(source)
    notebook.cells[-1].execution_count = 7
    nbformat.write(notebook, path)
    assert "not executed from top to bottom" in TOOL.disagreement(source)
    path.unlink()
    assert "is missing" in TOOL.disagreement(source)


@pytest.mark.parametrize(
    ("code", "message"),
    [("1 / 0", "ZeroDivisionError"), ("import warnings; warnings.warn('careful')", "writes to stderr")],
)
def test_a_cell_that_fails_or_warns_stops_the_build(source, code, message):
    source.write_text(source.read_text() + code + "\n")
    with pytest.raises(TOOL.CourseError, match=message):
        TOOL.executed(source)


def test_a_solution_that_does_not_pass_stops_the_build(source):
    solution = source.parent / "solutions" / "01_probe.py"
    solution.parent.mkdir()
    (source.parents[1] / "solutions").mkdir()
    solution.write_text("# %% [markdown]\n# # 01 · Solutions\n\n# %%\nprint('01.1: right. As text.')\n")
    with pytest.raises(TOOL.CourseError, match=r"not solved: 01\.1, 01\.2, 01\.3"):
        TOOL.executed(solution)


def test_a_source_without_its_title_is_refused(source):
    source.write_text(source.read_text().replace("98 · ", ""))
    with pytest.raises(TOOL.CourseError, match="must be text that begins '# 98 · Title'"):
        TOOL.from_source(source, None)


def test_an_unknown_lesson_is_an_error():
    with pytest.raises(TOOL.CourseError, match="there is no lesson 2, 99: give numbers such as 02"):
        TOOL.sources(("02", "99", "2"))


def test_badges_come_with_the_address(source):
    """From one place, and nothing is made up without it."""
    assert TOOL.repository() is None
    (source.parents[2] / "setup.cfg").write_text(
        "[metadata]\nproject_urls =\n    Source = https://github.com/someone/copi_np\n"
    )
    assert TOOL.repository() == "someone/copi_np"
    title, setup = (cell.source for cell in TOOL.from_source(source, TOOL.repository()).cells[:2])
    assert "colab.research.google.com/github/someone/copi_np/blob/main/tutorials/98_probe.ipynb" in title
    assert "mybinder.org/v2/gh/someone/copi_np/main?labpath=tutorials/98_probe.ipynb" in title
    assert "%pip install --quiet git+https://github.com/someone/copi_np" in setup
    title, setup = (cell.source for cell in TOOL.from_source(source, None).cells[:2])
    assert "http" not in title + setup
