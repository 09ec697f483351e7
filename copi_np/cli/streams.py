"""Survive standard streams that are closed or broken: they must not cost hours of training."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, TextIO, cast


class Lossy:
    """A stream that drops what it cannot write, for progress and notes that may have lost their reader."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def buffer(self) -> Lossy:
        """The binary stream, which click may write to."""
        return Lossy(self._stream.buffer)

    def write(self, content: Any) -> int:
        """Write, or pretend to have written."""
        try:
            return int(self._stream.write(content))
        except OSError:  # such as a closed pipe, a full disk, or a terminal that was closed
            return len(content)

    def flush(self) -> None:
        """Flush what can be written."""
        with suppress(OSError):
            self._stream.flush()


def secure_streams() -> None:
    """Reopen closed standard streams, and let standard error drop what it cannot write; failed results stay errors."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # takes the free descriptor: otherwise the next file would get it, and everything that libraries print
            stream = open(os.devnull, mode)  # noqa: PTH123, SIM115  # stays open until the process ends
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
    if not isinstance(sys.stderr, Lossy):
        sys.stderr = cast(TextIO, Lossy(sys.stderr))
