"""Tiny seeded runs against stored numbers: what was computed once must be computed for ever.

The numbers in `golden/` are those of the oracle (`oracles.py`), not of the package: the package draws the initial
weights, which are stored, and the oracle trains them. ``python tests/mathematics/test_golden.py`` rewrites the files.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from oracles import oracle_of

from copi_np import Network

FOLDER = Path(__file__).parent / "golden"
RUNS = {
    "copi-bp": {},
    "copi-fa-local": {"error_signal": "fa", "decorrelation": "local"},
    "sgd-dfa": {"rule": "sgd", "error_signal": "dfa"},
    "adam-bp": {"rule": "adam", "decorrelation": None},
    "copi-dtp": {"error_signal": "dtp"},
}
SEED, SIZES, N_STEPS, RATES = 2022, [4, 5, 3], 6, {"eta_W": 0.01, "eta_R": 0.02, "delta_scale": 2.0}


def make_network(name):
    return Network(SIZES, rng=np.random.default_rng(SEED), dtype="float64", **RUNS[name])


def batch(step):
    """Exact binary fractions, so that no random stream but that of the weights matters."""
    n = np.arange(1, 25).reshape(6, 4) + step
    return (n * 7 % 16 - 5) / 8, np.eye(3)[(np.arange(6) + step) % 3]


def state(W, R, feedback):
    """Weights as nested lists, by name; JSON keeps every bit of a float64."""
    named = {"W": W, "R": R, "feedback": [B for B in feedback if B is not None]}
    return {name: [np.asarray(matrix).tolist() for matrix in matrices] for name, matrices in named.items()}


def state_of(network):
    layers = network.layers
    return state([layer.W for layer in layers], [layer.R for layer in layers], network.feedback)


def golden_run(name):
    """The run of the oracle, to be stored."""
    network = make_network(name)
    oracle = oracle_of(network)
    losses = [float(oracle.step(*batch(step), *RATES.values())[0]) for step in range(N_STEPS)]
    return {"start": state_of(network), "losses": losses, "end": state(oracle.W, oracle.R, oracle.B)}


def assert_same(actual, stored):
    """Equal to 1e-12, relative to the largest number of each matrix."""
    assert len(actual) == len(stored)
    for one, other in zip(actual, stored, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12 * np.max(np.abs(other)))


@pytest.mark.parametrize("name", RUNS)
def test_a_seeded_run_gives_the_stored_numbers(name):
    golden = json.loads((FOLDER / f"{name}.json").read_text())
    network = make_network(name)
    for matrix, stored in golden["start"].items():
        assert_same(state_of(network)[matrix], stored)
    losses = [float(network.step(*batch(step), **RATES)) for step in range(N_STEPS)]
    assert_same(losses, golden["losses"])
    for matrix, stored in golden["end"].items():
        assert_same(state_of(network)[matrix], stored)


def test_every_stored_run_is_compared():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(RUNS)


if __name__ == "__main__":
    for run in RUNS:
        (FOLDER / f"{run}.json").write_text(json.dumps(golden_run(run), indent=1) + "\n")
