"""Where the files of a data set are looked for, and how the missing ones are downloaded and verified."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from copi_np.errors import DataError, list_names
from copi_np.storage.untrusted import exists, expand_home, open_file

DATA_VARIABLE = "COPI_NP_DATA"
TIMEOUT = 30.0  # seconds without an answer before the next mirror is tried
SLOWEST = 10_000  # bytes per second, on average, below which a mirror is given up
CHUNK = 2**16  # bytes per read from the network
PART = ".part"  # ends the name of a file that is being downloaded; that of a killed process is written over
AGAIN = "delete it and load the data set again, which fetches it anew"


class MirrorError(Exception):
    """A mirror that does not provide a file; says why in a few words."""


@dataclass(frozen=True)
class DataFile:
    """One file of a data set, as its publisher provides it.

    Attributes
    ----------
    name : str
        the file's name, on the mirrors and on disk
    sha256 : str
        checksum of the file
    mirrors : tuple of str
        addresses of folders that hold the file, each with a slash at the end, in the order in which they are tried
    size : int
        bytes of the file; no more are downloaded
    content_sha256 : str or None
        checksum of the decompressed content; where it is known, archives that were compressed again and decompressed
        files are as good as the original
    """

    name: str
    sha256: str
    mirrors: tuple[str, ...]
    size: int
    content_sha256: str | None = None

    @property
    def accepted_names(self) -> tuple[str, ...]:
        """The names under which the file may lie on disk."""
        return (self.name,) if self.content_sha256 is None else (self.name, self.name.removesuffix(".gz"))


def cache_dir() -> Path:
    """The user's cache folder of the package; downloaded files are kept here, in one sub-folder per data set."""
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("copi_np"))


def search_folders(name: str, data_dir: str | Path | None = None) -> list[Path]:
    """The folders in which the files of data set `name` are looked for, the first first.

    Parameters
    ----------
    name : str
        the name of the data set, and of its sub-folder
    data_dir : path, optional
        the user's data folder; by default that of the environment variable COPI_NP_DATA, if it is set

    Raises
    ------
    InputError
        if `data_dir` begins with the home folder of nobody
    """
    if data_dir is None:
        data_dir = os.environ.get(DATA_VARIABLE) or None
    roots = [cache_dir()] if data_dir is None else [expand_home(data_dir), cache_dir()]
    return [root / name for root in roots]


def locate(files: Iterable[DataFile], folders: Sequence[Path]) -> dict[DataFile, Path]:
    """Where each of `files` lies; a file that is in none of the folders is left out."""
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
    paths : dict
        the path of each file, in the order of `files`

    Raises
    ------
    DataError
        if a file can neither be found nor downloaded, or is not the original
    """
    folders = search_folders(name, data_dir)
    paths = locate(files, folders)
    missing = [file for file in files if file not in paths]
    if missing and not download:
        looked = " or ".join(str(folder) for folder in folders)
        raise DataError(f"{name} is not complete in {looked}, download is off: {by_hand(missing, folders[-1])}")
    for i, file in enumerate(missing):
        try:
            paths[file] = fetch(file, folders[-1])
        except DataError as error:
            raise DataError(f"{error}: {by_hand(missing[i:], folders[-1])}") from error
    for file, path in paths.items():
        verify_archive(file, path)
    return {file: paths[file] for file in files}


def by_hand(missing: Sequence[DataFile], folder: Path) -> str:
    """What to do about missing files: where to get them, and where to put them."""
    return (
        f"save {list_names(file.name for file in missing)} from {missing[0].mirrors[0]} in {folder} "
        f"(or in {folder.name}/ of the folder named by --data-dir or {DATA_VARIABLE})"
    )


def fetch(file: DataFile, folder: Path) -> Path:
    """Download a file into `folder` from the first mirror that has it; a process beside this one may do the same.

    Raises
    ------
    DataError
        if no mirror provides the file, or the folder cannot be written
    """
    from filelock import FileLock

    path = folder / file.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # the system releases the lock of a process that dies, however it dies
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            if path.is_file():  # another process has fetched it meanwhile
                return path
            return _fetch_from_mirrors(file, path)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise DataError(f"cannot write {file.name} into {folder} ({why})") from error


def _fetch_from_mirrors(file: DataFile, path: Path) -> Path:
    failures = []
    for mirror in file.mirrors:
        try:
            return download_from(mirror + file.name, file, path)
        except MirrorError as error:
            failures.append(f"{urlsplit(mirror).netloc}: {error}")
    raise DataError(f"cannot download {file.name} ({'; '.join(failures)})")


def download_from(url: str, file: DataFile, path: Path) -> Path:
    """Download one file to `path`, where neither a part of it nor a wrong file ever appears.

    Raises
    ------
    MirrorError
        if the mirror does not provide the file
    OSError
        if the file cannot be written
    """
    part, digest, received = path.with_name(path.name + PART), hashlib.sha256(), 0
    try:
        with part.open("wb") as stream, _bar(file) as bar:
            for chunk in chunks(url, file.size):
                stream.write(chunk)
                digest.update(chunk)
                bar.update(len(chunk))
                received += len(chunk)
            stream.flush()
            os.fsync(stream.fileno())
        if digest.hexdigest() != file.sha256:
            cut_short = f"cut short after {received} of {file.size} bytes"
            raise MirrorError(cut_short if received < file.size else "wrong checksum")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _bar(file: DataFile) -> Any:
    """A progress bar of one download, shown to people only."""
    from tqdm import tqdm

    from copi_np.cli.progress import SHOWN

    hidden = not (SHOWN.get() and sys.stderr.isatty())
    return tqdm(desc=file.name, total=file.size, unit="B", unit_scale=True, disable=hidden)


def chunks(url: str, size: int) -> Iterator[bytes]:
    """The bytes at an address as they come, but no more than `size`, and none that are long in coming.

    Raises
    ------
    MirrorError
        if the mirror fails, sends more, or is too slow
    """
    from requests import RequestException, get
    from urllib3.exceptions import HTTPError as TransportError

    deadline = time.monotonic() + TIMEOUT + size / SLOWEST
    try:
        # as it is: a mirror that packs or unpacks on the way would spoil the checksum, or send a bomb
        with get(url, stream=True, timeout=TIMEOUT, headers={"Accept-Encoding": "identity"}) as response:
            response.raise_for_status()
            while chunk := response.raw.read1(CHUNK, decode_content=False):
                size -= len(chunk)
                if size < 0:
                    raise MirrorError("sends more than the file holds")
                if time.monotonic() > deadline:
                    raise MirrorError("too slow")
                yield chunk
    except (RequestException, TransportError) as error:
        raise MirrorError(reason(error)) from error


def reason(error: Exception) -> str:
    """Say in a few words why a download failed."""
    from requests import ConnectionError as NoConnection
    from requests import HTTPError, Timeout, TooManyRedirects
    from urllib3.exceptions import ProtocolError, ReadTimeoutError

    match error:
        case HTTPError(response=response) if response is not None:
            return f"HTTP {response.status_code}"
        case Timeout() | ReadTimeoutError():
            return "no answer in time"
        case TooManyRedirects():
            return "redirects in a circle"
        case NoConnection():
            return "no connection"
        case ProtocolError():
            return "the connection broke"
    return type(error).__name__


def damaged(path: Path, what: str) -> DataError:
    """The error for a data file that cannot be used."""
    return DataError(f"{path} {what}: {AGAIN}")


def verify_archive(file: DataFile, path: Path) -> None:
    """Check the file itself, unless its decompressed content will be checked.

    Raises
    ------
    DataError
        if the file is not the original
    """
    if file.content_sha256 is not None:
        return
    with open_file(path, AGAIN) as stream:
        try:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise DataError(f"cannot read {path} ({error.strerror}): check the disk, or {AGAIN}") from error
    if digest != file.sha256:
        raise damaged(path, f"is not the original {file.name} (its SHA-256 differs)")
