"""The known answers: small inputs and expected outputs of every equation, shipped with the package as JSON.

`docs/vectors.md` describes the files. They were made by the loops of the tests, not by the code of this package.
"""

from __future__ import annotations

import json
import shutil
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from copi_np.arrays import NDArray
from copi_np.errors import explain_os_errors

Arrays = dict[str, Any]
"""From a name such as "x" to an array, or from a name such as "W" to one array per layer."""


class Case(NamedTuple):
    """Inputs of one function, and what it must return for them."""

    id: str
    """Function and edge case, such as "copi_update/dead input"."""
    name: str
    """Of the function."""
    equation: str
    formula: str
    settings: dict[str, Any]
    """Numbers that the function takes by keyword, and the names of the parts of a step."""
    inputs: Arrays
    outputs: Arrays
    tolerance: float
    """How far the result may be off, in units of the largest number of the expected one, or of 1 if that is larger."""


def known_answers() -> list[Case]:
    """Return all known answers, file by file, in arrays of their own."""
    return [_case(entry) for entry in _entries()]


@cache
def _entries() -> list[dict[str, Any]]:
    """Read the files, once."""
    with as_file(files(__package__) / "vectors") as folder:
        texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.json"))]
    return [entry for text in texts for entry in json.loads(text)["cases"]]


def _case(entry: dict[str, Any]) -> Case:
    """Turn an entry of a file into a `Case`."""
    arrays = {name: by_layer(entry[name], entry["shapes"]) for name in ("inputs", "outputs")}
    return Case(**{name: entry[name] for name in Case._fields} | arrays)


def by_layer(values: dict[str, Any], shapes: dict[str, list[int]]) -> Arrays:
    """Return the arrays of a file, those of the layers, such as W1 and W2, as one list W."""
    arrays: Arrays = {}
    for name, value in values.items():
        array: NDArray = np.array(value, dtype=np.float64).reshape(shapes[name])
        if name[-1].isdigit() and name != "y0":
            arrays.setdefault(name.rstrip("0123456789"), []).append(array)
        else:
            arrays[name] = array
    return arrays


def copy_vectors(folder: Path) -> list[Path]:
    """Copy the JSON files to a folder, which is made if need be, and return where they are now."""
    with explain_os_errors("write to", folder), as_file(files(__package__) / "vectors") as source:
        folder.mkdir(parents=True, exist_ok=True)
        return [Path(shutil.copyfile(path, folder / path.name)) for path in sorted(source.glob("*.json"))]
