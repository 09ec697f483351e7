"""Read text and JSON that may be missing, damaged, or meant to do damage: whatever is wrong is one clear error."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, Final, NoReturn

from copi_np.errors import DataError, InputError

MAX_TEXT: Final = 2**26
"""Bytes of a text file that are read, at most: 64 MiB, some 200,000 epochs of a run."""
NOT_FINITE: Final = "NaN and infinity are no numbers of a record"


def exists(path: Path) -> bool:
    """Whether there is a file; neither a folder nor a pipe, which might never end.

    Raises
    ------
    DataError           if the system does not let us know
    """
    with _told_of(path):
        return path.is_file()


def is_taken(path: Path) -> bool:
    """Whether there is anything by that name.

    Raises
    ------
    DataError           if the system does not let us know
    """
    with _told_of(path):
        return path.exists()


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """Turn what the system says of a path into a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}): check the path and its permissions") from error


def check_folder(folder: Path) -> None:
    """Raise a DataError unless there is such a folder, and it can be read."""
    with _told_of(folder):
        next(folder.iterdir(), None)


def open_file(path: Path, advice: str) -> BufferedReader:
    """Open a file to read its bytes.

    Parameters
    ----------
    path : Path
    advice : str        what to do about a file that cannot be used; ends each message

    Raises
    ------
    DataError           if there is no such file, or it cannot be opened
    """
    if not exists(path):
        raise DataError(f"there is no file {path}: correct the path, or {advice}")
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}): check its permissions, or {advice}") from error


def read_text(path: Path, advice: str, limit: int = MAX_TEXT) -> str:
    """Read a text file in UTF-8; parameters as `open_file`.

    Raises
    ------
    DataError           if it cannot be read, is longer than `limit` bytes, or is no text in UTF-8
    """
    with open_file(path, advice) as file:
        try:
            content = file.read(limit + 1)
        except OSError as error:
            raise DataError(f"cannot read {path} ({error.strerror}): check the disk, or {advice}") from error
    if len(content) > limit:
        raise DataError(f"{path} is longer than {limit} bytes, which is no file of copi-np: {advice}")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is damaged (byte {error.start} is no text in UTF-8): {advice}") from error


def parse_json(text: str) -> Any:
    """Read JSON as the standard has it: json.loads would let NaN and infinities in.

    Raises
    ------
    ValueError          if it is no JSON, holds a number that is not finite, half a character, or is nested too deep
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # half a character could be neither printed nor written
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(NOT_FINITE)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):  # 1e999
        raise ValueError(NOT_FINITE)
    return value


def check_number(name: str, value: Any) -> None:
    """Raise a ValueError unless `value`, out of a file, is a finite number."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not abs(value) <= sys.float_info.max:
        raise ValueError(f"{name} is no finite number")


def check_numbers(name: str, values: Any, length: int | None = None) -> None:
    """Raise a ValueError unless `values`, out of a file, are a list of finite numbers, and of this length."""
    if not isinstance(values, list) or len(values) != (len(values) if length is None else length):
        raise ValueError(f"{name} is no list of {'numbers' if length is None else f'{length} numbers'}")
    for value in values:
        check_number(name, value)


def expand_home(path: str | Path) -> Path:
    """The path, with ~ for the home folder.

    Raises
    ------
    InputError          if there is no such home folder
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"there is no home folder for {path}: write the path in full") from error
