"""Draw equations with the MathJax that comes with sphinx-mathjax-offline, so that readers need no network.

The package contains MathJax 3.2.2. Only one file of it is copied: it draws characters as outlines, and loads no fonts.
Its menu is off, since that would load other files.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

FILE = "tex-svg-full.js"
CONFIG = {
    "options": {"enableMenu": False},
    "tex": {"packages": {"[-]": ["noerrors", "noundefined"]}},  # show an error for a broken formula
}


def copy(app: Sphinx, error: Exception | None) -> None:
    """Copy MathJax to the static files of the site."""
    spec = find_spec("sphinx-mathjax-offline")
    if spec is None or spec.origin is None:
        raise ExtensionError("sphinx-mathjax-offline is missing: pip install '.[site]'")
    if error is None:
        target = Path(app.outdir) / "_static" / "mathjax" / FILE
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((Path(spec.origin).parent / "static" / "mathjax" / FILE).read_bytes())


def setup(app: Sphinx) -> dict[str, bool]:
    """Load Sphinx's own extension, and copy at the end."""
    app.setup_extension("sphinx.ext.mathjax")
    app.config.mathjax_path = f"mathjax/{FILE}"
    app.config.mathjax3_config = CONFIG
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True}
