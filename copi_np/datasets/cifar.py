"""CIFAR-10 in its binary version: one archive with five training batches and a test batch of plain bytes."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from copi_np.datasets.dataset import Dataset, Split
from copi_np.datasets.fetch import DataFile, damaged
from copi_np.datasets.idx import read_content
from copi_np.errors import list_names

IMAGE_SHAPE = (3, 32, 32)  # channel-major
IMAGE_BYTES = 3 * 32 * 32
ROW_BYTES = 1 + IMAGE_BYTES  # the label, then the pixels
BATCH_ROWS = 10_000
OTHER_BYTES = 2**20  # for headers, and the few small files beside the batches
TRAIN = tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6))
TEST = "cifar-10-batches-bin/test_batch.bin"


def read_batches(path: Path) -> dict[str, npt.NDArray[np.uint8]]:
    """Read the six batches, each (10000, 3073), out of the archive, without extracting it.

    Raises
    ------
    DataError
        if the archive is damaged, or a batch is missing or of the wrong size
    """
    names, size = (*TRAIN, TEST), BATCH_ROWS * ROW_BYTES
    limit = len(names) * size + OTHER_BYTES
    content = read_content(path, limit)
    if len(content) > limit:
        raise damaged(path, f"unpacks to more than {limit} bytes, as the original does not")
    try:
        found = {header.name: start for header, start in _members(content) if header.isreg() and header.size == size}
    except tarfile.HeaderError as error:
        raise damaged(path, "is cut short, or not a .tar.gz archive") from error
    batches = {
        name: np.frombuffer(content, np.uint8, size, found[name]).reshape(-1, ROW_BYTES)
        for name in names
        if name in found and found[name] + size <= len(content)
    }
    if missing := [name for name in names if name not in batches]:
        raise damaged(path, f"lacks {list_names(missing)} of {size} bytes each")
    return batches


def _members(content: bytes) -> Iterator[tuple[tarfile.TarInfo, int]]:
    """The headers of a tar archive, each with the place where its bytes begin.

    A `TarFile` would also follow long names, links and sparse files, which may announce any size; there are none here.
    """
    start = 0
    while any(block := content[start : start + tarfile.BLOCKSIZE]):  # a block of zeros ends the archive
        header = tarfile.TarInfo.frombuf(block, "ascii", "surrogateescape")
        if header.size < 0:
            raise tarfile.HeaderError("a negative size")
        start += tarfile.BLOCKSIZE
        yield header, start
        start += -(-header.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def load_cifar10(name: str, paths: Mapping[DataFile, Path]) -> Dataset:
    """Load CIFAR-10 from its one archive.

    Raises
    ------
    DataError
        if the archive is damaged
    """
    (path,) = paths.values()
    batches = read_batches(path)
    train, test = (_split(*(batches[batch] for batch in part)) for part in (TRAIN, (TEST,)))
    return Dataset(name, train, test, n_classes=10, image_shape=IMAGE_SHAPE)


def _split(*batches: npt.NDArray[np.uint8]) -> Split:
    """Take batches of (label, pixels) rows apart."""
    inputs = np.concatenate([batch[:, 1:] for batch in batches])
    labels = np.concatenate([batch[:, 0] for batch in batches])
    return Split(inputs, labels.astype(np.int64))
