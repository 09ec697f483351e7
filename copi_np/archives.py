"""Read .npz files that may be damaged, or meant to do damage; and write them, all or not at all."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from copi_np.errors import DataError, cannot_write


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


def write_npz(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays to an .npz file, by name.

    The file is written beside its place and then moved there, so that a reader finds the old file or the new one,
    and never half of one.

    Raises
    ------
    DataError           if the file cannot be written; an older one is left as it was
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    named: dict[str, Any] = dict(arrays)
    try:
        with temporary.open("wb") as file:
            np.savez(file, **named)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
