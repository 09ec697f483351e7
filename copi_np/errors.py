"""The errors of the package: one family, so that one ``except CopiError`` catches them all.

Every message is one line that says what went wrong and what to do about it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from signal import Signals
from typing import Final, TypeVar

T = TypeVar("T")
LONGEST: Final = 120
"""How many characters of a value a message shows, whether it comes from a file or a user."""
OS_ADVICE: Final = {
    "read": "check the path and its permissions",
    "write": "check the folder, and the space left on it",
}
"""What to do when the system refuses an action."""


class CopiError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(CopiError, ValueError):
    """An argument with an invalid name, shape, type, range or path."""


class OtherPartsError(InputError):
    """The user's own parts given to load a network are not those that it was saved with."""


class InUseError(InputError):
    """A folder that another process is writing to right now."""


class DataError(CopiError):
    """A data file or a checkpoint that is missing, damaged or of the wrong kind."""


class NewerVersionError(DataError):
    """A file written by a newer version of the package."""


class BackendError(CopiError, RuntimeError):
    """An array backend that does not work on this machine."""


class DivergenceError(CopiError, ArithmeticError):
    """Training diverged: a loss, weight or activation exploded or is not finite."""


class StoppedError(CopiError):
    """Training was stopped by the signal `signal_number`; all its records so far are complete."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {Signals(signal_number).name}: everything finished so far is recorded")
        self.signal_number = signal_number

    def __reduce__(self) -> tuple[type[StoppedError], tuple[int]]:
        return type(self), (self.signal_number,)  # so that it can be pickled on its way to another process


class CopiWarning(UserWarning):
    """A problem that the package has handled; says what happened, and what was done about it."""


def shown(value: object) -> str:
    """Return the repr of a value, cut to one short line; Python refuses to print some integers that files may hold."""
    try:
        return brief(repr(value))
    except (ValueError, RecursionError):
        return f"a {type(value).__name__} too long to show"


def brief(text: object, longest: int = LONGEST) -> str:
    """Cut text from a file or another library's error to one short, printable line."""
    line = "".join(character if character.isprintable() else " " for character in str(text)[: 2 * longest])
    return line if len(line) <= longest else f"{line[:longest]}.."


def one_line(error: BaseException) -> str:
    """Describe an error in one line, with the name of its class unless it is a `CopiError`."""
    text = (str(error).splitlines() or [""])[0]
    return text if isinstance(error, CopiError) else f"{type(error).__name__}: {text}".removesuffix(": ")


def list_names(names: Iterable[str]) -> str:
    """Join names for a message: ``a, b, c``."""
    return ", ".join(names)


def unknown(kind: str, name: object, names: Iterable[str], nearest: str | None = None) -> InputError:
    """Build the error for a name that is not in `names`; it suggests `nearest`, by default the most similar one."""
    names = list(names)
    text = name.lower()[:LONGEST] if isinstance(name, str) else ""
    lowered = {known.lower(): known for known in names}
    similar = get_close_matches(text, lowered, n=3, cutoff=0.5)
    if nearest is None and similar:
        # swapped letters are the most common typo, and the similarity alone does not favour them
        nearest = lowered[max(similar, key=lambda candidate: sorted(candidate) == sorted(text))]
    hint = f"did you mean {nearest!r}? " if nearest else ""
    return InputError(f"unknown {kind} {shown(name)}: {hint}known: {list_names(names)}")


@contextmanager
def explain_os_errors(
    action: str, path: object, advice: str | None = None, kind: type[CopiError] = DataError
) -> Iterator[None]:
    """Turn any OSError of the block into one line: what failed, on which path, why, and what to do about it.

    Parameters
    ----------
    action : str                what the block does with the path: "read", "write", "write to"
    path : path
    advice : str, optional      what to do about it, by default as in `OS_ADVICE`
    kind : type                 the class of the error that is raised
    """
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise kind(f"cannot {action} {path} ({why}): {advice or OS_ADVICE[action]}") from None


@contextmanager
def warn_if_it_fails(what: str) -> Iterator[None]:
    """Turn any error of the block into a one-line `CopiWarning`, so that it does not cost more important results.

    Parameters
    ----------
    what : str      starts the line, such as "no figure fig2.png"
    """
    try:
        yield
    except Exception as error:  # other libraries raise every kind
        warnings.warn(f"{what}: {one_line(error)}", CopiWarning, stacklevel=4)


def choose(kind: str, name: object, table: Mapping[str, T]) -> T:
    """Look `name` up in `table`.

    Raises
    ------
    InputError      if there is no such name; the message suggests the most similar one
    """
    if isinstance(name, str) and name in table:
        return table[name]
    raise unknown(kind, name, table)
