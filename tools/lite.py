"""Build the course for a browser, with JupyterLite: ``python tools/lite.py FOLDER``.

The notebooks, the bundled digits and the package, as a wheel, become files of a static web site. Python itself is not
among them: the reader's browser fetches Pyodide, with NumPy and matplotlib, from its public CDN.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
INSTALL = """\
# In the browser: install the package from this web site, and sliders from PyPI.
%pip install --quiet copi-np ipywidgets"""


def for_the_browser(path: Path) -> NotebookNode:
    """Read a notebook, and let it install the package first, below its title."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(1, nbformat.v4.new_code_cell(INSTALL, id="install"))
    return notebook


def run(folder: Path, *command: str | Path) -> None:
    """Run a Python module in a folder, and show what it prints only if it fails."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    result = subprocess.run([sys.executable, "-m", *command], cwd=folder, text=True, **pipes)
    if result.returncode:
        sys.exit(result.stdout)


def copy_of_the_package(folder: Path) -> Path:
    """Copy what a wheel is made of. A build writes beside its source, where tests or another build may be at work."""
    leftovers = shutil.ignore_patterns("__pycache__")
    for name in ("copi_np", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=leftovers)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


def main(folder: Path) -> None:
    """Build the wheel, and then the site."""
    with TemporaryDirectory() as name:
        work = Path(name)
        contents = work / "contents"
        contents.mkdir()
        for path in sorted((ROOT / "tutorials").glob("*.ipynb")):
            nbformat.write(for_the_browser(path), contents / path.name)
        run(work, "build", "--wheel", "--outdir", work / "dist", copy_of_the_package(work / "source"))
        (wheel,) = work.glob("dist/*.whl")
        options = ("--contents", contents, "--piplite-wheels", wheel, "--no-sourcemaps", "--output-dir", folder)
        run(work, "jupyterlite_core", "build", *options)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
