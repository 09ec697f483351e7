"""Threads and processes: a network learns the same alone and in parallel, and touches no shared state."""

# ruff: noqa: NPY002 (these tests are about the legacy generators)

from __future__ import annotations

import multiprocessing
import random
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from parallel import N_NETWORKS, learn

from copi_np import Network, load_dataset
from copi_np.experiments.config import RunConfig
from copi_np.experiments.runner import train


@pytest.fixture(scope="module")
def alone():
    return [learn(seed) for seed in range(N_NETWORKS)]


def test_networks_differ_so_that_the_comparison_is_meaningful(alone):
    assert len({weights for weights, _ in alone}) == N_NETWORKS


def test_networks_in_threads_learn_as_they_do_alone(alone):
    for _ in range(3):
        with ThreadPoolExecutor(N_NETWORKS) as pool:
            assert list(pool.map(learn, range(N_NETWORKS))) == alone


def stepped():
    """Return a network right after a step, and inputs."""
    rng = np.random.default_rng(0)
    network = Network([300, 300, 10], rng=rng, dtype="float64")
    y0 = rng.normal(size=(50, 300))
    network.step(y0, np.eye(10)[np.arange(50) % 10], eta_W=0.01, eta_R=0.01)
    return network, y0


@pytest.mark.parametrize("read", [Network.predict, lambda network, y0: network.forward(y0).y[-1]])
def test_threads_that_read_one_network_right_after_a_step_agree(read):
    """And leave it unchanged; a thread that reads the weights does not disturb the others."""
    for _ in range(20):
        network, y0 = stepped()
        expected, barrier = read(deepcopy(network), y0), threading.Barrier(N_NETWORKS)

        def reader(seed, network=network, y0=y0, barrier=barrier):
            barrier.wait()
            return network.layers[0].R @ y0.T if seed == 0 else read(network, y0)

        with ThreadPoolExecutor(N_NETWORKS) as pool:
            _, *found = pool.map(reader, range(N_NETWORKS))
        for outputs in (*found, read(network, y0)):
            np.testing.assert_allclose(outputs, expected, rtol=1e-9, atol=1e-12)


def test_reading_changes_nothing_that_is_stored():
    """Reading leaves the arrays that threads share as they are, and R need not be read again."""
    network, y0 = stepped()
    layer = network.layers[0]
    held, stored = layer.R, layer.R.copy()
    network.predict(y0)
    network.forward(y0)
    layer.folded()
    assert layer.R is held
    np.testing.assert_array_equal(held, stored)


@pytest.mark.parametrize("kind", ["fork", "spawn"])
def test_networks_in_processes_learn_as_they_do_alone(alone, kind, monkeypatch):
    if kind not in multiprocessing.get_all_start_methods():
        pytest.skip("this system cannot fork")
    if kind == "fork" and sys.version_info >= (3, 12):
        pytest.skip("Python 3.12 and newer warn of a fork beside the threads of BLAS")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "support"))
    with ProcessPoolExecutor(2, multiprocessing.get_context(kind)) as pool:
        assert list(pool.map(learn, range(N_NETWORKS))) == alone


def test_global_random_states_are_neither_used_nor_changed():
    """Seeding NumPy's and Python's global generators changes no result, and training does not advance them."""
    config = RunConfig("copi-fa", "mnist-5k", (784, 20, 10), 1, 0.01, 0.01)
    data = load_dataset("mnist-5k")
    results = []
    numpys, pythons = np.random.get_state(), random.getstate()
    try:
        for seed in (1, 2):
            np.random.seed(seed)
            random.seed(seed)
            before = np.random.get_state()[1].tolist(), np.random.get_state()[2:], random.getstate()
            network, _ = train(config, data, "numpy")
            assert (np.random.get_state()[1].tolist(), np.random.get_state()[2:], random.getstate()) == before
            results.append([layer.W.tobytes() for layer in network.layers])
    finally:
        np.random.set_state(numpys)
        random.setstate(pythons)
    assert results[0] == results[1]
