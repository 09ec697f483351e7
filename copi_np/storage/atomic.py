"""Replace whole files: whatever happens, a reader finds the old content or the new, never a mixture or a part."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from copi_np.errors import InputError, explain_os_errors
from copi_np.storage.untrusted import path_exists

LEFTOVER: Final = re.compile(r"\.(?P<name>.+)\.\d+\.copi-np-tmp")
"""Name of a temporary file, which stays behind if its writer is killed."""


def replace_file(path: Path, write: Callable[[BinaryIO], object], previous: Path | None = None) -> None:
    """Write a temporary file in the same folder, flush it to disk (fsync), and move it to `path`.

    Parameters
    ----------
    path : Path
    write : callable            is called with the open file
    previous : Path, optional   keeps the file that is at `path` now; by default it is replaced

    Raises
    ------
    InputError      if `path` cannot be the name of a file
    DataError       if the file cannot be written; an older one at `path` is left as it was
    """
    if not path.name or "\0" in str(path):
        raise InputError(f"{str(path)!r} cannot be the name of a file: choose another path")
    with explain_os_errors("write", path):
        with _temporary(path) as temporary:
            with temporary.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            if previous is not None and path.is_file():
                _keep(path, previous)
            temporary.replace(path)
        _sync_folder(path.parent)


def replace_text(path: Path, text: str) -> None:
    """Replace a text file, or leave it as it was.

    Raises
    ------
    DataError       if the file cannot be written
    """
    replace_file(path, lambda file: file.write(text.encode()))


def _keep(path: Path, previous: Path) -> None:
    """Give the file at `path` the second name `previous`: neither name is missing or incomplete at any time."""
    with _temporary(previous) as temporary:
        temporary.unlink(missing_ok=True)
        try:
            os.link(path, temporary)
        except OSError:  # not every file system has hard links
            shutil.copyfile(path, temporary)
        temporary.replace(previous)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Yield a path next to `path` that only this process uses; afterwards, remove what is left there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.copi-np-tmp")
    try:
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, names: Collection[str] | None = None) -> None:
    """Remove the temporary files that killed processes left: all of them, or those of the files in `names`.

    No other process may be writing those files.
    """
    with suppress(OSError):  # they do no harm but take up space
        for path in folder.iterdir():
            match = LEFTOVER.fullmatch(path.name)
            if match and (names is None or match["name"] in names):
                path.unlink(missing_ok=True)


def check_free(path: Path) -> None:
    """Raise an InputError if there is anything at `path`, so that nothing is overwritten."""
    if path_exists(path):
        raise InputError(f"{path} exists already: move it away, or choose another path")


def _sync_folder(folder: Path) -> None:
    """Flush a folder's names to disk too, where the system can: otherwise a crash may undo a move."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
