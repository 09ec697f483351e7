"""The best setting of a sweep: chosen on validation samples, and trained again by the command that the sweep prints."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import call, done
from tiny import write_tiny

from copi_np import load_dataset
from copi_np.callbacks import best_epoch
from copi_np.experiments.best_setting import best_group
from copi_np.experiments.campaign import perform
from copi_np.experiments.config import RunConfig
from copi_np.experiments.preset_files import load_preset
from copi_np.experiments.records import find_runs, read_run
from copi_np.experiments.report import read_results, write_report
from copi_np.experiments.summary import group_runs

PRESET = """
layers = [6, 4, 3]
epochs = 4
eta_W = 0.1
eta_R = 0.1
batch_size = 5
first_epochs = 1
first_eta_W = 0.01
first_eta_R = 0.02
"""
CODE = """
from copi_np import rules


def halved(x, delta):
    return rules.sgd_update(x, delta) / 2
"""
CONFIG = RunConfig("copi-bp", "tiny.npz", (6, 4, 3), epochs=4, eta_W=0.1, eta_R=0.1, batch_size=5, val_fraction=0.3)


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """A small data set, in a folder that is the current one and holds tiny.toml and mine.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "tiny.toml").write_text(PRESET)
    (tmp_path / "mine.py").write_text(CODE)
    return load_dataset(str(write_tiny(tmp_path, n_train=60)))


SWEEP = ("sweep", "--preset", "tiny.toml", "--dataset", "tiny.npz", "--seeds", 2, "--workers", 1)


def mean_of_best(runs):
    """Mean over seeds of the validation accuracy at each run's best epoch, from raw records."""
    return np.mean([max(record.val_accuracy for record in run.history) for run in runs])


@pytest.mark.parametrize(
    "varied",
    [
        ["--vary", "eta_W=0.001,0.1"],  # the first epoch keeps its own step size
        ["--vary", "first_eta_R=0,0.3", "--vary", "layers=6-4-3,6-7-3"],
        ["--vary", "rule=copi,mine.py:halved", "--loss", "cross_entropy", "--patience", 3],
    ],
)
def test_the_printed_command_trains_the_best_setting_again(varied, tmp_path):
    """The same run: its configuration, its name and every number of its history."""
    lines = done(*SWEEP, "--val-fraction", 0.3, "--out", "my sweep", *varied).stdout.splitlines()
    assert lines[-2] == "Train it with:"
    families = {}
    for run in find_runs("my sweep")[0]:
        families.setdefault(replace(run.config.without_folders(), seed=0), []).append(run)
    program, *arguments = shlex.split(lines[-1])
    assert program == "copi-np"
    done(*arguments, "--out", "again")
    again = read_run("again")
    best = families[replace(again.config.without_folders(), seed=0)]
    assert mean_of_best(best) == max(map(mean_of_best, families.values()))
    first, _ = sorted(best, key=lambda run: run.config.seed)
    assert again.config == first.config
    assert again.description["name"] == first.description["name"]
    without_time = [[replace(record, seconds=0) for record in run.history] for run in (again, first)]
    assert without_time[0] == without_time[1]
    assert lines[-3].startswith("Best on validation: ") or lines[-4].startswith("Best on validation: ")


def test_the_numbers_are_means_over_seeds_at_each_runs_best_epoch():
    result = done(*SWEEP, "--val-fraction", 0.3, "--out", "out", "--vary", "eta_W=0.001,0.1")
    report = json.loads(done("report", "out", "--json").stdout)
    runs = [run for run in find_runs("out")[0] if f"eta_W={run.config.eta_W}" in report["best"]["label"]]
    picked = [run.history[best_epoch(run.history) - 1] for run in runs]
    assert len(picked) == 2
    line = next(line for line in result.stdout.splitlines() if line.startswith("Best"))
    val, test = (100 * np.mean([getattr(each, name) for each in picked]) for name in ("val_accuracy", "test_accuracy"))
    text = f"val {val:.2f} %, test {test:.2f} %, at epoch {np.mean([each.epoch for each in picked]):.1f}"
    assert text in " ".join(result.stdout.split())
    assert line.startswith(f"Best on validation: {report['best']['label']}")
    assert report["best"]["command"] == result.stdout.splitlines()[-1]
    assert report["written"][2] == "out/best.toml"


def test_the_preset_serves_other_commands_too():
    done(*SWEEP, "--val-fraction", 0.3, "--out", "out", "--vary", "eta_W=0.001,0.1")
    values = load_preset("out/best.toml", "copi-bp")
    assert (values["first_eta_W"], values["val_fraction"], values["dataset"]) == (0.01, 0.3, "tiny.npz")
    done("reproduce", "fig2", "--preset", "out/best.toml", "--methods", "copi-bp", "--seeds", 3, "--out", "more")
    assert len(find_runs("more")[0]) == 3


def test_where_the_data_are_is_part_of_the_command(tmp_path):
    (tmp_path / "my data").mkdir()
    result = done(*SWEEP, "--val-fraction", 0.3, "--vary", "eta_W=0.001,0.1", "--data-dir", "my data", "--out", "out")
    assert shlex.split(result.stdout.splitlines()[-1])[-2:] == ["--data-dir", "my data"]


def test_without_validation_a_note_says_what_is_missing():
    result = done(*SWEEP, "--out", "out", "--vary", "eta_W=0.001,0.1")
    assert "--val-fraction 0.1" in result.stderr.splitlines()[-1]
    assert "Best" not in result.stdout
    assert not Path("out/best.toml").exists()
    assert "--val-fraction" not in done(*SWEEP, "--out", "out", "--vary", "eta_W=0.001,0.1", "--quiet").stderr


# --------------------------------------------------------------------------------------------------- what is compared


def campaign(data, *configs):
    for config in configs:
        perform("out", config, data, "numpy")
    return group_runs(find_runs("out")[0])


def test_nothing_is_chosen_where_nothing_can_be_compared(data, tmp_path):
    assert best_group([]) is None
    assert best_group(campaign(data, CONFIG)) is None  # one setting
    other = replace(CONFIG, eta_W=0.01)
    assert best_group(campaign(data, CONFIG, other)) is not None
    fewer = replace(CONFIG, val_fraction=0.2, batch_size=4)
    assert best_group(campaign(data, CONFIG, other, fewer)) is None  # validated on other samples


def test_without_a_split_or_on_other_data_there_is_no_best(data, tmp_path):
    plain = replace(CONFIG, val_fraction=0.0)
    assert best_group(campaign(data, plain, replace(plain, eta_W=0.01))) is None


def test_a_setting_that_lost_a_seed_is_not_the_best(data):
    """Its other seed would not tell how it does in general."""
    good, poor = CONFIG, replace(CONFIG, eta_W=1e-6, eta_R=0.0)
    groups = campaign(data, good, poor, replace(poor, seed=1))
    assert best_group(groups).config.eta_W == 1e-6
    assert best_group(campaign(data, replace(good, seed=1))).config.eta_W == 0.1


def test_a_preset_of_the_user_is_not_replaced_and_a_stale_one_goes(data):
    campaign(data, CONFIG, replace(CONFIG, eta_W=0.01))
    Path("out/best.toml").write_text("mine")
    result = call("report", "out")
    assert (result.exit_code, Path("out/best.toml").read_text()) == (2, "mine")
    assert "holds best.toml, not from a report, which would be replaced" in result.stderr
    Path("out/best.toml").unlink()
    assert Path("out/best.toml") in write_report("out")[1]
    campaign(data, replace(CONFIG, val_fraction=0.2))
    assert Path("out/best.toml") not in write_report("out")[1]
    assert not Path("out/best.toml").exists()


def halved(x, delta):
    return x.mean() * 0 * delta.T @ x


def test_what_text_cannot_express_is_named_without_a_command(data):
    campaign(data, replace(CONFIG, rule=halved), replace(CONFIG, rule=halved, eta_W=0.01))
    result = done("report", "out")
    assert "Best on validation: COPI (BP), rule halved" in result.stdout
    assert "Train it with" not in result.stdout
    assert not Path("out/best.toml").exists()
    assert best_group(read_results(Path("out")).groups) is not None
