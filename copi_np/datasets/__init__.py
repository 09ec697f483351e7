"""Data sets: mnist-5k and digits-8x8, bundled; mnist, fashion-mnist and cifar10, downloaded; and any .npz file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from copi_np.datasets.bundled import bundled_path
from copi_np.datasets.catalogue import DATASETS, Description
from copi_np.datasets.dataset import Dataset, Split, one_hot
from copi_np.datasets.fetch import cache_dir, locate, obtain
from copi_np.datasets.holding_out import hold_out
from copi_np.datasets.npz import load_npz
from copi_np.datasets.scaling import SCALINGS, Scaling, as_float
from copi_np.errors import InputError, choose

__all__ = [
    "DATASETS",
    "SCALINGS",
    "Dataset",
    "Description",
    "FoundFiles",
    "Scaling",
    "Split",
    "as_float",
    "cache_dir",
    "find_dataset",
    "hold_out",
    "load_dataset",
    "one_hot",
]


class FoundFiles(NamedTuple):
    """The files of a data set that are on this machine, and those that are not.

    Attributes
    ----------
    paths : tuple of Path       the files that were found, not yet verified
    missing : tuple of str      the names of the others, which `load_dataset` would download
    """

    paths: tuple[Path, ...]
    missing: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether the data set can be loaded without a download."""
        return not self.missing

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of the files that were found, without repeats."""
        return tuple(dict.fromkeys(path.parent for path in self.paths))


def load_dataset(name: str | os.PathLike[str], data_dir: str | Path | None = None, *, download: bool = True) -> Dataset:
    """Load a data set by its name or from an .npz file.

    Parameters
    ----------
    name : str or path          one of `DATASETS`, or the path of an .npz file with x_train, y_train, x_test and y_test
    data_dir : path, optional   a folder with one sub-folder per data set, or where torchvision or Keras keep theirs; by
                                default the environment variable COPI_NP_DATA. If files are not there, the user's cache
                                is searched
    download : bool             whether to download files that are in neither, into the cache

    Returns
    -------
    dataset : Dataset

    Raises
    ------
    InputError                  if `name` is neither the name of a data set nor ends in .npz
    DataError                   if a file is missing, cannot be downloaded, or is damaged
    """
    text = str(name)
    if text.endswith(".npz"):
        return load_npz(text)
    description = _describe(text)
    return description.load(text, obtain(text, description.files, data_dir, download))


def find_dataset(name: str, data_dir: str | Path | None = None) -> FoundFiles:
    """Look for the files of a data set, without downloading or reading any.

    Parameters
    ----------
    name : str                  one of `DATASETS`
    data_dir : path, optional   as for `load_dataset`

    Raises
    ------
    InputError                  if there is no such data set
    """
    files = _describe(name).files
    if not files:
        bundled = bundled_path(name)
        return FoundFiles((Path(str(bundled)),), ()) if bundled.is_file() else FoundFiles((), (bundled.name,))
    paths = locate(files, name, data_dir)
    return FoundFiles(tuple(dict.fromkeys(paths.values())), tuple(file.name for file in files if file not in paths))


def _describe(name: str) -> Description:
    """Look up a data set; the error for an unknown name mentions .npz files too."""
    try:
        return choose("data set", name, DATASETS)
    except InputError as error:
        raise InputError(f"{error}, or the path of an .npz file") from None
