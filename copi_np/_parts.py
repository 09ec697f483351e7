"""Your own parts: functions and objects that you pass in place of built-in names.

Which arguments a function asks for, by the names of its parameters; what a part is called in files and messages; and
how a part is found again, in a file ``FILE.py:NAME`` or among what you pass when you load a network.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MethodType, ModuleType
from typing import Any, Final, TypeVar

import numpy as np

from copi_np.arrays import Array, check_like, read_only
from copi_np.errors import (
    DataError,
    InputError,
    OtherPartsError,
    brief,
    choose,
    explain_os_errors,
    list_names,
    one_line,
    shown,
)

T = TypeVar("T")
IMPORTABLE: Final = ("copi_np.rules",)
"""Modules whose public functions need not be passed again: a file cannot have anything else imported."""


# ------------------------------------------------------------------------------------------- what a function asks for


def named_arguments(what: str, function: Any, known: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the arguments that a function asks for.

    These are its parameters without a default. A parameter with a default is left alone, whatever its name.

    Parameters
    ----------
    what : str              for messages, such as "rule"
    function : callable     a function, method, partial, or an instance with ``__call__``
    known : names           what it may ask for

    Returns
    -------
    names : tuple of str

    Raises
    ------
    InputError              if it is a class or not callable, asks for something unknown, or takes *args, **kwargs or
                            positional-only arguments
    """
    if inspect.isclass(function):
        raise InputError(f"{what} must be an instance, not the class {function.__name__}: pass {function.__name__}(..)")
    if not callable(function):
        raise InputError(f"{what} must be a function of any of {list_names(known)}: got {shown(function)}")
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        advice = f"wrap it in a function of any of {list_names(known)}"
        raise InputError(f"cannot read the parameters of {what} {label(function)}: {advice}") from error
    names = []
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            wrong = f"takes {'*' if parameter.kind == parameter.VAR_POSITIONAL else '**'}{parameter.name}"
        elif parameter.default is not parameter.empty:
            continue
        elif parameter.kind == parameter.POSITIONAL_ONLY:
            wrong = f"takes {parameter.name!r} by position only"
        elif parameter.name not in known:
            wrong = f"asks for {parameter.name!r}"
        else:
            names.append(parameter.name)
            continue
        raise InputError(f"{what} {label(function)} {wrong}: name its parameters, any of {list_names(known)}")
    return tuple(names)


def choose_part(argument: str, part: Any, table: Mapping[str, T], own: str) -> T:
    """Return the built-in part of a name, or the user's own part as it is.

    Parameters
    ----------
    argument : str          what the part was passed as, such as "error_signal", for messages
    part : str or object    a name in `table`, or an instance of the class of the table's values
    table : mapping         the built-in parts by name
    own : str               how to make an own part, for messages

    Raises
    ------
    InputError              if it is neither, or its name is not a string
    """
    if isinstance(part, type(next(iter(table.values())))):
        if not isinstance(part.name, str):  # type: ignore[attr-defined]
            raise InputError(f"the name of an own {argument} must be a string: got {shown(part.name)}")  # type: ignore[attr-defined]
        return part
    if not isinstance(part, str):
        raise InputError(f"{argument} must be one of {list_names(table)}, or {own}: got {shown(part)}")
    return choose(argument.replace("_", " "), part, table)


def explain_impure(kind: str, part: Any, error: ValueError) -> None:
    """Raise an InputError that names the part if it wrote to a read-only array, see `arrays.read_only`."""
    if "read-only" in str(error) and not isinstance(error, InputError):
        raise InputError(f"{kind} {label(part)} changes its read-only arguments in place: change copies") from error


def check_function(kind: str, part: Any, function: Any, arguments: Sequence[Array], like: Array) -> None:
    """Call an elementwise function of an own part once, and raise an InputError unless it returns an array like `like`.

    Parameters
    ----------
    kind : str              for messages, such as "f of activation"
    part : object           the part, for messages
    function : callable
    arguments : arrays      by position; it must not change them
    like : array            has the library, shape, dtype and device that are needed
    """
    if not callable(function):
        raise InputError(f"{kind} {label(part)} must be a function: got {shown(function)}")
    try:
        returned = function(*map(read_only, arguments))
    except ValueError as error:
        explain_impure(kind, part, error)
        raise
    check_like(f"{kind} {label(part)} returned", returned, like)


# --------------------------------------------------------------------------------------------- what a part is called


def describe(part: Any) -> str:
    """Return the name under which a part is recorded: "module:qualified name", with the settings that it holds.

    For example "my_rules:kappa", "__main__:<lambda>", "my_rules:kappa(c=2)" for a partial, "my_rules:softplus" for an
    `Activation`, `Loss` or `ErrorSignal` named "softplus".
    """
    if isinstance(part, functools.partial):
        values = [_setting(value) for value in part.args]
        return f"{describe(part.func)}({list_names([*values, *named_settings(part.keywords)])})"
    if isinstance(part, MethodType) and not inspect.isclass(part.__self__):
        settings = named_settings(settings_of(part.__self__))
        return f"{part.__module__}:{part.__qualname__}" + (f"({list_names(settings)})" if settings else "")
    if isinstance(part, tuple):  # a NamedTuple: a name, then functions; the first says which module it is from
        return f"{getattr(part[1], '__module__', None) or 'unknown'}:{part[0]}"
    if hasattr(part, "__qualname__"):
        return f"{getattr(part, '__module__', None) or 'unknown'}:{part.__qualname__}"
    # a step is recorded with the settings that it was passed with, since it may change them as it learns
    settings = getattr(part, "passed_settings", None) or named_settings(settings_of(part))
    return f"{type(part).__module__}:{type(part).__qualname__}({list_names(settings)})"


def named_settings(settings: Mapping[str, Any]) -> list[str]:
    """Return settings as text, "beta=0.9" each."""
    return [f"{name}={_setting(value)}" for name, value in settings.items()]


def _setting(value: Any) -> str:
    """Return the text of a setting, which must be the same in every process: without addresses in memory."""
    if isinstance(value, np.ndarray):
        return f"array {hashlib.sha256(repr((value.dtype.str, value.shape, value.tolist())).encode()).hexdigest()[:8]}"
    if callable(value):
        return label(value)
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return brief(re.sub(r" at 0x[0-9a-fA-F]+", "", text), 40)


def settings_of(instance: Any) -> dict[str, Any]:
    """Return the arguments of an instance's constructor that it keeps as attributes of the same names."""
    try:
        names = inspect.signature(type(instance)).parameters
    except (TypeError, ValueError):
        return {}
    return {name: getattr(instance, name) for name in names if hasattr(instance, name)}


def label(part: Any) -> str:
    """Return a part's name without its module, for messages, tables and figures."""
    description = part if isinstance(part, str) else describe(part)
    return name_of(description) if is_own(description) else description


def name_of(description: str) -> str:
    """Return the qualified name in a description, "kappa" of "my_rules:kappa"."""
    return description.partition(":")[2]


def is_own(description: Any) -> bool:
    """Return whether a recorded value describes a user's own part, not a built-in one."""
    return isinstance(description, str) and ":" in description


# -------------------------------------------------------------------------------------------- how a part is found again


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
            self._candidates.setdefault(_kind(argument), []).extend(own_parts(part))
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
        found = [part for part in own_parts(expected) if _has_name(part, recorded)]
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


def own_parts(part: Any) -> list[Any]:
    """Return one part or a list of them as a list, without built-in names and None."""
    parts = part if is_list(part) else [part]
    return [each for each in parts if callable(each) or isinstance(each, tuple) or hasattr(each, "restore")]


def load_part(text: str, folder: str | Path = ".") -> Any:
    """Return the object that ``FILE.py:NAME`` names.

    Parameters
    ----------
    text : str          split at the last colon
    folder : path       which FILE is relative to

    Raises
    ------
    InputError          if it is not of that form, the file does not exist, or has no such name
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
    """Return the SHA-256 of a file."""
    with explain_os_errors("read", path, "check its permissions"):
        return hashlib.sha256(path.read_bytes()).hexdigest()


@functools.cache
def _module_of(path: Path, digest: str) -> ModuleType:
    """Run a file with this content as a module, once; pickle finds it by name, unless another module has that name."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None  # the path ends in .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    is_new = sys.modules.setdefault(path.stem, module) is module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        if is_new:
            del sys.modules[path.stem]
        raise DataError(f"{path} cannot be run ({one_line(error)}): correct the file") from error
    return module


def per_layer(what: str, part: Any, n_layers: int) -> list[Any]:
    """Return a list with one part per layer: the same for all, or those of a given list."""
    parts = list(part) if is_list(part) else [part] * n_layers
    if len(parts) != n_layers:
        raise InputError(
            f"{what} must be one for all layers, or a list of {n_layers}, one per layer: got {shown(part)}"
        )
    return parts


def is_list(part: Any) -> bool:
    """Return whether a part is a list or tuple of parts; a NamedTuple, which has a name, is one part."""
    return isinstance(part, list) or (isinstance(part, tuple) and not hasattr(part, "name"))


def one_or_list(parts: Iterable[Any]) -> Any:
    """Return the part itself if all are the same, otherwise all of them as a list."""
    parts = list(parts)
    return parts[0] if all(_is_same(part, parts[0]) for part in parts) else parts


def _is_same(one: Any, other: Any) -> bool:
    """Return whether two parts are the same object, or equal where that can be said: arrays in objects may not be."""
    return one is other or (isinstance(one, (str, tuple, MethodType)) and bool(one == other))


def call_by_name(function: Callable[..., Any], names: Iterable[str], values: Any) -> Any:
    """Call a function with the attributes of `values` that `names` lists."""
    return function(**{name: getattr(values, name) for name in names})


def check_picklable(kind: str, part: Any) -> None:
    """Raise an InputError if pickle could not find a part again: it stores functions by name, so no lambdas."""
    for each in part if isinstance(part, list) else [part]:
        functions = [field for field in each if callable(field)] if isinstance(each, tuple) else [each]
        for function in functions:
            while isinstance(function, functools.partial):
                function = function.func
            function = getattr(function, "__func__", function)  # of a method
            if callable(function) and not _is_found_by_name(function):
                advice = "define it with def, at the top level of a module"
                raise InputError(f"{kind} {label(each)} cannot be pickled, since pickle stores only its name: {advice}")


def _is_found_by_name(part: Any) -> bool:
    """Return whether a function, or the class of an instance, can be found in its module under its name."""
    named = part if hasattr(part, "__qualname__") else type(part)
    found: Any = sys.modules.get(named.__module__)
    for name in named.__qualname__.split("."):
        found = getattr(found, name, None)
    return getattr(found, "__func__", found) is named  # a class gives its class methods bound
