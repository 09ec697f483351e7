"""Records line by line: JSONL files that are appended to, and whose writer may be killed."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from copi_np.errors import CopiWarning, DataError, brief, cannot_write
from copi_np.storage.atomic import replace_text
from copi_np.storage.untrusted import exists, parse_json, read_text


def read_lines(path: Path, advice: str) -> list[dict[str, Any]]:
    """Read the objects of a JSONL file; none if there is no file.

    An unfinished last line, left by a killed process, is skipped with a `CopiWarning`.

    Parameters
    ----------
    path : Path
    advice : str        what to do about a file that cannot be used; ends each message

    Raises
    ------
    DataError       if another line cannot be read
    """
    if not exists(path):
        return []
    *lines, rest = read_text(path, advice).split("\n")
    if rest:  # what stands behind the last line break was never finished
        warnings.warn(f"{path} ends in half a line, which is left out: its writer was stopped", CopiWarning, 2)
    try:
        return [parse_json(line) for line in lines]
    except ValueError as error:
        raise DataError(f"{path} is damaged ({brief(error)}): {advice}") from error


def append_line(path: Path, values: dict[str, Any]) -> None:
    """Append an object to a JSONL file, and flush it to disk (fsync).

    Raises
    ------
    DataError       if the file cannot be written
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise cannot_write(path, error) from error


def write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Replace a JSONL file as a whole, or leave it as it was."""
    replace_text(path, "".join(json.dumps(values) + "\n" for values in lines))
