"""Print some pages as sheets of paper: ``docs/summary-a4.pdf`` next to ``docs/summary.html``, and so on.

Chromium makes the PDFs at the end of the build (that of Debian or Ubuntu, or the one that the variable CHROMIUM names),
and the pages link to them. Without it there are no PDFs, and readers print the pages themselves.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.logging import getLogger

SHEETS = ("docs/notation", "docs/summary")
PAPER = {"A4": "a4", "Letter": "letter"}
NAMES = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if name and (path := shutil.which(name))), None)
DRAWN = "async () => { await window.MathJax?.startup?.promise; }"


def link(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Give a sheet its style on paper, and tell the template which PDFs there will be."""
    if page in SHEETS:
        app.add_css_file("sheet.css", media="print")
        context["sheets"] = {paper: f"{page}-{suffix}.pdf" for paper, suffix in PAPER.items() if CHROMIUM}


def print_sheets(app: Sphinx, error: Exception | None) -> None:
    """Print every sheet on every paper."""
    if error is not None or app.builder.name != "html":
        return
    if CHROMIUM is None:
        getLogger(__name__).info("no Chromium: no PDFs of %s", ", ".join(SHEETS))
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # the sandbox cannot start as root, as in a container; the pages are our own
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(color_scheme="light")
        for page in SHEETS:
            tab.goto(Path(app.outdir, f"{page}.html").as_uri())
            tab.evaluate(DRAWN)
            for paper, suffix in PAPER.items():
                tab.pdf(path=Path(app.outdir, f"{page}-{suffix}.pdf"), format=paper, prefer_css_page_size=False)
        browser.close()


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the functions above; MathJax is copied before the pages are printed."""
    app.connect("html-page-context", link)
    app.connect("build-finished", print_sheets, priority=900)
    return {"parallel_read_safe": True}
