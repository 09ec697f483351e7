"""What runs measure: evaluation, diagnostics and times, by plain NumPy from raw data; benchmarks by a made-up clock."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from itertools import count
from statistics import median
from types import SimpleNamespace

import array_api_compat.numpy as xp
import distributed
import numpy as np
import pytest
from tiny import write_tiny

from copi_np import Dataset, InputError, load_dataset, load_network, plotting, training
from copi_np.backend import Backend, get_backend
from copi_np.callbacks import Callback
from copi_np.cli.campaigns import outcome_line
from copi_np.datasets import DATASETS
from copi_np.experiments import benchmark
from copi_np.experiments.benchmark import bench, bench_table, candidates, measure
from copi_np.experiments.campaign import Outcome, epochs_left, perform, run_folder
from copi_np.experiments.config import RunConfig
from copi_np.experiments.demo import DemoResult, demo_table
from copi_np.experiments.diagnostics import read_diagnostics
from copi_np.experiments.figure3 import Figure3
from copi_np.experiments.figure3_report import draw_figure3, figure3_parts
from copi_np.experiments.methods import METHODS
from copi_np.experiments.report import write_report
from copi_np.experiments.runner import train_into, with_validation
from copi_np.experiments.sweep import sweep
from copi_np.history import EpochRecord


@pytest.fixture
def data(tmp_path):
    return load_dataset(write_tiny(tmp_path, n_train=60, n_test=30))


@pytest.fixture
def config(data):
    return RunConfig(
        "copi-fa", data.name, (6, 5, 3), 3, 0.05, 0.05, batch_size=7, seed=3, val_fraction=0.25, dtype="float64"
    )


# ------------------------------------------------------------------------------------------------------- training


def states(network, inputs):
    """Inputs x of every layer and the outputs of the last, with NumPy alone."""
    xs, y = [], inputs
    for layer in network.layers:
        xs.append(y @ layer.R.T)
        a = xs[-1] @ layer.W.T
        y = np.where(a > 0, a, 0.1 * a)
    return xs, y


def correlation(x):
    C = x.T @ x
    r = C / np.sqrt(np.outer(np.diag(C), np.diag(C)))
    return np.mean(np.abs(r[~np.eye(len(C), dtype=bool)]))


def off_diagonal(x):
    C = x.T @ x / len(x)
    return np.mean(C[~np.eye(len(C), dtype=bool)] ** 2)


def test_the_last_record_of_a_run_is_that_of_its_network(tmp_path, config, data):
    """Each split is evaluated on its own samples; what is held out is not in the training split."""
    history = train_into(tmp_path / "run", config, data, "numpy")
    network, _ = load_network(tmp_path / "run" / "checkpoint.npz")
    splits, last = with_validation(config, data), history[-1]
    assert [len(splits.train.labels), len(splits.validation.labels)] == [45, 15]
    for name, split in (("train", splits.train), ("test", data.test), ("val", splits.validation)):
        _, y = states(network, split.inputs)
        accuracy = np.mean(y.argmax(axis=1) == split.labels)
        loss = np.mean(np.sum((y - np.eye(3)[split.labels]) ** 2, axis=1))
        assert getattr(last, f"{name}_accuracy") == accuracy
        assert getattr(last, f"{name}_loss") == pytest.approx(loss, rel=1e-12)
    xs, _ = states(network, splits.train.inputs)
    assert last.decorrelation_loss == pytest.approx([off_diagonal(x) for x in xs], rel=1e-9)


def test_diagnostics_are_of_the_training_split_alone(tmp_path, config, data):
    """Where samples are held out, they are not measured."""
    train_into(tmp_path / "run", config, data, "numpy", diagnostics=True)
    network, _ = load_network(tmp_path / "run" / "checkpoint.npz")
    last = read_diagnostics(tmp_path / "run")[-1]
    assert last.epoch == 3
    for layers, wrong in (
        (states(network, with_validation(config, data).train.inputs)[0], False),
        (states(network, data.train.inputs)[0], True),
    ):
        for x, found in zip(layers, last.layers, strict=True):
            assert (found.correlation == pytest.approx(correlation(x), rel=1e-6)) != wrong
            assert (found.decorrelation_loss == pytest.approx(off_diagonal(x), rel=1e-6)) != wrong


def test_diagnostics_of_a_report_are_those_of_the_first_seed(tmp_path, config, data, monkeypatch):
    for seed in (4, 3):
        perform(tmp_path / "out", replace(config, seed=seed), data, "numpy", diagnostics=True)
    figures = {}
    monkeypatch.setattr(plotting, "save_figure", lambda figure, path: figures.update({path.name: figure}) or path)
    write_report(tmp_path / "out", "Title")
    folder = run_folder(tmp_path / "out", config, data)
    figure = figures[f"diagnostics-{folder.name}.png"]
    assert figure.get_suptitle() == "Title: COPI (FA), seed 3"
    recorded = [json.loads(line) for line in (folder / "diagnostics.jsonl").read_text().splitlines()]
    names = ("angle", "natural_cosine", "correlation", "decorrelation_loss", None, "asymmetry", None)
    for axes, name in zip(figure.axes, names, strict=True):
        for k in range(2) if name else ():
            expected = [snapshot["layers"][k][name] for snapshot in recorded]
            if expected[0] is None:
                continue
            (line,) = (line for line in axes.get_lines() if line.get_label() == f"layer {k + 1}")
            assert line.get_xdata().tolist() == [0, 1, 2, 3]
            assert line.get_ydata().tolist() == expected, name


def test_seconds_are_those_of_batches_and_evaluation(tmp_path, config, data, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    class Slow(Callback):
        n_batches = 0

        def on_batch(self, batch, n_batches):
            now[0] += 2
            self.n_batches += 1
            assert n_batches == 7  # of 45 samples, 7 at a time

        def on_epoch(self, network, record):
            now[0] += 1000  # not counted

    evaluate = training.evaluate

    def slow_evaluation(*arguments):
        now[0] += 5
        return evaluate(*arguments)

    monkeypatch.setattr(training, "evaluate", slow_evaluation)
    slow = Slow()
    history = train_into(tmp_path / "run", config, data, "numpy", [slow])
    assert [record.seconds for record in history] == [7 * 2 + 3 * 5] * 3
    assert slow.n_batches == 21


def test_patience_counts_from_the_end_of_the_first_epochs(tmp_path, config, data):
    """Nothing learns, so the first epoch stays the best."""
    still = {"eta_W": 0, "eta_R": 0, "first_epochs": 4}
    config = replace(config, epochs=30, patience=2, **still)
    assert len(train_into(tmp_path / "run", config, data, "numpy")) == 6
    assert epochs_left(tmp_path, config, data) == 30
    perform(tmp_path, replace(config, patience=0, epochs=3), data, "numpy")
    assert epochs_left(tmp_path, replace(config, patience=0), data) == 27
    assert epochs_left(tmp_path, config, data) == 27  # the first epochs do not count
    perform(tmp_path, config, data, "numpy")
    assert epochs_left(tmp_path, config, data) == 0


def test_workers_get_what_a_sweep_is_told(tmp_path, config, data, monkeypatch):
    """How many they are; they measure diagnostics, use the backend, and look for data in the same folder."""
    config, clusters, start = replace(config, epochs=1), [], distributed.LocalCluster
    monkeypatch.setattr(distributed, "LocalCluster", lambda **options: clusters.append(options) or start(**options))
    (outcome,) = sweep(tmp_path / "out", [config], data, backend="numpy", diagnostics=True, n_workers=1)
    assert [each.epoch for each in read_diagnostics(outcome.folder)] == [0, 1]
    assert (clusters[0]["n_workers"], clusters[0]["threads_per_worker"], clusters[0]["memory_limit"]) == (1, 1, None)
    (outcome,) = sweep(tmp_path / "other", [config], data, backend="no such", n_workers=1)
    assert "unknown backend 'no such'" in outcome.failure
    folder = tmp_path / "data" / "fashion-mnist"
    folder.mkdir(parents=True)
    for file in DATASETS["fashion-mnist"].files:
        (folder / file.name).write_bytes(b"nonsense")
    named = Dataset("fashion-mnist", data.train, data.test, 3)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="lacks the data") as error:
        sweep(tmp_path / "third", [config], named, data_dir="data", backend="numpy", n_workers=1)
    assert str(folder) in str(error.value)


# ------------------------------------------------------------------------------------------------ lines of results


def record(epoch, train, test, seconds=1.0):
    return EpochRecord(epoch, train, test, 1.0, 1.0, [0.1], seconds)


def test_the_line_of_a_run_holds_its_last_epoch(tmp_path, config):
    outcome = Outcome(config, tmp_path, [record(1, 0.9, 0.8), record(2, 0.71249, 0.6124)])
    expected = "COPI (FA), seed 3, eta_W=0.05, layers=6-5-3: epoch 2, train 71.2 %, test 61.2 %"
    assert " ".join(outcome_line(outcome, ["eta_W", "layers"]).split()) == expected


def test_the_table_of_the_demo_by_hand():
    results = [
        DemoResult("copi-bp", [record(1, 0.5, 0.4, 1.25), record(2, 0.9, 0.8, 4.5)], 0.4567, 0.0123),
        DemoResult("bp-adam", [record(1, 0.95, 0.7, 0.5), record(2, 0.85, 0.75, 2.0)], 0.3, 0.3),
    ]
    _, copi, adam = (" ".join(line.split()) for line in demo_table(results).splitlines())
    assert copi == "COPI (BP) 90.0 % 80.0 % 5.8 0.457 -> 0.012"
    assert adam == "BP (Adam) 85.0 % 75.0 % 2.5 0.300 (not decorrelated)"


# ------------------------------------------------------------------------------------------------------- Figure 3


def figure3_records():
    """Made-up measures of two seeds, of three layers."""
    rng, records = np.random.default_rng(0), []
    run = SimpleNamespace(config=RunConfig("copi-bp", "x", (6, 5, 4, 3), 1, 0.1, 0.1))
    for _ in range(2):
        measures = {name: rng.uniform(0, 1, 3).tolist() for name in ("correlations", "likeness", "against")}
        for name in ("formula", "least squares"):
            quantities = ("train_accuracy", "test_accuracy", "train_loss", "test_loss")
            measures[name] = {quantity: rng.uniform(0, 1, 3).tolist() for quantity in quantities}
            for quantity, first in zip(quantities, (0.9, 0.8, 0.1, 0.2), strict=True):
                measures[name][quantity][0] = first + rng.uniform(0, 0.1)
        records.append(Figure3(run, measures, None))
    for name in ("train_accuracy", "test_accuracy", "train_loss", "test_loss"):  # as trained, however it is replaced
        for each in records:
            each.measures["least squares"][name][0] = each.measures["formula"][name][0]
    return records


def text_of(values, unit=1, digits=2):
    one, other = (unit * value for value in values)
    return f"{(one + other) / 2:.{digits}f} ± {abs(one - other) / 2**0.5:.{digits}f}"


def test_the_tables_of_figure_3_by_hand():
    records = figure3_records()
    text = "\n".join(figure3_parts(records))
    for matrix in ("formula", "least squares"):
        for k in range(3):
            train, test, loss = (
                [each.measures[matrix][quantity][k] for each in records]
                for quantity in ("train_accuracy", "test_accuracy", "test_loss")
            )
            name = matrix if k else "as trained"
            row = f"| {k} | {name} | {text_of(train, 100)} | {text_of(test, 100)} | {text_of(loss, digits=4)} |"
            assert text.count(row) == 1
    for k in range(3):
        correlations, likeness, against = (
            [each.measures[name][k] for each in records] for name in ("correlations", "likeness", "against")
        )
        row = f"| {k + 1} | {text_of(correlations, digits=4)} | {text_of(likeness)} | {text_of(against, 100)} |"
        assert text.count(row) == 1
    assert "in 2 of these networks" in text


def test_the_curves_of_figure_3_by_hand(tmp_path, monkeypatch):
    records, figures = figure3_records(), []
    monkeypatch.setattr(plotting, "save_figure", lambda figure, path: figures.append(figure) or path)
    draw_figure3(tmp_path, records)
    accuracy, loss = figures[0].axes
    for axes, quantities, unit in (
        (accuracy, {"-": "test_accuracy", "--": "train_accuracy"}, 100),
        (loss, {"-": "test_loss"}, 1),
    ):
        containers = {(c[0].get_linestyle(), k % 2): c for k, c in enumerate(axes.containers)}
        for (style, k), container in containers.items():
            matrix = ("formula", "least squares")[k]
            values = unit * np.array([each.measures[matrix][quantities[style]] for each in records])
            assert container[0].get_ydata() == pytest.approx(values.mean(axis=0))
            ends = np.array([segment[:, 1] for segment in container[2][0].get_segments()])
            assert ends[:, 1] - ends[:, 0] == pytest.approx(2 * values.std(axis=0, ddof=1))


# ------------------------------------------------------------------------------------------------------ benchmarks

COSTS = {"floor": 2e-3, "step": 3e-3, "forward": 5e-3, "evaluation": 7e-3, "evaluation, unfolded": 11e-3}
COSTS["equations"] = 13e-3


class Clock(Backend):
    """NumPy with a made-up clock: each function has its cost in seconds, times a factor by round."""

    def __init__(self, costs, by_round):
        self.__dict__.update(get_backend("numpy").__dict__)
        self.costs, self.by_round, self.calls = iter(costs), by_round, []
        self.known = {}

    def __getattr__(self, name):
        return getattr(get_backend("numpy"), name)

    def seconds(self, function, repeats=1):
        if function not in self.known:
            self.known[function] = (next(self.costs), count(-1))
        cost, rounds = self.known[function]
        k = next(rounds)
        self.calls.append((function, repeats))
        return cost * repeats * (1 if k < 0 else self.by_round[k])


def test_times_are_seconds_per_call_in_every_round():
    """Each function is called as often as takes the shortest time, and each round starts with another one."""
    warmed = []
    functions = {name: lambda name=name: warmed.append(name) for name in "abc"}
    clock = Clock([0.01, 0.03, 5.0], [1.0, 3.0, 2.0, 4.0])
    times = measure(functions, clock, 4, 0.2)
    assert warmed == [*"abc"]  # once, before it is timed; the clock itself calls nothing
    for name, cost in (("a", 0.01), ("b", 0.03), ("c", 5.0)):
        assert times[name] == pytest.approx([cost * factor for factor in (1, 3, 2, 4)])
    named = [next(name for name in functions if functions[name] is function) for function, _ in clock.calls[3:]]
    assert named == [*"abc", *"bca", *"cab", *"abc"]
    assert {(n, next(name for name in functions if functions[name] is f)) for f, n in clock.calls[3:]} == {
        (20, "a"), (6, "b"), (1, "c"),
    }  # fmt: skip


def test_the_results_of_a_benchmark_are_medians_of_rounds(monkeypatch):
    monkeypatch.setattr(benchmark, "get_backend", lambda backend: backend)
    factors = [1.0, 4.0, 2.0]
    results = bench("7-5-3", 4, backend=Clock(COSTS.values(), factors), rounds=3)
    for name, cost in COSTS.items():
        assert results["milliseconds"][name] == pytest.approx(1e3 * cost * median(factors))
    assert results["step_over_floor"] == pytest.approx(3 / 2)
    assert results["unfolded_over_folded"] == pytest.approx(11 / 7)
    assert results["equations_over_floor"] == pytest.approx(13 / 2)
    assert results["ratios"]["step_over_floor"] == pytest.approx([3 / 2] * 3)
    text = bench_table(results)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0].startswith("copi-bp, 7-5-3, batches of 4, float32, ")
    assert lines[1] == f"{2e-9 * FLOP:.3g} GFLOP per step; medians of 3 rounds"
    assert "floor 4.000 ms 1.00 x floor" in lines
    assert "step 6.000 ms 1.50 x floor" in lines
    assert "forward 10.000 ms 2.50 x floor" in lines
    assert "evaluation 14.000 ms" in lines
    assert "evaluation, unfolded 22.000 ms" in lines
    assert "step / floor: 1.500" in lines
    assert lines[-1] == "evaluation is 1.57 times as fast with W R folded into one matrix"


FIRST = 4 * 7 * 7 + 4 * 7 * 5 + 5 * 4 * 7 + 4 * 7 * 7 + 7 * 4 * 7
"""Multiplications of the first layer of 7-5-3 with batches of 4: y R^T, x W^T; z^T x, x R, x^T (x R)."""
SECOND = 4 * 5 * 5 + 4 * 5 * 3 + 4 * 3 * 5 + 3 * 4 * 5 + 2 * 4 * 5 * 5 + 5 * 4 * 5
"""Of the second: the same, delta W, and its product with R."""
FLOP = FIRST + SECOND


def test_the_floor_multiplies_matrices_of_the_size_of_the_batch(monkeypatch):
    done = []

    def counted(A, B, **options):
        done.append(A.shape[0] * A.shape[1] * B.shape[1])
        return np.matmul(A, B, **options)

    backend = get_backend("numpy")
    monkeypatch.setattr(xp, "matmul", counted)
    monkeypatch.setattr(type(backend), "matmul_add", lambda self, out, A, B, alpha: counted(A, B))
    timed = candidates((7, 5, 3), 4, METHODS["copi-bp"], backend, "float64")
    done.clear()
    timed["floor"]()
    assert sum(done) == FLOP
    assert timed["forward"]().y[-1].shape == (4, 3)
    assert timed["evaluation"]().shape == (2000, 3)
    assert sum(map(len, timed["evaluation, unfolded"]())) == 2000
