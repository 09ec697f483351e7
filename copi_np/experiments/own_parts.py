"""Parts of your own in configurations of runs: as objects from Python, as ``FILE.py:NAME`` in text.

Records hold text alone: the name of an object or a file, and the SHA-256 of its code, so that a run whose code has
changed is another run.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from copi_np._parts import describe, file_digest, is_own, label, load_part, named_arguments, part_path
from copi_np.error_signals import ERROR_SIGNALS, SIGNAL_ARGUMENTS, ErrorSignal
from copi_np.errors import DataError, InputError, choose, list_names, one_line
from copi_np.steps import FORWARD_STEPS, LATERAL_STEPS, forward_step, lateral_step

KINDS: Final[dict[str, Mapping[str, Any]]] = {
    "rule": FORWARD_STEPS,
    "error_signal": ERROR_SIGNALS,
    "decorrelation": LATERAL_STEPS,
}
"""The parts of a method, and their built-in names."""


def is_file(part: Any) -> bool:
    """Return whether a part is text such as "my_rules.py:kappa"."""
    return isinstance(part, str) and part.rpartition(":")[0].endswith(".py")


def is_own_part(part: Any) -> bool:
    """Return whether a part is the user's own: an object, or text that names one."""
    return part is not None and (not isinstance(part, str) or is_own(part))


def check_part(kind: str, part: Any) -> None:
    """Raise an InputError unless a part can be used: a built-in name, an object, or ``FILE.py:NAME``; files are run."""
    if isinstance(part, str) and not is_own(part):
        choose(kind.replace("_", " "), part, KINDS[kind])
    elif not isinstance(part, str) or is_file(part):  # other text is the name of an object, from a record
        _checked(kind, load_part(part) if is_file(part) else part)


def check_text(part: Any) -> None:
    """Raise an InputError for text that a user gives for a part, if it is neither a name nor ``FILE.py:NAME``."""
    if is_own(part) and not is_file(part):
        part_path(part)  # which says what form it must have


def _checked(kind: str, part: Any) -> Any:
    """Return a part that `Network` takes; a function that sends errors down becomes an `ErrorSignal`."""
    if kind == "error_signal":
        if isinstance(part, ErrorSignal):
            return part
        named_arguments("error signal", part, SIGNAL_ARGUMENTS)
        return ErrorSignal(label(part), part)
    (forward_step if kind == "rule" else lateral_step)(part)
    return part


def code_digest(parts: Iterable[Any]) -> str:
    """Return one SHA-256 for all files that parts name, or "" if they name none."""
    digests = [file_digest(part_path(part)[0]) for part in parts if is_file(part)]
    return hashlib.sha256("".join(digests).encode()).hexdigest() if digests else ""


def source_digest(parts: Iterable[Any]) -> str:
    """Return one SHA-256 for the source of all objects among parts, or "" if there are none.

    Without it, a rule that was edited in a notebook, or a second lambda, would be taken for the first.
    """
    sources = [_source(part) for part in parts if is_own_part(part) and not isinstance(part, str)]
    return hashlib.sha256("".join(sources).encode()).hexdigest() if sources else ""


def _source(part: Any) -> str:
    """Return the source of a part, with the numbers and texts that it takes from outside itself."""
    if isinstance(part, functools.partial):
        return f"{_source(part.func)} {part.args} {sorted(part.keywords.items())}"
    if isinstance(part, tuple):  # a NamedTuple such as ErrorSignal
        return "".join(_source(each) if callable(each) else str(each) for each in part)
    function = inspect.unwrap(part)
    if (getattr(function, "__module__", None) or "").startswith("copi_np."):
        return describe(part)  # the same in every version of the package
    try:
        text = inspect.getsource(function if inspect.isroutine(function) else type(function))
    except (OSError, TypeError):  # typed at a prompt, or compiled
        text = repr(getattr(getattr(function, "__code__", None), "co_code", describe(part)))
    if not inspect.isfunction(function):
        return text
    if function.__name__ == "<lambda>":  # several may stand on one line, and so have one source
        constants = [value for value in function.__code__.co_consts if _is_plain(value)]
        text += f" {function.__code__.co_code.hex()} {constants}"
    outside = inspect.getclosurevars(function)
    values = {**outside.globals, **outside.nonlocals, "defaults": (function.__defaults__, function.__kwdefaults__)}
    return f"{text} {sorted((name, str(value)) for name, value in values.items() if _is_plain(value))}"


def _is_plain(value: Any) -> bool:
    """Return whether a value is a number or a text, or a tuple or dict of them, which always reads the same."""
    if isinstance(value, (tuple, dict)):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
    return isinstance(value, (int, float, str, type(None)))


def line_at_fault(parts: Iterable[Any], error: Exception) -> str | None:
    """Say in which line of a part's file an error was raised, or return None if it was raised elsewhere."""
    files = {str(part_path(part)[0].resolve()) for part in parts if is_file(part)}
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    return f"line {lines[-1].lineno} of {lines[-1].filename} failed ({one_line(error)})" if lines else None


def usable(kind: str, part: Any, digest: str, digest_now: Callable[[], str]) -> Any:
    """Return a part as `Network` takes it, once its file is known to be the one on record.

    Raises
    ------
    InputError      if the file is missing, or a record only names an object
    DataError       if the file has changed since the run began
    """
    if not is_own_part(part):
        return part
    if not isinstance(part, str):
        return _checked(kind, part)
    if not is_file(part):
        raise InputError(
            f"this run has its own {kind}, {label(part)} (from {part.partition(':')[0]}): run it from Python"
        )
    if digest_now() != digest:
        raise DataError(f"{part_path(part)[0]} has changed since this run began: restore it, or start another run")
    return _checked(kind, load_part(part))


def plain(part: Any) -> Any:
    """Return a part as it is recorded: text."""
    return part if part is None or isinstance(part, str) else describe(part)


def without_folder(part: Any) -> Any:
    """Return the text of a part without the folder of its file, which is no part of what it computes."""
    if not is_file(part):
        return plain(part)
    file, _, name = part.rpartition(":")
    return f"{Path(file).name}:{name}"


def relative_to(folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a preset, with the files of parts relative to the preset's folder."""
    files = {kind: values[kind] for kind in KINDS if is_file(values.get(kind))}
    return values | {kind: str(folder / part) for kind, part in files.items()}


def absolute(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return parts with absolute paths of their files: workers may have another current folder."""
    return {kind: str(Path(part).absolute()) if is_file(part) else part for kind, part in parts.items()}


def described(parts: Mapping[str, Any]) -> str:
    """Name parts in a label, such as "rule my_dW, decorrelation kappa"."""
    return list_names(f"{kind.replace('_', ' ')} {label(part)}" for kind, part in parts.items())
