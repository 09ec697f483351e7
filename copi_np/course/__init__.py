"""Exercises of the course in tutorials/: ``check("02.1", answer)`` judges an answer and gives a hint."""

from copi_np.course.exercises import Verdict, check

__all__ = ["Verdict", "check"]
