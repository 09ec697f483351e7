"""What a network takes in memory is known, and said, before anything is allocated."""

from __future__ import annotations

import time

import numpy as np
import pytest

from copi_np import Dataset, Network, Schedule, Split, fit
from copi_np._memory import bytes_of, matrices, training_bytes
from copi_np.architecture import plan_layers
from copi_np.backend.devices import NumPyBackend
from copi_np.checkpoint import network_arrays
from copi_np.errors import BackendError

GIB = 2**30
IMAGE = 224 * 224 * 3


@pytest.fixture
def free(monkeypatch):
    """Set how many bytes are free."""
    return lambda n_bytes: monkeypatch.setattr(NumPyBackend, "free_memory", lambda self: n_bytes)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("decorrelation", ["matrix", None])
@pytest.mark.parametrize("rule", ["copi", "adam", ["adam", "copi", "momentum"]])
@pytest.mark.parametrize("signal", ["bp", "fa", "dfa", "tp"])
@pytest.mark.parametrize("bias", [False, True])
def test_bytes_are_those_of_all_arrays(dtype, decorrelation, rule, signal, bias):
    """After a step, when rules have begun to remember."""
    network = Network(
        [7, 5, 4, 3],
        rng=np.random.default_rng(0),
        rule=rule,
        error_signal=signal,
        decorrelation=decorrelation,
        dtype=dtype,
        bias=bias,
    )
    network.step(np.ones((2, 7), dtype), np.ones((2, 3), dtype), eta_W=1e-3)
    arrays = [array for array in network_arrays(network).values() if array.ndim == 2]
    assert bytes_of(network) == sum(array.nbytes for array in arrays)


def test_matrices_by_hand():
    found = list(matrices(plan_layers([784, 500, 10]), ["copi"] * 2, ["matrix"] * 2))
    assert [(matrix.name, matrix.n_values) for matrix in found] == [
        ("W of layer 0", 392_000),
        ("R of layer 0", 614_656),
        ("W of layer 1", 5_000),
        ("R of layer 1", 250_000),
    ]


def test_training_takes_all_samples_and_the_largest_of_three_temporary_needs():
    """Second moments of wide inputs, the folded weights of wide outputs, or a copy of all weights."""
    samples = 4 * 100 * (784 + 10)
    moments = 4 * (4 * 784**2 + 3 * 1000 * (784 + 500 + 10))
    assert training_bytes(plan_layers([784, 500, 10]), 1000, 100, "float32") == samples + moments
    folded = 8 * (10 * 9000 + 9000 + 1000 * (10 + 2 * 9000))
    assert training_bytes(plan_layers([10, 9000, 1]), 0, 0, "float64") == max(
        folded, 8 * (4 * 9000**2 + 3 * 1000 * 9011)
    )
    assert training_bytes(plan_layers([784, 500, 10]), 10**9, 100, "float32") == samples + 10**9


def test_patches_count_with_all_their_overlaps():
    """By hand: 4 x 4 pixels, 9 patches of 4 values and 2 filters at each, then 18 inputs of 3 units."""
    plans = plan_layers(["conv2k2", 3], (1, 4, 4))
    every = matrices(plans, ["copi"] * 2, ["matrix"] * 2, feedback_from="above")
    assert [(matrix.name, matrix.shape) for matrix in every] == [
        ("W of layer 0", (2, 4)),
        ("index of patches of layer 0", (9, 4)),
        ("R of layer 0", (4, 4)),
        ("feedback of layer 0", (18, 3)),
        ("W of layer 1", (3, 18)),
        ("R of layer 1", (18, 18)),
    ]
    monitored = 4 * 18**2 + 3 * 100 * (9 * 4 + 18 + 3)
    assert training_bytes(plans, 0, 10, "float32") == 4 * 10 * (16 + 3) + 4 * monitored


@pytest.mark.parametrize("method", ["copi", "zca"])
def test_features_that_are_too_many_to_decorrelate_are_refused_at_once(free, method):
    decorrelator = pytest.importorskip("copi_np.estimators").Decorrelator(method=method, epsilon=1.0)
    free(3 * 8 * 3000**2)
    decorrelator.partial_fit(np.ones((2, 3000)) * np.arange(3000))
    free(3 * 8 * 3000**2 - 1)
    with pytest.raises(BackendError) as error:
        type(decorrelator)(method=method).fit(np.ones((2, 3000)))
    assert str(error.value) == (
        "decorrelating 3000 features takes 0.2 GiB in float64, but 0.2 GiB are free: choose fewer features, since R "
        "grows with their square"
    )


def test_a_network_that_cannot_fit_is_refused_at_once(free):
    free(16 * GIB)
    start = time.perf_counter()
    with pytest.raises(BackendError) as error:
        Network([IMAGE, 500, 10], rng=np.random.default_rng(0))
    assert time.perf_counter() - start < 1
    n_values = IMAGE**2 + IMAGE * 500 + 500**2 + 500 * 10
    assert str(error.value) == (
        f"a network of 150528-500-10 units in float32 takes {4 * n_values / GIB:.1f} GiB, of which R of layer 0 "
        f"(150528 x 150528) takes {4 * IMAGE**2 / GIB:.1f} GiB, but 16.0 GiB are free: use fewer inputs, since R grows "
        "with their square, or a method without decorrelation"
    )
    assert "takes 84.4 GiB" in str(error.value)


def test_without_decorrelation_it_is_the_forward_weights(free):
    free(GIB)
    with pytest.raises(BackendError, match=r"W of layer 1 \(30000 x 40000\) takes 8.9 GiB, .*: use smaller layers"):
        Network([10, 40_000, 30_000], rng=np.random.default_rng(0), decorrelation=None, dtype="float64")
    with pytest.raises(BackendError, match=r"W of layer 0 \(10000 x 10000\) takes 1.1 GiB"):  # with its memory of two
        Network([10_000, 10_000], rng=np.random.default_rng(0), decorrelation=None, rule="adam")


@pytest.mark.parametrize("n_bytes", [None, 5 * (4000**2 + 4000)])
def test_what_fits_is_built(free, n_bytes):
    """Also where the system does not say how much is free."""
    free(n_bytes)
    assert Network([4000, 1], rng=np.random.default_rng(0)).layers[0].R.shape == (4000, 4000)


def test_data_that_cannot_fit_are_refused_before_they_are_converted(free):
    inputs, labels = np.zeros((200_000, 300), np.uint8), np.arange(200_000) % 2
    data = Dataset("wide", Split(inputs, labels), Split(inputs[:2], labels[:2]), 2)
    network = Network([300, 2], rng=np.random.default_rng(0))
    free(100 * 2**20)
    with pytest.raises(BackendError, match=r"training on 200002 samples takes 0.2 GiB more in float32, but 0.1 GiB"):
        fit(network, data, epochs=1, schedule=Schedule(eta_W=0.1, eta_R=0.1), rng=np.random.default_rng(1))
