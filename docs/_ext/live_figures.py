"""Live figures in pages: the directive ``live`` with a figure's name, such as ``decorrelation``.

All figures of the site are in one script, so that they also work where its pages are opened from disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from copi_np.course import live


class LiveFigure(Directive):
    """The place of a figure in a page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the node of the figure."""
        return [nodes.raw("", live.place(self.arguments[0]), format="html", classes=["live-figure"])]


def write_files(app: Sphinx) -> None:
    """Write the script and the style sheet of all figures to the static files of the site."""
    folder = Path(app.outdir, "_static")
    folder.mkdir(exist_ok=True)
    (folder / "live.js").write_text(live.script(*live.FIGURES), encoding="utf-8")
    (folder / "live.css").write_text(live.stylesheet(), encoding="utf-8")


def load_files(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Load them in the pages that have figures."""
    if doctree is not None and any("live-figure" in node["classes"] for node in doctree.findall(nodes.raw)):
        app.add_css_file("live.css")
        app.add_js_file("live.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the functions above."""
    app.add_directive("live", LiveFigure)
    app.connect("builder-inited", write_files)
    app.connect("html-page-context", load_files)
    return {"parallel_read_safe": True}
