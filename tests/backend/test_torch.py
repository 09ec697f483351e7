"""All tests of backends again with PyTorch as the device: a second library that works behind the generic `Backend`.

Run by `make test-tracing`; skipped where PyTorch is missing (extra ``tracing``).
"""

from __future__ import annotations

import os

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="install the extra 'tracing'")

from test_backends import *  # noqa: E402, F403
from test_backends import make_network, tiny_data  # noqa: E402

from copi_np import BackendError, Network, Schedule, fit, get_backend, load_network, save_network  # noqa: E402
from copi_np.experiments.methods import METHODS  # noqa: E402

WHERE = os.environ.get("COPI_NP_TORCH", "torch")
"""`make gpu` sets it to "torch:cuda"."""


@pytest.fixture
def backend():
    return get_backend(WHERE)


@pytest.fixture
def device_backend():
    return get_backend(WHERE)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_as_on_numpy(name):
    """Two epochs: the same weights and the same records, up to rounding."""
    method = METHODS[name]
    options = {"rule": method.rule, "error_signal": method.error_signal}
    options["decorrelation"] = "matrix" if method.decorrelates else None
    networks, histories = [], []
    for there in (WHERE, "numpy"):
        networks.append(make_network(get_backend(there), **options))
        schedule = Schedule(0.01, 0.01 if method.decorrelates else 0.0)
        histories.append(
            fit(networks[-1], tiny_data(), epochs=2, schedule=schedule, rng=np.random.default_rng(1), batch_size=4)
        )
    for here, other in zip(networks[0].layers, networks[1].layers, strict=True):
        np.testing.assert_allclose(networks[0].backend.to_host(here.W), other.W, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(networks[0].backend.to_host(here.R), other.R, rtol=1e-7, atol=1e-9)
    assert histories[0][-1].train_loss == pytest.approx(histories[1][-1].train_loss, rel=1e-7)


@pytest.mark.parametrize("options", [{"rule": "adam"}, {"error_signal": "dtp"}, {"bias": True}])
@pytest.mark.parametrize(("first", "second"), [("numpy", "torch"), ("torch", "numpy")])
def test_checkpoints_move_between_numpy_and_torch(first, second, options, tmp_path):
    """A network continues on the other library as on its own."""
    network = make_network(get_backend(first), **options)
    rng = np.random.default_rng(1)
    y0, targets = rng.normal(size=(6, 5)), np.eye(3)[rng.integers(0, 3, 6)]
    network.step(*map(network.backend.asarray, (y0, targets)), eta_W=0.01, eta_R=0.02)
    save_network(tmp_path / "net.npz", network)
    other, _ = load_network(tmp_path / "net.npz", second)
    assert other.backend.name == second
    for each in (network, other):
        each.step(*map(each.backend.asarray, (y0, targets)), eta_W=0.01, eta_R=0.02)
    for here, there in zip(network.layers, other.layers, strict=True):
        for name in ("W", "R"):
            one, two = network.backend.to_host(getattr(here, name)), other.backend.to_host(getattr(there, name))
            np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("where", ["meta", "nonsense", *([] if torch.cuda.is_available() else ["cuda"])])
def test_a_device_that_does_not_work_is_refused_in_one_line(where):
    with pytest.raises(BackendError, match=f"^backend 'torch:{where}' does not work here") as error:
        get_backend(f"torch:{where}")
    assert "\n" not in str(error.value)


def test_views_of_numpy_arrays_are_taken():
    """Reversed, transposed and read-only ones, which PyTorch does not read."""
    backend, values = get_backend("torch"), np.arange(6.0).reshape(2, 3)
    values.flags.writeable = False
    for view in (values[::-1], values.T, values[:, ::2], values):
        for copy in (False, True):
            np.testing.assert_array_equal(backend.to_host(backend.asarray(view, copy=copy)), view)


def test_it_is_named_and_described():
    backend = get_backend("torch")
    assert (backend.name, backend.describe()) == ("torch", "cpu")
    assert backend.free_memory() is None or backend.free_memory() > 0
    assert Network([3, 2], rng=np.random.default_rng(0), backend="torch").backend.name == "torch"
