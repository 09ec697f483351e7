"""Replace files as a whole: whatever happens, a reader finds the old content or the new, and never half of one."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from copi_np.errors import InputError, cannot_write


def replace_file(path: Path, write: Callable[[BinaryIO], object], previous: Path | None = None) -> None:
    """Write a file beside its place, see it on the disk, and then move it there.

    Parameters
    ----------
    path : Path
    write : callable            is given the open file
    previous : Path, optional   where an older file at `path` goes; by default it is replaced

    Raises
    ------
    DataError       if the file cannot be written; older files are left as they were
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if previous is not None and path.is_file():
            path.replace(previous)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_free(path: Path) -> None:
    """Raise an InputError if there is something at `path`, so that nothing is lost."""
    if path.exists():
        raise InputError(f"{path} exists already: move it away, or choose another path")


def _sync_folder(folder: Path) -> None:
    """See the names in a folder on the disk, too, where the system can: without this, a crash may undo a move."""
    if hasattr(os, "O_DIRECTORY"):
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
