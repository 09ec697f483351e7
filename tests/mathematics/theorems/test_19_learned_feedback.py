"""Theorem 19. Feedback that learns as the forward weights do becomes their transpose.

Let W learn by COPI, and F, the way back from its layer, by dF = <x z^T> - diag<x^2> F from the same states.
(a) Row i of F - W^T is multiplied by 1 - eta <x_i^2> in every step, whatever the error signal is; in a convolution
too, whose rows are patches. (b) So for eta <x_i^2> below 2 feedback aligns: with F = W^T, R^T F delta is the signal of
backpropagation. (c) This needs the decay of COPI: under gradient descent, with dF = <x delta^T>, F - W^T stays as it
is. (d) A single matrix for (W R)^T would have nothing to decay with: W R moves by <delta y^T> R^T R only (Theorem 2).

Proof. (a) dW^T = <x z^T> - diag<x^2> W^T; subtract. (b) (W R)^T = R^T W^T. (c), (d) by the equations.
                                                                        Not in the paper; after Kolen and Pollack 1994.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near
from strategies import SEEDS

from copi_np import Conv, Network, Pool
from copi_np.error_signals import ErrorSignal, backpropagation, output_signal
from copi_np.more_signals import kolen_pollack, sign_symmetry

SIZES = (4, 6, 5, 3)
IMAGES = {"sizes": [Conv(2, 1), Conv(3, 2, padding=1), Pool(3), 5, 3], "input_shape": (2, 2)}


def network(seed=0, sizes=SIZES, **options):
    made = Network(sizes, rng=np.random.default_rng(seed), dtype="float64", **{"error_signal": "kp", **options})
    rng = np.random.default_rng(seed + 1)
    for layer in made.layers:
        n = len(layer.R)
        R = np.eye(n) + 0.2 * rng.normal(size=(n, n))
        R[-1] = np.eye(n)[-1]
        layer.R = R
    return made


def batch(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(7, 4)), np.eye(3)[rng.integers(0, 3, 7)]


def distances(net):
    """F - W^T of every layer but the first, without the biases of W."""
    return [F - layer.W[:, : layer.n_inputs].T for F, layer in zip(net.feedback, net.layers[1:], strict=False)]


@pytest.mark.parametrize("layers", [{}, IMAGES], ids=["dense", "images"])
@pytest.mark.parametrize("bias", [False, True])
@given(seed=SEEDS, eta=st.sampled_from([0.01, 0.1]), scale=st.sampled_from([1.0, 3.0]), weighted=st.booleans())
def test_a_every_row_of_the_distance_decays_by_the_mean_square_of_its_input(layers, bias, seed, eta, scale, weighted):
    net, (y0, targets) = network(seed % 1000, bias=bias, **layers), batch(seed)
    counts = np.arange(1.0, 8.0) / 4 if weighted else None
    rows = np.ones(7) if counts is None else counts
    for _ in range(2):
        x = net.forward(y0).x_of_units
        powers = [np.mean(np.repeat(rows, len(x_k) // 7)[:, None] * x_k**2, axis=0) for x_k in x]
        before = distances(net)
        net.step(y0, targets, eta_W=eta, eta_R=0.05, delta_scale=scale, sample_weight=counts)
        for k, (old, new) in enumerate(zip(before, distances(net), strict=True)):
            assert_near(new, (1 - eta * powers[k + 1])[:, None] * old, size=1e4)


def test_b_feedback_aligns_and_the_signals_become_those_of_backpropagation():
    """On a linear map of independent inputs. Rows of silent units, which carry nothing, keep their distance."""
    net, rng = network(activation="linear"), np.random.default_rng(5)
    target_map = rng.normal(size=(4, 3))

    def misalignment():
        y0, targets = batch()
        trace = net.forward(y0)
        delta_L = output_signal(net.loss, net.layers[-1].activation, trace.a[-1], trace.y[-1], targets)
        learned = kolen_pollack(net.layers, trace, net.feedback, delta_L)
        exact = backpropagation(net.layers, trace, [], delta_L)
        pairs = zip(learned[:-1], exact[:-1], strict=True)
        return [1 - np.sum(u * v) / np.sqrt(np.sum(u**2) * np.sum(v**2)) for u, v in pairs]

    assert min(misalignment()) > 0.9  # random at first
    for _ in range(1000):
        y0 = rng.normal(size=(10, 4))
        net.step(y0, y0 @ target_map, eta_W=0.02, eta_R=0.02)
    assert max(misalignment()) < 0.01


@given(seed=SEEDS)
def test_b_with_the_transpose_the_signal_is_exact(seed):
    net, (y0, targets) = network(seed % 1000), batch(seed)
    net.feedback = [*(layer.W.T.copy() for layer in net.layers[1:]), None]
    trace = net.forward(y0)
    delta_L = output_signal(net.loss, net.layers[-1].activation, trace.a[-1], trace.y[-1], targets)
    for learned, exact in zip(
        kolen_pollack(net.layers, trace, net.feedback, delta_L),
        backpropagation(net.layers, trace, [], delta_L),
        strict=True,
    ):
        assert_near(learned, exact, size=1e3)


def test_c_without_decay_the_distance_stays():
    def updates(trace, deltas, feedback, eta_W):
        moves = [eta_W * trace.x[k + 1].T @ deltas[k + 1] / len(deltas[0]) for k in range(len(deltas) - 1)]
        return [*moves, None]

    signal = ErrorSignal("kp without decay", kolen_pollack, "above", updates)
    net = network(error_signal=signal, rule="sgd", decorrelation=None)
    before = distances(net)
    for _ in range(20):
        net.step(*batch(), eta_W=0.05)
    for old, new in zip(before, distances(net), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-12)


@given(seed=SEEDS)
def test_signs_go_back_with_the_size_of_the_weights(seed):
    """By loops over units: the sign of each path times the root mean square of all."""
    net, (y0, targets) = network(seed % 1000, error_signal="ss"), batch(seed)
    trace = net.forward(y0)
    delta = output_signal(net.loss, net.layers[-1].activation, trace.a[-1], trace.y[-1], targets)
    signals = sign_symmetry(net.layers, trace, delta)
    for k in (1, 0):
        M = net.layers[k + 1].W @ net.layers[k + 1].R
        size = np.sqrt(np.mean(M**2))
        expected = np.zeros_like(trace.a[k])
        for row in range(len(y0)):
            for i in range(M.shape[1]):
                carried = sum(delta[row, j] * np.sign(M[j, i]) * size for j in range(M.shape[0]))
                expected[row, i] = net.layers[k].activation.df(trace.a[k])[row, i] * carried
        assert_near(signals[k], expected, size=1e3)
        delta = expected
