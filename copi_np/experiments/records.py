"""Read the folder of a run: run.json, history.jsonl, checkpoint.npz and, with a validation split, best.npz.

The files are always complete, even if the process is killed, except that the last line of a history may be cut short;
readers skip such a line with a `CopiWarning`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from copi_np.errors import CopiWarning, DataError, InputError, InUseError, brief, explain_os_errors
from copi_np.experiments.config import RunConfig, method_name
from copi_np.experiments.settings import setting, varied
from copi_np.history import EpochRecord, read_record
from copi_np.storage.atomic import followed, remove_leftovers
from copi_np.storage.jsonl import read_lines
from copi_np.storage.untrusted import check_folder, exists, parse_json, path_exists, read_text

RUN_FILE: Final = "run.json"
HISTORY_FILE: Final = "history.jsonl"
CHECKPOINT_FILE: Final = "checkpoint.npz"
BEST_FILE: Final = "best.npz"
FAILURE_FILE: Final = "failure.txt"
MOVE_AWAY: Final = "move that folder away"
LOCK_FILE: Final = ".lock"
MAX_FAILURE: Final = 400
"""Characters kept of a failure message: enough for any error of this package, including its advice."""


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Create a run's folder if it is missing, and lock it against other processes.

    If nothing was written, the lock and any folders created here are removed again.

    Raises
    ------
    InUseError      if another process holds its lock
    InputError      if the folder cannot be created or written
    """
    real = followed(folder)  # a link may lead to a folder that is not there yet
    made = [path for path in (real, *real.parents) if not path_exists(path)]
    with explain_os_errors("write to", folder, "choose another folder", InputError):
        real.mkdir(parents=True, exist_ok=True)
        # the system releases the lock when its process ends, however it ends
        lock = FileLock(folder / LOCK_FILE, blocking=False)
        try:
            lock.acquire()
        except Timeout:
            raise InUseError(f"{folder} is in use by another process: wait for it, or stop it") from None
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
    """Remove folders, the innermost first, until one is not empty."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


@dataclass(frozen=True)
class RunRecord:
    """The records in a run's folder.

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
    def name(self) -> str:
        """The name of the run, see `config.run_name`; its folder may have another name."""
        return str(self.description.get("name", self.folder))

    @property
    def finished(self) -> bool:
        """Whether the run has ended: after all its epochs, or because its patience ran out."""
        return self.config.is_over(self.history)

    @property
    def ended_early(self) -> bool:
        """Whether its patience ran out before all epochs were done."""
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
    text = read_text(folder / RUN_FILE, MOVE_AWAY)
    try:
        description = parse_json(text)
        values = description["config"]
        _check_description(description)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise DataError(f"{folder / RUN_FILE} is damaged, or not of a run of copi-np: {MOVE_AWAY}") from None
    lines = read_lines(folder / HISTORY_FILE, MOVE_AWAY)
    try:
        config = RunConfig.from_dict(values)
        history = [read_record(line) for line in lines]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"the records in {folder} are damaged ({brief(error)}): {MOVE_AWAY}") from None
    if [record.epoch for record in history] != list(range(1, len(history) + 1)):
        raise DataError(f"{folder / HISTORY_FILE} does not count its epochs 1, 2, ..: {MOVE_AWAY}")
    failure = folder / FAILURE_FILE
    why = brief(read_text(failure, MOVE_AWAY).strip(), MAX_FAILURE) if exists(failure) else None
    return RunRecord(folder, config, description, history, why)


def _check_description(description: dict[str, Any]) -> None:
    """Raise an error unless run.json has the structure that its readers rely on."""
    for part in (description, *description.get("continued", [])):
        if not isinstance(part.get("versions", {}), dict):
            raise TypeError("versions must be a table")
    if not all(isinstance(description.get(name, ""), str) for name in ("name", "data_sha256")):
        raise TypeError("names must be text")
    class_names = description.get("class_names", [])
    if not isinstance(class_names, list) or not all(isinstance(name, str) for name in class_names):
        raise TypeError("class_names must be a list of text")


def load_history(path: str | Path, *, as_frame: bool | None = None) -> Any:
    """Read the history of one run, or of all runs of a sweep or campaign, for your own tables and plots.

    Parameters
    ----------
    path : path                 the folder of a run, or one that holds the folders of runs, at any depth
    as_frame : bool, optional   whether to return a pandas DataFrame; default: if pandas is installed

    Returns
    -------
    history : pandas.DataFrame  one row per epoch; "decorrelation_loss" holds one list per epoch. The frame of one run
                                is indexed by epoch. That of several has columns for run, method, seed, epoch, and each
                                setting that varies between runs of one method, such as eta. Runs that failed have rows
                                for the epochs before they did
    history : list of EpochRecord, or dict of them by the names of runs
                                without pandas, or with as_frame=False

    Raises
    ------
    DataError                   if the folder holds no run, or its records cannot be read
    InputError                  if as_frame is True and pandas is not installed

    Warns
    -----
    CopiWarning                 for each of several runs that is left out because it is damaged or a copy
    """
    path = Path(path)
    one = exists(path / RUN_FILE)
    runs = [read_run(path)] if one else _all_runs(path)
    plain = runs[0].history if one else {run.name: run.history for run in runs}
    if as_frame is False:
        return plain
    try:
        from pandas import DataFrame
    except ImportError:
        if as_frame is None:
            return plain
        raise InputError("a DataFrame needs pandas: pip install pandas, or pass as_frame=False for a list") from None
    if one:
        return DataFrame([record.as_dict() for record in runs[0].history]).set_index("epoch")
    names = varied(run.config for run in runs)
    rows = []
    for run in runs:
        settings = {name: setting(run.config, name) for name in names}
        head = {"run": run.name, "method": method_name(run.config), **settings, "seed": run.config.seed}
        rows += [head | record.as_dict() for record in run.history]
    return DataFrame(rows)


def _all_runs(root: Path) -> list[RunRecord]:
    """Return all runs in a folder, with a warning for each that is left out."""
    runs, left_out = find_runs(root)
    for remark in left_out:
        warnings.warn(remark, CopiWarning, stacklevel=3)
    if not runs:
        raise DataError(f"no run in {root} can be read: {left_out[0]}")
    return runs


def _folders_of_runs(root: Path) -> Iterator[Path]:
    """Find the folders in `root` that hold a run, through symbolic links too, each once."""
    visited = set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        subfolders.sort()
        real = os.path.realpath(folder)
        if real in visited:  # a link may lead back up
            subfolders.clear()
        elif RUN_FILE in files:
            yield Path(folder)
        visited.add(real)


def find_runs(root: str | Path) -> tuple[list[RunRecord], list[str]]:
    """Find all runs in a folder and its subfolders.

    Returns
    -------
    runs : list of RunRecord    sorted by folder; of several copies of a run, such as backups, only the longest
    left_out : list of str      one line for each folder that is left out because it is damaged or a copy

    Raises
    ------
    DataError       if there are no runs, or the folder cannot be read
    """
    root = Path(root)
    check_folder(root)  # in an unreadable folder, the search below would silently find nothing
    folders = sorted(_folders_of_runs(root))
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
        if run.name in runs:
            run, other = sorted((runs[run.name], run), key=lambda each: -len(each.history))
            left_out.append(f"{other.folder}: left out, since {run.folder} holds the same run")
        runs[run.name] = run
    return sorted(runs.values(), key=lambda run: run.folder), left_out
