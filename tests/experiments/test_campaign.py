"""Campaigns: the grid of configurations, runs found again by name, and nothing done twice, also after SIGKILL."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from contextlib import nullcontext
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from runs import history_of, weights_of
from tiny import write_tiny

from copi_np import DataError, DivergenceError, InputError
from copi_np.callbacks import Callback
from copi_np.checkpoint import load_network, save_network
from copi_np.cli import main
from copi_np.datasets import Dataset, Split, load_dataset
from copi_np.errors import CopiWarning, StoppedError
from copi_np.experiments.campaign import epochs_left, grid, perform, run_folder
from copi_np.experiments.config import RunConfig, run_name
from copi_np.experiments.records import find_runs, hold, read_run
from copi_np.experiments.runner import train_into


@pytest.fixture
def data(tmp_path):
    return load_dataset(write_tiny(tmp_path))


@pytest.fixture
def config(data):
    return RunConfig("copi-bp", data.name, (6, 5, 3), 4, 0.05, 0.05, batch_size=4, seed=3)


def options(data, **others):
    return {"preset": "own-data", "dataset": data.name, "layers": "6,5,3", **others}


def record_of(folder):
    """History without times, and final weights."""
    network, metadata = load_network(folder / "checkpoint.npz")
    return history_of(folder), metadata["epoch"], weights_of(network)


def content_of(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


# ------------------------------------------------------------------------------------------------------ names


def test_a_name_says_method_and_seed_and_hashes_the_rest(config, data):
    assert re.fullmatch(r"copi-bp_seed3_[0-9a-f]{10}", run_name(config, data))


def decaying(epoch):
    return {"eta_W": 0.1 / epoch}


@pytest.mark.parametrize(
    "field",
    [
        field.name
        for field in fields(RunConfig)
        if field.name
        not in ("epochs", "patience", "dataset", "image_shape", "code_sha256", "source_sha256", "digested")
    ],
)
def test_every_hyper_parameter_changes_the_name(config, data, field):
    other = {
        "method": "copi-fa", "layers": (6, 4, 3), "decorrelation": "local", "dtype": "float64", "batch_size": 5,
        "seed": 4, "first_epochs": 1, "rule": "sgd", "error_signal": "fa", "own_schedule": decaying,
        "loss": "cross_entropy", "activation": "tanh", "output_activation": "linear", "scale": "unit", "bias": True,
        "decorrelation_samples": 1, "decorrelation_every": 2, "rest_R_after": 1,
    }.get(field, 0.25)  # fmt: skip
    assert run_name(replace(config, **{field: other}), data) != run_name(config, data)


def test_length_and_place_do_not_change_the_name_but_the_data_do(config, data, tmp_path):
    """A longer run begins with the shorter one, and a file may be moved."""
    config = replace(config, val_fraction=0.25)
    name = run_name(config, data)
    moved = Dataset("elsewhere.npz", data.train, data.test, data.n_classes)
    assert run_name(replace(config, epochs=9, patience=3, dataset="elsewhere.npz"), moved) == name
    labels = data.train.labels.copy()
    labels[0] = (labels[0] + 1) % 3
    assert run_name(config, Dataset(data.name, Split(data.train.inputs, labels), data.test, 3)) != name
    swapped = Dataset(data.name, data.train, Split(-data.test.inputs, data.test.labels), 3)
    assert run_name(config, swapped) != name


def test_a_name_stays_when_fields_are_added(config, data):
    """Values that are defaults are not hashed: this very name is what folders of version 0.1 have."""
    fixed = Dataset("fixed", *[Split(np.eye(3, 2), np.arange(3))] * 2, 3)
    assert run_name(RunConfig("copi-bp", "fixed", (2, 3), 1, 0.1, 0.1), fixed) == "copi-bp_seed0_b3159cc1f5"


def test_fifty_is_one_number_however_it_is_written(config, data):
    """A preset may say 50 where an option gives 50.0: two runs with one seed would count as two."""
    names = {run_name(replace(config, delta_scale=value), data) for value in (50, 50.0, 50.5)}
    assert len(names) == 2


# ------------------------------------------------------------------------------------------------------- grid


def test_a_grid_goes_seed_by_seed_over_all_combinations(data):
    variations = {"eta_W": [0.1, 0.2], "batch_size": [4, 8, 16]}
    configs, found = grid(options(data), ["copi-bp", "bp"], range(2), lambda _: data, variations)
    assert found is data
    keys = [(c.seed, c.eta_W, c.batch_size, c.method) for c in configs]
    assert keys == [(s, e, b, m) for s in (0, 1) for e in (0.1, 0.2) for b in (4, 8, 16) for m in ("copi-bp", "bp")]


def test_rates_of_lateral_weights_do_not_repeat_methods_without_them(data):
    configs, _ = grid(options(data), ["copi-bp", "bp"], [0], lambda _: data, {"eta_R": [0.1, 0.2, 0.3]})
    assert [(c.method, c.eta_R) for c in configs if c.method == "copi-bp"] == [("copi-bp", e) for e in (0.1, 0.2, 0.3)]
    assert sum(c.method == "bp" for c in configs) == 1


def test_a_grid_refuses_what_a_configuration_refuses(data):
    with pytest.raises(InputError, match="unknown method 'copi-pb': did you mean 'copi-bp'"):
        grid(options(data), ["copi-pb"], [0], lambda _: data)
    with pytest.raises(InputError, match="eta_W must be"):
        grid(options(data), ["copi-bp"], [0], lambda _: data, {"eta_W": [-1.0]})


# ------------------------------------------------------------------------------------------------- going on


class StopAfter(Callback):
    """Stops at a batch of an epoch, or between the two writes at its end."""

    def __init__(self, epoch, batch=3):
        self.epoch, self.batch, self.now = epoch, batch, None

    def on_batch(self, batch, n_batches):
        self.now = 1 if self.now is None else self.now + (batch == 1)
        if (self.now, batch) == (self.epoch, self.batch):
            raise StoppedError(signal.SIGINT)


@pytest.mark.parametrize("method", ["copi-bp", "copi-fa", "copi-dtp", "bp-adam"])
def test_an_interrupted_run_comes_to_the_same(tmp_path, config, data, method):
    config = replace(config, method=method)
    whole = perform(tmp_path / "whole", config, data, "numpy")
    for epoch in (1, 1, 2):  # of what is left each time
        with pytest.raises(StoppedError):
            perform(tmp_path / "parts", config, data, "numpy", [StopAfter(epoch)])
    assert epochs_left(tmp_path / "parts", config, data) == 3
    outcome = perform(tmp_path / "parts", config, data, "numpy")
    assert outcome.failure is None
    assert record_of(outcome.folder) == record_of(whole.folder)
    assert [record.epoch for record in outcome.history] == [1, 2, 3, 4]
    assert [part["after_epoch"] for part in read_run(outcome.folder).description["continued"]] == [1]


def test_a_finished_run_is_left_alone(tmp_path, config, data):
    first = perform(tmp_path, config, data, "numpy")
    before = content_of(first.folder)
    again = perform(tmp_path, config, data, "numpy", [StopAfter(1, 1)])
    assert again.history == first.history
    assert content_of(first.folder) == before
    assert epochs_left(tmp_path, config, data) == 0


def test_a_run_that_may_not_be_looked_at_has_no_epochs_left(tmp_path, config, data, monkeypatch):
    """It fails when its turn comes, and the others do not."""

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refuse)
    monkeypatch.setattr(Path, "exists", refuse)
    assert epochs_left(tmp_path, config, data) == 0


def test_a_run_can_be_made_longer(tmp_path, config, data):
    perform(tmp_path / "parts", replace(config, epochs=2), data, "numpy")
    longer = perform(tmp_path / "parts", config, data, "numpy")
    whole = perform(tmp_path / "whole", config, data, "numpy")
    assert record_of(longer.folder) == record_of(whole.folder)
    assert read_run(longer.folder).config.epochs == 4
    assert len(perform(tmp_path / "parts", replace(config, epochs=1), data, "numpy").history) == 4


@pytest.mark.parametrize("damage", ["half a line", "no last line", "no history", "one line more"])
def test_the_checkpoint_has_the_last_word(tmp_path, config, data, damage):
    """Whatever a killed process left of the history, it ends as that of an uninterrupted run."""
    whole = perform(tmp_path / "whole", config, data, "numpy")
    folder = perform(tmp_path / "parts", replace(config, epochs=2), data, "numpy").folder
    history = folder / "history.jsonl"
    lines = history.read_text().splitlines(keepends=True)
    texts = {
        "half a line": lines[0] + lines[1][:40],
        "no last line": lines[0],
        "no history": "",
        "one line more": "".join(lines) + lines[1].replace('"epoch": 2', '"epoch": 3'),
    }
    history.write_text(texts[damage])
    with pytest.warns(CopiWarning, match="an incomplete line") if damage == "half a line" else nullcontext():
        outcome = perform(tmp_path / "parts", config, data, "numpy")
    assert record_of(outcome.folder) == record_of(whole.folder)


def test_a_run_killed_before_its_first_checkpoint_starts_anew(tmp_path, config, data):
    whole = perform(tmp_path / "whole", config, data, "numpy")
    with pytest.raises(StoppedError):
        perform(tmp_path / "parts", config, data, "numpy", [StopAfter(1)])
    outcome = perform(tmp_path / "parts", config, data, "numpy")
    assert record_of(outcome.folder) == record_of(whole.folder)


def damage_checkpoint(path, damage):
    if damage == "missing":
        path.unlink()
    elif damage == "cut short":
        path.write_bytes(path.read_bytes()[:-99])
    else:
        save_network(path, load_network(path)[0])


@pytest.mark.parametrize("damage", ["missing", "cut short", "of another kind"])
def test_without_its_last_checkpoint_a_run_goes_on_from_the_one_before(tmp_path, config, data, damage):
    """And comes to the same."""
    whole = perform(tmp_path / "whole", config, data, "numpy")
    folder = perform(tmp_path / "parts", replace(config, epochs=2), data, "numpy").folder
    damage_checkpoint(folder / "checkpoint.npz", damage)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcome = perform(tmp_path / "parts", config, data, "numpy")
    assert len(caught) == (damage != "missing")
    assert record_of(outcome.folder) == record_of(whole.folder)
    assert [part["after_epoch"] for part in read_run(folder).description["continued"]] == [1]


@pytest.mark.parametrize("damage", ["missing", "cut short", "of another kind"])
def test_without_any_checkpoint_a_run_cannot_go_on_and_says_so(tmp_path, config, data, damage):
    folder = perform(tmp_path, replace(config, epochs=2), data, "numpy").folder
    for name in ("checkpoint.npz", "checkpoint.previous.npz"):
        damage_checkpoint(folder / name, damage)
    before = content_of(folder)
    outcome = perform(tmp_path, config, data, "numpy")
    assert "checkpoint.npz" in outcome.failure
    assert "\n" not in outcome.failure
    assert content_of(folder).keys() == before.keys()
    assert all(content_of(folder)[name] == before[name] for name in before if name != ".lock")
    with pytest.raises(DataError, match=r"checkpoint\.npz"):
        train_into(folder, config, data, "numpy", resume=True)


def test_a_finished_run_needs_no_checkpoint(tmp_path, config, data):
    first = perform(tmp_path, config, data, "numpy")
    (first.folder / "checkpoint.npz").unlink()
    again = perform(tmp_path, config, data, "numpy")
    assert again.failure is None
    assert again.history == first.history


def test_the_folder_of_another_run_is_refused_when_going_on(tmp_path, config, data):
    train_into(tmp_path / "run", config, data, "numpy")
    before = content_of(tmp_path / "run")
    for other in (replace(config, seed=4), replace(config, eta_R=0.04)):
        with pytest.raises(InputError, match="holds another run"):
            train_into(tmp_path / "run", other, data, "numpy", resume=True)
    (tmp_path / "run" / "run.json").unlink()
    with pytest.raises(InputError, match="holds another run"):
        train_into(tmp_path / "run", config, data, "numpy", resume=True)
    assert content_of(tmp_path / "run").items() <= before.items()


# ------------------------------------------------------------------------------------------------- failures


def test_a_run_that_diverges_says_so_in_its_folder_and_stops_nothing_else(tmp_path, config, data):
    wild = replace(config, method="bp", first_epochs=2, first_eta_W=0.05, eta_W=1e4, dtype="float64")
    outcomes = [perform(tmp_path, each, data, "numpy") for each in (wild, config)]
    assert re.match(r"epoch 3, .*eta_W \(now 10000\)", outcomes[0].failure)
    assert len(outcomes[0].history) == 2
    assert outcomes[1].failure is None
    runs = {run.config.method: run for run in find_runs(tmp_path)[0]}
    assert runs["bp"].failure == outcomes[0].failure
    assert not runs["bp"].finished
    assert runs["copi-bp"].failure is None
    again = perform(tmp_path, wild, data, "numpy")
    assert (again.failure, len(again.history)) == (outcomes[0].failure, 2)


@pytest.mark.parametrize("function", ["read_run", "replace_text"])
def test_a_run_that_diverges_on_a_full_disk_is_reported_too(tmp_path, config, data, monkeypatch, function):
    def fail(*arguments):
        raise DataError("cannot write: no space left")

    monkeypatch.setattr(f"copi_np.experiments.campaign.{function}", fail)
    outcome = perform(tmp_path, replace(config, eta_W=1e5, first_epochs=0), data, "numpy")
    assert re.match(r"epoch 1, .*eta_W \(now 100000\).*; cannot write: no space left$", outcome.failure)


def test_a_failure_is_forgotten_once_the_run_goes_on(tmp_path, config, data, monkeypatch):
    class Blow(Callback):
        def on_epoch(self, network, record):
            if record.epoch == 2:
                raise DivergenceError("epoch 2: boom")

    folder = perform(tmp_path, config, data, "numpy", [Blow()]).folder
    assert read_run(folder).failure == "epoch 2: boom"
    assert epochs_left(tmp_path, config, data) == 0
    assert perform(tmp_path, replace(config, epochs=1), data, "numpy").failure is None  # that many are recorded
    assert perform(tmp_path, config, data, "numpy").failure == "epoch 2: boom"
    train_into(folder, config, data, "numpy", resume=True)
    assert read_run(folder).failure is None


def test_a_run_in_use_is_not_touched_nor_marked(tmp_path, config, data):
    class Intrude(Callback):
        def on_epoch(self, network, record):
            if record.epoch == 1:
                self.outcome = perform(tmp_path, config, data, "numpy")

    intruder = Intrude()
    outcome = perform(tmp_path, config, data, "numpy", [intruder])
    assert "is in use by another process" in intruder.outcome.failure
    assert outcome.failure is None
    assert read_run(outcome.folder).failure is None


# ------------------------------------------------------------------------------------------------ killed

COMMAND = "from copi_np.cli import main; main()"


def reproduce(data, out, *others):
    """The command that runs a small campaign."""
    arguments = ["reproduce", "fig2", "--preset", "mnist-5k", "--dataset", data.name, "--seeds", "2", "--epochs", "3"]
    return [sys.executable, "-c", COMMAND, *arguments, "--backend", "numpy", "--out", str(out), *others]


def test_a_campaign_killed_again_and_again_ends_with_the_same_table(tmp_path, data):
    """SIGKILL as soon as one more epoch is on record, until the campaign is through."""
    subprocess.run(reproduce(data, tmp_path / "whole"), check=True, capture_output=True)
    out, n_kills = tmp_path / "parts", 0
    while True:
        before = n_epochs(out)
        process = subprocess.Popen(reproduce(data, out), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while process.poll() is None and n_epochs(out) < before + 5:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, errors
        n_kills += 1
    assert n_kills >= 3
    assert (out / "table.md").read_bytes() == (tmp_path / "whole" / "table.md").read_bytes()
    for folder in (tmp_path / "whole" / "runs").iterdir():
        assert record_of(out / "runs" / folder.name) == record_of(folder)
    continued = [run.description.get("continued", []) for run in find_runs(out)[0]]
    assert any(continued)


def n_epochs(out):
    """Whole lines in all histories."""
    return sum(path.read_bytes().count(b"\n") for path in out.glob("runs/*/history.jsonl"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_a_campaign_that_is_asked_to_stop_says_how_it_can_go_on(tmp_path, data):
    process = subprocess.Popen(
        reproduce(data, tmp_path, "--epochs", "100000"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while n_epochs(tmp_path) < 1 and process.poll() is None:
        time.sleep(0.01)
    process.terminate()
    output, errors = process.communicate()
    assert process.returncode == 143
    assert output == ""
    assert errors.splitlines()[-1].startswith("Error: stopped by SIGTERM")
    assert errors.endswith("; run the same command again to resume\n")
    json.loads((run_folder(tmp_path, *first_run(data)) / "history.jsonl").read_text().splitlines()[0])


def first_run(data):
    configs, _ = grid({"preset": "mnist-5k", "dataset": data.name, "epochs": 3}, ["copi-bp"], [0], lambda _: data)
    return configs[0], data


# --------------------------------------------------------------------------------------------------- commands


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def images(tmp_path):
    """A data set of images of 2 by 3."""
    rng = np.random.default_rng(5)
    arrays = {}
    for part, n in (("train", 40), ("test", 12)):
        labels = np.arange(n) % 3
        inputs = np.eye(3)[labels][:, None, :] + rng.normal(0, 0.3, (n, 2, 3))
        arrays |= {f"x_{part}": inputs, f"y_{part}": labels}
    np.savez(tmp_path / "images.npz", **arrays)
    return tmp_path / "images.npz"


def test_figure_3_is_reproduced_and_reported_from_records_alone(tmp_path, images):
    out = tmp_path / "out"
    command = ["reproduce", "fig3", "--preset", "mnist-5k", "--dataset", images, "--seeds", 2, "--epochs", 2]
    result = call(*command, "--backend", "numpy", "--diagnostics", "--out", out)
    assert result.exit_code == 0, result.output
    files = ["table.md", "summary.json", "fig2.png", "fig3a.png", "fig3b.png", "fig3c.png"]
    pictures = [path.name for path in out.glob("diagnostics-copi-bp_seed0_*.png")]
    assert len(pictures) == 1
    written = [f"  {out / name}" for name in [*files, *pictures]]
    assert result.stdout.splitlines()[-1 - len(written) :] == ["Written:", *written]
    table = (out / "table.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| (as trained|formula|least squares) \| ([\d.]+) ± ([\d.]+) \|", table, re.MULTILINE)
    assert [row[:2] for row in rows] == [
        ("0", "as trained"), *((str(k), name) for name in ("formula", "least squares") for k in (1, 2, 3)),
    ]  # fmt: skip
    layers = re.findall(r"^\| (\d) \| 0\.\d{4} ± 0\.\d{4} \| 0\.\d\d ± ", table, re.MULTILINE)
    assert layers == ["1", "2", "3", "4"]

    before = {name: (out / name).read_bytes() for name in (*files, *pictures)}
    for path in out.glob("runs/*/checkpoint.npz"):
        path.unlink()
    for name in before:
        (out / name).unlink()
    assert call("report", out).exit_code == 0
    assert {name: (out / name).read_bytes() for name in before} == before


def test_figure_3_of_several_methods_is_of_each(tmp_path, images):
    """The first has the plain names. Pictures are of the first seed that could be had."""
    out = tmp_path / "out"
    command = ["reproduce", "fig3", "--preset", "mnist-5k", "--dataset", images, "--epochs", 1, "--backend", "numpy"]
    wild = call(*command, "--methods", "bp", "--seeds", 1, "--out", out)
    assert wild.exit_code == 0, wild.output
    (folder,) = (out / "runs").iterdir()
    (folder / "checkpoint.npz").unlink()
    (folder / "figure3.json").unlink()
    (folder / "pictures.npz").unlink()
    result = call(*command, "--methods", "copi-bp,bp", "--seeds", 2, "--out", out)
    assert result.exit_code == 2
    assert re.search(r"bp_seed0_\w+\): there is no file .*checkpoint\.npz", result.stderr)
    names = sorted(path.name for path in out.glob("fig3*.png"))
    plain = ["fig3a.png", "fig3b.png", "fig3c.png"]
    assert [re.sub(r"_\w{10}\.png", ".png", name) for name in names] == sorted(
        [*plain, *(name.replace(".png", "-bp_seed1.png") for name in plain)]
    )
    table = (out / "table.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)", table, re.MULTILINE) == ["COPI (BP)", "BP (SGD)"]
    assert "in 2 of these networks" in table
    assert "in 1 of these networks" in table


def test_data_without_images_are_said_to_have_none(tmp_path, data):
    command = ["reproduce", "fig3", "--preset", "mnist-5k", "--dataset", data.name, "--seeds", 1, "--epochs", 1]
    result = call(*command, "--backend", "numpy", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "has no images, so 3A and 3B are left out: store images as (N, H, W)" in result.stderr
    assert [path.name for path in (tmp_path / "out").glob("fig3*")] == ["fig3c.png"]


def test_what_is_on_record_and_not_as_asked_is_said(tmp_path, data):
    command = ["reproduce", "fig2", "--preset", "mnist-5k", "--dataset", data.name, "--seeds", 1, "--methods", "bp"]
    out = ["--backend", "numpy", "--out", tmp_path / "out"]
    assert call(*command, "--epochs", 3, *out).stderr.count("on record") == 0
    result = call(*command, "--epochs", 2, "--diagnostics", *out)
    assert result.exit_code == 0
    assert re.search(r"bp_seed0_\w+: all 3 recorded epochs are reported", result.stderr)
    assert re.search(r"bp_seed0_\w+: no diagnostics, since it had already finished", result.stderr)


def test_a_damaged_record_stops_no_other_run(tmp_path, data):
    command = ["reproduce", "fig2", "--preset", "mnist-5k", "--dataset", data.name, "--seeds", 2, "--methods", "bp"]
    out = ["--backend", "numpy", "--out", tmp_path / "out"]
    assert call(*command, "--epochs", 1, *out).exit_code == 0
    (damaged,) = (tmp_path / "out" / "runs").glob("bp_seed0_*")
    (damaged / "history.jsonl").write_text("nonsense\n")
    result = call(*command, "--epochs", 2, *out)
    assert result.exit_code == 2
    assert re.search(rf"^BP .*\({damaged.name}\): .*history\.jsonl is damaged", result.stderr, re.MULTILINE)
    assert "1 of 2 runs failed" in result.stderr
    assert "1x2" in result.stdout


def test_a_run_at_work_elsewhere_is_no_failure(tmp_path, data):
    command = ["reproduce", "fig2", "--preset", "mnist-5k", "--dataset", data.name, "--seeds", 2, "--methods", "bp"]
    out = ["--backend", "numpy", "--out", tmp_path / "out"]
    assert call(*command, "--epochs", 1, *out).exit_code == 0
    (taken,) = (tmp_path / "out" / "runs").glob("bp_seed0_*")
    with hold(taken):
        result = call(*command, "--epochs", 2, *out)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "Error: 1 of 2 runs are in use by another process: try again later"
    assert call(*command, "--epochs", 2, *out).exit_code == 0


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        MemoryError(),
        np.linalg.LinAlgError("SVD"),
        RuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered"),  # as CuPy has it
    ],
)
def test_what_goes_wrong_with_the_machine_is_part_of_the_outcome(tmp_path, config, data, error):
    class Fail(Callback):
        def on_epoch(self, network, record):
            raise error

    outcome = perform(tmp_path, config, data, "numpy", [Fail()])
    assert outcome.failure.startswith(type(error).__name__)
    assert not (outcome.folder / "failure.txt").exists()


def test_a_run_that_fails_is_reported_after_the_others(tmp_path, images):
    preset = tmp_path / "wild.toml"
    text = "layers = [6, 5, 3]\nepochs = 2\nbatch_size = 4\neta_W = 0.05\neta_R = 0.05\n"
    preset.write_text(text + "[methods.bp]\neta_W = 1e30\n")
    out = tmp_path / "out"
    command = ["reproduce", "fig2", "--preset", preset, "--dataset", images, "--methods", "bp, copi-bp", "--seeds", 2]
    result = call(*command, "--backend", "numpy", "--out", out, "--title", "Two of four")
    assert result.exit_code == 2
    assert "COPI (BP)" in result.stdout
    assert result.stdout.count("failed (epoch 1") == 2
    last = result.stderr.splitlines()[-1]
    assert last.startswith(
        "Error: 2 of 4 runs failed, see above: change settings, or try again (if a run diverged, move"
    )
    assert (out / "table.md").read_text(encoding="utf-8").startswith("# Two of four\n")


def test_a_run_that_diverged_is_not_repeated(tmp_path, images):
    """Without its checkpoint, too, as in records that keep no weights."""
    preset, out = tmp_path / "wild.toml", tmp_path / "out"
    text = "layers = [6, 5, 3]\nepochs = 3\nbatch_size = 4\neta_W = 0.05\neta_R = 0.05\n"
    preset.write_text(f"{text}[methods.bp]\nfirst_epochs = 1\nfirst_eta_W = 0.05\nfirst_eta_R = 0.05\neta_W = 1e30\n")
    options = ["--methods", "bp, copi-bp", "--seeds", 1, "--out", out, "--backend", "numpy"]
    wild = ["reproduce", "fig2", "--preset", preset, "--dataset", images, *options]
    first = call(*wild)
    (folder,) = (out / "runs").glob("bp_*")
    why = (folder / "failure.txt").read_text().strip()
    assert re.fullmatch("epoch 2, batch .: training diverged: .*", why)
    (folder / "checkpoint.npz").unlink()
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    again = call(*wild)
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before
    assert first.exit_code == again.exit_code == 2
    assert again.stdout == first.stdout
    assert why in again.stderr

    shutil.move(folder, tmp_path / "moved")
    call(*wild)
    assert (folder / "failure.txt").read_text().strip() == why


@pytest.mark.parametrize("command", [["reproduce", "fig2"], ["sweep"]])
def test_a_table_of_the_user_is_in_the_way_before_anything_is_computed(tmp_path, images, command):
    (tmp_path / "table.md").write_text("mine")
    result = call(*command, "--preset", "own-data", "--dataset", images, "--seeds", 1, "--epochs", 1, "--out", tmp_path)
    assert result.exit_code == 2
    assert result.stderr.endswith("holds table.md, not from a report, which would be replaced: move them away\n")
    assert not (tmp_path / "runs").exists()


def test_a_sweep_from_the_command_line(tmp_path, images):
    out = tmp_path / "out"
    command = ["sweep", "--dataset", images, "--preset", "own-data", "--methods", "copi-bp,bp", "--epochs", 2]
    varied = ["--vary", "eta_W=0.01,0.02", "--vary", "batch_size=4,8", "--seeds", 1, "--workers", 1]
    result = subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, [*command, *varied, "--out", out])], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    labels = re.findall(r"^(COPI|BP) \(\w+\), eta_W=(\S+), batch_size=(\d)", result.stdout, re.MULTILINE)
    assert sorted(labels) == sorted((m, e, b) for m in ("COPI", "BP") for e in ("0.01", "0.02") for b in "48")
    assert len(list(out.glob("runs/*/checkpoint.npz"))) == 8


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["reproduce", "fig4"], "'fig2', 'fig3'"),
        (["reproduce", "fig2", "--methods", "copi"], "unknown method 'copi'"),
        (["reproduce", "fig2", "--preset", "mnits"], "did you mean 'mnist'"),
        (["reproduce", "fig2", "--preset", "own-data"], "--dataset FILE.npz"),
        (["reproduce", "fig2", "--methods", ""], "unknown method ''"),
        (["sweep", "--preset", "mnist-5k", "--vary", "eta_w=1"], "did you mean 'eta_W'"),
        (["sweep", "--preset", "mnist-5k", "--vary", "eta_W=1", "--vary", "eta_W=2"], "eta_W is given twice"),
        (["sweep", "--preset", "mnist-5k", "--vary", "eta_W=fast"], "give values such as eta_W="),
        (["report", "."], "there are no runs in"),
        (["report", "nowhere"], "does not exist"),
    ],
)
def test_wrong_commands_are_one_line(tmp_path, monkeypatch, arguments, word):
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert word in result.stderr
    assert list(tmp_path.iterdir()) == []
