"""What the superuser would not notice: permissions."""

from __future__ import annotations

import os
from contextlib import contextmanager


@contextmanager
def without_privileges():
    """Be a user who may not do everything; modules that are first imported in here may be out of reach."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
