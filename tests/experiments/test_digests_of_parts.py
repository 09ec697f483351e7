"""The checksums of your own parts follow from the parts, whatever a configuration is made from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from tiny import write_tiny

from copi_np import DataError, load_dataset
from copi_np.experiments.config import RunConfig, run_name
from copi_np.experiments.methods import Method
from copi_np.experiments.records import read_run
from copi_np.experiments.runner import train, train_into

CODE = "def kappa(R, x):\n    return -0.1 * R\n"
OTHER = "def kappa(R, x):\n    return -0.2 * R\n"


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A small data set, in a folder that is the current one and holds two files of rules."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.py").write_text(CODE)
    (tmp_path / "two.py").write_text(OTHER)
    return load_dataset(write_tiny(tmp_path))


def config_of(**changes):
    values = {"method": "copi-bp", "dataset": "tiny.npz", "layers": (6, 4, 3), "epochs": 1, "eta_W": 0.1, "eta_R": 0.05}
    return RunConfig(**values | changes)


def recorded(config):
    """The configuration as a record gives it back."""
    return RunConfig.from_dict(json.loads(json.dumps(config.as_dict())))


def sha256_of(*texts):
    return hashlib.sha256("".join(hashlib.sha256(text.encode()).hexdigest() for text in texts).encode()).hexdigest()


def sign(W, x, delta):
    return 0 * W


def decaying(epoch):
    return {"eta_W": 0.1 / epoch}


PARTS = {
    "nothing": {},
    "a file": {"decorrelation": "one.py:kappa"},
    "another file": {"decorrelation": "two.py:kappa"},
    "a built-in rule": {"decorrelation": "local"},
    "an object": {"rule": sign},
    "a schedule": {"own_schedule": decaying},
    "a file and an object": {"decorrelation": "one.py:kappa", "rule": sign},
    "a method with a file": {"method": Method("Mine", "copi", "bp", True), "decorrelation": "one.py:kappa"},
    "a method that does not decorrelate": {"method": "bp", "decorrelation": "one.py:kappa"},
}


@pytest.mark.parametrize("to", PARTS)
@pytest.mark.parametrize("since", PARTS)
def test_a_replaced_part_counts_as_if_it_had_been_there_from_the_start(data, since, to):
    """A removed part leaves no checksum behind; a new one gets its own, or else it would be refused as changed."""
    reset = {"method": "copi-bp", "decorrelation": "matrix", "rule": None, "own_schedule": None}
    changed, straight = replace(config_of(**PARTS[since]), **reset | PARTS[to]), config_of(**PARTS[to])
    assert changed == straight
    assert run_name(changed, data) == run_name(straight, data)
    changed.network_parts()


def test_checksums_are_those_of_the_parts_that_are_used(data):
    config = replace(config_of(decorrelation="one.py:kappa", rule=sign), decorrelation="two.py:kappa")
    assert config.code_sha256 == sha256_of(OTHER)
    assert replace(config, decorrelation="matrix").code_sha256 == ""
    assert replace(config, decorrelation="matrix").source_sha256 == config.source_sha256 != ""
    assert replace(config, rule=None).source_sha256 == ""
    assert (
        not {"code_sha256", "source_sha256", "digested"}
        & replace(config, rule=None, decorrelation="matrix").as_dict().keys()
    )


def test_a_part_of_a_recorded_run_can_be_replaced_although_its_file_is_gone(data, tmp_path):
    config = recorded(config_of(decorrelation="one.py:kappa"))
    (tmp_path / "one.py").unlink()
    network, _ = train(replace(config, decorrelation="two.py:kappa"), data, "numpy")
    assert network.parts["decorrelation"].__name__ == "kappa"
    train(replace(config, decorrelation="matrix"), data, "numpy")


def test_a_recorded_checksum_stays_as_long_as_the_parts_do(data, tmp_path):
    """Reading needs no file, a longer run is the same run, and a changed file is not taken for the recorded one."""
    config = config_of(decorrelation="one.py:kappa", rule=sign)
    name = run_name(config, data)
    (tmp_path / "one.py").unlink()
    again = replace(recorded(config), epochs=5, seed=0)
    assert (again.code_sha256, again.source_sha256) == (config.code_sha256, config.source_sha256)
    assert run_name(again, data) == name
    (tmp_path / "one.py").write_text(OTHER)
    with pytest.raises(DataError, match=r"one\.py has changed since this run began"):
        replace(config, seed=1).network_parts()


def test_records_hold_no_more_than_they_did(data):
    train_into("run", config_of(decorrelation="one.py:kappa"), data, "numpy")
    record = read_run("run")
    assert record.description["config"].keys() - config_of().as_dict().keys() == {"code_sha256"}
    assert record.config == config_of(decorrelation="one.py:kappa")
