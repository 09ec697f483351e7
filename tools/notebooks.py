"""Build the notebooks of the course from their sources.

    python tools/notebooks.py build             # execute every source in tutorials/sources, write both editions
    python tools/notebooks.py build 02 class    # only some
    python tools/notebooks.py check             # do notebooks, sources and lesson plan agree?
    python tools/notebooks.py run --fast        # execute all, write nothing, as CI does

A source is a Python file with cells (jupytext's percent format). Students' notebooks are in tutorials/, without
outputs; teachers' are in tutorials/teachers/, executed, with notes and solutions. This tool adds what all of them have
in common: the cell that installs the package, and the badges. In fast mode a line ``EPOCHS = 10  # fast: 2`` becomes
``EPOCHS = 2``.
"""

from __future__ import annotations

import os
import re
import sys
import time
from configparser import ConfigParser
from pathlib import Path

import click
import jupytext
import nbformat
from editions import CourseError, Edition, collapse_figures, for_students, for_teachers
from lesson_plan import faults_of_class, faults_of_lesson
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from copi_np.course.exercises import exercises
from copi_np.experiments.environment import versions

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "tutorials" / "sources"
TIME_LIMIT = 300
"""Seconds that one cell may take: far more than any needs, since the machine may be busy."""
SIZE_LIMIT = 2_000_000
"""Maximum size of an executed notebook in bytes."""

BADGES = """\
[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/{repository}/blob/main/{path})
[![Open in Binder](https://mybinder.org/badge_logo.svg)](https://mybinder.org/v2/gh/{repository}/main?labpath={path})"""
SETUP = """\
# Install the package if this machine does not have it, as in a new Colab session.
import importlib.util

if importlib.util.find_spec("copi_np") is None:
    {install}

# One thread for matrix products: more do not speed up small ones, and the last
# digits of the results depend on the number of threads.
from copi_np.experiments.environment import blas_threads

%matplotlib inline
blas_threads(1);"""
INSTALL = "%pip install --quiet git+https://github.com/{public}"
ADVICE = 'raise ModuleNotFoundError("in the folder of the repository, run: pip install .")'


# ------------------------------------------------------------------------------------------- from source to notebook


def name_of(source: Path) -> str:
    """Return how a source is called on the command line: 02 for a lesson and its solutions, class for a class."""
    return source.stem[:2] if source.stem[:2].isdecimal() else source.stem


def sources(names: tuple[str, ...] = ()) -> list[Path]:
    """Return the sources of the notebooks and of their solutions, of all or of some lessons."""
    found = sorted(SOURCES.glob("*.py")) + sorted(SOURCES.glob("solutions/*.py"))
    unknown = set(names) - {name_of(path) for path in found}
    if unknown:
        raise CourseError(f"there is no lesson {', '.join(sorted(unknown))}: give names such as 02 or class")
    return [path for path in found if not names or name_of(path) in names]


def editions(source: Path) -> tuple[Edition, ...]:
    """Return the editions of a source: solutions are for teachers only."""
    return ("teachers",) if source.parent.name == "solutions" else ("students", "teachers")


def notebook_path(source: Path, edition: Edition) -> Path:
    """Return the path of the notebook of a source."""
    folder = ROOT / "tutorials" / "teachers" if edition == "teachers" else ROOT / "tutorials"
    return folder / source.relative_to(SOURCES).with_suffix(".ipynb")


def repository() -> str | None:
    """Return owner and name of the public repository, or None if setup.cfg has none under project_urls."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    match = re.search(r"github\.com/([\w.-]+/[\w.-]+)", config.get("metadata", "project_urls", fallback=""))
    return match[1].removesuffix(".git") if match else None


def setup_cell(public: str | None) -> str:
    """Return the code of the cell that installs the package, from the public repository if there is one."""
    return SETUP.format(install=INSTALL.format(public=public) if public else ADVICE)


def title_of(source: Path) -> str:
    """Return how the first cell of a source must begin."""
    name = name_of(source)
    return f"# {name} · " if name.isdecimal() else f"# Class {name.partition('_')[2] or 1} · "


def from_source(source: Path, public: str | None, edition: Edition) -> NotebookNode:
    """Return the notebook of a source, not yet executed."""
    notebook = jupytext.read(source, fmt="py:percent")
    title = notebook.cells[0]
    if title.cell_type != "markdown" or not title.source.startswith(title_of(source)):
        raise CourseError(f"{source.name}: the first cell must be text that begins '{title_of(source)}Title'")
    if edition == "students":
        for_students(notebook)
    elif source.parent == SOURCES:
        for_teachers(notebook, SOURCES / "notes" / f"{name_of(source)}.md", depth=1)
    else:
        for_teachers(notebook, None, depth=2)
    if public:
        path = notebook_path(source, edition).relative_to(ROOT).as_posix()
        heading, _, rest = title.source.partition("\n")
        title.source = f"{heading}\n\n{BADGES.format(repository=public, path=path)}\n{rest}"
    # the web site has no kernel, so it leaves this cell out
    notebook.cells.insert(1, nbformat.v4.new_code_cell(setup_cell(public), metadata={"tags": ["remove-cell"]}))
    collapse_figures(notebook)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    return notebook


def in_fast_mode(code: str) -> str:
    """Return the code with the smaller numbers from its comments."""
    return re.sub(r"^(\w+ = ).*?  # fast: (.*)$", r"\1\2", code, flags=re.MULTILINE)


# ------------------------------------------------------------------------------------------------------- execution


def on_mock(notebook: NotebookNode) -> None:
    """Let a notebook use CuPy, and give it the mock of CuPy that the tests use."""
    install = f"import sys\nsys.path.insert(0, {str(ROOT / 'tests/support')!r})\nfrom cupy_mock import installed\n"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(f"{install}mock = installed()\nmock.__enter__();"))
    for cell in notebook.cells:
        cell.source = cell.source.replace('BACKEND = "numpy"', 'BACKEND = "cupy"')


def executed(source: Path, fast: bool = False, double: bool = False) -> NotebookNode:
    """Execute the teachers' notebook of a source in a new kernel, in its folder, and return it with its outputs.

    Raises
    ------
    CourseError     if a cell fails or warns, or a solution does not pass its check
    """
    notebook = from_source(source, repository(), "teachers")
    if fast:
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.source = in_fast_mode(cell.source)
    if double:
        on_mock(notebook)
    folder = notebook_path(source, "teachers").parent
    client = NotebookClient(
        notebook,
        timeout=TIME_LIMIT,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise CourseError(f"{source.name}: {error}") from error
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times, which differ between runs
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                raise CourseError(f"{source.name}: a cell writes to stderr: {output.text}")
        cell.outputs = (
            [output for output in cell.get("outputs", []) if not is_widget(output)] if "outputs" in cell else []
        )
        if cell.cell_type != "code":
            cell.pop("outputs")
    if source.parent.name == "solutions":
        expect_solved(source, notebook)
    notebook.metadata.pop("widgets", None)
    notebook.metadata.copi_np = versions()
    return notebook


def is_widget(output: NotebookNode) -> bool:
    """Return whether an output is a widget such as a slider, which does not work without a kernel."""
    return "application/vnd.jupyter.widget-view+json" in output.get("data", {})


def expect_solved(source: Path, notebook: NotebookNode) -> None:
    """Raise a CourseError unless every exercise of the lesson passes its check in the executed solution."""
    shown = "".join(
        output.get("data", {}).get("text/plain", "") + "\n"
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    missing = [number for number in exercises(source.name[:2]) if f"{number}: right." not in shown]
    if missing:
        raise CourseError(f"{source.name}: not solved: {', '.join(missing)}")


# ------------------------------------------------------------------------------------------------------ agreement


def disagreement(source: Path, edition: Edition) -> str | None:
    """Return what is wrong with a committed notebook of a source, or None if it is right."""
    path = notebook_path(source, edition)
    name = path.relative_to(ROOT).as_posix()
    if not path.exists():
        return f"{name} is missing"
    if path.stat().st_size > SIZE_LIMIT:
        return f"{name} has {path.stat().st_size:,} bytes, more than {SIZE_LIMIT:,}: make its pictures smaller"
    notebook = nbformat.read(path, as_version=4)
    expected = from_source(source, repository(), edition)
    if [describe(cell) for cell in notebook.cells] != [describe(cell) for cell in expected.cells]:
        return f"{name} differs from its source"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if edition == "students":
        return f"{name} has outputs" if any(cell.outputs or cell.execution_count for cell in code) else None
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        return f"{name} was not executed from top to bottom"
    return None


def faults_of_plan(source: Path) -> list[str]:
    """Return in what the lesson plan disagrees with a lesson or a class."""
    readme = (ROOT / "tutorials" / "README.md").read_text(encoding="utf-8")
    cells = jupytext.read(source, fmt="py:percent").cells
    name = name_of(source)
    if name.isdecimal():
        return faults_of_lesson(readme, name, cells)
    return faults_of_class(readme, f"{name}.ipynb", cells)


def describe(cell: NotebookNode) -> tuple[str, str, list[str]]:
    """Return what must be the same in a cell and in its source."""
    return cell.cell_type, cell.source, cell.metadata.get("tags", [])


# ------------------------------------------------------------------------------------------------------ commands


@click.group(help=__doc__.partition("\n")[0])
def main() -> None:
    """Set the environment of the kernels."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the kernels inherit it, so that outputs are reproducible
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"


@main.command(help="Execute the sources and write the notebooks.")
@click.argument("names", nargs=-1)
def build(names: tuple[str, ...]) -> None:
    for source in sources(names):
        start = time.perf_counter()
        nbformat.write(executed(source), notebook_path(source, "teachers"))
        if "students" in editions(source):
            nbformat.write(from_source(source, repository(), "students"), notebook_path(source, "students"))
        click.echo(f"{source.relative_to(SOURCES)}: {time.perf_counter() - start:.0f} s")


@main.command(help="Compare the notebooks with their sources, and the lesson plan with the notebooks.")
def check() -> None:
    wanted = [(source, edition) for source in sources() for edition in editions(source)]
    problems = [problem for source, edition in wanted if (problem := disagreement(source, edition))]
    orphans = {*ROOT.glob("tutorials/**/*.ipynb")} - {notebook_path(*each) for each in wanted}
    problems += [f"{path.name} has no source" for path in sorted(orphans)]
    if problems:
        problems.append("run: make notebooks")
    problems += [fault for source in sorted(SOURCES.glob("*.py")) for fault in faults_of_plan(source)]
    if problems:
        sys.exit("\n".join(problems))


@main.command(help="Execute the sources and write nothing.")
@click.argument("names", nargs=-1)
@click.option("--fast", is_flag=True, help="With the smaller numbers from the comments.")
@click.option("--double", is_flag=True, help='With BACKEND = "cupy", on the mock of CuPy in tests/support/.')
def run(names: tuple[str, ...], fast: bool, double: bool) -> None:
    for source in sources(names):
        start = time.perf_counter()
        executed(source, fast, double)
        click.echo(f"{source.relative_to(ROOT)}: {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except CourseError as error:
        sys.exit(str(error))
