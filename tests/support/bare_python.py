"""Run a program in a Python that lacks what a browser does not have: ``python bare_python.py PROGRAM [ARGUMENTS]``.

Pyodide, which runs Python in a browser, cannot start threads or open sockets, and lacks hard links. Here ctypes, signal
handlers and file locks are missing as well.
"""

from __future__ import annotations

import os
import runpy
import signal
import socket
import sys
import threading

MISSING = ("_ctypes", "_multiprocessing", "fcntl", "pwd", "resource")


def refuse(*args, **kwargs):
    """Fail as starting a thread does in a browser."""
    raise RuntimeError("not in a browser")


if __name__ == "__main__":
    for name in MISSING:
        assert name not in sys.modules, f"{name} has been imported already"
        sys.modules[name] = None  # so that importing it raises ModuleNotFoundError
    threading.Thread.start = refuse
    socket.socket.__init__ = refuse
    signal.signal = refuse
    del os.link, os.fork
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
