"""Build the web site: ``make site``.

The pages are those of the repository. Its top folder is Sphinx's source folder, so that links between README, docs,
results and tutorials work on the site as they do where the code is hosted. The site needs no network, neither to build
nor to read.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE / "_ext")]  # this folder's package, even if another is installed

project = "copi_np"
release = version = importlib.import_module("copi_np").__version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.linkcode",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    # our own, in _ext
    "docstrings",
    "live_figures",
    "offline_mathjax",
    "sheets",
    "source_pages",
]
root_doc = "docs/index"
include_patterns = [
    "docs/*.md",
    "docs/api/*.md",
    "tutorials/README.md",
    "tutorials/teachers/*.ipynb",
    "tutorials/teachers/solutions/*.ipynb",
    "results/README.md",
    "data/README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
]
exclude_patterns = [
    ".*",
    "build",
    "site",
    "mutants",
    "runs",
    "reproduce",
    "sweep",
]  # nothing of the site is there
templates_path = ["_templates"]
highlight_language = "text"

# ------------------------------------------------------------------------------------------------- Markdown, notebooks

myst_enable_extensions = ["attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # the notebooks are committed with their outputs
nb_render_markdown_format = "myst"
nb_ipywidgets_js = {}  # sliders need a kernel, and their scripts would come from the network

# ------------------------------------------------------------------------------------------------ API, from docstrings

default_role = "py:obj"
add_module_names = False
toc_object_entries_show_parents = "hide"
# `set` is what matplotlib adds to its subclasses, with text that only its own documentation can show
autodoc_default_options = {"members": True, "member-order": "bysource", "exclude-members": "set"}
autodoc_mock_imports = ["torch"]  # copi_np.torch is described without installing it
autodoc_typehints = "none"  # the docstrings say more, such as shapes
autosummary_generate = False
numpydoc_show_class_members = False


def linkcode_resolve(domain: str, info: dict[str, str]) -> str | None:
    """Return the link to the line where an object begins; all API pages are in docs/api."""
    found: Any = importlib.import_module(info["module"])
    try:
        for name in info["fullname"].split("."):
            found = getattr(found, name)
        found = inspect.unwrap(found.fget if isinstance(found, property) else found)
        file, (_, line) = inspect.getsourcefile(found), inspect.getsourcelines(found)
    except (AttributeError, OSError, TypeError):  # constants have no source line
        return None
    path = Path(file or "").resolve()
    return f"../../source/{path.relative_to(ROOT).as_posix()}.html#L-{line}" if path.is_relative_to(ROOT) else None


# ------------------------------------------------------------------------------------------------------------ the look

html_theme = "pydata_sphinx_theme"
html_title = "copi_np"
html_static_path = ["_static"]
html_extra_path = ["_extra"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
# pages without chapters need no list of them
PAGES_WITHOUT_CHAPTERS = (
    "index", "use", "extend", "equations", "theory", "claims", "reproduction", "performance",
    "notation", "summary", "browser",
)  # fmt: skip
html_sidebars = {f"docs/{page}": [] for page in PAGES_WITHOUT_CHAPTERS} | {"results/README": [], "source/**": []}
html_context = {"default_mode": "auto"}
html_use_index = False  # the search finds more
html_domain_indices = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {
    "logo": {"text": "copi_np"},
    "header_links_before_dropdown": 8,
    "navbar_align": "left",
    "show_toc_level": 2,
    "footer_start": [],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc", "download-notebook", "download-sheet"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

# ------------------------------------------------------------------------------------- content from other files


NUMBER = re.compile(r"Eq\. (\d)")


def from_readme(app: Sphinx, path: Path, page: str, content: list[str]) -> None:
    """Make the README's links relative to docs, where pages include it."""
    if path.name == "README.md":
        content[0] = re.sub(r"\]\((?!https?:|#)", "](../", content[0])


def contents_of_the_course(app: Sphinx, page: str, content: list[str]) -> None:
    """List the notebooks as the chapters of the lesson plan, and link to those with outputs."""
    if page == "tutorials/README":
        content[0] = re.sub(r"\]\((\w+\.ipynb)\)", r"](teachers/\1)", content[0])
        chapters = {
            "Lessons": "teachers/[0-9]*",
            "Classes": "teachers/class*",
            "Solutions": "teachers/solutions/[0-9]*",
        }
        for title, pattern in chapters.items():
            content[0] += f"\n```{{toctree}}\n:hidden:\n:glob:\n:caption: {title}\n\n{pattern}\n```\n"


def slides_of_the_classes(app: Sphinx, page: str, content: list[str]) -> None:
    """Link from the lesson plan to the slides, which are built into the site: at the end of the plan for a class."""
    if page == "tutorials/README":
        for deck, name, heading in (("index", "first", "### The second"), ("class_2", "second", "### A seminar")):
            link = f'<a href="../slides/{deck}.html">Open the slides of the {name} class</a>.'
            content[0] = content[0].replace(heading, f"{link}\n\n{heading}")


def index_equations(app: Sphinx, doctree: nodes.document) -> None:
    """Let a search for "Equation 4" or "Eq. 4" lead to its first row in docs/equations.md."""
    if app.env.docname != "docs/equations":
        return
    rows = {name[1]: row for row in [*doctree.findall(nodes.row)][::-1] if (name := NUMBER.match(row[0].astext()))}
    for number, row in rows.items():
        row["ids"].append(f"equation-{number}")
        entries = [("single", f"{word} {number}", row["ids"][0], "main", None) for word in ("Equation", "Eq.")]
        row[0].insert(0, addnodes.index(entries=entries))


def bibtex(app: Sphinx, page: str, content: list[str]) -> None:
    """Fill in the citations of docs/cite.md from CITATION.cff."""
    if page != "docs/cite":
        return
    software = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    paper = software["preferred-citation"]
    authors = " and ".join(f"{author['family-names']}, {author['given-names']}" for author in paper["authors"])
    entries = {
        "PAPER": ("article", "copi", paper, authors, ("year", "journal", "doi", "url")),
        "SOFTWARE": ("software", "copi_np", software, software["authors"][0]["name"], ("version", "license")),
    }
    for place, (kind, key, record, author, fields) in entries.items():
        lines = [("author", f"{{{author}}}" if kind == "software" else author), ("title", f"{{{record['title']}}}")]
        lines += [(field, record[field]) for field in fields]
        entry = "\n".join([f"@{kind}{{{key},", *(f"  {name} = {{{value}}}," for name, value in lines), "}"])
        content[0] = content[0].replace(f"{place}\n", f"{entry}\n")


def keep_punctuation(app: Sphinx, doctree: nodes.document) -> None:
    """Keep a formula and the comma after it on one line."""
    for math in list(doctree.findall(nodes.math)):
        text = math.next_node(descend=False, siblings=True)
        mark = re.match(r"[^\w\s(\[]+", text.astext()) if isinstance(text, nodes.Text) else None
        if mark:
            text.parent.replace(text, nodes.Text(text.astext()[mark.end() :]))
            math.replace_self(nodes.inline("", "", math.deepcopy(), nodes.Text(mark[0]), classes=["formula"]))


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    app.connect("include-read", from_readme)
    app.connect("source-read", contents_of_the_course)
    app.connect("source-read", bibtex)
    app.connect("source-read", slides_of_the_classes)
    app.connect("doctree-read", index_equations)
    app.connect("doctree-read", keep_punctuation)
