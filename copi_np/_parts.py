"""Your own parts: functions and objects that you pass in place of built-in names.

This reads which arguments a function asks for, by the names of its parameters, names parts in files and messages, and
turns one part into one per layer. `_finding_parts` finds the parts again.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FunctionType, MethodType
from typing import Any, TypeVar

import numpy as np

from copi_np.arrays import Array, check_like, read_only
from copi_np.errors import (
    InputError,
    brief,
    choose,
    list_names,
    shown,
)

T = TypeVar("T")


# ------------------------------------------------------------------------------------------- what a function asks for


def named_arguments(what: str, function: Any, known: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the arguments that a function asks for.

    These are its parameters without a default. A parameter with a default keeps it, whatever its name.

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
    except (TypeError, ValueError):
        advice = f"wrap it in a function of any of {list_names(known)}"
        raise InputError(f"cannot read the parameters of {what} {label(function)}: {advice}") from None
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
    own : str               how to make such a part, for messages

    Raises
    ------
    InputError              if it is neither, or its name is not a string
    """
    if isinstance(part, type(next(iter(table.values())))):
        if not isinstance(part.name, str):  # type: ignore[attr-defined]
            raise InputError(f"the name of your {argument} must be a string: got {shown(part.name)}")  # type: ignore[attr-defined]
        return part
    if not isinstance(part, str):
        raise InputError(f"{argument} must be one of {list_names(table)}, or {own}: got {shown(part)}")
    return choose(argument.replace("_", " "), part, table)


def explain_impure(kind: str, part: Any, error: ValueError) -> None:
    """Raise an InputError that names the part if it wrote to a read-only array, see `arrays.read_only`."""
    if "read-only" in str(error) and not isinstance(error, InputError):
        raise InputError(f"{kind} {label(part)} changes its read-only arguments in place: change copies") from error


def check_function(kind: str, part: Any, function: Any, arguments: Sequence[Array], like: Array) -> None:
    """Call an elementwise function of a user's part once; raise an InputError unless it returns an array like `like`.

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
    `Activation`, `Loss` or `ErrorSignal` named "softplus", "my_rules:make.<locals>.rule(c=2)" for what make(2) returns.
    """
    settings = _settings(part)
    named = part.func if isinstance(part, functools.partial) else part
    if isinstance(named, tuple):  # a NamedTuple: a name, then functions; the first says which module it is from
        name = f"{getattr(named[1], '__module__', None) or 'unknown'}:{named[0]}"
    else:
        named = named if hasattr(named, "__qualname__") else type(named)
        name = f"{getattr(named, '__module__', None) or 'unknown'}:{named.__qualname__}"
    is_call = settings or not (isinstance(part, tuple) or hasattr(part, "__qualname__"))
    return f"{name}({list_names(settings)})" if is_call else name


def _settings(part: Any) -> list[str]:
    """Return the settings that a part holds, as text."""
    if isinstance(part, functools.partial):
        return [*_settings(part.func), *map(_setting, part.args), *named_settings(part.keywords)]
    if isinstance(part, tuple):  # what its functions hold, which often is the same
        return list(dict.fromkeys(text for each in part if callable(each) for text in _settings(each)))
    if isinstance(part, MethodType):
        return _settings(part.__self__)
    if inspect.isfunction(part):
        return named_settings(_enclosed(part))
    # a step is recorded with the settings that it was passed with, since it may change them as it learns
    passed = list(getattr(part, "passed_settings", ()))
    return [] if hasattr(part, "__qualname__") else passed or named_settings(settings_of(part))


def _enclosed(function: FunctionType) -> dict[str, Any]:
    """Return the numbers and text that tell apart the functions that a function or a loop makes under one name.

    These are the variables that they take from outside, except those that they set, and the defaults of parameters.
    """
    values = dict(inspect.getclosurevars(function).nonlocals)
    if "<" in function.__qualname__:  # "<locals>" or "<lambda>"
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
        values |= {each.name: each.default for each in parameters}
    changing = {each.argval for each in dis.get_instructions(function) if each.opname == "STORE_DEREF"}
    return {name: value for name, value in values.items() if _is_plain(value) and name not in changing}


def _is_plain(value: Any) -> bool:
    """Return whether a value is a number or text, or a tuple of them: it cannot change."""
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, (int, float, complex, str, np.generic))


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
    kept = (name for name in names if not callable(getattr(type(instance), name, None)))  # methods are not settings
    return {name: getattr(instance, name) for name in kept if hasattr(instance, name)}


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


# ------------------------------------------------------------------------------------------------- of all layers


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
    """Return whether two parts are the same object, or equal if they can be compared, unlike objects with arrays."""
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
