"""The tool that trains the network of the live figures, on a smaller network and few digits."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from copi_np import Network, Schedule, load_dataset
from copi_np.analysis import compress, receptive_fields
from copi_np.datasets import as_float

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("make_live_weights", ROOT / "tools" / "make_live_weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def data():
    return load_dataset("mnist-5k")


@pytest.fixture(scope="module")
def network(tool, data):
    return tool.trained(data, [784, 6, 5, 10], [(1, Schedule(0.01, 0.01)), (1, Schedule(0.01, 0.01, delta_scale=0))])


@pytest.fixture(scope="module")
def weights(tool, data, network):
    return tool.weights(data, network)


def assert_stored(tool, matrix, values):
    """Up to half a step of each row's scale."""
    half = np.max(np.abs(values), axis=1, keepdims=True) / 254
    assert np.all(np.abs(tool.from_bytes(matrix) - values) <= half * 1.001)


def test_bytes(tool):
    values = np.array([[1.0, -2.0, 0.004], [0.0, 0.0, 0.0], [1e-3, 5e-4, 0.0]])
    matrix = tool.to_bytes(values)
    assert_stored(tool, matrix, values)
    assert tool.from_bytes(matrix)[0].tolist() == pytest.approx([64 * 2 / 127, -2, 0])


def test_what_the_figures_get(tool, data, network, weights):
    """The network folded, its compressions and fields, as the package computes them."""
    y0 = as_float(data.train.inputs, "float64")
    assert [len(weights[name]) for name in ("layers", "maps", "fields", "labels")] == [3, 2, 3, 60]
    for k, layer in enumerate(network.layers):
        assert_stored(tool, weights["layers"][k], layer.W @ layer.R)
        assert_stored(tool, weights["fields"][k], receptive_fields(network, y0, k, standardized=True))
    for n_replaced, keep in ((1, 3), (2, 2)):
        compressed = compress(network, y0, keep)
        assert_stored(tool, weights["maps"][n_replaced - 1], compressed.layers[1].folded())
        found = tool.outputs(weights["layers"], weights["maps"], y0[:50], n_replaced)
        np.testing.assert_allclose(found, compressed.predict(y0[:50]), atol=0.05)


def test_training_is_reproducible_and_learns(tool, data, network, weights):
    again = tool.trained(data, [784, 6, 5, 10], [(1, Schedule(0.01, 0.01)), (1, Schedule(0.01, 0.01, delta_scale=0))])
    for one, other in zip(network.layers, again.layers, strict=True):
        np.testing.assert_allclose(one.folded(), other.folded(), rtol=1e-6, atol=1e-9)
    untrained = Network([784, 6, 5, 10], rng=np.random.default_rng(tool.SEED), dtype="float64")
    moved = [np.linalg.norm(one.W - other.W) for one, other in zip(network.layers, untrained.layers, strict=True)]
    assert min(moved) > 0
    y = as_float(data.test.inputs, "float64")
    accuracy = np.mean(np.argmax(network.predict(y), axis=1) == data.test.labels)
    assert weights["test_accuracy"][0] == pytest.approx(accuracy, abs=0.02)
