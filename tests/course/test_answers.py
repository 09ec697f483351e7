"""Every exercise accepts right answers, and rejects typical wrong ones with the hint that fits each.

The answers are the lists RIGHT and WRONG of ``test_lesson_00.py`` and so on.
"""

from __future__ import annotations

from importlib import import_module

import pytest

from copi_np.course import check

LESSONS = [import_module(f"test_lesson_{number:02d}") for number in range(14)]
RIGHT = [case for lesson in LESSONS for case in lesson.RIGHT]
WRONG = [case for lesson in LESSONS for case in lesson.WRONG]


@pytest.mark.parametrize(("number", "answer"), RIGHT)
def test_right_answers_pass(number, answer):
    verdict = check(number, answer)
    assert verdict.passed, verdict.message


@pytest.mark.parametrize(("number", "answer", "phrase"), WRONG)
def test_wrong_answers_get_the_hint_that_fits(number, answer, phrase):
    verdict = check(number, answer)
    assert not verdict.passed
    assert phrase in verdict.message


@pytest.mark.parametrize("number", [f"{lesson:02d}.{n}" for lesson in range(14) for n in (1, 2, 3)])
def test_every_exercise_is_tried(number):
    """With a right answer and at least three wrong ones."""
    assert any(case[0] == number for case in RIGHT)
    assert sum(case[0] == number for case in WRONG) >= 3
