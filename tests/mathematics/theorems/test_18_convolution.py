"""Theorem 18. A convolution is the same layer on patches.

Let a convolution cut B images into B P patches, P(y), of C k^2 values, and let its rules act on these rows. (a) On
images of 1 x 1 pixels a kernel of 1 x 1 is the dense layer. (b) So is a kernel as large as the image. (c) Let the
signal of a row be P times the derivative of its sample's loss, with its sign reversed. Then <delta x^T> is the negative
gradient of the mean loss. (d) To first order, W R moves by eta <delta y^T> R^T R, as in Theorem 2. (e) R moves by the
mean of what it would learn at each position alone.

Proof. (a), (b) There is one patch, the image. (c) W acts at all P positions, so its gradient is the sum over them, and
<.> divides by B P. (d) Theorem 2 holds for any rows. (e) At fixed R, the update is linear in <x x^T>.
                                                                                                   Not in the paper.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near, directional_derivative
from strategies import SEEDS

from copi_np import Conv, Dense, Network, Pool
from copi_np.family import DAMPING
from copi_np.patches import Patches

OPTIONS = [
    {"rule": rule, "decorrelation": decorrelation, "error_signal": signal, "bias": bias}
    for rule, decorrelation, signal, bias in [
        ("copi", "matrix", "bp", False),
        ("copi", "matrix", "bp", True),
        ("copi", "local", "fa", True),
        ("copi", "gain", "dfa", False),
        ("sgd", "normalised", "fa", False),
        ("adam", None, "bp", True),
        ("momentum", "kappa", "ss", False),
        ("foof", "matrix", "dfa", False),
        ("copi", "matrix", "node", True),
        ("sgd", "matrix", "activity", False),
        ("copi", "local", "kp", True),
    ]
]


def trained(net, y0, targets, eta=0.05, n_steps=3):
    """Return everything that three steps lead to."""
    losses = [net.step(y0, targets, eta_W=eta, sample_weight=np.linspace(0.5, 1.5, len(y0))) for _ in range(n_steps)]
    weights = [matrix for layer in net.layers for matrix in (layer.W, layer.R)]
    return [*losses, *weights, net.predict(y0), *net.forward(y0).y]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
def test_a_a_pixel_and_b_a_kernel_as_large_as_the_image_are_dense_layers_to_the_last_bit(options):
    rng = np.random.default_rng(1)
    y0, targets = rng.normal(size=(6, 12)), rng.normal(size=(6, 3))

    def make(sizes, input_shape=None):
        return Network(sizes, rng=np.random.default_rng(0), dtype="float64", input_shape=input_shape, **options)

    dense = trained(make([12, 5, 4, 3]), y0, targets)
    pixels = trained(make([Conv(5, 1), Conv(4, 1), Dense(3)], input_shape=(12, 1, 1)), y0, targets)
    whole = trained(make([Conv(5, 2), Pool(1), 4, 3], input_shape=(3, 2, 2)), y0, targets)
    images = y0.reshape(6, 3, 2, 2)
    last = trained(make([Conv(5, 2), Conv(4, 1), Conv(3, 1)], input_shape=(3, 2, 2)), images, targets)
    for found in (pixels, whole, last):
        for one, other in zip(found, dense, strict=True):
            np.testing.assert_array_equal(one, other)


NETWORKS = [
    ([Conv(3, 2), Conv(2, 2, stride=2, padding=1), Dense(3)], (2, 4, 5)),
    ([Conv(3, 2, padding=1), Pool(2), Conv(4, 2), Dense(3)], (1, 5, 3)),
    ([Conv(2, 3, stride=2), Pool(3), 4, 3], (2, 7, 7)),
    ([Conv(2, 2), Conv(1, 1, stride=2)], (1, 4, 6)),
]


def network(sizes, shape, seed, **options):
    """A smooth network whose lateral weights are neither the identity nor symmetric."""
    rng = np.random.default_rng(seed)
    options = {"activation": "tanh", "dtype": "float64", **options}
    net = Network(sizes, input_shape=shape, rng=rng, **options)
    for layer in net.layers:
        n = layer.n_inputs
        R = np.eye(len(layer.R))
        R[:n, :] += 0.3 * rng.normal(size=(n, len(R)))
        layer.R = R
    return net, rng.normal(size=(3, net.n_inputs)), rng.normal(size=(3, net.n_outputs))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("sizes", "shape"), NETWORKS)
@given(seed=SEEDS)
def test_c_the_mean_over_patches_is_the_gradient_of_the_mean_loss(sizes, shape, bias, seed):
    """Central differences in W and, through BP's signal, in everything below; weighted samples too."""
    net, y0, targets = network(sizes, shape, seed, rule="sgd", bias=bias)
    weights = np.array([1.0, 2.0, 0.0]) if seed % 2 else None
    rng = np.random.default_rng(seed + 1)
    before = [layer.W * 1 for layer in net.layers]
    directions = [rng.normal(size=W.shape) for W in before]

    def loss_at(h):
        for layer, W, direction in zip(net.layers, before, directions, strict=True):
            layer.W = W + h * direction
        return net.loss.mean(net.forward(y0).y[-1], targets, weights)

    slope = directional_derivative(loss_at, 0.0, 1.0)
    loss_at(0.0)
    net.step(y0, targets, eta_W=1.0, eta_R=0.0, sample_weight=weights)
    moves = [layer.W - W for layer, W in zip(net.layers, before, strict=True)]
    moved = sum(np.sum(move * direction) for move, direction in zip(moves, directions, strict=True))
    size = sum(np.sum(np.abs(move * direction)) for move, direction in zip(moves, directions, strict=True))
    assert abs(moved + slope) < 1e-7 * (1 + size)


@pytest.mark.parametrize(("sizes", "shape"), NETWORKS)
def test_c_the_signal_itself_is_the_derivative_of_each_unit(sizes, shape):
    """Before the factor P: one signal (B, F P) for each unit at each position."""
    net, y0, targets = network(sizes, shape, 3)
    trace = net.forward(y0)
    deltas = net.error_signals(trace, targets)
    for delta, a, plan in zip(deltas, trace.a, net.plans, strict=True):
        assert delta.shape == a.shape == (3, plan.n_units)

    def loss_from(k, a):
        y = np.tanh(a)
        if (pooling := getattr(net.layers[k], "pooling", None)) is not None:
            y = pooling.mean(y)
        for layer in net.layers[k + 1 :]:
            y = layer.forward(y)[2]
        return np.sum((y - targets) ** 2)

    for k, delta in enumerate(deltas):
        for n, unit in np.ndindex(delta.shape):
            direction = np.zeros_like(delta)
            direction[n, unit] = 1.0
            slope = directional_derivative(lambda a, k=k: loss_from(k, a), trace.a[k], direction)
            assert abs(slope + delta[n, unit]) < 1e-8


@pytest.mark.parametrize("decorrelation", ["matrix", "normalised"])
def test_d_decorrelating_does_not_disturb_what_a_convolution_computes(decorrelation):
    """The residual of Theorem 2 is of second order: halving eta divides it by about four."""
    rules = {"matrix": "copi", "normalised": "normalised"}

    def residual(eta):
        net, y0, targets = network([Conv(3, 2), Conv(2, 2), 3], (2, 4, 4), 5, rule=rules[decorrelation])
        for layer in net.layers:
            layer.lateral_step = decorrelation
        trace, before = net.forward(y0), [layer.folded() * 1 for layer in net.layers]
        deltas = net.error_signals(trace, targets)
        net.step(y0, targets, eta_W=eta)
        found = []
        for k, (layer, M) in enumerate(zip(net.layers, before, strict=True)):
            y, delta = trace.y_in[k], deltas[k]
            if layer.patches is not None:
                y = layer.patches.cut(y)
                delta = layer.patches.n_positions * layer.patches.as_rows(delta)
            x, R = trace.x[k], network([Conv(3, 2), Conv(2, 2), 3], (2, 4, 4), 5)[0].layers[k].R
            scale = 1.0 if decorrelation == "matrix" else 1 / (np.mean(x**2, axis=0) + DAMPING)
            natural = (delta.T @ x / len(x)) * scale @ R
            found.append(np.abs((layer.folded() - M) / eta - natural).max())
        return np.array(found)

    coarse, fine = residual(2e-3), residual(1e-3)
    assert np.all(fine < 0.6 * coarse)
    assert np.all(coarse < 0.5)


@given(seed=SEEDS, padding=st.integers(0, 1))
def test_e_the_second_moments_are_those_of_all_patches(seed, padding):
    """R learns from <x x^T> over B P rows: the mean of what it would learn at each position alone."""
    patches, rng = Patches((2, 3, 4), 2, padding=padding), np.random.default_rng(seed)
    net = Network([Conv(3, 2, padding=padding), 2], input_shape=(2, 3, 4), rng=rng, dtype="float64")
    y0 = rng.normal(size=(5, 24))
    rows = patches.cut(y0).reshape(5, patches.n_positions, patches.n_values)
    moves = []
    for at in range(patches.n_positions):
        alone = Network([patches.n_values, 3], rng=np.random.default_rng(0), dtype="float64")
        alone.step(rows[:, at], np.zeros((5, 3)), eta_W=0.0, eta_R=0.1)
        moves.append(alone.layers[0].R - np.eye(patches.n_values))
    net.step(y0, np.zeros((5, 2)), eta_W=0.0, eta_R=0.1)
    assert_near(net.layers[0].R - np.eye(patches.n_values), np.mean(moves, axis=0), size=10)
