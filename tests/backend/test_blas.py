"""The product that is added in place equals NumPy's for every memory layout; without it, results are the same."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copi_np import Network, get_backend
from copi_np.backend import blas
from copi_np.backend.blas import gemm

DTYPES = ["float32", "float64"]
LAYOUTS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "every other": lambda A: np.repeat(np.repeat(A, 2, axis=0), 2, axis=1)[::2, ::2],
}

needs_gemm = pytest.mark.skipif(gemm("float32") is None, reason="NumPy's BLAS here has no function to call")


@pytest.mark.parametrize("dtype", DTYPES)
@given(
    m=st.integers(1, 7), n=st.integers(1, 7), k=st.integers(1, 7), seed=st.integers(0, 99),
    left=st.sampled_from(sorted(LAYOUTS)), right=st.sampled_from(sorted(LAYOUTS)), alpha=st.floats(-3, 3, width=32),
)  # fmt: skip
def test_a_product_is_added_in_place(dtype, m, n, k, seed, left, right, alpha):
    rng = np.random.default_rng(seed)
    A, B, out = (rng.normal(size=shape).astype(dtype) for shape in ((m, k), (k, n), (m, n)))
    expected = out + alpha * A.astype("float64") @ B
    left_A, right_B = LAYOUTS[left](A), LAYOUTS[right](B)
    same = out
    get_backend("numpy").matmul_add(out, left_A, right_B, alpha)
    assert out is same
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(left_A, A)
    np.testing.assert_array_equal(right_B, B)


@pytest.mark.parametrize("out", [np.zeros((4, 6))[:, ::2], np.asfortranarray(np.zeros((4, 3)))])
def test_an_output_that_blas_cannot_write_is_still_added_to(out):
    get_backend("numpy").matmul_add(out, np.ones((4, 2)), np.ones((2, 3)), 1.5)
    np.testing.assert_array_equal(out, 3)


def test_mixed_dtypes_are_added_as_numpy_does():
    out = np.zeros((2, 2))
    get_backend("numpy").matmul_add(out, np.ones((2, 2), "float32"), np.ones((2, 2)), 1.0)
    np.testing.assert_array_equal(out, 2)


@needs_gemm
def test_an_invalid_call_is_refused_before_memory_is_touched():
    product = gemm("float32")
    ones = np.ones((2, 2), "float32")
    for out, A in ((np.zeros((2, 4), "float32")[:, ::2], ones), (np.zeros((2, 2), "float32"), np.ones((2, 2)))):
        with pytest.raises(ValueError, match="contiguous, and all three arrays must have one dtype"):
            product(out, A, ones, 1.0)


def train():
    rng = np.random.default_rng(0)
    network = Network([6, 5, 3], rng=rng)
    for _ in range(20):
        y0, targets = rng.normal(size=(7, 6)), np.eye(3)[rng.integers(0, 3, 7)]
        network.step(y0.astype("float32"), targets.astype("float32"), eta_W=0.05)
    return [array for layer in network.layers for array in (layer.W, layer.R)]


@pytest.mark.parametrize("how", ["no library", "no such product", "a wrong product"])
def test_without_it_networks_learn_the_same(monkeypatch, how):
    expected = train()
    if how == "no library":
        monkeypatch.setattr(blas, "_libraries", list)
    elif how == "no such product":
        monkeypatch.setattr(blas, "NAMES", ("no_such_{}gemm",))
    else:
        monkeypatch.setattr(blas, "_with_arrays", lambda *_: lambda out, A, B, alpha: out.fill(7))
    gemm.cache_clear()
    try:
        assert gemm("float32") is None
        for actual, value in zip(train(), expected, strict=True):
            np.testing.assert_allclose(actual, value, rtol=1e-4, atol=1e-5)
    finally:
        gemm.cache_clear()


@needs_gemm
def test_scipys_blas_is_never_used():
    """Whichever is imported first: the threads of two libraries would compete."""
    code = (
        "import scipy.linalg.blas; from copi_np.backend import blas; "
        "print([library._name for library in blas._libraries()])"
    )  # fmt: skip
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "numpy.libs" in result.stdout
    assert "scipy.libs" not in result.stdout
