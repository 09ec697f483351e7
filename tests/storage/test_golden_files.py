"""Files that an earlier release wrote: checkpoints and records of runs are still read, and mean the same.

`golden/make.py` wrote the checkpoints, and what that release computed from them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from golden.make import AFTER, BEFORE, NETWORKS, SCHEDULE, TRAINING

from copi_np import Network, Schedule, fit, load_dataset, load_network
from copi_np.experiments.report import write_report

FOLDER = Path(__file__).parent / "golden"
RESULTS = Path(__file__).parents[2] / "results" / "paper" / "mnist-5k"
EXPECTED = json.loads((FOLDER / "expected.json").read_text())


def distance(found, expected):
    """Return the Frobenius norm of the difference, relative to that of the expected array."""
    return np.linalg.norm(np.subtract(found, expected)) / np.linalg.norm(expected)


@pytest.fixture(scope="module")
def data():
    return load_dataset(FOLDER / "tiny.npz")


@pytest.mark.parametrize("name", NETWORKS)
def test_an_old_checkpoint_predicts_what_it_predicted(name, data):
    network, metadata = load_network(FOLDER / f"{name}.npz")
    assert metadata["epoch"] == BEFORE
    options = {"sizes": [6, 5, 3]} | NETWORKS[name]
    assert network.config == Network(options.pop("sizes"), rng=np.random.default_rng(0), **options).config
    outputs = network.predict(data.test.inputs.astype(network.dtype))
    assert distance(outputs, EXPECTED[name]["outputs"]) < 1e-6


@pytest.mark.parametrize("name", NETWORKS)
def test_an_old_training_is_resumed_and_reaches_the_same_weights(name, data, tmp_path):
    """The network that is given is another one: all that matters is in the file."""
    checkpoint = shutil.copy(FOLDER / f"{name}.npz", tmp_path)
    before, _ = load_network(checkpoint)
    options = {"sizes": [6, 5, 3]} | NETWORKS[name]
    network = Network(options.pop("sizes"), rng=np.random.default_rng(99), **options)
    training = {"schedule": Schedule(**SCHEDULE), "rng": np.random.default_rng(99), **TRAINING}
    history = fit(network, data, epochs=AFTER, checkpoint=checkpoint, resume=True, **training)
    for k, (layer, old) in enumerate(zip(network.layers, before.layers, strict=True)):
        expected = EXPECTED[name]["weights"]
        assert distance(layer.W, expected[f"W_{k}"]) < 1e-6
        assert distance(layer.R, expected[f"R_{k}"]) < 1e-6
        assert distance(old.W, expected[f"W_{k}"]) > 1e-4  # training has moved them
    losses = [record.test_loss for record in history]
    assert losses == pytest.approx(EXPECTED[name]["test_loss"], rel=1e-6)


@pytest.mark.skipif(not RESULTS.is_dir(), reason="results/ is not in the source distribution")
def test_the_report_of_old_records_is_the_same(tmp_path):
    """Runs of an earlier release, with everything that its report wrote next to them."""
    root = Path(shutil.copytree(RESULTS, tmp_path / "runs"))
    written = [path.name for path in root.iterdir() if path.is_file()]
    _, files = write_report(root)
    assert sorted(path.name for path in files) == sorted(written)
    found, expected = (json.loads((folder / "summary.json").read_text()) for folder in (root, RESULTS))
    assert [group["label"] for group in found] == [group["label"] for group in expected]
    for new, old in zip(found, expected, strict=True):
        for quantity in ("train_accuracy", "test_accuracy"):
            assert new[quantity] == old[quantity]
