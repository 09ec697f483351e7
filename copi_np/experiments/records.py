"""The folder of a run and what stands in it: run.json, history.jsonl, checkpoint.npz, with a validation split best.npz.

At any moment, also when the process is killed, the files are whole, or end in half a line, which is left out with a
`CopiWarning`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from copi_np.errors import DataError, InputError, InUseError, brief
from copi_np.experiments.config import RunConfig
from copi_np.history import EpochRecord, read_record
from copi_np.storage.atomic import remove_leftovers
from copi_np.storage.jsonl import read_lines
from copi_np.storage.untrusted import check_folder, exists, is_taken, parse_json, read_text

RUN_FILE: Final = "run.json"
HISTORY_FILE: Final = "history.jsonl"
CHECKPOINT_FILE: Final = "checkpoint.npz"
BEST_FILE: Final = "best.npz"
FAILURE_FILE: Final = "failure.txt"
AWAY: Final = "move that folder away"
LOCK_FILE: Final = ".lock"
MOST_OF_FAILURE: Final = 400
"""Letters of what made a run fail: enough for any error of this package, with what to do about it."""


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Make a run's folder if need be, and keep other processes from writing to it.

    If nothing is written to the folder, nothing is left.

    Raises
    ------
    InUseError      if another process has it in hand
    InputError      if the folder cannot be made or written
    """
    made = [path for path in (folder, *folder.parents) if not is_taken(path)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # the system releases the lock of a process that dies, however it dies
        lock = FileLock(folder / LOCK_FILE, blocking=False)
        lock.acquire()
    except Timeout as error:
        raise InUseError(f"{folder} is in use by another process: wait for it, or stop it") from error
    except OSError as error:
        raise InputError(f"cannot write to {folder} ({error.strerror}): choose another folder") from error
    try:
        remove_leftovers(folder)
        try:
            yield
        finally:
            if [path.name for path in folder.iterdir()] == [LOCK_FILE]:
                (folder / LOCK_FILE).unlink()
                _remove_empty(made)
    finally:
        lock.release()


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders, the innermost first, as far as nothing is in them."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


@dataclass(frozen=True)
class RunRecord:
    """What a run's folder says.

    Attributes
    ----------
    folder : Path
    config : RunConfig
    description : dict              all of run.json: name, configuration, versions, device
    history : list of EpochRecord   the finished epochs
    failure : str or None           one line that says why the run stopped, if it did
    """

    folder: Path
    config: RunConfig
    description: dict[str, Any]
    history: list[EpochRecord]
    failure: str | None

    @property
    def finished(self) -> bool:
        """Whether all its epochs are recorded."""
        return self.config.is_over(self.history)

    @property
    def ended_early(self) -> bool:
        """Whether its validation split has ended it, before its number of epochs."""
        return self.finished and len(self.history) < self.config.epochs


def read_run(folder: str | Path) -> RunRecord:
    """Read the records of one run.

    Raises
    ------
    DataError       if the folder holds no run, or its records cannot be read
    """
    folder = Path(folder)
    if not exists(folder / RUN_FILE):
        raise DataError(f"there is no run in {folder}: give a folder that holds {RUN_FILE}")
    text = read_text(folder / RUN_FILE, AWAY)
    try:
        description = parse_json(text)
        values = description["config"]
        _check_description(description)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{folder / RUN_FILE} is damaged, or not of a run of copi-np: {AWAY}") from error
    lines = read_lines(folder / HISTORY_FILE, AWAY)
    try:
        config = RunConfig(**values | {"layers": tuple(values["layers"])})
        history = [read_record(line) for line in lines]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"the records in {folder} are damaged ({brief(error)}): {AWAY}") from error
    if [record.epoch for record in history] != list(range(1, len(history) + 1)):
        raise DataError(f"{folder / HISTORY_FILE} does not count its epochs 1, 2, ..: {AWAY}")
    failure = folder / FAILURE_FILE
    why = brief(read_text(failure, AWAY).strip(), MOST_OF_FAILURE) if exists(failure) else None
    return RunRecord(folder, config, description, history, why)


def _check_description(description: dict[str, Any]) -> None:
    """Raise an error unless run.json holds what its readers rely on."""
    for part in (description, *description.get("continued", [])):
        if not isinstance(part.get("versions", {}), dict):
            raise TypeError("versions are no table")
    if not all(isinstance(description.get(name, ""), str) for name in ("name", "data_sha256")):
        raise TypeError("a name is no text")


def load_history(path: str | Path, *, as_frame: bool | None = None) -> Any:
    """Read the history of one run, for tables and plots of your own.

    Parameters
    ----------
    path : path                 the run's folder
    as_frame : bool, optional   whether to return a frame of pandas; default: where pandas is installed

    Returns
    -------
    history : list of EpochRecord, or pandas.DataFrame
                                a row an epoch, which is the index; "decorrelation_loss" holds lists, one value a layer

    Raises
    ------
    DataError                   if the folder holds no run, or its records cannot be read
    InputError                  if a frame is asked for, and pandas is not installed
    """
    history = read_run(path).history
    if as_frame is False:
        return history
    try:
        from pandas import DataFrame
    except ImportError as error:
        if as_frame is None:
            return history
        raise InputError("a frame needs pandas: pip install pandas, or as_frame=False for a list") from error
    return DataFrame([record.as_dict() for record in history]).set_index("epoch")


def find_runs(root: str | Path) -> tuple[list[RunRecord], list[str]]:
    """All runs in a folder and the folders below it.

    Returns
    -------
    runs : list of RunRecord    by name of folder; each once, its longest copy, if there are copies such as backups
    left_out : list of str      one line for each folder that is left out, and why: damaged, or a copy

    Raises
    ------
    DataError       if there are none, or the folder cannot be read
    """
    root = Path(root)
    check_folder(root)  # of one that cannot be read, the search below would only find nothing
    folders = sorted(path.parent for path in root.rglob(RUN_FILE))
    if not folders:
        raise DataError(f"there are no runs in {root}: make some with copi-np reproduce, sweep or train")
    runs: dict[str, RunRecord] = {}
    left_out = []
    for folder in folders:
        try:
            run = read_run(folder)
        except DataError as error:
            left_out.append(f"{folder.name}: left out, since {error}")
            continue
        name = run.description.get("name", str(folder))
        if name in runs:
            run, other = sorted((runs[name], run), key=lambda each: -len(each.history))
            left_out.append(f"{other.folder}: left out, since {run.folder} is of the same run")
        runs[name] = run
    return sorted(runs.values(), key=lambda run: run.folder), left_out
