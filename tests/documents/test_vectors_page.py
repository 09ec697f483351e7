"""The readers and the example of the page on known answers do what it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from copi_np.conformance import copy_vectors, known_answers, verify
from copi_np.conformance.adapter import load_adapter
from copi_np.conformance.faults import FAULTS

PAGE = (Path(__file__).parents[2] / "docs" / "vectors.md").read_text(encoding="utf-8")
PYTHON, TORCH, EXAMPLE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(OCTAVE,) = re.findall(r"```matlab\n(.*?)```", PAGE, re.DOTALL)


def agreeing(folder, command):
    """Run a reader next to the files, and return how many cases agree."""
    copy_vectors(folder / "vectors")
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.count("agrees: ")


def n_cases(function):
    return sum(case.name == function for case in known_answers())


@pytest.mark.parametrize("program", [PYTHON, TORCH, OCTAVE], ids=["python", "torch", "octave"])
def test_readers_are_shorter_than_twenty_lines(program):
    assert len([line for line in program.splitlines() if line]) < 20


def test_the_reader_without_packages(tmp_path):
    """Isolated from all that is installed."""
    found = agreeing(tmp_path, [sys.executable, "-S", "-I", "-c", PYTHON])
    assert found == n_cases("copi_update") > 5


def test_the_reader_for_pytorch(tmp_path):
    pytest.importorskip("torch", reason="install the extra 'tracing'")
    assert agreeing(tmp_path, [sys.executable, "-c", TORCH]) == n_cases("decorrelation_update") > 5


def test_the_reader_for_octave(tmp_path):
    octave = shutil.which("octave-cli") or shutil.which("octave")
    if octave is None:
        pytest.skip("no Octave on this machine: apt-get install octave")
    (tmp_path / "reader.m").write_text(OCTAVE, encoding="utf-8")
    found = agreeing(tmp_path, [octave, "--no-gui", "--no-init-file", "reader.m"])
    assert found == n_cases("local_decorrelation_update") > 5


def test_a_reader_notices_a_wrong_number(tmp_path):
    copy_vectors(tmp_path / "vectors")
    wrong = PYTHON.replace("- W[i][j]", "+ W[i][j]")
    result = subprocess.run([sys.executable, "-c", wrong], cwd=tmp_path, capture_output=True, text=True)
    assert "AssertionError: copi_update/general" in result.stderr


def test_the_page_describes_the_keys_of_a_case():
    table = PAGE[PAGE.index("Each case has the same keys") : PAGE.index("An array is a list")]
    described = [
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall("`(.*?)`", row)
    ]
    for path in (Path(__file__).parents[2] / "copi_np" / "conformance" / "vectors").glob("*.json"):
        for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
            assert list(case) == described


def test_the_page_counts_the_faults_of_the_dictionary():
    assert f"and others, {sum(map(len, FAULTS.values()))} in all" in " ".join(PAGE.split())


def test_the_example_gives_the_report_that_is_shown(tmp_path):
    (tmp_path / "my_copi.py").write_text(EXAMPLE, encoding="utf-8")
    report = verify(load_adapter(str(tmp_path / "my_copi.py")), examples=5)
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert shown.strip() in str(report)
    assert not report.conforms
