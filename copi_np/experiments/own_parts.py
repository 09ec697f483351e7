"""Parts of your own in configurations of runs: as objects from Python, as ``FILE.py:NAME`` in text.

Records hold text alone: of an object its name, of a file also the SHA-256, so that a run whose file has changed is
another run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from copi_np._parts import describe, file_digest, is_own, label, load_part, named_arguments, part_path
from copi_np.error_signals import ERROR_SIGNALS, SIGNAL_ARGUMENTS, ErrorSignal
from copi_np.errors import DataError, InputError, choose, list_names
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
