"""The digits that come with the package: mnist-5k and digits-8x8; ``data/README.md`` gives their sources."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from copi_np.datasets.dataset import Dataset, Split
from copi_np.datasets.fetch import DataFile
from copi_np.errors import DataError, explain_os_errors


class Bundled(NamedTuple):
    """A bundled data set: the SHA-256 of its file, and the shape of its images."""

    sha256: str
    image_shape: tuple[int, int]


BUNDLED: Final = {
    "mnist-5k": Bundled("9a3ff04b20c57e2c9e4b0431486066756ae0a71cec3e6166744d681cd478fe3c", (28, 28)),
    "digits-8x8": Bundled("cc6fb754fbfa71d844298f8a3f1a171ee9adf4cb3545f93f61deaabe78ccb863", (8, 8)),
}


def bundled_path(name: str) -> Traversable:
    """Return where a bundled file is: inside the installed package, or in ``data/`` of a checkout.

    Both may be inside a zip file. In a broken installation the file may be missing.
    """
    package: Any = files("copi_np")  # Traversable does not promise a parent, but paths and those in zip files have one
    places: list[Traversable] = [folder / "data" / f"{name}.npz" for folder in (package, package.parent)]
    return next((place for place in places if place.is_file()), places[0])


def load_bundled(name: str, paths: Mapping[DataFile, Path]) -> Dataset:
    """Load one of the `BUNDLED` data sets; `paths` is ignored.

    Raises
    ------
    DataError       if the file is missing, or is not the one that belongs to this version of the package
    """
    path, (sha256, image_shape) = bundled_path(name), BUNDLED[name]
    with explain_os_errors("read the bundled", path, "install copi-np again"):
        content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(f"the bundled {path} is damaged (its SHA-256 differs): install copi-np again")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        train = Split(arrays["x_train"], arrays["y_train"].astype(np.int64))
        test = Split(arrays["x_test"], arrays["y_test"].astype(np.int64))
    return Dataset(name, train, test, n_classes=10, image_shape=image_shape)
