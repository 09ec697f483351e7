"""Many runs: the grid of their configurations, and what carries them out, each in a folder of its own.

Nothing is done twice. A run is found again by its name, the hash of its configuration: if it is finished it is left
alone, if it was interrupted it goes on from its last finished epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final, NamedTuple

from numpy.linalg import LinAlgError

from copi_np.backend import Backend
from copi_np.callbacks import Callback
from copi_np.datasets import Dataset
from copi_np.errors import CopiError, DataError, DivergenceError, InUseError, StoppedError, one_line
from copi_np.experiments.config import RunConfig, run_name
from copi_np.experiments.methods import METHODS
from copi_np.experiments.options import config_from_options
from copi_np.experiments.records import FAILURE_FILE, RUN_FILE, read_run
from copi_np.experiments.runner import train_into
from copi_np.history import EpochRecord
from copi_np.storage.atomic import replace_text
from copi_np.storage.untrusted import exists

RUNS: Final = "runs"
"""The folder of all runs, inside the folder of a campaign."""


LATERAL: Final = ("eta_R", "first_eta_R", "decorrelation")
"""Fields of `RunConfig` that do nothing where the lateral weights do not learn."""


# RuntimeError for CuPy's errors of a device and its libraries, which have nothing else in common
FAILURES: Final = (CopiError, OSError, MemoryError, LinAlgError, RuntimeError)
"""What may go wrong in one run without being a bug, and shall not stop the others."""


class Outcome(NamedTuple):
    """What became of a run.

    Attributes
    ----------
    config : RunConfig
    folder : Path
    history : list of EpochRecord   the finished epochs
    failure : str or None           one line that says why it stopped, if it did
    in_use : bool                   whether it stopped because another process has that run in hand
    """

    config: RunConfig
    folder: Path
    history: list[EpochRecord]
    failure: str | None = None
    in_use: bool = False


def grid(
    options: Mapping[str, Any],
    methods: Sequence[str],
    seeds: Iterable[int],
    load: Callable[[str], Dataset],
    variations: Mapping[str, Sequence[Any]] | None = None,
) -> tuple[list[RunConfig], Dataset]:
    """All configurations of a campaign: seed by seed, so that what is finished early can be compared.

    Parameters
    ----------
    options : mapping       as for `config_from_options`, without method and seed
    methods : sequence      names of `METHODS`
    seeds : iterable of int
    load : callable         loads a data set by its name
    variations : mapping    from a field of `RunConfig` to the values it takes, in every combination; those of the
                            lateral weights do not concern methods that have none

    Returns
    -------
    configs : list of RunConfig
    data : Dataset          the same for all

    Raises
    ------
    InputError, DataError   if a value cannot be used, or the data set cannot be had
    """
    load = cache(load)  # the same for all methods, and large
    bases = {method: config_from_options({**options, "method": method, "seed": 0}, load) for method in methods}
    variations = variations or {}
    configs = []
    for seed, *values in product(seeds, *variations.values()):
        changes = dict(zip(variations, values, strict=True))
        for method in methods:
            concerned = {k: v for k, v in changes.items() if METHODS[method].decorrelates or k not in LATERAL}
            configs.append(replace(bases[method][0], seed=seed, **concerned))
    return list(dict.fromkeys(configs)), next(iter(bases.values()))[1]


def run_folder(root: str | Path, config: RunConfig, data: Dataset) -> Path:
    """The folder of a run in a campaign at `root`."""
    return Path(root) / RUNS / run_name(config, data)


def epochs_left(root: str | Path, config: RunConfig, data: Dataset) -> int:
    """Epochs that a run of the campaign at `root` still has to do; none if its records are damaged."""
    folder = run_folder(root, config, data)
    try:
        if not exists(folder / RUN_FILE):
            return config.epochs
        history = read_run(folder).history
    except DataError:  # it will fail at once, and say why
        return 0
    return 0 if config.is_over(history) else config.epochs - len(history)


def perform(
    root: str | Path,
    config: RunConfig,
    data: Dataset,
    backend: str | Backend = "auto",
    callbacks: Sequence[Callback] = (),
    *,
    diagnostics: bool = False,
) -> Outcome:
    """Carry out one run, or what is left of it.

    A failure of the run or the machine is part of the outcome; a run that diverged says so in its folder.

    Parameters
    ----------
    root : path             the campaign's folder
    config : RunConfig
    data : Dataset          that of ``config.dataset``
    backend : str or Backend
    callbacks : sequence of Callback
    diagnostics : bool      as for `train_into`

    Returns
    -------
    outcome : Outcome

    Raises
    ------
    StoppedError            if a signal asked to stop; what is finished is on record
    """
    folder = run_folder(root, config, data)
    try:
        history = train_into(folder, config, data, backend, callbacks, resume=True, diagnostics=diagnostics)
        return Outcome(config, folder, history)
    except StoppedError:
        raise
    except DivergenceError as error:
        return _diverged(Outcome(config, folder, [], str(error)))
    except FAILURES as error:  # of this machine or this folder, not of the run: another try may do better
        return Outcome(config, folder, [], one_line(error), isinstance(error, InUseError))


def _diverged(outcome: Outcome) -> Outcome:
    """The outcome of a run that diverged, with what is on record; its folder says why it stopped, if it can."""
    try:
        outcome = outcome._replace(history=read_run(outcome.folder).history)
        replace_text(outcome.folder / FAILURE_FILE, f"{outcome.failure}\n")
    except FAILURES as error:  # such as a full disk: no reason to stop the other runs
        outcome = outcome._replace(failure=f"{outcome.failure}; {one_line(error)}")
    return outcome
