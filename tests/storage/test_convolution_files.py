"""Networks with convolutions in files: they continue where they stopped, and other tools compute what they do."""

from __future__ import annotations

import json
import pickle
from copy import deepcopy

import numpy as np
import pytest

from copi_np import Conv, DataError, Dense, Network, Pool, load_network, save_network
from copi_np.checkpoint import network_arrays
from copi_np.export import export_onnx, export_safetensors
from copi_np.storage.npz import read_npz, write_npz

SIZES = [Conv(3, 3, padding=1), Pool(2), Conv(4, 2, stride=2), Dense(5), 3]
SHAPE = (2, 6, 8)


def trained(**options):
    rng = np.random.default_rng(0)
    network = Network(SIZES, input_shape=SHAPE, rng=rng, **options)
    for _ in range(5):
        network.step(*batch(network.dtype), eta_W=0.02, eta_R=0.05)
    return network


def batch(dtype, n=6):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, *SHAPE)).astype(dtype), np.eye(3)[rng.integers(0, 3, n)].astype(dtype)


OPTIONS = [
    {"dtype": "float64"},
    {"bias": True},
    {"rule": "adam", "decorrelation": None, "bias": True},
    {"error_signal": "fa", "decorrelation": "local", "decorrelation_samples": 2},
    {"error_signal": "dfa", "rule": "momentum", "decorrelation_every": 3, "activation": "relu"},
    {"rule": "foof", "activation": ["tanh", "leaky_relu", "linear", "tanh"]},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_loaded_network_continues_exactly(tmp_path, options):
    network = trained(**options)
    save_network(tmp_path / "net.npz", network)
    loaded, _ = load_network(tmp_path / "net.npz")
    assert loaded.config == network.config
    copies = [loaded, pickle.loads(pickle.dumps(network)), deepcopy(network)]
    for _ in range(2):
        expected = network.step(*batch(network.dtype), eta_W=0.02, eta_R=0.05)
        for each in copies:
            assert each.step(*batch(network.dtype), eta_W=0.02, eta_R=0.05) == expected
    for each in copies:
        for one, other in zip(network.layers, each.layers, strict=True):
            np.testing.assert_array_equal(one.W, other.W)
            np.testing.assert_array_equal(one.R, other.R)


def test_only_files_with_convolutions_are_of_the_new_kind(tmp_path):
    save_network(tmp_path / "net.npz", trained())
    header = json.loads(str(read_npz(tmp_path / "net.npz", "")["header"]))
    assert header["schema"] == 4
    assert header["network"]["sizes"] == ["conv3k3p1", "pool2", "conv4k2s2", 5, 3]
    assert header["network"]["input_shape"] == [2, 6, 8]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": ["conv3k3", "pool2", "conv4k2s2", 5, 3], "input_shape": [2, 8, 8]}, "holds W_2 of"),
        ({"sizes": ["conv3k3p1", "pool2", "conv5k2s2", 5, 3]}, "holds W_1 of (4, 12) instead of (5, 12)"),
        ({"input_shape": [1, 6, 8]}, "holds W_0 of (3, 18) instead of (3, 9)"),
    ],
)
def test_layers_other_than_those_declared_are_refused(tmp_path, change, message):
    save_network(tmp_path / "net.npz", trained())
    arrays = read_npz(tmp_path / "net.npz", "")
    header = json.loads(str(arrays["header"]))
    header["network"] |= change
    arrays["header"] = np.array(json.dumps(header))
    arrays["sha256"] = np.array(digest_of(arrays))
    write_npz(tmp_path / "net.npz", arrays)
    with pytest.raises(DataError) as error:
        load_network(tmp_path / "net.npz")
    assert message in str(error.value)


def digest_of(arrays):
    from copi_np.checkpoint import content_digest

    return content_digest({name: array for name, array in arrays.items() if name != "sha256"})


@pytest.mark.parametrize("options", [option for option in OPTIONS if option.get("dtype") != "float64"], ids=str)
def test_onnx_computes_what_the_network_predicts(tmp_path, options):
    """A Conv with the folded kernel, then AveragePool: equal to 1e-5."""
    runtime, onnx = pytest.importorskip("onnxruntime"), pytest.importorskip("onnx")
    network = trained(**options)
    export_onnx(tmp_path / "net.onnx", network)
    operators = [node.op_type for node in onnx.load(tmp_path / "net.onnx").graph.node]
    assert [operators.count(name) for name in ("Conv", "AveragePool", "MatMul")] == [2, 1, 2]
    session = runtime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    for n_samples in (1, 7):
        images, _ = batch(network.dtype, n_samples)
        inputs = images.reshape(n_samples, -1)
        (outputs,) = session.run(["outputs"], {"inputs": inputs})
        np.testing.assert_allclose(outputs, network.predict(inputs), rtol=1e-5, atol=1e-5)
        assert np.abs(outputs).max() > 0.01


def test_safetensors_hold_kernels_as_matrices(tmp_path):
    safetensors = pytest.importorskip("safetensors")
    network = trained(error_signal="fa")
    export_safetensors(tmp_path / "net.safetensors", network)
    with safetensors.safe_open(tmp_path / "net.safetensors", "numpy") as file:
        for name, array in network_arrays(network).items():
            np.testing.assert_array_equal(file.get_tensor(name), array)
    shapes = {name: array.shape for name, array in network_arrays(network).items()}
    assert (shapes["W_0"], shapes["R_0"], shapes["feedback_0"]) == ((3, 18), (18, 18), (12, 4))
