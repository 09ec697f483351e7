"""What the kit is given: somebody's implementation, whose functions it calls with arrays of their own library."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from copi_np.errors import InputError, list_names, one_line

DEFAULTS: Final = {"rule": "copi", "error_signal": "bp", "decorrelation": "matrix"}
"""What a step learns by, unless the implementation has `settings` that say otherwise."""


class Adapter:
    """An implementation, called with NumPy arrays and answering with NumPy arrays.

    Parameters
    ----------
    given : module, class, object or mapping
        has functions under the names of the known answers; it may also have `asarray`, which turns a NumPy array into
        one of its library, `to_numpy`, which turns it back, and `settings`, which say by what its step learns

    Attributes
    ----------
    settings : dict             rule, error_signal and decorrelation of its step
    single : bool               whether `asarray` makes float32 of float64
    written : list of int       which arguments the last call changed, counted from 0
    """

    def __init__(self, given: Any) -> None:
        self._given = given
        self._asarray: Callable[[Any], Any] = self.find("asarray") or np.array
        self._to_numpy: Callable[[Any], Any] = self.find("to_numpy") or np.asarray
        own = self.find("settings") or {}
        if not isinstance(own, Mapping):
            raise InputError(f"settings must be a dict, such as {DEFAULTS}, got {own!r}")
        if unknown := own.keys() - DEFAULTS.keys():
            raise InputError(f"unknown settings {list_names(sorted(unknown))}: known: {list_names(DEFAULTS)}")
        self.settings: dict[str, Any] = DEFAULTS | dict(own)
        try:
            self.single = self._to_numpy(self._asarray(np.zeros(1))).dtype == np.float32
        except Exception as error:  # code of the user's
            raise InputError(f"asarray and to_numpy do not return a NumPy array ({one_line(error)})") from error
        self.written: list[int] = []

    def find(self, name: str) -> Any:
        """Return the function of that name, or None; a trainer is also a step: one epoch of one batch."""
        found = self._given.get(name) if isinstance(self._given, Mapping) else getattr(self._given, name, None)
        if name == "step" and found is None and (train := self.find("train")) is not None:
            return lambda *arrays, **numbers: train(*arrays, batch_size=len(arrays[-1]), **numbers)
        return found

    def call(self, name: str, arrays: Sequence[Any], numbers: Mapping[str, Any]) -> Any:
        """Call a function with arrays by position and numbers by keyword; lists hold one array per layer."""
        moved = self._leaves(self._asarray, list(arrays))
        before = self._leaves(np.array, self._leaves(self._to_numpy, moved))
        try:
            result = self.find(name)(*moved, **numbers)
        except SystemExit as error:
            raise RuntimeError(f"it exits with {error.code}") from None
        after = self._leaves(self._to_numpy, moved)
        self.written = [k for k, pair in enumerate(zip(before, after, strict=True)) if not _equal(*pair)]
        return self._leaves(self._to_numpy, result)

    def _leaves(self, convert: Callable[[Any], Any], value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._leaves(convert, each) for each in value]
        return convert(value)


def _equal(one: Any, other: Any) -> bool:
    """Return whether two arrays, or lists of them, are the same."""
    if isinstance(one, list):
        return all(map(_equal, one, other))
    return bool(np.array_equal(one, other))


def load_adapter(text: str) -> Any:
    """Return what ``module:name`` or ``FILE.py:name`` names; without a name, the module itself.

    Raises
    ------
    InputError      if there is no such module or name, or if it fails when it is imported
    """
    module_name, _, name = text.rpartition(":") if ":" in text else (text, "", "")
    try:
        if module_name.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(module_name).stem, module_name)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            if "" not in sys.path:
                sys.path.insert(0, "")  # modules of the current folder, as `python -m` finds them
            module = importlib.import_module(module_name)
        return getattr(module, name) if name else module
    except (Exception, SystemExit) as error:  # code of the user's; one that exits with 0 must not look right
        raise InputError(
            f"cannot load {text} ({one_line(error)}): give my_module:adapter or my_file.py:adapter"
        ) from error
