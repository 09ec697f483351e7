"""CIFAR-10 in its binary version: one archive with five training batches and a test batch of plain bytes."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from copi_np.datasets.dataset import Dataset, Split
from copi_np.datasets.fetch import DataFile, damaged
from copi_np.datasets.idx import read_content
from copi_np.errors import list_names

IMAGE_SHAPE = (3, 32, 32)  # channel-major
ROW_BYTES = 1 + 3 * 32 * 32  # the label, then the pixels
BATCH_ROWS = 10_000
OTHER_BYTES = 2**20  # for tar headers and the few small files next to the batches
TRAIN = tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6))
TEST = "cifar-10-batches-bin/test_batch.bin"


def read_batches(path: Path) -> dict[str, npt.NDArray[np.uint8]]:
    """Read the six batches, each (10000, 3073), from the archive, without extracting it.

    Raises
    ------
    DataError       if the archive is damaged, or a batch is missing or of the wrong size
    """
    names, size, batches = (*TRAIN, TEST), BATCH_ROWS * ROW_BYTES, {}
    limit = len(names) * size + OTHER_BYTES
    content = read_content(path, limit)
    if len(content) > limit:
        raise damaged(path, f"unpacks to more than {limit} bytes, unlike the original")
    try:
        with tarfile.open(fileobj=BytesIO(content), mode="r:") as archive:
            for member in archive:
                if archive.offset < member.offset_data:  # a negative size would lead back to this header
                    raise tarfile.HeaderError("a negative size")
                if member.name in names and member.isreg() and not member.issparse() and member.size == size:
                    batch = np.frombuffer(content, np.uint8, size, member.offset_data)
                    batches[member.name] = batch.reshape(-1, ROW_BYTES)
    except Exception:  # damaged bytes make tarfile raise nearly every kind of exception
        raise damaged(path, "is cut short, or not a .tar.gz archive") from None
    if missing := [name for name in names if name not in batches]:
        raise damaged(path, f"lacks {list_names(missing)} of {size} bytes each")
    return batches


def read_unpacked(folder: Path) -> dict[str, npt.NDArray[np.uint8]]:
    """Read the six batches from the folder that the archive unpacks to; otherwise as `read_batches`."""
    size, batches = BATCH_ROWS * ROW_BYTES, {}
    for name in (*TRAIN, TEST):
        path = folder / Path(name).name
        content = read_content(path, size)
        if len(content) != size:
            raise damaged(path, f"is not of {size} bytes")
        batches[name] = np.frombuffer(content, np.uint8).reshape(-1, ROW_BYTES)
    return batches


def load_cifar10(name: str, paths: Mapping[DataFile, Path]) -> Dataset:
    """Load CIFAR-10 from its one archive, or from the folder with its batches, which the path of one of them names.

    Raises
    ------
    DataError       if the archive or a batch is damaged
    """
    (path,) = paths.values()
    unpacked = path.suffix == ".bin"
    batches = read_unpacked(path.parent) if unpacked else read_batches(path)
    train, test = (_split(*(batches[batch] for batch in part)) for part in (TRAIN, (TEST,)))
    for split in (train, test) if unpacked else ():  # no checksum of a single batch is published
        if len(set(np.bincount(split.labels, minlength=10).tolist())) > 1:
            raise damaged(path.parent, "does not hold the original batches: its classes are not of equal size")
    return Dataset(name, train, test, n_classes=10, image_shape=IMAGE_SHAPE)


def _split(*batches: npt.NDArray[np.uint8]) -> Split:
    """Join batches and separate the labels from the pixels."""
    inputs, labels = (np.concatenate([batch[:, part] for batch in batches]) for part in (slice(1, None), 0))
    return Split(inputs, labels.astype(np.int64))
