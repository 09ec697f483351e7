"""Theorem 8. COPI rests at W* = <z x^T> diag<x^2>^-1: on decorrelated inputs, the least-squares map from x to z.

Proof. dW = <z x^T> - W diag<x^2> is zero there and, without dead inputs, nowhere else. If C is invertible, the
least-squares map is W_ls = <z x^T> C^-1, and C = diag<x^2> on decorrelated inputs.

So (a) with fixed targets every column converges to it on its own, for 0 < eta < 2 / max_j <x_j^2>: column j of W - W*
is multiplied by 1 - eta <x_j^2> per step; (b) the linear map of Appendix B equals least squares, without inverting a
matrix, and so does the matrix that replaces several layers in a compressed network; (c) on correlated inputs it differs
in general: W* = W_ls (I + off(C) diag<x^2>^-1).  Section 2.3, Appendix B.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near, least_squares, off, second_moment
from strategies import SEEDS, arrays, correlated_batches, decorrelated_batches

from copi_np import Network
from copi_np.analysis import compress, stack_map
from copi_np.rules import copi_update, linear_map, mean_square
from copi_np.whitening import pca


def targets_and_weights(x, seed, n_outputs=3):
    """Draw z (B, O) and W (O, I) independently of x."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(len(x), n_outputs)), rng.normal(size=(n_outputs, x.shape[1]))


ALIVE = arrays((4, 3), elements=st.floats(0.1, 3) | st.floats(-3, -0.1))
"""Batches without dead inputs, correlated in any way."""


@given(ALIVE, SEEDS)
def test_the_update_is_zero_only_at_the_fixed_point(x, seed):
    """Any move away from it causes an update of the opposite sign, in every synapse."""
    z, move = targets_and_weights(x, seed)
    rest = linear_map(x, z)
    assert_near(copi_update(rest, x, z), np.zeros_like(rest), size=100)
    assert np.all(np.sign(copi_update(rest + move, x, z)) == -np.sign(move))


@given(ALIVE, SEEDS, st.floats(0, 0.2))
def test_a_every_column_converges_on_its_own(x, seed, eta):
    """Geometrically, at the rate of its own mean square."""
    z, W = targets_and_weights(x, seed)
    rest = linear_map(x, z)
    expected = rest + (W - rest) * (1 - eta * mean_square(x)) ** 10
    for _ in range(10):
        W = W + eta * copi_update(W, x, z)
    assert_near(W, expected, size=100)


@given(decorrelated_batches(), SEEDS)
def test_b_it_is_least_squares_on_decorrelated_inputs(x, seed):
    """Z X^T D = Z X^+, where X X^T is diagonal."""
    z, _ = targets_and_weights(x, seed)
    assert_near(linear_map(x, z), least_squares(x, z), size=100)


@st.composite
def decorrelated_networks(draw, sizes=(4, 5, 4, 3, 2)):
    """A network with inputs (B, I) that make every layer's x decorrelated up to rounding, with any variances."""
    rng = np.random.default_rng(draw(SEEDS))
    network = Network(list(sizes), rng=rng, activation="tanh", dtype="float64")
    y = y0 = rng.normal(size=(40, sizes[0]))
    for layer in network.layers:
        layer.R = rng.uniform(0.3, 3, (layer.n_inputs, 1)) * pca(y.T @ y / len(y))
        y = layer.forward(y)[2]
    return network, y0


STACKS = st.sampled_from([(0, 3), (1, 2), (1, 3), (2, 2)])


@given(decorrelated_networks(), STACKS)
def test_b_a_compressed_stack_of_layers_is_least_squares(case, stack):
    """No linear map of its decorrelated inputs is closer to its outputs, and no chunk is counted twice."""
    network, y0 = case
    first, last = stack
    trace = network.forward(y0)
    best = least_squares(trace.x[first], trace.y[last])
    assert_near(stack_map(network, y0, first, last, batch_size=7), best, size=100, ulps=1e5)
    small = compress(network, y0, 4 - (last - first), first=first, batch_size=7)
    assert_near(small.forward(y0).y[first], trace.x[first] @ best.T, size=100, ulps=1e5)


@given(decorrelated_networks(), st.sampled_from([(0, 1), (1, 2), (1, 3)]))
def test_b_a_map_to_pre_activations_is_that_of_one_layer_fewer(case, stack):
    """Decorrelated or not: a = W R y is linear in y, and so is the map in its target."""
    network, y0 = case
    first, last = stack
    y0 = y0 + 1
    trace = network.forward(y0)
    to_outputs = stack_map(network, y0, first, last - 1)
    assert_near(linear_map(trace.x[first], trace.a[last]), network.layers[last].folded() @ to_outputs, size=1000)


@given(correlated_batches(st.integers(2, 5)), SEEDS)
def test_c_it_differs_from_least_squares_on_correlated_inputs(x, seed):
    """By the correlation in units of the variance."""
    z, _ = targets_and_weights(x, seed)
    C, best = second_moment(x), least_squares(x, z)
    expected = best @ (np.eye(len(C)) + off(C) / np.diag(C))
    # the condition of C is at most 100^2
    assert_near(linear_map(x, z), expected, size=np.max(np.abs(best)), ulps=1e7)


def test_c_exact_weights_are_not_found_on_correlated_inputs():
    """z = D x, but COPI rests at other weights: it really needs decorrelated inputs."""
    x, D = np.array([[1.0, 1.0], [1.0, 0.0]]), np.array([[1.0, 2.0]])
    np.testing.assert_allclose(least_squares(x, x @ D.T), D)
    np.testing.assert_allclose(linear_map(x, x @ D.T), [[2.0, 3.0]])
