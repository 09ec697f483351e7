"""Hypothesis strategies, named by what they generate: they build in what a property assumes, instead of filtering.

Letters of shapes: B samples in a batch, I inputs and O outputs of a layer.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from copi_np import Network, family

LENGTHS = st.integers(1, 5)
DEPTHS = st.integers(1, 4)
DTYPES = st.sampled_from([np.float32, np.float64])
ENTRIES = st.floats(-3, 3, width=32, allow_subnormal=False)
SEEDS = st.integers(0, 2**32 - 1)
SMOOTH = ("tanh", "linear")
ALL_ACTIVATIONS = ("leaky_relu", "relu", "tanh", "linear")

RULE_AXES = {
    "mean_outer": "BM BN",
    "mean_square": "BI",
    "decorrelate": "II BI",
    "transform": "OI BI",
    "target_state": "BO BO",
    "decay_towards": "OI OI",
    "inference_update": "OI BI BO",
    "whitened_update": "OI BI BO",
    "copi_update": "OI BI BO",
    "sgd_update": "BI BO",
    "decorrelation_update": "II BI",
    "local_decorrelation_update": "II BI",
    "linear_map": "BI BO",
    "oja_update": "OI BI",
}
"""The shapes of the arguments of every function of `rules`."""
FAMILY_AXES = {
    "kappa_decorrelation_update": "II BI",
    "kappa_update": "OI BI BO BO",
    "gain_controlled_update": "II BI BI",
    "normalised_decorrelation_update": "II BI",
    "normalised_update": "OI BI BO",
    "natural_update": "BI BO II",
    "centred_decorrelation_update": "II BI",
    "foldiak_decorrelate": "II BI",
    "foldiak_update": "II BI",
}
"""The shapes of the arguments of every function of `family`, but for numbers."""


def family_function(name):
    """Return a function of `family` that takes arrays alone: where a step size is asked for, it is 0.1."""
    function = getattr(family, name)
    return partial(function, eta_R=0.1) if name == "gain_controlled_update" else function


def arrays(shape, dtype=np.float64, elements=ENTRIES):
    """Arrays of a given shape, every entry drawn independently."""
    return npst.arrays(dtype, shape, elements=elements, fill=st.nothing())


def size_of(*factors):
    """Return a bound on the terms of a product of these arrays, which sums over at most 5 units."""
    return 5 * float(np.prod([1 + np.max(np.abs(factor)) for factor in factors]))


@st.composite
def batches(draw, n_samples=LENGTHS, n_units=LENGTHS, dtypes=DTYPES):
    """Batches (B, I)."""
    return draw(arrays((draw(n_samples), draw(n_units)), draw(dtypes)))


class ForwardPass(NamedTuple):
    """W (O, I), x (B, I), a = W x and delta, both (B, O)."""

    W: np.ndarray
    x: np.ndarray
    a: np.ndarray
    delta: np.ndarray


@st.composite
def forward_passes(draw, dtypes=DTYPES):
    """One layer's forward weights, a batch through them, and an arbitrary error signal."""
    B, O, I = draw(LENGTHS), draw(LENGTHS), draw(LENGTHS)  # noqa: E741
    dtype = draw(dtypes)
    W, x = draw(arrays((O, I), dtype)), draw(arrays((B, I), dtype))
    return ForwardPass(W, x, x @ W.T, draw(arrays((B, O), dtype)))


class LateralPass(NamedTuple):
    """R (I, I) and x (B, I)."""

    R: np.ndarray
    x: np.ndarray


@st.composite
def lateral_passes(draw, dtypes=DTYPES):
    """Arbitrary lateral weights, not symmetric, and a batch of decorrelated inputs to them."""
    B, I, dtype = draw(LENGTHS), draw(LENGTHS), draw(dtypes)  # noqa: E741
    return LateralPass(draw(arrays((I, I), dtype)), draw(arrays((B, I), dtype)))


def orthonormal_columns(rng, n_rows, n_columns):
    """Return a random matrix Q (n_rows, n_columns) with Q^T Q = I."""
    return np.linalg.qr(rng.normal(size=(n_rows, n_columns)))[0]


@st.composite
def spd_matrices(draw, n=LENGTHS, spectrum=(0.1, 10)):
    """Symmetric positive definite matrices (I, I), their eigenvalues drawn from an interval."""
    n = draw(n)
    Q = orthonormal_columns(np.random.default_rng(draw(SEEDS)), n, n)
    values = draw(arrays((n,), elements=st.floats(*spectrum)))
    sigma = (Q * values) @ Q.T
    return (sigma + sigma.T) / 2


def batch_of(sigma):
    """Return a batch (I, I) whose second moments are sigma: COPI's rules act on it as on the population."""
    return np.sqrt(len(sigma)) * np.linalg.cholesky(sigma).T


@st.composite
def decorrelated_batches(draw, n_units=LENGTHS):
    """Float64 batches (B, I), B >= I, whose second moments C are diagonal up to rounding, C_ii in [0.1, 10]."""
    n = draw(n_units)
    B = n + draw(st.integers(0, 4))
    U = orthonormal_columns(np.random.default_rng(draw(SEEDS)), B, n)
    return U * np.sqrt(B * draw(arrays((n,), elements=st.floats(0.1, 10))))


@st.composite
def whitened_batches(draw, n_units=LENGTHS):
    """Float64 batches (B, I), B >= I, with C = I up to rounding."""
    n = draw(n_units)
    B = n + draw(st.integers(0, 4))
    return orthonormal_columns(np.random.default_rng(draw(SEEDS)), B, n) * np.sqrt(B)


@st.composite
def correlated_batches(draw, n_units=LENGTHS):
    """Float64 batches (B, I), B >= I, of full rank and well conditioned, correlated."""
    x = draw(whitened_batches(n_units))
    return x @ draw(spd_matrices(st.just(x.shape[1])))


class Task(NamedTuple):
    """A network with a batch (B, I) to learn from, and targets (B, K)."""

    network: Network
    y0: np.ndarray
    targets: np.ndarray


def randomise_lateral(network, rng):
    """Give every layer lateral weights that are neither the identity nor symmetric."""
    for layer in network.layers:
        n = layer.n_inputs
        R = np.eye(n) + 0.3 * rng.normal(size=(n, n))
        layer.R = network.backend.asarray(R, network.config["dtype"])


@st.composite
def tasks(draw, n_layers=DEPTHS, activations=ALL_ACTIVATIONS, sizes=None, lateral=True, **options):
    """Networks of distinct random weights and (`lateral`) lateral weights, each with a batch.

    `options` go to `Network`.
    """
    if sizes is None:
        depth = draw(n_layers)
        # all different, which reveals swapped axes; or all equal, where a transposed matrix would fit
        different = st.lists(st.integers(1, 6), min_size=depth + 1, max_size=depth + 1, unique=True)
        same = st.integers(2, 4).map(lambda width: [width] * (depth + 1))
        sizes = draw(different | same)
    options = {"activation": draw(st.sampled_from(activations)), "dtype": "float64", **options}
    rng = np.random.default_rng(draw(SEEDS))
    network = Network(sizes, rng=rng, **options)
    if lateral:
        randomise_lateral(network, rng)
    B = draw(LENGTHS)
    y0, targets = rng.normal(size=(B, sizes[0])), rng.normal(size=(B, sizes[-1]))
    return Task(network, *(network.backend.asarray(values, options["dtype"]) for values in (y0, targets)))
