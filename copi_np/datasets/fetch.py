"""Where the files of a data set are looked for, and how the missing ones are downloaded and verified."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from copi_np.errors import DataError, list_names

DATA_VARIABLE = "COPI_NP_DATA"
TIMEOUT = 30.0  # seconds without an answer before the next mirror is tried
CHUNK = 2**16  # bytes per read from the network


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
    content_sha256 : str or None
        checksum of the decompressed content; where it is known, archives that were compressed again and decompressed
        files are as good as the original
    """

    name: str
    sha256: str
    mirrors: tuple[str, ...]
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
    """
    if data_dir is None:
        data_dir = os.environ.get(DATA_VARIABLE) or None
    roots = [cache_dir()] if data_dir is None else [Path(data_dir).expanduser(), cache_dir()]
    return [root / name for root in roots]


def locate(files: Iterable[DataFile], folders: Sequence[Path]) -> dict[DataFile, Path]:
    """Where each of `files` lies; a file that is in none of the folders is left out."""
    found = {}
    for file in files:
        candidates = (folder / name for folder in folders for name in file.accepted_names)
        if path := next((candidate for candidate in candidates if candidate.is_file()), None):
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
    """Download a file into `folder` from the first mirror that has it.

    Raises
    ------
    DataError
        if no mirror provides the file, or the folder cannot be written
    """
    from requests import RequestException

    failures: dict[str, Exception] = {}
    for mirror in file.mirrors:
        try:
            return download_from(mirror + file.name, file.sha256, folder)
        # pooch raises a ValueError for a wrong checksum; a RequestException is an OSError, so it comes first
        except (RequestException, ValueError) as error:
            failures[mirror] = error
        except OSError as error:
            raise DataError(f"cannot write {file.name} into {folder} ({reason(error)})") from error
    why = "; ".join(f"{urlsplit(mirror).netloc}: {reason(error)}" for mirror, error in failures.items())
    raise DataError(f"cannot download {file.name} ({why})") from failures[file.mirrors[-1]]


def download_from(url: str, sha256: str, folder: Path) -> Path:
    """Download one file into `folder`; a part or a wrong file never appears there under its name."""
    import pooch
    from requests import HTTPError

    pooch.get_logger().setLevel("WARNING")  # the progress bar and our errors say enough
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=CHUNK, timeout=TIMEOUT)
    name = url.rsplit("/", 1)[-1]
    try:
        return Path(pooch.retrieve(url, known_hash=sha256, fname=name, path=folder, downloader=downloader))
    except HTTPError as error:
        if error.response is not None:
            error.response.close()  # pooch leaves the connection open
        raise


def reason(error: Exception) -> str:
    """Say in a few words why a download failed."""
    from requests import ConnectionError as NoConnection
    from requests import HTTPError, RequestException, Timeout

    match error:
        case HTTPError(response=response) if response is not None:
            return f"HTTP {response.status_code}"
        case Timeout():
            return "no answer in time"
        case NoConnection():
            return "no connection"
        case ValueError() if not isinstance(error, RequestException):
            return "wrong checksum"
        case OSError(strerror=str(why)):
            return why
    return type(error).__name__


def damaged(path: Path, what: str) -> DataError:
    """The error for a data file that cannot be used."""
    return DataError(f"{path} {what}: delete it and load the data set again, which fetches it anew")


def verify_archive(file: DataFile, path: Path) -> None:
    """Check the file itself, unless its decompressed content will be checked.

    Raises
    ------
    DataError
        if the file is not the original
    """
    if file.content_sha256 is not None:
        return
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}): check the file and its permissions") from error
    if digest != file.sha256:
        raise damaged(path, f"is not the original {file.name} (its SHA-256 differs)")
