"""Whitening transforms against their definitions, and measures of correlation against sums over pairs."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near
from scipy.linalg import sqrtm
from strategies import SEEDS, arrays, batches, correlated_batches, decorrelated_batches, spd_matrices, whitened_batches

from copi_np import InputError, whitening
from copi_np.whitening import (
    asymmetry,
    cholesky,
    decorrelation_loss,
    feature_correlation,
    hadamard_defect,
    mean_absolute_correlation,
    off_diagonal,
    pca,
    second_moment,
    zca,
)

TRANSFORMS = [zca, pca, cholesky]
each_transform = pytest.mark.parametrize("transform", TRANSFORMS)
MATRICES = [off_diagonal, *TRANSFORMS, decorrelation_loss, mean_absolute_correlation, hadamard_defect, asymmetry]


def test_every_public_function_is_tested_here():
    public = {f for f in vars(whitening).values() if getattr(f, "__module__", "") == whitening.__name__}
    assert {f for f in public if not f.__name__.startswith("_")} == {
        second_moment,
        feature_correlation,
        *MATRICES,
    }


# ---------------------------------------------------------------- moments


@given(batches())
def test_second_moment(x):
    """C_ij is the mean of x_i x_j: not centred, divided by B."""
    assert_near(second_moment(x), oracles.second_moment(x), size=10)


@given(st.integers(1, 5).flatmap(lambda n: arrays((n, n))))
def test_off_diagonal(C):
    """The rest is diagonal: C - off(C) = diag(C)."""
    np.testing.assert_array_equal(off_diagonal(C), oracles.off(C))


# ---------------------------------------------------------------- transforms


@each_transform
@given(x=correlated_batches())
def test_transforms_whiten(transform, x):
    """x = M y has <x x^T> = I."""
    M = transform(second_moment(x))
    # the condition of sigma is at most 100^2
    assert_near(oracles.second_moment(x @ M.T), np.eye(len(M)), ulps=1e6)


@given(spd_matrices())
def test_zca_is_the_inverse_of_the_symmetric_root(sigma):
    """M sigma^(1/2) = I."""
    M = zca(sigma)
    assert_near(M, M.T)
    assert_near(M @ np.real(sqrtm(sigma)), np.eye(len(M)), ulps=1e4)


@given(spd_matrices())
def test_pca_rotates_to_the_principal_axes(sigma):
    """Rows are eigenvectors over the root of their variance, the largest variance first."""
    M = pca(sigma)
    variances = [1 / (row @ row) for row in M]
    for row, variance in zip(M, variances, strict=True):
        assert_near(sigma @ row, variance * row, size=50, ulps=1e3)
    assert np.all(np.diff(variances) <= 1e-12)


@given(spd_matrices())
def test_cholesky_is_the_inverse_of_a_lower_factor(sigma):
    """M^-1 is lower triangular with a positive diagonal, and M^-1 M^-T = sigma."""
    M = cholesky(sigma)
    L = np.linalg.inv(M)
    assert_near(np.triu(M, 1), np.zeros_like(M))
    assert np.all(np.diag(M) > 0)
    assert_near(L @ L.T, sigma, ulps=1e4)


@each_transform
@given(sigma=spd_matrices(), epsilon=st.floats(0.01, 10))
def test_epsilon_is_added_to_every_eigenvalue(transform, sigma, epsilon):
    """It whitens sigma + epsilon I."""
    M = transform(sigma, epsilon)
    assert_near(M @ (sigma + epsilon * np.eye(len(M))) @ M.T, np.eye(len(M)), ulps=1e4)


@each_transform
@pytest.mark.parametrize("sigma", [np.zeros((2, 2)), np.diag([1.0, 0.0]), np.diag([1.0, -1.0]), np.ones((2, 2))])
def test_singular_matrices_are_refused(transform, sigma):
    """Unless epsilon makes them regular."""
    why = r"the smallest eigenvalue is \S+, the largest \S+"
    advice = (
        f"raise epsilon, e.g. to {max(np.trace(sigma) / 20, 0) or 0.01:.2g}, give more samples than inputs, or drop"
    )
    advice += " inputs that are always zero or combinations of others"
    with pytest.raises(InputError, match=f"^cannot whiten: {why}: {advice}$"):
        transform(sigma)
    assert np.isfinite(transform(sigma, epsilon=2.0)).all()


@each_transform
@pytest.mark.parametrize("sigma", [np.eye(2, dtype=int), np.diag([1.0, np.nan]), np.diag([1.0, np.inf])])
def test_only_finite_floats_are_whitened(transform, sigma):
    with pytest.raises(InputError, match=r"^cannot whiten: sigma must hold finite numbers of a floating-point dtype$"):
        transform(sigma)


@each_transform
@pytest.mark.parametrize("epsilon", ["a", None, -0.1, np.nan])
def test_an_invalid_epsilon_is_named(transform, epsilon):
    with pytest.raises(InputError, match=r"^epsilon must be a finite number, at least 0, got"):
        transform(np.eye(2), epsilon)


@each_transform
def test_a_numpy_epsilon_does_not_change_the_dtype(transform):
    assert transform(np.eye(2, dtype=np.float32), np.float64(0.1)).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_transform
def test_transforms_keep_the_dtype_and_do_not_change_their_argument(transform, dtype):
    sigma = np.array([[2.0, 1.0], [1.0, 3.0]], dtype)
    sigma.flags.writeable = False
    assert transform(sigma).dtype == dtype
    assert_near(transform(sigma), transform(sigma.astype(float)), ulps=20)


@pytest.mark.parametrize("function", MATRICES)
@pytest.mark.parametrize("shape", [(2, 3), (2,), (2, 2, 2)])
def test_only_square_matrices_are_taken(function, shape):
    with pytest.raises(InputError, match="do not fit 'II'"):
        function(np.ones(shape))


# ---------------------------------------------------------------- measures


@given(batches(dtypes=st.just(np.float64)))
def test_decorrelation_loss(x):
    """Mean of C_ij^2 over i other than j; 0 for a single input."""
    C = oracles.second_moment(x)
    n = len(C)
    pairs = [C[i, j] ** 2 for i in range(n) for j in range(n) if i != j] or [0.0]
    assert_near(decorrelation_loss(C), np.mean(pairs), size=100)


@given(batches(dtypes=st.just(np.float64), n_samples=st.just(4)), st.integers(0, 2))
def test_mean_absolute_correlation(x, n_dead):
    """Mean of |C_ij| / sqrt(C_ii C_jj) over pairs of inputs that are not always zero."""
    x = np.where(np.abs(x) < 1e-3, 0.0, x)
    x[:, :n_dead] = 0
    C = oracles.second_moment(x)
    n = len(C)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j and C[i, i] > 0 and C[j, j] > 0]
    each = [abs(C[i, j]) / np.sqrt(C[i, i] * C[j, j]) for i, j in pairs] or [0.0]
    assert_near(mean_absolute_correlation(C), np.mean(each))


def test_equal_inputs_are_fully_correlated():
    assert mean_absolute_correlation(np.full((3, 3), 4.0)) == 1


@given(batches(dtypes=st.just(np.float64)), SEEDS)
def test_feature_correlation(x, seed):
    """Cosine of the angle between column i of x and column i of u; 0 where one of them is zero."""
    u = np.random.default_rng(seed).normal(size=x.shape)
    x, u = np.where(np.abs(x) < 1e-3, 0.0, x), np.where(np.abs(u) < 0.5, 0.0, u)
    sizes = [np.linalg.norm(p) * np.linalg.norm(q) for p, q in zip(x.T, u.T, strict=True)]
    cosines = [p @ q / size if size > 0 else 0.0 for p, q, size in zip(x.T, u.T, sizes, strict=True)]
    assert_near(feature_correlation(x, u), cosines)


def test_a_feature_correlates_with_its_multiples():
    x = np.array([[1.0, 2.0, 0.0, 1.0], [3.0, -1.0, 0.0, 1.0]])
    assert feature_correlation(x, x * [2, -3, 1, 0]) == pytest.approx([1, -1, 0, 0], abs=1e-15)
    with pytest.raises(InputError, match="do not fit 'BI BI'"):
        feature_correlation(x, x[:, :2])


@given(spd_matrices(), SEEDS)
def test_hadamard_defect(sigma, seed):
    """sum log C_ii - log det C is at least 0, and independent of the scale of any input."""
    expected = np.log(np.prod(np.diag(sigma))) - np.sum(np.log(np.linalg.eigvalsh(sigma)))
    assert hadamard_defect(sigma) == pytest.approx(expected, abs=1e-10)
    assert hadamard_defect(sigma) >= -1e-12
    scales = np.random.default_rng(seed).uniform(0.1, 10, len(sigma))
    assert hadamard_defect(sigma * np.outer(scales, scales)) == pytest.approx(expected, abs=1e-9)


@given(decorrelated_batches())
def test_all_measures_are_zero_on_decorrelated_batches(x):
    C = second_moment(x)
    assert decorrelation_loss(C) <= 1e-24
    assert mean_absolute_correlation(C) <= 1e-12
    assert hadamard_defect(C) == pytest.approx(0, abs=1e-12)


@given(whitened_batches())
def test_whitened_batches_need_no_whitening(x):
    assert_near(zca(second_moment(x)), np.eye(x.shape[1]))


@pytest.mark.parametrize("C", [np.diag([1.0, -1.0]), np.ones((2, 2))])
def test_the_hadamard_defect_needs_a_positive_determinant(C):
    why = "the Hadamard defect needs a positive definite second-moment matrix: drop inputs that are always zero "
    why += "or combinations of others"
    with pytest.raises(InputError, match=f"^{why}$"):
        hadamard_defect(C)


@given(arrays((3, 3)), st.floats(0.1, 3))
def test_asymmetry(M, c):
    """||R - R^T|| / ||R|| is 0 for a symmetric and 2 for an antisymmetric matrix, at any scale."""
    R = M + c * np.eye(3)
    total = sum((R[i, j] - R[j, i]) ** 2 for i in range(3) for j in range(3)) / sum(r**2 for r in R.ravel())
    assert asymmetry(R) == pytest.approx(np.sqrt(total))
    assert asymmetry(R + R.T + 20 * np.eye(3)) == 0


def test_asymmetry_of_an_antisymmetric_matrix():
    assert asymmetry(np.array([[0.0, 3.0], [-3.0, 0.0]])) == pytest.approx(2)


def test_an_infinite_moment_is_an_infinite_loss():
    """Not NaN, which would hide that training blew up."""
    assert decorrelation_loss(np.array([[1.0, np.inf], [np.inf, 1.0]])) == np.inf
