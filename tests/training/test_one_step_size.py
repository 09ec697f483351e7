"""One step size for W and R, as in the paper: `eta`, wherever the two can be set."""

from __future__ import annotations

import pickle
from dataclasses import asdict, replace

import numpy as np
import pytest

from copi_np import Dataset, InputError, Network, Schedule, Split, fit
from copi_np.estimators import COPIClassifier, COPIRegressor


def test_eta_sets_both_rates_and_first_eta_those_of_the_first_epochs():
    schedule = Schedule(eta=0.3, first_epochs=1, first_eta=0.2, delta_scale=5)
    assert schedule == Schedule(0.3, 0.3, 1, 0.2, 0.2, 5)
    assert schedule.rates(1) == {"eta_W": 0.2, "eta_R": 0.2, "delta_scale": 5.0}
    assert schedule.rates(2) == {"eta_W": 0.3, "eta_R": 0.3, "delta_scale": 5.0}
    assert Schedule(eta=0.3, first_epochs=1, first_eta_R=0.2).rates(1)["eta_W"] == 0
    assert Schedule(eta_W=0.3) == Schedule(0.3, 0.3)  # as in Network.step


def test_a_schedule_with_eta_is_stored_and_changed_like_any_other():
    schedule = Schedule(eta=0.3)
    assert asdict(schedule) == asdict(Schedule(0.3, 0.3))
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert replace(schedule, delta_scale=2) == Schedule(0.3, 0.3, delta_scale=2)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"eta": 0.1, "eta_W": 0.1}, "eta sets both eta_W and eta_R: leave out eta, or eta_W"),
        ({"eta": 0.1, "eta_R": 0.1}, "eta sets both eta_W and eta_R: leave out eta, or eta_R"),
        (
            {"eta": 0.1, "first_eta": 0.1, "first_eta_W": 0.0},
            "first_eta sets both .*: leave out first_eta, or first_eta_W",
        ),
        ({"eta": -0.1}, r"^eta must be a finite number, at least 0, got -0\.1"),
        ({"eta": None}, "^eta must be .* got None"),
        ({"eta": 0.1, "first_eta": "x"}, "^first_eta must be .* got 'x'"),
        ({}, "a schedule needs step sizes: give eta, or eta_W and eta_R"),
        ({"eta_R": 0.1}, "a schedule needs step sizes: give eta, or eta_W and eta_R"),
    ],
)
def test_a_rate_that_is_missing_or_given_twice_is_refused(rates, message):
    with pytest.raises(InputError, match=message):
        Schedule(**rates)


def test_training_with_eta_is_training_with_both_rates():
    rng = np.random.default_rng(0)
    split = Split(rng.normal(size=(40, 6)), np.arange(40) % 3)
    data, weights = Dataset("made up", split, split, 3), []
    for schedule in (Schedule(eta=0.05), Schedule(eta_W=0.05, eta_R=0.05)):
        network = Network([6, 5, 3], rng=np.random.default_rng(1))
        fit(network, data, epochs=2, schedule=schedule, rng=np.random.default_rng(2))
        weights.append([layer.R.copy() for layer in network.layers])
    assert all(map(np.array_equal, *weights))
    assert not np.array_equal(weights[0][0], np.eye(6))


def trained(kind, **rates):
    X = np.random.default_rng(0).normal(size=(60, 4))
    return kind(5, max_iter=3, n_iter_no_change=3, random_state=0, **rates).fit(X, np.arange(60) % 3).loss_curve_


@pytest.mark.filterwarnings("ignore:still learning")
@pytest.mark.parametrize("kind", [COPIClassifier, COPIRegressor])
def test_an_estimator_learns_R_as_fast_as_W_unless_told_otherwise(kind):
    assert kind().get_params()["eta_R"] is kind().get_params()["first_eta_R"] is None
    alike = trained(kind, eta_W=0.02)
    assert alike == trained(kind, eta_W=0.02, eta_R=0.02, first_eta_R=0.02)
    assert alike != trained(kind, eta_W=0.02, eta_R=0.01)
    # the first epoch, of R alone, is as fast as the later ones
    assert trained(kind, eta_W=0.02, eta_R=0.03) == trained(kind, eta_W=0.02, eta_R=0.03, first_eta_R=0.03)
    assert trained(kind) == trained(kind, eta_W=0.01, eta_R=0.01, first_eta_R=0.01)
    with pytest.raises(InputError, match="eta_R must be a finite number"):
        trained(kind, eta_R=-1)
    with pytest.raises(InputError, match="eta_W must be a finite number"):
        trained(kind, eta_W=None)
