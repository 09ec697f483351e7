"""The result of a run, for comparing two: its history without times, and its weights."""

from __future__ import annotations

import re

SECONDS = re.compile('"seconds": [0-9.e+-]+')


def history_of(folder):
    """Return the text of history.jsonl without times."""
    return SECONDS.sub("", (folder / "history.jsonl").read_text(encoding="utf-8"))


def weights_of(network):
    """Return all weights and feedback of a network as bytes."""
    arrays = [array for layer in network.layers for array in (layer.W, layer.R)] + network.feedback
    return [None if array is None else array.tobytes() for array in arrays]
