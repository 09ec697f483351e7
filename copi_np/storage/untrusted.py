"""Read text and JSON that may be missing, damaged or malicious; any problem gives one clear error."""

from __future__ import annotations

import json
import math
import sys
from io import BufferedReader
from pathlib import Path
from typing import Any, Final, NoReturn

from copi_np.errors import DataError, InputError, explain_os_errors

MAX_TEXT: Final = 2**26
"""Most bytes read from a text file: 64 MiB, some 200,000 epochs of a run."""
NOT_FINITE: Final = "NaN and infinity are not allowed in a record"


def exists(path: Path) -> bool:
    """Return whether there is a file, not a folder, and not a pipe, which might never end.

    Raises
    ------
    DataError           if the path cannot be accessed
    """
    with explain_os_errors("read", path):
        return path.is_file()


def path_exists(path: Path) -> bool:
    """Return whether there is anything at `path`; raises the same error as `exists`."""
    with explain_os_errors("read", path):
        return path.exists()


def check_folder(folder: Path) -> None:
    """Raise a DataError unless there is such a folder, and it can be read."""
    with explain_os_errors("read", folder):
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
    with explain_os_errors("read", path, f"check its permissions, or {advice}"):
        return path.open("rb")


def read_text(path: Path, advice: str, limit: int = MAX_TEXT) -> str:
    """Read a text file in UTF-8; parameters as for `open_file`.

    Raises
    ------
    DataError           if it cannot be read, is longer than `limit` bytes, or is not UTF-8
    """
    with open_file(path, advice) as file, explain_os_errors("read", path, f"check the disk, or {advice}"):
        content = file.read(limit + 1)
    if len(content) > limit:
        raise DataError(f"{path} is longer than {limit} bytes, so not a copi-np file: {advice}")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is damaged (byte {error.start} is not UTF-8 text): {advice}") from None


def parse_json(text: str) -> Any:
    """Read JSON by the standard: json.loads would accept NaN and infinities.

    Raises
    ------
    ValueError          if it is not JSON, is nested too deep, or holds an unpaired surrogate or a non-finite number
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # an unpaired surrogate cannot be printed or written
    except RecursionError:
        raise ValueError("nested too deep") from None
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(NOT_FINITE)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):  # 1e999
        raise ValueError(NOT_FINITE)
    return value


def check_number(name: str, value: Any) -> None:
    """Raise a ValueError unless `value`, read from a file, is a finite number."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not abs(value) <= sys.float_info.max:
        raise ValueError(f"{name} is not a finite number")


def check_numbers(name: str, values: Any, length: int | None = None) -> None:
    """Raise a ValueError unless `values`, read from a file, are a list of finite numbers, of this length."""
    if not isinstance(values, list) or len(values) != (len(values) if length is None else length):
        raise ValueError(f"{name} is not a list of {'numbers' if length is None else f'{length} numbers'}")
    for value in values:
        check_number(name, value)


def expand_home(path: str | Path) -> Path:
    """Expand ~ and ~user in a path.

    Raises
    ------
    InputError          if there is no such user
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError(f"there is no home folder for {path}: write the path in full") from None
