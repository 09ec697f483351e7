"""Judge exercises: each has a function that examines the answer, and raises a `Hint` if it is wrong.

These functions are in the modules `lesson_00`, `lesson_01`, .., one module for each notebook.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from textwrap import fill
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from copi_np.errors import InputError, list_names, unknown

Judge = Callable[[Any], str]
Array = npt.NDArray[Any]

_EXERCISES: Final[dict[str, Exercise]] = {}


class Hint(Exception):  # noqa: N818 - reads well where it is raised: raise Hint("...")
    """An answer is wrong; the message helps the student to correct it."""


class NotDone(Exception):  # noqa: N818
    """There is no answer yet."""


class Exercise(NamedTuple):
    """The function that judges an answer, and a first hint for students who have not started."""

    judge: Judge
    first_hint: str


class Verdict(NamedTuple):
    """The result of `check`; a notebook shows its message, in lines of 80 characters."""

    exercise: str
    passed: bool
    message: str

    def __repr__(self) -> str:
        return fill(self.message, 80, break_long_words=False, break_on_hyphens=False)


def exercise(number: str, first_hint: str) -> Callable[[Judge], Judge]:
    """Register the function that judges exercise `number`, such as "02.1".

    The function takes the answer. It raises `Hint` if the answer is wrong and `NotDone` if there is none, and returns a
    sentence that says what the right answer means.
    """

    def register(judge: Judge) -> Judge:
        _EXERCISES[number] = Exercise(judge, first_hint)
        return judge

    return register


def exercises(lesson: str) -> dict[str, Exercise]:
    """Return the exercises of a lesson, such as "02", by number."""
    name = f"copi_np.course.lesson_{lesson}"
    if lesson.isdecimal() and find_spec(name) is not None:
        import_module(name)
    return {number: _EXERCISES[number] for number in sorted(_EXERCISES) if number.startswith(f"{lesson}.")}


def check(number: str, answer: object) -> Verdict:
    """Judge the answer to an exercise of the course.

    Parameters
    ----------
    number : str        of the exercise, such as "02.1": the notebook's number, then the exercise's
    answer : object     what the exercise asks for: a function, a number, an array, a letter

    Returns
    -------
    verdict : Verdict   whether it passed, with a message: what the right answer means, or a hint

    Raises
    ------
    InputError          if there is no such exercise
    """
    known = exercises(str(number).partition(".")[0])
    if number not in known:
        raise unknown("exercise", number, known) if known else InputError(f"there is no exercise {number!r}")
    try:
        if answer is ... or answer is None:
            raise NotDone
        praise = known[number].judge(answer)
    except NotDone:
        return Verdict(number, False, f"{number}: not done yet. {known[number].first_hint}")
    except Hint as hint:
        return Verdict(number, False, f"{number}: not yet. {hint}")
    return Verdict(number, True, f"{number}: right. {praise}")


# ------------------------------------------------------------------------------------------- for the lessons' use


def call(answer: object, *arguments: Any) -> Any:
    """Call the student's function with copies of the arguments, and return its result.

    Raises
    ------
    Hint        if it is not a function, raises an error, or changes an argument in place
    NotDone     if it returns nothing
    """
    if not callable(answer):
        raise Hint(f"This exercise asks for a function, but your answer is of type {type(answer).__name__}.")
    copies = [np.array(a) if isinstance(a, np.ndarray) else a for a in arguments]
    try:
        result = answer(*copies)
    except Exception as error:  # a student's code may raise anything
        raise Hint(f"Your function raised {type(error).__name__}: {error}") from error
    if result is None or result is ...:
        raise NotDone
    for given, copy in zip(arguments, copies, strict=True):
        if isinstance(given, np.ndarray) and not np.array_equal(given, copy):
            raise Hint("Your function changes one of its arguments in place. Work on a copy and return a new array.")
    return result


def as_array(answer: Any, shape: tuple[int, ...]) -> Array:
    """Return the answer as a float array of this shape, () for a number, or raise a `Hint` if it is not one."""
    wanted = f"an array of shape {shape}" if shape else "a number"
    try:
        array = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError):
        raise Hint(f"Expected {wanted}, but got {type(answer).__name__}.") from None
    if array.shape != shape and not shape:
        raise Hint(f"Expected a number, but got an array of shape {array.shape}.")
    if array.shape != shape:
        raise Hint(f"Expected shape {shape}, but got {array.shape}.")
    if not np.isfinite(array).all():
        raise Hint("Your answer contains NaN or infinite values.")
    return array


def has_shape(answer: Any, shape: tuple[int, ...]) -> bool:
    """Return whether an answer is an array, or a list of lists, of this shape."""
    try:
        return bool(np.shape(answer) == shape)
    except ValueError:  # rows of different lengths
        return False


def close(found: Array, right: Array | float, rtol: float = 1e-6) -> bool:
    """Return whether two answers agree up to rounding, relative to the size of the right one."""
    return bool(np.max(np.abs(found - right)) <= rtol * max(float(np.max(np.abs(right))), 1e-300))


def equals(answer: Any, array: Array | float, rtol: float = 1e-6) -> bool:
    """Return whether an answer has the shape and, up to rounding, the values of an array."""
    return has_shape(answer, np.shape(array)) and close(as_array(answer, np.shape(array)), array, rtol)


def expect(
    answer: Any, right: Array | float, mistakes: Mapping[str, Array | float], otherwise: str, rtol: float = 1e-6
) -> None:
    """Raise a `Hint` unless the answer is the right array or number; a typical mistake gets the hint that fits it.

    Parameters
    ----------
    answer : object         array-like
    right : array or number
    mistakes : mapping      from each hint to the result of the mistake that it explains
    otherwise : str         hint for any other answer
    rtol : float            relative to the largest entry of the right answer
    """
    if equals(answer, right, rtol):
        return
    for hint, wrong in mistakes.items():  # before the shape is checked: a mistake may have another shape
        if equals(answer, wrong, rtol):
            raise Hint(hint)
    as_array(answer, np.shape(right))
    raise Hint(otherwise)


def expect_choice(answer: Any, right: str, hints: Mapping[str, str]) -> None:
    """Raise a `Hint` unless the answer is the right letter; `hints` explains every wrong letter."""
    letter = str(answer).strip().lower()
    if letter != right:
        letters = list_names(sorted([right, *hints]))
        raise Hint(hints.get(letter, f"Answer with one of the letters {letters}, as a string."))
