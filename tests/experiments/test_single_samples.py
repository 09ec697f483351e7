"""Batches of one sample: a preset that learns, and advice where other step sizes diverge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from copi_np import Network, Schedule, Split, fit, load_dataset
from copi_np._divergence import located
from copi_np.errors import DivergenceError
from copi_np.experiments.config import RunConfig
from copi_np.experiments.preset_files import load_preset
from copi_np.experiments.runner import train


@pytest.fixture(scope="module")
def data():
    """A quarter of mnist-5k."""
    whole = load_dataset("mnist-5k")
    return replace(whole, train=Split(*(array[:1000] for array in whole.train)))


def config_of(preset, **changes):
    return RunConfig(**{**load_preset(preset, "copi-bp"), **changes})


def test_the_preset_learns_from_one_sample_at_a_time(data):
    config = config_of("mnist-5k-online", epochs=3)
    assert config.batch_size == 1
    _, history = train(config, data, "numpy")
    assert history[-1].test_accuracy > 0.8
    assert history[-1].train_accuracy > 0.9


def test_its_step_sizes_are_those_of_batches_of_50_divided_by_50():
    usual, single = config_of("mnist-5k"), config_of("mnist-5k-online")
    for name in ("eta_W", "eta_R", "first_eta_R"):
        assert getattr(single, name) == pytest.approx(getattr(usual, name) / usual.batch_size)
    assert (single.delta_scale, single.first_epochs) == (usual.delta_scale, usual.first_epochs)


def test_step_sizes_of_larger_batches_diverge_with_advice(data):
    config = config_of("mnist-5k", batch_size=1, layers=(784, 100, 10), epochs=3)
    with pytest.raises(DivergenceError, match=r"^epoch 2, batch \d+: training diverged: .*need step sizes") as error:
        train(config, data, "numpy")
    assert str(error.value).endswith("; batches of 1 need step sizes about 50 times smaller than batches of 50")
    assert str(error.value).count("batches of 1 need") == 1


@pytest.mark.parametrize(("batch_size", "advice"), [(1, "50"), (3, "17"), (9, "5.6"), (10, None), (50, None)])
def test_the_advice_is_for_small_batches_only(batch_size, advice):
    with pytest.raises(DivergenceError) as error, located("epoch 1, ", batch_size):
        raise DivergenceError("training diverged")
    hint = f"; batches of {batch_size} need step sizes about {advice} times smaller than batches of 50"
    assert str(error.value) == "epoch 1, training diverged" + (hint if advice else "")


def test_fit_and_estimators_give_it_too(data):
    network = Network([784, 10], rng=np.random.default_rng(0))
    with pytest.raises(DivergenceError, match=r"; batches of 2 need step sizes about 25 times smaller"):
        fit(network, data, epochs=1, schedule=Schedule(eta_W=1, eta_R=1), rng=np.random.default_rng(1), batch_size=2)
    estimators = pytest.importorskip("copi_np.estimators")
    classifier = estimators.COPIClassifier((5,), eta_W=1.0, eta_R=1.0, batch_size=2, random_state=0)
    with pytest.raises(DivergenceError, match=r"; batches of 2 need step sizes about 25 times smaller"):
        classifier.fit(data.train.inputs / 255, data.train.labels)
