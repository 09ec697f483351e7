"""The web site and the slides, built and served once for all tests that look at them."""

from __future__ import annotations

import functools
import http.server
import importlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The site, freshly built as `make site` does, with every warning an error."""
    for module in ("sphinx", "myst_nb", "pydata_sphinx_theme", "sphinx_revealjs", "jupyterlite_core"):
        pytest.importorskip(module, reason="the site needs pip install '.[site]'", exc_type=ImportError)
    folder = tmp_path_factory.mktemp("site")
    html, figures = folder / "html", ROOT / "tutorials" / "slides" / "figures"
    sphinx = ["-m", "sphinx", "-W", "--keep-going", "-q", "-E"]
    for command in (
        [*sphinx, "-b", "html", "-c", "docs", "-d", folder / "doctrees", ".", html],
        [figures.with_name("figures.py"), figures],
        [*sphinx, "-b", "revealjs", "-d", folder / "slides-doctrees", figures.parent, html / "slides"],
        ["tools/lite.py", html / "lite"],
    ):
        result = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
    return html


@pytest.fixture(scope="session")
def slide_figures():
    """The script that draws the figures of the slides."""
    folder = str(ROOT / "tutorials" / "slides")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module("figures")
    finally:
        sys.path.remove(folder)


@pytest.fixture(scope="session")
def address(site):
    """The site, served on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            pass  # a browser left a page early; it reports itself what it misses

    with Server(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
