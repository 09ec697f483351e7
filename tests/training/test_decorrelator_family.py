"""Decorrelator: the rules of the family around COPI, and means."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from copi_np.errors import InputError
from copi_np.estimators import Decorrelator
from copi_np.family import foldiak_decorrelate, foldiak_update
from copi_np.whitening import mean_absolute_correlation, second_moment

LEARNED = ("kappa", "gain", "normalised", "foldiak")
METHODS = (*LEARNED, "copi", "copi-local", "zca", "pca", "cholesky")


def correlated(n=200, scale=1.0, mean=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return scale * (rng.normal(size=(n, 4)) @ (np.eye(4) + 0.3 * rng.normal(size=(4, 4))) + mean)


@pytest.mark.parametrize("method", LEARNED)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_features_are_decorrelated_whatever_their_units(method, scale):
    X = correlated(scale=scale)
    model = Decorrelator(method, tol=1e-3)
    Z = model.fit_transform(X)
    assert mean_absolute_correlation(second_moment(X)) > 0.05
    assert mean_absolute_correlation(second_moment(Z)) <= 1e-3
    assert 1 < model.n_iter_ < 10_000
    np.testing.assert_allclose(model.inverse_transform(Z), X, rtol=1e-7, atol=1e-7 * scale)


def test_foldiak_learns_the_recurrent_inhibition():
    """R is (I + L)^-1 at every step of L."""
    X, L = correlated(), np.zeros((4, 4))
    model = Decorrelator("foldiak", max_iter=25, tol=0.0)
    with pytest.warns(match="max_iter"):
        model.fit(X)
    eta = 0.5 / np.trace(second_moment(X))
    for _ in range(25):
        L = L + eta * foldiak_update(L, foldiak_decorrelate(L, X))
    np.testing.assert_allclose(model.components_, np.linalg.inv(np.eye(4) + L), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_with_center_means_are_taken_away_first(method):
    X = correlated(mean=[3.0, -1.0, 0.5, 10.0])
    model = Decorrelator(method, center=True, tol=1e-3).fit(X)
    Z = model.transform(X)
    np.testing.assert_allclose(model.mean_, X.mean(axis=0))
    np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-9)
    assert mean_absolute_correlation(np.cov(Z.T)) <= 2e-3
    np.testing.assert_allclose(Z, Decorrelator(method, tol=1e-3).fit_transform(X - X.mean(axis=0)), atol=1e-9)
    np.testing.assert_allclose(model.inverse_transform(Z), X, atol=1e-8)
    assert not Decorrelator(method, tol=1e-3).fit(X).mean_.any()


@pytest.mark.parametrize("method", ["zca", "cholesky"])
def test_batches_add_up_around_their_common_mean(method):
    """As one fit of all, although the batches have different means and sizes."""
    parts = [correlated(n, mean=mean, seed=seed) for seed, (n, mean) in enumerate([(7, 5.0), (50, -2.0), (20, 0.0)])]
    model = Decorrelator(method, center=True)
    for part in parts:
        model.partial_fit(part)
    whole = Decorrelator(method, center=True).fit(np.vstack(parts))
    np.testing.assert_allclose(model.mean_, whole.mean_, rtol=1e-12)
    np.testing.assert_allclose(model.second_moment_, whole.second_moment_, rtol=1e-10)
    np.testing.assert_allclose(model.components_, whole.components_, rtol=1e-8)


@pytest.mark.parametrize("method", LEARNED)
def test_a_dead_feature_does_no_harm(method):
    X = correlated()
    X[:, 2] = 0
    Z = Decorrelator(method, tol=1e-3).fit_transform(X)
    assert np.isfinite(Z).all()
    assert mean_absolute_correlation(second_moment(Z[:, [0, 1, 3]])) < 5e-3


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([Decorrelator(method, max_iter=50, center=True) for method in LEARNED])
def test_it_is_a_transformer_of_scikit_learn(estimator, check):
    check(estimator)


def test_center_must_be_true_or_false():
    with pytest.raises(InputError, match="center must be True or False, got 'yes'"):
        Decorrelator(center="yes").fit(correlated())
