"""Checkpoints of networks with biases: they continue where they stopped; files without biases stay as they were."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from copi_np import DataError, InputError, Network, load_network, save_network
from copi_np.checkpoint import network_arrays, network_of
from copi_np.export import export_safetensors
from copi_np.storage.npz import read_npz


def trained(**options):
    rng = np.random.default_rng(0)
    network = Network([4, 6, 3], rng=rng, bias=True, dtype="float64", **options)
    for _ in range(5):
        network.step(*batch(), eta_W=0.02, eta_R=0.05)
    return network


def batch():
    rng = np.random.default_rng(1)
    return rng.normal(size=(20, 4)) + 1, np.eye(3)[rng.integers(0, 3, 20)]


def header_of(path):
    return json.loads(str(read_npz(path, "")["header"]))


@pytest.mark.parametrize(
    "options", [{}, {"rule": "adam", "decorrelation": None}, {"error_signal": "dtp", "decorrelation": "local"}], ids=str
)
def test_a_loaded_network_continues_exactly(tmp_path, options):
    network = trained(**options)
    save_network(tmp_path / "net.npz", network)
    loaded, _ = load_network(tmp_path / "net.npz")
    assert loaded.config == network.config
    assert loaded.config["bias"] is True
    for each in (network, loaded):
        each.step(*batch(), eta_W=0.02, eta_R=0.05)
    for one, other in zip(network.layers, loaded.layers, strict=True):
        np.testing.assert_array_equal(one.W, other.W)
        np.testing.assert_array_equal(one.R, other.R)
    assert np.abs(network.layers[1].W[:, -1]).min() > 0


def test_only_files_with_biases_are_of_the_new_kind(tmp_path):
    """Earlier versions read the others, and say of these that a newer version wrote them."""
    save_network(tmp_path / "net.npz", trained())
    save_network(tmp_path / "plain.npz", Network([4, 3], rng=np.random.default_rng(0)))
    with_biases, plain = header_of(tmp_path / "net.npz"), header_of(tmp_path / "plain.npz")
    assert (with_biases["schema"], with_biases["network"]["bias"]) == (3, True)
    assert plain["schema"] == 2
    assert "bias" not in plain["network"]


def test_weights_that_do_not_fit_are_refused():
    network = trained()
    arrays, config = network_arrays(network), network.config
    for changes, message in (
        ({"W_1": arrays["W_1"][:, :-1]}, r"holds W_1 of \(3, 6\) instead of \(3, 7\)"),
        ({"R_0": np.eye(4)}, r"holds R_0 of \(4, 4\) instead of \(5, 5\)"),
        ({"W_0": arrays["W_0"][:, :-1]}, r"declares layers .*4.* but holds weights of .*3"),
    ):
        with pytest.raises(DataError, match=message):
            network_of(config, arrays | changes, "numpy")
    with pytest.raises(DataError, match="declares layers"):
        network_of({name: value for name, value in config.items() if name != "bias"}, arrays, "numpy")
    R = arrays["R_0"].copy()
    R[-1, 0] = 1e-9
    with pytest.raises(InputError, match="the last row of R belongs to the constant unit"):
        network_of(config, arrays | {"R_0": R}, "numpy")
    with pytest.raises(InputError, match="bias must be True or False"):
        network_of(config | {"bias": "yes"}, arrays, "numpy")


def test_safetensors_hold_the_biases(tmp_path):
    safetensors = pytest.importorskip("safetensors")
    network = trained()
    export_safetensors(tmp_path / "net.safetensors", network)
    with safetensors.safe_open(tmp_path / "net.safetensors", "numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
        config = json.loads(file.metadata()["copi_np"])["network"]
    assert arrays["W_0"].shape == (6, 5)
    inputs = batch()[0]
    np.testing.assert_array_equal(network_of(config, arrays, "numpy").predict(inputs), network.predict(inputs))


def test_an_estimator_with_biases_is_stored(tmp_path):
    from copi_np.estimators import COPIClassifier

    X, targets = batch()
    model = COPIClassifier((5,), max_iter=2, first_epochs=0, random_state=0)
    with pytest.warns(match="still learning"):
        model.fit(X, targets.argmax(axis=1))
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded.network_.config["bias"] is True
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
