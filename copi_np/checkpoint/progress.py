"""Save and load training in progress: the latest checkpoint, and the one before it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from copi_np.backend import Backend
from copi_np.checkpoint.arrays import ADVICE
from copi_np.checkpoint.networks import load_with, save_network
from copi_np.errors import CopiWarning, DataError, InputError, NewerVersionError, OtherPartsError
from copi_np.network import Network
from copi_np.storage.atomic import followed
from copi_np.storage.untrusted import exists


class Progress(NamedTuple):
    """Training in progress: everything its next epoch depends on.

    Attributes
    ----------
    network : Network
    shuffling : dict        state of the random generator that shuffles the samples
    history : list of dict  of the finished epochs, each `EpochRecord` as plain values
    settings : dict         what must stay the same: data, step sizes, batch size
    """

    network: Network
    shuffling: dict[str, Any]
    history: list[dict[str, Any]]
    settings: dict[str, Any]


def previous_path(path: str | os.PathLike[str]) -> Path:
    """Return where `save_progress` keeps the previous checkpoint, e.g. "checkpoint.previous.npz"."""
    path = Path(path)
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def save_progress(path: str | os.PathLike[str], progress: Progress) -> None:
    """Write a checkpoint from which training can resume; the previous one is kept next to it.

    Raises
    ------
    DataError       if it cannot be written; the latest one stays as it was
    """
    metadata = {"epoch": len(progress.history), **progress._asdict()}
    del metadata["network"]
    save_network(path, progress.network, metadata, previous=previous_path(path))


def load_progress(
    path: str | os.PathLike[str], backend: str | Backend = "numpy", own: Mapping[str, Any] | None = None
) -> Progress | None:
    """Read the latest checkpoint of training in progress, or the previous one if the latest is damaged or missing.

    A damaged one is moved aside, if the folder is writable, so that the next save does not replace the previous one.

    Returns
    -------
    progress : Progress or None     None if there is neither

    Raises
    ------
    DataError           if neither can be used, or the latest cannot be read or does not fit into memory
    BackendError        if the backend does not work here, or has not enough memory

    Warns
    -----
    CopiWarning         if the latest is damaged, so that at most one epoch is repeated
    """
    path = Path(path)
    candidates = [candidate for candidate in (path, previous_path(path)) if exists(candidate)]
    failure: DataError | None = None
    for candidate in candidates:
        try:
            progress = _progress(candidate, backend, own or {})
        except (NewerVersionError, OtherPartsError):
            raise
        except (DataError, InputError) as error:
            if isinstance(error.__context__, (PermissionError, MemoryError)):
                raise  # it may be undamaged
            failure = failure or (error if isinstance(error, DataError) else DataError(str(error)))
            continue
        if failure is not None:
            warnings.warn(f"{failure}. Resuming from {candidate}{_moved_aside(path)}", CopiWarning, stacklevel=2)
        return progress
    if failure is not None:
        raise failure
    return None


def _moved_aside(path: Path) -> str:
    """Rename a damaged checkpoint, and return the end of a sentence that says so."""
    path = followed(path)
    aside = path.with_name(f"{path.stem}.damaged{path.suffix}")
    with suppress(OSError):  # reading must work in a read-only folder too
        path.replace(aside)
        return f", and keeping the damaged one as {aside.name}"
    return ""


def _progress(path: Path, backend: str | Backend, own: Mapping[str, Any]) -> Progress:
    network, metadata = load_with(path, backend, own)
    try:
        progress = Progress(network, *(metadata[name] for name in Progress._fields[1:]))
        kinds = (dict, list, dict)
        if not all(isinstance(value, kind) for value, kind in zip(progress[1:], kinds, strict=True)):
            raise TypeError("not what save_progress writes")
        return progress
    except (KeyError, TypeError):
        raise DataError(f"{path} holds only a network, not training in progress: {ADVICE}") from None
