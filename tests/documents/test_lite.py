"""The course in a browser: all that is ours is in the build, which opens up to where Python is fetched."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import copi_np

pytestmark = pytest.mark.xdist_group("site")
ROOT = Path(__file__).parents[2]
LESSONS = sorted(path.name for path in (ROOT / "tutorials").glob("*.ipynb"))
CDN = "https://cdn.jsdelivr.net/pyodide/"


@pytest.fixture(scope="module")
def lite(site):
    return site / "lite"


def test_every_lesson_is_listed_and_installs_the_package_first(lite):
    contents = json.loads((lite / "api" / "contents" / "all.json").read_text())["content"]
    assert sorted(entry["name"] for entry in contents) == LESSONS
    for name in LESSONS:
        ours, built = (json.loads((folder / name).read_text()) for folder in (ROOT / "tutorials", lite / "files"))
        assert "%pip install --quiet copi-np" in "".join(built["cells"][1]["source"])
        assert [cell["source"] for cell in built["cells"][:1] + built["cells"][2:]] == [
            cell["source"] for cell in ours["cells"]
        ]


def test_the_package_is_in_the_index_with_its_data(lite):
    """And with the versions that it needs."""
    (release,) = json.loads((lite / "pypi" / "all.json").read_text())["copi-np"]["releases"][copi_np.__version__]
    with zipfile.ZipFile(lite / "pypi" / release["url"]) as wheel:
        names = wheel.namelist()
        (metadata,) = (wheel.read(name).decode() for name in names if name.endswith("METADATA"))
    assert {"copi_np/rules.py", "copi_np/data/mnist-5k.npz"} <= set(names)
    needed = [line.removeprefix("Requires-Dist: ") for line in metadata.splitlines() if "Requires-Dist" in line]
    assert {"numpy", "matplotlib"} <= {Requirement(line).name for line in needed}
    settings = json.loads((lite / "jupyter-lite.json").read_text())["jupyter-config-data"]
    kernel = settings["litePluginSettings"]["@jupyterlite/pyodide-kernel-extension:kernel"]
    assert any(url.startswith("./pypi/all.json") for url in kernel["pipliteUrls"])


def test_a_lesson_opens_up_to_where_python_is_fetched(address, browser, lite):
    """Nothing else is asked of another machine."""
    asked = []

    def refuse(route):
        asked.append(route.request.url)
        route.abort()

    context = browser.new_context()
    context.route(lambda url: not url.startswith(address), refuse)
    tab = context.new_page()
    tab.goto(f"{address}lite/lab/index.html?path={LESSONS[0]}")
    tab.wait_for_selector(".jp-Notebook h1", timeout=120_000)
    for _ in range(600):
        if asked:
            break
        tab.wait_for_timeout(100)
    context.close()
    assert asked
    assert all(url.startswith(CDN) for url in asked), asked
