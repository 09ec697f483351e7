"""Make pages for links to files and folders of the repository that are not pages of the site."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

LANGUAGES = {
    ".py": "python", ".toml": "toml", ".json": "json", ".jsonl": "json", ".cff": "yaml", ".yml": "yaml", ".md": "text",
    ".txt": "text", ".cfg": "ini", "": "text",
}  # fmt: skip
HOME = {"README.md": "docs/index"}
"""Files whose page has another name."""


def page_of(app: Sphinx, path: Path) -> str | None:
    """Return the page of a file or folder of the repository, or None if it cannot have one."""
    name = path.relative_to(app.srcdir).as_posix()
    if name in HOME:
        return HOME[name]
    docname = name.removesuffix(path.suffix)
    if docname in app.env.found_docs:
        return docname
    return f"source/{name}" if path.is_dir() or path.suffix in LANGUAGES else None


def lead_to_pages(app: Sphinx, doctree: nodes.document) -> None:
    """Turn links without a page in Markdown into links to the pages made below."""
    folder = Path(app.srcdir, app.env.docname).parent
    for node in list(doctree.findall(lambda n: isinstance(n, addnodes.download_reference | addnodes.pending_xref))):
        target = node["reftarget"].partition("#")[0]
        if node.get("reftype") != "myst" or not target:
            continue
        path = (Path(app.srcdir, target) if node.get("refdomain") == "doc" else folder / target).resolve()
        if node.get("refdomain") == "doc":  # reftarget has lost its suffix
            if target in app.env.found_docs:
                continue
            path = path.with_name(f"{path.name}.md")
        if path.exists() and path.is_relative_to(app.srcdir) and (page := page_of(app, path)):
            app.env.source_pages.add(path)
            uri = app.builder.get_relative_uri(app.env.docname, page)
            node.replace_self(nodes.reference("", "", *node.children, internal=True, refuri=uri))


def sources_of_docstrings(app: Sphinx) -> Iterator[Path]:
    """Yield the modules that the API pages link to."""
    yield from sorted(Path(app.srcdir, "copi_np").rglob("*.py"))


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield a page for every file and folder that is linked to, and for the contents of those folders."""
    wanted = [*sources_of_docstrings(app), *app.env.source_pages]
    done = set()
    while wanted:
        path = wanted.pop()
        page = page_of(app, path)
        if page is None or not page.startswith("source/") or page in done:
            continue
        done.add(page)
        name = path.relative_to(app.srcdir).as_posix()
        title = f"<h1><code>{name}</code></h1>"
        if path.is_dir():
            items = [item for item in sorted(path.iterdir()) if not item.name.startswith((".", "__pycache__"))]
            wanted += items
            links = [(item, target) for item in items if (target := page_of(app, item))]
            body = "\n".join(
                f'<li><a href="{app.builder.get_relative_uri(page, target)}">{item.name}</a></li>'
                for item, target in links
            )
            yield page, {"title": name, "body": f'<div class="source">{title}<ul>{body}</ul></div>'}, "page.html"
        else:
            text = path.read_text(encoding="utf-8")
            code = app.builder.highlighter.highlight_block(text, LANGUAGES[path.suffix], lineanchors="L")
            yield page, {"title": name, "body": f'<div class="source">{title}{code}</div>'}, "page.html"


def begin(app: Sphinx) -> None:
    """Start without links."""
    app.env.source_pages = set()


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the functions above; links are replaced before Sphinx collects downloads."""
    app.connect("builder-inited", begin)
    app.connect("doctree-read", lead_to_pages, priority=100)
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": False}
