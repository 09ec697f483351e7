"""Functions for the child processes that tests kill, in a module that imports none of the tests."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from copi_np.datasets import load_dataset
from copi_np.experiments.runner import train_into


def train_there(folder, config):
    """Train, or resume training."""
    train_into(folder, config, load_dataset(config.dataset), "numpy", resume=True)


def train_until_call(folder, config, n):
    """Train likewise, but kill the process at the nth system call that writes, syncs, moves or removes a file."""
    counter = {"left": n}

    def killing(function):
        def wrapped(*arguments, **options):
            counter["left"] -= 1
            if counter["left"] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return wrapped

    os.fsync = killing(os.fsync)
    os.link = killing(os.link)
    Path.replace = killing(Path.replace)
    Path.unlink = killing(Path.unlink)
    real_open = Path.open

    def opened(path, mode="r", *arguments, **options):
        file = real_open(path, mode, *arguments, **options)
        if "r" not in mode:
            file.write = killing(file.write)
        return file

    Path.open = killing(opened)
    train_there(folder, config)
