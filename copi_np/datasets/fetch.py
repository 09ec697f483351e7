"""Find the files of a data set on this machine, download the missing ones, and verify them.

Why not pooch: it limits neither the size nor the duration of a download, so that a faulty server fills the disk or
blocks forever, and it fails if a server labels a .gz file as compressed for transfer. It also has no mirrors, no lock
between processes, and leaves the temporary files of killed ones; tests/storage/test_fetch.py has a server for each.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

from copi_np.errors import DataError, brief, explain_os_errors, list_names
from copi_np.storage.atomic import remove_leftovers, replace_file
from copi_np.storage.untrusted import exists, expand_home, open_file

DATA_VARIABLE = "COPI_NP_DATA"
TIMEOUT = 30.0  # seconds without an answer before the next mirror is tried
SLOWEST = 10_000  # bytes per second, on average, below which the next mirror is tried
CHUNK = 2**16  # bytes per read from the network
FETCH_AGAIN = "delete it and load the data set again, to download a new copy"


SHOW_PROGRESS: Final = ContextVar("SHOW_PROGRESS", default=True)
"""Whether progress bars are shown; a context variable, since commands cannot reach the bars of downloads."""


class MirrorError(Exception):
    """A mirror that does not provide a file; the message says why in a few words."""


@dataclass(frozen=True)
class DataFile:
    """One file of a data set, as its publisher provides it.

    Attributes
    ----------
    name : str              the file's name, on the mirrors and on disk
    sha256 : str            checksum of the file
    mirrors : tuple of str  URLs of folders that hold the file, each with a slash at the end; the first is tried first
    size : int              bytes of the file; no more are downloaded
    content_sha256 : str or None
                            checksum of the decompressed content; where it is known, files on disk may be decompressed,
                            or compressed again
    """

    name: str
    sha256: str
    mirrors: tuple[str, ...]
    size: int
    content_sha256: str | None = None

    @property
    def accepted_names(self) -> tuple[str, ...]:
        """The names that the file may have on disk."""
        return (self.name,) if self.content_sha256 is None else (self.name, self.name.removesuffix(".gz"))


def cache_dir() -> Path:
    """Return the user's cache folder for downloaded files, which has one sub-folder per data set.

    Raises
    ------
    DataError       if the user has no home folder, as in some containers
    """
    from platformdirs import user_cache_dir

    try:
        folder = Path(user_cache_dir("copi_np"))
    except RuntimeError:
        folder = Path("~")
    if not folder.is_absolute():
        advice = f"set HOME or XDG_CACHE_HOME, or name a folder with the data by --data-dir or {DATA_VARIABLE}"
        raise DataError(f"this user has no home folder for a cache: {advice}")
    return folder


def search_folders(name: str, data_dir: str | Path | None = None) -> list[Path]:
    """List the folders that may hold the files of a data set, in search order; the user's cache only if there is one.

    Parameters
    ----------
    name : str                  the name of the data set, and of its sub-folder
    data_dir : path, optional   the user's data folder, by default the environment variable COPI_NP_DATA, if it is set

    Raises
    ------
    InputError                  if `data_dir` starts with ~user for an unknown user
    """
    if data_dir is None:
        data_dir = os.environ.get(DATA_VARIABLE) or None
    roots = [] if data_dir is None else [expand_home(data_dir)]
    with suppress(DataError):
        roots.append(cache_dir())
    return [root / name for root in roots]


def locate(files: Iterable[DataFile], folders: Sequence[Path]) -> dict[DataFile, Path]:
    """Return the path of each file; those that are in none of the folders are left out."""
    found = {}
    for file in files:
        candidates = (folder / name for folder in folders for name in file.accepted_names)
        if path := next((candidate for candidate in candidates if exists(candidate)), None):
            found[file] = path
    return found


def obtain(name: str, files: Sequence[DataFile], data_dir: str | Path | None, download: bool) -> dict[DataFile, Path]:
    """Find the files of data set `name`, or download them into the user's cache.

    Returns
    -------
    paths : dict    the path of each file, in the order of `files`

    Raises
    ------
    DataError       if a file can be neither found nor downloaded, or is not the original
    """
    folders = search_folders(name, data_dir)
    paths = locate(files, folders)
    missing = [file for file in files if file not in paths]
    if missing:
        check_cache(name)
    if missing and not download:
        looked = " or ".join(str(folder) for folder in folders)
        raise DataError(f"{name} is not complete in {looked}, download is off: {manually(missing, folders[-1])}")
    for i, file in enumerate(missing):
        try:
            paths[file] = fetch(file, folders[-1])
        except DataError as error:
            raise DataError(f"{error}: {manually(missing[i:], folders[-1])}") from None
    for file, path in paths.items():
        verify_archive(file, path)
    return {file: paths[file] for file in files}


def check_cache(name: str) -> None:
    """Raise a DataError unless there is a cache to download data set `name` to."""
    try:
        cache_dir()
    except DataError as error:
        raise DataError(f"{name} is not complete on this machine, and cannot be downloaded: {error}") from error


def manually(missing: Sequence[DataFile], folder: Path) -> str:
    """Say how to download missing files without this package, and where to put them."""
    return (
        f"save {list_names(file.name for file in missing)} from {missing[0].mirrors[0]} in {folder} "
        f"(or in {folder.name}/ of the folder named by --data-dir or {DATA_VARIABLE})"
    )


def fetch(file: DataFile, folder: Path) -> Path:
    """Download a file into `folder` from the first mirror that has it; other processes may do the same at that time.

    Raises
    ------
    DataError       if no mirror provides the file, or the folder cannot be written
    """
    from filelock import FileLock

    path, failures = folder / file.name, []
    with explain_os_errors("write", path):
        folder.mkdir(parents=True, exist_ok=True)
        # the system releases the lock of a process that dies, even if it is killed
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            remove_leftovers(folder, [file.name])
            if path.is_file():  # another process has downloaded it meanwhile
                return path
            for mirror in file.mirrors:
                try:
                    download_from(mirror + file.name, file, path)
                    return path
                except MirrorError as error:
                    failures.append(f"{urlsplit(mirror).netloc}: {error}")
    raise DataError(f"cannot download {file.name} ({'; '.join(failures)})")


def download_from(url: str, file: DataFile, path: Path) -> None:
    """Download one file; nothing appears at `path` before it is complete and verified.

    Raises
    ------
    MirrorError     if the mirror does not provide the file
    DataError       if the file cannot be written
    """

    def write(stream: BinaryIO) -> None:
        digest = hashlib.sha256()
        with _bar(file) as bar:
            for chunk in chunks(url, file.size):
                stream.write(chunk)
                digest.update(chunk)
                bar.update(len(chunk))
        if stream.tell() < file.size:
            raise MirrorError(f"cut short after {stream.tell()} of {file.size} bytes")
        if digest.hexdigest() != file.sha256:
            raise MirrorError("wrong checksum")

    replace_file(path, write)


def _bar(file: DataFile) -> Any:
    """Make a progress bar for one download, which only a terminal shows."""
    from tqdm import tqdm

    hidden = not (SHOW_PROGRESS.get() and sys.stderr is not None and sys.stderr.isatty())
    return tqdm(desc=file.name, total=file.size, unit="B", unit_scale=True, disable=hidden)


def chunks(url: str, size: int) -> Iterator[bytes]:
    """Yield the bytes at a URL as they arrive.

    Raises
    ------
    MirrorError     if the mirror fails, sends more than `size` bytes, or is too slow
    """
    from requests import get
    from urllib3.exceptions import HTTPError as TransportError

    deadline = time.monotonic() + TIMEOUT + size / SLOWEST
    try:
        # neither compressed nor decompressed on the way: that would change the checksum, or allow a bomb
        with get(url, stream=True, timeout=TIMEOUT, headers={"Accept-Encoding": "identity"}) as response:
            response.raise_for_status()
            while chunk := response.raw.read1(CHUNK, decode_content=False):
                size -= len(chunk)
                if size < 0:
                    raise MirrorError("sends more than the file holds")
                if time.monotonic() > deadline:
                    raise MirrorError("too slow")
                yield chunk
    # requests raises a plain OSError if REQUESTS_CA_BUNDLE names no file
    except (OSError, TransportError) as error:
        raise MirrorError(reason(error)) from None


def reason(error: Exception) -> str:
    """Say in a few words why a download failed."""
    from requests import ConnectionError as NoConnection
    from requests import HTTPError, RequestException, Timeout, TooManyRedirects
    from requests.exceptions import ProxyError, SSLError
    from urllib3.exceptions import ProtocolError, ReadTimeoutError

    match error:
        case HTTPError(response=response) if response is not None:
            return f"HTTP {response.status_code}"
        case Timeout() | ReadTimeoutError():
            return "no answer in time"
        case TooManyRedirects():
            return "redirect loop"
        case SSLError():
            why = re.search(r"\] (.+?) \(_ssl", str(error))  # between the codes of OpenSSL and a line of Python
            return why[1] if why else "no secure connection"
        case ProxyError():
            return "no connection to the proxy"
        case NoConnection():
            return "no connection"
        case ProtocolError():
            return "the connection broke"
        case OSError() if not isinstance(error, RequestException):
            return brief(error)
    return type(error).__name__


def damaged(path: Path, what: str) -> DataError:
    """Build the error for a data file that cannot be used."""
    return DataError(f"{path} {what}: {FETCH_AGAIN}")


def verify_archive(file: DataFile, path: Path) -> None:
    """Check a file's SHA-256, unless that of its decompressed content will be checked.

    Raises
    ------
    DataError       if the file is not the original
    """
    if file.content_sha256 is not None:
        return
    with open_file(path, FETCH_AGAIN) as stream, explain_os_errors("read", path, f"check the disk, or {FETCH_AGAIN}"):
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != file.sha256:
        raise damaged(path, f"is not the original {file.name} (its SHA-256 differs)")
