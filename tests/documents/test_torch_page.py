"""The programs of the page on PyTorch run, and its table is that of the record."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "torch.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_the_programs_run(number, tmp_path):
    pytest.importorskip("torch", reason="install the extra 'tracing'")
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAMS[number]], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    if "fold_" in PROGRAMS[number]:
        assert float(result.stdout.split()[-1]) <= 1e-5


def test_the_table_is_that_of_the_record():
    record = json.loads((ROOT / "results" / "surveys" / "torch-adam.json").read_text(encoding="utf-8"))
    for row in record["rows"]:
        first, last = row["mean_by_epoch"][0], row["mean_by_epoch"][-1]
        eta = "none" if row["eta"] is None else f"{row['eta']:g}"
        line = f"| {row['learning_rate']:g} | {eta} | {first:.1f} | {row['mean_by_epoch'][4]:.1f} | {last:.1f} ± "
        assert f"{line}{row['deviation_of_last']:.1f} |" in PAGE
    assert f"means over {record['seeds']} seeds" in PAGE
