"""MNIST and Fashion-MNIST: four gzipped IDX files, each a small header followed by plain bytes."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

from copi_np.datasets.dataset import Dataset, Split
from copi_np.datasets.fetch import FETCH_AGAIN, DataFile, damaged
from copi_np.errors import DataError, explain_os_errors
from copi_np.storage.npz import read_npz
from copi_np.storage.untrusted import open_file

SHAPES: dict[str, tuple[int, ...]] = {  # the four files of a data set, in the order that `load_idx` expects
    "train-images-idx3-ubyte.gz": (60000, 28, 28),
    "train-labels-idx1-ubyte.gz": (60000,),
    "t10k-images-idx3-ubyte.gz": (10000, 28, 28),
    "t10k-labels-idx1-ubyte.gz": (10000,),
}
KEYS = ("x_train", "y_train", "x_test", "y_test")  # the same in an .npz file
MAX_AXES = 8  # more than any images have


def idx_header(shape: tuple[int, ...]) -> bytes:
    """Return the header of an IDX file of bytes: two zeros, the type 8, the number of axes, big-endian lengths."""
    return bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()


def parse_idx(content: bytes) -> npt.NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes.

    Parameters
    ----------
    content : bytes         the decompressed file

    Returns
    -------
    array : uint8 array     of the shape in the header; a read-only view of `content`

    Raises
    ------
    DataError               if the header is not that of an IDX file of bytes, or does not fit the size of the file
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise DataError("is not an IDX file of bytes")
    if not 1 <= content[3] <= MAX_AXES:
        raise DataError(f"declares {content[3]} axes, where 1 to {MAX_AXES} make sense")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise DataError("is cut short in its header")
    # Python's integers cannot overflow, so a false header is caught before anything is allocated
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist())
    if prod(shape) != len(content) - start:
        raise DataError(f"declares shape {shape} but holds {len(content) - start} bytes")
    try:
        return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
    except ValueError:  # zero samples, each of more pixels than an array can have
        raise DataError(f"declares shape {shape}, which no array can have") from None


def read_content(path: Path, size: int) -> bytes:
    """Read at most `size` + 1 bytes of a file, decompressed if its name ends in .gz.

    Raises
    ------
    DataError       if the file cannot be read or decompressed
    """
    with open_file(path, FETCH_AGAIN) as file, explain_os_errors("read", path, f"check the disk, or {FETCH_AGAIN}"):
        try:
            return (gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file).read(size + 1)
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise damaged(path, "is cut short, or not a gzip archive") from None


def read_idx(file: DataFile, path: Path) -> npt.NDArray[np.uint8]:
    """Read and verify one IDX file.

    Raises
    ------
    DataError       if the file is damaged, or does not hold what its name says
    """
    shape = SHAPES[file.name]
    if path.suffix == ".npz":
        content = _content_of_npz(path, KEYS[list(SHAPES).index(file.name)])
    else:
        content = read_content(path, len(idx_header(shape)) + prod(shape))
    if file.content_sha256 not in (None, hashlib.sha256(content).hexdigest()):
        raise damaged(path, "does not hold the original data (the SHA-256 of its content differs)")
    try:
        array = parse_idx(content)
    except DataError as error:
        raise damaged(path, str(error)) from None
    if array.shape != shape:
        raise damaged(path, f"holds shape {array.shape} instead of {shape}")
    return array


def _content_of_npz(path: Path, key: str) -> bytes:
    """Return the array of an .npz file, as Keras keeps MNIST, in the bytes of an IDX file."""
    arrays = read_npz(path, FETCH_AGAIN, [key])
    if key not in arrays or arrays[key].dtype != np.uint8:
        raise damaged(path, f"lacks {key} in uint8")
    return idx_header(arrays[key].shape) + arrays[key].tobytes()


def load_idx(name: str, paths: Mapping[DataFile, Path]) -> Dataset:
    """Load a data set of the MNIST family from its four files, given in the order of `SHAPES`.

    Raises
    ------
    DataError       if a file is damaged
    """
    x_train, y_train, x_test, y_test = (read_idx(file, path) for file, path in paths.items())
    train = Split(x_train.reshape(len(x_train), -1), y_train.astype(np.int64))
    test = Split(x_test.reshape(len(x_test), -1), y_test.astype(np.int64))
    return Dataset(name, train, test, n_classes=10, image_shape=x_train.shape[1:])
