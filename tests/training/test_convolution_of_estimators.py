"""Convolutions in the estimators of scikit-learn: the same network, built from `image_shape`."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from copi_np import Conv, InputError, Network, Pool

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.datasets import load_digits

from copi_np.estimators import COPIClassifier, COPIRegressor

X, Y = (array[:300] for array in load_digits(return_X_y=True))
LAYERS = [Conv(6, 3), Pool(2), 12]


def fitted(kind=COPIClassifier, y=Y, **options):
    settings = {"image_shape": (1, 8, 8), "max_iter": 3, "random_state": 0, **options}
    with pytest.warns(match="still learning"):
        return kind(LAYERS, **settings).fit(X, y)


def test_a_classifier_sees_images():
    model = fitted(max_iter=6)
    assert model.network_.config["sizes"] == ["conv6k3", "pool2", 12, 10]
    assert model.network_.input_shape == (1, 8, 8)
    assert model.score(X, Y) > 0.4  # of ten classes, after five epochs
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))
    assert clone(model).get_params()["image_shape"] == (1, 8, 8)


def test_it_is_the_network_of_the_same_seed():
    model = fitted(fit_intercept=False, eta_W=0.0, decorrelation=None)
    weights_rng, _ = np.random.default_rng(0).spawn(2)
    network = Network([*LAYERS, 10], input_shape=(1, 8, 8), rng=weights_rng, dtype="float64")
    for one, other in zip(model.network_.layers, network.layers, strict=True):
        np.testing.assert_array_equal(one.W, other.W)


def test_a_regressor_too():
    model = fitted(COPIRegressor, Y.astype(float), max_iter=2)
    assert model.predict(X).shape == (300,)


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"image_shape \(1, 8, 9\) does not hold 64 features: correct it"):
        COPIClassifier(LAYERS, image_shape=(1, 8, 9)).fit(X, Y)
    with pytest.raises(InputError, match="hidden_layer_sizes must be"):
        COPIClassifier(LAYERS).fit(X, Y)
    with pytest.raises(InputError, match="hidden_layer_sizes holds 'konv'"):
        COPIClassifier(["konv"], image_shape=(1, 8, 8)).fit(X, Y)
    model = fitted(warm_start=True)
    with pytest.raises(InputError, match="image_shape was"):
        model.set_params(image_shape=(1, 4, 16)).fit(X, Y)
