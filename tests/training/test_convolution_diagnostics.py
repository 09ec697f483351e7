"""What can be measured of networks with convolutions, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import assert_near

from copi_np import Conv, Dense, InputError, Network, Pool
from copi_np.analysis import alignment_angles, compress, least_squares_map, receptive_fields, stack_map
from copi_np.diagnostics import diagnose
from copi_np.whitening import mean_absolute_correlation, second_moment


def network(**options):
    layers = [Conv(3, 2), Pool(3), Conv(4, 1), Dense(5), Dense(2)]
    net = Network(layers, input_shape=(2, 4, 4), rng=np.random.default_rng(0), dtype="float64", **options)
    rng = np.random.default_rng(1)
    y0, targets = rng.normal(size=(40, 32)), rng.normal(size=(40, 2))
    net.step(y0, targets, eta_W=0.02)
    return net, y0, targets


@pytest.mark.parametrize("bias", [False, True])
def test_correlations_are_those_of_patches(bias):
    net, y0, targets = network(bias=bias, error_signal="fa")
    found = diagnose(net, y0, targets)
    rows = net.layers[0].patches.cut(y0)
    assert found[0].correlation_before == pytest.approx(mean_absolute_correlation(second_moment(rows)))
    assert len(found[0].power_before) == len(found[0].power)
    assert [layer.angle is None for layer in found] == [False, False, False, True]


@pytest.mark.parametrize("bias", [False, True])
def test_backpropagation_is_parallel_to_itself(bias):
    net, y0, targets = network(bias=bias)
    assert max(alignment_angles(net, y0, targets)) < 1e-5


def test_fields_of_filters_are_regressions_on_patches():
    net, y0, _ = network(activation="tanh")
    trace = net.forward(y0)
    y = np.tanh(net.layers[0].patches.as_rows(trace.a[0]))
    x = trace.x[0]
    expected = y.T @ x / np.sum(x**2, axis=0)
    assert_near(receptive_fields(net, y0, layer=0), expected)
    assert_near(least_squares_map(net, y0, 0, 0), np.linalg.lstsq(x, y, rcond=None)[0].T, ulps=10**6)
    assert stack_map(net, y0, 2, 3).shape == (2, 4)


def test_maps_across_convolutions_are_refused():
    net, y0, _ = network()
    with pytest.raises(InputError, match="layers 0 to 3 hold a convolution, whose positions share one map"):
        receptive_fields(net, y0)
    with pytest.raises(InputError, match="this network has convolutions: it cannot be compressed"):
        compress(net, y0, 2)
