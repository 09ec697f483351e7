"""Theorem 10. A single synapse: every matrix update is the scalar formula of Appendix C, entry by entry.

    COPI, forward    dw_ij = z_i x_j - w_ij x_j^2            z = W x + delta     pre-synaptic decay
    COPI, lateral    dr_ij = -(q_i x_j - r_ij x_j^2)         q = R x             pre-synaptic decay
    Oja              dm_ij = y_i x_j - m_ij y_i^2            y = M x             post-synaptic decay

Proof. Write out an entry of each product; x_i x_j is that of <x x^T> for one sample.

(a) The lateral rule is the forward rule for R, with its own output q as target and the sign reversed; since the rule is
odd in the weights, this is also its value at -R, as Appendix C writes it. (b) Oja's decay sets the size of a unit's
weights: it rests where they are a unit eigenvector of C (C m = <y^2> m, hence |m|^2 = 1, unless <y^2> = 0). COPI's
keeps any size, since its decay depends on the input of the synapse, not on the output of the unit.       Appendix C.
"""

from __future__ import annotations

import numpy as np
import oracles
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near
from strategies import SEEDS, batch_of, decorrelated_batches, forward_passes, lateral_passes, size_of, spd_matrices

from copi_np.rules import copi_update, decorrelation_update, local_decorrelation_update, oja_update, transform


@given(forward_passes())
def test_forward_synapses(forward):
    """Loops over samples, outputs and inputs."""
    W, x, a, delta = forward
    z = a + delta
    assert_near(copi_update(W, x, z), oracles.copi(W, x, z), size_of(W, x, x) + size_of(z, x))


@given(lateral_passes())
def test_lateral_synapses(lateral):
    """Loops over samples and pairs of inputs."""
    R, x = lateral
    assert_near(local_decorrelation_update(R, x), oracles.decorrelation_local(R, x), size_of(R, x, x))


@given(lateral_passes())
def test_lateral_synapses_of_the_matrix_form(lateral):
    """dr_ij = -sum over k other than i of x_i x_k r_kj: it needs the weights of other units, and is not local."""
    R, x = lateral
    assert_near(decorrelation_update(R, x), oracles.decorrelation_matrix(R, x), size_of(R, x, x))


@given(forward_passes())
def test_oja_synapses(forward):
    """Loops over samples, outputs and inputs."""
    M, x, y, _ = forward
    assert_near(oja_update(M, x), oracles.oja(M, x), size_of(M, x, x) + size_of(M, y, y))


@given(lateral_passes())
def test_a_the_lateral_rule_is_the_forward_rule_with_its_sign_reversed(lateral):
    """dR = -dW_copi(R, x, z = R x) = dW_copi(-R, x, z = -R x)."""
    R, x = lateral
    dR = local_decorrelation_update(R, x)
    assert_near(dR, -copi_update(R, x, transform(R, x)), size_of(R, x, x))
    assert_near(dR, copi_update(-R, x, transform(-R, x)), size_of(R, x, x))


@given(spd_matrices(st.integers(2, 5)), st.integers(0, 4))
def test_b_oja_rests_at_unit_eigenvectors(sigma, k):
    """At length 1, not at half or twice that."""
    m = np.linalg.eigh(sigma)[1][:, [k % len(sigma)]].T
    x = batch_of(sigma)
    assert_near(oja_update(m, x), np.zeros_like(m), size=100)
    for size in (0.5, 2.0):
        assert np.linalg.norm(oja_update(size * m, x)) > 0.01


@given(decorrelated_batches(), SEEDS, st.floats(0.1, 10))
def test_b_copi_rests_at_any_size(x, seed, size):
    """On decorrelated inputs, with the unit's own output as target."""
    W = size * np.random.default_rng(seed).normal(size=(2, x.shape[1]))
    assert_near(copi_update(W, x, transform(W, x)), np.zeros_like(W), size_of(W, x, x))
