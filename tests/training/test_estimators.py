"""The estimators: they pass scikit-learn's checks, train as the package does, and really decorrelate."""

from __future__ import annotations

import copy
import functools
import pickle
import subprocess
import sys
from inspect import signature

import numpy as np
import pandas
import pytest
import skops.io as sio
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from strategies import correlated_batches, spd_matrices, whitened_batches

from copi_np import DivergenceError, InputError, Network, Schedule, fit
from copi_np._parts import describe
from copi_np.activations import Activation
from copi_np.datasets import Dataset, Split
from copi_np.error_signals import ErrorSignal
from copi_np.estimators import COPIClassifier, COPIRegressor, Decorrelator, base
from copi_np.experiments.config import RunConfig
from copi_np.experiments.runner import train
from copi_np.losses import LOSSES, Loss
from copi_np.rules import decorrelation_update, local_decorrelation_update
from copi_np.steps import Step
from copi_np.whitening import cholesky, mean_absolute_correlation, pca, second_moment, zca

SEVERAL = st.integers(2, 5)
COPI_METHODS = ("copi", "copi-local")
WHITENINGS = {"zca": zca, "pca": pca, "cholesky": cholesky}
X, NUMBERS = load_iris(return_X_y=True)
Y = load_iris().target_names[NUMBERS]
FEW = {"max_iter": 3, "tol": 0}  # short training, for tests that do not ask how well something is learned
PLAIN = {"standardize": False, "fit_intercept": False}  # the network sees X unchanged

few_epochs = pytest.mark.filterwarnings("ignore:still learning:sklearn.exceptions.ConvergenceWarning")


# ---------------------------------------------------------------- the interface of scikit-learn


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        COPIClassifier(),
        COPIClassifier(loss="quadratic", error_signal="fa"),
        COPIRegressor(),
        *(Decorrelator(method=method) for method in (*COPI_METHODS, *WHITENINGS)),
    ]
)
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


def test_pipeline_search_and_cross_validation():
    pipeline = make_pipeline(Decorrelator(), COPIClassifier(random_state=0, max_iter=100, tol=0.01))
    search = GridSearchCV(pipeline, {"copiclassifier__eta_W": [1e-9, 1e-2]}, cv=3, error_score="raise")
    assert search.fit(X, Y).best_params_ == {"copiclassifier__eta_W": 1e-2}
    assert search.best_score_ > 0.7
    assert (
        cross_val_score(COPIClassifier(random_state=0, max_iter=50, tol=0.01), X, Y, scoring="neg_log_loss").min()
        > -0.5
    )
    diabetes = load_diabetes(return_X_y=True)
    assert cross_val_score(COPIRegressor(random_state=0, max_iter=30, tol=0.02), *diabetes).mean() > 0.35


@pytest.mark.parametrize("kind", [COPIClassifier, COPIRegressor, Decorrelator])
def test_only_the_first_parameter_may_be_positional(kind):
    first, *others = signature(kind).parameters.values()
    assert first.kind == first.POSITIONAL_OR_KEYWORD
    assert all(parameter.kind == parameter.KEYWORD_ONLY for parameter in others)


@few_epochs
def test_frames_name_the_features_and_must_keep_their_order():
    frame = pandas.DataFrame(X, columns=list("abcd"))
    model = COPIClassifier(**FEW).fit(frame, pandas.Series(Y))
    assert model.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("dcba")])
    decorrelator = Decorrelator(method="pca").set_output(transform="pandas").fit(frame)
    assert list(decorrelator.transform(frame).columns) == [f"decorrelator{k}" for k in range(4)]


@few_epochs
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize("options", [{}, {"rule": "adam", "decorrelation": None}, {"error_signal": "dtp"}])
def test_a_copy_predicts_and_keeps_learning_the_same(copied, options):
    """It has the same weights, feedback, running means of Adam and shuffling generator."""
    model = COPIClassifier(random_state=1, **FEW, **options).fit(X, Y)
    twin = copied(model)
    for _ in range(2):
        assert np.array_equal(twin.predict_proba(X), model.predict_proba(X))
        assert twin.partial_fit(X, Y).loss_curve_ == model.partial_fit(X, Y).loss_curve_
    assert copied(COPIClassifier(eta_W=3)).get_params() == COPIClassifier(eta_W=3).get_params()


@few_epochs
def test_a_clone_has_the_parameters_but_nothing_learned():
    twin = clone(COPIClassifier(hidden_layer_sizes=[3], **FEW).fit(X, Y))
    assert twin.hidden_layer_sizes == [3]
    with pytest.raises(NotFittedError):
        twin.predict(X)


@few_epochs
@pytest.mark.parametrize("model", [COPIClassifier(**FEW), COPIRegressor(**FEW), Decorrelator()], ids=repr)
def test_skops_loads_it_without_running_code(model):
    """The only type that skops must be told to trust is the class itself."""
    model = clone(model).fit(X, NUMBERS)
    data = sio.dumps(model)
    kind = type(model)
    assert sio.get_untrusted_types(data=data) == [f"{kind.__module__}.{kind.__name__}"]
    twin = sio.loads(data, trusted=sio.get_untrusted_types(data=data))
    method = "transform" if kind is Decorrelator else "predict"
    assert np.array_equal(getattr(twin, method)(X), getattr(model, method)(X))
    assert np.array_equal(
        getattr(twin.partial_fit(X, NUMBERS), method)(X), getattr(model.partial_fit(X, NUMBERS), method)(X)
    )


def test_with_array_api_dispatch_numpy_works_and_other_libraries_are_refused():
    """In its own process: SciPy reads the variable when it is imported."""
    pytest.importorskip("scipy", "1.14")  # the first version with which scikit-learn dispatches
    code = """
import array_api_strict, numpy as np, sklearn
from copi_np import InputError
from copi_np.estimators import COPIClassifier, COPIRegressor, Decorrelator
sklearn.set_config(array_api_dispatch=True)
X, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 3
for model in (COPIClassifier(tol=1), COPIRegressor(tol=1), Decorrelator()):
    model.fit(X, y)
    try:
        model.fit(array_api_strict.asarray(X), y)
    except InputError as error:
        print(error)
"""
    process = subprocess.run(
        [sys.executable, "-c", code], env={"SCIPY_ARRAY_API": "1"}, capture_output=True, text=True, check=True
    )
    lines = process.stdout.splitlines()
    assert len(lines) == 3
    assert all(line.endswith(": only NumPy's arrays are allowed, use numpy.asarray") for line in lines)


def test_without_scikit_learn_one_line_says_what_to_install():
    code = "import sys; sys.modules['sklearn'] = None; import copi_np; import copi_np.estimators"
    lines = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr.splitlines()
    assert lines[-1] == "ModuleNotFoundError: copi_np.estimators needs scikit-learn: pip install 'copi-np[sklearn]'"


# ---------------------------------------------------------------- training is the package's own


def weights(network):
    return [matrix for layer in network.layers for matrix in (layer.W, layer.R)]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


@few_epochs
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss", ["cross_entropy", "quadratic"])
def test_the_classifier_is_a_network_trained_by_fit(standardize, fit_intercept, loss):
    """To the last bit, given the inputs that the documentation promises."""
    options = {"rule": "sgd", "error_signal": "fa", "decorrelation": "local", "activation": "tanh", "loss": loss}
    schedule = {
        "eta_W": 2e-3,
        "eta_R": 3e-3,
        "first_epochs": 2,
        "first_eta_W": 1e-4,
        "first_eta_R": 2e-4,
        "delta_scale": 2,
    }
    model = COPIClassifier((7, 6), random_state=5, batch_size=40, **options, **schedule, **FEW)
    model.set_params(standardize=standardize, fit_intercept=fit_intercept).fit(X, Y)

    inputs = StandardScaler().fit_transform(X) if standardize else X
    split = Split(inputs, NUMBERS)
    weights_rng, shuffling_rng = np.random.default_rng(5).spawn(2)
    network = Network([4, 7, 6, 3], rng=weights_rng, dtype="float64", bias=fit_intercept, **options)
    fit(
        network,
        Dataset("iris", split, split, 3),
        epochs=3,
        schedule=Schedule(**schedule),
        rng=shuffling_rng,
        batch_size=40,
    )
    assert same(model.network_, network)
    assert np.array_equal(model.predict(X), np.unique(Y)[network.predict(inputs).argmax(axis=1)])


@few_epochs
@pytest.mark.parametrize("bias", [False, True])
def test_the_classifier_equals_what_the_command_trains(bias):
    """With an integer random state and the paper's loss."""
    split = Split(X, NUMBERS)
    rates = {"eta_W": 1e-3, "eta_R": 1e-3}
    config = RunConfig("copi-fa", "iris", (4, 6, 3), epochs=3, **rates, seed=7, dtype="float64", bias=bias)
    network, _ = train(config, Dataset("iris", split, split, 3), "numpy")
    options = {"error_signal": "fa", "loss": "quadratic", **rates, "delta_scale": 1}
    model = COPIClassifier(6, first_epochs=0, random_state=7, **options, **FEW)
    model.set_params(standardize=False, fit_intercept=bias)
    assert same(model.fit(X, NUMBERS).network_, network)


@few_epochs
def test_an_estimator_saved_before_layers_had_biases_still_predicts():
    """Its network had an input of ones after the features, whose row of R learned; nothing is lost in loading it."""
    inputs = StandardScaler().fit_transform(X)
    extended = np.column_stack([inputs, np.ones(len(X))])
    earlier = COPIClassifier(6, random_state=0, **PLAIN, **FEW).fit(extended, NUMBERS)
    state = COPIClassifier(6, random_state=0, **FEW).fit(X, NUMBERS).__getstate__()
    state["network_"] = earlier.__getstate__()["network_"]
    loaded = COPIClassifier()
    loaded.__setstate__(state)
    assert loaded.n_features_in_ == 4
    np.testing.assert_array_equal(loaded.predict_proba(X), earlier.predict_proba(extended))


@few_epochs
@pytest.mark.parametrize("kind", [COPIClassifier, COPIRegressor])
def test_partial_fit_is_one_epoch_of_fit(kind):
    whole, parts = kind(random_state=2, **FEW).fit(X, NUMBERS), kind(random_state=2)
    for epoch in range(3):
        first = {"classes": [0, 1, 2]} if kind is COPIClassifier and epoch == 0 else {}
        parts.partial_fit(X, NUMBERS, **first)
        assert parts.n_iter_ == epoch + 1
    assert same(parts.network_, whole.network_)
    assert parts.loss_curve_ == whole.loss_curve_


@few_epochs
@pytest.mark.parametrize("kind", [COPIClassifier, COPIRegressor])
def test_a_warm_start_continues_and_a_cold_one_starts_over(kind):
    whole = kind(random_state=2, max_iter=6, tol=0).fit(X, NUMBERS)
    warm = kind(random_state=2, warm_start=True, **FEW).fit(X, NUMBERS).fit(X, NUMBERS)
    assert same(warm.network_, whole.network_)
    assert warm.n_iter_ == 6
    cold = kind(random_state=2, **FEW).fit(X, NUMBERS)
    first = copy.deepcopy(cold.network_)
    assert same(cold.fit(X, NUMBERS).network_, first)
    assert cold.n_iter_ == 3


@few_epochs
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_network_computes_in_the_dtype_of_the_samples(dtype):
    for model in (COPIClassifier(**FEW), COPIRegressor(**FEW)):
        model.fit(X.astype(dtype), NUMBERS)
        assert model.network_.layers[0].W.dtype == dtype
        model.predict(X)  # of another dtype


@few_epochs
def test_the_loss_curve_is_the_loss_before_each_update():
    """With one batch per epoch: the loss of the network as the previous epoch left it."""
    model = COPIClassifier(random_state=0, batch_size=150, first_epochs=0, **FEW).fit(X, Y)
    shorter = COPIClassifier(random_state=0, batch_size=150, first_epochs=0, max_iter=2, tol=0).fit(X, Y)
    probabilities = shorter.predict_proba(X)[np.arange(150), NUMBERS]
    assert model.loss_curve_[2] == pytest.approx(-np.log(probabilities).mean())


# ---------------------------------------------------------------- weights of samples


@few_epochs
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("kind", [COPIClassifier, COPIRegressor])
def test_a_sample_of_weight_zero_has_no_effect(kind, early_stopping):
    """And the scale of the weights does not matter, even if it is huge."""
    options = {"random_state": 2, "early_stopping": early_stopping, **FEW}
    weights = np.arange(150) % 3
    whole = kind(**options).fit(X, NUMBERS, sample_weight=5e307 * weights)
    rest = kind(**options).fit(X[weights > 0], NUMBERS[weights > 0], sample_weight=weights[weights > 0])
    for a, b in zip(whole.network_.layers, rest.network_.layers, strict=True):
        np.testing.assert_allclose(a.W, b.W, rtol=1e-9)
    assert whole.validation_scores_ == pytest.approx(rest.validation_scores_)


@few_epochs
@pytest.mark.parametrize("kind", [COPIClassifier, COPIRegressor])
def test_weights_count_in_standardisation_loss_and_validation(kind):
    options = {"random_state": 2, "batch_size": 150, "max_iter": 2, "tol": 0, "first_epochs": 0}
    weights = 1.0 + np.arange(150) % 4
    model = kind(**options).fit(X, NUMBERS, sample_weight=weights)
    assert np.allclose(model.scaler_.mean_, np.average(X, axis=0, weights=weights))
    before = kind(**{**options, "max_iter": 1}).fit(X, NUMBERS, sample_weight=weights)
    if kind is COPIClassifier:
        losses = -np.log(before.predict_proba(X)[np.arange(150), NUMBERS])
    else:
        mean = np.average(NUMBERS, weights=weights)
        variance = np.average((NUMBERS - mean) ** 2, weights=weights)
        losses = (before.predict(X) - NUMBERS) ** 2 / variance
    assert model.loss_curve_[1] == pytest.approx(np.average(losses, weights=weights))
    options |= {"early_stopping": True, "validation_fraction": 0.4, "max_iter": 1}
    model = kind(**options).fit(X, NUMBERS, sample_weight=weights)
    stratify = NUMBERS if kind is COPIClassifier else None
    _, held_out = train_test_split(np.arange(150), test_size=0.4, random_state=2, stratify=stratify)
    expected = model.score(X[held_out], NUMBERS[held_out], weights[held_out])
    assert model.validation_scores_ == [pytest.approx(expected, rel=1e-9)]
    assert model.score(X[held_out], NUMBERS[held_out]) != pytest.approx(expected, rel=1e-3)


@few_epochs
def test_a_class_with_more_weight_is_predicted_more_often():
    def share(weight):
        model = COPIClassifier(random_state=0, hidden_layer_sizes=(), max_iter=30, tol=0, batch_size=150)
        chance = np.random.default_rng(0).permutation(NUMBERS)  # nothing to learn but the class frequencies
        return np.mean(model.fit(X, chance, sample_weight=np.where(chance == 1, weight, 1)).predict(X) == 1)

    assert share(0.2) < share(1) < share(5)


@few_epochs
@pytest.mark.parametrize("seed", range(3))
def test_training_weights_have_a_mean_of_one(monkeypatch, seed):
    """Even if a heavy sample is held out: otherwise steps would be smaller, by chance."""
    seen = []
    real = base.train_epoch
    monkeypatch.setattr(base, "train_epoch", lambda *a, **o: seen.append(o["sample_weight"]) or real(*a, **o))
    weights = np.ones(150)
    weights[0] = 1000
    options = {"random_state": seed, "early_stopping": True, "validation_fraction": 0.5, **FEW, "eta_W": 1e-4}
    COPIClassifier(**options, eta_R=1e-5, first_eta_R=1e-5).fit(X, NUMBERS, sample_weight=weights)
    assert seen[0].mean() == pytest.approx(1)


@few_epochs
def test_refused_data_leave_nothing_half_fitted():
    model = COPIClassifier(**FEW).fit(X, NUMBERS)
    with pytest.raises(ValueError, match=r"[sS]ample.weight"):
        model.fit(np.column_stack([X, X]), NUMBERS, sample_weight=np.zeros(150))
    with pytest.raises(NotFittedError):
        model.predict(X)


@few_epochs
def test_partial_fit_takes_weights_too():
    weights = 1.0 + np.arange(150) % 4
    for kind, first in ((COPIClassifier, {"classes": [0, 1, 2]}), (COPIRegressor, {})):
        fitted = kind(random_state=2, max_iter=1).fit(X, NUMBERS, sample_weight=weights)
        partly = kind(random_state=2).partial_fit(X, NUMBERS, sample_weight=weights, **first)
        assert same(fitted.network_, partly.network_)


@pytest.mark.parametrize("weights", [np.zeros(150), -np.ones(150), np.ones(149), np.full(150, np.nan)])
def test_invalid_weights_are_refused(weights):
    with pytest.raises(ValueError, match=r"[sS]ample.weight"):
        COPIClassifier(**FEW).fit(X, Y, sample_weight=weights)


# ---------------------------------------------------------------- when training ends


@pytest.mark.parametrize("early_stopping", [False, True])
def test_training_ends_once_nothing_improves(early_stopping):
    model = COPIClassifier(random_state=0, n_iter_no_change=4, tol=0.02, first_epochs=3, max_iter=100)
    model.set_params(early_stopping=early_stopping).fit(X, Y)
    scores = model.validation_scores_ if early_stopping else [-loss for loss in model.loss_curve_]
    assert len(scores) == model.n_iter_ < 100
    later = scores[3:]
    stale = [score <= max(later[:k]) + 0.02 for k, score in enumerate(later) if k > 0]
    assert all(stale[-4:])
    assert not any(all(stale[k : k + 4]) for k in range(len(stale) - 4))


@few_epochs
def test_the_first_epochs_do_not_count_as_stale():
    """Only the lateral weights learn in them, and the loss hardly changes."""
    assert COPIClassifier(random_state=0, first_epochs=12, n_iter_no_change=3, tol=0.1).fit(X, Y).n_iter_ > 15


@few_epochs
@pytest.mark.parametrize("kind", [COPIClassifier, COPIRegressor])
def test_early_stopping_keeps_the_network_of_the_best_epoch(kind):
    """With random targets, which later epochs memorise."""
    chance = np.random.default_rng(0).permutation(NUMBERS)
    options = {"random_state": 3, "early_stopping": True, "validation_fraction": 0.3, "n_iter_no_change": 50}
    model = kind(max_iter=20, **options).fit(X, chance)
    best = int(np.argmax(model.validation_scores_[1:])) + 2  # the first epoch only decorrelates
    assert best < model.n_iter_ == 20
    shorter = kind(max_iter=best, **options).fit(X, chance)
    assert same(model.network_, shorter.network_)


@few_epochs
@pytest.mark.parametrize("kind", [COPIClassifier, COPIRegressor])
def test_early_stopping_scores_on_held_out_samples(kind):
    """The classifier's split keeps class proportions; the score is that of `score`, in any units of y."""
    y = Y if kind is COPIClassifier else 100 * NUMBERS
    options = {"random_state": 4, "early_stopping": True, "validation_fraction": 0.2, **FEW}
    model = kind(**options).fit(X, y)
    stratify = y if kind is COPIClassifier else None
    _, held_out, _, y_held_out = train_test_split(X, y, test_size=0.2, random_state=4, stratify=stratify)
    best = max(model.validation_scores_[1:])
    assert model.score(held_out, y_held_out) == pytest.approx(best, rel=1e-9)
    assert len(model.validation_scores_) == 3


def test_stopping_at_max_iter_warns():
    with pytest.warns(ConvergenceWarning, match="still learning after max_iter=2 epochs: raise max_iter") as found:
        COPIClassifier(max_iter=2).fit(X, Y)
    assert found[0].filename == __file__


# ---------------------------------------------------------------- predictions


@few_epochs
def test_probabilities_are_the_softmax_in_the_order_of_the_classes():
    model = COPIClassifier(random_state=0, **FEW).fit(X, Y)
    outputs = model.network_.predict(StandardScaler().fit_transform(X))
    expected = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    assert np.allclose(model.predict_proba(X), expected)
    assert np.array_equal(model.classes_[expected.argmax(axis=1)], model.predict(X))


@few_epochs
@pytest.mark.parametrize("kind", [COPIClassifier, COPIRegressor])
def test_mean_and_scale_come_from_the_first_samples(kind):
    """Not from later batches, nor from the samples to predict."""
    model = kind(random_state=0, **FEW).fit(X, NUMBERS)
    assert np.array_equal(model.predict(X[:5]).round(9), model.predict(X)[:5].round(9))
    model.partial_fit(X[:9] + 50, NUMBERS[:9])
    assert np.allclose(model.scaler_.mean_, X.mean(axis=0))
    if kind is COPIRegressor:
        assert np.allclose(model.target_scaler_.scale_, NUMBERS.std())


def test_the_quadratic_loss_has_no_probabilities():
    model = COPIClassifier(loss="quadratic")
    assert not hasattr(model, "predict_proba")
    with pytest.raises(AttributeError) as found:
        model.predict_proba(X)
    assert "loss='cross_entropy'" in f"{found.value} {found.value.__cause__}"


def test_regression_of_several_outputs_in_different_units():
    rng = np.random.default_rng(0)
    y = X @ rng.normal(size=(4, 2)) * [1e-3, 1e3] + [5, -1e4]
    model = COPIRegressor(random_state=0, max_iter=500, tol=1e-5).fit(X, y)
    assert model.predict(X).shape == (150, 2)
    assert model.score(X, y) > 0.99
    one = COPIRegressor(random_state=0, max_iter=500, tol=1e-5).fit(X, y[:, 0])
    assert one.predict(X).shape == (150,)


def test_the_constant_input_lets_outputs_shift():
    """Without it, a leaky-ReLU network maps zero to zero, whatever it has learned."""
    inputs, y = np.linspace(-1, 1, 40)[:, None], np.full(40, 3.0)
    with_it = COPIRegressor(random_state=0, standardize=False, max_iter=1000).fit(inputs, y)
    assert with_it.predict([[0.0]])[0] == pytest.approx(3, abs=0.1)
    without = COPIRegressor(random_state=0, tol=0.1, **PLAIN).fit(inputs, y)
    assert without.predict([[0.0]])[0] == 0


def test_a_class_missing_from_a_batch_does_not_shift_the_others():
    model = COPIClassifier(random_state=0)
    for _ in range(60):
        model.partial_fit(X[50:], Y[50:], classes=np.unique(Y))
    assert model.score(X[50:], Y[50:]) > 0.9


# ---------------------------------------------------------------- errors


@few_epochs
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "cop"}, "unknown rule 'cop': did you mean 'copi'"),
        (
            {"error_signal": 3},
            "error_signal must be one of bp, fa, dfa, tp, dtp, node, activity, kp, ss, or ErrorSignal.*: got 3",
        ),
        ({"loss": "mse"}, "unknown loss 'mse'"),
        ({"hidden_layer_sizes": (5, "5")}, r"hidden_layer_sizes must be a positive integer, .* got \(5, '5'\)$"),
        ({"hidden_layer_sizes": 0}, r"hidden_layer_sizes must be a positive integer, or several .* got 0$"),
        ({"hidden_layer_sizes": None}, "hidden_layer_sizes must be .* got None"),
        ({"validation_fraction": 2.0}, "validation_fraction must be between 0 and 1, e.g. 0.1, got 2.0"),
        ({"validation_fraction": "0.1"}, "validation_fraction must be between 0 and 1"),
        ({"early_stopping": True, "validation_fraction": 0}, "validation_fraction must be between 0 and 1"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"max_iter": 1.5}, "max_iter must be an integer, got 1.5"),
        ({"n_iter_no_change": 0}, "n_iter_no_change must be at least 1"),
        ({"first_epochs": -1}, "first_epochs must be at least 0"),
        ({"eta_R": -1}, "eta_R must be a finite number, at least 0, got -1"),
        ({"tol": float("nan")}, "tol must be a finite number"),
        ({"backend": "numpi"}, "unknown backend 'numpi'"),
    ],
)
def test_a_wrong_parameter_is_named(options, message):
    with pytest.raises(InputError, match=message):
        COPIClassifier(**FEW | options).fit(X, Y)


@few_epochs
@pytest.mark.parametrize("sizes", [7, (7,), [7], np.array([7]), np.array(7), np.int64(7), ()], ids=repr)
def test_hidden_layers_are_one_number_or_several(sizes):
    model = COPIClassifier(sizes, **FEW).fit(X, Y)
    assert model.network_.config["sizes"] == [4, *([7] if np.size(sizes) else []), 3]


def test_a_target_too_large_for_the_dtype_is_named():
    with pytest.raises(InputError, match="targets y hold values that float32 cannot: scale them down"):
        COPIRegressor(standardize=False).fit(np.eye(4, dtype=np.float32), [0, 1, 2, 1e300])


@few_epochs
def test_messages_show_only_a_few_of_many_labels():
    many = np.repeat(np.arange(1000), 2)
    model = COPIClassifier(3, max_iter=1).fit(np.ones((2000, 1)), many)
    for arguments in ((np.ones((2000, 1)), many + 1000), (np.ones((2, 1)), [0, 1], many + 1)):
        with pytest.raises(InputError) as error:
            model.partial_fit(*arguments)
        assert len(str(error.value)) < 400
        assert "\n" not in str(error.value)


@few_epochs
def test_unannounced_labels_are_refused():
    with pytest.raises(InputError, match="the first partial_fit needs classes"):
        COPIClassifier().partial_fit(X, Y)
    model = COPIClassifier(**FEW).partial_fit(X[:50], Y[:50], classes=np.unique(Y))
    assert set(model.classes_) == set(Y)
    with pytest.raises(InputError, match="they cannot change"):
        model.partial_fit(X, Y, classes=["setosa"])
    with pytest.raises(InputError, match=r"y has new classes \['rose'\]: list all classes in the first partial_fit"):
        model.partial_fit(X[:2], ["rose", "setosa"])
    with pytest.raises(InputError, match=r"y has new classes \['rose'\]"):
        COPIClassifier(warm_start=True, **FEW).fit(X, Y).fit(X[:2], ["rose", "setosa"])


@few_epochs
@pytest.mark.parametrize("more", ["fit", "partial_fit"])
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"rule": "adam", "decorrelation": None}], ids=str)
def test_a_failed_further_training_leaves_the_model_as_it_was(more, options):
    model = COPIClassifier(random_state=0, warm_start=True, **FEW, **options).fit(X, Y)
    twin = copy.deepcopy(model)
    model.set_params(eta_W=1e7)
    with pytest.raises(DivergenceError, match=r"^epoch 4, batch \d: .*lower eta_W"):
        getattr(model, more)(X, Y)
    model.set_params(eta_W=twin.eta_W)
    for learn in (lambda each: each, lambda each: each.partial_fit(X, Y)):  # further training is unaffected as well
        assert same(learn(model).network_, learn(twin).network_)
        assert (model.loss_curve_, model.validation_scores_) == (twin.loss_curve_, twin.validation_scores_)
        assert np.array_equal(model.predict_proba(X), twin.predict_proba(X))


@few_epochs
def test_a_diverged_model_is_not_fitted():
    wild = COPIClassifier(eta_W=100, first_epochs=0, **FEW)
    for model in (wild, clone(wild).set_params(warm_start=True)):
        for learn in (lambda each: each.fit(X, Y), lambda each: each.partial_fit(X, Y, np.unique(Y))):
            with pytest.raises(DivergenceError, match=r"^epoch 1, batch \d: .*lower eta_W"):
                learn(model)
            with pytest.raises(NotFittedError):
                model.predict(X)
    model = COPIClassifier(**FEW).fit(X, Y).set_params(rule="none")
    with pytest.raises(InputError):
        model.fit(X[:, :2], NUMBERS)
    with pytest.raises(NotFittedError):
        model.predict(X)


# ---------------------------------------------------------------- parts of your own


def leaky_hebb(W, z, x, leak=0.1):
    """Half of COPI's step, with a decay of every weight."""
    return 0.5 * (z.T @ x / len(x) - W * np.mean(x**2, axis=0)) - leak * W


def by_signs(R, y, x):
    """Lateral weights that see only the signs of the inputs, and so more than their second moments."""
    C = np.sign(x).T @ x / len(y)
    return -(C - np.diag(np.diag(C))).T @ R


def swish(a):
    return a / (1 + np.exp(-a))


def swish_slope(a):
    s = 1 / (1 + np.exp(-a))
    return s + a * s * (1 - s)


def upside_down(trace, delta_L, layers):
    """Signals of hidden layers by the transposed forward weights alone, their signs only."""
    deltas = [delta_L]
    for k in reversed(range(len(layers) - 1)):
        deltas.insert(0, np.sign(deltas[0] @ layers[k + 1].W) * layers[k].activation.df(trace.a[k]))
    return deltas


def jittered(trace, delta_L, rng):
    return [0.1 * rng.normal(size=a.shape).astype(a.dtype) for a in trace.a[:-1]] + [delta_L]


def fourth_power(y, targets):
    return np.sum((y - targets) ** 4, axis=1)


def fourth_power_gradient(y, targets):
    return 4 * (y - targets) ** 3


class Nesterov(Step):
    """A rule with a memory."""

    def __init__(self, momentum=0.8):
        self.momentum = momentum

    def start(self, weights, backend):
        super().start(weights, backend)
        self.velocity = np.zeros_like(weights)

    def step(self, weights, states, eta):
        gradient = states.delta.T @ states.x / len(states.x)
        self.velocity = self.momentum * self.velocity + gradient
        weights += eta * (gradient + self.momentum * self.velocity)

    def state(self):
        return {"velocity": self.velocity}

    def restore(self, state):
        self.velocity = state["velocity"]


SWISH = Activation("swish", swish, swish_slope)
FOURTH = Loss("fourth power", fourth_power, fourth_power_gradient)
OWN = {
    "rule": leaky_hebb,
    "partial": functools.partial(leaky_hebb, leak=0.02),
    "memory": Nesterov(0.5),
    "decorrelation": by_signs,
    "activation": SWISH,
    "list": ["tanh", SWISH],
    "error_signal": ErrorSignal("upside down", upside_down),
    "noise": ErrorSignal("jittered", jittered),
    "loss": FOURTH,
}
SAME = {"partial": "rule", "memory": "rule", "list": "activation", "noise": "error_signal"}
EACH = {name: {SAME.get(name, name): part} for name, part in OWN.items()}
TOGETHER = EACH["memory"] | EACH["decorrelation"] | EACH["activation"] | EACH["error_signal"] | EACH["loss"]
each_part = pytest.mark.parametrize("own", [*EACH.values(), TOGETHER], ids=[*EACH, "together"])
SMALL = {
    "hidden_layer_sizes": 6,
    "random_state": 5,
    "eta_W": 1e-3,
    "eta_R": 2e-3,
    "first_eta_R": 2e-3,
    "delta_scale": 1,
}
SMALL |= FEW


def trained_by_hand(own, epochs=3):
    """The network that `COPIClassifier(**SMALL, **own, **PLAIN).fit(X, NUMBERS)` should hold."""
    weights_rng, shuffling_rng = np.random.default_rng(5).spawn(2)
    options = {"dtype": "float64", "loss": "cross_entropy"} | own
    network = Network([4, 6, 3], rng=weights_rng, **options)
    split = Split(X, NUMBERS)
    schedule = Schedule(1e-3, 2e-3, 1, 0.0, 2e-3, 1)
    data = Dataset("iris", split, split, 3)
    fit(network, data, epochs=epochs, schedule=schedule, rng=shuffling_rng, batch_size=50)
    return network


@few_epochs
@each_part
def test_own_parts_train_as_in_a_network(own):
    model = COPIClassifier(**SMALL, **PLAIN, **own).fit(X, NUMBERS)
    expected = trained_by_hand(own)
    assert same(model.network_, expected)
    assert model.network_.config == expected.config
    assert not same(model.network_, trained_by_hand({}))
    partly = COPIClassifier(**SMALL, **PLAIN, **own)
    for _ in range(3):
        partly.partial_fit(X, NUMBERS, [0, 1, 2])
    assert same(partly.network_, expected)
    warm = COPIClassifier(**SMALL | {"max_iter": 2}, **PLAIN, **own, warm_start=True).fit(X, NUMBERS)
    assert same(warm.set_params(max_iter=1).fit(X, NUMBERS).network_, expected)


def described(part):
    return [each if isinstance(each, str) else describe(each) for each in (part if isinstance(part, list) else [part])]


@each_part
def test_own_parts_are_parameters_like_any_other(own):
    model = COPIClassifier().set_params(**own)
    assert {name: model.get_params()[name] for name in own} == own
    twin = clone(model)
    for name, part in own.items():
        assert name in repr(model)
        assert described(getattr(twin, name)) == described(part)


def test_fitting_leaves_a_rule_with_a_memory_as_it_was_given():
    rule = Nesterov(0.5)
    COPIRegressor(rule=rule, tol=1, eta_W=1e-3).fit(X, NUMBERS)
    assert vars(rule) == {"momentum": 0.5}


@few_epochs
@each_part
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_with_own_parts_keeps_learning_the_same(own, copied):
    """From its own parts, its memory and its noise."""
    model = COPIClassifier(**SMALL, **own).fit(X, Y)
    twin = copied(model)
    assert repr(twin.network_) == repr(model.network_)
    for _ in range(2):
        assert np.array_equal(twin.predict(X), model.predict(X))
        assert twin.partial_fit(X, Y).loss_curve_ == model.partial_fit(X, Y).loss_curve_
        assert same(twin.network_, model.network_)
    unfitted = copied(COPIClassifier(**own))
    assert all(
        repr(getattr(unfitted, name)).split(" at ")[0] == repr(part).split(" at ")[0] for name, part in own.items()
    )


@few_epochs
@each_part
def test_skops_asks_to_trust_own_parts_by_name(own):
    """And loads nothing without that trust."""
    model = COPIClassifier(**SMALL, **own).fit(X, Y)
    data = sio.dumps(model)
    asked = sio.get_untrusted_types(data=data)
    assert any(name.startswith(f"{__name__}.") for name in asked)
    with pytest.raises(TypeError, match=r"[uU]ntrusted"):
        sio.loads(data)
    twin = sio.loads(data, trusted=asked)
    assert twin.partial_fit(X, Y).loss_curve_ == model.partial_fit(X, Y).loss_curve_


@few_epochs
@pytest.mark.parametrize("change", ["of the network", "of the parameters"])
def test_pickle_keeps_what_the_network_holds(change):
    """Not what the parameters say, which may have changed since."""
    model = COPIClassifier(**SMALL, rule=leaky_hebb).fit(X, Y)
    if change == "of the network":
        model.network_.layers[0].activation = SWISH
        model.network_.loss = FOURTH
    else:
        model.set_params(rule="sgd", loss="quadratic")
    twin = pickle.loads(pickle.dumps(model))
    assert twin.network_.config == model.network_.config
    assert np.array_equal(twin.predict(X), model.predict(X))


LAMBDAS = {
    "rule": lambda W, x, delta: delta.T @ x / len(x) - 0.1 * W,
    "decorrelation": lambda R, x: 0 * R,
    "activation": Activation("cube", lambda a: a**3 + a, lambda a: 3 * a**2 + 1),
    "error_signal": ErrorSignal("straight", lambda layers, trace, delta_L: upside_down(trace, delta_L, layers)),
    "loss": Loss("shifted", lambda y, t: np.sum((y - t + 1) ** 2, axis=1), lambda y, t: 2 * (y - t + 1)),
}


@few_epochs
@pytest.mark.parametrize("name", LAMBDAS)
def test_lambdas_can_be_copied_but_not_pickled(name):
    """Also by what copies inside: clone, early stopping, and further training that may fail."""
    own = {name: LAMBDAS[name]}
    unfitted = COPIClassifier(**SMALL, **own, early_stopping=True, warm_start=True)
    model = clone(unfitted).fit(X, Y).fit(X, Y)
    twin = copy.deepcopy(model)
    assert same(twin.partial_fit(X, Y).network_, model.partial_fit(X, Y).network_)
    assert twin.network_.layers[0].W is not model.network_.layers[0].W
    held = copy.deepcopy(model).set_params(**{name: clone(COPIClassifier()).get_params()[name]})  # only in its network
    for each in (unfitted, model, held):
        for dumps in (pickle.dumps, sio.dumps):
            with pytest.raises(
                InputError, match=rf"^{name} .* cannot be pickled.*: define it with def, at the top level"
            ):
                dumps(each)


@few_epochs
def test_own_rules_are_searched_beside_built_in_ones():
    grid = {"decorrelation": ["matrix", by_signs, None], "rule": ["copi", leaky_hebb, Nesterov(0.3)]}
    search = GridSearchCV(COPIClassifier(**SMALL), grid, cv=3, error_score="raise").fit(X, Y)
    results = search.cv_results_
    assert len(results["params"]) == 9
    assert list(results["param_decorrelation"]).count(by_signs) == 3
    chosen = clone(search.best_estimator_).fit(X, Y)
    assert same(chosen.network_, search.best_estimator_.network_)
    only = GridSearchCV(COPIRegressor(**SMALL), {"decorrelation": [by_signs]}, cv=2, error_score="raise").fit(
        X, NUMBERS
    )
    assert only.best_estimator_.network_.layers[0].lateral_step.function is by_signs


@few_epochs
@each_part
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_sample_of_weight_zero_has_no_effect_on_own_parts(own, early_stopping):
    options = SMALL | own | {"early_stopping": early_stopping}
    weights = np.arange(150) % 3
    counts = weights > 0
    whole = COPIClassifier(**options).fit(X, NUMBERS, sample_weight=7.0 * weights)
    rest = COPIClassifier(**options).fit(X[counts], NUMBERS[counts], sample_weight=weights[counts])
    for a, b in zip(whole.network_.layers, rest.network_.layers, strict=True):
        np.testing.assert_allclose(a.W, b.W, rtol=1e-7)
        np.testing.assert_allclose(a.R, b.R, rtol=1e-7, atol=1e-12)


@few_epochs
def test_a_rule_may_weigh_samples_itself():
    def weighing(x, delta, sample_weight):
        return (sample_weight[:, None] * delta).T @ x / len(x)

    weights = 1.0 + np.arange(150) % 4
    named = COPIClassifier(**SMALL, rule=weighing).fit(X, NUMBERS, sample_weight=weights)
    built_in = COPIClassifier(**SMALL, rule="sgd").fit(X, NUMBERS, sample_weight=weights)
    for a, b in zip(named.network_.layers, built_in.network_.layers, strict=True):
        np.testing.assert_allclose(a.W, b.W, rtol=1e-9)


@few_epochs
def test_a_failed_further_training_leaves_own_parts_as_they_were():
    model = COPIClassifier(**SMALL, **EACH["memory"], **EACH["activation"], warm_start=True).fit(X, Y)
    twin = copy.deepcopy(model)
    model.set_params(eta_W=1e9)
    with pytest.raises(DivergenceError, match="lower eta_W"):
        model.fit(X, Y)
    model.set_params(eta_W=twin.eta_W)
    assert same(model.fit(X, Y).network_, twin.fit(X, Y).network_)


@few_epochs
def test_the_cross_entropy_given_as_an_object_has_probabilities():
    model = COPIClassifier(**SMALL, loss=LOSSES["cross_entropy"]).fit(X, Y)
    assert np.array_equal(model.predict_proba(X), COPIClassifier(**SMALL).fit(X, Y).predict_proba(X))
    assert not hasattr(COPIClassifier(loss=Loss("cross_entropy", *FOURTH[1:])), "predict_proba")
    assert not hasattr(COPIClassifier(loss=FOURTH), "predict_proba")


@few_epochs
@pytest.mark.parametrize("kind", [COPIClassifier, COPIRegressor])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": Nesterov}, r"^rule must be an instance, not the class Nesterov: pass Nesterov\(\.\.\)"),
        ({"decorrelation": Nesterov}, "^decorrelation must be an instance, not the class Nesterov"),
        ({"rule": lambda w: w}, "^rule .*<lambda> asks for 'w': name its parameters, any of W, R, x, "),
        ({"decorrelation": leaky_hebb}, "^decorrelation leaky_hebb asks for 'W': name its parameters, any of R, x, y"),
        ({"rule": lambda W: W.T}, r"rule .*<lambda> returned an array of shape \(5, 6\), where \(6, 5\) is needed"),
        ({"decorrelation": lambda R: R.astype("float32")}, "returned an array of dtype float32, where float64"),
        ({"activation": swish}, "^activation must be one of .*, or Activation"),
        ({"activation": ["tanh"]}, "^activation must be one for all layers, or a list of 2, one per layer"),
        ({"error_signal": upside_down}, r"^error_signal must be one of .*, or ErrorSignal\(name, deltas\)"),
    ],
)
def test_a_wrong_part_is_named_by_fit(kind, options, message):
    model = kind(**SMALL | {"first_epochs": 0} | options)
    with pytest.raises(InputError, match=message) as found:
        model.fit(X, NUMBERS)
    assert "\n" not in str(found.value)
    with pytest.raises(NotFittedError):
        model.predict(X)


# ---------------------------------------------------------------- decorrelation


def off_diagonals(C):
    return np.abs(C - np.diag(np.diag(C))).max()


@st.composite
def mild_batches(draw):
    """Correlated batches (B, I) whose feature variances differ at most 16-fold, so that they decorrelate quickly."""
    x = draw(whitened_batches(SEVERAL))
    return x @ draw(spd_matrices(st.just(x.shape[1]), spectrum=(0.5, 2)))


@given(mild_batches(), st.sampled_from(COPI_METHODS), st.sampled_from([0.3, 1.0]), st.sampled_from([1e-3, 1, 1e3]))
def test_copi_decorrelates_whatever_the_units(y, method, eta_R, unit):
    """And at both ends of the range of safe step sizes."""
    decorrelator = Decorrelator(method=method, eta_R=eta_R, tol=1e-3).fit(unit * y)
    C = second_moment(decorrelator.transform(unit * y))
    assert mean_absolute_correlation(C) <= 1.001e-3
    twin = Decorrelator(method=method, eta_R=eta_R, tol=1e-3).fit(y)
    assert np.allclose(decorrelator.components_, twin.components_, rtol=1e-2, atol=1e-2)


@given(correlated_batches(SEVERAL), st.sampled_from(list(WHITENINGS)), st.sampled_from([0.0, 0.5]))
def test_whitening_methods_are_those_of_the_package(y, method, epsilon):
    decorrelator = Decorrelator(method=method, epsilon=epsilon).fit(y)
    assert np.array_equal(decorrelator.components_, WHITENINGS[method](second_moment(y), epsilon))
    if epsilon == 0:
        assert np.allclose(second_moment(decorrelator.transform(y)), np.eye(y.shape[1]), atol=1e-6)


@given(mild_batches(), st.sampled_from([*COPI_METHODS, *WHITENINGS]))
def test_the_inverse_returns_the_samples(y, method):
    decorrelator = Decorrelator(method=method).fit(y)
    assert np.allclose(decorrelator.inverse_transform(decorrelator.transform(y)), y, atol=1e-6 * np.abs(y).max())


@pytest.mark.parametrize(
    ("method", "update"), [("copi", decorrelation_update), ("copi-local", local_decorrelation_update)]
)
def test_copi_takes_the_steps_of_its_rule(method, update):
    """Three steps on all samples; then one on a new batch, with the step size for all samples so far."""
    with pytest.warns(ConvergenceWarning, match="after max_iter=3 steps"):
        decorrelator = Decorrelator(method=method, eta_R=0.7, max_iter=3).fit(X)
    R, step = np.eye(4), 0.7 / (X**2).sum(axis=1).mean()
    for _ in range(3):
        R = R + step * update(R, X @ R.T)
    assert np.allclose(decorrelator.components_, R, rtol=1e-10)
    batch = X[:30] + 1
    R = R + 0.7 / (np.vstack([X, batch]) ** 2).sum(axis=1).mean() * update(R, batch @ R.T)
    assert np.allclose(decorrelator.partial_fit(batch).components_, R, rtol=1e-10)
    assert decorrelator.n_iter_ == 4
    assert decorrelator.n_samples_seen_ == 180


@pytest.mark.parametrize("method", WHITENINGS)
def test_whitening_batch_by_batch_equals_whitening_at_once(method):
    parts = Decorrelator(method=method)
    for rows in (slice(0, 20), slice(20, 90), slice(90, 150)):
        parts.partial_fit(X[rows])
    whole = Decorrelator(method=method).fit(X)
    assert np.allclose(parts.components_, whole.components_)
    assert np.allclose(parts.second_moment_, second_moment(X))
    assert parts.n_samples_seen_ == whole.n_samples_seen_ == 150


@pytest.mark.parametrize("method", COPI_METHODS)
def test_copi_decorrelates_online(method):
    y = np.random.default_rng(0).normal(size=(4000, 3)) @ [[1, 0.8, 0], [0, 1, 0.5], [0, 0, 1]]
    decorrelator = Decorrelator(method=method, eta_R=0.1)
    for start in range(0, 4000, 20):
        decorrelator.partial_fit(y[start : start + 20])
    before, after = (mean_absolute_correlation(second_moment(x)) for x in (y, decorrelator.transform(y)))
    assert after < 0.15 * before


def test_features_that_are_always_zero_stay_zero():
    y = np.column_stack([X[:, 0], np.zeros(150), X[:, 2]])
    assert not Decorrelator().fit(y).transform(y)[:, 1].any()
    zeros = Decorrelator().fit(np.zeros((5, 2)))
    assert np.array_equal(zeros.components_, np.eye(2))
    with pytest.raises(InputError, match=r"cannot whiten: .* raise epsilon"):
        Decorrelator(method="zca").fit(y)
    assert off_diagonals(second_moment(Decorrelator(method="zca", epsilon=1e-3).fit_transform(y))) < 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "zcaa"}, "unknown method 'zcaa': did you mean 'zca'"),
        ({"eta_R": -1}, "eta_R must be a finite number"),
        ({"max_iter": 0}, "max_iter must be at least 1"),
        ({"tol": None}, "tol must be a finite number"),
        ({"epsilon": -1}, "epsilon must be a finite number"),
    ],
)
def test_a_wrong_parameter_of_the_decorrelator_is_named(options, message):
    with pytest.raises(InputError, match=message):
        Decorrelator(**options).fit(X)


@pytest.mark.parametrize("method", ["copi", "copi-local", "zca"])
@pytest.mark.parametrize("size", [2e19, 1e20, 1e30])
def test_features_whose_squares_overflow_are_named(method, size):
    """No step size would help."""
    large = (size * np.eye(4)).astype(np.float32)
    for name in ("fit", "partial_fit"):
        with pytest.raises(InputError, match=r"^the squares of X are too large for float32: scale the features down$"):
            getattr(Decorrelator(method=method), name)(large)
    Decorrelator(method=method).fit(large.astype(np.float64))


def test_a_step_size_that_is_too_large_is_named_and_nothing_is_fitted():
    decorrelator = Decorrelator(method="copi-local", eta_R=50)
    with pytest.raises(DivergenceError, match=r"lower eta_R \(now 50\), 1 or less is safe"):
        decorrelator.fit(X)
    with pytest.raises(NotFittedError):
        decorrelator.transform(X)
    with pytest.raises(DivergenceError):  # noqa: PT012 - after a few steps
        for _ in range(100):
            decorrelator.partial_fit(X)


def test_the_inverse_refuses_another_number_of_features():
    with pytest.raises(InputError, match="X must have 4 decorrelated features, got 3"):
        Decorrelator(method="zca").fit(X).inverse_transform(X[:, :3])


def rank_rule(R, x, y, eta_R, strength=0.5):
    """A rule of three arguments, one setting of its own, and its step size, which it divides out again."""
    C = np.tanh(x).T @ x / len(y)
    return -strength * eta_R * (C - np.diag(np.diag(C))) @ R / eta_R


def test_the_decorrelator_takes_a_rule_of_your_own():
    """Three steps on all samples, not only on their second moments; then one on a new batch."""
    with pytest.warns(ConvergenceWarning, match="after max_iter=3 steps"):
        decorrelator = Decorrelator(method=rank_rule, eta_R=0.7, max_iter=3).fit(X)
    R, step = np.eye(4), 0.7 / (X**2).sum(axis=1).mean()
    for _ in range(3):
        R = R + step * rank_rule(R, X @ R.T, X, step)
    assert np.allclose(decorrelator.components_, R, rtol=1e-10)
    batch = X[:30] + 1
    step = 0.7 / (np.vstack([X, batch]) ** 2).sum(axis=1).mean()
    R = R + step * rank_rule(R, batch @ R.T, batch, step)
    assert np.allclose(decorrelator.partial_fit(batch).components_, R, rtol=1e-10)


@given(mild_batches())
def test_a_function_given_to_the_decorrelator_does_what_its_name_does(y):
    for name, update in (("copi", decorrelation_update), ("copi-local", local_decorrelation_update)):
        named, given_as_function = Decorrelator(method=name).fit(y), Decorrelator(method=update).fit(y)
        assert np.allclose(named.components_, given_as_function.components_, rtol=1e-6, atol=1e-9)


def test_a_decorrelator_of_your_own_is_copied_stored_and_searched():
    decorrelator = Decorrelator(method=functools.partial(rank_rule, strength=1.0), tol=0.2).fit(X)
    expected = decorrelator.transform(X)
    data = sio.dumps(decorrelator)
    for twin in (
        copy.deepcopy(decorrelator),
        pickle.loads(pickle.dumps(decorrelator)),
        sio.loads(data, trusted=sio.get_untrusted_types(data=data)),
    ):
        assert np.array_equal(twin.transform(X), expected)
        assert np.array_equal(clone(twin).fit(X).components_, decorrelator.components_)
    secret = Decorrelator(method=lambda R: 0 * R, tol=1)
    assert np.array_equal(copy.deepcopy(secret).fit(X).components_, np.eye(4))
    with pytest.raises(InputError, match=r"^method .*<lambda> cannot be pickled"):
        pickle.dumps(secret)
    pipeline = make_pipeline(Decorrelator(tol=0.2), COPIClassifier(random_state=0, max_iter=30, tol=0.05))
    search = GridSearchCV(pipeline, {"decorrelator__method": ["copi", rank_rule]}, cv=2, error_score="raise")
    assert search.fit(X, Y).best_score_ > 0.5


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (
            3,
            "^method must be one of copi, .*, cholesky, or a function of any of R, x, y, .*: got 3$",
        ),
        (Nesterov(), "^method must be one of copi, .* got <"),
        (Nesterov, "^update must be an instance, not the class Nesterov"),
        (leaky_hebb, "^update leaky_hebb asks for 'W': name its parameters, any of R, x, y, eta_R, sample_weight$"),
        (lambda R: R[:2], r"^update <lambda> returned an array of shape \(2, 4\), where \(4, 4\) is needed$"),
    ],
)
def test_a_method_that_is_not_a_rule_is_named(method, message):
    for name in ("fit", "partial_fit"):
        decorrelator = Decorrelator(method=method)
        with pytest.raises(InputError, match=message):
            getattr(decorrelator, name)(X)
        assert not hasattr(decorrelator, "components_")
