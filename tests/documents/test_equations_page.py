"""docs/equations.md is complete, and what it names is there."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

from copi_np import rules, steps

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs"
PAGE = (FOLDER / "equations.md").read_text(encoding="utf-8")
LINKS = dict(re.findall(r"^\[([\w]+)\]: (\S+)$", PAGE, re.MULTILINE))
NAMED = re.findall(r"\[`([\w.]+)`\]\[(\w+)\]", PAGE)
SECTIONS = ["1", "2", *(f"2.{n}" for n in range(1, 9)), "3", "3.1", "3.2", "4", *"ABCD"]
FIGURES = ["Figure 1", "Figure 2A", "Figure 2B", "Figure 3A", "Figure 3B", "Figure 3C"]


def rows(title):
    """Return the cells of every row of the table under a heading."""
    section = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def found(name):
    """Return the object that a name on the page stands for, such as "rules.copi_update"."""
    parts = name.split(".")
    module, names = import_module(f"copi_np.{parts[0]}"), parts[1:]
    while names and inspect.ismodule(module) and not hasattr(module, names[0]):
        module = import_module(f"{module.__name__}.{names.pop(0)}")
    for each in names:
        module = getattr(module, each)
    return module


def test_every_equation_is_there():
    """Those with a number, 1 to 6, each with a function of `rules`, a lesson and what was measured or proved."""
    numbered = {}
    for cells in rows("Equations"):
        if number := re.match(r"Eq\. (\d)", cells[0]):
            numbered.setdefault(int(number[1]), []).append(cells)
    assert sorted(numbered) == [1, 2, 3, 4, 5, 6]
    assert [cells[0] for cells in numbered[4]] == ["Eq. 4, first line", "Eq. 4, second line"]
    for cells in [cells for found in numbered.values() for cells in found]:
        assert "[`rules." in cells[2], cells
        assert re.search(r"\[\d\d\]\[\]", cells[3]), cells
        assert cells[0] == "Eq. 1" or cells[4] or cells[5], cells


def test_every_line_of_the_algorithm_is_there():
    """Lines 1 to 20, each with a lesson; those that compute with a pure function."""
    lines = rows("Algorithm 1")
    numbers = [int(number) for cells in lines for number in cells[0].split(", ")]
    assert sorted(set(numbers)) == list(range(1, 21))
    for cells in lines:
        if cells[0] in ("5", "6", "7", "9", "11", "14", "15"):
            assert re.match(r"\[`(rules|activations|losses|error_signals)\.", cells[2]), cells
        assert cells[4], cells


def test_every_section_and_figure_is_there():
    assert [cells[0] for cells in rows("Sections")] == SECTIONS
    assert [cells[0] for cells in rows("Figures")] == FIGURES


def test_every_lesson_theorem_and_claim_is_there():
    shown = {int(number) for number in re.findall(r"\bC(\d+)\b", PAGE)}
    for first, last in re.findall(r"C(\d+) to C(\d+)", PAGE):
        shown |= set(range(int(first), int(last) + 1))
    claims = (FOLDER / "claims.md").read_text(encoding="utf-8")
    assert shown == {int(number) for number in re.findall(r"^\| C(\d+) \|", claims, re.MULTILINE)}
    used = set(re.findall(r"\[(\w+)\]\[\]", PAGE))
    assert {name for name in used if name.startswith("T")} == {f"T{n}" for n in range(1, 13)}
    lessons = {path.name[:2] for path in (ROOT / "tutorials").glob("[0-9]*.ipynb")}
    assert {name for name in used if name.isdigit()} == lessons


@pytest.mark.parametrize(("name", "link"), NAMED)
def test_every_function_that_is_named_exists_where_the_link_leads(name, link):
    target = (FOLDER / LINKS[link]).resolve()
    if name.endswith(".py"):
        assert target.name == name
    else:
        thing = found(name)
        assert thing.__doc__
        source = Path(inspect.getfile(thing))
        assert target in (source, *source.parents)


@pytest.mark.parametrize("name", LINKS)
def test_links_lead_somewhere(name):
    path, _, anchor = LINKS[name].partition("#")
    assert (FOLDER / path).exists()
    titles = re.findall(r"^#+ (.*)$", (FOLDER / path).read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
    assert not anchor or anchor in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_links_are_all_defined_and_all_used():
    assert set(re.findall(r"\]\[(\w+)\]", PAGE)) | set(re.findall(r"\[(\w+)\]\[\]", PAGE)) == set(LINKS)


def equations_of(thing):
    """Return the numbers in parentheses in a docstring, such as 4 and 6 of "(Eq. 4, second line; Eq. 6)"."""
    noted = re.findall(r"\(([^()]*\bEqs?\.[^()]*)\)", inspect.getdoc(thing) or "")
    return {
        int(n) for text in noted for group in re.findall(r"Eqs?\. ([\d, and]+)", text) for n in re.findall(r"\d", group)
    }


def on_the_page(name):
    """Return the numbers of the equations in whose rows a function is."""
    numbered = [(re.match(r"Eq\. (\d)", cells[0]), cells[2]) for cells in rows("Equations")]
    return {int(number[1]) for number, functions in numbered if number and f"`{name}`" in functions}


@pytest.mark.parametrize("name", [name for name, thing in vars(rules).items() if inspect.isfunction(thing)])
def test_docstrings_of_the_rules_give_the_same_numbers(name):
    assert equations_of(getattr(rules, name)) == on_the_page(f"rules.{name}")


@pytest.mark.parametrize("name", ["CopiStep", "SgdStep", "MatrixStep", "LocalStep"])
def test_docstrings_of_the_steps_give_numbers_of_the_page(name):
    assert equations_of(getattr(steps, name)) <= on_the_page(f"steps.{name}")


@pytest.mark.parametrize("number", range(1, 7))
def test_a_search_for_an_equation_finds_it(number):
    assert f"Eq. {number}" in inspect.getsource(rules)
