"""Check whether processes can be started from here: each of them first imports the user's script."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, ModuleType

from copi_np.errors import InputError


def check_main_guard(what: str) -> None:
    """Raise an InputError if the user's script cannot be imported by the processes that `what` is about to start.

    The script is either a file in which everything that leads to this call is inside ``if __name__ == "__main__":``, or
    it is not imported at all: a notebook, an interactive session, ``python -c``, or a package run with ``python -m``.

    Raises
    ------
    InputError      for a script from standard input, and for a call outside the guard
    """
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    if path is None or getattr(getattr(main, "__spec__", None), "name", "").endswith("__main__"):
        return
    if not Path(path).is_file():
        why = "which standard input does not allow: save it as a file"
        raise InputError(f"{what} starts processes, each of which imports your script, {why}")
    if _is_unguarded(main, Path(path)):
        why = 'and would call this again: put the call inside if __name__ == "__main__":'
        raise InputError(f"{what} starts processes, each of which imports your script {Path(path).name}, {why}")


def _is_unguarded(main: ModuleType, path: Path) -> bool:
    """Return whether importing the script would lead to this call again, as far as its source tells."""
    frames = [frame for frame in _frames() if frame.f_globals is main.__dict__]
    if not any(frame.f_code.co_name == "<module>" for frame in frames):  # such as a test, or another thread
        return False
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):  # such as a compiled script
        return False
    guards = [node for node in ast.walk(tree) if isinstance(node, ast.If) and _asks_for_name(node.test)]
    lines = [frame.f_lineno for frame in frames]
    return not any(guard.lineno <= line <= (guard.end_lineno or line) for guard in guards for line in lines)


def _asks_for_name(test: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(test))


def _frames() -> Iterator[FrameType]:
    """Yield the frames that lead here, the latest first."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back
