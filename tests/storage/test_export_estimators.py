"""Estimators as ONNX: onnxruntime computes from raw features what the estimator predicts, classes included."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from copi_np import Activation, DataError, InputError, Network
from copi_np.checkpoint import save_network
from copi_np.estimators import COPIClassifier, COPIRegressor, Decorrelator
from copi_np.export import export_onnx, export_safetensors

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4)) * [1, 10, 0.1, 3] + [0, 100, -5, 1e4]
NUMBERS = np.argmax((X - X.mean(axis=0)) / X.std(axis=0) @ RNG.normal(size=(4, 3)), axis=1)
NAMES = np.array(["ash", "birch", "école"])
FEW = {"max_iter": 8, "random_state": 0, "hidden_layer_sizes": (6, 5)}


def run(path, X):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert given.name == "X"
    assert given.shape[1] == X.shape[1]
    return dict(zip([each.name for each in session.get_outputs()], session.run(None, {"X": X}), strict=True))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options", [{}, {"standardize": False}, {"fit_intercept": False}, {"activation": "tanh", "rule": "sgd"}], ids=str
)
def test_a_classifier_gives_labels_and_probabilities(tmp_path, options, dtype):
    inputs = X.astype(dtype) if options.get("standardize", True) else ((X - X.mean(0)) / X.std(0)).astype(dtype)
    model = COPIClassifier(**FEW, **options).fit(inputs, NAMES[NUMBERS])
    export_onnx(tmp_path / "model.onnx", model)
    for n in (1, 120):
        found = run(tmp_path / "model.onnx", inputs[:n])
        assert list(found) == ["label", "probabilities"]
        assert found["label"].tolist() == model.predict(inputs[:n]).tolist()
        assert found["probabilities"].dtype == dtype
        tolerance = {"float32": 5e-5, "float64": 1e-12}[dtype]
        np.testing.assert_allclose(found["probabilities"], model.predict_proba(inputs[:n]), atol=tolerance)
    assert len(set(found["label"])) > 1
    assert model.score(inputs, NAMES[NUMBERS]) > 0.5


@pytest.mark.parametrize(
    "classes",
    [
        np.array([0, 1, 2]), np.array([-7, 3, 10**12]), np.array([1, 2, 3], np.uint8), np.array([0.5, 1, 2]),
        np.array(["b", "a", "c"], object), np.array(["x", "", "y z"]),
    ],
    ids=str,
)  # fmt: skip
def test_labels_are_those_of_predict(tmp_path, classes):
    y = classes[NUMBERS]
    y = y.astype(str) if y.dtype.kind == "f" else y  # scikit-learn takes fractions for regression
    model = COPIClassifier(**FEW).fit(X, y)
    export_onnx(tmp_path / "model.onnx", model)
    label = run(tmp_path / "model.onnx", X)["label"]
    assert label.tolist() == model.predict(X).tolist()
    if classes.dtype.kind in "iu":
        assert label.dtype == classes.dtype


def test_two_classes_that_are_true_and_false(tmp_path):
    model = COPIClassifier(**FEW).fit(X, NUMBERS == 1)
    export_onnx(tmp_path / "model.onnx", model)
    found = run(tmp_path / "model.onnx", X)
    assert found["label"].dtype == bool
    np.testing.assert_array_equal(found["label"], model.predict(X))
    assert found["probabilities"].shape == (120, 2)


def test_without_probabilities_there_are_scores(tmp_path):
    model = COPIClassifier(loss="quadratic", **FEW).fit(X, NUMBERS)
    export_onnx(tmp_path / "model.onnx", model)
    found = run(tmp_path / "model.onnx", X)
    assert list(found) == ["label", "scores"]
    np.testing.assert_array_equal(found["label"], model.predict(X))
    np.testing.assert_allclose(found["scores"], model.network_.predict(model.scaler_.transform(X)), atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("options", [{}, {"standardize": False}, {"fit_intercept": False}], ids=str)
def test_a_regressor_gives_values_in_the_units_of_y(tmp_path, options, n_outputs, dtype):
    inputs = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(dtype)
    y = inputs @ np.random.default_rng(1).normal(size=(4, n_outputs)) + 0.5
    y = y * 50 + 1000 if options.get("standardize", True) else y
    model = COPIRegressor(**FEW, **options).fit(inputs, y[:, 0] if n_outputs == 1 else y)
    export_onnx(tmp_path / "model.onnx", model)
    found = run(tmp_path / "model.onnx", inputs)
    assert list(found) == ["variable"]
    assert found["variable"].shape == (120, n_outputs)
    assert found["variable"].dtype == dtype
    tolerance = {"float32": 1e-5, "float64": 1e-12}[dtype] * np.abs(y).max()
    np.testing.assert_allclose(found["variable"], model.predict(inputs).reshape(120, -1), atol=tolerance)
    assert found["variable"].std() > 0.01 * y.std()


def test_large_means_are_rounded_as_scikit_learn_rounds_them(tmp_path):
    """Float32 cannot hold the mean of these features to more than 0.06."""
    inputs = (1e6 + np.random.default_rng(2).normal(size=(200, 2))).astype(np.float32)
    model = COPIClassifier(**FEW).fit(inputs, inputs[:, 0] > inputs[:, 0].mean())
    export_onnx(tmp_path / "model.onnx", model)
    probabilities = run(tmp_path / "model.onnx", inputs)["probabilities"]
    np.testing.assert_allclose(probabilities, model.predict_proba(inputs), atol=1e-5)


def test_an_estimator_saved_before_layers_had_biases(tmp_path):
    """Its network has an input of ones, which is not one of the features."""
    inputs = StandardScaler().fit_transform(X)
    earlier = COPIClassifier(**FEW, standardize=False, fit_intercept=False)
    earlier.fit(np.column_stack([inputs, np.ones(len(X))]), NUMBERS)
    model = COPIClassifier(**FEW).fit(X, NUMBERS)
    model.network_ = earlier.network_
    export_onnx(tmp_path / "model.onnx", model)
    found = run(tmp_path / "model.onnx", X)
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(X), atol=1e-12)


# ---------------------------------------------------------------------------------------------- what is refused


def test_what_is_not_fitted_is_refused(tmp_path):
    pytest.importorskip("onnx")
    for model in (COPIClassifier(), COPIRegressor()):
        with pytest.raises(NotFittedError):
            export_onnx(tmp_path / "model.onnx", model)


@pytest.mark.parametrize("model", [Decorrelator(), make_pipeline(StandardScaler(), COPIClassifier())])
def test_other_estimators_are_refused(tmp_path, model):
    pytest.importorskip("onnx")
    kind = type(model).__name__
    with pytest.raises(InputError, match=rf"knows only networks, COPIClassifier and COPIRegressor, got a {kind}:"):
        export_onnx(tmp_path / "model.onnx", model)


def test_classes_without_a_type_are_refused(tmp_path):
    pytest.importorskip("onnx")
    model = COPIClassifier(**FEW).fit(X, NUMBERS)
    model.classes_ = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "datetime64[D]")
    with pytest.raises(InputError, match=r"ONNX has no type for classes such as .*2020-01-01.*numbers or text"):
        export_onnx(tmp_path / "model.onnx", model)


def test_an_own_activation_is_refused(tmp_path):
    pytest.importorskip("onnx")
    own = Activation("own", lambda a: a, lambda a: 0 * a + 1)
    model = COPIClassifier(activation=own, **FEW).fit(X, NUMBERS)
    with pytest.raises(InputError, match="ONNX has no operator for activation own, which is your own"):
        export_onnx(tmp_path / "model.onnx", model)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"this export needs onnx: pip install 'copi-np\[export\]'"):
        export_onnx(tmp_path / "model.onnx", COPIClassifier(**FEW).fit(X, NUMBERS))


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    pytest.importorskip("onnx")
    with pytest.raises(DataError, match=r"cannot write .*missing"):
        export_onnx(tmp_path / "missing" / "model.onnx", COPIClassifier(**FEW).fit(X, NUMBERS))


@pytest.mark.parametrize("write", [export_safetensors, save_network])
def test_files_of_networks_say_where_the_network_of_an_estimator_is(tmp_path, write):
    pytest.importorskip("safetensors")
    with pytest.raises(InputError, match=r"need a Network, got COPIClassifier\(\): give its network_"):
        write(tmp_path / "x", COPIClassifier())


# ------------------------------------------------------------------------------------------ networks with a bias


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_with_biases(tmp_path, dtype):
    runtime = pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(0)
    network = Network([4, 6, 3], rng=rng, bias=True, dtype=dtype)
    y0, targets = rng.normal(size=(30, 4)).astype(dtype), np.eye(3, dtype=dtype)[rng.integers(0, 3, 30)]
    for _ in range(50):
        network.step(y0, targets, eta_W=0.02)
    export_onnx(tmp_path / "net.onnx", network)
    session = runtime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape[1] == 4
    (outputs,) = session.run(["outputs"], {"inputs": y0})
    np.testing.assert_allclose(outputs, network.predict(y0), atol=1e-5)
    assert np.abs(network.layers[1].folded()[:, -1]).max() > 0.01
