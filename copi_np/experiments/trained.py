"""Load a trained network from a run or a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from copi_np._parts import name_of
from copi_np.backend import Backend
from copi_np.checkpoint import load_with, previous_path
from copi_np.errors import DataError, InputError, OtherPartsError
from copi_np.experiments.config import RunConfig
from copi_np.experiments.own_parts import check_text, is_file, object_of
from copi_np.experiments.records import BEST_FILE, CHECKPOINT_FILE, RUN_FILE, RunRecord, read_run
from copi_np.network import Network
from copi_np.storage.untrusted import exists, path_exists


class Trained(NamedTuple):
    """A trained network and where it is from.

    Attributes
    ----------
    network : Network
    path : Path                 the file that holds it
    epoch : int or None         the last epoch it was trained in, if the file says so
    run : RunRecord or None     the run that the file belongs to, if any
    """

    network: Network
    path: Path
    epoch: int | None
    run: RunRecord | None

    @property
    def class_names(self) -> list[str] | None:
        """The names of the classes, by number, if the run's data had any."""
        names = None if self.run is None else self.run.description.get("class_names")
        return names if names is not None and len(names) == self.network.n_outputs else None


def load_trained(path: str | Path, backend: str | Backend = "numpy", parts: Mapping[str, str] | None = None) -> Trained:
    """Load the network of a run, or of a file that `save_network` wrote.

    If the run has a validation split, this is the network that is best on it, otherwise the latest one.

    Parameters
    ----------
    path : path                 a run's folder, or a network's file
    backend : str or Backend
    parts : mapping, optional   your own parts of the network as ``FILE.py:NAME``, by kind; for a run, only those whose
                                file is elsewhere now

    Raises
    ------
    InputError                  if one of your own parts is missing
    DataError                   if there is no such run or file, or it cannot be read
    """
    path, parts = Path(path), dict(parts or {})
    run = None
    if path.is_dir():
        run = read_run(path)
        path = _network_file(run)
    elif path.name in _files_of_run(path.parent) and exists(path.parent / RUN_FILE):
        run = read_run(path.parent)
    if run is not None:
        own = with_parts(run.config, parts).network_parts()
    else:
        own = {kind: object_of(kind, text) for kind, text in parts.items()}
    try:
        network, metadata = load_with(path, backend, own)
    except OtherPartsError as error:
        raise InputError(f"{error}; on the command line, as --activation FILE.py:NAME and the like") from None
    epoch = metadata.get("epoch")
    return Trained(network, path, epoch if isinstance(epoch, int) else None, run)


def _files_of_run(folder: Path) -> list[str]:
    checkpoint = folder / CHECKPOINT_FILE
    return [BEST_FILE, checkpoint.name, previous_path(checkpoint).name]


def _network_file(run: RunRecord) -> Path:
    """Return the file with the network of a run: the best on the validation split, or the latest."""
    names = [BEST_FILE, CHECKPOINT_FILE] if run.config.val_fraction else [CHECKPOINT_FILE]
    for name in names:
        if path_exists(run.folder / name):
            return run.folder / name
    raise DataError(f"there is no {run.folder / names[-1]}: train the run first, with copi-np train --resume")


def with_parts(config: RunConfig, parts: Mapping[str, str]) -> RunConfig:
    """Return the configuration of a recorded run with the files of its own parts where they are now.

    Raises
    ------
    InputError      if such a file is missing, or a part is not of the form ``FILE.py:NAME``
    """
    changes: dict[str, Any] = dict(parts)
    config = replace(
        config, digested=None, **changes
    )  # keeps the checksum: a moved file must still be the recorded one
    for kind, part in config.own_parts.items():
        check_text(parts.get(kind))
        if is_file(part) and not Path(part.rpartition(":")[0]).is_file():
            where = f"say where it is now, with --{kind.replace('_', '-')} FILE.py:{name_of(part)}"
            raise InputError(f"there is no file {part.rpartition(':')[0]}, which this run needs: {where}")
    return config
