"""Configure a grid of runs, and carry out each of them in its own folder.

Nothing is done twice. A run is found by its name, which contains a hash of its configuration: a run that finished or
diverged is not repeated, and an interrupted one resumes after its last finished epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final, NamedTuple

from numpy.linalg import LinAlgError

from copi_np._checks import with_both_rates
from copi_np.backend import Backend
from copi_np.callbacks import Callback
from copi_np.datasets import Dataset
from copi_np.errors import CopiError, DataError, DivergenceError, InUseError, StoppedError, one_line
from copi_np.experiments.config import RunConfig, run_name
from copi_np.experiments.methods import METHODS
from copi_np.experiments.options import config_from_options
from copi_np.experiments.records import FAILURE_FILE, RUN_FILE, read_run
from copi_np.experiments.runner import own_run, train_into
from copi_np.experiments.settings import LATERAL
from copi_np.history import EpochRecord
from copi_np.storage.atomic import replace_text
from copi_np.storage.untrusted import exists

RUNS: Final = "runs"
"""The folder of all runs, inside the folder of a campaign."""

# RuntimeError is the only base class that the errors of CuPy's device and libraries share
FAILURES: Final = (CopiError, OSError, MemoryError, LinAlgError, RuntimeError)
"""Errors of a single run that are not bugs and must not stop the other runs."""


class Outcome(NamedTuple):
    """The outcome of a run.

    Attributes
    ----------
    config : RunConfig
    folder : Path
    history : list of EpochRecord   the finished epochs
    failure : str or None           one line that says why it stopped, if it did
    in_use : bool                   whether it stopped because another process is working on that run
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
    """List all configurations of a campaign, seed by seed, so that methods can be compared early on.

    Parameters
    ----------
    options : mapping       as for `config_from_options`, without method and seed
    methods : sequence      names of `METHODS`
    seeds : iterable of int
    load : callable         loads a data set by its name
    variations : mapping    from a field of `RunConfig`, or eta or first_eta, which set both rates, to its values, in
                            every combination; fields of the lateral weights do not vary for methods without them

    Returns
    -------
    configs : list of RunConfig
    data : Dataset          the same for all

    Raises
    ------
    InputError, DataError   if a value is invalid, or the data set is not available
    """
    load = cache(load)  # all methods use the same data, which may be large
    bases = {}
    for method in methods:
        changes = {**options, "method": method, "seed": 0}
        if not decorrelates(method) and any(map(decorrelates, methods)):
            changes["decorrelation"] = None  # this option is for the other methods
        bases[method] = config_from_options(changes, load)
    variations = variations or {}
    configs = []
    for seed, *values in product(seeds, *variations.values()):
        changes = with_both_rates(dict(zip(variations, values, strict=True)))
        for method in methods:
            applicable = {k: v for k, v in changes.items() if decorrelates(method) or k not in LATERAL}
            base, data = bases[method]
            configs.append(replace(base, seed=seed, **applicable).for_data(data, keep_layers=True))
    return list(dict.fromkeys(configs)), next(iter(bases.values()))[1]


def decorrelates(method: str) -> bool:
    """Return whether a method has lateral weights; an unknown one is refused later."""
    return method in METHODS and METHODS[method].decorrelates


def run_folder(root: str | Path, config: RunConfig, data: Dataset) -> Path:
    """Return the folder of a run in the campaign at `root`."""
    return Path(root) / RUNS / run_name(config, data)


def epochs_left(root: str | Path, config: RunConfig, data: Dataset) -> int:
    """Count the epochs that a run of the campaign at `root` still needs: none if it diverged, or is damaged."""
    folder = run_folder(root, config, data)
    try:
        if not exists(folder / RUN_FILE):
            return config.epochs
        record = read_run(folder)
    except DataError:  # the run will fail at once and say why
        return 0
    return 0 if record.failure or config.is_over(record.history) else config.epochs - len(record.history)


def perform(
    root: str | Path,
    config: RunConfig,
    data: Dataset,
    backend: str | Backend = "auto",
    callbacks: Sequence[Callback] = (),
    *,
    diagnostics: bool = False,
) -> Outcome:
    """Carry out one run, or resume it.

    Failures are part of the outcome. A run that diverged also records the reason in its folder, and is not repeated,
    since it would diverge again.

    Parameters
    ----------
    root : path             the campaign's folder
    config : RunConfig
    data : Dataset          the data set ``config.dataset``
    backend : str or Backend
    callbacks : sequence of Callback
    diagnostics : bool      as for `train_into`

    Returns
    -------
    outcome : Outcome

    Raises
    ------
    StoppedError            if a signal asked to stop; finished epochs are recorded
    """
    folder = run_folder(root, config, data)
    try:
        record = own_run(folder, config, data)
        if record is not None and record.failure and not config.is_over(record.history):
            return Outcome(config, folder, record.history, record.failure)
        history = train_into(folder, config, data, backend, callbacks, resume=True, diagnostics=diagnostics)
        return Outcome(config, folder, history)
    except StoppedError:
        raise
    except DivergenceError as error:
        return _diverged(Outcome(config, folder, [], str(error)))
    except FAILURES as error:  # caused by the machine or the folder, not by the run: another try may succeed
        return Outcome(config, folder, [], one_line(error), isinstance(error, InUseError))


def _diverged(outcome: Outcome) -> Outcome:
    """Add the recorded epochs to the outcome of a run that diverged, and record the reason in its folder."""
    try:
        outcome = outcome._replace(history=read_run(outcome.folder).history)
        replace_text(outcome.folder / FAILURE_FILE, f"{outcome.failure}\n")
    except FAILURES as error:  # such as a full disk, which must not stop the other runs
        outcome = outcome._replace(failure=f"{outcome.failure}; {one_line(error)}")
    return outcome
