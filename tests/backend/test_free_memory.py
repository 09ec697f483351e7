"""How much memory is free: from the system and from the limits of containers, both as files of known content."""

from __future__ import annotations

import os

import pytest

from copi_np.backend import free_memory as room
from copi_np.backend import get_backend
from copi_np.backend.free_memory import free_main_memory

INFO = "MemTotal:       24000 kB\nMemFree:          200 kB\nMemAvailable:    1000 kB\nSwapFree:          24 kB\n"


@pytest.fixture(autouse=True)
def system(tmp_path, monkeypatch):
    """A folder in the place of the system's files; no limits yet."""
    (tmp_path / "meminfo").write_text(INFO)
    monkeypatch.setattr(room, "MEMORY_INFO", tmp_path / "meminfo")
    limits = ((tmp_path / "max", tmp_path / "current", "inactive_file"),)
    monkeypatch.setattr(room, "LIMITS", limits)
    return tmp_path


def limit(folder, most, used, returned=0):
    (folder / "max").write_text(f"{most}\n")
    (folder / "current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {returned}\nactive_file 7\n")


def test_what_is_available_counts_without_swap():
    assert free_main_memory() == 1024 * 1000
    assert get_backend("numpy").free_memory() == 1024 * 1000


@pytest.mark.parametrize(
    ("most", "used", "returned", "expected"),
    [
        (500_000, 400_000, 0, 100_000),
        (500_000, 400_000, 150_000, 250_000),
        (2_000_000, 400_000, 0, 1024 * 1000),  # the machine has less than the limit
        ("max", 400_000, 0, 1024 * 1000),
        (400_000, 500_000, 0, 1),
    ],
)
def test_a_container_may_have_less(system, most, used, returned, expected):
    limit(system, most, used, returned)
    assert free_main_memory() == expected


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="needs POSIX")
@pytest.mark.parametrize("content", [None, "", "MemAvailable\n", "MemAvailable: many\n"])
def test_elsewhere_it_is_all_memory_of_the_machine(system, monkeypatch, content):
    if content is None:
        (system / "meminfo").unlink()
    else:
        (system / "meminfo").write_text(content)
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert free_main_memory() == 4_096_000


def test_it_may_be_unknown(system, monkeypatch):
    (system / "meminfo").unlink()
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert free_main_memory() is None
