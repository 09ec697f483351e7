"""Theorem 9. Invariances: which changes leave the updates alone, and which the updates follow.

Proof. All updates are means over samples of an expression in one sample (Eqs. 5 and 6), so (a) neither the order of a
batch nor its repetition changes them. With a permutation or a change of signs P of the inputs (P^T P = I, and P C P^T
has the diagonal of C, permuted), (b) y -> P y, R -> P R P^T, W -> W P^T change the updates likewise, dR -> P dR P^T and
dW -> dW P^T: no input is special. (c) Other rotations do not: decorrelation depends on the axes. Rotating the outputs,
z -> Q z and W -> Q W, gives dW -> Q dW for any Q: output units learn independently. (d) x -> c x at fixed R scales dR
by c^2; with W -> W / c at fixed z it scales dW by c.                                              Sections 2.3 to 2.6.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near
from strategies import SEEDS, forward_passes, lateral_passes, orthonormal_columns, size_of

from copi_np.rules import (
    copi_update,
    decorrelation_update,
    local_decorrelation_update,
    oja_update,
    sgd_update,
    target_state,
)

LATERAL = pytest.mark.parametrize("update", [decorrelation_update, local_decorrelation_update])


def all_updates(forward):
    """Return every update of one batch, in a fixed order."""
    W, x, a, delta = forward
    R = np.resize(W, (x.shape[1], x.shape[1]))
    return [
        copi_update(W, x, target_state(a, delta)),
        sgd_update(x, delta),
        oja_update(W, x),
        decorrelation_update(R, x),
        local_decorrelation_update(R, x),
    ]


def rows(forward, index):
    """Return the same layer with the samples of `index`."""
    return forward._replace(x=forward.x[index], a=forward.a[index], delta=forward.delta[index])


def bound(forward):
    W, x, _, delta = forward
    return size_of(W, W, x, x) + size_of(x, delta)


@given(forward_passes(), st.randoms(use_true_random=False), st.integers(1, 3))
def test_a_order_and_repetition_of_samples_do_not_matter(forward, random, n_copies):
    order = list(range(len(forward.x))) * n_copies
    random.shuffle(order)
    for again, update in zip(all_updates(rows(forward, order)), all_updates(forward), strict=True):
        assert_near(again, update, bound(forward))


@given(forward_passes())
def test_a_the_update_of_a_batch_is_the_mean_of_its_samples_updates(forward):
    """Stochastic COPI (Section 2.6): the mean of the updates from one sample at a time."""
    single = [all_updates(rows(forward, [n])) for n in range(len(forward.x))]
    for update, *of_samples in zip(all_updates(forward), *single, strict=True):
        assert_near(update, np.mean([sample.astype(float) for sample in of_samples], axis=0), bound(forward))


@st.composite
def relabellings(draw, n):
    """Signed permutation matrices (n, n)."""
    order = draw(st.permutations(range(n)))
    signs = draw(st.lists(st.sampled_from([-1.0, 1.0]), min_size=n, max_size=n))
    return np.eye(n)[order] * signs


@LATERAL
@given(data=st.data())
def test_b_lateral_updates_follow_relabelled_inputs(update, data):
    """dR -> P dR P^T."""
    R, x = data.draw(lateral_passes())
    P = data.draw(relabellings(len(R))).astype(R.dtype)
    assert_near(update(P @ R @ P.T, x @ P.T), P @ update(R, x) @ P.T, size_of(R, x, x))


@given(st.data())
def test_b_forward_updates_follow_relabelled_inputs(data):
    """dW -> dW P^T."""
    W, x, a, delta = data.draw(forward_passes())
    P = data.draw(relabellings(x.shape[1])).astype(W.dtype)
    z = a + delta
    assert_near(copi_update(W @ P.T, x @ P.T, z), copi_update(W, x, z) @ P.T, size_of(W, x, x) + size_of(z, x))


@given(forward_passes(), SEEDS)
def test_c_output_units_learn_apart(forward, seed):
    """dW -> Q dW for any rotation of the outputs."""
    W, x, a, delta = (values.astype(float) for values in forward)
    Q = orthonormal_columns(np.random.default_rng(seed), len(W), len(W))
    z = a + delta
    assert_near(copi_update(Q @ W, x, z @ Q.T), Q @ copi_update(W, x, z), 5 * (size_of(W, x, x) + size_of(z, x)))


@LATERAL
def test_c_a_rotation_of_the_inputs_is_seen(update):
    """Decorrelated inputs (1, 0), (0, 2) rest; turned by 45 degrees they do not."""
    x = np.array([[1.0, 0.0], [0.0, 2.0]])
    turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
    np.testing.assert_array_equal(update(np.eye(2), x), 0)
    assert np.linalg.norm(update(np.eye(2), x @ turn.T)) > 0.5


@LATERAL
@given(lateral=lateral_passes(), c=st.floats(-4, 4, width=32))
def test_d_lateral_updates_scale_with_the_square_of_the_input(update, lateral, c):
    """c^2 dR at fixed R."""
    R, x = lateral
    c = x.dtype.type(c)
    assert_near(update(R, c * x), c**2 * update(R, x), size_of(R, c * x, c * x))


@given(forward_passes(), st.sampled_from([-2.0, 0.25, 8.0]))
def test_d_forward_updates_scale_with_the_input(forward, c):
    """To c dW, if W -> W / c, so that the layer computes the same."""
    W, x, a, delta = forward
    z = a + delta
    assert_near(copi_update(W / c, c * x, z), c * copi_update(W, x, z), size_of(W, x, c * x) + size_of(z, c * x))
