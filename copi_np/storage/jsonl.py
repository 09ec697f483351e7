"""Append records to JSONL files, one per line, and read them back even if their writer was killed."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from copi_np.errors import CopiWarning, DataError, brief
from copi_np.storage.atomic import append_text, replace_text
from copi_np.storage.untrusted import exists, parse_json, read_text


def read_lines(path: Path, advice: str) -> list[dict[str, Any]]:
    """Read the objects of a JSONL file; an empty list if there is no file.

    An unfinished last line, left by a killed process, is skipped with a `CopiWarning`.

    Parameters
    ----------
    path : Path
    advice : str        what to do about a file that cannot be used; ends each message

    Raises
    ------
    DataError       if any other line cannot be read
    """
    if not exists(path):
        return []
    *lines, rest = read_text(path, advice).split("\n")
    if rest:  # text after the last line break was never finished
        warnings.warn(f"{path} ends in an incomplete line, which is skipped: its writer was stopped", CopiWarning, 2)
    try:
        return [parse_json(line) for line in lines]
    except ValueError as error:
        raise DataError(f"{path} is damaged ({brief(error)}): {advice}") from None


def append_line(path: Path, values: dict[str, Any]) -> None:
    """Append an object to a JSONL file, and flush it to disk (fsync).

    Raises
    ------
    DataError       if the file cannot be written
    """
    append_text(path, json.dumps(values) + "\n")


def write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Replace a JSONL file, or leave it as it was."""
    replace_text(path, "".join(json.dumps(values) + "\n" for values in lines))
