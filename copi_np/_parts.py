"""Parts of your own: functions and objects that you give where the package offers names.

Which arguments a function asks for, by the names of its parameters; what a part is called in files and messages; and
how a part is found again, in a file ``FILE.py:NAME`` or among what you give when you load a network.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import inspect
import pickle
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from copi_np.errors import DataError, InputError, OtherPartsError, brief, list_names, one_line, shown

FOUND_BY_THEMSELVES: Final = ("copi_np.rules",)
"""Modules whose public functions are found again without being given: a file can name nothing else to be imported."""


# ------------------------------------------------------------------------------------------- what a function asks for


def named_arguments(what: str, function: Any, known: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the arguments that a function asks for.

    These are its parameters without a default. A parameter with a default is left alone, whatever its name.

    Parameters
    ----------
    what : str              such as "rule", for messages
    function : callable     a function, method, partial, or an instance with ``__call__``
    known : names           what it may ask for

    Returns
    -------
    names : tuple of str

    Raises
    ------
    InputError              if it is not callable, a class, asks for something unknown, or takes arguments by position
    """
    if inspect.isclass(function):
        raise InputError(f"{what} must be an instance, not the class {function.__name__}: give {function.__name__}(..)")
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


# --------------------------------------------------------------------------------------------- what a part is called


def describe(part: Any) -> str:
    """Return the name under which a part is recorded: "module:qualified name", with the settings that it holds.

    For example "my_rules:kappa", "__main__:<lambda>", "my_rules:kappa(c=2)" for a partial, "my_rules:softplus" for an
    `Activation`, `Loss` or `ErrorSignal` named "softplus".
    """
    if isinstance(part, functools.partial):
        values = [brief(repr(value), 40) for value in part.args]
        values += [f"{name}={brief(repr(value), 40)}" for name, value in part.keywords.items()]
        return f"{describe(part.func)}({list_names(values)})"
    if isinstance(part, tuple):  # a NamedTuple of functions with a name: the first of them says where it is from
        return f"{getattr(part[1], '__module__', None) or 'unknown'}:{part[0]}"
    if hasattr(part, "__qualname__"):
        return f"{getattr(part, '__module__', None) or 'unknown'}:{part.__qualname__}"
    values = [f"{name}={brief(repr(value), 40)}" for name, value in settings_of(part).items()]
    return f"{type(part).__module__}:{type(part).__qualname__}({list_names(values)})"


def settings_of(instance: Any) -> dict[str, Any]:
    """Return the arguments of an instance's constructor, as far as attributes of the same names keep them."""
    try:
        names = inspect.signature(type(instance)).parameters
    except (TypeError, ValueError):
        return {}
    return {name: getattr(instance, name) for name in names if hasattr(instance, name)}


def label(part: Any) -> str:
    """Return a part's name without its module, for messages, tables and figures."""
    return (
        part
        if isinstance(part, str) and ":" not in part
        else name_of(part if isinstance(part, str) else describe(part))
    )


def name_of(description: str) -> str:
    """Return the qualified name in a description, "kappa" of "my_rules:kappa"."""
    return description.partition(":")[2]


def is_own(description: Any) -> bool:
    """Return whether a recorded value describes a part of the user's own, not a built-in name."""
    return isinstance(description, str) and ":" in description


# -------------------------------------------------------------------------------------------- how a part is found again


class Given:
    """The parts that a user gives to load a network, to be matched with what a file records.

    Parameters
    ----------
    parts : mapping     from "rule", "activation", .. to a part, a list of parts, or None
    """

    def __init__(self, parts: Mapping[str, Any]) -> None:
        self._candidates: dict[str, list[Any]] = {}
        for kind, part in parts.items():
            self._candidates.setdefault(_kind(kind), []).extend(_candidates(part))
        self._used: set[str] = set()
        self._missing: dict[str, str] = {}

    def find(self, kind: str, recorded: Any) -> Any:
        """Return the part for what is recorded, itself where it is built in, or a list of parts for a list."""
        kind = _kind(kind)
        if isinstance(recorded, list):
            return [self.find(kind, each) for each in recorded]
        if not is_own(recorded):
            return recorded
        for part in self._candidates.get(kind, []):
            if name_of(describe(part)) == name_of(recorded):
                self._used.add(name_of(recorded))
                return part
        module, _, name = recorded.partition(":")
        if module in FOUND_BY_THEMSELVES and name.isidentifier() and not name.startswith("_"):
            found = getattr(importlib.import_module(module), name, None)
            if inspect.isfunction(found) and found.__module__ == module:
                return found
        self._missing.setdefault(kind, recorded)
        return recorded

    def check_complete(self) -> None:
        """Raise an InputError if a part is missing, or one was given that the file does not name."""
        if self._missing:
            missing = [(kind, *each.split(":", 1)) for kind, each in self._missing.items()]
            were = list_names(f"{kind} {name} (from {module})" for kind, module, name in missing)
            give = list_names(f"{kind}={name}" for kind, _, name in missing)
            raise OtherPartsError(f"saved with parts of your own, {were}: give them again, load_network(path, {give})")
        for kind, parts in self._candidates.items():
            for part in parts:
                if name_of(describe(part)) not in self._used:
                    raise OtherPartsError(f"the file was not saved with {kind} {label(part)}: leave out {kind}=")


def _kind(name: str) -> str:
    """Return the kind of a part by the name of its argument: the output layer has an activation like others."""
    return name.removeprefix("output_")


def _candidates(part: Any) -> list[Any]:
    """Return one part, or several, as a list; built-in names need not be given."""
    parts = part if isinstance(part, list) else [part]
    return [each for each in parts if callable(each) or isinstance(each, tuple) or hasattr(each, "restore")]


def load_part(text: str, folder: str | Path = ".") -> Any:
    """Return the object that ``FILE.py:NAME`` names.

    Parameters
    ----------
    text : str          split at the last colon
    folder : path       which FILE is relative to

    Raises
    ------
    InputError          if it is not of that form, or there is no such file or name in it
    DataError           if the file cannot be run
    """
    path, name = part_path(text, folder)
    module = _module_of(path.resolve())
    if not hasattr(module, name):
        public = [each for each in vars(module) if not each.startswith("_")]
        raise InputError(f"there is no {name!r} in {path}, only {brief(list_names(public))}: correct the name")
    return getattr(module, name)


def part_path(text: str, folder: str | Path = ".") -> tuple[Path, str]:
    """Return the file and the name of ``FILE.py:NAME``; see `load_part`."""
    file, _, name = text.rpartition(":")
    if not file.endswith(".py") or not name.isidentifier():
        raise InputError(f"cannot read {shown(text)}: give a built-in name, or FILE.py:NAME such as my_rules.py:kappa")
    path = Path(folder, file)
    if not path.is_file():
        raise InputError(f"there is no file {path}: correct the path of {shown(text)}")
    return path, name


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}): check its permissions") from error


@functools.cache
def _module_of(path: Path) -> ModuleType:
    """Run a file as a module, once; it can be imported by name from then on, for pickle, unless another one can."""
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
    """Return one part for each layer: the same for all, or those of a list."""
    # a tuple may be a list of parts; a NamedTuple, which has names, is one part
    is_list = isinstance(part, list) or (isinstance(part, tuple) and not hasattr(part, "name"))
    parts = list(part) if is_list else [part] * n_layers
    if len(parts) != n_layers:
        raise InputError(
            f"{what} must be one for all layers, or a list of {n_layers}, one per layer: got {shown(part)}"
        )
    return parts


def one_or_list(values: Iterable[Any]) -> Any:
    """Return the value that all have in common, or else all of them as a list."""
    values = list(values)
    return values[0] if all(value == values[0] for value in values) else values


def call_by_name(function: Callable[..., Any], names: Iterable[str], values: Any) -> Any:
    """Call a function with the attributes of `values` that it names."""
    return function(**{name: getattr(values, name) for name in names})


def check_picklable(kind: str, part: Any) -> None:
    """Raise an InputError if pickle cannot store a part: it stores functions by reference, and so no lambdas."""
    if isinstance(part, (str, int, type(None))):
        return
    for each in part if isinstance(part, list) else [part]:
        try:
            pickle.dumps(each)
        except Exception as error:
            advice = "define it with def, at the top level of a module"
            raise InputError(f"{kind} {label(each)} cannot be pickled ({brief(error)}): {advice}") from error
