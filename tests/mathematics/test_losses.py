"""Losses against sums over samples and outputs, gradients against finite differences of one sample's loss."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near, directional_derivative
from strategies import DTYPES, LENGTHS, SEEDS, arrays

from copi_np import InputError
from copi_np.losses import LOSSES, cross_entropy, log_softmax, quadratic

named = pytest.mark.parametrize("name", ["quadratic", "cross_entropy"])


@st.composite
def outputs_and_targets(draw, dtypes=DTYPES):
    """Outputs (B, K), and targets (B, K) that are class probabilities."""
    B, K, dtype = draw(LENGTHS), draw(LENGTHS), draw(dtypes)
    y = draw(arrays((B, K), dtype))
    return y, np.random.default_rng(draw(SEEDS)).dirichlet(np.ones(K), B).astype(dtype)


def test_the_table_holds_every_loss_under_its_name():
    assert {name: loss.name for name, loss in LOSSES.items()} == {name: name for name in oracles.LOSS}


@named
@given(batch=outputs_and_targets())
def test_there_is_one_value_per_sample_and_their_mean(name, batch):
    """Summed over outputs, averaged over the batch: (B,) and () arrays of the same dtype."""
    y, targets = batch
    values, mean = LOSSES[name].values(y, targets), LOSSES[name].mean(y, targets)
    assert values.dtype == mean.dtype == y.dtype
    each = [oracles.LOSS[name](*sample) for sample in zip(y.astype(float), targets.astype(float), strict=True)]
    assert_near(values, each, size=100)
    assert_near(mean, np.mean(each), size=100)


@named
@given(batch=outputs_and_targets(), seed=SEEDS)
def test_the_mean_counts_a_sample_as_often_as_its_weight_says(name, batch, seed):
    """Divided by B all the same, not by the sum of the weights."""
    y, targets = batch
    weights = np.random.default_rng(seed).uniform(0, 3, len(y)).astype(y.dtype)
    each = [oracles.LOSS[name](*sample) for sample in zip(y.astype(float), targets.astype(float), strict=True)]
    expected = sum(float(w) * value for w, value in zip(weights, each, strict=True)) / len(y)
    assert_near(LOSSES[name].mean(y, targets, weights), expected, size=300)


@named
@given(batch=outputs_and_targets(st.just(np.float64)), seed=SEEDS)
def test_the_gradient_is_that_of_each_samples_own_loss(name, batch, seed):
    """It has the factor 2 of the square, and is not divided by B."""
    y, targets = batch
    gradient = LOSSES[name].gradient(y, targets)
    direction = np.random.default_rng(seed).normal(size=y.shape)
    for n in range(len(y)):
        expected = directional_derivative(lambda y_n: oracles.LOSS[name](y_n, targets[n]), y[n], direction[n])  # noqa: B023
        assert gradient[n] @ direction[n] == pytest.approx(expected, abs=1e-7)


def test_the_quadratic_loss_by_hand():
    """||(1, 2) - (0, 0)||^2 = 5 and ||(0, 0) - (1, 0)||^2 = 1: mean 3."""
    y, targets = np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [1.0, 0.0]])
    np.testing.assert_array_equal(quadratic(y, targets), [5, 1])
    assert LOSSES["quadratic"].mean(y, targets) == 3
    np.testing.assert_array_equal(LOSSES["quadratic"].gradient(y, targets), [[2, 4], [-2, 0]])


@given(outputs_and_targets())
def test_softmax_is_a_distribution(batch):
    """exp(log_softmax) adds up to 1, and a shift of all logits changes nothing."""
    y, _ = batch
    assert_near(np.exp(log_softmax(y)).sum(axis=1), np.ones(len(y)))
    assert_near(log_softmax(y + 8), log_softmax(y), size=10)


def test_a_sample_does_not_see_the_logits_of_another():
    """Beside logits of 1e4, those of a sample at 0 are as they are alone."""
    y = np.array([[1e4, 0.0], [0.0, 0.0]])
    np.testing.assert_array_equal(log_softmax(y)[1:], log_softmax(y[1:]))


def test_cross_entropy_of_huge_logits_is_finite():
    """exp would overflow at 1e4; the loss of the right class is 0, of the wrong one the distance."""
    y = np.array([[1e4, 0.0, -1e4]])
    assert cross_entropy(y, np.array([[1.0, 0.0, 0.0]])).tolist() == [0]
    assert cross_entropy(y, np.array([[0.0, 0.0, 1.0]])).tolist() == [2e4]


@named
def test_wrong_shapes_are_refused(name):
    for function in (LOSSES[name].values, LOSSES[name].gradient):
        with pytest.raises(InputError, match="do not fit 'BK BK'"):
            function(np.zeros((3, 2)), np.zeros((3, 4)))
        with pytest.raises(InputError, match="do not fit 'BK BK'"):
            function(np.zeros((3, 2)), np.zeros((1, 2)))
        with pytest.raises(InputError, match="mixed dtypes"):
            function(np.zeros((3, 2)), np.zeros((3, 2), np.float32))


def test_logits_are_samples_by_classes():
    with pytest.raises(InputError, match="do not fit 'BK'"):
        log_softmax(np.zeros(3))
