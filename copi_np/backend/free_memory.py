"""Find out how much memory this process can still take, from the system and from the limits of a container."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

MEMORY_INFO: Final = Path("/proc/meminfo")
LIMITS: Final = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current"), "inactive_file"),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
        "total_inactive_file",
    ),
)
"""The limit of a container, what it uses, and which line of ``memory.stat`` counts what it would give back, for control
groups of version 2 and of version 1."""


def free_main_memory() -> int | None:
    """Return the bytes of main memory that this process can still take; None if the system does not say.

    On Linux, this is the memory available without swapping, or what is left below the limit of a container if that is
    less. Elsewhere it is the whole memory of the machine.
    """
    found = [bytes_left for bytes_left in (_of_system(), *map(_of_container, *zip(*LIMITS, strict=True))) if bytes_left]
    return min(found, default=None)


def _of_system() -> int | None:
    with suppress(OSError, ValueError, KeyError, IndexError):
        lines = dict(line.split(":", 1) for line in MEMORY_INFO.read_text().splitlines())
        return 1024 * int(lines["MemAvailable"].split()[0])
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _of_container(limit: Path, usage: Path, returned: str) -> int | None:
    with suppress(OSError, ValueError, KeyError):  # no container, or no limit: "max"
        stat = dict(line.split() for line in (limit.parent / "memory.stat").read_text().splitlines())
        left = int(limit.read_text()) - int(usage.read_text()) + int(stat[returned])
        return max(left, 1)  # below 1, the system would not be running
    return None
