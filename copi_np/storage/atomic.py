"""Replace files as a whole: whatever happens, a reader finds the old content or the new, and never half of one."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from copi_np.errors import InputError, cannot_write
from copi_np.storage.untrusted import is_taken

LEFTOVER: Final = re.compile(r"\.(?P<name>.+)\.\d+\.copi-np-tmp")
"""Name of a file that is being written, which a process that is killed leaves behind."""


def replace_file(path: Path, write: Callable[[BinaryIO], object], previous: Path | None = None) -> None:
    """Write a file beside its place, see it on the disk, and then move it there.

    Parameters
    ----------
    path : Path
    write : callable            is given the open file
    previous : Path, optional   keeps what is at `path` now; by default it is replaced

    Raises
    ------
    InputError      if `path` cannot be the name of a file
    DataError       if the file cannot be written; what is at `path` is left as it was
    """
    if not path.name or "\0" in str(path):
        raise InputError(f"{str(path)!r} cannot be the name of a file: choose another path")
    try:
        with _temporary(path) as temporary:
            with temporary.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            if previous is not None and path.is_file():
                _keep(path, previous)
            temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


def replace_text(path: Path, text: str) -> None:
    """Replace a text file as a whole, or leave it as it was.

    Raises
    ------
    DataError       if the file cannot be written
    """
    replace_file(path, lambda file: file.write(text.encode()))


def _keep(path: Path, previous: Path) -> None:
    """Put what is at `path` at `previous` too, so that it is there at any moment, and both are whole."""
    with _temporary(previous) as temporary:
        temporary.unlink(missing_ok=True)
        try:
            os.link(path, temporary)
        except OSError:  # not every file system knows a file by two names
            shutil.copyfile(path, temporary)
        temporary.replace(previous)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A name beside `path`, of this process; nothing is left of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.copi-np-tmp")
    try:
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, names: Collection[str] | None = None) -> None:
    """Remove what killed processes have left of files that they were writing; of these names, if given.

    No other process may be writing those files.
    """
    with suppress(OSError):  # they do no harm but take room
        for path in folder.iterdir():
            match = LEFTOVER.fullmatch(path.name)
            if match and (names is None or match["name"] in names):
                path.unlink(missing_ok=True)


def check_free(path: Path) -> None:
    """Raise an InputError if there is something at `path`, so that nothing is lost."""
    if is_taken(path):
        raise InputError(f"{path} exists already: move it away, or choose another path")


def _sync_folder(folder: Path) -> None:
    """See the names in a folder on the disk, too, where the system can: without this, a crash may undo a move."""
    if hasattr(os, "O_DIRECTORY"):
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
