"""Data arrive as they are in their files: every byte at its place, for images that are not square too."""

from __future__ import annotations

import gzip
from dataclasses import replace

import numpy as np
import pytest

from copi_np.datasets import Dataset, Split, as_float, cifar, find_dataset, hold_out, idx, load_dataset, one_hot
from copi_np.datasets.fetch import DataFile
from copi_np.datasets.idx import idx_header, load_idx


@pytest.mark.parametrize("packed", [True, False])
def test_images_of_idx_files_are_rows_of_their_bytes(tmp_path, monkeypatch, packed):
    """For images of 4 by 3; training and test files, images and labels are told apart."""
    rng = np.random.default_rng(0)
    shapes = {name: (7 if "train" in name else 5, *((4, 3) if shape[1:] else ())) for name, shape in idx.SHAPES.items()}
    monkeypatch.setattr(idx, "SHAPES", shapes)
    contents, paths = [], {}
    for name, shape in shapes.items():
        content = rng.integers(0, 10 if len(shape) == 1 else 256, np.prod(shape), dtype=np.uint8).tobytes()
        contents.append(np.frombuffer(content, np.uint8))
        path = tmp_path / (name if packed else name.removesuffix(".gz"))
        path.write_bytes((gzip.compress if packed else bytes)(idx_header(shape) + content))
        paths[DataFile(name, "", (), 0)] = path
    data = load_idx("digits", paths)
    assert np.array_equal(data.train.inputs, contents[0].reshape(7, 12))
    assert np.array_equal(data.train.labels, contents[1])
    assert np.array_equal(data.test.inputs, contents[2].reshape(5, 12))
    assert np.array_equal(data.test.labels, contents[3])
    assert (data.image_shape, data.n_classes, data.name) == ((4, 3), 10, "digits")
    assert data.train.labels.dtype == np.int64


def test_a_row_of_cifar_is_a_label_and_three_planes(tmp_path, monkeypatch):
    """The training batches come in their order, and the test batch is the test split."""
    rng = np.random.default_rng(0)
    batches = {name: rng.integers(0, 256, (3, 3073), dtype=np.uint8) for name in (*cifar.TRAIN, cifar.TEST)}
    for batch in batches.values():
        batch[:, 0] %= 10
    monkeypatch.setattr(cifar, "read_batches", lambda path: dict(reversed(batches.items())))
    data = cifar.load_cifar10("cifar10", {DataFile("", "", (), 0): tmp_path})
    train = np.concatenate([batches[f"cifar-10-batches-bin/data_batch_{k}.bin"] for k in (1, 2, 3, 4, 5)])
    test = batches["cifar-10-batches-bin/test_batch.bin"]
    for split, rows in ((data.train, train), (data.test, test)):
        assert np.array_equal(split.inputs, rows[:, 1:])
        assert np.array_equal(split.labels, rows[:, 0])
    assert (data.image_shape, data.n_classes) == ((3, 32, 32), 10)


def test_arrays_of_an_npz_are_rows_of_the_file(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"x_train": rng.integers(0, 256, (6, 2, 5, 3), dtype=np.uint8), "y_train": np.array([0, 1, 2, 3, 1, 0])}
    arrays |= {"x_test": rng.integers(0, 256, (4, 2, 5, 3), dtype=np.uint8), "y_test": np.array([2, 0, 4, 1])}
    np.savez(tmp_path / "own.npz", **arrays)
    data = load_dataset(tmp_path / "own.npz")
    for part, split in (("train", data.train), ("test", data.test)):
        assert np.array_equal(split.inputs, arrays[f"x_{part}"].reshape(len(split.labels), 30))
        assert np.array_equal(split.labels, arrays[f"y_{part}"])
    assert (data.n_inputs, data.n_classes, data.image_shape) == (30, 5, (2, 5, 3))


def test_pixels_become_shares_of_white_and_labels_unit_vectors():
    pixels = np.arange(256, dtype=np.uint8).reshape(2, 128)
    for dtype in ("float32", "float64"):
        assert np.array_equal(as_float(pixels, dtype), (np.arange(256) / np.float64(255)).astype(dtype).reshape(2, 128))
        assert np.array_equal(as_float(np.array([[-3.5, 255.0]]), dtype), np.array([[-3.5, 255.0]], dtype))
    targets = one_hot(np.array([2, 0]), 4, "float64")
    assert targets.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]


def test_a_fingerprint_covers_everything_but_the_name():
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(8, 3)), np.arange(8) % 2
    data = Dataset("one", Split(inputs, labels), Split(inputs[:4], labels[:4]), 2)
    with_validation = hold_out(data, 0.5, np.random.default_rng(0))
    changed = inputs.copy()
    changed[-1, -1] = np.nextafter(changed[-1, -1], 9)
    others = [
        replace(data, train=Split(changed, labels)),
        replace(data, train=Split(inputs, labels[::-1].copy())),
        replace(data, test=Split(changed[4:], labels[:4])),
        replace(data, test=Split(inputs[:4], labels[1:5])),
        replace(data, train=Split(inputs.astype("float32"), labels), test=Split(inputs[:4].astype("f4"), labels[:4])),
        replace(data, train=Split(inputs.T.reshape(8, 3), labels)),
        with_validation,
        replace(with_validation, validation=Split(inputs[:4], with_validation.validation.labels)),
    ]
    assert len({each.fingerprint for each in (data, *others)}) == 1 + len(others)
    assert replace(data, name="two").fingerprint == data.fingerprint


def test_files_are_found_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr("copi_np.datasets.fetch.cache_dir", lambda: tmp_path / "cache")
    for name in ("data/mnist", "other/mnist", "cache/mnist"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "train-images-idx3-ubyte.gz").touch()
    (tmp_path / "data" / "mnist" / "t10k-labels-idx1-ubyte").touch()  # decompressed
    monkeypatch.setenv("COPI_NP_DATA", str(tmp_path / "other"))
    found = find_dataset("mnist", tmp_path / "data")
    assert found.folders == (tmp_path / "data" / "mnist",)
    assert found.missing == ("train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz")
    assert not found.complete
    assert find_dataset("mnist").folders == (tmp_path / "other" / "mnist",)
    assert find_dataset("mnist-5k").complete
