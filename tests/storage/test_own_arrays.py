"""Data sets from arrays of one's own: numbered classes with their names, and a stratified test split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from copi_np import Network, Schedule, fit
from copi_np.datasets import Dataset, Split, hold_out, load_dataset
from copi_np.errors import DataError, InputError

N = 40
X = np.random.default_rng(0).normal(size=(N, 3))
TREES = np.array(["oak", "ash", "elm", "oak"] * 10)


def rng(seed=1):
    return np.random.default_rng(seed)


def make(X=X, y=TREES, **options):
    return Dataset.from_arrays(X, y, **{"rng": rng(), **options})


def test_classes_are_numbered_in_sorted_order_and_keep_their_names():
    data = make()
    assert data.class_names == ("ash", "elm", "oak")
    assert data.n_classes == 3
    for inputs, labels in data.splits.values():
        assert labels.dtype == np.int64
        rows = [int(np.flatnonzero((row == X).all(axis=1))[0]) for row in inputs]
        assert rows == sorted(rows)  # in their order
        assert np.array(data.class_names)[labels].tolist() == TREES[rows].tolist()


def test_the_split_takes_the_same_share_of_every_class():
    """Of 10, 10 and 20 samples a quarter is 2.5, 2.5 and 5, which round to 2, 2 and 5."""
    data = make(test=0.25)
    assert np.bincount(data.test.labels).tolist() == [2, 2, 5]
    assert np.bincount(data.train.labels).tolist() == [8, 8, 15]
    together = np.concatenate([data.train.inputs, data.test.inputs])
    assert sorted(together.tolist()) == sorted(X.tolist())
    assert np.bincount(make().test.labels).tolist() == [2, 2, 4]  # a fifth by default


def test_the_generator_decides_which():
    assert make().fingerprint == make().fingerprint
    assert make().fingerprint != make(rng=rng(2)).fingerprint


@pytest.mark.parametrize(
    ("y", "class_names", "first"),
    [
        (np.arange(N) % 3, None, [0, 1, 2]),
        ((np.arange(N) % 3).astype(np.uint8), None, [0, 1, 2]),
        ((np.arange(N) % 3).tolist(), None, [0, 1, 2]),
        (np.arange(N) % 3 - 1, ("-1", "0", "1"), [0, 1, 2]),
        (np.arange(N) % 2 * 5 + 5, ("5", "10"), [0, 1, 0]),
        (np.arange(N) % 2 == 0, ("False", "True"), [1, 0, 1]),
        (TREES.tolist(), ("ash", "elm", "oak"), [2, 0, 1]),
        (TREES.astype(object), ("ash", "elm", "oak"), [2, 0, 1]),
        (np.array([3, 4] * 20, object), ("3", "4"), [0, 1, 0]),
        (np.array([True, False] * 20, object), ("False", "True"), [1, 0, 1]),
    ],
    ids=lambda value: str(value)[:20],
)
def test_labels_of_every_kind(y, class_names, first):
    data = make(y=y)
    assert data.class_names == class_names
    where = {tuple(row): label for split in data.splits.values() for row, label in zip(*split, strict=True)}
    assert [where[tuple(row)] for row in X[:3]] == first


def test_pandas_frames_and_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"height": np.arange(N), "width": X[:, 0]})
    expected = np.column_stack([np.arange(N), X[:, 0]])
    for kind in ("object", "category", "string"):
        data = make(frame, pandas.Series(TREES, dtype=kind))
        assert data.class_names == ("ash", "elm", "oak")
        found = np.concatenate([data.train.inputs, data.test.inputs])
        assert found.dtype == np.float64
        assert sorted(found.tolist()) == sorted(expected.tolist())
    with pytest.raises(InputError, match=r"inputs are not a table of numbers \(.*'tall'.*\): encode text"):
        make(frame.assign(size="tall"))
    holes = pandas.Series(TREES).where(pandas.Series(TREES) != "elm")
    with pytest.raises(InputError, match=r"labels hold .*nan.*: give all of them as text"):
        make(frame, holes)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int64, bool])
def test_inputs_are_pixels_or_floats(dtype):
    inputs = np.arange(3 * N).reshape(N, 3).astype(dtype)
    data = make(inputs)
    assert data.train.inputs.dtype == (dtype if dtype in (np.uint8, np.float32) else np.float64)
    found = np.concatenate([data.train.inputs, data.test.inputs])
    assert sorted(found.tolist()) == sorted(inputs.tolist())


def test_images_are_flattened():
    images = np.arange(N * 6, dtype=np.uint8).reshape(N, 2, 3)
    data = make(images)
    assert data.image_shape == (2, 3)
    assert data.n_inputs == 6
    assert data.train.inputs[0].tolist() in images.reshape(N, 6).tolist()
    assert make().image_shape is None


MASKED = np.ma.masked_array(X, X > 2.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"y": np.arange(N) / 7},
            "float64 labels: classes must be integers.*to predict numbers, use copi_np.estimators.COPIRegressor",
        ),
        (
            {"y": (np.arange(N) % 3).astype(float)},
            r"labels.astype\(int\); to predict numbers, use copi_np.estimators.COPIRegressor",
        ),
        ({"y": [0.5, 1.5] * 20}, "float64 labels.*COPIRegressor"),
        ({"y": np.array([1.5, 2] * 20, object)}, "float64 labels.*COPIRegressor"),
        ({"y": ["a", 1] * 20}, "labels hold both text and numbers: give"),
        ({"y": np.array(["a", 1] * 20, object)}, "labels hold both text and numbers: give all of them as text"),
        ({"y": ["a", None] * 20}, "labels hold None: give all"),
        ({"y": np.eye(N)}, r"labels of shape \(40, 40\): give one label per sample"),
        ({"y": np.zeros(N, complex)}, "complex128 labels: give integer class numbers"),
        ({"y": TREES[:9]}, "40 inputs but 9 labels: give one label per input"),
        ({"y": np.ma.masked_array(np.arange(N) % 2, np.arange(N) > 30)}, "some labels are masked: leave"),
        ({"X": MASKED}, "some inputs are masked: fill them in, or leave"),
        ({"X": X[:, 0]}, r"inputs of shape \(40,\): reshape them"),
        ({"X": np.full((N, 2), "1.5")}, "<U3 inputs: convert them"),
        ({"X": np.full((N, 2), "tall", object)}, r"inputs are not a table of numbers \(.*tall.*\)"),
        ({"X": np.where(X > 2, np.nan, X)}, "inputs hold NaN or infinite"),
        ({"X": X * 1j}, "complex128 inputs: convert"),
        ({"X": np.zeros((0, 3)), "y": []}, "empty"),
        ({"X": [], "y": []}, "empty|reshape"),
        (
            {"X": [[1.0, 2.0], [3.0]] * 20},
            r"inputs are not a table of numbers \(.*\): .* give every sample the same number of them",
        ),
        ({"test": 0}, "test must be between 0 and 1, e.g. 0.1, got 0"),
        ({"test": 1.0}, "test must be between 0 and 1"),
        ({"test": 0.01}, "less than one sample: raise it"),
        ({"test": 0.99}, "leaves no sample of class 0: lower it"),
        ({"rng": 0}, "rng must be a numpy.random.Generator"),
        ({"name": 7}, "the name of a data set must be text"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_used_is_refused(changes, message):
    with pytest.raises(InputError, match=message) as caught:
        make(**changes)
    assert "\n" not in str(caught.value)


def test_names_stay_with_held_out_samples_and_name_predictions():
    data = hold_out(make(), 0.2, rng())
    assert data.class_names == ("ash", "elm", "oak")
    network = Network([3, 4, 3], rng=rng())
    fit(network, data, epochs=1, schedule=Schedule(eta_W=0.01, eta_R=0.01), rng=rng())
    outputs = network.predict(np.float32(data.test.inputs))
    assert set(np.array(data.class_names)[outputs.argmax(axis=1)]) <= set(TREES)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a", "b"), "2 different class_names for 3 classes: give one per class"),
        (("a", "b", "b"), "2 different class_names for 3 classes"),
        (("a", "b", "c", "c"), "3 different class_names for 3 classes"),
        (["a", "b", "c"], "class_names must be a tuple of text"),
        ((0, 1, 2), "class_names must be a tuple of text"),
        ("abc", "class_names must be a tuple of text"),
    ],
)
def test_names_that_do_not_fit_the_classes_are_refused(names, message):
    with pytest.raises(InputError, match=message):
        replace(make(), class_names=names)


def test_names_do_not_change_the_fingerprint():
    """Numbers are what a network learns; runs keep their names."""
    data = make()
    assert replace(data, class_names=None).fingerprint == data.fingerprint


def test_text_labels_in_an_npz_file(tmp_path):
    """Numbered over both splits: a class may be in one of them only."""
    y_train, y_test = np.array(["b", "d", "b"]), np.array(["c", "b"])
    np.savez(tmp_path / "own.npz", x_train=np.ones((3, 2)), y_train=y_train, x_test=np.ones((2, 2)), y_test=y_test)
    data = load_dataset(tmp_path / "own.npz")
    assert data.class_names == ("b", "c", "d")
    assert data.train.labels.tolist() == [0, 2, 0]
    assert data.test.labels.tolist() == [1, 0]
    assert load_dataset("mnist-5k").class_names is None


@pytest.mark.parametrize("values", [[0.0, 1.0, 0.0], [0.1, 1.7, 0.3]])
def test_float_targets_in_an_npz_file_lead_to_the_regressor(tmp_path, values):
    y = np.array(values)
    np.savez(tmp_path / "own.npz", x_train=np.ones((3, 2)), y_train=y, x_test=np.ones((3, 2)), y_test=y)
    with pytest.raises(
        DataError,
        match=r"own\.npz, y_train: float64 labels: .*to predict numbers, use copi_np.estimators.COPIRegressor",
    ):
        load_dataset(tmp_path / "own.npz")


@pytest.mark.parametrize(
    ("labels", "message"),
    [(np.zeros(4), "COPIRegressor"), (np.array(["a"] * 4), "or give text to Dataset.from_arrays")],
)
def test_a_data_set_says_how_to_give_other_labels(labels, message):
    split = Split(np.zeros((4, 2)), labels)
    with pytest.raises(InputError, match=message):
        Dataset("own", split, split, 1)
