"""Data that torchvision, Keras or Debian keep are found where they are; an .npz that packs well can be read."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from copi_np import DataError
from copi_np.cli import main
from copi_np.datasets import DATASETS, Description, cifar, fetch, find_dataset, idx, load_dataset
from copi_np.datasets.fetch import DataFile
from copi_np.storage import npz

SHAPES = dict(zip(idx.SHAPES, [(3, 2, 2), (3,), (2, 2, 2), (2,)], strict=True))
NPZ = dict(zip(idx.SHAPES, ["x_train", "y_train", "x_test", "y_test"], strict=True))


def arrays(seed=0):
    """Return the arrays of a tiny relative of MNIST, by file name."""
    rng = np.random.default_rng(seed)
    return {name: rng.integers(0, 10, shape, dtype=np.uint8) for name, shape in SHAPES.items()}


def content(name, array):
    return idx.idx_header(array.shape) + array.tobytes()


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Small data sets in place of "mnist" and "fashion-mnist", an empty cache, and no network."""
    monkeypatch.delenv("COPI_NP_DATA", raising=False)
    monkeypatch.setattr(fetch, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(fetch, "download_from", lambda *_: (_ for _ in ()).throw(fetch.MirrorError("no connection")))
    for name, shape in SHAPES.items():
        monkeypatch.setitem(idx.SHAPES, name, shape)
    for data_set, seed in (("mnist", 0), ("fashion-mnist", 1)):
        files = [
            DataFile(
                file.name,
                "0" * 64,  # of no archive: only the content can be right
                file.mirrors,
                file.size,
                hashlib.sha256(content(file.name, arrays(seed)[file.name])).hexdigest(),
                file.places,
                file.others,
                file.pickled,
            )
            for file in DATASETS[data_set].files
        ]
        monkeypatch.setitem(DATASETS, data_set, Description(DATASETS[data_set].load, tuple(files)))
    return tmp_path


def put(folder, seed=0, *, compress=False):
    folder.mkdir(parents=True)
    for name, array in arrays(seed).items():
        path = folder / (name if compress else name.removesuffix(".gz"))
        path.write_bytes(gzip.compress(content(name, array), 1) if compress else content(name, array))


def labels(seed=0):
    return arrays(seed)["train-labels-idx1-ubyte.gz"].tolist()


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize(
    ("name", "seed", "folder"),
    [
        ("mnist", 0, "MNIST/raw"),  # torchvision
        ("fashion-mnist", 1, "FashionMNIST/raw"),
        ("fashion-mnist", 1, "fashion-mnist"),  # Keras and Debian
        ("mnist", 0, "mnist"),
    ],
)
def test_files_are_found_where_other_programs_keep_them(place, name, seed, folder, compress):
    """Whichever folder on the way to them is named."""
    full = place / "theirs" / folder
    put(full, seed, compress=compress)
    named = [place / "theirs"]
    while named[-1] != full:
        named.append(named[-1] / full.relative_to(named[-1]).parts[0])
    assert len(named) == 1 + len(Path(folder).parts)
    for data_dir in named:
        assert load_dataset(name, data_dir).train.labels.tolist() == labels(seed)
        assert find_dataset(name, data_dir).folders == (full,)


def test_both_of_torchvision_are_told_apart(place):
    put(place / "theirs" / "MNIST" / "raw", 0)
    put(place / "theirs" / "FashionMNIST" / "raw", 1)
    for name, seed in (("mnist", 0), ("fashion-mnist", 1)):
        assert load_dataset(name, place / "theirs").train.labels.tolist() == labels(seed)
    # files of the same names are not taken from the folder of the other one
    for folder in ("theirs/FashionMNIST", "theirs/FashionMNIST/raw"):
        assert not find_dataset("mnist", place / folder).paths


def test_the_folder_of_this_package_comes_first(place):
    put(place / "data" / "mnist", 0)
    put(place / "data" / "MNIST" / "raw", 1)  # not the original
    assert load_dataset("mnist", place / "data").train.labels.tolist() == labels()


def test_the_environment_may_name_their_folder_too(place, monkeypatch):
    put(place / "MNIST" / "raw")
    monkeypatch.setenv("COPI_NP_DATA", str(place))
    assert load_dataset("mnist").train.labels.tolist() == labels()
    monkeypatch.chdir(place / "MNIST")
    assert load_dataset("mnist", ".").train.labels.tolist() == labels()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_the_file_of_keras_is_mnist(place, save):
    """Whatever else the file may hold is not even read."""
    held = {NPZ[name]: array for name, array in arrays().items()}
    save(place / "mnist.npz", **held, notes=np.array([{"Python": "objects"}]))
    found = find_dataset("mnist", place)
    assert (found.paths, found.complete) == ((place / "mnist.npz",), True)
    mnist = load_dataset("mnist", place)
    assert mnist.train.labels.tolist() == labels()
    assert mnist.test.inputs.tolist() == arrays()["t10k-images-idx3-ubyte.gz"].reshape(2, -1).tolist()
    assert mnist.image_shape == (2, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": arrays(1)["train-images-idx3-ubyte.gz"]}, "does not hold the original data"),
        ({"y_test": np.array([1.0, 2.0])}, "lacks y_test in uint8"),
        ({"y_test": None}, "lacks y_test in uint8"),
        ({"y_train": np.array([[1, 2, 3]], np.uint8)}, "does not hold the original data"),
        ({"x_test": np.array([{}])}, "is damaged or holds Python objects"),
    ],
)
def test_another_file_of_that_name_is_refused(place, changes, message):
    held = {NPZ[name]: array for name, array in arrays().items()} | changes
    np.savez(place / "mnist.npz", **{name: array for name, array in held.items() if array is not None})
    with pytest.raises(DataError, match=rf"mnist\.npz {message}.*: {fetch.FETCH_AGAIN}"):
        load_dataset("mnist", place)


def test_archives_compressed_again_are_the_original(place):
    """As Debian's are: only their content is the publisher's."""
    put(place / "fashion-mnist", 1, compress=True)
    assert load_dataset("fashion-mnist", place).train.labels.tolist() == labels(1)
    path = place / "fashion-mnist" / "train-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(content(path.name, np.array([1, 2, 3], np.uint8))))
    with pytest.raises(DataError, match="does not hold the original data"):
        load_dataset("fashion-mnist", place)


def test_checksums_are_those_of_the_specification():
    files = [file.content_sha256 for file in _originals("fashion-mnist")]
    assert files == [
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ]


def _originals(name):
    from copi_np.datasets import catalogue

    rows = catalogue.FASHION_FILES if name == "fashion-mnist" else catalogue.MNIST_FILES
    return [DataFile(file, *row[1::-1], 0, row[2]) for file, row in zip(idx.SHAPES, rows, strict=True)]


# -------------------------------------------------------------------------------------------------------- CIFAR-10


def put_batches(folder, rng, n_rows=20):
    folder.mkdir(parents=True)
    batches = {}
    for name in (*cifar.TRAIN, cifar.TEST):
        rows = rng.integers(0, 256, (n_rows, cifar.ROW_BYTES), dtype=np.uint8)
        rows[:, 0] = rng.permutation(np.arange(n_rows) % 10)
        (folder / Path(name).name).write_bytes(rows.tobytes())
        batches[name] = rows
    return batches


@pytest.mark.parametrize("data_dir", ["theirs", "theirs/cifar-10-batches-bin"])
def test_unpacked_batches_of_cifar10_are_read(place, monkeypatch, data_dir):
    monkeypatch.setattr(cifar, "BATCH_ROWS", 20)
    folder = place / "theirs" / "cifar-10-batches-bin"
    batches = put_batches(folder, np.random.default_rng(0))
    assert find_dataset("cifar10", place / data_dir).folders == (folder,)
    data = load_dataset("cifar10", place / data_dir)
    np.testing.assert_array_equal(data.train.inputs, np.concatenate([batches[name][:, 1:] for name in cifar.TRAIN]))
    np.testing.assert_array_equal(data.test.labels, batches[cifar.TEST][:, 0])
    for path, how, message in (
        (folder / "data_batch_3.bin", lambda rows: rows[:-1], r"data_batch_3\.bin is not of 61460 bytes"),
        (folder / "data_batch_3.bin", lambda rows: rows + b"0", r"data_batch_3\.bin is not of 61460 bytes"),
        (folder / "test_batch.bin", lambda rows: b"\1" + rows[1:], "its classes are not of equal size"),
    ):
        before = path.read_bytes()
        path.write_bytes(how(b"\0" + before[1:] if "test" in path.name else before))
        with pytest.raises(DataError, match=message):
            load_dataset("cifar10", place / data_dir)
        path.write_bytes(before)
    (folder / "data_batch_5.bin").unlink()
    with pytest.raises(DataError, match=r"there is no file .*data_batch_5\.bin"):
        load_dataset("cifar10", place / data_dir)


@pytest.mark.parametrize("name", ["cifar-10-batches-py", "cifar-10-python.tar.gz"])
def test_pickles_are_not_read_and_the_message_says_so(place, name):
    (place / name).mkdir()
    (place / name / "data_batch_1").write_bytes(b"cos\nsystem\n(S'touch /tmp/unpickled'\ntR.")
    for download in (True, False):
        with pytest.raises(DataError, match=rf"{name} is not read, since it holds pickles, .*save"):
            load_dataset("cifar10", place, download=download)


# ------------------------------------------------------------------------------------------------ packed too well


def test_the_advice_for_an_archive_that_packs_too_well_works(place, monkeypatch):
    """The message names a command; after it, the file can be read."""
    monkeypatch.setattr(npz, "SMALL", 2**16)
    monkeypatch.chdir(place)
    x, y = np.zeros((4000, 100), np.uint8), np.arange(4000) % 2
    np.savez_compressed("mine.npz", x_train=x, y_train=y, x_test=x[:2], y_test=y[:2])
    with pytest.raises(DataError, match="if it is your own, store it without compression") as error:
        load_dataset("mine.npz")
    assert "damaged or holds" not in str(error.value)
    command = re.search(r"numpy\.savez\(.*\)$", str(error.value))[0]
    exec(command, {"numpy": np})
    assert load_dataset("uncompressed.npz").train.inputs.shape == (4000, 100)
    result = CliRunner().invoke(main, ["train", "--dataset", "mine.npz", "--out", "run"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_what_to_write_can_be_read(place, monkeypatch):
    """Also the advice for a file that lacks an array."""
    monkeypatch.setattr(npz, "SMALL", 2**16)
    np.savez(place / "mine.npz", x=np.zeros(1))
    with pytest.raises(DataError, match=r"write it with numpy\.savez\(path, x_train"):
        load_dataset(place / "mine.npz")
