"""The demonstration on a small scale: few of the bundled digits, a small network, two epochs."""

from __future__ import annotations

import json
import math
import re
from contextlib import nullcontext

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.image import imread

from copi_np import InputError, Network
from copi_np.callbacks import Callback, EpochRecord
from copi_np.cli import main
from copi_np.datasets import Dataset, Split, load_dataset
from copi_np.experiments import demo as room
from copi_np.experiments.demo import DEMO_METHODS, DemoResult, correlations, demo_table, run_demo

FILES = ["demo.json", "digits.png", "learning-curves.png"]
LABELS = ["COPI (BP)", "COPI (FA)", "BP + decorrelation", "BP (Adam)"]


@pytest.fixture(scope="module")
def few():
    data = load_dataset("mnist-5k")
    train, test = data.train, data.test
    return Dataset(
        data.name,
        Split(train.inputs[::20], train.labels[::20]),
        Split(test.inputs[::20], test.labels[::20]),
        data.n_classes,
        data.image_shape,
    )


@pytest.fixture(scope="module", autouse=True)
def small_scale(few):
    """Shrink what the demonstration trains on; everything else is as users get it."""
    real = room.load_preset
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "load_dataset", lambda name: few)
        # error signals that suit so small a network
        small = {"layers": (784, 12, 10), "epochs": 2, "delta_scale": 10}
        patch.setattr(room, "load_preset", lambda *names: {**real(*names), **small})
        yield


def quiet(label, epochs):
    return nullcontext(Callback())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "new" / "demo"
    return folder, run_demo(folder, None, quiet, "numpy")


# ---------------------------------------------------------------- what comes out


def test_it_runs_the_four_methods_and_leaves_three_files(finished):
    folder, results = finished
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert [result.method for result in results] == ["copi-bp", "copi-fa", "bp-decor", "bp-adam"] == list(DEMO_METHODS)
    assert [len(result.history) for result in results] == [2, 2, 2, 2]


def test_the_record_is_what_happened(finished):
    folder, results = finished
    record = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
    assert record["versions"]["numpy"] == np.__version__
    assert record["device"]
    for run, result in zip(record["runs"], results, strict=True):
        assert run["config"]["method"] == result.method
        assert run["history"] == [entry.as_dict() for entry in result.history]
        assert (run["correlation_before"], run["correlation_after"]) == result[2:]


def test_the_pictures_are_pictures(finished):
    folder, _ = finished
    for name in FILES[1:]:
        assert (folder / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        picture = imread(folder / name)[..., :3]
        height, width = picture.shape[:2]
        assert 200 <= height <= 2000
        assert 600 <= width <= 3000
        assert picture.std() > 0.05
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20


def test_the_table_fits_a_terminal_and_says_what_the_record_says(finished):
    _, results = finished
    header, *rows = demo_table(results).splitlines()
    assert max(map(len, [header, *rows])) <= 80
    assert [word in header for word in ("method", "train", "test", "seconds", "correlation")] == [True] * 5
    for label, row, result in zip(LABELS, rows, results, strict=True):
        assert row.startswith(label + " ")
        last = result.history[-1]
        words = row[len(label) :].split()
        assert words[:4] == [f"{100 * last.train_accuracy:.1f}", "%", f"{100 * last.test_accuracy:.1f}", "%"]
        assert float(words[4]) == pytest.approx(sum(entry.seconds for entry in result.history), abs=0.051)
        assert f"{result.correlation_before:.3f}" in row
        assert ("not decorrelated" in row) == (label == "BP (Adam)")
        assert (f"{result.correlation_after:.3f}" in row) or label == "BP (Adam)"


def test_the_widest_numbers_still_fit():
    record = EpochRecord(1, 1.0, 1.0, 0.0, 0.0, [0.0], 99999.9)
    table = demo_table([DemoResult(method, [record], 1.0, 1.0) for method in DEMO_METHODS])
    assert max(map(len, table.splitlines())) <= 80
    assert "100.0 %" in table


def test_decorrelation_decorrelates_and_its_absence_does_not(finished):
    for result in finished[1]:
        if result.method == "bp-adam":
            assert result.correlation_after == result.correlation_before
        else:
            assert 0 <= result.correlation_after < result.correlation_before <= 1


def test_methods_are_compared_on_equal_terms(finished):
    """The first layer's inputs are the pixels in all methods; COPI with feedback alignment starts where COPI does."""
    seeds = {run["config"]["seed"] for run in json.loads((finished[0] / "demo.json").read_text())["runs"]}
    assert len(seeds) == 1


# ---------------------------------------------------------------- its measures


def uncentred_correlation(rows):
    """Mean absolute correlation over pairs of columns that are not all zero, pair by pair."""
    columns = [column for column in np.asarray(rows, dtype=float).T if (column != 0).any()]
    pairs = [(i, j) for i in range(len(columns)) for j in range(i)]
    return np.mean([
        abs(np.dot(columns[i], columns[j])) / math.sqrt(np.dot(columns[i], columns[i]) * np.dot(columns[j], columns[j]))
        for i, j in pairs
    ])  # fmt: skip


def test_correlations_are_those_before_and_behind_the_lateral_weights():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, 5)) @ rng.normal(size=(5, 5))
    inputs[:, 2] = 0
    split = Split(inputs, np.arange(40) % 3)
    network = Network([5, 4, 3], rng=rng, dtype="float64")
    for layer in network.layers:
        layer.R = rng.normal(size=(layer.n_inputs, layer.n_inputs))
    before, after, y = [], [], inputs
    for layer in network.layers:
        before.append(uncentred_correlation(y))
        after.append(uncentred_correlation(y @ layer.R.T))
        a = y @ layer.R.T @ layer.W.T
        y = np.where(a > 0, a, 0.1 * a)
    expected = (np.mean(before), np.mean(after))
    assert correlations(network, Dataset("x", split, split, 3)) == pytest.approx(expected, rel=1e-9)


# ---------------------------------------------------------------- folders


def content_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_earlier_demo_is_replaced(finished, tmp_path):
    folder = tmp_path / "demo"
    folder.mkdir()
    for name, content in content_of(finished[0]).items():
        (folder / name).write_bytes(content[: len(content) // 2])
    results = run_demo(folder, 1, quiet, "numpy")
    assert sorted(path.name for path in folder.iterdir()) == FILES
    record = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
    assert [len(run["history"]) for run in record["runs"]] == [1] * 4 == [len(result.history) for result in results]
    assert imread(folder / "learning-curves.png").size > 0


def test_methods_that_finished_stay_readable_when_a_later_one_fails(tmp_path):
    def failing(label, epochs):
        if label == LABELS[2]:
            raise KeyboardInterrupt
        return quiet(label, epochs)

    with pytest.raises(KeyboardInterrupt):
        run_demo(tmp_path, 1, failing, "numpy")
    record = json.loads((tmp_path / "demo.json").read_text(encoding="utf-8"))
    assert [run["config"]["method"] for run in record["runs"]] == ["copi-bp", "copi-fa"]
    assert [len(run["history"]) for run in record["runs"]] == [1, 1]


@pytest.mark.parametrize("names", [["run.json"], ["demo.json", "run.json"], ["thesis.txt"], ["digits.png"]])
def test_a_folder_of_something_else_is_refused_and_untouched(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text("mine")
    before = content_of(tmp_path)
    with pytest.raises(InputError, match="choose another folder with --out"):
        run_demo(tmp_path, 1, quiet, "numpy")
    assert content_of(tmp_path) == before


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match=r"cannot write to .*file .*choose another folder with --out"):
        run_demo(tmp_path / "file", 1, quiet, "numpy")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(("epochs", "backend"), [(1, "nunpy"), (0, "numpy")])
def test_a_demo_that_cannot_begin_leaves_nothing(tmp_path, epochs, backend):
    with pytest.raises(InputError):
        run_demo(tmp_path / "demo", epochs, quiet, backend)
    assert not (tmp_path / "demo").exists()


# ---------------------------------------------------------------- the command


def test_the_command_shows_a_bar_a_method_and_then_the_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["demo", "--epochs", "1", "--backend", "numpy"])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == FILES
    lines = result.stdout.splitlines()
    assert [line[:20].strip() for line in lines[:5]] == ["method", *LABELS]
    assert max(map(len, lines)) <= 80
    for name in FILES:
        assert name in result.stdout
    for label in LABELS:
        assert label in result.stderr
    assert len(re.findall(r"\b1/1\b.*?train [\d.]+", result.stderr)) >= 4
    assert "%|" not in result.stdout
