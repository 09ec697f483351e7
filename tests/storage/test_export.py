"""Networks for other tools: what they read is what the network holds, and computes what it does."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from copi_np import DataError, InputError, Network
from copi_np.checkpoint import network_arrays, network_of, save_network
from copi_np.export import export_onnx, export_safetensors


def trained(**options):
    rng = np.random.default_rng(0)
    network = Network([7, 6, 5, 3], rng=rng, **options)
    for _ in range(20):
        y0, targets = rng.normal(size=(8, 7)), np.eye(3)[rng.integers(0, 3, 8)]
        network.step(y0.astype(network.dtype), targets.astype(network.dtype), eta_W=0.02, eta_R=0.05)
    return network


OPTIONS = [
    {}, {"dtype": "float64"}, {"activation": "tanh"}, {"activation": "relu", "loss": "cross_entropy"},
    {"activation": ["tanh", "leaky_relu", "linear"], "dtype": "float64"}, {"decorrelation": None, "rule": "adam"},
    {"error_signal": "fa"},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_onnx_computes_what_the_network_predicts(tmp_path, options):
    runtime = pytest.importorskip("onnxruntime")
    network = trained(**options)
    export_onnx(tmp_path / "net.onnx", network)
    session = runtime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    for n_samples in (1, 11):
        inputs = np.random.default_rng(1).normal(size=(n_samples, 7)).astype(network.dtype)
        (outputs,) = session.run(["outputs"], {"inputs": inputs})
        assert outputs.dtype == network.dtype
        np.testing.assert_allclose(outputs, network.predict(inputs), rtol=1e-5, atol=1e-5)
        assert np.abs(outputs).max() > 0.01


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_safetensors_hold_the_weights(tmp_path, options):
    """Bit for bit, also of arrays that do not lie row by row; and with the configuration they make the network."""
    safetensors = pytest.importorskip("safetensors")
    network = trained(**options)
    network.layers[1]._W = np.asfortranarray(network.layers[1].W)
    export_safetensors(tmp_path / "net.safetensors", network)
    with safetensors.safe_open(tmp_path / "net.safetensors", "numpy") as file:
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
        config = json.loads(file.metadata()["copi_np"])["network"]
    assert found.keys() == network_arrays(network).keys()
    for name, array in network_arrays(network).items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    inputs = np.ones((2, 7), network.dtype)
    np.testing.assert_allclose(network_of(config, found, "numpy").predict(inputs), network.predict(inputs), rtol=1e-6)


@pytest.mark.parametrize(("export", "package"), [(export_onnx, "onnx"), (export_safetensors, "safetensors")])
def test_a_missing_package_is_named(tmp_path, monkeypatch, export, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f"{package}.numpy", None)
    with pytest.raises(InputError, match=rf"this export needs {package}: pip install 'copi-np\[export\]'"):
        export(tmp_path / "net", trained())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("export", "package"), [(export_onnx, "onnx"), (export_safetensors, "safetensors")])
def test_a_place_that_cannot_be_written_is_named(tmp_path, export, package):
    pytest.importorskip(package)
    with pytest.raises(DataError, match=r"cannot write .*missing"):
        export(tmp_path / "missing" / "net", trained())


@pytest.mark.parametrize("write", [export_safetensors, export_onnx, save_network])
def test_path_and_network_in_the_wrong_order_are_told(tmp_path, write):
    network = Network([3, 2], rng=np.random.default_rng(0))
    with pytest.raises(InputError, match=r"need a Network, got .*onnx.: the path comes first, then the network"):
        write(network, str(tmp_path / "x.onnx"))
