"""Find the files of a data set on this machine, download the missing ones, and verify them.

Why not pooch: it limits neither the size nor the duration of a download, so a faulty server fills the disk or blocks
forever, and it fails if a server labels a .gz file as compressed for transfer. It also has no mirrors and no lock
between processes, and it leaves the temporary files of killed ones. tests/storage/test_fetch.py has a server for each
case.
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
from copi_np.storage.atomic import followed, remove_leftovers, replace_file
from copi_np.storage.untrusted import exists, expand_home, open_file, path_exists

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
                            checksum of the decompressed content; if it is known, files on disk may be decompressed, or
                            compressed again
    places : tuple of str   folders in which other programs keep such files, relative to their data folder
    others : tuple of str   files with the same content that other programs keep, relative to their data folder; the
                            loader of the data set checks them
    pickled : tuple of str  files with the same content that are not read, since they are pickles, which could run code
    """

    name: str
    sha256: str
    mirrors: tuple[str, ...]
    size: int
    content_sha256: str | None = None
    places: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    pickled: tuple[str, ...] = ()

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
    """List the folders that may hold the files of a data set, in search order, with the user's cache if there is one.

    Parameters
    ----------
    name : str                  the name of the data set, and of its sub-folder
    data_dir : path, optional   the user's data folder, by default the environment variable COPI_NP_DATA, if it is set

    Raises
    ------
    InputError                  if `data_dir` starts with ~user for an unknown user
    """
    root = data_root(data_dir)
    roots = [] if root is None else [root]
    with suppress(DataError):
        roots.append(cache_dir())
    return [root / name for root in roots]


def data_root(data_dir: str | Path | None) -> Path | None:
    """Return the user's data folder, if there is one; parameters and errors as for `search_folders`."""
    if data_dir is None:
        data_dir = os.environ.get(DATA_VARIABLE) or None
    return None if data_dir is None else expand_home(data_dir)


def locate(files: Iterable[DataFile], name: str, data_dir: str | Path | None) -> dict[DataFile, Path]:
    """Return the path of each file, in the folders of this package or of others; files in none are left out."""
    folders, root = search_folders(name, data_dir), data_root(data_dir)
    found = {}
    for file in files:
        candidates = [folder / each for folder in folders for each in file.accepted_names]
        if root is not None:
            places = [place for each in (name, *file.places) for place in _within(root, each)]
            candidates += [place / each for place in places for each in file.accepted_names]
            candidates += [place for each in file.others for place in _within(root, each)]
        if path := next((candidate for candidate in candidates if exists(candidate)), None):
            found[file] = path
    return found


def _within(root: Path, place: str) -> Iterator[Path]:
    """Yield the paths of a place, if `root` is the data folder, a folder on the way to it, or the place itself."""
    yield root / place
    full = root.absolute()
    yield from (found for base in full.parents[:2] if (found := base / place).is_relative_to(full))


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
    paths = locate(files, name, data_dir)
    missing = [file for file in files if file not in paths]
    if missing:
        check_cache(name)
    if missing and not download:
        looked = " or ".join(str(folder) for folder in folders)
        advice = manually(missing, folders[-1], data_dir)
        raise DataError(f"{name} is not complete in {looked}, download is off: {advice}")
    for i, file in enumerate(missing):
        try:
            paths[file] = fetch(file, folders[-1])
        except DataError as error:
            raise DataError(f"{error}: {manually(missing[i:], folders[-1], data_dir)}") from None
    for file, path in paths.items():
        verify_archive(file, path)
    return {file: paths[file] for file in files}


def check_cache(name: str) -> None:
    """Raise a DataError unless there is a cache to download data set `name` to."""
    try:
        cache_dir()
    except DataError as error:
        raise DataError(f"{name} is not complete on this machine, and cannot be downloaded: {error}") from None


def manually(missing: Sequence[DataFile], folder: Path, data_dir: str | Path | None) -> str:
    """Say how to download missing files without this package, and where to put them."""
    root = data_root(data_dir)
    pickled = [root / each for file in missing for each in file.pickled if root is not None]
    found = [str(path) for path in pickled if path_exists(path)]
    note = f"{found[0]} is not read, since it holds pickles, which could run code; " if found else ""
    return (
        f"{note}save {list_names(file.name for file in missing)} from {missing[0].mirrors[0]} in {folder} "
        f"(or in {folder.name}/ of the folder named by --data-dir or {DATA_VARIABLE})"
    )


def fetch(file: DataFile, folder: Path) -> Path:
    """Download a file into `folder` from the first mirror that has it; other processes may do so at the same time.

    Raises
    ------
    DataError       if no mirror provides the file, or the folder cannot be written
    """
    from filelock import FileLock

    path, failures = folder / file.name, []
    with explain_os_errors("write", path):
        followed(folder).mkdir(parents=True, exist_ok=True)
        # the system releases the lock of a process that dies, even if it is killed
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            remove_leftovers(folder, [file.name])
            if path.is_file():  # another process has downloaded it in the meantime
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
            return brief(error, 300)  # with the path of a file
    return type(error).__name__


def damaged(path: Path, what: str) -> DataError:
    """Build the error for a data file that cannot be used."""
    return DataError(f"{path} {what}: {FETCH_AGAIN}")


def verify_archive(file: DataFile, path: Path) -> None:
    """Check a file's SHA-256, unless its loader will check its content.

    Raises
    ------
    DataError       if the file is not the original
    """
    if file.content_sha256 is not None or path.name != file.name:
        return
    with open_file(path, FETCH_AGAIN) as stream, explain_os_errors("read", path, f"check the disk, or {FETCH_AGAIN}"):
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != file.sha256:
        raise damaged(path, f"is not the original {file.name} (its SHA-256 differs)")
