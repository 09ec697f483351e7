"""Features that are linear in others have no whitening: they are refused, and nothing else is."""

from __future__ import annotations

import warnings
from contextlib import suppress

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from strategies import orthonormal_columns

from copi_np import InputError, rules
from copi_np.estimators import COPIClassifier, COPIRegressor, Decorrelator
from copi_np.whitening import cholesky, hadamard_defect, pca, second_moment, zca

DTYPES = (np.float32, np.float64)
TRANSFORMS = {"zca": zca, "pca": pca, "cholesky": cholesky}
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_method = pytest.mark.parametrize("method", TRANSFORMS)


def dependent(rng, n_samples, n_features, dtype):
    """Return features (B, I) of which one is dead, a multiple of another, or a sum of others; some may be constant."""
    X = rng.normal(size=(n_samples, n_features)) * 10 ** rng.uniform(-2, 2, n_features)
    X = X + rng.choice([0, 1]) * rng.normal(size=n_features)  # around 0, or not
    last, others = X[:, -1], X[:, :-1]
    match rng.choice(["dead", "multiple", "sum", "two constants"]):
        case "dead":
            last[:] = 0
        case "multiple":
            last[:] = rng.choice([1, 3, -0.1, 7.7, 100]) * others[:, 0]
        case "sum":
            last[:] = others @ rng.normal(size=n_features - 1)
        case _:
            X[:, [0, -1]] = rng.normal(size=2)
    return rng.permutation(X, axis=1).astype(dtype)


def sizes(rng):
    """Return numbers of samples and features, tall or wide."""
    return int(rng.choice([2, 3, 5, 20, 100, 1000])), int(rng.integers(2, 13))


@each_dtype
@each_method
def test_no_dependent_features_pass_as_white(method, dtype):
    """Three to five of these 1,000 passed when the limit was the rounding of one number."""
    rng = np.random.default_rng(19)
    for _ in range(1000):
        X = dependent(rng, *sizes(rng), dtype)
        with pytest.raises(InputError, match=r"^cannot whiten: .*raise epsilon, e.g. to "):
            Decorrelator(method=method).fit(X)


@each_dtype
@each_method
@pytest.mark.parametrize("shape", [(1_000_000, 2), (200_000, 5), (60, 40), (30, 60)])
def test_nor_do_tall_and_wide_ones(method, dtype, shape):
    """Over many samples, the rounding errors of a constant feature would add up to hundreds of eps."""
    rng = np.random.default_rng(0)
    for _ in range(3):
        X = dependent(rng, *shape, dtype)
        X[:, :2] = rng.normal(size=2)
        with pytest.raises(InputError, match="cannot whiten"):
            Decorrelator(method=method).fit(X)


@each_dtype
@each_method
def test_nor_when_they_come_in_batches(method, dtype):
    """With any sizes of batches: they are refused once epsilon is taken away."""
    rng = np.random.default_rng(1)
    for _ in range(50):
        X = dependent(rng, 300, 4, dtype)
        decorrelator = Decorrelator(method=method, epsilon=np.square(X, dtype=np.float64).mean())
        for rows in np.array_split(X, rng.integers(2, 100)):
            decorrelator.partial_fit(rows)
        with pytest.raises(InputError, match="cannot whiten"):
            decorrelator.set_params(epsilon=0.0).partial_fit(X)


@each_dtype
@each_method
def test_well_conditioned_features_are_whitened(method, dtype):
    """Covariances of condition 10^4 in float32 and 10^10 in float64, of up to 200 features."""
    rng, condition = np.random.default_rng(2), 1e4 if dtype == np.float32 else 1e10
    for _ in range(200):
        n = int(rng.choice([2, 3, 10, 50, 200], p=[0.3, 0.3, 0.2, 0.1, 0.1]))
        U, Q = orthonormal_columns(rng, n + int(rng.integers(300)), n), orthonormal_columns(rng, n, n)
        variances = np.geomspace(1, 1 / condition, n)
        X = (np.sqrt(len(U)) * U * np.sqrt(variances) @ Q.T * 10 ** rng.uniform(-3, 3)).astype(dtype)
        Z = Decorrelator(method=method).fit_transform(X)
        assert np.allclose(second_moment(Z.astype(np.float64)), np.eye(n), atol=0.02)


@each_dtype
@each_method
def test_the_epsilon_of_the_message_helps(method, dtype):
    rng = np.random.default_rng(3)
    for _ in range(300):
        X = dependent(rng, *sizes(rng), dtype)
        with pytest.raises(InputError, match="cannot whiten") as found:
            Decorrelator(method=method).fit(X)
        epsilon = float(str(found.value).split("e.g. to ")[1].split(",")[0])
        assert epsilon == pytest.approx(np.mean(X.astype(np.float64) ** 2) / 10 or 0.01, rel=0.06)
        assert np.isfinite(Decorrelator(method=method, epsilon=epsilon).fit_transform(X)).all()


@each_dtype
def test_the_same_limit_holds_wherever_second_moments_are_inverted(dtype):
    """Eq. 2 and the Hadamard defect, which has no finite value there."""
    rng = np.random.default_rng(4)
    for _ in range(500):
        x = dependent(rng, int(rng.integers(5, 1000)), 4, dtype)
        with pytest.raises(InputError, match=r"^<x x\^T> cannot be inverted"):
            rules.inference_update(np.zeros((1, 4), dtype), x, x[:, :1])
        with pytest.raises(
            InputError, match=r"needs a positive definite second-moment matrix: .* combinations of others$"
        ):
            hadamard_defect(second_moment(x))


@pytest.mark.parametrize("method", ["copi", "copi-local"])
def test_copi_says_that_it_cannot_decorrelate_them(method):
    X = np.random.default_rng(5).normal(size=(40, 3))
    X[:, 2] = 3 * X[:, 0]
    with pytest.warns(ConvergenceWarning, match="or drop features that are combinations of others"):
        Decorrelator(method=method, max_iter=300).fit(X)


@pytest.mark.parametrize("kind", [COPIClassifier, COPIRegressor])
@pytest.mark.parametrize(
    "change",
    [
        lambda X: np.column_stack([X, np.zeros(len(X))]),
        lambda X: np.column_stack([X, np.full(len(X), 1e10)]),
        lambda X: np.column_stack([X, 3 * X[:, :2]]),
        lambda X: np.column_stack([X, X.sum(axis=1)]),
        lambda X: X[:12],
    ],
    ids=["dead", "constant", "multiples", "a sum", "wide"],
)
def test_the_other_estimators_learn_from_them(kind, change):
    """They scale features, but invert nothing."""
    rng = np.random.default_rng(6)
    X = change(rng.normal(size=(100, 20)))
    y = X[:, 0] > 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with suppress(ConvergenceWarning):
            kind(random_state=0, max_iter=30).fit(X, y)
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert kind(random_state=0, max_iter=30).fit(X, y).score(X, y) > 0.9
