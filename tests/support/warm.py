"""Imported by the server that forks child processes: whatever the first training loads or computes, they find done."""

from __future__ import annotations

import tempfile
from pathlib import Path

from killed import train_there
from tiny import write_tiny

from copi_np.experiments.config import RunConfig

with tempfile.TemporaryDirectory() as folder:
    data = str(write_tiny(Path(folder)))
    train_there(Path(folder, "run"), RunConfig("copi-fa", data, (6, 5, 3), 1, 0.05, 0.05, batch_size=4))
