"""The files of your own parts: what they import from their own folder counts too, and what is run is what is there."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import write_tiny

from copi_np import DataError, load_dataset
from copi_np._finding_parts import file_digest, load_part
from copi_np.experiments.config import RunConfig, run_name
from copi_np.experiments.runner import train

RULES = """
from __future__ import annotations
import json
import numpy as np
import copi_np.rules
from strengths import LEAK
{more}

def shrink(R, x):
    return -LEAK * R
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, on Python's path: a data set, my_rules.py and what that imports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    write_tiny(tmp_path)
    (tmp_path / "my_rules.py").write_text(RULES.format(more=""))
    (tmp_path / "strengths.py").write_text("from levels.high import LEAK\n")
    (tmp_path / "levels").mkdir()
    (tmp_path / "levels" / "__init__.py").touch()
    (tmp_path / "levels" / "high.py").write_text("from .low import LOW\nLEAK = 3 * LOW\n")
    (tmp_path / "levels" / "low.py").write_text("LOW = 0.1\n")
    (tmp_path / "unrelated.py").write_text("LEAK = 7\n")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("my_rules", "strengths", "levels", "unrelated"):
            del sys.modules[name]


def config_of(part="my_rules.py:shrink"):
    return RunConfig("copi-bp", "tiny.npz", (6, 4, 3), 1, 0.1, 0.05, decorrelation=part)


def name_of_run():
    return run_name(config_of(), load_dataset("tiny.npz"))


def sha256_of(*paths):
    return "".join(hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths)


def test_the_checksum_of_a_file_that_imports_nothing_from_its_folder_is_that_of_the_file(folder):
    """Runs of earlier versions keep their names."""
    for code in ("import numpy\nfrom math import pi\nfrom . import x\n", "not Python", "x = '\0'\n"):
        (folder / "alone.py").write_text(code)
        assert file_digest(Path("alone.py")) == sha256_of("alone.py")


@pytest.mark.parametrize(
    "file", ["my_rules.py", "strengths.py", "levels/__init__.py", "levels/high.py", "levels/low.py"]
)
def test_a_run_is_another_one_if_a_file_that_its_part_imports_changes(folder, file):
    name, config = name_of_run(), config_of()
    config.network_parts()
    (folder / file).write_text((folder / file).read_text() + "\n")
    assert name_of_run() != name
    with pytest.raises(DataError, match=r"^my_rules\.py has changed since this run began, or a file that it imports: "):
        config.network_parts()


def test_other_files_of_the_folder_do_not_count(folder):
    name = name_of_run()
    (folder / "unrelated.py").unlink()
    (folder / "copi_np").mkdir()  # such as a copy of this repository
    (folder / "copi_np" / "rules.py").touch()
    (folder / "json").mkdir()
    assert name_of_run() == name
    assert file_digest(folder / "my_rules.py") == sha256_of(
        "my_rules.py", "levels/__init__.py", "levels/high.py", "levels/low.py", "strengths.py"
    )


@pytest.mark.parametrize("more", ["import unrelated", "def later():\n    from unrelated import LEAK"])
def test_imports_are_seen_in_any_form_and_in_functions(folder, more):
    (folder / "my_rules.py").write_text(RULES.format(more=more))
    name = name_of_run()
    (folder / "unrelated.py").write_text("LEAK = 8\n")
    assert name_of_run() != name


def test_files_that_import_each_other_are_counted_once(folder):
    (folder / "levels" / "low.py").write_text("import levels.high, my_rules\nLOW = 0.1\n")
    assert len(file_digest(folder / "my_rules.py")) == 5 * 64


def test_what_is_run_is_what_the_checksum_is_of(folder, monkeypatch):
    """In one process too, where Python keeps modules that it has imported, and the bytecode of files."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    data, R = load_dataset("tiny.npz"), np.eye(2)
    import strengths

    assert load_part("my_rules.py:shrink")(R, None)[0, 0] == pytest.approx(-0.3)
    first, _ = train(config_of(), data, "numpy")
    (folder / "levels" / "low.py").write_text("LOW = 0.25 \n")
    assert load_part("my_rules.py:shrink")(R, None)[0, 0] == pytest.approx(-0.75)
    second, _ = train(config_of(), data, "numpy")
    assert np.linalg.norm(first.layers[0].R - second.layers[0].R) > 1e-3
    for leak in (1, 2, 3):  # within one second
        (folder / "my_rules.py").write_text(f"def shrink(R, x):\n    return -{leak} * R\n")
        assert load_part("my_rules.py:shrink")(R, None)[0, 0] == -leak
    assert pytest.approx(0.3) == strengths.LEAK  # the user's own import stays
