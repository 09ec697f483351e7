"""Build the slides of both classes with sphinx-revealjs: ``make slides``. They need no network."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "_ext"))

project = "COPI in two hours"
extensions = ["myst_parser", "sphinx_revealjs", "offline_mathjax"]
root_doc = "index"
html_copy_source = False
html_favicon = "../../docs/_static/favicon.svg"
myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "dollarmath"]

revealjs_style_theme = "white"
revealjs_static_path = ["_static"]
revealjs_css_files = ["slides.css"]
revealjs_notes_from_comments = True
revealjs_script_conf = {
    "width": 1280,
    "height": 720,
    "margin": 0.03,
    "center": False,
    "controls": "speaker-only",
    "hash": True,
    "slideNumber": "c/t",
    "transition": "none",
    "pdfSeparateFragments": False,
}
revealjs_script_plugins = [{"name": "RevealNotes", "src": "revealjs/plugin/notes/notes.js"}]
