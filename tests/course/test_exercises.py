"""How exercises are judged: any answer gets one clear message."""

from __future__ import annotations

import numpy as np
import pytest

from copi_np import InputError
from copi_np.course import check
from copi_np.course.exercises import (
    _EXERCISES,
    Hint,
    NotDone,
    as_array,
    call,
    close,
    exercise,
    exercises,
    expect,
    expect_choice,
)

LESSONS = [f"{number:02d}" for number in range(14)]


@pytest.fixture
def lesson_98():
    """A lesson with one exercise, which asks for a function that doubles its argument."""

    @exercise("98.1", "Think of a sum.")
    def judge(answer):
        x = np.arange(3.0)
        expect(call(answer, x), 2 * x, {"You squared.": x**2}, "Twice the argument is wanted.")
        return "Twice is twice."

    yield
    del _EXERCISES["98.1"]


def in_place(x):
    x *= 2
    return x


@pytest.mark.usefixtures("lesson_98")
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (..., "98.1: not done yet. Think of a sum."),
        (None, "98.1: not done yet. Think of a sum."),
        (lambda x: None, "98.1: not done yet. Think of a sum."),
        (lambda x: ..., "98.1: not done yet. Think of a sum."),
        (4, "98.1: not yet. This exercise asks for a function, but your answer is of type int."),
        (lambda x: x + y, "98.1: not yet. Your function raised NameError: name 'y' is not defined"),  # noqa: F821
        (lambda: 1, "98.1: not yet. Your function raised TypeError"),
        (in_place, "98.1: not yet. Your function changes one of its arguments in place"),
        (lambda x: x**2, "98.1: not yet. You squared."),
        (lambda x: 3 * x, "98.1: not yet. Twice the argument is wanted."),
        (lambda x: x[:2], "98.1: not yet. Expected shape (3,), but got (2,)."),
        (lambda x: 2.0, "98.1: not yet. Expected shape (3,), but got ()."),
        (lambda x: "two", "98.1: not yet. Expected an array of shape (3,), but got str."),
        (lambda x: [[1], [1, 2]], "98.1: not yet. Expected an array of shape (3,), but got list."),
        (lambda x: x * np.nan, "98.1: not yet. Your answer contains NaN or infinite values."),
    ],
)
def test_a_wrong_answer_gets_a_hint(answer, message):
    verdict = check("98.1", answer)
    assert not verdict.passed
    assert verdict.message.startswith(message)


@pytest.mark.usefixtures("lesson_98")
@pytest.mark.parametrize("answer", [lambda x: 2 * x, lambda x: [0, 2, 4], lambda x: x + x + 1e-9])
def test_a_right_answer_passes(answer):
    assert check("98.1", answer) == ("98.1", True, "98.1: right. Twice is twice.")


def test_a_notebook_shows_the_message_in_short_lines():
    shown = repr(check("01.1", "a text"))
    assert shown.replace("\n", " ") == check("01.1", "a text").message
    assert max(map(len, repr(check("01.1", ...)).splitlines())) <= 80


def test_arrays_that_agree_up_to_rounding_are_close():
    right = np.array([1000.0, 0.0])
    assert close(right + 1e-4, right)
    assert not close(right + 1e-2, right)
    assert close(np.zeros(2), np.zeros(2))
    assert not close(np.full(2, 1e-9), np.zeros(2))


def test_a_choice_is_a_letter():
    expect_choice(" B ", "b", {"a": "No."})
    with pytest.raises(Hint, match=r"^No\.$"):
        expect_choice("a", "b", {"a": "No."})
    for answer in ("z", 3, ["b"], ""):
        with pytest.raises(Hint, match="one of the letters a, b"):
            expect_choice(answer, "b", {"a": "No."})


def test_a_right_answer_passes_next_to_a_mistake():
    """A number found by experiment may be near both; a mistake that is the right answer by chance does not count."""
    mistakes = {"Discrete steps are slower.": 1.08, "You doubled.": 2.0}
    expect(1.0785, 1.077, mistakes, "Measure again.", rtol=0.002)
    expect([2.0, 2.0], np.full(2, 2.0), {"You doubled.": np.full(2, 2.0)}, "Measure again.")
    for answer, hint in ((1.08, "Discrete"), (2.003, "doubled"), (1.5, "again"), ([1.08], "Expected a number")):
        with pytest.raises(Hint, match=hint):
            expect(answer, 1.077, mistakes, "Measure again.", rtol=0.002)


def test_an_array_keeps_its_values():
    assert as_array([1, 2], (2,)).tolist() == [1.0, 2.0]
    with pytest.raises(NotDone):
        call(lambda: None)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("77.1", "there is no exercise '77.1'"),
        ("01.7", "unknown exercise '01.7'.*known: 01.1, 01.2, 01.3"),
        ("../../x.1", "there is no exercise"),
        (1.1, "there is no exercise 1.1"),
    ],
)
def test_an_unknown_exercise_is_an_error(number, message):
    with pytest.raises(InputError, match=message):
        check(number, ...)


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_lesson_has_three_exercises(lesson):
    assert list(exercises(lesson)) == [f"{lesson}.{n}" for n in (1, 2, 3)]


@pytest.mark.parametrize("number", [f"{lesson}.{n}" for lesson in LESSONS for n in (1, 2, 3)])
@pytest.mark.parametrize(
    "answer",
    [
        "nonsense",
        -12345.678,
        [[1, 2], [3]],
        (),
        {},
        object(),
        np.full((2, 2), np.nan),
        lambda *a: "x",
        lambda: 1,
        print,
    ],
    ids=["text", "number", "ragged", "empty", "dict", "object", "nan", "text function", "no arguments", "print"],
)
def test_nonsense_is_answered_with_a_hint(number, answer):
    """It raises nothing and does not pass."""
    verdict = check(number, answer)
    assert not verdict.passed
    assert verdict.message.startswith((f"{number}: not yet. ", f"{number}: not done yet. "))
    assert "\n" not in verdict.message


@pytest.mark.parametrize("number", [f"{lesson}.{n}" for lesson in LESSONS for n in (1, 2, 3)])
def test_a_student_who_has_not_started_gets_the_first_hint(number):
    verdict = check(number, ...)
    assert verdict.message == f"{number}: not done yet. {exercises(number[:2])[number].first_hint}"
    assert verdict.message[-1] in ".?)"
