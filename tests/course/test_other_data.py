"""The lessons used in class run on other digits, and make the same points: only one line changes."""

from __future__ import annotations

import re
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

SOURCES = Path(__file__).parents[2] / "tutorials" / "sources"
SWITCH = 'DATA = "mnist-5k"  # or "digits-8x8"'


def with_other_data(source):
    """The notebook of a lesson with the other data, and a last cell that prints what the tests need."""
    notebook = jupytext.read(source, fmt="py:percent")
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [SWITCH in cell.source for cell in cells].count(True) == 1
    for cell in cells:
        cell.source = cell.source.replace(SWITCH, 'DATA = "digits-8x8"')
    shown = "print('data', data.name, data.image_shape, n_digits, n_pixels)"
    return nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_code_cell(shown)])


def executed(source):
    """Execute the notebook, whose cells hold its own assertions, and return all that it prints."""
    notebook = with_other_data(source)
    NotebookClient(notebook, timeout=300, kernel_name="python3", extra_arguments=["--log-level=ERROR"]).execute()
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    return "".join(output.text for output in outputs if output.output_type == "stream")


@pytest.fixture(scope="module", autouse=True)
def quiet_kernels():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        patch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
        patch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        patch.setenv("PYTHONPATH", str(SOURCES.parents[1]))
        yield


def number_after(text, shown):
    """The first number after some text."""
    return float(re.search(re.escape(text) + r"\D*?(-?[\d.]+)", shown)[1])


def test_decorrelation_on_small_digits():
    """The steps, the blow-up and ZCA's likeness fit these digits."""
    shown = executed(SOURCES / "02_decorrelation.py")
    assert "data digits-8x8 (8, 8) 1400 64" in shown
    largest = number_after("largest eigenvalues of C: [", shown)
    small, large = (float(step) for step in re.search(r"steps: ([\d.]+) and ([\d.]+)", shown).groups())
    assert small < 2 / largest < large
    assert small != 0.03  # as for mnist-5k
    before, after = (float(c) for c in re.findall(r"mean \|correlation\| ([\d.]+) -> ([\d.]+)", shown)[-1])
    assert after < 0.05 * before


def test_a_deep_network_on_small_digits():
    """It diverges where the lesson says so, and learns."""
    shown = executed(SOURCES / "04_deep_network.py")
    assert "data digits-8x8 (8, 8) 1400 64" in shown
    assert "28 batches in an epoch" in shown
    assert shown.count("training diverged") >= 4
    accuracies = [float(share) for share in re.findall(r"train [\d.]+%, test ([\d.]+)%", shown)]
    assert accuracies[0] < 25
    assert accuracies[-1] > 97
    predicted, frozen = (number_after(text, shown) for text in ("predicted ", "measured, R frozen"))
    assert np.isclose(predicted, frozen, rtol=0.03)


def test_the_family_on_small_digits():
    """Steps are as natural in the same order, and the most natural ones generalise worst."""
    shown = executed(SOURCES / "11_one_family.py")
    assert "data digits-8x8 (8, 8) 1400 64" in shown
    methods = ("SGD", "SGD + R", "COPI", "normalised", "FOOF")
    cosines = [float(re.search(rf"^{re.escape(name)} +mean cosine ([\d.]+)", shown, re.M)[1]) for name in methods]
    assert cosines == sorted(cosines)
    copi, natural = (
        float(re.search(rf"^{name} +rate .* test ([\d.]+)", shown, re.M)[1]) for name in ("COPI", "damping 1e-05")
    )
    assert copi > natural


def test_noise_on_small_digits():
    """Estimates scatter more after decorrelation, and averaging cures the crash."""
    shown = executed(SOURCES / "12_without_a_backward_pass.py")
    assert "data digits-8x8 (8, 8) 1400 64" in shown
    raw, decorrelated = (
        float(re.search(rf"^node +{state} +[\d.]+ +[\d.]+ +([\d.]+)", shown, re.M)[1])
        for state in ("raw", "decorrelated")
    )
    assert decorrelated < raw / 2
    assert "one noise   crash" in shown
    assert number_after("mean of 10", shown) > 80


def test_images_of_small_digits():
    """R's surround shrinks, the dense network is ahead, and only the convolution needs neighbours."""
    shown = executed(SOURCES / "13_images.py")
    assert "data digits-8x8 (8, 8) 1400 64" in shown
    assert "an image of 64 pixels becomes 16 rows of 25" in shown
    assert number_after("images   eta_R must be below", shown) < number_after("patches  eta_R must be below", shown)
    assert number_after("step    1: surround", shown) > 3 * number_after("step 1000: surround", shown)
    dense, conv = (number_after("last", line) for line in re.findall(r"^(?:dense|conv), COPI .*last.*$", shown, re.M))
    assert 0 < dense - conv < 2
    lost = [float(points) for points in re.findall(r"lost (-?[\d.]+) points", shown)]
    assert lost[1] > lost[0] + 1.5
