"""The labels of groups, and their order: what tells runs apart is named once, and numbers go before names."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from copi_np import rules
from copi_np.activations import Activation
from copi_np.experiments.config import RunConfig
from copi_np.experiments.methods import Method
from copi_np.experiments.preset_files import load_preset
from copi_np.experiments.records import RunRecord
from copi_np.experiments.summary import group_runs
from copi_np.history import EpochRecord

CONFIG = RunConfig("copi-bp", "tiny.npz", (3, 2), 2, 0.1, 0.1)
EPOCHS = [EpochRecord(k, 0.5, 0.5, 1.0, 1.0, [0.1], 1.0) for k in (1, 2)]


def rested(epoch):
    """Return the step sizes of an epoch: a schedule of the user's own."""
    return {"eta_W": 0.1 / epoch}


def annealed(epoch):
    """Return the step sizes of an epoch: another schedule."""
    return {"eta_W": 0.2 / epoch}


BENT, TILTED = (Activation(name, lambda a: 2 * a, lambda a: 0 * a + 2) for name in ("bent", "tilted"))
MINE = Method("My rule", rules.sgd_update, "bp", decorrelates=False)


def labels(*configs, data=()):
    hashes = dict(enumerate(data))
    runs = [
        RunRecord(Path(str(k)), config, {"data_sha256": hashes.get(k, "ab")}, EPOCHS, None)
        for k, config in enumerate(configs)
    ]
    return [group.label for group in group_runs(runs)]


def of(**changes):
    return replace(CONFIG, **changes)


@pytest.mark.parametrize(
    ("configs", "expected"),
    [
        ([of(method="bp-adam"), of(method="bp"), of()], ["COPI (BP)", "BP (Adam)", "BP (SGD)"]),
        ([of(), of(method=MINE), of(method="bp-adam")], ["COPI (BP)", "BP (Adam)", "My rule"]),
        ([of(eta_W=0.2), of(eta_W=0.02)], ["COPI (BP), eta_W=0.02", "COPI (BP), eta_W=0.2"]),
        ([of(eta_W=0.2, eta_R=0.2), of()], ["COPI (BP), eta=0.1", "COPI (BP), eta=0.2"]),
        (
            [of(eta_W=0.2, eta_R=0.2, batch_size=20), of(batch_size=20), of()],
            [f"COPI (BP), eta={eta}, batch_size={size}" for eta, size in ((0.1, 20), (0.1, 50), (0.2, 20))],
        ),
        (
            [of(method=Method("Second", rules.sgd_update, "bp", decorrelates=False)), of(method=MINE)],
            ["My rule", "Second"],
        ),
        ([of(), of(loss="cross_entropy")], ["COPI (BP), loss cross_entropy", "COPI (BP)"]),
        (
            [of(activation=TILTED), of(activation=BENT)],
            ["COPI (BP), activation bent", "COPI (BP), activation tilted"],
        ),
        (
            [of(own_schedule=rested), of(own_schedule=annealed)],
            ["COPI (BP), schedule annealed", "COPI (BP), schedule rested"],
        ),
        (
            [of(rule=rules.sgd_update), of(rule=rules.copi_update)],
            ["COPI (BP), rule copi_update", "COPI (BP), rule sgd_update"],
        ),
        (
            [of(method="bp", eta_W=0.2, eta_R=0.2), of(method="bp")],
            ["BP (SGD), eta_W=0.1, eta_R=0.1", "BP (SGD), eta_W=0.2, eta_R=0.2"],
        ),
        (
            [of(decorrelation_samples=5), of(decorrelation_samples=10), of()],
            [f"COPI (BP), decorrelation_samples={n}" for n in ("none", 5, 10)],
        ),
        (
            [of(activation="tanh"), of(activation="relu"), of()],
            ["COPI (BP)", "COPI (BP), activation relu", "COPI (BP), activation tanh"],
        ),
        ([of(bias=True), of()], ["COPI (BP)", "COPI (BP), bias"]),
        ([of(own_schedule=rested), of()], ["COPI (BP)", "COPI (BP), schedule rested"]),
    ],
)
def test_groups_are_in_order_and_named_by_what_differs(configs, expected):
    assert labels(*configs) == expected
    assert labels(*reversed(configs)) == expected


def test_groups_belong_to_a_grid_only_if_they_are_told_so():
    run = RunRecord(Path("0"), CONFIG, {}, EPOCHS, None)
    assert [group_runs([run])[0].head, group_runs([run], grid="Grid 1")[0].head] == [
        {"label": "COPI (BP)"},
        {"label": "COPI (BP)", "grid": "Grid 1"},
    ]


def test_data_of_the_same_name_are_told_apart():
    expected = ["COPI (BP), data=12345678", "COPI (BP), data=abcdefab"]
    assert labels(CONFIG, CONFIG, data=["abcdefabcd", "1234567890"]) == expected
    assert labels(CONFIG, CONFIG, data=["1234567890", "abcdefabcd"]) == expected


def test_two_versions_of_a_part_are_told_apart():
    one, two = of(rule=rules.sgd_update), of(rule=rules.sgd_update)
    object.__setattr__(one, "source_sha256", "2" * 64)
    object.__setattr__(two, "source_sha256", "1" * 64)
    found = labels(one, two)
    assert [label.rpartition(", ")[2] for label in found] == ["code=11111111", "code=22222222"]


def test_runs_that_failed_are_a_group_without_a_result():
    (group,) = group_runs([RunRecord(Path("0"), CONFIG, {}, [], "diverged")])
    assert (group.runs, len(group.others), group.config) == ((), 1, CONFIG)


def test_a_method_of_the_users_is_recorded_by_its_parts():
    recorded = of(method=MINE).as_dict()["method"]
    assert recorded["label"] == "My rule"
    assert (recorded["error_signal"], recorded["decorrelates"]) == ("bp", False)
    assert recorded["rule"] == "copi_np.rules:sgd_update"
    assert json.loads(json.dumps(recorded)) == recorded
    assert MINE.slug == "my-rule"


def test_a_preset_finds_its_parts_next_to_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    (tmp_path / "mine.py").write_text("def my_dR(R, x):\n    return -R\n", encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text("layers = [4, 2]\nepochs = 1\neta = 1.0\ndecorrelation = 'mine.py:my_dR'\n", encoding="utf-8")
    values = load_preset(str(path), "copi-bp")
    assert values["decorrelation"] == f"{tmp_path / 'mine.py'}:my_dR"
    assert values["layers"] == (4, 2)
    assert "dataset" not in values
