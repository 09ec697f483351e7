"""Write checkpoints, and what the same code computes from them, for test_golden_files.py.

    PYTHONPATH=CHECKOUT_OF_A_RELEASE python tests/storage/golden/make.py

The files here were written at commit 52cd1be, before the package was rearranged. Do not replace them: they represent
files that users have.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
NETWORKS = {
    "copi-bp": {},
    "bp-adam": {"rule": "adam", "decorrelation": None},
    "copi-dtp": {"sizes": [6, 5, 4, 3], "error_signal": "dtp"},
    "local-fa": {"decorrelation": "local", "error_signal": "fa"},
    "float64-dfa": {"rule": "sgd", "error_signal": "dfa", "dtype": "float64"},
    "tanh-cross-entropy": {"activation": ["tanh", "tanh"], "loss": "cross_entropy"},
}
SCHEDULE = {"eta_W": 0.05, "eta_R": 0.1, "first_epochs": 1, "first_eta_W": 0.02, "first_eta_R": 0.05}
TRAINING = {"batch_size": 8}
BEFORE, AFTER = 2, 4  # epochs up to the checkpoint, and in total


def make(name, options, data, folder):
    """Train up to a checkpoint in `folder`, and return its outputs and the weights after further training."""
    from copi_np import Network, Schedule, fit

    options = {"sizes": [6, 5, 3]} | options
    network = Network(options.pop("sizes"), rng=np.random.default_rng(1), **options)
    training = {"schedule": Schedule(**SCHEDULE), "rng": np.random.default_rng(2), **TRAINING}
    checkpoint = folder / f"{name}.npz"
    fit(network, data, epochs=BEFORE, checkpoint=checkpoint, **training)
    outputs = network.predict(inputs_of(network, data)).tolist()
    with tempfile.TemporaryDirectory() as elsewhere:
        copy = shutil.copy(checkpoint, elsewhere)
        history = fit(network, data, epochs=AFTER, checkpoint=copy, resume=True, **training)
    weights = {}
    for k, layer in enumerate(network.layers):
        weights |= {f"W_{k}": layer.W.tolist(), f"R_{k}": layer.R.tolist()}
    return {"outputs": outputs, "weights": weights, "test_loss": [record.test_loss for record in history]}


def inputs_of(network, data):
    """Return the test inputs in the network's dtype."""
    return data.test.inputs.astype(network.dtype)


if __name__ == "__main__":
    sys.path.append(str(FOLDER.parents[1] / "support"))
    from tiny import write_tiny

    from copi_np import load_dataset

    data = load_dataset(write_tiny(FOLDER))
    expected = {name: make(name, options, data, FOLDER) for name, options in NETWORKS.items()}
    for path in FOLDER.glob("*.previous.npz"):
        path.unlink()
    (FOLDER / "expected.json").write_text(json.dumps(expected) + "\n")
