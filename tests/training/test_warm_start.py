"""Training a network further with other parameters: those that it was built with cannot change unnoticed."""

from __future__ import annotations

import copy
import pickle
from functools import partial

import numpy as np
import pytest
import skops.io as sio
from sklearn.base import clone
from sklearn.datasets import load_iris

from copi_np import InputError
from copi_np.activations import ACTIVATIONS, Activation
from copi_np.error_signals import ERROR_SIGNALS
from copi_np.estimators import COPIClassifier, COPIRegressor, base
from copi_np.losses import LOSSES
from copi_np.rules import sgd_update

pytestmark = pytest.mark.filterwarnings("ignore:still learning:sklearn.exceptions.ConvergenceWarning")
X, Y = load_iris(return_X_y=True)
FEW = {"max_iter": 2, "tol": 0, "random_state": 0}
KINDS = {"fit": {"warm_start": True}, "partial_fit": {}}
each_call = pytest.mark.parametrize("call", KINDS)


def damped(W, x, delta, strength=0.5):
    """A rule with a setting."""
    return strength * delta.T @ x / len(x)


CHANGES = {
    "hidden_layer_sizes": [(7,), (100, 10), ()],
    "image_shape": [(1, 2, 2)],
    "rule": ["sgd", "adam", damped, sgd_update],
    "error_signal": ["fa", "dfa", ERROR_SIGNALS["fa"]],
    "decorrelation": ["local", None],
    "decorrelation_samples": [5, [5, None]],
    "decorrelation_every": [2],
    "activation": ["tanh", Activation("leaky_relu", lambda a: a, lambda a: 0 * a + 1), ["tanh", "linear"]],
    "loss": ["quadratic", LOSSES["quadratic"]],
    "standardize": [False],
    "fit_intercept": [False],
    "backend": ["auto"],
}


def test_every_parameter_either_may_change_or_is_refused():
    """A new parameter must be put into one of the two lists."""
    learning = {"eta_W", "eta_R", "first_epochs", "first_eta_W", "first_eta_R", "delta_scale", "batch_size"} | {
        "rest_R_after"
    }
    stopping = {"max_iter", "tol", "n_iter_no_change", "early_stopping", "validation_fraction"}
    free = learning | stopping | {"warm_start", "random_state"}
    assert set(CHANGES) == set(base.SHAPING)
    assert set(COPIClassifier().get_params()) == set(CHANGES) | free
    assert set(COPIRegressor().get_params()) == (set(CHANGES) - {"loss"}) | free


@each_call
@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (kind, name, value)
        for kind in (COPIClassifier, COPIRegressor)
        for name in CHANGES
        for value in CHANGES[name]
        if name in kind().get_params()
    ],
)
def test_a_changed_parameter_is_named_and_the_model_stays_as_it_was(call, kind, name, value):
    model = kind(**FEW, **KINDS[call]).fit(X, Y)
    twin = copy.deepcopy(model)
    model.set_params(**{name: value})
    with pytest.raises(
        InputError, match=rf"^{name} was .* when the network was built, and is now .*: set it back "
    ) as found:
        getattr(model, call)(X, Y)
    assert "\n" not in str(found.value)
    assert np.array_equal(model.predict(X), twin.predict(X))
    back = model.set_params(**{name: getattr(twin, name)})
    assert getattr(back, call)(X, Y).loss_curve_ == getattr(twin, call)(X, Y).loss_curve_
    for renewed in (clone(model).set_params(**{name: value}), model.set_params(**{name: value}, warm_start=False)):
        assert renewed.fit(X, Y).n_iter_ == 2


@each_call
def test_another_spelling_of_the_same_sizes_is_no_change(call):
    model = COPIClassifier((10,), **FEW, **KINDS[call]).fit(X, Y)
    for same in (10, [10], np.array([10]), (np.int64(10),)):
        getattr(model.set_params(hidden_layer_sizes=same), call)(X, Y)
    assert model.n_iter_ > 2


@each_call
def test_a_list_that_was_changed_in_place_is_seen(call):
    activations = ["tanh", "linear"]
    model = COPIClassifier(activation=activations, **FEW, **KINDS[call]).fit(X, Y)
    activations[0] = "relu"
    with pytest.raises(InputError, match=r"^activation was \['tanh', 'linear'\] when .* now \['relu', 'linear'\]"):
        getattr(model, call)(X, Y)


@each_call
def test_step_sizes_and_stopping_may_change(call):
    model = COPIClassifier(**FEW, **KINDS[call]).fit(X, Y)
    changes = {"eta_W": 0.1, "eta_R": 1e-3, "delta_scale": 1.0, "batch_size": 30, "first_epochs": 0, "tol": 1.0}
    changes |= {"max_iter": 3, "early_stopping": True, "n_iter_no_change": 2, "validation_fraction": 0.3}
    assert getattr(model.set_params(**changes), call)(X, Y).n_iter_ > 2


@pytest.mark.parametrize(
    "stored",
    [
        copy.deepcopy,
        lambda model: pickle.loads(pickle.dumps(model)),
        lambda model: sio.loads(sio.dumps(model), trusted=sio.get_untrusted_types(data=sio.dumps(model))),
    ],
    ids=["copy", "pickle", "skops"],
)
@pytest.mark.parametrize(
    "own",
    [{}, {"rule": damped}, {"rule": partial(damped, strength=0.1)}, {"activation": ACTIVATIONS["tanh"]}],
    ids=["none", "function", "partial", "activation"],
)
def test_a_stored_model_knows_what_it_was_built_with(stored, own):
    twin = stored(COPIClassifier(**own, **FEW).fit(X, Y))
    assert twin.partial_fit(X, Y).n_iter_ == 3
    with pytest.raises(InputError, match=r"^decorrelation was 'matrix' when the network was built, and is now None"):
        twin.set_params(decorrelation=None).partial_fit(X, Y)


def test_probabilities_are_those_of_the_trained_network():
    """Whatever the parameter says now: a quadratic network has none."""
    quadratic = COPIClassifier(loss="quadratic", **FEW).fit(X, Y).set_params(loss="cross_entropy")
    assert not hasattr(quadratic, "predict_proba")
    entropic = COPIClassifier(**FEW).fit(X, Y)
    probabilities = entropic.predict_proba(X)
    assert np.array_equal(entropic.set_params(loss="quadratic").predict_proba(X), probabilities)
    assert not hasattr(quadratic.fit(X, Y).set_params(loss="quadratic").fit(X, Y), "predict_proba")


def test_a_frozen_parameter_does_not_change_predictions():
    """standardize and fit_intercept act on what the network was trained with."""
    for kind in (COPIClassifier, COPIRegressor):
        model = kind(**FEW).fit(X, Y)
        expected = model.predict(X)
        assert np.array_equal(model.set_params(standardize=False, fit_intercept=False).predict(X), expected)
