"""Masked arrays and missing values are refused in one line, wherever arrays come in: their masks would be dropped."""

from __future__ import annotations

import numpy as np
import pandas
import pytest
from sklearn.neural_network import MLPRegressor

from copi_np import InputError, Network, analysis, rules, whitening
from copi_np.backend import get_backend
from copi_np.datasets import Dataset, Split, as_float, one_hot
from copi_np.estimators import COPIClassifier, COPIRegressor, Decorrelator
from copi_np.losses import LOSSES

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning"),
]
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(30, 3)), np.arange(30) % 3
T = np.eye(3)[Y]
MASKED = np.ma.masked_greater(X, 1)
LABELS = np.ma.masked_equal(Y, 2)
WEIGHTS = np.ma.masked_less(np.arange(30.0), 5)
NETWORK = Network([3, 4, 3], rng=np.random.default_rng(0), dtype="float64")
FRAME = pandas.DataFrame(X)


def fitted(kind):
    return kind(max_iter=1, tol=1).fit(X, Y)


CORE = {
    "inputs of a data set": lambda X, y: Dataset("d", Split(X, Y), Split(X, Y), 3),
    "labels of a data set": lambda X, y: Dataset("d", Split(np.ones((30, 3)), y), Split(np.ones((30, 3)), Y), 3),
    "as_float": lambda X, y: as_float(X, "float32"),
    "one_hot": lambda X, y: one_hot(y, 3, "float32"),
    "asarray": lambda X, y: get_backend("numpy").asarray(X),
    "asarray of a dtype": lambda X, y: get_backend("numpy").asarray(X, "float32"),
    "forward": lambda X, y: NETWORK.forward(X),
    "predict": lambda X, y: NETWORK.predict(X),
    "step": lambda X, y: NETWORK.step(X, T, eta_W=0.1),
    "targets": lambda X, y: NETWORK.step(np.ones((30, 3)), X, eta_W=0.1),
    "weights of a layer": lambda X, y: setattr(NETWORK.layers[0], "R", X[:3]),
    "rule": lambda X, y: rules.mean_square(X),
    "measure": lambda X, y: whitening.decorrelation_loss(X[:3]),
    "zca": lambda X, y: whitening.zca(X[:3]),
    "loss": lambda X, y: LOSSES["quadratic"].mean(X, T),
    "path": lambda X, y: analysis.decorrelation_path(X, 0.1, 2),
    "map": lambda X, y: analysis.stack_map(NETWORK, X, 0, 1),
}


@pytest.mark.parametrize("name", CORE)
@pytest.mark.parametrize("kind", ["masked", "not masked anywhere", "matrix"])
def test_functions_of_arrays_refuse_subclasses_with_another_meaning(name, kind):
    """A masked array loses its mask or changes means and shapes; a product of matrices is not elementwise."""
    X_given, y_given = {
        "masked": (MASKED, LABELS),
        "not masked anywhere": (np.ma.masked_array(X), np.ma.masked_array(Y)),
        "matrix": (np.matrix(X), np.matrix(Y)),
    }[kind]
    if (name, kind) in {("asarray", "matrix"), ("asarray of a dtype", "matrix")}:
        assert type(CORE[name](X_given, y_given)) is np.ndarray
        return
    with pytest.raises(InputError, match=r"masked array|MaskedArray|matrix|labels of shape") as found:
        CORE[name](X_given, y_given)
    assert "\n" not in str(found.value)


def test_sample_weights_of_a_step_must_not_be_masked():
    with pytest.raises(
        InputError, match=r"^sample_weight must not be a masked array, which would lose its mask: drop "
    ):
        NETWORK.step(X, T, eta_W=0.1, sample_weight=WEIGHTS)


def test_a_rule_must_not_return_a_masked_array():
    network = Network([3, 3], rng=np.random.default_rng(0), dtype="float64", rule=lambda W: np.ma.masked_less(W, 0))
    with pytest.raises(InputError, match=r"returned numpy\.ma\..*MaskedArray, where numpy\.ndarray is needed"):
        network.step(X, T, eta_W=0.1)


def test_a_memory_map_is_an_array(tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.array_equal(NETWORK.predict(mapped), NETWORK.predict(X))
    assert Dataset("d", Split(mapped, Y), Split(X, Y), 3).n_inputs == 3


@pytest.mark.parametrize("values", [["a"], [pandas.NA], [None, {}]])
def test_what_is_no_number_cannot_be_moved_to_a_device(values):
    for dtype in (None, "float64"):
        with pytest.raises(InputError, match=r"numbers") as found:
            get_backend("numpy").asarray(values, dtype)
        assert "\n" not in str(found.value)


# ---------------------------------------------------------------- estimators


def with_gap(values, kind, dtype):
    """Return a series of another dtype, whose first value is missing."""
    return kind([None, *values[1:]], dtype=dtype)


NULLABLE = FRAME.astype("Float64")
NULLABLE.iloc[3, 1] = pandas.NA
COUNTS = pandas.DataFrame(RNG.integers(0, 5, (30, 3))).astype("Int64")
COUNTS.iloc[2, 2] = pandas.NA
OBJECTS = FRAME.astype(object)
OBJECTS.iloc[3, 1] = pandas.NA
INPUTS = {
    "masked": MASKED,
    "rows": list(MASKED),
    "Float64": NULLABLE,
    "Int64": COUNTS,
    "object": OBJECTS,
    "array of objects": OBJECTS.to_numpy(),
    "float": FRAME.where(FRAME < 1),
}
TARGETS = {
    "masked": LABELS,
    "list": [pandas.NA, *Y[1:].tolist()],
    "None": [None, *Y[1:].tolist()],
    "array of objects": np.array([None, *Y[1:]], object),
    **{
        f"{dtype} {kind.__name__}": with_gap(Y, kind, dtype)
        for kind in (pandas.Series, pandas.array)
        for dtype in ("Int64", "Float64", object)
    },
}
TEXTS = {
    dtype: with_gap(np.array(["a", "b", "c"])[Y].tolist(), pandas.Series, dtype)
    for dtype in ("string", "category", object)
}
WEIGHTS_GIVEN = {"masked": WEIGHTS, "Float64": with_gap(np.ones(30), pandas.Series, "Float64")}
each_kind = pytest.mark.parametrize("kind", [COPIClassifier, COPIRegressor])
HOLDS = "holds (masked|missing) values: drop their samples, or fill them in$"


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("kind", [COPIClassifier, COPIRegressor, Decorrelator])
def test_inputs_of_estimators(kind, name):
    given, model = INPUTS[name], fitted(kind)
    calls = [kind().fit, model.partial_fit, *([model.predict] if kind is not Decorrelator else [model.transform])]
    if kind is Decorrelator:
        calls.append(model.inverse_transform)
    for call in calls:
        arguments = (given, Y) if call.__name__ in ("fit", "partial_fit") else (given,)
        with pytest.raises(InputError, match=f"^X {HOLDS}"):
            call(*arguments)


@each_kind
@pytest.mark.parametrize("name", TARGETS)
def test_targets_of_estimators(kind, name):
    model = fitted(kind)
    for call in (kind().fit, model.partial_fit, model.score):
        with pytest.raises(InputError, match=f"^y {HOLDS}"):
            call(X, TARGETS[name])


@pytest.mark.parametrize("dtype", TEXTS)
def test_missing_labels(dtype):
    with pytest.raises(InputError, match=f"^y {HOLDS}"):
        COPIClassifier().fit(X, TEXTS[dtype])
    with pytest.raises(InputError, match=f"^classes {HOLDS}"):
        COPIClassifier().partial_fit(X, np.array(["a", "b", "c"])[Y], classes=TEXTS[dtype])


@pytest.mark.parametrize("classes", [[0, 1, 2, np.nan], np.ma.masked_equal([0, 1, 2], 1), [0, 1, 2, None]], ids=str)
def test_missing_classes(classes):
    with pytest.raises(ValueError, match=r"^classes holds|^Input classes contains NaN"):
        COPIClassifier().partial_fit(X, Y, classes=classes)


@each_kind
@pytest.mark.parametrize("name", WEIGHTS_GIVEN)
def test_weights_of_estimators(kind, name):
    model = fitted(kind)
    for call in (kind().fit, model.partial_fit, model.score):
        with pytest.raises(InputError, match=f"^sample_weight {HOLDS}"):
            call(X, Y, sample_weight=WEIGHTS_GIVEN[name])


def test_a_missing_number_in_rows_of_targets_is_not_too_large():
    with pytest.raises(InputError, match=r"^y holds missing values"):
        COPIRegressor().fit(X, [[None], *([float(y)] for y in Y[1:])])


@each_kind
def test_complete_frames_and_unmasked_arrays_are_as_good_as_plain_ones(kind):
    plain = kind(max_iter=2, random_state=0).fit(X, Y)
    for given in (FRAME.astype("Float64"), np.ma.masked_array(X), FRAME.astype(object)):
        for targets in (pandas.Series(Y, dtype="Int64"), np.ma.masked_array(Y), Y.tolist()):
            same = kind(max_iter=2, random_state=0).fit(given, targets, sample_weight=np.ones(30))
            np.testing.assert_allclose(same.loss_curve_, plain.loss_curve_)
            assert same.score(given, targets) == pytest.approx(plain.score(X, Y))


# ---------------------------------------------------------------- a validation split that is too small


@pytest.mark.parametrize("options", [{}, {"warm_start": True}])
def test_one_sample_is_too_few_to_validate_a_regressor(options):
    """R^2 of one sample is NaN, which would end training early; MLPRegressor refuses as well."""
    with pytest.raises(ValueError, match="validation set is too small"):
        MLPRegressor(early_stopping=True).fit(X[:6], Y[:6])
    why = r"^validation_fraction=0\.1 holds out one sample, which cannot be scored: raise it, or give more samples$"
    model = COPIRegressor(early_stopping=True, random_state=0, max_iter=20, **options)
    for weights in (None, np.ones(6)):
        with pytest.raises(InputError, match=why):
            model.fit(X[:6], Y[:6], sample_weight=weights)
    assert not hasattr(model, "network_")
    model.set_params(validation_fraction=0.3).fit(X[:6], Y[:6])
    assert np.isfinite(model.validation_scores_).all()
    assert model.n_iter_ > 11  # it waits for n_iter_no_change=10 epochs after the first


def test_samples_without_weight_are_not_counted_as_held_out():
    weights = np.r_[np.ones(6), np.zeros(24)]
    with pytest.raises(InputError, match="holds out one sample"):
        COPIRegressor(early_stopping=True).fit(X, Y, sample_weight=weights)
