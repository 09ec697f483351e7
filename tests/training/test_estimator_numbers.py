"""Losses, scores, scales and rates of the estimators, recomputed by SciPy and scikit-learn from the raw outputs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from copi_np.estimators import COPIClassifier, COPIRegressor, Decorrelator
from copi_np.network import Network

AT_REST = {"eta_W": 0.0, "eta_R": 0.0, "first_eta_W": 0.0, "first_eta_R": 0.0, "hidden_layer_sizes": (5,)}
"""Nothing learns, so that the outputs before and after an epoch are the same."""
WEIGHTS = np.random.default_rng(3).uniform(0.2, 3, 43)
filterwarnings = pytest.mark.filterwarnings("ignore:still learning after max_iter")
pytestmark = filterwarnings


def samples():
    """43 samples in three classes of unequal size, features in different units, two outputs in different units."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat(["a", "b", "c"], [20, 13, 10]))
    X = rng.normal(size=(43, 4)) * [1, 10, 0.1, 3] + [5, 0, -1, 2] + (y == "b")[:, None]
    targets = np.column_stack([X @ [1, 0.1, 5, 0] + 40, 1e-3 * X[:, 3]])
    return X, y, targets


def raw_outputs(model, X):
    """The outputs of the network, with inputs scaled here."""
    scaled = StandardScaler().fit(samples()[0]).transform(X)
    return model.network_.predict(scaled)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_the_loss_curve_is_the_mean_over_samples(weights):
    """Also where the last batch is smaller, and with sample weights, scaled to a mean of one."""
    X, y, targets = samples()
    model = COPIClassifier(**AT_REST, max_iter=1, batch_size=10, random_state=0, standardize=False)
    model.fit(X, y, sample_weight=weights)
    outputs = model.network_.predict(X)
    losses = -log_softmax(outputs, axis=1)[np.arange(43), np.searchsorted(["a", "b", "c"], y)]
    assert model.loss_curve_ == pytest.approx([np.average(losses, weights=weights)])

    regressor = COPIRegressor(**AT_REST, max_iter=1, batch_size=10, random_state=0, standardize=False)
    regressor.fit(X, targets, sample_weight=weights)
    errors = regressor.network_.predict(X) - targets
    assert regressor.loss_curve_ == pytest.approx([np.average(np.sum(errors**2, axis=1), weights=weights)])


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("kind", [COPIClassifier, COPIRegressor])
def test_validation_scores_are_of_the_samples_that_were_held_out(kind, weights):
    X, y, targets = samples()
    y = y if kind is COPIClassifier else targets
    options = {"standardize": False, "early_stopping": True, "validation_fraction": 0.3, "random_state": 0}
    model = kind(**AT_REST, **options, max_iter=2).fit(X, y, sample_weight=weights)
    strata = y if kind is COPIClassifier else None
    _, rows = train_test_split(np.arange(43), test_size=0.3, random_state=0, stratify=strata)
    outputs = model.network_.predict(X)[rows]
    w = None if weights is None else weights[rows]
    if kind is COPIClassifier:
        score = accuracy_score(y[rows], np.array(["a", "b", "c"])[outputs.argmax(axis=1)], sample_weight=w)
    else:
        score = r2_score(y[rows], outputs, sample_weight=w)
    assert model.validation_scores_ == pytest.approx([score, score])
    assert 0 < score < 1 or kind is COPIRegressor


def test_predictions_are_made_from_the_raw_outputs():
    X, y, targets = samples()
    classifier = COPIClassifier(hidden_layer_sizes=(5,), max_iter=8, random_state=0).fit(X, y)
    outputs = raw_outputs(classifier, X)
    assert classifier.predict_proba(X) == pytest.approx(softmax(outputs, axis=1))
    assert list(classifier.predict(X)) == [["a", "b", "c"][k] for k in outputs.argmax(axis=1)]
    assert classifier.score(X, y, WEIGHTS) == pytest.approx(
        accuracy_score(y, classifier.predict(X), sample_weight=WEIGHTS)
    )
    regressor = COPIRegressor(hidden_layer_sizes=(5,), max_iter=8, random_state=0).fit(X, targets)
    assert regressor.predict(X) == pytest.approx(raw_outputs(regressor, X) * targets.std(axis=0) + targets.mean(axis=0))
    one = COPIRegressor(hidden_layer_sizes=(5,), max_iter=8, random_state=0).fit(X, targets[:, 0])
    assert one.predict(X) == pytest.approx(raw_outputs(one, X)[:, 0] * targets[:, 0].std() + targets[:, 0].mean())
    assert one.score(X, targets[:, 0]) == pytest.approx(r2_score(targets[:, 0], one.predict(X)))


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_scales_are_weighted_means_and_deviations(weights):
    X, _, targets = samples()
    model = COPIRegressor(**AT_REST, max_iter=1).fit(X, targets, sample_weight=weights)
    for scaler, values in ((model.scaler_, X), (model.target_scaler_, targets)):
        mean = np.average(values, axis=0, weights=weights)
        assert scaler.mean_ == pytest.approx(mean)
        assert scaler.var_ == pytest.approx(np.average((values - mean) ** 2, axis=0, weights=weights))


def test_the_rates_of_every_epoch_are_the_ones_given(monkeypatch):
    X, y, _ = samples()
    given, step = [], Network.step

    def watched(network, inputs, *arguments, **options):
        rates = (options["eta_W"], options["eta_R"], options["delta_scale"])
        given.append((len(inputs), *rates))
        return step(network, inputs, *arguments, **options)

    monkeypatch.setattr(Network, "step", watched)
    rates = {"eta_W": 0.001, "eta_R": 0.002, "first_eta_W": 0.003, "first_eta_R": 0.004, "delta_scale": 0.5}
    COPIClassifier((5,), first_epochs=2, batch_size=20, max_iter=3, **rates).fit(X, y)
    sizes = (20, 20, 3)
    first, later = (0.003, 0.004, 0.5), (0.001, 0.002, 0.5)
    assert given == [(n, *rates) for rates in (first, first, later) for n in sizes]


def test_training_ends_by_tolerance_and_patience_where_nothing_improves():
    """The losses are equal, so the first epoch that counts is the best, and three more are waited for."""
    X, y, _ = samples()
    model = COPIClassifier(**AT_REST, first_epochs=2, n_iter_no_change=3, batch_size=43).fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == 2 + 1 + 3


def test_moments_over_several_batches_are_those_of_all_samples():
    X, *_ = samples()
    model = Decorrelator("copi", eta_R=0.3)
    R = np.eye(4)
    for stop, part in ((20, X[:20]), (25, X[20:25]), (43, X[25:])):
        model.partial_fit(part)
        seen = X[:stop]
        assert model.second_moment_ == pytest.approx(seen.T @ seen / stop)
        assert model.n_samples_seen_ == stop
        eta = 0.3 / np.mean(np.sum(seen**2, axis=1))  # in units of 1 / <||y||^2>
        C = part.T @ part / len(part)
        Cx = R @ C @ R.T
        R = R - eta * (Cx - np.diag(np.diag(Cx))) @ R
        assert model.components_ == pytest.approx(R)
    assert model.n_iter_ == 3


def test_decorrelation_stops_at_its_tolerance():
    X, *_ = samples()

    def correlation(R):
        x = X @ R.T
        C = x.T @ x / len(x)
        r = C / np.sqrt(np.outer(np.diag(C), np.diag(C)))
        return np.mean(np.abs(r[~np.eye(4, dtype=bool)]))

    model = Decorrelator("copi", tol=0.05).fit(X)
    assert correlation(model.components_) <= 0.05
    with pytest.warns(UserWarning, match="mean absolute correlation is") as warned:
        before = Decorrelator("copi", tol=0.05, max_iter=model.n_iter_ - 1).fit(X)
    assert correlation(before.components_) > 0.05
    assert f"{correlation(before.components_):.2g} after max_iter={model.n_iter_ - 1}" in str(warned[0].message)
    assert before.n_iter_ == model.n_iter_ - 1


def test_epsilon_is_added_to_the_eigenvalues():
    X, *_ = samples()
    values, vectors = np.linalg.eigh(X.T @ X / len(X))
    model = Decorrelator("zca", epsilon=0.5).fit(X)
    assert model.components_ == pytest.approx(vectors @ np.diag((values + 0.5) ** -0.5) @ vectors.T)
    assert model.transform(X) == pytest.approx(X @ model.components_.T)
    assert model.inverse_transform(model.transform(X)) == pytest.approx(X)
    assert (model.n_iter_, model.n_samples_seen_) == (1, 43)
