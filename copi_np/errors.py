"""The errors of the package: one family, so that one ``except CopiError`` catches them all.

Every message is one line that says what was wrong and what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from signal import Signals
from typing import Final, TypeVar

T = TypeVar("T")
LONGEST: Final = 120
"""Characters of a value, out of a file or from a user, that a message shows."""


class CopiError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(CopiError, ValueError):
    """An argument that cannot be used: a wrong name, shape, type, range or path."""


class OtherPartsError(InputError):
    """A network was saved with other parts of the user's own than were given to load it."""


class InUseError(InputError):
    """A folder that another process is writing to right now."""


class DataError(CopiError):
    """A data file or a checkpoint that is missing, damaged or not what it should be."""


class NewerVersionError(DataError):
    """A file that a newer version of the package has written."""


class BackendError(CopiError, RuntimeError):
    """An array backend that does not work on this machine."""


class DivergenceError(CopiError, ArithmeticError):
    """Training blew up: a loss, weight or activation is not finite, or exploded."""


class StoppedError(CopiError):
    """Training was stopped by a signal, whose number is `signal_number`; what was recorded until then is whole."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {Signals(signal_number).name}: what was finished before is recorded")
        self.signal_number = signal_number

    def __reduce__(self) -> tuple[type[StoppedError], tuple[int]]:
        return type(self), (self.signal_number,)  # so that it reaches another process


class CopiWarning(UserWarning):
    """Something that the package has coped with, and the user should know: what it was, and what was done about it."""


def shown(value: object) -> str:
    """A value in a message: its repr, cut to one line; files may hold integers that Python refuses to print."""
    try:
        return brief(repr(value))
    except (ValueError, RecursionError):
        return f"a {type(value).__name__} too long to show"


def brief(text: object, longest: int = LONGEST) -> str:
    """What an error of another library, or a file, says, in a message: one line, and not a long one."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(text)[: 2 * longest])
    return line if len(line) <= longest else f"{line[:longest]}.."


def one_line(error: BaseException) -> str:
    """An error in one line; with the name of its class, if it is none of this family."""
    text = (str(error).splitlines() or [""])[0]
    return text if isinstance(error, CopiError) else f"{type(error).__name__}: {text}".removesuffix(": ")


def list_names(names: Iterable[str]) -> str:
    """Join names for a message: ``a, b, c``."""
    return ", ".join(names)


def unknown(kind: str, name: object, names: Iterable[str], nearest: str | None = None) -> InputError:
    """The error for a name that is none of `names`; it suggests the nearest, the most similar one if not given."""
    names = list(names)
    text = name.lower()[:LONGEST] if isinstance(name, str) else ""
    similar = get_close_matches(text, names, n=3, cutoff=0.5)
    if nearest is None and similar:
        # swapped letters are the commonest slip, which the similarity alone does not know
        nearest = max(similar, key=lambda candidate: sorted(candidate) == sorted(text))
    hint = f"did you mean {nearest!r}? " if nearest else ""
    return InputError(f"unknown {kind} {shown(name)}: {hint}known: {list_names(names)}")


def cannot_write(path: object, error: OSError) -> DataError:
    """The error for a file that the system refuses to write."""
    return DataError(f"cannot write {path} ({error.strerror}): check the folder, and the space left on it")


def choose(kind: str, name: object, table: Mapping[str, T]) -> T:
    """Look `name` up in `table`.

    Raises
    ------
    InputError
        if there is no such name; the message suggests the nearest one
    """
    if isinstance(name, str) and name in table:
        return table[name]
    raise unknown(kind, name, table)
