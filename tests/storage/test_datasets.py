"""Data sets: which data and files are accepted, and how clearly others are refused. No test uses the network."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.datasets import load_digits

from copi_np.datasets import DATASETS, Dataset, Split, as_float, bundled, cifar, find_dataset, load_dataset, one_hot
from copi_np.datasets.fetch import FETCH_AGAIN, DataFile
from copi_np.datasets.idx import idx_header, parse_idx, read_content, read_idx
from copi_np.errors import DataError, InputError

# ---------------------------------------------------------------- Dataset


def small(train=None, test=None, n_classes=2, image_shape=None):
    """Return a data set of three pixels per sample, with one part replaced."""
    good = Split(np.zeros((4, 3), np.uint8), np.array([0, 1, 0, 1]))
    return Dataset("small", train or good, test or good, n_classes, image_shape)


def test_a_valid_data_set_is_accepted():
    assert small().n_inputs == 3
    assert small(image_shape=(3, 1)).image_shape == (3, 1)


def with_pixel(value):
    return np.array([[0.0, 1.0, 2.0], [3.0, value, 5.0]])


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        ([[0.0, 1.0, 2.0]], np.zeros(1, int), "inputs are a list: convert them with numpy.asarray"),
        (np.zeros((1, 3), np.uint8), [0], "labels are a list: convert them with numpy.asarray"),
        (np.zeros((0, 3), np.uint8), np.zeros(0, int), "empty"),
        (np.zeros((2, 0), np.uint8), np.zeros(2, int), "empty"),
        (np.zeros((2, 3, 1), np.uint8), np.zeros(2, int), r"shape \(2, 3, 1\): reshape"),
        (np.zeros((2, 3), np.int16), np.zeros(2, int), "int16 inputs: convert"),
        (with_pixel(np.nan), np.zeros(2, int), "NaN or infinite"),
        (with_pixel(-np.inf), np.zeros(2, int), "NaN or infinite"),
        (np.zeros((2, 3), np.uint8), np.zeros(3, int), "2 inputs but 3 labels"),
        (np.zeros((2, 3), np.uint8), np.zeros((2, 1), int), r"labels of shape \(2, 1\)"),
        (np.zeros((2, 3), np.uint8), np.zeros(2), "float64 labels"),
        (np.zeros((2, 3), np.uint8), np.array([0, 2]), r"from 0 to 2: number the classes 0 \.\. 1"),
        (np.zeros((2, 3), np.uint8), np.array([-1, 1]), "from -1 to 1"),
    ],
)
def test_a_broken_split_is_refused_by_name(part, inputs, labels, message):
    with pytest.raises(InputError, match=f"'small', {part} split.*{message}"):
        small(**{part: Split(inputs, labels)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": np.eye(99)}, r"the name of a data set must be text, got array\(\[\[1\., .{,120}\.\.$"),
        ({"n_classes": "3"}, "n_classes must be an integer, got '3'"),
        ({"train": None}, r"data set 'small', train split: give a Split\(inputs, labels\), not a NoneType"),
        ({"test": (1, 2)}, r"data set 'small', test split: give a Split\(inputs, labels\), not a tuple"),
    ],
)
def test_an_invalid_part_of_a_data_set_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        replace(small(), **changes)


@pytest.mark.parametrize(
    ("test", "image_shape", "message"),
    [
        (Split(np.zeros((1, 4), np.uint8), np.zeros(1, int)), None, "3 train but 4 test columns"),
        (Split(np.zeros((1, 3)), np.zeros(1, int)), None, "uint8 train but float64 test"),
        (None, (2, 2), r"image_shape \(2, 2\) does not hold 3"),
        (None, (2,) * 9999, r"image_shape \(2, 2, [2, ]{,120}\.\. does not hold 3"),
    ],
)
def test_splits_that_do_not_agree_are_refused(test, image_shape, message):
    with pytest.raises(InputError, match=message):
        small(test=test, image_shape=image_shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_as_float_normalises_pixels_and_only_casts_floats(dtype):
    pixels = as_float(np.array([[0, 51, 255]], np.uint8), dtype)
    assert pixels.dtype == dtype
    np.testing.assert_array_equal(pixels, np.array([[0, 0.2, 1]], dtype))
    floats = np.array([[-3.5, 255.0]], np.float16)
    np.testing.assert_array_equal(as_float(floats, dtype), floats.astype(dtype))


def test_as_float_refuses_other_types():
    with pytest.raises(InputError, match="int64 inputs"):
        as_float(np.zeros((1, 2), np.int64), np.float32)
    with pytest.raises(InputError, match="cannot compute in float16"):
        as_float(np.zeros((1, 2), np.uint8), np.float16)


@given(st.lists(st.integers(0, 4), max_size=8))
def test_one_hot_has_a_single_one_at_the_label(labels):
    targets = one_hot(np.array(labels, int), 5, np.float32)
    assert targets.dtype == np.float32
    assert targets.tolist() == [[float(k == label) for k in range(5)] for label in labels]


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, 3], "from 0 to 3"), ([-1], "from -1"), ([0.0], "float64 labels"), ([[0]], r"shape \(1, 1\)")],
)
def test_one_hot_refuses_labels_out_of_range(labels, message):
    with pytest.raises(InputError, match=message):
        one_hot(np.array(labels), 3, np.float32)


# ---------------------------------------------------------------- names, and the bundled data set


@pytest.fixture(scope="module")
def digits():
    return load_dataset("mnist-5k")


def test_mnist_5k_is_stratified(digits):
    assert (digits.name, digits.n_classes, digits.image_shape) == ("mnist-5k", 10, (28, 28))
    for split, per_class in ((digits.train, 400), (digits.test, 100)):
        assert split.inputs.shape == (10 * per_class, 784)
        assert (split.inputs.dtype, split.labels.dtype) == (np.uint8, np.int64)
        np.testing.assert_array_equal(np.bincount(split.labels), 10 * [per_class])
        # sorted labels would rarely differ from one sample to the next; shuffled ones differ 9 times in 10
        assert np.mean(np.diff(split.labels) != 0) > 0.8


def test_mnist_5k_never_changes(digits):
    """No digit is in both splits, and the sums are those of the first release."""
    rows = {row.tobytes() for split in (digits.train, digits.test) for row in split.inputs}
    assert len(rows) == 5000
    sums = [int(split.inputs.sum(dtype=np.int64)) for split in (digits.train, digits.test)]
    assert (sums, digits.train.labels[:8].tolist()) == ([104_979_759, 26_287_343], [8, 7, 9, 4, 4, 9, 0, 1])


def test_digits_8x8_are_those_of_scikit_learn():
    """All of them, each once: 140 of each class to train on, the others to test on."""
    digits, original = load_dataset("digits-8x8"), load_digits()
    assert (digits.name, digits.n_classes, digits.image_shape) == ("digits-8x8", 10, (8, 8))
    assert [split.inputs.shape for split in (digits.train, digits.test)] == [(1400, 64), (397, 64)]
    assert [split.inputs.dtype for split in (digits.train, digits.test)] == [np.float32, np.float32]
    np.testing.assert_array_equal(np.bincount(digits.train.labels), 10 * [140])

    def rows(inputs, labels):
        return sorted((*row, label) for row, label in zip(inputs.tolist(), labels.tolist(), strict=True))

    both = (np.concatenate([getattr(split, part) for split in (digits.train, digits.test)]) for part in Split._fields)
    assert rows(*both) == rows(original.data / 16, original.target)
    for split in (digits.train, digits.test):
        assert np.mean(np.diff(split.labels) != 0) > 0.8  # shuffled


def test_digits_8x8_never_change():
    digits = load_dataset("digits-8x8")
    sums = [float(split.inputs.sum(dtype=np.float64)) for split in (digits.train, digits.test)]
    assert (sums, digits.train.labels[:8].tolist()) == ([27331.9375, 7775.4375], [3, 7, 7, 1, 7, 2, 8, 9])


@pytest.mark.parametrize("name", bundled.BUNDLED)
def test_the_readme_of_the_data_has_the_checksums(name):
    readme = Path(__file__).parents[2] / "data" / "README.md"
    sha256 = hashlib.sha256(bundled.bundled_path(name).read_bytes()).hexdigest()
    assert re.search(rf"^\| `{name}\.npz` *\| `{sha256}` \|$", readme.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", bundled.BUNDLED)
def test_a_damaged_bundled_file_is_refused(name, tmp_path, monkeypatch):
    content = bytearray(bundled.bundled_path(name).read_bytes())
    content[len(content) // 2] ^= 1
    copy = tmp_path / f"{name}.npz"
    monkeypatch.setattr(bundled, "bundled_path", lambda _: copy)
    with pytest.raises(DataError, match=r"cannot read the bundled .*No such file.*install copi-np again"):
        load_dataset(name)
    copy.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged.*install copi-np again"):
        load_dataset(name)


@pytest.mark.parametrize("name", bundled.BUNDLED)
def test_the_bundled_file_is_found(name, tmp_path, monkeypatch):
    assert find_dataset(name).complete
    monkeypatch.setattr("copi_np.datasets.bundled_path", lambda name: tmp_path / f"{name}.npz")
    assert find_dataset(name) == ((), (f"{name}.npz",))


@pytest.mark.parametrize("call", [load_dataset, find_dataset])
def test_an_unknown_name_suggests_the_nearest_and_mentions_npz(call):
    with pytest.raises(InputError, match=r"unknown data set 'fashion_mnist': did you mean 'fashion-mnist'.*\.npz file"):
        call("fashion_mnist")


def test_importing_the_package_stays_light():
    """Libraries that only downloads need are imported by the first download."""
    code = "import sys, copi_np.datasets;print(sorted({'requests', 'platformdirs', 'tqdm'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


# ---------------------------------------------------------------- IDX


@given(npst.arrays(np.uint8, npst.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)))
def test_idx_round_trip(array):
    parsed = parse_idx(idx_header(array.shape) + array.tobytes())
    assert parsed.dtype == np.uint8
    np.testing.assert_array_equal(parsed, array)


def test_the_idx_header_is_big_endian():
    assert idx_header((60000, 28)) == b"\x00\x00\x08\x02\x00\x00\xea\x60\x00\x00\x00\x1c"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an IDX file of bytes"),
        (b"\0\0\x08", "is not an IDX file of bytes"),
        (b"\0\0\x0d\x01\0\0\0\0", "is not an IDX file of bytes"),  # 0x0d: floating point
        (b"\0\0\x08\0", "declares 0 axes, where 1 to 8 make sense"),
        (idx_header((1,) * 9) + b"a", "declares 9 axes, where 1 to 8 make sense"),
        (b"\0\0\x08\x01", "is cut short in its header"),
        (b"\0\0\x08\x03\0\0\0\1", "is cut short in its header"),
        (idx_header((2, 2)) + b"abc", "declares shape (2, 2) but holds 3 bytes"),
        (idx_header((2, 2)) + b"abcde", "declares shape (2, 2) but holds 5 bytes"),
        (idx_header((2**32 - 1,) * 4), f"declares shape {(2**32 - 1,) * 4} but holds 0 bytes"),
        (idx_header((0, *[2**32 - 1] * 4)), f"declares shape {(0, *[2**32 - 1] * 4)}, which no array can have"),
    ],
)
def test_an_idx_file_with_a_false_header_is_refused(content, message):
    with pytest.raises(DataError) as error:
        parse_idx(content)
    assert str(error.value) == message


def test_eight_axes_are_read():
    assert parse_idx(idx_header((1,) * 8) + b"a").shape == (1,) * 8


LABELS = DataFile("t10k-labels-idx1-ubyte.gz", sha256="", mirrors=(), size=0)


def test_a_gzip_bomb_is_read_no_further_than_the_expected_size(tmp_path):
    path = tmp_path / LABELS.name
    path.write_bytes(gzip.compress(bytes(50_000_000), 1))
    tracemalloc.start()
    with pytest.raises(DataError, match="is not an IDX file"):
        read_idx(LABELS, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000
    assert len(read_content(path, 10)) == 11


@pytest.mark.parametrize(
    "content",
    [b"not gzip", gzip.compress(b"cut short")[:-9], gzip.compress(b"x")[:10] + b"\xff" * 9],
    ids=["text", "cut short", "garbled"],
)
def test_a_damaged_gzip_file_is_named(tmp_path, content):
    path = tmp_path / LABELS.name
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"{path.name} is cut short, or not a gzip archive: delete it"):
        read_idx(LABELS, path)


@pytest.mark.parametrize(
    ("changes", "content", "message"),
    [
        ({}, b"abc", "is not an IDX file of bytes"),
        ({}, idx_header((3,)) + b"abc", "holds shape (3,) instead of (10000,)"),
        (
            {"content_sha256": "0" * 64},
            idx_header((10000,)) + bytes(10000),
            "does not hold the original data (the SHA-256 of its content differs)",
        ),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_what_a_file_does_not_hold_is_said(tmp_path, packed, changes, content, message):
    path = tmp_path / ("labels.gz" if packed else "labels")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError) as error:
        read_idx(replace(LABELS, **changes), path)
    assert str(error.value) == f"{path} {message}: {FETCH_AGAIN}"


def test_a_disk_that_fails_is_told_from_a_damaged_file(tmp_path, monkeypatch):
    path = tmp_path / LABELS.name
    path.write_bytes(gzip.compress(b"abc"))
    monkeypatch.setattr(
        gzip.GzipFile, "read", lambda self, size: (_ for _ in ()).throw(OSError(5, "Input/output error"))
    )
    with pytest.raises(DataError) as error:
        read_idx(LABELS, path)
    assert str(error.value) == f"cannot read {path} (Input/output error): check the disk, or {FETCH_AGAIN}"


def test_an_unreadable_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*t10k.*: correct the path, or delete"):
        read_idx(LABELS, tmp_path / LABELS.name)


# ---------------------------------------------------------------- CIFAR-10


def write_cifar(path, rows, leave_out=()):
    """Write a CIFAR-10 archive of small batches, and return the batches (rows, 3073)."""
    rng = np.random.default_rng(0)
    batches = {}
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("cifar-10-batches-bin/readme.html"))
        for name in (cifar.TEST, *reversed(cifar.TRAIN)):
            batch = rng.integers(0, 256, (rows, cifar.ROW_BYTES), dtype=np.uint8)
            batch[:, 0] %= 10
            batches[name] = batch
            info = tarfile.TarInfo(name)
            info.size = batch.size
            if name not in leave_out:
                archive.addfile(info, io.BytesIO(batch.tobytes()))
    return batches


@pytest.fixture
def small_cifar(monkeypatch):
    monkeypatch.setattr(cifar, "BATCH_ROWS", 3)


@pytest.mark.usefixtures("small_cifar")
def test_cifar_batches_are_read_in_their_order(tmp_path):
    path = tmp_path / "cifar-10-binary.tar.gz"
    batches = write_cifar(path, rows=3)
    dataset = cifar.load_cifar10("cifar10", {LABELS: path})
    assert dataset.image_shape == (3, 32, 32)
    assert dataset.train.labels.dtype == np.int64
    for split, names in ((dataset.train, cifar.TRAIN), (dataset.test, [cifar.TEST])):
        expected = np.vstack([batches[name] for name in names])
        np.testing.assert_array_equal(split.labels, expected[:, 0])
        np.testing.assert_array_equal(split.inputs, expected[:, 1:])


@pytest.mark.usefixtures("small_cifar")
def test_a_damaged_cifar_archive_is_refused(tmp_path):
    path = tmp_path / "cifar-10-binary.tar.gz"
    write_cifar(path, rows=3, leave_out=[cifar.TRAIN[3]])
    with pytest.raises(DataError, match=r"lacks cifar-10-batches-bin/data_batch_4.bin of 9219 bytes each: delete it"):
        cifar.read_batches(path)
    write_cifar(path, rows=4)
    with pytest.raises(DataError, match=r"lacks .*data_batch_1.*test_batch.bin of 9219 bytes"):
        cifar.read_batches(path)
    write_cifar(path, rows=3)
    whole = path.read_bytes()
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"cut short, or not a \.tar\.gz archive"):
        cifar.read_batches(path)
    for part in (b"not an archive", whole[:-100], whole[: len(whole) // 2]):
        path.write_bytes(part)
        with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz is cut short, or not a gzip archive"):
            cifar.read_batches(path)


def test_the_true_batches_have_the_published_size():
    assert cifar.BATCH_ROWS * cifar.ROW_BYTES == 30_730_000


# ---------------------------------------------------------------- .npz


def arrays(**changes):
    """Return the arrays of a valid .npz file of 2 x 2 images, with some of them replaced."""
    good = {"x_train": np.arange(12, dtype=np.uint8).reshape(3, 2, 2), "y_train": np.array([0, 1, 0], np.uint8)}
    good |= {"x_test": np.zeros((2, 2, 2), np.uint8), "y_test": np.array([2, 0], np.int32)}
    return good | changes


def test_npz_images_are_flattened_and_their_shape_is_kept(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays())
    dataset = load_dataset(path)
    assert (dataset.name, dataset.n_classes, dataset.image_shape) == (str(path), 3, (2, 2))
    np.testing.assert_array_equal(dataset.train.inputs, np.arange(12).reshape(3, 4))
    assert dataset.train.labels.dtype == np.int64


def test_npz_rows_have_no_image_shape(tmp_path):
    np.savez(tmp_path / "own.npz", **arrays(x_train=np.ones((3, 2)), x_test=np.ones((2, 2))))
    dataset = load_dataset(str(tmp_path / "own.npz"))
    assert dataset.image_shape is None
    assert dataset.train.inputs.dtype == np.float64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": np.array([{}], object)}, "holds Python objects"),
        (
            {"y_train": np.array([0.0, 1.0, np.nan])},
            "y_train: float64 labels: classes must be integers.*use copi_np.estimators.COPIRegressor",
        ),
        ({"y_test": np.array(["a", "b"])}, "y_train is uint8, but y_test is <U1: store both in the same way"),
        ({"y_train": np.array([["a"]] * 3), "y_test": np.array(["a", "b"])}, r"y_train: labels of shape \(3, 1\)"),
        ({"y_train": np.array([b"a"] * 3)}, r"y_train: \|S1 labels: number the classes, or give text"),
        ({"y_test": np.array([2**64 - 1, 0], np.uint64)}, "labels run from 0 to 18446744073709551615, and take 3 d"),
        ({"y_train": np.array([0, 1])}, "train split: 3 inputs but 2 labels"),
        ({"x_train": np.zeros((0, 2, 2)), "y_train": np.zeros(0, int)}, "train split.*empty"),
        ({"x_train": np.array(1.0), "x_test": np.array(1.0)}, r"train split: inputs of shape \(\)"),
        ({"x_train": np.zeros((3, 1, 4), np.uint8)}, r"x_train of shape \(3, 1, 4\) but x_test of shape \(2, 2, 2\)"),
        ({"x_train": np.zeros((3, 2, 2))}, "float64 train but uint8 test"),
        ({"x_train": np.zeros((3, 2, 2), "datetime64[s]")}, "datetime64.* inputs"),
    ],
)
def test_an_npz_that_is_not_a_data_set_is_refused(tmp_path, changes, message):
    np.savez(tmp_path / "own.npz", **arrays(**changes))
    with pytest.raises(DataError, match=f"own.npz.*{message}") as caught:
        load_dataset(tmp_path / "own.npz")
    assert "\n" not in str(caught.value)


def test_an_npz_without_the_right_keys_says_which(tmp_path):
    np.savez(tmp_path / "own.npz", x_train=np.zeros((1, 2)), X_test=np.zeros((1, 2)), y_test=np.zeros(1, int))
    with pytest.raises(DataError, match=r"own.npz lacks y_train, x_test: write it with"):
        load_dataset(tmp_path / "own.npz")


def test_a_missing_npz_is_a_clear_error(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*own.npz: correct the path"):
        load_dataset(tmp_path / "own.npz")


@pytest.mark.parametrize("keep", [0, 3, 0.5, -1])
def test_a_truncated_npz_is_refused(tmp_path, keep):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays())
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep == 0.5 else keep])
    with pytest.raises(DataError, match=r"own\.npz is cut short, or not an \.npz archive"):
        load_dataset(path)


@given(st.data())
def test_a_damaged_npz_never_raises_anything_else(tmp_path_factory, data):
    """Whichever bytes are damaged, the file is loaded or refused with a DataError."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays())
    content = bytearray(stream.getvalue())
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(content)
    with suppress(DataError):
        load_dataset(path)


# ---------------------------------------------------------------- the registry


def test_every_named_data_set_is_described():
    assert list(DATASETS) == ["mnist-5k", "digits-8x8", "mnist", "fashion-mnist", "cifar10"]
    for description in DATASETS.values():
        for file in description.files:
            assert len(bytes.fromhex(file.sha256)) == 32
            assert all(mirror.endswith("/") for mirror in file.mirrors)
            assert file.mirrors


def test_real_mnist(monkeypatch):
    """The four files, compressed again, hold the digits that everyone knows as MNIST."""
    shared = Path(__file__).parents[3] / "shared" / "data"
    if not find_dataset("mnist").complete:
        monkeypatch.setenv("COPI_NP_DATA", str(shared))
    if not find_dataset("mnist").complete:
        pytest.skip(f"MNIST is neither in COPI_NP_DATA, nor in the cache, nor in {shared}")
    mnist = load_dataset("mnist", download=False)
    assert (mnist.train.inputs.shape, mnist.test.inputs.shape) == ((60000, 784), (10000, 784))
    assert np.bincount(mnist.train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(mnist.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert int(mnist.train.inputs.sum(dtype=np.int64)) == 1_567_298_545
    assert np.sum(mnist.train.inputs.max(axis=0) == 0) == 67  # pixels that are always zero
    # published statistics of MNIST: the mean of the training pixels is 0.1307
    assert as_float(mnist.train.inputs, np.float32).mean(dtype=np.float64) == pytest.approx(0.1307, abs=5e-5)
