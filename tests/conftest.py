"""Settings of every test: how many examples a property gets, and what happens to GPU tests without a GPU."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import HealthCheck, Phase, settings

from copi_np.backend import why_no_gpu

# a shared machine may be slow at any moment: neither a deadline nor the health check of speed says anything there
COMMON = {"max_examples": 100, "deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("ci", derandomize=True, **COMMON)
settings.register_profile("dev", **COMMON)
# for `make mutants`: a mutant has only to be found, the smallest example that finds it need not
FIND_ONLY = {"max_examples": 20, "derandomize": True, "database": None, "phases": [Phase.explicit, Phase.generate]}
settings.register_profile("mutants", **COMMON | FIND_ONLY)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_collection_modifyitems(items):
    """Skip tests marked ``gpu`` where no GPU works; the summary (``-ra``) says why."""
    # the longest first, so that no process is left alone with them at the end
    items.sort(key=lambda item: "test_resuming" not in item.nodeid)
    marked = [item for item in items if item.get_closest_marker("gpu")]
    reason = why_no_gpu() if marked else None
    if reason:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium; skipped if there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the browser tests need pip install '.[browser]'")
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    found = [path for name in names if name and (path := shutil.which(name))]
    if not found:
        pytest.skip("no Chromium on this machine: apt-get install chromium, or set CHROMIUM to its path")
    with playwright.sync_playwright() as driver:
        # the sandbox cannot start as root, as in a container; the pages are our own
        running = driver.chromium.launch(executable_path=found[0], args=["--no-sandbox"])
        yield running
        running.close()
