"""Convolutions on every array library: a step is that of NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import assert_equal_to
from test_backends import DEVICES, PRECISION, opened

from copi_np import Conv, Dense, Network, Pool

LAYERS = [Conv(3, 2, padding=1), Pool(2), Conv(4, 2, stride=2), Dense(3)]


def trained(backend, dtype, **options):
    """Return weights and outputs after two steps from images."""
    net = Network(LAYERS, input_shape=(2, 5, 7), rng=np.random.default_rng(0), backend=backend, dtype=dtype, **options)
    rng, asarray = np.random.default_rng(1), net.backend.asarray
    y0, targets = asarray(rng.normal(size=(4, 2, 5, 7)), dtype), asarray(rng.normal(size=(4, 3)), dtype)
    weights = asarray(np.array([1.0, 0.5, 2.0, 0.0]), dtype)
    for _ in range(2):
        net.step(y0, targets, eta_W=0.05, sample_weight=weights)
    arrays = [matrix for layer in net.layers for matrix in (layer.W, layer.R)]
    return [net.backend.to_host(array) for array in (*arrays, net.predict(y0))]


@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": True},
        {"error_signal": "fa", "decorrelation": "local"},
        {"error_signal": "dfa", "rule": "adam"},
        {"error_signal": "kp", "bias": True},
        {"error_signal": "node"},
        {"error_signal": "activity", "rule": "sgd"},
    ],
    ids=str,
)
def test_a_step_is_that_of_numpy(name, dtype, options):
    if options.get("error_signal") in ("node", "activity") and dtype == "float32":
        pytest.skip("differences of losses have few digits in float32")
    expected = trained("numpy", "float64", **options)
    with opened(name) as backend:
        for found, of_numpy in zip(trained(backend, dtype, **options), expected, strict=True):
            assert_equal_to(100 * PRECISION[dtype], found, of_numpy)
