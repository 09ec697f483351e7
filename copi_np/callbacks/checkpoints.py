"""Write a checkpoint after every epoch, and resume from it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from copi_np.callbacks.base import Callback
from copi_np.checkpoint import Progress, load_progress, previous_path, save_progress
from copi_np.errors import DataError, InputError, NewerVersionError, OtherPartsError
from copi_np.history import EpochRecord, read_record
from copi_np.network import Network
from copi_np.storage.atomic import check_writable, followed, remove_leftovers
from copi_np.storage.untrusted import path_exists


class ResumeError(DataError):
    """A checkpoint that training cannot resume from."""


class CheckpointWriter(Callback):
    """Callback that replaces a checkpoint after each epoch, from which training can resume.

    Parameters
    ----------
    path : path                     an .npz file; its predecessor is kept, see `checkpoint.previous_path`
    rng : numpy.random.Generator    shuffles the samples
    settings : dict                 settings that must not change, see `training.training_settings`
    """

    def __init__(self, path: str | os.PathLike[str], rng: np.random.Generator, settings: dict[str, Any]) -> None:
        self.path = Path(path)
        self.rng = rng
        self.settings = settings
        self.history: list[EpochRecord] = []

    def begin(self, network: Network, history: Sequence[EpochRecord], *, resume: bool) -> list[EpochRecord]:
        """Resume from the checkpoint, if `resume` is set and one exists: restore the state of network and rng.

        Returns
        -------
        history : list of EpochRecord   the finished epochs; `history` if there is no checkpoint

        Raises
        ------
        InputError      if a checkpoint exists but `resume` is not set, or it belongs to another training run
        DataError       if both the checkpoint and its predecessor are damaged, or it cannot be written
        """
        self.history = list(history)
        try:
            json.dumps(self.rng.bit_generator.state)
        except TypeError:
            kind = type(self.rng.bit_generator).__name__
            raise InputError(f"the state of {kind} cannot be recorded: use numpy.random.default_rng") from None
        kept = (self.path, previous_path(self.path))
        for path in kept:
            if not resume and path_exists(path):
                raise InputError(f"{path} already exists: resume from it with resume=True, or choose another path")
        check_writable(self.path)
        for path in map(followed, kept):
            remove_leftovers(path.parent, [path.name])
        if not resume:
            return list(self.history)
        try:
            progress = load_progress(self.path, network.backend, network.parts)
        except NewerVersionError:
            raise
        except OtherPartsError as error:
            raise InputError(f"{self.path} belongs to another training run: {error}") from None
        except DataError as error:
            raise ResumeError(str(error)) from None
        if progress is not None:
            self._check_same(network, progress)
            try:
                self.history = [read_record(values) for values in progress.history]
                self.rng.bit_generator.state = progress.shuffling
            # NumPy does not check a state before it uses it
            except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError):
                raise ResumeError(f"{self.path} holds no state that training can resume from: move it away") from None
            network.layers, network.feedback = progress.network.layers, progress.network.feedback
            network.noise_rng = progress.network.noise_rng
        return list(self.history)

    def _check_same(self, network: Network, progress: Progress) -> None:
        """Raise an InputError that names the first difference, if any."""
        for now, then in ((network.config, progress.network.config), (self.settings, progress.settings)):
            for name, value in now.items():
                if then.get(name) != value:
                    what = "the data differ" if name == "data" else f"{name} was {then.get(name)!r}, now {value!r}"
                    raise InputError(
                        f"{self.path} belongs to another training run: {what}; use the same, or another path"
                    )

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Replace the checkpoint."""
        self.history.append(record)
        shuffling, history = dict(self.rng.bit_generator.state), [each.as_dict() for each in self.history]
        save_progress(self.path, Progress(network, shuffling, history, self.settings))
