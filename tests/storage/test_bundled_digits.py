"""The bundled digits and presets are found wherever the package is imported from, and ``python -m copi_np`` works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA_FOLDER = {"checkout": "data", "wheel": "copi_np/data"}
"""Where the data are in each layout; setup.cfg maps the first to the second."""


@pytest.fixture(params=["checkout folder", "checkout zip", "wheel folder", "wheel zip"])
def place(request, tmp_path):
    """Copy the package to a folder or a zip file, in the layout of a checkout or of a wheel; return its path."""
    layout, form = request.param.split()
    folder = tmp_path / "place"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "copi_np", folder / "copi_np", ignore=ignored)
    shutil.copytree(ROOT / "data", folder / DATA_FOLDER[layout], ignore=ignored)
    return folder if form == "folder" else Path(shutil.make_archive(str(folder), "zip", folder))


def run(place, *arguments):
    """Run Python with the package from `place`; -S leaves out the finder of an editable installation."""
    libraries = sysconfig.get_path("purelib")
    paths = os.pathsep.join([str(place), libraries])
    environment = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        [sys.executable, "-S", *arguments], env=environment, cwd=place.parent, capture_output=True, text=True
    )


def test_the_package_has_its_digits_and_presets_without_an_installation(place):
    code = """
import copi_np, copi_np.datasets, copi_np.experiments.preset_files
print(copi_np.__file__)
print(copi_np.load_dataset("mnist-5k").train.inputs.shape)
print(copi_np.datasets.find_dataset("mnist-5k").complete)
print(copi_np.load_dataset("digits-8x8").train.inputs.shape)
print(copi_np.datasets.find_dataset("digits-8x8").complete)
print(len(copi_np.experiments.preset_files.load_preset("mnist-5k", "copi-bp")) > 5)
"""
    done = run(place, "-c", code)
    assert done.stderr == ""
    origin, *rest = done.stdout.splitlines()
    assert Path(origin).is_relative_to(place)
    assert rest == ["(4000, 784)", "True", "(1400, 64)", "True", "True"]


def test_the_command_is_a_module_too(place):
    done = run(place, "-m", "copi_np", "train", "--dataset", "mnist-5k", "--epochs", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: Invalid value for '--epochs': 0 is not in the range x>=1")
    done = run(place, "-m", "copi_np", "doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"present in {place / 'copi_np'}" in done.stdout or f"present in {place / 'data'}" in done.stdout
