"""Checkpoints as training goes: the latest, to go on from, and the best."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from copi_np.callbacks.base import Callback
from copi_np.checkpoint import Progress, load_progress, previous_path, save_progress
from copi_np.errors import DataError, InputError, OtherPartsError
from copi_np.history import EpochRecord, read_record
from copi_np.network import Network
from copi_np.storage.atomic import remove_leftovers
from copi_np.storage.untrusted import is_taken


class CheckpointWriter(Callback):
    """Replaces a checkpoint after each epoch; training can go on from it.

    Parameters
    ----------
    path : path                     an .npz file; the one before is kept beside it, see `checkpoint.previous_path`
    rng : numpy.random.Generator    shuffles the samples
    settings : dict                 what must stay the same, see `training.training_settings`
    """

    def __init__(self, path: str | os.PathLike[str], rng: np.random.Generator, settings: dict[str, Any]) -> None:
        self.path = Path(path)
        self.rng = rng
        self.settings = settings
        self.history: list[EpochRecord] = []

    def begin(self, network: Network, history: Sequence[EpochRecord], *, resume: bool) -> list[EpochRecord]:
        """Go on from the checkpoint, if there is one and it shall be: network and rng become what they were then.

        Returns
        -------
        history : list of EpochRecord   of the epochs that are done; `history` itself without a checkpoint

        Raises
        ------
        InputError      if there is a checkpoint, but it shall not be gone on from, or it is of another training
        DataError       if it is damaged, and so is the one before it
        """
        self.history = list(history)
        try:
            json.dumps(self.rng.bit_generator.state)
        except TypeError as error:
            kind = type(self.rng.bit_generator).__name__
            raise InputError(f"the state of {kind} cannot be recorded: use numpy.random.default_rng") from error
        kept = (self.path, previous_path(self.path))
        for path in kept:
            if not resume and is_taken(path):
                raise InputError(f"{path} exists already: go on from it with resume=True, or choose another path")
        remove_leftovers(self.path.parent, [path.name for path in kept])
        if not resume:
            return list(self.history)
        try:
            progress = load_progress(self.path, network.backend, network.parts)
        except OtherPartsError as error:
            raise InputError(f"{self.path} is of another training: {error}") from error
        if progress is not None:
            self._check_same(network, progress)
            try:
                self.history = [read_record(values) for values in progress.history]
                self.rng.bit_generator.state = progress.shuffling
            # NumPy takes a state apart without looking at it first
            except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
                raise DataError(f"{self.path} is not of a training that can go on: move it away") from error
            network.layers, network.feedback = progress.network.layers, progress.network.feedback
            network.noise_rng = progress.network.noise_rng
        return list(self.history)

    def _check_same(self, network: Network, progress: Progress) -> None:
        """Raise an InputError that names what differs, if something does."""
        for now, then in ((network.config, progress.network.config), (self.settings, progress.settings)):
            for name, value in now.items():
                if then.get(name) != value:
                    what = "the data differ" if name == "data" else f"{name} was {then.get(name)!r}, now {value!r}"
                    raise InputError(f"{self.path} is of another training: {what}; give the same, or another path")

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Replace the checkpoint."""
        self.history.append(record)
        shuffling, history = dict(self.rng.bit_generator.state), [each.as_dict() for each in self.history]
        save_progress(self.path, Progress(network, shuffling, history, self.settings))
