"""Find your own parts again: among those you pass to load a network, or in a file ``FILE.py:NAME``."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from copi_np._parts import describe, is_list, is_own, label, name_of, one_or_list
from copi_np.errors import DataError, InputError, OtherPartsError, brief, explain_os_errors, list_names, one_line, shown

IMPORTABLE: Final = ("copi_np.rules", "copi_np.family")
"""Modules whose public functions need not be passed again; a file can have nothing else imported."""


# ------------------------------------------------------------------------- among what is passed to load a network


class Given:
    """The parts that a user passes to load a network, to be matched with what a file records.

    Parameters
    ----------
    parts : mapping     from "rule", "activation", .. to a part, a list of parts, or None
    """

    def __init__(self, parts: Mapping[str, Any]) -> None:
        self._parts = parts
        self._candidates: dict[str, list[Any]] = {}
        for argument, part in parts.items():
            self._candidates.setdefault(_kind(argument), []).extend(objects_in(part))
        self._used: set[str] = set()
        self._missing: dict[str, str] = {}

    def find(self, argument: str, recorded: Any) -> Any:
        """Return the part that is recorded: a built-in name as it is, a list of parts for a list.

        Raises
        ------
        InputError          if several have the recorded name, and no list with one per layer says which is meant
        """
        given: Any = self._parts.get(argument)
        if isinstance(recorded, list):
            by_layer = given if is_list(given) and len(given) == len(recorded) else [None] * len(recorded)
            return [self._find(argument, *pair) for pair in zip(recorded, by_layer, strict=True)]
        activations: Any = self._parts.get("activation")
        if argument == "output_activation" and given is None and is_list(activations):
            given = activations[-1] if activations else None
        return self._find(argument, recorded, None if is_list(given) else given)

    def _find(self, argument: str, recorded: Any, expected: Any) -> Any:
        """Return the part that is recorded: `expected` if that has the recorded name."""
        if not is_own(recorded):
            return recorded
        kind = _kind(argument)
        found = [part for part in objects_in(expected) if _has_name(part, recorded)]
        if not found:
            found = [part for part in self._candidates.get(kind, []) if _has_name(part, recorded)]
            found = [part for part in found if describe(part) == recorded] or found
        if found:
            self._used.add(name_of(recorded))
            if isinstance(one_or_list(found), list) and not hasattr(found[0], "restore"):  # layers have copies of steps
                several = f"several parts passed as {kind} are called {name_of(recorded)}"
                raise OtherPartsError(f"{several}: pass a list with one per layer, or give them different names")
            return found[0]
        module, _, name = recorded.partition(":")
        if module in IMPORTABLE and name.isidentifier() and not name.startswith("_"):
            function = getattr(importlib.import_module(module), name, None)
            if inspect.isfunction(function) and function.__module__ == module:
                return function
        self._missing.setdefault(kind, recorded)
        return recorded

    def check_complete(self) -> None:
        """Raise an InputError if a part is missing, or was passed but is not named in the file."""
        if self._missing:
            missing = [(kind, *each.split(":", 1)) for kind, each in self._missing.items()]
            were = list_names(f"{kind} {name} (from {module})" for kind, module, name in missing)
            give = list_names(f"{kind}={name}" for kind, _, name in missing)
            raise OtherPartsError(f"saved with your own {were}: pass them again, load_network(path, {give})")
        for kind, parts in self._candidates.items():
            for part in parts:
                if name_of(describe(part)) not in self._used:
                    raise OtherPartsError(f"the file was not saved with {kind} {label(part)}: leave out {kind}=")


def _has_name(part: Any, recorded: str) -> bool:
    """Return whether a part has the recorded name; its module may have moved, as from a notebook into a file."""
    return name_of(describe(part)) == name_of(recorded)


def _kind(name: str) -> str:
    """Return the kind of a part from the name of its argument: an output_activation is an activation."""
    return name.removeprefix("output_")


def objects_in(part: Any) -> list[Any]:
    """Return one part or a list of them as a list, without built-in names and None."""
    parts = part if is_list(part) else [part]
    return [each for each in parts if callable(each) or isinstance(each, tuple) or hasattr(each, "restore")]


# ------------------------------------------------------------------------------------------------- FILE.py:NAME


def load_part(text: str, folder: str | Path = ".") -> Any:
    """Return the object that ``FILE.py:NAME`` names.

    Parameters
    ----------
    text : str          split at the last colon
    folder : path       which FILE is relative to

    Raises
    ------
    InputError          if it does not have that form, the file does not exist, or has no such name
    DataError           if the file cannot be run
    """
    path, name = part_path(text, folder)
    module = _module_of(path.resolve(), file_digest(path))
    if not hasattr(module, name):
        public = [each for each, value in vars(module).items() if not (each.startswith("_") or inspect.ismodule(value))]
        raise InputError(f"there is no {name!r} in {path}, only {brief(list_names(public))}: correct the name")
    return getattr(module, name)


def part_path(text: str, folder: str | Path = ".") -> tuple[Path, str]:
    """Split ``FILE.py:NAME`` into the path and the name; see `load_part`."""
    file, _, name = text.rpartition(":")
    if not file.endswith(".py") or not name.isidentifier():
        raise InputError(f"cannot read {shown(text)}: give a built-in name, or FILE.py:NAME such as my_rules.py:kappa")
    path = Path(folder, file)
    if not path.is_file():
        raise InputError(f"there is no file {path}: correct the path of {shown(text)}")
    return path, name


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, followed by those of the files in its folder that it imports."""
    with explain_os_errors("read", path, "check its permissions"):
        return "".join(hashlib.sha256(file.read_bytes()).hexdigest() for file in [path, *_imported_files(path)])


def _imported_files(path: Path) -> list[Path]:
    """Return the modules and packages in a file's folder that it imports, directly or through one another."""
    files = [path]
    for file in files:  # the list grows as it is read
        with suppress(SyntaxError, ValueError):  # running the file reports it
            for name in _imported_names(ast.parse(file.read_bytes())) - {"copi_np"}:
                beside = [path.with_name(f"{name}.py"), *path.with_name(name).rglob("*.py")]
                files += [each for each in beside if each.is_file() and each not in files]
    return sorted(files[1:])


def _imported_names(tree: ast.AST) -> set[str]:
    """Return the top-level modules that code imports, in functions too."""
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.partition(".")[0] for name in names}


@functools.cache
def _module_of(path: Path, digest: str) -> ModuleType:
    """Run a file with this content as a module, once; pickle finds it by name, unless another module has that name."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None  # the path ends in .py
    module = importlib.util.module_from_spec(spec)
    for file in _imported_files(path):
        name = ".".join(file.relative_to(path.parent).with_suffix("").parts).removesuffix(".__init__")
        known = getattr(sys.modules.get(name), "__file__", None)
        if known and Path(known).resolve() == file.resolve():
            del sys.modules[name]  # the file may have changed since it was imported
    is_new = sys.modules.setdefault(path.stem, module) is module
    try:
        # not from Python's cache, which does not see a change within the same second
        exec(compile(path.read_bytes(), path, "exec", dont_inherit=True), vars(module))
    except Exception as error:
        if is_new:
            del sys.modules[path.stem]
        raise DataError(f"{path} cannot be run ({one_line(error)}): correct the file") from error
    return module
