"""Figure 3: what is recorded of a trained network, against oracles; and figures and tables from records alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import cupy_mock
import numpy as np
import pytest
from matplotlib.image import imread
from oracles import F, least_squares

from copi_np import DataError, InputError, Network, load_network, plotting
from copi_np.datasets import Dataset, Split
from copi_np.experiments import figure3 as room
from copi_np.experiments import figure3_report
from copi_np.experiments.config import RunConfig
from copi_np.experiments.figure3 import (
    MAPS,
    QUANTITIES,
    ZCA_EPSILON,
    likeness,
    measure_figure3,
    read_figure3,
    record_figure3,
    whitened_samples,
)
from copi_np.experiments.records import read_run
from copi_np.experiments.runner import train_into
from copi_np.training import DeviceSplit

CONFIG = RunConfig("copi-bp", "tiny", (12, 8, 120, 7, 3), 2, 0.03, 0.03, batch_size=5, dtype="float64")


def split(n, rng):
    """Images of 3 by 4 whose rows 0, 1 and 2 stand for the classes; one pixel is always zero."""
    labels = np.arange(n) % 3
    inputs = np.kron(np.eye(3), np.ones(4))[labels] + rng.uniform(0, 0.5, (n, 12))
    inputs[:, 5] = 0
    return Split(inputs, labels)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return Dataset("tiny", split(60, rng), split(30, rng), 3, (3, 4))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """The folders of two runs, seeds 0 and 1, without records of Figure 3."""
    root = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        train_into(root / f"seed{seed}", replace(CONFIG, seed=seed), data, "numpy")
    return root


@pytest.fixture
def runs(trained, tmp_path):
    """Copies of them, to write into."""
    shutil.copytree(trained, tmp_path / "runs")
    return [tmp_path / "runs" / f"seed{seed}" for seed in (0, 1)]


@pytest.fixture(scope="module")
def recorded_once(trained, data, tmp_path_factory):
    root = tmp_path_factory.mktemp("recorded") / "runs"
    shutil.copytree(trained, root)
    record_figure3(root / "seed0", data, "numpy", pictures=True)
    record_figure3(root / "seed1", data, "numpy")
    return root


@pytest.fixture
def recorded(recorded_once, tmp_path):
    """The same with records: of compression for both, of pictures for the first; and nothing else but the history."""
    shutil.copytree(recorded_once, tmp_path / "recorded", ignore=shutil.ignore_patterns("checkpoint.npz"))
    return [tmp_path / "recorded" / f"seed{seed}" for seed in (0, 1)]


def measures_of(folder):
    return json.loads((folder / "figure3.json").read_text())


def pictures_of(folder):
    with np.load(folder / "pictures.npz", allow_pickle=False) as archive:
        return dict(archive)


def records_of(folders):
    return [read_figure3(read_run(folder)) for folder in folders]


def layer_table(folders):
    return figure3_report.layer_table(records_of(folders))


def compression_table(folders):
    return figure3_report.compression_table(records_of(folders))


def draw_figure3(folder, folders, **options):
    return figure3_report.draw_figure3(folder, records_of(folders), **options)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---------------------------------------------------------------- what is recorded


def states(network, inputs):
    """x and y of every layer, with NumPy alone."""
    x, y = [], [inputs]
    for layer in network.layers:
        x.append(y[-1] @ layer.R.T)
        y.append(F["leaky_relu"](x[-1] @ layer.W.T))
    return x, y[1:]


def outputs_with(network, train, inputs, replaced, *, exact):
    """Outputs for `inputs` with so many layers behind the first replaced by one matrix, fitted to `train`."""
    if replaced == 0:
        return states(network, inputs)[1][-1]
    x_train, y_train = states(network, train)
    x, z = x_train[1], y_train[replaced]
    W = least_squares(x, z) if exact else (z.T @ x) / np.sum(x**2, axis=0)
    y = states(network, inputs)[0][1] @ W.T
    for layer in network.layers[replaced + 1 :]:
        y = F["leaky_relu"](y @ layer.R.T @ layer.W.T)
    return y


def test_compression_is_recorded(recorded_once, data):
    """Accuracies and losses of both splits, from the network as trained to a single matrix behind the first layer."""
    record = measures_of(recorded_once / "seed0")
    network, _ = load_network(recorded_once / "seed0" / "checkpoint.npz")
    assert record["epoch"] == 2
    for name, exact in (("formula", False), ("least squares", True)):
        assert list(record[name]) == ["train_accuracy", "test_accuracy", "train_loss", "test_loss"]
        for part, (inputs, labels) in (("train", data.train), ("test", data.test)):
            for replaced in range(4):
                y = outputs_with(network, data.train.inputs, inputs, replaced, exact=exact)
                loss = np.mean([sum((y_n - np.eye(3)[label]) ** 2) for y_n, label in zip(y, labels, strict=True)])
                assert record[name][f"{part}_accuracy"][replaced] == np.mean(y.argmax(axis=1) == labels)
                assert record[name][f"{part}_loss"][replaced] == pytest.approx(loss, rel=1e-6)
    assert record["formula"]["test_loss"][1:] != record["least squares"]["test_loss"][1:]


def test_correlations_are_recorded(recorded_once, data, monkeypatch):
    """Of the inputs x of every layer, pair by pair, over all training samples; not centred; dead inputs left out."""
    network, _ = load_network(recorded_once / "seed0" / "checkpoint.npz")
    recorded = measures_of(recorded_once / "seed0")["correlations"]
    monkeypatch.setattr(room, "CHUNK", 7)
    in_chunks = measure_figure3(network, data)["correlations"]
    for x, *actual in zip(states(network, data.train.inputs)[0], recorded, in_chunks, strict=True):
        columns = [column / np.linalg.norm(column) for column in x.T if np.any(column)]
        pairs = [abs(one @ other) for i, one in enumerate(columns) for other in columns[:i]]
        assert actual == pytest.approx([np.mean(pairs)] * 2, rel=1e-6)


def test_likeness_is_recorded(recorded_once, data, monkeypatch):
    """Of every unit of every layer to the class that it fits best, or fits worst."""
    network, _ = load_network(recorded_once / "seed0" / "checkpoint.npz")
    record = measures_of(recorded_once / "seed0")
    x, y = states(network, data.train.inputs)
    rms = np.sqrt(np.mean(x[0] ** 2, axis=0))
    units = x[0] / np.where(rms > 0, rms, 1)
    means = np.array([units[data.train.labels == c].mean(axis=0) for c in range(3)])
    templates = means - means.mean(axis=0)
    monkeypatch.setattr(room, "CHUNK", 7)
    in_chunks = measure_figure3(network, data)
    for k in range(4):
        best = []
        for outputs in y[k].T:
            field = np.mean(outputs[:, None] * units, axis=0)
            cosines = [field @ t / np.linalg.norm(field) / np.linalg.norm(t) for t in templates]
            best.append(max(cosines, key=abs))
        for measures in (record, in_chunks):
            assert measures["likeness"][k] == pytest.approx(np.median(np.abs(best)))
            assert measures["against"][k] == np.mean(np.array(best) < 0)
    assert any(record["against"])


def test_fields_of_zeros_are_like_nothing():
    fields, templates = np.array([[0.0, 0.0], [0.0, -2.0], [3.0, 1.0]]), np.array([[0.0, 1.0], [0.0, 0.0]])
    assert likeness(fields, templates) == pytest.approx([0, -1, 0.1**0.5])


def test_the_table_of_layers_holds_means_and_deviations(recorded):
    records = [measures_of(folder) for folder in recorded]
    table = layer_table(recorded)
    assert [row.layer for row in table] == [1, 2, 3, 4]
    for row in table:
        for name, found in zip(("correlations", "likeness", "against"), row[1:], strict=True):
            one, other = (record[name][row.layer - 1] for record in records)
            assert found == pytest.approx(((one + other) / 2, abs(one - other) / 2**0.5))
    assert layer_table([]) == []


def test_samples_are_recorded_raw_decorrelated_and_whitened(recorded_once, data):
    """Random ones of the test split."""
    pictures = pictures_of(recorded_once / "seed0")
    network, _ = load_network(recorded_once / "seed0" / "checkpoint.npz")
    samples = pictures["samples"]
    assert len(set(samples.tolist())) == 10
    assert set(samples.tolist()) <= set(range(30))
    assert samples.tolist() != sorted(samples)
    raw = data.test.inputs[samples]
    values, vectors = np.linalg.eigh(data.train.inputs.T @ data.train.inputs / 60)
    whitened = raw @ (vectors / np.sqrt(values + ZCA_EPSILON)) @ vectors.T
    for name, expected in (("raw", raw), ("COPI", raw @ network.layers[0].R.T), ("ZCA", whitened)):
        assert pictures[name].dtype == np.float16
        assert np.allclose(pictures[name], expected, rtol=1e-3, atol=1e-3)
    assert pictures["image_shape"].tolist() == [3, 4]


def test_fields_are_recorded(recorded_once, data):
    """At most 100 random units of each layer, in units of the largest weight; of the output layer all, in order."""
    pictures = pictures_of(recorded_once / "seed0")
    network, _ = load_network(recorded_once / "seed0" / "checkpoint.npz")
    x, y = states(network, data.train.inputs)
    rms = np.sqrt(np.mean(x[0] ** 2, axis=0))
    for k, n_units in enumerate((8, 100, 7, 3)):
        units = pictures[f"units_{k}"]
        assert len(set(units.tolist())) == n_units == len(pictures[f"fields_{k}"])
        assert units.tolist() == sorted(units)
        fields = y[k][:, units].T @ x[0] / 60 / np.where(rms > 0, rms, 1)
        assert np.allclose(pictures[f"fields_{k}"], fields / np.abs(fields).max(axis=1, keepdims=True), atol=1e-3)
        assert np.all(pictures[f"fields_{k}"][:, 5] == 0)
    assert pictures["units_1"].tolist() != list(range(100))


def test_what_is_shown_is_drawn_by_the_seed(recorded_once, runs, data):
    for folder in runs:
        record_figure3(folder, data, "numpy", pictures=True)
    again, other = map(pictures_of, runs)
    once = pictures_of(recorded_once / "seed0")
    for name in ("samples", "units_1"):
        assert np.array_equal(again[name], once[name])
        assert not np.array_equal(other[name], once[name])


def test_a_device_records_what_the_host_does(recorded_once, runs, data):
    with cupy_mock.installed():
        record_figure3(runs[0], data, "cupy", pictures=True)
    there, here = measures_of(runs[0]), measures_of(recorded_once / "seed0")
    assert there["correlations"] == pytest.approx(here["correlations"])
    for name in MAPS:
        for quantity in QUANTITIES:
            assert there[name][quantity] == pytest.approx(here[name][quantity])
    once = pictures_of(recorded_once / "seed0")
    for name, array in pictures_of(runs[0]).items():
        assert np.allclose(array, once[name], atol=2e-3), name


def test_there_are_no_pictures_of_data_that_are_no_images(data, tmp_path):
    plain = Dataset("tiny", data.train, data.test, 3)
    folder = tmp_path / "run"
    train_into(folder, replace(CONFIG, layers=(12, 3)), plain, "numpy")
    for _ in range(2):
        record_figure3(folder, plain, "numpy", pictures=True)
    assert not (folder / "pictures.npz").exists()
    assert [len(values) for values in measures_of(folder)["formula"].values()] == [1] * 4  # nothing to replace
    assert draw_figure3(tmp_path, [folder]) == []


def test_pixels_are_whitened_as_the_network_sees_them():
    """From 0 to 1, in the network's dtype; the whole training split counts, however long."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (2300, 4), dtype=np.uint8)
    pixels[2000:, 0] = 0
    data = Dataset("x", Split(pixels, np.arange(2300) % 2), Split(pixels, np.arange(2300) % 2), 2)
    network = Network([4, 2], rng=rng)
    network.layers[0].R = np.diag(np.arange(4, dtype="float32"))
    rows = whitened_samples(network, data, pixels[:5])
    raw = pixels[:5] / 255
    values, vectors = np.linalg.eigh((pixels / 255).T @ (pixels / 255) / 2300)
    assert np.allclose(rows["raw"], raw)
    assert np.allclose(rows["COPI"], raw * np.arange(4))
    assert np.allclose(rows["ZCA"], raw @ (vectors / np.sqrt(values + ZCA_EPSILON)) @ vectors.T, atol=1e-6)
    assert list(rows) == ["raw", "COPI", "ZCA"]


# ---------------------------------------------------------------- what is done again


def test_what_is_on_record_is_left_alone(recorded, data):
    """It takes no network; pictures can be added later, without touching the rest."""
    before = [contents(folder) for folder in recorded]
    record_figure3(recorded[0], data, "numpy", pictures=True)
    for folder in recorded:
        record_figure3(folder, data, "numpy")
    assert [contents(folder) for folder in recorded] == before


def test_pictures_can_be_added(recorded_once, runs, data, monkeypatch):
    record_figure3(runs[0], data, "numpy")
    assert not (runs[0] / "pictures.npz").exists()
    before = contents(runs[0])
    monkeypatch.setattr(room, "measure_figure3", None)
    record_figure3(runs[0], data, "numpy", pictures=True)
    after = contents(runs[0])
    assert set(after) == {*before, "pictures.npz"}
    assert after | before == after
    assert after["pictures.npz"] == (recorded_once / "seed0" / "pictures.npz").read_bytes()


def test_a_run_that_went_on_is_recorded_anew(runs, data):
    """Until then, what was recorded of it before is not shown."""
    record_figure3(runs[0], data, "numpy", pictures=True)
    before = contents(runs[0])
    train_into(runs[0], replace(CONFIG, epochs=3), data, "numpy", resume=True)
    assert compression_table(runs[:1]) == []
    assert draw_figure3(runs[0], runs[:1]) == []
    record_figure3(runs[0], data, "numpy", pictures=True)
    assert measures_of(runs[0])["epoch"] == 3
    assert pictures_of(runs[0])["epoch"] == 3
    assert all(contents(runs[0])[name] != before[name] for name in ("figure3.json", "pictures.npz"))


def test_a_record_is_whole_or_not_there(runs, data, monkeypatch):
    """Whatever goes wrong while it is written."""

    def half(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", half)
    with pytest.raises(DataError, match=r"cannot write .*pictures\.npz"):
        record_figure3(runs[0], data, "numpy", pictures=True)
    assert sorted(contents(runs[0])) == sorted([*contents(runs[1]), "figure3.json"])


# ---------------------------------------------------------------- what cannot be recorded


def assert_refused(error_type, message, use, *arguments, **options):
    with pytest.raises(error_type, match=message) as error:
        use(*arguments, **options)
    assert "\n" not in str(error.value)


def test_a_run_without_a_checkpoint_is_named(runs, data):
    (runs[0] / "checkpoint.npz").unlink()
    assert_refused(DataError, r"there is no file .*seed0.checkpoint\.npz", record_figure3, runs[0], data, "numpy")


def test_a_folder_that_holds_no_run_is_named(tmp_path, data):
    assert_refused(
        DataError, r"there is no run in .*: give a folder that holds run\.json", record_figure3, tmp_path, data, "numpy"
    )


def test_other_data_are_refused(runs, data):
    other = Dataset("other", data.test, data.train, 3, (3, 4))
    message = "seed0 was trained on other data than other: use the same data"
    assert_refused(InputError, message, record_figure3, runs[0], other, "numpy")
    assert "figure3.json" not in contents(runs[0])


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"formula": 1}', '{"epoch": 2, "correlations": [1], "formula": {}}', "\xff"]
)
def test_damaged_measure_figure3_are_named(recorded, data, text):
    (recorded[0] / "figure3.json").write_text(text, encoding="latin-1")
    message = r"figure3\.json is damaged .*: remove it and record it again"
    for use in (lambda: record_figure3(recorded[0], data, "numpy"), lambda: compression_table(recorded)):
        assert_refused(DataError, message, use)


def test_measure_figure3_that_lack_numbers_are_named(recorded):
    record = measures_of(recorded[0])
    record["formula"]["test_loss"].pop()
    (recorded[0] / "figure3.json").write_text(json.dumps(record))
    assert_refused(DataError, r"is damaged \(a measure is not a list of 4 numbers\)", compression_table, recorded)


def test_damaged_pictures_are_named(recorded, tmp_path):
    path = recorded[0] / "pictures.npz"
    path.write_bytes(path.read_bytes()[:-40])
    assert_refused(DataError, r"pictures\.npz .*: remove it and record it again", draw_figure3, tmp_path, recorded)
    np.savez(path, epoch=np.array(2), raw=np.zeros(2))
    message = r"pictures\.npz lacks COPI, ZCA, fields_0, image_shape: remove it"
    assert_refused(DataError, message, draw_figure3, tmp_path, recorded)


# ---------------------------------------------------------------- tables and figures


def test_the_table_holds_means_and_deviations_over_seeds(recorded):
    records = [measures_of(folder) for folder in recorded]
    table = compression_table(recorded)
    assert [(row.linear_map, row.replaced) for row in table] == [(name, k) for name in MAPS for k in range(4)]
    for row in table:
        for quantity in ("train_accuracy", "test_accuracy", "train_loss", "test_loss"):
            one, other = (record[row.linear_map][quantity][row.replaced] for record in records)
            mean, deviation = getattr(row, quantity)
            assert mean == pytest.approx((one + other) / 2)
            assert deviation == pytest.approx(abs(one - other) / 2**0.5)


def test_one_seed_has_no_deviation(recorded):
    assert {row.test_loss.deviation for row in compression_table(recorded[1:])} == {None}


def test_figures_are_drawn_from_records_alone(recorded, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "load_with", None)
    for folder in recorded:
        assert not (folder / "checkpoint.npz").exists()
    files = draw_figure3(tmp_path, map(str, recorded))
    assert files == [tmp_path / name for name in ("fig3a.png", "fig3b.png", "fig3c.png")]
    for path in files:
        assert imread(path)[..., :3].std() > 0.05


@pytest.mark.parametrize("title", [None, "COPI (BP)"])
def test_figures_say_which_method_they_are_of(recorded, tmp_path, monkeypatch, title):
    saved = []
    real = plotting.save_figure
    monkeypatch.setattr(plotting, "save_figure", lambda figure, path: saved.append(figure) or real(figure, path))
    draw_figure3(tmp_path, recorded, title=title)
    assert [figure._suptitle and figure._suptitle.get_text() for figure in saved] == [title] * 3


def test_figures_show_what_is_recorded(recorded, tmp_path, monkeypatch):
    seen = {}

    def spy(name):
        real = getattr(plotting, name)
        return lambda *arguments: seen.update({name: arguments}) or real(*arguments)

    for name in ("image_rows", "field_blocks", "compression_curves"):
        monkeypatch.setattr(plotting, name, spy(name))
    draw_figure3(tmp_path, recorded[::-1])  # the pictures are of the second
    pictures = pictures_of(recorded[0])
    rows, image_shape = seen["image_rows"]
    assert list(rows) == ["raw", "COPI (BP)", "ZCA"]
    assert all(np.array_equal(row, pictures[name]) for row, name in zip(rows.values(), room.ROWS, strict=True))
    blocks, shape_of_fields = seen["field_blocks"]
    assert image_shape == shape_of_fields == (3, 4)
    assert list(blocks) == ["layer 1", "layer 2", "layer 3", "output layer"]
    assert all(np.array_equal(block, pictures[f"fields_{k}"]) for k, block in enumerate(blocks.values()))
    records = [measures_of(folder) for folder in recorded[::-1]]
    for curves, quantity in zip(
        seen["compression_curves"], ("test_accuracy", "train_accuracy", "test_loss"), strict=True
    ):
        assert list(curves) == ["formula", "least squares"]
        for name, values in curves.items():
            assert values.tolist() == [record[name][quantity] for record in records]


def test_what_is_not_recorded_is_not_drawn(recorded, runs, tmp_path):
    assert draw_figure3(tmp_path, recorded[1:]) == [tmp_path / "fig3c.png"]
    (recorded[0] / "figure3.json").unlink()
    names = [path.name for path in draw_figure3(tmp_path, recorded[:1])]
    assert names == ["fig3a.png", "fig3b.png"]
    assert draw_figure3(tmp_path, runs) == draw_figure3(tmp_path, []) == []
    assert compression_table(runs) == compression_table([]) == []


def test_networks_of_different_depth_are_no_seeds_of_one(recorded, data, tmp_path):
    train_into(tmp_path / "shallow", replace(CONFIG, layers=(12, 6, 3)), data, "numpy")
    record_figure3(tmp_path / "shallow", data, "numpy")
    message = r"networks of \[2, 4\] layers: choose runs that differ only in their seed"
    for use in (compression_table, lambda folders: draw_figure3(tmp_path, folders)):
        assert_refused(InputError, message, use, [*recorded, tmp_path / "shallow"])


def test_templates_are_means_of_classes_of_any_size():
    """Seven samples of one class and two of the other, by hand; in units of the root mean square of each input."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(9, 4)), np.repeat([0, 1], [7, 2])
    network = Network([4, 2], rng=rng, decorrelation=None, dtype="float64")
    _, templates = room._correlations_and_templates(network, DeviceSplit(x, np.eye(2)[labels]))
    means = np.array([x[:7].mean(axis=0), x[7:].mean(axis=0)]) / np.sqrt((x**2).mean(axis=0))
    np.testing.assert_allclose(templates, means - means.mean(axis=0), rtol=1e-12)
