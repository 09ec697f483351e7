"""copi-np train --dry-run: what a run will take, from a short measurement, compared with what it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import call
from tiny import write_tiny

from copi_np import load_dataset
from copi_np.backend.devices import NumPyBackend
from copi_np.errors import BackendError
from copi_np.experiments import estimate as room
from copi_np.experiments.config import RunConfig
from copi_np.experiments.environment import blas_threads
from copi_np.experiments.estimate import PROGRAM, estimate
from copi_np.experiments.runner import train, train_into

CONFIG = RunConfig("copi-bp", "tiny.npz", (6, 4, 3), epochs=5, eta_W=0.1, eta_R=0.1, batch_size=5)
FACTOR = 1.5
"""How far an estimate may be from the truth."""


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A small data set, in a folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return load_dataset(str(write_tiny(tmp_path)))


@pytest.fixture
def measured(monkeypatch):
    """Measurements with known results: seconds of a step by kind, of an evaluation, of monitoring, of records."""
    steps = {(True, True): 0.5, (False, True): 0.25, (True, False): 0.125}
    monkeypatch.setattr(room, "_step_seconds", lambda network, train, batch_size, kind: steps[kind])
    monkeypatch.setattr(room, "_evaluation_seconds", lambda network, train: (0.01, 0.001))
    monkeypatch.setattr(room, "_seconds", lambda backend, function: 0.02)
    monkeypatch.setattr(room, "_record_seconds", lambda network: 0.03)


TRAIN = ("train", "--dataset", "tiny.npz", "--layers", "6,4,3", "--epochs", 5, "--batch-size", 5, "--backend", "numpy")


# ------------------------------------------------------------------------------------------------------- the numbers


def test_times_are_multiplied_by_batches_samples_and_epochs(data, measured):
    """23 training samples in batches of 5, and 9 to test on."""
    rest = 2 * 0.01 + (23 + 9) * 0.001 + 0.02 + 0.03
    found = estimate(CONFIG, data, "numpy")
    assert found.epochs == 5
    assert found.seconds_per_epoch == pytest.approx(5 * 0.5 + rest)
    assert found.seconds == pytest.approx(5 * (5 * 0.5 + rest))
    assert found.milliseconds_per_step == 500


def test_epochs_in_which_only_some_weights_learn_are_timed_apart(data, measured):
    config = replace(CONFIG, first_epochs=2, first_eta_W=0, first_eta_R=0.1)
    rest = 2 * 0.01 + (23 + 9) * 0.001 + 0.02 + 0.03
    found = estimate(config, data, "numpy")
    assert found.seconds == pytest.approx(2 * (5 * 0.25 + rest) + 3 * (5 * 0.5 + rest))
    assert found.seconds_per_epoch == pytest.approx(5 * 0.5 + rest)
    assert estimate(config, data, "numpy", n_done=1).seconds == pytest.approx(found.seconds - 5 * 0.25 - rest)
    fixed = replace(CONFIG, eta_R=0.0)
    assert estimate(fixed, data, "numpy").milliseconds_per_step == 125


def test_a_validation_split_is_evaluated_and_its_best_network_saved(data, measured):
    config = replace(CONFIG, val_fraction=0.3)  # 2 or 3 samples of each class
    n_train = 23 - 7
    found = estimate(config, data, "numpy")
    rest = 3 * 0.01 + (23 + 9) * 0.001 + 0.02 + 2 * 0.03
    assert found.seconds_per_epoch == pytest.approx(-(-n_train // 5) * 0.5 + rest)


def test_memory_by_hand(data, measured):
    """Weights, all samples as float32, temporary arrays, the data as they were read, and the program."""
    weights = 4 * (6 * 4 + 4 * 3 + 6**2 + 4**2)
    samples = 4 * 32 * (6 + 3)
    temporary = 4 * (4 * 6**2 + 3 * 1000 * (6 + 4 + 3))
    read = 8 * 32 * 6
    assert estimate(CONFIG, data, "numpy").mebibytes == (PROGRAM + weights + samples + temporary + read) / 2**20


def test_what_does_not_fit_is_said_before_anything_is_measured(data, measured, monkeypatch):
    monkeypatch.setattr(NumPyBackend, "free_memory", lambda self: 2**30)
    with pytest.raises(BackendError, match=r"R of layer 0 \(150528 x 150528\) takes 84.4 GiB"):
        estimate(replace(CONFIG, layers=(224 * 224 * 3, 4, 3)), data, "numpy")


# ---------------------------------------------------------------------------------------------- what really happens


@pytest.mark.parametrize("method", ["copi-bp", "bp-adam"])
def test_the_estimate_is_near_the_time_that_training_takes(method, monkeypatch):
    """In processor time, which other programs change little, and without the disk, which they share."""
    monkeypatch.setattr(room, "_record_seconds", lambda network: 0.0)
    data = load_dataset("mnist-5k")
    config = RunConfig(method, "mnist-5k", (784, 100, 10), epochs=3, eta_W=1e-3, eta_R=1e-3)
    ratios = []
    with blas_threads(1):
        for _ in range(4):
            estimated = estimate(config, data, "numpy").seconds
            start = time.thread_time()
            train(config, data, "numpy")
            ratios.append((time.thread_time() - start) / estimated)
            if 1 / FACTOR < ratios[-1] < FACTOR:
                return
    pytest.fail(f"{ratios}")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("layers", [(784, 50, 10), (784, 1200, 10)])
def test_the_estimate_is_near_the_memory_that_training_takes(layers, tmp_path):
    program = (
        "import sys\nfrom copi_np.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n"
        "    lines = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "    print(lines['VmHWM'].split()[0])\n"  # ru_maxrss would also be that of the process that started this one
    )
    arguments = ["train", "--dataset", "mnist-5k", "--layers", ",".join(map(str, layers)), "--epochs", "1", "--eta-r",
                 "1e-5", "--backend", "numpy", "--out", "run"]  # fmt: skip
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True, text=True, check=True, cwd=tmp_path, env=environment,
    )  # fmt: skip
    mebibytes = int(done.stdout.splitlines()[-1]) / 1024
    config = RunConfig("copi-bp", "mnist-5k", layers, epochs=1, eta_W=0.1, eta_R=0.1)
    estimated = estimate(config, load_dataset("mnist-5k"), "numpy").mebibytes
    assert 1 / FACTOR < mebibytes / estimated < FACTOR


# --------------------------------------------------------------------------------------------------------- the option


def test_a_dry_run_prints_the_estimate_and_writes_nothing(data, measured, tmp_path, monkeypatch):
    monkeypatch.setattr(NumPyBackend, "free_memory", lambda self: 300 * 2**20)
    before = sorted(tmp_path.rglob("*"))
    result = call(*TRAIN, "--dry-run", "--out", "run", "--preset", "own-data", "--eta-w", 0.1, "--r-only-epochs", 0)
    assert result.exit_code == 0, result.output
    found = estimate(CONFIG, data, "numpy")
    assert result.stdout.splitlines() == [
        f"about {found.seconds / 60:.2g} minutes for 5 epochs, if the machine is idle (COPI (BP) on tiny.npz)",
        f"{found.seconds_per_epoch:.2g} s per epoch, 5e+02 ms per batch of 5",
        f"about {found.mebibytes:.0f} MiB of cpu memory; 300 MiB are free",
    ]
    assert sorted(tmp_path.rglob("*")) == before
    values = json.loads(call(*TRAIN, "--dry-run", "--json").stdout)
    assert values.keys() == {"epochs", "seconds", "seconds_per_epoch", "milliseconds_per_step", "mebibytes"}
    patient = call(*TRAIN, "--dry-run", "--val-fraction", 0.3, "--patience", 2)
    assert "for 5 epochs, or fewer with --patience" in " ".join(patient.stdout.split())


def test_of_a_run_to_resume_the_epochs_left_count(data, measured):
    train_into("run", replace(CONFIG, epochs=2), data, "numpy")
    before = sorted(path.read_bytes() for path in Path("run").iterdir())
    values = json.loads(call("train", "--resume", "run", "--epochs", 6, "--dry-run", "--json").stdout)
    assert values["epochs"] == 4
    assert sorted(path.read_bytes() for path in Path("run").iterdir()) == before


def test_images_that_are_too_large_are_one_line_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(NumPyBackend, "free_memory", lambda self: 16 * 2**30)
    images, labels = np.zeros((4, 224, 224, 3), np.uint8), np.arange(4) % 2
    np.savez_compressed("large.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    for option in ([], ["--dry-run"]):
        result = call("train", "--dataset", "large.npz", *option, "--backend", "numpy")
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert "R of layer 0 (150528 x 150528) takes 84.4 GiB, but 16.0 GiB are free" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["large.npz"]


def test_inputs_kept_while_R_rests_count(data, measured):
    """The first layer's decorrelated inputs, and a copy of R; not where R learns, or is the identity."""
    resting = estimate(replace(CONFIG, eta_R=0.0), data, "numpy").mebibytes
    assert resting - estimate(CONFIG, data, "numpy").mebibytes == pytest.approx(4 * 6 * (23 + 6) / 2**20)
    plain = replace(CONFIG, method="bp")
    without = (estimate(config, data, "numpy").mebibytes for config in (replace(plain, eta_R=0.0), plain))
    assert len(set(without)) == 1


def test_images_keep_nothing_while_R_rests(data, measured):
    """Their patches would take many times the memory of the images, so `RestingR` leaves them alone."""
    config = replace(CONFIG, layers=("conv2k2", 3), image_shape=(1, 2, 3))
    learning, resting = (estimate(replace(config, eta_R=eta_R), data, "numpy").mebibytes for eta_R in (0.1, 0.0))
    assert learning == resting
