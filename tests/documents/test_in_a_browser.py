"""The package trains, draws, saves and loads where there are no threads, sockets, signals, ctypes or file locks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SUPPORT = Path(__file__).parents[1] / "support"


def test_a_reader_trains_and_saves_in_a_bare_python(tmp_path):
    command = [sys.executable, SUPPORT / "bare_python.py", SUPPORT / "browser_program.py", tmp_path]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert all((tmp_path / name).stat().st_size > 1000 for name in ("checkpoint.npz", "curves.png", "layer.png"))
