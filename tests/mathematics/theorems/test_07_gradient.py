"""Theorem 7. Backpropagation sends the negative gradient of each sample's loss in the pre-activations, -dloss/da_k.

Proof. delta_L = -f'(a_L) * dloss/dy_L by the chain rule, and a_{k+1} = W R f(a_k) gives
delta_k = f'(a_k) * (W R)^T delta_{k+1}: through the lateral weights as well as the forward weights.

So <delta x^T> and <W^T delta y^T> are the negative gradients of the mean loss in W and in R. Checked by central
differences of a loss that is computed sample by sample, along random directions.                          Section 2.5.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import directional_derivative, oracle_of, sgd
from strategies import SEEDS, SMOOTH, tasks

LOSSES = pytest.mark.parametrize("loss", ["quadratic", "cross_entropy"])


def probabilities(rng, task):
    """Use class probabilities as targets, which suit both losses."""
    return task._replace(targets=rng.dirichlet(np.ones(task.targets.shape[1]), len(task.y0)))


def passes(task):
    """Return the trace and the error signals of the task's batch."""
    trace = task.network.forward(task.y0)
    return trace, task.network.error_signals(trace, task.targets)


@LOSSES
@given(data=st.data(), seed=SEEDS)
def test_signals_are_the_negative_gradient_in_the_pre_activations(loss, data, seed):
    """-delta_k . v is the slope of a sample's loss when its a_k moves along v, in every layer."""
    rng = np.random.default_rng(seed)
    task = probabilities(rng, data.draw(tasks(activations=SMOOTH, loss=loss)))
    oracle = oracle_of(task.network)
    trace, deltas = passes(task)
    for k, delta in enumerate(deltas):
        for n, target in enumerate(task.targets):
            v = rng.normal(size=delta.shape[1])
            slope = directional_derivative(lambda a: oracle.loss_from(k, a, target), trace.a[k][n], v)  # noqa: B023
            assert -delta[n] @ v == pytest.approx(slope, rel=1e-6, abs=1e-6)


@LOSSES
@given(data=st.data(), seed=SEEDS)
def test_updates_are_the_negative_gradient_in_the_weights(loss, data, seed):
    """<delta x^T> in W and <W^T delta y^T> in R, of the mean loss of the batch, in every layer."""
    rng = np.random.default_rng(seed)
    task = probabilities(rng, data.draw(tasks(activations=SMOOTH, loss=loss)))
    trace, deltas = passes(task)
    for k, (layer, delta) in enumerate(zip(task.network.layers, deltas, strict=True)):
        updates = {"W": sgd(trace.x[k], delta), "R": sgd(trace.y_in[k], delta @ layer.W)}
        for name, update in updates.items():

            def mean_loss(matrix, name=name, k=k):
                oracle = oracle_of(task.network)
                getattr(oracle, name)[k] = matrix
                return oracle.mean_loss(task.y0, task.targets)

            V = rng.normal(size=update.shape)
            slope = directional_derivative(mean_loss, getattr(layer, name), V)
            assert -np.sum(update * V) == pytest.approx(slope, rel=1e-6, abs=1e-6)
