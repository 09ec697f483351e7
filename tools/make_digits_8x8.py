"""Make ``data/digits-8x8.npz`` from the 1,797 digits of the PyPI package scikit-learn 1.9.1.

    python tools/make_digits_8x8.py sklearn/datasets/data/digits.csv.gz

Each line of the source holds the 64 pixels of one digit, 0 to 16, and then its label; there are 174 to 183 digits of
each class.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from make_mnist_5k import stratified_split

SOURCE_SHA256 = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
TARGET = Path(__file__).parents[1] / "data" / "digits-8x8.npz"
TRAIN_PER_CLASS = 140
SEED = 1797


def read_digits(path: Path) -> npt.NDArray[np.uint8]:
    """Read the source, (1797, 65), pixels and label, after checking its SHA-256."""
    archive = path.read_bytes()
    if hashlib.sha256(archive).hexdigest() != SOURCE_SHA256:
        raise SystemExit(f"{path} is not digits.csv.gz of scikit-learn: its SHA-256 differs")
    return np.loadtxt(gzip.decompress(archive).decode().splitlines(), delimiter=",").astype(np.uint8)


def main(source: Path) -> None:
    """Scale the pixels to 0..1, split the digits and write them to `TARGET`."""
    digits = read_digits(source)
    inputs, labels = digits[:, :-1].astype(np.float32) / 16, digits[:, -1]
    train, test = stratified_split(labels, TRAIN_PER_CLASS, np.random.default_rng(SEED))
    np.savez_compressed(TARGET, x_train=inputs[train], y_train=labels[train], x_test=inputs[test], y_test=labels[test])
    print(f"{hashlib.sha256(TARGET.read_bytes()).hexdigest()}  {TARGET}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
