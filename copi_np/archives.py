"""Read .npz files that may be damaged, or meant to do damage; and write them, all or not at all."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from copi_np.errors import DataError
from copi_np.files import replace_file


def read_npz(path: Path, advice: str) -> dict[str, npt.NDArray[Any]]:
    """Read all arrays of an .npz file; nothing is ever unpickled.

    Parameters
    ----------
    path : Path
    advice : str        what to do about a file that cannot be used; ends each message

    Returns
    -------
    arrays : dict       by name

    Raises
    ------
    DataError           if the file is missing, cut short, damaged, or holds Python objects
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}: correct the path, or {advice}")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is cut short, or not an .npz archive: {advice}")
    try:
        # opened here, since np.load would leave a damaged file open
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    # damaged bytes make the readers of zip, zlib and npy raise nearly every kind of exception there is
    except Exception as error:
        kind = "Python objects" if "pickle" in str(error) else "an array that cannot be read"
        raise DataError(f"{path} is damaged or holds {kind}: {advice}") from error


def write_npz(path: Path, arrays: Mapping[str, npt.NDArray[Any]], previous: Path | None = None) -> None:
    """Write arrays to an .npz file, by name, all or not at all; parameters and errors as for `files.replace_file`."""
    named: dict[str, Any] = dict(arrays)
    replace_file(path, lambda file: np.savez(file, **named), previous)
