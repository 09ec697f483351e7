"""CIFAR-10 in its binary version: one archive with five training batches and a test batch of plain bytes."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from copi_np.datasets.dataset import Dataset, Split
from copi_np.datasets.fetch import DataFile, damaged
from copi_np.errors import list_names

IMAGE_SHAPE = (3, 32, 32)  # channel-major
IMAGE_BYTES = 3 * 32 * 32
ROW_BYTES = 1 + IMAGE_BYTES  # the label, then the pixels
BATCH_ROWS = 10_000
TRAIN = tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6))
TEST = "cifar-10-batches-bin/test_batch.bin"


def read_batches(path: Path) -> dict[str, npt.NDArray[np.uint8]]:
    """Read the six batches, each (10000, 3073), out of the archive in one pass, without extracting it.

    Raises
    ------
    DataError
        if the archive is damaged, or a batch is missing or of the wrong size
    """
    names, batches = (*TRAIN, TEST), {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                # the size is checked before anything is read, so that no header can claim the memory
                expected = member.isreg() and member.name in names and member.size == BATCH_ROWS * ROW_BYTES
                if expected and (stream := archive.extractfile(member)):
                    batches[member.name] = np.frombuffer(stream.read(), np.uint8).reshape(-1, ROW_BYTES)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise damaged(path, "is cut short, or not a .tar.gz archive") from error
    if missing := [name for name in names if name not in batches]:
        raise damaged(path, f"lacks {list_names(missing)} of {BATCH_ROWS * ROW_BYTES} bytes each")
    return batches


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
