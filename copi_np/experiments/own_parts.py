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

from copi_np._finding_parts import file_digest, load_part, part_path
from copi_np._parts import choose_part, describe, is_own, label, named_arguments
from copi_np.activations import ACTIVATIONS
from copi_np.error_signals import SIGNAL_ARGUMENTS, ErrorSignal
from copi_np.errors import DataError, InputError, choose, list_names, one_line
from copi_np.losses import LOSSES
from copi_np.more_signals import ALL_SIGNALS
from copi_np.steps import FORWARD_STEPS, LATERAL_STEPS, forward_step, lateral_step

KINDS: Final[dict[str, Mapping[str, Any]]] = {
    "rule": FORWARD_STEPS,
    "error_signal": ALL_SIGNALS,
    "decorrelation": LATERAL_STEPS,
    "loss": LOSSES,
    "activation": ACTIVATIONS,
    "output_activation": ACTIVATIONS,
}
"""The parts of a network that a run may choose, and their built-in names."""


def is_file(part: Any) -> bool:
    """Return whether a part is text such as "my_rules.py:kappa"."""
    return isinstance(part, str) and part.rpartition(":")[0].endswith(".py")


def is_own_part(part: Any) -> bool:
    """Return whether a part is the user's own: an object, or text that names one."""
    return is_object(part) or is_own(part)


def is_object(part: Any) -> bool:
    """Return whether a part is an object, not text."""
    return part is not None and not isinstance(part, str)


def check_part(kind: str, part: Any) -> None:
    """Raise an InputError unless a part can be used: a built-in name, an object, or ``FILE.py:NAME``, which is run."""
    if not is_own_part(part):
        choose(kind.replace("_", " "), part, KINDS[kind])
    elif is_file(part):
        _for_network(kind, load_part(part))
    elif is_object(part):  # other text comes from a record, which only names its objects
        _for_network(kind, part)


def check_text(part: Any) -> None:
    """Raise an InputError if text from a user is neither a built-in name nor ``FILE.py:NAME``."""
    if is_own(part) and not is_file(part):
        part_path(part)  # raises the error that shows the right form


def object_of(kind: str, text: str) -> Any:
    """Return what ``FILE.py:NAME`` names, as `Network` takes it; raises what `check_part` does."""
    check_text(text)
    return _for_network(kind, load_part(text)) if is_file(text) else text


def _for_network(kind: str, part: Any) -> Any:
    """Check an object, and return it as `Network` takes it: a function of errors becomes an `ErrorSignal`."""
    if kind == "error_signal":
        if isinstance(part, ErrorSignal):
            return part
        named_arguments("error signal", part, SIGNAL_ARGUMENTS)
        return ErrorSignal(label(part), part)
    if kind in ("rule", "decorrelation"):
        (forward_step if kind == "rule" else lateral_step)(part)
        return part
    own = "Loss(name, values, gradient)" if kind == "loss" else "Activation(name, f, df)"
    return choose_part(kind, part, KINDS[kind], own)


def code_digest(parts: Iterable[Any]) -> str:
    """Return one SHA-256 for the files of all parts, and files next to them that these import; "" if there are none."""
    return _digest(file_digest(part_path(part)[0]) for part in parts if is_file(part))


def source_digest(parts: Iterable[Any]) -> str:
    """Return one SHA-256 for the source of all parts that are objects, or "" if there are none.

    Without it, a rule edited in a notebook would be mistaken for its earlier version, and one lambda for another.
    """
    return _digest(_source(part) for part in parts if is_object(part))


def _digest(texts: Iterable[str]) -> str:
    texts = list(texts)
    return hashlib.sha256("".join(texts).encode()).hexdigest() if texts else ""


def _source(part: Any) -> str:
    """Return the source of an object, and the numbers and strings that it uses from outside."""
    if isinstance(part, functools.partial):
        return f"{_source(part.func)} {part.args} {sorted(part.keywords.items())}"
    if isinstance(part, tuple):  # a NamedTuple such as ErrorSignal
        return "".join(_source(each) if callable(each) else str(each) for each in part)
    function = inspect.unwrap(part)
    if (getattr(function, "__module__", None) or "").startswith("copi_np."):
        return describe(part)  # the same in every version of the package
    try:
        text = inspect.getsource(function if inspect.isroutine(function) else type(function))
    except (OSError, TypeError):  # typed at the Python prompt, or compiled
        text = repr(getattr(getattr(function, "__code__", None), "co_code", describe(part)))
    if not inspect.isfunction(function):
        return text
    if function.__name__ == "<lambda>":  # several on one line have the same source
        constants = [value for value in function.__code__.co_consts if _is_plain(value)]
        text += f" {function.__code__.co_code.hex()} {constants}"
    outside = inspect.getclosurevars(function)
    values = {**outside.globals, **outside.nonlocals, "defaults": (function.__defaults__, function.__kwdefaults__)}
    return f"{text} {sorted((name, str(value)) for name, value in values.items() if _is_plain(value))}"


def _is_plain(value: Any) -> bool:
    """Return whether a value is a number or a string, or a tuple or dict of them: its repr is always the same."""
    if isinstance(value, (tuple, dict)):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
    return isinstance(value, (int, float, str, type(None)))


def line_at_fault(parts: Iterable[Any], error: Exception) -> str | None:
    """Say in which line of a part's file an error was raised, or return None if it was raised elsewhere."""
    files = {str(part_path(part)[0].resolve()) for part in parts if is_file(part)}
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    return f"line {lines[-1].lineno} of {lines[-1].filename} failed ({one_line(error)})" if lines else None


def network_part(kind: str, part: Any, digest: str, digest_now: Callable[[], str]) -> Any:
    """Return a part as `Network` takes it, after checking that its file is the recorded one.

    Parameters
    ----------
    kind : str              one of `KINDS`
    part : str or object    as in a `RunConfig`
    digest : str            recorded SHA-256 of the files of all parts
    digest_now : callable   computes it; only called for a part in a file

    Raises
    ------
    InputError      if the file is missing, or a record only names an object
    DataError       if the file, or one that it imports, has changed since the run began
    """
    if not is_own_part(part):
        return part
    if is_object(part):
        return _for_network(kind, part)
    if not is_file(part):
        raise InputError(
            f"this run has its own {kind}, {label(part)} (from {part.partition(':')[0]}): run it from Python"
        )
    if digest_now() != digest:
        changed = f"{part_path(part)[0]} has changed since this run began, or a file that it imports"
        raise DataError(f"{changed}: restore it, or start another run")
    return _for_network(kind, load_part(part))


def plain(part: Any) -> Any:
    """Return a part as it is recorded: as text, or None."""
    return describe(part) if is_object(part) else part


def without_folder(part: Any) -> Any:
    """Return a part as it is recorded, without the folder of its file, which does not affect results."""
    if not is_file(part):
        return plain(part)
    file, _, name = part.rpartition(":")
    return f"{Path(file).name}:{name}"


def with_folder(folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Return values by name, with relative paths of parts in files resolved against a folder."""
    files = {kind: values[kind] for kind in KINDS if is_file(values.get(kind))}
    return values | {kind: str(folder / part) for kind, part in files.items()}


def label_of_parts(parts: Mapping[str, Any]) -> str:
    """Return parts as a label, such as "rule my_dW, decorrelation kappa"."""
    return list_names(f"{kind.replace('_', ' ')} {label(part)}" for kind, part in parts.items())
