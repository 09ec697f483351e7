"""Replace whole files: whatever happens, a reader finds the old or the new content, never a part or a mixture.

Every file of the package is written here. Symbolic links are followed, and the file that they lead to is replaced.
Devices and pipes, which cannot be replaced, are written to.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from errno import EISDIR
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from copi_np.errors import InputError, explain_os_errors
from copi_np.storage.untrusted import path_exists

LEFTOVER: Final = re.compile(r"\.(?P<name>.+)\.\d+\.copi-np-tmp")
"""Name of a temporary file, which stays behind if its writer is killed."""


def replace_file(path: Path, write: Callable[[BinaryIO], object], previous: Path | None = None) -> None:
    """Write a temporary file in the same folder, flush it to disk (fsync), and move it to `path`.

    A symbolic link at `path` stays, and what it leads to is replaced. A stream, see `is_stream`, is written to.

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
    _check_name(path)
    with explain_os_errors("write", path):
        if is_stream(path):
            content = BytesIO()  # some writers seek, which a pipe cannot
            write(content)
            with _open_stream(path) as stream:
                stream.write(content.getvalue())
            return
        target = followed(path)
        with _temporary(target) as temporary:
            with temporary.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            if previous is not None and target.is_file():
                _keep(target, followed(previous))
            temporary.replace(target)
        _sync_folder(target.parent)


def _check_name(path: Path) -> None:
    if not path.name or "\0" in str(path):
        raise InputError(f"{str(path)!r} cannot be the name of a file: choose another path")


def check_writable(path: Path) -> None:
    """Raise the error that `replace_file` would raise now: call it before computing what is to be written.

    Raises
    ------
    InputError      if `path` cannot be the name of a file
    DataError       if its folder is missing or cannot be written to, or if it is a folder itself
    """
    _check_name(path)
    if is_stream(path):
        return
    with explain_os_errors("write", path):
        if path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        with _temporary(followed(path)) as temporary:
            temporary.touch()


def followed(path: Path) -> Path:
    """Return the path that symbolic links lead to, whether or not there is a file."""
    return Path(os.path.realpath(path))


def is_stream(path: Path) -> bool:
    """Return whether a path must be written to in place: a device, a pipe, or the output of this process.

    Raises
    ------
    DataError       if the path cannot be accessed
    """
    with explain_os_errors("write", path):
        try:
            status = path.stat()
        except FileNotFoundError:
            return False
    is_plain = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    return not is_plain or _output_descriptor(status) is not None


def _output_descriptor(status: os.stat_result) -> int | None:
    """Return the descriptor of standard output or error if it is this file, as /dev/stdout may be."""
    for descriptor in (1, 2):
        with suppress(OSError):  # it may be closed
            if os.path.samestat(status, os.fstat(descriptor)):
                return descriptor
    return None


def _open_stream(path: Path) -> BinaryIO:
    """Open a stream; the process's own output stays where it is, so that neither overwrites the other."""
    descriptor = _output_descriptor(path.stat())
    return path.open("wb") if descriptor is None else os.fdopen(os.dup(descriptor), "wb")


def append_text(path: Path, text: str) -> None:
    """Add text to the end of a file, and flush it to disk (fsync).

    Raises
    ------
    DataError       if the file cannot be written
    """
    with explain_os_errors("write", path):
        if is_stream(path):
            replace_text(path, text)
            return
        with path.open("ab") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())


def replace_text(path: Path, text: str) -> None:
    """Replace a text file, or leave it as it was; characters that UTF-8 cannot hold, as in file names, are escaped.

    Raises
    ------
    DataError       if the file cannot be written
    """
    replace_file(path, lambda file: file.write(text.encode(errors="backslashreplace")))


def _keep(path: Path, previous: Path) -> None:
    """Give the file at `path` the second name `previous`, so that neither is ever missing or incomplete."""
    with _temporary(previous) as temporary:
        temporary.unlink(missing_ok=True)
        try:
            os.link(path, temporary)
        except (AttributeError, OSError):  # not every system and file system has hard links
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
    """Remove the temporary files that killed processes left, all of them or only those for the files in `names`.

    No other process may be writing those files.
    """
    with suppress(OSError):  # they do no harm but take up space
        for path in folder.iterdir():
            match = LEFTOVER.fullmatch(path.name)
            if match and (names is None or match["name"] in names):
                path.unlink(missing_ok=True)


def check_free(path: Path) -> None:
    """Raise an InputError if there is anything at `path` but a stream, so that nothing is overwritten."""
    if path_exists(path) and not is_stream(path):
        raise InputError(f"{path} already exists: move it away, or choose another path")


def _sync_folder(folder: Path) -> None:
    """Flush a folder's names to disk too, where the system can: otherwise a crash may undo a move."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
