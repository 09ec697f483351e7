"""Convert this package's docstrings to the form that numpydoc and reStructuredText expect.

Our docstrings are meant to be read in the code: a parameter and its description share a line, equations are indented
plain text, and stars and bars have their mathematical meaning.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx


def escaped(text: str) -> str:
    """Escape stars, bars and final underscores, which are not markup, outside of `..` and ``..``."""
    parts = re.split(r"(``.*?``|`[^`]*`)", text)
    parts[::2] = [re.sub(r"([*|\\]|(?<=\w)_(?!\w))", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def prose(lines: list[str]) -> list[str]:
    """Convert paragraphs; an indented block after an empty line becomes a literal block."""
    out: list[str] = []
    literal = False
    for before, line in zip(["", *lines], lines, strict=False):
        indented = line.startswith("  ")
        if indented and not before.strip() and not literal:
            literal = True
            out += ["::", ""]
        elif line.strip() and not indented:
            literal = False
        out.append(line if literal else escaped(line))
    return out


def entries(lines: list[str]) -> list[str]:
    """Convert parameters and the like: ``name : type``, with the description below it."""
    out = []
    for line in lines:
        if line.startswith(" ") or not line.strip():
            out.append(f"    {escaped(line.strip())}".rstrip())
        else:
            head, _, text = line.partition("  ")
            out += [head, f"    {escaped(text.strip())}".rstrip()]
    return out


def normalise(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Rewrite a docstring in place, section by section."""
    if lines and lines[0].startswith("Alias for field number"):
        lines.clear()  # Python's default for a NamedTuple's field without a docstring
        return
    rules = [n for n, line in enumerate(lines) if re.fullmatch(r"-{3,}", line)]
    starts = [n - 1 for n in rules]
    out = prose(lines[: starts[0] if starts else None])
    for start, end in pairwise([*starts, len(lines)]):
        body = lines[start + 2 : end]
        out += lines[start : start + 2] + (prose(body) if lines[start] == "Notes" else entries(body))
    lines[:] = out


def drop_undocumented_fields(app: Sphinx, doctree: nodes.document) -> None:
    """Drop fields of a NamedTuple without a docstring: the class explains them."""
    for node in list(doctree.findall(addnodes.desc)):
        content = node.next_node(addnodes.desc_content)
        if node["objtype"] == "attribute" and all(isinstance(child, nodes.comment) for child in content):
            for name in node.next_node(addnodes.desc_signature)["ids"]:
                app.env.domains.python_domain.objects.pop(name, None)
            node.parent.remove(node)


def setup(app: Sphinx) -> dict[str, bool]:
    """Before numpydoc, and before Sphinx collects what is on a page."""
    app.connect("autodoc-process-docstring", normalise, priority=400)
    app.connect("doctree-read", drop_undocumented_fields, priority=100)
    return {"parallel_read_safe": True}
